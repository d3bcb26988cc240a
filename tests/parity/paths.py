#!/usr/bin/env python3
"""Compares the files that `sifu plan` would make with those that the reference pipeline makes, over many options.

    paths.py PIPELINES SIFU [--crds CACHE --context CONTEXT] [--some N --seed N] [--work DIR]

PIPELINES is a checkout of github JWSTGiantPlanets/pipelines, SIFU the program. The reference's own bookkeeping (variants,
groups, names, folders) is run as it is, on exposures without pixels; the calibration pipeline and the steps that compute
are replaced by functions that only write the files which the real ones write. So hundreds of combinations of options take
minutes, and neither jwst nor SPICE kernels are needed: numpy, astropy, tqdm and the checkout's other imports are.

Where the two differ on purpose the difference is checked for what it is:
a correction that is `on` (not `both`) for the PSF, whose untagged input the reference does not navigate and so finds nothing.
Ends with status 1 where a path differs otherwise.
"""

import argparse
import contextlib
import io
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import numpy as np
from astropy.io import fits

#: Products that follow from stage 0 and that both sides name; associations are compared by tree.py on real runs.
SUFFIX = '.fits'
TOGGLES = {'no': False, 'yes': True, 'both': 'both'}


def header_of(path):
    return fits.getheader(path, 0)


def touch(path, header, **keys):
    """A file that is a header."""
    header = header.copy()
    header.update(keys)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    fits.PrimaryHDU(header=header).writeto(path, overwrite=True)


class Association(dict):
    """What asn_from_list gives, as far as the reference uses it."""

    def dump(self):
        return 'json', json.dumps(self)


def asn_from_list(files, product_name, rule=None):
    members = [{'expname': str(f), 'exptype': 'science'} for f in files]
    return Association(products=[{'name': product_name, 'members': members}])


def members(association):
    with open(association, encoding='utf-8') as file:
        product = json.load(file)['products'][0]
    folder = Path(association).parent
    return product['name'], [folder / m['expname'] for m in product['members'] if m['exptype'] == 'science']


class Detector1Pipeline:
    @staticmethod
    def call(path, output_dir, **_):
        for kind in ('rate', 'rateints'):
            touch(Path(output_dir) / Path(path).name.replace('uncal', kind), header_of(path))


class Spec2Pipeline:
    @staticmethod
    def call(path, output_dir, **_):
        name, (rate,) = members(path)
        touch(Path(output_dir) / f'{name}_cal.fits', header_of(rate))


class ResidualFringeStep:
    @staticmethod
    def call(path, output_dir, **_):
        touch(Path(output_dir) / Path(path).name.replace('_cal', '_residual_fringe'), header_of(path), S_RESFRI='COMPLETE')


class Spec3Pipeline:
    @staticmethod
    def call(path, output_dir, **_):
        name, files = members(path)
        header = header_of(files[0])
        for channel in header['CHANNEL']:
            for kind in ('s3d', 'x1d'):
                file = f'{name}_ch{channel}-{header["BAND"].lower()}_{kind}.fits'
                touch(Path(output_dir) / file, header, CHANNEL=channel, PATT_NUM=len(files))


class SpectralLeakStep:
    @staticmethod
    def call(*_, **__):
        return []


def fake(name, **members):
    module = types.ModuleType(name)
    module.__dict__.update(members)
    sys.modules[name] = module


def copy(source, target, *_, **__):
    touch(target, header_of(source))


def reference(pipelines):
    """The reference's module with the computing parts replaced."""
    for name in ('jwst', 'jwst.associations', 'jwst.associations.lib'):
        fake(name)
    fake('jwst.associations.asn_from_list', asn_from_list=asn_from_list)
    fake('jwst.associations.lib.rules_level3_base', DMS_Level3_Base=None)
    stages = dict(Detector1Pipeline=Detector1Pipeline, Spec2Pipeline=Spec2Pipeline, Spec3Pipeline=Spec3Pipeline)
    fake('jwst.pipeline', **stages)
    fake('jwst.residual_fringe', ResidualFringeStep=ResidualFringeStep)
    fake('jwst.spectral_leak', SpectralLeakStep=SpectralLeakStep)

    def navigate(*paths, **_):
        for path in paths:
            copy(path, path.replace('.fits', '_nav.fits'))

    fake('navigate_jwst_observations', load_kernels=lambda: None, navigate_multiple=navigate)
    fake('desaturate_data', replace_saturated=lambda paths, out: copy(paths[0], out))
    fake('despike_data', despike_cube=copy)
    fake('defringe_1d', defringe_file=copy)
    fake('flat_field', apply_flat=copy)
    error = type('NoTarget', (Exception,), {})
    fake('psf_correction', correct_file=copy, TargetTooSmallError=error, TargetNotInFovError=error)
    fake('jwst_summary_plots')
    fake('jwst_summary_animation')
    sys.path.insert(0, pipelines)
    import miri_pipeline

    return miri_pipeline


def observation(root, bands, dithers, tiles, groups, detectors=('MIRIFUSHORT', 'MIRIFULONG')):
    """Exposures of an observation, pixels left out."""
    number = itertools.count(1)
    for tile, dither, band, detector in itertools.product(range(tiles), range(1, dithers + 1), bands, detectors):
        header = fits.Header()
        ngroups = groups[next(number) % len(groups)]
        values = dict(
            TELESCOP='JWST', INSTRUME='MIRI', EXP_TYPE='MIR_MRS', DETECTOR=detector, BAND=band, PATT_NUM=dither,
            CHANNEL={'MIRIFUSHORT': '12', 'MIRIFULONG': '34'}[detector], OBSERVTN=f'00{tile + 1}', ACT_ID='01',
            NGROUPS=ngroups, NINTS=1, TARGNAME='NEPTUNE', S_RESFRI='SKIPPED', SUBARRAY='FULL', READPATT='FASTR1',
        ) | {'DATE-OBS': '2025-03-14', 'TIME-OBS': '05:06:07.000'}  # fmt: skip
        header.update(values)
        name = f'jw0900100{tile + 1}001_021{bands.index(band) + 1:02}_0000{dither}_{detector.lower()}_uncal.fits'
        path = root / 'stage0' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        sci = fits.ImageHDU(np.zeros((1, ngroups, 1, 1), 'u2'), name='SCI')
        fits.HDUList([fits.PrimaryHDU(header=header), sci]).writeto(path)


def tree(root):
    return {str(p.relative_to(root)) for p in root.rglob('*' + SUFFIX)}


def theirs(module, source, options, flats):
    """The reference's tree."""
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        root = Path(folder) / 'root'
        shutil.copytree(source, root)
        skip = ['plot', 'animate']
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            module.run_pipeline(str(root), skip_steps=skip, flat_data_path=str(flats), **options)
        return tree(root)


def ours(program, source, options, flats, common):
    """The tree of our plan."""
    command = [program, '-q', 'plan', str(source), '--json', '--flats', str(flats), *common]
    word = {v: k for k, v in TOGGLES.items()}
    for key, value in options.items():
        if key in ('defringe', 'defringe_1d', 'correct_psf', 'background_subtract'):
            command.append(f'--{key.replace("_", "-")}={word[value]}')
        elif key == 'background_path' and value:
            command += ['--background', value]
        elif key == 'desaturate' and value:
            command.append('--desaturate')
        elif key == 'groups_to_use' and value:
            command += ['--groups-to-use', ','.join(map(str, value))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f'{" ".join(command)}:\n{done.stderr}')
    outputs = {o for task in json.loads(done.stdout)['tasks'] for o in task['outputs']}
    return tree(source) | {o for o in outputs if o.endswith(SUFFIX)}


def tags(path):
    """Tags of the variant that a path below stage 3 belongs to."""
    parts = Path(path).parts
    return set(parts[-2].split('_')[1:]) if len(parts) > 1 else set()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('pipelines')
    parser.add_argument('sifu')
    parser.add_argument('--crds', help='a CRDS cache with MIRI MRS references of SHORT and MEDIUM, if the environment names none')
    parser.add_argument('--context')
    parser.add_argument('--some', type=int, default=100, help='combinations of options for each observation, of 405')
    parser.add_argument('--seed', type=int, default=1, help='chooses them')
    parser.add_argument('--work', help='folder for temporary files')
    args = parser.parse_args()
    program = os.path.abspath(args.sifu)
    common = [*(['--crds', args.crds] if args.crds else []), *(['--context', args.context] if args.context else [])]
    module = reference(args.pipelines)
    count, failures = 0, 0
    with tempfile.TemporaryDirectory(dir=args.work) as folder:
        work = Path(folder)
        flats = work / 'flats'
        for channel, band, fringe in itertools.product('1234', ('short', 'medium'), ('', '_fringe')):
            touch(flats / f'ch{channel}-{band}_constructed_flat{fringe}.fits', fits.Header())
        cases = {
            'two dithers, both detectors, two bands': (['SHORT', 'MEDIUM'], 2, 1, [4]),
            'one dither': (['SHORT'], 1, 1, [3]),
            'two tiles': (['SHORT'], 2, 2, [3]),
            'exposures of 2 and 5 groups': (['SHORT'], 2, 1, [2, 5, 5]),
        }
        for label, (bands, dithers, tiles, groups) in cases.items():
            root, sky = work / label.replace(' ', '_') / 'in', work / label.replace(' ', '_') / 'sky'
            observation(root, bands, dithers, tiles, groups)
            # a background of one detector of the first band only
            observation(sky, bands[:1], 1, 1, [4], ['MIRIFULONG'])
            for rate in sorted((sky / 'stage0').iterdir()):
                touch(sky / 'stage1' / rate.name.replace('uncal', 'rate'), header_of(rate))
            backgrounds = [(None, 'both'), (None, False), (str(sky), True), (str(sky), 'both'), (str(sky), False)]
            saturation = [(False, None), (True, None), (True, [1, 3])]
            some = TOGGLES.values()
            every = list(itertools.product(backgrounds, some, some, some, saturation))
            chosen = random.Random(args.seed).sample(every, min(args.some, len(every)))
            for (path, subtract), fringe, fringe1d, psf, (desaturate, use) in chosen:
                options = dict(
                    background_path=path, background_subtract=subtract, defringe=fringe, defringe_1d=fringe1d,
                    correct_psf=psf, desaturate=desaturate, groups_to_use=use,
                )  # fmt: skip
                a = theirs(module, root, options, flats)
                b = ours(program, root, options, flats, common)
                if psf is True:
                    # the reference makes none of these cubes; asked for both it makes them beside the others
                    both = theirs(module, root, {**options, 'correct_psf': 'both'}, flats)
                    stages = ('stage3_desaturated/', 'stage4', 'stage5')
                    late = {p for p in both if p.startswith(stages) and 'psf' not in tags(p)}
                    a = both - late
                count += 1
                if a != b:
                    failures += 1
                    print(f'{label}, {options}:\n  missing {sorted(a - b)}\n  more    {sorted(b - a)}', flush=True)
            print(f'{label}: done', flush=True)
    print(f'{count} combinations of options, {failures} with other paths')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
