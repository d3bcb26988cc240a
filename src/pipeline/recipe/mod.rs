//! Recipes: which steps, in which order.

pub mod detector1;
pub mod navigate;
pub mod pointing;
pub mod single;
pub mod spec2;
pub mod spec3;

use std::path::{Path, PathBuf};

use super::provenance::{Place, Stamp, stamp};
use super::run::{Prepared, StepReport};
use crate::model::Meta;
use crate::steps::step::AnyStep;
use crate::store::products::product_path;
use crate::store::references::References;
use crate::{Error, Result, steps};

/// What was done.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Files written.
    pub products: Vec<PathBuf>,
    /// Every step in order.
    pub steps: Vec<StepReport>,
}

/// The steps of these names.
///
/// # Errors
/// [`Error::Parameter`] where one is not in the list of steps.
fn find(names: &[&str]) -> Result<Vec<&'static dyn AnyStep>> {
    names
        .iter()
        .map(|n| {
            steps::find(n)
                .ok_or_else(|| Error::parameter(format!("step {n} is not in the list of steps")))
        })
        .collect()
}

/// Stamps products of a recipe with what was done so far.
struct Stamper<'a> {
    recipe: &'static str,
    references: &'a dyn References,
    steps: &'a [Prepared],
}

impl Stamper<'_> {
    fn stamp(&self, meta: &mut Meta, model: &str, path: &Path, place: Place) -> Result<Vec<u8>> {
        let of = Stamp {
            model,
            recipe: self.recipe,
            context: self.references.context(),
            steps: self.steps,
            place,
        };
        stamp(meta, path, &of)
    }
}

/// The cards of steps that other modes have and this one does not: skipped, as calwebb records them.
fn record_absent(meta: &mut Meta, absent: &[(&str, &str)]) {
    for (keyword, title) in absent {
        meta.set_in_block(
            "        Calibration step information",
            "S_",
            keyword,
            "SKIPPED",
            title,
        );
    }
}

/// Names the association in a product's headers.
fn record_association(meta: &mut Meta, pool: &str, table: &str) {
    let title = "        Association information";
    meta.set_in_block(title, "ASN", "ASNPOOL", pool, "Name of the ASN pool");
    meta.set_in_block(title, "ASN", "ASNTABLE", table, "Name of the ASN table");
}

/// Path of a product with a label (as in `ch1-short`) in its name where there is one.
fn labelled(out: &Path, stem: &str, label: &str, suffix: &str) -> PathBuf {
    // as in calwebb a grating at the end of an association's name makes room for that of the cube with its filter
    let of_grating = |last: &str| {
        let gratings = [
            "prism", "g140m", "g140h", "g235m", "g235h", "g395m", "g395h",
        ];
        gratings.contains(&last) && gratings.iter().any(|g| label.starts_with(g))
    };
    let stem = match stem.rsplit_once('_') {
        Some((rest, last)) if of_grating(last) => rest,
        _ => stem,
    };
    match label {
        "" => product_path(out, stem, suffix),
        label => product_path(out, &format!("{stem}_{label}"), suffix),
    }
}
