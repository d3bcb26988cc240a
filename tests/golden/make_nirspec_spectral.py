"""Make the golden cases of flat_field, pathloss and photom for the NIRSpec IFU.

    python make_nirspec_spectral.py [FOLDER]        # default: nirspec_spectral beside this script

Needs the Python pipeline, jwst 3.0.0. Every case is a folder FOLDER/<step>/<case> with `in.fits.gz` (the exposure; its extensions
LAMBDA, LABEL and BOXES hold what the WCS of three slices would give), `<type>.fits.gz` (references), `out.fits.gz` (what jwst makes of
it) and `params.toml`. Images are a few rows with slices that bend and whose bounds overlap, and every kind of pixel the steps treat.
The cases `by_number` are those of a WCS whose points carry the number of their slice (`nrs_ifu_slice_wcs`): LAMBDA has one image for
each slice, NaN out of it; some pixels are in two slices.
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
from jwst.assign_wcs import nirspec  # noqa: E402
from jwst.flatfield import flat_field  # noqa: E402
from jwst.pathloss import pathloss  # noqa: E402
from jwst.photom import photom  # noqa: E402
from stdatamodels.jwst import datamodels  # noqa: E402

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "nirspec_spectral")
RNG = np.random.default_rng(11)
NY, NX = 30, 44
ARRAYS = {"SCI": "data", "ERR": "err", "DQ": "dq", "VAR_POISSON": "var_poisson", "VAR_RNOISE": "var_rnoise", "VAR_FLAT": "var_flat",
          "WAVELENGTH": "wavelength", "PATHLOSS_PS": "pathloss_point", "PATHLOSS_UN": "pathloss_uniform"}
# MSA_FAILED_OPEN, SATURATED, DO_NOT_USE in calwebb's bits
FLAGS = [0, 0, 0, 0, 0, 1 << 29, 2, 1]
COLUMNS = dict(SUBSTRT1=1, SUBSTRT2=1, SUBSIZE1=NX, SUBSIZE2=NY)


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


def slices():
    """Labels and wavelengths of three bent slices."""
    label, wl = np.zeros((NY, NX), int), np.full((NY, NX), np.nan)
    for k, (x0, x1) in enumerate([(3, 40), (0, 44), (6, 43)]):
        for x in range(x0, x1):
            first = int(1 + 9 * k + 4 * np.sin(np.pi * x / NX) + 0.5)
            for y in range(first, min(first + 6, NY)):
                label[y, x] = k + 1
                wl[y, x] = 2.9 + 0.051 * x + 0.004 * (y - first) + 0.01 * k
    wl[np.s_[12:14], 20] = np.nan
    return np.where(np.isnan(wl), 0, label), wl


LABEL, WL = slices()
BOXES = [[xs.min(), xs.max() + 1, ys.min(), ys.max() + 1] for ys, xs in (np.nonzero(LABEL == k + 1) for k in range(3))]


class Slice:
    """What a slice's WCS does: bounds, and the wavelength of whichever slice a pixel is of."""

    def __init__(self, box):
        x0, x1, y0, y1 = box
        self.bounding_box = ((x0 - 0.5, x1 - 0.5), (y0 - 0.5, y1 - 0.5))

    def __call__(self, x, y):
        wl = WL[y.astype(int), x.astype(int)].copy()
        return wl * 0, wl * 0, wl


class Numbered(Slice):
    """What it does where points carry the number of their slice: wavelengths of this slice alone, in wider bounds."""

    def __init__(self, wl):
        ys, xs = np.nonzero(~np.isnan(wl))
        super().__init__([max(xs.min() - 3, 0), min(xs.max() + 4, NX), max(ys.min() - 2, 0), min(ys.max() + 3, NY)])
        self.wl = wl

    def __call__(self, x, y):
        wl = self.wl[y.astype(int), x.astype(int)].copy()
        return wl * 0, wl * 0, wl


def numbered():
    """Wavelengths of three bent slices, each of which shares pixels with the next."""
    wl = np.full((3, NY, NX), np.nan)
    for k, (x0, x1) in enumerate([(3, 40), (0, 44), (6, 43)]):
        for x in range(x0, x1):
            first = int(1 + 8 * k + 4 * np.sin(np.pi * x / NX) + 0.5)
            rows = np.arange(first, min(first + 9, NY))
            wl[k, rows, x] = 2.9 + 0.051 * x + 0.004 * (rows - first) + 0.03 * k
    wl[0, 6:8, 20] = np.nan
    return wl


WCS = [Slice(b) for b in BOXES]
nirspec.nrs_ifu_wcs = lambda model: WCS
nirspec.nrs_wcs_set_input = lambda model, k: WCS[k]
pathloss.NIRSPEC_IFU_SLICES = np.arange(3)


def exposure(source="EXTENDED", flat=True):
    model = datamodels.IFUImageModel((NY, NX))
    model.data = RNG.normal(50, 30, (NY, NX)).astype("f4")
    model.dq = RNG.choice(FLAGS, (NY, NX)).astype("u4")
    model.var_poisson = RNG.uniform(0.5, 3, (NY, NX)).astype("f4")
    model.var_rnoise = RNG.uniform(0.1, 1, (NY, NX)).astype("f4")
    if flat:
        model.var_flat = RNG.uniform(0.1, 1, (NY, NX)).astype("f4")
    model.err = np.sqrt(model.var_poisson + model.var_rnoise)
    bad = RNG.random((NY, NX)) < 0.03
    for name in ("data", "err", "var_poisson", "var_rnoise"):
        getattr(model, name)[bad] = np.nan
    m = model.meta
    m.instrument.name, m.instrument.detector, m.instrument.filter, m.instrument.grating = "NIRSPEC", "NRS1", "F290LP", "G395H"
    m.exposure.type, m.target.source_type, m.exposure.mid_time = "NRS_IFU", source, 60000.0
    m.wcsinfo.dispersion_direction = 1
    m.subarray.xstart, m.subarray.ystart, m.subarray.xsize, m.subarray.ysize = 1, 1, NX, NY
    return model


def hdus(model, extra=()):
    cards = dict(TELESCOP="JWST", INSTRUME="NIRSPEC", DETECTOR="NRS1", FILTER="F290LP", GRATING="G395H", EXP_TYPE="NRS_IFU", **COLUMNS)
    out = [primary(**cards)]
    for name, attribute in ARRAYS.items():
        values = getattr(model, attribute, None)
        if values is not None and np.size(values):
            out.append(image(name, values, "u4" if name == "DQ" else "f4"))
    out[1].header["SRCTYPE"] = model.meta.target.source_type
    out[1].header["DISPAXIS"] = 1
    return out + list(extra)


def case(step, name, model, refs, run, **params):
    folder = ROOT / step / name
    wcs = [image("LAMBDA", WL, "f8"), image("LABEL", LABEL, "i4"), image("BOXES", BOXES, "i4")]
    if isinstance(WCS[0], Numbered):
        wl = np.array([w.wl for w in WCS])
        label = np.max(np.where(np.isnan(wl), 0, np.arange(1, 4)[:, None, None]), axis=0)
        boxes = [[x0 + 0.5, x1 + 0.5, y0 + 0.5, y1 + 0.5] for (x0, x1), (y0, y1) in (w.bounding_box for w in WCS)]
        wcs = [image("LAMBDA", wl, "f8"), image("LABEL", label, "i4"), image("BOXES", boxes, "i4")]
    write(folder / "in.fits.gz", hdus(model, wcs))
    with tempfile.TemporaryDirectory() as tmp:
        paths = {}
        for kind, content in refs.items():
            write(folder / f"{kind}.fits.gz", content)
            paths[kind] = f"{tmp}/{kind}.fits"
            Path(paths[kind]).write_bytes(gzip.decompress((folder / f"{kind}.fits.gz").read_bytes()))
        run(model, paths)
    write(folder / "out.fits.gz", hdus(model))
    sci = fits.Header.fromstring("")
    p = model.meta.photometry
    for key, value in dict(PHOTMJSR=p.conversion_megajanskys, PHOTUJA2=p.conversion_microjanskys, PIXAR_SR=p.pixelarea_steradians,
                           PIXAR_A2=p.pixelarea_arcsecsq).items():
        if value is not None:
            sci[key] = float(value)
    if len(sci):
        content = hdus(model)
        content[1].header.update(sci)
        write(folder / "out.fits.gz", content)
    lines = [f"{k} = {'true' if v is True else repr(v)}" for k, v in params.items()]
    (folder / "params.toml").write_text("".join(line + "\n" for line in lines))


def fast(wl, low, high, n=60):
    w = np.full(n + 3, np.nan, "f4")
    w[:n] = np.linspace(*wl, n)
    flat = RNG.uniform(low, high, n + 3).astype("f4")
    flat[[4, 9]] = [0.0, np.nan]
    row = np.zeros(1, [("slit_name", "S15"), ("nelem", "i4"), ("wavelength", "f4", n + 3), ("data", "f4", n + 3), ("error", "f4", n + 3)])
    row["slit_name"], row["nelem"], row["wavelength"], row["data"], row["error"] = "ANY", n, w, flat, RNG.uniform(0.001, 0.01, n + 3)
    return fits.BinTableHDU(row, name="FAST_VARIATION")


def definitions():
    rows = [(0, 1, "DO_NOT_USE", ""), (1, 2, "NO_FLAT_FIELD", ""), (2, 4, "UNRELIABLE_FLAT", "")]
    return fits.BinTableHDU(np.array(rows, [("BIT", "i4"), ("VALUE", "i4"), ("NAME", "S40"), ("DESCRIPTION", "S80")]), name="DQ_DEF")


def layer(planes, several_flags=False):
    shape = (planes, NY, NX) if planes else (NY, NX)
    sci = RNG.normal(1, 0.05, shape)
    sci[..., 5, :] = np.where(RNG.random(NX) < 0.3, np.nan, sci[..., 5, :])
    sci[..., 14, ::5] = 0
    sci[..., 16, ::7] = -0.3
    dq = RNG.choice([0] * 30 + [1, 2, 4], shape if several_flags else (NY, NX))
    err = RNG.uniform(0.001, 0.01, shape if several_flags else (NY, NX))
    return [image("SCI", sci), image("DQ", dq, "u4"), image("ERR", err)]


def flat(kind, planes=0, several_flags=False, wl=(2.8, 5.3), low=0.9, high=1.1, waves=None):
    out = [primary(INSTRUME="NIRSPEC", REFTYPE=kind.upper(), **COLUMNS)]
    if kind != "fflat":
        out += layer(planes, several_flags)
    if planes:
        waves = np.array([(w,) for w in waves], [("wavelength", "f4")])
        out.append(fits.BinTableHDU(waves, name="WAVELENGTH"))
    return out + [fast(wl, low, high), definitions()]


def flats(name, inverse=False, without=(), **kinds):
    def run(model, paths):
        refs = [datamodels.NirspecFlatModel(paths[k]) if k in paths else None for k in ("fflat", "sflat", "dflat")]
        flat_field.nirspec_ifu(model, *refs, dispaxis=1, inverse=inverse)

    refs = dict(fflat=flat("fflat", low=1e-3, high=2e-3), sflat=flat("sflat"), dflat=flat("dflat", 4, waves=[2.0, 3.3, 4.0, 4.9]))
    refs.update(kinds)
    for kind in without:
        del refs[kind]
    case("flat_field", name, exposure(flat=False), refs, run, **({"inverse": True} if inverse else {}))


def losses(name, source="EXTENDED", inverse=False, **params):
    def run(model, paths):
        reference = datamodels.PathlossModel(paths["pathloss"])
        pathloss.do_correction_ifu(model, reference, inverse=inverse, source_type=params.get("source_type"))

    ps = image("PS", RNG.uniform(0.5, 1, (12, 9, 9)))
    uni = image("UNI", RNG.uniform(0.5, 1, 12))
    for hdu, axes in ((ps, (1, 2)), (uni, ())):
        for axis in axes:
            hdu.header.update({f"CRPIX{axis}": 1.2, f"CRVAL{axis}": -0.5, f"CDELT{axis}": 0.13})
        wave = 3 if axes else 1
        hdu.header.update({f"CRPIX{wave}": 1.0, f"CRVAL{wave}": 3.0e-6, f"CDELT{wave}": 0.17e-6})
    ps.header["APERTURE"], ps.header["SHUTTERS"] = "IFU", 0
    variances = image("PSVAR", np.zeros((12, 9, 9))), image("UNIVAR", np.zeros(12))
    refs = dict(pathloss=[primary(INSTRUME="NIRSPEC", REFTYPE="PATHLOSS", EXP_TYPE="NRS_IFU"), ps, variances[0], uni, variances[1]])
    if inverse:
        params["inverse"] = True
    case("pathloss", name, exposure(source), refs, run, **params)


def conversion(name, metres=False, inverse=False):
    def run(model, paths):
        photom.DataSet(model, inverse, None, True).apply_photom(paths["photom"], paths["area"])

    rows = np.zeros(3, [("filter", "S12"), ("grating", "S15"), ("photmj", "f4"), ("uncertainty", "f4"), ("nelem", "i2"),
                        ("wavelength", "f4", 40), ("relresponse", "f4", 40), ("reluncertainty", "f4", 40)])
    rows["filter"], rows["grating"] = ["CLEAR", "F290LP", "F290LP"], ["PRISM", "G395H", "G395M"]
    rows["photmj"], rows["nelem"] = [1e-6, 2.3e-6, 3e-6], 31
    rows["wavelength"][:, :31] = np.linspace(3.1, 4.7, 31) * (1e-6 if metres else 1)
    rows["relresponse"] = RNG.uniform(0.5, 2, (3, 40))
    area = np.zeros(3, [("slice_id", "i2"), ("pixarea", "f4")])
    area["slice_id"], area["pixarea"] = [2, 0, 1], [0.0103, 0.0111, 0.0097]
    head = dict(INSTRUME="NIRSPEC", EXP_TYPE="NRS_IFU", TELESCOP="JWST", PEDIGREE="GROUND", DESCRIP="x", AUTHOR="x", USEAFTER="2022-01-01T00:00:00")
    refs = dict(photom=[primary(REFTYPE="PHOTOM", DATAMODL="NrsMosPhotomModel", PIXAR_SR=2.4e-13, PIXAR_A2=0.01, **head), fits.BinTableHDU(rows, name="PHOTOM")],
                area=[primary(REFTYPE="AREA", DATAMODL="NirspecIfuAreaModel", **head), fits.BinTableHDU(area, name="AREA")])
    case("photom", name, exposure(), refs, run, **({"inverse": True} if inverse else {}))


flats("whole")
flats("planes", sflat=flat("sflat", 3, True, waves=[2.5, 4.2, 6.0]), dflat=flat("dflat", 3, True, waves=[2.5, 4.2, 6.0]))
flats("narrow", fflat=flat("fflat", wl=(3.3, 4.4)), sflat=flat("sflat", wl=(3.0, 4.9)))
flats("one_plane", dflat=flat("dflat", 1, True, waves=[3.0]))
flats("no_fore", without=("fflat",))
flats("no_slow", without=("sflat", "dflat"))
flats("inverse", inverse=True)
losses("uniform")
losses("point", source="POINT")
losses("told", source_type="POINT")
losses("inverse", inverse=True)
conversion("micron")
conversion("metres", metres=True)
conversion("inverse", inverse=True)
WCS = [Numbered(wl) for wl in numbered()]
flats("by_number")
losses("by_number")
conversion("by_number")
