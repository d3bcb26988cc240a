//! SGP4: motion of a satellite near the Earth by its two-line elements.
//!
//! Hoots & Roehrich 1980 (Spacetrack Report 3), as corrected by Vallado et al. 2006 (AIAA 2006-6753).
//! Only the near-Earth theory, for periods below 225 minutes; the deep-space one is not here.

use super::State;
use crate::math::vector::{add, scale};

/// The constants elements were made with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geophysics {
    pub(super) j2: f64,
    pub(super) j3: f64,
    pub(super) j4: f64,
    /// Square root of the gravity, Earth radii^1.5 a minute.
    pub(super) ke: f64,
    /// Bounds of the atmosphere model, km.
    pub(super) top: f64,
    pub(super) bottom: f64,
    /// Equatorial radius, km.
    pub(super) radius: f64,
}

/// Mean elements: radians, minutes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elements {
    pub(super) drag: f64,
    pub(super) inclination: f64,
    pub(super) node: f64,
    pub(super) eccentricity: f64,
    pub(super) perigee: f64,
    pub(super) anomaly: f64,
    /// Radians a minute.
    pub(super) motion: f64,
}

/// Longest period of the theory, minutes.
const LONGEST: f64 = 225.0;
const THIRDS: f64 = 2.0 / 3.0;

/// State (km, km/s; true equator and mean equinox of date) `t` minutes after the epoch of the elements.
///
/// # Errors
/// Why the elements give none.
pub(super) fn state(g: &Geophysics, e: &Elements, t: f64) -> Result<State, &'static str> {
    let ecc = e.eccentricity;
    if !(e.motion > 0.0 && (0.0..1.0).contains(&ecc)) {
        return Err("its two-line elements are impossible");
    }
    let (si, ci) = libm::sincos(e.inclination);
    let c2 = ci * ci;
    let c4 = c2 * c2;
    let (con41, con42, across) = (3.0 * c2 - 1.0, 1.0 - 5.0 * c2, 1.0 - c2);
    let part = 1.0 - ecc * ecc;
    let root = part.sqrt();

    // mean motion without the oblateness that is in the one given
    let ak = libm::pow(g.ke / e.motion, THIRDS);
    let d1 = 0.75 * g.j2 * con41 / (root * part);
    let d = d1 / (ak * ak);
    let a = ak * (1.0 - d * d - d * (1.0 / 3.0 + 134.0 * d * d / 81.0));
    let n = e.motion / (1.0 + d1 / (a * a));
    if std::f64::consts::TAU / n >= LONGEST {
        return Err("its two-line elements are of an orbit of 225 minutes or more (deep space)");
    }
    let a = libm::pow(g.ke / n, THIRDS);
    let lowest = a * (1.0 - ecc);
    let height = (lowest - 1.0) * g.radius;

    // atmosphere
    let (mut s4, mut q4) = (
        g.bottom / g.radius + 1.0,
        libm::pow((g.top - g.bottom) / g.radius, 4.0),
    );
    if height < 156.0 {
        let low = if height < 98.0 { 20.0 } else { height - 78.0 };
        q4 = libm::pow((g.top - low) / g.radius, 4.0);
        s4 = low / g.radius + 1.0;
    }
    let p = a * part;
    let inverse = 1.0 / (p * p);
    let tsi = 1.0 / (a - s4);
    let eta = a * ecc * tsi;
    let (eta2, eeta) = (eta * eta, ecc * eta);
    let psi = (1.0 - eta2).abs();
    let coef = q4 * libm::pow(tsi, 4.0);
    let coef1 = coef / libm::pow(psi, 3.5);
    let k2 = coef1
        * n
        * (a * (1.0 + 1.5 * eta2 + eeta * (4.0 + eta2))
            + 0.375 * g.j2 * tsi / psi * con41 * (8.0 + 3.0 * eta2 * (8.0 + eta2)));
    let k1 = e.drag * k2;
    let j3 = g.j3 / g.j2;
    let eccentric = ecc > 1e-4;
    let k3 = if eccentric {
        -2.0 * coef * tsi * j3 * n * si / ecc
    } else {
        0.0
    };
    let k4 = 2.0
        * n
        * coef1
        * a
        * part
        * (eta * (2.0 + 0.5 * eta2) + ecc * (0.5 + 2.0 * eta2)
            - g.j2 * tsi / (a * psi)
                * (-3.0 * con41 * (1.0 - 2.0 * eeta + eta2 * (1.5 - 0.5 * eeta))
                    + 0.75
                        * across
                        * (2.0 * eta2 - eeta * (1.0 + eta2))
                        * libm::cos(2.0 * e.perigee)));
    let k5 = 2.0 * coef1 * a * part * (1.0 + 2.75 * (eta2 + eeta) + eeta * eta2);

    // secular rates
    let t1 = 1.5 * g.j2 * inverse * n;
    let t2 = 0.5 * t1 * g.j2 * inverse;
    let t3 = -0.46875 * g.j4 * inverse * inverse * n;
    let m_dot = n + 0.5 * t1 * root * con41 + 0.0625 * t2 * root * (13.0 - 78.0 * c2 + 137.0 * c4);
    let w_dot = -0.5 * t1 * con42
        + 0.0625 * t2 * (7.0 - 114.0 * c2 + 395.0 * c4)
        + t3 * (3.0 - 36.0 * c2 + 49.0 * c4);
    let first = -t1 * ci;
    let node_dot = first + (0.5 * t2 * (4.0 - 19.0 * c2) + 2.0 * t3 * (3.0 - 7.0 * c2)) * ci;
    let polar = (1.0 + ci).max(1.5e-12);
    let long = -0.25 * j3 * si * (3.0 + 5.0 * ci) / polar;
    let short = -0.5 * j3 * si;

    // to the time, with drag
    let m = e.anomaly + m_dot * t;
    let mut w = e.perigee + w_dot * t;
    let node = e.node + node_dot * t + 3.5 * part * first * k1 * t * t;
    let mut shrink = 1.0 - k1 * t;
    let mut round = e.drag * k4 * t;
    let mut ahead = 1.5 * k1 * t * t;
    let mut mean = m;
    if lowest >= 220.0 / g.radius + 1.0 {
        let cube = |x: f64| {
            let y = 1.0 + eta * libm::cos(x);
            y * y * y
        };
        let turned = e.drag * k3 * libm::cos(e.perigee) * t;
        let moved = if eccentric {
            -THIRDS * coef * e.drag / eeta * (cube(m) - cube(e.anomaly))
        } else {
            0.0
        };
        mean = m + turned + moved;
        w -= turned + moved;
        let k11 = k1 * k1;
        let d2 = 4.0 * a * tsi * k11;
        let f = d2 * tsi * k1 / 3.0;
        let d3 = (17.0 * a + s4) * f;
        let d4 = 0.5 * f * a * tsi * (221.0 * a + 31.0 * s4) * k1;
        let (c3, c4) = (
            d2 + 2.0 * k11,
            0.25 * (3.0 * d3 + k1 * (12.0 * d2 + 10.0 * k11)),
        );
        let c5 = 0.2 * (3.0 * d4 + 12.0 * k1 * d3 + 6.0 * d2 * d2 + 15.0 * k11 * (2.0 * d2 + k11));
        shrink -= t * t * (d2 + t * (d3 + t * d4));
        round += e.drag * k5 * (libm::sin(mean) - libm::sin(e.anomaly));
        ahead += t * t * t * (c3 + t * (c4 + t * c5));
    }
    let a = a * shrink * shrink;
    let em = (ecc - round).max(1e-6);
    if !(a > 0.95 && em < 1.0) {
        return Err("its satellite has come down by then");
    }
    let nm = g.ke / libm::pow(a, 1.5);
    mean += n * ahead;

    // long-period terms, Kepler's equation
    let p1 = 1.0 / (a * (1.0 - em * em));
    let (sw, cw) = libm::sincos(w);
    let (x, y) = (em * cw, em * sw + p1 * short);
    let u = (mean + w + p1 * long * x) % std::f64::consts::TAU;
    let mut f = u;
    for _ in 0..10 {
        let (s, c) = libm::sincos(f);
        let step = (u - y * c + x * s - f) / (1.0 - c * x - s * y);
        let step = step.clamp(-0.95, 0.95);
        f += step;
        if step.abs() < 1e-12 {
            break;
        }
    }
    let (s, c) = libm::sincos(f);
    let (ecos, esin) = (x * c + y * s, x * s - y * c);
    let e2 = x * x + y * y;
    let p = a * (1.0 - e2);
    if p < 0.0 {
        return Err("its satellite has come down by then");
    }
    let r = a * (1.0 - ecos);
    let (r_dot, across_dot) = (a.sqrt() * esin / r, p.sqrt() / r);
    let beta = (1.0 - e2).sqrt();
    let k = esin / (1.0 + beta);
    let su = a / r * (s - y - x * k);
    let cu = a / r * (c - x + y * k);
    let (s2, c2u) = (2.0 * su * cu, 1.0 - 2.0 * su * su);

    // short-period terms
    let h1 = 0.5 * g.j2 / p;
    let h2 = h1 / p;
    let rk = r * (1.0 - 1.5 * h2 * beta * con41) + 0.5 * h1 * across * c2u;
    let uk = libm::atan2(su, cu) - 0.25 * h2 * (7.0 * c2 - 1.0) * s2;
    let node = node + 1.5 * h2 * ci * s2;
    let tilt = e.inclination + 1.5 * h2 * ci * si * c2u;
    let v_out = r_dot - nm * h1 * across * s2 / g.ke;
    let v_on = across_dot + nm * h1 * (across * c2u + 1.5 * con41) / g.ke;
    let ((sk, ck), (sn, cn), (st, ct)) = (libm::sincos(uk), libm::sincos(node), libm::sincos(tilt));
    let m = [-sn * ct, cn * ct, st];
    let out = [m[0] * sk + cn * ck, m[1] * sk + sn * ck, m[2] * sk];
    let on = [m[0] * ck - cn * sk, m[1] * ck - sn * sk, m[2] * ck];
    let speed = g.radius * g.ke / 60.0;
    Ok(State {
        position: scale(rk * g.radius, out),
        velocity: scale(speed, add(scale(v_out, out), scale(v_on, on))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::vector::{norm, sub};

    const WGS72: Geophysics = Geophysics {
        j2: 1.082616e-3,
        j3: -2.53881e-6,
        j4: -1.65597e-6,
        ke: 7.436_691_61e-2,
        top: 120.0,
        bottom: 78.0,
        radius: 6378.135,
    };

    /// Satellite 00005 of the verification set of Vallado et al. 2006.
    #[test]
    fn vanguard() {
        let rad = std::f64::consts::PI / 180.0;
        let e = Elements {
            drag: 0.28098e-4,
            inclination: 34.2682 * rad,
            node: 348.7242 * rad,
            eccentricity: 0.185_966_7,
            perigee: 331.7664 * rad,
            anomaly: 19.3264 * rad,
            motion: 10.824_191_57 * std::f64::consts::TAU / 1440.0,
        };
        let s = state(&WGS72, &e, 0.0).expect("near the Earth");
        let want = [7_022.465_292_66, -1_400.082_967_55, 0.039_951_55];
        assert!(norm(sub(s.position, want)) < 1e-3, "{s:?}");
        let s = state(&WGS72, &e, 360.0).expect("near the Earth");
        let want = [-7_154.031_201_97, -3_783.176_824_87, -3_536.194_122_44];
        assert!(norm(sub(s.position, want)) < 1e-3, "{s:?}");
        let high = Elements {
            motion: 1.0 * std::f64::consts::TAU / 1440.0,
            ..e
        };
        assert!(state(&WGS72, &high, 0.0).is_err());
    }
}
