//! What an observer sees: light time and stellar aberration.
//!
//! Light that arrives at the observer at `et` left the target a light time before; `LT` takes one step
//! of that (good to (v/c)^2), `CN` iterates to the end. `+S` adds the aberration by the observer's
//! own motion about the solar-system barycentre. The `X` forms are for signals sent at `et`.
//! Velocities are the derivatives of what is seen: they contain the rates of light time and aberration.

use std::str::FromStr;

use super::spk::State;
use super::{LIGHT, spk};
use crate::math::vector::{Vector, add, dot, norm, scale, sub};
use crate::{Error, Result};

/// Which corrections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Correction {
    light: Light,
    /// Aberration.
    stellar: bool,
    /// Light goes from the observer to the target.
    sent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Light {
    None,
    Once,
    Converged,
}

impl Correction {
    /// Geometry at one instant.
    pub const NONE: Self = Self::new(Light::None, false, false);
    /// One step of light time.
    pub const LT: Self = Self::new(Light::Once, false, false);
    /// Converged light time.
    pub const CN: Self = Self::new(Light::Converged, false, false);
    /// One step of light time, stellar aberration.
    pub const LT_S: Self = Self::new(Light::Once, true, false);
    /// Converged light time, stellar aberration.
    pub const CN_S: Self = Self::new(Light::Converged, true, false);
    /// As [`Correction::LT`], signal sent.
    pub const XLT: Self = Self::new(Light::Once, false, true);
    /// As [`Correction::CN`], signal sent.
    pub const XCN: Self = Self::new(Light::Converged, false, true);
    /// As [`Correction::LT_S`], signal sent.
    pub const XLT_S: Self = Self::new(Light::Once, true, true);
    /// As [`Correction::CN_S`], signal sent.
    pub const XCN_S: Self = Self::new(Light::Converged, true, true);

    const fn new(light: Light, stellar: bool, sent: bool) -> Self {
        Self {
            light,
            stellar,
            sent,
        }
    }

    /// Whether light takes no time.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.light == Light::None
    }

    /// The same without aberration.
    #[must_use]
    pub fn without_aberration(self) -> Self {
        Self {
            stellar: false,
            ..self
        }
    }

    /// Whether aberration is included.
    #[must_use]
    pub fn has_aberration(self) -> bool {
        self.stellar
    }

    /// -1 for light received, 1 for light sent.
    pub(super) fn sign(self) -> f64 {
        if self.sent { 1.0 } else { -1.0 }
    }

    /// Most light-time steps.
    pub(super) fn steps(self) -> usize {
        match self.light {
            Light::None => 0,
            Light::Once => 1,
            Light::Converged => 10,
        }
    }
}

impl FromStr for Correction {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let plain: String = text.split_whitespace().collect();
        Ok(match plain.to_ascii_uppercase().as_str() {
            "NONE" => Self::NONE,
            "LT" => Self::LT,
            "CN" => Self::CN,
            "LT+S" => Self::LT_S,
            "CN+S" => Self::CN_S,
            "XLT" => Self::XLT,
            "XCN" => Self::XCN,
            "XLT+S" => Self::XLT_S,
            "XCN+S" => Self::XCN_S,
            _ => {
                return Err(Error::parameter(format!(
                    "{text:?} is no aberration correction; give NONE, LT, LT+S, CN, CN+S, XLT, XLT+S, \
                     XCN or XCN+S"
                )));
            }
        })
    }
}

/// A corrected state and the light time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Apparent {
    /// Target relative to observer, km and km/s.
    pub state: spk::State,
    /// One-way light time, s.
    pub light_time: f64,
    /// Its rate, s/s (0 without correction).
    pub light_time_rate: f64,
}

/// The observer: its state about the solar-system barycentre (J2000), and its acceleration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Observer {
    pub(super) state: State,
    pub(super) acceleration: Vector,
}

/// State of a target seen at `et` by an observer, J2000 axes. `target` gives the target's state about
/// the solar-system barycentre at any epoch.
pub(super) fn seen(
    target: impl Fn(f64) -> Result<State>,
    et: f64,
    observer: &Observer,
    correction: Correction,
) -> Result<Apparent> {
    let sign = correction.sign();
    let mut at = target(et)?;
    let mut light_time = norm(sub(at.position, observer.state.position)) / LIGHT;
    for _ in 0..correction.steps() {
        at = target(et + sign * light_time)?;
        let next = norm(sub(at.position, observer.state.position)) / LIGHT;
        let moved = (next - light_time).abs();
        light_time = next;
        // below the last bit of the epoch nothing can change
        if moved <= 1e-17 * et.abs().max(1.0) {
            break;
        }
    }
    let relative = at.minus(observer.state);
    if correction.is_none() || light_time == 0.0 {
        return Ok(Apparent {
            state: relative,
            light_time,
            light_time_rate: 0.0,
        });
    }
    // the target is seen at et + sign * lt, so its velocity counts 1 + sign * dlt times
    let along = scale(1.0 / (light_time * LIGHT), relative.position);
    let rate =
        dot(along, relative.velocity) / LIGHT / (1.0 - sign * dot(along, at.velocity) / LIGHT);
    let mut state = State {
        position: relative.position,
        velocity: add(relative.velocity, scale(sign * rate, at.velocity)),
    };
    if correction.has_aberration() {
        state = aberrated(state, observer, correction.sent);
    }
    Ok(Apparent {
        state,
        light_time,
        light_time_rate: rate,
    })
}

/// Position shifted by the observer's velocity: the direction turns towards it by an angle whose sine
/// is the part of v/c across the direction. Away from it for light sent.
pub(super) fn shifted(position: Vector, velocity: Vector, sent: bool) -> Vector {
    let distance = norm(position);
    if distance == 0.0 {
        return position;
    }
    let v = scale(if sent { -1.0 } else { 1.0 } / LIGHT, velocity);
    let u = scale(1.0 / distance, position);
    let across = sub(v, scale(dot(v, u), u));
    let cosine = (1.0 - dot(across, across)).max(0.0).sqrt();
    scale(distance, add(scale(cosine, u), across))
}

/// [`shifted`] with its derivative.
fn aberrated(s: State, observer: &Observer, sent: bool) -> State {
    let distance = norm(s.position);
    let k = if sent { -1.0 } else { 1.0 } / LIGHT;
    let (v, a) = (
        scale(k, observer.state.velocity),
        scale(k, observer.acceleration),
    );
    let u = scale(1.0 / distance, s.position);
    let growth = dot(u, s.velocity);
    let du = scale(1.0 / distance, sub(s.velocity, scale(growth, u)));
    let along = dot(v, u);
    let across = sub(v, scale(along, u));
    let along_rate = dot(a, u) + dot(v, du);
    let across_rate = sub(a, add(scale(along_rate, u), scale(along, du)));
    let cosine = (1.0 - dot(across, across)).max(f64::MIN_POSITIVE).sqrt();
    let cosine_rate = -dot(across, across_rate) / cosine;
    let direction = add(scale(cosine, u), across);
    let turning = add(add(scale(cosine_rate, u), scale(cosine, du)), across_rate);
    State {
        position: shifted(s.position, observer.state.velocity, sent),
        velocity: add(scale(growth, direction), scale(distance, turning)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_corrections() {
        for (text, c) in [
            ("none", Correction::NONE),
            ("CN + S", Correction::CN_S),
            ("XLT+S", Correction::XLT_S),
        ] {
            assert_eq!(text.parse::<Correction>().expect(text), c);
        }
        assert!("LT+Q".parse::<Correction>().is_err());
    }

    /// The velocity that is given is the derivative of the position that is given.
    #[test]
    fn velocities_are_derivatives() {
        let target = |t: f64| -> Result<State> {
            Ok(State::new([
                4e8 + 10.0 * t,
                3e8 - 5.0 * t,
                1e8 + 20.0 * t,
                10.0,
                -5.0,
                20.0,
            ]))
        };
        let acceleration = [1e-5, -2e-5, 3e-6];
        let observer = |t: f64| {
            let v = add([-20.0, 15.0, 7.0], scale(t, acceleration));
            let p = add(
                scale(t, [-20.0, 15.0, 7.0]),
                scale(t * t / 2.0, acceleration),
            );
            Observer {
                state: State {
                    position: p,
                    velocity: v,
                },
                acceleration,
            }
        };
        for c in [
            "NONE", "LT", "CN", "LT+S", "CN+S", "XLT", "XLT+S", "XCN", "XCN+S",
        ] {
            let c: Correction = c.parse().expect("known");
            let at = |t: f64| seen(target, t, &observer(t), c).expect("seen");
            let h = 100.0;
            let slope = scale(0.5 / h, sub(at(h).state.position, at(-h).state.position));
            let off = norm(sub(slope, at(0.0).state.velocity));
            let limit = if c.steps() == 1 { 1e-6 } else { 1e-8 };
            assert!(off < limit, "{c:?} {off}");
            let dlt = (at(h).light_time - at(-h).light_time) / (2.0 * h);
            assert!(
                c.is_none() || (dlt - at(0.0).light_time_rate).abs() < 1e-10,
                "{c:?}"
            );
        }
    }
}
