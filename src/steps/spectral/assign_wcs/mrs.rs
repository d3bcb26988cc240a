//! Exposures of the MIRI MRS.

use std::sync::Arc;

use super::located::{Key, Located};
use super::{check_file, open};
use crate::formats::asdf::AsdfFile;
use crate::model::{Cal, Meta};
use crate::steps::step::{RefPaths, Target};
use crate::wcs::footprint::Footprint;
use crate::wcs::mrs::MrsReferences;
use crate::wcs::pointing::Pointing;
use crate::wcs::{Mrs, map_of};
use crate::{Error, Result};

/// The bands a file or exposure can be of where both dichroics agree.
const BANDS: &[&str] = &["SHORT", "MEDIUM", "LONG"];

/// The detectors.
const DETECTORS: &[&str] = &["MIRIFUSHORT", "MIRIFULONG"];

/// What the reference files say, and the setting of the exposure for which they were chosen.
#[derive(Debug)]
pub struct Refs {
    references: MrsReferences,
    setting: Setting,
}

/// What the reference files depend on: detector, band, channels.
type Setting = [String; 3];

fn setting(meta: &Meta) -> Result<Setting> {
    Ok([
        meta.need_str("DETECTOR")?.into(),
        meta.need_str("BAND")?.into(),
        meta.need_str("CHANNEL")?.into(),
    ])
}

impl Refs {
    pub(super) fn load(paths: &RefPaths, target: &Target) -> Result<Self> {
        let setting = setting(&target.meta)?;
        let [detector, band, channels] = &setting;
        let file = |kind: &str| -> Result<AsdfFile> {
            let file = open(paths, kind, &target.meta, &setting.join(", "))?;
            let of = [
                ("detector", detector.as_str(), DETECTORS),
                ("band", band, BANDS),
            ];
            check_file(&file, kind, &of)?;
            Ok(file)
        };
        let references = MrsReferences::read(
            &file("distortion")?,
            &file("specwcs")?,
            &file("regions")?,
            &file("wavelengthrange")?,
            channels,
            band,
        )
        .map_err(|e| e.with_path(&target.meta.source))?;
        Ok(Self {
            references,
            setting,
        })
    }

    /// Refuses an exposure of another detector, band or channels than those of the references.
    fn check(&self, input: &Cal) -> Result<()> {
        let own = setting(&input.meta)?;
        if own == self.setting {
            return Ok(());
        }
        Err(Error::input_file(
            &input.meta.source,
            format!(
                "the exposure is of {}, the reference files are those of {}; give exposures of one detector and band",
                own.join(", "),
                self.setting.join(", ")
            ),
        ))
    }

    /// Where the exposure's pixels are, set in it.
    pub(super) fn locate(&self, input: &mut Cal, known: Option<Located>) -> Result<Located> {
        self.check(input)?;
        let key = Key {
            pointing: Pointing::from_meta(&input.meta)?,
            shape: (input.ny, input.nx),
            setting: None,
        };
        if let Some(known) = known.filter(|k| k.key == key) {
            known.place(input);
            return Ok(known);
        }
        let mrs = Mrs::of_references(&input.meta, key.shape, self.references.clone())?;
        input.set_wcs(mrs.gwcs().to_node()?);
        drop(mrs);
        let map = map_of(input)?;
        let footprint = Footprint::of(&map.ra, &map.dec, &map.lambda).ok_or_else(|| {
            Error::input_file(
                &input.meta.source,
                "no pixel of the exposure has a position: its pixels lie outside the slices of the regions file, or their \
                 wavelengths outside the ranges of the wavelengthrange file; check these reference files",
            )
            .into_science()
        })?;
        Ok(Located {
            key,
            wcs: Arc::clone(input.need_wcs()?),
            map,
            footprint,
            nirspec: None,
        })
    }
}
