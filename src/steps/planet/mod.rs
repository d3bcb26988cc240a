//! Steps on cubes of planets, moons and rings, after calwebb's: few-group ramps and desaturation, flats, spikes, residual
//! fringes, backgrounds, the point-spread function. One file or folder each.
//!
//! They follow the reference pipeline of King et al. (2023), doi:10.3847/2515-5172/ad045f
//! (github JWSTGiantPlanets/pipelines), and have its defaults. Where that is wrong they are right, and
//! their parameter `compatible` brings its numbers back. Each leaves a note in the primary header ([`note`]).

pub mod background;
pub mod defringe_1d;
pub mod desaturate;
pub mod despike;
pub mod flat;
pub mod note;
pub mod psf;
pub mod trim_groups;
mod voxels;

#[cfg(test)]
mod fixture;
