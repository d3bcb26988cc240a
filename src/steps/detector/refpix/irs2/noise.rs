//! The correlated noise: predicted for each output from its interleaved reference pixels and from the reference output, by
//! weights in frequency space, and subtracted.

use super::series::{LENGTH, PERIOD, PERIODS, TICKS, science_ticks};
use crate::math::numpy_fft::{Lanes, Plan};
use crate::model::irs2::SCIENCE;

/// Series that are transformed side by side.
pub const LANES: usize = 4;
/// One frequency of the spectra of four outputs, or of the reference output of four groups.
pub type Four = Lanes<f32, LANES>;
/// Four real series as two complex ones in double precision.
type Packed = Lanes<f64, { LANES / 2 }>;

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
}

impl Transform {
    /// None can be missing: the length has a plan.
    pub fn new() -> Option<Self> {
        let fall = |i: usize| ((i as f64 * std::f64::consts::PI / SLOPE as f64).cos() + 1.0) / 2.0;
        Some(Self {
            forward: Plan::new(LENGTH)?,
            backward: Plan::new(LENGTH)?,
            falling: (0..SLOPE).map(fall).collect(),
        })
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

    /// The spectra of real series, taken in double precision and rounded; `weighted` is given frequency and value.
    fn spectra(
        &self,
        series: impl Iterator<Item = [f32; LANES]>,
        weighted: impl Fn(usize, Four) -> Four,
    ) -> Vec<Four> {
        // a complex series carries two real ones
        let pack = |v: [f32; LANES]| Packed {
            re: [v[0].into(), v[2].into()],
            im: [v[1].into(), v[3].into()],
        };
        let mut z: Vec<Packed> = series.map(pack).collect();
        self.forward.forward(&mut z, &mut Vec::new());
        (0..LENGTH)
            .map(|k| {
                let (p, m) = (&z[k], &z[(LENGTH - k) % LENGTH]);
                let mut four = Four::ZERO;
                for l in 0..LANES / 2 {
                    four.re[2 * l] = (0.5 * (p.re[l] + m.re[l])) as f32;
                    four.im[2 * l] = (0.5 * (p.im[l] - m.im[l])) as f32;
                    four.re[2 * l + 1] = (0.5 * (p.im[l] + m.im[l])) as f32;
                    four.im[2 * l + 1] = (0.5 * (m.re[l] - p.re[l])) as f32;
                }
                weighted(k, four)
            })
            .collect()
    }

    /// Fills the gaps of series of the reference output by filtering, and returns their spectra by the length.
    pub fn reference_spectra(&self, series: &[[f32; LANES]]) -> Vec<Four> {
        let science = science_ticks();
        let mut filled: Vec<[f32; LANES]> = series.to_vec();
        for _ in 0..ROUNDS {
            let filtered = |k: usize, v: Four| {
                let f = self.filter(k);
                let by = |x: f32| (f64::from(x) * f) as f32;
                Four {
                    re: v.re.map(by),
                    im: v.im.map(by),
                }
            };
            let mut z = self.spectra(filled.iter().copied(), filtered);
            self.backward.backward(&mut z, &mut Vec::new());
            for ((t, v), own) in filled.iter_mut().enumerate().zip(series) {
                *v = match science[t % TICKS] {
                    true => *own,
                    false => z[t].re.map(|x| x * BY_LENGTH),
                };
            }
        }
        self.spectra(filled.into_iter(), |_, v| v.scaled(BY_LENGTH))
    }

    /// The noise of the four outputs of a group. `series` are theirs; `reference` is the spectrum of the reference output,
    /// a lane of [`Self::reference_spectra`]; `own` and `of_reference` are the weights of both.
    pub fn noise(
        &self,
        series: &[[f32; LANES]],
        reference: (&[Four], usize),
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
            let r = &reference.0[k];
            let r = [r.re[reference.1], r.im[reference.1]];
            let mut out = Four::ZERO;
            for l in 0..LANES {
                let p = product([v.re[l], v.im[l]], [a.re[l], a.im[l]]);
                let q = product([b.re[l], b.im[l]], r);
                out.re[l] = p[0] + q[0];
                out.im[l] = p[1] + q[1];
            }
            out
        };
        let mut z = self.spectra((0..LENGTH).map(of_tick), weighted);
        self.backward.backward(&mut z, &mut Vec::new());
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
