//! Axes of graphs: a frame, ticks and labels, and from data to the page.

use super::colours::ColourMap;
use super::figure::{Affine, Align, Colour, Item, Level, Path, Picture, Point, Rect, Stroke, Text};
use super::text;
use super::ticks::{self, Tick};

/// Length of a labelled tick and of a small one, points.
const TICKS: [f64; 2] = [3.5, 2.0];
/// Width of frames and ticks, points.
const LINE: f64 = 0.7;
/// Distance of labels from ticks, points.
const GAP: f64 = 2.5;

/// How numbers lie along an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Value at the left or lower end.
    pub low: f64,
    /// Value at the other end.
    pub high: f64,
    /// Whether powers of ten are at equal distances.
    pub log: bool,
}

impl Scale {
    /// Equal distances for equal differences.
    #[must_use]
    pub fn linear(low: f64, high: f64) -> Self {
        Self {
            low,
            high,
            log: false,
        }
    }

    /// Equal distances for equal ratios; both ends above 0.
    #[must_use]
    pub fn logarithmic(low: f64, high: f64) -> Self {
        Self {
            low,
            high,
            log: true,
        }
    }

    /// Where a value lies, from 0 to 1 along the axis; NaN where it is nowhere.
    #[must_use]
    pub fn fraction(&self, v: f64) -> f64 {
        match self.log {
            true if v > 0.0 => (v / self.low).ln() / (self.high / self.low).ln(),
            true => f64::NAN,
            false => (v - self.low) / (self.high - self.low),
        }
    }

    /// The ticks, at most about `most` with labels.
    #[must_use]
    pub fn ticks(&self, most: usize) -> Vec<Tick> {
        match self.log {
            true => ticks::logarithmic(self.low, self.high, most),
            false => ticks::linear(self.low, self.high, most),
        }
    }
}

/// Sides of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Below.
    Bottom,
    /// On the left.
    Left,
    /// On the right: a twin of the left axis.
    Right,
}

/// A rectangle with two scales.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axes {
    /// Where on the page.
    pub area: Rect,
    /// Left to right.
    pub x: Scale,
    /// From below upwards.
    pub y: Scale,
}

impl Axes {
    /// Where a point of the data is on the page.
    #[must_use]
    pub fn place(&self, x: f64, y: f64) -> Point {
        [
            self.area.x + self.area.w * self.x.fraction(x),
            self.area.bottom() - self.area.h * self.y.fraction(y),
        ]
    }

    /// A line through data, broken where a value is not finite; a single value between gaps is a dot.
    #[must_use]
    pub fn curve(&self, x: &[f64], y: &[f64]) -> Path {
        // far outside is as good as anywhere outside, and keeps numbers small
        let limit = |p: Point| {
            let (low, high) = (self.area.y - self.area.h, self.area.bottom() + self.area.h);
            [p[0], p[1].clamp(low, high)]
        };
        let points: Vec<Point> = x
            .iter()
            .zip(y)
            .map(|(x, y)| limit(self.place(*x, *y)))
            .collect();
        let finite = |i: Option<usize>| {
            let p = i.and_then(|i| points.get(i));
            p.is_some_and(|p| p[0].is_finite() && p[1].is_finite())
        };
        let mut out = Vec::with_capacity(points.len());
        for (i, p) in points.iter().enumerate() {
            out.push(*p);
            if finite(Some(i)) && !finite(i.checked_sub(1)) && !finite(Some(i + 1)) {
                // a round end makes it visible
                out.push([p[0] + 0.01, p[1]]);
            }
        }
        Path::line(out)
    }

    /// Ticks and a title along one side, with as many labels as have room.
    #[must_use]
    pub fn side(&self, side: Side, title: &str, size: f64, colour: Colour) -> Item {
        let (scale, length, most) = match side {
            Side::Bottom => (&self.x, self.area.w, self.area.w / (5.0 * size)),
            Side::Left | Side::Right => (&self.y, self.area.h, self.area.h / (2.4 * size)),
        };
        let along = |t: &Tick| length * scale.fraction(t.at);
        labelled(
            self.area,
            side,
            scale
                .ticks(most.clamp(2.0, 9.0) as usize)
                .into_iter()
                .map(|t| (along(&t), t.label))
                .collect(),
            title,
            size,
            colour,
        )
    }

    /// The frame.
    #[must_use]
    pub fn frame(&self) -> Item {
        frame(self.area)
    }
}

/// The frame of a rectangle.
#[must_use]
pub fn frame(area: Rect) -> Item {
    Item::line(Path::rect(area), Stroke::new(Colour::BLACK, LINE))
}

/// The colours between two values, the second one above, on an upright bar with a scale on its right.
#[must_use]
pub fn colour_bar(
    area: Rect,
    [low, high]: [f64; 2],
    map: &ColourMap,
    unit: &str,
    size: f64,
) -> Item {
    let n = 128;
    // a scale that falls is drawn from its other end
    let falls = high < low;
    let at = |k: usize| k as f64 / (n - 1) as f64;
    let pixels = (0..n).map(|k| map.at(if falls { 1.0 - at(k) } else { at(k) }));
    let axes = Axes {
        area,
        x: Scale::linear(0.0, 1.0),
        y: match high.max(low) > high.min(low) {
            true => Scale::linear(low.min(high), high.max(low)),
            false => Scale::linear(low - 0.5, low + 0.5),
        },
    };
    Item::group(
        "colours",
        vec![
            Item::Picture(Picture {
                nx: 1,
                ny: n,
                pixels: pixels.collect(),
                place: Affine::upright(area, 1, n),
            }),
            axes.frame(),
            axes.side(Side::Right, unit, size, Colour::BLACK),
        ],
    )
}

/// Ticks at places along a side of a rectangle (points from its left or lower end), with their labels, and a title. Labels that would
/// touch one before are left out.
#[must_use]
pub fn labelled(
    area: Rect,
    side: Side,
    ticks: Vec<(f64, String)>,
    title: &str,
    size: f64,
    colour: Colour,
) -> Item {
    let mut items = Vec::new();
    let mut taken: Vec<Rect> = Vec::new();
    let mut lines = Path::default();
    let mut widest: f64 = 0.0;
    let length = if side == Side::Bottom { area.w } else { area.h };
    for (at, label) in ticks {
        if !(at >= -1e-6 && at <= length + 1e-6) {
            continue;
        }
        let out = TICKS[usize::from(label.is_empty())];
        let (from, to) = match side {
            Side::Bottom => (
                [area.x + at, area.bottom()],
                [area.x + at, area.bottom() + out],
            ),
            Side::Left => (
                [area.x, area.bottom() - at],
                [area.x - out, area.bottom() - at],
            ),
            Side::Right => (
                [area.right(), area.bottom() - at],
                [area.right() + out, area.bottom() - at],
            ),
        };
        lines.extend(Path::line([from, to]));
        if label.is_empty() {
            continue;
        }
        let text = match side {
            Side::Bottom => {
                Text::new([to[0], to[1] + GAP], label, size).anchor(Align::Middle, Level::Top)
            }
            Side::Left => {
                Text::new([to[0] - GAP, to[1]], label, size).anchor(Align::Right, Level::Middle)
            }
            Side::Right => {
                Text::new([to[0] + GAP, to[1]], label, size).anchor(Align::Left, Level::Middle)
            }
        };
        let text = text.colour(colour);
        let room = text::bounds(&text);
        let room = Rect::new(room.x - 2.0, room.y, room.w + 4.0, room.h);
        if taken.iter().any(|t| t.overlaps(&room)) {
            continue;
        }
        widest = widest.max(room.w - 4.0);
        taken.push(room);
        items.push(Item::Text(text));
    }
    items.push(Item::line(lines, Stroke::new(colour, LINE)));
    if !title.is_empty() {
        let away = TICKS[0] + 2.0 * GAP + widest + 2.5;
        let [mx, my] = area.middle();
        let title = Text::new([mx, my], title, size + 1.0).colour(colour);
        let title = match side {
            Side::Bottom => Text {
                at: [mx, area.bottom() + TICKS[0] + GAP + 1.6 * size],
                ..title
            }
            .anchor(Align::Middle, Level::Top),
            Side::Left => Text {
                at: [area.x - away, my],
                ..title
            }
            .anchor(Align::Middle, Level::Base)
            .turned(90.0),
            Side::Right => Text {
                at: [area.right() + away, my],
                ..title
            }
            .anchor(Align::Middle, Level::Base)
            .turned(-90.0),
        };
        items.push(Item::Text(title));
    }
    Item::group(
        match side {
            Side::Bottom => "bottom axis",
            Side::Left => "left axis",
            Side::Right => "right axis",
        },
        items,
    )
}

#[cfg(test)]
mod tests {
    use super::super::figure::{Figure, Segment};
    use super::*;

    const AREA: Rect = Rect::new(100.0, 50.0, 200.0, 100.0);

    #[test]
    fn values_have_their_place() {
        let axes = Axes {
            area: AREA,
            x: Scale::linear(0.0, 10.0),
            y: Scale::logarithmic(1.0, 100.0),
        };
        assert_eq!(axes.place(5.0, 10.0), [200.0, 100.0]);
        assert!(axes.place(5.0, -1.0)[1].is_nan());
        let path = axes.curve(&[0.0, 1.0, 2.0, 3.0], &[1.0, f64::NAN, 10.0, -1.0]);
        let moves = path.0.iter().filter(|s| matches!(s, Segment::Move(_)));
        assert_eq!((moves.count(), path.0.len()), (2, 4));
    }

    #[test]
    fn labels_do_not_touch() {
        for scale in [
            Scale::linear(4.9, 5.74),
            Scale::logarithmic(0.01, 1e6),
            Scale::linear(-1e6, 1e6),
        ] {
            let axes = Axes {
                area: AREA,
                x: scale,
                y: scale,
            };
            let mut f = Figure::new(400.0, 300.0, "");
            for side in [Side::Bottom, Side::Left, Side::Right] {
                f.items.push(axes.side(side, "title", 8.0, Colour::BLACK));
            }
            let page = Rect::new(0.0, 0.0, f.width, f.height);
            let boxes: Vec<Rect> = f.texts().iter().map(|t| text::bounds(t.0)).collect();
            assert!(boxes.len() > 10, "{scale:?}");
            for (i, a) in boxes.iter().enumerate() {
                assert!(page.holds(a), "{a:?}");
                assert!(!boxes[..i].iter().any(|b| a.overlaps(b)), "{:?}", f.texts());
            }
        }
    }
}
