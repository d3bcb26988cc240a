//! What is to be drawn, as a list: paths, text, pictures, and groups of them with a name and a clip.
//!
//! A [`Figure`] knows nothing of files. [`super::render`] makes pixels of it, [`super::svg`] and [`super::pdf`] vectors; all three draw the
//! same. Lengths are points (1/72 inch), from the top left, y down. Numbers that are not finite are left out by the back ends: a path
//! breaks there.

/// A place, points.
pub type Point = [f64; 2];

/// Red, green, blue and opacity, 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub [u8; 4]);

impl Colour {
    /// Black.
    pub const BLACK: Self = Self([0, 0, 0, 255]);
    /// White.
    pub const WHITE: Self = Self([255; 4]);

    /// An opaque colour, as in `0xff8000`.
    #[must_use]
    pub const fn rgb(code: u32) -> Self {
        let [_, r, g, b] = code.to_be_bytes();
        Self([r, g, b, 255])
    }

    /// The same with an opacity of 0 to 1.
    #[must_use]
    pub fn faded(self, opacity: f64) -> Self {
        let [r, g, b, _] = self.0;
        Self([r, g, b, (opacity.clamp(0.0, 1.0) * 255.0).round() as u8])
    }
}

/// A rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rect {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width, not negative.
    pub w: f64,
    /// Height, not negative.
    pub h: f64,
}

impl Rect {
    /// A rectangle by its left and upper edge, width and height.
    #[must_use]
    pub const fn new(x: f64, y: f64, w: f64, h: f64) -> Self {
        Self { x, y, w, h }
    }

    /// Right edge.
    #[must_use]
    pub fn right(&self) -> f64 {
        self.x + self.w
    }

    /// Lower edge.
    #[must_use]
    pub fn bottom(&self) -> f64 {
        self.y + self.h
    }

    /// The middle.
    #[must_use]
    pub fn middle(&self) -> Point {
        [self.x + 0.5 * self.w, self.y + 0.5 * self.h]
    }

    /// The same, made smaller by a margin on each side (larger where that is negative).
    #[must_use]
    pub fn inset(&self, by: f64) -> Self {
        Self::new(
            self.x + by,
            self.y + by,
            (self.w - 2.0 * by).max(0.0),
            (self.h - 2.0 * by).max(0.0),
        )
    }

    /// Whether two share more than an edge.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.x < other.right()
            && other.x < self.right()
            && self.y < other.bottom()
            && other.y < self.bottom()
    }

    /// Whether the other lies in this one, but for a rounding.
    #[must_use]
    pub fn holds(&self, other: &Self) -> bool {
        let e = 1e-6;
        other.x >= self.x - e
            && other.y >= self.y - e
            && other.right() <= self.right() + e
            && other.bottom() <= self.bottom() + e
    }
}

/// A piece of a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Segment {
    /// Begins anew.
    Move(Point),
    /// Straight to.
    Line(Point),
    /// With one control point to.
    Quad(Point, Point),
    /// With two control points to.
    Cubic(Point, Point, Point),
    /// Back to where it began.
    Close,
}

/// Lines and curves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Path(pub Vec<Segment>);

impl Path {
    /// A line through points, broken where one is not finite.
    #[must_use]
    pub fn line(points: impl IntoIterator<Item = Point>) -> Self {
        let mut out = Vec::new();
        let mut down = false;
        for p in points {
            let finite = p[0].is_finite() && p[1].is_finite();
            match (finite, down) {
                (true, true) => out.push(Segment::Line(p)),
                (true, false) => out.push(Segment::Move(p)),
                _ => {}
            }
            down = finite;
        }
        Self(out)
    }

    /// A line through points and back.
    #[must_use]
    pub fn closed(points: impl IntoIterator<Item = Point>) -> Self {
        let mut out = Self::line(points);
        if !out.0.is_empty() {
            out.0.push(Segment::Close);
        }
        out
    }

    /// The edge of a rectangle.
    #[must_use]
    pub fn rect(r: Rect) -> Self {
        Self::closed([
            [r.x, r.y],
            [r.right(), r.y],
            [r.right(), r.bottom()],
            [r.x, r.bottom()],
        ])
    }

    /// Several paths in one.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

/// How a line is drawn. Its ends and corners are round.
#[derive(Clone, Debug, PartialEq)]
pub struct Stroke {
    /// Colour.
    pub colour: Colour,
    /// Width, points.
    pub width: f64,
    /// Lengths of dashes and gaps in turn; empty for a whole line.
    pub dash: Vec<f64>,
}

impl Stroke {
    /// A whole line.
    #[must_use]
    pub fn new(colour: Colour, width: f64) -> Self {
        Self {
            colour,
            width,
            dash: Vec::new(),
        }
    }

    /// The same with dashes and gaps.
    #[must_use]
    pub fn dashed(mut self, dash: &[f64]) -> Self {
        self.dash = dash.to_vec();
        self
    }
}

/// Which part of a text is at its place, left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// The beginning.
    Left,
    /// The middle.
    Middle,
    /// The end.
    Right,
}

/// Which part of a text is at its place, up and down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The top of capitals.
    Top,
    /// Half the height of capitals.
    Middle,
    /// The line that letters stand on.
    Base,
}

/// One line of text, drawn with the built-in font ([`super::text`]).
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// The place.
    pub at: Point,
    /// The text; [`super::text::raised`] has superscripts.
    pub text: String,
    /// Size of the font, points.
    pub size: f64,
    /// Colour.
    pub colour: Colour,
    /// What is at the place across.
    pub align: Align,
    /// What is at the place up and down.
    pub level: Level,
    /// By how much it is turned about the place, degrees, against the clock.
    pub turn: f64,
    /// Colour and width of a rim around the letters.
    pub halo: Option<(Colour, f64)>,
}

impl Text {
    /// Black text from its place to the right.
    #[must_use]
    pub fn new(at: Point, text: impl Into<String>, size: f64) -> Self {
        Self {
            at,
            text: text.into(),
            size,
            colour: Colour::BLACK,
            align: Align::Left,
            level: Level::Base,
            turn: 0.0,
            halo: None,
        }
    }

    /// The same in another colour.
    #[must_use]
    pub fn colour(mut self, colour: Colour) -> Self {
        self.colour = colour;
        self
    }

    /// The same with something else at its place.
    #[must_use]
    pub fn anchor(mut self, align: Align, level: Level) -> Self {
        (self.align, self.level) = (align, level);
        self
    }

    /// The same turned, degrees against the clock.
    #[must_use]
    pub fn turned(mut self, degrees: f64) -> Self {
        self.turn = degrees;
        self
    }

    /// The same with a rim.
    #[must_use]
    pub fn halo(mut self, colour: Colour, width: f64) -> Self {
        self.halo = Some((colour, width));
        self
    }
}

/// A map of the plane: (x, y) to (a x + c y + e, b x + d y + f), as in SVG and PDF.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine(pub [f64; 6]);

impl Affine {
    /// Where a point goes.
    #[must_use]
    pub fn apply(&self, [x, y]: Point) -> Point {
        let [a, b, c, d, e, f] = self.0;
        [a * x + c * y + e, b * x + d * y + f]
    }

    /// First this, then the other.
    #[must_use]
    pub fn then(&self, other: &Self) -> Self {
        let [a, b, c, d, e, f] = self.0;
        let [p, q, r, s, t, u] = other.0;
        Self([
            p * a + r * b,
            q * a + s * b,
            p * c + r * d,
            q * c + s * d,
            p * e + r * f + t,
            q * e + s * f + u,
        ])
    }

    /// The way back; none where there is none.
    #[must_use]
    pub fn inverse(&self) -> Option<Self> {
        let [a, b, c, d, e, f] = self.0;
        let det = a * d - b * c;
        let out = [d, -b, -c, a, c * f - d * e, b * e - a * f].map(|v| v / det);
        out.iter().all(|v| v.is_finite()).then_some(Self(out))
    }

    /// An image of `nx` columns and `ny` rows, whose first row is the lowest, into a rectangle.
    #[must_use]
    pub fn upright(area: Rect, nx: usize, ny: usize) -> Self {
        let (nx, ny) = (nx.max(1) as f64, ny.max(1) as f64);
        Self([area.w / nx, 0.0, 0.0, -area.h / ny, area.x, area.bottom()])
    }
}

/// Pixels, each drawn as a parallelogram of one colour.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Columns.
    pub nx: usize,
    /// Rows.
    pub ny: usize,
    /// Colours, `[row][column]`.
    pub pixels: Vec<Colour>,
    /// From pixels to points: pixel (column, row) covers (column..column + 1, row..row + 1).
    pub place: Affine,
}

/// Something drawn.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A path, filled (even-odd) and then drawn along.
    Path {
        /// The path.
        path: Path,
        /// Colour inside.
        fill: Option<Colour>,
        /// Line along it.
        stroke: Option<Stroke>,
    },
    /// Text.
    Text(Text),
    /// An image.
    Picture(Picture),
    /// Several, which belong together.
    Group {
        /// What they are; names the group in an SVG file, and in tests.
        name: String,
        /// Nothing outside is drawn.
        clip: Option<Rect>,
        /// The items, what comes later on top.
        items: Vec<Item>,
    },
}

impl Item {
    /// A line along a path.
    #[must_use]
    pub fn line(path: Path, stroke: Stroke) -> Self {
        Self::Path {
            path,
            fill: None,
            stroke: Some(stroke),
        }
    }

    /// A filled path.
    #[must_use]
    pub fn area(path: Path, colour: Colour) -> Self {
        Self::Path {
            path,
            fill: Some(colour),
            stroke: None,
        }
    }

    /// A group that draws everywhere.
    #[must_use]
    pub fn group(name: impl Into<String>, items: Vec<Self>) -> Self {
        Self::Group {
            name: name.into(),
            clip: None,
            items,
        }
    }

    /// A group that draws in a rectangle only.
    #[must_use]
    pub fn clipped(name: impl Into<String>, clip: Rect, items: Vec<Self>) -> Self {
        Self::Group {
            name: name.into(),
            clip: Some(clip),
            items,
        }
    }
}

/// A drawing.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Width, points.
    pub width: f64,
    /// Height, points.
    pub height: f64,
    /// What is beneath all; none for see-through.
    pub background: Option<Colour>,
    /// A title for files that hold one.
    pub title: String,
    /// The items, what comes later on top.
    pub items: Vec<Item>,
}

impl Figure {
    /// An empty white figure.
    #[must_use]
    pub fn new(width: f64, height: f64, title: impl Into<String>) -> Self {
        Self {
            width,
            height,
            background: Some(Colour::WHITE),
            title: title.into(),
            items: Vec::new(),
        }
    }

    /// All that is drawn as an indented list of lines: names of groups, texts, numbers of points and pixels. For tests, and for
    /// readers who cannot see.
    #[must_use]
    pub fn outline(&self) -> String {
        fn walk(items: &[Item], depth: usize, out: &mut String) {
            for item in items {
                let line = match item {
                    Item::Path { path, fill, stroke } => {
                        let kind = match (fill, stroke) {
                            (Some(_), _) => "area",
                            (_, Some(s)) if !s.dash.is_empty() => "dashes",
                            _ => "line",
                        };
                        format!("{kind} of {}", path.0.len())
                    }
                    Item::Text(t) => format!("text {:?}", super::text::plain(&t.text)),
                    Item::Picture(p) => format!("picture {} x {}", p.nx, p.ny),
                    Item::Group { name, clip, items } => {
                        let clip = if clip.is_some() { " (clipped)" } else { "" };
                        out.push_str(&format!("{}{name}{clip}\n", "  ".repeat(depth)));
                        walk(items, depth + 1, out);
                        continue;
                    }
                };
                out.push_str(&format!("{}{line}\n", "  ".repeat(depth)));
            }
        }
        let mut out = String::new();
        walk(&self.items, 0, &mut out);
        out
    }

    /// Every text, with the clip that it is drawn in.
    #[must_use]
    pub fn texts(&self) -> Vec<(&Text, Option<Rect>)> {
        fn walk<'a>(
            items: &'a [Item],
            clip: Option<Rect>,
            out: &mut Vec<(&'a Text, Option<Rect>)>,
        ) {
            for item in items {
                match item {
                    Item::Text(t) => out.push((t, clip)),
                    Item::Group { clip: c, items, .. } => walk(items, c.or(clip), out),
                    _ => {}
                }
            }
        }
        let mut out = Vec::new();
        walk(&self.items, None, &mut out);
        out
    }

    /// The items of the first group of a name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&[Item]> {
        fn walk<'a>(items: &'a [Item], wanted: &str) -> Option<&'a [Item]> {
            items.iter().find_map(|item| match item {
                Item::Group { name, items, .. } if name == wanted => Some(items.as_slice()),
                Item::Group { items, .. } => walk(items, wanted),
                _ => None,
            })
        }
        walk(&self.items, name)
    }
}
