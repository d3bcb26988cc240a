//! `sifu demo`: simulates an observation and reduces it as far as sifu can.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::setup::Global;
use super::simulate::{fresh, with_progress};
use crate::formats::fits::FitsFile;
use crate::pipeline::recipe::detector1::{self, detector1};
use crate::pipeline::recipe::{spec2, spec3};
use crate::pipeline::settings::Settings;
use crate::simulate::{Options, Summary, simulate_miri};
use crate::store::products::read_rate;
use crate::store::references::{CrdsReferences, Overrides};
use crate::{Error, Result};

/// Simulate a small observation of a planet and reduce it as far as sifu can.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder to fill: new or empty.
    #[arg(value_name = "DIR", default_value = "sifu-demo")]
    folder: PathBuf,
}

/// One line of the closing table.
struct Line {
    what: &'static str,
    place: PathBuf,
    files: usize,
    bytes: u64,
    /// Time it took; none where the line before it counts it.
    seconds: Option<f64>,
}

/// Runs the command.
///
/// # Errors
/// [`Error::Parameter`] for a folder in use, and whatever stops a reduction.
pub fn run(args: &Args, global: &Global) -> Result<u8> {
    let folder = &args.folder;
    fresh(folder)?;
    let exec = global.exec()?;
    let mut lines = Vec::new();
    let mut add = |what, place: PathBuf, seconds: Option<f64>| -> Result<()> {
        let (files, bytes) = size(&place)?;
        lines.push(Line {
            what,
            place,
            files,
            bytes,
            seconds,
        });
        Ok(())
    };

    let start = Instant::now();
    let options = Options::default();
    let made = with_progress(global, |say| simulate_miri(&options, folder, &exec, say))?;
    add(
        "raw exposures",
        folder.join("stage0"),
        Some(start.elapsed().as_secs_f64()),
    )?;
    add("their reference files", made.crds.clone(), None)?;

    let start = Instant::now();
    let stage1 = made_folder(folder, "stage1")?;
    let references =
        CrdsReferences::new(Some(&made.crds), Some(&made.context), Overrides::default())?;
    let outputs = detector1::Options {
        out: stage1.clone(),
        save_intermediates: false,
        memory: super::memory::free(),
    };
    for file in &made.science {
        detector1(
            file,
            &Settings::default(),
            &references,
            &exec,
            &outputs,
            &|step| {
                tracing::debug!("{}: {step}", file.display());
            },
        )
        .map_err(|e| e.with_path(file))?;
    }
    add(
        "count rates",
        stage1.clone(),
        Some(start.elapsed().as_secs_f64()),
    )?;

    let start = Instant::now();
    let stage2 = made_folder(folder, "stage2")?;
    let outputs = spec2::Options {
        out: stage2.clone(),
        save_intermediates: false,
    };
    let mut calibrated = Vec::new();
    for file in &made.science {
        let name = file_name(file).replace("_uncal.fits", "_rate.fits");
        let job = spec2::Job::alone(&stage1.join(name), &[]);
        let settings = Settings::default();
        let done = spec2::spec2(&job, &settings, &references, &exec, &outputs, &|step| {
            tracing::debug!("{}: {step}", job.stem);
        })
        .map_err(|e| e.with_path(&job.science))?;
        calibrated.extend(
            done.products
                .into_iter()
                .find(|p| file_name(p).ends_with("_cal.fits")),
        );
    }
    add(
        "images, cubes, spectra of each",
        stage2.clone(),
        Some(start.elapsed().as_secs_f64()),
    )?;

    let start = Instant::now();
    let stage3 = made_folder(folder, "stage3")?;
    let outputs = spec3::Options {
        out: stage3.clone(),
        save_intermediates: false,
    };
    let job = spec3::Job::of_files(&calibrated, &[], "Level3")?;
    let settings = Settings::default();
    spec3::spec3(&job, &settings, &references, &exec, &outputs, &|step| {
        tracing::debug!("{}: {step}", job.stem);
    })?;
    add(
        "cubes, spectra of all",
        stage3,
        Some(start.elapsed().as_secs_f64()),
    )?;

    super::print(&table(&lines, &made, &stage1)?)?;
    Ok(0)
}

fn made_folder(folder: &Path, name: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    std::fs::create_dir_all(&path).map_err(|e| Error::io(&path, e))?;
    Ok(path)
}

/// Number of files below a folder and their total size, bytes.
fn size(folder: &Path) -> Result<(usize, u64)> {
    let mut sum = (0, 0);
    for entry in std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))? {
        let path = entry.map_err(|e| Error::io(folder, e))?.path();
        let (files, bytes) = if path.is_dir() {
            size(&path)?
        } else {
            (
                1,
                std::fs::metadata(&path)
                    .map_err(|e| Error::io(&path, e))?
                    .len(),
            )
        };
        sum = (sum.0 + files, sum.1 + bytes);
    }
    Ok(sum)
}

/// What was made, and how well the count rates agree with those put in.
fn table(lines: &[Line], made: &Summary, stage1: &Path) -> Result<String> {
    let mut out = format!("{:<32}{:>6}{:>10}{:>9}  in\n", "made", "files", "MB", "s");
    let mut text = |line: std::fmt::Arguments<'_>| {
        // writing to a string cannot fail
        let _ = writeln!(out, "{line}");
    };
    for l in lines {
        let megabytes = l.bytes as f64 / 1e6;
        text(format_args!(
            "{:<32}{:>6}{:>10.1}{:>9}  {}",
            l.what,
            l.files,
            megabytes,
            l.seconds.map(|s| format!("{s:.1}")).unwrap_or_default(),
            l.place.display()
        ));
    }
    text(format_args!(
        "\n{:<42}{:>10}{:>12}",
        "count rate / count rate put in", "median", "90 % within"
    ));
    for (raw, truth) in made.science.iter().zip(&made.truth) {
        let name = file_name(raw).replace("_uncal.fits", "");
        let (median, spread) = agreement(&stage1.join(format!("{name}_rate.fits")), truth)?;
        text(format_args!("{name:<42}{median:>10.4}{spread:>11.2}%"));
    }
    text(format_args!("\nReduce it yourself:"));
    text(format_args!(
        "  sifu detector1 {} --crds {} -o OUT",
        stage1.with_file_name("stage0").display(),
        made.crds.display()
    ));
    let crds = made.crds.display();
    text(format_args!("  sifu spec2 OUT --crds {crds} -o OUT2"));
    text(format_args!("  sifu spec3 OUT2 --crds {crds} -o OUT3"));
    Ok(out)
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Median of measured over true count rate in well-lit, unflagged pixels, and the departure from 1
/// that nine pixels in ten stay below, per cent.
fn agreement(rate: &Path, truth: &Path) -> Result<(f64, f64)> {
    let rate = read_rate(rate)?;
    let file = FitsFile::open(truth)?;
    let truth = file.all::<f32>(file.need("SCI")?)?;
    let mut ratio: Vec<f64> = (rate.sci.iter().zip(&rate.dq))
        .zip(&truth)
        .filter(|((s, q), t)| **q == 0 && **t > 200.0 && s.is_finite())
        .map(|((s, _), t)| f64::from(*s) / f64::from(*t))
        .collect();
    if ratio.is_empty() {
        return Err(Error::science(
            "no pixel of the simulated exposure is well lit",
        ));
    }
    ratio.sort_by(f64::total_cmp);
    let median = ratio[ratio.len() / 2];
    let mut off: Vec<f64> = ratio.iter().map(|r| 100.0 * (r - 1.0).abs()).collect();
    off.sort_by(f64::total_cmp);
    Ok((median, off[off.len() * 9 / 10]))
}
