//! The flat of one wavelength as the reference finds it: medians over corresponding spaxels, iterated from one spaxel.

use super::correspond::Point;
use super::mean;

/// Pairs of corresponding values by the spaxel whose flat they tell.
#[derive(Debug, Clone)]
pub struct Links {
    ny: usize,
    nx: usize,
    /// Where the pairs of each spaxel begin.
    starts: Vec<usize>,
    /// Places of the value and of its counterpart among all dithers' images, one behind the other.
    pairs: Vec<(u32, u32)>,
}

/// What ends and bounds the iteration.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Iterations.
    pub iterations: usize,
    /// A flat is within `1 / max_correction .. max_correction`, else NaN (not looked at in the first iteration).
    pub max_correction: f64,
    /// Divide by the mean of the flat before, and only after the limits (the reference), not by its own before them.
    pub former_mean: bool,
}

impl Links {
    /// From the points and what each corresponds to.
    pub fn new(points: &[Point], near: &[Vec<u32>], [ny, nx]: [usize; 2]) -> Self {
        let size = ny * nx;
        let place = |p: &Point| (p.dither * size + p.spaxel) as u32;
        let mut of: Vec<Vec<usize>> = vec![Vec::new(); size];
        for (i, p) in points.iter().enumerate() {
            of[p.spaxel].push(i);
        }
        let (mut starts, mut pairs) = (vec![0], Vec::new());
        for members in &of {
            for i in members {
                let own = place(&points[*i]);
                pairs.extend(near[*i].iter().map(|j| (own, place(&points[*j as usize]))));
            }
            starts.push(pairs.len());
        }
        Self {
            ny,
            nx,
            starts,
            pairs,
        }
    }

    /// Number of pairs, each counted in both directions.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether nothing corresponds.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The flat (`ny` x `nx`) of the dithers' images of one wavelength, one behind the other.
    ///
    /// Ratios of corresponding values, both above 0, are formed in single precision as the values are. From a spaxel near
    /// the middle that has any, set to 1, all others NaN, every iteration takes for each spaxel the median of the flats of
    /// its counterparts times the ratios.
    pub fn flat(&self, images: &[f32], limits: Limits) -> Vec<f64> {
        let size = self.ny * self.nx;
        let (mut starts, mut ratios) = (vec![0usize], Vec::with_capacity(self.pairs.len()));
        for range in self.starts.windows(2) {
            for (own, other) in &self.pairs[range[0]..range[1]] {
                let (v, w) = (images[*own as usize], images[*other as usize]);
                if v > 0.0 && w > 0.0 {
                    ratios.push(((*other as usize % size) as u32, f64::from(v / w)));
                }
            }
            starts.push(ratios.len());
        }
        let mut flat = vec![f64::NAN; size];
        let Some(start) = self.start(&starts) else {
            return flat;
        };
        flat[start] = 1.0;
        let mut values: Vec<u64> = Vec::new();
        for iteration in 0..limits.iterations {
            let mut new: Vec<f64> = Vec::with_capacity(size);
            for range in starts.windows(2) {
                values.clear();
                let of = ratios[range[0]..range[1]].iter();
                // positive numbers are in the order of their bits
                values.extend(
                    of.map(|(s, r)| flat[*s as usize] * r)
                        .filter(|v| !v.is_nan())
                        .map(f64::to_bits),
                );
                new.push(median_of_bits(&mut values));
            }
            if !limits.former_mean {
                let own = mean(&new);
                new.iter_mut().for_each(|v| *v /= own);
            }
            if iteration > 0 {
                let within = |v: f64| 1.0 / limits.max_correction < v && v < limits.max_correction;
                new.iter_mut()
                    .filter(|v| !within(**v))
                    .for_each(|v| *v = f64::NAN);
            }
            if limits.former_mean {
                let former = mean(&flat);
                new.iter_mut().for_each(|v| *v /= former);
            }
            let same =
                |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
            let settled = iteration > 0 && new.iter().zip(&flat).all(same);
            flat = new;
            if settled {
                break;
            }
        }
        flat
    }

    /// The spaxel to start from: of those with ratios the one nearest to the middle, the first of equals.
    fn start(&self, starts: &[usize]) -> Option<usize> {
        let (my, mx) = ((self.ny / 2) as i64, (self.nx / 2) as i64);
        let far = |s: &usize| {
            let (y, x) = ((s / self.nx) as i64 - my, (s % self.nx) as i64 - mx);
            y * y + x * x
        };
        (0..self.ny * self.nx)
            .filter(|s| starts[*s] < starts[*s + 1])
            .min_by_key(far)
    }
}

/// The median of positive numbers given by their bits, which are reordered.
fn median_of_bits(values: &mut [u64]) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    let half = values.len() / 2;
    let even = values.len().is_multiple_of(2);
    let (below, upper, _) = values.select_nth_unstable(half);
    let upper = f64::from_bits(*upper);
    match below.iter().max() {
        Some(lower) if even => (f64::from_bits(*lower) + upper) / 2.0,
        _ => upper,
    }
}

/// Sets values to NaN that are more than `nsigma` standard deviations from the median of all dithers' images, `rounds`
/// times; in single precision, as numpy does it.
pub fn clip(images: &mut [f32], nsigma: f64, rounds: usize) {
    for _ in 0..rounds {
        let sigma = deviation(images);
        let mut known: Vec<f32> = images.iter().copied().filter(|v| !v.is_nan()).collect();
        if known.is_empty() {
            return;
        }
        let median = crate::math::median::median_f32(&mut known);
        let reach = nsigma as f32 * sigma;
        let (low, high) = (median - reach, median + reach);
        let mut any = false;
        for v in images.iter_mut().filter(|v| **v > high || **v < low) {
            *v = f32::NAN;
            any = true;
        }
        if !any {
            return;
        }
    }
}

/// Standard deviation (population) of the values that are not NaN.
fn deviation(values: &[f32]) -> f32 {
    use crate::math::pairwise_sum::pairwise_sum;
    let n = values.iter().filter(|v| !v.is_nan()).count() as f64;
    let over = |sum: f32| (f64::from(sum) / n) as f32;
    let zeroed: Vec<f32> = values
        .iter()
        .map(|v| if v.is_nan() { 0.0 } else { *v })
        .collect();
    let mean = over(pairwise_sum(&zeroed));
    let squares: Vec<f32> = values
        .iter()
        .map(|v| {
            if v.is_nan() {
                0.0
            } else {
                (v - mean) * (v - mean)
            }
        })
        .collect();
    over(pairwise_sum(&squares)).sqrt()
}

/// Mean over dithers of the mean of the values where `used` (`size` spaxels a dither), in single precision; NaN where there
/// are none.
pub fn level(images: &[f32], used: &[bool], size: usize) -> f32 {
    let dithers = images.chunks_exact(size).zip(used.chunks_exact(size));
    let means: Vec<f32> = dithers
        .map(|(image, used)| {
            let pairs = image.iter().zip(used);
            average(
                &pairs
                    .filter_map(|(v, u)| u.then_some(*v))
                    .collect::<Vec<_>>(),
            )
        })
        .collect();
    average(&means)
}

/// The mean of the values that are not NaN; NaN where there are none.
fn average(values: &[f32]) -> f32 {
    use crate::math::pairwise_sum::pairwise_sum;
    let zeroed: Vec<f32> = values
        .iter()
        .map(|v| if v.is_nan() { 0.0 } else { *v })
        .collect();
    let n = values.iter().filter(|v| !v.is_nan()).count() as f64;
    // numpy adds values of the other byte order up in portions
    let sum = zeroed.chunks(8192).fold(0.0, |s, c| s + pairwise_sum(c));
    (f64::from(sum) / n) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        iterations: 50,
        max_correction: 1.5,
        former_mean: false,
    };

    /// Three dithers of a row of four spaxels, shifted by 0, 1 and 2. (With one shift only, spaxels an odd number of shifts
    /// apart would never have a flat in the same iteration.)
    fn shifted() -> Links {
        let point = |dither, spaxel: usize, shift: f64| Point {
            dither,
            spaxel,
            lat: 0.0,
            lon: 10.0 + spaxel as f64 + shift,
        };
        let points: Vec<Point> = (0..12)
            .map(|i| point(i / 4, i % 4, (i / 4) as f64))
            .collect();
        let near = super::super::correspond::correspondences(&points, 0.5, 1.0, true);
        Links::new(&points, &near, [1, 4])
    }

    #[test]
    fn a_pattern_is_found_whatever_the_scene() {
        let (flat, scene) = ([0.9f32, 1.1, 1.05, 0.95], [5.0f32, 7.0, 4.0, 6.0, 9.0, 3.0]);
        let images: Vec<f32> = (0..3)
            .flat_map(|d| (0..4).map(move |s| flat[s] * scene[s + d]))
            .collect();
        let links = shifted();
        assert_eq!(links.len(), 2 * (3 + 3 + 2));
        let found = links.flat(&images, LIMITS);
        for (a, b) in found.iter().zip(flat) {
            assert!((a - f64::from(b)).abs() < 1e-6, "{found:?}");
        }
    }

    #[test]
    fn values_that_are_not_positive_tell_nothing() {
        let links = shifted();
        let mut images = vec![1.0f32; 12];
        images[3] = -1.0;
        images[7] = f32::NAN;
        images[11] = 0.0;
        let found = links.flat(&images, LIMITS);
        assert!(found[3].is_nan() && found[0] == 1.0, "{found:?}");
        assert!(links.flat(&[0.0; 12], LIMITS).iter().all(|v| v.is_nan()));
    }

    #[test]
    fn beyond_the_limits_there_is_no_flat() {
        let mut images = [1.0f32; 12];
        (0..3).for_each(|d| images[4 * d + 3] = 9.0);
        let found = shifted().flat(&images, LIMITS);
        assert!(found[3].is_nan(), "{found:?}");
    }

    #[test]
    fn clipping_and_levels() {
        let mut images: Vec<f32> = (0..100).map(|i| 1.0 + (i % 2) as f32).collect();
        images[10] = 500.0;
        images[11] = f32::NAN;
        clip(&mut images, 5.0, 5);
        assert!(images[10].is_nan() && images[12] == 1.0);
        let used: Vec<bool> = (0..100).map(|i| i % 2 == 1).collect();
        assert_eq!(level(&images, &used, 50), 2.0);
        assert!(level(&[f32::NAN; 4], &[true; 4], 2).is_nan());
    }
}
