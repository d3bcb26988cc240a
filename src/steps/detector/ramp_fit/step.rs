//! The step: parameters, reference files, and the choice of the fit.

use serde::{Deserialize, Serialize};

use super::exposure::{ExposureFit, Method, scan};
use super::groups::select_groups;
use super::likely::MIN_GROUPS;
use super::timing::Timing;
use super::views::Detector;
use crate::exec::Exec;
use crate::formats::fits::Hdu;
use crate::model::reference::RefFits;
use crate::model::{Meta, Ramp};
use crate::steps::step::{Fit, Info, Optional, RefPaths, Reference, Step, Target};
use crate::{Error, Result};

/// How ramps are fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// Least squares with optimal weights.
    #[serde(rename = "OLS_C")]
    Ols,
    /// Likelihood of the group differences.
    #[serde(rename = "LIKELY")]
    Likely,
}

crate::params! {
    /// Parameters of ramp_fit.
    pub struct RampFitParams {
        /// OLS_C (least squares) or LIKELY (likelihood of the group differences; needs 4 groups, or falls back to OLS_C).
        algorithm: Algorithm = Algorithm::Ols,
        /// Accepted and without effect, as in calwebb.
        int_name: String = String::new(),
        /// Also make the optional product (fitopt; likely_chisq for LIKELY).
        save_opt: bool = false,
        /// Name of the optional product, in place of the exposure's.
        opt_name: String = String::new(),
        /// Give no rate to an integration's ramp that has only one good group (OLS_C only).
        suppress_one_group: bool = true,
        /// Ignore groups before this one, counted from 0.
        firstgroup: Option<i64> = None,
        /// Ignore groups after this one, counted from 0.
        lastgroup: Option<i64> = None,
        /// Accepted and without effect: the number of threads is set for the whole run.
        maximum_cores: String = "1".into(),
    }
}

/// Reference data of ramp_fit, `[row][column]`.
#[derive(Debug, Clone)]
pub struct RampFitRefs {
    /// Gain in electrons/DN.
    pub gain: Vec<f32>,
    /// Noise of the difference of two frames (CDS) in DN.
    pub readnoise: Vec<f32>,
    /// `GAINFACT` of the gain file, which gain_scale applies.
    pub gain_factor: Option<f64>,
}

/// The step.
pub struct RampFit;

impl Step for RampFit {
    const INFO: Info = Info {
        name: "ramp_fit",
        class: "RampFitStep",
        keyword: "S_RAMP",
        title: "Ramp Fitting",
        skip: false,
        references: &[
            Reference {
                kind: "readnoise",
                required: true,
            },
            Reference {
                kind: "gain",
                required: true,
            },
        ],
    };
    const SOURCE: &'static str = include_str!("mod.rs");
    type In = Ramp;
    type Out = Fit;
    type Params = RampFitParams;
    type Refs = RampFitRefs;

    fn load(paths: &RefPaths, target: &Target, _: &RampFitParams) -> Result<RampFitRefs> {
        let window = target.window()?;
        let gain = RefFits::open("gain", paths.need("gain")?)?;
        let readnoise = RefFits::open("readnoise", paths.need("readnoise")?)?;
        Ok(RampFitRefs {
            gain_factor: gain.header().f64("GAINFACT"),
            gain: gain.image("SCI", window)?,
            readnoise: readnoise.image("SCI", window)?,
        })
    }

    fn run(
        mut input: Ramp,
        refs: &RampFitRefs,
        params: &RampFitParams,
        exec: &Exec,
    ) -> Result<Fit> {
        let source = input.meta.source.clone();
        set_gain_factor(&mut input.meta, refs);
        let timing = timing(&input.meta)?;
        let method = method(&input, params, exec).map_err(|e| e.with_path(&source))?;
        let detector = Detector {
            gain: &refs.gain,
            readnoise: &refs.readnoise,
        };
        let (suffix, model) = match method {
            Method::Likely { .. } => ("likely_chisq", "ImageModel"),
            Method::Ols { .. } => ("fitopt", "RampFitOutputModel"),
        };
        let (mut rateints, fitted) = ExposureFit::whole(&input, &timing, method, detector, exec)?;
        let is_times = |h: &Hdu| h.header.str("EXTNAME") == Some("INT_TIMES");
        rateints.extra = input.extra.into_iter().filter(is_times).collect();
        Ok(Fit {
            rate: fitted.rate,
            rateints,
            opt: fitted.opt.map(|product| Optional {
                suffix,
                name: Some(params.opt_name.clone()).filter(|n| !n.is_empty()),
                model,
                product,
            }),
        })
    }
}

/// Passes the gain factor on to gain_scale.
pub fn set_gain_factor(meta: &mut Meta, refs: &RampFitRefs) {
    if let Some(factor) = refs.gain_factor {
        meta.primary
            .set_after("SCA_NUM", "GAINFACT", factor, "Gain scale factor");
    }
}

/// The readout timing of an exposure.
///
/// # Errors
/// [`Error::Input`] where `TFRAME`, `TGROUP`, `NFRAMES` or `GROUPGAP` is missing or impossible.
pub fn timing(meta: &Meta) -> Result<Timing> {
    let whole = |keyword: &str, value: i64| {
        u32::try_from(value).map_err(|_| {
            Error::input_file(
                &meta.source,
                format!("keyword {keyword} = {value} is no possible number of frames"),
            )
        })
    };
    let seconds = |keyword: &str| {
        let value = meta.need_f64(keyword)?;
        if value > 0.0 && value.is_finite() {
            return Ok(value);
        }
        Err(Error::input_file(
            &meta.source,
            format!("keyword {keyword} = {value} must be a time above 0"),
        ))
    };
    Ok(Timing {
        frame_time: seconds("TFRAME")?,
        group_time: seconds("TGROUP")?,
        nframes: whole("NFRAMES", meta.need_count("NFRAMES")? as i64)?,
        groupgap: whole("GROUPGAP", meta.need_i64("GROUPGAP")?)?,
        drop_frames1: whole("DRPFRMS1", meta.i64("DRPFRMS1").unwrap_or(0))?,
    })
}

/// The kind of fit these parameters ask for, for an exposure in one piece.
///
/// # Errors
/// [`Error::Science`] where no ramp can be fitted.
pub fn method(ramp: &Ramp, params: &RampFitParams, exec: &Exec) -> Result<Method> {
    let ngroups = ramp.shape.ngroups;
    let selected = select_groups(params.firstgroup, params.lastgroup, ngroups);
    let save_opt = params.save_opt;
    if params.algorithm == Algorithm::Likely {
        if ngroups >= MIN_GROUPS {
            return Ok(Method::Likely { selected, save_opt });
        }
        tracing::info!(
            "ramp_fit: LIKELY needs {MIN_GROUPS} groups and there are {ngroups}; using OLS_C"
        );
    }
    let plan = scan(ramp, selected, params.suppress_one_group, exec).plan(ramp.meta.is_miri())?;
    Ok(Method::Ols { plan, save_opt })
}
