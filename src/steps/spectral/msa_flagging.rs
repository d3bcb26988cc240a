//! # msa_flagging: flag the light of shutters that do not close
//!
//! ## What
//! Flags pixels of an exposure of the NIRSpec IFU on which light falls through shutters of the micro-shutter array that are stuck open.
//!
//! ## Why
//! Such a shutter lets a spectrum of the sky through in every exposure, which lies over those of the IFU's slices.
//!
//! ## Algorithm
//! 1. A shutter is stuck where any of its states (`state`, `TA state`, `Internal state`) is `open`.
//! 2. As in assign_wcs, the instrument model leads from pixels to the position in the shutter and the wavelength, here by way of
//!    the shutter's place in its quadrant. Bounds are those of the shutter's edges (-0.5, 0.5) over the range of wavelengths with a margin of 10
//!    columns, and of the pixels with a wavelength with 2 rows.
//! 3. Pixels between the bounds that have a position in the shutter and a wavelength get `MSA_FAILED_OPEN` in `DQ`.
//!
//! ## Parameters
//! None.
//!
//! ## Reference files
//! `msaoper`: the states of shutters. Of those of assign_wcs `msa` (the shutters' places), `camera`, `chromcorr`, `collimator`, `disperser`,
//! `fore`, `fpa`, `ifufore`, `ifupost`, `ifuslicer`, `ote`, `wavelengthrange`.
//!
//! ## Skipped when
//! no `msaoper` reference applies.
//!
//! ## Differs from jwst
//! - Exposures of other modes than the NIRSpec IFU are refused.
//! - The instrument model is the one CRDS has for the exposure; jwst takes the files named in its header.
//! - Without a stuck shutter nothing is flagged; jwst stops with an exception.
//!
//! ## References
//! jwst 3.0.0 `msaflagopen`.

use std::path::Path;

use serde_json::Value;

use super::assign_wcs::nirspec;
use crate::exec::Exec;
use crate::model::{Cal, Meta, dq};
use crate::steps::step::{Info, RefPaths, Reference, Step, Target};
use crate::wcs::nirspec::{Setting, Shutter, ShutterArray};
use crate::wcs::pointing::Pointing;
use crate::{Error, Result};

crate::params! {
    /// Parameters of msa_flagging.
    pub struct MsaFlaggingParams {}
}

/// The step.
pub struct MsaFlagging;

/// The instrument model and the shutters that are stuck.
#[derive(Debug)]
pub struct Stuck {
    optics: nirspec::Refs,
    array: ShutterArray,
    open: Vec<Shutter>,
}

impl Stuck {
    /// Reads the instrument model and the states of shutters.
    ///
    /// # Errors
    /// [`Error::Reference`] where a file is missing, or not what it should be.
    pub fn load(paths: &RefPaths, target: &Target) -> Result<Self> {
        let open = read(paths.need("msaoper")?)?;
        tracing::info!("{} shutters are stuck open", open.len());
        Ok(Self {
            optics: nirspec::Refs::load(paths, target)?,
            array: nirspec::shutters(paths, target)?,
            open,
        })
    }

    /// The instrument model.
    pub fn optics(&self) -> &nirspec::Refs {
        &self.optics
    }

    /// The pixels, `y * 2048 + x`, on which light of these shutters falls in an exposure.
    ///
    /// # Errors
    /// As [`ShutterArray::pixels`], or where keywords of the exposure are missing.
    pub fn pixels(&self, meta: &Meta, exec: &Exec) -> Result<Vec<u32>> {
        let setting = Setting::from_meta(meta)?;
        let pointing = Pointing::from_meta(meta)?;
        let pixels = exec.try_map(self.open.clone(), |shutter| {
            self.array
                .pixels(self.optics.model(), &setting, &pointing, shutter)
        });
        Ok(pixels.map_err(|e| e.with_path(&meta.source))?.concat())
    }
}

/// Keys of a shutter's states.
const STATES: [&str; 3] = ["Internal state", "TA state", "state"];

impl Step for MsaFlagging {
    const INFO: Info = Info {
        name: "msa_flagging",
        class: "MSAFlagOpenStep",
        keyword: "S_MSAFLG",
        title: "NIRSpec MSA Stuck Shutter Flagging",
        skip: false,
        references: &[
            Reference {
                kind: "msaoper",
                required: true,
            },
            Reference::optional("camera"),
            Reference::optional("chromcorr"),
            Reference::optional("collimator"),
            Reference::optional("disperser"),
            Reference::optional("fore"),
            Reference::optional("fpa"),
            Reference::optional("ifufore"),
            Reference::optional("ifupost"),
            Reference::optional("ifuslicer"),
            Reference::optional("msa"),
            Reference::optional("ote"),
            Reference::optional("wavelengthrange"),
        ],
    };
    const SOURCE: &'static str = include_str!("msa_flagging.rs");
    type In = Cal;
    type Out = Cal;
    type Params = MsaFlaggingParams;
    type Refs = Stuck;

    fn not_applicable(input: &Cal, _: &Self::Params) -> Result<Option<String>> {
        match input.meta.need_str("EXP_TYPE")? {
            "NRS_IFU" => Ok(None),
            other => Err(Error::input_file(
                &input.meta.source,
                format!(
                    "msa_flagging works on exposures of the NIRSpec IFU only (EXP_TYPE = {other})"
                ),
            )),
        }
    }

    fn load(paths: &RefPaths, target: &Target, _: &Self::Params) -> Result<Stuck> {
        Stuck::load(paths, target)
    }

    fn run(mut input: Cal, refs: &Stuck, _: &Self::Params, exec: &Exec) -> Result<Cal> {
        if (input.ny, input.nx) != (2048, 2048) {
            return Err(Error::input_file(
                &input.meta.source,
                format!(
                    "the exposure has {} x {} pixels; those of the NIRSpec IFU have 2048 x 2048",
                    input.ny, input.nx
                ),
            ));
        }
        let pixels = refs.pixels(&input.meta, exec)?;
        for pixel in pixels {
            if let Some(flags) = input.dq.get_mut(pixel as usize) {
                *flags |= dq::MSA_FAILED_OPEN;
            }
        }
        Ok(input)
    }
}

/// The shutters that are stuck open by a `msaoper` reference file.
fn read(path: &Path) -> Result<Vec<Shutter>> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
    stuck(&text).map_err(|what| {
        Error::reference(format!("MSAOPER reference file {}: {what}", path.display()))
    })
}

/// The shutters that are stuck open by the text of such a file.
fn stuck(text: &str) -> std::result::Result<Vec<Shutter>, String> {
    let all: Value = serde_json::from_str(text).map_err(|e| format!("is not JSON: {e}"))?;
    let list = all.get("msaoper").and_then(Value::as_array);
    let list = list.ok_or("has no list 'msaoper'")?;
    let mut open = Vec::new();
    for (i, shutter) in list.iter().enumerate() {
        let mut is_open = false;
        for key in STATES {
            let state = shutter.get(key);
            let state = state.ok_or_else(|| format!("has no '{key}' in its entry {i}"))?;
            is_open |= state.as_str() == Some("open");
        }
        if is_open {
            let number = |key: &str| {
                let number = shutter.get(key).and_then(Value::as_f64);
                number
                    .filter(|n| (1.0..1e6).contains(n) && n.fract() == 0.0)
                    .map(|n| n as usize)
                    .ok_or_else(|| format!("has no number from 1 as '{key}' in its entry {i}"))
            };
            open.push(Shutter {
                quadrant: number("Q")?,
                column: number("x")?,
                row: number("y")?,
            });
        }
    }
    Ok(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(q: u8, x: u16, states: [&str; 3]) -> String {
        let [a, b, c] = states;
        format!(
            r#"{{"Q": {q}, "x": {x}, "y": 7, "state": "{a}", "TA state": "{b}", "Internal state": "{c}"}}"#
        )
    }

    #[test]
    fn any_state_counts() {
        let entries = [
            entry(1, 1, ["open", "N/A", "normal"]),
            entry(2, 2, ["closed", "open", "normal"]),
            entry(3, 3, ["closed", "N/A", "normal"]),
            entry(4, 4, ["N/A", "N/A", "open"]),
        ];
        let open = stuck(&format!(r#"{{"msaoper": [{}]}}"#, entries.join(","))).unwrap();
        let expected = [(1, 1), (2, 2), (4, 4)].map(|(quadrant, column)| Shutter {
            quadrant,
            column,
            row: 7,
        });
        assert_eq!(open, expected);
    }

    #[test]
    fn what_is_missing_is_named() {
        let said = |text: &str| stuck(text).unwrap_err();
        assert!(said("[").contains("JSON") && said("{}").contains("msaoper"));
        let incomplete = r#"{"msaoper": [{"Q": 1, "x": 2, "y": 3, "state": "open"}]}"#;
        assert!(said(incomplete).contains("Internal state"));
        let none = entry(1, 1, ["open", "", ""]).replace("\"x\": 1", "\"x\": -1");
        assert!(said(&format!(r#"{{"msaoper": [{none}]}}"#)).contains("'x'"));
    }
}
