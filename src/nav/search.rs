//! Where SPICE kernels are found: named by the user, in the environment, or built into the program.
//!
//! In this order, the first that names any: `--kernels` (files, folders, meta-kernels), the environment's `SIFU_KERNELS` (the
//! same, separated as `PATH` is) and `PLANETMAPPER_KERNEL_PATH` (one folder, searched to any depth as PlanetMapper does), else
//! nothing. Beneath all of them lie the built-in leap seconds, constants and planetary ephemeris.

use std::path::{Path, PathBuf};

use super::kernels::Kernels;
use crate::{Error, Result};

/// Variable with files, folders and meta-kernels.
const OWN: &str = "SIFU_KERNELS";
/// Variable with a folder.
const PLANETMAPPER: &str = "PLANETMAPPER_KERNEL_PATH";
/// What a search of a folder takes.
const KINDS: [&str; 5] = ["tls", "tpc", "tf", "bsp", "bpc"];
/// Deepest folder that a search enters.
const DEEPEST: usize = 16;

/// Kernels with who named them.
#[derive(Debug)]
pub struct Found {
    /// The kernels.
    pub kernels: Kernels,
    /// `--kernels`, a variable's name, or `built in`.
    pub source: &'static str,
}

/// Loads the kernels that `given` names, else the environment, else the built-in ones.
///
/// # Errors
/// [`Error::Reference`] for what is not there, [`Error::Format`] for what is no kernel or damaged; the message says who named
/// it.
pub fn find(given: &[PathBuf]) -> Result<Found> {
    find_in(given, |name| {
        std::env::var_os(name).filter(|v| !v.is_empty())
    })
}

fn find_in(
    given: &[PathBuf],
    variable: impl Fn(&str) -> Option<std::ffi::OsString>,
) -> Result<Found> {
    let load = |paths: &[PathBuf], source: &'static str| -> Result<Found> {
        let kernels = Kernels::with_built_in(paths).map_err(|e| named(e, source))?;
        Ok(Found { kernels, source })
    };
    if !given.is_empty() {
        return load(given, "--kernels");
    }
    if let Some(value) = variable(OWN) {
        let paths: Vec<PathBuf> = std::env::split_paths(&value)
            .filter(|p| !p.as_os_str().is_empty())
            .collect();
        return load(&paths, OWN);
    }
    if let Some(value) = variable(PLANETMAPPER) {
        let folder = home(Path::new(&value));
        let paths = search(&folder).map_err(|e| named(e, PLANETMAPPER))?;
        return load(&paths, PLANETMAPPER);
    }
    load(&[], "built in")
}

/// An error that says which variable led to it.
fn named(error: Error, source: &'static str) -> Error {
    match error {
        Error::Reference { message } if source.contains("KERNEL") => {
            Error::reference(format!("{message} (of {source})"))
        }
        other => other,
    }
}

/// `~` by the home folder, as shells would have done it.
fn home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(rest), Some(home)) => Path::new(&home).join(rest),
        _ => path.into(),
    }
}

/// Every kernel in a folder and those within: deeper ones first, so that what lies nearer wins, then by folder and name.
fn search(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut out = Vec::new();
    collect(folder, 0, &mut out)?;
    if out.is_empty() {
        return Err(Error::reference(format!(
            "{}: neither the folder nor those within have kernels (.tls .tpc .tf .bsp .bpc)",
            folder.display()
        )));
    }
    out.sort();
    let mut found: Vec<PathBuf> = out.iter().map(|(_, _, path)| path.clone()).collect();
    found.dedup();
    Ok(found)
}

type Place = (std::cmp::Reverse<usize>, PathBuf, PathBuf);

fn collect(folder: &Path, depth: usize, out: &mut Vec<Place>) -> Result<()> {
    if !folder.is_dir() {
        return Err(Error::reference(format!(
            "{}: there is no such folder of kernels",
            folder.display()
        )));
    }
    for entry in std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))? {
        let path = entry.map_err(|e| Error::io(folder, e))?.path();
        let kind = path.extension().map(|e| e.to_ascii_lowercase());
        if path.is_dir() {
            if depth < DEEPEST {
                collect(&path, depth + 1, out)?;
            }
        } else if kind.is_some_and(|k| KINDS.iter().any(|x| k == *x)) {
            out.push((std::cmp::Reverse(depth), folder.into(), path));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TINY: &str = "tests/golden/nav";

    fn first(f: &Found) -> Vec<String> {
        let names = f.kernels.loaded().iter().map(|l| {
            let name = l.path.file_name().map(|n| n.to_string_lossy().into_owned());
            name.unwrap_or_default()
        });
        names.collect()
    }

    #[test]
    fn the_first_that_names_any_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let here = folder.path();
        for (name, to) in [
            ("tiny.bsp", "b.bsp"),
            ("tiny.tpc", "old/a.tpc"),
            ("tiny.tf", "old/deep/z.tf"),
        ] {
            let to = here.join(to);
            std::fs::create_dir_all(to.parent().expect("a parent")).expect("made");
            std::fs::copy(Path::new(TINY).join(name), to).expect("copied");
        }
        std::fs::write(here.join("notes.txt"), "no kernel").expect("written");
        let nothing = |_: &str| None;
        let own = |name: &str| -> Option<std::ffi::OsString> {
            let both =
                std::env::join_paths([here.join("b.bsp"), here.join("old")]).expect("joined");
            match name {
                OWN => Some(both),
                PLANETMAPPER => Some(here.as_os_str().into()),
                _ => None,
            }
        };
        let found = find_in(&[], nothing).expect("built in");
        assert_eq!((found.source, first(&found).len()), ("built in", 3));
        let found = find_in(&[here.join("b.bsp")], own).expect("loads");
        assert_eq!(
            (found.source, first(&found)[0].as_str()),
            ("--kernels", "b.bsp")
        );
        let found = find_in(&[], own).expect("loads");
        assert_eq!(found.source, OWN);
        assert_eq!(first(&found)[..2], ["b.bsp", "a.tpc"]);
        let deep = |name: &str| own(name).filter(|_| name == PLANETMAPPER);
        let found = find_in(&[], deep).expect("loads");
        assert_eq!(first(&found)[..3], ["z.tf", "a.tpc", "b.bsp"]);
        let absent = |name: &str| (name == OWN).then(|| here.join("nowhere").into_os_string());
        let said = find_in(&[], absent).unwrap_err().to_string();
        assert!(said.contains("nowhere") && said.contains(OWN), "{said}");
        let bare = |name: &str| {
            std::fs::create_dir_all(here.join("bare")).expect("made");
            (name == PLANETMAPPER).then(|| here.join("bare").into_os_string())
        };
        assert_eq!(find_in(&[], bare).unwrap_err().exit_code(), 4);
    }
}
