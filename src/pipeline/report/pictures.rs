//! Pictures and films of a run.

use std::path::{Path, PathBuf};

use super::super::plan::record::name_of;
use super::{band, folders, name};
use crate::view::report::{Picture, Source};
use crate::{Error, Result};

/// Folders of pictures in a tree, and what is in them.
const FOLDERS: [(&str, &str); 4] = [
    ("plots", "Summary plot"),
    ("animation", "Film"),
    ("animations", "Film"),
    ("maps", "Map"),
];

/// Folders of plots that are of no single cube, and what is in them.
const OTHERS: [(&str, &str); 4] = [
    ("stage1", "Count rates"),
    ("stage2", "Calibrated image"),
    ("steps", "Before and after steps"),
    ("flats", "Flat"),
];

/// Folders of films, which are large and stay beside the page.
const FILMS: [&str; 2] = ["animation", "animations"];

/// Media types by the ends of names.
const KINDS: [(&str, &str); 7] = [
    ("png", "image/png"),
    ("apng", "image/apng"),
    ("gif", "image/gif"),
    ("jpg", "image/jpeg"),
    ("svg", "image/svg+xml"),
    ("webp", "image/webp"),
    ("mp4", "video/mp4"),
];

fn kind(path: &Path) -> Option<&'static str> {
    let end = path.extension()?.to_str()?.to_ascii_lowercase();
    KINDS.iter().find(|k| k.0 == end).map(|k| k.1)
}

/// Pictures of the run, then of its reductions with fewer groups, each by folder; the first `most` bytes of them in the page, films
/// beside it.
///
/// # Errors
/// [`Error::Io`].
pub fn find(
    root: &Path,
    prefix: &Path,
    most: u64,
    remarks: &mut Vec<String>,
) -> Result<Vec<Picture>> {
    let mut trees = vec![root.to_path_buf()];
    trees.extend(folders(&root.join("groups"))?);
    let mut out = Vec::new();
    let (mut held, mut linked) = (0, 0);
    for tree in trees {
        for (folder, what) in FOLDERS {
            let mut paths = Vec::new();
            walk(&tree.join(folder), &mut paths)?;
            // cubes first
            paths.sort_by_key(|p| {
                let rest = p.strip_prefix(tree.join(folder)).ok();
                let first = rest.and_then(|r| r.iter().next());
                first.is_some_and(|f| OTHERS.iter().any(|o| f == o.0))
            });
            for path in paths {
                let Some(kind) = kind(&path) else { continue };
                let io = |e| Error::io(&path, e);
                let size = std::fs::metadata(&path).map_err(io)?.len();
                let film = FILMS.contains(&folder);
                let fits = held + size <= most && kind.starts_with("image/") && !film;
                let source = if fits {
                    held += size;
                    Source::Here(std::fs::read(&path).map_err(io)?)
                } else {
                    linked += 1;
                    let below = path.strip_prefix(root).unwrap_or(&path);
                    Source::Linked(prefix.join(below))
                };
                let file = name_of(root, &path);
                out.push(Picture {
                    group: heading(root, &path),
                    alt: alt(what, &file),
                    file,
                    kind,
                    source,
                });
            }
        }
    }
    if linked > 0 {
        remarks.push(format!(
            "{linked} pictures and films are not in this page, which would get too large, but in files that it refers to"
        ));
    }
    Ok(out)
}

/// Files of a folder and of those in it, in order of folder and name.
fn walk(folder: &Path, out: &mut Vec<PathBuf>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    let io = |e| Error::io(folder, e);
    let mut here = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.is_file() && !name(&path).starts_with('.') {
            here.push(path);
        }
    }
    here.sort();
    out.append(&mut here);
    for below in folders(folder)? {
        walk(&below, out)?;
    }
    Ok(())
}

/// The folder, as in `plots / stage3 / d1`.
fn heading(root: &Path, path: &Path) -> String {
    let folder = path.parent().unwrap_or(root);
    name_of(root, folder).replace('/', " / ")
}

/// What a picture shows: `Summary plot of band 1A, stage3, d1: 1A_Level3_ch1-short_s3d_nav`.
fn alt(what: &str, file: &str) -> String {
    let parts: Vec<&str> = file.split('/').collect();
    let last = parts.last().copied().unwrap_or_default();
    let stem = last.rsplit_once('.').map_or(last, |(stem, _)| stem);
    let at = parts
        .iter()
        .position(|p| FOLDERS.iter().any(|f| f.0 == *p))
        .unwrap_or(0);
    let band = band(stem);
    let mut of: Vec<String> = Vec::new();
    if !band.is_empty() {
        of.push(format!("band {band}"));
    }
    if parts[0] == "groups" && at > 1 {
        of.push(parts[1].replace('_', " "));
    }
    let mut folders = parts.get(at + 1..parts.len() - 1).unwrap_or_default();
    let mut what = what;
    if let Some((other, rest)) = folders.split_first().and_then(|(first, rest)| {
        let other = OTHERS
            .iter()
            .find(|o| parts[at] == "plots" && o.0 == *first);
        other.map(|o| (o.1, rest))
    }) {
        (what, folders) = (other, rest);
    } else if stem.ends_with("_limb") {
        what = "Limb fit";
    }
    of.extend(folders.iter().map(|p| (*p).to_owned()));
    match of.is_empty() {
        true => format!("{what}: {stem}"),
        false => format!("{what} of {}: {stem}", of.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_told_in_words() {
        assert_eq!(
            alt(
                "Summary plot",
                "plots/stage3/d1/1A_Level3_ch1-short_s3d_nav.png"
            ),
            "Summary plot of band 1A, stage3, d1: 1A_Level3_ch1-short_s3d_nav"
        );
        assert_eq!(
            alt(
                "Film",
                "groups/3_groups/animation/stage3/Level3_ch4-long.gif"
            ),
            "Film of band 4C, 3 groups, stage3: Level3_ch4-long"
        );
        assert_eq!(alt("Map", "maps/a.png"), "Map: a");
        let plot = |file: &str| alt("Summary plot", file);
        assert_eq!(plot("plots/stage1/a_rate.png"), "Count rates: a_rate");
        assert_eq!(
            plot("plots/steps/d1/1A_Level3_ch1-short_s3d_nav.png"),
            "Before and after steps of band 1A, d1: 1A_Level3_ch1-short_s3d_nav"
        );
        assert_eq!(
            plot("plots/stage3/d1/1A_Level3_ch1-short_s3d_limb.png"),
            "Limb fit of band 1A, stage3, d1: 1A_Level3_ch1-short_s3d_limb"
        );
    }

    #[test]
    fn what_is_too_much_is_referred_to() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("plots/stage3/d 1");
        std::fs::create_dir_all(&folder).unwrap();
        for (name, size) in [
            ("a.png", 10),
            ("b.PNG", 10),
            ("c.gif", 5),
            ("d.txt", 1),
            ("e.mp4", 1),
        ] {
            std::fs::write(folder.join(name), vec![7; size]).unwrap();
        }
        let mut remarks = Vec::new();
        let films = dir.path().join("animation/stage3");
        std::fs::create_dir_all(&films).unwrap();
        std::fs::write(films.join("f.gif"), [7]).unwrap();
        let found = find(dir.path(), Path::new("../run"), 100, &mut Vec::new()).unwrap();
        let film = found.iter().find(|p| p.file == "animation/stage3/f.gif");
        assert!(matches!(film.expect("found").source, Source::Linked(_)));
        std::fs::remove_dir_all(&films).unwrap();
        let found = find(dir.path(), Path::new("../run"), 16, &mut remarks).unwrap();
        let here: Vec<(&str, bool)> = found
            .iter()
            .map(|p| (p.file.as_str(), matches!(p.source, Source::Here(_))))
            .collect();
        assert_eq!(
            here,
            [
                ("plots/stage3/d 1/a.png", true),
                ("plots/stage3/d 1/b.PNG", false),
                ("plots/stage3/d 1/c.gif", true),
                ("plots/stage3/d 1/e.mp4", false),
            ]
        );
        let to = Path::new("../run/plots/stage3/d 1/b.PNG").to_path_buf();
        assert_eq!(found[1].source, Source::Linked(to));
        assert_eq!(found[1].group, "plots / stage3 / d 1");
        assert_eq!(remarks.len(), 1);
    }
}
