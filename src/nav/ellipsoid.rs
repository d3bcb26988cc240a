//! Geometry on a triaxial ellipsoid, in its own axes.
//!
//! Longitudes are east-positive radians in (-pi, pi] unless a name says otherwise; planetographic
//! latitude is on the spheroid (a, a, c) also for a triaxial body, as SPICE has it.

use std::f64::consts::{FRAC_PI_2, TAU};

use crate::math::vector::{Vector, add, angle, dot, norm, scale, sub, unit};

/// An ellipsoid of revolution or a triaxial one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ellipsoid {
    /// Radii along x, y and z, km; positive.
    pub radii: Vector,
}

/// Angles at a point of the surface, radians.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Illumination {
    /// Between the directions to the observer and to the light.
    pub phase: f64,
    /// Between the normal and the direction to the light.
    pub incidence: f64,
    /// Between the normal and the direction to the observer.
    pub emission: f64,
}

/// A position in longitude, latitude and distance or altitude.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LonLat {
    /// Longitude, radians.
    pub lon: f64,
    /// Latitude, radians.
    pub lat: f64,
    /// Distance from the centre (planetocentric) or altitude (planetographic), km.
    pub height: f64,
}

fn divided(a: Vector, b: Vector) -> Vector {
    [a[0] / b[0], a[1] / b[1], a[2] / b[2]]
}

fn multiplied(a: Vector, b: Vector) -> Vector {
    [a[0] * b[0], a[1] * b[1], a[2] * b[2]]
}

impl Ellipsoid {
    /// Outward normal (length 1) at a point of the surface.
    #[must_use]
    pub fn normal(&self, point: Vector) -> Vector {
        // scaled, so that squares of radii do not leave the range
        let small = self.radii.iter().copied().fold(f64::INFINITY, f64::min);
        let relative = scale(1.0 / small, self.radii);
        unit(divided(divided(point, relative), relative))
    }

    /// First point that a ray from `origin` along `direction` meets, from outside; `None` where it misses,
    /// or goes away. From inside, where it leaves.
    #[must_use]
    pub fn intercept(&self, origin: Vector, direction: Vector) -> Option<Vector> {
        let (o, u) = (divided(origin, self.radii), divided(direction, self.radii));
        let along = dot(o, u) / dot(u, u);
        // from the point of the line that is nearest to the centre, to keep digits
        let foot = sub(o, scale(along, u));
        let rest = 1.0 - dot(foot, foot);
        if rest.is_nan() || rest < 0.0 {
            return None;
        }
        let half = (rest / dot(u, u)).sqrt();
        let outside = dot(o, o) > 1.0;
        if outside && along > 0.0 {
            return None;
        }
        let step = if outside { -half } else { half };
        Some(multiplied(add(foot, scale(step, u)), self.radii))
    }

    /// Whether a place is inside.
    #[must_use]
    pub fn contains(&self, place: Vector) -> bool {
        norm(divided(place, self.radii)) < 1.0
    }

    /// The point of the surface on the line from the centre to `place`; `None` for the centre itself.
    #[must_use]
    pub fn beneath(&self, place: Vector) -> Option<Vector> {
        let n = norm(divided(place, self.radii));
        (n > 0.0 && n.is_finite()).then(|| scale(1.0 / n, place))
    }

    /// The point of the surface nearest to `place`, and the altitude above it (negative inside); `None`
    /// for what is not finite.
    #[must_use]
    pub fn nearest(&self, place: Vector) -> Option<(Vector, f64)> {
        let big = self.radii.iter().copied().fold(0.0, f64::max);
        let small = self.radii.iter().copied().fold(f64::INFINITY, f64::min);
        if !place.iter().all(|x| x.is_finite()) {
            return None;
        }
        // the place is point + k normal: point_i = place_i r_i^2 / (r_i^2 + k), all scaled by the largest radius
        let (r, p) = (scale(1.0 / big, self.radii), scale(1.0 / big, place));
        let excess = |k: f64| {
            let f = |i: usize| {
                let q = p[i] * r[i] / (r[i] * r[i] + k);
                if p[i] == 0.0 { 0.0 } else { q * q }
            };
            f(0) + f(1) + f(2) - 1.0
        };
        let least = (small / big) * (small / big);
        // falls from infinity (or below 0, deep inside on an axis) at -least to -1 far out
        let (mut low, mut high) = (-least, norm(p) + 1.0);
        for _ in 0..200 {
            let mid = 0.5 * (low + high);
            if mid <= low || mid >= high {
                break;
            }
            if excess(mid) > 0.0 {
                low = mid;
            } else {
                high = mid;
            }
        }
        let k = 0.5 * (low + high);
        let mut point: Vector = std::array::from_fn(|i| {
            let d = r[i] * r[i] + k;
            if p[i] == 0.0 {
                0.0
            } else {
                p[i] * r[i] * r[i] / d
            }
        });
        // deep inside on the plane of symmetry: the rest goes along the shortest axis
        let rest = 1.0 - dot(divided(point, r), divided(point, r));
        let short = (0..3).min_by(|a, b| r[*a].total_cmp(&r[*b]))?;
        if rest > 1e-12 && p[short] == 0.0 {
            point[short] = r[short] * rest.sqrt();
        }
        let point = self.beneath(scale(big, point))?;
        let up = sub(place, point);
        let sign = if norm(divided(place, self.radii)) < 1.0 {
            -1.0
        } else {
            1.0
        };
        Some((point, sign * norm(up)))
    }

    /// Phase, incidence and emission at a point of the surface.
    #[must_use]
    pub fn illumination(&self, point: Vector, observer: Vector, light: Vector) -> Illumination {
        let normal = self.normal(point);
        let (o, l) = (sub(observer, point), sub(light, point));
        Illumination {
            phase: angle(o, l),
            incidence: angle(normal, l),
            emission: angle(normal, o),
        }
    }

    /// Planetocentric coordinates, longitude east.
    #[must_use]
    pub fn planetocentric(place: Vector) -> LonLat {
        let across = libm::hypot(place[0], place[1]);
        LonLat {
            lon: libm::atan2(place[1], place[0]),
            lat: libm::atan2(place[2], across),
            height: norm(place),
        }
    }

    /// Planetographic coordinates on the spheroid (a, a, c), longitude in 0..2 pi, to the west where
    /// `west` is set.
    #[must_use]
    pub fn planetographic(&self, place: Vector, west: bool) -> LonLat {
        let [a, _, c] = self.radii;
        let across = libm::hypot(place[0], place[1]);
        let spheroid = Self { radii: [a, a, c] };
        let (point, height) = spheroid
            .nearest([across, 0.0, place[2]])
            .unwrap_or(([f64::NAN; 3], f64::NAN));
        let normal = spheroid.normal(point);
        let east = libm::atan2(place[1], place[0]);
        let lon = if west { -east } else { east };
        let lon = if lon < 0.0 { lon + TAU } else { lon };
        LonLat {
            lon: if lon >= TAU { 0.0 } else { lon },
            lat: libm::atan2(normal[2], libm::hypot(normal[0], normal[1]))
                .clamp(-FRAC_PI_2, FRAC_PI_2),
            height,
        }
    }

    /// Place of planetographic coordinates ([`Ellipsoid::planetographic`]).
    #[must_use]
    pub fn from_planetographic(&self, at: LonLat, west: bool) -> Vector {
        let [a, _, c] = self.radii;
        let (s, cosine) = libm::sincos(at.lat);
        let root = libm::hypot(a * cosine, c * s);
        let across = (a * a / root + at.height) * cosine;
        let up = (c * c / root + at.height) * s;
        let (sl, cl) = libm::sincos(if west { -at.lon } else { at.lon });
        [across * cl, across * sl, up]
    }

    /// Point of the surface in the direction of planetocentric coordinates.
    #[must_use]
    pub fn surface_at(&self, lon: f64, lat: f64) -> Vector {
        let ((sl, cl), (sb, cb)) = (libm::sincos(lon), libm::sincos(lat));
        let direction = [cb * cl, cb * sl, sb];
        scale(1.0 / norm(divided(direction, self.radii)), direction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SATURN: Ellipsoid = Ellipsoid {
        radii: [60_268.0, 60_268.0, 54_364.0],
    };
    const ODD: Ellipsoid = Ellipsoid {
        radii: [13.0, 11.4, 9.1],
    };

    #[test]
    fn rays_hit_and_miss() {
        let p = ODD
            .intercept([100.0, 0.0, 0.0], [-2.0, 0.0, 0.0])
            .expect("hits");
        assert!((p[0] - 13.0).abs() < 1e-12);
        assert!(ODD.intercept([100.0, 0.0, 0.0], [1.0, 0.0, 0.0]).is_none());
        assert!(ODD.intercept([100.0, 0.0, 9.2], [-1.0, 0.0, 0.0]).is_none());
        let p = ODD
            .intercept([1.0, 0.0, 0.0], [1.0, 0.0, 0.0])
            .expect("leaves");
        assert!((p[0] - 13.0).abs() < 1e-12);
        assert!(
            ODD.intercept([f64::NAN, 0.0, 0.0], [1.0, 0.0, 0.0])
                .is_none()
        );
    }

    #[test]
    fn the_nearest_point_has_the_place_on_its_normal() {
        for body in [SATURN, ODD] {
            let size = body.radii[0];
            for place in [
                [3.0, 1.0, 2.0],
                [0.1, -1.2, 0.3],
                [0.0, 0.0, 4.0],
                [1e5, 2e5, -1e5],
                [0.9, 0.0, 0.0],
                [0.3, 0.2, 0.5],
                [2.0, 0.0, 0.0],
            ] {
                let place = scale(size, place);
                let (point, height) = body.nearest(place).expect("finite");
                let back = add(point, scale(height, body.normal(point)));
                assert!(
                    norm(sub(back, place)) < 1e-9 * norm(place),
                    "{place:?} {point:?} {height}"
                );
                assert!((norm(divided(point, body.radii)) - 1.0).abs() < 1e-14);
            }
            let (point, height) = body.nearest([0.0; 3]).expect("finite");
            assert!((height + body.radii[2]).abs() < 1e-6 * size && point[2].abs() > 0.0);
        }
        assert!(ODD.nearest([f64::NAN, 0.0, 0.0]).is_none());
    }

    #[test]
    fn planetographic_there_and_back() {
        for west in [false, true] {
            for (lon, lat, height) in [
                (0.5, 0.7, 0.0),
                (6.0, -1.2, 1000.0),
                (3.2, 0.0, -500.0),
                (1.0, 1.5, 1e6),
            ] {
                let at = LonLat { lon, lat, height };
                let back = SATURN.planetographic(SATURN.from_planetographic(at, west), west);
                assert!(
                    (back.lon - lon).abs() < 1e-13 && (back.lat - lat).abs() < 1e-12,
                    "{back:?}"
                );
                assert!((back.height - height).abs() < 1e-6, "{back:?}");
            }
        }
        let p = SATURN.surface_at(1.0, 0.5);
        let c = Ellipsoid::planetocentric(p);
        assert!((c.lon - 1.0).abs() < 1e-15 && (c.lat - 0.5).abs() < 1e-15);
    }

    #[test]
    fn angles_at_the_subsolar_point() {
        let p = ODD.surface_at(0.0, 0.0);
        let i = ODD.illumination(p, [1e6, 0.0, 0.0], [0.0, 1e6, 0.0]);
        assert!(
            i.emission.abs() < 1e-12
                && (i.incidence - FRAC_PI_2).abs() < 1e-4
                && (i.phase - FRAC_PI_2).abs() < 1e-4
        );
    }
}
