//! The lines of a body on the sky: limb, terminator, a grid of latitudes and longitudes, poles and rings; what is hidden is left out.
//!
//! [`Wireframe::of`] computes them from a [`Globe`]; [`Wireframe::of_planes`] finds what the backplanes alone hold, inside the field.
//! All places are in the tangent plane of [`super::sky`], arcsec.

use std::f64::consts::{FRAC_PI_2, PI, TAU};

use super::contour;
use super::figure::{Affine, Point};
use super::globe::Globe;
use super::sky::Tangent;
use crate::math::vector::{Vector, add, cross, dot, norm, scale, sub, unit};
use crate::nav::ellipsoid::LonLat;

/// Degrees between lines of the grid.
const GRID: i32 = 30;
/// Pieces of a circle.
const FINE: usize = 720;

/// Edges of rings, km, by NAIF code: of Saturn those of C, B and A; of Uranus epsilon; of Neptune Le Verrier and Adams (NASA's
/// planetary rings fact sheets).
#[must_use]
pub fn rings(target: i32) -> &'static [f64] {
    match target {
        699 => &[74_658.0, 91_975.0, 117_507.0, 122_340.0, 136_780.0],
        799 => &[51_149.0],
        899 => &[53_200.0, 62_932.0],
        _ => &[],
    }
}

/// Lines, each through points of the tangent plane.
pub type Lines = Vec<Vec<Point>>;

/// The lines of a body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wireframe {
    /// The limb where the Sun shines on it.
    pub lit_limb: Lines,
    /// The rest of the limb.
    pub dark_limb: Lines,
    /// Where the Sun rises and sets, on the side that is seen.
    pub terminator: Lines,
    /// Latitudes (planetographic) and longitudes, every 30 degrees.
    pub grid: Lines,
    /// Rings, before the body and beside it.
    pub rings: Lines,
    /// Poles that are seen, with N or S.
    pub poles: Vec<(Point, &'static str)>,
}

/// Backplanes that lines can be found in; each may be missing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Planes<'a> {
    /// `DISTANCE_LIMB`.
    pub limb: Option<&'a [f64]>,
    /// `INCIDENCE`, degrees.
    pub incidence: Option<&'a [f64]>,
    /// `LAT_GRAPHIC` or another latitude, degrees.
    pub latitude: Option<&'a [f64]>,
    /// `LON`, degrees.
    pub longitude: Option<&'a [f64]>,
    /// `DISTANCE_RINGS`, km.
    pub rings: Option<&'a [f64]>,
}

/// Parts of a curve where something holds, their ends found to within a millionth of a step.
fn parts(
    at: impl Fn(f64) -> Vector,
    range: [f64; 2],
    steps: usize,
    holds: impl Fn(Vector) -> bool,
) -> Vec<Vec<Vector>> {
    let t = |i: usize| range[0] + (range[1] - range[0]) * i as f64 / steps as f64;
    // where it changes between two parameters
    let change = |mut a: f64, mut b: f64, first: bool| {
        for _ in 0..20 {
            let mid = 0.5 * (a + b);
            match holds(at(mid)) == first {
                true => a = mid,
                false => b = mid,
            }
        }
        at(if first { a } else { b })
    };
    let mut out: Vec<Vec<Vector>> = Vec::new();
    let mut line = Vec::new();
    let mut before = None;
    for i in 0..=steps {
        let p = at(t(i));
        let now = holds(p);
        match before {
            Some(true) if !now => {
                line.push(change(t(i - 1), t(i), true));
                out.push(std::mem::take(&mut line));
            }
            Some(false) if now => line.push(change(t(i - 1), t(i), false)),
            _ => {}
        }
        if now {
            line.push(p);
        }
        before = Some(now);
    }
    if line.len() > 1 {
        out.push(line);
    }
    out
}

/// Points of the surface where lines from `from` touch it: a circle of the unit sphere that the ellipsoid is a stretched form of.
fn touching(radii: Vector, from: Vector) -> Option<impl Fn(f64) -> Vector> {
    let f = [0, 1, 2].map(|k| from[k] / radii[k]);
    let far = norm(f);
    if far.is_nan() || far <= 1.0 {
        return None;
    }
    let axis = scale(1.0 / far, f);
    let side = match axis[2].abs() < 0.9 {
        true => unit(cross(axis, [0.0, 0.0, 1.0])),
        false => unit(cross(axis, [1.0, 0.0, 0.0])),
    };
    let up = cross(axis, side);
    let (centre, radius) = (scale(1.0 / far, axis), (1.0 - 1.0 / (far * far)).sqrt());
    Some(move |t: f64| {
        let (s, c) = libm::sincos(t);
        let p = add(centre, add(scale(radius * c, side), scale(radius * s, up)));
        [0, 1, 2].map(|k| p[k] * radii[k])
    })
}

impl Wireframe {
    /// The lines of a body.
    #[must_use]
    pub fn of(globe: &Globe, plane: &Tangent) -> Self {
        let surface = globe.surface();
        let seen = |p: Vector| globe.faces(p, globe.observer) >= 0.0;
        let lit = |p: Vector| globe.faces(p, globe.sun) >= 0.0;
        let on_plane = |lines: Vec<Vec<Vector>>| -> Lines {
            let project = |p: Vector| plane.project(globe.towards(p));
            lines
                .into_iter()
                .map(|l| l.into_iter().map(project).collect())
                .collect()
        };
        let mut out = Self::default();
        if let Some(at) = touching(globe.radii, globe.observer) {
            out.lit_limb = on_plane(parts(&at, [0.0, TAU], FINE, lit));
            out.dark_limb = on_plane(parts(&at, [0.0, TAU], FINE, |p| !lit(p)));
        }
        if let Some(at) = touching(globe.radii, globe.sun) {
            out.terminator = on_plane(parts(at, [0.0, TAU], FINE, seen));
        }
        let point = |lon: f64, lat: f64| {
            let place = LonLat {
                lon,
                lat,
                height: 0.0,
            };
            let p = surface.from_planetographic(place, globe.west);
            // of a body of three radii the spheroid of the latitudes is another
            surface.beneath(p).unwrap_or(p)
        };
        let lines = 180 / GRID;
        for k in 1..lines {
            let lat = f64::from(k * GRID - 90).to_radians();
            let circle = parts(|t| point(t, lat), [0.0, TAU], FINE / 2, seen);
            out.grid.extend(on_plane(circle));
        }
        for k in 0..2 * lines {
            let lon = f64::from(k * GRID).to_radians();
            let half = [-FRAC_PI_2, FRAC_PI_2];
            let line = parts(|t| point(lon, t), half, FINE / 4, seen);
            out.grid.extend(on_plane(line));
        }
        let free = |p: Vector| {
            let way = sub(p, globe.observer);
            let hit = surface.intercept(globe.observer, way);
            hit.is_none_or(|h| norm(sub(h, globe.observer)) > norm(way))
        };
        for radius in rings(globe.target) {
            let at = |t: f64| {
                let (s, c) = libm::sincos(t);
                [radius * c, radius * s, 0.0]
            };
            out.rings.extend(on_plane(parts(at, [-PI, PI], FINE, free)));
        }
        for (z, name) in [(globe.radii[2], "N"), (-globe.radii[2], "S")] {
            // north is the +z axis of the IAU's frames
            let pole = [0.0, 0.0, z];
            if seen(pole) {
                out.poles.push((plane.project(globe.towards(pole)), name));
            }
        }
        out
    }

    /// The lines that backplanes (`[y][x]`, `nx` columns) hold: inside of the field, `place` being from pixels to the tangent plane.
    #[must_use]
    pub fn of_planes(planes: &Planes, nx: usize, target: Option<i32>, place: &Affine) -> Self {
        let find = |values: Option<&[f64]>, of: &dyn Fn(f64) -> f64, apart: f64| -> Lines {
            let values: Vec<f64> = values.unwrap_or_default().iter().map(|v| of(*v)).collect();
            contour::zero(&values, nx, apart)
                .into_iter()
                .map(|l| l.map(|p| place.apply(p)).to_vec())
                .collect()
        };
        let mut out = Self {
            lit_limb: find(planes.limb, &|v| v, f64::INFINITY),
            terminator: find(planes.incidence, &|v| v - 90.0, f64::INFINITY),
            ..Self::default()
        };
        for k in 1..180 / GRID {
            let at = f64::from(k * GRID - 90);
            out.grid
                .extend(find(planes.latitude, &|v| v - at, f64::INFINITY));
        }
        for k in 0..360 / GRID {
            let at = f64::from(k * GRID);
            let around = |v: f64| (v - at + 180.0).rem_euclid(360.0) - 180.0;
            out.grid.extend(find(planes.longitude, &around, 90.0));
        }
        // 0 is where the plane is not met; on the disc it may lie behind the body
        let on_disc = |i: usize| {
            planes
                .latitude
                .and_then(|l| l.get(i))
                .is_some_and(|v| v.is_finite())
        };
        let free: Option<Vec<f64>> = planes.rings.map(|r| {
            let keep = |(i, v): (usize, &f64)| {
                if on_disc(i) || *v <= 0.0 {
                    f64::NAN
                } else {
                    *v
                }
            };
            r.iter().enumerate().map(keep).collect()
        });
        for radius in target.map_or(&[][..], rings) {
            out.rings
                .extend(find(free.as_deref(), &|v| v - radius, f64::INFINITY));
        }
        out
    }

    /// Least and greatest coordinates of limb and rings; none where there are none.
    #[must_use]
    pub fn extent(&self) -> Option<[Point; 2]> {
        let all = [&self.lit_limb, &self.dark_limb, &self.rings];
        extent(all.into_iter().flatten().flatten().copied())
    }
}

/// Least and greatest coordinates of points; none where none is finite.
#[must_use]
pub fn extent(points: impl Iterator<Item = Point>) -> Option<[Point; 2]> {
    let finite = points.filter(|p| p[0].is_finite() && p[1].is_finite());
    finite.fold(None, |m: Option<[Point; 2]>, p| {
        let [low, high] = m.unwrap_or([p, p]);
        Some([
            [low[0].min(p[0]), low[1].min(p[1])],
            [high[0].max(p[0]), high[1].max(p[1])],
        ])
    })
}

/// Angle (degrees, from north to east) in which a globe's north pole is seen from its centre.
#[must_use]
pub fn north_angle(globe: &Globe, plane: &Tangent) -> f64 {
    let [a, b] = [[0.0; 3], [0.0, 0.0, globe.radii[2]]].map(|p| plane.project(globe.towards(p)));
    let step = sub([b[0], b[1], 0.0], [a[0], a[1], 0.0]);
    match dot(step, step) > 0.0 {
        true => libm::atan2(step[0], step[1]).to_degrees(),
        false => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::vector::{Axis, turn};

    /// A spheroid with rings seen from 20 degrees north, the Sun in the east.
    fn saturn() -> Globe {
        let far = 1.4e9;
        let tilt = 20f64.to_radians();
        Globe {
            target: 699,
            radii: [60_268.0, 60_268.0, 54_364.0],
            to_body: turn(Axis::Y, 0.0),
            observer: [far * tilt.cos(), 0.0, far * tilt.sin()],
            sun: [0.0, 1.4e9, 0.0],
            west: true,
        }
    }

    fn plane(globe: &Globe) -> Tangent {
        let [x, y, z] = globe.centre();
        let ra = libm::atan2(y, x).to_degrees();
        Tangent::new(ra, libm::atan2(z, libm::hypot(x, y)).to_degrees())
    }

    #[test]
    fn lines_of_sight_touch_at_the_limb() {
        let g = saturn();
        let at = touching(g.radii, g.observer).expect("outside");
        for k in 0..12 {
            let p = at(f64::from(k) * 0.5);
            assert!(g.faces(p, g.observer).abs() < 1e-9);
            let on = [0, 1, 2].map(|k| p[k] / g.radii[k]);
            assert!((norm(on) - 1.0).abs() < 1e-12);
        }
        assert!(touching(g.radii, [1.0, 0.0, 0.0]).is_none());
    }

    #[test]
    fn what_is_hidden_is_left_out() {
        let g = saturn();
        let w = Wireframe::of(&g, &plane(&g));
        assert_eq!(w.poles.len(), 1);
        assert_eq!(w.poles[0].1, "N");
        // the observer is above the rings, the north pole is up, the far side of each ring is behind the body in the middle
        let half = 0.5 * g.diameter();
        let north = w.poles[0].0;
        assert!(north[1] > 0.0 && north[0].abs() < 1e-6 * half);
        for p in w.rings.iter().flatten() {
            let inside = libm::hypot(p[0], p[1] * 60_268.0 / 56_000.0) < 0.97 * half;
            assert!(!inside || p[1] < 0.0, "{p:?}");
        }
        assert_eq!(w.rings.len(), 5);
        // half of the limb is lit: the Sun is at right angles
        let long = |lines: &Lines| lines.iter().map(Vec::len).sum::<usize>();
        assert!(long(&w.lit_limb).abs_diff(long(&w.dark_limb)) < 20);
        assert!(!w.terminator.is_empty());
        let [low, high] = w.extent().expect("some");
        let ring = 136_780.0 / 60_268.0 * half;
        assert!((high[0] - ring).abs() < 1e-3 * ring && (low[0] + ring).abs() < 1e-3 * ring);
    }

    #[test]
    fn planes_hold_the_same_limb() {
        let g = saturn();
        let plane = plane(&g);
        let place = Affine([-0.5, 0.1, 0.1, 0.5, 8.0, -14.0]);
        let nx = 50;
        let mut limb = Vec::new();
        for i in 0..nx * nx {
            let p = place.apply([(i % nx) as f64, (i / nx) as f64]);
            let [ra, dec] = plane.sky(p);
            let sight = crate::math::vector::apply(&g.to_body, crate::nav::direction(ra, dec));
            let foot = sub(g.observer, scale(dot(g.observer, sight), sight));
            limb.push(norm([0, 1, 2].map(|k| foot[k] / g.radii[k])) - 1.0);
        }
        let planes = Planes {
            limb: Some(&limb),
            ..Planes::default()
        };
        let found = Wireframe::of_planes(&planes, nx, Some(699), &place);
        let full = Wireframe::of(&g, &plane);
        let edge: Vec<Point> = full
            .lit_limb
            .iter()
            .chain(&full.dark_limb)
            .flatten()
            .copied()
            .collect();
        assert!(found.lit_limb.len() > 20);
        for p in found.lit_limb.iter().flatten() {
            let near = edge
                .iter()
                .map(|e| libm::hypot(e[0] - p[0], e[1] - p[1]))
                .fold(f64::INFINITY, f64::min);
            assert!(near < 0.1, "{p:?} is {near} arcsec away");
        }
        assert!(found.rings.is_empty());
    }
}
