//! # flat_field: divide by the flat field
//!
//! ## What
//! Divides an image of the MIRI MRS or the NIRSpec IFU by the pixels' relative response; NIRSpec's also by the response of all
//! optics, which leads to a unit of flux.
//!
//! ## Why
//! Pixels differ in sensitivity, and NIRSpec's optics with wavelength.
//!
//! ## Algorithm
//! MIRI:
//! 1. Pixels of the flat that are NaN or 0 are flagged `DO_NOT_USE` and `NO_FLAT_FIELD`; those flagged
//!    `NO_FLAT_FIELD` also `DO_NOT_USE`. A flat flagged `DO_NOT_USE` counts as 1.
//! 2. `SCI` is divided by the flat; `VAR_FLAT` = SCI^2 / flat^2 * (error of the flat)^2, with the new `SCI`.
//! 3. The other variances are divided by the flat's square; `ERR` is the root of the sum of all three.
//! 4. The flat's flags are set in `DQ`; then every pixel with NaN or `DO_NOT_USE` gets both.
//!
//! NIRSpec, first the flat, slice by slice, in double precision:
//! 1. Each pixel between the bounds of a slice has the wavelength of the WCS. Its width in wavelength is the way to the next pixel of
//!    the row (for the last one from the one before), where one without a wavelength has the mean of its column between the bounds.
//! 2. A part that is a table (`FAST_VARIATION`) is averaged over this width by a three-point Gaussian quadrature, linear between
//!    wavelengths. Outside the table it is 1 and the pixel flagged `NO_FLAT_FIELD` and `DO_NOT_USE`.
//! 3. A part that is an image counts in the pixel; one of several images is linear in wavelength between them (rounded to single precision),
//!    and flagged `DO_NOT_USE` outside. NaN, 0 and `DO_NOT_USE` count as 1 and are flagged. Errors of image and table, each times
//!    the other, add in squares.
//! 4. The flat is the product of the parts: fore optics (table; NaN where it is bad, as it holds the conversion to flux), spectrograph and
//!    detector (image times table). Relative errors add in squares. `NO_FLAT_FIELD` and `DO_NOT_USE` of any part, and a
//!    flat not above 0, flag the pixel `NO_FLAT_FIELD`, `DO_NOT_USE` and `UNRELIABLE_FLAT`; its flat is NaN.
//! 5. A pixel between the bounds of two slices has the flat of the later one, and the flags of both; one of no slice is NaN. Where the WCS
//!    takes the number of the slice (`nrs_ifu_slice_wcs`) a slice has its own pixels only, and counts the others as without a wavelength.
//!
//! Then, in single precision, `SCI` is divided by the flat; `VAR_FLAT` = (SCI / flat * error of the flat)^2 with the new `SCI`; the rest
//! as MIRI.
//!
//! With `inverse` the image is multiplied, `VAR_FLAT` is 0 and `ERR` comes from the other two. All in
//! single precision.
//!
//! ## Parameters
//! `save_interpolated_flat`, `user_supplied_flat` (for NIRSpec an image as this step saves it, which is taken as it is), `inverse`.
//!
//! ## Reference files
//! MIRI: `flat`: `SCI`, `ERR` and `DQ` in the exposure's window. NIRSpec: `fflat` (`FAST_VARIATION`), `sflat` and `dflat` (`SCI`, `ERR`,
//! `DQ`, `FAST_VARIATION`, and `WAVELENGTH` where `SCI` has several planes), of which one that does not apply counts as 1. With
//! `user_supplied_flat` none is looked for.
//!
//! ## Skipped when
//! no flat applies; the flat is smaller than the image; extract_2d has been run on the exposure.
//!
//! ## Differs from jwst
//! - `save_interpolated_flat` saves the part of MIRI's flat in the exposure's window, flags as calwebb's bits.
//! - NIRSpec exposures of other than the IFU are refused, and files whose wavelengths fall.
//! - Without any of NIRSpec's three flats jwst flags all pixels as bad.
//!
//! ## References
//! jwst 3.0.0 `flatfield`.

mod fast;
mod layer;
mod nirspec;

use std::path::{Path, PathBuf};

use super::side_products;
use crate::exec::Exec;
use crate::formats::fits::{Header, Image};
use crate::model::reference::{RefFits, Window};
use crate::model::{Cal, dq};
use crate::steps::step::{Info, RefPaths, Reference, Step, Target};
use crate::{Error, Result};

crate::params! {
    /// Parameters of flat_field.
    pub struct FlatFieldParams {
        /// Saves the flat as it was applied, as _interpolatedflat.
        save_interpolated_flat: bool = false,
        /// A flat to use in place of the reference files.
        user_supplied_flat: Option<String> = None,
        /// Undoes the correction: multiplies.
        inverse: bool = false,
    }
}

/// The step.
pub struct FlatField;

/// What the exposure is divided by.
#[derive(Debug)]
pub enum FlatRefs {
    /// A flat in the exposure's window.
    Image(Box<Flat>),
    /// The parts that a NIRSpec exposure's flat is made of, and where it is to be saved.
    Parts(Box<nirspec::Parts>, Option<PathBuf>),
}

/// A flat in the exposure's window.
#[derive(Debug)]
pub struct Flat {
    file: RefFits,
    /// None where the file has too few rows or columns.
    pixels: Option<Pixels>,
    window: Window,
    out: Option<PathBuf>,
}

/// Response, its error and flags.
#[derive(Debug, Clone)]
struct Pixels {
    response: Vec<f32>,
    error: Vec<f32>,
    flags: Vec<u32>,
}

impl Step for FlatField {
    const INFO: Info = Info {
        name: "flat_field",
        class: "FlatFieldStep",
        keyword: "S_FLAT",
        title: "Flat Field Correction",
        skip: false,
        references: &[
            Reference::optional("flat"),
            Reference::optional("fflat"),
            Reference::optional("sflat"),
            Reference::optional("dflat"),
        ],
    };
    const SOURCE: &'static str = include_str!("mod.rs");
    type In = Cal;
    type Out = Cal;
    type Params = FlatFieldParams;
    /// None where no flat applies.
    type Refs = Option<FlatRefs>;

    fn not_applicable(input: &Cal, _: &Self::Params) -> Result<Option<String>> {
        let meta = &input.meta;
        let kind = meta.str("EXP_TYPE").unwrap_or_default();
        if !meta.is_miri() && kind != "NRS_IFU" {
            return Err(Error::input_file(
                &meta.source,
                format!(
                    "flat_field works on exposures of MIRI and of the NIRSpec IFU only (EXP_TYPE = {kind})"
                ),
            ));
        }
        Ok((meta.str("S_EXTR2D") == Some("COMPLETE"))
            .then(|| "extract_2d has been run on the exposure".into()))
    }

    fn uses(_: &str, params: &Self::Params) -> bool {
        params.user_supplied_flat.is_none()
    }

    fn load(paths: &RefPaths, target: &Target, params: &Self::Params) -> Result<Self::Refs> {
        let given = params.user_supplied_flat.as_deref().map(Path::new);
        let miri = target.meta.is_miri();
        if !miri && given.is_none() {
            let parts = nirspec::Parts::open(paths)?;
            return Ok(parts.map(|p| FlatRefs::Parts(Box::new(p), target.out.clone())));
        }
        let Some(path) = given.or(paths.get("flat")) else {
            return Ok(None);
        };
        let window = Window::of_exposure(&target.meta, target.shape.ny, target.shape.nx)?;
        let file = RefFits::open("flat", path)?;
        Ok(Some(FlatRefs::Image(Box::new(Flat {
            pixels: read(&file, window, miri)?,
            file,
            window,
            out: target.out.clone(),
        }))))
    }

    fn not_usable(_: &Cal, refs: &Self::Refs, _: &Self::Params) -> Result<Option<String>> {
        Ok(match refs {
            None => Some("no flat reference applies".into()),
            Some(FlatRefs::Image(flat)) if flat.pixels.is_none() => {
                Some("the flat is smaller than the image".into())
            }
            Some(_) => None,
        })
    }

    fn run(mut input: Cal, refs: &Self::Refs, params: &Self::Params, exec: &Exec) -> Result<Cal> {
        match refs {
            None => Ok(input),
            Some(FlatRefs::Parts(parts, out)) => {
                let pixels = parts.of(&input, exec)?;
                divide(&mut input, &pixels, params.inverse, false);
                if params.save_interpolated_flat {
                    let window = Window::of_exposure(&input.meta, input.ny, input.nx)?;
                    let path = saved(&input, out.as_deref());
                    save(
                        &pixels,
                        window,
                        input.meta.primary.clone(),
                        "ImageModel",
                        &path,
                    )?;
                }
                Ok(input)
            }
            Some(FlatRefs::Image(flat)) => apply(input, flat, params),
        }
    }
}

/// Where the flat of an exposure is saved.
fn saved(image: &Cal, out: Option<&Path>) -> PathBuf {
    let name = format!("{}_interpolatedflat.fits", image.meta.root());
    out.unwrap_or(Path::new("")).join(name)
}

/// Divides an exposure by a flat that is an image, and notes which one where the user gave it.
fn apply(mut input: Cal, flat: &Flat, params: &FlatFieldParams) -> Result<Cal> {
    let Some(pixels) = &flat.pixels else {
        return Ok(input);
    };
    let miri = input.meta.is_miri();
    divide(&mut input, pixels, params.inverse, miri);
    if params.user_supplied_flat.is_some() {
        let name = flat.file.header().str("FILENAME").map(str::to_owned);
        let name = name.or_else(|| {
            let path = flat.file.path();
            path.file_name().map(|n| n.to_string_lossy().into_owned())
        });
        input.meta.set_in_block(
            "        Calibration reference files",
            "R_",
            "R_FLAT",
            name.unwrap_or_default(),
            "Flat reference file name",
        );
    }
    if params.save_interpolated_flat {
        let path = saved(&input, flat.out.as_deref());
        let header = flat.file.header().clone();
        save(pixels, flat.window, header, "FlatModel", &path)?;
    }
    Ok(input)
}

/// The window's part of the file, bad pixels set to 1 where asked for; none where the file is too small.
fn read(file: &RefFits, window: Window, mend: bool) -> Result<Option<Pixels>> {
    match file.shape("SCI")?.as_slice() {
        [ny, nx] if *ny < window.ny || *nx < window.nx => return Ok(None),
        [_, _] => {}
        other => return Err(file.error(format!("SCI has shape {other:?}; an image is needed"))),
    }
    let mut response = file.image("SCI", window)?;
    let error = if file.has("ERR") {
        file.image("ERR", window)?
    } else {
        vec![0.0; response.len()]
    };
    let mut flags = file.dq(window, [0])?;
    for (value, flag) in response.iter_mut().zip(&mut flags).filter(|_| mend) {
        if value.is_nan() || *value == 0.0 {
            *flag |= dq::NO_FLAT_FIELD;
        }
        if *flag & dq::NO_FLAT_FIELD != 0 {
            *flag |= dq::DO_NOT_USE;
        }
        if *flag & dq::DO_NOT_USE != 0 {
            *value = 1.0;
        }
    }
    Ok(Some(Pixels {
        response,
        error,
        flags,
    }))
}

/// Divides the image by the flat, or multiplies it. Two ways to the flat's variance differ in the last bit: MIRI's squares first.
fn divide(image: &mut Cal, flat: &Pixels, inverse: bool, squares_first: bool) {
    let n = image.sci.len();
    let mut var_flat = vec![0f32; n];
    let arrays = image.sci.iter_mut().zip(&mut image.err);
    let arrays = arrays.zip(image.var_poisson.iter_mut().zip(&mut image.var_rnoise));
    let arrays = arrays.zip(var_flat.iter_mut().zip(&mut image.dq));
    let flats = flat.response.iter().zip(flat.error.iter().zip(&flat.flags));
    for ((((sci, err), (poisson, rnoise)), (vflat, dq)), (f, (e, flag))) in arrays.zip(flats) {
        let square = f * f;
        if inverse {
            *sci *= f;
            *poisson *= square;
            *rnoise *= square;
            *err = (*poisson + *rnoise).sqrt();
        } else {
            *sci /= f;
            *vflat = match squares_first {
                true => *sci * *sci / square * (e * e),
                false => {
                    let error = *sci / f * e;
                    error * error
                }
            };
            *poisson /= square;
            *rnoise /= square;
            *err = (*poisson + *rnoise + *vflat).sqrt();
        }
        *dq |= flag;
    }
    image.var_flat = Some(var_flat);
    image.match_nans_and_flags();
}

/// Writes the flat as it was applied, under a primary header.
fn save(
    pixels: &Pixels,
    window: Window,
    mut primary: Header,
    model: &str,
    path: &Path,
) -> Result<()> {
    for (keyword, value) in [
        ("SUBSTRT1", window.x + 1),
        ("SUBSTRT2", window.y + 1),
        ("SUBSIZE1", window.nx),
        ("SUBSIZE2", window.ny),
    ] {
        primary.set(keyword, value, "");
    }
    let axes = [window.ny, window.nx];
    let response = Image::new(&axes, pixels.response.clone());
    let error = Image::new(&axes, pixels.error.clone());
    let flags = Image::new(&axes, pixels.flags.clone());
    let images = vec![
        ("SCI", Header::new(), response),
        ("ERR", Header::new(), error),
        ("DQ", Header::new(), flags),
    ];
    side_products::write(path, primary, model, images)
}
