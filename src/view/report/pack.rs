//! Cubes as a page holds them.
//!
//! Values are rounded to a multiple of the power of two below an eighth of their standard error, where that is known, as what is
//! finer is noise that takes half of a page; then single-precision numbers without their last 8 bits, rounded to even: relative error at
//! most 2^-16, NaN and infinities kept. Backplanes are exact. Bytes of equal weight stand together, all in one zlib stream, in base 64. Cubes of more than
//! [`VOXELS`] are averaged along wavelength, NaN left out; the page says by how much.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::markup::base64;

/// Voxels that are kept as they are: 64 MB in single precision.
pub const VOXELS: usize = 16_000_000;
/// Largest relative departure of a value.
pub const PRECISION: f64 = 1.0 / 65536.0;

/// Steps that a value's error has at least.
pub const NOISE: f64 = 8.0;

/// A backplane.
#[derive(Debug, Clone, PartialEq)]
pub struct Plane {
    /// Name of its extension.
    pub name: String,
    /// Its unit, or nothing.
    pub unit: String,
    /// Values `[y][x]`.
    pub values: Vec<f64>,
}

/// A cube to be packed.
#[derive(Debug, Clone, PartialEq)]
pub struct Cube {
    /// File, relative to the directory.
    pub file: String,
    /// What is seen, in words.
    pub label: String,
    /// Lengths: wavelength, y, x.
    pub shape: [usize; 3],
    /// Values `[wavelength][y][x]`.
    pub values: Vec<f32>,
    /// Their standard errors; empty where they are not known.
    pub errors: Vec<f32>,
    /// Their unit.
    pub unit: String,
    /// Micron.
    pub wavelength: Vec<f64>,
    /// Backplanes.
    pub planes: Vec<Plane>,
}

/// A cube, packed.
#[derive(Debug, Clone, PartialEq)]
pub struct Packed {
    /// File, relative to the directory.
    pub file: String,
    /// What is seen, in words.
    pub label: String,
    /// Lengths: wavelength, y, x.
    pub shape: [usize; 3],
    /// Wavelengths averaged into one.
    pub averaged: usize,
    /// Unit of the values.
    pub unit: String,
    /// Micron.
    pub wavelength: Vec<f64>,
    /// Name, unit and bytes a value (4 or 8) of each backplane.
    pub planes: Vec<(String, String, usize)>,
    /// The bytes, in base 64.
    pub data: String,
}

/// A value to the power of two below an eighth of its error; as it is where that is no number above 0.
fn rounded(value: f32, error: f32) -> f32 {
    let exponent = libm::log2(f64::from(error) / NOISE).floor();
    if !(value.is_finite() && exponent.is_finite()) {
        return value;
    }
    let step = libm::exp2(exponent);
    let out = ((f64::from(value) / step).round_ties_even() * step) as f32;
    if out.is_finite() { out } else { value }
}

/// A value without its last 8 bits.
fn shortened(value: f32) -> u32 {
    let bits = value.to_bits();
    if value.is_nan() {
        return 0x7f_c000;
    }
    let rounded = (bits.wrapping_add(0x7f + (bits >> 8 & 1))) >> 8;
    match value.is_finite() && rounded & 0x7f_8000 == 0x7f_8000 {
        true => bits >> 8,
        false => rounded,
    }
}

/// Means of `n` wavelengths each, of what is not NaN.
fn averaged(values: &[f32], plane: usize, n: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(values.len() / n + plane);
    for block in values.chunks(plane * n) {
        for i in 0..plane {
            let of = block.iter().skip(i).step_by(plane);
            let (sum, count) = of
                .filter(|v| !v.is_nan())
                .fold((0.0, 0u32), |(s, c), v| (s + f64::from(*v), c + 1));
            out.push(match count {
                0 => f32::NAN,
                c => (sum / f64::from(c)) as f32,
            });
        }
    }
    out
}

/// Packs a cube of at most [`VOXELS`] after averaging.
#[must_use]
pub fn pack(cube: &Cube) -> Packed {
    pack_within(cube, VOXELS)
}

fn pack_within(cube: &Cube, most: usize) -> Packed {
    let [nz, ny, nx] = cube.shape;
    let plane = ny * nx;
    let n = (nz * plane).div_ceil(most).max(1);
    let binned;
    let values = match n {
        1 => &cube.values,
        _ => {
            binned = averaged(&cube.values, plane, n);
            &binned
        }
    };
    let wavelength: Vec<f64> = match n {
        1 => cube.wavelength.clone(),
        _ => cube
            .wavelength
            .chunks(n)
            .map(|c| c.iter().sum::<f64>() / c.len() as f64)
            .collect(),
    };
    let binned_errors;
    let errors = match n {
        1 => &cube.errors,
        _ => {
            // of means of as many as there mostly are
            let less = 1.0 / (n as f32).sqrt();
            let mean = averaged(&cube.errors, plane, n);
            binned_errors = mean.into_iter().map(|e| e * less).collect();
            &binned_errors
        }
    };
    let short: Vec<u32> = match errors.len() == values.len() {
        true => values
            .iter()
            .zip(errors)
            .map(|(v, e)| shortened(rounded(*v, *e)))
            .collect(),
        false => values.iter().map(|v| shortened(*v)).collect(),
    };
    let mut bytes = Vec::with_capacity(3 * short.len() + 8 * plane * cube.planes.len());
    for shift in [0, 8, 16] {
        bytes.extend(short.iter().map(|v| (v >> shift) as u8));
    }
    let mut planes = Vec::new();
    for p in &cube.planes {
        let single = p
            .values
            .iter()
            .all(|v| v.is_nan() || f64::from(*v as f32) == *v);
        let size = if single { 4 } else { 8 };
        for k in 0..size {
            bytes.extend(p.values.iter().map(|v| match single {
                true => (*v as f32).to_le_bytes()[k],
                false => v.to_le_bytes()[k],
            }));
        }
        planes.push((p.name.clone(), p.unit.clone(), size));
    }
    let mut data = String::new();
    base64(&deflated(&bytes), &mut data);
    Packed {
        file: cube.file.clone(),
        label: cube.label.clone(),
        shape: [wavelength.len(), ny, nx],
        averaged: n,
        unit: cube.unit.clone(),
        wavelength,
        planes,
        data,
    }
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(6));
    // writing to memory cannot fail
    let done = encoder.write_all(bytes).and_then(|()| encoder.finish());
    done.unwrap_or_default()
}

impl Packed {
    /// What the page's program is told of it.
    #[must_use]
    pub fn description(&self) -> serde_json::Value {
        let planes: Vec<_> = self
            .planes
            .iter()
            .map(|(name, unit, size)| serde_json::json!({"name": name, "unit": unit, "size": size}))
            .collect();
        serde_json::json!({
            "file": self.file, "label": self.label, "shape": self.shape, "averaged": self.averaged,
            "unit": self.unit, "wavelength": self.wavelength, "planes": planes,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// What the page's program does.
    fn unpacked(p: &Packed) -> (Vec<f32>, Vec<Vec<f64>>) {
        let digit = |c: u8| match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        let mut zipped = Vec::new();
        for four in p.data.as_bytes().chunks(4) {
            let n = four.iter().filter(|c| **c != b'=').count();
            let bits = four
                .iter()
                .fold(0, |b, c| b << 6 | u32::from(digit(*c)) & 63);
            zipped.extend(&bits.to_be_bytes()[1..n]);
        }
        let mut raw = Vec::new();
        flate2::read::ZlibDecoder::new(&zipped[..])
            .read_to_end(&mut raw)
            .unwrap();
        let n = p.shape.iter().product::<usize>();
        let values = (0..n)
            .map(|i| f32::from_le_bytes([0, raw[i], raw[n + i], raw[2 * n + i]]))
            .collect();
        let m = p.shape[1] * p.shape[2];
        let mut at = 3 * n;
        let mut planes = Vec::new();
        for (_, _, size) in &p.planes {
            let byte = |i: usize, k: usize| raw[at + k * m + i];
            planes.push(
                (0..m)
                    .map(|i| match size {
                        4 => f64::from(f32::from_le_bytes([0, 1, 2, 3].map(|k| byte(i, k)))),
                        _ => f64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|k| byte(i, k))),
                    })
                    .collect(),
            );
            at += size * m;
        }
        assert_eq!(at, raw.len());
        (values, planes)
    }

    fn cube() -> Cube {
        let mut values: Vec<f32> = (0..5 * 3 * 4)
            .map(|i| (i as f32 - 20.0).powi(7) * 1.234_567e-3)
            .collect();
        values[..8].copy_from_slice(&[
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::MAX,
            f32::MIN,
            -0.0,
            1.0 + 1.0 / 65536.0,
            1.0 + 3.0 / 65536.0,
        ]);
        Cube {
            file: "stage3/d1/a_nav.fits".into(),
            label: "1A".into(),
            shape: [5, 3, 4],
            values,
            errors: Vec::new(),
            unit: "MJy/sr".into(),
            wavelength: (0..5).map(|k| 5.0 + 0.1 * f64::from(k)).collect(),
            planes: vec![
                Plane {
                    name: "RA".into(),
                    unit: "deg".into(),
                    values: (0..12)
                        .map(|i| 359.123_456_789 + 1e-7 * f64::from(i))
                        .collect(),
                },
                Plane {
                    name: "LAT".into(),
                    unit: "deg".into(),
                    values: (0..12)
                        .map(|i| if i < 3 { f64::NAN } else { f64::from(i) })
                        .collect(),
                },
            ],
        }
    }

    #[test]
    fn values_are_kept_to_a_part_in_65536() {
        let cube = cube();
        let packed = pack(&cube);
        let (values, planes) = unpacked(&packed);
        assert_eq!(packed.shape, cube.shape);
        for (new, old) in values.iter().zip(&cube.values) {
            if old.is_nan() {
                assert!(new.is_nan());
            } else if old.is_infinite() {
                assert_eq!(new, old);
            } else {
                let off = (f64::from(*new) - f64::from(*old)).abs();
                // the largest number is cut, not rounded to infinity
                let twice = if old.abs() == f32::MAX { 2.0 } else { 1.0 };
                assert!(new.is_finite());
                assert!(
                    off <= twice * PRECISION * f64::from(old.abs()),
                    "{new} {old}"
                );
            }
        }
        // halves go to even
        assert_eq!(values[6], 1.0);
        assert_eq!(values[7], 1.0 + 4.0 / 65536.0);
        assert_eq!(packed.planes[0].2, 8);
        assert_eq!(packed.planes[1].2, 4);
        for (new, old) in planes.iter().zip(&cube.planes) {
            for (a, b) in new.iter().zip(&old.values) {
                assert!(a == b || a.is_nan() && b.is_nan());
            }
        }
    }

    #[test]
    fn what_is_finer_than_the_noise_is_left_out() {
        assert_eq!(rounded(100.3, 1.0), 100.25);
        assert_eq!(rounded(-100.3, 1.99), -100.25);
        assert_eq!(rounded(100.3, 2.0), 100.25);
        for error in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert_eq!(rounded(100.3, error), 100.3);
        }
        assert!(rounded(f32::NAN, 1.0).is_nan());
        assert_eq!(rounded(f32::MAX, f32::MAX), f32::MAX);
        let mut cube = cube();
        let plain = pack(&cube);
        cube.errors = cube.values.iter().map(|v| 0.01 * v.abs()).collect();
        let small = pack(&cube);
        assert!(small.data.len() < plain.data.len());
        for ((new, old), error) in unpacked(&small)
            .0
            .iter()
            .zip(&cube.values)
            .zip(&cube.errors)
        {
            let most = f64::from(*error) / (2.0 * NOISE) + PRECISION * f64::from(old.abs());
            let off = f64::from((new - old).abs());
            assert!(
                new == old || !old.is_finite() || off <= 2.0 * most,
                "{new} {old}"
            );
        }
    }

    #[test]
    fn a_large_cube_is_averaged_along_wavelength() {
        let mut cube = cube();
        cube.values = (0..60).map(|i| (i / 12 * 10) as f32).collect();
        cube.values[0] = f32::NAN;
        let packed = pack_within(&cube, 30);
        assert_eq!((packed.averaged, packed.shape), (2, [3, 3, 4]));
        assert_eq!(packed.wavelength.len(), 3);
        assert!((packed.wavelength[0] - 5.05).abs() < 1e-12);
        assert!((packed.wavelength[2] - 5.4).abs() < 1e-12);
        let (values, _) = unpacked(&packed);
        assert_eq!(values[0], 10.0);
        assert_eq!(values[1], 5.0);
        assert_eq!(values[12], 25.0);
        assert_eq!(values[24], 40.0);
    }
}
