//! The reference files: fringe frequencies of each slice, largest amplitudes, and the map of slices.

use std::path::Path;

use super::fringes::Component;
use crate::Result;
use crate::formats::asdf::AsdfFile;
use crate::model::reference::RefFits;
use crate::{Error, math::interpolate::linear};

/// Plane of the regions: pixels of at least 80 % throughput, calwebb's choice.
const PLANE: usize = 7;

/// Periods below this mark a component that does not exist, cm-1.
const PLACEHOLDER: f64 = 1e-3;

/// A fringe component of a slice.
#[derive(Debug, Clone, Copy)]
pub struct SliceComponent {
    /// What is looked for.
    pub search: Component,
    /// Signal-to-noise ratio a column must have.
    pub min_snr: f64,
}

impl SliceComponent {
    /// Whether it is none, but fills its place in the table.
    pub fn is_placeholder(&self) -> bool {
        self.search.period <= PLACEHOLDER
    }
}

/// The table of a band: components by slice, and the largest amplitudes by wavelength.
#[derive(Debug, Clone)]
pub struct Frequencies {
    slices: Vec<(f64, Vec<SliceComponent>)>,
    wavelengths: Vec<f64>,
    amplitudes: Vec<f64>,
    /// The file, for messages.
    path: std::path::PathBuf,
}

impl Frequencies {
    /// Reads the table of a `BAND`.
    ///
    /// # Errors
    /// [`Error::Reference`].
    pub fn read(path: &Path, band: &str) -> Result<Self> {
        let file = RefFits::open("fringefreq", path)?;
        let name = match band.to_ascii_lowercase().as_str() {
            "short" => "RFC_FREQ_SHORT",
            "medium" => "RFC_FREQ_MEDIUM",
            _ => "RFC_FREQ_LONG",
        };
        let table = file.table(name)?;
        let missing = |column: &str| file.error(format!("{name} has no numbers in {column}"));
        let mut slices = Vec::with_capacity(table.nrows);
        for row in 0..table.nrows {
            let cell = |c: &str| table.numbers(c, row).ok_or_else(|| missing(c));
            let slice = table.number("slice", row).ok_or_else(|| missing("slice"))?;
            let (period, half) = (cell("ffreq")?, cell("dffreq")?);
            let (most, snr, step) = (cell("max_nfringes")?, cell("min_snr")?, cell("pgram_res")?);
            let count = period.len();
            if count == 0 || [&half, &most, &snr, &step].iter().any(|v| v.len() != count) {
                return Err(file.error(format!("{name}: row {} is not of one length", row + 1)));
            }
            let mut components = Vec::with_capacity(count);
            for i in 0..count {
                let steps = 2.0 * half[i] / step[i];
                let component = SliceComponent {
                    search: Component {
                        period: period[i],
                        half_range: half[i],
                        max_sines: most[i] as usize,
                        resolution: step[i],
                    },
                    min_snr: snr[i],
                };
                let usable = period[i] > half[i] && (0.5..1e6).contains(&steps);
                if !component.is_placeholder() && !usable {
                    return Err(file.error(format!(
                        "{name}: slice {slice} has periods {} +- {} in steps of {}",
                        period[i], half[i], step[i]
                    )));
                }
                components.push(component);
            }
            slices.push((slice, components));
        }
        let table = file.table("MAX_AMP")?;
        let column = |c: &str| -> Result<Vec<f64>> {
            (0..table.nrows)
                .map(|row| table.number(c, row))
                .collect::<Option<Vec<f64>>>()
                .filter(|v| !v.is_empty())
                .ok_or_else(|| file.error(format!("MAX_AMP has no numbers in {c}")))
        };
        Ok(Self {
            slices,
            wavelengths: column("Wavelength")?,
            amplitudes: column("Amplitude")?,
            path: file.path(),
        })
    }

    /// The components of a slice.
    ///
    /// # Errors
    /// [`Error::Reference`] where the table lacks the slice.
    pub fn components(&self, slice: u32) -> Result<&[SliceComponent]> {
        let found = self.slices.iter().find(|(s, _)| *s == f64::from(slice));
        found.map(|(_, c)| c.as_slice()).ok_or_else(|| {
            Error::reference(format!(
                "{}: FRINGEFREQ has no row for slice {slice}",
                self.path.display()
            ))
        })
    }

    /// The largest amplitude at a wavelength (micron) that is corrected, twice the table's.
    pub fn max_amp(&self, wavelength: f64) -> f64 {
        linear(wavelength, &self.wavelengths, &self.amplitudes) * 2.0
    }
}

/// Slice number (100 x channel + slice) of every pixel, 0 between slices.
#[derive(Debug, Clone)]
pub struct SliceMap {
    /// Rows.
    pub ny: usize,
    /// Columns.
    pub nx: usize,
    labels: Vec<u32>,
}

/// A slice and its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// Its number.
    pub number: u32,
    /// Columns that are corrected.
    pub columns: std::ops::Range<usize>,
}

impl SliceMap {
    /// Reads the map.
    ///
    /// # Errors
    /// [`Error::Reference`].
    pub fn read(path: &Path) -> Result<Self> {
        let fault = |e: &dyn std::fmt::Display| {
            Error::reference(format!("{}: REGIONS: {e}", path.display()))
        };
        let file = AsdfFile::open(path)?;
        let masks = file.require_array("regions")?;
        let &[planes, ny, nx] = masks.shape() else {
            return Err(fault(&"the array has not three axes"));
        };
        if planes <= PLANE {
            return Err(fault(&"the plane of 80 % throughput is missing"));
        }
        let labels = masks.to_vec::<i32>().map_err(|e| fault(&e))?;
        let labels = labels[PLANE * ny * nx..(PLANE + 1) * ny * nx]
            .iter()
            .map(|v| u32::try_from(*v).unwrap_or(0))
            .collect();
        Ok(Self { ny, nx, labels })
    }

    /// Number of the slice a pixel belongs to.
    pub fn label(&self, row: usize, column: usize) -> u32 {
        self.labels[row * self.nx + column]
    }

    /// The slices of a channel in order, with their columns: from before the first change of their number of
    /// pixels to the last one.
    pub fn slices(&self, channel: u32) -> Vec<Slice> {
        let mut numbers: Vec<u32> = self
            .labels
            .iter()
            .copied()
            .filter(|l| l / 100 == channel)
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        let count =
            |number: u32, x: usize| (0..self.ny).filter(|y| self.label(*y, x) == number).count();
        numbers
            .into_iter()
            .filter_map(|number| {
                let counts: Vec<usize> = (0..self.nx).map(|x| count(number, x)).collect();
                let changes = || (1..self.nx).filter(|x| counts[x - 1] != counts[*x]);
                let columns = changes().next()? - 1..changes().next_back()?;
                Some(Slice { number, columns })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_and_their_columns() {
        let labels = vec![
            0, 101, 101, 0, 0, 201, //
            0, 101, 101, 101, 0, 201,
        ];
        let map = SliceMap {
            ny: 2,
            nx: 6,
            labels,
        };
        let first = Slice {
            number: 101,
            columns: 0..4,
        };
        assert_eq!(map.slices(1), [first]);
        let last = Slice {
            number: 201,
            columns: 4..5,
        };
        assert_eq!(map.slices(2), [last]);
        assert!(map.slices(3).is_empty());
    }
}
