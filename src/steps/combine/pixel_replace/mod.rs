//! # pixel_replace: estimate the values of bad pixels
//!
//! ## What
//! Gives pixels without a value one that is estimated from their neighbours, with errors, and flags them
//! `FLUX_ESTIMATED`.
//!
//! ## Why
//! Holes in the exposures become holes, or dips, in the cubes and spectra made of them.
//!
//! ## Algorithm
//! `mingrad`: a pixel whose value is not finite gets the mean of its two neighbours in the row or in the column,
//! whichever two differ less; variances are averaged as errors. Pixels whose neighbours miss on both axes, and
//! two rows and columns at the edges (one at the far ones), are left alone. Everything is taken from the
//! image as it came.
//!
//! `fit_profile`: slice by slice, a line across the dispersion that holds `DO_NOT_USE` pixels is compared with the
//! median of `n_adjacent_cols` lines on either side, each divided by its largest absolute value (unless
//! their signal-to-noise ratio is below 5 everywhere). The median is scaled to the line by least squares
//! (simplex of Nelder and Mead on absolute values, single precision) and replaces the line's bad pixels; errors
//! and variances likewise.
//!
//! `trace_model`: pixels without a value get that of the trace model of adaptive_trace_model (which is run with
//! its defaults where it has not been), errors are interpolated along the dispersion; the rest is done by
//! `mingrad`, as everything is where there is no trace model.
//!
//! Replaced pixels lose `DO_NOT_USE` (those of `NON_SCIENCE` keep it with `mingrad`, and are left alone by
//! `fit_profile`). Slices are worked on in parallel.
//!
//! ## Parameters
//! `algorithm`: fit_profile, mingrad or trace_model. `n_adjacent_cols`: lines on either side (fit_profile).
//! `output_use_model`: accepted and without effect, products are always named after their exposure.
//!
//! ## Reference files
//! None.
//!
//! ## Skipped when
//! not asked for.
//!
//! ## Differs from jwst
//! fit_profile refuses a negative `n_adjacent_cols`, for which jwst replaces nothing.
//!
//! ## References
//! jwst 3.0.0 `pixel_replace`; Nelder, Mead, Computer Journal 7, 308 (1965).

mod mingrad;
mod profile;
mod trace;

use serde::{Deserialize, Serialize};

use super::adaptive_trace_model;
use crate::exec::Exec;
use crate::formats::fits::Data;
use crate::model::{Cal, dq};
use crate::steps::step::{Info, RefPaths, Step, Target};
use crate::wcs::ExposureWcs;
use crate::{Error, Result};

/// How values are estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// From the profile of neighbouring wavelengths.
    FitProfile,
    /// From two neighbours in the direction of the least gradient.
    Mingrad,
    /// From the trace model.
    TraceModel,
}

crate::params! {
    /// Parameters of pixel_replace.
    pub struct PixelReplaceParams {
        /// fit_profile, mingrad or trace_model.
        algorithm: Algorithm = Algorithm::Mingrad,
        /// Neighbouring lines on either side that make the profile (fit_profile).
        n_adjacent_cols: i64 = 3,
        /// Accepted and without effect: products are named after their exposure.
        output_use_model: bool = true,
    }
}

/// Direction in which the wavelength changes on the detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dispersion {
    /// Along rows (NIRSpec).
    Horizontal,
    /// Along columns (MIRI).
    Vertical,
}

/// The images that are changed, `[row][column]`.
struct Images<'a> {
    ny: usize,
    nx: usize,
    sci: &'a mut [f32],
    err: &'a mut [f32],
    /// Variances of Poisson noise, read noise and, where there is one, the flat field.
    variances: Vec<&'a mut [f32]>,
    dq: &'a mut [u32],
}

impl<'a> Images<'a> {
    fn of(cal: &'a mut Cal) -> Self {
        let own = [
            cal.var_poisson.as_mut_slice(),
            cal.var_rnoise.as_mut_slice(),
        ];
        Self {
            ny: cal.ny,
            nx: cal.nx,
            sci: &mut cal.sci,
            err: &mut cal.err,
            variances: own.into_iter().chain(cal.var_flat.as_deref_mut()).collect(),
            dq: &mut cal.dq,
        }
    }
}

fn dispersion(cal: &Cal) -> Result<Dispersion> {
    match cal.meta.need_i64("DISPAXIS")? {
        1 => Ok(Dispersion::Horizontal),
        2 => Ok(Dispersion::Vertical),
        other => Err(Error::input_file(
            &cal.meta.source,
            format!("keyword DISPAXIS = {other} must be 1 or 2"),
        )),
    }
}

/// Slice of each pixel: the product's own map where it carries one, else its WCS's.
fn regions(cal: &Cal) -> Result<Vec<i64>> {
    let map = cal.extra.iter().find_map(|hdu| match &hdu.data {
        Data::Image(image) if hdu.header.str("EXTNAME") == Some("REGIONS") => Some(image),
        _ => None,
    });
    if let Some(image) = map {
        let labels: Vec<i64> = image.pixels.to_f64().iter().map(|v| *v as i64).collect();
        if image.shape == [cal.ny, cal.nx] {
            return Ok(labels);
        }
        return Err(Error::input_file(
            &cal.meta.source,
            format!(
                "REGIONS has shape {:?} and SCI {} x {}",
                image.shape, cal.ny, cal.nx
            ),
        ));
    }
    let labels = match cal.map.get() {
        Some(map) => map.slice.clone(),
        None => {
            let x: Vec<f64> = (0..cal.ny * cal.nx).map(|p| (p % cal.nx) as f64).collect();
            let y: Vec<f64> = (0..cal.ny * cal.nx).map(|p| (p / cal.nx) as f64).collect();
            ExposureWcs::of(cal)?.labels(&x, &y)?
        }
    };
    Ok(labels.into_iter().map(i64::from).collect())
}

/// The step.
pub struct PixelReplace;

impl Step for PixelReplace {
    const INFO: Info = Info {
        name: "pixel_replace",
        class: "PixelReplaceStep",
        keyword: "S_PXREPL",
        title: "Pixel Replacement",
        skip: true,
        references: &[],
    };
    const SOURCE: &'static str = include_str!("mod.rs");
    const CLEARS: u32 = dq::DO_NOT_USE | dq::FLUX_ESTIMATED;
    type In = Cal;
    type Out = Cal;
    type Params = PixelReplaceParams;
    type Refs = ();

    fn load(_: &RefPaths, _: &Target, _: &PixelReplaceParams) -> Result<()> {
        Ok(())
    }

    fn run(mut cal: Cal, (): &(), params: &PixelReplaceParams, exec: &Exec) -> Result<Cal> {
        match params.algorithm {
            Algorithm::Mingrad => mingrad::replace(&mut Images::of(&mut cal)),
            Algorithm::FitProfile => {
                let n = usize::try_from(params.n_adjacent_cols).map_err(|_| {
                    Error::parameter(format!(
                        "pixel_replace: n_adjacent_cols = {} must not be negative",
                        params.n_adjacent_cols
                    ))
                })?;
                let (regions, dispersion) = (regions(&cal)?, dispersion(&cal)?);
                profile::replace(&mut Images::of(&mut cal), &regions, dispersion, n, exec);
            }
            Algorithm::TraceModel => {
                let dispersion = dispersion(&cal)?;
                let trace = adaptive_trace_model::trace_of(&mut cal, exec)?;
                let mut images = Images::of(&mut cal);
                if let Some(trace) = trace {
                    trace::replace(&mut images, &trace, dispersion);
                }
                mingrad::replace(&mut images);
            }
        }
        Ok(cal)
    }
}
