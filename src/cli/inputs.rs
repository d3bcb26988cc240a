//! Which exposures a command works on: files as given, and the files of one suffix in folders.

use std::path::{Path, PathBuf};

use crate::formats::fits::FitsFile;
use crate::store::association::Association;
use crate::{Error, Result};

/// Files named, and for each folder the files `*_SUFFIX.fits` (or `.fits.gz`) directly in it, sorted.
///
/// # Errors
/// [`Error::Input`] where something does not exist, a folder holds no such file, or two exposures
/// would write the same product.
pub fn exposures(paths: &[PathBuf], suffix: &str) -> Result<Vec<PathBuf>> {
    let mut out: Vec<PathBuf> = Vec::new();
    for path in paths {
        if path.is_dir() {
            let entries = std::fs::read_dir(path).map_err(|e| Error::io(path, e))?;
            let ends = [format!("_{suffix}.fits"), format!("_{suffix}.fits.gz")];
            let mut found = Vec::new();
            for entry in entries {
                let file = entry.map_err(|e| Error::io(path, e))?.path();
                let name = file
                    .file_name()
                    .map(|n| n.to_string_lossy().into_owned())
                    .unwrap_or_default();
                if file.is_file()
                    && !name.starts_with('.')
                    && ends.iter().any(|e| name.ends_with(e))
                {
                    found.push(file);
                }
            }
            if found.is_empty() {
                return Err(Error::input_file(
                    path,
                    format!("the folder holds no *_{suffix}.fits file"),
                ));
            }
            found.sort();
            out.extend(found);
        } else if path.is_file() {
            out.push(path.clone());
        } else {
            return Err(Error::input_file(path, "there is no such file or folder"));
        }
    }
    out.dedup();
    let names: Vec<String> = out
        .iter()
        .map(|p| name(p).trim_end_matches(".gz").to_owned())
        .collect();
    distinct(
        out.iter()
            .zip(&names)
            .map(|(p, n)| (n.as_str(), p.as_path())),
    )?;
    Ok(out)
}

/// Refuses two inputs whose products would have the same name.
///
/// # Errors
/// [`Error::Input`].
pub fn distinct<'a>(products: impl Iterator<Item = (&'a str, &'a Path)>) -> Result<()> {
    let mut seen = std::collections::BTreeMap::new();
    for (name, path) in products {
        match seen.insert(name, path) {
            Some(other) if other != path => {
                return Err(Error::input_file(
                    path,
                    format!("would write the same products as {}", other.display()),
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether NIRSpec's exposures, which are four times as large as MIRI's, are among files, folders of files and associations (by the
/// first file of each; compressed ones are not looked into).
pub fn any_of_nirspec(paths: &[PathBuf]) -> bool {
    let plain = |file: &PathBuf| file.extension().is_some_and(|e| e == "fits");
    let first = |path: &PathBuf| -> Option<PathBuf> {
        if path.is_dir() {
            let files = std::fs::read_dir(path).into_iter().flatten().flatten();
            let files = files.map(|f| f.path());
            return files.filter(plain).min();
        }
        if Association::is_one(path) {
            let association = Association::read(path).ok()?;
            let files = association.files(association.products.first()?, "science");
            return files.ok()?.into_iter().next();
        }
        Some(path.clone())
    };
    // what cannot be read is told later
    let instrument = |path: PathBuf| {
        let file = FitsFile::open(&path).ok()?;
        file.hdus()[0].header.str("INSTRUME").map(str::to_owned)
    };
    let of = |path| first(path).filter(plain).and_then(instrument);
    paths.iter().any(|p| of(p).as_deref() == Some("NIRSPEC"))
}

/// File name of a path, for messages.
pub fn name(path: &Path) -> String {
    path.file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Files with their detector and band, as in `MIRIFULONG SHORT`.
///
/// # Errors
/// Where a header cannot be read.
pub fn by_band(files: Vec<PathBuf>) -> Result<Vec<(String, PathBuf)>> {
    let band = |path: PathBuf| {
        let file = FitsFile::open(&path)?;
        let header = &file.hdus()[0].header;
        let text = |keyword| header.str(keyword).unwrap_or("?").trim().to_owned();
        let setting: &[&str] = match header.str("INSTRUME") {
            Some("NIRSPEC") => &["DETECTOR", "FILTER", "GRATING"],
            _ => &["DETECTOR", "BAND"],
        };
        let band: Vec<String> = setting.iter().map(|k| text(k)).collect();
        Ok((band.join(" "), path))
    };
    files.into_iter().map(band).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::fits::{Data, Hdu, Header, Product};

    #[test]
    fn nirspecs_exposures_are_found_in_files_folders_and_associations() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str, instrument: &str| {
            let mut header = Header::default();
            header.set("INSTRUME", instrument, "");
            let data = Data::None;
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let hdus = vec![Hdu { header, data }];
            Product { hdus }.write(&path, false).unwrap();
            path
        };
        let miri = make("m/m_cal.fits", "MIRI");
        let nirspec = make("n/n_cal.fits", "NIRSPEC");
        let table = folder.path().join("n/x_asn.json");
        let text = r#"{"asn_type": "spec3", "asn_id": "a3001", "asn_pool": "none", "products":
            [{"name": "x", "members": [{"expname": "n_cal.fits", "exptype": "science"}]}]}"#;
        std::fs::write(&table, text).unwrap();
        let of = |path: &Path| path.parent().unwrap().to_path_buf();
        assert!(any_of_nirspec(&[miri.clone(), nirspec.clone()]));
        assert!(any_of_nirspec(&[of(&nirspec)]) && any_of_nirspec(&[table]));
        let absent = folder.path().join("absent.fits");
        assert!(!any_of_nirspec(&[miri.clone(), of(&miri), absent]));
        assert!(!any_of_nirspec(&[]));
    }
}
