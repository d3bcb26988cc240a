//! A figure as pixels, antialiased.
//!
//! Paths are [`tiny_skia`]'s work. The pixels of a [`Picture`] are sampled on a finer grid of each pixel drawn, so that their edges are as
//! smooth as lines, also where the picture is turned, and nothing is blurred between them.

use std::cell::OnceCell;

use tiny_skia::{
    FillRule, LineCap, LineJoin, Mask, Paint, PathBuilder, Pixmap, PremultipliedColorU8,
    StrokeDash, Transform,
};

use super::figure::{Affine, Colour, Figure, Item, Path, Picture, Rect, Segment, Stroke};
use super::text;
use crate::{Error, Result};

/// Samples a side of a pixel of a picture.
const FINE: usize = 4;
/// All of them.
const SAMPLES: u32 = (FINE * FINE) as u32;
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
    // what is laid over an opaque ground is opaque
    let ground = figure.background.is_some_and(|c| c.0[3] == 255);
    let opaque = ground || canvas.pixmap.pixels().iter().all(|p| p.is_opaque());
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
        let (w, h) = (self.pixmap.width() as usize, self.pixmap.height() as usize);
        let page = Rect::new(0.0, 0.0, w as f64 / self.scale, h as f64 / self.scale);
        let clip = clip.unwrap_or(page);
        let Some(lattice) = Lattice::new(picture, clip, self.scale) else {
            return;
        };
        let corners = [[0, 0], [nx, 0], [0, ny], [nx, ny]]
            .map(|[x, y]| picture.place.apply([x as f64, y as f64]));
        let range = |k: usize, low: f64, high: f64, n: usize| {
            let of = |f: fn(f64, f64) -> f64| corners.iter().map(|c| c[k]).fold(corners[0][k], f);
            let from = (of(f64::min).max(low) * self.scale).floor().max(0.0) as usize;
            let to = (of(f64::max).min(high) * self.scale).ceil().max(0.0) as usize;
            from..to.min(n)
        };
        let columns = range(0, clip.x, clip.right(), w);
        let pixels = self.pixmap.pixels_mut();
        for row in range(1, clip.y, clip.bottom(), h) {
            for column in columns.clone() {
                let at = [column, row].map(|v| (v as f64 + 0.5) / self.scale);
                let pixel = &mut pixels[row * w + column];
                match lattice.whole(at).map(|i| picture.pixels[i].0) {
                    Some([_, _, _, 0]) => {}
                    Some([r, g, b, 255]) => {
                        if let Some(p) = PremultipliedColorU8::from_rgba(r, g, b, 255) {
                            *pixel = p;
                        }
                    }
                    Some([r, g, b, a]) => {
                        let [r, g, b, a] = [r, g, b, a].map(u32::from);
                        lay(pixel, [r * a, g * a, b * a, a].map(|v| v * SAMPLES));
                    }
                    None => lay(pixel, lattice.sum(at)),
                }
            }
        }
    }
}

/// Where a picture lies under the pixels of a page.
struct Lattice<'p> {
    picture: &'p Picture,
    back: Affine,
    clip: Rect,
    /// Half a side of a page's pixel, points.
    half: f64,
    /// Half of what it covers of columns and rows of the picture.
    reach: [f64; 2],
}

impl<'p> Lattice<'p> {
    /// None where the picture has no area.
    fn new(picture: &'p Picture, clip: Rect, scale: f64) -> Option<Self> {
        let back = picture.place.inverse()?;
        let half = 0.5 / scale;
        let [a, b, c, d, ..] = back.0;
        Some(Self {
            picture,
            back,
            clip,
            half,
            reach: [(a.abs() + c.abs()) * half, (b.abs() + d.abs()) * half],
        })
    }

    /// The picture's pixel that all of a page's pixel about this place lies in; none where there are several, or it reaches beyond the
    /// picture or the clip.
    fn whole(&self, at: [f64; 2]) -> Option<usize> {
        let (clip, half) = (&self.clip, self.half);
        let clipped = at[0] - half < clip.x
            || at[0] + half > clip.right()
            || at[1] - half < clip.y
            || at[1] + half > clip.bottom();
        let [u, v] = self.back.apply(at);
        let [du, dv] = self.reach;
        let (nx, ny) = (self.picture.nx, self.picture.ny);
        let inside = u >= du && v >= dv && u + du < nx as f64 && v + dv < ny as f64;
        if clipped || !inside {
            return None;
        }
        // not negative, so that a conversion rounds down
        let [low, high] = [[u - du, v - dv], [u + du, v + dv]].map(|p| p.map(|v| v as usize));
        (low == high).then_some(low[1] * nx + low[0])
    }

    /// Red, green and blue times opacity, and opacity, in sum over the samples of a page's pixel.
    fn sum(&self, at: [f64; 2]) -> [u32; 4] {
        let (clip, fine) = (&self.clip, 2.0 * self.half / FINE as f64);
        let mut sum = [0u32; 4];
        for j in 0..FINE {
            let y = at[1] - self.half + (j as f64 + 0.5) * fine;
            for i in 0..FINE {
                let x = at[0] - self.half + (i as f64 + 0.5) * fine;
                if x < clip.x || x >= clip.right() || y < clip.y || y >= clip.bottom() {
                    continue;
                }
                let [u, v] = self.back.apply([x, y]);
                let (nx, ny) = (self.picture.nx, self.picture.ny);
                if u < 0.0 || v < 0.0 || u >= nx as f64 || v >= ny as f64 {
                    continue;
                }
                let [r, g, b, a] = self.picture.pixels[v as usize * nx + u as usize].0;
                let a = u32::from(a);
                for (s, c) in sum.iter_mut().zip([r, g, b]) {
                    *s += u32::from(c) * a;
                }
                sum[3] += a;
            }
        }
        sum
    }
}

/// Lays what [`Lattice::sum`] gives over a pixel: both are multiplied by their opacity.
fn lay(at: &mut PremultipliedColorU8, sum: [u32; 4]) {
    if sum[3] == 0 {
        return;
    }
    let rest = 255 * SAMPLES - sum[3];
    let over = |new: u32, old: u8| {
        let old = u32::from(old) * rest;
        ((new + old + SAMPLES * 255 / 2) / (SAMPLES * 255)).min(255) as u8
    };
    let alpha = over(sum[3] * 255, at.alpha());
    let [r, g, b] = [
        over(sum[0], at.red()),
        over(sum[1], at.green()),
        over(sum[2], at.blue()),
    ]
    .map(|c| c.min(alpha));
    if let Some(p) = PremultipliedColorU8::from_rgba(r, g, b, alpha) {
        *at = p;
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
