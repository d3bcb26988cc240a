//! `sifu spx`: NEMESIS spectra of averaged products.

use std::path::PathBuf;

use super::inputs;
use crate::zonal::spectra::{Options, spectra};
use crate::{Error, Result};

/// Write NEMESIS spectra (.spx), one a bin with data, of averaged products of `sifu zonal`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Averaged products.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Folder for the spectra (made if needed).
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// Names below the folder: {val} is the bin, as +10, {channel} channel and band, as 1A.
    #[arg(long, value_name = "NAME", default_value_t = Options::default().template)]
    template: String,
    /// Width of the instrument's profile in micron, for the first line.
    #[arg(long, value_name = "UM", default_value_t = 0.0)]
    fwhm: f64,
    /// Do as the reference pipeline does, with its defects: radiances below 0 become NaN.
    #[arg(long)]
    compatible: bool,
}

/// Runs the command.
///
/// # Errors
/// Any [`Error`].
pub fn run(args: &Args) -> Result<u8> {
    let options = Options {
        template: args.template.clone(),
        fwhm: args.fwhm,
        compatible: args.compatible,
    };
    let climbs = |c: std::path::Component| !matches!(c, std::path::Component::Normal(_));
    let template = std::path::Path::new(&args.template);
    if args.template.is_empty() || template.components().any(climbs) {
        return Err(Error::parameter(format!(
            "--template '{}' is no name below the folder",
            args.template
        )));
    }
    let mut products = Vec::new();
    for file in &args.files {
        if !file.is_file() {
            return Err(Error::input_file(file, "there is no such file"));
        }
        for (name, spx) in spectra(file, &options)? {
            products.push((args.out.join(name), file, spx));
        }
    }
    let named = products
        .iter()
        .map(|(path, file, _)| (path.to_string_lossy(), file.as_path()));
    let named: Vec<_> = named.collect();
    inputs::distinct(named.iter().map(|(name, file)| (name.as_ref(), *file)))?;
    for (path, _, spx) in &products {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
        }
        spx.write(path)?;
        super::print(&format!("{}\n", path.display()))?;
    }
    Ok(0)
}
