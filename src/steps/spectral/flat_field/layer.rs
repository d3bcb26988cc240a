//! The image part of a NIRSpec flat: one image, or several at some wavelengths with the values between them.

use std::ops::Range;

use super::nirspec::Flat;
use crate::Result;
use crate::model::dq;
use crate::model::reference::{RefFits, Window};

/// An image of the detector's response, of which rows are read when they are needed.
#[derive(Debug)]
pub struct Layer {
    file: RefFits,
    /// Wavelengths of the planes, rising; none for a single image.
    wavelength: Option<Vec<f32>>,
    /// Whether errors and flags have a plane for each wavelength.
    planes: [bool; 2],
}

/// Some rows of a [`Layer`].
pub struct Rows<'a> {
    layer: &'a Layer,
    /// First of the planes read.
    first: usize,
    /// Pixels of a plane.
    size: usize,
    flat: Vec<f32>,
    error: Vec<f32>,
    flags: Vec<u32>,
}

impl Layer {
    /// Takes a file.
    ///
    /// # Errors
    /// [`crate::Error::Reference`] where its images are not of one form.
    pub fn open(file: RefFits) -> Result<Self> {
        let shape = file.shape("SCI")?;
        let n = match shape.as_slice() {
            [_, _] => 1,
            [n, _, _] => *n,
            _ => 0,
        };
        let form = |name: &str| -> Result<bool> {
            if !file.has(name) {
                return Ok(false);
            }
            match file.shape(name)?.as_slice() {
                own if own == shape => Ok(n > 1),
                own if shape.ends_with(own) && own.len() == 2 => Ok(false),
                own => Err(file.error(format!(
                    "{name} has shape {own:?}, which does not go with that of SCI, {shape:?}"
                ))),
            }
        };
        let planes = [form("ERR")?, form("DQ")?];
        let wavelength = match n {
            0 => return Err(file.error(format!("SCI has shape {shape:?}; images are needed"))),
            1 => None,
            n => Some(wavelengths(&file, n)?),
        };
        Ok(Self {
            file,
            wavelength,
            planes,
        })
    }

    /// Which two planes a wavelength lies between; the first or the last two outside.
    fn place(&self, wavelength: f64) -> usize {
        let Some(planes) = &self.wavelength else {
            return 0;
        };
        let below = planes.partition_point(|p| f64::from(*p) <= wavelength);
        below.saturating_sub(1).min(planes.len().saturating_sub(2))
    }

    /// Reads some rows, and of the planes those for a range of wavelengths.
    ///
    /// # Errors
    /// [`crate::Error::Reference`] where the file does not cover them.
    pub fn rows(&self, rows: Range<usize>, nx: usize, seen: (f64, f64)) -> Result<Rows<'_>> {
        let window = Window {
            x: 0,
            y: rows.start,
            nx,
            ny: rows.len(),
        };
        let needed = match self.wavelength {
            None => 0..1,
            Some(_) => self.place(seen.0)..self.place(seen.1) + 2,
        };
        let of = |several: bool| if several { needed.clone() } else { 0..1 };
        let flat = self.file.planes("SCI", window, needed.clone())?;
        let error = match self.file.has("ERR") {
            true => self.file.planes("ERR", window, of(self.planes[0]))?,
            false => vec![0.0; window.ny * nx],
        };
        Ok(Rows {
            layer: self,
            first: needed.start,
            size: window.ny * nx,
            flat,
            error,
            flags: self.file.dq(window, of(self.planes[1]))?,
        })
    }
}

/// Wavelengths of the planes, as a column or in its first row.
fn wavelengths(file: &RefFits, n: usize) -> Result<Vec<f32>> {
    let table = file.table("WAVELENGTH")?;
    let values = match table.nrows {
        1 => table.numbers("wavelength", 0),
        _ => table.column_numbers("wavelength"),
    };
    let values = values
        .ok_or_else(|| file.error("WAVELENGTH has no numbers in column wavelength"))?
        .into_iter()
        .map(|v| v as f32)
        .filter(|v| *v > 0.0);
    let values: Vec<f32> = values.collect();
    if values.len() != n || !values.is_sorted_by(|a, b| a < b) {
        return Err(file.error(format!(
            "WAVELENGTH must hold the wavelengths of the {n} planes of SCI, rising; it has {values:?}"
        )));
    }
    Ok(values)
}

impl Rows<'_> {
    /// The layer in pixel `p` of these rows; bad pixels are 1.
    pub fn at(&self, p: usize, wavelength: f64) -> Flat {
        let (value, error, mut flags) = self.between(p, wavelength);
        if value.is_nan() || value == 0.0 {
            flags |= dq::DO_NOT_USE | dq::NO_FLAT_FIELD;
        }
        let bad = flags & dq::DO_NOT_USE != 0;
        Flat {
            value: if bad { 1.0 } else { f64::from(value) },
            error,
            flags,
        }
    }

    /// Value, error and flags, between two planes where there are several.
    fn between(&self, p: usize, wavelength: f64) -> (f32, f64, u32) {
        let Some(planes) = &self.layer.wavelength else {
            return (self.flat[p], f64::from(self.error[p]), self.flags[p]);
        };
        let k = self.layer.place(wavelength);
        let step = planes[k + 1] - planes[k];
        let part = (wavelength - f64::from(planes[k])) / f64::from(step);
        let mix = |values: &[f32]| {
            let at = |k: usize| f64::from(values[(k - self.first) * self.size + p]);
            (1.0 - part) * at(k) + part * at(k + 1)
        };
        let [errors, flags] = self.layer.planes;
        let error = match errors {
            true => mix(&self.error),
            false => f64::from(self.error[p]),
        };
        let mut flags = match flags {
            false => self.flags[p],
            true => {
                let at = |k: usize| self.flags[(k - self.first) * self.size + p];
                at(k) | if part == 0.0 { 0 } else { at(k + 1) }
            }
        };
        let last = planes.last().copied().unwrap_or_default();
        if wavelength < f64::from(planes[0]) || wavelength > f64::from(last) {
            flags |= dq::DO_NOT_USE;
        }
        (mix(&self.flat) as f32, error, flags)
    }
}
