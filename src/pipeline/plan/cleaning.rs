//! The plan's last steps on cubes: desaturation, flats and despiking, in the order of each instrument.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::build::Builder;
use super::task::{Instrument, Stage, Work};
use super::variant::Tag;
use crate::model::Meta;
use crate::store::flat::flat_path;

impl Builder<'_> {
    /// Desaturated cubes of the main tree.
    pub(super) fn desaturation(&mut self) {
        let mut sets: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
        let mut order = Vec::new();
        for (relative, groups) in &self.navigated {
            let path = match groups {
                &usize::MAX => self.root.join(relative),
                n => self
                    .root
                    .join("groups")
                    .join(format!("{n}_groups"))
                    .join(relative),
            };
            if !sets.contains_key(relative) {
                order.push(relative.clone());
            }
            sets.entry(relative.clone()).or_default().push(path);
        }
        for relative in order {
            let Some(inputs) = sets.remove(&relative) else {
                continue;
            };
            let output = moved(self.root, &relative, "stage3_desaturated");
            let memory = self.memory.cube() * inputs.len() as u64;
            self.push(
                Stage::Desaturate,
                Work::Desaturate,
                inputs,
                vec![output],
                memory,
            );
        }
    }

    /// Flats of the single dithers, and despiking of these (of combined cubes as well for NIRSpec).
    pub(super) fn cleaning(&mut self) {
        let all: Vec<PathBuf> = self
            .navigated
            .iter()
            .filter(|(_, n)| *n == usize::MAX)
            .map(|(p, _)| p.clone())
            .collect();
        for relative in all {
            let name = |p: Option<&Path>| {
                p.and_then(|p| p.file_name())
                    .map(|n| n.to_string_lossy().into_owned())
            };
            let variant = name(relative.parent()).unwrap_or_default();
            let combined = variant.starts_with("combined");
            if combined && self.instrument == Instrument::Miri {
                continue;
            }
            let file = name(Some(&relative)).unwrap_or_default();
            let mut before = match self.options.desaturate {
                true => moved(self.root, &relative, "stage3_desaturated"),
                false => self.root.join(&relative),
            };
            for (stage, folder) in self.instrument.cleaning() {
                let output = moved(self.root, &relative, folder);
                if !self.options.does(self.instrument, stage) {
                    // made by an earlier run
                    if output.is_file() {
                        before = output;
                    }
                    continue;
                }
                let (work, mut inputs) = match stage {
                    Stage::Flat if combined => continue,
                    Stage::Flat => match self.flat(&variant, &file) {
                        Ok(flat) => (Work::Flat(flat.clone()), vec![flat]),
                        Err(why) => {
                            self.notes.push(why);
                            continue;
                        }
                    },
                    _ => (Work::Cube("despike"), Vec::new()),
                };
                inputs.insert(0, before);
                let outputs = vec![output.clone()];
                self.push(stage, work, inputs, outputs, self.memory.cube());
                before = output;
            }
        }
    }

    /// The flat of a cube, from its file name; or why there is none.
    fn flat(&self, variant: &str, file: &str) -> std::result::Result<PathBuf, String> {
        let Some(pattern) = &self.options.flats else {
            return Err(
                "flat: skipped, no flats were given (--flats); what follows reads the stage before"
                    .into(),
            );
        };
        // what calwebb appends to the name of the product
        let part = file.split('_').rev().find_map(|p| p.split_once('-'));
        let Some((first, second)) = part else {
            return Err(format!(
                "flat: skipped for {file}, whose name does not tell of what it is"
            ));
        };
        // the headers that the cube will have, of what names of flats are made of
        let mut meta = Meta::default();
        let upper = second.to_uppercase();
        let cards = match self.instrument {
            Instrument::Miri => [
                ("INSTRUME", "MIRI".to_owned()),
                ("CHANNEL", first.trim_start_matches("ch").to_owned()),
                ("BAND", upper),
            ],
            Instrument::Nirspec => [
                ("INSTRUME", "NIRSPEC".to_owned()),
                ("GRATING", first.to_uppercase()),
                ("FILTER", upper),
            ],
        };
        for (keyword, value) in &cards {
            meta.primary.set(keyword, value.as_str(), "");
        }
        if variant.split('_').any(|t| t == Tag::Fringe.name()) {
            meta.primary.set("S_RESFRI", "COMPLETE", "");
        }
        let path = flat_path(pattern, &meta).map_err(|e| format!("flat: skipped, {e}"))?;
        if path.is_file() {
            return Ok(path);
        }
        Err(format!(
            "flat: skipped for {first} {second}, as there is no {}; what follows reads the stage before",
            path.display()
        ))
    }
}

/// A cube's path in another stage's folder of the main tree.
pub(super) fn moved(root: &Path, relative: &Path, stage: &str) -> PathBuf {
    let rest: PathBuf = relative.components().skip(1).collect();
    root.join(stage).join(rest)
}
