//! Weights of the modified Shepard methods: pixels are points, and a spaxel takes those in a region about its centre.

use std::ops::Range;

/// How a point's weight falls with its distance in spaxels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fall {
    /// `emsm`: exponential, of this scale in arcsec.
    Exponential(f64),
    /// `msm`: a power, not below a least distance.
    Power {
        /// The power.
        power: f64,
        /// Least value of the distance to this power.
        soft: f64,
    },
}

impl Fall {
    /// Weight at a squared distance; `scale` is the size of a spaxel in arcsec.
    #[inline]
    pub fn weight(self, squared: f64, scale: f64) -> f64 {
        match self {
            Self::Exponential(radius) => (-squared / (radius / scale)).exp(),
            Self::Power { power, soft } => {
                let fallen = squared.sqrt().powf(power);
                1.0 / if fallen < soft { soft } else { fallen }
            }
        }
    }
}

/// What counts for one pixel: the region it reaches and its weights in there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reach {
    /// Radius on the sky in arcsec.
    pub spatial: f64,
    /// Half length along the spectrum in micron.
    pub spectral: f64,
    /// Weights.
    pub fall: Fall,
}

/// The centres (in ascending order) within `radius` of a value.
pub fn within(centres: &[f64], value: f64, radius: f64) -> Range<usize> {
    within_about(centres, value, radius, &mut (centres.len() / 2))
}

/// The same, looked for first near `about`, which is kept from one value to its neighbour.
pub fn within_about(centres: &[f64], value: f64, radius: f64, about: &mut usize) -> Range<usize> {
    let near = |c: f64| (c - value).abs() <= radius;
    let start = partition_about(centres, |c| c < value && !near(c), about);
    // a few, mostly
    let len = centres[start..].iter().take_while(|c| near(**c)).count();
    start..start + len
}

/// How many values at the beginning are `before`, which no later one is: as by `partition_point`, but looked for first near
/// `about`, which is set to it.
pub fn partition_about(values: &[f64], before: impl Fn(f64) -> bool, about: &mut usize) -> usize {
    const STEPS: usize = 8;
    let mut at = (*about).min(values.len());
    for _ in 0..STEPS {
        if at < values.len() && before(values[at]) {
            at += 1;
        } else if at > 0 && !before(values[at - 1]) {
            at -= 1;
        } else {
            *about = at;
            return at;
        }
    }
    *about = values.partition_point(|v| before(*v));
    *about
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn centres_within_a_radius() {
        let c = [0.0, 1.0, 2.0, 3.0];
        assert_eq!(within(&c, 1.5, 0.5), 1..3);
        assert_eq!(within(&c, 1.5, 0.4), 2..2);
        assert_eq!(within(&c, -1.0, 2.5), 0..2);
        assert_eq!(within(&c, 9.0, 6.0), 3..4);
        let many: Vec<f64> = (0..50).map(f64::from).collect();
        for about in [0, 20, 49, 99] {
            for value in [-1.0, 0.0, 17.5, 24.0, 49.0, 60.0, f64::NAN] {
                let mut place = about;
                let found = partition_about(&many, |v| v < value, &mut place);
                assert_eq!(
                    found,
                    many.partition_point(|v| *v < value),
                    "{about} {value}"
                );
                assert_eq!(place, found);
            }
        }
        assert!(within(&c, f64::NAN, 6.0).is_empty());
        assert!(within(&c, 1.0, f64::NAN).is_empty());
    }

    #[test]
    fn weights_fall() {
        let e = Fall::Exponential(0.26);
        assert_eq!(e.weight(0.0, 0.13), 1.0);
        assert_eq!(e.weight(2.0, 0.13), (-1.0_f64).exp());
        let p = Fall::Power {
            power: 2.0,
            soft: 0.01,
        };
        assert_eq!(p.weight(0.0, 0.13), 100.0);
        assert_eq!(p.weight(4.0, 0.13), 0.25);
    }
}
