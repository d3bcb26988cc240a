//! Whether the members of a level-2 association go together, pixel by pixel.
//!
//! calwebb takes an association's word for it; here a member of another detector or band is an error, since
//! its pixels see another wavelength.

use crate::model::{Cal, Meta};
use crate::{Error, Result};

/// Keywords that must be the same in an exposure and the members that are combined with it.
const SAME: [&str; 7] = [
    "INSTRUME", "DETECTOR", "BAND", "CHANNEL", "GRATING", "FILTER", "SUBARRAY",
];

/// The part of the detector an image covers: first column and row (from 1), columns, rows.
fn window(meta: &Meta, ny: usize, nx: usize) -> [i64; 4] {
    let start = |keyword: &str| meta.i64(keyword).unwrap_or(1);
    [start("SUBSTRT1"), start("SUBSTRT2"), nx as i64, ny as i64]
}

/// Checks that a member shows the same detector in the same setting as the exposure.
///
/// # Errors
/// [`Error::Input`] naming the member and what is different.
pub fn check(science: &Cal, member: &Cal) -> Result<()> {
    for keyword in SAME {
        let (own, other) = (science.meta.str(keyword), member.meta.str(keyword));
        if let (Some(own), Some(other)) = (own, other)
            && !own.eq_ignore_ascii_case(other)
        {
            return Err(Error::input_file(
                &member.meta.source,
                format!(
                    "{keyword} = {other}, but {} of {}; members of one association must agree in it",
                    own,
                    science.meta.source.display()
                ),
            ));
        }
    }
    let place = |c: &Cal| window(&c.meta, c.ny, c.nx);
    if place(science) != place(member) {
        let text = |c: &Cal| {
            let [x, y, nx, ny] = place(c);
            format!("{nx} columns from {x}, {ny} rows from {y}")
        };
        return Err(Error::input_file(
            &member.meta.source,
            format!(
                "covers {} of the detector and {} covers {}; both must cover the same part",
                text(member),
                science.meta.source.display(),
                text(science)
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
pub(in crate::steps) mod tests {
    use std::sync::OnceLock;

    use super::*;
    use crate::formats::fits::Header;

    /// An image of one row with the values given, errors 1.
    pub fn row(values: &[f32]) -> Cal {
        let n = values.len();
        Cal {
            meta: Meta {
                source: "row_rate.fits".into(),
                ..Meta::default()
            },
            ny: 1,
            nx: n,
            sci: values.to_vec(),
            err: vec![1.0; n],
            dq: vec![0; n],
            var_poisson: vec![0.25; n],
            var_rnoise: vec![0.75; n],
            var_flat: None,
            wcs: None,
            spectral_region: None,
            map: OnceLock::new(),
            extra: Vec::new(),
        }
    }

    #[test]
    fn another_band_and_another_place_are_named() {
        let with = |keyword: &str, value: &str| {
            let mut cal = row(&[1.0, 2.0]);
            let mut h = Header::new();
            h.set(keyword, value, "");
            cal.meta.primary = h;
            cal
        };
        let (short, long) = (with("BAND", "SHORT"), with("BAND", "LONG"));
        assert!(check(&short, &short).is_ok());
        assert!(check(&short, &row(&[0.0, 0.0])).is_ok());
        let said = check(&short, &long).unwrap_err().to_string();
        assert!(
            said.contains("BAND = LONG") && said.contains("SHORT"),
            "{said}"
        );
        let mut moved = row(&[1.0, 2.0]);
        moved.meta.primary.set("SUBSTRT1", 5i64, "");
        let said = check(&short, &moved).unwrap_err().to_string();
        assert!(said.contains("2 columns from 5"), "{said}");
    }
}
