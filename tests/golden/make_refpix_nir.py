"""Make the golden cases of refpix for NIRSpec: traditional readout and IRS2.

    python make_refpix_nir.py [FOLDER]        # default: the folder of this script

Needs the Python pipeline, jwst 3.0.0. Exposures (and the weights of IRS2) are numbers that the test makes too;
FOLDER/refpix_nir/golden.json.gz holds what jwst makes of some pixels, as the bits of single precision, and how many
pixels have which flags.
"""

import gzip
import json
import logging
import sys
from pathlib import Path

import numpy as np
from jwst.refpix import irs2_subtract_reference as irs2
from jwst.refpix.reference_pixels import correct_model
from stdatamodels.jwst import datamodels

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
N, FRAME, LENGTH = 2048, 3200, 2048 * 712
DNU, BAD = 1, 1 << 17


def numbers(count, seed):
    """Numbers from 0 to 255.75 in steps of 0.25."""
    n = np.arange(count, dtype=np.uint64) + np.uint64(seed << 32)
    for _ in range(2):
        n = (n ^ (n >> np.uint64(29))) * np.uint64(0x9E3779B97F4A7C15)
    return (n >> np.uint64(54)).astype("f4") / 4


def model(case):
    ny = FRAME if case["irs2"] else N
    shape = (case["nints"], case["ngroups"], ny, N)
    data = numbers(int(np.prod(shape)), case["seed"]).reshape(shape)
    data += 40 * np.arange(case["ngroups"], dtype="f4")[None, :, None, None]
    data += (np.arange(ny) % 5 * 3).astype("f4")[None, None, :, None]
    m = datamodels.RampModel(data=data)
    m.pixeldq = np.zeros((ny, N), "u4")
    for plane, y, x, value in case["changes"]:
        m.data.reshape(-1, ny, N)[plane, y, x] = float(value)
    for y0, y1, x0, x1, value in case["flags"]:
        m.pixeldq[y0:y1, x0:x1] |= value
    for plane, y0, y1, x0, x1, value in case["boxes"]:
        m.data.reshape(-1, ny, N)[plane, y0:y1, x0:x1] = value
    m.meta.instrument.name, m.meta.instrument.detector = "NIRSPEC", case["detector"]
    s = m.meta.subarray
    s.name, s.xstart, s.ystart, s.xsize, s.ysize = "FULL", 1, 1, N, N
    s.fastaxis, s.slowaxis = (2, 1) if case["detector"] == "NRS1" else (-2, -1)
    e = m.meta.exposure
    e.noutputs, e.zero_frame, e.nrs_normal, e.nrs_reference = 4, False, 16, 4
    return m


class Weights:
    """What the correction takes of a reference file."""

    class Table:
        def __init__(self, columns):
            self.columns = columns

        def __len__(self):
            return len(next(iter(self.columns.values())))

        def field(self, name):
            return self.columns[name]

    def __init__(self, entries):
        weights = {}
        for i, name in enumerate([f"{p}_{k}" for p in ("alpha", "beta") for k in range(4)]):
            w = numbers(2 * LENGTH, 50 + i) / np.float32(1024)
            # weights of real series: the second half is the first one's conjugate
            c = w[0::2] + 1j * w[1::2]
            c[LENGTH // 2 + 1 :] = np.conj(c[1 : LENGTH // 2][::-1])
            c[[0, LENGTH // 2]] = c[[0, LENGTH // 2]].real
            weights[name] = np.ascontiguousarray(c.astype("c8")).view("f4")
        self.irs2_table = self.Table(weights)
        columns = zip(*entries) if entries else ([], [], [])
        self.dq_table = self.Table(dict(zip(("output", "odd_even", "mask"), map(np.array, columns))))


def run(case):
    m, p = model(case), {"siglimit": 3.0, **case["params"]}
    keys = {"odd_even_columns": True, "use_side_ref_pixels": True, "side_smoothing_length": 11, "side_gain": 1.0}
    kernel = {"refpix_algorithm": "median", "sirs_kernel_model": None, "sigreject": 4.0, "gaussmooth": 1.0, "halfwidth": 30}
    given = {k: p.get(k, v) for k, v in keys.items()}
    if case["irs2"]:
        irs2.flag_bad_refpix(m, n_sigma=p.get("ovr_corr_mitigation_ftr", 3.0), flag_only=True)
        case["bad_rows"] = np.where(np.any(m.pixeldq & BAD, axis=1))[0].tolist()
        if p.get("irs2_mean_subtraction"):
            correct_model(m, **{**given, "use_side_ref_pixels": False}, odd_even_rows=True, conv_kernel_params=kernel, siglimit=p["siglimit"])
        irs2.flag_bad_refpix(m, replace_only=True)
        m = irs2.correct_model(m, Weights(case["named"]))
    else:
        correct_model(m, **given, odd_even_rows=True, conv_kernel_params=kernel, siglimit=p["siglimit"])
    out = np.ascontiguousarray(m.data).reshape(-1)
    places = np.random.default_rng(case["seed"]).integers(0, out.size, 1500)
    places[:6] = [0, N * N - 1, 3 * N + 4, N * N - 3, N, 2 * N * N - 5]
    case["pixels"] = [[int(i), int(out[i].view("u4")) if out[i] == out[i] else None] for i in places]
    case["flagged"] = {str(v): int(n) for v, n in zip(*np.unique(m.pixeldq, return_counts=True))}
    return case


def main():
    logging.disable(logging.CRITICAL)
    hits = [[1, 40, 1, 30000.0], [1, 700, 2045, -9000.0], [0, 2, 900, 5000.0]]
    nan = [[1, 300, 300, "nan"], [0, 1000, 1000, "inf"], [1, 1, 500, "nan"], [0, 1025, 2, "nan"]]
    sides = [[0, 4, 1000, 1100, DNU], [2044, 2048, 900, 1050, DNU], [0, 2048, 1, 2, DNU]]
    ends = [[512, 1024, 0, 4, DNU], [1536, 2048, 0, 4, DNU], [1536, 2048, 2044, 2048, DNU]]
    # all the same: the mean is in double precision
    flat = [[0, 0, 512, 0, 4, 0.1], [1, 512, 1024, 2044, 2048, 0.7]]
    base = {"irs2": False, "nints": 1, "ngroups": 2, "changes": [], "flags": [], "boxes": [], "params": {}, "named": []}
    cases = []
    for i, (name, own) in enumerate(
        {
            "usual NRS1": {"detector": "NRS1", "changes": hits},
            "usual NRS2": {"detector": "NRS2", "changes": hits + nan, "nints": 2},
            "flags": {"detector": "NRS2", "flags": sides + ends, "boxes": flat},
            "all columns together": {"detector": "NRS1", "params": {"odd_even_columns": False}, "flags": ends, "boxes": flat},
            "no sides": {"detector": "NRS1", "params": {"use_side_ref_pixels": False}, "boxes": flat},
            "smooth": {"detector": "NRS2", "params": {"side_smoothing_length": 24, "side_gain": 0.7, "siglimit": 1.5}},
            "IRS2 NRS1": {"detector": "NRS1", "irs2": True, "named": [[1, 1, 8], [2, 2, 2048], [4, 1, 2**31 + 3]]},
            "IRS2 NRS2": {
                "detector": "NRS2", "irs2": True, "nints": 2, "named": [[3, 2, 96]],
                "flags": [[648, 649, 7, 9, BAD], [650, 652, 7, 9, BAD], [668, 672, 7, 9, BAD], [8, 12, 0, 2048, BAD]],
                "boxes": [[1, 1308, 1310, 0, 2048, 900.0], [3, 2048, 2050, 100, 900, 50.0], [0, 2808, 2809, 0, 2048, 20.0]],
                "changes": [[0, 800, 800, "nan"]],
            },
            "IRS2 means": {"detector": "NRS2", "irs2": True, "params": {"irs2_mean_subtraction": True, "ovr_corr_mitigation_ftr": 2.0}},
        }.items()
    ):  # fmt: skip
        cases.append(run({**base, "name": name, "seed": 7 + i, **own}))
    path = ROOT / "refpix_nir" / "golden.json.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as out:
        out.write(json.dumps(cases).encode())
    print(path.stat().st_size, [(c["name"], c["flagged"], len(c.get("bad_rows", []))) for c in cases])


if __name__ == "__main__":
    main()
