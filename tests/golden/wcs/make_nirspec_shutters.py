"""Golden pixels of shutters that are stuck open, by Python's jwst 3.0.0 msa_flagging, with the invented spectrograph of make_nirspec.py.

    python make_nirspec_shutters.py nirspec_shutters.asdf
"""

import json
import sys
import tempfile
from pathlib import Path

import asdf
import numpy as np
from astropy.modeling import models as m
from jwst.msaflagopen import msaflag_open
from make_nirspec import exposure, instrument, keywords
from stdatamodels.jwst import datamodels as dm

# quadrant, column, row
SHUTTERS = [(1, 3, 1), (1, 300, 2), (2, 77, 2), (3, 365, 1), (4, 1, 2), (4, 150, 1)]


def array(folder):
    """Two rows of shutters a quadrant."""
    msa = dm.MSAModel()
    for q, (dx, dy) in enumerate([(-0.01, -0.03), (-0.012, 0.004), (0.004, -0.031), (0.006, 0.005)], 1):
        n = np.arange(2 * 365)
        rows = np.zeros(n.size, [("NO", "<i4"), ("XC", "<f4"), ("YC", "<f4"), ("SIZEX", "<f4"), ("SIZEY", "<f4")])
        rows["NO"], rows["XC"], rows["YC"] = n + 1, (n % 365) * 4e-5, (n % 365) * 7e-5 + (n // 365) * 4e-4
        rows["SIZEX"], rows["SIZEY"] = 8e-5, 3.3e-4
        model = m.Rotation2D(0.02 * q) | m.Shift(dx) & m.Shift(dy)
        setattr(msa, f"Q{q}", {"data": rows, "model": model})
    setattr(msa, "Q5", {"data": rows[:6], "model": model})
    meta = msa.meta
    meta.telescope, meta.instrument.name, meta.author, meta.pedigree = "JWST", "NIRSPEC", "golden", "GROUND"
    meta.useafter, meta.description, meta.reftype, meta.exposure.type = "2022-01-01T00:00:00", "invented", "msa", "NRS_IFU"
    path = str(Path(folder) / "msa.asdf")
    msa.save(path)
    return path


def flagged(image, refs, shutter, folder):
    q, x, y = shutter
    path = Path(folder) / "msaoper.json"
    entry = {"Q": q, "x": x, "y": y, "state": "open", "TA state": "", "Internal state": ""}
    path.write_text(json.dumps({"msaoper": [entry]}))
    out = msaflag_open.do_correction(image.copy(), str(path), refs)
    return np.flatnonzero(out.dq & (1 << 29))


def main(out):
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        files = instrument(folder)
        files["msa"] = array(folder)
        with asdf.open(files["msa"], lazy_load=False, memmap=False) as f:
            msa = {k: v for k, v in f.tree.items() if k not in ("history", "asdf_library", "meta")}
        for filt, grating, detector, dx, velosys in (
            ("F290LP", "G395H", "NRS1", 0.0004, None), ("F290LP", "G395H", "NRS2", -0.0011, -23456.7),
            ("CLEAR", "PRISM", "NRS1", 0.0, 12000.0),
        ):
            image = exposure(filt, grating, detector, 0.34 + dx, 0.0302, velosys)
            chosen = {k: files[k] for k in files if "-" not in k}
            chosen["disperser"] = files["disperser-" + grating]
            pixels = [flagged(image, chosen, s, folder) for s in SHUTTERS]
            print(grating, detector, [p.size for p in pixels])
            cases.append({"keywords": keywords(image), "shutters": np.array(SHUTTERS, float),
                          "pixels": [int(p.size) for p in pixels], "places": [int(p.sum()) for p in pixels]})
    tree = {"msa": msa, "cases": cases}
    asdf.AsdfFile(tree).write_to(out, all_array_storage="internal", all_array_compression="zlib")


if __name__ == "__main__":
    main(*sys.argv[1:])
