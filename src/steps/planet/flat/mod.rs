//! # flat: divide by a flat made from dithers
//!
//! ## What
//! Divides a cube of one dither by a synthetic flat of its band.
//!
//! ## Why
//! Cubes of bright extended targets keep stripes and swirls that are fixed to the detector, and not to the target. Flats
//! made by comparing the same places of a target in several dithers take them out (`sifu flat build`).
//!
//! ## Algorithm
//! 1. SCI is divided by the flat. A flat of other width or height is centred on the cube: cropped, or filled up with NaN.
//! 2. ERR is divided by it too; the flat's own standard error (extension `FLAT_ERR`, where the file has one)
//!    times SCI over the flat is added in quadrature.
//! 3. NaN of SCI gets `DO_NOT_USE`. A flat that is not above 0 gives NaN.
//! 4. The flat's extensions and its `FLAT GENERATION` cards go with the cube.
//!
//! ## Parameters
//! `flat`: a file, a pattern with `{channel}`, `{band}`, `{fringe}`, `{grating}`, `{filter}` (filled in in lower case; `fringe` is
//! `_fringe` where S_RESFRI is COMPLETE, else empty), or a folder of MIRI's flats, named
//! `ch{channel}-{band}_constructed_flat{fringe}.fits`. `compatible`.
//!
//! ## Reference files
//! None from CRDS.
//!
//! ## Skipped when
//! no flat is given; there is none for the cube's band; the cube combines dithers.
//!
//! ## Differs from jwst
//! jwst has no such step. The reference pipeline leaves ERR as it was, has no errors of flats, adds 1 to DQ
//! where SCI is NaN, divides by flats of 0 or less, does not look whether a flat is of the cube's band, and stops
//! where one is missing. `compatible` leaves ERR as it was and divides by whatever the flat holds.
//!
//! ## References
//! King et al. (2023), doi:10.3847/2515-5172/ad045f (`flat_field`).

pub mod file;

use std::path::Path;

use file::{flat_path, mismatch, place, read_flat};

use super::{note, voxels};
use crate::exec::Exec;
use crate::model::{Cube, Meta, SyntheticFlat};
use crate::steps::step::{Info, RefPaths, Step, Target};
use crate::{Error, Result};

crate::params! {
    /// Parameters of flat.
    pub struct FlatParams {
        /// The flat: a file, a pattern with {channel}, {band}, {fringe}, {grating}, {filter}, or a folder of MIRI's.
        flat: Option<String> = None,
        /// Leave ERR as it is and divide by any value, as the reference pipeline does.
        compatible: bool = false,
    }
}

/// The step.
pub struct FlatApply;

/// The cube's flat, or why it has none.
pub type FlatRef = std::result::Result<SyntheticFlat, String>;

/// Whether a cube joins several dithers: its association says so.
fn combines_dithers(meta: &Meta) -> bool {
    meta.str("ASNTABLE")
        .is_some_and(|a| a.contains("dither-combined"))
}

/// A voxel's value and error divided by the flat, whose error is `sigma`.
fn divide(sci: f32, err: f32, flat: f64, sigma: f64) -> (f32, f32) {
    let value = f64::from(sci) / flat;
    let error = f64::from(err) / flat;
    let own = if sigma > 0.0 {
        value * sigma / flat
    } else {
        0.0
    };
    (value as f32, error.hypot(own) as f32)
}

impl Step for FlatApply {
    const INFO: Info = Info {
        name: "flat",
        class: "FlatStep",
        keyword: "",
        title: "Flat from dithers",
        skip: false,
        references: &[],
    };
    const SOURCE: &'static str = include_str!("mod.rs");
    type In = Cube;
    type Out = Cube;
    type Params = FlatParams;
    type Refs = FlatRef;

    fn not_applicable(cube: &Cube, params: &FlatParams) -> Result<Option<String>> {
        if params.flat.is_none() {
            return Ok(Some(
                "no flat is given (flat.flat = a file, a pattern or a folder)".into(),
            ));
        }
        Ok(combines_dithers(&cube.meta)
            .then(|| "the cube combines dithers; a flat belongs to the cube of one".into()))
    }

    fn load(_: &RefPaths, target: &Target, params: &FlatParams) -> Result<FlatRef> {
        let Some(pattern) = &params.flat else {
            return Ok(Err("no flat is given".into()));
        };
        let path = flat_path(Path::new(pattern), &target.meta)?;
        if !path.exists() {
            return Ok(Err(format!("there is no flat {}", path.display())));
        }
        read_flat(&path).map(Ok)
    }

    fn not_usable(_: &Cube, refs: &FlatRef, _: &FlatParams) -> Result<Option<String>> {
        Ok(refs.as_ref().err().cloned())
    }

    fn run(mut cube: Cube, refs: &FlatRef, params: &FlatParams, exec: &Exec) -> Result<Cube> {
        let flat = refs.as_ref().map_err(|why| Error::reference(why.clone()))?;
        let shape = [cube.nz, cube.ny, cube.nx];
        let wrong = |what: String| {
            Error::input_file(
                &cube.meta.source,
                format!("{what} ({})", flat.source.display()),
            )
        };
        if let Some(other) = mismatch(flat, &cube.meta) {
            return Err(wrong(format!("the flat is of {other}")));
        }
        let [rows, columns] = place(flat, shape).map_err(wrong)?;
        let (plane, width) = (cube.plane().max(1), cube.nx.max(1));
        let (fy, fx) = (flat.ny, flat.nx);
        let images: Vec<_> = (cube.sci.chunks_mut(plane))
            .zip(cube.err.chunks_mut(plane))
            .enumerate()
            .collect();
        let compatible = params.compatible;
        exec.try_map(images, |(k, (sci, err))| {
            for (p, (v, e)) in sci.iter_mut().zip(err).enumerate() {
                let at = rows[p / width].zip(columns[p % width]);
                let at = at.map(|(y, x)| (k * fy + y) * fx + x);
                let value = at.map_or(f64::NAN, |i| flat.flat[i]);
                if compatible {
                    *v = (f64::from(*v) / value) as f32;
                    continue;
                }
                let value = if value > 0.0 { value } else { f64::NAN };
                let sigma = at.zip(flat.err.as_ref()).map_or(0.0, |(i, e)| e[i]);
                (*v, *e) = divide(*v, *e, value, sigma);
            }
            Ok(())
        })?;
        voxels::flag_nan(&cube.sci, &mut cube.dq);
        let h = &mut cube.meta.primary;
        note::add(h, "Flat field corrected", Some("FLAT"));
        for card in flat.generation_cards() {
            note::put(h, &card.keyword, card.value.clone(), &card.comment);
        }
        note::put(
            h,
            "FLAT RESHAPED",
            [flat.nz, flat.ny, flat.nx] != shape,
            "Flat cube reshaped to match science cube",
        );
        let (z, y, x) = (flat.nz, flat.ny, flat.nx);
        note::put(h, "FLAT ORIGINAL_SHAPE", format!("({z}, {y}, {x})"), "");
        cube.planes.extend(flat.planes.iter().cloned());
        Ok(cube)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::fits::Header;
    use crate::steps::planet::fixture;

    fn flat() -> SyntheticFlat {
        let values = [0.5, 1.0, 2.0, f64::NAN, -1.0, 0.0];
        let values = (0..18).map(|i| values[i % 6]).collect();
        let mut flat = SyntheticFlat::new(Header::new(), [2, 3, 3], values, Some(vec![0.1; 18]));
        flat.source = "ch1.fits".into();
        flat
    }

    #[test]
    fn errors_follow_and_the_flats_own_is_added() {
        let exec = Exec::new(Some(2)).unwrap();
        let cube = fixture::cube(2, 3, 3);
        let mut params = FlatParams {
            flat: Some("x".into()),
            ..FlatParams::default()
        };
        let refs = Ok(flat());
        let out = FlatApply::run(cube.clone(), &refs, &params, &exec).unwrap();
        assert_eq!(out.sci[0], cube.sci[0] * 2.0);
        let expect = (0.02f64).hypot(f64::from(cube.sci[0]) * 2.0 * 0.2);
        assert!((f64::from(out.err[0]) / expect - 1.0).abs() < 1e-6);
        for i in [3, 4, 5] {
            assert!(out.sci[i].is_nan() && out.err[i].is_nan() && out.dq[i] == 1);
        }
        assert_eq!(out.planes.len(), 3);
        assert_eq!(out.meta.primary.bool("FLAT RESHAPED"), Some(false));
        assert_eq!(
            out.meta.primary.str("FLAT ORIGINAL_SHAPE"),
            Some("(2, 3, 3)")
        );
        params.compatible = true;
        let theirs = FlatApply::run(cube.clone(), &refs, &params, &exec).unwrap();
        assert_eq!((theirs.sci[0], theirs.err[0]), (out.sci[0], cube.err[0]));
        assert_eq!((theirs.sci[4], theirs.dq[4]), (-cube.sci[4], 0));
        assert_eq!(theirs.sci[5], f32::INFINITY);
    }

    #[test]
    fn a_wider_cube_has_no_flat_at_its_edges() {
        let exec = Exec::new(Some(1)).unwrap();
        let params = FlatParams::default();
        let out = FlatApply::run(fixture::cube(2, 5, 3), &Ok(flat()), &params, &exec).unwrap();
        assert!(out.sci[0].is_nan() && out.dq[0] == 1 && out.sci[3].is_finite());
        assert_eq!(out.meta.primary.bool("FLAT RESHAPED"), Some(true));
        let odd = FlatApply::run(fixture::cube(2, 4, 3), &Ok(flat()), &params, &exec);
        assert!(odd.unwrap_err().to_string().contains("ch1.fits"));
    }

    #[test]
    fn no_flat_is_a_reason_to_skip() {
        let mut cube = fixture::cube(1, 1, 1);
        let mut params = FlatParams::default();
        assert!(FlatApply::not_applicable(&cube, &params).unwrap().is_some());
        params.flat = Some("no/such/{channel}.fits".into());
        assert!(FlatApply::not_applicable(&cube, &params).unwrap().is_none());
        let target = Target {
            meta: cube.meta.clone(),
            shape: crate::model::Shape {
                nints: 1,
                ngroups: 1,
                ny: 1,
                nx: 1,
            },
            out: None,
        };
        let refs = FlatApply::load(&RefPaths::default(), &target, &params).unwrap();
        let why = FlatApply::not_usable(&cube, &refs, &params).unwrap();
        assert!(why.unwrap().contains("no/such/1.fits"));
        let asn = "ch1_dither-combined_01_asn.json";
        cube.meta.primary.set("ASNTABLE", asn, "");
        assert!(FlatApply::not_applicable(&cube, &params).unwrap().is_some());
    }
}
