//! Transforms and WCS against Python's: committed goldens, and shared real reference files where they are.

use std::path::{Path, PathBuf};

use sifu::formats::asdf::{AsdfFile, NdArray, Node, Storage, fits_extension, to_bytes};
use sifu::formats::fits::{Header, TableBuilder, Writer};
use sifu::model::Meta;
use sifu::wcs::footprint::Footprint;
use sifu::wcs::frames::Frame;
use sifu::wcs::gwcs::Step;
use sifu::wcs::moving_target::with_target_frame;
use sifu::wcs::{Gwcs, Mrs, Transform, cube};

fn table(node: &Node) -> Vec<Vec<f64>> {
    let array = node.as_array().expect("an array");
    let values: Vec<f64> = array.to_vec().expect("floats");
    let columns = array.shape()[1];
    values.chunks(columns).map(<[f64]>::to_vec).collect()
}

/// Worst difference, relative to 1 or the value; a NaN on one side only is infinite.
fn worst(ours: &[Vec<f64>], theirs: &[Vec<f64>]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let pairs = ours.iter().flatten().zip(theirs.iter().flatten());
    pairs.fold(0.0, |w, (a, b)| match (a.is_nan(), b.is_nan()) {
        (true, true) => w,
        (false, false) => f64::max(w, (a - b).abs() / b.abs().max(1.0)),
        _ => f64::INFINITY,
    })
}

#[test]
fn every_class_agrees_with_astropy() {
    let file = AsdfFile::open("tests/golden/wcs/transforms.asdf").expect("golden");
    let cases = file.require("cases").unwrap().as_sequence().unwrap();
    assert!(cases.len() > 38, "{}", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let name = case.get("name").and_then(Node::as_str).unwrap();
        let t = Transform::from_node(case.get("model").unwrap()).expect(name);
        // what we write is read as the same
        let written = Transform::from_node(&t.to_node().unwrap()).expect(name);
        for t in [&t, &written] {
            let points = table(case.get("points").unwrap());
            let points: Vec<&[f64]> = points.iter().map(Vec::as_slice).collect();
            let expected = table(case.get("values").unwrap());
            let bounded = case.get("bounded").and_then(Node::as_bool).unwrap();
            let values = match bounded {
                true => t.evaluate_bounded(&points),
                false => t.evaluate(&points),
            };
            let off = worst(&values.expect(name), &expected);
            if off > 1e-14 {
                wrong.push(format!("{name}: {off:e}"));
            }
            if let Some(back) = case.get("inverse").filter(|n| !n.is_null()) {
                let inverse = t.inverted().expect(name);
                let at: Vec<&[f64]> = expected.iter().map(Vec::as_slice).collect();
                let off = worst(&inverse.evaluate(&at).expect(name), &table(back));
                // a projection near its pole loses digits in any order of operations
                let projected = matches!(name, "gnomonic" | "fits_like");
                if off > if projected { 2e-12 } else { 1e-13 } {
                    wrong.push(format!("{name}, inverse: {off:e}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn cubes_agree_with_jwst() {
    let file = AsdfFile::open("tests/golden/wcs/cubes.asdf").expect("golden");
    let cases = file.require("cases").unwrap().as_sequence().unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let name = string(case, "name");
        let mut sci = Header::new();
        for (key, value) in case.get("keywords").unwrap().as_mapping().unwrap().iter() {
            match value.as_f64() {
                Some(v) => sci.set(&key.to_string(), v, ""),
                None => sci.set(&key.to_string(), value.as_str().unwrap(), ""),
            }
        }
        let shape = case.get("shape").unwrap().as_sequence().unwrap();
        let shape = [0, 1, 2].map(|k| shape[k].as_i64().unwrap() as usize);
        let table = case.get("wavelength").and_then(Node::as_array);
        let table: Option<Vec<f32>> = table.map(|t| t.to_vec().unwrap());
        let ours = cube::gwcs(&sci, shape, table.as_deref()).expect(name);
        let theirs = Gwcs::from_node(case.get("wcs").unwrap()).expect(name);
        assert_eq!(ours.bounding_box(), theirs.bounding_box());
        let rows = |key| -> Vec<Vec<f64>> {
            let array = case.get(key).unwrap().as_array().unwrap();
            let values: Vec<f64> = array.to_vec().unwrap();
            values
                .chunks(array.shape()[1])
                .map(<[f64]>::to_vec)
                .collect()
        };
        let (points, values, back) = (rows("points"), rows("values"), rows("back"));
        let points: Vec<&[f64]> = points.iter().map(Vec::as_slice).collect();
        let read = Gwcs::from_node(&ours.to_node().unwrap()).unwrap();
        for w in [&ours, &theirs, &read] {
            let mut found = w.forward(&points).unwrap();
            for (k, ra) in found[0].iter_mut().enumerate() {
                // near the pole right ascension counts for little
                *ra = values[0][k] + (*ra - values[0][k]) * values[1][k].to_radians().cos();
            }
            // the rotation's products are added in another order there: 2e-10 arcsec
            let off = worst(&found, &values);
            assert!(off <= 5e-14, "{name}: {off:e}");
            let inside: Vec<Vec<f64>> = w
                .forward(&points)
                .unwrap()
                .iter()
                .map(|c| [&c[..2], &c[3..]].concat())
                .collect();
            let inside: Vec<&[f64]> = inside.iter().map(Vec::as_slice).collect();
            let expected: Vec<Vec<f64>> =
                back.iter().map(|c| [&c[..2], &c[3..]].concat()).collect();
            let found = w.between(w.last(), w.first(), &inside).unwrap();
            // a thousandth of a milliarcsecond is a millionth of a voxel
            let off = worst(&found, &expected);
            assert!(off < 2e-8, "{name}, inverse: {off:e}");
        }
    }
}

/// Shared real reference files; none (and a word about it) where they are not.
fn shared(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SIFU_SHARED").unwrap_or_else(|| "../shared".into());
    let path = Path::new(&root).join(name);
    if !path.exists() {
        println!("skipped: {} is not here", path.display());
        return None;
    }
    Some(path)
}

fn number(case: &Node, key: &str) -> Option<f64> {
    case.get(key).and_then(Node::as_f64)
}

fn string<'a>(case: &'a Node, key: &str) -> &'a str {
    case.get(key).and_then(Node::as_str).expect(key)
}

/// A regions file that marks these pixels `[x, y, px, py, label]` only.
fn regions(pixels: &[Vec<f64>]) -> AsdfFile {
    let (ny, nx) = (1024, 1032);
    let mut plane = vec![0_i32; ny * nx];
    for ((x, y), label) in pixels[2].iter().zip(&pixels[3]).zip(&pixels[4]) {
        if *x >= 0.0 {
            plane[*y as usize * nx + *x as usize] = *label as i32;
        }
    }
    let mut all = vec![0_i32; 7 * ny * nx];
    all.extend_from_slice(&plane);
    let array = NdArray::new(&[8, ny, nx], &all, Storage::Internal).unwrap();
    let mut tree = Node::mapping();
    tree.set("regions", array);
    AsdfFile::from_bytes(to_bytes(&tree).unwrap(), "regions.asdf").unwrap()
}

fn exposure(case: &Node, pixels: &[Vec<f64>]) -> Option<Mrs> {
    let open = |key: &str| Some(AsdfFile::open(shared(string(case, key))?).expect(key));
    let mut meta = Meta::default();
    meta.primary.set("EXP_TYPE", "MIR_MRS", "");
    meta.primary.set("CHANNEL", string(case, "channel"), "");
    meta.primary.set("BAND", string(case, "band"), "");
    for key in [
        "v2_ref", "v3_ref", "roll_ref", "ra_ref", "dec_ref", "va_scale", "velosys",
    ] {
        if let Some(v) = number(case, key) {
            meta.sci.set(&key.to_uppercase(), v, "");
        }
    }
    let files = [
        &open("distortion")?,
        &open("specwcs")?,
        &regions(pixels),
        &open("wavelengthrange")?,
    ];
    Some(Mrs::of_exposure(&meta, (1024, 1032), files).expect("a WCS"))
}

/// Worst distance on the sky in arcsec.
fn apart(a: &[Vec<f64>], b: &[Vec<f64>]) -> f64 {
    let mut worst: f64 = 0.0;
    for k in 0..a[0].len() {
        assert_eq!(a[0][k].is_nan(), b[0][k].is_nan(), "point {k}");
        if a[0][k].is_nan() {
            continue;
        }
        let ra = (a[0][k] - b[0][k]).to_radians().sin() * b[1][k].to_radians().cos();
        let dec = (a[1][k] - b[1][k]).to_radians();
        worst = worst.max(ra.hypot(dec).to_degrees() * 3600.0);
    }
    worst
}

fn slices(columns: &[Vec<f64>]) -> Vec<&[f64]> {
    columns.iter().map(Vec::as_slice).collect()
}

#[test]
fn mrs_coordinates_agree_with_pythons_in_all_bands() {
    let file = AsdfFile::open("tests/golden/wcs/mrs.asdf").expect("golden");
    let cases = file.require("cases").unwrap().as_sequence().unwrap();
    assert_eq!(cases.len(), 12);
    let mut bands = Vec::new();
    for case in cases {
        let of = |key: &str| table(case.get(key).unwrap());
        let pixels = of("pixels");
        let Some(mrs) = exposure(case, &pixels) else {
            return;
        };
        let name = format!("{} of {}", string(case, "band"), string(case, "distortion"));
        let gwcs = mrs.gwcs();
        let xy = [pixels[0].as_slice(), &pixels[1]];
        let local = gwcs.between("detector", "alpha_beta", &xy).unwrap();
        assert!(
            worst(&local, &of("local")) < 1e-13,
            "{name}: {:e}",
            worst(&local, &of("local"))
        );
        let telescope = gwcs.between("detector", "v2v3", &xy).unwrap();
        assert!(worst(&telescope, &of("telescope")) < 1e-13, "{name}");
        let local_there = local;
        let sky = gwcs.forward(&xy).unwrap();
        assert!(
            apart(&sky, &of("sky")) < 1e-9,
            "{name}: {:e}",
            apart(&sky, &of("sky"))
        );
        assert!(
            sky[0].iter().filter(|v| v.is_finite()).count() > 40,
            "{name}"
        );

        // the map of the whole detector, and what follows from it
        let map = mrs.detector_map();
        let footprint = Footprint::of(&map.ra, &map.dec, &map.lambda).unwrap();
        assert_eq!(footprint.s_region(), string(case, "s_region"), "{name}");
        let spans = case.get("spectral_region").unwrap();
        let spans = [0, 1].map(|i| spans.child(&i.to_string()).and_then(Node::as_f64).unwrap());
        assert_eq!([footprint.lambda.0, footprint.lambda.1], spans, "{name}");
        let centres = [&pixels[2], &pixels[3]].map(|c| c[..c.len() - 1].to_vec());
        let at: Vec<usize> = (0..centres[0].len())
            .map(|k| centres[1][k] as usize * map.nx + centres[0][k] as usize)
            .collect();
        let pick = |v: &[f64]| at.iter().map(|k| v[*k]).collect::<Vec<f64>>();
        let local = gwcs
            .between("detector", "alpha_beta", &slices(&centres))
            .unwrap();
        let mapped = [pick(&map.alpha), pick(&map.beta), pick(&map.lambda)];
        assert_eq!(worst(&mapped, &local), 0.0, "{name}");
        let sky_there = gwcs.forward(&slices(&centres)).unwrap();
        assert!(
            apart(&[pick(&map.ra), pick(&map.dec)], &sky_there) < 1e-9,
            "{name}"
        );

        // the backward transform that Python has, before and after blanking what is off the detector
        let (asked, expected) = (of("asked"), of("back"));
        let back = gwcs.between("world", "detector", &slices(&asked)).unwrap();
        for (a, b) in back.iter().flatten().zip(expected.iter().flatten()) {
            // far extrapolations reach huge pixel numbers
            let fine =
                (a.is_nan() && b.is_nan()) || (a - b).abs() < 1e-6 * (b.abs() / 2000.0).max(1.0);
            assert!(fine, "{name}: {a} {b}");
        }
        let on = gwcs.backward(&slices(&asked)).unwrap();
        for k in 0..asked[0].len() {
            let (x, y) = (expected[0][k], expected[1][k]);
            assert_eq!(
                on[0][k].is_nan(),
                !(-0.5..=1031.5).contains(&x),
                "{name} {x}"
            );
            assert_eq!(
                on[1][k].is_nan(),
                !(-0.5..=1023.5).contains(&y),
                "{name} {y}"
            );
        }

        // exactly back: the same slice coordinates and wavelength as asked for
        let n = pixels[0].len();
        let exact = mrs.exact_backward(&sky[0], &sky[1], &sky[2]).unwrap();
        let mut found = 0;
        for k in (0..n).filter(|k| sky[0][*k].is_finite()) {
            let (x, y) = (exact[0][k], exact[1][k]);
            if x.is_nan() && local_there[1][k].is_finite() {
                continue;
            }
            found += 1;
            let off = (x - pixels[0][k]).abs().max((y - pixels[1][k]).abs());
            assert!(off < 1e-6, "{name}: {off:e} pixel off at {k}");
        }
        assert!(
            found * 10 > 9 * (n - 2),
            "{name}: {found} of {n} found exactly"
        );
        bands.push(name);
    }
    println!("{}", bands.join("\n"));
}

#[test]
fn the_instrument_teams_reference_points_hold() {
    let points = std::fs::read_to_string("tests/golden/wcs/reference_points.txt").unwrap();
    let file = AsdfFile::open("tests/golden/wcs/mrs.asdf").expect("golden");
    let cases = file.require("cases").unwrap().as_sequence().unwrap();
    let mut seen = 0;
    for case in cases {
        if !string(case, "distortion").contains("miri_wcs_cdp") {
            continue;
        }
        let pixels = table(case.get("pixels").unwrap());
        let Some(mrs) = exposure(case, &pixels) else {
            return;
        };
        let letter = match string(case, "band") {
            "SHORT" => 'A',
            "MEDIUM" => 'B',
            _ => 'C',
        };
        let channels = &mrs.references().channels;
        for line in points.lines().filter(|l| !l.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (channel, band): (i64, char) =
                (words[0].parse().unwrap(), words[1].parse().unwrap());
            let slice: i64 = words[2].parse().unwrap();
            let values: Vec<f64> = words[3..].iter().map(|w| w.parse().unwrap()).collect();
            let of = channels.iter().find(|c| i64::from(c.number) == channel);
            let Some(of) = of.filter(|_| band == letter) else {
                continue;
            };
            let [x, y, alpha, beta, lambda, v2, v3] = values[..] else {
                panic!("{line}")
            };
            let label = channel * 100 + slice;
            let slice = mrs
                .references()
                .slices
                .iter()
                .find(|s| s.label == label)
                .unwrap();
            let near = |a: f64, b: f64, off: f64, what: &str| {
                assert!(
                    (a - b).abs() < off,
                    "{what} of {channel}{band} slice {label}: {a}, {b}"
                );
            };
            near(slice.alpha.at(&[y, x]).unwrap()[0], alpha, 0.05, "alpha");
            near(slice.beta.at(&[x]).unwrap()[0], beta, 0.05, "beta");
            near(slice.lambda.at(&[y, x]).unwrap()[0], lambda, 0.05, "lambda");
            let telescope = of.to_v2v3.at(&[alpha, beta]).unwrap();
            near(telescope[0], v2, 0.05, "V2");
            near(telescope[1], v3, 0.05, "V3");
            near(slice.x.at(&[lambda, alpha]).unwrap()[0], x, 0.08, "x");
            seen += 1;
        }
    }
    assert_eq!(seen, 24);
}

#[test]
fn a_moving_target_has_a_frame_of_its_own() {
    let file = AsdfFile::open("tests/golden/wcs/mrs.asdf").expect("golden");
    let case = &file.require("cases").unwrap().as_sequence().unwrap()[0];
    let pixels = table(case.get("pixels").unwrap());
    let Some(mrs) = exposure(case, &pixels) else {
        return;
    };
    let xy = [pixels[0].as_slice(), &pixels[1]];
    let sky = mrs.gwcs().forward(&xy).unwrap();
    let moving = with_target_frame(mrs.gwcs().clone(), (54.4, 18.7), (54.3, 18.9)).unwrap();
    assert_eq!(moving.last(), "moving_target");
    let shifted = moving.forward(&xy).unwrap();
    for k in 0..xy[0].len() {
        let at = [
            sky[0][k] + (54.4 - 54.3),
            sky[1][k] + (18.7 - 18.9),
            sky[2][k],
        ];
        for (a, b) in at
            .into_iter()
            .zip([shifted[0][k], shifted[1][k], shifted[2][k]])
        {
            assert!(a == b || (a.is_nan() && b.is_nan()));
        }
    }
    let read = Gwcs::from_node(&moving.to_node().unwrap()).unwrap();
    assert_eq!(worst(&read.forward(&xy).unwrap(), &shifted), 0.0);
}

/// A tree cut or changed anywhere is read or refused, never a panic.
#[test]
fn damaged_trees_are_refused() {
    let bytes = std::fs::read("tests/golden/wcs/transforms.asdf").unwrap();
    let end = bytes.windows(5).position(|w| w == b"\n...\n").unwrap();
    let mut state = 12345_u64;
    let mut random = |n: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % n
    };
    let (mut read, mut refused) = (0, 0);
    for _ in 0..400 {
        let mut damaged = bytes.clone();
        for _ in 0..3 {
            let at = 900 + random(end - 900);
            // values and keys rather than the layout, which the reader of YAML would refuse
            damaged[at] = match damaged[at] {
                b'0'..=b'9' => b"0123456789-e"[random(12)],
                b'a'..=b'z' => b"abinsx"[random(6)],
                other => other,
            };
        }
        let Ok(file) = AsdfFile::from_bytes(damaged, "damaged.asdf") else {
            refused += 1;
            continue;
        };
        let cases = file.tree().get("cases").and_then(Node::as_sequence);
        for case in cases.unwrap_or_default() {
            match case.get("model").map(Transform::from_node) {
                Some(Ok(t)) => {
                    let point = vec![1.5; t.n_inputs()];
                    let out = t.at(&point).unwrap();
                    assert_eq!(out.len(), t.n_outputs());
                    if let Ok(inverse) = t.inverted() {
                        let _ = inverse.at(&out);
                    }
                    read += 1;
                }
                _ => refused += 1,
            }
        }
    }
    assert!(
        read > 1000 && refused > 100,
        "{read} read, {refused} refused"
    );
}

/// Runs `sifu wcs` with no cache of reference files; exit code, output and messages.
fn wcs_of(file: &Path, args: &[&str]) -> (i32, String, String) {
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_sifu"))
        .arg("wcs")
        .arg(file)
        .args(args)
        .env_remove("CRDS_PATH")
        .env_remove("CRDS_CONTEXT")
        .output()
        .expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (
        out.status.code().unwrap_or(-1),
        text(out.stdout),
        text(out.stderr),
    )
}

#[test]
fn the_program_tells_coordinates() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, kind: &str, wcs: Option<&Gwcs>| {
        let path = folder.path().join(name);
        let mut primary = Header::new();
        for (k, v) in [
            ("TELESCOP", "JWST"),
            ("EXP_TYPE", kind),
            ("CHANNEL", "12"),
            ("BAND", "SHORT"),
        ] {
            primary.set(k, v, "");
        }
        let mut sci = Header::new();
        sci.set("EXTNAME", "SCI", "");
        let mut tree = Node::mapping();
        tree.set("meta.telescope", "JWST");
        if let Some(wcs) = wcs {
            tree.set("meta.wcs", wcs.to_node().unwrap());
        }
        let bytes = fits_extension(&tree).unwrap();
        let (header, table) = TableBuilder::new(1)
            .bytes("ASDF_METADATA", &bytes)
            .build("ASDF");
        let mut w = Writer::create(&path, false).unwrap();
        w.empty(&primary).unwrap();
        w.image::<f32>(&sci, &[4, 5]).unwrap();
        w.put(0, &[0.0_f32; 20]).unwrap();
        w.table(&header, &table).unwrap();
        w.finish().unwrap();
        path
    };
    let mut first = Transform::scale(0.1).beside(Transform::shift(-3.0));
    first.bounding_box = Some(vec![Some((-0.5, 4.5)), Some((-0.5, 3.5))]);
    let step = |frame, transform| Step { frame, transform };
    let gwcs = Gwcs::new(vec![
        step(Frame::plane("detector", ["x", "y"], "pixel"), Some(first)),
        step(Frame::icrs().renamed("world"), None),
    ])
    .unwrap();
    let path = write("cal.fits", "MIR_MRS", Some(&gwcs));
    let (code, out, err) = wcs_of(&path, &["2", "1.5"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(
        out,
        "ra       0.2000000000 deg\ndec      -1.5000000000 deg\n"
    );
    let (code, out, _) = wcs_of(&path, &["0.2", "-1.5", "--inverse"]);
    assert_eq!(
        (code, out.as_str()),
        (0, "x        2.0000000000\ny        1.5000000000\n")
    );

    let fails = |path: &Path, args: &[&str], code: i32, word: &str| {
        let (found, out, err) = wcs_of(path, args);
        assert_eq!((found, out.as_str()), (code, ""), "{err}");
        assert!(err.contains(word) && !err.contains("panicked"), "{err}");
    };
    fails(&path, &["4.6", "1"], 1, "off the detector");
    fails(&path, &["--inverse", "9", "9"], 1, "no pixel");
    fails(&path, &["1", "2", "3"], 2, "needs 2: X Y");
    fails(&path, &["1", "NaN"], 2, "numbers");
    fails(&path, &["1", "x"], 2, "x");
    fails(
        &write("image.fits", "MIR_IMAGE", None),
        &["1", "2"],
        3,
        "MIR_IMAGE",
    );
    fails(&write("rate.fits", "MIR_MRS", None), &["1", "2"], 4, "CRDS");
    fails(
        &folder.path().join("none.fits"),
        &["1", "2"],
        5,
        "none.fits",
    );
}
