//! ASDF: reading and writing of files, of the ASDF extension of FITS products, and of `pars-*`
//! parameter files.
//!
//! A file is a tree of [`Node`]s (mappings, sequences, scalars, tagged objects, arrays) with the
//! array data in binary blocks after it. [`AsdfFile`] reads one from disk or from bytes;
//! [`to_bytes`] writes one; [`fits_extension`] makes the bytes that `jwst.datamodels` looks for in
//! the `ASDF` extension; [`StepPars`] reads step parameters.
//!
//! Plain scalars are typed exactly as Python's `asdf` types them (PyYAML's YAML 1.1 rules), so that
//! `1e5`, `09001` and `yes` are here what they are there.
//!
//! The YAML is tokenised by `saphyr-parser`; the rest is ours. The `asdf-rs` crate was tried and
//! set aside: a deeply nested file overflows its stack, which aborts the process, and it types
//! plain scalars by `libasdf`'s rules (`1e5` a float, where Python reads a string).
//!
//! This module knows nothing of astronomy: it keeps tagged objects (transforms, frames, units) as
//! mappings with their tag and does not evaluate them. It does not follow arrays or references
//! into other files.

mod array;
mod block;
mod compression;
mod datatype;
mod elements;
mod emit;
mod file;
mod fits_extension;
mod node;
mod scalar;
mod step_pars;
mod yaml;

pub use array::{Bytes, NdArray, Source, Storage};
pub use datatype::{ByteOrder, Datatype, Element, Field};
pub use file::{AsdfFile, to_bytes, write};
pub use fits_extension::fits_extension;
pub use node::{Key, Mapping, Node, Value};
pub use step_pars::StepPars;
