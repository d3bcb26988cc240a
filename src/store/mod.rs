//! Where things lie: exposures and products, the CRDS cache, reference files.

pub mod association;
pub mod cal;
pub mod crds;
pub mod cube;
pub mod flat;
pub mod products;
pub mod references;
pub mod spectrum;
