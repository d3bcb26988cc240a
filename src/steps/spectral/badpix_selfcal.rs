//! # badpix_selfcal: find bad pixels in the exposures themselves
//!
//! ## What
//! Flags pixels that are unusually bright or dark in every exposure of the association.
//!
//! ## Why
//! Warm pixels change with time, and the reference mask misses some of them. The sky moves between
//! exposures, they do not.
//!
//! ## Algorithm
//! 1. The exposure, the selfcal and the background members each lose their pedestal (MIRI MRS: the median of
//!    the pixels between the channels); of all of them the smallest value of each pixel is taken.
//! 2. The running median along the dispersion (`DISPAXIS`; in both directions where it is not known) over
//!    `kernel_size` pixels is subtracted. NaN is left out; beyond the edge there are zeros.
//! 3. Pixels below the quantile `flagfrac_lower` or above 1 - `flagfrac_upper` of what is left are bad: in
//!    the exposure and in the background members all arrays become NaN there, and `DQ` gets `DO_NOT_USE` and
//!    `OTHER_BAD_PIXEL`.
//!
//! ## Parameters
//! See above. `force_single`: find bad pixels with the exposure alone where there are no others.
//! `save_flagged_bkg`: save the flagged background members as `OUT/<root>_badpix_selfcal_bkg_<i>.fits`, named
//! after the exposure.
//!
//! ## Reference files
//! None.
//!
//! ## Skipped when
//! it is not asked for; there are no selfcal and no background members (but see `force_single`).
//!
//! ## Differs from jwst
//! - A member of another detector, band or part of the detector, and an even `kernel_size`, are errors; jwst
//!   mixes the bands, and stops with an exception.
//! - `save_flagged_bkg` saves always; in jwst only where the step's own product is saved. The files hold no
//!   ASDF extension.
//!
//! ## References
//! jwst 3.0.0 `badpix_selfcal`.

use std::path::PathBuf;

use super::{members, side_products};
use crate::exec::Exec;
use crate::math::median::median_f32;
use crate::math::median_filter::nan_median_rows;
use crate::math::percentile::nan_quantile_f32;
use crate::model::{Cal, Observation, dq};
use crate::steps::step::{Info, RefPaths, Step, Target};
use crate::{Error, Result};

crate::params! {
    /// Parameters of badpix_selfcal.
    pub struct BadpixSelfcalParams {
        /// Fraction of pixels to flag at the faint end (0 to 0.5).
        flagfrac_lower: f64 = 0.001,
        /// Fraction of pixels to flag at the bright end (0 to 0.5).
        flagfrac_upper: f64 = 0.001,
        /// Pixels of the running median (odd).
        kernel_size: i64 = 15,
        /// Use the exposure alone where there are no other members.
        force_single: bool = false,
        /// Save the flagged background members.
        save_flagged_bkg: bool = false,
    }
}

/// Rows and columns between MRS channels that see no light: first and one past the last row and column.
const PEDESTAL: [(&str, [usize; 4]); 2] = [
    ("MIRIFULONG", [50, 974, 474, 507]),
    ("MIRIFUSHORT", [50, 974, 503, 516]),
];

/// The step.
pub struct BadpixSelfcal;

/// Where the flagged backgrounds are saved: folder and the beginning of their names.
#[derive(Debug)]
pub struct Save(Option<(PathBuf, String)>);

impl Step for BadpixSelfcal {
    const INFO: Info = Info {
        name: "badpix_selfcal",
        class: "BadpixSelfcalStep",
        keyword: "S_BPXSLF",
        title: "Bad Pixel Self-Calibration",
        skip: true,
        references: &[],
    };
    const SOURCE: &'static str = include_str!("badpix_selfcal.rs");
    type In = Observation;
    type Out = Observation;
    type Params = BadpixSelfcalParams;
    type Refs = Save;

    fn not_applicable(input: &Observation, params: &Self::Params) -> Result<Option<String>> {
        let alone = input.background.is_empty() && input.selfcal.is_empty();
        Ok((alone && !params.force_single).then(|| {
            "there are no selfcal or background exposures (force_single = true takes the exposure alone)"
                .into()
        }))
    }

    fn load(_: &RefPaths, target: &Target, params: &Self::Params) -> Result<Save> {
        Ok(Save(params.save_flagged_bkg.then(|| {
            (target.out.clone().unwrap_or_default(), target.meta.root())
        })))
    }

    fn run(
        mut input: Observation,
        save: &Save,
        params: &Self::Params,
        exec: &Exec,
    ) -> Result<Observation> {
        let rules = Rules::of(params, &input.science)?;
        let others: Vec<&Cal> = input.selfcal.iter().chain(&input.background).collect();
        for other in &others {
            members::check(&input.science, other)?;
        }
        let darkest = darkest(&input.science, &others);
        let bad = rules.find(&darkest, input.science.nx, exec);
        tracing::info!("badpix_selfcal: {} bad pixels", bad.len());
        flag(&mut input.science, &bad);
        for background in &mut input.background {
            flag(background, &bad);
        }
        if let Save(Some((folder, root))) = save {
            for (i, background) in input.background.iter().enumerate() {
                let name = format!("{root}_badpix_selfcal_bkg_{i}.fits");
                side_products::write_cal(&folder.join(name), background)?;
            }
        }
        Ok(input)
    }
}

/// What counts as bad.
struct Rules {
    /// Rows and columns of the running median.
    window: (usize, usize),
    /// Quantiles between which values are good.
    good: (f64, f64),
}

impl Rules {
    fn of(params: &BadpixSelfcalParams, science: &Cal) -> Result<Self> {
        let bad = |what: String| Error::parameter(format!("badpix_selfcal: {what}"));
        for (name, value) in [
            ("flagfrac_lower", params.flagfrac_lower),
            ("flagfrac_upper", params.flagfrac_upper),
        ] {
            if !(0.0..=0.5).contains(&value) {
                return Err(bad(format!("{name} = {value} is not in 0 to 0.5")));
            }
        }
        let size = params.kernel_size;
        let kernel = usize::try_from(size)
            .ok()
            .filter(|k| k % 2 == 1 && *k < 10_000)
            .ok_or_else(|| {
                bad(format!(
                    "kernel_size = {size} is not an odd number in 1 to 9999"
                ))
            })?;
        let window = match science.meta.i64("DISPAXIS") {
            Some(1) => (1, kernel),
            Some(2) => (kernel, 1),
            None => (kernel, kernel),
            Some(other) => {
                return Err(Error::input_file(
                    &science.meta.source,
                    format!("DISPAXIS = {other}; it must be 1 or 2"),
                ));
            }
        };
        // by way of per cent, as calwebb
        let fraction = |f: f64| f * 100.0 / 100.0;
        Ok(Self {
            window,
            good: (
                fraction(params.flagfrac_lower),
                fraction(1.0 - params.flagfrac_upper),
            ),
        })
    }

    /// Indices of bad pixels of an image with `nx` columns.
    fn find(&self, image: &[f32], nx: usize, exec: &Exec) -> Vec<usize> {
        let ny = image.len().checked_div(nx).unwrap_or(0);
        let strip = exec.strip_rows(ny);
        let starts = (0..ny).step_by(strip).collect();
        let smooth = exec.map(starts, |first: usize| {
            let rows = first..(first + strip).min(ny);
            nan_median_rows(image, nx, rows, self.window.0, self.window.1, 0.0)
        });
        let smooth = smooth.into_iter().flatten();
        let residual: Vec<f32> = image.iter().zip(smooth).map(|(v, s)| v - s).collect();
        let quantile = |q: f64| nan_quantile_f32(&mut residual.clone(), q);
        let (low, high) = exec.join(|| quantile(self.good.0), || quantile(self.good.1));
        let beyond = |v: f32| f64::from(v) > high || f64::from(v) < low;
        (0..residual.len())
            .filter(|p| beyond(residual[*p]))
            .collect()
    }
}

/// The smallest value of each pixel over the exposures without their pedestals; NaN where all are.
fn darkest(science: &Cal, others: &[&Cal]) -> Vec<f32> {
    let detector = science.meta.str("DETECTOR").unwrap_or_default();
    let region = PEDESTAL.iter().find(|p| p.0.eq_ignore_ascii_case(detector));
    let mut out = vec![f32::NAN; science.sci.len()];
    for cal in [science].iter().chain(others) {
        let pedestal = region.map_or(0.0, |(_, region)| pedestal(cal, region));
        for (least, value) in out.iter_mut().zip(&cal.sci) {
            // the smaller one, or the one that is not NaN
            *least = least.min(value - pedestal);
        }
    }
    out
}

/// Median of a region of an image, NaN left out.
fn pedestal(cal: &Cal, &[y0, y1, x0, x1]: &[usize; 4]) -> f32 {
    let rows = y0.min(cal.ny)..y1.min(cal.ny);
    let columns = x0.min(cal.nx)..x1.min(cal.nx);
    let values = rows.flat_map(|y| &cal.sci[y * cal.nx..][columns.clone()]);
    let mut values: Vec<f32> = values.copied().filter(|v| !v.is_nan()).collect();
    median_f32(&mut values)
}

/// Makes pixels bad.
fn flag(cal: &mut Cal, bad: &[usize]) {
    for &p in bad {
        cal.dq[p] |= dq::DO_NOT_USE | dq::OTHER_BAD_PIXEL;
    }
    let arrays = [
        Some(&mut cal.sci),
        Some(&mut cal.err),
        Some(&mut cal.var_poisson),
        Some(&mut cal.var_rnoise),
        cal.var_flat.as_mut(),
    ];
    for array in arrays.into_iter().flatten() {
        bad.iter().for_each(|&p| array[p] = f32::NAN);
    }
}

#[cfg(test)]
mod tests {
    use super::super::members::tests::row;
    use super::*;

    fn image(values: &[f32]) -> Cal {
        let mut cal = row(values);
        cal.meta.sci.set("DISPAXIS", 1i64, "");
        cal
    }

    fn run(science: Cal, selfcal: Vec<Cal>, background: Vec<Cal>) -> Observation {
        let params = BadpixSelfcalParams {
            kernel_size: 3,
            flagfrac_lower: 0.0,
            flagfrac_upper: 0.01,
            ..BadpixSelfcalParams::default()
        };
        let input = Observation {
            science,
            background,
            selfcal,
            imprint: Vec::new(),
        };
        BadpixSelfcal::run(input, &Save(None), &params, &Exec::new(Some(1)).unwrap()).unwrap()
    }

    #[test]
    fn what_is_bright_in_every_exposure_is_bad() {
        let mut values = vec![1.0; 60];
        values[20] = 50.0;
        values[40] = 90.0;
        let mut other = vec![2.0; 60];
        other[20] = 60.0;
        other[7] = f32::NAN;
        let out = run(image(&values), vec![image(&other)], vec![image(&values)]);
        // the source of pixel 40 is not in the selfcal exposure
        let bad = |c: &Cal| (0..60).filter(|p| c.dq[*p] != 0).collect::<Vec<_>>();
        assert_eq!(bad(&out.science), [20]);
        assert_eq!(out.science.dq[20], dq::DO_NOT_USE | dq::OTHER_BAD_PIXEL);
        assert!(out.science.sci[20].is_nan() && out.science.var_rnoise[20].is_nan());
        assert_eq!(bad(&out.background[0]), [20]);
        assert_eq!(bad(&out.selfcal[0]), [0usize; 0]);
    }

    #[test]
    fn the_pedestal_is_the_median_between_channels() {
        let mut cal = row(&[]);
        (cal.ny, cal.nx) = (60, 520);
        cal.sci = (0..60 * 520)
            .map(|p| {
                if p % 520 == 505 {
                    f32::NAN
                } else {
                    (p / 520) as f32
                }
            })
            .collect();
        assert_eq!(pedestal(&cal, &PEDESTAL[1].1), 54.5);
        assert!(pedestal(&row(&[1.0]), &PEDESTAL[0].1).is_nan());
    }

    #[test]
    fn only_with_other_members_or_by_force() {
        let mut input = Observation {
            science: row(&[1.0]),
            background: Vec::new(),
            selfcal: Vec::new(),
            imprint: Vec::new(),
        };
        let mut params = BadpixSelfcalParams::default();
        let skipped = |i: &Observation, p: &BadpixSelfcalParams| {
            BadpixSelfcal::not_applicable(i, p).unwrap().is_some()
        };
        assert!(skipped(&input, &params));
        params.force_single = true;
        assert!(!skipped(&input, &params));
        params.force_single = false;
        input.selfcal.push(row(&[1.0]));
        assert!(!skipped(&input, &params));
    }

    #[test]
    fn impossible_parameters_are_refused() {
        for params in [
            BadpixSelfcalParams {
                kernel_size: 4,
                ..BadpixSelfcalParams::default()
            },
            BadpixSelfcalParams {
                flagfrac_upper: 0.7,
                ..BadpixSelfcalParams::default()
            },
        ] {
            assert!(Rules::of(&params, &row(&[1.0])).is_err());
        }
        let mut sideways = row(&[1.0]);
        sideways.meta.sci.set("DISPAXIS", 3i64, "");
        assert!(Rules::of(&BadpixSelfcalParams::default(), &sideways).is_err());
    }
}
