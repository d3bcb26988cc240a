//! Planes of places on the surface: latitudes, longitudes, local time.

use std::f64::consts::TAU;

use super::{Family, Field, Kind, Plane};
use crate::math::vector::Vector;
use crate::nav::Aspect;

pub(super) const FAMILY: Family = Family {
    title: "Surface",
    about: "Where the line of sight first meets the body's ellipsoid; NaN off the disc. Those of `all` have light time to the point.",
    planes: &[
        Plane {
            name: "LAT",
            unit: "deg",
            about: "Planetocentric latitude",
            kind: Kind::Navigator,
            of: |f| f.on_surface(|p| centric(p).to_degrees()),
        },
        Plane {
            name: "LON",
            unit: "deg",
            about: "Longitude, positive to the west, in (0, 360]",
            kind: Kind::Navigator,
            of: |f| f.on_surface(|p| west(east(p))),
        },
        Plane {
            name: "LAT_GRAPHIC",
            unit: "deg",
            about: "Planetographic latitude",
            kind: Kind::Navigator,
            of: |f| f.on_surface(|p| graphic(f, p).to_degrees()),
        },
        Plane {
            name: "LOCALTIME",
            unit: "h",
            about: "Local solar time, to the second",
            kind: Kind::Navigator,
            of: |f| f.on_surface(|p| local_time(f, east(p), f.aspect.noon)),
        },
        Plane {
            name: "LON-GRAPHIC",
            unit: "deg",
            about: "Planetographic longitude, in [0, 360)",
            kind: Kind::Exact,
            of: |f| {
                f.seen_east()
                    .iter()
                    .map(|e| to_side(f.aspect, *e))
                    .collect()
            },
        },
        Plane {
            name: "LAT-GRAPHIC",
            unit: "deg",
            about: "Planetographic latitude",
            kind: Kind::Exact,
            of: |f| f.on_seen(|p| graphic(f, p).to_degrees()),
        },
        Plane {
            name: "LON-CENTRIC",
            unit: "deg",
            about: "Planetocentric longitude, east, in (-180, 180]",
            kind: Kind::Exact,
            of: |f| f.seen_east().iter().map(|e| e.to_degrees()).collect(),
        },
        Plane {
            name: "LAT-CENTRIC",
            unit: "deg",
            about: "Planetocentric latitude",
            kind: Kind::Exact,
            of: |f| f.on_seen(|p| centric(p).to_degrees()),
        },
        Plane {
            name: "LOCAL-SOLAR-TIME",
            unit: "h",
            about: "Local solar time when the light left, to the second",
            kind: Kind::Exact,
            of: |f| {
                let all = f.seen_east().iter();
                all.map(|e| local_time(f, *e, f.aspect.noon_there))
                    .collect()
            },
        },
        Plane {
            name: "DISTANCE",
            unit: "km",
            about: "Distance from the observer",
            kind: Kind::Exact,
            of: |f| f.seen_state().iter().map(|s| s[0]).collect(),
        },
    ],
};

/// East longitude, radians.
pub(super) fn east(p: Vector) -> f64 {
    libm::atan2(p[1], p[0])
}

/// Degrees west in (0, 360] of an east longitude in radians.
pub(super) fn west(lon: f64) -> f64 {
    360.0 - lon.to_degrees().rem_euclid(360.0)
}

/// Planetographic longitude in [0, 360) degrees, to the side the body's custom is.
pub(super) fn graphic_longitude(a: &Aspect, p: Vector) -> f64 {
    to_side(a, east(p))
}

/// The same of an east longitude in radians.
pub(super) fn to_side(a: &Aspect, east: f64) -> f64 {
    let lon = if a.west { -east } else { east };
    let lon = lon.to_degrees();
    let lon = if lon < 0.0 { lon + 360.0 } else { lon };
    if lon >= 360.0 { 0.0 } else { lon }
}

/// Distance from the axis.
fn across(p: Vector) -> f64 {
    (p[0] * p[0] + p[1] * p[1]).sqrt()
}

/// Planetocentric latitude, radians.
pub(super) fn centric(p: Vector) -> f64 {
    libm::atan2(p[2], across(p))
}

/// Planetographic latitude (radians) on the spheroid of the first and third radii, which a triaxial body's surface is not on.
pub(super) fn graphic(f: &Field, p: Vector) -> f64 {
    let [a, b, c] = f.aspect.radii;
    let flat = (a - c) / a;
    let e2 = flat * (2.0 - flat);
    let across = across(p);
    // exact for a point of the spheroid; each round gains a factor of e2 times the height
    let mut lat = libm::atan2(p[2], across * (1.0 - e2));
    if a == b {
        return lat;
    }
    for _ in 0..20 {
        let s = libm::sin(lat);
        let n = a / (1.0 - e2 * s * s).sqrt();
        let next = libm::atan2(p[2] + e2 * n * s, across);
        let moved = (next - lat).abs();
        lat = next;
        if moved < 1e-15 {
            break;
        }
    }
    lat
}

/// Local solar time in hours, cut to a second as SPICE's clock is.
pub(super) fn local_time(f: &Field, east: f64, noon: f64) -> f64 {
    let turn = f.aspect.spin * (east - noon) / TAU + 0.5;
    let seconds = (turn.rem_euclid(1.0) * 86_400.0).floor();
    let (h, rest) = ((seconds / 3600.0).floor(), seconds % 3600.0);
    h + (rest / 60.0).floor() / 60.0 + (rest % 60.0) / 3600.0
}
