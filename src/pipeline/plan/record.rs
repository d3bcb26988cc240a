//! What was known when a task was done, kept beside the products: a rerun compares it with what is known now.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::formats::write_whole;
use crate::{Error, Result};

/// Folder of the records in the root.
pub const FOLDER: &str = ".sifu";

/// A file's size in bytes and the time of its last change, in nanoseconds from 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace(pub u64, pub u64);

impl Trace {
    /// Of a file; none where there is none.
    pub fn of(path: &Path) -> Option<Self> {
        let data = std::fs::metadata(path).ok().filter(|d| d.is_file())?;
        let time = data.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Self(data.len(), time.as_nanos() as u64))
    }
}

/// What a task depends on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Basis {
    /// Program and version.
    pub program: String,
    /// What is done.
    pub work: String,
    /// Inputs and their state.
    pub inputs: BTreeMap<String, Trace>,
    /// Every parameter of every step, as in `jump.rejection_threshold`.
    pub parameters: BTreeMap<String, String>,
    /// Reference files, as in `jump.gain`, and kernels.
    pub references: BTreeMap<String, String>,
}

/// A task that was done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What it depended on.
    pub basis: Basis,
    /// What it made.
    pub outputs: BTreeMap<String, Trace>,
    /// Wall-clock seconds that took.
    #[serde(default)]
    pub seconds: f64,
}

impl Record {
    fn path(root: &Path, task: &str) -> PathBuf {
        // names hold no tilde: they are made of folders and products of ours and roots of exposures
        root.join(FOLDER).join(task.replace('/', "~") + ".json")
    }

    /// The record of a task; none where it was never done, or the record is unreadable.
    pub fn read(root: &Path, task: &str) -> Option<Self> {
        let text = std::fs::read_to_string(Self::path(root, task)).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Keeps the record.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, root: &Path, task: &str) -> Result<()> {
        let path = Self::path(root, task);
        std::fs::create_dir_all(root.join(FOLDER)).map_err(|e| Error::io(&path, e))?;
        let text = serde_json::to_string_pretty(self)
            .map_err(|e| Error::input_file(&path, format!("cannot be written as JSON: {e}")))?;
        write_whole(&path, text.as_bytes())
    }

    /// Why the task must be done again, if so: the first thing that differs. `later` says of an output that a later task
    /// changes it in place.
    pub fn outdated(
        &self,
        now: &Basis,
        root: &Path,
        later: impl Fn(&Path) -> bool,
    ) -> Option<String> {
        let was = &self.basis;
        if was.program != now.program {
            return Some(format!("made by {}", was.program));
        }
        if was.work != now.work {
            return Some("other work is asked for".into());
        }
        for (name, trace) in &now.inputs {
            match was.inputs.get(name) {
                None => return Some(format!("{name} is a new input")),
                Some(old) if old != trace => return Some(format!("{name} has changed")),
                _ => {}
            }
        }
        if let Some(name) = was.inputs.keys().find(|n| !now.inputs.contains_key(*n)) {
            return Some(format!("{name} is no input any more"));
        }
        for (old, new) in [
            (&was.parameters, &now.parameters),
            (&was.references, &now.references),
        ] {
            if let Some(what) = difference(old, new) {
                return Some(what);
            }
        }
        for (name, trace) in &self.outputs {
            let path = root.join(name);
            match Trace::of(&path) {
                None => return Some(format!("{name} is missing")),
                Some(found) if found != *trace && !later(&path) => {
                    return Some(format!("{name} was changed since"));
                }
                _ => {}
            }
        }
        None
    }
}

/// The first entry that differs, in words.
fn difference(was: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Option<String> {
    let unset = || "unset".to_owned();
    let mut names: Vec<&String> = was.keys().chain(now.keys()).collect();
    names.sort();
    let name = names.into_iter().find(|n| was.get(*n) != now.get(*n))?;
    let (old, new) = (was.get(name), now.get(name));
    Some(format!(
        "{name} was {} and is {}",
        old.cloned().unwrap_or_else(unset),
        new.cloned().unwrap_or_else(unset)
    ))
}

/// A path as records name it: relative to the root where it lies in it, else from the root of the file system.
pub fn name_of(root: &Path, path: &Path) -> String {
    let absolute = |p: &Path| std::path::absolute(p).unwrap_or_else(|_| p.to_path_buf());
    let whole = absolute(path);
    let name = whole.strip_prefix(absolute(root)).unwrap_or(&whole);
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_depend_on_the_working_directory() {
        let here = std::env::current_dir().unwrap();
        let name = |root: &str, path: &str| name_of(Path::new(root), Path::new(path));
        let root = here.join("r").to_string_lossy().into_owned();
        let file = here.join("k/a.bsp").to_string_lossy().into_owned();
        assert_eq!(name("r", "r/stage1/a"), "stage1/a");
        assert_eq!(name(&root, "r/stage1/a"), "stage1/a");
        assert_eq!(name(".", "k/a.bsp"), "k/a.bsp");
        assert_eq!(name("r", "k/a.bsp"), file);
        assert_eq!(name(&root, "./k/a.bsp"), file);
    }

    #[test]
    fn what_has_changed_is_said() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        std::fs::write(root.join("out"), "x").unwrap();
        let trace = Trace::of(&root.join("out")).unwrap();
        let entry = |k: &str, v: &str| BTreeMap::from([(k.to_owned(), v.to_owned())]);
        let basis = Basis {
            program: "sifu 1".into(),
            work: "w".into(),
            inputs: BTreeMap::from([("in".to_owned(), Trace(1, 2))]),
            parameters: entry("jump.threshold", "4"),
            references: entry("dark", "a.fits"),
        };
        let record = Record {
            basis: basis.clone(),
            outputs: BTreeMap::from([("out".to_owned(), trace)]),
            seconds: 1.5,
        };
        record.write(root, "a/b").unwrap();
        assert_eq!(Record::read(root, "a/b"), Some(record.clone()));
        assert_eq!(Record::read(root, "a"), None);
        let said = |b: &Basis| record.outdated(b, root, |_| false).unwrap_or_default();
        assert_eq!(said(&basis), "");
        let with = |f: &dyn Fn(&mut Basis)| {
            let mut b = basis.clone();
            f(&mut b);
            said(&b)
        };
        assert_eq!(with(&|b| b.program = "sifu 2".into()), "made by sifu 1");
        assert_eq!(
            with(&|b| b.parameters = entry("jump.threshold", "5")),
            "jump.threshold was 4 and is 5"
        );
        assert_eq!(
            with(&|b| b.references = BTreeMap::new()),
            "dark was a.fits and is unset"
        );
        assert_eq!(with(&|b| b.inputs.clear()), "in is no input any more");
        assert_eq!(
            with(&|b| b.inputs = BTreeMap::from([("in".to_owned(), Trace(1, 3))])),
            "in has changed"
        );
        std::fs::write(root.join("out"), "other").unwrap();
        assert_eq!(said(&basis), "out was changed since");
        assert_eq!(record.outdated(&basis, root, |_| true), None);
        std::fs::remove_file(root.join("out")).unwrap();
        assert_eq!(said(&basis), "out is missing");
    }
}
