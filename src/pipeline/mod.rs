//! The runner: settings, references, skips, provenance, timing; and the recipes that use it.

pub mod animate;
pub mod changes;
pub mod map;
pub mod navigate;
pub mod plan;
pub mod plot;
pub mod pointing;
pub mod product;
pub mod provenance;
pub mod recipe;
pub mod report;
pub mod run;
pub mod settings;
