//! What becomes of the exposure: its trace model, its oversampled arrays, its WCS, and intermediate products.

use std::path::Path;

use super::slice::Layout;
use crate::formats::fits::{Data, Element, Hdu, Header, Image, Writer};
use crate::model::{Cal, Meta};
use crate::wcs::exposure::ExposureWcs;
use crate::wcs::frames::Frame;
use crate::wcs::gwcs::{Gwcs, Step};
use crate::wcs::transform::{Kind, Transform};
use crate::{Error, Result};

/// Extensions that do not fit an oversampled image.
const DROPPED: &[&str] = &[
    "AREA",
    "BARSHADOW",
    "FLATFIELD_PS",
    "FLATFIELD_UN",
    "PATHLOSS_PS",
    "PATHLOSS_UN",
    "PHOTOM_PS",
    "PHOTOM_UN",
    "ZEROFRAME",
];

/// Name of the frame of oversampled pixels.
pub const OVERSAMPLED: &str = "coordinates";
/// Coordinates of a pixel.
const PIXEL: &[&str] = &["x", "y"];
/// The same with the number of the slice.
const NUMBERED: &[&str] = &["x", "y", "name"];

/// Puts an image extension in place of one of its name, or behind the others.
pub fn set_image<T: Element>(cal: &mut Cal, name: &str, shape: [usize; 2], values: Vec<T>) {
    let mut header = Header::new();
    header.set("EXTNAME", name, "extension name");
    header.set("EXTVER", 1i64, "extension value");
    let hdu = Hdu {
        header,
        data: Data::Image(Image::new(&shape, values)),
    };
    let named = |h: &Hdu| h.header.str("EXTNAME") == Some(name);
    match cal.extra.iter_mut().find(|h| named(h)) {
        Some(old) => *old = hdu,
        None => cal.extra.push(hdu),
    }
}

/// Leaves out the extensions that do not fit any more.
pub fn drop_images(cal: &mut Cal) {
    let dropped = |h: &Hdu| {
        let name = h.header.str("EXTNAME").unwrap_or_default();
        DROPPED.contains(&name)
    };
    cal.extra.retain(|h| !dropped(h));
}

/// From the finer pixels of a line to the detector's, and the shift in it.
fn finer_pixels(factor: f64) -> (Transform, f64) {
    let shift = -(factor - 1.0) / (factor * 2.0);
    let map = Transform::scale(1.0 / factor).then(Transform::shift(shift));
    (map, shift)
}

fn coord2det(map: Transform, names: &[&str]) -> Transform {
    let names = || Some(names.iter().map(|n| (*n).to_owned()).collect());
    let mut map = map.named("coord2det");
    (map.inputs, map.outputs) = (names(), names());
    map
}

/// The WCS of an image whose columns (of NIRSpec: rows) are finer by a factor.
///
/// # Errors
/// Those of writing transforms.
pub fn oversampled(wcs: &ExposureWcs, factor: f64, layout: Layout) -> Result<Gwcs> {
    match layout {
        Layout::Rows => with_finer_columns(wcs, factor),
        Layout::Columns => with_finer_rows(wcs, factor),
    }
}

fn with_finer_columns(wcs: &ExposureWcs, factor: f64) -> Result<Gwcs> {
    let (map, shift) = finer_pixels(factor);
    let mut map = coord2det(map.beside(Transform::identity(1)), PIXEL);
    let mut steps = wcs.gwcs().steps().to_vec();
    if let Some(first) = steps.first_mut().and_then(|s| s.transform.as_mut()) {
        if let Some(Some((low, high))) = first.bounding_box.as_mut().and_then(|b| b.first_mut()) {
            let finer = |x: f64| (x - shift) / (1.0 / factor);
            (*low, *high) = (finer(*low), finer(*high));
        }
        map.bounding_box = first.bounding_box.clone();
    }
    steps.insert(0, from_finer(map));
    Gwcs::new(steps)
}

/// The first step of an oversampled image's WCS.
fn from_finer(map: Transform) -> Step {
    Step {
        frame: Frame::plane(OVERSAMPLED, ["x", "y"], "pixel"),
        transform: Some(map),
    }
}

/// Where an image of labels finds the slice the frame of finer pixels is there already, with a first transform that does nothing; the
/// slices' bounds are in it. Where points carry the number of their slice it is put before, and gets the bounds.
fn with_finer_rows(wcs: &ExposureWcs, factor: f64) -> Result<Gwcs> {
    let (map, shift) = finer_pixels(factor);
    let map = Transform::identity(1).beside(map);
    let finer = |y: f64| (y - shift) / (1.0 / factor);
    let mut steps = wcs.gwcs().steps().to_vec();
    if wcs.by_number() {
        let mut map = coord2det(map.beside(Transform::identity(1)), NUMBERED);
        let first = steps.first_mut().and_then(|s| s.transform.as_mut());
        map.boxes = first.and_then(|t| t.boxes.take());
        for (_, bounds) in map.boxes.iter_mut().flat_map(|b| &mut b.boxes) {
            if let Some(Some((low, high))) = bounds.get_mut(1) {
                (*low, *high) = (finer(*low), finer(*high));
            }
        }
        steps.insert(0, from_finer(map));
        return Gwcs::new(steps);
    }
    if let Some(first) = steps.first_mut().and_then(|s| s.transform.as_mut()) {
        *first = coord2det(map.then(first.clone()), PIXEL);
    }
    for step in &mut steps {
        let Some(Kind::RegionsSelector(regions)) = step.transform.as_mut().map(|t| &mut t.kind)
        else {
            continue;
        };
        for (_, slice) in &mut regions.selector {
            if let Some(Some((low, high))) = slice.bounding_box.as_mut().and_then(|b| b.get_mut(1))
            {
                (*low, *high) = (finer(*low), finer(*high));
            }
        }
    }
    Gwcs::new(steps)
}

/// Whether the pixels of a WCS are finer than the detector's already.
///
/// # Errors
/// Those of the WCS.
pub fn is_oversampled(wcs: &ExposureWcs) -> Result<bool> {
    let gwcs = wcs.gwcs();
    if gwcs.first() != OVERSAMPLED {
        return Ok(false);
    }
    if wcs.by_number() {
        return Ok(true);
    }
    let corner: [&[f64]; 2] = [&[0.0, 1.0], &[0.0, 1.0]];
    let at = gwcs.between(OVERSAMPLED, "detector", &corner)?;
    Ok(at.iter().zip(corner).any(|(at, pixels)| at != pixels))
}

/// Divides the keyword of a pixel's area.
pub fn divide(meta: &mut Meta, keyword: &str, factor: f64) {
    let headers = [&mut meta.sci, &mut meta.primary];
    for header in headers {
        if let Some(card) = header.card(keyword).cloned()
            && let Some(value) = header.f64(keyword)
        {
            header.set(keyword, value / factor, card.comment.as_str());
            return;
        }
    }
}

/// Whether values are flux densities (Jy with any prefix), not surface brightness.
pub fn is_flux_density(meta: &Meta) -> bool {
    let prefixes = [
        "", "q", "r", "y", "z", "a", "f", "p", "n", "u", "m", "c", "d", "da", "h", "k", "M", "G",
        "T", "P", "E", "Z", "Y", "R", "Q",
    ];
    let unit = meta.str("BUNIT").map(str::trim).unwrap_or_default();
    unit.strip_suffix("Jy")
        .is_some_and(|p| prefixes.contains(&p))
}

/// Writes an intermediate image under the exposure's headers.
///
/// # Errors
/// [`Error::Io`].
pub fn save(path: &Path, meta: &Meta, shape: [usize; 2], values: &[f32]) -> Result<()> {
    let mut primary = meta.primary.clone();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    primary.set("FILENAME", name.as_ref(), "Name of the file");
    let mut sci = meta.sci.clone();
    sci.set("EXTNAME", "SCI", "extension name");
    let mut writer = Writer::create(path, false)?;
    writer.empty(&primary)?;
    writer.image::<f32>(&sci, &shape)?;
    writer.put(0, values)?;
    writer.finish()
}

/// The trace model of an exposure, if it carries one.
///
/// # Errors
/// [`Error::Input`] where it has another shape than the exposure.
pub fn trace_model(cal: &Cal) -> Result<Option<Vec<f32>>> {
    let of = |h: &Hdu| match &h.data {
        Data::Image(i) if h.header.str("EXTNAME") == Some("TRACEMODEL") => Some(i.clone()),
        _ => None,
    };
    let Some(image) = cal.extra.iter().find_map(of) else {
        return Ok(None);
    };
    if image.shape != [cal.ny, cal.nx] {
        return Err(Error::input_file(
            &cal.meta.source,
            format!(
                "TRACEMODEL has shape {:?} and SCI {} x {}",
                image.shape, cal.ny, cal.nx
            ),
        ));
    }
    Ok(Some(
        image.pixels.to_f64().iter().map(|v| *v as f32).collect(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_flux_density() {
        for (unit, is) in [
            ("MJy/sr", false),
            ("MJy", true),
            ("mJy", true),
            ("Jy", true),
            ("DN/s", false),
            ("xJy", false),
        ] {
            let mut meta = Meta::default();
            meta.sci.set("BUNIT", unit, "");
            assert_eq!(is_flux_density(&meta), is, "{unit}");
        }
        assert!(!is_flux_density(&Meta::default()));
    }

    #[test]
    fn areas_are_divided_where_they_stand() {
        let mut meta = Meta::default();
        meta.sci.set("PIXAR_A2", 0.5, "area");
        divide(&mut meta, "PIXAR_A2", 2.0);
        divide(&mut meta, "PIXAR_SR", 2.0);
        assert_eq!(meta.f64("PIXAR_A2"), Some(0.25));
        assert!(meta.get("PIXAR_SR").is_none());
    }
}
