"""Makes the golden cases of outlier_detection: small exposures, and what jwst 3.0.0 flags in them.

Run in this folder with jwst 3.0.0 installed. Exposures a, b (MIRIFUSHORT), c, d (MIRIFULONG) and
e, f (NIRSpec) hold noise, a bright source, spikes that stay in their place, NaN and flags. Each case is a
TOML file with the exposures and parameters; its results are the DQ of each exposure (<case>_<exposure>.fits.gz)
and, for one case, the intermediate results.
"""

import glob
import os

import numpy as np
from astropy.io import fits
from stdatamodels.jwst import datamodels

from jwst.datamodels import ModelContainer
from jwst.outlier_detection import OutlierDetectionStep

NY, NX = 40, 36


def exposure(name, seed, instrument, detector, exp_type, bad):
    r = np.random.default_rng(seed)
    y, x = np.mgrid[:NY, :NX]
    sci = r.normal(10, 1, (NY, NX)) + 400 * np.exp(-((x - 15 - seed) ** 2) / 8 - (y - 20) ** 2 / 200)
    sci[bad] += 60
    dq = np.where(r.random((NY, NX)) > 0.96, 1, 0) | np.where(r.random((NY, NX)) > 0.9, 4, 0)
    sci[r.random((NY, NX)) > 0.97] = np.nan
    # all columns around these are gone
    sci[5:9, 20:27] = np.nan
    sci[30, 8] = np.inf
    m = datamodels.IFUImageModel(data=sci.astype("f4"), dq=dq.astype("u4"))
    m.err = np.full((NY, NX), 1, "f4")
    m.err[12, 12] = np.nan
    for v in ("var_poisson", "var_rnoise", "var_flat"):
        setattr(m, v, np.full((NY, NX), 0.5, "f4"))
    m.meta.instrument.name = instrument
    m.meta.instrument.detector = detector
    m.meta.exposure.type = exp_type
    m.meta.telescope = "JWST"
    m.meta.filename = f"{name}_cal.fits"
    m.save(f"{name}_cal.fits")
    os.system(f"gzip -9nf {name}_cal.fits")


def main():
    r = np.random.default_rng(5)
    for pair, kind in [("ab", ("MIRI", "MIRIFUSHORT", "MIR_MRS")), ("cd", ("MIRI", "MIRIFULONG", "MIR_MRS")),
                       ("ef", ("NIRSPEC", "NRS1", "NRS_IFU"))]:
        bad = (r.integers(0, NY, 12), r.integers(0, NX, 12))
        for name in pair:
            exposure(name, ord(name) - 96, *kind, bad)
    cases = {
        "defaults": ("abcd", {}),
        "mixed": ("cab", {"threshold_percent": 97.3}),
        "second": ("abcd", {"ifu_second_check": True, "kernel_size": "3 9", "threshold_percent": 99.0}),
        "even": ("ab", {"kernel_size": "4 6", "threshold_percent": 90.0, "save_intermediate_results": True}),
        "nirspec": ("ef", {"kernel_size": "11 3", "threshold_percent": 98.0}),
    }
    for case, (names, pars) in cases.items():
        container = ModelContainer([f"{n}_cal.fits.gz" for n in names])
        result = OutlierDetectionStep.call(container, skip=False, **pars)
        for name, model in zip(names, result):
            assert np.array_equal(np.isnan(model.data), (model.dq & 1) > 0)
            assert model.meta.cal_step.outlier_detection == "COMPLETE"
            fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(model.dq.astype("i4"), name="DQ")]).writeto(
                f"{case}_{name}.fits.gz", overwrite=True)
        with open(f"{case}.toml", "w") as f:
            f.write(f"exposures = {list(names)}\n\n[params]\n".replace("'", '"'))
            for key, value in pars.items():
                f.write(f"{key} = {str(value).lower() if isinstance(value, bool) else repr(value)}\n")
    for path in glob.glob("*outlier_output.fits"):
        with fits.open(path) as h:
            keep = fits.HDUList([fits.PrimaryHDU()] + [fits.ImageHDU(h[n].data, name=n)
                                                       for n in ("DIFFARR", "MINARR", "NORMARR", "MINNORM")])
            for key in ("KERNXSZ", "KERNYSZ", "THRSPRC"):
                keep[0].header[key] = h[0].header[key]
            keep.writeto("even_output.fits.gz", overwrite=True)
        os.remove(path)


if __name__ == "__main__":
    main()
