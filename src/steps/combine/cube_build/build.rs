//! From exposures to a cube: the footprint, the grid, the geometry, and the product.

use std::collections::BTreeSet;

use super::footprint::{Footprint, unwrapped};
use super::geometry::{Geometry, Source, Voxels};
use super::grid::{Grid, Wishes};
use super::offsets::{self, Offset};
use super::pixels::Pixels;
use super::quality::blank_sparse_planes;
use super::scales::Scales;
use super::selection::{self, Part, Setting, columns, label};
use super::slices::Slices;
use super::{CoordSystem, CubeBuildParams, CubePar, OutputType, Weight, header, internal};
use crate::exec::Exec;
use crate::model::{Cal, Cube};
use crate::wcs::Gwcs;
use crate::{Error, Result};

/// A cube that is to be made.
#[derive(Debug)]
pub struct Plan {
    parts: Vec<Part>,
    params: CubeBuildParams,
    /// Of each exposure, where there is an offset file.
    offsets: Option<Vec<Offset>>,
}

/// The cubes that are to be made of these exposures.
///
/// # Errors
/// [`Error::Parameter`] for impossible parameters, [`Error::Input`] for exposures that are none of the MRS, errors of the offset file.
pub fn plan(exposures: &[Cal], params: &CubeBuildParams) -> Result<Vec<Plan>> {
    let Some(first) = exposures.first() else {
        return Err(Error::input("there are no exposures to make a cube of"));
    };
    let kind = first.meta.need_str("EXP_TYPE")?;
    for exposure in exposures {
        let own = exposure.meta.need_str("EXP_TYPE")?;
        if own != kind || !["MIR_MRS", "NRS_IFU"].contains(&own) {
            return Err(Error::input_file(
                &exposure.meta.source,
                format!(
                    "cube_build makes cubes of exposures of the MIRI MRS (MIR_MRS), or of the NIRSpec IFU (NRS_IFU); this is {own}, \
                     the first {kind}"
                ),
            ));
        }
    }
    let params =
        checked(params, first.meta.is_miri()).map_err(|e| e.with_path(&first.meta.source))?;
    let offsets = match &params.offset_file {
        Some(path) => Some(offsets::read(path.as_ref(), exposures)?),
        None => None,
    };
    let cubes = selection::cubes(exposures, &params)?;
    Ok(cubes
        .into_iter()
        .map(|parts| Plan {
            parts,
            params: params.clone(),
            offsets: offsets.clone(),
        })
        .collect())
}

/// Parameters made consistent.
fn checked(params: &CubeBuildParams, miri: bool) -> Result<CubeBuildParams> {
    let mut p = params.clone();
    if p.coord_system == CoordSystem::InternalCal {
        if miri {
            return Err(Error::parameter(
                "cube_build: coord_system = internal_cal is not possible for MIRI; use ifualign",
            ));
        }
        // by area, whatever the other parameters say
        p.weighting = Weight::Emsm;
        p.output_type = OutputType::Band;
        p.linear_wave = true;
    }
    if p.coord_system == CoordSystem::World {
        p.coord_system = CoordSystem::Skyalign;
    }
    for (name, n) in [("nspax_x", &mut p.nspax_x), ("nspax_y", &mut p.nspax_y)] {
        if let Some(n) = n {
            if *n < 1 {
                return Err(Error::parameter(format!(
                    "cube_build: {name} = {n} must be a positive odd number"
                )));
            }
            *n += i64::from(*n % 2 == 0);
        }
    }
    let numbers = [
        ("scalexy", Some(p.scalexy)),
        ("scalew", Some(p.scalew)),
        ("rois", Some(p.rois)),
        ("roiw", Some(p.roiw)),
        ("weight_power", Some(p.weight_power)),
        ("wavemin", p.wavemin),
        ("wavemax", p.wavemax),
        ("ra_center", p.ra_center),
        ("dec_center", p.dec_center),
        ("cube_pa", p.cube_pa),
    ];
    for (name, value) in numbers {
        if value.is_some_and(|v| !v.is_finite()) {
            return Err(Error::parameter(format!(
                "cube_build: {name} must be a finite number"
            )));
        }
    }
    if p.dec_center.is_some_and(|d| d.abs() > 90.0) {
        return Err(Error::parameter(
            "cube_build: dec_center must lie between -90 and 90 degrees",
        ));
    }
    let spaxel: Option<Vec<i64>> = p
        .debug_spaxel
        .split_whitespace()
        .map(|w| w.parse().ok())
        .collect();
    if spaxel.is_none_or(|s| s.len() != 3) {
        return Err(Error::parameter(format!(
            "cube_build: debug_spaxel = '{}' must be three whole numbers",
            p.debug_spaxel
        )));
    }
    Ok(p)
}

impl Plan {
    /// Exposures (by number) that go into the cube, each once, in order.
    pub fn exposures(&self) -> Vec<usize> {
        let mut all: Vec<usize> = self.members().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Exposures as calwebb goes through them: by channel and band, so that some come twice.
    fn members(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().flat_map(|p| p.exposures.iter().copied())
    }

    /// The geometry of the cube, which can be applied to any images with the WCS of these exposures, and its scales.
    ///
    /// # Errors
    /// [`Error::Input`] for exposures without a WCS, [`Error::Reference`], [`Error::Parameter`] where scales or sizes are impossible.
    pub fn geometry(
        &self,
        exposures: &[Cal],
        file: &CubePar,
        exec: &Exec,
    ) -> Result<(Geometry, Scales)> {
        let params = &self.params;
        let settings: Vec<Setting> = self.parts.iter().map(|p| p.setting).collect();
        let scales = Scales::new(params, &settings, file, self.members().count())?;
        let rotation = match params.coord_system {
            CoordSystem::Ifualign => Some(slice_angle(&self.parts[0], exposures)?),
            _ => params.cube_pa,
        };
        let mut sources = Vec::new();
        let mut corners = Vec::new();
        for part in &self.parts {
            for image in part.exposures.iter().copied() {
                let exposure = &exposures[image];
                let offset = self.offsets.as_ref().map(|o| o[image]);
                let drizzle = params.weighting == Weight::Drizzle;
                let (pixels, footprint) = match part.setting {
                    Setting::Mrs { channel, .. } => {
                        Pixels::map(exposure, columns(channel), offset, drizzle, exec)?
                    }
                    Setting::Nirspec { .. } => Pixels::of_slices(exposure, offset, drizzle, exec)?,
                };
                let keyword = self
                    .trusts_keyword(exposure)
                    .then(|| Footprint::of_keyword(&exposure.meta));
                let Some(Footprint(corner)) = keyword.flatten().or(footprint) else {
                    return Err(Error::science(format!(
                        "no pixel of {} has a place on the sky",
                        part.setting
                    ))
                    .with_path(&exposure.meta.source));
                };
                let moved = corner.map(|c| offset.map_or(c, |o| o.apply(c)));
                corners.extend(moved);
                sources.push(Source { image, pixels });
            }
        }
        if corners.iter().flatten().any(|v| !v.is_finite()) {
            return Err(Error::science(
                "the corners of the exposures have no place on the sky",
            ));
        }
        let ra: Vec<f64> = corners.iter().map(|c| c[0]).collect();
        if let Some(ra) = unwrapped(&ra) {
            corners.iter_mut().zip(ra).for_each(|(c, ra)| c[0] = ra);
        }
        let wishes = Wishes {
            ra_center: params.ra_center,
            dec_center: params.dec_center,
            nspax_x: params.nspax_x,
            nspax_y: params.nspax_y,
        };
        let grid = Grid::around(&corners, rotation, scales.spaxel, &scales.planes, &wishes)?;
        let nirspec = self.parts.iter().all(|p| p.setting.channel().is_none());
        let marked = nirspec && !params.skip_dqflagging;
        let geometry = Geometry::new(grid, scales.weighting.clone(), sources, marked);
        Ok((geometry, scales))
    }

    /// Whether the cube lies in the plane of the slicer.
    pub fn is_internal(&self) -> bool {
        self.params.coord_system == CoordSystem::InternalCal
    }

    /// The cube of one exposure in the plane of the slicer.
    ///
    /// # Errors
    /// [`Error::Parameter`] where there are several exposures, and as [`Self::geometry`].
    pub fn internal(&self, exposures: &[Cal], file: &CubePar, exec: &Exec) -> Result<Cube> {
        let images = self.exposures();
        let ([part], [image]) = (self.parts.as_slice(), images.as_slice()) else {
            return Err(Error::parameter(
                "cube_build: cubes with coord_system = internal_cal are made of one exposure each; give one",
            ));
        };
        let cal = &exposures[*image];
        let wishes = internal::Wishes {
            wavemin: self.params.wavemin,
            wavemax: self.params.wavemax,
            scalew: self.params.scalew,
        };
        let (grid, voxels) = internal::voxels(cal, &file.band(part.setting)?, &wishes, exec)?;
        let (meta, headers) = header::of_slicer(cal, exposures.len() > 1, &grid);
        let wavelength = (0..grid.z.len()).map(|i| (grid.crval3 + i as f64 * grid.cdelt3) as f32);
        Ok(Cube {
            meta,
            label: format!("{}_internal", label(&self.parts)),
            nz: grid.z.len(),
            ny: grid.along.len(),
            nx: grid.nx,
            sci: voxels.sci,
            err: voxels.err,
            dq: voxels.dq,
            wmap: voxels.wmap,
            wavelength: Some(wavelength.collect()),
            wcs: None,
            extra: headers.into_iter().collect(),
            planes: Vec::new(),
        })
    }

    /// Whether the corners of an exposure are taken from its keyword.
    fn trusts_keyword(&self, exposure: &Cal) -> bool {
        let params = &self.params;
        let turned = params.coord_system != CoordSystem::Skyalign || params.cube_pa.is_some();
        let wider = |p: &Part| matches!(p.setting.channel(), Some(1 | 3));
        let wider = self.parts.iter().any(wider);
        let moving = exposure
            .meta
            .str("TARGTYPE")
            .is_some_and(|t| t.trim() == "MOVING");
        !turned && !moving && (params.output_type == OutputType::Multi || !wider)
    }

    /// The product of these values.
    ///
    /// # Errors
    /// Those of making tables.
    pub fn product(
        &self,
        exposures: &[Cal],
        grid: &Grid,
        scales: &Scales,
        mut voxels: Voxels,
    ) -> Result<Cube> {
        let channels: Option<BTreeSet<u8>> =
            self.parts.iter().map(|p| p.setting.channel()).collect();
        let blanked = match channels {
            Some(_) => blank_sparse_planes(&mut voxels, grid.nxy()),
            None => 0,
        };
        let label = label(&self.parts);
        if blanked > 0 {
            tracing::info!("cube_build: {label}: {blanked} planes at the ends of bands taken out");
        }
        let members: Vec<&Cal> = self.members().map(|i| &exposures[i]).collect();
        let (meta, headers) = header::of_cube(
            &members,
            exposures.len() > 1,
            channels.as_ref(),
            grid,
            scales,
            self.params.weighting,
        );
        let wavelength: Vec<f32> = grid.z.iter().map(|z| *z as f32).collect();
        let shape = [grid.z.len(), grid.y.len(), grid.x.len()];
        let planes = grid.cdelt3.is_none().then_some(wavelength.as_slice());
        let wcs = crate::wcs::cube::gwcs(&meta.sci, shape, planes)?.to_node()?;
        let [nz, ny, nx] = shape;
        Ok(Cube {
            meta,
            label,
            nz,
            ny,
            nx,
            sci: voxels.sci,
            err: voxels.err,
            dq: voxels.dq,
            wmap: voxels.wmap,
            wavelength: Some(wavelength),
            wcs: Some(std::sync::Arc::new(wcs)),
            extra: headers.into_iter().collect(),
            planes: Vec::new(),
        })
    }
}

/// Angle in degrees that turns the sky's axes into those of the slices of a part's first exposure.
fn slice_angle(part: &Part, exposures: &[Cal]) -> Result<f64> {
    let exposure = part.exposures.first().map(|i| &exposures[*i]);
    let Some(exposure) = exposure else {
        return Err(Error::input("there are no exposures to make a cube of"));
    };
    let named = |e: Error| e.with_path(&exposure.meta.source);
    let [ra, dec] = match part.setting {
        Setting::Mrs { channel, .. } => along_slices(exposure, channel).map_err(named)?,
        Setting::Nirspec { .. } => Slices::of(exposure)?
            .direction(exposure.nx)
            .map_err(named)?,
    };
    let east = (ra[1] - ra[0]) * (dec[0] * std::f64::consts::PI / 180.0).cos();
    let north = dec[1] - dec[0];
    let angle = 90.0 + east.atan2(north) * 180.0 / std::f64::consts::PI;
    if angle.is_nan() {
        return Err(named(Error::science(format!(
            "the slices of {} have no direction on the sky",
            part.setting
        ))));
    }
    Ok(angle)
}

/// Right ascension and declination of two places along the middle slice of a channel.
fn along_slices(exposure: &Cal, channel: u8) -> Result<[Vec<f64>; 2]> {
    let wcs = Gwcs::from_node(exposure.need_wcs()?)?;
    let lambda = Pixels::middle_wavelength(&wcs, exposure, columns(channel))?;
    let points: [&[f64]; 3] = [&[0.0, 2.0], &[0.0, 0.0], &[lambda, lambda]];
    let mut sky = wcs.between("alpha_beta", wcs.last(), &points)?;
    let dec = sky.swap_remove(1);
    Ok([sky.swap_remove(0), dec])
}
