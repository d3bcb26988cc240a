#!/usr/bin/env python3
"""Times backplanes of a 200 x 200 field: sifu, the JWSTGiantPlanets navigator and PlanetMapper, in one run.

    python tests/parity/nav_speed.py --pipelines PIPELINES --kernels KERNELS --cube CUBE [--sifu target/release/sifu] [--size 200]

Needs planetmapper, jwst and spiceypy. PIPELINES is a checkout of github JWSTGiantPlanets/pipelines; KERNELS a folder with kernels; CUBE
an `_s3d` of a body with radii, as the pipeline writes it. The cube's field is made SIZE x SIZE spaxels about its target, so that the disc
fills it (the worst case), with three wavelengths. Wall times: the Python ones without loading of modules and kernels, sifu's as
a whole process (start, kernels, reading, writing), and by itself with many repetitions inside one process of many files.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np


def field(cube, path, size, spaxels):
    """A cube of SIZE x SIZE x 3 with the headers and gwcs of a real one, the disc as wide as the field."""
    from astropy.io import fits
    from jwst import datamodels
    from jwst.assign_wcs import pointing

    with fits.open(cube) as h:
        head = h[1].header
        ra, dec = h[0].header['TARG_RA'], h[0].header['TARG_DEC']
        model = datamodels.IFUCubeModel(cube)
    model.data = np.ones((3, size, size), np.float32)
    model.err = np.ones_like(model.data)
    model.dq = np.zeros(model.data.shape, np.uint32)
    model.weightmap = np.ones_like(model.data)
    info = model.meta.wcsinfo
    info.crpix1 = info.crpix2 = (size + 1) / 2
    info.crval1, info.crval2 = ra, dec
    info.cdelt1 = info.cdelt2 = spaxels / size
    model.meta.wcs = pointing.create_fitswcs(model)
    model.save(path)
    return head


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name in ('pipelines', 'kernels', 'cube'):
        ap.add_argument('--' + name, required=True)
    ap.add_argument('--sifu', default='target/release/sifu')
    ap.add_argument('--size', type=int, default=200)
    ap.add_argument('--repeat', type=int, default=20)
    a = ap.parse_args()
    sys.path.insert(0, os.path.abspath(a.pipelines))
    kernels, sifu = os.path.abspath(a.kernels), os.path.abspath(a.sifu)
    os.environ['PLANETMAPPER_KERNEL_PATH'] = kernels
    import planetmapper
    import spiceypy as sp
    warnings.simplefilter('ignore')
    planetmapper.base.prevent_kernel_loading()
    for n in sorted(os.listdir(kernels)):
        if n.endswith(('.tls', '.tpc', '.bsp')) and n != 'zoo.bsp':
            sp.furnsh(os.path.join(kernels, n))
    import navigate_jwst_observations as nav
    nav.get_latest_jwst_recorded_kernel_date(kernels)
    work = tempfile.mkdtemp()
    try:
        from astropy.io import fits
        head = fits.getheader(a.cube)
        et = (sp.str2et(head['DATE-BEG']) + sp.str2et(head['DATE-END'])) / 2
        far = np.linalg.norm(sp.spkpos(head['TARGNAME'], et, 'J2000', 'CN', 'JWST')[0])
        wide = np.degrees(2 * sp.bodvrd(head['TARGNAME'], 'RADII', 3)[1][2] / far)
        os.makedirs(os.path.join(work, 'stage3'))
        files = [os.path.join(work, 'stage3', f'{i}_s3d.fits') for i in range(a.repeat)]
        field(a.cube, files[0], a.size, wide)
        for f in files[1:]:
            shutil.copy(files[0], f)

        def timed(what):
            start = time.perf_counter()
            what()
            return time.perf_counter() - start

        out = os.path.join(work, 'out')
        times = {}
        for planes in ('nav17', 'all'):
            def run(paths):
                subprocess.run([sifu, '-q', 'navigate', *paths, '-o', out, '-k', kernels, '--planes', planes], check=True)
            run(files[:1])
            one = sorted(timed(lambda: run(files[:1])) for _ in range(5))[2]
            many = timed(lambda: run(files))
            times[planes] = one, (many - one) / (len(files) - 1)
        python = timed(lambda: nav.navigate_file(files[0]))

        def mapper():
            obs = planetmapper.Observation(files[0])
            obs.disc_from_wcs(suppress_warnings=True)
            obs.save_observation(os.path.join(work, 'pm.fits'), print_info=False, include_wireframe=False)
        planet = timed(mapper)
        print(f'{a.size} x {a.size} spaxels of {head["TARGNAME"]}')
        for planes, name, slow in (('nav17', 'navigator', python), ('all', 'PlanetMapper', planet)):
            one, each = times[planes]
            print(f'{planes}: {name} {slow:.2f} s; sifu {one * 1e3:.0f} ms a process ({slow / one:.0f}x), '
                  f'{each * 1e3:.1f} ms a file ({slow / each:.0f}x)')
    finally:
        shutil.rmtree(work)


if __name__ == '__main__':
    main()
