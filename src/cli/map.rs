//! `sifu map`: navigated cubes on a globe's longitudes and latitudes.

use std::path::PathBuf;

use clap::ValueEnum;

use super::setup::Global;
use super::{batch, inputs};
use crate::model::date::utc_now;
use crate::nav::map::{Projection, Weighting};
use crate::pipeline::map;
use crate::{Error, Result};

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Flat {
    /// Longitude and latitude as they are (FITS CAR).
    Equirectangular,
    /// The globe from far away (SIN).
    Orthographic,
    /// True distances from the middle, a pole by default (ARC).
    Azimuthal,
    /// The whole globe with true areas (MOL).
    Mollweide,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Weight {
    /// The cosine of the emission angle.
    Emission,
    /// The inverse of the variance.
    Variance,
    /// Both.
    Both,
    /// All alike.
    Equal,
}

/// Project navigated cubes of one band to a map, dithers and tiles together.
///
/// Products: OUT/<name>.fits with SCI, ERR, WEIGHT and COUNT (wavelength, latitude, longitude), their MEAN over wavelengths and
/// backplanes, all with a WCS, and OUT/<name>.png of the mean, north up and planetary east to the right.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct Args {
    /// Navigated cubes, and folders of *_nav.fits.
    #[arg(required = true, value_name = "CUBE|DIR")]
    inputs: Vec<PathBuf>,
    /// Folder for the products (made if needed).
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// How the globe is flattened.
    #[arg(long, value_enum, default_value = "equirectangular")]
    projection: Flat,
    /// Side of a cell in degrees, as in 0.5 or 1deg.
    #[arg(long, value_name = "DEG", default_value = "1deg")]
    grid: String,
    /// Longitude (of the map's own sense) and latitude of the middle, as in 180,0.
    #[arg(long, value_name = "LON,LAT", allow_hyphen_values = true)]
    centre: Option<String>,
    /// Leave out what is seen at this emission angle (degrees) or more.
    #[arg(long, value_name = "DEG", default_value_t = 75.0)]
    max_emission: f64,
    /// Wavelengths in micron, as in 5.2:5.4; all by default.
    #[arg(long, value_name = "FIRST:LAST")]
    wavelength: Option<String>,
    /// What cubes count by where they overlap, besides the part of a cell they fill.
    #[arg(long, value_enum, default_value = "emission")]
    weight: Weight,
    /// The plane of longitudes.
    #[arg(long, value_name = "PLANE", default_value = "LON")]
    longitude: String,
    /// The plane of latitudes.
    #[arg(long, value_name = "PLANE", default_value = "LAT_GRAPHIC")]
    latitude: String,
    /// Planes to map as well, with commas between; "none" for none.
    #[arg(long, value_name = "LIST", default_value = "EMISSION,INCIDENCE,PHASE")]
    planes: String,
    /// Name of the products.
    #[arg(long, value_name = "NAME", default_value = "map")]
    name: String,
}

/// Two numbers with a separator between.
fn pair(text: &str, separator: char, what: &str) -> Result<[f64; 2]> {
    let number = |t: &str| t.trim().parse::<f64>().ok().filter(|v| v.is_finite());
    let both = text.split_once(separator);
    let both = both.and_then(|(a, b)| Some([number(a)?, number(b)?]));
    both.ok_or_else(|| Error::parameter(format!("'{text}' is not {what}")))
}

/// Runs the command.
///
/// # Errors
/// Any [`Error`].
pub fn run(args: &Args, global: &Global) -> Result<u8> {
    let step = args
        .grid
        .trim()
        .trim_end_matches("deg")
        .trim()
        .parse::<f64>();
    let step = step.map_err(|_| {
        Error::parameter(format!(
            "--grid '{}' is no number of degrees, as in 1deg",
            args.grid
        ))
    })?;
    if !(args.max_emission > 0.0 && args.max_emission <= 90.0) {
        return Err(Error::parameter(format!(
            "--max-emission {} must be above 0 and at most 90",
            args.max_emission
        )));
    }
    let wavelength = match &args.wavelength {
        Some(text) => Some(pair(text, ':', "FIRST:LAST in micron, as 5.2:5.4")?),
        None => None,
    };
    if let Some([a, b]) = wavelength.filter(|[a, b]| a > b) {
        return Err(Error::parameter(format!(
            "--wavelength {a}:{b} ends before it begins"
        )));
    }
    let centre = match &args.centre {
        Some(text) => Some(pair(text, ',', "LON,LAT in degrees, as 180,0")?),
        None => None,
    };
    if args.name.is_empty() || args.name.contains('/') {
        return Err(Error::parameter(format!(
            "--name '{}' cannot be part of a file's name",
            args.name
        )));
    }
    let names = args
        .planes
        .split(',')
        .map(|n| n.trim().to_ascii_uppercase());
    let options = map::Options {
        projection: match args.projection {
            Flat::Equirectangular => Projection::Equirectangular,
            Flat::Orthographic => Projection::Orthographic,
            Flat::Azimuthal => Projection::Azimuthal,
            Flat::Mollweide => Projection::Mollweide,
        },
        step,
        centre,
        max_emission: args.max_emission,
        wavelength,
        weighting: match args.weight {
            Weight::Emission => Weighting::Emission,
            Weight::Variance => Weighting::Variance,
            Weight::Both => Weighting::Both,
            Weight::Equal => Weighting::Equal,
        },
        longitude: args.longitude.to_ascii_uppercase(),
        latitude: args.latitude.to_ascii_uppercase(),
        planes: names.filter(|n| !n.is_empty() && n != "NONE").collect(),
    };
    let mut cubes = Vec::new();
    for input in &args.inputs {
        cubes.extend(inputs::exposures(std::slice::from_ref(input), "nav")?);
    }
    std::fs::create_dir_all(&args.out).map_err(|e| Error::io(&args.out, e))?;
    let exec = global.exec()?;
    let name = |_: &()| args.name.clone();
    batch::run(&[()], "maps", global, name, |(), progress| {
        map::map(
            &cubes,
            &args.out,
            &args.name,
            &options,
            &utc_now(),
            &|s| progress(s),
            &exec,
        )
    })
}
