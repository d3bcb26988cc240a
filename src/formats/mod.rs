//! Bytes to generic containers and back: FITS, ASDF, SPICE kernels, pictures. No astronomy here.

pub mod asdf;
pub mod fits;
pub mod raster;
pub mod spice;

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Less than this many bytes free is a full disk: what is written comes in larger blocks than the last that found room.
const FULL: u64 = 16 << 20;

/// The error of writing to a file: [`Error::Full`] where there is no room left beside it, else [`Error::Io`] with this text.
pub fn unwritten(path: &Path, text: impl std::fmt::Display) -> Error {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    match fs4::statvfs(folder.unwrap_or(Path::new("."))) {
        // some network file systems tell no sizes
        Ok(disk) if disk.available_space() < FULL && disk.total_space() > 0 => Error::Full {
            path: path.into(),
            free: disk.available_space(),
        },
        _ => Error::io(path, text),
    }
}

/// Refuses files that are given twice, by whatever names.
///
/// # Errors
/// [`Error::Input`] that names the second.
pub fn distinct(paths: &[PathBuf]) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    for path in paths {
        // what does not exist is found out where it is read
        let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        if !seen.insert(real) {
            return Err(Error::input_file(path, "is given twice"));
        }
    }
    Ok(())
}

/// Syncs a finished temporary file and gives it its own name; removes it where that fails.
///
/// # Errors
/// [`Error::Io`], [`Error::Full`].
pub fn place(temporary: &Path, path: &Path) -> Result<()> {
    let done = File::open(temporary)
        .and_then(|f| f.sync_all())
        .and_then(|()| std::fs::rename(temporary, path));
    done.map_err(|e| {
        let error = unwritten(path, e);
        let _ = std::fs::remove_file(temporary);
        error
    })
}

/// Writes a small file, whole or not at all.
///
/// # Errors
/// [`Error::Io`], [`Error::Full`].
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    let temporary = tempfile::Builder::new()
        .prefix(".")
        .suffix(".part")
        .tempfile_in(folder.unwrap_or(Path::new(".")))
        .map_err(|e| unwritten(path, e))?
        .into_temp_path();
    // the file itself is made anew, so that it has the permissions that files have here
    std::fs::remove_file(&temporary)
        .and_then(|()| std::fs::write(&temporary, bytes))
        .map_err(|e| unwritten(path, e))?;
    place(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_the_same_by_other_names() {
        let dir = tempfile::tempdir().expect("folder");
        let [a, b] = ["a", "b"].map(|n| dir.path().join(n));
        for path in [&a, &b] {
            write_whole(path, b"x").expect("written");
        }
        let below = dir.path().join("below");
        std::fs::create_dir(&below).expect("folder");
        let other = below.join("../a");
        assert!(distinct(&[a.clone(), b.clone()]).is_ok());
        let error = distinct(&[a, b, other]).expect_err("twice");
        assert!(error.to_string().contains("given twice"));
    }

    #[test]
    fn a_write_that_fails_elsewhere_is_no_full_disk() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("no/such/folder");
        let error = write_whole(&path, b"x").expect_err("no folder");
        assert!(matches!(error, Error::Io { .. }), "{error}");
        // file systems of no size are not full
        let error = unwritten(Path::new("/proc/x"), "refused");
        assert!(error.to_string().contains("refused"), "{error}");
    }
}
