//! A figure as a PDF file of one page: true vectors, text as outlines, pictures inside without smoothing.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use pdf_writer::types::{LineCapStyle, LineJoinStyle};
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Ref, TextStr};

use super::figure::{Affine, Colour, Figure, Item, Path, Picture, Point, Rect, Segment, Stroke};
use super::text;

/// The bytes of a figure's PDF file.
#[must_use]
pub fn encode(figure: &Figure) -> Vec<u8> {
    let mut page = Page {
        content: Content::new(),
        height: figure.height,
        opacities: Vec::new(),
        pictures: Vec::new(),
    };
    page.content
        .set_line_cap(LineCapStyle::RoundCap)
        .set_line_join(LineJoinStyle::RoundJoin);
    if let Some(colour) = figure.background {
        let all = Rect::new(0.0, 0.0, figure.width, figure.height);
        page.path(&Path::rect(all), Some(colour), None);
    }
    page.items(&figure.items);
    let Page {
        content,
        opacities,
        pictures,
        ..
    } = page;
    let mut pdf = Pdf::new();
    let mut last = 0;
    let mut next = || {
        last += 1;
        Ref::new(last)
    };
    let (catalog, tree, leaf, body, info) = (next(), next(), next(), next(), next());
    pdf.catalog(catalog).pages(tree);
    pdf.pages(tree).kids([leaf]).count(1);
    pdf.document_info(info)
        .title(TextStr(&figure.title))
        .creator(TextStr(concat!("sifu ", env!("CARGO_PKG_VERSION"))));
    let states: Vec<(String, u8, Ref)> = opacities
        .iter()
        .map(|a| (format!("a{a}"), *a, next()))
        .collect();
    let images: Vec<(String, &Picture, Ref, Ref)> = pictures
        .iter()
        .enumerate()
        .map(|(i, p)| (format!("i{i}"), *p, next(), next()))
        .collect();
    let mut page = pdf.page(leaf);
    page.media_box(pdf_writer::Rect::new(
        0.0,
        0.0,
        figure.width as f32,
        figure.height as f32,
    ));
    page.parent(tree).contents(body);
    let mut resources = page.resources();
    let mut list = resources.ext_g_states();
    for (name, _, id) in &states {
        list.pair(Name(name.as_bytes()), *id);
    }
    list.finish();
    let mut list = resources.x_objects();
    for (name, _, id, _) in &images {
        list.pair(Name(name.as_bytes()), *id);
    }
    list.finish();
    resources.finish();
    page.finish();
    for (_, a, id) in &states {
        let part = f32::from(*a) / 255.0;
        pdf.ext_graphics(*id)
            .stroking_alpha(part)
            .non_stroking_alpha(part);
    }
    for (_, picture, id, mask) in &images {
        let colours: Vec<u8> = picture
            .pixels
            .iter()
            .flat_map(|c| [c.0[0], c.0[1], c.0[2]])
            .collect();
        let opacity: Vec<u8> = picture.pixels.iter().map(|c| c.0[3]).collect();
        let clear = opacity.iter().any(|a| *a < 255);
        let (colours, opacity) = (deflated(&colours), deflated(&opacity));
        let mut image = pdf.image_xobject(*id, &colours);
        image
            .width(picture.nx as i32)
            .height(picture.ny as i32)
            .bits_per_component(8)
            .interpolate(false);
        image.filter(Filter::FlateDecode);
        image.color_space().device_rgb();
        if clear {
            image.s_mask(*mask);
        }
        image.finish();
        if clear {
            let mut image = pdf.image_xobject(*mask, &opacity);
            image
                .width(picture.nx as i32)
                .height(picture.ny as i32)
                .bits_per_component(8)
                .interpolate(false);
            image.filter(Filter::FlateDecode);
            image.color_space().device_gray();
        }
    }
    let bytes = deflated(content.finish().as_slice());
    pdf.stream(body, &bytes).filter(Filter::FlateDecode);
    pdf.finish()
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    // writing to memory cannot fail
    let _ = zlib.write_all(bytes);
    zlib.finish().unwrap_or_default()
}

struct Page<'a> {
    content: Content,
    height: f64,
    /// Opacities in use.
    opacities: Vec<u8>,
    pictures: Vec<&'a Picture>,
}

impl<'a> Page<'a> {
    fn items(&mut self, items: &'a [Item]) {
        for item in items {
            match item {
                Item::Path { path, fill, stroke } => self.path(path, *fill, stroke.as_ref()),
                Item::Text(t) => {
                    let outline = text::outline(t);
                    if let Some((colour, width)) = t.halo {
                        self.path(&outline, None, Some(&Stroke::new(colour, 2.0 * width)));
                    }
                    self.path(&outline, Some(t.colour), None);
                }
                Item::Picture(p) => self.picture(p),
                Item::Group { clip, items, .. } => {
                    self.content.save_state();
                    if let Some(r) = clip {
                        self.content.rect(
                            r.x as f32,
                            (self.height - r.bottom()) as f32,
                            r.w as f32,
                            r.h as f32,
                        );
                        self.content.clip_nonzero().end_path();
                    }
                    self.items(items);
                    self.content.restore_state();
                }
            }
        }
    }

    /// PDF has y upwards.
    fn place(&self, [x, y]: Point) -> (f32, f32) {
        (x as f32, (self.height - y) as f32)
    }

    fn opacity(&mut self, a: u8) {
        if !self.opacities.contains(&a) {
            self.opacities.push(a);
        }
        self.content
            .set_parameters(Name(format!("a{a}").as_bytes()));
    }

    fn path(&mut self, path: &Path, fill: Option<Colour>, stroke: Option<&Stroke>) {
        if path.0.is_empty() {
            return;
        }
        let part = |v: u8| f32::from(v) / 255.0;
        if let Some(Colour([r, g, b, a])) = fill {
            self.opacity(a);
            self.content.set_fill_rgb(part(r), part(g), part(b));
            self.trace(path);
            self.content.fill_even_odd();
        }
        if let Some(stroke) = stroke {
            let Colour([r, g, b, a]) = stroke.colour;
            self.opacity(a);
            self.content.set_stroke_rgb(part(r), part(g), part(b));
            self.content.set_line_width(stroke.width as f32);
            self.content
                .set_dash_pattern(stroke.dash.iter().map(|v| *v as f32), 0.0);
            self.trace(path);
            self.content.stroke();
        }
    }

    fn trace(&mut self, path: &Path) {
        let mut at = [0.0; 2];
        for s in &path.0 {
            match *s {
                Segment::Move(p) => {
                    let (x, y) = self.place(p);
                    self.content.move_to(x, y);
                    at = p;
                }
                Segment::Line(p) => {
                    let (x, y) = self.place(p);
                    self.content.line_to(x, y);
                    at = p;
                }
                Segment::Quad(c, p) => {
                    // PDF has curves with two control points only
                    let third = |a: Point| [0, 1].map(|k| a[k] + (c[k] - a[k]) * 2.0 / 3.0);
                    self.cubic(third(at), third(p), p);
                    at = p;
                }
                Segment::Cubic(c, d, p) => {
                    self.cubic(c, d, p);
                    at = p;
                }
                Segment::Close => {
                    self.content.close_path();
                }
            }
        }
    }

    fn cubic(&mut self, c: Point, d: Point, p: Point) {
        let ((a, b), (e, f), (x, y)) = (self.place(c), self.place(d), self.place(p));
        self.content.cubic_to(a, b, e, f, x, y);
    }

    fn picture(&mut self, picture: &'a Picture) {
        if picture.nx == 0 || picture.pixels.len() != picture.nx * picture.ny {
            return;
        }
        // an image of PDF fills the unit square, its first row on top
        let (nx, ny) = (picture.nx as f64, picture.ny as f64);
        let square = Affine([nx, 0.0, 0.0, -ny, 0.0, ny]);
        let page = Affine([1.0, 0.0, 0.0, -1.0, 0.0, self.height]);
        let to = square.then(&picture.place).then(&page);
        let name = format!("i{}", self.pictures.len());
        self.pictures.push(picture);
        self.opacity(255);
        self.content.save_state();
        self.content.transform(to.0.map(|v| v as f32));
        self.content.x_object(Name(name.as_bytes()));
        self.content.restore_state();
    }
}

#[cfg(test)]
mod tests {
    use super::super::figure::Text;
    use super::*;

    #[test]
    fn a_page_holds_what_is_drawn() {
        let mut f = Figure::new(100.0, 50.0, "title");
        f.items.push(Item::clipped(
            "box",
            Rect::new(1.0, 2.0, 30.0, 40.0),
            vec![
                Item::Text(Text::new([5.0, 5.0], "A", 10.0).halo(Colour::WHITE, 1.0)),
                Item::Picture(Picture {
                    nx: 1,
                    ny: 1,
                    pixels: vec![Colour([1, 2, 3, 4])],
                    place: Affine([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]),
                }),
            ],
        ));
        let bytes = encode(&f);
        assert!(bytes.starts_with(b"%PDF-") && bytes.ends_with(b"%%EOF"));
        let text = String::from_utf8_lossy(&bytes);
        for part in ["/MediaBox [0 0 100 50]", "/SMask", "(title)"] {
            assert!(text.contains(part), "{part}");
        }
        assert_eq!(bytes, encode(&f));
    }
}
