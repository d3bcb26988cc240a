//! `sifu asn`: a list of files to an association.

use std::path::PathBuf;

use crate::store::association::{Association, Level};
use crate::{Error, Result};

/// Make an association (JSON) of files, as asn_from_list does.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Exposures of the target.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// File to write.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// 2: each file a product, for spec2. 3: one product of all files, for spec3.
    #[arg(long, value_name = "2|3", default_value = "3", value_parser = ["2", "3"])]
    level: String,
    /// Name of the product of level 3.
    #[arg(long, value_name = "NAME", default_value = "Level3")]
    product: String,
    /// Exposures (level 2) or spectra (level 3) of the background, members of every product.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    background: Vec<String>,
    /// Exposures to find bad pixels with (level 2), members of every product.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    selfcal: Vec<String>,
    /// Exposures of NIRSpec with its shutters closed (level 2), members of every product.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    imprint: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// [`Error::Io`] where the file cannot be written, [`Error::Parameter`] for members the level does not have.
pub fn run(args: &Args) -> Result<u8> {
    let level = match args.level.as_str() {
        "2" => Level::Two,
        _ => Level::Three,
    };
    if level == Level::Three && !(args.selfcal.is_empty() && args.imprint.is_empty()) {
        return Err(Error::parameter(
            "--selfcal, --imprint: only level-2 associations have such members",
        ));
    }
    let mut association = Association::from_list(level, &args.files, &args.product);
    for product in 0..association.products.len() {
        association.add(product, &args.background, "background");
        association.add(product, &args.selfcal, "selfcal");
        association.add(product, &args.imprint, "imprint");
    }
    association.write(&args.output)?;
    Ok(0)
}
