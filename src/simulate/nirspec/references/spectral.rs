//! Reference files of the spectral stage: dflat, sflat, fflat, pathloss, photom, area.

use std::path::Path;

use super::super::mode::{MODES, Mode, SIZE};
use super::super::pixels::Pixels;
use super::super::response::{
    self, CONVERSION, FLAT_WAVES, Flat, area, point_share, relative, throughput, uniform_share,
};
use super::{IFU, Of, fits, for_all};
use crate::Result;
use crate::formats::fits::{Header, Table, TableBuilder};
use crate::simulate::references::key::{DETECTOR, EXP_TYPE, FILTER, GRATING};
use crate::simulate::references::{DqDef, Job, RefFile, extension, rules};
use crate::wcs::nirspec::SLICES;

const FLAT: &[DqDef] = &[
    (1, "DO_NOT_USE", "Bad pixel, not for science"),
    (2, "NO_FLAT_FIELD", "Flat field cannot be measured"),
    (4, "UNRELIABLE_FLAT", "Flat variance large"),
];
/// Relative errors of the detector's and the spectrograph's flat.
const ERRORS: [f32; 2] = [0.004, 0.003];
/// Wavelengths of the tables of path loss, and positions across them.
const LOSSES: (usize, usize) = (21, 21);

/// The detector flat.
pub fn of_detector<'a>(folder: &'a Path, p: &'a Pixels) -> Job<'a> {
    let file = fits(
        folder,
        "dflat",
        "NirspecFlatModel",
        Some(p.detector),
        Of::All,
    );
    (
        rules("dflat", &[DETECTOR], &[p.detector.name()], &file.name),
        Box::new(move || {
            let dead = |v: &f32| if v.is_nan() { 1 | 2 } else { 0u8 };
            let flags: Vec<u8> = p.flat[0].iter().map(dead).collect();
            let mut w = file.create()?;
            w.planes("SCI", &[2, SIZE, SIZE], |k| {
                let known = |v: &f32| if v.is_nan() { 1.0 } else { *v };
                p.flat[k].iter().map(known).collect::<Vec<f32>>()
            })?;
            w.image("DQ", &flags)?;
            w.image("ERR", &vec![ERRORS[0]; SIZE * SIZE])?;
            let waves = FLAT_WAVES.map(|w| w as f32);
            w.table(
                TableBuilder::new(2)
                    .f32("wavelength", &waves)
                    .build("WAVELENGTH"),
            )?;
            w.table(fast(FLAT_WAVES, 491, 0.001, response::detector))?;
            w.dq_def(FLAT)?;
            w.finish()
        }),
    )
}

/// The spectrograph's flat of a detector and mode.
pub fn of_spectrograph<'a>(folder: &'a Path, flat: &'a Flat) -> Job<'a> {
    let (detector, mode) = (flat.detector, flat.mode);
    let of = Of::Mode(mode);
    let file = fits(folder, "sflat", "NirspecFlatModel", Some(detector), of);
    let values = [
        detector.name(),
        mode.filter.name(),
        mode.grating.name(),
        IFU.exposure,
    ];
    let keys = [DETECTOR, FILTER, GRATING, EXP_TYPE];
    (
        rules("sflat", &keys, &values, &file.name),
        Box::new(move || {
            let flags: Vec<u8> = flat
                .flag
                .iter()
                .map(|f| [0, 1 | 2, 4][*f as usize])
                .collect();
            let mut w = file.create()?;
            w.image("SCI", &flat.response)?;
            w.image("DQ", &flags)?;
            w.image("ERR", &vec![ERRORS[1]; SIZE * SIZE])?;
            let curve = |wave| response::spectrograph(&mode, wave);
            w.table(fast(limits(&mode), 400, 0.002, curve))?;
            w.dq_def(FLAT)?;
            w.finish()
        }),
    )
}

/// Throughput of the fore optics, and areas of pixels, of a mode.
pub fn of_mode(folder: &Path, mode: Mode) -> Vec<Job<'_>> {
    let of = Of::Mode(mode);
    let flat = fits(folder, "fflat", "NirspecFlatModel", None, of);
    let areas = fits(folder, "area", "NirspecIfuAreaModel", None, of);
    let (filter, grating) = (mode.filter.name(), mode.grating.name());
    vec![
        (
            rules(
                "fflat",
                &[GRATING, FILTER, EXP_TYPE],
                &[grating, filter, IFU.exposure],
                &flat.name,
            ),
            Box::new(move || {
                let mut w = flat.create()?;
                let curve = |wave| throughput(&mode, wave);
                w.table(fast(limits(&mode), 600, 0.01, curve))?;
                w.finish()
            }),
        ),
        (
            rules(
                "area",
                &[FILTER, GRATING, EXP_TYPE],
                &[filter, grating, IFU.exposure],
                &areas.name,
            ),
            Box::new(move || {
                let slices: Vec<i16> = (0..SLICES as i16).collect();
                let values: Vec<f32> = (0..SLICES).map(|k| area(k) as f32).collect();
                let mut w = areas.create()?;
                w.table(
                    TableBuilder::new(SLICES)
                        .i16("slice_id", &slices)
                        .f32("pixarea", &values)
                        .build("AREA"),
                )?;
                w.finish()
            }),
        ),
    ]
}

/// Path loss and flux conversion.
pub fn common(folder: &Path) -> Vec<Job<'_>> {
    let losses = fits(folder, "pathloss", "PathlossModel", None, Of::All);
    let fluxes = fits(folder, "photom", "NrsMosPhotomModel", None, Of::All);
    vec![
        (
            for_all("pathloss", &losses.name),
            Box::new(move || path_loss(&losses)),
        ),
        (
            for_all("photom", &fluxes.name),
            Box::new(move || photom(&fluxes)),
        ),
    ]
}

/// Wavelengths that the tables of a mode span.
fn limits(mode: &Mode) -> [f64; 2] {
    [mode.waves.0 - 0.06, mode.waves.1 + 0.06]
}

/// So many wavelengths between limits.
fn grid([low, high]: [f64; 2], n: usize) -> Vec<f64> {
    (0..n)
        .map(|i| low + (high - low) * i as f64 / (n - 1) as f64)
        .collect()
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}

/// A curve as table of fast variation.
fn fast(limits: [f64; 2], n: usize, error: f64, curve: impl Fn(f64) -> f64) -> (Header, Table) {
    let waves = grid(limits, n);
    let values: Vec<f64> = waves.iter().map(|w| curve(*w)).collect();
    let errors: Vec<f64> = values.iter().map(|v| error * v).collect();
    TableBuilder::new(1)
        .text("slit_name", 15, &["ANY"])
        .i32("nelem", &[n as i32])
        .f32("wavelength", &single(&waves))
        .f32("data", &single(&values))
        .f32("error", &single(&errors))
        .build("FAST_VARIATION")
}

fn path_loss(file: &RefFile) -> Result<()> {
    let (waves, places) = LOSSES;
    let (first, last) = (0.6e-6, 5.3e-6);
    let step = (last - first) / (waves - 1) as f64;
    let place = |i: usize| i as f64 / (places - 1) as f64 - 0.5;
    let wave = |k: usize| (first + step * k as f64) * 1e6;
    let axis = |h: &mut Header, axis: usize, value: f64, step: f64| {
        h.set(&format!("CRPIX{axis}"), 1.0, "reference pixel");
        h.set(&format!("CRVAL{axis}"), value, "value there");
        h.set(&format!("CDELT{axis}"), step, "step");
    };
    let mut point = Vec::with_capacity(waves * places * places);
    for k in 0..waves {
        for j in 0..places {
            point.extend((0..places).map(|i| point_share(wave(k), place(i), place(j))));
        }
    }
    let uniform: Vec<f64> = (0..waves).map(|k| uniform_share(wave(k))).collect();
    let small = |v: &[f64]| v.iter().map(|v| (v * 1e-3) as f32).collect::<Vec<f32>>();
    let cube = [waves, places, places];

    let mut w = file.create()?;
    let mut header = extension("PS");
    header.set("APERTURE", "IFU", "aperture");
    header.set("SHUTTERS", 0, "number of shutters");
    for k in [1, 2] {
        axis(&mut header, k, -0.5, 1.0 / (places - 1) as f64);
    }
    axis(&mut header, 3, first, step);
    w.headed(header, &cube, &single(&point))?;
    w.array("PSVAR", &cube, &small(&point))?;
    let mut header = extension("UNI");
    axis(&mut header, 1, first, step);
    w.headed(header, &[waves], &single(&uniform))?;
    w.array("UNIVAR", &[waves], &small(&uniform))?;
    w.finish()
}

fn photom(file: &RefFile) -> Result<()> {
    let n = 150;
    let rows = MODES.len();
    let all = |f: &dyn Fn(&Mode) -> f64| MODES.iter().map(|m| f(m) as f32).collect::<Vec<f32>>();
    let filters = MODES.map(|m| m.filter.name());
    let gratings = MODES.map(|m| m.grating.name());
    let waves = MODES.map(|m| grid(limits(&m), n));
    let values: Vec<f64> = MODES
        .iter()
        .zip(&waves)
        .flat_map(|(m, w)| w.iter().map(|w| relative(m, *w)))
        .collect();
    let errors: Vec<f64> = values.iter().map(|v| 0.01 * v).collect();
    let mean = (0..SLICES).map(area).sum::<f64>() / SLICES as f64;
    let file = file
        .clone()
        .with(
            "PIXAR_SR",
            mean * 2.350_443_053_9e-11,
            "Nominal pixel area in steradians",
        )
        .with("PIXAR_A2", mean, "Nominal pixel area in arcsec^2");
    let mut w = file.create()?;
    w.table(
        TableBuilder::new(rows)
            .text("filter", 12, &filters)
            .text("grating", 15, &gratings)
            .f32("photmj", &all(&|_| CONVERSION))
            .f32("uncertainty", &all(&|_| 0.02 * CONVERSION))
            .i16("nelem", &vec![n as i16; rows])
            .f32("wavelength", &single(&waves.concat()))
            .f32("relresponse", &single(&values))
            .f32("reluncertainty", &single(&errors))
            .build("PHOTOM"),
    )?;
    w.finish()
}
