//! Reference files in ASDF.

use std::path::Path;

use super::super::headers::FILE_DATE;
use super::{MRS, Series};
use crate::Result;
use crate::formats::asdf::{self, NdArray, Node, Storage};

/// A tree for MIRI with the metadata every reference file has. `about` is channel, band and detector.
pub fn new(kind: &str, name: &str, model: &str, about: [&str; 3]) -> Node {
    let mut tree = of(&MRS, kind, name, model);
    for (key, value) in ["channel", "band", "detector"].iter().zip(about) {
        tree.set(&format!("meta.instrument.{key}"), value);
    }
    tree
}

/// A tree with the metadata every reference file of a series has.
pub fn of(series: &Series, kind: &str, name: &str, model: &str) -> Node {
    let mut tree = Node::mapping();
    for (path, value) in [
        ("author", "sifu simulate"),
        ("date", FILE_DATE),
        ("description", &format!("Simulated {} {kind}", series.label)),
        ("exposure.type", series.exposure),
        ("filename", name),
        ("instrument.name", series.instrument),
        ("model_type", model),
        ("pedigree", "DUMMY"),
        ("reftype", kind),
        ("telescope", "JWST"),
        ("useafter", "2022-05-01T00:00:00"),
    ] {
        tree.set(&format!("meta.{path}"), value);
    }
    tree
}

/// Parameters of a step or pipeline, served as a reference file: `class` is its Python class.
pub fn parameters(series: &Series, kind: &str, class: &str) -> Node {
    let name = class.rsplit('.').next().unwrap_or(class);
    let mut tree = Node::mapping();
    for (path, value) in [
        ("class", class),
        ("name", name),
        ("meta.author", "sifu simulate"),
        ("meta.date", "2023-07-13T00:00:00"),
        ("meta.description", &format!("Simulated {name} parameters")),
        ("meta.instrument.name", series.instrument),
        ("meta.origin", "SIMULATED"),
        ("meta.pedigree", "DUMMY"),
        ("meta.reftype", kind),
        ("meta.telescope", "JWST"),
        ("meta.useafter", "2022-05-01T00:00:00"),
        ("meta.exposure.type", series.exposure),
    ] {
        tree.set(path, value);
    }
    tree
}

/// A list of texts.
pub fn texts(items: &[&str]) -> Node {
    items
        .iter()
        .map(|s| Node::from(*s))
        .collect::<Vec<_>>()
        .into()
}

/// A list of numbers.
pub fn numbers(items: &[f64]) -> Node {
    items
        .iter()
        .map(|v| Node::from(*v))
        .collect::<Vec<_>>()
        .into()
}

/// An array in a binary block.
///
/// # Errors
/// [`crate::Error::Parameter`] where the shape does not fit.
pub fn array<T: asdf::Element>(shape: &[usize], values: &[T]) -> Result<Node> {
    Ok(NdArray::new(shape, values, Storage::Internal)?.into())
}

/// Writes the tree.
///
/// # Errors
/// [`crate::Error::Io`] where writing fails.
pub fn save(folder: &Path, name: &str, tree: &Node) -> Result<()> {
    asdf::write(folder.join(name), tree)
}
