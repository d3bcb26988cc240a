//! Side pixels by optimised convolution ("simple improved reference subtraction"): for each output a kernel for the left
//! and one for the right reference pixels, from Fourier coefficients in a reference file.

use std::f64::consts::PI;
use std::path::Path;

use super::RefpixParams;
use super::nir::{EDGE, SIZE};
use crate::formats::asdf::{AsdfFile, Key};
use crate::math::median::median_f64;
use crate::{Error, Result};

/// Standard deviations a median absolute deviation stands for, as calwebb has it.
const DEVIATIONS: f64 = 1.48;

/// Kernels of each output, of 2 * `halfwidth` + 1 terms.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernels {
    left: Vec<Vec<f64>>,
    right: Vec<Vec<f64>>,
}

impl Kernels {
    /// The kernels of a detector; none where the reference has not got it.
    ///
    /// # Errors
    /// Where the reference cannot be read or its coefficients are not those of four outputs.
    pub fn load(path: &Path, detector: &str, params: &RefpixParams) -> Result<Option<Self>> {
        let file = AsdfFile::open(path)?;
        let names = file.tree().as_mapping();
        let own = names
            .into_iter()
            .flat_map(|m| m.iter())
            .find(|(key, _)| matches!(key, Key::String(k) if k.eq_ignore_ascii_case(detector)));
        let Some((_, node)) = own else {
            tracing::warn!(
                "refpix: {} has no kernels for {detector}; running medians are used",
                path.display()
            );
            return Ok(None);
        };
        let wrong = |what: String| {
            Error::reference(format!(
                "SIRSKERNEL reference file {}: {what}",
                path.display()
            ))
        };
        let kernels = |name: &str| -> Result<Vec<Vec<f64>>> {
            let array = node.get(name).and_then(|n| n.as_array());
            let array = array.ok_or_else(|| wrong(format!("{detector} has no array {name}")))?;
            let &[outputs, terms] = array.shape() else {
                return Err(wrong(format!("{name} has shape {:?}", array.shape())));
            };
            if outputs == 0 || !SIZE.is_multiple_of(outputs) {
                return Err(wrong(format!("{name} has kernels for {outputs} outputs")));
            }
            if params.halfwidth + 1 >= terms || 2 * params.halfwidth >= SIZE {
                return Err(wrong(format!(
                    "{name} has {terms} coefficients, too few for halfwidth = {}",
                    params.halfwidth
                )));
            }
            let all: Vec<[f64; 2]> = array.to_vec()?;
            let kernel = |c: &[[f64; 2]]| kernel(c, params.halfwidth, params.gaussmooth);
            Ok(all.chunks_exact(terms).map(kernel).collect())
        };
        let (left, right) = (kernels("gamma")?, kernels("zeta")?);
        if left.len() != right.len() {
            return Err(wrong("gamma and zeta are of different shapes".into()));
        }
        Ok(Some(Self { left, right }))
    }

    /// For each output what is to be subtracted from each row. `left` and `right` are the side pixels `[row][column]`.
    pub fn templates(&self, left: &[f64], right: &[f64], reject: f64) -> Vec<Vec<f64>> {
        let (left, right) = (Side::new(left, reject), Side::new(right, reject));
        let outputs = self.left.iter().zip(&self.right);
        outputs
            .map(|(l, r)| {
                let (mut all, more) = (left.template(l), right.template(r));
                all.iter_mut().zip(more).for_each(|(a, b)| *a += b);
                all
            })
            .collect()
    }
}

/// A kernel around lag 0 of the real series that has these coefficients, smoothed by a Gaussian of `width`.
fn kernel(coefficients: &[[f64; 2]], halfwidth: usize, width: f64) -> Vec<f64> {
    let last = coefficients.len() - 1;
    let n = (2 * last) as f64;
    let lags: Vec<f64> = (0..=2 * halfwidth)
        .map(|i| i as f64 - halfwidth as f64)
        .collect();
    let at = |lag: f64| {
        let term = |(k, [re, im]): (usize, &[f64; 2])| {
            let angle = 2.0 * PI * ((k as f64 * lag) % n) / n;
            let both = if k == 0 || k == last { 1.0 } else { 2.0 };
            // the imaginary parts of the first and the last take no part
            let sine = if both == 1.0 { 0.0 } else { im * angle.sin() };
            both * (re * angle.cos() - sine)
        };
        coefficients.iter().enumerate().map(term).sum::<f64>() / n
    };
    let series: Vec<f64> = lags.iter().map(|lag| at(*lag)).collect();
    let mut window: Vec<f64> = lags
        .iter()
        .map(|x| (-(x * x) / (2.0 * width * width)).exp())
        .collect();
    let sum: f64 = window.iter().sum();
    window.iter_mut().for_each(|w| *w /= sum);
    convolve(&series, &window)
}

/// Convolution of a series with a kernel of an odd number of terms, no longer than it; beyond its ends it is 0.
fn convolve(series: &[f64], kernel: &[f64]) -> Vec<f64> {
    let half = kernel.len() / 2;
    (0..series.len())
        .map(|i| {
            let from = (i + half + 1).saturating_sub(series.len());
            let to = kernel.len().min(i + half + 1);
            let terms = (from..to).map(|k| kernel[k] * series[i + half - k]);
            terms.sum()
        })
        .collect()
}

/// The side pixels of one edge.
struct Side {
    /// Sum of the good ones of each row, by four.
    mean: Vec<f64>,
    /// Share of good ones.
    good: Vec<f64>,
}

impl Side {
    fn new(values: &[f64], reject: f64) -> Self {
        let middle = median_f64(&mut values.to_vec());
        let mut off: Vec<f64> = values.iter().map(|v| (v - middle).abs()).collect();
        let limit = reject * (DEVIATIONS * median_f64(&mut off));
        let rows = values.chunks_exact(EDGE);
        let row = |row: &[f64]| {
            let is_good = |v: &f64| f64::from(u8::from((v - middle).abs() <= limit));
            let sum: f64 = row.iter().map(|v| v * is_good(v)).sum();
            let good: f64 = row.iter().map(is_good).sum();
            (sum / EDGE as f64, good / EDGE as f64)
        };
        let (mean, good) = rows.map(row).unzip();
        Self { mean, good }
    }

    fn template(&self, kernel: &[f64]) -> Vec<f64> {
        let signal = convolve(&self.mean, kernel);
        let whole = convolve(&vec![1.0; self.mean.len()], kernel);
        let share = convolve(&self.good, kernel);
        let parts = signal.iter().zip(whole.iter().zip(&share));
        parts.map(|(s, (w, g))| s * (w / g)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_spectrum_is_a_spike_smoothed() {
        let k = kernel(&[[1.0, 0.0]; 65], 3, 1.0);
        let gauss = |x: f64| (-x * x / 2.0).exp();
        let sum = gauss(0.0) + 2.0 * (gauss(1.0) + gauss(2.0) + gauss(3.0));
        for (i, x) in (-3..=3).enumerate() {
            assert!((k[i] - gauss(f64::from(x)) / sum).abs() < 1e-15, "{k:?}");
        }
    }

    #[test]
    fn convolution_is_numpys() {
        // np.convolve([1, 2, 3, 4], [1, 10, 100], mode="same")
        let out = convolve(&[1.0, 2.0, 3.0, 4.0], &[1.0, 10.0, 100.0]);
        assert_eq!(out, [12.0, 123.0, 234.0, 340.0]);
        let out = convolve(&[1.0, 2.0, 3.0], &[1.0, 10.0, 100.0]);
        assert_eq!(out, [12.0, 123.0, 230.0]);
    }

    #[test]
    fn rejected_pixels_take_no_part() {
        let mut left: Vec<f64> = (0..SIZE * EDGE)
            .map(|n| f64::from(n as u32 % 3) + 7.0)
            .collect();
        let right = vec![5.0; SIZE * EDGE];
        left[4000] = 1e6;
        let kernels = Kernels {
            left: vec![vec![0.0, 1.0, 0.0]],
            right: vec![vec![0.0, 2.0, 0.0]],
        };
        let template = &kernels.templates(&left, &right, 4.0)[0];
        let row = &left[4001..4004];
        assert!((template[1000] - (row.iter().sum::<f64>() / 3.0 + 10.0)).abs() < 1e-12);
        let row = &left[40..44];
        assert_eq!(template[10], row.iter().sum::<f64>() / 4.0 + 10.0);
    }
}
