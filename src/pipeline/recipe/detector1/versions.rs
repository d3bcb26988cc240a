//! An exposure in versions of its first groups: what does not depend on the groups that follow is done once.
//!
//! The steps of the recipe are done on the version with the most groups for as long as they go [group by
//! group](crate::steps::step::Step::group_by_group); those among them that [give up
//! groups](crate::steps::step::Step::GIVES_UP_GROUPS) are left to the versions. From there every version goes its own way,
//! with its own headers. Each product is what the version reduced by itself gives; where that is not certain (other
//! counts, headers, settings or references than those of the first groups), it is reduced by itself.

use std::cmp::Reverse;
use std::path::Path;

use tracing::{debug, info};

use super::{Job, Options, detector1, folder, prepared, target};
use crate::exec::Exec;
use crate::formats::fits::{Header, Value};
use crate::model::{Meta, Ramp};
use crate::pipeline::recipe::Report;
use crate::pipeline::run::{Ahead, Prepared, Runner, load_ahead};
use crate::pipeline::settings::Settings;
use crate::steps::step::{Model, Status, Target};
use crate::store::products::RampFile;
use crate::store::references::References;
use crate::{Error, Result};

/// One version of an exposure.
#[derive(Debug, Clone, Copy)]
pub struct Version<'a> {
    /// The file.
    pub path: &'a Path,
    /// Settings of its steps.
    pub settings: &'a Settings,
    /// Its products.
    pub options: &'a Options,
}

/// Reduces an exposure in several versions of its first groups. Each result is what [`detector1`] gives.
pub fn together(
    versions: &[Version],
    references: &dyn References,
    exec: &Exec,
    progress: &dyn Fn(&str),
) -> Vec<Result<Report>> {
    let alone = |v: &Version| detector1(v.path, v.settings, references, exec, v.options, progress);
    match sharing(versions, references, exec, progress) {
        Ok(done) => {
            let each = versions.iter().zip(done);
            each.map(|(v, done)| done.unwrap_or_else(|| alone(v)))
                .collect()
        }
        Err(Error::Interrupted) => versions.iter().map(|_| Err(Error::Interrupted)).collect(),
        // what is at fault is told of each version, if it is of each
        Err(_) => versions.iter().map(alone).collect(),
    }
}

/// A version with its settings and references found.
struct Opened<'a> {
    version: Version<'a>,
    file: RampFile,
    prepared: Vec<Prepared>,
    target: Target,
}

impl<'a> Opened<'a> {
    fn new(version: Version<'a>, references: &dyn References) -> Result<Self> {
        let file = RampFile::open(version.path)?;
        Ok(Self {
            prepared: prepared(&file.meta, version.settings, references)?,
            target: target(&file, version.options),
            file,
            version,
        })
    }

    fn read(&self) -> Result<Ramp> {
        let ints = 0..self.file.shape.nints;
        self.file
            .read(ints, folder(&self.file, self.version.options))
    }

    /// Whether its counts are those of the first groups of another version, and its headers as far as steps could look.
    fn is_first_groups_of(&self, whole: &Ramp) -> Result<bool> {
        let alike = alike(&whole.meta, &self.file.meta);
        Ok(alike && self.file.is_first_groups_of(whole)?)
    }

    /// Whether it takes the first `n` steps as another version does, but for those that are left to each.
    fn prepares_alike(&self, other: &Self, n: usize) -> bool {
        let pairs = self.prepared.iter().zip(&other.prepared).take(n);
        let alike = |(a, b): (&Prepared, &Prepared)| {
            let settings =
                a.settings.skip == b.settings.skip && a.settings.params == b.settings.params;
            a.step.gives_up_groups() || settings && a.paths.0 == b.paths.0
        };
        pairs.into_iter().all(alike)
    }
}

/// Keywords that depend on the number of groups, or on when and from what the file was made.
const OWN: &[&str] = &[
    "NGROUPS", "EFFINTTM", "EFFEXPTM", "TMEASURE", "DURATION", "XPOSURE", "TELAPSE", "DATE",
    "FILENAME", "XTENSION", "NAXIS3",
];

/// Whether headers are those of the same exposure: what the first has, the other has too.
fn alike(whole: &Meta, part: &Meta) -> bool {
    let has = |part: &Header, whole: &Header| {
        let mut cards = whole
            .cards()
            .iter()
            .filter(|c| c.value != Value::Commentary && !OWN.contains(&c.keyword.as_str()));
        cards.all(|c| part.card(&c.keyword).is_some_and(|p| p.value == c.value))
    };
    has(&part.primary, &whole.primary) && has(&part.sci, &whole.sci)
}

/// What was done for all versions.
struct Shared {
    ramp: Model,
    /// How the steps that were done have ended, by their places; the versions begin with the first one behind.
    done: Vec<Option<Status>>,
}

/// Reduces those versions that share steps; none for the others.
fn sharing(
    versions: &[Version],
    references: &dyn References,
    exec: &Exec,
    progress: &dyn Fn(&str),
) -> Result<Vec<Option<Result<Report>>>> {
    let mut out: Vec<Option<Result<Report>>> = versions.iter().map(|_| None).collect();
    progress("reading");
    let opened: Vec<(usize, Opened)> = versions
        .iter()
        .enumerate()
        .filter(|(_, v)| !v.options.save_intermediates)
        .filter_map(|(i, v)| Some((i, Opened::new(*v, references).ok()?)))
        .collect();
    if opened.len() < 2 {
        return Ok(out);
    }
    let groups = |o: &Opened| o.file.shape.ngroups;
    let most = opened.iter().max_by_key(|(i, o)| (groups(o), Reverse(*i)));
    let Some((most, first)) = most else {
        return Ok(out);
    };
    let ramp = first.read()?;
    let mut parts = Vec::new();
    for (i, part) in opened.iter().filter(|(i, _)| i != most) {
        exec.check()?;
        match part.is_first_groups_of(&ramp)? {
            true => parts.push((*i, part)),
            false => info!(
                "{} is not of the first groups of {}; reduced by itself",
                part.version.path.display(),
                first.version.path.display()
            ),
        }
    }
    if parts.is_empty() {
        return Ok(out);
    }
    let ahead = |send: &dyn Fn(Ahead) -> bool| load_ahead(&first.prepared, &first.target, send);
    let shared = exec.feed(1, ahead, |ahead| {
        let runner = Runner::new(exec, &first.target, false).ahead(ahead);
        share(ramp.into(), &first.prepared, runner, progress)
    })?;
    parts.retain(|(_, part)| part.prepares_alike(first, shared.done.len()));
    let mut whole = Ramp::try_from(shared.ramp)?;
    // every version records all steps itself, in their order
    whole.meta = first.file.meta.clone();
    for (i, part) in parts {
        let ramp = || {
            let folder = folder(&part.file, part.version.options);
            Ok(part.file.first_groups_of(&whole, folder)?.into())
        };
        out[i] = Some(reduce(part, references, exec, ramp, &shared.done, progress));
    }
    let ramp = || Ok(whole.into());
    out[*most] = Some(reduce(
        first,
        references,
        exec,
        ramp,
        &shared.done,
        progress,
    ));
    Ok(out)
}

/// What is left to do for one version.
fn reduce(
    opened: &Opened,
    references: &dyn References,
    exec: &Exec,
    ramp: impl FnOnce() -> Result<Model> + Send,
    done: &[Option<Status>],
    progress: &dyn Fn(&str),
) -> Result<Report> {
    let job = Job {
        prepared: &opened.prepared,
        target: &opened.target,
        references,
        options: opened.version.options,
        settings: opened.version.settings,
        exec,
    };
    job.reduce(ramp, done, progress)
}

/// Does the steps that go group by group, up to the first that does not.
fn share(
    mut ramp: Model,
    prepared: &[Prepared],
    mut runner: Runner,
    progress: &dyn Fn(&str),
) -> Result<Shared> {
    let mut done = Vec::new();
    for p in prepared {
        let name = p.step.info().name;
        if !p.runs() || p.step.gives_up_groups() {
            done.push(None);
            continue;
        }
        if !runner.group_by_group(p)? {
            debug!("{name}: depends on the number of groups; from here on each by itself");
            break;
        }
        progress(name);
        ramp = runner.step(p, ramp)?;
        done.push(runner.reports.last().map(|r| r.status.clone()));
    }
    Ok(Shared { ramp, done })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_same_exposure() {
        let mut whole = Meta::default();
        for (keyword, value) in [("NGROUPS", 5), ("NFRAMES", 1), ("NINTS", 2)] {
            whole.primary.set(keyword, value, "");
        }
        whole.sci.set("XPOSURE", 27.0, "");
        whole.sci.set("BUNIT", "DN", "");
        let mut part = whole.clone();
        part.primary.set("NGROUPS", 3, "");
        part.primary.set("REDUCT1", "Using 3/5 groups", "");
        part.sci.set("XPOSURE", 16.0, "");
        assert!(alike(&whole, &part));
        // what only the part has was added to it
        assert!(!alike(&part, &whole));
        part.primary.set("NFRAMES", 4, "");
        assert!(!alike(&whole, &part));
    }
}
