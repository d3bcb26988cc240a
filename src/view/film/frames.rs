//! The frames of a film: what of the page is different in each, and how it is drawn.
//!
//! Only three kinds of things change: pictures, the limits beside colour bars, and where in the spectrum the frame is. A frame is
//! drawn as what is other than in the frame before ([`Film::change`]), without a page in between; [`Film::frame`] is the whole page.

use std::ops::Range;

use super::limits::limits;
use super::panels::{Panel, Shows};
use super::stage::{BACK, BARS, Bar, Film};
use crate::Result;
use crate::formats::raster::film::Piece;
use crate::view::figure::{Align, Colour, Figure, Item, Level, Rect, Text};
use crate::view::{render, text};

/// Of the spectrum, where the frame is.
const BAND: u8 = 58;
/// The same where it is a line.
const LINE: u8 = 150;

/// What is drawn of a frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drawn {
    /// Places in the palette of the spaxels of each image; the one that is see-through for those without a value.
    levels: Vec<Vec<u8>>,
    labels: Vec<Label>,
    /// Columns of the page that the frame has in the spectrum.
    band: Range<usize>,
    /// Their grey.
    shade: u8,
}

/// A text in a rectangle of its own.
#[derive(Clone, Debug, PartialEq)]
struct Label {
    text: Text,
    corner: [usize; 2],
    width: usize,
    pixels: Vec<u8>,
}

impl Label {
    fn rows(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let rows = self.pixels.chunks_exact(self.width.max(1)).enumerate();
        rows.map(|(k, row)| (self.corner[1] + k, row))
    }
}

/// A rectangle of pixels of the page.
struct Window<'a> {
    left: usize,
    top: usize,
    width: usize,
    pixels: &'a mut [u8],
}

impl Window<'_> {
    /// Pixels of a row of the page, from a column on; none where it has none of them.
    fn row(&mut self, x: usize, y: usize, width: usize) -> Option<&mut [u8]> {
        let x = x.checked_sub(self.left)?;
        let width = width.min(self.width.checked_sub(x)?);
        let from = y.checked_sub(self.top)? * self.width + x;
        self.pixels.get_mut(from..from + width)
    }
}

impl Film {
    /// Kinds of pictures that the film has.
    fn kinds(&self) -> &'static [Shows] {
        match self.apart {
            true => &[Shows::Flux, Shows::Kelvin, Shows::Apart],
            false => &[Shows::Flux, Shows::Kelvin],
        }
    }

    /// Place of a panel's image among those of a frame.
    fn image(&self, panel: &Panel) -> usize {
        2 * (panel.dither * self.kinds().len() + self.map_of(panel.shows)) + usize::from(panel.map)
    }

    /// Values that a kind of picture shows of each dither in a frame.
    fn values(&self, shows: Shows, frame: usize) -> Vec<&[f32]> {
        self.dithers
            .iter()
            .map(|d| {
                let all = match shows {
                    Shows::Flux => Some(&d.flux),
                    Shows::Kelvin => Some(&d.kelvin),
                    Shows::Apart => d.apart.as_ref(),
                };
                all.and_then(|a| a.get(frame))
                    .map_or(&[][..], Vec::as_slice)
            })
            .collect()
    }

    /// Limits of the colours of a kind of picture.
    fn limits(&self, shows: Shows, images: &[&[f32]]) -> Option<[f64; 2]> {
        let masked = shows != Shows::Flux && self.dithers.iter().any(|d| d.disc.contains(&true));
        let values = images.iter().zip(&self.dithers).flat_map(|(image, d)| {
            image
                .iter()
                .zip(&d.disc)
                .filter(move |(_, on)| !masked || **on)
                .map(|(v, _)| *v)
        });
        let symmetric = self.apart && shows != Shows::Kelvin;
        limits(
            values,
            self.options.percentile,
            self.options.tail,
            symmetric,
        )
    }

    /// Wavelengths of a frame, micron.
    fn wavelengths(&self, frame: usize) -> &[f64] {
        let from = frame * self.options.step;
        let to = (from + self.options.step).min(self.wavelength.len());
        self.wavelength.get(from..to).unwrap_or_default()
    }

    /// What a frame shows; texts that another one has too are not drawn anew.
    ///
    /// # Errors
    /// None but those of drawing text.
    pub fn drawn(&self, frame: usize, other: Option<&Drawn>) -> Result<Drawn> {
        let mut out = Drawn {
            levels: vec![Vec::new(); 2 * self.kinds().len() * self.dithers.len()],
            ..Drawn::default()
        };
        for shows in self.kinds() {
            let images = self.values(*shows, frame);
            let limits = self.limits(*shows, &images);
            let map = self.map_of(*shows);
            let [low, high] = limits.unwrap_or_default();
            let level = |v: &f32| -> u8 {
                let part = if high > low {
                    (f64::from(*v) - low) / (high - low)
                } else {
                    0.5
                };
                match v.is_finite() && limits.is_some() {
                    true => self.palette.level(map, part),
                    false => self.palette.clear(),
                }
            };
            for panel in self.panels.iter().filter(|p| p.shows == *shows) {
                let to = &mut out.levels[self.image(panel)];
                if to.is_empty() {
                    let image = images[panel.dither];
                    *to = match panel.map {
                        true => self.maps[panel.dither]
                            .of(image)
                            .iter()
                            .map(level)
                            .collect(),
                        false => image.iter().map(level).collect(),
                    };
                }
            }
            if let Some(bar) = self.bars.iter().find(|b| b.shows == *shows) {
                self.ends(bar, limits, other, &mut out.labels)?;
            }
        }
        self.cursor(frame, other, &mut out)?;
        Ok(out)
    }

    /// Draws a text in a rectangle.
    fn label(&self, area: Rect, text: Text, other: Option<&Drawn>) -> Result<Label> {
        let px = |v: f64| (v * self.scale).round() as usize;
        let (corner, width, height) = ([px(area.x), px(area.y)], px(area.w), px(area.h));
        let mut known = other.iter().flat_map(|d| &d.labels);
        if let Some(same) = known.find(|l| l.corner == corner && l.text == text) {
            return Ok(same.clone());
        }
        let mut small = Figure::new(width as f64 / self.scale, height as f64 / self.scale, "");
        small.background = Some(BACK);
        small.items.push(Item::Text(text.clone()));
        Ok(Label {
            text,
            corner,
            width,
            pixels: self.greys(render(&small, width)?.pixels()),
        })
    }

    /// Limits beside a colour bar.
    fn ends(
        &self,
        bar: &Bar,
        limits: Option<[f64; 2]>,
        other: Option<&Drawn>,
        labels: &mut Vec<Label>,
    ) -> Result<()> {
        let high = 96.0f64.min(0.5 * bar.area.h);
        let x = BARS[0] + BARS[1] + 3.0;
        let places = [bar.area.bottom() - 0.5 * high, bar.area.y + 0.5 * high];
        for (k, middle) in places.into_iter().enumerate() {
            let area = Rect::new(x, middle - 0.5 * high, 22.0, high);
            let label = match (limits, bar.shows) {
                (None, _) => "no data".to_owned(),
                (Some(l), Shows::Flux) => short(l[k], self.apart),
                (Some(l), Shows::Kelvin) => format!("{:.0}", l[k]),
                (Some(l), Shows::Apart) => format!("{:+.2}", l[k]).replace('-', "−"),
            };
            // the end of the text that is nearer to the bar's end
            let (y, align) = if k == 0 {
                (high, Align::Left)
            } else {
                (0.0, Align::Right)
            };
            let text = Text::new([9.0, y], label, 10.0)
                .colour(Colour::WHITE)
                .anchor(align, Level::Middle)
                .turned(90.0);
            labels.push(self.label(area, text, other)?);
        }
        Ok(())
    }

    /// Where the frame is in the spectrum.
    fn cursor(&self, frame: usize, other: Option<&Drawn>, out: &mut Drawn) -> Result<()> {
        let these = self.wavelengths(frame);
        let axes = self.axes.area;
        let (Some(first), Some(last)) = (these.first(), these.last()) else {
            return Ok(());
        };
        let mean = these.iter().sum::<f64>() / these.len() as f64;
        // half a step on either side, so that no wavelength seems left out
        let half = if these.len() > 1 {
            0.5 * (last - first) / (these.len() - 1) as f64
        } else {
            0.0
        };
        let at = |w: f64| self.axes.place(w, 0.0)[0].clamp(axes.x, axes.right());
        let px = |v: f64| (v * self.scale).round() as usize;
        let (left, right) = (px(at(first - half)), px(at(last + half)));
        out.band = left..right.max(left + px(0.5).max(1)).min(self.size[0]);
        out.shade = self.palette.grey(if these.len() > 1 { BAND } else { LINE });
        let label = if self.options.step > 1 {
            format!("{mean:.2} µm")
        } else {
            format!("{mean:.3} µm")
        };
        let area = Rect::new(axes.x - 20.0, axes.y - 26.0, axes.w + 40.0, 22.0);
        let half = 0.5 * text::width(&label, 14.0);
        let x = (at(mean) - area.x).clamp(half, area.w - half);
        let text = Text::new([x, 11.0], label, 14.0)
            .colour(Colour::WHITE)
            .anchor(Align::Middle, Level::Middle);
        out.labels.push(self.label(area, text, other)?);
        Ok(())
    }

    /// The pixels of a frame as places in the palette, rows from the top.
    ///
    /// # Errors
    /// None but those of drawing text.
    pub fn frame(&self, frame: usize) -> Result<Vec<u8>> {
        let mut page = self.base.clone();
        let mut window = Window {
            left: 0,
            top: 0,
            width: self.size[0],
            pixels: &mut page,
        };
        let none = Drawn {
            levels: vec![Vec::new(); 2 * self.kinds().len() * self.dithers.len()],
            ..Drawn::default()
        };
        self.lay(&none, &self.drawn(frame, None)?, &mut window);
        for (at, colour) in &self.over {
            page[*at] = *colour;
        }
        Ok(page)
    }

    /// The first frame, whole.
    ///
    /// # Errors
    /// As [`Self::frame`].
    pub fn first(&self) -> Result<Piece> {
        Ok(Piece {
            left: 0,
            top: 0,
            // not larger: `sheet` says so
            width: self.size[0] as u16,
            height: self.size[1] as u16,
            pixels: self.frame(0)?,
        })
    }

    /// What is to be laid over one frame to get another.
    pub fn change(&self, before: &Drawn, now: &Drawn, to: &mut Piece) {
        let [left, top, right, bottom] = self.moving(now);
        let (width, height) = (right - left, bottom - top);
        to.pixels.clear();
        to.pixels.resize(width * height, self.palette.clear());
        let mut window = Window {
            left,
            top,
            width,
            pixels: &mut to.pixels,
        };
        self.lay(before, now, &mut window);
        for (at, _) in &self.over {
            let row = window.row(at % self.size[0], at / self.size[0], 1);
            if let Some([pixel]) = row {
                *pixel = self.palette.clear();
            }
        }
        let sides = [left, top, width, height];
        [to.left, to.top, to.width, to.height] = sides.map(|v| v as u16);
    }

    /// The part of the page that frames differ in: left, top, right and bottom.
    fn moving(&self, some: &Drawn) -> [usize; 4] {
        let px = |v: f64| (v * self.scale).round() as usize;
        let axes = self.axes.area;
        let spectrum = [px(axes.x), px(axes.y), px(axes.right()), px(axes.bottom())];
        let labels = some.labels.iter().map(|l| {
            let [x, y] = l.corner;
            [x, y, x + l.width, y + l.pixels.len() / l.width.max(1)]
        });
        let panels = self.panels.iter().map(|p| {
            let [x, y] = p.corner;
            [x, y, x + p.size[0], y + p.size[1]]
        });
        let all = labels.chain(panels).fold(spectrum, |a, b| {
            [
                a[0].min(b[0]),
                a[1].min(b[1]),
                a[2].max(b[2]),
                a[3].max(b[3]),
            ]
        });
        [
            all[0],
            all[1],
            all[2].min(self.size[0]),
            all[3].min(self.size[1]),
        ]
    }

    /// Draws what is other than before.
    fn lay(&self, before: &Drawn, now: &Drawn, to: &mut Window) {
        let clear = self.palette.clear();
        for panel in &self.panels {
            let image = self.image(panel);
            let (then, levels) = (&before.levels[image], &now.levels[image]);
            for run in &panel.runs {
                let i = run.spaxel as usize;
                let of = |l: &[u8]| l.get(i).copied().unwrap_or(clear);
                let level = of(levels);
                if level == of(then) {
                    continue;
                }
                let [x, y, width] = [run.x, run.y, run.width].map(usize::from);
                let Some(row) = to.row(x, y, width) else {
                    continue;
                };
                match level == clear {
                    // what is beneath
                    true => row.copy_from_slice(&self.base[y * self.size[0] + x..][..row.len()]),
                    false => row.fill(level),
                }
            }
        }
        for (k, label) in now.labels.iter().enumerate() {
            let then = before.labels.get(k);
            if then.is_some_and(|t| t.pixels == label.pixels) {
                continue;
            }
            let then = then.map_or(&[][..], |t| &t.pixels);
            for (r, (y, row)) in label.rows().enumerate() {
                let Some(to) = to.row(label.corner[0], y, row.len()) else {
                    continue;
                };
                for (x, (to, new)) in to.iter_mut().zip(row).enumerate() {
                    if then.get(r * label.width + x) != Some(new) {
                        *to = *new;
                    }
                }
            }
        }
        self.mark(before, now, to);
    }

    /// Draws where the frame is in the spectrum, and no longer where the one before was.
    fn mark(&self, before: &Drawn, now: &Drawn, to: &mut Window) {
        let px = |v: f64| (v * self.scale).round() as usize;
        let back = self.palette.grey(0);
        let shade = |d: &Drawn, x: &usize| if d.band.contains(x) { d.shade } else { back };
        let columns = before.band.start.min(now.band.start)..before.band.end.max(now.band.end);
        let other: Vec<(usize, u8)> = columns
            .filter(|x| shade(before, x) != shade(now, x))
            .map(|x| (x, shade(now, &x)))
            .collect();
        for y in px(self.axes.area.y)..px(self.axes.area.bottom()) {
            for &(x, shade) in &other {
                let beneath = self.base.get(y * self.size[0] + x);
                if beneath != Some(&back) {
                    continue;
                }
                if let Some([pixel]) = to.row(x, y, 1) {
                    *pixel = shade;
                }
            }
        }
    }
}

/// A number with two digits, and the power of ten raised.
fn short(v: f64, signed: bool) -> String {
    let sign = if signed && v > 0.0 { "+" } else { "" };
    let plain = format!("{v:.1e}");
    match plain.split_once('e') {
        Some((m, e)) if e != "0" => {
            format!("{sign}{m}×10{}", text::raised(&e.replace('-', "−"))).replace('-', "−")
        }
        Some((m, _)) => format!("{sign}{m}").replace('-', "−"),
        None => plain,
    }
}
