//! Replacement from the spatial profile of neighbouring wavelengths, slice by slice.

use std::collections::BTreeSet;

use super::{Dispersion, Images};
use crate::exec::Exec;
use crate::math::nelder_mead::minimum;
use crate::math::pairwise_sum::pairwise_sum;
use crate::model::dq;

/// Profiles below this signal-to-noise ratio everywhere are not scaled.
const LOW_SNR: f32 = 5.0;
/// Values beyond this are not scaled either.
const HUGE: f32 = 1e20;

/// New values of a pixel: value, error, square roots of the variances' replacements, and its flags.
struct Pixel {
    at: usize,
    sci: f32,
    err: f32,
    variances: Vec<f32>,
    dq: u32,
}

/// Replaces the flagged pixels of each slice (`regions`: label of each pixel, 0 for none), from `n_adjacent`
/// profiles on either side.
pub fn replace(
    images: &mut Images,
    regions: &[i64],
    dispersion: Dispersion,
    n_adjacent: usize,
    exec: &Exec,
) {
    let labels: BTreeSet<i64> = regions.iter().copied().filter(|r| *r > 0).collect();
    let view: &Images = images;
    let new = exec.map(labels.into_iter().collect(), |label| {
        let slice = Slice {
            images: view,
            regions,
            label,
            dispersion,
        };
        slice.replaced(n_adjacent)
    });
    for pixel in new.into_iter().flatten() {
        images.sci[pixel.at] = pixel.sci;
        images.err[pixel.at] = pixel.err;
        for (variance, new) in images.variances.iter_mut().zip(&pixel.variances) {
            variance[pixel.at] = *new;
        }
        images.dq[pixel.at] = pixel.dq;
    }
}

/// A slice of the image. A profile is a line across the dispersion; `k` counts profiles, `j` pixels in one.
struct Slice<'a> {
    images: &'a Images<'a>,
    regions: &'a [i64],
    label: i64,
    dispersion: Dispersion,
}

impl Slice<'_> {
    fn at(&self, k: usize, j: usize) -> usize {
        match self.dispersion {
            Dispersion::Vertical => k * self.images.nx + j,
            Dispersion::Horizontal => j * self.images.nx + k,
        }
    }

    /// Flags of a pixel; beyond the slice it is none of science.
    fn flags(&self, p: usize) -> u32 {
        if self.regions[p] == self.label {
            self.images.dq[p]
        } else {
            self.images.dq[p] | dq::DO_NOT_USE | dq::NON_SCIENCE
        }
    }

    /// First and last profile, first and last pixel of profiles that are good anywhere.
    fn extent(&self) -> Option<([usize; 2], [usize; 2])> {
        let nx = self.images.nx;
        let good = (0..self.regions.len()).filter(|p| self.flags(*p) & dq::DO_NOT_USE == 0);
        let mut extent: Option<([usize; 2], [usize; 2])> = None;
        for p in good {
            let (k, j) = match self.dispersion {
                Dispersion::Vertical => (p / nx, p % nx),
                Dispersion::Horizontal => (p % nx, p / nx),
            };
            let (ks, js) = extent.get_or_insert(([k, k], [j, j]));
            *ks = [ks[0].min(k), ks[1].max(k)];
            *js = [js[0].min(j), js[1].max(j)];
        }
        extent
    }

    fn replaced(&self, n_adjacent: usize) -> Vec<Pixel> {
        let Some(([first, last], [left, right])) = self.extent() else {
            return Vec::new();
        };
        let pixels = || left..=right;
        // profiles that have any good pixel, and those that have a bad one besides
        let mut valid = vec![false; last + 1];
        let mut bad = Vec::new();
        for (k, valid) in valid.iter_mut().enumerate().skip(first) {
            let unusable = |p: usize| self.flags(p) & (dq::DO_NOT_USE | dq::NON_SCIENCE) != 0;
            let wrong = |p: usize| replaceable(self.flags(p));
            *valid = pixels().any(|j| !unusable(self.at(k, j)));
            if *valid && pixels().any(|j| wrong(self.at(k, j))) {
                bad.push(k);
            }
        }
        let mut out = Vec::new();
        for k in bad {
            let around = k.saturating_sub(n_adjacent)..=k.saturating_add(n_adjacent).min(last);
            let adjacent: Vec<usize> = around
                .filter(|other| *other != k && *other >= first && valid[*other])
                .collect();
            if !adjacent.is_empty() {
                self.profile(k, &adjacent, [left, right], &mut out);
            }
        }
        out
    }

    /// The pixels `left..=right` of a line, NaN where they are flagged.
    fn line(&self, values: &[f32], k: usize, [left, right]: [usize; 2]) -> Vec<f32> {
        let value = |p: usize| match self.flags(p) & dq::DO_NOT_USE {
            0 => values[p],
            _ => f32::NAN,
        };
        (left..=right).map(|j| value(self.at(k, j))).collect()
    }

    /// Replaces the bad pixels of one profile.
    fn profile(&self, k: usize, adjacent: &[usize], range: [usize; 2], out: &mut Vec<Pixel>) {
        let lines = |values: &[f32]| -> Vec<Vec<f32>> {
            let line = |k: &usize| self.line(values, *k, range);
            adjacent.iter().map(line).collect()
        };
        let (data, errors) = (lines(self.images.sci), lines(self.images.err));
        let snr = data.iter().flatten().zip(errors.iter().flatten());
        let faint = largest(snr.map(|(d, e)| (d / e).abs())) < LOW_SNR;
        let scales: Vec<f32> = data
            .iter()
            .map(|line| match faint {
                true => 1.0,
                false => largest(line.iter().map(|v| v.abs())),
            })
            .collect();
        let profile = medians(&data, &scales);

        let current = self.line(self.images.sci, k, range);
        let valid: Vec<usize> = (0..current.len())
            .filter(|j| !current[*j].is_nan())
            .collect();
        if valid.is_empty() {
            return;
        }
        let top = largest(valid.iter().map(|j| current[*j]));
        let shape: Vec<f32> = valid.iter().map(|j| profile[*j].abs()).collect();
        let here: Vec<f32> = valid.iter().map(|j| current[*j] / top).collect();
        let small = |values: &[f32]| largest(values.iter().map(|v| v.abs())) < HUGE;
        let (norm, scale) =
            if nan_median(&mut scales.clone()) != 1.0 && small(&shape) && small(&here) {
                let start = largest(here.iter().copied()).abs();
                let here: Vec<f32> = here.iter().map(|v| v.abs()).collect();
                (minimum(start, |s| misfit(&shape, &here, s)), top)
            } else {
                (1.0, 1.0)
            };

        let error = medians(&errors, &scales);
        let variances: Vec<Vec<f32>> = self
            .images
            .variances
            .iter()
            .map(|v| {
                let mut lines = lines(v);
                let all = lines.iter_mut().flatten();
                all.for_each(|v| *v = v.sqrt());
                medians(&lines, &scales)
            })
            .collect();
        for j in 0..current.len() {
            let at = self.at(k, range[0] + j);
            let flags = self.flags(at);
            if !replaceable(flags) {
                continue;
            }
            let sci = profile[j] * norm * scale;
            let square = |v: f32| v * v;
            out.push(Pixel {
                at,
                sci,
                err: error[j] * norm * scale,
                variances: variances
                    .iter()
                    .map(|v| square(v[j] * norm * scale))
                    .collect(),
                dq: match sci.is_nan() {
                    true => flags,
                    false => flags ^ dq::DO_NOT_USE ^ dq::FLUX_ESTIMATED,
                },
            });
        }
    }
}

/// Whether a pixel is bad and of science.
fn replaceable(flags: u32) -> bool {
    flags & (dq::DO_NOT_USE | dq::NON_SCIENCE) == dq::DO_NOT_USE
}

/// The largest value but NaN; NaN where there is none.
fn largest(values: impl Iterator<Item = f32>) -> f32 {
    values.fold(f32::NAN, f32::max)
}

/// Median of the values but NaN, in single precision; NaN where there is none.
fn nan_median(values: &mut Vec<f32>) -> f32 {
    values.retain(|v| !v.is_nan());
    crate::math::median::median_f32(values)
}

/// Median over the lines, each divided by its scale.
fn medians(lines: &[Vec<f32>], scales: &[f32]) -> Vec<f32> {
    let n = lines.first().map_or(0, Vec::len);
    let mut values = Vec::new();
    (0..n)
        .map(|j| {
            values.clear();
            values.extend(lines.iter().zip(scales).map(|(line, s)| line[j] / s));
            nan_median(&mut values)
        })
        .collect()
}

/// Mean square difference of a profile from another one times `scale`.
fn misfit(profile: &[f32], here: &[f32], scale: f32) -> f64 {
    let squares: Vec<f32> = profile
        .iter()
        .zip(here)
        .map(|(p, h)| {
            let d = h - p * scale;
            if d.is_nan() { 0.0 } else { d * d }
        })
        .collect();
    let valid = here.iter().filter(|h| !h.is_nan()).count();
    f64::from(pairwise_sum(&squares)) / valid as f64
}
