//! Backplanes against those of the programs they agree with.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sifu::formats::fits::FitsFile;
use sifu::nav::planes::{self, Field, Plane};
use sifu::nav::{Aspect, Correction, Kernels, Observer};

/// Shared navigation data, unpacked once; `None` (said) where there are none.
fn shared() -> Option<&'static Path> {
    static FOLDER: OnceLock<Option<tempfile::TempDir>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let root = std::env::var_os("SIFU_SHARED").unwrap_or_else(|| "../shared".into());
        let archive = Path::new(&root).join("real/nav_data.tar.xz");
        if !archive.exists() {
            println!(
                "skipped: {} is not there (set SIFU_SHARED)",
                archive.display()
            );
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let status = std::process::Command::new("tar")
            .arg("-xJf")
            .arg(&archive)
            .arg("-C")
            .arg(folder.path())
            .args(["--strip-components=1"])
            .status();
        if !status.is_ok_and(|s| s.success()) {
            println!("skipped: tar cannot unpack {}", archive.display());
            return None;
        }
        Some(folder)
    });
    folder.as_ref().map(tempfile::TempDir::path)
}

fn kernels(folder: &Path) -> Kernels {
    Kernels::load(&[folder.join("kernels")]).expect("kernels load")
}

fn fits_in(folder: &Path) -> Vec<PathBuf> {
    let mut out: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|e| e.expect("an entry").path())
        .filter(|p| p.extension().is_some_and(|e| e == "fits"))
        .collect();
    out.sort();
    out
}

fn plane(file: &FitsFile, name: &str) -> Vec<f64> {
    let at = file
        .find(name)
        .unwrap_or_else(|| panic!("{name} in {}", file.path().display()));
    file.all(at).expect(name)
}

/// Middle of an exposure.
fn epoch(k: &Kernels, file: &FitsFile) -> f64 {
    let h = &file.hdus()[0].header;
    let at = |key: &str| k.et_of_utc(h.str(key).expect(key)).expect(key);
    (at("DATE-BEG") + at("DATE-END")) / 2.0
}

fn target(k: &Kernels, file: &FitsFile) -> i32 {
    let name = file.hdus()[0].header.str("TARGNAME").expect("TARGNAME");
    k.body_code(name).expect(name)
}

/// Largest allowed difference and the period of a plane.
fn tolerance(name: &str) -> (f64, f64) {
    let around = name.contains("LON") || name == "RA";
    match name {
        "DOPPLER" => (1e-11, 0.0),
        "RADIAL_VELOCITY" | "RADIAL-VELOCITY" => (1e-6, 0.0),
        // a second, to which it is cut
        "LOCALTIME" | "LOCAL-SOLAR-TIME" => (1.1 / 3600.0, 24.0),
        _ if name.contains("DISTANCE") || name.contains("RADIUS") || name.starts_with("KM") => {
            (1e-4, 0.0)
        }
        _ => (1e-5, if around { 360.0 } else { 0.0 }),
    }
}

/// Largest difference of two planes; infinite where only one is NaN.
fn apart(name: &str, mine: &[f64], want: &[f64]) -> f64 {
    assert_eq!(mine.len(), want.len(), "{name}");
    let (_, period) = tolerance(name);
    mine.iter()
        .zip(want)
        .map(|(a, b)| match (a.is_nan(), b.is_nan()) {
            (true, true) => 0.0,
            (false, false) if period > 0.0 => {
                let d = (a - b).abs() % period;
                d.min(period - d)
            }
            (false, false) => (a - b).abs(),
            _ => f64::INFINITY,
        })
        .fold(0.0, f64::max)
}

/// The 17 planes of every golden cube, from its own directions.
#[test]
fn the_navigators_planes() {
    let Some(folder) = shared() else { return };
    let k = kernels(folder);
    let mut worst = std::collections::BTreeMap::new();
    let mut cubes = 0;
    for set in ["golden/jwst", "golden/jwst_offset"] {
        for path in fits_in(&folder.join(set)) {
            let file = FitsFile::open(&path).expect("opens");
            if file.find("LAT").is_none() {
                continue;
            }
            cubes += 1;
            let (ra, dec) = (plane(&file, "RA"), plane(&file, "DEC"));
            let observer = Observer::Body(-170);
            let aspect = Aspect::new(
                &k,
                target(&k, &file),
                &observer,
                epoch(&k, &file),
                Correction::CN,
            )
            .expect("an aspect");
            let field = Field::new(&aspect, &ra, &dec);
            for name in planes::NAV17 {
                let mine = (planes::find(name).expect(name).of)(&field);
                let d = apart(name, &mine, &plane(&file, name));
                let w: &mut f64 = worst.entry(name).or_default();
                *w = w.max(d);
            }
        }
    }
    println!("{worst:?}");
    assert_eq!(cubes, 10);
    for (name, d) in worst {
        assert!(d <= tolerance(name).0, "{name}: {d}");
    }
}

/// Worst differences of a set of planes from PlanetMapper's files, from the files' own directions.
fn from_planetmapper(
    folder: &Path,
    set: &[&'static Plane],
) -> std::collections::BTreeMap<(String, &'static str), f64> {
    let k = kernels(folder);
    let mut worst: std::collections::BTreeMap<_, f64> = std::collections::BTreeMap::new();
    for path in fits_in(&folder.join("golden/planetmapper")) {
        let file = FitsFile::open(&path).expect("opens");
        let (ra, dec) = (plane(&file, "RA"), plane(&file, "DEC"));
        let stem = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let correction = stem.rsplit('_').next().expect("a correction");
        let a = Aspect::new(
            &k,
            target(&k, &file),
            &Observer::Body(-170),
            epoch(&k, &file),
            correction.parse().expect(correction),
        )
        .expect("an aspect");
        let nx = *file.hdus()[1]
            .shape()
            .expect("an image")
            .last()
            .expect("columns");
        let field = Field::new(&a, &ra, &dec).in_image(0, nx);
        for p in set {
            let d = apart(p.name, &(p.of)(&field), &plane(&file, p.name));
            worst.insert((stem.clone(), p.name), d);
        }
    }
    worst
}

/// The planes that PlanetMapper has off.
const OFF: [&str; 10] = [
    "KM-X",
    "KM-Y",
    "ANGULAR-X",
    "ANGULAR-Y",
    "LIMB-DISTANCE",
    "LIMB-LON-GRAPHIC",
    "LIMB-LAT-GRAPHIC",
    "RING-RADIUS",
    "RING-LON-GRAPHIC",
    "RING-DISTANCE",
];

/// As [`tolerance`], but where SPICE's own numbers are not that good: its epochs have steps of 1.2e-7 s, in which bodies move by
/// 2e-6 km, and lines of sight that graze the limb or the plane of the rings magnify that; and one step of light time (LT) is not
/// enough for any better.
fn tolerance_from_planetmapper(file: &str, name: &str) -> f64 {
    let plain = tolerance(name).0;
    match name {
        _ if file.ends_with("_LT") && OFF.contains(&name) => {
            plain.max(if name.starts_with("ANG") {
                plain
            } else if plain == 1e-4 {
                0.05
            } else {
                1e-4
            })
        }
        "DISTANCE" if file.ends_with("_LT") => 5e-3,
        "DISTANCE" | "RING-RADIUS" | "RING-DISTANCE" => 5e-4,
        _ => plain,
    }
}

#[test]
fn planetmappers_planes() {
    let Some(folder) = shared() else { return };
    let set = planes::choose("planetmapper").expect("a set");
    let worst = from_planetmapper(folder, &set);
    assert_eq!(worst.len(), 12 * 26);
    for ((file, name), d) in worst {
        assert!(
            d <= tolerance_from_planetmapper(&file, name),
            "{file} {name}: {d}"
        );
    }
}

/// The set `all` is PlanetMapper's but for the planes that it has off.
#[test]
fn planetmappers_planes_done_right() {
    let Some(folder) = shared() else { return };
    let set = planes::choose("all").expect("a set");
    let mut off = std::collections::BTreeMap::new();
    for ((file, name), d) in from_planetmapper(folder, &set) {
        if OFF.contains(&name) {
            let w: &mut f64 = off.entry(name).or_default();
            *w = w.max(d);
        } else {
            assert!(
                d <= tolerance_from_planetmapper(&file, name),
                "{file} {name}: {d}"
            );
        }
    }
    println!("PlanetMapper is off by {off:?}");
    assert!(
        off.iter().all(|(name, d)| *d > tolerance(name).0),
        "{off:?}"
    );
}

/// How far (km) from a line of sight a point of the body is seen, by the light time of that point alone.
fn aside(k: &Kernels, a: &Aspect, point: [f64; 3], ra: f64, dec: f64) -> f64 {
    let seen = k
        .point_state(
            a.target,
            k.body_frame(a.target),
            point,
            a.et,
            a.correction,
            -170,
        )
        .expect("a state");
    let p = seen.state.position;
    let off = sifu::math::vector::angle(p, sifu::nav::direction(ra, dec));
    off * sifu::math::vector::norm(p)
}

/// The planes that PlanetMapper has off lead back to the line of sight they are of; PlanetMapper's lead beside it.
#[test]
fn where_planetmapper_is_off() {
    let Some(folder) = shared() else { return };
    let k = kernels(folder);
    for (name, beside) in [
        ("saturn_rings_CN", [1.0, 1.0, 0.05]),
        ("jupiter_disc_CN", [1.0, 1.0, 0.05]),
        ("uranus_disc_CN", [0.1, 0.5, 0.02]),
        ("saturn_rings_CN+S", [1.0, 1.0, 0.05]),
    ] {
        let file =
            FitsFile::open(folder.join(format!("golden/planetmapper/{name}.fits"))).expect("opens");
        let correction = name
            .rsplit('_')
            .next()
            .expect("a correction")
            .parse()
            .expect("known");
        let a = Aspect::new(
            &k,
            target(&k, &file),
            &Observer::Body(-170),
            epoch(&k, &file),
            correction,
        )
        .expect("an aspect");
        let (ra, dec) = (plane(&file, "RA"), plane(&file, "DEC"));
        let field = Field::new(&a, &ra, &dec);
        let mine = |list: &str| -> Vec<Vec<f64>> {
            let planes = planes::choose(list).expect(list);
            planes.iter().map(|p| (p.of)(&field)).collect()
        };
        let theirs =
            |list: &str| -> Vec<Vec<f64>> { list.split(',').map(|n| plane(&file, n)).collect() };
        let sense = if a.west { -1.0 } else { 1.0 };
        // rings
        let list = "RING-RADIUS,RING-LON-GRAPHIC";
        let ring = |v: &[Vec<f64>]| {
            let mut worst: f64 = 0.0;
            for i in (0..ra.len()).filter(|i| v[0][*i] < 3e5) {
                let (s, c) = (sense * v[1][i].to_radians()).sin_cos();
                worst = worst.max(aside(
                    &k,
                    &a,
                    [v[0][i] * c, v[0][i] * s, 0.0],
                    ra[i],
                    dec[i],
                ));
            }
            worst
        };
        let (ours, other) = (ring(&mine(list)), ring(&theirs(list)));
        println!("{name}: rings {ours:.1e} km beside, PlanetMapper's {other:.2} km");
        assert!(
            ours < 1e-3 && other > beside[0],
            "{name}: rings {ours} {other}"
        );
        // limb: the place is on the radius to the surface point of these coordinates
        let list = "LIMB-LON-GRAPHIC,LIMB-LAT-GRAPHIC,LIMB-DISTANCE";
        let limb = |v: &[Vec<f64>]| {
            let mut worst: f64 = 0.0;
            for i in 0..ra.len() {
                let at = sifu::nav::ellipsoid::LonLat {
                    lon: v[0][i].to_radians(),
                    lat: v[1][i].to_radians(),
                    height: 0.0,
                };
                let foot = a.surface().from_planetographic(at, a.west);
                let far = sifu::math::vector::norm(foot);
                let place = foot.map(|x| x * (far + v[2][i]) / far);
                worst = worst.max(aside(&k, &a, place, ra[i], dec[i]));
            }
            worst
        };
        let (ours, other) = (limb(&mine(list)), limb(&theirs(list)));
        println!("{name}: limb {ours:.1e} km beside, PlanetMapper's {other:.2} km");
        assert!(
            ours < 1e-2 && other > beside[1],
            "{name}: limb {ours} {other}"
        );
        // the north pole is up
        let pole = [0.0, 0.0, a.radii[2]];
        let seen = k
            .point_state(
                a.target,
                k.body_frame(a.target),
                pole,
                a.et,
                a.correction,
                -170,
            )
            .expect("a state");
        let [x, y, z] = seen.state.position;
        let (ra, dec) = (
            [y.atan2(x).to_degrees().rem_euclid(360.0)],
            [z.atan2(x.hypot(y)).to_degrees()],
        );
        let field = Field::new(&a, &ra, &dec);
        let km = |list: &str| (planes::choose(list).expect(list)[8].of)(&field)[0].abs();
        let (ours, other) = (km("all"), km("planetmapper"));
        println!("{name}: pole {ours:.1e} km beside, PlanetMapper's {other:.2} km");
        assert!(
            ours < 1e-3 && other > beside[2],
            "{name}: pole {ours} {other}"
        );
    }
}

/// PlanetMapper's rotation of an image leaves out the cosine of the declination, so its RA and DEC are not the WCS's.
#[test]
fn planetmappers_directions_are_turned() {
    let Some(folder) = shared() else { return };
    let file =
        FitsFile::open(folder.join("golden/planetmapper/saturn_rings_CN.fits")).expect("opens");
    let h = &file.hdus()[0].header;
    let value = |key: &str| h.f64(key).expect(key);
    let real = value("PC2_1").atan2(value("PC2_2"));
    let wrong = (real.tan() / value("PLANMAP TARGET DEC").to_radians().cos())
        .atan()
        .to_degrees();
    assert!((wrong - value("PLANMAP DISC ROT")).abs() < 1e-4, "{wrong}");
    assert!((wrong - real.to_degrees()).abs() > 0.5);
}

/// `planes.csv`: SPICE's own answers for a small image with the tiny kernels, with and without stellar aberration.
#[test]
fn a_small_image_agrees_with_spice() {
    let golden = Path::new("tests/golden/nav");
    let k = Kernels::load(&["tiny.tpc", "tiny.bsp"].map(|n| golden.join(n))).expect("loads");
    let text = std::fs::read_to_string(golden.join("planes.csv")).expect("a table");
    let tables: Vec<&str> = text.split("# ").filter(|t| !t.is_empty()).collect();
    assert_eq!(tables.len(), 2);
    for table in tables {
        let mut lines = table.lines();
        let head: Vec<&str> = lines.next().expect("a head").split(' ').collect();
        let rows: Vec<Vec<f64>> = lines
            .map(|l| l.split(',').map(|c| c.parse().expect(c)).collect())
            .collect();
        let column = |i: usize| -> Vec<f64> { rows.iter().map(|r| r[i]).collect() };
        let a = Aspect::new(
            &k,
            699,
            &Observer::Body(-170),
            758_200_000.0,
            head[0].parse().expect("a correction"),
        )
        .expect("an aspect");
        let (ra, dec) = (column(0), column(1));
        let field = Field::new(&a, &ra, &dec);
        let all = planes::choose("all").expect("a set");
        let mut exact = false;
        for (i, name) in head.iter().enumerate().skip(3) {
            exact |= *name == "LON-GRAPHIC";
            let p = match exact {
                true => all.iter().find(|p| p.name == *name).copied(),
                false => planes::find(name).ok(),
            }
            .expect(name);
            let (mine, want) = ((p.of)(&field), column(i - 1));
            let d = apart(name, &mine, &want);
            assert!(
                want.iter().any(|v| v.is_finite()) && d <= tolerance(name).0,
                "{} {name}: {d}",
                head[0]
            );
        }
        // one direction at a time is the same as all at once
        for p in &all {
            let whole = (p.of)(&field);
            let one = |i: usize| {
                (p.of)(&Field::new(&a, &ra[i..=i], &dec[i..=i]).in_image(i, ra.len()))[0]
            };
            assert!(
                (0..ra.len()).all(|i| one(i).to_bits() == whole[i].to_bits()),
                "{}",
                p.name
            );
        }
    }
}

/// NaN goes in and comes out of every plane, and nowhere else.
#[test]
fn directions_that_are_none() {
    let golden = Path::new("tests/golden/nav");
    let k = Kernels::load(&["tiny.tpc", "tiny.bsp"].map(|n| golden.join(n))).expect("loads");
    let a = Aspect::new(
        &k,
        699,
        &Observer::Body(-170),
        758_200_000.0,
        Correction::CN,
    )
    .expect("an aspect");
    let [ra, dec] = a.centre();
    // the centre, nothing, and the other side of the sky
    let (ra, dec) = ([ra, f64::NAN, ra, ra + 180.0], [dec, dec, f64::NAN, -dec]);
    let field = Field::new(&a, &ra, &dec);
    for family in planes::ALL {
        for p in family.planes {
            let v = (p.of)(&field);
            assert_eq!(v.len(), 4, "{p:?}");
            let own = ["PIXEL-X", "PIXEL-Y", "RA", "DEC"].contains(&p.name);
            assert!(own || (v[1].is_nan() && v[2].is_nan()), "{p:?} {v:?}");
            let surface = ["LAT", "EMISSION", "RADIAL-VELOCITY", "LON-GRAPHIC"].contains(&p.name);
            assert!(
                !surface || (v[0].is_finite() && v[3].is_nan()),
                "{p:?} {v:?}"
            );
        }
    }
    assert!(a.clone().raised(-1e6).is_err());
    let [x, y, z] = a.radii;
    let high = a.clone().raised(1000.0).expect("a surface").radii;
    assert_eq!(high, [x + 1000.0 * y / z, y + 1000.0 * y / z, z + 1000.0]);
}

/// Shadows: of the body on its rings only behind it, of the rings on the body only on the side that the Sun is not on.
#[test]
fn shadows() {
    let golden = Path::new("tests/golden/nav");
    let k = Kernels::load(&["tiny.tpc", "tiny.bsp"].map(|n| golden.join(n))).expect("loads");
    let a = Aspect::new(
        &k,
        699,
        &Observer::Body(-170),
        758_200_000.0,
        Correction::CN,
    )
    .expect("an aspect");
    let [ra0, dec0] = a.centre();
    let step = a.diameter() / 3600.0 / 60.0;
    let (mut ra, mut dec) = (Vec::new(), Vec::new());
    for y in -60..=60 {
        for x in -90..=90 {
            ra.push(ra0 + step * f64::from(x) / dec0.to_radians().cos());
            dec.push(dec0 + step * f64::from(y));
        }
    }
    let field = Field::new(&a, &ra, &dec);
    let of = |name: &str| (planes::find(name).expect(name).of)(&field);
    let (shadow, radius, lon) = (of("RING-SHADOW"), of("RING-RADIUS"), of("RING-LON-GRAPHIC"));
    let (on_body, lat, incidence) = (of("RING-SHADOW-RADIUS"), of("LAT-CENTRIC"), of("INCIDENCE"));
    let noon = a.noon_there.to_degrees();
    let (mut dark, mut lit) = (0, 0);
    for i in 0..ra.len() {
        assert_eq!(shadow[i].is_nan(), radius[i].is_nan());
        if shadow[i] == 1.0 && radius[i] > a.radii[0] {
            dark += 1;
            let away = (-lon[i] - noon).rem_euclid(360.0);
            assert!((90.0..270.0).contains(&away), "{away}");
        }
        if on_body[i].is_finite() {
            lit += 1;
            assert!(lat[i] * a.sun[2] < 0.0 && incidence[i] < 90.0 && on_body[i] >= 0.0);
        }
    }
    assert!(dark > 0 && lit > 0, "{dark} {lit}");
}
