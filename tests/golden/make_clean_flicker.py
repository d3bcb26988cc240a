"""Make the golden cases of clean_flicker_noise and picture_frame for the NIRSpec IFU.

    python make_clean_flicker.py [FOLDER]        # default: clean_flicker beside this script

Needs the Python pipeline, jwst 3.0.0. Every case is a folder FOLDER/<case> with `in.fits.gz` (a ramp, or count rates), `gain.fits.gz` and
`readnoise.fits.gz` (for ramps), `flat.fits.gz` and `mask.fits.gz` (where there is one), `out.fits.gz` (what jwst makes of it, with the mask and
the background it saves) and `params.toml`. Images are a few pixels with sources, stripes and every kind of pixel the step treats. The files
`fft.fits.gz` and `frame.fits.gz` hold some columns of what becomes of full frames, which the tests make themselves.
"""

import gzip
import os
import sys
import tempfile
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import numpy as np  # noqa: E402
from astropy.io import fits  # noqa: E402
from jwst.clean_flicker_noise import clean_flicker_noise as cfn  # noqa: E402
from jwst.picture_frame.picture_frame import correct_picture_frame  # noqa: E402
from jwst.ramp_fitting import RampFitStep  # noqa: E402
from stdatamodels.jwst import datamodels  # noqa: E402

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "clean_flicker")
RNG = np.random.default_rng(23)
DNU, SAT, JUMP = 1, 2, 4


def write(path, hdus):
    """Write HDUs, compressed, the same bytes every time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as tmp:
        plain = os.path.join(tmp, "x.fits")
        fits.HDUList(hdus).writeto(plain)
        with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as out:
            out.write(Path(plain).read_bytes())


def image(name, values, dtype="f4"):
    return fits.ImageHDU(np.asarray(values).astype(dtype), name=name)


def primary(nints, ngroups, ny, nx, **cards):
    head = dict(
        TELESCOP="JWST", INSTRUME="NIRSPEC", DETECTOR="NRS1", EXP_TYPE="NRS_IFU", FILTER="F290LP", GRATING="G395H", READPATT="NRSRAPID",
        SUBARRAY="FULL", SUBSTRT1=1, SUBSTRT2=1, SUBSIZE1=nx, SUBSIZE2=ny, FASTAXIS=2, SLOWAXIS=1, NINTS=nints, INTSTART=1, INTEND=nints,
        NGROUPS=ngroups, NFRAMES=1, GROUPGAP=0, TFRAME=10.73677, TGROUP=10.73677, NRESETS=1, DRPFRMS1=0, FRMDIVSR=1, EXSEGNUM=1, EXSEGTOT=1,
        ZEROFRAM=False, TARGTYPE="MOVING",
    )  # fmt: skip
    head.update(cards)
    hdu = fits.PrimaryHDU()
    for key, value in head.items():
        hdu.header[key] = value
    return hdu


def scene(ny, nx):
    """A background, and slices with light."""
    y, x = np.mgrid[:ny, :nx]
    return np.where((y % 9 < 3) & (x > 2), 40.0 + 15 * np.sin(x / 3.0), 0.4)


def stripes(shape, axis):
    """1/f noise: one number a line, the same in all rows (axis 0) or columns."""
    lines = RNG.normal(0, 3, shape[:-2] + (shape[-1] if axis == 0 else shape[-2],))
    return np.expand_dims(lines, -2 if axis == 0 else -1)


def ramp(nints=2, ngroups=4, ny=40, nx=33, **cards):
    axis = abs(cards.get("SLOWAXIS", 1)) - 1
    t = np.arange(1, ngroups + 1)[None, :, None, None] * 10.73677
    data = 9000 + scene(ny, nx) * t + RNG.normal(0, 6, (nints, ngroups, ny, nx)) + stripes((nints, ngroups, ny, nx), axis)
    groupdq = np.where(RNG.random(data.shape) < 0.02, JUMP, 0).astype("u1")
    for y, x, first in zip(RNG.integers(0, ny, 30), RNG.integers(0, nx, 30), RNG.integers(1, ngroups, 30)):
        groupdq[:, first:, y, x] |= SAT
    groupdq[..., 5, 7] |= DNU
    groupdq[0, 1, 11] |= DNU
    data[RNG.random(data.shape) < 0.01] = np.nan
    pixeldq = np.zeros((ny, nx), "u4")
    pixeldq[0] |= 1 << 31
    pixeldq[13, 20] |= DNU
    return [
        primary(nints, ngroups, ny, nx, **cards), image("SCI", data), image("PIXELDQ", pixeldq, "u4"), image("GROUPDQ", groupdq, "u1"),
    ]  # fmt: skip


def rate(nints=None, ny=40, nx=33, **cards):
    shape = ((nints,) if nints else ()) + (ny, nx)
    axis = abs(cards.get("SLOWAXIS", 1)) - 1
    data = scene(ny, nx) + RNG.normal(0, 0.2, shape) + stripes(shape, axis) * 0.1
    data[..., 0, :] = 0
    data[..., 3:5, 6] = np.nan
    dq = np.where(np.isnan(data), DNU, 0)
    dq[..., 17, 4:9] |= 1 << 29
    cards = dict(cards, S_RAMP="COMPLETE")
    ones = np.full(shape, 0.04)
    return [
        primary(nints or 1, 5, ny, nx, **cards), image("SCI", data), image("ERR", ones), image("DQ", dq, "u4"), image("VAR_POISSON", ones),
        image("VAR_RNOISE", ones),
    ]  # fmt: skip


def smooth(kind, ny, nx, **more):
    """A ramp or rates without slices: a background with a slope, a few sources and a patch without data."""
    hdus = kind(ny=ny, nx=nx, **more)
    y, x = np.mgrid[:ny, :nx]
    level = 3 + np.hypot(y - 20, x + 5) / 25
    level[RNG.random((ny, nx)) < 0.01] += 60
    if kind is rate:
        hdus[1].data = (hdus[1].data - scene(ny, nx) + level).astype("f4")
    else:
        t = np.arange(1, hdus[1].data.shape[1] + 1)[:, None, None] * 10.73677
        hdus[1].data = (hdus[1].data + (level - scene(ny, nx)) * t).astype("f4")
        hdus[3].data &= ~np.uint8(SAT)
    hdus[1].data[..., ny // 2 : ny // 2 + 11, 7:25] = np.nan
    return hdus


def references(folder, ny, nx):
    """Gain and read noise as files for both pipelines."""
    paths = {}
    for kind, level in (("gain", 1.1), ("readnoise", 9.0)):
        values = level + RNG.normal(0, 0.05, (ny, nx))
        values[7, 9] = np.nan
        head = fits.PrimaryHDU()
        head.header.update(dict(TELESCOP="JWST", INSTRUME="NIRSPEC", REFTYPE=kind.upper(), SUBARRAY="FULL", SUBSTRT1=1, SUBSTRT2=1,
                                SUBSIZE1=nx, SUBSIZE2=ny, FASTAXIS=2, SLOWAXIS=1))
        write(folder / f"{kind}.fits.gz", [head, image("SCI", values)])
        plain = os.path.join(TMP, f"{kind}.fits")
        fits.open(folder / f"{kind}.fits.gz").writeto(plain, overwrite=True)
        paths[kind] = plain
    return paths


def opened(hdus):
    """The exposure as jwst opens it."""
    plain = os.path.join(TMP, "in.fits")
    fits.HDUList(hdus).writeto(plain, overwrite=True)
    axes = hdus[1].data.ndim
    kind = {4: datamodels.RampModel, 3: datamodels.CubeModel, 2: datamodels.ImageModel}[axes]
    return kind(plain)


def toml(value):
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def case(name, hdus, flat=None, mask=None, **params):
    folder = ROOT / name
    write(folder / "in.fits.gz", hdus)
    model = opened(hdus)
    ny, nx = model.data.shape[-2:]
    if model.data.ndim == 4:
        paths = references(folder, ny, nx)

        def make_rate(input_model, return_cube=False, input_dir=""):
            step = RampFitStep()
            step.override_gain, step.override_readnoise = paths["gain"], paths["readnoise"]
            both = step.run(input_model)
            return both[1] if return_cube else both[0]

        cfn.make_rate = make_rate
    given = dict(params)
    if flat is not None:
        head = fits.PrimaryHDU()
        head.header.update(dict(TELESCOP="JWST", INSTRUME="NIRSPEC", REFTYPE="FLAT", SUBARRAY="FULL", SUBSTRT1=1, SUBSTRT2=1, SUBSIZE1=nx,
                                SUBSIZE2=ny, FASTAXIS=2, SLOWAXIS=1))
        write(folder / "flat.fits.gz", [head, image("SCI", flat)])
        given["flat_filename"] = os.path.join(TMP, "flat.fits")
        fits.open(folder / "flat.fits.gz").writeto(given["flat_filename"], overwrite=True)
        params["apply_flat_field"] = True
    if mask is not None:
        write(folder / "mask.fits.gz", [fits.PrimaryHDU(), image("SCI", mask)])
        given["user_mask"] = os.path.join(TMP, "mask.fits")
        fits.open(folder / "mask.fits.gz").writeto(given["user_mask"], overwrite=True)
    out, used, background, _, status = cfn.do_correction(model, save_mask=True, save_background=True, **given)
    head = fits.PrimaryHDU()
    head.header["S_CLNFNS"] = status
    products = [head, image("SCI", out.data)]
    if status == "COMPLETE":
        products += [image("MASK", used.data), image("BACKGROUND", background.data)]
    write(folder / "out.fits.gz", products)
    text = "".join(f"{k} = {toml(v)}\n" for k, v in params.items() if v is not None)
    (folder / "params.toml").write_text(text)
    print(name, status, int(used.data.sum()) if used else "")


def cases():
    # no case needs the WCS that jwst makes for a median image
    cfn.post_process_rate = lambda model, **_: model
    case("ramp", ramp())
    case("ramp_each", ramp(), single_mask=False, n_sigma=1.5)
    case("ramp_median_image", ramp(nints=3, ngroups=3), background_method="median_image")
    case("ramp_median_image_of_one", ramp(nints=1, ngroups=3), background_method="median_image")
    case("ramp_rows", ramp(nints=1, DETECTOR="NRS2", SLOWAXIS=-2, FASTAXIS=-1), background_method="none", n_sigma=3.0)
    case("ramp_no_limit", ramp(nints=1), n_sigma=0.0)
    dead = ramp(nints=1, ngroups=5)
    dead[3].data[0, 2] |= DNU
    case("ramp_dead_group", dead)
    case("ramp_flat", ramp(), flat=RNG.normal(1, 0.1, (40, 33)))
    mask = RNG.random((40, 33)) < 0.5
    case("ramp_mask", ramp(), mask=np.where(mask, -1.5, 0.0))
    case("ramp_mask_each", ramp(), mask=RNG.random((2, 40, 33)) < 0.5)
    case("ramp_mask_of_others", ramp(), mask=np.ones((40, 30)))
    case("ramp_mask_of_more", ramp(), mask=np.ones((3, 40, 33)))
    case("rate", rate())
    case("rate_histogram", rate(ny=170, nx=150), fit_histogram=True)
    case("rate_channels", rate(ny=2048, nx=10, SLOWAXIS=-1, DETECTOR="NRS2"), fit_by_channel=True)
    case("rate_subarray", rate(ny=2048, nx=10, SUBARRAY="SUB2048"), fit_by_channel=True)
    case("rate_median_image", rate(), background_method="median_image")
    case("rate_mask_each", rate(), mask=RNG.random((2, 40, 33)) < 0.5)
    case("rateints", rate(3))
    case("rateints_each", rate(3), single_mask=False)
    case("rateints_median_image", rate(4), background_method="median_image", flat=RNG.normal(1, 0.1, (40, 33)))
    nothing = rate()
    nothing[1].data[:] = np.nan
    case("rate_nothing", nothing)
    case("rate_model", smooth(rate, 96, 80), background_method="model")
    # boxes beyond the ends of which enough is left, that at the corner too
    case("rate_model_beyond", smooth(rate, 99, 79), background_method="model", background_box_size=[20, 20], n_sigma=3.0)
    case("rate_model_one_box", smooth(rate, 90, 80, SLOWAXIS=2), background_method="model", background_box_size=[500, 500], n_sigma=0.0)
    case("rate_model_without_boxes", rate(), background_method="model")
    case("rateints_model", smooth(rate, 60, 64, nints=3), background_method="model", background_box_size=[7, 5], single_mask=False)
    case("ramp_model", smooth(ramp, 64, 48), background_method="model", background_box_size=[8, 12], n_sigma=3.0)
    holes = RNG.normal(1, 0.05, (64, 96))
    holes[RNG.random(holes.shape) < 0.02] = np.nan
    holes[30:50, 20:60] = 0
    holes[3, 5] = np.inf
    case("rate_flat_holes", smooth(rate, 64, 96), flat=holes)
    case("rate_model_flat_holes", smooth(rate, 64, 96), flat=holes, background_method="model", background_box_size=[9, 9])
    case("rate_flat_few", rate(), flat=np.where(RNG.random((40, 33)) < 0.5, 1.1, 0.0))


def frame():
    """A full frame from whole numbers: slow waves of every line, rapid noise, and lit rows."""
    n = 2048
    y, x = np.mgrid[:n, :n].astype(np.int64)
    rapid = (y * 7919 + x * 104729 + (x * y) % 977) % 1009
    phase = (y + 37 * x) % 1024
    slow = np.where(phase < 512, phase, 1024 - phase)
    lit = (y % 64 >= 48) | (x < 4) | (x >= n - 4)
    values = (rapid - 504) / 512 + (slow - 256) / 128 + np.where(lit, 300, 7)
    return values.astype("f4"), lit


def full_frames():
    values, lit = frame()
    columns = [4, 5, 9, 700, 1023, 1500, 2040, 2043, 2046]
    out = [fits.PrimaryHDU(), image("COLUMNS", columns, "i4")]
    for detector in ("NRS1", "NRS2"):
        cleaned = cfn.fft_clean_full_frame(values.copy(), ~lit, detector)
        out.append(image(detector, cleaned[:, columns]))
    write(ROOT / "fft.fits.gz", out)
    # the frame's template and a ramp of three groups, of which the first has another level
    shape = (np.abs(np.mgrid[:2048, :2048] - 1023).max(axis=0) // 16).astype("f4") / 64
    shape[3, 5] = np.nan
    hdus = [primary(1, 3, 2048, 2048)]
    groups = np.array([5 * values, 6 * values + 2 * shape, 7 * values + 3 * shape + 1], "f4")[None]
    groups[0, 2, 900, 1000:1100] = np.nan
    hdus += [image("SCI", groups), image("PIXELDQ", np.zeros((2048, 2048)), "u4"), image("GROUPDQ", np.zeros(groups.shape), "u1")]
    model = opened(hdus)
    rates = datamodels.ImageModel(data=values, dq=np.zeros((2048, 2048), "u4"))
    rates.meta.exposure.type = "NRS_IFU"
    cfn.make_rate = lambda *_, **__: rates
    template = datamodels.PictureFrameModel(data=shape)
    cfn.post_process_rate = lambda model, **_: model
    result, _, _, status = correct_picture_frame(model, template, mask_science_regions=False)
    head = fits.PrimaryHDU()
    head.header["S_PCTFRM"] = status
    write(ROOT / "frame.fits.gz", [head, image("COLUMNS", columns, "i4"), image("SCI", result.data[0][:, :, columns])])
    print("frame", status)


with tempfile.TemporaryDirectory() as TMP:
    cases()
    full_frames()
