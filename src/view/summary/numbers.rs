//! The numbers of a summary plot.

use crate::math::quantile::quantile;

/// Ranges of wavelength.
pub const RANGES: usize = 6;
/// Quantile of the collapsed image above which spaxels are bright.
const BRIGHT: f64 = 0.9;

/// Spectra and images of a cube.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    /// Mean or median of every wavelength over the field, NaN left out; NaN where nothing is valid.
    pub whole: Vec<f64>,
    /// The same of the spaxels that are above the 90th percentile of the collapsed image.
    pub bright: Vec<f64>,
    /// Voxels of every wavelength that are NaN or 0.
    pub invalid: Vec<usize>,
    /// Wavelengths where ranges begin, and where the last ends.
    pub edges: [f64; RANGES + 1],
    /// Image of all wavelengths, `[y][x]`; NaN where it is 0 or nothing is valid.
    pub image: Vec<f64>,
    /// Images of the ranges.
    pub images: [Vec<f64>; RANGES],
    /// Invalid fraction of every spaxel in each range; NaN where it is 0, or the range has no wavelength.
    pub fractions: [Vec<f64>; RANGES],
}

impl Numbers {
    /// Of a cube `[wavelength][y][x]` with `plane` voxels a wavelength; by medians where `median` is set, else by means.
    #[must_use]
    pub fn new(values: &[f32], plane: usize, wavelength: &[f64], median: bool) -> Self {
        let low = wavelength.iter().copied().fold(f64::INFINITY, f64::min);
        let high = wavelength.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let edges: [f64; RANGES + 1] = std::array::from_fn(|k| match k {
            // not by arithmetic, which may end just below
            RANGES => high,
            k => low + (high - low) * k as f64 / RANGES as f64,
        });
        let layers: Vec<&[f32]> = values.chunks_exact(plane.max(1)).collect();
        let range = |w: f64| {
            let inner = edges[1..RANGES].iter().filter(|e| w >= **e).count();
            inner.min(RANGES - 1)
        };
        let which: Vec<usize> = wavelength.iter().map(|w| range(*w)).collect();
        let of = |k: usize| -> Vec<&[f32]> {
            let mine = layers.iter().zip(&which).filter(|(_, r)| **r == k);
            mine.map(|(l, _)| *l).collect()
        };
        let image = collapsed(&layers, plane, median);
        let bright = brightest(&image);
        let spectrum = |of: &dyn Fn(&[f32]) -> f64| layers.iter().map(|l| of(l)).collect();
        let some = |layer: &[f32]| bright.iter().map(|i| layer[*i]).collect::<Vec<f32>>();
        Self {
            whole: spectrum(&|l| middle(l.iter().copied(), median)),
            bright: spectrum(&|l| middle(some(l).into_iter(), median)),
            invalid: layers
                .iter()
                .map(|l| l.iter().filter(|v| is_invalid(**v)).count())
                .collect(),
            edges,
            images: std::array::from_fn(|k| collapsed(&of(k), plane, median)),
            fractions: std::array::from_fn(|k| invalid_fraction(&of(k), plane)),
            image,
        }
    }

    /// Whether there is a valid voxel.
    #[must_use]
    pub fn any(&self) -> bool {
        self.image.iter().any(|v| v.is_finite())
    }

    /// Whether the spectra go on a linear axis: over a third of the bright one is negative, or nothing of it is known.
    #[must_use]
    pub fn linear(&self) -> bool {
        let negative = self.bright.iter().filter(|v| **v < 0.0).count();
        let positive = |v: &f64| v.is_finite() && *v > 0.0;
        3 * negative > self.bright.len()
            || self.bright.iter().all(|v| !v.is_finite())
            || !self.bright.iter().chain(&self.whole).any(positive)
    }
}

fn is_invalid(v: f32) -> bool {
    v.is_nan() || v == 0.0
}

/// Mean or median without NaN.
fn middle(values: impl Iterator<Item = f32>, median: bool) -> f64 {
    let valid = values.filter(|v| !v.is_nan()).map(f64::from);
    if median {
        return quantile(&mut valid.collect::<Vec<f64>>(), 0.5);
    }
    let (mut sum, mut n) = (0.0, 0usize);
    for v in valid {
        sum += v;
        n += 1;
    }
    // 0 / 0 is NaN
    sum / n as f64
}

/// Mean or median of every spaxel over wavelengths, without NaN; NaN where it is 0.
fn collapsed(layers: &[&[f32]], plane: usize, median: bool) -> Vec<f64> {
    let mut out: Vec<f64> = match median {
        true => (0..plane)
            .map(|i| middle(layers.iter().map(|l| l[i]), true))
            .collect(),
        false => {
            let (mut sums, mut counts) = (vec![0.0; plane], vec![0u32; plane]);
            for layer in layers {
                for ((s, n), v) in sums.iter_mut().zip(&mut counts).zip(*layer) {
                    // without a branch, so that several are added at once
                    *s += if v.is_nan() { 0.0 } else { f64::from(*v) };
                    *n += u32::from(!v.is_nan());
                }
            }
            let means = sums.into_iter().zip(counts);
            means.map(|(s, n)| s / f64::from(n)).collect()
        }
    };
    for v in &mut out {
        if *v == 0.0 {
            *v = f64::NAN;
        }
    }
    out
}

fn invalid_fraction(layers: &[&[f32]], plane: usize) -> Vec<f64> {
    let mut counts = vec![0usize; plane];
    for layer in layers {
        for (c, v) in counts.iter_mut().zip(*layer) {
            *c += usize::from(is_invalid(*v));
        }
    }
    let part = |c: usize| match c {
        0 => f64::NAN,
        c => c as f64 / layers.len() as f64,
    };
    counts.into_iter().map(part).collect()
}

/// Spaxels above the 90th percentile.
fn brightest(image: &[f64]) -> Vec<usize> {
    let mut known: Vec<f64> = image.iter().copied().filter(|v| !v.is_nan()).collect();
    let limit = quantile(&mut known, BRIGHT);
    (0..image.len()).filter(|i| image[*i] > limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wavelength_is_in_a_range() {
        // 7 wavelengths, one spaxel with the wavelength's number
        let values: Vec<f32> = (1..=7u8).map(f32::from).collect();
        let wavelength: Vec<f64> = (0..7).map(|k| 5.0 + 0.1 * f64::from(k)).collect();
        let n = Numbers::new(&values, 1, &wavelength, false);
        assert_eq!(n.edges[0], 5.0);
        assert_eq!(n.edges[6], wavelength[6]);
        let all: Vec<f64> = n.images.iter().map(|i| i[0]).collect();
        assert_eq!(all[0], 1.0);
        // the last of them is not lost
        assert_eq!(all[5], 6.5);
        assert_eq!(n.image, [4.0]);
        assert!(n.fractions.iter().all(|f| f[0].is_nan()));
        assert_eq!(n.invalid, [0; 7]);
    }

    #[test]
    fn nan_does_not_dim_a_spaxel() {
        let nan = f32::NAN;
        let values = [2.0, 2.0, 0.0, nan, 2.0, 0.0, 2.0, 2.0, 0.0, 2.0, 2.0, nan];
        let n = Numbers::new(&values, 3, &[1.0, 2.0, 3.0, 4.0], false);
        assert_eq!(n.image[..2], [2.0, 2.0]);
        // a sum of 0 is blank
        assert!(n.image[2].is_nan());
        assert_eq!(n.invalid, [1, 2, 1, 1]);
        assert_eq!(n.whole[1], 1.0);
        assert_eq!(n.fractions[0][2], 1.0);
        assert!(n.any() && n.fractions[1].iter().all(|v| v.is_nan()));
    }

    #[test]
    fn medians_for_stray_pixels() {
        let values = [1.0, 1.0, 900.0, 1.0, 2.0, 2.0, 2.0, -900.0];
        let n = Numbers::new(&values, 4, &[1.0, 2.0], true);
        assert_eq!(n.whole, [1.0, 2.0]);
        assert_eq!(n.image[0], 1.5);
    }

    #[test]
    fn nothing_valid_is_no_panic() {
        let n = Numbers::new(&[f32::NAN; 8], 4, &[1.0, 2.0], false);
        assert!(!n.any() && n.linear());
        assert!(n.whole.iter().chain(&n.bright).all(|v| v.is_nan()));
        assert_eq!(n.invalid, [4, 4]);
        assert_eq!(n.fractions[0], [1.0; 4]);
        let none = Numbers::new(&[], 0, &[], true);
        assert!(!none.any() && none.linear());
    }

    #[test]
    fn mostly_negative_spectra_are_linear() {
        let mut values = vec![1.0f32; 40];
        for (i, v) in values.iter_mut().enumerate() {
            *v = (i % 10) as f32 - 9.5;
        }
        let n = Numbers::new(&values, 10, &[1.0, 2.0, 3.0, 4.0], false);
        assert!(n.linear());
        let values: Vec<f32> = values.iter().map(|v| v + 20.0).collect();
        let n = Numbers::new(&values, 10, &[1.0, 2.0, 3.0, 4.0], false);
        assert!(!n.linear());
        // the one spaxel above the 90th percentile
        assert_eq!(n.bright, [19.5; 4]);
    }
}
