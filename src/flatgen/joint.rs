//! The flat and the scene of one wavelength, solved for together.
//!
//! A value is flat times scene, `ln d = F(spaxel) + S(place) + g(dither)`: linear least squares in three unknowns. The scene
//! is a cubic B-spline on a grid a little coarser than the spaxels, over a plane in which the planet lies the same way in
//! every dither; the dithers' levels `g` differ by no more than a prior allows. Flats are constrained towards 1 by a weak
//! prior, which decides what shifts of a few spaxels cannot tell (a slope across the field). The flats are eliminated
//! (their block is diagonal), the rest is solved by conjugate gradients, and outliers are given Cauchy's, then Tukey's
//! weights in a few rounds.

use super::nan_median;
use super::sky::Sky;

/// Standard deviation of the relative steps of the scene's second differences: constrains nothing but nodes without data.
const ROUGHNESS: f64 = 1.0;
/// Relative error added in quadrature to each value's own.
const FLOOR: f64 = 1e-3;
/// Tukey's and Cauchy's constants, in standard deviations.
const TUKEY: f64 = 4.685;
const CAUCHY: f64 = 2.385;
/// Rounds of new weights, the first few of them Cauchy's, which forget no value.
const ROUNDS: usize = 5;
const GENTLE_ROUNDS: usize = 2;
/// Most iterations of a solution.
const MAX_ITERATIONS: usize = 400;
/// The fall of the residual's norm at which a solution ends, and at which one ends that only serves to find outliers.
const TOLERANCE: f64 = 1e-5;
const ROUGH_TOLERANCE: f64 = 1e-3;
/// As [`TOLERANCE`], for draws, of which only the size counts.
const DRAW_TOLERANCE: f64 = 5e-4;

/// Standard deviations of the priors.
#[derive(Debug, Clone, Copy)]
pub struct Priors {
    /// Of a flat about 1, relative.
    pub flat: f64,
    /// Of the dithers' levels, relative.
    pub level: f64,
}

/// What does not depend on wavelength: which nodes of the scene each value sees.
#[derive(Debug, Clone)]
pub struct Joint {
    size: usize,
    dithers: usize,
    nodes: [usize; 2],
    /// Place of each value among the dithers' images, one behind the other.
    place: Vec<u32>,
    /// First node and the weights along both axes of each value.
    first: Vec<u32>,
    weights: Vec<[f32; 8]>,
    priors: Priors,
    /// Standard deviation of each spaxel's `F` for values with an error of 1; NaN where it is not constrained.
    unit_error: Vec<f64>,
    /// Standard deviation of each spaxel's `F` from what only the priors decide.
    prior_error: Vec<f64>,
    /// Values of each spaxel.
    count: Vec<u32>,
}

/// The unknowns of one wavelength; the next wavelength starts from them.
#[derive(Debug, Clone, Default)]
pub struct Solution {
    scene: Vec<f64>,
    levels: Vec<f64>,
}

/// The flat of one wavelength.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Relative response with mean 1; NaN where it is not known.
    pub flat: Vec<f64>,
    /// Its standard error.
    pub err: Vec<f64>,
}

/// Uniform cubic B-spline weights at the fraction `t` of an interval.
fn spline(t: f64) -> [f32; 4] {
    let u = 1.0 - t;
    [
        (u * u * u / 6.0) as f32,
        ((3.0 * t * t * t - 6.0 * t * t + 4.0) / 6.0) as f32,
        ((3.0 * u * u * u - 6.0 * u * u + 4.0) / 6.0) as f32,
        (t * t * t / 6.0) as f32,
    ]
}

impl Joint {
    /// Sets the problem up for points on the plane of the sky; `spacing` is that of the scene's nodes in spaxels.
    pub fn new(sky: &Sky, size: usize, dithers: usize, spacing: f64, priors: Priors) -> Self {
        let step = sky.pitch * spacing;
        let bounds = |axis: usize| {
            let along = || sky.points.iter().map(|p| p.at[axis]);
            let low = along().fold(f64::INFINITY, f64::min);
            let high = along().fold(f64::NEG_INFINITY, f64::max);
            let n = ((high - low) / step).floor() as usize + 4;
            (low, n)
        };
        let ((low_u, nodes_u), (low_v, nodes_v)) = (bounds(0), bounds(1));
        let mut count = vec![0u32; size];
        let (mut place, mut first, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for p in &sky.points {
            let (u, v) = ((p.at[0] - low_u) / step, (p.at[1] - low_v) / step);
            place.push((p.dither * size + p.spaxel) as u32);
            first.push((v as usize * nodes_u + u as usize) as u32);
            let (a, b) = (spline(u.fract()), spline(v.fract()));
            weights.push([a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]]);
            count[p.spaxel] += 1;
        }
        Self {
            size,
            dithers,
            nodes: [nodes_v, nodes_u],
            place,
            first,
            weights,
            priors,
            unit_error: vec![f64::NAN; size],
            prior_error: vec![f64::NAN; size],
            count,
        }
    }

    fn unknowns(&self) -> usize {
        self.nodes[0] * self.nodes[1] + self.dithers
    }

    /// Scene and level of each value.
    fn predict(&self, x: &[f64], out: &mut [f64]) {
        let across = self.nodes[1];
        let levels = &x[self.nodes[0] * across..];
        for (i, out) in out.iter_mut().enumerate() {
            let (w, first) = (&self.weights[i], self.first[i] as usize);
            let mut sum = levels[self.place[i] as usize / self.size];
            for (row, b) in w[4..].iter().enumerate() {
                let nodes = &x[first + row * across..first + row * across + 4];
                let along = nodes
                    .iter()
                    .zip(w)
                    .fold(0.0, |s, (n, a)| s + n * f64::from(*a));
                sum += along * f64::from(*b);
            }
            *out = sum;
        }
    }

    /// Adds up what each value sends to the nodes and levels (the transpose of [`Joint::predict`]).
    fn gather(&self, values: &[f64], out: &mut [f64]) {
        let across = self.nodes[1];
        let first_level = self.nodes[0] * across;
        out.fill(0.0);
        for (i, value) in values.iter().enumerate().filter(|(_, v)| **v != 0.0) {
            let (w, first) = (&self.weights[i], self.first[i] as usize);
            out[first_level + self.place[i] as usize / self.size] += value;
            for (row, b) in w[4..].iter().enumerate() {
                let part = value * f64::from(*b);
                let nodes = &mut out[first + row * across..first + row * across + 4];
                nodes
                    .iter_mut()
                    .zip(w)
                    .for_each(|(n, a)| *n += part * f64::from(*a));
            }
        }
    }

    /// Adds the second differences' normal matrix times `x`.
    fn roughness(&self, x: &[f64], out: &mut [f64]) {
        let [rows, across] = self.nodes;
        let weight = 1.0 / (ROUGHNESS * ROUGHNESS);
        let mut bend = |a: usize, b: usize, c: usize| {
            let d = weight * (x[a] - 2.0 * x[b] + x[c]);
            out[a] += d;
            out[b] -= 2.0 * d;
            out[c] += d;
        };
        for r in 0..rows {
            for c in 0..across {
                let at = r * across + c;
                if c + 2 < across {
                    bend(at, at + 1, at + 2);
                }
                if r + 2 < rows {
                    bend(at, at + across, at + 2 * across);
                }
            }
        }
    }

    /// Weighted mean of `values` over each spaxel's values, drawn to 0 by the flat's prior.
    fn flats(&self, weights: &[f64], values: &[f64]) -> Vec<f64> {
        let prior = 1.0 / (self.priors.flat * self.priors.flat);
        let mut sums = vec![(0.0, prior); self.size];
        for ((place, w), v) in self.place.iter().zip(weights).zip(values) {
            let (sum, weight) = &mut sums[*place as usize % self.size];
            *sum += w * v;
            *weight += w;
        }
        sums.into_iter().map(|(s, w)| s / w).collect()
    }

    /// Solves for scene and levels, starting from `x`, until the residual's norm has fallen to `tolerance`.
    fn solve(&self, weights: &[f64], values: &[f64], tolerance: f64, x: &mut Vec<f64>) {
        let n = self.unknowns();
        let nodes = n - self.dithers;
        let level_weight = 1.0 / (self.priors.level * self.priors.level);
        x.resize(n, 0.0);
        let residual = |values: &[f64]| -> Vec<f64> {
            let flats = self.flats(weights, values);
            let each = self.place.iter().zip(weights).zip(values);
            each.map(|((p, w), v)| w * (v - flats[*p as usize % self.size]))
                .collect()
        };
        let mut seen = vec![0.0; self.place.len()];
        let mut apply = |x: &[f64], out: &mut Vec<f64>| {
            self.predict(x, &mut seen);
            self.gather(&residual(&seen), out);
            self.roughness(x, out);
            for (out, x) in out[nodes..].iter_mut().zip(&x[nodes..]) {
                *out += level_weight * x;
            }
        };
        let mut rhs = vec![0.0; n];
        self.gather(&residual(values), &mut rhs);
        let diagonal = self.diagonal(weights, level_weight);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).fold(0.0, |s, (a, b)| s + a * b);
        let mut r = vec![0.0; n];
        apply(x, &mut r);
        r.iter_mut().zip(&rhs).for_each(|(r, b)| *r = b - *r);
        let precondition =
            |r: &[f64]| -> Vec<f64> { r.iter().zip(&diagonal).map(|(r, d)| r / d).collect() };
        let goal = {
            let z = precondition(&rhs);
            dot(&rhs, &z) * tolerance * tolerance
        };
        let mut z = precondition(&r);
        let mut direction = z.clone();
        let mut rz = dot(&r, &z);
        let mut image = vec![0.0; n];
        for _ in 0..MAX_ITERATIONS {
            if rz.is_nan() || rz <= goal {
                break;
            }
            apply(&direction, &mut image);
            let step = rz / dot(&direction, &image);
            for i in 0..n {
                x[i] += step * direction[i];
                r[i] -= step * image[i];
            }
            z = precondition(&r);
            let next = dot(&r, &z);
            let ratio = next / rz;
            direction
                .iter_mut()
                .zip(&z)
                .for_each(|(d, z)| *d = z + ratio * *d);
            rz = next;
        }
    }

    /// The diagonal of the normal matrix without the flats' part, for preconditioning.
    fn diagonal(&self, weights: &[f64], level_weight: f64) -> Vec<f64> {
        let across = self.nodes[1];
        let nodes = self.nodes[0] * across;
        let mut out = vec![6.0 / (ROUGHNESS * ROUGHNESS); self.unknowns()];
        out[nodes..].fill(level_weight);
        for (i, weight) in weights.iter().enumerate() {
            let (w, first) = (&self.weights[i], self.first[i] as usize);
            out[nodes + self.place[i] as usize / self.size] += weight;
            for (row, b) in w[4..].iter().enumerate() {
                for (column, a) in w[..4].iter().enumerate() {
                    let part = f64::from(*a) * f64::from(*b);
                    out[first + row * across + column] += weight * part * part;
                }
            }
        }
        out
    }

    /// How far one set of perturbed values moves the flats from the truth: the values perturbed by errors of `noise`, or
    /// (`priors`) flats and levels drawn from their priors and values without errors. `normal` gives standard normal
    /// deviates.
    pub fn draw(&self, noise: f64, priors: bool, normal: &mut dyn FnMut() -> f64) -> Vec<f64> {
        let weights = vec![1.0 / (noise * noise); self.place.len()];
        let (n, nodes) = (self.unknowns(), self.nodes[0] * self.nodes[1]);
        let (mut flats, mut truth) = (vec![0.0; self.size], vec![0.0; n]);
        let mut values = vec![0.0; self.place.len()];
        if priors {
            flats
                .iter_mut()
                .for_each(|f| *f = normal() * self.priors.flat);
            truth[nodes..]
                .iter_mut()
                .for_each(|l| *l = normal() * self.priors.level);
            self.predict(&truth, &mut values);
            for (v, p) in values.iter_mut().zip(&self.place) {
                *v += flats[*p as usize % self.size];
            }
        } else {
            values.iter_mut().for_each(|v| *v = noise * normal());
        }
        let (mut x, mut seen) = (Vec::new(), vec![0.0; self.place.len()]);
        self.solve(&weights, &values, DRAW_TOLERANCE, &mut x);
        self.predict(&x, &mut seen);
        values.iter_mut().zip(&seen).for_each(|(v, s)| *v -= s);
        let found = self.flats(&weights, &values);
        flats.iter_mut().zip(&found).for_each(|(f, e)| *f = e - *f);
        // flats are normalised by their mean
        let known = || flats.iter().zip(&self.count).filter(|(_, c)| **c > 1);
        let mean = known().map(|(f, _)| f).sum::<f64>() / known().count() as f64;
        flats.iter_mut().for_each(|f| *f -= mean);
        flats
    }

    /// Takes the errors of the flats from draws: of values with errors of `noise`, and of the priors.
    pub fn set_errors(&mut self, values: &[Vec<f64>], noise: f64, priors: &[Vec<f64>]) {
        let rms = |draws: &[Vec<f64>], s: usize| {
            let squares = draws.iter().fold(0.0, |sum, d| sum + d[s] * d[s]);
            (squares / draws.len() as f64).sqrt()
        };
        for s in 0..self.size {
            self.unit_error[s] = rms(values, s) / noise;
            self.prior_error[s] = rms(priors, s);
        }
    }

    /// Solves one wavelength: the dithers' images and errors, one behind the other. `last` is a solution to start from, and
    /// becomes this one.
    ///
    /// All NaN where there is no value above 0.
    pub fn flat(&self, images: &[f32], errors: &[f32], last: &mut Solution) -> Image {
        let at = |i: usize| self.place[i] as usize;
        let known: Vec<bool> = (0..self.place.len())
            .map(|i| images[at(i)] > 0.0 && images[at(i)].is_finite())
            .collect();
        let mut image = Image {
            flat: vec![f64::NAN; self.size],
            err: vec![f64::NAN; self.size],
        };
        let total = known.iter().filter(|k| **k).count();
        if total == 0 {
            return image;
        }
        let log = |i: usize| f64::from(images[at(i)]).ln();
        let mut all: Vec<f64> = (0..known.len()).filter(|i| known[*i]).map(log).collect();
        let middle = nan_median(&mut all);
        let values: Vec<f64> = (0..known.len())
            .map(|i| if known[i] { log(i) - middle } else { 0.0 })
            .collect();
        let noise: Vec<f64> = (0..known.len())
            .map(|i| {
                let relative = f64::from(errors[at(i)] / images[at(i)]);
                if known[i] && relative.is_finite() {
                    relative.hypot(FLOOR)
                } else {
                    f64::NAN
                }
            })
            .collect();
        // a value without an error counts as one of the usual error
        let usual = nan_median(&mut noise.clone());
        let usual = if usual.is_nan() { 0.01 } else { usual };
        let base: Vec<f64> = (0..known.len())
            .map(|i| {
                let s = if noise[i].is_nan() { usual } else { noise[i] };
                if known[i] { 1.0 / (s * s) } else { 0.0 }
            })
            .collect();
        let mut x = std::mem::take(&mut last.scene);
        x.append(&mut last.levels);
        let mut weights = base.clone();
        let mut seen = vec![0.0; known.len()];
        let (mut flats, mut scale) = (Vec::new(), 1.0);
        for round in 0..=ROUNDS {
            let tolerance = if round == ROUNDS {
                TOLERANCE
            } else {
                ROUGH_TOLERANCE
            };
            self.solve(&weights, &values, tolerance, &mut x);
            self.predict(&x, &mut seen);
            let rest: Vec<f64> = values.iter().zip(&seen).map(|(v, s)| v - s).collect();
            flats = self.flats(&weights, &rest);
            let sizes = |centres: &[f64]| -> Vec<f64> {
                (0..known.len())
                    .map(|i| (rest[i] - centres[at(i) % self.size]) * base[i].sqrt())
                    .collect()
            };
            let mut spread: Vec<f64> = sizes(&flats)
                .iter()
                .zip(&known)
                .filter_map(|(t, k)| k.then_some(t.abs()))
                .collect();
            scale = 1.4826 * nan_median(&mut spread);
            if round == ROUNDS || scale == 0.0 {
                break;
            }
            // about the medians of spaxels, which one outlier among their few values does not move
            let off = sizes(&self.middles(&known, &rest));
            for i in 0..known.len() {
                let t = off[i] / scale;
                let keep = if round < GENTLE_ROUNDS {
                    1.0 / (1.0 + (t / CAUCHY).powi(2))
                } else if t.abs() < TUKEY {
                    (1.0 - (t / TUKEY).powi(2)).powi(2)
                } else {
                    0.0
                };
                // not 0: a spaxel all of whose values were off would lose them for good
                weights[i] = base[i] * keep.max(1e-6);
            }
        }
        let nodes = x.len() - self.dithers;
        last.levels = x.split_off(nodes);
        last.scene = x;
        self.finish(&known, &base, &flats, scale, total, &mut image);
        image
    }

    /// Median of each spaxel's known values.
    fn middles(&self, known: &[bool], values: &[f64]) -> Vec<f64> {
        let mut of: Vec<Vec<f64>> = vec![Vec::with_capacity(self.dithers); self.size];
        for ((place, known), value) in self.place.iter().zip(known).zip(values) {
            if *known {
                of[*place as usize % self.size].push(*value);
            }
        }
        of.iter_mut().map(nan_median).collect()
    }

    /// Flats and errors from the logarithms; spaxels with fewer than two values have none.
    fn finish(
        &self,
        known: &[bool],
        base: &[f64],
        flats: &[f64],
        scale: f64,
        total: usize,
        image: &mut Image,
    ) {
        let mut sums = vec![(0u32, 0.0); self.size];
        for ((place, known), base) in self.place.iter().zip(known).zip(base) {
            if *known {
                let (n, weight) = &mut sums[*place as usize % self.size];
                *n += 1;
                *weight += base;
            }
        }
        // residuals are smaller than errors by what the unknowns take up of them
        let flats_known = sums.iter().filter(|s| s.0 > 1).count();
        let nodes = self.nodes[0] * self.nodes[1];
        let free = 1.0 - (flats_known + nodes.min(flats_known)) as f64 / total as f64;
        let scale = scale / free.max(0.1).sqrt();
        for (s, (n, weight)) in sums.iter().enumerate() {
            if *n > 1 {
                let noise = scale * (f64::from(*n) / weight).sqrt();
                let fewer = (f64::from(self.count[s]) / f64::from(*n)).sqrt();
                image.flat[s] = flats[s].exp();
                image.err[s] =
                    image.flat[s] * (self.unit_error[s] * noise * fewer).hypot(self.prior_error[s]);
            }
        }
        let mean = super::mean(&image.flat);
        image.flat.iter_mut().for_each(|f| *f /= mean);
        image.err.iter_mut().for_each(|e| *e /= mean);
    }
}
