//! Mean spectra of bins, without the spectra furthest from the median.

use super::group::{Groups, Spaxel};
use super::{PLANES, VALUES, period, value_name};
use crate::Result;
use crate::exec::Exec;
use crate::math::median::median_f64;
use crate::math::pairwise_sum::pairwise_sum;
use crate::math::quantile::quantile;

/// The mean of one bin.
#[derive(Debug, Clone, PartialEq)]
pub struct Mean {
    /// Mean radiance in MJy/sr.
    pub sci: Vec<f64>,
    /// Mean of the spaxels' standard errors.
    pub err: Vec<f64>,
    /// Standard error of the mean, for errors that are independent of each other.
    pub err_of_mean: Vec<f64>,
    /// Standard deviation of the spaxels from the mean (population).
    pub std: Vec<f64>,
    /// Means of planes and keywords.
    pub values: [f64; VALUES],
    /// Number of spaxels averaged.
    pub n: usize,
}

/// Means by bin; none where a bin has no spaxels.
#[derive(Debug, Clone)]
pub struct Averages {
    /// The bins' means.
    pub means: Vec<Option<Mean>>,
}

/// Averages every bin, without the `reject_fraction` of spectra that are furthest from the bin's median spectrum.
///
/// # Errors
/// [`crate::Error::Interrupted`].
pub fn average(groups: &Groups, reject_fraction: f64, exec: &Exec) -> Result<Averages> {
    let compatible = groups.params.compatible;
    let nz = groups.wavelength.len();
    let means = exec.try_map(groups.spaxels.iter().collect(), |spaxels: &Vec<Spaxel>| {
        let kept = || kept(spaxels, reject_fraction, compatible);
        Ok((!spaxels.is_empty()).then(|| mean_of(&kept(), nz, compatible)))
    })?;
    Ok(Averages { means })
}

/// The spaxels whose rms from the median spectrum is below the quantile `1 - reject`.
fn kept(spaxels: &[Spaxel], reject: f64, compatible: bool) -> Vec<&Spaxel> {
    // the median of two spectra is as far from the one as from the other
    if spaxels.len() < 3 && !compatible {
        return spaxels.iter().collect();
    }
    let nz = spaxels[0].sci.len();
    let mut squares = vec![Vec::with_capacity(nz); spaxels.len()];
    let mut column = Vec::new();
    let number = |v: f32| if v.is_nan() { 0.0 } else { f64::from(v) };
    for z in 0..nz {
        column.clear();
        let known = spaxels.iter().map(|s| s.sci[z]).filter(|v| !v.is_nan());
        column.extend(known.map(f64::from));
        let median = median_f64(&mut column);
        let median = if median.is_nan() { 0.0 } else { median };
        for (s, squares) in spaxels.iter().zip(&mut squares) {
            let d = median - number(s.sci[z]);
            squares.push(d * d);
        }
    }
    let rms: Vec<f64> = squares
        .iter()
        .map(|s| (pairwise_sum(s) / nz as f64).sqrt())
        .collect();
    let limit = quantile(&mut rms.clone(), 1.0 - reject);
    let below = |keep: &dyn Fn(f64) -> bool| -> Vec<&Spaxel> {
        let pairs = spaxels.iter().zip(&rms);
        pairs.filter(|(_, r)| keep(**r)).map(|(s, _)| s).collect()
    };
    let out = below(&|r| r < limit);
    match out.is_empty() && !compatible {
        // equal spectra are all at the limit
        true => below(&|r| r <= limit),
        false => out,
    }
}

/// Mean of the values that are not NaN.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let known: Vec<f64> = values.filter(|v| !v.is_nan()).collect();
    pairwise_sum(&known) / known.len() as f64
}

/// Mean around a circle: of the values' distances from the direction of their sum. In `(0, period]` for longitudes, as the
/// planes have them; NaN where the values point nowhere.
fn circular_mean(values: impl Iterator<Item = f64>, period: f64) -> f64 {
    let known: Vec<f64> = values.filter(|v| !v.is_nan()).collect();
    let (mut sin, mut cos) = (0.0, 0.0);
    for v in &known {
        let angle = v / period * std::f64::consts::TAU;
        sin += angle.sin();
        cos += angle.cos();
    }
    if known.is_empty() || sin.hypot(cos) < 1e-9 * known.len() as f64 {
        return f64::NAN;
    }
    // distances from a value that is there: where none wrap, this is the plain mean
    let centre = sin.atan2(cos) / std::f64::consts::TAU * period;
    let shifted = known
        .iter()
        .map(|v| v - period * ((v - centre) / period).round());
    let mean = mean(shifted).rem_euclid(period);
    if mean == 0.0 && known.iter().all(|v| *v > 0.0) {
        period
    } else {
        mean
    }
}

fn mean_of(spaxels: &[&Spaxel], nz: usize, compatible: bool) -> Mean {
    let sci: Vec<f64> = (0..nz)
        .map(|z| mean(spaxels.iter().map(|s| f64::from(s.sci[z]))))
        .collect();
    let err = (0..nz).map(|z| mean(spaxels.iter().map(|s| f64::from(s.err[z]))));
    let err_of_mean = (0..nz).map(|z| {
        let known = spaxels
            .iter()
            .map(|s| f64::from(s.err[z]))
            .filter(|e| !e.is_nan());
        let (n, squares) = known.fold((0.0, 0.0), |(n, sum), e| (n + 1.0, sum + e * e));
        squares.sqrt() / n
    });
    let std = (0..nz).map(|z| {
        let d = spaxels.iter().map(|s| f64::from(s.sci[z]) - sci[z]);
        mean(d.map(|d| d * d)).sqrt()
    });
    let values = std::array::from_fn(|i| {
        let of = spaxels.iter().map(|s| s.values[i]);
        match period(value_name(i)).filter(|_| i < PLANES.len() && !compatible) {
            Some(p) => circular_mean(of, p),
            None => mean(of),
        }
    });
    Mean {
        err: err.collect(),
        err_of_mean: err_of_mean.collect(),
        std: std.collect(),
        sci,
        values,
        n: spaxels.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Bins, Params};
    use super::*;

    fn spaxel(sci: &[f32], lon: f64) -> Spaxel {
        let mut values = [1.0; VALUES];
        values[1] = lon;
        Spaxel {
            sci: sci.to_vec(),
            err: sci
                .iter()
                .map(|v| if v.is_nan() { *v } else { 3.0 })
                .collect(),
            values,
        }
    }

    fn averaged(spaxels: Vec<Spaxel>, compatible: bool) -> Mean {
        let groups = Groups {
            params: Params {
                bins: Bins {
                    first: 0.0,
                    step: 1.0,
                    n: 2,
                },
                plane: "LAT".into(),
                dq_threshold: 0.25,
                emission_cutoff: None,
                compatible,
            },
            wavelength: vec![5.0; spaxels[0].sci.len()],
            spaxels: vec![spaxels, Vec::new()],
            primary: Default::default(),
            cubes: 1,
        };
        let out = average(&groups, 1.0 / 3.0, &Exec::new(Some(2)).unwrap()).unwrap();
        assert!(out.means[1].is_none());
        out.means[0].clone().unwrap()
    }

    #[test]
    fn the_furthest_are_left_out() {
        let far = spaxel(&[9.0, 9.0], 10.0);
        let all = vec![spaxel(&[1.0, 2.0], 10.0), far, spaxel(&[1.1, 2.2], 20.0)];
        for compatible in [false, true] {
            let m = averaged(all.clone(), compatible);
            assert_eq!(m.n, 2);
            assert!((m.sci[0] - 1.05).abs() < 1e-7 && (m.values[1] - 15.0).abs() < 1e-12);
            assert!((m.err[0] - 3.0).abs() < 1e-12);
            assert!((m.err_of_mean[0] - 3.0 / 2f64.sqrt()).abs() < 1e-12);
            assert!((m.std[1] - 0.1).abs() < 1e-6);
        }
    }

    #[test]
    fn few_or_equal_spectra_are_not_emptied() {
        for n in [1, 2, 5] {
            let all = vec![spaxel(&[1.0, f32::NAN], 10.0); n];
            let m = averaged(all.clone(), false);
            assert_eq!((m.n, m.sci[0]), (n, 1.0));
            assert!(m.sci[1].is_nan() && m.err_of_mean[1].is_nan());
            let m = averaged(all, true);
            assert_eq!(m.n, 0);
            assert!(m.sci[0].is_nan());
        }
        assert_eq!(
            averaged(vec![spaxel(&[1.0], 1.0), spaxel(&[2.0], 1.0)], false).n,
            2
        );
    }

    #[test]
    fn longitudes_are_averaged_around_the_circle() {
        let pair = vec![spaxel(&[1.0], 350.0), spaxel(&[1.0], 20.0)];
        assert!((averaged(pair, false).values[1] - 5.0).abs() < 1e-12);
        assert_eq!(
            circular_mean([10.0, 20.0, f64::NAN, 60.0].into_iter(), 360.0),
            30.0
        );
        assert_eq!(circular_mean([359.0, 1.0].into_iter(), 360.0), 360.0);
        assert!((circular_mean([23.5, 1.5].into_iter(), 24.0) - 0.5).abs() < 1e-12);
        assert!(circular_mean([0.0, 180.0].into_iter(), 360.0).is_nan());
        assert!(circular_mean([f64::NAN].into_iter(), 360.0).is_nan());
    }
}
