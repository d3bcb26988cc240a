//! The simulated observation: the same bits everywhere, complete references, consistent files.

use std::path::{Path, PathBuf};

use sifu::exec::Exec;
use sifu::formats::asdf::{AsdfFile, Node};
use sifu::formats::fits::FitsFile;
use sifu::model::Meta;
use sifu::simulate::exposure::{Light, Readout};
use sifu::simulate::observation::exposures;
use sifu::simulate::optics::Optics;
use sifu::simulate::pixels::Pixels;
use sifu::simulate::random::{Stream, label};
use sifu::simulate::references::transforms;
use sifu::simulate::response::Flat;
use sifu::simulate::scene::Scene;
use sifu::simulate::{Band, Detector, Options, ReadPattern, cosmic, simulate_miri};
use sifu::store::crds::{Cache, sha1};

/// Rows 508 to 515 of an exposure, counts and count rates, as bytes.
fn strip(detector: Detector) -> Vec<u8> {
    let options = Options::default();
    let e = &exposures(&options, false)[detector as usize];
    assert_eq!(e.setup.detector, detector);
    let pixels = Pixels::new(options.seed, detector, ReadPattern::FastR1);
    let optics = Optics::new(detector, Band::Short);
    let scene = Scene::new(&e.sight(), 1.0);
    let flat = Flat::new(options.seed, &format!("{} SHORT", detector.name()));
    let light = Light::new(e, &optics, &scene, &flat);
    let mut rng = Stream::new(options.seed, &e.labels(label("cosmic rays")));
    let hits = cosmic::hits(
        &mut rng,
        e.integrations,
        e.groups,
        e.setup.pattern.frame_time(),
    );
    let readout = Readout::new(e, &pixels, options.seed);
    let mut bytes = Vec::new();
    for (y, hits) in hits.iter().enumerate().take(516).skip(508) {
        let rate = light.row(y);
        bytes.extend(rate.iter().flat_map(|r| r.to_le_bytes()));
        bytes.extend(
            readout
                .row(y, &rate, hits)
                .iter()
                .flat_map(|c| c.to_le_bytes()),
        );
    }
    bytes
}

/// The digests were taken once; another machine, compiler or optimisation must give the same.
#[test]
fn counts_are_the_same_bits_everywhere() {
    for (detector, digest) in [
        (
            Detector::IfuShort,
            "8672a8b2f648468548b5442a687048a805f830f8",
        ),
        (
            Detector::IfuLong,
            "a660aefb136259e2d1f3114c6cc3be66d79d7926",
        ),
    ] {
        assert_eq!(
            sha1::hex_digest(&strip(detector)),
            digest,
            "{}",
            detector.name()
        );
    }
}

fn simulate(folder: &Path, threads: usize) -> sifu::simulate::Summary {
    let options = Options {
        groups: 2,
        integrations: 1,
        dithers: 1,
        seed: 5,
        ..Options::default()
    };
    simulate_miri(
        &options,
        folder,
        &Exec::new(Some(threads)).unwrap(),
        &|_| (),
    )
    .unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(files(&path))
        } else {
            out.push(path)
        }
    }
    out.sort();
    out
}

#[test]
fn files_do_not_depend_on_threads_and_references_are_complete() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let made = simulate(a.path(), 1);
    simulate(b.path(), 3);
    let (one, three) = (files(a.path()), files(b.path()));
    assert_eq!(one.len(), three.len());
    for (x, y) in one.iter().zip(&three) {
        assert_eq!(
            x.strip_prefix(a.path()).unwrap(),
            y.strip_prefix(b.path()).unwrap()
        );
        assert!(
            std::fs::read(x).unwrap() == std::fs::read(y).unwrap(),
            "{} differs",
            x.display()
        );
    }

    // the rules (checksums verified) choose existing files for every exposure
    let cache = Cache::open(&made.crds, None).unwrap();
    assert_eq!(cache.context(), made.context);
    for path in &made.science {
        let file = FitsFile::open(path).unwrap();
        let meta = Meta {
            source: path.clone(),
            primary: file.hdu(0).unwrap().header,
            sci: file.hdu(file.need("SCI").unwrap()).unwrap().header,
            history: None,
        };
        let best = cache
            .best_references(
                &meta.crds_parameters(),
                &[NEEDED, &["ipc", "superbias"]].concat(),
            )
            .unwrap();
        best.check(&cache).unwrap();
        for kind in NEEDED {
            let chosen = best
                .file(kind)
                .unwrap_or_else(|| panic!("{kind} has no file"));
            assert!(chosen.exists, "{kind}");
        }
        assert!(best.file("ipc").is_none());
        check_exposure(&file, &meta);
    }
}

/// Every reference type that the detector stage and both spectral stages take for the spectrometer.
const NEEDED: &[&str] = &[
    "mask",
    "saturation",
    "reset",
    "linearity",
    "rscd",
    "dark",
    "gain",
    "readnoise",
    "emicorr",
    "pars-jumpstep",
    "distortion",
    "specwcs",
    "regions",
    "wavelengthrange",
    "flat",
    "fringe",
    "photom",
    "mrsxartcorr",
    "cubepar",
    "extract1d",
    "apcorr",
    "mrsptcorr",
    "fringefreq",
];

/// Value of a polynomial of a reference file, behind the shift of one of its arguments.
fn evaluate(model: &Node, first: f64, second: f64) -> f64 {
    let steps = model.child("forward").and_then(Node::as_sequence).unwrap();
    let arms = steps[0]
        .child("forward")
        .and_then(Node::as_sequence)
        .unwrap();
    let moved = |arm: &Node, v: f64| v + arm.child("offset").and_then(Node::as_f64).unwrap_or(0.0);
    let (x, y) = (moved(&arms[0], first), moved(&arms[1], second));
    let c = steps[1]
        .child("coefficients")
        .and_then(Node::as_array)
        .unwrap();
    let n = c.shape()[0];
    let values: Vec<f64> = c.to_vec().unwrap();
    (0..n)
        .flat_map(|i| (0..n).map(move |j| (i, j)))
        .map(|(i, j)| values[i * n + j] * x.powi(i as i32) * y.powi(j as i32))
        .sum()
}

/// The transforms in the files are those the light went through, there and back.
#[test]
fn transforms_in_the_files_are_those_of_the_optics() {
    let folder = tempfile::tempdir().unwrap();
    let optics = Optics::new(Detector::IfuLong, Band::Medium);
    for (_, write) in transforms::files(folder.path(), &optics) {
        write().unwrap();
    }
    let open = |kind: &str| {
        AsdfFile::open(folder.path().join(format!("jwst_miri_{kind}_7202.asdf"))).unwrap()
    };
    let (distortion, specwcs, regions) = (open("distortion"), open("specwcs"), open("regions"));
    let list =
        |file: &AsdfFile, key: &str| file.require(key).unwrap().as_sequence().unwrap().to_vec();
    let (alpha, x, y) = (
        list(&distortion, "alpha_model"),
        list(&distortion, "x_model"),
        list(&distortion, "y_model"),
    );
    let wave = list(&specwcs, "model");
    let masks: Vec<i32> = regions.require_array("regions").unwrap().to_vec().unwrap();
    for row in [3, 700] {
        for (column, pixel) in optics.row(row).iter().enumerate() {
            let plane = 1024 * 1032;
            let at80 = masks[7 * plane + row * 1032 + column];
            let Some(p) = pixel else {
                assert_eq!(at80, 0);
                continue;
            };
            let number = optics.slices[p.slice].number as i32;
            assert_eq!(at80, if p.transmission >= 0.8 { number } else { 0 });
            let (fx, fy) = (column as f64, row as f64);
            assert!((evaluate(&alpha[p.slice], fy, fx) - p.alpha).abs() < 1e-9);
            assert!((evaluate(&wave[p.slice], fy, fx) - p.wave).abs() < 1e-9);
            assert!((evaluate(&x[p.slice], p.wave, p.alpha) - fx).abs() < 2e-3);
            assert!((evaluate(&y[p.slice], p.wave, p.alpha) - fy).abs() < 5e-3);
        }
    }
}

#[test]
fn the_program_refuses_a_folder_in_use_and_impossible_options() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine.txt"), "keep").unwrap();
    let run = |args: &[&str]| {
        assert_cmd::Command::cargo_bin("sifu")
            .unwrap()
            .args(args)
            .assert()
    };
    let used = folder.path().display().to_string();
    run(&["simulate", "miri", "-o", &used]).code(2);
    run(&["demo", &used]).code(2);
    let fresh = folder.path().join("new").display().to_string();
    run(&["simulate", "miri", "-o", &fresh, "--groups", "0"]).code(2);
    run(&["simulate", "miri", "-o", &fresh, "--band", "HUGE"]).code(2);
    run(&["simulate", "nircam", "-o", &fresh]).code(2);
    assert_eq!(files(folder.path()).len(), 1);
}

/// Structure of a level-1b file, and its metadata tree against its headers.
fn check_exposure(file: &FitsFile, meta: &Meta) {
    let names: Vec<String> = file.hdus().iter().map(|h| h.name()).collect();
    assert_eq!(
        names[1..],
        [
            "SCI",
            "MOVING_TARGET_POSITION",
            "REFOUT",
            "GROUP",
            "INT_TIMES",
            "ASDF"
        ]
    );
    let sci = file.need("SCI").unwrap();
    assert_eq!(file.shape(sci).unwrap(), [1, 2, 1024, 1032]);
    assert_eq!(
        file.shape(file.need("REFOUT").unwrap()).unwrap(),
        [1, 2, 256, 1032]
    );
    let counts = file.all::<u16>(sci).unwrap();
    let dark = counts.iter().filter(|c| **c > 7000 && **c < 12_000).count();
    assert!(dark > counts.len() / 2, "most pixels see little light");

    let table = file
        .table(file.need("MOVING_TARGET_POSITION").unwrap())
        .unwrap();
    assert_eq!(table.nrows, 3);
    assert_eq!(table.number("mt_apparent_RA", 1), meta.f64("MT_RA"));
    let groups = file.table(file.need("GROUP").unwrap()).unwrap();
    assert_eq!(groups.nrows, 2);
    assert_eq!(groups.number("number_of_columns", 1), Some(1032.0));

    let bytes = file
        .table(file.need("ASDF").unwrap())
        .unwrap()
        .bytes("ASDF_METADATA", 0)
        .unwrap()
        .to_vec();
    let tree = AsdfFile::from_bytes(bytes, "tree").unwrap();
    assert_eq!(
        tree.require_str("meta.instrument.detector").unwrap(),
        meta.str("DETECTOR").unwrap()
    );
    assert_eq!(
        tree.require_str("meta.observation.program_number").unwrap(),
        "99001"
    );
    assert_eq!(
        tree.require_f64("meta.wcsinfo.ra_ref").unwrap(),
        meta.f64("RA_REF").unwrap()
    );
}
