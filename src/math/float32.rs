//! Means and deviations of `f32` values in single precision, as numpy 2.4 takes them.

use super::pairwise_sum::pairwise_sum;

/// Mean; NaN of nothing.
pub fn mean(values: &[f32]) -> f32 {
    pairwise_sum(values) / values.len() as f32
}

/// Standard deviation of the population; NaN of nothing.
pub fn std(values: &[f32]) -> f32 {
    let m = mean(values);
    let squares: Vec<f32> = values.iter().map(|v| (v - m) * (v - m)).collect();
    (pairwise_sum(&squares) / values.len() as f32).sqrt()
}

/// Standard deviation of the population of what is not NaN, as `numpy.nanstd` takes it; NaN of nothing.
pub fn nan_std(values: &[f32]) -> f32 {
    let count = values.iter().filter(|v| !v.is_nan()).count() as f32;
    let known: Vec<f32> = values
        .iter()
        .map(|v| if v.is_nan() { 0.0 } else { *v })
        .collect();
    let mean = pairwise_sum(&known) / count;
    let squares: Vec<f32> = values
        .iter()
        .map(|v| {
            if v.is_nan() {
                0.0
            } else {
                (v - mean) * (v - mean)
            }
        })
        .collect();
    (pairwise_sum(&squares) / count).sqrt()
}

/// What is left after values beyond `low` and `high` standard deviations from the mean have been
/// taken out again and again until none is (as `scipy.stats.sigmaclip`).
pub fn sigma_clip(mut values: Vec<f32>, low: f32, high: f32) -> Vec<f32> {
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
    fn sums_in_numpys_order() {
        // numpy: np.sum(np.arange(n, dtype='f4') * np.float32(0.1))
        let ramp = |n: usize| (0..n).map(|i| i as f32 * 0.1).collect::<Vec<f32>>();
        for (n, expect) in SUMS {
            assert_eq!(
                pairwise_sum(&ramp(n)).to_bits(),
                f32::to_bits(expect),
                "{n}"
            );
        }
        assert_eq!(std(&ramp(1000)).to_bits(), f32::to_bits(STD_1000));
        assert!(mean(&[]).is_nan() && std(&[]).is_nan());
    }

    #[test]
    fn nan_takes_no_part() {
        let (a, b) = ([1.0, f32::NAN, 4.0, 2.5, f32::NAN], [1.0, 4.0, 2.5]);
        assert_eq!(nan_std(&a), std(&b));
        assert!(nan_std(&[f32::NAN]).is_nan() && nan_std(&[]).is_nan());
        assert!(nan_std(&[1.0, f32::INFINITY]).is_nan());
    }

    #[test]
    fn clipping_takes_outliers_and_ends_with_nan() {
        let mut values: Vec<f32> = (0..50).map(|i| (i % 5) as f32).collect();
        values.push(1000.0);
        assert_eq!(sigma_clip(values.clone(), 3.0, 3.0).len(), 50);
        values.push(f32::NAN);
        assert!(sigma_clip(values, 3.0, 3.0).is_empty());
    }

    const SUMS: [(usize, f32); 7] = [
        (1, 0.0),
        (7, 2.1),
        (8, 2.7999997),
        (100, 495.0),
        (129, 825.6),
        (1000, 49950.0),
        (4099, 839885.1),
    ];
    const STD_1000: f32 = 28.8675;
}
