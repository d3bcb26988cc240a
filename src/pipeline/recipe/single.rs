//! One step on its own, as `strun` runs it: on, even where it is off by default.

use std::path::{Path, PathBuf};

use super::labelled;
use crate::exec::Exec;
use crate::formats::fits::FitsFile;
use crate::model::{Cal, Cubes, Exposures, Meta, Observation, Shape, Spectra};
use crate::pipeline::product::{
    optional_path, write_cal, write_cube, write_model, write_optional, write_spectrum, write_uncal,
};
use crate::pipeline::provenance::{Place, Stamp, stamp};
use crate::pipeline::run::{Runner, prepare};
use crate::pipeline::settings::Settings;
use crate::steps::step::{AnyStep, Model, Status, Target};
use crate::store::cal::read_cal;
use crate::store::cube::read_cube;
use crate::store::products::{RampFile, product_path, read_rate};
use crate::store::references::References;
use crate::store::spectrum::read_spectrum;
use crate::{Error, Result};

/// What a step is run on, and where its products go.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Folder for the products.
    pub out: PathBuf,
    /// Exposures of the background, for steps that take them (spectra for master_background).
    pub background: Vec<PathBuf>,
    /// Exposures to find bad pixels with.
    pub selfcal: Vec<PathBuf>,
    /// Exposures of the light that leaks through closed shutters.
    pub imprint: Vec<PathBuf>,
}

/// Reads a file as what it holds.
fn read(path: &Path) -> Result<Model> {
    let file = FitsFile::open(path)?;
    if file.find("EXTRACT1D").is_some() {
        return Ok(Spectra(vec![read_spectrum(path)?]).into());
    }
    let axes = file.shape(file.need("SCI")?)?.len();
    let (cube, image) = (file.find("WMAP").is_some(), file.find("VAR_FLAT").is_some());
    drop(file);
    match axes {
        4 => {
            let file = RampFile::open(path)?;
            Ok(file.read(0..file.shape.nints, None)?.into())
        }
        3 if cube => Ok(Cubes(vec![read_cube(path)?]).into()),
        2 if image => Ok(read_cal(path)?.into()),
        2 => {
            let cal = read_cal(path)?;
            match cal.wcs {
                Some(_) => Ok(cal.into()),
                None => Ok(read_rate(path)?.into()),
            }
        }
        _ => Ok(read_rate(path)?.into()),
    }
}

/// Reads files that are worked on together.
fn read_set(paths: &[PathBuf], options: &Options) -> Result<Model> {
    let mut models = paths.iter().map(|p| read(p)).collect::<Result<Vec<_>>>()?;
    let background = &options.background;
    Ok(match models.first() {
        Some(Model::Cubes(_)) => {
            let all: Result<Vec<Cubes>> = models.into_iter().map(Cubes::try_from).collect();
            Cubes(all?.into_iter().flat_map(|c| c.0).collect()).into()
        }
        Some(Model::Spectra(_)) => {
            let all: Result<Vec<Spectra>> = models.into_iter().map(Spectra::try_from).collect();
            Spectra(all?.into_iter().flat_map(|s| s.0).collect()).into()
        }
        Some(Model::Cal(_) | Model::Rate(_)) => {
            let science: Result<Vec<Cal>> = models.into_iter().map(Cal::try_from).collect();
            let background = background
                .iter()
                .map(|p| read_spectrum(p))
                .collect::<Result<_>>();
            Exposures {
                science: science?,
                background: background?,
            }
            .into()
        }
        _ if models.len() == 1 => models.remove(0),
        _ => return Err(Error::input("these files cannot be worked on together")),
    })
}

/// Reads one file, with the other members of its association where there are any.
fn read_one(path: &Path, options: &Options) -> Result<Model> {
    let model = read(path)?;
    let Options {
        background,
        selfcal,
        imprint,
        ..
    } = options;
    if background.is_empty() && selfcal.is_empty() && imprint.is_empty() {
        return Ok(model);
    }
    let members = |paths: &[PathBuf]| paths.iter().map(|p| read_cal(p)).collect::<Result<_>>();
    Ok(Observation {
        science: model.try_into()?,
        background: members(background)?,
        selfcal: members(selfcal)?,
        imprint: members(imprint)?,
    }
    .into())
}

/// Runs the step on files, together or one after the other as the step takes them, and writes its products;
/// returns the files written.
///
/// # Errors
/// Any [`Error`]; [`Error::Input`] where the step does not apply to a file.
pub fn run(
    step: &'static dyn AnyStep,
    paths: &[PathBuf],
    settings: &Settings,
    references: &dyn References,
    exec: &Exec,
    options: &Options,
) -> Result<Vec<PathBuf>> {
    let job = Job {
        step,
        settings,
        references,
        exec,
        options,
    };
    if step.takes_set() {
        return job.run(read_set(paths, options)?);
    }
    let mut written = Vec::new();
    for path in paths {
        let model = read_one(path, options).and_then(|m| job.run(m));
        written.extend(model.map_err(|e| e.with_path(path))?);
    }
    Ok(written)
}

/// Path of a planetary step's product: it has the name of the file it was made from.
fn namesake(out: &Path, meta: &Meta) -> Result<PathBuf> {
    let name = meta.source.file_name().map(|n| n.to_string_lossy());
    match name {
        Some(name) => Ok(out.join(name.trim_end_matches(".gz"))),
        None => Err(Error::input("the product's input has no file name")),
    }
}

/// Root of a product's name: that of the set for products told apart by labels, else that of its own file.
fn named(root: &str, label: &str, meta: &Meta) -> String {
    match label {
        "" => meta.root(),
        _ => root.to_owned(),
    }
}

struct Job<'a> {
    step: &'static dyn AnyStep,
    settings: &'a Settings,
    references: &'a dyn References,
    exec: &'a Exec,
    options: &'a Options,
}

/// Sizes of a model, for loading references.
pub(crate) fn shape(model: &Model) -> Shape {
    let image = |nints, ny, nx| Shape {
        nints,
        ngroups: 1,
        ny,
        nx,
    };
    match model {
        Model::Ramp(r) => r.shape,
        Model::Rate(r) => image(r.nints.unwrap_or(1), r.ny, r.nx),
        Model::Fit(f) => image(1, f.rate.ny, f.rate.nx),
        Model::Cal(c) => image(1, c.ny, c.nx),
        Model::Observation(o) => image(1, o.science.ny, o.science.nx),
        Model::Exposures(e) => e
            .science
            .first()
            .map_or(image(0, 0, 0), |c| image(1, c.ny, c.nx)),
        Model::Cubes(c) => c.0.first().map_or(image(0, 0, 0), |c| image(1, c.ny, c.nx)),
        Model::Spectra(_) => image(0, 0, 0),
    }
}

impl Job<'_> {
    fn run(&self, model: Model) -> Result<Vec<PathBuf>> {
        let name = self.step.info().name;
        let out = &self.options.out;
        let Some(meta) = model.meta().cloned() else {
            return Err(Error::input("there is nothing to work on"));
        };
        let target = Target {
            meta,
            shape: shape(&model),
            out: Some(out.clone()),
        };
        let settings = self.settings.clone().on(name);
        let mut prepared = prepare(None, &[self.step], &target.meta, &settings, self.references)?;
        let mut runner = Runner::new(self.exec, &target, false);
        let Some(only) = prepared.pop() else {
            return Ok(Vec::new());
        };
        let model = runner.step(&only, model)?;
        match runner.reports.first().map(|r| &r.status) {
            Some(Status::Skipped(why)) => tracing::warn!("{name}: skipped, {why}"),
            Some(Status::Failed(why)) => tracing::warn!("{name}: failed, {why}"),
            _ => {}
        }
        let steps = [only];
        let stamper = |meta: &mut Meta, kind: &str, path: &Path, place: Place| {
            if path == target.meta.source || path == meta.source {
                return Err(Error::input_file(
                    path,
                    "the product would replace its own input; choose another folder",
                ));
            }
            let of = Stamp {
                model: kind,
                recipe: name,
                context: self.references.context(),
                steps: &steps,
                place,
            };
            stamp(meta, path, &of)
        };
        let root = target.meta.root();
        let mut written = Vec::new();
        match model {
            Model::Cubes(cubes) if self.step.info().is_planetary() => {
                for cube in &cubes.0 {
                    let path = namesake(out, &cube.meta)?;
                    write_cube(cube, &path, &stamper)?;
                    written.push(path);
                }
            }
            Model::Ramp(ramp) if self.step.info().is_planetary() => {
                let path = namesake(out, &ramp.meta)?;
                write_uncal(&ramp, &path, &stamper)?;
                written.push(path);
            }
            Model::Fit(fit) => {
                written = vec![
                    product_path(out, &root, "rate"),
                    product_path(out, &root, "rateints"),
                ];
                write_model(&fit.rate.into(), &written[0], &stamper)?;
                write_model(&fit.rateints.into(), &written[1], &stamper)?;
                if let Some(opt) = fit.opt {
                    let path = optional_path(out, &root, &opt);
                    write_optional(opt, &path, &stamper)?;
                    written.push(path);
                }
            }
            Model::Exposures(e) => {
                for cal in &e.science {
                    let path = product_path(out, &cal.meta.root(), name);
                    write_cal(cal, &path, &stamper)?;
                    written.push(path);
                }
            }
            Model::Cubes(cubes) => {
                for cube in &cubes.0 {
                    let path = labelled(
                        out,
                        &named(&root, &cube.label, &cube.meta),
                        &cube.label,
                        "s3d",
                    );
                    write_cube(cube, &path, &stamper)?;
                    written.push(path);
                }
            }
            Model::Spectra(spectra) => {
                for spectrum in &spectra.0 {
                    let path = labelled(
                        out,
                        &named(&root, &spectrum.label, &spectrum.meta),
                        &spectrum.label,
                        "x1d",
                    );
                    write_spectrum(spectrum, &path, &stamper)?;
                    written.push(path);
                }
            }
            other => {
                let path = product_path(out, &root, name);
                write_model(&other, &path, &stamper)?;
                written.push(path);
            }
        }
        Ok(written)
    }
}
