//! `sifu zonal`: spaxels of many cubes averaged in bins of latitude.

use std::path::PathBuf;

use super::setup::Global;
use super::{batch, inputs};
use crate::model::date::utc_now;
use crate::zonal::{Bins, Params, average, group, product};
use crate::{Error, Result};

/// Average the spaxels of navigated cubes of one band in bins of latitude (or of another plane).
///
/// Products: OUT/<name>.fits with the mean spectra (for `sifu spx`) and, with --grouped, OUT/<name>_grouped.fits with every
/// spaxel by bin.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct Args {
    /// Navigated cubes, and folders of *_nav.fits.
    #[arg(required = true, value_name = "CUBE|DIR")]
    inputs: Vec<PathBuf>,
    /// Folder for the products (made if needed).
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// Bins' centres: FIRST:LAST:STEP, or an evenly spaced list A,B,C.
    #[arg(
        long,
        value_name = "BINS",
        default_value = "-90:90:1",
        allow_hyphen_values = true
    )]
    bins: String,
    /// The plane to bin by.
    #[arg(long, value_name = "PLANE", default_value = "LAT_GRAPHIC")]
    plane: String,
    /// Name of the products.
    #[arg(long, value_name = "NAME", default_value = "zonal")]
    name: String,
    /// Also write every spaxel by bin.
    #[arg(long)]
    grouped: bool,
    /// Leave out spaxels with a larger part of flagged samples than this.
    #[arg(long, value_name = "X", default_value_t = 0.25)]
    dq_threshold: f64,
    /// Leave out this part of a bin's spectra, those furthest from the median.
    #[arg(long, value_name = "X", default_value_t = 1.0 / 3.0)]
    reject_fraction: f64,
    /// Leave out spaxels with this emission angle (degrees) or more.
    #[arg(long, value_name = "DEG")]
    emission_cutoff: Option<f64>,
    /// Do as the reference pipeline does, with its defects.
    #[arg(long)]
    compatible: bool,
}

/// Runs the command.
///
/// # Errors
/// Any [`Error`].
pub fn run(args: &Args, global: &Global) -> Result<u8> {
    let params = Params {
        bins: Bins::parse(&args.bins)?,
        plane: args.plane.to_ascii_uppercase(),
        dq_threshold: args.dq_threshold,
        emission_cutoff: args.emission_cutoff,
        compatible: args.compatible,
    };
    if !(0.0..1.0).contains(&args.reject_fraction) {
        return Err(Error::parameter(format!(
            "reject_fraction = {} must be at least 0 and below 1",
            args.reject_fraction
        )));
    }
    if args.name.is_empty() || args.name.contains('/') {
        return Err(Error::parameter(format!(
            "--name '{}' cannot be part of a file's name",
            args.name
        )));
    }
    let mut cubes = Vec::new();
    for input in &args.inputs {
        cubes.extend(inputs::exposures(std::slice::from_ref(input), "nav")?);
    }
    std::fs::create_dir_all(&args.out).map_err(|e| Error::io(&args.out, e))?;
    let exec = global.exec()?;
    let path = |suffix: &str| args.out.join(format!("{}{suffix}.fits", args.name));
    let name = |_: &()| args.name.clone();
    batch::run(&[()], "averages", global, name, |(), progress| {
        let said = |file: &str| progress(file);
        let groups = group::group(&cubes, &params, &|file| said(file), &exec)?;
        if groups.spaxels.iter().all(Vec::is_empty) {
            return Err(Error::science("no spaxel of any cube lies in a bin"));
        }
        let date = utc_now();
        if args.grouped {
            product::write_grouped(&path("_grouped"), &groups, &date)?;
        }
        progress("averaging");
        let averages = average(&groups, args.reject_fraction, &exec)?;
        product::write_averaged(&path(""), &groups, &averages, args.reject_fraction, &date)
    })
}
