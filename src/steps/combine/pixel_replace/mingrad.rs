//! Replacement by the mean of two neighbours, in the direction in which they differ least.

use super::Images;
use crate::model::dq;

/// Pixels this close to an edge are left alone.
const EDGE: usize = 2;

/// Neighbours on both sides of pixel `p`, in the row or in the column.
type Pair = (usize, usize);

/// Replaces the pixels without a value whose neighbours have one, from the image as it was.
pub fn replace(images: &mut Images) {
    let (ny, nx) = (images.ny, images.nx);
    let mut found: Vec<(usize, Pair)> = Vec::new();
    for y in EDGE..ny.saturating_sub(1) {
        for x in EDGE..nx.saturating_sub(1) {
            let p = y * nx + x;
            if images.sci[p].is_finite() {
                continue;
            }
            let (row, column) = ((p - 1, p + 1), (p - nx, p + nx));
            let (along, across) = (gradient(images.sci, row), gradient(images.sci, column));
            if along.is_infinite() && across.is_infinite() {
                continue;
            }
            found.push((p, if across < along { column } else { row }));
        }
    }
    interpolate(images.sci, &found, |a, b| (a + b) / 2.0);
    interpolate(images.err, &found, |a, b| (a + b) / 2.0);
    for variance in &mut images.variances {
        interpolate(variance, &found, |a, b| {
            let error = (a.sqrt() + b.sqrt()) / 2.0;
            error * error
        });
    }
    for (p, _) in &found {
        let flags = &mut images.dq[*p];
        if *flags & dq::NON_SCIENCE == 0 {
            *flags &= !dq::DO_NOT_USE;
        }
        *flags |= dq::FLUX_ESTIMATED;
    }
}

/// How much the neighbours differ; infinity where that is not known.
fn gradient(values: &[f32], (a, b): Pair) -> f32 {
    let difference = (values[a] - values[b]).abs();
    if difference.is_nan() {
        f32::INFINITY
    } else {
        difference
    }
}

/// Sets pixels from their neighbours; all are formed before any is set.
fn interpolate(values: &mut [f32], found: &[(usize, Pair)], mean: impl Fn(f32, f32) -> f32) {
    let new: Vec<f32> = found
        .iter()
        .map(|(_, (a, b))| mean(values[*a], values[*b]))
        .collect();
    for ((p, _), value) in found.iter().zip(new) {
        values[*p] = value;
    }
}
