//! Types 2, 3 and 20: Chebyshev series over spans of equal length.
//!
//! Type 2 holds series of positions (velocity is their derivative), type 3 of positions and of
//! velocities, type 20 of velocities with the position at the middle of each span.

use super::State;
use crate::Result;
use crate::formats::spice::Array;

/// Value of a series at `x` in -1..1, and its derivative with respect to x (Clenshaw's recurrence).
pub(in crate::nav) fn series(coefficients: &[f64], x: f64) -> (f64, f64) {
    let (mut b1, mut b2, mut d1, mut d2) = (0.0, 0.0, 0.0, 0.0);
    for &c in coefficients.iter().skip(1).rev() {
        (d1, d2) = (2.0 * b1 + 2.0 * x * d1 - d2, d1);
        (b1, b2) = (c + 2.0 * x * b1 - b2, b1);
    }
    let first = coefficients.first().copied().unwrap_or(0.0);
    (first + x * b1 - b2, b1 + x * d1 - d2)
}

/// Value of a series at `x`, and its integral from 0 to `x`.
fn integrated(coefficients: &[f64], x: f64) -> (f64, f64) {
    let at = |k: usize| coefficients.get(k).copied().unwrap_or(0.0);
    // the integral of T0 is T1, that of T1 is T2 / 4, and so on; constants cancel
    let mut sums = vec![0.0; coefficients.len() + 1];
    for (k, s) in sums.iter_mut().enumerate().skip(1) {
        let before = if k == 1 { 2.0 * at(0) } else { at(k - 1) };
        *s = (before - at(k + 1)) / (2.0 * k as f64);
    }
    let value = series(coefficients, x).0;
    (value, series(&sums, x).0 - series(&sums, 0.0).0)
}

/// The record that covers `et` in an array of records of equal span: its number, and its doubles.
/// `init` and `span` are the first epoch and the length of a span.
fn record_at(
    array: Array<'_>,
    et: f64,
    init: f64,
    span: f64,
    size: usize,
    count: usize,
) -> Result<(usize, Vec<f64>)> {
    if !span.is_normal() || span < 0.0 {
        return Err(array.fault(format!("its records cover {span} s")));
    }
    let n = (((et - init) / span).max(0.0) as usize).min(count - 1);
    let start = n
        .checked_mul(size)
        .ok_or_else(|| array.fault("its record size is impossible"))?;
    Ok((n, array.range(start, size)?))
}

/// The record of types 2 and 3: (x in -1..1, half the span, coefficients, number of them a component).
fn record(array: Array<'_>, et: f64, parts: usize) -> Result<(f64, f64, Vec<f64>, usize)> {
    let (init, span) = (array.get_back(3)?, array.get_back(2)?);
    let (size, count) = (array.count_back(1, 2 + parts)?, array.count_back(0, 1)?);
    let (_, mut data) = record_at(array, et, init, span, size, count)?;
    let terms = (size - 2) / parts;
    let (mid, half) = (data[0], data[1]);
    if half <= 0.0 || terms * parts + 2 != size {
        return Err(array.fault(format!(
            "a record has half-span {half} s and {size} doubles"
        )));
    }
    data.drain(..2);
    Ok(((et - mid) / half, half, data, terms))
}

/// Type 2.
pub(in crate::nav) fn positions(array: Array<'_>, et: f64) -> Result<State> {
    let (x, half, data, terms) = record(array, et, 3)?;
    let mut out = State::default();
    for (i, c) in data.chunks_exact(terms).enumerate() {
        let (value, slope) = series(c, x);
        (out.position[i], out.velocity[i]) = (value, slope / half);
    }
    Ok(out)
}

/// Type 3.
pub(super) fn states(array: Array<'_>, et: f64) -> Result<State> {
    let (x, _, data, terms) = record(array, et, 6)?;
    let mut out = [0.0; 6];
    for (o, c) in out.iter_mut().zip(data.chunks_exact(terms)) {
        *o = series(c, x).0;
    }
    Ok(State::new(out))
}

/// Type 20.
pub(super) fn velocities(array: Array<'_>, et: f64) -> Result<State> {
    let (value, rate) = scaled_rates(array, et)?;
    Ok(State {
        position: value,
        velocity: rate,
    })
}

/// Series of rates with the value at the middle of each span: values and rates at `et`, per second.
/// Trailer: unit of the values (km), unit of time (s), first epoch as Julian day and fraction,
/// span (days), size of a record, number of records.
pub(in crate::nav) fn scaled_rates(array: Array<'_>, et: f64) -> Result<([f64; 3], [f64; 3])> {
    let (unit, time) = (array.get_back(6)?, array.get_back(5)?);
    let (day, fraction) = (array.get_back(4)?, array.get_back(3)?);
    let span = array.get_back(2)? * 86_400.0;
    let (size, count) = (array.count_back(1, 6)?, array.count_back(0, 1)?);
    if size % 3 != 0 || time <= 0.0 {
        return Err(array.fault(format!("records of {size} doubles, unit of time {time} s")));
    }
    let init = ((day - 2_451_545.0) + fraction) * 86_400.0;
    let (n, data) = record_at(array, et, init, span, size, count)?;
    let half = span / 2.0;
    let x = (et - (init + (n as f64 + 0.5) * span)) / half;
    let (mut value, mut rate) = ([0.0; 3], [0.0; 3]);
    for (i, c) in data.chunks_exact(size / 3).enumerate() {
        let (v, moved) = integrated(&c[..c.len() - 1], x);
        rate[i] = v * unit / time;
        value[i] = (c[c.len() - 1] + moved * half / time) * unit;
    }
    Ok((value, rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_its_slope_and_its_integral() {
        // 1 + 2 T1 + 3 T2 - T3 = 1 + 2x + 3(2x^2 - 1) - (4x^3 - 3x)
        let c = [1.0, 2.0, 3.0, -1.0];
        for x in [-1.0, -0.3, 0.0, 0.7, 1.0] {
            let (v, d) = series(&c, x);
            assert!((v - (-2.0 + 5.0 * x + 6.0 * x * x - 4.0 * x * x * x)).abs() < 1e-14);
            assert!((d - (5.0 + 12.0 * x - 12.0 * x * x)).abs() < 1e-13);
            let (v2, i) = integrated(&c, x);
            let want = -2.0 * x + 2.5 * x * x + 2.0 * x.powi(3) - x.powi(4);
            assert!(v2 == v && (i - want).abs() < 1e-14, "{i} {want}");
        }
        assert_eq!(series(&[], 0.5), (0.0, 0.0));
        assert_eq!(series(&[4.0], 0.5), (4.0, 0.0));
        assert_eq!(integrated(&[4.0], 0.5), (4.0, 2.0));
    }
}
