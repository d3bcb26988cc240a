//! Where things lie: exposures and products, the CRDS cache, reference files, SPICE kernels.

pub mod association;
pub mod cal;
pub mod crds;
pub mod cube;
pub mod flat;
pub mod kernels;
pub mod products;
pub mod references;
pub mod spectrum;
pub mod spx;
