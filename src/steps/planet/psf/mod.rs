//! # psf: correct the brightness of a disc for the point-spread function
//!
//! ## What
//! Divides a cube by what the telescope would make of a target that is evenly bright where it is lit, and dark elsewhere.
//!
//! ## Why
//! The point-spread function carries light across the limb: spaxels near it are too faint, and more so the longer the
//! wavelength.
//!
//! ## Algorithm
//! 1. The target's lit side (emission and incidence angles below 90 degrees) is drawn on a grid finer than the cube's by `rescale`, by
//!    default so that the disc is at least `min_disc_diameter_scaled` points across and the factor at least `min_rescale`, with
//!    `buffer_unscaled` spaxels more on every side. Points, not areas, are looked at.
//! 2. At each wavelength it is convolved with a Gaussian of full width at half maximum `fwhm_slope` x wavelength (um) +
//!    `fwhm_offset` arcsec (cut at 4 standard deviations; the edges go on as they are), and sampled at the centres of spaxels.
//! 3. SCI and ERR are divided by it. Spaxels whose own centre does not see the lit side become NaN. DQ stays.
//! 4. The model on the cube's own grid, the widths and the blurred model are added as `PSF_FORWARD_MODEL`,
//!    `PSF_FWHM_ARCSEC` and `PSF_MODEL_CUBE`.
//!
//! The geometry is that of the navigation, with its offsets; with other kernels than the cube was navigated with, the step
//! refuses it.
//!
//! ## Parameters
//! As named above; `kernels`: SPICE kernels (files, folders, meta-kernels, separated as in PATH; unset: those of the
//! environment, as for `sifu navigate`); `max_target_diameter_to_skip`: discs of fewer pixels are not corrected;
//! `mask_off_disc_pixels`, `check_target_in_fov`: steps 3 and the condition below can be left out.
//!
//! ## Reference files
//! None from CRDS; SPICE kernels.
//!
//! ## Skipped when
//! the instrument is not MIRI; the cube has basic navigation only; no spaxel's centre sees the lit side; the disc is too small.
//!
//! ## Differs from jwst
//! jwst has no such step. The reference pipeline divides the diameter (in pixels) by the pixel's size in arcsec once more where it
//! chooses the factor (and compares it with the least), so that small discs are drawn 3 to 8 times too coarsely; it draws the disc
//! on a plane about the target (PlanetMapper's), turned by an angle that has right ascension without cos(Dec), which is off by
//! up to a degree in cubes that are not aligned with north. `compatible` does both. PlanetMapper also takes a pixel's size from an
//! arc cosine, whose rounding leaves it off by up to some 1e-4, at random; nobody can follow that.
//!
//! ## References
//! King et al. (2023), doi:10.3847/2515-5172/ad045f (`psf_correction`); Law et al. (2023), doi:10.3847/1538-3881/acdddc (widths).

mod blur;
mod geometry;

use std::path::PathBuf;

use blur::{FWHM, Model};
use geometry::Scene;

use super::note;
use crate::exec::Exec;
use crate::formats::fits::{Card, Data, Hdu, Header, Image, Value};
use crate::model::Cube;
use crate::nav::{Kernels, search};
use crate::steps::step::{Info, RefPaths, Step, Target};
use crate::{Error, Result};

crate::params! {
    /// Parameters of psf.
    pub struct PsfParams {
        /// SPICE kernels: files, folders and meta-kernels, separated as in PATH; unset: those of the environment.
        kernels: Option<String> = None,
        /// Points a spaxel's side; unset: from the two that follow.
        rescale: Option<i64> = None,
        /// Least number of points a spaxel's side.
        min_rescale: i64 = 5,
        /// Least number of points across the disc.
        min_disc_diameter_scaled: i64 = 150,
        /// Spaxels that are added around the field.
        buffer_unscaled: i64 = 10,
        /// Diameter in pixels below which a target is too small.
        max_target_diameter_to_skip: f64 = 1.0,
        /// Width of the point-spread function: arcsec a micron.
        fwhm_slope: f64 = 0.033,
        /// Width of the point-spread function at no wavelength, arcsec.
        fwhm_offset: f64 = 0.106,
        /// Set spaxels that do not see the lit side to NaN.
        mask_off_disc_pixels: bool = true,
        /// Leave cubes alone that have no spaxel on the lit side.
        check_target_in_fov: bool = true,
        /// Choose the grid and place the disc as the reference pipeline does.
        compatible: bool = false,
    }
}

/// Most points that a grid may have.
const MOST: usize = 400_000_000;

/// The step.
pub struct Psf;

/// A grid finer than a cube's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Grid {
    /// Points a spaxel's side.
    factor: usize,
    /// Points added on every side.
    border: usize,
}

impl Grid {
    /// The grid for a disc of `diameter` pixels.
    fn of(diameter: f64, params: &PsfParams) -> Result<Self> {
        let count = |name: &str, v: i64, least: i64| {
            usize::try_from(v)
                .ok()
                .filter(|_| (least..=1000).contains(&v))
                .ok_or_else(|| {
                    Error::parameter(format!("psf: {name} = {v} must be from {least} to 1000"))
                })
        };
        let factor = match params.rescale {
            Some(v) => count("rescale", v, 1)?,
            None => {
                let least = count("min_rescale", params.min_rescale, 1)?;
                let across = (params.min_disc_diameter_scaled as f64 / diameter).ceil();
                least.max(across.clamp(1.0, 1000.0) as usize)
            }
        };
        let buffer = count("buffer_unscaled", params.buffer_unscaled, 0)?;
        Ok(Self {
            factor,
            border: buffer * factor,
        })
    }

    /// Points along an axis of `n` spaxels.
    fn size(self, n: usize) -> usize {
        n * self.factor + 2 * self.border
    }

    /// Spaxel (in parts) at a point.
    fn spaxel(self, point: usize) -> f64 {
        (point as f64 - self.border as f64) / self.factor as f64
    }

    /// Points at the centres of `n` spaxels.
    fn centres(self, n: usize) -> Vec<usize> {
        (0..n).map(|i| i * self.factor + self.border).collect()
    }
}

/// Diameter by which the grid is chosen, and targets are too small.
fn diameter(scene: &Scene, cube: &Cube, params: &PsfParams) -> f64 {
    let pixels = scene.diameter(cube);
    match params.compatible {
        true => pixels / scene.pixel_scale(cube),
        false => pixels,
    }
}

/// What spaxels' centres see: 1 on the lit side, 0 elsewhere, `[y][x]`.
fn own_grid(scene: &Scene, cube: &Cube) -> Vec<bool> {
    let at = |p: usize| ((p % cube.nx) as f64, (p / cube.nx) as f64);
    let points: Vec<(f64, f64)> = (0..cube.plane()).map(at).collect();
    scene.lit(&points)
}

/// The same by the backplanes that the cube was navigated to.
///
/// # Errors
/// [`Error::Input`] where it has none.
fn navigated(cube: &Cube) -> Result<Vec<bool>> {
    let find = |name: &str| {
        let mut named = (cube.planes.iter()).filter(|h| h.header.str("EXTNAME") == Some(name));
        let values = named.find_map(|h| match &h.data {
            Data::Image(i) if i.shape == [cube.ny, cube.nx] => Some(i.pixels.to_f64()),
            _ => None,
        });
        values.ok_or_else(|| {
            Error::input_file(
                &cube.meta.source,
                format!("has no backplane {name}; navigate it first (sifu navigate)"),
            )
        })
    };
    let (emission, incidence) = (find("EMISSION")?, find("INCIDENCE")?);
    let both = emission.iter().zip(&incidence);
    Ok(both.map(|(e, i)| *e < 90.0 && *i < 90.0).collect())
}

/// Refuses kernels that put the target elsewhere than the cube's navigation has it.
fn agree(navigated: &[bool], seen: &[bool], cube: &Cube) -> Result<()> {
    let other = navigated.iter().zip(seen).filter(|(a, b)| a != b).count();
    // what lies on the limb may fall to either side
    let limb = 8 + navigated.len() / 200;
    if other <= limb {
        return Ok(());
    }
    Err(Error::reference(format!(
        "{}: the kernels put the target elsewhere than its navigation does ({other} spaxels); give those it was navigated with",
        cube.meta.source.display()
    )))
}

/// The blurred model at each wavelength and spaxel, for widths in arcsec.
fn model_cube(
    scene: &Scene,
    cube: &Cube,
    grid: Grid,
    fwhm: &[f64],
    exec: &Exec,
) -> Result<Vec<f64>> {
    let (ny, nx) = (grid.size(cube.ny), grid.size(cube.nx));
    if ny.saturating_mul(nx) > MOST {
        return Err(Error::parameter(format!(
            "psf: a grid of {ny} x {nx} points is too large; give a smaller psf.rescale (it is {})",
            grid.factor
        )));
    }
    let rows = exec.try_map((0..ny).collect(), |y| {
        let points: Vec<(f64, f64)> = (0..nx).map(|x| (grid.spaxel(x), grid.spaxel(y))).collect();
        let lit = scene.lit(&points).into_iter().enumerate();
        Ok(lit
            .filter(|(_, lit)| *lit)
            .map(|(x, _)| (y, x))
            .collect::<Vec<_>>())
    })?;
    let model = Model::new(ny, nx, &rows.concat());
    let scale = scene.pixel_scale(cube) / grid.factor as f64;
    let (at_y, at_x) = (grid.centres(cube.ny), grid.centres(cube.nx));
    let images = exec.try_map(fwhm.to_vec(), |width| {
        Ok(model.blurred(width / scale / FWHM, &at_y, &at_x))
    })?;
    Ok(images.concat())
}

impl Step for Psf {
    const INFO: Info = Info {
        name: "psf",
        class: "PsfStep",
        keyword: "",
        title: "Point-spread function",
        skip: false,
        references: &[],
    };
    const SOURCE: &'static str = include_str!("mod.rs");
    type In = Cube;
    type Out = Cube;
    type Params = PsfParams;
    type Refs = Kernels;

    fn not_applicable(cube: &Cube, _: &PsfParams) -> Result<Option<String>> {
        let why = match cube.meta.primary.bool("NAV BASIC") {
            _ if !cube.meta.is_miri() => "the widths are those of MIRI",
            Some(true) => "basic navigation does not tell where the target's lit side is",
            _ => return Ok(None),
        };
        Ok(Some(why.into()))
    }

    fn load(_: &RefPaths, _: &Target, params: &PsfParams) -> Result<Kernels> {
        let given: Vec<PathBuf> = match &params.kernels {
            Some(text) => std::env::split_paths(text).collect(),
            None => Vec::new(),
        };
        Ok(search::find(&given)?.kernels)
    }

    fn not_usable(cube: &Cube, kernels: &Kernels, params: &PsfParams) -> Result<Option<String>> {
        let planes = navigated(cube)?;
        let scene = Scene::new(cube, kernels, params.compatible)?;
        let seen = own_grid(&scene, cube);
        if params.check_target_in_fov && !seen.contains(&true) {
            return Ok(Some("no spaxel sees the lit side of the target".into()));
        }
        if !params.compatible {
            agree(&planes, &seen, cube)?;
        }
        let across = diameter(&scene, cube, params);
        let least = params.max_target_diameter_to_skip;
        Ok((across < least)
            .then(|| format!("the target's diameter is {across:.2} px, less than {least} px")))
    }

    fn run(mut cube: Cube, kernels: &Kernels, params: &PsfParams, exec: &Exec) -> Result<Cube> {
        let scene = Scene::new(&cube, kernels, params.compatible)?;
        let own = match params.compatible {
            true => own_grid(&scene, &cube),
            false => navigated(&cube)?,
        };
        let grid = Grid::of(diameter(&scene, &cube, params), params)?;
        let width = |w: &f64| params.fwhm_slope * w + params.fwhm_offset;
        let fwhm: Vec<f64> = cube.wavelengths()?.iter().map(width).collect();
        if let Some(bad) = fwhm.iter().find(|f| !f.is_finite() || **f <= 0.0) {
            return Err(Error::parameter(format!(
                "psf: fwhm_slope and fwhm_offset give a width of {bad} arcsec, which must be above 0"
            )));
        }
        let model = model_cube(&scene, &cube, grid, &fwhm, exec)?;
        let plane = cube.plane().max(1);
        for (i, (sci, err)) in cube.sci.iter_mut().zip(&mut cube.err).enumerate() {
            let by = match params.mask_off_disc_pixels && !own[i % plane] {
                true => f64::NAN,
                false => model[i],
            };
            *sci = (f64::from(*sci) / by) as f32;
            *err = (f64::from(*err) / by) as f32;
        }
        let own: Vec<f64> = own
            .into_iter()
            .map(|lit| f64::from(u8::from(lit)))
            .collect();
        let shape = [cube.nz, cube.ny, cube.nx];
        for (name, comments, image) in [
            (
                "PSF_FORWARD_MODEL",
                vec![
                    "Forward model used for PSF correction.",
                    "This model is convolved with the PSF at each wavelength.",
                    "This is an unscaled version of the forward model.",
                ],
                Image::new(&shape[1..], own),
            ),
            (
                "PSF_FWHM_ARCSEC",
                vec!["PSF Gaussian FWHM in arcseconds used for PSF correction."],
                Image::new(&shape[..1], fwhm),
            ),
            (
                "PSF_MODEL_CUBE",
                vec![
                    "PSF model cube used for PSF correction.",
                    "This is the scaled forward model convolved with the PSF at each wavelength.",
                ],
                Image::new(&shape, model),
            ),
        ] {
            let mut header = Header::new();
            header.set("EXTNAME", name, "extension name");
            for text in comments {
                header.push(Card::commentary("COMMENT", text));
            }
            cube.planes.push(Hdu {
                header,
                data: Data::Image(image),
            });
        }
        describe(&mut cube.meta.primary, params, grid);
        Ok(cube)
    }
}

/// The step's cards.
fn describe(h: &mut Header, params: &PsfParams, grid: Grid) {
    note::add(h, "PSF corrected", Some("PSF"));
    let default = (0.033, 0.106);
    let width = match (params.fwhm_slope, params.fwhm_offset) {
        both if both == default => "default_psf_fwhm_func".to_owned(),
        (slope, offset) => format!("{slope} um + {offset}"),
    };
    let cards: [(&str, Value, &str); 10] = [
        ("RESCALE", grid.factor.into(), "Points a spaxel's side"),
        ("BUFFER", grid.border.into(), "Points added on every side"),
        ("MIN_RESCALE", params.min_rescale.into(), ""),
        (
            "MIN_DISC_DIAMETER_SCALED",
            params.min_disc_diameter_scaled.into(),
            "",
        ),
        ("BUFFER_UNSCALED", params.buffer_unscaled.into(), ""),
        (
            "MAX_TARGET_DIAMETER_TO_SKIP",
            params.max_target_diameter_to_skip.into(),
            "",
        ),
        ("FORWARD_MODEL", "default_forward_model_func".into(), ""),
        ("PSF_FWHM", width.into(), ""),
        (
            "MASK_OFF_DISC_PIXELS",
            params.mask_off_disc_pixels.into(),
            "",
        ),
        ("CHECK_TARGET_IN_FOV", params.check_target_in_fov.into(), ""),
    ];
    for (key, value, comment) in cards {
        note::put(h, &format!("PSF {key}"), value, comment);
    }
}

#[cfg(test)]
mod tests;
