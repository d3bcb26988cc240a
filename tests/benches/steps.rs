//! Times of every step of stages 1 and 2, of loading its references, of reading and writing, and of cubes of an exposure in
//! several versions, on a simulated full-frame exposure (2 integrations of 6 groups). `cargo bench`, or `cargo bench -- jump`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use divan::Bencher;
use sifu::exec::Exec;
use sifu::model::{Cal, Observation, Rate};
use sifu::pipeline::recipe::detector1::MIRI;
use sifu::pipeline::recipe::spec2::{self, CUBES, MRS};
use sifu::pipeline::run::{Prepared, prepare};
use sifu::pipeline::settings::Settings;
use sifu::simulate::{Detector, Options, simulate_miri};
use sifu::steps::find;
use sifu::steps::step::{AnyStep, Loaded, Model, RefPaths, Target};
use sifu::store::products::{RampFile, write_rate};
use sifu::store::references::{CrdsReferences, Overrides};

struct Bench {
    folder: tempfile::TempDir,
    uncal: PathBuf,
    exec: Exec,
    target: Target,
    /// Model before each step, and the step's files.
    inputs: BTreeMap<&'static str, (Model, RefPaths)>,
    rate: Rate,
}

fn main() {
    divan::main();
}

/// The exposure, made once, and what every step is given.
fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let folder = tempfile::tempdir().expect("folder");
        let exec = Exec::new(Some(1)).expect("threads");
        let options = Options {
            detectors: vec![Detector::IfuLong],
            dithers: 1,
            groups: 6,
            integrations: 2,
            ..Options::default()
        };
        let made = simulate_miri(&options, folder.path(), &exec, &|_| {}).expect("simulated");
        let uncal = made.science[0].clone();
        let file = RampFile::open(&uncal).expect("opened");
        let target = Target {
            meta: file.meta.clone(),
            shape: file.shape,
            out: None,
        };
        let model = Model::from(file.read(0..file.shape.nints, None).expect("read"));
        let references =
            CrdsReferences::new(Some(&made.crds), Some(&made.context), Overrides::default())
                .expect("cache");
        let steps: Vec<_> = MIRI.iter().filter_map(|n| find(n)).collect();
        // steps that are off by default are timed too
        let on: Vec<String> = MIRI.iter().map(|n| format!("{n}.skip=false")).collect();
        let settings = Settings::default()
            .assignments(on.iter().map(String::as_str))
            .expect("settings");
        let prepared =
            prepare(None, &steps, &target.meta, &settings, &references).expect("references");
        let mut inputs = BTreeMap::new();
        let model = go(model, &prepared, &target, &mut inputs, &exec);
        let Model::Fit(fit) = model else {
            panic!("no rates")
        };
        let observation = Observation::alone(Cal::from_rate(fit.rate.clone()).expect("rates"));
        let settings = Settings::default();
        let prepared = spec2::prepared(&target.meta, &settings, &references).expect("references");
        go(observation.into(), &prepared, &target, &mut inputs, &exec);
        Bench {
            folder,
            uncal,
            exec,
            target,
            inputs,
            rate: fit.rate,
        }
    })
}

/// Runs steps, and keeps what each is given.
fn go(
    mut model: Model,
    prepared: &[Prepared],
    target: &Target,
    inputs: &mut BTreeMap<&'static str, (Model, RefPaths)>,
    exec: &Exec,
) -> Model {
    for p in prepared {
        let info = p.step.info();
        let before = match &model {
            Model::Fit(fit) => Model::from(fit.rate.clone()),
            other => other.clone(),
        };
        inputs.insert(info.name, (before, p.paths.clone()));
        let usable = info
            .references
            .iter()
            .all(|r| !r.required || p.paths.get(r.kind).is_some());
        if !info.skip && usable && !matches!(model, Model::Fit(_)) {
            let mut load = || p.step.load(&p.paths, target, &toml::Table::new());
            model = p
                .step
                .run(model, &toml::Table::new(), &mut load, exec)
                .expect("step")
                .0;
        }
        if let (Model::Observation(o), "bkg_subtract") = (&model, info.name) {
            model = o.science.clone().into();
        }
    }
    model
}

/// A step's input and references; none where no reference applies, and the step is skipped.
fn given(name: &str) -> Option<(&'static Model, &'static dyn AnyStep, Loaded)> {
    let b = bench();
    let (model, paths) = b.inputs.get(name)?;
    let step = find(name).expect("step");
    let needs = step.info().references.iter();
    if needs
        .clone()
        .any(|r| r.required && paths.get(r.kind).is_none())
    {
        return None;
    }
    let loaded = step.load(paths, &b.target, &toml::Table::new());
    Some((model, step, loaded.expect("references")))
}

fn timed(bencher: Bencher, name: &str) {
    let Some((model, step, loaded)) = given(name) else {
        return;
    };
    bencher.with_inputs(|| model.clone()).bench_values(|model| {
        step.run(
            model,
            &toml::Table::new(),
            &mut || Ok(Loaded::clone(&loaded)),
            &bench().exec,
        )
        .expect("runs")
    });
}

#[divan::bench(args = MIRI, sample_count = 20)]
fn run(bencher: Bencher, name: &str) {
    timed(bencher, name);
}

#[divan::bench(args = MRS, sample_count = 10)]
fn run_spec2(bencher: Bencher, name: &str) {
    timed(bencher, name);
}

#[divan::bench(args = CUBES, sample_count = 10)]
fn run_cubes(bencher: Bencher, name: &str) {
    timed(bencher, name);
}

/// Cubes of an exposure and of others of its pointing: what a further one costs.
#[divan::bench(args = [1, 2, 3], sample_count = 10)]
fn cubes_of(bencher: Bencher, versions: usize) {
    let (model, step, loaded) = given("cube_build").expect("cube_build");
    bencher
        .with_inputs(|| vec![model.clone(); versions])
        .bench_values(|models| {
            step.run_alike(
                models,
                &toml::Table::new(),
                &mut || Ok(Loaded::clone(&loaded)),
                &bench().exec,
            )
            .expect("runs")
        });
}

#[divan::bench(args = MIRI, sample_count = 20)]
fn load(bencher: Bencher, name: &str) {
    let b = bench();
    let paths = &b.inputs[name].1;
    let step = find(name).expect("step");
    if step
        .info()
        .references
        .iter()
        .any(|r| r.required && paths.get(r.kind).is_none())
    {
        return;
    }
    bencher.bench(|| {
        step.load(paths, &b.target, &toml::Table::new())
            .expect("references")
    });
}

#[divan::bench(sample_count = 20)]
fn read_uncal(bencher: Bencher) {
    let b = bench();
    bencher.bench(|| {
        let file = RampFile::open(&b.uncal).expect("opened");
        file.read(0..file.shape.nints, None).expect("read")
    });
}

#[divan::bench(sample_count = 20)]
fn write_rate_product(bencher: Bencher) {
    let b = bench();
    let path = b.folder.path().join("bench_rate.fits");
    bencher.bench(|| write_rate(&path, &b.rate, &[]).expect("written"));
}
