//! Exposures of the NIRSpec IFU.

use std::sync::Arc;

use super::located::{Key, Located, OfNirspec};
use super::{AssignWcsParams, check_file, open};
use crate::exec::Exec;
use crate::formats::asdf::AsdfFile;
use crate::formats::fits::{Data, Hdu, Header, Image};
use crate::model::{Cal, DetectorMap, Meta};
use crate::steps::step::{RefPaths, Target};
use crate::wcs::Nirspec;
use crate::wcs::footprint::Footprint;
use crate::wcs::nirspec::{
    Located as Points, NirspecReferences, SLICES, Setting, ShutterArray, SliceMap, SliceTrace,
};
use crate::wcs::pointing::Pointing;
use crate::{Error, Result};

/// The gratings and the prism.
const GRATINGS: &[&str] = &[
    "G140M", "G140H", "G235M", "G235H", "G395M", "G395H", "PRISM",
];
/// The filters.
const FILTERS: &[&str] = &[
    "CLEAR", "F070LP", "F100LP", "F110W", "F140X", "F170LP", "F290LP",
];

/// What the reference files say, and the filter and grating for which they were chosen.
#[derive(Debug)]
pub struct Refs {
    references: NirspecReferences,
    filter: String,
    grating: String,
}

/// Refuses an exposure of a detector that its grating leaves dark.
pub(super) fn check_light(meta: &Meta) -> Result<()> {
    let setting = Setting::from_meta(meta)?;
    if setting.has_light() {
        return Ok(());
    }
    Err(dark(meta, &setting))
}

/// Says that no light falls on the exposure's detector.
fn dark(meta: &Meta, setting: &Setting) -> Error {
    Error::input_file(
        &meta.source,
        format!(
            "no slice of the IFU falls on NRS{} with {} and {}: the exposure holds no spectra; leave it out",
            setting.detector + 1,
            setting.filter,
            setting.grating
        ),
    )
    .into_science()
}

/// The micro-shutter array of an exposure's instrument model.
///
/// # Errors
/// As [`Refs::load`].
pub fn shutters(paths: &RefPaths, target: &Target) -> Result<ShutterArray> {
    ShutterArray::read(&open(paths, "msa", &target.meta, "NIRSpec IFU")?)
}

impl Refs {
    /// Reads the files of the instrument model.
    ///
    /// # Errors
    /// [`Error::Reference`] where one is missing, or not what it should be.
    pub fn load(paths: &RefPaths, target: &Target) -> Result<Self> {
        let Setting {
            filter, grating, ..
        } = Setting::from_meta(&target.meta)?;
        let file = |kind: &str| -> Result<AsdfFile> {
            let file = open(paths, kind, &target.meta, &format!("{filter}, {grating}"))?;
            let of = [
                ("filter", filter.as_str(), FILTERS),
                ("grating", grating.as_str(), GRATINGS),
            ];
            check_file(&file, kind, &of)?;
            Ok(file)
        };
        let references =
            NirspecReferences::open(file).map_err(|e| e.with_path(&target.meta.source))?;
        Ok(Self {
            references,
            filter,
            grating,
        })
    }

    /// The instrument model.
    pub fn model(&self) -> &NirspecReferences {
        &self.references
    }

    /// The setting of an exposure, which must be the one that the reference files were chosen for.
    fn setting(&self, meta: &Meta) -> Result<Setting> {
        let setting = Setting::from_meta(meta)?;
        if (&setting.filter, &setting.grating) == (&self.filter, &self.grating) {
            return Ok(setting);
        }
        Err(Error::input_file(
            &meta.source,
            format!(
                "the exposure is of {}, {}, the reference files are those of {}, {}; give exposures of one filter and grating",
                setting.filter, setting.grating, self.filter, self.grating
            ),
        ))
    }

    /// The pixels, `y * 2048 + x`, on which light of the slices falls, slice by slice; none where the grating leaves the
    /// detector dark.
    ///
    /// # Errors
    /// [`Error::Input`] for an exposure of another filter or grating.
    pub fn lit(&self, meta: &Meta, exec: &Exec) -> Result<Option<Vec<u32>>> {
        let setting = self.setting(meta)?;
        if !setting.has_light() {
            return Ok(None);
        }
        let pointing = Pointing::from_meta(meta)?;
        let params = AssignWcsParams::default();
        let edges = [params.slit_y_low, params.slit_y_high];
        let optics = Nirspec::new(&self.references, &setting, &pointing, edges);
        let optics = optics.map_err(|e| e.with_path(&meta.source))?;
        let slices = exec.try_map((0..SLICES).collect(), |i| Ok(optics.trace(i)?.0.pixels));
        let pixels = slices.map_err(|e| e.with_path(&meta.source))?.concat();
        Ok((!pixels.is_empty()).then_some(pixels))
    }

    /// Where the exposure's pixels are, set in it.
    pub(super) fn locate(
        &self,
        input: &mut Cal,
        params: &AssignWcsParams,
        exec: &Exec,
        known: Option<Located>,
    ) -> Result<Located> {
        let source = input.meta.source.clone();
        let setting = self.setting(&input.meta)?;
        let key = Key {
            pointing: Pointing::from_meta(&input.meta)?,
            shape: (input.ny, input.nx),
            setting: Some(setting.clone()),
        };
        if let Some(known) = known.filter(|k| k.key == key) {
            known.place(input);
            return Ok(known);
        }
        let edges = [params.slit_y_low, params.slit_y_high];
        let optics = Nirspec::new(&self.references, &setting, &key.pointing, edges)
            .map_err(|e| e.with_path(&source))?;
        let slices = exec
            .try_map((0..SLICES).collect(), |i| optics.trace(i))
            .map_err(|e| e.with_path(&source))?;
        let (traces, points): (Vec<SliceTrace>, Vec<Points>) = slices.into_iter().unzip();
        let all = |of: fn(&Points) -> &Vec<f64>| -> Vec<f64> {
            points.iter().flat_map(of).copied().collect()
        };
        let footprint = Footprint::of(
            &all(|p| &p.sky[0]),
            &all(|p| &p.sky[1]),
            &all(|p| &p.lambda),
        );
        let footprint = footprint.ok_or_else(|| dark(&input.meta, &setting))?;
        let image = SliceMap::of(traces);
        if (input.ny, input.nx) != (image.ny, image.nx) {
            return Err(Error::input_file(
                &source,
                format!(
                    "the exposure has {} x {} pixels; those of the NIRSpec IFU have {} x {}",
                    input.ny, input.nx, image.ny, image.nx
                ),
            ));
        }
        let map = Arc::new(map(&image, &points));
        drop(points);
        let gwcs = match params.nrs_ifu_slice_wcs {
            true => optics.slice_form(&image)?,
            false => optics.coordinate_form(&image)?,
        };
        input.set_wcs(gwcs.to_node()?);
        let located = Located {
            key,
            wcs: Arc::clone(input.need_wcs()?),
            map,
            footprint,
            nirspec: Some(OfNirspec {
                regions: regions(&image),
                order: optics.order as i64,
                range: optics.range,
            }),
        };
        located.place(input);
        Ok(located)
    }
}

/// The coordinates of all pixels; one in two slices has those of the later.
fn map(image: &SliceMap, points: &[Points]) -> DetectorMap {
    let n = image.labels.len();
    let nan = || vec![f64::NAN; n];
    let mut map = DetectorMap {
        ny: image.ny,
        nx: image.nx,
        slice: image.labels.iter().map(|l| u16::from(*l)).collect(),
        alpha: nan(),
        beta: nan(),
        lambda: nan(),
        ra: nan(),
        dec: nan(),
    };
    for (trace, at) in image.traces.iter().zip(points) {
        for (k, pixel) in trace.pixels.iter().enumerate() {
            let p = *pixel as usize;
            map.alpha[p] = at.slicer[1][k];
            map.beta[p] = at.slicer[0][k];
            map.lambda[p] = at.lambda[k];
            map.ra[p] = at.sky[0][k];
            map.dec[p] = at.sky[1][k];
        }
    }
    map
}

/// The image of slices' numbers as an extension.
fn regions(image: &SliceMap) -> Hdu {
    let mut header = Header::new();
    header.set("EXTNAME", "REGIONS", "extension name");
    header.set("EXTVER", 1i64, "extension value");
    let labels: Vec<i32> = image.labels.iter().map(|l| i32::from(*l)).collect();
    Hdu {
        header,
        data: Data::Image(Image::new(&[image.ny, image.nx], labels)),
    }
}
