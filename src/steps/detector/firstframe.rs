//! # firstframe: give up the first group
//!
//! ## What
//! Sets `DO_NOT_USE` in the first group of every integration of a MIRI exposure.
//!
//! ## Why
//! The first group still shows the reset. Since calwebb 2.0 the `rscd` step flags it; this step is off by default.
//!
//! ## Algorithm
//! 1. With `bright_use_group1`, pixels that are saturated in the third group keep their first group: the
//!    effect is small against their signal, and they have little else. They get `FLUX_ESTIMATED` in
//!    `PIXELDQ` (where that happens in any integration).
//! 2. All others get `DO_NOT_USE` in the first group.
//!
//! ## Parameters
//! `bright_use_group1`: keep the first group of pixels that are saturated in the third.
//!
//! ## Reference files
//! None.
//!
//! ## Skipped when
//! not asked for; the detector is not MIRI's; there are 3 groups or fewer.
//!
//! ## Differs from jwst
//! Not known to. When an exposure is worked through in parts, `FLUX_ESTIMATED` is set from the part's
//! integrations; the parts' `PIXELDQ` must be combined.
//!
//! ## References
//! jwst 3.0.0 `firstframe`.

use crate::Result;
use crate::exec::Exec;
use crate::model::dq::{DO_NOT_USE, FLUX_ESTIMATED, SATURATED};
use crate::model::{Meta, Ramp};
use crate::steps::step::{Info, RefPaths, Step, Target};

crate::params! {
    /// Parameters of firstframe.
    pub struct FirstFrameParams {
        /// Keep the first group of pixels that are saturated in the third.
        bright_use_group1: bool = true,
    }
}

/// The step.
pub struct FirstFrame;

impl Step for FirstFrame {
    const INFO: Info = Info {
        name: "firstframe",
        class: "FirstFrameStep",
        keyword: "S_FRSTFR",
        title: "First Frame Correction",
        skip: true,
        references: &[],
    };
    const SOURCE: &'static str = include_str!("firstframe.rs");
    const GIVES_UP_GROUPS: bool = true;
    type In = Ramp;
    type Out = Ramp;
    type Params = FirstFrameParams;
    type Refs = ();

    fn not_applicable(input: &Ramp, _: &Self::Params) -> Result<Option<String>> {
        Ok(match not_miri(&input.meta)? {
            None if input.shape.ngroups <= 3 => {
                Some(format!("too few groups ({})", input.shape.ngroups))
            }
            other => other,
        })
    }

    fn load(_: &RefPaths, _: &Target, _: &Self::Params) -> Result<()> {
        Ok(())
    }

    fn run(mut input: Ramp, (): &(), params: &Self::Params, exec: &Exec) -> Result<Ramp> {
        let rows = exec.strip_rows(input.shape.ny);
        exec.map(input.strips(rows), |strip| {
            for groups in strip
                .groupdq
                .into_iter()
                .collect::<Vec<_>>()
                .chunks_mut(strip.ngroups)
            {
                if let [first, _, third, ..] = groups {
                    flag_first(first, third, strip.pixeldq, params.bright_use_group1);
                }
            }
        });
        Ok(input)
    }
}

/// Why a step for MIRI does not apply to this exposure, if so.
///
/// # Errors
/// Where `DETECTOR` is missing.
pub fn not_miri(meta: &Meta) -> Result<Option<String>> {
    let detector = meta.need_str("DETECTOR")?;
    Ok((!detector.starts_with("MIR"))
        .then(|| format!("it is for MIRI only, and the detector is {detector}")))
}

/// Flags the first group of one integration, with the exception for bright pixels where asked for.
pub fn flag_first(first: &mut [u8], third: &[u8], pixeldq: &mut [u32], keep_bright: bool) {
    for ((first, third), pixel) in first.iter_mut().zip(third).zip(pixeldq) {
        if keep_bright && third & SATURATED as u8 != 0 {
            *pixel |= FLUX_ESTIMATED;
        } else {
            *first |= DO_NOT_USE as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::dq::JUMP_DET;

    #[test]
    fn bright_pixels_keep_their_first_group() {
        let third = [0, SATURATED as u8, (SATURATED | DO_NOT_USE) as u8];
        let (mut first, mut pixel) = ([0, 0, JUMP_DET as u8], [0, 8, 0]);
        flag_first(&mut first, &third, &mut pixel, true);
        assert_eq!(first, [1, 0, JUMP_DET as u8]);
        assert_eq!(pixel, [0, 8 | FLUX_ESTIMATED, FLUX_ESTIMATED]);
        flag_first(&mut first, &third, &mut pixel, false);
        assert_eq!(first, [1, 1, (JUMP_DET | DO_NOT_USE) as u8]);
    }
}
