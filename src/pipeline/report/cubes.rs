//! Navigated cubes of a run: how they were pointed, and those to look at.

use std::path::Path;

use super::super::plan::record::name_of;
use super::super::recipe::navigate::wavelengths;
use super::quality::plain;
use super::{Chosen, Cube, band, name, without};
use crate::exec::Exec;
use crate::formats::fits::FitsFile;
use crate::view::report::Pointing;
use crate::view::report::pack::{self, Packed, Plane, pack};
use crate::view::report::tables::POINTING;
use crate::{Error, Result};

/// How the cubes of the first navigated stage were pointed; later steps keep it.
pub fn pointing(
    root: &Path,
    all: &[Cube],
    exec: &Exec,
    remarks: &mut Vec<String>,
) -> Vec<Pointing> {
    let Some(first) = all.last().map(|c| &c.stage) else {
        return Vec::new();
    };
    let of: Vec<&Cube> = all.iter().filter(|c| c.stage == *first).collect();
    let read = exec.map(of, |c| {
        let values = FitsFile::open(&c.path).map(|file| {
            let header = &file.hdus()[0].header;
            let value = |(card, _): &(&str, &str)| match header.f64(card) {
                Some(v) => format!("{v:.4}"),
                None => match header.bool(card) {
                    Some(true) => "yes".into(),
                    Some(false) => "no".into(),
                    None => plain(header, card),
                },
            };
            POINTING.iter().map(value).collect()
        });
        (c, values)
    });
    let mut out = Vec::new();
    for (c, values) in read {
        match values {
            Ok(values) => out.push(Pointing {
                file: name_of(root, &c.path),
                values,
            }),
            Err(e) => without(root, &c.path, "the pointing", &e, remarks),
        }
    }
    out
}

/// Cubes that a page holds, packed.
pub fn chosen(
    root: &Path,
    all: &[Cube],
    chosen: Chosen,
    exec: &Exec,
    remarks: &mut Vec<String>,
) -> Vec<Packed> {
    let n = match chosen {
        Chosen::All => all.len(),
        Chosen::First(n) => n.min(all.len()),
    };
    let of: Vec<&Cube> = all[..n].iter().collect();
    let packed = exec.map(of, |c| (c, read(root, c).map(|cube| pack(&cube))));
    let mut out = Vec::new();
    for (c, packed) in packed {
        match packed {
            Ok(packed) => out.push(packed),
            Err(e) => without(root, &c.path, "the cube", &e, remarks),
        }
    }
    if n < all.len() {
        remarks.push(format!(
            "{n} of {} navigated cubes are in this page; sifu report --cubes all has all",
            all.len()
        ));
    }
    out
}

/// A cube's values and all planes of its shape.
fn read(root: &Path, c: &Cube) -> Result<pack::Cube> {
    let path = &c.path;
    let file = FitsFile::open(path)?;
    let hdu = file.need("SCI")?;
    let shape @ [nz, ny, nx] = match *file.shape(hdu)? {
        [nz, ny, nx] if nz * ny * nx > 0 => [nz, ny, nx],
        _ => return Err(Error::format(path, "SCI is no cube (wavelength, y, x)")),
    };
    let mut planes = Vec::new();
    for (i, info) in file.hdus().iter().enumerate() {
        if info.shape() == Some(&[ny, nx]) {
            planes.push(Plane {
                name: info.name(),
                unit: plain(&info.header, "BUNIT"),
                values: file.all(i)?,
            });
        }
    }
    let errors = match file.find("ERR") {
        Some(i) if file.shape(i)? == shape => file.all(i)?,
        _ => Vec::new(),
    };
    let band = band(&name(path));
    let parts = [band.as_str(), &c.variant, &c.stage, &name(path)];
    let label = parts.into_iter().filter(|p| !p.is_empty());
    Ok(pack::Cube {
        file: name_of(root, path),
        label: label.collect::<Vec<_>>().join(" · "),
        shape,
        values: file.all(hdu)?,
        errors,
        unit: plain(&file.hdus()[hdu].header, "BUNIT"),
        wavelength: wavelengths(&file, hdu, nz).map_err(|e| e.with_path(path))?,
        planes,
    })
}
