//! `Cube`: a spectral cube (`_s3d`).

use std::sync::Arc;

use super::meta::Meta;
use crate::formats::asdf::Node;
use crate::formats::fits::Hdu;

/// A spectral cube (calwebb's `IFUCubeModel`), `[wavelength][y][x]`.
#[derive(Debug, Clone)]
pub struct Cube {
    /// Headers; the `SCI` header holds the cube's FITS WCS.
    pub meta: Meta,
    /// What the product's name has between the association's name and `_s3d`, as in `ch1-medium`; empty for nothing.
    pub label: String,
    /// Wavelengths.
    pub nz: usize,
    /// Rows.
    pub ny: usize,
    /// Columns.
    pub nx: usize,
    /// Surface brightness in MJy/sr.
    pub sci: Vec<f32>,
    /// Standard error in MJy/sr.
    pub err: Vec<f32>,
    /// Flags.
    pub dq: Vec<u32>,
    /// Weight (the number of pixels, or of pixel fractions, behind each voxel).
    pub wmap: Vec<f32>,
    /// Wavelengths in micron where they are a table (`WCS-TABLE`), none where they are linear.
    pub wavelength: Option<Vec<f32>>,
    /// The gwcs object of the product's tree (`meta.wcs`).
    pub wcs: Option<Arc<Node>>,
    /// Further HDUs of the product, before the ASDF extension (`HDRTAB`).
    pub extra: Vec<Hdu>,
    /// HDUs after the ASDF extension, in the file's order: backplanes, and what the planet steps append.
    pub planes: Vec<Hdu>,
}

/// The cubes of a set of exposures.
#[derive(Debug, Clone)]
pub struct Cubes(pub Vec<Cube>);
