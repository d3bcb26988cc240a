//! How well dithers constrain a flat.

use super::dither::Dither;
use super::sky::Sky;
use crate::{Error, Result};

/// Dithers that the method was made for.
const DITHERS: usize = 4;
/// Part of the field below which the target does not fill it.
const FILLED: f64 = 0.9;
/// Shifts below this many spaxels move nothing.
const MOVED: f64 = 0.5;

/// What decides whether a flat can be told from the scene.
#[derive(Debug, Clone, PartialEq)]
pub struct Quality {
    dithers: usize,
    /// Part of the spaxels with data that see the target in two dithers or more.
    filled: f64,
    /// Spread of the shifts along the direction in which they differ most, and across it, in spaxels.
    spread: [f64; 2],
}

impl Quality {
    /// From the dithers and where their points lie.
    pub fn new(dithers: &[Dither], sky: &Sky) -> Self {
        let [_, ny, nx] = dithers[0].shape;
        let size = ny * nx;
        let mut seen = vec![0usize; size];
        sky.points.iter().for_each(|p| seen[p.spaxel] += 1);
        let mut field = vec![false; size];
        for d in dithers {
            for (i, v) in d.sci.iter().enumerate() {
                field[i % size] |= !v.is_nan();
            }
        }
        let inside = || field.iter().zip(&seen).filter(|(f, _)| **f);
        let filled =
            inside().filter(|(_, n)| **n > 1).count() as f64 / inside().count().max(1) as f64;
        Self {
            dithers: dithers.len(),
            filled,
            spread: spread(&sky.shifts),
        }
    }

    /// Refuses what no flat can be made of.
    ///
    /// # Errors
    /// [`Error::Science`].
    pub fn check(&self) -> Result<()> {
        if self.dithers < 2 {
            return Err(Error::science(
                "one dither cannot tell the flat from the target; give all dithers of the observation",
            ));
        }
        // no spaxels in common is a spread that is not known, and no objection
        if self.spread[0] < MOVED {
            return Err(Error::science(format!(
                "the target lies on the same spaxels in all dithers (they differ by {:.2} spaxels): flat and target \
                 cannot be told apart",
                self.spread[0]
            )));
        }
        Ok(())
    }

    /// What constrains the flat badly.
    pub fn warnings(&self) -> Vec<String> {
        let mut out = Vec::new();
        if self.dithers < DITHERS {
            out.push(format!(
                "{} dithers constrain a flat badly; {DITHERS} or more are needed",
                self.dithers
            ));
        }
        if self.filled < FILLED {
            out.push(format!(
                "the target fills {:.0} % of the field; beyond it there is no flat",
                100.0 * self.filled
            ));
        }
        if self.spread[0] >= MOVED && self.spread[1] < MOVED {
            out.push(
                "the dithers are shifted along one line only; stripes along it cannot be told from the target".into(),
            );
        }
        out
    }
}

/// Largest distance of two shifts, and the largest component of any across the line through those two.
fn spread(shifts: &[[f64; 2]]) -> [f64; 2] {
    let pairs = || {
        shifts
            .iter()
            .enumerate()
            .flat_map(|(i, a)| shifts[..i].iter().map(move |b| [a[0] - b[0], a[1] - b[1]]))
    };
    let far = pairs().filter(|d| !d[0].is_nan() && !d[1].is_nan());
    let Some(longest) = far.max_by(|a, b| a[0].hypot(a[1]).total_cmp(&b[0].hypot(b[1]))) else {
        return [f64::NAN; 2];
    };
    let length = longest[0].hypot(longest[1]);
    let across = pairs().map(|d| ((d[0] * longest[1] - d[1] * longest[0]) / length).abs());
    [length, across.fold(0.0, f64::max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quality(dithers: usize, filled: f64, shifts: &[[f64; 2]]) -> Quality {
        Quality {
            dithers,
            filled,
            spread: spread(shifts),
        }
    }

    #[test]
    fn what_cannot_be_told_is_said() {
        let square = [[0.0, 0.0], [3.0, 0.0], [0.0, 3.0], [3.0, 3.0]];
        let good = quality(4, 1.0, &square);
        assert!(good.warnings().is_empty() && good.check().is_ok());
        assert!(quality(3, 1.0, &square[..3]).warnings()[0].contains("3 dithers"));
        assert!(quality(4, 0.4, &square).warnings()[0].contains("40 %"));
        let line = [[0.0, 0.0], [1.0, 2.0], [2.0, 4.0], [3.0, 6.0]];
        assert!(quality(4, 1.0, &line).warnings()[0].contains("one line"));
        assert!(quality(4, 1.0, &[[0.1, 0.0]; 4]).check().is_err());
        assert!(quality(1, 1.0, &square[..1]).check().is_err());
    }
}
