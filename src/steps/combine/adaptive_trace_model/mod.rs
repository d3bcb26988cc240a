//! # adaptive_trace_model: a model of point sources' traces, and finer pixels by it
//!
//! ## What
//! Fits splines across the dispersion to bright slices. They give an image of the trace of compact sources
//! (`TRACEMODEL`), and, where asked for, an image that is oversampled along the slices.
//!
//! ## Why
//! The point spread function is undersampled by the detector: spectra of compact sources in cubes show
//! beats between pixels and the tilted traces. The traces of neighbouring wavelengths are sampled at other places,
//! so that together they show the profile finely.
//!
//! ## Algorithm
//! A line is a row of the detector within a slice: one wavelength, places along the slice.
//! 1. Sigma-clipped mean and deviation of the image; a negative mean is subtracted and added again at the end.
//!    A slice is fitted if its profile (medians in bins of half a pixel along the slice) peaks above the
//!    channel's clipped mean plus `fit_threshold` deviations, also once ends of low signal and high error have
//!    been left out.
//! 2. Lines are divided by their sums (of positive values where the profile shows a negative image). For each
//!    with more than eight valid pixels a cubic spline with 36 spacings of knots is fitted to the pixels of the 50
//!    lines before and behind it by least squares, clipped at 2.5 standard deviations, three rounds. Lines are taken
//!    from both ends of the detector to the middle; where a fit fails the last good one stands in.
//! 3. A line's factor is the mean ratio of its values and its spline, weighted by the spline, without outliers.
//! 4. Where splines change by more than `slope_limit` from pixel to pixel is counted in bins along the slice (at least
//!    50 pixels): three pixels around each peak above a fifth of the highest hold compact sources. There the splines make the
//!    trace model.
//! 5. Oversampled (`oversample` other than 1): straight lines between the pixels of a line; around compact sources
//!    the spline at the finer places plus what it leaves at the pixels, between them by straight lines (not with
//!    `psf_optimal`). Errors and square roots of variances are interpolated and grow by `0.23 oversample +
//!    0.77`; flags and slice numbers are those of the nearest pixel. Pixels that get a value lose
//!    `DO_NOT_USE` and get `FLUX_ESTIMATED`. The WCS gets a first step from finer pixels to the detector's, pixel areas are
//!    divided, flux densities (not surface brightness) as well; `WAVELENGTH` and `REGIONS` are added.
//!
//! Slices, then lines, are worked on in parallel.
//!
//! ## Parameters
//! `fit_threshold`, `oversample`, `slope_limit` as above (all slices are fitted, splines used everywhere, where they are not
//! positive). `psf_optimal`: the target is one point source: no threshold, no slope limit, no residuals.
//! `save_intermediate_results`: save the splines wherever there are any (`spline_full`), where they are used
//! (`spline_used`), and of oversampled images the straight lines (`linear_interp`) and what splines leave
//! (`spline_residual`). `output_use_model`, `maximum_cores`: accepted and without effect.
//!
//! ## Reference files
//! None; the exposure's WCS gives the places.
//!
//! ## Skipped when
//! not asked for; the exposure is not of the MIRI MRS.
//!
//! ## Differs from jwst
//! - Pixels at the same alpha are taken in a fixed order; numpy's depends on the processor, and may move the last
//!   bits of the splines.
//! - Lines whose spline holds fewer than five pixels have none; jwst stops with an exception.
//! - An image that is oversampled already is refused; jwst stops with an exception.
//! - Intermediate products hold no ASDF extension.
//!
//! ## References
//! jwst 3.0.0 `adaptive_trace_model`; scipy `make_lsq_spline` (Dierckx, FITPACK).

mod compact;
mod fit;
mod oversample;
mod product;
mod slice;
mod trace;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use self::fit::{Fitted, fit};
use self::oversample::{Factor, Line, Piece};
use self::slice::{Image, Slice, slices};
use crate::exec::Exec;
use crate::math::clipped_stats::clipped_f32;
use crate::model::{Cal, dq};
use crate::steps::step::{Info, RefPaths, Step, Target};
use crate::wcs::ExposureWcs;
use crate::{Error, Result};

crate::params! {
    /// Parameters of adaptive_trace_model.
    pub struct AdaptiveTraceModelParams {
        /// Slices are fitted that are brighter than the mean by so many standard deviations; all if not positive.
        fit_threshold: f64 = 10.0,
        /// Oversample along the slices by this factor.
        oversample: f64 = 1.0,
        /// Splines are used where they change by more than this from pixel to pixel; everywhere if not positive.
        slope_limit: f64 = 0.1,
        /// The target is one point source: fit and use splines everywhere, without residuals.
        psf_optimal: bool = false,
        /// Save splines, straight lines and residuals.
        save_intermediate_results: bool = false,
        /// Accepted and without effect: products are named after their exposure.
        output_use_model: bool = true,
        /// Accepted and without effect: the number of threads is set for the whole run.
        maximum_cores: String = "none".into(),
    }
}

/// Largest factor.
const MOST: f64 = 100.0;

/// The step.
pub struct AdaptiveTraceModel;

/// Where intermediate results go, if anywhere.
#[derive(Debug)]
pub struct Folder(Option<PathBuf>);

impl Step for AdaptiveTraceModel {
    const INFO: Info = Info {
        name: "adaptive_trace_model",
        class: "AdaptiveTraceModelStep",
        keyword: "S_TRCMOD",
        title: "Adaptive Trace Model",
        skip: true,
        references: &[],
    };
    const SOURCE: &'static str = include_str!("mod.rs");
    const CLEARS: u32 = dq::DO_NOT_USE;
    type In = Cal;
    type Out = Cal;
    type Params = AdaptiveTraceModelParams;
    type Refs = Folder;

    fn not_applicable(cal: &Cal, _: &AdaptiveTraceModelParams) -> Result<Option<String>> {
        let kind = cal.meta.need_str("EXP_TYPE")?;
        Ok(
            (kind != "MIR_MRS")
                .then(|| format!("exposures of type {kind} are not of the MIRI MRS")),
        )
    }

    fn load(_: &RefPaths, target: &Target, params: &AdaptiveTraceModelParams) -> Result<Folder> {
        let save = params.save_intermediate_results;
        Ok(Folder(save.then(|| target.out.clone().unwrap_or_default())))
    }

    fn run(
        mut cal: Cal,
        folder: &Folder,
        params: &AdaptiveTraceModelParams,
        exec: &Exec,
    ) -> Result<Cal> {
        let factor = params.oversample;
        if !(factor > 0.0 && factor <= MOST) {
            return Err(Error::parameter(format!(
                "adaptive_trace_model: oversample = {factor} must be above 0 and at most {MOST}"
            )));
        }
        let meta = folder.0.as_ref().map(|_| cal.meta.clone());
        let intermediate = work(&mut cal, params, exec)?;
        if let (Some(folder), Some(meta)) = (&folder.0, meta) {
            for (suffix, values) in intermediate {
                let path = folder.join(format!("{}_{suffix}.fits", meta.root()));
                product::save(&path, &meta, [cal.ny, cal.nx], &values)?;
            }
        }
        Ok(cal)
    }
}

/// The trace model of an exposure for pixel_replace: its own, or one that is fitted with the defaults; none
/// where there can be none.
///
/// # Errors
/// As the step's.
pub fn trace_of(cal: &mut Cal, exec: &Exec) -> Result<Option<Vec<f32>>> {
    let info = AdaptiveTraceModel::INFO;
    let done = cal.meta.str(info.keyword).unwrap_or("SKIPPED").to_owned();
    if done == "FAILED" {
        return Ok(None);
    }
    if done == "SKIPPED" {
        let params = AdaptiveTraceModelParams::default();
        if AdaptiveTraceModel::not_applicable(cal, &params)?.is_some() {
            return Ok(None);
        }
        work(cal, &params, exec)?;
        let title = "        Calibration step information";
        cal.meta
            .set_in_block(title, "S_", info.keyword, "COMPLETE", info.title);
    }
    product::trace_model(cal)
}

/// Coordinates along the slices and slice labels of the pixels.
fn coordinates(cal: &Cal, wcs: &ExposureWcs, exec: &Exec) -> Result<(Vec<f64>, Vec<u16>)> {
    if let Some(map) = cal.map.get() {
        return Ok((map.alpha.clone(), map.slice.clone()));
    }
    let step = exec.strip_rows(cal.ny);
    let strips: Vec<usize> = (0..cal.ny).step_by(step).collect();
    let parts = exec.try_map(strips, |first| {
        let rows = first..(first + step).min(cal.ny);
        let y: Vec<f64> = rows
            .clone()
            .flat_map(|y| std::iter::repeat_n(y as f64, cal.nx))
            .collect();
        let x: Vec<f64> = rows.flat_map(|_| (0..cal.nx).map(|x| x as f64)).collect();
        let [alpha, ..] = wcs.local(&x, &y)?;
        Ok((alpha, wcs.labels(&x, &y)?))
    })?;
    let (alpha, labels): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    Ok((alpha.concat(), labels.concat()))
}

/// An intermediate product: its suffix, and its image.
type Intermediate = (&'static str, Vec<f32>);

/// Fits the exposure and changes it; gives the intermediate images.
fn work(
    cal: &mut Cal,
    params: &AdaptiveTraceModelParams,
    exec: &Exec,
) -> Result<Vec<Intermediate>> {
    let wcs = ExposureWcs::of(cal)?;
    if wcs.gwcs().first() == product::OVERSAMPLED {
        return Err(Error::input_file(
            &cal.meta.source,
            "is oversampled already; give the exposure as it was before adaptive_trace_model",
        ));
    }
    let (threshold, slope_limit) = if params.psf_optimal {
        (0.0, 0.0)
    } else {
        (params.fit_threshold, params.slope_limit)
    };
    let (alpha, labels) = coordinates(cal, &wcs, exec)?;
    let image = |flux| Image {
        ny: cal.ny,
        nx: cal.nx,
        flux,
        err: &cal.err,
        alpha: &alpha,
        labels: &labels,
    };
    let (mean, _) = clipped_f32(&turned(image(&cal.sci), 1..=u16::MAX));
    let restore = (mean < 0.0).then_some(mean);
    let lifted: Option<Vec<f32>> = restore.map(|m| cal.sci.iter().map(|v| v - m).collect());
    let image = image(lifted.as_deref().unwrap_or(&cal.sci));

    let all = slices(image);
    let limits: Vec<Option<f32>> = if threshold > 0.0 {
        let channel = |first: u16| {
            let (mean, rms) = clipped_f32(&turned(image, first..=first + 99));
            mean + threshold as f32 * rms
        };
        let channels: BTreeSet<u16> = all.iter().map(|s| s.label / 100).collect();
        let channels: Vec<u16> = channels.into_iter().collect();
        let limits = exec.map(channels.clone(), |c| channel(c * 100));
        let limits: BTreeMap<u16, f32> = channels.into_iter().zip(limits).collect();
        let of = |s: &Slice| limits.get(&(s.label / 100)).copied();
        all.iter().map(of).collect()
    } else {
        vec![None; all.len()]
    };
    let fitted: Vec<Fitted> = exec
        .try_map(all.iter().zip(limits).collect(), |(slice, limit)| {
            Ok(fit(slice, limit))
        })?;
    let pairs: Vec<(&Slice, &Fitted)> = all.iter().zip(&fitted).collect();
    let intervals = fitted.iter().find_map(Fitted::intervals);
    if params.oversample == 1.0 {
        let traces = exec.map(pairs.clone(), |(slice, fitted)| {
            trace::trace(slice, fitted, slope_limit, intervals)
        });
        let add = restore.unwrap_or(0.0);
        let mut full = vec![f32::NAN; cal.ny * cal.nx];
        let mut used = full.clone();
        for ((slice, _), trace) in pairs.iter().zip(&traces) {
            for (p, inside) in slice.inside.iter().enumerate() {
                if *inside {
                    let (line, place) = (p / slice.n, slice.first + p % slice.n);
                    let at = line * cal.nx + cal.nx - 1 - place;
                    full[at] = trace.full[p] + add;
                    used[at] = trace.used[p] + add;
                }
            }
        }
        product::set_image(cal, "TRACEMODEL", [cal.ny, cal.nx], used.clone());
        return Ok(vec![("spline_full", full), ("spline_used", used)]);
    }
    let factor = Factor(params.oversample);
    let pieces = exec.map(pairs, |(slice, fitted)| {
        Piece::new(slice, fitted, factor, slope_limit, intervals)
    });
    let finer = Finer {
        factor,
        wcs: &wcs,
        labels: &labels,
        pieces: &pieces,
        all: slope_limit <= 0.0,
        residual: !params.psf_optimal,
        restore: restore.map_or(0.0, f64::from),
        density: product::is_flux_density(&cal.meta),
    };
    let step = exec.strip_rows(cal.ny).min(16);
    let strips: Vec<usize> = (0..cal.ny).step_by(step).collect();
    let done = exec.try_map(strips, |first| {
        finer.rows(cal, first..(first + step).min(cal.ny))
    })?;
    let gwcs = product::oversampled(&wcs, factor.0)?.to_node()?;
    drop(pieces);
    Ok(replace(cal, done, factor, gwcs))
}

/// Values of the slices with these labels, in the order in which jwst's turned image holds them.
fn turned(image: Image, labels: std::ops::RangeInclusive<u16>) -> Vec<f32> {
    let columns = (0..image.nx).rev();
    let pixels = columns.flat_map(|x| (0..image.ny).map(move |y| y * image.nx + x));
    pixels
        .filter(|p| labels.contains(&image.labels[*p]))
        .map(|p| image.flux[p])
        .collect()
}

/// Rows of the oversampled image.
#[derive(Default)]
struct Rows {
    sci: Vec<f32>,
    err: Vec<f32>,
    variances: [Vec<f32>; 3],
    dq: Vec<u32>,
    regions: Vec<i32>,
    wavelength: Vec<f32>,
    full: Vec<f32>,
    used: Vec<f32>,
    linear: Vec<f32>,
    residual: Vec<f32>,
}

/// What oversampling a row needs.
struct Finer<'a> {
    factor: Factor,
    wcs: &'a ExposureWcs,
    labels: &'a [u16],
    pieces: &'a [Piece<'a>],
    /// Whether splines are used everywhere.
    all: bool,
    /// Whether what splines leave is added.
    residual: bool,
    /// Mean to be added again.
    restore: f64,
    /// Whether values are flux densities.
    density: bool,
}

impl Finer<'_> {
    fn rows(&self, cal: &Cal, rows: std::ops::Range<usize>) -> Result<Rows> {
        let (nx, width) = (cal.nx, self.factor.width(cal.nx));
        // places are counted from the last column
        let x: Vec<f64> = (0..width)
            .map(|p| nx as f64 - self.factor.old(p) - 1.0)
            .collect();
        let xs = x.repeat(rows.len());
        let ys: Vec<f64> = rows
            .clone()
            .flat_map(|y| std::iter::repeat_n(y as f64, width))
            .collect();
        let [alpha, beta, lambda] = self.wcs.local(&xs, &ys)?;
        let [.., lambda] = self.wcs.sky(&alpha, &beta, &lambda)?;
        let nearest: Vec<usize> = (0..width)
            .map(|p| nx - 1 - self.factor.nearest(p).min(nx - 1))
            .collect();
        let mut out = Rows::default();
        for (row, line) in rows.enumerate() {
            let here = row * width..(row + 1) * width;
            let mut fine = Line::new(width);
            for piece in self.pieces {
                piece.put(line, self.factor, &alpha[here.clone()], &mut fine);
            }
            fine.finish(self.all, self.residual);
            let old = line * nx..(line + 1) * nx;
            let mut dq: Vec<u32> = nearest.iter().map(|x| cal.dq[old.start + x]).collect();
            let estimated: Vec<bool> = fine
                .flux
                .iter()
                .zip(&dq)
                .map(|(v, dq)| !v.is_nan() && dq & dq::DO_NOT_USE != 0)
                .collect();
            for (dq, _) in dq.iter_mut().zip(&estimated).filter(|(_, e)| **e) {
                *dq = *dq & !dq::DO_NOT_USE | dq::FLUX_ESTIMATED;
            }
            out.dq.extend(dq.iter().rev());
            let label = |x: &usize| i32::from(self.labels[old.start + x]);
            out.regions.extend(nearest.iter().rev().map(label));
            let wavelength = lambda[here].iter().rev();
            out.wavelength.extend(wavelength.map(|l| *l as f32));

            let share = if self.density { self.factor.0 } else { 1.0 };
            let put = |to: &mut Vec<f32>, values: &[f64], add: f64, share: f64| {
                let values = values.iter().rev();
                to.extend(values.map(|v| ((v + add) / share) as f32));
            };
            put(&mut out.sci, &fine.flux, self.restore, share);
            put(&mut out.used, &fine.used, self.restore, share);
            put(&mut out.full, &fine.full, self.restore, 1.0);
            put(&mut out.linear, &fine.linear, 0.0, share);
            put(&mut out.residual, &fine.residual, 0.0, share);

            let grow = 0.23 * self.factor.0 + 0.77;
            let error = |values: &[f32], variance: bool| -> Vec<f32> {
                let turned = values[old.clone()].iter().rev();
                let line_values: Vec<f32> = turned
                    .map(|v| if variance { v.sqrt() } else { *v })
                    .collect();
                let mut fine = vec![f32::NAN; width];
                for piece in self.pieces {
                    piece.put_linear(line, self.factor, &line_values, &mut fine);
                }
                for ((v, x), estimated) in fine.iter_mut().zip(&nearest).zip(&estimated) {
                    if !line_values[nx - 1 - x].is_finite() && !estimated {
                        *v = f32::NAN;
                    }
                    *v = if variance {
                        *v * *v * (grow * grow) as f32 / (share * share) as f32
                    } else {
                        *v * grow as f32 / share as f32
                    };
                }
                fine.reverse();
                fine
            };
            out.err.extend(error(&cal.err, false));
            let flat = cal.var_flat.as_ref();
            let all = [Some(&cal.var_poisson), Some(&cal.var_rnoise), flat];
            for (to, from) in out.variances.iter_mut().zip(all) {
                if let Some(from) = from {
                    to.extend(error(from, true));
                }
            }
        }
        Ok(out)
    }
}

/// Puts the oversampled rows in place of the exposure's.
fn replace(
    cal: &mut Cal,
    parts: Vec<Rows>,
    factor: Factor,
    wcs: crate::formats::asdf::Node,
) -> Vec<Intermediate> {
    let mut all = Rows::default();
    for part in parts {
        all.sci.extend(part.sci);
        all.err.extend(part.err);
        for (to, from) in all.variances.iter_mut().zip(part.variances) {
            to.extend(from);
        }
        all.dq.extend(part.dq);
        all.regions.extend(part.regions);
        all.wavelength.extend(part.wavelength);
        all.full.extend(part.full);
        all.used.extend(part.used);
        all.linear.extend(part.linear);
        all.residual.extend(part.residual);
    }
    cal.nx = factor.width(cal.nx);
    let shape = [cal.ny, cal.nx];
    let [poisson, rnoise, flat] = all.variances;
    (cal.sci, cal.err, cal.dq) = (all.sci, all.err, all.dq);
    (cal.var_poisson, cal.var_rnoise) = (poisson, rnoise);
    cal.var_flat = cal.var_flat.as_ref().map(|_| flat);
    cal.set_wcs(wcs);
    product::drop_images(cal);
    product::set_image(cal, "REGIONS", shape, all.regions);
    product::set_image(cal, "TRACEMODEL", shape, all.used.clone());
    product::set_image(cal, "WAVELENGTH", shape, all.wavelength);
    for keyword in ["PIXAR_SR", "PIXAR_A2"] {
        product::divide(&mut cal.meta, keyword, factor.0);
    }
    cal.match_nans_and_flags();
    vec![
        ("spline_full", all.full),
        ("spline_used", all.used),
        ("linear_interp", all.linear),
        ("spline_residual", all.residual),
    ]
}
