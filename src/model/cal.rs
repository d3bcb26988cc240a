//! `Cal`: an exposure's image on its way from count rates to surface brightness (`_cal`, `_crf`), with its WCS.

use std::sync::{Arc, OnceLock};

use super::dq;
use super::meta::Meta;
use super::rate::Rate;
use crate::formats::asdf::Node;
use crate::formats::fits::Hdu;
use crate::{Error, Result};

/// An IFU image (calwebb's `IFUImageModel`), `[row][column]`.
///
/// Units are those of `BUNIT` in the `SCI` header: DN/s before photom, MJy/sr behind it.
#[derive(Debug, Clone)]
pub struct Cal {
    /// Headers.
    pub meta: Meta,
    /// Rows.
    pub ny: usize,
    /// Columns.
    pub nx: usize,
    /// Values.
    pub sci: Vec<f32>,
    /// Standard error, in the unit of `sci`.
    pub err: Vec<f32>,
    /// Flags.
    pub dq: Vec<u32>,
    /// Variance of the Poisson noise.
    pub var_poisson: Vec<f32>,
    /// Variance of the read noise.
    pub var_rnoise: Vec<f32>,
    /// Variance of the flat field, from flat_field on.
    pub var_flat: Option<Vec<f32>>,
    /// The gwcs object as the product's tree holds it (`meta.wcs`), from assign_wcs on.
    pub wcs: Option<Arc<Node>>,
    /// Least and greatest wavelength in micron (`meta.wcsinfo.spectral_region`), from assign_wcs on.
    pub spectral_region: Option<[f64; 2]>,
    /// Coordinates of the pixels by this WCS, once somebody has asked for them.
    pub map: OnceLock<Arc<DetectorMap>>,
    /// Further HDUs that belong to the product (images and tables steps add), in order.
    pub extra: Vec<Hdu>,
}

impl Cal {
    /// The image of an average count rate; without a WCS yet.
    ///
    /// # Errors
    /// [`Error::Input`] for rates of each integration.
    pub fn from_rate(rate: Rate) -> Result<Self> {
        if rate.nints.is_some() {
            return Err(Error::input_file(
                &rate.meta.source,
                "rates of each integration (_rateints) cannot be made into cubes; give the averaged _rate",
            ));
        }
        Ok(Self {
            meta: rate.meta,
            ny: rate.ny,
            nx: rate.nx,
            sci: rate.sci,
            err: rate.err,
            dq: rate.dq,
            var_poisson: rate.var_poisson,
            var_rnoise: rate.var_rnoise,
            var_flat: None,
            wcs: None,
            spectral_region: None,
            map: OnceLock::new(),
            extra: rate.extra,
        })
    }

    /// The gwcs node.
    ///
    /// # Errors
    /// [`Error::Input`] where assign_wcs has not been run.
    pub fn need_wcs(&self) -> Result<&Arc<Node>> {
        self.wcs.as_ref().ok_or_else(|| {
            Error::input_file(
                &self.meta.source,
                "the file holds no WCS (meta.wcs of its ASDF extension); run assign_wcs (sifu spec2) first",
            )
        })
    }

    /// Puts a WCS in place of the one there.
    pub fn set_wcs(&mut self, wcs: impl Into<Arc<Node>>) {
        self.wcs = Some(wcs.into());
        self.map = OnceLock::new();
    }

    /// Where any of value, error and variances is NaN or `DO_NOT_USE` is set, makes all of them NaN and
    /// sets it.
    pub fn match_nans_and_flags(&mut self) {
        for (p, flags) in self.dq.iter_mut().enumerate() {
            let flat = self.var_flat.as_deref_mut().and_then(|v| v.get_mut(p));
            let mut all = [
                self.sci.get_mut(p),
                self.err.get_mut(p),
                self.var_poisson.get_mut(p),
                self.var_rnoise.get_mut(p),
                flat,
            ];
            let mut valid = all.iter_mut().flatten();
            if *flags & dq::DO_NOT_USE != 0 || valid.any(|v| v.is_nan()) {
                *flags |= dq::DO_NOT_USE;
                all.into_iter().flatten().for_each(|v| *v = f32::NAN);
            }
        }
    }
}

/// Coordinates of pixel centres, row by row; NaN (and slice 0) between slices.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectorMap {
    /// Rows.
    pub ny: usize,
    /// Columns.
    pub nx: usize,
    /// Slice label: for MIRI channel times 100 plus number, for NIRSpec the number from 1.
    pub slice: Vec<u16>,
    /// Along the slice: for MIRI in arcsec, for NIRSpec on the slicer in metre.
    pub alpha: Vec<f64>,
    /// Across slices, likewise.
    pub beta: Vec<f64>,
    /// Wavelength in micron, with the velocity correction.
    pub lambda: Vec<f64>,
    /// Right ascension in degrees; NaN also where lambda is out of the channel's range.
    pub ra: Vec<f64>,
    /// Declination in degrees, likewise.
    pub dec: Vec<f64>,
}

impl DetectorMap {
    /// Wavelength of a pixel as the whole WCS gives it, in micron: NaN where the pixel has no position.
    pub fn world_lambda(&self, pixel: usize) -> f64 {
        match self.ra[pixel].is_nan() {
            true => f64::NAN,
            false => self.lambda[pixel],
        }
    }
}

/// An exposure with the other members of its level-2 association.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The exposure.
    pub science: Cal,
    /// Exposures of the background.
    pub background: Vec<Cal>,
    /// Exposures to find bad pixels with.
    pub selfcal: Vec<Cal>,
    /// Exposures of the light that leaks through NIRSpec's closed shutters.
    pub imprint: Vec<Cal>,
}

impl Observation {
    /// An exposure alone.
    pub fn alone(science: Cal) -> Self {
        Self {
            science,
            background: Vec::new(),
            selfcal: Vec::new(),
            imprint: Vec::new(),
        }
    }
}

/// Exposures that are combined: the members of a level-3 association.
#[derive(Debug, Clone)]
pub struct Exposures {
    /// Exposures of the target.
    pub science: Vec<Cal>,
    /// Spectra (`_x1d`) of the background.
    pub background: Vec<super::Spectrum>,
}
