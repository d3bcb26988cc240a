//! A body as it is drawn: its shape, how it is turned, and where it is seen from.
//!
//! A [`Globe`] is what lines on a body need of an [`Aspect`]. It is also had from the cards of a navigated file alone
//! ([`Globe::recorded`]), so that a picture shows the geometry that its backplanes were made with, and no ephemeris is needed. Stellar
//! aberration is in the position of the centre; what it changes across a disc (1e-4 of its size) is left out.

use crate::Result;
use crate::formats::fits::Header;
use crate::math::vector::{Matrix, Vector, apply, apply_back, dot, negate, norm, scale, sub, unit};
use crate::nav::ellipsoid::{Ellipsoid, LonLat};
use crate::nav::{Aspect, Kernels, LIGHT, direction};

/// Distance of the Sun (km) where only its direction is known.
const FAR: f64 = 1e10;

/// A body seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Globe {
    /// NAIF code.
    pub target: i32,
    /// Radii along the body's axes, km.
    pub radii: Vector,
    /// J2000 to the body's axes.
    pub to_body: Matrix,
    /// Observer from the body's centre, body's axes, km.
    pub observer: Vector,
    /// Sun from the body's centre, body's axes, km.
    pub sun: Vector,
    /// Whether planetographic longitude grows to the west.
    pub west: bool,
}

impl Globe {
    /// The body of an aspect.
    #[must_use]
    pub fn of_aspect(a: &Aspect) -> Self {
        Self {
            target: a.target,
            radii: a.radii,
            to_body: a.to_body,
            observer: negate(apply(&a.to_body, a.position)),
            sun: a.sun,
            west: a.west,
        }
    }

    /// The body by the NAV cards that `sifu navigate` wrote; the kernels give its radii and how it turns, for which the built-in ones
    /// will do. None where the cards are not all there.
    ///
    /// # Errors
    /// [`crate::Error::Reference`] where the kernels do not know how the body turns.
    pub fn recorded(primary: &Header, kernels: &Kernels) -> Result<Option<Self>> {
        let number = |name: &str| {
            let value = primary.f64(&format!("NAV {name}"));
            value.filter(|v| v.is_finite())
        };
        let target = primary.i64("NAV TARGET-ID").map(i32::try_from);
        let (Some(Ok(target)), Some(et), Some(ra), Some(dec), Some(distance)) = (
            target,
            number("ET"),
            number("TARGET RA"),
            number("TARGET DEC"),
            number("DISTANCE"),
        ) else {
            return Ok(None);
        };
        let (Some(lon), Some(lat), Some(radii)) = (
            number("SUBSOL LON"),
            number("SUBSOL LAT"),
            kernels.radii(target),
        ) else {
            return Ok(None);
        };
        let still = primary
            .str("NAV ABCORR")
            .is_some_and(|c| c.trim() == "NONE");
        let epoch = if still { et } else { et - distance / LIGHT };
        let to_body = kernels.turn_to(kernels.body_frame(target), epoch)?.matrix;
        let west = kernels.west_positive(target);
        // as the surface was raised
        let (km, [a, b, c]) = (number("ALTITUDE").unwrap_or(0.0), radii);
        let radii = [a + km * b / c, b + km * b / c, c + km];
        let beneath = LonLat {
            lon: lon.to_radians(),
            lat: lat.to_radians(),
            height: 0.0,
        };
        let surface = Ellipsoid { radii };
        Ok(Some(Self {
            target,
            radii,
            observer: scale(-distance, apply(&to_body, direction(ra, dec))),
            to_body,
            sun: scale(FAR, unit(surface.from_planetographic(beneath, west))),
            west,
        }))
    }

    /// The surface.
    #[must_use]
    pub fn surface(&self) -> Ellipsoid {
        Ellipsoid { radii: self.radii }
    }

    /// Direction (J2000 axes) in which a point of the body's axes is seen.
    #[must_use]
    pub fn towards(&self, point: Vector) -> Vector {
        apply_back(&self.to_body, sub(point, self.observer))
    }

    /// Direction of the body's centre, J2000 axes.
    #[must_use]
    pub fn centre(&self) -> Vector {
        self.towards([0.0; 3])
    }

    /// Where a line of sight (right ascension and declination, degrees) meets the surface, body's axes.
    #[must_use]
    pub fn meet(&self, ra: f64, dec: f64) -> Option<Vector> {
        let sight = apply(&self.to_body, direction(ra, dec));
        self.surface().intercept(self.observer, sight)
    }

    /// Height (km) above the surface, along the radius, of the point of a line of sight (right ascension and declination, degrees) that
    /// is nearest to the centre; negative on the disc.
    #[must_use]
    pub fn height(&self, ra: f64, dec: f64) -> f64 {
        let sight = apply(&self.to_body, direction(ra, dec));
        let foot = sub(self.observer, scale(dot(self.observer, sight), sight));
        let r = self.radii;
        let far = norm(foot);
        far - far / norm([foot[0] / r[0], foot[1] / r[1], foot[2] / r[2]])
    }

    /// Diameter of the equator as it is seen, arcsec.
    #[must_use]
    pub fn diameter(&self) -> f64 {
        2.0 * libm::asin((self.radii[0] / norm(self.observer)).min(1.0)).to_degrees() * 3600.0
    }

    /// Planetographic longitude and latitude (degrees) of the point of the surface below the observer.
    #[must_use]
    pub fn below_observer(&self) -> [f64; 2] {
        let at = self
            .surface()
            .beneath(self.observer)
            .map(|p| self.surface().planetographic(p, self.west));
        at.map_or([f64::NAN; 2], |p| [p.lon.to_degrees(), p.lat.to_degrees()])
    }

    /// How far a surface point is on this side of the plane of points that touch lines of sight to `from`: above 0 where it faces
    /// that place.
    #[must_use]
    pub fn faces(&self, point: Vector, from: Vector) -> f64 {
        let r = self.radii;
        let squared = [0, 1, 2].map(|k| point[k] / (r[k] * r[k]));
        dot(squared, from) - 1.0
    }
}
