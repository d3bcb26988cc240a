"""Makes the golden cases of adaptive_trace_model: small exposures, and what jwst 3.0.0 makes of them.

Run in this folder with jwst 3.0.0 installed. An exposure holds two slices that lie aslant on the detector: one
with a point source, one without; its WCS is a selector of straight transforms, like that of the MIRI MRS. In
"below" the mean is negative. Each case is a TOML file with exposure and parameters and the result's arrays
(<case>.fits.gz), of one case also the intermediate results.
"""

import functools
import glob
import os

import gwcs
import numpy as np
from astropy import coordinates as coord
from astropy import units as u
from astropy.io import fits
from astropy.modeling.models import Const1D, Identity, Mapping, Polynomial2D, Shift
from gwcs import coordinate_frames as cf
from gwcs.selector import LabelMapperArray, RegionsSelector
from stdatamodels.jwst import datamodels

from jwst.adaptive_trace_model import AdaptiveTraceModelStep

# numpy leaves equal alphas in an order that depends on the processor, and with it the last bits of the splines
np.argsort = functools.partial(np.argsort, kind="stable")

NY, NX = 112, 50
TILT = 0.031


def wcs(regions):
    def slice_(centre, beta):
        alpha = Polynomial2D(1, c0_0=-0.2 * centre, c1_0=0.2, c0_1=-0.2 * TILT)
        lam = Polynomial2D(1, c0_0=5.0, c0_1=0.001, c1_0=1e-5)
        return Mapping((0, 1, 0, 0, 1)) | alpha & Const1D(beta) & lam

    selector = {101: slice_(10.3, -0.2), 102: slice_(34.3, 0.2)}
    det2ab = RegionsSelector(inputs=("x", "y"), outputs=("alpha", "beta", "lam"),
                             label_mapper=LabelMapperArray(regions, inputs=("x", "y")), selector=selector)
    detector = cf.Frame2D(name="detector", axes_order=(0, 1), unit=(u.pix, u.pix))
    plane = cf.Frame2D(name="alpha_beta_spatial", axes_order=(0, 1), unit=(u.arcsec, u.arcsec), axes_names=("alpha", "beta"))
    wave = cf.SpectralFrame(name="wave", axes_order=(2,), unit=(u.micron,), axes_names=("lambda",))
    local = cf.CompositeFrame([plane, wave], name="alpha_beta")
    sky = cf.CelestialFrame(name="icrs", axes_order=(0, 1), reference_frame=coord.ICRS(), unit=(u.deg, u.deg))
    world = cf.CompositeFrame([sky, wave], name="world")
    out = gwcs.WCS([(detector, det2ab), (local, Shift(150.0) & Shift(2.0) & Identity(1)), (world, None)])
    out.bounding_box = ((-0.5, NX - 0.5), (-0.5, NY - 0.5))
    return out


def exposure(name, seed, level, offset):
    r = np.random.default_rng(seed)
    y, x = np.mgrid[:NY, :NX]
    regions = np.zeros((NY, NX), "i2")
    selector = {}
    for label, centre in ((101, 10.3), (102, 34.3)):
        from_centre = x - centre - TILT * y
        regions[np.abs(from_centre) < 10.4] = label
        selector[label] = from_centre
    sci = r.normal(0, 0.5, (NY, NX)) + offset
    sci += np.where(regions == 101, level * (1 + 0.2 * np.sin(y / 9)) * np.exp(-((selector[101] - 1.3) ** 2) / 1.7), 0)
    sci += np.where(regions == 102, 3 + selector[102] / 8, 0)
    err = np.full((NY, NX), 0.5)
    bad = r.random((NY, NX)) > 0.98
    bad[60:62, 10:16] = True
    bad[30, :] = True
    sci[bad] = np.nan
    err[bad] = np.nan
    sci[r.random((NY, NX)) > 0.995] += 50
    m = datamodels.IFUImageModel(data=np.round(sci, 3).astype("f4"), err=err.astype("f4"))
    m.dq = np.where(bad, 1, np.where(regions == 0, 513, 0)).astype("u4")
    m.var_poisson = (0.8 * err**2).astype("f4")
    m.var_rnoise = (0.2 * err**2).astype("f4")
    m.var_flat = (0.01 * err**2).astype("f4")
    m.meta.instrument.name = "MIRI"
    m.meta.instrument.detector = "MIRIFUSHORT"
    m.meta.exposure.type = "MIR_MRS"
    m.meta.telescope = "JWST"
    m.meta.bunit_data = "MJy/sr"
    m.meta.photometry.pixelarea_arcsecsq = 0.04
    m.meta.wcsinfo.dispersion_direction = 2
    m.meta.wcs = wcs(regions)
    m.save(f"{name}_cal.fits")
    os.system(f"gzip -9nf {name}_cal.fits")


def main():
    exposure("source", 1, 400, 0)
    exposure("below", 2, 90, -30)
    cases = {
        "defaults": ("source", {"fit_threshold": 2.0}),
        "twice": ("source", {"fit_threshold": 2.0, "oversample": 2.0, "save_intermediate_results": True}),
        "optimal": ("source", {"psf_optimal": True, "oversample": 1.5}),
        "below": ("below", {"fit_threshold": 1.0, "slope_limit": 0.02}),
        "all": ("below", {"fit_threshold": -1.0, "slope_limit": 0.0, "oversample": 2.0}),
    }
    for case, (name, pars) in cases.items():
        result = AdaptiveTraceModelStep.call(f"{name}_cal.fits.gz", skip=False, **pars)
        assert result.meta.cal_step.adaptive_trace_model == "COMPLETE"
        result.save("out.fits")
        names = ["SCI", "ERR", "DQ", "TRACEMODEL", "VAR_POISSON", "REGIONS", "WAVELENGTH"]
        if case != "twice":
            names = ["TRACEMODEL"] if pars.get("oversample", 1) == 1 else ["SCI", "DQ"]
        with fits.open("out.fits") as h:
            keep = [fits.PrimaryHDU()] + [fits.ImageHDU(h[n].data.astype("i4") if n == "DQ" else h[n].data, name=n)
                                          for n in names]
            print(case, {k.name: (k.shape, int(np.isfinite(k.data).sum())) for k in keep[1:]})
            fits.HDUList(keep).writeto(f"{case}.fits.gz", overwrite=True)
        os.remove("out.fits")
        with open(f"{case}.toml", "w") as f:
            f.write(f'exposure = "{name}"\n\n[params]\n')
            for key, value in pars.items():
                f.write(f"{key} = {str(value).lower() if isinstance(value, bool) else repr(value)}\n")
    for path in glob.glob("source_*_*.fits"):
        suffix = path.split("_", 2)[2].removesuffix(".fits")
        with fits.open(path) as h:
            print(suffix, int(np.isfinite(h["SCI"].data).sum()))
            if suffix != "spline_used":
                fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(h["SCI"].data, name="SCI")]).writeto(
                    f"twice_{suffix}.fits.gz", overwrite=True)
        os.remove(path)


if __name__ == "__main__":
    main()
