//! The simulated NIRSpec observation: the same bits everywhere, complete references, and reductions that give back what went in.

use std::path::{Path, PathBuf};

use sifu::exec::Exec;
use sifu::formats::asdf::AsdfFile;
use sifu::formats::fits::FitsFile;
use sifu::model::Meta;
use sifu::model::irs2::ScienceRows;
use sifu::simulate::nirspec::observation::exposures;
use sifu::simulate::nirspec::pixels::Pixels;
use sifu::simulate::nirspec::readout::Readout;
use sifu::simulate::nirspec::response::{Flat, sensitivity};
use sifu::simulate::nirspec::{Detector, Grating, Mode, Options, ReadPattern, simulate_nirspec};
use sifu::simulate::random::{Stream, label};
use sifu::simulate::scene::Scene;
use sifu::simulate::{Summary, cosmic};
use sifu::store::crds::{Cache, sha1};

/// One exposure of one detector with the prism.
fn options(groups: usize) -> Options {
    Options {
        groups,
        dithers: 1,
        seed: 5,
        ..Options::new(vec![Mode::of(Grating::Prism, None).unwrap()])
    }
}

fn simulate(folder: &Path, groups: usize, threads: usize) -> Summary {
    let exec = Exec::new(Some(threads)).unwrap();
    simulate_nirspec(&options(groups), folder, &exec, &|_| ()).unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(files(&path));
        } else {
            out.push(path);
        }
    }
    out.sort();
    out
}

/// Rows 1400 to 1407 of an exposure of the scene along a line, as bytes.
fn strip(detector: Detector) -> Vec<u8> {
    let options = Options::new(vec![Mode::of(Grating::G395h, None).unwrap()]);
    let e = &exposures(&options, false)[detector as usize];
    assert_eq!(e.setup.detector, detector);
    let pixels = Pixels::new(options.seed, detector);
    let scene = Scene::near_infrared(&e.sight(), 1.0);
    let mut rng = Stream::new(options.seed, &e.labels(label("cosmic rays")));
    let hits = cosmic::near_infrared(&mut rng, (1, 5), 10.736_76, 2048, 4);
    let readout = Readout::new(e, &pixels, options.seed);
    let mut bytes = Vec::new();
    for (y, hits) in hits.iter().enumerate().take(1408).skip(1400) {
        let at = |x: usize| {
            let wave = 2.9 + 2.3 * x as f64 / 2048.0;
            let radiance = scene.radiance(0.1 * (y as f64 - 1400.0), 0.3, wave);
            (radiance * sensitivity(&e.setup.mode, 7, wave)) as f32
        };
        let rate: Vec<f32> = (0..2048).map(at).collect();
        bytes.extend(rate.iter().flat_map(|r| r.to_le_bytes()));
        let counts = readout.row(y, &rate, hits);
        bytes.extend(counts.iter().flat_map(|c| c.to_le_bytes()));
    }
    bytes
}

/// The digest was taken once; another machine, compiler or optimisation must give the same.
#[test]
fn counts_are_the_same_bits_everywhere() {
    let digest = "cc56480c84b2c99d41dc73ec21aa5683743d69a8";
    assert_eq!(sha1::hex_digest(&strip(Detector::Nrs1)), digest);
    assert_ne!(sha1::hex_digest(&strip(Detector::Nrs2)), digest);
}

/// Every reference type that the detector stage and both spectral stages take for the integral-field unit.
const NEEDED: &[&str] = &[
    "mask",
    "saturation",
    "superbias",
    "linearity",
    "dark",
    "gain",
    "readnoise",
    "pars-jumpstep",
    "camera",
    "chromcorr",
    "collimator",
    "disperser",
    "fore",
    "fpa",
    "ifufore",
    "ifupost",
    "ifuslicer",
    "msa",
    "msaoper",
    "ote",
    "wavelengthrange",
    "dflat",
    "fflat",
    "sflat",
    "pathloss",
    "photom",
    "area",
    "cubepar",
    "extract1d",
    "apcorr",
    "pars-outlierdetectionstep",
];

#[test]
fn files_do_not_depend_on_threads_and_references_are_complete() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let made = simulate(a.path(), 2, 1);
    simulate(b.path(), 2, 3);
    let (one, three) = (files(a.path()), files(b.path()));
    assert_eq!(one.len(), three.len());
    for (x, y) in one.iter().zip(&three) {
        assert_eq!(
            x.strip_prefix(a.path()).unwrap(),
            y.strip_prefix(b.path()).unwrap()
        );
        let same = std::fs::read(x).unwrap() == std::fs::read(y).unwrap();
        assert!(same, "{} differs", x.display());
    }

    // the rules (checksums verified) choose existing files
    let cache = Cache::open(&made.crds, None).unwrap();
    assert_eq!(cache.context(), made.context);
    let [path] = &made.science[..] else {
        panic!("one exposure: NRS2 is dark")
    };
    let file = FitsFile::open(path).unwrap();
    let meta = Meta {
        source: path.clone(),
        primary: file.hdu(0).unwrap().header,
        sci: file.hdu(file.need("SCI").unwrap()).unwrap().header,
        history: None,
    };
    let none = ["ipc", "refpix", "sirskernel", "flat", "reset"];
    let best = cache
        .best_references(&meta.crds_parameters(), &[NEEDED, &none].concat())
        .unwrap();
    best.check(&cache).unwrap();
    for kind in NEEDED {
        let chosen = best
            .file(kind)
            .unwrap_or_else(|| panic!("{kind} has no file"));
        assert!(chosen.exists, "{kind}");
    }
    for kind in none {
        assert!(best.file(kind).is_none(), "{kind}");
    }
    check_exposure(&file, &meta);
}

/// Structure of a level-1b file, its keywords, and its metadata tree against its headers.
fn check_exposure(file: &FitsFile, meta: &Meta) {
    let names: Vec<String> = file.hdus().iter().map(|h| h.name()).collect();
    let expected = [
        "SCI",
        "MOVING_TARGET_POSITION",
        "GROUP",
        "INT_TIMES",
        "ASDF",
    ];
    assert_eq!(names[1..], expected);
    let sci = file.need("SCI").unwrap();
    assert_eq!(file.shape(sci).unwrap(), [1, 2, 2048, 2048]);
    for (key, value) in [
        ("INSTRUME", "NIRSPEC"),
        ("DETECTOR", "NRS1"),
        ("FILTER", "CLEAR"),
        ("GRATING", "PRISM"),
        ("EXP_TYPE", "NRS_IFU"),
        ("READPATT", "NRSRAPID"),
        ("SUBARRAY", "FULL"),
        ("TARGTYPE", "MOVING"),
        ("APERNAME", "NRS_FULL_IFU"),
    ] {
        assert_eq!(meta.str(key), Some(value), "{key}");
    }
    for (key, value) in [
        ("FASTAXIS", 2),
        ("SLOWAXIS", 1),
        ("NFRAMES", 1),
        ("VPARITY", -1),
    ] {
        assert_eq!(meta.i64(key), Some(value), "{key}");
    }
    for key in [
        "GWA_XTIL", "GWA_YTIL", "GWA_TILT", "MT_RA", "VELOSYS", "PA_V3",
    ] {
        assert!(meta.f64(key).is_some(), "{key}");
    }
    let bytes = file
        .table(file.need("ASDF").unwrap())
        .unwrap()
        .bytes("ASDF_METADATA", 0)
        .unwrap()
        .to_vec();
    let tree = AsdfFile::from_bytes(bytes, "tree").unwrap();
    let text = |key: &str| tree.require_str(key).unwrap();
    assert_eq!(text("meta.instrument.grating"), "PRISM");
    assert_eq!(
        tree.require_f64("meta.instrument.gwa_xtilt").unwrap(),
        meta.f64("GWA_XTIL").unwrap()
    );
    assert_eq!(
        tree.require_f64("meta.wcsinfo.ra_ref").unwrap(),
        meta.f64("RA_REF").unwrap()
    );
}

fn sifu(args: &[&str]) -> assert_cmd::assert::Assert {
    assert_cmd::Command::cargo_bin("sifu")
        .unwrap()
        .args(args)
        .assert()
}

fn plane(path: &Path, name: &str) -> Vec<f32> {
    let file = FitsFile::open(path).unwrap();
    file.all(file.need(name).unwrap()).unwrap()
}

fn percentiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [0.16, 0.5, 0.84].map(|p| values[(p * (values.len() - 1) as f64) as usize])
}

/// Both stages undo what the simulation did: rates are the truth with the noise that their errors tell, fluxes those
/// of the scene.
#[test]
fn reductions_give_back_rates_and_fluxes() {
    let folder = tempfile::tempdir().unwrap();
    let made = simulate(folder.path(), 3, 2);
    let crds = made.crds.display().to_string();
    let out = folder.path().join("out").display().to_string();
    let raw = made.science[0].display().to_string();
    let common = [
        "--crds",
        &crds,
        "--context",
        &made.context,
        "-q",
        "-o",
        &out,
    ];
    sifu(&[&["detector1", &raw], &common[..]].concat()).success();
    let product = |suffix: &str| {
        let name = made.science[0].file_name().unwrap().to_str().unwrap();
        Path::new(&out).join(name.replace("_uncal", suffix))
    };
    let rate = product("_rate");
    let (truth, sci, err) = (
        plane(&made.truth[0], "SCI"),
        plane(&rate, "SCI"),
        plane(&rate, "ERR"),
    );
    let lit = |i: &usize| truth[*i] > 20.0 && sci[*i].is_finite();
    let lit: Vec<usize> = (0..truth.len()).filter(lit).collect();
    assert!(lit.len() > 100_000, "{}", lit.len());
    let ratio = |i: &usize| f64::from(sci[*i] / truth[*i]);
    let [_, middle, _] = percentiles(lit.iter().map(ratio).collect());
    assert!((middle - 1.0).abs() < 1.5e-3, "{middle}");
    let deviation = |i: &usize| f64::from((sci[*i] - truth[*i]) / err[*i]);
    let [low, middle, high] = percentiles(lit.iter().map(deviation).collect());
    assert!(middle.abs() < 0.1, "{middle}");
    assert!((0.9..1.15).contains(&(0.5 * (high - low))), "{low} {high}");

    let rate_name = rate.display().to_string();
    let skipped = ["--skip", "cube_build", "--skip", "extract_1d"];
    sifu(&[&["spec2", &rate_name], &skipped[..], &common[..]].concat()).success();
    let cal = product("_cal");
    let (flux, wave) = (plane(&cal, "SCI"), plane(&cal, "WAVELENGTH"));
    let file = FitsFile::open(&cal).unwrap();
    let slices: Vec<u8> = file.all(file.need("REGIONS").unwrap()).unwrap();
    let mode = options(3).modes[0];
    let pixels = Pixels::new(5, Detector::Nrs1);
    let flat = Flat::new(5, Detector::Nrs1, mode);
    // what the rate would be in flux, pixel by pixel: the references against the response, without any noise
    let expected = |i: &usize| {
        let (i, wave) = (*i, f64::from(wave[*i]));
        let share = pixels.response(i, wave) * f64::from(flat.response[i]);
        let slice = usize::from(slices[i]).checked_sub(1)?;
        let by = sensitivity(&mode, slice, wave) * share;
        flux[i]
            .is_finite()
            .then(|| f64::from(flux[i]) * by / f64::from(sci[i]))
    };
    let ratios: Vec<f64> = lit.iter().filter_map(expected).collect();
    assert!(ratios.len() > 100_000, "{}", ratios.len());
    let [low, middle, high] = percentiles(ratios);
    assert!((middle - 1.0).abs() < 1e-3, "{middle}");
    // pixels of neighbouring slices' areas, and the velocity's shift of the wavelength
    assert!(low > 0.998 && high < 1.002, "{low} {high}");
}

/// Exposures with interleaved reference pixels: what these tell of the slow noise takes it out, and the rates are the truth.
#[test]
fn interleaved_reference_pixels_take_out_slow_noise() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        pattern: ReadPattern::NrsIrs2Rapid,
        ..options(3)
    };
    let exec = Exec::new(Some(2)).unwrap();
    let made = simulate_nirspec(&options, folder.path(), &exec, &|_| ()).unwrap();
    let raw = &made.science[0];
    let file = FitsFile::open(raw).unwrap();
    let meta = Meta {
        source: raw.clone(),
        primary: file.hdu(0).unwrap().header,
        sci: file.hdu(file.need("SCI").unwrap()).unwrap().header,
        history: None,
    };
    for (key, value) in [
        ("NRS_NORM", 16),
        ("NRS_REF", 4),
        ("NOUTPUTS", 5),
        ("SUBSIZE2", 2048),
    ] {
        assert_eq!(meta.i64(key), Some(value), "{key}");
    }
    let group = meta.f64("TGROUP").unwrap();
    assert!((group - 14.58889).abs() < 1e-9, "{group}");
    let shape = file.shape(file.need("SCI").unwrap()).unwrap();
    assert_eq!(shape, [1, 3, 3200, 2048]);

    let out = folder.path().join("out");
    sifu(&[
        "detector1",
        &raw.display().to_string(),
        "--save-intermediates",
        "--crds",
        &made.crds.display().to_string(),
        "--context",
        &made.context,
        "-q",
        "-o",
        &out.display().to_string(),
    ])
    .success();
    let product = |suffix: &str| {
        let name = raw.file_name().unwrap().to_str().unwrap();
        out.join(name.replace("_uncal", suffix))
    };
    let (before, after) = (
        plane(&product("_superbias"), "SCI"),
        plane(&product("_refpix"), "SCI"),
    );
    let (truth, sci) = (
        plane(&made.truth[0], "SCI"),
        plane(&product("_rate"), "SCI"),
    );
    let rows = ScienceRows::of(&meta, 3200, 2048).unwrap().unwrap();
    let n = 2048;
    let (frame, image) = (3200 * n, n * n);
    // stripes: the median of dark pixels in each column of the difference of two groups, output by output
    let stripes = |first: &[f32], second: &[f32]| {
        let mut squares = 0.0;
        for output in 0..4 {
            let column = |x: usize| {
                let lines = (output * 512..(output + 1) * 512).map(|y| y * n + x);
                let dark = lines.filter(|p| truth[*p] == 0.0);
                let values = dark.map(|p| f64::from(second[p]) - f64::from(first[p]));
                percentiles(values.collect())[1]
            };
            let columns: Vec<f64> = (4..n - 4).map(column).collect();
            let mean = columns.iter().sum::<f64>() / columns.len() as f64;
            squares += columns.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
        }
        (squares / (4 * (n - 8)) as f64).sqrt()
    };
    let science = |group: usize| rows.of_plane(&before[group * frame..(group + 1) * frame]);
    let striped = stripes(&science(0), &science(1));
    let cleaned = stripes(&after[..image], &after[image..2 * image]);
    assert!(
        striped > 2.5 && cleaned < 0.3 * striped,
        "{striped} {cleaned}"
    );
    let lit = (0..truth.len()).filter(|i| truth[*i] > 20.0 && sci[*i].is_finite());
    let ratio = lit.map(|i| f64::from(sci[i] / truth[i]));
    let [_, middle, _] = percentiles(ratio.collect());
    assert!((middle - 1.0).abs() < 1e-3, "{middle}");
}

#[test]
fn the_program_refuses_impossible_options() {
    let folder = tempfile::tempdir().unwrap();
    let fresh = folder.path().join("new").display().to_string();
    let refused = |args: &[&str]| {
        let command = ["simulate", "nirspec", "-o", &fresh];
        sifu(&[&command[..], args].concat()).code(2);
    };
    refused(&["--grating", "PRISM", "--filter", "F290LP"]);
    refused(&["--grating", "G395M", "--detectors", "NRS2"]);
    refused(&["--grating", "MIRROR"]);
    refused(&["--readpatt", "NRSIRS3"]);
    refused(&["--dithers", "9"]);
    assert_eq!(files(folder.path()).len(), 0);
}
