//! Navigation of an image: from its header and the directions of its pixels to backplanes and the cards that describe them.
//!
//! [`navigate`] works on directions, whatever they come from: [`Scene`] takes them from a cube, an exposure with slices or any image with
//! celestial coordinates. The planes themselves are [`crate::nav::planes`]; files are the caller's.

use std::sync::Arc;

use tracing::warn;

use super::pointing;
use crate::exec::Exec;
use crate::formats::fits::{Card, Data, Hdu, Header, Image};
use crate::model::date::utc_now;
use crate::model::{Cal, Cube};
use crate::nav::advice::barycentre_instead;
use crate::nav::observatory::{self, JWST};
use crate::nav::planes::{self, Field, Plane};
use crate::nav::{Aspect, Correction, Kernels, Observer};
use crate::wcs::{Celestial, map_of};
use crate::{Error, Result};

/// Title of the cards' block.
const TITLE: &str = "        Navigation metadata";
/// Pixels of a piece of an image that one thread works on.
const PIECE: usize = 4096;

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// Directions only, no body.
    pub basic: bool,
    /// Planes to make.
    pub planes: Vec<&'static Plane>,
    /// Body to navigate on instead of `TARGNAME`.
    pub target: Option<String>,
    /// Where the observer is instead of on the telescope of the header.
    pub observer: Option<String>,
    /// UTC epoch instead of the header's.
    pub epoch: Option<String>,
    /// What is subtracted from right ascension, arcsec on the sky (or of `raw` right ascension).
    pub ra_offset: f64,
    /// What is subtracted from declination, arcsec.
    pub dec_offset: f64,
    /// Right ascension itself is shifted by its offset, as the JWSTGiantPlanets navigator does.
    pub raw_offset: bool,
    /// By how much the field is turned about the body, degrees from north to east; it is turned back.
    pub roll: f64,
    /// Cards that say where offsets and roll are from.
    pub pointing: Vec<Card>,
    /// Surface above the body's, km.
    pub altitude: f64,
    /// Aberration correction.
    pub correction: Correction,
    /// A planet whose centre is not in the kernels is put at the barycentre of its system.
    pub barycentre: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            basic: false,
            planes: planes::nav17(),
            target: None,
            observer: None,
            epoch: None,
            ra_offset: 0.0,
            dec_offset: 0.0,
            raw_offset: false,
            roll: 0.0,
            pointing: Vec::new(),
            altitude: 0.0,
            correction: Correction::CN,
            barycentre: false,
        }
    }
}

/// Directions of an image's pixels.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Rows.
    pub ny: usize,
    /// Columns.
    pub nx: usize,
    /// Right ascension, degrees, `[y][x]`; NaN where a pixel has no direction.
    pub ra: Vec<f64>,
    /// Declination, degrees.
    pub dec: Vec<f64>,
}

impl Scene {
    /// An image of `ny` rows of `nx` pixels by the keywords of its header.
    ///
    /// # Errors
    /// [`Error::Input`] where they are no celestial WCS.
    pub fn of_image(header: &Header, ny: usize, nx: usize) -> Result<Self> {
        let [ra, dec] = Celestial::from_header(header)?.grid(ny, nx);
        Ok(Self { ny, nx, ra, dec })
    }

    /// A cube's images.
    ///
    /// # Errors
    /// [`Error::Input`] where it has no WCS.
    pub fn of_cube(cube: &Cube) -> Result<Self> {
        Self::of_image(&cube.meta.sci, cube.ny, cube.nx)
    }

    /// Every pixel of an exposure with slices, by the WCS it carries.
    ///
    /// # Errors
    /// [`Error::Input`] where it carries none.
    pub fn of_cal(cal: &Cal) -> Result<Self> {
        let map = Arc::unwrap_or_clone(map_of(cal)?);
        Ok(Self {
            ny: map.ny,
            nx: map.nx,
            ra: map.ra,
            dec: map.dec,
        })
    }

    /// Declination in the middle of the field, degrees.
    fn middle(&self) -> f64 {
        let ends = self
            .dec
            .iter()
            .filter(|d| d.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), d| {
                (a.min(*d), b.max(*d))
            });
        0.5 * (ends.0 + ends.1)
    }
}

/// What navigation makes.
#[derive(Clone, Debug)]
pub struct Navigation {
    /// Rows and columns of every plane.
    pub shape: [usize; 2],
    /// Planes with their values.
    pub planes: Vec<(&'static Plane, Vec<f64>)>,
    /// Cards for the primary header, without the block's title.
    pub cards: Vec<Card>,
    /// Right ascension and declination of every pixel, offsets included, degrees.
    pub directions: [Vec<f64>; 2],
    /// The body as it was seen; none for basic navigation.
    pub aspect: Option<Aspect>,
    /// Name of the navigator, as the reference's classes are called.
    pub class: &'static str,
}

impl Navigation {
    /// Header of a plane's extension.
    #[must_use]
    pub fn header(&self, plane: &Plane) -> Header {
        let mut header = Header::new();
        header.set("EXTNAME", plane.name, "extension name");
        if !plane.unit.is_empty() {
            header.set("BUNIT", plane.unit, "physical units of the array values");
        }
        header.set("ABOUT", plane.about, "");
        let made = format!("Backplane generated by {}", self.class);
        header.push(Card::commentary("COMMENT", &made));
        header
    }

    /// Puts the cards into a primary header, in the place of those of an earlier navigation.
    pub fn stamp(&self, primary: &mut Header) {
        let again = primary
            .cards()
            .iter()
            .any(|c| c.keyword.starts_with("NAV "));
        primary.retain(|c| !c.keyword.starts_with("NAV "));
        if !again {
            for text in ["", TITLE, ""] {
                primary.push(Card::commentary("", text));
            }
        }
        for card in &self.cards {
            primary.push(card.clone());
        }
    }

    /// Adds the planes to a cube, in the place of those of an earlier navigation.
    pub fn put_into(&self, cube: &mut Cube) {
        cube.planes.retain(|h| !is_plane(h, self.shape));
        let hdu = |(plane, values): &(&'static Plane, Vec<f64>)| Hdu {
            header: self.header(plane),
            data: Data::Image(Image::new(&self.shape, values.clone())),
        };
        cube.planes.extend(self.planes.iter().map(hdu));
        self.stamp(&mut cube.meta.primary);
    }
}

/// Whether an HDU is a backplane of an image of this shape.
#[must_use]
pub fn is_plane(hdu: &Hdu, shape: [usize; 2]) -> bool {
    let name = hdu.header.str("EXTNAME").unwrap_or_default();
    let sized = matches!(&hdu.data, Data::Image(i) if i.shape == shape);
    sized && planes::find(name).is_ok()
}

/// Makes the planes of a scene; `primary` and `sci` are the headers of its file.
///
/// # Errors
/// [`Error::Input`] where the headers have no epoch; [`Error::Parameter`] for an unknown target or observer asked for;
/// [`Error::Reference`] for kernels that lack what is needed.
pub fn navigate(
    scene: &Scene,
    primary: &Header,
    sci: &Header,
    kernels: &Kernels,
    options: &Options,
    exec: &Exec,
) -> Result<Navigation> {
    let headers = Headers { primary, sci };
    if !scene.dec.iter().any(|d| d.is_finite()) {
        return Err(Error::input("no pixel has a direction by the WCS"));
    }
    let finite = [options.ra_offset, options.dec_offset, options.altitude];
    if finite.iter().any(|v| !v.is_finite()) {
        return Err(Error::parameter("offsets and altitude have to be numbers"));
    }
    let stretch = libm::cos((scene.middle() - options.dec_offset / 3600.0).to_radians());
    if stretch < 1e-6 && options.ra_offset != 0.0 {
        return Err(Error::parameter(
            "the field is at a celestial pole, where an offset of right ascension means nothing",
        ));
    }
    let (raw, sky) = match options.raw_offset {
        true => (options.ra_offset, options.ra_offset * stretch),
        false if options.ra_offset == 0.0 => (0.0, 0.0),
        false => (options.ra_offset / stretch, options.ra_offset),
    };
    let mut ra: Vec<f64> = scene.ra.iter().map(|a| a - raw / 3600.0).collect();
    let mut dec: Vec<f64> = scene
        .dec
        .iter()
        .map(|d| d - options.dec_offset / 3600.0)
        .collect();
    let seen = match options.basic {
        true => None,
        false => body(&headers, kernels, options)?,
    };
    if let Some(s) = seen.as_ref().filter(|_| options.roll != 0.0) {
        pointing::turn_back(&s.aspect, options.roll, &mut ra, &mut dec);
    }
    let asked: Vec<&'static Plane> = match &seen {
        Some(_) => options.planes.clone(),
        None => planes::basic(),
    };
    let values: Vec<Vec<f64>> = match &seen {
        None => vec![ra.clone(), dec.clone()],
        Some(s) => values(&asked, &s.aspect, [&ra, &dec], scene.nx, exec)?,
    };
    let class = match seen {
        Some(_) => "SolarSystemBodyNavigator",
        None => "BasicNavigator",
    };
    Ok(Navigation {
        shape: [scene.ny, scene.nx],
        planes: asked.into_iter().zip(values).collect(),
        cards: cards(kernels, options, seen.as_ref(), class, raw, sky),
        directions: [ra, dec],
        aspect: seen.map(|s| s.aspect),
        class,
    })
}

/// The values of planes for the directions of an image with rows of `nx` pixels, worked out piece by piece.
fn values(
    planes: &[&'static Plane],
    aspect: &Aspect,
    [ra, dec]: [&[f64]; 2],
    nx: usize,
    exec: &Exec,
) -> Result<Vec<Vec<f64>>> {
    let mut out: Vec<Vec<f64>> = planes.iter().map(|_| vec![0.0; ra.len()]).collect();
    let mut parts: Vec<_> = out.iter_mut().map(|v| v.chunks_mut(PIECE)).collect();
    let directions = ra.chunks(PIECE).zip(dec.chunks(PIECE)).enumerate();
    let pieces: Vec<_> = directions
        .map(|(i, d)| {
            let to: Vec<&mut [f64]> = parts.iter_mut().filter_map(Iterator::next).collect();
            (i, d, to)
        })
        .collect();
    exec.try_map(pieces, |(i, (ra, dec), to)| {
        let field = Field::new(aspect, ra, dec).in_image(i * PIECE, nx);
        for (plane, to) in planes.iter().zip(to) {
            to.copy_from_slice(&(plane.of)(&field));
        }
        Ok(())
    })?;
    Ok(out)
}

/// The body of a file's headers as [`navigate`] takes it, without any plane; none where there is none.
///
/// # Errors
/// As [`navigate`].
pub fn aspect(
    primary: &Header,
    sci: &Header,
    kernels: &Kernels,
    options: &Options,
) -> Result<Option<Aspect>> {
    let headers = Headers { primary, sci };
    Ok(body(&headers, kernels, options)?.map(|s| s.aspect))
}

/// Headers of a file, the image's own first.
struct Headers<'a> {
    primary: &'a Header,
    sci: &'a Header,
}

impl Headers<'_> {
    fn text(&self, keyword: &str) -> Option<&str> {
        let found = self.sci.str(keyword).or_else(|| self.primary.str(keyword));
        found.map(str::trim).filter(|t| !t.is_empty())
    }

    fn number(&self, keyword: &str) -> Option<f64> {
        self.sci.f64(keyword).or_else(|| self.primary.f64(keyword))
    }
}

/// A body as it is seen, with what the cards say of it.
struct Seen {
    aspect: Aspect,
    target: String,
    centre: i32,
    from: String,
}

/// The body to navigate on; none (and a warning) where the kernels have none of the header's.
fn body(headers: &Headers, kernels: &Kernels, options: &Options) -> Result<Option<Seen>> {
    let named = options
        .target
        .as_deref()
        .or_else(|| headers.text("TARGNAME"));
    let Some(name) = named.or_else(|| headers.text("OBJECT")) else {
        warn!("the header has no TARGNAME: only RA and DEC are made; name the body with --target");
        return Ok(None);
    };
    let target = match kernels.body_code(name) {
        Ok(code) => code,
        Err(e) if options.target.is_some() => return Err(e),
        Err(_) => {
            warn!(
                "the target {name} is not a body that SPICE knows: only RA and DEC are made; name one with --target"
            );
            return Ok(None);
        }
    };
    let basic = |what: &str| {
        warn!(
            "{} ({target}): the kernels have no {what} of it, so only RA and DEC are made; load a constants kernel (.tpc) with them",
            kernels.body_name(target)
        );
        Ok(None)
    };
    if kernels.radii(target).is_none() {
        return basic("radii");
    }
    let et = epoch(headers, kernels, options)?;
    if kernels.turn_to(kernels.body_frame(target), et).is_err() {
        return basic("orientation");
    }
    let (observer, from) = observer(headers, kernels, options, et)?;
    let here = kernels.barycentric(target, et).is_ok();
    let instead = barycentre_instead(target).filter(|_| !here);
    let centre = match instead {
        Some((barycentre, km)) if options.barycentre => {
            warn!(
                "{} is put at the barycentre of its system, up to {km} km from its centre",
                kernels.body_name(target)
            );
            barycentre
        }
        _ => target,
    };
    let made = Aspect::centred(kernels, target, centre, &observer, et, options.correction);
    let aspect = made.map_err(|e| match (e, instead) {
        (Error::Reference { message }, Some((_, km))) if centre == target => Error::reference(
            format!("{message}; --barycentre takes that instead, with an error of up to {km} km"),
        ),
        (e, _) => e,
    })?;
    let aspect = match options.altitude {
        0.0 => aspect,
        km => aspect.raised(km)?,
    };
    Ok(Some(Seen {
        aspect,
        target: kernels.body_name(target),
        centre,
        from,
    }))
}

/// Middle of the exposure.
fn epoch(headers: &Headers, kernels: &Kernels, options: &Options) -> Result<f64> {
    if let Some(date) = &options.epoch {
        return kernels.et_of_utc(date);
    }
    let at = |keyword: &str| {
        headers
            .text(keyword)
            .map(|d| kernels.et_of_utc(d))
            .transpose()
    };
    if let (Some(a), Some(b)) = (at("DATE-BEG")?, at("DATE-END")?) {
        return Ok((a + b) / 2.0);
    }
    if let Some(middle) = at("DATE-AVG")? {
        return Ok(middle);
    }
    for keyword in ["MJD-AVG", "EXPMID"] {
        if let Some(mjd) = headers.number(keyword) {
            return kernels.et_of_utc(&format!("JD{:.9}", mjd + 2_400_000.5));
        }
    }
    let date = headers
        .text("DATE-OBS")
        .map(|d| match headers.text("TIME-OBS") {
            Some(time) if !d.contains('T') => format!("{d}T{time}"),
            _ => d.to_owned(),
        });
    let Some(date) = date else {
        return Err(Error::input(
            "the header has no epoch (DATE-BEG and DATE-END, DATE-AVG, MJD-AVG or DATE-OBS); give it with --epoch",
        ));
    };
    let half = headers.number("EXPTIME").map_or(0.0, |t| t / 2.0);
    if half == 0.0 {
        warn!("the epoch is that of DATE-OBS ({date}), the exposure's beginning");
    }
    Ok(kernels.et_of_utc(&date)? + half)
}

/// Who looks, and where its position is from.
fn observer(
    headers: &Headers,
    kernels: &Kernels,
    options: &Options,
    et: f64,
) -> Result<(Observer, String)> {
    let named = |name: &str| {
        kernels
            .body_code(name)
            .map(|c| (Observer::Body(c), "kernel".into()))
    };
    if let Some(name) = &options.observer {
        return named(name);
    }
    match headers.text("TELESCOP").unwrap_or_default() {
        name if name.eq_ignore_ascii_case("JWST") => {
            let found = observatory::jwst(kernels, et, |k| headers.number(k))?;
            if let Some(what) = found.warning {
                warn!("{what}");
            }
            let segment = kernels.segment(JWST, et).filter(|_| found.from == "kernel");
            let path = segment.map(|s| s.file().path().to_string_lossy().to_lowercase());
            if path.is_some_and(|p| p.contains("pred")) {
                warn!("the position of JWST is a predicted one; fetch a newer jwst_rec.bsp");
            }
            Ok((found.observer, found.from))
        }
        name if name.eq_ignore_ascii_case("HST") => named("HST"),
        "" => Err(Error::input(
            "the header does not say where the observer is (TELESCOP); give it with --observer",
        )),
        name => {
            warn!(
                "the telescope {name} is put at the centre of the Earth; --observer names another body"
            );
            named("EARTH")
        }
    }
}

fn cards(
    kernels: &Kernels,
    options: &Options,
    seen: Option<&Seen>,
    class: &str,
    raw: f64,
    sky: f64,
) -> Vec<Card> {
    let version = env!("CARGO_PKG_VERSION");
    let mut out = vec![
        Card::new("NAV DATE", utc_now(), ""),
        Card::new("NAV VERSION", format!("sifu {version}"), "Software version"),
        Card::new("NAV CLASS", class, "Navigator class"),
        Card::new("NAV CLASS VERSION", version, "Navigator class version"),
        Card::new("NAV BASIC", seen.is_none(), "Basic navigation used"),
    ];
    if let Some(date) = recorded(kernels) {
        out.push(Card::new(
            "NAV REC_KERNEL_DATE",
            date,
            "Latest recorded ephemeris",
        ));
    }
    out.extend([
        Card::new("NAV RA_OFFSET", raw, "[arcsec] Offset of RA itself"),
        Card::new(
            "NAV DEC_OFFSET",
            options.dec_offset,
            "[arcsec] Offset of Dec",
        ),
        Card::new("NAV RA_OFFSET_SKY", sky, "[arcsec] RA offset on the sky"),
    ]);
    out.extend(options.pointing.iter().cloned());
    let Some(s) = seen else { return out };
    let a = &s.aspect;
    let degrees = |v: f64| v.to_degrees();
    let beneath = a
        .surface()
        .beneath(a.observer)
        .map(|p| a.surface().planetographic(p, a.west));
    let lit = a
        .surface()
        .beneath(a.sun)
        .map(|p| a.surface().planetographic(p, a.west));
    let [ra, dec] = a.centre();
    out.extend([
        Card::new("NAV TARGET", s.target.as_str(), "Body"),
        Card::new("NAV TARGET-ID", i64::from(a.target), "Its NAIF code"),
        Card::new(
            "NAV CENTRE",
            kernels.body_name(s.centre),
            "Body whose position it has",
        ),
        Card::new(
            "NAV OBSERVER",
            s.from.as_str(),
            "Source of observer's position",
        ),
        Card::new(
            "NAV ABCORR",
            correction_name(options.correction),
            "Correction",
        ),
        Card::new("NAV ET", a.et, "[s] TDB from J2000, mid-exposure"),
        Card::new(
            "NAV ALTITUDE",
            options.altitude,
            "[km] Surface above the body's",
        ),
        Card::new("NAV TARGET RA", ra, "[deg] Body's centre"),
        Card::new("NAV TARGET DEC", dec, "[deg] Body's centre"),
        Card::new("NAV DISTANCE", a.distance(), "[km] To the body's centre"),
        Card::new("NAV DIAMETER", a.diameter(), "[arcsec] Of the equator"),
        Card::new("NAV NP-ANGLE", a.north_angle(), "[deg] North pole, N to E"),
    ]);
    for (name, at) in [("SUBOBS", beneath), ("SUBSOL", lit)] {
        if let Some(at) = at {
            let sense = if a.west {
                "[deg] Planetographic, W"
            } else {
                "[deg] Planetographic, E"
            };
            out.push(Card::new(
                &format!("NAV {name} LON"),
                degrees(at.lon),
                sense,
            ));
            out.push(Card::new(
                &format!("NAV {name} LAT"),
                degrees(at.lat),
                "[deg] Planetographic",
            ));
        }
    }
    out
}

fn correction_name(c: Correction) -> &'static str {
    const NAMES: [(&str, Correction); 5] = [
        ("NONE", Correction::NONE),
        ("LT", Correction::LT),
        ("LT+S", Correction::LT_S),
        ("CN", Correction::CN),
        ("CN+S", Correction::CN_S),
    ];
    NAMES.iter().find(|n| n.1 == c).map_or("", |n| n.0)
}

/// End of JWST's recorded ephemeris by the comments of its kernel: of `jwst_rec*.bsp`, else of any that is not predicted.
fn recorded(kernels: &Kernels) -> Option<String> {
    let all = kernels.comment_dates(JWST, "END_TIME");
    let named = |part: &str| {
        let part = part.to_owned();
        move |d: &&(std::path::PathBuf, String)| {
            let name = d.0.file_name().map(|n| n.to_string_lossy().to_lowercase());
            name.is_some_and(|n| n.contains(&part))
        }
    };
    let latest =
        |dates: Vec<&(std::path::PathBuf, String)>| dates.iter().map(|d| d.1.clone()).max();
    let predicted = named("pred");
    latest(all.iter().filter(named("jwst_rec")).collect())
        .or_else(|| latest(all.iter().filter(|d| !predicted(d)).collect()))
}
