//! Headers of combined products against those calwebb blends (`tests/golden/make_blend.py`), and against the Python
//! pipeline's cubes where a run of it is at hand (`SIFU_BLEND`: a folder with `_crf` files and `_s3d` cubes of them).

use std::path::{Path, PathBuf};

use sifu::formats::fits::{Data, FitsFile, Hdu, Header, Table, Value};
use sifu::model::Meta;
use sifu::model::blend::blend;

/// Keywords that are the product's own, or say when and by what it was made.
const OWN: &[&str] = &[
    "DATE", "FILENAME", "DATAMODL", "NAXIS", "EXTEND", "SIMPLE", "BITPIX", "EXTVER", "EXTNAME",
    "BUNIT",
];

fn meta(path: &Path) -> Meta {
    let file = FitsFile::open(path).unwrap();
    Meta {
        source: path.into(),
        primary: file.hdus()[0].header.clone(),
        sci: file.hdus()[file.need("SCI").unwrap()].header.clone(),
        history: None,
    }
}

fn table(hdu: Hdu) -> (Header, Table) {
    match hdu.data {
        Data::Table(table) => (hdu.header, table),
        other => panic!("a table, not {other:?}"),
    }
}

fn same(a: &Value, b: &Value) -> bool {
    a == b || a.as_f64().is_some_and(|a| b.as_f64() == Some(a))
}

/// Compares what calwebb has in a header with ours; keywords it drops do not count.
fn compare(ours: &Header, theirs: &Header, skip: &dyn Fn(&str) -> bool) -> usize {
    let mut compared = 0;
    for card in theirs.cards() {
        if OWN.contains(&card.keyword.as_str()) || skip(&card.keyword) {
            continue;
        }
        if let Some(expect) = theirs.get(&card.keyword) {
            let found = ours.get(&card.keyword);
            assert!(
                found.is_some_and(|f| same(f, expect)),
                "{}: {found:?} where calwebb has {expect:?}",
                card.keyword
            );
            compared += 1;
        }
    }
    compared
}

/// Compares tables of headers, column by column, but for columns that say when a file was made.
fn compare_tables(ours: Hdu, theirs: Hdu, skip: &[&str]) -> usize {
    let ((header, ours), (expect_header, theirs)) = (table(ours), table(theirs));
    let names = |t: &Table| {
        let names = t.columns.iter().map(|c| c.name.clone());
        names
            .filter(|n| !skip.contains(&n.as_str()))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&ours), names(&theirs));
    assert_eq!(ours.nrows, theirs.nrows);
    let form = |t: &Table, h: &Header, name: &str| {
        let i = t.column(name).map_or(0, |i| i + 1);
        h.str(&format!("TFORM{i}")).map(str::to_owned)
    };
    for name in &names(&theirs) {
        assert_eq!(
            form(&ours, &header, name),
            form(&theirs, &expect_header, name),
            "{name}"
        );
        for row in 0..ours.nrows {
            assert_eq!(ours.text(name, row), theirs.text(name, row), "{name}");
            let bits = |t: &Table| {
                let values = t.numbers(name, row)?;
                Some(values.iter().map(|v| v.to_bits()).collect::<Vec<_>>())
            };
            assert_eq!(bits(&ours), bits(&theirs), "{name}");
        }
    }
    names(&theirs).len()
}

#[test]
fn the_golden_case() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/blend");
    let inputs: Vec<Meta> = (0..3)
        .map(|i| meta(&folder.join(format!("in{i}.fits.gz"))))
        .collect();
    let (mut out, hdrtab) = blend(&inputs.iter().collect::<Vec<_>>());
    let expect = folder.join("out.fits.gz");
    let expected = meta(&expect);
    // the target is put at its mean position by cube_build, not by the blender
    for (header, keyword) in [
        (true, "TARG_RA"),
        (true, "TARG_DEC"),
        (false, "MT_RA"),
        (false, "MT_DEC"),
    ] {
        let (own, given) = match header {
            true => (&mut out.primary, &inputs[0].primary),
            false => (&mut out.sci, &inputs[0].sci),
        };
        if let Some(value) = given.get(keyword) {
            own.set(keyword, value.clone(), "");
        }
    }
    assert!(compare(&out.primary, &expected.primary, &|_| false) > 150);
    assert!(compare(&out.sci, &expected.sci, &|k| k.starts_with("NAXIS")) > 40);
    let file = FitsFile::open(&expect).unwrap();
    let theirs = file.hdu(file.need("HDRTAB").unwrap()).unwrap();
    assert!(compare_tables(hdrtab.unwrap(), theirs, &[]) > 200);
}

/// Keywords of a cube's own WCS and of what cube_build says about it.
fn of_the_cube(keyword: &str) -> bool {
    let own = [
        "CRVAL", "CRPIX", "CDELT", "CTYPE", "CUNIT", "PC", "NAXIS", "WCSAXES", "PS3_", "ROI",
        "WPOWER", "WTYPE",
    ];
    own.iter().any(|p| keyword.starts_with(p))
        || [
            "CHANNEL", "PIXAR_A2", "PIXAR_SR", "S_IFUCUB", "S_EXTR1D", "S_SPLEAK", "S_TRCMOD",
            "S_PXREPL", "S_REGION",
        ]
        .contains(&keyword)
        || [
            "FLUXEXT", "ERREXT", "ERRTYPE", "MASKEXT", "R_CUBPAR", "R_EXTR1D", "R_APCORR",
            "WAVSTART", "WAVEND", "SPORDER",
        ]
        .contains(&keyword)
}

#[test]
fn cubes_of_the_python_pipeline() {
    let Some(folder) = std::env::var_os("SIFU_BLEND").map(PathBuf::from) else {
        eprintln!("skipped: SIFU_BLEND names no folder of the Python pipeline's stage 3");
        return;
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.sort();
    let ends = |end: &str| {
        let name = |p: &&PathBuf| p.to_string_lossy().ends_with(end);
        files.iter().filter(name).cloned().collect::<Vec<_>>()
    };
    let crf: Vec<Meta> = ends("_crf.fits").iter().map(|p| meta(p)).collect();
    let mut cubes = 0;
    for path in ends("_s3d.fits") {
        let file = FitsFile::open(&path).unwrap();
        let Some(hdrtab) = file.find("HDRTAB") else {
            continue;
        };
        let cube = meta(&path);
        let inputs: Vec<&Meta> = crf
            .iter()
            .filter(|m| m.str("DETECTOR") == cube.str("DETECTOR"))
            .collect();
        let (out, own) = blend(&inputs);
        let n = compare(&out.primary, &cube.primary, &of_the_cube)
            + compare(&out.sci, &cube.sci, &of_the_cube);
        // the files were saved under another name, before the last steps were passed over
        let columns = compare_tables(
            own.unwrap(),
            file.hdu(hdrtab).unwrap(),
            &["DATE", "FILENAME", "S_TRCMOD", "S_PXREPL"],
        );
        eprintln!("{}: {n} keywords, {columns} columns agree", path.display());
        cubes += 1;
    }
    assert!(cubes > 0, "no combined cubes in {}", folder.display());
}
