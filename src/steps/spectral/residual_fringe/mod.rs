//! # residual_fringe: remove fringes the fringe flat has left
//!
//! ## What
//! Fits and divides out, column by column, the fringes that are left in an MRS image; [`fit_1d`] does the same
//! for an extracted spectrum (extract_1d's `ifu_rfcorr`).
//!
//! ## Why
//! Light reflected between the layers of the detector interferes with itself: the signal along a slice's
//! spectrum goes up and down with a period of about 3 cm-1, in channels 3 and 4 also with one of 0.4 cm-1
//! (dichroics). Phase and depth depend on how the source fills the slice, so the fringe flat removes them
//! in part only.
//!
//! ## Algorithm
//! For each column of each slice (80 % throughput) with more than 50 pixels and enough signal:
//! 1. Pixels between the troughs around peaks that rise above the largest fringe amplitude get no weight,
//!    in channels 3 and 4 also peaks over the running mean of 7 pixels; others are weighted by their signal.
//! 2. For each component: the background is a spline with one knot a period and at the edges of what has
//!    weight, fitted robustly (quadratic; a broken line for short periods). Signal over background less 1 are
//!    the fringes.
//! 3. The highest peak of a Lomb-Scargle periodogram gives a sine; its amplitudes are fitted, then its
//!    frequency too (Levenberg-Marquardt, robust for long periods). More are added, all fitted together, while
//!    the Bayesian evidence grows tenfold.
//! 4. Where the fringes' envelope exceeds the largest amplitude the beat is left as it is. The signal is
//!    divided by the fringes plus 1.
//!
//! ## Parameters
//! `ignore_region_min`, `ignore_region_max`: wavelength ranges in micron in which nothing is fitted.
//! `save_intermediate_results`: save the factors, backgrounds and weights (`_fit_results.fits`) and what was
//! found (`_out_table.ecsv`; `_stat_table.ecsv` is empty, as calwebb's). `search_output_file` has no effect.
//!
//! ## Reference files
//! `fringefreq`: periods, limits by slice and band, largest amplitudes by wavelength. `regions` (ASDF): slices.
//!
//! ## Skipped when
//! not asked for; the exposure is not of type MIR_MRS; no reference applies.
//!
//! ## Differs from jwst
//! - Sums over many values are taken in another order than BLAS and LAPACK take them, sines are those of the
//!   system's library: results agree to about 1e-13 before they are rounded to single precision.
//! - Where two fitted sines come together, the equations are singular but for rounding, and whether jwst goes
//!   on (the sign of a determinant of 1e-30) is chance: a change of its input by the last bit gives another
//!   number of sines. A few in a hundred columns of faint exposures are such; their corrections differ by a
//!   part of the fringes, at the ends of slices with few good pixels by more.
//! - Peaks of the periodogram are found on an interpolated one; candidates within its error are computed
//!   as astropy does, so that the same peak is found.
//! - Of two troughs equally far from a peak's side the earlier one counts; numpy's unstable sort decides by the
//!   processor.
//! - Without any positive pixel the image stays as it is; in jwst it becomes NaN. An exposure of another
//!   size than the regions is an error; jwst leaves all columns as they are.
//! - In `_out_table.ecsv` and `_fit_results.fits`, columns no component applies to do not appear; jwst repeats
//!   the column before.
//!
//! ## References
//! jwst 3.0.0 `residual_fringe`; BayesicFitting 3.3; Kavanagh et al. in prep.; Kester and Mueller 2021
//! (Astronomy and Computing 37, 100503); Zechmeister and Kurster 2009 (A&A 496, 577); Dierckx 1993, Curve
//! and Surface Fitting with Splines.

mod background;
mod column;
mod failure;
mod features;
mod fringes;
mod one_dimensional;
mod reference;
mod save;
mod sines;

use std::path::PathBuf;

pub use failure::Failure;
pub use one_dimensional::{Options, fit_1d};

use self::column::{Column, Corrected, Found};
use self::reference::{Frequencies, Slice, SliceMap};
use self::save::Details;
use crate::exec::Exec;
use crate::math::median::median_f32;
use crate::math::pairwise_sum::pairwise_sum;
use crate::model::{Cal, DetectorMap, dq};
use crate::steps::step::{Info, RefPaths, Reference, Step, Target};
use crate::{Error, Result};

crate::params! {
    /// Parameters of residual_fringe.
    pub struct ResidualFringeParams {
        /// Save the corrections, backgrounds, weights and periods.
        save_intermediate_results: bool = false,
        /// No effect; kept for calwebb's parameter files.
        search_output_file: bool = false,
        /// Lower ends of wavelength ranges to ignore, in micron.
        ignore_region_min: Option<Vec<f64>> = None,
        /// Upper ends of wavelength ranges to ignore, in micron.
        ignore_region_max: Option<Vec<f64>> = None,
    }
}

/// The step.
pub struct ResidualFringe;

/// The references, and where results are saved.
#[derive(Debug)]
pub struct Refs {
    frequencies: Frequencies,
    slices: SliceMap,
    ignore: Vec<(f64, f64)>,
    save: Option<PathBuf>,
}

impl Step for ResidualFringe {
    const INFO: Info = Info {
        name: "residual_fringe",
        class: "ResidualFringeStep",
        keyword: "S_RESFRI",
        title: "Residual Fringe Correction",
        skip: true,
        references: &[
            Reference {
                kind: "fringefreq",
                required: true,
            },
            Reference {
                kind: "regions",
                required: true,
            },
        ],
    };
    const SOURCE: &'static str = include_str!("mod.rs");
    type In = Cal;
    type Out = Cal;
    type Params = ResidualFringeParams;
    type Refs = Refs;

    fn not_applicable(input: &Cal, _: &Self::Params) -> Result<Option<String>> {
        let kind = input.meta.need_str("EXP_TYPE")?;
        Ok((kind != "MIR_MRS").then(|| format!("EXP_TYPE {kind} is not MIR_MRS")))
    }

    fn load(paths: &RefPaths, target: &Target, params: &Self::Params) -> Result<Refs> {
        let ends = |v: &Option<Vec<f64>>| v.clone().unwrap_or_default();
        let low = ends(&params.ignore_region_min);
        let high = ends(&params.ignore_region_max);
        if low.len() != high.len() {
            return Err(Error::parameter(format!(
                "residual_fringe: ignore_region_min has {} values and ignore_region_max {}; give one of each for a range",
                low.len(),
                high.len()
            )));
        }
        let band = target.meta.need_str("BAND")?;
        Ok(Refs {
            frequencies: Frequencies::read(paths.need("fringefreq")?, band)?,
            slices: SliceMap::read(paths.need("regions")?)?,
            ignore: low.into_iter().zip(high).collect(),
            save: params
                .save_intermediate_results
                .then(|| target.out.clone().unwrap_or_default()),
        })
    }

    fn run(mut input: Cal, refs: &Refs, _: &Self::Params, exec: &Exec) -> Result<Cal> {
        let fault = |what: String| Error::input_file(&input.meta.source, what);
        if input.meta.str("S_FRINGE") != Some("COMPLETE") {
            return Err(fault(
                "the fringe flat has not been applied (S_FRINGE is not COMPLETE); run the step fringe first".into(),
            ));
        }
        let (ny, nx) = (input.ny, input.nx);
        if (refs.slices.ny, refs.slices.nx) != (ny, nx) {
            return Err(fault(format!(
                "is of {ny} x {nx} pixels and the REGIONS reference of {} x {}",
                refs.slices.ny, refs.slices.nx
            )));
        }
        let detector = input.meta.need_str("DETECTOR")?.to_ascii_lowercase();
        let channels = match () {
            () if detector.contains("short") => [1, 2],
            () if detector.contains("long") => [3, 4],
            () => {
                return Err(fault(format!(
                    "DETECTOR = {detector} is not one of the MRS"
                )));
            }
        };
        let mut tasks: Vec<(u32, Slice)> = Vec::new();
        for channel in channels {
            let slices = refs.slices.slices(channel);
            if slices.is_empty() {
                return Err(Error::reference(format!(
                    "REGIONS has no slices of channel {channel}; {detector} needs them"
                )));
            }
            tasks.extend(slices.into_iter().map(|s| (channel, s)));
        }
        for (_, slice) in &tasks {
            refs.frequencies.components(slice.number)?;
        }
        let Some(image) = Normalized::of(&input) else {
            tracing::warn!("residual_fringe: no pixel is positive; nothing to correct");
            return Ok(input);
        };
        let map = crate::wcs::map_of(&input)?;
        let weights = weights(&input);
        let columns: Vec<(u32, u32, usize)> = tasks
            .into_iter()
            .flat_map(|(channel, s)| s.columns.map(move |x| (channel, s.number, x)))
            .collect();
        let work = |(channel, slice, x): (u32, u32, usize)| {
            let column = column(&input, &image, &map, &weights, refs, slice, x);
            let mut found = Vec::new();
            let components = refs.frequencies.components(slice)?;
            let done = column.correct(channel, components, &refs.frequencies, &mut found);
            Ok((found, done))
        };
        let results: Vec<Done> = exec.try_map(columns.clone(), work)?;

        let mut details = refs
            .save
            .as_ref()
            .map(|_| Details::new(ny, nx, weights.clone()));
        let mut data = image.data;
        let mut corrected = 0;
        for ((_, slice, x), (found, done)) in columns.into_iter().zip(results) {
            let done = done.unwrap_or_else(|e| {
                tracing::warn!(
                    "residual_fringe: column {} of slice {slice} stays: {e}",
                    x + 1
                );
                None
            });
            if let Some(c) = &done {
                corrected += 1;
                for y in (0..ny).filter(|y| c.pixels[*y]) {
                    data[y * nx + x] = c.data[y] as f32;
                }
            }
            if let Some(details) = &mut details {
                details.add(slice, x, found, done.as_ref());
            }
        }
        tracing::info!("residual_fringe: {corrected} columns corrected");
        for ((v, bad), out) in data.iter().zip(&image.bad).zip(&mut input.sci) {
            *out = if *bad { f32::NAN } else { v * image.median };
        }
        if let (Some(folder), Some(details)) = (&refs.save, details) {
            details.write(folder, &input)?;
        }
        Ok(input)
    }
}

/// What was found in a column, and the column.
type Done = (Vec<Found>, std::result::Result<Option<Corrected>, Failure>);

/// The image over the median of its positive pixels; 0 where it is bad.
struct Normalized {
    data: Vec<f32>,
    median: f32,
    bad: Vec<bool>,
}

impl Normalized {
    /// None where no pixel is positive.
    fn of(cal: &Cal) -> Option<Self> {
        let mut positive: Vec<f32> = cal.sci.iter().copied().filter(|v| *v > 0.0).collect();
        if positive.is_empty() {
            return None;
        }
        let median = median_f32(&mut positive);
        let bad: Vec<bool> = (cal.sci.iter().zip(&cal.dq))
            .map(|(v, q)| q & dq::DO_NOT_USE != 0 || !v.is_finite())
            .collect();
        let data = (cal.sci.iter().zip(&bad))
            .map(|(v, bad)| if *bad { 0.0 } else { *v } / median)
            .collect();
        Some(Self { data, median, bad })
    }
}

/// Weights of pixels: their value over the mean of their column, 0 where that is not a number.
fn weights(cal: &Cal) -> Vec<f64> {
    let mut out = vec![0.0; cal.sci.len()];
    for x in 0..cal.nx {
        let pixels = || (x..cal.sci.len()).step_by(cal.nx);
        let values: Vec<f32> = pixels().map(|i| cal.sci[i]).collect();
        let known: Vec<f32> = values
            .iter()
            .map(|v| if v.is_nan() { 0.0 } else { *v })
            .collect();
        let count = values.iter().filter(|v| !v.is_nan()).count();
        let mean = pairwise_sum(&known) / count as f32;
        for (i, v) in pixels().zip(values) {
            let w = v / mean;
            out[i] = if w.is_nan() || w == f32::INFINITY {
                0.0
            } else {
                w.into()
            };
        }
    }
    out
}

/// A column of a slice.
fn column(
    cal: &Cal,
    image: &Normalized,
    map: &DetectorMap,
    weights: &[f64],
    refs: &Refs,
    slice: u32,
    x: usize,
) -> Column {
    let pixels = || (0..cal.ny).map(|y| (y, y * cal.nx + x));
    let inside = |y: usize| refs.slices.label(y, x) == slice;
    let ignored = |l: f64| refs.ignore.iter().any(|(low, high)| l > *low && l < *high);
    let of_slice = |value: &dyn Fn(usize) -> f64| -> Vec<f64> {
        pixels()
            .map(|(y, i)| if inside(y) { value(i) } else { 0.0 })
            .collect()
    };
    Column {
        data: of_slice(&|i| image.data[i].into()),
        // no wavelength at all stays NaN also outside the slice
        wavelength: pixels()
            .map(|(y, i)| match map.world_lambda(i) {
                l if l.is_nan() || inside(y) => l,
                _ => 0.0,
            })
            .collect(),
        weight: of_slice(&|i| {
            if ignored(map.world_lambda(i)) {
                0.0
            } else {
                weights[i]
            }
        }),
        snr: pixels().map(|(_, i)| cal.sci[i] / cal.err[i]).collect(),
    }
}
