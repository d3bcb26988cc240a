//! A cube before and after steps: what [`crate::view::steps`] draws, read from the cubes that the steps wrote.

use std::path::{Path, PathBuf};

use super::plot::Opened;
use crate::view::steps::{MOST, Subject, draw};
use crate::view::summary::title;
use crate::view::{self, Figure};
use crate::{Error, Result};

/// What of the cubes is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Options {
    /// Wavelengths that images are means of, micron; all of them without.
    pub range: Option<[f64; 2]>,
    /// Column and row of the spectra, from 0; the brightest of the last image without.
    pub spaxel: Option<[usize; 2]>,
}

/// Folder of the step that wrote a cube, as in `stage3_desaturated`, with the variant's (`stage3/d1_psf`) where two are in the same; its
/// file's name where no folder is one of a run.
fn names(paths: &[PathBuf]) -> Vec<String> {
    let of = |path: &PathBuf| {
        let whole = path.canonicalize().unwrap_or_else(|_| path.clone());
        let part = |p: &Path| p.file_name().map(|n| n.to_string_lossy().into_owned());
        let folders: Vec<String> = whole.ancestors().skip(1).filter_map(part).collect();
        let at = folders.iter().position(|f| f.starts_with("stage"))?;
        Some(folders[..=at].to_vec())
    };
    let folders: Vec<Option<Vec<String>>> = paths.iter().map(of).collect();
    let alone = |all: &[Option<String>]| {
        let mut all = all.iter().enumerate();
        let known: Vec<_> = all.clone().map(|(_, s)| s).collect();
        all.all(|(i, s)| s.is_some() && !known[..i].contains(&s))
    };
    let stage = |f: &Option<Vec<String>>| f.as_ref()?.last().cloned();
    let whole = |f: &Option<Vec<String>>| {
        let parts: Vec<String> = f.as_ref()?.iter().rev().cloned().collect();
        Some(parts.join("/"))
    };
    let mut stages: Vec<Option<String>> = folders.iter().map(stage).collect();
    if !alone(&stages) {
        stages = folders.iter().map(whole).collect();
    }
    let distinct = alone(&stages);
    paths
        .iter()
        .zip(stages)
        .enumerate()
        .map(|(k, (path, stage))| {
            let file = path.file_stem().map(|n| n.to_string_lossy().into_owned());
            stage
                .filter(|_| distinct)
                .unwrap_or_else(|| format!("{}: {}", k + 1, file.unwrap_or_default()))
        })
        .collect()
}

/// The page of one cube after each of some steps, in their order.
///
/// # Errors
/// [`Error::Parameter`] for fewer than two or too many cubes, a range or a spaxel that they do not have; [`Error::Input`] for files that
/// are no cubes, or not of one shape and band.
pub fn figure(paths: &[PathBuf], options: &Options) -> Result<Figure> {
    if !(2..=MOST).contains(&paths.len()) {
        return Err(Error::parameter(format!(
            "steps are compared on 2 to {MOST} cubes, and there are {}",
            paths.len()
        )));
    }
    let cubes = paths
        .iter()
        .map(|p| Opened::read(p))
        .collect::<Result<Vec<_>>>()?;
    let (first, rest) = cubes
        .split_first()
        .ok_or_else(|| Error::input("no cubes"))?;
    for (cube, path) in rest.iter().zip(&paths[1..]) {
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-8 + 1e-5 * b.abs();
        let same =
            cube.shape == first.shape && cube.wavelength.iter().zip(&first.wavelength).all(near);
        if !same {
            return Err(Error::input_file(
                path,
                format!(
                    "has another shape or other wavelengths than {}; steps are compared on one cube",
                    paths[0].display()
                ),
            ));
        }
    }
    let [_, ny, nx] = first.shape;
    if let Some([x, y]) = options.spaxel.filter(|[x, y]| *x >= nx || *y >= ny) {
        return Err(Error::parameter(format!(
            "spaxel {},{} is not in the cubes, which have {nx} columns and {ny} rows",
            x + 1,
            y + 1
        )));
    }
    let known = || first.wavelength.iter().copied().filter(|w| w.is_finite());
    let ends = [
        known().fold(f64::INFINITY, f64::min),
        known().fold(f64::NEG_INFINITY, f64::max),
    ];
    let range = options.range.unwrap_or(ends);
    if !known().any(|w| range[0] <= w && w <= range[1]) {
        return Err(Error::parameter(format!(
            "the cubes have no wavelength from {} to {} micron; theirs are {:.3} to {:.3}",
            range[0], range[1], ends[0], ends[1]
        )));
    }
    let [primary, sci] = first.headers();
    let unit = sci.str("BUNIT").map(str::trim).filter(|u| !u.is_empty());
    let values: Vec<&[f32]> = cubes.iter().map(|c| c.values.as_slice()).collect();
    Ok(draw(&Subject {
        title: &title(primary),
        names: &names(paths),
        unit: unit.unwrap_or("no unit"),
        shape: first.shape,
        cubes: &values,
        wavelength: &first.wavelength,
        range: [range[0].max(ends[0]), range[1].min(ends[1])],
        spaxel: options.spaxel,
    }))
}

/// Makes the page: PNG (`width` pixels across), SVG or PDF by the name's end.
///
/// # Errors
/// As [`figure`]; [`Error::Parameter`] for another kind of file; [`Error::Io`].
pub fn run(paths: &[PathBuf], out: &Path, options: &Options, width: usize) -> Result<()> {
    view::write(&figure(paths, options)?, out, width)
}
