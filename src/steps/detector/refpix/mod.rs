//! # refpix: take out the drift of the reference pixels
//!
//! ## What
//! Subtracts from every group the drift of the electronics that the reference pixels show; from frames of NIRSpec's IRS2
//! readout also the correlated noise, and the interleaved reference pixels themselves.
//!
//! ## Why
//! The electronics' offset wanders between groups, and within them; reference pixels see it and no light.
//!
//! ## Algorithm
//! For MIRI, full frame:
//! 1. The first group of the integration is subtracted from all groups.
//! 2. For each of the four outputs (every fourth column), for rows 1, 3, ... and rows 2, 4, ... and for
//!    both edges: the mean of the reference pixels that are not `DO_NOT_USE`, clipped at `siglimit`
//!    standard deviations until nothing changes.
//! 3. Half the sum of left and right is subtracted from the output's pixels in these rows, the
//!    reference pixels included.
//! 4. The first group is added again.
//!
//! Where an output has no good reference pixel, no group is corrected.
//!
//! For NIRSpec, full frame, in the orientation of the detector (its columns are the rows of the file):
//! 1. For each of the four outputs (512 columns each), for columns 1, 3, ... and columns 2, 4, ... and for the four rows
//!    at the bottom and at the top: the clipped mean as above. The mean of bottom and top (one of them where the other has
//!    no good pixel) is subtracted from these columns of the output; nothing where a parity has none at either.
//! 2. `use_side_ref_pixels`: for each row the median of the good pixels among the four columns at the left within
//!    `side_smoothing_length` rows (rows beyond the edge are mirrored), and that at the right; `side_gain` times the mean
//!    of both is subtracted from the row. `refpix_algorithm` sirs takes convolutions of the side pixels in place of medians,
//!    for each output its own: see [`sirs`].
//!
//! All groups but the first of an exposure are worked on in double precision (as calwebb comes to do it).
//!
//! For NIRSpec's IRS2 readout, whose frames of 3200 rows hold a reference output and interleaved reference pixels:
//! 1. Pairs of rows of reference pixels whose mean difference, mean or standard deviation in an integration lies more than
//!    `ovr_corr_mitigation_ftr` clipped standard deviations above those of their output are flagged `BAD_REF_PIXEL` and
//!    `DO_NOT_USE`.
//! 2. `irs2_mean_subtraction`: the means at bottom and top are subtracted as above, of all five outputs.
//! 3. Bad rows, also those that the mask or the reference file names, are replaced by the mean of the rows one period (20 rows)
//!    before and after, or one of these, or the next row of their block of four, or zero.
//! 4. In every integration the mean over the groups is taken out of each pixel, and each group's outputs are laid out in the
//!    order of reading, as series of 2048 rows of 712 ticks; a straight line through the first and last four rows is subtracted.
//! 5. Gaps in the reference output are interpolated, by cosine weights over 15 ticks and then by three rounds of a filter in
//!    frequency space.
//! 6. The noise of an output is the inverse Fourier transform of beta times the transform of its reference pixels (each doubled
//!    to fill the neighbouring ticks) plus alpha times that of the reference output. It is subtracted, the means are added.
//! 7. Only the 2048 science rows of counts and flags are left.
//!
//! Forward transforms are in double precision and rounded, inverse ones in single precision and in numpy's order of operations.
//!
//! ## Parameters
//! `odd_even_rows` is MIRI's, `siglimit` everyone's; the others belong to the near-infrared detectors.
//!
//! ## Reference files
//! None for MIRI. `sirskernel` for `refpix_algorithm` sirs (medians where none applies). `refpix` for IRS2: alpha and beta for
//! each output and frequency, and bad reference pixels.
//!
//! ## Skipped when
//! the exposure is a subarray of MIRI (as calwebb does).
//!
//! ## Differs from jwst
//! - Subarrays of the near-infrared detectors, other instruments than MIRI and NIRSpec, and a `side_smoothing_length` of 1 or
//!   less (an exception in jwst) are refused with an error.
//! - The convolutions of sirs are summed in another order: results can differ in the last bit.
//! - IRS2 without a `refpix` reference is an error; jwst skips the step, and stops at the next one. `preserve_irs2_refpix`
//!   (for those who make superbiases) is refused.
//!
//! ## References
//! jwst 3.0.0 `refpix`; Rauscher et al. 2017, PASP 129, 105003 (IRS2).

pub mod irs2;
pub mod miri;
pub mod nir;
pub mod sirs;

use serde::{Deserialize, Serialize};

use crate::exec::Exec;
use crate::math::moments::{mean, sigma_clip};
use crate::model::irs2::{is_interleaved, is_pattern};
use crate::model::{Meta, Ramp};
use crate::steps::step::{Info, RefPaths, Reference, Step, Target};
use crate::{Error, Result};

/// How the side pixels of near-infrared full frames are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SideAlgorithm {
    /// Running medians.
    Median,
    /// Optimised convolutions.
    Sirs,
}

crate::params! {
    /// Parameters of refpix.
    pub struct RefpixParams {
        /// Near infrared: reference signal of odd and even columns apart.
        odd_even_columns: bool = true,
        /// Near infrared: use the side reference pixels.
        use_side_ref_pixels: bool = true,
        /// Near infrared: rows over which the side reference signal is smoothed.
        side_smoothing_length: usize = 11,
        /// Near infrared: factor of the side reference signal.
        side_gain: f64 = 1.0,
        /// MIRI: reference signal of odd and even rows apart.
        odd_even_rows: bool = true,
        /// IRS2: factor that keeps bad reference pixels from overcorrecting.
        ovr_corr_mitigation_ftr: f64 = 3.0,
        /// IRS2: keep the reference pixels in the product.
        preserve_irs2_refpix: bool = false,
        /// IRS2: subtract a mean offset first.
        irs2_mean_subtraction: bool = false,
        /// Near infrared, full frame: median or sirs, for the side pixels.
        refpix_algorithm: SideAlgorithm = SideAlgorithm::Median,
        /// sirs: standard deviations beyond which pixels are rejected.
        sigreject: f64 = 4.0,
        /// sirs: width of the smoothing kernel.
        gaussmooth: f64 = 1.0,
        /// sirs: half-width of the convolution kernel.
        halfwidth: usize = 30,
        /// Standard deviations beyond which reference pixels are clipped.
        siglimit: f64 = 3.0,
    }
}

/// Reference data of the step.
#[derive(Debug, Default)]
pub struct RefpixRefs {
    /// Kernels for the side pixels, where asked for and there are any.
    sirs: Option<sirs::Kernels>,
    /// Weights of IRS2, for such an exposure.
    irs2: Option<irs2::Weights>,
}

/// The step.
pub struct Refpix;

impl Step for Refpix {
    const INFO: Info = Info {
        name: "refpix",
        class: "RefPixStep",
        keyword: "S_REFPIX",
        title: "Reference Pixel Correction",
        skip: false,
        references: &[
            Reference {
                kind: "refpix",
                required: false,
            },
            Reference {
                kind: "sirskernel",
                required: false,
            },
        ],
    };
    const SOURCE: &'static str = include_str!("mod.rs");
    type In = Ramp;
    type Out = Ramp;
    type Params = RefpixParams;
    type Refs = RefpixRefs;

    fn group_by_group(_: &Target, refs: &RefpixRefs, _: &Self::Params) -> bool {
        // IRS2 takes out the mean over the groups
        refs.irs2.is_none()
    }

    fn not_applicable(input: &Ramp, params: &Self::Params) -> Result<Option<String>> {
        let (ny, nx) = (input.shape.ny, input.shape.nx);
        if input.meta.is_miri() {
            let small = nx < miri::FULL.0 || ny < miri::FULL.1;
            return Ok(small.then(|| "reference pixels of MIRI subarrays are not corrected".into()));
        }
        let refused = |what: String| Err(Error::input_file(&input.meta.source, what));
        let instrument = input.meta.need_str("INSTRUME")?;
        if !instrument.eq_ignore_ascii_case("NIRSPEC") {
            return refused(format!("refpix does not know the instrument {instrument}"));
        }
        if is_interleaved(ny, nx) {
            if params.preserve_irs2_refpix {
                let message = "refpix: preserve_irs2_refpix = true is not supported";
                return Err(Error::parameter(message));
            }
            return Ok(None);
        }
        if (ny, nx) != (nir::SIZE, nir::SIZE) {
            return refused(format!(
                "refpix does not support subarrays of NIRSpec ({ny} x {nx} pixels); the IFU is read in full frames"
            ));
        }
        let length = params.side_smoothing_length;
        if params.use_side_ref_pixels && !(2..2 * nir::SIZE).contains(&length) {
            return Err(Error::parameter(format!(
                "refpix: side_smoothing_length = {length} must be from 2 to {}",
                2 * nir::SIZE - 1
            )));
        }
        Ok(None)
    }

    fn uses(kind: &str, params: &Self::Params) -> bool {
        kind != "sirskernel" || params.refpix_algorithm == SideAlgorithm::Sirs
    }

    fn uses_for(kind: &str, meta: &Meta) -> bool {
        match kind {
            "sirskernel" => !meta.is_miri() && !is_pattern(meta),
            _ => is_pattern(meta),
        }
    }

    fn load(paths: &RefPaths, target: &Target, params: &Self::Params) -> Result<RefpixRefs> {
        let mut refs = RefpixRefs::default();
        if !target.meta.is_miri() && is_interleaved(target.shape.ny, target.shape.nx) {
            refs.irs2 = Some(irs2::Weights::load(paths.need("refpix")?)?);
            return Ok(refs);
        }
        if params.refpix_algorithm == SideAlgorithm::Sirs {
            match paths.get("sirskernel") {
                Some(path) => {
                    let detector = target.meta.need_str("DETECTOR")?;
                    refs.sirs = sirs::Kernels::load(path, detector, params)?;
                }
                None => tracing::warn!(
                    "refpix: no SIRSKERNEL reference applies; running medians are used"
                ),
            }
        }
        Ok(refs)
    }

    fn run(mut input: Ramp, refs: &RefpixRefs, params: &Self::Params, exec: &Exec) -> Result<Ramp> {
        if input.meta.is_miri() {
            return miri::correct_ramp(input, params, exec);
        }
        if let Some(weights) = &refs.irs2 {
            return irs2::correct_ramp(input, weights, params, exec);
        }
        let orientation = nir::Orientation::of(&input.meta)?;
        nir::correct_ramp(&mut input, orientation, refs.sirs.as_ref(), params, exec);
        Ok(input)
    }
}

/// A mean as numpy returns it: single precision, or double where all values were equal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mean {
    /// Of values in single precision.
    Single(f32),
    /// Taken in double precision.
    Double(f64),
}

impl Mean {
    /// Clipped mean of values in single precision, of which there must be one.
    pub fn of_f32(values: Vec<f32>, limit: f32) -> Self {
        // with equal values there is nothing to clip
        match values.first() {
            Some(first) if values.iter().all(|v| v == first) && first.is_finite() => {
                Self::Double(f64::from(*first))
            }
            _ => Self::Single(mean(&sigma_clip(values, limit, limit))),
        }
    }

    /// Clipped mean of values in double precision.
    pub fn of_f64(values: Vec<f64>, limit: f64) -> Self {
        match values.first() {
            Some(first) if values.iter().all(|v| v == first) && first.is_finite() => {
                Self::Double(*first)
            }
            _ => Self::Double(mean(&sigma_clip(values, limit, limit))),
        }
    }

    /// Half the sum, in the precision of the more precise one.
    #[must_use]
    pub fn average(self, other: Self) -> Self {
        match (self, other) {
            (Self::Single(a), Self::Single(b)) => Self::Single(0.5 * (a + b)),
            _ => Self::Double(0.5 * (self.wide() + other.wide())),
        }
    }

    /// The value in double precision.
    pub fn wide(self) -> f64 {
        match self {
            Self::Single(s) => f64::from(s),
            Self::Double(d) => d,
        }
    }

    /// `value` less this mean, taken in its precision and rounded.
    pub fn from(self, value: f32) -> f32 {
        match self {
            Self::Single(s) => value - s,
            Self::Double(d) => (f64::from(value) - d) as f32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_have_numpys_precision() {
        assert_eq!(
            Mean::of_f32(vec![0.1; 4], 3.0),
            Mean::Double(f64::from(0.1f32))
        );
        assert_eq!(Mean::of_f32(vec![1.0, 2.0], 3.0), Mean::Single(1.5));
        let nan = Mean::of_f32(vec![1.0, f32::NAN], 3.0);
        assert!(nan.wide().is_nan() && Mean::of_f64(vec![f64::NAN], 3.0).wide().is_nan());
        let (a, b) = (Mean::Single(0.1), Mean::Double(0.1));
        assert_eq!(a.average(a), Mean::Single(0.1));
        assert_eq!(a.average(b), Mean::Double(0.5 * (f64::from(0.1f32) + 0.1)));
        assert_eq!(
            (a.from(0.3), b.from(0.3)),
            (0.3 - 0.1, (f64::from(0.3f32) - 0.1) as f32)
        );
    }
}
