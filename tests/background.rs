//! bkg_subtract and badpix_selfcal on small cases made by the Python pipeline
//! (`tests/golden/make_background.py`): same bits and flags for any number of threads.

use std::fs;
use std::path::{Path, PathBuf};

use sifu::exec::Exec;
use sifu::formats::fits::FitsFile;
use sifu::model::{Cal, Observation, Shape};
use sifu::steps::step::{Model, RefPaths, Status, Target};
use sifu::store::cal::read_cal;

const STEPS: &[(&str, usize)] = &[("bkg_subtract", 4), ("badpix_selfcal", 4)];

fn read(path: &Path) -> Cal {
    read_cal(path).unwrap_or_else(|e| panic!("{e}"))
}

/// The files `<name>0.fits.gz`, `<name>1.fits.gz` and so on.
fn numbered(folder: &Path, name: &str) -> Vec<PathBuf> {
    let file = |i| folder.join(format!("{name}{i}.fits.gz"));
    (0..).map(file).take_while(|f| f.exists()).collect()
}

/// Checks arrays of a file against those given.
fn same(path: &Path, images: &[(&str, &[f32])], dq: &[u32]) {
    let file = FitsFile::open(path).unwrap();
    let bits = |v: &f32| if v.is_nan() { None } else { Some(v.to_bits()) };
    for (name, values) in images {
        let expect: Vec<f32> = file.all(file.need(name).unwrap()).unwrap();
        assert!(
            values.iter().map(bits).eq(expect.iter().map(bits)),
            "{name} of {}",
            path.display()
        );
    }
    let expect: Vec<u32> = file.all(file.need("DQ").unwrap()).unwrap();
    assert_eq!(dq, expect, "DQ of {}", path.display());
}

fn same_cal(path: &Path, cal: &Cal) {
    let images: [(&str, &[f32]); 4] = [
        ("SCI", &cal.sci),
        ("ERR", &cal.err),
        ("VAR_POISSON", &cal.var_poisson),
        ("VAR_RNOISE", &cal.var_rnoise),
    ];
    same(path, &images, &cal.dq);
}

fn check(name: &str, folder: &Path, threads: usize) {
    let step = sifu::steps::find(name).unwrap();
    let members = |n: &str| numbered(folder, n).iter().map(|p| read(p)).collect();
    let input = Observation {
        science: read(&folder.join("in.fits.gz")),
        background: members("bg"),
        selfcal: members("self"),
        imprint: Vec::new(),
    };
    let text = fs::read_to_string(folder.join("params.toml")).unwrap();
    let mut params: toml::Table = text.parse().unwrap();
    if name == "bkg_subtract" {
        params.insert("save_combined_background".into(), true.into());
    } else {
        params.insert("save_flagged_bkg".into(), true.into());
    }
    let out = tempfile::tempdir().unwrap();
    let target = Target {
        meta: input.science.meta.clone(),
        shape: Shape {
            nints: 1,
            ngroups: 1,
            ny: input.science.ny,
            nx: input.science.nx,
        },
        out: Some(out.path().into()),
    };
    let mut load = || step.load(&RefPaths::default(), &target, &params);
    let exec = Exec::new(Some(threads)).unwrap();
    let (model, status) = step
        .run(Model::from(input), &params, &mut load, &exec)
        .unwrap();
    assert_eq!(status, Status::Complete);
    let made = Observation::try_from(model).unwrap();
    same_cal(&folder.join("out.fits.gz"), &made.science);
    if name == "bkg_subtract" {
        let saved = FitsFile::open(out.path().join("in_combinedbackground.fits")).unwrap();
        let image = |n: &str| -> Vec<f32> { saved.all(saved.need(n).unwrap()).unwrap() };
        let dq: Vec<u32> = saved.all(saved.need("DQ").unwrap()).unwrap();
        let images: [(&str, &[f32]); 2] = [("SCI", &image("SCI")), ("ERR", &image("ERR"))];
        same(&folder.join("combined.fits.gz"), &images, &dq);
    } else {
        let expected = numbered(folder, "bgout");
        assert_eq!(expected.len(), made.background.len());
        for (i, path) in expected.iter().enumerate() {
            same_cal(path, &made.background[i]);
            let saved = format!("in_badpix_selfcal_bkg_{i}.fits");
            same_cal(path, &read(&out.path().join(saved)));
        }
    }
}

#[test]
fn every_case_agrees_to_the_bit_on_any_number_of_threads() {
    for (name, count) in STEPS {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden")
            .join(name);
        let cases = fs::read_dir(root).unwrap().map(|e| e.unwrap().path());
        let cases: Vec<PathBuf> = cases.collect();
        assert_eq!(cases.len(), *count, "cases of {name}");
        for case in cases {
            for threads in [1, 2, 7] {
                check(name, &case, threads);
            }
        }
    }
}
