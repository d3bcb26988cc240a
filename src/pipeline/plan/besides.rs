//! What tasks depend on besides the file they are made from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::build::Builder;
use super::task::Work;

impl Builder<'_> {
    /// The spectrum of 3A is corrected in place for what is in 1B: where that is made anew, it is too.
    pub(super) fn leak_anew(&mut self, spectra: &[PathBuf]) {
        let maker = |part: &str| {
            let makes = |o: &PathBuf| spectra.contains(o) && o.to_string_lossy().contains(part);
            let mut tasks = self.tasks.iter();
            tasks.position(|t| t.outputs.iter().any(makes))
        };
        let (Some(first), Some(third)) = (maker("_ch1-medium_"), maker("_ch3-short_")) else {
            return;
        };
        if first != third {
            self.tasks[third].besides = self.tasks[first].inputs.clone();
        }
    }

    /// Every cube is navigated with what is found from those of the dithers in the main tree, which are inputs of it behind the
    /// cube itself: one variant of each, the plainest, as no exposure may count twice.
    pub(super) fn fit(&mut self) {
        let root = self.root.join("stage3");
        let mut dithers: BTreeMap<(String, String), (usize, PathBuf)> = BTreeMap::new();
        for task in self.tasks.iter().filter(|t| t.work == Work::Navigate) {
            let Some(cube) = task.inputs.first() else {
                continue;
            };
            let names = cube.strip_prefix(&root).ok().and_then(|below| {
                let mut parts = below.iter().map(|p| p.to_string_lossy().into_owned());
                Some((parts.next()?, parts.next()?))
            });
            let Some((folder, name)) = names.filter(|(folder, _)| !folder.starts_with("combined"))
            else {
                continue;
            };
            let mut tags = folder.split('_');
            let dither = tags.next().unwrap_or_default().to_owned();
            let found = (tags.count(), cube.clone());
            let plainest = dithers
                .entry((dither, name))
                .or_insert_with(|| found.clone());
            if found.0 < plainest.0 {
                *plainest = found;
            }
        }
        let cubes: Vec<PathBuf> = dithers.into_values().map(|(_, cube)| cube).collect();
        for task in &mut self.tasks {
            if task.work == Work::Navigate {
                task.inputs.extend(cubes.iter().cloned());
            }
        }
    }
}
