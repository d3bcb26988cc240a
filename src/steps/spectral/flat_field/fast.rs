//! The variation of a flat with wavelength alone, as a table: read, cleaned and averaged over a pixel's width.

use crate::Result;
use crate::model::reference::RefFits;

/// Places in a pixel, and their weights, of a three-point Gaussian quadrature over its width.
const WEIGHTS: [f64; 3] = [5.0 / 18.0, 8.0 / 18.0, 5.0 / 18.0];

/// A flat by wavelength (micron, rising), with the slopes between neighbours.
#[derive(Debug, Clone, PartialEq)]
pub struct Fast {
    wavelength: Vec<f64>,
    flat: Column,
    error: Column,
}

/// Values at the wavelengths, and the slopes behind each.
#[derive(Debug, Clone, PartialEq)]
struct Column {
    values: Vec<f64>,
    slopes: Vec<f64>,
}

impl Column {
    fn new(values: Vec<f64>, places: &[f64]) -> Self {
        let slope = |i: usize| (values[i + 1] - values[i]) / (places[i + 1] - places[i]);
        Self {
            slopes: (0..values.len().saturating_sub(1)).map(slope).collect(),
            values,
        }
    }

    /// The value at `x`, between places `i` and `i + 1` or at the former.
    fn at(&self, x: f64, places: &[f64], i: usize) -> f64 {
        let (a, Some(slope)) = (self.values[i], self.slopes.get(i)) else {
            return self.values[i];
        };
        if places[i] == x {
            return a;
        }
        let value = slope * (x - places[i]) + a;
        if !value.is_nan() {
            return value;
        }
        // an infinite slope or value: from the other side, as numpy tries it
        let value = slope * (x - places[i + 1]) + self.values[i + 1];
        if value.is_nan() && a == self.values[i + 1] {
            return a;
        }
        value
    }
}

impl Fast {
    /// Reads the first row of `FAST_VARIATION`, or its columns where they hold a number a row. Rows without a wavelength, or a
    /// flat of zero or NaN, are left out.
    ///
    /// # Errors
    /// [`crate::Error::Reference`] where it is missing, empty, or its wavelengths fall.
    pub fn read(file: &RefFits) -> Result<Self> {
        let table = file.table("FAST_VARIATION")?;
        let column = |name: &str| -> Result<Vec<f64>> {
            let row = table.numbers(name, 0);
            let values = match row {
                Some(row) if row.len() == 1 => table.column_numbers(name),
                row => row,
            };
            // calwebb reads them in single precision
            let single = |v: Vec<f64>| v.into_iter().map(|v| f64::from(v as f32)).collect();
            values.map(single).ok_or_else(|| {
                file.error(format!("FAST_VARIATION has no numbers in column {name}"))
            })
        };
        let [wavelength, flat, error] = [column("wavelength")?, column("data")?, column("error")?];
        let n = table
            .number("nelem", 0)
            .map_or(usize::MAX, |n| n.max(0.0) as usize);
        let rows = wavelength.into_iter().zip(flat).zip(error);
        let rows = rows.map(|((w, f), e)| (w, f, e)).take(n);
        let good = |(w, f, _): &(f64, f64, f64)| *w > 0.0 && !f.is_nan() && *f != 0.0;
        Self::of(&rows.filter(good).collect::<Vec<_>>()).ok_or_else(|| {
            file.error(
                "FAST_VARIATION is empty, or its wavelengths fall from one element to the next",
            )
        })
    }

    /// The table of wavelength, flat and error; none where it is empty or the wavelengths fall.
    fn of(rows: &[(f64, f64, f64)]) -> Option<Self> {
        if rows.is_empty() || !rows.is_sorted_by(|a, b| a.0 <= b.0) {
            return None;
        }
        let wavelength: Vec<f64> = rows.iter().map(|r| r.0).collect();
        Some(Self {
            flat: Column::new(rows.iter().map(|r| r.1).collect(), &wavelength),
            error: Column::new(rows.iter().map(|r| r.2).collect(), &wavelength),
            wavelength,
        })
    }

    /// Which two of the table's places a wavelength lies between; none outside. `hint` is where the last one was.
    fn place(&self, x: f64, hint: &mut usize) -> Option<usize> {
        let places = &self.wavelength;
        let (first, last) = (*places.first()?, *places.last()?);
        if !(first..=last).contains(&x) {
            return None;
        }
        let mut i = (*hint).min(places.len() - 1);
        while places[i] > x {
            i -= 1;
        }
        while places.get(i + 1).is_some_and(|next| *next <= x) {
            i += 1;
        }
        *hint = i;
        Some(i)
    }

    /// The flat averaged over a pixel whose neighbours' wavelengths differ by `width`, NaN where a part of it is outside; and the
    /// error at its centre.
    pub fn at(&self, wavelength: f64, width: f64, hint: &mut usize) -> (f64, f64) {
        let d = 0.6f64.sqrt() / 2.0;
        let mut sum = 0.0;
        for (offset, weight) in [-d, 0.0, d].into_iter().zip(WEIGHTS) {
            let x = wavelength + width * offset;
            let value = match self.place(x, hint) {
                Some(i) => self.flat.at(x, &self.wavelength, i),
                None => f64::NAN,
            };
            sum += weight * value;
        }
        let error = match self.place(wavelength, hint) {
            Some(i) => self.error.at(wavelength, &self.wavelength, i),
            None => f64::NAN,
        };
        (sum, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Fast {
        Fast::of(&[(1.0, 2.0, 0.1), (2.0, 4.0, 0.3), (4.0, 4.0, 0.3)]).unwrap()
    }

    #[test]
    fn a_straight_flat_is_its_value_at_the_centre() {
        let mut hint = 2;
        let (flat, error) = table().at(1.5, 0.5, &mut hint);
        assert!((flat - 3.0).abs() < 1e-15 && (error - 0.2).abs() < 1e-15);
        // and where its slope changes less than that
        let (flat, _) = table().at(2.0, 1.0, &mut hint);
        assert!(flat < 4.0 && flat > 3.5, "{flat}");
    }

    #[test]
    fn of_two_values_at_a_wavelength_the_later_counts_from_there_on() {
        let t = Fast::of(&[
            (1.0, 2.0, 0.1),
            (2.0, 4.0, 0.1),
            (2.0, 6.0, 0.2),
            (3.0, 8.0, 0.2),
        ]);
        let t = t.unwrap();
        for (x, flat, error) in [(1.5, 3.0, 0.1), (2.0, 6.0, 0.2), (2.5, 7.0, 0.2)] {
            let made = t.at(x, 0.0, &mut 0);
            assert!((made.0 - flat).abs() < 1e-14 && (made.1 - error).abs() < 1e-15);
        }
    }

    #[test]
    fn outside_in_part_is_outside() {
        let mut hint = 0;
        assert_eq!(table().at(4.0, 0.0, &mut hint), (4.0, 0.3));
        let (flat, error) = table().at(4.0, 0.1, &mut hint);
        assert!(flat.is_nan() && error == 0.3);
        let (flat, error) = table().at(f64::NAN, 0.1, &mut hint);
        assert!(flat.is_nan() && error.is_nan());
    }

    #[test]
    fn places_are_found_from_any_hint() {
        for hint in 0..9 {
            let t = table();
            let at = |x: f64| t.place(x, &mut hint.clone());
            assert_eq!([1.0, 1.9, 2.0, 3.0, 4.0].map(at), [0, 0, 1, 1, 2].map(Some));
            assert_eq!([0.9, 4.1].map(at), [None; 2]);
        }
        assert_eq!(Fast::of(&[(1.0, 1.0, 0.0), (0.9, 1.0, 0.0)]), None);
        assert_eq!(Fast::of(&[]), None);
    }
}
