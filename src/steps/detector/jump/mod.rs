//! # jump: flag cosmic-ray jumps in the ramps
//!
//! ## What
//! Sets `JUMP_DET` in `GROUPDQ` for the groups in which a pixel's counts jump, and around and
//! after large events; records the rates of events in `PRIMECRS` and `EXTNCRS`.
//!
//! ## Why
//! A cosmic ray adds its charge between two groups. The ramp is sound before and after, so
//! `ramp_fit` can use both parts once it knows where to cut.
//!
//! ## Algorithm
//! All in electrons (DN times gain); differences are of successive groups, and groups that are
//! `SATURATED` or `DO_NOT_USE` give none.
//! 1. Two-point difference: a difference is a jump if it is off the median difference of the pixel
//!    (over all integrations) by more than the threshold times the noise, the square root of
//!    median plus squared read noise. With fewer usable differences than `min_diffs_single_pass`
//!    the largest is taken out and the statistics are made anew, until none is left; with many
//!    integrations sigma clipping takes its place (`minimum_sigclip_groups`, `only_use_ints`).
//! 2. The four neighbours of a jump of between `min_jump_to_flag_neighbors` and
//!    `max_jump_to_flag_neighbors` sigma are flagged.
//! 3. Groups after a jump of `after_jump_flag_dn1` (`2`) DN are flagged for
//!    `after_jump_flag_time1` (`2`) seconds.
//! 4. `expand_large_events`: jumps that are large and have a saturated core are snowballs; the
//!    ellipses around them are enlarged and flagged, their cores also in the next integration.
//! 5. `find_showers`: the differences' signal-to-noise ratio, averaged over a ring around each
//!    pixel; regions above `extend_snr_threshold` are showers, and the enlarged ellipses around
//!    them are flagged, then and for `time_masked_after_shower` seconds, unless this changes the
//!    rate of a pixel by more than a shower can.
//!
//! All integrations are needed at once.
//!
//! ## Parameters
//! As calwebb's, see `JumpParams`. `maximum_cores`, `use_ellipses`, `minimum_groups` and
//! `max_shower_amplitude` are accepted and have no effect; nor have the last three in calwebb
//! 3.0.0, run on one processor.
//!
//! ## Reference files
//! `gain`, `readnoise`.
//!
//! ## Skipped when
//! there are fewer than three groups. (With three or more groups of which fewer than three are
//! usable nothing is looked for, yet the step counts as done and `PRIMECRS` is negative, as in
//! calwebb.)
//!
//! ## Differs from jwst
//! The smoothing for showers is a direct sum in double precision where scipy's is an FFT in single
//! precision, and squares are correctly rounded where numpy's power on AVX-512 processors is not:
//! single pixels on the rim of an ellipse can differ.
//!
//! ## References
//! jwst 3.0.0 `jump`, stcal 1.20 `jump`; Anderson & Gordon 2011, PASP 123, 1237.

pub mod differences;
pub mod ellipses;
pub mod flow;
pub mod neighbours;
pub mod params;
pub mod showers;
pub mod snowballs;
pub mod twopoint;

pub use flow::{JumpRules, Outcome, flag_jumps};
pub use params::JumpParams;

use crate::exec::Exec;
use crate::model::dq::JUMP_DET;
use crate::model::reference::RefFits;
use crate::model::{Meta, Ramp, Shape};
use crate::steps::step::{Info, RefPaths, Reference, Step, Target};
use crate::{Error, Result};

/// The step.
pub struct Jump;

/// Reference data of the step, cut to the exposure.
#[derive(Debug, Clone, PartialEq)]
pub struct JumpRefs {
    /// Electrons per DN, `[row][column]`.
    pub gain: Vec<f32>,
    /// Read noise of a correlated double sample, DN, `[row][column]`.
    pub read_noise: Vec<f32>,
    /// Integrations of the whole exposure.
    pub nints: usize,
}

impl Step for Jump {
    const INFO: Info = Info {
        name: "jump",
        class: "JumpStep",
        keyword: "S_JUMP",
        title: "Jump Detection",
        skip: false,
        references: &[
            Reference {
                kind: "gain",
                required: true,
            },
            Reference {
                kind: "readnoise",
                required: true,
            },
        ],
    };
    const SOURCE: &'static str = include_str!("mod.rs");
    // of groups that are saturated or not to be used anyway, and of groups that are all jumps
    // (with expand_large_events the saturated cores of snowballs lose all other flags as well)
    const CLEARS: u32 = JUMP_DET;
    const WHOLE_EXPOSURE: bool = true;
    type In = Ramp;
    type Out = Ramp;
    type Params = JumpParams;
    type Refs = JumpRefs;

    fn not_applicable(input: &Ramp, _: &JumpParams) -> Result<Option<String>> {
        let ngroups = input.shape.ngroups;
        Ok((ngroups <= 2)
            .then(|| format!("jumps cannot be found in {ngroups} groups; three are needed")))
    }

    fn load(paths: &RefPaths, target: &Target, _: &JumpParams) -> Result<JumpRefs> {
        let window = target.window()?;
        let image = |kind: &str| RefFits::open(kind, paths.need(kind)?)?.image("SCI", window);
        Ok(JumpRefs {
            gain: image("gain")?,
            read_noise: image("readnoise")?,
            nints: target.shape.nints,
        })
    }

    fn run(mut input: Ramp, refs: &JumpRefs, params: &JumpParams, exec: &Exec) -> Result<Ramp> {
        if input.shape.nints != refs.nints {
            return Err(Error::input_file(
                &input.meta.source,
                format!(
                    "jump needs all {} integrations at once and was given {}",
                    refs.nints, input.shape.nints
                ),
            ));
        }
        let group_time = input.meta.need_f64("TGROUP")?;
        let rules = params
            .rules(input.meta.need_i64("NFRAMES")?, group_time)
            .map_err(|e| e.with_path(&input.meta.source))?;
        let outcome = flag_jumps(&mut input, &refs.gain, &refs.read_noise, &rules, exec)?;
        let unusable = flow::unusable_groups(&input).iter().sum();
        if let Some(rates) = EventRates::new(&outcome, &input.shape, unusable, group_time) {
            rates.record(&mut input.meta);
        }
        Ok(input)
    }
}

/// Rates of events over an exposure, as recorded in its header.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EventRates {
    /// `PRIMECRS`: jumps per thousand pixels and second.
    pub primary: f64,
    /// `EXTNCRS`: showers or snowballs per million pixels and second.
    pub extended: f64,
}

/// What calwebb takes for the number of jumps where it looked for none.
const NOT_LOOKED_FOR: f64 = -99.0;

impl EventRates {
    /// The rates of an exposure with groups of `group_time` seconds, `unusable` of which have no
    /// usable pixel; none where no time remains.
    pub fn new(outcome: &Outcome, shape: &Shape, unusable: usize, group_time: f64) -> Option<Self> {
        let groups = shape
            .planes()
            .checked_sub(unusable + shape.nints)
            .filter(|n| *n >= 1)?;
        let exposure = (group_time * groups as f64) * shape.plane() as f64;
        let jumps = outcome.jumps.map_or(NOT_LOOKED_FOR, |jumps| jumps as f64);
        Some(Self {
            primary: 1000.0 * jumps / exposure,
            extended: 1e6 * outcome.extended as f64 / exposure,
        })
    }

    fn record(&self, meta: &mut Meta) {
        // The last cards of the exposure block, as far as there are any.
        let block = [
            "SCA_NUM", "DATAPROB", "ZEROFRAM", "NRESETS", "DURATION", "TGROUP",
        ];
        let mut after = block.into_iter().find(|k| meta.primary.card(k).is_some());
        let cards = [
            (
                "PRIMECRS",
                self.primary,
                "Cosmic Ray rate per thousand pixels per second",
            ),
            (
                "EXTNCRS",
                self.extended,
                "Snowballs/showers per million pixels per second",
            ),
        ];
        for (keyword, value, comment) in cards {
            match after {
                Some(last) if meta.primary.card(keyword).is_none() => {
                    meta.primary.set_after(last, keyword, value, comment);
                }
                _ => meta.primary.set(keyword, value, comment),
            }
            after = Some(keyword);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape {
        nints: 2,
        ngroups: 5,
        ny: 10,
        nx: 20,
    };

    #[test]
    fn rates_leave_out_one_group_an_integration_and_unusable_ones() {
        let outcome = Outcome {
            jumps: Some(30),
            extended: 2,
        };
        let rates = EventRates::new(&outcome, &SHAPE, 4, 2.5).unwrap();
        assert_eq!(
            rates,
            EventRates {
                primary: 1000.0 * 30.0 / 2000.0,
                extended: 2e6 / 2000.0
            }
        );
        assert_eq!(EventRates::new(&outcome, &SHAPE, 8, 2.5), None);
        assert_eq!(EventRates::new(&outcome, &SHAPE, 9, 2.5), None);
    }

    #[test]
    fn too_few_usable_groups_give_the_reference_number() {
        let outcome = Outcome {
            jumps: None,
            extended: 0,
        };
        assert_eq!(
            EventRates::new(&outcome, &SHAPE, 6, 1.0).unwrap().primary,
            -99_000.0 / 400.0
        );
    }

    #[test]
    fn cards_follow_the_exposure_block_and_are_replaced() {
        let mut meta = Meta::default();
        meta.primary.set("TGROUP", 2.5, "");
        meta.primary.set("SUBARRAY", "FULL", "");
        EventRates {
            primary: 1.0,
            extended: 2.0,
        }
        .record(&mut meta);
        EventRates {
            primary: 3.0,
            extended: 4.0,
        }
        .record(&mut meta);
        let keywords: Vec<&str> = meta
            .primary
            .cards()
            .iter()
            .map(|c| c.keyword.as_str())
            .collect();
        assert_eq!(keywords, ["TGROUP", "PRIMECRS", "EXTNCRS", "SUBARRAY"]);
        assert_eq!(
            (meta.f64("PRIMECRS"), meta.f64("EXTNCRS")),
            (Some(3.0), Some(4.0))
        );
    }
}
