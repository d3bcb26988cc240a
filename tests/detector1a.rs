//! Steps from group_scale to dark_current, and gain_scale, on small cases made by the Python pipeline
//! (`tests/golden/make_detector1a.py`): same bits, flags and cards, for any number of threads, and for
//! exposures that are worked through integration by integration.

use std::fs;
use std::path::{Path, PathBuf};

use sifu::exec::Exec;
use sifu::formats::fits::{Element, FitsFile};
use sifu::model::{Meta, Ramp, Shape};
use sifu::steps::step::{AnyStep, Loaded, Model, RefPaths, Status, Target};
use sifu::store::products::{RampFile, read_rate};

const STEPS: &[(&str, usize)] = &[
    ("group_scale", 4),
    ("firstframe", 3),
    ("lastframe", 2),
    ("reset", 4),
    ("linearity", 6),
    ("rscd", 16),
    ("dark_current", 21),
    ("gain_scale", 4),
    ("clean_flicker_noise", 2),
    ("picture_frame", 1),
];

struct Case {
    folder: PathBuf,
    step: &'static dyn AnyStep,
    refs: RefPaths,
    params: toml::Table,
    out: FitsFile,
}

fn cases(step: &str) -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(step);
    let mut folders: Vec<_> = fs::read_dir(&root)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    folders.sort();
    let case = |folder: PathBuf| {
        let step = sifu::steps::find(step).unwrap();
        let mut refs = RefPaths::default();
        let file = folder.join("ref.fits.gz");
        for r in step.info().references {
            refs.0
                .insert(r.kind.into(), file.exists().then(|| file.clone()));
        }
        let params = fs::read_to_string(folder.join("params.toml")).unwrap_or_default();
        let out = FitsFile::open(folder.join("out.fits.gz")).unwrap();
        Case {
            folder,
            step,
            refs,
            params: params.parse().unwrap(),
            out,
        }
    };
    folders.into_iter().map(case).collect()
}

impl Case {
    fn run(
        &self,
        model: Model,
        shape: Shape,
        loaded: &mut Option<Loaded>,
        exec: &Exec,
    ) -> (Model, Status) {
        let target = Target {
            meta: model.meta().unwrap().clone(),
            shape,
            out: None,
        };
        let mut refs = || {
            if loaded.is_none() {
                *loaded = Some(self.step.load(&self.refs, &target, &self.params)?);
            }
            Ok(Loaded::clone(loaded.as_ref().unwrap()))
        };
        self.step.run(model, &self.params, &mut refs, exec).unwrap()
    }

    fn all<T: Element>(&self, name: &str) -> Vec<T> {
        self.out.all(self.out.need(name).unwrap()).unwrap()
    }

    fn check_status(&self, status: &Status) {
        let text = match status {
            Status::Complete => "COMPLETE",
            Status::Skipped(_) => "SKIPPED",
            Status::Failed(_) => "FAILED",
        };
        let header = &self.out.hdus()[0].header;
        assert_eq!(
            header.str(self.step.info().keyword),
            Some(text),
            "{}",
            self.folder.display()
        );
    }

    fn check_cards(&self, meta: &Meta) {
        let header = &self.out.hdus()[0].header;
        for name in [
            "INT1SKIP", "INT2SKIP", "INT1UGP1", "INT2UGP1", "INT1BORS", "INT2BORS", "GAINFACT",
        ] {
            let number = |v: Option<f64>| v.map(f64::to_bits);
            assert_eq!(
                number(meta.f64(name)),
                number(header.f64(name)),
                "{name} of {}",
                self.folder.display()
            );
        }
    }

    fn check_values(&self, name: &str, ours: &[f32]) {
        let theirs: Vec<f32> = self.all(name);
        assert_eq!(ours.len(), theirs.len());
        for (i, (a, b)) in ours.iter().zip(&theirs).enumerate() {
            let same = a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
            assert!(
                same,
                "{} of {}: value {i} is {a:?}, jwst has {b:?}",
                name,
                self.folder.display()
            );
        }
    }

    fn check_ramp(&self, ramp: &Ramp) {
        self.check_values("SCI", &ramp.data);
        assert_eq!(
            ramp.pixeldq,
            self.all::<u32>("PIXELDQ"),
            "PIXELDQ of {}",
            self.folder.display()
        );
        assert_eq!(
            ramp.groupdq,
            self.all::<u8>("GROUPDQ"),
            "GROUPDQ of {}",
            self.folder.display()
        );
        match &ramp.average_dark_current {
            Some(average) => self.check_values("AVDRKCUR", average),
            None => assert!(
                self.out.find("AVDRKCUR").is_none(),
                "{}",
                self.folder.display()
            ),
        }
        self.check_cards(&ramp.meta);
    }
}

fn ramp_of(model: Model) -> Ramp {
    Ramp::try_from(model).unwrap()
}

#[test]
fn every_case_agrees_to_the_bit_on_any_number_of_threads() {
    for (name, count) in STEPS {
        let cases = cases(name);
        assert_eq!(cases.len(), *count, "cases of {name}");
        for case in cases {
            let input = case.folder.join("in.fits.gz");
            for threads in [1, 2, 7] {
                let exec = Exec::new(Some(threads)).unwrap();
                if *name == "gain_scale" {
                    let rate = read_rate(&input).unwrap();
                    let shape = Shape {
                        nints: 1,
                        ngroups: 1,
                        ny: rate.ny,
                        nx: rate.nx,
                    };
                    let (model, status) = case.run(rate.into(), shape, &mut None, &exec);
                    case.check_status(&status);
                    let Model::Rate(rate) = model else {
                        panic!("no rate")
                    };
                    let planes = [&rate.sci, &rate.err, &rate.var_poisson, &rate.var_rnoise];
                    for (name, values) in ["SCI", "ERR", "VAR_POISSON", "VAR_RNOISE"]
                        .into_iter()
                        .zip(planes)
                    {
                        case.check_values(name, values);
                    }
                    assert_eq!(rate.dq, case.all::<u32>("DQ"));
                    case.check_cards(&rate.meta);
                    continue;
                }
                let mut case = Case {
                    params: case.params.clone(),
                    refs: case.refs.clone(),
                    ..case_again(&case)
                };
                let folder = tempfile::tempdir().unwrap();
                let saved = folder.path().join("dark.fits");
                if case.params.contains_key("dark_output") {
                    case.params
                        .insert("dark_output".into(), saved.display().to_string().into());
                }
                let file = RampFile::open(&input).unwrap();
                let ramp = file.read(0..file.shape.nints, None).unwrap();
                let (model, status) = case.run(ramp.into(), file.shape, &mut None, &exec);
                case.check_status(&status);
                case.check_ramp(&ramp_of(model));
                if saved.exists() {
                    check_saved(&saved, &case.folder.join("dark.fits.gz"));
                } else {
                    assert!(!case.params.contains_key("dark_output"));
                }
            }
        }
    }
}

fn case_again(case: &Case) -> Case {
    Case {
        folder: case.folder.clone(),
        step: case.step,
        refs: case.refs.clone(),
        params: case.params.clone(),
        out: FitsFile::open(case.folder.join("out.fits.gz")).unwrap(),
    }
}

fn check_saved(ours: &Path, theirs: &Path) {
    let (a, b) = (
        FitsFile::open(ours).unwrap(),
        FitsFile::open(theirs).unwrap(),
    );
    for key in ["NFRAMES", "NGROUPS", "GROUPGAP", "DATAMODL"] {
        assert_eq!(
            a.hdus()[0].header.get(key),
            b.hdus()[0].header.get(key),
            "{key}"
        );
    }
    for name in ["SCI", "DQ"] {
        let (i, j) = (a.need(name).unwrap(), b.need(name).unwrap());
        assert_eq!(a.shape(i).unwrap(), b.shape(j).unwrap());
        assert_eq!(
            a.image(i).unwrap().pixels,
            b.image(j).unwrap().pixels,
            "{name}"
        );
    }
}

#[test]
fn integration_by_integration_is_the_same() {
    let exec = Exec::new(Some(2)).unwrap();
    for (name, _) in STEPS.iter().filter(|(name, _)| *name != "gain_scale") {
        for mut case in cases(name) {
            // flags whose place depends on all integrations at once, and a file that would be saved here
            if case.folder.ends_with("rscd/saturation_with_holes")
                || case.params.contains_key("dark_output")
            {
                continue;
            }
            case.params.remove("dark_output");
            let file = RampFile::open(&case.folder.join("in.fits.gz")).unwrap();
            let mut loaded = None;
            let mut whole: Option<Ramp> = None;
            for int in 0..file.shape.nints {
                let part = file.read(int..int + 1, None).unwrap();
                let (model, status) = case.run(part.into(), file.shape, &mut loaded, &exec);
                case.check_status(&status);
                let part = ramp_of(model);
                match &mut whole {
                    None => whole = Some(part),
                    Some(whole) => {
                        whole.data = [whole.data.to_vec(), part.data.to_vec()].concat().into();
                        whole.groupdq = [whole.groupdq.to_vec(), part.groupdq.to_vec()]
                            .concat()
                            .into();
                        whole
                            .pixeldq
                            .iter_mut()
                            .zip(part.pixeldq)
                            .for_each(|(a, b)| *a |= b);
                        whole.meta = part.meta;
                    }
                }
            }
            case.check_ramp(&whole.unwrap());
        }
    }
}

#[test]
fn unknown_or_broken_references_are_errors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let file = RampFile::open(&folder.join("dark_current/match/in.fits.gz")).unwrap();
    let target = Target {
        meta: file.meta.clone(),
        shape: file.shape,
        out: None,
    };
    let other = Target {
        shape: Shape {
            ny: 4,
            ..file.shape
        },
        ..target.clone()
    };
    for (name, reference) in [
        ("reset", "linearity/groups/ref.fits.gz"),
        ("linearity", "rscd/usual/ref.fits.gz"),
        ("rscd", "linearity/groups/ref.fits.gz"),
        ("dark_current", "linearity/groups/ref.fits.gz"),
    ] {
        let step = sifu::steps::find(name).unwrap();
        let mut refs = RefPaths::default();
        assert!(
            step.load(&refs, &target, &toml::Table::new()).is_err(),
            "{name} without a reference"
        );
        refs.0.insert(
            step.info().references[0].kind.into(),
            Some(folder.join(reference)),
        );
        let error = step
            .load(&refs, &target, &toml::Table::new())
            .err()
            .map(|e| e.to_string());
        let error = error.unwrap_or_else(|| panic!("{name} took {reference}"));
        assert!(
            error.contains(reference) || error.contains("INT"),
            "{error}"
        );
    }
    for (name, case) in [("reset", "longer"), ("dark_current", "match")] {
        let step = sifu::steps::find(name).unwrap();
        let mut refs = RefPaths::default();
        refs.0.insert(
            step.info().references[0].kind.into(),
            Some(folder.join(name).join(case).join("ref.fits.gz")),
        );
        let error = step
            .load(&refs, &other, &toml::Table::new())
            .err()
            .map(|e| e.to_string())
            .unwrap();
        assert!(error.contains("subarray"), "{error}");
    }
}
