//! Pictures of pixels as files. No astronomy, and no drawing, here: that is [`crate::view`]'s.

pub mod film;
#[cfg(feature = "mp4")]
pub mod mp4;
pub mod png;
