//! Reference files that match the simulated exposures, in the real formats, and their rules.
//!
//! By use: [`detector`] (detector stage), [`common`] (its files for both detectors), [`transforms`]
//! (coordinates), [`response`] (flat, fringes, sensitivity, scattered light), [`cubes`] (cubes and
//! spectra); [`tree`] makes ASDF files. They hold the very numbers the exposures are made with.
//!
//! Serial numbers: 7000 for files common to all, 71xx for MIRIFUSHORT and 72xx for MIRIFULONG; the
//! last two digits are 00 for files common to the bands, else 01, 02, 03 for SHORT, MEDIUM, LONG; 10
//! is added for SLOWR1.

pub mod common;
pub mod cubes;
pub mod detector;
pub mod response;
pub mod transforms;
pub mod tree;

use std::path::{Path, PathBuf};

use super::crds_cache::{Rules, USEAFTER};
use super::headers::FILE_DATE;
use super::optics::{Band, Detector, SHAPE};
use super::pixels::ReadPattern;
use crate::Result;
use crate::formats::fits::{Card, Element, Header, Table, TableBuilder, Value, Writer};

/// One row of a `DQ_DEF` table: the file's own bit, the flag it stands for, what it means.
pub type DqDef = (u32, &'static str, &'static str);

/// Four-digit serial number of a file.
pub fn serial(
    detector: Option<Detector>,
    band: Option<Band>,
    pattern: Option<ReadPattern>,
) -> String {
    let d = detector.map_or(0, |d| 100 * (d as usize + 1));
    let b = band.map_or(0, |b| b as usize + 1);
    let p = if pattern == Some(ReadPattern::SlowR1) {
        10
    } else {
        0
    };
    format!("{}", 7000 + d + b + p)
}

/// The kind of data a set of reference files is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Series {
    /// Keyword `INSTRUME`.
    pub instrument: &'static str,
    /// Keyword `EXP_TYPE`.
    pub exposure: &'static str,
    /// What descriptions call it.
    pub label: &'static str,
    /// Rows and columns of images.
    pub shape: (usize, usize),
}

/// The MIRI medium-resolution spectrometer.
pub const MRS: Series = Series {
    instrument: "MIRI",
    exposure: "MIR_MRS",
    label: "MIRI MRS",
    shape: SHAPE,
};

/// Primary header of a reference file and the path it will have.
#[derive(Debug, Clone)]
pub struct RefFile {
    /// File name.
    pub name: String,
    folder: PathBuf,
    primary: Header,
    shape: (usize, usize),
}

impl RefFile {
    /// A file for MIRI of this type and data model; `serial` completes its name.
    pub fn new(
        folder: &Path,
        kind: &str,
        serial: &str,
        model: &str,
        detector: Option<Detector>,
    ) -> Self {
        let detector = detector.map_or("N/A", Detector::name);
        Self::of(&MRS, folder, kind, serial, model)
            .with(
                "DETECTOR",
                detector,
                "Name of detector used to acquire the data",
            )
            .with("FASTAXIS", 1, "Fast readout axis direction")
            .with("SLOWAXIS", 2, "Slow readout axis direction")
    }

    /// A file of a series, type and data model; `serial` completes its name.
    pub fn of(series: &Series, folder: &Path, kind: &str, serial: &str, model: &str) -> Self {
        let instrument = series.instrument;
        let name = format!(
            "jwst_{}_{kind}_{serial}.fits",
            instrument.to_ascii_lowercase()
        );
        let mut h = Header::new();
        for (key, value, comment) in [
            ("DATE", FILE_DATE, "UTC date file created"),
            (
                "ORIGIN",
                "SIMULATED",
                "Organization responsible for creating file",
            ),
            ("FILENAME", &name, "Name of the file"),
            ("DATAMODL", model, "Type of data model"),
            ("TELESCOP", "JWST", "Telescope used to acquire the data"),
            (
                "REFTYPE",
                &kind.to_ascii_uppercase(),
                "Type of reference file",
            ),
            ("PEDIGREE", "DUMMY", "The pedigree of the reference file"),
            (
                "DESCRIP",
                &format!("Simulated {} {kind}", series.label),
                "Description of the reference file",
            ),
            ("AUTHOR", "sifu simulate", "Author of the reference file"),
            (
                "USEAFTER",
                "2022-05-01T00:00:00",
                "Use after date of the reference file",
            ),
            (
                "INSTRUME",
                instrument,
                "Instrument used to acquire the data",
            ),
            ("EXP_TYPE", series.exposure, "Type of data in the exposure"),
            ("SUBARRAY", "FULL", "Subarray used"),
        ] {
            h.push(Card::new(key, value, comment));
        }
        let (ny, nx) = series.shape;
        for (key, value, comment) in [
            ("SUBSTRT1", 1, "Starting pixel in axis 1 direction"),
            ("SUBSTRT2", 1, "Starting pixel in axis 2 direction"),
            ("SUBSIZE1", nx, "Number of pixels in axis 1 direction"),
            ("SUBSIZE2", ny, "Number of pixels in axis 2 direction"),
        ] {
            h.push(Card::new(key, value, comment));
        }
        Self {
            name,
            folder: folder.to_owned(),
            primary: h,
            shape: series.shape,
        }
    }

    /// Sets a primary keyword.
    #[must_use]
    pub fn with(mut self, keyword: &str, value: impl Into<Value>, comment: &str) -> Self {
        self.primary.set(keyword, value, comment);
        self
    }

    /// Creates the file and writes the primary header.
    ///
    /// # Errors
    /// [`crate::Error::Io`] where writing fails.
    pub fn create(&self) -> Result<RefWriter> {
        let mut primary = self.primary.clone();
        primary.push(Card::commentary(
            "HISTORY",
            "Made by sifu simulate; not for science.",
        ));
        let mut writer = Writer::create(self.folder.join(&self.name), false)?;
        writer.empty(&primary)?;
        Ok(RefWriter {
            writer,
            shape: self.shape,
        })
    }
}

/// Writes the extensions of a reference file.
pub struct RefWriter {
    writer: Writer,
    shape: (usize, usize),
}

impl RefWriter {
    /// An image extension, filled from planes made one at a time.
    ///
    /// # Errors
    /// [`crate::Error::Io`] where writing fails.
    pub fn planes<T: Element>(
        &mut self,
        name: &str,
        shape: &[usize],
        mut plane: impl FnMut(usize) -> Vec<T>,
    ) -> Result<()> {
        self.writer.image::<T>(&extension(name), shape)?;
        let size = self.shape.0 * self.shape.1;
        for k in 0..shape[..shape.len() - 2].iter().product() {
            self.writer.put(k * size, &plane(k))?;
        }
        Ok(())
    }

    /// An image extension of one plane.
    ///
    /// # Errors
    /// [`crate::Error::Io`] where writing fails.
    pub fn image<T: Element>(&mut self, name: &str, values: &[T]) -> Result<()> {
        let shape = [self.shape.0, self.shape.1];
        self.array(name, &shape, values)
    }

    /// An image extension of any shape.
    ///
    /// # Errors
    /// [`crate::Error::Io`] where writing fails.
    pub fn array<T: Element>(&mut self, name: &str, shape: &[usize], values: &[T]) -> Result<()> {
        self.headed(extension(name), shape, values)
    }

    /// An image extension of any shape with a header of its own, which holds `EXTNAME`.
    ///
    /// # Errors
    /// [`crate::Error::Io`] where writing fails.
    pub fn headed<T: Element>(
        &mut self,
        header: Header,
        shape: &[usize],
        values: &[T],
    ) -> Result<()> {
        self.writer.image::<T>(&header, shape)?;
        self.writer.put(0, values)
    }

    /// A table extension.
    ///
    /// # Errors
    /// [`crate::Error::Io`] where writing fails.
    pub fn table(&mut self, table: (Header, Table)) -> Result<()> {
        self.writer.table(&table.0, &table.1)
    }

    /// The `DQ_DEF` table: bit `i` of the file is the flag of row `i`.
    ///
    /// # Errors
    /// [`crate::Error::Io`] where writing fails.
    pub fn dq_def(&mut self, rows: &[DqDef]) -> Result<()> {
        let bits: Vec<i32> = rows.iter().map(|r| r.0.trailing_zeros() as i32).collect();
        let values: Vec<i32> = rows.iter().map(|r| r.0 as i32).collect();
        let names: Vec<&str> = rows.iter().map(|r| r.1).collect();
        let texts: Vec<&str> = rows.iter().map(|r| r.2).collect();
        self.table(
            TableBuilder::new(rows.len())
                .i32("BIT", &bits)
                .i32("VALUE", &values)
                .text("NAME", 40, &names)
                .text("DESCRIPTION", 80, &texts)
                .build("DQ_DEF"),
        )
    }

    /// Closes the file and gives it its name.
    ///
    /// # Errors
    /// [`crate::Error::Io`] where writing fails.
    pub fn finish(self) -> Result<()> {
        self.writer.finish()
    }
}

/// Header of an extension of this name.
pub fn extension(name: &str) -> Header {
    let mut h = Header::new();
    h.push(Card::new("EXTNAME", name, "extension name"));
    h
}

/// A reference type with its rules, and what writes its file.
pub type Job<'a> = (Rules, Box<dyn FnOnce() -> Result<()> + Send + 'a>);

/// Header keys of selection rules.
pub mod key {
    /// Detector.
    pub const DETECTOR: &str = "META.INSTRUMENT.DETECTOR";
    /// Subarray.
    pub const SUBARRAY: &str = "META.SUBARRAY.NAME";
    /// Readout pattern.
    pub const READPATT: &str = "META.EXPOSURE.READPATT";
    /// Band.
    pub const BAND: &str = "META.INSTRUMENT.BAND";
    /// Channels.
    pub const CHANNEL: &str = "META.INSTRUMENT.CHANNEL";
    /// Filter (none for MIRI's spectrometer).
    pub const FILTER: &str = "META.INSTRUMENT.FILTER";
    /// Grating.
    pub const GRATING: &str = "META.INSTRUMENT.GRATING";
    /// Exposure type.
    pub const EXP_TYPE: &str = "META.EXPOSURE.TYPE";
}

/// Rules of one row: these keys with these values choose this file.
pub fn rules(kind: &str, keys: &[&'static str], values: &[&str], file: &str) -> Rules {
    Rules {
        kind: kind.into(),
        keys: keys.to_vec(),
        rows: vec![(
            values.iter().map(|v| (*v).to_owned()).collect(),
            USEAFTER.into(),
            file.into(),
        )],
        ..Rules::default()
    }
}
