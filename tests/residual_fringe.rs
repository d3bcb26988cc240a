//! residual_fringe against jwst's own results (`golden/make_residual_fringe.py`): an image of two slices, and
//! extracted spectra of all channels.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use sifu::exec::Exec;
use sifu::formats::fits::FitsFile;
use sifu::model::{Cal, DetectorMap, Meta, Shape};
use sifu::steps::spectral::residual_fringe::{Options, fit_1d};
use sifu::steps::step::{AnyStep, Model, RefPaths, Status, Target};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/residual_fringe")
}

/// Wavelengths, fluxes and jwst's corrected fluxes (infinite where it raises an exception).
fn spectrum(name: &str) -> [Vec<f64>; 3] {
    let text = std::fs::read_to_string(golden().join(format!("spectra_{name}.txt"))).unwrap();
    let mut out = [const { Vec::new() }; 3];
    for line in text.lines() {
        for (column, word) in out.iter_mut().zip(line.split(' ')) {
            column.push(word.parse().unwrap());
        }
    }
    out
}

fn check(name: &str, options: &Options) {
    let [wave, flux, want] = spectrum(name);
    let got = fit_1d(&flux, &wave, options);
    if want.iter().all(|v| v.is_infinite()) {
        assert!(got.is_err(), "{name}: jwst raises an exception");
        return;
    }
    let got = got.unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(got.len(), want.len());
    for (i, (got, want)) in got.iter().zip(&want).enumerate() {
        let same = got.is_nan() && want.is_nan() || (got - want).abs() <= 1e-11 * want.abs();
        assert!(same, "{name}, value {i}: {got} {want}");
    }
}

#[test]
fn spectra_are_jwsts() {
    let of = |channel| Options {
        channel,
        ..Options::default()
    };
    check("ch1", &of(Some(1)));
    check("ch2_lines", &of(Some(2)));
    check("ch3", &of(Some(3)));
    check("ch4_bad_values", &of(Some(4)));
    check("any_channel", &of(None));
    check("noise", &of(Some(1)));
    check("missing_wavelengths", &of(Some(2)));
    check("short_range", &of(Some(1)));
    check("nothing", &of(Some(1)));
    check(
        "ch3_dichroic",
        &Options {
            dichroic_only: true,
            ..of(Some(3))
        },
    );
    check(
        "ch1_max_line",
        &Options {
            clip_features: false,
            max_line: 0.2,
            max_amp: 0.05,
            ..of(Some(1))
        },
    );
    check(
        "ch2_ignore",
        &Options {
            ignore_regions: vec![(7.6, 7.7), (8.1, 8.3)],
            ..of(Some(2))
        },
    );
}

#[test]
fn the_dichroics_fringes_belong_to_channels_3_and_4() {
    let [wave, flux, _] = spectrum("ch1");
    let options = Options {
        dichroic_only: true,
        ..Options::default()
    };
    let said = fit_1d(&flux, &wave, &options).unwrap_err().to_string();
    assert!(said.contains("channels 3 and 4"), "{said}");
}

fn step() -> &'static dyn AnyStep {
    sifu::steps::find("residual_fringe").unwrap()
}

fn image(extension: &str) -> Vec<f32> {
    let file = FitsFile::open(golden().join("image.fits")).unwrap();
    file.all(file.need(extension).unwrap()).unwrap()
}

const NY: usize = 1024;
const NX: usize = 8;

fn exposure() -> Cal {
    let file = FitsFile::open(golden().join("image.fits")).unwrap();
    let mut meta = Meta {
        source: "test_photom.fits".into(),
        ..Meta::default()
    };
    for (keyword, value) in [
        ("EXP_TYPE", "MIR_MRS"),
        ("BAND", "SHORT"),
        ("DETECTOR", "MIRIFULONG"),
        ("S_FRINGE", "COMPLETE"),
    ] {
        meta.primary.set(keyword, value, "");
    }
    let zero = vec![0.0; NY * NX];
    let map = DetectorMap {
        ny: NY,
        nx: NX,
        slice: vec![0; NY * NX],
        alpha: zero.clone(),
        beta: zero.clone(),
        lambda: file.all(file.need("LAMBDA").unwrap()).unwrap(),
        ra: zero.clone(),
        dec: zero,
    };
    Cal {
        meta,
        ny: NY,
        nx: NX,
        sci: image("SCI"),
        err: image("ERR"),
        dq: file.all(file.need("DQ").unwrap()).unwrap(),
        var_poisson: vec![0.0; NY * NX],
        var_rnoise: vec![0.0; NY * NX],
        var_flat: None,
        wcs: None,
        spectral_region: None,
        map: OnceLock::from(Arc::new(map)),
        extra: Vec::new(),
    }
}

fn run(cal: Cal, params: &str, threads: usize, out: &Path) -> sifu::Result<Cal> {
    let params: toml::Table = params.parse().unwrap();
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
    let mut paths = RefPaths::default();
    for (kind, name) in [
        ("fringefreq", "fringefreq.fits"),
        ("regions", "regions.asdf"),
    ] {
        paths.0.insert(kind.into(), Some(golden().join(name)));
    }
    let mut load = || step().load(&paths, &target, &params);
    let exec = Exec::new(Some(threads))?;
    let (model, status) = step().run(Model::from(cal), &params, &mut load, &exec)?;
    assert_eq!(status, Status::Complete);
    Cal::try_from(model)
}

fn same(got: &[f32], want: &[f32]) {
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let (y, x) = (i / NX, i % NX);
        // rounding in double precision shows in the last bit of a few values
        let close = (got - want).abs() <= 1.2e-7 * want.abs();
        assert!(
            got.is_nan() && want.is_nan() || close,
            "{y} {x}: {got} {want}"
        );
    }
}

#[test]
fn an_image_is_jwsts_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let one = run(exposure(), "", 1, folder.path()).unwrap();
    same(&one.sci, &image("PLAIN"));
    assert_eq!(one.dq, exposure().dq);
    for threads in [2, 7] {
        let many = run(exposure(), "", threads, folder.path()).unwrap();
        let bits = |c: &Cal| c.sci.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&many), bits(&one));
    }
    let ignore = "ignore_region_min = [12.0, 18.5]\nignore_region_max = [12.4, 18.9]";
    let ignoring = run(exposure(), ignore, 2, folder.path()).unwrap();
    same(&ignoring.sci, &image("IGNORE"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn intermediate_results_are_saved() {
    let folder = tempfile::tempdir().unwrap();
    let params = "save_intermediate_results = true";
    let out = run(exposure(), params, 2, folder.path()).unwrap();
    let file = FitsFile::open(folder.path().join("test_fit_results.fits")).unwrap();
    let plane = |name: &str| -> Vec<f64> { file.all(file.need(name).unwrap()).unwrap() };
    let (factors, mask) = (plane("RFC_FACTORS"), plane("FIT_MASK"));
    let before = exposure();
    for i in (0..NY * NX).filter(|i| mask[*i] == 1.0 && out.sci[*i].is_finite()) {
        let want = f64::from(before.sci[i]) * factors[i];
        assert!((f64::from(out.sci[i]) / want - 1.0).abs() < 1e-6);
    }
    let corrected = |x: &usize| (0..NY).any(|y| mask[y * NX + x] == 1.0);
    assert_eq!((0..NX).filter(corrected).collect::<Vec<_>>(), [1, 2, 5]);
    let table = std::fs::read_to_string(folder.path().join("test_out_table.ecsv")).unwrap();
    // two components and the last line for each of three columns
    assert_eq!(
        table.lines().filter(|l| l.starts_with(['3', '4'])).count(),
        9
    );
    assert!(folder.path().join("test_stat_table.ecsv").exists());
}

#[test]
fn what_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let said = |cal: Cal, params: &str| {
        let e = run(cal, params, 1, folder.path()).map(|_| ()).unwrap_err();
        e.to_string()
    };
    let mut cal = exposure();
    cal.meta.primary.set("S_FRINGE", "SKIPPED", "");
    assert!(said(cal, "").contains("fringe"));
    let e = said(exposure(), "ignore_region_min = [1.0]");
    assert!(e.contains("ignore_region_max"), "{e}");
    let mut cal = exposure();
    cal.meta.primary.set("DETECTOR", "MIRIFUSHORT", "");
    assert!(said(cal, "").contains("channel 1"));
}

#[test]
fn images_without_a_good_pixel() {
    let folder = tempfile::tempdir().unwrap();
    for (value, flags) in [
        (f32::NAN, 0),
        (f32::INFINITY, 0),
        (-1.0, 0),
        (1.0, u32::MAX),
    ] {
        let mut cal = exposure();
        cal.sci.fill(value);
        cal.err.fill(value);
        cal.dq.iter_mut().for_each(|d| *d |= flags);
        let before = cal.dq.clone();
        let out = run(cal, "", 2, folder.path()).unwrap();
        assert_eq!(out.dq, before);
        assert!(out.sci.iter().all(|v| v.is_nan() || *v == value));
    }
}
