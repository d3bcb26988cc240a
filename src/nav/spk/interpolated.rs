//! Types 8, 9, 12, 13 and 18: polynomials through tabulated states.
//!
//! Types 8 and 9 (equal and unequal steps) put one Lagrange polynomial through each component of
//! position and velocity; types 12 and 13 one Hermite polynomial through positions and velocities
//! together. Type 18 (ESA) has packets of 12 (subtype 0: Hermite through positions and
//! velocities, and through velocities and accelerations) or 6 numbers (subtype 1: Lagrange), and
//! uses fewer points near its ends.

use super::State;
use crate::Result;
use crate::formats::spice::Array;

/// Value and slope at `x` of the polynomial through `(nodes, values)`, by Newton's differences; nodes may
/// come twice, then `slopes` has the derivative there.
fn newton(nodes: &[f64], mut table: Vec<f64>, slopes: Option<&[f64]>, x: f64) -> (f64, f64) {
    let n = nodes.len();
    // in place: after step k, table[i] is the difference of nodes i-k ..= i
    for k in 1..n {
        for i in (k..n).rev() {
            let step = nodes[i] - nodes[i - k];
            table[i] = match slopes {
                // only the two entries of one node are equally far
                Some(s) if k == 1 && i % 2 == 1 => s[i / 2],
                _ => (table[i] - table[i - 1]) / step,
            };
        }
    }
    let (mut value, mut slope) = (0.0, 0.0);
    for i in (0..n).rev() {
        slope = slope * (x - nodes[i]) + value;
        value = value * (x - nodes[i]) + table[i];
    }
    (value, slope)
}

/// Value at `x` of the polynomial through `(nodes, values)`, by Neville's scheme.
fn lagrange(nodes: &[f64], values: &[f64], x: f64) -> f64 {
    let mut work = values.to_vec();
    let n = nodes.len();
    for k in 1..n {
        for i in 0..n - k {
            let (a, b) = (nodes[i], nodes[i + k]);
            work[i] = ((b - x) * work[i] + (x - a) * work[i + 1]) / (b - a);
        }
    }
    work.first().copied().unwrap_or(f64::NAN)
}

/// Hermite: value and slope at `x`.
fn hermite(nodes: &[f64], values: &[f64], slopes: &[f64], x: f64) -> (f64, f64) {
    let twice = |v: &[f64]| -> Vec<f64> { v.iter().flat_map(|&a| [a, a]).collect() };
    newton(&twice(nodes), twice(values), Some(slopes), x)
}

/// States of a window: epochs relative to the epoch asked for, and rows of `width` numbers.
struct Window {
    nodes: Vec<f64>,
    rows: Vec<f64>,
    width: usize,
}

impl Window {
    fn column(&self, i: usize) -> Vec<f64> {
        let rows = self.rows.chunks_exact(self.width);
        rows.map(|r| r[i]).collect()
    }

    /// Each of six components by itself.
    fn lagrange(&self) -> State {
        State::new(std::array::from_fn(|i| {
            lagrange(&self.nodes, &self.column(i), 0.0)
        }))
    }

    /// Columns `at..at + 3` with their derivatives in the three after them.
    fn hermite(&self, at: usize) -> State {
        let mut out = State::default();
        for i in 0..3 {
            let (values, slopes) = (self.column(at + i), self.column(at + 3 + i));
            (out.position[i], out.velocity[i]) = hermite(&self.nodes, &values, &slopes, 0.0);
        }
        out
    }
}

/// First state of the window of `size` around `et`, of `n` states; `low` is the last state not after `et`,
/// `near` the nearest. All of the window lies inside, near the ends it is off centre.
fn first_of(n: usize, size: usize, low: usize, near: usize) -> usize {
    let centered = if size % 2 == 1 {
        near as i64 - (size / 2) as i64
    } else {
        low as i64 - (size / 2 - 1) as i64
    };
    (centered.max(0) as usize).min(n - size)
}

/// Types 8 and 12: first epoch, step, size of the window less 1, number of states.
fn even(array: Array<'_>, et: f64) -> Result<Window> {
    let (start, step) = (array.get_back(3)?, array.get_back(2)?);
    let (size, n) = (array.count_back(1, 0)? + 1, array.count_back(0, 1)?);
    if step <= 0.0 || size > n {
        return Err(array.fault(format!(
            "its {n} states {step} s apart do not fill a window of {size}"
        )));
    }
    let place = ((et - start) / step).clamp(0.0, (n - 1) as f64);
    let first = first_of(n, size, place as usize, (place + 0.5) as usize);
    let epoch = |i: usize| (start - et) + (first + i) as f64 * step;
    Ok(Window {
        nodes: (0..size).map(epoch).collect(),
        rows: array.range(first * 6, size * 6)?,
        width: 6,
    })
}

/// The `n` epochs from `at` on: the last that is not after `et`, and the nearest.
fn around(array: Array<'_>, at: usize, n: usize, et: f64) -> Result<(usize, usize)> {
    let after = array.count_below(at, n, et)?;
    // an epoch itself counts as not after
    let low = if after < n && array.get(at + after)? == et {
        after
    } else {
        after.saturating_sub(1)
    };
    let high = (low + 1).min(n - 1);
    let nearer_low = et - array.get(at + low)? < array.get(at + high)? - et;
    Ok((low, if nearer_low { low } else { high }))
}

/// Epochs `first..first + size` of those from `at` on, less `et`; they ascend.
fn epochs(array: Array<'_>, at: usize, first: usize, size: usize, et: f64) -> Result<Vec<f64>> {
    let all = array.range(at + first, size)?;
    if all.windows(2).any(|w| w[0] >= w[1]) {
        return Err(array.fault("its epochs do not ascend"));
    }
    Ok(all.iter().map(|t| t - et).collect())
}

/// Types 9 and 13: states, epochs, a directory of them, size of the window less 1, number of states.
fn uneven(array: Array<'_>, et: f64) -> Result<Window> {
    let (size, n) = (array.count_back(1, 0)? + 1, array.count_back(0, 1)?);
    if size > n || n > array.len() / 7 {
        return Err(array.fault(format!("its {n} states do not fill a window of {size}")));
    }
    let (low, near) = around(array, n * 6, n, et)?;
    let first = first_of(n, size, low, near);
    Ok(Window {
        nodes: epochs(array, n * 6, first, size, et)?,
        rows: array.range(first * 6, size * 6)?,
        width: 6,
    })
}

/// Type 8.
pub(super) fn even_lagrange(array: Array<'_>, et: f64) -> Result<State> {
    Ok(even(array, et)?.lagrange())
}

/// Type 9.
pub(super) fn uneven_lagrange(array: Array<'_>, et: f64) -> Result<State> {
    Ok(uneven(array, et)?.lagrange())
}

/// Type 12.
pub(super) fn even_hermite(array: Array<'_>, et: f64) -> Result<State> {
    Ok(even(array, et)?.hermite(0))
}

/// Type 13.
pub(super) fn uneven_hermite(array: Array<'_>, et: f64) -> Result<State> {
    Ok(uneven(array, et)?.hermite(0))
}

/// Type 18: packets, epochs, a directory, then subtype, size of the window, number of packets.
pub(super) fn packets(array: Array<'_>, et: f64) -> Result<State> {
    let (subtype, size, n) = (
        array.count_back(2, 0)?,
        array.count_back(1, 1)?,
        array.count_back(0, 1)?,
    );
    let width = match subtype {
        0 => 12,
        1 => 6,
        other => {
            return Err(array.fault(format!("subtype {other} of type 18 does not exist")));
        }
    };
    if n > array.len() / (width + 1) {
        return Err(array.fault(format!("its {n} packets of {width} do not fit")));
    }
    let (low, near) = around(array, n * width, n, et)?;
    // as many on either side as there are, at most half the window
    let (first, last) = if size % 2 == 1 {
        let half = size / 2;
        (near.saturating_sub(half), near + half)
    } else {
        let half = size / 2;
        ((low + 1).saturating_sub(half), low + half)
    };
    let last = last.min(n - 1);
    let used = last - first + 1;
    let window = Window {
        nodes: epochs(array, n * width, first, used, et)?,
        rows: array.range(first * width, used * width)?,
        width,
    };
    if subtype == 1 {
        return Ok(window.lagrange());
    }
    Ok(State {
        position: window.hermite(0).position,
        velocity: window.hermite(6).position,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_come_back() {
        let p = |x: f64| 2.0 - x + 0.5 * x.powi(3) - 0.1 * x.powi(5);
        let d = |x: f64| -1.0 + 1.5 * x * x - 0.5 * x.powi(4);
        let nodes = [-2.0, -0.7, 0.1, 0.9, 2.2, 3.0];
        let values: Vec<f64> = nodes.map(p).to_vec();
        for x in [-1.5, 0.1, 0.5, 2.9] {
            assert!((lagrange(&nodes, &values, x) - p(x)).abs() < 1e-13);
            let slopes = nodes.map(d);
            let (v, s) = hermite(&nodes[..3], &values[..3], &slopes[..3], x);
            assert!((v - p(x)).abs() < 1e-12 && (s - d(x)).abs() < 1e-12);
        }
    }

    #[test]
    fn windows_stay_inside() {
        assert_eq!(first_of(10, 4, 4, 4), 3);
        assert_eq!(first_of(10, 4, 0, 0), 0);
        assert_eq!(first_of(10, 4, 9, 9), 6);
        assert_eq!(first_of(10, 5, 4, 5), 3);
        assert_eq!(first_of(3, 3, 2, 2), 0);
    }
}
