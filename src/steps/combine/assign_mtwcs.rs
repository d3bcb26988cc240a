//! # assign_mtwcs: align exposures on a moving target
//!
//! ## What
//! Adds to each exposure's WCS a frame `moving_target`, in which the target stands still: its right ascension and declination are those of
//! its average position over all exposures.
//!
//! ## Why
//! Planets, moons and comets move against the stars between exposures; in one cube they would be smeared.
//!
//! ## Algorithm
//! 1. `MT_RA`, `MT_DEC` are averaged over the exposures and recorded as `MT_AVRA`, `MT_AVDEC`.
//! 2. The shift from an exposure's position to the average is added to right ascension and declination, as calwebb
//!    does: a shift of the coordinates, not on the sphere.
//!
//! ## Parameters
//! None: the names of products, calwebb's `suffix` and `output_use_model`, are the recipe's affair.
//!
//! ## Reference files
//! None.
//!
//! ## Skipped when
//! an exposure lacks `MT_RA` or `MT_DEC`.
//!
//! ## Differs from jwst
//! Right ascensions on both sides of 0 are averaged across it; jwst then aligns on a place on the far side of the sky. Exposures
//! that have the frame already are errors (in jwst too). Of a NIRSpec WCS that takes the number of the slice (`nrs_ifu_slice_wcs`)
//! jwst's shift leaves the number out, so that only the slices one by one can be evaluated; ours passes it on.
//!
//! ## References
//! jwst 3.0.0 `assign_mtwcs`.

use std::sync::Arc;

use crate::Result;
use crate::exec::Exec;
use crate::formats::asdf::Node;
use crate::model::Exposures;
use crate::steps::step::{Info, RefPaths, Step, Target};
use crate::wcs::Gwcs;
use crate::wcs::moving_target::{average_position, with_target_frame};

crate::params! {
    /// Parameters of assign_mtwcs: none.
    pub struct AssignMtwcsParams {}
}

/// The step.
pub struct AssignMtwcs;

impl Step for AssignMtwcs {
    const INFO: Info = Info {
        name: "assign_mtwcs",
        class: "AssignMTWcsStep",
        keyword: "S_MTWCS",
        title: "Assign Moving Target World Coordinate System",
        skip: false,
        references: &[],
    };
    const SOURCE: &'static str = include_str!("assign_mtwcs.rs");
    type In = Exposures;
    type Out = Exposures;
    type Params = AssignMtwcsParams;
    type Refs = ();

    fn not_applicable(input: &Exposures, _: &Self::Params) -> Result<Option<String>> {
        Ok(average_position(input.science.iter().map(|c| &c.meta)).is_none().then(|| {
            "an exposure does not say where the target is (MT_RA, MT_DEC); the target is not aligned".into()
        }))
    }

    fn load(_: &RefPaths, _: &Target, _: &Self::Params) -> Result<()> {
        Ok(())
    }

    fn run(input: Exposures, (): &(), _: &Self::Params, _: &Exec) -> Result<Exposures> {
        aligned(input, &mut Vec::new())
    }

    fn run_alike(
        inputs: Vec<Exposures>,
        (): &(),
        _: &Self::Params,
        _: &Exec,
    ) -> Vec<Result<Exposures>> {
        let mut made = Vec::new();
        let one = |input| aligned(input, &mut made);
        inputs.into_iter().map(one).collect()
    }
}

/// Right ascension and declination in degrees.
type Position = (f64, f64);

/// A WCS that was made of another.
struct Made {
    of: Arc<Node>,
    average: Position,
    position: Position,
    wcs: Arc<Node>,
}

/// Aligns the exposures; WCS that were made before of the same are taken again.
fn aligned(mut input: Exposures, made: &mut Vec<Made>) -> Result<Exposures> {
    let Some(average) = average_position(input.science.iter().map(|c| &c.meta)) else {
        return Ok(input);
    };
    for cal in &mut input.science {
        let position = (cal.meta.need_f64("MT_RA")?, cal.meta.need_f64("MT_DEC")?);
        let of = Arc::clone(cal.need_wcs()?);
        let same = |m: &&Made| {
            (m.average, m.position) == (average, position)
                && (Arc::ptr_eq(&m.of, &of) || m.of.is_same(&of))
        };
        let wcs = match made.iter().find(same) {
            Some(m) => Arc::clone(&m.wcs),
            None => {
                let wcs = Gwcs::from_node(&of);
                let node = wcs.and_then(|w| with_target_frame(w, average, position)?.to_node());
                let wcs = Arc::new(node.map_err(|e| e.with_path(&cal.meta.source))?);
                made.push(Made {
                    of,
                    average,
                    position,
                    wcs: Arc::clone(&wcs),
                });
                wcs
            }
        };
        cal.set_wcs(wcs);
        let sci = &mut cal.meta.sci;
        sci.set_after(
            "MT_DEC",
            "MT_AVRA",
            average.0,
            "[deg] Moving target average RA over exposures",
        );
        sci.set_after(
            "MT_AVRA",
            "MT_AVDEC",
            average.1,
            "[deg] Moving target average Dec over exposures",
        );
    }
    Ok(input)
}
