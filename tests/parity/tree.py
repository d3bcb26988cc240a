#!/usr/bin/env python3
"""Compares a directory that the reference pipeline reduced with the same directory as `sifu run` reduced it.

    tree.py REFERENCE OURS [--sifu PROGRAM --kernels DIR [--flats PATTERN]] [--fixes] [--work DIR] [--only STEP...]

REFERENCE is the root that github JWSTGiantPlanets/pipelines (`miri_pipeline.py`) filled, OURS a root with the same `stage0`
that `sifu run` filled with the options of the same meaning. Both are only read. In order:

paths     every relative path that only one of them has; plots and films are counted apart, and so are the associations of a
          spectral leak that has nothing to correct, as 1B or 3A is missing (the reference writes them all the same)
products  every file of both, as it is: HDUs, associations (members, product), cards of the headers that the chain writes,
          and the share of values within 1e-4. The two chains hand on their own cubes, so this sums up all that went before
steps     with --sifu: every product of the reference after calibration is made anew by `sifu step` (`sifu navigate`) from the
          reference's own input of it, with the step's `compatible` switch, and must agree: values to 1e-6, backplanes to
          1e-6 or 1e-5 km, deg or h, flags, HDUs and cards equal (DQ of flat and despike, to which the reference adds, only
          in what is flagged)
fixes     with --fixes: the same with the switch off, and how many values of each HDU that changes

--kernels is the folder of SPICE kernels the reference was run with, --flats the pattern of its flats. Needs numpy and astropy,
and both roots: they take the reference minutes to hours. The reference as of 2024 runs with jwst 3.0.0. Ends with status 1
where a path is missing or a step differs.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits
from compare import header_differences, within
from planet import OWN, cards, failures, fail, worst
from planet import compare as compare_step
from planet import sifu as run_step

#: Made by other parts of the chain than cubes are.
PICTURES = ('plots/', 'animation/')
RECORDS = ('.sifu/', 'sifu_report.json', 'report')
#: What planet steps write into primary headers.
NOTES = re.compile(r'REDUCT\d|NAV |FRINGE1D|PSF|DESAT|FLAT|CLEAN|BACKGROUND|REMOVE_GROUP|NGROUPS|S_|PATT_NUM|ASNTABLE')
#: Planes are compared to this too, in km, deg or h.
PLANE = 1e-5


def tree(root):
    return {str(p.relative_to(root)) for p in root.rglob('*') if p.is_file()}


def below(path):
    """A path without its folder of group counts."""
    return re.sub(r'^(groups/\d+_groups)?/?', '', path)


def leaks(folder):
    """Whether spectra are there that the spectral leak goes from and to."""
    return all(any(folder.glob(f'*_{band}_x1d.fits')) for band in ('ch1-medium', 'ch3-short'))


def paths(theirs, ours):
    """Prints what only one has; gives what both have."""
    a, b = tree(theirs), tree(ours)
    pictures = lambda p: below(p).startswith(PICTURES)
    for label, only in (('only of the reference', a - b), ('only of ours', b - a)):
        only = {p for p in only if not p.startswith(RECORDS)}
        idle = {p for p in only if p.endswith('_x1d_asn.json') and not leaks((theirs / p).parent)}
        rest = sorted(p for p in only - idle if not pictures(p))
        films = len(only) - len(idle) - len(rest)
        print(f'{len(rest)} files {label}; {films} plots and films, {len(idle)} associations of a spectral leak without 1B and 3A')
        for path in rest:
            fail(f'paths: {label}: {path}') if label.endswith('reference') else print('  ', path)
    return sorted(a & b)


def association(theirs, ours):
    """Differences of two associations in what a reader of them uses."""
    read = lambda p: json.loads(p.read_text())['products']
    bad = []
    for a, b in zip(read(theirs), read(ours), strict=True):
        if a['name'] != b['name']:
            bad.append(f'product {b["name"]}, not {a["name"]}')
        member = lambda m: (Path(m['expname']).name, m['exptype'])
        if sorted(map(member, a['members'])) != sorted(map(member, b['members'])):
            bad.append(f'members {[member(m) for m in b["members"]]}, not {[member(m) for m in a["members"]]}')
    return bad


def product(theirs, ours):
    """Differences of two files as they are, and the least share of values within 1e-4."""
    bad, least = [], (1.0, '')
    with fits.open(theirs) as a, fits.open(ours) as b:
        names = [[h.name for h in x if h.name != 'ASDF'] for x in (a, b)]
        if names[0] != names[1]:
            bad.append(f'HDUs {names[1]}, not {names[0]}')
        mine = {k for k in a[0].header if not NOTES.match(k) or k.endswith((' DATE', 'VERSION'))}
        bad += header_differences(a[0].header, b[0].header, mine, 1e-6)
        for hdu in a[1:]:
            if hdu.name not in names[1] or hdu.name == 'ASDF' or hdu.data is None:
                continue
            x, y = hdu.data, b[hdu.name].data
            if not hdu.is_image:
                if len(x) != len(y) or x.names != y.names:
                    bad.append(f'{hdu.name}: {len(y)} rows of {len(y.names)} columns, not {len(x)} of {len(x.names)}')
                    continue
                for name in x.names:
                    if x[name].dtype.kind == 'f' and x[name].shape == y[name].shape:
                        least = min(least, (within(x[name], y[name], 1e-4)[0], f'{name} of {hdu.name}'))
            elif x.shape != y.shape or x.dtype.kind != y.dtype.kind:
                bad.append(f'{hdu.name}: {y.dtype} {y.shape}, not {x.dtype} {x.shape}')
            else:
                least = min(least, (within(x, y, 1e-4)[0], hdu.name))
    return bad, least


def products(theirs, ours, both):
    """Compares all files that both have; a line for each kind of folder."""
    rows = {}
    for path in both:
        a, b = theirs / path, ours / path
        if path.endswith('.json') and not path.startswith(RECORDS):
            bad, least = association(a, b), (1.0, '')
        elif path.endswith('.fits'):
            bad, least = product(a, b)
        else:
            continue
        stage = Path(below(path)).parts[0] + (' (fewer groups)' if path.startswith('groups/') else '')
        kind = f'{stage} {Path(path).stem.split("_")[-1]}'
        n, low = rows.get(kind, (0, (1.0, '', '')))
        rows[kind] = (n + 1, min(low, (*least, path)))
        for line in bad:
            print(f'   {path}: {line}')
    for kind, (n, (share, hdu, path)) in rows.items():
        print(f'  {kind:<40} {n:4} files, at least {share:.6f} of values within 1e-4' + (f' ({hdu} of {path})' if hdu else ''))


def origin(root, path):
    """The step that made a product of the reference, and its inputs; none for what calibration made."""
    p = root / path
    stage, parts = below(path), Path(path).parts
    top = root / Path(*parts[: len(parts) - len(Path(stage).parts)])
    with_folder = lambda name: p.parent.parent / name / p.name
    tags = p.parent.name.split('_')
    less = lambda tag: with_folder('_'.join(t for t in tags if t != tag))
    if path.startswith('groups/') and stage.startswith('stage0/'):
        return 'trim_groups', [root / stage]
    if path.endswith('_residual_fringe.fits'):
        return 'residual_fringe', [p.with_name(p.name.replace('_residual_fringe', '_cal'))]
    if stage.startswith('stage3/') and p.name.endswith(('_s3d.fits', '_nav.fits')):
        if 'psf' in tags:
            return 'psf', [less('psf')]
        if p.name.endswith('_nav.fits'):
            return 'navigate', [p.with_name(p.name.replace('_nav', ''))]
        return ('defringe_1d', [less('fringe1d')]) if 'fringe1d' in tags else None
    place = f'{tags and p.parent.name}/{p.name}'
    if stage.startswith('stage3_desaturated/'):
        counts = sorted(root.glob('groups/*_groups'), key=lambda d: -int(d.name.split('_')[0]))
        return 'desaturate', [q for d in (top, *counts) if (q := d / 'stage3' / place).exists()]
    before = root / 'stage3_desaturated' if (root / 'stage3_desaturated').exists() else root / 'stage3'
    if stage.startswith('stage4_flat/'):
        return 'flat', [before / place]
    if stage.startswith('stage5_despike/'):
        return 'despike', [root / 'stage4_flat' / place]
    return None


def planes(label, theirs, ours):
    """Compares a navigated file with ours."""
    with fits.open(theirs) as a, fits.open(ours) as b:
        names = [[h.name for h in x] for x in (a, b)]
        if names[0] != names[1]:
            fail(f'{label}: HDUs {names[1]}, not {names[0]}')
        ignore = {k for k in a[0].header if k in OWN or k.endswith((' DATE', 'VERSION', 'CLASS'))}
        for line in header_differences(a[0].header, b[0].header, ignore):
            fail(f'{label} header: {line}')
        for hdu in a[1:]:
            if hdu.name not in names[1] or not hdu.is_image or hdu.data is None:
                continue
            x, y = np.asarray(hdu.data, 'f8'), np.asarray(b[hdu.name].data, 'f8')
            off = np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0, np.abs(x - y))
            allowed = PLANE if hdu.data.ndim == 2 else 0
            bad = ~(off <= np.fmax(allowed, 1e-6 * np.abs(x)))
            key = f'navigate:{hdu.name}'
            worst[key] = max(worst.get(key, 0), float(np.nanmax(off, initial=0)))
            if bad.any():
                fail(f'{label} {hdu.name}: {int(bad.sum())} of {bad.size} differ')


def changes(before, after):
    """How many values of each HDU differ between two files of ours, in words."""
    out = []
    with fits.open(before) as a, fits.open(after) as b:
        for hdu in a[1:]:
            if hdu.name not in [h.name for h in b] or not hdu.is_image or hdu.data is None:
                continue
            x, y = hdu.data, b[hdu.name].data
            if x.dtype != y.dtype:
                out.append(f'{hdu.name} is {y.dtype}, not {x.dtype}')
            if x.shape != y.shape:
                out.append(f'{hdu.name} has the shape {y.shape}, not {x.shape}')
                continue
            x, y = np.asarray(x, 'f8'), np.asarray(y, 'f8')
            n = int((~((x == y) | (np.isnan(x) & np.isnan(y)))).sum())
            if n:
                out.append(f'{hdu.name} {n} of {x.size}')
        known = {c.keyword: c.value for c in a[0].header.cards}
        other = {c.keyword: c.value for c in b[0].header.cards}
        skip = lambda k: k in OWN or k.endswith(' DATE')
        keys = [k for k in {**known, **other} if not skip(k) and str(known.get(k)) != str(other.get(k))]
    return ', '.join(out + [f'card {k}' for k in keys]) or 'nothing'


def flat_of(pattern, path):
    """The flat that the reference takes for a cube."""
    header = fits.getheader(path, 0)
    fringe = '_fringe' if header.get('S_RESFRI') == 'COMPLETE' else ''
    return pattern.format(channel=header['CHANNEL'], band=header['BAND'].lower(), fringe=fringe)


def steps(theirs, args):
    """Every later product of the reference, made by ours from the reference's input of it."""
    count, changed = {}, {}
    with tempfile.TemporaryDirectory(dir=args.work) as folder:
        for path in sorted(tree(theirs)):
            made = origin(theirs, path)
            if made is None or not path.endswith('.fits') or (args.only and made[0] not in args.only):
                continue
            step, inputs = made
            name, parameters = inputs[0].name, {}
            if step == 'trim_groups':
                parameters['ngroups'] = re.match(r'groups/(\d+)_', path)[1]
            if step == 'psf':
                parameters['kernels'] = f'"{args.kernels}"'
            if step == 'flat':
                parameters['flat'] = f'"{flat_of(args.flats, inputs[0])}"'
            outs = [Path(folder) / switch for switch in ('on', 'off')]
            product = theirs / path
            label = f'{step} {path}'
            count[step] = count.get(step, 0) + 1
            if step in ('navigate', 'residual_fringe'):
                verb, more = (['navigate'], ['-k', args.kernels]) if step == 'navigate' else (['step', step], [])
                command = [args.sifu, *verb, inputs[0], '-o', outs[0], *more]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    fail(f'{label}: {done.stderr.strip()}')
                elif step == 'navigate':
                    planes(label, product, outs[0] / product.name)
                else:
                    compare_step(label, product, outs[0] / product.name, True)
                continue
            run_step(args.sifu, step, inputs, outs[0], **parameters)
            compare_step(label, product, outs[0] / name, step not in ('flat', 'despike'))
            if args.fixes and step != 'defringe_1d':
                run_step(args.sifu, step, inputs, outs[1], **parameters, compatible='false')
                changed.setdefault(step, []).append((path, changes(outs[0] / name, outs[1] / name)))
    print('products per step:', ', '.join(f'{k} {v}' for k, v in count.items()))
    for key, value in sorted(worst.items()):
        print(f'  {key}: at most {value:.1e}' + ('' if key.startswith('navigate') else ' relative'))
    for step, lines in changed.items():
        print(f'{step}: what the fixes change')
        for path, line in lines:
            print(f'  {path}: {line}')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('reference', type=Path)
    parser.add_argument('ours', type=Path)
    parser.add_argument('--sifu')
    parser.add_argument('--kernels')
    parser.add_argument('--flats')
    parser.add_argument('--fixes', action='store_true')
    parser.add_argument('--work', help='folder for temporary files')
    parser.add_argument('--only', nargs='*', help='only these steps')
    args = parser.parse_args()
    print('PATHS')
    both = paths(args.reference, args.ours)
    if not args.only:
        print('PRODUCTS')
        products(args.reference, args.ours, both)
    if args.sifu:
        print('STEPS')
        steps(args.reference, args)
    print('all agree' if not failures else f'{len(failures)} differences')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
