//! The loss of sensitivity with time, as a function of wavelength: a power law a bin, between bins linear.

use crate::model::reference::RefFits;
use crate::{Error, Result};

/// The table of one channel, a row a wavelength bin, in single precision as in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct PowerLaw {
    /// Wavelengths in micron, strictly rising or falling.
    pub wavelength: Vec<f32>,
    /// Exponents.
    pub alpha: Vec<f32>,
    /// Relative sensitivity a year after the start.
    pub year1: Vec<f32>,
    /// Softening in days.
    pub soft: Vec<f32>,
    /// Start (MJD).
    pub start: Vec<f32>,
}

impl PowerLaw {
    /// Reads `TIMECOEFF_POWERLAW_CHn`; none where the file has no such table.
    ///
    /// # Errors
    /// [`Error::Reference`] for a table without a column, with fewer than two rows, or whose wavelengths
    /// are not in order.
    pub fn read(file: &RefFits, channel: char) -> Result<Option<Self>> {
        let name = format!("TIMECOEFF_POWERLAW_CH{channel}");
        if !file.has(&name) {
            return Ok(None);
        }
        let table = file.table(&name)?;
        let column = |column: &str| -> Result<Vec<f32>> {
            let number = |row| table.number(column, row).map(|v| v as f32);
            (0..table.nrows)
                .map(number)
                .collect::<Option<_>>()
                .ok_or_else(|| file.error(format!("{name} has no number in column {column}")))
        };
        let law = Self {
            wavelength: column("binwave")?,
            alpha: column("alpha")?,
            year1: column("year1value")?,
            soft: column("tsoft")?,
            start: column("t0")?,
        };
        let w = &law.wavelength;
        if w.len() < 2 || !(w.is_sorted_by(|a, b| a < b) || w.is_sorted_by(|a, b| a > b)) {
            return Err(file.error(format!(
                "{name} needs at least two wavelengths (binwave), rising or falling"
            )));
        }
        Ok(Some(law))
    }

    /// What is left of the sensitivity at a time (MJD).
    pub fn at(&self, time: f64) -> Remaining {
        let time = time as f32;
        let rows = self
            .alpha
            .iter()
            .zip(&self.year1)
            .zip(self.soft.iter().zip(&self.start));
        let value = |((alpha, year1), (soft, start)): ((&f32, &f32), (&f32, &f32))| {
            let norm = (365.0 + soft).powf(*alpha) / year1;
            let value = (time - start + soft).powf(*alpha) / norm;
            if value > 1.0 { 1.0 } else { value }
        };
        let values = rows.map(value).map(f64::from);
        let mut points: Vec<(f64, f64)> = self
            .wavelength
            .iter()
            .map(|w| f64::from(*w))
            .zip(values)
            .collect();
        if self.wavelength.first() > self.wavelength.last() {
            points.reverse();
        }
        Remaining(points)
    }
}

/// Relative sensitivity at wavelengths (micron), rising; at least two.
#[derive(Debug, Clone, PartialEq)]
pub struct Remaining(Vec<(f64, f64)>);

impl Remaining {
    /// Whether there is a value at every wavelength.
    pub fn is_known(&self) -> bool {
        self.0.iter().all(|(_, v)| !v.is_nan())
    }

    /// Relative sensitivity at a wavelength, beyond the ends by the line through the last two points.
    pub fn at_wavelength(&self, wavelength: f64) -> f64 {
        let points = &self.0;
        let above = points.partition_point(|(w, _)| *w <= wavelength);
        let upper = above.clamp(1, points.len().saturating_sub(1));
        match (points.get(upper - 1), points.get(upper)) {
            (Some((w0, v0)), Some((w1, v1))) => {
                let t = (wavelength - w0) / (w1 - w0);
                v0 * (1.0 - t) + v1 * t
            }
            _ => f64::NAN,
        }
    }
}

/// The tables an exposure needs, for the left and the right channel of the detector; none where the
/// reference is of a format without them.
///
/// # Errors
/// [`Error::Reference`] where some are missing or damaged.
pub fn tables(file: &RefFits, detector: &str) -> Result<Option<[PowerLaw; 2]>> {
    if !file.has("TIMECOEFF_POWERLAW_CH1") {
        return Ok(None);
    }
    let need = |channel| -> Result<PowerLaw> {
        PowerLaw::read(file, channel)?.ok_or_else(|| -> Error {
            file.error(format!("has no TIMECOEFF_POWERLAW_CH{channel} extension"))
        })
    };
    Ok(Some(match detector {
        "MIRIFULONG" => [need('4')?, need('3')?],
        _ => [need('1')?, need('2')?],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn law() -> PowerLaw {
        PowerLaw {
            wavelength: vec![4.5, 5.16, 7.8],
            alpha: vec![-0.005; 3],
            year1: vec![0.99423075, 0.9933846, 0.99],
            soft: vec![1.0; 3],
            start: vec![59720.0; 3],
        }
    }

    #[test]
    fn a_year_on_it_is_the_tables_value_and_never_above_one() {
        let remaining = law().at(59720.0 + 365.0);
        assert!((remaining.at_wavelength(4.5) - 0.99423075).abs() < 1e-6);
        assert!((remaining.at_wavelength(7.8) - 0.99).abs() < 1e-6);
        assert_eq!(law().at(59720.0).at_wavelength(5.0), 1.0);
    }

    #[test]
    fn before_the_start_there_is_no_value() {
        let remaining = law().at(59700.0);
        assert!(!remaining.is_known() && remaining.at_wavelength(5.0).is_nan());
        assert!(law().at(60000.0).is_known());
    }

    #[test]
    fn lines_between_and_beyond() {
        let line = Remaining(vec![(1.0, 10.0), (2.0, 20.0), (4.0, 0.0)]);
        for (w, v) in [
            (0.0, 0.0),
            (1.0, 10.0),
            (1.5, 15.0),
            (2.0, 20.0),
            (3.0, 10.0),
            (5.0, -10.0),
        ] {
            assert_eq!(line.at_wavelength(w), v);
        }
        assert!(line.at_wavelength(f64::NAN).is_nan());
        let mut falling = law();
        falling.wavelength.reverse();
        falling.year1.reverse();
        assert_eq!(falling.at(60700.0), law().at(60700.0));
    }
}
