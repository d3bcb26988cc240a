//! Pointing from the data: where a body's disc lies in images whose coordinates are a little wrong.
//!
//! JWST points at a moving target to about half an arcsecond, which is several spaxels. [`fit`] compares images of a body
//! with what its geometry says they show, and finds the offset on the sky (and, if asked, the turn of the field) that all
//! of them share, with its covariance. It starts from a coarse grid of offsets, so it needs no guess.
//!
//! # Model
//! The body's ellipsoid is sampled finely, each place with the cosines of its emission and incidence angles, and blurred
//! with the PSF, a Gaussian. The brightness is a sum of laws of darkening of emitted light (powers 0, 1/2, 1, 2 of the
//! cosine of emission) and of reflected light (Minnaert's with exponents 1/2 and 1 and that of Lommel and Seeliger, dark beyond
//! the terminator), so that both the limb and the terminator are where they should be. It is multiplied by a free profile in
//! latitude and by free patches. The PSF's width, ellipticity and wings and the altitude of the limb may be wrong by
//! as much as their priors say. The sky has a level and a slope. All these are linear but for the product of darkening and
//! structure, which is taken to first order about what was found and renewed until the offset stands still; for any offset
//! they are solved for exactly, with Gaussian priors. Those of the structure say that brightness is alike over 0.13 radian of latitude
//! and 0.15 radii of the disc, as belts and spots of the giant planets are: it is they that tell a belt along the limb from an offset.
//! Their widths are learned from the image while the terms are looked for (MacKay 1992,
//! doi:10.1162/neco.1992.4.3.415). Errors are large and weights lenient at first, so that no belt is taken for bad data; then
//! spaxels beyond 6 sigma say nothing (Tukey's weights). Spaxels where rings may be seen, or their shadow, are left out.
//!
//! The offset is the mean over its probability, all terms integrated out and so the widths of the structure's priors, on a mesh over
//! all of the probability's hill: it may be skew, or have two tops.
//!
//! # Errors
//! The covariance is that of this probability: what noise and what structure may do. Errors of the spaxels are
//! raised to the scatter of the residuals, by a factor on the sky and by a share (0.6 % at least) of the brightness on the disc,
//! and the covariance is widened by the correlation of neighbouring residuals. Between images noise averages out; structure,
//! altitude and optics are taken as the same in all. Images that disagree by more than their errors widen the covariance, and the
//! result says so; by more than four times that, they are refused.
//!
//! Measured over 200 scenes of Jupiter, Saturn, Uranus, Neptune and Titan with offsets up to 1 arcsec, made with what is not in the
//! model (`tests/limb_fit`, 40 of each body) and not seen while it was chosen. The best constrained component is right to 0.016 arcsec
//! rms (0.025 for Jupiter and 0.024 for Saturn, whose fields hold a piece of the limb and which are belted; 0.004 to 0.009 for the
//! others); both components of whole discs to 0.008. Of the components 70 % lie within 1 sigma, 94 % within 2, 99 % within 3, and
//! none is off by more than 3.2. Eight scenes (five of Jupiter, three of Saturn) were refused although their limb is in the field: most
//! because the first guess, which knows no belts, was led out of the range that is searched.
//!
//! # Limits
//! A limb that is not in the field constrains nothing, and the fit says so ([`Refusal`]). A short arc constrains the offset across it
//! much better than along it: the covariance says how much; where the error along it exceeds [`Options::max_error`], the regime
//! is [`Regime::Edge`], and the error stated along the limb is [`Options::pointing_error`].
//! Structure of the PSF's size right at the limb is not told from the limb. Bodies smaller than a spaxel are fitted by their
//! centre of light, whose distance from the centre of the body is known from the laws of darkening and a slope of
//! brightness of 10 %.

mod collapse;
mod compared;
mod disc;
mod grid;
mod posterior;
mod psf;
mod refine;
mod refusal;
mod scene;
mod search;
mod terms;

use super::Aspect;
use crate::math::quantile::quantile;
pub use collapse::{Collapsed, collapse};
pub use compared::{Compared, outline};
pub use disc::{offset_of, place_of};
use posterior::Posterior;
pub use psf::fwhm;
use refine::{Course, Refined};
pub use refusal::Refusal;
use scene::{Scene, Shift, Weights};

/// Improvement of chi-squared below which there is no body.
const LEAST_GAIN: f64 = 60.0;
/// Scatter of the offsets of single images about that of all, over what their errors say, squared: from which they contradict each
/// other.
const DISAGREE: f64 = 16.0;
/// Spaxels of an image that may speak against the offset, over those of the body, and how many besides.
const REJECTED: f64 = 0.2;
const STRAY: f64 = 6.0;
/// Residuals, relative to the image's contrast, above which the model is not what is seen.
const MISFIT: f64 = 0.2;
/// Most renewals of the products of darkening and structure, and the move (arcsec) below which no more are needed.
const RENEWALS: usize = 4;
const SETTLED: f64 = 0.002;
/// Errors of the model relative to its brightness, one after the other, while the terms are not known yet.
const FLOORS: [f64; 3] = [0.03, 0.02, 0.012];
/// Largest error of a turn that is worth having, degrees.
const TURN_ERROR: f64 = 5.0;

/// One image of a body.
#[derive(Clone, Debug)]
pub struct Image {
    /// The body's geometry at the image's epoch.
    pub aspect: Aspect,
    /// Spaxels in a row of the image.
    pub columns: usize,
    /// Arcsec east of the body's ephemeris position ([`offset_of`]) by the image's own coordinates, row by row; NaN for none.
    pub x: Vec<f64>,
    /// Arcsec north.
    pub y: Vec<f64>,
    /// Brightness in any unit; NaN where it is not valid.
    pub value: Vec<f64>,
    /// Standard error in that unit.
    pub error: Vec<f64>,
    /// Full width at half maximum of the PSF as the image has it, arcsec.
    pub fwhm: f64,
    /// Inner and outer radius of rings, km: spaxels that may see them are left out.
    pub rings: Option<[f64; 2]>,
}

/// How to fit.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Largest offset, arcsec.
    pub search: f64,
    /// Whether the turn of the field is fitted.
    pub roll: bool,
    /// Altitude of the limb above the radii, km.
    pub altitude: f64,
    /// Its standard error, km (at most 5 % of the radius).
    pub altitude_error: f64,
    /// Relative standard error of the PSF's width, and its ellipticity.
    pub psf_error: f64,
    /// Standard error above which a direction counts as not constrained, arcsec.
    pub max_error: f64,
    /// Standard error of the pointing before the fit (arcsec), used for directions that the image does not constrain.
    pub pointing_error: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            search: 1.5,
            roll: false,
            altitude: 0.0,
            altitude_error: 50.0,
            psf_error: 0.08,
            max_error: 0.12,
            pointing_error: 0.5,
        }
    }
}

/// How the body lies in the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Regime {
    /// All of the limb is in the field.
    Disc,
    /// The limb crosses the field.
    Limb,
    /// The limb crosses the field, and only the offset across it is constrained.
    Edge,
    /// The body is smaller than a spaxel: its centre of light.
    Point,
}

impl Regime {
    /// Its name, as in headers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Disc => "disc",
            Self::Limb => "limb",
            Self::Edge => "edge",
            Self::Point => "point",
        }
    }
}

/// The pointing of a set of images: what their coordinates have too much of.
#[derive(Clone, Debug)]
pub struct Fit {
    /// Arcsec to the east on the sky (not of right ascension itself).
    pub ra_offset: f64,
    /// Arcsec to the north.
    pub dec_offset: f64,
    /// Turn of the field about the body, degrees from north to east; 0 where it was not fitted.
    pub roll: f64,
    /// Covariance of these three, arcsec and degrees.
    pub covariance: [[f64; 3]; 3],
    /// Reduced chi-squared with the errors that the images came with.
    pub chi2: f64,
    /// Error of the model relative to its brightness that the residuals of the first image ask for.
    pub scatter: f64,
    /// Share of the limb that is in the field.
    pub limb: f64,
    /// How the body lies in the field.
    pub regime: Regime,
    /// The result in words.
    pub message: String,
    /// What it makes of each image, in their order.
    pub images: Vec<Compared>,
}

impl Fit {
    /// Standard errors of the offset along the best and the worst constrained direction (arcsec), and the position angle of the
    /// latter (degrees from north to east, 0 to 180).
    #[must_use]
    pub fn ellipse(&self) -> [f64; 3] {
        ellipse(&self.covariance)
    }
}

fn ellipse(c: &[[f64; 3]; 3]) -> [f64; 3] {
    let (mean, half) = (0.5 * (c[0][0] + c[1][1]), 0.5 * (c[0][0] - c[1][1]));
    let root = libm::hypot(half, c[0][1]);
    // from east towards north
    let angle = 0.5 * libm::atan2(c[0][1], half);
    let position = 90.0 - angle.to_degrees();
    [
        (mean - root).max(0.0).sqrt(),
        (mean + root).max(0.0).sqrt(),
        position - 180.0 * (position / 180.0).floor(),
    ]
}

/// Finds the offset that images of one body share.
///
/// # Errors
/// [`Refusal`] where nothing constrains it.
pub fn fit(images: &[Image], options: &Options) -> Result<Fit, Refusal> {
    let mut scenes = images
        .iter()
        .map(|image| Scene::new(image, options))
        .collect::<Result<Vec<_>, _>>()?;
    if scenes.is_empty() {
        return Err(Refusal::Empty(0));
    }
    let start = first(&mut scenes, options)?;
    for scene in &mut scenes {
        scene.coefficients.fill(0.0);
        scene.mask_rings(start, 0.15);
        if scene.pixels.len() < scene::LEAST {
            return Err(Refusal::Rings);
        }
    }
    let course = Course {
        turn: options.roll,
        weights: Weights::Tukey,
        noise: true,
        structure: true,
        steps: 30,
        pointing: None,
    };
    let refined = terms_and_shift(&mut scenes, start, course).ok_or(Refusal::NotConverged)?;
    let mut course = course;
    let mut notes = String::new();
    let mut top = climb(&scenes, &refined, course)?;
    if course.turn && top.covariance[2][2].max(0.0).sqrt().to_degrees() > TURN_ERROR {
        notes.push_str("; the turn of the field is not constrained and was left at 0");
        course.turn = false;
        top = climb(&scenes, &straight(&refined), course)?;
    }
    let worst = ellipse(&top.covariance);
    if worst[0] > options.max_error {
        return Err(Refusal::Weak(worst[0]));
    }
    let edge = worst[1] > options.max_error;
    if edge {
        course.pointing = Some(options.pointing_error);
        top = climb(&scenes, &refined, course)?;
    }
    if top.disagreement > DISAGREE {
        return Err(Refusal::Disagree(top.disagreement.sqrt()));
    }
    if top.disagreement > 1.0 {
        let factor = top.disagreement.sqrt();
        notes.push_str(&format!(
            "; the images disagree by {factor:.1} times their errors, which are enlarged by that"
        ));
        top.covariance = top.covariance.map(|row| row.map(|v| v * top.disagreement));
    }
    if edge {
        // what little the image says along a limb that is all but straight is not to be relied upon
        let [_, error, angle] = ellipse(&top.covariance);
        let more = (options.pointing_error * options.pointing_error - error * error).max(0.0);
        let (s, c) = (libm::sin(angle.to_radians()), libm::cos(angle.to_radians()));
        for (i, a) in [s, c].into_iter().enumerate() {
            for (j, b) in [s, c].into_iter().enumerate() {
                top.covariance[i][j] += more * a * b;
            }
        }
    }
    let mut found = verdict(&mut scenes, &top, options, edge, &notes)?;
    found.images = compared::compared(images, &scenes, top.shift);
    Ok(found)
}

/// Coarse grid, then the laws of darkening alone from the best of its minima.
fn first(scenes: &mut [Scene], options: &Options) -> Result<Shift, Refusal> {
    for scene in &mut *scenes {
        scene.prepare_plain([0.0; 3], options.search + 0.5);
        scene.floor = 0.03;
    }
    let found = search::search(scenes, options.search);
    if found.best.is_empty() || found.gain < LEAST_GAIN {
        return Err(Refusal::NoBody);
    }
    let course = Course {
        turn: false,
        weights: Weights::Huber,
        noise: false,
        structure: false,
        steps: 20,
        pointing: None,
    };
    let mut best: Option<(f64, Shift)> = None;
    for guess in &found.best {
        for scene in &mut *scenes {
            scene.coefficients.fill(0.0);
        }
        let Some(out) = refine::refine(scenes, guess.shift, course) else {
            continue;
        };
        let loss: f64 = scenes
            .iter()
            .flat_map(|s| s.residuals(out.shift, Weights::Huber))
            .map(|r| (r.pull * r.pull).min(25.0))
            .sum();
        if best.as_ref().is_none_or(|b| loss < b.0) {
            best = Some((loss, out.shift));
        }
    }
    let (_, shift) = best.ok_or(Refusal::NotConverged)?;
    beyond(shift, options, 1.2)?;
    Ok(shift)
}

fn beyond(shift: Shift, options: &Options, factor: f64) -> Result<(), Refusal> {
    let length = libm::hypot(shift[0], shift[1]);
    match length <= options.search * factor {
        true => Ok(()),
        false => Err(Refusal::Beyond {
            offset: length,
            search: options.search,
        }),
    }
}

/// All terms, noise and structure learned, from a first shift.
fn terms_and_shift(scenes: &mut [Scene], start: Shift, course: Course) -> Option<Refined> {
    for scene in &mut *scenes {
        scene.prepare_plain(start, 0.5);
    }
    let plain = Course {
        turn: false,
        weights: Weights::Huber,
        noise: false,
        structure: false,
        steps: 20,
        pointing: None,
    };
    let shift = refine::refine(scenes, start, plain)?.shift;
    for scene in &mut *scenes {
        scene.prepare_full(shift, 0.5);
    }
    // what is a product of two things that are not known is solved for by turns; first with errors so large, and weights so
    // lenient, that nothing of the body is taken for bad data
    let mut shift = shift;
    for floor in FLOORS {
        scenes.iter_mut().for_each(|s| s.floor = floor);
        let lenient = Course {
            weights: Weights::Huber,
            noise: false,
            steps: 8,
            ..course
        };
        shift = refine::refine(scenes, shift, lenient)?.shift;
        scenes.iter_mut().for_each(Scene::renew_products);
    }
    shift = refine::refine(scenes, shift, course)?.shift;
    let brief = Course {
        noise: false,
        structure: false,
        steps: 8,
        ..course
    };
    for _ in 0..RENEWALS {
        scenes.iter_mut().for_each(Scene::renew_products);
        let before = shift;
        shift = refine::refine(scenes, shift, brief)?.shift;
        if libm::hypot(shift[0] - before[0], shift[1] - before[1]) < SETTLED {
            break;
        }
    }
    refine::refine(scenes, shift, course)
}

fn climb(scenes: &[Scene], from: &Refined, course: Course) -> Result<Posterior, Refusal> {
    posterior::climb(scenes, from, course)
        .filter(|top| top.converged)
        .ok_or(Refusal::NotConverged)
}

/// The same place with no turn.
fn straight(from: &Refined) -> Refined {
    let mut out = from.clone();
    out.shift[2] = 0.0;
    out
}

/// The result, or why it is none.
fn verdict(
    scenes: &mut [Scene],
    top: &Posterior,
    options: &Options,
    edge: bool,
    notes: &str,
) -> Result<Fit, Refusal> {
    let shift = top.shift;
    beyond(shift, options, 1.0)?;
    for scene in &mut *scenes {
        let residuals = scene.residuals(shift, Weights::Tukey);
        let normal = scene
            .normal(shift, &residuals)
            .ok_or(Refusal::NotConverged)?;
        scene.take(&normal, [0.0; 3]);
    }
    let (mut chi2, mut weights) = (0.0, 0.0);
    let (mut limb, mut point) = (0.0f64, true);
    for scene in &*scenes {
        let residuals = scene.residuals(shift, Weights::Tukey);
        for (p, r) in scene.pixels.iter().zip(&residuals) {
            let plain = (p.value - r.model) / p.error;
            chi2 += r.weight * plain * plain;
            weights += r.weight;
        }
        let mut off: Vec<f64> = scene
            .pixels
            .iter()
            .zip(&residuals)
            .filter(|(_, r)| r.bright)
            .map(|(p, r)| ((p.value - r.model) / p.error.hypot(1.0)).abs())
            .collect();
        if 1.4826 * quantile(&mut off, 0.5) > MISFIT || scene.floor > MISFIT {
            return Err(Refusal::Misfit);
        }
        let body = residuals.iter().filter(|r| r.bright).count() as f64;
        let against = residuals.iter().filter(|r| r.weight < 0.1).count() as f64;
        if against > REJECTED * body + STRAY {
            return Err(match scenes.len() {
                1 => Refusal::Misfit,
                _ => Refusal::Contradiction(against / scene.pixels.len() as f64),
            });
        }
        let small = 2.0 * scene.disc.radius < scene.side;
        let share = seen(scene, shift);
        let arc = share * std::f64::consts::TAU * scene.disc.radius;
        let enough = match small {
            true => share > 0.5,
            false => share > 0.5 || arc > 2.0 * scene.sigma * terms::FWHM,
        };
        if enough {
            limb = limb.max(share);
            point &= small;
        }
    }
    if limb == 0.0 {
        return Err(Refusal::NoLimb);
    }
    let regime = match () {
        () if edge => Regime::Edge,
        () if point => Regime::Point,
        () if limb > 0.95 => Regime::Disc,
        () => Regime::Limb,
    };
    // from radians, east towards north, to degrees, north towards east
    let k = [1.0, 1.0, -(1.0f64.to_degrees())];
    let covariance =
        std::array::from_fn(|i| std::array::from_fn(|j| k[i] * k[j] * top.covariance[i][j]));
    let [best, worst, angle] = ellipse(&covariance);
    let message = format!(
        "{}: offset {:+.4} east, {:+.4} north arcsec, errors {best:.4} and {worst:.4} (towards {angle:.0} deg){notes}",
        match regime {
            Regime::Disc => "the whole disc".to_owned(),
            Regime::Limb => format!("{:.0} % of the limb", 100.0 * limb),
            Regime::Edge => format!(
                "{:.0} % of the limb, which constrains the offset across it only",
                100.0 * limb
            ),
            Regime::Point => "the centre of light".to_owned(),
        },
        shift[0],
        shift[1],
    );
    Ok(Fit {
        ra_offset: shift[0],
        dec_offset: shift[1],
        roll: k[2] * shift[2],
        covariance,
        chi2: chi2 / f64::max(weights, 1.0),
        scatter: scenes.first().map_or(0.0, |s| s.floor),
        limb,
        regime,
        message,
        images: Vec::new(),
    })
}

/// Share of the limb with a valid spaxel at hand.
fn seen(scene: &Scene, shift: Shift) -> f64 {
    let reach = 0.75 * scene.side;
    let own: Vec<[f64; 2]> = scene
        .pixels
        .iter()
        .map(|p| scene::turn(p.at, shift))
        .collect();
    // two places a spaxel
    let around = std::f64::consts::TAU * scene.disc.radius;
    let places = ((2.0 * around / scene.side).ceil() as usize).clamp(360, 40_000);
    let (middle, half) = scene.field;
    let middle = scene::turn(middle, shift);
    let far = 1.5 * half + scene.side;
    let near = |o: &&[f64; 2]| {
        (o[0] - middle[0]).abs() < far
            && (o[1] - middle[1]).abs() < far
            && own
                .iter()
                .any(|p| (p[0] - o[0]).abs() < reach && (p[1] - o[1]).abs() < reach)
    };
    let outline = scene.disc.outline(places);
    outline.iter().filter(near).count() as f64 / places as f64
}
