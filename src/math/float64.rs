//! Means and deviations of `f64` values in double precision, as numpy 2.4 takes them.

use super::pairwise_sum::pairwise_sum;

/// Mean; NaN of nothing.
pub fn mean(values: &[f64]) -> f64 {
    pairwise_sum(values) / values.len() as f64
}

/// Standard deviation of the population; NaN of nothing.
pub fn std(values: &[f64]) -> f64 {
    let m = mean(values);
    let squares: Vec<f64> = values.iter().map(|v| (v - m) * (v - m)).collect();
    (pairwise_sum(&squares) / values.len() as f64).sqrt()
}

/// What is left after values beyond `low` and `high` standard deviations from the mean have been
/// taken out again and again until none is (as `scipy.stats.sigmaclip`).
pub fn sigma_clip(mut values: Vec<f64>, low: f64, high: f64) -> Vec<f64> {
    loop {
        let (m, s) = (mean(&values), std(&values));
        let (bottom, top) = (m - s * low, m + s * high);
        let before = values.len();
        values.retain(|v| *v >= bottom && *v <= top);
        if values.len() == before {
            return values;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipping_takes_outliers_and_ends_with_nan() {
        let mut values: Vec<f64> = (0..50).map(|i| f64::from(i % 5)).collect();
        values.push(1000.0);
        assert_eq!(sigma_clip(values.clone(), 3.0, 3.0).len(), 50);
        values.push(f64::NAN);
        assert!(sigma_clip(values, 3.0, 3.0).is_empty());
        assert!(mean(&[]).is_nan() && std(&[]).is_nan());
        // numpy: np.std(np.arange(1000) * 0.1)
        let ramp: Vec<f64> = (0..1000).map(|i| f64::from(i) * 0.1).collect();
        assert_eq!(std(&ramp), 28.867499025720953);
    }
}
