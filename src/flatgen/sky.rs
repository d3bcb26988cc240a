//! A plane in which the planet lies the same way in every dither.
//!
//! The normal of the surface is known from planetographic latitude and longitude, and the cosine of the emission angle is its
//! component towards the observer: a fit of three numbers gives the observer's direction. Across it, the normals' components
//! are coordinates without poles or seams that advance evenly from spaxel to spaxel, up to the limb.

use super::correspond::Point;
use super::nan_median;

/// A point in the plane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// The dither's number.
    pub dither: usize,
    /// The spaxel, `y * nx + x`.
    pub spaxel: usize,
    /// Coordinates, in units of the radius.
    pub at: [f64; 2],
}

/// All dithers' points in the plane.
#[derive(Debug, Clone)]
pub struct Sky {
    /// The points.
    pub points: Vec<Place>,
    /// Distance of neighbouring spaxels.
    pub pitch: f64,
    /// Each dither's shift from the first in spaxels, along the plane's axes; NaN where they share no spaxel.
    pub shifts: Vec<[f64; 2]>,
}

fn normal(p: &Point) -> [f64; 3] {
    let (lat, lon) = (p.lat.to_radians(), p.lon.to_radians());
    [lat.cos() * lon.cos(), -lat.cos() * lon.sin(), lat.sin()]
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

fn unit(a: [f64; 3]) -> [f64; 3] {
    let size = dot(a, a).sqrt();
    a.map(|c| c / size)
}

/// Direction of the observer: `cos(emission) = normal . direction` in the sense of least squares; the mean of the normals
/// where the points do not tell it (all on one line).
fn observer(normals: &[[f64; 3]], emission: &[f64]) -> [f64; 3] {
    let (mut a, mut b, mut mean) = (vec![0.0; 9], [0.0; 3], [0.0; 3]);
    for (n, e) in normals.iter().zip(emission) {
        let c = e.to_radians().cos();
        for i in 0..3 {
            for j in 0..3 {
                a[3 * i + j] += n[i] * n[j];
            }
            b[i] += n[i] * c;
            mean[i] += n[i];
        }
    }
    let factors = crate::math::dense::Factors::new(3, a);
    match factors.solve(&b) {
        // a unit vector, where the planes are sound
        Ok(x) if (0.5..2.0).contains(&dot([x[0], x[1], x[2]], [x[0], x[1], x[2]])) => {
            unit([x[0], x[1], x[2]])
        }
        _ => unit(mean),
    }
}

impl Sky {
    /// Places points (with their emission angles in degrees) on the plane; `nx` is the images' width. None where there are
    /// no neighbours to tell the distance of spaxels.
    pub fn new(
        points: &[Point],
        emission: &[f64],
        dithers: usize,
        [ny, nx]: [usize; 2],
    ) -> Option<Self> {
        let normals: Vec<[f64; 3]> = points.iter().map(normal).collect();
        let towards = observer(&normals, emission);
        // any axis across the line of sight will do; the planet's north where it is not along it
        let pole = if towards[2].abs() < 0.99 {
            [0.0, 0.0, 1.0]
        } else {
            [1.0, 0.0, 0.0]
        };
        let east = unit(cross(pole, towards));
        let north = cross(towards, east);
        let places: Vec<Place> = points
            .iter()
            .zip(&normals)
            .map(|(p, n)| Place {
                dither: p.dither,
                spaxel: p.spaxel,
                at: [dot(*n, east), dot(*n, north)],
            })
            .collect();
        let size = ny * nx;
        let mut image = vec![[f64::NAN; 2]; size * dithers];
        for p in &places {
            image[p.dither * size + p.spaxel] = p.at;
        }
        let between = |a: [f64; 2], b: [f64; 2]| [b[0] - a[0], b[1] - a[1]];
        let (mut right, mut down) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        for p in &places {
            let at = p.dither * size + p.spaxel;
            if (p.spaxel + 1) % nx != 0 {
                let d = between(p.at, image[at + 1]);
                right.iter_mut().zip(d).for_each(|(r, d)| r.push(d));
            }
            if p.spaxel + nx < size {
                let d = between(p.at, image[at + nx]);
                down.iter_mut().zip(d).for_each(|(r, d)| r.push(d));
            }
        }
        let [right, down] =
            [right, down].map(|mut v| [nan_median(&mut v[0]), nan_median(&mut v[1])]);
        let area = (right[0] * down[1] - right[1] * down[0]).abs();
        let pitch = area.sqrt();
        if !(pitch.is_finite() && pitch > 0.0) {
            return None;
        }
        let shifts = (0..dithers)
            .map(|d| {
                let mut moved = [Vec::new(), Vec::new()];
                for s in 0..size {
                    let by = between(image[s], image[d * size + s]);
                    moved.iter_mut().zip(by).for_each(|(m, b)| m.push(b));
                }
                moved.map(|mut m| nan_median(&mut m) / pitch)
            })
            .collect();
        Some(Self {
            points: places,
            pitch,
            shifts,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plane_is_the_sky() {
        // a sphere of 30 spaxels' radius seen from 20 N, 350 W; the second dither 3 spaxels to the right
        let (ny, nx) = (21, 21);
        let (lat0, lon0) = (20.0f64.to_radians(), 350.0f64.to_radians());
        let (mut points, mut emission) = (Vec::new(), Vec::new());
        for dither in 0..2 {
            for spaxel in 0..ny * nx {
                let x = ((spaxel % nx) as f64 - 10.0 + 3.0 * dither as f64) / 30.0;
                let y = ((spaxel / nx) as f64 - 10.0) / 30.0;
                let z = (1.0 - x * x - y * y).sqrt();
                let lat = (y * lat0.cos() + z * lat0.sin()).asin();
                let lon = lon0 - x.atan2(z * lat0.cos() - y * lat0.sin());
                points.push(Point {
                    dither,
                    spaxel,
                    lat: lat.to_degrees(),
                    lon: lon.to_degrees().rem_euclid(360.0),
                });
                emission.push(z.acos().to_degrees());
            }
        }
        let sky = Sky::new(&points, &emission, 2, [ny, nx]).unwrap();
        assert!((sky.pitch - 1.0 / 30.0).abs() < 1e-9, "{}", sky.pitch);
        assert!(
            (sky.shifts[1][0].abs() - 3.0).abs() < 1e-9,
            "{:?}",
            sky.shifts
        );
        assert!(sky.shifts[1][1].abs() < 1e-9);
        assert!(Sky::new(&points[..1], &emission[..1], 1, [ny, nx]).is_none());
    }
}
