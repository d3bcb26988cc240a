//! What a step is: one trait, its parameters, its documentation, and the erased form the runner uses.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Serialize, de::DeserializeOwned};

use crate::exec::Exec;
use crate::model::reference::Window;
use crate::model::{
    Cal, Cube, Cubes, Exposures, Meta, Observation, Ramp, Rate, Shape, Spectra, irs2,
};
use crate::{Error, Result};

/// A reference type a step asks CRDS for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// Type, as in `mask`.
    pub kind: &'static str,
    /// Whether the step is skipped when CRDS says the type does not apply (`N/A`).
    pub required: bool,
}

impl Reference {
    /// A type without which the step goes on, or says itself what is missing.
    pub const fn optional(kind: &'static str) -> Self {
        Self {
            kind,
            required: false,
        }
    }
}

/// Fixed facts about a step.
#[derive(Debug, Clone, Copy)]
pub struct Info {
    /// calwebb's name, as in `dq_init`; also the suffix of its intermediate product.
    pub name: &'static str,
    /// calwebb's class, as in `DQInitStep`; names the `pars-` reference.
    pub class: &'static str,
    /// Status keyword, as in `S_DQINIT`; empty for steps of the planetary chain, which calwebb has not.
    pub keyword: &'static str,
    /// Comment of the status keyword.
    pub title: &'static str,
    /// Whether the step is off unless asked for.
    pub skip: bool,
    /// Reference types.
    pub references: &'static [Reference],
}

impl Info {
    /// Whether the step is one of the planetary chain: it leaves a note in the header in place of a status, takes
    /// nothing from CRDS, and its product has the name of the file it was made from.
    pub fn is_planetary(&self) -> bool {
        self.keyword.is_empty()
    }
}

/// Files chosen for a step's reference types; `None` where the type does not apply.
#[derive(Debug, Clone, Default)]
pub struct RefPaths(pub BTreeMap<String, Option<PathBuf>>);

impl RefPaths {
    /// The file of a type, none where it does not apply.
    pub fn get(&self, kind: &str) -> Option<&Path> {
        self.0.get(kind)?.as_deref()
    }
    /// The file of a type that must be there.
    ///
    /// # Errors
    /// [`Error::Reference`].
    pub fn need(&self, kind: &str) -> Result<&Path> {
        self.get(kind).ok_or_else(|| {
            Error::reference(format!("no {} reference file", kind.to_ascii_uppercase()))
        })
    }
}

/// What reference files are loaded for: an exposure's metadata and sizes, before any data are read.
#[derive(Debug, Clone)]
pub struct Target {
    /// Headers.
    pub meta: Meta,
    /// Sizes of the whole file (all its integrations).
    pub shape: Shape,
    /// Folder of the products, for what a step saves besides them; none for the current one.
    pub out: Option<PathBuf>,
}

impl Target {
    /// The window of the exposure's frames as they are read, interleaved reference pixels included.
    ///
    /// # Errors
    /// As [`Window::of_exposure`].
    pub fn frame(&self) -> Result<Window> {
        Window::of_exposure(&self.meta, self.shape.ny, self.shape.nx)
    }

    /// The window of the pixels that see the sky and of the reference pixels around them: what is left of IRS2 frames
    /// once refpix has taken out the interleaved reference pixels, and the whole frame of all others.
    ///
    /// # Errors
    /// As [`Window::of_exposure`].
    pub fn window(&self) -> Result<Window> {
        let (ny, nx) = (self.shape.ny, self.shape.nx);
        Window::of_exposure(&self.meta, irs2::science_rows(ny, nx), nx)
    }
}

/// One calibration step: a pure function on typed models. See the module documentation of each.
pub trait Step: Send + Sync + 'static {
    /// Fixed facts.
    const INFO: Info;
    /// Text of the step's source file; its leading `//!` lines are the documentation.
    const SOURCE: &'static str;
    /// Model it takes.
    type In: TryFrom<Model, Error = Error> + 'static;
    /// Model it gives.
    type Out: Into<Model>;
    /// Its parameters.
    type Params: Params;
    /// Its reference data, loaded.
    type Refs: Send + Sync + 'static;

    /// DQ bits the step may clear, as calwebb does; none for nearly all.
    const CLEARS: u32 = 0;

    /// What calwebb records where the step does not apply: skipped for nearly all, failed for some.
    const REFUSED: fn(String) -> Status = Status::Skipped;

    /// Whether the step couples integrations, so that it must be given all of an exposure at once.
    const WHOLE_EXPOSURE: bool = false;

    /// Whether all that the step does to a ramp is to set `DO_NOT_USE` in groups and `FLUX_ESTIMATED` in pixels, by the
    /// number of groups and by which are `SATURATED`: it can then be done behind steps that go
    /// [group by group](Step::group_by_group) as well as before them.
    const GIVES_UP_GROUPS: bool = false;

    /// Whether the step goes group by group: what it makes of the first groups of each integration is the same, to the
    /// bit, where there are no later ones. Whether it applies does then not depend on the number of groups either; it
    /// changes nothing but counts, flags and the average dark current; behind steps that [give up
    /// groups](Step::GIVES_UP_GROUPS) it changes no group flags, and `DO_NOT_USE` in groups and `FLUX_ESTIMATED` in
    /// pixels do not matter to it. `target` is the exposure with the most groups.
    fn group_by_group(_target: &Target, _refs: &Self::Refs, _params: &Self::Params) -> bool {
        false
    }

    /// Why the step does not apply to this exposure, if it does not. Asked before references are loaded.
    ///
    /// # Errors
    /// Where metadata needed to decide are missing.
    fn not_applicable(_input: &Self::In, _params: &Self::Params) -> Result<Option<String>> {
        Ok(None)
    }

    /// Whether a reference type is used with these parameters; others are neither looked for nor recorded.
    fn uses(_kind: &str, _params: &Self::Params) -> bool {
        true
    }

    /// Whether a reference type is used for such exposures, whatever the parameters; as [`Self::uses`].
    fn uses_for(_kind: &str, _meta: &Meta) -> bool {
        true
    }

    /// Whether the file used of a reference type has an `R_` card; calwebb writes none for those of steps within a step.
    fn records(_kind: &str) -> bool {
        true
    }

    /// Loads the reference data the exposure needs, no more.
    ///
    /// # Errors
    /// [`Error::Reference`] where a file is missing or unusable.
    fn load(paths: &RefPaths, target: &Target, params: &Self::Params) -> Result<Self::Refs>;

    /// Why the step cannot be done with these references, if so (then it is skipped).
    ///
    /// # Errors
    /// Where metadata needed to decide are missing.
    fn not_usable(
        _input: &Self::In,
        _refs: &Self::Refs,
        _params: &Self::Params,
    ) -> Result<Option<String>> {
        Ok(None)
    }

    /// What the step leaves of its input where it cannot be done with these references: the input, but
    /// for what calwebb sets even then.
    fn leave(input: Self::In, _refs: &Self::Refs) -> Self::In {
        input
    }

    /// Does the work on inputs that differ in their values only (of an exposure cut to fewer groups, say), which a step may
    /// do faster than one by one. Each result is what [`Self::run`] gives.
    fn run_alike(
        inputs: Vec<Self::In>,
        refs: &Self::Refs,
        params: &Self::Params,
        exec: &Exec,
    ) -> Vec<Result<Self::Out>> {
        let one = |input| Self::run(input, refs, params, exec);
        inputs.into_iter().map(one).collect()
    }

    /// Does the work.
    ///
    /// # Errors
    /// As the step documents.
    fn run(
        input: Self::In,
        refs: &Self::Refs,
        params: &Self::Params,
        exec: &Exec,
    ) -> Result<Self::Out>;

    /// How the step ended that gave this: some find only on the way that they cannot be done, and give back their input.
    fn ended(_output: &Self::Out) -> Status {
        Status::Complete
    }
}

/// One parameter: its name, type, default and help.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Name as in calwebb.
    pub name: &'static str,
    /// Rust type.
    pub kind: &'static str,
    /// Default in TOML; none where the parameter is unset by default.
    pub default: Option<toml::Value>,
    /// Help text.
    pub doc: String,
}

/// A step's parameters: declared once by [`params!`](crate::params).
pub trait Params:
    Default + Clone + PartialEq + std::fmt::Debug + Serialize + DeserializeOwned + Send + Sync
{
    /// Every parameter in order.
    fn fields() -> Vec<Field>;
}

/// Declares a step's parameters with types, defaults and help: struct, defaults, TOML form and manual from one place.
///
/// A parameter without a default value in calwebb is an `Option` with default `None`.
#[macro_export]
macro_rules! params {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[doc = $doc:literal])* $field:ident : $kind:ty = $default:expr,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name { $($(#[doc = $doc])* pub $field: $kind,)* }

        impl Default for $name {
            fn default() -> Self { Self { $($field: $default,)* } }
        }

        impl $crate::steps::step::Params for $name {
            fn fields() -> Vec<$crate::steps::step::Field> {
                let defaults = toml::Table::try_from(Self::default()).unwrap_or_default();
                let _ = &defaults;
                vec![$($crate::steps::step::Field {
                    name: stringify!($field),
                    kind: stringify!($kind),
                    default: defaults.get(stringify!($field)).cloned(),
                    doc: [$($doc),*].iter().map(|d: &&str| d.trim()).collect::<Vec<_>>().join(" "),
                },)*]
            }
        }
    };
}

/// A data model on its way through a recipe.
#[derive(Debug, Clone)]
pub enum Model {
    /// Groups.
    Ramp(Box<Ramp>),
    /// Rates of one product.
    Rate(Box<Rate>),
    /// What ramp_fit gives: the average, each integration's, and the optional results.
    Fit(Box<Fit>),
    /// An exposure's image, from assign_wcs on.
    Cal(Box<Cal>),
    /// An exposure with the other members of its level-2 association.
    Observation(Box<Observation>),
    /// The members of a level-3 association.
    Exposures(Exposures),
    /// Cubes.
    Cubes(Cubes),
    /// Spectra.
    Spectra(Spectra),
}

/// Result of ramp_fit.
#[derive(Debug, Clone)]
pub struct Fit {
    /// Rates averaged over integrations (`_rate`).
    pub rate: Rate,
    /// Rates of each integration (`_rateints`).
    pub rateints: Rate,
    /// Optional results, where asked for.
    pub opt: Option<Optional>,
}

/// A step's optional product.
#[derive(Debug, Clone)]
pub struct Optional {
    /// Suffix: `fitopt`, or `likely_chisq` of the likelihood fit.
    pub suffix: &'static str,
    /// Name in place of the exposure's.
    pub name: Option<String>,
    /// calwebb's data model.
    pub model: &'static str,
    /// The product; its primary header is the exposure's.
    pub product: crate::formats::fits::Product,
}

impl Model {
    /// Metadata of every product in it (of an association's exposures only).
    pub fn metas_mut(&mut self) -> Vec<&mut Meta> {
        match self {
            Self::Ramp(r) => vec![&mut r.meta],
            Self::Rate(r) => vec![&mut r.meta],
            Self::Fit(f) => vec![&mut f.rate.meta, &mut f.rateints.meta],
            Self::Cal(c) => vec![&mut c.meta],
            Self::Observation(o) => vec![&mut o.science.meta],
            Self::Exposures(e) => e.science.iter_mut().map(|c| &mut c.meta).collect(),
            Self::Cubes(c) => c.0.iter_mut().map(|c| &mut c.meta).collect(),
            Self::Spectra(s) => s.0.iter_mut().map(|s| &mut s.meta).collect(),
        }
    }
    /// Metadata of the first product in it; none where it is empty.
    pub fn meta(&self) -> Option<&Meta> {
        match self {
            Self::Ramp(r) => Some(&r.meta),
            Self::Rate(r) => Some(&r.meta),
            Self::Fit(f) => Some(&f.rate.meta),
            Self::Cal(c) => Some(&c.meta),
            Self::Observation(o) => Some(&o.science.meta),
            Self::Exposures(e) => e.science.first().map(|c| &c.meta),
            Self::Cubes(c) => c.0.first().map(|c| &c.meta),
            Self::Spectra(s) => s.0.first().map(|s| &s.meta),
        }
    }
    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Ramp(_) => "ramps",
            Self::Rate(_) => "count rates",
            Self::Fit(_) => "fitted count rates",
            Self::Cal(_) => "an exposure's image",
            Self::Observation(_) => "an exposure with its background",
            Self::Exposures(_) => "a set of exposures",
            Self::Cubes(_) => "cubes",
            Self::Spectra(_) => "spectra",
        }
    }
}

/// The error of a step that is given something else than it takes.
fn not_what_it_takes(what: &str, given: &Model) -> Error {
    let e = Error::input(format!("the step needs {what}, not {}", given.kind()));
    match given.meta() {
        Some(meta) => e.with_path(&meta.source),
        None => e,
    }
}

/// How a model type goes into [`Model`], and what comes out of it: its own variant, and others it can be made of.
macro_rules! model {
    ($kind:ident, $what:literal, $wrap:expr, { $($pattern:pat => $value:expr),* $(,)? }) => {
        impl From<$kind> for Model {
            fn from(m: $kind) -> Self {
                $wrap(m)
            }
        }
        impl TryFrom<Model> for $kind {
            type Error = Error;
            fn try_from(m: Model) -> Result<Self> {
                match m {
                    $($pattern => $value,)*
                    other => Err(not_what_it_takes($what, &other)),
                }
            }
        }
    };
}

model!(Ramp, "ramps (_uncal or a detector step's product)", |m| Model::Ramp(Box::new(m)), {
    Model::Ramp(r) => Ok(*r),
});
model!(Rate, "count rates (_rate or _rateints)", |m| Model::Rate(Box::new(m)), {
    Model::Rate(r) => Ok(*r),
});
model!(Cal, "an exposure's image (_rate, _cal or a spectral step's product)", |m| Model::Cal(Box::new(m)), {
    Model::Cal(c) => Ok(*c),
    Model::Rate(r) => Cal::from_rate(*r),
});
model!(Observation, "an exposure's image (_rate, _cal or a spectral step's product)", |m| Model::Observation(Box::new(m)), {
    Model::Observation(o) => Ok(*o),
    Model::Cal(c) => Ok(Observation::alone(*c)),
    Model::Rate(r) => Ok(Observation::alone(Cal::from_rate(*r)?)),
});
model!(Exposures, "calibrated exposures (_cal)", Model::Exposures, {
    Model::Exposures(e) => Ok(e),
    Model::Cal(c) => Ok(Exposures { science: vec![*c], background: Vec::new() }),
});
model!(Cubes, "cubes (_s3d)", Model::Cubes, { Model::Cubes(c) => Ok(c) });
model!(Cube, "a cube (_s3d)", |m| Model::Cubes(Cubes(vec![m])), {
    Model::Cubes(c) => <[Cube; 1]>::try_from(c.0)
        .map(|[cube]| cube)
        .map_err(|c| Error::input(format!("the step needs one cube, not {}", c.len()))),
});
model!(Spectra, "spectra (_x1d)", Model::Spectra, { Model::Spectra(s) => Ok(s) });

impl From<Fit> for Model {
    fn from(f: Fit) -> Self {
        Self::Fit(Box::new(f))
    }
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Complete,
    /// Not done, and why.
    Skipped(String),
    /// Refused, in calwebb's words `FAILED`, and why; the data are as they were.
    Failed(String),
}

/// Loaded reference data of some step.
pub type Loaded = Arc<dyn Any + Send + Sync>;

/// A step without its types: what the runner, the manual and the command line work with.
pub trait AnyStep: Send + Sync {
    /// Fixed facts.
    fn info(&self) -> &'static Info;
    /// As [`Step::WHOLE_EXPOSURE`].
    fn whole_exposure(&self) -> bool;
    /// DQ bits the step may clear.
    fn clears(&self) -> u32;
    /// Whether the step takes one exposure at a time, so that a set of them is given to it one after the other.
    fn takes_one(&self) -> bool;
    /// Whether the step takes one cube at a time, so that several are given to it one after the other.
    fn takes_one_cube(&self) -> bool;
    /// Whether the step takes a set of products at once.
    fn takes_set(&self) -> bool;
    /// As [`Step::GIVES_UP_GROUPS`].
    fn gives_up_groups(&self) -> bool;
    /// As [`Step::group_by_group`].
    ///
    /// # Errors
    /// [`Error::Parameter`] for unknown names or wrong types.
    fn group_by_group(&self, target: &Target, refs: &Loaded, given: &toml::Table) -> Result<bool>;
    /// Documentation (Markdown).
    fn docs(&self) -> String;
    /// Parameters.
    fn fields(&self) -> Vec<Field>;
    /// All parameters as TOML, the given ones over the defaults.
    ///
    /// # Errors
    /// [`Error::Parameter`] for unknown names or wrong types.
    fn complete(&self, given: &toml::Table) -> Result<toml::Table>;
    /// Whether a reference type is used.
    ///
    /// # Errors
    /// [`Error::Parameter`] for unknown names or wrong types.
    fn uses(&self, kind: &str, given: &toml::Table) -> Result<bool>;
    /// As [`Step::uses_for`].
    fn uses_for(&self, kind: &str, meta: &Meta) -> bool;
    /// As [`Step::records`].
    fn records(&self, kind: &str) -> bool;
    /// Loads reference data.
    ///
    /// # Errors
    /// As [`Step::load`].
    fn load(&self, paths: &RefPaths, target: &Target, given: &toml::Table) -> Result<Loaded>;
    /// Runs the step on a model; `refs` is called for the loaded references once they are needed.
    ///
    /// # Errors
    /// As [`Step::run`].
    fn run(
        &self,
        model: Model,
        given: &toml::Table,
        refs: &mut dyn FnMut() -> Result<Loaded>,
        exec: &Exec,
    ) -> Result<(Model, Status)>;

    /// Runs the step on models that differ in their values only; each result is what [`AnyStep::run`] gives.
    ///
    /// # Errors
    /// Where none can be run, for references, say.
    fn run_alike(
        &self,
        models: Vec<Model>,
        given: &toml::Table,
        refs: &mut dyn FnMut() -> Result<Loaded>,
        exec: &Exec,
    ) -> Result<Vec<Result<(Model, Status)>>>;
}

/// The erased form of a step type.
pub struct Entry<S>(std::marker::PhantomData<fn() -> S>);

impl<S> Entry<S> {
    /// The entry of a step type.
    pub const fn new() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<S> Default for Entry<S> {
    fn default() -> Self {
        Self::new()
    }
}

fn parse<S: Step>(given: &toml::Table) -> Result<S::Params> {
    given.clone().try_into().map_err(|e: toml::de::Error| {
        let names: Vec<_> = S::Params::fields().iter().map(|f| f.name).collect();
        Error::parameter(format!(
            "{}: {}; its parameters are skip{}{}",
            S::INFO.name,
            e.message().trim(),
            if names.is_empty() { "" } else { ", " },
            names.join(", ")
        ))
    })
}

impl<S: Step> AnyStep for Entry<S>
where
    S::In: Into<Model>,
{
    fn info(&self) -> &'static Info {
        &S::INFO
    }

    fn whole_exposure(&self) -> bool {
        S::WHOLE_EXPOSURE
    }

    fn clears(&self) -> u32 {
        S::CLEARS
    }

    fn takes_one(&self) -> bool {
        TypeId::of::<S::In>() == TypeId::of::<Cal>()
    }

    fn takes_one_cube(&self) -> bool {
        TypeId::of::<S::In>() == TypeId::of::<Cube>()
    }

    fn takes_set(&self) -> bool {
        let sets = [
            TypeId::of::<Exposures>(),
            TypeId::of::<Cubes>(),
            TypeId::of::<Spectra>(),
        ];
        sets.contains(&TypeId::of::<S::In>())
    }

    fn gives_up_groups(&self) -> bool {
        S::GIVES_UP_GROUPS
    }

    fn group_by_group(&self, target: &Target, refs: &Loaded, given: &toml::Table) -> Result<bool> {
        let params = parse::<S>(given)?;
        let refs = refs.downcast_ref::<S::Refs>();
        Ok(refs.is_some_and(|refs| S::group_by_group(target, refs, &params)))
    }

    fn docs(&self) -> String {
        let lines = S::SOURCE.lines().take_while(|l| l.starts_with("//!"));
        lines
            .map(|l| l.trim_start_matches("//!").strip_prefix(' ').unwrap_or(""))
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn fields(&self) -> Vec<Field> {
        S::Params::fields()
    }

    fn complete(&self, given: &toml::Table) -> Result<toml::Table> {
        let params = parse::<S>(given)?;
        toml::Table::try_from(params)
            .map_err(|e| Error::parameter(format!("{}: {e}", S::INFO.name)))
    }

    fn uses(&self, kind: &str, given: &toml::Table) -> Result<bool> {
        Ok(S::uses(kind, &parse::<S>(given)?))
    }

    fn uses_for(&self, kind: &str, meta: &Meta) -> bool {
        S::uses_for(kind, meta)
    }

    fn records(&self, kind: &str) -> bool {
        S::records(kind)
    }

    fn load(&self, paths: &RefPaths, target: &Target, given: &toml::Table) -> Result<Loaded> {
        Ok(Arc::new(S::load(paths, target, &parse::<S>(given)?)?))
    }

    fn run_alike(
        &self,
        models: Vec<Model>,
        given: &toml::Table,
        refs: &mut dyn FnMut() -> Result<Loaded>,
        exec: &Exec,
    ) -> Result<Vec<Result<(Model, Status)>>> {
        let params = parse::<S>(given)?;
        let inputs: Result<Vec<S::In>> = models.into_iter().map(S::In::try_from).collect();
        let inputs = inputs?;
        let mut alone = false;
        for input in &inputs {
            alone |= S::not_applicable(input, &params)?.is_some();
        }
        let loaded = match alone {
            true => None,
            false => refs()?.downcast::<S::Refs>().ok(),
        };
        if let Some(loaded) = &loaded {
            for input in &inputs {
                alone |= S::not_usable(input, loaded, &params)?.is_some();
            }
        }
        match loaded.filter(|_| !alone) {
            Some(loaded) => {
                let done = S::run_alike(inputs, &loaded, &params, exec);
                let ended = |r: Result<S::Out>| {
                    r.map(|out| {
                        let status = S::ended(&out);
                        (out.into(), status)
                    })
                };
                Ok(done.into_iter().map(ended).collect())
            }
            // those that a step does not apply to go the ordinary way
            None => {
                let one = |input: S::In| self.run(input.into(), given, refs, exec);
                Ok(inputs.into_iter().map(one).collect())
            }
        }
    }

    fn run(
        &self,
        model: Model,
        given: &toml::Table,
        refs: &mut dyn FnMut() -> Result<Loaded>,
        exec: &Exec,
    ) -> Result<(Model, Status)> {
        let params = parse::<S>(given)?;
        let input = S::In::try_from(model)?;
        if let Some(why) = S::not_applicable(&input, &params)? {
            return Ok((input.into(), S::REFUSED(why)));
        }
        let loaded = refs()?;
        let Ok(loaded) = loaded.downcast::<S::Refs>() else {
            return Err(Error::reference(format!(
                "{}: references of another step were loaded",
                S::INFO.name
            )));
        };
        if let Some(why) = S::not_usable(&input, &loaded, &params)? {
            return Ok((S::leave(input, &loaded).into(), S::REFUSED(why)));
        }
        let out = S::run(input, &loaded, &params, exec)?;
        let status = S::ended(&out);
        Ok((out.into(), status))
    }
}
