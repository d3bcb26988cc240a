"""Compare clean_flicker_noise and picture_frame with the Python pipeline's, on whole exposures of the NIRSpec IFU.

Each file given (ramps behind jump, `_rate`, `_rateints` or a product of a step of calwebb_spec2) is cleaned by both with each setting.
Prints how many values are the same bits, the largest difference over the standard deviation of what Python removed, and whether the
masks are equal; exits with 1 where a requirement is missed (medians and picture frames: the same bits; fft: within 1e-2 of that standard
deviation everywhere and 1e-4 in 99.9 %; masks: equal).

Usage: ``python flicker.py --sifu target/release/sifu --crds CACHE FILE...`` in an environment with jwst 3.0.0.
"""

import argparse
import glob
import logging
import os
import sys
import tempfile
import time

import numpy as np
from astropy.io import fits
from compare import Sifu

SETTINGS = {
    "median": ("clean_flicker_noise", {}),
    "science regions, channels": ("clean_flicker_noise", {"mask_science_regions": True, "fit_by_channel": True}),
    "histogram": ("clean_flicker_noise", {"mask_science_regions": True, "fit_histogram": True}),
    "each integration": ("clean_flicker_noise", {"mask_science_regions": True, "single_mask": False}),
    "median image": ("clean_flicker_noise", {"background_method": "median_image"}),
    "no background": ("clean_flicker_noise", {"background_method": "none", "n_sigma": 3.0}),
    "model": ("clean_flicker_noise", {"background_method": "model"}),
    "model, large boxes": ("clean_flicker_noise", {"background_method": "model", "background_box_size": [64, 100], "n_sigma": 3.0}),
    "model, science regions": ("clean_flicker_noise", {"background_method": "model", "mask_science_regions": True}),
    "flat with holes": ("clean_flicker_noise", {"apply_flat_field": True}),
    "flat with holes, model": ("clean_flicker_noise", {"apply_flat_field": True, "background_method": "model"}),
    "fft": ("clean_flicker_noise", {"fit_method": "fft"}),
    "fft, science regions": ("clean_flicker_noise", {"fit_method": "fft", "mask_science_regions": True}),
    "picture frame": ("picture_frame", {}),
    "picture frame, no regions": ("picture_frame", {"mask_science_regions": False, "n_sigma": 3.0}),
}


def theirs(name, params, path, folder, flat):
    """Values, status and mask of the Python pipeline."""
    from jwst.clean_flicker_noise import CleanFlickerNoiseStep
    from jwst.picture_frame import PictureFrameStep

    step = (CleanFlickerNoiseStep if name == "clean_flicker_noise" else PictureFrameStep)()
    step.skip, step.save_mask, step.output_dir = False, True, folder
    for key, value in params.items():
        setattr(step, key, None if value == "none" else value)
    if "apply_flat_field" in params:
        step.override_flat = flat
    out = step.run(path)
    return np.array(out.data), getattr(out.meta.cal_step, name), mask_in(folder)


def flat_with_holes(path):
    """Writes a full-frame flat field for NIRSpec with single pixels and patches of 0, NaN and infinity (CRDS has none for the IFU)."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:2048, :2048]
    flat = 1 + 0.05 * np.sin(y / 300) * np.cos(x / 200) + rng.normal(0, 0.02, y.shape)
    flat[rng.random(flat.shape) < 3e-3] = 0
    flat[rng.random(flat.shape) < 1e-3] = np.nan
    flat[900:1130] = np.nan
    flat[np.hypot(y - 300, x - 1500) < 150] = 0
    flat[5, 7] = np.inf
    head = dict(TELESCOP="JWST", INSTRUME="NIRSPEC", REFTYPE="FLAT", SUBARRAY="FULL", SUBSTRT1=1, SUBSTRT2=1, SUBSIZE1=2048,
                SUBSIZE2=2048, FASTAXIS=2, SLOWAXIS=1, AUTHOR="test", PEDIGREE="DUMMY", DESCRIP="test", USEAFTER="2020-01-01T00:00:00")  # fmt: skip
    hdu = fits.PrimaryHDU()
    hdu.header.update(head)
    fits.HDUList([hdu, fits.ImageHDU(flat.astype("f4"), name="SCI")]).writeto(path)


def mask_in(folder):
    """The mask that was saved, none where there is none."""
    found = glob.glob(os.path.join(folder, "*mask.fits"))
    return fits.getdata(found[0]) != 0 if found else None


def main():
    """Command line entry."""
    par = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    par.add_argument("--sifu", default="target/release/sifu")
    par.add_argument("--crds", required=True)
    par.add_argument("--context", default="jwst_9001.pmap")
    par.add_argument("--settings", nargs="*", default=list(SETTINGS), choices=list(SETTINGS))
    par.add_argument("files", nargs="+")
    args = par.parse_args()
    os.environ.update(CRDS_PATH=args.crds, CRDS_CONTEXT=args.context)
    logging.disable(logging.CRITICAL)
    failures, times = [], {"python": 0.0, "sifu": 0.0}
    sifu = Sifu(args.sifu, ["-q", "--crds", args.crds, "--context", args.context], failures)
    print(f"{'file':<42}{'setting':<28}{'status':<10}{'same bits':>10}{'99.9 %':>9}{'worst':>9}  mask")
    scratch = tempfile.TemporaryDirectory()
    flat = os.path.join(scratch.name, "flat.fits")
    flat_with_holes(flat)
    for path in args.files:
        for setting in args.settings:
            name, params = SETTINGS[setting]
            with tempfile.TemporaryDirectory() as tmp:
                python, own = os.path.join(tmp, "python"), os.path.join(tmp, "sifu")
                os.mkdir(python)
                start = time.perf_counter()
                values, status, mask = theirs(name, params, path, python, flat)
                times["python"] += time.perf_counter() - start
                start = time.perf_counter()
                given = {**params, "save_mask": True}
                sets = [f"{name}.{k}={str(v).lower()}" for k, v in given.items()]
                over = ["--override", f"flat={flat}"] if "apply_flat_field" in params else []
                if not sifu("step", name, path, "-o", own, *over, *(x for s in sets for x in ("--set", s))):
                    continue
                times["sifu"] += time.perf_counter() - start
                (product,) = glob.glob(os.path.join(own, f"*_{name}.fits"))
                ours = fits.getdata(product, "SCI")
                said = fits.getval(product, "S_CLNFNS" if name == "clean_flicker_noise" else "S_PCTFRM")
                same = (ours == values) | (np.isnan(ours) & np.isnan(values))
                with np.errstate(all="ignore"):
                    noise = np.nanstd(values - fits.getdata(path, "SCI")) or 1.0
                    far = np.abs(ours - values) / noise
                worst = np.nanmax(far) if np.isfinite(far).any() else 0.0
                most = np.nanpercentile(far, 99.9) if np.isfinite(far).any() else 0.0
                masks = (mask is None and mask_in(own) is None) or (mask is not None and np.array_equal(mask, mask_in(own)))
                close = worst <= 1e-2 and most <= 1e-4 if "fft" in setting else same.all()
                if not (close and masks and said == status and np.array_equal(np.isnan(ours), np.isnan(values))):
                    failures.append(f"{path}, {setting}")
                print(f"{os.path.basename(path):<42}{setting:<28}{status:<10}{same.mean():>10.6f}{most:>9.1e}{worst:>9.1e}  "
                      f"{'equal' if masks else 'differs'}", flush=True)  # fmt: skip
    print(f"Python {times['python']:.0f} s, sifu {times['sifu']:.0f} s (with reading, writing and other work on the machine)")
    for failure in failures:
        print("MISSED", failure)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
