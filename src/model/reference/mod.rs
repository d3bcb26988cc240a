//! Reference files: opened, cut to the exposure's subarray, flags translated to calwebb's bits.

use std::path::{Path, PathBuf};

use super::{Meta, dq};
use crate::formats::fits::{Element, FitsFile, Header, Table};
use crate::{Error, Result};

/// Where a subarray lies on the detector: first column and row (from 0) and sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First column, from 0.
    pub x: usize,
    /// First row, from 0.
    pub y: usize,
    /// Columns.
    pub nx: usize,
    /// Rows.
    pub ny: usize,
}

impl Window {
    /// The window of an exposure of `ny` x `nx` pixels, from `SUBSTRT1`, `SUBSTRT2`.
    ///
    /// # Errors
    /// [`Error::Input`] where these are missing or below 1.
    pub fn of_exposure(meta: &Meta, ny: usize, nx: usize) -> Result<Self> {
        Ok(Self {
            x: meta.need_count("SUBSTRT1")? - 1,
            y: meta.need_count("SUBSTRT2")? - 1,
            nx,
            ny,
        })
    }
}

/// An open FITS reference file.
#[derive(Debug)]
pub struct RefFits {
    file: FitsFile,
    kind: String,
}

impl RefFits {
    /// Opens the reference file of a type.
    ///
    /// # Errors
    /// [`Error::Reference`] where it cannot be read.
    pub fn open(kind: &str, path: &Path) -> Result<Self> {
        let file = FitsFile::open(path).map_err(|e| {
            Error::reference(format!("{} reference file: {e}", kind.to_ascii_uppercase()))
        })?;
        Ok(Self {
            file,
            kind: kind.to_owned(),
        })
    }

    /// Primary header.
    pub fn header(&self) -> &Header {
        &self.file.hdus()[0].header
    }

    /// Path of the file.
    pub fn path(&self) -> PathBuf {
        self.file.path().into()
    }

    /// An error about this file.
    pub fn error(&self, what: impl std::fmt::Display) -> Error {
        Error::reference(format!(
            "{} reference file {}: {what}",
            self.kind.to_ascii_uppercase(),
            self.file.path().display()
        ))
    }

    /// Whether the extension is there.
    pub fn has(&self, extname: &str) -> bool {
        self.file.find(extname).is_some()
    }

    fn index(&self, extname: &str) -> Result<usize> {
        self.file
            .find(extname)
            .ok_or_else(|| self.error(format!("has no {extname} extension")))
    }

    /// Header of an extension.
    ///
    /// # Errors
    /// [`Error::Reference`] where it is missing.
    pub fn extension(&self, extname: &str) -> Result<&Header> {
        Ok(&self.file.hdus()[self.index(extname)?].header)
    }

    /// Axis lengths of an image extension, slowest first.
    ///
    /// # Errors
    /// [`Error::Reference`] where it is missing.
    pub fn shape(&self, extname: &str) -> Result<Vec<usize>> {
        let i = self.index(extname)?;
        Ok(self.file.shape(i).map_err(|e| self.error(e))?.to_vec())
    }

    /// A table extension.
    ///
    /// # Errors
    /// [`Error::Reference`] where it is missing or broken.
    pub fn table(&self, extname: &str) -> Result<Table> {
        let i = self.index(extname)?;
        self.file.table(i).map_err(|e| self.error(e))
    }

    /// The window of the file's own images, from `SUBSTRT1` and so on; a full MIRI (1032 x 1024) or
    /// NIR (2048 x 2048) frame may lack them.
    fn window(&self, ny: usize, nx: usize) -> Result<Window> {
        let h = self.header();
        match (
            h.i64("SUBSTRT1"),
            h.i64("SUBSTRT2"),
            h.i64("SUBSIZE1"),
            h.i64("SUBSIZE2"),
        ) {
            (Some(x), Some(y), Some(_), Some(_)) => {
                let place = |v: i64| {
                    usize::try_from(v.saturating_sub(1))
                        .map_err(|_| self.error("SUBSTRT1 or SUBSTRT2 is below 1"))
                };
                Ok(Window {
                    x: place(x)?,
                    y: place(y)?,
                    nx,
                    ny,
                })
            }
            _ if (ny, nx) == (1024, 1032) || (ny, nx) == (2048, 2048) => {
                Ok(Window { x: 0, y: 0, nx, ny })
            }
            _ => Err(self.error(
                "SUBSTRT1, SUBSTRT2, SUBSIZE1 or SUBSIZE2 is missing and the frame is not full",
            )),
        }
    }

    /// Planes of an image extension cut to the exposure's window: for every index in `planes` (which
    /// counts all axes before the last two) one `[row][column]` slice after the other.
    ///
    /// # Errors
    /// [`Error::Reference`] where the extension is missing, a plane does not exist, or the window
    /// lies outside.
    pub fn planes<T: Element>(
        &self,
        extname: &str,
        window: Window,
        planes: impl IntoIterator<Item = usize>,
    ) -> Result<Vec<T>> {
        let i = self.index(extname)?;
        let shape = self.shape(extname)?;
        let [lead @ .., ny, nx] = shape.as_slice() else {
            return Err(self.error(format!("{extname} has fewer than two axes")));
        };
        let (ny, nx) = (*ny, *nx);
        let count: usize = lead.iter().product();
        let own = self.window(ny, nx)?;
        let fits = window.x >= own.x
            && window.y >= own.y
            && window.x + window.nx <= own.x.saturating_add(nx)
            && window.y + window.ny <= own.y.saturating_add(ny);
        if !fits {
            return Err(self.error(format!(
                "covers columns {}..{} and rows {}..{} of the detector; the exposure needs {}..{} and {}..{}",
                own.x + 1,
                own.x + nx,
                own.y + 1,
                own.y + ny,
                window.x + 1,
                window.x + window.nx,
                window.y + 1,
                window.y + window.ny
            )));
        }
        let (x0, y0) = (window.x - own.x, window.y - own.y);
        let planes: Vec<usize> = planes.into_iter().collect();
        if let Some(p) = planes.iter().find(|p| **p >= count) {
            return Err(self.error(format!(
                "{extname} has {count} planes; number {} was needed",
                p + 1
            )));
        }
        let size = window.ny * window.nx;
        let mut out = vec![T::default(); planes.len() * size];
        // neighbouring whole planes are read in one go
        let consecutive = planes.windows(2).all(|w| w[1] == w[0] + 1);
        if window == own && consecutive {
            let first = planes.first().copied().unwrap_or(0) * size;
            self.file
                .pixels_into(i, first, &mut out)
                .map_err(|e| self.error(e))?;
            return Ok(out);
        }
        for (p, out) in planes.iter().zip(out.chunks_exact_mut(size.max(1))) {
            let first = p * ny * nx + y0 * nx;
            if window.nx == nx {
                self.file
                    .pixels_into(i, first, out)
                    .map_err(|e| self.error(e))?;
                continue;
            }
            let rows: Vec<T> = self
                .file
                .pixels(i, first..first + window.ny * nx)
                .map_err(|e| self.error(e))?;
            for (from, to) in rows.chunks_exact(nx).zip(out.chunks_exact_mut(window.nx)) {
                to.copy_from_slice(&from[x0..x0 + window.nx]);
            }
        }
        Ok(out)
    }

    /// An image extension that belongs to no place on the detector, whole.
    ///
    /// # Errors
    /// [`Error::Reference`] where it is missing.
    pub fn whole<T: Element>(&self, extname: &str) -> Result<Vec<T>> {
        let i = self.index(extname)?;
        self.file.all(i).map_err(|e| self.error(e))
    }

    /// A 2-D `f32` image cut to the window.
    ///
    /// # Errors
    /// As [`RefFits::planes`].
    pub fn image(&self, extname: &str, window: Window) -> Result<Vec<f32>> {
        let shape = self.shape(extname)?;
        let planes: usize = shape.iter().rev().skip(2).product();
        if shape.len() < 2 || planes != 1 {
            return Err(self.error(format!(
                "{extname} has shape {shape:?} where one image is needed"
            )));
        }
        self.planes(extname, window, [0])
    }

    /// The `DQ` extension cut to the window, its bits translated by `DQ_DEF` to calwebb's (all zero
    /// where there is no `DQ`). Several planes (as in darks) come one after the other.
    ///
    /// Names in `DQ_DEF` that calwebb does not know are ignored, as it does.
    ///
    /// # Errors
    /// As [`RefFits::planes`].
    pub fn dq(&self, window: Window, planes: impl IntoIterator<Item = usize>) -> Result<Vec<u32>> {
        if !self.has("DQ") {
            return Ok(vec![0; planes.into_iter().count() * window.ny * window.nx]);
        }
        let mut flags: Vec<u32> = self.planes("DQ", window, planes)?;
        let Some(map) = self.dq_definitions()? else {
            return Ok(flags);
        };
        for f in flags.iter_mut().filter(|f| **f != 0) {
            *f = map
                .iter()
                .filter(|(own, _)| *f & own != 0)
                .fold(0, |a, (_, standard)| a | standard);
        }
        Ok(flags)
    }

    /// Pairs of the file's own bit and calwebb's; none where there is no (or an empty) `DQ_DEF`.
    fn dq_definitions(&self) -> Result<Option<Vec<(u32, u32)>>> {
        if !self.has("DQ_DEF") {
            return Ok(None);
        }
        let table = self.table("DQ_DEF")?;
        if table.nrows == 0 {
            return Ok(None);
        }
        let mut out = Vec::new();
        for row in 0..table.nrows {
            let name = table
                .text("NAME", row)
                .ok_or_else(|| self.error("DQ_DEF has no text column NAME"))?;
            let value = table
                .number("VALUE", row)
                .ok_or_else(|| self.error("DQ_DEF has no column VALUE"))?;
            match dq::ALL.iter().find(|(n, ..)| *n == name.trim()) {
                Some((_, standard, _)) => out.push((value as i64 as u32, *standard)),
                None => tracing::debug!(
                    "{}: DQ_DEF name {name} is no calwebb flag, ignored",
                    self.path().display()
                ),
            }
        }
        Ok(Some(out))
    }
}
