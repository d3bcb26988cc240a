//! A figure as pixels, antialiased.
//!
//! Paths are [`tiny_skia`]'s work. The pixels of a [`Picture`] are sampled on a finer grid of each pixel drawn, so that their edges are as
//! smooth as lines, also where the picture is turned, and nothing is blurred between them.

use tiny_skia::{
    FillRule, LineCap, LineJoin, Mask, Paint, PathBuilder, Pixmap, StrokeDash, Transform,
};

use super::figure::{Colour, Figure, Item, Path, Picture, Rect, Segment, Stroke};
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
    /// Red, green, blue and opacity, rows from top to bottom.
    pub pixels: Vec<[u8; 4]>,
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
    let pixels = canvas.pixmap.pixels().iter().map(|p| {
        let c = p.demultiply();
        [c.red(), c.green(), c.blue(), c.alpha()]
    });
    Ok(Pixels {
        width,
        pixels: pixels.collect(),
    })
}

/// What may be drawn on: a rectangle in points, and the same as a mask.
struct Clip {
    area: Rect,
    mask: Mask,
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

    /// A clip within another; none where nothing is left, or the rectangle is none.
    fn clip(&self, area: Rect, within: Option<&Clip>) -> Option<Clip> {
        let mut mask = Mask::new(self.pixmap.width(), self.pixmap.height())?;
        let rule = FillRule::Winding;
        mask.fill_path(&built(&Path::rect(area))?, rule, true, self.transform());
        let area = match within {
            None => area,
            Some(outer) => {
                let (x, y) = (area.x.max(outer.area.x), area.y.max(outer.area.y));
                let (w, h) = (
                    area.right().min(outer.area.right()) - x,
                    area.bottom().min(outer.area.bottom()) - y,
                );
                mask.intersect_path(
                    &built(&Path::rect(outer.area))?,
                    rule,
                    true,
                    self.transform(),
                );
                Rect::new(x, y, w, h)
            }
        };
        (area.w > 0.0 && area.h > 0.0).then_some(Clip { area, mask })
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
        let (transform, mask) = (self.transform(), clip.map(|c| &c.mask));
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
        let pixels = self.pixmap.pixels_mut();
        for row in rows {
            for column in columns.clone() {
                let mut sum = [0u32; 4];
                for j in 0..FINE {
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
    use super::super::figure::Affine;
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
        assert_eq!((p.width, p.pixels.len()), (20, 400));
        let dark = p.pixels.iter().filter(|c| c[0] == 0).count();
        assert_eq!(dark, 8 * 4);
        assert_eq!(p.pixels[2 * 20 + 4], [0, 0, 0, 255]);
        assert_eq!(p.pixels[0], [255; 4]);
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
        assert_eq!(p.pixels[0], [0, 0, 255, 255]);
        assert_eq!(p.pixels[399], [255, 0, 0, 255]);
        let half = Rect::new(0.0, 0.0, 5.0, 10.0);
        let p = drawn(vec![Item::clipped("half", half, vec![picture])]);
        assert_eq!((p.pixels[9], p.pixels[10]), ([0, 0, 255, 255], [255; 4]));
    }

    #[test]
    fn see_through_pixels_let_the_ground_through() {
        let p = drawn(vec![Item::Picture(Picture {
            nx: 1,
            ny: 1,
            pixels: vec![Colour([0, 0, 0, 128])],
            place: Affine::upright(Rect::new(0.0, 0.0, 10.0, 10.0), 1, 1),
        })]);
        assert_eq!(p.pixels[0], [127, 127, 127, 255]);
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
        assert!(p.pixels.iter().all(|c| *c == [255; 4]));
        assert!(render(&Figure::new(10.0, 10.0, ""), 0).is_err());
    }
}
