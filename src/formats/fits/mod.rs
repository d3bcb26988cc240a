//! FITS files: whole products or parts of them, through cfitsio.
//!
//! A file's structure is checked in Rust ([`layout`]) before the C library opens it. Headers are
//! ours ([`Header`], [`Card`]: order, `HIERARCH`, `CONTINUE`, commentary all kept); pixels and table
//! rows go through cfitsio. Axis order is C order: slowest first, as numpy shows it.
//! Tile-compressed images are read as the tables they are stored in.

pub mod card;
pub mod header;
pub mod image;
pub mod layout;
pub mod read;
pub mod table;
pub mod write;

pub use card::{Card, Value};
pub use header::Header;
pub use image::{Element, Image, Pixels};
pub use layout::{HduInfo, Kind};
pub use read::FitsFile;
pub use table::{Table, TableBuilder};
pub use write::Writer;

use std::path::Path;

use crate::Result;
use fitsio::sys;

/// Data of one HDU.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Header only.
    None,
    /// An image.
    Image(Image),
    /// A binary table.
    Table(Table),
}

/// One HDU: header and data. Structural cards (`NAXIS` and so on) follow the data when written.
#[derive(Debug, Clone, PartialEq)]
pub struct Hdu {
    /// The header.
    pub header: Header,
    /// The data.
    pub data: Data,
}

/// A whole file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Product {
    /// HDUs in order; the first is the primary.
    pub hdus: Vec<Hdu>,
}

impl Product {
    /// The first HDU of this `EXTNAME`.
    pub fn get(&self, extname: &str) -> Option<&Hdu> {
        self.hdus.iter().find(|h| {
            h.header
                .str("EXTNAME")
                .is_some_and(|n| n.eq_ignore_ascii_case(extname))
        })
    }

    /// Writes the product, whole or not at all.
    ///
    /// # Errors
    /// [`crate::Error::Io`] where writing fails.
    pub fn write(&self, path: impl AsRef<Path>, checksum: bool) -> Result<()> {
        let mut writer = Writer::create(path, checksum)?;
        for hdu in &self.hdus {
            writer.hdu(hdu)?;
        }
        writer.finish()
    }
}

impl Writer {
    /// Writes a whole HDU, images in their own element type.
    ///
    /// # Errors
    /// [`crate::Error::Io`] where writing fails.
    pub fn hdu(&mut self, hdu: &Hdu) -> Result<()> {
        match &hdu.data {
            Data::None => self.empty(&hdu.header),
            Data::Image(image) => {
                let (bitpix, zero) = image.pixels.storage();
                self.image_header(&hdu.header, &image.shape, bitpix, zero, image.scale)?;
                self.put_pixels(&image.pixels)
            }
            Data::Table(table) => self.table(&hdu.header, table),
        }
    }
}

/// cfitsio's words for a status and what it noted on the way; empties its message stack.
fn message(status: i32) -> String {
    let mut text = [0 as std::ffi::c_char; 81];
    // SAFETY: cfitsio writes at most 30 characters and a NUL into the buffer.
    unsafe { sys::ffgerr(status, text.as_mut_ptr()) };
    let mut out = c_text(&text);
    loop {
        let mut line = [0 as std::ffi::c_char; 81];
        // SAFETY: cfitsio writes at most 80 characters and a NUL.
        if unsafe { sys::ffgmsg(line.as_mut_ptr()) } == 0 {
            break;
        }
        let line = c_text(&line);
        if !line.trim().is_empty() {
            out = format!("{out}; {}", line.trim());
        }
    }
    format!("cfitsio: {out} (status {status})")
}

fn c_text(buffer: &[std::ffi::c_char]) -> String {
    buffer
        .iter()
        .take_while(|c| **c != 0)
        .map(|c| char::from(*c as u8))
        .collect()
}

fn clear_messages() {
    // SAFETY: no arguments; clears the message stack.
    unsafe { sys::ffcmsg() };
}
