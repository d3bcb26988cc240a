//! A whole simulated MIRI MRS observation: reference cache, exposures, truth.

use std::path::Path;

use super::cosmic;
use super::crds_cache::{self, CONTEXT};
use super::exposure::{Light, Readout};
use super::observation::{Exposure, Options, exposures};
use super::optics::{Band, Detector, Optics, SHAPE};
use super::output::{self, Summary};
use super::pixels::Pixels;
use super::random::{Stream, label};
use super::references;
use super::response::Flat;
use super::scene::Scene;
use crate::Result;
use crate::exec::Exec;

/// Writes a simulated observation below `out`: `stage0/*_uncal.fits`, `crds/` and, as asked for,
/// `truth/*_rate_truth.fits` and `background/stage0/*_uncal.fits`. The same options give the same
/// bytes on every machine and for any number of threads. `progress` is told what is being made.
///
/// # Errors
/// [`crate::Error::Parameter`] for bad options, [`crate::Error::Io`] where writing fails,
/// [`crate::Error::Interrupted`].
pub fn simulate_miri(
    options: &Options,
    out: &Path,
    exec: &Exec,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<Summary> {
    options.check()?;
    let crds = out.join("crds");
    let mut summary = Summary {
        crds: crds.clone(),
        context: CONTEXT.into(),
        ..Summary::default()
    };
    let instrument = Instrument::new(options, exec);

    progress("reference files");
    summary.references = write_references(options, &crds, &instrument, exec)?;

    let mut list = exposures(options, false);
    if options.background {
        list.extend(exposures(options, true));
    }
    for e in &list {
        exec.check()?;
        progress(&e.root());
        let Some((pixels, optics, flat)) = instrument.get(e) else {
            continue;
        };
        let [path, truth] = Summary::places(out, e);
        let rate = rate(options, e, optics, flat, exec)?;
        write_exposure(options, e, pixels, &rate, &path, exec)?;
        if options.truth {
            let values: Vec<f32> = rate.iter().flatten().map(|v| *v as f32).collect();
            output::write_truth(&truth, SHAPE, &values)?;
            summary.truth.push(truth);
        }
        summary.note(path, e.background);
    }
    Ok(summary.sorted())
}

/// The detectors, and optics and flat of every setting.
struct Instrument {
    pixels: Vec<Pixels>,
    settings: Vec<(Optics, Flat)>,
}

impl Instrument {
    fn new(options: &Options, exec: &Exec) -> Self {
        let keys: Vec<(Detector, Band)> = options
            .detectors
            .iter()
            .flat_map(|d| options.bands.iter().map(|b| (*d, *b)))
            .collect();
        let setting = |(detector, band): (Detector, Band)| {
            let flat = Flat::new(
                options.seed,
                &format!("{} {}", detector.name(), band.name()),
            );
            (Optics::new(detector, band), flat)
        };
        Self {
            pixels: exec.map(options.detectors.clone(), |d| {
                Pixels::new(options.seed, d, options.pattern)
            }),
            settings: exec.map(keys, setting),
        }
    }

    fn get(&self, e: &Exposure) -> Option<(&Pixels, &Optics, &Flat)> {
        let pixels = self
            .pixels
            .iter()
            .find(|p| p.detector == e.setup.detector)?;
        let of = |o: &Optics| (o.detector, o.band) == (e.setup.detector, e.setup.band);
        let (optics, flat) = self.settings.iter().find(|(o, _)| of(o))?;
        Some((pixels, optics, flat))
    }
}

/// Noise-free count rate of an exposure, DN/s, `[row][column]`.
fn rate(
    options: &Options,
    e: &Exposure,
    optics: &Optics,
    flat: &Flat,
    exec: &Exec,
) -> Result<Vec<Vec<f64>>> {
    let scene = Scene::new(
        &e.sight(),
        if e.background {
            0.0
        } else {
            options.brightness
        },
    );
    let light = Light::new(e, optics, &scene, flat);
    exec.try_map((0..SHAPE.0).collect(), |y| Ok(light.row(y)))
}

fn write_exposure(
    options: &Options,
    e: &Exposure,
    pixels: &Pixels,
    rate: &[Vec<f64>],
    path: &Path,
    exec: &Exec,
) -> Result<()> {
    let mut rng = Stream::new(options.seed, &e.labels(label("cosmic rays")));
    let hits = cosmic::hits(
        &mut rng,
        e.integrations,
        e.groups,
        e.setup.pattern.frame_time(),
    );
    let readout = Readout::new(e, pixels, options.seed);
    let reference = readout.reference_output();
    output::write_counts(path, e, Some(&reference), exec, |y| {
        readout.row(y, &rate[y], &hits[y])
    })
}

/// Writes all reference files and the rules that choose them; returns how many files.
fn write_references(
    options: &Options,
    crds: &Path,
    instrument: &Instrument,
    exec: &Exec,
) -> Result<usize> {
    let refs = output::folder(&crds_cache::reference_folder(crds, "MIRI"))?;
    let mut files = references::common::files(&refs, options.pattern);
    files.extend(references::cubes::files(&refs));
    files.push(references::transforms::wavelength_range(&refs));
    files.push(references::response::cross_artifact(&refs));
    for p in &instrument.pixels {
        files.extend(references::detector::files(&refs, p, options.groups));
        files.push(references::response::fringe_frequencies(&refs, p.detector));
    }
    for (optics, flat) in &instrument.settings {
        files.extend(references::transforms::files(&refs, optics));
        files.extend(references::response::files(&refs, optics, flat));
    }
    let (rules, count) = output::write_files(files, exec)?;
    crds_cache::write(crds, &[("MIRI", &rules)])?;
    Ok(count)
}
