//! The highest peak of a Lomb-Scargle periodogram with a floating mean (Zechmeister and Kurster 2009), as
//! `astropy.timeseries.LombScargle(x, y).power(f)` has it with its defaults.
//!
//! The power needs sums of sines and cosines over the data at every frequency, which [`WaveSums`] has fast and nearly.
//! Frequencies within its error of the highest are then computed directly.

use std::f64::consts::PI;
use std::sync::{Arc, Mutex, PoisonError};

use super::pairwise_sum::pairwise_sum;
use super::wave_sums::{Places, WaveSums};

/// Fewer data are searched directly.
const FEW: usize = 32;

/// Largest error of a fast power, far above what it is (below 1e-8).
const TOLERANCE: f64 = 1e-6;

/// Places of data and the frequencies that are searched: what the periodograms of several data share.
#[derive(Debug, Clone)]
pub struct Periodogram {
    x: Vec<f64>,
    frequencies: Vec<f64>,
    grid: Option<Grid>,
}

/// Fast sums, and what depends on the places only.
#[derive(Debug, Clone)]
struct Grid {
    plan: Arc<Plan>,
    /// Places about their middle.
    places: Places,
    /// At every searched frequency: mean of cosine and sine, and their (co)variances.
    moments: Vec<Moments>,
}

/// Sums at the searched frequencies and at twice these. Searches of many data at the same frequencies share it.
#[derive(Debug)]
struct Plan {
    frequencies: Vec<f64>,
    once: WaveSums,
    twice: WaveSums,
}

/// Longest transform, for each frequency that is searched: beyond that the direct way is as fast.
const LONGEST: usize = 16;

/// Plans that are kept for the next data.
const KEPT: usize = 16;

static PLANS: Mutex<Vec<Arc<Plan>>> = Mutex::new(Vec::new());

impl Plan {
    fn new(frequencies: &[f64], reach: f64) -> Option<Self> {
        let longest = LONGEST * frequencies.len();
        let doubled: Vec<f64> = frequencies.iter().map(|f| 2.0 * f).collect();
        Some(Self {
            frequencies: frequencies.to_vec(),
            once: WaveSums::new(frequencies, reach, longest)?,
            twice: WaveSums::new(&doubled, reach, longest)?,
        })
    }

    /// The plan for these frequencies and places so far from 0, kept from before or made now, which is the same.
    fn find(frequencies: &[f64], reach: f64) -> Option<Arc<Self>> {
        let mut kept = PLANS.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |p: &Arc<Self>| {
            p.frequencies == frequencies && p.once.serves(reach) && p.twice.serves(reach)
        };
        if let Some(plan) = kept.iter().find(|p| fits(p)) {
            return Some(Arc::clone(plan));
        }
        let plan = Arc::new(Self::new(frequencies, reach)?);
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push(Arc::clone(&plan));
        Some(plan)
    }
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
        let nominal = frequencies.clone();
        Self::of_unit(x, frequencies, 1.0, &nominal)
    }

    /// As [`Self::new`] for `x` in a unit of its own: `nominal` holds the frequencies in cycles for a unit of `x * unit`.
    /// Searches of the same nominal frequencies share what does not depend on the data.
    pub fn of_unit(x: Vec<f64>, frequencies: Vec<f64>, unit: f64, nominal: &[f64]) -> Self {
        let sane = x.len() >= FEW && frequencies.len() >= FEW && frequencies.len() == nominal.len();
        let grid = sane.then(|| Grid::new(&x, unit, nominal)).flatten();
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
        let Some(power) = self.grid.as_ref().and_then(|g| g.powers(&y)) else {
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
    fn new(x: &[f64], unit: f64, frequencies: &[f64]) -> Option<Self> {
        let bounds = (f64::INFINITY, f64::NEG_INFINITY);
        let (low, high) = x
            .iter()
            .fold(bounds, |(a, b), v| (a.min(v * unit), b.max(v * unit)));
        let (middle, reach) = (0.5 * (low + high), 0.5 * (high - low));
        if !(x.iter().all(|x| x.is_finite()) && reach > 0.0) {
            return None;
        }
        let plan = Plan::find(frequencies, reach)?;
        let x: Vec<f64> = x
            .iter()
            .map(|x| (x * unit - middle).clamp(-reach, reach))
            .collect();
        let (n, ones) = (x.len() as f64, vec![1.0; x.len()]);
        let places = plan.once.places(&x);
        let once = plan.once.sums(&places, &ones);
        let twice = plan.twice.sums(&plan.twice.places(&x), &ones);
        let moments = once
            .into_iter()
            .zip(twice)
            .map(|((c, s), (c2, s2))| {
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
            plan,
            places,
            moments,
        })
    }

    /// Powers at all frequencies; none where they are not to be had this way.
    fn powers(&self, y: &[f64]) -> Option<Vec<f64>> {
        let n = y.len() as f64;
        let mean = pairwise_sum(y) / n;
        let squares: Vec<f64> = y.iter().map(|y| y * y).collect();
        let yy = pairwise_sum(&squares) / n - mean * mean;
        let sums = self.plan.once.sums(&self.places, y);
        sums.iter()
            .zip(&self.moments)
            .map(|((yc, ys), m)| {
                let (yc, ys) = (yc / n - mean * m.c, ys / n - mean * m.s);
                let det = m.cc * m.ss - m.cs * m.cs;
                let p = (m.ss * yc * yc + m.cc * ys * ys - 2.0 * m.cs * yc * ys) / (yy * det);
                // where sine and cosine are nearly one function of the places, rounding counts
                (p.is_finite() && det > 1e-4).then_some(p)
            })
            .collect()
    }
}

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
            let powers = p.grid.as_ref().and_then(|g| g.powers(&y));
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
