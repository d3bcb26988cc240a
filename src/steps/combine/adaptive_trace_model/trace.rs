//! The trace image: the splines at the pixels.

use super::compact::{Parts, holds, parts};
use super::fit::Fitted;
use super::slice::Slice;

/// The splines at the pixels of a slice, `[line][place]`, NaN where there are none.
pub struct Trace {
    /// Wherever there is a spline.
    pub full: Vec<f32>,
    /// Only around compact sources.
    pub used: Vec<f32>,
}

/// Evaluates the splines of a slice; those steeper than `slope_limit` show compact sources (all is used
/// where that is not positive). `intervals` of the first spline of all slices, `pad` pixels around sources.
pub fn trace(
    slice: &Slice,
    fitted: &Fitted,
    slope_limit: f64,
    intervals: Option<usize>,
    pad: f32,
) -> Trace {
    let mut full = vec![f32::NAN; slice.alpha.len()];
    let mut steep = Vec::new();
    for line in 0..slice.lines {
        let Some((spline, scale)) = fitted.of(line) else {
            continue;
        };
        let pixels = slice.line(line).filter(|p| spline.holds(slice.alpha[*p]));
        let pixels: Vec<usize> = pixels.collect();
        let places: Vec<f64> = pixels.iter().map(|p| f64::from(slice.alpha[*p])).collect();
        let values = spline.model.at(&places);
        // the ends are left out, and so are the slopes that need them
        for k in 1..pixels.len().saturating_sub(1) {
            full[pixels[k]] = (scale * values[k]) as f32;
            if k > 1 && (values[k] - values[k - 1]).abs() > slope_limit {
                steep.push(slice.alpha[pixels[k]]);
            }
        }
    }
    let used = if slope_limit <= 0.0 {
        full.clone()
    } else {
        let parts: Parts = parts(&steep, slice.pixel(), intervals, pad);
        let pixels = full.iter().zip(&slice.alpha);
        pixels
            .map(|(v, a)| match holds(&parts, f64::from(*a)) {
                true => *v,
                false => f32::NAN,
            })
            .collect()
    };
    Trace { full, used }
}
