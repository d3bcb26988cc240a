//! Planes of the sky itself.

use super::seen::km_per_arcsec;
use super::{Family, Field, Kind, Plane};

pub(super) const FAMILY: Family = Family {
    title: "Sky",
    about: "Where each pixel looks, pointing offsets included; for every pixel that has a direction.",
    planes: &[
        Plane {
            name: "RA",
            unit: "deg",
            about: "Right ascension",
            kind: Kind::Sky,
            of: |f| f.ra.to_vec(),
        },
        Plane {
            name: "DEC",
            unit: "deg",
            about: "Declination",
            kind: Kind::Sky,
            of: |f| f.dec.to_vec(),
        },
        Plane {
            name: "PIXEL-X",
            unit: "pixel",
            about: "Column, counted from 0",
            kind: Kind::Sky,
            of: |f| pixels(f, |i, nx| i % nx),
        },
        Plane {
            name: "PIXEL-Y",
            unit: "pixel",
            about: "Row, counted from 0",
            kind: Kind::Sky,
            of: |f| pixels(f, |i, nx| i / nx),
        },
        Plane {
            name: "KM-X",
            unit: "km",
            about: "Distance from the centre to planet's west, pole up",
            kind: Kind::Exact,
            of: |f| across(f, km_per_arcsec(f.aspect), 0),
        },
        Plane {
            name: "KM-Y",
            unit: "km",
            about: "Distance from the centre to planet's north, pole up",
            kind: Kind::Exact,
            of: |f| across(f, km_per_arcsec(f.aspect), 1),
        },
        Plane {
            name: "ANGULAR-X",
            unit: "arcsec",
            about: "Angle from the centre to planet's west, pole up",
            kind: Kind::Exact,
            of: |f| across(f, 1.0, 0),
        },
        Plane {
            name: "ANGULAR-Y",
            unit: "arcsec",
            about: "Angle from the centre to planet's north, pole up",
            kind: Kind::Exact,
            of: |f| across(f, 1.0, 1),
        },
    ],
};

fn pixels(f: &Field, of: impl Fn(usize, usize) -> usize) -> Vec<f64> {
    let (first, nx) = f.place;
    (first..first + f.ra.len())
        .map(|i| of(i, nx) as f64)
        .collect()
}

fn across(f: &Field, unit: f64, axis: usize) -> Vec<f64> {
    f.upright().iter().map(|place| unit * place[axis]).collect()
}
