//! `sifu wcs`: coordinates of a pixel, or the pixel of coordinates.

use std::path::{Path, PathBuf};

use super::setup::ReferenceArgs;
use crate::exec::Exec;
use crate::formats::asdf::AsdfFile;
use crate::formats::fits::FitsFile;
use crate::model::Meta;
use crate::store::cal::wcs_node;
use crate::store::references::{CrdsReferences, References};
use crate::wcs::nirspec::{NirspecReferences, SLICES, Setting, SliceMap};
use crate::wcs::pointing::Pointing;
use crate::wcs::{Gwcs, Mrs, Nirspec};
use crate::{Error, Result};

/// Show the sky position and wavelength of a pixel, or the pixel of a position.
///
/// A product that carries its WCS (`_cal` and later) is asked; for a `_rate` the WCS is made from the reference files.
/// Pixels count from 0 and their centres are whole numbers (the first pixel of FITS viewers is 1, 1).
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct Args {
    /// The product.
    file: PathBuf,
    /// X Y of an exposure or X Y Z of a cube; with --inverse RA DEC (degrees) and LAMBDA (micron). Behind them SLICE where the
    /// WCS of a NIRSpec exposure asks for it.
    #[arg(required = true, num_args = 2..=4, value_name = "COORDINATE")]
    coordinates: Vec<f64>,
    /// From position and wavelength to pixel.
    #[arg(long)]
    inverse: bool,
    /// Make the WCS from the reference files even if the product carries one.
    #[arg(long)]
    from_references: bool,
    #[command(flatten)]
    references: ReferenceArgs,
}

/// Where a product's WCS comes from.
pub(super) enum Source {
    /// The product, or the reference files of the NIRSpec IFU.
    Gwcs(Gwcs),
    /// The reference files of the MIRI MRS, which also have an exact backward transform.
    Mrs(Box<Mrs>),
}

impl Source {
    /// The tree.
    pub(super) fn gwcs(&self) -> &Gwcs {
        match self {
            Self::Gwcs(g) => g,
            Self::Mrs(m) => m.gwcs(),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// [`Error::Science`] where there is no pixel or position, [`Error::Input`] where there is no WCS.
pub fn run(args: &Args) -> Result<u8> {
    let path = &args.file;
    let file = FitsFile::open(path)?;
    let carried = match args.from_references {
        true => None,
        false => carried(&file, path)?,
    };
    let source = match carried {
        Some(gwcs) => Source::Gwcs(gwcs),
        None => from_references(&file, path, &args.references)?,
    };
    let text = match args.inverse {
        true => backward(&source, args),
        false => forward(&source, args),
    };
    super::print(&text.map_err(|e| e.with_path(path))?)?;
    Ok(0)
}

/// The WCS in the ASDF extension; none where there is no such thing.
fn carried(file: &FitsFile, path: &Path) -> Result<Option<Gwcs>> {
    let node = wcs_node(file, path)?;
    let gwcs = node.as_ref().map(Gwcs::from_node).transpose();
    gwcs.map_err(|e| e.with_path(path))
}

/// The WCS of an exposure from reference files.
///
/// # Errors
/// [`Error::Input`] for what is no exposure of the MIRI MRS or the NIRSpec IFU, [`Error::Reference`].
pub(super) fn from_references(
    file: &FitsFile,
    path: &Path,
    args: &ReferenceArgs,
) -> Result<Source> {
    let sci = file.need("SCI")?;
    let meta = Meta {
        source: path.into(),
        primary: file.hdus()[0].header.clone(),
        sci: file.hdus()[sci].header.clone(),
        history: None,
    };
    let (ny, nx) = match *file.shape(sci)? {
        [.., ny, nx] => (ny, nx),
        _ => return Err(Error::input_file(path, "SCI is no image")),
    };
    let references = args.references()?;
    match meta.need_str("EXP_TYPE")? {
        "MIR_MRS" => {
            let files = open_all(
                &references,
                &meta,
                ["distortion", "specwcs", "regions", "wavelengthrange"],
            )?;
            let mrs = Mrs::of_exposure(&meta, (ny, nx), files.each_ref())?;
            Ok(Source::Mrs(Box::new(mrs)))
        }
        "NRS_IFU" => nirspec(&references, &meta).map(Source::Gwcs),
        what => Err(Error::input_file(
            path,
            format!(
                "the product carries no WCS, and from reference files one is made only for \
                 EXP_TYPE MIR_MRS and NRS_IFU, not {what}"
            ),
        )),
    }
}

/// The WCS of an exposure of the NIRSpec IFU, in the form that finds the slice itself.
fn nirspec(references: &CrdsReferences, meta: &Meta) -> Result<Gwcs> {
    let refs = NirspecReferences::open(|kind| {
        let [file] = open_all(references, meta, [kind])?;
        Ok(file)
    })?;
    let setting = Setting::from_meta(meta)?;
    let optics = Nirspec::new(&refs, &setting, &Pointing::from_meta(meta)?, [-0.55, 0.55])?;
    let traces = Exec::new(None)?.try_map((0..SLICES).collect(), |i| Ok(optics.trace(i)?.0))?;
    optics.coordinate_form(&SliceMap::of(traces))
}

/// Opens the reference files; what is missing is said of all of them at once.
fn open_all<const N: usize>(
    references: &CrdsReferences,
    meta: &Meta,
    kinds: [&str; N],
) -> Result<[AsdfFile; N]> {
    let mut missing = Vec::new();
    let mut files = Vec::new();
    for kind in kinds {
        match references.find(meta, kind) {
            Ok(found) => match found.path {
                Some(path) => files.push(AsdfFile::open(path)?),
                None => missing.push(format!("no {kind} reference file applies")),
            },
            Err(Error::Reference { message }) => missing.push(message),
            Err(other) => return Err(other),
        }
    }
    <[AsdfFile; N]>::try_from(files).map_err(|_| Error::reference(missing.join("\n")))
}

fn needs(n: usize, args: &Args, names: &str) -> Result<Vec<Vec<f64>>> {
    if args.coordinates.len() != n {
        return Err(Error::parameter(format!(
            "{} coordinates were given; this WCS needs {n}: {names}",
            args.coordinates.len()
        )));
    }
    if args.coordinates.iter().any(|c| !c.is_finite()) {
        return Err(Error::parameter("coordinates must be numbers"));
    }
    Ok(args.coordinates.iter().map(|c| vec![*c]).collect())
}

fn line(name: &str, value: f64, unit: &str) -> String {
    let unit = if unit.is_empty() {
        String::new()
    } else {
        format!(" {unit}")
    };
    format!("{name:<8} {value:.10}{unit}\n")
}

/// Whether points carry the number of their slice.
fn has_slice(gwcs: &Gwcs) -> bool {
    gwcs.n_outputs() == 4
}

/// Whether the pixels are those of the NIRSpec IFU.
fn on_slicer(gwcs: &Gwcs) -> bool {
    let mut frames = gwcs.steps().iter();
    frames.any(|s| s.frame.name == "slicer")
}

/// The slice, counted from 1, of a point whose WCS asks for its number from 0.
///
/// # Errors
/// [`Error::Parameter`] for what is none of the WCS's slices, [`Error::Science`] for a pixel out of the slice's bounds.
fn numbered(gwcs: &Gwcs, point: &[f64]) -> Result<i64> {
    let (x, y, number) = (point[0], point[1], point[2]);
    let first = gwcs.steps().first().and_then(|s| s.transform.as_ref());
    let Some(slices) = first.and_then(|t| t.boxes.as_ref()) else {
        return Ok(number as i64 + 1);
    };
    let of = |n: i64| n as f64 == number;
    let Some((n, bounds)) = slices.boxes.iter().find(|(n, _)| of(*n)) else {
        return Err(Error::parameter(format!(
            "there is no slice {number}: they count from 0 to {}",
            slices.boxes.len().saturating_sub(1)
        )));
    };
    let inside = |(bound, c): (&Option<(f64, f64)>, f64)| {
        bound.is_none_or(|(low, high)| c >= low && c <= high)
    };
    match bounds.iter().zip([x, y]).all(inside) {
        true => Ok(n + 1),
        false => Err(Error::science(format!(
            "the pixel ({x}, {y}) is out of the bounds of slice {number}"
        ))),
    }
}

/// Whether the pixels are those of slices.
fn sliced(gwcs: &Gwcs) -> bool {
    let frames = &mut gwcs.steps().iter();
    frames.any(|s| s.frame.name == "alpha_beta")
}

fn forward(source: &Source, args: &Args) -> Result<String> {
    let gwcs = source.gwcs();
    let names = match (gwcs.n_inputs(), has_slice(gwcs)) {
        (2, _) => "X Y",
        (_, true) => "X Y SLICE (from 0)",
        (_, false) => "X Y Z",
    };
    let point = needs(gwcs.n_inputs(), args, names)?;
    let point: Vec<&[f64]> = point.iter().map(Vec::as_slice).collect();
    let at = |frame: &str| -> Result<Vec<f64>> {
        let values = gwcs.between(gwcs.first(), frame, &point)?;
        Ok(values.into_iter().flatten().collect())
    };
    if let Some(bounds) = gwcs.bounding_box() {
        for ((c, bound), name) in args.coordinates.iter().zip(bounds).zip(["x", "y", "z"]) {
            if let Some((low, high)) = bound
                && (c < low || c > high)
            {
                let what = if gwcs.n_inputs() == 2 {
                    "detector"
                } else {
                    "cube"
                };
                return Err(Error::science(format!(
                    "{name} = {c} is off the {what}, which reaches from {low} to {high}"
                )));
            }
        }
    }
    let mut out = String::new();
    let sliced = sliced(gwcs);
    if sliced {
        let label = gwcs.label(&point)?.filter(|l| *l > 0.0);
        let label = label.ok_or_else(|| {
            let (x, y) = (args.coordinates[0], args.coordinates[1]);
            Error::science(format!("the pixel ({x}, {y}) is in no slice"))
        })? as i64;
        out += &format!(
            "{:<8} {}\n{:<8} {}\n",
            "channel",
            label / 100,
            "slice",
            label % 100
        );
        let local = at("alpha_beta")?;
        for (name, value) in ["alpha", "beta"].into_iter().zip(local) {
            out += &line(name, value, "arcsec");
        }
    }
    if on_slicer(gwcs) {
        let label = match has_slice(gwcs) {
            true => numbered(gwcs, &args.coordinates)?,
            false => {
                let label = gwcs.label(&point)?.filter(|l| *l > 0.0);
                label.ok_or_else(|| {
                    let (x, y) = (args.coordinates[0], args.coordinates[1]);
                    Error::science(format!("the pixel ({x}, {y}) is in no slice"))
                })? as i64
            }
        };
        out += &format!("{:<8} {}\n{:<8} {label}\n", "slice", label - 1, "region");
        let on = at("slicer")?;
        for (name, value) in ["across", "along"].into_iter().zip(on) {
            out += &line(name, value * 1e3, "mm on the slicer");
        }
    }
    let world = at(gwcs.last())?;
    if world.iter().any(|v| v.is_nan()) {
        let message = match sliced {
            true => "its wavelength is outside the range of its channel: there is no position",
            false => "there is no position for this pixel",
        };
        return Err(Error::science(message));
    }
    // the number of the slice that may follow is said above
    let names = [("ra", "deg"), ("dec", "deg"), ("lambda", "micron")];
    for ((name, unit), value) in names.into_iter().zip(world) {
        out += &line(name, value, unit);
    }
    Ok(out)
}

fn backward(source: &Source, args: &Args) -> Result<String> {
    let gwcs = source.gwcs();
    let names = match gwcs.n_outputs() {
        2 => "RA DEC",
        4 => "RA DEC LAMBDA SLICE (from 0)",
        _ => "RA DEC LAMBDA",
    };
    let point = needs(gwcs.n_outputs(), args, names)?;
    let columns: Vec<&[f64]> = point.iter().map(Vec::as_slice).collect();
    let fitted: Vec<f64> = gwcs.backward(&columns)?.into_iter().flatten().collect();
    let exact: Vec<f64> = match source {
        Source::Mrs(mrs) => mrs
            .exact_backward(columns[0], columns[1], columns[2])?
            .into_iter()
            .flatten()
            .collect(),
        Source::Gwcs(_) => Vec::new(),
    };
    let given = |v: &[f64]| !v.is_empty() && v.iter().all(|c| !c.is_nan());
    if !given(&fitted) && !given(&exact) {
        return Err(Error::science(
            "no pixel sees this position at this wavelength",
        ));
    }
    let mut out = String::new();
    for (values, how) in [(exact, "exact"), (fitted, "the files' own backward fit")] {
        // others' backward transform is the inverse itself
        let how = match sliced(gwcs) {
            true => format!("({how})"),
            false => String::new(),
        };
        if given(&values) {
            let third = if has_slice(gwcs) { "slice" } else { "z" };
            for (name, value) in ["x", "y", third].into_iter().zip(values) {
                out += &line(name, value, &how);
            }
        }
    }
    Ok(out)
}
