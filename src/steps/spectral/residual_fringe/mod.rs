//! Residual fringes left by the fringe flat: the correction of an extracted spectrum.

pub mod background;
mod failure;
mod features;
pub mod fringes;
mod one_dimensional;
mod sines;

pub use failure::Failure;
pub use one_dimensional::{Options, fit_1d};
