//! A synthetic flat: images of some of its planes, the distribution of its values, and their scatter in every plane.
//!
//! [`Subject`] is what is shown, [`draw`] the page. A plane counts as corrected where a value of it is finite and not 1; the statistics are
//! of the finite values of corrected planes. Colours are symmetric about 1 and end at the percentile 99 of the distance from it.
//! What a flat is, and how one is made, is [`crate::model::synthetic_flat`]'s.

use super::axes::{Axes, Scale, Side, colour_bar, frame};
use super::colours::RD_BU;
use super::figure::{
    Affine, Align, Colour, Figure, Item, Level, Path, Picture, Rect, Stroke, Text,
};
use super::text;
use crate::math::quantile::quantile;

/// Width of the page, points.
const PAGE: f64 = 720.0;
/// Side of an image, the first one's left edge, and the distance between two.
const CELL: f64 = 132.0;
const LEFT: f64 = 56.0;
const BETWEEN: f64 = 14.0;
/// Upper edges of images and graphs, and the height of these.
const TOPS: [f64; 2] = [66.0, 230.0];
const GRAPH: f64 = 170.0;
/// Images, and bins of the histogram.
const IMAGES: usize = 4;
const BINS: usize = 60;
/// Sizes of text: title, axes, notes.
const SIZES: [f64; 3] = [13.5, 8.5, 8.0];
const BLUE: Colour = Colour::rgb(0x0072b2);

/// A flat.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// What it is.
    pub title: &'a str,
    /// Planes, rows and columns.
    pub shape: [usize; 3],
    /// Relative response, `[plane][y][x]`.
    pub flat: &'a [f64],
}

/// Statistics of a flat.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Numbers {
    /// Planes that correct something, in order.
    pub corrected: Vec<usize>,
    /// Finite values of these, ascending.
    pub values: Vec<f64>,
    /// Values of these that are none.
    pub missing: usize,
    /// Root mean square of value less 1 in every plane; NaN in those that correct nothing.
    pub rms: Vec<f64>,
}

impl Numbers {
    /// The statistics of a flat with planes of so many values.
    #[must_use]
    pub fn of(flat: &[f64], plane: usize) -> Self {
        let mut out = Self::default();
        for (z, values) in flat.chunks_exact(plane.max(1)).enumerate() {
            let known = || values.iter().copied().filter(|v| v.is_finite());
            if !known().any(|v| v != 1.0) {
                out.rms.push(f64::NAN);
                continue;
            }
            let (n, sum) = known().fold((0u32, 0.0), |(n, s), v| (n + 1, s + (v - 1.0).powi(2)));
            out.rms.push((sum / f64::from(n)).sqrt());
            out.corrected.push(z);
            out.missing += values.len() - n as usize;
            out.values.extend(known());
        }
        out.values.sort_by(f64::total_cmp);
        out
    }

    /// Root mean square of all values less 1; NaN of none.
    #[must_use]
    pub fn whole(&self) -> f64 {
        let sum: f64 = self.values.iter().map(|v| (v - 1.0).powi(2)).sum();
        (sum / self.values.len() as f64).sqrt()
    }
}

/// Draws the page.
#[must_use]
pub fn draw(subject: &Subject) -> Figure {
    let [nz, ny, nx] = subject.shape;
    let plane = ny * nx;
    let numbers = Numbers::of(subject.flat, plane);
    let mut out = Figure::new(PAGE, TOPS[1] + GRAPH + 44.0, subject.title);
    let centred = |at, what: String, size: f64| {
        Item::Text(Text::new(at, what, size).anchor(Align::Middle, Level::Base))
    };
    let room = (PAGE - 40.0) / text::width(subject.title, SIZES[0]).max(1.0);
    let size = SIZES[0] * room.min(1.0);
    let mut head = vec![centred([0.5 * PAGE, 24.0], subject.title.to_owned(), size)];
    let said = match numbers.values.as_slice() {
        [] => format!("{nz} planes of {nx} × {ny}, none of which corrects anything"),
        values => {
            let mut sorted = values.to_vec();
            let [low, middle, high] = [0.01, 0.5, 0.99].map(|q| quantile(&mut sorted, q));
            format!(
                "{} of {nz} planes of {nx} × {ny} corrected; rms {:.4}, median {middle:.4}, percentiles 1 and 99 {low:.4} and {high:.4}, \
                 {} values missing",
                numbers.corrected.len(),
                numbers.whole(),
                numbers.missing
            )
        }
    };
    head.push(centred([0.5 * PAGE, 40.0], said, SIZES[2]));
    out.items.push(Item::group("title", head));
    let mut away: Vec<f64> = numbers.values.iter().map(|v| (v - 1.0).abs()).collect();
    let most = match away.is_empty() {
        true => 0.1,
        false => quantile(&mut away, 0.99).max(1e-6),
    };
    out.items
        .push(Item::group("images", images(subject, &numbers, most)));
    let half = 0.5 * (PAGE - LEFT - 24.0 - 62.0);
    let histogram = Rect::new(LEFT, TOPS[1], half, GRAPH);
    let planes = Rect::new(LEFT + half + 62.0, TOPS[1], half, GRAPH);
    out.items
        .push(Item::group("histogram", bars(&numbers, most, histogram)));
    out.items
        .push(Item::group("scatter", scatter(&numbers, nz, planes)));
    out
}

/// Images of planes at equal distances among those that correct something.
fn images(subject: &Subject, numbers: &Numbers, most: f64) -> Vec<Item> {
    let [nz, ny, nx] = subject.shape;
    let scale = CELL / nx.max(ny).max(1) as f64;
    let [w, h] = [nx, ny].map(|n| n as f64 * scale);
    let all: Vec<usize> = match numbers.corrected.is_empty() {
        true => (0..nz).collect(),
        false => numbers.corrected.clone(),
    };
    let chosen = (0..IMAGES).filter_map(|k| all.get((2 * k + 1) * all.len() / (2 * IMAGES)));
    let mut out = Vec::new();
    let mut right = LEFT;
    for (k, z) in chosen.enumerate() {
        let at = Rect::new(LEFT + k as f64 * (w + BETWEEN), TOPS[0], w, h);
        right = at.right();
        let values = subject.flat.get(z * nx * ny..(z + 1) * nx * ny);
        // more than 1 is red
        let pixels: Vec<f64> = values.into_iter().flatten().map(|v| 1.0 - v).collect();
        out.push(Item::area(Path::rect(at), Colour::rgb(0xd0d0d0)));
        out.push(Item::Picture(Picture {
            nx,
            ny,
            pixels: RD_BU.paint(&pixels, [-most, most]),
            place: Affine::upright(at, nx, ny),
        }));
        out.push(frame(at));
        let rms = numbers.rms.get(*z).copied().unwrap_or(f64::NAN);
        let name = match rms.is_nan() {
            true => format!("Plane {}", z + 1),
            false => format!("Plane {}, rms {rms:.4}", z + 1),
        };
        let heading = Text::new([at.middle()[0], at.y - 5.0], name, SIZES[1]);
        out.push(Item::Text(heading.anchor(Align::Middle, Level::Base)));
    }
    let area = Rect::new(right + 10.0, TOPS[0], 8.0, h);
    out.push(colour_bar(
        area,
        [1.0 + most, 1.0 - most],
        &RD_BU,
        "Relative response",
        SIZES[2],
    ));
    out
}

/// How often values occur, to twice as far from 1 as colours reach.
fn bars(numbers: &Numbers, most: f64, area: Rect) -> Vec<Item> {
    let [low, high] = [1.0 - 2.0 * most, 1.0 + 2.0 * most];
    let mut counts = [0usize; BINS];
    for v in numbers.values.iter().filter(|v| low <= **v && **v < high) {
        let bin = ((v - low) / (high - low) * BINS as f64) as usize;
        counts[bin.min(BINS - 1)] += 1;
    }
    let top = counts.iter().max().copied().unwrap_or(0).max(1) as f64;
    let axes = Axes {
        area,
        x: Scale::linear(low, high),
        y: Scale::linear(0.0, 1.08 * top),
    };
    let mut shown = Vec::new();
    for (k, n) in counts.into_iter().enumerate().filter(|(_, n)| *n > 0) {
        let edge = |k: usize| low + (high - low) * k as f64 / BINS as f64;
        let [a, b] = [axes.place(edge(k), n as f64), axes.place(edge(k + 1), 0.0)];
        let bar = Rect::new(a[0], a[1], b[0] - a[0], b[1] - a[1]);
        shown.push(Item::area(Path::rect(bar), BLUE.faded(0.75)));
    }
    let one = [axes.place(1.0, 0.0), axes.place(1.0, 1.08 * top)];
    let line = Stroke::new(Colour::BLACK, 0.6).dashed(&[3.0, 2.0]);
    shown.push(Item::line(Path::line(one), line));
    vec![
        Item::clipped("bars", area, shown),
        axes.frame(),
        axes.side(Side::Bottom, "Relative response", SIZES[1], Colour::BLACK),
        axes.side(Side::Left, "Values", SIZES[1], Colour::BLACK),
    ]
}

/// The scatter of every plane.
fn scatter(numbers: &Numbers, nz: usize, area: Rect) -> Vec<Item> {
    let top = numbers.rms.iter().copied().filter(|v| v.is_finite());
    let top = top.fold(0.0, f64::max);
    let axes = Axes {
        area,
        x: Scale::linear(1.0, nz.max(2) as f64),
        y: Scale::linear(0.0, if top > 0.0 { 1.08 * top } else { 1.0 }),
    };
    let planes: Vec<f64> = (1..=nz).map(|z| z as f64).collect();
    let curve = axes.curve(&planes, &numbers.rms);
    vec![
        Item::clipped("rms", area, vec![Item::line(curve, Stroke::new(BLUE, 0.9))]),
        axes.frame(),
        axes.side(Side::Bottom, "Plane", SIZES[1], Colour::BLACK),
        axes.side(
            Side::Left,
            "Rms of response less 1",
            SIZES[1],
            Colour::BLACK,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_of_what_is_corrected() {
        let n = f64::NAN;
        let flat = [1.0, 1.0, n, 1.3, 0.7, n, n, 1.0, 1.0];
        let numbers = Numbers::of(&flat, 3);
        assert_eq!(numbers.corrected, [1]);
        assert_eq!(
            (numbers.values.as_slice(), numbers.missing),
            (&[0.7, 1.3][..], 1)
        );
        assert!((numbers.whole() - 0.3).abs() < 1e-12 && (numbers.rms[1] - 0.3).abs() < 1e-12);
        assert!(numbers.rms[0].is_nan() && numbers.rms[2].is_nan());
    }

    #[test]
    fn the_page_says_its_statistics_and_no_text_lies_on_another() {
        let shape = [8, 5, 6];
        let flat: Vec<f64> = (0..240).map(|i| 0.9 + 0.2 * (i % 7) as f64 / 6.0).collect();
        for flat in [flat, vec![1.0; 240], vec![f64::NAN; 240]] {
            let figure = draw(&Subject {
                title: "flat.fits",
                shape,
                flat: &flat,
            });
            let all = figure.texts();
            let says = |what: &str| all.iter().any(|(t, _)| t.text.contains(what));
            assert!(says("planes of 6 × 5") && says("Plane 2"));
            let page = Rect::new(0.0, 0.0, figure.width, figure.height);
            for (i, (a, _)) in all.iter().enumerate() {
                let place = text::bounds(a);
                assert!(page.holds(&place), "{a:?}");
                for (b, _) in &all[i + 1..] {
                    assert!(!place.overlaps(&text::bounds(b)), "{a:?} {b:?}");
                }
            }
        }
    }
}
