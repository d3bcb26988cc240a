//! Maps: spaxels with known longitude and latitude put on a grid of a body's globe.
//!
//! [`Grid`] says where the cells of a map are, [`Gather`] which spaxels of one image make each cell, with what weights;
//! [`Mosaic`] averages the maps of several images. All are pure functions of arrays; no headers, files or threads.

mod gather;
mod mosaic;
mod projection;

pub use gather::{Gather, Image, positive_west};
pub use mosaic::{Mosaic, Weighting};
pub use projection::{Grid, Projection};
