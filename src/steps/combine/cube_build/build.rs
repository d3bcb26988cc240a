//! From exposures to a cube: the footprint, the grid, the geometry, and the product.

use super::footprint::{Footprint, unwrapped};
use super::geometry::{Geometry, Source, Voxels};
use super::grid::{Grid, Wishes};
use super::offsets::{self, Offset};
use super::pixels::Pixels;
use super::quality::blank_sparse_planes;
use super::scales::Scales;
use super::selection::{self, Part, label};
use super::{CoordSystem, CubeBuildParams, CubePar, OutputType, Weight, header};
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
    for exposure in exposures {
        if !exposure.meta.is_miri() {
            return Err(Error::input_file(
                &exposure.meta.source,
                "cube_build makes cubes of MIRI MRS exposures; this is none (keyword INSTRUME)",
            ));
        }
    }
    let params = checked(params).map_err(|e| e.with_path(&first.meta.source))?;
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
fn checked(params: &CubeBuildParams) -> Result<CubeBuildParams> {
    let mut p = params.clone();
    if p.coord_system == CoordSystem::InternalCal {
        return Err(Error::parameter(
            "cube_build: coord_system = internal_cal is not possible for MIRI; use ifualign",
        ));
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
        let bands = self.parts.iter().map(|p| file.band(p.channel, p.band));
        let bands = bands.collect::<Result<Vec<_>>>()?;
        let scales = Scales::new(params, &bands, file, self.members().count())?;
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
                let (pixels, footprint) = Pixels::map(
                    exposure,
                    part.columns(),
                    offset,
                    params.weighting == Weight::Drizzle,
                    exec,
                )?;
                let keyword = self
                    .trusts_keyword(exposure)
                    .then(|| Footprint::of_keyword(&exposure.meta));
                let Some(Footprint(corner)) = keyword.flatten().or(footprint) else {
                    return Err(Error::science(format!(
                        "no pixel of channel {} has a place on the sky",
                        part.channel
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
        let geometry = Geometry::new(grid, scales.weighting.clone(), sources);
        Ok((geometry, scales))
    }

    /// Whether the corners of an exposure are taken from its keyword.
    fn trusts_keyword(&self, exposure: &Cal) -> bool {
        let params = &self.params;
        let turned = params.coord_system != CoordSystem::Skyalign || params.cube_pa.is_some();
        let wider = self.parts.iter().any(|p| matches!(p.channel, 1 | 3));
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
        let blanked = blank_sparse_planes(&mut voxels, grid.nxy());
        let label = label(&self.parts);
        if blanked > 0 {
            tracing::info!("cube_build: {label}: {blanked} planes at the ends of bands taken out");
        }
        let members: Vec<&Cal> = self.members().map(|i| &exposures[i]).collect();
        let channels: std::collections::BTreeSet<u8> =
            self.parts.iter().map(|p| p.channel).collect();
        let (meta, headers) = header::of_cube(
            &members,
            exposures.len() > 1,
            &channels,
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
    let wcs = Gwcs::from_node(exposure.need_wcs()?).map_err(named)?;
    let lambda = Pixels::middle_wavelength(&wcs, exposure, part.columns()).map_err(named)?;
    let sky = wcs
        .between(
            "alpha_beta",
            wcs.last(),
            &[&[0.0, 2.0], &[0.0, 0.0], &[lambda, lambda]],
        )
        .map_err(named)?;
    let (ra, dec) = (&sky[0], &sky[1]);
    let east = (ra[1] - ra[0]) * (dec[0] * std::f64::consts::PI / 180.0).cos();
    let north = dec[1] - dec[0];
    let angle = 90.0 + east.atan2(north) * 180.0 / std::f64::consts::PI;
    if angle.is_nan() {
        return Err(named(Error::science(format!(
            "the slices of channel {} have no direction on the sky",
            part.channel
        ))));
    }
    Ok(angle)
}
