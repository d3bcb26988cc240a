"""Compares flats, zonal means and NEMESIS spectra of sifu (--compatible) with those of the pipelines of JWSTGiantPlanets.

Usage, with numpy, scipy, astropy and tqdm installed, and a checkout of github.com/JWSTGiantPlanets/pipelines:
    python flats.py --sifu SIFU --pipelines CHECKOUT [--size 25] [--wavelengths 24]

Simulates two pointings of four dithers of a planet (a pattern on the detector, noise, flagged and zero voxels, wavelengths that
are too noisy), lets both programs make, merge and average, and compares: flats and means to 1e-6 relative, spectra to the
byte but for the last digit. The times both take for the same flats are printed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits

SHIFTS = [(0.0, 0.0), (2.3, 1.6), (-1.7, 2.4), (1.5, -2.2)]
SEEN = 0


def cube(path, seed, shift, centre, size, nz, radius=60.0):
    """Writes a navigated cube of one dither."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] - size / 2
    u, v = (x + shift[0]) / radius, (y + shift[1]) / radius
    w = np.sqrt(1 - u**2 - v**2)
    lat0, lon0 = np.radians(centre)
    lat = np.degrees(np.arcsin(v * np.cos(lat0) + w * np.sin(lat0)))
    lon = np.degrees(lon0 - np.arctan2(u, w * np.cos(lat0) - v * np.sin(lat0))) % 360
    emission = np.degrees(np.arccos(w))
    scene = w**0.4 * (1 + 0.15 * np.sin(0.35 * lat) + 0.05 * np.cos(np.radians(5 * lon)))
    level = 50 * (1.2 + np.sin(np.arange(nz) / 5))[:, None, None]
    swirl = 0.05 * np.sin(0.3 * np.hypot(x, y) + 2 * np.arctan2(y, x) + np.arange(nz)[:, None, None] / 3)
    sci = level * scene * (1 + swirl)
    err = np.full(sci.shape, 0.4)
    err[::7] = 30.0
    sci = sci + err * rng.normal(size=sci.shape)
    dq = np.where(rng.random(sci.shape) < 0.01, rng.choice([1, 4, 513], size=sci.shape), 0).astype("u4")
    dq[:, 3, 4] = 1
    sci[rng.random(sci.shape) < 0.005] = 0
    sci[rng.random(sci.shape) < 0.005] = np.nan
    sci[rng.random(sci.shape) < 0.002] *= 30
    primary = fits.PrimaryHDU()
    for key, value in {
        "INSTRUME": "MIRI", "CHANNEL": "4", "BAND": "SHORT", "TARGNAME": "SATURN", "TARGPROP": "TILE",
        "OBS_ID": f"V0124766700{seed}", "OBSLABEL": "Saturn-15N", "DATE": f"2023-02-2{seed % 10}T00:00:00.000",
        "CAL_VER": "1.9.4", "CRDS_VER": "11.16.20", "CRDS_CTX": "jwst_1046.pmap",
    }.items():
        primary.header[key] = value
    header = fits.Header()
    for key, value in {
        "CRPIX3": 1.0, "CRVAL3": 17.703, "CDELT3": 0.0025, "CTYPE3": "WAVE", "CUNIT3": "um", "MJD-AVG": 59897.25 + seed,
        "PIXAR_A2": 0.1225, "PIXAR_SR": 2.8793117e-12,
    }.items():
        header[key] = value
    hdus = [primary, fits.ImageHDU(sci.astype("f4"), header, name="SCI")]
    hdus += [fits.ImageHDU(err.astype("f4"), name="ERR"), fits.ImageHDU(dq, name="DQ")]
    planes = {name: w + i for i, name in enumerate(PLANES)}
    planes |= {"LAT": lat - 1, "LAT_GRAPHIC": lat, "LON": lon, "EMISSION": emission, "LOCALTIME": lon / 15}
    hdus += [fits.ImageHDU(planes[name], name=name) for name in PLANES]
    fits.HDUList(hdus).writeto(path)
    return str(path)


def run(*args):
    start = time.perf_counter()
    subprocess.run([str(a) for a in args], check=True)
    return time.perf_counter() - start


def check(what, ours, theirs, tolerance=1e-6):
    global SEEN
    SEEN += 1
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    if ours.shape != theirs.shape:
        sys.exit(f"FAIL {what}: shape {ours.shape}, not {theirs.shape}")
    if not np.array_equal(np.isnan(ours), np.isnan(theirs)):
        differ = (np.isnan(ours) != np.isnan(theirs)).sum()
        sys.exit(f"FAIL {what}: NaN in other places ({differ})")
    off = np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1e-300)
    off = np.nanmax(np.where(ours == theirs, 0, off), initial=0)
    print(f"ok   {what}: {off:.1e}" if off <= tolerance else f"FAIL {what}: off by {off:g}")
    if off > tolerance:
        sys.exit(1)


def check_flat(what, ours, theirs):
    with fits.open(ours) as a, fits.open(theirs) as b:
        if [h.name for h in a] != [h.name for h in b]:
            sys.exit(f"FAIL {what}: HDUs {[h.name for h in a]}")
        for x, y in zip(a, b):
            if x.data.dtype != y.data.dtype:
                sys.exit(f"FAIL {what} {x.name}: {x.data.dtype}")
            check(f"{what} {x.name}", x.data, y.data)
        cards = {k: v for k, v in b[0].header.items() if "FLAT GENERATION" in k}
        own = ("VERSION", "DATE", "DATE_1", "DATE_2", "MERGE DATE")
        for key, value in cards.items():
            mine = a[0].header.get(key)
            name = key.replace("FLAT GENERATION ", "")
            same = np.isclose(mine, value, rtol=1e-9) if isinstance(value, float) else mine == value
            if mine is None or (name not in own and not same):
                sys.exit(f"FAIL {what}: {key} = {mine!r}, not {value!r}")
        more = {k for k in a[0].header if "FLAT GENERATION" in k} - set(cards)
        if more:
            sys.exit(f"FAIL {what}: {more} not in the reference")
        print(f"ok   {what}: {len(cards)} cards")


def check_means(what, ours, theirs):
    with fits.open(ours) as a, fits.open(theirs) as b:
        if [h.name for h in a] != [h.name for h in b]:
            sys.exit(f"FAIL {what}: HDUs {[h.name for h in a]}")
        for x, y in zip(a[1:], b[1:]):
            check(f"{what} {x.name}", x.data, y.data)
            for key in y.header:
                if key[:5] in ("CRPIX", "CRVAL", "CDELT", "CTYPE", "CUNIT") and x.header[key] != y.header[key]:
                    if not np.isclose(x.header[key], y.header[key], rtol=1e-12):
                        sys.exit(f"FAIL {what} {x.name}: {key} = {x.header[key]}, not {y.header[key]}")


def check_spectra(ours, theirs):
    names = sorted(p.name for p in theirs.iterdir())
    if names != sorted(p.name for p in ours.iterdir()):
        sys.exit(f"FAIL spectra: {sorted(p.name for p in ours.iterdir())}, not {names}")
    same = 0
    for name in names:
        a, b = (ours / name).read_text(), (theirs / name).read_text()
        same += a == b
        if [[len(f) for f in line.split("\t")] for line in a.splitlines()] != [
            [len(f) for f in line.split("\t")] for line in b.splitlines()
        ]:
            sys.exit(f"FAIL {name}: other columns")
        numbers = [np.array([float(f) for f in text.split()]) for text in (a, b)]
        check(name, *numbers)
    print(f"ok   {same} of {len(names)} spectra are the same bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sifu", required=True, type=Path)
    parser.add_argument("--pipelines", required=True, type=Path)
    parser.add_argument("--size", type=int, default=25)
    parser.add_argument("--wavelengths", type=int, default=24)
    args = parser.parse_args()
    sys.path.insert(0, str(args.pipelines.resolve()))
    warnings.simplefilter("ignore")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import construct_flat_field
    import zonal_average

    global PLANES
    PLANES = zonal_average.BACKPLANE_KEYS
    sifu = args.sifu.resolve()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        tiles = {
            name: [
                cube(folder / f"{name}_d{i}_nav.fits", seed + i, s, centre, args.size, args.wavelengths)
                for i, s in enumerate(SHIFTS)
            ]
            for name, seed, centre in (("T1", 1, (15, 2)), ("T2", 5, (25, 4)))
        }
        for what, options in (("defaults", {}), ("saturn", {"lat_bin_size_factor": 0.5, "bin_aspect": 4})):
            flats = {"ours": [], "theirs": []}
            for tile, cubes in tiles.items():
                theirs = folder / f"{what}_{tile}.fits"
                start = time.perf_counter()
                construct_flat_field.do_tile(
                    cubes, str(theirs), tile, channel="4", band="short", fringe="", **options
                )
                python = time.perf_counter() - start
                out = folder / what / tile
                asked = [f"--{k.replace('_', '-')}={v}" for k, v in options.items()]
                build = [sifu, "-q", "flat", "build", *cubes, "-o", out, "--dataset", tile]
                compatible = run(*build, "--compatible", *asked)
                ours = out / "ch4-short_constructed_flat.fits"
                check_flat(f"{what} {tile}", ours, theirs)
                joint = run(*build[:-4], "-o", folder / "joint", "--dataset", tile)
                print(
                    f"     {python:.2f} s reference, {compatible:.2f} s sifu (1/{python / compatible:.0f}), "
                    f"{joint:.2f} s method joint (1/{python / joint:.0f})"
                )
                flats["ours"].append(ours)
                flats["theirs"].append(str(theirs))
            merged = {k: folder / f"{what}_merged_{k}.fits" for k in flats}
            construct_flat_field.merge_flats(flats["theirs"], str(merged["theirs"]))
            run(sifu, "-q", "flat", "merge", *flats["ours"], "-o", merged["ours"], "--compatible")
            check_flat(f"{what} merged", merged["ours"], merged["theirs"])

        cubes = [c for tile in tiles.values() for c in tile]
        values = np.arange(10, 26, 2.0)
        data, wavelengths = zonal_average.group_data(cubes, values, "LAT_GRAPHIC")
        grouped, averaged = folder / "grouped.fits", folder / "averaged.fits"
        zonal_average.save_grouped_data(values, data, wavelengths, str(grouped), "LAT_GRAPHIC")
        zonal_average.average_grouped_data(str(grouped), str(averaged))
        (folder / "spx").mkdir()
        zonal_average.generate_spx(str(averaged), str(folder / "spx" / "zonal_mean_{val}N.spx"))
        out = folder / "zonal"
        run(sifu, "-q", "zonal", *cubes, "-o", out, "--bins", "10:24:2", "--grouped", "--compatible")
        check_means("grouped", out / "zonal_grouped.fits", grouped)
        check_means("averaged", out / "zonal.fits", averaged)
        run(sifu, "-q", "spx", averaged, "-o", folder / "ours", "--compatible", "--template", "zonal_mean_{val}N.spx")
        check_spectra(folder / "ours", folder / "spx")
    print(f"{SEEN} comparisons agree")


main()
