//! Points on a body as an observer sees them: below the observer, below the Sun, and any fixed one.
//!
//! Light from a point of the surface leaves later than light from the centre would; the epoch of the body's
//! position and turn is that of the point's own light. Aberration shifts the body by what it is at the
//! point.

use super::LIGHT;
use super::correction::{Apparent, Correction, seen, shifted};
use super::ellipsoid::Ellipsoid;
use super::frames::{Frame, J2000, Turn};
use super::kernels::Kernels;
use super::spk::State;
use crate::math::vector::{Vector, add, apply, apply_back, negate, norm, sub};
use crate::{Error, Result};

/// Which point is beneath an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SurfaceMethod {
    /// Where the line to the centre meets the surface.
    Intercept,
    /// The nearest one.
    Near,
}

/// A point beneath an object, in the body's frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SubPoint {
    /// The point, km.
    pub point: Vector,
    /// Epoch at the body.
    pub epoch: f64,
    /// From the observer to the point, in the body's frame at that epoch, km.
    pub from_observer: Vector,
}

impl Kernels {
    /// The surface of a body.
    pub(super) fn ellipsoid(&self, body: i32) -> Result<Ellipsoid> {
        let radii = self.radii(body).ok_or_else(|| {
            Error::reference(format!(
                "the loaded kernels have no radii of {} (BODY{body}_RADII); load a constants kernel \
                 (pck00011.tpc) that has them",
                self.named(body)
            ))
        })?;
        Ok(Ellipsoid { radii })
    }

    /// The point of `body` beneath `observer` at `et`; `frame` is fixed to the body.
    ///
    /// # Errors
    /// As [`Kernels::state`]; without radii.
    pub fn sub_observer(
        &self,
        body: i32,
        et: f64,
        frame: Frame,
        method: SurfaceMethod,
        correction: Correction,
        observer: i32,
    ) -> Result<SubPoint> {
        self.beneath(
            body,
            et,
            frame,
            correction,
            observer,
            |shape, _, seen_from| Ok(under(shape, seen_from, method)),
        )
    }

    /// The point of `body` beneath the Sun as light that reaches `observer` at `et` left it.
    ///
    /// # Errors
    /// As [`Kernels::state`]; without radii.
    pub fn sub_solar(
        &self,
        body: i32,
        et: f64,
        frame: Frame,
        method: SurfaceMethod,
        correction: Correction,
        observer: i32,
    ) -> Result<SubPoint> {
        let center = et
            + correction.sign()
                * self
                    .state(body, et, J2000, correction, observer)?
                    .light_time;
        self.beneath(body, et, frame, correction, observer, |shape, epoch, _| {
            // with aberration SPICE takes about the turn of the body when light left its centre (0.2 s
            // earlier, 2 km at Jupiter), and so do we
            let at = if correction.has_aberration() {
                center
            } else {
                epoch
            };
            let sun = self.state(10, at, frame, correction, body)?;
            Ok(under(shape, sun.state.position, method))
        })
    }

    /// A point that `place` gives for the ellipsoid, an epoch at the body, and the observer's position in
    /// the body's frame then; light time and aberration to that point.
    fn beneath(
        &self,
        body: i32,
        et: f64,
        frame: Frame,
        correction: Correction,
        observer: i32,
        place: impl Fn(Ellipsoid, f64, Vector) -> Result<Option<Vector>>,
    ) -> Result<SubPoint> {
        let shape = self.ellipsoid(body)?;
        let inside = || {
            Error::reference(format!(
                "nothing is beneath the centre of {}: the kernels put observer and body at one place",
                self.named(body)
            ))
        };
        let sign = correction.sign();
        let who = self.observer(observer, et, Correction::NONE)?.state;
        // the observer from the body, the body's turn, and the point, for an epoch at the body and the
        // body's place relative to the observer
        let look = |epoch: f64, at: Vector| -> Result<(Vector, Turn, Vector)> {
            let turn = self.turn_to(frame, epoch)?;
            let seen_from = negate(apply(&turn.matrix, at));
            let point = place(shape, epoch, seen_from)?.ok_or_else(inside)?;
            Ok((seen_from, turn, point))
        };
        // begin with the light of the centre
        let first = self.state(body, et, J2000, correction, observer)?;
        let mut epoch = if correction.is_none() {
            et
        } else {
            et + sign * first.light_time
        };
        let (mut seen_from, mut turn, mut point) = look(epoch, first.state.position)?;
        if !correction.is_none() {
            epoch = et + sign * norm(sub(point, seen_from)) / LIGHT;
        }
        let mut shift = [0.0; 3];
        for _ in 0..correction.steps() {
            let at = sub(self.barycentric(body, epoch)?.position, who.position);
            if correction.has_aberration() {
                let straight = add(at, apply_back(&turn.matrix, point));
                shift = sub(shifted(straight, who.velocity, sign > 0.0), straight);
            }
            (seen_from, turn, point) = look(epoch, add(at, shift))?;
            let next = et + sign * norm(sub(point, seen_from)) / LIGHT;
            let moved = (next - epoch).abs();
            epoch = next;
            if moved <= 1e-17 * et.abs().max(1.0) {
                break;
            }
        }
        Ok(SubPoint {
            point,
            epoch,
            from_observer: sub(point, seen_from),
        })
    }

    /// State, J2000 axes, of a point fixed in `frame` at `point` (km) about `body`, as `observer` sees it at
    /// `et`: its velocity has the body's turning, and the light time is to the point.
    ///
    /// # Errors
    /// As [`Kernels::state`].
    pub fn point_state(
        &self,
        body: i32,
        frame: Frame,
        point: Vector,
        et: f64,
        correction: Correction,
        observer: i32,
    ) -> Result<Apparent> {
        let fixed = |t: f64| -> Result<State> {
            let back = self.turn_to(frame, t)?.back();
            Ok(State {
                position: apply(&back.matrix, point),
                velocity: apply(&back.rate, point),
            })
        };
        if correction.is_none() {
            let state = self.geometric(body, observer, et)?.plus(fixed(et)?);
            return Ok(Apparent {
                state,
                light_time: norm(state.position) / LIGHT,
                light_time_rate: 0.0,
            });
        }
        let who = self.observer(observer, et, correction)?;
        let target = |t: f64| Ok(self.barycentric(body, t)?.plus(fixed(t)?));
        seen(target, et, &who, correction)
    }
}

fn under(shape: Ellipsoid, object: Vector, method: SurfaceMethod) -> Option<Vector> {
    match method {
        SurfaceMethod::Intercept => shape.beneath(object),
        SurfaceMethod::Near => shape.nearest(object).map(|n| n.0),
    }
}
