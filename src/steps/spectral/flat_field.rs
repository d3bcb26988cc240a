//! # flat_field: divide by the flat field
//!
//! ## What
//! Divides a MIRI MRS image by the pixels' relative response.
//!
//! ## Why
//! Pixels differ in sensitivity.
//!
//! ## Algorithm
//! 1. Pixels of the flat that are NaN or 0 are flagged `DO_NOT_USE` and `NO_FLAT_FIELD`; those flagged
//!    `NO_FLAT_FIELD` also `DO_NOT_USE`. A flat flagged `DO_NOT_USE` counts as 1.
//! 2. `SCI` is divided by the flat; `VAR_FLAT` = SCI^2 / flat^2 * (error of the flat)^2, with the new `SCI`.
//! 3. The other variances are divided by the flat's square; `ERR` is the root of the sum of all three.
//! 4. The flat's flags are set in `DQ`; then every pixel with NaN or `DO_NOT_USE` gets both.
//!
//! With `inverse` the image is multiplied, `VAR_FLAT` is 0 and `ERR` comes from the other two. All in
//! single precision.
//!
//! ## Parameters
//! `save_interpolated_flat`, `user_supplied_flat`, `inverse`.
//!
//! ## Reference files
//! `flat`: `SCI`, `ERR` and `DQ` in the exposure's window. `fflat`, `sflat` and `dflat` are parts of
//! NIRSpec's flats; none applies to MIRI. With `user_supplied_flat` none is looked for.
//!
//! ## Skipped when
//! no flat applies; the flat is smaller than the image; extract_2d has been run on the exposure.
//!
//! ## Differs from jwst
//! `save_interpolated_flat` saves the part of the flat in the exposure's window, flags as calwebb's bits.
//! Spectra of NIRSpec, whose flats are made of three parts, are refused.
//!
//! ## References
//! jwst 3.0.0 `flatfield`.

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

const fn reference(kind: &'static str) -> Reference {
    Reference {
        kind,
        required: false,
    }
}

impl Step for FlatField {
    const INFO: Info = Info {
        name: "flat_field",
        class: "FlatFieldStep",
        keyword: "S_FLAT",
        title: "Flat Field Correction",
        skip: false,
        references: &[
            reference("flat"),
            reference("fflat"),
            reference("sflat"),
            reference("dflat"),
        ],
    };
    const SOURCE: &'static str = include_str!("flat_field.rs");
    type In = Cal;
    type Out = Cal;
    type Params = FlatFieldParams;
    /// None where no flat applies.
    type Refs = Option<Flat>;

    fn not_applicable(input: &Cal, _: &Self::Params) -> Result<Option<String>> {
        let meta = &input.meta;
        if !meta.is_miri() {
            return Err(Error::input_file(
                &meta.source,
                "flat_field works on exposures of MIRI only so far (INSTRUME)",
            ));
        }
        Ok((meta.str("S_EXTR2D") == Some("COMPLETE"))
            .then(|| "extract_2d has been run on the exposure".into()))
    }

    fn uses(_: &str, params: &Self::Params) -> bool {
        params.user_supplied_flat.is_none()
    }

    fn load(paths: &RefPaths, target: &Target, params: &Self::Params) -> Result<Option<Flat>> {
        let given = params.user_supplied_flat.as_deref().map(Path::new);
        let Some(path) = given.or(paths.get("flat")) else {
            return Ok(None);
        };
        let window = Window::of_exposure(&target.meta, target.shape.ny, target.shape.nx)?;
        let file = RefFits::open("flat", path)?;
        Ok(Some(Flat {
            pixels: read(&file, window)?,
            file,
            window,
            out: target.out.clone(),
        }))
    }

    fn not_usable(_: &Cal, refs: &Option<Flat>, _: &Self::Params) -> Result<Option<String>> {
        Ok(match refs {
            None => Some("no FLAT reference applies".into()),
            Some(flat) if flat.pixels.is_none() => {
                Some("the flat is smaller than the image".into())
            }
            Some(_) => None,
        })
    }

    fn run(mut input: Cal, refs: &Option<Flat>, params: &Self::Params, _: &Exec) -> Result<Cal> {
        let Some(flat) = refs else { return Ok(input) };
        let Some(pixels) = &flat.pixels else {
            return Ok(input);
        };
        apply(&mut input, pixels, params.inverse);
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
            let name = format!("{}_interpolatedflat.fits", input.meta.root());
            save(
                flat,
                pixels,
                &flat.out.clone().unwrap_or_default().join(name),
            )?;
        }
        Ok(input)
    }
}

/// The window's part of the file, bad pixels set to 1; none where the file is too small.
fn read(file: &RefFits, window: Window) -> Result<Option<Pixels>> {
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
    for (value, flag) in response.iter_mut().zip(&mut flags) {
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

/// Divides the image by the flat, or multiplies it.
fn apply(image: &mut Cal, flat: &Pixels, inverse: bool) {
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
            *vflat = *sci * *sci / square * (e * e);
            *poisson /= square;
            *rnoise /= square;
            *err = (*poisson + *rnoise + *vflat).sqrt();
        }
        *dq |= flag;
    }
    image.var_flat = Some(var_flat);
    image.match_nans_and_flags();
}

/// Writes the flat as it was applied, under the headers of its file.
fn save(flat: &Flat, pixels: &Pixels, path: &Path) -> Result<()> {
    let window = flat.window;
    let mut primary = flat.file.header().clone();
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
    side_products::write(path, primary, "FlatModel", images)
}
