//! From count rate to raw counts of a near-infrared detector.

use super::mode::{Detector, SIZE, is_reference};
use super::observation::Exposure;
use super::pixels::{CUBIC, Pixels, fast, mask, output};
use crate::simulate::cosmic::Hit;
use crate::simulate::random::{Stream, label};
use crate::simulate::visit::Setup;

/// Outputs, and columns each reads.
const OUTPUTS: usize = 4;
const COLUMNS: usize = SIZE / OUTPUTS;
/// Columns that share a sample of the slow noise.
const BLOCK: usize = 64;
/// Samples of the slow noise in a row of an output, and in a frame.
const IN_ROW: usize = COLUMNS / BLOCK;
const IN_FRAME: usize = SIZE * IN_ROW;
/// Standard deviation of the slow noise common to the outputs and of each output's own, DN.
const SLOW: (f64, f64) = (4.0, 1.5);
/// Memories of the slow noise, in samples: parts of equal variance, together nearly 1/f.
const MEMORIES: [f64; 5] = [1.0, 8.0, 64.0, 512.0, 4096.0];

/// Drift of the electronics in one frame, DN.
#[derive(Debug)]
struct Drift {
    /// Offset of each output in its even and odd columns.
    offset: [[f64; 2]; OUTPUTS],
    /// Slow noise of each output, common one included, in the order of reading.
    slow: [Vec<f32>; OUTPUTS],
}

/// Reads an exposure out row by row.
#[derive(Debug)]
pub struct Readout<'a> {
    exposure: &'a Exposure,
    pixels: &'a Pixels,
    seed: u64,
    /// `(integration * groups + group) * frames + frame`
    drift: Vec<Drift>,
}

impl<'a> Readout<'a> {
    /// Prepares the readout of an exposure.
    pub fn new(exposure: &'a Exposure, pixels: &'a Pixels, seed: u64) -> Self {
        let mut rng = Stream::new(seed, &exposure.labels(label("drift")));
        let frames = exposure.integrations * exposure.groups * exposure.setup.readout().frames;
        let drift = (0..frames).map(|_| Drift::new(&mut rng)).collect();
        Self {
            exposure,
            pixels,
            seed,
            drift,
        }
    }

    /// Raw counts of row `y`, `[integration][group][column]`, from its count rate (DN/s) and hits.
    pub fn row(&self, y: usize, rate: &[f32], hits: &[Hit]) -> Vec<u16> {
        let e = self.exposure;
        let labels = [e.labels(label("read")), [y as u64, 0, 0, 0, 0]].concat();
        let mut rng = Stream::new(self.seed, &labels);
        let readout = e.setup.readout();
        let time = readout.frame_time();
        let mut out = Vec::with_capacity(e.integrations * e.groups * SIZE);
        for integration in 0..e.integrations {
            let ktc: Vec<f64> = (0..SIZE).map(|_| 12.0 * rng.normal()).collect();
            let mut charge = vec![0.0; SIZE];
            for group in 0..e.groups {
                let arrived = hits
                    .iter()
                    .filter(|h| (h.integration, h.group) == (integration, group));
                arrived.for_each(|h| charge[h.x] += h.dn);
                let mut sum = vec![0.0; SIZE];
                for frame in 0..readout.frames {
                    let number = (integration * e.groups + group) * readout.frames + frame;
                    let drift = &self.drift[number];
                    for x in 0..SIZE {
                        let i = y * SIZE + x;
                        charge[x] += self.collected(&mut rng, i, f64::from(rate[x]) * time);
                        sum[x] += self.read(&mut rng, i, charge[x], ktc[x])
                            + drift.at(e.setup.detector, y, x);
                    }
                }
                let n = readout.frames as f64;
                out.extend(
                    sum.iter()
                        .map(|s| (s / n + 0.5).clamp(0.0, 65_535.0) as u16),
                );
            }
        }
        out
    }

    /// Charge collected in one frame, DN: photons, of which open pixels lose most, and dark current.
    fn collected(&self, rng: &mut Stream, i: usize, mean: f64) -> f64 {
        if is_reference(i) {
            return 0.0;
        }
        let share = match self.pixels.mask[i] {
            m if m & mask::OPEN != 0 => 0.2,
            m if m & mask::ADJ_OPEN != 0 => 1.2,
            _ => 1.0,
        };
        let gain = f64::from(self.pixels.gain[i]);
        let gain = if gain.is_nan() { 1.0 } else { gain };
        let dark = f64::from(self.pixels.dark[i]) * self.exposure.setup.readout().frame_time();
        rng.poisson((mean * share + dark) * gain) / gain
    }

    /// One read of a pixel without the electronics' drift, DN.
    fn read(&self, rng: &mut Stream, i: usize, charge: f64, ktc: f64) -> f64 {
        let p = self.pixels;
        let noise = f64::from(p.noise[i]) * std::f64::consts::FRAC_1_SQRT_2 * rng.normal();
        let bias = f64::from(p.bias[i]);
        if is_reference(i) {
            return bias + noise;
        }
        let level = match p.mask[i] & mask::TELEGRAPH {
            0 => 0.0,
            _ => 40.0 * f64::from(u8::from(rng.uniform() < 0.5)),
        };
        let raw = bias + compressed(charge, f64::from(p.linearity[i])) + ktc + level;
        let limit = f64::from(p.saturation[i]);
        // above its limit a pixel hardly responds any more
        let raw = match raw - limit {
            over if over > 0.0 => limit + 400.0 * over / (over + 2000.0),
            _ => raw,
        };
        raw + noise
    }
}

/// Raw DN whose linearised value is `linear`: the inverse of the linearity polynomial, by Newton's method.
fn compressed(linear: f64, square: f64) -> f64 {
    // far above saturation the polynomial's own inverse has no meaning
    let linear = linear.min(90_000.0);
    let cubic = f64::from(CUBIC);
    let mut raw = linear;
    for _ in 0..4 {
        let value = raw * (1.0 + raw * (square + raw * cubic));
        let slope = 1.0 + raw * (2.0 * square + raw * 3.0 * cubic);
        raw -= (value - linear) / slope;
    }
    raw
}

impl Drift {
    fn new(rng: &mut Stream) -> Self {
        let offset = std::array::from_fn(|_| {
            let all = 9.0 * rng.normal();
            [all, all + 2.0 + rng.normal()]
        });
        let common = slow(rng, SLOW.0);
        let slow = std::array::from_fn(|_| {
            let own = slow(rng, SLOW.1);
            common.iter().zip(own).map(|(c, o)| c + o).collect()
        });
        Self { offset, slow }
    }

    fn at(&self, detector: Detector, y: usize, x: usize) -> f64 {
        let (fast, output) = (fast(detector, y), output(detector, y));
        let row = match detector {
            Detector::Nrs1 => x,
            Detector::Nrs2 => SIZE - 1 - x,
        };
        let sample = row * IN_ROW + fast % COLUMNS / BLOCK;
        self.offset[output][fast % 2] + f64::from(self.slow[output][sample])
    }
}

/// Slow noise of one frame: a sum of processes that forget after different times.
fn slow(rng: &mut Stream, sigma: f64) -> Vec<f32> {
    let each = sigma / (MEMORIES.len() as f64).sqrt();
    let keep = MEMORIES.map(|m| libm::exp(-1.0 / m));
    let mut state = MEMORIES.map(|_| each * rng.normal());
    (0..IN_FRAME)
        .map(|_| {
            for (s, k) in state.iter_mut().zip(keep) {
                *s = k * *s + (1.0 - k * k).sqrt() * each * rng.normal();
            }
            state.iter().sum::<f64>() as f32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::mode::{Grating, Mode};
    use super::super::observation::{Options, exposures};
    use super::*;

    #[test]
    fn compression_is_undone_by_the_polynomial() {
        for linear in [0.0, 9000.0, 30_000.0, 52_000.0] {
            let raw = compressed(linear, 4.6e-7);
            let back = raw + 4.6e-7 * raw * raw + f64::from(CUBIC) * raw * raw * raw;
            assert!((back - linear).abs() < 1e-4 && raw <= linear);
        }
    }

    #[test]
    fn slow_noise_has_its_variance_and_a_memory() {
        let mut rng = Stream::new(4, &[1]);
        let frames: Vec<Vec<f32>> = (0..40).map(|_| slow(&mut rng, 3.0)).collect();
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
    fn rows_hold_light_noise_and_reference_pixels() {
        let options = Options::new(vec![Mode::of(Grating::Prism, None).unwrap()]);
        let e = &exposures(&options, false)[0];
        let pixels = Pixels::new(1, Detector::Nrs1);
        let readout = Readout::new(e, &pixels, 1);
        let rate = vec![100.0; SIZE];
        let hit = Hit {
            integration: 0,
            group: 2,
            y: 700,
            x: 1000,
            dn: 9000.0,
        };
        let row = readout.row(700, &rate, &[hit]);
        let at = |group: usize, x: usize| f64::from(row[group * SIZE + x]);
        // 100 DN/s for 43 s between the first and the last group
        let mean = (200..900).map(|x| at(4, x) - at(0, x)).sum::<f64>() / 700.0;
        assert!((mean - 4294.0).abs() < 40.0, "{mean}");
        assert!(at(2, 1000) - at(1, 1000) > 9000.0);
        assert!((at(4, 2) - at(0, 2)).abs() < 120.0);
        assert_eq!(row, readout.row(700, &rate, &[hit]));
    }
}
