//! One cube through steps of the chain, before and after: images, what each step changed in them, and the spectrum of a spaxel.
//!
//! [`Subject`] is what is shown, [`draw`] the page. Above: the mean image of a range of wavelengths after each step, all in the same
//! colours (percentiles 0.5 and 99.5 of them all). In the middle: what each step changed in it, in diverging colours that are symmetric
//! about 0 (percentile 99 of all changes), with the number of values of the whole cube that it changed, filled in or took away. Below:
//! the spectrum of one spaxel, marked in the images, after each step. In the manner of the overview of Fletcher et al. (2023,
//! doi:10.1029/2023JE007924) of their flat-fielding and desaturation.

use super::axes::{Axes, Scale, Side, colour_bar, frame};
use super::colours::{ColourMap, PLASMA, RD_BU};
use super::figure::{
    Affine, Align, Colour, Figure, Item, Level, Path, Picture, Rect, Stroke, Text,
};
use super::text;
use crate::math::quantile::quantile;

/// Width of the page, points.
const PAGE: f64 = 720.0;
/// Left and right edge of everything, and the upper edge of images.
const EDGES: [f64; 2] = [64.0, 652.0];
const TOP: f64 = 66.0;
/// Largest side of an image, and the distance between two.
const CELL: f64 = 170.0;
const BETWEEN: f64 = 12.0;
/// Height of the spectra.
const SPECTRUM: f64 = 190.0;
/// Sizes of text: title, headings and axes, notes.
const SIZES: [f64; 3] = [13.5, 8.5, 7.2];
/// Colours of spectra, which most people tell apart (Okabe & Ito 2008).
const COLOURS: [u32; 6] = [0x000000, 0xd55e00, 0x0072b2, 0x009e73, 0xcc79a7, 0xe69f00];
/// Cubes at most.
pub const MOST: usize = COLOURS.len();

/// A cube after each of some steps.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// What it is of.
    pub title: &'a str,
    /// What each cube is called.
    pub names: &'a [String],
    /// Unit of the values.
    pub unit: &'a str,
    /// Wavelengths, rows and columns of all of them.
    pub shape: [usize; 3],
    /// The cubes, `[wavelength][y][x]`, two to [`MOST`], in order.
    pub cubes: &'a [&'a [f32]],
    /// Wavelengths, micron.
    pub wavelength: &'a [f64],
    /// Wavelengths that images are means of, micron.
    pub range: [f64; 2],
    /// Column and row (from 0) of the spectra; without one the brightest in the last image.
    pub spaxel: Option<[usize; 2]>,
}

/// What a step did to the values of a cube.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Values that became others.
    pub other: usize,
    /// Values where there was none.
    pub filled: usize,
    /// Values that are gone.
    pub lost: usize,
}

impl Changes {
    /// From one cube to another; what is no finite number is no value.
    #[must_use]
    pub fn of(before: &[f32], after: &[f32]) -> Self {
        let mut out = Self::default();
        for (a, b) in before.iter().zip(after) {
            match (a.is_finite(), b.is_finite()) {
                (true, true) => out.other += usize::from(a != b),
                (false, true) => out.filled += 1,
                (true, false) => out.lost += 1,
                (false, false) => {}
            }
        }
        out
    }
}

/// Sums over the wavelengths in a range of the values of a cube that are finite, less those of another where both are; and how
/// many they are.
fn sums(subject: &Subject, cube: &[f32], less: Option<&[f32]>) -> Vec<(f64, u32)> {
    let [_, ny, nx] = subject.shape;
    let n = (ny * nx).max(1);
    let mut out = vec![(0.0, 0); n];
    let [low, high] = subject.range;
    for (k, (plane, w)) in cube.chunks_exact(n).zip(subject.wavelength).enumerate() {
        if !(low <= *w && *w <= high) {
            continue;
        }
        let other = less.and_then(|l| l.get(k * n..(k + 1) * n));
        for (i, ((sum, count), v)) in out.iter_mut().zip(plane).enumerate() {
            let value = f64::from(*v) - other.map_or(0.0, |o| f64::from(o[i]));
            if value.is_finite() {
                *sum += value;
                *count += 1;
            }
        }
    }
    out
}

/// Means; NaN of nothing.
fn means(sums: &[(f64, u32)]) -> Vec<f64> {
    let mean = |(sum, count): &(f64, u32)| sum / f64::from(*count);
    sums.iter().map(mean).collect()
}

/// The brightest spaxel that has values at half of the wavelengths or more.
fn brightest(sums: &[(f64, u32)]) -> Option<usize> {
    let most = sums.iter().map(|(_, count)| *count).max()?;
    let known = sums.iter().zip(means(sums)).enumerate();
    let known = known.filter(|(_, ((_, count), _))| *count > 0 && 2 * count >= most);
    let (i, _) = known.max_by(|(_, (_, a)), (_, (_, b))| a.total_cmp(b))?;
    Some(i)
}

/// Percentiles of what is finite; none of nothing.
fn ends<const N: usize>(values: impl Iterator<Item = f64>, parts: [f64; N]) -> Option<[f64; N]> {
    let mut known: Vec<f64> = values.filter(|v| v.is_finite()).collect();
    (!known.is_empty()).then(|| parts.map(|p| quantile(&mut known, p)))
}

/// Draws the page.
#[must_use]
pub fn draw(subject: &Subject) -> Figure {
    let [_, ny, nx] = subject.shape;
    let n = subject.cubes.len().max(1) as f64;
    let room = (EDGES[1] - EDGES[0] - (n - 1.0) * BETWEEN) / n;
    let scale = room.min(CELL) / nx.max(ny).max(1) as f64;
    let [w, h] = [nx, ny].map(|n| n as f64 * scale);
    let rows = [TOP, TOP + h + 34.0];
    let area =
        |k: usize, row: usize| Rect::new(EDGES[0] + k as f64 * (w + BETWEEN), rows[row], w, h);
    let all: Vec<Vec<(f64, u32)>> = (subject.cubes.iter())
        .map(|c| sums(subject, c, None))
        .collect();
    let images: Vec<Vec<f64>> = all.iter().map(|s| means(s)).collect();
    let spaxel = subject.spaxel.or_else(|| {
        let i = brightest(all.last()?)?;
        Some([i % nx, i / nx])
    });
    let spectrum = Rect::new(
        EDGES[0],
        rows[1] + h + 46.0,
        EDGES[1] - EDGES[0] + 40.0,
        SPECTRUM,
    );
    let mut out = Figure::new(PAGE, spectrum.bottom() + 44.0, subject.title);
    let room = (PAGE - 40.0) / text::width(subject.title, SIZES[0]).max(1.0);
    let centred = |at, what: String, size: f64| {
        Item::Text(Text::new(at, what, size).anchor(Align::Middle, Level::Base))
    };
    let title = centred(
        [0.5 * PAGE, 24.0],
        subject.title.to_owned(),
        SIZES[0] * room.min(1.0),
    );
    let range = format!(
        "Mean of {:.3} to {:.3} µm",
        subject.range[0], subject.range[1]
    );
    out.items.push(Item::group(
        "title",
        vec![title, centred([0.5 * PAGE, 39.0], range, SIZES[1])],
    ));
    let limits = ends(images.iter().flatten().copied(), [0.005, 0.995]).unwrap_or([0.0, 1.0]);
    let mark = spaxel.map(|[x, y]| Rect::new(x as f64, (ny - 1 - y.min(ny - 1)) as f64, 1.0, 1.0));
    let panel = |image: &[f64], limits, map: &ColourMap, at: Rect| {
        let picture = Item::Picture(Picture {
            nx,
            ny,
            pixels: map.paint(image, limits),
            place: Affine::upright(at, nx, ny),
        });
        let mut items = vec![
            Item::area(Path::rect(at), Colour::rgb(0xe4e4e4)),
            picture,
            frame(at),
        ];
        if let Some(m) = mark {
            let place = Rect::new(
                at.x + m.x * scale,
                at.y + m.y * scale,
                m.w * scale,
                m.h * scale,
            );
            items.push(Item::line(
                Path::rect(place.inset(-1.2)),
                Stroke::new(Colour::WHITE, 1.4),
            ));
            items.push(Item::line(
                Path::rect(place.inset(-1.2)),
                Stroke::new(Colour::BLACK, 0.6),
            ));
        }
        items
    };
    let mut above = Vec::new();
    for (k, (image, name)) in images.iter().zip(subject.names).enumerate() {
        let at = area(k, 0);
        above.extend(panel(image, limits, &PLASMA, at));
        let room = (w + BETWEEN - 4.0) / text::width(name, SIZES[1]).max(1.0);
        let size = SIZES[1] * room.min(1.0);
        above.push(centred([at.middle()[0], at.y - 5.0], name.clone(), size));
    }
    let bar = |row: usize| {
        let last = area(subject.cubes.len().max(1) - 1, row);
        Rect::new(last.right() + 10.0, last.y, 8.0, last.h)
    };
    above.push(colour_bar(bar(0), limits, &PLASMA, subject.unit, SIZES[2]));
    out.items.push(Item::group("images", above));
    // of values that are in both, or means of other wavelengths would be compared
    let changes: Vec<Vec<f64>> = (subject.cubes.windows(2))
        .map(|pair| means(&sums(subject, pair[1], Some(pair[0]))))
        .collect();
    let most = ends(changes.iter().flatten().map(|v| v.abs()), [0.99, 1.0]);
    let most = most.map_or(1.0, |[part, all]| if part > 0.0 { part } else { all });
    let most = if most > 0.0 { most } else { 1.0 };
    let mut middle = Vec::new();
    for (k, (change, pair)) in changes.iter().zip(subject.cubes.windows(2)).enumerate() {
        let at = area(k + 1, 1);
        // blue for less, as in films
        let turned: Vec<f64> = change.iter().map(|v| -v).collect();
        middle.extend(panel(&turned, [-most, most], &RD_BU, at));
        let of = Changes::of(pair[0], pair[1]);
        let said = format!(
            "changed {}, filled {}, lost {}",
            of.other, of.filled, of.lost
        );
        let room = (w + BETWEEN - 4.0) / text::width(&said, SIZES[2]).max(1.0);
        let size = SIZES[2] * room.min(1.0);
        middle.push(centred([at.middle()[0], at.bottom() + 10.0], said, size));
    }
    let first = area(0, 1);
    let says = ["What the step", "changed"];
    for (i, line) in says.into_iter().enumerate() {
        middle.push(Item::Text(
            Text::new(
                [first.right(), first.middle()[1] + 11.0 * i as f64],
                line,
                SIZES[1],
            )
            .anchor(Align::Right, Level::Base),
        ));
    }
    middle.push(colour_bar(
        bar(1),
        [most, -most],
        &RD_BU,
        subject.unit,
        SIZES[2],
    ));
    out.items.push(Item::group("changes", middle));
    out.items
        .push(Item::group("spectra", spectra(subject, spaxel, spectrum)));
    out
}

/// The spectrum of a spaxel after each step.
fn spectra(subject: &Subject, spaxel: Option<[usize; 2]>, area: Rect) -> Vec<Item> {
    let [_, ny, nx] = subject.shape;
    let Some([x, y]) = spaxel else {
        let text = Text::new(area.middle(), "no spaxel has a value", SIZES[1]);
        return vec![
            frame(area),
            Item::Text(text.anchor(Align::Middle, Level::Middle)),
        ];
    };
    let of = |cube: &&[f32]| -> Vec<f64> {
        let planes = cube.chunks_exact((ny * nx).max(1));
        planes
            .map(|p| p.get(y * nx + x).map_or(f64::NAN, |v| f64::from(*v)))
            .collect()
    };
    let all: Vec<Vec<f64>> = subject.cubes.iter().map(of).collect();
    let margin = |e: Option<[f64; 2]>| {
        let [low, high] = e.unwrap_or([0.0, 1.0]);
        let by = (0.05 * (high - low)).max(0.01 * high.abs()).max(1e-30);
        Scale::linear(low - by, high + by)
    };
    let [first, last] = ends(subject.wavelength.iter().copied(), [0.0, 1.0]).unwrap_or([0.0, 1.0]);
    let axes = Axes {
        area,
        x: match last > first {
            true => Scale::linear(first, last),
            false => Scale::linear(first - 0.5, first + 0.5),
        },
        y: margin(ends(all.iter().flatten().copied(), [0.0, 1.0])),
    };
    let mut shown = Vec::new();
    if subject.range[0] > first || subject.range[1] < last {
        let [a, b] = subject.range.map(|w| axes.place(w, 0.0)[0]);
        let band = Rect::new(a, area.y, b - a, area.h);
        shown.push(Item::area(Path::rect(band), Colour::BLACK.faded(0.07)));
    }
    let mut key = Vec::new();
    for (k, (values, name)) in all.iter().zip(subject.names).enumerate() {
        let colour = Colour::rgb(COLOURS[k % COLOURS.len()]);
        // what comes later is on top, and thinner, so that equal ones are seen
        let width = 0.7 + 0.5 * (all.len() - 1 - k) as f64;
        shown.push(Item::line(
            axes.curve(subject.wavelength, values),
            Stroke::new(colour, width),
        ));
        let at = key
            .iter()
            .fold(area.x + 8.0, |x: f64, (w, _): &(f64, Vec<Item>)| x + w);
        let level = area.y - 7.0;
        let text = Text::new([at + 16.0, level], name.clone(), SIZES[1])
            .anchor(Align::Left, Level::Middle);
        let line = Path::line([[at, level], [at + 12.0, level]]);
        let items = vec![Item::line(line, Stroke::new(colour, 1.6)), Item::Text(text)];
        key.push((text::width(name, SIZES[1]) + 30.0, items));
    }
    let unit = format!("Spaxel {}, {} ({})", x + 1, y + 1, subject.unit);
    let mut out = vec![
        Item::clipped("curves", area, shown),
        axes.frame(),
        axes.side(Side::Bottom, "Wavelength (µm)", SIZES[1], Colour::BLACK),
        axes.side(Side::Left, &unit, SIZES[1], Colour::BLACK),
    ];
    let key = key.into_iter().flat_map(|(_, items)| items).collect();
    out.push(Item::group("key", key));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_counted() {
        let n = f32::NAN;
        let of = Changes::of(&[1.0, 2.0, n, n, 5.0], &[1.0, 3.0, 4.0, n, n]);
        let want = Changes {
            other: 1,
            filled: 1,
            lost: 1,
        };
        assert_eq!(of, want);
    }

    #[test]
    fn what_changed_is_told_by_values_that_are_in_both() {
        // the second spaxel loses its fainter wavelengths, and no value changes
        let before = [9.0, 1.0, 9.0, 2.0, 9.0, 30.0];
        let after = [9.0, f32::NAN, 9.0, f32::NAN, 9.0, 30.0];
        let names = ["a", "b"].map(str::to_owned);
        let subject = Subject {
            title: "",
            names: &names,
            unit: "",
            shape: [3, 1, 2],
            cubes: &[&before, &after],
            wavelength: &[1.0, 2.0, 3.0],
            range: [1.0, 3.0],
            spaxel: None,
        };
        let change = means(&sums(&subject, &after, Some(&before)));
        assert_eq!(change, [0.0, 0.0]);
        // brighter in the mean of what is left, of one wavelength in three
        assert_eq!(brightest(&sums(&subject, &after, None)), Some(0));
        assert_eq!(brightest(&sums(&subject, &before, None)), Some(1));
        assert_eq!(brightest(&[(f64::NAN, 0)]), None);
    }

    #[test]
    fn the_page_shows_each_step_and_nothing_lies_on_another() {
        let shape = [5, 6, 7];
        let wavelength = [5.0, 5.1, 5.2, 5.3, 5.4];
        let before: Vec<f32> = (0..5 * 42).map(|i| (i % 42) as f32).collect();
        let mut after = before.clone();
        for (i, v) in after.iter_mut().enumerate() {
            if i % 42 == 41 {
                *v = f32::NAN;
            } else if i % 42 == 10 {
                *v = 90.0;
            }
        }
        let names = ["stage3", "stage3_desaturated", "stage5_despike"].map(str::to_owned);
        let cubes = [&before[..], &after[..], &after[..]];
        let subject = Subject {
            title: "Jupiter",
            names: &names,
            unit: "MJy/sr",
            shape,
            cubes: &cubes,
            wavelength: &wavelength,
            range: [5.1, 5.2],
            spaxel: None,
        };
        // means of two planes
        let image = means(&sums(&subject, &after, None));
        assert_eq!(image[10], 90.0);
        assert!(image[41].is_nan());
        let figure = draw(&subject);
        let all = figure.texts();
        let says = |what: &str| all.iter().any(|(t, _)| t.text == what);
        assert!(says("changed 5, filled 0, lost 5") && says("changed 0, filled 0, lost 0"));
        // column 4, row 2: the brightest of the last
        assert!(says("Spaxel 4, 2 (MJy/sr)"));
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
