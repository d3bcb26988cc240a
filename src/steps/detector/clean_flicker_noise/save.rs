//! What the step saves besides its product: mask, background and noise.

use std::path::{Path, PathBuf};

use crate::Result;
use crate::formats::fits::{Header, Image};
use crate::model::Meta;
use crate::steps::spectral::side_products;

/// Where side products of an exposure go.
#[derive(Debug, Clone)]
pub struct Place {
    folder: PathBuf,
}

impl Place {
    /// Into a folder.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self {
            folder: folder.unwrap_or_default(),
        }
    }

    /// Writes images of an exposure as `<root>_<suffix>.fits`.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn write(&self, meta: &Meta, suffix: &str, axes: &[usize], values: Vec<f32>) -> Result<()> {
        let path: &Path = &self.folder.join(format!("{}_{suffix}.fits", meta.root()));
        let model = match axes.len() {
            4 => "RampModel",
            3 => "CubeModel",
            _ => "ImageModel",
        };
        let image = Image::new(axes, values);
        side_products::write(
            path,
            meta.primary.clone(),
            model,
            vec![("SCI", Header::new(), image)],
        )
    }

    /// Writes a mask.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn write_mask(
        &self,
        meta: &Meta,
        suffix: &str,
        axes: &[usize],
        mask: &[bool],
    ) -> Result<()> {
        let values = mask.iter().map(|used| f32::from(u8::from(*used)));
        self.write(meta, suffix, axes, values.collect())
    }
}
