//! Combining one-dimensional spectra of different exposures into one, as calwebb's combine_1d.
//!
//! Knows wavelengths and weights, no files and no headers.

use crate::math::pairwise_sum::pairwise_sum;
use crate::model::dq;

/// A spectrum that goes into the combination.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Input {
    /// Wavelengths in micron, strictly rising or falling.
    pub wavelength: Vec<f64>,
    /// Flux.
    pub flux: Vec<f64>,
    /// Its error.
    pub flux_error: Vec<f64>,
    /// Surface brightness.
    pub surf_bright: Vec<f64>,
    /// Its error.
    pub sb_error: Vec<f64>,
    /// Flags.
    pub dq: Vec<u32>,
    /// Weight of all elements: the exposure time.
    pub weight: f64,
}

/// The combined spectrum.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Combined {
    /// Wavelengths in micron, rising.
    pub wavelength: Vec<f64>,
    /// Weighted mean of the flux.
    pub flux: Vec<f64>,
    /// Its error.
    pub flux_error: Vec<f64>,
    /// Weighted mean of the surface brightness.
    pub surf_bright: Vec<f64>,
    /// Its error.
    pub sb_error: Vec<f64>,
    /// Flags of all values used.
    pub dq: Vec<u32>,
    /// Sum of the weights.
    pub weight: Vec<f64>,
    /// Number of spectra.
    pub count: Vec<f64>,
}

/// Whether wavelengths rise or fall strictly (fewer than two do).
pub fn monotonic(wavelength: &[f64]) -> bool {
    let steps = || wavelength.windows(2).map(|w| w[1] - w[0]);
    steps().all(|d| d > 0.0) || steps().all(|d| d < 0.0)
}

/// All wavelengths in order, each with the number of spectra that cover it (half an element further than their
/// ends); none where a wavelength is covered by no spectrum.
fn covered(inputs: &[Input]) -> Option<(Vec<f64>, Vec<usize>)> {
    let long = || inputs.iter().filter(|i| i.wavelength.len() > 1);
    let mut all: Vec<f64> = long().flat_map(|i| i.wavelength.iter().copied()).collect();
    all.sort_by(f64::total_cmp);
    let mut count = vec![0usize; all.len()];
    for input in long() {
        let w = &input.wavelength;
        let n = w.len();
        let (low, high) = if w[1] > w[0] {
            (
                w[0] - 0.5 * (w[1] - w[0]),
                w[n - 1] + 0.5 * (w[n - 1] - w[n - 2]),
            )
        } else {
            (
                w[n - 1] - 0.5 * (w[n - 2] - w[n - 1]),
                w[0] + 0.5 * (w[0] - w[1]),
            )
        };
        for (count, wave) in count.iter_mut().zip(&all) {
            *count += usize::from(*wave >= low && *wave < high);
        }
    }
    (!all.is_empty() && count.iter().all(|c| *c > 0)).then_some((all, count))
}

fn mean(values: &[f64]) -> f64 {
    pairwise_sum(values) / values.len() as f64
}

fn deviation(values: &[f64]) -> f64 {
    let m = mean(values);
    let squares: Vec<f64> = values.iter().map(|v| (v - m) * (v - m)).collect();
    (pairwise_sum(&squares) / values.len() as f64).sqrt()
}

/// Below this part of its neighbours' the spread of wavelengths makes them a clump.
const CLUMP: f64 = 0.8;

/// Output wavelengths: means of clumps (as many wavelengths as spectra overlap, closer together than their
/// neighbours), and between clumps means of consecutive wavelengths.
fn output_wavelengths(wave: &[f64], spectra: &[usize]) -> Vec<f64> {
    let n = wave.len();
    let mut spread = vec![9999.0; n];
    let mut means = vec![-99.0; n];
    let mut out: Vec<Option<f64>> = vec![None; n];
    for k in 0..n {
        if spectra[k] == 1 {
            spread[k] = 0.0;
            out[k] = Some(wave[k]);
            continue;
        }
        let end = k + spectra[k] / 2 + 1;
        if let Some(start) = end.checked_sub(spectra[k]).filter(|_| end <= n) {
            spread[k] = deviation(&wave[start..end]);
            means[k] = mean(&wave[start..end]);
            if spread[k] == 0.0 {
                out[k] = Some(means[k]);
            }
        }
    }
    for k in 0..n {
        let beside = match (k.checked_sub(1), k + 1 < n) {
            (None, true) => spread[1],
            (Some(before), false) => spread[before],
            (Some(before), true) => (spread[before] + spread[k + 1]) / 2.0,
            (None, false) => continue,
        };
        // (sum times the cut, halved: the same bits, as halving is exact)
        if spread[k] > 0.0 && spread[k] < CLUMP * beside {
            out[k] = Some(means[k]);
        }
    }
    // a wavelength below 0 is no wavelength
    let taken = |o: &Option<f64>| o.is_some_and(|v| v > 0.0);
    let mut i = 0;
    while i < n {
        let mut step = spectra[i];
        let middle = i + step / 2;
        if middle < n {
            step = spectra[middle];
            if i + step < n {
                let around = i.saturating_sub(1)..(i + step + 1).min(n - 1);
                if !out[around].iter().any(taken) {
                    out[i] = Some(mean(&wave[i..i + step]));
                }
            }
        }
        i += step;
    }
    let mut out: Vec<f64> = out.into_iter().filter(taken).flatten().collect();
    out.sort_by(f64::total_cmp);
    out
}

/// Number of the output element nearest to a wavelength, none out of their range.
fn nearest(wave: f64, grid: &[f64]) -> Option<usize> {
    let n = grid.len();
    if n < 2 || !(wave >= grid[0] && wave <= grid[n - 1]) {
        return None;
    }
    let below = grid.partition_point(|g| *g <= wave).clamp(1, n - 1) - 1;
    let part = (wave - grid[below]) / (grid[below + 1] - grid[below]);
    let place = below as f64 * (1.0 - part) + (below + 1) as f64 * part;
    Some(place.round_ties_even() as usize).filter(|k| *k < n)
}

/// Combines spectra: every value goes to the nearest output wavelength (of a spectrum's values that go to the
/// same one, the last counts); values are weighted means, NaN counted as 0, errors the weighted root of the sum of
/// squares. Values with `DO_NOT_USE` or without flux are left out, and output elements without any value.
/// None where the wavelengths cannot be put in order.
pub fn combine(inputs: &[Input]) -> Option<Combined> {
    let (all, count) = covered(inputs)?;
    let wavelength = output_wavelengths(&all, &count);
    let n = wavelength.len();
    let zeros = || vec![0.0; n];
    let mut out = Combined {
        flux: zeros(),
        flux_error: zeros(),
        surf_bright: zeros(),
        sb_error: zeros(),
        dq: vec![0; n],
        weight: zeros(),
        count: zeros(),
        wavelength,
    };
    for input in inputs {
        let mut chosen: Vec<Option<usize>> = vec![None; n];
        for (i, wave) in input.wavelength.iter().enumerate() {
            if input.dq[i] & dq::DO_NOT_USE != 0 || input.flux[i].is_nan() {
                continue;
            }
            if let Some(k) = nearest(*wave, &out.wavelength) {
                out.dq[k] |= input.dq[i];
                chosen[k] = Some(i);
            }
        }
        let w = input.weight;
        let known = |v: f64| if v.is_nan() { 0.0 } else { v };
        for (k, i) in chosen.into_iter().enumerate() {
            let Some(i) = i else { continue };
            out.flux[k] += known(input.flux[i] * w);
            out.surf_bright[k] += known(input.surf_bright[i] * w);
            let square = |e: f64| known((e * w) * (e * w));
            out.flux_error[k] += square(input.flux_error[i]);
            out.sb_error[k] += square(input.sb_error[i]);
            out.weight[k] += known(w);
            out.count[k] += 1.0;
        }
    }
    for k in 0..n {
        let sum = if out.weight[k] > 0.0 {
            out.weight[k]
        } else {
            1.0
        };
        out.flux[k] /= sum;
        out.surf_bright[k] /= sum;
        out.flux_error[k] = out.flux_error[k].sqrt() / sum;
        out.sb_error[k] = out.sb_error[k].sqrt() / sum;
    }
    let used: Vec<bool> = out.count.iter().map(|c| *c > 0.0).collect();
    fn keep<T>(values: &mut Vec<T>, used: &[bool]) {
        let mut it = used.iter();
        values.retain(|_| it.next() == Some(&true));
    }
    for values in [
        &mut out.wavelength,
        &mut out.flux,
        &mut out.flux_error,
        &mut out.surf_bright,
        &mut out.sb_error,
        &mut out.weight,
        &mut out.count,
    ] {
        keep(values, &used);
    }
    keep(&mut out.dq, &used);
    Some(out)
}

/// Running median over `width` (odd) values, zeros beyond the ends.
pub fn running_median(values: &[f64], width: usize) -> Vec<f64> {
    let half = width / 2;
    (0..values.len())
        .map(|i| {
            let at = |k: usize| {
                let k = (i + k).checked_sub(half)?;
                values.get(k).copied()
            };
            let mut window: Vec<f64> = (0..width).map(|k| at(k).unwrap_or(0.0)).collect();
            *window.select_nth_unstable_by(half, f64::total_cmp).1
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(wavelength: &[f64], flux: &[f64], weight: f64) -> Input {
        let n = wavelength.len();
        Input {
            wavelength: wavelength.to_vec(),
            flux: flux.to_vec(),
            flux_error: vec![1.0; n],
            surf_bright: flux.iter().map(|f| f * 10.0).collect(),
            sb_error: vec![2.0; n],
            dq: vec![0; n],
            weight,
        }
    }

    #[test]
    fn one_spectrum_stays_as_it_is() {
        let one = input(&[5.0, 6.0, 7.0], &[1.0, 2.0, 3.0], 30.0);
        let out = combine(std::slice::from_ref(&one)).unwrap();
        assert_eq!(out.wavelength, one.wavelength);
        assert_eq!(out.flux, one.flux);
        assert_eq!(out.weight, [30.0; 3]);
        assert_eq!(out.sb_error, [2.0; 3]);
    }

    #[test]
    fn equal_wavelengths_are_averaged_by_weight() {
        let wave = [5.0, 6.0, 7.0, 8.0];
        let a = input(&wave, &[1.0, 1.0, 1.0, 1.0], 1.0);
        let mut b = input(&wave, &[4.0, 4.0, f64::NAN, 4.0], 2.0);
        b.dq[1] = dq::DO_NOT_USE;
        b.dq[3] = dq::HOT;
        let out = combine(&[a, b]).unwrap();
        assert_eq!(out.wavelength, wave);
        assert_eq!(out.flux, [3.0, 1.0, 1.0, 3.0]);
        assert_eq!(out.count, [2.0, 1.0, 1.0, 2.0]);
        assert_eq!(out.dq, [0, 0, 0, dq::HOT]);
        assert_eq!(out.flux_error[0], 5f64.sqrt() / 3.0);
    }

    #[test]
    fn order_and_gaps() {
        assert!(monotonic(&[1.0, 2.0]) && monotonic(&[2.0, 1.0]) && monotonic(&[1.0]));
        assert!(!monotonic(&[1.0, 1.0]) && !monotonic(&[1.0, f64::NAN, 2.0]));
        let falling = input(&[7.0, 6.0, 5.0], &[3.0, 2.0, 1.0], 1.0);
        assert_eq!(combine(&[falling]).unwrap().flux, [1.0, 2.0, 3.0]);
        assert_eq!(combine(&[input(&[1.0], &[1.0], 1.0)]), None);
        // two bands that do not overlap
        let bands = [
            input(&[5.0, 6.0], &[1.0, 1.0], 1.0),
            input(&[11.0, 12.0], &[2.0, 2.0], 1.0),
        ];
        assert_eq!(combine(&bands).unwrap().wavelength, [5.0, 6.0, 11.0, 12.0]);
    }

    #[test]
    fn medians_with_zeros_beyond() {
        // scipy.signal.medfilt([5, 1, 9, 7, 8], 3)
        let values = [5.0, 1.0, 9.0, 7.0, 8.0];
        assert_eq!(running_median(&values, 3), [1.0, 5.0, 7.0, 8.0, 7.0]);
        assert_eq!(running_median(&values, 1), values);
    }
}
