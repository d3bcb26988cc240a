//! The first guess: a coarse grid of offsets, each with the best sum of sky and laws of darkening.

use super::scene::{Scene, Shift, turn};
use crate::math::cholesky::Cholesky;

/// Most spaxels of an image that are looked at.
const MOST: usize = 700;
/// Laws of darkening in use.
const LAWS: usize = 3;
/// Least error, relative to the image's contrast: structure must not decide.
const TOLERANCE: f64 = 0.03;

/// A place on the grid.
#[derive(Clone, Copy, Debug)]
pub struct Guess {
    /// The offset.
    pub shift: Shift,
    /// Mean loss of a spaxel.
    pub loss: f64,
}

/// What the grid shows.
pub struct Found {
    /// Minima, best first.
    pub best: Vec<Guess>,
    /// How much better (in chi-squared of the spaxels looked at) the best is than no body at all.
    pub gain: f64,
}

/// Looks at offsets up to `reach` arcsec away (and one step more, to see whether the best is beyond).
pub fn search(scenes: &[Scene], reach: f64) -> Found {
    let finest = scenes.iter().fold(f64::INFINITY, |m, s| m.min(s.sigma));
    let step = (1.2 * finest).max(0.08);
    let side = (reach / step).ceil() as i32 + 1;
    let width = (2 * side + 1) as usize;
    let mut losses = vec![f64::INFINITY; width * width];
    for iy in -side..=side {
        for ix in -side..=side {
            let shift = [f64::from(ix) * step, f64::from(iy) * step, 0.0];
            let (mut sum, mut count) = (0.0, 0.0);
            for scene in scenes {
                let n = scene.pixels.len() as f64;
                sum += n * loss(scene, Some(shift));
                count += n;
            }
            losses[(iy + side) as usize * width + (ix + side) as usize] = sum / count;
        }
    }
    let empty = scenes
        .iter()
        .map(|s| s.pixels.len() as f64 * loss(s, None))
        .sum::<f64>()
        / scenes.iter().map(|s| s.pixels.len() as f64).sum::<f64>();
    let mut best = Vec::new();
    for iy in 0..width {
        for ix in 0..width {
            let here = losses[iy * width + ix];
            let lowest = (-1i32..=1).all(|dy| {
                (-1i32..=1).all(|dx| {
                    let (jy, jx) = (iy as i32 + dy, ix as i32 + dx);
                    let inside = (0..width as i32).contains(&jy) && (0..width as i32).contains(&jx);
                    !inside || losses[jy as usize * width + jx as usize] >= here
                })
            });
            if lowest && here.is_finite() {
                let place = |i: usize| (i as f64 - f64::from(side)) * step;
                best.push(Guess {
                    shift: [place(ix), place(iy), 0.0],
                    loss: here,
                });
            }
        }
    }
    best.sort_by(|a, b| a.loss.total_cmp(&b.loss));
    best.truncate(4);
    let looked: usize = scenes.iter().map(|s| s.pixels.len().min(MOST)).sum();
    let gain = best
        .first()
        .map_or(0.0, |b| (empty - b.loss) * looked as f64);
    Found { best, gain }
}

/// Mean loss of a spaxel with the best sky and darkening at a shift; infinite where the disc would be dark.
fn loss(scene: &Scene, shift: Option<Shift>) -> f64 {
    let every = scene.pixels.len().div_ceil(MOST).max(1);
    let maps = scene.maps();
    let laws = if shift.is_some() {
        LAWS.min(maps.count)
    } else {
        0
    };
    let n = 1 + laws;
    let mut rows: Vec<f64> = Vec::new();
    let mut data: Vec<(f64, f64)> = Vec::new();
    let mut read = vec![0.0; maps.count];
    for p in scene.pixels.iter().step_by(every) {
        let at = turn(p.at, shift.unwrap_or_default());
        if shift.is_some() && scene.in_rings(at) {
            continue;
        }
        read.fill(0.0);
        maps.read(at[0], at[1], &mut read);
        rows.push(1.0);
        rows.extend_from_slice(&read[..laws]);
        data.push((p.value, libm::hypot(p.error, TOLERANCE)));
    }
    if data.len() < 20 {
        return f64::INFINITY;
    }
    let mut weights = vec![1.0; data.len()];
    let mut c = vec![0.0; n];
    let mut out = f64::INFINITY;
    for _ in 0..4 {
        let mut a = vec![0.0; n * n];
        let mut b = vec![0.0; n];
        for ((row, (v, e)), w) in rows.chunks_exact(n).zip(&data).zip(&weights) {
            let k = w / (e * e);
            for i in 0..n {
                b[i] += k * row[i] * v;
                for j in 0..=i {
                    a[i * n + j] += k * row[i] * row[j];
                }
            }
        }
        for i in 0..n {
            a[i * n + i] += 0.04;
        }
        let Some(factor) = Cholesky::new(n, &a) else {
            return f64::INFINITY;
        };
        factor.solve(&mut b);
        c = b;
        let mut sum = 0.0;
        for ((row, (v, e)), w) in rows.chunks_exact(n).zip(&data).zip(&mut weights) {
            let model: f64 = row.iter().zip(&c).map(|(r, c)| r * c).sum();
            let pull = ((v - model) / e).abs();
            (*w, sum) = match pull {
                p if p <= 1.5 => (1.0, sum + p * p),
                p => (1.5 / p, sum + 3.0 * p - 2.25),
            };
        }
        out = sum / data.len() as f64;
    }
    let light: f64 = rows
        .chunks_exact(n)
        .map(|row| {
            row[1..]
                .iter()
                .zip(&c[1..])
                .map(|(r, c)| r * c)
                .sum::<f64>()
        })
        .sum();
    if shift.is_some() && light <= 0.0 {
        return f64::INFINITY;
    }
    out
}
