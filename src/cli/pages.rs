//! `sifu man` and `sifu completions`: manual pages and shell completions, from the commands' own documentation.

use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, print};
use crate::{Error, Result};

/// Write the manual pages (`sifu.1`, `sifu-run.1`, ...).
#[derive(Debug, clap::Args)]
pub struct Man {
    /// Folder for a page of each command; without it the program's own page is printed.
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Print a completion script for a shell, as in: sifu completions bash > ~/.local/share/bash-completion/completions/sifu.
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// Shell.
    shell: Shell,
}

/// Writes the pages.
///
/// # Errors
/// [`Error::Io`].
pub fn man(args: &Man) -> Result<u8> {
    let Some(out) = &args.out else {
        let mut page = Vec::new();
        let made = clap_mangen::Man::new(Cli::command()).render(&mut page);
        made.map_err(|e| Error::io("standard output", e))?;
        print(&String::from_utf8_lossy(&page))?;
        return Ok(0);
    };
    std::fs::create_dir_all(out).map_err(|e| Error::io(out, e))?;
    clap_mangen::generate_to(Cli::command(), out).map_err(|e| Error::io(out, e))?;
    Ok(0)
}

/// Prints the script.
///
/// # Errors
/// [`Error::Io`].
pub fn completions(args: &Completions) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "sifu", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(0)
}
