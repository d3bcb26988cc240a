//! A film through the wavelengths of navigated cubes, one row a dither.
//!
//! `cargo run --release --example film -- film.gif d1/Level3_ch1-short_s3d_nav.fits d2/Level3_ch1-short_s3d_nav.fits ...`

use std::path::{Path, PathBuf};

use sifu::exec::Exec;
use sifu::nav::Kernels;
use sifu::pipeline::animate::{self, Job};
use sifu::view::film::Options;
use sifu::{Error, Result};

fn main() -> Result<()> {
    let mut files = std::env::args().skip(1).map(PathBuf::from);
    let out = files.next();
    let out = out.ok_or_else(|| Error::parameter("name the film, then its cubes"))?;
    let cubes: Vec<PathBuf> = files.collect();
    let job = Job {
        cubes: &cubes,
        zonal: None,
        remark: &["made by an example".to_owned()],
        options: Options {
            // wavelengths a frame, pixels across
            step: 50,
            width: 1000,
            ..Options::default()
        },
        rate: animate::RATE,
    };
    let exec = Exec::new(None)?;
    // the cubes' own cards tell how the body was seen, so that the built-in kernels do
    let kernels = Kernels::with_built_in::<&Path>(&[])?;
    animate::run(&job, &out, &kernels, &exec, &|step| println!("{step}"))?;
    println!("made {}", out.display());
    Ok(())
}
