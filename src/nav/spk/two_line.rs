//! Type 10: two-line elements, their states by SGP4 turned from the equator and equinox of date to J2000.
//!
//! A packet is a set of elements with the nutation at its epoch. Between two epochs both sets are moved to
//! the time and blended. Precession is IAU 1976, obliquity and nutation IAU 1980.

use std::f64::consts::PI;

use super::sgp4::{self, Elements, Geophysics};
use super::{State, blend};
use crate::Result;
use crate::formats::spice::{Array, Generic};
use crate::math::vector::{Axis, Matrix, product, scale, sub, turn};
use crate::nav::frames::Turn;

const CENTURY: f64 = 36_525.0 * 86_400.0;
const ARCSECOND: f64 = PI / 648_000.0;

/// A packet: ten numbers of the elements, nutation in obliquity and in longitude, their rates.
struct Packet {
    elements: Elements,
    epoch: f64,
    nutation: [f64; 2],
    rate: [f64; 2],
}

fn packet(all: &Generic<'_>, i: usize) -> Result<Packet> {
    let p = all.packet(i)?;
    if p.len() < 14 {
        return Err(all.fault("a set of two-line elements is cut short"));
    }
    Ok(Packet {
        elements: Elements {
            drag: p[2],
            inclination: p[3],
            node: p[4],
            eccentricity: p[5],
            perigee: p[6],
            anomaly: p[7],
            motion: p[8],
        },
        epoch: p[9],
        nutation: [p[10], p[11]],
        rate: [p[12], p[13]],
    })
}

/// State at `et` in J2000.
pub(super) fn state(array: Array<'_>, et: f64) -> Result<State> {
    let all = Generic::new(array)?;
    let c = all.constants()?;
    let &[j2, j3, j4, ke, top, bottom, radius, _] = &c[..] else {
        return Err(all.fault("it has no geophysical constants"));
    };
    let constants = Geophysics {
        j2,
        j3,
        j4,
        ke,
        top,
        bottom,
        radius,
    };
    if !(j2 > 0.0 && ke > 0.0 && radius > 0.0) {
        return Err(all.fault("its geophysical constants are impossible"));
    }
    let at = |p: &Packet| {
        sgp4::state(&constants, &p.elements, (et - p.epoch) / 60.0).map_err(|e| all.fault(e))
    };
    let after = all.count_below(et)?;
    if all.count() == 1 {
        let p = packet(&all, 0)?;
        return Ok(of_date(et, |_| p.nutation).back().state(at(&p)?));
    }
    let low = after.saturating_sub(1).min(all.count() - 2);
    let (p, q) = (packet(&all, low)?, packet(&all, low + 1)?);
    if p.epoch >= q.epoch {
        return Err(all.fault("its epochs do not ascend"));
    }
    let between = |t: f64, i: usize| {
        let h = q.epoch - p.epoch;
        let x = (t - p.epoch) / h;
        let (a, b, da, db) = (p.nutation[i], q.nutation[i], p.rate[i] * h, q.rate[i] * h);
        // the cubic with these values and slopes
        let (c2, c3) = (3.0 * (b - a) - 2.0 * da - db, 2.0 * (a - b) + da + db);
        a + x * (da + x * (c2 + x * c3))
    };
    // before the first epoch and after the last the nearest set counts alone, the nutation goes on
    let state = if after == 0 {
        at(&p)?
    } else if after == all.count() {
        at(&q)?
    } else {
        blend(at(&p)?, at(&q)?, p.epoch, q.epoch, et)
    };
    let turn = of_date(et, |t| [between(t, 0), between(t, 1)]);
    Ok(turn.back().state(state))
}

/// Rotation from J2000 to the true equator and mean equinox of date, with its rate; `nutation` in obliquity
/// and longitude, radians.
fn of_date(et: f64, nutation: impl Fn(f64) -> [f64; 2]) -> Turn {
    let at = |et: f64| -> Matrix {
        let [d_obliquity, d_longitude] = nutation(et);
        let t = et / CENTURY;
        let arc = |a: f64, b: f64, c: f64| t * (a + t * (b + t * c)) * ARCSECOND;
        let zeta = arc(2306.2181, 0.30188, 0.017998);
        let z = arc(2306.2181, 1.09468, 0.018203);
        let theta = arc(2004.3109, -0.42665, -0.041833);
        let precession = product(
            &turn(Axis::Z, -z),
            &product(&turn(Axis::Y, theta), &turn(Axis::Z, -zeta)),
        );
        let mean = (84_381.448 - 46.8150 * t - 0.00059 * t * t + 0.001_813 * t * t * t) * ARCSECOND;
        let nutation = product(
            &turn(Axis::X, -(mean + d_obliquity)),
            &product(&turn(Axis::Z, -d_longitude), &turn(Axis::X, mean)),
        );
        // back by the equation of the equinoxes
        let equinox = turn(Axis::Z, d_longitude * libm::cos(mean));
        product(&equinox, &product(&nutation, &precession))
    };
    // it changes by 1e-11 a second, evenly over hours
    const STEP: f64 = 600.0;
    let (before, after) = (at(et - STEP), at(et + STEP));
    let rate = std::array::from_fn(|i| scale(0.5 / STEP, sub(after[i], before[i])));
    Turn {
        matrix: at(et),
        rate,
    }
}
