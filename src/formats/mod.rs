//! Bytes to generic containers and back: FITS, ASDF, SPICE kernels, pictures. No astronomy here.

pub mod asdf;
pub mod fits;
pub mod raster;
pub mod spice;

use std::fs::File;
use std::path::Path;

use crate::{Error, Result};

/// Syncs a finished temporary file and gives it its own name; removes it where that fails.
///
/// # Errors
/// [`Error::Io`].
pub fn place(temporary: &Path, path: &Path) -> Result<()> {
    let done = File::open(temporary)
        .and_then(|f| f.sync_all())
        .and_then(|()| std::fs::rename(temporary, path));
    done.map_err(|e| {
        let _ = std::fs::remove_file(temporary);
        Error::io(path, e)
    })
}

/// Writes a small file, whole or not at all.
///
/// # Errors
/// [`Error::Io`].
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    let temporary = tempfile::Builder::new()
        .prefix(".")
        .suffix(".part")
        .tempfile_in(folder.unwrap_or(Path::new(".")))
        .map_err(|e| Error::io(path, e))?
        .into_temp_path();
    // the file itself is made anew, so that it has the permissions that files have here
    std::fs::remove_file(&temporary)
        .and_then(|()| std::fs::write(&temporary, bytes))
        .map_err(|e| Error::io(path, e))?;
    place(&temporary, path)
}
