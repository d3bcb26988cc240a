//! `Cube`: a spectral cube (`_s3d`).

use std::sync::Arc;

use super::meta::Meta;
use crate::formats::asdf::Node;
use crate::formats::fits::Hdu;
use crate::{Error, Result};

/// A spectral cube (calwebb's `IFUCubeModel`), `[wavelength][y][x]`.
#[derive(Debug, Clone)]
pub struct Cube {
    /// Headers; the `SCI` header holds the cube's FITS WCS.
    pub meta: Meta,
    /// What the product's name has between the association's name and `_s3d`, as in `ch1-medium`; empty for nothing.
    pub label: String,
    /// Wavelengths.
    pub nz: usize,
    /// Rows.
    pub ny: usize,
    /// Columns.
    pub nx: usize,
    /// Surface brightness in MJy/sr.
    pub sci: Vec<f32>,
    /// Standard error in MJy/sr.
    pub err: Vec<f32>,
    /// Flags.
    pub dq: Vec<u32>,
    /// Weight (the number of pixels, or of pixel fractions, behind each voxel).
    pub wmap: Vec<f32>,
    /// Wavelengths in micron where they are a table (`WCS-TABLE`), none where they are linear.
    pub wavelength: Option<Vec<f32>>,
    /// The gwcs object of the product's tree (`meta.wcs`).
    pub wcs: Option<Arc<Node>>,
    /// Further HDUs of the product, before the ASDF extension (`HDRTAB`).
    pub extra: Vec<Hdu>,
    /// HDUs after the ASDF extension, in the file's order: backplanes, and what the planet steps append.
    pub planes: Vec<Hdu>,
}

impl Cube {
    /// Voxels of one wavelength.
    pub fn plane(&self) -> usize {
        self.ny * self.nx
    }

    /// Wavelengths in micron: of the `SCI` header's third axis, from its table where `CTYPE3` is `WAVE-TAB`.
    ///
    /// # Errors
    /// [`Error::Input`] where the header or the table does not give them.
    pub fn wavelengths(&self) -> Result<Vec<f64>> {
        let sci = &self.meta.sci;
        let bad = |what: String| {
            Error::input_file(&self.meta.source, format!("{what}; it has no wavelengths"))
        };
        if sci.str("CTYPE3") == Some("WAVE-TAB") {
            return match &self.wavelength {
                Some(table) if table.len() == self.nz => {
                    Ok(table.iter().map(|w| f64::from(*w)).collect())
                }
                _ => Err(bad("CTYPE3 is WAVE-TAB and WCS-TABLE is missing".into())),
            };
        }
        let number = |k: &str| sci.f64(k).filter(|v| v.is_finite());
        let need = |v: Option<f64>, k: &str| v.ok_or_else(|| bad(format!("SCI lacks {k}")));
        let first = need(number("CRVAL3"), "CRVAL3")?;
        let step = need(
            number("CD3_3").or_else(|| number("CDELT3")),
            "CD3_3 and CDELT3",
        )?;
        let at = number("CRPIX3").unwrap_or(1.0);
        Ok((0..self.nz)
            .map(|i| first + step * (i as f64 + 1.0 - at))
            .collect())
    }
}

/// The cubes of a set of exposures.
#[derive(Debug, Clone)]
pub struct Cubes(pub Vec<Cube>);

#[cfg(test)]
mod tests {
    use super::*;

    fn cube() -> Cube {
        let mut meta = Meta::default();
        for (k, v) in [("CRVAL3", 5.0), ("CDELT3", 0.5), ("CRPIX3", 1.0)] {
            meta.sci.set(k, v, "");
        }
        Cube {
            meta,
            label: String::new(),
            nz: 3,
            ny: 0,
            nx: 0,
            sci: Vec::new(),
            err: Vec::new(),
            dq: Vec::new(),
            wmap: Vec::new(),
            wavelength: Some(vec![7.0, 8.0, 10.0]),
            wcs: None,
            extra: Vec::new(),
            planes: Vec::new(),
        }
    }

    #[test]
    fn wavelengths_are_those_of_the_axis() {
        let mut c = cube();
        assert_eq!(c.wavelengths().unwrap(), [5.0, 5.5, 6.0]);
        // FITS counts from the reference pixel
        c.meta.sci.set("CRPIX3", 2.0, "");
        c.meta.sci.set("CD3_3", 1.0, "");
        assert_eq!(c.wavelengths().unwrap(), [4.0, 5.0, 6.0]);
        c.meta.sci.set("CTYPE3", "WAVE-TAB", "");
        assert_eq!(c.wavelengths().unwrap(), [7.0, 8.0, 10.0]);
        c.wavelength = None;
        assert!(c.wavelengths().is_err());
        c.meta.sci.set("CTYPE3", "WAVE", "");
        c.meta.sci.remove("CRVAL3");
        assert!(c.wavelengths().unwrap_err().to_string().contains("CRVAL3"));
    }
}
