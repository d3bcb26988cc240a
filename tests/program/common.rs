//! A tiny MIRI MRS exposure (64 x 32 pixels) with all its reference files, for tests of the program.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sifu::formats::asdf::Node;
use sifu::formats::fits::{Header, TableBuilder, Writer};

pub const NY: usize = 32;
pub const NX: usize = 64;

/// What the exposure is like.
#[derive(Clone, Copy)]
pub struct Tiny {
    pub nints: usize,
    pub ngroups: usize,
    /// DN a group.
    pub slope: f32,
}

impl Default for Tiny {
    fn default() -> Self {
        Self {
            nints: 2,
            ngroups: 5,
            slope: 100.0,
        }
    }
}

fn header(name: &str) -> Header {
    let mut h = Header::new();
    h.set("EXTNAME", name, "");
    h
}

/// Keywords of the exposure's primary header.
pub fn primary(tiny: Tiny) -> Header {
    let mut h = Header::new();
    for (k, v) in [
        ("TELESCOP", "JWST"),
        ("INSTRUME", "MIRI"),
        ("DETECTOR", "MIRIFULONG"),
        ("CHANNEL", "34"),
        ("BAND", "SHORT"),
        ("EXP_TYPE", "MIR_MRS"),
        ("READPATT", "FASTR1"),
        ("SUBARRAY", "FULL"),
        ("DATE-OBS", "2025-03-14"),
        ("TIME-OBS", "05:06:07.000"),
        ("TARGNAME", "TINY"),
        ("DATAMODL", "Level1bModel"),
    ] {
        h.set(k, v, "");
    }
    for (k, v) in [
        ("NINTS", tiny.nints),
        ("INTSTART", 1),
        ("INTEND", tiny.nints),
        ("NGROUPS", tiny.ngroups),
        ("NFRAMES", 1),
        ("FRMDIVSR", 1),
        ("GROUPGAP", 0),
        ("DRPFRMS1", 0),
        ("NSAMPLES", 1),
        ("SUBSTRT1", 1),
        ("SUBSTRT2", 1),
        ("SUBSIZE1", NX),
        ("SUBSIZE2", NY),
        ("FASTAXIS", 1),
        ("SLOWAXIS", 2),
        ("NOUTPUTS", 4),
        ("EXSEGNUM", 1),
        ("EXSEGTOT", 1),
    ] {
        h.set(k, v, "");
    }
    for k in ["TFRAME", "TGROUP"] {
        h.set(k, 2.77504, "[s]");
    }
    h.set("EFFINTTM", 2.77504 * tiny.ngroups as f64, "[s]");
    h.set(
        "EFFEXPTM",
        2.77504 * (tiny.ngroups * tiny.nints) as f64,
        "[s]",
    );
    h.set("ZEROFRAM", false, "");
    h
}

/// Counts of the exposure.
pub fn counts(tiny: Tiny) -> Vec<u16> {
    let mut out = Vec::new();
    for _ in 0..tiny.nints {
        for g in 0..tiny.ngroups {
            for p in 0..NY * NX {
                let x = p % NX;
                let lit = if (4..NX - 4).contains(&x) {
                    tiny.slope * (1.0 + 0.1 * (p % 7) as f32)
                } else {
                    0.0
                };
                out.push((8000.0 + lit * (g + 1) as f32).min(65535.0) as u16);
            }
        }
    }
    out
}

/// Writes the exposure as `DIR/tiny_uncal.fits`.
pub fn exposure(dir: &Path, tiny: Tiny) -> PathBuf {
    write_exposure(
        &dir.join("tiny_uncal.fits"),
        &primary(tiny),
        tiny,
        &counts(tiny),
    )
}

/// Writes an exposure from its parts.
pub fn write_exposure(path: &Path, primary: &Header, tiny: Tiny, data: &[u16]) -> PathBuf {
    let mut w = Writer::create(path, false).expect("create");
    w.empty(primary).expect("primary");
    w.image::<u16>(&header("SCI"), &[tiny.nints, tiny.ngroups, NY, NX])
        .expect("SCI");
    w.put(0, data).expect("data");
    let ints: Vec<i32> = (1..=tiny.nints as i32).collect();
    let times = vec![60748.2; tiny.nints];
    let (h, t) = TableBuilder::new(tiny.nints)
        .i32("integration_number", &ints)
        .f64("int_start_MJD_UTC", &times)
        .build("INT_TIMES");
    w.table(&h, &t).expect("INT_TIMES");
    w.finish().expect("finish");
    path.to_path_buf()
}

fn reference(
    dir: &Path,
    kind: &str,
    keys: &[(&str, i64)],
    fill: impl FnOnce(&mut Writer),
) -> String {
    let path = dir.join(format!("{kind}.fits"));
    let mut h = Header::new();
    h.set("TELESCOP", "JWST", "");
    h.set("INSTRUME", "MIRI", "");
    h.set("REFTYPE", kind.to_uppercase().as_str(), "");
    for (k, v) in [
        ("SUBSTRT1", 1),
        ("SUBSTRT2", 1),
        ("SUBSIZE1", NX as i64),
        ("SUBSIZE2", NY as i64),
    ] {
        h.set(k, v, "");
    }
    for (k, v) in keys {
        h.set(k, *v, "");
    }
    let mut w = Writer::create(&path, false).expect("create");
    w.empty(&h).expect("primary");
    fill(&mut w);
    w.finish().expect("finish");
    format!("{kind}={}", path.display())
}

/// Writes every reference file; returns the `--override` values.
pub fn references(dir: &Path) -> Vec<String> {
    std::fs::create_dir_all(dir).expect("folder");
    let n = NY * NX;
    let image = |w: &mut Writer, name: &str, value: f32| {
        w.image::<f32>(&header(name), &[NY, NX]).expect("image");
        w.put(0, &vec![value; n]).expect("pixels");
    };
    let dq = |w: &mut Writer| {
        w.image::<u32>(&header("DQ"), &[NY, NX]).expect("DQ");
        w.put(0, &vec![0u32; n]).expect("pixels");
    };
    let mut out = vec![
        reference(dir, "mask", &[], |w| {
            let flags: Vec<u32> = (0..n).map(|p| u32::from(p == 500)).collect();
            w.image::<u32>(&header("DQ"), &[NY, NX]).expect("DQ");
            w.put(0, &flags).expect("pixels");
            let (h, t) = TableBuilder::new(1)
                .i32("BIT", &[0])
                .i32("VALUE", &[1])
                .text("NAME", 40, &["DO_NOT_USE"])
                .text("DESCRIPTION", 80, &["bad"])
                .build("DQ_DEF");
            w.table(&h, &t).expect("DQ_DEF");
        }),
        reference(dir, "saturation", &[], |w| {
            image(w, "SCI", 57000.0);
            dq(w);
        }),
        reference(dir, "reset", &[("NINTS", 1), ("NGROUPS", 2)], |w| {
            w.image::<f32>(&header("SCI"), &[1, 2, NY, NX])
                .expect("SCI");
            w.put(0, &vec![1.5f32; 2 * n]).expect("pixels");
            dq(w);
        }),
        reference(dir, "linearity", &[], |w| {
            w.image::<f32>(&header("COEFFS"), &[3, NY, NX])
                .expect("COEFFS");
            let mut c = vec![0f32; 3 * n];
            c[n..2 * n].fill(1.0);
            c[2 * n..].fill(4e-7);
            w.put(0, &c).expect("pixels");
            dq(w);
        }),
        reference(
            dir,
            "dark",
            &[
                ("NINTS", 1),
                ("NGROUPS", 40),
                ("NFRAMES", 1),
                ("GROUPGAP", 0),
            ],
            |w| {
                w.image::<f32>(&header("SCI"), &[1, 40, NY, NX])
                    .expect("SCI");
                let planes: Vec<f32> = (0..40)
                    .flat_map(|g| vec![0.2 * (g + 1) as f32; n])
                    .collect();
                w.put(0, &planes).expect("pixels");
                w.image::<u32>(&header("DQ"), &[1, 1, NY, NX]).expect("DQ");
                w.put(0, &vec![0u32; n]).expect("pixels");
            },
        ),
        reference(dir, "gain", &[], |w| image(w, "SCI", 5.5)),
        reference(dir, "readnoise", &[], |w| image(w, "SCI", 7.8)),
    ];
    out.push(reference(dir, "rscd", &[], |w| {
        let (h, t) = TableBuilder::new(1)
            .text("subarray", 17, &["FULL"])
            .text("readpatt", 12, &["FASTR1"])
            .i32("group_skip1", &[1])
            .i32("group_skip", &[2])
            .build("RSCD_GROUP_SKIP");
        w.table(&h, &t).expect("table");
    }));
    for kind in ["ipc", "superbias", "emicorr"] {
        out.push(format!("{kind}=N/A"));
    }
    out
}

/// Writes a superbias, which MIRI has not; returns the `--override` value.
pub fn superbias_file(dir: &Path) -> String {
    reference(dir, "superbias", &[], |w| {
        let bias: Vec<f32> = (0..NY * NX).map(|p| 7900.0 + (p % 5) as f32).collect();
        w.image::<f32>(&header("SCI"), &[NY, NX]).expect("SCI");
        w.put(0, &bias).expect("pixels");
        w.image::<u32>(&header("DQ"), &[NY, NX]).expect("DQ");
        w.put(0, &vec![0u32; NY * NX]).expect("pixels");
    })
}

/// Runs the program on files, with these references and no CRDS cache.
pub fn sifu(args: &[&str], overrides: &[String]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifu"));
    command
        .env("CRDS_PATH", "/nonexistent/crds")
        .env_remove("CRDS_CONTEXT")
        .args(args);
    for o in overrides {
        command.arg("--override").arg(o);
    }
    command.output().expect("the program starts")
}

/// Names of the files in a folder, hidden ones too.
pub fn listing(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut out: Vec<String> = entries
        .filter_map(|e| Some(e.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    out.sort();
    out
}

/// Recipes and single steps that a product was made by, as its `meta.sifu` has them, the first first.
pub fn recipes(made: &Node) -> Vec<&str> {
    let before = made.get("before").and_then(Node::as_sequence);
    let all = before.unwrap_or_default().iter().chain([made]);
    all.filter_map(|n| n.get("recipe")?.as_str()).collect()
}
