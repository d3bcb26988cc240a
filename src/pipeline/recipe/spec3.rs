//! calwebb_spec3 for MIRI MRS and the NIRSpec IFU: the `_cal` of all dithers, detectors and bands to `_crf`, `_s3d` and `_x1d`.

use std::path::{Path, PathBuf};

use tracing::info;

use super::{Report, Stamper, find, labelled, record_association};
use crate::exec::Exec;
use crate::model::{Exposures, Meta, Shape, Spectra};
use crate::pipeline::product::{write_cal, write_cube, write_spectrum};
use crate::pipeline::run::{Prepared, Runner, prepare};
use crate::pipeline::settings::Settings;
use crate::steps::step::{AnyStep, Model, Target};
use crate::store::association::{Association, Level, Product};
use crate::store::cal::read_cal;
use crate::store::products::product_path;
use crate::store::references::References;
use crate::store::spectrum::read_spectrum;
use crate::{Error, Result};

/// Steps for MIRI MRS, in order.
pub const MRS: &[&str] = &[
    "assign_mtwcs",
    "master_background",
    "outlier_detection",
    "adaptive_trace_model",
    "pixel_replace",
    "cube_build",
    "extract_1d",
    "spectral_leak",
];

/// Steps for the NIRSpec IFU, in order.
pub const NIRSPEC: &[&str] = &[
    "assign_mtwcs",
    "master_background",
    "outlier_detection",
    "adaptive_trace_model",
    "pixel_replace",
    "cube_build",
    "extract_1d",
];

/// What to write, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder for all products.
    pub out: PathBuf,
    /// Save the product of every step that is on.
    pub save_intermediates: bool,
}

/// What is combined.
#[derive(Debug, Clone, Default)]
pub struct Job {
    /// What the names of products begin with.
    pub stem: String,
    /// Exposures of the target (`_cal`).
    pub science: Vec<PathBuf>,
    /// Spectra of the background (`_x1d`).
    pub background: Vec<PathBuf>,
    /// Id of the association, part of the names of `_crf` products.
    pub id: String,
    /// `ASNPOOL`.
    pub pool: String,
    /// `ASNTABLE`.
    pub table: String,
}

impl Job {
    /// Loose files: one association of all of them.
    ///
    /// # Errors
    /// [`Error::Input`] where one does not exist.
    pub fn of_files(science: &[PathBuf], background: &[PathBuf], product: &str) -> Result<Self> {
        let names = |paths: &[PathBuf]| -> Vec<String> {
            paths.iter().map(|p| p.display().to_string()).collect()
        };
        let mut association = Association::from_list(Level::Three, &names(science), product);
        association.add(0, &names(background), "background");
        Self::of_product(&association, &association.products[0])
    }

    /// A product of a level-3 association.
    ///
    /// # Errors
    /// [`Error::Input`] where a member does not exist.
    pub fn of_product(association: &Association, product: &Product) -> Result<Self> {
        Ok(Self {
            stem: product.stem().to_owned(),
            science: association.files(product, "science")?,
            background: association.files(product, "background")?,
            id: association.id.clone(),
            pool: association.pool.clone(),
            table: association.table_name(),
        })
    }
}

/// The steps for exposures of this kind.
///
/// # Errors
/// [`Error::Input`] where it is not supported.
pub fn recipe(meta: &Meta) -> Result<Vec<&'static dyn AnyStep>> {
    match meta.need_str("EXP_TYPE")? {
        "MIR_MRS" => find(MRS),
        "NRS_IFU" => find(NIRSPEC),
        other => Err(Error::input_file(
            &meta.source,
            format!(
                "EXP_TYPE = {other} is not supported; spec3 takes exposures of the MIRI MRS (MIR_MRS) and the NIRSpec IFU (NRS_IFU)"
            ),
        )),
    }
}

/// The steps for exposures of this kind with their settings and references; whether there are spectra of a background.
///
/// # Errors
/// As [`recipe`] and [`prepare`].
pub fn prepared(
    meta: &Meta,
    background: bool,
    settings: &Settings,
    references: &dyn References,
) -> Result<Vec<Prepared>> {
    let mut list = recipe(meta)?;
    let moving = meta
        .str("TARGTYPE")
        .is_some_and(|t| t.eq_ignore_ascii_case("moving"));
    list.retain(|s| match s.info().name {
        "assign_mtwcs" => moving,
        "master_background" => background,
        _ => true,
    });
    prepare(Some("Spec3Pipeline"), &list, meta, settings, references)
}

/// Reads the members and checks that they belong together.
fn read(job: &Job) -> Result<Exposures> {
    let mut science = Vec::with_capacity(job.science.len());
    for path in &job.science {
        let mut cal = read_cal(path)?;
        cal.need_wcs()?;
        record_association(&mut cal.meta, &job.pool, &job.table);
        science.push(cal);
    }
    if let Some((first, others)) = science.split_first() {
        let kind = first.meta.need_str("EXP_TYPE")?;
        for other in others {
            if other.meta.need_str("EXP_TYPE")? != kind {
                return Err(Error::input_file(
                    &other.meta.source,
                    format!(
                        "EXP_TYPE differs from {kind} of {}; exposures of different modes cannot be combined",
                        first.meta.source.display()
                    ),
                ));
            }
            let unit = |m: &Meta| m.sci.str("BUNIT").unwrap_or_default().to_owned();
            if unit(&other.meta) != unit(&first.meta) {
                return Err(Error::input_file(
                    &other.meta.source,
                    format!(
                        "BUNIT is '{}' and that of {} '{}'; were both reduced with the same steps?",
                        unit(&other.meta),
                        first.meta.source.display(),
                        unit(&first.meta)
                    ),
                ));
            }
        }
    }
    let background = job.background.iter().map(|p| read_spectrum(p));
    Ok(Exposures {
        science,
        background: background.collect::<Result<_>>()?,
    })
}

/// Combines exposures. `progress` is told each step's name before it starts.
///
/// # Errors
/// Any [`Error`]; products are written whole or not at all.
pub fn spec3(
    job: &Job,
    settings: &Settings,
    references: &dyn References,
    exec: &Exec,
    options: &Options,
    progress: &dyn Fn(&str),
) -> Result<Report> {
    let mut done = together(&[(job, options)], settings, references, exec, progress);
    done.pop()
        .unwrap_or_else(|| Err(Error::input("there are no exposures to combine")))
}

/// One association on its way through the steps.
struct Live<'a> {
    run: Run<'a>,
    report: Report,
    model: Model,
}

/// Combines each of several associations of the same exposures, which differ in their values only (reduced from fewer
/// groups, say): what does not depend on these, the geometry of the cubes above all, is done once. All take the settings
/// and references of the first. Each result is what [`spec3`] gives.
pub fn together(
    jobs: &[(&Job, &Options)],
    settings: &Settings,
    references: &dyn References,
    exec: &Exec,
    progress: &dyn Fn(&str),
) -> Vec<Result<Report>> {
    progress("reading");
    let mut sets: Vec<Result<Exposures>> = jobs
        .iter()
        .map(|(job, _)| {
            let set = read(job)?;
            match set.science.is_empty() {
                true => Err(Error::input("there are no exposures to combine")),
                false => Ok(set),
            }
        })
        .collect();
    let Some(first) = sets.iter().find_map(|s| s.as_ref().ok()) else {
        return sets
            .into_iter()
            .map(|s| s.map(|_| Report::default()))
            .collect();
    };
    let (meta, ny, nx) = {
        let cal = &first.science[0];
        (cal.meta.clone(), cal.ny, cal.nx)
    };
    let background = !first.background.is_empty();
    let prepared = match prepared(&meta, background, settings, references) {
        Ok(prepared) => prepared,
        Err(e) => return jobs.iter().map(|_| Err(e.clone())).collect(),
    };
    let target = Target {
        meta,
        shape: Shape {
            nints: 1,
            ngroups: 1,
            ny,
            nx,
        },
        out: jobs.first().map(|(_, options)| options.out.clone()),
    };
    let mut runner = Runner::new(exec, &target, false);
    let mut lives: Vec<Result<Live>> = jobs
        .iter()
        .zip(sets.drain(..))
        .map(|((job, options), set)| {
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
        })
        .collect();
    for (i, p) in prepared.iter().enumerate() {
        let name = p.step.info().name;
        progress(name);
        // a cube that is off leaves nothing to extract from
        let idle = |model: &Model| {
            name == "extract_1d" && !matches!(model, Model::Cubes(_))
                || name == "spectral_leak" && !matches!(model, Model::Spectra(_))
        };
        let mut busy = Vec::new();
        let mut models = Vec::new();
        for (k, live) in lives.iter_mut().enumerate() {
            if let Ok(live) = live
                && !idle(&live.model)
            {
                busy.push(k);
                models.push(std::mem::replace(&mut live.model, NOTHING));
            }
        }
        let done = match runner.alike(p, models) {
            Ok(done) => done,
            Err(e) => busy.iter().map(|_| Err(e.clone())).collect(),
        };
        for (k, done) in busy.into_iter().zip(done) {
            let saved = |live: &mut Live, model: Model| -> Result<()> {
                live.model = model;
                live.run.save(&live.model, p, i + 1, &mut live.report)
            };
            if let Ok(live) = &mut lives[k]
                && let Err(e) = done.and_then(|model| saved(live, model))
            {
                lives[k] = Err(e);
            }
        }
    }
    progress("writing");
    let steps = runner.reports;
    let finish = |mut live: Live| -> Result<Report> {
        live.run.spectra(&live.model, &mut live.report)?;
        live.report.steps = steps.clone();
        let (stem, n) = (&live.run.job.stem, live.report.products.len());
        info!("{stem}: {n} products written");
        Ok(live.report)
    };
    lives
        .into_iter()
        .map(|live| live.and_then(finish))
        .collect()
}

/// In the place of a model that a step is working on.
const NOTHING: Model = Model::Spectra(Spectra(Vec::new()));

/// One association's reduction.
struct Run<'a> {
    job: &'a Job,
    prepared: &'a [Prepared],
    references: &'a dyn References,
    options: &'a Options,
}

impl Run<'_> {
    fn stamper(&self, upto: usize) -> Stamper<'_> {
        Stamper {
            recipe: "calwebb_spec3",
            references: self.references,
            steps: &self.prepared[..upto],
        }
    }

    /// Writes what a step gave, where it is one of the recipe's products or intermediates are wanted.
    fn save(&self, model: &Model, p: &Prepared, upto: usize, report: &mut Report) -> Result<()> {
        let out = &self.options.out;
        let stamper = self.stamper(upto);
        let stamp: &crate::pipeline::product::Stamper =
            &|m, kind, path, place| stamper.stamp(m, kind, path, place);
        let name = p.step.info().name;
        match model {
            Model::Exposures(e) if !p.settings.skip => {
                let crf = name == "outlier_detection";
                if !crf && !self.options.save_intermediates {
                    return Ok(());
                }
                for cal in &e.science {
                    let root = cal.meta.root();
                    let path = match crf {
                        true => product_path(out, &format!("{root}_{}", self.job.id), "crf"),
                        false => product_path(out, &root, name),
                    };
                    not_itself(&path, &cal.meta)?;
                    write_cal(cal, &path, stamp)?;
                    report.products.push(path);
                }
            }
            Model::Cubes(cubes) if name == "cube_build" => {
                for cube in &cubes.0 {
                    let path = labelled(out, &self.job.stem, &cube.label, "s3d");
                    write_cube(cube, &path, stamp)?;
                    report.products.push(path);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Writes the spectra, which the last step may still have changed.
    fn spectra(&self, model: &Model, report: &mut Report) -> Result<()> {
        let Model::Spectra(spectra) = model else {
            return Ok(());
        };
        let stamper = self.stamper(self.prepared.len());
        for spectrum in &spectra.0 {
            let path = labelled(&self.options.out, &self.job.stem, &spectrum.label, "x1d");
            write_spectrum(spectrum, &path, &|m, kind, path, place| {
                stamper.stamp(m, kind, path, place)
            })?;
            report.products.push(path);
        }
        Ok(())
    }
}

/// Refuses to write a product in place of its own input.
fn not_itself(path: &Path, meta: &Meta) -> Result<()> {
    if path == meta.source {
        return Err(Error::input_file(
            path,
            "the product would replace its own input; choose another folder",
        ));
    }
    Ok(())
}
