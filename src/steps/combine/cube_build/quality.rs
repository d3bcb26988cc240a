//! Planes at the ends of bands that only a few pixels reach are taken out of the cube.

use super::geometry::Voxels;
use crate::model::dq;

/// Percentile of the planes' numbers of good voxels, as a fraction.
const PERCENTILE: f64 = 0.03;
/// Planes with fewer good voxels than this part of it are taken out.
const LEAST: f64 = 0.75;

/// numpy's percentile of values in ascending order, interpolated linearly.
fn percentile(sorted: &[f64], fraction: f64) -> f64 {
    let at = (sorted.len() - 1) as f64 * fraction;
    let below = at.floor();
    let t = at - below;
    let (a, b) = (
        sorted[below as usize],
        sorted[(below as usize + 1).min(sorted.len() - 1)],
    );
    if t >= 0.5 {
        b - (b - a) * (1.0 - t)
    } else {
        a + (b - a) * t
    }
}

/// Blanks planes of `nxy` voxels that are good for far fewer spaxels than nearly all others; how many these are.
pub fn blank_sparse_planes(voxels: &mut Voxels, nxy: usize) -> usize {
    let counts: Vec<f64> = voxels
        .dq
        .chunks(nxy)
        .map(|plane| plane.iter().filter(|q| **q == 0).count() as f64)
        .collect();
    let mut some: Vec<f64> = counts.iter().copied().filter(|n| *n > 0.0).collect();
    if some.is_empty() {
        return 0;
    }
    some.sort_by(f64::total_cmp);
    let limit = LEAST * percentile(&some, PERCENTILE);
    let mut blanked = 0;
    for (z, n) in counts.iter().enumerate() {
        if *n > 0.0 && *n < limit {
            let plane = z * nxy..(z + 1) * nxy;
            voxels.sci[plane.clone()].fill(f32::NAN);
            voxels.err[plane.clone()].fill(f32::NAN);
            voxels.wmap[plane.clone()].fill(0.0);
            voxels.dq[plane].fill(dq::DO_NOT_USE | dq::NON_SCIENCE);
            blanked += 1;
        }
    }
    blanked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_as_numpys() {
        let v: Vec<f64> = (0..11).map(f64::from).collect();
        assert_eq!(percentile(&v, 0.03), 0.3);
        assert_eq!(percentile(&[7.0], 0.03), 7.0);
    }

    #[test]
    fn sparse_planes_go() {
        let (nz, nxy) = (200, 8);
        let mut dq = vec![0; nz * nxy];
        dq[..3].fill(513);
        dq[8 * 199..].fill(513);
        dq[8 * 199 - 3..8 * 199].fill(1);
        let n = nz * nxy;
        let mut v = Voxels {
            sci: vec![1.0; n],
            err: vec![1.0; n],
            wmap: vec![2.0; n],
            dq,
        };
        // 5 of 8 are sparse, empty planes stay as they are
        assert_eq!(blank_sparse_planes(&mut v, nxy), 2);
        assert!(v.sci[7].is_nan() && v.err[7].is_nan() && v.wmap[7] == 0.0 && v.dq[7] == 513);
        assert!(v.sci[8] == 1.0 && v.dq[8] == 0);
        let mut none = Voxels {
            dq: vec![513; nxy],
            ..Voxels::default()
        };
        assert_eq!(blank_sparse_planes(&mut none, nxy), 0);
    }
}
