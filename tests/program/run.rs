//! `sifu run` over a small simulated observation: the tree of files, reruns, a run that is killed, bad input.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use sifu::exec::Exec;
use sifu::formats::asdf::Node;
use sifu::simulate::{Detector, Options, simulate_miri};

use crate::common::{listing, recipes};

/// Raw exposures of two dithers of one detector, and their reference files.
struct Raw {
    stage0: Vec<PathBuf>,
    crds: PathBuf,
    context: String,
}

/// Made once for all tests, in a folder of the build.
fn raw() -> &'static Raw {
    static MADE: OnceLock<Raw> = OnceLock::new();
    MADE.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("run");
        let _ = std::fs::remove_dir_all(&dir);
        let options = Options {
            detectors: vec![Detector::IfuLong],
            groups: 4,
            integrations: 1,
            ..Options::default()
        };
        let exec = Exec::new(None).expect("threads");
        let made = simulate_miri(&options, &dir, &exec, &|_| {}).expect("simulated");
        Raw {
            stage0: made.science,
            crds: made.crds,
            context: made.context,
        }
    })
}

/// A directory with the raw exposures in it.
fn root(dir: &Path) -> PathBuf {
    let stage0 = dir.join("stage0");
    std::fs::create_dir_all(&stage0).expect("folder");
    for path in &raw().stage0 {
        let name = path.file_name().expect("a name");
        std::fs::copy(path, stage0.join(name)).expect("copied");
    }
    dir.to_path_buf()
}

fn command(what: &str, root: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifu"));
    command
        .args(["-q", what])
        .arg(root)
        .args(args)
        .arg("--crds")
        .arg(&raw().crds)
        .args(["--context", &raw().context])
        .env_remove("SIFU_KERNELS")
        .env_remove("PLANETMAPPER_KERNEL_PATH");
    command
}

fn run(root: &Path, args: &[&str]) -> (i32, String, String) {
    let out = command("run", root, args)
        .output()
        .expect("the program starts");
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    (
        out.status.code().unwrap_or(-1),
        text(&out.stdout),
        text(&out.stderr),
    )
}

/// All files below a folder, relative to it, records and reports left out.
fn tree(root: &Path) -> Vec<String> {
    fn walk(dir: &Path, root: &Path, out: &mut Vec<String>) {
        for name in listing(dir) {
            let path = dir.join(name);
            let relative = path
                .strip_prefix(root)
                .expect("below")
                .to_string_lossy()
                .into_owned();
            if relative == ".sifu" || relative.starts_with("sifu_report.") {
                continue;
            }
            match path.is_dir() {
                true => walk(&path, root, out),
                false => out.push(relative),
            }
        }
    }
    let mut out = Vec::new();
    walk(root, root, &mut out);
    out
}

/// Every file's bytes without the dates of their making: the cards, and in tables of headers (HDRTAB) the times of the day
/// on which the file was made.
fn contents(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |name: &String| {
        let mut bytes = std::fs::read(root.join(name)).expect("reads");
        let made = bytes.chunks(80).find(|c| c.starts_with(b"DATE    ="));
        if let Some(day) = made.map(|card| card[11..22].to_vec()) {
            assert_eq!(day.last(), Some(&b'T'), "a date and a time");
            let ends: Vec<usize> = (0..bytes.len().saturating_sub(40))
                .filter(|i| bytes[*i..].starts_with(&day))
                .collect();
            for i in ends {
                bytes[i..i + 23].fill(b' ');
            }
        }
        for card in bytes.chunks_mut(80) {
            let date = card.starts_with(b"DATE    =")
                || card.starts_with(b"HIERARCH") && card.windows(6).any(|w| w == b" DATE ");
            if date {
                card.fill(b' ');
            }
        }
        bytes
    };
    tree(root)
        .into_iter()
        .map(|n| (n.clone(), read(&n)))
        .collect()
}

/// Options that keep the tests short (1-D residual fringes are left to the tests of their step), and place Neptune, whose
/// centre no built-in kernel has.
const SHORT: &[&str] = &["--defringe-1d=no", "--barycentre"];

#[test]
fn a_full_disk_stops_the_run_with_one_reason() {
    let dir = tempfile::tempdir().expect("folder");
    // a disk of 90 MB, which goes with the shell: raw exposures take 18 of them, and what stage1 makes of each 42
    let script = r#"mount -t tmpfs -o size=90m none "$0" || exit 99
        cp -r "$1" "$0/stage0" && shift
        "$@"; echo "code $?"; find "$0" -name '*.part'; find "$0" -name '*.fits' | sort"#;
    let stage0 = raw().stage0[0].parent().expect("a folder");
    let run = command("run", dir.path(), &["--threads", "1"]);
    let out = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script])
        .args([dir.path(), stage0])
        .arg(run.get_program())
        .args(run.get_args())
        .output();
    let out = match out {
        Ok(out) if out.status.code() != Some(99) && !out.stdout.is_empty() => out,
        _ => {
            eprintln!("skipped: no disk can be mounted here");
            return;
        }
    };
    let said = String::from_utf8_lossy(&out.stdout);
    let failed: Vec<&str> = said.lines().filter(|l| l.starts_with("failed ")).collect();
    assert!(
        failed.len() == 1 && failed[0].contains("no room on the disk"),
        "{said}"
    );
    assert!(said.contains("code 6") && !said.contains(".part"), "{said}");
    let stopped = said.lines().find(|l| l.starts_with("stopped "));
    let stopped = stopped.expect("what was not begun is told");
    assert!(stopped.contains(" more: no room on the disk"), "{stopped}");
}

#[test]
fn the_chain_from_raw_exposures_to_despiked_cubes() {
    let dir = tempfile::tempdir().expect("folder");
    let root = root(dir.path());
    let (code, said, errors) = run(&root, SHORT);
    assert_eq!(code, 0, "{said}{errors}");
    let files = tree(&root);
    let roots: Vec<String> = raw()
        .stage0
        .iter()
        .map(|p| {
            p.file_name()
                .expect("a name")
                .to_string_lossy()
                .replace("_uncal.fits", "")
        })
        .collect();
    let mut expected = Vec::new();
    for root in &roots {
        expected.push(format!("stage0/{root}_uncal.fits"));
        for name in ["rate.fits", "rateints.fits", "rate_asn.json"] {
            expected.push(format!("stage1/{root}_{name}"));
        }
        expected.push(format!("stage2/{root}_cal.fits"));
        expected.push(format!("plots/stage1/{root}_rate.png"));
        expected.push(format!("plots/stage2/{root}_cal.png"));
    }
    for variant in ["d1", "d2", "combined"] {
        expected.push(format!("stage2/34_SHORT_dither-{variant}_001_01_asn.json"));
        for channel in ["3", "4"] {
            let stem = format!("Level3_ch{channel}-short");
            for name in ["s3d.fits", "s3d_nav.fits", "x1d.fits"] {
                expected.push(format!("stage3/{variant}/{stem}_{name}"));
            }
            let plot = format!("{channel}A_{stem}_s3d_nav.png");
            expected.push(format!("plots/stage3/{variant}/{plot}"));
            // combined cubes are not despiked
            if variant != "combined" {
                expected.push(format!("stage5_despike/{variant}/{stem}_s3d_nav.fits"));
                expected.push(format!("plots/stage5_despike/{variant}/{plot}"));
                expected.push(format!("plots/steps/{variant}/{plot}"));
            }
        }
    }
    for stage in ["stage3", "stage5_despike"] {
        for channel in ["3", "4"] {
            let film = format!("{channel}A_Level3_ch{channel}-short_s3d_nav.gif");
            expected.push(format!("animation/{stage}/dither_comparison/{film}"));
        }
    }
    let missing: Vec<&String> = expected.iter().filter(|e| !files.contains(e)).collect();
    assert!(missing.is_empty(), "{missing:?} of {files:?}\n{said}");
    let more: Vec<&String> = files
        .iter()
        .filter(|f| !expected.contains(f) && !f.ends_with("_crf.fits"))
        .collect();
    assert!(more.is_empty(), "{more:?}");
    assert!(said.contains("no flats were given"), "{said}");
    // the last product tells of all that was done
    let cube = root.join("stage5_despike/d1/Level3_ch3-short_s3d_nav.fits");
    let cube = sifu::store::cube::read_cube(&cube).expect("a cube");
    let made = cube.meta.history.as_deref().expect("what was done");
    let chain = [
        "calwebb_detector1",
        "calwebb_spec2",
        "calwebb_spec3",
        "despike",
    ];
    assert_eq!(recipes(made), chain);
    let jump = made.get("before.0.steps.jump.parameters.rejection_threshold");
    assert!(jump.and_then(Node::as_f64).is_some());
    let report = std::fs::read_to_string(root.join("sifu_report.json")).expect("a report");
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    let tasks = report["tasks"].as_array().expect("tasks");
    assert!(tasks.len() > 15);
    // and the page, of all tasks
    let page = root.join("sifu_report.html");
    let text = std::fs::read_to_string(&page).expect("a page");
    assert!(said.contains("sifu_report.html"), "{said}");
    for task in tasks {
        let name = task["task"].as_str().expect("a name");
        assert!(text.contains(name), "{name} is not in the page");
    }
    assert!(text.contains("--barycentre") && text.contains("id=\"cube-0\""));
    std::fs::remove_file(&page).expect("removed");

    // a rerun does nothing; with another parameter it does what depends on it, and says why
    let times = |root: &Path| -> Vec<std::time::SystemTime> {
        let of = |f: &String| std::fs::metadata(root.join(f)).and_then(|m| m.modified());
        tree(root).iter().map(|f| of(f).expect("time")).collect()
    };
    let before = times(&root);
    let (code, said, _) = run(&root, &[SHORT, &["--skip-steps", "report"]].concat());
    assert_eq!(code, 0, "{said}");
    assert_eq!(times(&root), before, "{said}");
    assert!(!page.exists());
    let changed = [SHORT, &["--set", "despike.nsigma=6", "--dry-run"]].concat();
    let (code, said, _) = run(&root, &changed);
    assert_eq!(code, 0);
    let todo: Vec<&str> = said.lines().filter(|l| l.contains("nsigma")).collect();
    assert_eq!(todo.len(), 4, "{said}");
    // and the plots, pages of steps and films of these
    assert!(said.contains(", 14 to do"), "{said}");
    // tasks that were not done again keep the times of when they were
    let report = std::fs::read_to_string(root.join("sifu_report.json")).expect("a report");
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    for task in report["tasks"].as_array().expect("tasks") {
        assert_eq!(task["outcome"], "current", "{task}");
        assert_eq!(task["seconds"], 0.0, "{task}");
        assert!(task["took"].as_f64().is_some_and(|s| s > 0.0), "{task}");
    }

    // a product that is lost is made again, the same
    let whole = contents(&root);
    std::fs::remove_file(root.join("stage3/d1/Level3_ch3-short_s3d_nav.fits")).expect("removed");
    let (code, said, _) = run(&root, SHORT);
    assert_eq!(code, 0, "{said}");
    assert!(contents(&root) == whole, "{said}");

    killed_and_resumed(&whole);
}

/// A run killed at some moments (`SIFU_KILLS`: how many) and taken up again ends with the same files; one that ends before it is
/// killed is compared, and the next one starts anew.
fn killed_and_resumed(whole: &BTreeMap<String, Vec<u8>>) {
    let mut kills: u64 = std::env::var("SIFU_KILLS").map_or(4, |n| n.parse().expect("a number"));
    let mut seed = 2463534242_u64;
    while kills > 0 {
        let dir = tempfile::tempdir().expect("folder");
        let root = root(dir.path());
        while kills > 0 {
            seed = (seed.wrapping_mul(6364136223846793005)).wrapping_add(1442695040888963407);
            let mut child = command("run", &root, SHORT)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("the program starts");
            std::thread::sleep(Duration::from_millis(200 + (seed >> 33) % 4000));
            if child.try_wait().expect("asked").is_some() {
                break;
            }
            // SIGKILL, as of a power cut
            child.kill().expect("killed");
            child.wait().expect("ended");
            kills -= 1;
        }
        let (code, said, errors) = run(&root, SHORT);
        assert_eq!(code, 0, "{said}{errors}");
        let now = contents(&root);
        let names: Vec<&String> = now.keys().collect();
        assert_eq!(names, whole.keys().collect::<Vec<_>>());
        for (name, bytes) in whole {
            assert!(now[name] == *bytes, "{name} differs after a resumed run");
        }
    }
}

#[test]
fn bad_exposures_do_not_stop_the_others() {
    let dir = tempfile::tempdir().expect("folder");
    let root = root(dir.path());
    let first = root.join("stage0").join(&listing(&root.join("stage0"))[0]);
    let bytes = std::fs::read(&first).expect("reads");
    std::fs::write(&first, &bytes[..bytes.len() / 2]).expect("cut");
    let (code, said, errors) = run(&root, &["--end-step", "stage1"]);
    assert_eq!(code, 6, "{said}{errors}");
    let name = first
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    assert!(said.contains(&name), "{said}");
    let made = listing(&root.join("stage1"));
    assert_eq!(
        made.iter().filter(|f| f.ends_with("_rate.fits")).count(),
        1,
        "{made:?}"
    );
}

#[test]
fn impossible_runs_are_refused() {
    let dir = tempfile::tempdir().expect("folder");
    let (code, _, said) = run(dir.path(), &[]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("stage0"), "{said}");
    let root = root(dir.path());
    for (args, what) in [
        (vec!["--start-step", "stage9"], "stage9"),
        (vec!["--background-subtract=yes"], "--background"),
        (vec!["--set", "cube_build.output_type=multi"], "band"),
        (
            vec!["--start-step", "despike", "--end-step", "stage1"],
            "no task",
        ),
        (vec!["--groups-to-use", "1"], "--desaturate"),
    ] {
        let (code, _, said) = run(&root, &args);
        assert_eq!(code, 2, "{args:?}: {said}");
        assert!(said.contains(what), "{args:?}: {said}");
    }
    let (code, _, said) = run(&root, &["--background", "/nonexistent"]);
    assert_eq!(code, 3, "{said}");
    // steps that are skipped leave nothing to go on from
    let (code, said, errors) = run(&root, &["--start-step", "stage2", "--end-step", "stage2"]);
    assert_eq!(code, 3, "{said}{errors}");
    assert!(errors.contains("do not skip the step"), "{errors}");
}

#[test]
fn fewer_groups_share_the_geometry_and_keep_their_numbers() {
    let dir = tempfile::tempdir().expect("folder");
    let root = root(dir.path());
    // firstframe, lastframe, rscd and jump depend on the number of groups
    let args = [
        "--desaturate",
        "--groups-to-use",
        "1,2,3",
        "--end-step",
        "stage3",
    ];
    let (code, said, errors) = run(&root, &args);
    assert_eq!(code, 0, "{said}{errors}");
    // each count reduced from its own exposures gives the same files
    for groups in 1..=4 {
        let own = match groups {
            4 => root.clone(),
            n => root.join(format!("groups/{n}_groups")),
        };
        let alone = tempfile::tempdir().expect("folder");
        let stage0 = alone.path().join("stage0");
        std::fs::create_dir_all(&stage0).expect("folder");
        for name in listing(&own.join("stage0")) {
            std::fs::copy(own.join("stage0").join(&name), stage0.join(&name)).expect("copied");
        }
        let (code, said, errors) = run(alone.path(), &args[3..]);
        assert_eq!(code, 0, "{said}{errors}");
        let (mut together, apart) = (contents(&own), contents(alone.path()));
        together.retain(|name, _| !name.starts_with("groups/"));
        let names = |c: &BTreeMap<String, Vec<u8>>| c.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&together), names(&apart));
        for (name, bytes) in &apart {
            assert!(
                together[name] == *bytes,
                "{name} of {groups} groups differs"
            );
        }
    }
    let trimmed = root.join("groups/2_groups");
    let cube = sifu::store::cube::read_cube(&trimmed.join("stage3/d1/Level3_ch3-short_s3d.fits"));
    let cube = cube.expect("a cube");
    assert_eq!(cube.meta.str("REDUCT1"), Some("Using 2/4 groups"));
    assert_eq!(cube.meta.i64("NGROUPS"), Some(2));
    assert!(cube.sci.iter().any(|v| v.is_finite()));
}
