"""Make the golden cases of flat_field, fringe, photom and straylight.

    python make_corrections.py [FOLDER]        # default: the folder of this script

Needs the Python pipeline, jwst 3.0.0. Every case is a folder FOLDER/<step>/<case> with `in.fits.gz` (the exposure),
`<type>.fits.gz` (references), `out.fits.gz` (what jwst makes of it) and `params.toml`. Images are a few rows with
every kind of pixel the step treats; for photom the extension LAMBDA of the exposure has the wavelengths that its WCS would give.
straylight works on full frames only: its frames repeat a pattern, and `out.fits.gz` holds every 47th row.

numpy is kept from AVX-512, whose powers are rounded otherwise than those of the C library.
"""

import gzip
import os
import sys
import tempfile
import warnings
from pathlib import Path
from types import SimpleNamespace

os.environ["NPY_DISABLE_CPU_FEATURES"] = "X86_V4 AVX512_ICL AVX512_SPR"
warnings.simplefilter("ignore")

import asdf  # noqa: E402
import numpy as np  # noqa: E402
from astropy.io import fits  # noqa: E402
from jwst.flatfield import FlatFieldStep  # noqa: E402
from jwst.fringe import FringeStep  # noqa: E402
from jwst.photom import PhotomStep, time_dependence  # noqa: E402
from jwst.straylight import StraylightStep  # noqa: E402
from stdatamodels.jwst import datamodels  # noqa: E402

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
RNG = np.random.default_rng()
ARRAYS = {"SCI": "data", "ERR": "err", "DQ": "dq", "VAR_POISSON": "var_poisson", "VAR_RNOISE": "var_rnoise", "VAR_FLAT": "var_flat"}


def write(path, hdus):
    """Write HDUs, compressed, the same bytes every time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as tmp:
        plain = os.path.join(tmp, "x.fits")
        fits.HDUList(hdus).writeto(plain)
        with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as out:
            out.write(Path(plain).read_bytes())


def primary(**cards):
    hdu = fits.PrimaryHDU()
    for key, value in cards.items():
        hdu.header[key.replace("_", "-") if key == "DATE_OBS" else key] = value
    return hdu


def image(name, values, dtype="f4"):
    return fits.ImageHDU(np.asarray(values).astype(dtype), name=name)


def place(shape, x=1, y=1):
    return dict(SUBSTRT1=x, SUBSTRT2=y, SUBSIZE1=shape[1], SUBSIZE2=shape[0])


def exposure(shape, var_flat=False, x=1, y=1, **cards):
    head = dict(
        TELESCOP="JWST", INSTRUME="MIRI", DETECTOR="MIRIFUSHORT", CHANNEL="12", BAND="SHORT", EXP_TYPE="MIR_MRS",
        SUBARRAY="FULL", SRCTYPE="EXTENDED", EXPMID=60748.2128, **place(shape, x, y),
    )  # fmt: skip
    head.update(cards)
    data = RNG.normal(5, 3, shape) * 10 ** RNG.uniform(-3, 3, shape)
    hit = RNG.random(shape)
    data[hit < 0.05] = np.nan
    data[hit > 0.99] = np.inf
    dq = np.where(RNG.random(shape) < 0.1, 1 << RNG.integers(0, 31, shape), 0)
    variance = lambda: np.where(RNG.random(shape) < 0.03, np.nan, RNG.uniform(0.01, 2, shape))
    hdus = [primary(**head), image("SCI", data), image("ERR", variance()), image("DQ", dq, "u4"),
            image("VAR_POISSON", variance()), image("VAR_RNOISE", variance())]  # fmt: skip
    return [*hdus, image("VAR_FLAT", variance())] if var_flat else hdus


def reference(kind, shape, scale, model, zeros=0.0, error=True, x=1, y=1, **cards):
    """A reference image whose flags are not calwebb's bits."""
    values = RNG.uniform(0.5, 1.5, shape) * scale
    hit = RNG.random(shape)
    values[hit < 0.08] = np.nan
    values[hit > 1 - zeros] = 0
    flags = np.where(RNG.random(shape) < 0.2, 1 << RNG.integers(0, 4, shape), 0)
    names = ["DO_NOT_USE", "NO_FLAT_FIELD", "UNRELIABLE_FLAT", "NON_SCIENCE"]
    table = fits.BinTableHDU.from_columns(
        [fits.Column("BIT", "J", array=range(4)), fits.Column("VALUE", "J", array=[1, 2, 4, 8]),
         fits.Column("NAME", "40A", array=names), fits.Column("DESCRIPTION", "80A", array=names)],
        name="DQ_DEF",
    )  # fmt: skip
    head = dict(TELESCOP="JWST", INSTRUME="MIRI", DETECTOR="MIRIFUSHORT", REFTYPE=kind, DATAMODL=model, PEDIGREE="DUMMY",
                DESCRIP="Synthetic", AUTHOR="Synthetic", USEAFTER="2022-05-01T00:00:00", EXP_TYPE="MIR_MRS", CHANNEL="12",
                BAND="SHORT", FILENAME=f"{kind.lower()}.fits", **place(shape, x, y))  # fmt: skip
    errors = [image("ERR", RNG.uniform(0, 0.02, shape))] if error else []
    return [primary(**(head | cards)), image("SCI", values), *errors, image("DQ", flags, "u4"), table]


def params(folder, values):
    text = lambda v: str(v).lower() if isinstance(v, bool) else repr(v)
    (folder / "params.toml").write_text("".join(f"{k} = {text(v)}\n" for k, v in values.items()))


def run(step, folder, hdus, refs, native=False, before=lambda: None, **values):
    """Write the case's input and give jwst's result, a model."""
    write(folder / "in.fits.gz", hdus)
    params(folder, values)
    with tempfile.TemporaryDirectory() as tmp:
        s = step()
        for kind in s.reference_file_types:
            path = os.path.join(tmp, f"{kind}.fits")
            if kind in refs:
                write(folder / f"{kind}.fits.gz", refs[kind])
                fits.HDUList([h.copy() for h in refs[kind]]).writeto(path)
            elif (folder / f"{kind}.asdf").exists():
                path = str(folder / f"{kind}.asdf")
            else:
                path = "N/A"
            setattr(s, f"override_{kind}", path)
        for key, value in values.items():
            setattr(s, key, str(folder / value) if key == "user_supplied_flat" else value)
        source = os.path.join(tmp, "in.fits")
        fits.HDUList([h.copy() for h in hdus]).writeto(source)
        model = datamodels.IFUImageModel(source)
        if native:
            model.data = model.data.astype("=f4")
        result = s.process(model)
        for name in ARRAYS.values():
            if result.hasattr(name):
                getattr(result, name)
        return result


def case(step, name, hdus, refs, keep=slice(None), **values):
    folder = ROOT / step.class_alias / name
    result = run(step, folder, hdus, refs, **values)
    head = primary(STATUS=result.meta.cal_step.instance[step.class_alias])
    for keyword, value in (
        ("PHOTMJSR", result.meta.photometry.conversion_megajanskys), ("PHOTUJA2", result.meta.photometry.conversion_microjanskys),
        ("PIXAR_SR", result.meta.photometry.pixelarea_steradians), ("PIXAR_A2", result.meta.photometry.pixelarea_arcsecsq),
        ("BUNIT", result.meta.bunit_data),
    ):  # fmt: skip
        if value is not None:
            head.header[keyword] = value
    kept = {"SCI": "data"} if step is StraylightStep else ARRAYS
    arrays = [(n, a) for n, a in kept.items() if result.hasattr(a)]
    images = [image(n, getattr(result, a)[keep], "u4" if n == "DQ" else "f4") for n, a in arrays]
    write(folder / "out.fits.gz", [head, *images])


def flat_field():
    shape, whole = (9, 20), (16, 28)
    flat = lambda **more: reference("FLAT", whole, 1.0, "FlatModel", zeros=0.06, **more)
    window = dict(x=5, y=4)
    case(FlatFieldStep, "whole", exposure(whole), {"flat": flat()})
    case(FlatFieldStep, "window", exposure(shape, **window), {"flat": flat()})
    case(FlatFieldStep, "no_errors", exposure(shape, **window), {"flat": flat(error=False)})
    case(FlatFieldStep, "inverse", exposure(shape, **window), {"flat": flat()}, inverse=True)
    case(FlatFieldStep, "small", exposure(whole), {"flat": reference("FLAT", shape, 1.0, "FlatModel")})
    case(FlatFieldStep, "absent", exposure(shape), {})
    write(ROOT / "flat_field" / "user" / "user.fits.gz", flat())
    case(FlatFieldStep, "user", exposure(shape, **window), {}, user_supplied_flat="user.fits.gz")


def fringe():
    shape = (11, 24)
    fringes = lambda: reference("FRINGE", shape, 1.0, "FringeModel", zeros=0.02)
    case(FringeStep, "usual", exposure(shape, var_flat=True), {"fringe": fringes()})
    case(FringeStep, "no_flat", exposure(shape), {"fringe": fringes()})


class Wavelengths:
    """In place of a WCS."""

    bounding_box = None

    def __init__(self, values):
        self.values = values

    def __call__(self, x, y):
        return None, None, self.values


def photom():
    shape = (2, 1032)
    original = time_dependence.miri_mrs_time_correction

    def conversion(tables, falling=False):
        cards = dict(PHOTMJSR=38.25, PIXAR_SR=8.2e-13, PIXAR_A2=0.0347, FILTER="N/A")
        hdus = reference("PHOTOM", shape, 40.0, "MirMrsPhotomModel", **cards)
        for channel, first in enumerate((4.5, 7.2, 11.0, 17.0), 1) if tables else ():
            n = 6
            order = slice(None, None, -1 if falling else 1)
            column = lambda name, v: fits.Column(name, "E", array=np.array(v, "f4")[order])
            hdus.append(fits.BinTableHDU.from_columns(
                [column("binwave", first * np.linspace(1, 1.6, n)), column("alpha", -RNG.uniform(0.01, 0.2, n)),
                 column("year1value", np.sort(RNG.uniform(0.5, 0.99, n))), column("tsoft", RNG.uniform(0.5, 40, n)),
                 column("t0", np.full(n, 59720.0) + RNG.uniform(0, 60, n))],
                name=f"TIMECOEFF_POWERLAW_CH{channel}",
            ))  # fmt: skip
        return hdus

    def one(name, refs, long=False, **more):
        values = {k: more.pop(k) for k in ("inverse", "apply_time_correction") if k in more}
        cards = dict(DETECTOR="MIRIFULONG", CHANNEL="34") if long else {}
        hdus = exposure(shape, var_flat=not name.startswith("no_flat"), **(cards | more))
        left, right = ((17, 28), (11, 18)) if long else ((4.4, 7.8), (7, 12))
        x = np.broadcast_to(np.arange(shape[1]), shape)
        waves = np.where(x < 507, RNG.uniform(*left, shape), RNG.uniform(*right, shape))
        waves[RNG.random(shape) < 0.1] = np.nan
        waves[0, ::97] = 0
        hdus.append(fits.ImageHDU(waves, name="LAMBDA"))
        time_dependence.grid_from_bounding_box = lambda _: (None, None)
        time_dependence.miri_mrs_time_correction = lambda model, *a: original(
            SimpleNamespace(data=model.data, meta=SimpleNamespace(wcs=Wavelengths(waves))), *a
        )
        case(PhotomStep, name, hdus, {"photom": refs}, **values)

    one("no_tables", conversion(False))
    one("short", conversion(True))
    one("no_flat", conversion(True))
    one("long", conversion(True), long=True, EXPMID=61544.77)
    one("falling", conversion(True, falling=True), EXPMID=60001.3)
    one("partly_before", conversion(True), EXPMID=59740.5)
    one("before", conversion(True), EXPMID=59600.5)
    one("inverse", conversion(True), inverse=True)
    one("off", conversion(True), apply_time_correction=False)


def straylight():
    shape = (1024, 1032)
    y, x = np.mgrid[:1024, :1032]

    def frame(**cards):
        """Rows of spectra on a dark level with noise, in a pattern of 4 x 172 pixels; cosmic rays, NaN, flags."""
        noise = np.tile(RNG.normal(0.4, 0.6, (4, 172)), (256, 6))
        slices = np.exp(-0.5 * ((x % 43 - 20) / 4.0) ** 2) * np.where((x > 474) & (x < 507) | (x < 12), 0, 1)
        data = noise + slices * np.array([30.0, 200.0, 55.0, 900.0])[y // 256]
        at = (RNG.integers(0, 1024, 400), RNG.integers(0, 1032, 400))
        data[at] = RNG.choice([np.nan, np.inf, -np.inf, -40.0, 1e5], 400)
        dq = np.zeros(shape)
        dq[RNG.integers(0, 1024, 400), RNG.integers(0, 1032, 400)] = 1 << RNG.integers(0, 31, 400)
        dq[:, :4] = dq[:, -4:] = 2**31
        zero = np.zeros(shape)
        hdus = exposure((1, 1), **(dict(DETECTOR="MIRIFULONG", CHANNEL="34") | cards))
        hdus[0].header.update(place(shape))
        return [hdus[0], image("SCI", data), image("ERR", zero), image("DQ", dq, "u4"), image("VAR_POISSON", zero),
                image("VAR_RNOISE", zero)]  # fmt: skip

    def profiles(*names):
        row = np.arange(1024.0)
        hdus = [primary(TELESCOP="JWST", INSTRUME="MIRI", REFTYPE="MRSXARTCORR", DATAMODL="MirMrsXArtCorrModel")]
        for i, name in enumerate(names, 1):
            column = lambda name, v: fits.Column(name, "E", array=np.array(v, "f4"))
            hdus.append(fits.BinTableHDU.from_columns(
                [fits.Column("YROW", "I", array=row), column("LOR_FWHM", 80 + i * 9 + row // 64),
                 column("LOR_SCALE", np.where(row % 128 == 47, 0, 4e-4 * i)), column("GAU_FWHM", 4.3 + i + row // 128 / 7),
                 column("GAU_XOFF", 18.2 + i + row // 64 / 5), column("GAU_SCALE1", 1.3e-3 * i + row // 64 * 1e-6),
                 column("GAU_SCALE2", np.where(row < 500, 6e-4, 0))],
                name=name,
            ))  # fmt: skip
        return hdus

    def regions(folder):
        labels = np.zeros((3, *shape), np.uint8)
        for plane in range(3):
            labels[plane] = np.abs(x % 43 - 20) < 8 + 3 * plane
        path = ROOT / "straylight" / folder / "regions.asdf"
        path.parent.mkdir(parents=True, exist_ok=True)
        asdf.AsdfFile({"regions": labels}).write_to(path, all_array_compression="bzp2")

    rows = slice(None, None, 47)
    case(StraylightStep, "usual", frame(), {"mrsxartcorr": profiles("CH3A", "CH4A")}, keep=rows)
    regions("showers")
    showers = dict(clean_showers=True, shower_plane=1, shower_x_stddev=9.0, shower_y_stddev=3.5, shower_low_reject=0.7)
    case(StraylightStep, "showers", frame(BAND="MEDIUM", S_BKDSUB="COMPLETE"), {"mrsxartcorr": profiles("CH4B")},
         keep=rows, native=True, **showers)  # fmt: skip
    mixed = frame(BAND="SHORT-MEDIUM", CHANNEL="12", DETECTOR="MIRIFUSHORT")
    case(StraylightStep, "mixed", mixed, {"mrsxartcorr": profiles("CH1A", "CH2A")}, keep=rows)


for make in (flat_field, fringe, photom, straylight):
    RNG = np.random.default_rng(20251121)
    make()
