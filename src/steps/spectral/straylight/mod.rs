//! # straylight: subtract light scattered in the detector
//!
//! ## What
//! Subtracts from a MIRI MRS image the cross artifact, the level between the channels, and (on request) what
//! cosmic-ray showers leave.
//!
//! ## Why
//! Light that passes the detector's absorbing layer is reflected and diffracted along rows and columns. In a
//! dispersed image this widens the slices' profiles and adds weak traces beside bright ones.
//!
//! ## Algorithm
//! 1. The level and noise of the dark columns between the channels (rows 51 to 974; columns 504 to 516 of
//!    channels 1 and 2, 475 to 507 of channels 3 and 4): mean and standard deviation after clipping at 3 sigma.
//! 2. Sources are pixels more than 3 sigma above the level that are not NaN nor flagged `DO_NOT_USE`,
//!    `NON_SCIENCE`, `DEAD` or `HOT`, minus the level. Each scatters along its row a Lorentzian and two
//!    pairs of Gaussians, whose parameters the reference gives for each row: those of the left channel for
//!    columns 1 to 516, those of the right one for columns 517 to 1024. The sum is subtracted from `SCI`.
//! 3. The clipped median of the dark columns of what is left is subtracted as well.
//! 4. With `clean_showers`: the pixels outside all slices (in plane `shower_plane` of the regions, counted
//!    from 0), not flagged `DO_NOT_USE` or `REFERENCE_PIXEL` and within the percentiles, are smoothed by a
//!    Gaussian, weights renormalised over the gaps; this is subtracted.
//!
//! Steps 2 and 3 leave the four reference columns at either side.
//!
//! ## Parameters
//! `clean_showers`, `shower_plane`, `shower_x_stddev`, `shower_y_stddev`, `shower_low_reject`,
//! `shower_high_reject`, `save_shower_model`.
//!
//! ## Reference files
//! `mrsxartcorr`: a table for each channel and band. `regions`, with `clean_showers` only.
//!
//! ## Skipped when
//! no `mrsxartcorr` reference applies.
//!
//! ## Differs from jwst
//! - The smoothing of step 4 sums pixel by pixel where jwst takes Fourier transforms: the two agree to about
//!   1e-14 DN/s, so that hardly any pixel differs behind the rounding to single precision.
//! - Frames of another size than 1024 x 1032 are refused; jwst's kernel reads beyond such an image.
//! - The mean and noise of step 1 are summed in the order numpy has for data read from a file, or for data that
//!   bkg_subtract has computed (`S_BKDSUB`); jwst in one run and from saved files may differ in the last bit.
//! - A table with another number of rows or without a column is an error; jwst then leaves the step out.
//!
//! Bands that mix two settings (cross-dichroic) have no parameters: there, as in jwst, only step 3 (and 4)
//! is done, with a warning.
//!
//! ## References
//! jwst 3.0.0 `straylight`; Argyriou et al. 2023, A&A 675, A111; Gáspár et al. 2021, PASP 133, 014504.

mod cross_artifact;
mod pedestal;
mod showers;

use std::path::{Path, PathBuf};

use cross_artifact::{Profile, scatter};

use super::side_products;
use crate::exec::Exec;
use crate::formats::asdf::AsdfFile;
use crate::formats::fits::{Header, Image};
use crate::model::reference::RefFits;
use crate::model::{Cal, Meta, dq};
use crate::steps::step::{Info, RefPaths, Reference, Step, Target};
use crate::{Error, Result};

crate::params! {
    /// Parameters of straylight.
    pub struct StraylightParams {
        /// Subtracts the light of cosmic-ray showers.
        clean_showers: bool = false,
        /// Plane of the regions reference (from 0) that tells what lies between slices.
        shower_plane: i64 = 3,
        /// Standard deviation of the shower model's smoothing along rows, in pixels.
        shower_x_stddev: f64 = 18.0,
        /// Standard deviation along columns, in pixels.
        shower_y_stddev: f64 = 5.0,
        /// Percentile below which pixels are not used for the shower model.
        shower_low_reject: f64 = 0.1,
        /// Percentile above which pixels are not used.
        shower_high_reject: f64 = 99.9,
        /// Saves the shower model as _shower_model.
        save_shower_model: bool = false,
    }
}

/// Rows and columns of the frames the references hold for.
const FRAME: (usize, usize) = (1024, 1032);
/// Columns that scatter: those of the left and of the right channel.
const HALVES: [std::ops::Range<usize>; 2] = [0..516, 516..1024];
/// Reference columns at either side.
const MARGIN: usize = 4;

/// The step.
pub struct Straylight;

/// Reference data of an exposure.
#[derive(Debug)]
pub struct Scattering {
    /// Profiles of the rows, for the left and the right channel; none where the reference has none.
    profiles: [Option<Vec<Profile>>; 2],
    /// Which pixels lie within slices, where showers are to be cleaned.
    slices: Option<Vec<bool>>,
    out: PathBuf,
}

impl Step for Straylight {
    const INFO: Info = Info {
        name: "straylight",
        class: "StraylightStep",
        keyword: "S_STRAY",
        title: "Straylight Correction",
        skip: false,
        references: &[
            Reference {
                kind: "mrsxartcorr",
                required: true,
            },
            Reference {
                kind: "regions",
                required: false,
            },
        ],
    };
    const SOURCE: &'static str = include_str!("mod.rs");
    type In = Cal;
    type Out = Cal;
    type Params = StraylightParams;
    type Refs = Scattering;

    fn uses(kind: &str, params: &Self::Params) -> bool {
        kind != "regions" || params.clean_showers
    }

    fn load(paths: &RefPaths, target: &Target, params: &Self::Params) -> Result<Scattering> {
        let (ny, nx) = (target.shape.ny, target.shape.nx);
        if (ny, nx) != FRAME {
            return Err(Error::input_file(
                &target.meta.source,
                format!("straylight needs a frame of 1024 x 1032 pixels; this one has {ny} x {nx}"),
            ));
        }
        let file = RefFits::open("mrsxartcorr", paths.need("mrsxartcorr")?)?;
        let [left, right] = tables(&target.meta);
        let profiles = |name: Option<String>| name.map_or(Ok(None), |n| profiles(&file, &n));
        let slices = match params.clean_showers {
            true => Some(slices(paths.need("regions")?, params)?),
            false => None,
        };
        Ok(Scattering {
            profiles: [profiles(left)?, profiles(right)?],
            slices,
            out: target.out.clone().unwrap_or_default(),
        })
    }

    fn run(mut input: Cal, refs: &Scattering, params: &Self::Params, exec: &Exec) -> Result<Cal> {
        subtract_cross_artifact(&mut input, &refs.profiles, exec);
        if let Some(slices) = &refs.slices {
            let model = shower_model(&input, slices, params, exec);
            for (value, model) in input.sci.iter_mut().zip(&model) {
                *value = (f64::from(*value) - model) as f32;
            }
            if params.save_shower_model {
                save(&input, &model, &refs.out)?;
            }
        }
        Ok(input)
    }
}

/// Tables of the left and the right channel.
fn tables(meta: &Meta) -> [Option<String>; 2] {
    let band = match meta.str("BAND") {
        Some("SHORT") => 'A',
        Some("MEDIUM") => 'B',
        Some("LONG") => 'C',
        _ => return [None, None],
    };
    match meta.str("CHANNEL") {
        Some("12") => ['1', '2'],
        Some("34") => ['4', '3'],
        _ => return [None, None],
    }
    .map(|channel| Some(format!("CH{channel}{band}")))
}

/// A table's profiles, row by row; none where the file lacks it.
fn profiles(file: &RefFits, name: &str) -> Result<Option<Vec<Profile>>> {
    if !file.has(name) {
        return Ok(None);
    }
    let table = file.table(name)?;
    if table.nrows != FRAME.0 {
        return Err(file.error(format!(
            "{name} has {} rows; one for each of the detector's 1024 is needed",
            table.nrows
        )));
    }
    // the columns are single precision, and so is half the Lorentzian's width
    let column = |column: &str, row: usize| match table.number(column, row) {
        Some(v) => Ok(v as f32),
        None => Err(file.error(format!("{name} has no number in column {column}"))),
    };
    let full_width = 2.0 * (2.0 * std::f64::consts::LN_2).sqrt();
    let row = |row: usize| {
        Ok(Profile {
            gamma: f64::from(column("LOR_FWHM", row)? / 2.0),
            height: column("LOR_SCALE", row)?.into(),
            sigma: f64::from(column("GAU_FWHM", row)?) / full_width,
            offset: column("GAU_XOFF", row)?.into(),
            inner: column("GAU_SCALE1", row)?.into(),
            outer: column("GAU_SCALE2", row)?.into(),
        })
    };
    (0..table.nrows).map(row).collect::<Result<_>>().map(Some)
}

/// Which pixels lie within slices.
fn slices(path: &Path, params: &StraylightParams) -> Result<Vec<bool>> {
    for (name, value) in [
        ("shower_x_stddev", params.shower_x_stddev),
        ("shower_y_stddev", params.shower_y_stddev),
    ] {
        if !(value > 0.0 && value <= 500.0) {
            return Err(Error::parameter(format!(
                "straylight: {name} = {value} must be above 0 and at most 500 pixels"
            )));
        }
    }
    for (name, value) in [
        ("shower_low_reject", params.shower_low_reject),
        ("shower_high_reject", params.shower_high_reject),
    ] {
        if !(0.0..=100.0).contains(&value) {
            return Err(Error::parameter(format!(
                "straylight: {name} = {value} must be from 0 to 100"
            )));
        }
    }
    let regions = |what: String| {
        Error::reference(format!("REGIONS reference file {}: {what}", path.display()))
    };
    let file = AsdfFile::open(path).map_err(|e| regions(e.to_string()))?;
    let masks = file
        .require_array("regions")
        .map_err(|e| regions(e.to_string()))?;
    let &[planes, ny, nx] = masks.shape() else {
        return Err(regions(format!(
            "regions has {} axes; 3 are needed",
            masks.shape().len()
        )));
    };
    if (ny, nx) != FRAME {
        return Err(regions(format!(
            "is of {ny} x {nx} pixels where 1024 x 1032 are needed"
        )));
    }
    let plane = usize::try_from(params.shower_plane)
        .ok()
        .filter(|p| *p < planes)
        .ok_or_else(|| {
            Error::parameter(format!(
                "straylight: shower_plane = {} does not exist; the regions reference file {} has {planes} planes, counted from 0",
                params.shower_plane,
                path.display(),
            ))
        })?;
    let labels: Vec<i32> = masks.to_vec().map_err(|e| regions(e.to_string()))?;
    let labels = labels.into_iter().skip(plane * ny * nx).take(ny * nx);
    Ok(labels.map(|label| label != 0).collect())
}

/// Subtracts the cross artifact and the level between the channels.
fn subtract_cross_artifact(image: &mut Cal, profiles: &[Option<Vec<Profile>>; 2], exec: &Exec) {
    let nx = image.nx;
    let dark = pedestal::dark_columns(image.meta.str("CHANNEL").unwrap_or_default());
    let finite: Vec<f32> = image
        .sci
        .iter()
        .map(|v| if v.is_finite() { *v } else { 0.0 })
        .collect();
    let region = pedestal::dark_region(&finite, nx, dark.clone());
    let order = match image.meta.str("S_BKDSUB") {
        Some("COMPLETE") => pedestal::Order::Computed,
        _ => pedestal::Order::Read,
    };
    let (level, noise) = pedestal::level_and_noise(&region, order);

    let unusable = dq::DO_NOT_USE | dq::NON_SCIENCE | dq::DEAD | dq::HOT;
    let faint = level + 3.0 * noise;
    let pixels = finite.iter().zip(image.sci.iter().zip(&image.dq));
    let light: Vec<f32> = pixels
        .map(|(v, (raw, flags))| {
            let masked = raw.is_nan() || flags & unusable != 0 || *v < faint;
            if masked { 0.0 } else { v - level }
        })
        .collect();

    if profiles.iter().any(Option::is_none) {
        let of = |keyword| image.meta.str(keyword).unwrap_or("?").to_owned();
        tracing::warn!(
            "straylight: the reference has no parameters for channels {} in band {}; the cross artifact stays in",
            of("CHANNEL"),
            of("BAND")
        );
    }
    let size = exec.strip_rows(image.ny);
    let strips: Vec<(usize, &[f32])> = light.chunks(size * nx).enumerate().collect();
    let strips = exec.map(strips, |(strip, light)| {
        let mut model = vec![0f64; light.len()];
        let mut half = vec![0f64; nx];
        let rows = light.chunks_exact(nx).zip(model.chunks_exact_mut(nx));
        for (row, (light, model)) in rows.enumerate() {
            for (profiles, sources) in profiles.iter().zip(HALVES) {
                let Some(profile) = profiles.as_ref().and_then(|p| p.get(strip * size + row))
                else {
                    continue;
                };
                scatter(light, sources, profile, &mut half);
                model.iter_mut().zip(&half).for_each(|(m, h)| *m += h);
            }
            model[..MARGIN].fill(0.0);
            model[nx - MARGIN..].fill(0.0);
        }
        model
    });
    let model = strips.concat();

    let left: Vec<f64> = finite
        .iter()
        .zip(&model)
        .map(|(v, m)| f64::from(*v) - m)
        .collect();
    let level = pedestal::level(&pedestal::dark_region(&left, nx, dark));
    tracing::debug!("straylight: {level} DN/s between the channels");
    for (i, (value, model)) in image.sci.iter_mut().zip(&model).enumerate() {
        let lit = (MARGIN..nx - MARGIN).contains(&(i % nx));
        let corrected = (f64::from(*value) - model) as f32;
        *value = (f64::from(corrected) - if lit { level } else { 0.0 }) as f32;
    }
}

/// The smooth light between the slices.
fn shower_model(image: &Cal, slices: &[bool], params: &StraylightParams, exec: &Exec) -> Vec<f64> {
    let unusable = dq::DO_NOT_USE | dq::REFERENCE_PIXEL;
    let pixels = image.sci.iter().zip(&image.dq).zip(slices);
    let mut between: Vec<f32> = pixels
        .map(
            |((v, flags), slice)| match *slice || flags & unusable != 0 {
                true => f32::NAN,
                false => *v,
            },
        )
        .collect();
    showers::reject_extremes(
        &mut between,
        params.shower_low_reject,
        params.shower_high_reject,
    );
    let sigma = (params.shower_x_stddev, params.shower_y_stddev);
    showers::smooth(&between, image.nx, sigma, exec)
}

/// Writes the shower model under the exposure's primary header.
fn save(image: &Cal, model: &[f64], out: &Path) -> Result<()> {
    let path = out.join(format!("{}_shower_model.fits", image.meta.root()));
    let values: Vec<f32> = model.iter().map(|v| *v as f32).collect();
    let values = Image::new(&[image.ny, image.nx], values);
    let primary = image.meta.primary.clone();
    let images = vec![("SCI", Header::new(), values)];
    side_products::write(&path, primary, "IFUImageModel", images)
}
