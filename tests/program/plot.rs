//! `sifu plot` on small navigated cubes: what is drawn, and that lines lie on the backplanes.

use std::path::{Path, PathBuf};
use std::process::Command;

use sifu::formats::fits::{FitsFile, Header, Writer};
use sifu::model::dq;
use sifu::nav::{Aspect, Correction, Kernels, Observer};
use sifu::pipeline::{changes, plot};
use sifu::view::figure::{Item, Rect, Segment};
use sifu::view::summary::Options;
use sifu::view::{Figure, text};

const KERNELS: &str = "tests/golden/nav";
pub const NZ: usize = 12;

/// A cube of Saturn in January 2024.
#[derive(Clone)]
pub struct Made {
    pub size: [usize; 2],
    /// Spaxels across the equator.
    pub diameter: f64,
    /// Middle of the field from the body's, in its diameters: west and north.
    pub away: [f64; 2],
    /// Turn of the field, degrees.
    pub roll: f64,
    pub target: &'static str,
    pub value: fn(usize, usize, usize) -> f32,
}

pub fn smooth(k: usize, y: usize, x: usize) -> f32 {
    (10 + k + (y * y + 3 * x) % 17) as f32
}

pub const PLAIN: Made = Made {
    size: [30, 40],
    diameter: 18.0,
    away: [0.1, -0.05],
    roll: 25.0,
    target: "Saturn",
    value: smooth,
};

fn kernel_files() -> [PathBuf; 2] {
    ["tiny.tpc", "tiny.bsp"].map(|n| Path::new(KERNELS).join(n))
}

pub fn program(args: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifu"));
    for name in ["SIFU_KERNELS", "PLANETMAPPER_KERNEL_PATH", "CRDS_PATH"] {
        command.env_remove(name);
    }
    let out = command.args(args).output().expect("starts");
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!said.contains("panicked"), "{said}");
    (out.status.code().expect("an end"), said)
}

/// Writes a cube and navigates it.
pub fn navigated(dir: &Path, made: &Made, more: &[&str]) -> PathBuf {
    let [ny, nx] = made.size;
    let k = Kernels::with_built_in(&kernel_files()).expect("loads");
    let et = k.et_of_utc("2024-01-10T23:06:40").expect("a date");
    let a = Aspect::new(&k, 699, &Observer::Body(-170), et, Correction::CN).expect("seen");
    let [ra, dec] = a.centre();
    let wide = a.diameter() / 3600.0;
    let (s, c) = made.roll.to_radians().sin_cos();
    let mut primary = Header::new();
    for (key, v) in [
        ("TELESCOP", "JWST"),
        ("TARGNAME", made.target),
        ("TARGPROP", "SATURN-RINGS"),
        ("INSTRUME", "MIRI"),
        ("CHANNEL", "1"),
        ("BAND", "SHORT"),
        ("CRDS_CTX", "jwst_1234.pmap"),
        ("REDUCT1", "Desaturated"),
        ("REDUCT2", "Despiked"),
        ("DATE-BEG", "2024-01-10T23:00:00.000"),
        ("DATE-END", "2024-01-10T23:13:20.000"),
    ] {
        primary.set(key, v, "");
    }
    primary.set("PATT_NUM", 2i64, "");
    let mut sci = Header::new();
    for (key, v) in [
        ("EXTNAME", "SCI"),
        ("BUNIT", "MJy/sr"),
        ("CTYPE1", "RA---TAN"),
        ("CTYPE2", "DEC--TAN"),
        ("CTYPE3", "WAVE"),
    ] {
        sci.set(key, v, "");
    }
    for (key, v) in [
        ("CRPIX1", (nx as f64 + 1.0) / 2.0),
        ("CRPIX2", (ny as f64 + 1.0) / 2.0),
        ("CRPIX3", 1.0),
        ("CRVAL1", ra - made.away[0] * wide / dec.to_radians().cos()),
        ("CRVAL2", dec + made.away[1] * wide),
        ("CRVAL3", 5.0),
        ("CDELT1", wide / made.diameter),
        ("CDELT2", wide / made.diameter),
        ("CDELT3", 0.05),
        ("PC1_1", -c),
        ("PC1_2", s),
        ("PC2_1", s),
        ("PC2_2", c),
    ] {
        sci.set(key, v, "");
    }
    let mut values = Vec::new();
    for z in 0..NZ {
        for y in 0..ny {
            values.extend((0..nx).map(|x| (made.value)(z, y, x)));
        }
    }
    let path = dir.join("saturn_s3d.fits");
    let mut w = Writer::create(&path, false).expect("made");
    w.empty(&primary).expect("written");
    w.image::<f32>(&sci, &[NZ, ny, nx]).expect("written");
    w.put(0, &values).expect("written");
    w.finish().expect("written");
    let (file, out) = (path.display().to_string(), dir.display().to_string());
    let kernels = kernel_files().map(|p| p.display().to_string());
    let mut args = vec![
        "navigate",
        &file,
        "-o",
        &out,
        "-k",
        &kernels[0],
        &kernels[1],
    ];
    args.extend(more);
    let (code, said) = program(&args);
    assert_eq!(code, 0, "{said}");
    dir.join("saturn_s3d_nav.fits")
}

/// The page of a cube, with the built-in kernels only.
fn page(cube: &Path) -> Figure {
    let none: [&Path; 0] = [];
    let kernels = Kernels::with_built_in(&none).expect("built in");
    plot::figure(cube, &kernels, &Options::default()).expect("drawn")
}

/// Names of groups, in order.
fn groups(items: &[Item]) -> Vec<String> {
    let mut out = Vec::new();
    for item in items {
        if let Item::Group { name, items, .. } = item {
            out.push(name.clone());
            out.extend(groups(items));
        }
    }
    out
}

/// No text is cut off at the page's edge, and none lies on another. Texts inside of a clip are in their place.
fn tidy(figure: &Figure) {
    let page = Rect::new(0.0, 0.0, figure.width, figure.height);
    let all = figure.texts();
    assert!(all.len() > 25);
    for (i, (t, clip)) in all.iter().enumerate() {
        let place = text::bounds(t);
        if clip.is_some() {
            continue;
        }
        assert!(page.holds(&place), "{t:?} is cut off");
        for (other, clip) in &all[..i] {
            let there = text::bounds(other);
            assert!(
                clip.is_some() || !place.overlaps(&there),
                "{:?} lies on {:?}",
                t.text,
                other.text
            );
        }
    }
}

fn says(figure: &Figure, what: &str) -> bool {
    let all = figure.texts();
    all.iter().any(|(t, _)| text::plain(&t.text).contains(what))
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn the_page_has_all_its_parts() {
    let dir = folder();
    let figure = page(&navigated(dir.path(), &PLAIN, &[]));
    tidy(&figure);
    let got = groups(&figure.items);
    let want = [
        "title",
        "sky",
        "sky map",
        "field",
        "grid",
        "rings",
        "terminator",
        "dark limb",
        "limb",
        "pole",
        "bottom axis",
        "left axis",
        "seen",
        "pointing",
        "made",
        "picture",
        "compass",
        "arrow N",
        "arrow E",
        "spectrum",
        "spectra",
        "invalid voxels",
        "brightest spectrum",
        "whole spectrum",
        "bottom axis",
        "left axis",
        "right axis",
        "legend",
        "images",
        "image 1",
        "image 2",
        "image 3",
        "image 4",
        "image 5",
        "image 6",
        "invalid",
        "compass of the images",
        "compass",
        "arrow N",
        "arrow E",
        "arrow P",
        "invalid 1",
        "grid",
        "rings",
        "terminator",
        "dark limb",
        "limb",
        "pole",
        "invalid 2",
        "invalid 3",
        "invalid 4",
        "invalid 5",
        "invalid 6",
        "colour bar",
        "right axis",
    ];
    assert_eq!(got, want, "{}", figure.outline());
    for what in [
        "SATURN-RINGS  |  Dither 2  |  MIRI  |  Channel 1 SHORT",
        "2024-01-10T23:00:00.000 UTC",
        "Disc diameter: 18.00 px",
        "JWST pointing",
        "CRDS context: jwst_1234.pmap",
        "Despiked",
        "Mean spectrum (MJy/sr)",
        "5.458–5.550 µm",
        "Wavelength (µm)",
    ] {
        assert!(says(&figure, what), "{what} in {}", figure.outline());
    }
    // images are 40 spaxels wide
    assert_eq!(figure.outline().matches("picture 40 x 30").count(), 13);
}

/// Points of the lines of a group.
fn points(items: &[Item], group: &str) -> Vec<[f64; 2]> {
    let mut out = Vec::new();
    for item in items {
        if let Item::Group { name, items, .. } = item
            && name == group
            && let Some(Item::Path { path, .. }) = items.last()
        {
            for s in &path.0 {
                if let Segment::Move(p) | Segment::Line(p) = s {
                    out.push(*p);
                }
            }
        }
    }
    out
}

/// On the first map of invalid voxels, the limb lies where the backplane of its height is 0.
#[test]
fn the_limb_lies_on_the_backplanes_limb() {
    for (roll, away, diameter) in [
        (0.0, [0.0, 0.0], 18.0),
        (131.0, [0.1, 0.2], 22.0),
        (-70.0, [0.45, 0.1], 60.0),
    ] {
        let dir = folder();
        let made = Made {
            roll,
            away,
            diameter,
            ..PLAIN
        };
        let cube = navigated(dir.path(), &made, &[]);
        let figure = page(&cube);
        let map = figure.find("invalid 1").expect("drawn");
        let Some(Item::Picture(picture)) = map.first() else {
            panic!("no picture in {}", figure.outline());
        };
        let back = picture.place.inverse().expect("a size");
        let file = FitsFile::open(&cube).expect("opens");
        let height: Vec<f64> = file
            .all(file.find("DISTANCE_LIMB").expect("navigated"))
            .expect("read");
        let [ny, nx] = made.size;
        let mut tried = 0;
        let mut worst: f64 = 0.0;
        for p in [points(map, "limb"), points(map, "dark limb")].concat() {
            // pixels' centres are half a pixel from their corners
            let [x, y] = back.apply(p).map(|v| v - 0.5);
            let (i, j) = (x.floor(), y.floor());
            if i < 0.0 || j < 0.0 || i + 2.0 > nx as f64 || j + 2.0 > ny as f64 {
                continue;
            }
            let (i, j, u, v) = (i as usize, j as usize, x - i, y - j);
            let at = |i: usize, j: usize| height[j * nx + i];
            let low = at(i, j) + u * (at(i + 1, j) - at(i, j));
            let high = at(i, j + 1) + u * (at(i + 1, j + 1) - at(i, j + 1));
            // a spaxel is so many km
            let km = 2.0 * 60_268.0 / diameter;
            worst = worst.max((low + v * (high - low)).abs() / km);
            tried += 1;
        }
        println!("roll {roll}: {tried} points of the limb, at most {worst:.4} spaxels off");
        assert!(tried > 100, "{tried}");
        assert!(worst < 0.05, "roll {roll}: {worst} spaxels");
    }
}

#[test]
fn odd_cubes_have_a_page_too() {
    let nothing: fn(usize, usize, usize) -> f32 = |_, _, _| f32::NAN;
    let half: fn(usize, usize, usize) -> f32 = |k, y, x| match x < 20 {
        true => f32::NAN,
        false => smooth(k, y, x),
    };
    let negative: fn(usize, usize, usize) -> f32 = |k, y, x| -smooth(k, y, x);
    for (name, value, diameter, away, more) in [
        ("basic", PLAIN.value, 18.0, [0.0, 0.0], vec!["--basic"]),
        ("nothing", nothing, 18.0, [0.0, 0.0], vec![]),
        ("half", half, 18.0, [0.0, 0.0], vec![]),
        ("negative", negative, 18.0, [0.0, 0.0], vec![]),
        ("a point", PLAIN.value, 0.6, [0.0, 0.0], vec![]),
        ("close", PLAIN.value, 300.0, [0.4, 0.2], vec![]),
        ("beside", PLAIN.value, 300.0, [0.8, 0.0], vec![]),
        (
            "moved",
            PLAIN.value,
            18.0,
            [0.0, 0.0],
            vec!["--ra-offset", "0.4", "--dec-offset", "-0.2"],
        ),
    ] {
        let dir = folder();
        let made = Made {
            value,
            diameter,
            away,
            ..PLAIN
        };
        let figure = page(&navigated(dir.path(), &made, &more));
        tidy(&figure);
        let all = groups(&figure.items);
        let has = |g: &str| all.iter().any(|n| n == g);
        assert_eq!(has("limb"), name != "basic", "{name}");
        assert_eq!(has("arrow P"), name != "basic", "{name}");
        assert_eq!(has("cross"), name == "a point", "{name}");
        assert_eq!(has("nothing valid"), name == "nothing", "{name}");
        assert_eq!(
            says(&figure, "linear scale"),
            matches!(name, "nothing" | "negative"),
            "{name}"
        );
        if name == "moved" {
            assert!(says(&figure, "RA +0.400″ on the sky, Dec −0.200″"));
        }
        for kind in ["png", "svg", "pdf"] {
            let out = dir.path().join("page").with_extension(kind);
            sifu::view::write(&figure, &out, 400).expect("written");
        }
    }
}

#[test]
fn lines_of_another_body_are_not_drawn() {
    let dir = folder();
    let cube = navigated(dir.path(), &PLAIN, &[]);
    // the cards say that the body is elsewhere
    let product = FitsFile::open(&cube)
        .expect("opens")
        .product()
        .expect("read");
    let mut product = product;
    let ra = product.hdus[0].header.f64("NAV TARGET RA").expect("a card");
    product.hdus[0].header.set("NAV TARGET RA", ra + 0.001, "");
    let moved = dir.path().join("moved_nav.fits");
    product.write(&moved, false).expect("written");
    let figure = page(&moved);
    tidy(&figure);
    assert!(
        says(&figure, "Wireframe from backplanes"),
        "{}",
        figure.outline()
    );
    let all = groups(&figure.items);
    assert!(all.iter().any(|g| g == "limb") && !all.iter().any(|g| g == "arrow P"));
    // with the right kernels it is as it was
    let kernels = Kernels::with_built_in(&kernel_files()).expect("loads");
    let figure = plot::figure(&moved, &kernels, &Options::default()).expect("drawn");
    assert!(!says(&figure, "Wireframe from backplanes"));
}

#[test]
fn a_detector_image_has_a_page_of_its_own() {
    let dir = folder();
    let path = dir.path().join("stage1/jw1_rate.fits");
    let mut flags = [0; 16];
    flags[0] = dq::SATURATED | dq::DO_NOT_USE;
    flags[1..4].fill(dq::JUMP_DET);
    super::report::rate(&path, &flags);
    let figure = page(&path);
    tidy(&figure);
    let groups = groups(&figure.items);
    for part in ["values", "flags", "colours", "legend", "facts"] {
        assert!(groups.iter().any(|g| g == part), "{part}");
    }
    // one is NaN, and one not to be used: the median is of 14 rates
    for what in [
        "3 (18.75 %)",
        "12 (75.00 %)",
        "4 × 4 pixels, 1 without a value",
        "median 8.5,",
        "detector: MIRIFUSHORT",
        "groups: 5",
        "jw1_rate.fits",
    ] {
        assert!(says(&figure, what), "{what}");
    }
    let out = dir.path().join("rate.svg").display().to_string();
    let (code, said) = program(&["plot", &path.display().to_string(), "-o", &out]);
    assert_eq!(code, 0, "{said}");
    assert!(Path::new(&out).is_file());
}

#[test]
fn a_flat_has_its_statistics() {
    let dir = folder();
    let path = dir.path().join("flat.fits");
    // two planes of which the second one corrects: three values 10 % off, one unknown
    let mut flat = vec![1.0; 8];
    flat[4..].copy_from_slice(&[1.1, 0.9, 1.1, f64::NAN]);
    let mut w = Writer::create(&path, false).expect("made");
    w.image::<f64>(&Header::new(), &[2, 2, 2]).expect("written");
    w.put(0, &flat).expect("written");
    let mut header = Header::new();
    header.set("EXTNAME", "FLAT_CORRECTED", "");
    w.image::<f64>(&header, &[2]).expect("written");
    w.put(0, &[0.0, 1.0]).expect("written");
    w.finish().expect("written");
    let figure = page(&path);
    for what in [
        "flat.fits",
        "1 of 2 planes of 2 × 2 corrected; rms 0.1000",
        "1 values missing",
        "Plane 2, rms 0.1000",
    ] {
        assert!(says(&figure, what), "{what}");
    }
}

#[test]
fn a_cube_that_a_flat_was_applied_to_is_a_cube() {
    let dir = folder();
    let cube = navigated(dir.path(), &PLAIN, &[]);
    let before = groups(&page(&cube).items);
    let plane = dir.path().join("plane.fits");
    let mut w = Writer::create(&plane, false).expect("made");
    w.empty(&Header::new()).expect("written");
    let mut header = Header::new();
    header.set("EXTNAME", "FLAT_CORRECTED", "");
    w.image::<f64>(&header, &[NZ]).expect("written");
    w.put(0, &[1.0; NZ]).expect("written");
    w.finish().expect("written");
    // without its empty primary HDU, of one block
    let plane = std::fs::read(&plane).expect("reads");
    let mut all = std::fs::read(&cube).expect("reads");
    all.extend(&plane[2880..]);
    std::fs::write(&cube, all).expect("written");
    assert_eq!(groups(&page(&cube).items), before);
}

#[test]
fn a_cube_before_and_after_a_step() {
    let dir = folder();
    let cube = navigated(dir.path(), &PLAIN, &[]);
    let at = |name: &str| dir.path().join(name);
    for stage in ["stage3/d1", "stage3_desaturated/d1"] {
        std::fs::create_dir_all(at(stage)).expect("made");
        std::fs::copy(&cube, at(stage).join("a_nav.fits")).expect("copied");
    }
    let paths = ["stage3", "stage3_desaturated"].map(|s| at(s).join("d1/a_nav.fits"));
    let figure = changes::figure(&paths, &changes::Options::default()).expect("drawn");
    for what in ["stage3_desaturated", "changed 0, filled 0, lost 0"] {
        assert!(says(&figure, what), "{what}");
    }
    let [a, b] = paths.map(|p| p.display().to_string());
    let out = at("pages/steps.png").display().to_string();
    let args = ["plot", "--steps", &a, &b, "-o", &out, "--spaxel", "3,4"];
    let (code, said) = program(&args);
    assert_eq!(code, 0, "{said}");
    assert!(Path::new(&out).is_file());
    let other = at("saturn_s3d.fits").display().to_string();
    let none = at("x.png").display().to_string();
    for (more, want, what) in [
        (vec![a.as_str(), "-o", &none], 2, "2 to 6 cubes"),
        (vec![&a, &b, "-o", &none, "--spaxel", "0,1"], 2, "--spaxel"),
        (vec![&a, &b, "-o", &none, "--spaxel", "900,1"], 2, "900,1"),
        (
            vec![&a, &b, "-o", &none, "--wavelength", "1:2"],
            2,
            "no wavelength",
        ),
        (vec![&a, &other, "-o", "pages"], 2, "--steps"),
    ] {
        let (code, said) = program(&[&["plot", "--steps"], &more[..]].concat());
        assert_eq!(code, want, "{said}");
        assert!(said.contains(what), "{said}");
        assert!(!Path::new(&none).exists());
    }
}

#[test]
fn the_program_writes_pictures_and_says_what_is_wrong() {
    let dir = folder();
    let cube = navigated(dir.path(), &PLAIN, &[]);
    let cube = cube.to_str().expect("text");
    let at = |name: &str| dir.path().join(name).display().to_string();
    for (name, begins) in [
        ("a.png", &b"\x89PNG"[..]),
        ("a.svg", b"<svg"),
        ("a.pdf", b"%PDF"),
    ] {
        let (code, said) = program(&["plot", cube, "-o", &at(name)]);
        assert_eq!(code, 0, "{said}");
        let bytes = std::fs::read(at(name)).expect("there");
        assert!(bytes.starts_with(begins), "{name}");
        if name == "a.png" {
            assert_eq!(bytes[16..24], [0, 0, 7, 208, 0, 0, 7, 208]);
        }
        // the same again
        program(&["plot", cube, "-o", &at(name)]);
        assert_eq!(std::fs::read(at(name)).expect("there"), bytes);
    }
    let (code, said) = program(&["plot", &at(""), "-o", &at("pages"), "--format", "svg"]);
    assert_eq!(code, 0, "{said}");
    assert!(Path::new(&at("pages/saturn_s3d_nav.svg")).is_file());
    let plain = at("saturn_s3d.fits");
    for (args, want, says) in [
        (vec![plain.as_str(), "-o", "x.png"], 3, "sifu navigate"),
        (vec![cube, "-o", "x.jpg"], 2, ".png, .svg or .pdf"),
        (
            vec![cube, plain.as_str(), "-o", "x.png"],
            2,
            "give a folder",
        ),
        (vec![cube, "-o", "x.png", "--limits", "9"], 2, "--limits"),
        (vec![cube, "-o", "x.png", "--width", "3"], 2, "--width"),
        (
            vec!["tests/golden/nav/planes.csv", "-o", "x.png"],
            3,
            "planes.csv",
        ),
        (vec!["nowhere.fits", "-o", "x.png"], 3, "no such file"),
    ] {
        let (code, said) = program(&[&["plot"], &args[..]].concat());
        assert_eq!(code, want, "{said}");
        assert!(said.contains(says), "{said}");
        assert!(!Path::new("x.png").exists());
    }
}

#[test]
fn a_cube_in_the_terminal() {
    let dir = folder();
    let cube = navigated(dir.path(), &PLAIN, &[]);
    let view = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sifu"));
        let out = command.arg("view").args(args).output().expect("starts");
        let text = |b: Vec<u8>| String::from_utf8(b).expect("text");
        (out.status.code(), text(out.stdout), text(out.stderr))
    };
    let cube = cube.to_str().expect("text");
    let (code, shown, said) = view(&[cube, "--width", "50"]);
    assert_eq!(code, Some(0), "{said}");
    // a pipe gets no colours, and no line is wider than asked
    assert!(!shown.contains('\u{1b}'), "{shown}");
    assert!(shown.lines().skip(2).all(|l| l.chars().count() <= 80));
    for what in [
        "SATURN-RINGS",
        "40 x 30 spaxels, 12 wavelengths 5.000 to 5.550 um, 0.0 % invalid",
        "north ↗, east ↖",
        "logarithmic",
    ] {
        assert!(shown.contains(what), "{what} in {shown}");
    }
    let image = shown.lines().skip(3).take_while(|l| !l.contains(" to "));
    assert_eq!(image.count(), 15);
    for (args, says) in [
        (vec!["nowhere.fits"], "nowhere.fits"),
        (vec![cube, "--wavelength", "9:10"], "5.000 to 5.550 micron"),
        (vec![cube, "--wavelength", "x"], "FIRST:LAST"),
    ] {
        let (code, _, said) = view(&args);
        assert!(code != Some(0) && said.contains(says), "{said}");
    }
}
