//! World coordinates: from detector pixels to the sky and back.
//!
//! [`transform`] evaluates the transform classes of ASDF reference files and gwcs objects; [`gwcs`] is a pipeline of them as products
//! carry it; [`pointing`] leads from the telescope's V2, V3 to the sky; [`mrs`] makes the WCS of a MIRI MRS exposure, [`nirspec`] that of a NIRSpec IFU exposure;
//! [`exposure`] evaluates the WCS a product carries for many pixels at once; [`cube`] makes that of a cube;
//! [`celestial`] reads that of any image by its FITS keywords;
//! [`footprint`] and [`moving_target`] follow from it.
//!
//! Nothing here reads FITS files or chooses reference files; the callers hand over metadata and trees.

pub mod celestial;
pub mod cube;
pub mod exposure;
pub mod footprint;
pub mod frames;
pub mod gwcs;
pub mod moving_target;
pub mod mrs;
pub mod nirspec;
pub mod pointing;
pub mod transform;

pub use celestial::Celestial;
pub use exposure::{ExposureWcs, map_of};
pub use gwcs::Gwcs;
pub use mrs::Mrs;
pub use nirspec::Nirspec;
pub use transform::Transform;
