//! # photom: count rates to surface brightness
//!
//! ## What
//! Multiplies an image of the MIRI MRS or the NIRSpec IFU (DN/s) by the conversion to MJy/sr, and corrects MIRI's for the loss of
//! sensitivity since launch.
//!
//! ## Why
//! MIRI's conversion is known pixel by pixel; its long-wavelength channels have lost up to half their throughput. NIRSpec's is
//! known by wavelength, and its slices differ in the area on the sky of a pixel.
//!
//! ## Algorithm
//! MIRI MRS:
//! 1. `SCI` and `ERR` are multiplied by the reference, the variances by its square (single precision). The
//!    reference's flags are set in `DQ`; where it is NaN also `DO_NOT_USE`.
//! 2. Where the reference has the tables of all channels: the remaining sensitivity c at the exposure's middle
//!    (`EXPMID`) is, in each wavelength bin, a power law normalised a year after its start, at most 1, and
//!    between bins (and beyond) linear. Columns 1 to 512 take the left channel's table, columns 513
//!    to 1031 the right one's; between slices, and in column 1032, c is 1. `SCI` and `ERR` are divided
//!    by c, the variances multiplied by 1/c^2 (double precision).
//! 3. `PHOTMJSR` (the reference's), `PHOTUJA2` (the same in uJy/arcsec^2), `PIXAR_SR` and `PIXAR_A2` are
//!    recorded in the `SCI` header; `BUNIT` becomes MJy/sr.
//! 4. Every pixel with NaN or `DO_NOT_USE` gets both.
//!
//! With `inverse` step 1 divides and `BUNIT` becomes DN/s; step 2 is done as it is, as in jwst.
//!
//! NIRSpec IFU:
//! 1. Each pixel with a wavelength takes the relative response at it (rounded to single precision), linear in the table, the
//!    ends' beyond, times the row's factor (MJy per DN/s), over the area of a pixel of its slice (double precision). As in jwst, a pixel
//!    between the bounds of several slices takes the area of the last of them, whichever it belongs to; but its own slice's where the
//!    WCS takes the number of the slice (`nrs_ifu_slice_wcs`).
//! 2. `SCI` and `ERR` are multiplied by that, the variances by its square; with `inverse` divided. Pixels without a wavelength stay as
//!    they are and are flagged `NON_SCIENCE`.
//! 3. `PIXAR_A2` is the mean area of the slices, `PIXAR_SR` the same in steradian, `PHOTMJSR` the row's factor over it; `BUNIT` becomes
//!    MJy/sr (for point sources too), and NaN and `DO_NOT_USE` are matched.
//!
//! ## Parameters
//! `inverse`, `source_type` (which changes nothing for IFUs), `apply_time_correction` (MIRI).
//!
//! ## Reference files
//! MIRI: `photom`: `SCI`, `DQ`, `TIMECOEFF_POWERLAW_CH1` to `CH4`; `ERR` and `PIXSIZ` are not used. `area`, where
//! one applies (none does to the MRS): its image becomes the extension `AREA`, and its `PIXAR_SR`
//! and `PIXAR_A2` take the place of the photom reference's. NIRSpec: `photom`: the row of `PHOTOM` with the exposure's filter and
//! grating (`photmj`, `nelem`, `wavelength`, `relresponse`); `area`: `slice_id` and `pixarea` (arcsec^2) of `AREA`.
//!
//! ## Skipped when
//! no `photom` reference applies.
//!
//! ## Differs from jwst
//! - Exposures of other instruments and modes are refused.
//! - A NIRSpec filter and grating that the photom reference lacks, and a missing area reference, are errors; jwst leaves the image in
//!   DN/s and calls it complete, or stops with an exception.
//! - A subarray takes its part of the reference; jwst stops with an exception.
//! - Where the power law has no value (an exposure before its start), c is 1 as in jwst, and a warning says so.
//! - Powers are taken by the C library, as by numpy on processors without AVX-512. With AVX-512 numpy uses
//!   vector code that rounds some of them otherwise, so that jwst's own result depends on the machine by up to
//!   2e-7 of its value.
//!
//! ## References
//! jwst 3.0.0 `photom`; Law et al. 2025, AJ 169, 67.

mod nirspec;
mod time_dependence;

use std::sync::Arc;

use time_dependence::PowerLaw;

use crate::exec::Exec;
use crate::formats::asdf::Node;
use crate::formats::fits::{Card, Data, Hdu, Header, Image};
use crate::model::reference::{RefFits, Window};
use crate::model::{Cal, Meta, dq};
use crate::steps::step::{Info, RefPaths, Reference, Step, Target};
use crate::{Error, Result};

crate::params! {
    /// Parameters of photom.
    pub struct PhotomParams {
        /// Undoes the conversion: divides.
        inverse: bool = false,
        /// Type of the source, POINT or EXTENDED; not used for IFU images.
        source_type: Option<String> = None,
        /// Corrects for the loss of sensitivity with time, where the reference knows it.
        apply_time_correction: bool = true,
    }
}

/// The step.
pub struct Photom;

/// MJy/sr in uJy/arcsec^2.
const MJSR_TO_UJA2: f64 = 23.50443053909789;
/// First column of the right channel, and the one behind its last.
const RIGHT: (usize, usize) = (512, 1031);

/// Reference data of an exposure.
#[derive(Debug)]
pub enum Conversion {
    /// MIRI MRS: pixel by pixel.
    Mrs(Box<Pixels>),
    /// NIRSpec IFU: by wavelength.
    Nirspec(nirspec::Response),
}

/// What is recorded in the header.
struct Recorded {
    /// MJy/sr and uJy/arcsec^2 of one DN/s.
    mjsr: f64,
    uja2: f64,
    /// Area of a pixel in steradian and in arcsec^2.
    pixel: (Option<f64>, Option<f64>),
}

/// The conversion of each pixel.
#[derive(Debug)]
pub struct Pixels {
    factor: Vec<f32>,
    flags: Vec<u32>,
    /// MJy/sr of one DN/s on average (`PHOTMJSR`).
    scalar: f64,
    /// Area of a pixel in steradian and in arcsec^2.
    pixel: (Option<f64>, Option<f64>),
    /// Tables of the left and the right channel.
    loss: Option<[PowerLaw; 2]>,
    /// Columns of the detector before the image's first.
    column: usize,
    area: Option<Vec<f32>>,
    name: String,
}

impl Step for Photom {
    const INFO: Info = Info {
        name: "photom",
        class: "PhotomStep",
        keyword: "S_PHOTOM",
        title: "Photometric Calibration",
        skip: false,
        references: &[
            Reference {
                kind: "photom",
                required: true,
            },
            Reference {
                kind: "area",
                required: false,
            },
        ],
    };
    const SOURCE: &'static str = include_str!("mod.rs");
    type In = Cal;
    type Out = Cal;
    type Params = PhotomParams;
    type Refs = Conversion;

    fn not_applicable(input: &Cal, _: &Self::Params) -> Result<Option<String>> {
        let kind = input.meta.str("EXP_TYPE").unwrap_or_default();
        match input.meta.need_str("DETECTOR")? {
            "MIRIFUSHORT" | "MIRIFULONG" => Ok(None),
            "NRS1" | "NRS2" if kind == "NRS_IFU" => Ok(None),
            other => Err(Error::input_file(
                &input.meta.source,
                format!(
                    "photom works on exposures of the MIRI MRS and the NIRSpec IFU only (DETECTOR = {other}, EXP_TYPE = {kind})"
                ),
            )),
        }
    }

    fn load(paths: &RefPaths, target: &Target, params: &Self::Params) -> Result<Conversion> {
        if target.meta.str("EXP_TYPE") == Some("NRS_IFU") {
            return nirspec::Response::load(paths, target).map(Conversion::Nirspec);
        }
        let window = Window::of_exposure(&target.meta, target.shape.ny, target.shape.nx)?;
        let file = RefFits::open("photom", paths.need("photom")?)?;
        let factor = file.image("SCI", window)?;
        let mut flags = file.dq(window, [0])?;
        for (flag, factor) in flags.iter_mut().zip(&factor) {
            *flag |= dq::DO_NOT_USE * u32::from(factor.is_nan());
        }
        let scalar = file.header().f64("PHOTMJSR");
        let scalar = scalar.ok_or_else(|| file.error("has no number in keyword PHOTMJSR"))?;
        let detector = target.meta.need_str("DETECTOR")?;
        let loss = match params.apply_time_correction {
            true => time_dependence::tables(&file, detector)?,
            false => None,
        };
        let (area, areas) = match paths.get("area") {
            None => (None, pixel_area(&file)),
            Some(path) => {
                let map = RefFits::open("area", path)?;
                (Some(map.image("SCI", window)?), pixel_area(&map))
            }
        };
        Ok(Conversion::Mrs(Box::new(Pixels {
            factor,
            flags,
            scalar,
            pixel: areas,
            loss,
            column: window.x,
            area,
            name: file.path().display().to_string(),
        })))
    }

    fn run(mut input: Cal, refs: &Conversion, params: &Self::Params, exec: &Exec) -> Result<Cal> {
        match refs {
            Conversion::Mrs(pixels) => calibrated(input, pixels, params, &mut None),
            Conversion::Nirspec(response) => {
                response.convert(&mut input, params.inverse, exec)?;
                Ok(input)
            }
        }
    }

    fn run_alike(
        inputs: Vec<Cal>,
        refs: &Conversion,
        params: &Self::Params,
        exec: &Exec,
    ) -> Vec<Result<Cal>> {
        let mut known = None;
        let one = |input| match refs {
            Conversion::Mrs(pixels) => calibrated(input, pixels, params, &mut known),
            Conversion::Nirspec(_) => Self::run(input, refs, params, exec),
        };
        inputs.into_iter().map(one).collect()
    }
}

/// What is left of the sensitivity in each pixel at a time (MJD), by a WCS.
struct Left {
    wcs: Option<Arc<Node>>,
    time: f64,
    columns: usize,
    values: Vec<f64>,
}

impl Left {
    fn is_of(&self, image: &Cal) -> bool {
        let same = |(a, b)| Arc::ptr_eq(a, b);
        self.wcs.as_ref().zip(image.wcs.as_ref()).is_some_and(same)
            && image.meta.f64("EXPMID") == Some(self.time)
            && (image.nx, image.sci.len()) == (self.columns, self.values.len())
    }
}

/// Converts an image. What is left of the sensitivity is taken from `known` where it is of the same time and WCS, and put
/// there.
fn calibrated(
    mut input: Cal,
    refs: &Pixels,
    params: &PhotomParams,
    known: &mut Option<Left>,
) -> Result<Cal> {
    convert(&mut input, refs, params.inverse);
    match &refs.loss {
        Some(loss) => {
            let left = match known.take().filter(|k| k.is_of(&input)) {
                Some(left) => left,
                None => Left {
                    time: input.meta.need_f64("EXPMID")?,
                    values: remaining(&input, loss, refs)?,
                    wcs: input.wcs.clone(),
                    columns: input.nx,
                },
            };
            correct_loss(&mut input, &left.values);
            *known = Some(left);
        }
        None => tracing::debug!("photom: no correction for the loss of sensitivity"),
    }
    let unit = if params.inverse { "DN/s" } else { "MJy/sr" };
    let recorded = Recorded {
        mjsr: refs.scalar,
        uja2: refs.scalar * MJSR_TO_UJA2,
        pixel: refs.pixel,
    };
    record(&mut input.meta, &recorded, unit);
    if let Some(area) = &refs.area {
        let (ny, nx) = (input.ny, input.nx);
        input
            .extra
            .retain(|h| h.header.str("EXTNAME") != Some("AREA"));
        input.extra.push(area_hdu(area, ny, nx));
    }
    input.match_nans_and_flags();
    Ok(input)
}

/// `PIXAR_SR` and `PIXAR_A2`.
fn pixel_area(file: &RefFits) -> (Option<f64>, Option<f64>) {
    let number = |keyword: &str| {
        let value = file.header().f64(keyword);
        if value.is_none() {
            tracing::warn!("{}: keyword {keyword} is missing", file.path().display());
        }
        value
    };
    (number("PIXAR_SR"), number("PIXAR_A2"))
}

/// Multiplies (or divides) by the conversion and sets its flags.
fn convert(image: &mut Cal, refs: &Pixels, inverse: bool) {
    let apply = |value: &mut f32, factor: f32| {
        if inverse {
            *value /= factor;
        } else {
            *value *= factor;
        }
    };
    for values in [&mut image.sci, &mut image.err] {
        let pairs = values.iter_mut().zip(&refs.factor);
        pairs.for_each(|(v, f)| apply(v, *f));
    }
    let variances = [&mut image.var_poisson, &mut image.var_rnoise];
    for values in variances.into_iter().chain(image.var_flat.as_mut()) {
        let pairs = values.iter_mut().zip(&refs.factor);
        pairs.for_each(|(v, f)| apply(v, f * f));
    }
    for (flag, own) in image.dq.iter_mut().zip(&refs.flags) {
        *flag |= own;
    }
}

/// What is left of the sensitivity in each pixel; 1 where nothing is known.
fn remaining(image: &Cal, loss: &[PowerLaw; 2], refs: &Pixels) -> Result<Vec<f64>> {
    let time = image.meta.need_f64("EXPMID")?;
    let map = crate::wcs::map_of(image)?;
    let [left, right] = loss.each_ref().map(|table| table.at(time));
    if !(left.is_known() && right.is_known()) {
        tracing::warn!(
            "photom: {} has no correction for the loss of sensitivity at MJD {time} (EXPMID) at some wavelengths; these are left without",
            refs.name
        );
    }
    let value = |i: usize| {
        let wavelength = map.world_lambda(i);
        let column = refs.column + i % image.nx;
        let c = match column {
            c if c < RIGHT.0 => left.at_wavelength(wavelength),
            c if c < RIGHT.1 => right.at_wavelength(wavelength),
            _ => 1.0,
        };
        if wavelength == 0.0 || c == 0.0 || c.is_nan() {
            1.0
        } else {
            c
        }
    };
    Ok((0..map.lambda.len()).map(value).collect())
}

/// Divides by the remaining sensitivity.
fn correct_loss(image: &mut Cal, remaining: &[f64]) {
    for values in [&mut image.sci, &mut image.err] {
        for (value, c) in values.iter_mut().zip(remaining) {
            *value = (f64::from(*value) / c) as f32;
        }
    }
    let variances = [&mut image.var_poisson, &mut image.var_rnoise];
    for values in variances.into_iter().chain(image.var_flat.as_mut()) {
        for (value, c) in values.iter_mut().zip(remaining) {
            *value = (f64::from(*value) * (1.0 / (c * c))) as f32;
        }
    }
}

/// Sets the unit and the block of photometry keywords behind it.
fn record(meta: &mut Meta, what: &Recorded, unit: &str) {
    let comment = "physical units of the array values";
    meta.sci.set("BUNIT", unit, comment);
    let values = [
        (
            "PHOTMJSR",
            Some(what.mjsr),
            "Flux density (MJy/steradian) producing 1 cps",
        ),
        (
            "PHOTUJA2",
            Some(what.uja2),
            "Flux density (uJy/arcsec2) producing 1 cps",
        ),
        ("PIXAR_SR", what.pixel.0, "Nominal pixel area in steradians"),
        ("PIXAR_A2", what.pixel.1, "Nominal pixel area in arcsec^2"),
    ];
    let there = values.iter().any(|(k, ..)| meta.sci.card(k).is_some());
    if !there {
        let mut header = Header::new();
        for card in meta.sci.cards() {
            header.push(card.clone());
            if card.keyword == "BUNIT" {
                for text in ["", "Photometry information", ""] {
                    header.push(Card::commentary("", text));
                }
                for (keyword, value, comment) in values {
                    if let Some(value) = value {
                        header.push(Card::new(keyword, value, comment));
                    }
                }
            }
        }
        meta.sci = header;
        return;
    }
    for (keyword, value, comment) in values {
        match value {
            Some(value) => meta.sci.set(keyword, value, comment),
            None => meta.sci.remove(keyword),
        }
    }
}

/// The `AREA` extension.
fn area_hdu(area: &[f32], ny: usize, nx: usize) -> Hdu {
    let mut header = Header::new();
    header.set("EXTNAME", "AREA", "extension name");
    header.set("EXTVER", 1i64, "extension value");
    Hdu {
        header,
        data: Data::Image(Image::new(&[ny, nx], area.to_vec())),
    }
}
