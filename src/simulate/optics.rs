//! Nominal optics of the Medium Resolution Spectrometer: where light of a field position and
//! wavelength falls on the detectors, and back.
//!
//! Built from published numbers (Wells et al. 2015, doi:10.1086/682281; Argyriou et al. 2023,
//! doi:10.1051/0004-6361/202346489): numbers and widths of slices, pixel scales, fields of view and
//! band limits. The layout on the detector (interleaved slices, bulging traces, tilted lines of
//! equal wavelength) follows the real one in kind; its coefficients are nominal and are not the flight
//! calibration. Everything is a polynomial, so that the reference files hold it exactly.
//!
//! Coordinates: detector pixels `x`, `y` from 0; `alpha` along and `beta` across slices, arcsec;
//! wavelength in micron; telescope coordinates V2, V3 in arcsec.

use super::pointing::Aperture;
use super::polynomial::Polynomial2;

/// Detector rows and columns.
pub const SHAPE: (usize, usize) = (1024, 1032);
/// Reference pixel columns at either side.
pub const REFERENCE_COLUMNS: usize = 4;
/// Boresight of the integral-field unit in V2, V3 (arcsec): science aperture `MIRIFU_CHANNEL1A`.
pub const BORESIGHT: (f64, f64) = (-503.654, -318.742);
/// Angle from V3 to the aperture's ideal Y axis, degrees (`V3I_YANG`).
pub const IDEAL_ANGLE: f64 = 8.394_241_2;
/// The aperture the telescope points with.
pub const APERTURE: Aperture = Aperture {
    boresight: BORESIGHT,
    ideal_angle: IDEAL_ANGLE,
    parity: 1,
};
/// Rotation of the slicer's `alpha` axis from V2, degrees.
const SLICER_ANGLE: f64 = 8.4;

/// One of the three grating settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Band {
    /// Sub-band A.
    Short,
    /// Sub-band B.
    Medium,
    /// Sub-band C.
    Long,
}

impl Band {
    /// All bands.
    pub const ALL: [Self; 3] = [Self::Short, Self::Medium, Self::Long];
    /// Value of the keyword `BAND`.
    pub fn name(self) -> &'static str {
        ["SHORT", "MEDIUM", "LONG"][self as usize]
    }
    /// Letter of the sub-band.
    pub fn letter(self) -> &'static str {
        ["A", "B", "C"][self as usize]
    }
}

/// One of the two detectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detector {
    /// Channels 1 and 2.
    IfuShort,
    /// Channels 3 and 4.
    IfuLong,
}

impl Detector {
    /// Both detectors.
    pub const ALL: [Self; 2] = [Self::IfuShort, Self::IfuLong];
    /// Value of the keyword `DETECTOR`.
    pub fn name(self) -> &'static str {
        ["MIRIFUSHORT", "MIRIFULONG"][self as usize]
    }
    /// Value of the keyword `CHANNEL`.
    pub fn channels(self) -> &'static str {
        ["12", "34"][self as usize]
    }
    /// Numbers of its two channels.
    pub fn channel_numbers(self) -> [usize; 2] {
        [[1, 2], [3, 4]][self as usize]
    }
    /// Sensor chip assembly number (`SCA_NUM`).
    pub fn sca(self) -> i64 {
        [495, 494][self as usize]
    }
}

/// Published properties and nominal layout of one channel.
#[derive(Debug, Clone, Copy)]
pub struct Channel {
    /// 1 to 4.
    pub number: usize,
    /// Number of slices.
    pub slices: usize,
    /// Width of a slice, arcsec.
    pub slice_width: f64,
    /// Pixel scale along a slice, arcsec.
    pub pixel: f64,
    /// Half length of a slice, arcsec.
    pub half_length: f64,
    /// Wavelength limits of the three bands, micron.
    pub limits: [(f64, f64); 3],
    /// Column of the first slice and step (signed) from one slice on the detector to the next.
    columns: (f64, f64),
    /// +1 where `alpha` grows with the column, -1 otherwise.
    alpha_sign: f64,
    /// +1 where wavelength grows with the row, -1 otherwise.
    wave_sign: f64,
}

/// The four channels.
pub const CHANNELS: [Channel; 4] = [
    Channel {
        number: 1,
        slices: 21,
        slice_width: 0.177,
        pixel: 0.196,
        half_length: 1.6,
        limits: [(4.90, 5.74), (5.66, 6.63), (6.53, 7.65)],
        columns: (484.0, -22.9),
        alpha_sign: 1.0,
        wave_sign: 1.0,
    },
    Channel {
        number: 2,
        slices: 17,
        slice_width: 0.280,
        pixel: 0.196,
        half_length: 2.0,
        limits: [(7.51, 8.77), (8.67, 10.13), (10.01, 11.70)],
        columns: (537.0, 27.7),
        alpha_sign: -1.0,
        wave_sign: 1.0,
    },
    Channel {
        number: 3,
        slices: 16,
        slice_width: 0.390,
        pixel: 0.245,
        half_length: 2.6,
        limits: [(11.55, 13.47), (13.34, 15.57), (15.41, 17.98)],
        columns: (992.0, -30.7),
        alpha_sign: -1.0,
        wave_sign: -1.0,
    },
    Channel {
        number: 4,
        slices: 12,
        slice_width: 0.656,
        pixel: 0.273,
        half_length: 3.3,
        limits: [(17.70, 20.95), (20.69, 24.48), (24.40, 28.70)],
        columns: (450.0, -37.2),
        alpha_sign: 1.0,
        wave_sign: -1.0,
    },
];

impl Channel {
    /// The channel of this number (1 to 4).
    pub fn get(number: usize) -> Self {
        CHANNELS[number - 1]
    }
    /// `beta` of the middle of the first slice, arcsec.
    pub fn beta_zero(self) -> f64 {
        -0.5 * (self.slices as f64 - 1.0) * self.slice_width
    }
    /// `beta` of the middle of slice `index` (from 0), arcsec.
    pub fn beta(self, index: usize) -> f64 {
        self.beta_zero() + index as f64 * self.slice_width
    }
    /// Half length of a slice, pixels.
    pub fn half_pixels(self) -> f64 {
        self.half_length / self.pixel
    }
    /// Range of wavelengths that may fall on the detector (micron): the band and a margin.
    pub fn wavelength_range(self, band: Band) -> (f64, f64) {
        let (lo, hi) = self.limits[band as usize];
        let margin = 0.12 * (hi - lo);
        (round3(lo - margin), round3(hi + margin))
    }
}

fn round3(v: f64) -> f64 {
    (v * 1000.0 + 0.5).floor() / 1000.0
}

/// Optics of one slice in one band.
#[derive(Debug, Clone)]
pub struct Slice {
    /// 100 times the channel plus the slice, from 1.
    pub number: usize,
    /// `beta` of its middle, arcsec.
    pub beta: f64,
    /// Reference column: the polynomials take `x - column`.
    pub column: f64,
    /// `alpha` (arcsec) of (row, column - reference column).
    pub alpha: Polynomial2,
    /// Wavelength (micron) of (row, column - reference column).
    pub wave: Polynomial2,
    /// Reference wavelength (micron): the inverse polynomials take `wave - reference`.
    pub wave_zero: f64,
    /// Column of (wavelength - reference, alpha).
    pub x: Polynomial2,
    /// Row of (wavelength - reference, alpha).
    pub y: Polynomial2,
    /// Column of the middle of the trace (alpha = 0) as a function of the row: bulge in pixels.
    bulge: f64,
    half_pixels: f64,
}

const MID_ROW: f64 = 511.5;
const HALF_ROWS: f64 = 512.0;
/// Degree of the fitted inverse.
const INVERSE_DEGREE: usize = 6;

impl Slice {
    fn new(channel: Channel, band: Band, index: usize) -> Self {
        let first = channel.slices.div_ceil(2);
        // slices of the first half of the field alternate with those of the second on the detector
        let place = if index < first {
            2 * index
        } else {
            2 * (index - first) + 1
        } as f64;
        let column = channel.columns.0 + channel.columns.1 * place;
        let u = place / (channel.slices as f64 - 1.0) - 0.5;
        let bulge = 4.0 + 1.2 * u;
        let (lo, hi) = channel.limits[band as usize];
        let (wave_zero, half) = (0.5 * (lo + hi), 0.5 * (hi - lo) / 0.955);
        // rows of equal wavelength bow across the detector and step between the two sets of slices
        let offset = 0.012 * (u * u * 4.0 - 0.5) + if index < first { -0.009 } else { 0.009 };
        let tilt = 0.10 * u;
        let sag = -0.035 * channel.wave_sign;

        // eta = (row - MID_ROW) / HALF_ROWS, X = column - reference
        let eta = Polynomial2::linear(-MID_ROW / HALF_ROWS, 1.0 / HALF_ROWS, 0.0);
        let x = Polynomial2::linear(0.0, 0.0, 1.0);
        let one = Polynomial2::constant(1.0);
        // distance from the trace, pixels
        let across = &x - &(&(&one - &(&eta * &eta)) * bulge);
        let scale = &(&one + &(&eta * 0.006)) * (channel.alpha_sign * channel.pixel);
        let alpha = &across * &scale;
        let row = &(&eta + &Polynomial2::constant(offset)) + &(&x * (tilt / HALF_ROWS));
        let wave = &(&(&row + &(&(&(&row * &row) - &one) * sag)) * (half * channel.wave_sign))
            + &Polynomial2::constant(wave_zero);

        let mut slice = Self {
            number: 100 * channel.number + index + 1,
            beta: channel.beta(index),
            column,
            alpha,
            wave,
            wave_zero,
            x: Polynomial2::constant(0.0),
            y: Polynomial2::constant(0.0),
            bulge,
            half_pixels: channel.half_pixels(),
        };
        slice.fit_inverse();
        slice
    }

    /// Fits row and column as polynomials of wavelength and `alpha` over the whole slice and a margin.
    fn fit_inverse(&mut self) {
        let (mut columns, mut rows) = (Vec::new(), Vec::new());
        for i in 0..=40 {
            let y = -8.0 + 1040.0 * f64::from(i) / 40.0;
            for j in 0..=16 {
                let across = (self.half_pixels + 3.0) * (f64::from(j) / 8.0 - 1.0);
                let x = self.trace(y) + across;
                let wave = self.wave.at(y, x - self.column) - self.wave_zero;
                let alpha = self.alpha.at(y, x - self.column);
                columns.push((wave, alpha, x));
                rows.push((wave, alpha, y));
            }
        }
        self.x = Polynomial2::fit(INVERSE_DEGREE, &columns);
        self.y = Polynomial2::fit(INVERSE_DEGREE, &rows);
    }

    /// Column of the trace's middle in this row.
    pub fn trace(&self, y: f64) -> f64 {
        let eta = (y - MID_ROW) / HALF_ROWS;
        self.column + self.bulge * (1.0 - eta * eta)
    }

    /// Share of the light that the slice mask lets through in this pixel: 1 well inside, falling over
    /// two pixels at the ends of the slice.
    pub fn transmission(&self, y: f64, x: f64) -> f64 {
        let beyond = (x - self.trace(y)).abs() - self.half_pixels;
        (0.5 - 0.45 * beyond).clamp(0.0, 1.0)
    }
}

/// Optics of one detector in one band.
#[derive(Debug, Clone)]
pub struct Optics {
    /// The detector.
    pub detector: Detector,
    /// The band.
    pub band: Band,
    /// All slices, in order of their numbers.
    pub slices: Vec<Slice>,
}

/// What one pixel sees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PixelSight {
    /// Index into [`Optics::slices`].
    pub slice: usize,
    /// Position along the slice, arcsec.
    pub alpha: f64,
    /// Wavelength, micron, in the telescope's frame.
    pub wave: f64,
    /// Slice transmission, 0 to 1.
    pub transmission: f64,
}

impl Optics {
    /// The optics of a detector in a band.
    pub fn new(detector: Detector, band: Band) -> Self {
        let slices = detector
            .channel_numbers()
            .into_iter()
            .map(Channel::get)
            .flat_map(|c| (0..c.slices).map(move |i| Slice::new(c, band, i)))
            .collect();
        Self {
            detector,
            band,
            slices,
        }
    }

    /// What every pixel of row `y` sees; `None` between slices and on reference pixels.
    pub fn row(&self, y: usize) -> Vec<Option<PixelSight>> {
        let mut out = vec![None; SHAPE.1];
        let fy = y as f64;
        for (i, s) in self.slices.iter().enumerate() {
            let middle = s.trace(fy);
            let reach = s.half_pixels + 2.0;
            let (lo, hi) = (
                (middle - reach).max(0.0) as usize,
                (middle + reach) as usize,
            );
            let first = lo.max(REFERENCE_COLUMNS);
            let last = hi.min(SHAPE.1 - REFERENCE_COLUMNS - 1);
            for (x, pixel) in out.iter_mut().enumerate().take(last + 1).skip(first) {
                let transmission = s.transmission(fy, x as f64);
                if transmission > 0.0 {
                    let dx = x as f64 - s.column;
                    *pixel = Some(PixelSight {
                        slice: i,
                        alpha: s.alpha.at(fy, dx),
                        wave: s.wave.at(fy, dx),
                        transmission,
                    });
                }
            }
        }
        out
    }
}

/// V2, V3 (arcsec) of a field position; the same for all channels.
pub fn field_to_telescope(alpha: f64, beta: f64) -> (f64, f64) {
    let (s, c) = slicer_axes();
    (
        BORESIGHT.0 + c * alpha - s * beta,
        BORESIGHT.1 - s * alpha - c * beta,
    )
}

/// Sine and cosine of the slicer's rotation from V2.
pub fn slicer_axes() -> (f64, f64) {
    let a = SLICER_ANGLE.to_radians();
    (libm::sin(a), libm::cos(a))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverse_returns_to_the_pixel() {
        for detector in Detector::ALL {
            for band in Band::ALL {
                let optics = Optics::new(detector, band);
                assert_eq!(
                    optics.slices.len(),
                    if detector == Detector::IfuShort {
                        38
                    } else {
                        28
                    }
                );
                for s in &optics.slices {
                    for y in [0.0, 300.0, 511.5, 900.0, 1023.0] {
                        for d in [-0.98, 0.0, 0.7] {
                            let x = s.trace(y) + d * s.half_pixels;
                            let (a, w) = (s.alpha.at(y, x - s.column), s.wave.at(y, x - s.column));
                            let (bx, by) = (s.x.at(w - s.wave_zero, a), s.y.at(w - s.wave_zero, a));
                            assert!(
                                (bx - x).abs() < 2e-3 && (by - y).abs() < 5e-3,
                                "{} {x} {y}: {bx} {by}",
                                s.number
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn bands_fall_inside_the_detector_and_the_ranges() {
        for detector in Detector::ALL {
            for band in Band::ALL {
                let optics = Optics::new(detector, band);
                for s in &optics.slices {
                    let channel = Channel::get(s.number / 100);
                    let (lo, hi) = channel.limits[band as usize];
                    let (rlo, rhi) = channel.wavelength_range(band);
                    let ends = [
                        s.wave.at(0.0, s.trace(0.0) - s.column),
                        s.wave.at(1023.0, s.trace(1023.0) - s.column),
                    ];
                    let (wmin, wmax) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
                    assert!(
                        wmin < lo && wmax > hi,
                        "{} {}: {wmin} {wmax}",
                        s.number,
                        band.name()
                    );
                    assert!(
                        wmin > rlo && wmax < rhi,
                        "{} {}: {wmin} {wmax} {rlo} {rhi}",
                        s.number,
                        band.name()
                    );
                    assert_eq!(ends[1] > ends[0], detector == Detector::IfuShort);
                }
                let ranges: Vec<_> = detector
                    .channel_numbers()
                    .iter()
                    .map(|c| Channel::get(*c).wavelength_range(band))
                    .collect();
                assert!(
                    ranges[0].1 < ranges[1].0,
                    "{} {}: channels overlap",
                    detector.name(),
                    band.name()
                );
            }
        }
    }

    #[test]
    fn slices_do_not_touch_and_keep_off_reference_pixels() {
        for detector in Detector::ALL {
            let optics = Optics::new(detector, Band::Short);
            for y in [0, 200, 511, 800, 1023] {
                let row = optics.row(y);
                assert!(row[..4].iter().chain(&row[1028..]).all(Option::is_none));
                let lit = row
                    .iter()
                    .flatten()
                    .filter(|p| p.transmission >= 0.5)
                    .count();
                let expected: f64 = optics.slices.iter().map(|s| 2.0 * s.half_pixels).sum();
                assert!(
                    (lit as f64 - expected).abs() < optics.slices.len() as f64,
                    "{y}: {lit} {expected}"
                );
                let mut seen: Vec<usize> = row.iter().flatten().map(|p| p.slice).collect();
                seen.dedup();
                assert_eq!(
                    seen.len(),
                    optics.slices.len(),
                    "row {y}: slices are torn or missing"
                );
            }
        }
    }

    #[test]
    fn field_axes_are_orthogonal_and_of_unit_scale() {
        let o = field_to_telescope(0.0, 0.0);
        assert_eq!(o, BORESIGHT);
        let (a, b) = (field_to_telescope(1.0, 0.0), field_to_telescope(0.0, 1.0));
        let (a, b) = ((a.0 - o.0, a.1 - o.1), (b.0 - o.0, b.1 - o.1));
        assert!(
            (a.0 * b.0 + a.1 * b.1).abs() < 1e-12 && (a.0 * a.0 + a.1 * a.1 - 1.0).abs() < 1e-12
        );
        assert!(a.0 > 0.9 && b.1 < -0.9);
    }
}
