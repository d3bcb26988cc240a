//! Synthetic flats from dithers of an extended target.
//!
//! A planet that fills the field puts the same place on different spaxels in every dither; what stays on its spaxel is the
//! instrument's (King et al. 2023, doi:10.3847/2515-5172/ad045f; Fletcher et al. 2023, doi:10.1029/2023JE007924). What is
//! made here is applied by the step `flat`; it is not the detector's flat field of the calibration.
//!
//! Two methods: [`joint`] solves for flat and scene together and gives errors; [`iterate`] takes medians over corresponding
//! spaxels as the reference pipeline (github JWSTGiantPlanets/pipelines) does. Where sifu differs from that pipeline
//! (`compatible` undoes each): longitudes meet at 360 degrees; the steps of latitude that set the distance of comparison do
//! not cancel around a pole; a flat is divided by its own mean, before the limits; a wavelength without any flat is left
//! uncorrected instead of blanked; tiles that are not corrected at a wavelength have no part in its merged flat, and tiles
//! without common spaxels are joined.

pub mod build;
pub mod correspond;
pub mod dither;
pub mod iterate;
pub mod joint;
pub mod merge;
pub mod quality;
pub mod sky;

pub use build::{Built, Method, Params, build};
pub use dither::Dither;
pub use merge::merge;

use crate::formats::fits::{Header, Value};

/// Sets a keyword about a flat's making.
fn card(header: &mut Header, name: &str, value: impl Into<Value>) {
    let keyword = format!("{} {name}", crate::model::synthetic_flat::GENERATION);
    header.set(&keyword, value, "");
}

/// Mean of the values that are not NaN; NaN where there are none.
fn mean(values: &[f64]) -> f64 {
    let zeroed: Vec<f64> = values
        .iter()
        .map(|v| if v.is_nan() { 0.0 } else { *v })
        .collect();
    let n = values.iter().filter(|v| !v.is_nan()).count();
    crate::math::pairwise_sum::pairwise_sum(&zeroed) / n as f64
}

/// Median of the values that are not NaN (the others are dropped); NaN where there are none.
fn nan_median(values: &mut Vec<f64>) -> f64 {
    values.retain(|v| !v.is_nan());
    crate::math::median::median_f64(values)
}
