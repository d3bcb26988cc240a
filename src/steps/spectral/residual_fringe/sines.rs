//! Fits of sums of sines: weighted least squares by Levenberg and Marquardt with half steps, made robust by
//! lowering the weights of outliers (Tukey's biweight), and the evidence of a fit.
//!
//! The path of the fit counts, not only its end: it stops where chi squared falls by less than 1e-4 a step,
//! which with half steps is before the minimum.

use std::f64::consts::{LN_10, PI};

use super::failure::Failure;
use crate::math::dense::Factors;
use crate::math::pairwise_sum::pairwise_sum;
use crate::math::sin_cos::sin_cos;
use crate::math::wide::wide;

/// Change of chi squared below which a fit has settled, relative where chi squared is above 1.
const TOLERANCE: f64 = 1e-4;

/// Distance from the model, in units of the scatter, beyond which a datum has no weight.
const DOMAIN: f64 = 10.0;

/// Most steps for each parameter.
const STEPS: usize = 1000;

fn tolerance(chi: f64) -> f64 {
    if chi < 1.0 {
        TOLERANCE
    } else {
        TOLERANCE * chi
    }
}

/// Ranges the prior probability is spread over.
#[derive(Debug, Clone, Copy)]
pub struct Priors {
    /// Of each parameter: lowest and highest value.
    pub parameters: [f64; 2],
    /// Of the noise's standard deviation.
    pub noise: [f64; 2],
}

impl Priors {
    /// Decadic logarithm of the evidence of a fit with `parameters` parameters, with chi squared `chi`, sum
    /// of weights `weight` and determinant of the curvature matrix `det`.
    ///
    /// # Errors
    /// [`Failure::Weights`]; [`Failure::Singular`] where the determinant is not positive.
    pub fn evidence(
        &self,
        parameters: usize,
        chi: f64,
        weight: f64,
        det: f64,
    ) -> Result<f64, Failure> {
        let freedom = weight - parameters as f64;
        if freedom <= 0.0 {
            return Err(Failure::Weights);
        }
        let noise_range = self.noise[1].ln() - self.noise[0].ln();
        let scale = (chi / freedom).sqrt();
        let variance = scale * scale;
        let likelihood = -0.5 * (weight * (2.0 * PI * variance).ln() + chi / variance);
        let mut occam = 0.5 * (PI * freedom).ln() - noise_range;
        if parameters > 0 {
            if det <= 0.0 {
                return Err(Failure::Singular);
            }
            let count = parameters as f64;
            let range = (self.parameters[1] - self.parameters[0]).ln();
            let prior = noise_range.ln() + range + (count - 1.0) * range;
            occam += -prior + 0.5 * (count * (2.0 * PI * variance).ln() - det.ln());
        }
        Ok((likelihood + occam) / LN_10)
    }

    /// Evidence of the constant 1. Its chi squared does not count the weights.
    ///
    /// # Errors
    /// [`Failure::Residuals`], [`Failure::Weights`].
    pub fn evidence_of_one(&self, y: &[f64], weights: &[f64]) -> Result<f64, Failure> {
        let squares: Vec<f64> = y.iter().map(|y| (y - 1.0) * (y - 1.0)).collect();
        let chi = pairwise_sum(&squares);
        if chi <= 0.0 {
            return Err(Failure::Residuals);
        }
        self.evidence(0, chi, pairwise_sum(weights), 1.0)
    }
}

/// Data sines are fitted to.
#[derive(Debug, Clone, Copy)]
pub struct Data<'a> {
    /// Places times 2 pi.
    pub angles: &'a [f64],
    /// Values.
    pub y: &'a [f64],
}

/// A sum of sines `a cos(2 pi f x) + b sin(2 pi f x)`.
#[derive(Debug, Clone)]
pub struct Sines {
    /// f, a and b of each.
    pub parameters: Vec<[f64; 3]>,
    /// Cosine and sine of each at the data.
    waves: Vec<(Vec<f64>, Vec<f64>)>,
    /// Values at the data.
    pub values: Vec<f64>,
}

/// How a fit ended.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// Chi squared.
    pub chi: f64,
    /// Sum of the weights.
    pub weight: f64,
    /// Parameters that were fitted.
    pub count: usize,
    /// Determinant of the curvature matrix: for a robust fit that at its end, otherwise that of the last
    /// step, damped.
    pub det: f64,
}

impl Fitted {
    fn scale(&self) -> Result<f64, Failure> {
        let freedom = self.weight - self.count as f64;
        if freedom <= 0.0 {
            return Err(Failure::Weights);
        }
        Ok((self.chi / freedom).sqrt())
    }
}

impl Sines {
    /// Sines of these frequencies with both amplitudes 1.
    pub fn new(frequencies: &[f64], data: Data) -> Self {
        let mut sines = Self {
            parameters: Vec::new(),
            waves: Vec::new(),
            values: Vec::new(),
        };
        sines.set(frequencies.iter().map(|f| [*f, 1.0, 1.0]).collect(), data);
        sines
    }

    /// Takes over parameters.
    fn set(&mut self, parameters: Vec<[f64; 3]>, data: Data) {
        let n = data.angles.len();
        self.waves.resize_with(parameters.len(), Default::default);
        self.values.resize(n, 0.0);
        for (i, (new, (cos, sin))) in parameters.iter().zip(&mut self.waves).enumerate() {
            let [f, a, b] = *new;
            let known = self.parameters.get(i).is_some_and(|old| old[0] == f);
            if !known || cos.len() != n {
                cos.resize(n, 0.0);
                sin.resize(n, 0.0);
                sin_cos(data.angles, f, sin, cos);
            }
            if i == 0 {
                put_wave(&mut self.values, [a, b], cos, sin);
            } else {
                add_wave(&mut self.values, [a, b], cos, sin);
            }
        }
        self.parameters = parameters;
    }

    /// Weighted sum of the squared residuals.
    fn chi(&self, data: Data, weights: &[f64], buffer: &mut [f64]) -> Result<f64, Failure> {
        for (((out, y), v), w) in buffer.iter_mut().zip(data.y).zip(&self.values).zip(weights) {
            let d = y - v;
            *out = d * d * w;
        }
        let chi = pairwise_sum(buffer);
        if chi <= 0.0 {
            Err(Failure::Residuals)
        } else {
            Ok(chi)
        }
    }

    /// Derivatives to the fitted parameters, one after the other.
    fn design(&self, data: Data, free: bool, out: &mut Vec<f64>) {
        out.clear();
        for ([_, a, b], (cos, sin)) in self.parameters.iter().zip(&self.waves) {
            if free {
                let partial = data.angles.iter().zip(cos).zip(sin);
                out.extend(partial.map(|((x, cos), sin)| x * b * cos - x * a * sin));
            }
            out.extend_from_slice(cos);
            out.extend_from_slice(sin);
        }
    }

    /// Parameters after a step.
    fn stepped(&self, step: &[f64], free: bool) -> Vec<[f64; 3]> {
        let mut step = step.iter();
        let mut next = || 0.5 * step.next().copied().unwrap_or(0.0);
        self.parameters
            .iter()
            .map(|[f, a, b]| {
                let f = if free { f + next() } else { *f };
                [f, a + next(), b + next()]
            })
            .collect()
    }

    /// Fits amplitudes, and frequencies where they are `free`.
    ///
    /// # Errors
    /// [`Failure::Residuals`], [`Failure::Singular`], [`Failure::Fringes`].
    pub fn fit(&mut self, data: Data, weights: &[f64], free: bool) -> Result<Fitted, Failure> {
        let n = data.y.len();
        let count = self.parameters.len() * if free { 3 } else { 2 };
        let most = STEPS * 3 * self.parameters.len();
        let mut buffer = vec![0.0; n];
        let mut design = Vec::with_capacity(n * count);
        let mut curvature = Vec::new();
        let mut trial = self.clone();
        let mut chi = self.chi(data, weights, &mut buffer)? + 1.0;
        let mut damping = 0.001;
        let mut steps = 0;
        while steps < most {
            if free || steps == 0 {
                self.design(data, free, &mut design);
                curvature = products(&design, weights, n);
            }
            for (((out, y), v), w) in buffer.iter_mut().zip(data.y).zip(&self.values).zip(weights) {
                *out = (y - v) * w;
            }
            let gradient = inner_products(&design, &buffer);
            let mut damped = curvature.clone();
            let (new, det) = loop {
                if steps >= most {
                    return Err(Failure::Fringes);
                }
                for k in 0..count {
                    damped[k * count + k] *= 1.0 + damping;
                }
                let factors = Factors::new(count, damped.clone());
                let step = factors.solve(&gradient).map_err(|_| Failure::Singular)?;
                trial.set(self.stepped(&step, free), data);
                let new = trial.chi(data, weights, &mut buffer)?;
                steps += 1;
                if new <= chi {
                    break (new, factors.determinant());
                }
                if damping < 1e20 {
                    damping *= 10.0;
                }
            };
            std::mem::swap(self, &mut trial);
            if (chi - new).abs() < tolerance(chi) {
                return Ok(Fitted {
                    chi: new,
                    weight: pairwise_sum(weights),
                    count,
                    det,
                });
            }
            chi = new;
            if damping > 1e-100 {
                damping *= 0.1;
            }
        }
        Err(Failure::Fringes)
    }

    /// As [`Sines::fit`], again and again with lower weights for outliers until chi squared settles.
    ///
    /// # Errors
    /// As [`Sines::fit`], and [`Failure::Weights`].
    pub fn fit_robustly(
        &mut self,
        data: Data,
        weights: &[f64],
        free: bool,
    ) -> Result<Fitted, Failure> {
        let mut fitted = self.fit(data, weights, free)?;
        let mut lowered = vec![0.0; weights.len()];
        for _ in 0..STEPS * 3 * self.parameters.len() {
            let width = fitted.scale()? * DOMAIN;
            for (((out, y), v), w) in lowered
                .iter_mut()
                .zip(data.y)
                .zip(&self.values)
                .zip(weights)
            {
                let r = (y - v) / width;
                let r2 = r * r;
                let k = if r2 <= 1.0 { 1.0 - r2 } else { 0.0 };
                *out = k * k * w;
            }
            let chi = fitted.chi;
            fitted = self.fit(data, &lowered, free)?;
            if (chi - fitted.chi).abs() < tolerance(fitted.chi) {
                break;
            }
        }
        if free {
            let mut design = Vec::new();
            self.design(data, true, &mut design);
            let curvature = products(&design, &lowered, data.y.len());
            fitted.det = Factors::new(fitted.count, curvature).determinant();
        }
        Ok(fitted)
    }
}

/// Sums of products of two columns, the second one weighted, for all pairs of columns of length `n`.
///
/// Both halves of the matrix are summed: equal columns (a frequency found twice) must give equal rows, so that
/// the matrix is exactly singular, which ends the search.
fn products(design: &[f64], weights: &[f64], n: usize) -> Vec<f64> {
    let count = design.len() / n.max(1);
    let mut out = vec![0.0; count * count];
    let mut weighted = vec![0.0; n];
    for (j, column) in design.chunks_exact(n).enumerate() {
        for ((out, d), w) in weighted.iter_mut().zip(column).zip(weights) {
            *out = d * w;
        }
        let sums = inner_products(design, &weighted);
        for (i, sum) in sums.into_iter().enumerate() {
            out[i * count + j] = sum;
        }
    }
    out
}

wide! {
    /// A wave of amplitudes `a` (of the cosine) and `b`.
    fn put_wave(values: &mut [f64], of: [f64; 2], cos: &[f64], sin: &[f64]) {
        let [a, b] = of;
        for ((value, cos), sin) in values.iter_mut().zip(cos).zip(sin) {
            *value = a * cos + b * sin;
        }
    }
}

wide! {
    /// Adds such a wave.
    fn add_wave(values: &mut [f64], of: [f64; 2], cos: &[f64], sin: &[f64]) {
        let [a, b] = of;
        for ((value, cos), sin) in values.iter_mut().zip(cos).zip(sin) {
            *value += a * cos + b * sin;
        }
    }
}

/// Inner products of each of several columns with another one.
fn inner_products(columns: &[f64], other: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; columns.len() / other.len().max(1)];
    all_dots(columns, other, &mut out);
    out
}

wide! {
    /// The same into a slice.
    fn all_dots(columns: &[f64], other: &[f64], out: &mut [f64]) {
        let n = other.len().max(1);
        // four at a time: their sums do not wait for each other
        let (fours, rest) = out.as_chunks_mut::<4>();
        let (first, last) = columns.split_at(4 * n * fours.len());
        for (four, out) in first.chunks_exact(4 * n).zip(fours) {
            let column = |i: usize| &four[i * n..(i + 1) * n];
            *out = dots([column(0), column(1), column(2), column(3)], other);
        }
        for (column, out) in last.chunks_exact(n).zip(rest) {
            [*out] = dots([column], other);
        }
    }
}

/// Inner products with `b`, each in eight partial sums.
#[inline(always)]
fn dots<const N: usize>(a: [&[f64]; N], b: &[f64]) -> [f64; N] {
    let (b8, b1) = b.as_chunks::<8>();
    let eights = a.map(|a| &a.as_chunks::<8>().0[..b8.len()]);
    let mut sums = [[0.0; 8]; N];
    for (at, b) in b8.iter().enumerate() {
        for (sums, a) in sums.iter_mut().zip(eights) {
            let a = &a[at];
            for i in 0..8 {
                sums[i] += a[i] * b[i];
            }
        }
    }
    std::array::from_fn(|k| {
        let rest = &a[k][b8.len() * 8..];
        let rest = rest.iter().zip(b1).fold(0.0, |s, (a, b)| s + a * b);
        let [a, b, c, d, e, f, g, h] = sums[k];
        ((a + b) + (c + d)) + ((e + f) + (g + h)) + rest
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sines_are_found_again() {
        let n = 400;
        let x: Vec<f64> = (0..n).map(|i| 1.0 + 5e-4 * i as f64).collect();
        let angles: Vec<f64> = x.iter().map(|x| 2.0 * PI * x).collect();
        let truth = [[60.0, 0.3, -0.2], [101.0, 0.1, 0.25]];
        let y: Vec<f64> = angles
            .iter()
            .map(|x| {
                truth.iter().fold(0.0, |s, [f, a, b]| {
                    s + a * (x * f).cos() + b * (x * f).sin()
                })
            })
            .collect();
        let data = Data {
            angles: &angles,
            y: &y,
        };
        let mut sines = Sines::new(&[60.3, 100.8], data);
        sines.fit_robustly(data, &vec![1.0; n], false).unwrap();
        let fitted = sines.fit_robustly(data, &vec![1.0; n], true).unwrap();
        assert!(fitted.chi < 1e-3 && fitted.det > 0.0);
        for (got, want) in sines.parameters.iter().zip(truth) {
            assert!((got[0] - want[0]).abs() < 0.02, "{got:?}");
        }
        for (got, want) in sines.values.iter().zip(&y) {
            assert!((got - want).abs() < 0.01);
        }
    }

    #[test]
    fn what_cannot_be_fitted() {
        let angles: Vec<f64> = (0..50).map(f64::from).collect();
        let data = Data {
            angles: &angles,
            y: &[0.5; 50],
        };
        let fail = |f: &[f64], w: f64| {
            Sines::new(f, data)
                .fit_robustly(data, &[w; 50], true)
                .map(|_| ())
        };
        assert_eq!(fail(&[0.3], 0.0), Err(Failure::Residuals));
        assert_eq!(fail(&[0.3], 1e-3), Err(Failure::Weights));
        assert_eq!(fail(&[0.0], 1.0), Err(Failure::Singular));
    }

    #[test]
    fn a_frequency_found_twice_is_singular() {
        let n = 301;
        let wave = |f: f64| (0..n).map(move |i| (f * (6.0 + 0.004 * f64::from(i))).sin());
        let design: Vec<f64> = [61.0, 93.0, 61.0, 44.0]
            .into_iter()
            .flat_map(wave)
            .collect();
        let weights: Vec<f64> = (0..n).map(|i| 1.0 + 0.1 * f64::from(i % 7)).collect();
        let curvature = products(&design, &weights, n as usize);
        assert_eq!(curvature[..4], curvature[8..12]);
        let factors = Factors::new(4, curvature);
        assert_eq!(factors.determinant(), 0.0);
        assert!(factors.solve(&[1.0; 4]).is_err());
    }

    #[test]
    fn inner_products_in_eight_sums_whatever_the_number_of_columns() {
        for n in [0, 7, 8, 301] {
            let b: Vec<f64> = (0..n).map(|i| (f64::from(i) * 0.3).cos()).collect();
            for count in 0..10 {
                let size = count * n;
                let a: Vec<f64> = (0..size).map(|i| (f64::from(i) * 0.7).sin()).collect();
                let got = inner_products(&a, &b);
                let columns = a.chunks_exact(n.max(1) as usize);
                assert_eq!(got.len(), columns.len());
                for (got, a) in got.into_iter().zip(columns) {
                    let mut sums = [0.0; 8];
                    let whole = n as usize / 8 * 8;
                    for i in 0..whole {
                        sums[i % 8] += a[i] * b[i];
                    }
                    let mut rest = 0.0;
                    for i in whole..n as usize {
                        rest += a[i] * b[i];
                    }
                    let [a, b, c, d, e, f, g, h] = sums;
                    assert_eq!(got, ((a + b) + (c + d)) + ((e + f) + (g + h)) + rest);
                }
            }
        }
    }

    #[test]
    fn evidence_by_hand() {
        let priors = Priors {
            parameters: [-1.0, 1.0],
            noise: [1.0, LN_10.exp()],
        };
        // chi / freedom = 1
        let e = priors.evidence(1, 9.0, 10.0, 4.0).unwrap();
        let want = -0.5 * (10.0 * (2.0 * PI).ln() + 9.0) + 0.5 * (PI * 9.0).ln()
            - LN_10
            - (LN_10.ln() + 2f64.ln())
            + 0.5 * ((2.0 * PI).ln() - 4f64.ln());
        assert!((e - want / LN_10).abs() < 1e-14);
        assert_eq!(priors.evidence(3, 1.0, 3.0, 1.0), Err(Failure::Weights));
        assert_eq!(priors.evidence(1, 1.0, 3.0, 0.0), Err(Failure::Singular));
    }
}
