//! A cube made one image: the mean over wavelengths where there is signal.

use crate::math::quantile::quantile;
use crate::model::dq::DO_NOT_USE;

/// Most wavelengths that are used, evenly chosen: more do not help.
const MOST: usize = 240;
/// Signal-to-noise of a wavelength, relative to that of good ones, from which it is used.
const GOOD: f64 = 0.3;
/// Share of the wavelengths that a spaxel must have.
const SHARE: f64 = 0.3;
/// Deviations (in median absolute ones, as standard errors) beyond which a sample is left out.
const CLIP: f64 = 5.0;

/// An image of a cube.
#[derive(Clone, Debug)]
pub struct Collapsed {
    /// Brightness over the image's contrast, `[y][x]`; NaN where too few wavelengths are valid.
    pub value: Vec<f64>,
    /// Its standard error.
    pub error: Vec<f64>,
    /// Mean of the wavelengths used, in the unit of those given.
    pub wavelength: f64,
    /// Number of wavelengths used.
    pub used: usize,
}

/// A plane's valid samples, and how they compare with other planes.
struct Level {
    plane: usize,
    middle: f64,
    contrast: f64,
    noise: f64,
    valid: usize,
}

/// Collapses a cube `[wavelength][y][x]` of `spaxels` spaxels a plane; NaN, errors that are not positive and samples with
/// `DO_NOT_USE` are left out.
///
/// Planes are brought to one level and contrast first, so that a spaxel that lacks some wavelengths is not brighter or fainter
/// for it. The error of a spaxel is that of the mean, or what the scatter of its samples about their neighbours in
/// wavelength says, whichever is larger. `None` where no plane has signal.
#[must_use]
pub fn collapse(
    sci: &[f32],
    err: &[f32],
    dq: &[u32],
    wavelengths: &[f64],
    spaxels: usize,
) -> Option<Collapsed> {
    let planes = wavelengths.len();
    let total = planes.checked_mul(spaxels)?;
    if spaxels == 0 || sci.len() != total || err.len() != total || dq.len() != total {
        return None;
    }
    let sample = |i: usize| -> Option<(f64, f64)> {
        let (v, e) = (f64::from(sci[i]), f64::from(err[i]));
        let good = v.is_finite() && e.is_finite() && e > 0.0 && dq[i] & DO_NOT_USE == 0;
        good.then_some((v, e))
    };
    let mut levels: Vec<Level> = (0..planes)
        .filter_map(|plane| {
            let from = plane * spaxels;
            let (mut v, mut e): (Vec<f64>, Vec<f64>) =
                (from..from + spaxels).filter_map(sample).unzip();
            let [low, high, middle] = [0.05, 0.98, 0.5].map(|q| quantile(&mut v, q));
            Some(Level {
                plane,
                middle,
                contrast: high - low,
                noise: quantile(&mut e, 0.5),
                valid: v.len(),
            })
            .filter(|l| l.contrast > 0.0 && l.noise > 0.0)
        })
        .collect();
    let fullest = levels.iter().map(|l| l.valid).max()?;
    levels.retain(|l| l.valid as f64 > 0.6 * fullest as f64);
    let mut ratios: Vec<f64> = levels.iter().map(|l| l.contrast / l.noise).collect();
    let good = quantile(&mut ratios, 0.9);
    levels.retain(|l| l.contrast / l.noise >= GOOD * good);
    let every = levels.len().div_ceil(MOST).max(1);
    let levels: Vec<Level> = levels.into_iter().step_by(every).collect();
    let used = levels.len();
    if used == 0 {
        return None;
    }
    let (mut value, mut error) = (vec![f64::NAN; spaxels], vec![f64::NAN; spaxels]);
    let mut samples: Vec<(f64, f64)> = Vec::with_capacity(used);
    for spaxel in 0..spaxels {
        samples.clear();
        samples.extend(levels.iter().filter_map(|l| {
            let (v, e) = sample(l.plane * spaxels + spaxel)?;
            Some(((v - l.middle) / l.contrast, e / l.contrast))
        }));
        if (samples.len() as f64) < (SHARE * used as f64).max(1.0) {
            continue;
        }
        if let Some((v, e)) = mean(&samples) {
            (value[spaxel], error[spaxel]) = (v, e);
        }
    }
    let wavelength = levels.iter().map(|l| wavelengths[l.plane]).sum::<f64>() / used as f64;
    Some(Collapsed {
        value,
        error,
        wavelength,
        used,
    })
}

/// Clipped mean of samples with errors, in order of wavelength, and its error.
fn mean(samples: &[(f64, f64)]) -> Option<(f64, f64)> {
    let mut v: Vec<f64> = samples.iter().map(|s| s.0).collect();
    let middle = quantile(&mut v, 0.5);
    let mut off: Vec<f64> = v.iter().map(|v| (v - middle).abs()).collect();
    let spread = 1.4826 * quantile(&mut off, 0.5);
    let kept: Vec<&(f64, f64)> = samples
        .iter()
        .filter(|(v, e)| (v - middle).abs() <= CLIP * spread.max(*e))
        .collect();
    let n = kept.len() as f64;
    if kept.is_empty() {
        return None;
    }
    let mean = kept.iter().map(|s| s.0).sum::<f64>() / n;
    let stated = kept.iter().map(|s| s.1 * s.1).sum::<f64>().sqrt() / n;
    let mut steps: Vec<f64> = kept.windows(2).map(|w| (w[1].0 - w[0].0).abs()).collect();
    // a difference has the variance of two
    let seen = match steps.len() {
        0..8 => 0.0,
        _ => 1.4826 * quantile(&mut steps, 0.5) / (2.0 * n).sqrt(),
    };
    Some((mean, stated.max(seen)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_samples_do_not_show() {
        // 3 spaxels of brightness 1, 2, 3 over 40 wavelengths of different level
        let (planes, n) = (40, 30);
        let wavelengths: Vec<f64> = (0..planes).map(|k| 5.0 + 0.01 * k as f64).collect();
        let level = |k: usize| 1.0 + 0.3 * (k % 7) as f32;
        let mut sci: Vec<f32> = (0..planes * n)
            .map(|i| level(i / n) * (1.0 + (i % n % 3) as f32))
            .collect();
        let err = vec![0.01; planes * n];
        let mut dq = vec![0u32; planes * n];
        let clean = collapse(&sci, &err, &dq, &wavelengths, n).expect("signal");
        assert_eq!(clean.used, planes);
        assert!((clean.wavelength - 5.195).abs() < 1e-12);
        sci[3 * n + 4] = f32::NAN;
        sci[5 * n + 4] = 1e6;
        sci[8 * n + 7] = -40.0;
        dq[8 * n + 7] = DO_NOT_USE;
        // a spaxel without data
        (0..planes).for_each(|k| sci[k * n + 9] = f32::NAN);
        let spoilt = collapse(&sci, &err, &dq, &wavelengths, n).expect("signal");
        for i in 0..n {
            if i == 9 {
                assert!(spoilt.value[i].is_nan() && spoilt.error[i].is_nan());
            } else {
                assert!((spoilt.value[i] - clean.value[i]).abs() < 1e-6, "{i}");
            }
        }
    }

    #[test]
    fn errors_follow_the_scatter() {
        // the errors claimed are ten times too small
        // spaxels enough that the level of a plane adds no scatter of its own
        let (planes, n) = (200, 400);
        let wavelengths = vec![7.0; planes];
        let mut state = 1u64;
        let mut noise = || {
            (0..12)
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    (state >> 40) as f64 / (1u64 << 24) as f64
                })
                .sum::<f64>()
                - 6.0
        };
        let sci: Vec<f32> = (0..planes * n)
            .map(|i| (0.1 * (i % n) as f64 + 0.5 * noise()) as f32)
            .collect();
        let err = vec![0.05f32; planes * n];
        let out = collapse(&sci, &err, &vec![0; planes * n], &wavelengths, n).expect("signal");
        // contrast of 0, 0.1 .. 39.9 between 5 % and 98 %
        let want = 0.5 / 37.1 / (planes as f64).sqrt();
        let mean = out.error.iter().sum::<f64>() / n as f64;
        assert!((mean / want - 1.0).abs() < 0.1, "{mean} {want}");
    }

    #[test]
    fn nothing_of_nothing() {
        assert!(collapse(&[], &[], &[], &[], 0).is_none());
        let nan = [f32::NAN; 20];
        assert!(collapse(&nan, &[1.0; 20], &[0; 20], &[1.0, 2.0], 10).is_none());
        assert!(collapse(&[1.0; 20], &[1.0; 20], &[0; 20], &[1.0, 2.0], 10).is_none());
    }
}
