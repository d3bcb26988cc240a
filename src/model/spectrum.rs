//! `Spectrum`: extracted one-dimensional spectra (`_x1d`).

use super::meta::Meta;
use crate::formats::fits::{Hdu, Header, Table};

/// The product of extract_1d (calwebb's `MRSMultiSpecModel`, `MultiSpecModel`).
#[derive(Debug, Clone)]
pub struct Spectrum {
    /// Headers; `meta.sci` is that of the cube.
    pub meta: Meta,
    /// What the product's name has between the association's name and `_x1d`, as in `ch1-medium`.
    pub label: String,
    /// calwebb's data model.
    pub model: &'static str,
    /// Each `EXTRACT1D` table with its header, as in the file.
    pub tables: Vec<(Header, Table)>,
    /// Further HDUs of the product (`HDRTAB`).
    pub extra: Vec<Hdu>,
}

/// The spectra of a set of cubes.
#[derive(Debug, Clone)]
pub struct Spectra(pub Vec<Spectrum>);
