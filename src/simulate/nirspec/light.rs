//! The noise-free count rate of an exposure: the scene through the optics of the reference files.

use super::mode::SIZE;
use super::observation::{Exposure, pointing};
use super::pixels::Pixels;
use super::response::{Flat, sensitivity};
use crate::exec::Exec;
use crate::formats::asdf::AsdfFile;
use crate::simulate::ephemeris::{Vector, cross, direction, dot, unit};
use crate::simulate::scene::Scene;
use crate::wcs::nirspec::{Nirspec, NirspecReferences, SLICES};
use crate::{Error, Result};

/// Edges of the slices, in their widths: light comes from a little beyond, as calwebb's WCS has it.
const EDGES: [f64; 2] = [-0.55, 0.55];
/// Places across a slice at which the scene is looked at, in widths of a slice.
const ACROSS: [f64; 3] = [-1.0 / 3.0, 0.0, 1.0 / 3.0];
/// Width of a slice on the slicer, metre.
const WIDTH: f64 = 0.0008;

/// Count rate of every pixel, DN/s, `[row][column]`; 0 where no light falls.
///
/// `file` opens the reference file of a type. The functions of the platform's mathematical library that
/// the WCS calls may differ in the last bit from machine to machine, so rates are rounded to 16 bits.
///
/// # Errors
/// Those of reading the reference files, and [`Error::Interrupted`].
pub fn rate(
    e: &Exposure,
    file: impl Fn(&str) -> Result<AsdfFile>,
    scene: &Scene,
    pixels: &Pixels,
    flat: &Flat,
    exec: &Exec,
) -> Result<Vec<f32>> {
    let references = NirspecReferences::open(file)?;
    let optics = Nirspec::new(&references, &e.setup.setting(), &pointing(e), EDGES)?;
    let plane = Plane::new(e);
    let slices = exec.try_map((0..SLICES).collect(), |slice| {
        slice_rate(&optics, &plane, slice, e, scene, pixels, flat)
    })?;
    let mut out = vec![0.0; SIZE * SIZE];
    // where two slices fall on a pixel it is the later one's, as in the WCS
    for (pixel, rate) in slices.into_iter().flatten() {
        out[pixel] = rate;
    }
    Ok(out)
}

/// Pixels and count rates of one slice.
fn slice_rate(
    optics: &Nirspec,
    plane: &Plane,
    slice: usize,
    e: &Exposure,
    scene: &Scene,
    pixels: &Pixels,
    flat: &Flat,
) -> Result<Vec<(usize, f32)>> {
    let (trace, at) = optics.trace(slice)?;
    let Some(middle) = trace.pixels.len().checked_sub(1).map(|n| n / 2) else {
        return Ok(Vec::new());
    };
    // one width across the slice, east and north; the same to 1 % all over it
    let place = [at.slicer[0][middle], at.slicer[1][middle]];
    let lambda = at.lambda[middle] * 1e-6;
    let moved = |by: f64| -> Result<(f64, f64)> {
        let mut point = vec![place[0] + by * WIDTH, place[1], lambda];
        for t in optics.onward() {
            point = t.at(&point)?;
        }
        match point[..] {
            [ra, dec, ..] => Ok(plane.at(ra, dec)),
            _ => Err(Error::reference("the optics do not lead to the sky")),
        }
    };
    let (low, high) = (moved(-0.5)?, moved(0.5)?);
    let step = (high.0 - low.0, high.1 - low.1);
    let mode = &e.setup.mode;
    let one = |(k, pixel): (usize, &u32)| {
        let i = *pixel as usize;
        let (east, north) = plane.at(at.sky[0][k], at.sky[1][k]);
        let wave = at.lambda[k];
        let radiance: f64 = ACROSS
            .iter()
            .map(|a| scene.radiance(east + a * step.0, north + a * step.1, wave))
            .sum::<f64>()
            / ACROSS.len() as f64;
        let share = pixels.response(i, wave) * f64::from(flat.response[i]);
        (
            i,
            rounded(radiance * sensitivity(mode, slice, wave) * share),
        )
    };
    Ok(trace.pixels.iter().enumerate().map(one).collect())
}

/// A number to 16 significant bits.
fn rounded(v: f64) -> f32 {
    let bits = (v as f32).to_bits();
    f32::from_bits(bits.saturating_add(0x80) & !0xff)
}

/// The plane tangent to the sky at the target.
struct Plane {
    target: Vector,
    east: Vector,
    north: Vector,
}

impl Plane {
    fn new(e: &Exposure) -> Self {
        let (ra, dec) = e.sight().radec;
        let target = direction(ra, dec);
        let east = unit(cross([0.0, 0.0, 1.0], target));
        Self {
            target,
            east,
            north: cross(target, east),
        }
    }

    /// Arcsec east and north of the target.
    fn at(&self, ra: f64, dec: f64) -> (f64, f64) {
        let d = direction(ra, dec);
        let z = dot(d, self.target);
        let along = |axis| (dot(d, axis) / z).to_degrees() * 3600.0;
        (along(self.east), along(self.north))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_keeps_sixteen_bits() {
        for v in [0.0, 1.0, 273.123_456, 1e-3] {
            let r = rounded(v);
            assert!((f64::from(r) - v).abs() <= v * 2f64.powi(-16));
            assert_eq!(r.to_bits() & 0xff, 0);
            assert_eq!(rounded(f64::from(r)), r);
        }
    }
}
