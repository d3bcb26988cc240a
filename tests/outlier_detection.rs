//! outlier_detection against jwst's own results on small exposures (`golden/outlier_detection/make.py`).

use std::path::{Path, PathBuf};

use sifu::exec::Exec;
use sifu::formats::fits::FitsFile;
use sifu::model::{Cal, Exposures, Shape, dq};
use sifu::steps::step::{AnyStep, Loaded, RefPaths, Status, Target};
use sifu::store::cal::read_cal;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/outlier_detection")
}

fn step() -> &'static dyn AnyStep {
    sifu::steps::find("outlier_detection").unwrap()
}

fn read(name: &str) -> Cal {
    read_cal(&golden().join(format!("{name}_cal.fits.gz"))).unwrap()
}

fn run(
    science: Vec<Cal>,
    params: &toml::Table,
    threads: usize,
    out: &Path,
) -> sifu::Result<(Exposures, Status)> {
    let target = Target {
        meta: science[0].meta.clone(),
        shape: Shape {
            nints: 1,
            ngroups: 1,
            ny: science[0].ny,
            nx: science[0].nx,
        },
        out: Some(out.into()),
    };
    let mut load =
        || -> sifu::Result<Loaded> { step().load(&RefPaths::default(), &target, params) };
    let exec = Exec::new(Some(threads)).unwrap();
    let input = Exposures {
        science,
        background: Vec::new(),
    };
    let (model, status) = step().run(input.into(), params, &mut load, &exec)?;
    Ok((Exposures::try_from(model)?, status))
}

fn image<T: sifu::formats::fits::Element>(path: &Path, name: &str) -> Vec<T> {
    let file = FitsFile::open(path).unwrap();
    file.all(file.need(name).unwrap()).unwrap()
}

fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
}

#[test]
fn every_case_is_jwsts_to_the_bit_on_any_number_of_threads() {
    let mut seen = 0;
    for entry in std::fs::read_dir(golden()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "toml") {
            continue;
        }
        seen += 1;
        let case = path.file_stem().unwrap().to_string_lossy().into_owned();
        let toml: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        let names: Vec<&str> = toml["exposures"]
            .as_array()
            .unwrap()
            .iter()
            .map(|n| n.as_str().unwrap())
            .collect();
        let params = toml["params"].as_table().unwrap();
        for threads in [1, 2, 7] {
            let folder = tempfile::tempdir().unwrap();
            let input: Vec<Cal> = names.iter().map(|n| read(n)).collect();
            let (ours, status) = run(input, params, threads, folder.path()).unwrap();
            assert_eq!(status, Status::Complete);
            for (name, cal) in names.iter().zip(&ours.science) {
                let flags: Vec<u32> = image(&golden().join(format!("{case}_{name}.fits.gz")), "DQ");
                assert_eq!(cal.dq, flags, "{case} {name}");
                let before = read(name);
                for (values, old) in [
                    (&cal.sci, &before.sci),
                    (&cal.err, &before.err),
                    (&cal.var_poisson, &before.var_poisson),
                    (&cal.var_rnoise, &before.var_rnoise),
                    (
                        cal.var_flat.as_ref().unwrap(),
                        before.var_flat.as_ref().unwrap(),
                    ),
                ] {
                    for (p, (v, old)) in values.iter().zip(old).enumerate() {
                        let bad = flags[p] & dq::DO_NOT_USE != 0;
                        let expect = if bad { f32::NAN } else { *old };
                        assert!(same(*v, expect), "{case} {name}: value {p} is {v:?}");
                    }
                }
            }
            check_saved(&case, folder.path());
        }
    }
    assert_eq!(seen, 5);
}

fn check_saved(case: &str, folder: &Path) {
    let theirs = golden().join(format!("{case}_output.fits.gz"));
    let ours = folder.join("a_mirifushort_outlier_output.fits");
    assert_eq!(ours.exists(), theirs.exists(), "{case}");
    assert_eq!(
        std::fs::read_dir(folder).unwrap().count(),
        usize::from(theirs.exists())
    );
    if !theirs.exists() {
        return;
    }
    for name in ["DIFFARR", "MINARR", "NORMARR", "MINNORM"] {
        let (a, b): (Vec<f32>, Vec<f32>) = (image(&ours, name), image(&theirs, name));
        assert_eq!(a.len(), b.len());
        assert!(a.iter().zip(&b).all(|(a, b)| same(*a, *b)), "{name}");
    }
    let header = |path: &Path| FitsFile::open(path).unwrap().hdus()[0].header.clone();
    let (ours, theirs) = (header(&ours), header(&theirs));
    for keyword in ["KERNXSZ", "KERNYSZ", "THRSPRC"] {
        assert_eq!(ours.f64(keyword), theirs.f64(keyword), "{keyword}");
    }
}

#[test]
fn what_cannot_be_compared_is_skipped_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let none = toml::Table::new();
    let (_, status) = run(vec![read("a")], &none, 1, folder.path()).unwrap();
    assert!(matches!(status, Status::Failed(why) if why.contains("1 exposures")));

    let mut other = read("b");
    other.meta.primary.set("EXP_TYPE", "MIR_IMAGE", "");
    let (out, status) = run(vec![read("a"), other], &none, 1, folder.path()).unwrap();
    assert!(matches!(status, Status::Failed(why) if why.contains("MIR_IMAGE")));
    assert_eq!(out.science[0].dq, read("a").dq);

    let mut small = read("b");
    small.ny -= 1;
    let said = run(vec![read("a"), small], &none, 1, folder.path()).unwrap_err();
    assert!(said.to_string().contains("39 x 36"), "{said}");

    for bad in [
        "kernel_size = '7'",
        "kernel_size = '7 x'",
        "kernel_size = '-3 7'",
        "threshold_percent = 100.5",
        "kernel = 'lanczos'",
    ] {
        let params: toml::Table = bad.parse().unwrap();
        let said = run(vec![read("a"), read("b")], &params, 1, folder.path());
        assert!(said.is_err(), "{bad}");
    }
}

#[test]
fn nothing_valid_is_no_outlier() {
    let folder = tempfile::tempdir().unwrap();
    let mut cals = vec![read("a"), read("b")];
    cals.iter_mut().for_each(|c| c.sci.fill(f32::NAN));
    let (out, status) = run(cals, &toml::Table::new(), 2, folder.path()).unwrap();
    assert_eq!(status, Status::Complete);
    let flags = out.science.iter().flat_map(|c| &c.dq);
    assert!(
        flags
            .clone()
            .all(|f| f & dq::OUTLIER == 0 && f & dq::DO_NOT_USE != 0)
    );
}
