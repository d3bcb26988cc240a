"""Makes the golden cases of residual_fringe with Python's jwst 3.0.0.

Usage: python make_residual_fringe.py OUT    (writes spectra_*.txt, image.fits, fringefreq.fits, regions.asdf)

Ties between equally far troughs are broken as by a stable sort; numpy's own choice depends on the processor.
"""

import sys
import types
from pathlib import Path

import asdf
import numpy as np
from astropy.io import fits
from jwst.residual_fringe import residual_fringe, utils
from stdatamodels.jwst import datamodels

OUT = Path(sys.argv[1])
BANDS = {1: (4.9, 5.74), 2: (7.51, 8.77), 3: (11.55, 13.47), 4: (17.7, 20.95)}


def stable_numpy():
    names = {k: getattr(np, k) for k in dir(np)}
    names["argsort"] = lambda a: np.argsort(a, kind="stable")
    return types.SimpleNamespace(**names)


def spectrum(rng, channel, wave, noise, lines):
    wavenumber = 1e4 / wave
    flux = 5 + np.sin(2 * wave) + 0.3 * (wave - wave.min())
    flux *= 1 + 0.03 * np.sin(2 * np.pi * wavenumber / 2.8) + 0.015 * np.sin(2 * np.pi * wavenumber / 3.1 + 1)
    if channel > 2:
        flux *= 1 + 0.02 * np.sin(2 * np.pi * wavenumber / 0.4 + 0.3)
    flux *= 1 + rng.normal(0, noise, len(wave))
    for _ in range(lines):
        centre = rng.uniform(wave.min(), wave.max())
        flux += 4 * np.exp(-0.5 * ((wave - centre) / 0.002) ** 2)
    return flux


def spectra():
    rng = np.random.default_rng(20)
    # name: channel, values, noise, lines, options
    cases = {
        "ch1": (1, 900, 0.002, 0, {}),
        "ch2_lines": (2, 800, 0.004, 3, {}),
        "ch3": (3, 700, 0.002, 1, {}),
        "ch4_bad_values": (4, 540, 0.003, 0, {}),
        "ch3_dichroic": (3, 600, 0.002, 0, {"dichroic_only": True}),
        "ch1_max_line": (1, 700, 0.002, 3, {"clip_features": False, "max_line": 0.2, "max_amp": 0.05}),
        "ch2_ignore": (2, 700, 0.002, 2, {"ignore_regions": [[7.6, 7.7], [8.1, 8.3]]}),
        "any_channel": ("", 600, 0.003, 0, {}),
        "noise": (1, 500, 0.3, 0, {}),
        "missing_wavelengths": (2, 600, 0.002, 0, {}),
        "short_range": (1, 60, 0.002, 0, {}),
        "nothing": (1, 80, 0.002, 0, {}),
    }
    for name, (channel, n, noise, lines, options) in cases.items():
        low, high = BANDS[channel or 2]
        wave = np.linspace(low, high if name != "short_range" else low + 0.02, n)
        flux = spectrum(rng, channel or 2, wave, noise, lines)
        if name == "ch4_bad_values":
            flux[[0, 17, 18, 300, n - 1]] = [0, np.nan, -1, 1e-12, 0]
        if name == "missing_wavelengths":
            wave[[0, 1, 250, n - 1]] = np.nan
        if name == "nothing":
            flux[:] = -1
        try:
            out = utils.fit_residual_fringes_1d(flux.copy(), wave.copy(), channel=channel, **options)
        except Exception:
            out = np.full(n, np.inf)  # stands for an exception
        np.savetxt(OUT / f"spectra_{name}.txt", np.transpose([wave, flux, out]), fmt="%.17g")


def image():
    rng = np.random.default_rng(7)
    ny, nx = 1024, 8
    regions = np.zeros((8, ny, nx), np.int16)
    regions[7, :, 1:4] = 301
    regions[7, 980:, 1] = 0
    regions[7, :990, 3] = 0  # too few pixels
    regions[7, :, 5:7] = 401
    wave = np.full((ny, nx), np.nan)
    for x in range(nx):
        channel = 3 if x < 4 else 4
        low, high = BANDS[channel]
        wave[:, x] = np.linspace(high, low, ny) + 1e-4 * x
    wave[:3, 2] = np.nan
    data = np.full((ny, nx), 500, np.float32)
    for x in range(nx):
        good = ~np.isnan(wave[:, x])
        data[good, x] = 100 * spectrum(rng, 3 if x < 4 else 4, wave[good, x], 0.002, x % 3)
    data[:, 6] *= rng.normal(1, 0.5, ny)  # too noisy
    data[[5, 500], 1] = np.nan
    data[[40, 41], 2] = -3
    err = (np.abs(data) * 0.01).astype(np.float32)
    err[700:760, 5] *= 50
    dq = np.zeros((ny, nx), np.uint32)
    dq[[100, 600], 2] = 1
    dq[200, 2] = 4

    row = ([301.0, 401.0], [[2.9, 0.4]] * 2, [[1.5, 0.15]] * 2, [[5, 5]] * 2, [[10, 15]] * 2, [[10.0, 10.0]] * 2, [[0.001, 0.001]] * 2)
    names = ("slice", "ffreq", "dffreq", "min_nfringes", "max_nfringes", "min_snr", "pgram_res")
    formats = ("D", "2D", "2D", "2K", "2K", "2D", "2D")
    columns = [fits.Column(n, f, array=np.array(a)) for n, f, a in zip(names, formats, row)]
    hdus = [fits.PrimaryHDU()]
    for band in ("SHORT", "MEDIUM", "LONG"):
        hdus.append(fits.BinTableHDU.from_columns(columns, name=f"RFC_FREQ_{band}"))
    amplitude = [fits.Column("Wavelength", "D", array=[4.5, 15.0, 29.0]), fits.Column("Amplitude", "D", array=[0.14, 0.1, 0.06])]
    hdus.append(fits.BinTableHDU.from_columns(amplitude, name="MAX_AMP"))
    hdus[0].header["TELESCOP"] = "JWST"
    fits.HDUList(hdus).writeto(OUT / "fringefreq.fits", overwrite=True)
    asdf.AsdfFile({"regions": regions}).write_to(OUT / "regions.asdf", all_array_compression="zlib")

    def corrected(ignore):
        model = datamodels.IFUImageModel(data=data.copy(), err=err.copy(), dq=dq.copy())
        model.meta.cal_step.fringe = "COMPLETE"
        model.meta.instrument.band = "SHORT"
        model.meta.instrument.detector = "MIRIFULONG"

        class Regions:
            def __init__(self, _):
                self.regions = regions

            def close(self):
                pass

        residual_fringe.datamodels.RegionsModel = Regions
        rfc = residual_fringe.ResidualFringeCorrection(model, str(OUT / "fringefreq.fits"), "regions", ignore)
        rfc._get_wave_map = lambda: wave
        return rfc.do_correction().data

    plain = corrected({"num": 0, "min": [], "max": []})
    ignoring = corrected({"num": 2, "min": [12.0, 18.5], "max": [12.4, 18.9]})
    arrays = {"SCI": data, "ERR": err, "DQ": dq, "LAMBDA": wave, "PLAIN": plain, "IGNORE": ignoring}
    fits.HDUList([fits.PrimaryHDU()] + [fits.ImageHDU(a, name=n) for n, a in arrays.items()]).writeto(OUT / "image.fits", overwrite=True)


utils.np = stable_numpy()
OUT.mkdir(parents=True, exist_ok=True)
spectra()
image()
