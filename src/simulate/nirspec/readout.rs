//! From count rate to raw counts of a near-infrared detector.

use super::drift::Drift;
use super::frame::Frame;
use super::mode::{SIZE, is_reference};
use super::observation::Exposure;
use super::pixels::{CUBIC, Pixels, mask};
use crate::simulate::cosmic::Hit;
use crate::simulate::random::{Stream, label};
use crate::simulate::visit::Setup;

/// Level of interleaved reference pixels, DN.
pub const REFERENCE_LEVEL: f32 = 13_000.0;
/// Standard deviation of one read of these, DN, and how much more that of bad ones is.
pub const REFERENCE_NOISE: f64 = 4.5;
const BAD_FACTOR: f64 = 9.0;

/// Reads an exposure out row by row.
#[derive(Debug)]
pub struct Readout<'a> {
    exposure: &'a Exposure,
    pixels: &'a Pixels,
    seed: u64,
    frame: Frame,
    /// `(integration * groups + group) * frames + frame`
    drift: Vec<Drift>,
}

impl<'a> Readout<'a> {
    /// Prepares the readout of an exposure.
    pub fn new(exposure: &'a Exposure, pixels: &'a Pixels, seed: u64) -> Self {
        let mut rng = Stream::new(seed, &exposure.labels(label("drift")));
        let frames = exposure.integrations * exposure.groups * exposure.setup.readout().frames;
        let frame = Frame::new(exposure.setup.detector, exposure.setup.pattern);
        let drift = (0..frames).map(|_| Drift::new(&mut rng, &frame)).collect();
        Self {
            exposure,
            pixels,
            seed,
            frame,
            drift,
        }
    }

    /// Where the rows of the image lie in the file.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The drifts of the frames that are averaged to a group.
    fn drifts(&self, integration: usize, group: usize) -> &[Drift] {
        let frames = self.exposure.setup.readout().frames;
        let first = (integration * self.exposure.groups + group) * frames;
        &self.drift[first..first + frames]
    }

    /// Raw counts of a row of the file that holds interleaved reference pixels, `[integration][group][column]`.
    pub fn reference_row(&self, row: usize) -> Vec<u16> {
        let e = self.exposure;
        let labels = [e.labels(label("reference read")), [row as u64, 0, 0, 0, 0]].concat();
        let mut rng = Stream::new(self.seed, &labels);
        let moment = self.frame.moment(row);
        let noise = match self.frame.is_bad(row) {
            true => BAD_FACTOR * REFERENCE_NOISE,
            false => REFERENCE_NOISE,
        };
        let mut out = Vec::with_capacity(e.integrations * e.groups * SIZE);
        for integration in 0..e.integrations {
            for group in 0..e.groups {
                let drifts = self.drifts(integration, group);
                out.extend((0..SIZE).map(|x| {
                    let at = self.frame.detector_row(x);
                    let mut read = |d: &Drift| noise * rng.normal() + d.at(at, moment);
                    let mean = drifts.iter().map(&mut read).sum::<f64>() / drifts.len() as f64;
                    counted(f64::from(REFERENCE_LEVEL) + mean)
                }));
            }
        }
        out
    }

    /// Raw counts of row `y` of the image, `[integration][group][column]`, from its count rate (DN/s) and hits.
    pub fn row(&self, y: usize, rate: &[f32], hits: &[Hit]) -> Vec<u16> {
        let e = self.exposure;
        let labels = [e.labels(label("read")), [y as u64, 0, 0, 0, 0]].concat();
        let mut rng = Stream::new(self.seed, &labels);
        let readout = e.setup.readout();
        let time = readout.frame_time();
        let moment = self.frame.moment(self.frame.row_of(y));
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
                for drift in self.drifts(integration, group) {
                    for x in 0..SIZE {
                        let i = y * SIZE + x;
                        charge[x] += self.collected(&mut rng, i, f64::from(rate[x]) * time);
                        sum[x] += self.read(&mut rng, i, charge[x], ktc[x])
                            + drift.at(self.frame.detector_row(x), moment);
                    }
                }
                let n = readout.frames as f64;
                out.extend(sum.iter().map(|s| counted(s / n)));
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
        let noise = noise * self.exposure.setup.pattern.noise();
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

/// What the converter makes of a signal.
fn counted(signal: f64) -> u16 {
    (signal + 0.5).clamp(0.0, 65_535.0) as u16
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

#[cfg(test)]
mod tests {
    use super::super::mode::{Detector, Grating, Mode, ReadPattern};
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

    #[test]
    fn reference_rows_hold_the_drift_of_their_output() {
        let mut options = Options::new(vec![Mode::of(Grating::Prism, None).unwrap()]);
        options.pattern = ReadPattern::NrsIrs2Rapid;
        options.groups = 2;
        let e = &exposures(&options, false)[0];
        let pixels = Pixels::new(1, Detector::Nrs1);
        let readout = Readout::new(e, &pixels, 1);
        let [a, b, other] = [648, 668, 640 * 3 + 8].map(|row| readout.reference_row(row));
        let difference = |a: &[u16], b: &[u16]| {
            let values = (0..SIZE).map(|x| f64::from(a[x]) - f64::from(b[x]));
            let values: Vec<f64> = values.collect();
            let mean = values.iter().sum::<f64>() / SIZE as f64;
            let squares = values.iter().map(|v| (v - mean) * (v - mean));
            (mean, (squares.sum::<f64>() / SIZE as f64).sqrt())
        };
        // 22 ticks apart, in one output: the noise of two reads and little more
        let (mean, deviation) = difference(&a, &b);
        assert!(
            mean.abs() < 1.0 && (6.0..7.5).contains(&deviation),
            "{mean} {deviation}"
        );
        let (mean, _) = difference(&a, &other);
        assert!(mean.abs() > 1.0, "{mean}");
        let bad = (0..3200).find(|row| readout.frame().is_bad(*row)).unwrap();
        assert!(difference(&readout.reference_row(bad), &a).1 > 20.0);
    }
}
