//! The most probable shift and its covariance.
//!
//! Among shifts, those where free structure fits the noise best are not the most probable ones: the probability of the
//! data at a shift, summed over all that the terms may be, is what is made largest here, and its curvature is the
//! information. Correlated residuals then widen the errors.

use super::refine::{self, Course, Refined};
use super::scene::{Residual, Scene, Shift};
use crate::math::cholesky::Cholesky;
use crate::math::vector::{product, sum, transpose};

type Square = [[f64; 3]; 3];

/// Most rounds of a parabola through the neighbourhood.
const ROUNDS: usize = 12;
/// Half width of the neighbourhood, and the longest step, in standard errors.
const WIDTH: f64 = 0.7;
const LONGEST: f64 = 2.0;

/// The most probable shift.
pub struct Posterior {
    /// The shift.
    pub shift: Shift,
    /// Its covariance.
    pub covariance: Square,
    /// Whether the parabola's top is where it was.
    pub converged: bool,
}

/// Climbs from the end of [`refine::refine`]; `None` where there is no top.
pub fn climb(scenes: &[Scene], from: &Refined, course: Course) -> Option<Posterior> {
    let free = if course.turn { 3 } else { 2 };
    let weights: Vec<Vec<Residual>> = scenes
        .iter()
        .map(|s| s.residuals(from.shift, course.weights))
        .collect();
    let (information, _) = refine::total(&from.normals, course.pointing, from.shift);
    // axes along which the neighbourhood is looked at: columns of a root of the first guess of the covariance
    let mut axes = root(&refine::inverse(&information, free)?);
    let mut shift = from.shift;
    let mut converged = false;
    let mut last = f64::INFINITY;
    let mut curvatures = Vec::new();
    for _ in 0..ROUNDS {
        let parabolas = scenes
            .iter()
            .zip(&weights)
            .map(|(s, w)| parabola(s, w, shift, &axes, free))
            .collect::<Option<Vec<_>>>()?;
        let mut slope = [0.0; 3];
        let mut curvature = [[0.0; 3]; 3];
        for p in &parabolas {
            (0..3).for_each(|i| slope[i] += p.slope[i]);
            curvature = sum(&curvature, &p.curvature);
        }
        if let Some(sd) = course.pointing {
            let k = 2.0 / (sd * sd);
            for i in 0..free {
                slope[i] += k * (0..2).map(|g| axes[g][i] * shift[g]).sum::<f64>();
                for j in 0..free {
                    curvature[i][j] += k * (0..2).map(|g| axes[g][i] * axes[g][j]).sum::<f64>();
                }
            }
        }
        // not a top: as flat as it may be
        let flat: Vec<f64> = (0..free * free)
            .map(|k| curvature[k / free][k % free])
            .collect();
        let usable = Cholesky::new(free, &flat).is_some();
        let inverse = match usable {
            true => refine::inverse(&curvature, free)?,
            false => [[0.5, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.5]],
        };
        let mut step: [f64; 3] =
            std::array::from_fn(|i| -(0..3).map(|j| inverse[i][j] * slope[j]).sum::<f64>());
        let length = step.iter().map(|s| s * s).sum::<f64>().sqrt();
        let cap = (LONGEST / length.max(1e-12)).min(1.0);
        step.iter_mut().for_each(|s| *s *= cap);
        for g in 0..free {
            shift[g] += (0..free).map(|i| axes[g][i] * step[i]).sum::<f64>();
        }
        curvatures = parabolas
            .iter()
            .map(|p| in_shift(&p.curvature, &axes, free))
            .collect::<Option<_>>()?;
        if usable {
            // half the curvature of minus twice the logarithm is the information
            let covariance = product(&product(&axes, &inverse), &transpose(&axes));
            let found = covariance.map(|row| row.map(|v| v + v));
            // half way, as the curvature depends on the width it is taken over
            let before = product(&axes, &transpose(&axes));
            axes = root(&sum(&found, &before).map(|row| row.map(|v| 0.5 * v)));
            converged = length < 0.1;
            last = length;
            if converged {
                break;
            }
        } else {
            axes = axes.map(|row| row.map(|v| 1.5 * v));
        }
    }
    let covariance = together(scenes, from, course, &weights, &axes, &curvatures)?;
    Some(Posterior {
        shift,
        covariance,
        // to and fro within a third of the error is good enough
        converged: converged || last < 0.33,
    })
}

/// Slope and curvature along the axes.
struct Parabola {
    slope: [f64; 3],
    curvature: Square,
}

fn parabola(
    scene: &Scene,
    weights: &[Residual],
    shift: Shift,
    axes: &Square,
    free: usize,
) -> Option<Parabola> {
    let at = |steps: [f64; 3]| {
        let place = std::array::from_fn(|g| {
            shift[g] + WIDTH * (0..3).map(|i| axes[g][i] * steps[i]).sum::<f64>()
        });
        scene.surprise(place, weights)
    };
    let unit = |i: usize, k: f64| {
        let mut out = [0.0; 3];
        out[i] = k;
        out
    };
    let middle = at([0.0; 3])?;
    let (mut plus, mut slope) = ([0.0; 3], [0.0; 3]);
    let mut curvature = [[0.0; 3]; 3];
    for i in 0..free {
        plus[i] = at(unit(i, 1.0))?;
        let minus = at(unit(i, -1.0))?;
        slope[i] = 0.5 * (plus[i] - minus) / WIDTH;
        curvature[i][i] = (plus[i] + minus - 2.0 * middle) / (WIDTH * WIDTH);
    }
    for i in 0..free {
        for j in 0..i {
            let mut both = unit(i, 1.0);
            both[j] = 1.0;
            let mixed = at(both)? - plus[i] - plus[j] + middle;
            // the own curvatures cancel
            curvature[i][j] = mixed / (WIDTH * WIDTH);
            curvature[j][i] = curvature[i][j];
        }
    }
    Some(Parabola { slope, curvature })
}

/// A curvature along axes as information on the shift itself.
fn in_shift(curvature: &Square, axes: &Square, free: usize) -> Option<Square> {
    let mut lower = *axes;
    (free..3).for_each(|i| lower[i][i] = 1.0);
    let back = invert_lower(&lower)?;
    let out = product(&product(&transpose(&back), curvature), &back);
    Some(out.map(|row| row.map(|v| 0.5 * v)))
}

/// Inverse of a lower triangular matrix; `None` where its diagonal has a 0.
fn invert_lower(l: &Square) -> Option<Square> {
    let [a, b, c] = [l[0][0], l[1][1], l[2][2]].map(|v| 1.0 / v);
    let below = -l[1][0] * a * b;
    let out = [
        [a, 0.0, 0.0],
        [below, b, 0.0],
        [-(l[2][0] * a + l[2][1] * below) * c, -l[2][1] * b * c, c],
    ];
    out.iter().flatten().all(|v| v.is_finite()).then_some(out)
}

/// Covariance: each image's own, widened where its residuals are correlated; what is noise averages out over images, what
/// is structure (that the terms cannot tell from a shift) is taken as the same in all.
fn together(
    scenes: &[Scene],
    from: &Refined,
    course: Course,
    weights: &[Vec<Residual>],
    axes: &Square,
    curvatures: &[Square],
) -> Option<Square> {
    let free = if course.turn { 3 } else { 2 };
    let whole = product(axes, &transpose(axes));
    let mut noise = [[0.0; 3]; 3];
    let mut common = [[0.0; 3]; 3];
    for (((scene, normal), weights), own) in scenes
        .iter()
        .zip(&from.normals)
        .zip(weights)
        .zip(curvatures)
    {
        let influences = scene.influences(from.shift, weights, normal);
        let single = pairs(scene, weights, &influences, None);
        let correlated = pairs(scene, weights, &influences, Some(Scene::freedom(normal)));
        // in units of the image's own information
        let scale = root(&refine::inverse(&normal.information, free)?);
        let relative = |m: &Square| product(&product(&transpose(&scale), m), &scale);
        let (single, correlated) = (relative(&single), relative(&correlated));
        let mean = |m: &Square| (0..free).map(|i| m[i][i]).sum::<f64>() / free as f64;
        let share = mean(&single).clamp(0.0, 1.0);
        let wider = (mean(&correlated) / mean(&single).max(1e-9)).max(1.0);
        // the image's part in the mean
        let part = product(&whole, own);
        let alone = match refine::inverse(own, free) {
            Some(inverse) => inverse,
            // an image that says nothing alone
            None => continue,
        };
        let moved = product(&product(&part, &alone), &transpose(&part));
        noise = sum(&noise, &moved.map(|r| r.map(|v| v * share * wider)));
        let left = product(&part, &root(&alone));
        common = sum(&common, &left.map(|r| r.map(|v| v * (1.0 - share).sqrt())));
    }
    let mut out = sum(&noise, &product(&common, &transpose(&common)));
    if let Some(sd) = course.pointing {
        let mut prior = [[0.0; 3]; 3];
        (0..2).for_each(|k| prior[k][k] = 1.0 / (sd * sd));
        out = sum(&out, &product(&product(&whole, &prior), &whole));
    }
    Some(out)
}

/// Lower triangular root of a matrix that should not be negative.
fn root(a: &Square) -> Square {
    let mut l = [[0.0; 3]; 3];
    for i in 0..3 {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| l[i][k] * l[j][k]).sum();
            let rest = a[i][j] - sum;
            l[i][j] = match i == j {
                true => rest.max(0.0).sqrt(),
                false if l[j][j] > 0.0 => rest / l[j][j],
                false => 0.0,
            };
        }
    }
    l
}

/// Reach of the correlation of residuals, spaxels.
const LAG: i32 = 5;

/// Sum over pairs of spaxels of influence, correlation of the residuals, influence; `spent` is the number of parameters
/// that were fitted to them. Over single spaxels without it.
fn pairs(
    scene: &Scene,
    residuals: &[Residual],
    influences: &[[f64; 3]],
    spent: Option<f64>,
) -> Square {
    let mut out = [[0.0; 3]; 3];
    let mut add = |a: &[f64; 3], b: &[f64; 3], k: f64| {
        for g in 0..3 {
            for h in 0..3 {
                out[g][h] += k * a[g] * b[h];
            }
        }
    };
    let Some(spent) = spent else {
        influences.iter().for_each(|a| add(a, a, 1.0));
        return out;
    };
    let (rows, columns) = scene
        .pixels
        .iter()
        .fold((0, 0), |m, p| (m.0.max(p.place[0]), m.1.max(p.place[1])));
    let width = columns + 1;
    let mut index = vec![usize::MAX; ((rows + 1) * width) as usize];
    for (i, p) in scene.pixels.iter().enumerate() {
        if residuals[i].weight > 0.0 {
            index[(p.place[0] * width + p.place[1]) as usize] = i;
        }
    }
    let other = |p: [i32; 2], dy: i32, dx: i32| {
        let (y, x) = (p[0] + dy, p[1] + dx);
        let inside = (0..=rows).contains(&y) && (0..=columns).contains(&x);
        inside
            .then(|| index[(y * width + x) as usize])
            .filter(|i| *i != usize::MAX)
    };
    for dy in -LAG..=LAG {
        for dx in -LAG..=LAG {
            let (mut sum, mut a2, mut b2, mut n) = (0.0, 0.0, 0.0, 0.0f64);
            let mut product = [[0.0; 3]; 3];
            for (i, p) in scene.pixels.iter().enumerate() {
                if residuals[i].weight <= 0.0 {
                    continue;
                }
                let Some(j) = other(p.place, dy, dx) else {
                    continue;
                };
                let (a, b) = (residuals[i].pull, residuals[j].pull);
                sum += a * b;
                a2 += a * a;
                b2 += b * b;
                n += 1.0;
                for g in 0..3 {
                    for h in 0..3 {
                        product[g][h] += influences[i][g] * influences[j][h];
                    }
                }
            }
            // fitting takes as much away, on average
            let lost = spent / scene.pixels.len() as f64;
            let found = if n > 10.0 {
                sum / (a2 * b2).sqrt() + lost
            } else {
                0.0
            };
            // correlations by chance, and those that fitting makes (negative), do not count
            let certain = if found > 1.5 / n.max(1.0).sqrt() {
                found
            } else {
                0.0
            };
            for g in 0..3 {
                for h in 0..3 {
                    out[g][h] += certain * product[g][h];
                }
            }
        }
    }
    out
}
