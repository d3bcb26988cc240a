//! NIRSpec IFU: detector pixels to the slit frame of a slice, the slicer, the telescope's V2, V3, and the sky.
//!
//! [`NirspecReferences`] holds what the reference files of the instrument model say; [`Nirspec`] is the optics of one exposure
//! made of them. Of it follow two gwcs trees, equal to those of jwst 3.0.0 `assign_wcs/nirspec.py` (`ifu`): one whose points
//! carry the number of their slice ([`Nirspec::slice_form`], and [`Nirspec::slice`] for one slice alone), and one that
//! finds the slice by an image of labels ([`Nirspec::coordinate_form`], what exposures carry), with that image made by
//! [`SliceMap`]. [`ShutterArray`] tells where the light of a shutter of the micro-shutter array falls.
//!
//! Pixels are 0-based, `x` along columns (the direction of dispersion); positions in a slice are in units of its size, zero at its centre;
//! in the slicer and the MSA plane in metre; wavelengths in metre up to V2, V3, from there in micron; V2, V3 in arcsec, sky in degrees.

mod dispersion;
mod pipeline;
mod references;
mod shutters;
mod slices;
mod wheel;

pub use dispersion::{Disperser, Setting};
pub use pipeline::Nirspec;
pub use references::{Files, NirspecReferences};
pub use shutters::{Shutter, ShutterArray};
pub use slices::{Located, SliceMap, SliceTrace};

/// Number of slices.
pub const SLICES: usize = 30;
