//! `sifu demo`: simulates an observation with both instruments, or one, and runs the whole chain on it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::ValueEnum;

use super::run::{self, carry_out};
use super::setup::Global;
use super::simulate::{fresh, with_progress};
use crate::exec::Exec;
use crate::formats::fits::FitsFile;
use crate::nav::Kernels;
use crate::pipeline::navigate;
use crate::pipeline::plan::work::Context;
use crate::pipeline::plan::{self, Entry, Plan, Stage, Toggle};
use crate::pipeline::settings::Settings;
use crate::simulate::{Options, Summary, nirspec, simulate_miri, simulate_nirspec};
use crate::store::products::read_rate;
use crate::store::references::{CrdsReferences, Overrides};
use crate::{Error, Result};

/// Simulate a small observation of a planet and run the whole chain on it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder to fill: new or empty.
    #[arg(value_name = "DIR", default_value = "sifu-demo")]
    folder: PathBuf,
    /// Whose observation: MIRI's MRS, NIRSpec's IFU with the prism, or both in one folder and one run.
    #[arg(long, value_enum, default_value = "both")]
    instrument: Instruments,
}

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum Instruments {
    Both,
    Miri,
    Nirspec,
}

impl Instruments {
    /// Writes the observations, and those of empty sky.
    fn simulate(self, folder: &Path, exec: &Exec, say: &(dyn Fn(&str) + Sync)) -> Result<Summary> {
        let mut made = Summary::default();
        if self != Self::Nirspec {
            let options = Options {
                background: true,
                ..Options::default()
            };
            made = simulate_miri(&options, folder, exec, say)?;
        }
        if self != Self::Miri {
            let mode = nirspec::Mode::of(nirspec::Grating::Prism, None)?;
            let options = nirspec::Options {
                background: true,
                // images of a second dither, and what is made of them, would take another gigabyte
                dithers: 1,
                ..nirspec::Options::new(vec![mode])
            };
            made = made.and(simulate_nirspec(&options, folder, exec, say)?);
        }
        Ok(made)
    }
}

/// What is made of it: saturated parts from three groups, without the background.
fn whole(background: PathBuf) -> plan::Options {
    plan::Options {
        desaturate: true,
        groups_to_use: Some(BTreeSet::from([3])),
        background: Some(background),
        background_subtract: Toggle::Yes,
        // the simulated spectra have no residual fringes, and to look for them takes longer than all else
        defringe_1d: Toggle::No,
        spectra: vec![plan::Instrument::Miri],
        ..plan::Options::default()
    }
}

/// The options of `sifu run` that do the same in a folder (with a `/` at its end).
fn as_options(root: &str) -> String {
    format!(
        "--desaturate --groups-to-use 3 --background {root}background --background-subtract=yes --defringe-1d=no "
    )
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
    let made = with_progress(global, |say| args.instrument.simulate(folder, &exec, say))?;
    add(
        "raw exposures",
        folder.join("stage0"),
        Some(start.elapsed().as_secs_f64()),
    )?;
    add("their reference files", made.crds.clone(), None)?;

    let references =
        CrdsReferences::new(Some(&made.crds), Some(&made.context), Overrides::default())?;
    let budget = super::memory::free();
    let kernels = Kernels::with_built_in::<PathBuf>(&[])?;
    // the built-in ephemeris has no centre of Neptune, which lies within 75 km of the barycentre
    let navigation = navigate::Options {
        barycentre: true,
        ..navigate::Options::default()
    };
    let settings = Settings::default();
    let reduce = |root: &Path, options: &plan::Options| -> Result<(Plan, Vec<Entry>, u8)> {
        let plan = plan::build(root, options)?;
        let context = Context {
            root: &plan.root,
            settings: &settings,
            references: &references,
            exec: &exec,
            memory: budget / exec.threads(),
            kernels: &kernels,
            kernel_paths: None,
            navigation: &navigation,
            fit: None,
        };
        let (entries, code) = carry_out(&plan, &context, budget, global)?;
        Ok((plan, entries, code))
    };
    let background = folder.join("background");
    let start = Instant::now();
    let first = plan::Options {
        skip: Stage::ALL
            .iter()
            .copied()
            .filter(|s| *s > Stage::Stage1)
            .collect(),
        ..plan::Options::default()
    };
    let (plan, entries, code) = reduce(&background, &first)?;
    if code != 0 {
        super::print(&run::table(&plan, &entries, &background))?;
        return Ok(code);
    }
    add(
        "count rates of the background",
        background.join("stage1"),
        Some(start.elapsed().as_secs_f64()),
    )?;
    let (plan, entries, code) = reduce(folder, &whole(background))?;
    super::print(&run::table(&plan, &entries, folder))?;
    if code != 0 {
        return Ok(code);
    }
    for (what, name) in [
        ("count rates", "stage1"),
        ("calibrated images", "stage2"),
        ("cubes, backplanes, spectra", "stage3"),
        ("all of these from 3 groups", "groups"),
        ("desaturated cubes", "stage3_desaturated"),
        ("despiked cubes of MIRI", "stage5_despike"),
        ("despiked cubes of NIRSpec", "stage4_despike"),
    ] {
        let place = folder.join(name);
        if place.is_dir() {
            let under = |e: &&Entry| e.products.iter().any(|p| p.starts_with(name));
            let seconds = entries.iter().filter(under).map(|e| e.seconds).sum();
            add(what, place, Some(seconds))?;
        }
    }
    super::print("\n")?;
    super::print(&table(&lines, &made, &folder.join("stage1"))?)?;
    run::page(folder, &exec, code)
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
    let truths = stage1.with_file_name("truth");
    for raw in &made.science {
        let name = file_name(raw).replace("_uncal.fits", "");
        let truth = truths.join(format!("{name}_rate_truth.fits"));
        let (median, spread) = agreement(&stage1.join(format!("{name}_rate.fits")), &truth)?;
        text(format_args!("{name:<42}{median:>10.4}{spread:>11.2}%"));
    }
    text(format_args!("\nReduce it yourself:"));
    let (root, crds) = (stage1.with_file_name(""), made.crds.display());
    let root = root.display().to_string();
    let options = as_options(&root);
    text(format_args!(
        "  sifu run {root} {options}--barycentre --crds {crds}"
    ));
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
