//! Points as they are seen, each with the light time of its own: what PlanetMapper's planes are made of.
//!
//! Light of the limb leaves up to a quarter of a second before that of the disc's middle (Jupiter, Saturn), in which the body turns
//! and moves on by some km. The navigator's planes leave that out; these do not.

use super::Field;
use super::field::NOWHERE;
use crate::math::vector::{Vector, add, apply, apply_back, cross, dot, norm, scale, sub};
use crate::nav::aspect::about;
use crate::nav::{Aspect, LIGHT, direction};

/// Seconds by which the light of a point may still move.
const STILL: f64 = 1e-12;

/// A point of the surface, seen in one direction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    /// Body's frame, as it is turned when the light leaves the point, km; NaN where the line of sight misses the body.
    pub(super) place: Vector,
    /// To it from the observer, along the same axes, km.
    pub(super) ray: Vector,
    /// Seconds from the light of the centre to that of the point.
    pub(super) delay: f64,
}

/// What does not depend on the direction, along the body's axes as they are turned when the light leaves its centre: so all is reckoned
/// where the ellipsoid is plain, and the turn in between is all that is left to do for a point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scenery<'a> {
    pub(super) aspect: &'a Aspect,
    straight: Vector,
    velocity: Vector,
    acceleration: Vector,
    observer_velocity: Vector,
    sun: Vector,
}

impl<'a> Scenery<'a> {
    pub(super) fn new(aspect: &'a Aspect) -> Self {
        let [straight, velocity, acceleration, observer_velocity, sun] = [
            aspect.straight,
            aspect.target_velocity,
            aspect.target_acceleration,
            aspect.observer_velocity,
            aspect.sun_inertial,
        ]
        .map(|v| apply(&aspect.to_body, v));
        Self {
            aspect,
            straight,
            velocity,
            acceleration,
            observer_velocity,
            sun,
        }
    }

    /// Along the body's axes as they are turned `t` seconds later.
    fn turned(&self, v: Vector, t: f64) -> Vector {
        about(self.aspect.whirl, -t, v)
    }

    /// Body's centre from the observer then.
    fn centre_at(&self, t: f64) -> Vector {
        let bent = add(self.velocity, scale(0.5 * t, self.acceleration));
        add(self.straight, scale(t, bent))
    }
}

/// Length of what is neither so large nor so small that its square is out of range.
pub(super) fn length(v: Vector) -> f64 {
    dot(v, v).sqrt()
}

/// Angle of two vectors of length 1, exact for small and for large ones.
pub(super) fn between(u: Vector, v: Vector) -> f64 {
    2.0 * libm::atan2(length(sub(u, v)), length(add(u, v)))
}

/// A point of the plane of the equator.
#[derive(Clone, Copy, Debug)]
pub(super) struct RingPoint {
    /// Body's frame, as it is turned when the light leaves the point, km.
    pub(super) place: Vector,
    /// Seconds from the light of the centre to that of the point.
    pub(super) delay: f64,
    /// Distance from the observer, km.
    pub(super) range: f64,
}

/// Angles at a point of the surface, radians.
#[derive(Clone, Copy, Debug)]
pub(super) struct Light {
    pub(super) phase: f64,
    pub(super) incidence: f64,
    pub(super) emission: f64,
}

/// Directions of sight along J2000 axes, as they are seen, length 1.
pub(super) fn directions(f: &Field) -> Vec<Vector> {
    let both = f.ra.iter().zip(f.dec);
    both.map(|(ra, dec)| direction(*ra, *dec)).collect()
}

/// Where a line of sight (length 1, along the body's axes as they are turned when the light leaves its centre) first meets the
/// surface.
pub(super) fn meet(s: &Scenery, look: Vector) -> Point {
    let a = s.aspect;
    let surface = a.surface();
    let at = |t: f64| {
        let from = s.turned(scale(-1.0, s.centre_at(t)), t);
        let place = surface.intercept(from, s.turned(look, t))?;
        let ray = sub(place, from);
        Some((place, ray, length(ray)))
    };
    let miss = Point {
        place: NOWHERE,
        ray: NOWHERE,
        delay: f64::NAN,
    };
    let Some((mut place, mut ray, mut range)) = at(0.0) else {
        return miss;
    };
    let mut delay = 0.0;
    // one more step for the epoch of the first point, then until nothing moves
    for _ in 0..a.correction.steps() {
        let next = a.delay(range);
        let moved = (next - delay).abs();
        delay = next;
        let Some(hit) = at(delay) else {
            return miss;
        };
        (place, ray, range) = hit;
        if moved < STILL {
            break;
        }
    }
    Point { place, ray, delay }
}

/// Where a line of sight meets the plane of the equator in front of the observer.
pub(super) fn meet_ring(s: &Scenery, look: Vector) -> Option<RingPoint> {
    let a = s.aspect;
    // the plane moves with the body while light is on its way: range * (d - v t'(range)) solved for the range
    let rate = match a.correction.is_none() {
        true => 0.0,
        false => a.correction.sign() / LIGHT,
    };
    let start = s.straight[2] - rate * LIGHT * a.light_time * s.velocity[2];
    let range = start / (look[2] - rate * s.velocity[2]);
    if !(range.is_finite() && range >= 0.0) {
        return None;
    }
    let delay = a.delay(range);
    let arm = sub(scale(range, look), s.centre_at(delay));
    let [x, y, _] = s.turned(arm, delay);
    Some(RingPoint {
        place: [x, y, 0.0],
        delay,
        range,
    })
}

/// Direction to the Sun (J2000 axes, km) as it is seen from a point of the body.
pub(super) fn sun_from(a: &Aspect, place: Vector, delay: f64) -> Vector {
    let arm = a.from_body(place, delay);
    let sun = sub(sub(a.sun_inertial, scale(delay, a.target_velocity)), arm);
    if !a.correction.has_aberration() {
        return sun;
    }
    let velocity = add(
        a.velocity_at(delay),
        a.from_body(cross(a.whirl, place), delay),
    );
    crate::nav::shifted(sun, velocity, false)
}

/// Angles at a point of the surface.
pub(super) fn light(s: &Scenery, p: Point) -> Light {
    let a = s.aspect;
    if p.place[0].is_nan() {
        return Light::NONE;
    }
    let [a2, b2, c2] = a.radii.map(|r| r * r);
    let normal = [p.place[0] / a2, p.place[1] / b2, p.place[2] / c2];
    let (observer, sun) = match a.correction.has_aberration() {
        true => {
            let straight = add(a.centre_at(p.delay), a.from_body(p.place, p.delay));
            let seen = a.into_body(a.aberrated(straight), p.delay);
            let sun = a.into_body(sun_from(a, p.place, p.delay), p.delay);
            (scale(-1.0, seen), sun)
        }
        false => {
            let sun = sub(s.sun, scale(p.delay, s.velocity));
            (scale(-1.0, p.ray), sub(s.turned(sun, p.delay), p.place))
        }
    };
    Light::of(normal, observer, sun)
}

impl Light {
    /// Where there is no point.
    pub(super) const NONE: Self = Self {
        phase: f64::NAN,
        incidence: f64::NAN,
        emission: f64::NAN,
    };

    /// From the directions of the surface's normal, of the observer and of the Sun, of any length.
    pub(super) fn of(normal: Vector, observer: Vector, sun: Vector) -> Self {
        let [n, o, l] = [normal, observer, sun].map(|v| scale(1.0 / length(v), v));
        Self {
            phase: between(o, l),
            incidence: between(n, l),
            emission: between(n, o),
        }
    }
}

/// Distance from the observer to a point of the body (km), and the rate at which it is seen to grow (km/s).
///
/// With a single step of light time the epoch is that of the step, which SPICE takes from the geometry at the observer's epoch.
pub(super) fn state(s: &Scenery, p: Point) -> [f64; 2] {
    let a = s.aspect;
    if p.place[0].is_nan() {
        return [f64::NAN; 2];
    }
    let (t, x) = match a.correction.steps() {
        1 => {
            let (centre, turn) = &a.now;
            let t = a.delay(norm(add(*centre, apply_back(turn, p.place))));
            (t, add(s.turned(s.centre_at(t), t), p.place))
        }
        _ => (p.delay, p.ray),
    };
    let v = add(s.velocity, scale(t, s.acceleration));
    let v = add(s.turned(v, t), cross(a.whirl, p.place));
    let own = s.turned(s.observer_velocity, t);
    let range = length(x);
    let n = scale(1.0 / range, x);
    let sign = a.correction.sign();
    let rate = match a.correction.is_none() {
        true => 0.0,
        false => dot(n, sub(v, own)) / LIGHT / (1.0 - sign * dot(n, v) / LIGHT),
    };
    [range, dot(n, sub(scale(1.0 + sign * rate, v), own))]
}

/// The sky about the body's centre, its north pole up.
pub(super) struct Upright {
    axes: [Vector; 3],
    sine: f64,
    cosine: f64,
}

impl Upright {
    /// With the pole seen at `pole` (J2000 axes).
    pub(super) fn new(a: &Aspect, pole: Vector) -> Self {
        let [ra, dec] = a.centre().map(f64::to_radians);
        let ((sa, ca), (sd, cd)) = (libm::sincos(ra), libm::sincos(dec));
        let mut out = Self {
            axes: [
                [cd * ca, cd * sa, sd],
                [-sa, ca, 0.0],
                [-sd * ca, -sd * sa, cd],
            ],
            sine: 0.0,
            cosine: 1.0,
        };
        let [x, y] = out.at(pole);
        (out.sine, out.cosine) = libm::sincos(libm::atan2(x, y));
        out
    }

    /// Coordinates of a direction, arcsec: to the west and to the north.
    pub(super) fn at(&self, seen: Vector) -> [f64; 2] {
        let [along, east, north] = self.axes.map(|axis| dot(seen, axis));
        let arcsec = |v: f64| v.to_degrees() * 3600.0;
        let x = -arcsec(libm::atan2(east, along));
        let y = arcsec(libm::atan2(north, (along * along + east * east).sqrt()));
        let (s, c) = (self.sine, self.cosine);
        [c * x - s * y, s * x + c * y]
    }
}

/// Kilometres at the body's distance that an arcsecond spans.
pub(super) fn km_per_arcsec(a: &Aspect) -> f64 {
    2.0 * a.radii[0] / a.diameter()
}
