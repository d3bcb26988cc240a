//! Exposures' images with their WCS (`_cal`, `_crf` and the products of spectral steps) from and to files.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::products::{extension, meta_of, sci_header, write_asdf};
use crate::Result;
use crate::formats::asdf::{AsdfFile, Node};
use crate::formats::fits::{Data, FitsFile, Hdu, Header, Writer};
use crate::model::Cal;
use crate::{Error, model::Meta};

/// HDUs a [`Cal`] has fields for.
const OWN: &[&str] = &[
    "SCI",
    "ERR",
    "DQ",
    "VAR_POISSON",
    "VAR_RNOISE",
    "VAR_FLAT",
    "ASDF",
];

/// HDUs that stand behind the variances; all others that a product has stand before them.
const BEHIND: &[&str] = &["WAVELENGTH", "PATHLOSS_PS", "PATHLOSS_UN"];

/// Reads an IFU image, with its WCS where it has one.
///
/// # Errors
/// [`Error::Format`] where it is none.
pub fn read_cal(path: &Path) -> Result<Cal> {
    let file = FitsFile::open(path)?;
    let mut meta = meta_of(&file, path)?;
    let sci = file.need("SCI")?;
    let shape = file.shape(sci)?.to_vec();
    let [ny, nx] = *shape else {
        return Err(Error::input_file(
            path,
            format!(
                "SCI has {} axes; an image of an exposure has 2 (give _rate or _cal, no _rateints and no cube)",
                shape.len()
            ),
        ));
    };
    let find = |name: &str| -> Result<Option<usize>> {
        let Some(i) = file.find(name) else {
            return Ok(None);
        };
        if file.shape(i)? == shape {
            return Ok(Some(i));
        }
        Err(Error::format(
            path,
            format!("{name} has shape {:?} and SCI {shape:?}", file.shape(i)?),
        ))
    };
    let need = |name: &str| -> Result<usize> { find(name)?.map_or_else(|| file.need(name), Ok) };
    let tree = tree_of(&file, path)?;
    let spectral_region = tree.as_ref().and_then(spectral_region);
    meta.history = tree.as_ref().and_then(history_of);
    let wcs = tree.as_ref().and_then(wcs_of);
    drop(tree);
    let mut extra = Vec::new();
    for (i, info) in file.hdus().iter().enumerate().skip(1) {
        if !OWN.contains(&info.name().as_str()) {
            extra.push(file.hdu(i)?);
        }
    }
    Ok(Cal {
        ny,
        nx,
        sci: file.all(sci)?,
        err: file.all(need("ERR")?)?,
        dq: file.all(need("DQ")?)?,
        var_poisson: file.all(need("VAR_POISSON")?)?,
        var_rnoise: file.all(need("VAR_RNOISE")?)?,
        var_flat: find("VAR_FLAT")?.map(|i| file.all(i)).transpose()?,
        wcs: wcs.map(Arc::new),
        spectral_region,
        map: OnceLock::new(),
        extra,
        meta,
    })
}

/// The gwcs node of a product's ASDF extension, if there is one.
///
/// # Errors
/// [`Error::Format`] where the extension is damaged.
pub fn wcs_node(file: &FitsFile, path: &Path) -> Result<Option<Node>> {
    Ok(tree_of(file, path)?.as_ref().and_then(wcs_of))
}

pub(super) fn wcs_of(tree: &Node) -> Option<Node> {
    let wcs = tree.get("meta.wcs").filter(|n| !n.is_null());
    wcs.and_then(|n| tree.dereference(n)).cloned()
}

/// What a product's tree says of its making by this program.
pub(super) fn history_of(tree: &Node) -> Option<Arc<Node>> {
    let made = tree.get("meta.sifu").filter(|n| n.as_mapping().is_some());
    made.cloned().map(Arc::new)
}

/// What a product without pixels' places says of its making; nothing where its tree cannot be read, as nothing else of it
/// is needed.
pub(super) fn history(file: &FitsFile, path: &Path) -> Option<Arc<Node>> {
    history_of(&tree_of(file, path).ok()??)
}

fn spectral_region(tree: &Node) -> Option<[f64; 2]> {
    let ends = tree.get("meta.wcsinfo.spectral_region")?.as_sequence()?;
    let ends: Option<Vec<f64>> = ends.iter().map(Node::as_f64).collect();
    ends?.try_into().ok()
}

/// The tree of a product's ASDF extension, if there is one.
pub(super) fn tree_of(file: &FitsFile, path: &Path) -> Result<Option<Node>> {
    let Some(i) = file.find("ASDF") else {
        return Ok(None);
    };
    let Data::Table(table) = file.hdu(i)?.data else {
        return Err(Error::format(path, "its ASDF extension is no table"));
    };
    let bytes = table
        .bytes("ASDF_METADATA", 0)
        .ok_or_else(|| Error::format(path, "its ASDF extension has no column ASDF_METADATA"))?;
    Ok(Some(
        AsdfFile::from_bytes(bytes.to_vec(), path)?.into_tree(),
    ))
}

/// The `SCI` header of a product with the unit of its values.
fn header(meta: &Meta) -> (Header, Header) {
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
    (sci, err)
}

/// Writes an IFU image as calwebb's `IFUImageModel` product.
///
/// # Errors
/// [`Error::Io`].
pub fn write_cal(path: &Path, cal: &Cal, meta: &Meta, asdf: &[u8]) -> Result<()> {
    let axes = [cal.ny, cal.nx];
    let (sci, err) = header(meta);
    let mut w = Writer::create(path, false)?;
    w.empty(&meta.primary)?;
    w.image::<f32>(&sci, &axes)?;
    w.put(0, &cal.sci)?;
    w.image::<f32>(&err, &axes)?;
    w.put(0, &cal.err)?;
    w.image::<u32>(&extension("DQ"), &axes)?;
    w.put(0, &cal.dq)?;
    let name = |hdu: &Hdu| hdu.header.str("EXTNAME").unwrap_or_default().to_owned();
    let (behind, before): (Vec<&Hdu>, Vec<&Hdu>) = cal
        .extra
        .iter()
        .filter(|hdu| !["", "INT_TIMES"].contains(&name(hdu).as_str()))
        .partition(|hdu| BEHIND.contains(&name(hdu).as_str()));
    for hdu in before {
        w.hdu(hdu)?;
    }
    for (name, values) in [
        ("VAR_POISSON", Some(&cal.var_poisson)),
        ("VAR_RNOISE", Some(&cal.var_rnoise)),
        ("VAR_FLAT", cal.var_flat.as_ref()),
    ] {
        if let Some(values) = values {
            w.image::<f32>(&extension(name), &axes)?;
            w.put(0, values)?;
        }
    }
    for hdu in behind {
        w.hdu(hdu)?;
    }
    write_asdf(&mut w, asdf)?;
    w.finish()
}
