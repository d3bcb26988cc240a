//! The film: wavelength by wavelength through navigated cubes of one pointing, one row a dither.
//!
//! Each row: the frame of the IFU (surface brightness); the body about it, pole up (surface brightness); the same closer, all dithers
//! alike (brightness temperature); a map of it (brightness temperature). Beneath: the spectrum (median over dithers of the mean
//! brightness temperature), with the wavelengths of the frame. With a zonal average, brightness and mapped temperature are what differs
//! from it, in diverging colours. Limits of colours are a frame's own, over all dithers.
//!
//! [`Dither`] holds what is shown, [`Film`] draws it: pixels that never change once, then what of each frame is other than before, looked up by
//! spaxel, in one palette of exact colours. Behaviour: the animation of King et al. (2023, doi:10.3847/2515-5172/ad045f).
//! Differs from it: constants of CODATA; the last frame has the last wavelengths, however few; sums around right ascension 0 wrap;
//! longitudes are those of the cube's plane `LON`, to the west.

mod frames;
mod limits;
mod map;
mod numbers;
mod panels;
mod stage;

pub use frames::Drawn;
pub use limits::limits;
pub use map::Interpolation;
pub use numbers::{Dither, Source, Zonal};
pub use stage::Film;

/// How to draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Wavelengths that are averaged in a frame.
    pub step: usize,
    /// Between centres of spaxels, on the map.
    pub interpolation: Interpolation,
    /// Size of the map's cells, degrees.
    pub grid: f64,
    /// Half a side of the body's picture, in radii of its equator.
    pub reach: f64,
    /// Percentile from either end that colours begin at where values beyond are far away.
    pub percentile: f64,
    /// How far such values may be, as a part of the range of the percentiles.
    pub tail: f64,
    /// Pixels across.
    pub width: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            step: 5,
            interpolation: Interpolation::Linear,
            grid: 1.0,
            reach: 1.25,
            percentile: 0.2,
            tail: 0.2,
            width: 1800,
        }
    }
}
