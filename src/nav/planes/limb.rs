//! Planes of the limb: the point of the line of sight that is nearest to the body's centre.

use super::surface::{centric, east, west};
use super::{Family, Plane};

pub(super) const FAMILY: Family = Family {
    title: "Limb",
    about: "At the point of the line of sight that is nearest to the body's centre; there on and off the disc.",
    planes: &[
        Plane {
            name: "LAT_LIMB",
            unit: "deg",
            about: "Planetocentric latitude of the point nearest to the centre",
            of: |f| f.at_limb(|p| centric(p).to_degrees()),
        },
        Plane {
            name: "LON_LIMB",
            unit: "deg",
            about: "Longitude (west) of the point nearest to the centre",
            of: |f| f.at_limb(|p| west(east(p))),
        },
        Plane {
            name: "DISTANCE_LIMB",
            unit: "km",
            about: "Height of the point nearest to the centre, negative on disc",
            of: |f| f.at_limb(|p| f.height(p)),
        },
    ],
};
