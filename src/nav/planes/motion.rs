//! Planes of motion: how fast the surface goes away, and what that does to wavelengths.

use super::{Family, Field, Kind, Plane};
use crate::math::vector::{Vector, add, apply, apply_back, dot, norm, scale, sub};
use crate::nav::LIGHT;

pub(super) const FAMILY: Family = Family {
    title: "Motion",
    about: "Of the point of the surface, the body's turning included; NaN off the disc.",
    planes: &[
        Plane {
            name: "RADIAL_VELOCITY",
            unit: "km/s",
            about: "Velocity of the surface away from the observer",
            kind: Kind::Navigator,
            of: |f| f.speed().to_vec(),
        },
        Plane {
            name: "DOPPLER",
            unit: "",
            about: "Wavelength seen over wavelength sent",
            kind: Kind::Navigator,
            of: |f| f.speed().iter().map(|v| doppler(*v)).collect(),
        },
        Plane {
            name: "RADIAL-VELOCITY",
            unit: "km/s",
            about: "Velocity of the surface away from the observer",
            kind: Kind::Exact,
            of: |f| f.seen_state().iter().map(|s| s[1]).collect(),
        },
        Plane {
            name: "DOPPLER",
            unit: "",
            about: "Wavelength seen over wavelength sent",
            kind: Kind::Exact,
            of: |f| f.seen_state().iter().map(|s| doppler(s[1])).collect(),
        },
    ],
};

/// Wavelength seen over wavelength sent by what goes away at `v` km/s.
pub(super) fn doppler(v: f64) -> f64 {
    ((1.0 + v / LIGHT) / (1.0 - v / LIGHT)).sqrt()
}

/// Rate (km/s) at which the distance to a point of the surface is seen to grow: with the light time to the point, at
/// which its body has come on and turned by some hundredths of a second since the light of the centre, and its change.
pub(super) fn radial_velocity(f: &Field, p: Vector) -> f64 {
    let a = f.aspect;
    let [rate, change] = &a.turning;
    let arm = apply_back(&a.to_body, p);
    let (turn, bend) = (apply(rate, p), apply(change, p));
    let sign = a.correction.sign();
    let (mut t, mut x) = (0.0, a.straight);
    if !a.correction.is_none() {
        for _ in 0..4 {
            let turned = add(add(arm, scale(t, turn)), scale(0.5 * t * t, bend));
            x = add(a.centre_at(t), turned);
            t = sign * (norm(x) / LIGHT - a.light_time);
        }
    } else {
        x = add(x, arm);
    }
    let v = add(a.velocity_at(t), add(turn, scale(t, bend)));
    let n = scale(1.0 / norm(x), x);
    let rate = match a.correction.is_none() {
        true => 0.0,
        false => dot(n, sub(v, a.observer_velocity)) / LIGHT / (1.0 - sign * dot(n, v) / LIGHT),
    };
    dot(n, sub(scale(1.0 + sign * rate, v), a.observer_velocity))
}
