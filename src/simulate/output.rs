//! What a simulation writes beside the raw exposures' headers: the list of files, the counts of an exposure, the truth.

use std::path::{Path, PathBuf};

use super::crds_cache::Rules;
use super::references::Job;
use super::uncal;
use super::visit::{Exposure, Setup};
use crate::exec::Exec;
use crate::formats::fits::{Card, Header, Writer};
use crate::{Error, Result};

/// What a simulation wrote.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// Exposures of the planet (`stage0/*_uncal.fits`).
    pub science: Vec<PathBuf>,
    /// Exposures of empty sky (`background/stage0/*_uncal.fits`).
    pub background: Vec<PathBuf>,
    /// Noise-free count rates, in the order of `science` and then `background`.
    pub truth: Vec<PathBuf>,
    /// The reference cache (`CRDS_PATH`).
    pub crds: PathBuf,
    /// Its context (`CRDS_CONTEXT`).
    pub context: String,
    /// Number of reference files.
    pub references: usize,
}

impl Summary {
    /// Where an exposure's counts go, and where its truth.
    pub(super) fn places<S: Setup>(out: &Path, e: &Exposure<S>) -> [PathBuf; 2] {
        let base = if e.background {
            out.join("background")
        } else {
            out.to_owned()
        };
        let place =
            |part: &str, suffix: &str| base.join(part).join(format!("{}_{suffix}.fits", e.root()));
        [place("stage0", "uncal"), place("truth", "rate_truth")]
    }

    /// With another instrument's observation, written into the same folder.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.science.extend(other.science);
        self.background.extend(other.background);
        self.truth.extend(other.truth);
        self.references += other.references;
        (self.crds, self.context) = (other.crds, other.context);
        self.sorted()
    }

    /// Notes an exposure that was written.
    pub(super) fn note(&mut self, path: PathBuf, background: bool) {
        match background {
            true => self.background.push(path),
            false => self.science.push(path),
        }
    }

    /// The files in order.
    pub(super) fn sorted(mut self) -> Self {
        self.science.sort();
        self.background.sort();
        self.truth.sort();
        self
    }
}

/// Makes a folder.
///
/// # Errors
/// [`Error::Io`] where that fails.
pub(super) fn folder(path: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(path).map_err(|e| Error::io(path, e))?;
    Ok(path.to_owned())
}

fn folder_of(file: &Path) -> Result<()> {
    file.parent().map_or(Ok(()), |f| folder(f).map(drop))
}

/// Reads an exposure out (`row` gives the counts of a row of a frame, `[integration][group][column]`) and writes it.
///
/// # Errors
/// [`Error::Io`] where writing fails, [`Error::Interrupted`].
pub(super) fn write_counts<S: Setup>(
    path: &Path,
    e: &Exposure<S>,
    reference: Option<&[u16]>,
    exec: &Exec,
    row: impl Fn(usize) -> Vec<u16> + Sync + Send,
) -> Result<()> {
    let (ny, nx) = e.setup.frame();
    let rows = exec.try_map((0..ny).collect(), |y| Ok(row(y)))?;
    let mut counts = vec![0u16; e.integrations * e.groups * ny * nx];
    for (y, row) in rows.iter().enumerate() {
        for (frame, line) in row.chunks_exact(nx).enumerate() {
            let at = (frame * ny + y) * nx;
            counts[at..at + nx].copy_from_slice(line);
        }
    }
    folder_of(path)?;
    uncal::write(path, e, &counts, reference)
}

/// One image of the count rate, DN/s.
///
/// # Errors
/// [`Error::Io`] where writing fails.
pub(super) fn write_truth(path: &Path, shape: (usize, usize), rate: &[f32]) -> Result<()> {
    folder_of(path)?;
    let mut writer = Writer::create(path, false)?;
    writer.empty(&Header::new())?;
    let mut header = Header::new();
    header.push(Card::new("EXTNAME", "SCI", "extension name"));
    header.push(Card::new(
        "BUNIT",
        "DN/s",
        "physical units of the array values",
    ));
    writer.image::<f32>(&header, &[shape.0, shape.1])?;
    writer.put(0, rate)?;
    writer.finish()
}

/// Writes reference files; returns the rules that choose them, by type, and how many files there are.
///
/// # Errors
/// [`Error::Io`] where writing fails, [`Error::Interrupted`].
pub(super) fn write_files(files: Vec<Job<'_>>, exec: &Exec) -> Result<(Vec<Rules>, usize)> {
    let mut rules: Vec<Rules> = Vec::new();
    let mut jobs = Vec::new();
    for (rule, job) in files {
        match rules.iter_mut().find(|r| r.kind == rule.kind) {
            Some(r) => r.rows.extend(rule.rows),
            None => rules.push(rule),
        }
        jobs.push(job);
    }
    let count = jobs.len();
    exec.try_map(jobs, |job| job())?;
    Ok((rules, count))
}
