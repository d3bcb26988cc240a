//! Which pixels see no light: the mask by which the detector's own signal is measured.

use crate::exec::Exec;
use crate::model::{Cal, Meta, Ramp, Rate, dq};
use crate::steps::detector::ramp_fit::Detector;
use crate::steps::detector::ramp_fit::{
    ExposureFit, RampFit, RampFitParams, RampFitRefs, method, timing,
};
use crate::steps::spectral::assign_wcs::nirspec;
use crate::steps::spectral::msa_flagging::Stuck;
use crate::steps::step::{RefPaths, Reference, Step, Target};
use crate::{Result, wcs};

use super::background::{Limits, clip};

/// Rows of NIRSpec's fixed slits: first, and one past the last.
const FIXED_SLITS: [usize; 2] = [922, 1116];

/// Standard deviations below the background at which pixels are bad.
const LOWER: f64 = 3.0;

/// Reference types of draft rates and of the WCS, for a step's list.
pub const REFERENCES: [Reference; 15] = [
    Reference::optional("gain"),
    Reference::optional("readnoise"),
    Reference::optional("msaoper"),
    Reference::optional("camera"),
    Reference::optional("chromcorr"),
    Reference::optional("collimator"),
    Reference::optional("disperser"),
    Reference::optional("fore"),
    Reference::optional("fpa"),
    Reference::optional("ifufore"),
    Reference::optional("ifupost"),
    Reference::optional("ifuslicer"),
    Reference::optional("msa"),
    Reference::optional("ote"),
    Reference::optional("wavelengthrange"),
];

/// Whether a reference type is one of draft rates; of [`REFERENCES`] the others are those of the WCS.
pub fn is_of_rates(kind: &str) -> bool {
    matches!(kind, "gain" | "readnoise")
}

/// Whether an exposure's slopes have been fitted.
pub fn is_rate(meta: &Meta) -> bool {
    meta.str("S_RAMP") == Some("COMPLETE")
}

/// What is needed to know where light falls.
#[derive(Debug)]
enum Light {
    /// The instrument model and the shutters that are stuck open.
    Shutters(Box<Stuck>),
    /// The instrument model, where nothing is known of shutters.
    Slices(Box<nirspec::Refs>),
}

/// References of draft rates and of the WCS, as far as they are needed.
#[derive(Debug, Default)]
pub struct SceneRefs {
    rates: Option<RampFitRefs>,
    light: Option<Light>,
}

impl SceneRefs {
    /// Loads what draft rates (of an exposure whose slopes are not fitted) and, where asked for, the science regions need.
    ///
    /// # Errors
    /// [`crate::Error::Reference`] where a file is missing or unusable.
    pub fn load(paths: &RefPaths, target: &Target, science_regions: bool) -> Result<Self> {
        let rates = match is_rate(&target.meta) {
            true => None,
            false => Some(RampFit::load(paths, target, &RampFitParams::default())?),
        };
        let light = match (science_regions, paths.get("msaoper")) {
            (false, _) => None,
            (true, Some(_)) => Some(Light::Shutters(Box::new(Stuck::load(paths, target)?))),
            (true, None) => Some(Light::Slices(Box::new(nirspec::Refs::load(paths, target)?))),
        };
        Ok(Self { rates, light })
    }

    /// Rates of ramps by ramp_fit with its own defaults: the average, or each integration's.
    ///
    /// # Errors
    /// As ramp_fit.
    pub fn draft(&self, ramp: &Ramp, each: bool, exec: &Exec) -> Result<Scene> {
        let Some(refs) = &self.rates else {
            return Err(crate::Error::reference(
                "gain and readnoise are needed for draft rates",
            ));
        };
        let source = &ramp.meta.source;
        let timing = timing(&ramp.meta)?;
        let method = method(ramp, &RampFitParams::default(), exec);
        let detector = Detector {
            gain: &refs.gain,
            readnoise: &refs.readnoise,
        };
        let method = method.map_err(|e| e.with_path(source))?;
        let (rateints, fitted) = ExposureFit::whole(ramp, &timing, method, detector, exec)?;
        let rate = if each { rateints } else { fitted.rate };
        Ok(Scene {
            nx: rate.nx,
            plane: rate.nx * rate.ny,
            cube: rate.nints.is_some(),
            values: rate.sci,
            dq: rate.dq,
        })
    }

    /// The pixels on which light of slices and of stuck shutters falls; none where the detector is dark.
    ///
    /// # Errors
    /// As for the WCS.
    pub fn lit(&self, meta: &Meta, exec: &Exec) -> Result<Option<Lit>> {
        let (slices, shutters) = match &self.light {
            None => return Ok(Some(Lit::default())),
            Some(Light::Slices(optics)) => (optics.lit(meta, exec)?, Vec::new()),
            Some(Light::Shutters(stuck)) => match stuck.optics().lit(meta, exec)? {
                // those that msa_flagging has found are flagged
                Some(slices) if meta.str("S_MSAFLG") == Some("COMPLETE") => {
                    (Some(slices), Vec::new())
                }
                Some(slices) => (Some(slices), stuck.pixels(meta, exec)?),
                None => (None, Vec::new()),
            },
        };
        Ok(slices.map(|slices| Lit { slices, shutters }))
    }

    /// As [`Self::lit`]; the slices by the exposure's own WCS where it has one.
    ///
    /// # Errors
    /// As for the WCS.
    pub fn lit_of(&self, cal: &Cal, exec: &Exec) -> Result<Option<Lit>> {
        if self.light.is_none() || cal.wcs.is_none() {
            return self.lit(&cal.meta, exec);
        }
        let map = wcs::map_of(cal)?;
        let pixels = 0..map.slice.len();
        let lit = pixels.filter(|p| map.slice[*p] > 0 && !map.world_lambda(*p).is_nan());
        let shutters = match &self.light {
            Some(Light::Shutters(stuck)) if cal.meta.str("S_MSAFLG") != Some("COMPLETE") => {
                stuck.pixels(&cal.meta, exec)?
            }
            _ => Vec::new(),
        };
        Ok(Some(Lit {
            slices: lit.map(|p| p as u32).collect(),
            shutters,
        }))
    }
}

/// Pixels on which light falls, `y * 2048 + x`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lit {
    /// Light of the slices.
    pub slices: Vec<u32>,
    /// Light of shutters that are stuck open, but for those that are flagged.
    pub shutters: Vec<u32>,
}

/// Count rates in which the scene is looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// Columns.
    pub nx: usize,
    /// Pixels of an image.
    pub plane: usize,
    /// Whether there is an axis of integrations.
    pub cube: bool,
    /// Rates in DN/s, image after image.
    pub values: Vec<f32>,
    /// Flags.
    pub dq: Vec<u32>,
}

impl Scene {
    /// The scene of count rates.
    pub fn of_rate(rate: &Rate) -> Self {
        Self {
            nx: rate.nx,
            plane: rate.nx * rate.ny,
            cube: rate.nints.is_some(),
            values: rate.sci.clone(),
            dq: rate.dq.clone(),
        }
    }

    /// The scene of an exposure's image.
    pub fn of_cal(cal: &Cal) -> Self {
        Self {
            nx: cal.nx,
            plane: cal.nx * cal.ny,
            cube: false,
            values: cal.sci.clone(),
            dq: cal.dq.clone(),
        }
    }

    /// Divides the rates by a flat field.
    pub fn divide(&mut self, flat: &[f32]) {
        for image in self.values.chunks_mut(self.plane.max(1)) {
            image.iter_mut().zip(flat).for_each(|(v, f)| *v /= f);
        }
    }
}

/// How the mask is made.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Leave out pixels on which light falls, whatever their value.
    pub science_regions: bool,
    /// Standard deviations above the background at which a pixel has signal; 0 for no such limit.
    pub n_sigma: f64,
    /// Take centre and width of the background from its histogram.
    pub histogram: bool,
    /// One mask for all integrations.
    pub single: bool,
}

/// Pixels of the background, true.
#[derive(Debug, Clone, PartialEq)]
pub struct Mask {
    /// Whether there is an axis of integrations.
    pub cube: bool,
    /// Pixels of an image.
    pub plane: usize,
    /// Image after image.
    pub values: Vec<bool>,
}

impl Mask {
    /// The mask of an integration.
    pub fn of(&self, integration: usize) -> &[bool] {
        let first = if self.cube {
            integration * self.plane
        } else {
            0
        };
        self.values
            .get(first..first + self.plane)
            .unwrap_or_default()
    }

    /// The pixels of a scene that see no light.
    pub fn new(scene: &Scene, lit: &Lit, rules: Rules, exec: &Exec) -> Self {
        let plane = scene.plane.max(1);
        let images = scene.values.chunks(plane).zip(scene.dq.chunks(plane));
        let masks = exec.map(images.collect(), |(image, flags)| {
            let mut mask: Vec<bool> = image.iter().map(|v| !v.is_nan() && *v != 0.0).collect();
            if rules.science_regions {
                for pixel in lit.slices.iter().chain(&lit.shutters) {
                    if let Some(used) = mask.get_mut(*pixel as usize) {
                        *used = false;
                    }
                }
                let open = mask.iter_mut().zip(flags);
                open.for_each(|(used, f)| *used &= f & dq::MSA_FAILED_OPEN == 0);
                let [first, last] = FIXED_SLITS.map(|row| (row * scene.nx).min(mask.len()));
                mask[first..last].fill(false);
            }
            if rules.n_sigma > 0.0 {
                let limits = Limits {
                    lower: LOWER,
                    upper: rules.n_sigma,
                    histogram: rules.histogram,
                    lower_half: false,
                };
                clip(image, &mut mask, limits);
            }
            mask
        });
        let cube = scene.cube && !rules.single;
        let values = match cube {
            true => masks.concat(),
            false => {
                let mut masks = masks.into_iter();
                let mut all = masks.next().unwrap_or_default();
                for mask in masks {
                    all.iter_mut().zip(mask).for_each(|(a, b)| *a &= b);
                }
                all
            }
        };
        Self {
            cube,
            plane: scene.plane,
            values,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(nints: usize) -> Scene {
        let ny = 1200;
        let mut values: Vec<f32> = (0..nints * ny)
            .map(|p| 1.0 + (p % 7) as f32 * 0.01)
            .collect();
        values[3] = f32::NAN;
        values[4] = 0.0;
        values[5] = 90.0;
        let mut dq = vec![0; nints * ny];
        dq[6] = dq::MSA_FAILED_OPEN;
        Scene {
            nx: 1,
            plane: ny,
            cube: nints > 1,
            values,
            dq,
        }
    }

    const RULES: Rules = Rules {
        science_regions: true,
        n_sigma: 2.0,
        histogram: false,
        single: false,
    };

    #[test]
    fn light_signal_and_holes_are_left_out() {
        let exec = Exec::new(Some(2)).unwrap();
        let lit = Lit {
            slices: vec![10, 11],
            shutters: vec![20, u32::MAX],
        };
        let mask = Mask::new(&scene(1), &lit, RULES, &exec);
        let out = |p: usize| [3, 4, 5, 6, 10, 11, 20].contains(&p) || (922..1116).contains(&p);
        assert!((0..1200).all(|p| mask.values[p] != out(p)));
        let rules = Rules {
            science_regions: false,
            ..RULES
        };
        let mask = Mask::new(&scene(1), &lit, rules, &exec);
        assert!((0..1200).all(|p| mask.values[p] != [3, 4, 5].contains(&p)));
        let rules = Rules {
            n_sigma: 0.0,
            ..rules
        };
        assert!(Mask::new(&scene(1), &lit, rules, &exec).values[5]);
    }

    #[test]
    fn one_mask_is_what_all_integrations_have() {
        let exec = Exec::new(Some(1)).unwrap();
        let each = Mask::new(&scene(2), &Lit::default(), RULES, &exec);
        assert!(each.cube && !each.of(0)[6] && each.of(1)[6] && each.of(2).is_empty());
        let rules = Rules {
            single: true,
            ..RULES
        };
        let one = Mask::new(&scene(2), &Lit::default(), rules, &exec);
        assert!(!one.cube && !one.of(1)[6] && one.of(1)[7] && one.values.len() == 1200);
    }
}
