//! Films of files: what [`crate::view::film`] draws, read from the navigated cubes of a pointing's dithers.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::plot::{Opened, located};
use crate::exec::Exec;
use crate::formats::fits::{FitsFile, Header};
use crate::formats::raster::film as raster;
use crate::formats::write_whole;
use crate::nav::Kernels;
use crate::view::film::{Dither, Film, Options, Source, Zonal};
use crate::{Error, Result};

/// Frames a second by default.
pub const RATE: f64 = 20.0;
/// Frames at most that are made one after the other.
const TOGETHER: usize = 16;

/// A kind of film.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One whose frames have few exact colours.
    Exact(raster::Kind),
    /// MP4.
    #[cfg(feature = "mp4")]
    Mp4,
}

/// The kind of film that a name asks for.
///
/// # Errors
/// [`Error::Parameter`] for another kind of file, and for MP4 where the program was built without.
pub fn kind(path: &Path) -> Result<Kind> {
    let end = path.extension().and_then(|e| e.to_str());
    match end.map(str::to_ascii_lowercase).as_deref() {
        Some("gif") => Ok(Kind::Exact(raster::Kind::Gif)),
        Some("apng" | "png") => Ok(Kind::Exact(raster::Kind::Apng)),
        #[cfg(feature = "mp4")]
        Some("mp4") => Ok(Kind::Mp4),
        #[cfg(not(feature = "mp4"))]
        Some("mp4") => Err(Error::parameter(format!(
            "{}: this sifu was built without MP4; build it with `cargo build --release --features mp4` (or `cargo install \
             --path . --features mp4`), or name the film .gif or .apng",
            path.display()
        ))),
        _ => Err(Error::parameter(format!(
            "{}: the name of a film has to end in .gif, .apng, .png or .mp4",
            path.display()
        ))),
    }
}

/// What goes into a film.
#[derive(Clone, Debug)]
pub struct Job<'a> {
    /// Navigated cubes, one a dither.
    pub cubes: &'a [PathBuf],
    /// A zonal average, for what differs from it.
    pub zonal: Option<&'a Path>,
    /// Said behind the title.
    pub remark: &'a [String],
    /// How to draw.
    pub options: Options,
    /// Frames a second.
    pub rate: f64,
}

fn word(header: &Header, key: &str) -> String {
    let value = header.str(key).map(str::trim);
    value.filter(|v| !v.is_empty()).unwrap_or("?").to_owned()
}

/// What is seen, and how.
fn title(primary: &Header) -> Vec<String> {
    let of = |key: &str| word(primary, key);
    let target = if primary.str("TARGPROP").is_some() {
        "TARGPROP"
    } else {
        "TARGNAME"
    };
    let mut parts = vec![of(target), of("INSTRUME")];
    match parts[1].as_str() {
        "MIRI" => parts.push(format!("Channel {} {}", of("CHANNEL"), of("BAND"))),
        "NIRSPEC" => parts.push(format!(
            "{} {} {}",
            of("DETECTOR"),
            of("FILTER"),
            of("GRATING")
        )),
        _ => {}
    }
    parts
}

/// Number and beginning of a dither.
fn label(primary: &Header) -> [String; 2] {
    let number = primary
        .i64("PATT_NUM")
        .map_or("?".to_owned(), |n| n.to_string());
    let date = word(primary, "DATE-BEG").replace('T', " ");
    [format!("Dither {number}"), date.chars().take(19).collect()]
}

/// Reads a zonal average: SCI, or the first image, with bins along FITS axis 1 and wavelengths along axis 2.
fn zonal(path: &Path, wavelengths: usize) -> Result<Zonal> {
    let file = FitsFile::open(path)?;
    let hdu = file.find("SCI").unwrap_or(0);
    let &[nz, bins] = file.shape(hdu)? else {
        return Err(Error::input_file(
            path,
            "is no zonal average (wavelength, latitude); `sifu zonal` makes one",
        ));
    };
    if nz != wavelengths {
        return Err(Error::input_file(
            path,
            format!(
                "has {nz} wavelengths where the cubes have {wavelengths}; it has to be made of cubes of the same band"
            ),
        ));
    }
    let header = &file.hdus()[hdu].header;
    let plane = file.hdus().iter().find_map(|h| h.header.str("ZONAL PLANE"));
    if let Some(plane) = plane.filter(|p| *p != "LAT_GRAPHIC") {
        return Err(Error::input_file(
            path,
            format!(
                "has bins of {plane}; a film needs those of LAT_GRAPHIC (the default of `sifu zonal`)"
            ),
        ));
    }
    let number = |key: &str| {
        header.f64(key).ok_or_else(|| {
            Error::input_file(
                path,
                format!("has no {key}, which tells the latitudes of its bins"),
            )
        })
    };
    let (first, step) = (number("CRVAL1")?, number("CDELT1")?);
    let pixel = header.f64("CRPIX1").unwrap_or(1.0);
    if step.is_nan() || step <= 0.0 {
        return Err(Error::input_file(
            path,
            format!("CDELT1 = {step} is no step of latitude"),
        ));
    }
    Ok(Zonal {
        latitude: (0..bins)
            .map(|k| first + (k as f64 + 1.0 - pixel) * step)
            .collect(),
        values: file.all(hdu)?,
    })
}

/// The film of a job, ready to be played.
///
/// # Errors
/// [`Error::Input`] for files that are no navigated cubes of a body, or not of one band; those of reading.
pub fn film(job: &Job, kernels: &Kernels, exec: &Exec) -> Result<Film> {
    let Some(first) = job.cubes.first() else {
        return Err(Error::input("there are no cubes to make a film of"));
    };
    let read = |path: &PathBuf| -> Result<(Dither, Vec<String>, String, Vec<f64>)> {
        let cube = Opened::read(path)?;
        let (found, globe, _) = located(&cube, path, kernels)?;
        let (Some(globe), Some(latitude)) = (&globe, &found.latitude) else {
            return Err(Error::input_file(
                path,
                "shows no body that is known (basic navigation, or no kernels of it); a film needs one: navigate it with --kernels",
            ));
        };
        let [primary, _] = cube.headers();
        let zonal = job.zonal.map(|p| zonal(p, cube.shape[0])).transpose()?;
        let label = label(primary);
        let source = Source {
            label: [&label[0], &label[1]],
            shape: cube.shape,
            values: &cube.values,
            wavelength: &cube.wavelength,
            ra: &found.ra,
            dec: &found.dec,
            latitude,
            globe,
        };
        let dither = Dither::new(&source, job.options.step, zonal.as_ref());
        let dither = dither.ok_or_else(|| {
            Error::input_file(path, "RA and DEC say of no spaxel where it is on the sky")
        })?;
        Ok((
            dither,
            title(primary),
            match word(primary, "NAV TARGET") {
                none if none == "?" => word(primary, "TARGNAME"),
                body => body,
            },
            cube.wavelength.clone(),
        ))
    };
    let mut dithers = Vec::with_capacity(job.cubes.len());
    let mut known: Option<(Vec<String>, String, Vec<f64>)> = None;
    for (path, cube) in job
        .cubes
        .iter()
        .zip(exec.map(job.cubes.iter().collect(), read))
    {
        let (dither, title, target, wavelength) = cube?;
        if let Some((_, body, before)) = &known {
            if *body != target {
                return Err(Error::input_file(
                    path,
                    format!(
                        "is of {target}, {} of {body}; a film is of one",
                        first.display()
                    ),
                ));
            }
            let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-8 + 1e-5 * b.abs();
            if before.len() != wavelength.len() || !before.iter().zip(&wavelength).all(near) {
                return Err(Error::input_file(
                    path,
                    format!(
                        "has other wavelengths than {}; a film is of one band",
                        first.display()
                    ),
                ));
            }
        } else {
            known = Some((title, target, wavelength));
        }
        dithers.push(dither);
    }
    let (mut parts, target, wavelength) = known.unwrap_or_default();
    if job.zonal.is_some() {
        parts.push("Deviation from zonal average".into());
    }
    parts.extend_from_slice(job.remark);
    let mut name: Vec<char> = target.to_lowercase().chars().collect();
    if let Some(c) = name.first_mut() {
        *c = c.to_ascii_uppercase();
    }
    let name: String = name.into_iter().collect();
    Film::new(
        &parts.join("  |  "),
        &name,
        dithers,
        wavelength,
        job.options,
    )
}

/// Makes a film: GIF, animated PNG or (with the feature `mp4`) MP4 by the name's end.
///
/// # Errors
/// As [`film`]; [`Error::Parameter`] for another kind of file; [`Error::Io`]; [`Error::Interrupted`].
pub fn run(
    job: &Job,
    out: &Path,
    kernels: &Kernels,
    exec: &Exec,
    progress: &dyn Fn(&str),
) -> Result<()> {
    let kind = kind(out)?;
    progress("reading");
    let film = film(job, kernels, exec)?;
    progress("frames");
    let bytes = match kind {
        Kind::Exact(kind) => exact(kind, &film, job.rate, out, exec)?,
        #[cfg(feature = "mp4")]
        Kind::Mp4 => video(&film, job.rate, out, exec)?,
    };
    progress("writing");
    write_whole(out, &bytes)
}

/// The bytes of a film as MP4.
#[cfg(feature = "mp4")]
fn video(film: &Film, rate: f64, out: &Path, exec: &Exec) -> Result<Vec<u8>> {
    use crate::formats::raster::mp4;

    let sheet = film.sheet()?;
    let broken = |why: String| Error::input_file(out, why);
    let size = [sheet.width, sheet.height].map(usize::from);
    let mut writer = mp4::Film::new(size, &sheet.palette, rate).map_err(broken)?;
    let count = film.frames();
    for from in (0..count).step_by(TOGETHER) {
        let some = (from..count.min(from + TOGETHER)).collect();
        for frame in exec.try_map(some, |k: usize| film.frame(k))? {
            writer.push(&frame).map_err(broken)?;
            exec.check()?;
        }
    }
    writer.finish().map_err(broken)
}

/// The bytes of a film in exact colours.
fn exact(kind: raster::Kind, film: &Film, rate: f64, out: &Path, exec: &Exec) -> Result<Vec<u8>> {
    let sheet = film.sheet()?;
    let broken = |why: String| Error::input_file(out, why);
    let mut writer = raster::Film::new(kind, &sheet, film.frames(), rate).map_err(broken)?;
    let count = film.frames();
    let some = count.div_ceil(4 * exec.threads().max(1)).min(TOGETHER);
    let pieces: Vec<Range<usize>> = (0..count)
        .step_by(some)
        .map(|from| from..(from + some).min(count))
        .collect();
    // each has to draw the frame before its first one too, but not to compress it
    let packed = exec.try_map(pieces, |frames| -> Result<Vec<raster::Packed>> {
        let mut out = Vec::with_capacity(frames.len());
        let (mut piece, mut before) = (raster::Piece::default(), None);
        if let Some(k) = frames.start.checked_sub(1) {
            before = Some(film.drawn(k, None)?);
        }
        for k in frames {
            let now = film.drawn(k, before.as_ref())?;
            match &before {
                Some(before) => film.change(before, &now, &mut piece),
                None => piece = film.first()?,
            }
            out.push(raster::pack(kind, &sheet, &piece));
            before = Some(now);
            exec.check()?;
        }
        Ok(out)
    })?;
    for frame in packed.into_iter().flatten() {
        writer.push(frame).map_err(broken)?;
    }
    writer.finish().map_err(broken)
}
