"""Compare cube_build and extract_1d with the Python pipeline's over their settings, on whole exposures.

Each weighting with each coordinate system and output type (and ``--set`` on both sides) makes cubes of the ``_cal`` files
given, in Python and with ``sifu step cube_build``; ``sifu step extract_1d`` then works on Python's own cubes. Prints a
table and exits with 1 where a requirement is missed (shape and headers equal, SCI, ERR and WMAP within 1e-4 in >= 99.9 % of
voxels with weight, flags equal in >= 99.9 %, spectra within 1e-4).

Usage: ``python cubes.py --sifu target/release/sifu --crds CACHE FILE_cal.fits...`` in an environment with jwst 3.0.0.
"""

import argparse
import glob
import itertools
import logging
import os
import sys
import tempfile
import time

from astropy.io import fits
from compare import Sifu
from jwst.cube_build import CubeBuildStep
from jwst.datamodels import ModelContainer
from jwst.extract_1d import Extract1dStep
from spec import cube, headers, spectrum


def named(files):
    """Files by the channels and bands of their cube."""
    out = {}
    for path in files:
        header = fits.getheader(path)
        out[(header["CHANNEL"], header["BAND"])] = path
    return out


def main():
    """Command line entry."""
    par = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    par.add_argument("--sifu", default="target/release/sifu")
    par.add_argument("--crds", required=True)
    par.add_argument("--context", default="jwst_9001.pmap")
    par.add_argument("--weightings", nargs="*", default=["drizzle", "emsm", "msm"])
    par.add_argument("--systems", nargs="*", default=["skyalign", "ifualign"])
    par.add_argument("--outputs", nargs="*", default=["band", "channel", "multi"])
    par.add_argument("--spectra", action="store_true", help="compare extract_1d on Python's cubes too")
    par.add_argument("files", nargs="+")
    args = par.parse_args()
    os.environ.update(CRDS_PATH=args.crds, CRDS_CONTEXT=args.context)
    logging.disable(logging.CRITICAL)
    failures, times = [], {"python": 0.0, "sifu": 0.0}
    sifu = Sifu(args.sifu, ["-q", "--crds", args.crds, "--context", args.context], failures)
    source = fits.getval(args.files[0], "SRCTYPE", "SCI")
    print(f"{'setting':<34}{'cube':<24}{'source':<10}{'same bits':>10}{'<= 1e-4':>10}{'worst':>9}{'DQ equal':>10}")

    def report(setting, which, what, row, bad):
        print(f"{setting:<34}{'ch' + which[0] + '-' + which[1].lower() + '_' + what:<24}{source:<10}{row['same']:>10.6f}"
              f"{row['within']:>10.6f}{row['worst']:>9.1e}{row['dq']:>10.6f}  {'ok' if not bad else f'{len(bad)} differences'}",
              flush=True)  # fmt: skip
        failures.extend(f"{setting} {which} {what}: {b}" for b in bad)

    for weighting, system, output in itertools.product(args.weightings, args.systems, args.outputs):
        setting = f"{weighting} {system} {output}"
        with tempfile.TemporaryDirectory() as tmp:
            theirs, ours = os.path.join(tmp, "python"), os.path.join(tmp, "sifu")
            os.mkdir(theirs)
            start = time.perf_counter()
            models = ModelContainer(args.files)
            made = CubeBuildStep.call(models, weighting=weighting, coord_system=system, output_type=output)
            for i, model in enumerate(made):
                model.save(os.path.join(theirs, f"{i}_s3d.fits"))
            times["python"] += time.perf_counter() - start
            start = time.perf_counter()
            sets = [f"weighting={weighting}", f"coord_system={system}", f"output_type={output}"]
            if not sifu("step", "cube_build", *args.files, "-o", ours, *(x for s in sets for x in ("--set", f"cube_build.{s}"))):
                continue
            times["sifu"] += time.perf_counter() - start
            pairs, own = named(glob.glob(f"{theirs}/*.fits")), named(glob.glob(f"{ours}/*.fits"))
            if pairs.keys() != own.keys():
                failures.append(f"{setting}: cubes {sorted(own)}, not {sorted(pairs)}")
            for which in sorted(pairs.keys() & own.keys()):
                row, bad = cube(pairs[which], own[which])
                report(setting, which, "s3d", row, bad + [b for b in headers(pairs[which], own[which]) if ": S_" not in b])
                if args.spectra:
                    one = os.path.join(tmp, "one_x1d.fits")
                    Extract1dStep.call(pairs[which]).save(one)
                    if sifu("step", "extract_1d", pairs[which], "-o", ours):
                        stem = os.path.basename(pairs[which])[: -len("_s3d.fits")]
                        (two,) = glob.glob(os.path.join(ours, f"{stem}_*x1d.fits"))
                        row, bad = spectrum(one, two)
                        report(setting, which, "x1d", row, bad)
    for line in failures:
        print("DIFFERS", line)
    print(f"Python {times['python']:.0f} s, sifu {times['sifu']:.0f} s of wall time in all; {len(failures)} differences")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
