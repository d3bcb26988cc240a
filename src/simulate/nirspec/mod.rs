//! Simulated observations with the NIRSpec integral-field unit.
//!
//! The chain from sky to counts: [`observation`] (what is observed), the scene of the parent module,
//! [`light`] (what reaches a pixel), [`pixels`] and [`response`] (what the detector and the optics are like),
//! [`frame`], [`drift`] and [`readout`] (counts), and [`references`] with the optics by [`instrument`] (what undoes it). Where a pixel
//! looks and its wavelength come from the library's own WCS, evaluated on the reference files just
//! written: it is tested against the observatory's elsewhere. All else is the inverse of the references, and
//! calls no calibration step.
//!
//! Geometry and dispersion are those of the instrument model; everything else is nominal.

pub mod drift;
pub mod frame;
pub mod instrument;
pub mod light;
pub mod mode;
pub mod observation;
pub mod pixels;
pub mod readout;
pub mod references;
pub mod response;
mod run;

pub use mode::{Detector, Filter, Grating, Mode, ReadPattern};
pub use observation::Options;
pub use run::simulate_nirspec;
