"""Compare sifu's detector1 with the Python pipeline's, step by step and end to end.

For every exposure each step is run alone (``sifu step``) on Python's own input of that step and its
product compared with Python's; then ``sifu detector1`` is run on the ``_uncal`` file and its ``_rate``
and ``_rateints`` compared. Prints a table and exits with 1 where a requirement is missed:

* each step: DQ identical in >= 99.99 % of pixels, values within 2 float32 ulp in >= 99.99 %;
* end to end: the same flags and NaN masks in >= 99.99 %, |difference| <= max(1e-5 |value|, 2e-3 ERR).

Usage: ``python detector1.py --sifu target/release/sifu --crds CACHE --data DIR --python RUN/stage1 [--set k=v]``
where DIR holds ``*_uncal.fits`` and RUN/stage1 the Python pipeline's products of every step
(``<root>_<step>.fits``), made with ``save_results`` on for every step. Needs numpy and astropy.
"""

import argparse
import glob
import json
import os
import sys
import tempfile

import numpy as np
from astropy.io import fits
from compare import Sifu, close, ulps

LAST = "charge_migration jump picture_frame clean_flicker_noise persistence ramp_fit"
MIRI = f"group_scale dq_init emicorr saturation ipc firstframe lastframe reset linearity rscd dark_current refpix {LAST}".split()
NIR = f"group_scale dq_init saturation ipc superbias refpix linearity dark_current {LAST}".split()
ARRAYS = ("SCI", "ERR", "VAR_POISSON", "VAR_RNOISE", "AVDRKCUR")
FLAGS = ("PIXELDQ", "GROUPDQ", "DQ")


def keywords(a, b):
    """Status and reference keywords that differ."""
    keys = [k for k in a if k.startswith(("S_", "R_")) or k in ("NINTS", "NGROUPS", "BUNIT", "GAINFACT", "PRIMECRS", "EXTNCRS")]
    keys += [k for k in a if k.startswith(("INT1", "INT2"))]
    return [f"{k}: {a[k]!r} != {b.get(k)!r}" for k in keys if k not in b or not close(a[k], b[k])]


def compare_step(before, python, ours, checks):
    """One line of the table for a step."""
    row = {"changed": 0, "bits": 0, "worst_ulp": 0, "within": 1.0, "dq": 1.0}
    with fits.open(before) as h0, fits.open(python) as h1, fits.open(ours) as h2:
        for name in ARRAYS:
            if name in h1 and h1[name].data is not None:
                a, b = h1[name].data, h2[name].data
                d = ulps(a, b)
                row["within"] = min(row["within"], float(np.mean(d <= 2)))
                row["worst_ulp"] = max(row["worst_ulp"], int(d.max()))
                if name in h0 and h0[name].shape == a.shape:
                    row["changed"] += int(np.sum(~((h0[name].data == a) | (np.isnan(h0[name].data) & np.isnan(a)))))
                else:
                    row["changed"] += int(a.size)
        for name in FLAGS:
            if name in h1 and h1[name].data is not None:
                a, b = h1[name].data, h2[name].data
                row["dq"] = min(row["dq"], float(np.mean(a == b)))
                old = h0[name].data if name in h0 and h0[name].shape == a.shape else np.zeros_like(a)
                row["bits"] += int(sum(np.sum(((a ^ old) >> k) & 1 != 0) for k in range(8 * a.dtype.itemsize)))
        bad = keywords(dict(h1[0].header), dict(h2[0].header)) if checks else []
    return row, bad


def compare_rate(python, ours):
    """Failures of an end-to-end product."""
    bad, worst = [], 0.0
    with fits.open(python) as h1, fits.open(ours) as h2:
        if [h.name for h in h1] != [h.name for h in h2]:
            bad.append(f"HDUs {[h.name for h in h1]} != {[h.name for h in h2]}")
        err = h1["ERR"].data
        for name in ("SCI", "ERR", "VAR_POISSON", "VAR_RNOISE"):
            a, b = h1[name].data.astype("f8"), h2[name].data.astype("f8")
            nan = float(np.mean(np.isnan(a) == np.isnan(b)))
            if nan < 0.9999:
                bad.append(f"{name}: NaN masks agree in {nan:.6f}")
            good = np.isfinite(a) & np.isfinite(b)
            diff = np.abs(a - b)[good]
            limit = np.maximum(1e-5 * np.abs(a[good]), 2e-3 * err[good] if name == "SCI" else 0)
            inside = float(np.mean(diff <= limit)) if diff.size else 1.0
            worst = max(worst, float(np.max(diff / np.maximum(np.abs(a[good]), 1e-30), initial=0)))
            if inside < 0.9999:
                bad.append(f"{name}: {inside:.6f} within tolerance")
        same = float(np.mean(h1["DQ"].data == h2["DQ"].data))
        if same < 0.9999:
            bad.append(f"DQ: equal in {same:.6f}")
        bad += keywords(dict(h1[0].header), dict(h2[0].header))
    return bad, worst, same


def main():
    """Command line entry."""
    par = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    par.add_argument("--sifu", default="target/release/sifu")
    par.add_argument("--crds", required=True)
    par.add_argument("--context", default="jwst_9001.pmap")
    par.add_argument("--data", required=True)
    par.add_argument("--python", required=True)
    par.add_argument("--set", action="append", default=[], help="parameter as sifu takes it (Python must have had it too)")
    par.add_argument("--json")
    args = par.parse_args()
    common = ["-q", "--crds", args.crds, "--context", args.context] + [x for s in args.set for x in ("--set", s)]
    failures, table = [], []

    sifu = Sifu(args.sifu, common, failures)
    uncals = sorted(glob.glob(os.path.join(args.data, "*_uncal.fits")))
    if not uncals:
        sys.exit(f"no *_uncal.fits in {args.data}")
    print(f"{'exposure':<44}{'step':<18}{'changed':>10}{'bits':>9}{'<=2ulp':>9}{'worst':>7}{'DQ equal':>10}")
    with tempfile.TemporaryDirectory() as tmp:
        for uncal in uncals:
            root = os.path.basename(uncal)[: -len("_uncal.fits")]
            before = uncal
            for step in MIRI if "_mirifu" in root else NIR:
                python = os.path.join(args.python, f"{root}_{step}.fits")
                if not os.path.exists(python):
                    continue
                if not sifu("step", step, before, "-o", tmp):
                    before = python
                    continue
                ours = os.path.join(tmp, f"{root}_{step}.fits")
                row, bad = compare_step(before, python, ours, checks=False)
                table.append({"root": root, "step": step, **row})
                print(f"{root:<44}{step:<18}{row['changed']:>10}{row['bits']:>9}{row['within']:>9.5f}{row['worst_ulp']:>7}{row['dq']:>10.6f}")
                if row["within"] < 0.9999 or row["dq"] < 0.9999:
                    failures.append(f"{root} {step}: within {row['within']:.6f}, DQ {row['dq']:.6f}")
                failures += [f"{root} {step}: {b}" for b in bad]
                before = python
                os.remove(ours)
            if not sifu("detector1", uncal, "-o", tmp):
                continue
            for suffix in ("rate", "rateints"):
                python = os.path.join(args.python, f"{root}_{suffix}.fits")
                bad, worst, same = compare_rate(python, os.path.join(tmp, f"{root}_{suffix}.fits"))
                print(f"{root:<44}{suffix:<18}{'':>10}{'':>9}{'':>9}{worst:>7.0e}{same:>10.6f} {'ok' if not bad else 'FAILED'}")
                failures += [f"{root} {suffix}: {b}" for b in bad]
    if args.json:
        with open(args.json, "w", encoding="utf-8") as out:
            json.dump({"steps": table, "failures": failures}, out, indent=1)
    for line in failures:
        print("FAILED", line)
    print(f"{len(table)} steps compared, {len(failures)} failures")
    return 1 if failures or not table else 0


if __name__ == "__main__":
    sys.exit(main())
