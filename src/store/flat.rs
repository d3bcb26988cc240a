//! Synthetic flats ([`SyntheticFlat`]) from and to files, and what their files are called.
//!
//! Layout (King et al. 2023): the flat as float64 primary image, `FLAT_CORRECTED`, `FLAT_STD`, and `FLAT_ERR` where the flat
//! has an uncertainty.

use std::path::{Path, PathBuf};

use crate::formats::fits::{Data, FitsFile, Writer};
use crate::model::{Meta, SyntheticFlat};
use crate::{Error, Result};

/// Name of a MIRI flat; `{channel}`, `{band}` (lower case) and `{fringe}` are filled in.
pub const MIRI_NAME: &str = "ch{channel}-{band}_constructed_flat{fringe}.fits";

/// Reads a flat.
///
/// # Errors
/// [`Error::Format`] where it is none.
pub fn read_flat(path: &Path) -> Result<SyntheticFlat> {
    let file = FitsFile::open(path)?;
    let [nz, ny, nx] = *file.shape(0)? else {
        return Err(Error::format(
            path,
            "is no synthetic flat: its primary HDU holds no cube (wavelength, y, x)",
        ));
    };
    let flat: Vec<f64> = file.all(0)?;
    let planes = (1..file.hdus().len())
        .map(|i| file.hdu(i))
        .collect::<Result<Vec<_>>>()?;
    let err = match file.find("FLAT_ERR") {
        Some(i) if file.shape(i)? != [nz, ny, nx] => {
            let shape = file.shape(i)?;
            return Err(Error::format(
                path,
                format!("FLAT_ERR has shape {shape:?} and the flat [{nz}, {ny}, {nx}]"),
            ));
        }
        Some(i) => Some(file.all(i)?),
        None => None,
    };
    Ok(SyntheticFlat {
        source: path.into(),
        header: file.hdus()[0].header.clone(),
        nz,
        ny,
        nx,
        flat,
        err,
        planes,
    })
}

/// Writes a flat, whole or not at all.
///
/// # Errors
/// [`Error::Io`].
pub fn write_flat(path: &Path, flat: &SyntheticFlat) -> Result<()> {
    let mut w = Writer::create(path, false)?;
    w.image::<f64>(&flat.header, &[flat.nz, flat.ny, flat.nx])?;
    w.put(0, &flat.flat)?;
    for hdu in &flat.planes {
        w.hdu(hdu)?;
    }
    w.finish()
}

/// Whether the 2-D residual-fringe correction was applied, which flats are kept apart by.
pub fn defringed(meta: &Meta) -> bool {
    meta.str("S_RESFRI").is_some_and(|s| s.trim() == "COMPLETE")
}

/// The flat's path for a cube: a folder (of MIRI flats under their usual names) or a pattern with `{channel}`, `{band}`,
/// `{fringe}`, `{grating}`, `{filter}`, which are filled in from the cube's headers in lower case.
///
/// # Errors
/// [`Error::Input`] where the cube lacks a keyword the name needs; [`Error::Parameter`] where the pattern has another
/// placeholder, or where a folder is given for an instrument whose flats have no usual name.
pub fn flat_path(pattern: &Path, meta: &Meta) -> Result<PathBuf> {
    let text = pattern.to_string_lossy();
    let text = match pattern.is_dir() {
        true if !meta.is_miri() => {
            return Err(Error::parameter(format!(
                "{text} is a folder; only MIRI flats have a usual name. Give a pattern such as \
                 {text}/{{filter}}_{{grating}}_flat.fits"
            )));
        }
        true => pattern.join(MIRI_NAME).to_string_lossy().into_owned(),
        false => text.into_owned(),
    };
    fill(&text, meta).map(PathBuf::from)
}

/// The usual name of a MIRI flat made of cubes like this one.
///
/// # Errors
/// [`Error::Input`] where the cube lacks a keyword.
pub fn miri_name(meta: &Meta) -> Result<String> {
    fill(MIRI_NAME, meta)
}

fn fill(pattern: &str, meta: &Meta) -> Result<String> {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, behind)) = after.split_once('}') else {
            break;
        };
        out.push_str(before);
        match name {
            "fringe" if defringed(meta) => out.push_str("_fringe"),
            "fringe" => {}
            "channel" | "band" | "grating" | "filter" => {
                let value = meta.need_str(&name.to_ascii_uppercase())?;
                out.push_str(&value.trim().to_lowercase());
            }
            other => {
                return Err(Error::parameter(format!(
                    "{pattern}: there is no placeholder {{{other}}}; there are {{channel}}, {{band}}, {{fringe}}, \
                     {{grating}}, {{filter}}"
                )));
            }
        }
        rest = behind;
    }
    out.push_str(rest);
    Ok(out)
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
    fn names_follow_the_cube() {
        let dir = tempfile::tempdir().unwrap();
        let miri = cube(&[("INSTRUME", "MIRI"), ("CHANNEL", "4"), ("BAND", "SHORT")]);
        let found = flat_path(dir.path(), &miri).unwrap();
        assert_eq!(found, dir.path().join("ch4-short_constructed_flat.fits"));
        let mut fringe = miri.clone();
        fringe.primary.set("S_RESFRI", "COMPLETE", "");
        assert_eq!(
            miri_name(&fringe).unwrap(),
            "ch4-short_constructed_flat_fringe.fits"
        );
        let nirspec = cube(&[
            ("INSTRUME", "NIRSPEC"),
            ("FILTER", "F290LP"),
            ("GRATING", "G395H"),
        ]);
        let found = flat_path(Path::new("x/{grating}_{filter}.fits"), &nirspec).unwrap();
        assert_eq!(found, Path::new("x/g395h_f290lp.fits"));
        assert!(matches!(
            flat_path(dir.path(), &nirspec),
            Err(Error::Parameter { .. })
        ));
        assert!(flat_path(Path::new("{tile}.fits"), &miri).is_err());
        assert!(flat_path(Path::new("{channel}.fits"), &nirspec).is_err());
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
