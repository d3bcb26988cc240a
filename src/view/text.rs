//! Text as outlines of the built-in font, so that pixels and vectors look the same and no font of the system is needed.
//!
//! The font is Source Sans Pro Regular (Adobe, SIL Open Font License 1.1: `font/LICENSE.txt`). Its figures have one width. A
//! character that it lacks is drawn as its box of a missing character.

use std::sync::OnceLock;

use ttf_parser::{Face, OutlineBuilder};

use super::figure::{Align, Level, Path, Point, Rect, Segment, Text};

static FONT: &[u8] = include_bytes!("font/SourceSansPro-Regular.otf");

/// Begins a superscript in a text, and ends it.
const RAISE: [char; 2] = ['\u{e000}', '\u{e001}'];
/// Size and height of a superscript, of those of the text.
const RAISED: [f64; 2] = [0.68, 0.36];
/// Height of capitals where the font does not say.
const CAPITALS: f64 = 0.66;

/// Text that is drawn as a superscript.
#[must_use]
pub fn raised(text: &str) -> String {
    format!("{}{text}{}", RAISE[0], RAISE[1])
}

/// A text as a reader without superscripts has it.
#[must_use]
pub fn plain(text: &str) -> String {
    text.replace(RAISE[0], "^").replace(RAISE[1], "")
}

fn face() -> Option<&'static Face<'static>> {
    static FACE: OnceLock<Option<Face<'static>>> = OnceLock::new();
    FACE.get_or_init(|| Face::parse(FONT, 0).ok()).as_ref()
}

/// Collects a glyph's outline.
struct Pen<'a> {
    path: &'a mut Vec<Segment>,
    at: Point,
    scale: f64,
}

impl Pen<'_> {
    fn place(&self, x: f32, y: f32) -> Point {
        // fonts have y upwards
        [
            self.at[0] + self.scale * f64::from(x),
            self.at[1] - self.scale * f64::from(y),
        ]
    }
}

impl OutlineBuilder for Pen<'_> {
    fn move_to(&mut self, x: f32, y: f32) {
        let p = self.place(x, y);
        self.path.push(Segment::Move(p));
    }
    fn line_to(&mut self, x: f32, y: f32) {
        let p = self.place(x, y);
        self.path.push(Segment::Line(p));
    }
    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let (c, p) = (self.place(x1, y1), self.place(x, y));
        self.path.push(Segment::Quad(c, p));
    }
    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let (c, d, p) = (self.place(x1, y1), self.place(x2, y2), self.place(x, y));
        self.path.push(Segment::Cubic(c, d, p));
    }
    fn close(&mut self) {
        self.path.push(Segment::Close);
    }
}

/// Goes through the glyphs of a text of this size that begins at the origin: each with its place and scale. Returns the width.
fn run(text: &str, size: f64, mut each: impl FnMut(ttf_parser::GlyphId, Point, f64)) -> f64 {
    let Some(face) = face() else { return 0.0 };
    let unit = 1.0 / f64::from(face.units_per_em());
    let (mut x, mut part, mut up) = (0.0, 1.0, 0.0);
    for c in text.chars() {
        if c == RAISE[0] {
            [part, up] = RAISED;
        } else if c == RAISE[1] {
            (part, up) = (1.0, 0.0);
        } else if !c.is_control() {
            let glyph = face.glyph_index(c).unwrap_or_default();
            let scale = size * part * unit;
            each(glyph, [x, -up * size], scale);
            x += scale * f64::from(face.glyph_hor_advance(glyph).unwrap_or(0));
        }
    }
    x
}

/// Width of a text, points.
#[must_use]
pub fn width(text: &str, size: f64) -> f64 {
    run(text, size, |_, _, _| {})
}

/// Height of capitals, points.
#[must_use]
pub fn height(size: f64) -> f64 {
    let of = |f: &Face| {
        let capitals = f.capital_height().filter(|h| *h > 0)?;
        Some(f64::from(capitals) / f64::from(f.units_per_em()))
    };
    size * face().and_then(of).unwrap_or(CAPITALS)
}

/// From the origin of a text's own outline to its beginning on the line.
fn start(text: &Text) -> Point {
    let across = match text.align {
        Align::Left => 0.0,
        Align::Middle => -0.5 * width(&text.text, text.size),
        Align::Right => -width(&text.text, text.size),
    };
    let down = match text.level {
        Level::Base => 0.0,
        Level::Middle => 0.5 * height(text.size),
        Level::Top => height(text.size),
    };
    [across, down]
}

/// Turns about the text's place and moves there.
fn placed(text: &Text) -> impl Fn(Point) -> Point {
    let (s, c) = libm::sincos(text.turn.to_radians());
    let at = text.at;
    move |[x, y]| [at[0] + c * x + s * y, at[1] - s * x + c * y]
}

/// The outline of a text where it is drawn, to be filled by the even-odd rule.
#[must_use]
pub fn outline(text: &Text) -> Path {
    let [x, y] = start(text);
    let mut path = Vec::new();
    if let Some(face) = face() {
        run(&text.text, text.size, |glyph, at, scale| {
            let mut pen = Pen {
                path: &mut path,
                at: [x + at[0], y + at[1]],
                scale,
            };
            face.outline_glyph(glyph, &mut pen);
        });
    }
    let to = placed(text);
    for s in &mut path {
        *s = match *s {
            Segment::Move(p) => Segment::Move(to(p)),
            Segment::Line(p) => Segment::Line(to(p)),
            Segment::Quad(c, p) => Segment::Quad(to(c), to(p)),
            Segment::Cubic(c, d, p) => Segment::Cubic(to(c), to(d), to(p)),
            Segment::Close => Segment::Close,
        };
    }
    Path(path)
}

/// The rectangle that a text takes, from the top of its capitals to its deepest letters.
#[must_use]
pub fn bounds(text: &Text) -> Rect {
    let [x, y] = start(text);
    let (w, up, down) = (
        width(&text.text, text.size),
        height(text.size),
        0.22 * text.size,
    );
    let to = placed(text);
    let corners = [
        [x, y - up],
        [x + w, y - up],
        [x, y + down],
        [x + w, y + down],
    ]
    .map(to);
    let low = corners
        .iter()
        .fold([f64::INFINITY; 2], |m, p| [m[0].min(p[0]), m[1].min(p[1])]);
    let high = corners.iter().fold([f64::NEG_INFINITY; 2], |m, p| {
        [m[0].max(p[0]), m[1].max(p[1])]
    });
    Rect::new(low[0], low[1], high[0] - low[0], high[1] - low[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_has_what_figures_need() {
        let face = face().expect("a font");
        for c in "0123456789ABCabc°µ″′−–×ʰᵐˢ±≤λσé·…%/()".chars() {
            assert!(face.glyph_index(c).is_some(), "{c}");
        }
        let one = width("0", 10.0);
        assert!((1..10).all(|d| (width(&d.to_string(), 10.0) - one).abs() < 1e-9));
    }

    #[test]
    fn outlines_lie_in_the_bounds() {
        for (align, level, turn) in [
            (Align::Left, Level::Base, 0.0),
            (Align::Middle, Level::Middle, 90.0),
            (Align::Right, Level::Top, 0.0),
        ] {
            let t = Text::new([100.0, 50.0], "Spectrum (MJy/sr)", 12.0)
                .anchor(align, level)
                .turned(turn);
            let b = bounds(&t).inset(-1.0);
            let path = outline(&t);
            assert!(path.0.len() > 100);
            for s in &path.0 {
                if let Segment::Move(p) | Segment::Line(p) | Segment::Cubic(_, _, p) = s {
                    assert!(b.holds(&Rect::new(p[0], p[1], 0.0, 0.0)), "{p:?} {b:?}");
                }
            }
        }
        // turned against the clock, a text runs upwards
        let t = Text::new([0.0, 0.0], "abc", 10.0).turned(90.0);
        assert!(bounds(&t).y < -10.0 && bounds(&t).bottom() < 1e-6);
    }

    #[test]
    fn superscripts_are_small_and_high() {
        let text = format!("10{}", raised("-5"));
        assert_eq!(plain(&text), "10^-5");
        assert!(width(&text, 10.0) < width("10-5", 10.0));
        let high = |t: &str| {
            let path = outline(&Text::new([0.0; 2], t, 10.0));
            let y = path.0.iter().filter_map(|s| match s {
                Segment::Move(p) | Segment::Line(p) | Segment::Cubic(_, _, p) => Some(p[1]),
                _ => None,
            });
            y.fold(f64::INFINITY, f64::min)
        };
        assert!(high(&text) < high("10"));
    }
}
