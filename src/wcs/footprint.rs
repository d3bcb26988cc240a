//! The footprint of an exposure on the sky: `S_REGION` and the wavelengths it spans.
//!
//! Follows jwst 3.0.0 `compute_footprint_spectral` and stcal 1.20 `compute_s_region_keyword`: the box of right ascension and declination
//! around all pixel centres.

/// A footprint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Footprint {
    /// Least and greatest right ascension in degrees, each from 0 to 360: the first is the greater one across 0.
    pub ra: (f64, f64),
    /// Least and greatest declination in degrees.
    pub dec: (f64, f64),
    /// Least and greatest wavelength in micron (calwebb's `spectral_region`).
    pub lambda: (f64, f64),
}

/// Least and greatest number; none where there is none.
fn extremes(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|v| !v.is_nan()).fold(None, |e, v| {
        Some(e.map_or((v, v), |(low, high): (f64, f64)| (low.min(v), high.max(v))))
    })
}

fn median(values: &mut [f64]) -> f64 {
    let n = values.len();
    let (low, upper, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    if n % 2 == 1 {
        return *upper;
    }
    let lower = low.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (lower + *upper) / 2.0
}

impl Footprint {
    /// The footprint of points; none where no point has coordinates. Wavelengths of points without a position do not
    /// count.
    pub fn of(ra: &[f64], dec: &[f64], lambda: &[f64]) -> Option<Self> {
        let mut finite: Vec<f64> = ra.iter().copied().filter(|v| v.is_finite()).collect();
        if finite.is_empty() {
            return None;
        }
        let (low, high) = extremes(finite.iter().copied())?;
        let (mut low, mut high) = if high - low > 180.0 {
            // all right ascensions on the side of 0 where most are
            let median = median(&mut finite);
            let side = if median < 180.0 { -360.0 } else { 360.0 };
            extremes(finite.iter().map(|v| match (v - median).abs() > 180.0 {
                true => v + side,
                false => *v,
            }))?
        } else {
            (low, high)
        };
        if low < 0.0 {
            low += 360.0;
        }
        if high >= 360.0 {
            high -= 360.0;
        }
        let seen = ra.iter().zip(lambda).filter(|(ra, _)| ra.is_finite());
        Some(Self {
            ra: (low, high),
            dec: extremes(dec.iter().copied())?,
            lambda: extremes(seen.map(|(_, lambda)| *lambda))?,
        })
    }

    /// The value of the keyword.
    pub fn s_region(&self) -> String {
        let ((w, e), (s, n)) = (self.ra, self.dec);
        format!("POLYGON ICRS  {w:.9} {s:.9} {e:.9} {s:.9} {e:.9} {n:.9} {w:.9} {n:.9}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_on_the_sky() {
        let nan = f64::NAN;
        let f = Footprint::of(&[10.0, nan, 11.5], &[-2.0, nan, 3.0], &[5.0, nan, 6.0]).unwrap();
        assert_eq!(
            f.s_region(),
            "POLYGON ICRS  10.000000000 -2.000000000 11.500000000 -2.000000000 \
             11.500000000 3.000000000 10.000000000 3.000000000"
        );
        assert_eq!(f.lambda, (5.0, 6.0));
        assert!(Footprint::of(&[nan], &[nan], &[nan]).is_none());
    }

    #[test]
    fn wavelengths_out_of_the_channels_do_not_count() {
        let ra = [10.0, f64::NAN, 11.0];
        let f = Footprint::of(&ra, &ra, &[5.0, 4.0, 6.0]).unwrap();
        assert_eq!(f.lambda, (5.0, 6.0));
    }

    #[test]
    fn boxes_across_zero() {
        let dec = [0.0; 5];
        let most_west = [359.5, 359.7, 359.9, 0.1, 0.2];
        let most_east = [359.5, 359.9, 0.1, 0.2, 0.3];
        for (ra, high) in [(most_west, 0.2), (most_east, 0.3)] {
            let f = Footprint::of(&ra, &dec, &dec).unwrap();
            assert!((f.ra.0 - 359.5).abs() < 1e-9, "{f:?}");
            assert!((f.ra.1 - high).abs() < 1e-9, "{f:?}");
        }
    }
}
