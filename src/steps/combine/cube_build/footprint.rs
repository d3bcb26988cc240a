//! The corners of a channel's field on the sky, which the cube has to hold.

use crate::model::Meta;

/// Four points of the sky, right ascension and declination in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Footprint(pub [[f64; 2]; 4]);

/// Puts right ascensions in degrees on the side of 0 where most of them are; values may leave 0 to 360. Values must be finite.
pub fn unwrapped(ra: &[f64]) -> Option<Vec<f64>> {
    let (low, high) = ra
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
            (l.min(*v), h.max(*v))
        });
    if high - low <= 180.0 {
        return None;
    }
    let mut sorted = ra.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    let median = if n % 2 == 1 {
        sorted[n / 2]
    } else {
        (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0
    };
    let side = match median {
        m if m < 180.0 => -360.0,
        m if m > 180.0 => 360.0,
        _ => 0.0,
    };
    let shifted = ra.iter().map(|v| match (v - median).abs() > 180.0 {
        true => v + side,
        false => *v,
    });
    Some(shifted.collect())
}

impl Footprint {
    /// The points farthest west, east, south and north of some; none of none.
    pub fn of_pixels(ra: &[f64], dec: &[f64]) -> Option<Self> {
        let finite = |v: (&f64, &f64)| v.0.is_finite() && v.1.is_finite();
        let (a, b): (Vec<f64>, Vec<f64>) = ra.iter().zip(dec).filter(|v| finite(*v)).unzip();
        let a = unwrapped(&a).unwrap_or(a);
        let first = |better: &dyn Fn(usize, usize) -> bool| {
            (0..a.len()).reduce(|best, k| if better(k, best) { k } else { best })
        };
        let west = first(&|k, best| a[k] < a[best])?;
        let east = first(&|k, best| a[k] > a[best])?;
        let south = first(&|k, best| b[k] < b[best])?;
        let north = first(&|k, best| b[k] > b[best])?;
        Some(Self(
            [west, east, south, north].map(|k| [a[k].rem_euclid(360.0), b[k]]),
        ))
    }

    /// The corners that the keyword `S_REGION` says; none where it does not.
    pub fn of_keyword(meta: &Meta) -> Option<Self> {
        let mut words = meta.str("S_REGION")?.split_whitespace();
        if !words.next()?.eq_ignore_ascii_case("POLYGON") {
            return None;
        }
        let numbers: Vec<f64> = words.filter_map(|w| w.parse().ok()).collect();
        let [a, b, c, d, e, f, g, h] = numbers[..] else {
            return None;
        };
        Some(Self([[a, b], [c, d], [e, f], [g, h]]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extreme_points() {
        let nan = f64::NAN;
        let f = Footprint::of_pixels(&[2.0, nan, 1.0, 3.0, 1.0], &[5.0, nan, 6.0, 7.0, 4.0]);
        assert_eq!(
            f,
            Some(Footprint([[1.0, 6.0], [3.0, 7.0], [1.0, 4.0], [3.0, 7.0]]))
        );
        assert_eq!(Footprint::of_pixels(&[nan], &[1.0]), None);
    }

    #[test]
    fn across_zero() {
        let f = Footprint::of_pixels(&[359.5, 0.25, 359.75], &[0.0, 1.0, 2.0]).unwrap();
        assert_eq!((f.0[0][0], f.0[1][0]), (359.5, 0.25));
        assert_eq!(unwrapped(&[1.0, 2.0]), None);
        assert_eq!(unwrapped(&[0.5, 1.0, 359.0]), Some(vec![0.5, 1.0, -1.0]));
    }

    #[test]
    fn the_keyword() {
        let mut meta = Meta::default();
        assert_eq!(Footprint::of_keyword(&meta), None);
        meta.sci
            .set("S_REGION", "POLYGON ICRS  1 2 3.5 4 5 6 7 8", "");
        let f = Footprint::of_keyword(&meta).unwrap();
        assert_eq!(f.0[1], [3.5, 4.0]);
        meta.sci.set("S_REGION", "POLYGON ICRS  1 2 3", "");
        assert_eq!(Footprint::of_keyword(&meta), None);
    }
}
