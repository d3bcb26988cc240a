//! # sifu: the Solar-system IFU toolkit
//!
//! JWST MIRI/MRS and NIRSpec/IFU raw exposures of planets, moons, rings, comets and asteroids to
//! calibrated spectra, in Rust. This page is the architecture.
//!
//! ## Flow of one exposure
//! `Ramp` (uncal) -> detector steps -> `Rate` -> spectral steps -> `Cal` -> \[dithers\] combine steps -> `Cube`,
//! `Spectrum` -> backplanes and planetary steps -> `Cube`. [`pipeline::plan`] is all of it over a directory. Files exist only at the edges ([`store`]); a step is a pure function on typed models; threads start in
//! one place ([`exec`]).
//!
//! ## Layers
//! A module uses its own and lower layers, never a higher one (`tests/architecture.rs` holds this).
//!
//! | layer | modules | what |
//! |---|---|---|
//! | 1 | [`error`], [`exec`], [`formats`], [`math`] | bytes to generic containers, threads, numbers; no astronomy |
//! | 2 | [`model`] | `Ramp`, `Rate`, reference models, DQ flags, metadata and keywords, provenance |
//! | 3 | [`wcs`], [`nav`] | transforms from pixels to the sky and back, gwcs trees; SPICE kernels: where bodies are and how they turn |
//! | 4 | [`steps`] | calibration steps, one file or folder each |
//! | 5 | [`store`] | CRDS cache, product names |
//! | 6 | [`pipeline`], [`flatgen`], [`zonal`], [`view`], [`simulate`] | the runner and its recipes; flats from dithers; zonal means; pictures; synthetic observations |
//! | 7 | [`cli`] | the program, one file a subcommand |
//!
//! Truth for the calwebb steps is the behaviour of `jwst` 3.0.0 and `stcal` 1.20.

pub mod cli;
pub mod error;
pub mod exec;
pub mod flatgen;
pub mod formats;
pub mod math;
pub mod model;
pub mod nav;
pub mod pipeline;
pub mod simulate;
pub mod steps;
pub mod store;
pub mod view;
pub mod wcs;
pub mod zonal;

pub use error::{Error, Result};

/// Version of calwebb (the `jwst` package) whose behaviour is followed.
pub const CALWEBB: &str = "3.0.0";
