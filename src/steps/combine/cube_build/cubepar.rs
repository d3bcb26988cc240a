//! The cubepar reference: sizes of voxels, wavelength ranges and weighting parameters of channels and bands, or of gratings and
//! filters.

use std::path::Path;

use crate::formats::fits::Table;
use crate::model::reference::RefFits;
use crate::{Error, Result};

use super::Weight;
use super::selection::Setting;

/// What the file says of a channel in a band or a grating with a filter; NaN where it says nothing.
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

/// Wavelengths in micron of cubes whose planes are not at equal steps, with what holds there.
type Planes = Vec<(f64, Regions)>;

/// The file's content for one way of weighting.
#[derive(Debug, Clone, Default)]
pub struct CubePar {
    path: String,
    /// Channel and band or grating and filter, and what is said of them.
    bands: Vec<(String, String, Band)>,
    /// Wavelengths by the gratings they are for; for the MRS there is one table.
    tables: Vec<(&'static str, Planes)>,
}

/// Parts of the names of NIRSpec's tables of wavelengths: of the prism, and of gratings by the last letter of their names.
const RESOLUTIONS: [(&str, &str); 3] = [("prism", "PRISM"), ("m", "MED"), ("h", "HIGH")];

impl CubePar {
    /// Reads what one way of weighting needs.
    ///
    /// # Errors
    /// [`Error::Reference`] where a table or column is missing.
    pub fn read(path: &Path, weight: Weight) -> Result<Self> {
        let file = RefFits::open("cubepar", path)?;
        let basic = file.table("CUBEPAR")?;
        let nirspec = basic.column("DISPERSER").is_some();
        let keys = match nirspec {
            true => ["DISPERSER", "FILTER"],
            false => ["CHANNEL", "BAND"],
        };
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
            let lower = |column: &str| Ok(text(column)?.trim().to_ascii_lowercase());
            Ok((lower(keys[0])?, lower(keys[1])?))
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
        let planes = |extension: &str| -> Result<Planes> {
            let wavelengths = file.table(extension)?;
            let row = |row: usize| {
                let regions = match weight {
                    Weight::Drizzle => NOTHING,
                    _ => regions(&wavelengths, row)?,
                };
                Ok((number(&wavelengths, "WAVELENGTH", row)?, regions))
            };
            (0..wavelengths.nrows).map(row).collect()
        };
        let tables = if nirspec {
            let of = |(key, part): (&'static str, &str)| {
                let weighting = match weight {
                    Weight::Msm => "MSM",
                    Weight::Emsm => "EMSM",
                    Weight::Drizzle => "DRIZZLE",
                };
                let extension = format!("MULTICHAN_{part}_{weighting}");
                let there = file.has(&extension);
                there.then(|| Ok((key, planes(&extension)?)))
            };
            RESOLUTIONS
                .into_iter()
                .filter_map(of)
                .collect::<Result<_>>()?
        } else {
            vec![("", planes(&name("MULTICHANNEL"))?)]
        };
        Ok(Self {
            path: path.display().to_string(),
            bands,
            tables,
        })
    }

    /// Wavelengths of planes that are not at equal steps, for cubes of these settings; empty where there are none.
    pub fn table(&self, settings: &[Setting]) -> &[(f64, Regions)] {
        // calwebb takes the table of the last grating
        let key = settings.last().map_or("", |s| match s {
            Setting::Mrs { .. } => "",
            Setting::Nirspec {
                grating: "prism", ..
            } => "prism",
            Setting::Nirspec { grating, .. } if grating.ends_with('m') => "m",
            Setting::Nirspec { .. } => "h",
        });
        let found = self.tables.iter().find(|(k, _)| *k == key);
        found.map_or(&[], |(_, table)| table.as_slice())
    }

    /// What is said of a channel in a band, or of a grating with a filter.
    ///
    /// # Errors
    /// [`Error::Reference`] where nothing is.
    pub fn band(&self, setting: Setting) -> Result<Band> {
        let (first, second) = match setting {
            Setting::Mrs { channel, band } => (channel.to_string(), band),
            Setting::Nirspec { grating, filter } => (grating.to_owned(), filter),
        };
        // of several entries jwst keeps the last
        let found = self
            .bands
            .iter()
            .rfind(|(a, b, _)| *a == first && b == second);
        found.map(|f| f.2).ok_or_else(|| {
            Error::reference(format!(
                "the cubepar reference file {} has no entry for {setting}; give scales with a file that has",
                self.path
            ))
        })
    }
}
