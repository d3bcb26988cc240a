//! Exposures and products on disk: `_uncal` and ramp files to [`Ramp`], [`Ramp`] and [`Rate`] to files.
//!
//! HDU names, element types and order are those of calwebb's `RampModel`, `IFUImageModel` and `CubeModel`.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::cal::history;
use crate::formats::fits::{Data, Element, FitsFile, Hdu, HduInfo, Header, Writer};
use crate::model::buffer::{Buffer, Plain};
use crate::model::{Meta, Ramp, Rate, Shape};
use crate::{Error, Result};

/// An exposure file that holds ramps (`_uncal` or the product of a detector step), opened but not read.
#[derive(Debug)]
pub struct RampFile {
    file: FitsFile,
    sci: usize,
    /// Headers.
    pub meta: Meta,
    /// Sizes of the whole file.
    pub shape: Shape,
}

impl RampFile {
    /// Opens an exposure and checks that it is one.
    ///
    /// # Errors
    /// [`Error::Format`] where it is no sound FITS file, [`Error::Input`] where it holds no ramps.
    pub fn open(path: &Path) -> Result<Self> {
        let file = FitsFile::open(path)?;
        let mut meta = meta_of(&file, path)?;
        meta.history = history(&file, path);
        let sci = file.need("SCI")?;
        let shape = match *file.shape(sci)? {
            [nints, ngroups, ny, nx] => Shape {
                nints,
                ngroups,
                ny,
                nx,
            },
            ref other => {
                return Err(Error::input_file(
                    path,
                    format!(
                        "SCI has {} axes; ramps have 4 (integration, group, row, column)",
                        other.len()
                    ),
                ));
            }
        };
        if shape.planes() == 0 || shape.plane() == 0 {
            return Err(Error::input_file(
                path,
                format!(
                    "SCI is empty ({} integrations, {} groups, {} rows, {} columns)",
                    shape.nints, shape.ngroups, shape.ny, shape.nx
                ),
            )
            .into_science());
        }
        for (keyword, n) in [("NINTS", shape.nints), ("NGROUPS", shape.ngroups)] {
            let value = meta.need_count(keyword)?;
            let segment = keyword == "NINTS" && meta.i64("EXSEGTOT").is_some_and(|s| s > 1);
            if value != n && !segment {
                return Err(Error::input_file(
                    path,
                    format!("{keyword} = {value} and SCI has {n}; the file is inconsistent"),
                ));
            }
        }
        Ok(Self {
            file,
            sci,
            meta,
            shape,
        })
    }

    /// Bytes a ramp of all integrations takes in memory.
    pub fn memory(&self) -> usize {
        self.shape.planes() * self.shape.plane() * 5 + self.shape.plane() * 4
    }

    /// Reads some integrations, into a temporary file in `folder` where one is given, else into memory.
    ///
    /// # Errors
    /// [`Error::Format`] where an extension has another shape than `SCI`; [`Error::Io`] where there is
    /// no room for the temporary file.
    pub fn read(&self, ints: Range<usize>, folder: Option<&Path>) -> Result<Ramp> {
        let Shape {
            ngroups, ny, nx, ..
        } = self.shape;
        let shape = Shape {
            nints: ints.len(),
            ngroups,
            ny,
            nx,
        };
        let size = ngroups * ny * nx;
        let mut data = space(shape.planes() * shape.plane(), folder)?;
        self.fill(self.sci, ints.clone(), size, &mut data)?;
        let mut groupdq = space(shape.planes() * shape.plane(), folder)?;
        if let Some(i) = self.file.find("GROUPDQ") {
            self.same_shape(i, &self.shape.axes())?;
            self.fill(i, ints.clone(), size, &mut groupdq)?;
        }
        let pixeldq = match self.file.find("PIXELDQ") {
            Some(i) => {
                self.same_shape(i, &[ny, nx])?;
                self.file.all(i)?
            }
            None => vec![0; shape.plane()],
        };
        let average_dark_current = match self.file.find("AVDRKCUR") {
            Some(i) => {
                self.same_shape(i, &[ny, nx])?;
                Some(self.file.all(i)?)
            }
            None => None,
        };
        let own = ["SCI", "PIXELDQ", "GROUPDQ", "AVDRKCUR", "ASDF", "ERR"];
        let mut extra = Vec::new();
        for (i, info) in self.file.hdus().iter().enumerate().skip(1) {
            if !own.contains(&info.name().as_str()) {
                extra.push(self.file.hdu(i)?);
            }
        }
        Ok(Ramp {
            meta: self.meta.clone(),
            shape,
            first_int: ints.start,
            data,
            pixeldq,
            groupdq,
            average_dark_current,
            extra,
        })
    }

    /// A ramp of all integrations with the file's headers and tables and neither counts nor flags yet, in a temporary
    /// file in `folder` where one is given, else in memory.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn blank(&self, folder: Option<&Path>) -> Result<Ramp> {
        let size = self.shape.planes() * self.shape.plane();
        Ok(Ramp {
            shape: self.shape,
            data: space(size, folder)?,
            groupdq: space(size, folder)?,
            ..self.read(0..0, None)?
        })
    }

    /// A ramp with the file's headers and tables, and counts and flags of the first groups of another.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn first_groups_of(&self, whole: &Ramp, folder: Option<&Path>) -> Result<Ramp> {
        if folder.is_some() {
            let mut ramp = self.blank(folder)?;
            ramp.take_first_groups(whole);
            return Ok(ramp);
        }
        let mut ramp = self.read(0..0, None)?;
        ramp.shape = self.shape;
        ramp.be_first_groups(whole);
        Ok(ramp)
    }

    /// Whether counts and flags are those of the first groups of `whole`.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn is_first_groups_of(&self, whole: &Ramp) -> Result<bool> {
        let has = |name: &&str| self.file.find(name).is_some();
        if ["PIXELDQ", "GROUPDQ", "AVDRKCUR"].iter().any(has) {
            return Ok(self
                .read(0..self.shape.nints, None)?
                .is_first_groups_of(whole));
        }
        let (a, b) = (self.shape, whole.shape);
        let unflagged = whole.average_dark_current.is_none()
            && whole.pixeldq.iter().fold(0, |all, q| all | q) == 0
            && whole.groupdq.iter().fold(0, |all, q| all | q) == 0;
        if (a.nints, a.ny, a.nx) != (b.nints, b.ny, b.nx) || a.ngroups > b.ngroups || !unflagged {
            return Ok(false);
        }
        let size = a.plane().max(1);
        let mut plane = vec![0f32; a.plane()];
        let groups = whole.data.chunks(size);
        let firsts = groups
            .enumerate()
            .map(|(i, plane)| (i / b.ngroups, i % b.ngroups, plane))
            .filter(|(_, group, _)| *group < a.ngroups);
        for (int, group, theirs) in firsts {
            let start = (int * a.ngroups + group) * a.plane();
            self.file.pixels_into(self.sci, start, &mut plane)?;
            let unlike = |bits: u32, (a, b): (&f32, &f32)| bits | (a.to_bits() ^ b.to_bits());
            if plane.iter().zip(theirs).fold(0, unlike) != 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads integrations of `size` pixels of an image one after the other.
    fn fill<T: Element>(
        &self,
        hdu: usize,
        ints: Range<usize>,
        size: usize,
        out: &mut [T],
    ) -> Result<()> {
        for (int, out) in ints.zip(out.chunks_mut(size.max(1))) {
            self.file.pixels_into(hdu, int * size, out)?;
        }
        Ok(())
    }

    fn same_shape(&self, hdu: usize, axes: &[usize]) -> Result<()> {
        let found = self.file.shape(hdu)?;
        if found == axes {
            return Ok(());
        }
        let name = self.file.hdus()[hdu].name();
        Err(Error::format(
            self.file.path(),
            format!("{name} has shape {found:?} where SCI asks for {axes:?}"),
        ))
    }
}

/// Zeros in memory, or in a temporary file.
fn space<T: Plain + Default>(len: usize, folder: Option<&Path>) -> Result<Buffer<T>> {
    match folder {
        Some(folder) => Buffer::in_file(len, folder),
        None => Ok(vec![T::default(); len].into()),
    }
}

/// Reads a `_rate` or `_rateints` product.
///
/// # Errors
/// [`Error::Format`] where it is none.
pub fn read_rate(path: &Path) -> Result<Rate> {
    let file = FitsFile::open(path)?;
    let mut meta = meta_of(&file, path)?;
    meta.history = history(&file, path);
    let sci = file.need("SCI")?;
    let shape = file.shape(sci)?.to_vec();
    let (nints, ny, nx) = match *shape {
        [ny, nx] => (None, ny, nx),
        [nints, ny, nx] => (Some(nints), ny, nx),
        _ => {
            return Err(Error::input_file(
                path,
                format!("SCI has {} axes; rates have 2 or 3", shape.len()),
            ));
        }
    };
    let need = |name: &str| -> Result<usize> {
        let i = file.need(name)?;
        if file.shape(i)? == shape {
            Ok(i)
        } else {
            Err(Error::format(
                path,
                format!("{name} has shape {:?} and SCI {shape:?}", file.shape(i)?),
            ))
        }
    };
    let mut extra = Vec::new();
    for (i, info) in file.hdus().iter().enumerate().skip(1) {
        if !["SCI", "ERR", "DQ", "VAR_POISSON", "VAR_RNOISE", "ASDF"]
            .contains(&info.name().as_str())
        {
            extra.push(file.hdu(i)?);
        }
    }
    Ok(Rate {
        nints,
        ny,
        nx,
        sci: file.all(sci)?,
        err: file.all(need("ERR")?)?,
        dq: file.all(need("DQ")?)?,
        var_poisson: file.all(need("VAR_POISSON")?)?,
        var_rnoise: file.all(need("VAR_RNOISE")?)?,
        extra,
        meta,
    })
}

/// Headers of an exposure file, checked to be JWST's.
pub(super) fn meta_of(file: &FitsFile, path: &Path) -> Result<Meta> {
    let damaged = |h: &HduInfo| h.header.damaged_keyword();
    if let Some(keyword) = file.hdus().iter().find_map(damaged) {
        return Err(Error::format(
            path,
            format!(
                "a header holds the keyword '{keyword}', which none can be; the file is damaged: fetch or copy it again"
            ),
        ));
    }
    let sci = file.need("SCI")?;
    let meta = Meta {
        source: path.into(),
        primary: file.hdus()[0].header.clone(),
        sci: file.hdus()[sci].header.clone(),
        history: None,
    };
    if meta
        .str("TELESCOP")
        .is_none_or(|t| !t.eq_ignore_ascii_case("JWST"))
    {
        return Err(Error::input_file(
            path,
            "not a JWST exposure (TELESCOP is not JWST)",
        ));
    }
    Ok(meta)
}

/// Where a product goes: `OUT/<root>_<suffix>.fits`.
pub fn product_path(out: &Path, root: &str, suffix: &str) -> PathBuf {
    out.join(format!("{root}_{suffix}.fits"))
}

pub(super) fn extension(name: &str) -> Header {
    let mut h = Header::new();
    h.set("EXTNAME", name, "extension name");
    h.set("EXTVER", 1i64, "extension value");
    h
}

/// Header of an array extension of a product: `EXTNAME` and nothing else, but for `SCI`.
pub(super) fn sci_header(meta: &Meta) -> Header {
    let mut h = meta.sci.clone();
    h.set("EXTNAME", "SCI", "extension name");
    h
}

pub(super) fn write_extra(
    writer: &mut Writer,
    extra: &[Hdu],
    keep: impl Fn(&str) -> bool,
) -> Result<()> {
    for hdu in extra
        .iter()
        .filter(|h| keep(h.header.str("EXTNAME").unwrap_or("")))
    {
        match &hdu.data {
            Data::None => writer.empty(&hdu.header)?,
            Data::Image(image) => {
                let values: Vec<f32> = image
                    .pixels
                    .to_f64()
                    .into_iter()
                    .map(|v| v as f32)
                    .collect();
                writer.image::<f32>(&hdu.header, &image.shape)?;
                writer.put(0, &values)?;
            }
            Data::Table(table) => writer.table(&hdu.header, table)?,
        }
    }
    Ok(())
}

/// Writes the `ASDF` extension with these bytes.
pub(super) fn write_asdf(writer: &mut Writer, asdf: &[u8]) -> Result<()> {
    let (header, table) = crate::formats::fits::TableBuilder::new(1)
        .bytes("ASDF_METADATA", asdf)
        .build("ASDF");
    writer.table(&header, &table)
}

/// Writes ramps as calwebb's `RampModel` product, under the headers given.
///
/// # Errors
/// [`Error::Io`].
pub fn write_ramp(path: &Path, ramp: &Ramp, meta: &Meta, asdf: &[u8]) -> Result<()> {
    let Shape { ny, nx, .. } = ramp.shape;
    let mut w = Writer::create(path, false)?;
    w.empty(&meta.primary)?;
    w.image::<f32>(&sci_header(meta), &ramp.shape.axes())?;
    w.put(0, &ramp.data)?;
    w.image::<u32>(&extension("PIXELDQ"), &[ny, nx])?;
    w.put(0, &ramp.pixeldq)?;
    w.image::<u8>(&extension("GROUPDQ"), &ramp.shape.axes())?;
    w.put(0, &ramp.groupdq)?;
    if let Some(dark) = &ramp.average_dark_current {
        w.image::<f32>(&extension("AVDRKCUR"), &[ny, nx])?;
        w.put(0, dark)?;
    }
    write_extra(&mut w, &ramp.extra, |_| true)?;
    write_asdf(&mut w, asdf)?;
    w.finish()
}

/// Writes ramps as an exposure's counts (`_uncal`, calwebb's `Level1bModel`), under the headers given; other HDUs keep
/// their element types.
///
/// # Errors
/// [`Error::Io`]; [`Error::Input`] where a value is no whole number from 0 to 65535.
pub fn write_uncal(path: &Path, ramp: &Ramp, meta: &Meta, asdf: &[u8]) -> Result<()> {
    // added to 2²³ a count is the low end of the bits
    let count = |v: &f32| (v + 8_388_608.0).to_bits() as u16;
    let odd = |v: &&f32| f32::from(count(v)) != **v;
    for block in ramp.data.chunks(4096) {
        if block.iter().fold(false, |any, v| any | odd(&v))
            && let Some(v) = block.iter().find(odd)
        {
            return Err(Error::input_file(
                &meta.source,
                format!("holds {v}, which is no count of a detector; give the _uncal file"),
            ));
        }
    }
    let Shape { ngroups, .. } = ramp.shape;
    let mut w = Writer::create(path, false)?;
    w.empty(&meta.primary)?;
    w.image::<u16>(&sci_header(meta), &ramp.shape.axes())?;
    let part = ngroups * ramp.shape.plane();
    for (i, counts) in ramp.data.chunks(part.max(1)).enumerate() {
        let counts: Vec<u16> = counts.iter().map(count).collect();
        w.put(i * part, &counts)?;
    }
    for hdu in &ramp.extra {
        w.hdu(hdu)?;
    }
    write_asdf(&mut w, asdf)?;
    w.finish()
}

/// Writes rates as calwebb's `IFUImageModel` or `CubeModel` product.
///
/// # Errors
/// [`Error::Io`].
pub fn write_rate(path: &Path, rate: &Rate, asdf: &[u8]) -> Result<()> {
    let axes = rate.axes();
    let mut w = Writer::create(path, false)?;
    w.empty(&rate.meta.primary)?;
    let mut sci = sci_header(&rate.meta);
    sci.set_after(
        "EXTNAME",
        "BUNIT",
        "DN/s",
        "physical units of the array values",
    );
    w.image::<f32>(&sci, &axes)?;
    w.put(0, &rate.sci)?;
    let mut err = extension("ERR");
    err.set_after(
        "EXTNAME",
        "BUNIT",
        "DN/s",
        "physical units of the array values",
    );
    w.image::<f32>(&err, &axes)?;
    w.put(0, &rate.err)?;
    w.image::<u32>(&extension("DQ"), &axes)?;
    w.put(0, &rate.dq)?;
    write_extra(&mut w, &rate.extra, |name| {
        name == "INT_TIMES" && rate.nints.is_some()
    })?;
    w.image::<f32>(&extension("VAR_POISSON"), &axes)?;
    w.put(0, &rate.var_poisson)?;
    w.image::<f32>(&extension("VAR_RNOISE"), &axes)?;
    w.put(0, &rate.var_rnoise)?;
    write_asdf(&mut w, asdf)?;
    w.finish()
}
