//! Where the field and the body lie on the sky, and on the images.

use super::Subject;
use crate::math::vector::Vector;
use crate::view::figure::{Affine, Colour, Item, Path, Point, Stroke, Text};
use crate::view::figure::{Align, Level};
use crate::view::sky::Tangent;
use crate::view::wireframe::{Lines, Wireframe, extent};

/// Width of the light rim of lines over images, points.
const RIM: f64 = 1.0;
/// Width of a disc that has room for letters at its poles, in their sizes.
const ROOM: f64 = 4.0;

/// Geometry of a picture: a tangent plane, the spaxels on it, and the body's lines.
#[derive(Clone, Debug)]
pub struct Geometry {
    /// The plane.
    pub plane: Tangent,
    /// From pixels (centres are whole numbers) to the plane, arcsec; none where the field has no directions.
    pub pixels: Option<Affine>,
    /// The body's lines; none for basic navigation.
    pub wireframe: Option<Wireframe>,
    /// The body's centre in the plane.
    pub centre: Option<Point>,
    /// Radius of the equator in spaxels.
    pub radius: Option<f64>,
    /// Angle of the body's north pole, degrees from north to east.
    pub pole: Option<f64>,
    /// Columns and rows.
    size: [usize; 2],
}

fn direction_of(v: Vector) -> [f64; 2] {
    let across = libm::hypot(v[0], v[1]);
    [
        libm::atan2(v[1], v[0]).to_degrees(),
        libm::atan2(v[2], across).to_degrees(),
    ]
}

impl Geometry {
    /// The geometry of a cube.
    #[must_use]
    pub fn new(subject: &Subject) -> Self {
        let [_, ny, nx] = subject.shape;
        // the plane touches the sky at a spaxel near the middle, so that the field is as flat as can be
        let middle = (ny / 2) * nx + nx / 2;
        let known = |i: &usize| {
            let both = [subject.ra.get(*i), subject.dec.get(*i)];
            both.iter().all(|v| v.is_some_and(|v| v.is_finite()))
        };
        let near = |i: &usize| i.abs_diff(middle);
        let start = (0..subject.ra.len()).filter(known).min_by_key(near);
        let [ra, dec] = match (start, subject.globe) {
            (Some(i), _) => [subject.ra[i], subject.dec[i]],
            (None, Some(g)) => direction_of(g.centre()),
            (None, None) => [0.0; 2],
        };
        let plane = Tangent::new(ra, dec);
        let pixels = plane
            .pixels(subject.ra, subject.dec, nx)
            .map(|(place, _)| place);
        let wireframe = match (subject.globe, &pixels) {
            (Some(globe), _) => Some(Wireframe::of(globe, &plane)),
            (None, Some(place)) => {
                let found = Wireframe::of_planes(&subject.planes, nx, subject.target, place);
                (found != Wireframe::default()).then_some(found)
            }
            _ => None,
        };
        let mut out = Self {
            plane,
            pixels,
            wireframe,
            centre: subject.globe.map(|g| plane.project(g.centre())),
            radius: None,
            pole: subject
                .globe
                .map(|g| crate::view::wireframe::north_angle(g, &plane)),
            size: [nx, ny],
        };
        let scale = out.pixel();
        out.radius = subject
            .globe
            .zip(scale)
            .map(|(g, side)| 0.5 * g.diameter() / side);
        out
    }

    /// Side of a spaxel, arcsec.
    #[must_use]
    pub fn pixel(&self) -> Option<f64> {
        let [a, b, c, d, ..] = self.pixels?.0;
        Some((a * d - b * c).abs().sqrt())
    }

    /// Corners of the field in the plane.
    #[must_use]
    pub fn field(&self) -> Vec<Point> {
        let [nx, ny] = self.size.map(|n| n as f64 - 0.5);
        let corners = [[-0.5, -0.5], [nx, -0.5], [nx, ny], [-0.5, ny]];
        let place = self.pixels.iter();
        place.flat_map(|p| corners.map(|c| p.apply(c))).collect()
    }

    /// What the sky has to show: the body alone where it is larger than the field and in it, else both.
    #[must_use]
    pub fn limits(&self, on_body: bool) -> [Point; 2] {
        let body = self.wireframe.as_ref().and_then(Wireframe::extent);
        let larger = self
            .radius
            .is_some_and(|r| r > self.size[0].max(self.size[1]) as f64);
        let field = match (body, larger && on_body) {
            (Some(_), true) => Vec::new(),
            _ => self.field(),
        };
        let body = body.into_iter().flatten();
        let centre = self.centre.into_iter();
        let all = extent(body.chain(field).chain(centre));
        all.unwrap_or([[-1.0; 2], [1.0; 2]])
    }

    /// From the plane to pixels.
    #[must_use]
    pub fn to_pixels(&self) -> Option<Affine> {
        self.pixels?.inverse()
    }

    /// The body's lines where `to` maps the plane to the page; a cross where the body is smaller than `least` spaxels across its
    /// radius, with the lines beneath or without them. `size` is that of letters at the poles.
    #[must_use]
    pub fn body(&self, to: &Affine, least: f64, size: f64, beneath: bool) -> Vec<Item> {
        let mut out = Vec::new();
        let (Some(wireframe), small) = (&self.wireframe, self.radius.is_some_and(|r| r <= least))
        else {
            return out;
        };
        let place = |lines: &Lines| {
            let mut path = Path::default();
            for line in lines {
                path.extend(Path::line(line.iter().map(|p| to.apply(*p))));
            }
            path
        };
        let rim = Colour::WHITE.faded(0.55);
        let grey = Colour::rgb(0x333333);
        let kinds: [(&str, &Lines, Stroke); 5] = [
            (
                "grid",
                &wireframe.grid,
                Stroke::new(grey, 0.55).dashed(&[0.1, 1.7]),
            ),
            ("rings", &wireframe.rings, Stroke::new(Colour::BLACK, 0.5)),
            (
                "terminator",
                &wireframe.terminator,
                Stroke::new(Colour::BLACK, 0.9).dashed(&[3.2, 2.6]),
            ),
            ("dark limb", &wireframe.dark_limb, Stroke::new(grey, 0.6)),
            ("limb", &wireframe.lit_limb, Stroke::new(Colour::BLACK, 1.2)),
        ];
        let some = kinds.iter().filter(|(_, lines, _)| !lines.is_empty());
        for (name, lines, stroke) in some.filter(|_| beneath || !small) {
            let path = place(lines);
            let under = Stroke::new(rim, stroke.width + RIM);
            // a rim of a dotted line is a whole one
            let under = match *name {
                "grid" => Stroke::new(Colour::WHITE.faded(0.25), stroke.width + 0.6 * RIM),
                _ => under,
            };
            out.push(Item::group(
                *name,
                vec![
                    Item::line(path.clone(), under),
                    Item::line(path, stroke.clone()),
                ],
            ));
        }
        let limb = wireframe.lit_limb.iter().chain(&wireframe.dark_limb);
        let limb = limb.flatten().map(|p| to.apply(*p));
        if small {
            let centre = self.centre.map(|c| to.apply(c)).into_iter();
            out.extend(centre.map(|c| cross(c, 4.0)));
        } else if extent(limb).is_some_and(|[a, b]| b[0] - a[0] > ROOM * size) {
            for (at, name) in &wireframe.poles {
                let text = Text::new(to.apply(*at), *name, size)
                    .anchor(Align::Middle, Level::Middle)
                    .halo(Colour::WHITE.faded(0.8), 1.0);
                out.push(Item::group("pole", vec![Item::Text(text)]));
            }
        }
        out
    }
}

/// A cross with a light rim.
fn cross([x, y]: Point, r: f64) -> Item {
    let mut path = Path::line([[x - r, y - r], [x + r, y + r]]);
    path.extend(Path::line([[x - r, y + r], [x + r, y - r]]));
    Item::group(
        "cross",
        vec![
            Item::line(path.clone(), Stroke::new(Colour::WHITE.faded(0.7), 2.6)),
            Item::line(path, Stroke::new(Colour::BLACK, 1.2)),
        ],
    )
}

/// An arrow from a place along a vector, with a letter beyond its end.
#[must_use]
pub fn arrow(from: Point, along: Point, letter: &str, size: f64, colour: Colour) -> Item {
    let length = libm::hypot(along[0], along[1]);
    if !(length > 0.0 && length.is_finite()) {
        return Item::group("arrow", Vec::new());
    }
    let unit = along.map(|v| v / length);
    let side = [-unit[1], unit[0]];
    let at =
        |forward: f64, aside: f64| [0, 1].map(|k| from[k] + forward * unit[k] + aside * side[k]);
    let head = 0.45 * size;
    let mut shaft = Path::line([from, at(length, 0.0)]);
    shaft.extend(Path::line([
        at(length - head, 0.45 * head),
        at(length, 0.0),
        at(length - head, -0.45 * head),
    ]));
    let rim = Colour::WHITE.faded(0.8);
    let text = Text::new(at(length + 0.72 * size, 0.0), letter, size)
        .colour(colour)
        .anchor(Align::Middle, Level::Middle)
        .halo(rim, 0.9);
    Item::group(
        format!("arrow {letter}"),
        vec![
            Item::line(shaft.clone(), Stroke::new(rim, 2.6)),
            Item::line(shaft, Stroke::new(colour, 0.9)),
            Item::Text(text),
        ],
    )
}
