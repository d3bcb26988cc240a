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
//! A line is a row (of NIRSpec a column) of the detector within a slice: one wavelength, places along the slice.
//! 1. Sigma-clipped mean and deviation of the image; a negative mean is subtracted and added again at the end.
//!    A slice is fitted if its profile (medians in bins of half a pixel along the slice) peaks above the
//!    channel's (of NIRSpec the image's) clipped mean plus `fit_threshold` deviations, also once ends of low signal and high error have
//!    been left out.
//! 2. Lines are divided by their sums (of positive values where the profile shows a negative image). For each
//!    with more than eight valid pixels a cubic spline with 36 spacings of knots is fitted to the pixels of the 50
//!    lines before and behind it by least squares, clipped at 2.5 standard deviations, three rounds. Lines are taken
//!    from both ends of the detector to the middle; where a fit fails the last good one stands in. Of NIRSpec there are two spacings
//!    for each pixel of the slice's length (one for the prism), half (a quarter) as many valid pixels are needed, 10 lines
//!    around one are used with the prism, and lines are taken from the first on NRS1, from the last on NRS2.
//! 3. A line's factor is the mean ratio of its values and its spline, weighted by the spline, without outliers.
//! 4. Where splines change by more than `slope_limit` from pixel to pixel is counted in bins along the slice (at least
//!    50 pixels): three pixels (of NIRSpec two) around each peak above a fifth of the highest hold compact sources. There the splines make the
//!    trace model.
//! 5. Oversampled (`oversample` other than 1): straight lines between the pixels of a line; around compact sources
//!    the spline at the finer places (of NIRSpec without its ends) plus what it leaves at the pixels, between them by straight lines (not with
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
//! not asked for; the exposure is of no IFU.
//!
//! ## Differs from jwst
//! - Pixels at the same alpha are taken in a fixed order; numpy's depends on the processor, and may move the last
//!   bits of the splines.
//! - Lines whose spline holds fewer than five pixels have none; jwst stops with an exception.
//! - An image that is oversampled already is refused; jwst stops with an exception, or (NIRSpec) goes on with finer pixels for the detector's.
//! - With a NIRSpec WCS that takes the number of the slice (`nrs_ifu_slice_wcs`) jwst loses the places of the pixels that lie in the
//!   bounds of a later slice, too (0.03 % of those of G395H): they count for no spline, and have no trace. Here they keep them.
//! - Intermediate products hold no ASDF extension.
//!
//! ## References
//! jwst 3.0.0 `adaptive_trace_model`; scipy `make_lsq_spline` (Dierckx, FITPACK).

mod compact;
mod fit;
mod mode;
mod oversample;
mod product;
mod slice;
mod trace;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use self::fit::{Fitted, fit};
use self::mode::Mode;
use self::oversample::{Factor, Line, Piece};
use self::slice::{Image, Layout, Slice, slices};
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
        let of_ifu = ["MIR_MRS", "NRS_IFU"].contains(&kind);
        Ok((!of_ifu).then(|| format!("exposures of type {kind} are of no IFU")))
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
fn coordinates(
    cal: &Cal,
    wcs: &ExposureWcs,
    layout: Layout,
    exec: &Exec,
) -> Result<(Vec<f64>, Vec<u16>)> {
    if let Some(map) = cal.map.get() {
        let alpha = match layout {
            Layout::Rows => map.alpha.clone(),
            Layout::Columns => map.alpha.iter().map(|a| -a).collect(),
        };
        return Ok((alpha, map.slice.clone()));
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
        let (alpha, _) = along(wcs, layout, &x, &y, false)?;
        Ok((alpha, wcs.labels(&x, &y)?))
    })?;
    let (alpha, labels): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    Ok((alpha.concat(), labels.concat()))
}

/// Coordinates along the slices of points in pixels, growing with their places; and wavelengths in micron if asked for.
fn along(
    wcs: &ExposureWcs,
    layout: Layout,
    x: &[f64],
    y: &[f64],
    wavelengths: bool,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let [a, b, lambda] = wcs.local(x, y)?;
    Ok(match layout {
        Layout::Rows => {
            let lambda = match wavelengths {
                true => wcs.sky(&a, &b, &lambda)?[2].clone(),
                false => Vec::new(),
            };
            (a, lambda)
        }
        Layout::Columns => (
            b.into_iter().map(|b| -b).collect(),
            lambda.into_iter().map(|l| l * 1e6).collect(),
        ),
    })
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
    let mode = Mode::of(&cal.meta)?;
    let layout = mode.layout;
    if product::is_oversampled(&wcs)? {
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
    let (alpha, labels) = coordinates(cal, &wcs, layout, exec)?;
    let image = |flux| Image {
        ny: cal.ny,
        nx: cal.nx,
        layout,
        flux,
        err: &cal.err,
        alpha: &alpha,
        labels: &labels,
    };
    let (mean, rms) = clipped_f32(&turned(image(&cal.sci), 1..=u16::MAX));
    let restore = (mean < 0.0).then_some(mean);
    let lifted: Option<Vec<f32>> = restore.map(|m| cal.sci.iter().map(|v| v - m).collect());
    let image = image(lifted.as_deref().unwrap_or(&cal.sci));

    let all = slices(image);
    let limits: Vec<Option<f32>> = if threshold > 0.0 && layout == Layout::Columns {
        let finite = |v: f32| if v.is_finite() { v } else { 0.0 };
        let limit = finite(mean).max(0.0) + threshold as f32 * finite(rms);
        vec![Some(limit); all.len()]
    } else if threshold > 0.0 {
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
            Ok(fit(slice, limit, &mode))
        })?;
    let pairs: Vec<(&Slice, &Fitted)> = all.iter().zip(&fitted).collect();
    let intervals = fitted.iter().find_map(Fitted::intervals);
    if params.oversample == 1.0 {
        let traces = exec.map(pairs.clone(), |(slice, fitted)| {
            trace::trace(slice, fitted, slope_limit, intervals, mode.pad)
        });
        let add = restore.unwrap_or(0.0);
        let mut full = vec![f32::NAN; cal.ny * cal.nx];
        let mut used = full.clone();
        for ((slice, _), trace) in pairs.iter().zip(&traces) {
            for (p, inside) in slice.inside.iter().enumerate() {
                if *inside {
                    let (line, place) = (p / slice.n, slice.first + p % slice.n);
                    let at = layout.at(line, place, cal.nx);
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
        Piece::new(slice, fitted, factor, slope_limit, intervals, &mode)
    });
    let finer = Finer {
        factor,
        layout,
        wcs: &wcs,
        labels: &labels,
        pieces: &pieces,
        all: slope_limit <= 0.0,
        residual: !params.psf_optimal,
        restore: restore.map_or(0.0, f64::from),
        density: product::is_flux_density(&cal.meta),
    };
    let (lines, _) = layout.size(cal.ny, cal.nx);
    let step = exec.strip_rows(lines).min(16);
    let strips: Vec<usize> = (0..lines).step_by(step).collect();
    let done = exec.try_map(strips, |first| {
        finer.lines(cal, first..(first + step).min(lines))
    })?;
    let gwcs = product::oversampled(&wcs, factor.0, layout)?.to_node()?;
    drop(pieces);
    Ok(replace(cal, done, factor, layout, gwcs))
}

/// Values of the slices with these labels, in the order in which jwst's image (turned, of MIRI) holds them.
fn turned(image: Image, labels: std::ops::RangeInclusive<u16>) -> Vec<f32> {
    let value = |p: usize| labels.contains(&image.labels[p]).then(|| image.flux[p]);
    match image.layout {
        Layout::Rows => {
            let columns = (0..image.nx).rev();
            let pixels = columns.flat_map(|x| (0..image.ny).map(move |y| y * image.nx + x));
            pixels.filter_map(value).collect()
        }
        Layout::Columns => (0..image.labels.len()).filter_map(value).collect(),
    }
}

/// Lines of the oversampled image, by place.
#[derive(Default)]
struct Lines {
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

/// What oversampling a line needs.
struct Finer<'a> {
    factor: Factor,
    layout: Layout,
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
    fn lines(&self, cal: &Cal, lines: std::ops::Range<usize>) -> Result<Lines> {
        let (_, old_width) = self.layout.size(cal.ny, cal.nx);
        let width = self.factor.width(old_width);
        let places: Vec<f64> = (0..width).map(|p| self.factor.old(p)).collect();
        let numbers: Vec<f64> = lines
            .clone()
            .flat_map(|line| std::iter::repeat_n(line as f64, width))
            .collect();
        let (alpha, lambda) = match self.layout {
            // places are counted from the last column
            Layout::Rows => {
                let x: Vec<f64> = places.iter().map(|p| cal.nx as f64 - p - 1.0).collect();
                along(
                    self.wcs,
                    self.layout,
                    &x.repeat(lines.len()),
                    &numbers,
                    true,
                )?
            }
            Layout::Columns => {
                let y = places.repeat(lines.len());
                along(self.wcs, self.layout, &numbers, &y, true)?
            }
        };
        let nearest: Vec<usize> = (0..width)
            .map(|p| self.factor.nearest(p).min(old_width - 1))
            .collect();
        let mut out = Lines::default();
        for (n, line) in lines.enumerate() {
            let here = n * width..(n + 1) * width;
            let mut fine = Line::new(width);
            for piece in self.pieces {
                piece.put(line, self.factor, &alpha[here.clone()], &mut fine);
            }
            fine.finish(self.all, self.residual);
            let pixel = |place: usize| self.layout.at(line, place, cal.nx);
            let mut dq: Vec<u32> = nearest.iter().map(|p| cal.dq[pixel(*p)]).collect();
            let estimated: Vec<bool> = fine
                .flux
                .iter()
                .zip(&dq)
                .map(|(v, dq)| !v.is_nan() && dq & dq::DO_NOT_USE != 0)
                .collect();
            for (dq, _) in dq.iter_mut().zip(&estimated).filter(|(_, e)| **e) {
                *dq = *dq & !dq::DO_NOT_USE | dq::FLUX_ESTIMATED;
            }
            out.dq.extend(dq);
            let label = |p: &usize| i32::from(self.labels[pixel(*p)]);
            out.regions.extend(nearest.iter().map(label));
            out.wavelength
                .extend(lambda[here].iter().map(|l| *l as f32));

            let share = if self.density { self.factor.0 } else { 1.0 };
            let put = |to: &mut Vec<f32>, values: &[f64], add: f64, share: f64| {
                to.extend(values.iter().map(|v| ((v + add) / share) as f32));
            };
            put(&mut out.sci, &fine.flux, self.restore, share);
            put(&mut out.used, &fine.used, self.restore, share);
            put(&mut out.full, &fine.full, self.restore, 1.0);
            put(&mut out.linear, &fine.linear, 0.0, share);
            put(&mut out.residual, &fine.residual, 0.0, share);

            let grow = 0.23 * self.factor.0 + 0.77;
            let error = |values: &[f32], variance: bool| -> Vec<f32> {
                let line_values: Vec<f32> = (0..old_width)
                    .map(|p| values[pixel(p)])
                    .map(|v| if variance { v.sqrt() } else { v })
                    .collect();
                let mut fine = vec![f32::NAN; width];
                for piece in self.pieces {
                    piece.put_linear(line, self.factor, &line_values, &mut fine);
                }
                for ((v, p), estimated) in fine.iter_mut().zip(&nearest).zip(&estimated) {
                    if !line_values[*p].is_finite() && !estimated {
                        *v = f32::NAN;
                    }
                    *v = if variance {
                        *v * *v * (grow * grow) as f32 / (share * share) as f32
                    } else {
                        *v * grow as f32 / share as f32
                    };
                }
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

/// An image of lines that follow each other, of `width` places each.
fn image_of<T: Copy>(mut values: Vec<T>, width: usize, layout: Layout) -> Vec<T> {
    match layout {
        Layout::Rows => {
            let lines = values.chunks_mut(width.max(1));
            lines.for_each(|line| line.reverse());
            values
        }
        Layout::Columns => {
            let lines = values.len() / width.max(1);
            let places = 0..width;
            places
                .flat_map(|p| (0..lines).map(move |l| l * width + p))
                .map(|k| values[k])
                .collect()
        }
    }
}

/// Puts the oversampled lines in place of the exposure's.
fn replace(
    cal: &mut Cal,
    parts: Vec<Lines>,
    factor: Factor,
    layout: Layout,
    wcs: crate::formats::asdf::Node,
) -> Vec<Intermediate> {
    let mut all = Lines::default();
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
    let side = match layout {
        Layout::Rows => &mut cal.nx,
        Layout::Columns => &mut cal.ny,
    };
    let width = factor.width(*side);
    *side = width;
    let floats = |values: Vec<f32>| image_of(values, width, layout);
    let shape = [cal.ny, cal.nx];
    let [poisson, rnoise, flat] = all.variances.map(floats);
    (cal.sci, cal.err) = (floats(all.sci), floats(all.err));
    cal.dq = image_of(all.dq, width, layout);
    (cal.var_poisson, cal.var_rnoise) = (poisson, rnoise);
    cal.var_flat = cal.var_flat.as_ref().map(|_| flat);
    cal.set_wcs(wcs);
    let used = floats(all.used);
    product::drop_images(cal);
    product::set_image(cal, "REGIONS", shape, image_of(all.regions, width, layout));
    product::set_image(cal, "TRACEMODEL", shape, used.clone());
    product::set_image(cal, "WAVELENGTH", shape, floats(all.wavelength));
    for keyword in ["PIXAR_SR", "PIXAR_A2"] {
        product::divide(&mut cal.meta, keyword, factor.0);
    }
    cal.match_nans_and_flags();
    vec![
        ("spline_full", floats(all.full)),
        ("spline_used", used),
        ("linear_interp", floats(all.linear)),
        ("spline_residual", floats(all.residual)),
    ]
}
