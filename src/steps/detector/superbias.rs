//! # superbias: subtract the bias of every pixel
//!
//! ## What
//! Subtracts the image of a reset near-infrared detector from every group.
//!
//! ## Why
//! Each pixel starts from a level of its own; the reference pixels that follow the drift of the electronics must be
//! brought to a common level first, and the linearity is known for counts above the bias.
//!
//! ## Algorithm
//! 1. The reference's flags are set in `PIXELDQ`.
//! 2. NaN in the reference counts as 0.
//! 3. `SCI -= superbias`, in single precision, in all groups of all integrations. Frames of NIRSpec's IRS2 readout have a
//!    superbias of their own, interleaved reference pixels included.
//!
//! ## Parameters
//! None.
//!
//! ## Reference files
//! `superbias`: `SCI` in DN and `DQ`, `[row][column]`.
//!
//! ## Skipped when
//! no reference applies. (MIRI has no superbias; its recipe has not the step.)
//!
//! ## Differs from jwst
//! A `ZEROFRAME` extension is not corrected (NIRSpec has none).
//!
//! ## References
//! jwst 3.0.0 `superbias`.

use super::reference_planes::subtract;
use crate::Result;
use crate::exec::Exec;
use crate::model::Ramp;
use crate::model::reference::RefFits;
use crate::steps::step::{Info, RefPaths, Reference, Step, Target};

crate::params! {
    /// Parameters of superbias: none.
    pub struct SuperbiasParams {}
}

/// The superbias of an exposure's frames, `[row][column]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Superbias {
    /// Bias in DN.
    bias: Vec<f32>,
    /// The reference's flags.
    dq: Vec<u32>,
}

/// The step.
pub struct SuperbiasStep;

impl Step for SuperbiasStep {
    const INFO: Info = Info {
        name: "superbias",
        class: "SuperBiasStep",
        keyword: "S_SUPERB",
        title: "Superbias Subtraction",
        skip: false,
        references: &[Reference {
            kind: "superbias",
            required: true,
        }],
    };
    const SOURCE: &'static str = include_str!("superbias.rs");
    type In = Ramp;
    type Out = Ramp;
    type Params = SuperbiasParams;
    type Refs = Superbias;

    fn group_by_group(_: &Target, _: &Superbias, _: &Self::Params) -> bool {
        true
    }

    fn load(paths: &RefPaths, target: &Target, _: &Self::Params) -> Result<Superbias> {
        let window = target.frame()?;
        let file = RefFits::open("superbias", paths.need("superbias")?)?;
        Ok(Superbias {
            bias: file.image("SCI", window)?,
            dq: file.dq(window, [0])?,
        })
    }

    fn run(mut input: Ramp, refs: &Superbias, _: &Self::Params, exec: &Exec) -> Result<Ramp> {
        let pixels = input.pixeldq.iter_mut().zip(&refs.dq);
        pixels.for_each(|(p, d)| *p |= d);
        let planes = input.data.chunks_mut(input.shape.plane().max(1)).collect();
        exec.map(planes, |plane| subtract(plane, &refs.bias));
        Ok(input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::dq::{DEAD, HOT, UNRELIABLE_BIAS};
    use crate::model::{Meta, Shape};

    #[test]
    fn every_group_loses_the_bias_and_pixels_get_its_flags() {
        let shape = Shape {
            nints: 2,
            ngroups: 2,
            ny: 1,
            nx: 3,
        };
        let ramp = Ramp {
            meta: Meta::default(),
            shape,
            first_int: 0,
            data: [[10.0, 0.1, f32::NAN], [20.0, 5.0, 6.0]]
                .concat()
                .repeat(2)
                .into(),
            pixeldq: vec![HOT, 0, 0],
            groupdq: vec![4; 12].into(),
            average_dark_current: None,
            extra: Vec::new(),
        };
        let refs = Superbias {
            bias: vec![4.0, f32::NAN, 1.0],
            dq: vec![DEAD, UNRELIABLE_BIAS, 0],
        };
        let exec = Exec::new(Some(2)).unwrap();
        let out = SuperbiasStep::run(ramp, &refs, &SuperbiasParams {}, &exec).unwrap();
        for plane in [0, 6] {
            assert_eq!(out.data[plane..plane + 2], [6.0, 0.1]);
            assert!(out.data[plane + 2].is_nan());
            assert_eq!(out.data[plane + 3..plane + 6], [16.0, 5.0, 5.0]);
        }
        assert_eq!(out.pixeldq, [HOT | DEAD, UNRELIABLE_BIAS, 0]);
        assert_eq!(out.groupdq, [4; 12]);
    }
}
