//! Parameters of extract_1d, with calwebb's names and defaults.
//!
//! Those of slits, slitless modes and NIRISS SOSS are accepted and not used, as calwebb does for cubes.

use crate::{Error, Result};

crate::params! {
    /// Parameters of extract_1d (calwebb 3.0.0).
    pub struct Extract1dParams {
        /// Subtract the background of point sources; unset for what the extract1d reference says.
        subtract_background: Option<bool> = None,
        /// Apply aperture corrections to point sources.
        apply_apcorr: bool = true,
        /// Accepted and not used for cubes (box or optimal extraction).
        extraction_type: String = "box".to_owned(),
        /// Accepted and not used for cubes.
        use_source_posn: Option<bool> = None,
        /// Accepted and not used for cubes.
        position_offset: f64 = 0.0,
        /// Accepted and not used for cubes.
        model_nod_pair: bool = true,
        /// Accepted and not used for cubes.
        optimize_psf_location: bool = true,
        /// Accepted and not used for cubes.
        smoothing_length: Option<i64> = None,
        /// Accepted and not used for cubes (poly, mean or median).
        bkg_fit: Option<String> = None,
        /// Accepted and not used for cubes.
        bkg_order: Option<i64> = None,
        /// Accepted and not used for cubes.
        log_increment: i64 = 50,
        /// Accepted and not used for cubes.
        save_profile: bool = false,
        /// Accepted and not used for cubes.
        save_scene_model: bool = false,
        /// Accepted and not used for cubes.
        save_residual_image: bool = false,
        /// Column and row of the centre of a point source's aperture, pixels from 0; unset for the target's.
        center_xy: Option<Vec<f64>> = None,
        /// Centre the aperture on the brightest source found in the cube.
        ifu_autocen: bool = false,
        /// Threshold, sigma, by which outliers are left out of the background.
        bkg_sigma_clip: f64 = 3.0,
        /// Correct residual fringes of the spectra (MIRI MRS, cubes of a single band).
        ifu_rfcorr: bool = true,
        /// Source type to use in place of the cube's (MIRI MRS): POINT or EXTENDED.
        ifu_set_srctype: Option<String> = None,
        /// Radius of a point source's aperture in units of the PSF's FWHM, 0.5 to 3 (MIRI MRS); unset for
        /// that of the extract1d reference, which is 2.
        ifu_rscale: Option<f64> = None,
        /// Factor on all errors, for the covariance between neighbouring spaxels.
        ifu_covar_scale: f64 = 1.0,
        /// Accepted and not used for cubes.
        soss_atoca: bool = true,
        /// Accepted and not used for cubes.
        soss_threshold: f64 = 1e-2,
        /// Accepted and not used for cubes.
        soss_n_os: i64 = 2,
        /// Accepted and not used for cubes.
        soss_wave_grid_in: Option<String> = None,
        /// Accepted and not used for cubes.
        soss_wave_grid_out: Option<String> = None,
        /// Accepted and not used for cubes.
        soss_estimate: Option<String> = None,
        /// Accepted and not used for cubes.
        soss_rtol: f64 = 1.0e-4,
        /// Accepted and not used for cubes.
        soss_max_grid_size: i64 = 20000,
        /// Accepted and not used for cubes.
        soss_tikfac: Option<f64> = None,
        /// Accepted and not used for cubes.
        soss_width: f64 = 40.0,
        /// Accepted and not used for cubes (model or masking).
        soss_bad_pix: String = "masking".to_owned(),
        /// Accepted and not used for cubes.
        soss_modelname: Option<String> = None,
        /// Accepted and not used for cubes.
        soss_order_3: bool = true,
    }
}

impl Extract1dParams {
    /// Refuses impossible values.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn check(&self) -> Result<()> {
        let choice = |name: &str, value: Option<&str>, choices: &[&str]| match value {
            Some(v) if !choices.contains(&v) => Err(Error::parameter(format!(
                "extract_1d: {name} = {v}; it can be {}",
                choices.join(", ")
            ))),
            _ => Ok(()),
        };
        choice(
            "extraction_type",
            Some(&self.extraction_type),
            &["box", "optimal"],
        )?;
        choice(
            "bkg_fit",
            self.bkg_fit.as_deref(),
            &["poly", "mean", "median"],
        )?;
        choice(
            "soss_bad_pix",
            Some(&self.soss_bad_pix),
            &["model", "masking"],
        )?;
        choice(
            "ifu_set_srctype",
            self.ifu_set_srctype.as_deref(),
            &["POINT", "EXTENDED"],
        )?;
        if self.ifu_rscale.is_some_and(|r| !(0.5..=3.0).contains(&r)) {
            return Err(Error::parameter(
                "extract_1d: ifu_rscale must be between 0.5 and 3",
            ));
        }
        if self.bkg_order.is_some_and(|o| o < 0) {
            return Err(Error::parameter(
                "extract_1d: bkg_order must not be negative",
            ));
        }
        let finite = |v: &Vec<f64>| v.len() == 2 && v.iter().all(|c| c.is_finite());
        if self.center_xy.as_ref().is_some_and(|v| !finite(v)) {
            return Err(Error::parameter(
                "extract_1d: center_xy must be two numbers, column and row",
            ));
        }
        for (name, value) in [
            ("bkg_sigma_clip", self.bkg_sigma_clip),
            ("ifu_covar_scale", self.ifu_covar_scale),
        ] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(Error::parameter(format!(
                    "extract_1d: {name} = {value} must be a number of at least 0"
                )));
            }
        }
        Ok(())
    }

    /// The centre asked for.
    pub fn center(&self) -> Option<(f64, f64)> {
        match self.center_xy.as_deref() {
            Some(&[x, y]) => Some((x, y)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> Extract1dParams {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn what_calwebb_accepts_is_accepted() {
        for text in [
            "",
            "ifu_set_srctype = 'POINT'\nifu_rscale = 0.5\ncenter_xy = [3, 4.5]",
            "bkg_fit = 'poly'\nbkg_order = 0\nextraction_type = 'optimal'\nsoss_bad_pix = 'model'",
        ] {
            given(text).check().unwrap();
        }
        assert_eq!(given("center_xy = [3, 4.5]").center(), Some((3.0, 4.5)));
    }

    #[test]
    fn impossible_values_are_refused_by_name() {
        for (name, text) in [
            ("ifu_rscale", "ifu_rscale = 3.1"),
            ("ifu_rscale", "ifu_rscale = nan"),
            ("ifu_set_srctype", "ifu_set_srctype = 'point'"),
            ("center_xy", "center_xy = [1.0]"),
            ("center_xy", "center_xy = [1.0, inf]"),
            ("bkg_order", "bkg_order = -1"),
            ("bkg_sigma_clip", "bkg_sigma_clip = nan"),
            ("extraction_type", "extraction_type = 'circle'"),
        ] {
            let said = given(text).check().unwrap_err().to_string();
            assert!(said.contains(name), "{said}");
        }
    }
}
