//! flat_field, pathloss and photom of the NIRSpec IFU on small cases made by the Python pipeline
//! (`tests/golden/make_nirspec_spectral.py`): same bits and flags for any number of threads.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sifu::exec::Exec;
use sifu::formats::fits::{Data, FitsFile};
use sifu::model::{Cal, DetectorMap, Shape};
use sifu::steps::step::{Model, RefPaths, Status, Target};
use sifu::store::cal::read_cal;
use sifu::wcs::frames::Frame;
use sifu::wcs::gwcs::Step;
use sifu::wcs::transform::{
    BoxesByName, Kind, LabelMapper, Labels, Method, RegionsSelector, SlitStage, Slits, Tabular,
    Transform,
};
use sifu::wcs::{Gwcs, map_of};

const STEPS: &[(&str, usize)] = &[("flat_field", 8), ("pathloss", 5), ("photom", 4)];

/// A WCS of slices with these labels and bounds (columns and rows, ends not included); what it leads to is not looked at.
fn wcs(labels: &[i32], nx: usize, boxes: &[i32]) -> Gwcs {
    let mapper = LabelMapper {
        labels: Labels::Array {
            ny: labels.len() / nx,
            nx,
            labels: labels.iter().map(|l| i64::from(*l)).collect(),
        },
        no_label: 0.0,
        n_inputs: 2,
        inputs_mapping: None,
    };
    let slice = |(k, b): (usize, &[i32])| {
        let mut t = Transform::mapping(&[0, 1, 0], 2);
        t.inputs = Some(vec!["x".into(), "y".into()]);
        let bounds = |low: i32, end: i32| Some((f64::from(low) - 0.5, f64::from(end) - 0.5));
        t.bounding_box = Some(vec![bounds(b[0], b[1]), bounds(b[2], b[3])]);
        (k as i64 + 1, t)
    };
    let mut choose = Transform::from(Kind::RegionsSelector(RegionsSelector {
        label_mapper: Box::new(Kind::LabelMapper(mapper).into()),
        selector: boxes.chunks(4).enumerate().map(slice).collect(),
        undefined: f64::NAN,
        n_inputs: 2,
        n_outputs: 3,
    }));
    choose.inputs = Some(vec!["x".into(), "y".into()]);
    behind(choose, 3)
}

/// A WCS whose points carry the number of their slice, with the wavelengths of each slice's pixels (and NaN) and its bounds.
fn wcs_by_number(lambda: &[f64], (ny, nx): (usize, usize), boxes: &[i32]) -> Gwcs {
    let grid = [ny, nx].map(|n| (0..n).map(|i| i as f64).collect::<Vec<f64>>());
    let slice = |(k, lambda): (usize, &[f64])| {
        let table = Tabular::new(
            grid.to_vec(),
            lambda.to_vec(),
            Method::Nearest,
            Some(f64::NAN),
        );
        let table = Transform::from(Kind::Tabular(table.expect("a table")));
        let across = Transform::constant(k as f64).beside(Transform::identity(1));
        (
            k as i64,
            Transform::mapping(&[0, 0, 0, 1], 3).then(across.beside(table)),
        )
    };
    let slits = Transform::from(Kind::Slits(Slits {
        stage: SlitStage::GwaToSlit,
        models: lambda.chunks(ny * nx).enumerate().map(slice).collect(),
    }));
    let mut choose = Transform::mapping(&[2, 1, 0, 0], 3)
        .then(slits)
        .then(Transform::mapping(&[1, 2, 3, 0], 4));
    choose.inputs = Some(["x", "y", "name"].map(String::from).to_vec());
    let bounds = |low: i32, end: i32| Some((f64::from(low) - 0.5, f64::from(end) - 0.5));
    let boxes = boxes.chunks(4).enumerate();
    choose.boxes = Some(BoxesByName {
        input: 2,
        boxes: boxes
            .map(|(k, b)| (k as i64, vec![bounds(b[0], b[1]), bounds(b[2], b[3]), None]))
            .collect(),
    });
    behind(choose, 4)
}

/// The steps behind the one that leads to the slicer; what it leads to is not changed.
fn behind(choose: Transform, n: usize) -> Gwcs {
    let slicer = [
        Frame::plane("s", ["x_slicer", "y_slicer"], ""),
        Frame::wavelength("l"),
    ];
    let world = [Frame::icrs(), Frame::wavelength("spectral")];
    let step = |frame, transform| Step { frame, transform };
    Gwcs::new(vec![
        step(Frame::plane("detector", ["x", "y"], "pixel"), Some(choose)),
        step(
            Frame::composite("slicer", slicer),
            Some(Transform::identity(n)),
        ),
        step(Frame::composite("world", world), None),
    ])
    .expect("a WCS")
}

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
        let mut input = read_cal(&path).unwrap();
        let file = FitsFile::open(&path).unwrap();
        let of = |name: &str| file.need(name).unwrap();
        let labels: Vec<i32> = file.all(of("LABEL")).unwrap();
        let boxes: Vec<i32> = file.all(of("BOXES")).unwrap();
        let lambda: Vec<f64> = file.all(of("LAMBDA")).unwrap();
        input.extra.clear();
        let n = input.sci.len();
        if lambda.len() > n {
            // the map is left to be made
            let wcs = wcs_by_number(&lambda, (input.ny, input.nx), &boxes);
            input.set_wcs(wcs.to_node().unwrap());
            let slice = labels.iter().map(|l| *l as u16);
            assert!(slice.eq(map_of(&input).unwrap().slice.iter().copied()));
            return Self::with(name, folder, input);
        }
        input.set_wcs(wcs(&labels, input.nx, &boxes).to_node().unwrap());
        let map = DetectorMap {
            ny: input.ny,
            nx: input.nx,
            slice: labels.iter().map(|l| *l as u16).collect(),
            alpha: vec![f64::NAN; n],
            beta: vec![f64::NAN; n],
            lambda,
            ra: vec![f64::NAN; n],
            dec: vec![f64::NAN; n],
        };
        input.map.set(Arc::new(map)).unwrap();
        Self::with(name, folder, input)
    }

    fn with(name: &'static str, folder: PathBuf, input: Cal) -> Self {
        let mut refs = RefPaths::default();
        for r in sifu::steps::find(name).unwrap().info().references {
            let file = folder.join(format!("{}.fits.gz", r.kind));
            refs.0.insert(r.kind.into(), file.exists().then_some(file));
        }
        let text = fs::read_to_string(folder.join("params.toml")).unwrap();
        Self {
            name,
            folder,
            input,
            refs,
            params: text.parse().unwrap(),
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

    /// Compares a result with Python's: arrays and keywords.
    fn check(&self, made: &Cal) {
        let at = self.folder.display();
        let file = FitsFile::open(self.folder.join("out.fits.gz")).unwrap();
        let extra = |name: &str| -> Option<Vec<f32>> {
            let hdu = made
                .extra
                .iter()
                .find(|h| h.header.str("EXTNAME") == Some(name))?;
            match &hdu.data {
                Data::Image(image) => {
                    Some(image.pixels.to_f64().iter().map(|v| *v as f32).collect())
                }
                _ => None,
            }
        };
        let arrays = [
            ("SCI", Some(made.sci.clone())),
            ("ERR", Some(made.err.clone())),
            ("VAR_POISSON", Some(made.var_poisson.clone())),
            ("VAR_RNOISE", Some(made.var_rnoise.clone())),
            ("VAR_FLAT", made.var_flat.clone()),
            ("WAVELENGTH", extra("WAVELENGTH")),
            ("PATHLOSS_PS", extra("PATHLOSS_PS")),
            ("PATHLOSS_UN", extra("PATHLOSS_UN")),
        ];
        for (name, ours) in arrays {
            let theirs: Option<Vec<f32>> = file.find(name).map(|i| file.all(i).unwrap());
            assert_eq!(ours.is_some(), theirs.is_some(), "{at}: {name}");
            let (Some(ours), Some(theirs)) = (ours, theirs) else {
                continue;
            };
            for (p, (a, b)) in ours.iter().zip(&theirs).enumerate() {
                let same = a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
                assert!(same, "{at}: {name} of pixel {p} is {a}, in Python {b}");
            }
        }
        let dq: Vec<u32> = file.all(file.need("DQ").unwrap()).unwrap();
        assert!(made.dq == dq, "{at}: DQ");
        let header = &file.hdus()[file.need("SCI").unwrap()].header;
        for keyword in ["PHOTMJSR", "PHOTUJA2", "PIXAR_SR", "PIXAR_A2"] {
            if let Some(theirs) = header.f64(keyword) {
                let ours = made.meta.sci.f64(keyword).unwrap();
                assert!(
                    ((ours - theirs) / theirs).abs() < 1e-13,
                    "{at}: {keyword} is {ours}, in Python {theirs}"
                );
            }
        }
    }
}

fn cases(name: &'static str) -> Vec<Case> {
    let root = Path::new("tests/golden/nirspec_spectral").join(name);
    let mut folders: Vec<PathBuf> = fs::read_dir(root)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    folders.sort();
    folders.into_iter().map(|f| Case::read(name, f)).collect()
}

#[test]
fn every_case_agrees_with_python() {
    for (name, count) in STEPS {
        let cases = cases(name);
        assert_eq!(cases.len(), *count, "{name}");
        for case in &cases {
            for threads in [1, 3] {
                let (made, status) = case.run(case.input.clone(), threads, None).unwrap();
                assert_eq!(status, Status::Complete);
                case.check(&made);
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
fn a_flat_saved_serves_as_the_users() {
    let out = tempfile::tempdir().unwrap();
    let mut case = cases("flat_field").pop().unwrap();
    case.params
        .insert("save_interpolated_flat".into(), true.into());
    let (made, _) = case.run(case.input.clone(), 2, Some(out.path())).unwrap();
    let saved = out.path().join("in_interpolatedflat.fits");
    case.params.clear();
    let name = saved.display().to_string();
    case.params.insert("user_supplied_flat".into(), name.into());
    case.refs = RefPaths::default();
    let (again, _) = case.run(case.input.clone(), 1, None).unwrap();
    let bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&made.sci), bits(&again.sci));
    assert_eq!(made.dq, again.dq);
}

#[test]
fn what_cannot_be_done_is_said() {
    let said = |case: &Case, input: Cal| case.run(input, 1, None).unwrap_err().to_string();
    let photom = cases("photom").remove(0);
    let mut other = photom.input.clone();
    other.meta.primary.set("GRATING", "G140H", "");
    assert!(said(&photom, other).contains("F290LP, G140H"));
    let mut alone = cases("photom").remove(0);
    alone.refs.0.insert("area".into(), None);
    assert!(said(&alone, alone.input.clone()).contains("AREA"));

    for name in ["flat_field", "photom"] {
        let case = cases(name).remove(0);
        let mut lost = case.input.clone();
        lost.wcs = None;
        assert!(said(&case, lost).contains("assign_wcs"), "{name}");
    }

    let mut flat = cases("flat_field").remove(0);
    flat.refs = RefPaths::default();
    let (made, status) = flat.run(flat.input.clone(), 1, None).unwrap();
    assert!(matches!(status, Status::Skipped(_)) && made.var_flat.is_none());

    let pathloss = cases("pathloss").remove(0);
    let mut slit = pathloss.input.clone();
    slit.meta.primary.set("EXP_TYPE", "NRS_FIXEDSLIT", "");
    assert!(said(&pathloss, slit).contains("NRS_FIXEDSLIT"));
}
