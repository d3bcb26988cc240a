"""Make the golden case of blended headers: tests/golden/blend/{in0,in1,in2,out}.fits.gz.

    python make_blend.py CAL [FOLDER]        # default folder: blend beside this script

Needs the Python pipeline, jwst 3.0.0, and a `_cal` (or `_crf`) product of the MIRI MRS, whose headers are taken
(without its data). Three exposures are made of it with other times, pointings, exposure times and bands, one of them
without some keywords; `out.fits.gz` has the headers and HDRTAB that calwebb blends of them.
"""

import gzip
import os
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from jwst.model_blender import blendmodels
from stdatamodels.jwst import datamodels

CAL = sys.argv[1]
FOLDER = Path(sys.argv[2] if len(sys.argv) > 2 else Path(__file__).parent / "blend")


def write(path, hdus):
    """Write HDUs, compressed, the same bytes every time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as tmp:
        plain = os.path.join(tmp, "x.fits")
        fits.HDUList(hdus).writeto(plain)
        with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as out:
            out.write(Path(plain).read_bytes())


def change(primary, sci, i):
    """Make headers those of exposure i."""
    for key in ("EXPSTART", "EXPMID", "EXPEND"):
        primary[key] += 0.013 * i
    for key in ("MJD-BEG", "MJD-AVG", "MJD-END", "TDB-BEG", "TDB-MID", "TDB-END", "RA_V1", "DEC_REF"):
        sci[key] += 0.0071 * i
    primary["FILENAME"] = f"jw0900100100{i}_02101_00001_mirifulong_cal.fits"
    primary["DATE-OBS"] = f"2025-03-{14 - i}"
    primary["TIME-OBS"] = f"0{5 + i}:06:07.123"
    primary["DATE-BEG"] = f"2025-03-{14 - i}T0{5 + i}:06:07.123"
    primary["DATE-END"] = f"2025-03-{14 - i}T0{6 + i}:06:07.5"
    primary["INTSTART"], primary["INTEND"] = 4 - i, 7 + i
    primary["EFFEXPTM"] += 1.1 * i
    sci["XPOSURE"] += 1.3 * i
    sci["TELAPSE"] += 0.1 * i
    primary["TARGNAME"] = ("SATURN", "IO", "SATURN RINGS")[i]
    primary["BAND"] = ("SHORT", "SHORT", "LONG")[i]
    if i == 1:
        for key in ("TITLE", "NGROUPS", "BKGDTARG", "EFFINTTM"):
            primary.remove(key, ignore_missing=True)
        sci.remove("DISPAXIS", ignore_missing=True)


def main():
    warnings.simplefilter("ignore")
    models = []
    with tempfile.TemporaryDirectory() as tmp:
        for i in range(3):
            with fits.open(CAL) as hdus:
                primary, sci = hdus[0].header.copy(), hdus["SCI"].header.copy()
            change(primary, sci, i)
            images = [fits.ImageHDU(np.zeros((2, 3), "f4"), name=n) for n in ("ERR", "VAR_POISSON", "VAR_RNOISE")]
            hdus = [fits.PrimaryHDU(header=primary), fits.ImageHDU(np.zeros((2, 3), "f4"), header=sci, name="SCI"),
                    images[0], fits.ImageHDU(np.zeros((2, 3), "u4"), name="DQ"), *images[1:]]  # fmt: skip
            write(FOLDER / f"in{i}.fits.gz", hdus)
            # an opened model is called as its file
            plain = os.path.join(tmp, primary["FILENAME"])
            fits.HDUList(hdus).writeto(plain)
            models.append(datamodels.IFUImageModel(plain))
        # what cube_build does with the headers of its inputs
        cube = datamodels.IFUCubeModel(np.zeros((2, 2, 2), "f4"))
        cube.update(models[0])
        blendmodels(cube, models, ignore=["meta.filename"])
        path = os.path.join(tmp, "out.fits")
        cube.save(path)
        with fits.open(path) as hdus:
            keep = [fits.PrimaryHDU(header=hdus[0].header), fits.ImageHDU(np.zeros((1, 1), "f4"), hdus["SCI"].header), hdus["HDRTAB"]]
            write(FOLDER / "out.fits.gz", keep)


if __name__ == "__main__":
    main()
