//! Planes of the limb: the point of the line of sight that is nearest to the body's centre.

use super::surface::{centric, graphic, to_side, west};
use super::{Family, Field, Kind, Plane};
use crate::math::vector::Vector;

pub(super) const FAMILY: Family = Family {
    title: "Limb",
    about: "At the point of the line of sight that is nearest to the body's centre; there on and off the disc.",
    planes: &[
        Plane {
            name: "LAT_LIMB",
            unit: "deg",
            about: "Planetocentric latitude of the point nearest to the centre",
            kind: Kind::Navigator,
            of: |f| f.at_limb(|p| centric(p).to_degrees()),
        },
        Plane {
            name: "LON_LIMB",
            unit: "deg",
            about: "Longitude (west) of the point nearest to the centre",
            kind: Kind::Navigator,
            of: |f| f.near_east().iter().map(|e| west(*e)).collect(),
        },
        Plane {
            name: "DISTANCE_LIMB",
            unit: "km",
            about: "Height of the point nearest to the centre, negative on disc",
            kind: Kind::Navigator,
            of: |f| f.at_limb(|p| f.height(p)),
        },
        Plane {
            name: "LIMB-DISTANCE",
            unit: "km",
            about: "Height of the point nearest to the centre, negative on disc",
            kind: Kind::Exact,
            of: |f| f.at_limb(|p| f.height(p)),
        },
        Plane {
            name: "LIMB-LON-GRAPHIC",
            unit: "deg",
            about: "Planetographic longitude of the point nearest to the centre",
            kind: Kind::Exact,
            of: |f| {
                let all = f.near_east().iter();
                all.map(|e| to_side(f.aspect, *e)).collect()
            },
        },
        Plane {
            name: "LIMB-LAT-GRAPHIC",
            unit: "deg",
            about: "Planetographic latitude of the surface below that point",
            kind: Kind::Exact,
            of: |f| f.at_limb(|p| below(f, p)),
        },
    ],
};

/// Planetographic latitude (degrees) of the surface on the radius to a point.
fn below(f: &Field, p: Vector) -> f64 {
    let foot = f.aspect.surface().beneath(p);
    foot.map_or(f64::NAN, |foot| graphic(f, foot).to_degrees())
}
