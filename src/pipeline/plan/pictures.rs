//! The plan's pictures: summary plots of cubes, quick looks at images and flats, cubes before and after steps, films of dithers, and
//! where they go.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::build::Builder;
use super::cleaning::moved;
use super::task::{Stage, Task, Work};

impl Builder<'_> {
    /// Summary plots of every navigated cube that is made by tasks from a place on, and of those that earlier runs left where
    /// their step is not done.
    pub(super) fn plots(&mut self, from: usize) {
        let navigated = |p: &&PathBuf| p.to_string_lossy().ends_with("_nav.fits");
        let made = self.tasks[from..].iter().filter_map(|t| t.outputs.first());
        let mut cubes: Vec<PathBuf> = made.filter(navigated).cloned().collect();
        for (stage, folder) in self.instrument.cleaning() {
            if !self.options.does(self.instrument, stage) {
                let main = self.navigated.iter().filter(|(_, n)| *n == usize::MAX);
                let earlier = main.map(|(p, _)| moved(self.root, p, folder));
                cubes.extend(earlier.filter(|p| p.is_file()));
            }
        }
        let mut seen = BTreeSet::new();
        for cube in cubes.into_iter().filter(|c| seen.insert(c.clone())) {
            let Some(plot) = plot_of(self.root, &cube) else {
                continue;
            };
            let memory = self.memory.cube();
            self.push(Stage::Plot, Work::Plot, vec![cube], vec![plot], memory);
        }
    }

    /// Quick looks at the count rates and calibrated images of the main tree that tasks from a place on make, and at the flats that
    /// they use.
    pub(super) fn looks(&mut self, from: usize) {
        let mut looks: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
        for task in &self.tasks[from..] {
            let plot = match (&task.work, task.outputs.first()) {
                (Work::Stage1 { .. } | Work::Stage2 { .. }, Some(image)) => {
                    plot_of(self.root, image).map(|plot| (plot, image))
                }
                (Work::Flat(flat), _) => picture_name(flat).map(|name| {
                    let folder = self.root.join("plots/flats");
                    (folder.join(format!("{name}.png")), flat)
                }),
                _ => None,
            };
            let here = |(plot, of): &(PathBuf, &PathBuf)| {
                plot.starts_with(self.root.join("plots")) && self.there(task.stage, of)
            };
            if let Some((plot, of)) = plot.filter(here) {
                looks.insert(plot, of.clone());
            }
        }
        for (plot, of) in looks {
            let memory = self.memory.cube();
            self.push(Stage::Plot, Work::Look, vec![of], vec![plot], memory);
        }
    }

    /// Whether a file is made by a step that is done, or was by an earlier run.
    fn there(&self, by: Stage, path: &Path) -> bool {
        self.options.does(self.instrument, by) || path.is_file()
    }

    /// Pages of the cubes of the main tree that steps change, from the first that tasks from a place on read to the last that they
    /// write.
    pub(super) fn changes(&mut self, from: usize) {
        let groups = self.root.join("groups");
        let steps = [Stage::Psf, Stage::Desaturate, Stage::Flat, Stage::Despike];
        let mut before: BTreeMap<&Path, &Path> = BTreeMap::new();
        for task in self.tasks[from..]
            .iter()
            .filter(|t| steps.contains(&t.stage))
        {
            let cubes = task.inputs.first().zip(task.outputs.first());
            if let Some((a, b)) = cubes.filter(|(_, b)| !b.starts_with(&groups)) {
                before.insert(b, a);
            }
        }
        let done = |t: &&Task| self.options.does(t.instrument, t.stage);
        let planned: BTreeSet<&Path> = self.tasks[from..]
            .iter()
            .filter(done)
            .flat_map(|t| t.outputs.iter().map(PathBuf::as_path))
            .collect();
        let read: BTreeSet<&Path> = before.values().copied().collect();
        let mut pages = Vec::new();
        for last in before.keys().filter(|b| !read.contains(*b)) {
            let mut cubes = vec![last.to_path_buf()];
            while let Some(a) = cubes.last().and_then(|b| before.get(b.as_path())) {
                cubes.push(a.to_path_buf());
            }
            cubes.retain(|c| c.is_file() || planned.contains(c.as_path()));
            cubes.reverse();
            if cubes.len() < 2 {
                continue;
            }
            let variant = last.parent().and_then(Path::file_name);
            if let (Some(variant), Some(name)) = (variant, picture_name(last)) {
                let folder = self.root.join("plots/steps").join(variant);
                pages.push((cubes, folder.join(format!("{name}.png"))));
            }
        }
        for (cubes, page) in pages {
            let memory = self.memory.cube() * cubes.len() as u64;
            self.push(Stage::Plot, Work::Steps, cubes, vec![page], memory);
        }
    }

    /// A film of the dithers of every band, stage and variant of the main tree that tasks from a place on make; none of combined
    /// cubes.
    pub(super) fn films(&mut self, from: usize) {
        let mut films: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
        let navigated = |p: &&PathBuf| p.to_string_lossy().ends_with("_nav.fits");
        let made = self.tasks[from..].iter().filter_map(|t| t.outputs.first());
        for cube in made.filter(navigated) {
            if let Some(film) = film_of(self.root, cube) {
                films.entry(film).or_default().push(cube.clone());
            }
        }
        for (film, mut cubes) in films {
            cubes.sort();
            let memory = self.memory.cube() * cubes.len() as u64;
            self.push(Stage::Animate, Work::Animate, cubes, vec![film], memory);
        }
    }
}

/// Where the plot of a cube goes: `plots/<stage>/<variant>` of its tree, its name behind the band's (`1A_`).
fn plot_of(root: &Path, cube: &Path) -> Option<PathBuf> {
    let relative = cube.strip_prefix(root).ok()?;
    let parts: Vec<_> = relative.iter().collect();
    // the tree of a number of groups is two folders below
    let depth = if parts.first()? == &"groups" { 2 } else { 0 };
    let tree: PathBuf = parts.get(..depth)?.iter().collect();
    let rest: PathBuf = parts.get(depth..)?.iter().collect();
    let folder = root.join(tree).join("plots").join(rest.parent()?);
    Some(folder.join(format!("{}.png", picture_name(cube)?)))
}

/// Where the page on the pointing of a cube goes, which is not navigated yet.
pub(super) fn fit_of(root: &Path, cube: &Path) -> Option<PathBuf> {
    let plot = plot_of(root, cube)?;
    let stem = plot.file_stem()?.to_string_lossy().into_owned();
    Some(plot.with_file_name(format!("{stem}_limb.png")))
}

/// Where the film goes that a dither's cube belongs to: `animation/<stage>/dither_comparison` with the variant's tags.
fn film_of(root: &Path, cube: &Path) -> Option<PathBuf> {
    let relative = cube.strip_prefix(root).ok()?;
    let parts: Vec<String> = relative
        .iter()
        .map(|p| p.to_string_lossy().into_owned())
        .collect();
    let [stage, variant, _] = &parts[..] else {
        return None;
    };
    let (dither, tags) = variant.split_once('_').unwrap_or((variant, ""));
    dither.strip_prefix('d')?.parse::<u32>().ok()?;
    let mut folder = "dither_comparison".to_owned();
    if !tags.is_empty() {
        folder = format!("{folder}_{tags}");
    }
    let folder = root.join("animation").join(stage).join(folder);
    Some(folder.join(format!("{}.gif", picture_name(cube)?)))
}

/// Name of a picture of a cube, its band in front (`1A_`).
fn picture_name(cube: &Path) -> Option<String> {
    let stem = cube.file_stem()?.to_string_lossy();
    let band = stem
        .split('_')
        .find_map(|p| p.strip_prefix("ch")?.split_once('-'));
    let prefix = band.map_or(String::new(), |(channel, band)| {
        let letter = match band {
            "short" => "A",
            "medium" => "B",
            "long" => "C",
            other => other,
        };
        format!("{channel}{letter}_")
    });
    Some(format!("{prefix}{stem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plots_lie_where_their_cubes_did() {
        let root = Path::new("/data");
        let of = |cube: &str| plot_of(root, &root.join(cube)).expect("below the root");
        assert_eq!(
            of("stage3/d1_bg/Level3_ch1-short_s3d_nav.fits"),
            root.join("plots/stage3/d1_bg/1A_Level3_ch1-short_s3d_nav.png")
        );
        assert_eq!(
            of("groups/3_groups/stage3/combined/Level3_ch4-long_s3d_nav.fits"),
            root.join("groups/3_groups/plots/stage3/combined/4C_Level3_ch4-long_s3d_nav.png")
        );
        // NIRSpec's have no band in front
        assert_eq!(
            of("stage5_flat/d2/Level3_g395h-f290lp_s3d_nav.fits"),
            root.join("plots/stage5_flat/d2/Level3_g395h-f290lp_s3d_nav.png")
        );
        assert!(plot_of(root, Path::new("/elsewhere/a_nav.fits")).is_none());
    }

    #[test]
    fn films_are_of_dithers_in_the_main_tree() {
        let root = Path::new("/data");
        let of = |cube: &str| film_of(root, &root.join(cube));
        let film = |name: &str| Some(root.join("animation").join(name));
        assert_eq!(
            of("stage3/d1/Level3_ch1-short_s3d_nav.fits"),
            film("stage3/dither_comparison/1A_Level3_ch1-short_s3d_nav.gif")
        );
        assert_eq!(
            of("stage5_despike/d4_bg_fringe/Level3_ch3-long_s3d_nav.fits"),
            film("stage5_despike/dither_comparison_bg_fringe/3C_Level3_ch3-long_s3d_nav.gif")
        );
        for none in [
            "stage3/combined/Level3_ch1-short_s3d_nav.fits",
            "groups/2_groups/stage3/d1/Level3_ch1-short_s3d_nav.fits",
        ] {
            assert_eq!(of(none), None);
        }
    }

    #[test]
    fn images_have_plots_as_cubes_do() {
        let root = Path::new("/data");
        let of = |image: &str| plot_of(root, &root.join(image));
        let plot = |name: &str| Some(root.join("plots").join(name));
        assert_eq!(
            of("stage1/jw01_mirifulong_rate.fits"),
            plot("stage1/jw01_mirifulong_rate.png")
        );
        assert_eq!(
            of("stage2/bg/jw01_cal.fits"),
            plot("stage2/bg/jw01_cal.png")
        );
        assert_eq!(
            fit_of(root, &root.join("stage3/d1/Level3_ch1-short_s3d.fits")),
            plot("stage3/d1/1A_Level3_ch1-short_s3d_limb.png")
        );
    }
}
