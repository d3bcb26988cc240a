//! clean_flicker_noise of small NIRSpec IFU exposures made by the Python pipeline (`tests/golden/make_clean_flicker.py`): the same bits of
//! values, masks and backgrounds for any number of threads, from ramps, count rates and an exposure with its members.

use std::fs;
use std::path::{Path, PathBuf};

use sifu::exec::Exec;
use sifu::formats::fits::FitsFile;
use sifu::model::{Cal, Observation, Rate, Shape};
use sifu::pipeline::run::{Runner, prepare};
use sifu::pipeline::settings::Settings;
use sifu::steps::step::{AnyStep, Model, RefPaths, Status, Target};
use sifu::store::products::{RampFile, read_rate};
use sifu::store::references::{Found, References};

const CASES: usize = 31;

fn step() -> &'static dyn AnyStep {
    sifu::steps::find("clean_flicker_noise").unwrap()
}

struct Case {
    folder: PathBuf,
    refs: RefPaths,
    params: toml::Table,
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/clean_flicker");
    let mut folders: Vec<_> = fs::read_dir(root)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.is_dir())
        .collect();
    folders.sort();
    folders.into_iter().map(Case::open).collect()
}

fn named(name: &str) -> Case {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/clean_flicker");
    Case::open(root.join(name))
}

impl Case {
    fn open(folder: PathBuf) -> Self {
        let mut refs = RefPaths::default();
        for kind in ["gain", "readnoise", "flat"] {
            let file = folder.join(format!("{kind}.fits.gz"));
            refs.0.insert(kind.into(), file.exists().then_some(file));
        }
        let text = fs::read_to_string(folder.join("params.toml")).unwrap();
        let mut params: toml::Table = text.parse().unwrap();
        let mask = folder.join("mask.fits.gz");
        if mask.exists() {
            params.insert("user_mask".into(), mask.display().to_string().into());
        }
        for save in ["save_mask", "save_background", "save_noise"] {
            params.insert(save.into(), true.into());
        }
        Self {
            folder,
            refs,
            params,
        }
    }

    fn model(&self) -> (Model, Shape) {
        let path = self.folder.join("in.fits.gz");
        let axes = {
            let file = FitsFile::open(&path).unwrap();
            file.shape(file.need("SCI").unwrap()).unwrap().len()
        };
        if axes == 4 {
            let file = RampFile::open(&path).unwrap();
            let ramp = file.read(0..file.shape.nints, None).unwrap();
            return (ramp.into(), file.shape);
        }
        let rate = read_rate(&path).unwrap();
        let shape = Shape {
            nints: rate.nints.unwrap_or(1),
            ngroups: 1,
            ny: rate.ny,
            nx: rate.nx,
        };
        (rate.into(), shape)
    }

    fn run(&self, model: Model, shape: Shape, out: &Path, exec: &Exec) -> (Model, Status) {
        let target = Target {
            meta: model.meta().unwrap().clone(),
            shape,
            out: Some(out.into()),
        };
        let mut load = || step().load(&self.refs, &target, &self.params);
        step().run(model, &self.params, &mut load, exec).unwrap()
    }

    fn expected(&self, name: &str) -> Option<Vec<f32>> {
        let file = FitsFile::open(self.folder.join("out.fits.gz")).unwrap();
        file.find(name).map(|i| file.all(i).unwrap())
    }

    fn check(&self, values: &[f32], status: &Status, out: &Path) {
        let at = self.folder.display();
        let file = FitsFile::open(self.folder.join("out.fits.gz")).unwrap();
        let text = match status {
            Status::Complete => "COMPLETE",
            Status::Skipped(_) => "SKIPPED",
            Status::Failed(_) => "FAILED",
        };
        assert_eq!(file.hdus()[0].header.str("S_CLNFNS"), Some(text), "{at}");
        same(
            values,
            &self.expected("SCI").unwrap(),
            &format!("SCI of {at}"),
        );
        let saved = |suffix: &str| {
            let file = FitsFile::open(out.join(format!("in_{suffix}.fits"))).unwrap();
            let values: Vec<f32> = file.all(file.need("SCI").unwrap()).unwrap();
            (
                values,
                file.shape(file.need("SCI").unwrap()).unwrap().to_vec(),
            )
        };
        if let Some(mask) = self.expected("MASK") {
            let (ours, axes) = saved("mask");
            same(&ours, &mask, &format!("mask of {at}"));
            assert_eq!(
                axes,
                file.shape(file.need("MASK").unwrap()).unwrap(),
                "{at}"
            );
            same(
                &saved("flicker_bkg").0,
                &self.expected("BACKGROUND").unwrap(),
                &format!("background of {at}"),
            );
            let before = FitsFile::open(self.folder.join("in.fits.gz")).unwrap();
            let before: Vec<f32> = before.all(before.need("SCI").unwrap()).unwrap();
            let noise: Vec<f32> = values.iter().zip(before).map(|(a, b)| a - b).collect();
            same(&saved("flicker_noise").0, &noise, &format!("noise of {at}"));
        } else {
            assert_eq!(fs::read_dir(out).unwrap().count(), 0, "{at}");
        }
    }
}

fn same(ours: &[f32], theirs: &[f32], what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        let same = a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        assert!(same, "{what}: value {i} is {a:?}, jwst has {b:?}");
    }
}

fn values(model: &Model) -> &[f32] {
    match model {
        Model::Ramp(ramp) => &ramp.data,
        Model::Rate(rate) => &rate.sci,
        Model::Observation(o) => &o.science.sci,
        other => panic!("{}", other.kind()),
    }
}

#[test]
fn every_case_agrees_to_the_bit_on_any_number_of_threads() {
    let cases = cases();
    assert_eq!(cases.len(), CASES);
    for case in cases {
        for threads in [1, 2, 7] {
            let out = tempfile::tempdir().unwrap();
            let (model, shape) = case.model();
            let exec = Exec::new(Some(threads)).unwrap();
            let (model, status) = case.run(model, shape, out.path(), &exec);
            case.check(values(&model), &status, out.path());
        }
    }
}

#[test]
fn flags_and_errors_stay() {
    let exec = Exec::new(Some(2)).unwrap();
    let out = tempfile::tempdir().unwrap();
    for name in ["ramp", "rateints"] {
        let case = named(name);
        let (before, shape) = case.model();
        let (after, _) = case.run(before.clone(), shape, out.path(), &exec);
        match (before, after) {
            (Model::Ramp(a), Model::Ramp(b)) => {
                assert_eq!((a.groupdq, a.pixeldq), (b.groupdq, b.pixeldq));
                // the first groups are what the others are added to
                let first = shape.plane();
                same(&b.data[..first], &a.data[..first], "the first group");
            }
            (Model::Rate(a), Model::Rate(b)) => {
                assert_eq!((a.dq, a.err, a.var_poisson), (b.dq, b.err, b.var_poisson));
            }
            _ => panic!("{name} is of another kind"),
        }
    }
}

fn rate(name: &str) -> Rate {
    read_rate(&named(name).folder.join("in.fits.gz")).unwrap()
}

#[test]
fn background_and_imprint_members_are_cleaned_too() {
    let case = named("rate");
    let cal = |name: &str| Cal::from_rate(rate(name)).unwrap();
    let observation = Observation {
        science: cal("rate"),
        background: vec![cal("rate"), cal("rate_nothing")],
        selfcal: vec![cal("rate")],
        imprint: vec![cal("rate")],
    };
    let (_, shape) = case.model();
    let out = tempfile::tempdir().unwrap();
    let exec = Exec::new(Some(2)).unwrap();
    let (model, status) = case.run(observation.into(), shape, out.path(), &exec);
    assert_eq!(status, Status::Complete);
    let Model::Observation(o) = model else {
        panic!("it is no observation any more");
    };
    let cleaned = case.expected("SCI").unwrap();
    same(&o.science.sci, &cleaned, "the exposure");
    same(&o.background[0].sci, &cleaned, "the background");
    same(&o.imprint[0].sci, &cleaned, "the imprint");
    same(
        &o.selfcal[0].sci,
        &rate("rate").sci,
        "the exposure for bad pixels",
    );
    assert!(o.background[1].sci.iter().all(|v| v.is_nan()));
}

/// One exposure's references.
struct Files(RefPaths);

impl References for Files {
    fn context(&self) -> Option<String> {
        None
    }
    fn find(&self, _: &sifu::model::Meta, kind: &str) -> sifu::Result<Found> {
        let path = self.0.get(kind).map(Path::to_path_buf);
        let name = path.as_ref().map(|_| format!("{kind}.fits"));
        Ok(Found {
            path,
            name,
            why: String::new(),
        })
    }
    fn parameters(
        &self,
        _: &sifu::model::Meta,
        _: Option<&str>,
        _: &str,
        _: &str,
    ) -> sifu::Result<Vec<(String, toml::Table)>> {
        Ok(Vec::new())
    }
}

#[test]
fn references_of_steps_within_are_not_recorded() {
    let case = named("ramp_flat");
    let (model, shape) = case.model();
    let target = Target {
        meta: model.meta().unwrap().clone(),
        shape,
        out: None,
    };
    let settings = Settings::default()
        .assignments([
            "clean_flicker_noise.skip=false",
            "clean_flicker_noise.apply_flat_field=true",
        ])
        .unwrap();
    let files = Files(case.refs.clone());
    let mut prepared = prepare(None, &[step()], &target.meta, &settings, &files).unwrap();
    let prepared = prepared.remove(0);
    // a run depends on it
    assert!(prepared.names.contains_key("gain"));
    assert!(prepared.paths.get("gain").is_some());
    let exec = Exec::new(Some(1)).unwrap();
    let model = Runner::new(&exec, &target, false)
        .step(&prepared, model)
        .unwrap();
    let meta = model.meta().unwrap();
    assert_eq!(meta.str("S_CLNFNS"), Some("COMPLETE"));
    assert_eq!(meta.str("R_FLAT"), Some("flat.fits"));
    assert_eq!(meta.str("R_GAIN"), None);
}

#[test]
fn what_cannot_be_done_is_said() {
    let exec = Exec::new(Some(1)).unwrap();
    let said = |name: &str, spoil: &dyn Fn(&mut Case, &mut Model)| {
        let mut case = named(name);
        let (mut model, shape) = case.model();
        spoil(&mut case, &mut model);
        let target = Target {
            meta: model.meta().unwrap().clone(),
            shape,
            out: None,
        };
        let mut load = || step().load(&case.refs, &target, &case.params);
        let error = step()
            .run(model, &case.params, &mut load, &exec)
            .unwrap_err();
        error.to_string()
    };
    let set = |key: &'static str, value: toml::Value| {
        move |case: &mut Case, _: &mut Model| {
            case.params.insert(key.into(), value.clone());
        }
    };
    let text = said("rate", &set("fit_method", "fft".into()));
    assert!(
        text.contains("2048 x 2048") && text.contains("40 x 33"),
        "{text}"
    );
    let text = said("ramp", &|_, model| {
        model.metas_mut()[0].primary.set("SLOWAXIS", 0i64, "");
    });
    assert!(text.contains("SLOWAXIS = 0"), "{text}");
    let text = said("ramp", &|_, model| {
        model.metas_mut()[0]
            .primary
            .set("EXP_TYPE", "MIR_IMAGE", "");
    });
    assert!(text.contains("MIR_IMAGE"), "{text}");
    let text = said("ramp", &set("user_mask", "nosuch.fits".into()));
    assert!(text.contains("nosuch.fits"), "{text}");
    let text = said("ramp", &|case, _| {
        case.refs.0.insert("gain".into(), None);
    });
    assert!(text.to_lowercase().contains("gain"), "{text}");
}
