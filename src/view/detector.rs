//! A quick look at a detector image: count rates or calibrated values on an asinh scale, and what the flags say of each pixel.
//!
//! [`Subject`] is what is shown, [`draw`] the page: on the left the values, white where there is none; on the right the flags by kind,
//! in spots of a few pixels that have the colour of the first kind (in the order of the legend) in them, so that single pixels are
//! seen; beside them how many pixels are of each kind (a pixel may be of several), and facts of the file. It is not a summary of a cube: that is [`super::summary`]'s.
//!
//! The scale is linear about the median of the good pixels (finite, without `DO_NOT_USE` and `NON_SCIENCE`) and logarithmic beyond
//! three of their standard deviations (from the median absolute deviation); it ends at percentiles 0.1 and 99.9 of the good pixels.
//! References: Lupton, Gunn & Szalay (1999, doi:10.1086/301004) for the asinh scale.

use super::axes::{Axes, Scale, Side, frame, labelled};
use super::colours::INFERNO;
use super::figure::{
    Affine, Align, Colour, Figure, Item, Level, Path, Picture, Rect, Stroke, Text,
};
use super::text::{self, raised};
use crate::math::percentile::nan_quantile_f32;
use crate::model::dq;

/// Width of the page, points.
const PAGE: f64 = 1080.0;
/// Side of the square that an image has, and the upper edge of both.
const SIDE: f64 = 390.0;
const TOP: f64 = 62.0;
/// Left edges of the values, the flags and the legend.
const LEFT: [f64; 3] = [62.0, 504.0, 912.0];
/// Sizes of text: title, axes, legend.
const SIZES: [f64; 3] = [15.0, 9.5, 8.5];
/// Distance of marks on the scale, points.
const CLOSEST: f64 = 4.0;
/// Spots of flags along a side, at most about.
const SPOTS: usize = 700;
/// Percentiles that the scale ends at.
const ENDS: [f64; 2] = [0.001, 0.999];
/// Standard deviations about the median that are shown linearly.
const LINEAR: f64 = 3.0;

/// A kind of flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// What it is called.
    pub name: &'static str,
    /// Flags of it, of which a pixel needs one.
    pub bits: u32,
    /// Its colour.
    pub colour: Colour,
}

/// Kinds of flags, what is seen first on top. Colours of Okabe & Ito (2008), which most people tell apart.
pub const KINDS: [Kind; 9] = [
    kind("saturated", dq::SATURATED, 0xd55e00),
    kind("jump", dq::JUMP_DET, 0x56b4e9),
    kind("hot or warm", dq::HOT | dq::WARM, 0xe69f00),
    kind(
        "dead, open or low QE",
        dq::DEAD | dq::OPEN | dq::ADJ_OPEN | dq::LOW_QE | dq::RC,
        0xcc79a7,
    ),
    kind("outlier", dq::OUTLIER, 0x009e73),
    kind(
        "charge loss or estimated",
        dq::CHARGELOSS | dq::FLUX_ESTIMATED,
        0x0072b2,
    ),
    kind(
        "not science, reference",
        dq::NON_SCIENCE | dq::REFERENCE_PIXEL,
        0xd9d9d9,
    ),
    kind("do not use", dq::DO_NOT_USE, 0x333333),
    kind("other flags", OTHERS, 0xf0e442),
];

/// Flags of none of the other kinds.
const OTHERS: u32 = !(dq::SATURATED
    | dq::JUMP_DET
    | dq::HOT
    | dq::WARM
    | dq::DEAD
    | dq::OPEN
    | dq::ADJ_OPEN
    | dq::LOW_QE
    | dq::RC
    | dq::OUTLIER
    | dq::CHARGELOSS
    | dq::FLUX_ESTIMATED
    | dq::DO_NOT_USE
    | dq::NON_SCIENCE
    | dq::REFERENCE_PIXEL);

const fn kind(name: &'static str, bits: u32, colour: u32) -> Kind {
    Kind {
        name,
        bits,
        colour: Colour::rgb(colour),
    }
}

/// A detector image.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// What it is of.
    pub title: &'a str,
    /// Facts of the file, a line each.
    pub facts: &'a [String],
    /// Unit of the values.
    pub unit: &'a str,
    /// Columns and rows.
    pub size: [usize; 2],
    /// Values, `[row][column]`.
    pub values: &'a [f32],
    /// Flags, `[row][column]`.
    pub flags: &'a [u32],
}

/// How values are shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    /// Median of the good pixels.
    pub median: f64,
    /// Their standard deviation, from the median absolute deviation.
    pub deviation: f64,
    /// Values at the ends of the colours.
    pub ends: [f64; 2],
}

impl Stretch {
    /// The scale of an image; none where it has no good pixel.
    #[must_use]
    pub fn of(values: &[f32], flags: &[u32]) -> Option<Self> {
        let bad = dq::DO_NOT_USE | dq::NON_SCIENCE;
        let good = |(v, q): &(&f32, &u32)| v.is_finite() && **q & bad == 0;
        let mut known: Vec<f32> = values
            .iter()
            .zip(flags)
            .filter(good)
            .map(|p| *p.0)
            .collect();
        if known.is_empty() {
            return None;
        }
        let median = nan_quantile_f32(&mut known, 0.5);
        let [low, high] = ENDS.map(|q| nan_quantile_f32(&mut known, q));
        for v in &mut known {
            *v = (f64::from(*v) - median).abs() as f32;
        }
        let deviation = 1.4826 * nan_quantile_f32(&mut known, 0.5);
        Some(Self {
            median,
            deviation,
            ends: [low, high],
        })
    }

    /// Where a value is between the ends, from 0 to 1 (beyond outside of them); NaN of NaN.
    #[must_use]
    pub fn fraction(&self, v: f64) -> f64 {
        let [low, high] = self.ends;
        // all alike, or a range without scatter
        let by = match LINEAR * self.deviation {
            by if by > 0.0 => by,
            _ if high > low => high - low,
            _ => return if v.is_nan() { v } else { 0.5 + (v - low) },
        };
        let bent = |v: f64| ((v - self.median) / by).asinh();
        (bent(v) - bent(low)) / (bent(high) - bent(low))
    }

    /// Values to be marked on the scale, the most important first: 0, then 1, 2 and 5 times powers of ten.
    fn marks(&self) -> Vec<f64> {
        let [low, high] = self.ends;
        let most = low.abs().max(high.abs());
        let mut out = vec![0.0];
        if most > 0.0 && most.is_finite() {
            let top = most.log10().ceil() as i32;
            for digit in [1.0, 5.0, 2.0] {
                for power in (top - 4..=top).rev() {
                    let v = digit * 10f64.powi(power);
                    out.extend([v, -v]);
                }
            }
        }
        out.retain(|v| low <= *v && *v <= high);
        out
    }
}

/// A number as people write it, with three digits.
fn number(v: f64) -> String {
    let size = v.abs();
    let plain = if v == 0.0 {
        "0".to_owned()
    } else if (0.001..100_000.0).contains(&size) {
        let decimals = (2 - size.log10().floor() as i32).clamp(0, 6) as usize;
        let text = format!("{v:.decimals$}");
        match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            false => text,
        }
    } else {
        let text = format!("{v:.2e}");
        match text.split_once('e') {
            Some((m, e)) => {
                let m = m.trim_end_matches('0').trim_end_matches('.');
                format!("{m}×10{}", raised(&e.replace('-', "−")))
            }
            None => text,
        }
    };
    plain.replace('-', "−")
}

/// A count with its thousands apart.
fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Pixels of each kind of flags, and those without a flag.
#[must_use]
pub fn census(flags: &[u32]) -> ([usize; KINDS.len()], usize) {
    let mut out = [0; KINDS.len()];
    let mut clean = 0;
    for q in flags {
        if *q == 0 {
            clean += 1;
            continue;
        }
        for (n, kind) in out.iter_mut().zip(&KINDS) {
            *n += usize::from(q & kind.bits != 0);
        }
    }
    (out, clean)
}

/// Squares of pixels, so large that one of them is seen on the page, and for each the first kind of its flags ([`KINDS`]`.len()` for
/// none); how many there are along each side, and the pixels that they cover.
fn spots(flags: &[u32], [nx, ny]: [usize; 2]) -> (Vec<usize>, [(usize, f64); 2]) {
    let side = nx.max(ny).div_ceil(SPOTS).max(1);
    let [sx, sy] = [nx, ny].map(|n| n.div_ceil(side));
    let mut out = vec![KINDS.len(); sx * sy];
    for (y, row) in flags.chunks_exact(nx.max(1)).enumerate() {
        for (x, q) in row.iter().enumerate().filter(|(_, q)| **q != 0) {
            let kind = KINDS.iter().position(|k| q & k.bits != 0);
            let to = &mut out[(y / side) * sx + x / side];
            *to = (*to).min(kind.unwrap_or(KINDS.len()));
        }
    }
    (out, [sx, sy].map(|n| (n, (n * side) as f64)))
}

/// Draws the page.
#[must_use]
pub fn draw(subject: &Subject) -> Figure {
    let [nx, ny] = subject.size;
    let scale = SIDE / nx.max(ny).max(1) as f64;
    let [w, h] = [nx, ny].map(|n| n as f64 * scale);
    let areas = [LEFT[0], LEFT[1]].map(|x| Rect::new(x, TOP, w, h));
    let mut out = Figure::new(PAGE, TOP + SIDE + 102.0, subject.title);
    let room = (PAGE - 40.0) / text::width(subject.title, SIZES[0]).max(1.0);
    let title = Text::new([0.5 * PAGE, 26.0], subject.title, SIZES[0] * room.min(1.0))
        .anchor(Align::Middle, Level::Base);
    out.items
        .push(Item::group("title", vec![Item::Text(title)]));
    let stretch = Stretch::of(subject.values, subject.flags);
    let shown = |v: &f32| match (&stretch, v.is_finite()) {
        (Some(s), true) => INFERNO.at(s.fraction(f64::from(*v))),
        _ => Colour([0; 4]),
    };
    let mut values = vec![Item::Picture(Picture {
        nx,
        ny,
        pixels: subject.values.iter().map(shown).collect(),
        place: Affine::upright(areas[0], nx, ny),
    })];
    values.extend(sides(areas[0], subject.size, "Values"));
    values.push(bar(
        Rect::new(areas[0].x, TOP + SIDE + 50.0, w, 10.0),
        stretch.as_ref(),
        subject.unit,
    ));
    out.items.push(Item::group("values", values));
    let (spots, [sx, sy]) = spots(subject.flags, subject.size);
    let pixels = spots.into_iter().map(|k| match KINDS.get(k) {
        Some(kind) => kind.colour,
        None => Colour([0; 4]),
    });
    let mut flags = vec![Item::Picture(Picture {
        nx: sx.0,
        ny: sy.0,
        pixels: pixels.collect(),
        // the last spots may reach beyond the image
        place: Affine::upright(
            Rect::new(
                areas[1].x,
                areas[1].bottom() - sy.1 * scale,
                sx.1 * scale,
                sy.1 * scale,
            ),
            sx.0,
            sy.0,
        ),
    })];
    flags = vec![Item::clipped("spots", areas[1], flags)];
    flags.extend(sides(areas[1], subject.size, "Flags"));
    out.items.push(Item::group("flags", flags));
    out.items.push(legend(subject, stretch.as_ref()));
    out
}

/// Frame, axes in pixels (from 1, as in FITS), and a heading.
fn sides(area: Rect, [nx, ny]: [usize; 2], name: &str) -> Vec<Item> {
    let axes = Axes {
        area,
        x: Scale::linear(0.5, nx as f64 + 0.5),
        y: Scale::linear(0.5, ny as f64 + 0.5),
    };
    let heading = Text::new([area.middle()[0], area.y - 8.0], name, SIZES[1] + 1.5)
        .anchor(Align::Middle, Level::Base);
    vec![
        axes.frame(),
        axes.side(Side::Bottom, "Column (pixel)", SIZES[1], Colour::BLACK),
        axes.side(Side::Left, "Row (pixel)", SIZES[1], Colour::BLACK),
        Item::Text(heading),
    ]
}

/// The colours, with values of the scale beneath.
fn bar(area: Rect, stretch: Option<&Stretch>, unit: &str) -> Item {
    let Some(stretch) = stretch else {
        let text = Text::new(area.middle(), "no good pixel", SIZES[1]);
        return Item::group(
            "colours",
            vec![Item::Text(text.anchor(Align::Middle, Level::Middle))],
        );
    };
    let n = 256;
    let pixels = (0..n).map(|k| INFERNO.at(k as f64 / (n - 1) as f64));
    let mut ticks: Vec<(f64, String)> = Vec::new();
    for v in stretch.marks() {
        let at = area.w * stretch.fraction(v);
        if ticks.iter().all(|t| (t.0 - at).abs() > CLOSEST) {
            ticks.push((at, number(v)));
        }
    }
    Item::group(
        "colours",
        vec![
            Item::Picture(Picture {
                nx: n,
                ny: 1,
                pixels: pixels.collect(),
                place: Affine::upright(area, n, 1),
            }),
            frame(area),
            labelled(area, Side::Bottom, ticks, unit, SIZES[1], Colour::BLACK),
        ],
    )
}

/// Kinds of flags with their pixels, statistics, and facts.
fn legend(subject: &Subject, stretch: Option<&Stretch>) -> Item {
    let size = SIZES[2];
    let step = 1.55 * size;
    let right = PAGE - 12.0;
    let all = subject.flags.len().max(1) as f64;
    let (counts, clean) = census(subject.flags);
    let mut items = Vec::new();
    let mut y = TOP + 6.0;
    let mut row = |items: &mut Vec<Item>, colour: Option<Colour>, name: &str, n: usize| {
        let swatch = Rect::new(LEFT[2], y - 4.0, 8.0, 8.0);
        if let Some(colour) = colour {
            items.push(Item::area(Path::rect(swatch), colour));
        }
        items.push(Item::line(
            Path::rect(swatch),
            Stroke::new(Colour::BLACK.faded(0.4), 0.4),
        ));
        let share = 100.0 * n as f64 / all;
        let share = match n {
            0 => String::new(),
            _ if share < 0.01 => " (< 0.01 %)".into(),
            _ => format!(" ({share:.2} %)"),
        };
        items.push(Item::Text(
            Text::new([LEFT[2] + 12.0, y], name, size).anchor(Align::Left, Level::Middle),
        ));
        items.push(Item::Text(
            Text::new(
                [LEFT[2] + 12.0, y + 0.72 * step],
                format!("{}{share}", count(n)),
                0.92 * size,
            )
            .colour(Colour::rgb(0x444444))
            .anchor(Align::Left, Level::Middle),
        ));
        y += 1.6 * step;
    };
    for (kind, n) in KINDS.iter().zip(counts) {
        row(&mut items, Some(kind.colour), kind.name, n);
    }
    row(&mut items, None, "no flag", clean);
    let legend = Item::group("legend", items);
    let missing = subject.values.iter().filter(|v| !v.is_finite()).count();
    let mut lines = vec![format!(
        "{} × {} pixels, {} without a value",
        subject.size[0],
        subject.size[1],
        count(missing)
    )];
    if let Some(s) = stretch {
        let [median, deviation, low, high] =
            [s.median, s.deviation, s.ends[0], s.ends[1]].map(number);
        lines.push(format!("median {median}, 1.4826 MAD {deviation}"));
        lines.push(format!("colours from {low} to {high}, asinh"));
    }
    lines.extend(subject.facts.iter().cloned());
    y += 4.0;
    let mut facts = Vec::new();
    for line in lines {
        let room = (right - LEFT[2]) / text::width(&line, size).max(1.0);
        facts.push(Item::Text(
            Text::new([LEFT[2], y], line, size * room.min(1.0)).anchor(Align::Left, Level::Middle),
        ));
        y += 1.45 * size;
    }
    Item::group("notes", vec![legend, Item::group("facts", facts)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_flag_is_seen() {
        let size = [1401, 4];
        let mut flags = vec![0; 1401 * 4];
        flags[1400] = dq::HOT;
        flags[1399] = dq::UNRELIABLE_DARK;
        flags[3 * 1401] = dq::JUMP_DET | dq::SATURATED;
        let (spots, [x, y]) = spots(&flags, size);
        // three pixels a side
        assert_eq!((x, y), ((467, 1401.0), (2, 6.0)));
        assert_eq!((spots[466], spots[467]), (2, 0));
        let none = spots.iter().filter(|k| **k == KINDS.len()).count();
        assert_eq!(none, 2 * 467 - 2);
    }

    #[test]
    fn every_flag_is_of_a_kind() {
        let all = KINDS.iter().fold(0, |a, k| a | k.bits);
        assert_eq!(all, u32::MAX);
        let flags = [
            0,
            dq::SATURATED | dq::DO_NOT_USE,
            dq::JUMP_DET,
            dq::UNRELIABLE_SLOPE,
        ];
        let (counts, clean) = census(&flags);
        assert_eq!((counts, clean), ([1, 1, 0, 0, 0, 0, 0, 1, 1], 1));
    }

    #[test]
    fn the_scale_rises_from_end_to_end() {
        let mut values: Vec<f32> = (0..1000).map(|i| (i % 10) as f32).collect();
        values.extend([f32::NAN, 1e6, 1e9]);
        let mut flags = vec![0; values.len()];
        flags[1002] = dq::DO_NOT_USE;
        let s = Stretch::of(&values, &flags).unwrap();
        assert_eq!(s.ends[0], 0.0);
        assert!((4.0..=5.0).contains(&s.median), "{s:?}");
        let ends = s.ends.map(|v| s.fraction(v));
        assert!(ends[0].abs() < 1e-12 && (ends[1] - 1.0).abs() < 1e-12);
        assert!(s.fraction(2.0) < s.fraction(3.0) && s.fraction(f64::NAN).is_nan());
        assert!(s.marks().starts_with(&[0.0]) && s.marks().contains(&5.0));
        assert_eq!(Stretch::of(&[1.0, f32::NAN], &[1, 0]), None);
        // all alike
        let flat = Stretch::of(&[2.0; 9], &[0; 9]).unwrap();
        assert_eq!(flat.fraction(2.0), 0.5);
    }

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0, "0"),
            (-0.5, "−0.5"),
            (1234.0, "1234"),
            (0.0125, "0.0125"),
            (20.0, "20"),
        ];
        for (v, text) in cases {
            assert_eq!(number(v), text);
        }
        assert_eq!(number(2.5e7), format!("2.5×10{}", raised("7")));
        assert_eq!(count(1_056_768), "1,056,768");
    }

    #[test]
    fn the_page_has_all_parts_and_nothing_lies_outside() {
        let (nx, ny) = (40, 30);
        let values: Vec<f32> = (0..nx * ny).map(|i| i as f32).collect();
        let mut flags = vec![0; nx * ny];
        flags[3] = dq::SATURATED;
        let facts = vec!["file: a_rate.fits".to_owned()];
        let figure = draw(&Subject {
            title: "MIRI",
            facts: &facts,
            unit: "DN/s",
            size: [nx, ny],
            values: &values,
            flags: &flags,
        });
        let outline = figure.outline();
        for part in ["values", "flags", "colours", "legend", "facts", "DN/s"] {
            assert!(outline.contains(part), "{part} in {outline}");
        }
        let page = Rect::new(0.0, 0.0, figure.width, figure.height);
        fn texts(items: &[Item], out: &mut Vec<Rect>) {
            for item in items {
                match item {
                    Item::Text(t) => out.push(text::bounds(t)),
                    Item::Group { items, .. } => texts(items, out),
                    _ => {}
                }
            }
        }
        let mut all = Vec::new();
        texts(&figure.items, &mut all);
        assert!(all.len() > 20);
        for (i, a) in all.iter().enumerate() {
            assert!(page.holds(a), "{a:?}");
            assert!(!all[i + 1..].iter().any(|b| a.overlaps(b)), "{a:?}");
        }
    }
}
