//! Pictures of pixels as files. No astronomy, and no drawing, here: that is [`crate::view`]'s.

pub mod film;
pub mod png;
