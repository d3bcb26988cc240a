//! How bodies are turned: polynomials and trigonometric terms of text PCKs, series of binary PCKs.
//!
//! Text (IAU working group): right ascension and declination of the pole are polynomials in centuries,
//! the prime meridian one in days, all from J2000 TDB, plus sums over the angles of
//! `BODY<system>_NUT_PREC_ANGLES`: sines for right ascension and meridian, cosines for declination.
//! Angles have `BODY<system>_MAX_PHASE_DEGREE` + 1 coefficients each (in centuries). A binary PCK
//! that covers the epoch goes before the text.

use std::f64::consts::{FRAC_PI_2, PI, TAU};
use std::sync::Arc;

use super::frames::{Frame, Turn};
use super::kernels::Kernels;
use super::spk::{scaled_rates, series};
use crate::formats::spice::{Array, Daf, Generic, Summary};
use crate::math::vector::{Axis, product, sum, turn_and_rate};
use crate::{Error, Result};

const DAY: f64 = 86_400.0;
const CENTURY: f64 = 36_525.0 * DAY;
const RAD: f64 = PI / 180.0;

/// A segment of a binary PCK.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    file: Arc<Daf>,
    summary: Summary,
    pub(super) id: i32,
    frame: i32,
    kind: i32,
    start: f64,
    end: f64,
}

impl Segment {
    pub(super) fn all(file: &Arc<Daf>) -> Result<Vec<Self>> {
        file.summaries()
            .iter()
            .map(|s| match (&s.doubles[..], &s.integers[..]) {
                (&[start, end], &[id, frame, kind]) if start <= end => Ok(Self {
                    file: Arc::clone(file),
                    summary: s.clone(),
                    id,
                    frame,
                    kind,
                    start,
                    end,
                }),
                _ => Err(Error::format(
                    file.path(),
                    format!(
                        "segment {:?} has no usable description; fetch the file again",
                        s.name
                    ),
                )),
            })
            .collect()
    }

    /// Rotation from the segment's frame to the body's.
    fn turn(&self, et: f64) -> Result<Turn> {
        let array = self.file.array(&self.summary);
        let (angles, rates) = match self.kind {
            2 => angle_series(array, et)?,
            3 => rate_series(array, et)?,
            20 => scaled_rates(array, et)?,
            kind => {
                return Err(Error::reference(format!(
                    "{}: orientation {} is given as PCK type {kind}, which is not read (2, 3 and 20 are)",
                    self.file.path().display(),
                    self.id
                )));
            }
        };
        Ok(match self.kind {
            3 => pole_and_meridian(angles, rates),
            _ => euler(angles, rates),
        })
    }
}

/// Type 2: series of the angles, over spans of equal length.
fn angle_series(array: Array<'_>, et: f64) -> Result<([f64; 3], [f64; 3])> {
    let state = super::spk::angles(array, et)?;
    Ok((state.position, state.velocity))
}

/// Type 3: packets with the middle and half the length of a span, then series of right ascension,
/// declination and meridian (degrees) and of their rates.
fn rate_series(array: Array<'_>, et: f64) -> Result<([f64; 3], [f64; 3])> {
    let all = Generic::new(array)?;
    let after = all.count_below(et)?;
    let same = after < all.count() && all.reference(after)? == et;
    let n = if same { after } else { after.saturating_sub(1) };
    let packet = all.packet(n)?;
    let terms = packet.len().saturating_sub(2) / 6;
    if terms == 0 || packet.len() != 6 * terms + 2 || packet[1] <= 0.0 {
        return Err(all.fault("a packet's span or size is impossible"));
    }
    let x = (et - packet[0]) / packet[1];
    let mut out = [0.0; 6];
    for (o, c) in out.iter_mut().zip(packet[2..].chunks_exact(terms)) {
        *o = series(c, x).0;
    }
    let [a, b, c, da, db, dc] = out;
    Ok(([a, b, c], [da, db, dc]))
}

/// Rotation by Euler angles about z, then x, then z, with its rate.
fn euler([node, tilt, spin]: [f64; 3], rates: [f64; 3]) -> Turn {
    let (n, dn) = turn_and_rate(Axis::Z, node);
    let (t, dt) = turn_and_rate(Axis::X, tilt);
    let (s, ds) = turn_and_rate(Axis::Z, spin);
    let by = |k: f64, m: crate::math::vector::Matrix| m.map(|row| row.map(|x| k * x));
    let rate = sum(
        &by(rates[0], product(&s, &product(&t, &dn))),
        &sum(
            &by(rates[1], product(&s, &product(&dt, &n))),
            &by(rates[2], product(&ds, &product(&t, &n))),
        ),
    );
    Turn {
        matrix: product(&s, &product(&t, &n)),
        rate,
    }
}

/// Rotation by right ascension and declination of the pole and the prime meridian, degrees, with
/// their rates.
fn pole_and_meridian([ra, dec, pm]: [f64; 3], [dra, ddec, dpm]: [f64; 3]) -> Turn {
    // the meridian has turned thousands of times: whole turns are taken off as SPICE does it, whose
    // rounding (7e-12) is 1e-2 km at the distance of Saturn
    let spin = pm * RAD;
    let spin = spin - TAU * (spin / TAU).trunc();
    euler(
        [FRAC_PI_2 + ra * RAD, FRAC_PI_2 - dec * RAD, spin],
        [dra * RAD, -ddec * RAD, dpm * RAD],
    )
}

/// Rotation from J2000 to the body-fixed frame of class code `id`.
pub(super) fn turn(kernels: &Kernels, id: i32, name: &str, et: f64) -> Result<Turn> {
    let all = || kernels.orientations().iter().filter(|s| s.id == id);
    if let Some(s) = all().rev().find(|s| s.start <= et && et <= s.end) {
        let base = inertial_turn(kernels, s.frame, et)?;
        return Ok(base.then(&s.turn(et)?));
    }
    if kernels.pool().contains(&format!("BODY{id}_PM")) {
        return from_text(kernels, id, et);
    }
    let spans: Vec<String> = all()
        .map(|s| {
            format!(
                "{} to {} TDB",
                super::time::calendar(s.start, 0),
                super::time::calendar(s.end, 0)
            )
        })
        .collect();
    let (held, fetch) = match (spans.is_empty(), id) {
        (false, _) => (
            format!(" (they cover {})", spans.join(", ")),
            "one for that date",
        ),
        (true, 3000) => (String::new(), "earth_latest_high_prec.bpc"),
        (true, 31_000..=31_009) => (String::new(), "a lunar one, moon_pa_de440_200625.bpc"),
        (true, _) => (String::new(), "pck00011.tpc"),
    };
    Err(Error::reference(format!(
        "the loaded kernels do not say how the frame {name} is turned at {} TDB{held}; fetch {fetch} from \
         https://naif.jpl.nasa.gov/pub/naif/generic_kernels/pck/",
        super::time::calendar(et, 0)
    )))
}

fn inertial_turn(kernels: &Kernels, frame: i32, et: f64) -> Result<Turn> {
    if (1..=21).contains(&frame) {
        return kernels.turn_to(Frame(frame), et);
    }
    Err(Error::reference(format!(
        "orientation constants are given relative to frame {frame}, which is no built-in inertial one; \
         correct the kernel"
    )))
}

/// The system a body belongs to: that of its planet, else its own.
fn system(id: i32) -> i32 {
    match id {
        100..=999 => id / 100,
        10_000..=99_999 => id / 10_000,
        id => id,
    }
}

/// Value and rate (per unit of t) of a polynomial.
fn polynomial(c: &[f64], t: f64) -> (f64, f64) {
    c.iter()
        .rev()
        .fold((0.0, 0.0), |(v, d), a| (v * t + a, d * t + v))
}

fn from_text(kernels: &Kernels, id: i32, et: f64) -> Result<Turn> {
    let pool = kernels.pool();
    let system = system(id);
    let fault = |what: &str| {
        Error::reference(format!(
            "the orientation constants of body {id} contradict themselves: {what}; load one \
             pck*.tpc of NAIF after the others"
        ))
    };
    let base = pool
        .integer(&format!("BODY{id}_CONSTANTS_REF_FRAME"))
        .or_else(|| pool.integer(&format!("BODY{system}_CONSTANTS_REF_FRAME")))
        .or_else(|| pool.integer(&format!("BODY{system}_CONSTS_REF_FRAME")))
        .unwrap_or(1);
    let epoch = pool
        .number(&format!("BODY{system}_CONSTANTS_JED_EPOCH"))
        .or_else(|| pool.number(&format!("BODY{system}_CONSTS_JED_EPOCH")))
        .map_or(0.0, |jd| (jd - 2_451_545.0) * DAY);
    let t = et - epoch;
    let (centuries, days) = (t / CENTURY, t / DAY);
    let degree = match pool.number(&format!("BODY{system}_MAX_PHASE_DEGREE")) {
        None => 1.0,
        Some(d) if d.fract() == 0.0 && (1.0..=20.0).contains(&d) => d,
        Some(_) => return Err(fault("MAX_PHASE_DEGREE is no small whole number")),
    };
    let per_angle = degree as usize + 1;
    let angles = pool
        .numbers(&format!("BODY{system}_NUT_PREC_ANGLES"))
        .unwrap_or(&[]);
    if !angles.len().is_multiple_of(per_angle) {
        return Err(fault("NUT_PREC_ANGLES is cut short"));
    }
    // (sine, cosine, rate in radians a second) of the angles
    let terms: Vec<(f64, f64, f64)> = angles
        .chunks_exact(per_angle)
        .map(|c| {
            let (value, rate) = polynomial(c, centuries);
            let (s, c) = libm::sincos(value * RAD);
            (s, c, rate * RAD / CENTURY)
        })
        .collect();
    let get = |name: &str| pool.numbers(&format!("BODY{id}_{name}"));
    // value (degrees) and rate (degrees/s) of an angle
    let evaluate =
        |base: &str, periodic: &str, t: f64, unit: f64, sine: bool| -> Result<(f64, f64)> {
            let c = get(base).ok_or_else(|| fault(&format!("{base} is missing")))?;
            let (mut value, rate) = polynomial(c, t);
            value %= 360.0;
            let mut rate = rate / unit;
            let amplitudes = get(periodic).unwrap_or(&[]);
            if amplitudes.len() > terms.len() {
                return Err(fault(&format!(
                    "{periodic} has more terms than there are angles"
                )));
            }
            for (a, (s, c, w)) in amplitudes.iter().zip(&terms) {
                let (v, d) = if sine { (s, *c) } else { (c, -s) };
                value += a * v;
                rate += a * d * w;
            }
            Ok((value, rate))
        };
    let (ra, dra) = evaluate("POLE_RA", "NUT_PREC_RA", centuries, CENTURY, true)?;
    let (dec, ddec) = evaluate("POLE_DEC", "NUT_PREC_DEC", centuries, CENTURY, false)?;
    let (pm, dpm) = evaluate("PM", "NUT_PREC_PM", days, DAY, true)?;
    let body = pole_and_meridian([ra, dec, pm], [dra, ddec, dpm]);
    Ok(inertial_turn(kernels, base, et)?.then(&body))
}
