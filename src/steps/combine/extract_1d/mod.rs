//! # extract_1d: extracts a spectrum from a cube
//!
//! ## What
//! Sums the brightness of a point source in a circle whose radius grows with the wavelength, less the background of
//! a ring about it, or that of an extended source over the whole cube.
//!
//! ## Why
//! The flux density of an unresolved moon or the mean brightness of a field is a spectrum, not a cube.
//!
//! ## Algorithm
//! 1. The source type is that of srctype (`SRCTYPE`, of `ifu_set_srctype` for MIRI MRS); what is neither POINT nor
//!    EXTENDED is EXTENDED.
//! 2. POINT: the centre is `center_xy`, else the brightest source found in the median over the wavelengths
//!    (`ifu_autocen`), else the pixel nearest to `TARG_RA`, `TARG_DEC`; the middle of the cube where that is not
//!    inside. Radii come from the extract1d reference, drawn as straight lines between its wavelengths and turned into
//!    pixels with the size of one at the target.
//! 3. Of each plane, pixels with weight count, as whole where they have weight 1 or more, each with the part of it that
//!    is inside the circle (by area or by points, as the reference says). The background is the sum over the ring of
//!    pixels within `bkg_sigma_clip` standard deviations of the mean of the plane after sigma clipping, times the ratio
//!    of the areas. Planes whose aperture has no valid pixel are flagged DO_NOT_USE.
//! 4. EXTENDED: every valid pixel counts and no background is subtracted; as background stands what sigma clipping
//!    leaves of the plane.
//! 5. Errors are the root of the summed variances (of the background too), times `ifu_covar_scale`.
//! 6. Residual fringes of flux, surface brightness and background are corrected into the `RF_` columns, for cubes of
//!    one MIRI band.
//! 7. The flux is the sum times the solid angle of a pixel, the surface brightness the sum over the number of pixels.
//! 8. POINT: flux, surface brightness and their errors are multiplied with the aperture correction, drawn as straight
//!    lines between the wavelengths and radii of the apcorr reference.
//!
//! ## Parameters
//! `subtract_background`, `apply_apcorr`, `center_xy`, `ifu_autocen`, `bkg_sigma_clip`, `ifu_rfcorr`,
//! `ifu_set_srctype`, `ifu_rscale`, `ifu_covar_scale`; those of other modes are accepted and not used.
//!
//! ## Reference files
//! `extract1d`; `apcorr` with `apply_apcorr`.
//!
//! ## Skipped when
//! no extract1d reference applies; there is no cube.
//!
//! ## Differs from jwst
//! Values are the same to the bit but where the size of a pixel in degrees differs in its last bits, which moves the
//! flux of point sources by less than 1e-8 of it; `RF_` columns differ by their fits' rounding, 1e-13 at most.
//! The spectra of a set are one after the other decided on residual fringes; calwebb turns the correction off for all
//! that follow a cube of several bands. Planes without wavelength are an error for point sources, where calwebb stops
//! with an exception. References are chosen once for a set of cubes, by the first.
//!
//! ## References
//! jwst 3.0.0 `extract_1d` (`ifu.py`, `apply_apcorr.py`); photutils 3.0 `aperture`; Law et al. 2025, AJ 169, 67 (MRS).

mod aperture;
mod autocen;
mod clip;
mod columns;
mod interpolate;
mod params;
mod photometry;
mod place;
mod reference;

pub use params::Extract1dParams;

use aperture::Circle;
use columns::{Columns, Making, planes_with_wavelength};
use photometry::Target as Aim;
use place::Place;
use reference::{Apertures, Corrections};

use crate::exec::Exec;
use crate::formats::fits::{Header, Value};
use crate::model::{Cube, Cubes, Meta, Spectra, Spectrum};
use crate::steps::step::{Info, RefPaths, Reference, Step, Target};
use crate::{Error, Result};

/// The step.
pub struct Extract1d;

/// Its reference files.
#[derive(Debug)]
pub struct Extract1dRefs {
    apertures: Apertures,
    corrections: Option<Corrections>,
}

/// What kind of source is extracted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Point,
    Extended,
}

impl Step for Extract1d {
    const INFO: Info = Info {
        name: "extract_1d",
        class: "Extract1dStep",
        keyword: "S_EXTR1D",
        title: "1-D Spectral Extraction",
        skip: false,
        references: &[
            Reference {
                kind: "extract1d",
                required: true,
            },
            Reference {
                kind: "apcorr",
                required: false,
            },
        ],
    };
    const SOURCE: &'static str = include_str!("mod.rs");
    type In = Cubes;
    type Out = Spectra;
    type Params = Extract1dParams;
    type Refs = Extract1dRefs;

    fn not_applicable(input: &Cubes, params: &Self::Params) -> Result<Option<String>> {
        params.check()?;
        Ok(input.0.is_empty().then(|| "there is no cube".to_owned()))
    }

    fn uses(kind: &str, params: &Self::Params) -> bool {
        kind != "apcorr" || params.apply_apcorr
    }

    fn load(paths: &RefPaths, _: &Target, params: &Self::Params) -> Result<Extract1dRefs> {
        params.check()?;
        let corrections = paths.get("apcorr").filter(|_| params.apply_apcorr);
        Ok(Extract1dRefs {
            apertures: Apertures::read(paths.need("extract1d")?)?,
            corrections: corrections.map(Corrections::read).transpose()?,
        })
    }

    fn run(
        input: Cubes,
        refs: &Extract1dRefs,
        params: &Self::Params,
        exec: &Exec,
    ) -> Result<Spectra> {
        let extract = |cube: Cube| {
            exec.check()?;
            extract(cube, refs, params, exec)
        };
        Ok(Spectra(
            input.0.into_iter().map(extract).collect::<Result<_>>()?,
        ))
    }
}

fn extract(
    cube: Cube,
    refs: &Extract1dRefs,
    params: &Extract1dParams,
    exec: &Exec,
) -> Result<Spectrum> {
    check_sizes(&cube)?;
    let meta = &cube.meta;
    let source = source_type(meta, params);
    let place = Place::of(&cube)?;
    let middle = (cube.nx as f64 / 2.0, cube.ny as f64 / 2.0);
    let [ra, dec, waves] = place.along(middle.0, middle.1, cube.nz)?;
    let (ra, dec) = (ra[cube.nz / 2], dec[cube.nz / 2]);

    let (center, mut sums, corrections) = match source {
        Source::Extended => {
            let sums = photometry::extended(&cube, params.bkg_sigma_clip, exec);
            (Center::Found(middle.0 - 0.5, middle.1 - 0.5), sums, None)
        }
        Source::Point => {
            if waves.iter().any(|w| !w.is_finite()) {
                return Err(Error::input_file(
                    &meta.source,
                    "some planes have no wavelength, so that their apertures are not known",
                ));
            }
            let center = center(&cube, &place, &waves, params)?;
            let dispersion = meta.i64("DISPAXIS").unwrap_or(2);
            let arcsec = |(ra, dec): (f64, f64), wave: f64| {
                place
                    .scale(ra, dec, wave, dispersion)
                    .map(|s| s * 3600.0)
                    .and_then(|s| positive(s, meta))
            };
            let at = match center {
                Center::Target(..) => target_position(meta)
                    .ok_or_else(|| Error::input_file(&meta.source, "TARG_RA is missing"))?,
                Center::Found(..) => (meta.need_f64("CRVAL1")?, meta.need_f64("CRVAL2")?),
            };
            let pixel = arcsec(at, waves[0])?;
            let aims = aims(&refs.apertures, &waves, center.xy(), pixel, meta, params)?;
            let sums = photometry::point(
                &cube,
                &aims,
                refs.apertures.method,
                params.bkg_sigma_clip,
                exec,
            );
            let radii: Vec<f64> = aims.iter().map(|a| a.aperture.radius).collect();
            let factors = match &refs.corrections {
                Some(c) => Some(c.factors(&waves, &radii, arcsec((ra, dec), waves[0])?)),
                None => None,
            };
            (center, sums, factors)
        }
    };

    let kept = planes_with_wavelength(&waves, &mut sums);
    let making = Making {
        pixel: pixel_area(meta),
        covariance: params.ifu_covar_scale,
        defringed: meta.is_miri(),
        fringes_of: band_channel(meta).filter(|_| params.ifu_rfcorr),
    };
    let mut columns = Columns::new(&waves[kept.clone()], &sums[kept], &making, exec);
    if let Some(factors) = corrections {
        columns.correct(&factors);
    }
    let (mut header, table) = columns.table();
    describe(&mut header, meta, source, center, (ra, dec));
    let model = if meta.is_miri() {
        "MRSMultiSpecModel"
    } else {
        "MultiSpecModel"
    };
    Ok(Spectrum {
        label: cube.label,
        model,
        tables: vec![(header, table)],
        extra: Vec::new(),
        meta: without_cube_cards(cube.meta),
    })
}

/// Where the aperture is centred.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Center {
    /// On a pixel, that of the target.
    Target(usize, usize),
    /// Anywhere.
    Found(f64, f64),
}

impl Center {
    fn xy(self) -> (f64, f64) {
        match self {
            Self::Target(x, y) => (x as f64, y as f64),
            Self::Found(x, y) => (x, y),
        }
    }
}

fn center(cube: &Cube, place: &Place, waves: &[f64], params: &Extract1dParams) -> Result<Center> {
    if let Some((x, y)) = params.center() {
        return Ok(Center::Found(x, y));
    }
    if params.ifu_autocen {
        match autocen::brightest(cube, waves) {
            Some((x, y)) => return Ok(Center::Found(x, y)),
            None => {
                tracing::warn!("extract_1d: no source was found; the target's position is used")
            }
        }
    }
    let target = match target_position(&cube.meta) {
        Some((ra, dec)) => place.nearest(ra, dec, cube)?,
        None => None,
    };
    Ok(match target {
        Some((x, y)) => Center::Target(x, y),
        None => {
            tracing::warn!(
                "extract_1d: TARG_RA, TARG_DEC are not inside of the cube; the aperture is centred"
            );
            Center::Found(cube.nx as f64 / 2.0, cube.ny as f64 / 2.0)
        }
    })
}

fn target_position(meta: &Meta) -> Option<(f64, f64)> {
    Some((meta.f64("TARG_RA")?, meta.f64("TARG_DEC")?))
}

/// The aperture and the ring of each plane.
fn aims(
    apertures: &Apertures,
    waves: &[f64],
    center: (f64, f64),
    pixel: f64,
    meta: &Meta,
    params: &Extract1dParams,
) -> Result<Vec<Aim>> {
    let fwhm = params.ifu_rscale.filter(|_| meta.is_miri());
    let [radius, inner, outer] = apertures.radii(waves, fwhm);
    let mut subtract = params
        .subtract_background
        .unwrap_or(apertures.subtract_background);
    let mut aims = Vec::with_capacity(waves.len());
    for (k, wave) in waves.iter().enumerate() {
        let [radius, inner, outer] = [radius[k], inner[k], outer[k]].map(|r| r / pixel);
        if !(radius > 0.0 && radius.is_finite()) {
            return Err(Error::reference(format!(
                "the EXTRACT1D reference file gives a radius of {radius} pixels at {wave} micron; another is needed"
            )));
        }
        let ring = inner > 0.0 && outer > 0.0 && inner < outer;
        if subtract && !ring {
            tracing::warn!(
                "extract_1d: the ring of the background has no area at {wave} micron; from there on none is subtracted"
            );
            subtract = false;
        }
        let circle = |radius, inner| Circle {
            center,
            radius,
            inner,
        };
        aims.push(Aim {
            aperture: circle(radius, None),
            ring: subtract.then(|| circle(outer, Some(inner))),
        });
    }
    Ok(aims)
}

fn positive(scale: f64, meta: &Meta) -> Result<f64> {
    if scale > 0.0 && scale.is_finite() {
        return Ok(scale);
    }
    Err(Error::input_file(
        &meta.source,
        format!("its WCS gives pixels of {scale} arcsec"),
    ))
}

fn check_sizes(cube: &Cube) -> Result<()> {
    let n = cube.nz * cube.ny * cube.nx;
    let same = [&cube.sci, &cube.err, &cube.wmap]
        .iter()
        .all(|a| a.len() == n);
    if n == 0 || !same {
        return Err(Error::input_file(
            &cube.meta.source,
            format!(
                "the cube has {} x {} x {} voxels, and SCI, ERR and WMAP must have as many",
                cube.nz, cube.ny, cube.nx
            ),
        ));
    }
    Ok(())
}

fn source_type(meta: &Meta, params: &Extract1dParams) -> Source {
    let own = meta.sci.str("SRCTYPE").or_else(|| meta.str("SRCTYPE"));
    let miri = meta.str("EXP_TYPE") == Some("MIR_MRS");
    let set = params.ifu_set_srctype.as_deref().filter(|_| miri);
    match set.or(own).map(str::to_ascii_uppercase).as_deref() {
        Some("POINT") => Source::Point,
        Some("EXTENDED") => Source::Extended,
        other => {
            tracing::warn!(
                "extract_1d: the source type is {}; it is taken as EXTENDED",
                other.unwrap_or("not set")
            );
            Source::Extended
        }
    }
}

/// Solid angle of a pixel, sr.
fn pixel_area(meta: &Meta) -> f64 {
    meta.sci
        .f64("PIXAR_SR")
        .or_else(|| meta.f64("PIXAR_SR"))
        .unwrap_or_else(|| {
            tracing::warn!(
                "extract_1d: PIXAR_SR is missing; the flux is not in Jy but in MJy/sr summed over pixels"
            );
            1.0
        })
}

/// The channel of a MIRI cube that is of a single band.
fn band_channel(meta: &Meta) -> Option<u8> {
    let miri = meta.str("EXP_TYPE") == Some("MIR_MRS") && meta.is_miri();
    let band = meta.str("BAND")?.to_ascii_lowercase();
    let single = ["short", "medium", "long"].contains(&band.as_str());
    let channel = match meta.str("CHANNEL")? {
        "1" => 1,
        "2" => 2,
        "3" => 3,
        "4" => 4,
        _ => return None,
    };
    (miri && single).then_some(channel)
}

/// Cards of the table that say what was extracted, and where.
fn describe(
    header: &mut Header,
    meta: &Meta,
    source: Source,
    center: Center,
    (ra, dec): (f64, f64),
) {
    header.set("EXTVER", 1i64, "extension value");
    if let Some(name) = meta.str("EXP_TYPE").filter(|n| *n != "ANY") {
        header.set("SLTNAME", name, "Slit name");
    }
    let kind = match source {
        Source::Point => "POINT",
        Source::Extended => "EXTENDED",
    };
    header.set("SRCTYPE", kind, "Source type used for calibration");
    let [x, y]: [Value; 2] = match center {
        Center::Target(x, y) => [x.into(), y.into()],
        Center::Found(x, y) => [x.into(), y.into()],
    };
    header.set("EXTR_X", x, "X center of extraction region");
    header.set("EXTR_Y", y, "Y center of extraction region");
    header.set("SLIT_RA", ra, "[deg] Right Ascension at middle of slit");
    header.set("SLIT_DEC", dec, "[deg] Declination at middle of slit");
    if let Some(detector) = meta.str("DETECTOR") {
        let what = "Name of detector used to acquire the data";
        header.set("DETECTOR", detector, what);
    }
    if let Some(angle) = meta.f64("PA_APER") {
        header.set("PA_APER", angle, "[deg] Position angle of aperture used");
    }
}

/// Primary cards that only a cube has, and the title above them.
const CUBE_CARDS: &[&str] = &[
    "FLUXEXT", "ERREXT", "ERRTYPE", "MASKEXT", "ROIS", "ROIW", "WTYPE", "WPOWER",
];

fn without_cube_cards(mut meta: Meta) -> Meta {
    let cards = meta.primary.cards();
    let title = cards
        .iter()
        .position(|c| c.value == Value::Commentary && c.comment.trim() == "IFU cube parameters");
    let mut dropped: Vec<usize> = Vec::new();
    if let Some(at) = title {
        let blank = |i: usize| {
            cards
                .get(i)
                .is_some_and(|c| c.value == Value::Commentary && c.comment.trim().is_empty())
        };
        dropped.push(at);
        dropped.extend(
            [at.wrapping_sub(1), at + 1]
                .into_iter()
                .filter(|i| blank(*i)),
        );
    }
    let mut at = 0;
    meta.primary.retain(|card| {
        let keep = !dropped.contains(&at) && !CUBE_CARDS.contains(&card.keyword.as_str());
        at += 1;
        keep
    });
    meta
}
