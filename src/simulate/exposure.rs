//! From radiance to raw counts: the noise-free count rate of an exposure and its readout.

use super::cosmic::Hit;
use super::observation::Exposure;
use super::optics::{Channel, Optics, REFERENCE_COLUMNS, SHAPE};
use super::pixels::{Pixels, QUARTIC, is_reference, mask};
use super::pointing::FieldMap;
use super::random::{Stream, label};
use super::response::{Flat, fringe, interpolate, loss_table, scatter, sensitivity, throughput};
use super::scene::Scene;

/// Response of a pixel whose flat is unknown.
const POOR_RESPONSE: f64 = 0.3;
/// Rows that share one scattering kernel.
const KERNEL_ROWS: usize = 64;

/// What the count rate of an exposure is made from.
#[derive(Debug)]
pub struct Light<'a> {
    /// Optics of the detector and band.
    pub optics: &'a Optics,
    /// The planet.
    pub scene: &'a Scene,
    /// Flat field.
    pub flat: &'a Flat,
    /// Field position to offsets from the target.
    pub map: FieldMap,
    /// Relative throughput of the two channels by wavelength.
    throughput: [Vec<(f64, f64)>; 2],
    /// Scattering kernels of both channels for every block of rows.
    kernels: Vec<[Vec<f64>; 2]>,
}

impl<'a> Light<'a> {
    /// Prepares the light of an exposure.
    pub fn new(exposure: &Exposure, optics: &'a Optics, scene: &'a Scene, flat: &'a Flat) -> Self {
        let sight = exposure.sight();
        let channels = optics.detector.channel_numbers().map(Channel::get);
        let kernels = (0..SHAPE.0 / KERNEL_ROWS)
            .map(|b| {
                channels
                    .map(|c| scatter(c, optics.band, b * KERNEL_ROWS + KERNEL_ROWS / 2).kernel())
            })
            .collect();
        Self {
            optics,
            scene,
            flat,
            map: exposure.attitude().field_map(sight.radec.0, sight.radec.1),
            throughput: channels.map(|c| throughput(&loss_table(c), exposure.times()[1].mjd())),
            kernels,
        }
    }

    /// Noise-free count rate of row `y`, DN/s; 0 on reference pixels.
    pub fn row(&self, y: usize) -> Vec<f64> {
        let mut rate = vec![0.0; SHAPE.1];
        for (x, pixel) in self.optics.row(y).into_iter().enumerate() {
            let Some(p) = pixel else { continue };
            let slice = &self.optics.slices[p.slice];
            let channel = Channel::get(slice.number / 100);
            // mean over the width of the slice
            let radiance: f64 = [-1.0, 0.0, 1.0]
                .iter()
                .map(|k| {
                    let (east, north) = self
                        .map
                        .at(p.alpha, slice.beta + k * channel.slice_width / 3.0);
                    self.scene.radiance(east, north, p.wave)
                })
                .sum::<f64>()
                / 3.0;
            let loss = interpolate(&self.throughput[(channel.number + 1) % 2], p.wave);
            let flat = f64::from(self.flat.response[y * SHAPE.1 + x]);
            let flat = if flat.is_nan() { POOR_RESPONSE } else { flat };
            rate[x] = radiance / sensitivity(channel, self.optics.band, p.wave)
                * fringe(channel, p.wave, p.alpha, true)
                * loss
                * p.transmission
                * flat;
        }
        let scattered = self.scattered(y, &rate);
        for x in REFERENCE_COLUMNS..SHAPE.1 - REFERENCE_COLUMNS {
            rate[x] += scattered[x];
        }
        rate
    }

    /// Light scattered along the row, from each half of the detector with its channel's kernel.
    fn scattered(&self, y: usize, rate: &[f64]) -> Vec<f64> {
        // channels 1 and 4 fall on the left half
        let first = self.optics.detector.channel_numbers()[0];
        let mut out = vec![0.0; SHAPE.1];
        for (x, &flux) in rate.iter().enumerate().filter(|(_, f)| **f > 0.0) {
            let left = x < SHAPE.1 / 2;
            let kernel = &self.kernels[y / KERNEL_ROWS][usize::from(left != (first == 1))];
            for (o, k) in out[..x].iter_mut().rev().zip(&kernel[1..]) {
                *o += flux * k;
            }
            for (o, k) in out[x..].iter_mut().zip(kernel) {
                *o += flux * k;
            }
        }
        out
    }
}

/// Reads an exposure out row by row.
#[derive(Debug)]
pub struct Readout<'a> {
    exposure: &'a Exposure,
    pixels: &'a Pixels,
    seed: u64,
    /// Offsets of the four amplifiers and two row parities, `[integration * groups + group]`, DN.
    drift: Vec<[[f64; 2]; 4]>,
}

/// Amplitude of the 10 Hz interference, DN, and its frequency, Hz.
const INTERFERENCE: (f64, f64) = (1.0, 10.039_216);
/// How far the first reads after a bright integration fall short (share of its signal).
const LAG: f64 = 0.002;

impl<'a> Readout<'a> {
    /// Prepares the readout of an exposure.
    pub fn new(exposure: &'a Exposure, pixels: &'a Pixels, seed: u64) -> Self {
        let mut rng = Stream::new(seed, &exposure.labels(label("drift")));
        let frames = exposure.integrations * exposure.groups;
        let drift = (0..frames)
            .map(|_| {
                std::array::from_fn(|_| {
                    let all = 4.0 * rng.normal();
                    std::array::from_fn(|_| all + 1.5 * rng.normal())
                })
            })
            .collect();
        Self {
            exposure,
            pixels,
            seed,
            drift,
        }
    }

    /// Raw counts of row `y`, `[integration][group][column]`, from its count rate (DN/s) and hits.
    pub fn row(&self, y: usize, rate: &[f64], hits: &[Hit]) -> Vec<u16> {
        let e = self.exposure;
        let mut rng = Stream::new(
            self.seed,
            &[e.labels(label("read")), [y as u64, 0, 0, 0, 0]].concat(),
        );
        let nx = SHAPE.1;
        let frame_time = e.setup.pattern.frame_time();
        let mut out = vec![0u16; e.integrations * e.groups * nx];
        let mut lag = vec![0.0; nx];
        for integration in 0..e.integrations {
            let ktc: Vec<f64> = (0..nx).map(|_| 6.0 * rng.normal()).collect();
            let mut charge = vec![0.0; nx];
            for group in 0..e.groups {
                for h in hits
                    .iter()
                    .filter(|h| h.integration == integration && h.group == group)
                {
                    charge[h.x] += h.dn;
                }
                let reset = Pixels::reset_factor(integration, group);
                let curve = Pixels::dark_curve(integration, group);
                let fade = LAG * libm::exp(-(group as f64 + 1.0) / 0.9);
                let interference = self.interference(integration, group, y);
                let frame = integration * e.groups + group;
                let line = &mut out[frame * nx..(frame + 1) * nx];
                for x in 0..nx {
                    let i = y * nx + x;
                    charge[x] += self.collected(&mut rng, i, rate[x] * frame_time);
                    let start = f64::from(self.pixels.bias[i]) + ktc[x];
                    let mut raw = if is_reference(x) {
                        start
                    } else {
                        let dark = f64::from(self.pixels.dark_at(
                            i,
                            frame_time * (group as f64 + 1.0),
                            curve,
                        ));
                        let linear = start + charge[x] + dark - fade * lag[x];
                        let mut raw =
                            self.compress(i, linear) + f64::from(self.pixels.reset_at(i, reset));
                        if group + 1 == e.groups {
                            // the last read of a row happens while its neighbour is being reset
                            raw -= if y % 2 == 1 { 18.0 } else { 35.0 };
                        }
                        self.saturate(i, raw)
                    };
                    raw += self.drift[frame][x % 4][y % 2] + interference[x / 4];
                    raw += f64::from(self.pixels.noise[i])
                        * std::f64::consts::FRAC_1_SQRT_2
                        * rng.normal();
                    line[x] = (raw + 0.5).clamp(0.0, 65_535.0) as u16;
                }
            }
            lag = charge;
        }
        out
    }

    /// Charge collected in one frame, DN: photons of this pixel's rate times its sensitivity.
    fn collected(&self, rng: &mut Stream, i: usize, mean: f64) -> f64 {
        let m = self.pixels.mask[i];
        let share = if m & mask::DEAD != 0 {
            0.02
        } else if m & mask::UNRELIABLE_SLOPE != 0 {
            0.7
        } else {
            1.0
        };
        let gain = f64::from(self.pixels.gain[i]);
        let gain = if gain.is_nan() { 5.5 } else { gain };
        rng.poisson(mean * share * gain) / gain
    }

    /// Raw DN whose linearised value is `linear`: the inverse of the linearity polynomial, by Newton's method.
    fn compress(&self, i: usize, linear: f64) -> f64 {
        let finite = |v: f32| if v.is_nan() { 0.0 } else { f64::from(v) };
        let (b, c, d) = (
            finite(self.pixels.linearity[0][i]),
            finite(self.pixels.linearity[1][i]),
            f64::from(QUARTIC),
        );
        let mut raw = linear;
        for _ in 0..6 {
            let value = raw * (1.0 + raw * (b + raw * (c + raw * d)));
            let slope = 1.0 + raw * (2.0 * b + raw * (3.0 * c + raw * 4.0 * d));
            raw -= (value - linear) / slope;
        }
        raw
    }

    /// Above its limit a pixel hardly responds any more.
    fn saturate(&self, i: usize, raw: f64) -> f64 {
        let limit = f64::from(self.pixels.saturation[i]);
        let limit = if limit.is_nan() { 57_000.0 } else { limit };
        if raw > limit {
            let over = (raw - limit) / 4000.0;
            limit + 800.0 * over / (1.0 + over)
        } else {
            raw
        }
    }

    /// Electromagnetic interference along a row, for every column of an amplifier, DN.
    fn interference(&self, integration: usize, group: usize, y: usize) -> Vec<f64> {
        let (row_clocks, frame_clocks) = self.exposure.setup.pattern.clocks();
        // one frame passes between integrations while the detector is reset
        let frame = integration * (self.exposure.groups + 1) + group;
        let start = frame * frame_clocks + y * row_clocks;
        let period = 1e5 / INTERFERENCE.1;
        (0..SHAPE.1 / 4)
            .map(|column| {
                let phase =
                    (start + column * self.exposure.setup.pattern.samples()) as f64 / period;
                INTERFERENCE.0 * libm::sin(std::f64::consts::TAU * (phase - phase.floor()))
            })
            .collect()
    }

    /// Reference output, `[integration][group][256][column]`.
    pub fn reference_output(&self) -> Vec<u16> {
        let e = self.exposure;
        let mut rng = Stream::new(self.seed, &e.labels(label("reference output")));
        let n = e.integrations * e.groups * SHAPE.0 / 4 * SHAPE.1;
        (0..n)
            .map(|_| (9000.5 + 6.0 * rng.normal()).clamp(0.0, 65_535.0) as u16)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::cosmic;
    use super::super::observation::{Options, exposures};
    use super::super::optics::Detector;
    use super::super::pixels::ReadPattern;
    use super::*;

    #[test]
    fn compression_is_undone_by_the_polynomial() {
        let e = &exposures(&Options::default(), false)[0];
        let pixels = Pixels::new(1, Detector::IfuShort, ReadPattern::FastR1);
        let r = Readout::new(e, &pixels, 1);
        let i = 300 * SHAPE.1 + 300;
        for linear in [0.0, 9000.0, 30_000.0, 58_000.0] {
            let raw = r.compress(i, linear);
            let (b, c) = (
                f64::from(pixels.linearity[0][i]),
                f64::from(pixels.linearity[1][i]),
            );
            let back = raw
                + b * raw * raw
                + c * raw * raw * raw
                + f64::from(QUARTIC) * raw * raw * raw * raw;
            assert!(
                (back - linear).abs() < 1e-6 && raw <= linear,
                "{linear} {raw} {back}"
            );
        }
        assert!(r.saturate(i, 1e6) < 58_700.0);
    }

    #[test]
    fn rows_hold_light_noise_and_reference_pixels() {
        let e = &exposures(&Options::default(), false)[1];
        let pixels = Pixels::new(1, e.setup.detector, ReadPattern::FastR1);
        let optics = Optics::new(e.setup.detector, e.setup.band);
        let scene = Scene::new(&e.sight(), 1.0);
        let flat = Flat::new(1, "x");
        let light = Light::new(e, &optics, &scene, &flat);
        let rate = light.row(500);
        assert!(rate[..4].iter().chain(&rate[1028..]).all(|r| *r == 0.0));
        let top = rate.iter().fold(0.0f64, |a, b| a.max(*b));
        assert!(top > 300.0 && top < 30_000.0, "{top}");
        let hits = cosmic::hits(&mut Stream::new(1, &[1]), 2, 6, 2.775);
        let readout = Readout::new(e, &pixels, 1);
        let row = readout.row(500, &rate, &hits[500]);
        let nx = SHAPE.1;
        let bright = (0..nx).find(|x| rate[*x] == top).unwrap();
        // counts rise with time, and the second integration starts anew
        assert!(row[4 * nx + bright] > row[bright] + 500);
        assert!(row[6 * nx + bright] < row[4 * nx + bright]);
        assert!((0..4).all(|x| (8000..10_500).contains(&row[x])));
        assert_eq!(row, readout.row(500, &rate, &hits[500]));
    }
}
