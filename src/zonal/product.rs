//! Grouped and averaged spectra as FITS files.
//!
//! Grouped: SCI and ERR (wavelength, bin, point), the planes and keywords of the points (bin, point). Averaged: SCI and ERR
//! (wavelength, bin), planes, keywords and NPTS (bin), and beyond the reference pipeline's ERR_OF_MEAN and STD (wavelength, bin).

use std::path::Path;

use super::average::{Averages, Mean};
use super::group::{Groups, Spaxel};
use super::{VALUES, unit, value_name};
use crate::Result;
use crate::formats::fits::{Header, Writer};

/// Keywords taken over from the first cube.
const KEPT: &[&str] = &[
    "TELESCOP", "INSTRUME", "TARGNAME", "CHANNEL", "BAND", "FILTER", "GRATING",
];

/// Primary header: what was averaged, and how.
fn primary(groups: &Groups, reject: Option<f64>, date: &str) -> Header {
    let mut h = Header::new();
    for key in KEPT {
        if let Some(card) = groups.primary.card(key) {
            h.push(card.clone());
        }
    }
    let p = &groups.params;
    h.set(
        "ZONAL VERSION",
        env!("CARGO_PKG_VERSION"),
        "Software version",
    );
    h.set("ZONAL DATE", date, "");
    h.set("ZONAL PLANE", p.plane.as_str(), "");
    h.set("ZONAL N_CUBES", groups.cubes, "");
    h.set("ZONAL DQ_THRESHOLD", p.dq_threshold, "");
    if let Some(cutoff) = p.emission_cutoff {
        h.set("ZONAL EMISSION_CUTOFF", cutoff, "");
    }
    if let Some(reject) = reject {
        h.set("ZONAL REJECT_FRACTION", reject, "");
    }
    h
}

/// Header of an image whose FITS axis `first` is the bin, and `first + 1`, if `spectral`, the wavelength.
fn header(groups: &Groups, name: &str, first: usize, spectral: bool) -> Header {
    let mut h = Header::new();
    let p = &groups.params;
    let mut axis = |n: usize, value: f64, step: f64, kind: &str, unit: &str| {
        h.set(&format!("CRPIX{n}"), 1i64, "");
        h.set(&format!("CRVAL{n}"), value, "");
        h.set(&format!("CDELT{n}"), step, "");
        h.set(&format!("CTYPE{n}"), kind, "");
        h.set(&format!("CUNIT{n}"), unit, "");
    };
    let of_plane = if p.compatible { "deg" } else { unit(&p.plane) };
    axis(first, p.bins.first, p.bins.step, &p.plane, of_plane);
    if spectral {
        let w = &groups.wavelength;
        let start = w.first().copied().unwrap_or(f64::NAN);
        let step = w.get(1).map_or(f64::NAN, |second| second - start);
        axis(first + 1, start, step, "WAVE", "um");
    }
    h.set("EXTNAME", name, "extension name");
    h
}

/// Writes every spaxel of every bin.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn write_grouped(path: &Path, groups: &Groups, date: &str) -> Result<()> {
    let bins = groups.spaxels.len();
    let points = groups.spaxels.iter().map(Vec::len).max().unwrap_or(0);
    let nz = groups.wavelength.len();
    let mut w = Writer::create(path, false)?;
    w.empty(&primary(groups, None, date))?;
    let mut image = vec![f64::NAN; bins * points];
    let mut fill = |of: &dyn Fn(&Spaxel) -> f64| -> Vec<f64> {
        for (row, spaxels) in image.chunks_exact_mut(points.max(1)).zip(&groups.spaxels) {
            row.iter_mut().zip(spaxels).for_each(|(v, s)| *v = of(s));
        }
        image.clone()
    };
    for name in ["SCI", "ERR"] {
        w.image::<f64>(&header(groups, name, 2, true), &[nz, bins, points])?;
        for z in 0..nz {
            let plane = fill(&|s| f64::from(if name == "SCI" { s.sci[z] } else { s.err[z] }));
            w.put(z * bins * points, &plane)?;
        }
    }
    for i in 0..VALUES {
        w.image::<f64>(&header(groups, value_name(i), 2, false), &[bins, points])?;
        w.put(0, &fill(&|s| s.values[i]))?;
    }
    w.finish()
}

/// Writes the bins' means.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn write_averaged(
    path: &Path,
    groups: &Groups,
    averages: &Averages,
    reject: f64,
    date: &str,
) -> Result<()> {
    let bins = averages.means.len();
    let nz = groups.wavelength.len();
    let mut w = Writer::create(path, false)?;
    w.empty(&primary(groups, Some(reject), date))?;
    let row = |of: &dyn Fn(&Mean) -> f64, none: f64| -> Vec<f64> {
        let means = averages.means.iter();
        means.map(|m| m.as_ref().map_or(none, of)).collect()
    };
    let spectral = |w: &mut Writer, name: &str, of: fn(&Mean) -> &[f64]| -> Result<()> {
        w.image::<f64>(&header(groups, name, 1, true), &[nz, bins])?;
        for z in 0..nz {
            w.put(z * bins, &row(&|m| of(m)[z], f64::NAN))?;
        }
        Ok(())
    };
    spectral(&mut w, "SCI", |m| &m.sci)?;
    spectral(&mut w, "ERR", |m| &m.err)?;
    for i in 0..VALUES {
        w.image::<f64>(&header(groups, value_name(i), 1, false), &[bins])?;
        w.put(0, &row(&|m| m.values[i], f64::NAN))?;
    }
    w.image::<f64>(&header(groups, "NPTS", 1, false), &[bins])?;
    w.put(0, &row(&|m| m.n as f64, 0.0))?;
    if !groups.params.compatible {
        spectral(&mut w, "ERR_OF_MEAN", |m| &m.err_of_mean)?;
        spectral(&mut w, "STD", |m| &m.std)?;
    }
    w.finish()
}
