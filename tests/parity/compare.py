"""Comparing FITS products value by value: shared by the parity programs here. Needs numpy and astropy."""

import subprocess

import numpy as np
from astropy.io import fits


def ulps(a, b):
    """Distance in units in the last place of float32, NaN equal to NaN."""
    a, b = np.asarray(a, "f4"), np.asarray(b, "f4")
    both = np.isnan(a) & np.isnan(b)
    i, j = (np.where(x.view("i4") < 0, np.int64(-(2**31)) - x.view("i4"), x.view("i4").astype("i8")) for x in (a, b))
    out = np.abs(i - j)
    out[both] = 0
    return out


def close(x, y, relative=1e-9):
    """Whether two keyword values are equal, numbers within a relative difference."""
    number = (int, float)
    if isinstance(x, bool) or isinstance(y, bool) or not (isinstance(x, number) and isinstance(y, number)):
        return x == y
    return x == y or abs(x - y) <= relative * max(abs(x), abs(y))


def within(a, b, relative, select=None):
    """Share of values within a relative difference (NaN equal to NaN), and the worst relative difference."""
    a, b = np.asarray(a, "f8"), np.asarray(b, "f8")
    if select is not None:
        a, b = a[select], b[select]
    if a.size == 0:
        return 1.0, 0.0
    same_nan = np.isnan(a) & np.isnan(b)
    with np.errstate(invalid="ignore", divide="ignore"):
        diff = np.abs(a - b) / np.maximum(np.abs(a), 1e-30)
    diff[(a == b) | same_nan] = 0
    diff[np.isnan(a) != np.isnan(b)] = np.inf
    finite = diff[np.isfinite(diff)]
    return float(np.mean(diff <= relative)), float(finite.max()) if finite.size else 0.0


class Sifu:
    """Runs the program and remembers failures."""

    def __init__(self, program, common, failures):
        """Keep the program's path, the options every call gets, and the list that failures go to."""
        self.program, self.common, self.failures = program, common, failures

    def __call__(self, *command):
        """Run a command; return whether it ended well."""
        done = subprocess.run([self.program, *command, *self.common], capture_output=True, text=True, check=False)
        if done.returncode:
            self.failures.append(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}")
        return done.returncode == 0


def header_differences(python, ours, ignore, relative=1e-9):
    """Keywords of Python's header that ours lacks or has with another value."""
    bad = []
    for key in python:
        if key in ignore or key in ("", "COMMENT", "HISTORY") or key.startswith("TCOMM"):
            continue
        if key not in ours:
            bad.append(f"{key} = {python[key]!r} is missing")
        elif not close(python[key], ours[key], relative):
            bad.append(f"{key} = {ours[key]!r}, not {python[key]!r}")
    return bad


ARRAYS = "SCI ERR VAR_POISSON VAR_RNOISE VAR_FLAT WAVELENGTH PATHLOSS_PS PATHLOSS_UN REGIONS".split()


def image(python, ours, names=ARRAYS, relative=1e-4):
    """Compare images and flags of two files: (row of figures, failures)."""
    row, bad = {"same": 1.0, "within": 1.0, "worst": 0.0, "dq": 1.0}, []
    with fits.open(python) as h1, fits.open(ours) as h2:
        layout = [[h.name for h in x] for x in (h1, h2)]
        if layout[0] != layout[1]:
            bad.append(f"HDUs {layout[1]}, not {layout[0]}")
        for name in names:
            if name not in h1 or name not in h2:
                continue
            a, b = h1[name].data, h2[name].data
            if a.shape != b.shape:
                bad.append(f"{name}: shape {b.shape}, not {a.shape}")
                continue
            share, worst = within(a, b, relative)
            row["same"] = min(row["same"], float(np.mean(ulps(a, b) == 0)))
            row["within"], row["worst"] = min(row["within"], share), max(row["worst"], worst)
        if "DQ" in h1 and "DQ" in h2 and h1["DQ"].shape == h2["DQ"].shape:
            row["dq"] = float(np.mean(h1["DQ"].data == h2["DQ"].data))
    for key, what in (("within", f"values within {relative:g}"), ("dq", "flags equal")):
        if row[key] < 0.999:
            bad.append(f"{what} only in {row[key]:.6f}")
    return row, bad


#: Keywords that say who made a product and when.
MADE = {"DATE", "FILENAME", "CAL_VER", "CAL_VCS", "CRDS_VER", "CHECKSUM", "DATASUM", "SIMPLE", "EXTEND", "EXTVER"}
