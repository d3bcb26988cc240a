//! `sifu navigate`: backplanes of what each pixel sees of a body.

use std::path::{Path, PathBuf};

use tracing::info;

use super::setup::{Global, ReferenceArgs};
use super::{batch, inputs};
use crate::formats::fits::FitsFile;
use crate::nav::{limb, planes};
use crate::pipeline::navigate::Options;
use crate::pipeline::plot;
use crate::pipeline::recipe::navigate::{self, Job, product_of};
use crate::pipeline::recipe::pointing;
use crate::store::kernels;
use crate::view;
use crate::wcs::Gwcs;
use crate::{Error, Result};

/// Add backplanes (latitude, longitude, angles, velocities, ...) to cubes and images of solar-system bodies.
///
/// Each file is copied to OUT/<name>_nav.fits with one extension a plane behind its own. Cubes, exposures with slices (_cal; _rate with
/// reference files) and any FITS image with celestial coordinates will do.
///
/// Kernels are those of --kernels, else of SIFU_KERNELS (files and folders, separated as in PATH), else those in the folder
/// PLANETMAPPER_KERNEL_PATH, with built-in leap seconds, constants and planetary ephemeris beneath them. JWST is where its kernel
/// puts it, or else where the file's own header does.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct Args {
    /// Files, and folders of *_s3d.fits files.
    #[arg(required = true, value_name = "FILE|DIR")]
    inputs: Vec<PathBuf>,
    /// Folder for the products (made if needed).
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// SPICE kernels: files, meta-kernels (.tm) and folders; what comes later wins.
    #[arg(short, long, value_name = "FILE|DIR", num_args = 1..)]
    kernels: Vec<PathBuf>,
    /// Planes to make, by name or set (nav17, all), with commas between; `sifu describe planes` lists them.
    #[arg(long, value_name = "LIST", default_value = "nav17")]
    planes: String,
    /// RA and Dec only; no body, no kernels.
    #[arg(long)]
    basic: bool,
    /// Body, instead of the header's TARGNAME.
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Body that the observer is at, instead of the header's TELESCOP.
    #[arg(long, value_name = "NAME")]
    observer: Option<String>,
    /// UTC of the middle of the exposure, instead of the header's.
    #[arg(long, value_name = "DATE")]
    epoch: Option<String>,
    /// Offset of the pointing in right ascension, arcsec on the sky; it is subtracted.
    #[arg(long, value_name = "ARCSEC", default_value_t = 0.0)]
    ra_offset: f64,
    /// Offset of the pointing in declination, arcsec; it is subtracted.
    #[arg(long, value_name = "ARCSEC", default_value_t = 0.0)]
    dec_offset: f64,
    /// Find the offset from the data: `limb` fits the body's disc to each cube's image. Cubes of one visit share one
    /// offset; where nothing constrains it, a warning says why and none is applied.
    #[arg(long, value_name = "METHOD", conflicts_with_all = ["ra_offset", "dec_offset", "raw_offset", "basic"])]
    fit: Option<Method>,
    /// Also draw each cube's image, the model of --fit and what is left, with the limb: a picture of a single cube (.png, .svg, .pdf),
    /// or a folder for <name>_limb.png of each.
    #[arg(long, value_name = "FILE|DIR", requires = "fit")]
    figure: Option<PathBuf>,
    /// Also fit the turn of the field.
    #[arg(long, requires = "fit")]
    fit_roll: bool,
    /// Largest offset that --fit looks for, arcsec.
    #[arg(long, value_name = "ARCSEC", default_value_t = limb::Options::default().search, requires = "fit")]
    fit_search: f64,
    /// Altitude of the limb above the surface for --fit, km (hazes of Titan: some 200).
    #[arg(long, value_name = "KM", default_value_t = 0.0, requires = "fit")]
    limb_altitude: f64,
    /// Subtract the RA offset from right ascension itself, without division by cos(Dec), as the JWSTGiantPlanets
    /// navigator does.
    #[arg(long)]
    raw_offset: bool,
    /// Height of the surface above the body's, km.
    #[arg(long, value_name = "KM", default_value_t = 0.0)]
    altitude: f64,
    /// Aberration correction: NONE, LT, LT+S, CN or CN+S.
    #[arg(long, value_name = "NAME", default_value = "CN")]
    abcorr: String,
    /// Where the kernels lack a planet's centre, put it at the barycentre of its system.
    #[arg(long, alias = "barycenter")]
    barycentre: bool,
    /// Also the wavelength of every voxel as the surface sent it (the Doppler shift undone).
    #[arg(long)]
    rest_wavelength: bool,
    #[command(flatten)]
    references: ReferenceArgs,
}

/// Ways to find a pointing.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Method {
    /// The disc's limb and terminator.
    Limb,
}

impl Args {
    /// Where the pages on the pointing of files go, if they are asked for.
    fn pages(&self, files: &[PathBuf]) -> Result<Option<Vec<PathBuf>>> {
        let Some(out) = &self.figure else {
            return Ok(None);
        };
        if let (Some(_), false, [_]) = (view::kind(out), out.is_dir(), files) {
            return Ok(Some(vec![out.clone()]));
        }
        if view::kind(out).is_some() && !out.is_dir() {
            return Err(Error::parameter(format!(
                "--figure {} is one picture, and there are {} files; give a folder",
                out.display(),
                files.len()
            )));
        }
        std::fs::create_dir_all(out).map_err(|e| Error::io(out, e))?;
        let page = |f: &PathBuf| {
            let plain = plot::product_of(f, out, "png");
            let stem = plain.file_stem().map(|s| s.to_string_lossy().into_owned());
            plain.with_file_name(format!("{}_limb.png", stem.unwrap_or_default()))
        };
        Ok(Some(files.iter().map(page).collect()))
    }

    /// How to fit the pointing, if at all.
    fn fit(&self) -> Result<Option<limb::Options>> {
        let Some(Method::Limb) = self.fit else {
            return Ok(None);
        };
        if !(self.fit_search > 0.0 && self.fit_search <= 10.0) {
            return Err(Error::parameter(format!(
                "--fit-search {}: give a number of arcsec above 0 and up to 10",
                self.fit_search
            )));
        }
        if !self.limb_altitude.is_finite() {
            return Err(Error::parameter("--limb-altitude has to be a number"));
        }
        Ok(Some(limb::Options {
            search: self.fit_search,
            roll: self.fit_roll,
            altitude: self.limb_altitude,
            ..limb::Options::default()
        }))
    }
}

/// Writes the pages on the pointing that there are.
fn drawn(pages: &[PathBuf], found: &[pointing::Pointed]) -> Result<()> {
    for (path, found) in pages.iter().zip(found) {
        if let Some(page) = &found.page {
            view::write(page, path, plot::WIDTH)?;
        }
    }
    Ok(())
}

/// Runs the command.
///
/// # Errors
/// Where nothing could be started, or the only file failed.
pub fn run(args: &Args, global: &Global) -> Result<u8> {
    let correction = args.abcorr.parse()?;
    if correction_is_sent(&args.abcorr) {
        return Err(Error::parameter(format!(
            "--abcorr {}: the X forms are for signals that the observer sends; give NONE, LT, LT+S, CN or CN+S",
            args.abcorr
        )));
    }
    let options = Options {
        basic: args.basic,
        planes: planes::choose(&args.planes)?,
        target: args.target.clone(),
        observer: args.observer.clone(),
        epoch: args.epoch.clone(),
        ra_offset: args.ra_offset,
        dec_offset: args.dec_offset,
        raw_offset: args.raw_offset,
        roll: 0.0,
        pointing: Vec::new(),
        altitude: args.altitude,
        correction,
        barycentre: args.barycentre,
    };
    if args.rest_wavelength && args.basic {
        return Err(Error::parameter(
            "--rest-wavelength needs the velocities that --basic leaves out",
        ));
    }
    let files = inputs::exposures(&args.inputs, "s3d")?;
    let products: Vec<PathBuf> = files.iter().map(|f| product_of(f, &args.out)).collect();
    let named: Vec<(String, PathBuf)> = products
        .iter()
        .map(|p| p.to_string_lossy().into_owned())
        .zip(files.iter().cloned())
        .collect();
    inputs::distinct(named.iter().map(|(n, p)| (n.as_str(), p.as_path())))?;
    let found = kernels::find(&args.kernels)?;
    info!(
        "kernels: {} ({})",
        found.source,
        found.kernels.loaded().len()
    );
    std::fs::create_dir_all(&args.out).map_err(|e| Error::io(&args.out, e))?;
    let exec = global.exec()?;
    let wcs = |file: &FitsFile, path: &Path| -> Result<Gwcs> {
        super::wcs::from_references(file, path, &args.references).map(|m| m.gwcs().clone())
    };
    let job = Job {
        kernels: &found.kernels,
        options: &options,
        rest_wavelength: args.rest_wavelength,
        wcs: &wcs,
    };
    let fitted = match args.fit()? {
        Some(settings) => {
            let pages = args.pages(&files)?;
            let found = pointing::run(&files, &job, &settings, pages.is_some(), &exec)?;
            if let Some(pages) = &pages {
                drawn(pages, &found)?;
            }
            found.into_iter().map(|f| f.options).collect()
        }
        None => vec![options.clone(); files.len()],
    };
    let work: Vec<(PathBuf, Options)> = files.into_iter().zip(fitted).collect();
    let name = |(path, _): &(PathBuf, Options)| inputs::name(path);
    batch::run_at_once(
        &work,
        "files",
        global,
        &exec,
        name,
        |(path, options), progress| {
            progress("planes");
            let job = Job { options, ..job };
            navigate::run(path, &args.out, &job, &exec).map(|_| ())
        },
    )
}

/// Whether a correction is for light from the observer to the target.
fn correction_is_sent(name: &str) -> bool {
    name.trim().to_ascii_uppercase().starts_with('X')
}
