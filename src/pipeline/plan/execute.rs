//! Carrying out a plan: what is missing or out of date, several tasks at a time, one failure not stopping the others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;
use tracing::{error, info, warn};

use super::Plan;
use super::record::{Basis, FOLDER, Record, Trace, name_of};
use super::task::{Stage, Task, Work, below_groups};
use super::work::{Context, Done};
use crate::exec::Piece;
use crate::{Error, Result};

/// What became of a task.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "detail")]
pub enum Outcome {
    /// Its products were made, and why.
    Made(String),
    /// Its products are there and up to date.
    Current,
    /// It does not apply, and why.
    Skipped(String),
    /// It failed, and why.
    Failed(String),
    /// What it needs was not made; by which task.
    Blocked(String),
    /// The run was stopped before it was done: by the user, or as the disk was full.
    Stopped,
}

/// A line of the report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Name of the task.
    pub task: String,
    /// Step of the chain.
    pub stage: &'static str,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Wall-clock seconds of this run.
    pub seconds: f64,
    /// Wall-clock seconds that its products took in the run that made them.
    pub took: f64,
    /// Files, relative to the directory.
    pub products: Vec<String>,
    /// The program's exit code for the error, 0 where there was none.
    #[serde(skip)]
    pub code: u8,
}

/// How the plan's tasks depend on each other.
struct Links {
    /// For every task, those that make its inputs.
    needs: Vec<Vec<usize>>,
    /// Last task that writes a file.
    last: BTreeMap<PathBuf, usize>,
}

fn links(plan: &Plan) -> Links {
    let mut last: BTreeMap<PathBuf, usize> = BTreeMap::new();
    let mut needs = Vec::with_capacity(plan.tasks.len());
    for (i, task) in plan.tasks.iter().enumerate() {
        let mut of: Vec<usize> = task
            .inputs
            .iter()
            .chain(&task.besides)
            .filter_map(|p| last.get(p))
            .copied()
            .collect();
        of.sort_unstable();
        of.dedup();
        needs.push(of);
        for output in &task.outputs {
            last.insert(output.clone(), i);
        }
    }
    Links { needs, last }
}

/// Reads what is up to date without doing anything: for every task why it would be done, none where it would not.
///
/// # Errors
/// Where settings or references are at fault.
pub fn foresee(plan: &Plan, context: &Context) -> Result<Vec<Option<String>>> {
    let links = links(plan);
    let mut out: Vec<Option<String>> = Vec::new();
    for (i, task) in plan.tasks.iter().enumerate() {
        let before = links.needs[i].iter().find(|n| out[**n].is_some());
        let why = match before {
            Some(n) => Some(format!("{} is made anew", plan.tasks[*n].name)),
            None => match outdated(task, &task.inputs, context, &links, i) {
                Ok((_, why)) => why,
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(e) => Some(format!("would fail: {e}")),
            },
        };
        out.push(why);
    }
    Ok(out)
}

/// What a task depends on now, and why it must be done, if so.
fn outdated(
    task: &Task,
    inputs: &[PathBuf],
    context: &Context,
    links: &Links,
    i: usize,
) -> Result<(Basis, Option<String>)> {
    let missing = inputs.iter().find(|p| !p.is_file());
    if let Some(path) = missing {
        return Err(Error::input_file(
            path,
            format!(
                "needed for {} and does not exist; do not skip the step that makes it",
                task.name
            ),
        ));
    }
    let basis = context.basis(task, inputs)?;
    let Some(record) = Record::read(context.root, &task.name) else {
        return Ok((basis, Some("not made yet".into())));
    };
    let later = |path: &Path| links.last.get(path).is_some_and(|l| *l > i);
    let why = record.outdated(&basis, context.root, later);
    Ok((basis, why))
}

/// Holds a directory for one run at a time.
///
/// # Errors
/// [`Error::Input`] where another run is at work in it, [`Error::Io`].
fn hold(root: &Path) -> Result<File> {
    let folder = root.join(FOLDER);
    std::fs::create_dir_all(&folder).map_err(|e| Error::io(&folder, e))?;
    let path = folder.join("lock");
    let file = File::create(&path).map_err(|e| Error::io(&path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::input_file(
            root,
            "another sifu run is at work in this folder; wait for it or stop it",
        )),
        Err(std::fs::TryLockError::Error(e)) => Err(Error::io(&path, e)),
    }
}

/// Removes what a killed run was writing.
fn sweep(plan: &Plan) {
    let mut folders: Vec<&Path> = plan
        .tasks
        .iter()
        .flat_map(|t| t.outputs.iter().chain(&t.inputs))
        .filter_map(|p| p.parent())
        .filter(|p| p.starts_with(&plan.root))
        .collect();
    folders.sort();
    folders.dedup();
    let records = plan.root.join(FOLDER);
    for folder in folders.into_iter().chain([records.as_path()]) {
        let Ok(entries) = std::fs::read_dir(folder) else {
            continue;
        };
        for path in entries.flatten().map(|e| e.path()) {
            let name = path
                .file_name()
                .map(|n| n.to_string_lossy().into_owned())
                .unwrap_or_default();
            if name.starts_with('.')
                && name.ends_with(".part")
                && std::fs::remove_file(&path).is_ok()
            {
                info!("{}: left by a run that was killed, removed", path.display());
            }
        }
    }
}

/// Tasks that differ only in the number of groups their data are of are done together, sharing what does not depend on
/// it; every other task is done by itself. In an order in which they can be done.
fn families(plan: &Plan, links: &Links) -> Vec<Vec<usize>> {
    let mut all: BTreeMap<(Stage, bool, String), Vec<usize>> = BTreeMap::new();
    for (i, task) in plan.tasks.iter().enumerate() {
        let name = match task.work {
            Work::Stage1 { .. } | Work::Stage2 { .. } | Work::Stage3 { .. } => {
                below_groups(&task.name).to_owned()
            }
            // one pointing is found for all
            Work::Navigate if task.inputs.len() > 1 => String::new(),
            _ => format!("{i:08}"),
        };
        let key = (task.stage, task.work == Work::SpectralLeak, name);
        all.entry(key).or_default().push(i);
    }
    in_order(all.into_values().collect(), &links.needs)
}

/// Families in the order given, but that those whose inputs come later (NIRSpec's last steps are not in the order of MIRI's)
/// wait behind all others.
fn in_order(families: Vec<Vec<usize>>, needs: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut done = vec![false; needs.len()];
    let mut waiting: VecDeque<Vec<usize>> = families.into();
    let mut out = Vec::with_capacity(waiting.len());
    // a task needs earlier ones only, so that in a round at least one is ready
    let mut passed = 0;
    while let Some(family) = waiting.pop_front() {
        let of_others = |n: &&usize| !family.contains(n);
        let mut before = family.iter().flat_map(|i| &needs[*i]).filter(of_others);
        if passed < waiting.len() && before.any(|n| !done[*n]) {
            waiting.push_back(family);
            passed += 1;
            continue;
        }
        family.iter().for_each(|i| done[*i] = true);
        out.push(family);
        passed = 0;
    }
    out
}

/// What is known of the tasks that have ended.
#[derive(Default)]
struct Ended(Mutex<BTreeMap<usize, Outcome>>);

impl Ended {
    fn of(&self, needs: &[usize]) -> Vec<(usize, Outcome)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |n: &usize| Some((*n, all.get(n)?.clone()));
        needs.iter().filter_map(known).collect()
    }

    fn put(&self, i: usize, outcome: Outcome) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(i, outcome);
    }
}

/// Carries out a plan within `budget` bytes. `progress` is told the name of a task and of the step it is at, and
/// nothing for the step when it is done.
///
/// # Errors
/// Where the directory cannot be used; failures of tasks are entries of the report.
pub fn execute(
    plan: &Plan,
    context: &Context,
    budget: u64,
    progress: &(dyn Fn(&str, Option<&str>) + Sync),
) -> Result<Vec<Entry>> {
    let _held = hold(&plan.root)?;
    sweep(plan);
    let links = links(plan);
    let families = families(plan, &links);
    let mut home = vec![0; plan.tasks.len()];
    for (f, members) in families.iter().enumerate() {
        members.iter().for_each(|i| home[*i] = f);
    }
    let pieces: Vec<Piece> = families
        .iter()
        .map(|members| {
            let needs = members.iter().flat_map(|i| &links.needs[*i]);
            let needs: BTreeSet<usize> = needs.map(|n| home[*n]).collect();
            Piece {
                needs: needs.into_iter().collect(),
                cost: members.iter().map(|i| plan.tasks[*i].memory).sum(),
            }
        })
        .collect();
    let ended = Ended::default();
    let job = Job {
        plan,
        context,
        links: &links,
        progress,
        full: AtomicBool::new(false),
    };
    let entries = context.exec.graph(&pieces, budget, |f| {
        let members = &families[f];
        let entries = catch_unwind(AssertUnwindSafe(|| job.family(members, budget, &ended)));
        let entries = entries.unwrap_or_else(|_| {
            let defect = || {
                Error::input(
                    "the program failed in this task; that is a defect of it, please report it",
                )
            };
            let lost = |i: &usize| (*i, job.entry(*i, Err(defect()), 0.0));
            members.iter().map(lost).collect()
        });
        for (i, entry) in &entries {
            ended.put(*i, entry.outcome.clone());
        }
        entries
    });
    let mut entries: Vec<(usize, Entry)> = entries.into_iter().flatten().collect();
    entries.sort_by_key(|(i, _)| *i);
    context.exec.check()?;
    Ok(entries.into_iter().map(|(_, entry)| entry).collect())
}

/// What all tasks of a run share.
struct Job<'a> {
    plan: &'a Plan,
    context: &'a Context<'a>,
    links: &'a Links,
    progress: &'a (dyn Fn(&str, Option<&str>) + Sync),
    /// There is no room on the disk: nothing more is begun.
    full: AtomicBool,
}

/// A task that must be done.
struct Due<'a> {
    i: usize,
    task: &'a Task,
    inputs: Vec<PathBuf>,
    basis: Basis,
    why: String,
}

/// How a task has ended for which there is nothing to do.
struct Settled {
    outcome: Outcome,
    products: Vec<String>,
    /// Seconds that these took when they were made.
    took: f64,
}

impl<'a> Job<'a> {
    /// Does the tasks of a family that must be done, as many at once as the budget allows.
    fn family(&self, members: &[usize], budget: u64, ended: &Ended) -> Vec<(usize, Entry)> {
        let mut entries = Vec::new();
        let mut due: Vec<Due> = Vec::new();
        for &i in members {
            let before = ended.of(&self.links.needs[i]);
            match self.due(i, &before) {
                Ok(Ok(task)) => due.push(task),
                Ok(Err(settled)) => {
                    let ended = Ok((settled.outcome, settled.products));
                    let mut entry = self.entry(i, ended, 0.0);
                    entry.took = settled.took;
                    entries.push((i, entry));
                }
                Err(e) => entries.push((i, self.entry(i, Err(e), 0.0))),
            }
        }
        while !due.is_empty() {
            // parameters or references that differ keep tasks apart, but in stage 1, which looks at each step's itself
            let alike = |d: &Due| {
                let (a, b) = (&due[0].basis, &d.basis);
                let same = a.parameters == b.parameters && a.references == b.references;
                same || matches!(d.task.work, Work::Stage1 { .. })
            };
            let mut room = budget;
            let fits = |d: &Due| {
                let fits = d.task.memory <= room;
                room = room.saturating_sub(d.task.memory);
                fits
            };
            let n = due.iter().take_while(|d| alike(d)).map(fits);
            let n = n.take_while(|fits| *fits).count().max(1);
            let now: Vec<Due> = due.drain(..n).collect();
            if self.full.load(Ordering::Relaxed) {
                let stopped = |d: Due| (d.i, self.entry(d.i, Err(Error::Interrupted), 0.0));
                entries.extend(now.into_iter().map(stopped));
                continue;
            }
            let start = Instant::now();
            let first = now[0].task;
            let tasks: Vec<(&Task, &[PathBuf])> =
                now.iter().map(|d| (d.task, d.inputs.as_slice())).collect();
            let done = self.context.check_and_perform(&tasks, &|step| {
                (self.progress)(&first.name, Some(step));
            });
            let seconds = start.elapsed().as_secs_f64() / n as f64;
            for (due, done) in now.into_iter().zip(done) {
                let i = due.i;
                let ended = done.and_then(|done| self.finish(due, done, seconds));
                entries.push((i, self.entry(i, ended, seconds)));
            }
        }
        entries
    }

    fn entry(&self, i: usize, ended: Result<(Outcome, Vec<String>)>, seconds: f64) -> Entry {
        let task = &self.plan.tasks[i];
        let (outcome, products, code) = match ended {
            Ok((outcome, products)) => (outcome, products, 0),
            Err(Error::Interrupted) => (Outcome::Stopped, Vec::new(), 0),
            Err(e) => {
                if matches!(e, Error::Full { .. }) {
                    self.full.store(true, Ordering::Relaxed);
                }
                error!("{}: {e}", task.name);
                (Outcome::Failed(e.to_string()), Vec::new(), e.exit_code())
            }
        };
        match &outcome {
            Outcome::Made(why) => info!("{}: done in {seconds:.2} s ({why})", task.name),
            Outcome::Skipped(why) => info!("{}: skipped, {why}", task.name),
            _ => {}
        }
        (self.progress)(&task.name, None);
        Entry {
            task: task.name.clone(),
            stage: task.stage.name(),
            outcome,
            seconds,
            took: seconds,
            products,
            code,
        }
    }

    /// What there is to do for a task; else how it has ended, with its products and the time that they took.
    fn due(
        &self,
        i: usize,
        before: &[(usize, Outcome)],
    ) -> Result<std::result::Result<Due<'a>, Settled>> {
        let (plan, context) = (self.plan, self.context);
        context.exec.check()?;
        if self.full.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let task = &plan.tasks[i];
        let ended = |outcome| {
            Ok(Err(Settled {
                outcome,
                products: Vec::new(),
                took: 0.0,
            }))
        };
        // what was not made, and by which task
        let absent = |path: &PathBuf| {
            let by = |(n, o): &&(usize, Outcome)| {
                let gone = !matches!(o, Outcome::Made(_) | Outcome::Current);
                gone && plan.tasks[*n].outputs.contains(path)
            };
            before.iter().find(by)
        };
        let lost: Vec<&(usize, Outcome)> = task.inputs.iter().filter_map(absent).collect();
        let mut inputs: Vec<PathBuf> = task
            .inputs
            .iter()
            .filter(|p| absent(p).is_none())
            .cloned()
            .collect();
        if let Some((n, outcome)) = lost.first() {
            let by = &plan.tasks[*n].name;
            // a combination goes on with what there is
            let several = match task.work {
                Work::Stage3 { .. } | Work::SpectralLeak | Work::Steps => true,
                // what is navigated must be there, not all that the pointing is found from; so must what is desaturated
                Work::Navigate | Work::Desaturate => {
                    task.inputs.first().is_some_and(|p| absent(p).is_none())
                }
                _ => false,
            };
            match outcome {
                Outcome::Stopped => return Err(Error::Interrupted),
                _ if several && !inputs.is_empty() => {
                    warn!("{}: made without {by}", task.name);
                }
                Outcome::Skipped(_) => {
                    return ended(Outcome::Skipped(format!("{by} was skipped")));
                }
                _ => return ended(Outcome::Blocked(by.clone())),
            }
        }
        // a cube that an earlier task of several products did not make
        inputs.retain(|p| p.is_file() || !self.links.last.contains_key(p));
        if inputs.is_empty() {
            return ended(Outcome::Skipped("none of its inputs was made".into()));
        }
        let (basis, why) = outdated(task, &inputs, context, self.links, i)?;
        let Some(why) = why else {
            let record = Record::read(&plan.root, &task.name).unwrap_or_default();
            return Ok(Err(Settled {
                outcome: Outcome::Current,
                products: record.outputs.into_keys().collect(),
                took: record.seconds,
            }));
        };
        Ok(Ok(Due {
            i,
            task,
            inputs,
            basis,
            why,
        }))
    }

    /// Checks and records what a task made.
    fn finish(&self, due: Due, done: Done, seconds: f64) -> Result<(Outcome, Vec<String>)> {
        let made = match done {
            Done::Made(files) => files,
            Done::Skipped(why) => return Ok((Outcome::Skipped(why), Vec::new())),
        };
        let (root, task) = (&self.plan.root, due.task);
        if let Some(missing) = task.outputs.iter().find(|p| !p.is_file()) {
            let what = format!("{} did not make it", task.name);
            return Err(Error::input_file(missing, what));
        }
        let outputs: BTreeMap<String, Trace> = made
            .iter()
            .chain(&task.outputs)
            .filter_map(|p| Some((name_of(root, p), Trace::of(p)?)))
            .collect();
        let products = outputs.keys().cloned().collect();
        let basis = due.basis;
        let record = Record {
            basis,
            outputs,
            seconds,
        };
        record.write(root, &task.name)?;
        Ok((Outcome::Made(due.why), products))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_come_behind_what_they_need() {
        // 0 and 1 make what 2 and 3 need; 4 (a flat) needs 5 (a despiked cube), which needs 3
        let needs = vec![vec![], vec![], vec![0, 1], vec![1], vec![5], vec![3]];
        let given = vec![vec![4], vec![2, 3], vec![0], vec![1], vec![5]];
        let got = in_order(given, &needs);
        assert_eq!(got, [vec![0], vec![1], vec![2, 3], vec![5], vec![4]]);
    }
}
