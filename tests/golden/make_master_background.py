"""Make the golden cases of master_background.

    python make_master_background.py [FOLDER]        # default: master_background beside this script

Needs the Python pipeline, jwst 3.0.0. Every case is a folder FOLDER/<case> with `bg<i>.fits.gz` (spectra of the
background), `wavelength.fits.gz` (wavelengths of the exposure's pixels, NaN between slices), `combined.fits.gz` (the
combined spectrum), `image.fits.gz` (the background of the exposure) and `params.toml`.
"""

import gzip
import logging
import os
import sys
import tempfile
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from astropy.io import fits
from jwst.combine_1d.combine1d import combine_1d_spectra
from jwst.datamodels import ModelContainer
from jwst.master_background.expand_to_2d import bkg_for_ifu_image
from jwst.master_background.master_background_step import copy_background_to_surf_bright
from scipy.signal import medfilt
from stdatamodels.jwst import datamodels

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "master_background")
RNG = np.random.default_rng(77)


def write(path, hdus):
    """Write HDUs, compressed, the same bytes every time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as tmp:
        plain = os.path.join(tmp, "x.fits")
        fits.HDUList(hdus).writeto(plain)
        with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as out:
            out.write(Path(plain).read_bytes())


def spectrum(spec, wave):
    """Fill a spectrum: flags, NaN in flux and in the background."""
    n = len(wave)
    table = np.zeros(n, spec.get_dtype("spec_table"))
    table["WAVELENGTH"] = wave
    for name in ("FLUX", "FLUX_ERROR", "SURF_BRIGHT", "SB_ERROR", "BACKGROUND", "BKGD_ERROR"):
        table[name] = RNG.normal(5, 1, n) + np.sin(wave * 30)
    table["FLUX"][RNG.random(n) < 0.05] = np.nan
    table["BACKGROUND"][RNG.random(n) < 0.05] = np.nan
    table["DQ"] = np.where(RNG.random(n) < 0.2, RNG.integers(0, 9, n), 0)
    spec.spec_table = table
    return spec


def case(name, members, kernel=1):
    """Members: exposure time and the wavelengths of each spectrum."""
    folder = ROOT / name
    models = []
    for i, (time, waves) in enumerate(members):
        model = datamodels.MRSMultiSpecModel()
        for wave in waves:
            model.spec.append(spectrum(datamodels.MRSSpecModel(), np.asarray(wave)))
        model.meta.telescope, model.meta.instrument.name, model.meta.exposure.type = "JWST", "MIRI", "MIR_MRS"
        model.meta.exposure.exposure_time, model.meta.target.ra, model.meta.target.dec = time, 54.0, 18.0
        with tempfile.TemporaryDirectory() as tmp:
            model.save(f"{tmp}/x.fits")
            with fits.open(f"{tmp}/x.fits") as hdus:
                write(folder / f"bg{i}.fits.gz", [h for h in hdus if h.name != "ASDF"])
        copy_background_to_surf_bright(model)
        models.append(model)
    out = combine_1d_spectra(ModelContainer(models), exptime_key="exposure_time").spec[0]
    table = np.array(out.spec_table)
    if kernel > 1:
        for column in ("SURF_BRIGHT", "FLUX"):
            table[column] = medfilt(table[column], kernel_size=[kernel - (kernel % 2 == 0)])
    units = [fits.BinTableHDU(table, name="COMBINE1D")]
    write(folder / "combined.fits.gz", [fits.PrimaryHDU(), *units])

    # pixels beyond the ends, on the points, and between slices
    wave = RNG.uniform(table["WAVELENGTH"].min() - 0.1, table["WAVELENGTH"].max() + 0.1, (10, 24))
    wave[0, : min(20, len(table))] = table["WAVELENGTH"][:20]
    wave[:, ::9] = np.nan
    image = SimpleNamespace(data=np.ones((10, 24), "f4"), meta=SimpleNamespace(
        instrument=SimpleNamespace(name="MIRI"), wcs=lambda x, y: (x, y, wave.copy())))  # fmt: skip
    image.copy = lambda: SimpleNamespace(data=np.ones((10, 24), "f4"))
    made = bkg_for_ifu_image(image, table["WAVELENGTH"].copy(), table["SURF_BRIGHT"])
    write(folder / "wavelength.fits.gz", [fits.PrimaryHDU(), fits.ImageHDU(wave, name="WAVELENGTH")])
    write(folder / "image.fits.gz", [fits.PrimaryHDU(), fits.ImageHDU(made.data, name="SCI")])
    (folder / "params.toml").write_text(f"median_kernel = {kernel}\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    grid = 5 + 0.01 * np.arange(80)
    jitter = lambda: np.sort(grid + RNG.normal(0, 0.0004, 80))
    case("one", [(33.3, [grid])])
    case("clumps", [(33.3, [jitter()]), (44.4, [jitter()]), (20.0, [jitter()])])
    case("steps", [(10.0, [grid]), (30.0, [4.9 + 0.013 * np.arange(90)]), (5.5, [(5.2 + 0.007 * np.arange(40))[::-1]])])
    case("bands", [(10.0, [grid, 5.6 + 0.02 * np.arange(50)]), (12.0, [grid + 0.0031, 5.61 + 0.02 * np.arange(50)])])
    case("median", [(33.3, [jitter()]), (44.4, [jitter()])], 8)
