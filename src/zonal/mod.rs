//! Averages along a latitude (or another plane): spaxels of many cubes sorted into bins, and their mean spectra.
//!
//! Follows the reference pipeline (github JWSTGiantPlanets/pipelines, `zonal_average`; Fletcher et al. 2023,
//! doi:10.1029/2023JE007924). Where sifu differs (`compatible` undoes each): a spaxel further than half a bin from every
//! bin belongs to none; a bin of one spectrum, of two, or of equal ones is averaged instead of emptied; longitudes, right
//! ascension and local time are averaged around the circle; the error of the mean and the scatter are given beside the mean
//! error; wavelengths follow FITS's CRPIX3.

pub mod average;
pub mod bins;
pub mod group;
pub mod product;
pub mod spectra;

pub use average::{Averages, average};
pub use bins::Bins;
pub use group::{Groups, Params};

/// The planes that are kept of each spaxel.
pub use crate::nav::planes::NAV17 as PLANES;

/// Keywords of the cubes' SCI headers that are kept of each spaxel.
pub const KEYWORDS: [&str; 3] = ["MJD-AVG", "PIXAR_A2", "PIXAR_SR"];

/// Planes and keywords of each spaxel, in this order.
pub const VALUES: usize = PLANES.len() + KEYWORDS.len();

/// Name of a spaxel's value.
pub fn value_name(i: usize) -> &'static str {
    let names = PLANES.iter().chain(&KEYWORDS);
    names.copied().nth(i).unwrap_or_default()
}

/// After how much a plane's values begin again: degrees of longitude and right ascension, hours of local time.
pub fn period(plane: &str) -> Option<f64> {
    match plane {
        "LON" | "LON_LIMB" | "LON_RINGS" | "RA" => Some(360.0),
        "LOCALTIME" => Some(24.0),
        _ => None,
    }
}

/// The plane's unit.
pub fn unit(plane: &str) -> &'static str {
    match plane {
        "LOCALTIME" => "h",
        "DISTANCE_LIMB" | "DISTANCE_RINGS" => "km",
        "RADIAL_VELOCITY" => "km/s",
        "DOPPLER" => "",
        _ => "deg",
    }
}
