//! # master_background: subtract the spectrum of the background
//!
//! ## What
//! Combines the background members' spectra (`_x1d`) into one and subtracts from every pixel of the exposures its
//! value at the pixel's wavelength.
//!
//! ## Why
//! Where the background is smooth over the field, its spectrum is known far better than the background of one
//! pixel.
//!
//! ## Algorithm
//! 1. Of the MRS's spectra (and of NIRSpec's of extended sources, and where `BKGDTARG` is false) the column
//!    `BACKGROUND` is the surface brightness; else `SURF_BRIGHT`. Spectra without flux, and those whose
//!    wavelengths do not rise or fall throughout, are left out.
//! 2. Output wavelengths are the means of clumps of input wavelengths; every value goes to the nearest one. The
//!    means are weighted by exposure time (`EFFEXPTM`). Values flagged `DO_NOT_USE` and those without flux are
//!    left out.
//! 3. With `median_kernel` above 1 (even numbers less one) the running median of the spectrum is taken, zeros beyond
//!    its ends.
//! 4. The spectrum is interpolated linearly at each pixel's wavelength (0 beyond its ends and between slices), in
//!    double precision, rounded to single, and subtracted from `SCI`. `DQ` and errors stay as they are. In an exposure of NIRSpec
//!    calibrated for a point source (`SRCTYPE`) it is first multiplied by `PATHLOSS_UN` over `PATHLOSS_PS`, as the light of the background was
//!    not lost as a point's is.
//!
//! ## Parameters
//! `median_kernel`: see above. `user_background`: a spectrum (`_x1d`, or the combined one that this step saves) to
//! subtract instead, its `SURF_BRIGHT`; its name goes to `MASTERBG`. `save_background`: save the combined spectrum as
//! `OUT/<root>_masterbg1d.fits`, named after the first background, and the background of each exposure as
//! `OUT/<root>_masterbg2d.fits`. `force_subtract`: subtract even where a background has been subtracted before.
//! `output_use_model`: of no meaning here.
//!
//! ## Reference files
//! None.
//!
//! ## Skipped when
//! a background has been subtracted from one of the members (`S_BKDSUB` or `S_MSBSUB` is `COMPLETE`) and
//! `force_subtract` is off. There is no background at all: then the status is `FAILED`, as calwebb has it.
//!
//! ## Differs from jwst
//! - The saved files' names do not hold the association's identifier, and they have no ASDF extension.
//! - A background none of whose spectra can be used is an error; jwst stops with an exception.
//! - With a NIRSpec WCS that takes the number of the slice (`nrs_ifu_slice_wcs`) jwst subtracts nothing from the pixels that lie in the
//!   bounds of a later slice, too (0.03 % of those of G395H). Here they get the background of their wavelength as all others.
//!
//! ## References
//! jwst 3.0.0 `master_background`, `combine_1d`.

mod members;
mod save;
mod spectrum;

use std::path::{Path, PathBuf};

use crate::exec::Exec;
use crate::formats::fits::{Data, Image, Pixels};
use crate::math::interpolate::linear;
use crate::model::{Cal, Exposures, Meta};
use crate::steps::step::{Info, RefPaths, Status, Step, Target};
use crate::{Error, Result, wcs};
use spectrum::running_median;

crate::params! {
    /// Parameters of master_background.
    pub struct MasterBackgroundParams {
        /// Elements of the running median of the spectrum.
        median_kernel: i64 = 1,
        /// A spectrum to subtract instead of the members'.
        user_background: Option<String> = None,
        /// Save the combined spectrum and the background of each exposure.
        save_background: bool = false,
        /// Subtract even where a background has been subtracted before.
        force_subtract: bool = false,
        /// Of no meaning here.
        output_use_model: bool = true,
    }
}

/// Why the step is not done where there is no background.
const NO_BACKGROUND: &str = "there is no spectrum of the background";

/// The step.
pub struct MasterBackground;

/// What the step takes besides the association.
#[derive(Debug, Default)]
pub struct Given {
    /// The spectrum given by the user.
    user: Option<Curve>,
    /// Where to save backgrounds.
    folder: Option<PathBuf>,
}

/// A background's surface brightness over wavelength.
#[derive(Debug, Clone, Default, PartialEq)]
struct Curve {
    /// Micron, rising.
    wavelength: Vec<f64>,
    /// MJy/sr.
    surf_bright: Vec<f64>,
}

impl Curve {
    /// A curve in order of wavelength.
    fn new(wavelength: Vec<f64>, surf_bright: Vec<f64>) -> Self {
        let mut points: Vec<_> = wavelength.into_iter().zip(surf_bright).collect();
        if !points.windows(2).all(|w| w[1].0 - w[0].0 > 0.0) {
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        let (wavelength, surf_bright) = points.into_iter().unzip();
        Self {
            wavelength,
            surf_bright,
        }
    }

    /// The background at a wavelength: none beyond the ends.
    fn at(&self, lambda: f64) -> f64 {
        let inside = self.wavelength.first().is_some_and(|w| lambda >= *w)
            && self.wavelength.last().is_some_and(|w| lambda <= *w);
        match inside {
            true => linear(lambda, &self.wavelength, &self.surf_bright),
            false => 0.0,
        }
    }

    /// The background of each pixel, none between slices.
    fn expand(&self, cal: &Cal, exec: &Exec) -> Result<Vec<f32>> {
        let map = wcs::map_of(cal)?;
        let strip = exec.strip_rows(cal.ny) * cal.nx.max(1);
        let starts = (0..cal.sci.len()).step_by(strip).collect();
        let parts = exec.map(starts, |start: usize| {
            let range = start..(start + strip).min(cal.sci.len());
            // what is NaN is in no range
            let value = |p: usize| match map.ra[p].is_nan() {
                true => 0.0,
                false => self.at(map.lambda[p]) as f32,
            };
            range.map(value).collect::<Vec<f32>>()
        });
        Ok(parts.concat())
    }
}

/// The fractions of light that pass, of a point source and of a uniform one, that pathloss keeps in an exposure.
fn pathlosses(cal: &Cal) -> Option<[&[f32]; 2]> {
    let named = |name: &str| {
        let mut all = cal.extra.iter();
        let hdu = all.find(|h| h.header.str("EXTNAME") == Some(name))?;
        match &hdu.data {
            Data::Image(Image {
                pixels: Pixels::F32(values),
                ..
            }) if values.len() == cal.sci.len() => Some(values.as_slice()),
            _ => None,
        }
    };
    Some([named("PATHLOSS_PS")?, named("PATHLOSS_UN")?])
}

/// A uniform background as it is in an exposure that is calibrated for a point source.
fn as_of_a_point(background: &mut [f32], [point, uniform]: [&[f32]; 2]) {
    let fractions = uniform.iter().zip(point).map(|(u, p)| u / p);
    background
        .iter_mut()
        .zip(fractions)
        .for_each(|(b, f)| *b *= f);
}

/// Why nothing is subtracted where it has been before.
fn subtracted_before(input: &Exposures) -> Option<String> {
    let science = input.science.iter().map(|c| &c.meta);
    let metas: Vec<&Meta> = science
        .chain(input.background.iter().map(|b| &b.meta))
        .collect();
    let done = |m: &&&Meta| {
        ["S_BKDSUB", "S_MSBSUB"]
            .iter()
            .any(|k| m.str(k) == Some("COMPLETE"))
    };
    let (all, some) = (metas.len(), metas.iter().filter(done).count());
    let first = metas.iter().find(done)?.source.display();
    let ask = "force_subtract = true subtracts this one as well";
    Some(if some == all {
        format!("a background has been subtracted before; {ask}")
    } else {
        format!(
            "from {some} of {all} members ({first}) a background has been subtracted before; {ask}"
        )
    })
}

impl Step for MasterBackground {
    const INFO: Info = Info {
        name: "master_background",
        class: "MasterBackgroundStep",
        keyword: "S_MSBSUB",
        title: "Master Background Subtraction",
        skip: false,
        references: &[],
    };
    const SOURCE: &'static str = include_str!("mod.rs");
    const REFUSED: fn(String) -> Status = |why| match why.as_str() {
        NO_BACKGROUND => Status::Failed(why),
        _ => Status::Skipped(why),
    };
    type In = Exposures;
    type Out = Exposures;
    type Params = MasterBackgroundParams;
    type Refs = Given;

    fn not_applicable(input: &Exposures, params: &Self::Params) -> Result<Option<String>> {
        if !params.force_subtract
            && let Some(why) = subtracted_before(input)
        {
            return Ok(Some(why));
        }
        let none = input.background.is_empty() && user(params).is_none();
        Ok(none.then(|| NO_BACKGROUND.into()))
    }

    fn load(_: &RefPaths, target: &Target, params: &Self::Params) -> Result<Given> {
        let save = params.save_background;
        Ok(Given {
            user: user(params).map(members::curve_of).transpose()?,
            folder: save.then(|| target.out.clone().unwrap_or_default()),
        })
    }

    fn run(
        mut input: Exposures,
        given: &Given,
        params: &Self::Params,
        exec: &Exec,
    ) -> Result<Exposures> {
        let curve = match &given.user {
            Some(curve) => curve.clone(),
            None => {
                let mut combined = members::combined(&input.background)?;
                // even ones less one; 1 and below change nothing
                let width = params.median_kernel - i64::from(params.median_kernel % 2 == 0);
                if let Ok(width @ 2..) = usize::try_from(width) {
                    if width > 1_000_001 {
                        return Err(Error::parameter(format!(
                            "master_background: median_kernel = {width} is larger than any spectrum"
                        )));
                    }
                    combined.surf_bright = running_median(&combined.surf_bright, width);
                    combined.flux = running_median(&combined.flux, width);
                }
                if let (Some(folder), Some(first)) = (&given.folder, input.background.first()) {
                    let name = format!("{}_masterbg1d.fits", first.meta.root());
                    save::spectrum(&folder.join(name), first, &combined)?;
                }
                Curve::new(combined.wavelength, combined.surf_bright)
            }
        };
        for cal in &mut input.science {
            exec.check()?;
            let mut background = curve.expand(cal, exec)?;
            if !cal.meta.is_miri() && cal.meta.str("SRCTYPE") == Some("POINT") {
                match pathlosses(cal) {
                    Some(both) => as_of_a_point(&mut background, both),
                    None => tracing::warn!(
                        "master_background: {} has no PATHLOSS_PS and PATHLOSS_UN; the background is not adjusted to a point source",
                        cal.meta.source.display()
                    ),
                }
            }
            if let Some(folder) = &given.folder {
                let name = format!("{}_masterbg2d.fits", cal.meta.root());
                save::image(&folder.join(name), cal, &background)?;
            }
            for (sci, b) in cal.sci.iter_mut().zip(&background) {
                *sci -= b;
            }
            if let Some(name) = user(params).and_then(Path::file_name) {
                let name = name.to_string_lossy();
                let title = "        Background information";
                let comment = "Name of master background file";
                cal.meta
                    .set_in_block(title, "BKG", "MASTERBG", name.as_ref(), comment);
            }
        }
        Ok(input)
    }
}

/// The user's spectrum, where one is named.
fn user(params: &MasterBackgroundParams) -> Option<&Path> {
    let name = params.user_background.as_deref();
    name.filter(|n| !n.is_empty()).map(Path::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_put_in_order() {
        let curve = Curve::new(vec![3.0, 1.0, 2.0], vec![30.0, 10.0, 20.0]);
        assert_eq!(curve.wavelength, [1.0, 2.0, 3.0]);
        assert_eq!(curve.surf_bright, [10.0, 20.0, 30.0]);
        let at = [0.9, 1.0, 1.5, 3.0, 3.1, f64::NAN].map(|w| curve.at(w));
        assert_eq!(at, [0.0, 10.0, 15.0, 30.0, 0.0, 0.0]);
    }

    #[test]
    fn statuses_as_calwebb_has_them() {
        let params = MasterBackgroundParams::default();
        let mut input = Exposures {
            science: vec![crate::steps::spectral::members::tests::row(&[1.0])],
            background: Vec::new(),
        };
        let why = MasterBackground::not_applicable(&input, &params).unwrap();
        assert!(matches!(
            MasterBackground::REFUSED(why.unwrap()),
            Status::Failed(_)
        ));
        let primary = &mut input.science[0].meta.primary;
        primary.set("S_BKDSUB", "COMPLETE", "");
        let why = MasterBackground::not_applicable(&input, &params).unwrap();
        assert!(matches!(
            MasterBackground::REFUSED(why.unwrap()),
            Status::Skipped(_)
        ));
        let force = MasterBackgroundParams {
            force_subtract: true,
            user_background: Some("x1d.fits".into()),
            ..params
        };
        assert_eq!(
            MasterBackground::not_applicable(&input, &force).unwrap(),
            None
        );
    }
}
