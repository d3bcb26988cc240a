//! Flats from simulated dithers of a known scene, zonal means and NEMESIS spectra.

use std::f64::consts::TAU;
use std::path::{Path, PathBuf};
use std::process::Output;

use sifu::exec::Exec;
use sifu::flatgen::{Dither, Method, Params, build};
use sifu::formats::fits::{FitsFile, Header, Writer};
use sifu::model::Meta;
use sifu::simulate::random::Stream;
use sifu::store::flat::{plane_values, read_flat};
use sifu::store::spx::Spx;

const N: usize = 24;
const NZ: usize = 3;
const SHIFTS: [(f64, f64); 4] = [(0.0, 0.0), (4.3, 2.6), (-2.7, 5.4), (3.5, -4.2)];

/// What a simulated observation is like.
#[derive(Clone)]
struct Sky {
    /// The planet's radius in spaxels.
    radius: f64,
    /// Sub-observer latitude and west longitude, degrees.
    centre: (f64, f64),
    /// Relative noise of a value.
    noise: f64,
    shifts: Vec<(f64, f64)>,
}

impl Default for Sky {
    fn default() -> Self {
        Self {
            radius: 50.0,
            centre: (15.0, 2.0),
            noise: 1e-3,
            shifts: SHIFTS.to_vec(),
        }
    }
}

/// The pattern on the detector: a swirl and stripes, different at each wavelength.
fn pattern(z: usize, spaxel: usize) -> f64 {
    let (x, y) = ((spaxel % N) as f64 - 12.0, (spaxel / N) as f64 - 12.0);
    let swirl = (0.3 * x.hypot(y) + 2.0 * y.atan2(x) + z as f64).sin();
    let stripes = (TAU * (0.31 * x + 0.05 * y)).sin();
    1.0 + 0.04 * swirl + 0.03 * stripes
}

/// Brightness of the planet: bands, a spot, limb darkening.
fn scene(lat: f64, lon: f64, cos_emission: f64) -> f64 {
    let east = (lon - 350.0 + 180.0).rem_euclid(360.0) - 180.0;
    let bands = 0.15 * (0.35 * lat).sin() + 0.05 * (5.0 * lon.to_radians()).cos();
    let spot = 0.25 * (-((lat - 8.0).powi(2) + (0.6 * east).powi(2)) / 8.0).exp();
    100.0 * cos_emission.powf(0.4) * (1.0 + bands + spot)
}

fn primary(band: &str) -> Header {
    let mut h = Header::new();
    for (k, v) in [
        ("TELESCOP", "JWST"),
        ("INSTRUME", "MIRI"),
        ("CHANNEL", "1"),
        ("BAND", band),
        ("TARGNAME", "SATURN"),
        ("OBS_ID", "V01247667001"),
        ("OBSLABEL", "Saturn-15N"),
        ("DATE", "2026-01-01"),
        ("CAL_VER", "1"),
        ("CRDS_VER", "1"),
        ("CRDS_CTX", "1"),
    ] {
        h.set(k, v, "");
    }
    h
}

fn sci_header() -> Header {
    let mut h = Header::new();
    for (k, v) in [
        ("CRVAL3", 4.9),
        ("CDELT3", 0.001),
        ("CRPIX3", 1.0),
        ("MJD-AVG", 59897.5),
        ("PIXAR_A2", 0.0169),
        ("PIXAR_SR", 3.972_248_753e-13),
    ] {
        h.set(k, v, "");
    }
    h.set("CTYPE3", "WAVE", "");
    h.set("EXTNAME", "SCI", "");
    h
}

/// The dithers of an observation.
fn dithers(sky: &Sky) -> Vec<Dither> {
    let mut random = Stream::new(11, &[]);
    let (lat0, lon0) = (sky.centre.0.to_radians(), sky.centre.1.to_radians());
    let one = |shift: &(f64, f64)| {
        let mut planes = [(); 3].map(|()| vec![f64::NAN; N * N]);
        let (mut sci, mut err) = (vec![f32::NAN; NZ * N * N], vec![f32::NAN; NZ * N * N]);
        for s in 0..N * N {
            let x = ((s % N) as f64 - 12.0 + shift.0) / sky.radius;
            let y = ((s / N) as f64 - 12.0 + shift.1) / sky.radius;
            let z = (1.0 - x * x - y * y).sqrt();
            if z.is_nan() {
                (0..NZ).for_each(|w| (sci[w * N * N + s], err[w * N * N + s]) = (0.1, 0.1));
                continue;
            }
            let lat = (y * lat0.cos() + z * lat0.sin()).asin().to_degrees();
            let lon = lon0 - x.atan2(z * lat0.cos() - y * lat0.sin());
            let lon = lon.to_degrees().rem_euclid(360.0);
            for (plane, v) in planes.iter_mut().zip([lat, lon, z.acos().to_degrees()]) {
                plane[s] = v;
            }
            for w in 0..NZ {
                let value = scene(lat, lon, z) * pattern(w, s);
                sci[w * N * N + s] = (value * (1.0 + sky.noise * random.normal())) as f32;
                err[w * N * N + s] = (value * sky.noise) as f32;
            }
        }
        let meta = Meta {
            source: PathBuf::new(),
            primary: primary("SHORT"),
            sci: sci_header(),
            history: None,
        };
        Dither::new(meta, [NZ, N, N], (sci, err), None, planes)
    };
    sky.shifts.iter().map(one).collect()
}

fn exec() -> Exec {
    Exec::new(Some(2)).unwrap()
}

fn made(dithers: &[Dither], params: &Params) -> sifu::flatgen::Built {
    build(dithers, params, "test", "now", &exec()).unwrap()
}

/// The reference pipeline's way, with the settings of its Saturn run.
fn reference() -> Params {
    Params {
        compatible: true,
        lat_bin_size_factor: 0.5,
        bin_aspect: 4.0,
        ..Params::default()
    }
}

/// What is left of the pattern behind a flat: rms over the spaxels of `where_` known to it.
fn residual(flat: &[f64], known: impl Fn(usize) -> bool) -> f64 {
    let (mut sum, mut n) = (0.0, 0.0);
    for z in 0..NZ {
        let ratios: Vec<f64> = (0..N * N)
            .filter(|s| known(z * N * N + s))
            .map(|s| flat[z * N * N + s] / pattern(z, s))
            .collect();
        let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
        sum += ratios.iter().map(|r| (r / mean - 1.0).powi(2)).sum::<f64>();
        n += ratios.len() as f64;
    }
    (sum / n).sqrt()
}

#[test]
fn a_swirl_and_stripes_are_removed_three_times_better_than_by_the_reference() {
    let dithers = dithers(&Sky::default());
    let ours = made(&dithers, &Params::default());
    let theirs = made(&dithers, &reference());
    assert!(ours.warnings.is_empty(), "{:?}", ours.warnings);
    let (ours, theirs) = (ours.flat, theirs.flat);
    let both = |i: usize| ours.flat[i].is_finite() && theirs.flat[i].is_finite();
    let none = residual(&vec![1.0; NZ * N * N], both);
    let (a, b) = (residual(&ours.flat, both), residual(&theirs.flat, both));
    println!("residual rms: none {none:.5}, reference {b:.5}, sifu {a:.5}");
    assert!(none > 0.03 && b < none, "{none} {b}");
    assert!(a <= b / 3.0, "{a} is more than a third of {b}");
    let known = ours.flat.iter().filter(|v| v.is_finite()).count();
    assert_eq!(known, NZ * N * N, "every spaxel has a flat");
    assert_eq!(plane_values(&ours, "FLAT_CORRECTED").unwrap(), [1.0; NZ]);
}

#[test]
fn errors_say_how_far_flats_are_off() {
    for noise in [1e-2, 2e-3] {
        let sky = Sky {
            noise,
            ..Sky::default()
        };
        let flat = made(&dithers(&sky), &Params::default()).flat;
        let err = flat.err.as_ref().unwrap();
        let mut all: Vec<f64> = Vec::new();
        for z in 0..NZ {
            let range = z * N * N..(z + 1) * N * N;
            let ratio = |i: usize| flat.flat[i] / pattern(z, i % (N * N));
            let mean = range.clone().map(ratio).sum::<f64>() / (N * N) as f64;
            all.extend(range.map(|i| ((ratio(i) / mean - 1.0) / (err[i] / flat.flat[i])).powi(2)));
        }
        let chi = (all.iter().sum::<f64>() / all.len() as f64).sqrt();
        println!("noise {noise}: deviations are {chi:.2} errors");
        assert!((0.4..1.6).contains(&chi), "noise {noise}: {chi}");
    }
}

#[test]
fn flats_do_not_depend_on_threads_and_survive_outliers() {
    let mut dithers = dithers(&Sky::default());
    let clean = made(&dithers, &Params::default()).flat;
    for (i, d) in dithers.iter_mut().enumerate() {
        for k in 0..3 {
            let at = (8 + 3 * k) * N + 7 + 3 * i;
            d.sci[at] *= 1.4;
            d.sci[N * N + at] = f32::NAN;
        }
    }
    let a = build(
        &dithers,
        &Params::default(),
        "",
        "",
        &Exec::new(Some(1)).unwrap(),
    )
    .unwrap();
    let b = build(
        &dithers,
        &Params::default(),
        "",
        "",
        &Exec::new(Some(3)).unwrap(),
    )
    .unwrap();
    let bits = |v: &[f64]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert!(bits(&a.flat.flat) == bits(&b.flat.flat));
    assert!(bits(a.flat.err.as_ref().unwrap()) == bits(b.flat.err.as_ref().unwrap()));
    let moved = a
        .flat
        .flat
        .iter()
        .zip(&clean.flat)
        .map(|(a, b)| (a - b).abs());
    assert!(moved.fold(0.0, f64::max) < 0.02);
}

#[test]
fn fix_a_pole_in_the_field() {
    let sky = Sky {
        centre: (88.0, 40.0),
        ..Sky::default()
    };
    let dithers = dithers(&sky);
    let radius = |params: &Params| {
        let flat = made(&dithers, params).flat;
        flat.generation("LONLAT_COMPARISON_RADIUS")
            .and_then(|v| v.as_f64())
            .unwrap()
    };
    let fixed = Params {
        method: Method::Median,
        compatible: false,
        ..reference()
    };
    let (theirs, ours) = (radius(&reference()), radius(&fixed));
    assert!(theirs < 0.6 * ours, "{theirs} {ours}");
}

#[test]
fn fix_an_empty_wavelength_is_not_corrected() {
    let mut dithers = dithers(&Sky::default());
    for d in &mut dithers {
        d.sci[N * N..2 * N * N].fill(f32::NAN);
        d.err[N * N..2 * N * N].fill(f32::NAN);
    }
    let theirs = made(&dithers, &reference()).flat;
    assert!(theirs.flat[N * N..2 * N * N].iter().all(|v| v.is_nan()));
    assert_eq!(plane_values(&theirs, "FLAT_CORRECTED").unwrap(), [1.0; 3]);
    for method in [Method::Joint, Method::Median] {
        let params = Params {
            method,
            ..Params::default()
        };
        let ours = made(&dithers, &params).flat;
        assert!(ours.flat[N * N..2 * N * N].iter().all(|v| *v == 1.0));
        assert_eq!(
            plane_values(&ours, "FLAT_CORRECTED").unwrap(),
            [1.0, 0.0, 1.0]
        );
        assert!(plane_values(&ours, "FLAT_STD").unwrap()[1].is_nan());
    }
}

#[test]
fn a_wavelength_of_noise_is_left_at_1() {
    let mut dithers = dithers(&Sky::default());
    for d in &mut dithers {
        d.err[..N * N]
            .iter_mut()
            .zip(&d.sci)
            .for_each(|(e, s)| *e = 0.2 * s);
    }
    for params in [Params::default(), reference()] {
        let flat = made(&dithers, &params).flat;
        assert!(flat.flat[..N * N].iter().all(|v| *v == 1.0));
        assert_eq!(
            plane_values(&flat, "FLAT_CORRECTED").unwrap(),
            [0.0, 1.0, 1.0]
        );
    }
}

#[test]
fn fix_the_mean_is_that_of_the_flat_itself() {
    let mut dithers = dithers(&Sky::default());
    // the spaxel that iteration starts from is much too bright: the first flats are far from 1
    for d in &mut dithers {
        (0..NZ).for_each(|z| d.sci[z * N * N + 12 * N + 12] *= 1.49);
    }
    let params = |iterations: usize, compatible: bool| Params {
        method: Method::Median,
        iterations,
        compatible,
        ..reference()
    };
    let mean = |flat: &[f64]| {
        let known: Vec<f64> = flat.iter().copied().filter(|v| v.is_finite()).collect();
        known.iter().sum::<f64>() / known.len() as f64
    };
    let ours = made(&dithers, &params(2, false)).flat;
    let theirs = made(&dithers, &params(2, true)).flat;
    let off = |flat: &[f64]| (mean(&flat[..N * N]) - 1.0).abs();
    assert!(
        off(&ours.flat) < 1e-6 && off(&theirs.flat) > 0.02,
        "{} {}",
        off(&ours.flat),
        off(&theirs.flat)
    );
}

#[test]
fn what_cannot_be_told_is_said() {
    let some = |shifts: &[(f64, f64)], radius: f64| {
        dithers(&Sky {
            shifts: shifts.to_vec(),
            radius,
            ..Sky::default()
        })
    };
    let warned = |d: &[Dither]| made(d, &Params::default()).warnings.join("; ");
    assert!(warned(&some(&SHIFTS[..3], 50.0)).contains("3 dithers"));
    assert!(warned(&some(&SHIFTS, 9.0)).contains("fills"));
    let refused = |d: &[Dither]| {
        build(d, &Params::default(), "", "", &exec())
            .unwrap_err()
            .to_string()
    };
    assert!(refused(&some(&SHIFTS[..1], 50.0)).contains("one dither"));
    assert!(refused(&some(&[(0.0, 0.0); 4], 50.0)).contains("same spaxels"));
    assert!(refused(&[]).contains("no cubes"));
    let mut off = some(&SHIFTS, 50.0);
    off.iter_mut().for_each(|d| d.emission.fill(f64::NAN));
    assert!(refused(&off).contains("nothing to make a flat of"));
    let mut other = some(&SHIFTS, 50.0);
    other[2].meta.primary.set("BAND", "LONG", "");
    assert!(refused(&other).contains("BAND"));
    let mut other = some(&SHIFTS, 50.0);
    other[1].shape = [NZ, N * 2, N / 2];
    assert!(refused(&other).contains("shape"));
}

// the program

/// Planes of a navigated cube by name, and their values there.
fn write_cube(path: &Path, d: &Dither, band: &str, navigated: bool) {
    let mut w = Writer::create(path, false).unwrap();
    w.empty(&primary(band)).unwrap();
    let named = |name: &str| {
        let mut h = Header::new();
        h.set("EXTNAME", name, "");
        h
    };
    w.image::<f32>(&sci_header(), &[NZ, N, N]).unwrap();
    w.put(0, &d.sci).unwrap();
    w.image::<f32>(&named("ERR"), &[NZ, N, N]).unwrap();
    w.put(0, &d.err).unwrap();
    w.image::<u32>(&named("DQ"), &[NZ, N, N]).unwrap();
    w.put(0, &vec![0u32; NZ * N * N]).unwrap();
    w.image::<f32>(&named("WMAP"), &[NZ, N, N]).unwrap();
    w.put(0, &vec![1f32; NZ * N * N]).unwrap();
    if navigated {
        for name in sifu::zonal::PLANES {
            let values = match name {
                "LAT" | "LAT_GRAPHIC" => d.lat.clone(),
                "LON" => d.lon.clone(),
                "EMISSION" => d.emission.clone(),
                "LOCALTIME" => d.lon.iter().map(|l| l / 15.0).collect(),
                _ => vec![1.0; N * N],
            };
            w.image::<f64>(&named(name), &[N, N]).unwrap();
            w.put(0, &values).unwrap();
        }
    }
    w.finish().unwrap();
}

fn sifu(args: &[&str]) -> Output {
    assert_cmd::Command::cargo_bin("sifu")
        .unwrap()
        .args(args)
        .env_remove("CRDS_PATH")
        .env_remove("CRDS_CONTEXT")
        .output()
        .unwrap()
}

/// Runs the program, which must end with `code` and one line that contains `says`.
fn fails(args: &[&str], code: i32, says: &str) {
    let out = sifu(args);
    let text = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(code), "{args:?}: {text}");
    assert!(text.contains(says) && !text.contains("panicked"), "{text}");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Four dithers in a folder each.
fn observation(dir: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for (i, d) in dithers(&Sky::default()).iter().enumerate() {
        let folder = dir.join(format!("d{}", i + 1));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("Level3_ch1-short_s3d_nav.fits");
        write_cube(&path, d, "SHORT", true);
        out.push(path);
    }
    out
}

#[test]
fn the_program_builds_and_merges_flats() {
    let dir = tempfile::tempdir().unwrap();
    let cubes = observation(dir.path());
    let files: Vec<&str> = cubes.iter().map(|p| text(p)).collect();
    let folders: Vec<&str> = cubes.iter().map(|p| text(p.parent().unwrap())).collect();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    let run = |inputs: &[&str], out: &Path, more: &[&str]| {
        let mut args = vec!["-q", "flat", "build"];
        args.extend(inputs);
        args.extend(["-o", text(out)]);
        args.extend(more);
        let done = sifu(&args);
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        read_flat(&out.join("ch1-short_constructed_flat.fits")).unwrap()
    };
    let flat = run(&files, &a, &["--dataset", "SATURN-15N"]);
    assert!(flat.err.is_some());
    let card =
        |f: &sifu::model::SyntheticFlat, k: &str| f.generation(k).map(|v| v.plain()).unwrap();
    assert_eq!(card(&flat, "DATASET"), "SATURN-15N");
    assert_eq!(card(&flat, "CHANNEL"), "1");
    assert_eq!(card(&flat, "BAND"), "short");
    assert_eq!(card(&flat, "DEFRINGED"), "False");
    assert_eq!(card(&flat, "INPUT_TARGNAME"), "SATURN");
    assert_eq!(card(&flat, "METHOD"), "joint");
    let same = run(&folders, &b, &[]);
    assert!(same.flat == flat.flat);
    let merged = dir.path().join("merged.fits");
    let tile = |d: &Path| d.join("ch1-short_constructed_flat.fits");
    let (first, second) = (tile(&a), tile(&b));
    let done = sifu(&[
        "flat",
        "merge",
        text(&first),
        text(&second),
        "-o",
        text(&merged),
    ]);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let merged = read_flat(&merged).unwrap();
    assert_eq!(card(&merged, "N_MERGED"), "2");
    assert_eq!(card(&merged, "DATASET_1"), "SATURN-15N");
    assert_eq!(card(&merged, "DATASET_2"), "SATURN");
    for (m, f) in merged.flat.iter().zip(&flat.flat) {
        assert!((m / f - 1.0).abs() < 1e-12);
    }
}

#[test]
fn the_program_applies_flats() {
    let dir = tempfile::tempdir().unwrap();
    let cube = &observation(dir.path())[0];
    let (flats, out) = (dir.path().join("flats"), dir.path().join("out"));
    std::fs::create_dir(&flats).unwrap();
    let values: Vec<f64> = (0..NZ * N * N)
        .map(|i| pattern(i / (N * N), i % (N * N)))
        .collect();
    let flat = sifu::model::SyntheticFlat::new(Header::new(), [NZ, N, N], values, None);
    let path = flats.join("ch1-short_constructed_flat.fits");
    sifu::store::flat::write_flat(&path, &flat).unwrap();
    let args = [
        "flat",
        "apply",
        text(cube),
        "--flats",
        text(&flats),
        "-o",
        text(&out),
    ];
    let done = sifu(&args);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let sci = |path: &Path| {
        let file = FitsFile::open(path).unwrap();
        file.all::<f32>(file.find("SCI").unwrap()).unwrap()
    };
    let (before, after) = (sci(cube), sci(&out.join("Level3_ch1-short_s3d_nav.fits")));
    for ((a, b), f) in after.iter().zip(&before).zip(&flat.flat) {
        assert!((f64::from(*a) * f / f64::from(*b) - 1.0).abs() < 1e-6);
    }
    std::fs::remove_file(&path).unwrap();
    fails(&args, 3, "there is no flat");
}

#[test]
fn the_program_refuses_what_makes_no_flat() {
    let dir = tempfile::tempdir().unwrap();
    let cubes = observation(dir.path());
    let [a, b, c, d] = [0, 1, 2, 3].map(|i| text(&cubes[i]));
    let out = dir.path().join("out");
    let o = text(&out);
    let (long, flat) = (dir.path().join("long.fits"), dir.path().join("plain.fits"));
    let sky = Sky::default();
    write_cube(&long, &dithers(&sky)[1], "LONG", true);
    write_cube(&flat, &dithers(&sky)[1], "SHORT", false);
    fails(&["flat", "build", "-o", o], 2, "CUBE");
    fails(&["flat", "build", a, text(&long), "-o", o], 3, "BAND");
    fails(
        &["flat", "build", a, text(&flat), "-o", o],
        3,
        "sifu navigate",
    );
    fails(
        &["flat", "build", a, "nothing.fits", "-o", o],
        3,
        "no such file",
    );
    fails(&["flat", "build", a, "-o", o], 1, "one dither");
    fails(
        &[
            "flat",
            "build",
            a,
            b,
            c,
            d,
            "-o",
            o,
            "--max-correction",
            "0.5",
        ],
        2,
        "max_correction",
    );
    fails(
        &["flat", "build", a, b, c, d, "-o", o, "--name", "x/y"],
        2,
        "name",
    );
    fails(&["flat", "merge", a, "-o", o], 3, "no synthetic flat");
    let left: Vec<_> = std::fs::read_dir(&out)
        .map(|d| d.collect())
        .unwrap_or_default();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_program_averages_and_writes_spectra() {
    let dir = tempfile::tempdir().unwrap();
    let cubes = observation(dir.path());
    let mut args = vec!["-q", "zonal"];
    args.extend(cubes.iter().map(|p| text(p)));
    let out = dir.path().join("zonal");
    args.extend(["-o", text(&out), "--bins", "-4:28:4", "--grouped"]);
    let done = sifu(&args);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let averaged = out.join("zonal.fits");
    let file = FitsFile::open(&averaged).unwrap();
    let read = |name: &str| file.all::<f64>(file.find(name).unwrap()).unwrap();
    assert_eq!(file.shape(file.find("SCI").unwrap()).unwrap(), [NZ, 9]);
    let (sci, lat, npts) = (read("SCI"), read("LAT_GRAPHIC"), read("NPTS"));
    let (err, of_mean, lon) = (read("ERR"), read("ERR_OF_MEAN"), read("LON"));
    for bin in 0..9 {
        let centre = -4.0 + 4.0 * bin as f64;
        assert!((lat[bin] - centre).abs() <= 2.0, "{lat:?}");
        assert!(npts[bin] > 20.0 && sci[bin] > 50.0);
        assert!((of_mean[bin] / (err[bin] / npts[bin].sqrt()) - 1.0).abs() < 0.05);
        // the field straddles longitude 0
        assert!(lon[bin] < 60.0 || lon[bin] > 300.0, "{lon:?}");
    }
    let names: Vec<String> = file.hdus().iter().map(|h| h.name()).collect();
    assert_eq!(names[1..4], ["SCI", "ERR", "LAT"]);
    assert_eq!(
        names[19..25],
        [
            "DOPPLER",
            "MJD-AVG",
            "PIXAR_A2",
            "PIXAR_SR",
            "NPTS",
            "ERR_OF_MEAN"
        ]
    );
    let grouped = FitsFile::open(out.join("zonal_grouped.fits")).unwrap();
    let shape = grouped.shape(1).unwrap();
    assert_eq!(shape[..2], [NZ, 9]);
    assert_eq!(grouped.hdus().len(), 23);

    let spectra = dir.path().join("spectra");
    let done = sifu(&["spx", text(&averaged), "-o", text(&spectra)]);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert_eq!(String::from_utf8_lossy(&done.stdout).lines().count(), 9);
    let spx = Spx::read(&spectra.join("channel_1A/zonal_mean_+12N.spx")).unwrap();
    assert_eq!(spx.samples.len(), NZ);
    assert!((spx.lat - lat[4]).abs() < 6e-4);
    let [wavelength, radiance, _] = spx.samples[0];
    let wanted = sci[4] * 1e-24 * 299_792_458.0 / (wavelength * 1e-6).powi(2) * 1e-6;
    assert!((radiance / wanted - 1.0).abs() < 1e-6);
    assert!(spectra.join("channel_1A/zonal_mean_-4N.spx").is_file());
}

#[test]
fn the_program_refuses_what_has_no_mean() {
    let dir = tempfile::tempdir().unwrap();
    let cubes = observation(dir.path());
    let (a, out) = (text(&cubes[0]), dir.path().join("out"));
    let o = text(&out);
    let (long, plain) = (dir.path().join("long.fits"), dir.path().join("plain.fits"));
    let d = &dithers(&Sky::default())[0];
    write_cube(&long, d, "LONG", true);
    write_cube(&plain, d, "SHORT", false);
    fails(&["zonal", a, text(&long), "-o", o], 3, "BAND");
    fails(&["zonal", text(&plain), "-o", o], 3, "sifu navigate");
    fails(&["zonal", "-o", o], 2, "CUBE");
    fails(
        &["zonal", a, "-o", o, "--bins", "1,2,4"],
        2,
        "evenly spaced",
    );
    fails(&["zonal", a, "-o", o, "--plane", "ALTITUDE"], 2, "ALTITUDE");
    fails(
        &["zonal", a, "-o", o, "--bins", "-80:-70:5"],
        1,
        "no spaxel",
    );
    fails(&["spx", a, "-o", o], 3, "averaged product");
    fails(&["spx", "nothing", "-o", o], 3, "no such file");
    fails(
        &["spx", a, "-o", o, "--template", "../x"],
        2,
        "below the folder",
    );
}
