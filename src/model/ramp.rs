//! `Ramp`: counts of every group of an exposure, before slopes are fitted.

use super::buffer::Buffer;
use super::meta::Meta;
use crate::formats::fits::Hdu;

/// Sizes of a ramp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Integrations held.
    pub nints: usize,
    /// Groups an integration.
    pub ngroups: usize,
    /// Rows.
    pub ny: usize,
    /// Columns.
    pub nx: usize,
}

impl Shape {
    /// Pixels of one plane.
    pub fn plane(&self) -> usize {
        self.ny * self.nx
    }
    /// Planes: integrations times groups.
    pub fn planes(&self) -> usize {
        self.nints * self.ngroups
    }
    /// Axis lengths in C order.
    pub fn axes(&self) -> [usize; 4] {
        [self.nints, self.ngroups, self.ny, self.nx]
    }
}

/// An exposure's ramps (calwebb's `RampModel`).
#[derive(Debug, Clone, PartialEq)]
pub struct Ramp {
    /// Headers.
    pub meta: Meta,
    /// Sizes of `data` and `groupdq`.
    pub shape: Shape,
    /// First integration held, counted from 0 within the file (above 0 when a large exposure is
    /// worked through in parts).
    pub first_int: usize,
    /// Counts in DN, `[integration][group][row][column]`.
    pub data: Buffer<f32>,
    /// Flags common to all groups, `[row][column]`.
    pub pixeldq: Vec<u32>,
    /// Flags of every group, shape of `data`.
    pub groupdq: Buffer<u8>,
    /// Average dark current in DN/s, `[row][column]`, once dark_current has set it.
    pub average_dark_current: Option<Vec<f32>>,
    /// Tables and images that are passed through (`GROUP`, `INT_TIMES`, `REFOUT`, ...).
    pub extra: Vec<Hdu>,
}

impl Ramp {
    /// Takes the first groups of each integration of `whole`: their counts and flags, the pixels' flags and the average
    /// dark current. Both have as many integrations, rows and columns, and `whole` at least as many groups.
    pub fn take_first_groups(&mut self, whole: &Self) {
        let plane = self.shape.plane();
        let (own, of) = (self.shape.ngroups * plane, whole.shape.ngroups * plane);
        let (own, of) = (own.max(1), of.max(1));
        let counts = self.data.chunks_mut(own).zip(whole.data.chunks(of));
        counts.for_each(|(to, from)| to.copy_from_slice(&from[..to.len()]));
        let flags = self.groupdq.chunks_mut(own).zip(whole.groupdq.chunks(of));
        flags.for_each(|(to, from)| to.copy_from_slice(&from[..to.len()]));
        self.pixeldq.clone_from(&whole.pixeldq);
        self.average_dark_current
            .clone_from(&whole.average_dark_current);
    }

    /// As [`Self::take_first_groups`], with counts and flags of their own.
    pub fn be_first_groups(&mut self, whole: &Self) {
        let plane = self.shape.plane();
        let (own, of) = (
            self.shape.ngroups * plane,
            (whole.shape.ngroups * plane).max(1),
        );
        let mut data = Vec::with_capacity(self.shape.nints * own);
        let counts = whole.data.chunks(of).take(self.shape.nints);
        counts.for_each(|all| data.extend_from_slice(&all[..own.min(all.len())]));
        let mut groupdq = Vec::with_capacity(self.shape.nints * own);
        let flags = whole.groupdq.chunks(of).take(self.shape.nints);
        flags.for_each(|all| groupdq.extend_from_slice(&all[..own.min(all.len())]));
        self.data = data.into();
        self.groupdq = groupdq.into();
        self.pixeldq.clone_from(&whole.pixeldq);
        self.average_dark_current
            .clone_from(&whole.average_dark_current);
    }

    /// Whether counts and flags are those of the first groups of `whole`.
    pub fn is_first_groups_of(&self, whole: &Self) -> bool {
        let (a, b) = (self.shape, whole.shape);
        if (a.nints, a.ny, a.nx) != (b.nints, b.ny, b.nx) || a.ngroups > b.ngroups {
            return false;
        }
        let (own, of) = (a.ngroups * a.plane(), b.ngroups * b.plane());
        let (own, of) = (own.max(1), of.max(1));
        let bits = |v: &f32| v.to_bits();
        let counts = self.data.chunks(own).zip(whole.data.chunks(of));
        let flags = self.groupdq.chunks(own).zip(whole.groupdq.chunks(of));
        self.pixeldq == whole.pixeldq
            && self.average_dark_current == whole.average_dark_current
            && counts
                .into_iter()
                .all(|(to, from)| to.iter().map(bits).eq(from[..to.len()].iter().map(bits)))
            && flags.into_iter().all(|(to, from)| *to == from[..to.len()])
    }

    /// The ramp cut into strips of whole rows: planes of rows `y0..y0 + ny`, to be worked on independently.
    pub fn strips(&mut self, rows: usize) -> Vec<Strip<'_>> {
        let Shape { ny, nx, .. } = self.shape;
        let rows = rows.max(1);
        let chunk = (rows * nx).max(1);
        let mut out: Vec<Strip> = self
            .pixeldq
            .chunks_mut(chunk)
            .enumerate()
            .map(|(i, pixeldq)| Strip {
                y0: i * rows,
                ny: rows.min(ny - i * rows),
                nx,
                nints: self.shape.nints,
                ngroups: self.shape.ngroups,
                first_int: self.first_int,
                data: Vec::with_capacity(self.shape.planes()),
                groupdq: Vec::with_capacity(self.shape.planes()),
                pixeldq,
            })
            .collect();
        if self.shape.plane() == 0 {
            return out;
        }
        for plane in self.data.chunks_mut(self.shape.plane()) {
            for (strip, rows) in out.iter_mut().zip(plane.chunks_mut(chunk)) {
                strip.data.push(rows);
            }
        }
        for plane in self.groupdq.chunks_mut(self.shape.plane()) {
            for (strip, rows) in out.iter_mut().zip(plane.chunks_mut(chunk)) {
                strip.groupdq.push(rows);
            }
        }
        out
    }
}

/// Some rows of every plane of a [`Ramp`].
#[derive(Debug)]
pub struct Strip<'a> {
    /// First row.
    pub y0: usize,
    /// Rows held.
    pub ny: usize,
    /// Columns.
    pub nx: usize,
    /// Integrations.
    pub nints: usize,
    /// Groups an integration.
    pub ngroups: usize,
    /// As [`Ramp::first_int`].
    pub first_int: usize,
    /// Counts: one slice of `ny * nx` for each plane, integration-major.
    pub data: Vec<&'a mut [f32]>,
    /// Flags: one slice for each plane.
    pub groupdq: Vec<&'a mut [u8]>,
    /// Pixel flags of these rows.
    pub pixeldq: &'a mut [u32],
}

impl Strip<'_> {
    /// The part of a full-frame plane (`[row][column]`) that belongs to this strip.
    pub fn rows_of<'p, T>(&self, plane: &'p [T]) -> &'p [T] {
        &plane[self.y0 * self.nx..(self.y0 + self.ny) * self.nx]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(nints: usize, ngroups: usize) -> Ramp {
        let shape = Shape {
            nints,
            ngroups,
            ny: 2,
            nx: 3,
        };
        let size = shape.planes() * shape.plane();
        Ramp {
            meta: Meta::default(),
            shape,
            first_int: 0,
            data: (0..size).map(|v| v as f32).collect(),
            pixeldq: vec![7; 6],
            groupdq: (0..size).map(|v| (v % 5) as u8).collect(),
            average_dark_current: None,
            extra: Vec::new(),
        }
    }

    #[test]
    fn the_first_groups_of_each_integration() {
        let whole = ramp(2, 4);
        let mut part = ramp(2, 3);
        assert!(!part.is_first_groups_of(&whole));
        part.take_first_groups(&whole);
        assert!(part.is_first_groups_of(&whole) && whole.is_first_groups_of(&whole));
        let mut anew = ramp(2, 3);
        (anew.data, anew.groupdq) = (Vec::new().into(), Vec::new().into());
        anew.be_first_groups(&whole);
        assert!(anew.is_first_groups_of(&whole));
        assert_eq!((&anew.data, &anew.groupdq), (&part.data, &part.groupdq));
        assert_eq!(part.data[..18], whole.data[..18]);
        assert_eq!(part.data[18..], whole.data[24..42]);
        assert_eq!(part.groupdq[18..], whole.groupdq[24..42]);
        assert!(!whole.is_first_groups_of(&part) && !ramp(1, 3).is_first_groups_of(&whole));
        for spoil in [
            |p: &mut Ramp| p.data[20] = -0.0,
            |p: &mut Ramp| p.groupdq[35] = 64,
            |p: &mut Ramp| p.pixeldq[5] = 0,
            |p: &mut Ramp| p.average_dark_current = Some(vec![0.0; 6]),
        ] {
            let mut other = part.clone();
            spoil(&mut other);
            assert!(!other.is_first_groups_of(&whole));
            other.take_first_groups(&whole);
            assert!(other.is_first_groups_of(&whole));
        }
    }
}
