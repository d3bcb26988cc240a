//! Centre and width of the background by a Gaussian through the histogram of values.

/// Bins of the histogram.
const BINS: usize = 2000;
/// Standard deviations from the centre to its ends.
const REACH: f64 = 4.0;
/// Most steps of the fit.
const STEPS: usize = 300;

/// Mean and standard deviation of a Gaussian fitted by least squares to the histogram of values about a centre; none where there
/// is no histogram, or the fit does not end or leaves the histogram's range.
pub fn gaussian(values: &[f64], centre: f64, width: f64) -> Option<(f64, f64)> {
    let (first, last) = (centre - REACH * width, centre + REACH * width);
    if !(first.is_finite() && last.is_finite() && width > 0.0 && first < last) {
        return None;
    }
    let edges = edges(first, last);
    let counts = counts(values, &edges);
    let middles: Vec<f64> = edges.windows(2).map(|e| (e[1] + e[0]) / 2.0).collect();
    let mut peak = 0;
    for (i, count) in counts.iter().enumerate() {
        if *count > counts[peak] {
            peak = i;
        }
    }
    let span = middles[BINS - 1] - middles[0];
    let start = [counts[peak], middles[peak], width];
    let [height, mean, width] = fit(&middles, &counts, start)?;
    let within = height >= 0.0 && (middles[0]..=middles[BINS - 1]).contains(&mean) && width <= span;
    within.then_some((mean, width))
}

/// Edges of the bins, as `numpy.linspace` spaces them.
fn edges(first: f64, last: f64) -> Vec<f64> {
    let step = (last - first) / BINS as f64;
    let mut edges: Vec<f64> = (0..=BINS).map(|i| i as f64 * step + first).collect();
    edges[BINS] = last;
    edges
}

/// How many values are in each bin; the last has its upper edge too.
fn counts(values: &[f64], edges: &[f64]) -> Vec<f64> {
    let (first, last) = (edges[0], edges[BINS]);
    let mut counts = vec![0u32; BINS];
    for v in values.iter().filter(|v| (first..=last).contains(v)) {
        let near = ((v - first) / (last - first) * BINS as f64) as usize;
        let mut bin = near.min(BINS - 1);
        if *v < edges[bin] {
            bin -= 1;
        } else if *v >= edges[bin + 1] && bin + 1 < BINS {
            bin += 1;
        }
        counts[bin] += 1;
    }
    counts.into_iter().map(f64::from).collect()
}

/// Value of a Gaussian (height, mean, width) and its derivatives by these.
fn value([height, mean, width]: [f64; 3], x: f64) -> (f64, [f64; 3]) {
    let t = (x - mean) / width;
    let e = (-0.5 * t * t).exp();
    (
        height * e,
        [e, height * e * t / width, height * e * t * t / width],
    )
}

/// Half the sum of squared residuals, its gradient, and the normal matrix.
fn normal(x: &[f64], y: &[f64], p: [f64; 3]) -> (f64, [f64; 3], [[f64; 3]; 3]) {
    let (mut cost, mut gradient, mut matrix) = (0.0, [0.0; 3], [[0.0; 3]; 3]);
    for (x, y) in x.iter().zip(y) {
        let (f, d) = value(p, *x);
        let r = f - y;
        cost += 0.5 * r * r;
        for i in 0..3 {
            gradient[i] += r * d[i];
            for j in 0..3 {
                matrix[i][j] += d[i] * d[j];
            }
        }
    }
    (cost, gradient, matrix)
}

/// Least squares by the method of Levenberg and Marquardt, to the last digits; none where it does not end.
fn fit(x: &[f64], y: &[f64], mut p: [f64; 3]) -> Option<[f64; 3]> {
    let mut damping = 1e-3;
    let (mut cost, mut gradient, mut matrix) = normal(x, y, p);
    for _ in 0..STEPS {
        let mut damped = matrix;
        (0..3).for_each(|i| damped[i][i] += damping * matrix[i][i]);
        let step = solve(damped, gradient)?;
        let next: [f64; 3] = std::array::from_fn(|i| p[i] - step[i]);
        let scale = [p[0].abs(), p[2].abs(), p[2].abs()];
        let small = (0..3).all(|i| step[i].abs() <= 1e-12 * scale[i]);
        let tried = normal(x, y, next);
        if next[2] > 0.0 && tried.0 <= cost {
            (cost, gradient, matrix) = tried;
            p = next;
            damping = (damping / 10.0).max(1e-15);
        } else {
            damping *= 10.0;
        }
        if small {
            return Some(p);
        }
    }
    None
}

/// The solution of three equations with a symmetric positive matrix; none where it is singular.
fn solve(mut m: [[f64; 3]; 3], mut b: [f64; 3]) -> Option<[f64; 3]> {
    for i in 0..3 {
        let pivot = m[i][i];
        if pivot.is_nan() || pivot <= 0.0 {
            return None;
        }
        for j in i + 1..3 {
            let factor = m[j][i] / pivot;
            let row = m[i];
            let below = m[j].iter_mut().zip(row).skip(i);
            below.for_each(|(v, above)| *v -= factor * above);
            b[j] -= factor * b[i];
        }
    }
    for i in (0..3).rev() {
        for k in i + 1..3 {
            b[i] -= m[i][k] * b[k];
        }
        b[i] /= m[i][i];
    }
    Some(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_hold_what_lies_between_their_edges() {
        let edges = edges(0.0, 1.0);
        let mut values = edges.clone();
        values.extend([-0.1, 1.1, 0.9999]);
        let counts = counts(&values, &edges);
        assert!(counts[..BINS - 1].iter().all(|c| *c == 1.0));
        assert_eq!(counts[BINS - 1], 3.0);
    }

    #[test]
    fn a_gaussian_is_found_in_spite_of_a_tail() {
        // quantiles of a normal distribution by their inverse, roughly, and a tail
        let mut values = Vec::new();
        for i in -4000..4000i32 {
            let x = f64::from(i) / 1000.0;
            let count = (40.0 * (-0.5 * x * x).exp()).round() as usize;
            values.extend(std::iter::repeat_n(5.0 + 2.0 * x, count));
        }
        values.extend((0..3000).map(|i| 8.0 + f64::from(i) * 0.002));
        let (mean, width) = gaussian(&values, 5.3, 2.2).unwrap();
        assert!(
            (mean - 5.0).abs() < 0.05 && (width - 2.0).abs() < 0.1,
            "{mean} {width}"
        );
    }

    #[test]
    fn no_histogram_no_fit() {
        assert_eq!(gaussian(&[1.0, 2.0], f64::NAN, 1.0), None);
        assert_eq!(gaussian(&[1.0; 9], 1.0, 0.0), None);
        assert_eq!(gaussian(&[], 1.0, 1.0), None);
    }
}
