"""Make the golden cases of bkg_subtract and badpix_selfcal.

    python make_background.py [FOLDER]        # default: the folder of this script

Needs the Python pipeline, jwst 3.0.0. Every case is a folder FOLDER/<step>/<case> with `in.fits.gz` (the
exposure), `bg<i>.fits.gz` and `self<i>.fits.gz` (background and selfcal members), `out.fits.gz` (what jwst
makes of the exposure), for bkg_subtract `combined.fits.gz` (the averaged background), for badpix_selfcal
`bgout<i>.fits.gz` (the flagged background members), and `params.toml`. Images are a few pixels with NaN,
infinity, outliers and flags.
"""

import gzip
import logging
import os
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from jwst.background import BackgroundStep
from jwst.badpix_selfcal import BadpixSelfcalStep

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
RNG = np.random.default_rng(20250607)
ARRAYS = ("SCI", "ERR", "DQ", "VAR_POISSON", "VAR_RNOISE")


def write(path, hdus):
    """Write HDUs, compressed, the same bytes every time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as tmp:
        plain = os.path.join(tmp, "x.fits")
        fits.HDUList(hdus).writeto(plain)
        with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as out:
            out.write(Path(plain).read_bytes())


def rate(shape, level, dispaxis=2):
    """An exposure's image (detector of NIRSpec: any size is a part of it)."""
    head = fits.PrimaryHDU()
    for key, value in dict(
        TELESCOP="JWST", INSTRUME="NIRSPEC", DETECTOR="NRS1", EXP_TYPE="NRS_IFU", GRATING="G395H", FILTER="F290LP",
        SUBARRAY="FULL", SUBSTRT1=1, SUBSTRT2=1, SUBSIZE1=shape[1], SUBSIZE2=shape[0], GWA_XTIL=0.35, GWA_YTIL=0.12,
    ).items():  # fmt: skip
        head.header[key] = value
    data = RNG.normal(level, 1.0, shape).astype("f4")
    hit = RNG.random(shape)
    data[hit < 0.05] += 40
    data[hit > 0.95] = np.nan
    data[hit > 0.99] = np.inf
    data[3, 4] = np.nan
    err = RNG.uniform(0.5, 1.5, shape).astype("f4")
    dq = np.where(hit > 0.9, 1 << RNG.integers(0, 31, shape), 0).astype("u4")
    images = [fits.ImageHDU(v, name=n) for n, v in zip(ARRAYS, (data, err, dq, err**2 / 3, err**2 / 2), strict=True)]
    if dispaxis:
        images[0].header["DISPAXIS"] = dispaxis
    return [head, *images]


def result(model, status, keyword):
    """The arrays of a model."""
    head = fits.PrimaryHDU()
    head.header[keyword] = status or ""
    names = zip(ARRAYS, ("data", "err", "dq", "var_poisson", "var_rnoise"), strict=True)
    return [head, *(fits.ImageHDU(np.array(getattr(model, a)), name=n) for n, a in names if model.hasattr(a))]


def members(folder, science, backgrounds, selfcal=()):
    write(folder / "in.fits.gz", science)
    for name, group in (("bg", backgrounds), ("self", selfcal)):
        for i, hdus in enumerate(group):
            write(folder / f"{name}{i}.fits.gz", hdus)
    paths = lambda name: [str(p) for p in sorted(folder.glob(f"{name}[0-9].fits.gz"))]
    return str(folder / "in.fits.gz"), paths("bg"), paths("self")


def configured(step, **values):
    """A step with parameters; not by `call`, which asks CRDS."""
    step = step()
    for key, value in values.items():
        setattr(step, key, value)
    return step


def params(folder, **values):
    text = lambda v: str(v).lower() if isinstance(v, bool) else repr(v)
    (folder / "params.toml").write_text("".join(f"{k} = {text(v)}\n" for k, v in values.items()))


def subtract(case, count, **values):
    folder = ROOT / "bkg_subtract" / case
    shape = (12, 17)
    science, backgrounds, _ = members(folder, rate(shape, 5), [rate(shape, 2 + i / 4) for i in range(count)])
    with tempfile.TemporaryDirectory() as tmp:
        step = configured(BackgroundStep, save_combined_background=True, output_dir=tmp, output_file="x", **values)
        out = step.run(science, backgrounds)
        with fits.open(f"{tmp}/x_combinedbackground.fits") as hdus:
            images = [fits.ImageHDU(hdus[n].data, name=n) for n in ("SCI", "DQ", "ERR")]
            write(folder / "combined.fits.gz", [fits.PrimaryHDU(), *images])
    write(folder / "out.fits.gz", result(out, out.meta.cal_step.bkg_subtract, "S_BKDSUB"))
    params(folder, **values)


def selfcal(case, count, selves, dispaxis, **values):
    folder = ROOT / "badpix_selfcal" / case
    make = lambda: rate((30, 26), 5, dispaxis)
    science, backgrounds, selfs = members(folder, make(), [make() for _ in range(count)], [make() for _ in range(selves)])
    out, flagged = configured(BadpixSelfcalStep, skip=False, **values).run(science, selfs, backgrounds)
    write(folder / "out.fits.gz", result(out, out.meta.cal_step.badpix_selfcal, "S_BPXSLF"))
    for i, model in enumerate(flagged):
        write(folder / f"bgout{i}.fits.gz", result(model, "", "S_BPXSLF"))
    params(folder, **values)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    subtract("one", 1)
    subtract("two", 2)
    subtract("clipped", 7, sigma=1.4)
    subtract("rounds", 7, sigma=1.1, maxiters=2)
    selfcal("along", 2, 1, 2, flagfrac_lower=0.01, flagfrac_upper=0.02)
    selfcal("across", 1, 0, 1, kernel_size=5, flagfrac_upper=0.03)
    selfcal("both", 0, 2, None, kernel_size=7, flagfrac_lower=0.015, flagfrac_upper=0.015)
    selfcal("alone", 0, 0, 2, force_single=True, flagfrac_lower=0.005, flagfrac_upper=0.005)
