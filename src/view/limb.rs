//! A fit of the pointing to a body's limb: the image that was fitted, the model, and what is left.
//!
//! [`Subject`] is what is shown, [`draw`] the page. From the left, north up and east left: the cube's collapsed image and the model in the
//! same colours (percentiles 0.5 and 99.5 of the image), and the residual in standard deviations of the fit. The limb is drawn where the
//! fit finds it (solid) and where the image's own coordinates put it (dashed). Below: the offset with its errors, and how the fit went; or
//! why there is none. The fit is [`crate::nav::limb`]'s.

use super::axes::{colour_bar, frame};
use super::colours::{ColourMap, PLASMA, RD_BU};
use super::figure::{
    Affine, Align, Colour, Figure, Item, Level, Path, Picture, Point, Rect, Stroke, Text,
};
use super::sky;
use super::text;
use super::wireframe::extent;
use crate::math::quantile::quantile;
use crate::nav::limb::{Compared, Fit, Image, outline};

/// Width and height of the page, points.
const PAGE: [f64; 2] = [720.0, 382.0];
/// Side of a panel, and its upper edge.
const SIDE: f64 = 176.0;
const TOP: f64 = 68.0;
/// Left edges of the panels.
const LEFT: [f64; 3] = [30.0, 216.0, 474.0];
/// Sizes of text: title, headings, notes.
const SIZES: [f64; 3] = [13.5, 8.5, 8.0];
/// Between lines of notes.
const LINE: f64 = 12.5;
/// What images are measured in: planes are brought to one median (0) and contrast (1) before they are averaged.
const SCALE: &str = "Above the median, in contrasts";
/// Colours of residuals end at so many standard deviations.
const PULLS: f64 = 5.0;
/// Points of a limb.
const POINTS: usize = 720;
/// Lengths that a scale may have, arcsec.
const LENGTHS: [f64; 8] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0];

/// A fitted image.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// What it is of.
    pub title: &'a str,
    /// The image.
    pub image: &'a Image,
    /// The fit, what it makes of this image, and how many were fitted together; or why there is no fit.
    pub fit: Result<(&'a Fit, &'a Compared, usize), &'a str>,
    /// Altitude of the limb above the radii, km.
    pub altitude: f64,
}

/// A panel's way from arcsec (east, north) to the page.
struct View {
    area: Rect,
    to: Affine,
    /// From the image's pixels to the page.
    pixels: Option<Affine>,
    size: [usize; 2],
}

impl View {
    fn new(image: &Image, left: f64) -> Self {
        let area = Rect::new(left, TOP, SIDE, SIDE);
        let nx = image.columns.max(1);
        let ny = image.value.len() / nx;
        let places = image.x.iter().zip(&image.y).map(|(x, y)| [*x, *y]);
        let plane = sky::fitted(places, nx).map(|(plane, _)| plane);
        let corner = |x: usize, y: usize| [x as f64 - 0.5, y as f64 - 0.5];
        let corners = [corner(0, 0), corner(nx, 0), corner(nx, ny), corner(0, ny)];
        let field = plane.and_then(|p| extent(corners.iter().map(|c| p.apply(*c))));
        let [low, high] = field.unwrap_or([[-1.0; 2], [1.0; 2]]);
        let scale = area.w / (high[0] - low[0]).max(high[1] - low[1]).max(1e-9);
        let [x, y] = area.middle();
        let [mx, my] = [0, 1].map(|k| 0.5 * (low[k] + high[k]));
        // east is left
        let to = Affine([-scale, 0.0, 0.0, -scale, x + scale * mx, y + scale * my]);
        let centred = Affine([1.0, 0.0, 0.0, 1.0, -0.5, -0.5]);
        Self {
            area,
            to,
            pixels: plane.map(|p| centred.then(&p).then(&to)),
            size: [nx, ny],
        }
    }

    fn picture(&self, values: &[f64], limits: [f64; 2], map: &ColourMap) -> Vec<Item> {
        let [nx, ny] = self.size;
        let ground = Item::area(Path::rect(self.area), Colour::rgb(0xe4e4e4));
        let mut out = vec![ground];
        out.extend(self.pixels.map(|place| {
            Item::Picture(Picture {
                nx,
                ny,
                pixels: map.paint(&values[..nx * ny], limits),
                place,
            })
        }));
        out
    }

    fn limb(&self, name: &str, limb: &[Point], dash: &[f64]) -> Item {
        let path = || Path::closed(limb.iter().map(|p| self.to.apply(*p)));
        let line = |colour, width| Item::line(path(), Stroke::new(colour, width).dashed(dash));
        let both = vec![
            line(Colour::WHITE.faded(0.85), 2.0),
            line(Colour::BLACK, 0.8),
        ];
        Item::group(name, both)
    }
}

/// Text that begins at a place.
fn note(at: Point, what: impl Into<String>, size: f64) -> Item {
    Item::Text(Text::new(at, what, size).anchor(Align::Left, Level::Base))
}

/// Words in lines that are not wider than `room`.
fn lines(what: &str, room: f64, size: f64) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for word in what.split_whitespace() {
        match out.last_mut() {
            Some(line) if text::width(&format!("{line} {word}"), size) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => out.push(word.to_owned()),
        }
    }
    out
}

fn signed(v: f64, digits: usize) -> String {
    format!("{v:+.digits$}").replace('-', "−")
}

/// What is said of a fit, in two columns.
fn said(fit: &Fit, count: usize) -> [Vec<String>; 2] {
    let error = |k: usize| fit.covariance[k][k].max(0.0).sqrt();
    let [best, worst, angle] = fit.ellipse();
    let both = error(0) * error(1);
    let correlation = if both > 0.0 {
        fit.covariance[0][1] / both
    } else {
        0.0
    };
    let mut offset = vec![
        "Offset that was found, on the sky:".to_owned(),
        format!("RA {} ± {:.4}″", signed(fit.ra_offset, 4), error(0)),
        format!("Dec {} ± {:.4}″", signed(fit.dec_offset, 4), error(1)),
        format!("correlation {}", signed(correlation, 2)),
        format!(
            "errors along the axes of the ellipse {best:.4}″ and {worst:.4}″ (towards {angle:.0}°)"
        ),
    ];
    if fit.roll != 0.0 {
        offset.push(format!("turn {} ± {:.3}°", signed(fit.roll, 3), error(2)));
    }
    let images = match count {
        1 => "from this image alone".to_owned(),
        n => format!("{n} images of the visit, fitted together"),
    };
    let how = vec![
        format!("Fitted to: {}", fit.regime.name()),
        images,
        format!("{:.0} % of the limb in the field", 100.0 * fit.limb),
        format!(
            "reduced chi-squared {:.2}, with the errors of the cube",
            fit.chi2
        ),
        format!(
            "error of the model {:.1} % of its brightness",
            100.0 * fit.scatter
        ),
    ];
    [offset, how]
}

/// Draws the page.
#[must_use]
pub fn draw(subject: &Subject) -> Figure {
    let image = subject.image;
    let mut out = Figure::new(PAGE[0], PAGE[1], subject.title);
    let centred = |at, what: &str, size: f64| {
        Item::Text(Text::new(at, what, size).anchor(Align::Middle, Level::Base))
    };
    let room = (PAGE[0] - 40.0) / text::width(subject.title, SIZES[0]).max(1.0);
    let title = centred(
        [0.5 * PAGE[0], 26.0],
        subject.title,
        SIZES[0] * room.min(1.0),
    );
    out.items.push(Item::group("title", vec![title]));
    let mut known: Vec<f64> = image
        .value
        .iter()
        .copied()
        .filter(|v| v.is_finite())
        .collect();
    let limits = match known.is_empty() {
        true => [0.0, 1.0],
        false => [0.005, 0.995].map(|q| quantile(&mut known, q)),
    };
    let nominal = outline(&image.aspect, subject.altitude, None, POINTS);
    let found = subject.fit.ok().map(|(fit, ..)| fit);
    let fitted = found.map(|fit| outline(&image.aspect, subject.altitude, Some(fit), POINTS));
    let none = vec![f64::NAN; image.value.len()];
    let (model, pull) = match subject.fit {
        Ok((_, c, _)) if c.model.len() == none.len() => (&c.model, &c.pull),
        _ => (&none, &none),
    };
    // red is brighter than the model
    let turned: Vec<f64> = pull.iter().map(|v| -v).collect();
    let panels: [(&str, &[f64], [f64; 2], &ColourMap); 3] = [
        ("Image", &image.value, limits, &PLASMA),
        ("Model", model, limits, &PLASMA),
        ("Residual", &turned, [-PULLS, PULLS], &RD_BU),
    ];
    for ((name, values, limits, map), left) in panels.into_iter().zip(LEFT) {
        let view = View::new(image, left);
        let mut inside = view.picture(values, limits, map);
        inside.push(view.limb("nominal limb", &nominal, &[3.5, 2.5]));
        if let Some(fitted) = &fitted {
            inside.push(view.limb("limb", fitted, &[]));
        }
        let heading = centred([view.area.middle()[0], TOP - 6.0], name, SIZES[1]);
        let mut items = vec![
            Item::clipped("inside", view.area, inside),
            frame(view.area),
            heading,
        ];
        if fitted.is_none() && name != "Image" {
            let text = Text::new(view.area.middle(), "no fit", SIZES[1]);
            let text = text.halo(Colour::WHITE, 1.5);
            items.push(Item::Text(text.anchor(Align::Middle, Level::Middle)));
        }
        out.items.push(Item::group(name, items));
        if name == "Image" {
            out.items.push(bearings(&view));
        }
    }
    let bar = |k: usize| Rect::new(LEFT[k] + SIDE + 9.0, TOP, 8.0, SIDE);
    out.items.push(Item::group(
        "bars",
        vec![
            colour_bar(bar(1), limits, &PLASMA, SCALE, SIZES[2]),
            colour_bar(
                bar(2),
                [PULLS, -PULLS],
                &RD_BU,
                "Standard deviations",
                SIZES[2],
            ),
        ],
    ));
    out.items.push(Item::group("notes", notes(subject)));
    out
}

/// A length, north and east, below the first panel.
fn bearings(view: &View) -> Item {
    let scale = view.to.0[0].abs();
    let fits = LENGTHS.iter().rev().find(|l| **l * scale <= 0.4 * SIDE);
    let length = fits.copied().unwrap_or(LENGTHS[0]);
    let (x, y) = (view.area.x, view.area.bottom() + 12.0);
    let end = x + length * scale;
    let bar = Path::line([
        [x, y - 2.5],
        [x, y + 2.5],
        [x, y],
        [end, y],
        [end, y - 2.5],
        [end, y + 2.5],
    ]);
    let stroke = || Stroke::new(Colour::BLACK, 0.9);
    let label = Text::new([end + 5.0, y], format!("{length}″"), SIZES[2]);
    let (cx, cy) = (view.area.right() - 4.0, y + 8.0);
    let arrows = Path::line([[cx, cy - 16.0], [cx, cy], [cx - 16.0, cy]]);
    let letter = |at, what: &str, align, level| {
        Item::Text(Text::new(at, what, SIZES[2]).anchor(align, level))
    };
    Item::group(
        "bearings",
        vec![
            Item::line(bar, stroke()),
            Item::Text(label.anchor(Align::Left, Level::Middle)),
            Item::line(arrows, stroke()),
            letter([cx - 4.0, cy - 12.0], "N", Align::Right, Level::Middle),
            letter([cx - 19.0, cy], "E", Align::Right, Level::Middle),
        ],
    )
}

/// What lines mean, and the fit in words.
fn notes(subject: &Subject) -> Vec<Item> {
    let top = TOP + SIDE + 44.0;
    let mut out = Vec::new();
    let mut key = |x: f64, what: &str, dash: &[f64]| {
        let line = Path::line([[x, top - 3.0], [x + 22.0, top - 3.0]]);
        out.push(Item::line(
            line,
            Stroke::new(Colour::BLACK, 0.9).dashed(dash),
        ));
        out.push(note([x + 27.0, top], what, SIZES[2]));
    };
    key(LEFT[1], "limb by the image's own coordinates", &[3.5, 2.5]);
    let first = top + 1.6 * LINE;
    let mut column = |x: f64, all: &[String]| {
        for (k, line) in all.iter().enumerate() {
            out.push(note([x, first + LINE * k as f64], line.as_str(), SIZES[2]));
        }
    };
    match subject.fit {
        Ok((fit, _, count)) => {
            let [offset, how] = said(fit, count);
            column(LEFT[0], &offset);
            column(LEFT[2] - 60.0, &how);
            let line = Path::line([[LEFT[2], top - 3.0], [LEFT[2] + 22.0, top - 3.0]]);
            out.push(Item::line(line, Stroke::new(Colour::BLACK, 0.9)));
            out.push(note(
                [LEFT[2] + 27.0, top],
                "limb where the fit finds it",
                SIZES[2],
            ));
        }
        Err(why) => {
            let all = format!("No offset was applied: {why}");
            let room = PAGE[0] - 2.0 * LEFT[0];
            column(LEFT[0], &lines(&all, room, SIZES[2]));
        }
    }
    out
}
