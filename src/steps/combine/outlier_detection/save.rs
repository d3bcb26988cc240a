//! Saving the intermediate results, in calwebb's format (`OutlierIFUOutputModel`).

use std::path::Path;

use super::OutlierDetectionParams;
use super::differences::Size;
use super::flag::Found;
use crate::Result;
use crate::formats::fits::{Header, Writer};
use crate::model::Meta;

/// Writes the differences of every exposure, the smallest, their local median and the ratio.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn save(
    path: &Path,
    meta: &Meta,
    params: &OutlierDetectionParams,
    kernel: (usize, usize),
    size: Size,
    apart: &[Vec<f64>],
    found: &Found,
) -> Result<()> {
    let mut primary = meta.primary.clone();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    for (keyword, text, comment) in [
        ("FILENAME", name.as_ref(), "Name of the file"),
        ("DATAMODL", "OutlierIFUOutputModel", "Type of data model"),
    ] {
        primary.set(keyword, text, comment);
    }
    let (height, width) = (kernel.0 as i64, kernel.1 as i64);
    primary.set("KERNXSZ", height, "outlier detection kernel x size");
    primary.set("KERNYSZ", width, "outlier detection kernel y size");
    let percent = params.threshold_percent;
    primary.set("THRSPRC", percent, "outlier detection threshold percent");

    let mut writer = Writer::create(path, false)?;
    writer.empty(&primary)?;
    let axes = [apart.len(), size.ny, size.nx];
    writer.image::<f32>(&extension("DIFFARR"), &axes)?;
    for (i, values) in apart.iter().enumerate() {
        writer.put(i * values.len(), &single(values))?;
    }
    for (name, values) in [
        ("MINARR", &found.smallest),
        ("NORMARR", &found.local),
        ("MINNORM", &found.ratio),
    ] {
        writer.image::<f32>(&extension(name), &axes[1..])?;
        writer.put(0, &single(values))?;
    }
    writer.finish()
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}

fn extension(name: &str) -> Header {
    let mut header = Header::new();
    header.set("EXTNAME", name, "extension name");
    header
}
