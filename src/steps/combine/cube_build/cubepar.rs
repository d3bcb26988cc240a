//! The cubepar reference: sizes of voxels, wavelength ranges and weighting parameters of channels and bands.

use std::path::Path;

use crate::formats::fits::Table;
use crate::model::reference::RefFits;
use crate::{Error, Result};

use super::Weight;

/// What the file says of a channel in a band; NaN where it says nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// Size of a spaxel in arcsec.
    pub spaxel: f64,
    /// Step in wavelength in micron.
    pub step: f64,
    /// Shortest and longest wavelength in micron.
    pub range: (f64, f64),
    /// Weighting.
    pub regions: Regions,
}

/// Sizes of regions of influence and parameters of the weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Regions {
    /// Radius on the sky in arcsec.
    pub spatial: f64,
    /// Half length along the spectrum in micron.
    pub spectral: f64,
    /// Power of `msm`.
    pub power: f64,
    /// Least distance of `msm`.
    pub soft: f64,
    /// Scale of `emsm` in arcsec.
    pub scale: f64,
}

const NOTHING: Regions = Regions {
    spatial: f64::NAN,
    spectral: f64::NAN,
    power: f64::NAN,
    soft: f64::NAN,
    scale: f64::NAN,
};

/// The file's content for one way of weighting.
#[derive(Debug, Clone, Default)]
pub struct CubePar {
    path: String,
    /// Channel, band, and what is said of them.
    bands: Vec<(String, String, Band)>,
    /// Wavelengths in micron of cubes of several bands, with what holds there.
    pub table: Vec<(f64, Regions)>,
}

impl CubePar {
    /// Reads what one way of weighting needs.
    ///
    /// # Errors
    /// [`Error::Reference`] where a table or column is missing.
    pub fn read(path: &Path, weight: Weight) -> Result<Self> {
        let file = RefFits::open("cubepar", path)?;
        let basic = file.table("CUBEPAR")?;
        let name = |extension: &str| match weight {
            Weight::Msm => format!("{extension}_MSM"),
            Weight::Emsm => format!("{extension}_EMSM"),
            Weight::Drizzle => format!("{extension}_DRIZ"),
        };
        let number = |table: &Table, column: &str, row: usize| {
            table
                .number(column, row)
                .ok_or_else(|| file.error(format!("has no column {column}")))
        };
        let regions = |table: &Table, row: usize| -> Result<Regions> {
            let spatial = number(table, "ROISPATIAL", row)?;
            let spectral = number(table, "ROISPECTRAL", row)?;
            let mut r = Regions {
                spatial,
                spectral,
                ..NOTHING
            };
            if weight == Weight::Msm {
                r.power = number(table, "POWER", row)?;
                r.soft = number(table, "SOFTRAD", row)?;
            } else {
                r.scale = number(table, "SCALERAD", row)?;
            }
            Ok(r)
        };
        let key = |table: &Table, row: usize| -> Result<(String, String)> {
            let text = |column: &str| {
                table
                    .text(column, row)
                    .ok_or_else(|| file.error(format!("has no column {column}")))
            };
            Ok((text("CHANNEL")?, text("BAND")?.to_ascii_lowercase()))
        };
        let mut bands = Vec::new();
        for row in 0..basic.nrows {
            let (channel, band) = key(&basic, row)?;
            let at = |column: &str| number(&basic, column, row);
            let content = Band {
                spaxel: at("SPAXELSIZE")?,
                step: at("SPECTRALSTEP")?,
                range: (at("WAVEMIN")?, at("WAVEMAX")?),
                regions: NOTHING,
            };
            bands.push((channel, band, content));
        }
        if weight != Weight::Drizzle {
            let weighting = file.table(&name("CUBEPAR"))?;
            for row in 0..weighting.nrows {
                let (channel, band) = key(&weighting, row)?;
                let found = bands
                    .iter_mut()
                    .filter(|(c, b, _)| *c == channel && *b == band);
                for (.., content) in found {
                    content.regions = regions(&weighting, row)?;
                }
            }
        }
        let wavelengths = file.table(&name("MULTICHANNEL"))?;
        let table = (0..wavelengths.nrows)
            .map(|row| {
                let regions = match weight {
                    Weight::Drizzle => NOTHING,
                    _ => regions(&wavelengths, row)?,
                };
                Ok((number(&wavelengths, "WAVELENGTH", row)?, regions))
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            path: path.display().to_string(),
            bands,
            table,
        })
    }

    /// What is said of a channel in a band.
    ///
    /// # Errors
    /// [`Error::Reference`] where nothing is.
    pub fn band(&self, channel: u8, band: &str) -> Result<Band> {
        let channel = channel.to_string();
        // of several entries jwst keeps the last
        let found = self
            .bands
            .iter()
            .rfind(|(c, b, _)| *c == channel && b == band);
        found.map(|f| f.2).ok_or_else(|| {
            Error::reference(format!(
                "the cubepar reference file {} has no entry for channel {channel}, band {band}; give scales with a file that has",
                self.path
            ))
        })
    }
}
