//! Where bodies are and how they are turned: SPICE kernels at work, in a reader of our own.
//!
//! [`Kernels`] is the front door: it loads kernels (text, binary, meta-kernels, folders, or those built
//! into the program) and answers for states with light time and aberration, rotations between frames,
//! radii, names and times. [`Aspect`] is a body as it is seen at one epoch, [`planes`] what each pixel of
//! an image sees of it. [`ellipsoid`] has the geometry on a body's surface. Answers agree with
//! NAIF's SPICE toolkit (`tests/nav.rs` says how well); no code of it, nor of any other SPICE
//! library, is used.
//!
//! Epochs are TDB seconds from J2000 ("ET"), lengths km, speeds km/s, angles radians.

pub mod advice;
mod aspect;
pub mod bodies;
mod correction;
pub mod ellipsoid;
mod ephemeris;
mod frames;
mod kernels;
pub mod limb;
pub mod map;
pub mod observatory;
mod orientation;
pub mod planes;
mod points;
pub mod search;
mod spk;
mod time;

pub use aspect::{Aspect, Observer, direction};
use correction::shifted;
pub use correction::{Apparent, Correction};
pub use frames::{Frame, J2000, Turn};
pub use kernels::{Coverage, Kernels, Loaded};
pub use points::{SubPoint, SurfaceMethod};
pub use spk::{Segment, State};
pub use time::LeapSeconds;

/// Speed of light, km/s.
pub const LIGHT: f64 = 299_792.458;
