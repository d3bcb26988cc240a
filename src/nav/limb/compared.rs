//! An image beside what a fit makes of it, for those who want to see it.

use super::disc::Disc;
use super::scene::{self, Scene, Shift, Weights};
use super::{Fit, Image};
use crate::nav::Aspect;

/// What a fit makes of an image, spaxel by spaxel in the image's order; NaN where one has no part in the fit.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The model, in the image's unit.
    pub model: Vec<f64>,
    /// The image less the model, over the standard deviation that the fit uses.
    pub pull: Vec<f64>,
}

/// The images of a fit beside its model.
pub(super) fn compared(images: &[Image], scenes: &[Scene], shift: Shift) -> Vec<Compared> {
    let both = images.iter().zip(scenes);
    both.map(|(image, scene)| {
        let mut out = Compared {
            model: vec![f64::NAN; image.value.len()],
            pull: vec![f64::NAN; image.value.len()],
        };
        let residuals = scene.residuals(shift, Weights::Tukey);
        for (p, r) in scene.pixels.iter().zip(residuals) {
            // rows and columns of the image, which are not negative
            let i = p.place[0] as usize * image.columns.max(1) + p.place[1] as usize;
            out.model[i] = r.model * scene.unit;
            out.pull[i] = r.pull;
        }
        out
    })
    .collect()
}

/// The limb in an image's own coordinates ([`Image::x`], [`Image::y`]; arcsec): where these put it, or where a fit finds it; so many
/// points around, `altitude` km above the radii.
#[must_use]
pub fn outline(aspect: &Aspect, altitude: f64, fit: Option<&Fit>, points: usize) -> Vec<[f64; 2]> {
    let shift = fit.map_or([0.0; 3], |f| {
        [f.ra_offset, f.dec_offset, -f.roll.to_radians()]
    });
    let disc = Disc::new(aspect, altitude);
    let limb = disc.outline(points);
    limb.into_iter()
        .map(|p| scene::turn_back(p, shift))
        .collect()
}
