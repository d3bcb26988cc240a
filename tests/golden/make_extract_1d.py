"""Small cases of extract_1d and spectral_leak from the Python pipeline (jwst 3.0.0).

    python make_extract_1d.py

writes tests/golden/extract_1d/<case>/{in.fits.gz, out.fits.gz, params.toml, extract1d.asdf, apcorr.asdf} and
tests/golden/spectral_leak/<case>/. The cubes are made up: a star of known place on a noisy field.
"""

import gzip
import os
import shutil
import tempfile
import warnings
from pathlib import Path

import asdf
import numpy as np
from astropy.io import fits
from jwst.assign_wcs.pointing import create_fitswcs
from jwst.datamodels import ModelContainer
from jwst.extract_1d import Extract1dStep
from jwst.spectral_leak import SpectralLeakStep
from stdatamodels.jwst import datamodels

warnings.simplefilter("ignore")
ROOT = Path(__file__).parent


def compress(source, target):
    with open(source, "rb") as f, gzip.GzipFile(target, "wb", mtime=0) as g:
        shutil.copyfileobj(f, g)


def product(model, target):
    """Headers and tables of a spectrum, without the names of references."""
    with tempfile.TemporaryDirectory() as tmp:
        whole, cut = os.path.join(tmp, "x1d.fits"), os.path.join(tmp, "cut.fits")
        model.save(whole)
        with fits.open(whole) as h:
            for key in [k for k in h[0].header if k.startswith("R_")]:
                del h[0].header[key]
            fits.HDUList([h[0], h["EXTRACT1D"]]).writeto(cut)
        compress(cut, target)


def references(folder, method="subpixel", kind=np.float64, rings=True, factor=1.0):
    wave = np.linspace(4, 30, 14)
    radius = 0.2 + 0.03 * wave
    arrays = {
        "wavelength": wave,
        "radius": factor * radius,
        "inner_bkg": (1.6 if rings else 0.0) * radius,
        "outer_bkg": (2.2 if rings else 0.0) * radius,
        "axis_ratio": np.ones(14),
        "axis_pa": np.zeros(14),
    }
    units = {f"{k}_units": "arcsec" for k in ("radius", "inner_bkg", "outer_bkg")}
    meta = {
        "instrument": {"name": "MIRI"},
        "exposure": {"type": "MIR_MRS"},
        "telescope": "JWST",
        "reftype": "extract1d",
        "method": method,
        "subpixels": 10,
        "subtract_background": True,
        "region_type": "target",
        "author": "made up",
        "description": "made up",
        "pedigree": "DUMMY",
        "useafter": "2022-01-01T00:00:00",
    }
    data = {k: v.astype(kind) for k, v in arrays.items()}
    tree = {"meta": meta, "data": {**data, **units, "wavelength_units": "micron"}}
    asdf.AsdfFile(tree).write_to(folder / "extract1d.asdf", all_array_storage="inline")
    radii = radius * np.array([[0.5], [1.0], [1.5]])
    table = {
        "channel": "ANY",
        "band": "ANY",
        "wavelength": wave.astype(kind),
        "wavelength_units": "micron",
        "radius": radii.astype(kind),
        "radius_units": "arcsec",
        "apcorr": (1 + 0.5 * np.exp(-radii / 0.4)).astype(kind),
        "apcorr_err": np.full(radii.shape, 0.01, kind),
    }
    tree = {"meta": {**meta, "reftype": "apcorr"}, "apcorr_table": table}
    asdf.AsdfFile(tree).write_to(folder / "apcorr.asdf", all_array_storage="inline")


def cube(star=(6.3, 5.2), shape=(7, 11, 13), instrument="MIRI", srctype="POINT", channel="1", table=False, target=None):
    rng = np.random.default_rng(len(srctype) + shape[0] + int(10 * star[0]))
    nz, ny, nx = shape
    y, x = np.mgrid[:ny, :nx]
    psf = 800 * np.exp(-((x - star[0]) ** 2 + (y - star[1]) ** 2) / 2 / 1.3**2)
    data = (psf + 30 + rng.normal(0, 4, shape)).astype(np.float32)
    data[rng.random(shape) < 0.02] += 300
    err = rng.uniform(1, 3, shape).astype(np.float32)
    weight = rng.integers(1, 6, shape).astype(np.float32)
    weight[rng.random(shape) < 0.05] = 0.5
    empty = (x + y < 3) | (x + y > nx + ny - 5)
    weight[:, empty] = 0
    data[:, empty] = np.nan
    err[:, empty] = np.nan
    # a plane without data, and a voxel that is not a number though it has weight
    weight[3], data[3], err[3] = 0, np.nan, np.nan
    data[1, 2, 6] = np.nan
    model = datamodels.IFUCubeModel(data=data, err=err, dq=np.zeros(shape, np.uint32), weightmap=weight)
    miri = instrument == "MIRI"
    model.meta.instrument.name = instrument
    model.meta.instrument.detector = "MIRIFUSHORT" if miri else "NRS1"
    if miri:
        model.meta.instrument.channel = channel
        model.meta.instrument.band = "MEDIUM"
    model.meta.telescope = "JWST"
    model.meta.exposure.type = "MIR_MRS" if miri else "NRS_IFU"
    model.meta.observation.date = "2025-01-01"
    model.meta.observation.time = "00:00:00.000"
    model.meta.target.source_type = srctype
    model.meta.photometry.pixelarea_steradians = 4e-13
    model.meta.aperture.position_angle = 12.5
    model.meta.ifu.weighting = "drizzle"
    model.meta.bunit_data = "MJy/sr"
    info = model.meta.wcsinfo
    info.wcsaxes, info.dispersion_direction = 3, 2
    info.crpix1, info.crpix2, info.crpix3 = 7.0, 6.0, 1.0
    info.crval1, info.crval2, info.crval3 = 83.25, -22.0, 5.7
    info.cdelt1, info.cdelt2, info.cdelt3 = 0.13 / 3600, 0.13 / 3600, 0.1
    info.ctype1, info.ctype2, info.ctype3 = "RA---TAN", "DEC--TAN", "WAVE"
    info.cunit1, info.cunit2, info.cunit3 = "deg", "deg", "um"
    info.pc1_1, info.pc1_2, info.pc1_3 = -0.8, 0.6, 0
    info.pc2_1, info.pc2_2, info.pc2_3 = 0.6, 0.8, 0
    info.pc3_1, info.pc3_2, info.pc3_3 = 0, 0, 1
    model.meta.coordinates.reference_frame = "ICRS"
    if table:
        info.ctype3, info.cdelt3, info.crval3 = "WAVE-TAB", 1.0, 1.0
        info.ps3_0, info.ps3_1 = "WCS-TABLE", "wavelength"
        waves = 5.0 + np.cumsum(np.linspace(0.1, 0.4, nz))
        model.wavetable = np.array([(waves[None].T,)], dtype=[("wavelength", "<f4", (nz, 1))])
    model.meta.wcs = create_fitswcs(model)
    ra, dec, _ = model.meta.wcs(*(target or star), 0)
    model.meta.target.ra, model.meta.target.dec = float(ra), float(dec)
    return model


def case(name, model, refs=None, **params):
    folder = ROOT / "extract_1d" / name
    folder.mkdir(parents=True, exist_ok=True)
    references(folder, **(refs or {}))
    params = {"ifu_rfcorr": False, **params}
    lines = []
    for k, v in params.items():
        text = str(v).lower() if isinstance(v, bool) else repr(v)
        lines.append(f"{k} = {text}\n")
    (folder / "params.toml").write_text("".join(lines))
    with tempfile.TemporaryDirectory() as tmp:
        source = os.path.join(tmp, "in_s3d.fits")
        model.save(source)
        compress(source, folder / "in.fits.gz")
        own = {f"override_{k}": str(folder / f"{k}.asdf") for k in ("extract1d", "apcorr")}
        result = Extract1dStep.call(source, save_results=False, override_psf="N/A", **own, **params)
        product(result, folder / "out.fits.gz")


def extract_1d():
    single = {"method": "exact", "kind": np.float32}
    case("point", cube())
    case("point_exact", cube(), single)
    case("point_center", cube(), {"method": "center"}, bkg_sigma_clip=2.0, ifu_covar_scale=1.5)
    case("point_scaled", cube(), single, ifu_rscale=1.1)
    case("point_no_background", cube(), {"rings": False})
    case("point_not_subtracted", cube(), subtract_background=False, apply_apcorr=False)
    case("point_found", cube(shape=(7, 25, 27), star=(14.4, 9.7), target=(8, 8)), single, ifu_autocen=True)
    case("point_centred", cube(target=(40, 5)))
    case("point_placed", cube(), single, center_xy=[4.75, 6.5])
    case("point_beyond", cube(), center_xy=[-30.0, 6.0])
    case("point_partly", cube(), single, center_xy=[-1.0, 6.0])
    case("point_large", cube(), {**single, "factor": 1.55}, ifu_rscale=3.0)
    case("point_table", cube(table=True, channel="34"), single)
    case("point_set", cube(srctype="EXTENDED"), single, ifu_set_srctype="POINT")
    case("nirspec", cube(instrument="NIRSPEC"), single)
    case("extended", cube(srctype="EXTENDED"), subtract_background=True, center_xy=[1.0, 1.0])
    case("unknown", cube(srctype="UNKNOWN"), {"method": "exact"}, bkg_sigma_clip=1.5, ifu_covar_scale=2.0)
    case("too_short_for_fringes", cube(srctype="EXTENDED"), ifu_rfcorr=True)
    for name, srctype in (("empty_point", "POINT"), ("empty_extended", "EXTENDED")):
        nothing = cube(srctype=srctype)
        nothing.data[:], nothing.err[:], nothing.weightmap[:] = np.nan, np.nan, 0
        case(name, nothing)


def spectrum(channel, band, wave, rng):
    model = datamodels.MRSMultiSpecModel()
    dtype = datamodels.MRSSpecModel().get_dtype("spec_table")
    table = np.zeros(wave.size, dtype)
    table["WAVELENGTH"] = wave
    table["FLUX"] = rng.uniform(1, 2, wave.size)
    table["RF_FLUX"] = rng.uniform(1, 2, wave.size)
    spec = datamodels.MRSSpecModel(spec_table=table)
    spec.source_type = "POINT"
    model.spec.append(spec)
    model.meta.instrument.name, model.meta.instrument.channel, model.meta.instrument.band = "MIRI", channel, band
    model.meta.telescope, model.meta.exposure.type = "JWST", "MIR_MRS"
    model.meta.observation.date, model.meta.observation.time = "2025-01-01", "00:00:00.000"
    return model


def spectral_leak():
    rng = np.random.default_rng(4)
    cases = {
        "bands": [("3", "SHORT", 11.55, 13.47), ("2", "SHORT", 7.5, 8.8), ("1", "MEDIUM", 5.66, 6.63)],
        "channels": [("1", "MULTIPLE", 4.9, 7.65), ("3", "MULTIPLE", 11.55, 17.98)],
    }
    for name, spectra in cases.items():
        folder = ROOT / "spectral_leak" / name
        folder.mkdir(parents=True, exist_ok=True)
        wave = np.linspace(11.5, 13.0, 16).astype(np.float32)
        columns = [
            fits.Column("WAVELENGTH", "E", array=wave),
            fits.Column("FRAC_LEAK", "E", array=0.03 * np.exp(-(((wave - 12.2) / 0.2) ** 2))),
            fits.Column("ERR_LEAK", "E", array=0 * wave),
        ]
        table = fits.BinTableHDU.from_columns(columns, name="LEAKCOR")
        primary = fits.PrimaryHDU()
        for k, v in {"REFTYPE": "MRSPTCORR", "TELESCOP": "JWST", "INSTRUME": "MIRI", "EXP_TYPE": "MIR_MRS"}.items():
            primary.header[k] = v
        with tempfile.TemporaryDirectory() as tmp:
            ref = os.path.join(tmp, "mrsptcorr.fits")
            fits.HDUList([primary, table]).writeto(ref)
            compress(ref, folder / "mrsptcorr.fits.gz")
            models = [spectrum(c, b, np.linspace(lo, hi, 60), rng) for c, b, lo, hi in spectra]
            for i, m in enumerate(models):
                product(m, folder / f"in{i}.fits.gz")
            out = SpectralLeakStep.call(ModelContainer(models), override_mrsptcorr=ref)
            for i, m in enumerate(out):
                product(m, folder / f"out{i}.fits.gz")


extract_1d()
spectral_leak()
