//! Directions on the sky with what the planes have in common, each computed once and when it is first asked for.

use std::cell::OnceCell;

use super::seen::{self, Light, Point, RingPoint, Scenery, Upright, length};
use crate::math::vector::{Vector, apply, dot, scale, sub};
use crate::nav::Aspect;

/// Some directions, and where their lines of sight go.
#[derive(Debug)]
pub struct Field<'a> {
    pub(super) aspect: &'a Aspect,
    pub(super) ra: &'a [f64],
    pub(super) dec: &'a [f64],
    /// Number of the first direction's pixel in its image, and the image's columns.
    pub(super) place: (usize, usize),
    look: OnceCell<Vec<Vector>>,
    hit: OnceCell<Vec<Vector>>,
    near: OnceCell<Vec<Vector>>,
    ring: OnceCell<Vec<Option<Vector>>>,
    light: OnceCell<Vec<Light>>,
    seen_directions: OnceCell<Vec<Vector>>,
    seen: OnceCell<Vec<Point>>,
    seen_light: OnceCell<Vec<Light>>,
    seen_state: OnceCell<Vec<[f64; 2]>>,
    seen_ring: OnceCell<Vec<Option<RingPoint>>>,
    seen_east: OnceCell<Vec<f64>>,
    near_east: OnceCell<Vec<f64>>,
    upright: OnceCell<Vec<[f64; 2]>>,
    speed: OnceCell<Vec<f64>>,
}

/// No point.
pub(super) const NOWHERE: Vector = [f64::NAN; 3];

impl<'a> Field<'a> {
    /// Directions by right ascension and declination in degrees. Where one of the two is NaN, so is every plane; of
    /// slices of unequal length the longer one's rest is left out.
    #[must_use]
    pub fn new(aspect: &'a Aspect, ra: &'a [f64], dec: &'a [f64]) -> Self {
        let n = ra.len().min(dec.len());
        Self {
            aspect,
            ra: &ra[..n],
            dec: &dec[..n],
            place: (0, n.max(1)),
            look: OnceCell::new(),
            hit: OnceCell::new(),
            near: OnceCell::new(),
            ring: OnceCell::new(),
            light: OnceCell::new(),
            seen_directions: OnceCell::new(),
            seen: OnceCell::new(),
            seen_light: OnceCell::new(),
            seen_state: OnceCell::new(),
            seen_ring: OnceCell::new(),
            seen_east: OnceCell::new(),
            near_east: OnceCell::new(),
            upright: OnceCell::new(),
            speed: OnceCell::new(),
        }
    }

    /// Says which pixels the directions are of: from number `first` on, row by row of an image with `nx` columns. Else they
    /// are one row.
    #[must_use]
    pub fn in_image(mut self, first: usize, nx: usize) -> Self {
        self.place = (first, nx.max(1));
        self
    }

    /// Directions of sight, length 1, body's frame.
    pub(super) fn look(&self) -> &[Vector] {
        self.look.get_or_init(|| {
            let look = |d: &Vector| apply(&self.aspect.to_body, self.aspect.unaberrated(*d));
            self.seen_directions().iter().map(look).collect()
        })
    }

    /// Where lines of sight first meet the surface (km, body's frame); NaN where they miss it.
    pub(super) fn hit(&self) -> &[Vector] {
        self.hit.get_or_init(|| {
            let (surface, from) = (self.aspect.surface(), self.aspect.observer);
            let meet = |u: &Vector| surface.intercept(from, *u).unwrap_or(NOWHERE);
            self.look().iter().map(meet).collect()
        })
    }

    /// The point of each line of sight that is nearest to the body's centre, in front of the observer or behind.
    pub(super) fn near(&self) -> &[Vector] {
        self.near.get_or_init(|| {
            let from = self.aspect.observer;
            let foot = |u: &Vector| sub(from, scale(dot(from, *u), *u));
            self.look().iter().map(foot).collect()
        })
    }

    /// Where lines of sight meet the plane of the equator in front of the observer.
    pub(super) fn ring(&self) -> &[Option<Vector>] {
        self.ring.get_or_init(|| {
            let from = self.aspect.observer;
            let meet = |u: &Vector| {
                let s = -from[2] / u[2];
                let ahead = s.is_finite() && s >= 0.0;
                ahead.then(|| [from[0] + s * u[0], from[1] + s * u[1], 0.0])
            };
            self.look().iter().map(meet).collect()
        })
    }

    /// Light at the points of the surface.
    pub(super) fn light(&self) -> &[Light] {
        self.light.get_or_init(|| {
            let squares = self.aspect.radii.map(|r| r * r);
            let at = |p: &Vector| {
                if p[0].is_nan() {
                    return Light::NONE;
                }
                let normal = std::array::from_fn(|i| p[i] / squares[i]);
                let (observer, sun) = (self.aspect.observer, self.aspect.sun);
                Light::of(normal, sub(observer, *p), sub(sun, *p))
            };
            self.hit().iter().map(at).collect()
        })
    }

    /// Directions along J2000 axes, as they are seen.
    pub(super) fn seen_directions(&self) -> &[Vector] {
        self.seen_directions.get_or_init(|| seen::directions(self))
    }

    /// Points of the surface, each with its own light time.
    pub(super) fn seen(&self) -> &[Point] {
        self.seen.get_or_init(|| {
            let scenery = Scenery::new(self.aspect);
            let all = self.look().iter();
            all.map(|u| seen::meet(&scenery, *u)).collect()
        })
    }

    /// Angles at those points.
    pub(super) fn seen_light(&self) -> &[Light] {
        self.seen_light.get_or_init(|| {
            let scenery = Scenery::new(self.aspect);
            let all = self.seen().iter();
            all.map(|p| seen::light(&scenery, *p)).collect()
        })
    }

    /// Distances and velocities away of those points.
    pub(super) fn seen_state(&self) -> &[[f64; 2]] {
        self.seen_state.get_or_init(|| {
            let scenery = Scenery::new(self.aspect);
            let all = self.seen().iter();
            all.map(|p| seen::state(&scenery, *p)).collect()
        })
    }

    /// Points of the equatorial plane that the body does not hide, each with its own light time.
    pub(super) fn seen_ring(&self) -> &[Option<RingPoint>] {
        self.seen_ring.get_or_init(|| {
            let scenery = Scenery::new(self.aspect);
            let all = self.look().iter().zip(self.seen_state());
            let seen = |(u, [range, _]): (&Vector, &[f64; 2])| {
                let point = seen::meet_ring(&scenery, *u)?;
                // off the disc there is no range
                let hidden = point.range > *range;
                (!hidden).then_some(point)
            };
            all.map(seen).collect()
        })
    }

    /// East longitudes (radians) of those points; NaN where there is none.
    pub(super) fn seen_east(&self) -> &[f64] {
        self.seen_east
            .get_or_init(|| self.on_seen(super::surface::east))
    }

    /// East longitudes (radians) of the nearest points.
    pub(super) fn near_east(&self) -> &[f64] {
        self.near_east
            .get_or_init(|| self.at_limb(super::surface::east))
    }

    /// Coordinates about the body's centre with its north pole up, the pole where it is seen: arcsec to the west and to the north.
    pub(super) fn upright(&self) -> &[[f64; 2]] {
        self.upright.get_or_init(|| {
            let (pole, _) = self.aspect.apparent([0.0, 0.0, self.aspect.radii[2]]);
            let upright = Upright::new(self.aspect, pole);
            let all = self.seen_directions().iter();
            all.map(|d| upright.at(*d)).collect()
        })
    }

    /// A value for each point of the surface with its own light time; NaN where there is none.
    pub(super) fn on_seen(&self, value: impl Fn(Vector) -> f64) -> Vec<f64> {
        let at = |p: &Point| match p.place[0].is_nan() {
            true => f64::NAN,
            false => value(p.place),
        };
        self.seen().iter().map(at).collect()
    }

    /// A value for each point of the equatorial plane that is seen; NaN where there is none.
    pub(super) fn at_seen_ring(&self, value: impl Fn(RingPoint) -> f64) -> Vec<f64> {
        let at = |p: &Option<RingPoint>| p.map_or(f64::NAN, &value);
        self.seen_ring().iter().map(at).collect()
    }

    /// Velocities away from the observer, km/s.
    pub(super) fn speed(&self) -> &[f64] {
        self.speed
            .get_or_init(|| self.on_surface(|p| super::motion::radial_velocity(self, p)))
    }

    /// A value for each point of the surface; NaN where there is none.
    pub(super) fn on_surface(&self, value: impl Fn(Vector) -> f64) -> Vec<f64> {
        let at = |p: &Vector| {
            if p[0].is_nan() { f64::NAN } else { value(*p) }
        };
        self.hit().iter().map(at).collect()
    }

    /// A value for each nearest point; NaN where the direction is none.
    pub(super) fn at_limb(&self, value: impl Fn(Vector) -> f64) -> Vec<f64> {
        self.near().iter().map(|p| value(*p)).collect()
    }

    /// A value for each direction, given the point of the ring plane; NaN where the direction is none.
    pub(super) fn at_ring(&self, value: impl Fn(Option<Vector>) -> f64) -> Vec<f64> {
        let both = self.ring().iter().zip(self.look());
        both.map(|(p, u)| if u[0].is_nan() { f64::NAN } else { value(*p) })
            .collect()
    }

    /// Distance of a point from the surface along its radius.
    pub(super) fn height(&self, p: Vector) -> f64 {
        let r = self.aspect.radii;
        let far = length(p);
        far - far / length([p[0] / r[0], p[1] / r[1], p[2] / r[2]])
    }
}
