//! # lastframe: give up the last group
//!
//! ## What
//! Sets `DO_NOT_USE` in the last group of every integration of a MIRI exposure.
//!
//! ## Why
//! The reset of neighbouring rows disturbs the last group.
//!
//! ## Algorithm
//! 1. `DO_NOT_USE` is set in every pixel of the last group.
//!
//! ## Parameters
//! None.
//!
//! ## Reference files
//! None.
//!
//! ## Skipped when
//! the detector is not MIRI's; there are 2 groups or fewer.
//!
//! ## Differs from jwst
//! Not known to.
//!
//! ## References
//! jwst 3.0.0 `lastframe`.

use super::firstframe::not_miri;
use crate::Result;
use crate::exec::Exec;
use crate::model::Ramp;
use crate::model::dq::DO_NOT_USE;
use crate::steps::step::{Info, RefPaths, Step, Target};

crate::params! {
    /// Parameters of lastframe: none.
    pub struct LastFrameParams {}
}

/// The step.
pub struct LastFrame;

impl Step for LastFrame {
    const INFO: Info = Info {
        name: "lastframe",
        class: "LastFrameStep",
        keyword: "S_LASTFR",
        title: "Last Frame Correction",
        skip: false,
        references: &[],
    };
    const SOURCE: &'static str = include_str!("lastframe.rs");
    const GIVES_UP_GROUPS: bool = true;
    type In = Ramp;
    type Out = Ramp;
    type Params = LastFrameParams;
    type Refs = ();

    fn not_applicable(input: &Ramp, _: &Self::Params) -> Result<Option<String>> {
        Ok(match not_miri(&input.meta)? {
            None if input.shape.ngroups <= 2 => {
                Some(format!("too few groups ({})", input.shape.ngroups))
            }
            other => other,
        })
    }

    fn load(_: &RefPaths, _: &Target, _: &Self::Params) -> Result<()> {
        Ok(())
    }

    fn run(mut input: Ramp, (): &(), _: &Self::Params, exec: &Exec) -> Result<Ramp> {
        let (plane, ngroups) = (input.shape.plane().max(1), input.shape.ngroups);
        let last = input
            .groupdq
            .chunks_mut(plane)
            .skip(ngroups - 1)
            .step_by(ngroups)
            .collect();
        exec.map(last, flag_group);
        Ok(input)
    }
}

/// Sets `DO_NOT_USE` in every pixel of a group.
pub fn flag_group(groupdq: &mut [u8]) {
    groupdq.iter_mut().for_each(|g| *g |= DO_NOT_USE as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Meta, Shape};

    #[test]
    fn only_last_groups_change() {
        let shape = Shape {
            nints: 2,
            ngroups: 3,
            ny: 1,
            nx: 2,
        };
        let mut ramp = Ramp {
            meta: Meta::default(),
            shape,
            first_int: 0,
            data: vec![f32::NAN; 12].into(),
            pixeldq: vec![0; 2],
            groupdq: vec![2; 12].into(),
            average_dark_current: None,
            extra: Vec::new(),
        };
        ramp.meta.primary.set("DETECTOR", "MIRIFULONG", "");
        assert_eq!(
            LastFrame::not_applicable(&ramp, &LastFrameParams {}).unwrap(),
            None
        );
        let exec = Exec::new(Some(1)).unwrap();
        let out = LastFrame::run(ramp, &(), &LastFrameParams {}, &exec).unwrap();
        assert_eq!(out.groupdq, [2, 2, 2, 2, 3, 3, 2, 2, 2, 2, 3, 3]);
        assert_eq!(out.pixeldq, [0, 0]);
    }

    #[test]
    fn few_groups_and_other_detectors_are_skipped() {
        let shape = Shape {
            nints: 1,
            ngroups: 2,
            ny: 1,
            nx: 1,
        };
        let mut ramp = Ramp {
            meta: Meta::default(),
            shape,
            first_int: 0,
            data: vec![0.0; 2].into(),
            pixeldq: vec![0],
            groupdq: vec![0; 2].into(),
            average_dark_current: None,
            extra: Vec::new(),
        };
        assert!(LastFrame::not_applicable(&ramp, &LastFrameParams {}).is_err());
        ramp.meta.primary.set("DETECTOR", "MIRIFULONG", "");
        assert!(
            LastFrame::not_applicable(&ramp, &LastFrameParams {})
                .unwrap()
                .unwrap()
                .contains("(2)")
        );
        ramp.meta.primary.set("DETECTOR", "NRS1", "");
        assert!(
            LastFrame::not_applicable(&ramp, &LastFrameParams {})
                .unwrap()
                .unwrap()
                .contains("NRS1")
        );
    }
}
