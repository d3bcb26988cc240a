//! The correlated noise: predicted for each output from its interleaved reference pixels and from the reference output, by
//! weights in frequency space, and subtracted.

use super::series::{LENGTH, PERIOD, PERIODS, TICKS, science_ticks};
use crate::math::numpy_fft::{Lanes, Plan};
use crate::model::irs2::SCIENCE;

/// Series that are transformed side by side.
pub const LANES: usize = 4;
/// One frequency of the spectra of four outputs.
pub type Four = Lanes<f32, LANES>;

/// Rounds of filtering of the reference output.
const ROUNDS: usize = 3;
/// Frequencies over which the filter of the reference output falls from 1 to 0: 110000 / [`PERIOD`].
const SLOPE: usize = 110_000 / PERIOD;
/// Frequencies below which it is 1.
const FLAT: usize = TICKS / PERIOD * SCIENCE / 2 - SLOPE / 2;

/// Weights of the interpolation over gaps: sin(pi k / 32), k = 1 to 31, as numpy 2 takes them in single precision (four are
/// a last bit off the nearest value).
fn weights() -> [f64; 31] {
    const OFF: [(usize, i32); 4] = [(18, 1), (22, -1), (28, -1), (30, -1)];
    std::array::from_fn(|i| {
        let angle = (i + 1) as f32 / 32.0 * std::f32::consts::PI;
        let nearest = f64::from(angle).sin() as f32;
        let off = OFF.iter().find(|(k, _)| *k == i).map_or(0, |(_, by)| *by);
        f64::from(f32::from_bits(nearest.to_bits().wrapping_add_signed(off)))
    })
}

/// Transforms for series of this length, with the filter of the reference output.
#[derive(Debug)]
pub struct Transform {
    forward: Plan<f64>,
    backward: Plan<f32>,
    /// The filter where it falls.
    falling: Vec<f64>,
    /// Frequencies that the filter leaves something of.
    passed: Vec<bool>,
    /// Places in a series at which no science pixel is read.
    gaps: Vec<bool>,
}

impl Transform {
    /// None can be missing: the length has a plan.
    pub fn new() -> Option<Self> {
        let fall = |i: usize| ((i as f64 * std::f64::consts::PI / SLOPE as f64).cos() + 1.0) / 2.0;
        let science = science_ticks();
        let mut transform = Self {
            forward: Plan::new(LENGTH)?,
            backward: Plan::new(LENGTH)?,
            falling: (0..SLOPE).map(fall).collect(),
            passed: Vec::new(),
            gaps: (0..LENGTH).map(|t| !science[t % TICKS]).collect(),
        };
        let passed = (0..LENGTH).map(|k| transform.filter(k) != 0.0);
        transform.passed = passed.collect();
        Some(transform)
    }

    /// The filter at a frequency: 1, falling, 0, rising, 1, and the same backwards.
    fn filter(&self, k: usize) -> f64 {
        let half = LENGTH / 2;
        let i = match k {
            _ if k < half => k,
            _ if k == half => 0,
            _ => LENGTH - k,
        };
        match i.min(half - 1 - i).checked_sub(FLAT) {
            None => 1.0,
            Some(j) => self.falling.get(j).copied().unwrap_or(0.0),
        }
    }

    /// The spectra of `L` real series (at most `2 H`), taken in double precision and rounded; `weighted` is given frequency and
    /// value, and outside of what is `wanted` not asked: zero.
    fn spectra<const L: usize, const H: usize>(
        &self,
        series: impl Iterator<Item = [f32; L]>,
        wanted: Option<&[bool]>,
        weighted: impl Fn(usize, Lanes<f32, L>) -> Lanes<f32, L>,
    ) -> Vec<Lanes<f32, L>> {
        // a complex series carries two real ones
        let part = |v: &[f32; L], l: usize| v.get(l).copied().map_or(0.0, f64::from);
        let pack = |v: [f32; L]| Lanes::<f64, H> {
            re: std::array::from_fn(|h| part(&v, 2 * h)),
            im: std::array::from_fn(|h| part(&v, 2 * h + 1)),
        };
        let mut z: Vec<Lanes<f64, H>> = series.map(pack).collect();
        self.forward.forward(&mut z, &mut Vec::new(), wanted);
        let of = |k: usize| {
            let (p, m) = (&z[k], &z[(LENGTH - k) % LENGTH]);
            let mut out = Lanes::ZERO;
            for l in 0..L {
                let h = l / 2;
                let [re, im] = match l % 2 {
                    0 => [p.re[h] + m.re[h], p.im[h] - m.im[h]],
                    _ => [p.im[h] + m.im[h], m.re[h] - p.re[h]],
                };
                (out.re[l], out.im[l]) = ((0.5 * re) as f32, (0.5 * im) as f32);
            }
            weighted(k, out)
        };
        (0..LENGTH)
            .map(|k| match wanted.is_none_or(|w| w[k]) {
                true => of(k),
                false => Lanes::ZERO,
            })
            .collect()
    }

    /// Fills the gaps of series of the reference output, one a group, by filtering, and returns their spectra by the length.
    pub fn reference_spectra(&self, series: &[Vec<f32>]) -> Vec<Vec<[f32; 2]>> {
        let of_some = |some: &[Vec<f32>]| match some.len() {
            1 => self.some_reference_spectra::<1, 1>(some),
            2 => self.some_reference_spectra::<2, 1>(some),
            _ => self.some_reference_spectra::<LANES, { LANES / 2 }>(some),
        };
        series.chunks(LANES).flat_map(of_some).collect()
    }

    fn some_reference_spectra<const L: usize, const H: usize>(
        &self,
        series: &[Vec<f32>],
    ) -> Vec<Vec<[f32; 2]>> {
        let own = |t: usize| std::array::from_fn(|l| series.get(l).map_or(0.0, |s| s[t]));
        let mut filled: Vec<[f32; L]> = (0..LENGTH).map(own).collect();
        for _ in 0..ROUNDS {
            let filtered = |k: usize, v: Lanes<f32, L>| {
                let f = self.filter(k);
                let by = |x: f32| (f64::from(x) * f) as f32;
                Lanes {
                    re: v.re.map(by),
                    im: v.im.map(by),
                }
            };
            let series = filled.iter().copied();
            let mut z = self.spectra::<L, H>(series, Some(&self.passed), filtered);
            self.backward
                .backward(&mut z, &mut Vec::new(), Some(&self.gaps));
            for ((v, z), gap) in filled.iter_mut().zip(&z).zip(&self.gaps) {
                if *gap {
                    *v = z.re.map(|x| x * BY_LENGTH);
                }
            }
        }
        let spectra = self.spectra::<L, H>(filled.into_iter(), None, |_, v| v.scaled(BY_LENGTH));
        let of_lane = |l: usize| spectra.iter().map(|v| [v.re[l], v.im[l]]).collect();
        (0..series.len()).map(of_lane).collect()
    }

    /// The noise of the four outputs of a group. `series` are theirs; `reference` is the spectrum of the reference output, one
    /// of [`Self::reference_spectra`]; `own` and `of_reference` are the weights of both.
    pub fn noise(
        &self,
        series: &[[f32; LANES]],
        reference: &[[f32; 2]],
        own: &[Four],
        of_reference: &[Four],
    ) -> Vec<[f32; LANES]> {
        // each of the four reference pixels of a block stands for itself and a neighbour of its kind
        let mut from = [None; PERIOD];
        for (to, tick) in (7..15).zip([9, 11, 9, 11, 10, 12, 10, 12]) {
            from[to] = Some(tick);
        }
        let of_tick = |t: usize| {
            let (row, tick) = (t / TICKS * TICKS, t % TICKS);
            let (block, tick) = (tick / PERIOD, tick % PERIOD);
            match from[tick] {
                Some(tick) if block < PERIODS => series[row + block * PERIOD + tick],
                _ => [0.0; LANES],
            }
        };
        let weighted = |k: usize, v: Four| {
            let (v, a, b) = (v.scaled(BY_LENGTH), &own[k], &of_reference[k]);
            let r = reference[k];
            let mut out = Four::ZERO;
            for l in 0..LANES {
                let p = product([v.re[l], v.im[l]], [a.re[l], a.im[l]]);
                let q = product([b.re[l], b.im[l]], r);
                out.re[l] = p[0] + q[0];
                out.im[l] = p[1] + q[1];
            }
            out
        };
        let series = (0..LENGTH).map(of_tick);
        let mut z = self.spectra::<LANES, { LANES / 2 }>(series, None, weighted);
        self.backward.backward(&mut z, &mut Vec::new(), None);
        let value = |x: f32| x * BY_LENGTH * LENGTH as f32;
        z.into_iter().map(|v| v.re.map(value)).collect()
    }
}

/// One over the length.
const BY_LENGTH: f32 = 1.0 / LENGTH as f32;

/// Product of complex numbers as numpy 2 takes it where the processor fuses multiplications and additions (the second
/// product is rounded, the first is not); the sum in double precision rounds alike.
fn product(a: [f32; 2], b: [f32; 2]) -> [f32; 2] {
    let fused = |x: f32, y: f32, z: f32| (f64::from(x) * f64::from(y) + f64::from(z)) as f32;
    [
        fused(a[0], b[0], -(a[1] * b[1])),
        fused(a[0], b[1], a[1] * b[0]),
    ]
}

/// Interpolates a series of the reference output over its zeros, weighting the values within 15 ticks by a cosine; the series
/// goes round.
pub fn interpolate(series: &mut [f32]) {
    let n = series.len();
    let (w, reach) = (weights(), 15);
    // what is not finite spreads, also to values that are there
    let all = series.iter().any(|v| !v.is_finite());
    let around: Vec<f32> = (0..n + 2 * reach)
        .map(|i| series[(i + n - reach) % n])
        .collect();
    for (i, v) in series.iter_mut().enumerate() {
        let known = f32::from(u8::from(*v != 0.0));
        if known == 1.0 && !all {
            continue;
        }
        let window = &around[i..i + 2 * reach + 1];
        let sum = |value: &dyn Fn(f32) -> f64| {
            // the last first, then the others in order
            let last = value(window[2 * reach]) * w[0];
            let terms = window[..2 * reach].iter().zip(w[1..].iter().rev());
            terms.fold(last, |sum, (v, w)| sum + value(*v) * w) as f32
        };
        let (above, below) = (
            sum(&|v| f64::from(v)),
            sum(&|v| f64::from(u8::from(v != 0.0))),
        );
        let filled = if below == 0.0 { 0.0 } else { above / below };
        *v += filled * (1.0 - known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A group's spectrum does not depend on how many others are transformed with it, but for the last bit.
    #[test]
    fn groups_that_are_left_over_have_the_spectra_they_have_beside_others() {
        let transform = Transform::new().unwrap();
        let value = |t: usize, by: usize| match t % TICKS % PERIOD {
            9..13 => ((t * by) % 1009) as f32 * 0.01 - 5.0,
            _ => 0.0,
        };
        let group = |by| (0..LENGTH).map(|t| value(t, by)).collect::<Vec<f32>>();
        let groups: Vec<Vec<f32>> = [37, 53, 71, 89, 97].map(group).to_vec();
        let all = transform.reference_spectra(&groups);
        assert_eq!(all.len(), 5);
        let (pair, one) = (
            transform.reference_spectra(&groups[..2]),
            transform.reference_spectra(&groups[2..3]),
        );
        let largest = all[0].iter().flatten().fold(0f32, |m, v| m.max(v.abs()));
        let near = |a: &[[f32; 2]], b: &[[f32; 2]]| {
            let pairs = a.as_flattened().iter().zip(b.as_flattened());
            pairs.fold(0f32, |m, (a, b)| m.max((a - b).abs())) < 1e-5 * largest
        };
        assert!(near(&all[0], &pair[0]) && near(&all[1], &pair[1]) && near(&all[2], &one[0]));
        let last = transform.reference_spectra(&groups[4..]);
        assert!(all[4] == last[0] && !near(&all[4], &all[3]));
    }
}
