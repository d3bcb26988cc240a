//! The planetary chain over a directory: a plan of tasks, each a pure function from files to files, and its execution.
//!
//! [`build()`] makes the [`Plan`] from the headers of `stage0/*_uncal.fits` alone; [`execute()`] does what is missing or
//! out of date, several tasks at a time within a budget of memory, and keeps a [`record`] of each beside the products.
//! Folders, names, grouping and variants are those of the reference pipeline (King et al. 2023,
//! doi:10.3847/2515-5172/ad045f), so that its users find every file where it was.

mod besides;
pub mod build;
mod cleaning;
pub mod execute;
mod groups;
mod pictures;
pub mod record;
pub mod scan;
pub mod task;
pub mod variant;
pub mod work;

use std::path::PathBuf;

pub use build::{Options, build};
pub use execute::{Entry, Outcome, execute};
pub use task::{Instrument, Stage, Task, Work};
pub use variant::{Tag, Toggle};

use crate::Error;

/// All there is to do in a directory.
#[derive(Debug)]
pub struct Plan {
    /// The directory.
    pub root: PathBuf,
    /// Tasks, in an order in which they can be done.
    pub tasks: Vec<Task>,
    /// What is left out, and why.
    pub notes: Vec<String>,
    /// Exposures that cannot be read, and why.
    pub broken: Vec<(PathBuf, Error)>,
}
