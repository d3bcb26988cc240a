//! # dq_init: start the data-quality flags
//!
//! ## What
//! Combines the static bad-pixel mask with the flags of the exposure.
//!
//! ## Why
//! Dead, hot and otherwise unusable pixels must be known before anything is measured.
//!
//! ## Algorithm
//! 1. The mask's flags, translated to calwebb's bits by its `DQ_DEF`, are set in `PIXELDQ`.
//! 2. Where the mask says `DO_NOT_USE`, that flag is set in every group too, so that no ramp is fitted.
//!
//! ## Parameters
//! `user_supplied_dq`: a FITS file whose first image is a mask of flags to add.
//!
//! ## Reference files
//! `mask`.
//!
//! ## Skipped when
//! no mask applies.
//!
//! ## Differs from jwst
//! Not known to.
//!
//! ## References
//! jwst 3.0.0 `dq_init`.

use std::path::Path;

use crate::exec::Exec;
use crate::formats::fits::FitsFile;
use crate::model::Ramp;
use crate::model::dq::DO_NOT_USE;
use crate::model::reference::{RefFits, Window};
use crate::steps::step::{Info, RefPaths, Reference, Step, Target};
use crate::{Error, Result};

crate::params! {
    /// Parameters of dq_init.
    pub struct DqInitParams {
        /// FITS file with flags to add to the mask.
        user_supplied_dq: Option<String> = None,
    }
}

/// The step.
pub struct DqInit;

impl Step for DqInit {
    const INFO: Info = Info {
        name: "dq_init",
        class: "DQInitStep",
        keyword: "S_DQINIT",
        title: "Data Quality Initialization",
        skip: false,
        references: &[Reference {
            kind: "mask",
            required: true,
        }],
    };
    const SOURCE: &'static str = include_str!("dq_init.rs");
    type In = Ramp;
    type Out = Ramp;
    type Params = DqInitParams;
    type Refs = Vec<u32>;

    fn group_by_group(_: &Target, _: &Vec<u32>, _: &Self::Params) -> bool {
        true
    }

    fn load(paths: &RefPaths, target: &Target, params: &Self::Params) -> Result<Vec<u32>> {
        let window = target.frame()?;
        let mut mask = RefFits::open("mask", paths.need("mask")?)?.dq(window, [0])?;
        if let Some(path) = &params.user_supplied_dq {
            let user = read_mask(Path::new(path), mask.len(), window)?;
            mask.iter_mut().zip(user).for_each(|(m, u)| *m |= u);
        }
        Ok(mask)
    }

    fn run(mut input: Ramp, mask: &Vec<u32>, _: &Self::Params, exec: &Exec) -> Result<Ramp> {
        let rows = exec.strip_rows(input.shape.ny);
        exec.map(input.strips(rows), |strip| {
            let mask = strip.rows_of(mask);
            apply_mask(strip.pixeldq, strip.groupdq, mask);
        });
        Ok(input)
    }
}

/// Sets a mask's flags in the pixel flags and its `DO_NOT_USE` in every plane's group flags.
pub fn apply_mask(pixeldq: &mut [u32], groupdq: Vec<&mut [u8]>, mask: &[u32]) {
    pixeldq.iter_mut().zip(mask).for_each(|(p, m)| *p |= m);
    for plane in groupdq {
        plane
            .iter_mut()
            .zip(mask)
            .for_each(|(g, m)| *g |= (m & DO_NOT_USE) as u8);
    }
}

fn read_mask(path: &Path, len: usize, window: Window) -> Result<Vec<u32>> {
    let file = FitsFile::open(path)?;
    let first = (0..file.hdus().len()).find(|i| file.shape(*i).is_ok_and(|s| !s.is_empty()));
    let hdu = first.ok_or_else(|| Error::input_file(path, "user_supplied_dq holds no image"))?;
    let mask: Vec<u32> = file.all(hdu)?;
    if mask.len() != len || file.shape(hdu)? != [window.ny, window.nx] {
        return Err(Error::input_file(
            path,
            format!(
                "user_supplied_dq has shape {:?}; {} x {} is needed",
                file.shape(hdu)?,
                window.ny,
                window.nx
            ),
        ));
    }
    Ok(mask)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::dq::{HOT, SATURATED};

    #[test]
    fn flags_are_combined_and_do_not_use_reaches_the_groups() {
        let mut pixeldq = [0, HOT, 0];
        let (mut a, mut b) = ([0u8, 0, 2], [0u8, 1, 0]);
        apply_mask(
            &mut pixeldq,
            vec![&mut a, &mut b],
            &[DO_NOT_USE | HOT, HOT, SATURATED],
        );
        assert_eq!(pixeldq, [DO_NOT_USE | HOT, HOT, SATURATED]);
        assert_eq!((a, b), ([1, 0, 2], [1, 1, 0]));
    }
}
