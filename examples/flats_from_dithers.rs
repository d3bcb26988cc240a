//! A synthetic flat from dithers: four views of a banded sphere through a striped instrument, and the stripes found from them.
//!
//! `cargo run --release --example flats_from_dithers`

use sifu::Result;
use sifu::exec::Exec;
use sifu::flatgen::{self, Dither, Params};
use sifu::formats::fits::Header;
use sifu::model::Meta;

/// Spaxels on a side of the field, and the planet's radius in spaxels.
const N: usize = 24;
const RADIUS: f64 = 50.0;

/// Response of a spaxel.
fn stripes(spaxel: usize) -> f64 {
    let (x, y) = ((spaxel % N) as f64, (spaxel / N) as f64);
    1.0 + 0.04 * (1.9 * x + 0.3 * y).sin()
}

/// What a dither sees whose field is moved by `shift` spaxels: one wavelength, with 0.1 % errors.
fn dither(shift: [f64; 2]) -> Dither {
    // latitude, west longitude and emission angle of each spaxel, degrees
    let mut planes = [(); 3].map(|()| vec![f64::NAN; N * N]);
    let (mut sci, mut err) = (vec![f32::NAN; N * N], vec![f32::NAN; N * N]);
    for s in 0..N * N {
        let x = ((s % N) as f64 - 12.0 + shift[0]) / RADIUS;
        let y = ((s / N) as f64 - 12.0 + shift[1]) / RADIUS;
        let z = (1.0 - x * x - y * y).sqrt();
        let (lat, east) = (y.asin(), x.atan2(z));
        planes[0][s] = lat.to_degrees();
        planes[1][s] = (-east.to_degrees()).rem_euclid(360.0);
        planes[2][s] = z.acos().to_degrees();
        let bands = 1.0 + 0.15 * (20.0 * lat).sin() + 0.1 * (30.0 * east).cos();
        let value = 100.0 * z.sqrt() * bands * stripes(s);
        (sci[s], err[s]) = (value as f32, 1e-3 * value as f32);
    }
    let mut meta = Meta::default();
    for (keyword, value) in [("INSTRUME", "MIRI"), ("CHANNEL", "1"), ("BAND", "SHORT")] {
        meta.primary.set(keyword, value, "");
    }
    meta.sci = wavelengths();
    Dither::new(meta, [1, N, N], (sci, err), None, planes)
}

/// One wavelength.
fn wavelengths() -> Header {
    let mut header = Header::new();
    header.set("CTYPE3", "WAVE", "");
    for (keyword, value) in [("CRVAL3", 4.9), ("CDELT3", 0.001), ("CRPIX3", 1.0)] {
        header.set(keyword, value, "");
    }
    header
}

/// How far values are from 1.
fn rms(values: impl Iterator<Item = f64>) -> f64 {
    let squares: Vec<f64> = values.map(|v| (v - 1.0).powi(2)).collect();
    (squares.iter().sum::<f64>() / squares.len() as f64).sqrt()
}

fn main() -> Result<()> {
    let shifts = [[0.0, 0.0], [4.3, 2.6], [-2.7, 5.4], [3.5, -4.2]];
    let dithers = shifts.map(dither);
    let exec = Exec::new(None)?;
    let built = flatgen::build(&dithers, &Params::default(), "example", "", &exec)?;
    for warning in &built.warnings {
        println!("warning: {warning}");
    }
    let flat = &built.flat.flat;
    let known = || (0..N * N).filter(|s| flat[*s].is_finite());
    let before = rms(known().map(stripes));
    let after = rms(known().map(|s| stripes(s) / flat[s]));
    println!(
        "{} of {} spaxels have a flat; stripes of {:.2} % rms, {:.2} % behind it",
        known().count(),
        N * N,
        100.0 * before,
        100.0 * after
    );
    assert!(after < before / 3.0);
    Ok(())
}
