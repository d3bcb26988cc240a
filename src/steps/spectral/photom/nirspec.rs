//! The conversion of exposures of the NIRSpec IFU: one response by wavelength, and the area on the sky of a pixel in each slice.

use crate::exec::Exec;
use crate::math::interpolate::linear;
use crate::math::pairwise_sum::pairwise_sum;
use crate::model::reference::RefFits;
use crate::model::{Cal, dq};
use crate::steps::step::{RefPaths, Target};
use crate::wcs::exposure::{ExposureWcs, SliceBox};
use crate::wcs::map_of;
use crate::{Error, Result};

use super::{MJSR_TO_UJA2, Recorded, record};

/// Wavelengths below this (100 micron in metre) are in metre.
const METRES: f64 = 1e-4;

/// What the reference files say for a filter and grating.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// MJy of one DN/s.
    factor: f32,
    /// Wavelengths in micron.
    wavelength: Vec<f64>,
    /// Factor at these.
    relative: Vec<f64>,
    /// Area in arcsec^2 of a pixel of each slice that there is.
    area: Vec<(i64, f32)>,
}

/// Square of an arcsecond in steradian.
fn square_arcsec() -> f64 {
    let second = std::f64::consts::PI / (180.0 * 3600.0);
    second * second
}

impl Response {
    /// Reads the row of the exposure's filter and grating, and the areas.
    ///
    /// # Errors
    /// [`Error::Reference`] where a file or the row is missing, or there are several.
    pub fn load(paths: &RefPaths, target: &Target) -> Result<Self> {
        let file = RefFits::open("photom", paths.need("photom")?)?;
        let area = RefFits::open("area", paths.need("area")?)?;
        let table = file.table("PHOTOM")?;
        let setting = [
            target.meta.need_str("FILTER")?,
            target.meta.need_str("GRATING")?,
        ];
        let is_own = |row: &usize| {
            let own = ["filter", "grating"].map(|c| table.text(c, *row));
            own.iter()
                .zip(setting)
                .all(|(own, needed)| own.as_ref().is_some_and(|o| o.eq_ignore_ascii_case(needed)))
        };
        let rows: Vec<usize> = (0..table.nrows).filter(is_own).collect();
        let [row] = *rows else {
            return Err(file.error(format!(
                "has {} rows for {}, {}; one is needed",
                rows.len(),
                setting[0],
                setting[1]
            )));
        };
        let numbers = |name: &str| {
            let values = table.numbers(name, row);
            values.ok_or_else(|| file.error(format!("PHOTOM has no numbers in column {name}")))
        };
        let factor = numbers("photmj")?.first().map(|v| *v as f32);
        let n = table
            .number("nelem", row)
            .map_or(usize::MAX, |n| n.max(0.0) as usize);
        let single = |name: &str| -> Result<Vec<f32>> {
            Ok(numbers(name)?
                .into_iter()
                .take(n)
                .map(|v| v as f32)
                .collect())
        };
        let (mut wavelength, relative) = (single("wavelength")?, single("relresponse")?);
        let greatest = wavelength.iter().fold(0.0f32, |a, b| a.max(*b));
        if greatest > 0.0 && f64::from(greatest) < METRES {
            wavelength.iter_mut().for_each(|w| *w *= 1e6);
        }
        let wide = |v: Vec<f32>| v.into_iter().map(f64::from).collect::<Vec<_>>();
        let (wavelength, relative) = (wide(wavelength), wide(relative));
        let whole = relative.len() == wavelength.len() && !wavelength.is_empty();
        let factor = factor
            .filter(|_| whole && wavelength.is_sorted())
            .ok_or_else(|| {
                file.error(format!(
                    "the row of {}, {} of PHOTOM is empty, or its wavelengths fall",
                    setting[0], setting[1]
                ))
            })?;
        Ok(Self {
            factor,
            wavelength,
            relative,
            area: areas(&area)?,
        })
    }

    /// Area of a pixel in arcsec^2, the mean of all slices.
    fn mean_area(&self) -> f32 {
        let known: Vec<f32> = self.area.iter().map(|(_, a)| *a).collect();
        let valid = known.iter().filter(|a| !a.is_nan()).count();
        let zeroed: Vec<f32> = known
            .iter()
            .map(|a| if a.is_nan() { 0.0 } else { *a })
            .collect();
        (f64::from(pairwise_sum(&zeroed)) / valid as f64) as f32
    }

    /// Pixels around each slice, and the area of its pixels.
    fn slices(&self, wcs: &ExposureWcs, image: &Cal) -> Result<Vec<(SliceBox, f32)>> {
        let boxes = wcs.boxes(image.ny, image.nx);
        if boxes.is_empty() {
            return Err(Error::input_file(
                &image.meta.source,
                "its WCS does not say which pixels belong to a slice; run assign_wcs again",
            ));
        }
        let area = |b: SliceBox| {
            let id = b.label - 1;
            let area = self.area.iter().find(|(slice, _)| *slice == id);
            let area = area.ok_or_else(|| {
                Error::reference(format!("the area reference file lacks slice_id {id}"))
            })?;
            Ok((b, area.1))
        };
        boxes.into_iter().map(area).collect()
    }

    /// Converts an image.
    ///
    /// # Errors
    /// [`Error::Input`] where it has no WCS of slices; [`Error::Reference`] where the area of a slice is missing.
    pub(super) fn convert(&self, image: &mut Cal, inverse: bool, exec: &Exec) -> Result<()> {
        let map = map_of(image)?;
        let wcs = ExposureWcs::of(image)?;
        let slices = self.slices(&wcs, image)?;
        let strip = exec.strip_rows(image.ny);
        let starts = (0..image.ny).step_by(strip).collect();
        let nx = image.nx;
        let factors = exec.map(starts, |first: usize| {
            let rows = first..(first + strip).min(image.ny);
            let mut factors = vec![f64::NAN; rows.len() * nx];
            for (k, y) in rows.enumerate() {
                let mut areas = vec![1.0f32; nx];
                for (b, area) in slices.iter().filter(|(b, _)| b.y.contains(&y)) {
                    if !wcs.by_number() {
                        // calwebb's: where bounds overlap a pixel has the later slice's area, be it in it or not
                        areas[b.x.clone()].fill(*area);
                        continue;
                    }
                    let own = |x: &usize| i64::from(map.slice[y * nx + x]) == b.label;
                    b.x.clone().filter(own).for_each(|x| areas[x] = *area);
                }
                for (x, area) in areas.into_iter().enumerate() {
                    let wavelength = map.lambda[y * nx + x];
                    if !wavelength.is_nan() {
                        factors[k * nx + x] = self.factor(wavelength as f32, area);
                    }
                }
            }
            factors
        });
        apply(image, &factors.concat(), inverse);
        let area = self.mean_area();
        let steradian = f64::from(area) * square_arcsec();
        let scalar = self.factor / steradian as f32;
        record(
            &mut image.meta,
            &Recorded {
                mjsr: f64::from(scalar),
                uja2: f64::from(scalar * MJSR_TO_UJA2 as f32),
                pixel: (Some(steradian), Some(f64::from(area))),
            },
            if inverse { "DN/s" } else { "MJy/sr" },
        );
        image.match_nans_and_flags();
        Ok(())
    }

    /// MJy/sr of one DN/s at a wavelength (micron) in a pixel of an area (arcsec^2).
    fn factor(&self, wavelength: f32, area: f32) -> f64 {
        let relative = linear(f64::from(wavelength), &self.wavelength, &self.relative);
        relative * f64::from(self.factor) / f64::from(area * square_arcsec() as f32)
    }
}

/// Areas of pixels by slice.
fn areas(file: &RefFits) -> Result<Vec<(i64, f32)>> {
    let table = file.table("AREA")?;
    let column = |name: &str| {
        let values = table.column_numbers(name);
        values.ok_or_else(|| file.error(format!("AREA has no numbers in column {name}")))
    };
    let (ids, areas) = (column("slice_id")?, column("pixarea")?);
    let rows = ids.into_iter().zip(areas);
    Ok(rows.map(|(id, area)| (id as i64, area as f32)).collect())
}

/// Multiplies an image by factors, or divides; pixels without one are left and flagged.
fn apply(image: &mut Cal, factors: &[f64], inverse: bool) {
    let by = |v: &mut f32, factor: f64| {
        let wide = f64::from(*v);
        *v = if inverse {
            wide / factor
        } else {
            wide * factor
        } as f32;
    };
    for (p, factor) in factors.iter().enumerate() {
        let factor = match factor.is_nan() {
            true => {
                image.dq[p] |= dq::NON_SCIENCE;
                1.0
            }
            false => *factor,
        };
        let square = factor * factor;
        by(&mut image.sci[p], factor);
        by(&mut image.err[p], factor);
        by(&mut image.var_poisson[p], square);
        by(&mut image.var_rnoise[p], square);
        if let Some(v) = image.var_flat.as_mut().and_then(|v| v.get_mut(p)) {
            by(v, square);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::members::tests::row;
    use super::*;

    fn response() -> Response {
        Response {
            factor: 2e-6,
            wavelength: vec![1.0, 2.0],
            relative: vec![1.0, 3.0],
            area: vec![(0, 0.01), (1, f32::NAN), (2, 0.03)],
        }
    }

    #[test]
    fn by_wavelength_and_area() {
        let r = response();
        let near = |a: f64, b: f64| ((a - b) / b).abs() < 1e-6;
        let sr = square_arcsec();
        assert!(near(r.factor(1.5, 0.01), 2.0 * 2e-6 / (0.01 * sr)));
        // beyond the table its ends
        assert!(near(r.factor(9.0, 0.02), 3.0 * 2e-6 / (0.02 * sr)));
        assert!((r.mean_area() - 0.02).abs() < 1e-8);
    }

    #[test]
    fn pixels_of_no_slice_are_left_and_flagged() {
        let mut cal = row(&[1.0, f32::NAN, 3.0]);
        cal.var_flat = Some(vec![1.0; 3]);
        cal.dq[2] = dq::SATURATED;
        apply(&mut cal, &[2.0, 2.0, f64::NAN], false);
        assert!(cal.sci[0] == 2.0 && cal.sci[1].is_nan() && cal.sci[2] == 3.0);
        assert_eq!(
            (
                cal.err[0],
                cal.var_poisson[0],
                cal.var_flat.as_ref().unwrap()[0]
            ),
            (2.0, 1.0, 4.0)
        );
        assert_eq!(cal.dq, [0, 0, dq::SATURATED | dq::NON_SCIENCE]);
        apply(&mut cal, &[2.0, 2.0, f64::NAN], true);
        assert_eq!((cal.sci[0], cal.var_rnoise[0]), (1.0, 0.75));
    }
}
