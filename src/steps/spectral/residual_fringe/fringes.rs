//! The fringes of one component: sines are added, the strongest of the periodogram first, as long as the
//! evidence for them grows.

use std::f64::consts::PI;

use super::failure::Failure;
use super::sines::{Data, Priors, Sines};
use crate::math::periodogram::Periodogram;

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Component {
    /// Middle of the periods, cm-1.
    pub period: f64,
    /// Half the range of periods, cm-1.
    pub half_range: f64,
    /// Most sines.
    pub max_sines: usize,
    /// Step of the periods, cm-1.
    pub resolution: f64,
}

/// How it is looked for: what differs between detector columns and extracted spectra.
#[derive(Debug, Clone, Copy)]
pub struct Search {
    /// Prior ranges.
    pub priors: Priors,
    /// Lower the weights of outliers.
    pub robust: bool,
    /// A fit that does not settle ends the search with what was found before; otherwise it is an error.
    pub unsettled_ends: bool,
}

/// Fringes found.
#[derive(Debug, Clone)]
pub struct Fringes {
    /// Their sum, as a fraction of the signal.
    pub values: Vec<f64>,
    /// Periods in the periodogram, cm-1, the strongest first.
    pub periods: Vec<f64>,
}

impl Fringes {
    /// Looks in `residuals` (signal over background, less 1) at `wavenumber` (cm-1). `found` tells which data
    /// have enough weight to find periods in; the fits use `fit_weights`. `weights` are those of the first
    /// comparison, with no fringe at all.
    ///
    /// # Errors
    /// [`Failure::NoFringe`] where none is significant, and others where nothing can be fitted.
    pub fn find(
        residuals: &[f64],
        weights: &[f64],
        fit_weights: &[f64],
        wavenumber: &[f64],
        component: &Component,
        search: &Search,
    ) -> Result<Self, Failure> {
        let lowest = wavenumber.iter().fold(f64::INFINITY, |m, v| m.min(*v));
        let x: Vec<f64> = wavenumber.iter().map(|v| v / lowest).collect();
        let residuals: Vec<f64> = residuals.iter().map(|v| finite(*v)).collect();
        let mut evidence = search.priors.evidence_of_one(&residuals, weights)?;

        let frequencies: Vec<f64> = component.periods(lowest).iter().map(|p| 1.0 / p).collect();
        let good: Vec<usize> = (0..x.len())
            .filter(|i| fit_weights[*i] > 1e-5)
            .rev()
            .collect();
        let places = good.iter().map(|i| x[*i]).collect();
        let nominal: Vec<f64> = component.periods(1.0).iter().map(|p| 1.0 / p).collect();
        let periodogram = Periodogram::of_unit(places, frequencies.clone(), lowest, &nominal);

        let angles: Vec<f64> = x.iter().map(|x| 2.0 * PI * x).collect();
        let data = Data {
            angles: &angles,
            y: &residuals,
        };
        let mut left = residuals.clone();
        let mut best: Option<Sines> = None;
        let mut strongest = Vec::new();
        while strongest.len() < component.max_sines {
            let scan: Vec<f64> = good.iter().map(|i| left[*i]).collect();
            let peak = periodogram.peak(&scan).ok_or(Failure::TooFew)?;
            strongest.push(frequencies[peak]);
            let fitted = fit(&strongest, data, fit_weights, search);
            let more = match fitted {
                Err(Failure::Fringes) if !search.unsettled_ends => return Err(Failure::Fringes),
                Ok((sines, new)) if new - evidence > 1.0 => {
                    evidence = new;
                    Some(sines)
                }
                _ => None,
            };
            let Some(sines) = more else {
                strongest.pop();
                break;
            };
            for ((left, r), v) in left.iter_mut().zip(&residuals).zip(&sines.values) {
                *left = r - v;
            }
            best = Some(sines);
        }
        Ok(Self {
            values: best.ok_or(Failure::NoFringe)?.values,
            periods: strongest.iter().map(|f| 1.0 / f * lowest).collect(),
        })
    }
}

impl Component {
    /// Periods that are searched, relative to the wavenumber `lowest`.
    fn periods(&self, lowest: f64) -> Vec<f64> {
        let count = (2.0 * self.half_range / self.resolution).round_ties_even();
        let (middle, half) = (self.period / lowest, self.half_range / lowest);
        let (start, stop) = (middle - half, middle + half);
        let step = (stop - start) / (count - 1.0);
        let mut all: Vec<f64> = (0..count as usize)
            .map(|i| i as f64 * step + start)
            .collect();
        if let [_, .., last] = all.as_mut_slice() {
            *last = stop;
        }
        all
    }
}

/// Sines of these frequencies, first with the frequencies held, then freed; and their evidence.
fn fit(
    frequencies: &[f64],
    data: Data,
    weights: &[f64],
    search: &Search,
) -> Result<(Sines, f64), Failure> {
    let mut sines = Sines::new(frequencies, data);
    let mut run = |free| {
        if search.robust {
            sines.fit_robustly(data, weights, free)
        } else {
            sines.fit(data, weights, free)
        }
    };
    run(false)?;
    let fitted = run(true)?;
    let evidence = search
        .priors
        .evidence(fitted.count, fitted.chi, fitted.weight, fitted.det)?;
    Ok((sines, evidence))
}

/// 0 for NaN, the largest number for infinity.
fn finite(v: f64) -> f64 {
    if v.is_nan() {
        0.0
    } else {
        v.clamp(f64::MIN, f64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_spaced_as_by_numpy() {
        let c = Component {
            period: 3.0,
            half_range: 1.0,
            max_sines: 1,
            resolution: 0.5,
        };
        assert_eq!(
            c.periods(1.0),
            [2.0, 2.0 + 2.0 / 3.0, 2.0 + 2.0 * 2.0 / 3.0, 4.0]
        );
        let one = Component {
            resolution: 2.0,
            ..c
        };
        assert_eq!(one.periods(1.0).len(), 1);
        let none = Component {
            half_range: 0.0,
            ..c
        };
        assert!(none.periods(1.0).is_empty());
    }

    #[test]
    fn infinities_and_nan() {
        assert_eq!(finite(f64::NAN), 0.0);
        assert_eq!(finite(f64::INFINITY), f64::MAX);
        assert_eq!(finite(f64::NEG_INFINITY), f64::MIN);
        assert_eq!(finite(0.5), 0.5);
    }
}
