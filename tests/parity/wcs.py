"""Compares the WCS of products of sifu with those of the Python pipeline, as Python evaluates both.

Usage, with jwst 3.0.0 installed:
    python wcs.py OURS THEIRS [OURS THEIRS ...]

Files are exposures behind assign_wcs, or cubes. Frames and bounding boxes must be the same; coordinates may differ in the last
bits (1e-9 arcsec on the sky, nothing in slice coordinates and wavelength).
"""

import sys
import warnings

import numpy as np
from stdatamodels.jwst import datamodels


def coordinates(model, frame):
    grid = np.indices(model.data.shape)[::-1]
    if model.data.ndim == 3:
        grid = [c[::11] for c in grid]
    # values without units, whatever the frames say
    return model.meta.wcs.get_transform(model.meta.wcs.available_frames[0], frame)(*grid)


def compare(ours, theirs):
    bad = []
    a, b = datamodels.open(ours), datamodels.open(theirs)
    frames = b.meta.wcs.available_frames
    if a.meta.wcs.available_frames != frames:
        bad.append(f"frames {a.meta.wcs.available_frames}, not {frames}")
    elif a.meta.wcs.bounding_box != b.meta.wcs.bounding_box:
        bad.append(f"bounding box {a.meta.wcs.bounding_box}, not {b.meta.wcs.bounding_box}")
    else:
        for frame in frames[1:]:
            for axis, (p, q) in enumerate(zip(coordinates(a, frame), coordinates(b, frame))):
                if not np.array_equal(np.isnan(p), np.isnan(q)):
                    bad.append(f"{frame}, axis {axis}: not the same points have coordinates")
                    continue
                off = np.nanmax(np.abs(p - q))
                sky = axis < 2 and frame in ("world", "moving_target")
                if off > (2.8e-13 if sky else 0):
                    bad.append(f"{frame}, axis {axis}: off by {off:g}")
    if a.meta.wcsinfo.s_region != b.meta.wcsinfo.s_region:
        bad.append(f"S_REGION {a.meta.wcsinfo.s_region}, not {b.meta.wcsinfo.s_region}")
    return bad


def main():
    warnings.simplefilter("ignore")
    files = sys.argv[1:]
    if not files or len(files) % 2:
        sys.exit(__doc__)
    failed = False
    for ours, theirs in zip(files[::2], files[1::2]):
        bad = compare(ours, theirs)
        failed |= bool(bad)
        print("FAIL" if bad else "ok  ", ours, *bad, sep="\n     " if bad else " ")
    sys.exit(failed)


main()
