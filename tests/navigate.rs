//! Backplanes against those of the programs they agree with.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sifu::formats::fits::FitsFile;
use sifu::nav::planes::{self, Field};
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
