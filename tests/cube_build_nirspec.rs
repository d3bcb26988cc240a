//! cube_build on synthetic exposures of the NIRSpec IFU: 30 slices of 4 rows, with the sky a plane over the slicer.

use std::path::Path;

use sifu::exec::Exec;
use sifu::formats::fits::{Header, TableBuilder, Writer};
use sifu::model::{Cal, Cube, Exposures, Meta, Rate, dq};
use sifu::steps::combine::cube_build::{CubeBuild, CubeBuildParams, CubePar};
use sifu::steps::step::Step;
use sifu::wcs::Gwcs;
use sifu::wcs::frames::Frame;
use sifu::wcs::gwcs::Step as WcsStep;
use sifu::wcs::moving_target::with_target_frame;
use sifu::wcs::transform::{
    BoxesByName, Kind, LabelMapper, Labels, Operation, RegionsSelector, Transform,
};

const ROWS: usize = 4;
const NY: usize = 30 * ROWS;
const NX: usize = 12;
/// Width of a slice, and step of a row, in metre on the slicer.
const WIDTH: f64 = 0.0008;
/// Degrees on the sky of a metre on the slicer: a slice is a tenth of an arcsec wide.
const SCALE: f64 = 0.1 / 3600.0 / WIDTH;

/// Place of a slice (from 0) on the slicer: the first two lie in the middle, the others beside them by turns.
fn across(slice: usize) -> f64 {
    let place = match slice % 2 {
        0 => 15.0 + (slice / 2) as f64,
        _ => 14.0 - (slice / 2) as f64,
    };
    (place - 14.5) * WIDTH
}

/// Pixels of a slice to the slicer: along it by rows, 5 nm a column from 1 micron.
fn to_slicer(slice: usize) -> Transform {
    let middle = (slice * ROWS) as f64 + 1.5;
    let along = Transform::shift(-middle).then(Transform::scale(WIDTH));
    let lambda = Transform::scale(5e-9).then(Transform::shift(1e-6));
    let mut t = Transform::mapping(&[0, 1, 0], 2).then(
        Transform::constant(across(slice))
            .beside(along)
            .beside(lambda),
    );
    t.bounding_box = Some(bounds(slice).map(Some).to_vec());
    t
}

fn bounds(slice: usize) -> [(f64, f64); 2] {
    let row = (slice * ROWS) as f64;
    [
        (-0.5, NX as f64 - 0.5),
        (row - 0.5, row + ROWS as f64 - 0.5),
    ]
}

fn step(frame: Frame, transform: Option<Transform>) -> WcsStep {
    WcsStep { frame, transform }
}

fn frame(name: &str) -> Frame {
    let plane = Frame::plane("plane", ["x", "y"], "m");
    Frame::composite(name, [plane, Frame::spectral("spectral", "wavelength")])
}

fn onward(named: bool) -> Vec<WcsStep> {
    let name = |t: Transform| match named {
        true => t.beside(Transform::identity(1)),
        false => t,
    };
    let sky = |centre: f64| Transform::scale(SCALE).then(Transform::shift(centre));
    let v2v3 = Transform::identity(2).beside(Transform::scale(1e6));
    let world = sky(40.0).beside(sky(0.0)).beside(Transform::identity(1));
    vec![
        step(frame("slicer"), Some(name(v2v3))),
        step(frame("v2v3"), Some(name(world))),
        step(
            Frame::composite(
                "world",
                [Frame::icrs(), Frame::spectral("spectral", "wavelength")],
            ),
            None,
        ),
    ]
}

/// The WCS that finds the slice of a pixel by an image of labels.
fn by_labels() -> Gwcs {
    let labels: Vec<i64> = (0..NY * NX).map(|p| (p / NX / ROWS) as i64 + 1).collect();
    let mapper = LabelMapper {
        labels: Labels::Array {
            ny: NY,
            nx: NX,
            labels: labels.into(),
        },
        no_label: 0.0,
        n_inputs: 2,
        inputs_mapping: None,
    };
    let slices = RegionsSelector {
        label_mapper: Box::new(Kind::LabelMapper(mapper).into()),
        selector: (0..30).map(|i| (i as i64 + 1, to_slicer(i))).collect(),
        undefined: f64::NAN,
        n_inputs: 2,
        n_outputs: 3,
    };
    let pixels = |name| Frame::plane(name, ["x", "y"], "pixel");
    let mut steps = vec![
        step(pixels("coordinates"), Some(Transform::identity(2))),
        step(
            pixels("detector"),
            Some(Kind::RegionsSelector(slices).into()),
        ),
    ];
    steps.extend(onward(false));
    Gwcs::new(steps).unwrap()
}

/// The WCS whose points carry the number of their slice. Slices lie on the slicer in the order of their numbers here.
fn by_name() -> Gwcs {
    by_name_within(0.0)
}

/// The same with narrower bounds: by so much of a row.
fn by_name_within(margin: f64) -> Gwcs {
    let scaled =
        |input: usize, factor: f64| Transform::mapping(&[input], 3).then(Transform::scale(factor));
    let sum = |a: Transform, b: Transform| -> Transform {
        Kind::Arithmetic(Operation::Add, Box::new(a), Box::new(b)).into()
    };
    let shifted = |t: Transform, by: f64| t.then(Transform::shift(by));
    let across = shifted(scaled(2, WIDTH / 2.0), -14.5 * WIDTH / 2.0);
    let along = shifted(
        sum(scaled(1, WIDTH), scaled(2, -WIDTH * ROWS as f64)),
        -1.5 * WIDTH,
    );
    let lambda = shifted(scaled(0, 5e-9), 1e-6);
    let three = across.beside(along).beside(lambda);
    let mut first = Transform::mapping(&[0, 1, 2, 0, 1, 2, 0, 1, 2, 2], 3)
        .then(three.beside(Transform::identity(1)));
    let boxes = (0..30).map(|i| {
        let [x, (low, high)] = bounds(i);
        let y = (low + margin, high - margin);
        (i as i64, vec![Some(x), Some(y), None])
    });
    first.inputs = Some(["x", "y", "name"].map(String::from).to_vec());
    first.boxes = Some(BoxesByName {
        input: 2,
        boxes: boxes.collect(),
    });
    let mut steps = vec![step(
        Frame::plane("detector", ["x", "y"], "pixel"),
        Some(first),
    )];
    steps.extend(onward(true));
    Gwcs::new(steps).unwrap()
}

/// An exposure whose values are `value(column, row)`.
fn exposure(wcs: &Gwcs, value: impl Fn(usize, usize) -> f32) -> Cal {
    let mut meta = Meta::default();
    for (keyword, text) in [
        ("INSTRUME", "NIRSPEC"),
        ("EXP_TYPE", "NRS_IFU"),
        ("DETECTOR", "NRS1"),
        ("GRATING", "PRISM"),
        ("FILTER", "CLEAR"),
        ("TARGTYPE", "MOVING"),
    ] {
        meta.primary.set(keyword, text, "");
    }
    let n = NY * NX;
    let rate = Rate {
        meta,
        nints: None,
        ny: NY,
        nx: NX,
        sci: (0..n).map(|p| value(p % NX, p / NX)).collect(),
        err: vec![0.5; n],
        dq: vec![0; n],
        var_poisson: vec![0.1; n],
        var_rnoise: vec![0.1; n],
        extra: Vec::new(),
    };
    let mut cal = Cal::from_rate(rate).unwrap();
    cal.set_wcs(wcs.to_node().unwrap());
    cal
}

/// A cubepar reference of the prism: a tenth of an arcsec, 5 nm.
fn cubepar(path: &Path) {
    let mut w = Writer::create(path, false).unwrap();
    w.empty(&Header::new()).unwrap();
    let rows = || {
        TableBuilder::new(1)
            .text("DISPERSER", 5, &["PRISM"])
            .text("FILTER", 6, &["CLEAR"])
    };
    let (header, table) = rows()
        .f32("WAVEMIN", &[1.0])
        .f32("WAVEMAX", &[1.0575])
        .f32("SPAXELSIZE", &[0.1])
        .f32("SPECTRALSTEP", &[0.005])
        .build("CUBEPAR");
    w.table(&header, &table).unwrap();
    let regions = |t: TableBuilder, n: usize| {
        t.f32("ROISPATIAL", &vec![0.2; n])
            .f32("ROISPECTRAL", &vec![0.0105; n])
    };
    let (header, table) = regions(rows(), 1)
        .f32("SCALERAD", &[0.08])
        .build("CUBEPAR_EMSM");
    w.table(&header, &table).unwrap();
    let (header, table) = regions(rows(), 1)
        .f32("POWER", &[2.0])
        .f32("SOFTRAD", &[0.01])
        .build("CUBEPAR_MSM");
    w.table(&header, &table).unwrap();
    let planes = [1.0, 1.004, 1.01, 1.02, 1.04, 1.1];
    let waves = || TableBuilder::new(6).f32("WAVELENGTH", &planes);
    let (header, table) = waves().build("MULTICHAN_PRISM_DRIZZLE");
    w.table(&header, &table).unwrap();
    let (header, table) = regions(waves(), 6)
        .f32("SCALERAD", &[0.08; 6])
        .build("MULTICHAN_PRISM_EMSM");
    w.table(&header, &table).unwrap();
    w.finish().unwrap();
}

fn params(text: &str) -> CubeBuildParams {
    text.parse::<toml::Table>().unwrap().try_into().unwrap()
}

fn set(science: Vec<Cal>) -> Exposures {
    Exposures {
        science,
        background: Vec::new(),
    }
}

fn try_cubes(science: Vec<Cal>, text: &str, threads: usize) -> sifu::Result<Vec<Cube>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cubepar.fits");
    cubepar(&path);
    let params = params(text);
    let refs = CubePar::read(&path, params.weighting)?;
    let exec = Exec::new(Some(threads)).unwrap();
    CubeBuild::run(set(science), &refs, &params, &exec).map(|c| c.0)
}

fn cube(science: Vec<Cal>, text: &str, threads: usize) -> Cube {
    let mut all = try_cubes(science, text, threads).unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn bits(v: &[f32]) -> Vec<u32> {
    v.iter().map(|f| f.to_bits()).collect()
}

fn assert_same(a: &Cube, b: &Cube, what: &str) {
    assert!(
        bits(&a.sci) == bits(&b.sci) && bits(&a.err) == bits(&b.err),
        "{what}"
    );
    assert!(a.dq == b.dq && a.wmap == b.wmap, "{what}");
}

/// Value of each column: its wavelength in units of 5 nm.
fn rising(x: usize, _: usize) -> f32 {
    x as f32
}

#[test]
fn a_field_of_one_brightness_keeps_it() {
    for weighting in ["drizzle", "emsm", "msm"] {
        for more in ["", "coord_system = \"ifualign\"\n", "linear_wave = false\n"] {
            if weighting == "msm" && more.starts_with("linear") {
                continue;
            }
            let text = format!("weighting = \"{weighting}\"\n{more}");
            let c = cube(vec![exposure(&by_labels(), |_, _| 4.0)], &text, 2);
            assert_eq!(c.label, "prism-clear");
            let good: Vec<f32> = c.sci.iter().copied().filter(|v| !v.is_nan()).collect();
            // 30 slices of 4 rows, of tenths of an arcsec
            assert!(
                good.len() >= 30 * ROWS * (c.nz - 2),
                "{text}: {}",
                good.len()
            );
            assert!(good.iter().all(|v| (v - 4.0).abs() < 1e-5), "{text}");
            assert!(
                c.dq.iter()
                    .zip(&c.sci)
                    .all(|(q, v)| (*q == 0) != v.is_nan())
            );
        }
    }
}

#[test]
fn planes_are_where_the_pixels_are() {
    let c = cube(vec![exposure(&by_labels(), rising)], "", 2);
    assert_eq!((c.nz, c.meta.sci.str("CTYPE3")), (12, Some("WAVE")));
    assert_eq!(c.meta.primary.card("CHANNEL"), None);
    let waves = c.wavelengths().unwrap();
    for (z, wave) in waves.iter().enumerate().take(11) {
        // planes are centred 2.5 nm beyond a pixel
        let expect = (wave - 1.0) / 0.005;
        let plane = &c.sci[z * c.plane()..(z + 1) * c.plane()];
        let good: Vec<f32> = plane.iter().copied().filter(|v| !v.is_nan()).collect();
        let wrong = good.iter().find(|v| (f64::from(**v) - expect).abs() > 1e-3);
        assert!(wrong.is_none() && good.len() >= 120, "{wave}: {wrong:?}");
    }
    let table = cube(
        vec![exposure(&by_labels(), rising)],
        "output_type = \"multi\"",
        2,
    );
    assert_eq!(table.meta.sci.str("CTYPE3"), Some("WAVE-TAB"));
    // those around 1 to 1.0575 micron
    assert_eq!(table.nz, 6);
}

#[test]
fn threads_do_not_matter() {
    for text in ["", "weighting = \"emsm\"\ncoord_system = \"ifualign\""] {
        let one = cube(vec![exposure(&by_labels(), rising)], text, 1);
        for threads in [2, 7] {
            let more = cube(vec![exposure(&by_labels(), rising)], text, threads);
            assert_same(&one, &more, text);
        }
    }
}

/// A slice's pixels count once and in their own place, whichever form the WCS has.
#[test]
fn points_that_carry_their_slice() {
    let bright = |_: usize, y: usize| if y / ROWS == 7 { 9.0 } else { 1.0 };
    let c = cube(vec![exposure(&by_name(), bright)], "", 2);
    let plane = &c.sci[5 * c.plane()..6 * c.plane()];
    let columns = |v: f32| -> Vec<usize> {
        let near = plane
            .iter()
            .enumerate()
            .filter(|(_, s)| (*s - v).abs() < 1e-4);
        let mut x: Vec<usize> = near.map(|(p, _)| p % c.nx).collect();
        x.sort_unstable();
        x.dedup();
        x
    };
    // half as wide as by labels, next to each other in the order of their numbers
    assert_eq!(columns(9.0), Vec::<usize>::new());
    let brightest = plane
        .iter()
        .copied()
        .filter(|v| !v.is_nan())
        .fold(0.0, f32::max);
    assert!(brightest > 3.5 && brightest < 9.0, "{brightest}");
    assert!(!columns(1.0).is_empty());
}

/// Pixels cut by the bounds of their slice give no light to a drizzled cube, but the field holds them.
#[test]
fn cut_pixels_count_for_the_field() {
    let whole = cube(vec![exposure(&by_name(), rising)], "", 2);
    let cut = cube(vec![exposure(&by_name_within(0.1), rising)], "", 2);
    assert_eq!((cut.nx, cut.ny), (whole.nx, whole.ny));
    let keyword = |c: &Cube, k: &str| c.meta.sci.f64(k).unwrap();
    for k in ["CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2"] {
        assert_eq!(keyword(&cut, k), keyword(&whole, k), "{k}");
    }
    let lit = |c: &Cube| c.sci.iter().filter(|v| !v.is_nan()).count();
    assert!(lit(&cut) < lit(&whole), "{} of {}", lit(&cut), lit(&whole));
}

#[test]
fn bad_pixels_are_left_out_and_leave_holes() {
    let mut cal = exposure(&by_labels(), |_, _| 2.0);
    // all of a slice in the middle, by flags, by values and by variances
    for p in 0..NY * NX {
        match p / NX / ROWS {
            0 => cal.dq[p] = dq::DO_NOT_USE | dq::DEAD,
            1 => cal.sci[p] = f32::NAN,
            2 => cal.var_rnoise[p] = f32::NAN,
            3 => cal.dq[p] = dq::NON_SCIENCE,
            _ => {}
        }
    }
    let other = exposure(&by_labels(), |_, _| 2.0);
    let marked = cube(vec![cal.clone()], "coord_system = \"ifualign\"", 2);
    let plain = cube(
        vec![cal.clone()],
        "coord_system = \"ifualign\"\nskip_dqflagging = true",
        2,
    );
    let good = marked.dq.iter().filter(|q| **q == 0).count();
    assert!(marked.sci.iter().filter(|v| !v.is_nan()).all(|v| *v == 2.0));
    assert!(plain.dq.iter().all(|q| [0, 513].contains(q)));
    assert_eq!(good, plain.dq.iter().filter(|q| **q == 0).count());
    // a second exposure shows where the hole is in the field, and then fills it
    let mut blind = other.clone();
    blind.dq.fill(dq::DO_NOT_USE);
    let pair = cube(vec![cal.clone(), blind], "coord_system = \"ifualign\"", 2);
    assert_same(
        &pair,
        &marked,
        "an exposure without a valid pixel adds nothing",
    );
    let filled = cube(vec![cal, other], "coord_system = \"ifualign\"", 2);
    assert!(filled.dq.iter().filter(|q| **q == 0).count() > good);
}

#[test]
fn variants_on_one_geometry_are_those_made_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cubepar.fits");
    cubepar(&path);
    let exec = Exec::new(Some(2)).unwrap();
    let variant = |factor: f32, bad: usize| {
        let mut cal = exposure(&by_labels(), |x, y| factor * (x + y) as f32);
        cal.dq[..bad].fill(dq::DO_NOT_USE);
        set(vec![cal])
    };
    let variants = || vec![variant(1.0, 0), variant(2.0, 100), variant(3.0, NY * NX)];
    for text in ["", "weighting = \"emsm\"\nlinear_wave = false"] {
        let params = params(text);
        let refs = CubePar::read(&path, params.weighting).unwrap();
        let alone = variants()
            .into_iter()
            .map(|v| CubeBuild::run(v, &refs, &params, &exec));
        let together = CubeBuild::run_alike(variants(), &refs, &params, &exec);
        for (a, b) in alone.zip(together) {
            match (a, b) {
                (Ok(a), Ok(b)) => assert_same(&a.0[0], &b.0[0], text),
                (Err(a), Err(b)) => assert_eq!(a.to_string(), b.to_string()),
                _ => panic!("one of them failed"),
            }
        }
    }
}

#[test]
fn moving_targets_and_footprints() {
    let moved = with_target_frame(by_labels(), (40.001, 0.0005), (40.0, 0.0)).unwrap();
    let c = cube(vec![exposure(&moved, rising)], "", 2);
    let centre = ["CRVAL1", "CRVAL2"].map(|k| c.meta.sci.f64(k).unwrap());
    assert!((centre[0] - 40.001).abs() < 1e-7, "{centre:?}");
    assert!((centre[1] - 0.0005).abs() < 1e-7, "{centre:?}");
    // of a target that stands still the keyword counts
    let mut cal = exposure(&by_labels(), rising);
    cal.meta.primary.set("TARGTYPE", "FIXED", "");
    let region = "POLYGON ICRS  39.999 -0.001 40.001 -0.001 40.001 0.001 39.999 0.001";
    cal.meta.sci.set("S_REGION", region, "");
    let c = cube(vec![cal], "", 2);
    assert_eq!((c.nx, c.ny), (75, 75));
}

#[test]
fn what_cannot_be_says_so() {
    let said = |science: Vec<Cal>, text: &str| try_cubes(science, text, 1).unwrap_err().to_string();
    let one = || vec![exposure(&by_labels(), rising)];
    assert!(said(one(), "output_type = \"channel\"").contains("grating"));
    assert!(said(one(), "grating = \"prism\"").contains("both"));
    assert!(said(one(), "grating = \"g395h\"\nfilter = \"f290lp\"").contains("prism"));
    assert!(said(one(), "weighting = \"msm\"\nlinear_wave = false").contains("table"));
    let mut high = one();
    high[0].meta.primary.set("GRATING", "G395H", "");
    high[0].meta.primary.set("FILTER", "F290LP", "");
    assert!(said(high, "").contains("grating g395h, filter f290lp"));
    let mut mixed = one();
    mixed.extend(one());
    mixed[1].meta.primary.set("EXP_TYPE", "MIR_MRS", "");
    assert!(said(mixed, "").contains("MIR_MRS"));
    let mut bare = one();
    bare[0].wcs = None;
    assert!(said(bare, "").contains("assign_wcs"));
    let mut blind = one();
    blind[0].sci.fill(f32::NAN);
    assert!(said(blind, "").contains("no valid pixel"));
}
