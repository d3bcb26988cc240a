//! # despike: take single bad voxels out of a cube
//!
//! ## What
//! Sets voxels that stand out from their surroundings in the image of their wavelength to NaN and flags them `DO_NOT_USE`.
//!
//! ## Why
//! Bad pixels and cosmic rays that the earlier steps left make spikes in cubes of bright, extended targets.
//!
//! ## Algorithm
//! 1. SCI becomes NaN where DQ is not 0.
//! 2. In each wavelength's image the median of the `size` x `size` spaxels about each (itself included; NaN and what lies
//!    outside do not count) is taken off it.
//! 3. Spaxels whose difference exceeds `nsigma` standard deviations (of all differences of that image) become NaN.
//! 4. 2 and 3 are repeated, up to `iterations` rounds in all, until a round finds nothing.
//! 5. Every NaN of SCI gets `DO_NOT_USE`. ERR stays.
//!
//! A spaxel that loses over a fifth of its wavelengths is no accident but a source, smaller than half the window: a
//! warning names it, so that `size` is chosen with the target in mind.
//!
//! ## Parameters
//! `size` (odd), `nsigma`, `iterations`, `compatible`.
//!
//! ## Reference files
//! None.
//!
//! ## Skipped when
//! never.
//!
//! ## Differs from jwst
//! jwst has no such step. The reference pipeline uses 3 x 3 spaxels from the second round on, whatever was
//! asked for (`compatible` does too), and adds 1 to DQ where SCI is NaN instead of setting the bit.
//!
//! ## References
//! King et al. (2023), doi:10.3847/2515-5172/ad045f (`despike_data`).

use super::{note, voxels};
use crate::exec::Exec;
use crate::math::median_filter::nan_median_rows;
use crate::math::moments::nan_std;
use crate::model::Cube;
use crate::steps::step::{Info, RefPaths, Step, Target};
use crate::{Error, Result};

crate::params! {
    /// Parameters of despike.
    pub struct DespikeParams {
        /// Side of the median's window in spaxels (odd).
        size: i64 = 9,
        /// Standard deviations of the differences from the median beyond which a voxel is bad.
        nsigma: f64 = 7.0,
        /// Rounds at most.
        iterations: i64 = 3,
        /// Use 3 x 3 spaxels from the second round on, as the reference pipeline does.
        compatible: bool = false,
    }
}

/// Share of a spaxel's wavelengths that are no accident any more, and of how many wavelengths at least.
const SOURCE: (f64, usize) = (0.2, 20);

/// Sets outliers of an image (`[row][column]`, `nx` columns) to NaN; one window side a round.
pub fn clean(image: &mut [f32], nx: usize, windows: &[usize], nsigma: f32) {
    for size in windows {
        let ny = image.len().checked_div(nx).unwrap_or(0);
        let median = nan_median_rows(image, nx, 0..ny, *size, *size, f32::NAN);
        let mut difference: Vec<f32> = image.iter().zip(median).map(|(v, m)| v - m).collect();
        let limit = nan_std(&difference) * nsigma;
        for d in &mut difference {
            *d = d.abs();
        }
        let mut found = false;
        for (v, d) in image.iter_mut().zip(difference) {
            if d > limit {
                *v = f32::NAN;
                found = true;
            }
        }
        if !found {
            return;
        }
    }
}

/// Spaxel (row, column) that lost the most wavelengths and how many of how many, where that is no accident.
fn source(lost: &[usize], had: &[usize], nx: usize) -> Option<(usize, usize, usize, usize)> {
    let (share, least) = SOURCE;
    let odd = |p: &usize| had[*p] >= least && lost[*p] as f64 > share * had[*p] as f64;
    let p = (0..lost.len()).filter(odd).max_by_key(|p| lost[*p])?;
    Some((p / nx, p % nx, lost[p], had[p]))
}

/// The step.
pub struct Despike;

impl Step for Despike {
    const INFO: Info = Info {
        name: "despike",
        class: "DespikeStep",
        keyword: "",
        title: "Despike",
        skip: false,
        references: &[],
    };
    const SOURCE: &'static str = include_str!("despike.rs");
    type In = Cube;
    type Out = Cube;
    type Params = DespikeParams;
    type Refs = ();

    fn load(_: &RefPaths, _: &Target, _: &DespikeParams) -> Result<()> {
        Ok(())
    }

    fn run(mut cube: Cube, (): &(), params: &DespikeParams, exec: &Exec) -> Result<Cube> {
        let size = usize::try_from(params.size)
            .ok()
            .filter(|n| n % 2 == 1 && *n < 1000);
        let Some(size) = size else {
            return Err(Error::parameter(format!(
                "despike: size = {} must be an odd number from 1 to 999",
                params.size
            )));
        };
        if params.nsigma.is_nan() || params.nsigma <= 0.0 {
            return Err(Error::parameter(format!(
                "despike: nsigma = {} must be above 0",
                params.nsigma
            )));
        }
        let rounds = usize::try_from(params.iterations).unwrap_or(0).min(1000);
        let windows: Vec<usize> = (0..rounds)
            .map(|round| {
                if round > 0 && params.compatible {
                    3
                } else {
                    size
                }
            })
            .collect();
        let (nx, plane) = (cube.nx, cube.plane().max(1));
        voxels::blank_flagged(&mut cube.sci, &cube.dq);
        let mut had = vec![0; plane];
        for image in cube.sci.chunks(plane) {
            count_finite(image, &mut had);
        }
        let images: Vec<&mut [f32]> = cube.sci.chunks_mut(plane).collect();
        exec.try_map(images, |image| {
            clean(image, nx, &windows, params.nsigma as f32);
            Ok(())
        })?;
        let mut left = vec![0; plane];
        for image in cube.sci.chunks(plane) {
            count_finite(image, &mut left);
        }
        let lost: Vec<usize> = had.iter().zip(left).map(|(h, l)| h - l).collect();
        if let Some((y, x, n, of)) = source(&lost, &had, nx) {
            tracing::warn!(
                "despike: took {n} of {of} wavelengths from spaxel ({x}, {y}), which looks like a small source and no bad voxel; \
                 a larger size or nsigma would keep it"
            );
        }
        voxels::flag_nan(&cube.sci, &mut cube.dq);
        let h = &mut cube.meta.primary;
        note::add(h, "Despiked", Some("CLEAN"));
        note::put(h, "CLEAN", true, "Set bad pixels to NaN");
        note::put(h, "CLEAN METHOD", "exp_despike", "");
        note::put(h, "CLEAN SIZE", params.size, "Averaging window size");
        note::put(
            h,
            "CLEAN NSIGMA",
            params.nsigma,
            "Standard deviation threshold",
        );
        note::put(h, "CLEAN ITERATIONS", params.iterations, "");
        Ok(cube)
    }
}

fn count_finite(image: &[f32], counts: &mut [usize]) {
    for (n, v) in counts.iter_mut().zip(image) {
        *n += usize::from(!v.is_nan());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NX: usize = 40;

    /// A disc with a limb as a telescope shows it, bands, and noise; lines brighten whole images.
    fn scene(k: usize, radius: f32) -> Vec<f32> {
        let mut state = 77 + k as u64;
        let mut noise = || {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
        };
        let line = if k % 10 == 3 { 8.0 } else { 1.0 };
        (0..NX * NX)
            .map(|p| {
                let (x, y) = ((p % NX) as f32 - 19.5, (p / NX) as f32 - 18.2);
                let limb = 1.0 + ((x.hypot(y) - radius) / 0.7).exp();
                line * (1.0 + (100.0 + 10.0 * (y * 0.7).sin()) / limb) + noise()
            })
            .collect()
    }

    #[test]
    fn spikes_go_and_lines_and_limbs_stay() {
        let (mut hit, mut spikes, mut wrong, mut good) = (0, 0, 0, 0);
        for k in 0..30 {
            let mut image = scene(k, 13.3);
            let largest = image.iter().fold(0f32, |a, b| a.max(*b));
            let bad: Vec<usize> = (0..8)
                .map(|i| (i * 197 + k * 31 + 53) % (NX * NX))
                .collect();
            for (i, p) in bad.iter().enumerate() {
                image[*p] += largest * (3.0 + i as f32);
            }
            clean(&mut image, NX, &[9, 9, 9], 7.0);
            for (p, v) in image.iter().enumerate() {
                let gone = usize::from(v.is_nan());
                if bad.contains(&p) {
                    (hit, spikes) = (hit + gone, spikes + 1);
                } else {
                    (wrong, good) = (wrong + gone, good + 1);
                }
            }
        }
        assert!(hit as f64 >= 0.99 * spikes as f64, "{hit} of {spikes}");
        assert!(
            wrong as f64 <= 1e-4 * good as f64,
            "{wrong} of {good} taken wrongly"
        );
    }

    #[test]
    fn the_window_asked_for_is_used_in_every_round() {
        // a clump in a corner, hidden at first by a far brighter voxel: it fills most of 3 x 3 spaxels there
        let clump = [0, 1, 2, NX, NX + 1, NX + 2];
        let mut image: Vec<f32> = (0..NX * NX).map(|p| (p % 7) as f32 * 0.1).collect();
        image[820] = 1e5;
        for p in clump {
            image[p] = 30.0;
        }
        let mut asked = image.clone();
        clean(&mut asked, NX, &[9, 9, 9], 7.0);
        assert!(asked[820].is_nan() && clump.iter().all(|p| asked[*p].is_nan()));
        clean(&mut image, NX, &[9, 3, 3], 7.0);
        let left = clump.iter().filter(|p| image[**p] == 30.0).count();
        assert!(image[820].is_nan() && left == 5, "{left}");
    }

    #[test]
    fn nothing_and_infinity_do_not_panic() {
        for fill in [f32::NAN, f32::INFINITY, 0.0] {
            let mut image = vec![fill; NX * 3];
            clean(&mut image, NX, &[9], 7.0);
            clean(&mut image, NX, &[1, 1], 7.0);
        }
        clean(&mut [], 0, &[9], 7.0);
    }

    #[test]
    fn a_small_body_is_noticed() {
        let images: Vec<f32> = (0..SOURCE.1).flat_map(|k| scene(k, 2.0)).collect();
        let mut cleaned = images.clone();
        let mut lost = vec![0; NX * NX];
        for image in cleaned.chunks_mut(NX * NX) {
            clean(image, NX, &[9, 9, 9], 7.0);
            for (n, v) in lost.iter_mut().zip(image) {
                *n += usize::from(v.is_nan());
            }
        }
        let had = vec![SOURCE.1; NX * NX];
        let (y, x, ..) = source(&lost, &had, NX).expect("a source");
        assert!(y.abs_diff(18) <= 3 && x.abs_diff(19) <= 4, "{y} {x}");
    }

    #[test]
    fn a_peak_at_every_wavelength_is_a_source() {
        assert_eq!(
            source(&[0, 30, 6], &[100, 100, 100], 3),
            Some((0, 1, 30, 100))
        );
        assert_eq!(source(&[0, 15, 20], &[100; 3], 3), None);
        assert_eq!(source(&[9], &[10], 1), None);
    }
}
