//! Limits of colours.

use crate::math::percentile::nan_quantile_f32;

/// Least and greatest of values, NaN left out; where these lie further than `tail` times the range of the percentiles (`percentile`
/// and 100 less that) beyond them, the percentile. About 0 where `symmetric`. None where all are NaN.
#[must_use]
pub fn limits(
    values: impl Iterator<Item = f32>,
    percentile: f64,
    tail: f64,
    symmetric: bool,
) -> Option<[f64; 2]> {
    let mut all: Vec<f32> = values.filter(|v| v.is_finite()).collect();
    let ends = all.iter().fold(None, |m: Option<[f32; 2]>, v| {
        let [low, high] = m.unwrap_or([*v; 2]);
        Some([low.min(*v), high.max(*v)])
    })?;
    let [mut low, mut high] = ends.map(f64::from);
    let part = percentile / 100.0;
    let (from, to) = (
        nan_quantile_f32(&mut all, part),
        nan_quantile_f32(&mut all, 1.0 - part),
    );
    let beyond = tail * (to - from);
    if high > to + beyond {
        high = to;
    }
    if low < from - beyond {
        low = from;
    }
    if symmetric {
        let most = low.abs().max(high.abs());
        return Some([-most, most]);
    }
    Some([low, high])
}

#[cfg(test)]
mod tests {
    use super::limits;

    #[test]
    fn one_far_value_does_not_darken_all_others() {
        let plain: Vec<f32> = (0..=1000).map(|v| v as f32).collect();
        assert_eq!(
            limits(plain.iter().copied(), 0.2, 0.2, false),
            Some([0.0, 1000.0])
        );
        let mut far = plain.clone();
        far.extend([f32::NAN, 9e9]);
        let [low, high] = limits(far.iter().copied(), 0.2, 0.2, false).unwrap();
        assert!(low == 0.0 && (high - 999.0).abs() < 1.0, "{low} {high}");
        assert_eq!(
            limits([-3.0, 2.0].into_iter(), 0.0, 0.2, true),
            Some([-3.0, 3.0])
        );
        assert_eq!(limits([f32::NAN].into_iter(), 0.2, 0.2, false), None);
    }
}
