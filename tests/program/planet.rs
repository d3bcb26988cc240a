//! Steps of the planetary chain as a program, on the tiny exposure and on small cubes.

use std::path::{Path, PathBuf};

use crate::common::{NX, NY, Tiny, exposure, recipes, sifu};
use sifu::formats::asdf::{Node, fits_extension};
use sifu::formats::fits::{Data, FitsFile, Hdu, Header, Image, Product};
use sifu::model::{Cube, Meta};
use sifu::store::cube::{read_cube, write_cube};

/// Writes a cube with a spike and a backplane behind its ASDF extension.
fn write(path: &Path, spike: f32) -> PathBuf {
    let (nz, ny, nx) = (4, 12, 14);
    let n = nz * ny * nx;
    let mut meta = Meta::default();
    for (k, v) in [
        ("TELESCOP", "JWST"),
        ("INSTRUME", "MIRI"),
        ("CHANNEL", "4"),
        ("BAND", "SHORT"),
        ("OBS_ID", "V1"),
        ("CAL_VER", "1.2.3"),
        ("CRDS_CTX", "jwst_0001.pmap"),
    ] {
        meta.primary.set(k, v, "");
    }
    let mut sci: Vec<f32> = (0..n).map(|i| 20.0 + (i % 7) as f32 * 0.1).collect();
    sci[200] += spike;
    let mut header = Header::new();
    header.set("EXTNAME", "LAT", "");
    let cube = Cube {
        meta,
        label: String::new(),
        nz,
        ny,
        nx,
        sci,
        err: vec![0.5; n],
        dq: (0..n).map(|i| if i == 9 { 512 } else { 0 }).collect(),
        wmap: vec![1.0; n],
        wavelength: None,
        wcs: None,
        extra: Vec::new(),
        planes: vec![Hdu {
            header,
            data: Data::Image(Image::new(&[ny, nx], vec![1.5f64; ny * nx])),
        }],
    };
    let mut tree = Node::mapping();
    tree.set("meta.sifu.recipe", "calwebb_spec3");
    tree.set("meta.sifu.steps.cube_build.parameters.weighting", "emsm");
    let tree = fits_extension(&tree).expect("tree");
    write_cube(path, &cube, &cube.meta, &tree).expect("cube");
    path.to_path_buf()
}

fn done(args: &[&str]) {
    let out = sifu(args, &[]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{args:?}: {said}");
}

#[test]
fn cubes_keep_their_names_and_what_follows_them() {
    let dir = tempfile::tempdir().expect("folder");
    let input = write(&dir.path().join("ch4_s3d_nav.fits"), 500.0);
    let sky = write(&dir.path().join("sky_s3d.fits"), 0.0);
    let at = |name: &str| dir.path().join(name).display().to_string();
    let mut values = vec![2.0f64; 4 * 12 * 12];
    values[0] = f64::NAN;
    let flat = Image::new(&[4, 12, 12], values);
    let mut extension = Header::new();
    extension.set("EXTNAME", "FLAT_STD", "");
    let mut header = Header::new();
    header.set("FLAT GENERATION BAND", "short", "");
    let hdus = vec![
        Hdu {
            header,
            data: Data::Image(flat),
        },
        Hdu {
            header: extension,
            data: Data::Image(Image::new(&[4], vec![0.5f64; 4])),
        },
    ];
    Product { hdus }
        .write(dir.path().join("ch4-short_constructed_flat.fits"), false)
        .expect("flat");

    let file = input.display().to_string();
    let flats = format!("flat.flat={}", dir.path().display());
    done(&["step", "flat", &file, "-o", &at("flat"), "--set", &flats]);
    let product = at("flat/ch4_s3d_nav.fits");
    done(&["step", "despike", &product, "-o", &at("despike")]);
    let product = at("despike/ch4_s3d_nav.fits");
    let sky = format!("background.background={}", sky.display());
    done(&[
        "step",
        "background",
        &product,
        "-o",
        &at("end"),
        "--set",
        &sky,
    ]);

    let cube = read_cube(&dir.path().join("end/ch4_s3d_nav.fits")).expect("a cube");
    let h = &cube.meta.primary;
    for (n, text) in ["Flat field corrected", "Despiked", "Background subtracted"]
        .iter()
        .enumerate()
    {
        assert_eq!(h.str(&format!("REDUCT{}", n + 1)), Some(*text));
    }
    assert_eq!(h.str("FLAT GENERATION BAND"), Some("short"));
    assert_eq!(h.bool("FLAT RESHAPED"), Some(true));
    assert_eq!(h.str("BACKGROUND OBS_ID"), Some("V1"));
    // what calibrated it stays
    assert_eq!(h.str("CAL_VER"), Some("1.2.3"));
    assert_eq!(h.str("CRDS_CTX"), Some("jwst_0001.pmap"));
    let names: Vec<_> = cube
        .planes
        .iter()
        .map(|p| p.header.str("EXTNAME"))
        .collect();
    assert_eq!(names, [Some("LAT"), Some("FLAT_STD")]);
    // how each step was done, and all before it
    let made = cube.meta.history.as_deref().expect("what was done");
    assert_eq!(
        recipes(made),
        ["calwebb_spec3", "flat", "despike", "background"]
    );
    let of = |path: &str| made.get(path).and_then(Node::as_str);
    assert_eq!(
        of("before.0.steps.cube_build.parameters.weighting"),
        Some("emsm")
    );
    let nsigma = made.get("before.2.steps.despike.parameters.nsigma");
    assert_eq!(nsigma.and_then(Node::as_f64), Some(7.0));
    assert_eq!(of("before.1.steps.flat.set_by.flat"), Some("command line"));
    let sky = of("steps.background.parameters.background");
    assert!(sky.is_some_and(|s| s.ends_with("sky_s3d.fits")));
    // the spike, the flagged voxel, the flat's hole, and beyond the flat
    assert_eq!(
        (cube.dq[200], cube.dq[9], cube.dq[1], cube.dq[0]),
        (1, 513, 1, 1)
    );
    assert!(cube.sci[200].is_nan() && cube.dq[3] == 0);
    assert_eq!(cube.sci[3], (20.0 + 0.3) / 2.0 - (20.0 + 0.3));
    assert_eq!(cube.err[3], 0.25f32.hypot(0.5));

    // no flat of this band: said, and the cube goes on as it is
    let none = format!("flat.flat={}/ch{{channel}}-none.fits", dir.path().display());
    let out = sifu(
        &["step", "flat", &file, "-o", &at("none"), "--set", &none],
        &[],
    );
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(said.contains("there is no flat"), "{said}");
    // a product never replaces its input
    let out = sifu(&["step", "despike", &file, "-o", &at("")], &[]);
    assert!(!out.status.success());
}

#[test]
fn trimmed_exposures_are_exposures_again() {
    let dir = tempfile::tempdir().expect("folder");
    let input = exposure(dir.path(), Tiny::default());
    let out = dir.path().join("few");
    let (file, folder) = (input.display().to_string(), out.display().to_string());
    done(&[
        "step",
        "trim_groups",
        &file,
        "-o",
        &folder,
        "--set",
        "trim_groups.ngroups=3",
    ]);
    let (all, few) = (
        FitsFile::open(&input).expect("opens"),
        FitsFile::open(out.join("tiny_uncal.fits")).expect("opens"),
    );
    let sci = few.need("SCI").expect("SCI");
    assert_eq!(few.shape(sci).expect("image"), [2, 3, NY, NX]);
    let header = &few.hdus()[sci].header;
    assert_eq!(
        (header.i64("BITPIX"), header.i64("BZERO")),
        (Some(16), Some(32768))
    );
    let counts: Vec<u16> = few.all(sci).expect("counts");
    let whole: Vec<u16> = all.all(all.need("SCI").expect("SCI")).expect("counts");
    let group = NY * NX;
    assert_eq!(counts[..3 * group], whole[..3 * group]);
    assert_eq!(counts[3 * group..], whole[5 * group..8 * group]);
    let primary = &few.hdus()[0].header;
    assert_eq!(primary.i64("NGROUPS"), Some(3));
    assert_eq!(primary.str("REDUCT1"), Some("Using 3/5 groups"));
    assert_eq!(primary.f64("EFFINTTM"), Some(8.32512));
    let names: Vec<_> = few.hdus().iter().map(|h| h.name()).collect();
    assert_eq!(names[1..], ["SCI", "INT_TIMES", "ASDF"]);
    let more = [
        "step",
        "trim_groups",
        &file,
        "-o",
        &folder,
        "--set",
        "trim_groups.ngroups=5",
    ];
    let said = String::from_utf8_lossy(&sifu(&more, &[]).stderr).into_owned();
    assert!(said.contains("has 5 groups"), "{said}");
}

#[test]
fn published_flats_are_applied() {
    let shared = std::env::var("SIFU_SHARED").unwrap_or_else(|_| "../shared".into());
    let flats = Path::new(&shared).join("real/saturn_flats");
    if !flats.is_dir() {
        println!("skipped: there is no {}", flats.display());
        return;
    }
    let dir = tempfile::tempdir().expect("folder");
    // a field that is larger than the flat's along y, and smaller along x; its flat is the one for defringed data
    let (nz, ny, nx) = (542, 27, 21);
    let mut meta = Meta::default();
    for (k, v) in [
        ("TELESCOP", "JWST"),
        ("INSTRUME", "MIRI"),
        ("CHANNEL", "4"),
        ("BAND", "SHORT"),
        ("S_RESFRI", "COMPLETE"),
    ] {
        meta.primary.set(k, v, "");
    }
    let n = nz * ny * nx;
    let cube = Cube {
        meta,
        label: String::new(),
        nz,
        ny,
        nx,
        sci: (0..n).map(|i| 20.0 + (i % 31) as f32).collect(),
        err: vec![0.5; n],
        dq: vec![0; n],
        wmap: vec![1.0; n],
        wavelength: None,
        wcs: None,
        extra: Vec::new(),
        planes: Vec::new(),
    };
    let file = dir.path().join("saturn_s3d_nav.fits");
    let tree = fits_extension(&Node::mapping()).expect("tree");
    write_cube(&file, &cube, &cube.meta, &tree).expect("cube");
    let out = dir.path().join("out");
    let set = format!("flat.flat={}", flats.display());
    let (input, folder) = (file.display().to_string(), out.display().to_string());
    done(&["step", "flat", &input, "-o", &folder, "--set", &set]);
    let made = read_cube(&out.join("saturn_s3d_nav.fits")).expect("a cube");

    let flat = FitsFile::open(flats.join("ch4-short_constructed_flat_fringe.fits")).expect("opens");
    let values: Vec<f64> = flat.all(0).expect("values");
    let side = 25;
    let mut divided = 0;
    for i in 0..n {
        let (z, y, x) = (i / (ny * nx), i / nx % ny, i % nx);
        // centred: one row of the cube beyond either edge of the flat, two columns of the flat beyond the cube's
        let by = match (1..=side).contains(&y) {
            true => values[(z * side + y - 1) * side + x + 2],
            false => f64::NAN,
        };
        let want = (f64::from(cube.sci[i]) / by) as f32;
        assert!(
            made.sci[i] == want || made.sci[i].is_nan() && want.is_nan(),
            "{z} {y} {x}"
        );
        assert_eq!(made.dq[i] & 1 == 1, want.is_nan(), "{z} {y} {x}");
        divided += usize::from(want.is_finite() && by != 1.0);
    }
    assert!(divided > n / 2, "{divided} of {n}");
    let header = &made.meta.primary;
    assert_eq!(header.str("FLAT ORIGINAL_SHAPE"), Some("(542, 25, 25)"));
    assert_eq!(header.bool("FLAT RESHAPED"), Some(true));
    assert_eq!(header.i64("FLAT GENERATION N_MERGED"), Some(2));
    let names: Vec<_> = flat.hdus().iter().skip(1).map(|h| h.name()).collect();
    let planes = made.planes.iter().filter_map(|p| p.header.str("EXTNAME"));
    assert_eq!(planes.collect::<Vec<_>>(), names);
}
