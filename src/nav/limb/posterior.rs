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

/// Spacing (standard errors) and reach (in spacings) of the places where the probability is looked at, and how far (in chi-squared) below
/// the top they are not followed further.
const MESH: f64 = 1.0;
const REACH: i32 = 9;
const DEEP: f64 = 14.0;

/// Share of the probability on the border from which its mean is not known.
const BEYOND: f64 = 1e-3;
/// Variance over that along the axes below which a mesh is too coarse; most other meshes that are tried.
const NARROW: f64 = 0.25;
const MESHES: usize = 4;

/// The most probable shift.
pub struct Posterior {
    /// The shift.
    pub shift: Shift,
    /// Its covariance.
    pub covariance: Square,
    /// Whether the probability's hill ends where it was looked at.
    pub converged: bool,
    /// Scatter of the offsets that single images say, squared and over what their errors make expect; 0 for one image.
    pub disagreement: f64,
}

/// An image with what stays the same while the shift is looked for: weights, and widths of the priors of structure.
struct View<'a> {
    scene: &'a Scene,
    weights: &'a [Residual],
    widths: &'a [[f64; 2]],
}

impl View<'_> {
    fn surprise(&self, shift: Shift) -> Option<f64> {
        self.scene.surprise(shift, self.weights, self.widths)
    }
}

/// Climbs from the end of [`refine::refine`]; `None` where there is no top.
pub fn climb(scenes: &[Scene], from: &Refined, course: Course) -> Option<Posterior> {
    let free = if course.turn { 3 } else { 2 };
    let weights: Vec<Vec<Residual>> = scenes
        .iter()
        .map(|s| s.residuals(from.shift, course.weights))
        .collect();
    let widths: Vec<Vec<[f64; 2]>> = scenes
        .iter()
        .zip(&weights)
        .map(|(s, w)| s.likely_widths(from.shift, w))
        .collect::<Option<_>>()?;
    let views: Vec<View> = scenes
        .iter()
        .zip(&weights)
        .zip(&widths)
        .map(|((scene, weights), widths)| View {
            scene,
            weights,
            widths,
        })
        .collect();
    let (information, _) = refine::total(&from.normals, course.pointing, from.shift);
    // axes along which the neighbourhood is looked at: columns of a root of the first guess of the covariance
    let mut axes = root(&refine::inverse(&information, free)?);
    let mut shift = from.shift;
    let mut curvatures = Vec::new();
    let mut pulls = Vec::new();
    for _ in 0..ROUNDS {
        let parabolas = views
            .iter()
            .map(|view| parabola(view, shift, &axes, free))
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
        let back = inverse_of(&axes)?;
        pulls = parabolas.iter().map(|p| pull(&p.slope, &back)).collect();
        curvatures = parabolas
            .iter()
            .map(|p| in_shift(&p.curvature, &axes))
            .collect::<Option<_>>()?;
        if usable {
            // half the curvature of minus twice the logarithm is the information
            let covariance = product(&product(&axes, &inverse), &transpose(&axes));
            let found = covariance.map(|row| row.map(|v| v + v));
            // half way, as the curvature depends on the width it is taken over
            let before = product(&axes, &transpose(&axes));
            axes = root(&sum(&found, &before).map(|row| row.map(|v| 0.5 * v)));
            if length < 0.1 {
                break;
            }
        } else {
            axes = axes.map(|row| row.map(|v| 1.5 * v));
        }
    }
    let covariance = together(scenes, from, course, &weights, &axes, &curvatures)?;
    let disagreement = disagreement(&pulls, &curvatures);
    let mut hill = whole(&views, course.pointing, shift, &axes)?;
    // a mesh that suits the hill, where the top's own width is far from it
    let back = inverse_of(&axes)?;
    for _ in 0..MESHES {
        if hill.ends && hill.wide {
            break;
        }
        let next = whole(&views, course.pointing, hill.mean, &hill.axes)?;
        // a narrow hill with a wide foot
        if hill.ends && !next.ends {
            break;
        }
        hill = next;
    }
    // what the top's covariance was widened by stays
    let turned = product(&hill.axes, &back);
    Some(Posterior {
        shift: hill.mean,
        covariance: product(&product(&turned, &covariance), &transpose(&turned)),
        converged: hill.ends,
        disagreement,
    })
}

/// Mean and covariance over all of the probability's hill instead of its top, which may be skew or one of two. Along the first two axes;
/// a turn goes with them as it does at the top.
fn whole(views: &[View], pointing: Option<f64>, top: Shift, axes: &Square) -> Option<Hill> {
    let at = |i: i32, j: i32| -> Option<f64> {
        let (a, b) = (f64::from(i) * MESH, f64::from(j) * MESH);
        let place: Shift = std::array::from_fn(|g| top[g] + axes[g][0] * a + axes[g][1] * b);
        let prior = pointing.map_or(0.0, |sd| {
            (place[0] * place[0] + place[1] * place[1]) / (sd * sd)
        });
        let mut sum = prior;
        for view in views {
            sum += view.surprise(place)?;
        }
        Some(sum)
    };
    // from the top outwards, as far as it is not negligible
    let side = 2 * REACH + 1;
    let index = |i: i32, j: i32| ((j + REACH) * side + i + REACH) as usize;
    let mut seen = vec![false; (side * side) as usize];
    let mut cells: Vec<(i32, i32, f64)> = Vec::new();
    let mut queue = std::collections::VecDeque::from([(0, 0)]);
    seen[index(0, 0)] = true;
    let mut least = f64::INFINITY;
    while let Some((i, j)) = queue.pop_front() {
        let here = at(i, j)?;
        least = least.min(here);
        cells.push((i, j, here));
        if here > least + DEEP {
            continue;
        }
        for (i, j) in [(i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)] {
            if i.abs() <= REACH && j.abs() <= REACH && !seen[index(i, j)] {
                seen[index(i, j)] = true;
                queue.push_back((i, j));
            }
        }
    }
    let (mut total, mut beyond) = (0.0, 0.0);
    let (mut mean, mut square) = ([0.0; 2], [[0.0; 2]; 2]);
    for (i, j, value) in cells {
        let p = libm::exp(0.5 * (least - value));
        let place = [f64::from(i) * MESH, f64::from(j) * MESH];
        total += p;
        if i.abs() == REACH || j.abs() == REACH {
            beyond += p;
        }
        for g in 0..2 {
            mean[g] += p * place[g];
            (0..2).for_each(|h| square[g][h] += p * place[g] * place[h]);
        }
    }
    let mean = mean.map(|v| v / total);
    let mut spread = [[0.0; 3]; 3];
    for g in 0..2 {
        for h in 0..2 {
            spread[g][h] = square[g][h] / total - mean[g] * mean[h];
        }
    }
    spread[2][2] = 1.0;
    let shift = std::array::from_fn(|g| top[g] + axes[g][0] * mean[0] + axes[g][1] * mean[1]);
    let narrowest = spread[0][0].min(spread[1][1]);
    Some(Hill {
        mean: shift,
        axes: product(axes, &root(&spread)),
        ends: beyond / total < BEYOND,
        wide: narrowest > NARROW,
    })
}

/// All of the probability.
struct Hill {
    mean: Shift,
    /// A root of its covariance.
    axes: Square,
    /// Whether it ends where it was looked at.
    ends: bool,
    /// Whether it is wide enough for the mesh.
    wide: bool,
}

/// Half the fall of minus twice a probability's logarithm with the offset, from its slope along axes of this inverse.
fn pull(slope: &[f64; 3], back: &Square) -> [f64; 2] {
    [0, 1].map(|g| -0.5 * (0..3).map(|i| back[i][g] * slope[i]).sum::<f64>())
}

/// How far apart the tops of single images' probabilities are: chi-squared over degrees of freedom, of the offset alone.
fn disagreement(pulls: &[[f64; 2]], curvatures: &[Square]) -> f64 {
    // images that have a top: information, and its product with the place of the top
    let images: Vec<([[f64; 2]; 2], [f64; 2])> = curvatures
        .iter()
        .zip(pulls)
        .map(|(c, p)| ([[c[0][0], c[0][1]], [c[1][0], c[1][1]]], *p))
        .filter(|(c, _)| c[0][0] > 0.0 && c[0][0] * c[1][1] > c[0][1] * c[1][0])
        .collect();
    if images.len() < 2 {
        return 0.0;
    }
    let solve = |m: &[[f64; 2]; 2], v: [f64; 2]| {
        let d = m[0][0] * m[1][1] - m[0][1] * m[1][0];
        [
            (m[1][1] * v[0] - m[0][1] * v[1]) / d,
            (m[0][0] * v[1] - m[1][0] * v[0]) / d,
        ]
    };
    let (mut all, mut pull) = ([[0.0; 2]; 2], [0.0; 2]);
    for (m, p) in &images {
        for g in 0..2 {
            pull[g] += p[g];
            (0..2).for_each(|h| all[g][h] += m[g][h]);
        }
    }
    let mean = solve(&all, pull);
    let square: f64 = images
        .iter()
        .map(|(m, p)| {
            let own = solve(m, *p);
            let off = [own[0] - mean[0], own[1] - mean[1]];
            (0..4)
                .map(|k| off[k / 2] * off[k % 2] * m[k / 2][k % 2])
                .sum::<f64>()
        })
        .sum();
    square / (2 * images.len() - 2) as f64
}

/// Slope and curvature along the axes.
struct Parabola {
    slope: [f64; 3],
    curvature: Square,
}

fn parabola(view: &View, shift: Shift, axes: &Square, free: usize) -> Option<Parabola> {
    let at = |steps: [f64; 3]| {
        let place = std::array::from_fn(|g| {
            shift[g] + WIDTH * (0..3).map(|i| axes[g][i] * steps[i]).sum::<f64>()
        });
        view.surprise(place)
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
fn in_shift(curvature: &Square, axes: &Square) -> Option<Square> {
    let back = inverse_of(axes)?;
    let out = product(&product(&transpose(&back), curvature), &back);
    Some(out.map(|row| row.map(|v| 0.5 * v)))
}

/// Inverse of axes, of which the third is none where no turn is fitted.
fn inverse_of(axes: &Square) -> Option<Square> {
    let mut lower = *axes;
    if lower[2][2] == 0.0 {
        lower[2][2] = 1.0;
    }
    invert_lower(&lower)
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
