//! Spectra for NEMESIS (`.spx`), as the reference pipeline writes them.
//!
//! Plain text, tab separated: width of the instrument's profile, latitude, longitude, number of geometries; number of points;
//! number of averaging points; latitude, longitude, phase, emission, azimuth, weight (all with 3 decimals); then wavelength in
//! micron, radiance and error in W cm-2 sr-1 um-1 (7 digits).

use std::fmt::Write as _;
use std::path::Path;

use crate::{Error, Result};

/// One spectrum of one geometry.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spx {
    /// Width of the instrument's profile in micron, 0 where it is described elsewhere.
    pub fwhm: f64,
    /// Planetographic latitude in degrees.
    pub lat: f64,
    /// West longitude in degrees.
    pub lon: f64,
    /// Phase angle in degrees.
    pub phase: f64,
    /// Emission angle in degrees.
    pub emission: f64,
    /// Azimuth in degrees.
    pub azimuth: f64,
    /// Weight of the averaging point.
    pub weight: f64,
    /// Wavelength in micron, radiance and error in W cm-2 sr-1 um-1.
    pub samples: Vec<[f64; 3]>,
}

/// A number with 3 decimals, as C prints it.
fn fixed(v: f64) -> String {
    if v.is_finite() {
        format!("{v:.3}")
    } else {
        special(v)
    }
}

/// A number with an exponent of two digits at least, as C prints it.
fn scientific(v: f64) -> String {
    if !v.is_finite() {
        return special(v);
    }
    let text = format!("{v:.6e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, size) = match exponent.strip_prefix('-') {
        Some(size) => ('-', size),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{size:0>2}")
}

fn special(v: f64) -> String {
    let text = if v.is_nan() { "nan" } else { "inf" };
    if v < 0.0 {
        format!("-{text}")
    } else {
        text.into()
    }
}

/// A number as C's `%+g` prints it: six digits, no trailing zeros, always with a sign.
pub fn signed_general(v: f64) -> String {
    if !v.is_finite() {
        return if v < 0.0 {
            special(v)
        } else {
            format!("+{}", special(v))
        };
    }
    let text = format!("{v:+.5e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |t: &str| match t.contains('.') {
        true => t.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => t.to_owned(),
    };
    if (-4..6).contains(&exponent) {
        let decimals = usize::try_from(5 - exponent).unwrap_or(0);
        return trim(&format!("{v:+.decimals$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trim(digits), exponent.abs())
}

impl Spx {
    /// The file's text.
    pub fn text(&self) -> String {
        let line = |numbers: &[f64]| {
            let fields: Vec<String> = numbers.iter().map(|v| fixed(*v)).collect();
            fields.join("\t")
        };
        let mut out = String::new();
        let head = [
            line(&[self.fwhm, self.lat, self.lon, 1.0]),
            line(&[self.samples.len() as f64]),
            line(&[1.0]),
            line(&[
                self.lat,
                self.lon,
                self.phase,
                self.emission,
                self.azimuth,
                self.weight,
            ]),
        ];
        for l in head {
            let _ = writeln!(out, "{l}");
        }
        for [wavelength, radiance, error] in &self.samples {
            let (w, r, e) = (
                scientific(*wavelength),
                scientific(*radiance),
                scientific(*error),
            );
            let _ = writeln!(out, "{w}\t{r}\t{e}");
        }
        out
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, path: &Path) -> Result<()> {
        crate::formats::write_whole(path, self.text().as_bytes())
    }

    /// Reads a file of one geometry.
    ///
    /// # Errors
    /// [`Error::Format`], [`Error::Io`].
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Error::format(path, "is no .spx file: it is not text"))?;
        Self::parse(&text).map_err(|message| Error::format(path, message))
    }

    fn parse(text: &str) -> std::result::Result<Self, String> {
        let mut lines = (1..).zip(text.lines());
        let mut next = |wanted: usize| -> std::result::Result<Vec<f64>, String> {
            let (n, line) = lines.next().ok_or("is no .spx file: it ends too early")?;
            let numbers: std::result::Result<Vec<f64>, _> =
                line.split_whitespace().map(str::parse).collect();
            match numbers {
                Ok(v) if v.len() == wanted => Ok(v),
                _ => Err(format!(
                    "line {n} must hold {wanted} numbers; it is '{line}'"
                )),
            }
        };
        let head = next(4)?;
        let count = next(1)?[0];
        let averaged = next(1)?[0];
        if (head[3], averaged) != (1.0, 1.0) {
            return Err(format!(
                "holds {} geometries of {averaged} averaging points; only 1 of 1 is read",
                head[3]
            ));
        }
        let g = next(6)?;
        // a count that is no sensible number ends in an error of its own
        let count = if (0.0..1e8).contains(&count) {
            count as usize
        } else {
            usize::MAX
        };
        let mut samples = Vec::new();
        while samples.len() < count {
            let v = next(3)?;
            samples.push([v[0], v[1], v[2]]);
        }
        if let Some((n, line)) = lines.find(|(_, l)| !l.trim().is_empty()) {
            return Err(format!(
                "line {n} is beyond the {count} points announced: '{line}'"
            ));
        }
        Ok(Self {
            fwhm: head[0],
            lat: g[0],
            lon: g[1],
            phase: g[2],
            emission: g[3],
            azimuth: g[4],
            weight: g[5],
            samples,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout() {
        let spx = Spx {
            lat: 10.015,
            lon: 300.368,
            phase: 5.815,
            emission: 9.17,
            azimuth: 149.9,
            weight: 1.0,
            samples: vec![
                [4.9004, 6.495111e-7, 5.484789e-9],
                [4.9012, -0.0, f64::NAN],
                [1e100, 1e-100, f64::NEG_INFINITY],
            ],
            ..Spx::default()
        };
        let wanted = "0.000\t10.015\t300.368\t1.000\n3.000\n1.000\n\
                      10.015\t300.368\t5.815\t9.170\t149.900\t1.000\n\
                      4.900400e+00\t6.495111e-07\t5.484789e-09\n\
                      4.901200e+00\t-0.000000e+00\tnan\n\
                      1.000000e+100\t1.000000e-100\t-inf\n";
        assert_eq!(spx.text(), wanted);
    }

    #[test]
    fn numbers_as_c_prints_them() {
        for (v, text) in [
            (10.0, "+10"),
            (-2.5, "-2.5"),
            (0.0, "+0"),
            (1234567.0, "+1.23457e+06"),
            (0.00001, "+1e-05"),
            (0.1 + 0.2, "+0.3"),
            (999999.5, "+1e+06"),
        ] {
            assert_eq!(signed_general(v), text);
        }
    }

    #[test]
    fn what_is_no_spectrum_is_refused() {
        for (text, says) in [
            ("", "too early"),
            ("0 1 2 1\n1\n1\n1 2 3 4 5 6\n", "too early"),
            ("0 1 2 2\n1\n1\n", "2 geometries"),
            ("0 1 x 1\n", "line 1"),
            ("0 1 2 1\n0\n1\n1 2 3 4 5 6\n1 2 3\n", "beyond"),
            ("0 1 2 1\n-4\n1\n1 2 3 4 5 6\n", "too early"),
        ] {
            let said = Spx::parse(text).unwrap_err();
            assert!(said.contains(says), "{said}");
        }
    }

    #[test]
    fn published_files_come_back_to_the_byte() {
        let shared = std::env::var("SIFU_SHARED").unwrap_or_else(|_| "../shared".into());
        let folder = Path::new(&shared).join("real/saturn_spx");
        let Ok(channels) = std::fs::read_dir(&folder) else {
            println!("skipped: there is no {}", folder.display());
            return;
        };
        let mut n = 0;
        for channel in channels {
            for file in std::fs::read_dir(channel.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                let spx = Spx::read(&path).unwrap();
                assert!(
                    spx.text() == std::fs::read_to_string(&path).unwrap(),
                    "{}",
                    path.display()
                );
                n += 1;
            }
        }
        assert!(n > 30, "{n} files");
    }
}
