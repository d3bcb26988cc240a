//! Pointing of files: those of one visit and body share an offset. What [`crate::view::limb`] shows of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tracing::{info, warn};

use super::navigate::{Job, image_of, wavelengths};
use crate::exec::Exec;
use crate::formats::fits::{FitsFile, Header};
use crate::nav::limb::{self, Image};
use crate::pipeline::navigate::{Options, Scene, navigate};
use crate::pipeline::pointing::{Samples, image, with_fit};
use crate::view::summary::title;
use crate::view::{self, Figure};
use crate::{Error, Result};

/// The pointing of a file.
pub struct Pointed {
    /// The visit that shares it; none where the file could not be used.
    pub visit: Option<String>,
    /// How to navigate it: with the offset that its visit has, or without where there is none.
    pub options: Options,
    /// The page that shows the fit; none where there was no image to fit.
    pub page: Option<Figure>,
}

/// An image to be fitted, and what is said of it.
struct Shot {
    visit: String,
    title: String,
    image: Image,
}

/// A file that has a part in a visit's fit.
struct Member {
    file: usize,
    title: String,
}

/// The pointing of every file, in the order of the files; a warning says where there is none. With `pages` they are shown.
///
/// # Errors
/// The user's stop.
pub fn run(
    files: &[PathBuf],
    job: &Job,
    settings: &limb::Options,
    pages: bool,
    exec: &Exec,
) -> Result<Vec<Pointed>> {
    let read = |path: &PathBuf| -> Result<Option<Shot>> {
        exec.check()?;
        match of_file(path, job, exec) {
            Ok(found) => Ok(Some(found)),
            Err(Error::Interrupted) => Err(Error::Interrupted),
            Err(e) => {
                warn!("no pointing from {}: {e}", path.display());
                Ok(None)
            }
        }
    };
    // one after the other: a cube at a time in memory
    let read: Vec<Option<Shot>> = files.iter().map(read).collect::<Result<_>>()?;
    let mut visits: BTreeMap<String, (Vec<Member>, Vec<Image>)> = BTreeMap::new();
    for (i, shot) in read
        .into_iter()
        .enumerate()
        .filter_map(|(i, r)| r.map(|r| (i, r)))
    {
        let (members, images) = visits.entry(shot.visit).or_default();
        members.push(Member {
            file: i,
            title: shot.title,
        });
        images.push(shot.image);
    }
    let bare = || Pointed {
        visit: None,
        options: job.options.clone(),
        page: None,
    };
    let mut out: Vec<Pointed> = files.iter().map(|_| bare()).collect();
    let fits = exec.try_map(
        visits.into_iter().collect(),
        |(visit, (members, images))| {
            let fit = limb::fit(&images, settings);
            Ok((visit, members, images, fit))
        },
    )?;
    for (visit, named, images, fit) in fits {
        if pages {
            let why = fit.as_ref().err().map(ToString::to_string);
            for (k, (member, image)) in named.iter().zip(&images).enumerate() {
                let shown = match &fit {
                    Ok(fit) => fit.images.get(k).map(|c| (fit, c, images.len())),
                    Err(_) => None,
                };
                out[member.file].page = Some(view::limb::draw(&view::limb::Subject {
                    title: &member.title,
                    image,
                    fit: shown.ok_or(why.as_deref().unwrap_or("the fit has another image")),
                    altitude: settings.altitude,
                }));
            }
        }
        let members: Vec<usize> = named.iter().map(|m| m.file).collect();
        let names: Vec<String> = members.iter().map(|i| name(&files[*i])).collect();
        match &fit {
            Ok(fit) => info!("{}: {}", names.join(", "), fit.message),
            Err(why) => warn!(
                "{}: no offset is applied: {why}; give one with --ra-offset and --dec-offset",
                names.join(", ")
            ),
        }
        for i in &members {
            out[*i].options = with_fit(job.options, &fit, members.len());
            out[*i].visit = Some(visit.clone());
        }
    }
    Ok(out)
}

fn name(path: &Path) -> String {
    path.file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// The image of a file, and the visit it belongs to.
fn of_file(path: &Path, job: &Job, exec: &Exec) -> Result<Shot> {
    let file = FitsFile::open(path)?;
    let target = image_of(&file, path)?;
    let &[nz, ny, nx] = &target.shape[..] else {
        return Err(Error::input_file(path, "it is no cube"));
    };
    let (primary, sci) = (&file.hdus()[0].header, &file.hdus()[target.hdu].header);
    let scene = Scene::of_image(sci, ny, nx)?;
    let bare = Options {
        planes: Vec::new(),
        ..job.options.clone()
    };
    let done = navigate(&scene, primary, sci, job.kernels, &bare, exec)?;
    let same = |name: &str| -> Result<Option<usize>> {
        let Some(i) = file.find(name) else {
            return Ok(None);
        };
        Ok((file.shape(i)? == target.shape).then_some(i))
    };
    let Some(err) = same("ERR")? else {
        return Err(Error::input_file(path, "it has no ERR of the cube's shape"));
    };
    let values: Vec<f32> = file.all(target.hdu)?;
    let errors: Vec<f32> = file.all(err)?;
    let dq: Vec<u32> = match same("DQ")? {
        Some(i) => file.all(i)?,
        None => vec![0; values.len()],
    };
    let wavelengths = wavelengths(&file, target.hdu, nz)?;
    let samples = Samples {
        sci: &values,
        err: &errors,
        dq: &dq,
        wavelengths: &wavelengths,
        instrument: primary.str("INSTRUME").unwrap_or_default(),
    };
    let image = image(samples, &done).ok_or_else(|| {
        Error::input_file(path, "no body is known for it, or no wavelength has signal")
    })?;
    Ok(Shot {
        visit: visit(primary, path),
        title: match title(primary) {
            known if known.is_empty() => name(path),
            known => known,
        },
        image,
    })
}

/// What files with one pointing have in common.
#[must_use]
pub fn visit(primary: &Header, path: &Path) -> String {
    let word = |k: &str| primary.str(k).map(str::trim).unwrap_or_default().to_owned();
    let visit = match word("VISIT_ID") {
        id if id.is_empty() => word("PROGRAM") + &word("OBSERVTN") + &word("VISIT"),
        id => id,
    };
    match visit.is_empty() {
        // nothing says that it belongs to others
        true => path.to_string_lossy().into_owned(),
        false => format!("{visit} {}", word("TARGNAME")),
    }
}
