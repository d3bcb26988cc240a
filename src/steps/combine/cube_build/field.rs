//! Holes: voxels in the field of view of NIRSpec's slices that no pixel reaches.
//!
//! As calwebb's C code does it: on each plane every slice is taken for a line from the least to the greatest coordinates of
//! its pixels nearby in wavelength, and the spaxels a line goes through count as seen. Lines steeper than the diagonal are drawn along
//! it, and lines that fall as if they rose; that is calwebb's doing and only marks which empty voxels are `DO_NOT_USE`
//! alone, without `NON_SCIENCE`.

use super::grid::Grid;
use crate::model::dq;

/// Number of slices.
pub const SLICES: usize = 30;
/// Flags of voxels out of the field.
const OUTSIDE: u32 = dq::DO_NOT_USE | dq::NON_SCIENCE;

/// Least and greatest coordinates in arcsec of the pixels of a slice on a plane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    low: [f64; 2],
    high: [f64; 2],
}

impl Extent {
    /// That of no pixels.
    pub const NONE: Self = Self {
        low: [10_000.0; 2],
        high: [-10_000.0; 2],
    };

    /// With one more pixel.
    pub fn add(&mut self, at: [f64; 2]) {
        for (axis, v) in at.into_iter().enumerate() {
            if v < self.low[axis] {
                self.low[axis] = v;
            }
            if v > self.high[axis] {
                self.high[axis] = v;
            }
        }
    }

    /// Whether it is that of more than one place on either axis.
    fn is_line(&self) -> bool {
        let seen = |axis: usize| {
            self.low[axis] != Self::NONE.low[axis] && self.high[axis] != Self::NONE.high[axis]
        };
        (0..2).all(|axis| seen(axis) && self.low[axis] != self.high[axis])
    }
}

/// Marks the spaxels that the slices' lines go through.
pub fn mark(extents: &[Extent; SLICES], grid: &Grid, seen: &mut [bool]) {
    // single precision, as in calwebb
    let single = |v: f64| f64::from(v as f32);
    let (x, y) = (grid.x.first(), grid.y.first());
    let (Some(x), Some(y)) = (x.copied().map(single), y.copied().map(single)) else {
        return;
    };
    let spaxel = |[xi, eta]: [f64; 2]| {
        let at = |v: f64, first: f64| ((single(v) - first) / grid.cdelt) as i64;
        (at(xi, x), at(eta, y))
    };
    for extent in extents.iter().filter(|e| e.is_line()) {
        line(spaxel(extent.low), spaxel(extent.high), |at| {
            let at = at.1 * grid.x.len() as i64 + at.0;
            if let Some(seen) = usize::try_from(at).ok().and_then(|at| seen.get_mut(at)) {
                *seen = true;
            }
        });
    }
}

/// Calls `put` for the spaxels of a line.
fn line(from: (i64, i64), to: (i64, i64), mut put: impl FnMut((i64, i64))) {
    let steep = (to.1 - from.1).abs() > (to.0 - from.0).abs();
    let ((mut x, mut y), (last, end)) = match steep {
        true => ((from.1, from.1), (to.1, to.1)),
        false => (from, to),
    };
    if x > last {
        (x, y) = (last, end);
    }
    let (dx, dy) = (last - x, end - y);
    let step = if dy > 0 { 1 } else { -1 };
    let mut error = dx / 2;
    for x in x..=last {
        put(if steep { (y, x) } else { (x, y) });
        error -= dy.abs();
        if error < 0 {
            y += step;
            error += dx;
        }
    }
}

/// Sets the flags of a plane whose voxels without weight are flagged as out of the field: those in it are holes, unless
/// they lie at the cube's edge or beside what is out of the field.
pub fn find_holes(flags: &mut [u32], seen: &[bool], nx: usize) {
    let ny = flags.len() / nx.max(1);
    let mut holes = Vec::new();
    for (at, (flags, seen)) in flags.iter_mut().zip(seen).enumerate() {
        if *seen && *flags == OUTSIDE {
            *flags = dq::DO_NOT_USE;
            holes.push(at);
        }
    }
    for at in holes {
        let (x, y) = (at % nx, at / nx);
        let edge = x == 0 || y == 0 || x + 1 == nx || y + 1 == ny;
        // calwebb does not look at the first row and column
        let outside = |there: bool, at: usize| there && flags[at] & dq::NON_SCIENCE != 0;
        if edge
            || outside(x > 1, at - 1)
            || outside(true, at + 1)
            || outside(y > 1, at - nx)
            || outside(true, at + nx)
        {
            flags[at] = OUTSIDE;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::combine::cube_build::Tangent;

    fn grid(nx: usize, ny: usize) -> Grid {
        Grid {
            tangent: Tangent::new([0.0, 0.0], None),
            cdelt: 1.0,
            crpix: [1.0, 1.0],
            x: (0..nx).map(|v| v as f64).collect(),
            y: (0..ny).map(|v| v as f64).collect(),
            z: vec![1.0],
            dz: vec![1.0],
            crval3: 1.0,
            cdelt3: Some(1.0),
        }
    }

    fn marked(points: &[[f64; 2]], nx: usize, ny: usize) -> Vec<usize> {
        let mut extents = [Extent::NONE; SLICES];
        points.iter().for_each(|p| extents[3].add(*p));
        let mut seen = vec![false; nx * ny];
        mark(&extents, &grid(nx, ny), &mut seen);
        (0..seen.len()).filter(|k| seen[*k]).collect()
    }

    #[test]
    fn lines_as_calwebb_draws_them() {
        // flat: two steps along x for one of y
        assert_eq!(marked(&[[1.2, 1.0], [5.7, 3.0]], 8, 5), [9, 10, 19, 20, 29]);
        // one that falls is drawn as if it rose
        assert_eq!(marked(&[[1.2, 3.0], [5.7, 1.0]], 8, 5), [9, 10, 19, 20, 29]);
        // a steep one runs along the diagonal, wherever its x is
        assert_eq!(marked(&[[1.0, 2.0], [2.0, 4.0]], 8, 5), [18, 27, 36]);
        // no line: one place, nothing, or beyond the cube
        assert!(marked(&[[1.0, 2.0]], 8, 5).is_empty());
        assert!(marked(&[[1.0, 2.0], [2.0, 2.0]], 8, 5).is_empty());
        assert!(marked(&[[f64::NAN, 2.0]], 8, 5).is_empty());
        assert!(marked(&[[30.0, 40.0], [32.0, 41.0]], 8, 5).is_empty());
    }

    #[test]
    fn holes_are_inside() {
        let (nx, ny) = (6, 6);
        let mut flags = vec![0; nx * ny];
        let mut seen = vec![false; nx * ny];
        for at in [0, 14, 21, 28, 26] {
            flags[at] = OUTSIDE;
            seen[at] = true;
        }
        // this one is out of the field, and the hole beside it with it
        flags[15] = OUTSIDE;
        find_holes(&mut flags, &seen, nx);
        assert_eq!(flags[0], OUTSIDE);
        assert_eq!(
            (flags[14], flags[15], flags[21]),
            (OUTSIDE, OUTSIDE, OUTSIDE)
        );
        assert_eq!((flags[26], flags[28]), (dq::DO_NOT_USE, dq::DO_NOT_USE));
        assert_eq!(flags.iter().filter(|f| **f == 0).count(), nx * ny - 6);
    }
}
