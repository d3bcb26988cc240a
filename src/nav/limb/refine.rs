//! Gauss-Newton steps on the shift that all images share, their own terms solved for exactly at each.

use super::scene::{Normal, Scene, Shift, Weights};
use crate::math::cholesky::Cholesky;
use crate::math::vector::sum;

/// Longest step, in standard deviations of the sharpest PSF; largest turn, radians.
const STEP: f64 = 1.0;
const TURN: f64 = 0.05;
/// The shift has converged when it moves by less, arcsec.
const STILL: f64 = 2e-5;

/// Where the steps led.
#[derive(Clone)]
pub struct Refined {
    /// The shift.
    pub shift: Shift,
    /// Normal equations of every image there.
    pub normals: Vec<Normal>,
}

/// How to go on.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// Whether the turn is free.
    pub turn: bool,
    /// Weights of the spaxels.
    pub weights: Weights,
    /// Whether the noise is estimated on the way, and how wide structure spreads.
    pub noise: bool,
    /// See `noise`.
    pub structure: bool,
    /// Most steps.
    pub steps: usize,
    /// A prior on the offset: standard deviation (arcsec) about 0, if any.
    pub pointing: Option<f64>,
}

/// Steps from `shift` until it stands still; `None` where the equations have no solution.
pub fn refine(scenes: &mut [Scene], mut shift: Shift, course: Course) -> Option<Refined> {
    let sharpest = scenes.iter().fold(f64::INFINITY, |m, s| m.min(s.sigma));
    let free = if course.turn { 3 } else { 2 };
    // the terms alone first
    for scene in &mut *scenes {
        for round in 0..3 {
            let mut residuals = scene.residuals(shift, course.weights);
            if round == 0 && scene.untouched() {
                residuals.iter_mut().for_each(|r| r.weight = 1.0);
            }
            let normal = scene.normal(shift, &residuals)?;
            scene.take(&normal, [0.0; 3]);
        }
    }
    let mut before = [0.0; 3];
    let mut damping = 1.0;
    let mut quiet = 0;
    for round in 0..course.steps {
        let normals: Vec<Normal> = scenes
            .iter()
            .map(|s| s.normal(shift, &s.residuals(shift, course.weights)))
            .collect::<Option<_>>()?;
        let (information, gradient) = total(&normals, course.pointing, shift);
        let mut step = solve(&information, gradient, free)?;
        let length = libm::hypot(step[0], step[1]);
        let back = step[0] * before[0] + step[1] * before[1] < 0.0;
        damping = match back {
            true => (damping * 0.6f64).max(0.2),
            false => (damping * 1.3f64).min(1.0),
        };
        let cap = (STEP * sharpest / length.max(1e-12)).min(1.0);
        let cap = cap.min(TURN / step[2].abs().max(1e-12)) * damping;
        step.iter_mut().for_each(|s| *s *= cap);
        for (scene, normal) in scenes.iter_mut().zip(&normals) {
            scene.take(normal, step);
        }
        (0..3).for_each(|k| shift[k] += step[k]);
        if !shift.iter().all(|s| s.is_finite()) {
            return None;
        }
        before = step;
        if round < 12 && round % 2 == 1 {
            for (scene, normal) in scenes.iter_mut().zip(&normals) {
                if course.noise {
                    scene.learn_noise(shift, normal);
                }
                if course.structure {
                    scene.learn_structure(normal);
                }
            }
        }
        quiet = match length < STILL {
            true => quiet + 1,
            false => 0,
        };
        if quiet >= 2 && (!course.noise || round >= 12) {
            break;
        }
    }
    let normals: Vec<Normal> = scenes
        .iter()
        .map(|s| s.normal(shift, &s.residuals(shift, course.weights)))
        .collect::<Option<_>>()?;
    Some(Refined { shift, normals })
}

/// Sum of information and gradient, with the prior on the offset.
pub fn total(normals: &[Normal], pointing: Option<f64>, shift: Shift) -> ([[f64; 3]; 3], [f64; 3]) {
    let mut information = [[0.0; 3]; 3];
    let mut gradient = [0.0; 3];
    for n in normals {
        (0..3).for_each(|g| gradient[g] += n.gradient[g]);
        information = sum(&information, &n.information);
    }
    if let Some(sd) = pointing {
        for g in 0..2 {
            information[g][g] += 1.0 / (sd * sd);
            gradient[g] -= shift[g] / (sd * sd);
        }
    }
    (information, gradient)
}

fn solve(a: &[[f64; 3]; 3], b: [f64; 3], free: usize) -> Option<[f64; 3]> {
    let inverse = inverse(a, free)?;
    Some(std::array::from_fn(|i| {
        (0..3).map(|j| inverse[i][j] * b[j]).sum()
    }))
}

/// Inverse of the first `free` rows and columns; 0 elsewhere.
pub fn inverse(a: &[[f64; 3]; 3], free: usize) -> Option<[[f64; 3]; 3]> {
    let flat: Vec<f64> = (0..free * free).map(|k| a[k / free][k % free]).collect();
    let inverse = Cholesky::new(free, &flat)?.inverse();
    let mut out = [[0.0; 3]; 3];
    for i in 0..free {
        for j in 0..free {
            out[i][j] = inverse[i * free + j];
        }
    }
    Some(out)
}
