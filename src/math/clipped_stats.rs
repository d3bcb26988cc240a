//! Mean and standard deviation behind sigma clipping, as astropy's `sigma_clipped_stats` gives them.

use super::pairwise_sum::pairwise_sum;
use super::sigma_clip::clip_bounds;

/// Standard deviations from the median at which values are clipped.
const SIGMA: f64 = 3.0;

macro_rules! clipped {
    ($(#[$doc:meta])* $name:ident, $t:ty) => {
        $(#[$doc])*
        ///
        /// Values that are not finite do not count; NaN where none is left.
        pub fn $name(values: &[$t]) -> ($t, $t) {
            let finite = values.iter().filter(|v| v.is_finite());
            let mut sample: Vec<f64> = finite.clone().map(|v| f64::from(*v)).collect();
            let (low, high) = clip_bounds(&mut sample, SIGMA);
            let kept: Vec<$t> = finite
                .copied()
                .filter(|v| f64::from(*v) >= low && f64::from(*v) <= high)
                .collect();
            let mean = |values: &[$t]| (f64::from(pairwise_sum(values)) / kept.len() as f64) as $t;
            let centre = mean(&kept);
            let squares: Vec<$t> = kept.iter().map(|v| (v - centre) * (v - centre)).collect();
            (centre, mean(&squares).sqrt())
        }
    };
}

clipped!(
    /// Mean and standard deviation in single precision.
    clipped_f32,
    f32
);
clipped!(
    /// Mean and standard deviation in double precision.
    clipped_f64,
    f64
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_astropy() {
        // sigma_clipped_stats(np.append(np.arange(30) % 7 * 0.1, [50, np.nan, -9]), as float32 and as float64)
        let mut values: Vec<f64> = (0..30).map(|i| f64::from(i % 7) * 0.1).collect();
        values.extend([50.0, f64::NAN, -9.0]);
        assert_eq!(clipped_f64(&values), DOUBLE);
        let single: Vec<f32> = values.iter().map(|v| *v as f32).collect();
        assert_eq!(clipped_f32(&single), SINGLE);
        let (mean, std) = clipped_f32(&[f32::NAN, f32::INFINITY]);
        assert!(mean.is_nan() && std.is_nan());
    }

    const DOUBLE: (f64, f64) = (0.2833333333333333, 0.20344259359556172);
    const SINGLE: (f32, f32) = (0.28333336, 0.20344259);
}
