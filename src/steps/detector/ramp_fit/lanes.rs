//! The quick way for ramps without flags: the same arithmetic as [`pixel`](super::pixel), in the same
//! order, for [`WIDTH`] neighbouring pixels at a time, so that the compiler can use vector instructions.
//!
//! "Without flags" means: one run of two or more good groups, every other group DO_NOT_USE and
//! nothing else, or the only group there is; finite data, a positive gain. Other pixels are left to the slow way.

use super::groups::DNU;
use super::noise::{
    LARGE_VARIANCE, PixelNoise, drop_large, poisson_exposure, poisson_variance, read_numerator,
    read_variance,
};
use super::ols::{INVALID, OlsFit, RateRows};
use super::pixel::{RampRows, Setup};
use super::weights::{POWER_COUNT, power_index};

/// Pixels fitted together.
pub(super) const WIDTH: usize = 8;

type Lane = [f64; WIDTH];

fn lane(value: impl Fn(usize) -> f64) -> Lane {
    std::array::from_fn(value)
}

fn load<T: Copy>(row: &[T], pixel: usize) -> [T; WIDTH] {
    let mut block = [row[pixel]; WIDTH];
    block.copy_from_slice(&row[pixel..pixel + WIDTH]);
    block
}

/// A run of good groups, counted from the first kept one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    start: usize,
    len: usize,
}

/// The quick way for one integration. Guesses that a block has the run of good groups the last one had.
pub(super) struct Lanes<'a> {
    rows: RampRows<'a>,
    first: usize,
    ngroups: usize,
    /// Kept groups that are DO_NOT_USE everywhere by `firstgroup` or `lastgroup`.
    deselected: Vec<u8>,
    run: Run,
    data: Vec<Lane>,
    sorted: Vec<Lane>,
}

impl<'a> Lanes<'a> {
    pub fn new(setup: &Setup, rows: &RampRows<'a>) -> Self {
        let keep = setup.plan.keep();
        let deselected = keep
            .clone()
            .map(|g| if setup.plan.is_deselected(g) { DNU } else { 0 })
            .collect();
        Self {
            rows: *rows,
            first: keep.start,
            ngroups: keep.len(),
            deselected,
            run: Run {
                start: 0,
                len: keep.len(),
            },
            data: Vec::new(),
            sorted: Vec::new(),
        }
    }

    /// Fits the block of pixels from `pixel` on; says which of them are left to the slow way.
    pub fn add(&mut self, fit: &mut OlsFit, pixel: usize, out: &mut RateRows) -> [bool; WIDTH] {
        let mut rest = self.flagged(pixel);
        if rest.iter().filter(|r| **r).count() > WIDTH / 2 {
            // Another run may suit this block better; take the first pixel's that has one.
            if let Some(run) = (pixel..pixel + WIDTH)
                .find_map(|p| self.run_of(p))
                .filter(|r| *r != self.run)
            {
                self.run = run;
                rest = self.flagged(pixel);
            }
        }
        if self.run.len < self.shortest() {
            return [true; WIDTH];
        }
        self.read(pixel, &mut rest);
        let gain = load(&fit.gain, pixel).map(f64::from);
        rest.iter_mut()
            .zip(gain)
            .for_each(|(r, g)| *r |= g <= 0.0 || g.is_nan());
        if rest.iter().all(|r| *r) {
            return rest;
        }
        let (time, _) = fit.setup.times.span(self.run.len as u32);
        let slope = match &self.data[..] {
            [only] => only.map(|d| d / time),
            [first, second] => lane(|l| (second[l] - first[l]) / time),
            _ => self.slope(fit, &gain, pixel),
        };
        let median = self.median_rate(time);
        self.store(fit, pixel, [gain, slope, median], &rest, out);
        rest
    }

    /// Groups that a run must have: a lone group only counts where there is no other.
    fn shortest(&self) -> usize {
        self.ngroups.min(2)
    }

    /// Which pixels have other flags than the run allows.
    fn flagged(&self, pixel: usize) -> [bool; WIDTH] {
        let mut bad = [0u8; WIDTH];
        for (g, deselected) in self.deselected.iter().enumerate() {
            let flags = load(self.rows.groupdq[self.first + g], pixel);
            let expected = if g.wrapping_sub(self.run.start) < self.run.len {
                0
            } else {
                DNU
            };
            bad.iter_mut()
                .zip(flags)
                .for_each(|(b, f)| *b |= (f | deselected) ^ expected);
        }
        bad.map(|b| b != 0)
    }

    fn run_of(&self, pixel: usize) -> Option<Run> {
        let flag = |g: usize| self.rows.groupdq[self.first + g][pixel] | self.deselected[g];
        let start = (0..self.ngroups).find(|g| flag(*g) == 0)?;
        let len = (start..self.ngroups).take_while(|g| flag(*g) == 0).count();
        let others = (0..start)
            .chain(start + len..self.ngroups)
            .all(|g| flag(g) == DNU);
        (others && len >= self.shortest()).then_some(Run { start, len })
    }

    fn read(&mut self, pixel: usize, rest: &mut [bool; WIDTH]) {
        let Run { start, len } = self.run;
        self.data.clear();
        let mut spread = [0.0f32; WIDTH];
        for plane in &self.rows.data[self.first + start..][..len] {
            let values = load(plane, pixel);
            // Zero for a finite value, NaN for others.
            spread
                .iter_mut()
                .zip(values)
                .for_each(|(s, v)| *s += v * 0.0);
            self.data.push(values.map(f64::from));
        }
        rest.iter_mut()
            .zip(spread)
            .for_each(|(r, s)| *r |= s != 0.0);
    }

    /// The weighted slope in DN/s.
    fn slope(&self, fit: &mut OlsFit, gain: &Lane, pixel: usize) -> Lane {
        let Run { start, len } = self.run;
        let rnoise = load(&fit.rnoise, pixel);
        let rise = lane(|l| self.data[len - 1][l] - self.data[0][l]);
        let variance = lane(|l| rnoise[l] * rnoise[l] + rise[l] * gain[l]);
        let snr = lane(|l| {
            let snr = rise[l] * gain[l] / variance[l].sqrt();
            if variance[l] <= 0.0 || snr < 0.0 {
                0.0
            } else {
                snr
            }
        });
        let inverse_noise = lane(|l| 1.0 / (rnoise[l] * rnoise[l]));
        let powers = snr.map(power_index);

        let table = &fit.workspace.weights.table(len)[..POWER_COUNT * len];
        let (mut w, mut x, mut xx, mut y, mut xy) = (
            [0.0; WIDTH],
            [0.0; WIDTH],
            [0.0; WIDTH],
            [0.0; WIDTH],
            [0.0; WIDTH],
        );
        for (group, (data, weights)) in self
            .data
            .iter()
            .zip(table.chunks_exact(POWER_COUNT))
            .enumerate()
        {
            let at = group as f64 + start as f64;
            for l in 0..WIDTH {
                let weight = weights[powers[l]] * inverse_noise[l];
                let xw = at * weight;
                w[l] += weight;
                x[l] += xw;
                xx[l] += at * xw;
                y[l] += data[l] * weight;
                xy[l] += data[l] * xw;
            }
        }
        let group_time = fit.setup.times.group;
        lane(|l| {
            let inverse = 1.0 / (w[l] * xx[l] - x[l] * x[l]);
            (w[l] * xy[l] - x[l] * y[l]) * inverse / group_time
        })
    }

    /// Median of the differences between neighbouring groups, in DN/s; the rate of a lone group.
    fn median_rate(&mut self, group_time: f64) -> Lane {
        self.sorted.clear();
        let mut low = self.data[0].map(|d| d / group_time);
        if self.data.len() == 1 {
            return low;
        }
        for data in &self.data[1..] {
            let high = data.map(|d| d / group_time);
            self.sorted.push(lane(|l| high[l] - low[l]));
            low = high;
        }
        let n = self.sorted.len();
        let middle = n / 2;
        // The lowest values are brought to the front one by one, as far as the middle.
        for i in 0..=middle {
            let mut lowest = self.sorted[i];
            for other in &mut self.sorted[i + 1..] {
                for l in 0..WIDTH {
                    let (a, b) = (lowest[l], other[l]);
                    lowest[l] = if a < b { a } else { b };
                    other[l] = if a < b { b } else { a };
                }
            }
            self.sorted[i] = lowest;
        }
        let high = self.sorted[middle];
        if n % 2 == 1 {
            return high;
        }
        let below = self.sorted[middle - 1];
        lane(|l| (high[l] + below[l]) / 2.0)
    }

    fn store(
        &self,
        fit: &mut OlsFit,
        pixel: usize,
        [gain, slope, median]: [Lane; 3],
        rest: &[bool; WIDTH],
        out: &mut RateRows,
    ) {
        let block = pixel..pixel + WIDTH;
        let rnoise = load(&fit.rnoise, pixel);
        let dq = load(&fit.pixeldq, pixel);
        let (time, groups) = fit.setup.times.span(self.run.len as u32);
        let variance = lane(|l| read_variance(read_numerator(rnoise[l], time), groups, gain[l]));
        let inverse = lane(|l| 1.0 / variance[l]);
        let weighted = lane(|l| slope[l] / variance[l]);
        let read = lane(|l| drop_large(1.0 / inverse[l]));
        let take = |values: Lane| lane(|l| if rest[l] { 0.0 } else { values[l] });
        let add =
            |sum: &mut [f64], values: Lane| sum.iter_mut().zip(values).for_each(|(s, v)| *s += v);
        add(&mut fit.sums.median_rate[block.clone()], take(median));
        add(&mut fit.sums.inverse_read[block.clone()], take(inverse));
        add(&mut fit.sums.weighted_slope[block.clone()], take(weighted));
        let code = self.run.len as u32;
        fit.shapes.codes()[block.clone()]
            .iter_mut()
            .zip(rest)
            .for_each(|(c, r)| *c = if *r { 0 } else { code });

        for l in 0..WIDTH {
            let invalid = dq[l] & INVALID != 0;
            out.sci[pixel + l] = if invalid {
                f32::NAN
            } else {
                (weighted[l] * read[l]) as f32
            };
            out.var_rnoise[pixel + l] = if invalid { 0.0 } else { read[l] as f32 };
            out.dq[pixel + l] = dq[l];
        }
    }
}

/// Photon noise of a block of pixels with one segment each, of these spans (see [`FitTimes::span`]), at `rates` in DN/s:
/// its variance, the total error, and the inverse of the variance.
pub(super) fn complete(
    noises: &[PixelNoise; WIDTH],
    rates: &Lane,
    spans: &[(f64, f64); WIDTH],
) -> [Lane; 3] {
    let poisson = lane(|l| {
        let (time, groups) = spans[l];
        let exposure = poisson_exposure(time, noises[l].gain, groups);
        poisson_variance(rates[l], noises[l].dark, exposure)
    });
    let read = lane(|l| {
        let (time, groups) = spans[l];
        read_variance(
            read_numerator(noises[l].rnoise, time),
            groups,
            noises[l].gain,
        )
    });
    let inverse = lane(|l| {
        if poisson[l] > 0.0 {
            1.0 / poisson[l]
        } else {
            0.0
        }
    });
    let variance = lane(|l| {
        if inverse[l] > 0.0 {
            drop_large(1.0 / inverse[l])
        } else {
            0.0
        }
    });
    let error = lane(|l| {
        let total = 1.0 / (1.0 / (poisson[l] + read[l]));
        if total > LARGE_VARIANCE {
            0.0
        } else {
            total.sqrt()
        }
    });
    [variance, error, inverse]
}
