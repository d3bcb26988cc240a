//! The spectrum without its fringes: a spline with one knot for each period of the fringe.

use super::failure::Failure;
use crate::math::interpolate::linear;
use crate::math::lsq_spline::LsqSpline;
use crate::math::pairwise_sum::pairwise_sum;

/// Distance from the spline, in units of the scatter, beyond which a value has no weight.
const DOMAIN: f64 = 10.0;

/// Change of chi squared below which the robust fit has settled, relative where chi squared is above 1.
const TOLERANCE: f64 = 1e-4;

/// A background and its knots.
#[derive(Debug, Clone)]
pub struct Background {
    /// Value at each datum.
    pub values: Vec<f64>,
    /// Indices of the knots.
    pub knots: Vec<usize>,
}

impl Background {
    /// Fits `flux` (any unit) over `wavenumber` (cm-1), which falls with the index where `falling`.
    /// `period` in cm-1 is the fringe's: a quadratic spline fitted robustly for long ones (above 1.5), a
    /// broken line for short ones.
    ///
    /// # Errors
    /// [`Failure::Periods`], [`Failure::Knots`], [`Failure::Background`].
    pub fn fit(
        flux: &[f64],
        weights: &[f64],
        wavenumber: &[f64],
        period: f64,
        falling: bool,
    ) -> Result<Self, Failure> {
        let lowest = wavenumber.iter().fold(f64::INFINITY, |m, v| m.min(*v));
        let highest = wavenumber.iter().fold(f64::NEG_INFINITY, |m, v| m.max(*v));
        let span = highest - lowest;
        let periods = whole_periods(span, period);
        if periods.is_nan() || periods < 5.0 {
            return Err(Failure::Periods);
        }
        let knots = knots(flux, weights, (span / period) as usize);
        let place = |i: &usize| wavenumber[*i] / lowest;
        let mut x: Vec<f64> = wavenumber.iter().map(|v| v / lowest).collect();
        let mut interior: Vec<f64> = knots[1..knots.len() - 1].iter().map(place).collect();
        let (mut y, mut w) = (flux.to_vec(), weights.to_vec());
        if falling {
            for v in [&mut x, &mut interior, &mut y, &mut w] {
                v.reverse();
            }
        }
        let mut values = if period > 1.5 {
            robust(
                &LsqSpline::new(&x, &interior, 2)?,
                &y,
                &w,
                interior.len() + 6,
            )?
        } else {
            let spline = LsqSpline::new(&x, &interior, 1)?;
            let mut values = vec![0.0; x.len()];
            spline.evaluate(&spline.fit(&y, &w), &mut values);
            values
        };
        if falling {
            values.reverse();
        }
        bridge(&mut values, weights);
        Ok(Self { values, knots })
    }
}

/// Python's `span // period` of floats.
fn whole_periods(span: f64, period: f64) -> f64 {
    let quotient = (span - span % period) / period;
    let floor = quotient.floor();
    if quotient - floor > 0.5 {
        floor + 1.0
    } else {
        floor
    }
}

/// Values without weight follow a line between those with weight.
fn bridge(values: &mut [f64], weights: &[f64]) {
    for (v, w) in values.iter_mut().zip(weights) {
        *v *= if *w > 1e-7 { 1.0 } else { 1e-8 };
    }
    let known = || (0..values.len()).filter(|i| weights[*i] >= 1e-5);
    let places: Vec<f64> = known().map(|i| i as f64).collect();
    if places.is_empty() {
        return;
    }
    let at: Vec<f64> = known().map(|i| values[i]).collect();
    for (i, (v, w)) in values.iter_mut().zip(weights).enumerate() {
        if *w < 1e-5 {
            *v = linear(i as f64, &places, &at);
        }
    }
}

/// Fits until the weights, lowered for values far from the spline, change chi squared no more.
fn robust(
    spline: &LsqSpline,
    y: &[f64],
    w: &[f64],
    parameters: usize,
) -> Result<Vec<f64>, Failure> {
    let mut values = vec![0.0; y.len()];
    let mut terms = vec![0.0; y.len()];
    let mut chi_squared = |values: &[f64], weights: &[f64]| {
        for (((t, y), v), w) in terms.iter_mut().zip(y).zip(values).zip(weights) {
            let d = y - v;
            *t = d * d * w;
            if t.is_nan() {
                *t = 0.0;
            }
        }
        pairwise_sum(&terms)
    };
    spline.evaluate(&spline.fit(y, w), &mut values);
    let mut chi = chi_squared(&values, w);
    let freedom = pairwise_sum(w) - parameters as f64;
    let mut weights = vec![0.0; y.len()];
    for _ in 0..1000 * parameters {
        let scale = (chi / freedom).sqrt();
        for (((new, y), v), w) in weights.iter_mut().zip(y).zip(&values).zip(w) {
            let r = (y - v) / (scale * DOMAIN);
            let r2 = r * r;
            let k = if r2 <= 1.0 { 1.0 - r2 } else { 0.0 };
            *new = k * k * w;
        }
        spline.evaluate(&spline.fit(y, &weights), &mut values);
        let new = chi_squared(&values, &weights);
        let tolerance = if new < 1.0 {
            TOLERANCE
        } else {
            TOLERANCE * new
        };
        if (chi - new).abs() < tolerance {
            return Ok(values);
        }
        chi = new;
    }
    Err(Failure::Background)
}

/// Indices of knots: the ends, one in each of `count` equal parts, and the edges of what has weight.
///
/// `count` must not be 0 and there must be two values at least.
fn knots(flux: &[f64], weights: &[f64], count: usize) -> Vec<usize> {
    let n = flux.len();
    let step = n as f64 / count as f64;
    let last_part = (n - 1) as f64 - ((count - 1) as f64 * step).round_ties_even();
    let mut places = vec![0.0];
    places.extend((0..count).map(|i| i as f64 * step + last_part / 2.0));
    places.push((n - 1) as f64);
    let clean = |v: f64| {
        if v.is_nan() {
            0.0
        } else if v < 0.0 || v.is_infinite() {
            1e-8
        } else {
            v
        }
    };
    let weight = |i: usize| {
        let there = clean(flux[i]) > 1e-3;
        clean(weights[i]) * f64::from(u8::from(there))
    };
    let mut edges = Vec::new();
    for i in 0..n - 1 {
        let (a, b) = (weight(i), weight(i + 1));
        let larger = a.max(b);
        let step = (b - a).abs();
        let edge = larger > 1e-3 && (larger - step).abs() <= 0.1 * larger.max(step);
        if !edge {
            continue;
        }
        let at = i + usize::from(b > a);
        let beside = |p: &f64| *p == at as f64 - 1.0 || *p == at as f64 + 1.0;
        if !places.iter().any(beside) {
            edges.push(at);
        }
    }
    let mut all: Vec<usize> = places.iter().map(|p| *p as usize).chain(edges).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knots_by_hand() {
        // parts of 2.5: the last begins at round(7.5) = 8, so half of 9 - 8 is added
        assert_eq!(knots(&[1.0; 10], &[1.0; 10], 4), [0, 3, 5, 8, 9]);
        let mut w = [1.0; 10];
        w[4] = 1e-8;
        assert_eq!(knots(&[1.0; 10], &w, 2), [0, 2, 5, 7, 9]);
        // flux of nothing counts as no weight
        let mut flux = [1.0; 10];
        flux[4] = f64::NAN;
        assert_eq!(knots(&flux, &[1.0; 10], 2), [0, 2, 5, 7, 9]);
    }

    #[test]
    fn periods_counted_as_python_counts() {
        assert_eq!(whole_periods(14.6, 2.9), 5.0);
        assert_eq!(whole_periods(14.4, 2.9), 4.0);
        assert_eq!(whole_periods(0.3, 0.1), 2.0);
    }

    #[test]
    fn a_smooth_spectrum_is_its_own_background() {
        let n = 300;
        let x: Vec<f64> = (0..n).map(|i| 900.0 - 0.3 * i as f64).collect();
        let y: Vec<f64> = x.iter().map(|x| 2.0 + 1e-3 * (x - 850.0)).collect();
        for period in [2.9, 0.4] {
            let b = Background::fit(&y, &vec![1.0; n], &x, period, true).unwrap();
            for (got, want) in b.values.iter().zip(&y) {
                assert!((got - want).abs() < 1e-9);
            }
        }
        let e = Background::fit(&y, &vec![1.0; n], &x, 20.0, true).map(|_| ());
        assert_eq!(e, Err(Failure::Periods));
        // wavenumbers the wrong way round
        let e = Background::fit(&y, &vec![1.0; n], &x, 2.9, false).map(|_| ());
        assert_eq!(e, Err(Failure::Knots));
    }
}
