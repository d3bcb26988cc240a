//! Types 5, 15 and 17: motion on conics.
//!
//! Type 5 is a table of states with two-body motion between them, type 15 one conic whose node and
//! apse precess by the oblateness of the primary, type 17 equinoctial elements with constant rates.
//! Two-body motion is by universal variables (Battin 1987, 4.5): one formula for ellipses,
//! parabolas and hyperbolas.

use std::f64::consts::{PI, TAU};

use super::{State, blend};
use crate::Result;
use crate::formats::spice::Array;
use crate::math::vector::{Vector, add, angle, cross, dot, norm, rotate, scale, unit};

/// Stumpff's functions c0..c3 of `psi`.
fn stumpff(psi: f64) -> [f64; 4] {
    if psi.abs() < 1.0 {
        // c2 and c3 by their series: psi^12 / 26! is below the last bit
        let tail = |k: f64| {
            let mut sum = 1.0;
            for j in (1..=12).rev() {
                let j = f64::from(j);
                sum = 1.0 - psi / ((2.0 * j + k - 1.0) * (2.0 * j + k)) * sum;
            }
            sum
        };
        let (c2, c3) = (tail(2.0) / 2.0, tail(3.0) / 6.0);
        return [1.0 - psi * c2, 1.0 - psi * c3, c2, c3];
    }
    let root = psi.abs().sqrt();
    let (c0, s, half) = if psi > 0.0 {
        (libm::cos(root), libm::sin(root), libm::sin(root / 2.0))
    } else {
        (libm::cosh(root), libm::sinh(root), libm::sinh(root / 2.0))
    };
    let c1 = s / root;
    [c0, c1, 2.0 * half * half / psi.abs(), (1.0 - c1) / psi]
}

/// State `dt` seconds after `start` on a conic about a body of gravity `mu` (km3/s2); `None` where
/// that is no motion (no distance, no gravity, no angular momentum).
pub(super) fn propagate(mu: f64, start: State, dt: f64) -> Option<State> {
    let (r0, v0) = (start.position, start.velocity);
    let (distance, radial) = (norm(r0), dot(r0, v0));
    let usable = mu > 0.0 && distance > 0.0 && norm(cross(r0, v0)) > 0.0;
    if !(usable && dt.is_finite()) {
        return None;
    }
    let root = mu.sqrt();
    let alpha = 2.0 / distance - dot(v0, v0) / mu;
    // whole turns change nothing
    let dt = if alpha > 0.0 {
        let period = TAU / (root * alpha * alpha.sqrt());
        dt % period
    } else {
        dt
    };
    // time as a function of the universal anomaly grows with a slope that is the distance
    let functions = |x: f64| {
        let [c0, c1, c2, c3] = stumpff(alpha * x * x);
        [c0, x * c1, x * x * c2, x * x * x * c3]
    };
    let excess = |x: f64| {
        let [_, u1, u2, u3] = functions(x);
        distance * u1 + radial / root * u2 + u3 - root * dt
    };
    let slope = |x: f64| {
        let [u0, u1, u2, _] = functions(x);
        distance * u0 + radial / root * u1 + u2
    };
    let (mut near, mut far) = (0.0, root * dt / distance);
    for _ in 0..500 {
        let value = excess(far);
        if !value.is_finite() {
            far = 0.5 * (near + far);
        } else if value == 0.0 || (value > 0.0) == (dt > 0.0) {
            break;
        } else {
            (near, far) = (far, 2.0 * far);
        }
    }
    let (mut low, mut high) = if far < near { (far, near) } else { (near, far) };
    let mut x = 0.5 * (low + high);
    for _ in 0..200 {
        let value = excess(x);
        if value < 0.0 {
            low = x;
        } else {
            high = x;
        }
        let mut next = x - value / slope(x);
        if !(next >= low && next <= high) {
            next = 0.5 * (low + high);
        }
        if next == x || next == low || next == high {
            x = next;
            break;
        }
        x = next;
    }
    let [_, u1, u2, u3] = functions(x);
    let r = slope(x);
    let (f, g) = (1.0 - u2 / distance, dt - u3 / root);
    let (df, dg) = (-root / (r * distance) * u1, 1.0 - u2 / r);
    Some(State {
        position: add(scale(f, r0), scale(g, v0)),
        velocity: add(scale(df, r0), scale(dg, v0)),
    })
}

/// Type 5: states, epochs, a directory of them, gravity, number of states.
pub(super) fn discrete_states(array: Array<'_>, et: f64) -> Result<State> {
    let (mu, n) = (array.get_back(1)?, array.count_back(0, 1)?);
    if n > array.len() / 7 {
        return Err(array.fault(format!("its {n} states do not fit")));
    }
    let read = |i: usize| -> Result<(f64, State)> {
        let epoch = array.get(n * 6 + i)?;
        let s = array.range(i * 6, 6)?;
        let start = State::new([s[0], s[1], s[2], s[3], s[4], s[5]]);
        let moved = propagate(mu, start, et - epoch);
        let moved = moved.ok_or_else(|| array.fault("a state is on no conic"))?;
        Ok((epoch, moved))
    };
    let after = array.count_below(n * 6, n, et)?;
    if after == 0 || after == n {
        return Ok(read(after.saturating_sub(1))?.1);
    }
    let ((t1, first), (t2, second)) = (read(after - 1)?, read(after)?);
    Ok(blend(first, second, t1, t2, et))
}

/// Type 15: epoch of periapsis, pole of the orbit, direction of periapsis, semi-latus rectum (km),
/// eccentricity, which precession, pole of the primary, gravity, J2, radius of the primary (km).
pub(super) fn precessing(array: Array<'_>, et: f64) -> Result<State> {
    let e = array.range(0, 16)?;
    let (epoch, pole, apse) = (e[0], unit([e[1], e[2], e[3]]), unit([e[4], e[5], e[6]]));
    let (p, ecc, flag) = (e[7], e[8], e[9]);
    let (primary, mu, j2, radius) = (unit([e[10], e[11], e[12]]), e[13], e[14], e[15]);
    if p <= 0.0 || mu <= 0.0 || ecc < 0.0 || radius < 0.0 {
        return Err(array.fault("its elements are impossible"));
    }
    let dt = et - epoch;
    let near = p / (1.0 + ecc);
    let start = State {
        position: scale(near, apse),
        velocity: scale((mu / p).sqrt() * (1.0 + ecc), unit(cross(pole, apse))),
    };
    let state = propagate(mu, start, dt).ok_or_else(|| array.fault("its orbit is no conic"))?;
    if flag == 3.0 || j2 == 0.0 || ecc >= 1.0 || near <= radius {
        return Ok(state);
    }
    // true anomaly with all its turns: those of the mean anomaly
    let part = 1.0 - ecc * ecc;
    let mean = part / p * (mu * part / p).sqrt() * dt;
    let turns = mean % TAU;
    let seen = angle(apse, state.position);
    let seen = if turns.abs() > PI { TAU - seen } else { seen };
    let anomaly = seen.copysign(turns) + (mean - turns);
    let inclined = dot(primary, pole);
    let strength = 1.5 * anomaly * j2 * (radius / p) * (radius / p);
    let (node, peri) = (
        -strength * inclined,
        strength * (2.5 * inclined * inclined - 0.5),
    );
    let turned = |s: State, axis: Vector, by: f64| State {
        position: rotate(s.position, axis, by),
        velocity: rotate(s.velocity, axis, by),
    };
    // 1 is the node alone, 2 the apse alone
    let state = if flag == 1.0 {
        state
    } else {
        turned(state, pole, peri)
    };
    Ok(if flag == 2.0 {
        state
    } else {
        turned(state, primary, node)
    })
}

/// Type 17: epoch; a, h, k, mean longitude, p, q; rates of the longitude of periapsis, of mean
/// longitude and of the node; right ascension and declination of the pole of the elements' plane.
pub(super) fn equinoctial(array: Array<'_>, et: f64) -> Result<State> {
    let e = array.range(0, 12)?;
    let dt = et - e[0];
    let (a, h0, k0, longitude, p0, q0) = (e[1], e[2], e[3], e[4], e[5], e[6]);
    let (apse_rate, mean_rate, node_rate) = (e[7], e[8], e[9]);
    let (ra, dec) = (e[10], e[11]);
    let turned = |sine: f64, cosine: f64, by: f64| {
        let (s, c) = libm::sincos(by);
        (sine * c + cosine * s, cosine * c - sine * s)
    };
    let (h, k) = turned(h0, k0, apse_rate * dt);
    let (p, q) = turned(p0, q0, node_rate * dt);
    let ecc = h * h + k * k;
    if a <= 0.0 || ecc >= 1.0 {
        return Err(array.fault(format!(
            "its elements are impossible (a {a} km, e {})",
            ecc.sqrt()
        )));
    }
    let mean = (longitude + mean_rate * dt) % TAU;
    let f = eccentric_longitude(mean, h, k);
    let (s, c) = libm::sincos(f);
    let beta = 1.0 / (1.0 + (1.0 - ecc).sqrt());
    let x = a * ((1.0 - beta * h * h) * c + h * k * beta * s - k);
    let y = a * ((1.0 - beta * k * k) * s + h * k * beta * c - h);
    // the anomaly alone, then the apse that turns in the plane
    let r = 1.0 - h * s - k * c;
    let rate = (mean_rate - apse_rate) * a / r;
    let turning = apse_rate - node_rate;
    let dx = rate * (h * k * beta * c - (1.0 - beta * h * h) * s) - turning * y;
    let dy = rate * ((1.0 - beta * k * k) * c - h * k * beta * s) + turning * x;
    let tilt = 1.0 / (1.0 + p * p + q * q);
    let along = scale(tilt, [1.0 - p * p + q * q, 2.0 * p * q, -2.0 * p]);
    let across = scale(tilt, [2.0 * p * q, 1.0 + p * p - q * q, 2.0 * q]);
    let position = add(scale(x, along), scale(y, across));
    let velocity = add(scale(dx, along), scale(dy, across));
    let velocity = add(velocity, cross([0.0, 0.0, node_rate], position));
    let ((sr, cr), (sd, cd)) = (libm::sincos(ra), libm::sincos(dec));
    let axes = [
        [-sr, cr, 0.0],
        [-cr * sd, -sr * sd, cd],
        [cr * cd, sr * cd, sd],
    ];
    let out = |v: Vector| crate::math::vector::apply_back(&axes, v);
    Ok(State {
        position: out(position),
        velocity: out(velocity),
    })
}

/// F of `mean = F + h cos F - k sin F`; e < 1.
fn eccentric_longitude(mean: f64, h: f64, k: f64) -> f64 {
    let ecc = (h * h + k * k).sqrt();
    let (mut low, mut high) = (mean - ecc, mean + ecc);
    let mut f = mean;
    for _ in 0..100 {
        let (s, c) = libm::sincos(f);
        let excess = f + h * c - k * s - mean;
        if excess < 0.0 {
            low = f;
        } else {
            high = f;
        }
        let mut next = f - excess / (1.0 - h * s - k * c);
        if !(next >= low && next <= high) {
            next = 0.5 * (low + high);
        }
        if next == f {
            break;
        }
        f = next;
    }
    f
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::vector::sub;

    fn start(speed: f64) -> State {
        State::new([7000.0, 0.0, 0.0, 0.3, speed, 1.0])
    }

    #[test]
    fn there_and_back_on_every_conic() {
        let mu = 398_600.4;
        for speed in [3.0, 7.5, 10.6, 15.0] {
            for dt in [1.0, 3600.0, -7200.0, 1e6] {
                let there = propagate(mu, start(speed), dt).expect("moves");
                let back = propagate(mu, there, -dt).expect("moves");
                let off = norm(sub(back.position, start(speed).position));
                let limit = 1e-9 * norm(there.position).max(7000.0);
                assert!(off < limit.max(1e-4), "{speed} {dt}: {off}");
                let energy = |s: State| dot(s.velocity, s.velocity) / 2.0 - mu / norm(s.position);
                let (e0, e1) = (energy(start(speed)), energy(there));
                assert!((e0 - e1).abs() < 1e-9 * e0.abs().max(1.0), "{speed} {dt}");
            }
        }
        assert!(propagate(0.0, start(7.0), 1.0).is_none());
        assert!(propagate(mu, State::default(), 1.0).is_none());
    }

    #[test]
    fn stumpff_meets_at_the_seam() {
        for psi in [0.999_999_999, -0.999_999_999] {
            let (a, b) = (stumpff(psi), stumpff(psi * 1.000_000_002));
            for (x, y) in a.iter().zip(b) {
                assert!((x - y).abs() < 1e-8);
            }
        }
        let [c0, c1, c2, c3] = stumpff(0.25);
        assert!((c0 - 0.5_f64.cos()).abs() < 1e-15 && (c1 - 0.5_f64.sin() / 0.5).abs() < 1e-15);
        assert!((c2 - (1.0 - 0.5_f64.cos()) / 0.25).abs() < 1e-14);
        assert!((c3 - (0.5 - 0.5_f64.sin()) / 0.125).abs() < 1e-14);
    }
}
