//! The plan of a directory: all tasks, in an order in which they can be done.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::scan::{Exposure, Setting, files};
use super::task::{Instrument, Memory, Stage, Task, Work};
use super::variant::{Tag, Toggle, Variant, folder, wanted, without};
use super::{Plan, groups};
use crate::{Error, Result};

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Whose exposures are reduced; none for those of both instruments.
    pub instrument: Option<Instrument>,
    /// Whether saturated parts are replaced from reductions with fewer groups.
    pub desaturate: bool,
    /// Numbers of groups to reduce besides all; none for every number.
    pub groups_to_use: Option<BTreeSet<usize>>,
    /// Directory of the background's observation (with `stage1`).
    pub background: Option<PathBuf>,
    /// Whether the background is subtracted.
    pub background_subtract: Toggle,
    /// Whether the 2-D residual fringe correction is made.
    pub defringe: Toggle,
    /// Whether the 1-D residual fringe correction is made.
    pub defringe_1d: Toggle,
    /// Whether the PSF is corrected for.
    pub correct_psf: Toggle,
    /// Pattern of the flats' paths, with `{channel}`, `{band}` and `{fringe}`, or `{grating}` and `{filter}`; a folder stands
    /// for the usual names of MIRI's in it.
    pub flats: Option<PathBuf>,
    /// Whether the pointing is found from the cubes of all groups, all of them together.
    pub fit: bool,
    /// Instruments from whose cubes spectra are extracted.
    pub spectra: Vec<Instrument>,
    /// Steps that are not done; what they made earlier is taken from disk.
    pub skip: BTreeSet<Stage>,
    /// The first step that is done.
    pub first: Option<Stage>,
    /// The last step that is done, but for the page on the run.
    pub last: Option<Stage>,
}

impl Options {
    /// Whether a step is done on an instrument's exposures.
    pub fn does(&self, instrument: Instrument, stage: Stage) -> bool {
        let place = |s| instrument.place(s);
        let early = self.first.is_some_and(|first| place(stage) < place(first));
        let late = self.last.is_some_and(|last| place(stage) > place(last));
        !self.skip.contains(&stage) && !early && (!late || stage == Stage::Report)
    }
}

/// Exposures by dither position (none: all), tile and setting.
type Groups<'a> = BTreeMap<(Option<i64>, String, &'a Setting), Vec<&'a Exposure>>;

/// A plan in the making.
pub(super) struct Builder<'a> {
    pub(super) root: &'a Path,
    pub(super) options: &'a Options,
    /// Whose exposures are planned now.
    pub(super) instrument: Instrument,
    pub(super) memory: Memory,
    pub(super) tasks: Vec<Task>,
    pub(super) notes: Vec<String>,
    /// Cubes of stage 3 on: (path below the tree of a group count, group count), in the order of the plan.
    pub(super) navigated: Vec<(PathBuf, usize)>,
}

/// Makes the plan of a directory.
///
/// # Errors
/// [`Error::Input`] where there is nothing to reduce, or an exposure is of another kind.
pub fn build(root: &Path, options: &Options) -> Result<Plan> {
    let stage0 = root.join("stage0");
    let paths = files(&stage0, "_uncal.fits")?;
    if paths.is_empty() {
        return Err(Error::input_file(
            root,
            "there is no stage0/*_uncal.fits in this folder; put the raw exposures into a folder stage0 in it",
        ));
    }
    let (mut exposures, mut broken) = (Vec::new(), Vec::new());
    for path in &paths {
        match Exposure::of_file(path) {
            Ok(exposure) => exposures.push(exposure),
            Err(e) => broken.push((path.clone(), e)),
        }
    }
    if let Some(only) = options.instrument {
        exposures.retain(|e| e.setting.instrument() == only);
    }
    if exposures.is_empty() {
        return Err(broken.pop().map_or_else(
            || {
                Error::input_file(
                    &stage0,
                    "holds no exposure of the instrument that is asked for",
                )
            },
            |(_, error)| error,
        ));
    }
    let mut background = Vec::new();
    let subtracted = options.background_subtract != Toggle::No;
    if let Some(folder) = options.background.as_ref().filter(|_| subtracted) {
        for path in files(&folder.join("stage1"), "_rate.fits")? {
            match Exposure::of_file(&path) {
                Ok(exposure) => background.push(exposure),
                Err(e) => broken.push((path, e)),
            }
        }
        if background.is_empty() {
            return Err(Error::input_file(
                folder,
                "there is no stage1/*_rate.fits in this folder; reduce the background first (sifu run on its folder, with --end-step stage1)",
            ));
        }
    }
    let of_groups = groups::notes(options, &exposures)?;
    let (tasks, mut notes) = chains(root, &exposures, &background, options);
    if tasks.is_empty() {
        return Err(Error::parameter(
            "no task is left to do; check --skip-steps, --start-step and --end-step",
        ));
    }
    notes.extend(of_groups);
    Ok(Plan {
        root: root.into(),
        tasks,
        notes,
        broken,
    })
}

/// The tasks on these exposures, instrument by instrument, and what is left out.
fn chains(
    root: &Path,
    exposures: &[Exposure],
    background: &[Exposure],
    options: &Options,
) -> (Vec<Task>, Vec<String>) {
    let mut builder = Builder {
        root,
        options,
        instrument: Instrument::Miri,
        memory: Memory::of_pixels(0),
        tasks: Vec::new(),
        notes: Vec::new(),
        navigated: Vec::new(),
    };
    for instrument in Instrument::ALL {
        let own = |e: &&Exposure| e.setting.instrument() == *instrument;
        let exposures: Vec<&Exposure> = exposures.iter().filter(own).collect();
        if !exposures.is_empty() {
            builder.instrument = *instrument;
            builder.chain(&exposures, background);
        }
    }
    if options.fit {
        builder.fit();
    }
    let Builder {
        tasks, mut notes, ..
    } = builder;
    let planned = |t: &Task| options.does(t.instrument, t.stage);
    let mut told = BTreeSet::new();
    notes.retain(|n| told.insert(n.clone()));
    (tasks.into_iter().filter(planned).collect(), notes)
}

impl Builder<'_> {
    /// All tasks of an instrument.
    fn chain(&mut self, exposures: &[&Exposure], background: &[Exposure]) {
        let pixels = exposures.iter().map(|e| e.pixels).max().unwrap_or(0);
        self.memory = Memory::of_pixels(pixels);
        self.navigated.clear();
        let before = self.tasks.len();
        let most = exposures.iter().map(|e| e.groups).max().unwrap_or(0);
        let mut counts = vec![None];
        if self.options.desaturate {
            let groups = self.options.groups_to_use.as_ref();
            let chosen = |n: &usize| groups.is_none_or(|g| g.contains(n));
            counts.extend((1..most).rev().filter(chosen).map(Some));
        }
        for groups in counts {
            self.reduction(exposures, background, groups);
        }
        if self.options.desaturate {
            self.desaturation();
        }
        self.cleaning();
        self.plots(before);
        self.looks(before);
        self.changes(before);
        self.films(before);
    }

    /// Adds a task of this instrument.
    pub(super) fn push(
        &mut self,
        stage: Stage,
        work: Work,
        inputs: Vec<PathBuf>,
        outputs: Vec<PathBuf>,
        memory: u64,
    ) {
        let of = self.instrument;
        let task = Task::new(self.root, of, stage, work, inputs, outputs, memory);
        self.tasks.push(task);
    }

    fn variants(&self) -> Vec<Variant> {
        let o = self.options;
        let background = match o.background {
            Some(_) => o.background_subtract,
            None => Toggle::No,
        };
        if self.instrument == Instrument::Nirspec {
            return wanted(&[(Tag::Bg, background)]);
        }
        wanted(&[
            (Tag::Bg, background),
            (Tag::Fringe, o.defringe),
            (Tag::Fringe1d, o.defringe_1d),
            (Tag::Psf, o.correct_psf),
        ])
    }

    /// Stages 1 to 3 and what is made of their cubes one by one, with the first `groups` groups or all.
    fn reduction(
        &mut self,
        exposures: &[&Exposure],
        background: &[Exposure],
        groups: Option<usize>,
    ) {
        let tree = match groups {
            None => self.root.to_path_buf(),
            Some(n) => self.root.join("groups").join(format!("{n}_groups")),
        };
        let mut used: Vec<&Exposure> = Vec::new();
        for exposure in exposures {
            let n = match groups {
                Some(n) if n >= exposure.groups => continue,
                Some(n) => n,
                None => exposure.groups,
            };
            let name = |suffix: &str| format!("{}_{suffix}.fits", exposure.root);
            let mut uncal = exposure.path.clone();
            if groups.is_some() {
                let trimmed = tree.join("stage0").join(name("uncal"));
                let memory = self.memory.ramp(exposure.ints, n);
                self.push(
                    Stage::RemoveGroups,
                    Work::RemoveGroups { groups: n },
                    vec![uncal],
                    vec![trimmed.clone()],
                    memory,
                );
                uncal = trimmed;
            }
            let stage1 = tree.join("stage1");
            let rate = stage1.join(name("rate"));
            self.push(
                Stage::Stage1,
                Work::Stage1 { groups: n },
                vec![uncal],
                vec![rate.clone(), stage1.join(name("rateints"))],
                self.memory.ramp(exposure.ints, n),
            );
            if exposure.lit {
                used.push(exposure);
                self.stage2(exposure, background, &rate, &tree);
            } else {
                self.notes.push(format!(
                    "{}: no light falls on {} with {}; it is left out from stage 2 on",
                    exposure.root,
                    exposure.detector,
                    exposure.setting.key().replace('_', " ")
                ));
            }
        }
        let variants = self.variants();
        for variant in without(&variants, Tag::of_cubes) {
            let of_background = |e: &&&Exposure| {
                !variant.contains(&Tag::Bg) || background.iter().any(|b| e.matches(b))
            };
            let some: Vec<&Exposure> = used.iter().filter(of_background).copied().collect();
            self.stage3(&some, &variant, &variants, &tree, groups);
        }
    }

    fn stage2(&mut self, exposure: &Exposure, background: &[Exposure], rate: &Path, tree: &Path) {
        let needed = without(&self.variants(), Tag::of_cubes);
        for bg in [false, true] {
            if !needed.iter().any(|v| v.contains(&Tag::Bg) == bg) {
                continue;
            }
            let mut members = Vec::new();
            let mut out = tree.join("stage2");
            let mut suffix = "rate";
            if bg {
                let matching = background.iter().filter(|b| exposure.matches(b));
                members = matching.map(|b| b.path.clone()).collect();
                if members.is_empty() {
                    self.notes.push(format!(
                        "{}: no background exposure of {} {}; it is left out of the variants with bg",
                        exposure.root,
                        exposure.detector,
                        exposure.setting.key().replace('_', " ")
                    ));
                    continue;
                }
                out = out.join("bg");
                suffix = "rate_bg";
            }
            let cal = out.join(format!("{}_cal.fits", exposure.root));
            let association = tree
                .join("stage1")
                .join(format!("{}_{suffix}_asn.json", exposure.root));
            let inputs = std::iter::once(rate.to_path_buf())
                .chain(members.clone())
                .collect();
            let work = Work::Stage2 {
                background: members,
                association,
            };
            self.push(
                Stage::Stage2,
                work,
                inputs,
                vec![cal.clone()],
                self.memory.stage2(),
            );
            let fringe = |v: &Variant| v.contains(&Tag::Fringe) && v.contains(&Tag::Bg) == bg;
            if needed.iter().any(fringe) {
                let out = out.join(format!("{}_residual_fringe.fits", exposure.root));
                self.push(
                    Stage::Defringe,
                    Work::Defringe,
                    vec![cal],
                    vec![out],
                    self.memory.stage2(),
                );
            }
        }
    }

    /// Cubes of one variant of the images, and what is made of each.
    fn stage3(
        &mut self,
        exposures: &[&Exposure],
        variant: &Variant,
        variants: &[Variant],
        tree: &Path,
        groups: Option<usize>,
    ) {
        let mut sets: Groups = BTreeMap::new();
        let dithers: BTreeSet<i64> = exposures.iter().map(|e| e.dither).collect();
        for e in exposures {
            let mut put = |dither| {
                let key = (dither, e.tile.clone(), &e.setting);
                sets.entry(key).or_default().push(e);
            };
            put(Some(e.dither));
            if dithers.len() > 1 {
                put(None);
            }
        }
        let untiled: BTreeSet<_> = sets.keys().map(|(d, _, setting)| (d, *setting)).collect();
        let tiled = untiled.len() != sets.len();
        let mut spectra: BTreeMap<(Option<i64>, String), Vec<PathBuf>> = BTreeMap::new();
        let mut cubes = Vec::new();
        for ((dither, tile, setting), members) in &sets {
            let name = folder(*dither, variant);
            let out = tree.join("stage3").join(&name);
            let mut images = tree.join("stage2");
            if variant.contains(&Tag::Bg) {
                images = images.join("bg");
            }
            let suffix = match variant.contains(&Tag::Fringe) {
                true => "residual_fringe",
                false => "cal",
            };
            let inputs: Vec<PathBuf> = members
                .iter()
                .map(|e| images.join(format!("{}_{suffix}.fits", e.root)))
                .collect();
            let product = match tiled {
                true => format!("Level3_{tile}"),
                false => "Level3".to_owned(),
            };
            let mut outputs = Vec::new();
            for label in setting.cubes() {
                let stem = format!("{product}_{label}");
                let cube = out.join(format!("{stem}_s3d.fits"));
                outputs.push(cube.clone());
                cubes.push((cube, name.clone(), *dither));
                if self.options.spectra.contains(&self.instrument) {
                    let spectrum = out.join(format!("{stem}_x1d.fits"));
                    outputs.push(spectrum.clone());
                    spectra
                        .entry((*dither, product.clone()))
                        .or_default()
                        .push(spectrum);
                }
            }
            let association = tree
                .join("stage2")
                .join(format!("{}_dither-{name}_{tile}_asn.json", setting.key()));
            let work = Work::Stage3 {
                association,
                product,
            };
            let memory = self.memory.combination(members.len());
            self.push(Stage::Stage3, work, inputs, outputs, memory);
        }
        for paths in spectra.into_values() {
            let has = |part: &str| paths.iter().any(|p| p.to_string_lossy().contains(part));
            if has("_ch1-medium_") && has("_ch3-short_") {
                self.leak_anew(&paths);
                let work = Work::SpectralLeak;
                self.push(
                    Stage::Stage3,
                    work,
                    paths.clone(),
                    paths,
                    self.memory.cube(),
                );
            }
        }
        for (cube, _, dither) in cubes {
            self.cube(&cube, dither, variant, variants, tree, groups);
        }
    }

    /// What is made of one cube: its variants with cube tags, and their backplanes.
    fn cube(
        &mut self,
        cube: &Path,
        dither: Option<i64>,
        variant: &Variant,
        variants: &[Variant],
        tree: &Path,
        groups: Option<usize>,
    ) {
        let stem = cube
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let stage3 = tree.join("stage3");
        let derived: Vec<&Variant> = variants
            .iter()
            .filter(|v| {
                let images: Variant = v.iter().copied().filter(|t| !t.of_cubes()).collect();
                images == *variant
            })
            .collect();
        let mut have: Vec<Variant> = Vec::new();
        for wanted in derived {
            let mut plain = wanted.clone();
            plain.remove(&Tag::Psf);
            let source = stage3
                .join(folder(dither, &plain))
                .join(format!("{stem}.fits"));
            let navigated = source.with_file_name(format!("{stem}_nav.fits"));
            if !have.contains(&plain) {
                if plain.contains(&Tag::Fringe1d) {
                    self.push(
                        Stage::Defringe1d,
                        Work::Cube("defringe_1d"),
                        vec![cube.to_path_buf()],
                        vec![source.clone()],
                        self.memory.cube(),
                    );
                }
                let outputs = vec![navigated.clone()];
                self.push(
                    Stage::Navigate,
                    Work::Navigate,
                    vec![source],
                    outputs,
                    self.memory.cube(),
                );
                have.push(plain);
            }
            let mut last = navigated.clone();
            if wanted.contains(&Tag::Psf) {
                last = stage3
                    .join(folder(dither, wanted))
                    .join(format!("{stem}_nav.fits"));
                let outputs = vec![last.clone()];
                self.push(
                    Stage::Psf,
                    Work::Cube("psf"),
                    vec![navigated],
                    outputs,
                    self.memory.cube(),
                );
            }
            if let Ok(relative) = last.strip_prefix(tree) {
                self.navigated
                    .push((relative.into(), groups.unwrap_or(usize::MAX)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nirspec(dither: i64, detector: &str, grating: &str, lit: bool) -> Exposure {
        Exposure {
            path: format!("/data/stage0/{grating}_{dither}_{detector}_uncal.fits").into(),
            root: format!("{grating}_{dither}_{detector}"),
            detector: detector.into(),
            setting: Setting::Ifu {
                filter: if grating == "PRISM" {
                    "CLEAR"
                } else {
                    "F290LP"
                }
                .into(),
                grating: grating.into(),
            },
            lit,
            pixels: 2048 * 2048,
            dither,
            tile: "001_01".into(),
            groups: 5,
            ints: 1,
            target: "URANUS".into(),
        }
    }

    /// Names of the products of a step, in order.
    fn made(tasks: &[Task], stage: Stage) -> Vec<String> {
        let of = tasks.iter().filter(|t| t.stage == stage);
        let relative = |p: &PathBuf| p.strip_prefix("/data").expect("below").to_owned();
        let names = of.flat_map(|t| t.outputs.iter().map(relative));
        names.map(|p| p.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn nirspec_has_folders_and_an_order_of_its_own() {
        let exposures = [
            nirspec(1, "nrs1", "G395H", true),
            nirspec(1, "nrs2", "G395H", true),
            nirspec(2, "nrs1", "G395H", true),
            nirspec(1, "nrs1", "PRISM", true),
            nirspec(1, "nrs2", "PRISM", false),
        ];
        let flats = tempfile::tempdir().expect("a folder");
        std::fs::write(flats.path().join("g395h_f290lp.fits"), "").expect("written");
        let options = Options {
            desaturate: true,
            groups_to_use: Some([3].into()),
            flats: Some(flats.path().join("{grating}_{filter}.fits")),
            // of MIRI only
            defringe_1d: Toggle::Both,
            ..Options::default()
        };
        let (tasks, notes) = chains(Path::new("/data"), &exposures, &[], &options);
        let made = |stage| made(&tasks, stage);
        assert_eq!(made(Stage::Stage1).len(), 20, "the dark detector too");
        assert_eq!(
            made(Stage::Stage2)[..4],
            [
                "G395H_1_nrs1",
                "G395H_1_nrs2",
                "G395H_2_nrs1",
                "PRISM_1_nrs1"
            ]
            .map(|r| format!("stage2/{r}_cal.fits"))
        );
        let cubes = [
            "combined/Level3_prism-clear_s3d",
            "combined/Level3_g395h-f290lp_s3d",
            "d1/Level3_prism-clear_s3d",
            "d1/Level3_g395h-f290lp_s3d",
            "d2/Level3_g395h-f290lp_s3d",
        ];
        assert_eq!(
            made(Stage::Stage3)[..5],
            cubes.map(|c| format!("stage3/{c}.fits"))
        );
        assert_eq!(
            made(Stage::Desaturate),
            cubes.map(|c| format!("stage3_desaturated/{c}_nav.fits"))
        );
        assert_eq!(
            made(Stage::Despike),
            cubes.map(|c| format!("stage4_despike/{c}_nav.fits"))
        );
        let flat =
            ["d1", "d2"].map(|d| format!("stage5_flat/{d}/Level3_g395h-f290lp_s3d_nav.fits"));
        assert_eq!(made(Stage::Flat), flat);
        assert!(made(Stage::Defringe1d).is_empty() && made(Stage::Psf).is_empty());
        let of = |name: &str| tasks.iter().find(|t| t.name == name).expect(name);
        let last = of("stage5_flat/d1/Level3_g395h-f290lp_s3d_nav");
        assert_eq!(
            last.inputs,
            [
                PathBuf::from("/data/stage4_despike/d1/Level3_g395h-f290lp_s3d_nav.fits"),
                flats.path().join("g395h_f290lp.fits")
            ]
        );
        // a page of the cube after each step in that order, and looks at what it was made of
        let page = of("plots/steps/d1/Level3_g395h-f290lp_s3d_nav");
        let stages = [
            "stage3",
            "stage3_desaturated",
            "stage4_despike",
            "stage5_flat",
        ];
        let cube =
            |s: &str| PathBuf::from(format!("/data/{s}/d1/Level3_g395h-f290lp_s3d_nav.fits"));
        assert_eq!(page.inputs, stages.map(cube));
        for look in [
            "stage1/PRISM_1_nrs2_rate",
            "stage2/G395H_2_nrs1_cal",
            "flats/g395h_f290lp",
        ] {
            assert_eq!(of(&format!("plots/{look}")).work, Work::Look);
        }
        let both = of("stage3/d1/Level3_g395h-f290lp_s3d");
        assert_eq!(both.inputs.len(), 2, "both detectors in one cube");
        let Work::Stage3 { association, .. } = &both.work else {
            panic!("{both:?}");
        };
        assert!(association.ends_with("stage2/F290LP_G395H_dither-d1_001_01_asn.json"));
        let told = |what: &str| notes.iter().filter(|n| n.contains(what)).count();
        assert_eq!(
            (
                told("no light falls on nrs2"),
                told("flat: skipped for prism clear")
            ),
            (1, 1)
        );
        // what comes first and last is by NIRSpec's order
        for (first, last, left) in [
            (
                Some(Stage::Flat),
                None,
                ["flat", "plot", "animate"].as_slice(),
            ),
            (
                Some(Stage::Navigate),
                Some(Stage::Despike),
                &["navigate", "desaturate", "despike"],
            ),
        ] {
            let some = Options {
                first,
                last,
                ..options.clone()
            };
            let (tasks, _) = chains(Path::new("/data"), &exposures, &[], &some);
            let mut stages: Vec<&str> = tasks.iter().map(|t| t.stage.name()).collect();
            stages.dedup();
            stages.sort_unstable();
            stages.dedup();
            let mut left = left.to_vec();
            left.sort_unstable();
            assert_eq!(stages, left);
        }
    }

    /// An exposure of MIRI's.
    fn miri(dither: i64, channel: &str, band: &str) -> Exposure {
        Exposure {
            setting: Setting::Mrs {
                channel: channel.into(),
                band: band.into(),
            },
            pixels: 1032 * 1024,
            ..nirspec(
                dither,
                &format!("mirifu{channel}{band}").to_lowercase(),
                "a",
                true,
            )
        }
    }

    #[test]
    fn no_exposure_counts_twice_in_the_pointing() {
        let exposures = [miri(1, "12", "SHORT"), miri(2, "12", "SHORT")];
        let options = Options {
            fit: true,
            desaturate: true,
            defringe: Toggle::Both,
            defringe_1d: Toggle::Both,
            ..Options::default()
        };
        let (tasks, _) = chains(Path::new("/data"), &exposures, &[], &options);
        let navigated: Vec<&Task> = (tasks.iter())
            .filter(|t| t.work == Work::Navigate)
            .collect();
        assert!(navigated.len() > 20);
        let name = |d, c| format!("/data/stage3/d{d}/Level3_ch{c}-short_s3d.fits").into();
        let fitted: [PathBuf; 4] = [name(1, 1), name(1, 2), name(2, 1), name(2, 2)];
        for task in navigated {
            assert_eq!(task.inputs[1..], fitted, "{}", task.name);
        }
    }

    #[test]
    fn a_leaked_spectrum_is_made_anew_with_that_of_its_leak() {
        let exposures = [
            miri(1, "12", "SHORT"),
            miri(1, "34", "SHORT"),
            miri(1, "12", "MEDIUM"),
        ];
        let options = Options {
            spectra: vec![Instrument::Miri],
            ..Options::default()
        };
        let (tasks, _) = chains(Path::new("/data"), &exposures, &[], &options);
        let besides = tasks.iter().filter(|t| !t.besides.is_empty());
        let found: Vec<(&str, &[PathBuf])> =
            besides.map(|t| (t.name.as_str(), &t.besides[..])).collect();
        let medium: PathBuf = "/data/stage2/a_1_mirifu12medium_cal.fits".into();
        assert_eq!(found, [("stage3/d1/Level3_ch3-short_s3d", &[medium][..])]);
    }

    #[test]
    fn both_instruments_lie_side_by_side() {
        let exposures = [nirspec(1, "nrs1", "G395H", true), miri(3, "12", "SHORT")];
        let (tasks, _) = chains(Path::new("/data"), &exposures, &[], &Options::default());
        let cubes = made(&tasks, Stage::Stage3);
        // each has one dither only
        assert_eq!(
            cubes,
            [
                "stage3/d3/Level3_ch1-short_s3d.fits",
                "stage3/d3/Level3_ch2-short_s3d.fits",
                "stage3/d1/Level3_g395h-f290lp_s3d.fits",
            ]
        );
        let of = |i| {
            tasks
                .iter()
                .filter(|t| t.instrument == i)
                .map(|t| t.memory)
                .max()
        };
        assert!(of(Instrument::Nirspec) > of(Instrument::Miri));
    }
}
