//! # background: subtract the cube of a background observation
//!
//! ## What
//! Subtracts a cube of the same shape, voxel by voxel.
//!
//! ## Why
//! For backgrounds that are wanted on the cube's own grid; calwebb's bkg_subtract does it on the detector.
//!
//! ## Algorithm
//! SCI minus the background's SCI; ERR and the background's in quadrature; flags of both are joined by OR, and a
//! voxel without a value gets `DO_NOT_USE`.
//!
//! ## Parameters
//! `background` (the file), `compatible`.
//!
//! ## Reference files
//! None from CRDS.
//!
//! ## Skipped when
//! no background is given.
//!
//! ## Differs from jwst
//! jwst has no such step. The reference pipeline leaves ERR alone, does not read the background's flags, and adds
//! 1 to DQ where SCI is NaN instead of setting the bit; with `compatible` ERR and the background's flags are left out.
//!
//! ## References
//! King et al. (2023), doi:10.3847/2515-5172/ad045f (`background_subtraction`).

use std::path::{Path, PathBuf};

use super::{note, voxels};
use crate::exec::Exec;
use crate::formats::fits::FitsFile;
use crate::model::Cube;
use crate::steps::step::{Info, RefPaths, Step, Target};
use crate::{Error, Result};

crate::params! {
    /// Parameters of background.
    pub struct BackgroundParams {
        /// The background's cube.
        background: Option<String> = None,
        /// Leave ERR and the background's flags out, as the reference pipeline does.
        compatible: bool = false,
    }
}

/// The background, read.
#[derive(Debug)]
pub struct BackgroundCube {
    path: PathBuf,
    obs_id: Option<String>,
    shape: Vec<usize>,
    sci: Vec<f32>,
    err: Vec<f32>,
    dq: Vec<u32>,
}

impl BackgroundCube {
    /// Reads a cube as a background.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Format`] where it is no cube.
    pub fn read(path: &Path) -> Result<Self> {
        let file = FitsFile::open(path)?;
        let sci = file.need("SCI")?;
        let shape = file.shape(sci)?.to_vec();
        let need = |name: &str| -> Result<usize> {
            let hdu = file.need(name)?;
            if shape.len() == 3 && file.shape(hdu)? == shape {
                return Ok(hdu);
            }
            let found = file.shape(hdu)?;
            Err(Error::format(
                path,
                format!("is no cube (SCI of shape {shape:?}, {name} of {found:?})"),
            ))
        };
        let primary = file.hdus().first().map(|h| &h.header);
        Ok(Self {
            path: path.into(),
            obs_id: primary.and_then(|h| h.str("OBS_ID")).map(String::from),
            err: file.all(need("ERR")?)?,
            dq: file.all(need("DQ")?)?,
            sci: file.all(sci)?,
            shape,
        })
    }
}

/// The end of a text of more than `most` characters, behind three points.
fn shortened(text: &str, most: usize) -> String {
    let n = text.chars().count();
    if n <= most {
        return text.to_owned();
    }
    let end: String = text.chars().skip(n - most).collect();
    format!("...{end}")
}

/// The step.
pub struct Background;

impl Step for Background {
    const INFO: Info = Info {
        name: "background",
        class: "BackgroundCubeStep",
        keyword: "",
        title: "Background subtraction of cubes",
        skip: false,
        references: &[],
    };
    const SOURCE: &'static str = include_str!("background.rs");
    type In = Cube;
    type Out = Cube;
    type Params = BackgroundParams;
    type Refs = Option<BackgroundCube>;

    fn not_applicable(_: &Cube, params: &BackgroundParams) -> Result<Option<String>> {
        Ok(match params.background {
            Some(_) => None,
            None => Some("no background is given (background.background = its cube)".into()),
        })
    }

    fn load(_: &RefPaths, _: &Target, params: &BackgroundParams) -> Result<Self::Refs> {
        let path = params.background.as_deref().map(Path::new);
        path.map(BackgroundCube::read).transpose()
    }

    fn run(mut cube: Cube, refs: &Self::Refs, params: &BackgroundParams, _: &Exec) -> Result<Cube> {
        let Some(sky) = refs else {
            return Err(Error::reference("background: no cube was read"));
        };
        let shape = [cube.nz, cube.ny, cube.nx];
        if sky.shape != shape {
            return Err(Error::input_file(
                &cube.meta.source,
                format!(
                    "has shape {shape:?} and the background {} {:?}; both must be built on the same grid",
                    sky.path.display(),
                    sky.shape
                ),
            ));
        }
        for (v, b) in cube.sci.iter_mut().zip(&sky.sci) {
            *v -= b;
        }
        if !params.compatible {
            for (e, b) in cube.err.iter_mut().zip(&sky.err) {
                *e = f64::from(*e).hypot(f64::from(*b)) as f32;
            }
            for (d, b) in cube.dq.iter_mut().zip(&sky.dq) {
                *d |= b;
            }
        }
        voxels::flag_nan(&cube.sci, &mut cube.dq);
        let text = |p: Option<&std::ffi::OsStr>| {
            p.map(|p| p.to_string_lossy().into_owned())
                .unwrap_or_default()
        };
        let folder = text(sky.path.parent().map(Path::as_os_str));
        let name = text(sky.path.file_name());
        let h = &mut cube.meta.primary;
        note::add(h, "Background subtracted", None);
        note::put(h, "BACKGROUND", true, "Background subtracted");
        if let Some(id) = &sky.obs_id {
            note::put(h, "BACKGROUND OBS_ID", id.as_str(), "");
        }
        note::put(h, "BACKGROUND DIR", shortened(&folder, 48), "");
        note::put(h, "BACKGROUND FILE", shortened(&name, 47), "");
        Ok(cube)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::planet::fixture;

    fn sky(cube: &Cube) -> BackgroundCube {
        BackgroundCube {
            path: "far/away/sky_s3d.fits".into(),
            obs_id: Some("V1".into()),
            shape: vec![cube.nz, cube.ny, cube.nx],
            sci: vec![0.5; cube.sci.len()],
            err: vec![4.0; cube.sci.len()],
            dq: (0..cube.sci.len() as u32).map(|i| 4 * (i % 2)).collect(),
        }
    }

    #[test]
    fn errors_add_in_quadrature_and_flags_join() {
        let exec = Exec::new(Some(1)).unwrap();
        let mut cube = fixture::cube(2, 2, 3);
        cube.err.fill(3.0);
        cube.dq[0] = 513;
        cube.sci[0] = f32::NAN;
        let before = cube.clone();
        let mut params = BackgroundParams::default();
        let refs = Some(sky(&cube));
        let out = Background::run(cube, &refs, &params, &exec).unwrap();
        assert_eq!(out.sci[1], before.sci[1] - 0.5);
        assert!(out.err.iter().all(|e| *e == 5.0));
        assert_eq!((out.dq[0], out.dq[1]), (513, 4));
        assert_eq!(
            out.meta.primary.str("REDUCT1"),
            Some("Background subtracted")
        );
        assert_eq!(out.meta.primary.bool("BACKGROUND"), Some(true));
        assert_eq!(out.meta.primary.str("BACKGROUND DIR"), Some("far/away"));
        params.compatible = true;
        let as_theirs = Background::run(before.clone(), &refs, &params, &exec).unwrap();
        assert_eq!((as_theirs.err[1], as_theirs.dq[1]), (3.0, 0));
        assert_eq!(as_theirs.sci[1].to_bits(), out.sci[1].to_bits());
        let mut other = sky(&before);
        other.shape = vec![1, 2, 3];
        let said = Background::run(before, &Some(other), &params, &exec).unwrap_err();
        assert!(said.to_string().contains("same grid"), "{said}");
    }

    #[test]
    fn long_names_keep_their_ends() {
        assert_eq!(shortened("abc", 3), "abc");
        assert_eq!(shortened("abcdef", 3), "...def");
    }
}
