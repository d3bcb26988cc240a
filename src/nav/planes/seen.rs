//! Points as they are seen, each with the light time of its own: what PlanetMapper's planes are made of.
//!
//! Light of the limb leaves up to a quarter of a second before that of the disc's middle (Jupiter, Saturn), in which the body turns
//! and moves on by some km. The navigator's planes leave that out; these do not.

use super::Field;
use super::field::NOWHERE;
use crate::math::vector::{Vector, add, apply_back, cross, dot, norm, scale, sub};
use crate::nav::{Aspect, LIGHT, direction};

/// A point of the surface, seen in one direction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    /// Body's frame, as it is turned when the light leaves the point, km; NaN where the line of sight misses the body.
    pub(super) place: Vector,
    /// Seconds from the light of the centre to that of the point.
    pub(super) delay: f64,
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

/// Where a line of sight first meets the surface.
pub(super) fn meet(a: &Aspect, seen: Vector) -> Point {
    let d = a.unaberrated(seen);
    let surface = a.surface();
    let at = |t: f64| {
        let from = a.into_body(scale(-1.0, a.centre_at(t)), t);
        let hit = surface.intercept(from, a.into_body(d, t))?;
        Some((hit, norm(sub(hit, from))))
    };
    let miss = Point {
        place: NOWHERE,
        delay: f64::NAN,
    };
    let Some((mut place, mut range)) = at(0.0) else {
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
        (place, range) = hit;
        if moved < 1e-12 {
            break;
        }
    }
    Point { place, delay }
}

/// Where a line of sight meets the plane of the equator in front of the observer.
pub(super) fn meet_ring(a: &Aspect, seen: Vector) -> Option<RingPoint> {
    let d = a.unaberrated(seen);
    // the plane moves with the body while light is on its way: range * (d - v t'(range)) solved for the range
    let rate = match a.correction.is_none() {
        true => 0.0,
        false => a.correction.sign() / LIGHT,
    };
    let v = a.target_velocity;
    let start = sub(a.straight, scale(rate * LIGHT * a.light_time, v));
    let range = dot(a.pole, start) / dot(a.pole, sub(d, scale(rate, v)));
    if !(range.is_finite() && range >= 0.0) {
        return None;
    }
    let delay = a.delay(range);
    let arm = sub(scale(range, d), a.centre_at(delay));
    let [x, y, _] = a.into_body(arm, delay);
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
pub(super) fn light(a: &Aspect, p: Point) -> Light {
    if p.place[0].is_nan() {
        return Light {
            phase: f64::NAN,
            incidence: f64::NAN,
            emission: f64::NAN,
        };
    }
    let normal = a.from_body(a.surface().normal(p.place), p.delay);
    let straight = add(a.centre_at(p.delay), a.from_body(p.place, p.delay));
    let observer = scale(-1.0, a.aberrated(straight));
    let sun = sun_from(a, p.place, p.delay);
    use crate::math::vector::angle;
    Light {
        phase: angle(observer, sun),
        incidence: angle(normal, sun),
        emission: angle(normal, observer),
    }
}

/// Distance from the observer to a point of the body (km), and the rate at which it is seen to grow (km/s).
///
/// With a single step of light time the epoch is that of the step, which SPICE takes from the geometry at the observer's epoch.
pub(super) fn state(a: &Aspect, p: Point) -> [f64; 2] {
    if p.place[0].is_nan() {
        return [f64::NAN; 2];
    }
    let t = match a.correction.steps() {
        1 => {
            let (centre, turn) = &a.now;
            a.delay(norm(add(*centre, apply_back(turn, p.place))))
        }
        _ => p.delay,
    };
    let x = add(a.centre_at(t), a.from_body(p.place, t));
    let v = add(a.velocity_at(t), a.from_body(cross(a.whirl, p.place), t));
    let range = norm(x);
    let n = scale(1.0 / range, x);
    let sign = a.correction.sign();
    let rate = match a.correction.is_none() {
        true => 0.0,
        false => dot(n, sub(v, a.observer_velocity)) / LIGHT / (1.0 - sign * dot(n, v) / LIGHT),
    };
    [
        range,
        dot(n, sub(scale(1.0 + sign * rate, v), a.observer_velocity)),
    ]
}

/// Coordinates about the body's centre on the sky, arcsec: to the west and to the north.
pub(super) fn angular(a: &Aspect, seen: Vector) -> [f64; 2] {
    let [ra, dec] = a.centre().map(f64::to_radians);
    let ((sa, ca), (sd, cd)) = (libm::sincos(ra), libm::sincos(dec));
    let along = dot(seen, [cd * ca, cd * sa, sd]);
    let east = dot(seen, [-sa, ca, 0.0]);
    let north = dot(seen, [-sd * ca, -sd * sa, cd]);
    let arcsec = |v: f64| v.to_degrees() * 3600.0;
    [
        -arcsec(libm::atan2(east, along)),
        arcsec(libm::atan2(north, libm::hypot(along, east))),
    ]
}

/// The same turned so that the body's north pole, seen at `pole` (J2000 axes), is up.
pub(super) fn upright(a: &Aspect, seen: Vector, pole: Vector) -> [f64; 2] {
    let [x, y] = angular(a, seen);
    let [px, py] = angular(a, pole);
    let (s, c) = libm::sincos(libm::atan2(px, py));
    [c * x - s * y, s * x + c * y]
}

/// Kilometres at the body's distance that an arcsecond spans.
pub(super) fn km_per_arcsec(a: &Aspect) -> f64 {
    2.0 * a.radii[0] / a.diameter()
}
