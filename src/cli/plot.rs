//! `sifu plot`: summary plots of navigated cubes, quick looks at detector images, cubes before and after steps.

use std::path::PathBuf;

use super::setup::Global;
use super::{batch, inputs};
use crate::pipeline::{changes, plot};
use crate::store::kernels;
use crate::view::summary::Options;
use crate::view::{KINDS, kind};
use crate::{Error, Result};

/// Draw navigated cubes (field on the sky, spectra, images, invalid voxels), detector images (values, flags), maps and synthetic flats.
///
/// What is drawn is by the file: the summary plot of a navigated cube, the quick look at a detector image (_rate, _cal and others
/// whose SCI has two axes), a map of `sifu map` in its projection, or images and statistics of a synthetic flat. OUT is the picture of a single file, its kind by its end (.png, .svg, .pdf), or a folder for OUT/<name>.png of each. The
/// wireframe is the geometry that the cube was navigated with, by its NAV cards and backplanes; kernels are looked for (as `sifu
/// navigate` does) for cubes that another program navigated.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Navigated cubes, detector images, maps, synthetic flats, and folders of *_nav.fits.
    #[arg(required = true, value_name = "FILE|DIR")]
    inputs: Vec<PathBuf>,
    /// Picture, or folder for pictures (made if needed).
    #[arg(short, long, value_name = "FILE|DIR")]
    out: PathBuf,
    /// Kind of the pictures in a folder: png, svg or pdf.
    #[arg(long, value_name = "KIND", default_value = "png", value_parser = KINDS)]
    format: String,
    /// Pixels across a PNG picture.
    #[arg(long, value_name = "PIXELS", default_value_t = plot::WIDTH)]
    width: usize,
    /// Percentiles of each image that its colours begin and end at, as in 1,99.
    #[arg(long, value_name = "LOW,HIGH", default_value = "0,100")]
    limits: String,
    /// Leave out the spectrum of the brightest spaxels.
    #[arg(long)]
    no_brightest: bool,
    /// One page of all cubes, which are one cube after several steps, in order (as in stage3/d1/A_nav.fits stage5_despike/d1/A_nav.fits).
    #[arg(long)]
    steps: bool,
    /// With --steps: wavelengths (micron) that images are means of, as in 5.2:5.4.
    #[arg(long, value_name = "FIRST:LAST", requires = "steps")]
    wavelength: Option<String>,
    /// With --steps: column and row of the spaxel whose spectra are shown, from 1 (the brightest when not given).
    #[arg(long, value_name = "X,Y", requires = "steps")]
    spaxel: Option<String>,
    /// SPICE kernels: files, meta-kernels (.tm) and folders.
    #[arg(short, long, value_name = "FILE|DIR", num_args = 1..)]
    kernels: Vec<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// Where nothing could be started, or the only file failed.
pub fn run(args: &Args, global: &Global) -> Result<u8> {
    let number = |t: &str| t.trim().parse::<f64>().ok();
    let limits = args.limits.split_once(',');
    let limits = limits.and_then(|(a, b)| Some([number(a)?, number(b)?]));
    let percentiles = limits
        .filter(|[a, b]| 0.0 <= *a && a < b && *b <= 100.0)
        .ok_or_else(|| {
            Error::parameter(format!(
                "--limits '{}' is not LOW,HIGH with 0 <= LOW < HIGH <= 100, as in 1,99",
                args.limits
            ))
        })?;
    if !(100..=20_000).contains(&args.width) {
        return Err(Error::parameter(format!(
            "--width {} is not from 100 to 20000 pixels",
            args.width
        )));
    }
    let options = Options {
        percentiles,
        brightest: !args.no_brightest,
    };
    if args.steps {
        return steps(args, global);
    }
    let cubes = inputs::exposures(&args.inputs, "nav")?;
    let one = kind(&args.out).is_some() && !args.out.is_dir();
    if one && cubes.len() > 1 {
        return Err(Error::parameter(format!(
            "{} is one picture, and there are {} files; give a folder",
            args.out.display(),
            cubes.len()
        )));
    }
    if !one && args.out.extension().is_some() && !args.out.is_dir() && cubes.len() == 1 {
        return Err(Error::parameter(format!(
            "{}: the name of a picture has to end in .png, .svg or .pdf; a folder of another name has to be there",
            args.out.display()
        )));
    }
    let folder = match one {
        true => args.out.parent().filter(|p| !p.as_os_str().is_empty()),
        false => Some(args.out.as_path()),
    };
    let products: Vec<PathBuf> = cubes
        .iter()
        .map(|c| match one {
            true => args.out.clone(),
            false => plot::product_of(c, &args.out, &args.format),
        })
        .collect();
    let found = kernels::find(&args.kernels)?;
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    }
    let work: Vec<(PathBuf, PathBuf)> = cubes.into_iter().zip(products).collect();
    let name = |(cube, _): &(PathBuf, PathBuf)| inputs::name(cube);
    batch::run(&work, "files", global, name, |(cube, out), progress| {
        progress("plot");
        plot::run(cube, out, &found.kernels, &options, args.width)
    })
}

/// The page of a cube before and after steps.
fn steps(args: &Args, global: &Global) -> Result<u8> {
    let pair = |text: &str, by: char| -> Option<[f64; 2]> {
        let (a, b) = text.split_once(by)?;
        let number = |t: &str| t.trim().parse::<f64>().ok().filter(|v| v.is_finite());
        Some([number(a)?, number(b)?])
    };
    let range = args.wavelength.as_deref().map(|text| {
        let ends = pair(text, ':').filter(|[a, b]| a <= b);
        ends.ok_or_else(|| {
            Error::parameter(format!(
                "--wavelength '{text}' is not FIRST:LAST in micron, as in 5.2:5.4"
            ))
        })
    });
    let spaxel = args.spaxel.as_deref().map(|text| {
        let whole = |v: &f64| *v >= 1.0 && v.fract() == 0.0 && *v < 1e6;
        let place = pair(text, ',').filter(|p| p.iter().all(whole));
        let place = place.map(|p| p.map(|v| v as usize - 1));
        place.ok_or_else(|| {
            Error::parameter(format!(
                "--spaxel '{text}' is not X,Y, column and row from 1, as in 14,19"
            ))
        })
    });
    let options = changes::Options {
        range: range.transpose()?,
        spaxel: spaxel.transpose()?,
    };
    if kind(&args.out).is_none() || args.out.is_dir() {
        return Err(Error::parameter(format!(
            "{}: --steps makes one picture, whose name has to end in .png, .svg or .pdf",
            args.out.display()
        )));
    }
    // the cubes have the same name in different folders
    let mut cubes = Vec::new();
    for input in &args.inputs {
        cubes.extend(inputs::exposures(std::slice::from_ref(input), "nav")?);
    }
    if let Some(folder) = args.out.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    }
    let pages = std::slice::from_ref(&args.out);
    batch::run(
        pages,
        "pages",
        global,
        |f| inputs::name(f),
        |out, progress| {
            progress("plot");
            changes::run(&cubes, out, &options, args.width)
        },
    )
}
