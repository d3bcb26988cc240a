//! `sifu detector1`: `_uncal` exposures to `_rate` and `_rateints`.

use std::path::PathBuf;

use super::setup::{Global, ParameterArgs, ReferenceArgs};
use super::{batch, inputs, memory};
use crate::pipeline::recipe::detector1::{Options, detector1};
use crate::{Error, Result};

/// Calibrate raw exposures (_uncal) to count rates (_rate, _rateints), as calwebb_detector1 does.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Exposures, or folders of *_uncal.fits files.
    #[arg(required = true, value_name = "FILE|DIR")]
    pub(super) inputs: Vec<PathBuf>,
    /// Folder for the products (made if needed).
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// Save the product of every step.
    #[arg(long)]
    save_intermediates: bool,
    /// Memory an exposure may take, as in 8G (default: 60 % of what is free); what is larger is worked
    /// on in a temporary file in the output folder.
    #[arg(long, value_name = "SIZE", value_parser = memory::size)]
    memory: Option<usize>,
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
    let files = inputs::exposures(&args.inputs, "uncal")?;
    let references = args.references.references()?;
    std::fs::create_dir_all(&args.out).map_err(|e| Error::io(&args.out, e))?;
    let options = Options {
        out: args.out.clone(),
        save_intermediates: args.save_intermediates,
        memory: args.memory.unwrap_or_else(memory::free),
    };
    let exec = global.exec()?;
    let name = |file: &PathBuf| inputs::name(file);
    batch::run(&files, "exposures", global, name, |file, progress| {
        detector1(file, &settings, &references, &exec, &options, progress)
            .map(|_| ())
            .map_err(|e| e.with_path(file))
    })
}
