//! Rotations of the plane, of space, and of longitude and latitude, as astropy and gwcs define them.

use std::f64::consts::FRAC_PI_2;

/// A rotation matrix, row by row.
pub type Matrix3 = [[f64; 3]; 3];

/// Axis of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    X,
    Y,
    Z,
}

impl Axis {
    /// The axis of a letter.
    pub fn from_letter(letter: char) -> Option<Self> {
        match letter {
            'x' => Some(Self::X),
            'y' => Some(Self::Y),
            'z' => Some(Self::Z),
            _ => None,
        }
    }
    /// Its letter.
    pub fn letter(self) -> char {
        match self {
            Self::X => 'x',
            Self::Y => 'y',
            Self::Z => 'z',
        }
    }
}

/// An Euler rotation of longitude and latitude; angles in degrees.
#[derive(Debug, Clone, PartialEq)]
pub enum Euler {
    /// Proper Euler angles about three axes.
    Angles { angles: [f64; 3], axes: [Axis; 3] },
    /// Native spherical to celestial coordinates (WCS paper II): longitude and latitude of the fiducial
    /// point, native longitude of the celestial pole.
    NativeToCelestial([f64; 3]),
    /// The reverse.
    CelestialToNative([f64; 3]),
}

/// Rotation of the axes about one of them by an angle in radians.
fn about(axis: Axis, angle: f64) -> Matrix3 {
    let (s, c) = (angle.sin(), angle.cos());
    let i = match axis {
        Axis::X => 0,
        Axis::Y => 1,
        Axis::Z => 2,
    };
    let (j, k) = ((i + 1) % 3, (i + 2) % 3);
    let mut m = [[0.0; 3]; 3];
    m[i][i] = 1.0;
    m[j][j] = c;
    m[j][k] = s;
    m[k][j] = -s;
    m[k][k] = c;
    m
}

/// The products one after the other with one rounding each, as numpy's matrix products (OpenBLAS) have them.
#[inline(always)]
pub(super) fn dot(a: &[f64; 3], b: [f64; 3]) -> f64 {
    a[2].mul_add(b[2], a[1].mul_add(b[1], a[0] * b[0]))
}

fn product(a: &Matrix3, b: &Matrix3) -> Matrix3 {
    let mut out = [[0.0; 3]; 3];
    for (row, a) in out.iter_mut().zip(a) {
        for (j, v) in row.iter_mut().enumerate() {
            *v = dot(a, [b[0][j], b[1][j], b[2][j]]);
        }
    }
    out
}

/// Matrix of rotations done one after the other; angles in radians.
pub fn matrix_of_sequence(axes: &[Axis], angles: &[f64]) -> Matrix3 {
    let mut matrices = axes.iter().zip(angles).rev().map(|(a, r)| about(*a, *r));
    let unit = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    let first = matrices.next().unwrap_or(unit);
    matrices.fold(first, |m, next| product(&m, &next))
}

/// Matrix times vector.
pub(super) fn rotate(m: &Matrix3, v: [f64; 3]) -> [f64; 3] {
    m.map(|row| dot(&row, v))
}

/// Longitude and latitude in degrees to a unit vector.
pub(super) fn to_cartesian(lon: f64, lat: f64) -> [f64; 3] {
    let (lon, lat) = (lon.to_radians(), lat.to_radians());
    let c = lat.cos();
    [c * lon.cos(), c * lon.sin(), lat.sin()]
}

/// A vector to longitude (-180 to 180) and latitude in degrees.
pub(super) fn to_spherical([x, y, z]: [f64; 3]) -> [f64; 2] {
    let h = x.hypot(y);
    [y.atan2(x).to_degrees(), z.atan2(h).to_degrees()]
}

/// Python's modulo of degrees by 360.
pub(super) fn wrap_360(lon: f64) -> f64 {
    if !lon.is_finite() {
        return lon;
    }
    let r = lon % 360.0;
    if r < 0.0 { r + 360.0 } else { r.abs() }
}

impl Euler {
    fn matrix(&self) -> (Matrix3, bool) {
        let (angles, axes, sky) = match self {
            Self::Angles { angles, axes } => (angles.map(f64::to_radians), *axes, false),
            Self::NativeToCelestial(a) => {
                let [lon, lat, pole] = a.map(f64::to_radians);
                let angles = [pole - FRAC_PI_2, -(FRAC_PI_2 - lat), -(FRAC_PI_2 + lon)];
                (angles, [Axis::Z, Axis::X, Axis::Z], true)
            }
            Self::CelestialToNative(a) => {
                let [lon, lat, pole] = a.map(f64::to_radians);
                let angles = [FRAC_PI_2 + lon, FRAC_PI_2 - lat, -(pole - FRAC_PI_2)];
                (angles, [Axis::Z, Axis::X, Axis::Z], true)
            }
        };
        (matrix_of_sequence(&axes, &angles), sky)
    }

    /// Rotates longitudes and latitudes in degrees.
    pub(super) fn evaluate(&self, lon: &[f64], lat: &[f64]) -> [Vec<f64>; 2] {
        let (m, sky) = self.matrix();
        unzip(lon.iter().zip(lat).map(|(lon, lat)| {
            let [mut a, b] = to_spherical(rotate(&m, to_cartesian(*lon, *lat)));
            if sky && a < 0.0 {
                a += 360.0;
            }
            [a, b]
        }))
    }

    /// The inverse rotation.
    pub(super) fn inverse(&self) -> Self {
        match self {
            Self::Angles { angles, axes } => Self::Angles {
                angles: [-angles[2], -angles[1], -angles[0]],
                axes: [axes[2], axes[1], axes[0]],
            },
            Self::NativeToCelestial(a) => Self::CelestialToNative(*a),
            Self::CelestialToNative(a) => Self::NativeToCelestial(*a),
        }
    }
}

/// Columns of points.
pub(super) fn unzip<const N: usize>(points: impl Iterator<Item = [f64; N]>) -> [Vec<f64>; N] {
    let n = points.size_hint().0;
    let mut out = std::array::from_fn(|_| Vec::with_capacity(n));
    for p in points {
        for (column, v) in out.iter_mut().zip(p) {
            column.push(v);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-13, "{a} {b}");
    }

    #[test]
    fn axes_turn_as_astropy_turns_them() {
        // rotating the axes by 90 deg about z: what was x is now -y
        let m = matrix_of_sequence(&[Axis::Z], &[FRAC_PI_2]);
        let v = rotate(&m, [1.0, 0.0, 0.0]);
        close(v[0], 0.0);
        close(v[1], -1.0);
        // then about x by 90 deg: y becomes z's place
        let m = matrix_of_sequence(&[Axis::Z, Axis::X], &[FRAC_PI_2, FRAC_PI_2]);
        let v = rotate(&m, [1.0, 0.0, 0.0]);
        close(v[1], 0.0);
        close(v[2], 1.0);
    }

    #[test]
    fn the_fiducial_point_is_where_it_should_be() {
        let e = Euler::NativeToCelestial([30.0, 40.0, 180.0]);
        let [lon, lat] = e.evaluate(&[0.0], &[90.0]);
        close(lon[0], 30.0);
        close(lat[0], 40.0);
        let [phi, theta] = e.inverse().evaluate(&lon, &lat);
        assert!((theta[0] - 90.0).abs() < 1e-6 && phi[0].is_finite());
    }

    #[test]
    fn modulo_is_pythons() {
        assert_eq!(wrap_360(-10.0), 350.0);
        assert_eq!(wrap_360(370.0), 10.0);
        assert_eq!(wrap_360(0.0), 0.0);
        assert!(wrap_360(-0.0).is_sign_positive());
        assert!(wrap_360(f64::NAN).is_nan());
    }
}
