//! calwebb_spec2 for the MIRI MRS and the NIRSpec IFU: `_rate` to `_cal`, `_s3d` and `_x1d`.

use std::path::{Path, PathBuf};

use toml::{Table, Value};
use tracing::info;

use super::{Report, Stamper, find, labelled, record_absent, record_association};
use crate::exec::Exec;
use crate::model::{Cal, Meta, Observation, Shape, Spectra};
use crate::pipeline::product::{write_cal, write_cube, write_model, write_spectrum};
use crate::pipeline::run::{Ahead, Prepared, Runner, load_ahead, prepare};
use crate::pipeline::settings::Settings;
use crate::steps::step::{AnyStep, Model, Target};
use crate::store::association::{Association, Product};
use crate::store::cal::read_cal;
use crate::store::products::{product_path, read_rate};
use crate::store::references::References;
use crate::{Error, Result};

/// Steps for MIRI MRS up to the calibrated image, in order.
pub const MRS: &[&str] = &[
    "assign_wcs",
    "badpix_selfcal",
    "bkg_subtract",
    "srctype",
    "straylight",
    "flat_field",
    "fringe",
    "photom",
    "residual_fringe",
];

/// Steps for the NIRSpec IFU up to the calibrated image, in order.
pub const IFU: &[&str] = &[
    "assign_wcs",
    "badpix_selfcal",
    "msa_flagging",
    "clean_flicker_noise",
    "imprint_subtract",
    "bkg_subtract",
    "srctype",
    "flat_field",
    "pathloss",
    "photom",
];

/// Steps from the calibrated image to cube and spectrum, in order.
pub const CUBES: &[&str] = &[
    "adaptive_trace_model",
    "pixel_replace",
    "cube_build",
    "extract_1d",
];

/// Steps of calwebb_spec2 that are not done to the NIRSpec IFU: status keyword and title.
const ABSENT_FROM_IFU: &[(&str, &str)] = &[
    ("S_TACNTR", "Target Acquisition Centering"),
    ("S_STRAY", "Straylight Correction"),
    ("S_FRINGE", "Fringe Correction"),
    ("S_BARSHA", "NIRSpec bar shadow correction"),
    ("S_RESFRI", "Residual Fringe Correction"),
];

/// Steps of calwebb_spec2 that are not done to the MIRI MRS, likewise.
const ABSENT_FROM_MRS: &[(&str, &str)] = &[
    ("S_MSAFLG", "NIRSpec MSA Stuck Shutter Flagging"),
    ("S_CLNFNS", "Clean Flicker Noise"),
    ("S_IMPRNT", "NIRSpec MSA Imprint Subtraction"),
    ("S_TACNTR", "Target Acquisition Centering"),
    ("S_PTHLOS", "Pathloss Correction"),
    ("S_BARSHA", "NIRSpec bar shadow correction"),
];

/// What to write, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder for all products.
    pub out: PathBuf,
    /// Save the product of every step that is on.
    pub save_intermediates: bool,
}

/// One exposure and what belongs to it.
#[derive(Debug, Clone, Default)]
pub struct Job {
    /// What the names of products begin with.
    pub stem: String,
    /// The exposure (`_rate`).
    pub science: PathBuf,
    /// Exposures of the background.
    pub background: Vec<PathBuf>,
    /// Exposures to find bad pixels with.
    pub selfcal: Vec<PathBuf>,
    /// Exposures of the light that leaks through closed shutters.
    pub imprint: Vec<PathBuf>,
    /// `ASNPOOL`.
    pub pool: String,
    /// `ASNTABLE`.
    pub table: String,
}

impl Job {
    /// A file on its own.
    pub fn alone(science: &Path, background: &[PathBuf]) -> Self {
        let meta = Meta {
            source: science.into(),
            ..Meta::default()
        };
        Self {
            stem: meta.root(),
            science: science.into(),
            background: background.to_vec(),
            selfcal: Vec::new(),
            imprint: Vec::new(),
            pool: "singleton".into(),
            table: "singleton".into(),
        }
    }

    /// A product of a level-2 association.
    ///
    /// # Errors
    /// [`Error::Input`] where it has not exactly one science member, or a member does not exist.
    pub fn of_product(association: &Association, product: &Product) -> Result<Self> {
        let fault = |what: String| match &association.path {
            Some(path) => Error::input_file(path, what),
            None => Error::input(what),
        };
        let science = association.files(product, "science")?;
        let [science] = science.as_slice() else {
            return Err(fault(format!(
                "product {} has {} science members; a level-2 product has one exposure",
                product.name,
                science.len()
            )));
        };
        Ok(Self {
            stem: product.stem().to_owned(),
            science: science.clone(),
            background: association.files(product, "background")?,
            selfcal: association.files(product, "selfcal")?,
            imprint: association.files(product, "imprint")?,
            pool: association.pool.clone(),
            table: association.table_name(),
        })
    }
}

/// What the recipe sets other than the steps' own defaults.
fn own_settings() -> Table {
    let cube_build = Table::from_iter([("skip_dqflagging".to_owned(), Value::Boolean(true))]);
    Table::from_iter([("cube_build".to_owned(), Value::Table(cube_build))])
}

/// The steps for an exposure.
///
/// # Errors
/// [`Error::Input`] where the exposure is not of a supported kind.
pub fn recipe(meta: &Meta) -> Result<Vec<&'static dyn AnyStep>> {
    match meta.need_str("EXP_TYPE")? {
        "MIR_MRS" => find(&[MRS, CUBES].concat()),
        "NRS_IFU" => find(&[IFU, CUBES].concat()),
        other => Err(Error::input_file(
            &meta.source,
            format!(
                "EXP_TYPE = {other} is not supported; spec2 takes exposures of the MIRI MRS (MIR_MRS) and the NIRSpec IFU (NRS_IFU)"
            ),
        )),
    }
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
    let settings = settings.clone().beneath("spec2", own_settings());
    let list = recipe(meta)?;
    prepare(Some("Spec2Pipeline"), &list, meta, &settings, references)
}

/// Reduces one exposure. `progress` is told each step's name before it starts.
///
/// # Errors
/// Any [`Error`], about this exposure; products are written whole or not at all.
pub fn spec2(
    job: &Job,
    settings: &Settings,
    references: &dyn References,
    exec: &Exec,
    options: &Options,
    progress: &dyn Fn(&str),
) -> Result<Report> {
    let mut done = together(&[(job, options)], settings, references, exec, progress);
    done.pop()
        .unwrap_or_else(|| Err(Error::input("there is no exposure")))
}

/// Reads an exposure and the other members of its association.
fn read(job: &Job) -> Result<Observation> {
    let rate = read_rate(&job.science)?;
    let members = |paths: &[PathBuf]| -> Result<Vec<Cal>> {
        paths.iter().map(|p| member(p, &rate.meta)).collect()
    };
    Ok(Observation {
        background: members(&job.background)?,
        selfcal: members(&job.selfcal)?,
        imprint: members(&job.imprint)?,
        science: Cal::from_rate(rate)?,
    })
}

/// Reduces an exposure in several versions, which differ in their values only (of fewer groups, say): what does not depend
/// on these, the WCS above all, is done once. All take the settings and references of the first. Each result is what
/// [`spec2`] gives.
pub fn together(
    jobs: &[(&Job, &Options)],
    settings: &Settings,
    references: &dyn References,
    exec: &Exec,
    progress: &dyn Fn(&str),
) -> Vec<Result<Report>> {
    progress("reading");
    let sets: Vec<Result<Observation>> = jobs.iter().map(|(job, _)| read(job)).collect();
    let Some(first) = sets.iter().find_map(|s| s.as_ref().ok()) else {
        return sets
            .into_iter()
            .map(|s| s.map(|_| Report::default()))
            .collect();
    };
    let target = Target {
        meta: first.science.meta.clone(),
        shape: Shape {
            nints: 1,
            ngroups: 1,
            ny: first.science.ny,
            nx: first.science.nx,
        },
        out: jobs.first().map(|(_, options)| options.out.clone()),
    };
    let prepared = match prepared(&target.meta, settings, references) {
        Ok(prepared) => prepared,
        Err(e) => return jobs.iter().map(|_| Err(e.clone())).collect(),
    };
    let lives = jobs.iter().zip(sets).map(|((job, options), set)| {
        Ok(Live {
            run: Run {
                job,
                prepared: &prepared,
                references,
                options,
            },
            report: Report::default(),
            model: set?.into(),
        })
    });
    let mut lives: Vec<Result<Live>> = lives.collect();
    let ahead = |send: &dyn Fn(Ahead) -> bool| load_ahead(&prepared, &target, send);
    let steps = exec.feed(1, ahead, |ahead| {
        let mut runner = Runner::new(exec, &target, false).ahead(ahead);
        steps(&mut lives, &prepared, &mut runner, progress);
        runner.reports
    });
    let finish = |mut live: Live| {
        live.report.steps = steps.clone();
        let (path, n) = (live.run.job.science.display(), live.report.products.len());
        info!("{path}: {n} products written");
        live.report
    };
    lives.into_iter().map(|live| live.map(finish)).collect()
}

/// One version of an exposure on its way through the steps.
struct Live<'a> {
    run: Run<'a>,
    report: Report,
    model: Model,
}

/// Runs every step on all that have not failed.
fn steps(
    lives: &mut [Result<Live>],
    prepared: &[Prepared],
    runner: &mut Runner,
    progress: &dyn Fn(&str),
) {
    for (i, p) in prepared.iter().enumerate() {
        let name = p.step.info().name;
        progress(name);
        let mut busy = Vec::new();
        let mut models = Vec::new();
        for (k, slot) in lives.iter_mut().enumerate() {
            let Ok(live) = slot else { continue };
            // a cube that is off leaves nothing to extract from
            if name == "extract_1d" && !matches!(live.model, Model::Cubes(_)) {
                continue;
            }
            let mut model = std::mem::replace(&mut live.model, NOTHING);
            if name == CUBES[0] {
                match live.run.calibrated(model, i, &mut live.report) {
                    Ok(cal) => model = cal,
                    Err(e) => {
                        *slot = Err(e);
                        continue;
                    }
                }
            }
            busy.push(k);
            models.push(model);
        }
        let done = match runner.alike(p, models) {
            Ok(done) => done,
            Err(e) => busy.iter().map(|_| Err(e.clone())).collect(),
        };
        for (k, done) in busy.into_iter().zip(done) {
            let saved = |live: &mut Live, model: Model| -> Result<()> {
                live.model = match model {
                    // the members have done their service
                    Model::Observation(o) if name == "bkg_subtract" => o.science.into(),
                    other => other,
                };
                live.run.save(&live.model, p, i + 1, &mut live.report)
            };
            if let Ok(live) = &mut lives[k]
                && let Err(e) = done.and_then(|model| saved(live, model))
            {
                lives[k] = Err(e);
            }
        }
    }
}

/// In the place of a model that a step is working on.
const NOTHING: Model = Model::Spectra(Spectra(Vec::new()));

/// Reads another member, which must be of the same detector and band.
fn member(path: &Path, science: &Meta) -> Result<Cal> {
    let cal = read_cal(path)?;
    for keyword in [
        "INSTRUME", "DETECTOR", "CHANNEL", "BAND", "FILTER", "GRATING",
    ] {
        let (a, b) = (science.str(keyword), cal.meta.str(keyword));
        if a != b {
            return Err(Error::input_file(
                path,
                format!(
                    "{keyword} = {} where {} has {}; the other members must be of the exposure's own detector and band (filter, grating)",
                    b.unwrap_or("(none)"),
                    science.source.display(),
                    a.unwrap_or("(none)")
                ),
            ));
        }
    }
    Ok(cal)
}

/// What a cube's name says of it: nothing for NIRSpec, of whose exposures there is one cube each.
fn own_label<'a>(meta: &Meta, label: &'a str) -> &'a str {
    if meta.is_miri() { label } else { "" }
}

/// One exposure's reduction.
struct Run<'a> {
    job: &'a Job,
    prepared: &'a [Prepared],
    references: &'a dyn References,
    options: &'a Options,
}

impl Run<'_> {
    fn stamper(&self, upto: usize) -> Stamper<'_> {
        Stamper {
            recipe: "calwebb_spec2",
            references: self.references,
            steps: &self.prepared[..upto],
        }
    }

    /// Writes the calibrated image.
    fn calibrated(&self, model: Model, upto: usize, report: &mut Report) -> Result<Model> {
        let mut cal = Cal::try_from(model)?;
        if !cal.sci.iter().any(|v| v.is_finite()) {
            return Err(Error::science(
                "no pixel has a valid value (everything is NaN or between the slices); nothing is written",
            )
            .with_path(&self.job.science));
        }
        let absent = match cal.meta.is_miri() {
            true => ABSENT_FROM_MRS,
            false => ABSENT_FROM_IFU,
        };
        record_absent(&mut cal.meta, absent);
        record_association(&mut cal.meta, &self.job.pool, &self.job.table);
        let path = product_path(&self.options.out, &self.job.stem, "cal");
        let stamper = self.stamper(upto);
        write_cal(&cal, &path, &|m, kind, p, w| stamper.stamp(m, kind, p, w))?;
        report.products.push(path);
        Ok(cal.into())
    }

    /// Writes what a step gave, where it is one of the recipe's products or intermediates are wanted.
    fn save(&self, model: &Model, p: &Prepared, upto: usize, report: &mut Report) -> Result<()> {
        let (out, stem) = (&self.options.out, &self.job.stem);
        let stamper = self.stamper(upto);
        let stamp: &crate::pipeline::product::Stamper =
            &|m, kind, path, place| stamper.stamp(m, kind, path, place);
        match model {
            Model::Cubes(cubes) => {
                for cube in &cubes.0 {
                    let path = labelled(out, stem, own_label(&cube.meta, &cube.label), "s3d");
                    write_cube(cube, &path, stamp)?;
                    report.products.push(path);
                }
            }
            Model::Spectra(spectra) => {
                for spectrum in &spectra.0 {
                    let label = own_label(&spectrum.meta, &spectrum.label);
                    let path = labelled(out, stem, label, "x1d");
                    write_spectrum(spectrum, &path, stamp)?;
                    report.products.push(path);
                }
            }
            image if self.options.save_intermediates && !p.settings.skip => {
                let path = product_path(out, stem, p.step.info().name);
                write_model(image, &path, stamp)?;
                report.products.push(path);
            }
            _ => {}
        }
        Ok(())
    }
}
