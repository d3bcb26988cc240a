//! flat_field, fringe, photom and straylight on small cases made by the Python pipeline
//! (`tests/golden/make_corrections.py`): same bits and flags for any number of threads.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sifu::exec::Exec;
use sifu::formats::fits::FitsFile;
use sifu::model::{Cal, DetectorMap, Shape};
use sifu::steps::step::{Model, RefPaths, Status, Target};
use sifu::store::cal::read_cal;

const STEPS: &[(&str, usize)] = &[
    ("flat_field", 7),
    ("fringe", 2),
    ("photom", 9),
    ("straylight", 3),
];
/// Rows of straylight's golden frames lie so far apart.
const ROW_STEP: usize = 47;

struct Case {
    name: &'static str,
    folder: PathBuf,
    input: Cal,
    refs: RefPaths,
    params: toml::Table,
}

impl Case {
    fn read(name: &'static str, folder: PathBuf) -> Self {
        let path = folder.join("in.fits.gz");
        let input = read_cal(&path).unwrap();
        let file = FitsFile::open(&path).unwrap();
        if let Some(i) = file.find("LAMBDA") {
            let n = input.sci.len();
            let map = DetectorMap {
                ny: input.ny,
                nx: input.nx,
                slice: vec![0; n],
                alpha: vec![f64::NAN; n],
                beta: vec![f64::NAN; n],
                lambda: file.all(i).unwrap(),
                ra: vec![0.0; n],
                dec: vec![f64::NAN; n],
            };
            input.map.set(Arc::new(map)).unwrap();
        }
        let mut refs = RefPaths::default();
        for r in sifu::steps::find(name).unwrap().info().references {
            let files = ["fits.gz", "asdf"].map(|end| folder.join(format!("{}.{end}", r.kind)));
            let found = files.into_iter().find(|f| f.exists());
            refs.0.insert(r.kind.into(), found);
        }
        let text = fs::read_to_string(folder.join("params.toml")).unwrap();
        let mut params: toml::Table = text.parse().unwrap();
        if let Some(flat) = params.get_mut("user_supplied_flat") {
            let path = folder.join(flat.as_str().unwrap());
            *flat = path.display().to_string().into();
        }
        Self {
            name,
            folder,
            input,
            refs,
            params,
        }
    }

    fn run(&self, input: Cal, threads: usize, out: Option<&Path>) -> sifu::Result<(Cal, Status)> {
        let step = sifu::steps::find(self.name).unwrap();
        let target = Target {
            meta: input.meta.clone(),
            shape: Shape {
                nints: 1,
                ngroups: 1,
                ny: input.ny,
                nx: input.nx,
            },
            out: out.map(Into::into),
        };
        let mut load = || step.load(&self.refs, &target, &self.params);
        let exec = Exec::new(Some(threads)).unwrap();
        let (model, status) = step.run(Model::from(input), &self.params, &mut load, &exec)?;
        Ok((Cal::try_from(model).unwrap(), status))
    }

    /// Compares a result with Python's: arrays, status and keywords.
    fn check(&self, made: &Cal, status: &Status) {
        let at = self.folder.display();
        let file = FitsFile::open(self.folder.join("out.fits.gz")).unwrap();
        let head = &file.hdus()[0].header;
        let said = match status {
            Status::Complete => "COMPLETE",
            _ => "SKIPPED",
        };
        assert_eq!(head.str("STATUS"), Some(said), "{at}");
        let rows = if self.name == "straylight" {
            ROW_STEP
        } else {
            1
        };
        let none = Vec::new();
        for (name, values) in [
            ("SCI", &made.sci),
            ("ERR", &made.err),
            ("VAR_POISSON", &made.var_poisson),
            ("VAR_RNOISE", &made.var_rnoise),
            ("VAR_FLAT", made.var_flat.as_ref().unwrap_or(&none)),
        ] {
            let Some(i) = file.find(name) else {
                assert!(name == "VAR_FLAT" && values.is_empty() || rows > 1, "{at}");
                continue;
            };
            let expect: Vec<f32> = file.all(i).unwrap();
            let rows = values.chunks(made.nx).step_by(rows).flatten();
            let bits = |v: &f32| if v.is_nan() { None } else { Some(v.to_bits()) };
            let differ = rows
                .map(bits)
                .zip(expect.iter().map(bits))
                .filter(|(a, b)| a != b)
                .count();
            assert_eq!(differ, 0, "{name} of {at}");
        }
        if let Some(i) = file.find("DQ") {
            assert_eq!(made.dq, file.all::<u32>(i).unwrap(), "DQ of {at}");
        }
        if self.name == "photom" {
            for keyword in ["PHOTMJSR", "PHOTUJA2", "PIXAR_SR", "PIXAR_A2"] {
                assert_eq!(made.meta.sci.f64(keyword), head.f64(keyword), "{at}");
            }
            assert_eq!(made.meta.sci.str("BUNIT"), head.str("BUNIT"), "{at}");
        }
    }
}

fn cases(name: &'static str) -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let folders = fs::read_dir(root.join(name)).unwrap();
    let folders = folders.map(|e| e.unwrap().path());
    folders.map(|f| Case::read(name, f)).collect()
}

#[test]
fn every_case_agrees_to_the_bit_on_any_number_of_threads() {
    for (name, count) in STEPS {
        let cases = cases(name);
        assert_eq!(cases.len(), *count, "cases of {name}");
        for case in cases {
            for threads in [1, 2, 7] {
                let (made, status) = case.run(case.input.clone(), threads, None).unwrap();
                case.check(&made, &status);
            }
        }
    }
}

#[test]
fn images_without_a_good_pixel_do_no_harm() {
    for case in STEPS.iter().flat_map(|(name, _)| cases(name)) {
        for (value, flags) in [(f32::NAN, 0), (f32::INFINITY, 0), (1.0, u32::MAX)] {
            let mut bad = case.input.clone();
            bad.sci.fill(value);
            bad.err.fill(value);
            bad.dq.iter_mut().for_each(|d| *d |= flags);
            let before = bad.dq.clone();
            let (made, _) = case.run(bad, 2, None).unwrap();
            let mut kept = before.iter().zip(&made.dq);
            assert!(kept.all(|(a, b)| a & !b == 0), "DQ bits were cleared");
        }
    }
}

#[test]
fn a_pixel_out_of_its_channels_range_keeps_its_sensitivity() {
    let mut seen = false;
    for case in cases("photom") {
        let mut out = case.input.clone();
        let mut map = Arc::unwrap_or_clone(out.map.take().unwrap());
        // where the wavelength is out of range the WCS gives no position
        map.ra.fill(f64::NAN);
        out.map.set(Arc::new(map)).unwrap();
        let mut without = Case::read("photom", case.folder.clone());
        without
            .params
            .insert("apply_time_correction".into(), false.into());
        let (Ok((made, _)), Ok((plain, _))) = (
            case.run(out, 1, None),
            without.run(case.input.clone(), 1, None),
        ) else {
            continue;
        };
        let (usual, _) = case.run(case.input.clone(), 1, None).unwrap();
        let bits = |v: &[f32]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&made.sci), bits(&plain.sci));
        seen |= bits(&usual.sci) != bits(&plain.sci);
    }
    assert!(seen, "no case has a time correction");
}

#[test]
fn flats_and_shower_models_are_saved() {
    let out = tempfile::tempdir().unwrap();
    let saved = |name: &str| FitsFile::open(out.path().join(name)).unwrap();
    let mut case = cases("flat_field")
        .into_iter()
        .find(|c| c.folder.ends_with("user"))
        .unwrap();
    case.params
        .insert("save_interpolated_flat".into(), true.into());
    let (made, _) = case.run(case.input.clone(), 1, Some(out.path())).unwrap();
    assert_eq!(made.meta.str("R_FLAT"), Some("flat.fits"));
    let file = saved("in_interpolatedflat.fits");
    let flat: Vec<f32> = file.all(file.need("SCI").unwrap()).unwrap();
    let flags: Vec<u32> = file.all(file.need("DQ").unwrap()).unwrap();
    let pixels = case.input.sci.iter().zip(&made.sci).zip(&flat);
    for (((before, after), flat), flags) in pixels.zip(&flags) {
        assert!(after.is_nan() || after == &(before / flat));
        assert!(flags & 1 == 0 || *flat == 1.0);
    }

    let mut case = cases("straylight")
        .into_iter()
        .find(|c| c.folder.ends_with("showers"))
        .unwrap();
    let (clean, _) = case.run(case.input.clone(), 2, None).unwrap();
    case.params.insert("save_shower_model".into(), true.into());
    case.run(case.input.clone(), 2, Some(out.path())).unwrap();
    let file = saved("in_shower_model.fits");
    let model: Vec<f32> = file.all(file.need("SCI").unwrap()).unwrap();
    case.params.insert("clean_showers".into(), false.into());
    let (showery, _) = case.run(case.input.clone(), 2, None).unwrap();
    for ((a, b), m) in clean.sci.iter().zip(&showery.sci).zip(&model) {
        let close = (a - (b - m)).abs() <= 1e-6 * b.abs().max(1.0);
        assert!(close || !b.is_finite());
    }
}

#[test]
fn what_cannot_be_done_is_said() {
    let said = |case: &Case, input: Cal| case.run(input, 1, None).unwrap_err().to_string();
    let mut flat = cases("flat_field").remove(0);
    let mut nirspec = flat.input.clone();
    nirspec.meta.primary.set("INSTRUME", "NIRSPEC", "");
    nirspec.meta.primary.set("EXP_TYPE", "NRS_MSASPEC", "");
    assert!(said(&flat, nirspec).contains("NRS_MSASPEC"));
    flat.params
        .insert("user_supplied_flat".into(), "no_such_flat.fits".into());
    assert!(said(&flat, flat.input.clone()).contains("no_such_flat.fits"));

    let photom = cases("photom").remove(0);
    let mut image = photom.input.clone();
    image.meta.primary.set("DETECTOR", "MIRIMAGE", "");
    assert!(said(&photom, image).contains("MIRIMAGE"));

    let mut showers = cases("straylight")
        .into_iter()
        .find(|c| c.folder.ends_with("showers"))
        .unwrap();
    showers.params.insert("shower_plane".into(), 3.into());
    assert!(said(&showers, showers.input.clone()).contains("shower_plane"));
    showers.params.insert("shower_plane".into(), 0.into());
    showers.params.insert("shower_x_stddev".into(), 0.0.into());
    assert!(said(&showers, showers.input.clone()).contains("shower_x_stddev"));
    let small = cases("fringe").remove(0).input;
    assert!(said(&showers, small).contains("1024 x 1032"));
}
