//! Reference files of the coordinate system: the instrument model, element by element.

use std::path::Path;

use super::super::instrument;
use super::super::mode::{MODES, Mode};
use super::{IFU, Of, for_all, name};
use crate::formats::asdf::Node;
use crate::simulate::random::{Stream, label};
use crate::simulate::references::key::{EXP_TYPE, FILTER, GRATING};
use crate::simulate::references::{Job, rules, tree};
use crate::wcs::Transform;
use crate::wcs::nirspec::SLICES;
use crate::{Error, Result};

/// Number of shutters of the MSA that do not move.
const FAILED: usize = 20;

/// A type of file, its data model, and the one transform it holds.
type Element = (&'static str, &'static str, fn() -> Result<Transform>);

/// The files for these modes.
pub fn files<'a>(folder: &'a Path, seed: u64, modes: &[Mode]) -> Vec<Job<'a>> {
    let elements: [Element; 4] = [
        ("camera", "CameraModel", instrument::camera),
        ("collimator", "CollimatorModel", instrument::collimator),
        ("ifufore", "IFUFOREModel", instrument::slicer_fore),
        ("ote", "OTEModel", instrument::telescope),
    ];
    let mut jobs: Vec<Job<'a>> = Vec::new();
    for (kind, model, make) in elements {
        let file = name(kind, Of::All, "asdf");
        jobs.push((
            for_all(kind, &file),
            Box::new(move || single(folder, kind, &file, model, &make()?, None)),
        ));
    }
    type Whole = (&'static str, fn(&Path, &str) -> Result<()>);
    let whole: [Whole; 5] = [
        ("fpa", focal_plane),
        ("ifupost", post),
        ("ifuslicer", slicer),
        ("msa", shutters),
        ("wavelengthrange", ranges),
    ];
    for (kind, write) in whole {
        let file = name(kind, Of::All, "asdf");
        jobs.push((for_all(kind, &file), Box::new(move || write(folder, &file))));
    }
    let file = name("msaoper", Of::All, "json");
    jobs.push((
        for_all("msaoper", &file),
        Box::new(move || failed(folder, &file, seed)),
    ));
    let mut filters: Vec<_> = modes.iter().map(|m| m.filter).collect();
    filters.sort();
    filters.dedup();
    for filter in filters {
        let of_filter = |kind: &str, file: &str| {
            let values = [IFU.exposure, filter.name()];
            rules(kind, &[EXP_TYPE, FILTER], &values, file)
        };
        let about = Some(("filter", filter.name()));
        let file = name("fore", Of::Filter(filter), "asdf");
        jobs.push((
            of_filter("fore", &file),
            Box::new(move || {
                let model = instrument::fore(filter)?;
                single(folder, "fore", &file, "FOREModel", &model, about)
            }),
        ));
        let file = name("chromcorr", Of::Filter(filter), "asdf");
        jobs.push((
            of_filter("chromcorr", &file),
            Box::new(move || {
                let model = instrument::chromatic_shift()?;
                single(folder, "chromcorr", &file, "ChromCorrModel", &model, about)
            }),
        ));
    }
    let mut gratings: Vec<_> = modes.iter().map(|m| m.grating).collect();
    gratings.sort();
    gratings.dedup();
    for grating in gratings {
        let file = name("disperser", Of::Grating(grating), "asdf");
        let values = [IFU.exposure, grating.name()];
        jobs.push((
            rules("disperser", &[EXP_TYPE, GRATING], &values, &file),
            Box::new(move || {
                let mut tree = tree::of(&IFU, "disperser", &file, "DisperserModel");
                tree.set("meta.instrument.grating", grating.name());
                for (key, value) in instrument::disperser(grating)? {
                    tree.set(&key, value);
                }
                tree::save(folder, &file, &tree)
            }),
        ));
    }
    jobs
}

/// A file of one transform.
fn single(
    folder: &Path,
    kind: &str,
    file: &str,
    model: &str,
    transform: &Transform,
    about: Option<(&str, &str)>,
) -> Result<()> {
    let mut tree = tree::of(&IFU, kind, file, model);
    if let Some((key, value)) = about {
        tree.set(&format!("meta.instrument.{key}"), value);
    }
    tree.set("model", transform.to_node()?);
    tree::save(folder, file, &tree)
}

fn focal_plane(folder: &Path, file: &str) -> Result<()> {
    let mut tree = tree::of(&IFU, "fpa", file, "FPAModel");
    for number in [1, 2] {
        let model = instrument::detector(number)?;
        tree.set(&format!("nrs{number}_model"), model.to_node()?);
    }
    tree::save(folder, file, &tree)
}

fn post(folder: &Path, file: &str) -> Result<()> {
    let mut tree = tree::of(&IFU, "ifupost", file, "IFUPostModel");
    for slice in 0..SLICES {
        for (part, transform) in instrument::slicer_post(slice)? {
            tree.set(&format!("slice_{slice}.{part}"), transform.to_node()?);
        }
    }
    tree::save(folder, file, &tree)
}

fn slicer(folder: &Path, file: &str) -> Result<()> {
    let mut tree = tree::of(&IFU, "ifuslicer", file, "IFUSlicerModel");
    let (model, slices) = instrument::slicer()?;
    tree.set("model", model.to_node()?);
    tree.set("data", slices);
    tree::save(folder, file, &tree)
}

fn shutters(folder: &Path, file: &str) -> Result<()> {
    let mut tree = tree::of(&IFU, "msa", file, "MSAModel");
    for number in 1..=4 {
        let (model, shutters) = instrument::quadrant(number)?;
        tree.set(&format!("Q{number}.model"), model.to_node()?);
        tree.set(&format!("Q{number}.data"), shutters);
    }
    tree::save(folder, file, &tree)
}

fn ranges(folder: &Path, file: &str) -> Result<()> {
    let mut tree = tree::of(&IFU, "wavelengthrange", file, "WavelengthrangeModel");
    let metre = Node::from("m").with_tag("tag:stsci.edu:asdf/unit/unit-1.0.0");
    tree.set("meta.wavelength_units", metre);
    let (mut names, mut orders, mut ranges) = (Vec::new(), Vec::new(), Vec::new());
    for mode in MODES {
        let key = mode.key();
        let [order, low, high] = instrument::range(&key)?;
        names.push(Node::from(key));
        orders.push(Node::from(order as i64));
        ranges.push(tree::numbers(&[low, high]));
    }
    tree.set("waverange_selector", names);
    tree.set("order", orders);
    tree.set("wavelengthrange", ranges);
    tree::save(folder, file, &tree)
}

/// Shutters that are stuck, most of them open.
fn failed(folder: &Path, file: &str, seed: u64) -> Result<()> {
    let mut rng = Stream::new(seed, &[label("shutters")]);
    let shutter = |_| {
        let quadrant = 1 + rng.index(4);
        let (x, y) = (20 + rng.index(326), 20 + rng.index(132));
        let state = ["open", "open", "closed"][rng.index(3)];
        serde_json::json!({
            "Q": quadrant, "x": x, "y": y, "state": state, "TA state": "N/A", "Internal state": "normal",
            "Vignetted": "No",
        })
    };
    let shutters: Vec<serde_json::Value> = (0..FAILED).map(shutter).collect();
    let all = serde_json::json!({
        "title": "NIRSpec MSA operability", "reftype": "msaoper", "pedigree": "DUMMY",
        "useafter": "2022-05-01T00:00:00", "author": "sifu simulate", "descrip": "Simulated failed shutters",
        "HISTORY": "", "instrument": IFU.instrument, "exp_type": IFU.exposure, "telescope": "JWST",
        "msaoper": shutters,
    });
    let path = folder.join(file);
    std::fs::write(&path, format!("{all:#}\n")).map_err(|e| Error::io(&path, e))
}
