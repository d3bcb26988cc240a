//! The page of a film: all that is drawn once. [`super::frames`] has what changes.

use super::Options;
use super::map::Map;
use super::numbers::Dither;
use super::panels::{Panel, Shows, centred, covered, fitted, kilometres, window};
use crate::formats::raster::film::Sheet;
use crate::view::axes::{Axes, Scale, Side};
use crate::view::colours::{self, ColourMap};
use crate::view::figure::{Affine, Align, Colour, Figure, Item, Level, Path, Rect, Stroke, Text};
use crate::view::render;
use crate::{Error, Result};

/// Width of the page, points; its height with four dithers or more.
const PAGE: f64 = 900.0;
/// Where the rows of dithers are, at most.
const ROWS: Rect = Rect::new(44.0, 58.0, 768.0, 560.0);
/// Between two pictures.
const BETWEEN: f64 = 8.0;
/// More than that before a map, for its labels.
const LABELS: f64 = 26.0;
/// Left edge and width of the colour bars.
pub(super) const BARS: [f64; 2] = [850.0, 9.0];
/// Behind everything.
pub(super) const BACK: Colour = Colour::BLACK;
/// Behind pictures.
const PAPER: u8 = 20;
const LINES: Colour = Colour::rgb(0x80_80_80);
const GRID: Colour = Colour::rgb(0x4a_4a_4a);

/// Greys, and levels of colour maps, in one palette.
#[derive(Clone, Debug)]
pub(super) struct Palette {
    greys: usize,
    levels: usize,
    /// Colour maps, and whether each begins at its other end.
    maps: Vec<(&'static ColourMap, bool)>,
}

impl Palette {
    fn new(maps: Vec<(&'static ColourMap, bool)>) -> Self {
        // one place is see-through
        let levels = 190 / maps.len().max(1);
        Self {
            greys: 255 - levels * maps.len(),
            levels,
            maps,
        }
    }

    fn colours(&self) -> Vec<[u8; 3]> {
        let last = |n: usize| (n.max(2) - 1) as f64;
        let grey = |k| [(255.0 * k as f64 / last(self.greys)).round() as u8; 3];
        let mut out: Vec<[u8; 3]> = (0..self.greys).map(grey).collect();
        for (map, turned) in &self.maps {
            out.extend((0..self.levels).map(|k| {
                let part = k as f64 / last(self.levels);
                let [r, g, b, _] = map.at(if *turned { 1.0 - part } else { part }).0;
                [r, g, b]
            }));
        }
        out.push([0; 3]);
        out
    }

    /// The place that is see-through.
    pub(super) fn clear(&self) -> u8 {
        (self.greys + self.levels * self.maps.len()) as u8
    }

    /// Place of a grey.
    pub(super) fn grey(&self, v: u8) -> u8 {
        (f64::from(v) * (self.greys - 1) as f64 / 255.0).round() as u8
    }

    /// Place of a part (0 to 1, the ends' beyond) of a map.
    pub(super) fn level(&self, map: usize, part: f64) -> u8 {
        // to the nearest
        let k = (part.clamp(0.0, 1.0) * (self.levels - 1) as f64 + 0.5) as usize;
        (self.greys + map * self.levels + k) as u8
    }
}

/// A colour bar.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    pub(super) shows: Shows,
    pub(super) area: Rect,
    title: &'static str,
}

/// A film: everything its frames are made of.
#[derive(Clone, Debug)]
pub struct Film {
    pub(super) palette: Palette,
    /// Columns and rows of pixels.
    pub(super) size: [usize; 2],
    pub(super) scale: f64,
    /// Where the rows of dithers are.
    pub(super) rows: Rect,
    pub(super) base: Vec<u8>,
    pub(super) panels: Vec<Panel>,
    pub(super) bars: Vec<Bar>,
    /// Places of the page that lines over pictures cover, and their colours.
    pub(super) over: Vec<(usize, u8)>,
    pub(super) maps: Vec<Map>,
    pub(super) dithers: Vec<Dither>,
    pub(super) wavelength: Vec<f64>,
    pub(super) axes: Axes,
    pub(super) options: Options,
    pub(super) apart: bool,
}

/// Median of what is finite; NaN of nothing.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = values.filter(|v| v.is_finite()).collect();
    crate::math::median::median_f64(&mut all)
}

impl Film {
    /// Draws what does not change.
    ///
    /// # Errors
    /// [`Error::Input`] for no dithers, or such of other wavelengths than the first; [`Error::Parameter`] for a size that cannot be drawn.
    pub fn new(
        title: &str,
        target: &str,
        dithers: Vec<Dither>,
        wavelength: Vec<f64>,
        options: Options,
    ) -> Result<Self> {
        let Some(first) = dithers.first() else {
            return Err(Error::input("there are no cubes to make a film of"));
        };
        let frames = first.flux.len();
        if dithers.iter().any(|d| d.flux.len() != frames) || frames == 0 {
            return Err(Error::input(
                "the cubes of a film need the same wavelengths",
            ));
        }
        let apart = first.apart.is_some();
        let palette = Palette::new(match apart {
            true => vec![
                (&colours::BR_BG, true),
                (&colours::INFERNO, false),
                (&colours::RD_BU, true),
            ],
            false => vec![(&colours::VIRIDIS, false), (&colours::INFERNO, false)],
        });
        let spectrum: Vec<f64> = (0..wavelength.len())
            .map(|z| median(dithers.iter().map(|d| d.spectrum[z])))
            .collect();
        // three squares and a map of two across
        let side = (ROWS.w - 3.0 * BETWEEN - LABELS) / 5.0;
        let high = (side + BETWEEN) * dithers.len().max(2) as f64;
        let rows = Rect {
            h: ROWS.h.min(high),
            ..ROWS
        };
        let axes = Axes {
            area: Rect::new(76.0, rows.bottom() + 58.0, 780.0, 174.0),
            x: range(&wavelength, 0.0),
            y: range(&spectrum, 0.04),
        };
        let maps = dithers
            .iter()
            .map(|d| Map::new(d, options.grid, options.interpolation))
            .collect();
        let mut film = Self {
            palette,
            size: [0; 2],
            scale: options.width as f64 / PAGE,
            rows,
            base: Vec::new(),
            panels: Vec::new(),
            bars: bars(apart, rows),
            over: Vec::new(),
            maps,
            dithers,
            wavelength,
            axes,
            options,
            apart,
        };
        let page = film.page(title, target, &spectrum);
        let drawn = render(&page, options.width)?;
        film.size = [drawn.width, drawn.pixels().len() / drawn.width.max(1)];
        film.base = film.greys(drawn.pixels());
        film.cover()?;
        film.colour_bars();
        Ok(film)
    }

    /// Number of frames.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.dithers.first().map_or(0, |d| d.flux.len())
    }

    /// Size and palette of all frames.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a page larger than films are.
    pub fn sheet(&self) -> Result<Sheet> {
        let [width, height] = self.size.map(u16::try_from);
        let (Ok(width), Ok(height)) = (width, height) else {
            return Err(Error::parameter(
                "a film is at most 65535 pixels wide and high",
            ));
        };
        let palette = self.palette.colours();
        Ok(Sheet {
            width,
            height,
            clear: self.palette.clear(),
            palette,
        })
    }

    pub(super) fn greys(&self, pixels: &[[u8; 4]]) -> Vec<u8> {
        pixels
            .iter()
            .map(|[r, g, b, _]| {
                let sum = 299 * u32::from(*r) + 587 * u32::from(*g) + 114 * u32::from(*b);
                self.palette.grey((sum / 1000) as u8)
            })
            .collect()
    }

    pub(super) fn map_of(&self, shows: Shows) -> usize {
        match shows {
            Shows::Flux => 0,
            Shows::Kelvin => 1,
            Shows::Apart => 2,
        }
    }

    /// All that is drawn once; finds the panels.
    fn page(&mut self, title: &str, target: &str, spectrum: &[f64]) -> Figure {
        let (rows, spectrum_area) = (self.rows, self.axes.area);
        let mut page = Figure::new(PAGE, spectrum_area.bottom() + 50.0, title);
        page.background = Some(BACK);
        let mut items = vec![Item::Text(
            Text::new([0.5 * PAGE, 24.0], title, 15.0)
                .colour(Colour::WHITE)
                .anchor(Align::Middle, Level::Middle),
        )];
        let n = self.dithers.len();
        let height = rows.h / n.max(2) as f64;
        let side = height - BETWEEN;
        let union = covered(&self.dithers);
        let names = match self.apart {
            true => [
                "IFU frame".into(),
                format!("{target}, temperature"),
                format!("{target}, difference"),
                "Map of the difference".into(),
            ],
            false => [
                "IFU frame".into(),
                format!("{target} and field"),
                format!("{target}, aligned"),
                "Map".to_owned(),
            ],
        };
        let mapped = if self.apart {
            Shows::Apart
        } else {
            Shows::Kelvin
        };
        for k in 0..n {
            let y = rows.y + k as f64 * height;
            let area = |j: usize| {
                let x = rows.x + j as f64 * (side + BETWEEN) + if j == 3 { LABELS } else { 0.0 };
                Rect::new(x, y, if j == 3 { 2.0 * side } else { side }, side)
            };
            if k == 0 {
                for (j, name) in names.iter().enumerate() {
                    let at = [area(j).middle()[0], y - 8.0];
                    items.push(Item::Text(
                        Text::new(at, name, 10.0)
                            .colour(Colour::WHITE)
                            .anchor(Align::Middle, Level::Base),
                    ));
                }
            }
            let d = &self.dithers[k];
            for (line, at) in d.label.iter().zip([13.0, 27.0]) {
                items.push(Item::Text(
                    Text::new([at, y + 0.5 * side], line, 8.5)
                        .colour(Colour::WHITE)
                        .anchor(Align::Middle, Level::Middle)
                        .turned(90.0),
                ));
            }
            for j in 0..4 {
                items.push(Item::area(
                    Path::rect(area(j)),
                    Colour([PAPER, PAPER, PAPER, 255]),
                ));
            }
            let km = kilometres(d);
            let (fit, place) = fitted(area(0), d.size);
            let mut panels = vec![Panel::new(k, Shows::Flux, fit, self.scale, &place, d.size)];
            let reach = d.globe.radii[0] * self.options.reach;
            let limits = match self.apart {
                true => [union, union],
                false => [[[-reach; 2], [reach; 2]], union],
            };
            let shows = if self.apart {
                [Shows::Kelvin, Shows::Apart]
            } else {
                [Shows::Flux, Shows::Kelvin]
            };
            for (j, (limits, shows)) in limits.into_iter().zip(shows).enumerate() {
                let to = km.then(&window(area(j + 1), limits));
                items.push(Item::clipped("body", area(j + 1), lines(d, &to)));
                let place = d.pixels.then(&to);
                panels.push(Panel::new(
                    k,
                    shows,
                    area(j + 1),
                    self.scale,
                    &place,
                    d.size,
                ));
            }
            let map = area(3);
            let [columns, rows] = self.maps[k].size;
            let place = centred(&Affine([
                map.w / columns as f64,
                0.0,
                0.0,
                map.h / rows as f64,
                map.x,
                map.y,
            ]));
            items.push(graticule(map, k + 1 == n));
            let panel = Panel::new(k, mapped, map, self.scale, &place, [columns, rows]);
            panels.push(panel.of_map(&self.maps[k].values));
            self.panels.extend(panels);
        }
        for bar in &self.bars {
            let at = [BARS[0] - 10.0, bar.area.middle()[1]];
            items.push(Item::Text(
                Text::new(at, bar.title, 9.0)
                    .colour(Colour::WHITE)
                    .anchor(Align::Middle, Level::Middle)
                    .turned(90.0),
            ));
        }
        let white = |width| Stroke::new(Colour::WHITE, width);
        items.push(Item::clipped(
            "spectrum",
            spectrum_area,
            vec![Item::line(
                self.axes.curve(&self.wavelength, spectrum),
                white(0.6),
            )],
        ));
        let corner = [
            [spectrum_area.x, spectrum_area.y],
            [spectrum_area.x, spectrum_area.bottom()],
            [spectrum_area.right(), spectrum_area.bottom()],
        ];
        items.push(Item::line(Path::line(corner), white(0.7)));
        items.push(
            self.axes
                .side(Side::Bottom, "Wavelength (µm)", 10.0, Colour::WHITE),
        );
        items.push(self.axes.side(
            Side::Left,
            "Brightness temperature (K)",
            10.0,
            Colour::WHITE,
        ));
        let of = match n {
            1 => "Mean over the field".to_owned(),
            n => format!("Mean over the field, median of {n} dithers"),
        };
        let at = [spectrum_area.right(), spectrum_area.bottom() + 34.0];
        items.push(Item::Text(
            Text::new(at, of, 8.5)
                .colour(Colour::WHITE)
                .anchor(Align::Right, Level::Middle),
        ));
        page.items = items;
        page
    }

    /// Lines over the picture of a body that is small in its field.
    fn cover(&mut self) -> Result<()> {
        let mut page = Figure::new(PAGE, self.axes.area.bottom() + 50.0, "");
        page.background = None;
        for panel in self.panels.iter().filter(|p| !p.map) {
            let d = &self.dithers[panel.dither];
            let [a, b, c, e, ..] = d.pixels.0;
            let radius = 0.5 * d.globe.diameter() / (a * e - b * c).abs().sqrt();
            let nth = self
                .panels
                .iter()
                .filter(|p| p.dither == panel.dither)
                .position(|p| p.corner == panel.corner);
            if radius >= 30.0 || nth != Some(1) {
                continue;
            }
            let [[x, y], [w, h]] =
                [panel.corner, panel.size].map(|p| p.map(|v| v as f64 / self.scale));
            let area = Rect::new(x, y, w, h);
            let reach = d.globe.radii[0] * self.options.reach;
            let limits = if self.apart {
                covered(&self.dithers)
            } else {
                [[-reach; 2], [reach; 2]]
            };
            let to = kilometres(d).then(&window(area, limits));
            page.items.push(Item::clipped("body", area, lines(d, &to)));
        }
        if page.items.is_empty() {
            return Ok(());
        }
        let drawn = render(&page, self.size[0])?;
        for (at, [r, _, _, opacity]) in drawn.pixels().iter().enumerate() {
            if *opacity >= 128 {
                self.over.push((at, self.palette.grey(*r)));
            }
        }
        Ok(())
    }

    /// Colour bars, with a point at either end for what lies beyond.
    fn colour_bars(&mut self) {
        for bar in &self.bars {
            let px = |v: f64| (v * self.scale).round() as usize;
            let (left, right) = (px(bar.area.x), px(bar.area.right()));
            let (top, bottom) = (px(bar.area.y), px(bar.area.bottom()));
            let point = right - left;
            for y in top.saturating_sub(point)..(bottom + point).min(self.size[1]) {
                let part = 1.0 - (y as f64 + 0.5 - top as f64) / (bottom - top) as f64;
                let beyond = (top as f64 - y as f64)
                    .max(y as f64 + 1.0 - bottom as f64)
                    .max(0.0);
                // narrower, by as much on each side
                let cut = (0.5 * beyond) as usize;
                let level = self.palette.level(self.map_of(bar.shows), part);
                if let Some(row) = self.base.get_mut(
                    y * self.size[0] + left + cut
                        ..y * self.size[0] + right - cut.min(right - left - cut),
                ) {
                    row.fill(level);
                }
            }
        }
    }
}

/// A scale from the least to the greatest of values, and a part more on either side.
fn range(values: &[f64], more: f64) -> Scale {
    let finite = values.iter().copied().filter(|v| v.is_finite());
    let ends = finite.fold(None, |m: Option<[f64; 2]>, v| {
        let [low, high] = m.unwrap_or([v; 2]);
        Some([low.min(v), high.max(v)])
    });
    let [low, high] = ends.unwrap_or([0.0, 1.0]);
    let edge = if high > low { more * (high - low) } else { 0.5 };
    Scale::linear(low - edge, high + edge)
}

fn bars(apart: bool, rows: Rect) -> Vec<Bar> {
    let all: &[(Shows, &'static str)] = match apart {
        true => &[
            (Shows::Flux, "Brightness difference (MJy/sr)"),
            (Shows::Kelvin, "Brightness temperature (K)"),
            (Shows::Apart, "Temperature difference (K)"),
        ],
        false => &[
            (Shows::Flux, "Surface brightness (MJy/sr)"),
            (Shows::Kelvin, "Brightness temperature (K)"),
        ],
    };
    let height = rows.h / all.len() as f64;
    let bar = |(k, (shows, title)): (usize, &(Shows, &'static str))| Bar {
        shows: *shows,
        area: Rect::new(
            BARS[0],
            rows.y + k as f64 * height + 12.0,
            BARS[1],
            height - 34.0,
        ),
        title,
    };
    all.iter().enumerate().map(bar).collect()
}

/// The body's lines where `km` maps km beside its centre to the page.
fn lines(d: &Dither, to: &Affine) -> Vec<Item> {
    let w = &d.wireframe;
    let all = [
        (&w.grid, Stroke::new(GRID, 0.5).dashed(&[0.1, 1.7])),
        (&w.rings, Stroke::new(LINES, 0.5)),
        (&w.terminator, Stroke::new(LINES, 0.7).dashed(&[3.2, 2.6])),
        (&w.dark_limb, Stroke::new(LINES, 0.5)),
        (&w.lit_limb, Stroke::new(LINES, 0.9)),
    ];
    let mut out = Vec::new();
    for (lines, stroke) in all {
        let mut path = Path::default();
        for line in lines {
            path.extend(Path::line(line.iter().map(|p| to.apply(*p))));
        }
        if !path.0.is_empty() {
            out.push(Item::line(path, stroke));
        }
    }
    out
}

/// Lines and labels of a map: every 30 degrees, longitudes below where it is the last.
fn graticule(area: Rect, last: bool) -> Item {
    let mut items = Vec::new();
    let stroke = Stroke::new(GRID, 0.5).dashed(&[0.1, 1.7]);
    let x = |west: f64| area.x + area.w * (1.0 - west / 360.0);
    let y = |lat: f64| area.y + area.h * (0.5 - lat / 180.0);
    for k in 1..12 {
        let x = x(30.0 * f64::from(k));
        items.push(Item::line(
            Path::line([[x, area.y], [x, area.bottom()]]),
            stroke.clone(),
        ));
    }
    for k in -2..=2 {
        let y = y(30.0 * f64::from(k));
        items.push(Item::line(
            Path::line([[area.x, y], [area.right(), y]]),
            stroke.clone(),
        ));
    }
    let label = |at, text: &str, align, level| {
        Item::Text(
            Text::new(at, text, 8.0)
                .colour(Colour::WHITE)
                .anchor(align, level),
        )
    };
    for (lat, name, level) in [
        (90.0, "90°N", Level::Top),
        (0.0, "0°", Level::Middle),
        (-90.0, "90°S", Level::Base),
    ] {
        items.push(label([area.x - 3.0, y(lat)], name, Align::Right, level));
    }
    for west in [360, 270, 180, 90, 0].into_iter().filter(|_| last) {
        let at = [x(f64::from(west)), area.bottom() + 3.0];
        items.push(label(at, &format!("{west}°W"), Align::Middle, Level::Top));
    }
    Item::group("graticule", items)
}
