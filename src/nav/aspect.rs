//! How an observer sees a body at one epoch: all that backplanes, limbs and maps need of the kernels.
//!
//! [`Aspect`] is a handful of vectors and matrices, asked for once an image; what depends on the pixel is plain
//! arithmetic on them ([`super::planes`]), with no look into a kernel.

use super::LIGHT;
use super::correction::{Correction, Observer as Motion, seen, shifted};
use super::ellipsoid::Ellipsoid;
use super::frames::J2000;
use super::kernels::Kernels;
use super::spk::State;
use crate::math::vector::{
    Matrix, Vector, add, apply, apply_back, cross, dot, negate, norm, product, scale, sub, sum,
    unit,
};
use crate::{Error, Result};

/// Code of the Sun.
const SUN: i32 = 10;

/// Who looks.
#[derive(Clone, Debug, PartialEq)]
pub enum Observer {
    /// A body or spacecraft whose states are in the kernels.
    Body(i32),
    /// A state about the solar-system barycentre at the epoch, J2000 axes: of a spacecraft whose kernel is not there.
    At(State),
}

/// Geometry of a body as it is seen at one epoch.
///
/// The body's frame is that of its light: turned as it was when the light left its centre. Lengths are km, epochs TDB
/// seconds from J2000.
#[derive(Clone, Debug, PartialEq)]
pub struct Aspect {
    /// NAIF code of the body.
    pub target: i32,
    /// Epoch at the observer.
    pub et: f64,
    /// Aberration correction of positions.
    pub correction: Correction,
    /// Seconds that light takes from the body's centre to the observer (0 where the correction is `NONE`).
    pub light_time: f64,
    /// Body's centre from the observer, J2000 axes, corrected.
    pub position: Vector,
    /// The same without stellar aberration, when the light left the centre.
    pub straight: Vector,
    /// J2000 to the body's frame.
    pub to_body: Matrix,
    /// Observer from the body's centre, body's frame.
    pub observer: Vector,
    /// Sun from the body's centre, body's frame: where it is seen from the body when the light leaves it.
    pub sun: Vector,
    /// The same along J2000 axes.
    pub sun_inertial: Vector,
    /// Radii along the body's axes.
    pub radii: Vector,
    /// 1 for a body that turns forwards, -1 for one that turns backwards.
    pub spin: f64,
    /// Whether planetographic longitude grows to the west.
    pub west: bool,
    /// East longitude (radians) of the Sun at the epoch of the observer, which local solar time counts from.
    pub noon: f64,
    /// The same when the light left the centre.
    pub noon_there: f64,
    /// Velocity of the observer about the solar-system barycentre, J2000 axes, km/s.
    pub observer_velocity: Vector,
    /// Velocity of the body about the solar-system barycentre when its light leaves, J2000 axes, km/s.
    pub target_velocity: Vector,
    /// Its change, km/s2.
    pub target_acceleration: Vector,
    /// Body's frame to J2000: its change (1/s) and the change of that (1/s2).
    pub turning: [Matrix; 2],
    /// Angular velocity, body's frame, rad/s.
    pub whirl: Vector,
    /// Direction of the body's north pole, J2000 axes.
    pub pole: Vector,
    /// Body's centre from the observer and J2000 to the body's frame at the observer's epoch: what a single step of light time
    /// starts from.
    pub now: (Vector, Matrix),
}

impl Aspect {
    /// The geometry of `target` seen by `observer` at `et`.
    ///
    /// # Errors
    /// [`Error::Reference`] where the kernels have no state, no orientation or no radii of the body.
    pub fn new(
        kernels: &Kernels,
        target: i32,
        observer: &Observer,
        et: f64,
        correction: Correction,
    ) -> Result<Self> {
        Self::centred(kernels, target, target, observer, et, correction)
    }

    /// The geometry of `target` with its centre where `centre` is: for a planet whose own centre is not in the kernels, the
    /// barycentre of its system.
    ///
    /// # Errors
    /// As [`Aspect::new`].
    pub fn centred(
        kernels: &Kernels,
        target: i32,
        centre: i32,
        observer: &Observer,
        et: f64,
        correction: Correction,
    ) -> Result<Self> {
        let radii = kernels.ellipsoid(target)?.radii;
        let frame = kernels.body_frame(target);
        let who = match observer {
            Observer::Body(code) => kernels.barycentric(*code, et)?,
            Observer::At(state) => *state,
        };
        let motion = Motion {
            state: who,
            acceleration: [0.0; 3],
        };
        let out = seen(|t| kernels.barycentric(centre, t), et, &motion, correction)?;
        let light_time = match correction.is_none() {
            true => 0.0,
            false => out.light_time,
        };
        let epoch = et + correction.sign() * light_time;
        let to_body = kernels.turn_to(frame, epoch)?;
        let back = to_body.back();
        let rate = |t: f64| -> Result<Matrix> { Ok(kernels.turn_to(frame, t)?.back().rate) };
        let (before, after) = (rate(epoch - 1.0)?, rate(epoch + 1.0)?);
        let times = |m: &Matrix, k: f64| m.map(|row| scale(k, row));
        let position = out.state.position;
        if norm(position) == 0.0 {
            return Err(Error::reference(format!(
                "the kernels put the observer at the centre of {}; load others",
                kernels.named(target)
            )));
        }
        // the body's frame is centred on who sees the Sun: it is turned as it is then
        let sun = |t: f64, c: Correction| -> Result<Vector> {
            Ok(kernels.state(SUN, t, J2000, c, centre)?.state.position)
        };
        let noon = |t: f64, turn: &Matrix| -> Result<f64> {
            let s = apply(turn, sun(t, Correction::LT_S)?);
            Ok(libm::atan2(s[1], s[0]))
        };
        let now = kernels.turn_to(frame, et)?.matrix;
        let there = kernels.barycentric(centre, epoch)?;
        // at the end of a kernel there is none, which is below its errors
        let velocity = |t: f64| kernels.barycentric(centre, t).map(|s| s.velocity);
        let target_acceleration = match (velocity(epoch - 1.0), velocity(epoch + 1.0)) {
            (Ok(a), Ok(b)) => scale(0.5, sub(b, a)),
            _ => [0.0; 3],
        };
        let straight = sub(there.position, who.position);
        let sun_inertial = sun(epoch, correction.without_aberration())?;
        Ok(Self {
            target,
            et,
            correction,
            light_time,
            position,
            straight,
            observer: negate(apply(&to_body.matrix, straight)),
            sun: apply(&to_body.matrix, sun_inertial),
            sun_inertial,
            radii,
            spin: kernels.spin(target).unwrap_or(0.0).signum(),
            west: kernels.west_positive(target),
            noon: noon(et, &now)?,
            noon_there: noon(epoch, &to_body.matrix)?,
            observer_velocity: who.velocity,
            target_velocity: there.velocity,
            target_acceleration,
            turning: [back.rate, sum(&times(&after, 0.5), &times(&before, -0.5))],
            whirl: whirl(&to_body.matrix, &back.rate),
            pole: unit(apply_back(&to_body.matrix, [0.0, 0.0, 1.0])),
            now: (
                sub(kernels.barycentric(centre, et)?.position, who.position),
                now,
            ),
            to_body: to_body.matrix,
        })
    }

    /// The same of the surface that lies `altitude` km above the body's (negative: below): the polar radius grows by it, the
    /// others by as much more as their radius is greater.
    ///
    /// # Errors
    /// [`Error::Parameter`] where nothing is left of the body.
    pub fn raised(mut self, altitude: f64) -> Result<Self> {
        let [a, b, c] = self.radii;
        self.radii = [a + altitude * b / c, b + altitude * b / c, c + altitude];
        match self.radii.iter().all(|r| r.is_finite() && *r > 0.0) {
            true => Ok(self),
            false => Err(Error::parameter(format!(
                "an altitude of {altitude} km leaves nothing of a body of {a} x {b} x {c} km"
            ))),
        }
    }

    /// The body's surface.
    #[must_use]
    pub fn surface(&self) -> Ellipsoid {
        Ellipsoid { radii: self.radii }
    }

    /// Distance of the body's centre, km.
    #[must_use]
    pub fn distance(&self) -> f64 {
        norm(self.position)
    }

    /// Right ascension and declination of the body's centre, degrees.
    #[must_use]
    pub fn centre(&self) -> [f64; 2] {
        let [x, y, z] = self.position;
        let ra = libm::atan2(y, x).to_degrees();
        [
            if ra < 0.0 { ra + 360.0 } else { ra },
            libm::atan2(z, libm::hypot(x, y)).to_degrees(),
        ]
    }

    /// Diameter of the equator as it is seen, arcseconds.
    #[must_use]
    pub fn diameter(&self) -> f64 {
        2.0 * libm::asin((self.radii[0] / self.distance()).min(1.0)).to_degrees() * 3600.0
    }

    /// Direction of sight (length 1, body's frame, without stellar aberration) towards right ascension and declination in
    /// degrees.
    #[must_use]
    pub fn look(&self, ra: f64, dec: f64) -> Vector {
        apply(&self.to_body, self.unaberrated(direction(ra, dec)))
    }

    /// Position angle of the body's north pole (degrees, from north to east) on the sky.
    #[must_use]
    pub fn north_angle(&self) -> f64 {
        let [ra, dec] = self.centre().map(f64::to_radians);
        let ((sa, ca), (sd, cd)) = (libm::sincos(ra), libm::sincos(dec));
        let east = dot(self.pole, [-sa, ca, 0.0]);
        let north = dot(self.pole, [-sd * ca, -sd * sa, cd]);
        libm::atan2(east, north).to_degrees()
    }
    /// Body's centre from the observer `t` seconds after the light left it, J2000 axes.
    #[must_use]
    pub fn centre_at(&self, t: f64) -> Vector {
        let bent = add(
            self.target_velocity,
            scale(0.5 * t, self.target_acceleration),
        );
        add(self.straight, scale(t, bent))
    }

    /// Velocity of the body about the solar-system barycentre then, J2000 axes, km/s.
    #[must_use]
    pub fn velocity_at(&self, t: f64) -> Vector {
        add(self.target_velocity, scale(t, self.target_acceleration))
    }

    /// Components in the body's frame, as it is turned `t` seconds after the light left its centre, of a vector along J2000
    /// axes.
    #[must_use]
    pub fn into_body(&self, v: Vector, t: f64) -> Vector {
        about(self.whirl, -t, apply(&self.to_body, v))
    }

    /// The way back.
    #[must_use]
    pub fn from_body(&self, v: Vector, t: f64) -> Vector {
        apply_back(&self.to_body, about(self.whirl, t, v))
    }

    /// The direction that is seen as `d` (length 1, J2000 axes) because the observer moves: itself without stellar aberration.
    #[must_use]
    pub fn unaberrated(&self, d: Vector) -> Vector {
        if !self.correction.has_aberration() {
            return d;
        }
        let mut out = d;
        for _ in 0..6 {
            out = unit(sub(d, sub(self.aberrated(out), out)));
        }
        out
    }

    /// What a vector from the observer is seen as because the observer moves.
    #[must_use]
    pub fn aberrated(&self, v: Vector) -> Vector {
        match self.correction.has_aberration() {
            true => shifted(v, self.observer_velocity, false),
            false => v,
        }
    }

    /// Seconds after the light of the centre that the light leaves what is `range` km away.
    #[must_use]
    pub fn delay(&self, range: f64) -> f64 {
        match self.correction.is_none() {
            true => 0.0,
            false => self.correction.sign() * (range / LIGHT - self.light_time),
        }
    }

    /// A point of the body (km, its frame) as it is seen from the observer, J2000 axes, and its delay.
    #[must_use]
    pub fn apparent(&self, point: Vector) -> (Vector, f64) {
        let mut t = 0.0;
        let place = |t: f64| add(self.centre_at(t), self.from_body(point, t));
        for _ in 0..self.correction.steps().min(6) {
            t = self.delay(norm(place(t)));
        }
        (self.aberrated(place(t)), t)
    }
}

/// Direction (length 1, J2000 axes) by right ascension and declination in degrees.
#[must_use]
pub fn direction(ra: f64, dec: f64) -> Vector {
    let (sa, ca) = libm::sincos(ra.to_radians());
    let (sd, cd) = libm::sincos(dec.to_radians());
    [cd * ca, cd * sa, sd]
}

/// Angular velocity in a frame, by the rotation to it and the change of the rotation from it.
fn whirl(to: &Matrix, rate: &Matrix) -> Vector {
    // the change of a rotation B is B times the cross product with the angular velocity
    let w = product(to, rate);
    [
        0.5 * (w[2][1] - w[1][2]),
        0.5 * (w[0][2] - w[2][0]),
        0.5 * (w[1][0] - w[0][1]),
    ]
}

/// A vector turned for `t` seconds with an angular velocity.
pub(super) fn about(whirl: Vector, t: f64, v: Vector) -> Vector {
    let square = t * t * dot(whirl, whirl);
    if square == 0.0 {
        return v;
    }
    // sine over the angle, and 1 less the cosine over its square
    let (s, less) = match square < 1e-4 {
        // what is left out is below the last bit
        true => (
            1.0 - square / 6.0 * (1.0 - square / 20.0 * (1.0 - square / 42.0)),
            0.5 - square / 24.0 * (1.0 - square / 30.0 * (1.0 - square / 56.0)),
        ),
        false => {
            let angle = square.sqrt();
            let half = libm::sin(0.5 * angle);
            (libm::sin(angle) / angle, 2.0 * half * half / square)
        }
    };
    let turn = scale(t, whirl);
    let across = cross(turn, v);
    add(v, add(scale(s, across), scale(less, cross(turn, across))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_turns_are_turns() {
        let v = [1.0, -2.0, 0.5];
        let axis = unit([0.3, -0.2, 0.9]);
        for angle in [1e-9, 1e-4, 0.009_999, 0.010_001, 1.3] {
            let got = about(axis, angle, v);
            let (s, c) = libm::sincos(angle);
            let along = scale(dot(axis, v) * (1.0 - c), axis);
            let want = add(add(scale(c, v), scale(s, cross(axis, v))), along);
            assert!(norm(sub(got, want)) < 1e-15, "{angle}");
        }
        assert_eq!(about([0.0; 3], 5.0, v), v);
    }
}
