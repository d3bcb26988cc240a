"""Makes cubes.asdf: the WCS that jwst gives to cubes of some keywords, points, and their values.

Usage, with jwst 3.0.0 installed:
    python make_cubes.py cubes.asdf
"""

import sys

import asdf
import numpy as np
from jwst.assign_wcs import pointing
from stdatamodels.jwst import datamodels


def cube(name, center, angle, size, wave):
    nz, ny, nx = size
    model = datamodels.IFUCubeModel(data=np.zeros(size, "f4"))
    model.meta.coordinates.reference_frame = "ICRS"
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    # steps are of single precision, as in a cubepar file
    words = {
        "crpix1": (nx + 1) / 2, "crpix2": (ny + 1) / 2, "crpix3": 1.0,
        "crval1": center[0], "crval2": center[1],
        "cdelt1": float(np.float32(0.13)) / 3600, "cdelt2": float(np.float32(0.13)) / 3600,
        "pc1_1": -c, "pc1_2": s, "pc2_1": s, "pc2_2": c,
        "ctype1": "RA---TAN", "ctype2": "DEC--TAN", "cunit1": "deg", "cunit2": "deg", "cunit3": "um",
    }
    if wave is None:
        words |= {"ctype3": "WAVE", "crval3": 4.900400095357327, "cdelt3": float(np.float32(0.0008))}
    else:
        words |= {"ctype3": "WAVE-TAB", "crval3": 1.0}
        model.wavetable = np.array([(wave[None].T,)], dtype=[("wavelength", "<f4", (len(wave), 1))])
    for key, value in words.items():
        setattr(model.meta.wcsinfo, key, value)
    model.meta.wcsinfo.wcsaxes = 3
    for key in ["pc1_3", "pc2_3", "pc3_1", "pc3_2"]:
        setattr(model.meta.wcsinfo, key, 0)
    model.meta.wcsinfo.pc3_3 = 1
    wcs = pointing.create_fitswcs(model)
    wcs.bounding_box = ((0, nx - 1), (0, ny - 1), (0, nz - 1))
    rng = np.random.default_rng(3)
    points = rng.uniform(0, 1, (3, 60)) * np.array([[nx - 1], [ny - 1], [nz - 1]])
    points[:, :3] = [[0, nx - 1, nx], [0, ny - 1, 1], [0, nz - 1, 1]]
    inside = points.copy()
    inside[0, 2] = 1
    return {
        "name": name,
        "keywords": {k.upper(): v for k, v in words.items()},
        "shape": list(size),
        "wavelength": wave,
        "wcs": wcs,
        "points": points,
        "values": np.array(wcs(*points)),
        "back": np.array(wcs.forward_transform.inverse(*wcs(*inside))),
    }


table = np.concatenate([4.9 + 0.0008 * np.arange(20), 5.2 + 0.0013 * np.arange(20)]).astype("f4")
cases = [
    cube("skyalign", (54.321826161272156, 18.765430583304394), 0.0, (50, 21, 23), None),
    cube("ifualign", (0.00002, -71.3), 37.3, (40, 31, 12), None),
    cube("table", (359.99999, 88.1), 190.0, (40, 11, 13), table),
]
asdf.AsdfFile({"cases": cases}).write_to(sys.argv[1])
