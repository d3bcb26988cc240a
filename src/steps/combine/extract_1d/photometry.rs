//! What is in the aperture, plane by plane: sums of brightness and variance of the source and the background.

use super::aperture::{Circle, Method};
use super::clip::limits;
use crate::exec::Exec;
use crate::model::{Cube, dq};

/// Sums of one plane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sums {
    /// Brightness of the source, MJy/sr summed over pixels, less the background where that is subtracted.
    pub flux: f64,
    /// Its variance.
    pub variance: f64,
    /// Variance without any contribution: 0, or NaN where the aperture is outside of the cube.
    pub nothing: f64,
    /// Brightness of the background.
    pub background: f64,
    /// Its variance.
    pub background_variance: f64,
    /// Pixels of the source.
    pub npixels: f64,
    /// Pixels of the background.
    pub background_npixels: f64,
    /// Flags.
    pub dq: u32,
}

impl Sums {
    fn new() -> Self {
        Self {
            flux: 0.0,
            variance: 0.0,
            nothing: 0.0,
            background: 0.0,
            background_variance: 0.0,
            npixels: 1.0,
            background_npixels: 0.0,
            dq: 0,
        }
    }

    /// Sets the number of pixels to what valid pixels the aperture has, or (flagged) to its area where it has none.
    fn count(&mut self, valid: f64, area: f64) {
        self.npixels = valid;
        if valid == 0.0 {
            self.dq |= dq::DO_NOT_USE;
            if area > 0.0 {
                self.npixels = area;
            }
        }
    }
}

/// One plane of a cube.
struct Plane<'a> {
    nx: usize,
    sci: &'a [f32],
    err: &'a [f32],
    wmap: &'a [f32],
}

impl Plane<'_> {
    fn weight(&self, p: usize) -> f32 {
        let w = self.wmap[p];
        if w > 1.0 { 1.0 } else { w }
    }
    fn valid(&self, p: usize) -> bool {
        self.wmap[p] != 0.0
    }
    /// Whether a pixel's brightness is within the limits of the plane's well covered pixels; none where there are
    /// no such.
    fn within(&self, sigma: f64) -> Option<(f32, f32)> {
        let covered: Vec<f32> = (0..self.sci.len())
            .filter(|p| self.weight(*p) == 1.0)
            .map(|p| self.sci[p])
            .collect();
        (!covered.is_empty()).then(|| limits(&covered, sigma))
    }
    fn clipped(&self, p: usize, (low, high): (f32, f32)) -> bool {
        self.sci[p] < low || self.sci[p] > high
    }
    fn variance(&self, p: usize) -> f32 {
        self.err[p] * self.err[p]
    }
}

/// Aperture and background of a point source in one plane.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The aperture.
    pub aperture: Circle,
    /// The ring of the background; none where no background is subtracted.
    pub ring: Option<Circle>,
}

fn planes<'a>(cube: &'a Cube) -> impl Iterator<Item = Plane<'a>> {
    let n = (cube.ny * cube.nx).max(1);
    let parts = cube.sci.chunks_exact(n).zip(cube.err.chunks_exact(n));
    parts
        .zip(cube.wmap.chunks_exact(n))
        .map(|((sci, err), wmap)| Plane {
            nx: cube.nx,
            sci,
            err,
            wmap,
        })
}

/// Photometry of a point source.
pub fn point(
    cube: &Cube,
    targets: &[Target],
    method: Method,
    sigma: f64,
    exec: &Exec,
) -> Vec<Sums> {
    let work: Vec<_> = planes(cube).zip(targets).collect();
    exec.map(work, |(plane, target)| {
        point_plane(&plane, target, cube.ny, method, sigma)
    })
}

fn point_plane(plane: &Plane, target: &Target, ny: usize, method: Method, sigma: f64) -> Sums {
    let nx = plane.nx;
    let mut scratch = Vec::new();
    let mut sums = Sums::new();
    let valid = |p: usize| plane.valid(p);
    match target.aperture.on(ny, nx, method) {
        Some(weights) => {
            let covered = weights.sum(nx, |p| plane.weight(p), valid, &mut scratch);
            sums.count(covered, target.aperture.area());
            sums.flux = weights.sum(nx, |p| plane.sci[p], valid, &mut scratch);
            sums.variance = weights.sum(nx, |p| plane.variance(p), valid, &mut scratch);
        }
        None => {
            sums.flux = f64::NAN;
            sums.variance = f64::NAN;
            sums.nothing = f64::NAN;
            sums.npixels = f64::NAN;
        }
    }
    let background = target
        .ring
        .and_then(|ring| ring_sums(plane, &ring, ny, method, sigma));
    if let Some(b) = background {
        let ratio = sums.npixels / b.npixels;
        sums.background = b.flux;
        sums.background_variance = b.variance;
        sums.background_npixels = b.npixels;
        sums.flux -= b.flux * ratio;
        sums.variance += b.variance * ratio * ratio;
    }
    sums
}

/// Sums of the background's ring; none where it is outside of the cube or has no area.
fn ring_sums(plane: &Plane, ring: &Circle, ny: usize, method: Method, sigma: f64) -> Option<Sums> {
    let nx = plane.nx;
    let mut scratch = Vec::new();
    let valid = |p: usize| plane.valid(p);
    let weights = ring.on(ny, nx, method)?;
    let mut sums = Sums::new();
    let covered = weights.sum(nx, |p| plane.weight(p), valid, &mut scratch);
    sums.count(covered, ring.area());
    if sums.npixels.is_nan() || sums.npixels <= 0.0 {
        return None;
    }
    sums.flux = match plane.within(sigma) {
        Some(within) => weights.sum(
            nx,
            |p| plane.sci[p],
            |p| valid(p) && !plane.clipped(p, within),
            &mut scratch,
        ),
        None => weights.sum(nx, |p| plane.sci[p], valid, &mut scratch),
    };
    sums.variance = weights.sum(nx, |p| plane.variance(p), valid, &mut scratch);
    Some(sums)
}

/// Photometry of a source that fills the cube: every valid pixel, and as background those that sigma clipping leaves.
pub fn extended(cube: &Cube, sigma: f64, exec: &Exec) -> Vec<Sums> {
    let area = (cube.nx * cube.ny) as f64;
    exec.map(planes(cube).collect(), |plane| {
        extended_plane(&plane, area, sigma)
    })
}

fn extended_plane(plane: &Plane, area: f64, sigma: f64) -> Sums {
    use crate::math::pairwise_sum::pairwise_sum;
    let mut scratch: Vec<f64> = Vec::with_capacity(plane.sci.len());
    let mut sum = |value: &dyn Fn(usize) -> f32, keep: &dyn Fn(usize) -> bool| {
        scratch.clear();
        let kept = (0..plane.sci.len()).filter(|p| keep(*p));
        scratch.extend(kept.map(|p| f64::from(value(p))));
        pairwise_sum(&scratch)
    };
    let (weight, sci) = (|p: usize| plane.weight(p), |p: usize| plane.sci[p]);
    let variance = |p: usize| plane.variance(p);
    let valid = |p: usize| plane.valid(p);
    let mut sums = Sums::new();
    sums.count(sum(&weight, &valid), area);
    sums.flux = sum(&sci, &valid);
    sums.variance = sum(&variance, &valid);
    if let Some(within) = plane.within(sigma) {
        let keep = |p: usize| valid(p) && !plane.clipped(p, within);
        sums.background = sum(&sci, &keep);
        sums.background_npixels = sum(&weight, &keep);
        sums.background_variance = sum(&variance, &keep);
    }
    sums
}
