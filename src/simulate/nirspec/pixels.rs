//! Properties of every pixel of a simulated near-infrared detector; what its reference files hold.

use super::mode::{Detector, EDGE, SIZE, is_reference};
use super::response::wave_share;
use crate::simulate::random::{Stream, label, smooth_field};

/// Bits of the simulated bad-pixel mask, in the order of its `DQ_DEF` table.
pub mod mask {
    /// Not for use.
    pub const DO_NOT_USE: u8 = 1;
    /// Hardly sees light.
    pub const DEAD: u8 = 2;
    /// High dark current.
    pub const HOT: u8 = 4;
    /// Raised dark current.
    pub const WARM: u8 = 8;
    /// Not connected to the readout.
    pub const OPEN: u8 = 16;
    /// Beside an open pixel, whose light it takes.
    pub const ADJ_OPEN: u8 = 32;
    /// Jumps between two levels.
    pub const TELEGRAPH: u8 = 64;
    /// Reference pixel.
    pub const REFERENCE: u8 = 128;
}

/// Cubic coefficient of the linearity polynomial, the same everywhere.
pub const CUBIC: f32 = 3.0e-12;
/// Share of the light that a dead pixel sees.
pub const DEAD_SHARE: f64 = 0.03;

/// Pixel properties of one detector; all vectors are `[row][column]`.
#[derive(Debug, Clone)]
pub struct Pixels {
    /// The detector.
    pub detector: Detector,
    /// Bad-pixel mask ([`mask`] bits).
    pub mask: Vec<u8>,
    /// Saturation limit, DN, offset included.
    pub saturation: Vec<f32>,
    /// Square term of the linearity polynomial.
    pub linearity: Vec<f32>,
    /// Dark current, DN/s.
    pub dark: Vec<f32>,
    /// Gain, electrons/DN; NaN where unknown.
    pub gain: Vec<f32>,
    /// Read noise of the difference of two frames, DN.
    pub noise: Vec<f32>,
    /// Offset of the first read, DN.
    pub bias: Vec<f32>,
    /// Response at the first and last wavelength of the flat; NaN for dead pixels.
    pub flat: [Vec<f32>; 2],
    /// Bits of reference files whose entry is not to be trusted: 1 saturation, 2 linearity, 4 bias, 8 dark.
    pub doubt: Vec<u8>,
}

impl Pixels {
    /// The pixels of a detector for a seed.
    pub fn new(seed: u64, detector: Detector) -> Self {
        let n = SIZE * SIZE;
        let key = label(detector.name());
        let field = |name: &str, cell: usize| {
            let mut stream = Stream::new(seed, &[label(name), key]);
            smooth_field(&mut stream, SIZE, SIZE, cell)
        };
        let (smooth, illumination) = (field("smooth", 170), field("illumination", 130));
        let mut p = Self {
            detector,
            mask: vec![0; n],
            saturation: vec![0.0; n],
            linearity: vec![0.0; n],
            dark: vec![0.0; n],
            gain: vec![0.0; n],
            noise: vec![0.0; n],
            bias: vec![0.0; n],
            flat: [vec![0.0; n], vec![0.0; n]],
            doubt: vec![0; n],
        };
        let mut rng = Stream::new(seed, &[label("pixels"), key]);
        for i in 0..n {
            p.draw(
                &mut rng,
                i,
                f64::from(smooth[i]),
                f64::from(illumination[i]),
            );
        }
        p.neighbours();
        p
    }

    fn draw(&mut self, rng: &mut Stream, i: usize, s: f64, light: f64) {
        let amplifier = output(self.detector, i / SIZE) as f64;
        // the same number of deviates for every pixel
        let (u, v) = (rng.uniform(), rng.uniform());
        let [z1, z2, z3, z4, z5] = std::array::from_fn(|_| rng.normal());
        self.bias[i] = (13_150.0 + 240.0 * amplifier + 130.0 * s + 85.0 * z1) as f32;
        self.noise[i] = (8.6 * (1.0 + 0.04 * s) * libm::exp(0.06 * z2)) as f32;
        let gain = [0.996, 1.137][self.detector as usize];
        self.gain[i] = (gain * (1.0 + 0.006 * s + 0.004 * amplifier)) as f32;
        self.saturation[i] = (60_400.0 + 600.0 * s + 420.0 * z3) as f32;
        self.linearity[i] = (4.5e-7 * (1.0 + 0.12 * s)) as f32;
        self.doubt[i] = match v {
            v if v < 0.000_05 => 1,
            v if v < 0.000_15 => 2,
            v if v < 0.000_25 => 4,
            v if v < 0.000_35 => 8,
            _ => 0,
        };
        for (k, flat) in self.flat.iter_mut().enumerate() {
            let far = k as f64;
            let value = 1.0 + 0.013 * z4 * (1.0 - 0.25 * far) + 0.02 * light * (0.5 + 0.5 * far);
            flat[i] = value as f32;
        }
        if is_reference(i) {
            self.mask[i] = mask::REFERENCE;
            self.saturation[i] = 65_535.0;
            self.linearity[i] = 0.0;
            self.doubt[i] = 0;
            self.flat.iter_mut().for_each(|f| f[i] = 1.0);
            return;
        }
        if (0.4..0.400_02).contains(&v) {
            self.gain[i] = f32::NAN;
        }
        self.dark[i] = (0.0085 + 0.001 * s + 0.001 * z5).abs() as f32;
        self.mask[i] = match u {
            u if u < 0.0006 => mask::DO_NOT_USE | mask::DEAD,
            u if u < 0.0010 => mask::DO_NOT_USE | mask::HOT,
            u if u < 0.0013 => mask::WARM,
            u if u < 0.0014 => mask::DO_NOT_USE | mask::OPEN,
            u if u < 0.0015 => mask::TELEGRAPH,
            _ => 0,
        };
        if self.mask[i] & mask::DEAD != 0 {
            self.flat.iter_mut().for_each(|f| f[i] = f32::NAN);
        }
        if self.mask[i] & mask::HOT != 0 {
            self.dark[i] += libm::exp(1.6 + z5) as f32;
        }
        if self.mask[i] & mask::WARM != 0 {
            self.dark[i] += 0.4 + z5.abs() as f32;
        }
        // a few noisy pixels
        if (0.5..0.5004).contains(&v) {
            self.noise[i] *= 4.0;
        }
    }

    /// Marks the four neighbours of open pixels.
    fn neighbours(&mut self) {
        let inside = |i: &usize| !is_reference(*i);
        let open = |m: &u8| m & mask::OPEN != 0;
        let list: Vec<usize> = (EDGE * SIZE..(SIZE - EDGE) * SIZE)
            .filter(|i| open(&self.mask[*i]))
            .collect();
        for i in list {
            for k in [i - 1, i + 1, i - SIZE, i + SIZE]
                .iter()
                .filter(|k| inside(k))
            {
                self.mask[*k] |= mask::DO_NOT_USE | mask::ADJ_OPEN;
            }
        }
    }

    /// Relative response of pixel `i` at a wavelength (micron).
    pub fn response(&self, i: usize, wave: f64) -> f64 {
        let t = wave_share(wave);
        let at = |k: usize| f64::from(self.flat[k][i]);
        let value = at(0) + t * (at(1) - at(0));
        if value.is_nan() { DEAD_SHARE } else { value }
    }

    /// Mean dark current, electrons/s.
    pub fn average_dark(&self) -> f64 {
        let sum: f64 = self.dark.iter().map(|v| f64::from(*v)).sum();
        sum / self.dark.len() as f64
    }
}

/// Place along the fast axis of a file's row, which is a column of the detector.
pub fn fast(detector: Detector, y: usize) -> usize {
    match detector {
        Detector::Nrs1 => y,
        Detector::Nrs2 => SIZE - 1 - y,
    }
}

/// Number of the output that reads a file's row.
pub fn output(detector: Detector, y: usize) -> usize {
    fast(detector, y) / (SIZE / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_what_a_detector_has() {
        let p = Pixels::new(3, Detector::Nrs1);
        let n = SIZE * SIZE;
        let count = |f: &dyn Fn(usize) -> bool| (0..n).filter(|i| f(*i)).count();
        let having = |bit: u8| count(&|i| p.mask[i] & bit != 0);
        assert_eq!(having(mask::REFERENCE), 2048 * 2048 - 2040 * 2040);
        assert!((2200..2800).contains(&having(mask::DEAD)));
        assert!((1400..1950).contains(&having(mask::HOT)));
        let open = having(mask::OPEN);
        assert!((300..550).contains(&open) && having(mask::ADJ_OPEN) > 3 * open);
        assert!((30..150).contains(&count(&|i| p.gain[i].is_nan())));
        // reference pixels see neither light nor dark current
        assert!(
            (0..n)
                .filter(|i| is_reference(*i))
                .all(|i| p.dark[i] == 0.0)
        );
        assert_eq!(count(&|i| p.flat[0][i].is_nan()), having(mask::DEAD));
        assert_ne!(Pixels::new(3, Detector::Nrs2).noise, p.noise);
        assert_eq!(output(Detector::Nrs1, 511), 0);
        assert_eq!(output(Detector::Nrs2, 511), 3);
    }
}
