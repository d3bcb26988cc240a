//! A whole simulated NIRSpec IFU observation: reference cache, exposures, truth.

use std::path::Path;

use super::light;
use super::mode::{Detector, EDGE, Mode, ReadPattern, SIZE};
use super::observation::{Exposure, Options, exposures};
use super::pixels::Pixels;
use super::readout::Readout;
use super::references::{IFU, Of, cubes, detector, name, optics, spectral};
use super::response::Flat;
use crate::Result;
use crate::exec::Exec;
use crate::formats::asdf::AsdfFile;
use crate::simulate::cosmic;
use crate::simulate::crds_cache::{self, CONTEXT};
use crate::simulate::output::{self, Summary};
use crate::simulate::random::{Stream, label};
use crate::simulate::scene::Scene;

/// Writes a simulated observation below `out`: `stage0/*_uncal.fits`, `crds/` and, as asked for,
/// `truth/*_rate_truth.fits` and `background/stage0/*_uncal.fits`. The same options give the same
/// bytes on every machine and for any number of threads. `progress` is told what is being made.
///
/// # Errors
/// [`crate::Error::Parameter`] for bad options, [`crate::Error::Io`] where writing fails, [`crate::Error::Interrupted`].
pub fn simulate_nirspec(
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
    summary.references = instrument.write_references(options, &crds, exec)?;

    let mut list = exposures(options, false);
    if options.background {
        list.extend(exposures(options, true));
    }
    for e in &list {
        exec.check()?;
        progress(&e.root());
        let Some((pixels, flat)) = instrument.get(e) else {
            continue;
        };
        let brightness = match e.background {
            true => 0.0,
            false => options.brightness,
        };
        let scene = Scene::near_infrared(&e.sight(), brightness);
        let file = |kind: &str| open(&crds, kind, &e.setup.mode);
        let rate = light::rate(e, file, &scene, pixels, flat, exec)?;
        let [path, truth] = Summary::places(out, e);
        write_exposure(options, e, pixels, &rate, &path, exec)?;
        if options.truth {
            output::write_truth(&truth, IFU.shape, &rate)?;
            summary.truth.push(truth);
        }
        summary.note(path, e.background);
    }
    Ok(summary.sorted())
}

/// Opens a file of the instrument model in the cache.
fn open(crds: &Path, kind: &str, mode: &Mode) -> Result<AsdfFile> {
    let of = match kind {
        "fore" | "chromcorr" => Of::Filter(mode.filter),
        "disperser" => Of::Grating(mode.grating),
        _ => Of::All,
    };
    let folder = crds_cache::reference_folder(crds, IFU.instrument);
    AsdfFile::open(folder.join(name(kind, of, "asdf")))
}

/// The detectors, and the flat of every detector and setting.
struct Instrument {
    pixels: Vec<Pixels>,
    flats: Vec<Flat>,
}

impl Instrument {
    fn new(options: &Options, exec: &Exec) -> Self {
        let setups = options.setups().concat();
        let mut detectors: Vec<Detector> = setups.iter().map(|s| s.detector).collect();
        detectors.sort();
        detectors.dedup();
        Self {
            pixels: exec.map(detectors, |d| Pixels::new(options.seed, d)),
            flats: exec.map(setups, |s| Flat::new(options.seed, s.detector, s.mode)),
        }
    }

    fn get(&self, e: &Exposure) -> Option<(&Pixels, &Flat)> {
        let setup = &e.setup;
        let mut pixels = self.pixels.iter();
        let pixels = pixels.find(|p| p.detector == setup.detector)?;
        let mut flats = self.flats.iter();
        let flat = flats.find(|f| (f.detector, f.mode) == (setup.detector, setup.mode))?;
        Some((pixels, flat))
    }

    /// Writes all reference files and the rules that choose them; returns how many files.
    fn write_references(&self, options: &Options, crds: &Path, exec: &Exec) -> Result<usize> {
        let refs = output::folder(&crds_cache::reference_folder(crds, IFU.instrument))?;
        let mut files = optics::files(&refs, options.seed, &options.modes);
        files.extend(cubes::files(&refs));
        files.extend(spectral::common(&refs));
        for mode in &options.modes {
            files.extend(spectral::of_mode(&refs, *mode));
        }
        let pattern: ReadPattern = options.pattern;
        for p in &self.pixels {
            files.extend(detector::files(&refs, p, pattern, options.groups));
            files.push(spectral::of_detector(&refs, p));
        }
        let flats = self.flats.iter();
        files.extend(flats.map(|f| spectral::of_spectrograph(&refs, f)));
        let (rules, count) = output::write_files(files, exec)?;
        crds_cache::write(crds, &[(IFU.instrument, &rules)])?;
        Ok(count)
    }
}

fn write_exposure(
    options: &Options,
    e: &Exposure,
    pixels: &Pixels,
    rate: &[f32],
    path: &Path,
    exec: &Exec,
) -> Result<()> {
    let mut rng = Stream::new(options.seed, &e.labels(label("cosmic rays")));
    let counts = (e.integrations, e.groups);
    let frame = e.setup.pattern;
    let time = (frame.frames() * frame.frame_ticks()) as f64 * 1e-5;
    let hits = cosmic::near_infrared(&mut rng, counts, time, SIZE, EDGE);
    let readout = Readout::new(e, pixels, options.seed);
    output::write_counts(path, e, None, exec, |row| {
        match readout.frame().science_row(row) {
            Some(y) => readout.row(y, &rate[y * SIZE..(y + 1) * SIZE], &hits[y]),
            None => readout.reference_row(row),
        }
    })
}
