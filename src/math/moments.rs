//! Means and deviations in the values' own precision, as numpy 2.4 takes them.

use std::ops::{Add, AddAssign, Div, Mul, Sub};

use super::pairwise_sum::pairwise_sum;

/// `f32` or `f64`.
pub trait Float:
    Copy
    + Default
    + PartialOrd
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
{
    /// A count.
    fn of(count: usize) -> Self;
    /// The square root.
    fn root(self) -> Self;
    /// Whether it is no number.
    fn missing(self) -> bool;
}

macro_rules! float {
    ($($t:ty)*) => {
        $(impl Float for $t {
            fn of(count: usize) -> Self {
                count as Self
            }
            fn root(self) -> Self {
                self.sqrt()
            }
            fn missing(self) -> bool {
                self.is_nan()
            }
        })*
    };
}

float!(f32 f64);

/// Mean; NaN of nothing.
pub fn mean<T: Float>(values: &[T]) -> T {
    pairwise_sum(values) / T::of(values.len())
}

/// Standard deviation of the population; NaN of nothing.
pub fn std<T: Float>(values: &[T]) -> T {
    let m = mean(values);
    let squares: Vec<T> = values.iter().map(|v| (*v - m) * (*v - m)).collect();
    mean(&squares).root()
}

/// Standard deviation of the population of what is not NaN, as `numpy.nanstd` takes it; NaN of nothing.
pub fn nan_std<T: Float>(values: &[T]) -> T {
    let count = T::of(values.iter().filter(|v| !v.missing()).count());
    let zeroed = |v: T, of: T| if v.missing() { T::default() } else { of };
    let known: Vec<T> = values.iter().map(|v| zeroed(*v, *v)).collect();
    let mean = pairwise_sum(&known) / count;
    let square = |v: &T| zeroed(*v, (*v - mean) * (*v - mean));
    let squares: Vec<T> = values.iter().map(square).collect();
    (pairwise_sum(&squares) / count).root()
}

/// What is left after values beyond `low` and `high` standard deviations from the mean have been
/// taken out again and again until none is (as `scipy.stats.sigmaclip`).
pub fn sigma_clip<T: Float>(mut values: Vec<T>, low: T, high: T) -> Vec<T> {
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
        assert!(mean::<f32>(&[]).is_nan() && std::<f64>(&[]).is_nan());
        // numpy: np.std(np.arange(1000) * 0.1)
        let ramp: Vec<f64> = (0..1000).map(|i| f64::from(i) * 0.1).collect();
        assert_eq!(std(&ramp), 28.867499025720953);
    }

    #[test]
    fn nan_takes_no_part() {
        let (a, b) = ([1.0, f32::NAN, 4.0, 2.5, f32::NAN], [1.0, 4.0, 2.5]);
        assert_eq!(nan_std(&a), std(&b));
        assert!(nan_std(&[f32::NAN]).is_nan() && nan_std::<f32>(&[]).is_nan());
        assert!(nan_std(&[1.0, f32::INFINITY]).is_nan());
    }

    #[test]
    fn clipping_takes_outliers_and_ends_with_nan() {
        let mut values: Vec<f32> = (0..50).map(|i| (i % 5) as f32).collect();
        values.push(1000.0);
        assert_eq!(sigma_clip(values.clone(), 3.0, 3.0).len(), 50);
        values.push(f32::NAN);
        let wide: Vec<f64> = values[..51].iter().map(|v| f64::from(*v)).collect();
        assert_eq!(sigma_clip(wide, 3.0, 3.0).len(), 50);
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
