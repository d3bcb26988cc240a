//! # group_scale: undo a wrong on-board frame average
//!
//! ## What
//! Multiplies all groups by `FRMDIVSR / NFRAMES`.
//!
//! ## Why
//! The on-board software averages the frames of a group with a divisor that is a power of two. For other
//! numbers of frames the groups come down scaled by the wrong factor.
//!
//! ## Algorithm
//! 1. `SCI *= FRMDIVSR / NFRAMES`, the factor rounded to single precision first.
//!
//! ## Parameters
//! None.
//!
//! ## Reference files
//! None.
//!
//! ## Skipped when
//! `NFRAMES` is missing; `FRMDIVSR` is missing; the two are equal.
//!
//! ## Differs from jwst
//! Not known to. (`NFRAMES = 0` is an error here, a Python exception there.)
//!
//! ## References
//! jwst 3.0.0 `group_scale`.

use crate::exec::Exec;
use crate::model::Ramp;
use crate::steps::step::{Info, RefPaths, Step, Target};
use crate::{Error, Result};

crate::params! {
    /// Parameters of group_scale: none.
    pub struct GroupScaleParams {}
}

/// The step.
pub struct GroupScale;

impl Step for GroupScale {
    const INFO: Info = Info {
        name: "group_scale",
        class: "GroupScaleStep",
        keyword: "S_GRPSCL",
        title: "Group Scale Correction",
        skip: false,
        references: &[],
    };
    const SOURCE: &'static str = include_str!("group_scale.rs");
    type In = Ramp;
    type Out = Ramp;
    type Params = GroupScaleParams;
    type Refs = ();

    fn group_by_group(_: &Target, (): &(), _: &Self::Params) -> bool {
        true
    }

    fn not_applicable(input: &Ramp, _: &Self::Params) -> Result<Option<String>> {
        let (frames, divisor) = (input.meta.i64("NFRAMES"), input.meta.i64("FRMDIVSR"));
        Ok(match (frames, divisor) {
            (None, _) => Some("NFRAMES is not known".into()),
            (Some(n), None) if n & n.wrapping_sub(1) == 0 => {
                Some(format!("NFRAMES = {n} is a power of 2, nothing to rescale"))
            }
            (_, None) => Some("FRMDIVSR is not known".into()),
            (Some(n), Some(d)) if n == d => {
                Some("NFRAMES and FRMDIVSR are equal, nothing to rescale".into())
            }
            _ => None,
        })
    }

    fn load(_: &RefPaths, _: &Target, _: &Self::Params) -> Result<()> {
        Ok(())
    }

    fn run(mut input: Ramp, (): &(), _: &Self::Params, exec: &Exec) -> Result<Ramp> {
        let frames = input.meta.need_i64("NFRAMES")?;
        let divisor = input.meta.need_i64("FRMDIVSR")?;
        if frames == 0 {
            return Err(Error::input_file(
                &input.meta.source,
                "NFRAMES = 0; the groups cannot be rescaled",
            ));
        }
        let factor = (divisor as f64 / frames as f64) as f32;
        let planes = input.data.chunks_mut(input.shape.plane().max(1)).collect();
        exec.map(planes, |plane| scale(plane, factor));
        Ok(input)
    }
}

/// Multiplies every value by a factor.
pub fn scale(values: &mut [f32], factor: f32) {
    values.iter_mut().for_each(|v| *v *= factor);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_multiplied_in_single_precision() {
        let mut values = [1000.0, f32::NAN, -3.0, 0.0];
        scale(&mut values, (4.0f64 / 3.0) as f32);
        assert_eq!(values[0], 1000.0f32 * 1.333_333_4f32);
        assert!(values[1].is_nan());
        assert_eq!((values[2], values[3]), (-4.0, 0.0));
    }
}
