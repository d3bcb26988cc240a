//! # assign_wcs: attach the world coordinates
//!
//! ## What
//! Makes the WCS of an exposure of the MIRI MRS, from detector pixels to the sky and wavelength, and writes it into the
//! product's tree (`meta.wcs`) as a gwcs object that Python reads.
//!
//! ## Why
//! Straylight, fringes, photometry and the building of cubes need to know to which slice, position and wavelength a pixel
//! belongs.
//!
//! ## Algorithm
//! 1. Pixels get the slice of the regions file's 80 % throughput plane; each slice's polynomials give alpha and beta
//!    (distortion) and the wavelength (specwcs). With `VELOSYS` the wavelength is divided by 1 + v / c (barycentre).
//! 2. The channel's polynomials (chosen by the wavelength's range, wavelengthrange) lead to V2, V3; the differential velocity
//!    aberration (`VA_SCALE`) is applied about `V2_REF`, `V3_REF`.
//! 3. The pointing (`RA_REF`, `DEC_REF`, `ROLL_REF`) rotates V2, V3 to right ascension and declination (ICRS).
//! 4. `S_REGION` becomes the box of right ascension and declination around all pixel centres; `SPECSYS` is
//!    `BARYCENT` and `DISPAXIS` 2.
//!
//! ## Parameters
//! Those of calwebb. None of them applies to the MRS: they concern imaging (`sip_`), NIRSpec slits and its IFU.
//!
//! ## Reference files
//! `distortion`, `specwcs`, `regions`, `wavelengthrange`. The other types that calwebb asks for do not apply to the MRS and
//! are recorded as `N/A`.
//!
//! ## Skipped when
//! the exposure is one of MIRI's flats or darks, for which calwebb has no WCS.
//!
//! ## Differs from jwst
//! Exposure types other than `MIR_MRS`, missing reference files, reference files of another detector or band, and exposures of
//! which no pixel has a position are errors; jwst does other modes too, and checks neither the files' band nor the positions.
//! Right ascension and declination can differ from Python's in the last bit (1e-14 deg), as trigonometric functions do.
//!
//! ## References
//! jwst 3.0.0 `assign_wcs` (`miri.ifu`). Patapis et al. 2024, A&A 682, A53; Argyriou et al. 2023, A&A 675, A111.

use std::sync::{Arc, OnceLock};

use crate::exec::Exec;
use crate::formats::asdf::{AsdfFile, Node};
use crate::model::{Cal, DetectorMap, Meta};
use crate::steps::step::{Info, RefPaths, Reference, Step, Target};
use crate::wcs::footprint::Footprint;
use crate::wcs::mrs::MrsReferences;
use crate::wcs::pointing::Pointing;
use crate::wcs::{Mrs, map_of};
use crate::{Error, Result};

crate::params! {
    /// Parameters of assign_wcs.
    pub struct AssignWcsParams {
        /// Fit a SIP approximation (imaging only).
        sip_approx: bool = true,
        /// Largest error of the SIP fit in pixels (imaging only).
        sip_max_pix_error: f64 = 0.01,
        /// Degree of the SIP fit, at most 6; unset for the best one (imaging only).
        sip_degree: Option<u8> = None,
        /// Largest error of the inverse SIP fit in pixels (imaging only).
        sip_max_inv_pix_error: f64 = 0.01,
        /// Degree of the inverse SIP fit, at most 6; unset for the best one (imaging only).
        sip_inv_degree: Option<u8> = None,
        /// Number of points of the SIP fit (imaging only).
        sip_npoints: u32 = 12,
        /// Lower edge of a slit (NIRSpec only).
        slit_y_low: f64 = -0.55,
        /// Upper edge of a slit (NIRSpec only).
        slit_y_high: f64 = 0.55,
        /// Make a WCS for each slice (NIRSpec IFU only).
        nrs_ifu_slice_wcs: bool = false,
    }
}

/// The step.
pub struct AssignWcs;

/// What the reference files say, and the setting of the exposure for which they were chosen.
#[derive(Debug)]
pub struct AssignWcsRefs {
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

const fn reference(kind: &'static str) -> Reference {
    // without one of its own the exposure has no WCS: an error, not a step to be skipped
    Reference {
        kind,
        required: false,
    }
}

/// Exposure types of MIRI for which calwebb makes no WCS.
const WITHOUT: &[&str] = &[
    "MIR_FLATMRS",
    "MIR_FLATIMAGE",
    "MIR_FLAT-MRS",
    "MIR_FLAT-IMAGE",
    "MIR_DARK",
];

/// The bands a file or exposure can be of where both dichroics agree.
const BANDS: &[&str] = &["SHORT", "MEDIUM", "LONG"];

impl Step for AssignWcs {
    const INFO: Info = Info {
        name: "assign_wcs",
        class: "AssignWcsStep",
        keyword: "S_WCS",
        title: "Assign World Coordinate System",
        skip: false,
        references: &[
            reference("distortion"),
            reference("filteroffset"),
            reference("specwcs"),
            reference("regions"),
            reference("wavelengthrange"),
            reference("camera"),
            reference("chromcorr"),
            reference("collimator"),
            reference("disperser"),
            reference("fore"),
            reference("fpa"),
            reference("msa"),
            reference("ote"),
            reference("ifupost"),
            reference("ifufore"),
            reference("ifuslicer"),
        ],
    };
    const SOURCE: &'static str = include_str!("assign_wcs.rs");
    type In = Cal;
    type Out = Cal;
    type Params = AssignWcsParams;
    type Refs = AssignWcsRefs;

    fn not_applicable(input: &Cal, _: &Self::Params) -> Result<Option<String>> {
        let kind = input.meta.need_str("EXP_TYPE")?;
        if WITHOUT.contains(&kind) {
            return Ok(Some(format!("there is no WCS for EXP_TYPE {kind}")));
        }
        if kind != "MIR_MRS" {
            return Err(Error::input_file(
                &input.meta.source,
                format!("EXP_TYPE is {kind}; a WCS is made for MIR_MRS only"),
            ));
        }
        Ok(None)
    }

    fn load(paths: &RefPaths, target: &Target, _: &Self::Params) -> Result<Self::Refs> {
        let setting = setting(&target.meta)?;
        let open = |kind: &str| {
            let path = paths.need(kind).map_err(|e| {
                Error::reference(format!(
                    "{e} applies to this exposure ({}); the WCS cannot be made without it",
                    setting.join(", ")
                ))
            })?;
            let file = AsdfFile::open(path)
                .map_err(|e| Error::reference(format!("{kind} reference file: {e}")))?;
            fits(&file, kind, &setting)?;
            Ok(file)
        };
        let [_, band, channels] = &setting;
        let references = MrsReferences::read(
            &open("distortion")?,
            &open("specwcs")?,
            &open("regions")?,
            &open("wavelengthrange")?,
            channels,
            band,
        )
        .map_err(|e| e.with_path(&target.meta.source))?;
        Ok(AssignWcsRefs {
            references,
            setting,
        })
    }

    fn run(mut input: Cal, refs: &Self::Refs, _: &Self::Params, _: &Exec) -> Result<Cal> {
        check(&input, refs)?;
        let located = Located::of(&mut input, refs)?;
        located.stamp(&mut input);
        Ok(input)
    }

    fn run_alike(
        inputs: Vec<Cal>,
        refs: &Self::Refs,
        _: &Self::Params,
        _: &Exec,
    ) -> Vec<Result<Cal>> {
        let mut known: Option<Located> = None;
        let mut one = |mut input: Cal| -> Result<Cal> {
            check(&input, refs)?;
            let located = match known.take().filter(|l| l.fits(&input)) {
                Some(located) => {
                    located.place(&mut input);
                    located
                }
                None => Located::of(&mut input, refs)?,
            };
            located.stamp(&mut input);
            known = Some(located);
            Ok(input)
        };
        inputs.into_iter().map(&mut one).collect()
    }
}

/// Refuses an exposure of another detector, band or channels than those of the references.
fn check(input: &Cal, refs: &AssignWcsRefs) -> Result<()> {
    let own = setting(&input.meta)?;
    if own == refs.setting {
        return Ok(());
    }
    Err(Error::input_file(
        &input.meta.source,
        format!(
            "the exposure is of {}, the reference files are those of {}; give exposures of one detector and band",
            own.join(", "),
            refs.setting.join(", ")
        ),
    ))
}

/// Where an exposure's pixels are, and what that depends on besides the references.
struct Located {
    pointing: Pointing,
    shape: (usize, usize),
    wcs: Arc<Node>,
    map: Arc<DetectorMap>,
    footprint: Footprint,
}

impl Located {
    /// Works it out and sets it.
    fn of(input: &mut Cal, refs: &AssignWcsRefs) -> Result<Self> {
        let shape = (input.ny, input.nx);
        let mrs = Mrs::of_references(&input.meta, shape, refs.references.clone())?;
        let pointing = *mrs.pointing();
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
        Ok(Self {
            pointing,
            shape,
            wcs: Arc::clone(input.need_wcs()?),
            map,
            footprint,
        })
    }

    /// Whether it is that of another exposure too.
    fn fits(&self, input: &Cal) -> bool {
        self.shape == (input.ny, input.nx)
            && Pointing::from_meta(&input.meta).is_ok_and(|p| p == self.pointing)
    }

    fn place(&self, input: &mut Cal) {
        input.wcs = Some(Arc::clone(&self.wcs));
        input.map = OnceLock::from(Arc::clone(&self.map));
    }

    /// The keywords.
    fn stamp(&self, input: &mut Cal) {
        input.spectral_region = Some(self.footprint.lambda.into());
        let sci = &mut input.meta.sci;
        sci.set(
            "S_REGION",
            self.footprint.s_region().as_str(),
            "Spatial footprint of the observation",
        );
        sci.set_after("S_REGION", "DISPAXIS", 2i64, "Dispersion direction");
        let before = match sci.card("VELOSYS") {
            Some(_) => "VELOSYS",
            None => "DISPAXIS",
        };
        sci.set_after(before, "SPECSYS", "BARYCENT", "Spectral reference frame");
    }
}

/// Refuses a reference file that says it is of another detector or band.
fn fits(file: &AsdfFile, kind: &str, [detector, band, _]: &Setting) -> Result<()> {
    let says = |key: &str| {
        let path = format!("meta.instrument.{key}");
        file.tree().get(&path).and_then(|n| n.as_str())
    };
    let other = |said: Option<&str>, own: &str, all: &[&str]| {
        said.is_some_and(|s| all.contains(&s) && all.contains(&own) && s != own)
    };
    let detectors = ["MIRIFUSHORT", "MIRIFULONG"];
    if other(says("detector"), detector, &detectors) || other(says("band"), band, BANDS) {
        return Err(Error::reference(format!(
            "{kind} reference file {}: it is for {}, {}, and the exposure is of {detector}, {band}",
            file.path().display(),
            says("detector").unwrap_or("any detector"),
            says("band").unwrap_or("any band"),
        )));
    }
    Ok(())
}
