//! The flat of an exposure of the NIRSpec IFU: fore optics, spectrograph and detector, each by wavelength, put together pixel by pixel.

use std::ops::Range;

use super::Pixels;
use super::fast::Fast;
use super::layer::{Layer, Rows};
use crate::exec::Exec;
use crate::math::pairwise_sum::pairwise_sum;
use crate::model::reference::RefFits;
use crate::model::{Cal, dq};
use crate::steps::step::RefPaths;
use crate::wcs::exposure::{ExposureWcs, SliceBox};
use crate::wcs::map_of;
use crate::{Error, Result};

/// What a pixel without a flat is flagged with.
const BAD: u32 = dq::NO_FLAT_FIELD | dq::DO_NOT_USE | dq::UNRELIABLE_FLAT;

/// The reference files; parts that do not apply are missing.
#[derive(Debug)]
pub struct Parts {
    fore: Option<Fast>,
    spectrograph: Option<(Layer, Fast)>,
    detector: Option<(Layer, Fast)>,
}

impl Parts {
    /// Opens them; none where none applies.
    ///
    /// # Errors
    /// [`Error::Reference`] where one is not what it should be.
    pub fn open(paths: &RefPaths) -> Result<Option<Self>> {
        let file = |kind: &str| paths.get(kind).map(|p| RefFits::open(kind, p)).transpose();
        let both = |kind: &str| -> Result<Option<(Layer, Fast)>> {
            let Some(file) = file(kind)? else {
                return Ok(None);
            };
            let fast = Fast::read(&file)?;
            Ok(Some((Layer::open(file)?, fast)))
        };
        let parts = Self {
            fore: file("fflat")?.map(|f| Fast::read(&f)).transpose()?,
            spectrograph: both("sflat")?,
            detector: both("dflat")?,
        };
        let none = parts.fore.is_none() && parts.spectrograph.is_none() && parts.detector.is_none();
        Ok((!none).then_some(parts))
    }

    /// The flat in all pixels of an exposure, strip by strip of rows.
    ///
    /// # Errors
    /// [`Error::Input`] where the exposure has no WCS of slices; [`Error::Reference`] where a file does not cover it.
    pub(super) fn of(&self, image: &Cal, exec: &Exec) -> Result<Pixels> {
        let map = map_of(image)?;
        let wcs = ExposureWcs::of(image)?;
        let boxes = wcs.boxes(image.ny, image.nx);
        if boxes.is_empty() {
            return Err(Error::input_file(
                &image.meta.source,
                "its WCS does not say which pixels belong to a slice; run assign_wcs again",
            ));
        }
        let wavelength = Wavelengths {
            values: &map.lambda,
            nx: image.nx,
        };
        let boxes: Vec<Cleaned> = exec.try_map(boxes, |b| {
            let own = wcs.wavelengths(&b, &map)?;
            Ok(Cleaned::of(b, own, &wavelength))
        })?;
        let strip = exec.strip_rows(image.ny).min(64);
        let starts = (0..image.ny).step_by(strip).collect();
        let strips = exec.try_map(starts, |first: usize| {
            self.strip(first..(first + strip).min(image.ny), &boxes, &wavelength)
        })?;
        let mut out = Pixels {
            response: Vec::with_capacity(image.sci.len()),
            error: Vec::with_capacity(image.sci.len()),
            flags: Vec::with_capacity(image.sci.len()),
        };
        for strip in strips {
            out.response.extend(strip.response);
            out.error.extend(strip.error);
            out.flags.extend(strip.flags);
        }
        Ok(out)
    }

    /// The flat in some rows.
    fn strip(
        &self,
        rows: Range<usize>,
        boxes: &[Cleaned],
        wavelength: &Wavelengths,
    ) -> Result<Pixels> {
        let nx = wavelength.nx;
        let shared = boxes.iter().flat_map(|b| b.own_values(rows.clone()));
        let seen = range(wavelength.rows(rows.clone()).iter().chain(shared));
        let n = rows.len() * nx;
        let mut out = Pixels {
            response: vec![f32::NAN; n],
            error: vec![f32::NAN; n],
            flags: vec![0; n],
        };
        if let Some(seen) = seen {
            let [spectrograph, detector] = [&self.spectrograph, &self.detector].map(|part| {
                let rows = part
                    .as_ref()
                    .map(|(layer, _)| layer.rows(rows.clone(), nx, seen));
                rows.transpose()
            });
            let (spectrograph, detector) = (spectrograph?, detector?);
            let mut known: Vec<Option<Flat>> = vec![None; nx];
            for (k, y) in rows.clone().enumerate() {
                known.fill(None);
                let mut hints = [0; 3];
                for cleaned in boxes.iter().filter(|b| b.own.y.contains(&y)) {
                    for x in cleaned.own.x.clone() {
                        let w = cleaned.plain(y, x, wavelength);
                        if w.is_nan() {
                            continue;
                        }
                        let p = k * nx + x;
                        // then the flat is the same in all boxes
                        let own = cleaned.values.is_none()
                            && cleaned.own.x.end > x + 1
                            && !wavelength.at(y, x + 1).is_nan();
                        let flat = match known[x].filter(|_| own) {
                            Some(flat) => flat,
                            None => {
                                let width = cleaned.width(y, x, wavelength);
                                let layers = [spectrograph.as_ref(), detector.as_ref()];
                                let flat = self.pixel(w, width, layers, p, &mut hints);
                                if own {
                                    known[x] = Some(flat);
                                }
                                flat
                            }
                        };
                        out.response[p] = flat.value as f32;
                        out.error[p] = flat.error as f32;
                        out.flags[p] |= flat.flags;
                    }
                }
            }
        }
        let values = out.response.iter_mut().zip(&mut out.error);
        for ((value, error), flags) in values.zip(&mut out.flags) {
            if *flags & dq::DO_NOT_USE != 0 {
                (*value, *error) = (f32::NAN, f32::NAN);
            }
            if !value.is_finite() {
                *flags |= dq::DO_NOT_USE;
            }
        }
        Ok(out)
    }

    /// The flat of one pixel of a strip.
    fn pixel(
        &self,
        wavelength: f64,
        width: f64,
        layers: [Option<&Rows>; 2],
        p: usize,
        hints: &mut [usize; 3],
    ) -> Flat {
        let mut all = Flat {
            value: 1.0,
            error: 0.0,
            flags: 0,
        };
        let mut relative = 0.0;
        let mut add = |part: Flat| {
            all.flags |= part.flags;
            let divisor = if part.value == 0.0 { 1.0 } else { part.value };
            relative += (part.error / divisor) * (part.error / divisor);
            all.value *= part.value;
        };
        if let Some(fast) = &self.fore {
            let plain = Flat {
                value: 1.0,
                error: 0.0,
                flags: 0,
            };
            let mut fore = plain.with(fast, wavelength, width, &mut hints[0]);
            if fore.value == 0.0 {
                fore.flags |= dq::DO_NOT_USE | dq::NO_FLAT_FIELD;
            }
            // it holds the conversion to flux, for which no value would be harmless
            if fore.flags & dq::DO_NOT_USE != 0 {
                fore.value = f64::NAN;
            }
            add(fore);
        }
        let [s, d] = layers;
        let [_, s_hint, d_hint] = hints;
        for (part, rows, hint) in [(&self.spectrograph, s, s_hint), (&self.detector, d, d_hint)] {
            if let (Some((_, fast)), Some(rows)) = (part, rows) {
                let slow = rows.at(p, wavelength);
                add(slow.with(fast, wavelength, width, hint));
            }
        }
        if all.flags & dq::NO_FLAT_FIELD != 0 {
            all.flags |= dq::DO_NOT_USE;
        }
        if all.flags & dq::DO_NOT_USE != 0 {
            all.flags |= BAD;
        }
        all.error = all.value * relative.sqrt();
        if all.flags & dq::DO_NOT_USE != 0 {
            all.value = 1.0;
        }
        if all.value <= 0.0 {
            all.value = f64::NAN;
            all.flags |= BAD;
        }
        all
    }
}

/// Value, error and flags of a flat in a pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flat {
    pub value: f64,
    pub error: f64,
    pub flags: u32,
}

impl Flat {
    /// This, which varies slowly with wavelength, times what varies fast.
    fn with(self, fast: &Fast, wavelength: f64, width: f64, hint: &mut usize) -> Self {
        let (mut value, mut error) = fast.at(wavelength, width, hint);
        let mut flags = self.flags;
        if value.is_nan() {
            (value, error) = (1.0, 0.0);
            flags |= dq::NO_FLAT_FIELD | dq::DO_NOT_USE;
        }
        let square = |v: f64| if v.is_nan() { 0.0 } else { v * v };
        Self {
            value: self.value * value,
            error: (square(error * self.value) + square(self.error * value)).sqrt(),
            flags,
        }
    }
}

/// Wavelengths of all pixels in micron, NaN between slices.
struct Wavelengths<'a> {
    values: &'a [f64],
    nx: usize,
}

impl Wavelengths<'_> {
    fn at(&self, y: usize, x: usize) -> f64 {
        self.values[y * self.nx + x]
    }

    /// Those of some rows.
    fn rows(&self, rows: Range<usize>) -> &[f64] {
        &self.values[rows.start * self.nx..rows.end * self.nx]
    }
}

/// Least and greatest of values that are not NaN; none where there is none.
fn range<'a>(values: impl Iterator<Item = &'a f64>) -> Option<(f64, f64)> {
    values.filter(|v| !v.is_nan()).fold(None, |range, v| {
        let (low, high) = range.unwrap_or((*v, *v));
        Some((low.min(*v), high.max(*v)))
    })
}

/// The pixels around a slice with a wavelength in each: that of the column's mean where a pixel has none.
struct Cleaned {
    own: SliceBox,
    /// Wavelengths of the box's pixels in this slice alone; none where all pixels count, whatever their slice.
    values: Option<Vec<f64>>,
    /// Mean of each column; NaN where no pixel of it has one.
    means: Vec<f64>,
    /// First and last column with a wavelength.
    lit: Option<(usize, usize)>,
}

impl Cleaned {
    fn of(own: SliceBox, values: Option<Vec<f64>>, wavelength: &Wavelengths) -> Self {
        let mut cleaned = Self {
            own,
            values,
            means: Vec::new(),
            lit: None,
        };
        let own = &cleaned.own;
        let mut column = Vec::with_capacity(own.y.len());
        let mut mean = |x: usize| -> f64 {
            let values = own.y.clone().map(|y| cleaned.plain(y, x, wavelength));
            column.clear();
            let mut n = 0u32;
            column.extend(values.map(|v| {
                n += u32::from(!v.is_nan());
                if v.is_nan() { 0.0 } else { v }
            }));
            pairwise_sum(&column) / f64::from(n)
        };
        let means: Vec<f64> = own.x.clone().map(&mut mean).collect();
        let is_lit = |m: &f64| m.is_finite();
        let lit = means
            .iter()
            .position(is_lit)
            .zip(means.iter().rposition(is_lit));
        cleaned.lit = lit.map(|(a, b)| (own.x.start + a, own.x.start + b));
        cleaned.means = means;
        cleaned
    }

    /// Wavelength of a pixel of the box, NaN where it has none.
    fn plain(&self, y: usize, x: usize, wavelength: &Wavelengths) -> f64 {
        match &self.values {
            None => wavelength.at(y, x),
            Some(values) => {
                let SliceBox {
                    x: columns,
                    y: rows,
                    ..
                } = &self.own;
                values[(y - rows.start) * columns.len() + x - columns.start]
            }
        }
    }

    /// The box's own wavelengths in some rows.
    fn own_values(&self, rows: Range<usize>) -> &[f64] {
        let (first, end) = (
            rows.start.max(self.own.y.start),
            rows.end.min(self.own.y.end),
        );
        match &self.values {
            Some(values) if first < end => {
                let line = |y: usize| (y - self.own.y.start) * self.own.x.len();
                &values[line(first)..line(end)]
            }
            _ => &[],
        }
    }

    fn at(&self, y: usize, x: usize, wavelength: &Wavelengths) -> f64 {
        let Some((first, last)) = self.lit else {
            return f64::NAN;
        };
        let x = x.clamp(first, last);
        let own = self.plain(y, x, wavelength);
        if own.is_nan() {
            return self.means[x - self.own.x.start];
        }
        own
    }

    /// How much the wavelength changes from a pixel to the next (from the one before to the last).
    fn width(&self, y: usize, x: usize, wavelength: &Wavelengths) -> f64 {
        let x = match x + 1 < self.own.x.end {
            true => x,
            false => x.saturating_sub(1),
        };
        self.at(y, x + 1, wavelength) - self.at(y, x, wavelength)
    }
}
