//! Planes of angles of illumination and sight.

use std::f64::consts::PI;

use super::{Family, Field, Plane};

pub(super) const FAMILY: Family = Family {
    title: "Angles",
    about: "At the point of the surface; NaN off the disc. The Sun is a point.",
    planes: &[
        Plane {
            name: "PHASE",
            unit: "deg",
            about: "Angle between the directions to the Sun and to the observer",
            of: |f| f.light().iter().map(|a| a.phase.to_degrees()).collect(),
        },
        Plane {
            name: "EMISSION",
            unit: "deg",
            about: "Angle between the surface normal and the observer",
            of: |f| f.light().iter().map(|a| a.emission.to_degrees()).collect(),
        },
        Plane {
            name: "INCIDENCE",
            unit: "deg",
            about: "Angle between the surface normal and the Sun",
            of: |f| f.light().iter().map(|a| a.incidence.to_degrees()).collect(),
        },
        Plane {
            name: "AZIMUTH",
            unit: "deg",
            about: "Azimuth between Sun and observer, 0 for forward scattering",
            of: azimuth,
        },
    ],
};

/// 180 degrees less the angle between the planes that the normal makes with the Sun and with the observer (NEMESIS' convention).
fn azimuth(f: &Field) -> Vec<f64> {
    let at = |a: &super::field::Angles| {
        let (g, i, e) = (
            libm::cos(a.phase),
            libm::cos(a.incidence),
            libm::cos(a.emission),
        );
        let across = (1.0 - e * e).sqrt() * (1.0 - i * i).sqrt();
        // no direction where one of the two is at the zenith; rounding must not lead beyond 1
        let cosine = (g - e * i) / across;
        (PI - libm::acos(cosine.clamp(-1.0, 1.0))).to_degrees()
    };
    f.light().iter().map(at).collect()
}
