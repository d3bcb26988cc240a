//! What tasks do: the recipes and steps, on files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::pictures::fit_of;
use super::record::{Basis, Trace, name_of};
use super::task::{Instrument, Task, Work};
use crate::exec::Exec;
use crate::formats::fits::FitsFile;
use crate::model::{Cubes, Meta, Spectra};
use crate::nav::{Kernels, limb};
use crate::pipeline::product::{write_cal, write_cube, write_spectrum, write_uncal};
use crate::pipeline::provenance::{Place, SOFTWARE, Stamp, stamp};
use crate::pipeline::recipe::single::shape;
use crate::pipeline::recipe::{Report, detector1, navigate as navigator, pointing, spec2, spec3};
use crate::pipeline::run::{Prepared, Runner, prepare};
use crate::pipeline::settings::Settings;
use crate::pipeline::{animate, changes, navigate, plot};
use crate::steps::step::{AnyStep, Model, Status, Target};
use crate::store::association::{Association, Level, Product};
use crate::store::cal::read_cal;
use crate::store::cube::read_cube;
use crate::store::products::RampFile;
use crate::store::references::References;
use crate::store::spectrum::read_spectrum;
use crate::view::summary::Options;
use crate::view::{self, film};
use crate::wcs::Gwcs;
use crate::{Error, Result, steps};

/// What all tasks share.
pub struct Context<'a> {
    /// The directory.
    pub root: &'a Path,
    /// What the user set.
    pub settings: &'a Settings,
    /// Reference files.
    pub references: &'a dyn References,
    /// Threads.
    pub exec: &'a Exec,
    /// Bytes a ramp may take in memory.
    pub memory: usize,
    /// SPICE kernels.
    pub kernels: &'a Kernels,
    /// Where the kernels come from, separated as in PATH, where that was said.
    pub kernel_paths: Option<&'a str>,
    /// How cubes are navigated.
    pub navigation: &'a navigate::Options,
    /// How their pointing is found, where it is.
    pub fit: Option<&'a limb::Options>,
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    /// It made these files.
    Made(Vec<PathBuf>),
    /// It does not apply, and why.
    Skipped(String),
}

/// Steps that MIRI's exposures of three groups or fewer go without.
const FEW_GROUPS: &[&str] = &["firstframe", "lastframe", "rscd", "jump"];

/// Steps of stage 2 that are left to stage 3.
const LEFT_TO_STAGE3: &[&str] = &[
    "adaptive_trace_model",
    "pixel_replace",
    "cube_build",
    "extract_1d",
];

/// Headers of a file: primary and `SCI`.
fn headers(path: &Path) -> Result<Meta> {
    let file = FitsFile::open(path)?;
    let of = |i: usize| file.hdus().get(i).map(|h| h.header.clone());
    Ok(Meta {
        source: path.into(),
        primary: of(0).unwrap_or_default(),
        sci: file.find("SCI").and_then(of).unwrap_or_default(),
        history: None,
    })
}

fn off(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| format!("{n}.skip=true")).collect()
}

/// A table `{step: {name: value}}`.
fn table(step: &str, values: &[(&str, Value)]) -> Table {
    let inner: Table = values
        .iter()
        .map(|(k, v)| ((*k).to_owned(), v.clone()))
        .collect();
    Table::from_iter([(step.to_owned(), Value::Table(inner))])
}

impl Context<'_> {
    /// The settings of a task: the user's, and what the chain itself sets.
    fn settings(&self, task: &Task) -> Result<Settings> {
        let own = self.settings.clone();
        let with = |texts: Vec<String>| own.clone().assignments(texts.iter().map(String::as_str));
        match &task.work {
            Work::Stage1 { groups } if *groups <= 3 && task.instrument == Instrument::Miri => {
                with(off(FEW_GROUPS))
            }
            Work::Stage2 { .. } => with(off(LEFT_TO_STAGE3)),
            Work::Stage3 { .. } => {
                let mut values = vec![("coord_system", Value::from("ifualign"))];
                if task.instrument == Instrument::Miri {
                    values.push(("output_type", Value::from("band")));
                }
                let mut all = table("cube_build", &values);
                if task.instrument == Instrument::Nirspec {
                    all.extend(table("extract_1d", &[("skip", Value::from(true))]));
                }
                Ok(own.beneath("run", all))
            }
            Work::RemoveGroups { groups } => with(vec![format!("trim_groups.ngroups={groups}")]),
            Work::Cube("psf") => match self.kernel_paths {
                Some(paths) => {
                    let values = [("kernels", Value::from(paths))];
                    Ok(own.beneath("run", table("psf", &values)))
                }
                None => Ok(own),
            },
            Work::Flat(path) => {
                // a path is a text whatever it looks like
                let values = [("flat", Value::from(path.to_string_lossy().into_owned()))];
                Ok(own.beneath("run", table("flat", &values)))
            }
            _ => Ok(own),
        }
    }

    /// The steps of a task, with settings and references.
    fn prepared(&self, task: &Task, meta: &Meta) -> Result<Vec<Prepared>> {
        let settings = self.settings(task)?;
        match &task.work {
            Work::Stage1 { .. } => detector1::prepared(meta, &settings, self.references),
            Work::Stage2 { .. } => spec2::prepared(meta, &settings, self.references),
            Work::Stage3 { .. } => spec3::prepared(meta, false, &settings, self.references),
            Work::RemoveGroups { .. } => self.alone("trim_groups", meta, settings),
            Work::Defringe => self.alone("residual_fringe", meta, settings),
            Work::SpectralLeak => self.alone("spectral_leak", meta, settings),
            Work::Cube(name) => self.alone(name, meta, settings),
            Work::Flat(_) => self.alone("flat", meta, settings),
            Work::Desaturate => self.alone("desaturate", meta, settings),
            Work::Navigate | Work::Plot | Work::Look | Work::Steps | Work::Animate => {
                Ok(Vec::new())
            }
        }
    }

    fn alone(&self, name: &str, meta: &Meta, settings: Settings) -> Result<Vec<Prepared>> {
        let step = step_of(name)?;
        prepare(None, &[step], meta, &settings.on(name), self.references)
    }

    /// What the task depends on, now.
    ///
    /// # Errors
    /// Where an input cannot be read, or settings or references are at fault.
    pub fn basis(&self, task: &Task, inputs: &[PathBuf]) -> Result<Basis> {
        let Some(first) = inputs.first() else {
            return Err(Error::input(format!("{}: there is no input", task.name)));
        };
        let (mut parameters, mut references) = (BTreeMap::new(), BTreeMap::new());
        // what it depends on besides its inputs
        let mut files: Vec<PathBuf> = task.besides.clone();
        for p in self.prepared(task, &headers(first)?)? {
            let name = p.step.info().name;
            parameters.insert(format!("{name}.skip"), p.settings.skip.to_string());
            if p.settings.skip {
                continue;
            }
            for (key, value) in &p.settings.params {
                parameters.insert(format!("{name}.{key}"), value.to_string());
            }
            for (kind, file) in &p.names {
                references.insert(format!("{name} {kind}"), file.clone());
                // a file of the user's own may change under its name
                if file.contains(std::path::MAIN_SEPARATOR) {
                    files.push(file.into());
                }
            }
        }
        let kernels = match task.work {
            Work::Navigate | Work::Plot | Work::Animate => true,
            Work::Cube(name) => name == "psf",
            _ => false,
        };
        if kernels {
            let (own, within): (Vec<_>, Vec<_>) = (self.kernels.loaded().iter())
                .map(|k| k.path.clone())
                .partition(|path| path.is_file());
            files.extend(own);
            let within: Vec<String> = within.iter().map(|p| name_of(self.root, p)).collect();
            references.insert("kernels".into(), within.join(" "));
        }
        if matches!(task.work, Work::Look | Work::Steps) {
            let pixels = format!("{} pixels", plot::SMALL);
            parameters.insert("plot".into(), pixels);
        } else if matches!(task.work, Work::Navigate | Work::Plot | Work::Animate) {
            let (name, how) = match task.work {
                Work::Plot => ("plot", format!("{:?}", Options::default())),
                Work::Animate => ("animate", format!("{:?}", film::Options::default())),
                _ => ("navigate", format!("{:?} {:?}", self.navigation, self.fit)),
            };
            parameters.insert(name.into(), how);
        }
        if let Some(context) = self.references.context().filter(|_| !references.is_empty()) {
            references.insert("context".into(), context);
        }
        let traces = |path: &PathBuf| Some((name_of(self.root, path), Trace::of(path)?));
        // the leak is corrected in place: its inputs are its outputs
        let inputs: &[PathBuf] = match task.work {
            Work::SpectralLeak => &[],
            _ => inputs,
        };
        let inputs = inputs.iter().chain(&files).filter_map(traces).collect();
        Ok(Basis {
            program: SOFTWARE.into(),
            work: format!("{:?}", task.stage),
            inputs,
            parameters,
            references,
        })
    }

    /// Does tasks that differ in the number of groups of their data only, each on those of its inputs that there are.
    pub fn check_and_perform(
        &self,
        tasks: &[(&Task, &[PathBuf])],
        progress: &dyn Fn(&str),
    ) -> Vec<Result<Done>> {
        match tasks {
            [(task, inputs)] => vec![self.perform(task, inputs, progress)],
            _ => self.perform_together(tasks, progress),
        }
    }

    /// Stage 1, 2 or 3 of several tasks at once.
    fn perform_together(
        &self,
        tasks: &[(&Task, &[PathBuf])],
        progress: &dyn Fn(&str),
    ) -> Vec<Result<Done>> {
        let made = |report: Result<Report>| report.map(|r| Done::Made(r.products));
        let failed = |e: Error| tasks.iter().map(|_| Err(e.clone())).collect();
        let Some((first, _)) = tasks.first() else {
            return Vec::new();
        };
        let settings = match self.settings(first) {
            Ok(settings) => settings,
            Err(e) => return failed(e),
        };
        let (references, exec) = (self.references, self.exec);
        match &first.work {
            Work::Stage1 { .. } => {
                let jobs: Result<Vec<_>> = tasks.iter().map(|(t, i)| self.job1(t, i)).collect();
                match jobs {
                    Ok(jobs) => {
                        let versions: Vec<_> = jobs
                            .iter()
                            .map(|(path, settings, options)| detector1::Version {
                                path,
                                settings,
                                options,
                            })
                            .collect();
                        detector1::together(&versions, references, exec, progress)
                            .into_iter()
                            .map(made)
                            .collect()
                    }
                    Err(e) => failed(e),
                }
            }
            Work::Stage2 { .. } => {
                let jobs: Result<Vec<_>> = tasks.iter().map(|(t, i)| job2(t, i)).collect();
                match jobs {
                    Ok(jobs) => {
                        let jobs: Vec<_> = jobs.iter().map(|(j, o)| (j, o)).collect();
                        spec2::together(&jobs, &settings, references, exec, progress)
                            .into_iter()
                            .map(made)
                            .collect()
                    }
                    Err(e) => failed(e),
                }
            }
            Work::Stage3 { .. } => {
                let jobs: Result<Vec<_>> = tasks.iter().map(|(t, i)| job3(t, i)).collect();
                match jobs {
                    Ok(jobs) => {
                        let jobs: Vec<_> = jobs.iter().map(|(j, o)| (j, o)).collect();
                        spec3::together(&jobs, &settings, references, exec, progress)
                            .into_iter()
                            .map(made)
                            .collect()
                    }
                    Err(e) => failed(e),
                }
            }
            Work::Navigate => self.navigate(tasks, progress),
            _ => tasks
                .iter()
                .map(|(task, inputs)| self.perform(task, inputs, progress))
                .collect(),
        }
    }

    /// Does a task on those of its inputs that there are.
    ///
    /// # Errors
    /// Any [`Error`] of the recipe or step; products are written whole or not at all.
    pub fn perform(
        &self,
        task: &Task,
        inputs: &[PathBuf],
        progress: &dyn Fn(&str),
    ) -> Result<Done> {
        let Some(first) = inputs.first() else {
            return Err(Error::input(format!("{}: there is no input", task.name)));
        };
        match &task.work {
            // only when there is something to put into it
            Work::Animate | Work::Steps => {}
            _ => {
                made_folder(task)?;
            }
        }
        match &task.work {
            Work::Stage1 { .. } | Work::Stage2 { .. } | Work::Stage3 { .. } => {
                let mut done = self.perform_together(&[(task, inputs)], progress);
                done.pop().unwrap_or(Ok(Done::Made(Vec::new())))
            }
            Work::Defringe => {
                progress("residual_fringe");
                self.one(task, read_cal(first)?.into())
            }
            Work::SpectralLeak => self.leak(task, inputs),
            Work::Navigate => {
                let mut done = self.navigate(&[(task, inputs)], progress);
                done.pop().unwrap_or(Ok(Done::Made(Vec::new())))
            }
            Work::Plot => {
                progress("plot");
                let Some(out) = task.outputs.first() else {
                    return Ok(Done::Made(Vec::new()));
                };
                plot::run(first, out, self.kernels, &Options::default(), plot::WIDTH)?;
                Ok(Done::Made(vec![out.clone()]))
            }
            Work::Look => {
                progress("plot");
                let Some(out) = task.outputs.first() else {
                    return Ok(Done::Made(Vec::new()));
                };
                plot::run(first, out, self.kernels, &Options::default(), plot::SMALL)?;
                Ok(Done::Made(vec![out.clone()]))
            }
            Work::Steps => {
                progress("plot");
                let Some(out) = task.outputs.first() else {
                    return Ok(Done::Made(Vec::new()));
                };
                if inputs.len() < 2 {
                    return Ok(Done::Skipped("only one of its cubes was made".into()));
                }
                made_folder(task)?;
                changes::run(inputs, out, &changes::Options::default(), plot::SMALL)?;
                Ok(Done::Made(vec![out.clone()]))
            }
            Work::Animate => self.animate(task, inputs, progress),
            Work::RemoveGroups { .. } => {
                progress("trim_groups");
                let file = RampFile::open(first)?;
                let ramp = file.read(0..file.shape.nints, None)?;
                self.one(task, ramp.into())
            }
            Work::Cube(name) => {
                progress(name);
                self.one(task, Cubes(vec![read_cube(first)?]).into())
            }
            Work::Flat(_) => {
                progress("flat");
                self.one(task, Cubes(vec![read_cube(first)?]).into())
            }
            Work::Desaturate => {
                progress("desaturate");
                let cubes: Result<Vec<_>> = inputs.iter().map(|p| read_cube(p)).collect();
                self.one(task, Cubes(cubes?).into())
            }
        }
    }

    /// A stage-1 task as its recipe has it.
    fn job1<'p>(
        &self,
        task: &Task,
        inputs: &'p [PathBuf],
    ) -> Result<(&'p Path, Settings, detector1::Options)> {
        let Some(first) = inputs.first() else {
            return Err(Error::input(format!("{}: there is no input", task.name)));
        };
        let options = detector1::Options {
            out: made_folder(task)?,
            save_intermediates: false,
            memory: self.memory,
        };
        Ok((first, self.settings(task)?, options))
    }

    /// Navigates cubes, with the pointing that is found from those that the first task names behind its own.
    fn navigate(
        &self,
        tasks: &[(&Task, &[PathBuf])],
        progress: &dyn Fn(&str),
    ) -> Vec<Result<Done>> {
        let none = |_: &FitsFile, path: &Path| -> Result<Gwcs> {
            Err(Error::input_file(path, "is no cube"))
        };
        let job = navigator::Job {
            kernels: self.kernels,
            options: self.navigation,
            rest_wavelength: false,
            wcs: &none,
        };
        let (mut found, mut pages) = (BTreeMap::new(), BTreeMap::new());
        if let (Some(fit), Some((_, [_, cubes @ ..]))) = (self.fit, tasks.first()) {
            progress("pointing");
            match pointing::run(cubes, &job, fit, true, self.exec) {
                Ok(fitted) => {
                    for (cube, of) in cubes.iter().zip(fitted) {
                        found.extend(of.visit.map(|visit| (visit, of.options)));
                        pages.extend(of.page.map(|page| (cube.clone(), page)));
                    }
                }
                Err(e) => return tasks.iter().map(|_| Err(e.clone())).collect(),
            }
        }
        let one = |(task, inputs): &(&Task, &[PathBuf])| -> Result<Done> {
            let Some(cube) = inputs.first() else {
                return Err(Error::input(format!("{}: there is no input", task.name)));
            };
            progress("navigate");
            let out = made_folder(task)?;
            let visit = pointing::visit(&headers(cube)?.primary, cube);
            let options = found.get(&visit).unwrap_or(self.navigation);
            let job = navigator::Job { options, ..job };
            navigator::run(cube, &out, &job, self.exec)?;
            let mut made = task.outputs.clone();
            if let Some((page, path)) = pages.get(cube).zip(fit_of(self.root, cube)) {
                let folder = path.parent().unwrap_or(self.root);
                std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
                view::write(page, &path, plot::SMALL)?;
                made.push(path);
            }
            Ok(Done::Made(made))
        };
        tasks.iter().map(one).collect()
    }

    /// A film of cubes that show a body.
    fn animate(&self, task: &Task, cubes: &[PathBuf], progress: &dyn Fn(&str)) -> Result<Done> {
        progress("animate");
        for cube in cubes {
            if headers(cube)?.primary.bool("NAV BASIC") == Some(true) {
                let why = "the body is not known (basic navigation); a film needs it";
                return Ok(Done::Skipped(why.into()));
            }
        }
        let Some(out) = task.outputs.first() else {
            return Ok(Done::Made(Vec::new()));
        };
        made_folder(task)?;
        let job = animate::Job {
            cubes,
            zonal: None,
            remark: &[],
            options: film::Options::default(),
            rate: animate::RATE,
        };
        animate::run(&job, out, self.kernels, self.exec, &|_| {})?;
        Ok(Done::Made(vec![out.clone()]))
    }

    /// Runs a single step; gives its model, its preparation, and how it ended.
    fn step(&self, task: &Task, model: Model) -> Result<(Model, Prepared, Status)> {
        let Some(meta) = model.meta().cloned() else {
            return Err(Error::input(format!(
                "{}: there is nothing to work on",
                task.name
            )));
        };
        let mut prepared = self.prepared(task, &meta)?;
        let Some(only) = prepared.pop() else {
            return Err(Error::input(format!("{}: there is no step", task.name)));
        };
        let target = Target {
            meta,
            shape: shape(&model),
            out: Some(folder_of(task)?),
        };
        let mut runner = Runner::new(self.exec, &target, false);
        let model = runner.step(&only, model)?;
        let status = runner.reports.pop().map_or(Status::Complete, |r| r.status);
        Ok((model, only, status))
    }

    /// A single step to the task's only product.
    fn one(&self, task: &Task, model: Model) -> Result<Done> {
        let (model, step, status) = self.step(task, model)?;
        if let Status::Skipped(why) | Status::Failed(why) = status {
            return Ok(Done::Skipped(why));
        }
        let Some(path) = task.outputs.first() else {
            return Ok(Done::Made(Vec::new()));
        };
        let stamper = self.stamper(&step);
        match model {
            Model::Ramp(ramp) => write_uncal(&ramp, path, &stamper)?,
            Model::Cal(cal) => write_cal(&cal, path, &stamper)?,
            Model::Cubes(cubes) => {
                if let Some(cube) = cubes.0.first() {
                    write_cube(cube, path, &stamper)?;
                }
            }
            _ => {
                return Err(Error::input(format!(
                    "{}: the step gave nothing to write",
                    task.name
                )));
            }
        }
        Ok(Done::Made(vec![path.clone()]))
    }

    /// The spectral leak of all spectra of a folder, in place; those that have been corrected are left.
    fn leak(&self, task: &Task, inputs: &[PathBuf]) -> Result<Done> {
        // named as the products are: all before the channel and the suffix
        let first = task.outputs.first().and_then(|p| p.file_name());
        let first = first
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        let product = first.split("_ch").next().unwrap_or_default();
        let association = folder_of(task)?.join(format!("{product}_x1d_asn.json"));
        let members: Vec<String> = inputs.iter().map(|i| beside(&association, i)).collect();
        placed(
            Association::from_list(Level::Three, &members, product),
            &association,
        )?;
        let spectra: Result<Vec<_>> = inputs.iter().map(|p| read_spectrum(p)).collect();
        let spectra = spectra?;
        let corrected: Vec<bool> = spectra
            .iter()
            .map(|s| s.meta.str("S_SPLEAK") == Some("COMPLETE"))
            .collect();
        if corrected.iter().all(|c| *c) {
            return Ok(Done::Made(task.outputs.clone()));
        }
        let (model, step, status) = self.step(task, Spectra(spectra).into())?;
        if let Status::Skipped(why) | Status::Failed(why) = status {
            return Ok(Done::Skipped(why));
        }
        let stamper = self.stamper(&step);
        let Model::Spectra(spectra) = model else {
            return Err(Error::input(format!(
                "{}: the step gave no spectra",
                task.name
            )));
        };
        for ((spectrum, path), done) in spectra.0.iter().zip(inputs).zip(corrected) {
            if !done {
                write_spectrum(spectrum, path, &stamper)?;
            }
        }
        Ok(Done::Made(task.outputs.clone()))
    }

    fn stamper<'b>(
        &'b self,
        step: &'b Prepared,
    ) -> impl Fn(&mut Meta, &str, &Path, Place) -> Result<Vec<u8>> + Sync + 'b {
        move |meta: &mut Meta, kind: &str, path: &Path, place: Place| {
            let of = Stamp {
                model: kind,
                recipe: step.step.info().name,
                context: self.references.context(),
                steps: std::slice::from_ref(step),
                place,
            };
            stamp(meta, path, &of)
        }
    }
}

/// A stage-2 task as its recipe has it; its association is written.
fn job2(task: &Task, inputs: &[PathBuf]) -> Result<(spec2::Job, spec2::Options)> {
    let (
        Work::Stage2 {
            background,
            association,
        },
        Some(first),
    ) = (&task.work, inputs.first())
    else {
        return Err(Error::input(format!("{} is no task of stage 2", task.name)));
    };
    let out = made_folder(task)?;
    let mut asn = Association::from_list(Level::Two, &[beside(association, first)], "");
    let members: Vec<String> = background.iter().map(|b| beside(association, b)).collect();
    asn.add(0, &members, "background");
    let asn = placed(asn, association)?;
    let job = spec2::Job::of_product(&asn, product_of(&asn)?)?;
    let options = spec2::Options {
        out,
        save_intermediates: false,
    };
    Ok((job, options))
}

/// A stage-3 task as its recipe has it; its association is written.
fn job3(task: &Task, inputs: &[PathBuf]) -> Result<(spec3::Job, spec3::Options)> {
    let Work::Stage3 {
        association,
        product,
    } = &task.work
    else {
        return Err(Error::input(format!("{} is no task of stage 3", task.name)));
    };
    let out = made_folder(task)?;
    let members: Vec<String> = inputs.iter().map(|i| beside(association, i)).collect();
    let asn = placed(
        Association::from_list(Level::Three, &members, product),
        association,
    )?;
    let job = spec3::Job::of_product(&asn, product_of(&asn)?)?;
    let options = spec3::Options {
        out,
        save_intermediates: false,
    };
    Ok((job, options))
}

/// The folder of a task's products, which is made if needed.
fn made_folder(task: &Task) -> Result<PathBuf> {
    let out = folder_of(task)?;
    std::fs::create_dir_all(&out).map_err(|e| Error::io(&out, e))?;
    Ok(out)
}

fn step_of(name: &str) -> Result<&'static dyn AnyStep> {
    steps::find(name)
        .ok_or_else(|| Error::parameter(format!("step {name} is not in the list of steps")))
}

fn folder_of(task: &Task) -> Result<PathBuf> {
    let folder = task.outputs.first().and_then(|p| p.parent());
    folder
        .map(Path::to_path_buf)
        .ok_or_else(|| Error::input(format!("{} makes nothing", task.name)))
}

/// A member as an association names it: from the association's folder where it lies in or beside it.
fn beside(association: &Path, member: &Path) -> String {
    let folder = association.parent().unwrap_or(Path::new(""));
    let above = folder.parent().unwrap_or(Path::new(""));
    if let Ok(name) = member.strip_prefix(folder) {
        return name.to_string_lossy().into_owned();
    }
    match member.strip_prefix(above) {
        Ok(name) => format!("../{}", name.to_string_lossy()),
        Err(_) => std::path::absolute(member)
            .unwrap_or_else(|_| member.into())
            .to_string_lossy()
            .into_owned(),
    }
}

/// The only product of an association of ours.
fn product_of(association: &Association) -> Result<&Product> {
    let first = association.products.first();
    first.ok_or_else(|| Error::input("the association has no product"))
}

/// Writes an association and places it there.
fn placed(mut asn: Association, path: &Path) -> Result<Association> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    }
    asn.write(path)?;
    asn.path = Some(path.into());
    Ok(asn)
}
