//! The correction of one detector column of one slice.

use super::background::Background;
use super::failure::Failure;
use super::features::{Envelope, find_lines, limit_fringes};
use super::fringes::{Fringes, Search};
use super::one_dimensional::wavenumbers;
use super::reference::{Frequencies, SliceComponent};
use super::sines::Priors;
use crate::math::median::median_f64;
use crate::math::pairwise_sum::pairwise_sum;

/// Values a column needs.
const MIN_VALUES: usize = 50;

/// Signal-to-noise ratio below which pixels do not count.
const MIN_PIXEL_SNR: f32 = 10.0;

/// Values a running mean is made of, where dichroic fringes hide features.
const WINDOW: usize = 7;

/// Weights up to this count as none.
const MIN_WEIGHT: f64 = 0.003;

/// In place of no weight and no signal.
const TINY: f64 = 1e-8;

/// A column as it comes from the detector; nothing outside the slice.
#[derive(Debug, Clone)]
pub struct Column {
    /// Signal over the image's median, 0 outside the slice and where it is bad.
    pub data: Vec<f64>,
    /// Wavelength in micron; 0 outside the slice, NaN where there is none.
    pub wavelength: Vec<f64>,
    /// Weight, 0 outside the slice.
    pub weight: Vec<f64>,
    /// Signal-to-noise ratio of the pixels.
    pub snr: Vec<f32>,
}

/// What was found for one component.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Index of the component.
    pub component: usize,
    /// Signal-to-noise ratio of the column.
    pub snr: f64,
    /// Step of the periodogram, cm-1.
    pub resolution: f64,
    /// Number of sines.
    pub sines: usize,
    /// Period of the strongest, the shortest and the longest, cm-1.
    pub periods: [f64; 3],
}

/// A corrected column. Arrays are of the column's length; only `pixels` of them matter.
#[derive(Debug, Clone)]
pub struct Corrected {
    /// Pixels of the slice with signal.
    pub pixels: Vec<bool>,
    /// Signal without fringes.
    pub data: Vec<f64>,
    /// What the signal was multiplied with.
    pub factors: Vec<f64>,
    /// Weights with features taken out.
    pub weights: Vec<f64>,
    /// Number of pixels with weight.
    pub weighted: usize,
    /// The last component's background.
    pub background: Vec<f64>,
    /// Its knots.
    pub knots: Vec<usize>,
}

impl Column {
    /// Removes the fringes. What was found is added to `found` also where the column then fails; none where
    /// the column has too few values or too little signal, or no component applies.
    ///
    /// # Errors
    /// [`Failure`] where calwebb leaves the column as it is.
    pub fn correct(
        mut self,
        channel: u32,
        components: &[SliceComponent],
        frequencies: &Frequencies,
        found: &mut Vec<Found>,
    ) -> Result<Option<Corrected>, Failure> {
        let Some(first) = components.first() else {
            return Ok(None);
        };
        let Some(snr) = self.snr() else {
            return Ok(None);
        };
        if snr < first.min_snr {
            return Ok(None);
        }
        let pixels: Vec<bool> = self.data.iter().map(|v| *v > 0.0).collect();
        for v in self.data.iter_mut().chain(&mut self.weight) {
            if *v <= 0.0 {
                *v = TINY;
            }
        }
        let max_amp: Vec<f64> = self
            .wavelength
            .iter()
            .map(|l| frequencies.max_amp(*l))
            .collect();
        let wavenumber = wavenumbers(&self.wavelength)?;
        let counts: Vec<f64> = self
            .snr
            .iter()
            .map(|s| if *s > MIN_PIXEL_SNR { 1.0 } else { 0.0 })
            .collect();
        let mut weights = self.feature_weights(channel, &counts, &max_amp)?;

        let falling = channel < 3;
        let mut data = self.data.clone();
        let mut factors = vec![1.0; data.len()];
        let mut last = None;
        for (index, component) in components.iter().enumerate() {
            if component.is_placeholder() || snr <= component.min_snr {
                continue;
            }
            let period = component.search.period;
            let background = Background::fit(&data, &weights, &wavenumber, period, falling)?;
            let residuals: Vec<f64> = (data.iter().zip(&background.values).zip(&self.weight))
                .map(|((v, b), w)| {
                    let ratio = if *b == 0.0 { 0.0 } else { v / b };
                    let r = if ratio == 0.0 { ratio } else { ratio - 1.0 };
                    if *w > 1e-7 { r } else { r * TINY }
                })
                .collect();
            let weighted = weights.iter().filter(|w| **w > 1e-5).count();
            let fit_weights: Vec<f64> = weights.iter().zip(&counts).map(|(w, c)| w * c).collect();
            let search = Search {
                priors: Priors {
                    parameters: [-3.0, 10.0],
                    noise: [0.001, 10.0],
                },
                robust: period > 1.5,
                unsettled_ends: true,
            };
            let fringes = Fringes::find(
                &residuals,
                &weights,
                &fit_weights,
                &wavenumber,
                &component.search,
                &search,
            )?;
            weights = fit_weights;
            let mut values = fringes.values;
            limit_fringes(&mut values, &max_amp)?;
            for (((v, factor), fringe), w) in data
                .iter_mut()
                .zip(&mut factors)
                .zip(&values)
                .zip(&self.weight)
            {
                let weighted = if *w > 1e-5 { 1.0 } else { 0.0 };
                let correction = 1.0 / (fringe * weighted + 1.0);
                *v *= correction;
                *factor *= correction;
                if v.is_nan() {
                    *v = 0.0;
                } else if v.is_infinite() || *v < 0.0 {
                    *v = TINY;
                }
            }
            let periods = &fringes.periods;
            found.push(Found {
                component: index,
                snr,
                resolution: component.search.resolution,
                sines: periods.len(),
                periods: [
                    periods[0],
                    periods.iter().copied().fold(f64::INFINITY, f64::min),
                    periods.iter().copied().fold(0.0, f64::max),
                ],
            });
            last = Some((background, weighted));
        }
        let Some((background, weighted)) = last else {
            return Ok(None);
        };
        // calwebb fits the corrected column's background once more, and gives the column up where it cannot
        Background::fit(&data, &weights, &wavenumber, first.search.period, falling)?;
        if let Some(last) = found.last().copied() {
            found.push(Found {
                component: components.len() - 1,
                resolution: first.search.resolution,
                ..last
            });
        }
        Ok(Some(Corrected {
            pixels,
            data,
            factors,
            weights,
            weighted,
            background: background.values,
            knots: background.knots,
        }))
    }

    /// Signal over noise, both from the values along the column (Stoehr 2008); none for too few values.
    fn snr(&self) -> Option<f64> {
        let values: Vec<f64> = (self.data.iter().zip(&self.wavelength))
            .filter(|(_, l)| **l > 0.0)
            .map(|(v, _)| if *v < 0.0 { TINY } else { *v })
            .collect();
        let n = values.len();
        if n <= MIN_VALUES {
            return None;
        }
        let signal = pairwise_sum(&values) / n as f64;
        let mut differences: Vec<f64> = values
            .windows(5)
            .map(|w| (2.0 * w[2] - w[0] - w[4]).abs())
            .collect();
        let noise = 1.482602 / 6f64.sqrt() * median_f64(&mut differences);
        Some(if noise == 0.0 { 0.0 } else { signal / noise })
    }

    /// Weights without spectral features, isolated ends and very low ones.
    fn feature_weights(
        &self,
        channel: u32,
        counts: &[f64],
        max_amp: &[f64],
    ) -> Result<Vec<f64>, Failure> {
        let n = self.data.len();
        let excess = |signal: &[f64]| -> Result<Vec<f64>, Failure> {
            let lower = Envelope::new(signal, n, 1)?.lower;
            Ok(self
                .data
                .iter()
                .zip(lower)
                .map(|(v, e)| (v / e).abs() - 1.0)
                .collect())
        };
        let narrow: Vec<f64> = excess(&self.data)?
            .iter()
            .zip(counts)
            .map(|(v, c)| v * c)
            .collect();
        let mut weights = self.weight.clone();
        let mut leave_out = |lines: Vec<bool>| {
            for (w, line) in weights.iter_mut().zip(lines) {
                *w *= if line { 0.0 } else { 1.0 };
            }
        };
        leave_out(find_lines(&narrow, max_amp));
        if channel > 2 {
            let mut sum = 0.0;
            let sums: Vec<f64> = std::iter::once(0.0)
                .chain(self.data.iter().map(|v| {
                    sum += v;
                    sum
                }))
                .collect();
            let smooth: Vec<f64> = sums
                .windows(WINDOW + 1)
                .map(|w| (w[WINDOW] - w[0]) / WINDOW as f64)
                .collect();
            leave_out(find_lines(&excess(&smooth)?, max_amp));
        }
        let there: Vec<usize> = (0..n).filter(|i| weights[*i] != 0.0).collect();
        let ([first, second, ..], [.., before, last]) = (there.as_slice(), there.as_slice()) else {
            return Err(Failure::TooFew);
        };
        if *first == 0 && second - first > 1 {
            weights[0] = TINY;
        }
        if *last == n - 1 && last - before > 1 {
            weights[n - 1] = TINY;
        }
        for w in &mut weights {
            if *w <= MIN_WEIGHT {
                *w = TINY;
            }
        }
        Ok(weights)
    }
}
