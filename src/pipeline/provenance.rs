//! What a product says about its making: software, context, and every parameter of every step.

use std::path::Path;

use crate::formats::asdf::{Node, Value, fits_extension};
use crate::model::Meta;
pub use crate::model::date::utc_now;
use crate::pipeline::run::Prepared;
use crate::{CALWEBB, Result};

/// This program and its version.
pub const SOFTWARE: &str = concat!("sifu ", env!("CARGO_PKG_VERSION"));

/// What to stamp a product with.
pub struct Stamp<'a> {
    /// calwebb's name of the data model (`DATAMODL`).
    pub model: &'a str,
    /// calwebb's name of the recipe, or of the single step.
    pub recipe: &'a str,
    /// CRDS context, where there is one.
    pub context: Option<String>,
    /// Steps that have been run (or skipped).
    pub steps: &'a [Prepared],
    /// Where the product's pixels are.
    pub place: Place<'a>,
}

/// What a product's tree says of where its pixels are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place<'a> {
    /// The gwcs object (`meta.wcs`).
    pub gwcs: Option<&'a Node>,
    /// Least and greatest wavelength of an exposure in micron (`meta.wcsinfo.spectral_region`).
    pub spectral_region: Option<[f64; 2]>,
}

/// Sets the product's own cards (`DATE`, `FILENAME`, `DATAMODL`, `CAL_VER`, `CRDS_CTX` and so on) and
/// returns the bytes of its ASDF extension, which holds every step's parameters under `meta.sifu`, and under
/// `meta.sifu.before` those of all that was done to its input.
///
/// # Errors
/// Where the tree cannot be written.
pub fn stamp(meta: &mut Meta, path: &Path, stamp: &Stamp) -> Result<Vec<u8>> {
    let name = path
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    let h = &mut meta.primary;
    h.set("DATE", utc_now().as_str(), "UTC date file created");
    h.set("FILENAME", name.as_str(), "Name of the file");
    h.set_after("FILENAME", "DATAMODL", stamp.model, "Type of data model");
    // a planetary step leaves what calibrated its input as it is
    let calibrated =
        stamp.steps.is_empty() || stamp.steps.iter().any(|p| !p.step.info().is_planetary());
    if calibrated {
        h.set_after(
            "DATAMODL",
            "CAL_VER",
            CALWEBB,
            "calwebb version that is followed",
        );
        h.set_after(
            "CAL_VER",
            "CAL_VCS",
            SOFTWARE,
            "program that made this product",
        );
    }
    if let Some(context) = stamp.context.as_ref().filter(|_| calibrated) {
        let title = "        Calibration reference files";
        if h.card("CRDS_CTX").is_none() && !h.cards().iter().any(|c| c.keyword.starts_with("R_")) {
            meta.set_in_block(
                title,
                "CRDS_",
                "CRDS_VER",
                SOFTWARE,
                "program that chose the reference files",
            );
        }
        meta.set_in_block(
            title,
            "R_",
            "CRDS_CTX",
            context.as_str(),
            "CRDS context (.pmap) used to select ref files",
        );
        meta.primary.set_after(
            "CRDS_CTX",
            "CRDS_VER",
            SOFTWARE,
            "program that chose the reference files",
        );
    }
    let mut sifu = Node::mapping();
    sifu.set("version", env!("CARGO_PKG_VERSION"));
    sifu.set("follows", format!("jwst {CALWEBB}"));
    sifu.set("recipe", stamp.recipe);
    for p in stamp.steps {
        sifu.set(&format!("steps.{}", p.step.info().name), step_node(p));
    }
    let earlier = earlier(meta);
    if !earlier.is_empty() {
        sifu.set("before", earlier);
    }
    let mut tree = Node::mapping();
    tree.set("meta.model_type", stamp.model);
    tree.set("meta.filename", name);
    if let Some(gwcs) = stamp.place.gwcs {
        tree.set("meta.wcs", gwcs.clone());
    }
    if let Some(ends) = stamp.place.spectral_region {
        let region = Node::from(ends.map(Node::from).to_vec());
        tree.set("meta.wcsinfo.spectral_region", region);
    }
    tree.set("meta.sifu", sifu);
    fits_extension(&tree)
}

/// What was done to the input before, the first first: each recipe's or step's own entry, of the same form.
fn earlier(meta: &Meta) -> Vec<Node> {
    let Some(history) = &meta.history else {
        return Vec::new();
    };
    let mut last = Node::clone(history);
    let before = match &mut last.value {
        Value::Mapping(map) => map.remove("before"),
        _ => None,
    };
    let mut all = before
        .and_then(|n| n.as_sequence().map(<[Node]>::to_vec))
        .unwrap_or_default();
    all.push(last);
    all
}

/// One step's settings: whether it was on, each parameter, where it came from if not built in, and files.
fn step_node(p: &Prepared) -> Node {
    let mut node = Node::mapping();
    node.set("skip", p.settings.skip);
    let mut params = Node::mapping();
    for f in p.step.fields() {
        params.set(
            f.name,
            p.settings
                .params
                .get(f.name)
                .map_or_else(Node::default, value_node),
        );
    }
    node.set("parameters", params);
    if !p.settings.sources.is_empty() {
        let mut sources = Node::mapping();
        for (name, source) in &p.settings.sources {
            sources.set(name, source.as_str());
        }
        node.set("set_by", sources);
    }
    if !p.names.is_empty() {
        let mut files = Node::mapping();
        for (kind, name) in &p.names {
            files.set(kind, name.as_str());
        }
        node.set("references", files);
    }
    node
}

fn value_node(v: &toml::Value) -> Node {
    match v {
        toml::Value::String(s) => s.as_str().into(),
        toml::Value::Integer(i) => (*i).into(),
        toml::Value::Float(f) => (*f).into(),
        toml::Value::Boolean(b) => (*b).into(),
        toml::Value::Datetime(d) => d.to_string().into(),
        toml::Value::Array(a) => a.iter().map(value_node).collect::<Vec<Node>>().into(),
        toml::Value::Table(t) => {
            let mut node = Node::mapping();
            for (k, v) in t {
                node.set(k, value_node(v));
            }
            node
        }
    }
}
