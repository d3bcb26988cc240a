//! `sifu spec2`: `_rate` exposures to `_cal`, `_s3d` and `_x1d`.

use std::path::PathBuf;

use super::setup::{Global, ParameterArgs, ReferenceArgs};
use super::{batch, inputs};
use crate::pipeline::recipe::spec2::{Job, Options, spec2};
use crate::store::association::Association;
use crate::{Error, Result};

/// Calibrate count rates (_rate) to surface brightness (_cal), cubes (_s3d) and spectra (_x1d), as
/// calwebb_spec2 does.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Exposures, folders of *_rate.fits files, or level-2 associations (.json).
    #[arg(required = true, value_name = "FILE|DIR|ASN")]
    pub(super) inputs: Vec<PathBuf>,
    /// Folder for the products (made if needed).
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// Exposures of the background (or folders of them) for all exposures that are not in an association; each exposure
    /// takes those of its own detector and band.
    #[arg(long, value_name = "FILE|DIR", num_args = 1..)]
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
/// Where nothing could be started, or the only exposure failed.
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
    let name = |job: &Job| inputs::name(&job.science);
    batch::run(&jobs, "exposures", global, name, |job, progress| {
        spec2(job, &settings, &references, &exec, &options, progress)
            .map(|_| ())
            .map_err(|e| e.with_path(&job.science))
    })
}

/// Every exposure with what belongs to it.
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
    let background = match args.background.is_empty() {
        true => Vec::new(),
        false => inputs::by_band(inputs::exposures(&args.background, "rate")?)?,
    };
    if !loose.is_empty() {
        for (band, file) in inputs::by_band(inputs::exposures(&loose, "rate")?)? {
            let own: Vec<PathBuf> = background
                .iter()
                .filter(|(b, _)| *b == band)
                .map(|(_, p)| p.clone())
                .collect();
            if own.is_empty() && !background.is_empty() {
                return Err(Error::input_file(
                    &file,
                    format!(
                        "none of the background exposures is of its detector and band ({band})"
                    ),
                ));
            }
            jobs.push(Job::alone(&file, &own));
        }
    }
    inputs::distinct(jobs.iter().map(|j| (j.stem.as_str(), j.science.as_path())))?;
    Ok(jobs)
}
