//! # pathloss: correct for light lost on its way to the detector
//!
//! ## What
//! Divides an image of the NIRSpec IFU by the fraction of the light that passes the optics, which depends on wavelength and on whether the
//! source is a point or uniform.
//!
//! ## Why
//! Diffraction and the edges of apertures cost light, and more of it at long wavelengths.
//!
//! ## Algorithm
//! 1. The fraction of the first aperture of the reference file, by wavelength: for a uniform source as it is; for a point source
//!    at the centre of the aperture, bilinear between the four neighbouring positions (single precision).
//! 2. Each pixel takes the fraction at its wavelength (which is rounded to single precision), linear in between, NaN outside.
//! 3. `SCI` and `ERR` are divided by that for the type of the source (`SRCTYPE`, by srctype; uniform unless it is `POINT`), the variances
//!    by its square; then every pixel with NaN or `DO_NOT_USE` gets both.
//! 4. Wavelengths (micron) and both fractions are kept as the extensions `WAVELENGTH`, `PATHLOSS_PS` and `PATHLOSS_UN`.
//!
//! With `inverse` the image is multiplied.
//!
//! ## Parameters
//! `inverse`; `source_type`: takes the place of `SRCTYPE`; `user_slit_loc` concerns slits of MIRI.
//!
//! ## Reference files
//! `pathloss`: the first `PS` (fractions by wavelength and position) and the first `UNI` (by wavelength); wavelengths in metre by
//! their keywords `CRPIXn`, `CRVALn`, `CDELTn`.
//!
//! ## Skipped when
//! no `pathloss` reference applies.
//!
//! ## Differs from jwst
//! - Exposures of other modes than the NIRSpec IFU are refused.
//! - A reference file in which the centre of the aperture is outside of the positions is an error; jwst then takes 0.
//!
//! ## References
//! jwst 3.0.0 `pathloss`.

use crate::exec::Exec;
use crate::formats::fits::{Data, Hdu, Header, Image};
use crate::model::Cal;
use crate::model::reference::RefFits;
use crate::steps::step::{Info, RefPaths, Reference, Step, Target};
use crate::wcs::map_of;
use crate::{Error, Result};

crate::params! {
    /// Parameters of pathloss.
    pub struct PathlossParams {
        /// Undoes the correction: multiplies.
        inverse: bool = false,
        /// Type of the source, POINT or EXTENDED, in place of the exposure's.
        source_type: Option<String> = None,
        /// Place of the source in the slit in arcsec (MIRI LRS only).
        user_slit_loc: Option<f64> = None,
    }
}

/// The step.
pub struct Pathloss;

/// Fractions of the light that passes.
#[derive(Debug)]
pub struct Losses {
    point: Curve,
    uniform: Curve,
}

/// A fraction by wavelength, padded by a point at each end that holds NaN.
#[derive(Debug, Clone, PartialEq)]
struct Curve {
    /// Micron, rising.
    wavelength: Vec<f32>,
    /// The same with a point before and a point behind.
    places: Vec<f64>,
    values: Vec<f64>,
}

impl Step for Pathloss {
    const INFO: Info = Info {
        name: "pathloss",
        class: "PathLossStep",
        keyword: "S_PTHLOS",
        title: "Pathloss Correction",
        skip: false,
        references: &[Reference {
            kind: "pathloss",
            required: true,
        }],
    };
    const SOURCE: &'static str = include_str!("pathloss.rs");
    type In = Cal;
    type Out = Cal;
    type Params = PathlossParams;
    type Refs = Losses;

    fn not_applicable(input: &Cal, _: &Self::Params) -> Result<Option<String>> {
        match input.meta.need_str("EXP_TYPE")? {
            "NRS_IFU" => Ok(None),
            other => Err(Error::input_file(
                &input.meta.source,
                format!("pathloss works on exposures of the NIRSpec IFU only (EXP_TYPE = {other})"),
            )),
        }
    }

    fn load(paths: &RefPaths, _: &Target, _: &Self::Params) -> Result<Losses> {
        let file = RefFits::open("pathloss", paths.need("pathloss")?)?;
        Ok(Losses {
            point: point(&file)?,
            uniform: uniform(&file)?,
        })
    }

    fn run(mut input: Cal, refs: &Losses, params: &Self::Params, exec: &Exec) -> Result<Cal> {
        let source = match params.source_type.as_deref() {
            None | Some("") => input.meta.str("SRCTYPE"),
            given => given,
        };
        let is_point = source.is_some_and(|s| s.eq_ignore_ascii_case("POINT"));
        let map = map_of(&input)?;
        let wavelength: Vec<f32> = map.lambda.iter().map(|w| *w as f32).collect();
        let (point, uniform) = exec.join(
            || refs.point.at_all(&wavelength),
            || refs.uniform.at_all(&wavelength),
        );
        let used = if is_point { &point } else { &uniform };
        tracing::info!(
            "pathloss: corrected for a {} source",
            if is_point { "point" } else { "uniform" }
        );
        divide(&mut input, used, params.inverse);
        let (ny, nx) = (input.ny, input.nx);
        for (name, values) in [
            ("WAVELENGTH", wavelength),
            ("PATHLOSS_PS", point),
            ("PATHLOSS_UN", uniform),
        ] {
            input
                .extra
                .retain(|h| h.header.str("EXTNAME") != Some(name));
            input.extra.push(extension(name, values, ny, nx));
        }
        Ok(input)
    }
}

/// An image as an extension.
fn extension(name: &str, values: Vec<f32>, ny: usize, nx: usize) -> Hdu {
    let mut header = Header::new();
    header.set("EXTNAME", name, "extension name");
    header.set("EXTVER", 1i64, "extension value");
    Hdu {
        header,
        data: Data::Image(Image::new(&[ny, nx], values)),
    }
}

/// Divides an image and its errors, or multiplies.
fn divide(image: &mut Cal, fraction: &[f32], inverse: bool) {
    for (p, &f) in fraction.iter().enumerate() {
        let by = |v: &mut f32, f: f32| {
            if inverse {
                *v *= f;
            } else {
                *v /= f;
            }
        };
        by(&mut image.sci[p], f);
        by(&mut image.err[p], f);
        let square = f * f;
        by(&mut image.var_poisson[p], square);
        by(&mut image.var_rnoise[p], square);
        if let Some(v) = image.var_flat.as_mut().and_then(|v| v.get_mut(p)) {
            by(v, square);
        }
    }
    image.match_nans_and_flags();
}

/// Wavelengths of an axis in metre, in single precision.
fn wavelengths(file: &RefFits, extname: &str, axis: usize, n: usize) -> Result<Vec<f32>> {
    let [first, value, step] = linear_axis(file, extname, axis)?;
    let at = |i: usize| (value + ((i + 1) as f64 - first) * step) as f32;
    Ok((0..n).map(at).collect())
}

/// Reference pixel, its value and the step of an axis (from 1).
fn linear_axis(file: &RefFits, extname: &str, axis: usize) -> Result<[f64; 3]> {
    let header = file.extension(extname)?;
    let number = |key: &str| -> Result<f64> {
        let key = format!("{key}{axis}");
        header
            .f64(&key)
            .ok_or_else(|| file.error(format!("{extname} has no number in keyword {key}")))
    };
    Ok([number("CRPIX")?, number("CRVAL")?, number("CDELT")?])
}

/// The fractions for a uniform source.
fn uniform(file: &RefFits) -> Result<Curve> {
    let shape = file.shape("UNI")?;
    let [n] = *shape else {
        return Err(file.error(format!("UNI has shape {shape:?}; one axis is needed")));
    };
    let values: Vec<f32> = file.whole("UNI")?;
    Curve::new(&wavelengths(file, "UNI", 1, n)?, &values)
        .ok_or_else(|| file.error("the wavelengths of UNI do not rise"))
}

/// The fractions for a point source at the centre of the aperture.
fn point(file: &RefFits) -> Result<Curve> {
    let shape = file.shape("PS")?;
    let [n, ny, nx] = *shape else {
        return Err(file.error(format!("PS has shape {shape:?}; three axes are needed")));
    };
    let place = |axis: usize, size: usize| -> Result<f64> {
        let [first, value, step] = linear_axis(file, "PS", axis)?;
        let place = first + (0.0 - value) / step - 1.0;
        if place >= 0.0 && place < size as f64 - 1.0 {
            return Ok(place);
        }
        Err(file.error(format!(
            "the centre of the aperture is not among the positions of PS (axis {axis})"
        )))
    };
    let (x, y) = (place(1, nx)?, place(2, ny)?);
    let (j, i) = (x as usize, y as usize);
    let dx = [1.0 - (x - j as f64), x - j as f64];
    let dy = [1.0 - (y - i as f64), y - i as f64];
    let weight = |a: usize, b: usize| (dx[a] * dy[b]) as f32;
    let values: Vec<f32> = file.whole("PS")?;
    let at = |k: usize| {
        let value = |b: usize, a: usize| values[(k * ny + i + b) * nx + j + a];
        weight(0, 0) * value(0, 0)
            + weight(0, 1) * value(1, 0)
            + weight(1, 0) * value(0, 1)
            + weight(1, 1) * value(1, 1)
    };
    let values: Vec<f32> = (0..n).map(at).collect();
    Curve::new(&wavelengths(file, "PS", 3, n)?, &values)
        .ok_or_else(|| file.error("the wavelengths of PS do not rise"))
}

impl Curve {
    /// Fractions at wavelengths in metre; none where these do not rise, or there is none.
    fn new(metre: &[f32], values: &[f32]) -> Option<Self> {
        let wavelength: Vec<f32> = metre.iter().map(|w| w * 1e6).collect();
        if wavelength.is_empty() || !wavelength.is_sorted_by(|a, b| a < b) {
            return None;
        }
        let padded = |values: &[f32], low: f64, high: f64| {
            let mut out = vec![low];
            out.extend(values.iter().map(|v| f64::from(*v)));
            out.push(high);
            out
        };
        let (low, high) = (wavelength.first()? - 0.1, wavelength.last()? + 0.1);
        Some(Self {
            places: padded(&wavelength, f64::from(low), f64::from(high)),
            values: padded(values, f64::NAN, f64::NAN),
            wavelength,
        })
    }

    /// The fraction at a wavelength in micron, NaN outside.
    fn at(&self, wavelength: f32) -> f32 {
        if wavelength.is_nan() {
            return f32::NAN;
        }
        let low = self.wavelength.partition_point(|w| *w < wavelength);
        let part =
            (f64::from(wavelength) - self.places[low]) / (self.places[low + 1] - self.places[low]);
        (self.values[low] + part * (self.values[low + 1] - self.values[low])) as f32
    }

    fn at_all(&self, wavelength: &[f32]) -> Vec<f32> {
        wavelength.iter().map(|w| self.at(*w)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::members::tests::row;
    use super::*;
    use crate::model::dq;

    fn curve() -> Curve {
        Curve::new(&[1e-6, 2e-6, 4e-6], &[0.5, 0.75, 1.0]).unwrap()
    }

    #[test]
    fn between_at_and_outside_the_wavelengths() {
        let at = |w: f32| curve().at(w);
        assert_eq!([1.5, 2.0, 3.0, 4.0].map(at), [0.625, 0.75, 0.875, 1.0]);
        // as jwst, the first wavelength is outside
        assert!(
            [0.5, 0.95, 1.0, 4.05, 9.0, f32::NAN]
                .map(at)
                .iter()
                .all(|v| v.is_nan())
        );
        assert!(Curve::new(&[2e-6, 1e-6], &[0.0; 2]).is_none());
        assert!(Curve::new(&[], &[]).is_none());
    }

    #[test]
    fn what_has_no_fraction_is_bad() {
        let mut cal = row(&[1.0, f32::NAN, 3.0, 4.0]);
        cal.var_flat = Some(vec![1.0; 4]);
        cal.dq = vec![0, dq::DO_NOT_USE, dq::SATURATED, 0];
        divide(&mut cal, &[0.5, 0.5, 0.25, f32::NAN], false);
        assert_eq!((cal.sci[0], cal.err[0], cal.sci[2]), (2.0, 2.0, 12.0));
        assert_eq!((cal.var_poisson[0], cal.var_rnoise[2]), (1.0, 12.0));
        assert_eq!(cal.dq, [0, dq::DO_NOT_USE, dq::SATURATED, dq::DO_NOT_USE]);
        let flat = cal.var_flat.as_ref().unwrap();
        assert!(flat[0] == 4.0 && flat[3].is_nan() && cal.sci[3].is_nan());
        divide(&mut cal, &[0.5; 4], true);
        assert_eq!((cal.sci[0], cal.var_poisson[0]), (1.0, 0.25));
    }
}
