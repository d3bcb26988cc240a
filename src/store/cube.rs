//! Spectral cubes (`_s3d`) from and to files.

use std::path::Path;
use std::sync::Arc;

use super::cal::{history_of, tree_of, wcs_of};
use super::products::{extension, meta_of, sci_header, write_asdf};
use crate::formats::fits::{Card, Data, FitsFile, TableBuilder, Writer};
use crate::model::{Cube, Meta};
use crate::{Error, Result};

/// HDUs a [`Cube`] has fields for.
const OWN: &[&str] = &["SCI", "ERR", "DQ", "WMAP", "WCS-TABLE", "ASDF"];

/// Reads a cube.
///
/// # Errors
/// [`Error::Format`] where it is none.
pub fn read_cube(path: &Path) -> Result<Cube> {
    let file = FitsFile::open(path)?;
    let mut meta = meta_of(&file, path)?;
    let sci = file.need("SCI")?;
    let shape = file.shape(sci)?.to_vec();
    let [nz, ny, nx] = *shape else {
        return Err(Error::input_file(
            path,
            format!(
                "SCI has {} axes; a cube has 3 (wavelength, y, x)",
                shape.len()
            ),
        ));
    };
    let need = |name: &str| -> Result<usize> {
        let i = file.need(name)?;
        if file.shape(i)? == shape {
            return Ok(i);
        }
        Err(Error::format(
            path,
            format!("{name} has shape {:?} and SCI {shape:?}", file.shape(i)?),
        ))
    };
    let wavelength = match file.find("WCS-TABLE") {
        Some(i) => {
            let Data::Table(table) = file.hdu(i)?.data else {
                return Err(Error::format(path, "WCS-TABLE is no table"));
            };
            let values = table
                .numbers("wavelength", 0)
                .filter(|v| v.len() == nz)
                .ok_or_else(|| {
                    Error::format(path, format!("WCS-TABLE does not hold {nz} wavelengths"))
                })?;
            Some(values.into_iter().map(|v| v as f32).collect())
        }
        None => None,
    };
    let (mut extra, mut planes) = (Vec::new(), Vec::new());
    let asdf = file.find("ASDF").unwrap_or(usize::MAX);
    for (i, info) in file.hdus().iter().enumerate().skip(1) {
        if !OWN.contains(&info.name().as_str()) {
            let to = if i < asdf { &mut extra } else { &mut planes };
            to.push(file.hdu(i)?);
        }
    }
    let tree = tree_of(&file, path)?;
    meta.history = tree.as_ref().and_then(history_of);
    let wcs = tree.as_ref().and_then(wcs_of);
    drop(tree);
    Ok(Cube {
        label: String::new(),
        nz,
        ny,
        nx,
        sci: file.all(sci)?,
        err: file.all(need("ERR")?)?,
        dq: file.all(need("DQ")?)?,
        wmap: file.all(need("WMAP")?)?,
        wavelength,
        wcs: wcs.map(Arc::new),
        extra,
        planes,
        meta,
    })
}

/// Writes a cube as calwebb's `IFUCubeModel` product.
///
/// # Errors
/// [`Error::Io`].
pub fn write_cube(path: &Path, cube: &Cube, meta: &Meta, asdf: &[u8]) -> Result<()> {
    let axes = [cube.nz, cube.ny, cube.nx];
    let sci = sci_header(meta);
    let mut err = extension("ERR");
    if let Some(unit) = sci.str("BUNIT") {
        err.set_after(
            "EXTNAME",
            "BUNIT",
            unit,
            "physical units of the array values",
        );
    }
    let after = if err.card("BUNIT").is_some() {
        "BUNIT"
    } else {
        "EXTNAME"
    };
    err.set_after(after, "ERRTYPE", "ERR", "Type of errors stored here");
    let mut w = Writer::create(path, false)?;
    w.empty(&meta.primary)?;
    w.image::<f32>(&sci, &axes)?;
    w.put(0, &cube.sci)?;
    w.image::<f32>(&err, &axes)?;
    w.put(0, &cube.err)?;
    w.image::<u32>(&extension("DQ"), &axes)?;
    w.put(0, &cube.dq)?;
    w.image::<f32>(&extension("WMAP"), &axes)?;
    w.put(0, &cube.wmap)?;
    if let Some(wavelength) = &cube.wavelength {
        let (mut header, table) = TableBuilder::new(1)
            .f32("wavelength", wavelength)
            .build("WCS-TABLE");
        // one row that holds a column vector, as calwebb writes it
        header.push(Card::new("TDIM1", format!("(1,{})", wavelength.len()), ""));
        w.table(&header, &table)?;
    }
    for hdu in &cube.extra {
        w.hdu(hdu)?;
    }
    write_asdf(&mut w, asdf)?;
    for hdu in &cube.planes {
        w.hdu(hdu)?;
    }
    w.finish()
}
