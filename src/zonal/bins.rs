//! Evenly spaced bins by their centres.

use crate::{Error, Result};

/// Bins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bins {
    /// Centre of the first.
    pub first: f64,
    /// Distance of neighbours, above 0.
    pub step: f64,
    /// Their number.
    pub n: usize,
}

/// Most bins, to keep a slip of the pen from filling the memory.
const MOST: f64 = 1e5;

impl Bins {
    /// From `FIRST:LAST:STEP` (the last included) or a list `A,B,C` of evenly spaced centres.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |why: &str| Error::parameter(format!("bins '{text}': {why}"));
        let numbers = |separator: char| -> Result<Vec<f64>> {
            let parse = |t: &str| t.trim().parse::<f64>().ok().filter(|v| v.is_finite());
            let all: Option<Vec<f64>> = text.split(separator).map(parse).collect();
            all.ok_or_else(|| {
                bad("give FIRST:LAST:STEP, as in -90:90:2.5, or a list of evenly spaced centres")
            })
        };
        if text.contains(':') {
            let [first, last, step] = numbers(':')?[..] else {
                return Err(bad("give FIRST:LAST:STEP, as in -90:90:2.5"));
            };
            let n = ((last - first) / step + 1.0 + 1e-9).floor();
            return match step > 0.0 && (1.0..=MOST).contains(&n) {
                true => Ok(Self {
                    first,
                    step,
                    n: n as usize,
                }),
                false => Err(bad(
                    "LAST must not be below FIRST, STEP above 0, and their number at most 100000",
                )),
            };
        }
        Self::of(&numbers(',')?).map_err(|why| bad(&why))
    }

    /// From centres, which must be evenly spaced: products hold the first and the step only.
    fn of(centres: &[f64]) -> std::result::Result<Self, String> {
        let [first, second, ..] = *centres else {
            return Err("two bins at least are needed".into());
        };
        let bins = Self {
            first,
            step: second - first,
            n: centres.len(),
        };
        let even = (0..)
            .zip(centres)
            .all(|(i, c)| (bins.centre(i) - c).abs() <= 1e-6 * bins.step);
        match bins.step > 0.0 && even {
            true => Ok(bins),
            false => Err("the centres must ascend and be evenly spaced".into()),
        }
    }

    /// Centre of a bin.
    pub fn centre(&self, i: usize) -> f64 {
        self.first + self.step * i as f64
    }

    /// The nearest bin (the first of equals); none where the value is NaN, or (`limited`) further than half a bin from it.
    /// Distances go around the circle where there is a period.
    pub fn find(&self, value: f64, period: Option<f64>, limited: bool) -> Option<usize> {
        if value.is_nan() {
            return None;
        }
        let far = |i: usize| {
            let d = (self.centre(i) - value).abs();
            period.map_or(d, |p| (d % p).min(p - d % p))
        };
        let mut best = (0, far(0));
        for i in 1..self.n {
            let d = far(i);
            if d < best.1 {
                best = (i, d);
            }
        }
        // a value on the border belongs to the bin, whichever way its last bit was rounded
        let within = best.1 <= 0.5 * self.step * (1.0 + 1e-12);
        (within || !limited).then_some(best.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_as_typed() {
        let bins = Bins::parse("-90:90:2.5").unwrap();
        assert_eq!((bins.n, bins.centre(72)), (73, 90.0));
        assert_eq!(
            Bins::parse("10, 12 ,14").unwrap(),
            Bins {
                first: 10.0,
                step: 2.0,
                n: 3
            }
        );
        for bad in [
            "", "5", "1:2", "2:1:1", "0:1:0", "0:1e9:1", "1,2,4", "3,2,1", "0:x:1", "0:1:NaN",
        ] {
            assert!(
                matches!(Bins::parse(bad), Err(Error::Parameter { .. })),
                "{bad}"
            );
        }
    }

    #[test]
    fn the_nearest_within_half_a_bin() {
        let bins = Bins::parse("0:20:10").unwrap();
        for (value, limited, any) in [
            (4.9, Some(0), Some(0)),
            (5.0, Some(0), Some(0)),
            (25.0, Some(2), Some(2)),
            (25.1, None, Some(2)),
            (-80.0, None, Some(0)),
            (f64::NAN, None, None),
        ] {
            assert_eq!(bins.find(value, None, true), limited, "{value}");
            assert_eq!(bins.find(value, None, false), any, "{value}");
        }
        assert_eq!(bins.find(358.0, Some(360.0), true), Some(0));
        assert_eq!(bins.find(358.0, None, true), None);
    }
}
