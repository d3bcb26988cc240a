//! # clean_flicker_noise: remove 1/f noise
//!
//! ## What
//! Fits and subtracts correlated read noise, which runs as stripes across the detector, in every group (calwebb_detector1) or in
//! the count rates (calwebb_spec2: of the exposure, and of background and imprint members).
//!
//! ## Why
//! The readout of NIRSpec's detectors drifts while a line is read (1/f noise). Most of their pixels see no light, and show it.
//!
//! ## Algorithm
//! 1. The mask: pixels of the background. Of ramps a draft rate is made by ramp_fit with its defaults. NaN and 0 are no
//!    background. With `mask_science_regions` neither are pixels that the WCS gives a wavelength, those with `MSA_FAILED_OPEN` (found as
//!    msa_flagging does), and rows 923 to 1116, those of the fixed slits. Of the others those more than 3 standard deviations below or
//!    `n_sigma` above the median are left out; both are of values clipped at 3 standard deviations. With
//!    `fit_histogram` centre and width are of a Gaussian fitted to 2000 bins within 4 standard deviations of the clipped mean.
//! 2. An image is the difference of a group and the one before (pixels with `DO_NOT_USE` or `JUMP_DET` left out of the mask), or
//!    a count rate. It is divided by the flat field with `apply_flat_field`; where that
//!    is 0, NaN or infinite it gets values from a model of the others, as in step 3.
//! 3. Its background is subtracted, and the mask loses what is beyond `n_sigma` then. `background_method = median`: the median of the
//!    mask without values beyond 3 standard deviations, measured on the lower half. `model`: medians of boxes of `background_box_size`
//!    rows and columns (by default the largest up to 32 that divide the image), without values beyond 3 standard deviations of the box.
//!    Boxes of which 90 % or less are left get a mean of the nearest ten others, weighted by the reciprocal distance. A median filter
//!    of 5 x 5 boxes and cubic splines within the range of the boxes make an image of these. Where all boxes lack pixels the median is taken.
//! 4. `fit_method = median`: each column (line along the fast axis) loses the median of its background; with `fit_by_channel` each
//!    of its four channels apart. `fft` (NSClean): the nine lowest frequencies (half power at 1/256 pixel) are fitted to each column's background by
//!    least squares, weighted by the reciprocal density of the background about it, and outliers at 3 standard deviations replaced by
//!    the median; the model is smoothed over 1.5 columns.
//! 5. Background and flat are put back. Cleaned differences are added up from the first group on.
//!
//! `background_method = median_image` subtracts in place of a median the images' median over the integrations, scaled by each one's median
//! rate; then groups themselves are cleaned, and not their differences. `none` subtracts nothing and skips step 3.
//!
//! ## Parameters
//! See above. `autoparam`: for other modes only; it changes nothing. `single_mask`: one mask for all integrations, of the average rate.
//! `user_mask`: a FITS file whose `SCI` is above or below 0 on the background, in place of the mask of step 1. `save_mask`,
//! `save_background`, `save_noise`: write `OUT/<root>_mask.fits`, `_flicker_bkg.fits` and `_flicker_noise.fits`.
//!
//! ## Reference files
//! `flat` with `apply_flat_field` (CRDS has none for the NIRSpec IFU; `--override flat=FILE`). For draft rates `gain` and `readnoise`; with
//! `mask_science_regions` `msaoper` and those of assign_wcs. Those of the latter kinds are not recorded, as in calwebb.
//!
//! ## Skipped when
//! not asked for. Recorded as `FAILED` with the data as they are: exposures of the MIRI MRS; a `user_mask` of other sizes; with
//! `mask_science_regions` an exposure on whose detector no light falls; `median_image` without a second integration or a rate.
//!
//! ## Differs from jwst
//! - `fft` of subarrays and other modes (MIRI images) are errors as yet. So are a `background_box_size` below 1 (jwst stops at 0, and takes the
//!   median for less) and flat fields without any value (jwst leaves the data as they are).
//! - `median`: the same bits, with `background_method = model` and repaired flat fields too. With `fit_histogram` the fit ends where it is best and scipy's within its tolerance of that; a pixel that lies
//!   between the two limits is in one mask and not in the other (none was in the exposures compared).
//! - `fft` solves in double precision; jwst in single precision, whose roundings show. A density below 1e-6 is nothing but these in jwst, and
//!   weights by it are noise (above all in the column behind reference pixels that are no background); here such pixels have no weight, and in
//!   columns of such pixels only all weigh alike. Columns with less background than frequencies jwst fits to roundings, or stops the step
//!   (`FAILED`); here they have nothing subtracted, and a warning says how many.
//! - Followed, though they look unintended: the density is taken, and the model subtracted, one column and one row beside
//!   its place; the median image of count rates is of rates divided by the flat field, and that of groups is not.
//! - Saved files hold `SCI` only and have no ASDF extension.
//!
//! ## References
//! jwst 3.0.0 `clean_flicker_noise`; Rauscher 2024, PASP 136, 015001.

mod background;
mod clean;
mod histogram;
mod mesh;
mod nsclean;
mod save;
pub(in crate::steps::detector) mod scene;
mod stripes;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::exec::Exec;
use crate::formats::fits::FitsFile;
use crate::model::reference::RefFits;
use crate::model::{Cal, Meta, Ramp, Rate};
use crate::steps::images::{Cleaned, Images};
use crate::steps::step::{Info, RefPaths, Reference, Status, Step, Target};
use crate::{Error, Result};
use clean::{Cleaner, Scaled};
pub(in crate::steps::detector) use save::Place;
use scene::{Lit, Mask, Rules, Scene, SceneRefs};

/// How the noise is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FitMethod {
    /// In frequency space.
    Fft,
    /// Medians along the slow axis.
    Median,
}

/// How the background is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackgroundMethod {
    /// A median for the whole image.
    Median,
    /// A low-resolution model.
    Model,
    /// A median over the integrations.
    MedianImage,
    /// No background.
    None,
}

crate::params! {
    /// Parameters of clean_flicker_noise.
    pub struct CleanFlickerNoiseParams {
        /// Choose some parameters from the data.
        autoparam: bool = false,
        /// How the noise is fitted: fft or median.
        fit_method: FitMethod = FitMethod::Median,
        /// Fit each amplifier's pixels separately.
        fit_by_channel: bool = false,
        /// How the background is found: median, model, median_image or none.
        background_method: BackgroundMethod = BackgroundMethod::Median,
        /// Rows and columns of the boxes of a background model.
        background_box_size: Option<[i64; 2]> = None,
        /// Leave the known science regions out of the fit.
        mask_science_regions: bool = false,
        /// Divide by the flat field before fitting.
        apply_flat_field: bool = false,
        /// Clipping level for signal, in standard deviations.
        n_sigma: f64 = 2.0,
        /// Take the standard deviation from a fit to the histogram.
        fit_histogram: bool = false,
        /// One mask for all integrations.
        single_mask: bool = true,
        /// FITS file with a mask to use.
        user_mask: Option<String> = None,
        /// Save the mask that was used.
        save_mask: bool = false,
        /// Save the background.
        save_background: bool = false,
        /// Save the noise.
        save_noise: bool = false,
    }
}

/// The step.
pub struct CleanFlickerNoise;

/// What the step needs besides the exposure.
#[derive(Debug, Default)]
pub struct CleanFlickerNoiseRefs {
    scene: SceneRefs,
    flat: Option<Vec<f32>>,
    user_mask: Option<UserMask>,
    place: Option<Place>,
}

/// A mask given by the user.
#[derive(Debug)]
struct UserMask {
    path: String,
    axes: Vec<usize>,
    values: Vec<bool>,
}

impl UserMask {
    fn read(path: &str) -> Result<Self> {
        let file = FitsFile::open(Path::new(path))?;
        let sci = file.need("SCI")?;
        let axes = file.shape(sci)?.to_vec();
        if !matches!(axes.len(), 2 | 3) {
            return Err(Error::input_file(
                path,
                format!(
                    "SCI has {} axes; a mask has 2, or 3 with one of integrations",
                    axes.len()
                ),
            ));
        }
        let values: Vec<f32> = file.all(sci)?;
        Ok(Self {
            path: path.to_owned(),
            axes,
            values: values.into_iter().map(|v| v != 0.0).collect(),
        })
    }

    /// Why it cannot be used for images of such sizes, if not.
    fn unlike(&self, nints: Option<usize>, ny: usize, nx: usize) -> Option<String> {
        let (outer, image) = self.axes.split_at(self.axes.len() - 2);
        let same_count = match (outer, nints) {
            ([own], Some(nints)) => *own == nints,
            _ => true,
        };
        (image != [ny, nx] || !same_count).then(|| {
            format!(
                "the mask {} has axes {:?}, unlike the exposure",
                self.path, self.axes
            )
        })
    }

    fn mask(&self) -> Mask {
        let (outer, image) = self.axes.split_at(self.axes.len() - 2);
        Mask {
            cube: !outer.is_empty(),
            plane: image.iter().product(),
            values: self.values.clone(),
        }
    }
}

/// The user's mask, if there is one.
fn user_mask(params: &CleanFlickerNoiseParams) -> Option<&str> {
    let given = params.user_mask.as_deref();
    given.filter(|p| !p.is_empty() && !p.eq_ignore_ascii_case("none"))
}

impl CleanFlickerNoiseParams {
    /// Rows and columns of the boxes of a background model: those given, if any; none where no model is wanted.
    fn boxes(&self) -> Result<Option<Option<[usize; 2]>>> {
        if self.background_method != BackgroundMethod::Model {
            return Ok(None);
        }
        let Some(given) = self.background_box_size else {
            return Ok(Some(None));
        };
        match given.map(usize::try_from) {
            [Ok(rows @ 1..), Ok(columns @ 1..)] => Ok(Some(Some([rows, columns]))),
            _ => Err(Error::parameter(format!(
                "clean_flicker_noise: background_box_size = {given:?}; it is the rows and columns of a box, and both must be above 0"
            ))),
        }
    }
}

/// Whether count rates must be looked at, to find the scene or to scale by them.
fn needs_rates(params: &CleanFlickerNoiseParams) -> bool {
    user_mask(params).is_none() || params.background_method == BackgroundMethod::MedianImage
}

/// Whether the WCS is needed.
fn needs_light(params: &CleanFlickerNoiseParams) -> bool {
    params.mask_science_regions && user_mask(params).is_none()
}

const REFERENCES: [Reference; 16] = {
    let mut all = [Reference::optional("flat"); 16];
    let mut i = 0;
    while i < scene::REFERENCES.len() {
        all[i + 1] = scene::REFERENCES[i];
        i += 1;
    }
    all
};

/// How the exposure is worked on: the same for its members.
struct Work<'a> {
    refs: &'a CleanFlickerNoiseRefs,
    params: &'a CleanFlickerNoiseParams,
    exec: &'a Exec,
}

/// Why an exposure stays as it is; none where it was cleaned.
type Left = Option<String>;

impl Work<'_> {
    fn by_median_image(&self) -> bool {
        self.params.background_method == BackgroundMethod::MedianImage
    }

    /// One mask for all integrations: not where the median over them is wanted.
    fn single(&self) -> bool {
        self.params.single_mask && !self.by_median_image()
    }

    /// The mask of the background; the scene is asked for where it is needed.
    fn mask(&self, scene: Option<&Scene>, lit: &Lit) -> Result<Mask> {
        if let Some(mask) = &self.refs.user_mask {
            return Ok(mask.mask());
        }
        let Some(scene) = scene else {
            return Err(Error::parameter(
                "clean_flicker_noise: there are no count rates to find the scene in",
            ));
        };
        let rules = Rules {
            science_regions: self.params.mask_science_regions,
            n_sigma: self.params.n_sigma,
            histogram: self.params.fit_histogram,
            single: self.single(),
        };
        Ok(Mask::new(scene, lit, rules, self.exec))
    }

    fn flat(&self) -> Option<&[f32]> {
        self.refs.flat.as_deref()
    }

    /// Saves what is asked for.
    fn save(
        &self,
        meta: &Meta,
        axes: &[usize],
        mask: &Mask,
        extras: Extras,
        after: &[f32],
    ) -> Result<()> {
        let Some(place) = &self.refs.place else {
            return Ok(());
        };
        if self.params.save_mask {
            let (image, count) = (
                &axes[axes.len() - 2..],
                mask.values.len() / mask.plane.max(1),
            );
            let outer = if mask.cube { vec![count] } else { Vec::new() };
            place.write_mask(meta, "mask", &[&outer, image].concat(), &mask.values)?;
        }
        if let Some(background) = extras.background {
            place.write(meta, "flicker_bkg", axes, background)?;
        }
        if let Some(mut noise) = extras.before {
            noise.iter_mut().zip(after).for_each(|(b, a)| *b = a - *b);
            place.write(meta, "flicker_noise", axes, noise)?;
        }
        Ok(())
    }

    fn extras(&self, values: &[f32]) -> Extras {
        Extras {
            background: self.params.save_background.then(|| vec![0.0; values.len()]),
            before: self.params.save_noise.then(|| values.to_vec()),
        }
    }

    fn ramp(&self, ramp: &mut Ramp) -> Result<Left> {
        let shape = ramp.shape;
        let refs = &self.refs.scene;
        let Some(lit) = refs.lit(&ramp.meta, self.exec)? else {
            return Ok(Some(DARK.into()));
        };
        let mut scene = match needs_rates(self.params) {
            true => Some(refs.draft(ramp, !self.single(), self.exec)?),
            false => None,
        };
        if let (Some(scene), Some(flat)) = (&mut scene, self.flat()) {
            scene.divide(flat);
        }
        let mask = self.mask(scene.as_ref(), &lit)?;
        let median = match &scene {
            Some(scene) if self.by_median_image() => {
                let median = Scaled::new(&ramp.data, &scene.values, shape.plane(), self.exec);
                match median {
                    Some(median) => Some(median),
                    None => return Ok(Some(NO_FLUX.into())),
                }
            }
            _ => None,
        };
        drop(scene);
        let mut extras = self.extras(&ramp.data);
        let cleaner = Cleaner::new(&ramp.meta, (shape.ny, shape.nx), self.params, self.flat())?;
        cleaner.ramp(
            ramp,
            &mask,
            median.as_ref(),
            extras.background.as_deref_mut(),
            self.exec,
        )?;
        self.save(&ramp.meta, &shape.axes(), &mask, extras, &ramp.data)?;
        Ok(None)
    }

    /// Cleans rates in which the scene is looked for where they are.
    fn rates(
        &self,
        meta: &Meta,
        axes: &[usize],
        mut scene: Scene,
        lit: Option<Lit>,
        values: &mut [f32],
    ) -> Result<Left> {
        let Some(lit) = lit else {
            return Ok(Some(DARK.into()));
        };
        let (ny, nx) = (scene.plane / scene.nx.max(1), scene.nx);
        let unlike = |mask: &UserMask| mask.unlike(None, ny, nx);
        if let Some(why) = self.refs.user_mask.as_ref().and_then(unlike) {
            return Ok(Some(why));
        }
        if let Some(flat) = self.flat() {
            scene.divide(flat);
        }
        let mask = self.mask(Some(&scene), &lit)?;
        let median = match self.by_median_image() {
            true => match Scaled::new(&scene.values, &scene.values, scene.plane, self.exec) {
                Some(median) => Some(median),
                None => return Ok(Some(NO_FLUX.into())),
            },
            false => None,
        };
        drop(scene);
        let mut extras = self.extras(values);
        let cleaner = Cleaner::new(meta, (ny, nx), self.params, self.flat())?;
        cleaner.rates(
            values,
            &mask,
            median.as_ref(),
            extras.background.as_deref_mut(),
            self.exec,
        )?;
        self.save(meta, axes, &mask, extras, values)?;
        Ok(None)
    }

    fn rate(&self, rate: &mut Rate) -> Result<Left> {
        let lit = self.refs.scene.lit(&rate.meta, self.exec)?;
        let (scene, axes) = (Scene::of_rate(rate), rate.axes());
        self.rates(&rate.meta, &axes, scene, lit, &mut rate.sci)
    }

    fn cal(&self, cal: &mut Cal) -> Result<Left> {
        let lit = self.refs.scene.lit_of(cal, self.exec)?;
        let axes = [cal.ny, cal.nx];
        self.rates(&cal.meta, &axes, Scene::of_cal(cal), lit, &mut cal.sci)
    }
}

/// What is saved besides the mask.
struct Extras {
    background: Option<Vec<f32>>,
    /// Values before they were cleaned.
    before: Option<Vec<f32>>,
}

/// Why an exposure cannot be cleaned.
const DARK: &str =
    "no light falls on its detector, so that it has no WCS to mask science regions by";
const NO_FLUX: &str = "no integration has a rate to scale the median image by";

/// Axis of integrations, rows and columns of the images.
fn sizes(images: &Images) -> (Option<usize>, usize, usize) {
    match images {
        Images::Ramp(r) => (Some(r.shape.nints), r.shape.ny, r.shape.nx),
        Images::Rate(r) => (r.nints, r.ny, r.nx),
        Images::Observation(o) => (None, o.science.ny, o.science.nx),
    }
}

impl Step for CleanFlickerNoise {
    const INFO: Info = Info {
        name: "clean_flicker_noise",
        class: "CleanFlickerNoiseStep",
        keyword: "S_CLNFNS",
        title: "Clean Flicker Noise",
        skip: true,
        references: &REFERENCES,
    };
    const SOURCE: &'static str = include_str!("mod.rs");
    const REFUSED: fn(String) -> Status = Status::Failed;
    const WHOLE_EXPOSURE: bool = true;
    type In = Images;
    type Out = Cleaned;
    type Params = CleanFlickerNoiseParams;
    type Refs = CleanFlickerNoiseRefs;

    fn not_applicable(input: &Images, params: &Self::Params) -> Result<Option<String>> {
        let meta = input.meta();
        let kind = meta.need_str("EXP_TYPE")?;
        if kind.starts_with("MIR") && kind != "MIR_IMAGE" {
            return Ok(Some(format!("EXP_TYPE {kind} is not supported")));
        }
        if kind != "NRS_IFU" {
            return Err(Error::input_file(
                &meta.source,
                format!(
                    "clean_flicker_noise does not support EXP_TYPE {kind}; turn the step off (it is off by default)"
                ),
            ));
        }
        params.boxes()?;
        let few = params.background_method == BackgroundMethod::MedianImage
            && sizes(input).0.is_none_or(|nints| nints < 2);
        Ok(few.then(|| "background_method = median_image needs two integrations".into()))
    }

    fn uses(kind: &str, params: &Self::Params) -> bool {
        match kind {
            "flat" => params.apply_flat_field,
            _ if scene::is_of_rates(kind) => needs_rates(params),
            _ => needs_light(params),
        }
    }

    fn uses_for(kind: &str, meta: &Meta) -> bool {
        let rated = scene::is_of_rates(kind) && scene::is_rate(meta);
        meta.str("EXP_TYPE") == Some("NRS_IFU") && !rated
    }

    fn records(kind: &str) -> bool {
        kind == "flat"
    }

    fn load(paths: &RefPaths, target: &Target, params: &Self::Params) -> Result<Self::Refs> {
        let save = params.save_mask || params.save_background || params.save_noise;
        let scene = match needs_rates(params) {
            true => SceneRefs::load(paths, target, needs_light(params))?,
            false => SceneRefs::default(),
        };
        let flat = match paths.get("flat").filter(|_| params.apply_flat_field) {
            Some(path) => Some(flat(path, target)?),
            None => None,
        };
        if params.apply_flat_field && flat.is_none() {
            tracing::warn!(
                "clean_flicker_noise: no FLAT reference applies; --override flat=FILE gives one"
            );
        }
        if params.autoparam {
            tracing::warn!(
                "clean_flicker_noise: autoparam chooses nothing for this mode; the parameters are as given"
            );
        }
        Ok(CleanFlickerNoiseRefs {
            scene,
            flat,
            user_mask: user_mask(params).map(UserMask::read).transpose()?,
            place: save.then(|| Place::new(target.out.clone())),
        })
    }

    fn not_usable(input: &Images, refs: &Self::Refs, _: &Self::Params) -> Result<Option<String>> {
        let (nints, ny, nx) = sizes(input);
        Ok(refs
            .user_mask
            .as_ref()
            .and_then(|m| m.unlike(nints, ny, nx)))
    }

    fn run(
        mut input: Images,
        refs: &Self::Refs,
        params: &Self::Params,
        exec: &Exec,
    ) -> Result<Cleaned> {
        let work = Work { refs, params, exec };
        let left = match &mut input {
            Images::Ramp(ramp) => work.ramp(ramp)?,
            Images::Rate(rate) => work.rate(rate)?,
            Images::Observation(o) => {
                let left = work.cal(&mut o.science)?;
                for member in o.imprint.iter_mut().chain(&mut o.background) {
                    if let Some(why) = work.cal(member)? {
                        tracing::warn!(
                            "clean_flicker_noise: {}: {why}",
                            member.meta.source.display()
                        );
                    }
                }
                left
            }
        };
        Ok(Cleaned {
            images: input,
            status: left.map_or(Status::Complete, Status::Failed),
        })
    }

    fn ended(output: &Cleaned) -> Status {
        output.status.clone()
    }
}

/// The flat field of the exposure's window, with values for pixels that have none.
fn flat(path: &Path, target: &Target) -> Result<Vec<f32>> {
    let (file, window) = (RefFits::open("flat", path)?, target.window()?);
    background::repaired(file.image("SCI", window)?, window.nx)
        .ok_or_else(|| file.error("no pixel has a value other than 0, NaN and infinity"))
}

#[cfg(test)]
pub(in crate::steps::detector) mod tests;
