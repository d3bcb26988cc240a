//! The WCS of the NIRSpec IFU against Python's: an invented spectrograph (committed), and the observatory's own reference
//! files with the ground-test trace of slice 0 where they are (`$SIFU_SHARED/real`, default `../shared/real`).

use std::path::PathBuf;

use sifu::formats::asdf::{AsdfFile, Node, to_bytes};
use sifu::formats::fits::{FitsFile, Header};
use sifu::model::{Cal, DetectorMap, Meta, Rate};
use sifu::wcs::footprint::Footprint;
use sifu::wcs::gwcs::Step;
use sifu::wcs::moving_target::with_target_frame;
use sifu::wcs::nirspec::{
    Files, Located, NirspecReferences, SLICES, Setting, Shutter, ShutterArray, SliceMap, SliceTrace,
};
use sifu::wcs::pointing::Pointing;
use sifu::wcs::transform::Transform;
use sifu::wcs::{ExposureWcs, Gwcs, Nirspec, map_of};

fn table(case: &Node, key: &str) -> Vec<Vec<f64>> {
    let array = case.get(key).and_then(Node::as_array).expect(key);
    let values: Vec<f64> = array.to_vec().expect("floats");
    values
        .chunks(array.shape()[1])
        .map(<[f64]>::to_vec)
        .collect()
}

fn text<'a>(case: &'a Node, key: &str) -> &'a str {
    case.get(key).and_then(Node::as_str).expect(key)
}

fn floats(case: &Node, key: &str) -> Vec<f64> {
    let items = case.get(key).and_then(Node::as_sequence).expect(key);
    items.iter().map(|n| n.as_f64().expect(key)).collect()
}

fn slices(columns: &[Vec<f64>]) -> Vec<&[f64]> {
    columns.iter().map(Vec::as_slice).collect()
}

/// Worst difference; a NaN on one side only is infinite.
fn worst(ours: &[f64], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let pairs = ours.iter().zip(theirs);
    pairs.fold(0.0, |w, (a, b)| match (a.is_nan(), b.is_nan()) {
        (true, true) => w,
        (false, false) => f64::max(w, (a - b).abs()),
        _ => f64::INFINITY,
    })
}

/// The invented reference files of a case.
struct Model {
    files: Vec<(&'static str, AsdfFile)>,
    meta: Meta,
}

impl Model {
    fn of(golden: &AsdfFile, case: &Node) -> Self {
        let keywords = case.get("keywords").and_then(Node::as_mapping).unwrap();
        let mut primary = Header::new();
        primary.set("EXP_TYPE", "NRS_IFU", "");
        for (key, value) in keywords.iter() {
            match value.as_str() {
                Some(text) => primary.set(&key.to_string(), text, ""),
                None => primary.set(&key.to_string(), value.as_f64().unwrap(), ""),
            }
        }
        let meta = Meta {
            source: "x_rate.fits".into(),
            primary,
            ..Meta::default()
        };
        let grating = meta.str("GRATING").unwrap().to_owned();
        let kinds = [
            "camera",
            "collimator",
            "disperser",
            "fore",
            "fpa",
            "ifufore",
            "ifupost",
            "ifuslicer",
            "ote",
            "wavelengthrange",
            "chromcorr",
        ];
        let files = kinds.map(|kind| {
            let key = match kind {
                "disperser" => format!("refs.disperser-{grating}"),
                _ => format!("refs.{kind}"),
            };
            let bytes = to_bytes(golden.require(&key).unwrap()).unwrap();
            (
                kind,
                AsdfFile::from_bytes(bytes, format!("{kind}.asdf")).unwrap(),
            )
        });
        Self {
            files: files.into(),
            meta,
        }
    }

    fn file(&self, kind: &str) -> &AsdfFile {
        let mut files = self.files.iter();
        &files.find(|(k, _)| *k == kind).unwrap().1
    }

    fn references(&self) -> NirspecReferences {
        NirspecReferences::read(&Files {
            camera: self.file("camera"),
            collimator: self.file("collimator"),
            disperser: self.file("disperser"),
            fore: self.file("fore"),
            fpa: self.file("fpa"),
            ifufore: self.file("ifufore"),
            ifupost: self.file("ifupost"),
            ifuslicer: self.file("ifuslicer"),
            ote: self.file("ote"),
            wavelengthrange: self.file("wavelengthrange"),
            chromcorr: Some(self.file("chromcorr")),
        })
        .expect("references")
    }

    fn optics(&self) -> Nirspec {
        self.optics_between([-0.55, 0.55])
    }

    fn optics_between(&self, edges: [f64; 2]) -> Nirspec {
        let setting = Setting::from_meta(&self.meta).unwrap();
        let pointing = Pointing::from_meta(&self.meta).unwrap();
        Nirspec::new(&self.references(), &setting, &pointing, edges).expect("optics")
    }
}

fn traced(optics: &Nirspec) -> (SliceMap, Vec<Located>) {
    let slices = (0..SLICES).map(|i| optics.trace(i).unwrap());
    let (traces, points): (Vec<SliceTrace>, Vec<Located>) = slices.unzip();
    (SliceMap::of(traces), points)
}

/// Checks the two forms of the tree at the golden points.
fn check_points(case: &Node, optics: &Nirspec, map: &SliceMap, what: &str) {
    let points = table(case, "points");
    let per = points[0].len() / SLICES;
    let trees = [
        optics.coordinate_form(map).unwrap(),
        optics.slice_form(map).unwrap(),
    ];
    // what is written and read again is evaluated
    let [coordinate, by_slice] = trees.map(|t| Gwcs::from_node(&t.to_node().unwrap()).expect(what));
    let close = |ours: &[f64], row: usize, tolerance: f64, name: &str| {
        let off = worst(ours, &points[row]);
        assert!(off <= tolerance, "{what}: {name} is {off:e} off");
    };
    let (mut ours, mut back) = (vec![Vec::new(); 10], vec![Vec::new(); 2]);
    for i in 0..SLICES {
        let one = optics.slice(i, None).unwrap();
        let at = |k: usize| &points[k][i * per..(i + 1) * per];
        let frames = [
            ("slit_frame", 1..3),
            ("slicer", 0..2),
            ("v2v3", 0..3),
            ("world", 0..3),
        ];
        let mut k = 0;
        for (frame, which) in frames {
            let values = one.between("detector", frame, &[at(1), at(2)]).unwrap();
            for column in &values[which] {
                ours[k].extend(column);
                k += 1;
            }
        }
        let world = [at(10), at(11), at(12)];
        let pixels = one.between("world", "detector", &world).unwrap();
        back.iter_mut().zip(pixels).for_each(|(b, p)| b.extend(p));
    }
    let limits = [
        ("slit y", 1e-11),
        ("wavelength in the slit", 1e-15),
        ("slicer x", 1e-15),
        ("slicer y", 1e-13),
        ("V2", 1e-9),
        ("V3", 1e-9),
        ("wavelength", 1e-9),
        ("right ascension", 1e-12),
        ("declination", 1e-12),
        ("wavelength", 1e-9),
    ];
    for (k, (name, tolerance)) in limits.into_iter().enumerate() {
        close(&ours[k], 3 + k, tolerance, name);
    }
    close(&back[0], 13, 1e-6, "x backward");
    close(&back[1], 14, 1e-6, "y backward");
    let sky = coordinate.forward(&[&points[1], &points[2]]).unwrap();
    for (k, tolerance) in [1e-12, 1e-12, 1e-9].into_iter().enumerate() {
        close(&sky[k], 15 + k, tolerance, "coordinate form");
    }
    let world: Vec<&[f64]> = slices(&points[10..13]);
    let pixels = coordinate.backward(&world).unwrap();
    close(&pixels[0], 18, 1e-6, "coordinate form backward");
    close(&pixels[1], 19, 1e-6, "coordinate form backward");
    // the slice's number goes along
    let sky = by_slice.between(
        "detector",
        "world",
        &slices(&[points[1].clone(), points[2].clone(), points[0].clone()]),
    );
    let sky = sky.unwrap();
    assert_eq!(sky[3], points[0]);
    close(&sky[2], 12, 1e-9, "slice form");
    let world: Vec<&[f64]> = slices(&sky);
    let pixels = by_slice.between("world", "detector", &world).unwrap();
    close(&pixels[0], 13, 1e-6, "slice form backward");
    assert_eq!(pixels[2], points[0]);
}

#[test]
fn an_invented_spectrograph_agrees_with_pythons_evaluation() {
    let golden = AsdfFile::open("tests/golden/wcs/nirspec_model.asdf").expect("golden");
    let cases = golden.require("cases").unwrap().as_sequence().unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let model = Model::of(&golden, case);
        let what = format!(
            "{} {}",
            model.meta.str("GRATING").unwrap(),
            model.meta.str("DETECTOR").unwrap()
        );
        let optics = model.optics();
        let order = case.get("order").and_then(Node::as_f64).unwrap();
        assert_eq!(
            (optics.order, optics.range.to_vec()),
            (order, floats(case, "range"))
        );
        let (map, points) = traced(&optics);
        let (bounds, seen) = (table(case, "bounds"), table(case, "seen"));
        let counts = [floats(case, "pixels"), floats(case, "places")];
        for (i, trace) in map.traces.iter().enumerate() {
            let flat = |b: [(f64, f64); 2]| [b[0].0, b[0].1, b[1].0, b[1].1];
            assert!(worst(&flat(trace.bounds), &bounds[i]) < 1e-9, "{what} {i}");
            assert_eq!(flat(trace.seen.unwrap()).to_vec(), seen[i], "{what} {i}");
            let label = i as u8 + 1;
            let own = map.labels.iter().enumerate().filter(|(_, l)| **l == label);
            let (n, sum) = own.fold((0.0, 0.0), |(n, s), (k, _)| (n + 1.0, s + k as f64));
            assert_eq!([n, sum], [counts[0][i], counts[1][i]], "{what} {i}");
        }
        let all = |of: fn(&Located) -> &Vec<f64>| -> Vec<f64> {
            points.iter().flat_map(of).copied().collect()
        };
        let (ra, dec) = (all(|p| &p.sky[0]), all(|p| &p.sky[1]));
        let footprint = Footprint::of(&ra, &dec, &all(|p| &p.lambda)).unwrap();
        assert_eq!(footprint.s_region(), text(case, "s_region"), "{what}");
        let (low, high) = footprint.lambda;
        assert!(worst(&[low, high], &floats(case, "spectral_region")) < 1e-9);
        check_points(case, &optics, &map, &what);
    }
}

#[test]
fn light_of_shutters_falls_where_python_has_it() {
    let golden = AsdfFile::open("tests/golden/wcs/nirspec_model.asdf").expect("golden");
    let shutters = AsdfFile::open("tests/golden/wcs/nirspec_shutters.asdf").expect("golden");
    let msa = to_bytes(shutters.require("msa").unwrap()).unwrap();
    let array = ShutterArray::read(&AsdfFile::from_bytes(msa, "msa.asdf").unwrap()).unwrap();
    let cases = shutters.require("cases").unwrap().as_sequence().unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let model = Model::of(&golden, case);
        let setting = Setting::from_meta(&model.meta).unwrap();
        let pointing = Pointing::from_meta(&model.meta).unwrap();
        let pixels = |quadrant, column, row| {
            let shutter = Shutter {
                quadrant,
                column,
                row,
            };
            array.pixels(&model.references(), &setting, &pointing, shutter)
        };
        let expected = floats(case, "pixels").into_iter();
        let expected = expected.zip(floats(case, "places"));
        for (at, expected) in table(case, "shutters").iter().zip(expected) {
            let lit = pixels(at[0] as usize, at[1] as usize, at[2] as usize).unwrap();
            let sum: f64 = lit.iter().map(|p| f64::from(*p)).sum();
            assert_eq!((lit.len() as f64, sum), expected, "{setting:?} {at:?}");
        }
        for (q, x, y) in [(5, 1, 1), (0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 1, 3)] {
            let said = pixels(q, x, y).unwrap_err().to_string();
            assert!(said.contains("no shutter"), "{said}");
        }
    }
}

fn cal(meta: Meta) -> Cal {
    let n = 2048 * 2048;
    Cal::from_rate(Rate {
        meta,
        nints: None,
        ny: 2048,
        nx: 2048,
        sci: vec![0.0; n],
        err: vec![0.0; n],
        dq: vec![0; n],
        var_poisson: vec![0.0; n],
        var_rnoise: vec![0.0; n],
        extra: Vec::new(),
    })
    .unwrap()
}

#[test]
fn a_map_of_all_pixels_by_the_tree_is_that_of_the_traces() {
    let golden = AsdfFile::open("tests/golden/wcs/nirspec_model.asdf").expect("golden");
    let case = &golden.require("cases").unwrap().as_sequence().unwrap()[0];
    let model = Model::of(&golden, case);
    let optics = model.optics();
    let (map, points) = traced(&optics);
    let gwcs = optics.coordinate_form(&map).unwrap();
    let mut image = cal(model.meta.clone());
    image.set_wcs(gwcs.to_node().unwrap());
    let all = map_of(&image).unwrap();
    for (i, (trace, at)) in map.traces.iter().zip(&points).enumerate() {
        for (k, pixel) in trace.pixels.iter().enumerate() {
            let p = *pixel as usize;
            assert_eq!(usize::from(all.slice[p]), i + 1);
            let of_tree = [
                all.alpha[p],
                all.beta[p],
                all.lambda[p],
                all.ra[p],
                all.dec[p],
            ];
            let of_trace = [
                at.slicer[1][k],
                at.slicer[0][k],
                at.lambda[k],
                at.sky[0][k],
                at.sky[1][k],
            ];
            assert_eq!(of_tree, of_trace, "slice {i}, pixel {p}");
        }
    }
    let dark = all.slice.iter().zip(&all.lambda).filter(|(s, _)| **s == 0);
    assert!(dark.map(|(_, l)| l).all(|l| l.is_nan()));
    // a moving target's frame behind it
    let moving = with_target_frame(gwcs, (12.0, -42.0), (12.5, -42.25)).unwrap();
    image.set_wcs(moving.to_node().unwrap());
    let shifted = map_of(&image).unwrap();
    let p = map.traces[7].pixels[1000] as usize;
    assert_eq!(shifted.ra[p], all.ra[p] - 0.5);
    assert_eq!(shifted.dec[p], all.dec[p] + 0.25);
}

/// Each slice alone has the pixels of its trace.
fn slices_have_their_traces(by_number: &ExposureWcs, map: &DetectorMap, traces: &SliceMap) {
    for b in by_number.boxes(2048, 2048) {
        let own = by_number.wavelengths(&b, map).unwrap().unwrap();
        let trace = &traces.traces[b.label as usize - 1].pixels;
        let lit = (0..own.len()).filter(|k| !own[*k].is_nan());
        let lit =
            lit.map(|k| ((b.y.start + k / b.x.len()) * 2048 + b.x.start + k % b.x.len()) as u32);
        assert!(lit.eq(trace.iter().copied()), "slice {}", b.label);
    }
}

/// Slices wider than the edges that their bounds are first made by have all pixels that the bounds come to allow.
#[test]
fn wide_slices_go_on_beyond_the_first_bounds() {
    let golden = AsdfFile::open("tests/golden/wcs/nirspec_model.asdf").expect("golden");
    let case = &golden.require("cases").unwrap().as_sequence().unwrap()[0];
    let model = Model::of(&golden, case);
    let optics = model.optics_between([-2.5, 2.5]);
    let (traces, _) = traced(&optics);
    let mut image = cal(model.meta.clone());
    image.set_wcs(optics.slice_form(&traces).unwrap().to_node().unwrap());
    let wcs = ExposureWcs::of(&image).unwrap();
    slices_have_their_traces(&wcs, &map_of(&image).unwrap(), &traces);
    let plain = traced(&model.optics()).0;
    let count = |map: &SliceMap| map.traces.iter().map(|t| t.pixels.len()).sum::<usize>();
    assert!(count(&traces) > count(&plain));
}

/// Both forms of the tree give the same pixels the same slice and coordinates.
#[test]
fn points_that_carry_their_slice_are_where_the_labels_have_them() {
    let golden = AsdfFile::open("tests/golden/wcs/nirspec_model.asdf").expect("golden");
    let case = &golden.require("cases").unwrap().as_sequence().unwrap()[0];
    let model = Model::of(&golden, case);
    let optics = model.optics();
    let (traces, _) = traced(&optics);
    let read = |gwcs: &Gwcs| {
        let mut image = cal(model.meta.clone());
        image.set_wcs(gwcs.to_node().unwrap());
        let wcs = ExposureWcs::of(&image).unwrap();
        let map = map_of(&image).unwrap();
        (wcs, map)
    };
    let numbers = optics.slice_form(&traces).unwrap();
    let (by_label, expected) = read(&optics.coordinate_form(&traces).unwrap());
    let (by_number, map) = read(&numbers);
    assert!(by_number.by_number() && !by_label.by_number());
    let other = |p: &usize| map.slice[*p] != expected.slice[*p];
    let other: Vec<usize> = (0..map.slice.len()).filter(other).collect();
    assert!(other.is_empty(), "{} pixels of another slice", other.len());
    let same = |a: &[f64], b: &[f64]| {
        let mut pairs = a.iter().zip(b);
        pairs.all(|(a, b)| a == b || a.is_nan() && b.is_nan())
    };
    for (ours, theirs) in [
        (&map.alpha, &expected.alpha),
        (&map.beta, &expected.beta),
        (&map.lambda, &expected.lambda),
        (&map.ra, &expected.ra),
        (&map.dec, &expected.dec),
    ] {
        assert!(same(ours, theirs));
    }
    let boxes = by_number.boxes(2048, 2048);
    assert_eq!(boxes.len(), by_label.boxes(2048, 2048).len());
    for b in &boxes {
        assert_eq!(by_label.wavelengths(b, &expected).unwrap(), None);
    }
    slices_have_their_traces(&by_number, &map, &traces);
    // points between pixels, and the way from the slicer on
    let p = traces.traces[7].pixels[1000] as usize;
    let (x, y) = ([(p % 2048) as f64 + 0.25, 5000.0], [(p / 2048) as f64, 3.0]);
    let [across, along, lambda] = by_number.local(&x, &y).unwrap();
    let expected = by_label.local(&x, &y).unwrap();
    assert!(
        same(&across, &expected[0]) && same(&along, &expected[1]) && same(&lambda, &expected[2])
    );
    assert!(lambda[1].is_nan() && by_number.labels(&x, &y).unwrap()[1] == 0);
    let sky = by_number.sky(&across, &along, &lambda).unwrap();
    assert_eq!(
        sky[0][0],
        by_label.sky(&across, &along, &lambda).unwrap()[0][0]
    );
    assert!(by_number.local(&x, &y[1..]).is_err());
    // a moving target's frame behind it; jwst's assign_mtwcs leaves the number out there
    let moving = with_target_frame(numbers.clone(), (12.0, -42.0), (12.5, -42.25)).unwrap();
    let at = moving.steps().len() - 2;
    let last = moving.steps()[at].transform.as_ref().unwrap();
    let names = last.inputs.as_ref().unwrap();
    assert_eq!(names.last().map(String::as_str), Some("name"));
    let shift = Transform::shift(-0.5).beside(Transform::shift(0.25));
    let shift = shift.beside(Transform::identity(1));
    let mut pythons = moving.to_node().unwrap();
    let mut steps = pythons
        .get("steps")
        .and_then(Node::as_sequence)
        .unwrap()
        .to_vec();
    steps[at].set("transform", shift.to_node().unwrap());
    pythons.set("steps", steps);
    let pythons = Gwcs::from_node(&pythons).unwrap();
    for gwcs in [&moving, &pythons] {
        let shifted = read(gwcs).1;
        assert_eq!(shifted.ra[p], map.ra[p] - 0.5);
        assert_eq!(shifted.dec[p], map.dec[p] + 0.25);
    }
}

#[test]
fn what_does_not_fit_says_so() {
    let golden = AsdfFile::open("tests/golden/wcs/nirspec_model.asdf").expect("golden");
    let cases = golden.require("cases").unwrap().as_sequence().unwrap();
    let [grating, prism] = [&cases[0], &cases[2]].map(|c| Model::of(&golden, c));
    let pointing = Pointing::from_meta(&grating.meta).unwrap();
    let setting = |m: &Model| Setting::from_meta(&m.meta).unwrap();
    let said = |refs: &NirspecReferences, setting: &Setting, edges| {
        let optics = Nirspec::new(refs, setting, &pointing, edges);
        optics.expect_err("an error").to_string()
    };
    let edges = [-0.55, 0.55];
    // the prism with a grating's file, and the reverse
    let refs = grating.references();
    assert!(said(&refs, &setting(&prism), edges).contains("kcoef"));
    assert!(said(&prism.references(), &setting(&grating), edges).contains("groovedensity"));
    let mut cold = setting(&prism);
    cold.temperature = None;
    assert!(said(&prism.references(), &cold, edges).contains("GWA_TILT"));
    assert!(said(&refs, &setting(&grating), [0.5, -0.5]).contains("slit_y_low"));
    assert!(said(&refs, &setting(&grating), [f64::NAN, 0.5]).contains("slit_y_low"));
    assert!(grating.optics().slice(30, None).is_err());
    assert!(grating.optics().trace(30).is_err());
    for (keyword, value, word) in [
        ("DETECTOR", "NRS3", "NRS3"),
        ("GRATING", "MIRROR", "MIRROR"),
        ("FILTER", "OPAQUE", "OPAQUE"),
    ] {
        let mut meta = grating.meta.clone();
        meta.primary.set(keyword, value, "");
        let said = Setting::from_meta(&meta).unwrap_err().to_string();
        assert!(
            said.contains(word) && said.contains("x_rate.fits"),
            "{said}"
        );
    }
    let mut medium = setting(&grating);
    (medium.grating, medium.detector) = ("G395M".into(), 1);
    assert!(!medium.has_light());
    medium.detector = 0;
    assert!(medium.has_light());
    // a detector that the prism does not reach: no pixel, and no error before somebody asks for the WCS
    let mut dark = setting(&prism);
    dark.detector = 1;
    let optics = Nirspec::new(&prism.references(), &dark, &pointing, edges).unwrap();
    let (trace, at) = optics.trace(0).unwrap();
    assert!(trace.seen.is_none() && trace.pixels.is_empty() && at.lambda.is_empty());
}

/// A folder of shared data, or none where it is not.
fn shared(path: &str) -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let path = std::env::var_os("SIFU_SHARED")
        .map_or(beside, PathBuf::from)
        .join(path);
    if !path.exists() {
        eprintln!("skipped: there is no {} (set SIFU_SHARED)", path.display());
        return None;
    }
    Some(path)
}

/// The tree of a slice from the chip's pixels on, by the observatory's reference files.
fn genuine(case: &Node, folder: &std::path::Path) -> (Nirspec, Setting) {
    let open = |name: &str| AsdfFile::open(folder.join(name)).expect(name);
    let fore = match text(case, "filter") {
        "F290LP" => "jwst_nirspec_fore_0022.asdf",
        "F170LP" => "jwst_nirspec_fore_0027.asdf",
        "CLEAR" => "jwst_nirspec_fore_0028.asdf",
        _ => "jwst_nirspec_fore_0023.asdf",
    };
    let refs = NirspecReferences::read(&Files {
        camera: &open("jwst_nirspec_camera_0004.asdf"),
        collimator: &open("jwst_nirspec_collimator_0004.asdf"),
        disperser: &open(text(case, "disperser")),
        fore: &open(fore),
        fpa: &open("jwst_nirspec_fpa_0005.asdf"),
        ifufore: &open("jwst_nirspec_ifufore_0003.asdf"),
        ifupost: &open("jwst_nirspec_ifupost_0004.asdf"),
        ifuslicer: &open("jwst_nirspec_ifuslicer_0003.asdf"),
        ote: &open("jwst_nirspec_ote_0005.asdf"),
        wavelengthrange: &open("jwst_nirspec_wavelengthrange_0004.asdf"),
        chromcorr: None,
    })
    .expect("genuine files");
    let tilt = floats(case, "tilt");
    let setting = Setting {
        detector: usize::from(text(case, "detector") == "NRS2"),
        filter: text(case, "filter").into(),
        grating: text(case, "grating").into(),
        tilt: [Some(tilt[0]), Some(tilt[1])],
        temperature: Some(38.1),
        start: [1, 1],
    };
    let pointing = Pointing {
        v2_ref: 300.3,
        v3_ref: -497.9,
        roll_ref: 121.3,
        ra_ref: 359.9995,
        dec_ref: -42.5,
        va_scale: None,
        velosys: None,
    };
    let edges = floats(case, "edges");
    let optics = Nirspec::new(&refs, &setting, &pointing, [edges[0], edges[1]]).expect("optics");
    (optics, setting)
}

/// Of a slice's tree the steps from the chip's pixels to the slit frame.
fn to_slit(optics: &Nirspec, slice: usize) -> Gwcs {
    let tree = optics.slice(slice, None).unwrap();
    let mut steps: Vec<Step> = tree.steps()[1..4].to_vec();
    steps[2].transform = None;
    Gwcs::new(steps).unwrap()
}

#[test]
fn the_observatorys_own_files_give_pythons_wavelengths_and_positions() {
    let Some(real) = shared("real/nirspec_wcs/references_nirspec") else {
        return;
    };
    let golden = AsdfFile::open("tests/golden/wcs/nirspec_genuine.asdf").expect("golden");
    let cases = golden.require("cases").unwrap().as_sequence().unwrap();
    assert_eq!(cases.len(), 7);
    for case in cases {
        let (optics, setting) = genuine(case, &real);
        let what = format!("{} NRS{}", setting.grating, setting.detector + 1);
        assert_eq!(optics.range.to_vec(), floats(case, "range"), "{what}");
        let points = table(case, "points");
        let n = points[0].len();
        let of = |i: usize| (0..n).filter(move |k| k * SLICES / n == i);
        let of_slice = match points.len() {
            5 => vec![(0, (0..n).collect::<Vec<_>>())],
            _ => (0..SLICES).map(|i| (i, of(i).collect())).collect(),
        };
        let (mut position, mut wavelength, mut pixel) = (0.0_f64, 0.0_f64, 0.0_f64);
        for (i, members) in of_slice {
            let take = |k: usize| members.iter().map(|m| points[k][*m]).collect::<Vec<f64>>();
            assert!(take(0).iter().all(|v| *v == i as f64));
            let tree = to_slit(&optics, i);
            let slit = tree.forward(&[&take(1), &take(2)]).unwrap();
            position = position.max(worst(&slit[1], &take(3)));
            wavelength = wavelength.max(worst(&slit[2], &take(4)));
            if points.len() > 5 {
                let back = tree.backward(&slices(&slit)).unwrap();
                pixel = pixel.max(worst(&back[0], &take(5)));
                pixel = pixel.max(worst(&back[1], &take(6)));
            }
        }
        println!("{what}: position {position:e}, wavelength {wavelength:e} m, pixel {pixel:e}");
        assert!(position < 1e-10, "{what}: {position:e}");
        assert!(wavelength < 1e-13, "{what}: {wavelength:e} m");
        assert!(pixel < 1e-6, "{what}: {pixel:e}");
    }
}

#[test]
fn the_ground_tests_trace_is_met() {
    let trace =
        "real/nirspec_traces/Trace_IFU_Slice_00_SMOS-MOD-G1M-17-5344175105_30192_JLAB88.fits";
    let (Some(trace), Some(real)) = (shared(trace), shared("real/nirspec_wcs/references_nirspec"))
    else {
        return;
    };
    let golden = AsdfFile::open("tests/golden/wcs/nirspec_genuine.asdf").expect("golden");
    let case = &golden.require("cases").unwrap().as_sequence().unwrap()[0];
    let (optics, _) = genuine(case, &real);
    let file = FitsFile::open(&trace).unwrap();
    let at = file.find("SLITY1").unwrap();
    let (header, shape) = (
        file.hdus()[at].header.clone(),
        file.shape(at).unwrap().to_vec(),
    );
    let position: Vec<f32> = file.all(at).unwrap();
    let lambda: Vec<f32> = file.all(file.find("LAMBDA1").unwrap()).unwrap();
    let inside: Vec<usize> = (0..position.len())
        .filter(|k| position[*k].abs() < 0.5)
        .collect();
    assert!(inside.len() > 43_000);
    let first = |k: usize| 1.0 - header.f64(&format!("CRPIX{k}")).unwrap();
    let coordinate = |k: usize, of: fn(usize, usize) -> usize| -> Vec<f64> {
        inside
            .iter()
            .map(|p| first(k) + of(*p, shape[1]) as f64)
            .collect()
    };
    let (x, y) = (coordinate(1, |p, n| p % n), coordinate(2, |p, n| p / n));
    let slit = to_slit(&optics, 0).forward(&[&x, &y]).unwrap();
    let take = |v: &[f32]| {
        inside
            .iter()
            .map(|p| f64::from(v[*p]))
            .collect::<Vec<f64>>()
    };
    let off = [
        worst(&slit[1], &take(&position)),
        worst(&slit[2], &take(&lambda)),
    ];
    println!(
        "trace: {} pixels, position {:e}, wavelength {:e} m",
        x.len(),
        off[0],
        off[1]
    );
    // both are kept in single precision: a wavelength of 1.9 micron to 6e-14 m
    assert!(off[0] < 1e-6 && off[1] < 1e-13, "{off:?}");
}
