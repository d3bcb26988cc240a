//! Steps that work on the exposures of an observation together, or prepare them for that (calwebb_spec3),
//! one file or folder each.

pub mod adaptive_trace_model;
pub mod assign_mtwcs;
pub mod cube_build;
pub mod extract_1d;
pub mod master_background;
pub mod outlier_detection;
pub mod pixel_replace;
pub mod spectral_leak;
