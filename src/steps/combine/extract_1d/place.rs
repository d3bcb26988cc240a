//! A cube's coordinates: the pixel of the target, the wavelengths of the planes, the size of a pixel.
//!
//! They come from the cube's gwcs object, or from its FITS keywords where it has none.

use crate::model::Cube;
use crate::wcs::Gwcs;
use crate::wcs::transform::{Direction, Euler, Kind, Transform};
use crate::{Error, Result};

/// From pixels (column, row, plane, from 0) to right ascension, declination (degrees) and wavelength (micron), and back.
#[derive(Debug)]
pub struct Place {
    forward: Transform,
    backward: Transform,
}

impl Place {
    /// The coordinates of a cube.
    ///
    /// # Errors
    /// [`Error::Input`] where the cube has none.
    pub fn of(cube: &Cube) -> Result<Self> {
        let forward = match &cube.wcs {
            Some(node) => {
                let wcs =
                    Gwcs::from_node(node).map_err(|e| e.with_path(cube.meta.source.clone()))?;
                let transforms = wcs.steps().iter().filter_map(|s| s.transform.clone());
                transforms.reduce(Transform::then)
            }
            None => Some(from_keywords(cube)?),
        };
        let forward = forward
            .filter(|t| t.n_inputs() == 3 && t.n_outputs() == 3)
            .ok_or_else(|| {
                Error::input_file(
                    &cube.meta.source,
                    "its WCS does not lead from three pixel coordinates to right ascension, declination and wavelength",
                )
            })?;
        let backward = forward
            .inverted()
            .map_err(|e| e.with_path(cube.meta.source.clone()))?;
        Ok(Self { forward, backward })
    }

    /// Right ascension, declination and wavelength of each plane at one pixel.
    ///
    /// # Errors
    /// Those of the transform.
    pub fn along(&self, x: f64, y: f64, nz: usize) -> Result<[Vec<f64>; 3]> {
        let z: Vec<f64> = (0..nz).map(|z| z as f64).collect();
        columns(self.forward.evaluate(&[&vec![x; nz], &vec![y; nz], &z])?)
    }

    /// The pixel (column, row) nearest to a place on the sky; none where that is on the cube's edge.
    ///
    /// # Errors
    /// Those of the transform.
    pub fn nearest(&self, ra: f64, dec: f64, cube: &Cube) -> Result<Option<(usize, usize)>> {
        let (ny, nx) = (cube.ny, cube.nx);
        let x: Vec<f64> = (0..ny * nx).map(|p| (p % nx) as f64).collect();
        let y: Vec<f64> = (0..ny * nx).map(|p| (p / nx) as f64).collect();
        let z = vec![(cube.nz / 2) as f64; ny * nx];
        let [ras, decs, waves] = columns(self.forward.evaluate(&[&x, &y, &z])?)?;
        let target = direction(ra, dec);
        let mut best = (f64::INFINITY, 0);
        for (p, ((ra, dec), wave)) in ras.iter().zip(&decs).zip(&waves).enumerate() {
            let v = direction(*ra, *dec);
            let square = |i: usize| (v[i] - target[i]) * (v[i] - target[i]);
            let distance = square(0) + square(1) + square(2);
            if !wave.is_nan() && distance < best.0 {
                best = (distance, p);
            }
        }
        let (i, j) = (best.1 % nx, best.1 / nx);
        let inside = i > 0 && j > 0 && i + 1 < nx && j + 1 < ny;
        Ok(inside.then_some((i, j)))
    }

    /// Size in degrees of a pixel at a place on the sky: along the rows, or the columns where the light is dispersed
    /// along the rows (`dispersion` 1).
    ///
    /// # Errors
    /// Those of the transform.
    pub fn scale(&self, ra: f64, dec: f64, wave: f64, dispersion: i64) -> Result<f64> {
        let at = self.backward.at(&[ra, dec, wave])?;
        let &[x, y, z] = at.as_slice() else {
            return Err(Error::input("the WCS has not three pixel coordinates"));
        };
        let (dx, dy) = if dispersion == 1 {
            (0.0, 1.0)
        } else {
            (1.0, 0.0)
        };
        let [ra, dec, _] =
            columns(
                self.forward
                    .evaluate(&[&[x, x + dx], &[y, y + dy], &[z, z]])?,
            )?;
        Ok(separation((ra[0], dec[0]), (ra[1], dec[1])))
    }
}

fn columns(values: Vec<Vec<f64>>) -> Result<[Vec<f64>; 3]> {
    values
        .try_into()
        .map_err(|_| Error::input("the WCS has not three world coordinates"))
}

/// Unit vector of a place on the sky.
fn direction(ra: f64, dec: f64) -> [f64; 3] {
    use std::f64::consts::PI;
    let (ra, dec) = (ra * PI / 180.0, dec * PI / 180.0);
    let across = dec.cos();
    [across * ra.cos(), across * ra.sin(), dec.sin()]
}

/// Angle in degrees between two places on the sky (Vincenty's formula).
fn separation(a: (f64, f64), b: (f64, f64)) -> f64 {
    let (sin_d, cos_d) = (
        (b.0 - a.0).to_radians().sin(),
        (b.0 - a.0).to_radians().cos(),
    );
    let (sin_a, cos_a) = (a.1.to_radians().sin(), a.1.to_radians().cos());
    let (sin_b, cos_b) = (b.1.to_radians().sin(), b.1.to_radians().cos());
    let first = cos_b * sin_d;
    let second = cos_a * sin_b - sin_a * cos_b * cos_d;
    let along = sin_a * sin_b + cos_a * cos_b * cos_d;
    first.hypot(second).atan2(along).to_degrees()
}

/// The gnomonic WCS of the `SCI` header, with the wavelengths of the table where there is one.
fn from_keywords(cube: &Cube) -> Result<Transform> {
    let meta = &cube.meta;
    if let Some(other) = meta.str("CTYPE1").filter(|c| *c != "RA---TAN") {
        return Err(Error::input_file(
            &meta.source,
            format!(
                "its first axis is {other}; spectra are extracted from cubes on the sky (RA---TAN)"
            ),
        ));
    }
    let key = |name: &str, axis: usize| meta.need_f64(&format!("{name}{axis}"));
    let element = |i: usize, j: usize| {
        let unit = if i == j { 1.0 } else { 0.0 };
        meta.f64(&format!("PC{i}_{j}")).unwrap_or(unit)
    };
    let shift = |axis| Ok::<_, Error>(Transform::shift(-(key("CRPIX", axis)? - 1.0)));
    let scale = |axis| Ok::<_, Error>(Transform::scale(key("CDELT", axis)?));
    let pole = meta.f64("LONPOLE").unwrap_or(180.0);
    let matrix = Kind::Affine {
        matrix: [
            [element(1, 1), element(1, 2)],
            [element(2, 1), element(2, 2)],
        ],
        translation: [0.0; 2],
    };
    let rotation = Euler::NativeToCelestial([key("CRVAL", 1)?, key("CRVAL", 2)?, pole]);
    let sky = shift(1)?
        .beside(shift(2)?)
        .then(matrix.into())
        .then(scale(1)?.beside(scale(2)?))
        .then(Kind::Gnomonic(Direction::PixelToSky).into())
        .then(Kind::Rotate3D(rotation).into());
    let spectral = match (&cube.wavelength, meta.str("CTYPE3")) {
        (Some(waves), Some("WAVE-TAB")) => table(waves).ok_or_else(|| {
            Error::input_file(
                &meta.source,
                "the wavelengths of WCS-TABLE do not rise or fall",
            )
        })?,
        _ => shift(3)?
            .then(scale(3)?)
            .then(Transform::shift(key("CRVAL", 3)?)),
    };
    Ok(sky.beside(spectral))
}

fn table(waves: &[f32]) -> Option<Transform> {
    use crate::wcs::transform::{Method, Tabular};
    let points = (0..waves.len()).map(|z| z as f64).collect();
    let values = waves.iter().map(|w| f64::from(*w)).collect();
    Tabular::new(vec![points], values, Method::Linear, Some(f64::NAN))
        .map(|t| Kind::Tabular(t).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Meta;

    fn cube(nz: usize, ny: usize, nx: usize) -> Cube {
        let mut meta = Meta::default();
        for (key, value) in [
            ("CRPIX1", 6.0),
            ("CRPIX2", 5.0),
            ("CRPIX3", 1.0),
            ("CRVAL1", 30.0),
            ("CRVAL2", -60.0),
            ("CRVAL3", 5.0),
            ("CDELT1", 1e-4),
            ("CDELT2", 1e-4),
            ("CDELT3", 0.5),
            ("PC1_1", -1.0),
            ("PC2_2", 1.0),
        ] {
            meta.sci.set(key, value, "");
        }
        Cube {
            meta,
            label: String::new(),
            nz,
            ny,
            nx,
            sci: Vec::new(),
            err: Vec::new(),
            dq: Vec::new(),
            wmap: Vec::new(),
            wavelength: None,
            wcs: None,
            extra: Vec::new(),
            planes: Vec::new(),
        }
    }

    #[test]
    fn keywords_make_a_wcs() {
        let cube = cube(3, 9, 11);
        let place = Place::of(&cube).unwrap();
        let [ra, dec, wave] = place.along(5.0, 4.0, 3).unwrap();
        assert!((ra[0] - 30.0).abs() < 1e-12 && (dec[2] + 60.0).abs() < 1e-12);
        assert_eq!(wave, [5.0, 5.5, 6.0]);
        let [ra, dec, _] = place.along(4.0, 5.0, 1).unwrap();
        // cos 60 deg is one half
        assert!((ra[0] - 30.0002).abs() < 1e-8 && (dec[0] + 59.9999).abs() < 1e-8);
        assert_eq!(
            place.nearest(30.0 + 0.0004, -60.0 + 0.0001, &cube).unwrap(),
            Some((3, 5))
        );
        assert!((place.scale(30.0, -60.0, 5.0, 2).unwrap() / 1e-4 - 1.0).abs() < 1e-6);
        assert!((place.scale(30.0, -60.0, 5.0, 1).unwrap() / 1e-4 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn the_edge_and_what_is_beyond_it_count_as_outside() {
        let cube = cube(3, 9, 11);
        let place = Place::of(&cube).unwrap();
        for (ra, dec) in [
            (30.01, -60.0),
            (30.0, -59.0),
            (30.0, -60.0004),
            (210.0, 60.0),
        ] {
            assert_eq!(place.nearest(ra, dec, &cube).unwrap(), None);
        }
    }

    #[test]
    fn a_table_gives_the_wavelengths() {
        let mut cube = cube(3, 9, 11);
        cube.wavelength = Some(vec![5.0, 5.25, 6.0]);
        cube.meta.sci.set("CTYPE3", "WAVE-TAB", "");
        let place = Place::of(&cube).unwrap();
        assert_eq!(place.along(0.0, 0.0, 3).unwrap()[2], [5.0, 5.25, 6.0]);
        cube.wavelength = Some(vec![5.0, 5.0, 6.0]);
        assert!(Place::of(&cube).is_err());
        cube.meta.sci.remove("CRVAL1");
        let said = Place::of(&cube).unwrap_err().to_string();
        assert!(said.contains("CRVAL1"), "{said}");
    }
}
