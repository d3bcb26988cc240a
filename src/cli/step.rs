//! `sifu step`: one step on one file.

use std::path::PathBuf;

use super::setup::{Global, ParameterArgs, ReferenceArgs};
use crate::pipeline::recipe::single;
use crate::{Error, Result, steps};

/// Run one step on files; the product is OUT/<root>_<step>.fits (ramp_fit: _rate and _rateints,
/// cube_build: _s3d, extract_1d: _x1d; the planetary steps: the file's own name). Steps that combine exposures,
/// and desaturate, take all files together.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The step (`sifu describe` lists them).
    step: String,
    /// The files: _uncal or another step's products.
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Exposures of the background (for master_background: their spectra), for steps that take them.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    background: Vec<PathBuf>,
    /// Exposures to find bad pixels with, for badpix_selfcal.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    selfcal: Vec<PathBuf>,
    /// Exposures of NIRSpec with its shutters closed, for imprint_subtract.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    imprint: Vec<PathBuf>,
    /// Folder for the product (made if needed).
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    parameters: ParameterArgs,
    #[command(flatten)]
    references: ReferenceArgs,
}

/// Runs the command.
///
/// # Errors
/// Any [`Error`].
pub fn run(args: &Args, global: &Global) -> Result<u8> {
    let step = steps::find(&args.step).ok_or_else(|| {
        let names: Vec<_> = steps::ALL.iter().map(|s| s.info().name).collect();
        Error::parameter(format!(
            "there is no step {}; steps are {}",
            args.step,
            names.join(", ")
        ))
    })?;
    let settings = args.parameters.settings()?;
    let references = args.references.references()?;
    std::fs::create_dir_all(&args.out).map_err(|e| Error::io(&args.out, e))?;
    let exec = global.exec()?;
    let options = single::Options {
        out: args.out.clone(),
        background: args.background.clone(),
        selfcal: args.selfcal.clone(),
        imprint: args.imprint.clone(),
    };
    let products = single::run(step, &args.files, &settings, &references, &exec, &options)?;
    for product in products {
        super::print(&format!("{}\n", product.display()))?;
    }
    Ok(0)
}
