//! Statistics of what sigma clipping leaves, in single precision as numpy takes them of astropy's clipped arrays.

use crate::math::median::median_f32;
use crate::math::pairwise_sum::pairwise_sum;
use crate::math::sigma_clip::clip_bounds;

/// Values, NaN where sigma clipping about the median took them out or they are not finite.
pub struct Clipped {
    values: Vec<f32>,
    count: f64,
}

impl Clipped {
    /// Clips at so many standard deviations.
    pub fn new(values: &[f32], sigma: f64) -> Self {
        let mut finite: Vec<f64> = values
            .iter()
            .filter(|v| v.is_finite())
            .map(|v| f64::from(*v))
            .collect();
        let (low, high) = clip_bounds(&mut finite, sigma);
        let keep = |v: f32| v.is_finite() && !(f64::from(v) < low || f64::from(v) > high);
        let values: Vec<f32> = values
            .iter()
            .map(|v| if keep(*v) { *v } else { f32::NAN })
            .collect();
        let count = values.iter().filter(|v| !v.is_nan()).count() as f64;
        Self { values, count }
    }

    /// Mean of something of each value; what was clipped keeps its place in the sum, as zero.
    fn mean_of(&self, of: impl Fn(f32) -> f32) -> f32 {
        let values = self.values.iter();
        let terms: Vec<f32> = values
            .map(|v| if v.is_nan() { 0.0 } else { of(*v) })
            .collect();
        (f64::from(pairwise_sum(&terms)) / self.count) as f32
    }

    /// Mean; NaN where nothing is left.
    pub fn mean(&self) -> f32 {
        self.mean_of(|v| v)
    }

    /// Median; NaN where nothing is left.
    pub fn median(&self) -> f32 {
        let values = self.values.iter().copied();
        median_f32(&mut values.filter(|v| !v.is_nan()).collect::<Vec<_>>())
    }

    /// Population standard deviation; NaN where nothing is left.
    pub fn deviation(&self) -> f32 {
        let mean = self.mean();
        self.mean_of(|v| (v - mean) * (v - mean)).sqrt()
    }
}

/// Mean -/+ `sigma` standard deviations of what sigma clipping leaves; NaN where that is nothing.
pub fn limits(values: &[f32], sigma: f64) -> (f32, f32) {
    let clipped = Clipped::new(values, sigma);
    let mean = clipped.mean();
    let width = sigma as f32 * clipped.deviation();
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
