//! Any model to its product, stamped.

use std::path::{Path, PathBuf};

use crate::model::{Cal, Cube, Meta, Ramp, Spectrum};
use crate::pipeline::provenance::Place;
use crate::steps::step::{Model, Optional};
use crate::store::{cal, cube, products, products::product_path, spectrum};
use crate::{Error, Result};

/// Stamps a product's headers, given calwebb's model name, its path and the place of its pixels; gives its ASDF extension.
pub type Stamper<'a> = dyn Fn(&mut Meta, &str, &Path, Place) -> Result<Vec<u8>> + Sync + 'a;

/// Where a step's optional product goes: under the exposure's name, or the one asked for.
pub fn optional_path(out: &Path, root: &str, opt: &Optional) -> PathBuf {
    let stem = opt.name.as_ref().map(|n| {
        Path::new(n)
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    });
    product_path(out, stem.as_deref().unwrap_or(root), opt.suffix)
}

/// Writes a step's optional product.
///
/// # Errors
/// [`Error::Io`].
pub fn write_optional(mut opt: Optional, path: &Path, stamper: &Stamper) -> Result<()> {
    if let Some(primary) = opt.product.hdus.first_mut() {
        let mut meta = Meta {
            primary: std::mem::take(&mut primary.header),
            ..Meta::default()
        };
        stamper(&mut meta, opt.model, path, Place::default())?;
        primary.header = meta.primary;
    }
    opt.product.write(path, false)
}

/// Writes an exposure's image.
///
/// # Errors
/// [`Error::Io`].
pub fn write_cal(image: &Cal, path: &Path, stamper: &Stamper) -> Result<()> {
    let mut meta = image.meta.clone();
    let place = Place {
        gwcs: image.wcs.as_deref(),
        spectral_region: image.spectral_region,
    };
    let asdf = stamper(&mut meta, "IFUImageModel", path, place)?;
    cal::write_cal(path, image, &meta, &asdf)
}

/// Writes a cube.
///
/// # Errors
/// [`Error::Io`].
pub fn write_cube(image: &Cube, path: &Path, stamper: &Stamper) -> Result<()> {
    let mut meta = image.meta.clone();
    let place = Place {
        gwcs: image.wcs.as_deref(),
        spectral_region: None,
    };
    let asdf = stamper(&mut meta, "IFUCubeModel", path, place)?;
    cube::write_cube(path, image, &meta, &asdf)
}

/// Writes extracted spectra.
///
/// # Errors
/// [`Error::Io`].
pub fn write_spectrum(spec: &Spectrum, path: &Path, stamper: &Stamper) -> Result<()> {
    let mut meta = spec.meta.clone();
    let asdf = stamper(&mut meta, spec.model, path, Place::default())?;
    spectrum::write_spectrum(path, spec, &meta, &asdf)
}

/// Writes an exposure's counts as they came from the detector.
///
/// # Errors
/// [`Error::Io`]; [`Error::Input`] where they are no counts.
pub fn write_uncal(ramp: &Ramp, path: &Path, stamper: &Stamper) -> Result<()> {
    let mut meta = ramp.meta.clone();
    let asdf = stamper(&mut meta, "Level1bModel", path, Place::default())?;
    products::write_uncal(path, ramp, &meta, &asdf)
}

/// Writes any model as its product.
///
/// # Errors
/// [`Error::Io`].
pub fn write_model(model: &Model, path: &Path, stamper: &Stamper) -> Result<()> {
    match model {
        Model::Ramp(ramp) => {
            let mut meta = ramp.meta.clone();
            let asdf = stamper(&mut meta, "RampModel", path, Place::default())?;
            products::write_ramp(path, ramp, &meta, &asdf)
        }
        Model::Rate(rate) => {
            let mut rate = rate.clone();
            let kind = if rate.nints.is_some() {
                "CubeModel"
            } else {
                "IFUImageModel"
            };
            let asdf = stamper(&mut rate.meta, kind, path, Place::default())?;
            products::write_rate(path, &rate, &asdf)
        }
        Model::Cal(cal) => write_cal(cal, path, stamper),
        Model::Observation(o) => write_cal(&o.science, path, stamper),
        other => Err(Error::parameter(format!(
            "{} are several products and cannot be saved as one",
            other.kind()
        ))),
    }
}
