//! A figure as an SVG file: true vectors, text as outlines, pictures as PNG inside.

use super::figure::{Affine, Colour, Figure, Item, Path, Point, Rect, Segment, Stroke};
use super::text;
use crate::formats::raster::png;

/// The bytes of a figure's SVG file.
#[must_use]
pub fn encode(figure: &Figure) -> Vec<u8> {
    let (w, h) = (number(figure.width), number(figure.height));
    let mut out = Writer {
        text: format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" viewBox=\"0 0 {w} {h}\" \
             stroke-linecap=\"round\" stroke-linejoin=\"round\">\n<title>{}</title>\n",
            // without a unit, of which there are 96 in an inch: not every reader knows points
            number(figure.width * 96.0 / 72.0),
            number(figure.height * 96.0 / 72.0),
            escaped(&figure.title)
        ),
        clips: 0,
    };
    if let Some(colour) = figure.background {
        let page = Rect::new(0.0, 0.0, figure.width, figure.height);
        out.path(&Path::rect(page), Some(colour), None, "");
    }
    out.items(&figure.items);
    out.text.push_str("</svg>\n");
    out.text.into_bytes()
}

struct Writer {
    text: String,
    clips: usize,
}

impl Writer {
    fn items(&mut self, items: &[Item]) {
        for item in items {
            match item {
                Item::Path { path, fill, stroke } => self.path(path, *fill, stroke.as_ref(), ""),
                Item::Text(t) => {
                    let outline = text::outline(t);
                    if let Some((colour, width)) = t.halo {
                        let rim = Stroke::new(colour, 2.0 * width);
                        self.path(&outline, None, Some(&rim), "");
                    }
                    let said = format!(
                        " role=\"img\" aria-label=\"{}\"",
                        escaped(&text::plain(&t.text))
                    );
                    self.path(&outline, Some(t.colour), None, &said);
                }
                Item::Picture(p) => {
                    let pixels: Vec<[u8; 4]> = p.pixels.iter().map(|c| c.0).collect();
                    if let Some(bytes) = png::encode(p.nx, &pixels, None) {
                        self.text.push_str(&format!(
                            "<image width=\"{}\" height=\"{}\" transform=\"matrix({})\" preserveAspectRatio=\"none\" \
                             style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{}\"/>\n",
                            p.nx,
                            p.ny,
                            matrix(&p.place),
                            base64(&bytes)
                        ));
                    }
                }
                Item::Group { name, clip, items } => {
                    let mut with = String::new();
                    if let Some(r) = clip {
                        self.clips += 1;
                        let id = format!("clip{}", self.clips);
                        self.text.push_str(&format!(
                            "<clipPath id=\"{id}\"><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/></clipPath>\n",
                            number(r.x),
                            number(r.y),
                            number(r.w),
                            number(r.h)
                        ));
                        with = format!(" clip-path=\"url(#{id})\"");
                    }
                    self.text
                        .push_str(&format!("<g class=\"{}\"{with}>\n", escaped(name)));
                    self.items(items);
                    self.text.push_str("</g>\n");
                }
            }
        }
    }

    fn path(&mut self, path: &Path, fill: Option<Colour>, stroke: Option<&Stroke>, more: &str) {
        let d = data(path);
        if d.is_empty() {
            return;
        }
        let fill = match fill {
            Some(c) => format!(" fill-rule=\"evenodd\"{}", paint("fill", c)),
            None => " fill=\"none\"".into(),
        };
        let stroke = stroke.map_or(String::new(), |s| {
            let dash = match s.dash.is_empty() {
                true => String::new(),
                false => {
                    let parts: Vec<String> = s.dash.iter().map(|v| number(*v)).collect();
                    format!(" stroke-dasharray=\"{}\"", parts.join(" "))
                }
            };
            let paint = paint("stroke", s.colour);
            format!("{paint} stroke-width=\"{}\"{dash}", number(s.width))
        });
        self.text
            .push_str(&format!("<path d=\"{d}\"{fill}{stroke}{more}/>\n"));
    }
}

fn paint(what: &str, Colour([r, g, b, a]): Colour) -> String {
    let opacity = match a {
        255 => String::new(),
        _ => format!(" {what}-opacity=\"{}\"", number(f64::from(a) / 255.0)),
    };
    format!(" {what}=\"#{r:02x}{g:02x}{b:02x}\"{opacity}")
}

fn data(path: &Path) -> String {
    let mut out = String::new();
    let mut put = |letter: char, points: &[Point]| {
        out.push(letter);
        let numbers: Vec<String> = points.iter().flatten().map(|v| number(*v)).collect();
        out.push_str(&numbers.join(" "));
    };
    for s in &path.0 {
        match *s {
            Segment::Move(p) => put('M', &[p]),
            Segment::Line(p) => put('L', &[p]),
            Segment::Quad(c, p) => put('Q', &[c, p]),
            Segment::Cubic(c, d, p) => put('C', &[c, d, p]),
            Segment::Close => put('Z', &[]),
        }
    }
    out
}

/// A number with as many digits as a drawing needs.
fn number(v: f64) -> String {
    let text = format!("{v:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    match text {
        "-0" | "" => "0".into(),
        t => t.into(),
    }
}

fn matrix(a: &Affine) -> String {
    let parts: Vec<String> = a.0.iter().map(|v| format!("{v:.6}")).collect();
    parts.join(" ")
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // XML has no other characters of control
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// RFC 4648.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for part in bytes.chunks(3) {
        let mut word = [0u8; 4];
        word[1..=part.len()].copy_from_slice(part);
        let word = u32::from_be_bytes(word);
        for k in 0..4 {
            match k <= part.len() {
                true => out.push(char::from(LETTERS[(word >> (18 - 6 * k)) as usize & 63])),
                false => out.push('='),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::figure::{Picture, Text};
    use super::*;

    #[test]
    fn base64_as_the_rfc_has_it() {
        for (from, to) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(from.as_bytes()), to);
        }
    }

    #[test]
    fn what_is_drawn_is_in_the_file() {
        let mut f = Figure::new(100.0, 50.0, "a < b & \"c\"");
        f.items.push(Item::clipped(
            "box",
            Rect::new(1.0, 2.0, 3.0, 4.0),
            vec![
                Item::line(
                    Path::line([[0.0, 0.0], [1.0, 1.5]]),
                    Stroke::new(Colour::rgb(0x112233), 0.5).dashed(&[1.0, 2.0]),
                ),
                Item::Text(Text::new([5.0, 5.0], "A", 10.0)),
                Item::Picture(Picture {
                    nx: 1,
                    ny: 1,
                    pixels: vec![Colour::BLACK],
                    place: Affine([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]),
                }),
            ],
        ));
        let text = String::from_utf8(encode(&f)).expect("text");
        for part in [
            "viewBox=\"0 0 100 50\"",
            "<title>a &lt; b &amp; &quot;c&quot;</title>",
            "<g class=\"box\" clip-path=\"url(#clip1)\">",
            "d=\"M0 0L1 1.5\" fill=\"none\" stroke=\"#112233\" stroke-width=\"0.5\" stroke-dasharray=\"1 2\"",
            "aria-label=\"A\"",
            "data:image/png;base64,iVBORw0KGgo",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
