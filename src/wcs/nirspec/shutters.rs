//! Where on the detector the light of single shutters of the micro-shutter array falls, as in jwst 3.0.0 `nirspec.slitlets_wcs`.

use super::dispersion::Setting;
use super::references::{NirspecReferences, fault, transform};
use super::slices::{bounds_of, bounds_of_rows, inside};
use super::wheel::{Wheel, position_table, to_gwa, to_sca};
use crate::formats::asdf::AsdfFile;
use crate::wcs::pointing::Pointing;
use crate::wcs::transform::{Kind, Transform};
use crate::{Error, Result};

/// Shutters in a row of a quadrant.
const IN_ROW: usize = 365;
/// Columns of the detector.
const SIZE: u32 = 2048;
/// Edges of a shutter in units of its height.
const EDGES: [f64; 2] = [-0.5, 0.5];

/// A shutter: quadrant, column and row, all from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shutter {
    /// 1 to 4.
    pub quadrant: usize,
    /// 1 to 365.
    pub column: usize,
    /// 1 to 171.
    pub row: usize,
}

/// A quadrant: places and sizes of its shutters, and its own place.
#[derive(Debug)]
struct Quadrant {
    /// Columns XC, YC, SIZEX, SIZEY.
    places: [Vec<f64>; 4],
    model: Transform,
}

/// The micro-shutter array by its reference file.
#[derive(Debug)]
pub struct ShutterArray {
    quadrants: Vec<Quadrant>,
}

impl ShutterArray {
    /// Reads the `msa` reference file.
    ///
    /// # Errors
    /// [`Error::Reference`] or [`Error::Format`] naming the file where it is none.
    pub fn read(file: &AsdfFile) -> Result<Self> {
        let quadrant = |number: usize| -> Result<Quadrant> {
            let key = format!("Q{number}.data");
            let table = file.require_array(&key)?;
            // a table, or the same columns as an array behind the shutters' numbers
            let plain = matches!(table.shape(), [_, 5])
                .then(|| table.to_vec::<f64>())
                .transpose()?;
            let column = |name: &str, k: usize| -> Result<Vec<f64>> {
                match (table.field(name), &plain) {
                    (Some(column), _) => column.to_vec(),
                    (None, Some(rows)) => Ok(rows.chunks_exact(5).map(|row| row[k]).collect()),
                    (None, None) => Err(fault(file, &key, format!("has no column {name}"))),
                }
            };
            Ok(Quadrant {
                places: [
                    column("XC", 1)?,
                    column("YC", 2)?,
                    column("SIZEX", 3)?,
                    column("SIZEY", 4)?,
                ],
                model: transform(file, &format!("Q{number}.model"), (2, 2))?,
            })
        };
        Ok(Self {
            quadrants: (1..=4).map(quadrant).collect::<Result<_>>()?,
        })
    }

    /// Position in a shutter to the plane of the shutters.
    fn to_msa(&self, shutter: Shutter) -> Result<Transform> {
        let Shutter {
            quadrant,
            column,
            row,
        } = shutter;
        let place = || {
            let quadrant = self.quadrants.get(quadrant.checked_sub(1)?)?;
            let index = (row.checked_sub(1)? * IN_ROW + column).checked_sub(1)?;
            let mut at = [0.0; 4];
            for (at, values) in at.iter_mut().zip(&quadrant.places) {
                *at = *values.get(index)?;
            }
            Some((at, quadrant.model.clone()))
        };
        let ([x, y, width, height], model) = place().ok_or_else(|| {
            Error::reference(format!(
                "the msa reference file has no shutter in column {column}, row {row} of quadrant {quadrant}"
            ))
        })?;
        let scale = Transform::scale(width).beside(Transform::scale(height));
        let shift = Transform::shift(x).beside(Transform::shift(y));
        Ok(scale.then(shift).then(model))
    }

    /// The pixels, `y * 2048 + x`, on which light of a shutter falls in an exposure.
    ///
    /// # Errors
    /// [`Error::Reference`] for a shutter that there is not, or reference files that do not go together; [`Error::Input`] where they
    /// lack backward transforms.
    pub fn pixels(
        &self,
        refs: &NirspecReferences,
        setting: &Setting,
        pointing: &Pointing,
        shutter: Shutter,
    ) -> Result<Vec<u32>> {
        let wheel = Wheel::new(refs, setting, pointing)?;
        let to_gwa = to_sca(setting).then(to_gwa(refs, setting, &wheel.rotation));
        let before_wheel = self.to_msa(shutter)?.then(wheel.from_msa.clone());
        let table = position_table(&before_wheel, f64::NAN, EDGES)?;
        let table = Transform::from(Kind::Tabular(table));
        let back = before_wheel.clone();
        let to_slit = wheel.to_slit(&table, before_wheel, back, EDGES);
        let to_pixels = to_gwa.clone().then(to_slit.clone()).inverted()?;
        let mut bounds = bounds_of(&to_pixels, EDGES, wheel.range)?;
        if bounds.iter().any(|(low, high)| low > high) {
            return Ok(Vec::new());
        }
        let mut lit = Vec::new();
        inside(&to_gwa, &table, &to_slit, bounds, |pixels, at| {
            let seen = pixels.into_iter().zip(&at[1]).zip(&at[2]);
            let seen = seen.filter(|((_, y), lambda)| y.is_finite() && lambda.is_finite());
            lit.extend(seen.map(|((p, _), _)| p));
            Ok(())
        })?;
        if let Some(rows) = bounds_of_rows(lit.iter().copied()) {
            bounds[1] = rows;
        }
        let [x, y] = bounds;
        let within = |v: u32, (low, high): (f64, f64)| (low..=high).contains(&f64::from(v));
        lit.retain(|p| within(p % SIZE, x) && within(p / SIZE, y));
        Ok(lit)
    }
}
