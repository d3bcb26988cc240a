//! What a body shows at a place of the sky: angles on its surface, its outline, its rings.
//!
//! Places are arcsec east and north of the body's centre on the tangent plane there, free of the pointing's error.

use std::f64::consts::TAU;

use crate::math::vector::{Vector, apply, cross, dot, norm, scale, sub, unit};
use crate::nav::Aspect;

/// Arcsec in a radian.
pub const ARCSEC: f64 = 206_264.806_247_096_36;

/// The body's disc on the sky.
#[derive(Clone, Debug)]
pub struct Disc {
    /// Centre, east and north (per arcsec), body's frame.
    axes: [Vector; 3],
    observer: Vector,
    sun: Vector,
    radii: Vector,
    /// Equatorial radius as it is seen, arcsec.
    pub radius: f64,
    /// Phase angle at the centre, radians.
    pub phase: f64,
}

/// A point of the surface.
#[derive(Clone, Copy, Debug)]
pub struct Surface {
    /// Cosine of the emission angle, 0 to 1.
    pub mu: f64,
    /// Cosine of the incidence angle; 0 on the night side.
    pub mu0: f64,
    /// Sine of the planetographic latitude.
    pub sin_lat: f64,
}

/// Unit vectors to the centre, east and north of it, J2000 axes.
fn sky_axes(position: Vector) -> [Vector; 3] {
    let centre = unit(position);
    let east = cross([0.0, 0.0, 1.0], centre);
    // a body at the pole of J2000: any direction is east, as RA is undefined
    let east = match norm(east) > 1e-12 {
        true => unit(east),
        false => [0.0, 1.0, 0.0],
    };
    [centre, east, cross(centre, east)]
}

/// Arcsec east and north of the body's centre on the tangent plane, of a place on the sky (degrees); `None` for the far
/// half of the sky and for what is not finite.
#[must_use]
pub fn offset_of(aspect: &Aspect, ra: f64, dec: f64) -> Option<[f64; 2]> {
    let [centre, east, north] = sky_axes(aspect.position);
    let (a, d) = (ra.to_radians(), dec.to_radians());
    let look = [
        libm::cos(d) * libm::cos(a),
        libm::cos(d) * libm::sin(a),
        libm::sin(d),
    ];
    let depth = dot(look, centre);
    (depth > 0.1).then(|| [east, north].map(|axis| dot(look, axis) / depth * ARCSEC))
}

/// Right ascension and declination (degrees) of a place on the tangent plane at the body's centre: [`offset_of`] undone.
#[must_use]
pub fn place_of(aspect: &Aspect, offset: [f64; 2]) -> [f64; 2] {
    let [centre, east, north] = sky_axes(aspect.position);
    let [x, y] = offset.map(|v| v / ARCSEC);
    let look: Vector = std::array::from_fn(|i| centre[i] + x * east[i] + y * north[i]);
    let ra = libm::atan2(look[1], look[0]).to_degrees();
    let dec = libm::atan2(look[2], libm::hypot(look[0], look[1])).to_degrees();
    [if ra < 0.0 { ra + 360.0 } else { ra }, dec]
}

impl Disc {
    /// The disc of a body, its surface `altitude` km above the radii.
    #[must_use]
    pub fn new(aspect: &Aspect, altitude: f64) -> Self {
        let [centre, east, north] =
            sky_axes(aspect.position).map(|axis| apply(&aspect.to_body, axis));
        let distance = norm(aspect.position);
        let (to_sun, to_observer) = (unit(aspect.sun), unit(aspect.observer));
        let largest = aspect.radii.iter().copied().fold(0.0, f64::max) + altitude;
        Self {
            axes: [
                centre,
                scale(1.0 / ARCSEC, east),
                scale(1.0 / ARCSEC, north),
            ],
            observer: aspect.observer,
            sun: aspect.sun,
            radii: aspect.radii.map(|r| r + altitude),
            radius: largest / distance * ARCSEC,
            phase: libm::acos(dot(to_sun, to_observer).clamp(-1.0, 1.0)),
        }
    }

    /// The same disc, so much larger.
    #[must_use]
    pub fn grown(&self, factor: f64) -> Self {
        Self {
            radii: scale(factor, self.radii),
            radius: self.radius * factor,
            ..self.clone()
        }
    }

    fn look(&self, x: f64, y: f64) -> Vector {
        let [c, e, n] = &self.axes;
        std::array::from_fn(|i| c[i] + x * e[i] + y * n[i])
    }

    /// The point of the surface that is seen at a place; `None` off the disc.
    fn point(&self, x: f64, y: f64) -> Option<(Vector, Vector)> {
        let look = self.look(x, y);
        let r = self.radii;
        let o: Vector = std::array::from_fn(|i| self.observer[i] / r[i]);
        let u: Vector = std::array::from_fn(|i| look[i] / r[i]);
        let square = dot(u, u);
        let along = dot(o, u) / square;
        // from the point of the line that is nearest to the centre, to keep digits
        let foot: Vector = std::array::from_fn(|i| o[i] - along * u[i]);
        let rest = 1.0 - dot(foot, foot);
        // along < 0: ahead of the observer
        if !(rest > 0.0 && along < 0.0) {
            return None;
        }
        let back = (rest / square).sqrt();
        let point = std::array::from_fn(|i| (foot[i] - back * u[i]) * r[i]);
        Some((point, look))
    }

    /// What is seen at a place; `None` off the disc.
    #[must_use]
    pub fn surface(&self, x: f64, y: f64) -> Option<Surface> {
        let (point, look) = self.point(x, y)?;
        let r = self.radii;
        let normal = unit([
            point[0] / (r[0] * r[0]),
            point[1] / (r[1] * r[1]),
            point[2] / (r[2] * r[2]),
        ]);
        let light = sub(self.sun, point);
        Some(Surface {
            mu: (-dot(normal, look) / norm(look)).clamp(0.0, 1.0),
            mu0: (dot(normal, light) / norm(light)).clamp(0.0, 1.0),
            sin_lat: normal[2].clamp(-1.0, 1.0),
        })
    }

    /// `n` places along the limb.
    #[must_use]
    pub fn outline(&self, n: usize) -> Vec<[f64; 2]> {
        let far = 1.2 * self.radius + 1e-9;
        (0..n)
            .filter_map(|i| {
                let turn = TAU * i as f64 / n as f64;
                let (s, c) = (libm::sin(turn), libm::cos(turn));
                self.point(0.0, 0.0)?;
                let (mut inside, mut outside) = (0.0, far);
                for _ in 0..40 {
                    let middle = 0.5 * (inside + outside);
                    match self.point(middle * c, middle * s) {
                        Some(_) => inside = middle,
                        None => outside = middle,
                    }
                }
                Some([inside * c, inside * s])
            })
            .collect()
    }

    /// Whether rings between two radii (km) are seen at a place, before, behind or on the body, or throw their
    /// shadow on it there.
    #[must_use]
    pub fn rings(&self, x: f64, y: f64, between: [f64; 2]) -> bool {
        let within = |p: Vector| {
            let radius = libm::hypot(p[0], p[1]);
            radius >= between[0] && radius <= between[1]
        };
        let meets = |from: Vector, along: Vector| {
            let t = -from[2] / along[2];
            t > 0.0 && t.is_finite() && within(std::array::from_fn(|i| from[i] + t * along[i]))
        };
        meets(self.observer, self.look(x, y))
            || self
                .point(x, y)
                .is_some_and(|(point, _)| meets(point, sub(self.sun, point)))
    }
}
