//! extract_1d and spectral_leak on small cases made by the Python pipeline (`tests/golden/make_extract_1d.py`): point
//! sources inside, at the edge and outside of the cube, found, placed, with apertures larger than the cube; extended
//! sources; empty cubes; NIRSpec.

use std::fs;
use std::path::{Path, PathBuf};

use sifu::exec::Exec;
use sifu::formats::fits::{FitsFile, Header, Value};
use sifu::model::{Cubes, Meta, Shape, Spectra, Spectrum};
use sifu::steps::step::{AnyStep, Model, RefPaths, Status, Target};
use sifu::store::cube::read_cube;
use sifu::store::spectrum::{read_spectrum, write_spectrum};

fn cases(step: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let entries = fs::read_dir(folder.join(step)).unwrap();
    let mut folders: Vec<_> = entries.map(|e| e.unwrap().path()).collect();
    folders.sort();
    folders
}

fn params(folder: &Path) -> toml::Table {
    let text = fs::read_to_string(folder.join("params.toml")).unwrap_or_default();
    text.parse().unwrap()
}

fn run(
    step: &str,
    folder: &Path,
    input: Model,
    params: &toml::Table,
    threads: usize,
) -> sifu::Result<(Spectra, Status)> {
    let step: &dyn AnyStep = sifu::steps::find(step).unwrap();
    let mut refs = RefPaths::default();
    for r in step.info().references {
        let names = ["asdf", "fits.gz"].map(|e| folder.join(format!("{}.{e}", r.kind)));
        let file = names.into_iter().find(|f| f.exists());
        refs.0.insert(r.kind.into(), file);
    }
    let target = Target {
        meta: input.meta().unwrap().clone(),
        shape: Shape {
            nints: 1,
            ngroups: 1,
            ny: 1,
            nx: 1,
        },
        out: None,
    };
    let mut load = || step.load(&refs, &target, params);
    let exec = Exec::new(Some(threads)).unwrap();
    let (out, status) = step.run(input, params, &mut load, &exec)?;
    Ok((out.try_into()?, status))
}

/// The spectrum of a case as a file holds it.
fn written(spectrum: &Spectrum) -> (Header, Vec<(String, Vec<f64>)>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x1d.fits");
    write_spectrum(&path, spectrum, &spectrum.meta, b"").unwrap();
    columns(&path)
}

fn columns(path: &Path) -> (Header, Vec<(String, Vec<f64>)>) {
    let file = FitsFile::open(path).unwrap();
    let hdu = file.find("EXTRACT1D").unwrap();
    let table = file.table(hdu).unwrap();
    let names = table.columns.iter().map(|c| c.name.clone());
    let columns = names.map(|n| {
        let values = table.column_numbers(&n).unwrap();
        (n, values)
    });
    (file.hdus()[hdu].header.clone(), columns.collect())
}

/// Largest relative difference; NaN must be at the same places.
fn difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let one = |(a, b): (&f64, &f64)| match (a.is_nan(), b.is_nan()) {
        (true, true) => 0.0,
        (false, false) if a == b => 0.0,
        (false, false) => (a - b).abs() / b.abs(),
        _ => f64::INFINITY,
    };
    a.iter().zip(b).map(one).fold(0.0, f64::max)
}

/// Whether the size of a pixel in degrees goes into the values. It is the difference of two nearby positions, and the
/// arctangents of `numpy` differ in their last bits from the C library's.
fn is_point(header: &Header) -> bool {
    header.str("SRCTYPE") == Some("POINT")
}

#[test]
fn spectra_are_those_of_calwebb() {
    let folders = cases("extract_1d");
    assert_eq!(folders.len(), 20);
    for folder in folders {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let cube = read_cube(&folder.join("in.fits.gz")).unwrap();
        let mut bits = Vec::new();
        for threads in [1, 2, 7] {
            let input = Model::from(Cubes(vec![cube.clone()]));
            let (out, status) =
                run("extract_1d", &folder, input, &params(&folder), threads).unwrap();
            assert_eq!(status, Status::Complete);
            bits.push(out.0[0].tables[0].1.rows.clone());
            if threads > 1 {
                assert!(
                    bits[0] == *bits.last().unwrap(),
                    "{name}: {threads} threads"
                );
                continue;
            }
            let (header, ours) = written(&out.0[0]);
            let (wanted, theirs) = columns(&folder.join("out.fits.gz"));
            compare_headers(&name, &header, &wanted);
            for ((column, a), (b_name, b)) in ours.iter().zip(&theirs) {
                assert_eq!(column, b_name);
                let allowed = if is_point(&header) { 1e-8 } else { 0.0 };
                let d = difference(a, b);
                assert!(d <= allowed, "{name}: {column} differs by {d:e}");
            }
            assert_eq!(ours.len(), theirs.len());
            let model = FitsFile::open(folder.join("out.fits.gz")).unwrap();
            let model = model.hdus()[0].header.str("DATAMODL").unwrap().to_owned();
            assert_eq!(out.0[0].model, model);
            assert!(out.0[0].meta.primary.get("WTYPE").is_none());
        }
    }
}

/// The same cards in the same order with the same values, but for the last bits of positions.
fn compare_headers(name: &str, ours: &Header, theirs: &Header) {
    let keys = |h: &Header| -> Vec<String> {
        let cards = h.cards().iter();
        let keys = cards.filter(|c| c.value != Value::Commentary);
        keys.map(|c| c.keyword.clone()).collect()
    };
    assert_eq!(keys(ours), keys(theirs), "{name}");
    for key in keys(theirs) {
        let (a, b) = (ours.get(&key), theirs.get(&key));
        match (a, b) {
            (Some(Value::Float(a)), Some(Value::Float(b))) => {
                assert!((a - b).abs() < 1e-12, "{name}: {key} {a} {b}");
            }
            _ => assert_eq!(a, b, "{name}: {key}"),
        }
        let comment = |h: &Header| h.card(&key).unwrap().comment.clone();
        if !["XTENSION"].contains(&key.as_str()) {
            assert_eq!(comment(ours), comment(theirs), "{name}: {key}");
        }
    }
}

#[test]
fn leaks_are_those_of_calwebb() {
    for folder in cases("spectral_leak") {
        let read = |stem: &str| -> Vec<Spectrum> {
            let path = |i: usize| folder.join(format!("{stem}{i}.fits.gz"));
            let files = (0..).map(path).take_while(|p| p.exists());
            files.map(|p| read_spectrum(&p).unwrap()).collect()
        };
        let input = Model::from(Spectra(read("in")));
        let (out, status) = run("spectral_leak", &folder, input, &toml::Table::new(), 2).unwrap();
        assert_eq!(status, Status::Complete);
        let (theirs, before) = (read("out"), read("in"));
        let mut changed = 0;
        for ((a, b), before) in out.0.iter().zip(&theirs).zip(&before) {
            assert_eq!(a.tables[0].1.rows, b.tables[0].1.rows, "{folder:?}");
            changed += usize::from(a.tables[0].1.rows != before.tables[0].1.rows);
        }
        assert_eq!((out.0.len(), changed), (theirs.len(), 1));
    }
}

#[test]
fn spectra_without_a_leak_are_left_alone() {
    let folder = &cases("spectral_leak")[0];
    let one = read_spectrum(&folder.join("in0.fits.gz")).unwrap();
    let rows = one.tables[0].1.rows.clone();
    let input = Model::from(Spectra(vec![one]));
    let (out, status) = run("spectral_leak", folder, input, &toml::Table::new(), 1).unwrap();
    assert!(matches!(status, Status::Skipped(_)), "{status:?}");
    assert_eq!(out.0[0].tables[0].1.rows, rows);
}

#[test]
fn what_cannot_be_extracted_is_refused() {
    let point = &cases("extract_1d")[4];
    assert!(point.ends_with("point"));
    let refused = |change: &dyn Fn(&mut sifu::model::Cube), params: &str| -> String {
        let mut cube = read_cube(&point.join("in.fits.gz")).unwrap();
        change(&mut cube);
        let params = params.parse().unwrap();
        let input = Model::from(Cubes(vec![cube]));
        match run("extract_1d", point, input, &params, 1) {
            Ok(_) => panic!("it was extracted"),
            Err(e) => e.to_string(),
        }
    };
    let said = refused(&|_| (), "ifu_rscale = 9.0");
    assert!(said.contains("ifu_rscale"), "{said}");
    let said = refused(&|c| c.wmap.truncate(3), "");
    assert!(said.contains("WMAP"), "{said}");
    let bare = |c: &mut sifu::model::Cube| {
        c.wcs = None;
        c.meta.sci.remove("CDELT1");
    };
    let said = refused(&bare, "");
    assert!(said.contains("CDELT1"), "{said}");
    let timeless = |c: &mut sifu::model::Cube| {
        c.wcs = None;
        c.meta.sci.set("CTYPE3", "WAVE-TAB", "");
        c.wavelength = Some(vec![f32::NAN; c.nz]);
    };
    let said = refused(&timeless, "");
    assert!(said.contains("WCS"), "{said}");
    let flat = |c: &mut sifu::model::Cube| {
        c.wcs = None;
        c.meta.sci.set("CDELT1", 0.0, "");
    };
    assert!(!refused(&flat, "").is_empty());
}

#[test]
fn keywords_serve_where_there_is_no_gwcs() {
    for name in ["point_exact", "point_table"] {
        let folder = cases("extract_1d")
            .into_iter()
            .find(|f| f.ends_with(name))
            .unwrap();
        let rows = |strip: bool| {
            let mut cube = read_cube(&folder.join("in.fits.gz")).unwrap();
            if strip {
                cube.wcs = None;
            }
            let input = Model::from(Cubes(vec![cube]));
            let (out, _) = run("extract_1d", &folder, input, &params(&folder), 2).unwrap();
            written(&out.0[0]).1
        };
        for ((name, a), (_, b)) in rows(true).iter().zip(&rows(false)) {
            let d = difference(a, b);
            assert!(d <= 1e-8, "{name} differs by {d:e}");
        }
    }
}

#[test]
fn headers_of_the_cube_are_kept_for_what_follows() {
    let folder = &cases("extract_1d")[4];
    let mut cube = read_cube(&folder.join("in.fits.gz")).unwrap();
    cube.label = "ch1-medium".into();
    let source: Meta = cube.meta.clone();
    let input = Model::from(Cubes(vec![cube]));
    let (out, _) = run("extract_1d", folder, input, &params(folder), 1).unwrap();
    let spectrum = &out.0[0];
    assert_eq!(spectrum.label, "ch1-medium");
    assert_eq!(spectrum.meta.source, source.source);
    assert_eq!(spectrum.meta.sci, source.sci);
    for card in source.primary.cards() {
        let kept = spectrum.meta.primary.get(&card.keyword).is_some();
        let cube_only = [
            "WTYPE", "FLUXEXT", "ERREXT", "MASKEXT", "ROIS", "ROIW", "WPOWER",
        ];
        if source.primary.get(&card.keyword).is_some() {
            assert_eq!(
                kept,
                !cube_only.contains(&card.keyword.as_str()),
                "{card:?}"
            );
        }
    }
    assert!(
        spectrum
            .meta
            .primary
            .cards()
            .iter()
            .all(|c| c.comment.trim() != "IFU cube parameters")
    );
}
