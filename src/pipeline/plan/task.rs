//! One task of a plan: what it makes, out of what, and how it is named.

use std::path::{Path, PathBuf};

use super::scan::Exposure;

/// Steps of the chain, in the order of MIRI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Inputs with fewer groups.
    RemoveGroups,
    /// calwebb_detector1.
    Stage1,
    /// calwebb_spec2 up to the calibrated image.
    Stage2,
    /// 2-D residual fringe correction.
    Defringe,
    /// calwebb_spec3, and the spectral leak of the spectra of all bands.
    Stage3,
    /// 1-D residual fringe correction of cubes.
    Defringe1d,
    /// Backplanes.
    Navigate,
    /// PSF correction.
    Psf,
    /// Saturated parts from cubes of fewer groups.
    Desaturate,
    /// Division by synthetic flats.
    Flat,
    /// Removal of spikes.
    Despike,
    /// Summary plots of the cubes.
    Plot,
    /// Films of the dithers.
    Animate,
    /// The page on the run, after all tasks.
    Report,
}

impl Stage {
    /// All, in order.
    pub const ALL: &[Self] = &[
        Self::RemoveGroups,
        Self::Stage1,
        Self::Stage2,
        Self::Defringe,
        Self::Stage3,
        Self::Defringe1d,
        Self::Navigate,
        Self::Psf,
        Self::Desaturate,
        Self::Flat,
        Self::Despike,
        Self::Plot,
        Self::Animate,
        Self::Report,
    ];

    /// As users name it (`--start-step stage2`).
    pub fn name(self) -> &'static str {
        match self {
            Self::RemoveGroups => "remove_groups",
            Self::Stage1 => "stage1",
            Self::Stage2 => "stage2",
            Self::Defringe => "defringe",
            Self::Stage3 => "stage3",
            Self::Defringe1d => "defringe_1d",
            Self::Navigate => "navigate",
            Self::Psf => "psf",
            Self::Desaturate => "desaturate",
            Self::Flat => "flat",
            Self::Despike => "despike",
            Self::Plot => "plot",
            Self::Animate => "animate",
            Self::Report => "report",
        }
    }

    /// The stage of a name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|s| s.name() == name)
    }
}

/// What a task does.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// The first groups of an exposure.
    RemoveGroups {
        /// How many.
        groups: usize,
    },
    /// calwebb_detector1 of an exposure with so many groups.
    Stage1 {
        /// How many.
        groups: usize,
    },
    /// calwebb_spec2 of an exposure, with these exposures as its background.
    Stage2 {
        /// `_rate` of the background.
        background: Vec<PathBuf>,
        /// The association to write.
        association: PathBuf,
    },
    /// residual_fringe of a calibrated image.
    Defringe,
    /// calwebb_spec3 of exposures.
    Stage3 {
        /// The association to write.
        association: PathBuf,
        /// Name of the product.
        product: String,
    },
    /// spectral_leak over the spectra of all bands of a folder, in place.
    SpectralLeak,
    /// A planet step of this name on one cube.
    Cube(&'static str),
    /// Backplanes of a cube.
    Navigate,
    /// Desaturation from cubes of descending numbers of groups.
    Desaturate,
    /// Division by this flat.
    Flat(PathBuf),
    /// Summary plot of a cube.
    Plot,
    /// Film of cubes of several dithers.
    Animate,
}

/// A task.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// The step of the chain it belongs to.
    pub stage: Stage,
    /// What it does.
    pub work: Work,
    /// Name, unique in the plan: the first output's path from the root, without its suffix.
    pub name: String,
    /// Files it reads (besides references).
    pub inputs: Vec<PathBuf>,
    /// Files it makes for certain.
    pub outputs: Vec<PathBuf>,
    /// Bytes it may need at a time, estimated.
    pub memory: u64,
}

/// Bytes stage 1 takes: the ramp in single precision with its flags, and as much again.
pub fn memory_of_ramp(exposure: &Exposure, groups: usize) -> u64 {
    let values = (exposure.ints * groups) as u64 * PIXELS;
    200 * MB + values * 12
}

const MB: u64 = 1 << 20;
/// Pixels of a detector.
const PIXELS: u64 = 1032 * 1024;
/// Bytes stage 2 takes for one exposure.
pub const MEMORY_STAGE2: u64 = 300 * MB;
/// Bytes stage 3 takes for cubes and references.
const MEMORY_STAGE3: u64 = 200 * MB;
/// Bytes stage 3 takes for each exposure.
const MEMORY_EXPOSURE: u64 = 60 * MB;
/// Bytes a step on a cube takes.
pub const MEMORY_CUBE: u64 = 200 * MB;

/// Bytes stage 3 takes.
pub fn memory_of_combination(exposures: usize) -> u64 {
    MEMORY_STAGE3 + exposures as u64 * MEMORY_EXPOSURE
}

impl Task {
    /// A task named after its first output.
    pub fn new(
        root: &Path,
        stage: Stage,
        work: Work,
        inputs: Vec<PathBuf>,
        outputs: Vec<PathBuf>,
        memory: u64,
    ) -> Self {
        let first = outputs.first().cloned().unwrap_or_default();
        let mut name = first
            .strip_prefix(root)
            .unwrap_or(&first)
            .with_extension("")
            .to_string_lossy()
            .into_owned();
        if work == Work::SpectralLeak {
            name += ":spectral_leak";
        }
        Self {
            stage,
            work,
            name,
            inputs,
            outputs,
            memory,
        }
    }
}

/// A name from the root without the folder of its number of groups.
pub fn below_groups(name: &str) -> &str {
    let rest = name
        .strip_prefix("groups/")
        .and_then(|rest| rest.split_once('/'));
    rest.map_or(name, |(_, rest)| rest)
}
