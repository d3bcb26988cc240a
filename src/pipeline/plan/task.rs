//! One task of a plan: what it makes, out of what, and how it is named.

use std::path::{Path, PathBuf};

/// Whose exposures a task is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Instrument {
    /// MIRI's medium-resolution spectrometer.
    Miri,
    /// NIRSpec's integral-field unit.
    Nirspec,
}

impl Instrument {
    /// All, in the order in which they are planned.
    pub const ALL: &[Self] = &[Self::Miri, Self::Nirspec];

    /// The last two steps on single cubes, in order, with the folders of their products.
    pub fn cleaning(self) -> [(Stage, &'static str); 2] {
        match self {
            Self::Miri => [
                (Stage::Flat, "stage4_flat"),
                (Stage::Despike, "stage5_despike"),
            ],
            Self::Nirspec => [
                (Stage::Despike, "stage4_despike"),
                (Stage::Flat, "stage5_flat"),
            ],
        }
    }

    /// Place of a step in the chain.
    pub fn place(self, stage: Stage) -> usize {
        let swapped = match (self, stage) {
            (Self::Nirspec, Stage::Flat) => Stage::Despike,
            (Self::Nirspec, Stage::Despike) => Stage::Flat,
            _ => stage,
        };
        swapped as usize
    }
}

/// Steps of the chain, in the order of MIRI; NIRSpec's cubes are despiked before the flat is applied.
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
    /// Quick look at a detector image, or at a flat.
    Look,
    /// Page of a cube before and after its steps, which wrote the inputs in this order.
    Steps,
    /// Film of cubes of several dithers.
    Animate,
}

/// A task.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Whose exposures it is about.
    pub instrument: Instrument,
    /// The step of the chain it belongs to.
    pub stage: Stage,
    /// What it does.
    pub work: Work,
    /// Name, unique in the plan: the first output's path from the root, without its suffix.
    pub name: String,
    /// Files it reads (besides references).
    pub inputs: Vec<PathBuf>,
    /// Files for which, when they change, it is done again without reading them.
    pub besides: Vec<PathBuf>,
    /// Files it makes for certain.
    pub outputs: Vec<PathBuf>,
    /// Bytes it may need at a time, estimated.
    pub memory: u64,
}

/// Bytes that tasks on exposures or cubes of an instrument may take, estimated.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Of an image's pixels.
    pixels: u64,
}

const MB: u64 = 1 << 20;
/// Pixels of the detectors of MIRI.
const PIXELS: u64 = 1032 * 1024;

impl Memory {
    /// With images of so many pixels.
    pub fn of_pixels(pixels: u64) -> Self {
        Self { pixels }
    }

    /// So many megabytes for images of MIRI, in proportion for others.
    fn scaled(self, megabytes: u64) -> u64 {
        megabytes * MB * self.pixels / PIXELS
    }

    /// Stage 1: the ramp in single precision with its flags, and as much again.
    pub fn ramp(self, ints: usize, groups: usize) -> u64 {
        self.scaled(200) + (ints * groups) as u64 * self.pixels * 12
    }

    /// Stage 2 of one exposure.
    pub fn stage2(self) -> u64 {
        self.scaled(300)
    }

    /// Stage 3: cubes and references, and what each exposure takes.
    pub fn combination(self, exposures: usize) -> u64 {
        self.scaled(200) + exposures as u64 * self.scaled(60)
    }

    /// A step on a cube.
    pub fn cube(self) -> u64 {
        self.scaled(200)
    }
}

impl Task {
    /// A task named after its first output.
    pub fn new(
        root: &Path,
        instrument: Instrument,
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
            instrument,
            stage,
            work,
            name,
            inputs,
            besides: Vec::new(),
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
