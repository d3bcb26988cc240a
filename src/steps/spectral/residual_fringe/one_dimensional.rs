//! The correction of an extracted spectrum, as calwebb's extract_1d asks for it (`ifu_rfcorr`).
//!
//! Follows `fit_residual_fringes_1d` of jwst 3.0.0.

use super::background::Background;
use super::failure::Failure;
use super::features::{Envelope, clip_features, find_lines, limit_fringes};
use super::fringes::{Component, Fringes, Search};
use super::sines::Priors;
use crate::math::dense::least_squares;
use crate::math::median::median_f64;

/// Wavelength in micron beyond which the calibration is too uncertain to find fringes in.
const LONGEST: f64 = 27.6;

/// Fringes of the detector.
const DETECTOR: Component = Component {
    period: 2.9,
    half_range: 1.5,
    max_sines: 10,
    resolution: 0.001,
};

/// Fringes of the dichroics, in channels 3 and 4.
const DICHROIC: Component = Component {
    period: 0.4,
    half_range: 0.15,
    max_sines: 15,
    resolution: 0.001,
};

const SEARCH: Search = Search {
    priors: Priors {
        parameters: [-2.0, 1000.0],
        noise: [0.001, 1.0],
    },
    robust: true,
    unsettled_ends: false,
};

/// What is corrected, and which features are left out of the fit. [`Default`] has calwebb's defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The spectrum's channel (1 to 4), none where it joins several: then both components are looked for.
    pub channel: Option<u8>,
    /// Correct the fringes of the dichroics only (channels 3 and 4).
    pub dichroic_only: bool,
    /// Largest sum of the fringes' envelopes; stronger beats are not corrected.
    pub max_amp: f64,
    /// Recognize spectral features by their height over the scatter; otherwise by `max_line`.
    pub clip_features: bool,
    /// Height of features in standard deviations, for `clip_features`.
    pub clip_sigma: f64,
    /// Height of features relative to the continuum, without `clip_features`.
    pub max_line: f64,
    /// Wavelength ranges, in the unit of the wavelengths, in which nothing is fitted.
    pub ignore_regions: Vec<(f64, f64)>,
    /// The flux is of single precision, and so are the products numpy makes of it.
    pub single: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            channel: Some(1),
            dichroic_only: false,
            max_amp: 0.4,
            clip_features: true,
            clip_sigma: 5.0,
            max_line: 0.05,
            ignore_regions: Vec::new(),
            single: false,
        }
    }
}

/// Removes residual fringes from a spectrum: `flux` (any unit) at `wavelength` (micron, rising). Values that
/// are not positive are left out and stay as they are.
///
/// A component whose fringes are not significant is not corrected.
///
/// # Errors
/// [`Failure`] where calwebb raises an exception; its callers then go on without a correction.
pub fn fit_1d(flux: &[f64], wavelength: &[f64], options: &Options) -> Result<Vec<f64>, Failure> {
    let used: Vec<usize> = (0..flux.len().min(wavelength.len()))
        .filter(|i| flux[*i] > 0.0)
        .collect();
    let mut data: Vec<f64> = used.iter().map(|i| flux[*i]).collect();
    let waves: Vec<f64> = used.iter().map(|i| wavelength[*i]).collect();
    let round = |v: f64| {
        if options.single {
            f64::from(v as f32)
        } else {
            v
        }
    };
    let median = round(median_f64(&mut data.clone()));
    let weights: Vec<f64> = data
        .iter()
        .map(|v| {
            Some(round(v / median))
                .filter(|w| w.is_finite())
                .unwrap_or(0.0)
        })
        .collect();
    let ignored = |l: f64| {
        let inside = |(low, high): &(f64, f64)| l > *low && l < *high;
        l > LONGEST || options.ignore_regions.iter().any(inside)
    };
    let mut feature_weights: Vec<f64> = weights
        .iter()
        .zip(&waves)
        .map(|(w, l)| if ignored(*l) { 0.0 } else { *w })
        .collect();
    if feature_weights.iter().all(|w| *w == 0.0) {
        return Ok(flux.to_vec());
    }

    let envelope = Envelope::new(&data, data.len(), 2)?;
    let excess: Vec<f64> = (data.iter().zip(&envelope.lower).zip(&envelope.upper))
        .map(|((v, low), high)| {
            let model = (low + high) / 2.0;
            ((v - model) / model).abs()
        })
        .collect();
    let features = if options.clip_features {
        clip_features(&excess, options.clip_sigma)
    } else {
        find_lines(&excess, &vec![options.max_line; excess.len()])
    };
    for (w, feature) in feature_weights.iter_mut().zip(features) {
        if feature || *w <= 0.0 {
            *w = 1e-8;
        }
    }

    let components: &[Component] = match (options.dichroic_only, options.channel) {
        (true, Some(3 | 4)) => &[DICHROIC],
        (true, _) => return Err(Failure::Dichroic),
        (false, Some(1 | 2)) => &[DETECTOR],
        (false, _) => &[DETECTOR, DICHROIC],
    };
    let wavenumber = wavenumbers(&waves)?;
    let max_amp = vec![options.max_amp; data.len()];
    for component in components {
        let background =
            Background::fit(&data, &feature_weights, &wavenumber, component.period, true)?;
        let residuals: Vec<f64> = (data.iter().zip(&background.values).zip(&weights))
            .map(|((v, b), w)| {
                let ratio = round(if *b == 0.0 { 1e-8 } else { v / b });
                let r = round(if ratio == 0.0 { ratio } else { ratio - 1.0 });
                if *w > 1e-7 { r } else { round(r * 1e-8) }
            })
            .collect();
        let found = Fringes::find(
            &residuals,
            &feature_weights,
            &feature_weights,
            &wavenumber,
            component,
            &SEARCH,
        );
        let mut fringes = match found {
            Ok(found) => found.values,
            // calwebb goes on with the next component
            Err(Failure::NoFringe | Failure::Residuals) => continue,
            Err(e) => return Err(e),
        };
        limit_fringes(&mut fringes, &max_amp)?;
        for ((v, fringe), w) in data.iter_mut().zip(&fringes).zip(&weights) {
            let weighted = if *w > 1e-5 { 1.0 } else { 0.0 };
            *v = round(*v * (1.0 / (fringe * weighted + 1.0)));
            if v.is_nan() || *v == f64::INFINITY {
                *v = 0.0;
            } else if *v == f64::NEG_INFINITY {
                *v = f64::MIN;
            }
        }
    }
    let mut out = flux.to_vec();
    for (i, v) in used.into_iter().zip(data) {
        out[i] = v;
    }
    Ok(out)
}

/// Wavenumbers in cm-1 of wavelengths in micron; where there is none, by a cubic fitted to the others.
///
/// # Errors
/// [`Failure::Values`] where there is none at all.
pub(super) fn wavenumbers(wavelength: &[f64]) -> Result<Vec<f64>, Failure> {
    let mut out: Vec<f64> = wavelength.iter().map(|l| 10000.0 / l).collect();
    if out.iter().all(|v| v.is_finite()) {
        return Ok(out);
    }
    let good: Vec<usize> = (0..out.len())
        .filter(|i| out[*i].is_finite() && out[*i] != 0.0)
        .collect();
    if good.is_empty() {
        return Err(Failure::Values);
    }
    let y: Vec<f64> = good.iter().map(|i| out[*i]).collect();
    let mut norms = [0.0; 4];
    let columns: Vec<Vec<f64>> = (0..4)
        .map(|power| {
            let column: Vec<f64> = good.iter().map(|i| (*i as f64).powi(power)).collect();
            let norm = column.iter().map(|v| v * v).sum::<f64>().sqrt();
            let norm = if norm == 0.0 { 1.0 } else { norm };
            norms[power as usize] = norm;
            column.into_iter().map(|v| v / norm).collect()
        })
        .collect();
    let rcond = good.len() as f64 * f64::EPSILON;
    let c = least_squares(&columns, &y, rcond);
    let coefficient = |k: usize| c[k] / norms[k];
    for (i, v) in out.iter_mut().enumerate() {
        if !(v.is_finite() && *v != 0.0) {
            *v = (0..4)
                .rev()
                .fold(0.0, |sum, k| coefficient(k) + sum * i as f64);
        }
    }
    Ok(out)
}
