//! The summary plot: one page that shows what a navigated cube holds and where it was taken.
//!
//! From above: the field on the sky with the body's wireframe, and notes; the spectrum of the whole cube and of its brightest spaxels, with
//! the number of invalid voxels; images of six equal ranges of wavelength; maps of their invalid voxels. It is made from SCI as it is,
//! DQ unread; a voxel is invalid where it is NaN or 0.
//!
//! [`Numbers`] are what is drawn, [`draw()`] the page. Behaviour: the summary plot of King et al. (2023, doi:10.3847/2515-5172/ad045f).
//! Differs from it: the last range has the last wavelength; images are means of the valid voxels, not sums, so that NaN do not dim a
//! spaxel; wavelengths follow FITS where CRPIX3 is not 1; the field is whole where right ascension passes 0.

mod context;
mod layout;
mod notes;
mod numbers;

pub use context::Geometry;
pub use layout::draw;
pub use notes::title;
pub use numbers::{Numbers, RANGES};

use super::globe::Globe;
use crate::formats::fits::Header;

/// What is drawn.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// Header of the file.
    pub primary: &'a Header,
    /// Header of SCI.
    pub sci: &'a Header,
    /// Wavelengths, rows and columns.
    pub shape: [usize; 3],
    /// The cube, `[wavelength][y][x]`.
    pub values: &'a [f32],
    /// Wavelengths, micron.
    pub wavelength: &'a [f64],
    /// Right ascension of every spaxel, degrees, `[y][x]`.
    pub ra: &'a [f64],
    /// Declination, degrees.
    pub dec: &'a [f64],
    /// The other backplanes.
    pub planes: super::wireframe::Planes<'a>,
    /// The body, where it is known.
    pub globe: Option<&'a Globe>,
    /// The body's NAIF code where only the backplanes are known.
    pub target: Option<i32>,
    /// What to say of the wireframe, if anything.
    pub remark: Option<String>,
}

impl Subject<'_> {
    /// Whether medians stand for a spectrum, as NIRSpec's stray pixels need.
    fn by_median(&self) -> bool {
        let name = self.primary.str("INSTRUME").unwrap_or_default();
        name.trim() == "NIRSPEC"
    }
}

/// How to draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Percentiles that the colours of images begin and end at.
    pub percentiles: [f64; 2],
    /// Whether the spectrum of the brightest spaxels is drawn.
    pub brightest: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            percentiles: [0.0, 100.0],
            brightest: true,
        }
    }
}
