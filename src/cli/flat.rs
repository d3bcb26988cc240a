//! `sifu flat`: flats from dithers, merged from tiles, applied to cubes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tracing::warn;

use super::setup::Global;
use super::{batch, inputs};
use crate::flatgen::{self, Built, Dither, Method, Params, merge};
use crate::formats::fits::FitsFile;
use crate::model::Meta;
use crate::model::date::utc_now;
use crate::pipeline::recipe::single;
use crate::pipeline::settings::Settings;
use crate::store::flat::{defringed, flat_path, miri_name, read_flat, write_flat};
use crate::store::references::{CrdsReferences, Overrides};
use crate::{Error, Result, steps};

/// Make synthetic flats from dithers of an extended target, merge those of several pointings, apply them.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a flat of the dithers of one band: navigated cubes (_nav) with coord_system=ifualign, 4 or more.
    Build(Box<BuildArgs>),
    /// Merge flats of several pointings (tiles) of one band.
    Merge(MergeArgs),
    /// Divide cubes of single dithers by their band's flat (the step flat; `sifu describe flat`).
    Apply(ApplyArgs),
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum MethodArg {
    /// Solve for flat and scene together (gives errors).
    Joint,
    /// Medians over corresponding spaxels, as the reference pipeline.
    Median,
}

#[derive(Debug, clap::Args)]
struct BuildArgs {
    /// The dithers' cubes, all of one band; or folders (one a dither) of *_nav.fits, of which every band gets its flat.
    #[arg(required = true, value_name = "CUBE|DIR")]
    inputs: Vec<PathBuf>,
    /// Folder for the flats (made if needed).
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// Name of the file instead of ch{channel}-{band}_constructed_flat{fringe}.fits (needed for NIRSpec).
    #[arg(long, value_name = "FILE")]
    name: Option<String>,
    /// Name of the data in the header (default: the cubes' TARGPROP, else TARGNAME).
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
    /// How the flat is found.
    #[arg(long, value_enum, default_value = "joint")]
    method: MethodArg,
    /// Do as the reference pipeline does, with its defects (method median).
    #[arg(long)]
    compatible: bool,
    /// Median: distance below which spaxels correspond, in steps of latitude between neighbours.
    #[arg(long, value_name = "X", default_value_t = Params::default().lat_bin_size_factor)]
    lat_bin_size_factor: f64,
    /// Median: how much longer in longitude than in latitude this distance is.
    #[arg(long, value_name = "X", default_value_t = Params::default().bin_aspect)]
    bin_aspect: f64,
    /// Spaxels with this emission angle (degrees) or more take no part.
    #[arg(long, value_name = "DEG", default_value_t = Params::default().emission_cutoff)]
    emission_cutoff: f64,
    /// Median: iterations.
    #[arg(long, value_name = "N", default_value_t = Params::default().iterations)]
    iterations: usize,
    /// Values further than this many standard deviations from a wavelength's median are left out.
    #[arg(long, value_name = "X", default_value_t = Params::default().nsigma)]
    nsigma: f64,
    /// Rounds of leaving out.
    #[arg(long, value_name = "N", default_value_t = Params::default().sigma_iterations)]
    sigma_iterations: usize,
    /// Wavelengths with a lower ratio of mean signal to mean error are not corrected.
    #[arg(long, value_name = "X", default_value_t = Params::default().snr_threshold)]
    snr_threshold: f64,
    /// Flats outside 1/X .. X are NaN.
    #[arg(long, value_name = "X", default_value_t = Params::default().max_correction)]
    max_correction: f64,
    /// Joint: distance of the scene's nodes in spaxels.
    #[arg(long, value_name = "X", default_value_t = Params::default().scene_spacing)]
    scene_spacing: f64,
    /// Joint: standard deviation of flats about 1 expected beforehand.
    #[arg(long, value_name = "X", default_value_t = Params::default().flat_prior)]
    flat_prior: f64,
    /// Joint: relative standard deviation of the dithers' levels expected beforehand.
    #[arg(long, value_name = "X", default_value_t = Params::default().level_prior)]
    level_prior: f64,
}

#[derive(Debug, clap::Args)]
struct MergeArgs {
    /// The tiles' flats.
    #[arg(required = true, value_name = "FLAT")]
    flats: Vec<PathBuf>,
    /// The merged flat.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// A wavelength with a larger part of NaN than this is not corrected.
    #[arg(long, value_name = "X", default_value_t = merge::Params::default().merge_nan_threshold)]
    merge_nan_threshold: f64,
    /// Do as the reference pipeline does, with its defects.
    #[arg(long)]
    compatible: bool,
}

#[derive(Debug, clap::Args)]
struct ApplyArgs {
    /// Cubes of single dithers, and folders of *_nav.fits.
    #[arg(required = true, value_name = "CUBE|DIR")]
    inputs: Vec<PathBuf>,
    /// The flats: a folder of MIRI's, a file, or a pattern with {channel}, {band}, {fringe}, {grating}, {filter}.
    #[arg(long, value_name = "PATTERN")]
    flats: PathBuf,
    /// Folder for the products, which keep the cubes' names (made if needed).
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// Do as the reference pipeline does: errors stay as they are.
    #[arg(long)]
    compatible: bool,
}

/// Runs the command.
///
/// # Errors
/// Where no flat could be made.
pub fn run(args: &Args, global: &Global) -> Result<u8> {
    match &args.command {
        Command::Build(args) => build(args, global),
        Command::Merge(args) => merge_flats(args),
        Command::Apply(args) => apply(args, global),
    }
}

/// A flat to make: its name and the dithers.
struct Job {
    name: String,
    cubes: Vec<PathBuf>,
}

fn build(args: &BuildArgs, global: &Global) -> Result<u8> {
    let params = Params {
        method: match args.method {
            MethodArg::Joint => Method::Joint,
            MethodArg::Median => Method::Median,
        },
        compatible: args.compatible,
        lat_bin_size_factor: args.lat_bin_size_factor,
        bin_aspect: args.bin_aspect,
        emission_cutoff: args.emission_cutoff,
        iterations: args.iterations,
        nsigma: args.nsigma,
        sigma_iterations: args.sigma_iterations,
        snr_threshold: args.snr_threshold,
        max_correction: args.max_correction,
        scene_spacing: args.scene_spacing,
        flat_prior: args.flat_prior,
        level_prior: args.level_prior,
    };
    let jobs = jobs(args)?;
    std::fs::create_dir_all(&args.out).map_err(|e| Error::io(&args.out, e))?;
    let exec = global.exec()?;
    let name = |job: &Job| job.name.clone();
    batch::run(&jobs, "flats", global, name, |job, progress| {
        progress("reading");
        let dithers = job
            .cubes
            .iter()
            .map(|p| exec.check().and_then(|()| Dither::read(p)))
            .collect::<Result<Vec<_>>>()?;
        progress("solving");
        let dataset = args.dataset.clone().unwrap_or_else(|| dataset(&dithers));
        let built = flatgen::build(&dithers, &params, &dataset, &utc_now(), &exec);
        let Built { flat, warnings } = built.map_err(|e| match job.cubes.first() {
            Some(cube) => e.with_path(cube),
            None => e,
        })?;
        for w in warnings {
            warn!("{}: {w}", job.name);
        }
        write_flat(&args.out.join(&job.name), &flat)
    })
}

fn dataset(dithers: &[Dither]) -> String {
    let text = |key: &str| dithers.first()?.meta.str(key).map(|t| t.trim().to_owned());
    text("TARGPROP")
        .or_else(|| text("TARGNAME"))
        .unwrap_or_default()
}

/// Headers that say which flat a cube belongs to.
fn meta_of(path: &Path) -> Result<Meta> {
    let file = FitsFile::open(path)?;
    let sci = file.need("SCI")?;
    Ok(Meta {
        source: path.into(),
        primary: file.hdus()[0].header.clone(),
        sci: file.hdus()[sci].header.clone(),
        history: None,
    })
}

fn jobs(args: &BuildArgs) -> Result<Vec<Job>> {
    let folders = args.inputs.iter().any(|p| p.is_dir());
    let mut cubes: Vec<PathBuf> = Vec::new();
    for input in &args.inputs {
        cubes.extend(inputs::exposures(std::slice::from_ref(input), "nav")?);
    }
    if let Some(name) = args.name.as_deref()
        && (name.is_empty() || name.contains('/'))
    {
        return Err(Error::parameter(format!(
            "--name '{name}' is not a file's name"
        )));
    }
    let mut groups: BTreeMap<String, Vec<(Meta, PathBuf)>> = BTreeMap::new();
    for path in cubes {
        let meta = meta_of(&path)?;
        // named files are one flat's, and are told what does not fit together
        let key = match folders {
            true => {
                let text = |k: &str| meta.str(k).unwrap_or("").trim().to_lowercase();
                let band = ["CHANNEL", "BAND", "FILTER", "GRATING", "DETECTOR"].map(text);
                format!("{} {}", band.join(" "), defringed(&meta))
            }
            false => String::new(),
        };
        groups.entry(key).or_default().push((meta, path));
    }
    if args.name.is_some() && groups.len() > 1 {
        return Err(Error::parameter(format!(
            "--name names one flat, and the folders hold {} bands; give the cubes of one",
            groups.len()
        )));
    }
    let mut jobs = Vec::new();
    for group in groups.into_values() {
        let Some((meta, path)) = group.first() else {
            continue;
        };
        let name = match &args.name {
            Some(name) => name.clone(),
            None if meta.str("CHANNEL").is_some() => miri_name(meta)?,
            None => {
                return Err(Error::input_file(
                    path,
                    "has no CHANNEL: flats of other instruments than MIRI MRS have no usual name; give --name",
                ));
            }
        };
        let cubes = group.into_iter().map(|(_, path)| path).collect();
        jobs.push(Job { name, cubes });
    }
    Ok(jobs)
}

fn merge_flats(args: &MergeArgs) -> Result<u8> {
    if !(0.0..=1.0).contains(&args.merge_nan_threshold) {
        return Err(Error::parameter(format!(
            "merge_nan_threshold = {} must be between 0 and 1",
            args.merge_nan_threshold
        )));
    }
    let flats = args
        .flats
        .iter()
        .map(|p| match p.is_file() {
            true => read_flat(p),
            false => Err(Error::input_file(p, "there is no such file")),
        })
        .collect::<Result<Vec<_>>>()?;
    let params = merge::Params {
        merge_nan_threshold: args.merge_nan_threshold,
        compatible: args.compatible,
    };
    let merged = flatgen::merge(&flats, params, &utc_now())?;
    if let Some(folder) = args.out.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    }
    write_flat(&args.out, &merged)?;
    super::print(&format!("{}\n", args.out.display()))?;
    Ok(0)
}

fn apply(args: &ApplyArgs, global: &Global) -> Result<u8> {
    let step = steps::find("flat").ok_or_else(|| Error::parameter("there is no step flat"))?;
    let cubes = inputs::exposures(&args.inputs, "nav")?;
    let mut parameters = toml::Table::new();
    let pattern = args.flats.to_string_lossy().into_owned();
    parameters.insert("flat".into(), pattern.into());
    parameters.insert("compatible".into(), args.compatible.into());
    let mut table = toml::Table::new();
    table.insert("flat".into(), parameters.into());
    let settings = Settings::default().beneath("command line", table);
    let references = CrdsReferences::new(None, None, Overrides::default())?;
    std::fs::create_dir_all(&args.out).map_err(|e| Error::io(&args.out, e))?;
    let exec = global.exec()?;
    let options = single::Options {
        out: args.out.clone(),
        ..single::Options::default()
    };
    let name = |path: &PathBuf| inputs::name(path);
    batch::run(&cubes, "cubes", global, name, |path, progress| {
        progress("flat");
        let flat = flat_path(&args.flats, &meta_of(path)?)?;
        if !flat.is_file() {
            let message = format!("there is no flat {} for its band", flat.display());
            return Err(Error::input_file(path, message));
        }
        let cube = std::slice::from_ref(path);
        single::run(step, cube, &settings, &references, &exec, &options).map(|_| ())
    })
}
