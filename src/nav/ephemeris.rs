//! States of bodies from the segments of all loaded kernels.
//!
//! For a body and an epoch the segment loaded last counts: later files before earlier ones, in a file the
//! last segment first. A segment gives a body relative to its centre; two bodies meet at the first
//! centre that both chains reach.

use super::advice;
use super::correction::{Apparent, Correction, Observer, seen};
use super::frames::{Frame, J2000, Turn};
use super::kernels::Kernels;
use super::spk::{Segment, State};
use super::time::calendar;
use crate::math::vector::{scale, sub};
use crate::{Error, Result};

/// Longest chain of centres.
const LONGEST: usize = 64;

impl Kernels {
    /// The segment that counts for a body at an epoch.
    #[must_use]
    pub fn segment(&self, body: i32, et: f64) -> Option<&Segment> {
        self.segments_of(body)
            .rev()
            .find(|s| s.start <= et && et <= s.end)
    }

    /// Segments from a body towards the solar-system barycentre, as far as there are any.
    fn chain(&self, body: i32, et: f64) -> Result<Vec<&Segment>> {
        let mut out: Vec<&Segment> = Vec::new();
        let mut at = body;
        while at != 0 {
            let Some(s) = self.segment(at, et) else {
                break;
            };
            if out.iter().any(|o| o.body == s.center) || out.len() == LONGEST {
                return Err(Error::reference(format!(
                    "the loaded kernels contradict each other: the chain of centres from {} leads \
                     back to {} ({}); load fewer of them",
                    self.named(body),
                    self.named(s.center),
                    s.file().path().display()
                )));
            }
            out.push(s);
            at = s.center;
        }
        Ok(out)
    }

    /// A segment's state in J2000.
    fn in_j2000(&self, segment: &Segment, et: f64) -> Result<State> {
        let state = segment.state(et)?;
        match Frame(segment.frame) {
            J2000 => Ok(state),
            frame => Ok(self.turn_to(frame, et)?.back().state(state)),
        }
    }

    /// Sum of a chain, from its far end: what is near is added last, to keep its digits.
    fn along(&self, chain: &[&Segment], et: f64) -> Result<State> {
        chain.iter().rev().try_fold(State::default(), |sum, s| {
            Ok(sum.plus(self.in_j2000(s, et)?))
        })
    }

    /// Geometric state of `target` relative to `observer`, J2000 axes.
    ///
    /// # Errors
    /// [`Error::Reference`] where the kernels do not connect the two at `et`: it says which body is
    /// missing, what is covered, and which kernel to fetch.
    pub fn geometric(&self, target: i32, observer: i32, et: f64) -> Result<State> {
        if !et.is_finite() {
            return Err(Error::input(format!("{et} is no epoch")));
        }
        if target == observer {
            return Ok(State::default());
        }
        let (from, to) = (self.chain(target, et)?, self.chain(observer, et)?);
        // place of a body in a chain: how many segments lead to it
        let place = |chain: &[&Segment], start: i32, body: i32| {
            if start == body {
                return Some(0);
            }
            chain.iter().position(|s| s.center == body).map(|i| i + 1)
        };
        let mut nodes = std::iter::once(target).chain(from.iter().map(|s| s.center));
        let met = nodes.find_map(|node| {
            let steps = place(&to, observer, node)?;
            Some((place(&from, target, node)?, steps))
        });
        let Some((a, b)) = met else {
            let end = |start: i32, chain: &[&Segment]| chain.last().map_or(start, |s| s.center);
            let (t, o) = (end(target, &from), end(observer, &to));
            let missing = if t == 0 { o } else { t };
            let wanted = if t == 0 { observer } else { target };
            return Err(self.no_state(missing, wanted, et));
        };
        Ok(self.along(&from[..a], et)?.minus(self.along(&to[..b], et)?))
    }

    /// State of a body relative to the solar-system barycentre, J2000 axes.
    ///
    /// # Errors
    /// As [`Kernels::geometric`].
    pub fn barycentric(&self, body: i32, et: f64) -> Result<State> {
        self.geometric(body, 0, et)
    }

    /// What an observer's correction needs.
    pub(super) fn observer(
        &self,
        observer: i32,
        et: f64,
        correction: Correction,
    ) -> Result<Observer> {
        let state = self.barycentric(observer, et)?;
        // from the velocities a second before and after; at the end of a kernel from one side
        let acceleration = if correction.has_aberration() {
            let side = |t: f64| self.barycentric(observer, t).ok().map(|s| (t, s.velocity));
            let now = (et, state.velocity);
            let (before, after) = (side(et - 1.0), side(et + 1.0));
            let (a, b) = (before.unwrap_or(now), after.unwrap_or(now));
            if b.0 > a.0 {
                scale(1.0 / (b.0 - a.0), sub(b.1, a.1))
            } else {
                [0.0; 3]
            }
        } else {
            [0.0; 3]
        };
        Ok(Observer {
            state,
            acceleration,
        })
    }

    /// State of `target` as `observer` sees it at `et`, in `frame`, with light time. In a body-fixed frame
    /// the body at the frame's centre is as turned as it is seen to be.
    ///
    /// # Errors
    /// As [`Kernels::geometric`] and [`Kernels::turn_to`].
    pub fn state(
        &self,
        target: i32,
        et: f64,
        frame: Frame,
        correction: Correction,
        observer: i32,
    ) -> Result<Apparent> {
        let mut out = if correction.is_none() {
            let state = self.geometric(target, observer, et)?;
            Apparent {
                state,
                light_time: crate::math::vector::norm(state.position) / super::LIGHT,
                light_time_rate: 0.0,
            }
        } else {
            let who = self.observer(observer, et, correction)?;
            seen(|t| self.barycentric(target, t), et, &who, correction)?
        };
        if frame == J2000 {
            return Ok(out);
        }
        let center = self.frame_class(frame)?.1;
        let inertial = matches!(self.frame_class(frame)?.0, super::frames::Class::Inertial);
        let (light_time, rate) = if inertial || correction.is_none() || center == observer {
            (0.0, 0.0)
        } else if center == target {
            (out.light_time, out.light_time_rate)
        } else {
            let plain = correction.without_aberration();
            let c = self.state(center, et, J2000, plain, observer)?;
            (c.light_time, c.light_time_rate)
        };
        let sign = correction.sign();
        let turn = self.turn_to(frame, et + sign * light_time)?;
        let slowed = Turn {
            matrix: turn.matrix,
            rate: turn.rate.map(|row| scale(1.0 + sign * rate, row)),
        };
        out.state = slowed.state(out.state);
        Ok(out)
    }

    /// Name and code of a body, for messages.
    pub(super) fn named(&self, body: i32) -> String {
        format!("{} ({body})", self.body_name(body))
    }

    fn no_state(&self, missing: i32, wanted: i32, et: f64) -> Error {
        let spans = self.coverage(missing);
        let held = if spans.is_empty() {
            "do not hold it at all".to_string()
        } else {
            let shown: Vec<String> = spans
                .iter()
                .take(4)
                .map(|c| format!("{} to {}", calendar(c.start, 0), calendar(c.end, 0)))
                .collect();
            let more = if spans.len() > 4 { ", ..." } else { "" };
            format!("hold it for {}{more} TDB only", shown.join(", "))
        };
        let via = if missing == wanted {
            String::new()
        } else {
            format!(", which {} is given relative to", self.named(wanted))
        };
        let instead = advice::barycentre_instead(missing)
            .filter(|(b, _)| {
                self.chain(*b, et)
                    .is_ok_and(|c| c.last().is_some_and(|s| s.center == 0))
            })
            .map(|(b, km)| {
                format!(
                    "; or take {}, which is there and at most {km} km from its centre",
                    self.named(b)
                )
            })
            .unwrap_or_default();
        Error::reference(format!(
            "no state of {}{via} at {} TDB: the loaded kernels {held}; fetch {}{instead}",
            self.named(missing),
            calendar(et, 0),
            advice::kernel_for(missing)
        ))
    }
}
