//! Typed data models: what a product holds, in which units and axis order.

pub mod blend;
pub mod buffer;
pub mod cal;
pub mod cube;
pub mod date;
pub mod dq;
pub mod irs2;
pub mod keywords;
pub mod meta;
pub mod radiance;
pub mod ramp;
pub mod rate;
pub mod reference;
pub mod spectrum;
pub mod synthetic_flat;

pub use buffer::Buffer;
pub use cal::{Cal, DetectorMap, Exposures, Observation};
pub use cube::{Cube, Cubes};
pub use meta::Meta;
pub use ramp::{Ramp, Shape, Strip};
pub use rate::Rate;
pub use spectrum::{Spectra, Spectrum};
pub use synthetic_flat::SyntheticFlat;
