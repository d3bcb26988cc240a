//! Ephemerides, rotations, surface points and times against SPICE's: committed tables, and larger ones of
//! shared real kernels where they are.
//!
//! `tests/golden/nav/make_nav.py` makes tables; `SIFU_NAV_TABLES` names more of them to compare.

use std::path::{Path, PathBuf};

use sifu::formats::spice::Daf;
use sifu::nav::{Correction, J2000, Kernels, State, SurfaceMethod};

const GOLDEN: &str = "tests/golden/nav";

/// Worst differences of a table, by kind of answer.
#[derive(Debug, Default)]
struct Worst {
    rows: usize,
    /// Positions and distances, km.
    position: f64,
    /// Velocities, km/s.
    velocity: f64,
    /// Light times, s.
    light_time: f64,
    /// Elements of rotations; directions in turning frames, radians.
    rotation: f64,
    /// Elements of their rates, 1/s.
    rate: f64,
    /// Points of a surface, km.
    surface: f64,
    /// Epochs, s.
    time: f64,
}

impl Worst {
    /// What agreement with SPICE means. An epoch has steps of 1.2e-7 s, in which a surface turns by
    /// 1.5e-6 km.
    fn hold(&self, table: &Path) {
        println!("{}: {self:?}", table.display());
        let fine = self.position < 1e-5
            && self.velocity < 1e-7
            && self.light_time < 1e-10
            && self.rotation < 1e-10
            && self.rate < 1e-12
            && self.surface < 2e-5
            && self.time < 2.5e-7;
        assert!(fine, "{}: {self:?}", table.display());
    }
}

fn grow(worst: &mut f64, difference: f64) {
    // a NaN is the worst of all
    *worst = if difference.is_nan() {
        f64::INFINITY
    } else {
        worst.max(difference)
    };
}

fn apart(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let squares = a.iter().zip(b).map(|(x, y)| (x - y) * (x - y));
    squares.sum::<f64>().sqrt()
}

fn far(v: &[f64]) -> f64 {
    apart(v, &[0.0; 3])
}

fn numbers(cells: &[&str]) -> Vec<f64> {
    cells.iter().map(|c| c.parse().expect(c)).collect()
}

fn six(s: State) -> Vec<f64> {
    [s.position, s.velocity].concat()
}

/// Every row of a table against the kernels it names, which are looked up from its own folder.
fn compare(table: &Path) -> Worst {
    let text = std::fs::read_to_string(table).expect("a table");
    let (head, rows) = text.split_once('\n').expect("a head");
    let folder = table.parent().expect("a folder");
    let list = head.strip_prefix("# kernels: ").expect("kernels");
    let paths: Vec<PathBuf> = list.split(' ').map(|k| folder.join(k)).collect();
    let k = Kernels::load(&paths).expect("kernels load");
    let mut w = Worst::default();
    for row in rows.lines() {
        check(&k, row, &mut w);
        w.rows += 1;
    }
    w
}

fn check(k: &Kernels, row: &str, w: &mut Worst) {
    let c: Vec<&str> = row.split(',').collect();
    let body = |s: &str| s.parse::<i32>().expect(s);
    let number = |s: &str| s.parse::<f64>().expect(s);
    let frame = |s: &str| k.frame(s).unwrap_or_else(|e| panic!("{row}: {e}"));
    let correction = |s: &str| s.parse::<Correction>().expect(s);
    let failed = |e: sifu::Error| -> ! { panic!("{row}: {e}") };
    match c[0] {
        "state" => {
            let (f, a) = (frame(c[3]), correction(c[4]));
            let got = k.state(body(c[1]), number(c[2]), f, a, body(c[5]));
            let got = got.unwrap_or_else(|e| failed(e));
            let (mine, want) = (six(got.state), numbers(&c[6..]));
            grow(&mut w.light_time, (got.light_time - want[6]).abs());
            let (off, slip) = (
                apart(&mine[..3], &want[..3]),
                apart(&mine[3..], &want[3..6]),
            );
            if k.frame_is_inertial(f) {
                grow(&mut w.position, off);
                grow(&mut w.velocity, slip);
            } else {
                // SPICE's own two ways to such a rotation differ by 1e-11
                grow(&mut w.position, (far(&mine[..3]) - far(&want[..3])).abs());
                grow(&mut w.rotation, off / far(&want[..3]).max(1e4));
                grow(&mut w.rotation, slip / far(&want[3..6]).max(1.0));
            }
        }
        "turn" | "rotation" => {
            let got = k.rotation(c[1], c[2], number(c[3]));
            let got = got.unwrap_or_else(|e| failed(e));
            let want = numbers(&c[4..]);
            for i in 0..9 {
                grow(&mut w.rotation, (got.matrix[i / 3][i % 3] - want[i]).abs());
                if c[0] == "turn" {
                    grow(&mut w.rate, (got.rate[i / 3][i % 3] - want[9 + i]).abs());
                }
            }
        }
        "point" => {
            let v = numbers(&c[6..]);
            let (b, f, a) = (body(c[1]), frame(c[2]), correction(c[4]));
            let got = k.point_state(b, f, [v[0], v[1], v[2]], number(c[3]), a, body(c[5]));
            let got = got.unwrap_or_else(|e| failed(e));
            let mine = six(got.state);
            grow(&mut w.position, apart(&mine[..3], &v[3..6]));
            grow(&mut w.velocity, apart(&mine[3..], &v[6..9]));
            grow(&mut w.light_time, (got.light_time - v[9]).abs());
        }
        "sub" => {
            let how = match c[2] {
                "near" => SurfaceMethod::Near,
                _ => SurfaceMethod::Intercept,
            };
            let (b, f, et) = (body(c[3]), frame(c[4]), number(c[5]));
            let (a, o) = (correction(c[6]), body(c[7]));
            let got = if c[1] == "observer" {
                k.sub_observer(b, et, f, how, a, o)
            } else {
                k.sub_solar(b, et, f, how, a, o)
            };
            let got = got.unwrap_or_else(|e| failed(e));
            let want = numbers(&c[8..]);
            grow(&mut w.surface, apart(&got.point, &want[..3]));
            grow(&mut w.time, (got.epoch - want[3]).abs());
            // the direction turns with the body by one step of the epoch, 1e-7 s; with aberration or after
            // one step of light time SPICE gives another length
            if matches!(c[6], "NONE" | "CN" | "XCN") {
                let off = (far(&got.from_observer) - far(&want[4..])).abs();
                grow(&mut w.position, off);
            }
        }
        "utc" => {
            let et = k.et_of_utc(c[1]).unwrap_or_else(|e| failed(e));
            grow(&mut w.time, (et - number(c[2])).abs());
        }
        "iso" => {
            let digits = c[2].parse().expect(c[2]);
            let text = k.utc_of_et(number(c[1]), digits).expect("leap seconds");
            assert_eq!(text, c[3], "{row}");
        }
        "name" => assert_eq!(k.body_code(c[1]).expect(c[1]), body(c[2])),
        other => panic!("{other}"),
    }
}

/// Every SPK type, frame class, correction and way to write a date; both byte orders, with and without the
/// word that tells them.
#[test]
fn small_kernels_agree_with_spice() {
    for name in ["tiny.csv", "tiny_old.csv"] {
        let table = Path::new(GOLDEN).join(name);
        compare(&table).hold(&table);
    }
    let more = std::env::var("SIFU_NAV_TABLES").unwrap_or_default();
    for table in more.split(' ').filter(|t| !t.is_empty()) {
        compare(Path::new(table)).hold(Path::new(table));
    }
}

/// The error that `kernels/README.md` states for the built-in ephemeris.
#[test]
fn the_built_in_ephemeris_is_de440() {
    let w = compare(&Path::new(GOLDEN).join("planets.csv"));
    println!("{w:?}");
    assert!(
        w.rows == 350 && w.position < 5e-4 && w.velocity < 3e-8,
        "{w:?}"
    );
}

#[test]
fn built_in_kernels_lie_beneath_the_given_ones() {
    let none: [&Path; 0] = [];
    let k = Kernels::with_built_in(&none).expect("built in");
    let et = k.et_of_utc("2022-11-20T00:00:00").expect("a date");
    let saturn = k.state(6, et, J2000, Correction::CN, 399).expect("Saturn");
    assert!((saturn.light_time - 4900.0).abs() < 300.0, "{saturn:?}");
    assert!(k.rotation("J2000", "IAU_TITAN", et).is_ok());
    assert_eq!(k.radii(699), Some([60_268.0, 60_268.0, 54_364.0]));
    assert!(k.west_positive(699) && !k.west_positive(799) && !k.west_positive(399));
    assert!(k.gravity(699).is_some_and(|g| (g - 3.79e7).abs() < 1e5));
    // the given kernels' constants are taken whole, their ephemeris first
    let given = [format!("{GOLDEN}/tiny.tpc"), format!("{GOLDEN}/tiny.bsp")];
    let k = Kernels::with_built_in(&given).expect("loads");
    assert!(k.radii(606).is_none() && k.radii(2_999_001).is_some());
    assert!(k.leap_seconds().is_ok());
    let here = k.segment(6, 758_200_000.0).expect("both").file().path();
    assert!(here.ends_with("tiny.bsp"));
    let there = k.segment(6, 700_000_000.0).expect("built in").file().path();
    assert!(there.ends_with("built-in planets.bsp"));
    // moons and planets' centres are not built in
    let error = k.geometric(606, 399, 7e8).unwrap_err().to_string();
    assert!(
        error.contains("TITAN (606)") && error.contains("sat441.bsp"),
        "{error}"
    );
    let error = k.geometric(599, 399, 7e8).unwrap_err().to_string();
    assert!(
        error.contains("JUPITER BARYCENTER (5)") && error.contains("230 km"),
        "{error}"
    );
}

#[test]
fn what_is_not_covered_is_said() {
    let all = ["tiny.tpc", "tiny.tf", "tiny.bsp"].map(|n| format!("{GOLDEN}/{n}"));
    let k = Kernels::load(&all).expect("loads");
    assert_eq!(k.coverage(6).len(), 1);
    let said = |r: sifu::Result<State>| r.expect_err("not covered").to_string();
    let error = said(k.geometric(699, -170, 0.0));
    for part in [
        "SATURN (699)",
        "2000-01-01T12:00:00 TDB",
        "2024-01-0",
        "sat441.bsp",
        "https://",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(said(k.geometric(606, -170, 758_200_000.0)).contains("do not hold it at all"));
    assert!(k.et_of_utc("2022-01-01T00:00:00").is_err());
    for name in ["IAU_NIBIRU", "MOON_ME", "nonsense"] {
        assert!(k.frame(name).is_err(), "{name}");
    }
    let titan = k
        .rotation("J2000", "IAU_TITAN", 0.0)
        .unwrap_err()
        .to_string();
    assert!(
        titan.contains("IAU_TITAN") && titan.contains("pck00011.tpc"),
        "{titan}"
    );
    let error = k.body_code("Nibiru").unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let dates = k.comment_dates(-170, "END_TIME");
    assert_eq!(dates.len(), 1);
    assert_eq!(dates[0].1, "2024-01-20T12:30:00");
    assert_eq!(k.body_name(2_999_002), "TINY WORLD TWO");
}

fn folder_of(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in names {
        std::fs::copy(Path::new(GOLDEN).join(name), folder.path().join(name)).expect("copied");
    }
    folder
}

#[test]
fn folders_and_meta_kernels() {
    let folder = folder_of(&["tiny.bsp", "tiny.tpc", "tiny.tf", "tiny.bpc", "tiny.csv"]);
    let here = folder.path();
    let k = Kernels::load(&[here]).expect("a folder");
    let names: Vec<_> = k
        .loaded()
        .iter()
        .map(|l| l.path.file_name().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["tiny.bpc", "tiny.bsp", "tiny.tf", "tiny.tpc"]);
    let mk = here.join("all.tm");
    let text = "KPL/MK\n\\begindata\nPATH_VALUES = '.'\nPATH_SYMBOLS = 'K'\n\
                KERNELS_TO_LOAD = ( '$K/tiny.+' 'bsp' '$K/tiny.tpc' )\n";
    std::fs::write(&mk, text).expect("written");
    let k = Kernels::load(&[&mk]).expect("a meta-kernel");
    assert_eq!(k.loaded().len(), 3);
    assert!(k.radii(699).is_some());
    // later wins, per variable
    let late = here.join("z.tpc");
    std::fs::write(&late, "KPL/PCK\n\\begindata\nBODY699_RADII = ( 1 1 1 )\n").expect("written");
    let k = Kernels::load(&[&mk, &late]).expect("both");
    assert_eq!(
        (k.radii(699), k.radii(899).is_some()),
        (Some([1.0; 3]), true)
    );
    let k = Kernels::load(&[&late, &mk]).expect("both");
    assert_eq!(k.radii(699), Some([60_268.0, 60_268.0, 54_364.0]));
    // one that loads itself
    std::fs::write(&mk, "KPL/MK\n\\begindata\nKERNELS_TO_LOAD = 'all.tm'\n").expect("written");
    assert!(
        Kernels::load(&[&mk])
            .unwrap_err()
            .to_string()
            .contains("without end")
    );
}

#[test]
fn bad_files_are_named() {
    let folder = folder_of(&["tiny.bsp"]);
    let here = folder.path();
    let good = std::fs::read(here.join("tiny.bsp")).expect("read");
    let changed = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        edit(&mut bytes);
        bytes
    };
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty.bsp", Vec::new(), "is empty"),
        (
            "short.bsp",
            good[..500].to_vec(),
            "less than the first record",
        ),
        ("cut.bsp", good[..20_000].to_vec(), "cut short"),
        ("directory.bsp", good[..2000].to_vec(), "cut short"),
        ("text.bsp", changed(&|b| b[705] = b'\n'), "FTP in text mode"),
        (
            "vax.bsp",
            changed(&|b| b[88..96].copy_from_slice(b"VAX-GFLT")),
            "VAX",
        ),
        (
            "ck.bc",
            changed(&|b| b[..8].copy_from_slice(b"DAF/CK  ")),
            "CK",
        ),
        (
            "das.bds",
            changed(&|b| b[..8].copy_from_slice(b"DAS/DSK ")),
            "DAS",
        ),
        (
            "word.bin",
            changed(&|b| b[..8].copy_from_slice(b"DAF/XYZ ")),
            "not used here",
        ),
        ("count.bsp", changed(&|b| b[8] = 200), "impossible sizes"),
        ("forward.bsp", changed(&|b| b[76] = 0), "summary record"),
        (
            "image.fits",
            b"SIMPLE  =    T\0".to_vec(),
            "neither a text kernel nor a binary",
        ),
        ("readme.txt", b"hello".to_vec(), "no SPICE kernel"),
        (
            "loop.bsp",
            changed(&|b| {
                // the first segment's centre becomes its own body
                let at = (i32::from_le_bytes(b[76..80].try_into().unwrap()) as usize - 1) * 1024
                    + 24
                    + 16;
                let body: [u8; 4] = b[at..at + 4].try_into().unwrap();
                b[at + 4..at + 8].copy_from_slice(&body);
            }),
            "relative to itself",
        ),
    ];
    for (name, bytes, what) in cases {
        let path = here.join(name);
        std::fs::write(&path, bytes).expect("written");
        let error = Kernels::load(&[&path]).expect_err(name).to_string();
        assert!(
            error.contains(what) && error.contains(name),
            "{name}: {error}"
        );
    }
    assert!(
        Kernels::load(&[here.join("absent.bsp")])
            .unwrap_err()
            .to_string()
            .contains("no such")
    );
    let bare = here.join("bare");
    std::fs::create_dir(&bare).expect("made");
    assert!(
        Kernels::load(&[bare])
            .unwrap_err()
            .to_string()
            .contains("no kernels")
    );
}

/// A sequence of pseudo-random numbers (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 1) as usize
    }
}

/// Bytes changed or cut at random: an answer or an error, never a panic.
#[test]
fn damaged_kernels_do_not_panic() {
    let folder = folder_of(&[
        "tiny.tpc",
        "tiny.tf",
        "tiny.bsp",
        "tiny.bpc",
        "tiny_big_endian_old.bsp",
    ]);
    let mut random = Random(5);
    let mut refused = 0;
    for round in 0..1200 {
        let name = [
            "tiny.bsp",
            "tiny_big_endian_old.bsp",
            "tiny.bpc",
            "tiny.tpc",
            "tiny.tf",
        ][round % 5];
        let mut bytes = std::fs::read(Path::new(GOLDEN).join(name)).expect("read");
        // the first records hold what the rest is found by; ends of segments hold their sizes
        let reach = if random.next().is_multiple_of(2) {
            6000
        } else {
            bytes.len()
        };
        for _ in 0..1 + random.next() % 40 {
            let at = random.next() % reach.min(bytes.len());
            bytes[at] = match random.next() % 3 {
                0 => 0xff,
                1 => bytes[at] ^ (1 << (random.next() % 8)),
                _ => random.next() as u8,
            };
        }
        if random.next().is_multiple_of(4) {
            bytes.truncate(random.next() % bytes.len());
        }
        let path = folder.path().join("damaged");
        std::fs::write(&path, bytes).expect("written");
        let others = ["tiny.tpc", "tiny.tf", "tiny.bsp", "tiny.bpc"].map(|n| folder.path().join(n));
        let mut paths = others.to_vec();
        paths.push(path);
        let k = match Kernels::load(&paths) {
            Ok(k) => k,
            Err(e) => {
                refused += 1;
                assert!(!e.to_string().is_empty());
                continue;
            }
        };
        for body in k.bodies() {
            for s in k.segments_of(body) {
                for et in [s.start, s.end, 0.5 * (s.start + s.end)] {
                    let _ = s.state(et);
                    let _ = k.state(body, et, J2000, Correction::CN_S, 6);
                }
            }
            let _ = k.coverage(body);
            let _ = k.comment_dates(body, "END_TIME");
        }
        for frame in [
            "TINY_PCK2",
            "TINY_PCK3",
            "TINY_PCK20",
            "TINY_PHASES",
            "TINY_TURNED",
            "IAU_SATURN",
        ] {
            let _ = k.rotation("TINY_QUATERNION", frame, 758_200_000.0);
        }
        let f = k.body_frame(699);
        let _ = k.sub_observer(
            699,
            758_300_000.0,
            f,
            SurfaceMethod::Near,
            Correction::CN,
            -170,
        );
    }
    assert!((100..1150).contains(&refused), "{refused}");
}

fn shared(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SIFU_SHARED").unwrap_or_else(|| "../shared".into());
    let path = Path::new(&root).join("real").join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not there (set SIFU_SHARED)", path.display());
    None
}

/// `golden_*.csv` of the navigation data: states from a JWST kernel, every segment type, 46 frames, dates.
#[test]
fn the_navigation_data_agree_with_spice() {
    let Some(archive) = shared("nav_data.tar.xz") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let status = std::process::Command::new("tar")
        .arg("-xJf")
        .arg(&archive)
        .arg("-C")
        .arg(folder.path())
        .args(["--wildcards", "*kernels/*"])
        .status();
    if !status.is_ok_and(|s| s.success()) {
        println!("skipped: tar cannot unpack {}", archive.display());
        return;
    }
    let here = folder.path().join("kernels");
    // its paths are relative to the folder it runs in, or to its own
    let k = Kernels::load(&[here.join("oracle.tm")]).expect("a meta-kernel");
    let rows = |name: &str| -> Vec<String> {
        let text = std::fs::read_to_string(here.join(name)).expect(name);
        text.lines().skip(1).map(str::to_string).collect()
    };
    let mut w = Worst::default();
    for row in rows("golden_states.csv")
        .iter()
        .chain(&rows("golden_zoo.csv"))
    {
        let c: Vec<&str> = row.split(',').collect();
        let (target, et, a, o) = (c[0], c[1], c[2], c[3]);
        let rest = c[4..].join(",");
        check(
            &k,
            &format!("state,{target},{et},J2000,{a},{o},{rest}"),
            &mut w,
        );
        w.rows += 1;
    }
    for row in rows("golden_frames.csv") {
        check(&k, &format!("rotation,J2000,{row}"), &mut w);
        w.rows += 1;
    }
    for row in rows("golden_times.csv") {
        check(&k, &format!("utc,{row}"), &mut w);
        w.rows += 1;
    }
    assert_eq!(w.rows, 288 + 144 + 276 + 6);
    w.hold(&here);
    let rec = k.comment_dates(-170, "END_TIME");
    assert_eq!(
        rec.first().map(|d| d.1.as_str()),
        Some("2027-01-01T00:00:00")
    );
}

/// Old and odd kernels open, and every segment gives states at its ends.
#[test]
fn odd_kernels_open() {
    let Some(folder) = shared("kernels_odd") else {
        return;
    };
    let k = Kernels::load(&[&folder]).expect("loads");
    let mut segments = 0;
    for body in k.bodies() {
        for s in k.segments_of(body) {
            for et in [s.start, s.end] {
                s.state(et).expect("a state");
            }
            segments += 1;
        }
    }
    assert_eq!(segments, 40);
}

/// A DAF from memory, and its comments.
#[test]
fn comments_are_read() {
    let bytes = std::fs::read(Path::new(GOLDEN).join("tiny.bsp")).expect("read");
    let daf = Daf::from_bytes("tiny", bytes).expect("a DAF");
    assert!(
        daf.comments()
            .starts_with("Made by make_nav.py.\nSTART_TIME")
    );
    let old = Daf::open(&Path::new(GOLDEN).join("tiny_big_endian_old.bsp")).expect("a DAF");
    assert_eq!(old.comments(), "");
    assert_eq!(old.summaries().len(), daf.summaries().len());
}

/// The targets of flight exposures of two small moons of Saturn, whose orbits are 22 arcsec wide at most, lie
/// that close to the barycentre of the system as JWST sees it; also with the built-in ephemeris.
#[test]
fn flight_headers_point_at_saturn() {
    let (Some(flight), Some(kernels)) = (shared("x1d_flight"), shared("kernels")) else {
        return;
    };
    let real = Kernels::load(&[&kernels]).expect("loads");
    let jwst = kernels.join("jwst_horizons_daily_20211226_20250529.bsp");
    let built_in = Kernels::with_built_in(&[jwst]).expect("loads");
    for name in ["Epimetheus", "Pandora"] {
        let file = flight.join(format!("{name}_d1_prism-clear_x1d.fits"));
        let bytes = std::fs::read(file).expect("a file");
        let value = |key: &str| {
            let start = format!("{key:8}= ");
            let card = bytes.chunks(80).find(|c| c.starts_with(start.as_bytes()));
            let text = String::from_utf8_lossy(card.expect(key)).into_owned();
            let text = text[10..].split('/').next().expect("a value").trim();
            text.trim_matches('\'').trim().to_string()
        };
        let degrees = |key: &str| value(key).parse::<f64>().expect(key).to_radians();
        let (ra, dec) = (degrees("TARG_RA"), degrees("TARG_DEC"));
        let toward = [dec.cos() * ra.cos(), dec.cos() * ra.sin(), dec.sin()];
        let [a, b] = [&real, &built_in].map(|k| {
            let et = k.et_of_utc(&value("DATE-BEG")).expect("a date");
            let seen = k.state(6, et, J2000, Correction::CN, -170).expect("Saturn");
            sifu::math::vector::angle(seen.state.position, toward).to_degrees() * 3600.0
        });
        println!("{name}: {a:.2} arcsec from the barycentre of Saturn");
        assert!(a < 25.0 && (a - b).abs() < 1e-5, "{name}: {a} {b}");
    }
}
