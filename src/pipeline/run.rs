//! The runner: for every step settings, references, skips, provenance, timing and intermediates, once.

use std::collections::BTreeMap;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use tracing::{debug, info};

use super::settings::{Settings, StepSettings};
use crate::exec::Exec;
use crate::model::{Cal, Cube, Cubes, Exposures, Meta, Observation, keywords};
use crate::steps::step::{AnyStep, Loaded, Model, RefPaths, Status, Target};
use crate::store::references::References;
use crate::{Error, Result};

/// A step ready to run: its settings and files are known.
pub struct Prepared {
    /// The step.
    pub step: &'static dyn AnyStep,
    /// Its merged settings.
    pub settings: StepSettings,
    /// Its reference files.
    pub paths: RefPaths,
    /// Names of these: type, and file name or `N/A`.
    pub names: BTreeMap<String, String>,
}

impl Prepared {
    /// A reference type that the step cannot do without and that does not apply.
    fn absent(&self) -> Option<&'static str> {
        let required = self.step.info().references.iter().filter(|r| r.required);
        required
            .map(|r| r.kind)
            .find(|kind| self.paths.get(kind).is_none())
    }

    /// Whether the step is on and has the references it cannot do without.
    pub fn runs(&self) -> bool {
        !self.settings.skip && self.absent().is_none()
    }
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// calwebb's name.
    pub name: &'static str,
    /// How it ended.
    pub status: Status,
    /// Wall-clock seconds, with loading of references.
    pub seconds: f64,
}

/// Finds settings and references of every step before any work starts; `pipeline` is calwebb's class
/// of the recipe, whose `pars-` reference may set any step's parameters.
///
/// # Errors
/// [`Error::Parameter`] for bad settings; [`Error::Reference`] listing everything that is missing at once.
pub fn prepare(
    pipeline: Option<&str>,
    steps: &[&'static dyn AnyStep],
    meta: &Meta,
    settings: &Settings,
    references: &dyn References,
) -> Result<Vec<Prepared>> {
    let mut out = Vec::new();
    let mut missing = Vec::new();
    for step in steps {
        let pars = references.parameters(meta, pipeline, step.info().class, step.info().name)?;
        let settings = settings.for_step(*step, &pars)?;
        let mut paths = RefPaths::default();
        let mut names = BTreeMap::new();
        if !settings.skip {
            for r in step.info().references {
                if !step.uses_for(r.kind, meta) || !step.uses(r.kind, &settings.params)? {
                    continue;
                }
                match references.find(meta, r.kind) {
                    Ok(found) => {
                        names.insert(
                            r.kind.to_owned(),
                            found.name.clone().unwrap_or_else(|| "N/A".into()),
                        );
                        paths.0.insert(r.kind.to_owned(), found.path);
                    }
                    Err(Error::Reference { message }) => {
                        if !missing.contains(&message) {
                            missing.push(message);
                        }
                    }
                    Err(other) => return Err(other),
                }
            }
        }
        out.push(Prepared {
            step: *step,
            settings,
            paths,
            names,
        });
    }
    match missing.len() {
        0 => Ok(out),
        1 => Err(Error::reference(missing.remove(0))),
        n => Err(Error::reference(format!(
            "{n} reference files are missing:\n  {}",
            missing.join("\n  ")
        ))),
    }
}

/// Runs prepared steps on a model, one after the other.
pub struct Runner<'a> {
    /// Threads.
    pub exec: &'a Exec,
    /// What references are loaded for.
    pub target: &'a Target,
    /// One entry a step.
    pub reports: Vec<StepReport>,
    loaded: BTreeMap<&'static str, Loaded>,
    keep: bool,
    ahead: Option<&'a Receiver<Ahead>>,
}

/// References of a step, loaded ahead of it.
pub type Ahead = (&'static str, Result<Loaded>);

/// Loads the references of every step that will run, in order, handing each to `send` until that
/// is refused.
pub fn load_ahead<'a>(
    prepared: impl IntoIterator<Item = &'a Prepared>,
    target: &Target,
    send: &dyn Fn(Ahead) -> bool,
) {
    for p in prepared.into_iter().filter(|p| p.runs()) {
        let loaded = p.step.load(&p.paths, target, &p.settings.params);
        if !send((p.step.info().name, loaded)) {
            return;
        }
    }
}

impl<'a> Runner<'a> {
    /// A runner; `keep` keeps loaded references for another pass (of further integrations).
    pub fn new(exec: &'a Exec, target: &'a Target, keep: bool) -> Self {
        Self {
            exec,
            target,
            reports: Vec::new(),
            loaded: BTreeMap::new(),
            keep,
            ahead: None,
        }
    }

    /// Takes references from a [`load_ahead`] that runs beside.
    #[must_use]
    pub fn ahead(mut self, ahead: Option<&'a Receiver<Ahead>>) -> Self {
        self.ahead = ahead;
        self
    }

    /// Runs one step: skips it where it is off or does not apply, sets its status and reference cards.
    ///
    /// # Errors
    /// What the step returns; [`Error::Interrupted`] where the user stopped the run.
    pub fn step(&mut self, prepared: &Prepared, model: Model) -> Result<Model> {
        self.exec.check()?;
        let start = Instant::now();
        let info = prepared.step.info();
        let (mut model, status) = self.outcome(prepared, model)?;
        for meta in model.metas_mut() {
            record(meta, prepared, &status);
        }
        let seconds = start.elapsed().as_secs_f64();
        match &status {
            Status::Complete => info!("{}: done in {seconds:.3} s", info.name),
            Status::Skipped(why) if prepared.settings.skip => {
                debug!("{}: skipped, {why}", info.name)
            }
            Status::Skipped(why) | Status::Failed(why) => info!("{}: skipped, {why}", info.name),
        }
        self.report(info.name, status, seconds);
        Ok(model)
    }

    /// Runs one step on models that differ in their values only, as [`Self::step`] would on each.
    ///
    /// # Errors
    /// Where none can be run, or the user stopped the run; the inner error is that of one model.
    pub fn alike(&mut self, prepared: &Prepared, models: Vec<Model>) -> Result<Vec<Result<Model>>> {
        let each = prepared.step.takes_one_cube()
            || prepared.step.takes_one() && models.iter().any(|m| matches!(m, Model::Exposures(_)));
        if models.len() < 2 || prepared.settings.skip || prepared.absent().is_some() || each {
            return Ok(models.into_iter().map(|m| self.step(prepared, m)).collect());
        }
        self.exec.check()?;
        let start = Instant::now();
        let info = prepared.step.info();
        // a step on one image leaves the other members of its association alone
        let (mut inputs, mut rests) = (Vec::new(), Vec::new());
        for model in models {
            match model {
                Model::Observation(o) if prepared.step.takes_one() => {
                    inputs.push(o.science.into());
                    rests.push(Some((o.background, o.selfcal, o.imprint)));
                }
                other => {
                    inputs.push(other);
                    rests.push(None);
                }
            }
        }
        let (exec, given) = (self.exec, &prepared.settings.params);
        let mut refs = || self.refs(prepared);
        let done = prepared.step.run_alike(inputs, given, &mut refs, exec)?;
        let mut out = Vec::with_capacity(done.len());
        for (result, rest) in done.into_iter().zip(rests) {
            let whole = |model: Model| -> Result<Model> {
                match rest {
                    None => Ok(model),
                    Some((background, selfcal, imprint)) => Ok(Observation {
                        science: model.try_into()?,
                        background,
                        selfcal,
                        imprint,
                    }
                    .into()),
                }
            };
            out.push(result.and_then(|(model, status)| {
                let mut model = whole(model)?;
                for meta in model.metas_mut() {
                    record(meta, prepared, &status);
                }
                Ok(model)
            }));
        }
        let seconds = start.elapsed().as_secs_f64();
        info!(
            "{}: {} at once done in {seconds:.3} s",
            info.name,
            out.len()
        );
        self.report(info.name, Status::Complete, seconds);
        Ok(out)
    }

    /// Whether a step that is on goes group by group, see [`Step::group_by_group`](crate::steps::step::Step::group_by_group).
    ///
    /// # Errors
    /// Where its references cannot be loaded.
    pub fn group_by_group(&mut self, prepared: &Prepared) -> Result<bool> {
        let refs = self.refs(prepared)?;
        // for the step itself
        self.loaded
            .insert(prepared.step.info().name, Loaded::clone(&refs));
        let given = &prepared.settings.params;
        prepared.step.group_by_group(self.target, &refs, given)
    }

    /// Records a step that another runner has done for this model.
    pub fn was_done(&mut self, prepared: &Prepared, model: &mut Model, status: &Status) {
        for meta in model.metas_mut() {
            record(meta, prepared, status);
        }
        self.report(prepared.step.info().name, status.clone(), 0.0);
    }

    fn report(&mut self, name: &'static str, status: Status, seconds: f64) {
        match self.reports.iter_mut().find(|r| r.name == name) {
            Some(report) => report.seconds += seconds,
            None => self.reports.push(StepReport {
                name,
                status,
                seconds,
            }),
        }
    }

    /// A step's references: kept ones, those loaded ahead, or loaded now.
    fn refs(&mut self, prepared: &Prepared) -> Result<Loaded> {
        let name = prepared.step.info().name;
        let kept = match self.keep {
            true => self.loaded.get(name).map(Loaded::clone),
            false => self.loaded.remove(name),
        };
        if let Some(l) = kept {
            return Ok(l);
        }
        // steps that turned out not to apply left theirs in the channel
        let fed = self
            .ahead
            .and_then(|a| a.iter().find(|(step, _)| *step == name));
        let l = match fed {
            Some((_, l)) => l?,
            None => prepared
                .step
                .load(&prepared.paths, self.target, &prepared.settings.params)?,
        };
        if self.keep {
            self.loaded.insert(name, Loaded::clone(&l));
        }
        Ok(l)
    }

    fn outcome(&mut self, prepared: &Prepared, model: Model) -> Result<(Model, Status)> {
        if prepared.settings.skip {
            let why = match prepared.settings.sources.get("skip") {
                Some(source) => format!("turned off ({source})"),
                None => "off by default".into(),
            };
            return Ok((model, Status::Skipped(why)));
        }
        if let Some(kind) = prepared.absent() {
            let why = format!("no {} reference applies", kind.to_ascii_uppercase());
            return Ok((model, Status::Skipped(why)));
        }
        let given = &prepared.settings.params;
        let model = match model {
            Model::Fit(fit) => return self.on_both(prepared, *fit),
            Model::Exposures(e) if prepared.step.takes_one() => return self.on_each(prepared, e),
            Model::Cubes(c) if c.0.len() > 1 && prepared.step.takes_one_cube() => {
                return self.on_each_cube(prepared, c);
            }
            Model::Observation(mut o) if prepared.step.takes_one() => {
                let (model, status) = self.outcome(prepared, o.science.into())?;
                o.science = model.try_into()?;
                return Ok(((*o).into(), status));
            }
            other => other,
        };
        let exec = self.exec;
        prepared
            .step
            .run(model, given, &mut || self.refs(prepared), exec)
    }

    /// A step on single exposures is applied to each of a set.
    fn on_each(&mut self, prepared: &Prepared, mut set: Exposures) -> Result<(Model, Status)> {
        let keep = std::mem::replace(&mut self.keep, true);
        let mut ended = Status::Complete;
        let mut out = Vec::with_capacity(set.science.len());
        for cal in set.science {
            let (model, status) = self.outcome(prepared, cal.into())?;
            out.push(Cal::try_from(model)?);
            ended = status;
        }
        self.keep = keep;
        set.science = out;
        Ok((set.into(), ended))
    }

    /// A step on single cubes is applied to each, with references of its own; it is done where one of them was.
    fn on_each_cube(&mut self, prepared: &Prepared, cubes: Cubes) -> Result<(Model, Status)> {
        let given = &prepared.settings.params;
        let mut ended = Status::Skipped("there are no cubes".into());
        let mut out = Vec::with_capacity(cubes.0.len());
        for cube in cubes.0 {
            let target = Target {
                meta: cube.meta.clone(),
                shape: self.target.shape,
                out: self.target.out.clone(),
            };
            let mut refs = || prepared.step.load(&prepared.paths, &target, given);
            let (model, status) = prepared
                .step
                .run(cube.into(), given, &mut refs, self.exec)?;
            out.push(Cube::try_from(model)?);
            if ended != Status::Complete {
                ended = status;
            }
        }
        Ok((Cubes(out).into(), ended))
    }

    /// A step on rates is applied to the average and to each integration's rates alike.
    fn on_both(
        &mut self,
        prepared: &Prepared,
        fit: crate::steps::step::Fit,
    ) -> Result<(Model, Status)> {
        let keep = std::mem::replace(&mut self.keep, true);
        let first = self.outcome(prepared, fit.rate.into());
        let second = self.outcome(prepared, fit.rateints.into());
        self.keep = keep;
        let ((first, status), (second, _)) = (first?, second?);
        match (first, second) {
            (Model::Rate(rate), Model::Rate(rateints)) => {
                let fit = crate::steps::step::Fit {
                    rate: *rate,
                    rateints: *rateints,
                    opt: fit.opt,
                };
                Ok((fit.into(), status))
            }
            _ => Err(Error::parameter(format!(
                "{} does not give count rates",
                prepared.step.info().name
            ))),
        }
    }
}

/// Status and reference cards of a step.
fn record(meta: &mut Meta, prepared: &Prepared, status: &Status) {
    let info = prepared.step.info();
    if info.is_planetary() {
        // its note says that it was done
        return;
    }
    let text = match status {
        Status::Complete => "COMPLETE",
        Status::Skipped(_) => "SKIPPED",
        Status::Failed(_) => "FAILED",
    };
    meta.set_in_block(
        "        Calibration step information",
        "S_",
        info.keyword,
        text,
        info.title,
    );
    let recorded = |(kind, _): &(&String, _)| prepared.step.records(kind);
    for (kind, name) in prepared.names.iter().filter(recorded) {
        if let Some(keyword) = keywords::keyword(&format!("ref_file.{kind}.name")) {
            let comment = format!("{kind} reference file name");
            meta.set_in_block(
                "        Calibration reference files",
                "R_",
                keyword,
                name.as_str(),
                &comment,
            );
        }
    }
}
