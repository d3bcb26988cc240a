//! # cube_build: spectral cubes of dithered exposures
//!
//! ## What
//! Combines the detector images of an integral field unit into cubes with two axes on the sky and one of wavelength.
//!
//! ## Why
//! On the detector the slices of the field lie side by side, curved, tilted and irregular in wavelength. A cube is regular,
//! and dithered exposures fill each other's gaps in it.
//!
//! ## Algorithm
//! 1. Which cubes: one for each channel and band, each channel, or all (`output_type`); `channel` and `band` choose among them. Of
//!    NIRSpec one for each grating and filter, or one for all; `grating` and `filter` choose.
//! 2. The grid: sizes of voxels and range of wavelengths from the cubepar reference; the corners of all exposures, projected on the
//!    plane that touches the sky in their middle (turned with the slices of the first exposure for `ifualign`, by `cube_pa`
//!    for `skyalign`), give the size. Corners are the outermost pixels of the channel; for targets that do not move, `S_REGION`
//!    where the cube has neither channel 1 nor 3 or is of type multi, and of NIRSpec's (unless the plane is turned).
//! 3. Pixels flagged `DO_NOT_USE` or `NON_SCIENCE`, and those with NaN in values, errors or variances are left out.
//! 4. `drizzle`: a pixel is the quadrangle of its slice's width and its columns' (of NIRSpec its rows') sides on the sky, times its part of the spectrum;
//!    it counts in each voxel with the volume in common. `emsm`, `msm`: a pixel is a point that counts in the voxels within
//!    `rois` and `roiw`, less with distance (exponentially; by a power). A voxel is the weighted mean, its error the
//!    root of the sum of (weight times error) squared over the sum of weights. Sums are in double precision, by exposure.
//! 5. Voxels that no pixel reaches are NaN and flagged `DO_NOT_USE` and `NON_SCIENCE`. Of MIRI planes with less than 0.75 of the
//!    third percentile of good voxels are blanked: at the ends of bands only some of the slices have data. Of NIRSpec empty voxels on the lines
//!    of slices, away from the edge of the field, are holes, flagged `DO_NOT_USE` alone (not with `skip_dqflagging`).
//! 6. `internal_cal`: a cube of one exposure in the plane of NIRSpec's slicer, each slice a column; pixels count by the area that they and a
//!    voxel have in common along the slice and the spectrum.
//!
//! Weights depend on pointing and grid only. [`Geometry`] works them out once for any number of sets of images
//! (SCI and ERR each), keeping them as far as memory is allowed for it.
//!
//! ## Parameters
//! As listed; `filter` and `grating` are of NIRSpec, `channel` and `band` of MIRI. `rois`, `roiw`, `weight_power`
//! do not count in cubes with a table of wavelengths (multi), which has its own. `suffix` and `output_use_model` name files,
//! which is left to the program.
//!
//! ## Reference files
//! `cubepar`.
//!
//! ## Skipped when
//! never.
//!
//! ## Differs from jwst
//! - jwst marks the field of view before it looks at the weights, so as to find holes. For MIRI its code never marks a
//!   voxel (the upper limit in eta it compares with is the lower one), so no hole is ever found; we leave that out, and
//!   `skip_dqflagging` changes nothing in either.
//! - `internal_cal` is refused for MIRI by jwst too. In such cubes jwst writes a WCS that lacks the reference values, and the
//!   footprint on the slicer as if it were on the sky; ours have neither.
//! - Of NIRSpec exposures across right ascension 0 jwst looks for the corners slice by slice, on either side, and may lose some; we
//!   take all slices together. `output_type = channel`, with which jwst makes no cube of them, is an error.
//! - Where a NIRSpec WCS takes the number of the slice (`nrs_ifu_slice_wcs`) a pixel between the bounds of two slices counts for the
//!   corners of the field by the slice it goes to; in jwst by both.
//! - jwst takes `S_REGION` only where the product's tree also has the wavelengths the exposure spans, as every product of assign_wcs has.
//! - Positions on the sky differ in the last bit for a few pixels (numpy's vector functions and fused multiplications), and
//!   the areas of overlap are of single precision (see `overlap`): some voxels in 10,000 differ in the last bit, a few at the edge
//!   of the field by up to 1e-5 of their value, where one sliver of a pixel is all there is. `PCi_j` of `ifualign` agree to 1e-10.
//! - Fields without data at all are an error; jwst writes a cube of NaN.
//! - A cube that would have no planes, or more voxels than 32 bits count, is an error; jwst stops with an exception or
//!   runs out of memory.
//! - `debug_spaxel` is checked, but pixels behind a voxel are not printed.
//! - jwst numbers the cubes of `output_type = channel` in no fixed order; ours go by channel.
//!
//! ## References
//! jwst 3.0.0 `cube_build`; Law et al. 2023, AJ 166, 45; Sutherland and Hodgman 1974, CACM 17, 32.

mod build;
mod cubepar;
mod field;
mod footprint;
mod geometry;
mod grid;
mod header;
mod internal;
mod offsets;
mod overlap;
mod pixels;
mod quality;
mod scales;
mod selection;
mod shepard;
mod slices;
mod tangent;

pub use build::{Plan, plan};
pub use cubepar::CubePar;
pub use geometry::{Geometry, Source, Voxels, Weighting};
pub use grid::Grid;
pub use tangent::Tangent;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::exec::Exec;
use crate::model::{Cal, Cube, Cubes, Exposures, dq};
use crate::steps::step::{Info, RefPaths, Reference, Step, Target};
use crate::{Error, Result};

/// Declares a choice: an enumeration with the names calwebb gives its values.
macro_rules! choice {
    ($(#[doc = $doc:literal])* $name:ident { $($(#[doc = $what:literal])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name { $($(#[doc = $what])* #[serde(rename = $text)] $variant),* }
        impl $name {
            /// calwebb's name of the value.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}

choice! {
    /// Channels of the MRS.
    Channels {
        /// Channel 1.
        One = "1",
        /// Channel 2.
        Two = "2",
        /// Channel 3.
        Three = "3",
        /// Channel 4.
        Four = "4",
        /// All that there are.
        All = "all",
    }
}
choice! {
    /// Bands of the MRS.
    Bands {
        /// Short (A).
        Short = "short",
        /// Medium (B).
        Medium = "medium",
        /// Long (C).
        Long = "long",
        /// Channels 1, 4 short, 2, 3 medium.
        ShortMedium = "short-medium",
        /// Channels 1, 4 short, 2, 3 long.
        ShortLong = "short-long",
        /// Channels 1, 4 medium, 2, 3 short.
        MediumShort = "medium-short",
        /// Channels 1, 4 medium, 2, 3 long.
        MediumLong = "medium-long",
        /// Channels 1, 4 long, 2, 3 short.
        LongShort = "long-short",
        /// Channels 1, 4 long, 2, 3 medium.
        LongMedium = "long-medium",
        /// All that there are.
        All = "all",
    }
}
choice! {
    /// Gratings of NIRSpec.
    Gratings {
        /// The prism.
        Prism = "prism",
        /// G140M.
        G140m = "g140m",
        /// G140H.
        G140h = "g140h",
        /// G235M.
        G235m = "g235m",
        /// G235H.
        G235h = "g235h",
        /// G395M.
        G395m = "g395m",
        /// G395H.
        G395h = "g395h",
        /// All that there are.
        All = "all",
    }
}
choice! {
    /// Filters of NIRSpec.
    Filters {
        /// CLEAR.
        Clear = "clear",
        /// F100LP.
        F100lp = "f100lp",
        /// F070LP.
        F070lp = "f070lp",
        /// F170LP.
        F170lp = "f170lp",
        /// F290LP.
        F290lp = "f290lp",
        /// All that there are.
        All = "all",
    }
}
choice! {
    /// What goes into one cube.
    OutputType {
        /// One channel in one band.
        Band = "band",
        /// One channel.
        Channel = "channel",
        /// One grating of NIRSpec.
        Grating = "grating",
        /// Everything.
        Multi = "multi",
    }
}
choice! {
    /// How pixels are combined.
    Weight {
        /// Modified Shepard method with exponential weights.
        Emsm = "emsm",
        /// Modified Shepard method.
        Msm = "msm",
        /// By the volume in common.
        Drizzle = "drizzle",
    }
}
choice! {
    /// What the axes of the cube follow.
    CoordSystem {
        /// North up, or as `cube_pa` says.
        Skyalign = "skyalign",
        /// Another name of skyalign.
        World = "world",
        /// The local plane of the IFU; NIRSpec only.
        InternalCal = "internal_cal",
        /// The slices of the first exposure.
        Ifualign = "ifualign",
    }
}

crate::params! {
    /// Parameters of cube_build.
    pub struct CubeBuildParams {
        /// Channel to make cubes of: 1, 2, 3, 4 or all.
        channel: Channels = Channels::All,
        /// Band to make cubes of: short, medium, long, short-medium, short-long, medium-short, medium-long, long-short,
        /// long-medium or all.
        band: Bands = Bands::All,
        /// Grating to make cubes of (NIRSpec): prism, g140m, g140h, g235m, g235h, g395m, g395h or all.
        grating: Gratings = Gratings::All,
        /// Filter to make cubes of (NIRSpec): clear, f100lp, f070lp, f170lp, f290lp or all.
        filter: Filters = Filters::All,
        /// What goes into one cube: band, channel, grating or multi.
        output_type: OutputType = OutputType::Band,
        /// Equal steps in wavelength; otherwise, and always with output_type = multi, those of the cubepar reference's table.
        linear_wave: bool = true,
        /// Size of spaxels in arcsec; 0 for that of the cubepar reference.
        scalexy: f64 = 0.0,
        /// Step in wavelength in micron; 0 for that of the cubepar reference.
        scalew: f64 = 0.0,
        /// How pixels are combined: emsm, msm or drizzle.
        weighting: Weight = Weight::Drizzle,
        /// What the axes follow: skyalign (or world), internal_cal (NIRSpec) or ifualign.
        coord_system: CoordSystem = CoordSystem::Skyalign,
        /// Right ascension of the cube's centre in degrees.
        ra_center: Option<f64> = None,
        /// Declination of the cube's centre in degrees.
        dec_center: Option<f64> = None,
        /// Position angle of the cube in degrees, east of north.
        cube_pa: Option<f64> = None,
        /// Number of spaxels along x, odd; one more for an even one.
        nspax_x: Option<i64> = None,
        /// Number of spaxels along y, odd; one more for an even one.
        nspax_y: Option<i64> = None,
        /// Radius of the region of influence on the sky in arcsec (emsm, msm); 0 for that of the cubepar reference.
        rois: f64 = 0.0,
        /// Half its length along the spectrum in micron (emsm, msm); 0 for that of the cubepar reference.
        roiw: f64 = 0.0,
        /// Power of the weights of msm; 0 for that of the cubepar reference.
        weight_power: f64 = 2.0,
        /// Shortest wavelength in micron.
        wavemin: Option<f64> = None,
        /// Longest wavelength in micron.
        wavemax: Option<f64> = None,
        /// Do not look for holes in the field of view (which makes no difference for MIRI).
        skip_dqflagging: bool = false,
        /// Name products as the models say.
        output_use_model: bool = true,
        /// Suffix of products.
        suffix: String = String::from("s3d"),
        /// ASDF file of offsets of the exposures on the sky.
        offset_file: Option<String> = None,
        /// x, y and plane (from 0) of a voxel to look into; not used.
        debug_spaxel: String = String::from("-1 -1 -1"),
    }
}

/// The step.
pub struct CubeBuild;

impl Step for CubeBuild {
    const INFO: Info = Info {
        name: "cube_build",
        class: "CubeBuildStep",
        keyword: "S_IFUCUB",
        title: "IFU Cube Creation",
        skip: false,
        references: &[Reference {
            kind: "cubepar",
            required: true,
        }],
    };
    const SOURCE: &'static str = include_str!("mod.rs");
    type In = Exposures;
    type Out = Cubes;
    type Params = CubeBuildParams;
    type Refs = CubePar;

    fn load(paths: &RefPaths, _: &Target, params: &CubeBuildParams) -> Result<CubePar> {
        CubePar::read(paths.need("cubepar")?, params.weighting)
    }

    fn run(
        input: Exposures,
        refs: &CubePar,
        params: &CubeBuildParams,
        exec: &Exec,
    ) -> Result<Cubes> {
        let mut made = together(vec![input], refs, params, exec)?;
        made.pop().unwrap_or(Ok(Cubes(Vec::new())))
    }

    fn run_alike(
        inputs: Vec<Exposures>,
        refs: &CubePar,
        params: &CubeBuildParams,
        exec: &Exec,
    ) -> Vec<Result<Cubes>> {
        if have_one_geometry(&inputs) {
            let n = inputs.len();
            return match together(inputs, refs, params, exec) {
                Ok(all) => all,
                Err(e) => (0..n).map(|_| Err(e.clone())).collect(),
            };
        }
        let one = |input| Self::run(input, refs, params, exec);
        inputs.into_iter().map(one).collect()
    }
}

/// Whether sets of exposures have the same number, sizes and WCS.
fn have_one_geometry(sets: &[Exposures]) -> bool {
    let Some((first, others)) = sets.split_first() else {
        return true;
    };
    let alike = |a: &Cal, b: &Cal| match (&a.wcs, &b.wcs) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a.is_same(b),
        (a, b) => a.is_none() && b.is_none(),
    };
    others.iter().all(|other| {
        other.science.len() == first.science.len()
            && first.science.iter().zip(&other.science).all(|(a, b)| {
                (a.ny, a.nx) == (b.ny, b.nx)
                    && alike(a, b)
                    && a.meta.sci.str("S_REGION") == b.meta.sci.str("S_REGION")
            })
    })
}

/// Cubes of several sets of exposures that differ in their values only (of ramps cut to fewer groups, say): the geometry
/// is that of the first set and worked out once. Each set's cubes are those that it would give alone, bit for bit.
///
/// # Errors
/// As the step. The inner error is that of a set without a valid pixel.
fn together(
    mut sets: Vec<Exposures>,
    file: &CubePar,
    params: &CubeBuildParams,
    exec: &Exec,
) -> Result<Vec<Result<Cubes>>> {
    for cal in sets.iter_mut().flat_map(|s| &mut s.science) {
        // nor further images
        cal.extra.clear();
        // of the variances counts only where there is none: a cube's errors come from the image's errors
        let flat = cal.var_flat.take().unwrap_or_default();
        let (poisson, read) = (&mut cal.var_poisson, &mut cal.var_rnoise);
        for variances in [std::mem::take(poisson), std::mem::take(read), flat] {
            for (flags, variance) in cal.dq.iter_mut().zip(variances) {
                if variance.is_nan() {
                    *flags |= dq::DO_NOT_USE;
                }
            }
        }
    }
    let Some(first) = sets.first() else {
        return Ok(Vec::new());
    };
    let mut cubes: Vec<Vec<Cube>> = sets.iter().map(|_| Vec::new()).collect();
    for plan in plan(&first.science, params)? {
        if plan.is_internal() {
            for (set, cubes) in sets.iter().zip(&mut cubes) {
                cubes.push(plan.internal(&set.science, file, exec)?);
            }
            continue;
        }
        let (geometry, scales) = plan.geometry(&first.science, file, exec)?;
        let images: Vec<Vec<&Cal>> = sets.iter().map(|s| s.science.iter().collect()).collect();
        let voxels = geometry.apply(&images, exec)?;
        for ((set, cubes), voxels) in sets.iter().zip(&mut cubes).zip(voxels) {
            cubes.push(plan.product(&set.science, geometry.grid(), &scales, voxels)?);
        }
    }
    let checked = sets.iter().zip(cubes).map(|(set, cubes)| {
        let empty = |c: &Cube| c.dq.iter().all(|q| q & dq::DO_NOT_USE != 0);
        if cubes.iter().all(empty) {
            return Err(Error::science(
                "no valid pixel reaches the cube: all are flagged, NaN, or out of its wavelengths and field",
            )
            .with_path(&set.science[0].meta.source));
        }
        for cube in cubes.iter().filter(|c| empty(c)) {
            tracing::warn!("cube_build: {}: no valid pixel reaches the cube", cube.label);
        }
        Ok(Cubes(cubes))
    });
    Ok(checked.collect())
}
