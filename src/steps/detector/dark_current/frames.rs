//! The dark's planes as an exposure needs them: extended, averaged and dropped to its pattern of frames.

use std::ops::Range;

use crate::Result;
use crate::model::Meta;
use crate::model::reference::{RefFits, Window};
use crate::steps::detector::reference_planes::Plane;
use crate::steps::step::Target;

/// How groups are made of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pattern {
    /// Groups an integration.
    pub ngroups: usize,
    /// Frames averaged in a group.
    pub nframes: usize,
    /// Frames dropped between groups.
    pub gap: usize,
}

impl Pattern {
    /// Frames from the first to the last of an integration.
    fn frames(self) -> usize {
        self.ngroups * self.nframes + self.ngroups.saturating_sub(1) * self.gap
    }

    /// Planes of the dark, counted as single frames, that a group of this pattern covers.
    fn of_group(self, group: usize) -> Range<usize> {
        let start = group * (self.nframes + self.gap);
        start..start + self.nframes
    }
}

/// Groups by which a dark must be extended for an exposure.
fn groups_to_add(exposure: Pattern, dark: Pattern) -> usize {
    match exposure.frames().saturating_sub(dark.frames()) {
        0 => 0,
        missing => (missing + dark.gap).div_ceil(dark.nframes + dark.gap),
    }
}

/// An open dark and what is wanted of it.
#[derive(Debug)]
pub struct Frames {
    file: RefFits,
    window: Window,
    /// Integrations in the file; none where it has no such axis.
    nints: Option<usize>,
    dark: Pattern,
    exposure: Pattern,
    /// Integrations of the exposure (of the whole file).
    exposure_nints: usize,
    /// Groups added by extrapolation.
    added: usize,
}

impl Frames {
    /// Takes the sizes of the dark and of the exposure.
    ///
    /// # Errors
    /// Where keywords are missing or the dark does not fit the exposure.
    pub fn open(file: RefFits, target: &Target, window: Window) -> Result<Self> {
        let shape = file.shape("SCI")?;
        let (nints, groups, ny, nx) = match *shape.as_slice() {
            [ints, groups, ny, nx] => (Some(ints), groups, ny, nx),
            [groups, ny, nx] => (None, groups, ny, nx),
            _ => return Err(file.error(format!("SCI has {} axes; 3 or 4 are needed", shape.len()))),
        };
        if (ny, nx) != (window.ny, window.nx) {
            return Err(file.error(format!(
                "is of {ny} x {nx} pixels and the exposure of {} x {}; the dark depends on the subarray",
                window.ny, window.nx
            )));
        }
        if groups == 0 || nints == Some(0) {
            return Err(file.error("SCI is empty"));
        }
        let gap = |meta: &Meta| Ok(usize::try_from(meta.need_i64("GROUPGAP")?).unwrap_or(0));
        let own = |keyword: &str| {
            let value = file
                .header()
                .i64(keyword)
                .and_then(|v| usize::try_from(v).ok());
            value.ok_or_else(|| file.error(format!("has no usable keyword {keyword}")))
        };
        let dark = Pattern {
            ngroups: groups,
            nframes: own("NFRAMES")?.max(1),
            gap: own("GROUPGAP")?,
        };
        let nframes = target.meta.need_count("NFRAMES")?;
        let exposure = Pattern {
            ngroups: target.shape.ngroups,
            nframes,
            gap: gap(&target.meta)?,
        };
        let added = groups_to_add(exposure, dark);
        if added > 0 {
            if groups < 2 {
                return Err(
                    file.error("has one group; it cannot be extended to the exposure's length")
                );
            }
            tracing::warn!(
                "{}: extended by {added} groups to the exposure's length",
                file.path().display()
            );
        }
        Ok(Self {
            file,
            window,
            nints,
            dark,
            exposure,
            exposure_nints: target.shape.nints,
            added,
        })
    }

    /// Whether a group's plane does not depend on how many groups the exposure has: an average of a dark that had to be
    /// extended is taken in another precision.
    pub fn each_by_itself(&self) -> bool {
        self.matches() || self.added == 0
    }

    /// Why the dark cannot be brought to the exposure's pattern, if so.
    pub fn too_coarse(&self) -> Option<String> {
        let (d, e) = (self.dark, self.exposure);
        (d.nframes > e.nframes || d.gap > e.gap).then(|| {
            format!(
                "the dark's NFRAMES {} or GROUPGAP {} is larger than the exposure's ({}, {})",
                d.nframes, d.gap, e.nframes, e.gap
            )
        })
    }

    /// Whether the dark's groups are taken as they are.
    pub fn matches(&self) -> bool {
        (self.dark.nframes, self.dark.gap) == (self.exposure.nframes, self.exposure.gap)
    }

    /// The reference file.
    pub fn file(&self) -> &RefFits {
        &self.file
    }

    /// Integrations and the pattern of the dark as it is subtracted.
    pub fn result(&self) -> (Option<usize>, Pattern) {
        let as_is = Pattern {
            ngroups: self.dark.ngroups + self.added,
            ..self.dark
        };
        (
            self.nints,
            if self.matches() { as_is } else { self.exposure },
        )
    }

    /// Whether the last integration is there: jwst averages no more integrations than the exposure has.
    pub fn has_last(&self) -> bool {
        self.matches() || self.nints.is_none_or(|n| n <= self.exposure_nints)
    }

    /// Integration and group to subtract from an integration (counted in the file) and group.
    pub fn place(&self, int: usize, group: usize, starts: bool) -> Option<(usize, usize)> {
        let Some(nints) = self.nints else {
            return Some((0, group));
        };
        let own = if int < nints && starts {
            int
        } else {
            nints - 1
        };
        self.is_made(own).then_some((own, group))
    }

    fn is_made(&self, int: usize) -> bool {
        self.matches() || self.nints.is_none() || int < self.exposure_nints
    }

    /// Flags of all integrations together.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn dq(&self) -> Result<Vec<u32>> {
        let Some(nints) = self.nints else {
            return self.file.dq(self.window, [0]);
        };
        if !self.file.has("DQ") {
            return Ok(vec![0; self.window.ny * self.window.nx]);
        }
        let planes = match self.file.shape("DQ")?.as_slice() {
            [_, groups, _, _] => *groups,
            _ => 1,
        };
        let mut out = self.file.dq(self.window, [0])?;
        for int in 1..nints {
            let flags = self.file.dq(self.window, [int * planes])?;
            out.iter_mut().zip(flags).for_each(|(o, f)| *o |= f);
        }
        Ok(out)
    }

    /// Flags of one plane of `DQ`.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn flags(&self, plane: usize) -> Result<Vec<u32>> {
        self.file.dq(self.window, [plane])
    }

    /// The plane to subtract from a group (NaN counts as 0 in it).
    ///
    /// # Errors
    /// Where the dark cannot be read or has no such group.
    pub fn group(&self, int: usize, group: usize) -> Result<Plane> {
        if self.matches() {
            return self.frame(int, group);
        }
        let frames = self.exposure.of_group(group);
        let end = self.dark.ngroups + self.added;
        if self.exposure.nframes == 1 {
            if frames.start >= end {
                return Err(self.file.error(format!(
                    "has {end} groups; number {} was needed",
                    frames.start + 1
                )));
            }
            return Ok(match self.frame(int, frames.start)? {
                Plane::F64(p) => Plane::F32(p.into_iter().map(|v| v as f32).collect()),
                other => other,
            });
        }
        let frames = frames.start.min(end)..frames.end.min(end);
        if frames.is_empty() {
            return Ok(Plane::Missing);
        }
        let count = frames.len();
        if self.added == 0 {
            let mut sum = vec![0f32; self.window.ny * self.window.nx];
            for (i, frame) in frames.enumerate() {
                let plane: Vec<f32> = self.read(int, frame)?;
                add(&mut sum, &plane, i == 0);
            }
            sum.iter_mut()
                .for_each(|s| *s = (f64::from(*s) / count as f64) as f32);
            return Ok(Plane::F32(sum));
        }
        let mut sum = vec![0f64; self.window.ny * self.window.nx];
        for frame in frames {
            match self.frame(int, frame)? {
                Plane::F32(p) => sum
                    .iter_mut()
                    .zip(p)
                    .for_each(|(s, v)| *s += f64::from(if v.is_nan() { 0.0 } else { v })),
                Plane::F64(p) => sum
                    .iter_mut()
                    .zip(p)
                    .for_each(|(s, v)| *s += if v.is_nan() { 0.0 } else { v }),
                Plane::Missing => {}
            }
        }
        Ok(Plane::F32(
            sum.into_iter().map(|s| (s / count as f64) as f32).collect(),
        ))
    }

    fn read(&self, int: usize, group: usize) -> Result<Vec<f32>> {
        self.file
            .planes("SCI", self.window, [int * self.dark.ngroups + group])
    }

    /// A plane of the extended dark.
    fn frame(&self, int: usize, frame: usize) -> Result<Plane> {
        let n = self.dark.ngroups;
        if frame < n {
            return Ok(Plane::F32(self.read(int, frame)?));
        }
        Ok(Plane::F64(extend(
            &self.read(int, n - 2)?,
            &self.read(int, n - 1)?,
            frame + 1 - n,
        )))
    }
}

/// Adds a plane in single precision; NaN counts as 0.
fn add(sum: &mut [f32], plane: &[f32], first: bool) {
    for (s, v) in sum.iter_mut().zip(plane) {
        let v = if v.is_nan() { 0.0 } else { *v };
        *s = if first { v } else { *s + v };
    }
}

/// The straight line through the last two groups, `steps` groups beyond the last.
fn extend(before: &[f32], last: &[f32], steps: usize) -> Vec<f64> {
    before
        .iter()
        .zip(last)
        .map(|(b, l)| steps as f64 * f64::from(l - b) + f64::from(*l))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(ngroups: usize, nframes: usize, gap: usize) -> Pattern {
        Pattern {
            ngroups,
            nframes,
            gap,
        }
    }

    #[test]
    fn patterns_cover_frames() {
        assert_eq!(pattern(5, 4, 2).frames(), 28);
        assert_eq!(pattern(0, 4, 2).frames(), 0);
        assert_eq!(pattern(5, 4, 2).of_group(2), 12..16);
    }

    #[test]
    fn short_darks_are_extended_by_whole_groups() {
        assert_eq!(groups_to_add(pattern(12, 1, 0), pattern(12, 1, 0)), 0);
        assert_eq!(groups_to_add(pattern(15, 1, 0), pattern(12, 1, 0)), 3);
        assert_eq!(groups_to_add(pattern(3, 4, 2), pattern(12, 1, 0)), 4);
        // 16 frames wanted, 2 * 4 + 1 = 9 there: 7 more take 8 / 5 groups, rounded up
        assert_eq!(groups_to_add(pattern(4, 4, 0), pattern(2, 4, 1)), 2);
    }

    #[test]
    fn extension_goes_on_in_a_straight_line() {
        let line = extend(&[1.0, 0.1, f32::NAN], &[1.5, 0.3, 1.0], 3);
        assert_eq!(line[0], 3.0);
        assert_eq!(
            line[1],
            3.0 * f64::from(0.3f32 - 0.1f32) + f64::from(0.3f32)
        );
        assert!(line[2].is_nan());
    }

    #[test]
    fn sums_start_with_the_first_plane_and_leave_nan_out() {
        let mut sum = vec![9.0, 9.0, 9.0];
        add(&mut sum, &[1.0, f32::NAN, 2.0], true);
        add(&mut sum, &[0.5, 3.0, f32::NAN], false);
        assert_eq!(sum, [1.5, 3.0, 2.0]);
    }
}
