"""Makes the golden cases of pixel_replace: small exposures, and what jwst 3.0.0 makes of them.

Run in this folder with jwst 3.0.0 installed. The exposures hold two slices (REGIONS) of a source's trace, NaN,
flags, infinite and negative values; b is dispersed along rows. Each case is a TOML file with exposure and
parameters and the result's arrays (<case>.fits.gz).
"""

import os

import numpy as np
from astropy.io import fits
from stdatamodels.jwst import datamodels

from jwst.pixel_replace import PixelReplaceStep

NY, NX = 40, 34
ARRAYS = ("SCI", "ERR", "DQ", "VAR_POISSON", "VAR_RNOISE", "VAR_FLAT")


def exposure(name, seed, horizontal, flat=True, trace=False, faint=False):
    r = np.random.default_rng(seed)
    y, x = np.mgrid[:NY, :NX]
    level = 2 if faint else 300
    sci = level * np.exp(-((x - 8 - 0.05 * y) ** 2) / 5) + 80 * np.exp(-((x - 24 - 0.05 * y) ** 2) / 9) + r.normal(0, 1, x.shape)
    regions = np.where((x > 2) & (x < 15), 101, np.where((x > 17) & (x < 32), 102, 0))
    dq = np.where(r.random(x.shape) > 0.93, 1, 0) | np.where(r.random(x.shape) > 0.95, 4, 0)
    dq |= np.where(regions == 0, 513, 0) | np.where(r.random(x.shape) > 0.97, 1 << 28, 0)
    dq[12, 3:15] |= 1
    dq[20:28, 20:24] |= 1
    sci[(dq & 1 > 0) & (r.random(x.shape) > 0.2)] = np.nan
    sci[5, 9] = np.inf
    sci[30, 22] = -1e21
    err = np.sqrt(np.abs(np.nan_to_num(sci, posinf=1)) + 1)
    err[np.isnan(sci)] = np.nan
    sci, err, dq, regions = [a.T.copy() if horizontal else a for a in (sci, err, dq, regions)]
    m = datamodels.IFUImageModel(data=sci.astype("f4"), dq=dq.astype("u4"), err=err.astype("f4"))
    m.var_poisson = (err**2 * 0.7).astype("f4")
    m.var_rnoise = (err**2 * 0.2).astype("f4")
    if flat:
        m.var_flat = (err**2 * 0.1).astype("f4")
    m.regions = regions.astype("i4")
    if trace:
        model = (300 * np.exp(-((x - 8 - 0.05 * y) ** 2) / 5)).astype("f4")
        model[regions != 101] = np.nan
        m.trace_model = model
        m.meta.cal_step.adaptive_trace_model = "COMPLETE"
    m.meta.instrument.name = "MIRI"
    m.meta.instrument.detector = "MIRIFUSHORT"
    m.meta.exposure.type = "MIR_MRS"
    m.meta.telescope = "JWST"
    m.meta.wcsinfo.dispersion_direction = 1 if horizontal else 2
    m.save(f"{name}_cal.fits")
    os.system(f"gzip -9nf {name}_cal.fits")


def main():
    exposure("a", 1, False)
    exposure("b", 2, True, flat=False)
    exposure("c", 3, False, trace=True)
    exposure("d", 4, False, flat=False, faint=True)
    cases = {
        "mingrad": ("a", {}),
        "profile": ("a", {"algorithm": "fit_profile"}),
        "narrow": ("d", {"algorithm": "fit_profile", "n_adjacent_cols": 1}),
        "rows": ("b", {"algorithm": "fit_profile", "n_adjacent_cols": 5}),
        "trace": ("c", {"algorithm": "trace_model"}),
    }
    for case, (name, pars) in cases.items():
        result = PixelReplaceStep.call(f"{name}_cal.fits.gz", skip=False, **pars)
        result.save("out.fits")
        with fits.open("out.fits") as h:
            keep = [fits.PrimaryHDU()] + [fits.ImageHDU(h[n].data.astype("i4") if n == "DQ" else h[n].data, name=n)
                                          for n in ARRAYS if n in h]
            fits.HDUList(keep).writeto(f"{case}.fits.gz", overwrite=True)
        os.remove("out.fits")
        with open(f"{case}.toml", "w") as f:
            f.write(f'exposure = "{name}"\n\n[params]\n')
            for key, value in pars.items():
                f.write(f"{key} = {repr(value)}\n")


if __name__ == "__main__":
    main()
