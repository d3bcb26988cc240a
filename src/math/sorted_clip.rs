//! Sigma clipping of whole images: as [`super::clipped_stats`], with the bits of astropy's, of values whose order by size is
//! known, so that no round has to look for a median.

use super::pairwise_sum::pairwise_sum;

/// Most rounds, astropy's default.
const ROUNDS: usize = 5;

/// What clipping leaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clipped {
    /// Mean; NaN where nothing is left.
    pub mean: f64,
    /// Median.
    pub median: f64,
    /// Standard deviation of the population.
    pub std: f64,
}

/// Mean, median and standard deviation of what is left where up to five times those values are taken out that lie more than
/// `sigma` population standard deviations from the median (astropy's `sigma_clipped_stats`). `values` are finite and in the
/// order in which numpy has them; `sorted` are the same by size.
pub fn clipped_stats(mut values: Vec<f64>, mut sorted: &[f64], sigma: f64) -> Clipped {
    for _ in 0..ROUNDS {
        let before = values.len();
        let centre = median_of_sorted(sorted);
        let (_, deviation) = mean_and_deviation(&values);
        let (low, high) = (centre - deviation * sigma, centre + deviation * sigma);
        values.retain(|v| *v >= low && *v <= high);
        let first = sorted.partition_point(|v| *v < low);
        let last = sorted.partition_point(|v| *v <= high);
        sorted = sorted.get(first..last).unwrap_or_default();
        if values.len() == before {
            break;
        }
    }
    let (mean, std) = mean_and_deviation(&values);
    Clipped {
        mean,
        median: median_of_sorted(sorted),
        std,
    }
}

/// The median of values in rising order; NaN of none.
fn median_of_sorted(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    match (sorted.len(), sorted.get(half)) {
        (n, Some(upper)) if n.is_multiple_of(2) => (sorted[half - 1] + upper) / 2.0,
        (_, Some(middle)) => *middle,
        _ => f64::NAN,
    }
}

fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = pairwise_sum(values) / n;
    (mean, (sum_of_squares(values, mean) / n).sqrt())
}

/// The sum of squared distances from a mean, in the order of [`pairwise_sum`] and without an array of them.
fn sum_of_squares(values: &[f64], mean: f64) -> f64 {
    const BLOCK: usize = 128;
    let n = values.len();
    if n > BLOCK {
        let half = n / 2 - (n / 2) % 8;
        let (a, b) = values.split_at(half);
        return sum_of_squares(a, mean) + sum_of_squares(b, mean);
    }
    let mut squares = [0.0; BLOCK];
    for (square, v) in squares.iter_mut().zip(values) {
        *square = (v - mean) * (v - mean);
    }
    pairwise_sum(&squares[..n])
}

#[cfg(test)]
mod tests {
    use super::super::clipped_stats::clipped_f64;
    use super::*;

    fn clipped(values: &[f64]) -> Clipped {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        clipped_stats(values.to_vec(), &sorted, 3.0)
    }

    #[test]
    fn values_of_astropy() {
        // sigma_clipped_stats(np.append(np.arange(30) % 7 * 0.1, [50, -9]))
        let mut values: Vec<f64> = (0..30).map(|i| f64::from(i % 7) * 0.1).collect();
        values.extend([50.0, -9.0]);
        let out = clipped(&values);
        assert_eq!(
            (out.mean, out.std),
            (0.2833333333333333, 0.20344259359556172)
        );
        assert_eq!(out.median, 0.30000000000000004);
    }

    #[test]
    fn the_bits_of_the_way_by_selection() {
        let values: Vec<f64> = (0..4099)
            .map(|i| f64::from(i * 7919 % 997).powi(3) * 1e-7)
            .collect();
        let out = clipped(&values);
        assert_eq!((out.mean, out.std), clipped_f64(&values));
    }

    #[test]
    fn nothing_is_nan() {
        let out = clipped(&[]);
        assert!(out.mean.is_nan() && out.median.is_nan() && out.std.is_nan());
    }
}
