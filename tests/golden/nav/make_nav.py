#!/usr/bin/env python3
"""Small kernels of every kind, and what SPICE makes of kernels: the golden tables of `tests/nav.rs`.

    python make_nav.py tiny                     # rewrites the kernels and tables of this folder
    python make_nav.py planets DE440            # the table that kernels/planets.bsp is held against
    python make_nav.py random --count 4000 --seed 1 --out TABLE KERNEL...

Needs spiceypy and numpy. Kernels are written here double by double (`write_daf`),
so that byte order and age of the format can be chosen; the data of most SPK types come from
SPICE's own writers. `random` asks SPICE for states, rotations, surface points and dates at random in
what the given kernels cover, for comparisons larger than what is kept in the repository. A row of a table:

    state,target,et,frame,correction,observer,x,y,z,vx,vy,vz,lt
    turn,from,to,et,9 of the rotation,9 of its rate
    rotation,from,to,et,9 of the rotation
    point,body,frame,et,correction,observer,px,py,pz,x,y,z,vx,vy,vz,lt
    sub,observer|solar,near|intercept,body,et,correction,observer,x,y,z,epoch,dx,dy,dz
    utc,date,et        iso,et,digits,date        name,name,code
"""
import argparse
import os
import struct

import numpy as np
import spiceypy as sp

HERE = os.path.dirname(os.path.abspath(__file__))
DAY = 86400.0
CORRECTIONS = 'NONE LT CN LT+S CN+S XLT XCN XLT+S XCN+S'.split()


def write_daf(path, kind, arrays, big=False, old=False, comments=()):
    """arrays: (name, doubles of the summary, its integers without addresses, data)."""
    order = '>' if big else '<'
    nd, ni = len(arrays[0][1]), len(arrays[0][2]) + 2
    size = nd + (ni + 1) // 2
    text = b''.join(c.encode() + b'\0' for c in comments) + (b'\4' if comments else b'')
    reserved = (len(text) + 999) // 1000
    first = 2 + reserved
    per = 125 // size
    chunks = [arrays[i:i + per] for i in range(0, len(arrays), per)]
    address, blocks = (first + 2 * len(chunks) - 1) * 128 + 1, []
    for k, chunk in enumerate(chunks):
        record = first + 2 * k
        body = struct.pack(order + '3d', record + 2 if k + 1 < len(chunks) else 0,
                           record - 2 if k else 0, len(chunk))
        names = b''
        for name, doubles, integers, data in chunk:
            ends = (address, address + len(data) - 1)
            address += len(data)
            body += struct.pack(f'{order}{nd}d{ni}i', *doubles, *integers, *ends)
            body += b'\0' * (4 * (ni % 2))
            names += name.encode().ljust(8 * size)
        blocks += [body.ljust(1024, b'\0'), names.ljust(1024)]
    word = b'NAIF/DAF' if old else b'DAF/' + kind.encode().ljust(4)
    head = word + struct.pack(order + '2i', nd, ni) + os.path.basename(path).encode().ljust(60)
    head += struct.pack(order + '3i', first, first + 2 * (len(chunks) - 1), address)
    if not old:
        head += (b'BIG-IEEE' if big else b'LTL-IEEE').ljust(8)
        head = head.ljust(699, b'\0') + b'FTPSTR:\r:\n:\r\n:\r\0:\x81:\x10\xce:ENDFTP'
    with open(path, 'wb') as f:
        f.write(head.ljust(1024, b'\0'))
        for k in range(reserved):
            f.write(text[1000 * k:1000 * (k + 1)].ljust(1024, b'\0'))
        f.write(b''.join(blocks))
        f.write(b''.join(np.asarray(a[3], order + 'f8').tobytes() for a in arrays))
        f.write(b'\0' * (-f.tell() % 1024))


def read_daf(path):
    handle, out = sp.dafopr(path), []
    sp.dafbfs(handle)
    while sp.daffna():
        summary, name = sp.dafgs(5), sp.dafgn(40)
        dc, ic = sp.dafus(summary, 2, 6)
        data = sp.dafgda(handle, int(ic[4]), int(ic[5]))
        out.append((name, [float(d) for d in dc], [int(i) for i in ic[:4]], data))
    sp.dafcls(handle)
    return out


def orbit(t, w=2 * np.pi / (9.7 * DAY), mu=3.7931e7):
    """A tilted, slightly wavy circle: position, velocity, acceleration."""
    a = (mu / w**2) ** (1 / 3)
    c, s, tilt = np.cos(w * t), np.sin(w * t), 0.47
    p = np.array([c, s * np.cos(tilt), s * np.sin(tilt)]) * a
    v = np.array([-s, c * np.cos(tilt), c * np.sin(tilt)]) * a * w
    wave = np.array([100 * np.sin(7 * w * t), 0, 0])
    return (np.concatenate([p + wave, v + [700 * w * np.cos(7 * w * t), 0, 0]]),
            -w**2 * p - 49 * w**2 * wave, mu, a, w)


def series(f, mid, half, degree):
    from numpy.polynomial import chebyshev as cheb
    x = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
    values = np.array([f(mid + half * u) for u in x])
    return (np.linalg.inv(cheb.chebvander(x, degree)) @ values).T


def differences(rng, count, length, et0, step):
    """Records of types 1 and 21: any table of differences makes some path."""
    records, epochs = [], []
    for k in range(count):
        epoch = et0 + (k + 1) * step
        state = orbit(epoch - et0)[0]
        order = int(rng.integers(4, length))
        each = [int(rng.integers(2, order + 1)) for _ in range(3)]
        steps = np.cumsum(rng.uniform(0.3, 0.6, length)) * step
        table = 1e-5 * rng.normal(size=(3, length)) * 0.3 ** np.arange(length)
        records.append(np.concatenate([[epoch], steps,
                                       np.column_stack([state[:3], state[3:]]).ravel(),
                                       table.ravel(), [order + 1], each]))
        epochs.append(epoch)
    return np.concatenate(records + [epochs, epochs[99::100]])


LINES = ['1 20580U 90037B   24010.50000000  .00003000  00000-0  12000-3 0  9990',
         '2 20580  28.4698 120.1234 0002500 200.1234 159.9000 15.10000000000000']


def ephemerides(path, old_path):
    t0 = 758116869.0
    t1 = t0 + 10 * DAY
    if os.path.exists(path):
        os.remove(path)
    handle = sp.spkopn(path, 'tiny', 0)
    even = np.arange(t0, t1 + 1, 0.5 * DAY)
    rng = np.random.default_rng(7)
    odd = even + np.concatenate([[0], rng.uniform(-0.15, 0.15, len(even) - 2) * DAY, [0]])
    at = lambda times: np.array([orbit(t - t0)[0] for t in times])
    mu, a, w = orbit(0.0)[2:]
    common = lambda k, frame='J2000', centre=6: (centre, frame, t0, t1, f'TYPE {k}')
    for kind in (2, 3):
        data = np.concatenate([series(lambda t: orbit(t - t0)[0][:6 if kind == 3 else 3],
                                      t0 + (k + 0.5) * DAY, DAY / 2, 9).ravel() for k in range(10)])
        write = sp.spkw03 if kind == 3 else sp.spkw02
        write(handle, 990000 + kind, *common(kind), DAY, 10, 9, data, t0)
    sp.spkw05(handle, 990005, *common(5), mu, len(even), at(even), even)
    for size in (7, 6):
        sp.spkw08(handle, 990080 + size, *common(8), size - 1, len(even), at(even), t0, 0.5 * DAY)
        sp.spkw09(handle, 990090 + size, *common(9, 'ECLIPJ2000'), size - 1, len(odd), at(odd), odd)
    for size in (4, 3):
        # written as degree of the Hermite polynomial, which has to be odd
        sp.spkw12(handle, 990120 + size, *common(12, 'B1950'), 2 * size - 1, len(even), at(even), t0, 0.5 * DAY)
        sp.spkw13(handle, 990130 + size, *common(13, 'GALACTIC'), 2 * size - 1, len(odd), at(odd), odd)
    pole = np.array([0.1, -0.45, 0.88]) / np.linalg.norm([0.1, -0.45, 0.88])
    peri = np.cross(pole, [1.0, 0, 0])
    peri /= np.linalg.norm(peri)
    other = np.array([0.2, 0.1, 0.97]) / np.linalg.norm([0.2, 0.1, 0.97])
    for flag in (0.0, 1.0, 2.0, 3.0):
        sp.spkw15(handle, 990150 + int(flag), *common(15), t0 + 4.3 * DAY, pole, peri, 2e5, 0.21,
                  flag, other, mu, 1.6e-2, 60268.0)
    sp.spkw15(handle, 990159, *common(15), t0 + 4.3 * DAY, pole, peri, 2e5, 1.3, 0.0, other, mu,
              1.6e-2, 60268.0)
    sp.spkw17(handle, 990017, *common(17), t0 + 3 * DAY,
              [a, 0.21, 0.105, 1.2, 0.03, -0.22, 1.1e-7, w, -2.0e-7], 0.7, 1.45)
    for subtype in (0, 1):
        for size in (4, 8):
            packets = at(odd)
            if subtype == 0:
                acc = np.array([orbit(t - t0)[1] for t in odd])
                packets = np.hstack([packets, packets[:, 3:] * 1.001, acc])
            degree = 2 * size - 1 if subtype == 0 else size - 1
            sp.spkw18(handle, subtype, 990180 + 10 * subtype + size, *common(18), degree, packets, odd)
    rows = []
    for k in range(10):
        mid = t0 + (k + 0.5) * DAY
        coef = series(lambda t: orbit(t - t0)[0][3:] * 60.0 / 2.0, mid, DAY / 2, 9)
        rows.append(np.column_stack([coef, orbit(mid - t0)[0][:3] / 2.0]).ravel())
    jd = t0 / DAY + 2451545.0
    sp.spkw20(handle, 990020, *common(20), 1.0, 10, 9, np.concatenate(rows), 2.0, 60.0,
              np.floor(jd), jd - np.floor(jd))
    geo = [1.082616e-3, -2.53881e-6, -1.65597e-6, 7.43669161e-2, 120.0, 78.0, 6378.135, 1.0]
    sets, epochs = [], []
    for day in range(4):
        lines = [LINES[0].replace('24010.5', f'240{10 + 2 * day}.5'), LINES[1].replace('120.1234', f'{120.1234 - 13.2 * day:8.4f}')]
        epoch, elems = sp.getelm(1957, lines)
        sets.append(elems)
        epochs.append(epoch)
    sp.spkw10(handle, -48, 399, 'J2000', epochs[0] - DAY, epochs[-1] + DAY, 'TYPE 10', geo, 4,
              np.array(sets).ravel(), np.array(epochs))
    sp.spkcls(handle)
    arrays = read_daf(path)
    for kind, length in ((1, 15), (21, 19)):
        data = differences(rng, 9, length, t0, DAY)
        tail = [9] if kind == 1 else [length, 9]
        arrays.append((f'TYPE {kind}', [t0, t0 + 9 * DAY], [990000 + kind, 6, 1, kind],
                       np.concatenate([data, tail])))
    # planets for light time: straight lines that hold for ten days
    for body, centre, place in ((6, 0, [1.2e9, -7e8, -3e8]), (10, 0, [-1.3e6, 4e5, 1e5]), (3, 0, [-6e7, 1.2e8, 5e7]),
                                (399, 3, [-3000.0, 2000.0, 900.0]), (-170, 399, [1.1e6, -9e5, -4e5]), (699, 6, [280.0, -60.0, 5.0])):
        scale = {6: 8e6, 3: 2.4e7, 699: 120.0}.get(body, 1e4)
        path_ = lambda t: np.array(place) + scale * np.array([np.sin((t - t0) / 9e5), np.cos((t - t0) / 8e5), 0.3])
        arrays.append((f'PLACE {body}', [t0 - DAY, t1 + DAY], [body, centre, 1, 2], np.concatenate(
            [[t0 + 5 * DAY, 6 * DAY], series(path_, t0 + 5 * DAY, 6 * DAY, 15).ravel(), [t0 - DAY, 12 * DAY, 50, 1]])))
    comments = ('Made by make_nav.py.', 'START_TIME = 2024 JAN 10 00:00:00.000', 'END_TIME   = 2024 JAN 20 12:30:00.000')
    write_daf(path, 'SPK', arrays, comments=comments)
    write_daf(old_path, 'SPK', arrays, big=True, old=True)
    return t0, t1


def orientations(path):
    t0, t1 = 758116869.0, 758116869.0 + 4 * DAY
    angles = lambda t: np.array([0.3 + 1e-9 * (t - t0), 0.4 + 0.01 * np.sin((t - t0) / 4e4), 1e-4 * (t - t0)])
    rates = lambda t: np.array([1e-9, 0.01 / 4e4 * np.cos((t - t0) / 4e4), 1e-4])
    arrays, deg = [], 180 / np.pi
    rows = [np.concatenate([[mid, DAY / 2], series(angles, mid, DAY / 2, 9).ravel()])
            for mid in t0 + (np.arange(4) + 0.5) * DAY]
    arrays.append(('PCK 2', [t0, t1], [2990002, 17, 2], np.concatenate(rows + [[t0, DAY, len(rows[0]), 4]])))
    # a generic segment: constants, packets after their references, references, where all of it is
    rows = [np.concatenate([[mid - DAY / 2, mid, DAY / 2], series(
        lambda t: deg * np.concatenate([angles(t), rates(t)]), mid, DAY / 2, 9).ravel()]) for mid in t0 + (np.arange(4) + 0.5) * DAY]
    packets, size = np.concatenate(rows), len(rows[0]) - 1
    end = 1 + len(packets)
    meta = [0, 1, end + 4, 0, 3, end, 4, end + 4, 0, 0, 1, 4, end + 4, 0, size, 1, 17]
    arrays.append(('PCK 3', [t0, t1], [2990003, 17, 3], np.concatenate([[10], packets, [r[0] for r in rows], meta])))
    rows = []
    for k in range(4):
        mid = t0 + (k + 0.5) * DAY
        coef = series(lambda t: rates(t) * DAY, mid, DAY / 2, 9)
        rows.append(np.column_stack([coef, angles(mid)]).ravel())
    jd = t0 / DAY + 2451545.0
    arrays.append(('PCK 20', [t0, t1], [2990020, 1, 20],
                   np.concatenate(rows + [[1.0, DAY, np.floor(jd), jd - np.floor(jd), 1.0, 33, 4]])))
    write_daf(path, 'PCK', arrays, big=True)


def write(rows, path, kernels):
    with open(path, 'w', encoding='ascii') as f:
        f.write('# kernels: ' + ' '.join(kernels) + '\n')
        for row in rows:
            f.write(','.join(v if isinstance(v, str) else repr(float(v)) if isinstance(v, (float, np.floating))
                             else str(v) for v in row) + '\n')


def state_row(target, et, frame, correction, observer):
    s, lt = sp.spkezr(str(target), et, frame, correction, str(observer))
    return ['state', target, et, frame, correction, observer, *s, float(lt)]


def turn_row(a, b, et):
    m = sp.sxform(a, b, et)
    return ['turn', a, b, et, *m[:3, :3].ravel(), *m[3:, :3].ravel()]


def point_row(body, frame, et, correction, observer, p):
    s, lt = sp.spkcpt(p, str(body), frame, et, 'J2000', 'TARGET', correction, str(observer))
    return ['point', body, frame, et, correction, observer, *[float(x) for x in p], *s, float(lt)]


def sub_row(what, how, body, frame, et, correction, observer):
    method = {'near': 'NEAR POINT/ELLIPSOID', 'intercept': 'INTERCEPT/ELLIPSOID'}[how]
    if what == 'solar' and how == 'near':
        method = 'NEAR POINT/ELLIPSOID'
    f = sp.subpnt if what == 'observer' else sp.subslr
    p, epoch, v = f(method, str(body), et, frame, correction, str(observer))
    return ['sub', what, how, body, frame, et, correction, observer, *p, float(epoch), *v]


def tiny():
    os.chdir(HERE)
    sp.furnsh('../../../kernels/leapseconds.tls')
    t0, t1 = ephemerides('tiny.bsp', 'tiny_big_endian_old.bsp')
    orientations('tiny.bpc')
    kernels = ['../../../kernels/leapseconds.tls', 'tiny.tpc', 'tiny.tf', 'tiny.bsp', 'tiny.bpc']
    for k in kernels[1:]:
        sp.furnsh(k)
    rng = np.random.default_rng(11)
    rows = []
    bodies = sorted({int(a[2][0]) for a in read_daf('tiny.bsp')} - {6, 10, 3, 399, -170, 699})
    for body in bodies:
        lo, hi = {990001: (t0, t0 + 9 * DAY), 990021: (t0, t0 + 9 * DAY), -48: (t0 + 0.51 * DAY, t0 + 6.4 * DAY)}.get(body, (t0, t1))
        for et in [lo, hi, lo + 0.4 * DAY, *rng.uniform(lo, hi, 9)]:
            rows.append(state_row(body, float(et), 'J2000', 'NONE', 399 if body == -48 else 6))
    for frame in ('J2000', 'ECLIPJ2000', 'IAU_SATURN', 'TINY_TURNED', 'IAU_EARTH'):
        for c in CORRECTIONS:
            for target, observer in ((699, -170), (10, -170), (990002, -170), (399, 699)):
                rows.append(state_row(target, float(rng.uniform(t0 + 0.2 * DAY, t1 - 0.2 * DAY)), frame, c, observer))
    frames = [sp.frmnam(i) for i in range(1, 22)] + ['TINY_MATRIX', 'TINY_ANGLES', 'TINY_QUATERNION', 'TINY_TURNED',
              'TINY_PCK2', 'TINY_PCK3', 'TINY_PCK20', 'TINY_PHASES', 'IAU_SATURN', 'IAU_EARTH', 'IAU_MARS', 'IAU_NEPTUNE']
    for name in frames:
        for et in rng.uniform(t0, t0 + 4 * DAY, 3):
            row = turn_row('J2000' if rng.random() < 0.6 else 'B1950', name, float(et))
            # SPICE's rates of PCK type 3 are not the derivatives of its rotations
            rows.append(['rotation'] + row[1:13] if name == 'TINY_PCK3' else row)
    for c in CORRECTIONS:
        for _ in range(4):
            et = float(rng.uniform(t0 + 0.2 * DAY, t1 - 0.2 * DAY))
            rows.append(point_row(699, 'IAU_SATURN', et, c, -170, rng.uniform(-6e4, 6e4, 3)))
            for what in ('observer', 'solar'):
                for how in ('near', 'intercept'):
                    if what == 'observer' or c in ('NONE', 'LT', 'CN'):
                        rows.append(sub_row(what, how, 699, 'IAU_SATURN', et, c, -170))
    rows += time_rows(rng, 60)
    for name in ('TINY WORLD', 'JWST', 'SATURN', 'Epimetheus', 'Solar  system barycenter'):
        rows.append(['name', name, int(sp.bodn2c(name))])
    write(rows, 'tiny.csv', kernels)
    # SPICE reads the old big-endian file too
    sp.kclear()
    old = [k.replace('tiny.bsp', 'tiny_big_endian_old.bsp') for k in kernels]
    for k in old:
        sp.furnsh(k)
    rows = [state_row(b, float(t0 + 3.3 * DAY), 'J2000', 'NONE', 399 if b == -48 else 6) for b in bodies]
    write(rows, 'tiny_old.csv', old)


def time_rows(rng, count):
    rows = []
    for text in ('1972-01-01T00:00:00', '1972-06-30T23:59:60.5', '1971-03-01T12:00:00', '2016-12-31T23:59:60.999',
                 '2017-01-01T00:00:00', '2024-060T01:02:03.5', '2025 FEB 28 23:59:59.999'):
        rows.append(['utc', text, float(sp.str2et(text))])
    for _ in range(count):
        et = float(rng.uniform(-9e8, 1.2e9))
        text = sp.et2utc(et, 'ISOC', 6)
        rows.append(['utc', text, float(sp.str2et(text))])
        digits = int(rng.integers(0, 4))
        rows.append(['iso', et, digits, sp.et2utc(et, 'ISOC', digits)])
    return rows


def planets(de440):
    sp.furnsh(de440)
    rng = np.random.default_rng(5)
    rows = []
    for body in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 199, 299, 301, 399):
        for et in rng.uniform(662731200.0, 1136030400.0, 25):
            rows.append(state_row(body, float(et), 'J2000', 'NONE', 0))
    write(rows, os.path.join(HERE, 'planets.csv'), ['../../../kernels/planets.bsp'])


def covered(kernels):
    out = {}
    for k in kernels:
        if not k.endswith('.bsp'):
            continue
        for body in sp.spkobj(k):
            cell = sp.spkcov(k, body)
            out.setdefault(int(body), []).extend(
                tuple(sp.wnfetd(cell, i)) for i in range(sp.wncard(cell)))
    return out


def random(args):
    rng = np.random.default_rng(args.seed)
    for k in args.kernel:
        sp.furnsh(k)
    spans = covered(args.kernel)
    bodies = sorted(spans)
    frames = [f for f in 'J2000 J2000 ECLIPJ2000 B1950 FK4 GALACTIC MARSIAU DE-143'.split()]
    fixed = []
    for i in range(10001, 10125):
        name = sp.frmnam(i)
        try:
            sp.pxform('J2000', name, 0.0)
            fixed.append(name)
        except sp.utils.exceptions.SpiceyError:
            pass
    shaped = []
    for b in bodies:
        try:
            sp.bodvcd(b, 'RADII', 3)
            sp.pxform('J2000', 'IAU_' + sp.bodc2n(b), 0.0)
            shaped.append(b)
        except sp.utils.exceptions.SpiceyError:
            pass
    rows, failed = [], 0
    while len(rows) < args.count:
        target, observer = (int(x) for x in rng.choice(bodies, 2))
        (a, b), (c, d) = spans[target][rng.integers(len(spans[target]))], spans[observer][rng.integers(len(spans[observer]))]
        lo, hi = max(a, c) + 0.3 * DAY, min(b, d) - 0.3 * DAY
        kind = rng.choice(['state', 'state', 'state', 'turn', 'point', 'sub'])
        correction = str(rng.choice(CORRECTIONS))
        try:
            if kind == 'turn':
                if fixed:
                    rows.append(turn_row(str(rng.choice(frames)), str(rng.choice(fixed)), float(rng.uniform(-8e8, 1.2e9))))
                continue
            if hi <= lo or target == observer:
                continue
            et = float(rng.uniform(lo, hi))
            if kind == 'state':
                frame = str(rng.choice(frames + fixed[:60])) if rng.random() < 0.5 else 'J2000'
                rows.append(state_row(target, et, frame, correction, observer))
            elif shaped:
                body = int(rng.choice(shaped))
                frame = 'IAU_' + sp.bodc2n(body)
                if kind == 'point':
                    p = rng.normal(size=3)
                    p *= sp.bodvcd(body, 'RADII', 3)[1][0] / np.linalg.norm(p)
                    rows.append(point_row(body, frame, et, correction, observer, p))
                elif np.linalg.norm(sp.spkpos(str(body), et, 'J2000', 'NONE', str(observer))[0]) > 2 * max(sp.bodvcd(body, 'RADII', 3)[1]):
                    what, how = str(rng.choice(['observer', 'solar'])), str(rng.choice(['near', 'intercept']))
                    # with aberration SPICE's sub-solar point is not the one beneath the Sun as seen
                    # from the body at the epoch it gives: not compared
                    if what == 'observer' or correction in ('NONE', 'LT', 'CN'):
                        rows.append(sub_row(what, how, body, frame, et, correction, observer))
        except sp.utils.exceptions.SpiceyError:
            failed += 1
            if failed > 50 * args.count:
                raise
    if any(k.endswith('.tls') for k in args.kernel):
        rows += time_rows(rng, args.count // 20)
    write(rows, args.out, [os.path.abspath(k) for k in args.kernel])
    print(len(rows), 'rows,', failed, 'questions SPICE has no answer to')


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    sub = ap.add_subparsers(required=True)
    sub.add_parser('tiny').set_defaults(run=lambda a: tiny())
    p = sub.add_parser('planets')
    p.add_argument('de440')
    p.set_defaults(run=lambda a: planets(a.de440))
    r = sub.add_parser('random')
    r.add_argument('kernel', nargs='+')
    r.add_argument('--count', type=int, default=4000)
    r.add_argument('--seed', type=int, default=1)
    r.add_argument('--out', required=True)
    r.set_defaults(run=random)
    args = ap.parse_args()
    args.run(args)


if __name__ == '__main__':
    main()
