#!/usr/bin/env python3
"""Compares the planetary steps with the reference pipeline (github JWSTGiantPlanets/pipelines) on the same files.

    planet.py PIPELINES SIFU CUBE... [--uncal FILE] [--flats DIR] [--nav FILE...] [--kernels DIR] [--seeds 2] [--work DIR]

PIPELINES is a checkout of that repository, SIFU the program, each CUBE a calwebb `_s3d` file. Every step is run with its
`compatible` switch on both sides' copies of an input that gets spikes, saturation, NaN and zeros from each seed. SCI, ERR,
added HDUs and the cards of the header must agree to 1e-6; DQ where the reference does not add to it. `--nav` are
navigated cubes for psf, with the kernels they were navigated with. Needs astropy, numpy, scipy, jwst (defringe_1d) and
planetmapper (psf). Ends with status 1 where something differs.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from astropy.io import fits

LIMIT = 1e-6
# of the time of writing, and of the program that wrote
OWN = ('DATE', 'FILENAME', 'DATAMODL', 'VERSION', 'CHECKSUM', 'DATASUM', 'COMMENT', '')
worst = {}
failures = []


def fail(text):
    failures.append(text)
    print('  DIFFERS', text)


def sifu(program, step, files, out, **parameters):
    """Runs a step with `compatible`; seconds."""
    command = [program, 'step', step, *map(str, files), '-o', str(out)]
    if step != 'defringe_1d':
        parameters.setdefault('compatible', 'true')
    for name, value in parameters.items():
        command += ['--set', f'{step}.{name}={value}']
    start = time.time()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or 'skipped' in done.stderr:
        sys.exit(f'{" ".join(command)}:\n{done.stderr}')
    return time.time() - start


def array(label, theirs, ours, exact=False):
    theirs, ours = np.asarray(theirs), np.asarray(ours)
    if theirs.shape != ours.shape:
        return fail(f'{label}: shape {theirs.shape} and {ours.shape}')
    if exact or theirs.dtype.kind in 'iub':
        n = int((theirs != ours).sum())
        return fail(f'{label}: {n} of {theirs.size}') if n else None
    theirs, ours = theirs.astype(float), ours.astype(float)
    if (np.isnan(theirs) != np.isnan(ours)).any():
        n = int((np.isnan(theirs) != np.isnan(ours)).sum())
        return fail(f'{label}: NaN differ at {n} of {theirs.size}')
    with np.errstate(all='ignore'):
        off = np.abs(ours - theirs) / np.abs(theirs)
    off[(ours == theirs) | np.isnan(theirs)] = 0
    largest = float(np.max(off, initial=0))
    key = label.split()[0]
    worst[key] = max(worst.get(key, 0), largest)
    if largest > LIMIT:
        fail(f'{label}: {largest:.2e} relative, {int((off > LIMIT).sum())} of {off.size}')
    return None


def cards(label, theirs, ours):
    for card in theirs.cards:
        key = card.keyword
        if key in OWN or key.endswith((' DATE', 'VERSION')):
            continue
        if key not in ours:
            fail(f'{label}: no {key}')
        elif isinstance(card.value, float) and isinstance(ours[key], (int, float)):
            if abs(card.value - ours[key]) > 1e-12 * abs(card.value):
                fail(f'{label}: {key} = {ours[key]!r}, not {card.value!r}')
        elif card.value != ours[key]:
            fail(f'{label}: {key} = {ours[key]!r}, not {card.value!r}')
    for key in ours:
        if key not in theirs and key not in OWN:
            fail(f'{label}: {key} only in ours')


def compare(label, theirs, ours, dq):
    with fits.open(theirs) as a, fits.open(ours) as b:
        names = [[h.name for h in x] for x in (a, b)]
        if 'ASDF' not in names[0]:
            # every product of ours has one
            names[1].remove('ASDF')
        if names[0] != names[1]:
            fail(f'{label}: HDUs {names[0]} and {names[1]}')
        cards(f'{label} header', a[0].header, b[0].header)
        for hdu in a[1:]:
            if hdu.name == 'ASDF' or (hdu.name == 'DQ' and not dq) or hdu.name not in names[1]:
                continue
            other = b[hdu.name]
            if isinstance(hdu, fits.BinTableHDU):
                if hdu.data.tobytes() != other.data.tobytes():
                    fail(f'{label} {hdu.name}: table')
            elif hdu.data is not None:
                array(f'{label} {hdu.name}', hdu.data, other.data)
        if not dq and 'DQ' in names[1]:
            bad = np.isnan(b['SCI'].data) & (b['DQ'].data & 1 == 0)
            if bad.any():
                fail(f'{label} DQ: {int(bad.sum())} NaN without DO_NOT_USE')


def damaged(source, target, seed, ngroups=None):
    """A copy of a cube with spikes, saturation, NaN, zeros and flags."""
    rng = np.random.default_rng(seed)
    with fits.open(source) as hdul:
        sci, err, dq = (hdul[k].data for k in ('SCI', 'ERR', 'DQ'))
        shape = sci.shape
        bright = np.nanpercentile(sci, 99.9)
        sci[rng.random(shape) < 5e-4] += bright * rng.uniform(1, 30)
        sci[rng.random(shape) < 1e-3] = np.nan
        sci[rng.random(shape) < 1e-3] = 0
        flagged = rng.random(shape) < 1e-3
        dq[flagged] |= 4
        if ngroups is not None:
            hdul[0].header['NGROUPS'] = ngroups
            err *= 5 / ngroups
            full = np.nanpercentile(sci, 99.5) * 3 / ngroups
            part = sci > full
            sci[part] *= rng.uniform(0.5, 1, part.sum())
            gone = sci > 1.3 * full
            for shift in (-1, 1):
                gone |= np.roll(gone, shift, axis=0)
            gone |= rng.random(shape) < 2e-3
            sci[gone] = np.nan
            dq[gone] |= 3
            sci[rng.random(shape) < 1e-3] *= 2
        hdul.writeto(target, overwrite=True)


def flat_of(source, target, seed, grow=0):
    """A flat for a cube, of `grow` more (or fewer) spaxels along each side."""
    rng = np.random.default_rng(seed)
    header = fits.getheader(source, 0)
    nz, ny, nx = fits.getdata(source, 'SCI').shape
    values = rng.normal(1, 0.05, (nz, ny + 2 * grow, nx + 2 * grow))
    values[rng.random(values.shape) < 0.01] = np.nan
    primary = fits.PrimaryHDU(values)
    for k, v in (('NSIGMA', 5), ('CHANNEL', header['CHANNEL']), ('BAND', header['BAND'].lower()), ('DEFRINGED', False)):
        primary.header[f'HIERARCH FLAT GENERATION {k}'] = v
    std = fits.ImageHDU(np.nanstd(values, axis=(1, 2)), name='FLAT_STD')
    fits.HDUList([primary, std]).writeto(target, overwrite=True)


def timed(label, seconds, function, *args, **kwargs):
    start = time.time()
    function(*args, **kwargs)
    theirs = time.time() - start
    print(f'  {label}: reference {theirs:.2f} s, ours {seconds:.2f} s, {theirs / seconds:.0f} times faster', flush=True)


def cube_steps(program, cube, seed, work, only):
    import background_subtraction
    import defringe_1d
    import desaturate_data
    import despike_data
    import flat_field

    name = Path(cube).name
    stem = f'{name} seed {seed}'
    given = work / name
    damaged(cube, given, seed)
    theirs, ours = work / 'theirs', work / 'ours'
    if 'despike' in only:
        t = sifu(program, 'despike', [given], ours)
        timed('despike', t, despike_data.despike_cube, str(given), str(theirs / name), progress_bar=False)
        compare(f'despike {stem}', theirs / name, ours / name, False)
    if 'background' in only:
        sky = work / ('sky_' + name)
        damaged(cube, sky, seed + 1000)
        t = sifu(program, 'background', [given], ours, background=sky)
        timed('background', t, background_subtraction.subtract_background, str(given), str(theirs / name), str(sky))
        compare(f'background {stem}', theirs / name, ours / name, False)
    if 'flat' in only:
        for grow in (0, 1, -2):
            flat = work / f'flat{grow}.fits'
            flat_of(given, flat, seed, grow)
            t = sifu(program, 'flat', [given], ours, flat=flat)
            timed('flat', t, flat_field.apply_flat, str(given), str(theirs / name), str(flat))
            compare(f'flat {stem} {grow}', theirs / name, ours / name, False)
    if 'desaturate' in only:
        paths = []
        for n in (5, 4, 3, 2, 1):
            paths.append(work / f'{n}_{name}')
            damaged(cube, paths[-1], seed * 100 + n, n)
        t = sifu(program, 'desaturate', paths[::-1], ours)
        timed('desaturate', t, desaturate_data.replace_saturated, [str(p) for p in paths], str(theirs / name))
        compare(f'desaturate {stem}', theirs / name, ours / paths[0].name, True)
    if 'defringe_1d' in only:
        # a corner, as the reference needs a third of a second a spaxel
        with fits.open(given) as hdul:
            part = work / ('part_' + name)
            ny, nx = hdul['SCI'].shape[1:]
            for key in ('SCI', 'ERR', 'DQ', 'WMAP'):
                hdul[key].data = hdul[key].data[:, ny // 2 - 4 : ny // 2 + 4, nx // 2 - 4 : nx // 2 + 4]
            hdul.writeto(part, overwrite=True)
        for label, ranges in (('all', None), ('ranges', [(0, np.median(waves(part))), (waves(part)[-90], 99)])):
            more = {} if ranges is None else {'wavelength_ranges': str([list(map(float, r)) for r in ranges])}
            t = sifu(program, 'defringe_1d', [part], ours, **more)
            timed('defringe_1d', t, defringe_1d.defringe_file, part, theirs / name, wavelength_ranges=ranges)
            compare(f'defringe_1d {stem} {label}', theirs / name, ours / part.name, True)


def waves(path):
    header = fits.getheader(path, 'SCI')
    return header['CRVAL3'] + header['CDELT3'] * np.arange(header['NAXIS3'])


def trim_groups(program, uncal, work):
    import remove_groups

    (work / 'stage0').mkdir(exist_ok=True)
    given = work / 'stage0' / Path(uncal).name
    given.write_bytes(Path(uncal).read_bytes())
    count = fits.getheader(given, 0)['NGROUPS']
    for n in (1, count - 1):
        out = work / f'few{n}'
        t = sifu(program, 'trim_groups', [given], out, ngroups=n)
        timed('trim_groups', t, remove_groups.remove_groups_from_file, str(given), [n])
        theirs = work / 'groups' / f'{n}_groups' / 'stage0' / given.name
        compare(f'trim_groups {n}', theirs, out / given.name, True)


def apart(ra1, dec1, ra2, dec2):
    """Angle between two directions, degrees: PlanetMapper's arc cosine knows a pixel's size to some 1e-4 only."""
    u, v = (
        np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])
        for a, d in np.deg2rad([[ra1, dec1], [ra2, dec2]])
    )
    return np.rad2deg(np.arctan2(np.linalg.norm(np.cross(u, v)), u @ v))


def psf(program, cube, kernels, work):
    import planetmapper
    import psf_correction

    planetmapper.Observation.angular_dist = staticmethod(apart)

    planetmapper.set_kernel_path(str(kernels))
    name = Path(cube).name
    t = sifu(program, 'psf', [cube], work / 'ours', kernels=f'"{kernels}"')
    timed('psf', t, psf_correction.correct_file, str(cube), str(work / 'theirs' / name))
    compare(f'psf {name}', work / 'theirs' / name, work / 'ours' / name, True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('pipelines')
    parser.add_argument('sifu')
    parser.add_argument('cubes', nargs='*')
    parser.add_argument('--uncal')
    parser.add_argument('--flats', help='folder of real flats: cubes of their shape are made for them')
    parser.add_argument('--nav', nargs='*', default=[])
    parser.add_argument('--kernels')
    parser.add_argument('--seeds', type=int, default=2)
    parser.add_argument('--work', default='planet_parity')
    parser.add_argument('--only', nargs='*', default=['despike', 'background', 'flat', 'desaturate', 'defringe_1d'])
    args = parser.parse_args()
    args.sifu = os.path.abspath(args.sifu) if os.path.exists(args.sifu) else args.sifu
    sys.path.insert(0, args.pipelines)
    work = Path(args.work).resolve()
    for folder in ('theirs', 'ours'):
        (work / folder).mkdir(parents=True, exist_ok=True)
    for cube in args.cubes:
        for seed in range(args.seeds):
            print(cube, 'seed', seed, flush=True)
            cube_steps(args.sifu, cube, seed, work, args.only)
    if args.uncal:
        trim_groups(args.sifu, args.uncal, work)
    if args.flats:
        real_flats(args.sifu, args.flats, work)
    for cube in args.nav:
        print(cube, flush=True)
        psf(args.sifu, cube, args.kernels, work)
    for key, value in worst.items():
        print(f'{key}: {value:.1e} relative at most')
    print('all agree' if not failures else f'{len(failures)} differences')
    return 1 if failures else 0


def real_flats(program, folder, work):
    import flat_field

    for flat in sorted(Path(folder).glob('*.fits')):
        header, shape = fits.getheader(flat, 0), fits.getdata(flat).shape
        key = 'HIERARCH FLAT GENERATION '
        rng = np.random.default_rng(1)
        primary = fits.PrimaryHDU()
        for k, v in (('TELESCOP', 'JWST'), ('INSTRUME', 'MIRI'), ('CHANNEL', header[key + 'CHANNEL']), ('BAND', header[key + 'BAND'])):
            primary.header[k] = v
        sci = rng.normal(100, 10, shape).astype('f4')
        hdus = [primary] + [
            fits.ImageHDU(v, name=n)
            for n, v in (('SCI', sci), ('ERR', sci / 50), ('DQ', np.zeros(shape, 'u4')), ('WMAP', np.ones(shape, 'f4')))
        ]
        given = work / 'real_s3d.fits'
        fits.HDUList(hdus).writeto(given, overwrite=True)
        t = sifu(program, 'flat', [given], work / 'ours', flat=flat)
        timed('flat', t, flat_field.apply_flat, str(given), str(work / 'theirs' / given.name), str(flat))
        compare(f'flat {flat.name}', work / 'theirs' / given.name, work / 'ours' / given.name, False)


if __name__ == '__main__':
    sys.exit(main())
