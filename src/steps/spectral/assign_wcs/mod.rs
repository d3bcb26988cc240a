//! # assign_wcs: attach the world coordinates
//!
//! ## What
//! Makes the WCS of an exposure of the MIRI MRS or the NIRSpec IFU, from detector pixels to the sky and wavelength, and
//! writes it into the product's tree (`meta.wcs`) as a gwcs object that Python reads.
//!
//! ## Why
//! Straylight, fringes, photometry and the building of cubes need to know to which slice, position and wavelength a pixel
//! belongs.
//!
//! ## Algorithm
//! MIRI MRS:
//! 1. Pixels get the slice of the regions file's 80 % throughput plane; each slice's polynomials give alpha and beta
//!    (distortion) and the wavelength (specwcs). With `VELOSYS` the wavelength is divided by 1 + v / c (barycentre).
//! 2. The channel's polynomials (chosen by the wavelength's range, wavelengthrange) lead to V2, V3; the differential velocity
//!    aberration (`VA_SCALE`) is applied about `V2_REF`, `V3_REF`.
//! 3. The pointing (`RA_REF`, `DEC_REF`, `ROLL_REF`) rotates V2, V3 to right ascension and declination (ICRS).
//! 4. `S_REGION` becomes the box of right ascension and declination around all pixel centres; `SPECSYS` is
//!    `BARYCENT` and `DISPAXIS` 2.
//!
//! NIRSpec IFU:
//! 1. Pixels lead through the detector's place (fpa) and the camera to a direction at the grating wheel, whose tilt is that of
//!    the disperser's file corrected by what the wheel's sensors say (`GWA_XTIL`, `GWA_YTIL`: half of the change of the angle
//!    their polynomials give since the calibration).
//! 2. For each of the 30 slices a table of 1000 directions, made at the central wavelength through slicer (ifuslicer), the slice's
//!    polynomials (ifupost, with a term linear in wavelength) and collimator, gives the position along the slice; pixels farther
//!    out than `slit_y_low`, `slit_y_high` (in units of the slice) have none. The grating equation in the order of
//!    wavelengthrange, or the refraction of the prism at the temperature `GWA_TILT`, gives the wavelength; with `VELOSYS` it is
//!    divided by 1 + v / c.
//! 3. From the slicer ifufore, fore, chromcorr and ote lead to V2, V3 and the pointing to the sky, as above.
//! 4. Bounds of each slice on the detector are those of its edges (-0.55, 0.55) over the range of wavelengths with a margin of 10
//!    columns, and of its pixels with a wavelength with 2 rows. Pixels in them with a wavelength get the slice's
//!    number, from 1, in the image `REGIONS`, by which the WCS then finds the slice.
//! 5. `S_REGION` is the box around these pixels' centres; `WAVSTART`, `WAVEND` and `SPORDER` the range (metre) and order, `DISPAXIS` 1.
//!
//! ## Parameters
//! Those of calwebb. `sip_` concern imaging. `slit_y_low`, `slit_y_high` and `nrs_ifu_slice_wcs` apply to the NIRSpec IFU; with
//! the latter the WCS takes the number of the slice (from 0) beside the pixel, and gives it beside the sky.
//!
//! ## Reference files
//! MIRI MRS: `distortion`, `specwcs`, `regions`, `wavelengthrange`. NIRSpec IFU: `camera`, `chromcorr`, `collimator`, `disperser`, `fore`,
//! `fpa`, `ifufore`, `ifupost`, `ifuslicer`, `ote`, `wavelengthrange`. The other types that calwebb asks for do not apply; they
//! are recorded, and not read.
//!
//! ## Skipped when
//! the exposure is one of MIRI's flats or darks, for which calwebb has no WCS.
//!
//! ## Differs from jwst
//! Exposure types other than `MIR_MRS` and `NRS_IFU`, missing reference files, reference files of another detector or band (filter or grating),
//! and exposures of which no pixel has a position are errors; jwst does other modes too, and checks neither the files' band nor the
//! positions. A NIRSpec exposure of a detector that its grating leaves dark is an error as there. A NIRSpec slice without a
//! pixel, with which jwst stops, is left out. The tree of the NIRSpec IFU holds the same transforms as jwst's without
//! those parts that pass on a slice's number only to drop it.
//!
//! ## References
//! jwst 3.0.0 `assign_wcs` (`miri.ifu`, `nirspec.ifu`). Patapis et al. 2024, A&A 682, A53; Argyriou et al. 2023, A&A 675, A111. Dorner
//! et al. 2016, A&A 592, A113; Lützgendorf et al. 2022, SPIE 12180, 121800Y.

mod located;
mod mrs;
pub(in crate::steps) mod nirspec;

use crate::exec::Exec;
use crate::formats::asdf::AsdfFile;
use crate::model::{Cal, Meta};
use crate::steps::step::{Info, RefPaths, Reference, Step, Target};
use crate::{Error, Result};
use located::Located;

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

/// What the reference files of an exposure's kind say.
#[derive(Debug)]
pub enum AssignWcsRefs {
    /// MIRI MRS.
    Mrs(Box<mrs::Refs>),
    /// NIRSpec IFU.
    Nirspec(Box<nirspec::Refs>),
}

/// Exposure types of MIRI for which calwebb makes no WCS.
const WITHOUT: &[&str] = &[
    "MIR_FLATMRS",
    "MIR_FLATIMAGE",
    "MIR_FLAT-MRS",
    "MIR_FLAT-IMAGE",
    "MIR_DARK",
];

impl Step for AssignWcs {
    const INFO: Info = Info {
        name: "assign_wcs",
        class: "AssignWcsStep",
        keyword: "S_WCS",
        title: "Assign World Coordinate System",
        skip: false,
        // without one of its own the exposure has no WCS: an error, not a step to be skipped
        references: &[
            Reference::optional("distortion"),
            Reference::optional("filteroffset"),
            Reference::optional("specwcs"),
            Reference::optional("regions"),
            Reference::optional("wavelengthrange"),
            Reference::optional("camera"),
            Reference::optional("chromcorr"),
            Reference::optional("collimator"),
            Reference::optional("disperser"),
            Reference::optional("fore"),
            Reference::optional("fpa"),
            Reference::optional("msa"),
            Reference::optional("ote"),
            Reference::optional("ifupost"),
            Reference::optional("ifufore"),
            Reference::optional("ifuslicer"),
        ],
    };
    const SOURCE: &'static str = include_str!("mod.rs");
    type In = Cal;
    type Out = Cal;
    type Params = AssignWcsParams;
    type Refs = AssignWcsRefs;

    fn not_applicable(input: &Cal, _: &Self::Params) -> Result<Option<String>> {
        let kind = input.meta.need_str("EXP_TYPE")?;
        if WITHOUT.contains(&kind) {
            return Ok(Some(format!("there is no WCS for EXP_TYPE {kind}")));
        }
        match kind {
            "MIR_MRS" => Ok(None),
            "NRS_IFU" => nirspec::check_light(&input.meta).map(|()| None),
            _ => Err(Error::input_file(
                &input.meta.source,
                format!("EXP_TYPE is {kind}; a WCS is made for MIR_MRS and NRS_IFU only"),
            )),
        }
    }

    fn load(paths: &RefPaths, target: &Target, _: &Self::Params) -> Result<Self::Refs> {
        match target.meta.need_str("EXP_TYPE")? {
            "NRS_IFU" => {
                nirspec::Refs::load(paths, target).map(|r| Self::Refs::Nirspec(Box::new(r)))
            }
            _ => mrs::Refs::load(paths, target).map(|r| Self::Refs::Mrs(Box::new(r))),
        }
    }

    fn run(mut input: Cal, refs: &Self::Refs, params: &Self::Params, exec: &Exec) -> Result<Cal> {
        let located = refs.locate(&mut input, params, exec, None)?;
        located.stamp(&mut input);
        Ok(input)
    }

    fn run_alike(
        inputs: Vec<Cal>,
        refs: &Self::Refs,
        params: &Self::Params,
        exec: &Exec,
    ) -> Vec<Result<Cal>> {
        let mut known: Option<Located> = None;
        let mut one = |mut input: Cal| -> Result<Cal> {
            let located = refs.locate(&mut input, params, exec, known.take())?;
            located.stamp(&mut input);
            known = Some(located);
            Ok(input)
        };
        inputs.into_iter().map(&mut one).collect()
    }
}

impl AssignWcsRefs {
    /// Where the exposure's pixels are, set in it; what is known of one before serves where that is the same.
    fn locate(
        &self,
        input: &mut Cal,
        params: &AssignWcsParams,
        exec: &Exec,
        known: Option<Located>,
    ) -> Result<Located> {
        match self {
            Self::Mrs(refs) => refs.locate(input, known),
            Self::Nirspec(refs) => refs.locate(input, params, exec, known),
        }
    }
}

/// Refuses a reference file that says it is for other than the exposure is of: keys of its `meta.instrument`, their values
/// in the exposure, and all values there are (others say nothing).
fn check_file(file: &AsdfFile, kind: &str, of: &[(&str, &str, &[&str])]) -> Result<()> {
    for (key, own, all) in of {
        let path = format!("meta.instrument.{key}");
        let said = file.tree().get(&path).and_then(|n| n.as_str());
        if let Some(said) = said
            && all.contains(&said)
            && all.contains(own)
            && said != *own
        {
            return Err(Error::reference(format!(
                "{kind} reference file {}: it is for {key} {said}, and the exposure is of {own}",
                file.path().display(),
            )));
        }
    }
    Ok(())
}

/// Opens a reference file that the exposure needs.
fn open(paths: &RefPaths, kind: &str, meta: &Meta, setting: &str) -> Result<AsdfFile> {
    let path = paths.need(kind).map_err(|e| {
        Error::reference(format!(
            "{e} applies to this exposure ({setting}); the WCS cannot be made without it"
        ))
        .with_path(&meta.source)
    })?;
    AsdfFile::open(path).map_err(|e| Error::reference(format!("{kind} reference file: {e}")))
}
