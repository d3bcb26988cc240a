"""Golden numbers for the WCS of the NIRSpec IFU, by Python's jwst 3.0.0.

    python make_nirspec.py genuine SHARED/real nirspec_genuine.asdf
    python make_nirspec.py model nirspec_model.asdf

`genuine` evaluates the observatory's own reference files (which are found beside the checkout, not in it) for each grating
and detector at a few points of every slice, and over the ground-test trace of slice 0. `model` makes reference files of
an invented spectrograph, puts their trees and jwst's evaluation of them into one file.
"""

import os
import sys
import tempfile
from pathlib import Path

import asdf
import numpy as np
from astropy.io import fits
from astropy.modeling import models as m
from astropy.modeling.models import Identity, Mapping
from jwst.assign_wcs import nirspec
from jwst.assign_wcs.assign_wcs import load_wcs
from stdatamodels.jwst import datamodels as dm

KEYS = ("camera", "collimator", "fpa", "ifufore", "ifupost", "ifuslicer", "ote", "wavelengthrange")


def exposure(filt, grating, detector, xtilt, ytilt, velosys=None, temperature=38.1, lamp="N/A"):
    image = dm.IFUImageModel((2048, 2048))
    i = image.meta.instrument
    i.name, i.detector, i.filter, i.grating, i.lamp_state = "NIRSPEC", detector, filt, grating, lamp
    i.gwa_xtilt, i.gwa_ytilt, i.gwa_tilt = xtilt, ytilt, temperature
    image.meta.exposure.type = "NRS_IFU"
    image.meta.observation.date, image.meta.observation.time = "2024-01-01", "00:00:00"
    s = image.meta.subarray
    s.name, s.xstart, s.ystart, s.xsize, s.ysize = "FULL", 1, 1, 2048, 2048
    w = image.meta.wcsinfo
    w.v2_ref, w.v3_ref, w.v3yangle, w.vparity = 300.3, -497.9, 138.5, -1
    w.ra_ref, w.dec_ref, w.roll_ref = 359.9995, -42.5, 121.3
    w.velosys = velosys
    w.crval3, w.wcsaxes, w.ctype3 = 0, 3, "WAVE"
    image.meta.velocity_aberration.scale_factor = 1.00005
    return image


def keywords(image):
    i, w = image.meta.instrument, image.meta.wcsinfo
    pairs = {
        "FILTER": i.filter, "GRATING": i.grating, "DETECTOR": i.detector, "GWA_XTIL": i.gwa_xtilt,
        "GWA_YTIL": i.gwa_ytilt, "GWA_TILT": i.gwa_tilt, "V2_REF": w.v2_ref, "V3_REF": w.v3_ref,
        "RA_REF": w.ra_ref, "DEC_REF": w.dec_ref, "ROLL_REF": w.roll_ref,
        "VA_SCALE": image.meta.velocity_aberration.scale_factor, "VELOSYS": w.velosys,
    }
    return {k: v for k, v in pairs.items() if v is not None}


# ---------------------------------------------------------------- genuine files
def optics(image, refs, edges):
    """The pipeline as far as the slit frame; the genuine set lacks what comes behind."""
    disperser = nirspec.get_disperser(image, refs["disperser"])
    order, wrange = nirspec.get_spectral_order_wrange(image, refs["wavelengthrange"])
    w = image.meta.wcsinfo
    w.waverange_start, w.waverange_end, w.spectral_order = wrange[0], wrange[1], order
    to_gwa = nirspec._fix_slit_name(nirspec.detector_to_gwa(refs, image.meta.instrument.detector, disperser), 0)
    to_slit = nirspec.gwa_to_ifuslit(np.arange(30), image, disperser, refs, edges)
    return to_gwa, to_slit, order, wrange


def genuine(real, out):
    folder = Path(real) / "nirspec_wcs/references_nirspec"
    of = lambda kind: sorted(folder.glob(f"jwst_nirspec_{kind}_*.asdf"))
    refs = {k: str(of(k)[0]) for k in KEYS}
    dispersers, fores = {}, {}
    for kind, key, found in (("disperser", "grating", dispersers), ("fore", "filter", fores)):
        for path in of(kind):
            with asdf.open(path) as f:
                found[f.tree["meta"]["instrument"][key]] = path
    rng = np.random.default_rng(1)
    cases = []
    for filt, grating, detector in (
        ("OPAQUE", "G140M", "NRS1"), ("F100LP", "G140M", "NRS1"), ("F170LP", "G235M", "NRS1"), ("F290LP", "G395M", "NRS1"),
        ("F290LP", "G395H", "NRS1"), ("F290LP", "G395H", "NRS2"), ("CLEAR", "PRISM", "NRS1"),
    ):
        refs["disperser"] = str(dispersers[grating])
        with asdf.open(refs["disperser"]) as f:
            zero = [float(f.tree[k]["zeroreadings"][0]) for k in ("gwa_tiltx", "gwa_tilty")]
        trace = filt == "OPAQUE"
        edges = (-0.5, 0.5) if trace else (-0.55, 0.55)
        tilt = zero if trace else [zero[0] + 1.3e-3, zero[1] - 0.7e-3]
        image = exposure(filt, grating, detector, *tilt, lamp="LINE1" if trace else "N/A")
        to_gwa, to_slit, order, wrange = optics(image, refs, edges)
        case = {"filter": "LINE1" if trace else filt, "grating": grating, "detector": detector, "tilt": tilt,
                "edges": list(edges), "order": float(order), "range": [float(v) for v in wrange],
                "temperature": 38.1, "disperser": dispersers[grating].name}
        if trace:
            case["wavelengthrange"] = os.path.basename(refs["wavelengthrange"])
            name = "Trace_IFU_Slice_00_SMOS-MOD-G1M-17-5344175105_30192_JLAB88.fits"
            with fits.open(Path(real) / "nirspec_traces" / name) as h:
                inside = np.abs(h["SLITY1"].data) < 0.5
                y, x = inside.nonzero()
                head = h["SLITY1"].header
                lam = h["LAMBDA1"].data[inside].astype(float)
                slit = h["SLITY1"].data[inside].astype(float)
                x = x + 1 - head["CRPIX1"] + head["CRVAL1"] - 1.0
                y = y + 1 - head["CRPIX2"] + head["CRVAL2"] - 1.0
            _, ours, wave = to_slit.models[0](*to_gwa(x, y))
            wave = wave * 1e-6  # wavelengths of lamps are in micron
            print(f"trace: {x.size} pixels, wavelength to {np.nanmax(np.abs(wave - lam)):.2e} m, "
                  f"position to {np.nanmax(np.abs(ours - slit)):.2e}, {np.isnan(wave).sum()} without")
            keep = slice(None, None, 23)
            case["points"] = np.stack([np.zeros(x[keep].size), x[keep], y[keep], ours[keep], wave[keep]])
            cases.append(case)
            continue
        rows = []
        for i in range(30):
            t = to_slit.models[i]
            position = rng.uniform(-0.54, 0.54, 4)
            lam = rng.uniform(*wrange, 4) * 0.98 + 1e-8
            x, y = to_gwa.inverse(*t.inverse(np.zeros(4), position, lam))
            s = t(*to_gwa(x, y))
            back = to_gwa.inverse(*t.inverse(*s))
            rows.append(np.stack([np.full(4, i), x, y, s[1], s[2], *back]))
        case["points"] = np.concatenate(rows, axis=1)
        print(filt, grating, detector, case["points"].shape, np.isnan(case["points"]).sum())
        cases.append(case)
    asdf.AsdfFile({"cases": cases}).write_to(out, all_array_compression="zlib")


# ---------------------------------------------------------------- an invented spectrograph
def poly(name, **c):
    return m.Polynomial2D(2, name=name, **c)


def plane(name, x, y, inverse):
    """A distortion of two variables with a made-up inverse, as the observatory's files nest them."""
    px, py = poly(f"{name}_x_forward", **x), poly(f"{name}_y_forward", **y)
    px.inverse, py.inverse = poly(f"{name}_x_backward", **inverse[0]), poly(f"{name}_y_backward", **inverse[1])
    inmap, outmap = Mapping((0, 1, 0, 1), name=f"{name}_inmap"), Identity(2, name=f"{name}_outmap")
    inmap.inverse, outmap.inverse = Identity(2), Mapping((0, 1, 0, 1))
    return inmap | (px & py) | outmap


def linear(name, scale, degrees, shift):
    a = np.deg2rad(degrees)
    matrix = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) @ np.diag(scale)
    return m.AffineTransformation2D(matrix, name=f"{name}_affine") | (
        m.Shift(shift[0], name=f"{name}_x") & m.Shift(shift[1], name=f"{name}_y"))


def chromatic(name, px, py, bx, by):
    """poly(x, y) + lambda poly(x, y) for each of x and y, with inverses of the same kind."""
    def of(tag, c, d):
        both = lambda: Mapping((0, 1), n_inputs=3)
        return (both() | poly(name + tag, **c)) + ((both() | poly(name + tag + "dist", **d)) * (Mapping((2,)) | Identity(1)))

    x, y = of("_x_forw", *px), of("_y_forw", *py)
    x.inverse, y.inverse = of("_x_back", *bx), of("_y_back", *by)
    inmap, outmap = Mapping((0, 1, 2) * 2, name=f"{name}_inmap"), Identity(2, name=f"{name}_outmap")
    inmap.inverse, outmap.inverse = Identity(2), Mapping((0, 1, 2) * 2)
    return inmap | (x & y) | outmap


def instrument(folder):
    """Reference files of a spectrograph with round numbers, roughly of the real one's scale."""
    def save(model, name):
        model.meta.telescope, model.meta.instrument.name = "JWST", "NIRSPEC"
        model.meta.author, model.meta.pedigree, model.meta.useafter = "golden", "GROUND", "2022-01-01T00:00:00"
        model.meta.description, model.meta.reftype = "invented", name.split("-")[0]
        model.meta.exposure.type = "NRS_IFU"
        if name in ("fore", "chromcorr"):
            model.meta.instrument.filter = "F290LP"
        path = str(Path(folder) / f"{name}.asdf")
        model.save(path)
        model.close()
        return path

    files = {}
    one = lambda cls, name, model: files.update({name: save(cls(model=model), name)})
    camera = plane("camera", dict(c1_0=3.4, c0_1=0.002, c2_0=0.05, c1_1=-0.02), dict(c0_1=3.3, c1_0=-0.001, c0_2=0.04),
                   (dict(c1_0=0.29412, c0_1=-0.00018, c2_0=-0.0013), dict(c0_1=0.30303, c1_0=0.00009, c0_2=-0.0011)))
    one(dm.CameraModel, "camera", camera | linear("camera", (1.0, 1.0), 0.3, (0.0002, 0.0)))
    collimator = plane("collimator", dict(c1_0=0.68, c2_0=0.01), dict(c0_1=0.67, c1_1=0.02),
                       (dict(c1_0=1.470588, c2_0=-0.0318), dict(c0_1=1.492537, c1_1=-0.0655)))
    one(dm.CollimatorModel, "collimator", collimator | linear("collimator", (1.02, 0.98), -0.2, (0.0, 0.0001)))
    fpa = dm.FPAModel()
    for key, sign, x0 in (("nrs1_model", 1.0, -0.0390), ("nrs2_model", -1.0, 0.0391)):
        d = linear("fpa", (sign * 1.8e-5, sign * 1.8e-5), 0.02 * sign, (x0, -0.0184 * sign))
        d.inverse = d.inverse.copy()
        setattr(fpa, key, d)
    files["fpa"] = save(fpa, "fpa")
    steady = (dict(c1_0=1.02, c2_0=0.3), dict(c0_0=1e-5, c1_1=2.0))
    steady_y = (dict(c0_1=0.98, c1_1=-0.2), dict(c0_1=-3.0))
    back = (dict(c1_0=0.98039, c2_0=-0.283), dict(c0_0=-1e-5, c1_1=-2.0))
    back_y = (dict(c0_1=1.0204, c1_1=0.21), dict(c0_1=3.1))
    for cls, name, scale in ((dm.IFUFOREModel, "ifufore", 0.3), (dm.FOREModel, "fore", 1.3)):
        lin = linear(name, (scale, scale), 1.0, (1e-4, -2e-4))
        lin.inverse = lin.inverse & Identity(1)
        one(cls, name, chromatic(name, steady, steady_y, back, back_y) | lin)
    ote = plane("ote", dict(c1_0=1.0, c2_0=0.05), dict(c0_1=1.01, c1_1=-0.03),
                (dict(c1_0=1.0, c2_0=-0.05), dict(c0_1=0.990099, c1_1=0.03)))
    one(dm.OTEModel, "ote", ote | linear("ote", (-6.0, 6.1), 41.0, (0.084, -0.138)) | m.Scale(3600) & m.Scale(3600))
    shift = lambda c: m.Polynomial1D(2, c0=-2e-5 * c, c1=11.0 * c, c2=-1.2e6 * c)
    def side(sign):
        add = m.Polynomial2D(1, c0_0=0.0, c1_0=1.0, c0_1=sign)
        return (Mapping((0, 2, 1, 2, 2), n_inputs=3) | Identity(1) & shift(1.0) & Identity(1) & shift(-0.4) & Identity(1)
                | add & add.copy() & Identity(1))
    chrom = side(1.0)
    chrom.inverse = side(-1.0)
    one(dm.ChromCorrModel, "chromcorr", chrom)
    # slices in the order of the real slicer: even ones downwards from the middle, odd ones upwards
    post, slicer = dm.IFUPostModel(), dm.IFUSlicerModel()
    rows = []
    for i in range(30):
        k = -(i // 2) - 1 if i % 2 == 0 else i // 2
        x = (0.0008 * (i // 2) + 0.0004) * (1 if i % 2 == 0 else -1)
        rows.append((i, x, 1e-5 * i, 0.0008, 0.012))
        px, py = poly("ifupost_x", c0_0=0.0123, c1_0=0.2, c0_1=0.004 * (i - 15)), poly("ifupost_y", c0_1=1.0, c1_1=0.1 * i)
        post_of = {
            "linear": linear("ifupost", (1.0, 0.105), 0.05 * (i % 5), (-x, 0.0024 * (k + 0.5))),
            "xpoly": px, "xpoly_distortion": poly("ifupost_xdist", c0_0=2.0, c1_0=10.0),
            "ypoly": py, "ypoly_distortion": poly("ifupost_ydist", c0_1=-4.0, c2_0=100.0),
        }
        setattr(post, f"slice_{i}", post_of)
    files["ifupost"] = save(post, "ifupost")
    slicer.model = m.Rotation2D(0.0, name="ifuslicer_rotate") | (m.Shift(0.0) & m.Shift(0.0))
    kinds = [("NO", "<i4"), ("XC", "<f4"), ("YC", "<f4"), ("SIZEX", "<f4"), ("SIZEY", "<f4")]
    slicer.data = np.array(rows, kinds)
    files["ifuslicer"] = save(slicer, "ifuslicer")
    for grating, tilt, extra in (
        ("G395H", GRATING_TILT, {"groovedensity": 89000.0}),
        ("PRISM", PRISM_TILT, {
            "angle": -16.5, "kcoef": [0.6, 0.46, 3.9], "lcoef": [0.0025, 0.01, 1200.0], "tref": 35.0, "pref": 0.0,
            "tcoef": [-2.6e-05, 0.0, 0.0, 0.0, 0.0, 0.0]}),
    ):
        d = dm.DisperserModel()
        for key, value in extra.items():
            setattr(d, key, value)
        d.theta_x, d.theta_y, d.theta_z, d.tilt_x, d.tilt_y = 0.02, -0.03, 0.008, 0.0, tilt
        for axis, zero, c1 in (("x", 0.34, -8500.0), ("y", 0.03, 4500.0)):
            model = m.Polynomial1D(1, c0=2800.0, c1=c1)
            setattr(d, "gwa_tilt" + axis, {"temperatures": [37.5], "tilt_model": model, "unit": "arcsec", "zeroreadings": [zero]})
        d.meta.instrument.grating = grating
        files["disperser-" + grating] = save(d, "disperser-" + grating)
    w = dm.WavelengthrangeModel()
    w.waverange_selector = ["F290LP_G395H", "CLEAR_PRISM"]
    w.order, w.wavelengthrange = [-1, 0], [[2.87e-06, 5.27e-06], [6.0e-07, 5.3e-06]]
    from astropy import units

    w.meta.wavelength_units = units.m
    files["wavelengthrange"] = save(w, "wavelengthrange")
    return files


GRATING_TILT, PRISM_TILT = -10.5, 23.0


def model(out):
    cases, refs = [], {}
    with tempfile.TemporaryDirectory() as folder:
        files = instrument(folder)
        for name, path in files.items():
            with asdf.open(path, lazy_load=False, memmap=False) as f:
                refs[name] = {k: v for k, v in f.tree.items() if k not in ("history", "asdf_library", "meta")}
        for filt, grating, detector, dx, velosys in (
            ("F290LP", "G395H", "NRS1", 0.0004, None), ("F290LP", "G395H", "NRS2", -0.0011, -23456.7),
            ("CLEAR", "PRISM", "NRS1", 0.0, 12000.0),
        ):
            image = exposure(filt, grating, detector, 0.34 + dx, 0.0302, velosys)
            chosen = {k: files[k] for k in files if "-" not in k}
            chosen["disperser"] = files["disperser-" + grating]
            step = lambda flag: load_wcs(image.copy(), dict(chosen), [-0.55, 0.55], nrs_ifu_slice_wcs=flag)
            by_slice, coordinate = step(True), step(False)
            cases.append(evaluate(by_slice, coordinate, keywords(image)))
    tree = {"refs": refs, "cases": cases}
    asdf.AsdfFile(tree).write_to(out, all_array_storage="internal", all_array_compression="zlib")
    with asdf.open(out) as f:
        f.tree["refs"]["camera"]["model"](0.1, 0.2)


def evaluate(by_slice, coordinate, keys):
    rng = np.random.default_rng(3)
    w = coordinate.meta.wcsinfo
    box = by_slice.meta.wcs.bounding_box
    selector = coordinate.meta.wcs.pipeline[1].transform.selector
    ends = lambda b: [b["x"].lower, b["x"].upper, b["y"].lower, b["y"].upper]
    case = {
        "keywords": keys, "s_region": w.s_region, "spectral_region": [float(v) for v in w.spectral_region],
        "order": int(w.spectral_order), "range": [float(w.waverange_start), float(w.waverange_end)],
        "bounds": np.array([ends(box[i]) for i in range(30)]),
        "seen": np.array([ends(selector[i + 1].bounding_box) for i in range(30)]),
        # pixels of each slice, and a checksum that changes with every pixel's place
        "pixels": [int((coordinate.regions == i + 1).sum()) for i in range(30)],
        "places": [int(np.flatnonzero(coordinate.regions == i + 1).sum()) for i in range(30)],
    }
    rows = []
    for i in range(30):
        y, x = np.nonzero(coordinate.regions == i + 1)
        k = rng.choice(x.size, 4)
        x, y = x[k] + rng.uniform(-0.4, 0.4, 4), y[k] + rng.uniform(-0.4, 0.4, 4)
        one = nirspec.nrs_wcs_set_input(by_slice, i)
        at = lambda frame: one.get_transform("detector", frame)(x, y)
        world = at("world")
        rows.append(np.stack([
            np.full(4, i), x, y, *at("slit_frame")[1:], *at("slicer")[:2], *at("v2v3"), *world,
            *one.get_transform("world", "detector")(*world),
            *coordinate.meta.wcs.get_transform("coordinates", "world")(x, y),
            *coordinate.meta.wcs.get_transform("world", "coordinates")(*world),
        ]))
    case["points"] = np.concatenate(rows, axis=1)
    print(keys["GRATING"], keys["DETECTOR"], w.s_region, case["bounds"][:2], np.isnan(case["points"]).sum(axis=1), case["pixels"][:4])
    return case


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
