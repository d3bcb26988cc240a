//! Reference files of cubes and spectra (cubepar, extract1d, apcorr), and parameters of steps.

use std::path::Path;

use super::super::mode::{MODES, Mode};
use super::{IFU, Of, fits, for_all, name};
use crate::Result;
use crate::formats::asdf::{NdArray, Node, Storage};
use crate::formats::fits::{Header, Table, TableBuilder};
use crate::simulate::references::{Job, RefFile, rules, tree};
use crate::simulate::scene::near_psf_width;

/// Spaxel of the default cubes, arcsec.
const SPAXEL: f64 = 0.1;
/// Cubes of several gratings: name, first and last wavelength (micron), resolving power.
const TOGETHER: [(&str, f64, f64, f64); 3] = [
    ("PRISM", 0.6, 5.3, 100.0),
    ("MED", 0.7, 5.3, 1000.0),
    ("HIGH", 0.7, 5.3, 2700.0),
];

/// The files.
pub fn files(folder: &Path) -> Vec<Job<'_>> {
    let cubes = fits(folder, "cubepar", "NirspecIFUCubeParsModel", None, Of::All);
    let mut jobs: Vec<Job<'_>> = vec![(
        for_all("cubepar", &cubes.name),
        Box::new(move || cubepar(&cubes)),
    )];
    let file = name("extract1d", Of::All, "asdf");
    jobs.push((
        for_all("extract1d", &file),
        Box::new(move || extraction(folder, &file)),
    ));
    let file = name("apcorr", Of::All, "asdf");
    jobs.push((
        for_all("apcorr", &file),
        Box::new(move || aperture(folder, &file)),
    ));
    let file = name("pars-jumpstep", Of::All, "asdf");
    jobs.push((
        rules("pars-jumpstep", &[], &[], &file),
        Box::new(move || jump(folder, &file)),
    ));
    let file = name("pars-outlierdetectionstep", Of::All, "asdf");
    jobs.push((
        for_all("pars-outlierdetectionstep", &file),
        Box::new(move || outliers(folder, &file)),
    ));
    jobs
}

/// Name of a column, and its value for a mode.
type Column<'a> = (&'a str, &'a dyn Fn(&Mode) -> f64);

/// A table of one row for each mode.
fn by_mode(extname: &str, columns: &[Column<'_>]) -> (Header, Table) {
    let mut table = TableBuilder::new(MODES.len())
        .text("disperser", 5, &MODES.map(|m| m.grating.name()))
        .text("filter", 6, &MODES.map(|m| m.filter.name()));
    for (name, f) in columns {
        let values: Vec<f32> = MODES.iter().map(|m| f(m) as f32).collect();
        table = table.f32(name, &values);
    }
    table.build(extname)
}

fn cubepar(file: &RefFile) -> Result<()> {
    let step = |m: &Mode| m.waves.2;
    let radius = |_: &Mode| 2.0 * SPAXEL;
    let depth = |m: &Mode| 2.1 * step(m);
    let mut w = file.create()?;
    w.table(by_mode(
        "CUBEPAR",
        &[
            ("wavemin", &|m| m.waves.0),
            ("wavemax", &|m| m.waves.1),
            ("spaxelsize", &|_| SPAXEL),
            ("spectralstep", &step),
        ],
    ))?;
    w.table(by_mode(
        "CUBEPAR_MSM",
        &[
            ("roispatial", &radius),
            ("roispectral", &depth),
            ("power", &|_| 2.0),
            ("softrad", &|_| 0.01),
        ],
    ))?;
    w.table(by_mode(
        "CUBEPAR_EMSM",
        &[
            ("roispatial", &radius),
            ("roispectral", &depth),
            ("scalerad", &|_| 0.08),
        ],
    ))?;
    for (name, low, high, power) in TOGETHER {
        // two samples for an element of resolution
        let last = |w: &f64| (*w < high).then(|| w * (1.0 + 0.5 / power));
        let waves: Vec<f64> = std::iter::successors(Some(low), last).collect();
        let n = waves.len();
        let column =
            |f: &dyn Fn(f64) -> f64| -> Vec<f32> { waves.iter().map(|w| f(*w) as f32).collect() };
        let new = || TableBuilder::new(n).f32("wavelength", &column(&|w| w));
        let with_radii = || {
            new()
                .f32("roispatial", &column(&|_| 2.0 * SPAXEL))
                .f32("roispectral", &column(&|w| 1.1 * w / power))
        };
        w.table(
            with_radii()
                .f32("power", &column(&|_| 2.0))
                .f32("softrad", &column(&|_| 0.01))
                .build(&format!("MULTICHAN_{name}_MSM")),
        )?;
        w.table(
            with_radii()
                .f32("scalerad", &column(&|_| 0.08))
                .build(&format!("MULTICHAN_{name}_EMSM")),
        )?;
        w.table(new().build(&format!("MULTICHAN_{name}_DRIZZLE")))?;
    }
    w.finish()
}

/// Wavelengths of the extraction tables, micron.
fn waves() -> Vec<f64> {
    (0..48).map(|i| 0.6 + 0.1 * f64::from(i)).collect()
}

/// An array in the tree itself: calwebb reads these after it has closed the file.
fn inline(shape: &[usize], values: &[f64]) -> Result<Node> {
    Ok(NdArray::new(shape, values, Storage::Inline)?.into())
}

fn extraction(folder: &Path, file: &str) -> Result<()> {
    let mut tree = tree::of(&IFU, "extract1d", file, "Extract1dIFUModel");
    tree.set("meta.region_type", "target");
    tree.set("meta.subtract_background", true);
    tree.set("meta.method", "exact");
    tree.set("meta.subpixels", 10);
    let wave = waves();
    let n = wave.len();
    for (key, values, unit) in [
        ("wavelength", wave, Some("micron")),
        ("radius", vec![0.45; n], Some("arcsec")),
        ("inner_bkg", vec![1.0; n], Some("arcsec")),
        ("outer_bkg", vec![1.3; n], Some("arcsec")),
        ("axis_ratio", vec![1.0; n], None),
        ("axis_pa", vec![0.0; n], Some("degrees")),
    ] {
        tree.set(&format!("data.{key}"), inline(&[n], &values)?);
        if let Some(unit) = unit {
            tree.set(&format!("data.{key}_units"), unit);
        }
    }
    tree::save(folder, file, &tree)
}

fn aperture(folder: &Path, file: &str) -> Result<()> {
    let mut tree = tree::of(&IFU, "apcorr", file, "NrsIfuApcorrModel");
    let wave = waves();
    let radii = [0.15, 0.3, 0.45, 0.6, 0.9, 1.2];
    let shape = [radii.len(), wave.len()];
    let every = |f: &dyn Fn(f64, f64) -> f64| -> Vec<f64> {
        let row = |r: &f64| wave.iter().map(|w| f(*r, *w)).collect::<Vec<f64>>();
        radii.iter().flat_map(row).collect()
    };
    // light beyond the radius of a star's image
    let correction = |r: f64, w: f64| 1.0 + 0.4 * libm::exp(-r / (1.2 * near_psf_width(w)));
    for (key, value) in [
        ("grating", "ANY"),
        ("filter", "ANY"),
        ("wavelength_units", "micron"),
        ("radius_units", "arcsec"),
    ] {
        tree.set(&format!("apcorr_table.{key}"), value);
    }
    tree.set("apcorr_table.wavelength", inline(&[wave.len()], &wave)?);
    for (key, values) in [
        ("radius", every(&|r, _| r)),
        ("apcorr", every(&correction)),
        ("apcorr_err", every(&|_, _| 0.01)),
    ] {
        tree.set(&format!("apcorr_table.{key}"), inline(&shape, &values)?);
    }
    tree::save(folder, file, &tree)
}

/// Settings of the jump step for near-infrared detectors: snowballs.
fn jump(folder: &Path, file: &str) -> Result<()> {
    let mut tree = tree::parameters(&IFU, "pars-jumpstep", "jwst.jump.jump_step.JumpStep");
    for (key, value) in [
        ("expand_large_events", true),
        ("use_ellipses", false),
        ("sat_required_snowball", true),
    ] {
        tree.set(&format!("parameters.{key}"), value);
    }
    for (key, value) in [
        ("min_sat_area", 15.0),
        ("min_jump_area", 15.0),
        ("expand_factor", 2.0),
        ("max_jump_to_flag_neighbors", 200.0),
        ("min_jump_to_flag_neighbors", 10.0),
    ] {
        tree.set(&format!("parameters.{key}"), value);
    }
    tree::save(folder, file, &tree)
}

fn outliers(folder: &Path, file: &str) -> Result<()> {
    let kind = "pars-outlierdetectionstep";
    let class = "jwst.outlier_detection.outlier_detection_step.OutlierDetectionStep";
    let mut tree = tree::parameters(&IFU, kind, class);
    tree.set("parameters.kernel_size", "7 7");
    tree.set("parameters.threshold_percent", 99.8);
    tree.set("parameters.ifu_second_check", false);
    tree::save(folder, file, &tree)
}
