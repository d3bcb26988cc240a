//! cube_build on small cases made by the Python pipeline (`tests/golden/make_cube_build.py`).
//!
//! Sizes, flags, numbers of pixels and wavelengths are the same. Values and errors agree within single precision: the Python libraries
//! round positions on the sky otherwise in the last bit of some pixels (fused multiplications of their linear algebra),
//! and calwebb's area of overlap magnifies that to 1e-7 of a pixel.

use std::fs;
use std::path::{Path, PathBuf};

use sifu::exec::Exec;
use sifu::formats::fits::{FitsFile, Value};
use sifu::model::{Cal, Cube, Exposures};
use sifu::steps::combine::cube_build::{CubeBuild, CubeBuildParams, CubePar, plan};
use sifu::steps::step::Step;
use sifu::store::cal::read_cal;
use sifu::wcs::Gwcs;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/cube_build")
}

fn exposures() -> Vec<Cal> {
    let read = |n: &str| {
        let mut cal = read_cal(&golden().join(n)).unwrap_or_else(|e| panic!("{e}"));
        cal.meta.source = n.trim_end_matches(".gz").into();
        cal
    };
    vec![read("in0.fits.gz"), read("in1.fits.gz")]
}

fn params(text: &str) -> CubeBuildParams {
    let mut table: toml::Table = text.parse().unwrap();
    if let Some(file) = table.get_mut("offset_file") {
        let path = golden().join(file.as_str().unwrap());
        *file = path.display().to_string().into();
    }
    table.try_into().unwrap()
}

fn cubes(science: Vec<Cal>, params: &CubeBuildParams, threads: usize) -> sifu::Result<Vec<Cube>> {
    let exec = Exec::new(Some(threads)).unwrap();
    let refs = CubePar::read(&golden().join("cubepar.fits.gz"), params.weighting).unwrap();
    let set = Exposures {
        science,
        background: Vec::new(),
    };
    CubeBuild::run(set, &refs, params, &exec).map(|c| c.0)
}

/// Largest difference relative to the expected value, NaN in the same places.
fn worst(name: &str, got: &[f32], expect: &[f32]) -> f64 {
    assert_eq!(got.len(), expect.len(), "{name}");
    let mut worst = 0.0_f64;
    for (g, e) in got.iter().zip(expect) {
        assert_eq!(g.is_nan(), e.is_nan(), "{name}");
        if !g.is_nan() {
            worst =
                worst.max((f64::from(*g) - f64::from(*e)).abs() / f64::from(e.abs().max(1e-30)));
        }
    }
    worst
}

fn compare(path: &Path, cube: &Cube) {
    let at = path.display();
    let file = FitsFile::open(path).unwrap();
    let shape = file.shape(file.need("SCI").unwrap()).unwrap().to_vec();
    assert_eq!(shape, [cube.nz, cube.ny, cube.nx], "{at}");
    let floats = |n: &str| file.all::<f32>(file.need(n).unwrap()).unwrap();
    let flags: Vec<u32> = file.all(file.need("DQ").unwrap()).unwrap();
    let differ = |n: usize| assert!(n == 0, "{n} of {} differ in {at}", flags.len());
    let wmap = floats("WMAP");
    differ(cube.dq.iter().zip(&flags).filter(|(a, b)| a != b).count());
    differ(cube.wmap.iter().zip(&wmap).filter(|(a, b)| a != b).count());
    for (name, values) in [("SCI", &cube.sci), ("ERR", &cube.err)] {
        let worst = worst(name, values, &floats(name));
        assert!(worst < 3e-7, "{name} of {at}: {worst:e}");
    }
    let table = file.table(file.need("WCS-TABLE").unwrap()).unwrap();
    let wavelength = table.numbers("wavelength", 0).unwrap();
    let own: Vec<f64> = cube
        .wavelength
        .iter()
        .flatten()
        .map(|w| f64::from(*w))
        .collect();
    assert_eq!(own, wavelength, "wavelengths of {at}");
    let ignored = ["BITPIX", "EXTVER", "XTENSION", "PCOUNT", "GCOUNT"];
    for (header, hdu) in [
        (&cube.meta.primary, 0),
        (&cube.meta.sci, file.need("SCI").unwrap()),
    ] {
        for card in file.hdus()[hdu].header.cards() {
            let keyword = card.keyword.as_str();
            let structural =
                keyword.is_empty() || keyword.starts_with("NAXIS") || ignored.contains(&keyword);
            if structural || ["SIMPLE", "EXTEND", "EXTNAME"].contains(&keyword) {
                continue;
            }
            let (own, expect) = (header.get(keyword), file.hdus()[hdu].header.get(keyword));
            // the direction of slices is that of two points 2 arcsec apart; jwst writes 15 digits of small numbers
            let tolerance = if keyword.starts_with("PC") {
                1e-10
            } else {
                2e-14
            };
            let alike = match (own.and_then(Value::as_f64), expect.and_then(Value::as_f64)) {
                (Some(a), Some(b)) => (a - b).abs() <= tolerance * b.abs().max(1e-9),
                _ => own == expect,
            };
            assert!(alike, "{keyword} of {at}: {own:?}, expected {expect:?}");
        }
    }
}

fn check(case: &str) {
    let folder = golden().join(case);
    let params = params(&fs::read_to_string(folder.join("params.toml")).unwrap());
    let one = cubes(exposures(), &params, 1).unwrap();
    let expected = fs::read_dir(&folder).unwrap().count() - 1;
    assert_eq!(one.len(), expected, "{case}");
    for cube in &one {
        compare(&folder.join(format!("{}.fits.gz", cube.label)), cube);
        assert!(cube.extra[0].header.str("EXTNAME") == Some("HDRTAB"));
        let wcs = Gwcs::from_node(cube.wcs.as_ref().unwrap()).unwrap();
        let [x, y, z] = [cube.nx / 2, cube.ny / 2, 3].map(|v| v as f64);
        let centre = wcs.forward(&[&[x], &[y], &[z]]).unwrap();
        assert!((centre[0][0] - cube.meta.sci.f64("CRVAL1").unwrap()).abs() < 1e-12);
        assert!((centre[2][0] - f64::from(cube.wavelength.as_ref().unwrap()[3])).abs() < 1e-6);
    }
    let bits = |v: &[f32]| v.iter().map(|f| f.to_bits()).collect::<Vec<_>>();
    for threads in [2, 7] {
        for (a, b) in one
            .iter()
            .zip(cubes(exposures(), &params, threads).unwrap())
        {
            assert!(bits(&a.sci) == bits(&b.sci) && bits(&a.err) == bits(&b.err));
            assert!(a.dq == b.dq && a.wmap == b.wmap);
        }
    }
}

macro_rules! cases {
    ($($name:ident)*) => { $(#[test] fn $name() { check(stringify!($name)); })* };
}

cases! { drizzle drizzle_ifualign drizzle_multi center emsm msm msm_table emsm_multi offset }

/// Weights kept, or worked out again, or used for several sets of images: the same cube.
#[test]
fn one_geometry_for_many_images() {
    let science = exposures();
    let mut other = science.clone();
    for cal in &mut other {
        cal.sci.iter_mut().for_each(|v| *v *= 2.0);
        cal.dq[505 * 1032..506 * 1032].fill(1);
    }
    let exec = Exec::new(Some(2)).unwrap();
    for weighting in ["drizzle", "emsm"] {
        let params = params(&format!(
            "scalexy = 0.3\nchannel = \"1\"\nweighting = \"{weighting}\""
        ));
        let refs = CubePar::read(&golden().join("cubepar.fits.gz"), params.weighting).unwrap();
        let plan = plan(&science, &params).unwrap().remove(0);
        let (mut geometry, _) = plan.geometry(&science, &refs, &exec).unwrap();
        let sets = [science.iter().collect::<Vec<_>>(), other.iter().collect()];
        let both = geometry.apply(&sets, &exec).unwrap();
        let bits = |v: &[f32]| v.iter().map(|f| f.to_bits()).collect::<Vec<_>>();
        for bytes in [0, 100_000, usize::MAX] {
            geometry.keep(bytes, &exec).unwrap();
            for (set, expect) in sets.iter().zip(&both) {
                let got = geometry.apply(std::slice::from_ref(set), &exec).unwrap();
                assert!(
                    bits(&got[0].sci) == bits(&expect.sci)
                        && bits(&got[0].err) == bits(&expect.err)
                );
                assert!(got[0].dq == expect.dq && got[0].wmap == expect.wmap);
            }
        }
        assert!(both[0].wmap.iter().sum::<f32>() > both[1].wmap.iter().sum());
    }
}

/// A field of one brightness gives a cube of it.
#[test]
fn brightness_is_kept() {
    let mut science = exposures();
    for cal in &mut science {
        cal.sci.fill(4.0);
    }
    for weighting in ["drizzle", "msm"] {
        let p = params(&format!("weighting = \"{weighting}\""));
        for cube in cubes(science.clone(), &p, 2).unwrap() {
            let some: Vec<&f32> = cube.sci.iter().filter(|v| !v.is_nan()).collect();
            assert!(some.len() > 1000);
            assert!(some.iter().all(|v| (**v - 4.0).abs() < 1e-6));
        }
    }
}

#[test]
fn what_cannot_be_a_cube_is_said() {
    let refused = |science: Vec<Cal>, text: &str| {
        let said = cubes(science, &params(text), 2)
            .expect_err(text)
            .to_string();
        assert!(said.len() > 30, "{said}");
        said
    };
    assert!(refused(exposures(), "coord_system = \"internal_cal\"").contains("ifualign"));
    assert!(refused(exposures(), "channel = \"3\"").contains("1 short, 2 short"));
    assert!(refused(exposures(), "nspax_x = -3").contains("nspax_x"));
    assert!(refused(exposures(), "scalexy = -1.0").contains("scalexy"));
    assert!(refused(exposures(), "scalexy = 1e-9").contains("too large"));
    assert!(
        refused(exposures(), "wavemin = 6.0\nwavemax = 5.0\nchannel = \"1\"").contains("wavemin")
    );
    assert!(refused(exposures(), "debug_spaxel = \"1\"").contains("debug_spaxel"));
    assert!(
        refused(
            exposures(),
            "ra_center = 200.0\nchannel = \"1\"\nnspax_x = 5\nnspax_y = 5"
        )
        .contains("no valid pixel")
    );
    assert!(refused(exposures(), "offset_file = \"in0.fits.gz\"").contains("in0"));
    assert!(refused(Vec::new(), "").contains("no exposures"));
    let changed = |change: fn(&mut Cal)| {
        let mut all = exposures();
        all.iter_mut().for_each(change);
        all
    };
    let empty = "no valid pixel";
    assert!(refused(changed(|c| c.sci.fill(f32::NAN)), "").contains(empty));
    assert!(refused(changed(|c| c.sci.fill(f32::INFINITY)), "").contains(empty));
    assert!(refused(changed(|c| c.dq.fill(u32::MAX)), "").contains(empty));
    assert!(refused(changed(|c| c.wcs = None), "").contains("WCS"));
    assert!(refused(changed(|c| c.meta.primary.remove("BAND")), "").contains("BAND"));
    let nirspec = |c: &mut Cal| c.meta.primary.set("INSTRUME", "NIRSPEC", "");
    assert!(refused(changed(nirspec), "").contains("GRATING"));
    let slits = |c: &mut Cal| c.meta.primary.set("EXP_TYPE", "NRS_MSASPEC", "");
    assert!(refused(changed(slits), "").contains("NRS_MSASPEC"));
}
