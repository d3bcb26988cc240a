//! `sifu map` on small cubes of a globe with a known pattern.

use std::path::Path;
use std::process::Command;

use sifu::formats::fits::{FitsFile, Header, Writer};
use sifu::wcs::Celestial;

const N: usize = 41;
const NZ: usize = 3;

/// What the globe looks like, by west longitude and latitude in degrees.
fn pattern(lon: f64, lat: f64) -> f64 {
    let (l, b) = (lon.to_radians(), lat.to_radians());
    10.0 + 3.0 * b.cos() * l.cos() + 2.0 * b.sin()
}

/// How a cube is made.
#[derive(Clone)]
struct Made {
    /// West longitude and latitude in the middle of the disc.
    middle: [f64; 2],
    /// Factor of the brightness.
    factor: f64,
    error: f32,
    band: &'static str,
    navigated: bool,
    on_body: bool,
}

const PLAIN: Made = Made {
    middle: [2.0, 15.0],
    factor: 1.0,
    error: 0.25,
    band: "SHORT",
    navigated: true,
    on_body: true,
};

/// Writes a cube with backplanes: north up and east left on the sky, so planetary east right.
fn cube(dir: &Path, name: &str, made: &Made) -> String {
    let path = dir.join(name);
    let mut primary = Header::new();
    for (k, v) in [
        ("TARGNAME", "SATURN"),
        ("INSTRUME", "MIRI"),
        ("CHANNEL", "1"),
        ("BAND", made.band),
    ] {
        primary.set(k, v, "");
    }
    let mut sci = Header::new();
    for (k, v) in [
        ("EXTNAME", "SCI"),
        ("BUNIT", "MJy/sr"),
        ("CTYPE1", "RA---TAN"),
        ("CTYPE2", "DEC--TAN"),
        ("CTYPE3", "WAVE"),
    ] {
        sci.set(k, v, "");
    }
    for (k, v) in [
        ("CRPIX1", 21.0),
        ("CRPIX2", 21.0),
        ("CRPIX3", 1.0),
        ("CRVAL1", 40.0),
        ("CRVAL2", 10.0),
        ("CRVAL3", 5.0),
        ("CDELT1", -1e-4),
        ("CDELT2", 1e-4),
        ("CDELT3", 0.1),
    ] {
        sci.set(k, v, "");
    }
    let (sin, cos) = made.middle[1].to_radians().sin_cos();
    let [mut lon, mut lat, mut emission] = [(); 3].map(|()| vec![f64::NAN; N * N]);
    for s in (0..N * N).filter(|_| made.on_body) {
        let at = |i: usize| (i as f64 - 20.0) / 19.0;
        let (x, y) = (at(s % N), at(s / N));
        let z = (1.0 - x * x - y * y).sqrt();
        // the planet turns from west to east, west longitudes grow to the left
        lon[s] = (made.middle[0] - x.atan2(z * cos - y * sin).to_degrees()).rem_euclid(360.0);
        lat[s] = (z * sin + y * cos).asin().to_degrees();
        emission[s] = z.acos().to_degrees();
    }
    let mut values: Vec<f32> = Vec::new();
    for z in 0..NZ {
        let bright = |s: usize| (made.factor * (z + 1) as f64 * pattern(lon[s], lat[s])) as f32;
        values.extend((0..N * N).map(bright));
    }
    let mut flags = vec![0u32; values.len()];
    // four bad spaxels in the first plane, and one outside the disc
    for bad in [20 * N + 12, 20 * N + 13, 21 * N + 12, 21 * N + 13] {
        (values[bad], flags[bad]) = (1e6, 1);
    }
    flags[0] = 513;
    let mut w = Writer::create(&path, false).unwrap();
    w.empty(&primary).unwrap();
    w.image::<f32>(&sci, &[NZ, N, N]).unwrap();
    w.put(0, &values).unwrap();
    let named = |name: &str| {
        let mut h = Header::new();
        h.set("EXTNAME", name, "");
        h
    };
    w.image::<f32>(&named("ERR"), &[NZ, N, N]).unwrap();
    w.put(0, &vec![made.error; values.len()]).unwrap();
    w.image::<u32>(&named("DQ"), &[NZ, N, N]).unwrap();
    w.put(0, &flags).unwrap();
    if made.navigated {
        for (name, values) in [
            ("LON", &lon),
            ("LAT_GRAPHIC", &lat),
            ("EMISSION", &emission),
        ] {
            w.image::<f64>(&named(name), &[N, N]).unwrap();
            w.put(0, values).unwrap();
        }
    }
    w.finish().unwrap();
    path.display().to_string()
}

fn run(args: &[&str]) -> (i32, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_sifu"))
        .args(["-q", "map", "--planes", "emission,lon"])
        .args(args)
        .output()
        .expect("starts");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!said.contains("panicked"), "{said}");
    (done.status.code().expect("ends"), said)
}

fn made(args: &[&str], out: &Path) -> FitsFile {
    let folder = out.display().to_string();
    let all: Vec<&str> = args
        .iter()
        .copied()
        .chain(["-o", folder.as_str()])
        .collect();
    let (code, said) = run(&all);
    assert_eq!(code, 0, "{said}");
    let png = std::fs::read(out.join("map.png")).unwrap();
    assert_eq!(&png[1..4], b"PNG");
    FitsFile::open(out.join("map.fits")).unwrap()
}

fn values(file: &FitsFile, name: &str) -> Vec<f64> {
    file.all(file.need(name).unwrap()).unwrap()
}

/// The pattern comes back, at the longitudes and latitudes that the WCS states, by the reader of WCS that we have for the sky.
#[test]
fn a_known_globe_comes_back_in_every_projection() {
    let dir = tempfile::tempdir().unwrap();
    for (middle, projection) in [
        ([2.0, 15.0], "equirectangular"),
        ([359.0, 60.0], "equirectangular"),
        ([2.0, 15.0], "orthographic"),
        ([100.0, -80.0], "azimuthal"),
        ([182.0, 15.0], "mollweide"),
    ] {
        let one = cube(dir.path(), "a_nav.fits", &Made { middle, ..PLAIN });
        let out = dir.path().join("out");
        let file = made(&[&one, "--projection", projection, "--grid", "2deg"], &out);
        let sci = file.need("SCI").unwrap();
        let [nz, ny, nx] = *file.shape(sci).unwrap() else {
            panic!("no cube")
        };
        assert_eq!(nz, NZ);
        // a sky header of the same numbers
        let mut header = file.hdus()[sci].header.clone();
        let code = header.str("CTYPE1").unwrap()[5..].to_owned();
        assert_eq!(header.str("CTYPE2").unwrap(), format!("SALT-{code}"));
        header.set("CTYPE1", format!("RA---{code}"), "");
        header.set("CTYPE2", format!("DEC--{code}"), "");
        assert_eq!(file.hdus()[0].header.str("MAP LON_SENSE"), Some("west"));
        assert!(header.f64("CDELT1").unwrap() < 0.0);
        let [lon, lat] = Celestial::from_header(&header).unwrap().grid(ny, nx);
        let (sci, err, count) = (
            values(&file, "SCI"),
            values(&file, "ERR"),
            values(&file, "COUNT"),
        );
        let (emission, turn) = (values(&file, "EMISSION"), values(&file, "LON"));
        let mut filled = 0;
        for i in 0..ny * nx {
            // corners of a Mollweide map are outside the globe
            let from_middle = |i: usize, n: usize| (2.0 * i as f64 + 1.0 - n as f64) / n as f64;
            let r = from_middle(i % nx, nx).hypot(from_middle(i / nx, ny));
            if projection == "mollweide" && r > 0.97 {
                assert!(r < 1.03 || sci[i].is_nan());
                continue;
            }
            let (b, b0) = (lat[i].to_radians(), middle[1].to_radians());
            let away = (lon[i] - middle[0]).to_radians().cos();
            let cos = b.sin() * b0.sin() + b.cos() * b0.cos() * away;
            let inside = cos > 0.4 && lat[i].abs() < 87.0;
            for z in 0..NZ {
                let (v, e) = (sci[z * ny * nx + i], err[z * ny * nx + i]);
                assert_eq!(v.is_finite(), count[z * ny * nx + i] == 1.0);
                // no map where the spaxel is flagged, and nothing of its value elsewhere
                if inside && (z > 0 || v.is_finite()) {
                    // beside a hole the mean is of one side
                    let limit = if z == 0 { 1.5e-2 } else { 4e-3 };
                    let wanted = (z + 1) as f64 * pattern(lon[i], lat[i]);
                    assert!(
                        (v / wanted - 1.0).abs() < limit,
                        "{projection} {} {}: {v} {wanted}",
                        lon[i],
                        lat[i]
                    );
                    assert!(e > 0.05 && e <= 0.2501, "{e}");
                    filled += 1;
                }
                assert!(cos > 0.2 || !v.is_finite());
            }
            if inside {
                assert!((emission[i] - cos.acos().to_degrees()).abs() < 2.0);
                let d = (turn[i] - lon[i]).rem_euclid(360.0);
                assert!(
                    lat[i].abs() > 70.0 || d.min(360.0 - d) * b.cos() < 0.5,
                    "{} {}",
                    turn[i],
                    lon[i]
                );
            }
        }
        assert!(filled > 1500, "{projection}: {filled}");
        // flagged spaxels lose cells of the first plane only
        let holes = |z: usize| {
            sci[z * ny * nx..(z + 1) * ny * nx]
                .iter()
                .filter(|v| v.is_nan())
                .count()
        };
        assert!(holes(0) > holes(1) && holes(1) == holes(2) && holes(0) - holes(1) < 40);
    }
}

#[test]
fn dithers_make_one_map_of_the_wavelengths_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let bright = Made {
        middle: [42.0, 15.0],
        factor: 2.0,
        error: 0.5,
        ..PLAIN
    };
    let (a, b) = (
        cube(dir.path(), "a_nav.fits", &PLAIN),
        cube(dir.path(), "b_nav.fits", &bright),
    );
    let out = dir.path().join("both");
    let args = [
        a.as_str(),
        &b,
        "--wavelength",
        "5.05:5.15",
        "--weight",
        "equal",
    ];
    let file = made(&args, &out);
    let sci = file.need("SCI").unwrap();
    assert_eq!(file.shape(sci).unwrap(), [1, 180, 360]);
    assert!((file.hdus()[sci].header.f64("CRVAL3").unwrap() - 5.1).abs() < 1e-9);
    // longitude 22.5 west, latitude 10.5: both see it
    let i = 100 * 360 + 337;
    let one = 2.0 * pattern(22.5, 10.5);
    let at = |name: &str| values(&file, name)[i];
    assert_eq!((at("COUNT"), at("WEIGHT")), (2.0, 2.0));
    assert!((at("SCI") / one - 1.5).abs() < 5e-3);
    assert_eq!(at("SCI"), at("MEAN"));
    assert!(at("ERR") > 0.1 && at("ERR") < 0.28, "{}", at("ERR"));
    // the same bits for any number of threads
    let again = made(
        &[&args[..], &["--threads", "1"]].concat(),
        &dir.path().join("again"),
    );
    let bits = |f: &FitsFile, n: &str| values(f, n).iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    for name in ["SCI", "ERR", "WEIGHT", "COUNT", "MEAN", "LON"] {
        assert!(bits(&file, name) == bits(&again, name), "{name}");
    }
    // the inverse of the variance: the second cube counts a quarter
    let file = made(
        &[&a, &b, "--weight", "variance"],
        &dir.path().join("variance"),
    );
    let v = values(&file, "SCI")[180 * 360 + i];
    assert!((v / one - 1.2).abs() < 0.1, "{v} {one}");
}

#[test]
fn what_cannot_be_mapped_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let good = cube(dir.path(), "good_nav.fits", &PLAIN);
    let bare = cube(
        dir.path(),
        "bare_nav.fits",
        &Made {
            navigated: false,
            ..PLAIN
        },
    );
    let long = cube(
        dir.path(),
        "long_nav.fits",
        &Made {
            band: "LONG",
            ..PLAIN
        },
    );
    let off = cube(
        dir.path(),
        "off_nav.fits",
        &Made {
            on_body: false,
            ..PLAIN
        },
    );
    let out = dir.path().join("out");
    let o = out.display().to_string();
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let empty = empty.display().to_string();
    for (args, code, what) in [
        (vec![bare.as_str()], 3, "sifu navigate"),
        (vec![&good, &long], 3, "BAND is long here and short in"),
        (vec![&off], 1, "no spaxels"),
        (vec![&good, &good], 3, "twice"),
        (vec![&empty], 3, "no *_nav.fits"),
        (vec![&good, "--grid", "0.7"], 2, "whole number of cells"),
        (vec![&good, "--grid", "wide"], 2, "--grid 'wide'"),
        (vec![&good, "--grid", "1e-5"], 2, "cells"),
        (vec![&good, "--wavelength", "7:8"], 2, "5.0000 to 5.2000"),
        (vec![&good, "--wavelength", "7"], 2, "FIRST:LAST"),
        (vec![&good, "--max-emission", "0"], 2, "--max-emission"),
        (vec![&good, "--centre", "0,20"], 2, "equator"),
        (vec![&good, "--longitude", "LON-GRAPHIC"], 3, "LON-GRAPHIC"),
    ] {
        let all: Vec<&str> = args.iter().copied().chain(["-o", o.as_str()]).collect();
        let (found, said) = run(&all);
        assert!(
            found == code && said.contains(what),
            "{args:?}: {found} {said}"
        );
        assert!(!out.join("map.fits").exists() && !out.join("map.png").exists());
    }
}
