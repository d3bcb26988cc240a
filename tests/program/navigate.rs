//! `sifu navigate` on small cubes and images, with the tiny kernels of `tests/golden/nav` and the built-in ones.

use std::path::{Path, PathBuf};
use std::process::Command;

use sifu::formats::fits::{FitsFile, Header, TableBuilder, Writer};
use sifu::nav::planes::{NAV17, PLANETMAPPER};
use sifu::nav::{Aspect, Correction, Kernels, Observer};

const KERNELS: &str = "tests/golden/nav";
const NY: usize = 6;
const NX: usize = 9;
const NZ: usize = 3;

struct Ran {
    code: i32,
    said: String,
}

/// Runs the program without any kernels of the environment but `env`.
fn run(args: &[&str], env: &[(&str, &str)]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifu"));
    for name in ["SIFU_KERNELS", "PLANETMAPPER_KERNEL_PATH", "CRDS_PATH"] {
        command.env_remove(name);
    }
    let done = command
        .arg("navigate")
        .args(args)
        .envs(env.iter().copied())
        .output()
        .expect("starts");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!said.contains("panicked"), "{said}");
    Ran {
        code: done
            .status
            .code()
            .unwrap_or_else(|| panic!("killed: {said}")),
        said,
    }
}

fn kernel(name: &str) -> String {
    format!("{KERNELS}/{name}")
}

/// Kernels with Saturn, JWST and the Sun in January 2024.
fn tiny() -> Vec<String> {
    vec!["-k".into(), kernel("tiny.tpc"), kernel("tiny.bsp")]
}

fn text(h: &mut Header, pairs: &[(&str, &str)]) {
    for (k, v) in pairs {
        h.set(k, *v, "");
    }
}

fn primary() -> Header {
    let mut h = Header::new();
    text(
        &mut h,
        &[
            ("FILENAME", "saturn_s3d.fits"),
            ("TELESCOP", "JWST"),
            ("TARGNAME", "Saturn"),
            ("DATE-BEG", "2024-01-10T23:00:00.000"),
            ("DATE-END", "2024-01-10T23:13:20.000"),
        ],
    );
    h
}

/// Saturn across five columns.
fn sci() -> Header {
    let k = Kernels::with_built_in(&["tiny.tpc", "tiny.bsp"].map(|n| Path::new(KERNELS).join(n)))
        .expect("loads");
    let et = k.et_of_utc("2024-01-10T23:06:40").expect("a date");
    let a = Aspect::new(&k, 699, &Observer::Body(-170), et, Correction::CN).expect("seen");
    let [ra, dec] = a.centre();
    let step = a.diameter() / 3600.0 / 5.0;
    let mut h = Header::new();
    text(
        &mut h,
        &[
            ("EXTNAME", "SCI"),
            ("CTYPE1", "RA---TAN"),
            ("CTYPE2", "DEC--TAN"),
            ("CTYPE3", "WAVE"),
            ("CUNIT3", "um"),
        ],
    );
    for (key, v) in [
        ("CRPIX1", 5.0),
        ("CRPIX2", 3.5),
        ("CRPIX3", 1.0),
        ("CRVAL1", ra),
        ("CRVAL2", dec),
        ("CRVAL3", 5.0),
        ("CDELT1", step),
        ("CDELT2", step),
        ("CDELT3", 0.5),
        ("PC1_1", -1.0),
        ("PC2_2", 1.0),
    ] {
        h.set(key, v, "");
    }
    h
}

/// A cube as calwebb's, without most of its keywords.
fn cube(path: &Path, primary: &Header, sci: &Header) -> String {
    let mut w = Writer::create(path, false).expect("made");
    w.empty(primary).expect("written");
    w.image::<f32>(sci, &[NZ, NY, NX]).expect("written");
    w.put(0, &vec![1.5f32; NZ * NY * NX]).expect("written");
    let mut dq = Header::new();
    dq.set("EXTNAME", "DQ", "");
    w.image::<u32>(&dq, &[NZ, NY, NX]).expect("written");
    w.put(0, &vec![513u32; NZ * NY * NX]).expect("written");
    let (header, table) = TableBuilder::new(1)
        .bytes("ASDF_METADATA", b"#ASDF 1.0.0\n")
        .build("ASDF");
    w.table(&header, &table).expect("written");
    w.finish().expect("written");
    path.display().to_string()
}

struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn out(&self) -> String {
        self.path("out").display().to_string()
    }

    fn saturn(&self) -> String {
        cube(&self.path("saturn_s3d.fits"), &primary(), &sci())
    }

    /// Runs on a file, with the tiny kernels and more arguments.
    fn tiny(&self, file: &str, more: &[&str]) -> Ran {
        let (out, kernels) = (self.out(), tiny());
        let mut args = vec![file, "-o", &out];
        args.extend(more);
        args.extend(kernels.iter().map(String::as_str));
        run(&args, &[])
    }

    fn product(&self) -> FitsFile {
        FitsFile::open(self.path("out/saturn_s3d_nav.fits")).expect("a product")
    }
}

fn names(file: &FitsFile) -> Vec<String> {
    file.hdus()
        .iter()
        .skip(1)
        .map(sifu::formats::fits::HduInfo::name)
        .collect()
}

fn plane(file: &FitsFile, name: &str) -> Vec<f64> {
    file.all(file.need(name).expect(name)).expect(name)
}

#[test]
fn a_cube_gets_its_planes() {
    let case = Case::new();
    let file = case.saturn();
    let ran = case.tiny(&file, &[]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    let made = case.product();
    let all = names(&made);
    assert_eq!(all[..3], ["SCI", "DQ", "ASDF"]);
    assert_eq!(all[3..], NAV17);
    let head = &made.hdus()[0].header;
    assert_eq!(head.str("NAV CLASS"), Some("SolarSystemBodyNavigator"));
    assert_eq!(head.bool("NAV BASIC"), Some(false));
    assert_eq!(head.str("NAV REC_KERNEL_DATE"), Some("2024-01-20T12:30:00"));
    assert_eq!(
        (head.f64("NAV RA_OFFSET"), head.f64("NAV DEC_OFFSET")),
        (Some(0.0), Some(0.0))
    );
    assert_eq!(head.str("NAV OBSERVER"), Some("kernel"));
    assert_eq!(head.str("FILENAME"), Some("saturn_s3d_nav.fits"));
    let lat = &made.hdus()[made.need("LAT").expect("LAT")];
    assert_eq!(lat.shape(), Some(&[NY, NX][..]));
    assert_eq!(
        (lat.header.str("BUNIT"), lat.header.i64("BITPIX")),
        (Some("deg"), Some(-64))
    );
    assert!(
        lat.header
            .str("ABOUT")
            .is_some_and(|a| a.contains("latitude"))
    );
    let on = plane(&made, "LAT").iter().filter(|v| v.is_finite()).count();
    assert!((15..26).contains(&on), "{on}");
    assert_eq!(plane(&made, "DQ")[0], 513.0);
    // again, on the product and with other planes: those of before go
    let again = case.path("out/saturn_s3d_nav.fits").display().to_string();
    let ran = case.tiny(&again, &["--planes", "all,RING-SHADOW", "--threads", "1"]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    let twice = FitsFile::open(case.path("out/saturn_s3d_nav_nav.fits")).expect("a product");
    let all = names(&twice);
    assert_eq!(all[..3], ["SCI", "DQ", "ASDF"]);
    assert_eq!(all[3..29], PLANETMAPPER);
    assert_eq!(all[29..], ["RING-SHADOW"]);
    let cards = twice.hdus()[0].header.cards();
    assert_eq!(cards.iter().filter(|c| c.keyword == "NAV CLASS").count(), 1);
}

#[test]
fn kernels_are_found_where_they_are_said_to_be() {
    let case = Case::new();
    let file = case.saturn();
    assert_eq!(case.tiny(&file, &["-q"]).code, 0);
    let first = plane(&case.product(), "LAT");
    let folder = case.path("kernels/deep");
    std::fs::create_dir_all(&folder).expect("made");
    for name in ["tiny.tpc", "tiny.bsp"] {
        std::fs::copy(kernel(name), folder.join(name)).expect("copied");
    }
    let list = case.path("all.tm");
    std::fs::write(&list, "KPL/MK\n\\begindata\nKERNELS_TO_LOAD = ( 'kernels/deep/tiny.tpc' 'kernels/deep/tiny.bsp' )\n")
        .expect("written");
    let (out, list) = (case.out(), list.display().to_string());
    let own = std::env::join_paths([kernel("tiny.tpc"), kernel("tiny.bsp")]).expect("joined");
    let top = case.path("kernels").display().to_string();
    let base = [file.as_str(), "-o", &out, "-q"];
    let with_list = [&base[..], &["-k", &list]].concat();
    for (args, env) in [
        (
            &base[..],
            vec![("SIFU_KERNELS", own.to_str().expect("text"))],
        ),
        (&base[..], vec![("PLANETMAPPER_KERNEL_PATH", top.as_str())]),
        (&with_list[..], vec![("SIFU_KERNELS", "/nowhere")]),
    ] {
        let ran = run(args, &env);
        assert_eq!(ran.code, 0, "{env:?}: {}", ran.said);
        let same = plane(&case.product(), "LAT");
        assert!(
            same.iter()
                .zip(&first)
                .all(|(a, b)| a.to_bits() == b.to_bits())
        );
    }
}

/// JWST and Saturn's centre are not built in: the header and the barycentre stand for them.
#[test]
fn without_kernels() {
    let case = Case::new();
    let none: [&Path; 0] = [];
    let k = Kernels::with_built_in(&none).expect("built in");
    let et = k.et_of_utc("2024-01-10T23:06:40").expect("a date");
    let earth = k.barycentric(399, et).expect("the Earth");
    let saturn = k.barycentric(6, et - 5200.0).expect("Saturn");
    let jwst = sifu::math::vector::add(earth.position, [1e6, 1e6, 3e5]);
    let toward = sifu::math::vector::unit(sifu::math::vector::sub(saturn.position, jwst));
    let mut sci = sci();
    sci.set(
        "CRVAL1",
        toward[1].atan2(toward[0]).to_degrees().rem_euclid(360.0),
        "",
    );
    sci.set("CRVAL2", toward[2].asin().to_degrees(), "");
    let bare = cube(&case.path("bare_s3d.fits"), &primary(), &sci);
    let out = case.out();
    let ran = run(&[&bare, "-o", &out], &[]);
    assert_eq!(ran.code, 4);
    for part in ["jwst_rec.bsp", "JWST_X", "bare_s3d.fits"] {
        assert!(ran.said.contains(part), "{part}: {}", ran.said);
    }
    for (i, x) in ["JWST_X", "JWST_Y", "JWST_Z"].iter().enumerate() {
        sci.set(x, jwst[i], "");
    }
    let file = cube(&case.path("saturn_s3d.fits"), &primary(), &sci);
    let ran = run(&[&file, "-o", &out], &[]);
    assert_eq!(ran.code, 4);
    for part in ["sat441.bsp", "--barycentre", "310 km"] {
        assert!(ran.said.contains(part), "{part}: {}", ran.said);
    }
    assert!(!case.path("out/saturn_s3d_nav.fits").exists());
    let ran = run(&[&file, "-o", &out, "--barycentre"], &[]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert!(ran.said.contains("barycentre"), "{}", ran.said);
    let made = case.product();
    let head = &made.hdus()[0].header;
    assert_eq!(head.str("NAV CENTRE"), Some("SATURN BARYCENTER"));
    assert_eq!(head.str("NAV OBSERVER"), Some("JWST_X, JWST_Y, JWST_Z"));
    assert!(plane(&made, "LAT").iter().any(|v| v.is_finite()));
    // geocentric ones, in metres; and a pair that contradicts itself
    for (i, x) in ["OBSGEO-X", "OBSGEO-Y", "OBSGEO-Z"].iter().enumerate() {
        sci.set(x, [1e9, 1e9, 3e8][i], "");
    }
    let both = cube(&case.path("saturn_s3d.fits"), &primary(), &sci);
    let ran = run(&[&both, "-o", &out, "--barycentre"], &[]);
    assert!(ran.code == 0 && !ran.said.contains("apart"), "{}", ran.said);
    sci.set("OBSGEO-X", -1e9, "");
    let both = cube(&case.path("saturn_s3d.fits"), &primary(), &sci);
    let ran = run(&[&both, "-o", &out, "--barycentre"], &[]);
    assert!(
        ran.code == 0 && ran.said.contains("2000000 km apart"),
        "{}",
        ran.said
    );
    for x in ["JWST_X", "OBSGEO-X"] {
        sci.set(x, 1e15, "");
    }
    let far = cube(&case.path("saturn_s3d.fits"), &primary(), &sci);
    let ran = run(&[&far, "-o", &out, "--barycentre"], &[]);
    assert!(
        ran.code == 4 && ran.said.contains("from the Earth"),
        "{}",
        ran.said
    );
}

#[test]
fn what_cannot_be_navigated_is_said() {
    let case = Case::new();
    let file = case.saturn();
    let said = |ran: Ran, code: i32, part: &str| {
        assert_eq!(ran.code, code, "{}", ran.said);
        assert!(ran.said.contains(part), "{part}: {}", ran.said);
        assert!(!case.path("out/saturn_s3d_nav.fits").exists());
    };
    said(case.tiny(&file, &["--target", "Nibiru"]), 2, "Nibiru");
    said(case.tiny(&file, &["--planes", "LAT,HEIGHT"]), 2, "HEIGHT");
    said(case.tiny(&file, &["--planes", ","]), 2, "empty");
    said(case.tiny(&file, &["--abcorr", "XCN"]), 2, "sends");
    said(case.tiny(&file, &["--abcorr", "CM"]), 2, "CM");
    said(case.tiny(&file, &["--altitude", "-99999"]), 2, "nothing");
    said(
        case.tiny(&file, &["--epoch", "2030-01-01"]),
        4,
        "hold it for",
    );
    said(case.tiny(&file, &["--epoch", "yesterday"]), 3, "no date");
    said(case.tiny(&file, &["--observer", "Nowhere"]), 2, "Nowhere");
    said(case.tiny(&file, &["--ra-offset", "NaN"]), 2, "numbers");
    said(
        case.tiny(&file, &["--basic", "--rest-wavelength"]),
        2,
        "velocities",
    );
    // kernels that are not there, cut short, or contradict each other
    let out = case.out();
    said(
        run(&[&file, "-o", &out, "-k", "/nowhere"], &[]),
        4,
        "/nowhere",
    );
    said(
        run(&[&file, "-o", &out], &[("SIFU_KERNELS", "/nowhere")]),
        4,
        "SIFU_KERNELS",
    );
    let cut = case.path("cut.bsp");
    let bytes = std::fs::read(kernel("tiny.bsp")).expect("read");
    std::fs::write(&cut, &bytes[..20_000]).expect("written");
    let cut = cut.display().to_string();
    said(run(&[&file, "-o", &out, "-k", &cut], &[]), 3, "cut short");
    let odd = case.path("odd.tpc");
    std::fs::write(&odd, "KPL/PCK\n\\begindata\nBODY699_RADII += 'round'\n").expect("written");
    let odd = odd.display().to_string();
    said(
        run(&[&file, "-o", &out, "-k", &kernel("tiny.tpc"), &odd], &[]),
        3,
        "contradict",
    );
    // images
    let mut bare = sci();
    for k in ["CTYPE1", "CTYPE2", "CTYPE3"] {
        bare.remove(k);
    }
    let bare = cube(&case.path("bare_s3d.fits"), &primary(), &bare);
    said(case.tiny(&bare, &[]), 3, "no WCS");
    said(case.tiny(&bare, &["--basic"]), 3, "bare_s3d.fits");
    let mut undated = primary();
    undated.remove("DATE-BEG");
    let undated = cube(&case.path("undated_s3d.fits"), &undated, &sci());
    said(case.tiny(&undated, &[]), 3, "DATE-BEG");
    let mut lost = primary();
    lost.remove("TELESCOP");
    let lost = cube(&case.path("lost_s3d.fits"), &lost, &sci());
    said(case.tiny(&lost, &[]), 3, "--observer");
    let table = case.path("table_s3d.fits");
    let mut w = Writer::create(&table, false).expect("made");
    w.empty(&primary()).expect("written");
    w.finish().expect("written");
    said(case.tiny(&table.display().to_string(), &[]), 3, "no image");
    said(case.tiny("/nowhere.fits", &[]), 3, "/nowhere.fits");
}

/// A body that has no shape, or that nobody knows, gets directions only, and a warning.
#[test]
fn basic_navigation() {
    let case = Case::new();
    for (target, why) in [("Titan", "radii"), ("Nibiru", "Nibiru"), ("", "TARGNAME")] {
        let mut head = primary();
        head.set("TARGNAME", target, "");
        let file = cube(&case.path("saturn_s3d.fits"), &head, &sci());
        let ran = case.tiny(&file, &[]);
        assert!(ran.code == 0 && ran.said.contains(why), "{}", ran.said);
        let made = case.product();
        assert_eq!(names(&made)[3..], ["RA", "DEC"]);
        assert_eq!(
            made.hdus()[0].header.str("NAV CLASS"),
            Some("BasicNavigator")
        );
        assert_eq!(made.hdus()[0].header.bool("NAV BASIC"), Some(true));
    }
    // asked for, it needs neither epoch nor observer
    let file = cube(&case.path("saturn_s3d.fits"), &Header::new(), &sci());
    let ran = run(&[&file, "-o", &case.out(), "--basic"], &[]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert_eq!(names(&case.product())[3..], ["RA", "DEC"]);
}

#[test]
fn offsets_are_on_the_sky() {
    let case = Case::new();
    let file = case.saturn();
    let offsets = ["--ra-offset", "-0.4", "--dec-offset", "0.15"];
    assert_eq!(case.tiny(&file, &[]).code, 0);
    let (ra, dec) = (plane(&case.product(), "RA"), plane(&case.product(), "DEC"));
    let made = |more: &[&str]| {
        let ran = case.tiny(&file, &[&offsets[..], more].concat());
        assert_eq!(ran.code, 0, "{}", ran.said);
        let p = case.product();
        let head = &p.hdus()[0].header;
        let value = |k: &str| head.f64(k).expect(k);
        let cards = [
            value("NAV RA_OFFSET"),
            value("NAV RA_OFFSET_SKY"),
            value("NAV DEC_OFFSET"),
        ];
        (
            (plane(&p, "RA")[0] - ra[0]) * 3600.0,
            (plane(&p, "DEC")[0] - dec[0]) * 3600.0,
            cards,
        )
    };
    let cosine = dec[dec.len() / 2].to_radians().cos();
    let (a, d, cards) = made(&[]);
    assert!(
        (a * cosine - 0.4).abs() < 1e-5 && (d + 0.15).abs() < 1e-9,
        "{a} {d}"
    );
    assert!((cards[0] * cosine + 0.4).abs() < 1e-5 && cards[1] == -0.4 && cards[2] == 0.15);
    let (a, _, cards) = made(&["--raw-offset"]);
    assert!((a - 0.4).abs() < 1e-9 && cards[0] == -0.4 && (cards[1] + 0.4 * cosine).abs() < 1e-5);
}

#[test]
fn wavelengths_as_sent() {
    let case = Case::new();
    let file = case.saturn();
    let ran = case.tiny(&file, &["--rest-wavelength", "--planes", "DOPPLER"]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    let made = case.product();
    assert_eq!(names(&made)[3..], ["DOPPLER", "WAVELENGTH_REST"]);
    let (factor, rest) = (plane(&made, "DOPPLER"), plane(&made, "WAVELENGTH_REST"));
    for (i, r) in rest.iter().enumerate() {
        let seen = 5.0 + 0.5 * (i / (NY * NX)) as f64;
        let f = factor[i % (NY * NX)];
        assert!(
            (r.is_nan() && f.is_nan()) || (r * f - seen).abs() < 1e-12,
            "{i} {r}"
        );
    }
}

/// An image of another telescope, in its primary HDU, with a CD matrix.
#[test]
fn any_image_will_do() {
    let case = Case::new();
    let mut h = sci();
    let step = h.f64("CDELT1").expect("a step");
    for k in [
        "EXTNAME", "CDELT1", "CDELT2", "PC1_1", "PC2_2", "CTYPE3", "CUNIT3", "CRPIX3", "CRVAL3",
        "CDELT3",
    ] {
        h.remove(k);
    }
    h.set("CD1_1", -step, "");
    h.set("CD2_2", step, "");
    h.set("TELESCOP", "ESO-VLT-U4", "");
    h.set("OBJECT", "Saturn", "");
    h.set("DATE-OBS", "2024-01-10T23:00:00", "");
    h.set("EXPTIME", 800.0, "");
    let path = case.path("saturn_s3d.fits");
    let mut w = Writer::create(&path, false).expect("made");
    w.image::<f32>(&h, &[NY, NX]).expect("written");
    w.put(0, &[0f32; NY * NX]).expect("written");
    w.finish().expect("written");
    let file = path.display().to_string();
    let ran = case.tiny(&file, &[]);
    assert!(
        ran.code == 0 && ran.said.contains("centre of the Earth"),
        "{}",
        ran.said
    );
    let earth = plane(&case.product(), "LAT");
    assert_eq!(names(&case.product()), NAV17);
    let ran = case.tiny(&file, &["--observer", "JWST"]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    let jwst = plane(&case.product(), "LAT");
    assert!(jwst.iter().any(|v| v.is_finite()) && jwst[22] != earth[22]);
}
