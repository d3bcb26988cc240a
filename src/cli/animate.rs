//! `sifu animate`: films of navigated cubes.

use std::path::PathBuf;

use super::setup::Global;
use super::{batch, inputs};
use crate::pipeline::animate::{self, Job};
use crate::store::kernels;
use crate::view::film::{Interpolation, Options};
use crate::{Error, Result};

/// Make a film of the dithers of a pointing: wavelength by wavelength, the field, the body, a map.
///
/// One row a cube, in the order given. The kind of the film is by the end of OUT: .gif, .apng (or .png), which is several times
/// smaller, or .mp4 in a build with the feature mp4. GIF has rates of 100/2, 100/3, 100/4, ... a second: the nearest is taken.
/// Colours have limits of their own in every frame, over all cubes. With --zonal (of `sifu zonal`) it shows what differs from
/// the average of a latitude.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Navigated cubes of one band (*_nav.fits), or folders of them.
    #[arg(required = true, value_name = "CUBE|DIR")]
    inputs: Vec<PathBuf>,
    /// The film.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// Wavelengths averaged in a frame.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    wavelength_step: u32,
    /// Frames a second.
    #[arg(long, value_name = "RATE", default_value_t = animate::RATE)]
    fps: f64,
    /// On the map, between the centres of spaxels.
    #[arg(long, value_name = "HOW", default_value = "linear", value_parser = ["nearest", "linear", "cubic"])]
    interpolation: String,
    /// Cells of the map in degrees.
    #[arg(long, value_name = "DEGREES", default_value_t = 1.0)]
    grid: f64,
    /// Half a side of the picture about the body, in radii of its equator (3 shows rings).
    #[arg(long, value_name = "RADII", default_value_t = 1.25)]
    radius_factor: f64,
    /// Percentile from either end that colours begin at where a few values are far beyond.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.2)]
    clip_percentile: f64,
    /// How far beyond, as a part of the range between the percentiles.
    #[arg(long, value_name = "PART", default_value_t = 0.2)]
    clip_allowed_range: f64,
    /// Zonal average: show what differs from it.
    #[arg(long, value_name = "FILE")]
    zonal: Option<PathBuf>,
    /// Said behind the title (repeatable).
    #[arg(long, value_name = "TEXT")]
    title_suffix: Vec<String>,
    /// Pixels across.
    #[arg(long, value_name = "PIXELS", default_value_t = 1800)]
    width: usize,
    /// SPICE kernels: files, meta-kernels (.tm) and folders.
    #[arg(short, long, value_name = "FILE|DIR", num_args = 1..)]
    kernels: Vec<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// Any [`Error`] of reading, drawing and writing.
pub fn run(args: &Args, global: &Global) -> Result<u8> {
    let refuse = |ok: bool, name: &str, what: &str| match ok {
        true => Ok(()),
        false => Err(Error::parameter(format!("--{name} has to be {what}"))),
    };
    refuse(
        args.fps > 0.0 && args.fps <= 1000.0,
        "fps",
        "above 0, up to 1000",
    )?;
    refuse(
        (0.05..=30.0).contains(&args.grid),
        "grid",
        "from 0.05 to 30 degrees",
    )?;
    let reach = args.radius_factor;
    refuse(reach > 0.0 && reach.is_finite(), "radius-factor", "above 0")?;
    let percent = (0.0..50.0).contains(&args.clip_percentile);
    refuse(percent, "clip-percentile", "from 0 to below 50")?;
    refuse(
        args.clip_allowed_range >= 0.0,
        "clip-allowed-range",
        "0 or more",
    )?;
    refuse(
        (200..=8000).contains(&args.width),
        "width",
        "from 200 to 8000 pixels",
    )?;
    animate::kind(&args.out)?;
    // dithers have the same name in different folders
    let mut cubes = Vec::new();
    for input in &args.inputs {
        cubes.extend(inputs::exposures(std::slice::from_ref(input), "nav")?);
    }
    let found = kernels::find(&args.kernels)?;
    if let Some(folder) = args.out.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    }
    let job = Job {
        cubes: &cubes,
        zonal: args.zonal.as_deref(),
        remark: &args.title_suffix,
        options: Options {
            step: args.wavelength_step as usize,
            interpolation: match args.interpolation.as_str() {
                "nearest" => Interpolation::Nearest,
                "cubic" => Interpolation::Cubic,
                _ => Interpolation::Linear,
            },
            grid: args.grid,
            reach,
            percentile: args.clip_percentile,
            tail: args.clip_allowed_range,
            width: args.width,
        },
        rate: args.fps,
    };
    let exec = global.exec()?;
    let films = std::slice::from_ref(&args.out);
    batch::run(
        films,
        "films",
        global,
        |f| inputs::name(f),
        |out, progress| animate::run(&job, out, &found.kernels, &exec, progress),
    )
}
