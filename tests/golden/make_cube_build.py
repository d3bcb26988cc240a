"""Golden cases of cube_build from the Python pipeline (jwst 3.0.0).

    python make_cube_build.py FIRST_cal.fits SECOND_cal.fits CUBEPAR.fits

FIRST and SECOND are calibrated MIRIFUSHORT exposures of one target with their WCS; CUBEPAR is a reference file for their band.
A few rows of the detector are kept, with made-up values that compress well; the others are flagged. Writes folders under cube_build/: params.toml and
the cubes expected of in0.fits.gz, in1.fits.gz and cubepar.fits.gz. numpy is kept from functions that round otherwise than the
C library's.
"""

import os
import sys
from pathlib import Path

os.environ["NPY_DISABLE_CPU_FEATURES"] = "X86_V4 AVX512_ICL AVX512_SPR"

import asdf
import numpy as np
from astropy.io import fits
from jwst.cube_build import CubeBuildStep
from jwst.datamodels import ModelContainer
from stdatamodels.jwst import datamodels

HERE = Path(__file__).parent / "cube_build"
ROWS = slice(500, 514)
CASES = {
    "drizzle": dict(scalexy=0.3),
    "drizzle_ifualign": dict(scalexy=0.35, coord_system="ifualign", channel="1"),
    "drizzle_multi": dict(scalexy=0.4, output_type="multi"),
    "center": dict(scalexy=0.2, channel="2", ra_center=54.3216, dec_center=18.7653, nspax_x=10, nspax_y=7, cube_pa=33.0),
    "emsm": dict(weighting="emsm", scalexy=0.3, channel="1"),
    "msm": dict(weighting="msm", scalexy=0.4, rois=0.6, roiw=0.003, channel="2", coord_system="ifualign"),
    "msm_table": dict(weighting="msm", scalexy=0.4, linear_wave=False, channel="1"),
    "emsm_multi": dict(weighting="emsm", scalexy=0.5, output_type="multi"),
    "offset": dict(scalexy=0.4, channel="1", offset_file="offset.asdf"),
}


def crop(path, name, seed):
    model = datamodels.open(path)
    rng = np.random.default_rng(seed)
    new = datamodels.IFUImageModel()
    new.update(model)
    full = model.data.shape
    shape = model.data[ROWS].shape
    new.data, new.err = np.ones(full, np.float32), np.ones(full, np.float32)
    new.var_poisson, new.var_rnoise = np.ones(full, np.float32), np.ones(full, np.float32)
    new.dq = np.ones(full, np.uint32)
    new.data[ROWS] = rng.integers(5, 60, shape)
    new.err[ROWS] = rng.integers(1, 8, shape)
    new.dq[ROWS] = np.where(rng.random(shape) < 0.03, rng.choice([1, 4, 512], shape), 0)
    new.data[ROWS][rng.random(shape) < 0.01] = np.nan
    new.err[ROWS][rng.random(shape) < 0.005] = np.nan
    new.meta.wcs = model.meta.wcs
    new.meta.filename = name
    # a target that stands still, so that the keyword S_REGION counts
    new.meta.target.type = "FIXED"
    new.meta.wcsinfo.spectral_region = model.meta.wcsinfo.spectral_region
    new.save(HERE / name)
    return HERE / name


def zipped(path):
    import gzip

    data = Path(path).read_bytes()
    with open(f"{path}.gz", "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as out:
        out.write(data)
    Path(path).unlink()


def cubepar(path, waves):
    hdus = fits.open(path)
    for hdu in hdus[1:]:
        names = [n.upper() for n in hdu.columns.names]
        if "WAVELENGTH" in names:
            w = hdu.data["WAVELENGTH"]
            near = np.zeros(len(w), bool)
            for low, high in waves:
                near |= (w > low - 0.004) & (w < high + 0.004)
            hdu.data = hdu.data[near]
        else:
            hdu.data = hdu.data[np.isin(hdu.data["CHANNEL"], ["1", "2"])]
            if "WAVEMIN" in names:
                for row in hdu.data:
                    for channel, (low, high) in zip("12", waves):
                        if row["CHANNEL"] == channel:
                            row["WAVEMIN"], row["WAVEMAX"] = low, high
    hdus.writeto(HERE / "cubepar.fits", overwrite=True)
    return HERE / "cubepar.fits"


def main(first, second, par):
    HERE.mkdir(exist_ok=True)
    names = ["in0.fits", "in1.fits"]
    inputs = [crop(p, n, i) for i, (p, n) in enumerate(zip([first, second], names))]
    wcs = datamodels.open(inputs[0]).meta.wcs
    y, x = np.mgrid[ROWS, :1032]
    lam = wcs(x, y)[2]
    waves = [tuple(np.nanpercentile(lam[:, a:b], [20, 75]).astype(np.float32)) for a, b in [(0, 512), (513, 1031)]]
    par = cubepar(par, waves)
    offset = HERE / "offset.asdf"
    asdf.AsdfFile(dict(units="arcsec", filename=names, raoffset=[0.25, -0.1], decoffset=[-0.3, 0.05])).write_to(offset)
    for name, params in CASES.items():
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        text = [f"{k} = {str(v).lower() if isinstance(v, bool) else repr(v)}" for k, v in params.items()]
        (folder / "params.toml").write_text("\n".join(text).replace("'", '"') + "\n")
        container = ModelContainer([str(p) for p in inputs])
        container.asn_table = {"products": [{"name": "x", "members": []}]}
        given = dict(params, override_cubepar=str(par))
        if "offset_file" in given:
            given["offset_file"] = str(offset)
        for cube in CubeBuildStep.call(container, **given):
            label = cube.meta.filename.split("_")[1]
            file = folder / f"{label}.fits"
            cube.save(file)
            with fits.open(file) as hdus:
                kept = [h for h in hdus if h.name not in ("ASDF", "HDRTAB")]
                # headers of the inputs are of no interest
                for key in list(kept[0].header):
                    if key not in ("SIMPLE", "BITPIX", "NAXIS", "EXTEND", "CHANNEL", "BAND", "ROIS", "ROIW", "WTYPE", "WPOWER", "EFFEXPTM"):
                        kept[0].header.remove(key, ignore_missing=True, remove_all=True)
                fits.HDUList(kept).writeto(file, overwrite=True)
            zipped(file)
            print(name, label, cube.data.shape)
    for path in [*inputs, par]:
        zipped(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
