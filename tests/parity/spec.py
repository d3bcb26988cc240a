"""Compare sifu's spec2 and spec3 with the Python pipeline's, step by step and end to end.

Stage 2: for every exposure each step is run alone (``sifu step``) on Python's own input of that step; then
``sifu spec2`` on Python's ``_rate`` and its ``_cal``, ``_s3d`` and ``_x1d`` compared with Python's. Stage 3: ``sifu spec3``
on the association Python was given. Prints a table and exits with 1 where a requirement is missed: SCI, ERR and variances
within 1e-4 in >= 99.9 % of pixels, flags equal in >= 99.9 %; cubes of the same shape and WCS, SCI and WMAP within 1e-4 in
>= 99.9 % of voxels with weight; spectra within 1e-4; status and reference keywords equal.

Usage: ``python spec.py --sifu target/release/sifu --crds CACHE --run RUN [--stages 23]``
where RUN holds ``stage1/*_rate.fits``, ``stage2/<root>_<step>.fits`` and ``*spec3_asn.json`` with the products of each in
``stage3/<name>`` (the name being the last part of the association's before ``_spec3_asn``), or in ``stage3``. Needs numpy and
astropy.
"""

import argparse
import glob
import os
import sys
import tempfile

import numpy as np
from astropy.io import fits
from compare import MADE, Sifu, header_differences, image, ulps, within

ORDER = (
    "assign_wcs badpix_selfcal msa_flagging clean_flicker_noise imprint_subtract bkg_subtract srctype straylight flat_field fringe "
    "pathloss photom residual_fringe adaptive_trace_model pixel_replace"
).split()


def headers(python, ours):
    """Keywords of the primary and first extension that differ."""
    bad = []
    with fits.open(python) as h1, fits.open(ours) as h2:
        for i in (0, 1):
            for line in header_differences(h1[i].header, h2[i].header, MADE):
                bad.append(f"header {i}: {line}")
    return bad


def cube(python, ours):
    """Compare two cubes: (row, failures)."""
    row, bad = {"same": 1.0, "within": 1.0, "worst": 0.0, "dq": 1.0}, []
    with fits.open(python) as h1, fits.open(ours) as h2:
        layout = [[h.name for h in x] for x in (h1, h2)]
        if layout[0] != layout[1]:
            bad.append(f"HDUs {layout[1]}, not {layout[0]}")
        if h1["SCI"].shape != h2["SCI"].shape:
            return row, [f"shape {h2['SCI'].shape}, not {h1['SCI'].shape}"]
        weight = h1["WMAP"].data > 0
        for name in ("SCI", "ERR", "WMAP"):
            a, b = h1[name].data, h2[name].data
            share, worst = within(a, b, 1e-4, weight)
            row["same"] = min(row["same"], float(np.mean(ulps(a, b) == 0)))
            row["within"], row["worst"] = min(row["within"], share), max(row["worst"], worst)
        row["dq"] = float(np.mean(h1["DQ"].data == h2["DQ"].data))
        if "WCS-TABLE" in h1 and not np.array_equal(h1["WCS-TABLE"].data["wavelength"], h2["WCS-TABLE"].data["wavelength"]):
            bad.append("other wavelengths")
        if "HDRTAB" in h1 and "HDRTAB" in h2:
            a, b = h1["HDRTAB"].data, h2["HDRTAB"].data
            if len(a) != len(b) or a.names != b.names:
                bad.append(f"HDRTAB has {len(b)} rows of {len(b.names)}, not {len(a)} of {len(a.names)}")
    for key in ("within", "dq"):
        if row[key] < 0.999:
            bad.append(f"{key} only {row[key]:.6f}")
    return row, bad


def spectrum(python, ours):
    """Compare two spectra: (row, failures)."""
    row, bad = {"same": 1.0, "within": 1.0, "worst": 0.0, "dq": 1.0}, []
    with fits.open(python) as h1, fits.open(ours) as h2:
        layout = [[h.name for h in x] for x in (h1, h2)]
        if layout[0] != layout[1]:
            bad.append(f"HDUs {layout[1]}, not {layout[0]}")
        for one, two in zip(h1[1:], h2[1:], strict=False):
            if one.name != "EXTRACT1D":
                continue
            if one.columns.names != two.columns.names or one.columns.formats != two.columns.formats:
                bad.append(f"columns {two.columns.names} {two.columns.formats}, not {one.columns.names} {one.columns.formats}")
                continue
            for name in one.columns.names:
                a, b = one.data[name], two.data[name]
                if a.shape != b.shape:
                    bad.append(f"{name}: {b.shape}, not {a.shape}")
                    continue
                if a.dtype.kind not in "fiu":
                    continue
                share, worst = within(a, b, 1e-4)
                exact = np.mean((a == b) | ((a != a) & (b != b)))
                row["same"], row["within"] = min(row["same"], float(exact)), min(row["within"], share)
                row["worst"] = max(row["worst"], worst)
                if share < 1:
                    bad.append(f"{name}: within 1e-4 only in {share:.6f}, worst {worst:.1e}")
    return row, bad


def own_name(root, suffix, python):
    """Sifu's name of a stage-2 product: where there is a cube for each channel the channel is in its name.

    Python numbers such spectra (``_0_x1d``) and writes the first cube only (``_s3d``). NIRSpec has one cube an exposure.
    """
    with fits.open(python) as h:
        if "CHANNEL" not in h[0].header:
            return f"{root}_{suffix}.fits"
        channel, band = h[0].header["CHANNEL"], h[0].header["BAND"].lower()
    return f"{root}_ch{channel}-{band}_{suffix}.fits" if len(channel) == 1 else f"{root}_{suffix}.fits"


def main():
    """Command line entry."""
    par = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    par.add_argument("--sifu", default="target/release/sifu")
    par.add_argument("--crds", required=True)
    par.add_argument("--context", default="jwst_9001.pmap")
    par.add_argument("--run", required=True)
    par.add_argument("--stages", default="23")
    par.add_argument("--background", nargs="*", default=[], help="rates of the background of stage2/bg")
    par.add_argument("--set", action="append", default=[], help="parameter as sifu takes it (Python must have had it too)")
    par.add_argument("--set2", action="append", default=[], help="the same for spec2 only")
    args = par.parse_args()
    common = ["-q", "--crds", args.crds, "--context", args.context] + [x for s in args.set for x in ("--set", s)]
    failures, lines = [], 0
    sifu = Sifu(args.sifu, common, failures)
    compare = {"s3d": cube, "x1d": spectrum}

    def report(label, what, python, ours):
        nonlocal lines
        if not os.path.exists(ours):
            failures.append(f"{label} {what}: {os.path.basename(ours)} was not made")
            return
        row, bad = compare.get(what, image)(python, ours)
        # a step alone does not know of the statuses that the recipe gives to other steps
        bad += [b for b in headers(python, ours) if what in compare or what in ("cal", "crf") or ": S_" not in b]
        lines += 1
        print(f"{label:<46}{what:<22}{row['same']:>10.6f}{row['within']:>10.6f}{row['worst']:>9.1e}{row['dq']:>10.6f}"
              f"  {'ok' if not bad else f'{len(bad)} differences'}", flush=True)  # fmt: skip
        failures.extend(f"{label} {what}: {b}" for b in bad)

    print(f"{'product':<46}{'':<22}{'same bits':>10}{'<= 1e-4':>10}{'worst':>9}{'DQ equal':>10}")
    with tempfile.TemporaryDirectory() as tmp:
        if "2" in args.stages:
            folder = os.path.join(args.run, "stage2", "bg") if args.background else os.path.join(args.run, "stage2")
            for rate in sorted(glob.glob(os.path.join(args.run, "stage1", "*_rate.fits"))):
                root = os.path.basename(rate)[: -len("_rate.fits")]
                before = rate
                for step in ORDER:
                    python = os.path.join(folder, f"{root}_{step}.fits")
                    if step == "bkg_subtract" and not os.path.exists(python):
                        python = os.path.join(folder, f"{root}_bsub.fits")
                    if not os.path.exists(python):
                        continue
                    extra = ["--background", *args.background] if step == "bkg_subtract" else []
                    sets = [x for s in args.set2 if s.startswith(step + ".") for x in ("--set", s)]
                    if sifu("step", step, before, *extra, "-o", tmp, *sets):
                        ours = os.path.join(tmp, f"{root}_{step}.fits")
                        report(root, step, python, ours)
                        os.remove(ours)
                    before = python
                sets = [x for s in args.set2 for x in ("--set", s)]
                background = ["--background", *args.background] if args.background else []
                # the association Python was given, where it is there
                asn = os.path.join(args.run, f"{root}{'_bg' if args.background else ''}_spec2_asn.json")
                given = [asn] if os.path.exists(asn) else [rate, *background]
                if sifu("spec2", *given, "-o", tmp, *sets):
                    report(root, "cal", os.path.join(folder, f"{root}_cal.fits"), os.path.join(tmp, f"{root}_cal.fits"))
                    for suffix in ("s3d", "x1d"):
                        for python in sorted(glob.glob(os.path.join(folder, f"{root}*_{suffix}.fits"))):
                            name = own_name(root, suffix, python)
                            report(name[: -len(f"_{suffix}.fits")], suffix, python, os.path.join(tmp, name))
        if "3" in args.stages:
            for asn in sorted(glob.glob(os.path.join(args.run, "*spec3_asn.json"))):
                name = os.path.basename(asn)[: -len("spec3_asn.json")].rstrip("_")
                folder = os.path.join(args.run, "stage3", name.split("SHORT_")[-1].split("MEDIUM_")[-1].split("LONG_")[-1])
                folder = folder if os.path.isdir(folder) else os.path.join(args.run, "stage3")
                with tempfile.TemporaryDirectory() as out:
                    if not sifu("spec3", asn, "-o", out):
                        continue
                    for ours in sorted(glob.glob(os.path.join(out, "*.fits"))):
                        python = os.path.join(folder, os.path.basename(ours))
                        what = ours.rsplit("_", 1)[1][: -len(".fits")]
                        if os.path.exists(python):
                            report(f"{name} {os.path.basename(ours)}"[:45], what, python, ours)
                        else:
                            failures.append(f"{name}: Python has no {os.path.basename(ours)}")
    for line in failures:
        print("DIFFERS", line)
    print(f"{lines} products compared, {len(failures)} differences")
    return 1 if failures or not lines else 0


if __name__ == "__main__":
    sys.exit(main())
