//! The oversampled image: splines around compact sources, straight lines between pixels elsewhere.

use std::ops::Range;

use super::compact::{Parts, holds, parts};
use super::fit::Fitted;
use super::mode::Mode;
use super::slice::Slice;
use crate::math::interpolate::linear;

/// Lines with no more valid pixels are left out.
const ENOUGH: usize = 3;

/// How much finer the places in a line become.
#[derive(Debug, Clone, Copy)]
pub struct Factor(pub f64);

impl Factor {
    /// Places in a line of `width` pixels.
    pub fn width(self, width: usize) -> usize {
        (width as f64 * self.0).ceil() as usize
    }

    /// Pixels at the ends of a slice that are left out.
    fn edge(self) -> usize {
        self.0 as usize
    }

    /// Place of a new pixel in pixels of the old image.
    pub fn old(self, new: usize) -> f64 {
        new as f64 / self.0 - (self.0 - 1.0) / (self.0 * 2.0)
    }

    /// New pixels of the old ones from `first` to `last`.
    fn places(self, first: usize, last: usize) -> Range<usize> {
        let (start, stop) = (first as f64 * self.0, (last + 1) as f64 * self.0);
        start as usize..start as usize + (stop - start).ceil() as usize
    }

    /// The old pixel nearest to a new one; of halves the even one.
    pub fn nearest(self, new: usize) -> usize {
        self.old(new).round_ties_even().max(0.0) as usize
    }
}

/// What a slice needs for its lines.
pub struct Piece<'a> {
    /// The slice.
    pub slice: &'a Slice,
    /// Its splines.
    pub fitted: &'a Fitted,
    /// Parts with compact sources; none where splines are used everywhere.
    pub parts: Option<Parts>,
    /// Whether splines lose their ends.
    trimmed: bool,
}

/// A line of the oversampled image, by place; NaN where nothing is known.
pub struct Line {
    /// The result.
    pub flux: Vec<f64>,
    /// Splines where they are used.
    pub used: Vec<f64>,
    /// Splines wherever there are any.
    pub full: Vec<f64>,
    /// Straight lines between pixels.
    pub linear: Vec<f64>,
    /// What the splines leave, between pixels.
    pub residual: Vec<f64>,
}

impl<'a> Piece<'a> {
    /// Looks for compact sources where the splines are steeper than `slope_limit`, if that is positive.
    pub fn new(
        slice: &'a Slice,
        fitted: &'a Fitted,
        factor: Factor,
        slope_limit: f64,
        intervals: Option<usize>,
        mode: &Mode,
    ) -> Self {
        let steep = |line: usize| -> Vec<f32> {
            let Some((spline, _)) = fitted.of(line) else {
                return Vec::new();
            };
            let pixels = slice.line(line).filter(|p| spline.holds(slice.alpha[*p]));
            let alpha: Vec<f32> = pixels.map(|p| slice.alpha[p]).collect();
            let places: Vec<f64> = alpha.iter().map(|a| f64::from(*a)).collect();
            let values = spline.model.at(&places);
            let before = std::iter::once(0.0).chain(values.iter().copied());
            let slopes = values.iter().zip(before).map(|(v, b)| (v - b).abs());
            let inner = factor.edge()..alpha.len().saturating_sub(factor.edge());
            let steep = slopes.zip(&alpha).enumerate();
            steep
                .filter(|(k, (slope, _))| inner.contains(k) && *slope > slope_limit)
                .map(|(_, (_, a))| *a)
                .collect()
        };
        let parts = (slope_limit > 0.0).then(|| {
            let lines = (0..slice.lines).filter(|l| enough(&slice.flux[slice.line(*l)]));
            let all: Vec<f32> = lines.flat_map(steep).collect();
            parts(&all, slice.pixel(), intervals, mode.pad)
        });
        Self {
            slice,
            fitted,
            parts,
            trimmed: mode.trimmed,
        }
    }

    /// Places of a line that belong to the slice.
    fn places(&self, line: usize) -> Option<(usize, usize)> {
        let inside = &self.slice.inside[self.slice.line(line)];
        let first = inside.iter().position(|i| *i)?;
        let last = inside.iter().rposition(|i| *i)?;
        Some((self.slice.first + first, self.slice.first + last))
    }

    /// Valid pixels of a line: their places and values.
    fn valid(&self, values: &[f32]) -> (Vec<f64>, Vec<f64>) {
        let valid = values.iter().enumerate().filter(|(_, v)| v.is_finite());
        valid
            .map(|(k, v)| ((self.slice.first + k) as f64, f64::from(*v)))
            .unzip()
    }

    /// Sets the slice's pixels in an oversampled line; `alpha` of every place.
    pub fn put(&self, line: usize, factor: Factor, alpha: &[f64], out: &mut Line) {
        let slice = self.slice;
        let range = slice.line(line);
        let flux = &slice.flux[range.clone()];
        let (true, Some((first, last))) = (enough(flux), self.places(line)) else {
            return;
        };
        let new = factor.places(first, last);
        let new = new.start..new.end.min(out.flux.len());
        let (edge, count) = (factor.edge(), new.len());
        let at_end = |k: usize| k < edge || k + edge >= count;
        let (places, values) = self.valid(flux);
        for (k, p) in new.clone().enumerate() {
            let near = factor.nearest(p).checked_sub(slice.first);
            let hole = !near
                .and_then(|n| flux.get(n))
                .is_some_and(|v| v.is_finite());
            out.linear[p] = if at_end(k) || hole {
                f64::NAN
            } else {
                linear(factor.old(p), &places, &values)
            };
        }

        let Some((spline, scale)) = self.fitted.of(line) else {
            return;
        };
        let held = range.clone().filter(|p| spline.holds(slice.alpha[*p]));
        let held: Vec<usize> = held.map(|p| p - range.start).collect();
        let at: Vec<f64> = held
            .iter()
            .map(|k| f64::from(slice.alpha[range.start + k]))
            .collect();
        let model = spline.model.at(&at);
        let left = held.iter().zip(&model).map(|(k, m)| {
            let left = (f64::from(flux[*k]) - m * scale) as f32;
            ((slice.first + k) as f64, f64::from(left))
        });
        let (places, values): (Vec<f64>, Vec<f64>) = left.filter(|(_, v)| v.is_finite()).unzip();
        for (k, p) in new.clone().enumerate() {
            out.residual[p] = if at_end(k) {
                f64::NAN
            } else {
                linear(factor.old(p), &places, &values)
            };
        }
        let (low, high) = (f64::from(spline.low), f64::from(spline.high));
        let bounded: Vec<usize> = new
            .filter(|p| alpha[*p] >= low && alpha[*p] <= high)
            .collect();
        let values = spline.model.at(bounded.iter().map(|p| &alpha[*p]));
        let count = bounded.len();
        for (k, (p, value)) in bounded.into_iter().zip(values).enumerate() {
            if self.trimmed && (k < edge || k + edge >= count) {
                continue;
            }
            out.full[p] = value * scale;
            if let Some(parts) = &self.parts
                && holds(parts, alpha[p])
            {
                out.used[p] = out.full[p];
            }
        }
    }

    /// Sets the slice's pixels in an oversampled line of errors, by straight lines.
    pub fn put_linear(&self, line: usize, factor: Factor, values: &[f32], out: &mut [f32]) {
        let inside = &self.slice.inside[self.slice.line(line)];
        let row = values.iter().skip(self.slice.first).zip(inside);
        let row: Vec<f32> = row.map(|(v, i)| if *i { *v } else { f32::NAN }).collect();
        let (true, Some((first, last))) = (enough(&row), self.places(line)) else {
            return;
        };
        let (places, known) = self.valid(&row);
        let new = factor.places(first, last);
        for p in new.start..new.end.min(out.len()) {
            out[p] = linear(factor.old(p), &places, &known) as f32;
        }
    }
}

/// Whether a line has enough valid pixels.
fn enough(values: &[f32]) -> bool {
    values.iter().filter(|v| v.is_finite()).count() > ENOUGH
}

impl Line {
    /// A line of nothing.
    pub fn new(width: usize) -> Self {
        let nan = || vec![f64::NAN; width];
        Self {
            flux: nan(),
            used: nan(),
            full: nan(),
            linear: nan(),
            residual: nan(),
        }
    }

    /// Puts the result together once all slices are in: splines are used everywhere (`all`) or where they have
    /// been, with what they leave unless it is to be left out.
    pub fn finish(&mut self, all: bool, residual: bool) {
        if all {
            self.used.clone_from(&self.full);
        }
        for p in 0..self.flux.len() {
            self.flux[p] = if self.used[p].is_finite() {
                let left = if residual { self.residual[p] } else { 0.0 };
                self.used[p] + if left.is_finite() { left } else { 0.0 }
            } else {
                self.linear[p]
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_jwst() {
        // _reindex(0, 2, 2.0) and _reindex(2, 3, 1.5)
        let two = Factor(2.0);
        assert_eq!(two.places(0, 2), 0..6);
        let old: Vec<f64> = (0..6).map(|p| two.old(p)).collect();
        assert_eq!(old, [-0.25, 0.25, 0.75, 1.25, 1.75, 2.25]);
        let half = Factor(1.5);
        assert_eq!(half.places(2, 3), 3..6);
        assert_eq!(half.width(1032), 1548);
        assert_eq!((two.nearest(0), two.nearest(3)), (0, 1));
        assert_eq!((Factor(0.5).width(9), Factor(0.5).edge()), (5, 0));
    }

    #[test]
    fn a_line_without_splines_is_interpolated() {
        let slice = Slice {
            label: 101,
            lines: 1,
            width: 8,
            first: 2,
            n: 5,
            flux: vec![1.0, 2.0, f32::NAN, 4.0, 5.0],
            err: vec![1.0; 5],
            alpha: vec![-0.4, -0.2, 0.0, 0.2, 0.4],
            inside: vec![true; 5],
        };
        let fitted = Fitted::default();
        let mut meta = crate::model::Meta::default();
        meta.primary.set("INSTRUME", "MIRI", "");
        let mode = Mode::of(&meta).unwrap();
        let factor = Factor(2.0);
        let piece = Piece::new(&slice, &fitted, factor, 0.1, None, &mode);
        let mut line = Line::new(16);
        piece.put(0, factor, &[0.0; 16], &mut line);
        line.finish(false, true);
        // two new pixels at each end and those of the hole are left out
        let known: Vec<usize> = (0..16).filter(|p| line.flux[*p].is_finite()).collect();
        assert_eq!(known, [6, 7, 10, 11]);
        assert_eq!((line.flux[6], line.flux[7]), (1.75, 2.25));
        let mut err = vec![f32::NAN; 16];
        piece.put_linear(0, factor, &[3.0; 8], &mut err);
        assert!(err[3].is_nan() && err[4..14].iter().all(|e| *e == 3.0) && err[14].is_nan());
    }
}
