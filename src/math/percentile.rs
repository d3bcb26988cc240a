//! Quantiles as numpy takes them (method `linear`).

/// Quantile `q` (0 to 1) of values in single precision, NaN left out; the interpolation is in double
/// precision. NaN of nothing. The values are reordered.
pub fn nan_quantile_f32(values: &mut Vec<f32>, q: f64) -> f64 {
    values.retain(|v| !v.is_nan());
    let n = values.len();
    if n == 0 {
        return f64::NAN;
    }
    let place = (n - 1) as f64 * q;
    let below = (place.floor().max(0.0) as usize).min(n - 1);
    let (_, lower, above) = values.select_nth_unstable_by(below, f32::total_cmp);
    let lower = *lower;
    let next = if place >= (n - 1) as f64 {
        lower
    } else {
        above
            .iter()
            .copied()
            .min_by(f32::total_cmp)
            .unwrap_or(lower)
    };
    let (part, step) = (place - place.floor(), f64::from(next - lower));
    if part >= 0.5 {
        f64::from(next) - step * (1.0 - part)
    } else {
        f64::from(lower) + step * part
    }
}

#[cfg(test)]
mod tests {
    use super::nan_quantile_f32;

    #[test]
    fn as_numpy_takes_them() {
        // np.nanquantile(np.array([3.1, nan, 1.7, 2.2, 9.4, -1.3], 'f4'), [q]) of numpy 2.4
        let values = [3.1, f32::NAN, 1.7, 2.2, 9.4, -1.3];
        for (q, expect) in NUMPY {
            let found = nan_quantile_f32(&mut values.to_vec(), q);
            assert_eq!(found.to_bits(), f64::to_bits(expect), "{q}: {found}");
        }
        assert!(nan_quantile_f32(&mut vec![f32::NAN], 0.5).is_nan());
    }

    const NUMPY: [(f64, f64); 5] = [
        (0.0, -1.2999999523162842),
        (0.1, -0.099999952316284),
        (0.37, 1.9400000476837158),
        (0.9, 6.879999732971192),
        (1.0, 9.399999618530273),
    ];
}
