//! How an observer sees a body at one epoch: all that backplanes, limbs and maps need of the kernels.
//!
//! [`Aspect`] is a handful of vectors and matrices, asked for once an image; what depends on the pixel is plain
//! arithmetic on them ([`super::planes`]), with no look into a kernel.

use super::correction::{Correction, Observer as Motion, seen};
use super::ellipsoid::Ellipsoid;
use super::frames::J2000;
use super::kernels::Kernels;
use super::spk::State;
use crate::math::vector::{Matrix, Vector, apply, apply_back, dot, negate, norm, scale, sum, unit};
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
    /// J2000 to the body's frame.
    pub to_body: Matrix,
    /// Observer from the body's centre, body's frame.
    pub observer: Vector,
    /// Sun from the body's centre, body's frame: where it is seen from the body when the light leaves it.
    pub sun: Vector,
    /// Radii along the body's axes.
    pub radii: Vector,
    /// 1 for a body that turns forwards, -1 for one that turns backwards.
    pub spin: f64,
    /// Whether planetographic longitude grows to the west.
    pub west: bool,
    /// East longitude (radians) of the Sun at the epoch of the observer, which local solar time counts from.
    pub noon: f64,
    /// Velocity of the observer about the solar-system barycentre, J2000 axes, km/s.
    pub observer_velocity: Vector,
    /// Velocity of the body about the solar-system barycentre when its light leaves, J2000 axes, km/s.
    pub target_velocity: Vector,
    /// Body's frame to J2000: its change (1/s) and the change of that (1/s2).
    pub turning: [Matrix; 2],
    /// Direction of the body's north pole, J2000 axes.
    pub pole: Vector,
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
        let sun = |t: f64, turn: &Matrix, c: Correction| -> Result<Vector> {
            let seen = kernels.state(SUN, t, J2000, c, centre)?;
            Ok(apply(turn, seen.state.position))
        };
        let now = kernels.turn_to(frame, et)?.matrix;
        let noon = sun(et, &now, Correction::LT_S)?;
        Ok(Self {
            target,
            et,
            correction,
            light_time,
            position,
            observer: negate(apply(&to_body.matrix, position)),
            sun: sun(epoch, &to_body.matrix, correction)?,
            to_body: to_body.matrix,
            radii,
            spin: kernels.spin(target).unwrap_or(0.0).signum(),
            west: kernels.west_positive(target),
            noon: libm::atan2(noon[1], noon[0]),
            observer_velocity: who.velocity,
            target_velocity: kernels.barycentric(centre, epoch)?.velocity,
            turning: [back.rate, sum(&times(&after, 0.5), &times(&before, -0.5))],
            pole: unit(apply_back(&to_body.matrix, [0.0, 0.0, 1.0])),
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

    /// Direction of sight (length 1, body's frame) towards right ascension and declination in degrees.
    #[must_use]
    pub fn look(&self, ra: f64, dec: f64) -> Vector {
        let (sa, ca) = libm::sincos(ra.to_radians());
        let (sd, cd) = libm::sincos(dec.to_radians());
        apply(&self.to_body, [cd * ca, cd * sa, sd])
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
}
