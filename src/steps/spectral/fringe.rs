//! # fringe: divide by the fringe pattern
//!
//! ## What
//! Divides a MIRI MRS image by the fringes a uniformly lit slice shows.
//!
//! ## Why
//! Layers of the detector are a Fabry-Perot resonator: the response rises and falls with wavelength by
//! up to a third.
//!
//! ## Algorithm
//! 1. NaN in the reference counts as 1.
//! 2. `SCI` and `ERR` are divided by the reference, the variances multiplied by 1 over its square (single precision).
//!
//! ## Parameters
//! None.
//!
//! ## Reference files
//! `fringe`: `SCI`. Its errors and flags are not used.
//!
//! ## Skipped when
//! no reference applies.
//!
//! ## Differs from jwst
//! A subarray takes its part of the reference; jwst stops with an exception.
//!
//! ## References
//! jwst 3.0.0 `fringe`; Argyriou et al. 2020, A&A 641, A150.

use crate::Result;
use crate::exec::Exec;
use crate::model::Cal;
use crate::model::reference::{RefFits, Window};
use crate::steps::step::{Info, RefPaths, Reference, Step, Target};

crate::params! {
    /// Parameters of fringe: none.
    pub struct FringeParams {}
}

/// The step.
pub struct Fringe;

impl Step for Fringe {
    const INFO: Info = Info {
        name: "fringe",
        class: "FringeStep",
        keyword: "S_FRINGE",
        title: "Fringe Correction",
        skip: false,
        references: &[Reference {
            kind: "fringe",
            required: true,
        }],
    };
    const SOURCE: &'static str = include_str!("fringe.rs");
    type In = Cal;
    type Out = Cal;
    type Params = FringeParams;
    /// The fringes, in the exposure's window.
    type Refs = Vec<f32>;

    fn load(paths: &RefPaths, target: &Target, _: &Self::Params) -> Result<Vec<f32>> {
        let window = Window::of_exposure(&target.meta, target.shape.ny, target.shape.nx)?;
        RefFits::open("fringe", paths.need("fringe")?)?.image("SCI", window)
    }

    fn run(mut input: Cal, refs: &Vec<f32>, _: &Self::Params, _: &Exec) -> Result<Cal> {
        divide(&mut input, refs);
        Ok(input)
    }
}

/// Divides an image by the fringes.
fn divide(image: &mut Cal, fringes: &[f32]) {
    let one_if_nan = |f: f32| if f.is_nan() { 1.0 } else { f };
    for values in [&mut image.sci, &mut image.err] {
        for (value, f) in values.iter_mut().zip(fringes) {
            *value /= one_if_nan(*f);
        }
    }
    let variances = [&mut image.var_poisson, &mut image.var_rnoise];
    for values in variances.into_iter().chain(image.var_flat.as_mut()) {
        for (value, f) in values.iter_mut().zip(fringes) {
            let f = one_if_nan(*f);
            *value *= 1.0 / (f * f);
        }
    }
}
