//! Quantiles as numpy takes them.

/// A quantile of values without NaN, which are reordered.
///
/// `fraction` (0 to 1) counts along the sorted values; between two of them the value is interpolated
/// linearly, from the nearer one as numpy's `percentile` does, so that the bits are the same. NaN where
/// there are no values.
pub fn quantile(values: &mut [f64], fraction: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = last as f64 * fraction;
    let below = (at.floor().max(0.0) as usize).min(last);
    let (_, a, above) = values.select_nth_unstable_by(below, f64::total_cmp);
    let a = *a;
    let b = above.iter().copied().min_by(f64::total_cmp).unwrap_or(a);
    let (step, t) = (b - a, at - below as f64);
    if t >= 0.5 {
        b - step * (1.0 - t)
    } else {
        a + step * t
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_numpys_percentile() {
        // np.percentile([0.1, 0.7, 0.3, 2.9], [0, 25, 60, 99.8, 100])
        let values = [0.1, 0.7, 0.3, 2.9];
        for (percent, want) in [
            (0.0, 0.1),
            (25.0, 0.25),
            (60.0, 0.6199999999999999),
            (99.8, 2.8867999999999996),
            (100.0, 2.9),
        ] {
            assert_eq!(quantile(&mut values.clone(), percent / 100.0), want);
        }
        assert_eq!(quantile(&mut [4.0], 0.3), 4.0);
        assert!(quantile(&mut [], 0.5).is_nan());
    }
}
