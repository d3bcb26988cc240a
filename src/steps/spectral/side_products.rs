//! Files of images that a step saves besides its product.

use std::path::Path;

use crate::Result;
use crate::formats::fits::{Data, Hdu, Header, Image, Product};
use crate::model::Cal;

/// Header of an array extension, over what `rest` holds.
fn extension(name: &str, rest: Header) -> Header {
    let mut header = rest;
    header.set("EXTNAME", name, "extension name");
    header.set("EXTVER", 1i64, "extension value");
    header
}

/// Writes images under a primary header, to which the file's name and calwebb's data model are added.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn write(
    path: &Path,
    mut primary: Header,
    model: &str,
    images: Vec<(&str, Header, Image)>,
) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    primary.set("FILENAME", name.as_ref(), "Name of the file");
    primary.set("DATAMODL", model, "Type of data model");
    let mut hdus = vec![Hdu {
        header: primary,
        data: Data::None,
    }];
    hdus.extend(images.into_iter().map(|(name, header, image)| Hdu {
        header: extension(name, header),
        data: Data::Image(image),
    }));
    Product { hdus }.write(path, false)
}

/// Writes an exposure's image with all its arrays, without its WCS.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn write_cal(path: &Path, cal: &Cal) -> Result<()> {
    let image = |v: &Vec<f32>| Image::new(&[cal.ny, cal.nx], v.clone());
    let mut err = Header::new();
    if let Some(unit) = cal.meta.sci.str("BUNIT") {
        err.set("BUNIT", unit, "physical units of the array values");
    }
    let mut images = vec![
        ("SCI", cal.meta.sci.clone(), image(&cal.sci)),
        ("ERR", err, image(&cal.err)),
        (
            "DQ",
            Header::new(),
            Image::new(&[cal.ny, cal.nx], cal.dq.clone()),
        ),
        ("VAR_POISSON", Header::new(), image(&cal.var_poisson)),
        ("VAR_RNOISE", Header::new(), image(&cal.var_rnoise)),
    ];
    if let Some(flat) = &cal.var_flat {
        images.push(("VAR_FLAT", Header::new(), image(flat)));
    }
    write(path, cal.meta.primary.clone(), "IFUImageModel", images)
}
