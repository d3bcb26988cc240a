//! The page of a summary plot.

use super::context::{Geometry, arrow};
use super::notes::Notes;
use super::numbers::{Numbers, RANGES};
use super::{Options, Subject};
use crate::math::quantile::quantile;
use crate::view::axes::{Axes, Scale, Side, frame, labelled};
use crate::view::colours::{PLASMA, YL_OR_RD};
use crate::view::figure::{
    Affine, Align, Colour, Figure, Item, Level, Path, Picture, Point, Rect, Stroke, Text,
};
use crate::view::sky::Sky;
use crate::view::text;

/// Side of the page, points: 10 inches.
const PAGE: f64 = 720.0;
/// The sky, and the spectrum.
const SKY: Rect = Rect::new(64.0, 34.0, 592.0, 196.0);
const SPECTRUM: Rect = Rect::new(64.0, 277.0, 592.0, 182.0);
/// Upper edges of the images and of the maps of invalid voxels, and their side.
const ROWS: [f64; 2] = [506.0, 622.0];
const CELL: f64 = 84.0;
/// Sizes of text: title, notes, axes, captions.
const SIZES: [f64; 4] = [13.5, 7.6, 8.0, 7.6];
/// Spaxels of radius that a body needs for its lines: on the sky, on the image.
const LEAST: [f64; 2] = [1.0, 2.0];
/// Fraction at the beginning of the colours of invalid voxels, so that few of them are seen.
const FAINTEST: f64 = -0.15;

const BLUE: Colour = Colour::rgb(0x1f77b4);
const RED: Colour = Colour::rgb(0xc0201c);
const GREY: Colour = Colour::rgb(0x666666);

/// Draws the summary plot of a cube.
#[must_use]
pub fn draw(subject: &Subject, options: &Options) -> Figure {
    let [_, ny, nx] = subject.shape;
    let numbers = Numbers::new(
        subject.values,
        nx * ny,
        subject.wavelength,
        subject.by_median(),
    );
    let geometry = Geometry::new(subject);
    let notes = Notes::new(subject, options, geometry.pixel());
    let mut out = Figure::new(PAGE, PAGE, notes.title.clone());
    // a title of any length fits
    let [size, ..] = SIZES;
    let room = (PAGE - 40.0) / text::width(&notes.title, size).max(1.0);
    let title = Text::new(
        [SKY.middle()[0], 22.0],
        notes.title.clone(),
        size * room.min(1.0),
    )
    .anchor(Align::Middle, Level::Base);
    out.items
        .push(Item::group("title", vec![Item::Text(title)]));
    let on_body = subject
        .planes
        .longitude
        .is_some_and(|l| l.iter().any(|v| v.is_finite()));
    out.items.push(Item::group(
        "sky",
        sky(&numbers, &geometry, &notes, options, [nx, ny], on_body),
    ));
    out.items.push(Item::group(
        "spectrum",
        spectrum(subject, &numbers, options),
    ));
    out.items.push(Item::group(
        "images",
        images(&numbers, [nx, ny], options, subject.by_median()),
    ));
    out.items.push(Item::group(
        "invalid",
        invalid(&numbers, &geometry, [nx, ny]),
    ));
    out
}

/// Limits of colours: percentiles of what is finite.
fn limits(image: &[f64], [low, high]: [f64; 2]) -> [f64; 2] {
    let mut known: Vec<f64> = image.iter().copied().filter(|v| v.is_finite()).collect();
    [low, high].map(|p| quantile(&mut known, p / 100.0))
}

fn picture(image: &[f64], [nx, ny]: [usize; 2], percentiles: [f64; 2], place: Affine) -> Item {
    Item::Picture(Picture {
        nx,
        ny,
        pixels: PLASMA.paint(image, limits(image, percentiles)),
        place,
    })
}

/// Lines of text from a corner inwards, on a light ground.
fn corner(lines: &[String], at: Point, align: Align, below: bool) -> Vec<Item> {
    let size = SIZES[1];
    let step = 1.32 * size;
    let first = match below {
        true => at[1],
        false => at[1] - step * (lines.len().max(1) - 1) as f64,
    };
    let level = if below { Level::Top } else { Level::Base };
    let line = |(i, text): (usize, &String)| {
        Item::Text(
            Text::new([at[0], first + step * i as f64], text.clone(), size)
                .anchor(align, level)
                .halo(Colour::WHITE.faded(0.75), 1.4),
        )
    };
    lines.iter().enumerate().map(line).collect()
}

fn sky(
    numbers: &Numbers,
    geometry: &Geometry,
    notes: &Notes,
    options: &Options,
    size: [usize; 2],
    on_body: bool,
) -> Vec<Item> {
    let widest = |of: [&Vec<String>; 2]| {
        let all = of.into_iter().flatten();
        all.map(|t| text::width(t, SIZES[1])).fold(0.0, f64::max)
    };
    // the notes have the sides, the sky the middle between them
    let (left, right) = (
        widest([&notes.seen, &notes.pointing]),
        widest([&notes.made, &notes.picture]).max(44.0),
    );
    let (left, right) = ((left + 14.0).min(210.0), (right + 14.0).min(210.0));
    let inner = Rect::new(
        SKY.x + left,
        SKY.y + 8.0,
        SKY.w - left - right,
        SKY.h - 16.0,
    );
    let sky = Sky::fitted(geometry.plane, SKY, inner, geometry.limits(on_body));
    let to_page = sky.place();
    let mut drawn = Vec::new();
    if let Some(pixels) = geometry.pixels {
        // a pixel's place counts from its corner
        let place = Affine([1.0, 0.0, 0.0, 1.0, -0.5, -0.5])
            .then(&pixels)
            .then(&to_page);
        drawn.push(picture(&numbers.image, size, options.percentiles, place));
        let edge = Path::closed(geometry.field().into_iter().map(|p| to_page.apply(p)));
        drawn.push(Item::group(
            "field",
            vec![Item::line(edge, Stroke::new(GREY, 0.5))],
        ));
    }
    drawn.extend(geometry.body(&to_page, LEAST[0], 8.0, true));
    let mut out = vec![Item::clipped("sky map", SKY.inset(0.35), drawn)];
    out.push(frame(SKY));
    out.extend(sky.sides(SIZES[2]));
    let inside = SKY.inset(5.0);
    let corners = [
        ("seen", &notes.seen, inside.x, inside.y, Align::Left, true),
        (
            "pointing",
            &notes.pointing,
            inside.x,
            inside.bottom(),
            Align::Left,
            false,
        ),
        (
            "made",
            &notes.made,
            inside.right(),
            inside.y,
            Align::Right,
            true,
        ),
        (
            "picture",
            &notes.picture,
            inside.right(),
            inside.bottom(),
            Align::Right,
            false,
        ),
    ];
    for (name, lines, x, y, align, below) in corners {
        out.push(Item::group(name, corner(lines, [x, y], align, below)));
    }
    let lines = notes.picture.len() as f64;
    let foot = [
        inside.right() - 4.0,
        inside.bottom() - 4.0 - 1.32 * SIZES[1] * lines,
    ];
    out.push(compass(foot, [[0.0, -22.0], [-22.0, 0.0]]));
    out
}

/// Arrows to the north and the east.
fn compass(foot: Point, [north, east]: [Point; 2]) -> Item {
    Item::group(
        "compass",
        vec![
            arrow(foot, north, "N", 7.0, Colour::BLACK),
            arrow(foot, east, "E", 7.0, Colour::BLACK),
        ],
    )
}

/// Ends of the axis of spectra.
fn scale(numbers: &Numbers, options: &Options, median: bool) -> Scale {
    let log = !numbers.linear();
    let bright = match options.brightest {
        true => numbers.bright.as_slice(),
        false => &[],
    };
    let all = numbers.whole.iter().chain(bright).copied();
    let shown = all.filter(|v| v.is_finite() && (!log || *v > 0.0));
    let (low, high) = shown.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| {
        (a.min(v), b.max(v))
    });
    if low > high {
        return Scale::linear(0.0, 1.0);
    }
    // a margin, and a range for what is constant
    let (low, high) = match log {
        true => {
            let by = (high / low).powf(0.05).max(1.02);
            (low / by, high * by)
        }
        false => {
            let by = (0.05 * (high - low)).max(0.02 * high.abs().max(1e-30));
            (low - by, high + by)
        }
    };
    let mut floor = low;
    if median || low < 0.5 {
        let finite =
            |v: &[f64]| -> Vec<f64> { v.iter().copied().filter(|v| v.is_finite()).collect() };
        let p5 = quantile(&mut finite(&numbers.whole), 0.05);
        let least = finite(&numbers.bright)
            .into_iter()
            .fold(f64::INFINITY, f64::min);
        // a NaN counts for nothing
        let wanted = (p5 / 10.0).max(0.05).min(least);
        floor = low.max(wanted);
    }
    let usable = floor < high && (!log || floor > 0.0);
    Scale {
        low: if usable { floor } else { low },
        high,
        log,
    }
}

fn spectrum(subject: &Subject, numbers: &Numbers, options: &Options) -> Vec<Item> {
    let [_, ny, nx] = subject.shape;
    let median = subject.by_median();
    let (low, high) = (numbers.edges[0], numbers.edges[RANGES]);
    let x = match high > low {
        true => Scale::linear(low, high),
        false if low.is_finite() => Scale::linear(low - 0.5, low + 0.5),
        false => Scale::linear(0.0, 1.0),
    };
    let axes = Axes {
        area: SPECTRUM,
        x,
        y: scale(numbers, options, median),
    };
    let count = Axes {
        y: Scale::linear(0.0, (nx * ny).max(1) as f64),
        ..axes
    };
    let wavelength = subject.wavelength;
    let mut shown = Vec::new();
    for pair in numbers.edges.windows(2).skip(1).step_by(2) {
        let (a, b) = (axes.place(pair[0], 0.0)[0], axes.place(pair[1], 0.0)[0]);
        let band = Rect::new(a, SPECTRUM.y, b - a, SPECTRUM.h);
        shown.push(Item::area(Path::rect(band), Colour::BLACK.faded(0.055)));
    }
    let invalid: Vec<f64> = numbers.invalid.iter().map(|n| *n as f64).collect();
    let line: Vec<Point> = wavelength
        .iter()
        .zip(&invalid)
        .map(|(w, n)| count.place(*w, *n))
        .collect();
    if let (Some(first), Some(last)) = (line.first(), line.last()) {
        let foot = |p: &Point| [p[0], SPECTRUM.bottom()];
        let ends = [foot(last), foot(first)];
        let area = Path::closed(line.iter().copied().chain(ends));
        shown.push(Item::group(
            "invalid voxels",
            vec![
                Item::area(area, RED.faded(0.1)),
                Item::line(count.curve(wavelength, &invalid), Stroke::new(RED, 0.5)),
            ],
        ));
    }
    if options.brightest {
        let path = axes.curve(wavelength, &numbers.bright);
        shown.push(Item::group(
            "brightest spectrum",
            vec![Item::line(path, Stroke::new(BLUE.faded(0.8), 0.9))],
        ));
    }
    let path = axes.curve(wavelength, &numbers.whole);
    shown.push(Item::group(
        "whole spectrum",
        vec![Item::line(path, Stroke::new(Colour::BLACK, 0.9))],
    ));
    let mut out = vec![Item::clipped("spectra", SPECTRUM, shown)];
    out.push(axes.frame());
    out.push(axes.side(Side::Bottom, "Wavelength (µm)", SIZES[2], Colour::BLACK));
    let unit = subject.sci.str("BUNIT").map(str::trim);
    let kind = if median { "Median" } else { "Mean" };
    let unit = unit.filter(|u| !u.is_empty()).unwrap_or("no unit");
    let mut title = format!("{kind} spectrum ({unit})");
    if numbers.linear() {
        title += ", linear scale";
    }
    out.push(match numbers.any() {
        true => axes.side(Side::Left, &title, SIZES[2], Colour::BLACK),
        false => labelled(
            SPECTRUM,
            Side::Left,
            Vec::new(),
            &title,
            SIZES[2],
            Colour::BLACK,
        ),
    });
    let twin = "Invalid voxels (NaN or 0)";
    out.push(count.side(Side::Right, twin, SIZES[2], RED));
    if !numbers.any() {
        let text = Text::new(
            SPECTRUM.middle(),
            "Every voxel of the cube is NaN or 0",
            12.0,
        )
        .anchor(Align::Middle, Level::Middle)
        .halo(Colour::WHITE.faded(0.8), 2.0);
        out.push(Item::group("nothing valid", vec![Item::Text(text)]));
        return out;
    }
    let mut names = vec![("Whole cube", Colour::BLACK)];
    if options.brightest {
        names.push(("Brightest 10 % of spaxels", BLUE));
    }
    // above the frame, where no line passes
    let mut at = SPECTRUM.x;
    let mut legend = Vec::new();
    for (name, colour) in names {
        let text = Text::new([at, SPECTRUM.y - 4.5], name, SIZES[1]).colour(colour);
        at += text::width(name, SIZES[1]) + 14.0;
        legend.push(Item::Text(text));
    }
    out.push(Item::group("legend", legend));
    out
}

/// The frame of an image in its cell, with square pixels.
fn cell(column: usize, row: usize, [nx, ny]: [usize; 2]) -> Rect {
    let step = (SPECTRUM.w - CELL) / (RANGES - 1) as f64;
    let (nx, ny) = (nx.max(1) as f64, ny.max(1) as f64);
    let (w, h) = (CELL * (nx / ny).min(1.0), CELL * (ny / nx).min(1.0));
    Rect::new(
        SPECTRUM.x + step * column as f64 + 0.5 * (CELL - w),
        ROWS[row] + 0.5 * (CELL - h),
        w,
        h,
    )
}

/// What a row shows, on its left.
fn row_title(row: usize, lines: [&str; 2]) -> Vec<Item> {
    let middle = ROWS[row] + 0.5 * CELL;
    let [_, _, size, _] = SIZES;
    let line = |(i, line): (usize, &str)| {
        let at = [SPECTRUM.x - 22.0 + 1.3 * size * i as f64, middle];
        Item::Text(
            Text::new(at, line, size)
                .anchor(Align::Middle, Level::Base)
                .turned(90.0),
        )
    };
    lines.into_iter().enumerate().map(line).collect()
}

/// A limit of colours in few digits.
fn short(v: f64) -> String {
    let size = v.abs();
    let digits = 3 - size.max(1e-3).log10().floor() as i32;
    if size == 0.0 || (0.01..1e5).contains(&size) {
        let decimals = digits.clamp(0, 4) as usize;
        return format!("{v:.decimals$}").replace('-', "−");
    }
    let power = size.log10().floor();
    let front = format!("{:.2}", v / 10f64.powf(power)).replace('-', "−");
    let power = format!("{power:.0}").replace('-', "−");
    format!("{front}×10{}", text::raised(&power))
}

fn images(numbers: &Numbers, size: [usize; 2], options: &Options, median: bool) -> Vec<Item> {
    let what = if median { "median" } else { "mean" };
    let mut out = row_title(0, ["IFU image,", what]);
    for (k, image) in numbers.images.iter().enumerate() {
        let area = cell(k, 0, size);
        let place = Affine::upright(area, size[0], size[1]);
        let drawn = picture(image, size, options.percentiles, place);
        out.push(Item::clipped(format!("image {}", k + 1), area, vec![drawn]));
        out.push(frame(area));
        let middle = area.middle()[0];
        let below = ROWS[0] + CELL + 4.0;
        let caption = |text: String, down: f64, size: f64, colour: Colour| {
            Item::Text(
                Text::new([middle, below + down], text, size)
                    .colour(colour)
                    .anchor(Align::Middle, Level::Top),
            )
        };
        if numbers.edges[0].is_finite() {
            let (a, b) = (numbers.edges[k], numbers.edges[k + 1]);
            // as many digits as tell the ends apart
            let digits = ticks_digits(b - a);
            let range = format!("{a:.digits$}–{b:.digits$} µm");
            out.push(caption(range, 0.0, SIZES[3], Colour::BLACK));
        }
        let [low, high] = limits(image, options.percentiles);
        let text = match low.is_finite() {
            true => format!("{} … {}", short(low), short(high)),
            false => "no valid voxel".into(),
        };
        out.push(caption(text, 10.5, SIZES[3] - 1.4, GREY));
    }
    out
}

/// Decimals that show a range's ends apart.
fn ticks_digits(range: f64) -> usize {
    match range {
        r if r > 0.0 => (1.0 - r.log10()).ceil().clamp(2.0, 6.0) as usize,
        _ => 2,
    }
}

fn invalid(numbers: &Numbers, geometry: &Geometry, size: [usize; 2]) -> Vec<Item> {
    let mut out = row_title(1, ["Invalid", "fraction"]);
    for (k, fractions) in numbers.fractions.iter().enumerate() {
        let area = cell(k, 1, size);
        let place = Affine::upright(area, size[0], size[1]);
        let drawn = Item::Picture(Picture {
            nx: size[0],
            ny: size[1],
            pixels: YL_OR_RD.paint(fractions, [FAINTEST, 1.0]),
            place,
        });
        let mut drawn = vec![drawn];
        if k == 0
            && let Some(to_pixels) = geometry.to_pixels()
        {
            let corner = Affine([1.0, 0.0, 0.0, 1.0, 0.5, 0.5]);
            let to_page = to_pixels.then(&corner).then(&place);
            drawn.extend(geometry.body(&to_page, LEAST[1], 6.5, false));
            out.push(arrows(geometry, &to_page));
        }
        out.push(Item::clipped(format!("invalid {}", k + 1), area, drawn));
        out.push(frame(area));
    }
    out.extend(colour_bar(cell(0, 1, size)));
    out
}

/// Beside the images: north and east of the sky on them, and the body's pole.
fn arrows(geometry: &Geometry, to_page: &Affine) -> Item {
    let size = 7.0;
    // directions of the plane on the page
    let along = |east: f64, north: f64| {
        let [a, b] = [to_page.apply([0.0; 2]), to_page.apply([east, north])];
        let step = [b[0] - a[0], b[1] - a[1]];
        let norm = libm::hypot(step[0], step[1]);
        step.map(|v| v / norm)
    };
    let (north, east) = (along(0.0, 1.0), along(1.0, 0.0));
    let length = 14.0;
    // both arrows with their letters end above the lower left corner
    let reach = length + 1.3 * size;
    let low = |k: usize, sign: f64| {
        let ends = [north, east].map(|d| sign * d[k] * reach);
        ends.into_iter().fold(0.0, f64::min)
    };
    let foot = [5.0 - low(0, 1.0), ROWS[1] + CELL + 10.0 + low(1, -1.0)];
    let long = |d: Point| d.map(|v| v * length);
    let mut items = vec![compass(foot, [long(north), long(east)])];
    if let Some(angle) = geometry.pole.filter(|a| a.is_finite()) {
        let (s, c) = libm::sincos(angle.to_radians());
        let pole = along(s, c);
        // for itself, as it may point anywhere
        let from = [0, 1].map(|k| [20.0, ROWS[1]][k] - 0.5 * length * pole[k]);
        items.push(arrow(from, long(pole), "P", size, BLUE));
    }
    Item::group("compass of the images", items)
}

/// What the colours of the invalid fraction mean, beside a map.
fn colour_bar(beside: Rect) -> Vec<Item> {
    let area = Rect::new(SPECTRUM.right() + 10.0, beside.y, 7.0, beside.h);
    let n = 64;
    let values: Vec<f64> = (0..n)
        .map(|i| (f64::from(i) + 0.5) / f64::from(n))
        .collect();
    let bar = Item::Picture(Picture {
        nx: 1,
        ny: n as usize,
        pixels: YL_OR_RD.paint(&values, [FAINTEST, 1.0]),
        place: Affine::upright(area, 1, n as usize),
    });
    let ticks = [0.0, 0.5, 1.0].map(|v| (v * area.h, format!("{:.0} %", 100.0 * v)));
    vec![
        Item::clipped("colour bar", area, vec![bar]),
        frame(area),
        labelled(
            area,
            Side::Right,
            ticks.into(),
            "",
            SIZES[3] - 1.0,
            Colour::BLACK,
        ),
    ]
}
