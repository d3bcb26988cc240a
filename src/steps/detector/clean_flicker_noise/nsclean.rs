//! Noise below a limiting frequency, fitted to the background of each line of a full frame: `fit_method = fft`.
//!
//! Lines run along the slow axis's rows of the image of the detector, that is along columns of the product. Everything is in
//! double precision where jwst rounds to single; the equations and their constants are the same.

use std::f64::consts::{PI, TAU};

use crate::exec::Exec;
use crate::math::median::median_f32;
use crate::math::numpy_fft::{Lanes, Plan};
use crate::{Error, Result};

/// Rows and columns of a full frame.
pub const SIZE: usize = 2048;
/// Lines at either end that are reference pixels.
const ENDS: usize = 4;
/// Frequency at half power, in 1/pixel.
const CUTOFF: f64 = 1.0 / 256.0;
/// Width of the filter's roll-off, likewise.
const ROLL_OFF: f64 = CUTOFF / 4.0;
/// Standard deviation in pixels of the kernel that measures how densely background pixels lie.
const DENSITY_SIGMA: f64 = 32.0;
/// Density below which a pixel counts as alone: single precision, in which jwst measures it, has only noise there.
const ALONE: f64 = 1e-6;
/// Standard deviation in lines of the smoothing of what was fitted, and its reach.
const SMOOTHING: f64 = 1.5;
const REACH: usize = 12;
/// Robust standard deviations at which values are taken for outliers.
const OUTLIERS: f32 = 3.0;
/// Series transformed side by side; each holds two lines.
const LANES: usize = 8;
const BLOCK: usize = 2 * LANES;

type Series = Vec<Lanes<f64, LANES>>;

/// What is the same for all images.
pub struct Filter {
    plan: Plan<f64>,
    /// Gain at each frequency up to the last that is above 0.
    gains: Vec<f64>,
    /// Transform of the density's kernel.
    kernel: Vec<[f64; 2]>,
    /// Weights of neighbouring lines, the line's own in the middle.
    smoothing: Vec<f64>,
    /// Whether lines run from the last column to the first.
    flipped: bool,
}

/// A Gaussian of unit area in the kernel's own precision.
fn gaussian(distance: f64, sigma: f64) -> f64 {
    let t = distance / sigma;
    f64::from(((-(t * t) / 2.0).exp() / sigma / TAU.sqrt()) as f32)
}

/// Gains of the low-pass filter at frequencies that it lets through, from 0 on.
fn gains() -> Vec<f64> {
    let gain = |j: usize| {
        let f = j as f64 / SIZE as f64;
        let roll_off = (1.0 + (PI * (f - CUTOFF) / ROLL_OFF + PI / 2.0).cos()) / 2.0;
        match f {
            f if f <= CUTOFF - ROLL_OFF / 2.0 => 1.0,
            f if f <= CUTOFF + ROLL_OFF / 2.0 => roll_off,
            _ => 0.0,
        }
    };
    (0..=SIZE / 2).map(gain).take_while(|g| *g > 0.0).collect()
}

/// A line's equations cannot be solved.
struct Singular;

impl Filter {
    /// The filter for a detector.
    ///
    /// # Errors
    /// [`Error::Parameter`] for other detectors than NIRSpec's.
    pub fn new(detector: &str) -> Result<Self> {
        let flipped = match detector {
            "NRS1" => false,
            "NRS2" => true,
            other => {
                return Err(Error::parameter(format!(
                    "clean_flicker_noise: fit_method = fft is for NRS1 and NRS2 only, not {other}"
                )));
            }
        };
        let plan = Plan::new(SIZE)
            .ok_or_else(|| Error::parameter("lines of 2048 pixels cannot be transformed"))?;
        // jwst centres its kernels one pixel beyond the origin
        let place = |i: usize| match i {
            i if i > SIZE / 2 + 1 => i as f64 - SIZE as f64 - 1.0,
            i => i as f64 - 1.0,
        };
        let mut kernel: Series = (0..SIZE)
            .map(|i| {
                let mut value = Lanes::ZERO;
                value.re[0] = gaussian(place(i), DENSITY_SIGMA);
                value
            })
            .collect();
        plan.forward(&mut kernel, &mut Vec::new(), None);
        let lines = 0..=2 * REACH;
        Ok(Self {
            gains: gains(),
            kernel: kernel.iter().map(|v| [v.re[0], v.im[0]]).collect(),
            smoothing: lines
                .map(|u| gaussian(u as f64 - REACH as f64, SMOOTHING))
                .collect(),
            plan,
            flipped,
        })
    }

    /// The column of the product that a line is.
    fn column(&self, line: usize) -> usize {
        match self.flipped {
            true => SIZE - 1 - line,
            false => line,
        }
    }

    /// Subtracts the noise from an image of which `mask` says what is background; returns the number of lines whose background
    /// does not determine it, which have none subtracted.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub fn clean(&self, image: &mut [f32], mask: &[bool], exec: &Exec) -> Result<usize> {
        let blocks = (0..SIZE).step_by(BLOCK).collect();
        let values = &*image;
        let fitted = exec.try_map(blocks, |first| Ok(self.block(values, mask, first)))?;
        let undetermined = fitted.iter().map(|(_, n)| n).sum();
        let model: Vec<f32> = fitted.into_iter().flat_map(|(lines, _)| lines).collect();
        let rows = exec.strip_rows(SIZE);
        let strips = image.chunks_mut(rows * SIZE).enumerate().collect();
        exec.map(strips, |(i, strip): (usize, &mut [f32])| {
            self.subtract(strip, i * rows, &model);
        });
        Ok(undetermined)
    }

    /// Subtracts from some rows the model (`[line][row]`), smoothed over the lines and, as jwst's kernel has it, one line and
    /// one row farther on.
    fn subtract(&self, rows: &mut [f32], first: usize, model: &[f32]) {
        let mut along = vec![0.0; SIZE];
        for (k, row) in rows.chunks_mut(SIZE).enumerate() {
            let before = (first + k + SIZE - 1) % SIZE;
            for (line, v) in along.iter_mut().enumerate() {
                *v = model[line * SIZE + before];
            }
            for line in 0..SIZE {
                let start = line + 2 * SIZE - 1 + REACH;
                let near = self.smoothing.iter().enumerate();
                let sum: f64 = near
                    .map(|(u, g)| g * f64::from(along[(start - u) % SIZE]))
                    .sum();
                row[self.column(line)] -= sum as f32;
            }
        }
    }

    /// Fits the lines from `first` on: the model, line by line, and how many are not determined.
    fn block(&self, image: &[f32], mask: &[bool], first: usize) -> (Vec<f32>, usize) {
        let weights = self.weights(mask, first);
        let mut scratch = Vec::new();
        let mut spectra: Series = vec![Lanes::ZERO; SIZE];
        let mut undetermined = 0;
        // a line a lane: its weights, and its weighted values, as real and imaginary part
        for half in 0..2 {
            let mut series: Series = vec![Lanes::ZERO; SIZE];
            let mut used = [false; LANES];
            for lane in 0..LANES {
                let line = first + 2 * lane + half;
                if !(ENDS..SIZE - ENDS).contains(&line) {
                    continue;
                }
                let column = self.column(line);
                let pixel = |m: usize| m * SIZE + column;
                let places: Vec<usize> = (0..SIZE).filter(|m| mask[pixel(*m)]).collect();
                used[lane] = !places.is_empty();
                let values = without_outliers(places.iter().map(|m| image[pixel(*m)]).collect());
                let weights = &weights[2 * lane + half];
                // where no density is known all weigh alike
                let known = places.iter().any(|m| weights[*m] > 0.0);
                for (m, v) in places.into_iter().zip(values) {
                    let p = if known { weights[m] } else { 1.0 };
                    series[m].re[lane] = p * p;
                    series[m].im[lane] = p * p * f64::from(v);
                }
            }
            self.plan.forward(&mut series, &mut scratch, None);
            for lane in (0..LANES).filter(|l| used[*l]) {
                match self.solve(&series, lane) {
                    Ok(line) => add(&mut spectra, lane, half, &line),
                    Err(Singular) => undetermined += 1,
                }
            }
        }
        self.plan.backward(&mut spectra, &mut scratch, None);
        let mut model = Vec::with_capacity(BLOCK * SIZE);
        for line in 0..BLOCK {
            let (lane, half) = (line / 2, line % 2);
            model.extend(spectra.iter().map(|v| match half {
                0 => v.re[lane] as f32,
                _ => v.im[lane] as f32,
            }));
        }
        (model, undetermined)
    }

    /// Reciprocal density of background pixels about each pixel of a block's lines. It is that about the pixel before on the line
    /// before, for the reason in [`Self::new`].
    fn weights(&self, mask: &[bool], first: usize) -> Vec<Vec<f64>> {
        let mut series: Series = vec![Lanes::ZERO; SIZE];
        for lane in 0..LANES {
            let column = |half: usize| self.column((first + 2 * lane + half + SIZE - 1) % SIZE);
            let columns = [column(0), column(1)];
            for (m, v) in series.iter_mut().enumerate() {
                let used = columns.map(|x| f64::from(u8::from(mask[m * SIZE + x])));
                (v.re[lane], v.im[lane]) = (used[0], used[1]);
            }
        }
        let mut scratch = Vec::new();
        self.plan.forward(&mut series, &mut scratch, None);
        for (v, [re, im]) in series.iter_mut().zip(&self.kernel) {
            let (a, b) = (v.re, v.im);
            v.re = std::array::from_fn(|l| a[l] * re - b[l] * im);
            v.im = std::array::from_fn(|l| a[l] * im + b[l] * re);
        }
        self.plan.backward(&mut series, &mut scratch, None);
        let weight = |sum: f64| match sum / SIZE as f64 {
            density if density > ALONE => 1.0 / density,
            _ => 0.0,
        };
        let line = |line: usize| -> Vec<f64> {
            let values = series.iter().map(|v| match line % 2 {
                0 => v.re[line / 2],
                _ => v.im[line / 2],
            });
            values.map(weight).collect()
        };
        (0..BLOCK).map(line).collect()
    }

    /// The filtered spectrum of a line's background by weighted least squares, from the transform of its weights and weighted
    /// values.
    fn solve(
        &self,
        series: &[Lanes<f64, LANES>],
        lane: usize,
    ) -> std::result::Result<Vec<[f64; 2]>, Singular> {
        let n = self.gains.len();
        let at = |k: usize| [series[k].re[lane], series[k].im[lane]];
        // the two real series that were transformed as one
        let apart = |k: usize| {
            let ([a, b], [c, d]) = (at(k), at((SIZE - k) % SIZE));
            (
                [(a + c) / 2.0, (b - d) / 2.0],
                [(b + d) / 2.0, (c - a) / 2.0],
            )
        };
        let (weights, mut right): (Vec<_>, Vec<_>) = (0..n).map(apart).unzip();
        let element = |j: usize, k: usize| match j >= k {
            true => weights[j - k],
            false => [weights[k - j][0], -weights[k - j][1]],
        };
        let mut matrix: Vec<Vec<[f64; 2]>> = (0..n)
            .map(|j| (0..n).map(|k| element(j, k)).collect())
            .collect();
        solve(&mut matrix, &mut right)?;
        let gains = self.gains.iter().zip(right);
        Ok(gains.map(|(g, [re, im])| [g * re, g * im]).collect())
    }
}

/// Values with those far from their median replaced by it.
fn without_outliers(mut values: Vec<f32>) -> Vec<f32> {
    let centre = median_f32(&mut values.clone());
    let mut distances: Vec<f32> = values.iter().map(|v| (v - centre).abs()).collect();
    let reach = OUTLIERS * (1.4826 * median_f32(&mut distances));
    for v in &mut values {
        if !(centre - reach <= *v && *v <= centre + reach) {
            *v = centre;
        }
    }
    values
}

/// Adds a line's spectrum to the series of its lane, so that its values come out real in the first half and imaginary in the second.
fn add(spectra: &mut [Lanes<f64, LANES>], lane: usize, half: usize, line: &[[f64; 2]]) {
    let mut place = |k: usize, [re, im]: [f64; 2]| match half {
        0 => {
            spectra[k].re[lane] += re;
            spectra[k].im[lane] += im;
        }
        _ => {
            spectra[k].re[lane] -= im;
            spectra[k].im[lane] += re;
        }
    };
    for (k, [re, im]) in line.iter().enumerate() {
        if k == 0 {
            place(0, [*re, 0.0]);
        } else {
            place(k, [*re, *im]);
            place(SIZE - k, [*re, -im]);
        }
    }
}

fn times([a, b]: [f64; 2], [c, d]: [f64; 2]) -> [f64; 2] {
    [a * c - b * d, a * d + b * c]
}

/// Solves equations with a Hermitian positive matrix by elimination; the right side becomes the solution.
fn solve(
    matrix: &mut [Vec<[f64; 2]>],
    right: &mut [[f64; 2]],
) -> std::result::Result<(), Singular> {
    const SMALL: f64 = 1e-13;
    let n = right.len();
    let scale = matrix.first().and_then(|r| r.first()).map_or(0.0, |d| d[0]);
    for i in 0..n {
        let pivot = matrix[i][i][0];
        if pivot.is_nan() || pivot <= SMALL * scale {
            return Err(Singular);
        }
        let (above, below) = matrix.split_at_mut(i + 1);
        let (done, rest) = right.split_at_mut(i + 1);
        for (row, right) in below.iter_mut().zip(rest) {
            let factor = row[i].map(|v| v / pivot);
            for (v, above) in row.iter_mut().zip(&above[i]).skip(i) {
                let [re, im] = times(factor, *above);
                v[0] -= re;
                v[1] -= im;
            }
            let [re, im] = times(factor, done[i]);
            right[0] -= re;
            right[1] -= im;
        }
    }
    for i in (0..n).rev() {
        for k in i + 1..n {
            let [re, im] = times(matrix[i][k], right[k]);
            right[i][0] -= re;
            right[i][1] -= im;
        }
        right[i] = right[i].map(|v| v / matrix[i][i][0]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise of two low frequencies on every line, and a bright source that is masked.
    fn image(flipped: bool) -> (Vec<f32>, Vec<bool>) {
        let mut image = vec![0.0f32; SIZE * SIZE];
        let mut mask = vec![true; SIZE * SIZE];
        for y in 0..SIZE {
            let t = TAU * y as f64 / SIZE as f64;
            for x in 0..SIZE {
                let line = if flipped { SIZE - 1 - x } else { x };
                // nearly alike on neighbouring lines, as the noise's model is smoothed over them
                let slow = (line as f64 / SIZE as f64 * TAU).cos();
                let p = y * SIZE + x;
                image[p] = (3.0 + slow * (2.0 * t).sin() + 0.5 * (5.0 * t).cos()) as f32;
                mask[p] = y % 64 < 40 && (ENDS..SIZE - ENDS).contains(&x);
                if !mask[p] {
                    image[p] += 1000.0;
                }
            }
        }
        (image, mask)
    }

    #[test]
    fn slow_noise_goes_and_the_source_stays() {
        for (detector, flipped) in [("NRS1", false), ("NRS2", true)] {
            let (mut image, mask) = image(flipped);
            let exec = Exec::new(Some(2)).unwrap();
            let filter = Filter::new(detector).unwrap();
            assert_eq!(filter.gains.len(), 9);
            // line 4's density is that of the reference pixels before it, nothing: it is fitted all the same
            assert_eq!(filter.clean(&mut image, &mask, &exec).unwrap(), 0);
            for y in 0..SIZE {
                for x in 40..SIZE - 40 {
                    let p = y * SIZE + x;
                    let expected = if mask[p] { 0.0 } else { 1000.0 };
                    assert!(
                        (image[p] - expected).abs() < 0.06,
                        "{detector} {y} {x}: {}",
                        image[p]
                    );
                }
            }
        }
    }

    #[test]
    fn lines_without_background_stay() {
        let exec = Exec::new(Some(1)).unwrap();
        let filter = Filter::new("NRS1").unwrap();
        let mut image = vec![5.0; SIZE * SIZE];
        let none = vec![false; SIZE * SIZE];
        assert_eq!(filter.clean(&mut image, &none, &exec).unwrap(), 0);
        assert!(image.iter().all(|v| *v == 5.0));
        // three pixels do not determine nine frequencies
        let mut few = none;
        for x in [99, 100] {
            [7, 300, 900].iter().for_each(|y| few[y * SIZE + x] = true);
        }
        assert_eq!(filter.clean(&mut image, &few, &exec).unwrap(), 2);
        assert!(image.iter().all(|v| *v == 5.0));
        assert!(Filter::new("NIS").is_err());
    }

    #[test]
    fn outliers_become_the_median() {
        let mut values: Vec<f32> = (0..21).map(|i| i as f32 / 10.0).collect();
        values[20] = 80.0;
        let out = without_outliers(values.clone());
        assert_eq!(out[20], 1.0);
        assert_eq!(out[..20], values[..20]);
    }
}
