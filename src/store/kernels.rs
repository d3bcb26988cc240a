//! Where SPICE kernels are found: [`crate::nav::search`], under the name that commands know it by.

pub use crate::nav::search::{Found, find};
