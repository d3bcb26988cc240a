//! A flat cube from dithers: wavelength by wavelength, by either method, with its header.

use super::correspond::{Point, comparison_radius, correspondences};
use super::dither::Dither;
use super::iterate::{Limits, Links, clip, level};
use super::joint::{Joint, Priors, Solution};
use super::quality::Quality;
use super::sky::Sky;
use super::{card, nan_median};
use crate::exec::Exec;
use crate::formats::fits::{Header, Value};
use crate::model::SyntheticFlat;
use crate::simulate::random::{Stream, label};
use crate::store::flat::defringed;
use crate::{Error, Result};

/// Wavelengths that follow one another in a solution, each starting from the last.
const RUN: usize = 16;
/// Draws that the errors of flats are taken from.
const DRAWS: u64 = 32;

/// How a flat is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Flat and scene solved for together ([`super::joint`]).
    Joint,
    /// Medians over corresponding spaxels ([`super::iterate`]), the reference pipeline's way.
    Median,
}

/// Parameters, under the reference pipeline's names where it has them.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    /// How the flat is found.
    pub method: Method,
    /// Do as the reference pipeline does, with its defects (implies [`Method::Median`]).
    pub compatible: bool,
    /// Median: distance below which spaxels correspond, in steps of latitude between neighbours.
    pub lat_bin_size_factor: f64,
    /// Median: how much longer in longitude than in latitude this distance is.
    pub bin_aspect: f64,
    /// Spaxels with this emission angle or more (degrees) take no part.
    pub emission_cutoff: f64,
    /// Median: iterations.
    pub iterations: usize,
    /// Values further than this many standard deviations from the median of a wavelength are left out.
    pub nsigma: f64,
    /// Rounds of leaving out.
    pub sigma_iterations: usize,
    /// Wavelengths with a lower ratio of mean signal to mean error are not corrected.
    pub snr_threshold: f64,
    /// Flats outside 1 / this .. this are NaN.
    pub max_correction: f64,
    /// Joint: distance of the scene's nodes in spaxels.
    pub scene_spacing: f64,
    /// Joint: standard deviation of flats about 1 expected beforehand.
    pub flat_prior: f64,
    /// Joint: relative standard deviation of the dithers' levels expected beforehand.
    pub level_prior: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            method: Method::Joint,
            compatible: false,
            lat_bin_size_factor: 1.25,
            bin_aspect: 1.0,
            emission_cutoff: 75.0,
            iterations: 50,
            nsigma: 5.0,
            sigma_iterations: 5,
            snr_threshold: 10.0,
            max_correction: 1.5,
            scene_spacing: 1.5,
            flat_prior: 0.1,
            level_prior: 0.002,
        }
    }
}

impl Params {
    fn check(&self) -> Result<()> {
        let above = |name: &str, value: f64, low: f64| match value > low && value.is_finite() {
            true => Ok(()),
            false => Err(Error::parameter(format!(
                "{name} = {value} must be above {low}"
            ))),
        };
        above("lat_bin_size_factor", self.lat_bin_size_factor, 0.0)?;
        above("bin_aspect", self.bin_aspect, 0.0)?;
        above("emission_cutoff", self.emission_cutoff, 0.0)?;
        above("nsigma", self.nsigma, 0.0)?;
        above("max_correction", self.max_correction, 1.0)?;
        above("scene_spacing", self.scene_spacing, 0.5)?;
        above("flat_prior", self.flat_prior, 0.0)?;
        above("level_prior", self.level_prior, 0.0)
    }
}

/// A flat and what is to be said of it.
#[derive(Debug, Clone)]
pub struct Built {
    /// The flat.
    pub flat: SyntheticFlat,
    /// Why the dithers constrain it badly, if they do.
    pub warnings: Vec<String>,
}

/// What the geometry gives a method to work with.
enum Solver {
    Joint(Box<Joint>),
    Median(Links, Limits),
}

/// Makes a flat of dithers. `dataset` and `date` (ISO) go into its header.
///
/// # Errors
/// [`Error::Input`] where the dithers do not belong together, [`Error::Science`] where they cannot tell a flat,
/// [`Error::Parameter`].
pub fn build(
    dithers: &[Dither],
    params: &Params,
    dataset: &str,
    date: &str,
    exec: &Exec,
) -> Result<Built> {
    params.check()?;
    Dither::alike(dithers)?;
    let shape @ [nz, ny, nx] = dithers[0].shape;
    let (points, emission) = points(dithers, params.emission_cutoff);
    let mut warnings = Vec::new();
    let mut header = first_cards(dithers, dataset, date);
    for (name, value) in cards(params) {
        card(&mut header, name, value);
    }
    let sky = Sky::new(&points, &emission, dithers.len(), [ny, nx]);
    if !params.compatible {
        let sky = sky.as_ref().ok_or_else(|| {
            Error::science(format!(
                "no spaxels next to each other see the target at emission angles below {} degrees: there is nothing to \
                 make a flat of",
                params.emission_cutoff
            ))
        })?;
        let quality = Quality::new(dithers, sky);
        warnings = quality.warnings();
        quality.check()?;
        card(&mut header, "N_DITHERS", dithers.len());
        card(&mut header, "CONSTRAINED", warnings.is_empty());
    }
    let solver = match (params.method, sky) {
        (Method::Joint, Some(sky)) if !params.compatible => {
            let priors = Priors {
                flat: params.flat_prior,
                level: params.level_prior,
            };
            let mut joint = Joint::new(&sky, ny * nx, dithers.len(), params.scene_spacing, priors);
            errors(&mut joint, usual_noise(dithers), exec)?;
            Solver::Joint(Box::new(joint))
        }
        _ => {
            let lat: Vec<&[f64]> = dithers.iter().map(|d| d.lat.as_slice()).collect();
            let radius = comparison_radius(
                &lat,
                [ny, nx],
                params.lat_bin_size_factor,
                params.compatible,
            );
            card(&mut header, "LONLAT_COMPARISON_RADIUS", radius);
            let near = correspondences(&points, radius, params.bin_aspect, !params.compatible);
            let links = Links::new(&points, &near, [ny, nx]);
            if links.is_empty() && !params.compatible {
                return Err(Error::science(format!(
                    "no spaxels correspond: none are within {radius:.3} degrees of latitude of each other"
                )));
            }
            let limits = Limits {
                iterations: params.iterations,
                max_correction: params.max_correction,
                former_mean: params.compatible,
            };
            Solver::Median(links, limits)
        }
    };
    let mut used = vec![false; dithers.len() * ny * nx];
    for p in &points {
        used[p.dither * ny * nx + p.spaxel] = true;
    }
    let runs: Vec<usize> = (0..nz).step_by(RUN).collect();
    let images = exec.try_map(runs, |first| {
        let mut last = Solution::default();
        let run = first..(first + RUN).min(nz);
        Ok(run
            .map(|z| wavelength(dithers, z, &used, &solver, params, &mut last))
            .collect::<Vec<_>>())
    })?;
    let (mut flat, mut err) = (Vec::with_capacity(nz * ny * nx), Vec::new());
    for (image, error) in images.into_iter().flatten() {
        flat.extend(image);
        err.extend(error);
    }
    let err = matches!(solver, Solver::Joint(_)).then_some(err);
    Ok(Built {
        flat: SyntheticFlat::new(header, shape, flat, err),
        warnings,
    })
}

/// The points that take part, and their emission angles: spaxels on the target that have any value.
fn points(dithers: &[Dither], cutoff: f64) -> (Vec<Point>, Vec<f64>) {
    let (mut points, mut emission) = (Vec::new(), Vec::new());
    for (dither, d) in dithers.iter().enumerate() {
        let mut any = vec![false; d.emission.len()];
        for image in d.sci.chunks_exact(any.len().max(1)) {
            let pairs = any.iter_mut().zip(image);
            pairs.for_each(|(a, v)| *a |= !v.is_nan());
        }
        let placed = |s: usize| d.lat[s].is_finite() && d.lon[s].is_finite();
        let taking_part = |(s, e): &(usize, &f64)| **e < cutoff && any[*s] && placed(*s);
        for (spaxel, e) in d.emission.iter().enumerate().filter(taking_part) {
            let (lat, lon) = (d.lat[spaxel], d.lon[spaxel]);
            points.push(Point {
                dither,
                spaxel,
                lat,
                lon,
            });
            emission.push(*e);
        }
    }
    (points, emission)
}

/// Median relative error of the values.
fn usual_noise(dithers: &[Dither]) -> f64 {
    let mut all: Vec<f64> = dithers
        .iter()
        .flat_map(|d| d.sci.iter().zip(&d.err).step_by(97))
        .filter(|(s, e)| **s > 0.0 && **e > 0.0)
        .map(|(s, e)| f64::from(e / s))
        .collect();
    let noise = nan_median(&mut all);
    if noise.is_nan() {
        0.01
    } else {
        noise.clamp(1e-4, 0.3)
    }
}

/// Finds the errors of a geometry's flats.
fn errors(joint: &mut Joint, noise: f64, exec: &Exec) -> Result<()> {
    let tasks: Vec<(u64, bool)> = (0..2 * DRAWS).map(|i| (i % DRAWS, i >= DRAWS)).collect();
    let mut draws = exec.try_map(tasks, |(i, priors)| {
        let mut stream = Stream::new(i, &[label("flat"), u64::from(priors)]);
        Ok(joint.draw(noise, priors, &mut || stream.normal()))
    })?;
    let of_priors = draws.split_off(DRAWS as usize);
    joint.set_errors(&draws, noise, &of_priors);
    Ok(())
}

/// Flat and error of one wavelength.
fn wavelength(
    dithers: &[Dither],
    z: usize,
    used: &[bool],
    solver: &Solver,
    params: &Params,
    last: &mut Solution,
) -> (Vec<f64>, Vec<f64>) {
    let size = used.len() / dithers.len();
    let range = z * size..(z + 1) * size;
    let gather = |of: fn(&Dither) -> &[f32]| -> Vec<f32> {
        let parts = dithers.iter().flat_map(|d| &of(d)[range.clone()]);
        parts.copied().collect()
    };
    let (mut images, errors) = (gather(|d| &d.sci), gather(|d| &d.err));
    let left = || (vec![1.0; size], vec![0.0; size]);
    // no number is not too low
    if level(&images, used, size) / level(&errors, used, size) < params.snr_threshold as f32 {
        return left();
    }
    clip(&mut images, params.nsigma, params.sigma_iterations);
    let (mut flat, mut err) = match solver {
        Solver::Median(links, limits) => (links.flat(&images, *limits), Vec::new()),
        Solver::Joint(joint) => {
            let image = joint.flat(&images, &errors, last);
            (image.flat, image.err)
        }
    };
    if let Solver::Joint(_) = solver {
        let low = 1.0 / params.max_correction;
        for (f, e) in flat.iter_mut().zip(&mut err) {
            if !(low < *f && *f < params.max_correction) {
                (*f, *e) = (f64::NAN, f64::NAN);
            }
        }
    }
    if !params.compatible && flat.iter().all(|f| f.is_nan()) {
        return left();
    }
    (flat, err)
}

/// Who made the flat, of what.
fn first_cards(dithers: &[Dither], dataset: &str, date: &str) -> Header {
    let mut header = Header::new();
    let version = env!("CARGO_PKG_VERSION");
    header.set(
        &format!("{} VERSION", crate::model::synthetic_flat::GENERATION),
        version,
        "Software version",
    );
    card(&mut header, "DATE", date);
    card(&mut header, "DATASET", dataset);
    let meta = &dithers[0].meta;
    let miri = meta.str("CHANNEL").is_some();
    for key in ["CHANNEL", "BAND"] {
        if let Some(value) = meta.str(key) {
            card(&mut header, key, value.trim().to_lowercase());
        }
    }
    if miri {
        card(&mut header, "DEFRINGED", defringed(meta));
    } else {
        for key in ["FILTER", "GRATING"] {
            if let Some(value) = meta.str(key) {
                card(&mut header, key, value.trim().to_lowercase());
            }
        }
    }
    for key in [
        "OBS_ID", "TARGNAME", "DATE", "OBSLABEL", "CAL_VER", "CRDS_VER", "CRDS_CTX",
    ] {
        let texts: Vec<String> = dithers
            .iter()
            .filter_map(|d| d.meta.primary.get(key))
            .map(Value::plain)
            .collect();
        if texts.len() == dithers.len() {
            card(&mut header, &format!("INPUT_{key}"), common_text(&texts));
        }
    }
    header
}

/// Texts as one, with `?` where they differ.
fn common_text(texts: &[String]) -> String {
    let texts: Vec<Vec<char>> = texts.iter().map(|t| t.chars().collect()).collect();
    let length = texts.iter().map(Vec::len).max().unwrap_or(0);
    let at = |i: usize| {
        let first = texts[0].get(i);
        let same = texts.iter().all(|t| t.get(i) == first);
        first.copied().filter(|_| same).unwrap_or('?')
    };
    (0..length).map(at).collect()
}

/// Parameters of the method as cards.
fn cards(p: &Params) -> Vec<(&'static str, Value)> {
    let number = |v: f64| match v.fract() == 0.0 && v.abs() < 1e9 {
        true => Value::from(v as i64),
        false => v.into(),
    };
    let median = p.compatible || p.method == Method::Median;
    let mut out: Vec<(&str, Value)> = Vec::new();
    if median {
        out.push(("LAT_BIN_SIZE_FACTOR", number(p.lat_bin_size_factor)));
        out.push(("BIN_ASPECT", number(p.bin_aspect)));
    }
    out.push(("EMISSION_CUTOFF", number(p.emission_cutoff)));
    if median {
        out.push(("ITERATIONS", p.iterations.into()));
    }
    out.push(("NSIGMA", number(p.nsigma)));
    out.push(("SIGMA_ITERATIONS", p.sigma_iterations.into()));
    out.push(("SNR_THRESHOLD", number(p.snr_threshold)));
    out.push(("MAX_CORRECTION", number(p.max_correction)));
    if !p.compatible {
        out.push(("METHOD", if median { "median" } else { "joint" }.into()));
    }
    if !median {
        out.push(("SCENE_SPACING", number(p.scene_spacing)));
        out.push(("FLAT_PRIOR", number(p.flat_prior)));
        out.push(("LEVEL_PRIOR", number(p.level_prior)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_differ_show_where() {
        let join = |t: &[&str]| common_text(&t.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>());
        assert_eq!(join(&["01247667001", "01247667002"]), "0124766700?");
        assert_eq!(
            join(&["Saturn-15N", "Saturn-45N", "Saturn-75N"]),
            "Saturn-?5N"
        );
        assert_eq!(join(&["ab", "abc"]), "ab?");
    }

    #[test]
    fn parameters_are_checked() {
        let bad = Params {
            max_correction: 0.5,
            ..Params::default()
        };
        assert!(matches!(bad.check(), Err(Error::Parameter { .. })));
        assert!(Params::default().check().is_ok());
    }
}
