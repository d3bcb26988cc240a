//! A slice of the detector, and its profile across the dispersion.
//!
//! Of MIRI rows of the detector are the slice's lines (a wavelength each), and the place in a line is counted from the
//! last column, as jwst does once it has turned the image. Of NIRSpec columns are the lines.

use std::collections::BTreeMap;

use crate::math::clipped_stats::clipped_f64;
use crate::math::median::median_f32;

/// How lines lie in an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// A line is a row; places are counted from the last column.
    Rows,
    /// A line is a column.
    Columns,
}

impl Layout {
    /// Number of lines and of places in one, of an image of `ny` rows and `nx` columns.
    pub fn size(self, ny: usize, nx: usize) -> (usize, usize) {
        match self {
            Self::Rows => (ny, nx),
            Self::Columns => (nx, ny),
        }
    }

    /// Pixel at a place in a line, of an image of `nx` columns.
    pub fn at(self, line: usize, place: usize, nx: usize) -> usize {
        match self {
            Self::Rows => line * nx + nx - 1 - place,
            Self::Columns => place * nx + line,
        }
    }

    /// Line and place of a pixel.
    fn of(self, pixel: usize, nx: usize) -> (usize, usize) {
        match self {
            Self::Rows => (pixel / nx, nx - 1 - pixel % nx),
            Self::Columns => (pixel % nx, pixel / nx),
        }
    }
}

/// The image that is worked on, `[row][column]`.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    /// Rows.
    pub ny: usize,
    /// Columns.
    pub nx: usize,
    /// How lines lie in it.
    pub layout: Layout,
    /// Values.
    pub flux: &'a [f32],
    /// Errors.
    pub err: &'a [f32],
    /// Along the slice, in arcsec (MIRI) or metre on the slicer (NIRSpec).
    pub alpha: &'a [f64],
    /// Slice labels, 0 between slices.
    pub labels: &'a [u16],
}

/// A slice: `[line][place]`, NaN outside it.
#[derive(Debug, Clone)]
pub struct Slice {
    /// Label.
    pub label: u16,
    /// Lines: rows of the detector, or columns.
    pub lines: usize,
    /// Places in a full line.
    pub width: usize,
    /// First place of any line.
    pub first: usize,
    /// Places kept of each line.
    pub n: usize,
    /// Values.
    pub flux: Vec<f32>,
    /// Errors.
    pub err: Vec<f32>,
    /// Along the slice, in the image's unit.
    pub alpha: Vec<f32>,
    /// Whether the pixel is one of the slice.
    pub inside: Vec<bool>,
}

/// A slice collapsed along the dispersion, binned by half pixels along the slice.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Centres of the bins, in the image's unit.
    alpha: Vec<f64>,
    /// Median values.
    flux: Vec<f32>,
    /// Median errors.
    err: Vec<f32>,
    /// Median signal-to-noise ratios.
    snr: Vec<f32>,
}

/// Every slice of an image, in order of the labels.
pub fn slices(image: Image) -> Vec<Slice> {
    let Image { ny, nx, layout, .. } = image;
    let (lines, width) = layout.size(ny, nx);
    let mut places: BTreeMap<u16, (usize, usize)> = BTreeMap::new();
    for (pixel, label) in image.labels.iter().enumerate().filter(|(_, l)| **l > 0) {
        let (_, place) = layout.of(pixel, nx);
        let at = places.entry(*label).or_insert((place, place));
        *at = (at.0.min(place), at.1.max(place));
    }
    let slice = |(label, (first, last)): (u16, (usize, usize))| {
        let n = last - first + 1;
        let nan = || vec![f32::NAN; lines * n];
        let mut s = Slice {
            label,
            lines,
            width,
            first,
            n,
            flux: nan(),
            err: nan(),
            alpha: nan(),
            inside: vec![false; lines * n],
        };
        for line in 0..lines {
            for k in 0..n {
                let p = layout.at(line, first + k, nx);
                if image.labels[p] == label {
                    let at = line * n + k;
                    s.flux[at] = image.flux[p];
                    s.err[at] = image.err[p];
                    s.alpha[at] = image.alpha[p] as f32;
                    s.inside[at] = true;
                }
            }
        }
        s
    };
    places.into_iter().map(slice).collect()
}

/// The least and the greatest value but NaN.
pub fn extent(values: &[f32]) -> (f32, f32) {
    let low = values.iter().copied().fold(f32::NAN, f32::min);
    (low, values.iter().copied().fold(f32::NAN, f32::max))
}

/// Values from `start` below `stop` in steps, as numpy's `arange` gives them for numbers in single precision.
pub fn arange(start: f32, stop: f32, step: f32) -> Vec<f64> {
    let n = f64::from((stop - start) / step).ceil();
    if !(step > 0.0 && n > 0.0 && n < 1e6) {
        return Vec::new();
    }
    // the second value is rounded to single precision, the others follow from the first two
    let (next, start) = (f64::from(start + step), f64::from(start));
    let delta = next - start;
    let value = |i: usize| match i {
        1 => next,
        i => start + i as f64 * delta,
    };
    (0..n as usize).map(value).collect()
}

impl Slice {
    /// The places of a line in [`Self::flux`] and the others.
    pub fn line(&self, line: usize) -> std::ops::Range<usize> {
        line * self.n..(line + 1) * self.n
    }

    /// Median step of alpha from pixel to pixel.
    pub fn pixel(&self) -> f32 {
        let lines = self.alpha.chunks_exact(self.n.max(1));
        let steps = lines.flat_map(|l| l.windows(2).map(|w| w[1] - w[0]));
        let mut steps: Vec<f32> = steps.filter(|s| !s.is_nan()).collect();
        median_f32(&mut steps).abs()
    }

    /// The profile across the dispersion; none where nothing is valid.
    pub fn profile(&self) -> Option<Profile> {
        let snr: Vec<f32> = self
            .flux
            .iter()
            .zip(&self.err)
            .zip(&self.alpha)
            .map(|((f, e), a)| {
                let valid = f.is_finite() && e.is_finite() && a.is_finite() && *e > 0.0;
                if valid { f / e } else { f32::NAN }
            })
            .collect();
        if snr.iter().all(|v| v.is_nan()) {
            return None;
        }
        let step = self.pixel() / 2.0;
        let half = f64::from(step / 2.0);
        let (low, high) = extent(&self.alpha);
        let alpha = arange(low, high, step);
        let mut bins: Vec<Vec<usize>> = vec![Vec::new(); alpha.len()];
        for (p, a) in self.alpha.iter().enumerate() {
            if !snr[p].is_finite() {
                continue;
            }
            // the bin by its number may be off by one for rounding
            let near = ((a - low) / step).round().max(0.0) as usize;
            let last = (near + 2).min(alpha.len());
            for k in near.saturating_sub(1)..last {
                let a = f64::from(*a);
                if a >= alpha[k] - half && a < alpha[k] + half {
                    bins[k].push(p);
                }
            }
        }
        let medians = |values: &[f32]| {
            let of = |bin: &Vec<usize>| {
                median_f32(&mut bin.iter().map(|p| values[*p]).collect::<Vec<_>>())
            };
            bins.iter().map(of).collect()
        };
        Some(Profile {
            flux: medians(&self.flux),
            err: medians(&self.err),
            snr: medians(&snr),
            alpha,
        })
    }

    /// Leaves out the ends of the slice where the signal is low and the error high.
    pub fn trim(&mut self, profile: &Profile) {
        let seen = (0..profile.snr.len()).filter(|k| profile.snr[*k].is_finite());
        let errors: Vec<f64> = seen.map(|k| f64::from(profile.err[k])).collect();
        if errors.is_empty() {
            return;
        }
        let (mean, rms) = clipped_f64(&errors);
        let limit = mean + 5.0 * rms;
        let bins = 0..profile.alpha.len();
        let bad: Vec<f64> = bins
            .filter(|k| profile.snr[*k].abs() < 5.0 && f64::from(profile.err[*k]) > limit)
            .map(|k| profile.alpha[k])
            .collect();
        if bad.len() == profile.alpha.len() {
            return;
        }
        let below = bad.iter().copied().filter(|a| *a < 0.0);
        let above = bad.iter().copied().filter(|a| *a > 0.0);
        // comparisons with NaN (no such bin) are false
        let low = below.fold(f64::NAN, f64::max);
        let high = above.fold(f64::NAN, f64::min);
        for (flux, alpha) in self.flux.iter_mut().zip(&self.alpha) {
            let alpha = f64::from(*alpha);
            if alpha <= low || alpha >= high {
                *flux = f32::NAN;
            }
        }
    }
}

impl Profile {
    /// The brightest bin.
    pub fn peak(&self) -> f32 {
        extent(&self.flux).1
    }

    /// The lowest signal-to-noise ratio.
    pub fn lowest_snr(&self) -> f32 {
        extent(&self.snr).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_numpy() {
        // np.arange(np.float32(-1.7), np.float32(-1.1), np.float32(0.1))
        let values = arange(-1.7, -1.1, 0.1);
        let numpy = [
            -1.7000000476837158,
            -1.600000023841858,
            -1.5,
            -1.399999976158142,
            -1.2999999523162842,
            -1.1999999284744263,
        ];
        assert_eq!(values, numpy);
        assert!(arange(1.0, 0.0, 0.1).is_empty());
        assert!(arange(0.0, 1.0, 0.0).is_empty());
        assert!(arange(0.0, f32::NAN, 0.1).is_empty());
    }

    #[test]
    fn slices_are_turned_and_cut_out() {
        let flux: Vec<f32> = (0..10).map(|v| v as f32).collect();
        let alpha: Vec<f64> = (0..10).map(|v| f64::from(v % 5)).collect();
        let image = Image {
            ny: 2,
            nx: 5,
            layout: Layout::Rows,
            flux: &flux,
            err: &[1.0; 10],
            alpha: &alpha,
            labels: &[0, 7, 7, 0, 9, 7, 7, 0, 0, 9],
        };
        let all = slices(image);
        assert_eq!((all[0].label, all[1].label), (7, 9));
        assert_eq!((all[0].first, all[0].n), (2, 3));
        let line = &all[0].flux[all[0].line(1)];
        assert!(line[0].is_nan());
        assert_eq!(line[1..], [6.0, 5.0]);
        assert_eq!(all[0].pixel(), 1.0);
        assert_eq!(all[1].inside, [true, true]);
        let all = slices(Image {
            layout: Layout::Columns,
            ..image
        });
        assert_eq!((all[0].lines, all[0].width), (5, 2));
        assert_eq!((all[0].first, all[0].n), (0, 2));
        assert_eq!(all[0].flux[all[0].line(1)], [1.0, 6.0]);
        assert!(all[0].flux[all[0].line(4)].iter().all(|v| v.is_nan()));
    }
}
