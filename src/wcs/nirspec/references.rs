//! What the reference files of the instrument model say.

use super::SLICES;
use super::dispersion::Disperser;
use crate::formats::asdf::{AsdfFile, Node};
use crate::wcs::Transform;
use crate::{Error, Result};

/// The reference files, by type.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    pub camera: &'a AsdfFile,
    pub collimator: &'a AsdfFile,
    pub disperser: &'a AsdfFile,
    pub fore: &'a AsdfFile,
    pub fpa: &'a AsdfFile,
    pub ifufore: &'a AsdfFile,
    pub ifupost: &'a AsdfFile,
    pub ifuslicer: &'a AsdfFile,
    pub ote: &'a AsdfFile,
    pub wavelengthrange: &'a AsdfFile,
    /// Chromatic shift of the fore optics. Without it there is none: older sets of files lack this type.
    pub chromcorr: Option<&'a AsdfFile>,
}

/// One slice: its place on the slicer, and the way from the slicer to the MSA plane.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Slice {
    /// Position in the slice to metres on the slicer, before the slicer's own rotation.
    pub location: Transform,
    /// Linear part of the optics behind the slicer.
    pub linear: Transform,
    /// Polynomials for x and y: without wavelength, and the factor of the wavelength (metre).
    pub poly: [Transform; 2],
    pub chromatic: [Transform; 2],
}

/// The range of wavelengths and the order of each pair of filter and grating.
#[derive(Debug, Clone, PartialEq)]
struct Ranges {
    selector: Vec<String>,
    order: Vec<f64>,
    range: Vec<[f64; 2]>,
}

/// The instrument model for one filter and grating.
#[derive(Debug, Clone, PartialEq)]
pub struct NirspecReferences {
    pub(super) camera: Transform,
    pub(super) collimator: Transform,
    pub(super) fore: Transform,
    /// NRS1 and NRS2.
    pub(super) fpa: [Transform; 2],
    pub(super) ifufore: Transform,
    pub(super) ote: Transform,
    pub(super) chromcorr: Option<Transform>,
    /// Rotation and shift of the slicer as a whole.
    pub(super) slicer: Transform,
    pub(super) slices: Vec<Slice>,
    pub(super) disperser: Disperser,
    ranges: Ranges,
}

pub(super) fn fault(file: &AsdfFile, what: &str, e: impl std::fmt::Display) -> Error {
    Error::reference(format!("{}: {what}: {e}", file.path().display()))
}

/// A transform of so many inputs and outputs.
pub(super) fn transform(
    file: &AsdfFile,
    key: &str,
    (n_inputs, n_outputs): (usize, usize),
) -> Result<Transform> {
    let t = Transform::from_node(file.require(key)?).map_err(|e| fault(file, key, e))?;
    if (t.n_inputs(), t.n_outputs()) != (n_inputs, n_outputs) {
        return Err(fault(
            file,
            key,
            format!("not of {n_inputs} inputs and {n_outputs} outputs"),
        ));
    }
    Ok(t)
}

impl NirspecReferences {
    /// Reads the files that CRDS has for an exposure; `file` opens that of a type.
    ///
    /// # Errors
    /// As [`Self::read`], and those of `file`.
    pub fn open(file: impl Fn(&str) -> Result<AsdfFile>) -> Result<Self> {
        Self::read(&Files {
            camera: &file("camera")?,
            collimator: &file("collimator")?,
            disperser: &file("disperser")?,
            fore: &file("fore")?,
            fpa: &file("fpa")?,
            ifufore: &file("ifufore")?,
            ifupost: &file("ifupost")?,
            ifuslicer: &file("ifuslicer")?,
            ote: &file("ote")?,
            wavelengthrange: &file("wavelengthrange")?,
            chromcorr: Some(&file("chromcorr")?),
        })
    }

    /// Reads the files.
    ///
    /// # Errors
    /// [`Error::Reference`] or [`Error::Format`] naming the file that is not what it should be.
    pub fn read(files: &Files) -> Result<Self> {
        let chromcorr = files.chromcorr.map(|f| transform(f, "model", (3, 3)));
        Ok(Self {
            camera: transform(files.camera, "model", (2, 2))?,
            collimator: transform(files.collimator, "model", (2, 2))?,
            fore: transform(files.fore, "model", (3, 2))?,
            fpa: [
                transform(files.fpa, "nrs1_model", (2, 2))?,
                transform(files.fpa, "nrs2_model", (2, 2))?,
            ],
            ifufore: transform(files.ifufore, "model", (3, 2))?,
            ote: transform(files.ote, "model", (2, 2))?,
            chromcorr: chromcorr.transpose()?,
            slicer: transform(files.ifuslicer, "model", (2, 2))?,
            slices: slices(files.ifuslicer, files.ifupost)?,
            disperser: Disperser::read(files.disperser)?,
            ranges: Ranges::read(files.wavelengthrange)?,
        })
    }

    /// Spectral order and range of wavelengths (metre) of a filter and grating. For a pair that the file lacks those of the first
    /// entry with the grating, else order -1 and the instrument's whole range, as in calwebb.
    pub fn order_and_range(&self, filter: &str, grating: &str) -> (f64, [f64; 2]) {
        let Ranges {
            selector,
            order,
            range,
        } = &self.ranges;
        let key = format!("{filter}_{grating}");
        let exact = selector.iter().position(|s| *s == key);
        let of_grating = || {
            let mut names = selector.iter();
            names.position(|s| s.split('_').nth(1) == Some(grating))
        };
        match exact.or_else(of_grating) {
            Some(i) => (order[i], range[i]),
            None => (-1.0, [0.6e-6, 5.3e-6]),
        }
    }
}

fn slices(ifuslicer: &AsdfFile, ifupost: &AsdfFile) -> Result<Vec<Slice>> {
    let table = ifuslicer.require_array("data")?;
    let column = |name: &str| -> Result<Vec<f64>> {
        let column = table
            .field(name)
            .ok_or_else(|| fault(ifuslicer, "data", format!("has no column {name}")))?;
        let values = column.to_vec::<f32>()?;
        if values.len() != SLICES {
            let n = values.len();
            return Err(fault(
                ifuslicer,
                "data",
                format!("{n} slices instead of {SLICES}"),
            ));
        }
        Ok(values.into_iter().map(f64::from).collect())
    };
    let [xc, yc] = [column("XC")?, column("YC")?];
    let [sizex, sizey] = [column("SIZEX")?, column("SIZEY")?];
    (0..SLICES)
        .map(|i| {
            let at = |key: &str| format!("slice_{i}.{key}");
            let poly = |key: &str| transform(ifupost, &at(key), (2, 1));
            let scale = Transform::scale(sizex[i]).beside(Transform::scale(sizey[i]));
            let shift = Transform::shift(xc[i]).beside(Transform::shift(yc[i]));
            Ok(Slice {
                location: scale.then(shift),
                linear: transform(ifupost, &at("linear"), (2, 2))?,
                poly: [poly("xpoly")?, poly("ypoly")?],
                chromatic: [poly("xpoly_distortion")?, poly("ypoly_distortion")?],
            })
        })
        .collect()
}

impl Ranges {
    fn read(file: &AsdfFile) -> Result<Self> {
        let list = |key: &str| -> Result<&[Node]> {
            let items = file.require(key)?.as_sequence();
            items.ok_or_else(|| fault(file, key, "is not a list"))
        };
        let text = |n: &Node| n.as_str().map(String::from);
        let selector: Option<Vec<String>> = list("waverange_selector")?.iter().map(text).collect();
        let order: Option<Vec<f64>> = list("order")?.iter().map(Node::as_f64).collect();
        let pair = |n: &Node| match n.as_sequence() {
            Some([low, high]) => Some([low.as_f64()?, high.as_f64()?]),
            _ => None,
        };
        let range: Option<Vec<[f64; 2]>> = list("wavelengthrange")?.iter().map(pair).collect();
        match (selector, order, range) {
            (Some(selector), Some(order), Some(range))
                if order.len() == selector.len()
                    && range.len() == selector.len()
                    && range.iter().all(|[low, high]| low < high) =>
            {
                Ok(Self {
                    selector,
                    order,
                    range,
                })
            }
            _ => Err(fault(
                file,
                "wavelengthrange",
                "names, orders and ranges of filters and gratings are not lists of one length",
            )),
        }
    }
}
