//! Which kernel to fetch for what is missing, and what using a barycentre instead costs.
//!
//! Names are those on NAIF's server at the time of writing; newer ones replace them there.

use super::bodies::barycentre;

/// Where the general kernels are.
const GENERIC: &str = "https://naif.jpl.nasa.gov/pub/naif/generic_kernels/spk/";

/// The kernel that usually has a body, with where to fetch it.
#[must_use]
pub fn kernel_for(body: i32) -> String {
    let satellites = |name: &str| format!("{name} from {GENERIC}satellites/");
    match body {
        -170 => "jwst_rec.bsp (past) and jwst_pred.bsp (future) from \
                 https://naif.jpl.nasa.gov/pub/naif/JWST/kernels/spk/"
            .into(),
        -48 => "hst.bsp from https://naif.jpl.nasa.gov/pub/naif/HST/kernels/spk/".into(),
        i32::MIN..0 => "the mission's kernel from https://naif.jpl.nasa.gov/pub/naif/".into(),
        0..=10 | 199 | 299 | 301 | 399 => format!("de440.bsp from {GENERIC}planets/"),
        401..=499 => satellites("mar099.bsp"),
        501..=505 | 514..=516 | 599 => satellites("jup365.bsp"),
        506..=598 | 55_000..=55_999 => satellites("jup349.bsp (irregular satellites)"),
        601..=618 | 632..=635 | 649 | 653 | 699 => satellites("sat441.bsp"),
        619..=698 | 65_000..=65_999 => satellites("sat457.bsp (irregular satellites)"),
        701..=705 | 799 => satellites("ura111.bsp"),
        706..=715 | 725..=727 => satellites("ura115.bsp (inner satellites)"),
        716..=798 | 75_000..=75_999 => satellites("ura113.bsp (irregular satellites)"),
        801 | 803..=808 | 814 | 899 => satellites("nep097.bsp (Triton, planet) or nep095.bsp (inner satellites)"),
        802 | 809..=898 | 85_000..=85_999 => satellites("nep105.bsp (irregular satellites)"),
        901..=999 => satellites("plu060.bsp"),
        _ => "one made for this asteroid or comet by JPL Horizons (https://ssd.jpl.nasa.gov/horizons/, \
              ephemeris type SPK)"
            .into(),
    }
}

/// For a planet: its system's barycentre, and how far (km) that is from the planet's centre at most,
/// by the masses and orbits of its satellites (GMs of `gm_de440.tpc`).
#[must_use]
pub fn barycentre_instead(planet: i32) -> Option<(i32, f64)> {
    let most = match planet {
        199 | 299 => 0.0,
        399 => 4950.0,
        499 => 0.001,
        599 => 230.0,
        699 => 310.0,
        799 => 45.0,
        899 => 76.0,
        999 => 2140.0,
        _ => return None,
    };
    Some((barycentre(planet)?, most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_has_some_advice() {
        for body in [
            -170, -48, -82, 0, 5, 10, 301, 401, 502, 599, 553, 611, 625, 701, 716, 801, 802, 901,
            2_000_433, 1_000_012,
        ] {
            assert!(kernel_for(body).contains("https://"), "{body}");
        }
        assert!(kernel_for(502).starts_with("jup365.bsp"));
        assert_eq!(barycentre_instead(699), Some((6, 310.0)));
        assert_eq!(barycentre_instead(606), None);
    }
}
