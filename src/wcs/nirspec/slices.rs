//! Where on the detector the light of each slice falls: bounds, the image of labels, and the coordinates of its pixels.

use super::pipeline::Nirspec;
use crate::Result;
use crate::wcs::transform::Transform;

/// Rows and columns of the detector.
const SIZE: usize = 2048;
/// Edges of a slice for which bounds are made, whatever edges the slices themselves have (as calwebb does).
const EDGES: [f64; 2] = [-0.55, 0.55];
/// Margins of bounds in columns and rows.
const MARGINS: [f64; 2] = [10.0, 2.0];
/// Step in metre of the wavelengths whose place on the detector makes the bounds.
const STEP: f64 = 1e-10;
/// Only every so many of these wavelengths is looked at first; the extremes' neighbours follow.
const STRIDE: usize = 32;
/// Points worked on at once: intermediate columns stay in the nearest cache.
const CHUNK: usize = 1024;

/// Where the light of one slice falls.
#[derive(Debug, Clone, PartialEq)]
pub struct SliceTrace {
    /// Bounds of x and of y on the detector; upside down where the slice misses it.
    pub bounds: [(f64, f64); 2],
    /// Bounds of the pixels that have a wavelength; none where there is no such pixel.
    pub seen: Option<[(f64, f64); 2]>,
    /// Place of the slice on the slicer (x, metre), rounded to 1e-5: the key to it for the way back.
    pub x_slicer: f64,
    /// Pixels that have a wavelength, `y * 2048 + x`, row by row.
    pub pixels: Vec<u32>,
}

/// Coordinates of the pixels of a [`SliceTrace`], in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    /// Position on the slicer in metre, across and along the slices.
    pub slicer: [Vec<f64>; 2],
    /// Right ascension and declination in degrees.
    pub sky: [Vec<f64>; 2],
    /// Wavelength in micron.
    pub lambda: Vec<f64>,
}

/// The image of labels, and what it was made of.
#[derive(Debug, Clone, PartialEq)]
pub struct SliceMap {
    /// Rows.
    pub ny: usize,
    /// Columns.
    pub nx: usize,
    /// Number of the slice from 1, 0 between slices; row by row.
    pub labels: Vec<u8>,
    /// Slice by slice.
    pub traces: Vec<SliceTrace>,
}

impl SliceMap {
    /// The image of these slices; where two fall on a pixel it is the later one's.
    pub fn of(traces: Vec<SliceTrace>) -> Self {
        let mut labels = vec![0; SIZE * SIZE];
        for (label, trace) in (1..).zip(&traces) {
            for pixel in &trace.pixels {
                if let Some(l) = labels.get_mut(*pixel as usize) {
                    *l = label;
                }
            }
        }
        Self {
            ny: SIZE,
            nx: SIZE,
            labels,
            traces,
        }
    }
}

/// Least and greatest value, NaN if there is one; as numpy's `min` and `max`.
#[derive(Clone, Copy)]
struct Range(f64, f64);

impl Range {
    const EMPTY: Self = Self(f64::INFINITY, f64::NEG_INFINITY);

    fn with(self, v: f64) -> Self {
        if v.is_nan() || self.0.is_nan() {
            return Self(f64::NAN, f64::NAN);
        }
        Self(self.0.min(v), self.1.max(v))
    }

    /// The bounds on the detector of this range with a margin. The positions are taken for ones counted from 1, which they are
    /// not: calwebb's bounds lie one pixel low.
    fn padded(self, margin: f64) -> (f64, f64) {
        let last = (SIZE - 1) as f64;
        // Python's max(0, NaN) and min(2047, NaN) are the number, as Rust's
        let low = (self.0 - 1.0 - margin).max(0.0);
        let high = (self.1 - 1.0 + margin).min(last);
        (low - 0.5, high + 0.5)
    }
}

/// Least and greatest x and y over the wavelengths at one edge of a slice.
fn extent(to_pixels: &Transform, edge: f64, [first, last]: [f64; 2]) -> Result<[Range; 2]> {
    let n = ((last - first) / STEP) as usize;
    let step = (last - first) / (n.max(2) - 1) as f64;
    let lambda = |i: usize| match i + 1 == n {
        true => last,
        false => i as f64 * step + first,
    };
    let at = |which: &[usize]| -> Result<Vec<Vec<f64>>> {
        let lambda: Vec<f64> = which.iter().map(|i| lambda(*i)).collect();
        let (zero, edge) = (vec![0.0; lambda.len()], vec![edge; lambda.len()]);
        in_chunks(to_pixels, &[&zero, &edge, &lambda])
    };
    let coarse: Vec<usize> = (0..n).step_by(STRIDE).chain(n.checked_sub(1)).collect();
    let values = at(&coarse)?;
    // Of a smooth curve only the extremes' neighbours can be farther out; of one with holes every point is looked at.
    let mut wanted: Vec<usize> = Vec::new();
    if values.iter().flatten().any(|v| !v.is_finite()) {
        wanted.extend(0..n);
    } else {
        for v in &values {
            let order = |a: &usize, b: &usize| v[*a].total_cmp(&v[*b]);
            let extremes = [(0..v.len()).min_by(order), (0..v.len()).max_by(order)];
            for center in extremes.into_iter().flatten().map(|k| coarse[k]) {
                wanted.extend(center.saturating_sub(STRIDE)..(center + STRIDE + 1).min(n));
            }
        }
    }
    let fine = at(&wanted)?;
    Ok(std::array::from_fn(|k| {
        let both = values[k].iter().chain(&fine[k]);
        both.fold(Range::EMPTY, |r, v| r.with(*v))
    }))
}

/// Values at points, some at a time.
fn in_chunks(t: &Transform, inputs: &[&[f64]]) -> Result<Vec<Vec<f64>>> {
    let n = inputs.first().map_or(0, |c| c.len());
    let mut out = vec![Vec::new(); t.n_outputs()];
    for first in (0..n).step_by(CHUNK) {
        let part: Vec<&[f64]> = inputs
            .iter()
            .map(|c| &c[first..n.min(first + CHUNK)])
            .collect();
        for (out, values) in out.iter_mut().zip(t.evaluate(&part)?) {
            out.extend(values);
        }
    }
    Ok(out)
}

/// Pixels of bounds, both ends included; gwcs's way of rounding.
fn pixels_of((low, high): (f64, f64)) -> std::ops::Range<usize> {
    let first = (low + 0.5).floor().max(0.0);
    let last = (high - 0.5).ceil();
    match last >= first {
        true => first as usize..(last as usize + 1).min(SIZE),
        false => 0..0,
    }
}

/// Points that the slice's width lets through, so far.
#[derive(Default)]
struct Found {
    pixels: Vec<u32>,
    slicer: [Vec<f64>; 2],
    lambda: Vec<f64>,
}

impl Nirspec {
    /// Where the light of a slice (from 0) falls, and the coordinates of its pixels.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] for a slice that there is not; [`crate::Error::Input`] where reference files lack backward transforms.
    pub fn trace(&self, slice: usize) -> Result<(SliceTrace, Located)> {
        let to_pixels = self.to_slit(slice)?.inverted()?;
        let mut bounds = bounds_of(&to_pixels, EDGES, self.range)?;
        let x = bounds[0];
        let on = bounds.iter().all(|(low, high)| low <= high);
        let mut found = match on {
            true => self.find(slice, bounds)?,
            false => Found::default(),
        };
        let lit = found.pixels.iter().zip(&found.lambda);
        let lit = lit.filter(|(_, l)| l.is_finite()).map(|(p, _)| *p);
        if let Some(rows) = bounds_of_rows(lit) {
            let (searched, wanted) = (pixels_of(bounds[1]), pixels_of(rows));
            bounds[1] = rows;
            // a slice wider than the edges that made the bounds goes on beyond them
            if wanted.start < searched.start || wanted.end > searched.end {
                found = self.find(slice, bounds)?;
            }
        }
        let place = |k: usize| {
            (
                found.pixels[k] as usize % SIZE,
                found.pixels[k] as usize / SIZE,
            )
        };
        let lit = |k: &usize| found.lambda[*k].is_finite();
        let across = (0..found.pixels.len()).filter(|k| {
            let y = place(*k).1 as f64;
            y >= bounds[1].0 && y <= bounds[1].1
        });
        let (sum, n) = across.fold((0.0, 0.0), |(s, n), k| (s + found.slicer[0][k], n + 1.0));
        let kept: Vec<usize> = (0..found.pixels.len())
            .filter(lit)
            .filter(|k| (x.0..=x.1).contains(&(place(*k).0 as f64)))
            .collect();
        let range = |of: fn((usize, usize)) -> usize| {
            let values = kept.iter().map(|k| of(place(*k)) as f64);
            let r = values.fold(Range::EMPTY, Range::with);
            (r.0 - 0.5, r.1 + 0.5)
        };
        let take = |v: &[f64]| kept.iter().map(|k| v[*k]).collect::<Vec<f64>>();
        let slicer = [take(&found.slicer[0]), take(&found.slicer[1])];
        let at = [slicer[0].clone(), slicer[1].clone(), take(&found.lambda)];
        let mut out: [Vec<f64>; 3] = std::array::from_fn(|_| Vec::with_capacity(kept.len()));
        for first in (0..kept.len()).step_by(CHUNK) {
            let end = kept.len().min(first + CHUNK);
            let mut part: Vec<Vec<f64>> = at.iter().map(|c| c[first..end].to_vec()).collect();
            for t in self.onward() {
                let inputs: Vec<&[f64]> = part.iter().map(Vec::as_slice).collect();
                part = t.evaluate(&inputs)?;
            }
            out.iter_mut().zip(part).for_each(|(out, c)| out.extend(c));
        }
        let mut out = out.into_iter();
        let mut next = || out.next().unwrap_or_default();
        let trace = SliceTrace {
            bounds,
            seen: (!kept.is_empty()).then(|| [range(|p| p.0), range(|p| p.1)]),
            x_slicer: ((sum / n) * 1e5).round_ties_even() / 1e5,
            pixels: kept.iter().map(|k| found.pixels[*k]).collect(),
        };
        let located = Located {
            slicer,
            sky: [next(), next()],
            lambda: next(),
        };
        Ok((trace, located))
    }

    /// Points between bounds that the slice's width lets through; their wavelength may yet be NaN.
    fn find(&self, slice: usize, bounds: [(f64, f64); 2]) -> Result<Found> {
        let (to_gwa, slit) = self.parts(slice)?;
        let mut found = Found::default();
        inside(&to_gwa, slit.table, slit.to_slit, bounds, |pixels, at| {
            let slicer = slit.to_slicer.evaluate(&[&at[0], &at[1]])?;
            found.pixels.extend(pixels);
            found
                .slicer
                .iter_mut()
                .zip(slicer)
                .for_each(|(f, s)| f.extend(s));
            found.lambda.extend(&at[2]);
            Ok(())
        })?;
        Ok(found)
    }
}

/// Gives `each`, row by row, the pixels between bounds that a slit lets through, with their position in it and wavelength, which may
/// be NaN.
pub(super) fn inside(
    to_gwa: &Transform,
    table: &Transform,
    to_slit: &Transform,
    [x, y]: [(f64, f64); 2],
    mut each: impl FnMut(Vec<u32>, &[Vec<f64>]) -> Result<()>,
) -> Result<()> {
    let (x, y) = (pixels_of(x), pixels_of(y));
    let columns: Vec<f64> = x.clone().map(|x| x as f64).collect();
    for row in y {
        let at = in_chunks(to_gwa, &[&columns, &vec![row as f64; columns.len()]])?;
        let along: Vec<f64> = at[1].iter().map(|b| -1.0 * b).collect();
        let along = table.evaluate(&[&along])?;
        let within: Vec<usize> = (0..columns.len())
            .filter(|k| !along[0][*k].is_nan())
            .collect();
        let take = |c: &Vec<f64>| within.iter().map(|k| c[*k]).collect::<Vec<f64>>();
        let at: Vec<Vec<f64>> = at.iter().map(take).collect();
        let at: Vec<&[f64]> = at.iter().map(Vec::as_slice).collect();
        let at = in_chunks(to_slit, &at)?;
        let pixel = |k: &usize| (row * SIZE + x.start + k) as u32;
        each(within.iter().map(pixel).collect(), &at)?;
    }
    Ok(())
}

/// Bounds on the detector of a slit whose light goes through `to_pixels`, between its edges and over a range of wavelengths.
pub(super) fn bounds_of(
    to_pixels: &Transform,
    edges: [f64; 2],
    range: [f64; 2],
) -> Result<[(f64, f64); 2]> {
    let [low, high] = edges.map(|edge| extent(to_pixels, edge, range));
    let (low, high) = (low?, high?);
    let [x, y]: [Range; 2] = std::array::from_fn(|k| low[k].with(high[k].0).with(high[k].1));
    Ok([x.padded(MARGINS[0]), y.padded(MARGINS[1])])
}

/// Bounds of the rows of some pixels; none where there is none.
pub(super) fn bounds_of_rows(pixels: impl Iterator<Item = u32>) -> Option<(f64, f64)> {
    let rows = pixels.map(|p| (p as usize / SIZE) as f64);
    let rows = rows.fold(Range::EMPTY, Range::with);
    (rows.0 <= rows.1).then(|| rows.padded(MARGINS[1]))
}
