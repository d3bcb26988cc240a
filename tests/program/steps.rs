//! What every step must do, checked for each of them: the same bits for any number of threads,
//! parameters that survive TOML, unknown ones refused, a manual with every heading, NaN and
//! all-flagged input without a panic, DQ bits never cleared.

use std::collections::BTreeMap;
use std::path::Path;

use crate::common::{NX, NY, Tiny, primary, references, superbias_file};
use sifu::exec::Exec;

use sifu::formats::fits::{Data, Hdu, Header, Image, Product, TableBuilder};
use sifu::model::{
    Cal, Cube, Cubes, DetectorMap, Exposures, Meta, Observation, Ramp, Rate, Shape, Spectrum,
};
use sifu::nav::{Aspect, Correction, Kernels, Observer};
use sifu::pipeline::navigate::{Options, Scene, navigate};
use sifu::pipeline::recipe::detector1::{MIRI, NIR};
use sifu::steps::step::{AnyStep, Model, RefPaths, Status, Target};

/// Headings of a step's manual, in order.
const HEADINGS: [&str; 8] = [
    "What",
    "Why",
    "Algorithm",
    "Parameters",
    "Reference files",
    "Skipped when",
    "Differs from jwst",
    "References",
];

macro_rules! check_step {
    ($($name:ident)*) => {
        $(#[test] fn $name() { check(stringify!($name)); })*
        const CHECKED: &[&str] = &[$(stringify!($name)),*];
    };
}

check_step! {
    group_scale dq_init emicorr saturation ipc superbias firstframe lastframe reset linearity rscd dark_current refpix
    charge_migration jump picture_frame clean_flicker_noise persistence ramp_fit gain_scale assign_wcs badpix_selfcal msa_flagging imprint_subtract bkg_subtract
    srctype straylight flat_field fringe pathloss photom residual_fringe
    assign_mtwcs master_background outlier_detection adaptive_trace_model pixel_replace
    cube_build extract_1d spectral_leak
    trim_groups defringe_1d psf desaturate flat despike background
}

#[test]
fn every_step_is_checked() {
    let all: Vec<_> = sifu::steps::ALL.iter().map(|s| s.info().name).collect();
    assert_eq!(all, CHECKED);
}

/// A fixed sequence of numbers in 0..1.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }
}

fn meta(shape: Shape) -> Meta {
    let mut primary = primary(Tiny {
        nints: shape.nints,
        ngroups: shape.ngroups,
        slope: 0.0,
    });
    primary.set("SUBSIZE1", shape.nx, "");
    primary.set("SUBSIZE2", shape.ny, "");
    // so that group_scale has something to do
    primary.set("FRMDIVSR", 2i64, "");
    Meta {
        source: "test_uncal.fits".into(),
        primary,
        ..Meta::default()
    }
}

/// A ramp with jumps, saturation, NaN and random flags.
fn ramp(shape: Shape, seed: u64) -> Ramp {
    let mut r = Numbers(seed);
    let (plane, planes) = (shape.plane(), shape.planes());
    let mut data = vec![0f32; plane * planes];
    for p in 0..plane {
        let slope = if p % 11 == 0 {
            9000.0
        } else {
            300.0 * r.next()
        };
        for i in 0..shape.nints {
            let mut value = 9000.0 + 10.0 * r.next();
            for g in 0..shape.ngroups {
                value += slope + 8.0 * r.next() + if r.next() > 0.97 { 2000.0 } else { 0.0 };
                data[(i * shape.ngroups + g) * plane + p] = if r.next() > 0.999 {
                    f32::NAN
                } else {
                    value.min(65535.0)
                };
            }
        }
    }
    let mut flag = |chance: f32, bits: u32| {
        if r.next() > chance {
            1 << (r.next() * bits as f32) as u32
        } else {
            0
        }
    };
    let groupdq: Vec<u8> = (0..plane * planes).map(|_| flag(0.95, 8) as u8).collect();
    let pixeldq = (0..plane).map(|_| flag(0.97, 31)).collect();
    Ramp {
        meta: meta(shape),
        shape,
        first_int: 0,
        data: data.into(),
        pixeldq,
        groupdq: groupdq.into(),
        average_dark_current: None,
        extra: Vec::new(),
    }
}

fn rate(shape: Shape, seed: u64) -> Rate {
    let mut r = Numbers(seed);
    let n = shape.plane();
    let mut values = || {
        (0..n)
            .map(|_| if r.next() > 0.99 { f32::NAN } else { r.next() })
            .collect::<Vec<f32>>()
    };
    Rate {
        meta: meta(shape),
        nints: None,
        ny: shape.ny,
        nx: shape.nx,
        sci: values(),
        err: values(),
        dq: (0..n as u32).map(|p| p % 5).collect(),
        var_poisson: values(),
        var_rnoise: values(),
        extra: Vec::new(),
    }
}

/// An exposure with members, as calwebb_spec2 has it.
fn observation(shape: Shape, seed: u64) -> Observation {
    let cal = |seed| Cal::from_rate(rate(shape, seed)).expect("an image");
    Observation {
        science: cal(seed),
        background: vec![cal(seed + 100), cal(seed + 200), cal(seed + 300)],
        selfcal: vec![cal(seed + 400)],
        imprint: vec![cal(seed + 500)],
    }
}

/// Exposures with the spectrum of a background; wavelengths rise with the rows.
fn exposures(shape: Shape, seed: u64) -> Exposures {
    let (ny, nx) = (shape.ny, shape.nx);
    let cal = |seed| {
        let cal = Cal::from_rate(rate(shape, seed)).expect("an image");
        let between = |p: usize| p.is_multiple_of(13);
        let pixels = |f: &dyn Fn(usize) -> f64| {
            let value = |p| if between(p) { f64::NAN } else { f(p) };
            (0..ny * nx).map(value).collect::<Vec<f64>>()
        };
        let map = DetectorMap {
            ny,
            nx,
            slice: (0..ny * nx)
                .map(|p| if between(p) { 0 } else { 101 })
                .collect(),
            alpha: pixels(&|p| (p % nx) as f64 * 0.2),
            beta: pixels(&|_| 0.3),
            lambda: pixels(&|p| 5.0 + (p / nx) as f64 * 0.011),
            ra: pixels(&|p| 54.0 + (p % nx) as f64 * 1e-5),
            dec: pixels(&|_| 18.0),
        };
        cal.map.set(map.into()).expect("no map yet");
        cal
    };
    let wave: Vec<f64> = (0..40).map(|k| 5.05 + f64::from(k) * 0.005).collect();
    let sky: Vec<f64> = wave.iter().map(|w| 3.0 + (w * 40.0).sin()).collect();
    let mut table = TableBuilder::new(wave.len()).f64("WAVELENGTH", &wave);
    for name in [
        "FLUX",
        "FLUX_ERROR",
        "SURF_BRIGHT",
        "SB_ERROR",
        "BACKGROUND",
        "BKGD_ERROR",
    ] {
        table = table.f64(name, &sky);
    }
    let (_, table) = table.u32("DQ", &vec![0; wave.len()]).build("EXTRACT1D");
    let mut headers = meta(shape);
    headers.primary.set("EXP_TYPE", "MIR_MRS", "");
    Exposures {
        science: vec![cal(seed), cal(seed + 100), cal(seed + 200)],
        background: vec![Spectrum {
            meta: headers,
            label: String::new(),
            model: "MRSMultiSpecModel",
            tables: vec![(Header::new(), table)],
            extra: Vec::new(),
        }],
    }
}

/// An exposure with a WCS of slices.
fn sliced() -> Cal {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/adaptive_trace_model");
    sifu::store::cal::read_cal(&golden.join("source_cal.fits.gz")).expect("an exposure")
}

fn paths(step: &dyn AnyStep, folder: &Path) -> RefPaths {
    let mut out = BTreeMap::new();
    for r in step.info().references {
        let path = folder.join(format!("{}.fits", r.kind));
        out.insert(r.kind.to_owned(), path.exists().then_some(path));
    }
    RefPaths(out)
}

/// Everything numeric of a model, bit by bit.
fn bits(model: &Model) -> Vec<u32> {
    fn floats(v: &[f32]) -> impl Iterator<Item = u32> + '_ {
        v.iter().map(|f| f.to_bits())
    }
    fn rates(r: &Rate) -> Vec<u32> {
        [&r.sci, &r.err, &r.var_poisson, &r.var_rnoise]
            .into_iter()
            .flat_map(|v| floats(v))
            .chain(r.dq.iter().copied())
            .collect()
    }
    fn extra(hdu: &Hdu) -> Vec<u32> {
        match &hdu.data {
            Data::Image(i) => i
                .pixels
                .to_f64()
                .iter()
                .map(|v| (*v as f32).to_bits())
                .collect(),
            _ => Vec::new(),
        }
    }
    fn image(c: &Cal) -> Vec<u32> {
        let flat = c.var_flat.as_deref().unwrap_or(&[]);
        [&c.sci, &c.err, &c.var_poisson, &c.var_rnoise]
            .into_iter()
            .flat_map(|v| floats(v))
            .chain(floats(flat))
            .chain(c.dq.iter().copied())
            .chain(c.extra.iter().flat_map(extra))
            .collect()
    }
    match model {
        Model::Cal(c) => image(c),
        Model::Observation(o) => {
            let all = [&o.science].into_iter().chain(&o.background);
            all.flat_map(image).collect()
        }
        Model::Exposures(e) => e.science.iter().flat_map(image).collect(),
        Model::Ramp(r) => {
            let dark = r.average_dark_current.as_deref().unwrap_or(&[]);
            floats(&r.data)
                .chain(floats(dark))
                .chain(r.pixeldq.iter().copied())
                .chain(r.groupdq.iter().map(|g| u32::from(*g)))
                .collect()
        }
        Model::Rate(r) => rates(r),
        Model::Cubes(c) => {
            let cube = |c: &Cube| -> Vec<u32> {
                let values = [&c.sci, &c.err, &c.wmap]
                    .into_iter()
                    .flat_map(|v| floats(v));
                let planes = c.extra.iter().chain(&c.planes).flat_map(extra);
                values.chain(c.dq.iter().copied()).chain(planes).collect()
            };
            c.0.iter().flat_map(cube).collect()
        }
        Model::Fit(f) => rates(&f.rate)
            .into_iter()
            .chain(rates(&f.rateints))
            .collect(),
        other => panic!("{} are not made here", other.kind()),
    }
}

/// Runs a step and checks that no flag went; returns the result's bits and status.
fn run(
    step: &dyn AnyStep,
    input: &Model,
    shape: Shape,
    folder: &Path,
    threads: usize,
) -> (Vec<u32>, Status) {
    run_with(step, input, shape, folder, threads, &toml::Table::new())
}

/// As [`run`], with parameters.
fn run_with(
    step: &dyn AnyStep,
    input: &Model,
    shape: Shape,
    folder: &Path,
    threads: usize,
    given: &toml::Table,
) -> (Vec<u32>, Status) {
    let target = Target {
        meta: input.meta().expect("metadata").clone(),
        shape,
        out: None,
    };
    let exec = Exec::new(Some(threads)).expect("threads");
    let paths = paths(step, folder);
    if let Some(r) = step
        .info()
        .references
        .iter()
        .find(|r| r.required && paths.get(r.kind).is_none())
    {
        return (
            bits(input),
            Status::Skipped(format!("no {} reference", r.kind)),
        );
    }
    let mut load = || step.load(&paths, &target, given);
    let (out, status) = match step.run(input.clone(), given, &mut load, &exec) {
        Ok(done) => done,
        // nothing valid in it: an error, and no product
        Err(sifu::Error::Science { message, .. }) => return (Vec::new(), Status::Failed(message)),
        Err(e) => panic!("{e}"),
    };
    let kept = |a: u32, b: u32| a & !step.clears() & !b == 0;
    if let (Model::Observation(a), Model::Observation(b)) = (input, &out) {
        let mut pixels = a.science.dq.iter().zip(&b.science.dq);
        assert!(pixels.all(|(a, b)| kept(*a, *b)), "DQ bits were cleared");
    }
    if let (Model::Cal(a), Model::Cal(b)) = (input, &out) {
        let mut pixels = a.dq.iter().zip(&b.dq);
        assert!(pixels.all(|(a, b)| kept(*a, *b)), "DQ bits were cleared");
    }
    if let (Model::Cubes(a), Model::Cubes(b)) = (input, &out)
        && a.0.len() == b.0.len()
    {
        for (a, b) in a.0.iter().zip(&b.0) {
            let mut voxels = a.dq.iter().zip(&b.dq);
            assert!(voxels.all(|(a, b)| kept(*a, *b)), "DQ bits were cleared");
        }
    }
    if let (Model::Exposures(a), Model::Exposures(b)) = (input, &out) {
        for (a, b) in a.science.iter().zip(&b.science) {
            let mut pixels = a.dq.iter().zip(&b.dq);
            assert!(pixels.all(|(a, b)| kept(*a, *b)), "DQ bits were cleared");
        }
    }
    if let (Model::Ramp(a), Model::Ramp(b)) = (input, &out)
        && a.shape == b.shape
    {
        let mut pixels = a.pixeldq.iter().zip(&b.pixeldq);
        assert!(
            pixels.all(|(a, b)| kept(*a, *b)),
            "PIXELDQ bits were cleared"
        );
        let mut groups = a.groupdq.iter().zip(b.groupdq.iter());
        assert!(
            groups.all(|(a, b)| kept((*a).into(), (*b).into())),
            "GROUPDQ bits were cleared"
        );
    }
    (bits(&out), status)
}

/// A cube of a band with noise, a spike, NaN and flags.
fn cube(seed: u64) -> Cube {
    let mut r = Numbers(seed);
    let (nz, ny, nx) = (40, 9, 11);
    let n = nz * ny * nx;
    let mut meta = meta(Shape {
        nints: 1,
        ngroups: 5,
        ny,
        nx,
    });
    meta.source = "planet_s3d.fits".into();
    meta.primary.set("CHANNEL", "3", "");
    for (k, v) in [("CRVAL3", 12.0), ("CDELT3", 0.0025), ("CRPIX3", 1.0)] {
        meta.sci.set(k, v, "");
    }
    let sci = (0..n).map(|i| match i % 97 {
        5 => f32::NAN,
        11 => 0.0,
        _ if i % 991 == 990 => 1e5,
        _ => 50.0 + (i as f32 * 0.01).sin() + r.next(),
    });
    let sci: Vec<f32> = sci.collect();
    Cube {
        meta,
        label: String::new(),
        nz,
        ny,
        nx,
        sci,
        err: (0..n).map(|_| 0.1 + 0.1 * r.next()).collect(),
        dq: (0..n).map(|i| [0, 0, 0, 513, 4][i % 89 % 5]).collect(),
        wmap: vec![1.0; n],
        wavelength: None,
        wcs: None,
        extra: Vec::new(),
        planes: Vec::new(),
    }
}

/// The cube with Venus in it, seen from the Earth and navigated with the built-in kernels.
fn venus(seed: u64) -> Cube {
    let mut cube = cube(seed);
    let primary = &mut cube.meta.primary;
    for (k, v) in [
        ("TARGNAME", "VENUS"),
        ("TELESCOP", "EARTH"),
        ("DATE-BEG", "2024-03-14T05:06:07"),
        ("DATE-END", "2024-03-14T05:16:07"),
    ] {
        primary.set(k, v, "");
    }
    let kernels = Kernels::with_built_in::<&str>(&[]).expect("built in");
    let et = kernels.et_of_utc("2024-03-14T05:11:07").expect("epoch");
    let seen = Aspect::new(&kernels, 299, &Observer::Body(399), et, Correction::CN);
    let [ra, dec] = seen.expect("aspect").centre();
    for (k, v) in [
        ("CRVAL1", ra),
        ("CRVAL2", dec),
        ("CRPIX1", 6.0),
        ("CRPIX2", 5.0),
        ("CDELT1", -1.3 / 3600.0),
        ("CDELT2", 1.3 / 3600.0),
    ] {
        cube.meta.sci.set(k, v, "");
    }
    cube.meta.sci.set("CTYPE1", "RA---TAN", "");
    cube.meta.sci.set("CTYPE2", "DEC--TAN", "");
    let exec = Exec::new(Some(1)).expect("threads");
    let (scene, options) = (Scene::of_cube(&cube).expect("WCS"), Options::default());
    let Meta { primary, sci, .. } = &cube.meta;
    let made = navigate(&scene, primary, sci, &kernels, &options, &exec);
    made.expect("navigated").put_into(&mut cube);
    cube
}

/// What every step of the planetary chain must do: the same bits for any number of threads, a note, no cleared flag,
/// no panic.
fn planetary(step: &dyn AnyStep) {
    let name = step.info().name;
    let dir = tempfile::tempdir().expect("folder");
    let file = dir.path().join("beside.fits");
    let text = match name {
        "trim_groups" => "ngroups = 2".to_owned(),
        "flat" => {
            let c = cube(9);
            let values: Vec<f64> = (0..c.sci.len())
                .map(|i| 1.0 + (i % 5) as f64 * 0.1)
                .collect();
            let image = Data::Image(Image::new(&[c.nz, c.ny, c.nx], values));
            let header = Header::new();
            let hdus = vec![Hdu {
                header,
                data: image,
            }];
            Product { hdus }.write(&file, false).expect("flat");
            format!("flat = '{}'", file.display())
        }
        "background" => {
            let c = cube(10);
            sifu::store::cube::write_cube(&file, &c, &c.meta, &[]).expect("cube");
            format!("background = '{}'", file.display())
        }
        _ => String::new(),
    };
    let given: toml::Table = text.parse().expect("TOML");
    let shape = Shape {
        nints: 2,
        ngroups: 6,
        ny: NY,
        nx: NX,
    };
    let make = |seed| match name {
        "trim_groups" => Model::from(ramp(shape, seed)),
        "psf" => Model::from(venus(seed)),
        "desaturate" => {
            let mut few = cube(seed + 50);
            few.meta.primary.set("NGROUPS", 2, "");
            Model::from(Cubes(vec![cube(seed), few]))
        }
        _ => Model::from(cube(seed)),
    };
    let input = make(1);
    let (one, status) = run_with(step, &input, shape, dir.path(), 1, &given);
    assert_eq!(status, Status::Complete);
    assert!(one != bits(&input), "nothing changed");
    for threads in [2, 7] {
        let (many, _) = run_with(step, &input, shape, dir.path(), threads, &given);
        assert!(one == many, "{threads} threads give other bits");
    }
    if let Model::Cubes(cubes) = make(2) {
        for (value, flags) in [(f32::NAN, 0), (f32::INFINITY, 0), (0.0, 0), (1.0, u32::MAX)] {
            let mut bad = cubes.clone();
            for cube in &mut bad.0 {
                cube.sci.fill(value);
                cube.err.fill(value);
                cube.dq.iter_mut().for_each(|d| *d |= flags);
            }
            run_with(step, &bad.into(), shape, dir.path(), 2, &given);
        }
        // the note
        let target = Target {
            meta: cubes.0[0].meta.clone(),
            shape,
            out: None,
        };
        let exec = Exec::new(Some(2)).expect("threads");
        let mut load = || step.load(&RefPaths::default(), &target, &given);
        let (out, _) = step
            .run(cubes.into(), &given, &mut load, &exec)
            .expect("runs");
        let primary = &out.meta().expect("a product").primary;
        assert!(primary.str("REDUCT1").is_some() && primary.str("REDUCT1 DATE").is_some());
    }
}

fn check(name: &str) {
    let step = sifu::steps::find(name).unwrap_or_else(|| panic!("there is no step {name}"));

    // the manual
    let docs = step.docs();
    assert!(docs.starts_with(&format!("# {name}: ")), "{docs}");
    let mut at = 0;
    for heading in HEADINGS {
        let found = docs
            .find(&format!("\n## {heading}\n"))
            .unwrap_or_else(|| panic!("no heading {heading}"));
        assert!(found > at, "heading {heading} is out of order");
        at = found;
    }
    for field in step.fields() {
        assert!(!field.doc.is_empty(), "{} has no help", field.name);
    }

    // parameters
    let defaults = step.complete(&toml::Table::new()).expect("defaults");
    let text = toml::to_string(&defaults).expect("TOML");
    let back: toml::Table = text.parse().expect("parses");
    assert_eq!(step.complete(&back).expect("accepted"), defaults);
    let unknown: toml::Table = "no_such_parameter = 1".parse().expect("parses");
    let said = step.complete(&unknown).expect_err("refused").to_string();
    assert!(
        said.contains("no_such_parameter") && said.contains(name),
        "{said}"
    );

    if step.info().is_planetary() {
        return planetary(step);
    }
    // data; the steps of stages 2 and 3 need a whole detector and are run one after the other elsewhere
    if !MIRI.contains(&name) && !NIR.contains(&name) {
        return;
    }
    let dir = tempfile::tempdir().expect("folder");
    references(dir.path());
    if name == "superbias" {
        superbias_file(dir.path());
    }
    let tiny = Shape {
        nints: 2,
        ngroups: 6,
        ny: NY,
        nx: NX,
    };
    let shape = if ["refpix", "badpix_selfcal"].contains(&name) {
        Shape {
            nints: 1,
            ngroups: 3,
            ny: 1024,
            nx: 1032,
        }
    } else {
        tiny
    };
    let make = |seed| match name {
        "gain_scale" => Model::from(rate(shape, seed)),
        "badpix_selfcal" | "imprint_subtract" | "bkg_subtract" => {
            Model::from(observation(shape, seed))
        }
        "master_background" | "outlier_detection" => Model::from(exposures(shape, seed)),
        "adaptive_trace_model" | "pixel_replace" => Model::from(sliced()),
        _ => Model::from(ramp(shape, seed)),
    };
    let input = make(1);
    let (one, status) = run(step, &input, shape, dir.path(), 1);
    assert!(
        !matches!(status, Status::Failed(_)) || step.info().skip,
        "{status:?}"
    );
    for threads in [2, 7] {
        let (many, _) = run(step, &input, shape, dir.path(), threads);
        assert!(one == many, "{threads} threads give other bits");
    }
    if status == Status::Complete && step.info().name != "gain_scale" {
        assert!(
            one != bits(&input),
            "the step says it is done and changed nothing"
        );
    }
    if let Model::Cal(c) = make(2) {
        for (value, flags) in [(f32::NAN, 0), (f32::INFINITY, 0), (1.0, u32::MAX)] {
            let mut bad = c.clone();
            bad.sci.fill(value);
            bad.err.fill(value);
            bad.dq.iter_mut().for_each(|d| *d |= flags);
            run(step, &(*bad).into(), shape, dir.path(), 2);
        }
    }
    if let Model::Exposures(e) = make(2) {
        for (value, flags) in [(f32::NAN, 0), (f32::INFINITY, 0), (1.0, u32::MAX)] {
            let mut bad = e.clone();
            for cal in &mut bad.science {
                cal.sci.fill(value);
                cal.dq.iter_mut().for_each(|d| *d |= flags);
            }
            run(step, &bad.into(), shape, dir.path(), 2);
        }
    }
    if let Model::Observation(o) = make(2) {
        for (value, flags) in [(f32::NAN, 0), (f32::INFINITY, 0), (1.0, u32::MAX)] {
            let mut bad = o.clone();
            let members = [&mut bad.science].into_iter().chain(&mut bad.background);
            for cal in members.chain(&mut bad.selfcal) {
                cal.sci.fill(value);
                cal.err.fill(value);
                cal.dq.iter_mut().for_each(|d| *d |= flags);
            }
            run(step, &(*bad).into(), shape, dir.path(), 2);
        }
    }
    if let Model::Exposures(e) = make(2) {
        for (value, flags) in [(f32::NAN, 0), (f32::INFINITY, 0), (1.0, u32::MAX)] {
            let mut bad = e.clone();
            for cal in &mut bad.science {
                cal.sci.fill(value);
                cal.err.fill(value);
                cal.dq.iter_mut().for_each(|d| *d |= flags);
            }
            run(step, &bad.into(), shape, dir.path(), 2);
        }
    }
    if let Model::Ramp(ramp) = make(2) {
        let mut nan = ramp.clone();
        nan.data.fill(f32::NAN);
        run(step, &(*nan).into(), shape, dir.path(), 2);
        let mut infinite = ramp.clone();
        infinite.data.fill(f32::INFINITY);
        run(step, &(*infinite).into(), shape, dir.path(), 2);
        let mut flagged = ramp.clone();
        flagged.groupdq.fill(255);
        flagged.pixeldq.fill(u32::MAX);
        run(step, &(*flagged).into(), shape, dir.path(), 2);
        for ngroups in 1..4 {
            let few = Shape { ngroups, ..shape };
            run(step, &self::ramp(few, 3).into(), few, dir.path(), 2);
        }
    }
}
