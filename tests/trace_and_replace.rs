//! adaptive_trace_model and pixel_replace against jwst's own results on small exposures
//! (`golden/adaptive_trace_model/make.py`, `golden/pixel_replace/make.py`).

use std::path::{Path, PathBuf};

use sifu::exec::Exec;
use sifu::formats::fits::{Data, FitsFile};
use sifu::model::{Cal, Shape, dq};
use sifu::steps::step::{Loaded, RefPaths, Status, Target};
use sifu::store::cal::read_cal;

fn golden(step: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(step)
}

fn read(step: &str, name: &str) -> Cal {
    read_cal(&golden(step).join(format!("{name}_cal.fits.gz"))).unwrap()
}

fn run(
    step: &str,
    cal: Cal,
    params: &toml::Table,
    threads: usize,
    out: &Path,
) -> sifu::Result<(Cal, Status)> {
    let step = sifu::steps::find(step).unwrap();
    let target = Target {
        meta: cal.meta.clone(),
        shape: Shape {
            nints: 1,
            ngroups: 1,
            ny: cal.ny,
            nx: cal.nx,
        },
        out: Some(out.into()),
    };
    let mut load = || -> sifu::Result<Loaded> { step.load(&RefPaths::default(), &target, params) };
    let exec = Exec::new(Some(threads)).unwrap();
    let (model, status) = step.run(cal.into(), params, &mut load, &exec)?;
    Ok((Cal::try_from(model)?, status))
}

/// An array of an exposure, as `f64`.
fn array(cal: &Cal, name: &str) -> Option<Vec<f64>> {
    let floats = |v: &[f32]| Some(v.iter().map(|v| f64::from(*v)).collect());
    match name {
        "SCI" => floats(&cal.sci),
        "ERR" => floats(&cal.err),
        "VAR_POISSON" => floats(&cal.var_poisson),
        "VAR_RNOISE" => floats(&cal.var_rnoise),
        "VAR_FLAT" => floats(cal.var_flat.as_ref()?),
        "DQ" => Some(cal.dq.iter().map(|v| f64::from(*v)).collect()),
        _ => cal.extra.iter().find_map(|h| match &h.data {
            Data::Image(i) if h.header.str("EXTNAME") == Some(name) => Some(i.pixels.to_f64()),
            _ => None,
        }),
    }
}

fn same(a: f64, b: f64) -> bool {
    a == b || a.is_nan() && b.is_nan()
}

fn check_file(path: &Path, what: &str, values: impl Fn(&str) -> Option<Vec<f64>>) {
    let file = FitsFile::open(path).unwrap();
    for (i, hdu) in file.hdus().iter().enumerate().skip(1) {
        let name = hdu.name();
        let theirs: Vec<f64> = file.all(i).unwrap();
        let ours = values(&name).unwrap_or_else(|| panic!("{what}: no {name}"));
        assert_eq!(ours.len(), theirs.len(), "{what} {name}");
        let off = (0..ours.len()).filter(|p| !same(ours[*p], theirs[*p]));
        let off: Vec<_> = off.map(|p| (p, ours[p], theirs[p])).collect();
        let first = &off[..off.len().min(4)];
        assert!(
            off.is_empty(),
            "{what} {name}: {} differ, {first:?}",
            off.len()
        );
    }
}

/// Every case of a step, with 1, 2 and 7 threads; `more` looks further into each result.
fn check(step: &str, more: impl Fn(&str, &Cal, &Path)) -> usize {
    let mut seen = 0;
    for entry in std::fs::read_dir(golden(step)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "toml") {
            continue;
        }
        seen += 1;
        let case = path.file_stem().unwrap().to_string_lossy().into_owned();
        let toml: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        for threads in [1, 2, 7] {
            let folder = tempfile::tempdir().unwrap();
            let cal = read(step, toml["exposure"].as_str().unwrap());
            let params = toml["params"].as_table().unwrap();
            let (ours, status) = run(step, cal, params, threads, folder.path()).unwrap();
            assert_eq!(status, Status::Complete);
            let theirs = golden(step).join(format!("{case}.fits.gz"));
            check_file(&theirs, &case, |name| array(&ours, name));
            more(&case, &ours, folder.path());
        }
    }
    seen
}

#[test]
fn replaced_pixels_are_jwsts_to_the_bit() {
    assert_eq!(check("pixel_replace", |_, _, _| {}), 5);
}

#[test]
fn trace_models_are_jwsts_to_the_bit() {
    let seen = check("adaptive_trace_model", |case, cal, folder| {
        let saved = std::fs::read_dir(folder).unwrap().count();
        if case != "twice" {
            assert_eq!(saved, 0, "{case}");
            return;
        }
        assert_eq!(saved, 4);
        for suffix in ["spline_full", "linear_interp", "spline_residual"] {
            let ours = FitsFile::open(folder.join(format!("source_{suffix}.fits"))).unwrap();
            let ours: Vec<f64> = ours.all(ours.need("SCI").unwrap()).unwrap();
            let theirs = golden("adaptive_trace_model").join(format!("twice_{suffix}.fits.gz"));
            check_file(&theirs, suffix, |_| Some(ours.clone()));
        }
        assert_eq!(cal.meta.f64("PIXAR_A2"), Some(0.02));
        // the pixel grid is finer, the places are the same
        let map = sifu::wcs::map_of(cal).unwrap();
        assert_eq!((map.ny, map.nx), (112, 100));
        let (x, y) = (24, 50);
        let old = x as f64 / 2.0 - 0.25;
        let p = y * 100 + x;
        assert_eq!(map.slice[p], 101);
        let alpha = 0.2 * (old - 10.3 - 0.031 * y as f64);
        assert!((map.alpha[p] - alpha).abs() < 1e-12);
        assert!((map.ra[p] - alpha - 150.0).abs() < 1e-9);
        assert!((map.lambda[p] - 5.05 - 1e-5 * old).abs() < 1e-12);
    });
    assert_eq!(seen, 5);
}

#[test]
fn a_trace_model_is_fitted_where_pixels_are_to_be_replaced_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let cal = read("adaptive_trace_model", "source");
    let params = "algorithm = 'trace_model'".parse().unwrap();
    let (out, _) = run("pixel_replace", cal.clone(), &params, 2, folder.path()).unwrap();
    assert_eq!(out.meta.str("S_TRCMOD"), Some("COMPLETE"));
    let estimated = |c: &Cal| c.dq.iter().filter(|d| *d & dq::FLUX_ESTIMATED != 0).count();
    assert!(estimated(&out) > 50);
    let valid = |c: &Cal| c.sci.iter().filter(|v| v.is_finite()).count();
    assert!(valid(&out) > valid(&cal));
    // one that could not be fitted is not fitted again
    let mut failed = cal.clone();
    failed.meta.primary.set("S_TRCMOD", "FAILED", "");
    let (out, _) = run("pixel_replace", failed, &params, 2, folder.path()).unwrap();
    assert!(array(&out, "TRACEMODEL").is_none());
}

#[test]
fn what_cannot_be_done_is_refused_and_nothing_valid_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let step = "adaptive_trace_model";
    let cal = read(step, "source");
    for bad in ["oversample = 0.0", "oversample = nan", "oversample = 1e9"] {
        let params = bad.parse().unwrap();
        assert!(run(step, cal.clone(), &params, 1, folder.path()).is_err());
    }
    let mut other = cal.clone();
    other.meta.primary.set("EXP_TYPE", "MIR_LRS-FIXEDSLIT", "");
    let (_, status) = run(step, other, &toml::Table::new(), 1, folder.path()).unwrap();
    assert!(matches!(status, Status::Skipped(_)));
    let twice = "oversample = 2.0".parse().unwrap();
    let (finer, _) = run(step, cal.clone(), &twice, 2, folder.path()).unwrap();
    let said = run(step, finer, &twice, 2, folder.path()).unwrap_err();
    assert!(said.to_string().contains("oversampled already"), "{said}");
    let mut none = cal.clone();
    none.wcs = None;
    assert!(run(step, none, &twice, 1, folder.path()).is_err());

    let mut empty = cal;
    empty.sci.fill(f32::NAN);
    for params in ["", "oversample = 2.0", "psf_optimal = true"] {
        let params = params.parse().unwrap();
        let (out, _) = run(step, empty.clone(), &params, 2, folder.path()).unwrap();
        assert!(out.sci.iter().all(|v| v.is_nan()));
        let trace = array(&out, "TRACEMODEL").unwrap();
        assert!(trace.iter().all(|v| v.is_nan()));
    }

    let params = "algorithm = 'fit_profile'\nn_adjacent_cols = -1"
        .parse()
        .unwrap();
    let cal = read("pixel_replace", "a");
    assert!(run("pixel_replace", cal, &params, 1, folder.path()).is_err());
}
