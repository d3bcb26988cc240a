//! `SyntheticFlat`: a flat field in cube space, made of dithers of an extended target.
//!
//! Not the detector's flat field of the calibration (`flat_field` step): this one has the shape of a single dither's
//! `_s3d` cube in the frame of the IFU, and what is left after calibration is divided by it.

use std::path::PathBuf;

use crate::formats::fits::{Card, Hdu, Header, Image, Value};

/// What the keywords about a flat's making begin with (written as `HIERARCH` cards).
pub const GENERATION: &str = "FLAT GENERATION";

/// A flat field cube, `[wavelength][y][x]` (King et al. 2023; Fletcher et al. 2023).
#[derive(Debug, Clone)]
pub struct SyntheticFlat {
    /// The file it was read from (for messages).
    pub source: PathBuf,
    /// Primary header, with the `FLAT GENERATION` keywords.
    pub header: Header,
    /// Wavelengths.
    pub nz: usize,
    /// Rows.
    pub ny: usize,
    /// Columns.
    pub nx: usize,
    /// Relative response; NaN where it is not known.
    pub flat: Vec<f64>,
    /// Standard error of the relative response (`FLAT_ERR`), where the flat has one.
    pub err: Option<Vec<f64>>,
    /// The HDUs behind the primary, in the file's order: `FLAT_CORRECTED`, `FLAT_STD` and, where there is one, `FLAT_ERR`.
    pub planes: Vec<Hdu>,
}

/// An image HDU of this name and description.
fn plane(name: &str, about: &str, shape: &[usize], values: Vec<f64>) -> Hdu {
    let mut header = Header::new();
    header.set("DESC", about, "");
    header.set("EXTNAME", name, "extension name");
    Hdu {
        header,
        data: crate::formats::fits::Data::Image(Image::new(shape, values)),
    }
}

impl SyntheticFlat {
    /// A flat with the planes that follow from it: which wavelengths are corrected (any value is not 1) and the standard
    /// deviation over the image where they are.
    pub fn new(
        header: Header,
        [nz, ny, nx]: [usize; 3],
        flat: Vec<f64>,
        err: Option<Vec<f64>>,
    ) -> Self {
        let images = || flat.chunks_exact((ny * nx).max(1));
        let corrected: Vec<bool> = images().map(|i| i.iter().any(|v| *v != 1.0)).collect();
        let std: Vec<f64> = images()
            .zip(&corrected)
            .map(|(i, c)| if *c { deviation(i) } else { f64::NAN })
            .collect();
        let flags = corrected.iter().map(|c| f64::from(u8::from(*c))).collect();
        let mut planes = vec![
            plane(
                "FLAT_CORRECTED",
                "Wavelengths corrected (1) or skipped (0) by flat field",
                &[nz],
                flags,
            ),
            plane("FLAT_STD", "Standard deviation of flat field", &[nz], std),
        ];
        if let Some(err) = &err {
            planes.push(plane(
                "FLAT_ERR",
                "Standard error of flat field",
                &[nz, ny, nx],
                err.clone(),
            ));
        }
        Self {
            source: PathBuf::new(),
            header,
            nz,
            ny,
            nx,
            flat,
            err,
            planes,
        }
    }

    /// The value of a `FLAT GENERATION` keyword.
    pub fn generation(&self, name: &str) -> Option<&Value> {
        self.header.get(&format!("{GENERATION} {name}"))
    }

    /// The cards about the flat's making, which products corrected with it take over.
    pub fn generation_cards(&self) -> impl Iterator<Item = &Card> {
        let cards = self.header.cards().iter();
        cards.filter(|c| c.keyword.starts_with(GENERATION))
    }
}

/// Standard deviation (population) of the values that are not NaN; NaN where there are none.
fn deviation(values: &[f64]) -> f64 {
    let known = || values.iter().filter(|v| !v.is_nan());
    let n = known().count() as f64;
    let mean = known().sum::<f64>() / n;
    (known().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::fits::{Data, Pixels};

    #[test]
    fn the_planes_follow_from_the_flat() {
        let cube = vec![1.0, 1.0, 1.0, 1.0, 0.9, 1.1, f64::NAN, 1.0];
        let flat = SyntheticFlat::new(Header::new(), [2, 2, 2], cube, None);
        let values = |i: usize| match &flat.planes[i].data {
            Data::Image(Image {
                pixels: Pixels::F64(v),
                ..
            }) => v.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(flat.planes.len(), 2);
        assert_eq!(values(0), [0.0, 1.0]);
        assert!(values(1)[0].is_nan());
        assert!((values(1)[1] - (0.02f64 / 3.0).sqrt()).abs() < 1e-15);
    }

    #[test]
    fn a_wavelength_without_any_value_has_no_deviation() {
        let flat = SyntheticFlat::new(Header::new(), [1, 1, 2], vec![f64::NAN; 2], None);
        assert!(matches!(&flat.planes[1].data, Data::Image(i) if i.pixels.to_f64()[0].is_nan()));
    }
}
