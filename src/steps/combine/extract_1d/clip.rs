//! Statistics of what sigma clipping leaves, in single precision.

use crate::math::clipped_stats::{kept_f32, mean_f32};
use crate::math::median::median_f32;
use crate::math::pairwise_sum::pairwise_sum;

/// Values that sigma clipping about the median leaves.
pub struct Clipped(Vec<f32>);

impl Clipped {
    /// Clips at so many standard deviations; what is not finite is left out.
    pub fn new(values: &[f32], sigma: f64) -> Self {
        let sigma = sigma as f32;
        Self(kept_f32(values, (sigma, sigma), pairwise_sum))
    }

    /// Median; NaN where nothing is left.
    pub fn median(&self) -> f32 {
        median_f32(&mut self.0.clone())
    }

    /// Mean and population standard deviation; NaN where nothing is left.
    pub fn mean_and_deviation(&self) -> (f32, f32) {
        mean_f32(&self.0, pairwise_sum)
    }
}

/// Mean -/+ `sigma` standard deviations of what sigma clipping leaves; NaN where that is nothing.
pub fn limits(values: &[f32], sigma: f64) -> (f32, f32) {
    let (mean, deviation) = Clipped::new(values, sigma).mean_and_deviation();
    let width = sigma as f32 * deviation;
    (mean - width, mean + width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outliers_and_what_is_not_finite_are_left_out() {
        let mut values = vec![1.0f32, 3.0, 1.0, 3.0, 1.0, 3.0, 1.0, 3.0];
        values.extend([f32::NAN, f32::INFINITY, 1000.0]);
        assert_eq!(limits(&values, 2.0), (0.0, 4.0));
        assert_eq!(Clipped::new(&values, 2.0).median(), 2.0);
        for nothing in [&[][..], &[f32::NAN; 3][..]] {
            let (low, high) = limits(nothing, 3.0);
            assert!(low.is_nan() && high.is_nan());
            assert!(Clipped::new(nothing, 3.0).median().is_nan());
        }
    }
}
