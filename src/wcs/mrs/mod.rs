//! MIRI MRS: detector pixels to slice coordinates (alpha, beta, lambda), the telescope's V2, V3, and the sky.
//!
//! [`MrsReferences`] holds what the distortion, specwcs, regions and wavelengthrange files say; [`Mrs`] is one exposure's
//! WCS made of them: as gwcs tree equal to what jwst 3.0.0 `assign_wcs/miri.py` (`ifu`) builds, as maps of the whole detector, and
//! with an exact backward transform beside the files' own fits.
//!
//! Pixels are 0-based, `x` along columns; alpha, beta, V2, V3 in arcsec, lambda in micron, sky in degrees.

mod exact;
mod map;
mod pipeline;
mod references;

pub use pipeline::Mrs;
pub use references::{Channel, MrsReferences, Slice};
