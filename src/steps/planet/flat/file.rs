//! The file of a synthetic flat: which one is a cube's, what it holds, and how it is laid over the cube.

use std::path::{Path, PathBuf};

use crate::formats::fits::FitsFile;
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

/// What a flat says it is of and the cube is not, if anything.
pub fn mismatch(flat: &SyntheticFlat, cube: &Meta) -> Option<String> {
    let keys = ["CHANNEL", "BAND", "FILTER", "GRATING"];
    keys.into_iter().find_map(|key| {
        let theirs = flat.generation(key)?.plain();
        let ours = cube.str(key)?.trim();
        let other = !theirs.trim().eq_ignore_ascii_case(ours) && theirs.trim() != "?";
        other.then(|| format!("{key} {theirs}, and the cube of {ours}"))
    })
}

/// Where each row, and each column, of a cube of `[nz, ny, nx]` voxels lies in the flat; none outside it.
///
/// # Errors
/// The reason why the flat cannot be centred on the cube.
pub fn place(flat: &SyntheticFlat, cube: [usize; 3]) -> Result<[Vec<Option<usize>>; 2], String> {
    if flat.nz != cube[0] {
        return Err(format!(
            "the flat has {} wavelengths and the cube {}",
            flat.nz, cube[0]
        ));
    }
    let axis = |name: &str, flat: usize, cube: usize| {
        let shift = cube.abs_diff(flat);
        if shift % 2 == 1 {
            return Err(format!(
                "the flat has {flat} spaxels and the cube {cube} along {name}; it cannot be centred on it, as the difference is odd"
            ));
        }
        let half = shift / 2;
        let at = |j: usize| match cube > flat {
            true => j.checked_sub(half).filter(|k| *k < flat),
            false => Some(j + half),
        };
        Ok((0..cube).map(at).collect::<Vec<_>>())
    };
    Ok([axis("y", flat.ny, cube[1])?, axis("x", flat.nx, cube[2])?])
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
    fn centring() {
        let mut header = Header::new();
        header.set("FLAT GENERATION BAND", "short", "");
        let flat = SyntheticFlat::new(header, [2, 3, 6], vec![1.0; 36], None);
        let [rows, columns] = place(&flat, [2, 5, 2]).unwrap();
        assert_eq!(rows, [None, Some(0), Some(1), Some(2), None]);
        assert_eq!(columns, [Some(2), Some(3)]);
        assert!(place(&flat, [2, 4, 6]).unwrap_err().contains("odd"));
        assert!(place(&flat, [3, 3, 6]).unwrap_err().contains("wavelengths"));
        assert_eq!(mismatch(&flat, &cube(&[("BAND", "SHORT")])), None);
        assert!(mismatch(&flat, &cube(&[("BAND", "LONG")])).is_some());
    }
}
