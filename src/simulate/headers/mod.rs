//! Headers of level-1b exposures: every keyword in calwebb's order and blocks.

mod primary;
mod science;

pub use primary::primary;
pub use science::{moving_target, science};

use super::ephemeris::{LIGHT, Vector, dot, unit};
use crate::formats::fits::{Card, Header, Value};

/// Date of all files: simulated data carry no clock.
pub const FILE_DATE: &str = "2023-07-13T00:00:00.000";

/// Builds a header block by block.
pub struct Builder(Header);

impl Builder {
    /// Title of a block.
    pub fn title(&mut self, text: &str) -> &mut Self {
        for line in ["", text, ""] {
            self.0.push(Card::commentary("", line));
        }
        self
    }
    /// A card.
    pub fn put(&mut self, keyword: &str, value: impl Into<Value>, comment: &str) -> &mut Self {
        self.0.push(Card::new(keyword, value, comment));
        self
    }
}

/// Light travel time from JWST's place to a plane through `origin`, s: what brings a time there.
pub fn correction(position: Vector, target: Vector) -> f64 {
    dot(position, unit(target)) / LIGHT
}

#[cfg(test)]
mod tests {
    use super::super::observation::{Options, exposures};
    use super::*;

    #[test]
    fn headers_are_consistent_with_each_other() {
        for e in exposures(
            &Options {
                dithers: 4,
                ..Options::default()
            },
            false,
        ) {
            let (p, s) = (primary(&e), science(&e));
            assert_eq!(p.str("DATE-BEG").map(str::len), Some(23));
            assert_eq!(p.f64("EXPMID"), s.f64("MJD-AVG"));
            assert_eq!(p.f64("TARG_RA"), s.f64("MT_RA"));
            // the target lies off the reference point by the dither
            let (de, dn) = (
                (s.f64("RA_REF").unwrap() - s.f64("MT_RA").unwrap())
                    * s.f64("MT_DEC").unwrap().to_radians().cos(),
                s.f64("DEC_REF").unwrap() - s.f64("MT_DEC").unwrap(),
            );
            let (x, y) = (p.f64("XOFFSET").unwrap(), p.f64("YOFFSET").unwrap());
            assert!((de.hypot(dn) * 3600.0 - x.hypot(y)).abs() < 1e-4);
            assert!((s.f64("VA_SCALE").unwrap() - 1.000_09).abs() < 5e-6);
            assert!(p.f64("BARTDELT").unwrap().abs() < 500.0);
            let far = |k: [&str; 3]| {
                k.iter()
                    .map(|k| s.f64(k).unwrap().powi(2))
                    .sum::<f64>()
                    .sqrt()
            };
            assert!((far(["OBSGEO-X", "OBSGEO-Y", "OBSGEO-Z"]) / 1.5e9 - 1.0).abs() < 0.25);
            assert!((far(["JWST_X", "JWST_Y", "JWST_Z"]) / 1.496e8 - 1.0).abs() < 0.03);
            let table = moving_target(&e, e.times()[1]);
            let get = |n: &str| table.iter().find(|c| c.0 == n).unwrap().1;
            assert_eq!(get("mt_apparent_RA"), s.f64("MT_RA").unwrap());
            let offset = (get("mt_v2") - s.f64("V2_REF").unwrap())
                .hypot(get("mt_v3") - s.f64("V3_REF").unwrap());
            assert!((offset - x.hypot(y)).abs() < 1e-3);
        }
    }
}
