//! # saturation: flag saturated and floored samples
//!
//! ## What
//! Flags groups at or above a pixel's saturation limit, everything after them, their neighbours,
//! and groups at the bottom of the A/D converter.
//!
//! ## Why
//! A saturated sample no longer counts photons; charge spills into its neighbours.
//!
//! ## Algorithm
//! 1. Pixels without a limit (`NO_SAT_CHECK` or NaN in the reference) are never flagged; the
//!    reference's flags go to `PIXELDQ`.
//! 2. From the first group at or above the limit on, every group is `SATURATED`. A group at or below
//!    0 DN is `AD_FLOOR` and `DO_NOT_USE`.
//! 3. In each group, pixels within `n_pix_grow_sat` of a saturated one are `SATURATED`.
//! 4. With averaged frames (NFRAMES > 1), a group that lies above the limit diluted by the average
//!    and is followed by a saturated group saturated in its last frames: `DO_NOT_USE`, grown likewise.
//! 5. The second group is `DO_NOT_USE` where the third is saturated, the first would not have led to
//!    that, and the second rose by more than its share of the remaining range.
//!
//! In frames of NIRSpec's IRS2 readout only science pixels are checked, neighbours are those in the image without the
//! interleaved reference pixels, and 4 is left out; in 5 the flag is `SATURATED`, and neighbours get it too.
//!
//! ## Parameters
//! `n_pix_grow_sat`, `use_readpatt`: see below.
//!
//! ## Reference files
//! `saturation`; `superbias` where the instrument has one.
//!
//! ## Skipped when
//! no saturation reference applies.
//!
//! ## Differs from jwst
//! A ZEROFRAME is not checked (MIRI and NIRSpec have none).
//!
//! ## References
//! jwst 3.0.0 `saturation`; stcal 1.20 `flag_saturated_pixels`.

mod irs2;

use crate::Result;
use crate::exec::Exec;
use crate::math::dilate::dilate_box;
use crate::model::dq::{AD_FLOOR, DO_NOT_USE, NO_SAT_CHECK, SATURATED};
use crate::model::irs2::ScienceRows;
use crate::model::reference::RefFits;
use crate::model::{Ramp, Strip};
use crate::steps::step::{Info, RefPaths, Reference, Step, Target};

/// Above the largest count of the 16-bit converter: a limit that is never reached.
const NO_LIMIT: f32 = 65536.0;
const SAT: u8 = SATURATED as u8;
const DNU: u8 = DO_NOT_USE as u8;
/// Flags of a group at the bottom of the converter.
const AD_FLOOR_FLAGS: u8 = (AD_FLOOR | DO_NOT_USE) as u8;

crate::params! {
    /// Parameters of saturation.
    pub struct SaturationParams {
        /// Pixels around a saturated one that are flagged too (1: its 8 neighbours).
        n_pix_grow_sat: usize = 1,
        /// Use the read pattern to find saturation within averaged groups and in the second group.
        use_readpatt: bool = true,
    }
}

/// Saturation limits of an exposure's pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Limit in DN, `[row][column]`; [`NO_LIMIT`] where there is none.
    threshold: Vec<f32>,
    /// The reference's flags.
    dq: Vec<u32>,
    /// Superbias in DN, where there is one.
    bias: Option<Vec<f32>>,
}

/// The step.
pub struct Saturation;

impl Step for Saturation {
    const INFO: Info = Info {
        name: "saturation",
        class: "SaturationStep",
        keyword: "S_SATURA",
        title: "Saturation Checking",
        skip: false,
        references: &[
            Reference {
                kind: "saturation",
                required: true,
            },
            Reference {
                kind: "superbias",
                required: false,
            },
        ],
    };
    const SOURCE: &'static str = include_str!("mod.rs");
    type In = Ramp;
    type Out = Ramp;
    type Params = SaturationParams;
    type Refs = Limits;

    fn group_by_group(target: &Target, _: &Limits, params: &Self::Params) -> bool {
        // with averaged frames a group's flags follow from the next one's
        !params.use_readpatt || target.meta.i64("NFRAMES") == Some(1)
    }

    fn load(paths: &RefPaths, target: &Target, _: &Self::Params) -> Result<Limits> {
        let window = target.window()?;
        let file = RefFits::open("saturation", paths.need("saturation")?)?;
        let bias = match paths.get("superbias") {
            Some(path) => {
                let bias = RefFits::open("superbias", path)?.image("SCI", target.frame()?)?;
                let (ny, nx) = (target.shape.ny, target.shape.nx);
                Some(match ScienceRows::of(&target.meta, ny, nx)? {
                    Some(rows) => rows.of_plane(&bias),
                    None => bias,
                })
            }
            None => None,
        };
        Ok(limits(
            file.image("SCI", window)?,
            file.dq(window, [0])?,
            bias,
        ))
    }

    fn run(mut input: Ramp, limits: &Limits, params: &Self::Params, exec: &Exec) -> Result<Ramp> {
        let frames = if params.use_readpatt {
            input.meta.need_count("NFRAMES")?
        } else {
            0
        };
        let grow = params.n_pix_grow_sat;
        let (ny, nx) = (input.shape.ny, input.shape.nx);
        if let Some(science) = ScienceRows::of(&input.meta, ny, nx)? {
            irs2::flag_ramp(&mut input, &science, limits, grow, frames, exec);
            return Ok(input);
        }
        let rows = exec.strip_rows(input.shape.ny);
        exec.map(input.strips(rows), |mut strip| {
            flag_levels(&mut strip, limits)
        });
        exec.map(planes(&mut input.groupdq, ny * nx), |plane| {
            grow_flag(plane, plane_mask(plane, SAT), SAT, ny, nx, grow)
        });
        if frames > 1 {
            let masks = exec.map(input.strips(rows), |strip| {
                partial_saturation(&strip, limits, frames)
            });
            let masks = join_strips(masks, input.shape.planes());
            let both: Vec<_> = planes(&mut input.groupdq, ny * nx)
                .into_iter()
                .zip(masks)
                .collect();
            exec.map(both, |(plane, mask)| {
                grow_flag(plane, mask, DNU, ny, nx, grow)
            });
        }
        if frames > 0 && input.shape.ngroups > 2 {
            exec.map(input.strips(rows), |mut strip| {
                flag_second_group(&mut strip, limits, frames)
            });
        }
        Ok(input)
    }
}

/// Limits with pixels that cannot be checked set out of reach.
fn limits(mut threshold: Vec<f32>, mut dq: Vec<u32>, bias: Option<Vec<f32>>) -> Limits {
    for (t, d) in threshold.iter_mut().zip(&mut dq) {
        if t.is_nan() {
            *d |= NO_SAT_CHECK;
        }
        if *d & NO_SAT_CHECK != 0 {
            *t = NO_LIMIT;
        }
    }
    Limits {
        threshold,
        dq,
        bias,
    }
}

fn planes(groupdq: &mut [u8], size: usize) -> Vec<&mut [u8]> {
    groupdq.chunks_mut(size.max(1)).collect()
}

fn plane_mask(plane: &[u8], flag: u8) -> Vec<u8> {
    plane.iter().map(|g| u8::from(g & flag != 0)).collect()
}

/// Sets a flag wherever `mask`, grown by `grow` pixels, is set.
fn grow_flag(plane: &mut [u8], mask: Vec<u8>, flag: u8, ny: usize, nx: usize, grow: usize) {
    if !mask.contains(&1) {
        return;
    }
    let grown = if grow == 0 {
        mask
    } else {
        dilate_box(&mask, ny, nx, grow)
    };
    plane
        .iter_mut()
        .zip(grown)
        .for_each(|(g, m)| *g |= m * flag);
}

/// Flags each pixel's groups from its first saturated one on, and floored groups.
fn flag_levels(strip: &mut Strip, limits: &Limits) {
    let threshold = strip.rows_of(&limits.threshold);
    let dq = strip.rows_of(&limits.dq);
    strip.pixeldq.iter_mut().zip(dq).for_each(|(p, d)| *p |= d);
    let mut saturated = vec![0u8; threshold.len()];
    for (n, (data, flags)) in strip.data.iter().zip(&mut strip.groupdq).enumerate() {
        if n % strip.ngroups == 0 {
            saturated.fill(0);
        }
        for (((d, g), s), t) in data
            .iter()
            .zip(flags.iter_mut())
            .zip(&mut saturated)
            .zip(threshold)
        {
            *s |= u8::from(d >= t) * SAT;
            *g |= *s | (u8::from(*d <= 0.0) * AD_FLOOR_FLAGS);
        }
    }
}

/// Where an averaged group saturated in its last frames: one mask a plane.
fn partial_saturation(strip: &Strip, limits: &Limits, frames: usize) -> Vec<Vec<u8>> {
    let threshold = strip.rows_of(&limits.threshold);
    let unchecked = strip.rows_of(&limits.dq);
    let mut out = vec![Vec::new(); strip.groupdq.len()];
    for (n, mask) in out.iter_mut().enumerate() {
        let group = n % strip.ngroups;
        if group + 1 == strip.ngroups {
            *mask = vec![0; threshold.len()];
            continue;
        }
        // mean over last of the frame numbers in this group
        let (first, last) = (group * frames + 1, (group + 1) * frames);
        let dilution = (first + last) as f64 / 2.0 / last as f64;
        let (data, this, next) = (&strip.data[n], &strip.groupdq[n], &strip.groupdq[n + 1]);
        mask.extend((0..threshold.len()).map(|p| {
            let factor = if unchecked[p] & NO_SAT_CHECK != 0 {
                1.0
            } else {
                dilution
            };
            let high = f64::from(data[p]) >= f64::from(threshold[p]) * factor;
            u8::from(high && this[p] & (SAT | DNU) == 0 && next[p] & SAT != 0)
        }));
    }
    out
}

/// Joins the strips' masks of every plane.
fn join_strips(strips: Vec<Vec<Vec<u8>>>, planes: usize) -> Vec<Vec<u8>> {
    (0..planes)
        .map(|n| strips.iter().flat_map(|s| s[n].iter().copied()).collect())
        .collect()
}

/// Which rise of the second group, of those that are followed by a saturated third, is a hit in its last frame.
#[derive(Debug, Clone, Copy)]
struct SecondGroup {
    frames: f32,
    /// Mean of the frame numbers of the first group.
    first_mean: f64,
    /// Number of the third group's last frame.
    third_last: f64,
}

impl SecondGroup {
    fn new(frames: usize) -> Self {
        Self {
            frames: frames as f32,
            first_mean: (1 + frames) as f64 / 2.0,
            third_last: (3 * frames) as f64,
        }
    }

    /// Whether the first group would not have led to saturation in the third, and the second rose by more than its share
    /// of the range that was left.
    fn is_hit(self, one: f32, two: f32, threshold: f32, bias: f32) -> bool {
        let predicted = f64::from(one - bias) / self.first_mean * self.third_last + f64::from(bias);
        let share = (threshold - one) / self.frames;
        predicted < f64::from(threshold) && two - one > share
    }
}

/// Flags second groups in which a cosmic ray or the like saturated the pixel in the last frame.
fn flag_second_group(strip: &mut Strip, limits: &Limits, frames: usize) {
    let threshold = strip.rows_of(&limits.threshold);
    let bias = limits.bias.as_ref().map(|b| strip.rows_of(b));
    let rule = SecondGroup::new(frames);
    for i in 0..strip.nints {
        let at = i * strip.ngroups;
        let (one, two) = (&strip.data[at], &strip.data[at + 1]);
        let (head, tail) = strip.groupdq.split_at_mut(at + 2);
        let (dq2, dq3) = (&mut head[at + 1], &tail[0]);
        for p in 0..threshold.len() {
            if dq3[p] & SAT == 0 || dq2[p] & SAT != 0 {
                continue;
            }
            let b = bias.map_or(0.0, |b| b[p]);
            if rule.is_hit(one[p], two[p], threshold[p], b) {
                dq2[p] |= DNU;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Meta, Shape};

    /// A ramp of 1 integration on 3 x 5 pixels whose centre follows `centre`.
    fn ramp(centre: &[f32], frames: i64) -> Ramp {
        let shape = Shape {
            nints: 1,
            ngroups: centre.len(),
            ny: 3,
            nx: 5,
        };
        let mut meta = Meta::default();
        meta.primary.set("NFRAMES", frames, "");
        let data: Vec<f32> = centre
            .iter()
            .flat_map(|c| (0..15).map(move |p| if p == 7 { *c } else { 10.0 }))
            .collect();
        Ramp {
            meta,
            shape,
            first_int: 0,
            data: data.into(),
            pixeldq: vec![0; 15],
            groupdq: vec![0; 15 * centre.len()].into(),
            average_dark_current: None,
            extra: Vec::new(),
        }
    }

    fn run(ramp: Ramp, limits: &Limits, grow: usize) -> Ramp {
        let params = SaturationParams {
            n_pix_grow_sat: grow,
            use_readpatt: true,
        };
        Saturation::run(ramp, limits, &params, &Exec::new(Some(2)).unwrap()).unwrap()
    }

    fn plain() -> Limits {
        limits(vec![1000.0; 15], vec![0; 15], None)
    }

    #[test]
    fn from_the_first_saturated_group_on_with_its_neighbours() {
        let r = run(ramp(&[10.0, 1000.0, 20.0], 1), &plain(), 1);
        assert!(r.groupdq[..15].iter().all(|g| *g == 0));
        for g in 1..3 {
            let plane = &r.groupdq[15 * g..15 * g + 15];
            let expect: Vec<u8> = (0..15)
                .map(|p| if (1..4).contains(&(p % 5)) { SAT } else { 0 })
                .collect();
            assert_eq!(plane, expect);
        }
        let r = run(ramp(&[10.0, 1000.0, 20.0], 1), &plain(), 0);
        assert_eq!(r.groupdq[15..30].iter().filter(|g| **g == SAT).count(), 1);
    }

    #[test]
    fn floor_and_nan() {
        let r = run(ramp(&[0.0, f32::NAN, -3.0], 1), &plain(), 1);
        assert_eq!(
            [r.groupdq[7], r.groupdq[22], r.groupdq[37]],
            [AD_FLOOR_FLAGS, 0, AD_FLOOR_FLAGS]
        );
        assert_eq!(r.groupdq.iter().filter(|g| **g != 0).count(), 2);
    }

    #[test]
    fn pixels_without_a_limit_are_not_checked() {
        let mut t = vec![1000.0; 15];
        t[7] = f32::NAN;
        let r = run(
            ramp(&[60000.0, 65535.0], 1),
            &limits(t, vec![0; 15], None),
            1,
        );
        assert!(r.groupdq.iter().all(|g| *g == 0));
        assert_eq!(r.pixeldq[7], NO_SAT_CHECK);
        let mut dq = vec![0; 15];
        dq[7] = NO_SAT_CHECK;
        let r = run(
            ramp(&[60000.0, 65535.0], 1),
            &limits(vec![1000.0; 15], dq, None),
            1,
        );
        assert!(r.groupdq.iter().all(|g| *g == 0));
    }

    #[test]
    fn an_averaged_group_before_saturation() {
        // 4 frames: the first group dilutes by 2.5 / 4
        let r = run(ramp(&[700.0, 1200.0, 1300.0], 4), &plain(), 1);
        assert_eq!(r.groupdq[7], DNU);
        assert_eq!(r.groupdq[0..15].iter().filter(|g| **g == DNU).count(), 9);
        let r = run(ramp(&[600.0, 1200.0, 1300.0], 4), &plain(), 1);
        assert_eq!(r.groupdq[7], 0);
    }

    #[test]
    fn a_hit_in_the_last_frame_of_the_second_group() {
        // 8 frames: 100 DN in the first group leads to 533 in the third, but 300 more came in the second
        let r = run(ramp(&[100.0, 300.0, 1200.0], 8), &plain(), 0);
        assert_eq!(r.groupdq[15 + 7], DNU);
        let r = run(ramp(&[100.0, 200.0, 1200.0], 8), &plain(), 0);
        assert_eq!(r.groupdq[15 + 7], 0);
    }
}
