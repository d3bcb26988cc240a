//! Frames of NIRSpec's IRS2 readout: science pixels are checked as if the interleaved reference pixels were not there.
//!
//! calwebb goes another way here than for other frames: averaged groups that saturated in their last frames are not looked
//! for, and a second group with a hit in its last frame is `SATURATED`, with its neighbours.

use super::{AD_FLOOR_FLAGS, Limits, SAT};
use crate::exec::Exec;
use crate::math::dilate::dilate_box;
use crate::model::Ramp;
use crate::model::irs2::{SCIENCE, ScienceRows};

/// Flags a ramp; `limits` are of science pixels. `frames` are the frames of a group, 0 where the read pattern is not used.
pub fn flag_ramp(
    ramp: &mut Ramp,
    rows: &ScienceRows,
    limits: &Limits,
    grow: usize,
    frames: usize,
    exec: &Exec,
) {
    let (plane, ngroups) = (ramp.shape.plane(), ramp.shape.ngroups);
    let saturated = |data: &[f32]| -> Vec<u8> {
        let science = rows.of_plane(data);
        let pairs = science.iter().zip(&limits.threshold);
        pairs.map(|(d, t)| u8::from(d >= t)).collect()
    };
    let grown = |mask: Vec<u8>| match grow > 0 && mask.contains(&1) {
        true => dilate_box(&mask, SCIENCE, SCIENCE, grow),
        false => mask,
    };
    let ints = ramp.data.chunks(plane * ngroups);
    for (data, flags) in ints.zip(ramp.groupdq.chunks_mut(plane * ngroups)) {
        let groups: Vec<&[f32]> = data.chunks(plane).collect();
        let mut masks = exec.map(groups.clone(), |data| grown(saturated(data)));
        let second = match (frames > 0, groups.as_slice()) {
            (true, [one, two, three, ..]) => Some(grown(hit_in_second(
                one,
                two,
                &saturated(three),
                rows,
                limits,
                frames,
            ))),
            _ => None,
        };
        // once saturated, always saturated
        for g in 1..masks.len() {
            let (before, now) = masks.split_at_mut(g);
            let pairs = now[0].iter_mut().zip(&before[g - 1]);
            pairs.for_each(|(n, b)| *n |= b);
        }
        if let (Some(second), Some(mask)) = (second, masks.get_mut(1)) {
            mask.iter_mut().zip(second).for_each(|(m, s)| *m |= s);
        }
        let planes: Vec<_> = groups
            .into_iter()
            .zip(flags.chunks_mut(plane))
            .zip(masks)
            .collect();
        exec.map(planes, |((data, flags), mask)| {
            for (y, mask) in rows.rows().iter().zip(mask.chunks_exact(SCIENCE)) {
                let at = y * SCIENCE..(y + 1) * SCIENCE;
                let pixels = flags[at.clone()].iter_mut().zip(&data[at]).zip(mask);
                for ((g, d), m) in pixels {
                    *g |= (m * SAT) | (u8::from(*d <= 0.0) * AD_FLOOR_FLAGS);
                }
            }
        });
    }
    let mut science = rows.of_plane(&ramp.pixeldq);
    science
        .iter_mut()
        .zip(&limits.dq)
        .for_each(|(p, d)| *p |= d);
    rows.into_plane(&science, &mut ramp.pixeldq);
}

/// Second groups in which a cosmic ray or the like saturated the pixel in the last frame; `third` is where the third group
/// is saturated.
fn hit_in_second(
    one: &[f32],
    two: &[f32],
    third: &[u8],
    rows: &ScienceRows,
    limits: &Limits,
    frames: usize,
) -> Vec<u8> {
    let (one, two) = (rows.of_plane(one), rows.of_plane(two));
    let rule = super::SecondGroup::new(frames);
    let bias = |p: usize| limits.bias.as_ref().map_or(0.0, |b| b[p]);
    let hit = |p: usize| rule.is_hit(one[p], two[p], limits.threshold[p], bias(p));
    (0..third.len())
        .map(|p| u8::from(third[p] != 0 && hit(p)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{AD_FLOOR_FLAGS, limits};
    use super::*;
    use crate::model::dq::NO_SAT_CHECK;
    use crate::model::irs2::FRAME;
    use crate::model::{Meta, Shape};

    fn ramp(ngroups: usize) -> Ramp {
        let n = FRAME * SCIENCE;
        let mut meta = Meta::default();
        meta.primary.set("DETECTOR", "NRS2", "");
        Ramp {
            meta,
            shape: Shape {
                nints: 1,
                ngroups,
                ny: FRAME,
                nx: SCIENCE,
            },
            first_int: 0,
            data: vec![10.0; ngroups * n].into(),
            pixeldq: vec![0; n],
            groupdq: vec![0; ngroups * n].into(),
            average_dark_current: None,
            extra: Vec::new(),
        }
    }

    /// Flags of a group in science rows.
    fn science(ramp: &Ramp, rows: &ScienceRows, group: usize) -> Vec<u8> {
        let n = ramp.shape.plane();
        rows.of_plane(&ramp.groupdq[group * n..(group + 1) * n])
    }

    #[test]
    fn neighbours_are_across_reference_rows_and_saturation_stays() {
        let mut r = ramp(3);
        let rows = ScienceRows::of(&r.meta, FRAME, SCIENCE).unwrap().unwrap();
        let n = r.shape.plane();
        // science row 7 is the last before the first block of four reference rows
        let p = rows.rows()[7] * SCIENCE + 100;
        r.data[n + p] = 1000.0;
        r.data[rows.rows()[20] * SCIENCE] = 0.0;
        r.data[rows.rows()[21] * SCIENCE] = f32::NAN;
        // reference pixels are not checked
        r.data[8 * SCIENCE] = 60000.0;
        r.data[8 * SCIENCE + 1] = -5.0;
        let mut threshold = vec![1000.0; SCIENCE * SCIENCE];
        threshold[3] = f32::NAN;
        r.data[rows.rows()[0] * SCIENCE + 3] = 65535.0;
        let limits = limits(threshold, vec![0; SCIENCE * SCIENCE], None);
        let exec = Exec::new(Some(2)).unwrap();
        flag_ramp(&mut r, &rows, &limits, 1, 1, &exec);
        let first = science(&r, &rows, 0);
        let flagged: Vec<usize> = (0..first.len()).filter(|p| first[*p] != 0).collect();
        assert_eq!(flagged, [20 * SCIENCE]);
        assert_eq!(first[20 * SCIENCE], AD_FLOOR_FLAGS);
        for group in 1..3 {
            let flags = science(&r, &rows, group);
            for (p, flag) in flags.iter().enumerate() {
                let near = (6..=8).contains(&(p / SCIENCE)) && (99..=101).contains(&(p % SCIENCE));
                assert_eq!(*flag, if near { SAT } else { 0 }, "{p} of group {group}");
            }
        }
        assert!(r.groupdq[8 * SCIENCE..12 * SCIENCE].iter().all(|g| *g == 0));
        let set: Vec<usize> = (0..n).filter(|p| r.pixeldq[*p] != 0).collect();
        assert_eq!(set, [rows.rows()[0] * SCIENCE + 3]);
        assert_eq!(r.pixeldq[set[0]], NO_SAT_CHECK);
    }

    #[test]
    fn a_hit_in_the_last_frame_of_the_second_group() {
        let mut r = ramp(3);
        let rows = ScienceRows::of(&r.meta, FRAME, SCIENCE).unwrap().unwrap();
        let n = r.shape.plane();
        let p = rows.rows()[500] * SCIENCE + 700;
        for (g, v) in [100.0, 300.0, 1200.0].into_iter().enumerate() {
            r.data[g * n + p] = v;
        }
        let limits = limits(
            vec![1000.0; SCIENCE * SCIENCE],
            vec![0; SCIENCE * SCIENCE],
            None,
        );
        let exec = Exec::new(Some(2)).unwrap();
        flag_ramp(&mut r, &rows, &limits, 1, 8, &exec);
        let second = science(&r, &rows, 1);
        assert_eq!(second.iter().filter(|g| **g == SAT).count(), 9);
        assert!(science(&r, &rows, 0).iter().all(|g| *g == 0));
    }
}
