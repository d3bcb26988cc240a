//! Sums of waves over data, `sum_j y_j exp(2 pi i f x_j)`, at any places x and frequencies f: by fast Fourier transform,
//! to about 1e-10 of `sum_j |y_j|`.
//!
//! Data are spread to a regular grid by a Gaussian; the grid is transformed, and the transform read at the frequencies
//! through a Gaussian again. What both do to the sums is known and divided out (Greengard and Lee 2004,
//! doi:10.1137/S003614450343200X; Lee and Greengard 2005, doi:10.1016/j.jcp.2004.12.004).

use std::f64::consts::{PI, SQRT_2};

use super::sin_cos::sin_cos;

/// Grid points that a Gaussian reaches to either side.
const REACH: usize = 12;

/// Grid points under a Gaussian.
const POINTS: usize = 2 * REACH;

/// The Gaussian is `exp(-t^2 / (4 WIDTH))` of the distance t in grid points: what is cut off is as little as what folds
/// in from beyond the grid's band, of which one half is used.
const WIDTH: f64 = REACH as f64 / (PI * 2.0 * SQRT_2);

/// Real and imaginary part.
pub type Complex = (f64, f64);

fn times((a, b): Complex, (c, d): Complex) -> Complex {
    (a * c - b * d, a * d + b * c)
}

/// The factor that the Gaussian puts to a wave of `s` cycles a grid point.
fn damping(s: f64) -> f64 {
    (4.0 * PI * WIDTH).sqrt() * (-4.0 * PI * PI * WIDTH * s * s).exp()
}

/// A Gaussian's values at the grid points about a place.
#[derive(Debug, Clone)]
struct Stencil {
    /// The first of them.
    start: usize,
    weights: [f64; POINTS],
}

/// The Gaussian at whole distances from `1 - REACH` to `REACH`.
fn bell() -> [f64; POINTS] {
    std::array::from_fn(|t| {
        let m = t as f64 + 1.0 - REACH as f64;
        (-m * m / (4.0 * WIDTH)).exp()
    })
}

/// Length of the transform for a grid that reaches so many points from its middle; none where that is no number.
fn length(reach: f64) -> Option<usize> {
    let points = 4.0 * (reach + REACH as f64 + 1.0);
    // also false for NaN
    (points >= 0.0 && points < f64::from(1 << 30))
        .then(|| (points.ceil() as usize).next_power_of_two())
}

impl Stencil {
    /// About a place that is not nearer than `REACH` to the grid's ends; times a factor.
    fn new(place: f64, factor: f64, bell: &[f64; POINTS]) -> Self {
        let before = place.floor();
        let rest = place - before;
        // exp(-(m - rest)^2 / (4 WIDTH)) taken apart, so that one exponential serves all m
        let growth = (rest / (2.0 * WIDTH)).exp();
        let first = 1.0 - REACH as f64;
        let mut w = factor * (rest * (2.0 * first - rest) / (4.0 * WIDTH)).exp();
        let weights = bell.map(|b| {
            let weight = w * b;
            w *= growth;
            weight
        });
        Self {
            start: before as usize + 1 - REACH,
            weights,
        }
    }
}

/// The frequencies of sums, and how far from 0 places may lie: what the sums of different data share.
#[derive(Debug, Clone)]
pub struct WaveSums {
    /// Middle of the frequencies.
    middle: f64,
    /// Distance of grid points.
    spacing: f64,
    /// Length of the transform.
    size: usize,
    bell: [f64; POINTS],
    /// One over the second Gaussian's damping, for each grid point.
    undamped: Vec<f64>,
    /// Where the transform is read for each frequency, one over the first Gaussian's damping included.
    reads: Vec<Stencil>,
    /// Cosine and sine of `2 pi k / size`.
    turns: Vec<Complex>,
}

/// Places of data on the grid.
#[derive(Debug, Clone)]
pub struct Places {
    stencils: Vec<Stencil>,
    /// The wave of the middle frequency at each.
    waves: Vec<Complex>,
}

impl WaveSums {
    /// Sums at `frequencies` (finite, not all the same) of data at places `-reach` to `reach`, or a little farther; none
    /// where the transform would be longer than `longest`.
    pub fn new(frequencies: &[f64], reach: f64, longest: usize) -> Option<Self> {
        let bounds = (f64::INFINITY, f64::NEG_INFINITY);
        let (low, high) = frequencies
            .iter()
            .fold(bounds, |(a, b), f| (a.min(*f), b.max(*f)));
        let (middle, half) = (0.5 * (low + high), 0.5 * (high - low));
        let spacing = 0.25 / half;
        if !(frequencies.iter().all(|f| f.is_finite()) && half > 0.0) {
            return None;
        }
        let size = length(reach / spacing).filter(|size| *size <= longest)?;
        let bell = bell();
        let quarter = (size / 4) as f64;
        let undamped = (0..size / 2)
            .map(|k| 1.0 / damping((k as f64 - quarter) / size as f64))
            .collect();
        let reads = frequencies
            .iter()
            .map(|f| {
                let cycles = (f - middle) * spacing;
                let place = cycles * size as f64 + quarter + REACH as f64;
                Stencil::new(place, 1.0 / damping(cycles), &bell)
            })
            .collect();
        let turns = (0..size)
            .map(|k| {
                let (s, c) = (2.0 * PI * k as f64 / size as f64).sin_cos();
                (c, s)
            })
            .collect();
        Some(Self {
            middle,
            spacing,
            size,
            bell,
            undamped,
            reads,
            turns,
        })
    }

    /// Whether [`Self::new`] makes the same for another reach.
    pub fn serves(&self, reach: f64) -> bool {
        length(reach / self.spacing) == Some(self.size)
    }

    /// Takes places, none farther from 0 than the reach.
    pub fn places(&self, x: &[f64]) -> Places {
        let quarter = (self.size / 4) as f64;
        let stencil = |x: &f64| Stencil::new(x / self.spacing + quarter, 1.0, &self.bell);
        let (mut sin, mut cos) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        sin_cos(x, 2.0 * PI * self.middle, &mut sin, &mut cos);
        Places {
            stencils: x.iter().map(stencil).collect(),
            waves: cos.into_iter().zip(sin).collect(),
        }
    }

    /// The sum at each frequency for data `y` at these places.
    pub fn sums(&self, places: &Places, y: &[f64]) -> Vec<Complex> {
        let n = self.size;
        let (mut re, mut im) = (vec![0.0; n], vec![0.0; n]);
        for ((at, wave), y) in places.stencils.iter().zip(&places.waves).zip(y) {
            let (c, s) = (wave.0 * y, wave.1 * y);
            let re = &mut re[at.start..at.start + POINTS];
            let im = &mut im[at.start..at.start + POINTS];
            for ((w, re), im) in at.weights.iter().zip(re).zip(im) {
                *re += c * w;
                *im += s * w;
            }
        }
        for ((re, im), u) in re.iter_mut().zip(&mut im).zip(&self.undamped) {
            *re *= u;
            *im *= u;
        }
        let (re, im) = self.transform(re, im);
        // the part that is read, from its lowest frequency on; the grid begins a quarter of `n` before 0
        let first = n - n / 4 - REACH;
        let length = n / 2 + 2 * REACH + 1;
        let (mut part_re, mut part_im) = (Vec::with_capacity(length), Vec::with_capacity(length));
        for k in first..first + length {
            let (a, b) = (re[k % n], im[k % n]);
            let (a, b) = match k % 4 {
                0 => (a, b),
                1 => (b, -a),
                2 => (-a, -b),
                _ => (-b, a),
            };
            part_re.push(a);
            part_im.push(b);
        }
        let read = |at: &Stencil| {
            let (re, im) = (&part_re[at.start..], &part_im[at.start..]);
            let parts = at.weights.iter().zip(re.iter().zip(im));
            parts.fold((0.0, 0.0), |(c, s), (w, (re, im))| (c + w * re, s + w * im))
        };
        self.reads.iter().map(read).collect()
    }

    /// `sum_k g_k exp(2 pi i k m / size)` for each m; Stockham's order of the steps.
    fn transform(&self, mut re: Vec<f64>, mut im: Vec<f64>) -> (Vec<f64>, Vec<f64>) {
        let n = self.size;
        let (mut to_re, mut to_im) = (vec![0.0; n], vec![0.0; n]);
        let mut block = 1;
        while block < n {
            let half = n / 2;
            let blocks = half / block;
            for j in 0..blocks {
                let turn = self.turns[j * block];
                let (low, high) = (j * block, j * block + half);
                let (a_re, a_im) = (&re[low..low + block], &im[low..low + block]);
                let (b_re, b_im) = (&re[high..high + block], &im[high..high + block]);
                let (sum_re, difference_re) = to_re[2 * low..2 * (low + block)].split_at_mut(block);
                let (sum_im, difference_im) = to_im[2 * low..2 * (low + block)].split_at_mut(block);
                for k in 0..block {
                    sum_re[k] = a_re[k] + b_re[k];
                    sum_im[k] = a_im[k] + b_im[k];
                    let d = (a_re[k] - b_re[k], a_im[k] - b_im[k]);
                    (difference_re[k], difference_im[k]) = times(turn, d);
                }
            }
            std::mem::swap(&mut re, &mut to_re);
            std::mem::swap(&mut im, &mut to_im);
            block *= 2;
        }
        (re, im)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_agree_with_their_definition() {
        for (n, reach, f) in [
            (500, 3.0, (40.0, 90.0)),
            (40, 0.01, (1.0, 200.0)),
            (300, 150.0, (0.2, 0.7)),
        ] {
            let frequencies: Vec<f64> = (0..700)
                .map(|i| 1.0 / (1.0 / f.1 + (1.0 / f.0 - 1.0 / f.1) * f64::from(i) / 699.0))
                .collect();
            let x: Vec<f64> = (0..n)
                .map(|i| {
                    reach
                        * (2.0 * f64::from(i * 7919 % n) / f64::from(n - 1) - 1.0).clamp(-1.0, 1.0)
                })
                .collect();
            let y: Vec<f64> = (0..n).map(|i| f64::from(i * 31 % 17) - 8.0).collect();
            let plan = WaveSums::new(&frequencies, reach, 1 << 14).expect("short enough");
            assert!(plan.serves(reach));
            let sums = plan.sums(&plan.places(&x), &y);
            let most: f64 = y.iter().map(|y| y.abs()).sum();
            for (f, got) in frequencies.iter().zip(&sums) {
                let want = x.iter().zip(&y).fold((0.0, 0.0), |sum, (x, y)| {
                    let (s, c) = (2.0 * PI * f * x).sin_cos();
                    (sum.0 + y * c, sum.1 + y * s)
                });
                let off = (got.0 - want.0).hypot(got.1 - want.1) / most;
                assert!(off < 1e-10, "{n} {f} {off}");
            }
        }
    }

    #[test]
    fn what_would_be_too_long_or_makes_no_sense() {
        assert!(WaveSums::new(&[1.0, 2.0], 1e5, 1 << 14).is_none());
        assert!(WaveSums::new(&[1.0, 1.0], 1.0, 1 << 14).is_none());
        assert!(WaveSums::new(&[], 1.0, 1 << 14).is_none());
        assert!(WaveSums::new(&[1.0, f64::NAN, 2.0], 1.0, 1 << 14).is_none());
        assert!(WaveSums::new(&[1.0, 2.0], f64::NAN, 1 << 14).is_none());
        assert!(WaveSums::new(&[1.0, 2.0], 1.0, 1 << 14).is_some());
    }
}
