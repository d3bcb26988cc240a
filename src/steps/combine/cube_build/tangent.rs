//! The tangent plane a cube lies in.

/// Arcsec in a radian.
const ARCSEC: f64 = (180.0 * 3600.0) / std::f64::consts::PI;
/// Radians in a degree.
const RADIAN: f64 = std::f64::consts::PI / 180.0;

/// A gnomonic projection about a point of the sky, turned by an angle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tangent {
    /// Right ascension and declination of the point of contact in degrees.
    pub centre: [f64; 2],
    /// Angle from the sky's axes to the plane's in degrees; none for no rotation.
    pub rotation: Option<f64>,
    ra: f64,
    sin_dec: f64,
    cos_dec: f64,
    sin_cos: Option<(f64, f64)>,
}

impl Tangent {
    /// The plane that touches the sky at `centre`.
    pub fn new(centre: [f64; 2], rotation: Option<f64>) -> Self {
        let dec = centre[1] * RADIAN;
        Self {
            centre,
            rotation,
            ra: centre[0] * RADIAN,
            sin_dec: dec.sin(),
            cos_dec: dec.cos(),
            sin_cos: rotation.map(|angle| (-angle * RADIAN).sin_cos()),
        }
    }

    /// Coordinates in arcsec of a point of the sky (degrees): the first grows against right ascension.
    #[inline]
    pub fn project(&self, ra: f64, dec: f64) -> [f64; 2] {
        let (sin_ra, cos_ra) = (ra * RADIAN - self.ra).sin_cos();
        let (sin_dec, cos_dec) = (dec * RADIAN).sin_cos();
        let h = sin_dec * self.sin_dec + cos_dec * self.cos_dec * cos_ra;
        let xi = -(cos_dec * sin_ra / h) * ARCSEC;
        let eta = (sin_dec * self.cos_dec - cos_dec * self.sin_dec * cos_ra) / h * ARCSEC;
        match self.sin_cos {
            Some((sin, cos)) => [xi * cos - eta * sin, xi * sin + eta * cos],
            None => [xi, eta],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_centre_and_its_neighbours() {
        let t = Tangent::new([54.3, 18.7], None);
        assert_eq!(t.project(54.3, 18.7)[0], 0.0);
        assert!(t.project(54.3, 18.7)[1].abs() < 1e-9);
        let [xi, eta] = t.project(54.3, 18.7 + 1.0 / 3600.0);
        assert!(xi.abs() < 1e-12 && (eta - 1.0).abs() < 1e-9);
        assert!(t.project(54.31, 18.7)[0] < 0.0);
    }

    #[test]
    fn a_turned_plane() {
        let t = Tangent::new([54.3, 18.7], Some(90.0));
        let [x, y] = t.project(54.3, 18.7 + 1.0 / 3600.0);
        assert!((x - 1.0).abs() < 1e-9 && y.abs() < 1e-9, "{x} {y}");
    }
}
