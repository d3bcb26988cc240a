//! Planes as PlanetMapper 1.14 has them where it is off, for those who must agree with it (`--planes planetmapper`).
//!
//! It leads points of the sky into the body's frame from the sub-observer point, which leaves the body where it was when the light
//! left that point; and it finds the epoch of another point's light by a difference of two vectors of which one is
//! along the body's axes and the other along those of J2000. Points of limb and rings come out up to some km off, and
//! turned by what the body turns in up to a second. With stellar aberration it takes the shift of the centre for that of all.

use super::seen::{Upright, km_per_arcsec};
use super::{Family, Field, Kind, Plane};
use crate::math::vector::{Vector, add, dot, norm, scale, sub};
use crate::nav::{Aspect, LIGHT};

const fn plane(
    name: &'static str,
    unit: &'static str,
    about: &'static str,
    of: fn(&Field) -> Vec<f64>,
) -> Plane {
    Plane {
        name,
        unit,
        about,
        kind: Kind::Compatible,
        of,
    }
}

pub(super) const FAMILY: Family = Family {
    title: "As PlanetMapper has them",
    about: "Only in the set `planetmapper`: off by what the module's documentation says.",
    planes: &[
        plane(
            "KM-X",
            "km",
            "Distance from the centre to planet's west, pole up",
            |f| across(f, km_per_arcsec, 0),
        ),
        plane(
            "KM-Y",
            "km",
            "Distance from the centre to planet's north, pole up",
            |f| across(f, km_per_arcsec, 1),
        ),
        plane(
            "ANGULAR-X",
            "arcsec",
            "Angle from the centre to planet's west, pole up",
            |f| across(f, |_| 1.0, 0),
        ),
        plane(
            "ANGULAR-Y",
            "arcsec",
            "Angle from the centre to planet's north, pole up",
            |f| across(f, |_| 1.0, 1),
        ),
        plane(
            "LIMB-DISTANCE",
            "km",
            "Height of the point nearest to the centre",
            |f| limb(f, 0),
        ),
        plane(
            "LIMB-LON-GRAPHIC",
            "deg",
            "Its planetographic longitude",
            |f| limb(f, 1),
        ),
        plane(
            "LIMB-LAT-GRAPHIC",
            "deg",
            "Planetographic latitude below it",
            |f| limb(f, 2),
        ),
        plane(
            "RING-RADIUS",
            "km",
            "Distance from the centre in the equatorial plane",
            |f| ring(f, 0),
        ),
        plane(
            "RING-LON-GRAPHIC",
            "deg",
            "Planetographic longitude in that plane",
            |f| ring(f, 1),
        ),
        plane(
            "RING-DISTANCE",
            "km",
            "Distance from the observer to that plane",
            |f| ring(f, 2),
        ),
    ],
};

/// The sub-observer point: on the body, from the observer along the body's and J2000's axes, and its delay.
struct Anchor {
    place: Vector,
    ray: Vector,
    seen: Vector,
    delay: f64,
}

impl Anchor {
    fn of(a: &Aspect) -> Option<Self> {
        let surface = a.surface();
        let mut delay = 0.0;
        let mut from = a.into_body(scale(-1.0, a.position), 0.0);
        let mut place = surface.beneath(from)?;
        for _ in 0..a.correction.steps().min(6) {
            delay = a.delay(norm(sub(place, from)));
            let straight = add(a.centre_at(delay), a.from_body(place, delay));
            let shift = sub(a.aberrated(straight), straight);
            from = a.into_body(scale(-1.0, add(a.centre_at(delay), shift)), delay);
            place = surface.beneath(from)?;
        }
        if !a.correction.is_none() {
            delay = a.delay(norm(sub(place, from)));
        }
        let ray = sub(place, from);
        Some(Self {
            place,
            ray,
            seen: a.from_body(ray, delay),
            delay,
        })
    }

    /// A point of the sky in the body's frame.
    fn body_of(&self, a: &Aspect, seen: Vector) -> Vector {
        let off = sub(seen, self.seen);
        // two frames in one difference, as it is there
        let farther = norm(sub(off, self.ray)) - norm(self.ray);
        add(self.place, a.into_body(off, self.delay - farther / LIGHT))
    }

    /// A point of the body on the sky.
    fn sky_of(&self, a: &Aspect, place: Vector) -> Vector {
        let off = sub(place, self.place);
        let farther = norm(add(self.ray, off)) - norm(self.ray);
        add(self.seen, a.from_body(off, self.delay - farther / LIGHT))
    }

    fn pole(&self, a: &Aspect) -> Vector {
        self.sky_of(a, [0.0, 0.0, a.radii[2]])
    }
}

fn nothing(f: &Field) -> Vec<f64> {
    vec![f64::NAN; f.ra.len()]
}

fn across(f: &Field, unit: impl Fn(&Aspect) -> f64, axis: usize) -> Vec<f64> {
    let a = f.aspect;
    let Some(anchor) = Anchor::of(a) else {
        return nothing(f);
    };
    let (upright, unit) = (Upright::new(a, anchor.pole(a)), unit(a));
    let at = |d: &Vector| unit * upright.at(*d)[axis];
    f.seen_directions().iter().map(at).collect()
}

fn limb(f: &Field, which: usize) -> Vec<f64> {
    let a = f.aspect;
    let Some(anchor) = Anchor::of(a) else {
        return nothing(f);
    };
    let at = |d: &Vector| {
        let near = scale(dot(*d, a.position), *d);
        let Some(foot) = a.surface().beneath(anchor.body_of(a, near)) else {
            return f64::NAN;
        };
        if which == 0 {
            return norm(sub(near, a.position)) - norm(foot);
        }
        let g = a.surface().planetographic(foot, a.west);
        if which == 1 { g.lon } else { g.lat }.to_degrees()
    };
    f.seen_directions().iter().map(at).collect()
}

fn ring(f: &Field, which: usize) -> Vec<f64> {
    let a = f.aspect;
    let Some(anchor) = Anchor::of(a) else {
        return nothing(f);
    };
    let normal = sub(anchor.pole(a), a.position);
    let both = f.seen_directions().iter().zip(f.seen_state());
    let at = |(d, [seen, _]): (&Vector, &[f64; 2])| {
        let range = dot(normal, a.position) / dot(normal, *d);
        let hidden = range > *seen;
        if !range.is_finite() || range < 0.0 || hidden {
            return f64::NAN;
        }
        if which == 2 {
            return range;
        }
        let g = a
            .surface()
            .planetographic(anchor.body_of(a, scale(range, *d)), a.west);
        if which == 0 {
            g.height + a.radii[0]
        } else {
            g.lon.to_degrees()
        }
    };
    both.map(at).collect()
}
