//! `sifu run` and `sifu plan`: the whole chain over a directory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::setup::{Global, ParameterArgs, ReferenceArgs};
use super::{PARTLY, memory, print};
use crate::exec::Exec;
use crate::formats::write_whole;
use crate::pipeline::navigate;
use crate::pipeline::plan::execute::foresee;
use crate::pipeline::plan::work::Context;
use crate::pipeline::plan::{
    Entry, Instrument, Options, Outcome, Plan, Stage, Toggle, build, execute,
};
use crate::pipeline::report;
use crate::pipeline::settings::Settings;
use crate::store::kernels;
use crate::{Error, Result, steps};

/// Reduce a whole observation: raw exposures in DIR/stage0 to calibrated, navigated, cleaned cubes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the observation; its raw exposures are DIR/stage0/*_uncal.fits.
    #[arg(value_name = "DIR")]
    root: PathBuf,
    /// Whose exposures to reduce: auto takes all there are.
    #[arg(long, value_name = "auto|miri|nirspec", default_value = "auto", value_parser = ["auto", "miri", "nirspec"])]
    instrument: String,
    /// Replace saturated parts of spectra from reductions with fewer groups.
    #[arg(long)]
    desaturate: bool,
    /// Numbers of groups to reduce besides all of them, for desaturation (default: every number).
    #[arg(
        long,
        value_name = "N,N",
        value_delimiter = ',',
        requires = "desaturate"
    )]
    groups_to_use: Vec<usize>,
    /// Folder of the background's observation, reduced to DIR/stage1/*_rate.fits at least.
    #[arg(long, visible_alias = "background-path", value_name = "DIR")]
    background: Option<PathBuf>,
    /// Subtract the background: yes, no, or both side by side.
    #[arg(long, value_name = "yes|no|both", default_value = "both", default_missing_value = "yes", num_args = 0..=1, require_equals = true)]
    background_subtract: Toggle,
    /// Correct residual fringes of the detector images (2-D).
    #[arg(long, value_name = "yes|no|both", default_value = "no", default_missing_value = "yes", num_args = 0..=1, require_equals = true)]
    defringe: Toggle,
    /// Correct residual fringes of each spectrum of the cubes (1-D).
    #[arg(long = "defringe-1d", value_name = "yes|no|both", default_value = "both", default_missing_value = "yes", num_args = 0..=1, require_equals = true)]
    defringe_1d: Toggle,
    /// Correct for the telescope's PSF with a forward model.
    #[arg(long, value_name = "yes|no|both", default_value = "no", default_missing_value = "yes", num_args = 0..=1, require_equals = true)]
    correct_psf: Toggle,
    /// Folder of synthetic flats, or a path with {channel}, {band} and {fringe} in it (MIRI) or {grating} and {filter} (NIRSpec).
    #[arg(long, visible_alias = "flat-data-path", value_name = "PATTERN")]
    flats: Option<PathBuf>,
    /// Only right ascension and declination as backplanes.
    #[arg(long)]
    basic_navigation: bool,
    /// Body to navigate on, instead of the headers' TARGNAME (which may be none that SPICE knows, as in JUPITER-GRS).
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Offset of the pointing in right ascension, arcsec on the sky; it is subtracted.
    #[arg(
        long,
        value_name = "ARCSEC",
        default_value_t = 0.0,
        allow_hyphen_values = true,
        conflicts_with = "fit"
    )]
    ra_offset: f64,
    /// Offset of the pointing in declination, arcsec; it is subtracted.
    #[arg(
        long,
        value_name = "ARCSEC",
        default_value_t = 0.0,
        allow_hyphen_values = true,
        conflicts_with = "fit"
    )]
    dec_offset: f64,
    /// SPICE kernels: files, meta-kernels (.tm) and folders (default: as for sifu navigate).
    #[arg(long, value_name = "FILE|DIR", num_args = 1..)]
    kernels: Vec<PathBuf>,
    /// Find the pointing from the data: `limb` fits the body's disc to the cubes, which share one offset a visit.
    #[arg(long, value_name = "limb", value_parser = ["limb"])]
    fit: Option<String>,
    /// Where the kernels lack a planet's centre, put it at the barycentre of its system.
    #[arg(long, alias = "barycenter")]
    barycentre: bool,
    /// How cubes weigh their pixels.
    #[arg(long, visible_alias = "cube-build-weighting", value_name = "drizzle|emsm|msm", value_parser = ["drizzle", "emsm", "msm"])]
    weighting: Option<String>,
    /// Steps to leave out; what they made before is used.
    #[arg(long, value_name = "STEP", num_args = 1.., value_delimiter = ',')]
    skip_steps: Vec<String>,
    /// First step to do.
    #[arg(long, value_name = "STEP")]
    start_step: Option<String>,
    /// Last step to do.
    #[arg(long, value_name = "STEP")]
    end_step: Option<String>,
    /// Memory the run may take, as in 8G (default: 60 % of what is free).
    #[arg(long, value_name = "SIZE", value_parser = memory::size)]
    memory: Option<usize>,
    /// Print what would be done and why, and do nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    parameters: ParameterArgs,
    #[command(flatten)]
    references: ReferenceArgs,
}

/// Print what `sifu run` would do with the same options.
#[derive(Debug, clap::Args)]
pub struct PlanArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    run: Args,
}

fn stage(name: &str) -> Result<Stage> {
    Stage::find(name).ok_or_else(|| {
        let all: Vec<&str> = Stage::ALL.iter().map(|s| s.name()).collect();
        Error::parameter(format!(
            "{name} is no step of the chain; its steps are {}",
            all.join(", ")
        ))
    })
}

impl Args {
    fn settings(&self) -> Result<Settings> {
        let settings = self.parameters.settings()?;
        let Some(weighting) = &self.weighting else {
            return Ok(settings);
        };
        settings.assignments([format!("cube_build.weighting={weighting}").as_str()])
    }

    fn options(&self, settings: &Settings) -> Result<Options> {
        let skip: BTreeSet<Stage> = self
            .skip_steps
            .iter()
            .map(|n| stage(n))
            .collect::<Result<_>>()?;
        let bound = |name: &Option<String>| name.as_deref().map(stage).transpose();
        let of = |name: &str| {
            steps::find(name)
                .map(|s| settings.for_step(s, &[]))
                .transpose()
        };
        if let Some(cubes) = of("cube_build")? {
            let given = cubes.sources.contains_key("output_type");
            let kind = cubes.params.get("output_type").and_then(|v| v.as_str());
            if given && kind != Some("band") {
                return Err(Error::parameter(
                    "cube_build.output_type must be band in a run, whose steps work band by band; sifu spec3 makes the others",
                ));
            }
        }
        if let Some(dir) = self.background.as_ref().filter(|d| !d.is_dir()) {
            return Err(Error::input_file(
                dir,
                "the folder of the background does not exist",
            ));
        }
        if self.background.is_none() && self.background_subtract == Toggle::Yes {
            return Err(Error::parameter(
                "--background-subtract=yes needs --background DIR",
            ));
        }
        let is_pattern = |p: &Path| p.to_string_lossy().contains('{');
        if let Some(flats) = self
            .flats
            .as_ref()
            .filter(|p| !is_pattern(p) && !p.exists())
        {
            return Err(Error::input_file(flats, "the flats do not exist"));
        }
        let groups: BTreeSet<usize> = self.groups_to_use.iter().copied().collect();
        Ok(Options {
            instrument: match self.instrument.as_str() {
                "miri" => Some(Instrument::Miri),
                "nirspec" => Some(Instrument::Nirspec),
                _ => None,
            },
            desaturate: self.desaturate,
            groups_to_use: (!groups.is_empty()).then_some(groups),
            background: self.background.clone(),
            background_subtract: self.background_subtract,
            defringe: self.defringe,
            defringe_1d: self.defringe_1d,
            correct_psf: self.correct_psf,
            flats: self.flats.clone(),
            fit: self.fit.is_some() && !self.basic_navigation,
            spectra: match of("extract_1d")? {
                Some(s) if s.skip => Vec::new(),
                // none of NIRSpec unless they are asked for
                Some(s) if !s.sources.contains_key("skip") => vec![Instrument::Miri],
                _ => Instrument::ALL.to_vec(),
            },
            first: bound(&self.start_step)?,
            last: bound(&self.end_step)?,
            skip,
        })
    }
}

/// Runs `sifu run`.
///
/// # Errors
/// Where nothing could be started.
pub fn run(args: &Args, global: &Global) -> Result<u8> {
    work(args, global, args.dry_run, false)
}

/// Runs `sifu plan`.
///
/// # Errors
/// Where there is nothing to plan.
pub fn plan(args: &PlanArgs, global: &Global) -> Result<u8> {
    work(&args.run, global, true, args.json)
}

fn work(args: &Args, global: &Global, dry: bool, as_json: bool) -> Result<u8> {
    let settings = args.settings()?;
    let options = args.options(&settings)?;
    let plan = build(&args.root, &options)?;
    let references = args.references.references()?;
    let exec = global.exec()?;
    let budget = args.memory.unwrap_or_else(memory::free);
    let found = kernels::find(&args.kernels)?;
    let navigation = navigate::Options {
        basic: args.basic_navigation,
        barycentre: args.barycentre,
        target: args.target.clone(),
        ra_offset: args.ra_offset,
        dec_offset: args.dec_offset,
        ..navigate::Options::default()
    };
    let fit = crate::nav::limb::Options::default();
    let paths = std::env::join_paths(&args.kernels)
        .map_err(|e| Error::parameter(format!("--kernels: {e}")))?
        .to_string_lossy()
        .into_owned();
    let context = Context {
        root: &plan.root,
        settings: &settings,
        references: &references,
        exec: &exec,
        memory: budget / exec.threads(),
        kernels: &found.kernels,
        kernel_paths: (!paths.is_empty()).then_some(paths.as_str()),
        navigation: &navigation,
        fit: args.fit.as_ref().map(|_| &fit),
    };
    for note in &plan.notes {
        tracing::warn!("{note}");
    }
    if dry {
        return foreseen(&plan, &context, as_json);
    }
    let (entries, code) = carry_out(&plan, &context, budget, global)?;
    print(&table(&plan, &entries, &args.root))?;
    match options.does(Instrument::Miri, Stage::Report) {
        true => page(&plan.root, &exec, code),
        false => Ok(code),
    }
}

/// Writes the page on a run; the exit code, which says so where it cannot be written.
///
/// # Errors
/// Where the user stopped the run.
pub(super) fn page(root: &Path, exec: &Exec, code: u8) -> Result<u8> {
    match report::run(root, None, &report::Options::default(), exec) {
        Ok((page, _)) => {
            print(&format!("page:   {}\n", page.display()))?;
            Ok(code)
        }
        Err(Error::Interrupted) => Err(Error::Interrupted),
        Err(e) => {
            tracing::error!("the page on the run was not written: {e}");
            Ok(if code == 0 { PARTLY } else { code })
        }
    }
}

/// Carries out a plan with a progress line, and writes the report; what became of the tasks, and the exit code.
///
/// # Errors
/// Where the directory cannot be used, or the user stopped the run.
pub(super) fn carry_out(
    plan: &Plan,
    context: &Context,
    budget: usize,
    global: &Global,
) -> Result<(Vec<Entry>, u8)> {
    let bar = bar(global, plan.tasks.len());
    let current: Mutex<Vec<String>> = Mutex::default();
    let entries = execute(plan, context, budget as u64, &|task, step| {
        let mut all = current
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        all.retain(|line| {
            line.strip_prefix(task)
                .is_none_or(|rest| !rest.starts_with(": "))
        });
        match step {
            Some(step) => all.push(format!("{task}: {step}")),
            None => bar.inc(1),
        }
        bar.set_message(all.join(" | "));
        bar.tick();
    });
    bar.finish_and_clear();
    let entries = entries?;
    let mut code = code(plan, &entries);
    if let Err(e) = write_report(plan, &entries) {
        tracing::error!("the report was not written: {e}");
        code = if code == 0 { PARTLY } else { code };
    }
    Ok((entries, code))
}

fn bar(global: &Global, n: usize) -> ProgressBar {
    if !global.progress() {
        return ProgressBar::hidden();
    }
    ProgressBar::new(n as u64).with_style(
        ProgressStyle::with_template("{spinner} {pos}/{len} {wide_msg} {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    )
}

/// Prints a plan.
fn foreseen(plan: &Plan, context: &Context, as_json: bool) -> Result<u8> {
    let why = foresee(plan, context)?;
    let relative = |p: &PathBuf| crate::pipeline::plan::record::name_of(&plan.root, p);
    if as_json {
        let tasks: Vec<_> = plan
            .tasks
            .iter()
            .zip(&why)
            .map(|(t, why)| {
                json!({
                    "task": t.name, "stage": t.stage.name(), "why": why, "memory": t.memory,
                    "inputs": t.inputs.iter().map(relative).collect::<Vec<_>>(),
                    "outputs": t.outputs.iter().map(relative).collect::<Vec<_>>(),
                })
            })
            .collect();
        let broken: Vec<_> = plan
            .broken
            .iter()
            .map(|(p, e)| json!({"file": relative(p), "error": e.to_string()}))
            .collect();
        let all = json!({"root": plan.root, "tasks": tasks, "notes": plan.notes, "broken": broken});
        print(&format!("{all:#}\n"))?;
        return Ok(0);
    }
    let mut text = String::new();
    for (task, why) in plan.tasks.iter().zip(&why) {
        let why = why.as_deref().unwrap_or("up to date");
        text += &format!("{:<14}{:<60} {why}\n", task.stage.name(), task.name);
    }
    for (path, e) in &plan.broken {
        text += &format!("{:<14}{:<60} {e}\n", "unreadable", relative(path));
    }
    let todo = why.iter().flatten().count();
    text += &format!("{} tasks, {todo} to do\n", plan.tasks.len());
    print(&text)?;
    Ok(0)
}

fn write_report(plan: &Plan, entries: &[Entry]) -> Result<()> {
    let broken: Vec<_> = plan
        .broken
        .iter()
        .map(|(p, e)| json!({"file": p, "error": e.to_string()}))
        .collect();
    let command: Vec<_> = std::env::args_os()
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    let all = json!({
        "program": crate::pipeline::provenance::SOFTWARE, "command": command.join(" "),
        "tasks": entries, "notes": plan.notes, "unreadable": broken,
    });
    let path = plan.root.join(report::DATA);
    write_whole(&path, format!("{all:#}\n").as_bytes())
}

/// The summary: how many tasks of each step were made, and each one that was not, with the reason.
pub(super) fn table(plan: &Plan, entries: &[Entry], root: &Path) -> String {
    let mut text = format!(
        "{:<16}{:>6}{:>12}{:>9}{:>8}{:>10}\n",
        "step", "made", "up to date", "skipped", "failed", "seconds"
    );
    for stage in Stage::ALL {
        let of: Vec<&Entry> = entries.iter().filter(|e| e.stage == stage.name()).collect();
        if of.is_empty() {
            continue;
        }
        let count = |f: &dyn Fn(&Outcome) -> bool| of.iter().filter(|e| f(&e.outcome)).count();
        text += &format!(
            "{:<16}{:>6}{:>12}{:>9}{:>8}{:>10.1}\n",
            stage.name(),
            count(&|o| matches!(o, Outcome::Made(_))),
            count(&|o| matches!(o, Outcome::Current)),
            count(&|o| matches!(o, Outcome::Skipped(_))),
            count(&|o| matches!(o, Outcome::Failed(_) | Outcome::Blocked(_))),
            of.iter().map(|e| e.seconds).sum::<f64>(),
        );
    }
    for (what, names) in reasons(entries) {
        let more = match names.len() {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        text += &format!("{} {}{more}: {}\n", what.0, names[0], what.1);
    }
    for (path, e) in &plan.broken {
        text += &format!("failed  {}: {e}\n", path.display());
    }
    for note in &plan.notes {
        text += &format!("note    {note}\n");
    }
    text + &format!("report: {}\n", root.join(report::DATA).display())
}

/// Why tasks were not made, in order, with the names of those that it holds for.
fn reasons(entries: &[Entry]) -> Vec<((&'static str, String), Vec<&str>)> {
    let mut all: Vec<((&'static str, String), Vec<&str>)> = Vec::new();
    // tasks that wait for others that wait are told of the first that failed
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    for entry in entries {
        let what = match &entry.outcome {
            Outcome::Skipped(why) => ("skipped", why.clone()),
            Outcome::Failed(why) => ("failed ", why.clone()),
            Outcome::Blocked(by) => {
                let by = first.get(by.as_str()).copied().unwrap_or(by);
                first.insert(&entry.task, by);
                ("failed ", format!("{by} was not made"))
            }
            // a stop by the user ends the program before this
            Outcome::Stopped => (
                "stopped",
                "no room on the disk; the same command goes on from here when there is".into(),
            ),
            Outcome::Made(_) | Outcome::Current => continue,
        };
        match all.iter_mut().find(|(w, _)| *w == what) {
            Some((_, names)) => names.push(&entry.task),
            None => all.push((what, vec![&entry.task])),
        }
    }
    all
}

/// The exit code: 0 where nothing failed, that of the first failure where nothing was made, else [`PARTLY`].
fn code(plan: &Plan, entries: &[Entry]) -> u8 {
    let failed = |e: &&Entry| matches!(e.outcome, Outcome::Failed(_) | Outcome::Blocked(_));
    let first = entries.iter().find(failed).map(|e| e.code);
    let first = first.or_else(|| plan.broken.first().map(|(_, e)| e.exit_code()));
    let good = |e: &Entry| matches!(e.outcome, Outcome::Made(_) | Outcome::Current);
    match first {
        None => 0,
        Some(_) if entries.iter().any(good) => PARTLY,
        Some(code) => code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_reasons_are_told_once() {
        let entry = |task: &str, outcome| Entry {
            task: task.into(),
            stage: "stage1",
            outcome,
            seconds: 0.0,
            took: 0.0,
            products: Vec::new(),
            code: 4,
        };
        let entries = [
            entry("a", Outcome::Failed("no cache".into())),
            entry("b", Outcome::Failed("no cache".into())),
            entry("c", Outcome::Made(String::new())),
            entry("d", Outcome::Blocked("a".into())),
            entry("e", Outcome::Blocked("d".into())),
            entry("f", Outcome::Skipped("no flat".into())),
            entry("g", Outcome::Stopped),
            entry("h", Outcome::Stopped),
        ];
        let found = reasons(&entries);
        let names: Vec<&[&str]> = found.iter().map(|(_, names)| &names[..]).collect();
        assert_eq!(names, [&["a", "b"][..], &["d", "e"], &["f"], &["g", "h"]]);
        assert_eq!(found[1].0, ("failed ", "a was not made".to_owned()));
    }
}
