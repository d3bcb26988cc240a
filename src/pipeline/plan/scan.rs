//! What lies in a directory of exposures: the facts of each file's header that a plan needs.

use std::path::{Path, PathBuf};

use crate::formats::fits::FitsFile;
use crate::model::Meta;
use crate::{Error, Result};

/// Facts of one exposure.
#[derive(Debug, Clone, PartialEq)]
pub struct Exposure {
    /// The file.
    pub path: PathBuf,
    /// Its name without suffix (`_uncal`, `_rate`), what the names of its products begin with.
    pub root: String,
    /// `DETECTOR`.
    pub detector: String,
    /// `CHANNEL`, as in `12`.
    pub channel: String,
    /// `BAND`, as in `SHORT`.
    pub band: String,
    /// `PATT_NUM`, the dither position, from 1.
    pub dither: i64,
    /// `OBSERVTN`_`ACT_ID`, the tile of a mosaic.
    pub tile: String,
    /// `NGROUPS`.
    pub groups: usize,
    /// `NINTS`.
    pub ints: usize,
    /// `TARGNAME`, or nothing.
    pub target: String,
}

impl Exposure {
    /// Reads the header of an exposure of MIRI's MRS.
    ///
    /// # Errors
    /// [`Error::Input`] where it is of another mode or lacks a keyword, [`Error::Format`] where it is not FITS.
    pub fn of_file(path: &Path) -> Result<Self> {
        let file = FitsFile::open(path)?;
        let Some(first) = file.hdus().first() else {
            return Err(Error::format(path, "there is no HDU"));
        };
        let meta = Meta {
            source: path.into(),
            primary: first.header.clone(),
            ..Meta::default()
        };
        let kind = meta.need_str("EXP_TYPE")?;
        if kind != "MIR_MRS" {
            return Err(Error::input_file(
                path,
                format!(
                    "EXP_TYPE = {kind} is not supported yet; run takes MIRI MRS exposures (MIR_MRS)"
                ),
            ));
        }
        let count = |keyword: &str| -> Result<usize> {
            let value = meta.need_i64(keyword)?;
            usize::try_from(value).map_err(|_| {
                Error::input_file(
                    path,
                    format!("{keyword} = {value}, which is no number of them"),
                )
            })
        };
        Ok(Self {
            root: meta.root(),
            detector: meta.need_str("DETECTOR")?.into(),
            channel: meta.need_str("CHANNEL")?.into(),
            band: meta.need_str("BAND")?.into(),
            dither: meta.need_i64("PATT_NUM")?,
            tile: format!(
                "{}_{}",
                meta.need_str("OBSERVTN")?,
                meta.need_str("ACT_ID")?
            ),
            groups: count("NGROUPS")?,
            ints: count("NINTS")?,
            target: meta.str("TARGNAME").unwrap_or_default().into(),
            path: path.into(),
        })
    }

    /// Whether a background exposure fits this one: of the same detector, channels and band.
    pub fn matches(&self, other: &Self) -> bool {
        (&self.detector, &self.channel, &self.band)
            == (&other.detector, &other.channel, &other.band)
    }
}

/// Files of a folder whose names end so, in name order; none where there is no such folder.
///
/// # Errors
/// [`Error::Io`].
pub fn files(folder: &Path, suffix: &str) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let io = |e| Error::io(folder, e);
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
        // names that begin with a dot are products that were being written when the program was killed
        if name.is_some_and(|n| n.ends_with(suffix) && !n.starts_with('.')) {
            out.push(path);
        }
    }
    out.sort();
    Ok(out)
}
