//! Nominal response of the spectrograph: sensitivity, flat fields and path loss. The reference files hold
//! the same numbers.

use super::mode::{Detector, Mode, SIZE, is_reference};
use crate::simulate::random::{Stream, label, smooth_field};

/// First and last wavelength of the detector flat, micron; linear between them.
pub const FLAT_WAVES: [f64; 2] = [0.55, 5.45];
/// Flux that gives 1 DN/s behind the flats, MJy.
pub const CONVERSION: f64 = 1e-6;
/// Steradian in a square arcsec.
const STERADIAN: f64 = 2.350_443_053_946_619e-11;

/// Where a wavelength (micron) lies between the two planes of the detector flat.
pub fn wave_share(wave: f64) -> f64 {
    (wave - FLAT_WAVES[0]) / (FLAT_WAVES[1] - FLAT_WAVES[0])
}

/// Area on the sky of a pixel of a slice (from 0), arcsec^2.
pub fn area(slice: usize) -> f64 {
    0.0104 * (1.0 + 0.002 * libm::sin(slice as f64))
}

/// Throughput of the fore optics: DN/s for 1 MJy and [`CONVERSION`], at a wavelength in micron. Chosen alike for all
/// gratings: about 0.015 DN/s for 1 MJy/sr.
pub fn throughput(mode: &Mode, wave: f64) -> f64 {
    let (low, high, _) = mode.waves;
    let u = (2.0 * wave - low - high) / (high - low);
    let turn = std::f64::consts::TAU;
    let ripple = 1.0 + 0.012 * libm::sin(turn * wave / 0.29) + 0.02 * libm::cos(turn * wave / 1.7);
    6.2e4 * (1.0 - 0.35 * u * u) * ripple
}

/// Part of the spectrograph's flat that depends on the wavelength only.
pub fn spectrograph(mode: &Mode, wave: f64) -> f64 {
    1.0 + 0.03 * libm::cos(4.0 * (wave - mode.waves.0))
}

/// Part of the detector's flat that depends on the wavelength only.
pub fn detector(wave: f64) -> f64 {
    1.0 + 0.004 * libm::sin(9.0 * wave)
}

/// Relative sensitivity of the flux conversion.
pub fn relative(mode: &Mode, wave: f64) -> f64 {
    1.0 + 0.05 * libm::sin(3.0 * (wave - mode.waves.0))
}

/// Share of the light of a uniform source that passes, at a wavelength in micron.
pub fn uniform_share(wave: f64) -> f64 {
    let w = wave / 5.0;
    0.985 - 0.012 * w * w
}

/// The same of a point source off the centre by so many slices' widths.
pub fn point_share(wave: f64, x: f64, y: f64) -> f64 {
    let w = wave / 5.0;
    let r2 = (x * x + y * y) / ((0.9 - 0.1 * w) * (0.9 - 0.1 * w));
    (0.95 - 0.05 * w) * libm::exp(-r2)
}

/// Count rate (DN/s) for 1 MJy/sr, but for what differs from pixel to pixel.
pub fn sensitivity(mode: &Mode, slice: usize, wave: f64) -> f64 {
    throughput(mode, wave)
        * spectrograph(mode, wave)
        * detector(wave)
        * uniform_share(wave)
        * area(slice)
        * STERADIAN
        / (CONVERSION * relative(mode, wave))
}

/// Flat field of the spectrograph for a detector and mode: relative response and its flags (1 no flat, 2 unreliable).
#[derive(Debug, Clone)]
pub struct Flat {
    /// The detector.
    pub detector: Detector,
    /// Filter and grating.
    pub mode: Mode,
    /// Relative response, about 1.
    pub response: Vec<f32>,
    /// 0, 1 (no flat) or 2 (unreliable).
    pub flag: Vec<u8>,
}

impl Flat {
    /// The flat of a detector and mode.
    pub fn new(seed: u64, detector: Detector, mode: Mode) -> Self {
        let labels = [label("sflat"), label(detector.name()), label(&mode.key())];
        let mut stream = Stream::new(seed, &labels);
        let smooth = smooth_field(&mut stream, SIZE, SIZE, 170);
        let mut flag = Vec::with_capacity(smooth.len());
        let mut response = Vec::with_capacity(smooth.len());
        for (i, s) in smooth.into_iter().enumerate() {
            let u = stream.uniform();
            let slit = 0.02 * libm::sin((i / SIZE) as f64 / 31.0);
            response.push((1.0 + slit + 0.012 * f64::from(s)) as f32);
            flag.push(match u {
                _ if is_reference(i) => 0,
                u if u < 2e-5 => 1,
                u if u < 5e-5 => 2,
                _ => 0,
            });
        }
        Self {
            detector,
            mode,
            response,
            flag,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::mode::MODES;
    use super::*;

    #[test]
    fn response_is_positive_and_as_large_as_said() {
        for mode in &MODES {
            let (low, high, _) = mode.waves;
            for k in 0..=100 {
                let wave = low - 0.05 + (high - low + 0.1) * f64::from(k) / 100.0;
                let s = sensitivity(mode, k as usize % 30, wave);
                assert!((0.007..0.02).contains(&s), "{} {wave} {s}", mode.key());
            }
        }
        assert!(point_share(3.0, 0.0, 0.0) > point_share(3.0, 0.3, 0.2));
    }
}
