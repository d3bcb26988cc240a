//! `sifu report` on a folder as a run leaves it, small: every task, figure and value is in the page, and nothing else becomes of it.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use sifu::formats::fits::{FitsFile, Header, Writer};
use sifu::model::dq;
use sifu::pipeline::plan::record::{Basis, Record};
use sifu::view::report::markup;
use sifu::view::report::pack::PRECISION;

use crate::common::listing;
use crate::plot::{Made, PLAIN, navigated, program};

/// What nothing may make of a name or a header.
const HOSTILE: &str = "</script><script>alert('x')</script> & <b>";
const CUBE: &str = "Level3_ch1-short_s3d_nav.fits";

fn value(z: usize, y: usize, x: usize) -> f32 {
    match (y, x) {
        (3, 7) => f32::NAN,
        _ => 100.0 + ((z * 37 + y * 11 + x * 5) % 101) as f32 * 1.234_567 + 1e-3 * z as f32,
    }
}

pub fn rate(path: &Path, flags: &[u32; 16]) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    let mut primary = Header::new();
    for (key, v) in [
        ("DETECTOR", "MIRIFUSHORT"),
        ("BAND", "SHORT"),
        ("CRDS_CTX", "jwst_1234.pmap"),
        ("R_DARK", "crds://jwst_miri_dark_0001.fits"),
    ] {
        primary.set(key, v, "");
    }
    primary.set("NGROUPS", 5i64, "");
    let mut w = Writer::create(path, false).expect("made");
    w.empty(&primary).expect("written");
    let named = |name: &str| {
        let mut h = Header::new();
        h.set("EXTNAME", name, "");
        h
    };
    w.image::<f32>(&named("SCI"), &[4, 4]).expect("written");
    let rates: Vec<f32> = (0..16)
        .map(|i| if i == 5 { f32::NAN } else { i as f32 })
        .collect();
    w.put(0, &rates).expect("written");
    w.image::<u32>(&named("DQ"), &[4, 4]).expect("written");
    w.put(0, flags).expect("written");
    w.finish().expect("written");
}

/// A folder as a run leaves it.
fn finished() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let root = dir.path().join("run <1>");
    let made = Made {
        value,
        size: [12, 15],
        diameter: 9.0,
        ..PLAIN
    };
    let cube = navigated(
        dir.path(),
        &made,
        &["--ra-offset", "0.25", "--dec-offset", "-0.5"],
    );
    for folder in [
        "stage3/d1",
        "stage5_despike/d1",
        "plots/stage5_despike/d1",
        "animation",
    ] {
        std::fs::create_dir_all(root.join(folder)).expect("made");
    }
    for folder in ["stage3/d1", "stage5_despike/d1"] {
        std::fs::copy(&cube, root.join(folder).join(CUBE)).expect("copied");
    }
    let mut flags = [0; 16];
    flags[0] = dq::SATURATED | dq::DO_NOT_USE;
    flags[1] = dq::SATURATED;
    flags[2] = dq::JUMP_DET;
    rate(&root.join("stage1/jw1_rate.fits"), &flags);
    flags[1] = 0;
    rate(&root.join("groups/2_groups/stage1/jw1_rate.fits"), &flags);
    let picture = root.join("plots/stage5_despike/d1/1A_Level3_ch1-short_s3d_nav.png");
    let (code, said) = program(&[
        "plot",
        cube.to_str().expect("text"),
        "-o",
        picture.to_str().expect("text"),
        "--width",
        "300",
    ]);
    assert_eq!(code, 0, "{said}");
    std::fs::write(root.join("animation/film.gif"), b"GIF89a, more or less").expect("written");
    let task = |name: &str, stage: &str, outcome: &str, detail: &str| {
        serde_json::json!({
            "task": name, "stage": stage, "outcome": outcome, "detail": detail,
            "seconds": 1.25, "products": [format!("{name}.fits")],
        })
    };
    let data = serde_json::json!({
        "program": "sifu 9.9",
        "command": format!("sifu run x --set 'a={HOSTILE}'"),
        "tasks": [
            task("stage1/jw1_rate", "stage1", "made", "not made yet"),
            task("stage3/d1/one", "stage3", "current", ""),
            task("stage3/d2/two", "stage3", "failed", HOSTILE),
            task("stage3/d2/two_nav", "navigate", "blocked", "stage3/d2/two"),
            task("stage5_despike/d3/three", "despike", "skipped", "no flats"),
        ],
        "notes": [format!("note {HOSTILE}")],
        "unreadable": [{"file": "stage0/broken_uncal.fits", "error": "is no FITS file"}],
    });
    let text = format!("{data:#}");
    std::fs::write(root.join("sifu_report.json"), text).expect("written");
    let one = |k: &str, v: &str| BTreeMap::from([(k.to_owned(), v.to_owned())]);
    let record = Record {
        basis: Basis {
            parameters: one("jump.rejection_threshold", "4.5"),
            references: one("jump gain", "jwst_miri_gain_0042.fits"),
            ..Basis::default()
        },
        ..Record::default()
    };
    record.write(&root, "stage1/jw1_rate").expect("written");
    (dir, root)
}

fn report(root: &Path, more: &[&str]) -> (i32, String) {
    program(&[&["report", root.to_str().expect("text")], more].concat())
}

fn page(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a page")
}

/// The text between the first occurrence of `begin` and the next of `end`.
fn between<'a>(page: &'a str, begin: &str, end: &str) -> &'a str {
    let from = page.find(begin).unwrap_or_else(|| panic!("no {begin}")) + begin.len();
    let to = page[from..].find(end).expect("an end");
    &page[from..from + to]
}

fn decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for four in text.as_bytes().chunks(4) {
        let n = four.iter().filter(|c| **c != b'=').count();
        let digit = |c: u8| digits.find(char::from(c)).unwrap_or(0) as u32;
        let bits = four.iter().fold(0, |b, c| b << 6 | digit(*c));
        out.extend(&bits.to_be_bytes()[1..n]);
    }
    out
}

#[test]
fn a_page_has_each_task_figure_and_value() {
    let (_dir, root) = finished();
    let before = listing(&root);
    let (code, said) = report(&root, &[]);
    assert_eq!(code, 0, "{said}");
    let path = root.join("sifu_report.html");
    let text = page(&path);
    let mut after = listing(&root);
    after.retain(|n| n != "sifu_report.html");
    assert_eq!(after, before);

    // tasks, their outcome and why
    let escaped = markup::text(HOSTILE);
    for what in [
        "<th scope=\"row\">stage1/jw1_rate</th><td>stage1</td><td>made</td><td>not made yet</td><td class=\"n\">1.25</td><td class=\"files\">stage1/jw1_rate.fits</td>".to_owned(),
        format!("<th scope=\"row\">stage3/d2/two</th><td>stage3</td><td>failed</td><td>{escaped}</td>"),
        "<td>not possible</td><td>stage3/d2/two</td>".into(),
        "<td>skipped</td><td>no flats</td>".into(),
        "<td>up to date</td>".into(),
        format!("<li>note {escaped}</li>"),
        "stage0/broken_uncal.fits</code>: is no FITS file".into(),
        format!("sifu run x --set &#39;a={escaped}&#39;"),
        "Made by sifu 9.9".into(),
        "<h1>run &lt;1&gt;</h1>".into(),
        // parameters and references
        "<th scope=\"row\">jump.rejection_threshold</th><td>4.5</td>".into(),
        "jwst_miri_gain_0042.fits".into(),
        // the exposure: 2 of 16 saturated with 5 groups, 1 with 2; the median of 14 rates
        "<th scope=\"row\">stage1/jw1_rate.fits</th><td class=\"n\">6.25 %</td><td class=\"n\">12.50 %</td>".into(),
        "<td>jwst_1234.pmap</td><td class=\"n\">8.5000</td><td class=\"n\">12.50 %</td><td class=\"n\">6.25 %</td><td class=\"n\">6.25 %</td>".into(),
        "JUMP_DET: Jump detected during the exposure.".into(),
        "<th scope=\"col\">SATURATED</th><th scope=\"col\">JUMP_DET</th></tr></thead>\n<tbody>\n<tr><th scope=\"row\">stage1/jw1_rate.fits</th><td class=\"n\">6.25 %</td><td class=\"n\">12.50 %</td><td class=\"n\">6.25 %</td></tr>".into(),
        "crds://jwst_miri_dark_0001.fits".into(),
        // pointing
        format!("<th scope=\"row\">stage3/d1/{CUBE}</th>"),
        "<td class=\"n\">0.2500</td><td></td><td class=\"n\">-0.5000</td>".into(),
    ] {
        assert!(text.contains(&what), "{what} is not in the page");
    }
    assert!(!text.contains("<script>alert") && !text.contains("<b>"));
    assert_eq!(
        text.matches("</script>").count(),
        4,
        "two cubes, data and program"
    );
    for outside in ["http:", "https:", "fetch(", "XMLHttpRequest", "import("] {
        assert!(!text.contains(outside), "{outside}");
    }

    // figures
    let picture = root.join("plots/stage5_despike/d1/1A_Level3_ch1-short_s3d_nav.png");
    let mut held = String::new();
    markup::base64(&std::fs::read(picture).expect("there"), &mut held);
    assert!(text.contains(&format!("src=\"data:image/png;base64,{held}\"")));
    assert!(text.contains(
        "alt=\"Summary plot of band 1A, stage5_despike, d1: 1A_Level3_ch1-short_s3d_nav\""
    ));
    assert!(text.contains("alt=\"Film: film\""));
    // films stay beside the page
    assert!(text.contains("src=\"animation/film.gif\""));

    // the cube, as the page's program reads it
    let described: serde_json::Value =
        serde_json::from_str(between(&text, "id=\"report-data\">", "</script>")).expect("JSON");
    let cubes = described["cubes"].as_array().expect("cubes");
    let names: Vec<&str> = cubes.iter().filter_map(|c| c["file"].as_str()).collect();
    assert_eq!(
        names,
        [
            format!("stage5_despike/d1/{CUBE}"),
            format!("stage3/d1/{CUBE}")
        ]
    );
    assert_eq!(cubes[0]["shape"], serde_json::json!([12, 12, 15]));
    let mut raw = Vec::new();
    flate2::read::ZlibDecoder::new(&decoded(between(&text, "id=\"cube-0\">", "</script>"))[..])
        .read_to_end(&mut raw)
        .expect("a zlib stream");
    let n = 12 * 12 * 15;
    let mut worst: f64 = 0.0;
    for i in 0..n {
        let want = value(i / 180, i / 15 % 12, i % 15);
        let got = f32::from_le_bytes([0, raw[i], raw[n + i], raw[2 * n + i]]);
        assert_eq!(got.is_nan(), want.is_nan(), "{i}");
        if !want.is_nan() {
            worst = worst.max(f64::from(((got - want) / want).abs()));
        }
    }
    println!("values of the page are within {worst:.2e} of the cube's");
    assert!(worst > 0.0 && worst <= PRECISION);
    let file = FitsFile::open(root.join("stage3/d1").join(CUBE)).expect("opens");
    let mut at = 3 * n;
    let mut seen = Vec::new();
    for plane in cubes[0]["planes"].as_array().expect("planes") {
        let name = plane["name"].as_str().expect("a name");
        let size = plane["size"].as_u64().expect("a size") as usize;
        let want: Vec<f64> = file.all(file.find(name).expect("a plane")).expect("read");
        for (i, want) in want.iter().enumerate() {
            let byte = |k: usize| raw[at + k * 180 + i];
            let got = match size {
                4 => f64::from(f32::from_le_bytes([0, 1, 2, 3].map(byte))),
                _ => f64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(byte)),
            };
            assert!(got == *want || got.is_nan() && want.is_nan(), "{name} {i}");
        }
        at += 180 * size;
        seen.push(name);
    }
    assert_eq!(at, raw.len());
    for name in ["RA", "DEC", "LAT", "LON", "INCIDENCE", "EMISSION"] {
        assert!(seen.contains(&name), "{name}");
    }

    // the same again, with any number of threads
    let (code, _) = report(&root, &["--threads", "1"]);
    assert_eq!(code, 0);
    assert!(page(&path) == text);
}

#[test]
fn a_page_elsewhere_refers_to_what_it_does_not_hold() {
    let (dir, root) = finished();
    let other = dir.path().join("pages");
    std::fs::create_dir(&other).expect("made");
    let out = other.join("p.html");
    let at = out.to_str().expect("text");
    let (code, said) = report(&root, &["-o", at, "--cubes", "none", "--embed", "0"]);
    assert_eq!(code, 0, "{said}");
    let text = page(&out);
    assert!(!text.contains("id=\"cube-0\"") && !text.contains("id=\"viewer\""));
    assert!(text.contains("0 of 2 navigated cubes are in this page"));
    let link = "../run%20%3C1%3E/plots/stage5_despike/d1/1A_Level3_ch1-short_s3d_nav.png";
    assert!(text.contains(&format!("src=\"{link}\"")));
    assert!(text.contains("2 pictures and films are not in this page"));
    assert!(!root.join("sifu_report.html").exists());
    let (code, _) = report(&root, &["--cubes", "1"]);
    assert_eq!(code, 0);
    let text = page(&root.join("sifu_report.html"));
    assert!(text.contains("id=\"cube-0\"") && !text.contains("id=\"cube-1\""));
}

#[test]
fn what_is_damaged_is_said_and_a_page_is_whole_or_not_there() {
    let (dir, root) = finished();
    let cube = root.join("stage5_despike/d1").join(CUBE);
    let bytes = std::fs::read(&cube).expect("there");
    // in the middle of a block of the file, so that no HDU ends there
    std::fs::write(&cube, &bytes[..9000]).expect("written");
    std::fs::write(root.join("stage1/jw1_rate.fits"), "no FITS").expect("written");
    let (code, said) = report(&root, &[]);
    assert_eq!(code, 0, "{said}");
    let text = page(&root.join("sifu_report.html"));
    assert!(text.contains(&format!("the cube of stage5_despike/d1/{CUBE} is missing")));
    assert!(text.contains("the quality of stage1/jw1_rate.fits is missing"));
    assert!(text.contains("id=\"cube-0\"") && !text.contains("id=\"cube-1\""));

    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).expect("made");
    let file = root.join("stage3/d1").join(CUBE);
    let nowhere = dir.path().join("no/folder/p.html");
    let nowhere = nowhere.to_str().expect("text");
    for (root, more, want, says) in [
        (&empty, vec![], 3, "do `sifu run` in it first"),
        (&dir.path().join("absent"), vec![], 3, "no such folder"),
        (&file, vec![], 3, "no such folder"),
        (&root, vec!["-o", nowhere], 5, "p.html"),
        (
            &root,
            vec!["-o", empty.to_str().expect("text")],
            2,
            "not a folder",
        ),
        (&root, vec!["--cubes", "some"], 2, "all or none"),
    ] {
        let (code, said) = report(root, &more);
        assert_eq!(code, want, "{said}");
        assert!(said.contains(says), "{said}");
    }
    assert!(listing(&empty).is_empty());
    for (data, says) in [
        ("{", "sifu_report.json"),
        ("{\"tasks\": 3}", "lists no tasks"),
    ] {
        std::fs::write(empty.join("sifu_report.json"), data).expect("written");
        let (code, said) = report(&empty, &[]);
        assert_eq!(code, 3, "{said}");
        assert!(said.contains(says), "{said}");
        assert_eq!(listing(&empty), ["sifu_report.json"]);
    }
    // a run that made nothing has a page as well
    std::fs::write(empty.join("sifu_report.json"), "{\"tasks\": []}").expect("written");
    let (code, said) = report(&empty, &[]);
    assert_eq!(code, 0, "{said}");
    assert!(page(&empty.join("sifu_report.html")).ends_with("</html>\n"));
}

/// Clicks, drags, keys and read-outs in a headless browser, where there is one.
#[test]
fn the_page_works_in_a_browser() {
    let (dir, root) = finished();
    let (code, said) = report(&root, &[]);
    assert_eq!(code, 0, "{said}");
    let numbers =
        |v: &[f64]| -> Vec<Option<f64>> { v.iter().map(|v| v.is_finite().then_some(*v)).collect() };
    let file = FitsFile::open(root.join("stage5_despike/d1").join(CUBE)).expect("opens");
    let of = |name: &str| -> Vec<Option<f64>> {
        let all: Vec<f64> = file.all(file.find(name).expect("there")).expect("read");
        numbers(&all)
    };
    let wavelength: Vec<f64> = (0..12).map(|k| 5.0 + 0.05 * f64::from(k)).collect();
    let mut planes = serde_json::Map::new();
    for name in ["RA", "DEC", "LAT", "LON", "INCIDENCE", "EMISSION"] {
        planes.insert(name.into(), serde_json::json!(of(name)));
    }
    let expected = serde_json::json!({
        "nx": 15, "ny": 12, "nz": 12, "wavelength": wavelength, "sci": of("SCI"), "planes": planes,
    });
    let path = dir.path().join("expected.json");
    std::fs::write(&path, expected.to_string()).expect("written");
    let done = Command::new("node")
        .arg("tests/browser/report.mjs")
        .arg(root.join("sifu_report.html"))
        .arg(&path)
        .output();
    let Ok(done) = done else {
        println!("skipped: there is no node");
        return;
    };
    let said = String::from_utf8_lossy(&done.stdout);
    println!("{said}");
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}{errors}");
    assert!(
        said.contains("passed") || said.contains("skipped"),
        "{said}"
    );
}
