//! Frames of MIRI: four outputs side by side in every row, reference pixels at the left and right edges.

use super::{Mean, RefpixParams};
use crate::exec::Exec;
use crate::model::Ramp;
use crate::model::dq::DO_NOT_USE;
use crate::{Error, Result};

/// MIRI's full frame: columns and rows.
pub const FULL: (usize, usize) = (1032, 1024);
/// Outputs of the detector; each reads every fourth column.
const OUTPUTS: usize = 4;
/// First reference column at the right edge.
const RIGHT: usize = 1028;

/// Corrects a ramp of full frames.
///
/// # Errors
/// [`Error::Input`] where its frames are of another size.
pub fn correct_ramp(mut input: Ramp, params: &RefpixParams, exec: &Exec) -> Result<Ramp> {
    let shape = input.shape;
    if (shape.nx, shape.ny) != FULL {
        let message = format!("{} x {} pixels are no MIRI frame", shape.nx, shape.ny);
        return Err(Error::input_file(&input.meta.source, message));
    }
    let edges = good_pixels(&input.pixeldq, params.odd_even_rows);
    let limit = params.siglimit as f32;
    let mut jobs = Vec::new();
    for ramp in input.data.chunks_mut(shape.ngroups * shape.plane()) {
        let (first, rest) = ramp.split_at_mut(shape.plane());
        let first: &[f32] = first;
        jobs.extend(rest.chunks_mut(shape.plane()).map(|plane| (first, plane)));
    }
    exec.map(jobs, |(first, plane)| {
        correct(plane, first, edges.as_deref(), limit)
    });
    // the first group less itself plus itself: infinities become NaN
    for ramp in input.data.chunks_mut(shape.ngroups * shape.plane()) {
        let first = ramp[..shape.plane()].iter_mut();
        first
            .filter(|v| v.is_infinite())
            .for_each(|v| *v = f32::NAN);
    }
    Ok(input)
}

/// Reference pixels of one output, one edge and one set of rows: where they lie in the plane.
struct Edge {
    left: Vec<usize>,
    right: Vec<usize>,
}

/// Good reference pixels for each output and set of rows; none where one of these has no good pixel.
fn good_pixels(pixeldq: &[u32], odd_even_rows: bool) -> Option<Vec<Edge>> {
    let step = if odd_even_rows { 2 } else { 1 };
    let good = |column: usize, first: usize| -> Option<Vec<usize>> {
        let all = (first..FULL.1)
            .step_by(step)
            .map(|row| row * FULL.0 + column);
        let good: Vec<usize> = all.filter(|p| pixeldq[*p] & DO_NOT_USE == 0).collect();
        (!good.is_empty()).then_some(good)
    };
    let mut out = Vec::new();
    for output in 0..OUTPUTS {
        for first in 0..step {
            let (left, right) = (good(output, first), good(RIGHT + output, first));
            let (Some(left), Some(right)) = (left, right) else {
                let rows = ["odd", "even"][first];
                tracing::warn!(
                    "output {}: no good reference pixels in {rows} rows; nothing is corrected",
                    output + 1
                );
                return None;
            };
            out.push(Edge { left, right });
        }
    }
    Some(out)
}

/// Clipped mean of pixels.
fn clipped_mean(plane: &[f32], pixels: &[usize], limit: f32) -> Mean {
    Mean::of_f32(pixels.iter().map(|p| plane[*p]).collect(), limit)
}

/// Corrects one plane. `edges` holds the good reference pixels, one entry for each output and set of
/// rows, output-major.
fn correct(plane: &mut [f32], first: &[f32], edges: Option<&[Edge]>, limit: f32) {
    plane.iter_mut().zip(first).for_each(|(p, f)| *p -= f);
    if let Some(edges) = edges {
        let sets = edges.len() / OUTPUTS;
        let signals: Vec<Mean> = edges
            .iter()
            .map(|e| {
                clipped_mean(plane, &e.left, limit).average(clipped_mean(plane, &e.right, limit))
            })
            .collect();
        for (row, pixels) in plane.chunks_exact_mut(FULL.0).enumerate() {
            let of_row: [Mean; OUTPUTS] = std::array::from_fn(|o| signals[o * sets + row % sets]);
            if let [
                Mean::Single(a),
                Mean::Single(b),
                Mean::Single(c),
                Mean::Single(d),
            ] = of_row
            {
                for p in pixels.as_chunks_mut::<OUTPUTS>().0 {
                    *p = [p[0] - a, p[1] - b, p[2] - c, p[3] - d];
                }
                continue;
            }
            for (x, p) in pixels.iter_mut().enumerate() {
                *p = of_row[x % OUTPUTS].from(*p);
            }
        }
    }
    plane
        .iter_mut()
        .zip(first)
        .for_each(|(p, f)| *p = (f64::from(*p) + f64::from(*f)) as f32);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Meta, Shape};
    use crate::steps::detector::refpix::Refpix;
    use crate::steps::step::Step;

    /// Two groups of 100 DN; the second with a drift of its own for each output and parity of rows.
    fn ramp() -> Ramp {
        let shape = Shape {
            nints: 1,
            ngroups: 2,
            ny: FULL.1,
            nx: FULL.0,
        };
        let n = shape.plane();
        let mut data = vec![100.0; 2 * n];
        for (p, v) in data[n..].iter_mut().enumerate() {
            *v += drift(p);
        }
        let mut meta = Meta::default();
        meta.primary.set("INSTRUME", "MIRI", "");
        Ramp {
            meta,
            shape,
            first_int: 0,
            data: data.into(),
            pixeldq: vec![0; n],
            groupdq: vec![0; 2 * n].into(),
            average_dark_current: None,
            extra: Vec::new(),
        }
    }

    fn drift(p: usize) -> f32 {
        let (y, x) = (p / FULL.0, p % FULL.0);
        (x % 4) as f32 + if y % 2 == 0 { 10.0 } else { -10.0 }
    }

    fn run(ramp: Ramp, params: &RefpixParams) -> Ramp {
        correct_ramp(ramp, params, &Exec::new(Some(2)).unwrap()).unwrap()
    }

    #[test]
    fn the_drift_of_each_output_and_parity_goes() {
        let mut r = ramp();
        r.data[FULL.0 * 7 + 500] = f32::NAN;
        let n = r.shape.plane();
        // a hit reference pixel is clipped, a bad one is not looked at
        r.data[n + 2 * FULL.0] += 500.0;
        r.data[n + 4 * FULL.0] = f32::NAN;
        r.pixeldq[4 * FULL.0] = DO_NOT_USE;
        let out = run(r, &RefpixParams::default());
        assert!(out.data[FULL.0 * 7 + 500].is_nan() && out.data[n + FULL.0 * 7 + 500].is_nan());
        let odd = [FULL.0 * 7 + 500, 2 * FULL.0, 4 * FULL.0];
        for p in (0..n).filter(|p| !odd.contains(p)) {
            assert_eq!((out.data[p], out.data[n + p]), (100.0, 100.0), "{p}");
        }
    }

    #[test]
    fn rows_together() {
        let params = RefpixParams {
            odd_even_rows: false,
            ..RefpixParams::default()
        };
        let out = run(ramp(), &params);
        let n = out.shape.plane();
        // the mean of both parities goes, their difference stays
        assert!(
            (out.data[n + 500] - 110.0).abs() < 1e-4
                && (out.data[n + FULL.0 + 500] - 90.0).abs() < 1e-4
        );
    }

    #[test]
    fn without_good_reference_pixels_nothing_changes() {
        let mut r = ramp();
        for row in (1..FULL.1).step_by(2) {
            r.pixeldq[row * FULL.0 + 2] = DO_NOT_USE;
        }
        let before = r.data.clone();
        assert_eq!(run(r, &RefpixParams::default()).data, before);
    }

    #[test]
    fn subarrays_are_left_alone() {
        let mut r = ramp();
        r.shape.ny = 512;
        assert!(
            Refpix::not_applicable(&r, &RefpixParams::default())
                .unwrap()
                .is_some()
        );
    }
}
