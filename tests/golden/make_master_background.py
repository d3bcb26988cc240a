"""Make the golden cases of master_background.

    python make_master_background.py [FOLDER]        # default: master_background beside this script

Needs the Python pipeline, jwst 3.0.0. Every case is a folder FOLDER/<case> with `bg<i>.fits.gz` (spectra of the
background), `wavelength.fits.gz` (wavelengths of the exposure's pixels, NaN between slices), `combined.fits.gz` (the
combined spectrum), `image.fits.gz` (the background of the exposure), `params.toml` and, of a point source with NIRSpec,
`pathloss.fits.gz` (the fractions of light that pass).
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
from jwst.assign_wcs import nirspec
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


def nirspec_case(name, source, points=60):
    """The NIRSpec IFU: a spectrum of an extended source, three slices whose bounds overlap, and what pathloss left."""
    folder = ROOT / name
    model = datamodels.MultiSpecModel()
    model.spec.append(spectrum(datamodels.SpecModel(), 2.9 + 0.02 * np.arange(points)))
    model.spec[0].source_type = source
    model.meta.telescope, model.meta.instrument.name, model.meta.exposure.type = "JWST", "NIRSPEC", "NRS_IFU"
    model.meta.exposure.exposure_time, model.meta.target.ra, model.meta.target.dec = 21.5, 54.0, 18.0
    with tempfile.TemporaryDirectory() as tmp:
        model.save(f"{tmp}/x.fits")
        with fits.open(f"{tmp}/x.fits") as hdus:
            write(folder / "bg0.fits.gz", [h for h in hdus if h.name != "ASDF"])
    if source == "EXTENDED":
        copy_background_to_surf_bright(model)
    table = np.array(combine_1d_spectra(ModelContainer([model]), exptime_key="exposure_time").spec[0].spec_table)
    write(folder / "combined.fits.gz", [fits.PrimaryHDU(), fits.BinTableHDU(table, name="COMBINE1D")])

    wave = np.full((16, 24), np.nan)
    boxes = []
    for k in range(3):
        y, x = np.mgrid[:16, :24]
        inside = (y >= 1 + 5 * k + x // 12) & (y < 5 + 5 * k + x // 12) & (x > k)
        wave[inside] = 2.85 + (0.055 * x + 0.002 * y + 0.01 * k)[inside]
        ys, xs = np.nonzero(inside)
        boxes.append(((xs.min() - 0.5, xs.max() + 0.5), (ys.min() - 0.5, ys.max() + 0.5)))

    class Slice:
        def __init__(self, box):
            self.bounding_box = box

        def __call__(self, x, y):
            at = wave[y.astype(int), x.astype(int)].copy()
            return at, at, at

    nirspec.nrs_ifu_wcs = lambda _: [Slice(box) for box in boxes]
    losses = {n: np.where(np.isnan(wave), np.nan, RNG.uniform(0.5, 1, wave.shape)).astype("f4") for n in ("PS", "UN")}
    losses["PS"][7, 9] = np.nan

    def image():
        made = datamodels.IFUImageModel(data=np.ones(wave.shape, "f4"), dq=np.zeros(wave.shape, "u4"))
        made.pathloss_point, made.pathloss_uniform = losses["PS"], losses["UN"]
        made.meta.instrument.name, made.meta.target.source_type = "NIRSPEC", "POINT" if source == "POINT" else "EXTENDED"
        return made

    made = bkg_for_ifu_image(image(), table["WAVELENGTH"].copy(), table["SURF_BRIGHT"])
    write(folder / "wavelength.fits.gz", [fits.PrimaryHDU(), fits.ImageHDU(wave, name="WAVELENGTH")])
    write(folder / "pathloss.fits.gz", [fits.PrimaryHDU(), *(fits.ImageHDU(v, name=f"PATHLOSS_{n}") for n, v in losses.items())])
    write(folder / "image.fits.gz", [fits.PrimaryHDU(), fits.ImageHDU(made.data, name="SCI")])
    (folder / "params.toml").write_text("median_kernel = 1\n")


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
    nirspec_case("nirspec_extended", "EXTENDED")
    nirspec_case("nirspec_point", "POINT")
