//! Replacement from the trace model of adaptive_trace_model.

use super::{Dispersion, Images};
use crate::math::interpolate::linear;
use crate::model::dq;

/// Replaces the pixels without a value by the trace model's where it has one; errors are interpolated along
/// the dispersion.
pub fn replace(images: &mut Images, trace: &[f32], dispersion: Dispersion) {
    let found: Vec<usize> = (0..images.sci.len())
        .filter(|p| !images.sci[*p].is_finite() && trace[*p].is_finite())
        .collect();
    if found.is_empty() {
        return;
    }
    for p in &found {
        images.sci[*p] = trace[*p];
        images.dq[*p] = images.dq[*p] & !dq::DO_NOT_USE | dq::FLUX_ESTIMATED;
    }
    let size = (images.ny, images.nx);
    interpolate(images.err, size, &found, dispersion);
    for variance in &mut images.variances {
        variance.iter_mut().for_each(|v| *v = v.sqrt());
        interpolate(variance, size, &found, dispersion);
        variance.iter_mut().for_each(|v| *v *= *v);
    }
}

/// Interpolates pixels from the others of their line along the dispersion.
fn interpolate(
    values: &mut [f32],
    (ny, nx): (usize, usize),
    found: &[usize],
    dispersion: Dispersion,
) {
    let (lines, length) = match dispersion {
        Dispersion::Vertical => (nx, ny),
        Dispersion::Horizontal => (ny, nx),
    };
    let mut missing = vec![Vec::new(); lines];
    for p in found {
        values[*p] = f32::NAN;
        match dispersion {
            Dispersion::Vertical => missing[p % nx].push(p / nx),
            Dispersion::Horizontal => missing[p / nx].push(p % nx),
        }
    }
    for (line, missing) in missing.iter().enumerate() {
        if missing.is_empty() {
            continue;
        }
        let at = |i: usize| match dispersion {
            Dispersion::Vertical => i * nx + line,
            Dispersion::Horizontal => line * nx + i,
        };
        let valid = (0..length).filter(|i| values[at(*i)].is_finite());
        let (places, known): (Vec<f64>, Vec<f64>) =
            valid.map(|i| (i as f64, f64::from(values[at(i)]))).unzip();
        if places.is_empty() {
            continue;
        }
        for i in missing {
            values[at(*i)] = linear(*i as f64, &places, &known) as f32;
        }
    }
}
