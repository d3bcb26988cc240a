//! The level of the dark columns between the two channels, by clipped statistics as astropy forms them.

use std::ops::Range;

use crate::math::clipped_stats::{kept_f32, kept_f64, mean_f32};
use crate::math::median::median_f64;
use crate::math::pairwise_sum::pairwise_sum;

const SIGMA: f32 = 3.0;

/// Columns without light between the channels.
pub fn dark_columns(channels: &str) -> Range<usize> {
    if channels == "12" { 503..516 } else { 474..507 }
}

/// Rows that are measured.
pub const ROWS: Range<usize> = 50..974;

/// Values of the dark region, row by row.
pub fn dark_region<T: Copy>(image: &[T], nx: usize, columns: Range<usize>) -> Vec<T> {
    let rows = image.chunks_exact(nx).skip(ROWS.start).take(ROWS.len());
    rows.flat_map(|row| row[columns.clone()].iter().copied())
        .collect()
}

/// Order in which numpy adds single-precision values up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Of an array in the processor's byte order, as computed by a step before: by halves.
    Computed,
    /// Of an array as read from a FITS file, whose bytes are swapped in buffers of 8192 values: buffer by buffer.
    Read,
}

impl Order {
    fn sum(self, values: &[f32]) -> f32 {
        match self {
            Self::Computed => pairwise_sum(values),
            Self::Read => values.chunks(8192).fold(0.0, |s, c| s + pairwise_sum(c)),
        }
    }
}

/// Mean and standard deviation of finite values in single precision, after clipping.
pub fn level_and_noise(values: &[f32], order: Order) -> (f32, f32) {
    let sum = |values: &[f32]| order.sum(values);
    mean_f32(&kept_f32(values, (SIGMA, SIGMA), sum), sum)
}

/// Median of the finite ones of values, after clipping; NaN where there are none.
pub fn level(values: &[f64]) -> f64 {
    let sigma = f64::from(SIGMA);
    median_f64(&mut kept_f64(values, (sigma, sigma), pairwise_sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_in_the_gap_is_clipped() {
        let mut values: Vec<f32> = (0..1000).map(|i| 0.5 + 0.01 * (i % 7) as f32).collect();
        values[500] = 1e5;
        for order in [Order::Read, Order::Computed] {
            let (mean, std) = level_and_noise(&values, order);
            assert!((mean - 0.53).abs() < 1e-4, "{mean}");
            assert!((std - 0.02).abs() < 1e-3, "{std}");
        }
        let mut wide: Vec<f64> = values.iter().map(|v| f64::from(*v)).collect();
        wide[3] = f64::NAN;
        assert_eq!(level(&wide) as f32, 0.53);
        assert!(level(&[f64::NAN]).is_nan());
    }

    #[test]
    fn the_region_is_cut_out_by_rows() {
        let image: Vec<u32> = (0..1024 * 1032).collect();
        let region = dark_region(&image, 1032, dark_columns("12"));
        assert_eq!(region.len(), 924 * 13);
        assert_eq!((region[0], region[13]), (50 * 1032 + 503, 51 * 1032 + 503));
    }
}
