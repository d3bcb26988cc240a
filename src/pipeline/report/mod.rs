//! The report on a run: what [`crate::view::report`] shows, read from the directory.
//!
//! [`run()`] writes one page from `sifu_report.json`, the records of the tasks, the headers and flags of count rates, the cards of
//! navigated cubes, pictures, films, and cubes to look at. Nothing is computed anew and nothing else is written: what a product does
//! not hold, the page says it lacks.

mod cubes;
mod pictures;
mod quality;

use std::path::{Component, Path, PathBuf};

use serde_json::Value;
use tracing::warn;

use super::plan::Stage as Step;
use super::plan::record::{Record, name_of};
use super::plan::scan::files;
use crate::exec::Exec;
use crate::formats::write_whole;
use crate::view::report::{Report, Stage, Task, html};
use crate::{Error, Result};

/// Name of a run's machine-readable report.
pub const DATA: &str = "sifu_report.json";
/// Name of the page, where none is given.
pub const PAGE: &str = "sifu_report.html";
/// Bytes of pictures and films that a page holds; others it refers to.
pub const EMBEDDED: u64 = 60_000_000;

/// Which cubes a page holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// All of the last step and the first variant, then others, up to so many.
    First(usize),
    /// All.
    All,
}

/// A band of each channel of one pointing.
pub const CUBES: Chosen = Chosen::First(12);

/// Options of a page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Cubes to look at.
    pub cubes: Chosen,
    /// Bytes of pictures and films in it.
    pub embedded: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cubes: CUBES,
            embedded: EMBEDDED,
        }
    }
}

/// Writes the report on a run: `out`, or `sifu_report.html` in its directory. Returns where, and its size in bytes.
///
/// # Errors
/// [`Error::Input`] for a directory without a run, or whose report is damaged; [`Error::Io`].
pub fn run(
    root: &Path,
    out: Option<&Path>,
    options: &Options,
    exec: &Exec,
) -> Result<(PathBuf, usize)> {
    let out = out.map_or_else(|| root.join(PAGE), Path::to_path_buf);
    let page = html(&gather(root, &out, options, exec)?);
    exec.check()?;
    write_whole(&out, page.as_bytes())?;
    Ok((out, page.len()))
}

/// All that the page at `out` shows.
///
/// # Errors
/// As [`run()`].
pub fn gather(root: &Path, out: &Path, options: &Options, exec: &Exec) -> Result<Report> {
    let data = read(root)?;
    let tasks = tasks(&data);
    let mut remarks = Vec::new();
    let exposures = quality::exposures(root, exec, &mut remarks)?;
    let navigated = navigated(root)?;
    let pointing = cubes::pointing(root, &navigated, exec, &mut remarks);
    let cubes = cubes::chosen(root, &navigated, options.cubes, exec, &mut remarks);
    let prefix = relative(root, out);
    let pictures = pictures::find(root, &prefix, options.embedded, &mut remarks)?;
    let whole = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
    let name = whole.file_name().unwrap_or(whole.as_os_str());
    let lines = |key: &str| {
        data.get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    Ok(Report {
        root: name.to_string_lossy().into_owned(),
        program: text(&data, "program"),
        command: data.get("command").and_then(Value::as_str).map(Into::into),
        stages: stages(root, &tasks),
        tasks,
        notes: lines("notes")
            .filter_map(|n| n.as_str().map(Into::into))
            .collect(),
        unreadable: lines("unreadable")
            .map(|u| (text(u, "file"), text(u, "error")))
            .collect(),
        exposures,
        pointing,
        pictures,
        cubes,
        remarks,
    })
}

fn text(value: &Value, key: &str) -> String {
    let text = value.get(key).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

fn read(root: &Path) -> Result<Value> {
    let path = root.join(DATA);
    if !root.is_dir() {
        return Err(Error::input_file(root, "no such folder"));
    }
    if !path.is_file() {
        return Err(Error::input_file(
            root,
            format!("holds no run: there is no {DATA}; do `sifu run` in it first"),
        ));
    }
    let raw = std::fs::read_to_string(&path).map_err(|e| Error::io(&path, e))?;
    let damaged = |what: String| {
        Error::input_file(
            &path,
            format!("is not the report of a run ({what}); `sifu run` writes it anew"),
        )
    };
    let data: Value = serde_json::from_str(&raw).map_err(|e| damaged(e.to_string()))?;
    match data.get("tasks").and_then(Value::as_array) {
        Some(_) => Ok(data),
        None => Err(damaged("it lists no tasks".into())),
    }
}

fn tasks(data: &Value) -> Vec<Task> {
    let all = data.get("tasks").and_then(Value::as_array);
    all.into_iter()
        .flatten()
        .map(|t| Task {
            name: text(t, "task"),
            stage: text(t, "stage"),
            outcome: text(t, "outcome"),
            detail: text(t, "detail"),
            seconds: ["took", "seconds"]
                .into_iter()
                .find_map(|key| t.get(key).and_then(Value::as_f64))
                .unwrap_or(0.0),
            products: t
                .get("products")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|p| p.as_str().map(Into::into))
                .collect(),
        })
        .collect()
}

/// Parameters and references by step, from the records of its tasks.
fn stages(root: &Path, tasks: &[Task]) -> Vec<Stage> {
    let mut out = Vec::new();
    for step in Step::ALL {
        let name = step.name();
        let mut stage = Stage {
            name: name.into(),
            ..Stage::default()
        };
        let done = |t: &&Task| t.stage == name && matches!(t.outcome.as_str(), "made" | "current");
        for task in tasks.iter().filter(done) {
            let Some(record) = Record::read(root, &task.name) else {
                continue;
            };
            for (key, value) in record.basis.parameters {
                add(&mut stage.parameters, key, value);
            }
            for (key, value) in record.basis.references {
                add(&mut stage.references, key, value);
            }
        }
        stage.parameters.sort();
        stage.references.sort();
        if !stage.parameters.is_empty() || !stage.references.is_empty() {
            out.push(stage);
        }
    }
    out
}

fn add(all: &mut Vec<(String, Vec<String>)>, key: String, value: String) {
    match all.iter_mut().find(|(k, _)| *k == key) {
        Some((_, values)) if values.contains(&value) => {}
        Some((_, values)) => values.push(value),
        None => all.push((key, vec![value])),
    }
}

/// A navigated cube of the run.
#[derive(Debug, Clone, PartialEq)]
struct Cube {
    path: PathBuf,
    /// Folder of the step's products, as in `stage5_despike`.
    stage: String,
    /// Folder of the variant, as in `d1_bg`.
    variant: String,
}

/// Navigated cubes of all groups, the last step's first, then by variant and name.
fn navigated(root: &Path) -> Result<Vec<Cube>> {
    let mut out = Vec::new();
    let mut stages = folders(root)?;
    stages.retain(|f| name(f).starts_with("stage"));
    for stage in stages.iter().rev() {
        for variant in folders(stage)? {
            for path in files(&variant, "_nav.fits")? {
                out.push(Cube {
                    path,
                    stage: name(stage),
                    variant: name(&variant),
                });
            }
        }
    }
    Ok(out)
}

fn name(path: &Path) -> String {
    path.file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Folders of a folder, in name order; none where there is no such folder.
fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let io = |e| Error::io(folder, e);
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.is_dir() && !name(&path).starts_with('.') {
            out.push(path);
        }
    }
    out.sort();
    Ok(out)
}

/// The letter of a band (`1A`) in a cube's file name, else nothing.
fn band(file: &str) -> String {
    let part = file
        .split('_')
        .find_map(|p| p.strip_prefix("ch")?.split_once('-'));
    part.map_or(String::new(), |(channel, band)| match band {
        "short" => format!("{channel}A"),
        "medium" => format!("{channel}B"),
        "long" => format!("{channel}C"),
        other => format!("{channel} {other}"),
    })
}

/// The directory as seen from the folder of the page; as it is where there is no way between them.
fn relative(root: &Path, page: &Path) -> PathBuf {
    let folder = page.parent().filter(|p| !p.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let (Ok(root), Ok(folder)) = (root.canonicalize(), folder.canonicalize()) else {
        return root.to_path_buf();
    };
    let parts = |p: &Path| -> Vec<PathBuf> {
        p.components()
            .map(|c: Component| PathBuf::from(c.as_os_str()))
            .collect()
    };
    let (to, from) = (parts(&root), parts(&folder));
    let same = to.iter().zip(&from).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n(PathBuf::from(".."), from.len() - same);
    up.chain(to[same..].iter().cloned()).collect()
}

/// Says that a file's part of the page is missing.
fn without(root: &Path, path: &Path, what: &str, error: &Error, remarks: &mut Vec<String>) {
    let file = name_of(root, path);
    warn!("{file}: {what} is not in the report: {error}");
    remarks.push(format!("{what} of {file} is missing: {error}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_and_ways() {
        assert_eq!(band("Level3_ch1-short_s3d_nav.fits"), "1A");
        assert_eq!(band("Level3_ch4-long_s3d_nav.fits"), "4C");
        assert_eq!(band("Level3_g395h-f290lp_s3d_nav.fits"), "");
        let dir = tempfile::tempdir().unwrap();
        let of = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(of("a/run")).unwrap();
        std::fs::create_dir_all(of("b/c")).unwrap();
        let root = of("a/run");
        assert_eq!(relative(&root, &of("a/run/x.html")), PathBuf::new());
        assert_eq!(relative(&root, &of("a/x.html")), Path::new("run"));
        assert_eq!(relative(&root, &of("b/c/x.html")), Path::new("../../a/run"));
    }
}
