//! Several images' maps averaged.

use super::Gather;

/// What images count by where they overlap, besides the part of the cell each sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weighting {
    /// The cosine of the emission angle: what is seen from above counts more than what is foreshortened.
    Emission,
    /// The inverse of the variance.
    Variance,
    /// Both.
    Both,
    /// Nothing.
    Equal,
}

/// A map of one wavelength, `[row][column]` of its grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Mosaic {
    /// Weighted mean, NaN where nothing was seen.
    pub value: Vec<f32>,
    /// Its standard error.
    pub error: Vec<f32>,
    /// Sum of the weights.
    pub weight: Vec<f32>,
    /// Number of images.
    pub count: Vec<i16>,
}

impl Mosaic {
    /// The mean of images, each with its values and errors of this wavelength.
    #[must_use]
    pub fn new(cells: usize, images: &[(&Gather, &[f32], &[f32])], weighting: Weighting) -> Self {
        let mut sums = vec![[0.0f64; 3]; cells];
        let mut count = vec![0i16; cells];
        for (gather, value, error) in images {
            for s in gather.samples(value, error) {
                let certain = s.variance > 0.0;
                let w = s.covered
                    * match weighting {
                        Weighting::Emission => s.cos_emission,
                        Weighting::Variance if certain => 1.0 / s.variance,
                        Weighting::Both if certain => s.cos_emission / s.variance,
                        Weighting::Variance | Weighting::Both => continue,
                        Weighting::Equal => 1.0,
                    };
                let sum = &mut sums[s.at];
                sum[0] += w;
                sum[1] += w * s.value;
                sum[2] += w * w * s.variance;
                count[s.at] = count[s.at].saturating_add(1);
            }
        }
        let of =
            |f: fn(&[f64; 3]) -> f64| -> Vec<f32> { sums.iter().map(|s| f(s) as f32).collect() };
        Self {
            value: of(|s| s[1] / s[0]),
            error: of(|s| s[2].sqrt() / s[0]),
            weight: of(|s| s[0]),
            count,
        }
    }
}
