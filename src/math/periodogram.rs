//! The highest peak of a Lomb-Scargle periodogram with a floating mean (Zechmeister and Kurster 2009), as
//! `astropy.timeseries.LombScargle(x, y).power(f)` has it with its defaults.
//!
//! The power needs sums of sines and cosines over the data at every frequency. A sum over data is a function
//! of the frequency with a limited band: it is found on a regular grid much finer than the data's
//! resolution, where sines follow from the grid point before by one rotation, and interpolated from there.
//! Frequencies within the error of the interpolation of the highest are then computed directly.

use std::f64::consts::PI;

use super::pairwise_sum::pairwise_sum;

/// Grid points for one cycle across the data.
const OVERSAMPLING: f64 = 8.0;

/// Grid points an interpolated value is made from.
const POINTS: usize = 12;

/// Fewer data are searched directly.
const FEW: usize = 32;

/// Largest error of an interpolated power, far above what it is (below 1e-8).
const TOLERANCE: f64 = 1e-6;

/// Places of data and the frequencies that are searched: what the periodograms of several data share.
#[derive(Debug, Clone)]
pub struct Periodogram {
    x: Vec<f64>,
    frequencies: Vec<f64>,
    grid: Option<Grid>,
}

/// Grid of frequencies, and what depends on the places only.
#[derive(Debug, Clone)]
struct Grid {
    first: f64,
    step: f64,
    count: usize,
    /// Places about their middle.
    x: Vec<f64>,
    /// At every searched frequency: mean of cosine and sine, and their (co)variances.
    places: Vec<Moments>,
}

#[derive(Debug, Clone, Copy)]
struct Moments {
    c: f64,
    s: f64,
    cc: f64,
    ss: f64,
    cs: f64,
}

impl Periodogram {
    /// Prepares a search of `frequencies` (cycles for a unit of `x`, in any order) for data at `x`.
    pub fn new(x: Vec<f64>, frequencies: Vec<f64>) -> Self {
        let grid = Grid::new(&x, &frequencies);
        Self {
            x,
            frequencies,
            grid,
        }
    }

    /// Index of the frequency with the highest power (the first of equal ones, and the first without a
    /// power where there is one, as `numpy.argmax`); none where there are no frequencies.
    pub fn peak(&self, y: &[f64]) -> Option<usize> {
        if self.frequencies.is_empty() {
            return None;
        }
        let mean = y.iter().fold(0.0, |s, v| s + v) / y.len() as f64;
        let y: Vec<f64> = y.iter().map(|v| v - mean).collect();
        let all = || 0..self.frequencies.len();
        let Some(power) = self
            .grid
            .as_ref()
            .and_then(|g| g.powers(&y, &self.frequencies))
        else {
            return self.highest(&y, all());
        };
        let top = power.iter().fold(f64::NEG_INFINITY, |m, p| m.max(*p));
        let near = all().filter(|i| power[*i] >= top - TOLERANCE);
        let near: Vec<usize> = near.collect();
        match near.as_slice() {
            [only] => Some(*only),
            _ => self.highest(&y, near.into_iter()),
        }
    }

    fn highest(&self, y: &[f64], which: impl Iterator<Item = usize>) -> Option<usize> {
        let mut best: Option<(usize, f64)> = None;
        for i in which {
            let power = direct(&self.x, y, 2.0 * PI * self.frequencies[i]);
            if power.is_nan() {
                return Some(i);
            }
            if best.is_none_or(|(_, p)| power > p) {
                best = Some((i, power));
            }
        }
        best.map(|(i, _)| i)
    }
}

/// Power at one angular frequency, in astropy's order of operations; `y` has its mean subtracted.
fn direct(x: &[f64], y: &[f64], omega: f64) -> f64 {
    let n = x.len() as f64;
    let (mut s, mut c, mut s2, mut c2) = (0.0, 0.0, 0.0, 0.0);
    for x in x {
        let (sin, cos) = (omega * x).sin_cos();
        s += sin;
        c += cos;
        s2 += 2.0 * sin * cos;
        c2 += 1.0 - 2.0 * sin * sin;
    }
    let (s, c) = (s / n, c / n);
    let (s2, c2) = (s2 / n - 2.0 * s * c, c2 / n - (c * c - s * s));
    let tau = 0.5 * s2.atan2(c2) / omega;
    let mut sums = [0.0; 8];
    for (x, y) in x.iter().zip(y) {
        let (sin, cos) = (omega * (x - tau)).sin_cos();
        let terms = [
            y,
            &(y * y),
            &cos,
            &sin,
            &(y * cos),
            &(y * sin),
            &(cos * cos),
            &(sin * sin),
        ];
        sums.iter_mut().zip(terms).for_each(|(sum, t)| *sum += t);
    }
    let [y, yy, c, s, yc, ys, cc, ss] = sums.map(|v| v / n);
    let (yc, ys, cc, ss) = (yc - y * c, ys - y * s, cc - c * c, ss - s * s);
    (yc * yc / cc + ys * ys / ss) / (yy - y * y)
}

impl Grid {
    /// None where the direct way is as good or the only one.
    fn new(x: &[f64], frequencies: &[f64]) -> Option<Self> {
        let bounds = |v: &[f64]| {
            v.iter()
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| {
                    (a.min(*v), b.max(*v))
                })
        };
        let ((x0, x1), (f0, f1)) = (bounds(x), bounds(frequencies));
        let step = 1.0 / (OVERSAMPLING * (x1 - x0));
        let margin = (POINTS / 2 + 1) as f64;
        let count = (f1 - f0) / step + 2.0 * margin;
        let sane = x.iter().chain(frequencies).all(|v| v.is_finite())
            && x.len() >= FEW
            && frequencies.len() >= FEW
            && step.is_finite()
            // beyond that many the direct way is faster
            && count < 4.0 * frequencies.len() as f64;
        if !sane {
            return None;
        }
        let middle = 0.5 * (x0 + x1);
        let x: Vec<f64> = x.iter().map(|x| x - middle).collect();
        let n = x.len() as f64;
        let count = count.ceil() as usize + 1;
        let first = f0 - margin * step;
        let ones = vec![1.0; x.len()];
        let at_f = sums(&x, &ones, first, step, count);
        // the same grid step at twice the frequencies
        let first2 = 2.0 * f0 - margin * step;
        let count2 = (2.0 * (f1 - f0) / step + 2.0 * margin).ceil() as usize + 1;
        let at_2f = sums(&x, &ones, first2, step, count2);
        let places = frequencies
            .iter()
            .map(|f| {
                let (c, s) = at((f - first) / step, &at_f);
                let (c2, s2) = at((2.0 * f - first2) / step, &at_2f);
                let (c, s, c2, s2) = (c / n, s / n, c2 / n, s2 / n);
                Moments {
                    c,
                    s,
                    cc: 0.5 * (1.0 + c2) - c * c,
                    ss: 0.5 * (1.0 - c2) - s * s,
                    cs: 0.5 * s2 - c * s,
                }
            })
            .collect();
        Some(Self {
            first,
            step,
            count,
            x,
            places,
        })
    }

    /// Powers at all frequencies; none where they are not to be had this way.
    fn powers(&self, y: &[f64], frequencies: &[f64]) -> Option<Vec<f64>> {
        let n = y.len() as f64;
        let mean = pairwise_sum(y) / n;
        let squares: Vec<f64> = y.iter().map(|y| y * y).collect();
        let yy = pairwise_sum(&squares) / n - mean * mean;
        let sums = sums(&self.x, y, self.first, self.step, self.count);
        frequencies
            .iter()
            .zip(&self.places)
            .map(|(f, m)| {
                let (yc, ys) = at((f - self.first) / self.step, &sums);
                let (yc, ys) = (yc / n - mean * m.c, ys / n - mean * m.s);
                let det = m.cc * m.ss - m.cs * m.cs;
                let p = (m.ss * yc * yc + m.cc * ys * ys - 2.0 * m.cs * yc * ys) / (yy * det);
                // where sine and cosine are nearly one function of the places, rounding counts
                (p.is_finite() && det > 1e-4).then_some(p)
            })
            .collect()
    }
}

/// Sums of `y cos(2 pi f x)` and `y sin(2 pi f x)` at `count` frequencies from `first` on.
fn sums(x: &[f64], y: &[f64], first: f64, step: f64, count: usize) -> Vec<(f64, f64)> {
    /// Data side by side, for vector instructions.
    const LANES: usize = 8;
    let mut out = vec![(0.0, 0.0); count];
    for (x, y) in x.chunks(LANES).zip(y.chunks(LANES)) {
        let mut turn = ([0.0; LANES], [0.0; LANES]);
        let mut now = ([0.0; LANES], [0.0; LANES]);
        for (i, (x, y)) in x.iter().zip(y).enumerate() {
            (turn.1[i], turn.0[i]) = (2.0 * PI * step * x).sin_cos();
            let (s, c) = (2.0 * PI * first * x).sin_cos();
            (now.0[i], now.1[i]) = (y * c, y * s);
        }
        for out in &mut out {
            let (mut c, mut s) = (0.0, 0.0);
            for i in 0..LANES {
                let (a, b) = (now.0[i], now.1[i]);
                c += a;
                s += b;
                now.0[i] = a * turn.0[i] - b * turn.1[i];
                now.1[i] = a * turn.1[i] + b * turn.0[i];
            }
            out.0 += c;
            out.1 += s;
        }
    }
    out
}

/// The value between grid points by Lagrange's polynomial through the nearest [`POINTS`].
fn at(place: f64, grid: &[(f64, f64)]) -> (f64, f64) {
    let before = (POINTS / 2 - 1) as f64;
    let start = (place.floor() - before).clamp(0.0, (grid.len() - POINTS) as f64);
    let t = place - start;
    let grid = &grid[start as usize..][..POINTS];
    let nearest = t.round();
    if t == nearest && (0.0..POINTS as f64).contains(&t) {
        return grid[t as usize];
    }
    let (mut sum, mut c, mut s) = (0.0, 0.0, 0.0);
    for (i, (&(gc, gs), weight)) in grid.iter().zip(BARYCENTRIC).enumerate() {
        let w = weight / (t - i as f64);
        sum += w;
        c += w * gc;
        s += w * gs;
    }
    (c / sum, s / sum)
}

/// Barycentric weights of equidistant points: binomial coefficients with alternating sign.
const BARYCENTRIC: [f64; POINTS] = {
    let mut w = [1.0; POINTS];
    let mut i = 1;
    while i < POINTS {
        w[i] = -w[i - 1] * (POINTS - i) as f64 / i as f64;
        i += 1;
    }
    w
};

#[cfg(test)]
mod tests {
    use super::*;

    fn data(n: usize, periods: &[(f64, f64)]) -> (Vec<f64>, Vec<f64>) {
        let x: Vec<f64> = (0..n)
            .map(|i| 1.0 + 0.2 * (i as f64 / n as f64) + 1e-4 * ((i * i) % 7) as f64 / n as f64)
            .collect();
        let y = x.iter().enumerate().map(|(i, x)| {
            let noise = ((i * 7919) % 101) as f64 / 101.0 - 0.5;
            periods.iter().fold(0.01 * noise, |s, (p, a)| {
                s + a * (2.0 * PI * x / p + 0.3).sin()
            })
        });
        let y = y.collect();
        (x, y)
    }

    fn frequencies() -> Vec<f64> {
        (0..3000)
            .map(|i| 1.0 / (0.0009 + 0.002 * f64::from(i) / 3000.0))
            .collect()
    }

    #[test]
    fn interpolated_powers_agree_with_direct_ones() {
        for n in [40, 333, 1000] {
            let (x, y) = data(n, &[(0.0015, 0.02), (0.0021, 0.03)]);
            let f = frequencies();
            let p = Periodogram::new(x.clone(), f.clone());
            let mean = y.iter().sum::<f64>() / n as f64;
            let y: Vec<f64> = y.iter().map(|v| v - mean).collect();
            let powers = p.grid.as_ref().and_then(|g| g.powers(&y, &f));
            let Some(powers) = powers else {
                assert_eq!(n, 40, "the grid serves large n");
                continue;
            };
            for i in (0..3000).step_by(13) {
                let want = direct(&x, &y, 2.0 * PI * f[i]);
                assert!(
                    (powers[i] - want).abs() < 1e-8,
                    "{n} {i} {} {want}",
                    powers[i]
                );
            }
        }
    }

    #[test]
    fn the_peak_is_the_highest_of_all() {
        for periods in [
            &[(0.0015, 0.02), (0.0021, 0.03)][..],
            &[(0.0011, 0.001)],
            &[],
        ] {
            let (x, y) = data(500, periods);
            let p = Periodogram::new(x, frequencies());
            let mean = y.iter().fold(0.0, |s, v| s + v) / 500.0;
            let centred: Vec<f64> = y.iter().map(|v| v - mean).collect();
            assert_eq!(p.peak(&y), p.highest(&centred, 0..3000));
        }
    }

    #[test]
    fn nothing_to_find() {
        let x: Vec<f64> = (0..100).map(f64::from).collect();
        assert_eq!(Periodogram::new(x.clone(), Vec::new()).peak(&x), None);
        // no power without variance: numpy's argmax takes the first NaN
        let p = Periodogram::new(x, frequencies());
        assert_eq!(p.peak(&[2.0; 100]), Some(0));
        let p = Periodogram::new(Vec::new(), frequencies());
        assert_eq!(p.peak(&[]), Some(0));
    }
}
