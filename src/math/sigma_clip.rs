//! Iterative sigma clipping about the median, along an axis.
//!
//! Follows `sigma_clip` of astropy 8.0 where an axis is named, which is compiled: all sums in `f64`, over the values in
//! the order its selection algorithm leaves them in, so that bounds agree to the last bit. Where no axis is named astropy
//! clips otherwise: [`super::clipped_stats`].

/// Most clipping rounds, astropy's default.
pub const MAX_ITERATIONS: usize = 5;

/// Bounds `(low, high)` outside which values are outliers: median -/+ `sigma` population standard
/// deviations, found by clipping `values` up to [`MAX_ITERATIONS`] times. NaN bounds for no values.
/// `values` must be finite; they are reordered and overwritten.
pub fn clip_bounds(values: &mut [f64], sigma: f64) -> (f64, f64) {
    clip_bounds_within(values, sigma, Some(MAX_ITERATIONS))
}

/// As [`clip_bounds`] with at most `rounds` rounds (at least one), none for as many as take something out.
pub fn clip_bounds_within(values: &mut [f64], sigma: f64, rounds: Option<usize>) -> (f64, f64) {
    if values.is_empty() {
        return (f64::NAN, f64::NAN);
    }
    let mut count = values.len();
    let mut round = 0;
    loop {
        let kept = &mut values[..count];
        let centre = median_reordering(kept);
        let mean = kept.iter().fold(0.0, |sum, v| sum + v) / count as f64;
        let squares = kept
            .iter()
            .fold(0.0, |sum, v| sum + (v - mean) * (v - mean));
        let deviation = (squares / count as f64).sqrt();
        let bounds = (centre - sigma * deviation, centre + sigma * deviation);
        let mut inside = 0;
        for i in 0..count {
            if values[i] >= bounds.0 && values[i] <= bounds.1 {
                values[inside] = values[i];
                inside += 1;
            }
        }
        round += 1;
        if inside == count || inside == 0 || rounds.is_some_and(|most| round >= most) {
            return bounds;
        }
        count = inside;
    }
}

fn median_reordering(values: &mut [f64]) -> f64 {
    let n = values.len();
    if n.is_multiple_of(2) {
        let upper = select(values, n / 2);
        0.5 * (upper + select(values, n / 2 - 1))
    } else {
        select(values, n / 2)
    }
}

/// The `k`-th smallest value (from 0), by Hoare's selection as in Wirth, "Algorithms + data
/// structures = programs" (1976), with the wanted element as pivot.
fn select(values: &mut [f64], k: usize) -> f64 {
    let (mut low, mut high) = (0isize, values.len() as isize - 1);
    while low < high {
        let pivot = values[k];
        let (mut i, mut j) = (low, high);
        loop {
            while values[i as usize] < pivot {
                i += 1;
            }
            while pivot < values[j as usize] {
                j -= 1;
            }
            if i <= j {
                values.swap(i as usize, j as usize);
                i += 1;
                j -= 1;
            }
            if i > j {
                break;
            }
        }
        if j < k as isize {
            low = i;
        }
        if (k as isize) < i {
            high = j;
        }
    }
    values[k]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selection_finds_every_rank() {
        let values = [5.0, -1.0, 3.0, 3.0, 9.0, 0.0, 2.5];
        let mut sorted = values;
        sorted.sort_by(f64::total_cmp);
        for (k, want) in sorted.iter().enumerate() {
            assert_eq!(select(&mut values.clone(), k), *want);
        }
    }

    #[test]
    fn one_outlier_is_clipped_and_the_bounds_tighten() {
        // First round: median 2.5, mean 13, so wide bounds; the second sees 1 2 3 4 only.
        let mut values = [1.0, 2.0, 3.0, 4.0, 2.0, 3.0, 2.0, 3.0, 97.0, 13.0];
        let (low, high) = clip_bounds(&mut values, 2.0);
        assert!(low > -0.1 && high < 5.1, "{low} {high}");
    }

    #[test]
    fn rounds_are_limited_only_where_asked() {
        // Each round takes the largest of what is left.
        let values: Vec<f64> = (0..12).map(|k| 10f64.powi(k)).collect();
        let bounds: Vec<_> = [Some(1), Some(2), None]
            .map(|rounds| clip_bounds_within(&mut values.clone(), 1.5, rounds).1)
            .to_vec();
        assert!(bounds[0] > bounds[1] && bounds[1] > bounds[2], "{bounds:?}");
        let (all, five) = (
            clip_bounds_within(&mut values.clone(), 1.5, None),
            clip_bounds(&mut values.clone(), 1.5),
        );
        assert!(all.1 < five.1);
    }

    #[test]
    fn equal_values_and_none() {
        assert_eq!(clip_bounds(&mut [4.0; 6], 3.0), (4.0, 4.0));
        assert!(clip_bounds(&mut [], 3.0).0.is_nan());
    }

    #[test]
    fn clipping_that_leaves_nothing_keeps_the_bounds() {
        // Even count with sigma 0: the median lies between the values, so nothing is inside.
        assert_eq!(clip_bounds(&mut [1.0, 2.0], 0.0), (1.5, 1.5));
    }
}
