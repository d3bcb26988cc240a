//! # outlier_detection: flag pixels that stand out from their neighbours in every exposure
//!
//! ## What
//! Finds the pixels whose value differs most from both neighbours across the dispersion, in all exposures
//! of a detector alike, and flags them in each of these exposures.
//!
//! ## Why
//! Bad pixels come and go, so the bad-pixel mask misses some. What stays in its place on the detector
//! while the target is dithered is the detector's.
//!
//! ## Algorithm
//! Exposures are taken by detector, whatever their band.
//! 1. In each exposure `DO_NOT_USE` pixels become NaN; a pixel's difference is the smaller of the absolute
//!    differences from its two neighbours across the dispersion (beside it in the row for MIRI, in the
//!    column for NIRSpec). Beyond the detector's edge lie zeros. A difference from NaN does not count.
//! 2. The smallest difference over the exposures is what is judged.
//! 3. It is divided by its median over the pixels around (`kernel_size`; zeros lie beyond the edge), or by a
//!    third of the whole image's median where that is larger, so that bright targets are not flagged.
//! 4. Pixels above the `threshold_percent` percentile of the image (without a border of four pixels) get
//!    `OUTLIER` and `DO_NOT_USE`, their value becomes NaN. With `ifu_second_check` so do pixels without
//!    any difference, which have NaN neighbours in every exposure.
//! 5. Where any of value, error and variances is NaN or `DO_NOT_USE` is set, all of them become NaN and
//!    `DO_NOT_USE` is set.
//!
//! Detectors are worked on one after the other, rows in strips; differences are double precision.
//!
//! ## Parameters
//! `kernel_size`: rows and columns of the median's window. `threshold_percent`: percentile above which
//! pixels are flagged. `ifu_second_check`: also flag pixels without a difference.
//! `save_intermediate_results`: save differences, their median and their ratio
//! (`<first exposure>_<detector>_outlier_output.fits`). The others (`weight_type`, `pixfrac`, `kernel`,
//! `fillval`, `maskpt`, `snr`, `scale`, `backg`, `rolling_window_width`, `resample_data`, `good_bits`,
//! `in_memory`, `pixmap_stepsize`, `pixmap_order`, `search_output_file`) are calwebb's for imaging and slit
//! spectra and without effect on an IFU's exposures.
//!
//! ## Reference files
//! None of its own.
//!
//! ## Skipped when
//! the exposures are of no IFU (`EXP_TYPE` MIR_MRS, NRS_IFU); there are fewer than two of them. The status is `FAILED`, as
//! in calwebb.
//!
//! ## Differs from jwst
//! - Exposures of a detector of different sizes are an error with a message.
//! - The name of the intermediate results has no association's number.
//!
//! ## References
//! jwst 3.0.0 `outlier_detection.ifu`, stcal 1.20 `outlier_detection.utils.medfilt`.

mod differences;
mod flag;
mod save;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::exec::Exec;
use crate::model::{Exposures, Meta};
use crate::steps::step::{Info, RefPaths, Status, Step, Target};
use crate::{Error, Result};

/// Weights of resampled images; without effect on an IFU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightType {
    /// Inverse variance.
    Ivm,
    /// Exposure time.
    Exptime,
}

/// Kernel of resampled images; without effect on an IFU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernel {
    /// Square pixels.
    Square,
    /// Points.
    Point,
    /// Axis-aligned squares.
    Turbo,
}

crate::params! {
    /// Parameters of outlier_detection.
    pub struct OutlierDetectionParams {
        /// Accepted and without effect on an IFU's exposures: weights of resampled images (ivm, exptime).
        weight_type: WeightType = WeightType::Ivm,
        /// Accepted and without effect on an IFU's exposures: shrinkage of pixels.
        pixfrac: f64 = 1.0,
        /// Accepted and without effect on an IFU's exposures: resampling kernel (square, point, turbo).
        kernel: Kernel = Kernel::Square,
        /// Accepted and without effect on an IFU's exposures: value where there are no data.
        fillval: String = "NAN".into(),
        /// Accepted and without effect on an IFU's exposures: share of the mean weight to mask below.
        maskpt: f64 = 0.7,
        /// Accepted and without effect on an IFU's exposures: signal-to-noise limits.
        snr: String = "5.0 4.0".into(),
        /// Accepted and without effect on an IFU's exposures: scales of the derivative.
        scale: String = "1.2 0.7".into(),
        /// Accepted and without effect on an IFU's exposures: background level.
        backg: f64 = 0.0,
        /// Rows and columns of the window whose median differences are divided by; even numbers are raised by 1.
        kernel_size: String = "7 7".into(),
        /// Percentile of the normalised differences above which pixels are flagged.
        threshold_percent: f64 = 99.8,
        /// Accepted and without effect on an IFU's exposures: window of the rolling median.
        rolling_window_width: i64 = 25,
        /// Also flag pixels that have no valid neighbour across the dispersion in any exposure.
        ifu_second_check: bool = false,
        /// Save the differences, their local median and their ratio.
        save_intermediate_results: bool = false,
        /// Accepted and without effect on an IFU's exposures: resample before comparing.
        resample_data: bool = true,
        /// Accepted and without effect on an IFU's exposures: flags of pixels to use.
        good_bits: String = "~DO_NOT_USE".into(),
        /// Accepted and without effect.
        search_output_file: bool = false,
        /// Accepted and without effect on an IFU's exposures: keep images in memory.
        in_memory: bool = true,
        /// Accepted and without effect on an IFU's exposures: step of the interpolated pixel map.
        pixmap_stepsize: f64 = 1.0,
        /// Accepted and without effect on an IFU's exposures: order of the interpolated pixel map.
        pixmap_order: i64 = 1,
    }
}

impl OutlierDetectionParams {
    /// Rows and columns of the median's window, odd.
    fn kernel(&self) -> Result<(usize, usize)> {
        let sizes: Option<Vec<usize>> = self
            .kernel_size
            .split_whitespace()
            .map(|n| n.parse().ok())
            .collect();
        match sizes.as_deref() {
            Some([height, width]) => Ok((height | 1, width | 1)),
            _ => Err(Error::parameter(format!(
                "outlier_detection: kernel_size = '{}' must be two whole numbers, as in '7 7'",
                self.kernel_size
            ))),
        }
    }

    /// The percentile as a fraction.
    fn fraction(&self) -> Result<f64> {
        if (0.0..=100.0).contains(&self.threshold_percent) {
            return Ok(self.threshold_percent / 100.0);
        }
        Err(Error::parameter(format!(
            "outlier_detection: threshold_percent = {} must be from 0 to 100",
            self.threshold_percent
        )))
    }
}

/// The step.
pub struct OutlierDetection;

/// Where intermediate results go, if anywhere.
#[derive(Debug)]
pub struct Folder(Option<PathBuf>);

impl Step for OutlierDetection {
    const INFO: Info = Info {
        name: "outlier_detection",
        class: "OutlierDetectionStep",
        keyword: "S_OUTLIR",
        title: "Outlier Detection",
        skip: false,
        references: &[],
    };
    const SOURCE: &'static str = include_str!("mod.rs");
    type In = Exposures;
    type Out = Exposures;
    type Params = OutlierDetectionParams;
    type Refs = Folder;

    const REFUSED: fn(String) -> Status = Status::Failed;

    fn not_applicable(input: &Exposures, _: &OutlierDetectionParams) -> Result<Option<String>> {
        let n = input.science.len();
        if n < 2 {
            return Ok(Some(format!("{n} exposures; at least two are compared")));
        }
        for cal in &input.science {
            let kind = cal.meta.need_str("EXP_TYPE")?;
            if !["MIR_MRS", "NRS_IFU"].contains(&kind) {
                return Ok(Some(format!("exposures of type {kind} are of no IFU")));
            }
        }
        Ok(None)
    }

    fn load(_: &RefPaths, target: &Target, params: &OutlierDetectionParams) -> Result<Folder> {
        let save = params.save_intermediate_results;
        Ok(Folder(save.then(|| target.out.clone().unwrap_or_default())))
    }

    fn run(
        mut input: Exposures,
        folder: &Folder,
        params: &OutlierDetectionParams,
        exec: &Exec,
    ) -> Result<Exposures> {
        let kernel = params.kernel()?;
        let fraction = params.fraction()?;
        let along_rows = input.science.first().is_some_and(|c| c.meta.is_miri());
        let first: Option<Meta> = input.science.first().map(|c| c.meta.clone());
        let mut detectors = Vec::new();
        for cal in &input.science {
            let name = cal.meta.need_str("DETECTOR")?.to_ascii_lowercase();
            if !detectors.contains(&name) {
                detectors.push(name);
            }
        }
        for detector in &detectors {
            let of = |meta: &Meta| {
                meta.str("DETECTOR")
                    .is_some_and(|d| d.eq_ignore_ascii_case(detector))
            };
            let mut group: Vec<_> = input.science.iter_mut().filter(|c| of(&c.meta)).collect();
            let (ny, nx) = group.first().map_or((0, 0), |c| (c.ny, c.nx));
            if let Some(other) = group.iter().find(|c| (c.ny, c.nx) != (ny, nx)) {
                return Err(Error::input_file(
                    &other.meta.source,
                    format!(
                        "has {} x {} pixels and another exposure of {detector} {ny} x {nx}; combine exposures of one size",
                        other.ny, other.nx
                    ),
                ));
            }
            let size = differences::Size { ny, nx, along_rows };
            let found = flag::find(&group, size, kernel, fraction, exec);
            if let (Some(folder), Some(meta)) = (&folder.0, &first) {
                let name = format!("{}_{detector}_outlier_output.fits", meta.root());
                let apart = flag::each_exposure(&group, size, exec);
                save::save(
                    &folder.join(name),
                    meta,
                    params,
                    kernel,
                    size,
                    &apart,
                    &found,
                )?;
            }
            let second = params.ifu_second_check;
            exec.map(group.iter_mut().collect(), |cal| {
                flag::flag(cal, &found, second);
            });
        }
        Ok(input)
    }
}
