//! Stages 2 and 3 on a small simulated observation: what every step must do, the recipes as a program, bad input.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::common::{listing, sifu};
use sifu::exec::Exec;
use sifu::formats::asdf::{Node, fits_extension};
use sifu::formats::fits::FitsFile;
use sifu::model::{Cal, Meta, Rate, Shape};
use sifu::pipeline::recipe::{spec2, spec3};
use sifu::pipeline::run::prepare;
use sifu::pipeline::settings::Settings;
use sifu::simulate::{Options, simulate_miri};
use sifu::steps::step::{Model, Status, Target};
use sifu::store::cal::read_cal;
use sifu::store::products::{read_rate, write_rate};
use sifu::store::references::{CrdsReferences, Overrides};

/// A simulated observation: two dithers of one detector, as count rates.
struct Observation {
    crds: PathBuf,
    context: String,
    rates: Vec<PathBuf>,
}

/// Made once for all tests, in a folder of the build.
fn observation() -> &'static Observation {
    static MADE: OnceLock<Observation> = OnceLock::new();
    MADE.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("spectral");
        let _ = std::fs::remove_dir_all(&dir);
        let options = Options {
            detectors: vec![sifu::simulate::Detector::IfuLong],
            groups: 2,
            integrations: 1,
            ..Options::default()
        };
        let exec = Exec::new(None).expect("threads");
        let made = simulate_miri(&options, &dir, &exec, &|_| {}).expect("simulated");
        let rates = made.science.iter().zip(&made.truth);
        let rates = rates.map(|(raw, truth)| write(raw, truth)).collect();
        Observation {
            crds: made.crds,
            context: made.context,
            rates,
        }
    })
}

/// The true count rate as a `_rate` product beside the raw exposure, with some noise-like errors, NaN and flags.
fn write(raw: &Path, truth: &Path) -> PathBuf {
    let file = FitsFile::open(raw).expect("opens");
    let sci_at = file.need("SCI").expect("SCI");
    let path = PathBuf::from(raw.display().to_string().replace("_uncal", "_rate"));
    let truth = FitsFile::open(truth).expect("opens");
    let at = truth.need("SCI").expect("SCI");
    let (ny, nx) = (
        truth.shape(at).expect("image")[0],
        truth.shape(at).expect("image")[1],
    );
    let mut sci: Vec<f32> = truth.all(at).expect("pixels");
    let mut dq = vec![0u32; sci.len()];
    for k in (0..sci.len()).step_by(977) {
        sci[k] = f32::NAN;
        dq[k] = 1;
    }
    for k in (5..sci.len()).step_by(1511) {
        sci[k] += 4000.0;
        dq[k] = 4;
    }
    let variance: Vec<f32> = sci.iter().map(|v| v.abs() / 20.0 + 0.01).collect();
    let rate = Rate {
        meta: Meta {
            source: path.clone(),
            primary: file.hdus()[0].header.clone(),
            sci: file.hdus()[sci_at].header.clone(),
            history: None,
        },
        nints: None,
        ny,
        nx,
        err: variance.iter().map(|v| (2.0 * v).sqrt()).collect(),
        var_poisson: variance.clone(),
        var_rnoise: variance,
        sci,
        dq,
        extra: Vec::new(),
    };
    let asdf = fits_extension(&Node::mapping()).expect("a tree");
    write_rate(&path, &rate, &asdf).expect("written");
    path
}

/// Runs the program with the observation's references.
fn run(args: &[&str], out: &Path) -> (i32, String) {
    let o = observation();
    let crds = o.crds.display().to_string();
    let out = out.display().to_string();
    let common = ["-o", &out, "-q", "--crds", &crds, "--context", &o.context];
    let done = sifu(&[args, &common].concat(), &[]);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!said.contains("panicked"), "{said}");
    (done.status.code().expect("not killed"), said)
}

/// Every array of a model, bit by bit.
fn bits(model: &Model) -> Vec<u32> {
    fn image(c: &Cal, out: &mut Vec<u32>) {
        let flat: &[f32] = c.var_flat.as_deref().unwrap_or(&[]);
        for v in [&c.sci[..], &c.err, &c.var_poisson, &c.var_rnoise, flat] {
            out.extend(v.iter().map(|v| v.to_bits()));
        }
        out.extend(&c.dq);
    }
    let mut out = Vec::new();
    match model {
        Model::Cal(c) => image(c, &mut out),
        Model::Observation(o) => image(&o.science, &mut out),
        Model::Exposures(e) => e.science.iter().for_each(|c| image(c, &mut out)),
        Model::Cubes(c) => {
            for c in &c.0 {
                for v in [&c.sci, &c.err, &c.wmap] {
                    out.extend(v.iter().map(|v| v.to_bits()));
                }
                out.extend(&c.dq);
            }
        }
        Model::Spectra(s) => {
            for (_, t) in s.0.iter().flat_map(|s| &s.tables) {
                out.extend(t.rows.iter().map(|b| u32::from(*b)));
            }
        }
        other => panic!("{} are not made here", other.kind()),
    }
    out
}

/// Flags of all exposures in a model.
fn flags(model: &Model) -> Vec<u32> {
    match model {
        Model::Cal(c) => c.dq.clone(),
        Model::Observation(o) => o.science.dq.clone(),
        Model::Exposures(e) => e.science.iter().flat_map(|c| c.dq.clone()).collect(),
        _ => Vec::new(),
    }
}

/// The same with every value NaN, or every flag set.
fn spoiled(model: &Model, nan: bool) -> Model {
    let spoil = |c: &mut Cal| match nan {
        true => c.sci.fill(f32::NAN),
        false => c.dq.fill(u32::MAX),
    };
    let mut model = model.clone();
    match &mut model {
        Model::Cal(c) => spoil(c),
        Model::Observation(o) => spoil(&mut o.science),
        Model::Exposures(e) => e.science.iter_mut().for_each(spoil),
        Model::Cubes(c) => c.0.iter_mut().for_each(|c| match nan {
            true => c.sci.fill(f32::NAN),
            false => c.dq.fill(u32::MAX),
        }),
        _ => {}
    }
    model
}

/// Every step of a recipe in turn, all switched on: the same bits for any number of threads, flags kept, and neither
/// NaN nor flags everywhere make it fail otherwise than by saying that nothing is valid.
fn conform(names: &[&str], mut model: Model) -> Model {
    let o = observation();
    let references = CrdsReferences::new(Some(&o.crds), Some(&o.context), Overrides::default())
        .expect("the cache");
    for name in names {
        let step = sifu::steps::find(name).unwrap_or_else(|| panic!("there is no step {name}"));
        let meta = model.meta().expect("metadata").clone();
        let settings = Settings::default().on(name);
        let prepared = prepare(None, &[step], &meta, &settings, &references).expect("prepared");
        let p = &prepared[0];
        let target = Target {
            shape: Shape {
                nints: 1,
                ngroups: 1,
                ny: 1024,
                nx: 1032,
            },
            meta,
            out: None,
        };
        let run = |model: &Model, threads| {
            let exec = Exec::new(Some(threads)).expect("threads");
            let mut load = || step.load(&p.paths, &target, &p.settings.params);
            let each: Vec<Model> = match model {
                Model::Exposures(e) if step.takes_one() => {
                    e.science.iter().map(|c| c.clone().into()).collect()
                }
                other => vec![other.clone()],
            };
            let mut out = Vec::new();
            for m in each {
                out.push(step.run(m, &p.settings.params, &mut load, &exec)?);
            }
            Ok::<_, sifu::Error>(out)
        };
        let joined = |mut out: Vec<(Model, Status)>| {
            if out.len() == 1 {
                return out.remove(0);
            }
            let status = out[0].1.clone();
            let science = out
                .into_iter()
                .map(|(m, _)| Cal::try_from(m).expect("an image"));
            let set = sifu::model::Exposures {
                science: science.collect(),
                background: Vec::new(),
            };
            (set.into(), status)
        };
        let (one, status) = joined(run(&model, 1).unwrap_or_else(|e| panic!("{name}: {e}")));
        let (three, _) = joined(run(&model, 3).unwrap_or_else(|e| panic!("{name}: {e}")));
        assert!(
            bits(&one) == bits(&three),
            "{name}: 3 threads give other bits than 1"
        );
        assert!(
            !matches!(status, Status::Failed(_)),
            "{name} ended with {status:?}"
        );
        let (before, after) = (flags(&model), flags(&one));
        if before.len() == after.len() {
            let kept = |(a, b): (&u32, &u32)| a & !step.clears() & !b == 0;
            assert!(
                before.iter().zip(&after).all(kept),
                "{name}: DQ bits were cleared"
            );
        }
        for nan in [true, false] {
            match run(&spoiled(&model, nan), 2) {
                Ok(_) | Err(sifu::Error::Science { .. }) => {}
                Err(e) => panic!("{name} on spoiled input: {e}"),
            }
        }
        model = one;
        if let Model::Observation(o) = model {
            model = o.science.into();
        }
        // as the runner does; later steps ask for it
        for meta in model.metas_mut() {
            meta.primary.set(step.info().keyword, "COMPLETE", "");
        }
    }
    model
}

#[test]
fn every_step_of_stages_2_and_3_conforms() {
    let mut science = Vec::new();
    for path in &observation().rates {
        let rate = read_rate(path).expect("read");
        let cal = conform(spec2::MRS, Cal::from_rate(rate).expect("an image").into());
        science.push(Cal::try_from(cal).expect("an image"));
        if science.len() == 1 {
            let first = science[0].clone();
            assert!(matches!(
                conform(spec2::CUBES, first.into()),
                Model::Spectra(_)
            ));
        }
    }
    let set = sifu::model::Exposures {
        science,
        background: Vec::new(),
    };
    let Model::Spectra(spectra) = conform(spec3::MRS, set.into()) else {
        panic!("the recipe does not end with spectra");
    };
    assert_eq!(spectra.0.len(), 2, "a spectrum of each channel");
}

#[test]
fn the_recipes_make_their_products() {
    let dir = tempfile::tempdir().expect("folder");
    let two = dir.path().join("stage2");
    let rates = observation().rates[0]
        .parent()
        .expect("folder")
        .display()
        .to_string();
    let (code, said) = run(&["spec2", &rates], &two);
    assert_eq!((code, said.as_str()), (0, ""));
    let names = listing(&two);
    for suffix in ["_cal.fits", "_s3d.fits", "_x1d.fits"] {
        assert!(
            names.iter().filter(|n| n.ends_with(suffix)).count() >= 2,
            "{names:?}"
        );
    }
    let cal = read_cal(
        &two.join(
            names
                .iter()
                .find(|n| n.ends_with("_cal.fits"))
                .expect("one"),
        ),
    );
    let cal = cal.expect("read");
    assert_eq!(cal.meta.sci.str("BUNIT"), Some("MJy/sr"));
    assert_eq!(cal.meta.str("ASNTABLE"), Some("singleton"));
    cal.need_wcs().expect("a WCS");

    // the same bits from an association, with 1 thread
    let asn = dir.path().join("Level3_asn.json");
    let cals: Vec<String> = names
        .iter()
        .filter(|n| n.ends_with("_cal.fits"))
        .map(|n| two.join(n).display().to_string())
        .collect();
    let mut args = vec!["asn", "--product", "Level3"];
    args.extend(cals.iter().map(String::as_str));
    let asn_text = asn.display().to_string();
    args.extend(["-o", &asn_text]);
    assert!(sifu(&args, &[]).status.success());
    let mut products = Vec::new();
    for (i, threads) in ["1", "3"].iter().enumerate() {
        let out = dir.path().join(format!("stage3-{threads}"));
        let two = two.display().to_string();
        let input = if i == 0 { &asn_text } else { &two };
        let (code, said) = run(&["spec3", input, "--threads", threads], &out);
        assert_eq!((code, said.as_str()), (0, ""));
        let names = listing(&out);
        for suffix in [
            "ch3-short_s3d",
            "ch4-short_s3d",
            "ch3-short_x1d",
            "ch4-short_x1d",
        ] {
            assert!(
                names.contains(&format!("Level3_{suffix}.fits")),
                "{names:?}"
            );
        }
        let cube = FitsFile::open(out.join("Level3_ch3-short_s3d.fits")).expect("opens");
        let values: Vec<f32> = cube.all(cube.need("SCI").expect("SCI")).expect("pixels");
        assert!(values.iter().filter(|v| v.is_finite()).count() > values.len() / 4);
        products.push(values.iter().map(|v| v.to_bits()).collect::<Vec<_>>());
    }
    assert!(products[0] == products[1]);
}

#[test]
fn bad_input_to_stage_2_is_one_clear_error() {
    let dir = tempfile::tempdir().expect("folder");
    let out = dir.path().join("out");
    let rate = observation().rates[0].clone();
    let text = rate.display().to_string();
    let write = |name: &str, change: &dyn Fn(&mut Rate)| {
        let mut r = read_rate(&rate).expect("read");
        change(&mut r);
        let path = dir.path().join(name);
        let asdf = fits_extension(&Node::mapping()).expect("a tree");
        write_rate(&path, &r, &asdf).expect("written");
        path.display().to_string()
    };
    let asn = |name: &str, members: &str| {
        let path = dir.path().join(name);
        let text = format!(r#"{{"products": [{{"name": "x", "members": [{members}]}}]}}"#);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let other = write("other_rate.fits", &|r| {
        r.meta.primary.set("BAND", "LONG", "")
    });
    let nan = write("nan_rate.fits", &|r| r.sci.fill(f32::NAN));
    let imager = write("imager_rate.fits", &|r| {
        r.meta.primary.set("EXP_TYPE", "MIR_IMAGE", "")
    });
    let pointless = write("pointless_rate.fits", &|r| r.meta.sci.remove("RA_REF"));
    let ints = write("x_rateints.fits", &|r| r.nints = Some(1));
    let missing = asn(
        "missing.json",
        r#"{"expname": "nowhere_rate.fits", "exptype": "science"}"#,
    );
    let none = asn(
        "none.json",
        r#"{"expname": "nowhere_rate.fits", "exptype": "background"}"#,
    );
    for (args, code, words) in [
        (
            vec!["spec2", &text, "--background", &other],
            3,
            ["band", "SHORT"],
        ),
        (
            vec!["spec2", &nan],
            1,
            ["nan_rate.fits", "nothing is written"],
        ),
        (vec!["spec2", &imager], 3, ["imager_rate.fits", "MIR_IMAGE"]),
        (
            vec!["spec2", &pointless],
            3,
            ["pointless_rate.fits", "RA_REF"],
        ),
        (vec!["spec2", &ints], 3, ["x_rateints.fits", "_rate"]),
        (
            vec!["spec2", &missing],
            3,
            ["missing.json", "nowhere_rate.fits"],
        ),
        (vec!["spec2", &none], 3, ["none.json", "no science member"]),
        (vec!["spec3", &text], 3, ["_rate.fits", "assign_wcs"]),
        (
            vec!["spec3", &missing],
            3,
            ["missing.json", "nowhere_rate.fits"],
        ),
        (
            vec!["spec3", &text, "--product", "a/b"],
            2,
            ["--product", "a/b"],
        ),
    ] {
        let (found, said) = run(&args, &out);
        assert_eq!(found, code, "{args:?}: {said}");
        assert!(words.iter().all(|w| said.contains(w)), "{args:?}: {said}");
        assert!(
            listing(&out).is_empty(),
            "{args:?} left {:?}",
            listing(&out)
        );
    }
}
