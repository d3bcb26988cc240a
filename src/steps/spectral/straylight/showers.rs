//! A smooth model of the light that cosmic-ray showers leave, from the pixels between the slices.

use std::ops::Range;

use crate::exec::Exec;

/// Weights below this (ten times the rounding of a double) count as none.
const NO_WEIGHT: f64 = 10.0 * f64::EPSILON;

/// Sets what is not to be used to NaN: values outside the percentiles `low` and `high` (0 to 100) of the rest.
pub fn reject_extremes(values: &mut [f32], low: f64, high: f64) {
    let mut sorted: Vec<f32> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    let (low, high) = (percentile(&sorted, low), percentile(&sorted, high));
    for v in values.iter_mut().filter(|v| **v < low || **v > high) {
        *v = f32::NAN;
    }
}

/// A percentile of sorted values, between neighbours by linear interpolation in single precision; NaN of none.
fn percentile(sorted: &[f32], percent: f64) -> f32 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f32::NAN;
    };
    let at = last as f64 * (percent / 100.0);
    if at >= last as f64 {
        return sorted[last];
    }
    let before = at.floor();
    let t = at - before;
    let (a, b) = (sorted[before as usize], sorted[before as usize + 1]);
    let step = b - a;
    if t >= 0.5 {
        b - step * (1.0 - t) as f32
    } else {
        a + step * t as f32
    }
}

/// A Gaussian with sum 1 at `2 half + 1` whole pixels.
fn gaussian(sigma: f64, half: usize) -> Vec<f64> {
    let values: Vec<f64> = (0..=2 * half)
        .map(|i| {
            let x = i as f64 - half as f64;
            (-0.5 * x * x / (sigma * sigma)).exp()
        })
        .collect();
    let sum: f64 = values.iter().sum();
    values.into_iter().map(|v| v / sum).collect()
}

/// Means of the finite values of an image weighted by a Gaussian of these standard deviations (pixels), cut
/// to a square of 8 of the larger one. Beyond the edges the image counts as 0; where no pixel has weight,
/// the mean is 0.
pub fn smooth(image: &[f32], nx: usize, sigma: (f64, f64), exec: &Exec) -> Vec<f64> {
    let ny = image.len() / nx.max(1);
    let half = ((8.0 * sigma.0.max(sigma.1)).ceil() / 2.0).floor() as usize;
    let (along, across) = (gaussian(sigma.0, half), gaussian(sigma.1, half));
    // values and weights summed along the rows, one after the other for each row
    let strips = |n: usize| -> Vec<Range<usize>> {
        let size = exec.strip_rows(n);
        (0..n).step_by(size).map(|y| y..(y + size).min(n)).collect()
    };
    let rows = |rows: Range<usize>| -> Vec<f64> {
        let mut out = vec![0.0; rows.len() * 2 * nx];
        let mut values = vec![0.0; nx + 2 * half];
        let mut weights = vec![1.0; nx + 2 * half];
        for (y, out) in rows.zip(out.chunks_exact_mut(2 * nx)) {
            let padded = values[half..].iter_mut().zip(&mut weights[half..]);
            for (v, (value, weight)) in image[y * nx..(y + 1) * nx].iter().zip(padded) {
                (*value, *weight) = match v.is_finite() {
                    true => (f64::from(*v), 1.0),
                    false => (0.0, 0.0),
                };
            }
            let (sums, norms) = out.split_at_mut(nx);
            for (i, g) in along.iter().enumerate() {
                add(sums, &values[i..i + nx], *g);
                add(norms, &weights[i..i + nx], *g);
            }
        }
        out
    };
    let pairs: Vec<f64> = exec.map(strips(ny), rows).concat();
    let outside: Vec<f64> = [vec![0.0; nx], vec![1.0; nx]].concat();
    let columns = |rows: Range<usize>| -> Vec<f64> {
        let mut out = vec![0.0; rows.len() * nx];
        let mut sums = vec![0.0; 2 * nx];
        for (y, out) in rows.zip(out.chunks_exact_mut(nx)) {
            sums.fill(0.0);
            for (i, g) in across.iter().enumerate() {
                let pair = (y + i).checked_sub(half).filter(|row| *row < ny);
                let pair = pair.map_or(&outside[..], |row| &pairs[row * 2 * nx..][..2 * nx]);
                add(&mut sums, pair, *g);
            }
            let (sums, norms) = sums.split_at(nx);
            for (out, (sum, norm)) in out.iter_mut().zip(sums.iter().zip(norms)) {
                *out = if *norm < NO_WEIGHT { 0.0 } else { sum / norm };
            }
        }
        out
    };
    exec.map(strips(ny), columns).concat()
}

fn add(sums: &mut [f64], values: &[f64], factor: f64) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += factor * value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_as_numpy_takes_them() {
        // np.nanpercentile(np.array([0.1, 0.2, 0.7, 3.3, 9], 'f4'), q)
        let sorted = [0.1f32, 0.2, 0.7, 3.3, 9.0];
        for (q, expect) in [
            (0.0, 0.1),
            (10.0, 0.14),
            (30.0, 0.3),
            (50.0, 0.7),
            (90.0, 6.7200003),
            (99.9, 8.9772),
            (100.0, 9.0),
        ] {
            assert_eq!(percentile(&sorted, q), expect, "{q}");
        }
        assert!(percentile(&[], 50.0).is_nan());
        let mut values = [0.1f32, f32::NAN, 0.2, 0.7, 3.3, 9.0];
        reject_extremes(&mut values, 10.0, 90.0);
        assert!(values[0].is_nan() && values[5].is_nan() && values[2] == 0.2);
    }

    #[test]
    fn a_level_stays_a_level_through_gaps() {
        let (ny, nx) = (60, 80);
        let image: Vec<f32> = (0..ny * nx)
            .map(|i| if i % 3 == 0 { f32::NAN } else { 2.5 })
            .collect();
        for threads in [1, 2, 7] {
            let exec = Exec::new(Some(threads)).unwrap();
            let model = smooth(&image, nx, (1.0, 1.5), &exec);
            let middle = model[30 * nx + 40];
            assert!((middle - 2.5).abs() < 1e-14, "{middle}");
            // half of a corner's neighbourhood lies outside in each direction
            assert!(model[0] < 1.5, "{}", model[0]);
        }
    }

    #[test]
    fn where_nothing_has_weight_there_is_no_light() {
        let image = vec![f32::NAN; 50 * 50];
        let exec = Exec::new(Some(1)).unwrap();
        let model = smooth(&image, 50, (1.0, 1.0), &exec);
        assert!(model.iter().all(|v| *v == 0.0));
    }
}
