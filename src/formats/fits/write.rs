//! Writing: a product appears whole or not at all (temporary name, sync, rename).

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::ptr;

use super::card::Card;
use super::header::Header;
use super::image::Element;
use super::read::c_path;
use super::table::{Table, Type};
use super::{message, sys};
use crate::{Error, Result};

/// Cards that follow from the data and are written anew.
fn structural(keyword: &str) -> bool {
    matches!(
        keyword,
        "SIMPLE"
            | "XTENSION"
            | "BITPIX"
            | "NAXIS"
            | "EXTEND"
            | "PCOUNT"
            | "GCOUNT"
            | "TFIELDS"
            | "THEAP"
            | "BSCALE"
            | "BZERO"
            | "CHECKSUM"
            | "DATASUM"
            | "END"
    ) || keyword
        .strip_prefix("NAXIS")
        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Writes a FITS file HDU by HDU under a temporary name; [`Writer::finish`] gives it its own.
/// Dropped before that, it leaves nothing behind.
pub struct Writer {
    path: PathBuf,
    temporary: PathBuf,
    fptr: *mut sys::fitsfile,
    hdus: usize,
    checksum: bool,
    pending_checksum: bool,
}

// SAFETY: cfitsio is built reentrant and the handle is owned by one Writer.
unsafe impl Send for Writer {}

impl Writer {
    /// Starts a product; `checksum` adds `CHECKSUM` and `DATASUM` to every HDU.
    ///
    /// # Errors
    /// [`Error::Io`] where the folder cannot be written.
    pub fn create(path: impl AsRef<Path>, checksum: bool) -> Result<Self> {
        let path = path.as_ref();
        let name = path
            .file_name()
            .ok_or_else(|| Error::input_file(path, "is not a file name"))?;
        let folder = path
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let temporary = tempfile::Builder::new()
            .prefix(&format!(".{}.", name.to_string_lossy()))
            .suffix(".part")
            .tempfile_in(folder)
            .map_err(|e| {
                let text = format!("cannot write in {}: {e}", folder.display());
                crate::formats::unwritten(path, text)
            })?
            .into_temp_path();
        // cfitsio creates the file itself and refuses one that exists
        let temporary = temporary.keep().map_err(|e| Error::io(path, e))?;
        std::fs::remove_file(&temporary).map_err(|e| Error::io(path, e))?;
        let (mut fptr, mut status) = (ptr::null_mut(), 0);
        let c_name = c_path(&temporary)?;
        // SAFETY: NUL-terminated name and valid out-pointers.
        unsafe { sys::ffdkinit(&mut fptr, c_name.as_ptr(), &mut status) };
        if status != 0 {
            return Err(crate::formats::unwritten(path, message(status)));
        }
        Ok(Self {
            path: path.into(),
            temporary,
            fptr,
            hdus: 0,
            checksum,
            pending_checksum: false,
        })
    }

    fn call(&mut self, f: impl FnOnce(*mut sys::fitsfile, &mut i32)) -> Result<()> {
        let mut status = 0;
        f(self.fptr, &mut status);
        if status == 0 {
            Ok(())
        } else {
            let text = format!("writing failed: {}", message(status));
            Err(crate::formats::unwritten(&self.path, text))
        }
    }

    fn record(&mut self, record: &str) -> Result<()> {
        let text = std::ffi::CString::new(record)
            .map_err(|_| Error::io(&self.path, "a card holds a NUL byte"))?;
        // SAFETY: a NUL-terminated record of at most 80 characters.
        self.call(|fptr, status| unsafe {
            sys::ffprec(fptr, text.as_ptr(), status);
        })
    }

    fn card(&mut self, keyword: &str, value: i64, comment: &str) -> Result<()> {
        for record in Card::new(keyword, value, comment).records() {
            self.record(&record)?;
        }
        Ok(())
    }

    /// Starts a new HDU with its mandatory cards, then the header's own.
    fn begin(
        &mut self,
        header: &Header,
        mandatory: &[(String, i64, &str)],
        kind: &str,
        zero: &[Card],
    ) -> Result<()> {
        self.seal()?;
        if self.hdus > 0 {
            // SAFETY: plain C call on an open handle.
            self.call(|fptr, status| unsafe {
                sys::ffcrhd(fptr, status);
            })?;
        }
        let first = if self.hdus == 0 {
            Card::new("SIMPLE", true, "conforms to FITS standard")
        } else {
            Card::new("XTENSION", kind, "extension type")
        };
        for record in first.records() {
            self.record(&record)?;
        }
        for (keyword, value, comment) in mandatory {
            self.card(keyword, *value, comment)?;
        }
        if self.hdus == 0 {
            for record in Card::new("EXTEND", true, "").records() {
                self.record(&record)?;
            }
        }
        let empty = mandatory.iter().any(|(k, n, _)| k == "NAXIS" && *n == 0);
        let own = |c: &&Card| {
            !structural(&c.keyword) || (empty && matches!(c.keyword.as_str(), "BSCALE" | "BZERO"))
        };
        for card in zero.iter().chain(header.cards().iter().filter(own)) {
            for record in card.records() {
                self.record(&record)?;
            }
        }
        // SAFETY: plain C call on an open handle; the header just written defines the structure.
        self.call(|fptr, status| unsafe {
            sys::ffrdef(fptr, status);
        })?;
        self.hdus += 1;
        self.pending_checksum = self.checksum;
        Ok(())
    }

    /// An HDU without data (a primary header).
    ///
    /// # Errors
    /// [`Error::Io`] where writing fails.
    pub fn empty(&mut self, header: &Header) -> Result<()> {
        self.image_header(header, &[], 8, None, None)
    }

    /// Begins an image of `T`; pixels follow by [`Writer::put`], in any number of calls.
    ///
    /// # Errors
    /// [`Error::Io`] where writing fails.
    pub fn image<T: Element>(&mut self, header: &Header, shape: &[usize]) -> Result<()> {
        self.image_header(header, shape, T::BITPIX, T::ZERO, None)
    }

    pub(super) fn image_header(
        &mut self,
        header: &Header,
        shape: &[usize],
        bitpix: i64,
        zero: Option<i64>,
        scale: Option<(f64, f64)>,
    ) -> Result<()> {
        let mut cards = vec![
            ("BITPIX".to_owned(), bitpix, "array data type"),
            (
                "NAXIS".to_owned(),
                shape.len() as i64,
                "number of array dimensions",
            ),
        ];
        for (i, n) in shape.iter().rev().enumerate() {
            cards.push((format!("NAXIS{}", i + 1), *n as i64, ""));
        }
        if self.hdus > 0 {
            cards.push(("PCOUNT".into(), 0, "number of parameters"));
            cards.push(("GCOUNT".into(), 1, "number of groups"));
        }
        let zero_cards = match (zero, scale) {
            (Some(z), _) => vec![Card::new("BSCALE", 1i64, ""), Card::new("BZERO", z, "")],
            (None, Some((s, z))) => vec![Card::new("BSCALE", s, ""), Card::new("BZERO", z, "")],
            (None, None) => Vec::new(),
        };
        self.begin(header, &cards, "IMAGE", &zero_cards)?;
        if scale.is_some() {
            // SAFETY: plain C call on an open handle; values are written as stored.
            self.call(|fptr, status| unsafe {
                sys::ffpscl(fptr, 1.0, 0.0, status);
            })?;
        }
        Ok(())
    }

    /// Writes pixels of the image begun last, from element `start` (C order).
    ///
    /// # Errors
    /// [`Error::Io`] where writing fails.
    pub fn put<T: Element>(&mut self, start: usize, values: &[T]) -> Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        // SAFETY: cfitsio only reads from the array, which has `len` elements of the type MEMORY names.
        self.call(|fptr, status| unsafe {
            sys::ffppr(
                fptr,
                T::MEMORY,
                start as i64 + 1,
                values.len() as i64,
                values.as_ptr().cast_mut().cast(),
                status,
            );
        })
    }

    /// Writes a binary table.
    ///
    /// # Errors
    /// [`Error::Io`] where writing fails.
    pub fn table(&mut self, header: &Header, table: &Table) -> Result<()> {
        let row_bytes = table.row_bytes();
        if table.rows.len() != row_bytes * table.nrows {
            return Err(Error::io(
                &self.path,
                "a table's rows do not fit its columns",
            ));
        }
        let cards = [
            ("BITPIX".to_owned(), 8, "array data type"),
            ("NAXIS".to_owned(), 2, "number of array dimensions"),
            (
                "NAXIS1".to_owned(),
                row_bytes as i64,
                "length of dimension 1",
            ),
            (
                "NAXIS2".to_owned(),
                table.nrows as i64,
                "length of dimension 2",
            ),
            ("PCOUNT".to_owned(), 0, "number of group parameters"),
            ("GCOUNT".to_owned(), 1, "number of groups"),
            (
                "TFIELDS".to_owned(),
                table.columns.len() as i64,
                "number of table fields",
            ),
        ];
        self.begin(header, &cards, "BINTABLE", &[])?;
        if !table.rows.is_empty() {
            let mut rows = Cow::Borrowed(&table.rows);
            for c in table.columns.iter().filter(|c| c.variable.is_some()) {
                for r in 0..table.nrows {
                    let cell = r * row_bytes + c.offset..r * row_bytes + c.offset + c.bytes();
                    rows.to_mut()[cell].fill(0);
                }
            }
            // SAFETY: cfitsio only reads from the buffer, which holds all rows.
            self.call(|fptr, status| unsafe {
                let start = rows.as_ptr().cast_mut();
                sys::ffptbb(fptr, 1, 1, rows.len() as i64, start, status);
            })?;
        }
        for (col, cells) in &table.variable {
            for (row, cell) in cells.iter().enumerate().filter(|(_, c)| !c.is_empty()) {
                self.variable_cell(*col, table.columns[*col].kind, row, cell)?;
            }
        }
        Ok(())
    }

    /// One variable-length cell from its big-endian bytes.
    fn variable_cell(&mut self, col: usize, kind: Type, row: usize, cell: &[u8]) -> Result<()> {
        fn native<const N: usize, T>(cell: &[u8], f: impl Fn([u8; N]) -> T) -> Vec<T> {
            cell.as_chunks::<N>().0.iter().map(|b| f(*b)).collect()
        }
        let (c, r) = (col as i32 + 1, row as i64 + 1);
        macro_rules! put {
            ($code:ident, $values:expr, $per:literal) => {{
                let mut values = $values;
                let n = (values.len() / $per) as i64;
                // unscaled: what is stored is what was read
                // SAFETY: `values` holds n elements of the type the code names.
                self.call(|fptr, status| unsafe {
                    sys::fftscl(fptr, c, 1.0, 0.0, status);
                    sys::ffpcl(
                        fptr,
                        sys::$code as i32,
                        c,
                        r,
                        1,
                        n,
                        values.as_mut_ptr().cast(),
                        status,
                    );
                })
            }};
        }
        match kind {
            Type::Byte | Type::Bit => put!(TBYTE, cell.to_vec(), 1),
            Type::Logical => put!(
                TLOGICAL,
                cell.iter()
                    .map(|b| u8::from(*b == b'T'))
                    .collect::<Vec<_>>(),
                1
            ),
            Type::I16 => put!(TSHORT, native::<2, _>(cell, i16::from_be_bytes), 1),
            Type::I32 => put!(TINT, native::<4, _>(cell, i32::from_be_bytes), 1),
            Type::I64 => put!(TLONGLONG, native::<8, _>(cell, i64::from_be_bytes), 1),
            Type::F32 => put!(TFLOAT, native::<4, _>(cell, f32::from_be_bytes), 1),
            Type::F64 => put!(TDOUBLE, native::<8, _>(cell, f64::from_be_bytes), 1),
            Type::C64 => put!(TCOMPLEX, native::<4, _>(cell, f32::from_be_bytes), 2),
            Type::C128 => put!(TDBLCOMPLEX, native::<8, _>(cell, f64::from_be_bytes), 2),
            Type::Char => {
                let mut text = cell.to_vec();
                text.push(0);
                let mut pointer = text.as_mut_ptr().cast();
                // SAFETY: one pointer to a NUL-terminated string.
                self.call(|fptr, status| unsafe {
                    sys::ffpcls(fptr, c, r, 1, 1, &mut pointer, status);
                })
            }
        }
    }

    /// Ends the current HDU.
    fn seal(&mut self) -> Result<()> {
        if self.pending_checksum {
            self.pending_checksum = false;
            // SAFETY: plain C call on an open handle.
            self.call(|fptr, status| unsafe {
                sys::ffpcks(fptr, status);
            })?;
        }
        Ok(())
    }

    /// Closes the file, syncs it to disk and gives it its name.
    ///
    /// # Errors
    /// [`Error::Io`] where any of these fails, [`Error::Full`] where there is no room; nothing is left behind then.
    pub fn finish(mut self) -> Result<()> {
        self.seal()?;
        let mut status = 0;
        let fptr = std::mem::replace(&mut self.fptr, ptr::null_mut());
        // SAFETY: the handle is open and closed exactly once.
        unsafe { sys::ffclos(fptr, &mut status) };
        if status != 0 {
            let text = format!("writing failed: {}", message(status));
            return Err(crate::formats::unwritten(&self.path, text));
        }
        crate::formats::place(&self.temporary, &self.path)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.fptr.is_null() {
            let mut status = 0;
            // SAFETY: the handle is open; ffdelt closes and deletes its file.
            unsafe { sys::ffdelt(self.fptr, &mut status) };
            super::clear_messages();
        }
        let _ = std::fs::remove_file(&self.temporary);
    }
}
