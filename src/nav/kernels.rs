//! Loaded kernels: which files, in which order, and what they hold.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::spk::Segment;
use super::time::LeapSeconds;
use super::{bodies, orientation};
use crate::formats::spice::{Content, Daf, Pool, calendar_seconds, kernels_to_load, parse_text};
use crate::math::vector::Vector;
use crate::{Error, Result};

/// What a folder is searched for.
const KINDS: [&str; 5] = ["tls", "tpc", "tf", "bsp", "bpc"];
/// Deepest nesting of meta-kernels.
const DEEPEST: usize = 8;
/// Kernels that are part of the program (`kernels/` of the source; its README says how they were made).
const LEAP_SECONDS: (&str, &[u8]) = (
    "built-in leapseconds.tls",
    include_bytes!("../../kernels/leapseconds.tls"),
);
const BODIES: (&str, &[u8]) = (
    "built-in bodies.tpc",
    include_bytes!("../../kernels/bodies.tpc"),
);
const PLANETS: (&str, &[u8]) = (
    "built-in planets.bsp",
    include_bytes!("../../kernels/planets.bsp"),
);

/// A file that was loaded.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Path, as it was found.
    pub path: PathBuf,
    /// Its data, for a binary kernel.
    pub binary: Option<Arc<Daf>>,
}

/// A span of time that is covered, TDB s from J2000.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coverage {
    pub start: f64,
    pub end: f64,
}

/// Kernels, ready to be asked.
#[derive(Clone, Debug, Default)]
pub struct Kernels {
    pool: Pool,
    leap_seconds: Option<LeapSeconds>,
    segments: Vec<Segment>,
    /// Indices into `segments`, in order of loading.
    by_body: HashMap<i32, Vec<usize>>,
    orientations: Vec<orientation::Segment>,
    /// Names and codes that kernels define, names in their normal form.
    codes: HashMap<String, i32>,
    names: HashMap<i32, String>,
    loaded: Vec<Loaded>,
}

impl Kernels {
    /// Loads files, meta-kernels and folders in order; what comes later wins. Of a folder, every `.tls`,
    /// `.tpc`, `.tf`, `.bsp` and `.bpc` in the order of their names.
    ///
    /// # Errors
    /// [`Error::Reference`] for what is not there, [`Error::Format`] for what is no kernel or damaged,
    /// [`Error::Io`].
    pub fn load<P: AsRef<Path>>(paths: &[P]) -> Result<Self> {
        let mut out = Self::default();
        for path in paths {
            out.add(path.as_ref(), 0)?;
        }
        out.index()?;
        Ok(out)
    }

    /// As [`Kernels::load`], with the built-in kernels beneath: leap seconds and body constants where
    /// the given kernels have none, and the ephemeris of the planets for what they do not cover.
    ///
    /// # Errors
    /// As [`Kernels::load`].
    pub fn with_built_in<P: AsRef<Path>>(paths: &[P]) -> Result<Self> {
        let mut out = Self::load(paths)?;
        if out.leap_seconds.is_none() {
            out.add_text(Path::new(LEAP_SECONDS.0), LEAP_SECONDS.1, 0)?;
        }
        // constants of two sources are not mixed: their angles belong together
        let constants = out
            .pool
            .names()
            .any(|n| n.starts_with("BODY") && n.ends_with("_POLE_RA"));
        if !constants {
            let mut under = Pool::default();
            let path = Path::new(BODIES.0);
            under.load(path, &parse_text(path, BODIES.1)?)?;
            out.pool.underlay(under);
            out.loaded.push(Loaded {
                path: path.into(),
                binary: None,
            });
        }
        let planets = Arc::new(Daf::from_static(PLANETS.0, PLANETS.1)?);
        let mut segments = Segment::all(&planets)?;
        segments.append(&mut out.segments);
        out.segments = segments;
        out.loaded.push(Loaded {
            path: planets.path().into(),
            binary: Some(planets),
        });
        out.index()?;
        Ok(out)
    }

    fn add(&mut self, path: &Path, depth: usize) -> Result<()> {
        if !path.exists() {
            return Err(Error::reference(format!(
                "{}: there is no such kernel or folder; correct the path or fetch it",
                path.display()
            )));
        }
        if path.is_dir() {
            let mut files = Vec::new();
            for entry in std::fs::read_dir(path).map_err(|e| Error::io(path, e))? {
                let file = entry.map_err(|e| Error::io(path, e))?.path();
                let kind = file.extension().map(|e| e.to_ascii_lowercase());
                if kind.is_some_and(|k| KINDS.iter().any(|x| k == *x)) && file.is_file() {
                    files.push(file);
                }
            }
            if files.is_empty() {
                return Err(Error::reference(format!(
                    "{}: the folder has no kernels (.tls .tpc .tf .bsp .bpc); name another, or a \
                     meta-kernel (.tm)",
                    path.display()
                )));
            }
            files.sort();
            return files.iter().try_for_each(|f| self.add(f, depth));
        }
        let mut start = [0; 8];
        let read = std::fs::File::open(path)
            .and_then(|mut f| std::io::Read::read(&mut f, &mut start))
            .map_err(|e| Error::io(path, e))?;
        if read == 0 {
            return Err(Error::format(path, "is empty; fetch it again"));
        }
        if Daf::looks_binary(&start[..read]) {
            return self.add_binary(Arc::new(Daf::open(path)?));
        }
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        self.add_text(path, &bytes, depth)
    }

    fn add_binary(&mut self, file: Arc<Daf>) -> Result<()> {
        match file.content() {
            Content::Spk => self.segments.append(&mut Segment::all(&file)?),
            Content::Pck => self
                .orientations
                .append(&mut orientation::Segment::all(&file)?),
            Content::Ck => {
                return Err(Error::format(
                    file.path(),
                    "is a CK (attitude of a spacecraft), which is not used here; leave it out",
                ));
            }
        }
        self.loaded.push(Loaded {
            path: file.path().into(),
            binary: Some(file),
        });
        Ok(())
    }

    fn add_text(&mut self, path: &Path, bytes: &[u8], depth: usize) -> Result<()> {
        let assignments = parse_text(path, bytes)?;
        self.pool.load(path, &assignments)?;
        self.loaded.push(Loaded {
            path: path.into(),
            binary: None,
        });
        let more = kernels_to_load(path, &assignments)?;
        if !more.is_empty() && depth == DEEPEST {
            return Err(Error::format(
                path,
                "meta-kernels load each other without end; correct KERNELS_TO_LOAD",
            ));
        }
        more.iter().try_for_each(|f| self.add(f, depth + 1))
    }

    /// Makes the tables that follow from what was loaded.
    fn index(&mut self) -> Result<()> {
        self.by_body.clear();
        for (i, s) in self.segments.iter().enumerate() {
            self.by_body.entry(s.body).or_default().push(i);
        }
        self.leap_seconds = LeapSeconds::from_pool(&self.pool)?;
        let names = self.pool.texts("NAIF_BODY_NAME").unwrap_or(&[]);
        let codes = self.pool.numbers("NAIF_BODY_CODE").unwrap_or(&[]);
        if names.len() != codes.len() {
            return Err(Error::reference(format!(
                "the loaded kernels define {} names (NAIF_BODY_NAME) and {} codes (NAIF_BODY_CODE); \
                 leave out the frame kernel that is wrong",
                names.len(),
                codes.len()
            )));
        }
        for (name, code) in names.iter().zip(codes) {
            self.codes.insert(bodies::normal(name), *code as i32);
            self.names.insert(*code as i32, bodies::normal(name));
        }
        Ok(())
    }

    /// Files, in order of loading; built-in ones last.
    #[must_use]
    pub fn loaded(&self) -> &[Loaded] {
        &self.loaded
    }

    /// Variables of the text kernels.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Segments of binary PCKs.
    pub(super) fn orientations(&self) -> &[orientation::Segment] {
        &self.orientations
    }

    /// Segments with a body's states, in order of loading.
    pub fn segments_of(&self, body: i32) -> impl DoubleEndedIterator<Item = &Segment> {
        let list = self.by_body.get(&body).map_or(&[][..], Vec::as_slice);
        list.iter().filter_map(|i| self.segments.get(*i))
    }

    /// Code of a body by its name, or by its code written as text.
    #[must_use]
    pub fn find_body(&self, name: &str) -> Option<i32> {
        let name = bodies::normal(name);
        let known = |n: &str| self.codes.get(n).copied().or_else(|| bodies::code(n));
        known(&name)
            .or_else(|| name.parse().ok())
            .or_else(|| known(&name.replace('_', " ")))
    }

    /// Code of a body by its name.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a name that neither the kernels nor the built-in table have.
    pub fn body_code(&self, name: &str) -> Result<i32> {
        self.find_body(name).ok_or_else(|| {
            Error::parameter(format!(
                "the body {name:?} is not known; give its NAIF code, or load a kernel that names it \
                 (NAIF_BODY_NAME)"
            ))
        })
    }

    /// Name of a body, or its code as text.
    #[must_use]
    pub fn body_name(&self, code: i32) -> String {
        let named = self.names.get(&code).map(String::as_str);
        let named = named.or_else(|| bodies::name(code));
        named.map_or_else(|| code.to_string(), str::to_string)
    }

    /// Radii of a body along its axes, km, where the kernels have them (three positive numbers).
    #[must_use]
    pub fn radii(&self, body: i32) -> Option<Vector> {
        match self.pool.numbers(&format!("BODY{body}_RADII"))? {
            &[a, b, c] if a > 0.0 && b > 0.0 && c > 0.0 => Some([a, b, c]),
            _ => None,
        }
    }

    /// Gravity of a body, km3/s2, where the kernels have it.
    #[must_use]
    pub fn gravity(&self, body: i32) -> Option<f64> {
        self.pool.number(&format!("BODY{body}_GM"))
    }

    /// Rate of the prime meridian, degrees a day; negative for a body that turns backwards.
    #[must_use]
    pub fn spin(&self, body: i32) -> Option<f64> {
        self.pool
            .numbers(&format!("BODY{body}_PM"))?
            .get(1)
            .copied()
    }

    /// Whether planetographic longitude grows to the west: for what turns forwards, but for the Earth, the
    /// Moon and the Sun, whose custom is otherwise. `BODY<code>_PGR_POSITIVE_LON` overrides.
    #[must_use]
    pub fn west_positive(&self, body: i32) -> bool {
        match self.pool.text(&format!("BODY{body}_PGR_POSITIVE_LON")) {
            Some(s) if s.eq_ignore_ascii_case("WEST") => true,
            Some(s) if s.eq_ignore_ascii_case("EAST") => false,
            _ => !matches!(body, 399 | 301 | 10) && self.spin(body).is_none_or(|s| s >= 0.0),
        }
    }

    /// The leap seconds.
    ///
    /// # Errors
    /// [`Error::Reference`] where no leap-seconds kernel is loaded.
    pub fn leap_seconds(&self) -> Result<&LeapSeconds> {
        self.leap_seconds.as_ref().ok_or_else(|| {
            Error::reference(
                "no leap-seconds kernel is loaded; fetch naif0012.tls from \
                 https://naif.jpl.nasa.gov/pub/naif/generic_kernels/lsk/",
            )
        })
    }

    /// Epoch of a UTC date ([`LeapSeconds::et_of_utc`]).
    ///
    /// # Errors
    /// As there, and [`Error::Reference`] without leap seconds.
    pub fn et_of_utc(&self, text: &str) -> Result<f64> {
        self.leap_seconds()?.et_of_utc(text)
    }

    /// UTC date of an epoch ([`LeapSeconds::utc_of_et`]).
    ///
    /// # Errors
    /// [`Error::Reference`] without leap seconds.
    pub fn utc_of_et(&self, et: f64, digits: usize) -> Result<String> {
        Ok(self.leap_seconds()?.utc_of_et(et, digits))
    }

    /// Spans for which there are segments of a body, joined where they touch, in order of time.
    #[must_use]
    pub fn coverage(&self, body: i32) -> Vec<Coverage> {
        let mut all: Vec<Coverage> = self
            .segments_of(body)
            .map(|s| Coverage {
                start: s.start,
                end: s.end,
            })
            .collect();
        all.sort_by(|a, b| a.start.total_cmp(&b.start));
        let mut out: Vec<Coverage> = Vec::new();
        for c in all {
            match out.last_mut() {
                Some(last) if c.start <= last.end => last.end = last.end.max(c.end),
                _ => out.push(c),
            }
        }
        out
    }

    /// Every body with segments, ascending.
    #[must_use]
    pub fn bodies(&self) -> Vec<i32> {
        let mut out: Vec<i32> = self.by_body.keys().copied().collect();
        out.sort_unstable();
        out
    }

    /// Dates that the comments of the kernels with a body give for `key` (`KEY = date`, as in the
    /// comments of JWST's: `START_TIME`, `STOP_TIME`, `END_TIME`), one a file that has one, in order of
    /// loading: the file, and the date as `2027-01-01T00:00:00`.
    #[must_use]
    pub fn comment_dates(&self, body: i32, key: &str) -> Vec<(PathBuf, String)> {
        let files = self.loaded.iter().filter_map(|l| l.binary.as_ref());
        files
            .filter(|f| self.segments_of(body).any(|s| Arc::ptr_eq(s.file(), f)))
            .filter_map(|f| {
                let comments = f.comments();
                let date = comments.lines().find_map(|line| {
                    let (name, value) = line.split_once('=')?;
                    (name.trim() == key).then(|| value.trim().to_string())
                })?;
                let seconds = calendar_seconds(&date)?;
                let digits = if seconds.fract() == 0.0 { 0 } else { 3 };
                Some((f.path().into(), super::time::calendar(seconds, digits)))
            })
            .collect()
    }
}
