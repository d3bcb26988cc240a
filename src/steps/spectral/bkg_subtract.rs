//! # bkg_subtract: subtract exposures of the background
//!
//! ## What
//! Averages the count rates of the background members of the association, outliers clipped, and subtracts
//! the average from the exposure.
//!
//! ## Why
//! Telescope, zodiacal light and detector leave a signal that an exposure of empty sky shows alone.
//!
//! ## Algorithm
//! 1. Pixel by pixel, in double precision: of the values of all backgrounds, those that are not finite are
//!    left out, then those beyond `sigma` standard deviations from the median, again and again until none is
//!    (or `maxiters` times).
//! 2. The background is the mean of what is left, 0 where nothing is. Its error is the square root of the
//!    sum of the squared `ERR` of the values kept over their number.
//! 3. `SCI -= background`; the flags of all backgrounds are set in `DQ`. `ERR` and variances stay.
//!
//! ## Parameters
//! `bkg_list`: `_rate` files of the background, used where the association has no background members.
//! `save_combined_background`: save the average as `OUT/<root>_combinedbackground.fits` (`SCI`, `DQ`, `ERR`).
//! `sigma`, `maxiters`: see above; 0 or none for no limit. The parameters `soss_*` and `wfss_*` are accepted
//! and belong to NIRISS SOSS and to slitless exposures, which this program does not reduce.
//!
//! ## Reference files
//! None (calwebb's `bkg` serves SOSS and slitless exposures).
//!
//! ## Skipped when
//! there is no background; a NIRSpec background was taken at another tilt of the grating wheel (`GWA_XTIL`,
//! `GWA_YTIL` differ by more than 1e-8).
//!
//! ## Differs from jwst
//! - A background of another instrument, detector, band, grating, filter or part of the detector is an error;
//!   jwst subtracts what overlaps.
//! - Backgrounds of each integration (`_rateints`) are an error; jwst stops with an exception, except for
//!   one integration.
//! - Wide-field slitless and SOSS exposures are an error.
//!
//! ## References
//! jwst 3.0.0 `background`; astropy 8.0 `sigma_clip`.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::{members, side_products};
use crate::exec::Exec;
use crate::formats::fits::{FitsFile, Header, Image};
use crate::math::sigma_clip::clip_bounds_within;
use crate::model::{Cal, Meta, Observation};
use crate::steps::step::{Info, RefPaths, Step, Target};
use crate::{Error, Result};

crate::params! {
    /// Parameters of bkg_subtract.
    pub struct BkgSubtractParams {
        /// Files of the background (_rate), where the association has none.
        bkg_list: Option<Vec<String>> = None,
        /// Save the averaged background.
        save_combined_background: bool = false,
        /// Clip values beyond this many standard deviations from the median.
        sigma: f64 = 3.0,
        /// Most rounds of clipping; none or 0 for no limit.
        maxiters: Option<i64> = None,
        /// Percentile of the flux above which pixels are source (NIRISS SOSS only).
        soss_source_percentile: f64 = 35.0,
        /// Percentiles of the background to use (NIRISS SOSS only).
        soss_bkg_percentile: Option<Vec<f64>> = None,
        /// Faintest AB magnitude of sources to mask (slitless only).
        wfss_mmag_extract: Option<f64> = None,
        /// File with a mask of sources (slitless only).
        wfss_mask: Option<String> = None,
        /// Most rounds of outlier rejection (slitless only).
        wfss_maxiter: i64 = 5,
        /// Improvement of the rms in per cent below which rejection ends (slitless only).
        wfss_rms_stop: f64 = 0.0,
        /// Per cent of values to reject in a round (slitless only).
        wfss_outlier_percent: f64 = 1.0,
    }
}

/// The step.
pub struct BkgSubtract;

/// What the step takes besides the association.
#[derive(Debug, Default)]
pub struct Listed {
    /// The images of `bkg_list`.
    background: Vec<Cal>,
    /// Where to save the average.
    save: Option<PathBuf>,
}

impl Listed {
    /// The backgrounds to use: the association's, else those listed.
    fn backgrounds<'a>(&'a self, input: &'a Observation) -> &'a [Cal] {
        if input.background.is_empty() {
            &self.background
        } else {
            &input.background
        }
    }
}

impl Step for BkgSubtract {
    const INFO: Info = Info {
        name: "bkg_subtract",
        class: "BackgroundStep",
        keyword: "S_BKDSUB",
        title: "Background Subtraction",
        skip: false,
        references: &[],
    };
    const SOURCE: &'static str = include_str!("bkg_subtract.rs");
    type In = Observation;
    type Out = Observation;
    type Params = BkgSubtractParams;
    type Refs = Listed;

    fn not_applicable(input: &Observation, params: &Self::Params) -> Result<Option<String>> {
        let meta = &input.science.meta;
        let kind = meta.str("EXP_TYPE").unwrap_or_default();
        if kind.ends_with("_WFSS") || kind == "NIS_SOSS" {
            return Err(Error::input_file(
                &meta.source,
                format!("EXP_TYPE = {kind}: slitless exposures have another kind of background"),
            ));
        }
        let listed = params.bkg_list.as_deref().unwrap_or_default();
        let none = input.background.is_empty() && listed.iter().all(String::is_empty);
        Ok(none.then(|| "there are no exposures of the background".into()))
    }

    fn load(_: &RefPaths, target: &Target, params: &Self::Params) -> Result<Listed> {
        let listed = params.bkg_list.as_deref().unwrap_or_default();
        let named = listed.iter().filter(|name| !name.is_empty());
        let name = format!("{}_combinedbackground.fits", target.meta.root());
        let save = params.save_combined_background;
        Ok(Listed {
            background: named
                .map(|name| read(name.as_ref()))
                .collect::<Result<_>>()?,
            save: save.then(|| target.out.clone().unwrap_or_default().join(name)),
        })
    }

    fn not_usable(input: &Observation, refs: &Listed, _: &Self::Params) -> Result<Option<String>> {
        let own = &input.science.meta;
        if own.str("INSTRUME") != Some("NIRSPEC") {
            return Ok(None);
        }
        for background in refs.backgrounds(input) {
            for keyword in ["GWA_XTIL", "GWA_YTIL"] {
                let (a, b) = (own.need_f64(keyword)?, background.meta.need_f64(keyword)?);
                if (a - b).abs() > 1e-8 {
                    return Ok(Some(format!(
                        "{keyword} of the background {} is {b} and of the exposure {a}",
                        background.meta.source.display()
                    )));
                }
            }
        }
        Ok(None)
    }

    fn run(
        mut input: Observation,
        refs: &Listed,
        params: &Self::Params,
        exec: &Exec,
    ) -> Result<Observation> {
        let rounds = match params.maxiters {
            None | Some(-1 | 0) => None,
            Some(n) => Some(usize::try_from(n).map_err(|_| {
                Error::parameter(format!("bkg_subtract: maxiters = {n} is negative"))
            })?),
        };
        let backgrounds = refs.backgrounds(&input);
        for background in backgrounds {
            members::check(&input.science, background)?;
        }
        let average = Average::of(backgrounds, params.sigma, rounds, exec);
        let science = &mut input.science;
        for (sci, b) in science.sci.iter_mut().zip(&average.sci) {
            *sci -= b;
        }
        for (dq, b) in science.dq.iter_mut().zip(&average.dq) {
            *dq |= b;
        }
        if let Some(path) = &refs.save {
            average.save(path, science.ny, science.nx)?;
        }
        Ok(input)
    }
}

/// The combined background.
#[derive(Debug, Default)]
struct Average {
    /// Mean.
    sci: Vec<f32>,
    /// Error of the mean.
    err: Vec<f32>,
    /// Flags of all members.
    dq: Vec<u32>,
}

impl Average {
    /// Combines images of one shape, strip by strip.
    fn of(members: &[Cal], sigma: f64, rounds: Option<usize>, exec: &Exec) -> Self {
        let Some(first) = members.first() else {
            return Self::default();
        };
        let strip = exec.strip_rows(first.ny) * first.nx.max(1);
        let starts = (0..first.sci.len()).step_by(strip).collect();
        let parts = exec.map(starts, |start| {
            let range = start..(start + strip).min(first.sci.len());
            let values: Vec<&[f32]> = members.iter().map(|m| &m.sci[range.clone()]).collect();
            let errors: Vec<&[f32]> = members.iter().map(|m| &m.err[range.clone()]).collect();
            average(&values, &errors, sigma, rounds)
        });
        let mut out = Self::default();
        for (sci, err) in parts {
            out.sci.extend(sci);
            out.err.extend(err);
        }
        out.dq = vec![0; out.sci.len()];
        for member in members {
            for (dq, m) in out.dq.iter_mut().zip(&member.dq) {
                *dq |= m;
            }
        }
        out
    }

    /// Writes the average as calwebb does, with no more of a header.
    fn save(self, path: &Path, ny: usize, nx: usize) -> Result<()> {
        let axes = [ny, nx];
        let images = vec![
            ("SCI", Header::new(), Image::new(&axes, self.sci)),
            ("DQ", Header::new(), Image::new(&axes, self.dq)),
            ("ERR", Header::new(), Image::new(&axes, self.err)),
        ];
        side_products::write(path, Header::new(), "ImageModel", images)
    }
}

/// Clipped mean of every pixel and its error, from each member's values and errors.
fn average(
    values: &[&[f32]],
    errors: &[&[f32]],
    sigma: f64,
    rounds: Option<usize>,
) -> (Vec<f32>, Vec<f32>) {
    let n = values.first().map_or(0, |v| v.len());
    let mut finite = Vec::with_capacity(values.len());
    (0..n)
        .map(|p| {
            finite.clear();
            let numbers = values.iter().map(|v| f64::from(v[p]));
            finite.extend(numbers.filter(|v| v.is_finite()));
            let (low, high) = clip_bounds_within(&mut finite, sigma, rounds);
            let (mut sum, mut squares, mut count) = (0.0, 0.0, 0.0);
            for (value, error) in values.iter().zip(errors) {
                let v = f64::from(value[p]);
                // a bound that is NaN clips nothing
                if v.is_finite() && !(v < low || v > high) {
                    sum += v;
                    squares += f64::from(error[p] * error[p]);
                    count += 1.0;
                }
            }
            if count == 0.0 {
                (0.0, 0.0)
            } else {
                ((sum / count) as f32, (f64::sqrt(squares) / count) as f32)
            }
        })
        .unzip()
}

/// Reads what is needed of a background: values, errors, flags.
fn read(path: &Path) -> Result<Cal> {
    let file = FitsFile::open(path)?;
    let sci = file.need("SCI")?;
    let shape = file.shape(sci)?.to_vec();
    let [ny, nx] = *shape else {
        return Err(Error::input_file(
            path,
            format!(
                "SCI has {} axes; a background has 2 (give _rate)",
                shape.len()
            ),
        ));
    };
    let need = |name: &str| -> Result<usize> {
        let i = file.need(name)?;
        match file.shape(i)? {
            other if other == shape => Ok(i),
            other => Err(Error::format(
                path,
                format!("{name} has shape {other:?} and SCI {shape:?}"),
            )),
        }
    };
    Ok(Cal {
        meta: Meta {
            source: path.into(),
            primary: file.hdus()[0].header.clone(),
            sci: file.hdus()[sci].header.clone(),
            history: None,
        },
        ny,
        nx,
        sci: file.all(sci)?,
        err: file.all(need("ERR")?)?,
        dq: file.all(need("DQ")?)?,
        var_poisson: Vec::new(),
        var_rnoise: Vec::new(),
        var_flat: None,
        wcs: None,
        spectral_region: None,
        map: OnceLock::new(),
        extra: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::members::tests::row;
    use super::*;

    fn run(sci: &[f32], backgrounds: &[&[f32]], params: &BkgSubtractParams) -> Cal {
        let input = Observation {
            science: row(sci),
            background: backgrounds.iter().map(|b| row(b)).collect(),
            selfcal: Vec::new(),
            imprint: Vec::new(),
        };
        let exec = Exec::new(Some(1)).unwrap();
        BkgSubtract::run(input, &Listed::default(), params, &exec)
            .unwrap()
            .science
    }

    #[test]
    fn values_that_are_not_finite_are_left_out() {
        let nan = f32::NAN;
        let inf = f32::INFINITY;
        let out = run(
            &[5.0, 5.0, nan, 5.0],
            &[&[1.0, nan, 1.0, nan], &[3.0, 2.0, 1.0, inf]],
            &BkgSubtractParams::default(),
        );
        assert_eq!(out.sci[..2], [3.0, 3.0]);
        assert!(out.sci[2].is_nan());
        assert_eq!(out.sci[3], 5.0, "no background, nothing subtracted");
        assert_eq!(out.err, [1.0; 4]);
    }

    #[test]
    fn outliers_are_clipped_and_flags_joined() {
        let mut params = BkgSubtractParams {
            sigma: 1.2,
            ..BkgSubtractParams::default()
        };
        let members: Vec<[f32; 1]> = [1.0, 2.0, 1.5, 1.5, 100.0].map(|v| [v]).to_vec();
        let members: Vec<&[f32]> = members.iter().map(|v| v.as_slice()).collect();
        // one round keeps 1 to 2, the next ones only 1.5
        assert_eq!(run(&[10.0], &members, &params).sci, [8.5]);
        params.maxiters = Some(1);
        assert_eq!(run(&[10.0], &members, &params).sci, [8.5]);
        params.sigma = 5.0;
        assert_eq!(run(&[110.0], &members, &params).sci, [88.8]);
        params.maxiters = Some(-3);
        let input = Observation {
            science: row(&[1.0]),
            background: vec![row(&[1.0])],
            selfcal: Vec::new(),
            imprint: Vec::new(),
        };
        let exec = Exec::new(Some(1)).unwrap();
        let said = BkgSubtract::run(input, &Listed::default(), &params, &exec);
        assert!(said.unwrap_err().to_string().contains("maxiters"));
    }

    #[test]
    fn errors_of_the_mean() {
        let (values, errors) = ([[2.0f32], [4.0], [f32::NAN]], [[3.0f32], [4.0], [9.0]]);
        let values: Vec<&[f32]> = values.iter().map(|v| v.as_slice()).collect();
        let errors: Vec<&[f32]> = errors.iter().map(|v| v.as_slice()).collect();
        assert_eq!(average(&values, &errors, 3.0, None), (vec![3.0], vec![2.5]));
    }

    #[test]
    fn other_exposures_are_refused_and_none_is_a_skip() {
        let params = BkgSubtractParams::default();
        let mut input = Observation {
            science: row(&[1.0]),
            background: Vec::new(),
            selfcal: Vec::new(),
            imprint: Vec::new(),
        };
        assert!(
            BkgSubtract::not_applicable(&input, &params)
                .unwrap()
                .is_some()
        );
        let listed = BkgSubtractParams {
            bkg_list: Some(vec![String::new()]),
            ..params.clone()
        };
        assert!(
            BkgSubtract::not_applicable(&input, &listed)
                .unwrap()
                .is_some()
        );
        input.background.push(row(&[1.0]));
        assert_eq!(BkgSubtract::not_applicable(&input, &params).unwrap(), None);
        input.science.meta.primary.set("EXP_TYPE", "NIS_SOSS", "");
        assert!(BkgSubtract::not_applicable(&input, &params).is_err());
    }

    #[test]
    fn a_nirspec_background_of_another_tilt_is_not_used() {
        let with = |tilt: f64| {
            let mut cal = row(&[1.0]);
            cal.meta.primary.set("INSTRUME", "NIRSPEC", "");
            cal.meta.primary.set("GWA_XTIL", tilt, "");
            cal.meta.primary.set("GWA_YTIL", 0.1, "");
            cal
        };
        let why = |tilt: f64| {
            let input = Observation {
                science: with(0.35),
                background: vec![with(tilt)],
                selfcal: Vec::new(),
                imprint: Vec::new(),
            };
            BkgSubtract::not_usable(&input, &Listed::default(), &BkgSubtractParams::default())
                .unwrap()
        };
        assert_eq!(why(0.35 + 5e-9), None);
        assert!(why(0.36).is_some_and(|w| w.contains("GWA_XTIL")));
    }
}
