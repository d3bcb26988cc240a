//! Extracted spectra (`_x1d`) from and to files.

use std::path::Path;

use super::cal::history;
use super::products::write_asdf;
use crate::formats::fits::{Data, FitsFile, Writer};
use crate::model::{Meta, Spectrum};
use crate::{Error, Result};

/// Reads a product of extract_1d.
///
/// # Errors
/// [`Error::Format`] where it is none.
pub fn read_spectrum(path: &Path) -> Result<Spectrum> {
    let file = FitsFile::open(path)?;
    let meta = Meta {
        source: path.into(),
        primary: file.hdus()[0].header.clone(),
        history: history(&file, path),
        ..Meta::default()
    };
    let model = match meta.str("DATAMODL") {
        Some("MRSMultiSpecModel") => "MRSMultiSpecModel",
        _ => "MultiSpecModel",
    };
    let (mut tables, mut extra) = (Vec::new(), Vec::new());
    for (i, info) in file.hdus().iter().enumerate().skip(1) {
        let hdu = file.hdu(i)?;
        match (info.name().as_str(), hdu.data) {
            ("EXTRACT1D", Data::Table(table)) => tables.push((hdu.header, table)),
            ("ASDF", _) => {}
            (_, data) => extra.push(crate::formats::fits::Hdu {
                header: hdu.header,
                data,
            }),
        }
    }
    if tables.is_empty() {
        return Err(Error::input_file(
            path,
            "the file holds no EXTRACT1D table; a spectrum (_x1d) is needed",
        ));
    }
    Ok(Spectrum {
        meta,
        label: String::new(),
        model,
        tables,
        extra,
    })
}

/// Writes spectra as calwebb's `MRSMultiSpecModel` or `MultiSpecModel` product.
///
/// # Errors
/// [`Error::Io`].
pub fn write_spectrum(path: &Path, spectrum: &Spectrum, meta: &Meta, asdf: &[u8]) -> Result<()> {
    let mut w = Writer::create(path, false)?;
    w.empty(&meta.primary)?;
    for (header, table) in &spectrum.tables {
        w.table(header, table)?;
    }
    for hdu in &spectrum.extra {
        w.hdu(hdu)?;
    }
    write_asdf(&mut w, asdf)?;
    w.finish()
}
