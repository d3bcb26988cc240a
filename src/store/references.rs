//! Where reference files come from: the user's overrides, else the CRDS cache.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use toml::{Table, Value};

use super::crds::{Cache, Options, Outcome, Paths};
use crate::formats::asdf::{Node, StepPars, Value as Asdf};
use crate::formats::fits::{FitsFile, Header};
use crate::model::Meta;
use crate::{Error, Result, steps};

/// A reference file found, or that none applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Name for the `R_` card, as in `crds://jwst_miri_mask_0028.fits`; none for `N/A`.
    pub name: Option<String>,
    /// The file; none for `N/A`.
    pub path: Option<PathBuf>,
    /// Why this one.
    pub why: String,
}

/// A source of reference files and step parameters.
pub trait References: Sync {
    /// The file of a type for an exposure.
    ///
    /// # Errors
    /// [`Error::Reference`] saying what is missing and what to fetch.
    fn find(&self, meta: &Meta, kind: &str) -> Result<Found>;

    /// Parameters that `pars-` references give for a step: of the step's own class, and above them
    /// those of the pipeline's. Lowest first, each with the file's name.
    ///
    /// # Errors
    /// [`Error::Reference`] where a file is missing or unreadable.
    fn parameters(
        &self,
        meta: &Meta,
        pipeline: Option<&str>,
        class: &str,
        step: &str,
    ) -> Result<Vec<(String, Table)>>;

    /// Name of the CRDS context, where there is one.
    fn context(&self) -> Option<String>;
}

/// `--override TYPE=FILE` choices.
#[derive(Debug, Clone, Default)]
pub struct Overrides(BTreeMap<String, Option<Override>>);

/// A file chosen by the user.
#[derive(Debug, Clone)]
struct Override {
    path: PathBuf,
    /// What its primary header says, where it is FITS.
    header: Option<Header>,
}

impl Override {
    /// A file for a type.
    ///
    /// # Errors
    /// [`Error::Reference`] where its header says that it is of another type.
    fn open(path: PathBuf, kind: &str) -> Result<Self> {
        // reference files in other formats are read by the steps only
        let file = FitsFile::open(&path).ok();
        let header = file.and_then(|f| f.hdus().first().map(|h| h.header.clone()));
        match header.as_ref().map(|h| h.str("REFTYPE")) {
            Some(Some(own)) if !own.trim().eq_ignore_ascii_case(kind) => {
                return Err(Error::reference(format!(
                    "--override {kind}: {} is a reference file of type {} (REFTYPE), not {kind}",
                    path.display(),
                    own.trim().to_ascii_lowercase()
                )));
            }
            Some(None) => tracing::warn!(
                "--override {kind}: {} does not say of which type it is (REFTYPE); is it a {kind} file?",
                path.display()
            ),
            _ => {}
        }
        Ok(Self { path, header })
    }

    /// Refuses a file that is made for another detector than an exposure's.
    fn check(&self, kind: &str, meta: &Meta) -> Result<()> {
        for keyword in ["INSTRUME", "DETECTOR"] {
            let of = |text: Option<&str>| text.map(|t| t.trim().to_ascii_uppercase());
            let own = of(self.header.as_ref().and_then(|h| h.str(keyword)));
            let Some(own) = own.filter(|o| !["", "ANY", "N/A", "MULTIPLE"].contains(&o.as_str()))
            else {
                continue;
            };
            if of(meta.str(keyword)).is_some_and(|theirs| theirs != own) {
                return Err(Error::reference(format!(
                    "--override {kind}: {} is for {own}, the exposure {} of {} ({keyword})",
                    self.path.display(),
                    meta.source.display(),
                    meta.str(keyword).unwrap_or_default()
                )));
            }
        }
        Ok(())
    }
}

/// Whether some step has reference files of a type.
fn is_known(kind: &str) -> bool {
    let mut steps = steps::ALL.iter().map(|s| s.info());
    kind.starts_with("pars-") || steps.any(|i| i.references.iter().any(|r| r.kind == kind))
}

impl Overrides {
    /// Parses `TYPE=FILE`; `TYPE=N/A` says that no file applies.
    ///
    /// # Errors
    /// [`Error::Parameter`] where one is malformed or no step has files of the type, [`Error::Reference`] where its file does
    /// not exist or is of another type.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut out = BTreeMap::new();
        for text in texts {
            let Some((kind, file)) = text
                .split_once('=')
                .filter(|(k, f)| !k.is_empty() && !f.is_empty())
            else {
                return Err(Error::parameter(format!(
                    "--override {text}: expected TYPE=FILE, as in dark=my_dark.fits"
                )));
            };
            let kind = kind.to_ascii_lowercase();
            if !is_known(&kind) {
                let mut all: Vec<&str> = steps::ALL
                    .iter()
                    .flat_map(|s| s.info().references)
                    .map(|r| r.kind)
                    .collect();
                all.sort_unstable();
                all.dedup();
                return Err(Error::parameter(format!(
                    "--override {text}: no step has reference files of type {kind}; there are {} and pars-<class of a step>",
                    all.join(", ")
                )));
            }
            // the product names it wherever it is read later
            let path = std::path::absolute(file).map_err(|e| Error::io(file, e))?;
            if file == "N/A" {
                out.insert(kind, None);
            } else if path.is_file() {
                let chosen = Override::open(path, &kind)?;
                out.insert(kind, Some(chosen));
            } else {
                return Err(Error::reference(format!(
                    "--override {text}: there is no file {file}"
                )));
            }
        }
        Ok(Self(out))
    }

    /// The choice for a type, if there is one.
    ///
    /// # Errors
    /// [`Error::Reference`] where it is made for another detector than the exposure's.
    pub fn find(&self, meta: &Meta, kind: &str) -> Result<Option<Found>> {
        let Some(chosen) = self.0.get(kind) else {
            return Ok(None);
        };
        if let Some(file) = chosen {
            file.check(kind, meta)?;
        }
        let path = chosen.as_ref().map(|file| file.path.clone());
        Ok(Some(Found {
            name: path.as_ref().map(|p| p.display().to_string()),
            path,
            why: "override".into(),
        }))
    }
}

/// Overrides, else the user's CRDS cache (opened when first needed).
pub struct CrdsReferences {
    overrides: Overrides,
    cache: std::result::Result<Cache, String>,
    parameters: Mutex<BTreeMap<PathBuf, StepPars>>,
    answers: Mutex<VecDeque<Arc<Answers>>>,
}

/// Exposures whose answers are kept.
const KEPT: usize = 16;

/// What the cache has answered for an exposure: the same headers are asked about once for each step of each recipe, and
/// what CRDS may ask of them takes longer to collect than to select by.
struct Answers {
    primary: Header,
    sci: Header,
    /// What CRDS may ask for.
    parameters: BTreeMap<String, String>,
    /// Files found, by type.
    found: Mutex<BTreeMap<String, Found>>,
    /// Files of parameters, by type; none where there is no such type.
    steps: Mutex<BTreeMap<String, Option<PathBuf>>>,
}

impl Answers {
    fn new(meta: &Meta) -> Self {
        Self {
            primary: meta.primary.clone(),
            sci: meta.sci.clone(),
            parameters: meta.crds_parameters(),
            found: Mutex::default(),
            steps: Mutex::default(),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl CrdsReferences {
    /// References of the cache at `root` (none: the environment's), with a context (none: the
    /// environment's, else the cache's default). A missing cache is an error only once it is needed.
    ///
    /// # Errors
    /// [`Error::Reference`] where a cache is there and broken.
    pub fn new(root: Option<&Path>, context: Option<&str>, overrides: Overrides) -> Result<Self> {
        let variable = std::env::var("CRDS_CONTEXT").ok().filter(|v| !v.is_empty());
        let opened = match root {
            Some(root) => Cache::with(
                Paths::under(root),
                Options::from_env(),
                context.or(variable.as_deref()),
            ),
            None => Cache::from_env(context),
        };
        let cache = match opened {
            Ok(cache) => Ok(cache),
            Err(Error::Reference { message }) => Err(message),
            Err(other) => return Err(other),
        };
        Ok(Self {
            overrides,
            cache,
            parameters: Mutex::default(),
            answers: Mutex::default(),
        })
    }

    /// What is known for these headers.
    fn answers(&self, meta: &Meta) -> Arc<Answers> {
        let known = |a: &&Arc<Answers>| a.primary == meta.primary && a.sci == meta.sci;
        if let Some(answers) = locked(&self.answers).iter().rev().find(known) {
            return Arc::clone(answers);
        }
        let answers = Arc::new(Answers::new(meta));
        let mut all = locked(&self.answers);
        if all.len() >= KEPT {
            all.pop_front();
        }
        all.push_back(Arc::clone(&answers));
        answers
    }

    /// The cache.
    ///
    /// # Errors
    /// [`Error::Reference`] where there is none.
    pub fn cache(&self) -> Result<&Cache> {
        self.cache.as_ref().map_err(|m| Error::reference(m.clone()))
    }

    fn step_parameters(&self, meta: &Meta, class: &str) -> Result<Option<(String, StepPars)>> {
        let kind = format!("pars-{}", class.to_ascii_lowercase());
        if std::env::var_os("STPIPE_DISABLE_CRDS_STEPPARS").is_some_and(|v| v == "true" || v == "1")
        {
            return Ok(None);
        }
        let path = if let Some(found) = self.overrides.find(meta, &kind)? {
            found.path
        } else {
            // without any cache, the references themselves say what is missing
            let Ok(cache) = &self.cache else {
                return Ok(None);
            };
            let answers = self.answers(meta);
            let known = locked(&answers.steps).get(&kind).cloned();
            match known {
                Some(path) => path,
                None => {
                    let best = cache.best_references(&answers.parameters, &[&kind])?;
                    // a type without a rule means that there are no such parameters
                    let path = match best.file(&kind) {
                        Some(file) if file.exists => Some(file.path.clone()),
                        Some(file) => {
                            return Err(Error::reference(format!(
                                "{kind}: {} is not in the cache (it sets step parameters)",
                                file.path.display()
                            )));
                        }
                        None => None,
                    };
                    locked(&answers.steps).insert(kind.clone(), path.clone());
                    path
                }
            }
        };
        let Some(path) = path else { return Ok(None) };
        let name = path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        let mut known = locked(&self.parameters);
        if let Some(pars) = known.get(&path) {
            return Ok(Some((name, pars.clone())));
        }
        let pars = StepPars::open(&path).map_err(|e| Error::reference(format!("{kind}: {e}")))?;
        known.insert(path, pars.clone());
        Ok(Some((name, pars)))
    }
}

impl References for CrdsReferences {
    fn find(&self, meta: &Meta, kind: &str) -> Result<Found> {
        if let Some(found) = self.overrides.find(meta, kind)? {
            return Ok(found);
        }
        let cache = self.cache()?;
        let answers = self.answers(meta);
        if let Some(found) = locked(&answers.found).get(kind) {
            return Ok(found.clone());
        }
        let best = cache.best_references(&answers.parameters, &[kind])?;
        let why = best
            .types
            .get(kind)
            .map(super::crds::BestReference::why)
            .unwrap_or_default();
        let found = match best.types.get(kind).map(|b| &b.outcome) {
            Some(Outcome::File(file)) if file.exists => {
                best.check(cache)?;
                Found {
                    name: Some(format!("crds://{}", file.name)),
                    path: Some(file.path.clone()),
                    why,
                }
            }
            Some(Outcome::NotApplicable { .. } | Outcome::Omitted) => Found {
                name: None,
                path: None,
                why,
            },
            _ => {
                best.check(cache)?;
                return Err(Error::reference(format!(
                    "{kind}: no reference file: {why}"
                )));
            }
        };
        locked(&answers.found).insert(kind.to_owned(), found.clone());
        Ok(found)
    }

    fn parameters(
        &self,
        meta: &Meta,
        pipeline: Option<&str>,
        class: &str,
        step: &str,
    ) -> Result<Vec<(String, Table)>> {
        let mut out = Vec::new();
        if let Some((name, pars)) = self.step_parameters(meta, class)? {
            out.push((name, table(&pars)));
        }
        if let Some(pipeline) = pipeline
            && let Some((name, pars)) = self.step_parameters(meta, pipeline)?
            && let Some(pars) = pars.step(step)
        {
            out.push((name, table(pars)));
        }
        Ok(out)
    }

    fn context(&self) -> Option<String> {
        self.cache.as_ref().ok().map(|c| c.context().to_owned())
    }
}

/// A parameter file's values as TOML; Python's `None` as the text `none`.
fn table(pars: &StepPars) -> Table {
    pars.parameters
        .iter()
        .map(|(k, v)| (k.to_string(), value(v)))
        .collect()
}

fn value(node: &Node) -> Value {
    match &node.value {
        Asdf::Bool(b) => Value::Boolean(*b),
        Asdf::Null => Value::String("none".into()),
        Asdf::String(s) => match s.as_str() {
            "True" => Value::Boolean(true),
            "False" => Value::Boolean(false),
            _ => Value::String(s.clone()),
        },
        Asdf::Sequence(items) => Value::Array(items.iter().map(value).collect()),
        _ => {
            if let Some(i) = node.as_i64() {
                Value::Integer(i)
            } else if let Some(f) = node.as_f64() {
                Value::Float(f)
            } else {
                Value::String("none".into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::fits::Writer;

    #[test]
    fn answers_are_of_an_exposures_own_headers() {
        let references = CrdsReferences {
            overrides: Overrides::default(),
            cache: Err("there is none".into()),
            parameters: Mutex::default(),
            answers: Mutex::default(),
        };
        let meta = |detector: &str, n: i64| {
            let mut meta = Meta::default();
            meta.primary.set("DETECTOR", detector, "");
            meta.sci.set("XPOSURE", n, "");
            meta
        };
        let detector = |a: &Answers| a.parameters["META.INSTRUMENT.DETECTOR"].clone();
        let first = references.answers(&meta("MIRIFUSHORT", 0));
        assert_eq!(detector(&first), "MIRIFUSHORT");
        assert!(Arc::ptr_eq(
            &first,
            &references.answers(&meta("MIRIFUSHORT", 0))
        ));
        for other in [meta("MIRIFULONG", 0), meta("MIRIFUSHORT", 1)] {
            let answers = references.answers(&other);
            assert!(!Arc::ptr_eq(&first, &answers));
            assert_eq!(
                Some(detector(&answers).as_str()),
                other.primary.str("DETECTOR")
            );
        }
        // as many as are kept later, the first is forgotten
        for n in 0..KEPT {
            references.answers(&meta("MIRIMAGE", n as i64));
        }
        let again = references.answers(&meta("MIRIFUSHORT", 0));
        assert!(!Arc::ptr_eq(&first, &again));
        assert_eq!(first.parameters, again.parameters);
    }

    #[test]
    fn overrides_are_of_their_type_and_detector() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = |name: &str, cards: &[(&str, &str)]| {
            let path = dir.path().join(name);
            let mut header = Header::new();
            cards.iter().for_each(|(k, v)| header.set(k, *v, ""));
            let mut w = Writer::create(&path, false).expect("created");
            w.empty(&header).expect("written");
            w.finish().expect("complete");
            path.display().to_string()
        };
        let of_type = [("REFTYPE", "DARK"), ("DETECTOR", "MIRIFUSHORT")];
        let dark = file("dark.fits", &of_type);
        let parsed = |text: String| Overrides::parse([text.as_str()]);
        let said = |text: String| parsed(text).expect_err("refused").to_string();
        assert!(said(format!("drk={dark}")).contains("no step has reference files of type drk"));
        assert!(said(format!("gain={dark}")).contains("of type dark"));
        let plain = file("plain.fits", &[]);
        assert!(parsed(format!("dark={plain}")).is_ok());
        let overrides = parsed(format!("DARK={dark}")).expect("good");
        let mut meta = Meta::default();
        meta.primary.set("DETECTOR", "MIRIFUSHORT", "");
        let found = overrides.find(&meta, "dark").expect("fits");
        assert_eq!(found.and_then(|f| f.name), Some(dark));
        assert_eq!(overrides.find(&meta, "gain").expect("none"), None);
        meta.primary.set("DETECTOR", "MIRIFULONG", "");
        let error = overrides
            .find(&meta, "dark")
            .expect_err("refused")
            .to_string();
        assert!(error.contains("is for MIRIFUSHORT"), "{error}");
    }
}
