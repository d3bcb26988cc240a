//! Synthetic flats ([`SyntheticFlat`]) from and to files, and what their files are called.
//!
//! Layout (King et al. 2023): the flat as float64 primary image, `FLAT_CORRECTED`, `FLAT_STD`, and `FLAT_ERR` where the flat
//! has an uncertainty.

use std::path::Path;

use crate::Result;
use crate::formats::fits::{Data, Writer};
use crate::model::SyntheticFlat;

pub use crate::steps::planet::flat::file::{MIRI_NAME, defringed, flat_path, miri_name, read_flat};

/// Writes a flat, whole or not at all.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn write_flat(path: &Path, flat: &SyntheticFlat) -> Result<()> {
    let mut w = Writer::create(path, false)?;
    w.image::<f64>(&flat.header, &[flat.nz, flat.ny, flat.nx])?;
    w.put(0, &flat.flat)?;
    for hdu in &flat.planes {
        w.hdu(hdu)?;
    }
    w.finish()
}

/// Values of a plane of the flat, such as `FLAT_CORRECTED`; none where it has no such image.
pub fn plane_values(flat: &SyntheticFlat, name: &str) -> Option<Vec<f64>> {
    flat.planes.iter().find_map(|h| match &h.data {
        Data::Image(image) if h.header.str("EXTNAME") == Some(name) => Some(image.pixels.to_f64()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::fits::Header;
    use crate::model::Meta;

    fn cube(keys: &[(&str, &str)]) -> Meta {
        let mut meta = Meta::default();
        for (k, v) in keys {
            meta.primary.set(k, *v, "");
        }
        meta
    }

    #[test]
    fn a_flat_survives_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("flat.fits");
        let mut header = Header::new();
        header.set("FLAT GENERATION LAT_BIN_SIZE_FACTOR", 0.5, "");
        header.set("FLAT GENERATION DEFRINGED", true, "");
        let values = vec![1.0, 1.25, f64::NAN, 0.75];
        let err = Some(vec![0.0, 0.5, f64::NAN, 0.25]);
        let flat = SyntheticFlat::new(header, [1, 2, 2], values, err);
        write_flat(&path, &flat).unwrap();
        let back = read_flat(&path).unwrap();
        let bits = |v: &[f64]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back.flat), bits(&flat.flat));
        assert_eq!(bits(&back.err.unwrap()), bits(&flat.err.unwrap()));
        assert_eq!(
            back.header.f64("FLAT GENERATION LAT_BIN_SIZE_FACTOR"),
            Some(0.5)
        );
        assert_eq!(back.planes.len(), 3);
        let names: Vec<_> = back
            .planes
            .iter()
            .map(|p| p.header.str("EXTNAME"))
            .collect();
        assert_eq!(
            names,
            [Some("FLAT_CORRECTED"), Some("FLAT_STD"), Some("FLAT_ERR")]
        );
    }

    #[test]
    fn something_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.fits");
        let mut w = Writer::create(&path, false).unwrap();
        w.empty(&Header::new()).unwrap();
        w.finish().unwrap();
        let said = read_flat(&path).unwrap_err().to_string();
        assert!(said.contains("no synthetic flat"), "{said}");
    }

    #[test]
    fn published_flats_are_read() {
        let shared = std::env::var("SIFU_SHARED").unwrap_or_else(|_| "../shared".into());
        let folder = Path::new(&shared).join("real/saturn_flats");
        if !folder.is_dir() {
            println!("skipped: there is no {}", folder.display());
            return;
        }
        let meta = cube(&[("INSTRUME", "MIRI"), ("CHANNEL", "4"), ("BAND", "SHORT")]);
        let flat = read_flat(&flat_path(&folder, &meta).unwrap()).unwrap();
        assert_eq!([flat.nz, flat.ny, flat.nx], [542, 25, 25]);
        assert!(flat.err.is_none());
        assert_eq!(
            flat.generation("N_MERGED").and_then(|v| v.as_i64()),
            Some(2)
        );
        assert_eq!(flat.generation_cards().count(), 18);
        // what the file says of its wavelengths follows from its cube
        let again = SyntheticFlat::new(
            flat.header.clone(),
            [flat.nz, flat.ny, flat.nx],
            flat.flat.clone(),
            None,
        );
        for name in ["FLAT_CORRECTED", "FLAT_STD"] {
            let (a, b) = (plane_values(&flat, name), plane_values(&again, name));
            for (a, b) in a.unwrap().iter().zip(b.unwrap()) {
                assert!(
                    (a - b).abs() < 1e-12 || (a.is_nan() && b.is_nan()),
                    "{name}: {a} {b}"
                );
            }
        }
    }
}
