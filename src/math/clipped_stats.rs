//! What sigma clipping of a whole array leaves, and its mean and standard deviation, as astropy's `sigma_clip` and
//! `sigma_clipped_stats` give them where no axis is named (astropy 8.0): medians, deviations and bounds are of the values' own
//! precision, and what is clipped in one round stays out. Along an axis astropy goes another way: [`super::sigma_clip`].

use super::median::{median_f32, median_f64};
use super::pairwise_sum::pairwise_sum;

/// Most rounds, astropy's default.
const ROUNDS: usize = 5;
/// Standard deviations from the median at which values are clipped, astropy's default.
const SIGMA: f32 = 3.0;

macro_rules! clipping {
    ($t:ty, $median:ident, $kept:ident, $mean:ident, $clipped:ident) => {
        /// The finite values that are left, in order, where up to five times those are taken out that lie more than so many
        /// (below, above) population standard deviations from the median. `sum` adds values up: numpy's result depends on
        /// how an array lies in memory.
        pub fn $kept(values: &[$t], sigma: ($t, $t), sum: impl Fn(&[$t]) -> $t) -> Vec<$t> {
            let mut kept: Vec<$t> = values.iter().copied().filter(|v| v.is_finite()).collect();
            for _ in 0..ROUNDS {
                let before = kept.len();
                let centre = $median(&mut kept.clone());
                let (_, deviation) = $mean(&kept, &sum);
                let (low, high) = (centre - deviation * sigma.0, centre + deviation * sigma.1);
                kept.retain(|v| *v >= low && *v <= high);
                if kept.len() == before {
                    break;
                }
            }
            kept
        }

        /// Mean and population standard deviation; NaN of nothing.
        pub fn $mean(values: &[$t], sum: impl Fn(&[$t]) -> $t) -> ($t, $t) {
            let mean = |values: &[$t]| (f64::from(sum(values)) / values.len() as f64) as $t;
            let centre = mean(values);
            let squares: Vec<$t> = values.iter().map(|v| (v - centre) * (v - centre)).collect();
            (centre, mean(&squares).sqrt())
        }

        /// Mean and standard deviation of what clipping at 3 standard deviations leaves. Values that are not finite do not
        /// count; NaN where none is left.
        pub fn $clipped(values: &[$t]) -> ($t, $t) {
            let sigma = <$t>::from(SIGMA);
            $mean(&$kept(values, (sigma, sigma), pairwise_sum), pairwise_sum)
        }
    };
}

clipping!(f32, median_f32, kept_f32, mean_f32, clipped_f32);
clipping!(f64, median_f64, kept_f64, mean_f64, clipped_f64);

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

    #[test]
    fn a_value_on_the_bound_is_clipped_in_one_precision_and_kept_in_the_other() {
        // astropy's SigmaClip(sigma=1.5) of these as float32, and of the same numbers as float64
        let single = [0.2f32, 3.8, 3.2, 1.5, 2.4, 0.4, 2.1, 3.0];
        let double = single.map(f64::from);
        let kept = kept_f32(&single, (1.5, 1.5), pairwise_sum);
        assert_eq!(kept, [3.8, 3.2, 2.4, 2.1, 3.0]);
        let kept = kept_f64(&double, (1.5, 1.5), pairwise_sum);
        assert_eq!(kept, [double[1], double[2], double[4], double[7]]);
    }

    #[test]
    fn what_is_clipped_stays_out_and_rounds_are_five() {
        // each round takes the largest of what is left
        let values: Vec<f64> = (0..12).map(|k| 10f64.powi(k)).collect();
        assert_eq!(kept_f64(&values, (1.5, 1.5), pairwise_sum).len(), 7);
    }

    #[test]
    fn only_high_values_are_clipped_at_an_upper_bound() {
        let values = [-500.0, 1.0, 2.0, 3.0, 4.0, 2.0, 3.0, 2.0, 3.0, 2000.0];
        let kept = kept_f64(&values, (f64::INFINITY, 2.0), pairwise_sum);
        assert_eq!(kept, values[..9]);
        // astropy multiplies the infinite factor by a deviation of zero: nothing is left
        assert!(kept_f64(&[2.0; 9], (f64::INFINITY, 2.0), pairwise_sum).is_empty());
    }
}
