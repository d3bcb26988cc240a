//! A figure as pixels, antialiased.
//!
//! Paths are [`tiny_skia`]'s work. The pixels of a [`Picture`] are sampled on a finer grid of each pixel drawn, so that their edges are as
//! smooth as lines, also where the picture is turned, and nothing is blurred between them.

use std::cell::OnceCell;

use tiny_skia::{
    FillRule, LineCap, LineJoin, Mask, Paint, PathBuilder, Pixmap, StrokeDash, Transform,
};

use super::figure::{Affine, Colour, Figure, Item, Path, Picture, Rect, Segment, Stroke};
use super::text;
use crate::{Error, Result};

/// Samples a side of a pixel of a picture.
const FINE: usize = 4;
/// Largest width or height, pixels.
const LARGEST: f64 = 20_000.0;

/// Pixels of a figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels {
    /// Columns.
    pub width: usize,
    /// Red, green, blue and opacity of one after the other, rows from top to bottom.
    pub bytes: Vec<u8>,
}

impl Pixels {
    /// The pixels.
    #[must_use]
    pub fn pixels(&self) -> &[[u8; 4]] {
        self.bytes.as_chunks().0
    }
}

/// Draws a figure `width` pixels wide.
///
/// # Errors
/// [`Error::Parameter`] for a size that no picture has.
pub fn render(figure: &Figure, width: usize) -> Result<Pixels> {
    let scale = width as f64 / figure.width;
    let height = (figure.height * scale).round();
    let sane = scale > 0.0 && (1.0..=LARGEST).contains(&height) && width as f64 <= LARGEST;
    let made = sane.then(|| Pixmap::new(width as u32, height as u32));
    let Some(mut pixmap) = made.flatten() else {
        return Err(Error::parameter(format!(
            "a picture of {width} x {height} pixels cannot be made; give a width up to {LARGEST:.0}"
        )));
    };
    if let Some(colour) = figure.background {
        let [r, g, b, a] = colour.0;
        pixmap.fill(tiny_skia::Color::from_rgba8(r, g, b, a));
    }
    let mut canvas = Canvas { pixmap, scale };
    canvas.items(&figure.items, None);
    let opaque = canvas.pixmap.pixels().iter().all(|p| p.is_opaque());
    Ok(Pixels {
        width,
        bytes: match opaque {
            true => canvas.pixmap.take(),
            false => canvas.pixmap.take_demultiplied(),
        },
    })
}

/// What may be drawn on: a rectangle in points, and the same as a mask, which is made when something reaches beyond it.
struct Clip {
    area: Rect,
    mask: OnceCell<Option<Mask>>,
}

struct Canvas {
    pixmap: Pixmap,
    scale: f64,
}

impl Canvas {
    fn items(&mut self, items: &[Item], clip: Option<&Clip>) {
        for item in items {
            match item {
                Item::Path { path, fill, stroke } => {
                    self.path(path, *fill, stroke.as_ref(), clip);
                }
                Item::Text(t) => {
                    let outline = text::outline(t);
                    if let Some((colour, width)) = t.halo {
                        self.path(
                            &outline,
                            None,
                            Some(&Stroke::new(colour, 2.0 * width)),
                            clip,
                        );
                    }
                    self.path(&outline, Some(t.colour), None, clip);
                }
                Item::Picture(p) => self.picture(p, clip.map(|c| c.area)),
                Item::Group {
                    clip: None, items, ..
                } => self.items(items, clip),
                Item::Group {
                    clip: Some(area),
                    items,
                    ..
                } => {
                    if let Some(inner) = self.clip(*area, clip) {
                        self.items(items, Some(&inner));
                    }
                }
            }
        }
    }

    /// What is left of a rectangle within a clip; none where that is nothing.
    fn clip(&self, area: Rect, within: Option<&Clip>) -> Option<Clip> {
        let outer = within.map_or(area, |c| c.area);
        let (x, y) = (area.x.max(outer.x), area.y.max(outer.y));
        let (right, bottom) = (
            area.right().min(outer.right()),
            area.bottom().min(outer.bottom()),
        );
        let left = right > x && bottom > y;
        left.then(|| Clip {
            area: Rect::new(x, y, right - x, bottom - y),
            mask: OnceCell::new(),
        })
    }

    /// The mask that something of these bounds (points) needs.
    fn mask<'c>(&self, clip: Option<&'c Clip>, bounds: Rect) -> Option<&'c Mask> {
        let clip = clip.filter(|c| !c.area.holds(&bounds))?;
        let made = clip.mask.get_or_init(|| {
            let mut mask = Mask::new(self.pixmap.width(), self.pixmap.height())?;
            let edge = built(&Path::rect(clip.area))?;
            mask.fill_path(&edge, FillRule::Winding, true, self.transform());
            Some(mask)
        });
        made.as_ref()
    }

    fn transform(&self) -> Transform {
        Transform::from_scale(self.scale as f32, self.scale as f32)
    }

    fn path(
        &mut self,
        path: &Path,
        fill: Option<Colour>,
        stroke: Option<&Stroke>,
        clip: Option<&Clip>,
    ) {
        let Some(path) = built(path) else { return };
        let transform = self.transform();
        let bounds = path.bounds();
        let width = stroke.map_or(0.0, |s| s.width);
        let bounds = Rect::new(
            f64::from(bounds.left()),
            f64::from(bounds.top()),
            f64::from(bounds.width()),
            f64::from(bounds.height()),
        )
        .inset(-width);
        let mask = self.mask(clip, bounds);
        if let Some(colour) = fill {
            self.pixmap
                .fill_path(&path, &paint(colour), FillRule::EvenOdd, transform, mask);
        }
        let Some(stroke) = stroke.filter(|s| s.width > 0.0) else {
            return;
        };
        let how = tiny_skia::Stroke {
            width: stroke.width as f32,
            line_cap: LineCap::Round,
            line_join: LineJoin::Round,
            dash: StrokeDash::new(stroke.dash.iter().map(|v| *v as f32).collect(), 0.0),
            ..Default::default()
        };
        self.pixmap
            .stroke_path(&path, &paint(stroke.colour), &how, transform, mask);
    }

    /// Each pixel drawn is the mean of the picture at its samples.
    fn picture(&mut self, picture: &Picture, clip: Option<Rect>) {
        let (nx, ny) = (picture.nx, picture.ny);
        if nx == 0 || ny == 0 || picture.pixels.len() != nx * ny {
            return;
        }
        let Some(back) = picture.place.inverse() else {
            return;
        };
        let (w, h) = (self.pixmap.width() as usize, self.pixmap.height() as usize);
        let page = Rect::new(0.0, 0.0, w as f64 / self.scale, h as f64 / self.scale);
        let clip = clip.unwrap_or(page);
        let corners = [[0, 0], [nx, 0], [0, ny], [nx, ny]]
            .map(|[x, y]| picture.place.apply([x as f64, y as f64]));
        let range = |k: usize, low: f64, high: f64, n: usize| {
            let of = |f: fn(f64, f64) -> f64| corners.iter().map(|c| c[k]).fold(corners[0][k], f);
            let from = (of(f64::min).max(low) * self.scale).floor().max(0.0) as usize;
            let to = (of(f64::max).min(high) * self.scale).ceil().max(0.0) as usize;
            from..to.min(n)
        };
        let rows = range(1, clip.y, clip.bottom(), h);
        let columns = range(0, clip.x, clip.right(), w);
        let fine = 1.0 / (FINE as f64 * self.scale);
        let all = (FINE * FINE) as u32;
        // most pixels drawn lie in one of the picture; where it is not turned, that is known for rows and columns
        let edges = |i: usize| [i, i + 1].map(|i| i as f64 / self.scale);
        let within = |at: [f64; 2], [low, high]: [f64; 2]| at[0] >= low && at[1] <= high;
        let [a, b, c, d, e, f] = back.0;
        let straight = (b == 0.0 && c == 0.0).then(|| {
            let cell = |at: [f64; 2], [k, m]: [f64; 2], n: usize, ends: [f64; 2]| {
                let [p, q] = at.map(|v| (k * v + m).floor());
                let good = p == q && p >= 0.0 && p < n as f64 && within(at, ends);
                good.then_some(p as usize)
            };
            let across = columns
                .clone()
                .map(|i| cell(edges(i), [a, e], nx, [clip.x, clip.right()]));
            let down = rows
                .clone()
                .map(|i| cell(edges(i), [d, f], ny, [clip.y, clip.bottom()]));
            (across.collect::<Vec<_>>(), down.collect::<Vec<_>>())
        });
        let pixels = self.pixmap.pixels_mut();
        for row in rows.clone() {
            for column in columns.clone() {
                let whole = match &straight {
                    Some((across, down)) => across[column - columns.start]
                        .zip(down[row - rows.start])
                        .map(|(u, v)| v * nx + u),
                    None => {
                        let (x, y) = (edges(column), edges(row));
                        let inside =
                            within(x, [clip.x, clip.right()]) && within(y, [clip.y, clip.bottom()]);
                        inside.then(|| one(&back, x, y, [nx, ny])).flatten()
                    }
                };
                if whole.is_some_and(|i| picture.pixels[i].0[3] == 0) {
                    continue;
                }
                let mut sum = [0u32; 4];
                if let Some(i) = whole {
                    let [r, g, b, a] = picture.pixels[i].0.map(u32::from);
                    sum = [r * a, g * a, b * a, a].map(|v| v * all);
                }
                for j in 0..if whole.is_some() { 0 } else { FINE } {
                    let y = ((row * FINE + j) as f64 + 0.5) * fine;
                    for i in 0..FINE {
                        let x = ((column * FINE + i) as f64 + 0.5) * fine;
                        if x < clip.x || x >= clip.right() || y < clip.y || y >= clip.bottom() {
                            continue;
                        }
                        let [u, v] = back.apply([x, y]);
                        if u < 0.0 || v < 0.0 || u >= nx as f64 || v >= ny as f64 {
                            continue;
                        }
                        let [r, g, b, a] = picture.pixels[v as usize * nx + u as usize].0;
                        let a = u32::from(a);
                        for (s, c) in sum.iter_mut().zip([r, g, b]) {
                            *s += u32::from(c) * a;
                        }
                        sum[3] += a;
                    }
                }
                if sum[3] == 0 {
                    continue;
                }
                let at = &mut pixels[row * w + column];
                // over what is there: both are multiplied by their opacity
                let rest = 255 * all - sum[3];
                let over = |new: u32, old: u8| {
                    let old = u32::from(old) * rest;
                    ((new + old + all * 255 / 2) / (all * 255)).min(255) as u8
                };
                let alpha = over(sum[3] * 255, at.alpha());
                let [r, g, b] = [
                    over(sum[0], at.red()),
                    over(sum[1], at.green()),
                    over(sum[2], at.blue()),
                ]
                .map(|c| c.min(alpha));
                if let Some(p) = tiny_skia::PremultipliedColorU8::from_rgba(r, g, b, alpha) {
                    *at = p;
                }
            }
        }
    }
}

/// The pixel of a picture that a rectangle of the page lies in; none where it lies in several, or outside.
fn one(back: &Affine, x: [f64; 2], y: [f64; 2], [nx, ny]: [usize; 2]) -> Option<usize> {
    let at = |x: f64, y: f64| {
        let [u, v] = back.apply([x, y]);
        (u.floor(), v.floor())
    };
    let (u, v) = at(x[0], y[0]);
    let same = [(x[1], y[0]), (x[0], y[1]), (x[1], y[1])]
        .into_iter()
        .all(|(x, y)| at(x, y) == (u, v));
    let inside = u >= 0.0 && v >= 0.0 && u < nx as f64 && v < ny as f64;
    (same && inside).then(|| v as usize * nx + u as usize)
}

fn paint(Colour([r, g, b, a]): Colour) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(r, g, b, a);
    paint.anti_alias = true;
    paint
}

fn built(path: &Path) -> Option<tiny_skia::Path> {
    let mut out = PathBuilder::new();
    let finite = |points: &[[f64; 2]]| points.iter().flatten().all(|v| v.is_finite());
    let f = |v: f64| v as f32;
    for s in &path.0 {
        match *s {
            Segment::Move(p) if finite(&[p]) => out.move_to(f(p[0]), f(p[1])),
            Segment::Line(p) if finite(&[p]) => out.line_to(f(p[0]), f(p[1])),
            Segment::Quad(c, p) if finite(&[c, p]) => {
                out.quad_to(f(c[0]), f(c[1]), f(p[0]), f(p[1]))
            }
            Segment::Cubic(c, d, p) if finite(&[c, d, p]) => {
                out.cubic_to(f(c[0]), f(c[1]), f(d[0]), f(d[1]), f(p[0]), f(p[1]));
            }
            Segment::Close => out.close(),
            _ => {}
        }
    }
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(items: Vec<Item>) -> Pixels {
        let mut f = Figure::new(10.0, 10.0, "");
        f.items = items;
        render(&f, 20).expect("drawn")
    }

    #[test]
    fn lines_and_areas_are_where_they_should_be() {
        let p = drawn(vec![Item::area(
            Path::rect(Rect::new(2.0, 1.0, 4.0, 2.0)),
            Colour::BLACK,
        )]);
        assert_eq!((p.width, p.pixels().len()), (20, 400));
        let dark = p.pixels().iter().filter(|c| c[0] == 0).count();
        assert_eq!(dark, 8 * 4);
        assert_eq!(p.pixels()[2 * 20 + 4], [0, 0, 0, 255]);
        assert_eq!(p.pixels()[0], [255; 4]);
    }

    #[test]
    fn pictures_stand_upright_and_are_clipped() {
        let area = Rect::new(0.0, 0.0, 10.0, 10.0);
        let picture = Item::Picture(Picture {
            nx: 1,
            ny: 2,
            pixels: vec![Colour::rgb(0xff0000), Colour::rgb(0x0000ff)],
            place: Affine::upright(area, 1, 2),
        });
        let p = drawn(vec![picture.clone()]);
        // the first row is the lowest
        assert_eq!(p.pixels()[0], [0, 0, 255, 255]);
        assert_eq!(p.pixels()[399], [255, 0, 0, 255]);
        let half = Rect::new(0.0, 0.0, 5.0, 10.0);
        let p = drawn(vec![Item::clipped("half", half, vec![picture])]);
        assert_eq!(
            (p.pixels()[9], p.pixels()[10]),
            ([0, 0, 255, 255], [255; 4])
        );
    }

    #[test]
    fn see_through_pixels_let_the_ground_through() {
        let p = drawn(vec![Item::Picture(Picture {
            nx: 1,
            ny: 1,
            pixels: vec![Colour([0, 0, 0, 128])],
            place: Affine::upright(Rect::new(0.0, 0.0, 10.0, 10.0), 1, 1),
        })]);
        assert_eq!(p.pixels()[0], [127, 127, 127, 255]);
        // nonsense draws nothing
        let p = drawn(vec![
            Item::line(
                Path::line([[f64::NAN, 0.0], [3.0, f64::INFINITY]]),
                Stroke::new(Colour::BLACK, 1.0),
            ),
            Item::Picture(Picture {
                nx: 2,
                ny: 2,
                pixels: Vec::new(),
                place: Affine([0.0; 6]),
            }),
        ]);
        assert!(p.pixels().iter().all(|c| *c == [255; 4]));
        assert!(render(&Figure::new(10.0, 10.0, ""), 0).is_err());
    }
}
