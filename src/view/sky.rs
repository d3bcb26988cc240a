//! A piece of the sky on the page: gnomonic about a centre, north up, east to the left, with ticks in hours and degrees.
//!
//! Places of the sky are vectors (J2000 axes, of any length), which know no jump at right ascension 0 and no pole. The tangent plane has
//! coordinates in arcsec, to the east and to the north.

use std::f64::consts::TAU;

use super::axes::{Side, labelled};
use super::figure::{Affine, Colour, Item, Point, Rect};
use super::ticks::{Sexagesimal, sexagesimal, short};
use crate::math::vector::{Vector, add, dot, scale};
use crate::nav::direction;

/// Arcseconds in a radian.
const ARCSEC: f64 = 360.0 * 3600.0 / TAU;
/// Points of an edge at which its coordinates are looked at.
const SAMPLES: usize = 256;

/// A plane that touches the sky.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tangent {
    centre: Vector,
    east: Vector,
    north: Vector,
}

impl Tangent {
    /// The plane at right ascension and declination in degrees.
    #[must_use]
    pub fn new(ra: f64, dec: f64) -> Self {
        let ((sa, ca), (sd, cd)) = (
            libm::sincos(ra.to_radians()),
            libm::sincos(dec.to_radians()),
        );
        Self {
            centre: direction(ra, dec),
            east: [-sa, ca, 0.0],
            north: [-sd * ca, -sd * sa, cd],
        }
    }

    /// Coordinates of a direction, arcsec to the east and north; NaN behind the observer's back.
    #[must_use]
    pub fn project(&self, towards: Vector) -> Point {
        let depth = dot(towards, self.centre);
        if depth <= 0.0 {
            return [f64::NAN; 2];
        }
        [self.east, self.north].map(|axis| ARCSEC * dot(towards, axis) / depth)
    }

    /// Right ascension (0 to 360) and declination, degrees, of coordinates.
    #[must_use]
    pub fn sky(&self, [east, north]: Point) -> [f64; 2] {
        let v = add(
            self.centre,
            add(
                scale(east / ARCSEC, self.east),
                scale(north / ARCSEC, self.north),
            ),
        );
        let across = libm::hypot(v[0], v[1]);
        [
            libm::atan2(v[1], v[0]).to_degrees().rem_euclid(360.0),
            libm::atan2(v[2], across).to_degrees(),
        ]
    }

    /// The map from pixels (x, y; centres are whole numbers) to the plane that fits their right ascensions and declinations (degrees,
    /// `[y][x]`) best, and its largest error, arcsec. None where fewer than three pixels have any, or all are on one line.
    #[must_use]
    pub fn pixels(&self, ra: &[f64], dec: &[f64], nx: usize) -> Option<(Affine, f64)> {
        let known = |(a, d): (&f64, &f64)| match a.is_finite() && d.is_finite() {
            true => self.project(direction(*a, *d)),
            false => [f64::NAN; 2],
        };
        fitted(ra.iter().zip(dec).map(known), nx)
    }
}

/// The map from pixels (x, y; centres are whole numbers) of an image of `nx` columns to a plane that fits where they lie there best, and
/// its largest error; what is not finite does not count. None where fewer than three are known, or all are on one line.
#[must_use]
pub fn fitted(places: impl Iterator<Item = Point>, nx: usize) -> Option<(Affine, f64)> {
    let nx = nx.max(1);
    let all: Vec<(Point, Point)> = places
        .enumerate()
        .filter(|(_, to)| to[0].is_finite() && to[1].is_finite())
        .map(|(i, to)| ([(i % nx) as f64, (i / nx) as f64], to))
        .collect();
    let n = all.len() as f64;
    let mean = |f: &dyn Fn(&(Point, Point)) -> f64| all.iter().map(f).sum::<f64>() / n;
    let (mx, my) = (mean(&|p| p.0[0]), mean(&|p| p.0[1]));
    let to = [0, 1].map(|k| mean(&|p| p.1[k]));
    let xx = mean(&|p| (p.0[0] - mx).powi(2));
    let yy = mean(&|p| (p.0[1] - my).powi(2));
    let xy = mean(&|p| (p.0[0] - mx) * (p.0[1] - my));
    let det = xx * yy - xy * xy;
    let slopes = [0, 1].map(|k| {
        let x = mean(&|p| (p.0[0] - mx) * (p.1[k] - to[k]));
        let y = mean(&|p| (p.0[1] - my) * (p.1[k] - to[k]));
        [(x * yy - y * xy) / det, (y * xx - x * xy) / det]
    });
    let [[a, c], [b, d]] = slopes;
    let out = Affine([a, b, c, d, to[0] - a * mx - c * my, to[1] - b * mx - d * my]);
    let worst = all.iter().fold(0.0, |m: f64, (from, to)| {
        let p = out.apply(*from);
        m.max(libm::hypot(p[0] - to[0], p[1] - to[1]))
    });
    (det > 1e-9 && out.inverse().is_some()).then_some((out, worst))
}

/// A tangent plane on the page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sky {
    /// The plane.
    pub plane: Tangent,
    /// Where on the page.
    pub area: Rect,
    /// Coordinates of the plane in the middle of the area.
    pub middle: Point,
    /// Points an arcsecond.
    pub scale: f64,
}

impl Sky {
    /// The plane such that what lies between two of its corners (least and greatest east and north) fills `inner`, which is part of
    /// `area`.
    #[must_use]
    pub fn fitted(plane: Tangent, area: Rect, inner: Rect, [low, high]: [Point; 2]) -> Self {
        let size = [0, 1].map(|k| (high[k] - low[k]).max(1e-6));
        let scale = (inner.w / size[0]).min(inner.h / size[1]);
        let middle = [0, 1].map(|k| 0.5 * (low[k] + high[k]));
        let (to, of) = (inner.middle(), area.middle());
        Self {
            plane,
            area,
            // what is to be in the middle of the inner part
            middle: [
                middle[0] - (of[0] - to[0]) / scale,
                middle[1] - (of[1] - to[1]) / scale,
            ],
            scale,
        }
    }

    /// From the plane to the page.
    #[must_use]
    pub fn place(&self) -> Affine {
        let [x, y] = self.area.middle();
        let s = self.scale;
        Affine([
            -s,
            0.0,
            0.0,
            -s,
            x + s * self.middle[0],
            y + s * self.middle[1],
        ])
    }

    /// Ticks and titles below and on the left: where lines of equal right ascension and declination meet the edges.
    #[must_use]
    pub fn sides(&self, size: f64) -> Vec<Item> {
        let area = self.area;
        let many = |room: f64| room.clamp(1.0, 8.0) as usize;
        let below = self.edge(
            [area.x, area.bottom()],
            [area.right(), area.bottom()],
            Sexagesimal::Hours,
            many(area.w / (9.5 * size)),
        );
        let left = self.edge(
            [area.x, area.y],
            [area.x, area.bottom()],
            Sexagesimal::Degrees,
            many(area.h / (2.6 * size)),
        );
        let left = left
            .into_iter()
            .map(|(at, label)| (area.h - at, label))
            .collect();
        vec![
            labelled(
                area,
                Side::Bottom,
                below,
                "Right ascension (ICRS)",
                size,
                Colour::BLACK,
            ),
            labelled(
                area,
                Side::Left,
                left,
                "Declination (ICRS)",
                size,
                Colour::BLACK,
            ),
        ]
    }

    /// Ticks along an edge, points from its beginning: the first with its whole label, the others without what was said.
    fn edge(&self, from: Point, to: Point, kind: Sexagesimal, most: usize) -> Vec<(f64, String)> {
        let Some(back) = self.place().inverse() else {
            return Vec::new();
        };
        let length = libm::hypot(to[0] - from[0], to[1] - from[1]);
        let mut last = None;
        let values: Vec<f64> = (0..=SAMPLES)
            .map(|i| {
                let t = i as f64 / SAMPLES as f64;
                let p = [0, 1].map(|k| from[k] + t * (to[k] - from[k]));
                let [ra, dec] = self.plane.sky(back.apply(p));
                match kind {
                    Sexagesimal::Degrees => dec,
                    Sexagesimal::Hours => {
                        // without a jump along the edge
                        let before = *last.get_or_insert(ra);
                        let near = before + (ra - before + 180.0).rem_euclid(360.0) - 180.0;
                        last = Some(near);
                        near
                    }
                }
            })
            .collect();
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut found: Vec<(f64, String)> = Vec::new();
        for tick in sexagesimal(low, high, kind, most) {
            for (i, pair) in values.windows(2).enumerate() {
                let (a, b) = (pair[0] - tick.at, pair[1] - tick.at);
                if (a <= 0.0) == (b <= 0.0) {
                    continue;
                }
                let t = (i as f64 + a / (a - b)) / SAMPLES as f64;
                found.push((t * length, tick.label.clone()));
            }
        }
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        let full: Vec<String> = found.iter().map(|f| f.1.clone()).collect();
        for (i, f) in found.iter_mut().enumerate().skip(1) {
            f.1 = short(&full[i], &full[i - 1]).to_owned();
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::figure::Figure;
    use super::super::text::plain;
    use super::*;

    fn labels(ra: f64, dec: f64, half: f64) -> Vec<String> {
        let area = Rect::new(80.0, 20.0, 600.0, 200.0);
        let sky = Sky::fitted(
            Tangent::new(ra, dec),
            area,
            area,
            [[-3.0 * half, -half], [3.0 * half, half]],
        );
        let mut f = Figure::new(720.0, 300.0, "");
        f.items = sky.sides(8.0);
        f.texts().iter().map(|t| plain(&t.0.text)).collect()
    }

    #[test]
    fn the_plane_and_back() {
        for (ra, dec) in [(10.0, 20.0), (359.999, -16.0), (123.0, 89.9995)] {
            let plane = Tangent::new(ra, dec);
            for p in [[3.0, -4.0], [-100.0, 7.0]] {
                let [a, d] = plane.sky(p);
                let q = plane.project(direction(a, d));
                assert!((p[0] - q[0]).abs() < 1e-6 && (p[1] - q[1]).abs() < 1e-6);
            }
        }
        assert!(Tangent::new(0.0, 0.0).project([-1.0, 0.0, 0.0])[0].is_nan());
    }

    #[test]
    fn ticks_across_right_ascension_zero() {
        let all = labels(0.0, 0.0, 10.5);
        assert_eq!(all[..5], ["00ʰ00ᵐ02ˢ", "01ˢ", "00ˢ", "23ʰ59ᵐ59ˢ", "58ˢ"]);
        assert!(all.contains(&"+00°00′10″".to_owned()), "{all:?}");
        assert!(all.contains(&"−00°00′05″".to_owned()), "{all:?}");
    }

    #[test]
    fn ticks_near_the_pole() {
        // 20 arcsec from it: right ascension runs through most of a circle along the edge
        let all = labels(40.0, 90.0 - 20.0 / 3600.0, 30.0);
        let hours = all.iter().filter(|l| l.contains('ʰ')).count();
        assert!(hours >= 3, "{all:?}");
        assert!(all.iter().any(|l| l.starts_with("+89°")), "{all:?}");
    }

    #[test]
    fn pixels_on_the_plane() {
        let plane = Tangent::new(359.9999, -20.0);
        let turned = Affine([-0.1, 0.02, 0.02, 0.1, 1.0, -2.0]);
        let (nx, ny) = (7, 5);
        let (mut ra, mut dec) = (Vec::new(), Vec::new());
        for i in 0..nx * ny {
            let [a, d] = plane.sky(turned.apply([(i % nx) as f64, (i / nx) as f64]));
            ra.push(a);
            dec.push(d);
        }
        ra[3] = f64::NAN;
        let (found, worst) = plane.pixels(&ra, &dec, nx).expect("a fit");
        assert!(worst < 1e-6);
        for (a, b) in found.0.iter().zip(turned.0) {
            assert!((a - b).abs() < 1e-7, "{found:?}");
        }
        assert!(plane.pixels(&ra[..2], &dec[..2], nx).is_none());
        assert!(plane.pixels(&[], &[], 0).is_none());
    }
}
