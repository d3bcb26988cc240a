"""Compares the WCS of products of sifu with those of the Python pipeline, as Python evaluates both.

Usage, with jwst 3.0.0 installed:
    python wcs.py OURS THEIRS [OURS THEIRS ...]

Files are exposures behind assign_wcs, or cubes. Frames and bounding boxes must be the same; coordinates may differ in the last
bits (1e-9 arcsec on the sky, nothing in slice coordinates and wavelength). Exposures of the NIRSpec IFU, in either form, are compared slice
by slice within the slices' bounds, as the later steps of the pipeline evaluate them (1e-9 arcsec, 1e-15 m on the slicer and 1e-9 micron).
"""

import sys
import warnings

import numpy as np
from gwcs.wcstools import grid_from_bounding_box
from jwst.assign_wcs.nirspec import nrs_ifu_wcs
from stdatamodels.jwst import datamodels


def coordinates(model, frame):
    grid = np.indices(model.data.shape)[::-1]
    if model.data.ndim == 3:
        grid = [c[::11] for c in grid]
    # values without units, whatever the frames say
    return model.meta.wcs.get_transform(model.meta.wcs.available_frames[0], frame)(*grid)


def compare_slices(a, b):
    """Differences of two exposures of the NIRSpec IFU."""
    bad, worst = [], {}
    for k, (p, q) in enumerate(zip(nrs_ifu_wcs(a), nrs_ifu_wcs(b))):
        boxes = [[tuple(axis) for axis in w.bounding_box] for w in (p, q)]
        if not np.allclose(*boxes, rtol=0, atol=1e-9):
            bad.append(f"slice {k}: bounding box {boxes[0]}, not {boxes[1]}")
            continue
        x, y = grid_from_bounding_box(q.bounding_box)
        for frame, limits in (("slicer", (1e-15, 1e-15, 1e-15)), (q.output_frame.name, (2.8e-13, 2.8e-13, 1e-9))):
            values = [w.transform(w.available_frames[0], frame, x, y) for w in (p, q)]
            for axis, (one, two, limit) in enumerate(zip(*values, limits)):
                if not np.array_equal(np.isnan(one), np.isnan(two)):
                    bad.append(f"slice {k}, {frame}, axis {axis}: not the same points have coordinates")
                    continue
                off = np.nanmax(np.abs(one - two))
                worst[frame, axis] = max(worst.get((frame, axis), 0), off)
                if off > limit:
                    bad.append(f"slice {k}, {frame}, axis {axis}: off by {off:g}")
    print("     worst:", ", ".join(f"{frame} {axis}: {off:.1e}" for (frame, axis), off in worst.items()))
    return bad


def compare(ours, theirs):
    bad = []
    a, b = datamodels.open(ours), datamodels.open(theirs)
    frames = b.meta.wcs.available_frames
    if a.meta.wcs.available_frames != frames:
        bad.append(f"frames {a.meta.wcs.available_frames}, not {frames}")
    elif "slicer" in frames:
        bad += compare_slices(a, b)
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
