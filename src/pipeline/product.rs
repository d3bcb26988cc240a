//! Any model to its product, stamped.

use std::path::{Path, PathBuf};

use crate::formats::asdf::Node;
use crate::model::{Cal, Cube, Meta, Spectrum};
use crate::steps::step::{Model, Optional};
use crate::store::{cal, cube, products, products::product_path, spectrum};
use crate::{Error, Result};

/// Stamps a product's headers, given calwebb's model name, its path and its gwcs node; gives its ASDF extension.
pub type Stamper<'a> = dyn Fn(&mut Meta, &str, &Path, Option<&Node>) -> Result<Vec<u8>> + Sync + 'a;

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
        stamper(&mut meta, opt.model, path, None)?;
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
    let asdf = stamper(&mut meta, "IFUImageModel", path, image.wcs.as_deref())?;
    cal::write_cal(path, image, &meta, &asdf)
}

/// Writes a cube.
///
/// # Errors
/// [`Error::Io`].
pub fn write_cube(image: &Cube, path: &Path, stamper: &Stamper) -> Result<()> {
    let mut meta = image.meta.clone();
    let asdf = stamper(&mut meta, "IFUCubeModel", path, image.wcs.as_deref())?;
    cube::write_cube(path, image, &meta, &asdf)
}

/// Writes extracted spectra.
///
/// # Errors
/// [`Error::Io`].
pub fn write_spectrum(spec: &Spectrum, path: &Path, stamper: &Stamper) -> Result<()> {
    let mut meta = spec.meta.clone();
    let asdf = stamper(&mut meta, spec.model, path, None)?;
    spectrum::write_spectrum(path, spec, &meta, &asdf)
}

/// Writes any model as its product.
///
/// # Errors
/// [`Error::Io`].
pub fn write_model(model: &Model, path: &Path, stamper: &Stamper) -> Result<()> {
    match model {
        Model::Ramp(ramp) => {
            let mut meta = ramp.meta.clone();
            let asdf = stamper(&mut meta, "RampModel", path, None)?;
            products::write_ramp(path, ramp, &meta, &asdf)
        }
        Model::Rate(rate) => {
            let mut rate = rate.clone();
            let kind = if rate.nints.is_some() {
                "CubeModel"
            } else {
                "IFUImageModel"
            };
            let asdf = stamper(&mut rate.meta, kind, path, None)?;
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
