//! Planes of the equatorial plane, where rings are.

use super::surface::{east, west};
use super::{Family, Plane};
use crate::math::vector::norm;

pub(super) const FAMILY: Family = Family {
    title: "Rings",
    about: "Where the line of sight meets the plane of the equator in front of the observer, also behind the body.",
    planes: &[
        Plane {
            name: "DISTANCE_RINGS",
            unit: "km",
            about: "Distance from the centre in the plane; 0 where not met",
            of: |f| f.at_ring(|p| p.map_or(0.0, norm)),
        },
        Plane {
            name: "LON_RINGS",
            unit: "deg",
            about: "Longitude (west) in the plane; 360 where not met",
            of: |f| f.at_ring(|p| p.map_or(360.0, |p| west(east(p)))),
        },
    ],
};
