//! The telescope's pointing: from V2, V3 (arcsec) to the sky, with the differential velocity aberration.
//!
//! Follows jwst 3.0.0 `assign_wcs/pointing.py`.

use super::transform::{Axis, Kind, Matrix3, Operation, Transform, matrix_of_sequence};
use crate::model::Meta;
use crate::{Error, Result};

/// Where the telescope looked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pointing {
    /// V2 of the reference point in arcsec.
    pub v2_ref: f64,
    /// V3 of the reference point in arcsec.
    pub v3_ref: f64,
    /// Position angle of V3 at the reference point in degrees, north to east.
    pub roll_ref: f64,
    /// Right ascension of the reference point in degrees.
    pub ra_ref: f64,
    /// Declination of the reference point in degrees.
    pub dec_ref: f64,
    /// Ratio of apparent to true plate scale; none where it is not known.
    pub va_scale: Option<f64>,
    /// Radial velocity to the barycentre in m/s; none where wavelengths are not to be corrected.
    pub velosys: Option<f64>,
}

/// Speed of light in m/s.
const LIGHT: f64 = 299_792_458.0;

impl Pointing {
    /// The pointing of an exposure's metadata.
    ///
    /// # Errors
    /// [`Error::Input`] where a keyword is missing or a value is impossible.
    pub fn from_meta(meta: &Meta) -> Result<Self> {
        let pointing = Self {
            v2_ref: meta.need_f64("V2_REF")?,
            v3_ref: meta.need_f64("V3_REF")?,
            roll_ref: meta.need_f64("ROLL_REF")?,
            ra_ref: meta.need_f64("RA_REF")?,
            dec_ref: meta.need_f64("DEC_REF")?,
            va_scale: meta.f64("VA_SCALE"),
            velosys: meta.f64("VELOSYS"),
        };
        if pointing
            .va_scale
            .is_some_and(|s| s <= 0.0 || !s.is_finite())
        {
            return Err(Error::input_file(
                &meta.source,
                "keyword VA_SCALE (velocity aberration) must be a positive number",
            ));
        }
        Ok(pointing)
    }

    /// Factor on wavelengths that brings them to the barycentre's frame; none if there is no velocity.
    pub fn velocity_factor(&self) -> Option<f64> {
        self.velosys.map(|v| 1.0 / (1.0 + v / LIGHT))
    }

    /// The transform of wavelengths that brings them to the barycentre's frame, with its inverse; none if there is no
    /// velocity.
    pub fn velocity_correction(&self) -> Option<Transform> {
        let factor = self.velocity_factor()?;
        let with = |op, name: &str| -> Transform {
            let constant = Transform::constant(factor).named(name);
            let identity = Box::new(Transform::identity(1));
            Kind::Arithmetic(op, identity, Box::new(constant)).into()
        };
        let back = with(Operation::Divide, "inv_vel_correction");
        Some(with(Operation::Multiply, "velocity_correction").with_inverse(back))
    }

    /// V2, V3 to V2, V3 with the differential velocity aberration, about the reference point.
    pub fn aberration(&self) -> Transform {
        let Some(scale) = self.va_scale.filter(|s| *s != 1.0) else {
            return Transform::identity(2);
        };
        let scales = Transform::scale(scale)
            .named("dva_scale_v2")
            .beside(Transform::scale(scale).named("dva_scale_v3"));
        if self.v2_ref == 0.0 && self.v3_ref == 0.0 {
            return scales;
        }
        let shift = |name: &str, at: f64| Transform::shift((1.0 - scale) * at).named(name);
        let shifts = shift("dva_v2_shift", self.v2_ref).beside(shift("dva_v3_shift", self.v3_ref));
        scales.then(shifts).named("DVA_Correction")
    }

    fn angles(&self) -> ([Axis; 5], [f64; 5]) {
        let angles = [
            self.v2_ref / 3600.0,
            -(self.v3_ref / 3600.0),
            self.roll_ref,
            self.dec_ref,
            -self.ra_ref,
        ];
        ([Axis::Z, Axis::Y, Axis::X, Axis::Y, Axis::Z], angles)
    }

    /// V2, V3 (with aberration) to right ascension and declination in degrees.
    pub fn to_sky(&self) -> Transform {
        let (axes, angles) = self.angles();
        let degrees = || Transform::scale(1.0 / 3600.0);
        let rotation = Kind::RotateSequence {
            axes: axes.to_vec(),
            angles: angles.to_vec(),
            spherical: false,
        };
        degrees()
            .beside(degrees())
            .then(Kind::SphericalToCartesian { wrap_lon_at: 180 }.into())
            .then(rotation.into())
            .then(Kind::CartesianToSpherical { wrap_lon_at: 360 }.into())
            .named("v23tosky")
    }
}

/// The way from V2, V3 to the sky for many points near the reference point: angles there are small, so series
/// replace the trigonometric functions. Agrees with [`Pointing::to_sky`] to its rounding.
#[derive(Debug, Clone)]
pub struct NearbySky {
    /// Reference point in degrees of V2, V3, and sine and cosine of its V3.
    v2: f64,
    v3: f64,
    sin_v3: f64,
    cos_v3: f64,
    /// From axes that have the reference point's V2 as their zero to those of its right ascension.
    matrix: Matrix3,
    ra: f64,
    dec: f64,
    sin_dec: f64,
    cos_dec: f64,
    scale: f64,
    shift: [f64; 2],
}

/// Up to here the series are exact to the last bit (in radians).
const SMALL: f64 = 1e-3;

fn sin_cos(x: f64) -> (f64, f64) {
    if x.abs() < SMALL {
        let q = x * x;
        (
            x * (1.0 - q / 6.0 * (1.0 - q / 20.0)),
            1.0 - q / 2.0 * (1.0 - q / 12.0),
        )
    } else {
        x.sin_cos()
    }
}

/// Angle of the vector `(x, y)` from the x axis.
fn angle(y: f64, x: f64) -> f64 {
    let t = y / x;
    if x > 0.0 && t.abs() < SMALL {
        let q = t * t;
        t * (1.0 - q * (1.0 / 3.0 - q / 5.0))
    } else {
        y.atan2(x)
    }
}

impl NearbySky {
    /// For a pointing.
    pub fn new(pointing: &Pointing) -> Self {
        let (axes, angles) = pointing.angles();
        let (v2, v3) = (angles[0], -angles[1]);
        let radians = angles.map(f64::to_radians);
        // Without its first rotation (by V2) and its last (by -RA) the sequence maps the reference point's meridian
        // onto that of its right ascension.
        let matrix = matrix_of_sequence(&axes[1..4], &radians[1..4]);
        let (sin_v3, cos_v3) = v3.to_radians().sin_cos();
        let (sin_dec, cos_dec) = pointing.dec_ref.to_radians().sin_cos();
        let scale = pointing.va_scale.unwrap_or(1.0);
        Self {
            v2,
            v3,
            sin_v3,
            cos_v3,
            matrix,
            ra: pointing.ra_ref,
            dec: pointing.dec_ref,
            sin_dec,
            cos_dec,
            scale,
            shift: [pointing.v2_ref, pointing.v3_ref].map(|r| (1.0 - scale) * r),
        }
    }

    /// Right ascension (0 to 360) and declination in degrees of V2, V3 in arcsec.
    pub fn at(&self, v2: f64, v3: f64) -> [f64; 2] {
        let lon = ((self.scale * v2 + self.shift[0]) / 3600.0 - self.v2).to_radians();
        let lat = ((self.scale * v3 + self.shift[1]) / 3600.0 - self.v3).to_radians();
        let (sin_lon, cos_lon) = sin_cos(lon);
        let (s, c) = sin_cos(lat);
        let cos_lat = self.cos_v3 * c - self.sin_v3 * s;
        let v = [
            cos_lat * cos_lon,
            cos_lat * sin_lon,
            self.sin_v3 * c + self.cos_v3 * s,
        ];
        let [x, y, z] = self
            .matrix
            .map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2]);
        let ra = self.ra + angle(y, x).to_degrees();
        let ra = if ra < 0.0 {
            ra + 360.0
        } else if ra >= 360.0 {
            ra - 360.0
        } else {
            ra
        };
        let h = (x * x + y * y).sqrt();
        let north = z * self.cos_dec - h * self.sin_dec;
        let toward = h * self.cos_dec + z * self.sin_dec;
        [ra, self.dec + angle(north, toward).to_degrees()]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Distance on the sky in arcsec.
    fn apart(a: &[f64], b: &[f64]) -> f64 {
        let d = |x: f64, y: f64| (x - y).to_radians();
        let ra = d(a[0], b[0]).sin() * a[1].to_radians().cos();
        ra.hypot(d(a[1], b[1])).to_degrees() * 3600.0
    }

    #[test]
    fn the_reference_point_is_where_it_points() {
        let p = Pointing {
            v2_ref: -503.0,
            v3_ref: -319.0,
            roll_ref: 77.0,
            ra_ref: 359.9999,
            dec_ref: -45.0,
            va_scale: Some(1.00005),
            velosys: Some(1e4),
        };
        let sky = p.aberration().then(p.to_sky());
        let at = sky.at(&[-503.0, -319.0]).unwrap();
        assert!(apart(&at, &[359.9999, -45.0]) < 1e-9);
        let near = NearbySky::new(&p).at(-503.0, -319.0);
        assert!(apart(&near, &[359.9999, -45.0]) < 1e-9);
        // 10 arcsec towards V3 is 10 arcsec (and the aberration) at the position angle of V3
        let at = sky.at(&[-503.0, -309.0]).unwrap();
        assert!((apart(&at, &[359.9999, -45.0]) - 10.0005).abs() < 1e-4);
        assert!((p.velocity_factor().unwrap() - (1.0 - 1e4 / LIGHT)).abs() < 2e-9);
    }

    proptest! {
        #[test]
        fn the_quick_way_is_the_long_one(
            ra in 0.0..360.0_f64, dec in -90.0..90.0_f64, roll in 0.0..360.0_f64,
            dv2 in -20.0..20.0_f64, dv3 in -20.0..20.0_f64, near_pole in any::<bool>(), va in 0.9999..1.0001_f64,
        ) {
            let dec_ref = if near_pole { dec.signum() * (90.0 - dec.abs() / 90_000.0) } else { dec };
            let p = Pointing {
                v2_ref: -503.0, v3_ref: -319.0, roll_ref: roll, ra_ref: ra, dec_ref, va_scale: Some(va), velosys: None,
            };
            let slow = p.aberration().then(p.to_sky());
            let (v2, v3) = (-503.0 + dv2, -319.0 + dv3);
            let at = slow.at(&[v2, v3]).unwrap();
            let quick = NearbySky::new(&p).at(v2, v3);
            prop_assert!(apart(&at, &quick) < 1e-9, "{at:?} {quick:?}");
            prop_assert!((0.0..360.0).contains(&quick[0]));
            let back = slow.inverted().unwrap().at(&quick).unwrap();
            prop_assert!((back[0] - v2).abs() < 1e-9 && (back[1] - v3).abs() < 1e-9);
            prop_assert!(NearbySky::new(&p).at(f64::NAN, v3).iter().all(|v| v.is_nan()));
        }
    }
}
