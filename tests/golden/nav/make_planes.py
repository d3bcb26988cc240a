#!/usr/bin/env python3
"""What SPICE makes of a small image of Saturn with the tiny kernels: the table `planes.csv` of `tests/navigate.rs`.

    python make_planes.py > planes.csv

Needs spiceypy and numpy. A row is a pixel: RA, Dec (degrees), then the planes named in the first line. Those of the navigator
(`LAT` and so on) have the body turned as it was when the light left its centre; those after `LON-GRAPHIC` have the light time of each
point. The second table, with stellar aberration, has the latter only.
"""
import os

import numpy as np
import spiceypy as sp

HERE = os.path.dirname(os.path.abspath(__file__))
ET, BODY, OBSERVER, FRAME = 758_200_000.0, 'SATURN', 'JWST', 'IAU_SATURN'
OWN = ('LAT LON LAT_LIMB LON_LIMB LAT_GRAPHIC PHASE EMISSION INCIDENCE AZIMUTH LOCALTIME DISTANCE_LIMB DISTANCE_RINGS '
       'LON_RINGS RADIAL_VELOCITY DOPPLER').split()
SEEN = ('LON-GRAPHIC LAT-GRAPHIC LON-CENTRIC LAT-CENTRIC PHASE INCIDENCE EMISSION AZIMUTH LOCAL-SOLAR-TIME DISTANCE '
        'RADIAL-VELOCITY DOPPLER').split()
C = 299792.458


def west(lon):
    return 360 - np.degrees(lon) % 360


def clock(et, lon, kind):
    h, m, s = sp.et2lst(et, 699, lon, kind)[:3]
    return h + m / 60 + s / 3600


def azimuth(g, i, e):
    return np.degrees(np.pi - np.arccos((np.cos(g) - np.cos(e) * np.cos(i)) / (np.sin(e) * np.sin(i))))


def motion(point, correction):
    state, lt = sp.spkcpt(point, BODY, FRAME, ET, 'J2000', 'OBSERVER', correction, OBSERVER)
    v = float(state[:3] @ state[3:] / np.linalg.norm(state[:3]))
    return lt * C, v, np.sqrt((1 + v / C) / (1 - v / C))


def own(ra, dec, radii):
    pos, lt = sp.spkpos(BODY, ET, 'J2000', 'CN', OBSERVER)
    turn = sp.pxform('J2000', FRAME, ET - lt)
    seen_from, look = -turn @ pos, turn @ sp.radrec(1, np.radians(ra), np.radians(dec))
    out = dict.fromkeys(OWN, np.nan)
    near, miss = sp.nplnpt(seen_from, look, np.zeros(3))
    below = sp.surfpt(np.zeros(3), near, *radii)
    _, lon, lat = sp.reclat(near)
    out.update(DISTANCE_LIMB=miss - np.linalg.norm(below), LON_LIMB=west(lon), LAT_LIMB=np.degrees(lat))
    count, ring = sp.inrypl(seen_from, look, sp.nvc2pl([0, 0, 1], 0))
    radius, lon, _ = sp.reclat(ring if count == 1 else np.zeros(3))
    out.update(DISTANCE_RINGS=radius, LON_RINGS=west(lon))
    try:
        p = np.array(sp.surfpt(seen_from, look, *radii))
    except sp.exceptions.NotFoundError:
        return out
    g, i, e = sp.illum(BODY, ET, 'CN', OBSERVER, p)
    _, lon, lat = sp.reclat(p)
    flat = (radii[0] - radii[2]) / radii[0]
    _, v, factor = motion(p, 'CN')
    out.update(LAT=np.degrees(lat), LON=west(lon), LAT_GRAPHIC=np.degrees(sp.recpgr(BODY, p, radii[0], flat)[1]),
               PHASE=np.degrees(g), INCIDENCE=np.degrees(i), EMISSION=np.degrees(e), AZIMUTH=azimuth(g, i, e),
               LOCALTIME=clock(ET, lon, 'PLANETOCENTRIC'), RADIAL_VELOCITY=v, DOPPLER=factor)
    return out


def seen(ra, dec, radii, correction):
    look = sp.radrec(1, np.radians(ra), np.radians(dec))
    try:
        p = sp.sincpt('ELLIPSOID', BODY, ET, FRAME, correction, OBSERVER, 'J2000', look)[0]
    except sp.exceptions.NotFoundError:
        return dict.fromkeys(SEEN, np.nan)
    g, i, e = sp.illumf('ELLIPSOID', BODY, 'SUN', ET, FRAME, correction, OBSERVER, p)[2:5]
    _, lon, lat = sp.reclat(p)
    flat = (radii[0] - radii[2]) / radii[0]
    graphic = sp.recpgr(BODY, p, radii[0], flat)
    away, v, factor = motion(p, correction)
    there = ET - sp.spkpos(BODY, ET, 'J2000', correction, OBSERVER)[1]
    return dict(zip(SEEN, (np.degrees(graphic[0]), np.degrees(graphic[1]), np.degrees(lon), np.degrees(lat), np.degrees(g),
                           np.degrees(i), np.degrees(e), azimuth(g, i, e), clock(there, lon, 'PLANETOCENTRIC'), away, v,
                           factor)))


def main():
    for name in ('tiny.tpc', 'tiny.bsp'):
        sp.furnsh(os.path.join(HERE, name))
    radii = sp.bodvrd(BODY, 'RADII', 3)[1]
    for correction in ('CN', 'CN+S'):
        pos = sp.spkpos(BODY, ET, 'J2000', correction, OBSERVER)[0]
        far, ra, dec = sp.recrad(pos)
        size = np.degrees(radii[0] / far)
        names = OWN if correction == 'CN' else []
        print(f'# {correction} RA DEC', *names, *SEEN)
        for y in np.linspace(-1.1, 1.1, 7):
            for x in np.linspace(-1.45, 1.4, 8):
                a = np.degrees(ra) + x * size / np.cos(dec)
                d = np.degrees(dec) + y * size
                row = list(own(a, d, radii).values()) if names else []
                row += seen(a, d, radii, correction).values()
                print(','.join(repr(float(v)) for v in [a, d, *row]))


if __name__ == '__main__':
    main()
