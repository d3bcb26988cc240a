//! Drift of the electronics: an offset of each output, and slow noise that the outputs share in part.

use super::frame::{Frame, Moment, TICKS};
use super::mode::SIZE;
use crate::simulate::random::Stream;

/// Ticks that share a sample of the slow noise: of the traditional readout, and where reference pixels are interleaved, which see it.
const SAMPLE: [usize; 2] = [64, 8];
/// Samples in a row of an output, likewise.
const IN_ROW: [usize; 2] = [SIZE / 4 / SAMPLE[0], TICKS / SAMPLE[1]];
/// Standard deviation of the slow noise common to the outputs, DN.
const COMMON: f64 = 4.0;
/// That of each output's own in the traditional readout, and of the five outputs of IRS2.
const OWN: f64 = 1.5;
const OWN_OF: [f64; 5] = [1.2, 1.5, 1.3, 1.8, 1.4];
/// Memories of the slow noise, in ticks: parts of equal variance, together nearly 1/f.
const MEMORIES: [f64; 5] = [64.0, 512.0, 4096.0, 32_768.0, 262_144.0];
/// Standard deviation of the outputs' offsets, DN.
const OFFSET: f64 = 9.0;

/// Drift in one frame, DN.
#[derive(Debug)]
pub struct Drift {
    /// Offset of each output in its even and odd columns.
    offset: Vec<[f64; 2]>,
    /// Slow noise of each output, common one included, in the order of reading.
    slow: Vec<Vec<f32>>,
    kind: usize,
}

impl Drift {
    /// The drift in a frame.
    pub fn new(rng: &mut Stream, frame: &Frame) -> Self {
        let kind = usize::from(frame.is_interleaved());
        let offset = (0..frame.outputs())
            .map(|_| {
                let all = OFFSET * rng.normal();
                match kind {
                    0 => [all, all + 2.0 + rng.normal()],
                    _ => [all; 2],
                }
            })
            .collect();
        let common = slow(rng, COMMON, kind);
        let own = |output: usize| if kind == 0 { OWN } else { OWN_OF[output] };
        let slow = (0..frame.outputs())
            .map(|output| {
                let own = slow(rng, own(output), kind);
                common.iter().zip(own).map(|(c, o)| c + o).collect()
            })
            .collect();
        Self { offset, slow, kind }
    }

    /// The drift of a pixel that is read in a row of the detector.
    pub fn at(&self, row: usize, moment: Moment) -> f64 {
        let Moment {
            output,
            column,
            tick,
        } = moment;
        let sample = row * IN_ROW[self.kind] + tick / SAMPLE[self.kind];
        self.offset[output][column % 2] + f64::from(self.slow[output][sample])
    }
}

/// Slow noise of one frame: a sum of processes that forget after different times.
fn slow(rng: &mut Stream, sigma: f64, kind: usize) -> Vec<f32> {
    let each = sigma / (MEMORIES.len() as f64).sqrt();
    let keep = keeps(kind);
    let mut state = MEMORIES.map(|_| each * rng.normal());
    (0..SIZE * IN_ROW[kind])
        .map(|_| {
            for (s, k) in state.iter_mut().zip(keep) {
                *s = k * *s + (1.0 - k * k).sqrt() * each * rng.normal();
            }
            state.iter().sum::<f64>() as f32
        })
        .collect()
}

/// What the parts of the slow noise keep from sample to sample.
fn keeps(kind: usize) -> [f64; MEMORIES.len()] {
    MEMORIES.map(|m| libm::exp(-1.0 / (m / SAMPLE[kind] as f64)))
}

/// Power of the slow noise in IRS2 readout at a frequency (per tick, -0.5 to 0.5): DN^2, by which its mean over all frequencies is
/// the variance. That common to the outputs, and each one's own.
pub fn powers(frequency: f64) -> (f64, [f64; 5]) {
    let turn = std::f64::consts::PI * frequency;
    let n = SAMPLE[1] as f64;
    // samples last for some ticks
    let ratio = match libm::sin(turn) {
        s if s.abs() < 1e-9 => n,
        s => libm::sin(n * turn) / s,
    };
    let cosine = libm::cos(2.0 * n * turn);
    let parts = keeps(1).map(|k| (1.0 - k * k) / (1.0 - 2.0 * k * cosine + k * k));
    let unit = parts.iter().sum::<f64>() / parts.len() as f64 * ratio * ratio / n;
    (
        COMMON * COMMON * unit,
        OWN_OF.map(|sigma| sigma * sigma * unit),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_noise_has_its_variance_and_a_memory() {
        let mut rng = Stream::new(4, &[1]);
        let frames: Vec<Vec<f32>> = (0..40).map(|_| slow(&mut rng, 3.0, 0)).collect();
        let all: Vec<f64> = frames.iter().flatten().map(|v| f64::from(*v)).collect();
        let variance = all.iter().map(|v| v * v).sum::<f64>() / all.len() as f64;
        assert!((variance / 9.0 - 1.0).abs() < 0.15, "{variance}");
        let next = all.windows(2).map(|w| w[0] * w[1]).sum::<f64>() / all.len() as f64;
        assert!(
            (0.6..0.95).contains(&(next / variance)),
            "{}",
            next / variance
        );
    }

    #[test]
    fn power_over_all_frequencies_is_the_variance() {
        // steps well within the peak of the longest memory
        let n = 1 << 22;
        let place = |k: i32| (f64::from(k) + 0.5) / f64::from(n) - 0.5;
        let variance = (0..n).map(|k| powers(place(k)).0).sum::<f64>() / f64::from(n);
        assert!((variance / 16.0 - 1.0).abs() < 1e-5, "{variance}");
        let (common, own) = powers(1e-4);
        assert!((own[3] / common - 3.24 / 16.0).abs() < 1e-12);
        assert!(powers(1e-5).0 > 10.0 * common && common > 10.0 * powers(1e-2).0);
    }

    #[test]
    fn power_is_that_of_the_noise() {
        // the variance of means over four rows is that of the noise below their frequency
        let mut rng = Stream::new(8, &[1]);
        let (mut measured, mut count) = (0.0, 0.0);
        for _ in 0..20 {
            let noise = slow(&mut rng, COMMON, 1);
            for mean in noise.chunks(4 * IN_ROW[1]) {
                let mean = mean.iter().map(|v| f64::from(*v)).sum::<f64>() / mean.len() as f64;
                measured += mean * mean;
                count += 1.0;
            }
        }
        let (n, long) = (1 << 21, (4 * TICKS) as f64);
        let mean_power = |k: i32| {
            let f = (f64::from(k) + 0.5) / f64::from(n) - 0.5;
            let turn = std::f64::consts::PI * f;
            let window = libm::sin(long * turn) / (long * libm::sin(turn));
            powers(f).0 * window * window
        };
        let expected = (0..n).map(mean_power).sum::<f64>() / f64::from(n);
        let ratio = measured / count / expected;
        assert!((0.8..1.25).contains(&ratio), "{ratio}");
    }
}
