//! Segments of SPK files: the state of one body relative to another over a span of time.
//!
//! Types 1, 2, 3, 5, 8, 9, 10, 12, 13, 15, 17, 18, 20 and 21. One file a family; each takes the
//! doubles of a segment and an epoch (TDB seconds from J2000) and gives a state (km, km/s) in the
//! segment's own frame about its own centre. Which segment is asked, and how they are chained, is
//! `nav::ephemeris`.

mod chebyshev;
mod conic;
mod differences;
mod interpolated;
mod sgp4;
mod two_line;

pub(super) use chebyshev::{positions as angles, scaled_rates, series};

use std::sync::Arc;

use crate::formats::spice::{Daf, Summary};
use crate::math::vector::{Vector, add, negate, scale, sub};
use crate::{Error, Result};

/// Position (km) and velocity (km/s).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct State {
    pub position: Vector,
    pub velocity: Vector,
}

impl State {
    /// From x, y, z, vx, vy, vz.
    #[must_use]
    pub fn new(s: [f64; 6]) -> Self {
        Self {
            position: [s[0], s[1], s[2]],
            velocity: [s[3], s[4], s[5]],
        }
    }

    /// This state after another one, end to end.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            position: add(self.position, other.position),
            velocity: add(self.velocity, other.velocity),
        }
    }

    /// This state relative to another one.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self {
            position: sub(self.position, other.position),
            velocity: sub(self.velocity, other.velocity),
        }
    }

    /// The state seen from the other end.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self {
            position: negate(self.position),
            velocity: negate(self.velocity),
        }
    }
}

/// One segment.
#[derive(Clone, Debug)]
pub struct Segment {
    file: Arc<Daf>,
    summary: Summary,
    /// Body whose state it holds.
    pub body: i32,
    /// Body the state is relative to.
    pub center: i32,
    /// Frame, SPICE's code.
    pub frame: i32,
    /// Data type.
    pub kind: i32,
    /// First epoch, TDB s from J2000.
    pub start: f64,
    /// Last epoch.
    pub end: f64,
}

impl Segment {
    /// The segments of an SPK file, in its order.
    ///
    /// # Errors
    /// [`Error::Format`] where a segment's description contradicts itself.
    pub fn all(file: &Arc<Daf>) -> Result<Vec<Self>> {
        file.summaries()
            .iter()
            .map(|s| {
                let ([start, end], [body, center, frame, kind]) = (&s.doubles[..], &s.integers[..])
                else {
                    return Err(Error::format(file.path(), "is no SPK file"));
                };
                let fault = |what: String| {
                    Error::format(
                        file.path(),
                        format!("segment {:?} of body {body}: {what}", s.name),
                    )
                };
                if !(start.is_finite() && end.is_finite() && start <= end) {
                    return Err(fault(format!(
                        "covers {start} to {end} s, which is no span of time; fetch the file again"
                    )));
                }
                if body == center {
                    return Err(fault(
                        "gives the body's state relative to itself; fetch the file again".into(),
                    ));
                }
                Ok(Self {
                    file: Arc::clone(file),
                    summary: s.clone(),
                    body: *body,
                    center: *center,
                    frame: *frame,
                    kind: *kind,
                    start: *start,
                    end: *end,
                })
            })
            .collect()
    }

    /// The file it is in.
    #[must_use]
    pub fn file(&self) -> &Arc<Daf> {
        &self.file
    }

    /// Segment name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.summary.name
    }

    /// State at `et`, in the segment's frame, about its centre.
    ///
    /// # Errors
    /// [`Error::Format`] for contradictory data; [`Error::Reference`] for a type that is not read.
    pub fn state(&self, et: f64) -> Result<State> {
        let array = self.file.array(&self.summary);
        let state = match self.kind {
            1 => differences::state(array, et, false),
            21 => differences::state(array, et, true),
            2 => chebyshev::positions(array, et),
            3 => chebyshev::states(array, et),
            20 => chebyshev::velocities(array, et),
            5 => conic::discrete_states(array, et),
            15 => conic::precessing(array, et),
            17 => conic::equinoctial(array, et),
            8 => interpolated::even_lagrange(array, et),
            12 => interpolated::even_hermite(array, et),
            9 => interpolated::uneven_lagrange(array, et),
            13 => interpolated::uneven_hermite(array, et),
            18 => interpolated::packets(array, et),
            10 => two_line::state(array, et),
            kind => Err(Error::reference(format!(
                "{}: body {} is given as SPK type {kind}, which is not read (1 2 3 5 8 9 10 12 13 15 \
                 17 18 20 21 are); convert the kernel with NAIF's spkmerge or fetch another",
                self.file.path().display(),
                self.body
            ))),
        }?;
        let finite = |v: Vector| v.iter().all(|x| x.is_finite());
        if finite(state.position) && finite(state.velocity) {
            return Ok(state);
        }
        Err(array.fault("its numbers give no finite state"))
    }
}

/// Two states of one path blended: all of the first at its epoch, all of the second at its own, weights
/// that go as a cosine between.
pub(super) fn blend(first: State, second: State, t1: f64, t2: f64, et: f64) -> State {
    use std::f64::consts::PI;
    let turn = PI / (t2 - t1);
    let (s, c) = libm::sincos((et - t1) * turn);
    let (weight, rate) = (0.5 + 0.5 * c, -0.5 * s * turn);
    let other = 1.0 - weight;
    let mix = |a: Vector, b: Vector| add(scale(weight, a), scale(other, b));
    State {
        position: mix(first.position, second.position),
        velocity: add(
            mix(first.velocity, second.velocity),
            scale(rate, sub(first.position, second.position)),
        ),
    }
}
