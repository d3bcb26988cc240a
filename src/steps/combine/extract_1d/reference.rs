//! The reference files of extract_1d: radii of the apertures (extract1d) and aperture corrections (apcorr).

use std::path::Path;

use super::aperture::Method;
use super::interpolate::Curve;
use crate::formats::asdf::{AsdfFile, Datatype, NdArray};
use crate::{Error, Result};

/// Most points of a pixel's side that are tried; more would take forever.
const MOST_SUBPIXELS: i64 = 1000;

/// Numbers of a reference file, and whether they are in single precision.
#[derive(Debug, Clone)]
struct Numbers {
    values: Vec<f64>,
    single: bool,
}

impl Numbers {
    fn new(array: &NdArray) -> Result<Self> {
        let single = match array.datatype() {
            Datatype::Float32 => true,
            Datatype::Float64 => false,
            other => {
                return Err(Error::reference(format!(
                    "holds {other:?} where floating-point numbers are needed"
                )));
            }
        };
        let values = if single {
            let values: Vec<f32> = array.to_vec()?;
            values.into_iter().map(f64::from).collect()
        } else {
            array.to_vec()?
        };
        Ok(Self { values, single })
    }

    /// The same, each with something done to it in its own precision.
    fn map(&self, one: impl Fn(f32) -> f32, two: impl Fn(f64) -> f64) -> Self {
        let f = |v: &f64| match self.single {
            true => f64::from(one(*v as f32)),
            false => two(*v),
        };
        Self {
            values: self.values.iter().map(f).collect(),
            single: self.single,
        }
    }
}

fn fault(kind: &str, path: &Path, what: impl std::fmt::Display) -> Error {
    Error::reference(format!("{kind} reference file {}: {what}", path.display()))
}

/// Apertures of point sources, from an extract1d reference of a cube.
#[derive(Debug, Clone)]
pub struct Apertures {
    /// Whether the background is subtracted unless the user says otherwise.
    pub subtract_background: bool,
    /// How the part of a pixel in an aperture is found.
    pub method: Method,
    wavelength: Numbers,
    radius: Numbers,
    inner: Numbers,
    outer: Numbers,
}

impl Apertures {
    /// Reads the file.
    ///
    /// # Errors
    /// [`Error::Reference`] where it is unusable.
    pub fn read(path: &Path) -> Result<Self> {
        let fault = |e: &dyn std::fmt::Display| fault("EXTRACT1D", path, e);
        let file = AsdfFile::open(path).map_err(|e| fault(&e))?;
        let tree = file.tree();
        let column = |name: &str| {
            let array = file
                .require_array(&format!("data.{name}"))
                .map_err(|e| fault(&e))?;
            Numbers::new(array).map_err(|e| fault(&format!("data.{name} {e}")))
        };
        let wavelength = column("wavelength")?;
        let same = |name: &str| {
            let numbers = column(name)?;
            if numbers.values.len() != wavelength.values.len() || numbers.values.len() < 2 {
                return Err(fault(&format!(
                    "data.{name} holds {} numbers and data.wavelength {}; there must be as many, and two or more",
                    numbers.values.len(),
                    wavelength.values.len()
                )));
            }
            Ok(numbers)
        };
        let text = file.require_str("meta.method").map_err(|e| fault(&e))?;
        let method = match text {
            "exact" => Method::Exact,
            "center" => Method::Center,
            "subpixel" => {
                let n = tree.get("meta.subpixels").and_then(|n| n.as_i64());
                let n = n.filter(|n| (1..=MOST_SUBPIXELS).contains(n));
                Method::Subpixel(n.ok_or_else(|| {
                    fault(&format!(
                        "meta.subpixels must be a whole number from 1 to {MOST_SUBPIXELS}"
                    ))
                })? as usize)
            }
            other => {
                return Err(fault(&format!(
                    "meta.method is '{other}'; exact, center or subpixel is needed"
                )));
            }
        };
        let subtract = tree.get("meta.subtract_background");
        Ok(Self {
            subtract_background: subtract.and_then(|n| n.as_bool()).unwrap_or(false),
            method,
            radius: same("radius")?,
            inner: same("inner_bkg")?,
            outer: same("outer_bkg")?,
            wavelength,
        })
    }

    /// Radius of the aperture and inner and outer radius of the background's ring at each wavelength (micron), in
    /// arcsec; `fwhm` scales the aperture to so many FWHM of the PSF.
    pub fn radii(&self, waves: &[f64], fwhm: Option<f64>) -> [Vec<f64>; 3] {
        let radius = match fwhm {
            Some(n) => self.radius.map(|r| r * n as f32 / 2.0, |r| r * n / 2.0),
            None => self.radius.clone(),
        };
        [&radius, &self.inner, &self.outer].map(|numbers| {
            let wavelength = &self.wavelength;
            let curve = Curve::new(
                &wavelength.values,
                &numbers.values,
                wavelength.single,
                numbers.single,
            );
            let at = |w: &f64| curve.as_ref().map_or(f64::NAN, |c| c.at(*w));
            waves.iter().map(at).collect()
        })
    }
}

/// Aperture corrections by wavelength and radius, from an apcorr reference of a cube.
#[derive(Debug, Clone)]
pub struct Corrections {
    arcsec: bool,
    wavelength: Numbers,
    /// Radii and corrections, one row of wavelengths after the other.
    radius: Numbers,
    correction: Numbers,
}

impl Corrections {
    /// Reads the file.
    ///
    /// # Errors
    /// [`Error::Reference`] where it is unusable.
    pub fn read(path: &Path) -> Result<Self> {
        let fault = |e: &dyn std::fmt::Display| fault("APCORR", path, e);
        let file = AsdfFile::open(path).map_err(|e| fault(&e))?;
        let column = |name: &str| {
            let array = file
                .require_array(&format!("apcorr_table.{name}"))
                .map_err(|e| fault(&e))?;
            let numbers =
                Numbers::new(array).map_err(|e| fault(&format!("apcorr_table.{name} {e}")))?;
            Ok::<_, Error>((numbers, array.shape().to_vec()))
        };
        let (wavelength, _) = column("wavelength")?;
        let (radius, shape) = column("radius")?;
        let (correction, other) = column("apcorr")?;
        let n = wavelength.values.len();
        if shape != other || shape.len() != 2 || shape[1] != n || shape[0] < 2 || n < 2 {
            return Err(fault(&format!(
                "radius has shape {shape:?} and apcorr {other:?}; both must have two or more rows of {n} wavelengths"
            )));
        }
        let units = file
            .require_str("apcorr_table.radius_units")
            .map_err(|e| fault(&e))?;
        Ok(Self {
            arcsec: units.starts_with("arcsec"),
            wavelength,
            radius,
            correction,
        })
    }

    /// The factor at each wavelength (micron) for apertures of these radii (pixels); `pixel` is the size of one in
    /// arcsec.
    pub fn factors(&self, waves: &[f64], radii: &[f64], pixel: f64) -> Vec<f64> {
        let radius = match self.arcsec {
            true => self.radius.map(|r| r / pixel as f32, |r| r / pixel),
            false => self.radius.clone(),
        };
        let n = self.wavelength.values.len();
        let curves = |of: &Numbers| -> Vec<Option<Curve>> {
            let rows = of.values.chunks_exact(n);
            rows.map(|row| {
                Curve::new(
                    &self.wavelength.values,
                    row,
                    self.wavelength.single,
                    of.single,
                )
            })
            .collect()
        };
        let (radius, correction) = (curves(&radius), curves(&self.correction));
        let at = |curves: &[Option<Curve>], wave: f64| -> Vec<f64> {
            curves
                .iter()
                .map(|c| c.as_ref().map_or(f64::NAN, |c| c.at(wave)))
                .collect()
        };
        let one = |(wave, r): (&f64, &f64)| {
            Curve::new(&at(&radius, *wave), &at(&correction, *wave), false, false)
                .map_or(f64::NAN, |c| c.at(*r))
        };
        waves.iter().zip(radii).map(one).collect()
    }
}
