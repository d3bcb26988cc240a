//! Synthetic observations and reference files in the real formats.
//!
//! [`simulate_miri`] writes level-1b exposures of a planet with the MIRI medium-resolution
//! spectrometer, and the complete CRDS cache that reduces them. The chain is the instrument's, from
//! sky to counts: [`ephemeris`] and [`pointing`] (where), [`scene`] (how bright), [`optics`] and
//! [`response`] (what reaches a pixel), [`pixels`], [`cosmic`] and [`exposure`] (what the detector makes of
//! it), [`headers`] and [`uncal`] (the file), [`references`] and [`crds_cache`] (what undoes it).
//!
//! [`simulate_nirspec`] does the same for the NIRSpec integral-field unit: see [`nirspec`]. Both share [`visit`] (the
//! exposures' times and names), the scene, the tables and headers, and the rules' format.
//!
//! It calls none of the calibration steps, so it can test them. Its random numbers ([`random`]) and
//! functions (`libm`) are the same on every machine. It is no model of the instrument to do science
//! with: optics and detector are nominal.

pub mod cosmic;
pub mod crds_cache;
pub mod ephemeris;
pub mod exposure;
pub mod headers;
mod miri;
pub mod nirspec;
pub mod observation;
pub mod optics;
mod output;
pub mod pixels;
pub mod pointing;
pub mod polynomial;
pub mod random;
pub mod references;
pub mod response;
pub mod scene;
pub mod uncal;
pub mod visit;

pub use miri::simulate_miri;
pub use nirspec::simulate_nirspec;
pub use observation::Options;
pub use optics::{Band, Detector};
pub use output::Summary;
pub use pixels::ReadPattern;
