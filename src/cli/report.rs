//! `sifu report`: one page on a run.

use std::path::PathBuf;

use super::print;
use super::setup::Global;
use crate::pipeline::report::{self, Chosen, EMBEDDED, Options};
use crate::{Error, Result};

/// Write a page on a run: what was done and how well, its figures, and its cubes to look at.
///
/// One HTML file that needs no network and, but for films, no other file: tasks and times, parameters, reference files, the quality of
/// each exposure, pointing, all pictures, and a viewer for navigated cubes (images at a wavelength, spectra of spaxels and regions,
/// backplanes under the cursor). `sifu run` writes it as its last step.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of a run (it has a sifu_report.json).
    #[arg(value_name = "DIR")]
    root: PathBuf,
    /// The page (default: DIR/sifu_report.html).
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Navigated cubes in the page, the last step's first; a full cube takes some MB.
    #[arg(long, value_name = "N|all|none", default_value = "12", value_parser = cubes)]
    cubes: Chosen,
    /// Megabytes of pictures in the page; others, and all films, are linked to.
    #[arg(long, value_name = "MB", default_value_t = EMBEDDED / 1_000_000)]
    embed: u64,
}

fn cubes(text: &str) -> std::result::Result<Chosen, String> {
    match text {
        "all" => Ok(Chosen::All),
        "none" => Ok(Chosen::First(0)),
        n => n
            .parse()
            .map(Chosen::First)
            .map_err(|_| "is no number, all or none".into()),
    }
}

/// Runs the command.
///
/// # Errors
/// Where there is no run, or the page cannot be written.
pub fn run(args: &Args, global: &Global) -> Result<u8> {
    if args.out.as_ref().is_some_and(|o| o.is_dir()) {
        return Err(Error::parameter(
            "-o is the name of the page, not a folder: give FILE.html",
        ));
    }
    let options = Options {
        cubes: args.cubes,
        embedded: args.embed.saturating_mul(1_000_000),
    };
    let exec = global.exec()?;
    let (page, bytes) = report::run(&args.root, args.out.as_deref(), &options, &exec)?;
    let size = bytes as f64 / 1e6;
    print(&format!("{}: {size:.1} MB\n", page.display()))?;
    Ok(0)
}
