//! Reference files that match the simulated NIRSpec exposures, and their rules.
//!
//! By use: [`detector`] (detector stage), [`optics`] (coordinates), [`spectral`] (flats, path loss,
//! fluxes), [`cubes`] (cubes, spectra, parameters of steps).
//!
//! Serial numbers: 70xx for files common to both detectors, 71xx for NRS1 and 72xx for NRS2; the last two
//! digits are 01 to 09 for a filter with a grating, 10, 20 and 30 for the readouts NRS, NRSIRS2RAPID and NRSIRS2, 21 to 25 for a
//! filter, 31 to 37 for a grating, else 00.

pub mod cubes;
pub mod detector;
mod irs2;
pub mod optics;
pub mod spectral;

use std::path::Path;

use super::mode::{Detector, Filter, Grating, Mode, ReadPattern, SIZE};
use crate::simulate::crds_cache::Rules;
use crate::simulate::references::key::EXP_TYPE;
use crate::simulate::references::{RefFile, Series, rules};

/// The integral-field unit.
pub const IFU: Series = Series {
    instrument: "NIRSPEC",
    exposure: "NRS_IFU",
    label: "NIRSpec IFU",
    shape: (SIZE, SIZE),
};

/// What a file belongs to, beside a detector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Of {
    /// All.
    All,
    /// A filter and grating.
    Mode(Mode),
    /// A readout.
    Pattern(ReadPattern),
    /// A filter.
    Filter(Filter),
    /// A grating.
    Grating(Grating),
}

/// Four-digit serial number of a file.
pub fn serial(detector: Option<Detector>, of: Of) -> String {
    let of = match of {
        Of::All => 0,
        Of::Mode(mode) => 1 + mode.index(),
        Of::Pattern(pattern) => 10 * pattern as usize,
        Of::Filter(filter) => 21 + filter as usize,
        Of::Grating(grating) => 31 + grating as usize,
    };
    let detector = detector.map_or(0, |d| 100 * (d as usize + 1));
    (7000 + detector + of).to_string()
}

/// A file in FITS; sets the keywords of what it belongs to.
pub fn fits(folder: &Path, kind: &str, model: &str, detector: Option<Detector>, of: Of) -> RefFile {
    let mut file = RefFile::of(&IFU, folder, kind, &serial(detector, of), model);
    if let Some(d) = detector {
        let (fast, slow) = d.axes();
        file = file
            .with(
                "DETECTOR",
                d.name(),
                "Name of detector used to acquire the data",
            )
            .with("FASTAXIS", fast, "Fast readout axis direction")
            .with("SLOWAXIS", slow, "Slow readout axis direction");
    }
    match of {
        Of::Mode(mode) => file
            .with(
                "FILTER",
                mode.filter.name(),
                "Name of the filter element used",
            )
            .with(
                "GRATING",
                mode.grating.name(),
                "Name of the grating element used",
            ),
        Of::Pattern(pattern) => file.with("READPATT", pattern.name(), "Readout pattern"),
        _ => file,
    }
}

/// Name of a file in another format.
pub fn name(kind: &str, of: Of, ending: &str) -> String {
    format!("jwst_nirspec_{kind}_{}.{ending}", serial(None, of))
}

/// Rules that choose a file for all exposures of the unit.
pub fn for_all(kind: &str, file: &str) -> Rules {
    rules(kind, &[EXP_TYPE], &[IFU.exposure], file)
}
