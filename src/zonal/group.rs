//! Spaxels of many cubes sorted into bins.

use std::path::{Path, PathBuf};

use super::{Bins, KEYWORDS, PLANES, VALUES, period};
use crate::exec::Exec;
use crate::formats::distinct;
use crate::formats::fits::{FitsFile, Header};
use crate::{Error, Result};

/// What goes into which bin.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    /// The bins.
    pub bins: Bins,
    /// The plane whose values are binned.
    pub plane: String,
    /// A spaxel with a larger part of flagged samples is left out.
    pub dq_threshold: f64,
    /// Spaxels with this emission angle (degrees) or more are left out, if given.
    pub emission_cutoff: Option<f64>,
    /// Do as the reference pipeline does, with its defects.
    pub compatible: bool,
}

/// One spaxel.
#[derive(Debug, Clone, PartialEq)]
pub struct Spaxel {
    /// Radiance in MJy/sr, NaN where flagged.
    pub sci: Vec<f32>,
    /// Its standard error, NaN where flagged.
    pub err: Vec<f32>,
    /// [`PLANES`], then [`KEYWORDS`].
    pub values: [f64; VALUES],
}

/// Spaxels by bin.
#[derive(Debug, Clone)]
pub struct Groups {
    /// What was binned how.
    pub params: Params,
    /// Wavelengths in micron.
    pub wavelength: Vec<f64>,
    /// The spaxels of each bin, in the order of files, rows and columns.
    pub spaxels: Vec<Vec<Spaxel>>,
    /// Keywords of the first cube's primary header.
    pub primary: Header,
    /// Number of cubes.
    pub cubes: usize,
}

/// Keywords that must agree between cubes.
const SAME: &[&str] = &["INSTRUME", "CHANNEL", "BAND", "FILTER", "GRATING"];

/// Wavelengths of a linear axis of `n` planes: FITS counts pixels from 1; the reference adds CRPIX3 - 1 instead.
pub(crate) fn wavelengths(
    header: &Header,
    n: usize,
    path: &Path,
    compatible: bool,
) -> Result<Vec<f64>> {
    let step = header.f64("CD3_3").or_else(|| header.f64("CDELT3"));
    let (Some(first), Some(step)) = (header.f64("CRVAL3"), step) else {
        let linear = "has no linear wavelength axis (CRVAL3, CDELT3); build cubes of one band (output_type=band)";
        return Err(Error::input_file(path, linear));
    };
    if header.str("CTYPE3").is_some_and(|t| t.trim() == "WAVE-TAB") {
        let table =
            "its wavelengths are a table (WAVE-TAB); build cubes of one band (output_type=band)";
        return Err(Error::input_file(path, table));
    }
    let pixel = header.f64("CRPIX3").unwrap_or(1.0) - 1.0;
    let shift = if compatible { pixel } else { -pixel };
    Ok((0..n).map(|i| first + step * (i as f64 + shift)).collect())
}

/// Sorts the spaxels of navigated cubes into bins. `said` is told each file's name.
///
/// # Errors
/// [`Error::Input`] where cubes do not belong together or are not navigated.
pub fn group(
    paths: &[PathBuf],
    params: &Params,
    said: &dyn Fn(&str),
    exec: &Exec,
) -> Result<Groups> {
    if !PLANES.contains(&params.plane.as_str()) {
        return Err(Error::parameter(format!(
            "there is no plane {}; planes are {}",
            params.plane,
            PLANES.join(", ")
        )));
    }
    if !(0.0..=1.0).contains(&params.dq_threshold) {
        return Err(Error::parameter(format!(
            "dq_threshold = {} must be between 0 and 1",
            params.dq_threshold
        )));
    }
    distinct(paths)?;
    let mut out: Option<Groups> = None;
    for path in paths {
        exec.check()?;
        said(&path.file_name().unwrap_or_default().to_string_lossy());
        let file = FitsFile::open(path)?;
        let sci = file.need("SCI")?;
        let [nz, ..] = *file.shape(sci)? else {
            return Err(Error::input_file(path, "SCI is no cube"));
        };
        let primary = &file.hdus()[0].header;
        let wavelength = wavelengths(&file.hdus()[sci].header, nz, path, params.compatible)?;
        let groups = out.get_or_insert_with(|| Groups {
            params: params.clone(),
            wavelength: wavelength.clone(),
            spaxels: vec![Vec::new(); params.bins.n],
            primary: primary.clone(),
            cubes: 0,
        });
        for key in SAME {
            let text = |h: &Header| h.str(key).map(|t| t.trim().to_lowercase());
            let (a, b) = (text(primary), text(&groups.primary));
            if a != b {
                let show = |t: Option<String>| t.unwrap_or_else(|| "missing".into());
                let (a, b) = (show(a), show(b));
                let first = paths[0].display();
                let message =
                    format!("{key} is {a} here and {b} in {first}; cubes of one band are averaged");
                return Err(Error::input_file(path, message));
            }
        }
        if wavelength != groups.wavelength {
            let first = paths[0].display();
            return Err(Error::input_file(
                path,
                format!("its wavelengths are not those of {first}"),
            ));
        }
        groups.cubes += 1;
        add(&file, path, sci, groups)?;
    }
    out.ok_or_else(|| Error::input("there are no cubes to average"))
}

/// Adds one cube's spaxels.
fn add(file: &FitsFile, path: &Path, sci: usize, groups: &mut Groups) -> Result<()> {
    let shape = file.shape(sci)?;
    let [nz, ny, nx] = *shape else {
        return Err(Error::input_file(path, "SCI is no cube"));
    };
    let sized = |name: &str, wanted: &[usize]| -> Result<usize> {
        let i = file.find(name).ok_or_else(|| {
            let navigate =
                format!("has no {name} extension; run `sifu navigate` on the cube first");
            match PLANES.contains(&name) {
                true => Error::input_file(path, navigate),
                false => Error::format(path, format!("has no {name} extension")),
            }
        })?;
        match file.shape(i)? == wanted {
            true => Ok(i),
            false => Err(Error::format(
                path,
                format!("the shape of {name} does not fit SCI"),
            )),
        }
    };
    let mut planes = Vec::new();
    for name in PLANES {
        planes.push(file.all::<f64>(sized(name, &[ny, nx])?)?);
    }
    let header = &file.hdus()[sci].header;
    let mut values = [f64::NAN; VALUES];
    for (value, key) in values[PLANES.len()..].iter_mut().zip(KEYWORDS) {
        let found = header.f64(key).or_else(|| file.hdus()[0].header.f64(key));
        *value =
            found.ok_or_else(|| Error::input_file(path, format!("keyword {key} is missing")))?;
    }
    let values_of: Vec<f32> = file.all(sci)?;
    let errors: Vec<f32> = file.all(sized("ERR", shape)?)?;
    let flags: Vec<u32> = file.all(sized("DQ", shape)?)?;
    let at = |name: &str| PLANES.iter().position(|p| *p == name).unwrap_or(0);
    let (binned, emission) = (at(&groups.params.plane), at("EMISSION"));
    let params = &groups.params;
    let around = period(&params.plane).filter(|_| !params.compatible);
    let size = ny * nx;
    for s in 0..size {
        let flagged = |z: usize| flags[z * size + s] != 0;
        let bad = (0..nz).filter(|z| flagged(*z)).count() as f64 / nz as f64;
        let near = params
            .emission_cutoff
            .is_none_or(|cutoff| planes[emission][s] < cutoff);
        if bad > params.dq_threshold || !near {
            continue;
        }
        let Some(bin) = params
            .bins
            .find(planes[binned][s], around, !params.compatible)
        else {
            continue;
        };
        let spectrum = |of: &[f32]| -> Vec<f32> {
            let value = |z: usize| {
                if flagged(z) {
                    f32::NAN
                } else {
                    of[z * size + s]
                }
            };
            (0..nz).map(value).collect()
        };
        values.iter_mut().zip(&planes).for_each(|(v, p)| *v = p[s]);
        groups.spaxels[bin].push(Spaxel {
            sci: spectrum(&values_of),
            err: spectrum(&errors),
            values,
        });
    }
    Ok(())
}
