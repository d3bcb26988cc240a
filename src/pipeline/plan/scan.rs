//! What lies in a directory of exposures: the facts of each file's header that a plan needs.

use std::path::{Path, PathBuf};

use super::task::Instrument;
use crate::formats::fits::FitsFile;
use crate::model::Meta;
use crate::wcs::nirspec;
use crate::{Error, Result};

/// What disperses the light: exposures of one setting (of a dither and tile) are combined.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// MIRI's MRS.
    Mrs {
        /// `CHANNEL`, as in `12`.
        channel: String,
        /// `BAND`, as in `SHORT`.
        band: String,
    },
    /// NIRSpec's IFU.
    Ifu {
        /// `FILTER`, as in `F290LP`.
        filter: String,
        /// `GRATING`, as in `G395H`.
        grating: String,
    },
}

impl Setting {
    /// What the names of associations begin with.
    pub fn key(&self) -> String {
        match self {
            Self::Mrs { channel, band } => format!("{channel}_{band}"),
            Self::Ifu { filter, grating } => format!("{filter}_{grating}"),
        }
    }

    /// What calwebb appends to the name of a product for each cube of this setting.
    pub fn cubes(&self) -> Vec<String> {
        match self {
            Self::Mrs { channel, band } => channel
                .chars()
                .map(|number| format!("ch{number}-{}", band.to_lowercase()))
                .collect(),
            Self::Ifu { filter, grating } => {
                vec![format!("{grating}-{filter}").to_lowercase()]
            }
        }
    }

    /// Whose it is.
    pub fn instrument(&self) -> Instrument {
        match self {
            Self::Mrs { .. } => Instrument::Miri,
            Self::Ifu { .. } => Instrument::Nirspec,
        }
    }
}

/// Facts of one exposure.
#[derive(Debug, Clone, PartialEq)]
pub struct Exposure {
    /// The file.
    pub path: PathBuf,
    /// Its name without suffix (`_uncal`, `_rate`), what the names of its products begin with.
    pub root: String,
    /// `DETECTOR`.
    pub detector: String,
    /// Channel and band, or filter and grating.
    pub setting: Setting,
    /// Whether light of this setting falls on the detector.
    pub lit: bool,
    /// Pixels of an image.
    pub pixels: u64,
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
    /// Reads the header of an exposure of MIRI's MRS or NIRSpec's IFU.
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
        let text = |keyword: &str| meta.need_str(keyword).map(str::to_owned);
        let (setting, lit) = match meta.need_str("EXP_TYPE")? {
            "MIR_MRS" => {
                let (channel, band) = (text("CHANNEL")?, text("BAND")?);
                (Setting::Mrs { channel, band }, true)
            }
            "NRS_IFU" => {
                let lit = nirspec::Setting::from_meta(&meta)?.has_light();
                let (filter, grating) = (text("FILTER")?, text("GRATING")?);
                (Setting::Ifu { filter, grating }, lit)
            }
            kind => {
                return Err(Error::input_file(
                    path,
                    format!(
                        "EXP_TYPE = {kind} is not supported; run takes MIRI MRS exposures (MIR_MRS) and NIRSpec IFU exposures (NRS_IFU)"
                    ),
                ));
            }
        };
        let sci = file.need("SCI")?;
        let pixels = match file.shape(sci)? {
            [.., ny, nx] => (ny * nx) as u64,
            _ => 0,
        };
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
            setting,
            lit,
            pixels,
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

    /// Whether a background exposure fits this one: of the same detector and setting.
    pub fn matches(&self, other: &Self) -> bool {
        (&self.detector, &self.setting) == (&other.detector, &other.setting)
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
