//! calwebb_detector1 for MIRI MRS and NIRSpec IFU: `_uncal` to `_rate` and `_rateints`.

mod versions;

use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

use tracing::info;

use super::{Report, find};
use crate::exec::Exec;
use crate::model::Meta;
use crate::pipeline::product::{optional_path, write_model, write_optional};
use crate::pipeline::provenance::{Place, Stamp, stamp};
use crate::pipeline::run::{Ahead, Prepared, Runner, load_ahead, prepare};
use crate::pipeline::settings::Settings;
use crate::steps::step::{AnyStep, Model, Status, Target};
use crate::store::products::{self, RampFile, product_path};
use crate::store::references::References;
use crate::{Error, Result};

pub use versions::{Version, together};

/// Steps for MIRI, in order.
pub const MIRI: &[&str] = &[
    "group_scale",
    "dq_init",
    "emicorr",
    "saturation",
    "ipc",
    "firstframe",
    "lastframe",
    "reset",
    "linearity",
    "rscd",
    "dark_current",
    "refpix",
    "charge_migration",
    "jump",
    "picture_frame",
    "clean_flicker_noise",
    "persistence",
    "ramp_fit",
    "gain_scale",
];

/// Steps for the near infrared, in order.
pub const NIR: &[&str] = &[
    "group_scale",
    "dq_init",
    "saturation",
    "ipc",
    "superbias",
    "refpix",
    "linearity",
    "dark_current",
    "charge_migration",
    "jump",
    "picture_frame",
    "clean_flicker_noise",
    "persistence",
    "ramp_fit",
    "gain_scale",
];

/// What to write, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder for all products.
    pub out: PathBuf,
    /// Save the product of every step that is on.
    pub save_intermediates: bool,
    /// Bytes an exposure's ramps may take in memory; larger ones are kept in a temporary file in `out`.
    pub memory: usize,
}

/// The steps for an exposure.
///
/// # Errors
/// [`Error::Input`] where the exposure is not of a supported kind.
pub fn recipe(meta: &Meta) -> Result<Vec<&'static dyn AnyStep>> {
    let exp_type = meta.need_str("EXP_TYPE")?;
    let names = match exp_type {
        "MIR_MRS" => MIRI,
        "NRS_IFU" => NIR,
        other => {
            return Err(Error::input_file(
                &meta.source,
                format!(
                    "EXP_TYPE = {other} is not supported yet; detector1 takes MIRI MRS exposures (MIR_MRS) and NIRSpec IFU exposures (NRS_IFU)"
                ),
            ));
        }
    };
    find(names)
}

/// The steps for an exposure with their settings and references.
///
/// # Errors
/// As [`recipe`] and [`prepare`].
pub fn prepared(
    meta: &Meta,
    settings: &Settings,
    references: &dyn References,
) -> Result<Vec<Prepared>> {
    let list = recipe(meta)?;
    prepare(Some("Detector1Pipeline"), &list, meta, settings, references)
}

/// Reduces one exposure. `progress` is told each step's name before it starts.
///
/// # Errors
/// Any [`Error`], about this exposure; products are written whole or not at all.
pub fn detector1(
    path: &Path,
    settings: &Settings,
    references: &dyn References,
    exec: &Exec,
    options: &Options,
    progress: &dyn Fn(&str),
) -> Result<Report> {
    progress("reading");
    let file = RampFile::open(path)?;
    let prepared = prepared(&file.meta, settings, references)?;
    let job = Job {
        prepared: &prepared,
        target: &target(&file, options),
        references,
        options,
        settings,
        exec,
    };
    let ramp = || file.read(0..file.shape.nints, folder(&file, options));
    job.reduce(|| Ok(ramp()?.into()), &[], progress)
}

/// What an exposure's references are loaded for.
fn target(file: &RampFile, options: &Options) -> Target {
    Target {
        meta: file.meta.clone(),
        shape: file.shape,
        out: Some(options.out.clone()),
    }
}

/// Where the ramps of an exposure go that does not fit into memory: into a file beside the products.
fn folder<'a>(file: &RampFile, options: &'a Options) -> Option<&'a Path> {
    (file.memory() > options.memory).then_some(options.out.as_path())
}

/// One exposure's reduction: what is the same for all its steps and products.
struct Job<'a> {
    prepared: &'a [Prepared],
    target: &'a Target,
    references: &'a dyn References,
    options: &'a Options,
    settings: &'a Settings,
    exec: &'a Exec,
}

impl Job<'_> {
    /// Stamps a product with what the first `upto` steps did.
    fn stamp(&self, meta: &mut Meta, model: &str, path: &Path, upto: usize) -> Result<Vec<u8>> {
        let of = Stamp {
            model,
            recipe: "calwebb_detector1",
            context: self.references.context(),
            steps: &self.prepared[..upto],
            place: Place::default(),
        };
        stamp(meta, path, &of)
    }

    /// Runs all steps but those that are `done` (how they ended, by their places) and writes the products.
    fn reduce(
        &self,
        ramp: impl FnOnce() -> Result<Model> + Send,
        done: &[Option<Status>],
        progress: &dyn Fn(&str),
    ) -> Result<Report> {
        let left = |(i, p)| match done.get(i) {
            Some(Some(_)) => None,
            _ => Some(p),
        };
        let ahead = |send: &dyn Fn(Ahead) -> bool| {
            let left = self.prepared.iter().enumerate().filter_map(left);
            load_ahead(left, self.target, send);
        };
        let mut report = Report::default();
        let model = self.exec.feed(1, ahead, |ahead| {
            self.steps(ramp()?, done, ahead, &mut report, progress)
        })?;
        progress("writing");
        let path = &self.target.meta.source;
        check_valid(&model, path)?;
        self.write(model, &mut report)?;
        info!(
            "{}: {} products written",
            path.display(),
            report.products.len()
        );
        Ok(report)
    }

    /// Runs all steps but those that are done, saving what was asked for on the way.
    fn steps(
        &self,
        mut model: Model,
        done: &[Option<Status>],
        ahead: Option<&Receiver<Ahead>>,
        report: &mut Report,
        progress: &dyn Fn(&str),
    ) -> Result<Model> {
        let mut runner = Runner::new(self.exec, self.target, false).ahead(ahead);
        for (i, p) in self.prepared.iter().enumerate() {
            let name = p.step.info().name;
            if let Some(Some(status)) = done.get(i) {
                runner.was_done(p, &mut model, status);
                continue;
            }
            progress(name);
            if name == "ramp_fit" && self.settings.flag("detector1", "save_calibrated_ramp") {
                self.save(&model, "ramp", report, i)?;
            }
            model = runner.step(p, model)?;
            // what ramp_fit and gain_scale give are the recipe's own products
            let own = matches!(name, "ramp_fit" | "gain_scale");
            if self.options.save_intermediates && !p.settings.skip && !own {
                self.save(&model, name, report, i + 1)?;
            }
        }
        report.steps = runner.reports;
        Ok(model)
    }

    /// Saves a model under a suffix.
    fn save(&self, model: &Model, suffix: &str, report: &mut Report, upto: usize) -> Result<()> {
        let path = product_path(&self.options.out, &self.target.meta.root(), suffix);
        write_model(model, &path, &|meta, kind, path, _| {
            self.stamp(meta, kind, path, upto)
        })?;
        report.products.push(path);
        Ok(())
    }

    /// Writes the recipe's products.
    fn write(&self, model: Model, report: &mut Report) -> Result<()> {
        let all = self.prepared.len();
        let fit = match model {
            Model::Fit(fit) => *fit,
            other => return self.save(&other, "ramp", report, all),
        };
        let root = self.target.meta.root();
        let paths = ["rate", "rateints"].map(|s| product_path(&self.options.out, &root, s));
        let write = |mut product: crate::model::Rate, path: &Path, kind: &str| {
            let asdf = self.stamp(&mut product.meta, kind, path, all)?;
            products::write_rate(path, &product, &asdf)
        };
        let (a, b) = self.exec.join(
            || write(fit.rate, &paths[0], "IFUImageModel"),
            || write(fit.rateints, &paths[1], "CubeModel"),
        );
        a.and(b)?;
        report.products.extend(paths);
        if let Some(opt) = fit.opt {
            let path = optional_path(&self.options.out, &root, &opt);
            write_optional(opt, &path, &|meta, kind, path, _| {
                self.stamp(meta, kind, path, all)
            })?;
            report.products.push(path);
        }
        Ok(())
    }
}

/// Refuses a result in which nothing is finite.
fn check_valid(model: &Model, path: &Path) -> Result<()> {
    let valid = match model {
        Model::Ramp(r) => r.data.iter().any(|v| v.is_finite()),
        Model::Rate(r) => r.sci.iter().any(|v| v.is_finite()),
        Model::Fit(f) => f.rate.sci.iter().any(|v| v.is_finite()),
        _ => true,
    };
    if valid {
        return Ok(());
    }
    Err(Error::science(
        "no pixel has a valid slope (everything is NaN, saturated or flagged); nothing is written",
    )
    .with_path(path))
}
