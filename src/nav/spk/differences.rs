//! Types 1 and 21: modified divided differences, what JPL's integrators put out.
//!
//! A record holds a reference epoch and state, the step sizes, and the table of the differences of the
//! acceleration. The acceleration is the sum of differences times products of (t - t_j) / step; its
//! first and second integrals over the step give velocity and position (Shampine & Gordon 1975,
//! Krogh 1970). Type 21 is type 1 with a table of any length.

use super::State;
use crate::Result;
use crate::formats::spice::Array;

/// Number of differences a component in type 1.
const TYPE_1: usize = 15;
/// More than any integrator uses.
const MOST: usize = 25;

/// State at `et`; `any_length` for type 21.
pub(super) fn state(array: Array<'_>, et: f64, any_length: bool) -> Result<State> {
    let count = array.count_back(0, 1)?;
    let length = if any_length {
        array.count_back(1, 1)?
    } else {
        TYPE_1
    };
    let size = 4 * length + 11;
    let room = count.checked_mul(size + 1).filter(|r| *r <= array.len());
    if length > MOST || room.is_none() {
        return Err(array.fault(format!("{count} records of {size} doubles do not fit")));
    }
    // a record holds up to its epoch, included
    let n = array.count_below(count * size, count, et)?.min(count - 1);
    let record = array.range(n * size, size)?;
    evaluate(&record, length, et).ok_or_else(|| array.fault("a record's orders are impossible"))
}

fn evaluate(record: &[f64], length: usize, et: f64) -> Option<State> {
    let (epoch, rest) = record.split_first()?;
    let (steps, rest) = rest.split_at(length);
    let (reference, rest) = rest.split_at(6);
    let (table, orders) = rest.split_at(3 * length);
    let order = |i: usize| {
        let v = *orders.get(i)?;
        (v.fract() == 0.0 && v >= 0.0).then_some(v as usize)
    };
    let top = order(0)?;
    if !(2..=length + 1).contains(&top) {
        return None;
    }
    let delta = et - epoch;
    // factors of the products: g(j) = delta / step(j), f(j) = (delta + step(j-1)) / step(j)
    let mut f = vec![1.0; top];
    let mut g = vec![0.0; top];
    let mut ahead = delta;
    for j in 0..top - 2 {
        let step = steps[j];
        if step == 0.0 {
            return None;
        }
        f[j + 1] = ahead / step;
        g[j] = delta / step;
        ahead = delta + step;
    }
    // w(k, j): k-fold integral over the step of the j-th product, per delta^k. It begins as 1 / k
    // and each integration is a step of f(j) w(k+1, j-1) - g(j) w(k, j)
    let mut w: Vec<f64> = (1..=top + 1).map(|k| 1.0 / k as f64).collect();
    let mut level = top - 1;
    let mut terms = 0;
    let sharpen = |w: &mut Vec<f64>, level: usize, terms: usize| {
        for j in 0..terms {
            w[level + j] = f[j + 1] * w[level + j - 1] - g[j] * w[level + j];
        }
    };
    while level >= 2 {
        terms += 1;
        sharpen(&mut w, level, terms);
        level -= 1;
    }
    let sum = |w: &[f64], level: usize, i: usize| -> Option<f64> {
        let n = order(1 + i)?;
        let column = table.get(i * length..(i + 1) * length)?;
        let differences = column.get(..n)?;
        let weights = w.get(level..level + n)?;
        Some(
            differences
                .iter()
                .zip(weights)
                .rev()
                .map(|(d, w)| d * w)
                .sum(),
        )
    };
    let mut out = State::default();
    for i in 0..3 {
        let (at, speed) = (reference[2 * i], reference[2 * i + 1]);
        out.position[i] = at + delta * (speed + delta * sum(&w, level, i)?);
    }
    if terms > 0 {
        sharpen(&mut w, level, terms);
    }
    level -= 1;
    for i in 0..3 {
        out.velocity[i] = reference[2 * i + 1] + delta * sum(&w, level, i)?;
    }
    Some(out)
}
