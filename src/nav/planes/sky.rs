//! Planes of the sky itself.

use super::{Family, Plane};

pub(super) const FAMILY: Family = Family {
    title: "Sky",
    about: "Where each pixel looks, pointing offsets included. There for every pixel that the WCS gives a direction.",
    planes: &[
        Plane {
            name: "RA",
            unit: "deg",
            about: "Right ascension",
            of: |f| f.ra.to_vec(),
        },
        Plane {
            name: "DEC",
            unit: "deg",
            about: "Declination",
            of: |f| f.dec.to_vec(),
        },
    ],
};
