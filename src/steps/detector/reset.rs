//! # reset: subtract the reset anomaly
//!
//! ## What
//! Subtracts from the first groups of each integration the offset that the reset leaves in MIRI's detectors.
//!
//! ## Why
//! After a reset the output decays to its level over some groups.
//!
//! ## Algorithm
//! 1. Integration i of the exposure (counted with `INTSTART`, so that segments of an exposure agree with
//!    the whole) takes integration i of the reference, or its last one (`NINTS` of the reference) beyond.
//! 2. The first groups, as many as the reference has (its `NGROUPS`), get the reference's plane
//!    subtracted. NaN in the reference counts as 0.
//! 3. The reference's flags are set in `PIXELDQ`.
//!
//! ## Parameters
//! None.
//!
//! ## Reference files
//! `reset`. Only the integrations and groups that are needed are read, one plane at a time.
//!
//! ## Skipped when
//! the detector is not MIRI's; no reference applies.
//!
//! ## Differs from jwst
//! A file whose `INTSTART`, `INTEND` disagree with its number of integrations, and a reference of
//! another subarray, are errors; jwst corrects some of the integrations or stops with an exception.
//!
//! ## References
//! jwst 3.0.0 `reset`.

use super::firstframe::not_miri;
use super::reference_planes::{Plane, subtract_planes};
use crate::exec::Exec;
use crate::model::reference::{RefFits, Window};
use crate::model::{Meta, Ramp};
use crate::steps::step::{Info, RefPaths, Reference, Step, Target};
use crate::{Error, Result};

crate::params! {
    /// Parameters of reset: none.
    pub struct ResetParams {}
}

/// The step.
pub struct Reset;

/// The reset reference, opened.
#[derive(Debug)]
pub struct ResetRef {
    file: RefFits,
    window: Window,
    /// Integrations it corrects.
    nints: usize,
    /// Groups it corrects.
    ngroups: usize,
    /// Groups an integration has in the file.
    planes: usize,
    /// The exposure's first integration, from 0.
    first: usize,
    dq: Vec<u32>,
}

impl Step for Reset {
    const INFO: Info = Info {
        name: "reset",
        class: "ResetStep",
        keyword: "S_RESET",
        title: "Reset Anomaly Correction",
        skip: false,
        references: &[Reference {
            kind: "reset",
            required: true,
        }],
    };
    const SOURCE: &'static str = include_str!("reset.rs");
    type In = Ramp;
    type Out = Ramp;
    type Params = ResetParams;
    type Refs = ResetRef;

    fn group_by_group(_: &Target, _: &ResetRef, _: &Self::Params) -> bool {
        true
    }

    fn not_applicable(input: &Ramp, _: &Self::Params) -> Result<Option<String>> {
        not_miri(&input.meta)
    }

    fn load(paths: &RefPaths, target: &Target, _: &Self::Params) -> Result<ResetRef> {
        let first = first_integration(&target.meta, target.shape.nints)?;
        let window = Window::of_exposure(&target.meta, target.shape.ny, target.shape.nx)?;
        let file = RefFits::open("reset", paths.need("reset")?)?;
        let shape = file.shape("SCI")?;
        let &[ints, planes, ny, nx] = shape.as_slice() else {
            return Err(file.error(format!("SCI has {} axes; 4 are needed", shape.len())));
        };
        if (ny, nx) != (window.ny, window.nx) {
            return Err(file.error(format!(
                "is of {ny} x {nx} pixels and the exposure of {} x {}; the reset depends on the subarray",
                window.ny, window.nx
            )));
        }
        let count = |keyword: &str, n: usize| match file.header().i64(keyword) {
            None => Ok(n),
            Some(v) => usize::try_from(v)
                .ok()
                .filter(|v| (1..=n).contains(v))
                .ok_or_else(|| file.error(format!("{keyword} = {v}, but SCI has {n}"))),
        };
        let (nints, ngroups) = (count("NINTS", ints)?, count("NGROUPS", planes)?);
        let dq = file.dq(window, [0])?;
        Ok(ResetRef {
            file,
            window,
            nints,
            ngroups,
            planes,
            first,
            dq,
        })
    }

    fn run(mut input: Ramp, refs: &ResetRef, _: &Self::Params, exec: &Exec) -> Result<Ramp> {
        input
            .pixeldq
            .iter_mut()
            .zip(&refs.dq)
            .for_each(|(p, r)| *p |= r);
        let which = |int: usize, group: usize| {
            (group < refs.ngroups).then(|| ((refs.first + int).min(refs.nints - 1), group))
        };
        subtract_planes(&mut input, exec, which, |int, group| {
            Ok(Plane::F32(refs.file.planes(
                "SCI",
                refs.window,
                [int * refs.planes + group],
            )?))
        })?;
        Ok(input)
    }
}

/// Number of the file's first integration within the exposure, from 0.
fn first_integration(meta: &Meta, nints: usize) -> Result<usize> {
    let first = match meta.get("INTSTART") {
        Some(_) => meta.need_count("INTSTART")? - 1,
        None => 0,
    };
    let end = match meta.get("INTEND") {
        Some(_) => meta.need_count("INTEND")?,
        None => meta.need_count("NINTS")?,
    };
    if end != first + nints {
        return Err(Error::input_file(
            &meta.source,
            format!(
                "holds {nints} integrations, but INTSTART, INTEND (or NINTS) say {} to {end}",
                first + 1
            ),
        ));
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_know_their_first_integration() {
        let mut meta = Meta::default();
        meta.primary.set("NINTS", 5i64, "");
        assert_eq!(first_integration(&meta, 5).unwrap(), 0);
        assert!(first_integration(&meta, 3).is_err());
        meta.primary.set("INTSTART", 3i64, "");
        assert_eq!(first_integration(&meta, 3).unwrap(), 2);
        meta.primary.set("INTEND", 4i64, "");
        assert_eq!(first_integration(&meta, 2).unwrap(), 2);
        assert!(first_integration(&meta, 3).is_err());
        meta.primary.set("INTSTART", 0i64, "");
        assert!(first_integration(&meta, 4).is_err());
    }
}
