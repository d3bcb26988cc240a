//! master_background on small cases made by the Python pipeline (`tests/golden/make_master_background.py`): the
//! combined spectrum and the background of an exposure, equal to the bit.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use sifu::exec::Exec;
use sifu::formats::fits::{FitsFile, Header};
use sifu::model::{Cal, DetectorMap, Exposures, Meta, Shape};
use sifu::steps::step::{Model, RefPaths, Status, Target};
use sifu::store::spectrum::read_spectrum;

/// An exposure whose pixels see these wavelengths: of NIRSpec where there are fractions of light that pass.
fn exposure(wavelength: &[f64], ny: usize, nx: usize, folder: &Path) -> Cal {
    let mut primary = Header::new();
    let mut extra = Vec::new();
    match FitsFile::open(folder.join("pathloss.fits.gz")) {
        Err(_) => primary.set("INSTRUME", "MIRI", ""),
        Ok(losses) => {
            let point = folder.ends_with("nirspec_point");
            primary.set("INSTRUME", "NIRSPEC", "");
            primary.set("SRCTYPE", if point { "POINT" } else { "EXTENDED" }, "");
            extra = (1..=2).map(|i| losses.hdu(i).unwrap()).collect();
        }
    }
    let n = ny * nx;
    let position = |v: f64| {
        wavelength
            .iter()
            .map(|w| if w.is_nan() { *w } else { v })
            .collect()
    };
    let map = DetectorMap {
        ny,
        nx,
        slice: vec![101; n],
        alpha: vec![0.0; n],
        beta: vec![0.0; n],
        lambda: wavelength.to_vec(),
        ra: position(54.0),
        dec: position(18.0),
    };
    Cal {
        meta: Meta {
            source: "sky_cal.fits".into(),
            primary,
            sci: Header::new(),
            history: None,
        },
        ny,
        nx,
        sci: vec![0.0; n],
        err: vec![1.0; n],
        dq: vec![0; n],
        var_poisson: vec![1.0; n],
        var_rnoise: vec![1.0; n],
        var_flat: None,
        wcs: None,
        spectral_region: None,
        map: OnceLock::from(std::sync::Arc::new(map)),
        extra,
    }
}

fn check(folder: &Path, threads: usize) {
    let wave = FitsFile::open(folder.join("wavelength.fits.gz")).unwrap();
    let hdu = wave.need("WAVELENGTH").unwrap();
    let &[ny, nx] = wave.shape(hdu).unwrap() else {
        panic!("an image");
    };
    let members = (0..).map(|i| folder.join(format!("bg{i}.fits.gz")));
    let background: Vec<_> = members
        .take_while(|p| p.exists())
        .map(|p| read_spectrum(&p).unwrap())
        .collect();
    let first = background[0].meta.root();
    let input = Exposures {
        science: vec![exposure(&wave.all::<f64>(hdu).unwrap(), ny, nx, folder)],
        background,
    };
    let out = tempfile::tempdir().unwrap();
    let target = Target {
        meta: input.science[0].meta.clone(),
        shape: Shape {
            nints: 1,
            ngroups: 1,
            ny,
            nx,
        },
        out: Some(out.path().into()),
    };
    let text = fs::read_to_string(folder.join("params.toml")).unwrap();
    let mut params: toml::Table = text.parse().unwrap();
    params.insert("save_background".into(), true.into());
    let step = sifu::steps::find("master_background").unwrap();
    let mut load = || step.load(&RefPaths::default(), &target, &params);
    let exec = Exec::new(Some(threads)).unwrap();
    let (model, status) = step
        .run(Model::from(input), &params, &mut load, &exec)
        .unwrap();
    assert_eq!(status, Status::Complete);

    let table = |path: &Path| {
        let file = FitsFile::open(path).unwrap();
        file.table(file.need("COMBINE1D").unwrap()).unwrap()
    };
    let ours = table(&out.path().join(format!("{first}_masterbg1d.fits")));
    let theirs = table(&folder.join("combined.fits.gz"));
    assert_eq!(ours.nrows, theirs.nrows, "{}", folder.display());
    assert_eq!(ours.columns.len(), 8);
    for column in &ours.columns {
        for row in 0..ours.nrows {
            let bits =
                |t: &sifu::formats::fits::Table| t.number(&column.name, row).map(f64::to_bits);
            assert!(bits(&ours).is_some(), "{}", column.name);
            assert_eq!(
                bits(&ours),
                bits(&theirs),
                "{} {row} of {}",
                column.name,
                folder.display()
            );
        }
    }
    let expect = FitsFile::open(folder.join("image.fits.gz")).unwrap();
    let expect: Vec<f32> = expect.all(expect.need("SCI").unwrap()).unwrap();
    let made = Exposures::try_from(model).unwrap();
    // from an exposure of zeros
    let bits = |v: f32| if v.is_nan() { None } else { Some(v.to_bits()) };
    let found: Vec<_> = made.science[0].sci.iter().map(|v| bits(0.0 - v)).collect();
    let expect: Vec<_> = expect.iter().map(|v| bits(0.0 + v)).collect();
    assert_eq!(found, expect, "{}", folder.display());
    assert!(made.science[0].dq.iter().all(|d| *d == 0));
    let saved = FitsFile::open(out.path().join("sky_masterbg2d.fits")).unwrap();
    let saved: Vec<f32> = saved.all(saved.need("SCI").unwrap()).unwrap();
    assert_eq!(
        saved.iter().map(|v| bits(0.0 + v)).collect::<Vec<_>>(),
        expect
    );
}

#[test]
fn every_case_agrees_to_the_bit() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/master_background");
    let cases: Vec<_> = fs::read_dir(root)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    assert_eq!(cases.len(), 7);
    for case in cases {
        for threads in [1, 7] {
            check(&case, threads);
        }
    }
}
