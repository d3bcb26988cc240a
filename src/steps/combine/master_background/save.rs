//! The backgrounds that were subtracted, saved in calwebb's formats.

use std::path::Path;

use super::spectrum::Combined;
use crate::Result;
use crate::formats::fits::{Data, Hdu, Product, TableBuilder};
use crate::model::{Cal, Spectrum};
use crate::steps::spectral::side_products;

/// Writes the combined spectrum (`MultiCombinedSpecModel`) under the header of its first member.
///
/// # Errors
/// [`crate::Error::Io`].
pub(super) fn spectrum(path: &Path, first: &Spectrum, combined: &Combined) -> Result<()> {
    let mut primary = first.meta.primary.clone();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    primary.set("FILENAME", name.as_ref(), "Name of the file");
    primary.set("DATAMODL", "MultiCombinedSpecModel", "Type of data model");
    let (mut header, table) = TableBuilder::new(combined.wavelength.len())
        .f64("WAVELENGTH", &combined.wavelength)
        .unit("um")
        .f64("FLUX", &combined.flux)
        .unit("Jy")
        .f64("ERROR", &combined.flux_error)
        .unit("Jy")
        .f64("SURF_BRIGHT", &combined.surf_bright)
        .unit("MJy/sr")
        .f64("SB_ERROR", &combined.sb_error)
        .unit("MJy/sr")
        .u32("DQ", &combined.dq)
        .f64("WEIGHT", &combined.weight)
        .f64("N_INPUT", &combined.count)
        .build("COMBINE1D");
    header.set("EXTVER", 1i64, "extension value");
    let source = first.tables.first().and_then(|(h, _)| h.str("SRCTYPE"));
    if let Some(source) = source {
        header.set("SRCTYPE", source, "Source type used for calibration");
    }
    let hdus = vec![
        Hdu {
            header: primary,
            data: Data::None,
        },
        Hdu {
            header,
            data: Data::Table(table),
        },
    ];
    Product { hdus }.write(path, false)
}

/// Writes the background of an exposure: its own arrays but for `SCI`.
///
/// # Errors
/// [`crate::Error::Io`].
pub(super) fn image(path: &Path, cal: &Cal, background: &[f32]) -> Result<()> {
    let mut cal = cal.clone();
    cal.sci = background.to_vec();
    side_products::write_cal(path, &cal)
}
