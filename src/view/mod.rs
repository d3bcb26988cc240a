//! Pictures of cubes: a small drawing list, what makes pixels and vectors of it, and the figures made with it.
//!
//! What to build a figure with:
//!
//! - [`figure`]: [`Figure`] and its items (paths, text, pictures, named and clipped groups), in points;
//! - [`axes`] and [`ticks`]: linear and logarithmic axes, twins; [`sky`]: right ascension and declination on a tangent plane;
//! - [`colours`]: colour maps; [`text`]: widths and outlines of the built-in font; [`contour`]: lines of equal value;
//! - [`globe`] and [`wireframe`]: a body's limb, terminator, grid, poles and rings, hidden lines left out.
//!
//! What to do with one: [`write()`] to a file, [`render()`] to pixels (for films), [`svg::encode`] and [`pdf::encode`] to bytes.
//! A figure is a pure function of its data: the same on every machine, without fonts of the system, and testable by its
//! [`Figure::outline`].
//!
//! The figures: [`summary`], one page a cube; [`detector`], one a detector image; [`flat`], one a synthetic flat;
//! [`steps`], one of a cube before and after steps; [`limb`], one of a fit of the pointing;
//! [`map`], one of a mosaic on the globe. [`terminal`] draws with characters instead; [`report`] is the page on a whole run.

pub mod axes;
pub mod colours;
pub mod contour;
pub mod detector;
pub mod figure;
pub mod film;
pub mod flat;
pub mod globe;
pub mod limb;
pub mod map;
pub mod pdf;
mod render;
pub mod report;
pub mod sky;
pub mod steps;
pub mod summary;
pub mod svg;
pub mod terminal;
pub mod text;
pub mod ticks;
pub mod wireframe;

use std::path::Path;

pub use figure::Figure;
pub use render::{Pixels, render};

use crate::formats::raster::png;
use crate::formats::write_whole;
use crate::{Error, Result};

/// Kinds of files, by the ends of their names.
pub const KINDS: [&str; 3] = ["png", "svg", "pdf"];

/// The kind of file that a name asks for; none for another one.
#[must_use]
pub fn kind(path: &Path) -> Option<&'static str> {
    let end = path.extension()?.to_str()?;
    KINDS.into_iter().find(|k| end.eq_ignore_ascii_case(k))
}

/// Writes a figure as its name's end says: PNG of so many pixels across, SVG or PDF.
///
/// # Errors
/// [`Error::Parameter`] for another kind of file or a size that no picture has; [`Error::Io`].
pub fn write(figure: &Figure, path: &Path, width: usize) -> Result<()> {
    let bytes = match kind(path) {
        Some("svg") => svg::encode(figure),
        Some("pdf") => pdf::encode(figure),
        Some(_) => png_of(figure, width)?,
        None => {
            return Err(Error::parameter(format!(
                "{}: the name of a picture has to end in .png, .svg or .pdf",
                path.display()
            )));
        }
    };
    write_whole(path, &bytes)
}

/// The bytes of a figure's PNG file, so many pixels across; it prints at the figure's size.
///
/// # Errors
/// [`Error::Parameter`] for a size that no picture has.
pub fn png_of(figure: &Figure, width: usize) -> Result<Vec<u8>> {
    let drawn = render(figure, width)?;
    let per_metre = width as f64 / (figure.width / 72.0 * 0.0254);
    png::encode(drawn.width, drawn.pixels(), Some(per_metre.round() as u32))
        .ok_or_else(|| Error::parameter(format!("no picture is {width} pixels wide")))
}
