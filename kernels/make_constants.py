#!/usr/bin/env python3
"""Leap seconds and body constants of this folder, from NAIF's kernels.

    python make_constants.py leapseconds.tls --lsk latest_leapseconds.tls
    python make_constants.py bodies.tpc --pck pck00011.tpc --gm gm_de440.tpc

Needs spiceypy. Only numbers are taken: radii, poles, prime meridians and nutation angles of the Sun,
the planets, their satellites and the asteroids and comets that the PCK has, and gravities.
"""
import argparse
import re

import spiceypy as sp

LSK = ('DELTET/DELTA_T_A', 'DELTET/K', 'DELTET/EB', 'DELTET/M')
KEPT = re.compile(r'BODY\d+_(RADII|POLE_RA|POLE_DEC|PM|NUT_PREC_\w+|MAX_PHASE_DEGREE|GM|'
                  r'CONSTANTS_\w+|CONSTS_\w+|LONG_AXIS|PGR_POSITIVE_LON)$')


def pool(name):
    return sp.gdpool(name, 0, 2000)


def leapseconds(args):
    sp.furnsh(args.lsk)
    out = ['KPL/LSK', '', 'Leap seconds and the constants of TDB - TT, for sifu.',
           f'Numbers from {args.lsk.split("/")[-1]} by make_constants.py.', '', '\\begindata', '']
    for name in LSK:
        values = ' '.join(repr(float(v)) for v in pool(name))
        out.append(f'{name} = ( {values} )')
    table = pool('DELTET/DELTA_AT')
    out.append('DELTET/DELTA_AT = (')
    for leap, et in table.reshape(-1, 2):
        year, month, day = sp.etcal(float(et)).split()[0:3]
        out.append(f'   {int(leap)}, @{year}-{month}-{int(day)}')
    return out + [')', '', '\\begintext']


def number(v):
    v = float(v)
    return str(int(v)) if v == int(v) and abs(v) < 1e15 else repr(v)


def bodies(args):
    sp.furnsh(args.pck)
    sp.furnsh(args.gm)
    names = [n for n in sp.gnpool('BODY*', 0, 20000) if KEPT.match(n)]
    key = lambda n: (int(re.search(r'\d+', n)[0]), n)
    out = ['KPL/PCK', '', 'Sizes, orientations and gravities of bodies, for sifu.',
           f'Numbers from {args.pck.split("/")[-1]} (IAU working group) and {args.gm.split("/")[-1]}',
           'by make_constants.py.', '', '\\begindata', '']
    for name in sorted(names, key=key):
        line = f'{name} = ('
        for v in pool(name):
            if len(line) + len(number(v)) > 76:
                out.append(line)
                line = '  '
            line += ' ' + number(v)
        out.append(line + ' )')
    return out + ['', '\\begintext']


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument('out')
    ap.add_argument('--lsk')
    ap.add_argument('--pck')
    ap.add_argument('--gm')
    args = ap.parse_args()
    lines = leapseconds(args) if args.lsk else bodies(args)
    with open(args.out, 'w', encoding='ascii') as f:
        f.write('\n'.join(lines) + '\n')


if __name__ == '__main__':
    main()
