//! Colour maps: numbers from 0 to 1 to colours, told apart also by those who see few colours.
//!
//! Each is a short table with straight lines between, within 3 of 255 of the maps that matplotlib has under these names.

use super::figure::Colour;

/// A colour map.
#[derive(Debug, PartialEq)]
pub struct ColourMap {
    /// Its name.
    pub name: &'static str,
    /// Colours at equal distances.
    table: &'static [u32],
}

impl ColourMap {
    /// The colour of a number, the end's for those below 0 or above 1; see-through for NaN.
    #[must_use]
    pub fn at(&self, fraction: f64) -> Colour {
        let last = self.table.len() - 1;
        if fraction.is_nan() {
            return Colour([0; 4]);
        }
        let place = fraction.clamp(0.0, 1.0) * last as f64;
        let below = (place as usize).min(last);
        let (a, b) = (self.table[below], self.table[(below + 1).min(last)]);
        let t = place - below as f64;
        let mix = |k: usize| {
            let (a, b) = (a.to_be_bytes()[k], b.to_be_bytes()[k]);
            (f64::from(a) + t * (f64::from(b) - f64::from(a))).round() as u8
        };
        Colour([mix(1), mix(2), mix(3), 255])
    }

    /// Colours of values between two limits, in their order; see-through where a value is not finite. Where the limits are
    /// equal, the middle.
    #[must_use]
    pub fn paint(&self, values: &[f64], [low, high]: [f64; 2]) -> Vec<Colour> {
        let fraction = |v: f64| match v.is_finite() {
            false => f64::NAN,
            true if high > low => (v - low) / (high - low),
            true => 0.5,
        };
        values.iter().map(|v| self.at(fraction(*v))).collect()
    }
}

/// The map of a name; case does not count.
#[must_use]
pub fn find(name: &str) -> Option<&'static ColourMap> {
    ALL.iter()
        .copied()
        .find(|m| m.name.eq_ignore_ascii_case(name))
}

/// Dark blue through red to yellow; brightness grows evenly (S. van der Walt, N. Smith, CC0).
pub static PLASMA: ColourMap = ColourMap {
    name: "plasma",
    table: &[
        0x0d0887, 0x220690, 0x310596, 0x3f049c, 0x4c02a1, 0x5901a5, 0x6600a7, 0x7201a8, 0x7e03a8,
        0x8909a6, 0x9511a2, 0x9f1a9c, 0xa92396, 0xb22c8e, 0xbb3587, 0xc33e80, 0xcb4778, 0xd25071,
        0xd9596a, 0xe06263, 0xe66c5c, 0xeb7555, 0xf07f4f, 0xf48a48, 0xf89441, 0xfb9f3a, 0xfdab33,
        0xfeb72d, 0xfdc328, 0xfcd025, 0xf9dd25, 0xf5eb27, 0xf0f921,
    ],
};
/// Dark violet through green to yellow; brightness grows evenly (S. van der Walt, N. Smith, E. Firing, CC0).
pub static VIRIDIS: ColourMap = ColourMap {
    name: "viridis",
    table: &[
        0x440154, 0x470d60, 0x48186a, 0x482374, 0x472d7b, 0x453681, 0x424086, 0x3f4989, 0x3b528b,
        0x375a8d, 0x33638d, 0x2f6a8e, 0x2c728e, 0x297a8e, 0x26818e, 0x23898e, 0x21908c, 0x1f988b,
        0x1f9f88, 0x21a685, 0x28ae80, 0x31b57b, 0x3ebc74, 0x4cc26c, 0x5dc963, 0x6ece58, 0x82d34c,
        0x96d83f, 0xabdc32, 0xc0df24, 0xd5e21a, 0xeae51a, 0xfde725,
    ],
};
/// Black through red to light yellow; brightness grows evenly (S. van der Walt, N. Smith, CC0).
pub static INFERNO: ColourMap = ColourMap {
    name: "inferno",
    table: &[
        0x000004, 0x040312, 0x0b0724, 0x150b37, 0x210c4a, 0x2e0a5a, 0x3c0965, 0x4a0c6b, 0x57106d,
        0x63146e, 0x70196e, 0x7d1e6d, 0x89226a, 0x962766, 0xa32b61, 0xaf315c, 0xbb3755, 0xc63e4d,
        0xd14644, 0xdb4f3b, 0xe35932, 0xeb6528, 0xf1711e, 0xf67f14, 0xf98d0a, 0xfb9c06, 0xfcab0f,
        0xfbba1f, 0xf9ca32, 0xf5d949, 0xf2e865, 0xf3f586, 0xfcffa4,
    ],
};
/// Light yellow to dark red (ColorBrewer, C. Brewer).
pub static YL_OR_RD: ColourMap = ColourMap {
    name: "YlOrRd",
    table: &[
        0xffffcc, 0xffeda0, 0xfed976, 0xfeb24c, 0xfd8d3c, 0xfc4e2a, 0xe31a1c, 0xbd0026, 0x800026,
    ],
};
/// Brown through white to blue-green, for differences (ColorBrewer, C. Brewer).
pub static BR_BG: ColourMap = ColourMap {
    name: "BrBG",
    table: &[
        0x543005, 0x8c510a, 0xbf812d, 0xdfc27d, 0xf6e8c3, 0xf5f5f5, 0xc7eae5, 0x80cdc1, 0x35978f,
        0x01665e, 0x003c30,
    ],
};
/// Red through white to blue, for differences (ColorBrewer, C. Brewer).
pub static RD_BU: ColourMap = ColourMap {
    name: "RdBu",
    table: &[
        0x67001f, 0xb2182b, 0xd6604d, 0xf4a582, 0xfddbc7, 0xf7f7f7, 0xd1e5f0, 0x92c5de, 0x4393c3,
        0x2166ac, 0x053061,
    ],
};
/// All of them.
pub static ALL: [&ColourMap; 6] = [&PLASMA, &VIRIDIS, &INFERNO, &YL_OR_RD, &BR_BG, &RD_BU];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_the_names() {
        assert_eq!(PLASMA.at(0.0), Colour::rgb(0x0d0887));
        assert_eq!(PLASMA.at(2.0), Colour::rgb(0xf0f921));
        // matplotlib's viridis in the middle: 33, 145, 140
        let Colour(c) = VIRIDIS.at(0.5);
        for (a, b) in c.iter().zip([33u8, 145, 140, 255]) {
            assert!(a.abs_diff(b) <= 2, "{c:?}");
        }
        assert_eq!(BR_BG.at(0.5), Colour::rgb(0xf5f5f5));
        assert_eq!(YL_OR_RD.at(f64::NAN), Colour([0; 4]));
        assert_eq!(find("rdbu"), Some(&RD_BU));
        assert!(find("jet").is_none());
    }

    #[test]
    fn brightness_grows_along_the_maps_of_values() {
        for map in [&PLASMA, &VIRIDIS, &INFERNO] {
            let bright = |k: usize| {
                let Colour([r, g, b, _]) = map.at(k as f64 / 40.0);
                0.2126 * f64::from(r) + 0.7152 * f64::from(g) + 0.0722 * f64::from(b)
            };
            assert!((1..=40).all(|k| bright(k) >= bright(k - 1)), "{}", map.name);
        }
    }

    #[test]
    fn values_between_limits() {
        let colours = PLASMA.paint(&[1.0, 3.0, f64::NAN, f64::INFINITY], [1.0, 3.0]);
        assert_eq!(colours[..2], [PLASMA.at(0.0), PLASMA.at(1.0)]);
        assert_eq!(colours[2..], [Colour([0; 4]); 2]);
        assert_eq!(PLASMA.paint(&[5.0], [5.0, 5.0]), [PLASMA.at(0.5)]);
    }
}
