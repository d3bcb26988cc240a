//! Planes of angles of illumination and sight.

use std::f64::consts::PI;

use super::seen::Light;
use super::{Family, Kind, Plane};

pub(super) const FAMILY: Family = Family {
    title: "Angles",
    about: "At the point of the surface; NaN off the disc. The Sun is a point.",
    planes: &[
        Plane {
            name: "PHASE",
            unit: "deg",
            about: "Angle between the directions to the Sun and to the observer",
            kind: Kind::Navigator,
            of: |f| f.light().iter().map(|a| a.phase.to_degrees()).collect(),
        },
        Plane {
            name: "EMISSION",
            unit: "deg",
            about: "Angle between the surface normal and the observer",
            kind: Kind::Navigator,
            of: |f| f.light().iter().map(|a| a.emission.to_degrees()).collect(),
        },
        Plane {
            name: "INCIDENCE",
            unit: "deg",
            about: "Angle between the surface normal and the Sun",
            kind: Kind::Navigator,
            of: |f| f.light().iter().map(|a| a.incidence.to_degrees()).collect(),
        },
        Plane {
            name: "AZIMUTH",
            unit: "deg",
            about: "Azimuth between Sun and observer, 0 for forward scattering",
            kind: Kind::Navigator,
            of: |f| f.light().iter().map(azimuth).collect(),
        },
        Plane {
            name: "PHASE",
            unit: "deg",
            about: "Angle between the directions to the Sun and to the observer",
            kind: Kind::Exact,
            of: |f| {
                f.seen_light()
                    .iter()
                    .map(|a| a.phase.to_degrees())
                    .collect()
            },
        },
        Plane {
            name: "INCIDENCE",
            unit: "deg",
            about: "Angle between the surface normal and the Sun",
            kind: Kind::Exact,
            of: |f| {
                f.seen_light()
                    .iter()
                    .map(|a| a.incidence.to_degrees())
                    .collect()
            },
        },
        Plane {
            name: "EMISSION",
            unit: "deg",
            about: "Angle between the surface normal and the observer",
            kind: Kind::Exact,
            of: |f| {
                f.seen_light()
                    .iter()
                    .map(|a| a.emission.to_degrees())
                    .collect()
            },
        },
        Plane {
            name: "AZIMUTH",
            unit: "deg",
            about: "Azimuth between Sun and observer, 0 for forward scattering",
            kind: Kind::Exact,
            of: |f| f.seen_light().iter().map(azimuth).collect(),
        },
    ],
};

/// 180 degrees less the angle between the planes that the normal makes with the Sun and with the observer (NEMESIS' convention).
fn azimuth(a: &Light) -> f64 {
    let (g, i, e) = (
        libm::cos(a.phase),
        libm::cos(a.incidence),
        libm::cos(a.emission),
    );
    let across = (1.0 - e * e).sqrt() * (1.0 - i * i).sqrt();
    // no direction where one of the two is at the zenith; rounding must not lead beyond 1
    let cosine = (g - e * i) / across;
    (PI - libm::acos(cosine.clamp(-1.0, 1.0))).to_degrees()
}
