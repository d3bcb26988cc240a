//! Planes of the equatorial plane, where rings are.

use super::seen::{RingPoint, sun_from};
use super::surface::{east, graphic_longitude, west};
use super::{Family, Field, Kind, Plane};
use crate::math::vector::norm;
use crate::nav::Aspect;

pub(super) const FAMILY: Family = Family {
    title: "Rings",
    about: "Where the line of sight meets the plane of the equator in front of the observer; those of the navigator also \
            behind the body. The Sun is a point: no penumbra.",
    planes: &[
        Plane {
            name: "DISTANCE_RINGS",
            unit: "km",
            about: "Distance from the centre in the plane; 0 where not met",
            kind: Kind::Navigator,
            of: |f| f.at_ring(|p| p.map_or(0.0, norm)),
        },
        Plane {
            name: "LON_RINGS",
            unit: "deg",
            about: "Longitude (west) in the plane; 360 where not met",
            kind: Kind::Navigator,
            of: |f| f.at_ring(|p| p.map_or(360.0, |p| west(east(p)))),
        },
        Plane {
            name: "RING-RADIUS",
            unit: "km",
            about: "Distance from the centre; NaN where the body is in front",
            kind: Kind::Exact,
            of: |f| f.at_seen_ring(|p| norm(p.place)),
        },
        Plane {
            name: "RING-LON-GRAPHIC",
            unit: "deg",
            about: "Planetographic longitude; NaN where the body is in front",
            kind: Kind::Exact,
            of: |f| f.at_seen_ring(|p| graphic_longitude(f.aspect, p.place)),
        },
        Plane {
            name: "RING-DISTANCE",
            unit: "km",
            about: "Distance from the observer; NaN where the body is in front",
            kind: Kind::Exact,
            of: |f| f.at_seen_ring(|p| p.range),
        },
        Plane {
            name: "RING-SHADOW",
            unit: "",
            about: "1 where the body's shadow is on the plane, else 0",
            kind: Kind::Extra,
            of: |f| f.at_seen_ring(|p| shadowed(f.aspect, p)),
        },
        Plane {
            name: "RING-SHADOW-RADIUS",
            unit: "km",
            about: "Radius at which the Sun's ray to the surface crosses the plane",
            kind: Kind::Extra,
            of: shadow_radius,
        },
    ],
};

/// Whether a point of the plane is in the body's shadow.
fn shadowed(a: &Aspect, p: RingPoint) -> f64 {
    let inside = a.surface().contains(p.place);
    let sun = a.into_body(sun_from(a, p.place, p.delay), p.delay);
    let dark = inside || a.surface().intercept(p.place, sun).is_some();
    f64::from(u8::from(dark))
}

/// For points of the surface that the Sun is up for: where its ray has crossed the plane of the equator; rings there shade the
/// point. NaN where it has not.
fn shadow_radius(f: &Field) -> Vec<f64> {
    let a = f.aspect;
    let both = f.seen().iter().zip(f.seen_light());
    both.map(|(p, light)| {
        let day = light.incidence < std::f64::consts::FRAC_PI_2;
        let sun = a.into_body(sun_from(a, p.place, p.delay), p.delay);
        let way = -p.place[2] / sun[2];
        match day && way > 0.0 && way < 1.0 {
            true => libm::hypot(p.place[0] + way * sun[0], p.place[1] + way * sun[1]),
            false => f64::NAN,
        }
    })
    .collect()
}
