//! `sifu spec3`: `_cal` exposures combined into `_s3d` and `_x1d`.

use std::path::PathBuf;

use super::setup::{Global, ParameterArgs, ReferenceArgs};
use super::{batch, inputs};
use crate::pipeline::recipe::spec3::{Job, Options, spec3};
use crate::store::association::Association;
use crate::{Error, Result};

/// Combine calibrated exposures (_cal) into cubes (_s3d) and spectra (_x1d), as calwebb_spec3 does.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Exposures and folders of *_cal.fits files, which are combined with each other, or level-3 associations (.json).
    #[arg(required = true, value_name = "FILE|DIR|ASN")]
    pub(super) inputs: Vec<PathBuf>,
    /// Folder for the products (made if needed).
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// Name of the product made of files and folders.
    #[arg(long, value_name = "NAME", default_value = "Level3")]
    product: String,
    /// Spectra (_x1d) of the background for the master background of files and folders.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    background: Vec<PathBuf>,
    /// Save the product of every step.
    #[arg(long)]
    save_intermediates: bool,
    #[command(flatten)]
    parameters: ParameterArgs,
    #[command(flatten)]
    references: ReferenceArgs,
}

/// Runs the command.
///
/// # Errors
/// Where nothing could be started, or the only association failed.
pub fn run(args: &Args, global: &Global) -> Result<u8> {
    let settings = args.parameters.settings()?;
    let jobs = jobs(args)?;
    let references = args.references.references()?;
    std::fs::create_dir_all(&args.out).map_err(|e| Error::io(&args.out, e))?;
    let options = Options {
        out: args.out.clone(),
        save_intermediates: args.save_intermediates,
    };
    let exec = global.exec()?;
    let name = |job: &Job| job.stem.clone();
    batch::run(&jobs, "associations", global, name, |job, progress| {
        spec3(job, &settings, &references, &exec, &options, progress).map(|_| ())
    })
}

fn jobs(args: &Args) -> Result<Vec<Job>> {
    let (tables, loose): (Vec<PathBuf>, Vec<PathBuf>) = args
        .inputs
        .iter()
        .cloned()
        .partition(|p| Association::is_one(p));
    let mut jobs = Vec::new();
    for path in &tables {
        let association = Association::read(path)?;
        for product in &association.products {
            jobs.push(Job::of_product(&association, product)?);
        }
    }
    if args.product.is_empty() || args.product.contains('/') {
        return Err(Error::parameter(format!(
            "--product '{}' cannot be part of a file's name",
            args.product
        )));
    }
    if !loose.is_empty() {
        let files = inputs::exposures(&loose, "cal")?;
        let background = match args.background.is_empty() {
            true => Vec::new(),
            false => inputs::exposures(&args.background, "x1d")?,
        };
        jobs.push(Job::of_files(&files, &background, &args.product)?);
    }
    let first = |j: &Job| j.science.first().cloned().unwrap_or_default();
    let named: Vec<(String, PathBuf)> = jobs.iter().map(|j| (j.stem.clone(), first(j))).collect();
    inputs::distinct(named.iter().map(|(s, p)| (s.as_str(), p.as_path())))?;
    Ok(jobs)
}
