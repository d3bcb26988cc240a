//! Plots of files: what [`crate::view::summary`] draws, read from a navigated cube, and where the body in it comes from; and what
//! [`crate::view::detector`], [`crate::view::flat`] and [`crate::view::map`] draw, read from detector images, synthetic flats and maps.
//!
//! The body is that of the file's own NAV cards, else of the kernels; it is drawn only where it agrees with the backplanes, so that lines
//! and planes cannot tell different stories. Else the lines are what the planes themselves hold.

use std::path::{Path, PathBuf};

use tracing::warn;

use super::navigate::{self, aspect};
use super::recipe::navigate::wavelengths;
use crate::formats::fits::{FitsFile, Header};
use crate::math::vector::norm;
use crate::nav::map::{Grid, Projection};
use crate::nav::{Kernels, bodies};
use crate::view::globe::Globe;
use crate::view::sky::Tangent;
use crate::view::summary::{Options, Subject, draw, title};
use crate::view::wireframe::Planes;
use crate::view::{self, Figure, detector, flat, map};
use crate::{Error, Result};

/// Pixels across a PNG file by default: 200 an inch.
pub const WIDTH: usize = 2000;
/// The same of those that a run makes beside summary plots.
pub const SMALL: usize = 1000;
/// Largest distance between lines and backplanes, spaxels.
const AGREEMENT: f64 = 0.3;
/// Spaxels that are compared.
const COMPARED: usize = 400;

/// Backplanes of a file.
pub(super) struct Found {
    /// Right ascension of every spaxel, degrees.
    pub ra: Vec<f64>,
    /// Declination, degrees.
    pub dec: Vec<f64>,
    /// Planetocentric latitude and west longitude, as the navigator has them.
    place: Option<[Vec<f64>; 2]>,
    limb: Option<Vec<f64>>,
    incidence: Option<Vec<f64>>,
    /// Planetographic latitude, degrees.
    pub latitude: Option<Vec<f64>>,
    longitude: Option<Vec<f64>>,
    rings: Option<Vec<f64>>,
}

impl Found {
    fn read(file: &FitsFile, path: &Path, size: [usize; 2]) -> Result<Self> {
        let plane = |names: &[&str]| -> Result<Option<Vec<f64>>> {
            let Some(i) = names.iter().find_map(|n| file.find(n)) else {
                return Ok(None);
            };
            match file.shape(i)? == size {
                true => file.all(i).map(Some),
                false => Err(Error::format(
                    path,
                    format!("the shape of {} does not fit SCI", names[0]),
                )),
            }
        };
        let need = |name: &str| {
            plane(&[name])?.ok_or_else(|| {
                let what =
                    format!("has no {name} extension; run `sifu navigate` on the cube first");
                Error::input_file(path, what)
            })
        };
        Ok(Self {
            ra: need("RA")?,
            dec: need("DEC")?,
            place: plane(&["LAT"])?.zip(plane(&["LON"])?).map(|(a, b)| [a, b]),
            limb: plane(&["DISTANCE_LIMB", "LIMB-DISTANCE"])?,
            incidence: plane(&["INCIDENCE"])?,
            latitude: plane(&["LAT_GRAPHIC", "LAT-GRAPHIC", "LAT"])?,
            longitude: plane(&["LON", "LON-GRAPHIC", "LON-CENTRIC"])?,
            rings: plane(&["DISTANCE_RINGS", "RING-RADIUS"])?,
        })
    }

    fn planes(&self) -> Planes<'_> {
        Planes {
            limb: self.limb.as_deref(),
            incidence: self.incidence.as_deref(),
            latitude: self.latitude.as_deref(),
            longitude: self.longitude.as_deref(),
            rings: self.rings.as_deref(),
        }
    }

    /// Whether a body is where the planes have it, to a part of a spaxel of `pixel` arcsec: every place of its surface, and the heights
    /// of the limb.
    fn agree(&self, globe: &Globe, pixel: f64) -> bool {
        let near = AGREEMENT * pixel;
        if let Some([lat, lon]) = &self.place {
            let on: Vec<usize> = (0..lat.len())
                .filter(|i| lat[*i].is_finite() && lon[*i].is_finite())
                .collect();
            let every = on.len().div_ceil(COMPARED).max(1);
            for i in on.iter().copied().step_by(every) {
                let point = globe
                    .surface()
                    .surface_at(-lon[i].to_radians(), lat[i].to_radians());
                let there = Tangent::new(self.ra[i], self.dec[i]).project(globe.towards(point));
                let away = libm::hypot(there[0], there[1]);
                if away.is_nan() || away >= near {
                    return false;
                }
            }
        }
        if let Some(limb) = &self.limb {
            let km = norm(globe.observer) * (near / 3600.0).to_radians();
            let every = limb.len().div_ceil(COMPARED).max(1);
            for i in (0..limb.len()).step_by(every) {
                let height = globe.height(self.ra[i], self.dec[i]);
                // far from the body a small angle is many km
                let far = km + 1e-4 * limb[i].abs();
                let off = (height - limb[i]).abs();
                if limb[i].is_finite() && (off.is_nan() || off >= far) {
                    return false;
                }
            }
        }
        true
    }
}

/// Side of a spaxel, arcsec.
fn side(found: &Found, nx: usize) -> Option<f64> {
    let first =
        (0..found.ra.len()).find(|i| found.ra[*i].is_finite() && found.dec[*i].is_finite())?;
    let plane = Tangent::new(found.ra[first], found.dec[first]);
    let (place, _) = plane.pixels(&found.ra, &found.dec, nx)?;
    let [a, b, c, d, ..] = place.0;
    Some((a * d - b * c).abs().sqrt())
}

/// The body of a file, and what to say where there is none.
fn globe(
    headers: [&Header; 2],
    kernels: &Kernels,
    found: &Found,
    pixel: Option<f64>,
) -> (Option<Globe>, Option<String>) {
    let [primary, sci] = headers;
    if primary.bool("NAV BASIC") == Some(true) || found.planes().longitude.is_none() {
        return (None, None);
    }
    let agrees = |g: &Globe| pixel.is_none_or(|side| found.agree(g, side));
    let why = match Globe::recorded(primary, kernels) {
        Ok(Some(g)) if agrees(&g) => return (Some(g), None),
        Ok(_) => None,
        Err(e) => Some(e.to_string()),
    };
    let options = navigate::Options {
        barycentre: true,
        ..navigate::Options::default()
    };
    let why = match aspect(primary, sci, kernels, &options) {
        Ok(Some(a)) => {
            let g = Globe::of_aspect(&a);
            if agrees(&g) {
                return (Some(g), None);
            }
            "the kernels put the body elsewhere than the backplanes do".to_owned()
        }
        Ok(None) => why.unwrap_or_else(|| "no body of the kernels is its target".into()),
        Err(e) => e.to_string(),
    };
    warn!("the wireframe is drawn from the backplanes alone, inside of the field: {why}");
    (None, Some("Wireframe from backplanes alone".into()))
}

/// A cube as pictures need it: no errors, flags and weights.
pub struct Opened {
    /// The file.
    pub file: FitsFile,
    /// Number of SCI in it.
    pub hdu: usize,
    /// Wavelengths, rows and columns, none of them 0.
    pub shape: [usize; 3],
    /// SCI, `[wavelength][y][x]`.
    pub values: Vec<f32>,
    /// Wavelengths, micron.
    pub wavelength: Vec<f64>,
}

impl Opened {
    /// Reads a cube.
    ///
    /// # Errors
    /// [`Error::Input`] where the file is none; [`Error::Format`] for a damaged one.
    pub fn read(path: &Path) -> Result<Self> {
        let file = FitsFile::open(path)?;
        let none = |what: &str| {
            let kind = "a picture is of a cube (_s3d.fits, _s3d_nav.fits)";
            Error::input_file(path, format!("{what}; {kind}"))
        };
        let hdu = file
            .find("SCI")
            .ok_or_else(|| none("has no SCI extension"))?;
        let [nz, ny, nx] = match *file.shape(hdu)? {
            [nz, ny, nx] if nz * ny * nx > 0 => [nz, ny, nx],
            _ => return Err(none("SCI is no cube (wavelength, y, x)")),
        };
        Ok(Self {
            hdu,
            shape: [nz, ny, nx],
            values: file.all(hdu)?,
            wavelength: wavelengths(&file, hdu, nz).map_err(|e| e.with_path(path))?,
            file,
        })
    }

    /// Headers of the file and of SCI.
    #[must_use]
    pub fn headers(&self) -> [&Header; 2] {
        [0, self.hdu].map(|i| &self.file.hdus()[i].header)
    }
}

/// Backplanes of a cube, and the body in it; what to say where there is none.
///
/// # Errors
/// [`Error::Input`] where the cube is not navigated; [`Error::Format`] for a damaged one.
pub(super) fn located(
    cube: &Opened,
    path: &Path,
    kernels: &Kernels,
) -> Result<(Found, Option<Globe>, Option<String>)> {
    let [_, ny, nx] = cube.shape;
    let found = Found::read(&cube.file, path, [ny, nx])?;
    let (globe, remark) = globe(cube.headers(), kernels, &found, side(&found, nx));
    Ok((found, globe, remark))
}

/// Facts of a detector image's file: cards, and what is said of them.
const FACTS: [(&str, &str); 8] = [
    ("DETECTOR", "detector"),
    ("EXP_TYPE", "type"),
    ("DATE-BEG", "begin (UTC)"),
    ("NGROUPS", "groups"),
    ("NINTS", "integrations"),
    ("EFFEXPTM", "exposure time (s)"),
    ("CAL_VER", "as jwst"),
    ("CRDS_CTX", "CRDS context"),
];

/// The quick look at a detector image.
fn of_detector(path: &Path, file: &FitsFile, hdu: usize) -> Result<Figure> {
    let &[ny, nx] = file.shape(hdu)? else {
        return Err(Error::input_file(path, "SCI is no detector image"));
    };
    let flags = file.need("DQ")?;
    if nx * ny == 0 || file.shape(flags)? != [ny, nx] {
        return Err(Error::format(
            path,
            "DQ and SCI differ in shape, or are empty",
        ));
    }
    let [primary, sci] = [0, hdu].map(|i| &file.hdus()[i].header);
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let title = Some(title(primary)).filter(|t| !t.is_empty());
    let title = title.unwrap_or_else(|| name.clone());
    let mut facts = vec![name];
    for (card, what) in FACTS {
        if let Some(value) = primary.get(card) {
            facts.push(format!("{what}: {}", value.plain().trim()));
        }
    }
    let unit = sci.str("BUNIT").map(str::trim).filter(|u| !u.is_empty());
    Ok(detector::draw(&detector::Subject {
        title: &title,
        facts: &facts,
        unit: unit.unwrap_or("no unit"),
        size: [nx, ny],
        values: &file.all::<f32>(hdu)?,
        flags: &file.all::<u32>(flags)?,
    }))
}

/// The page of a synthetic flat.
fn of_flat(path: &Path, file: &FitsFile) -> Result<Figure> {
    let shape = match *file.shape(0)? {
        [nz, ny, nx] if nz * ny * nx > 0 => [nz, ny, nx],
        _ => {
            let what = "the flat is no cube (plane, y, x) in the primary HDU";
            return Err(Error::format(path, what));
        }
    };
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
    Ok(flat::draw(&flat::Subject {
        title: &name.unwrap_or_default(),
        shape,
        flat: &file.all::<f64>(0)?,
    }))
}

/// The page of a map that `sifu map` wrote.
fn of_map(path: &Path, file: &FitsFile) -> Result<Figure> {
    let primary = &file.hdus()[0].header;
    let (mean, count) = (file.need("MEAN")?, file.need("COUNT")?);
    let header = &file.hdus()[mean].header;
    let word = |key: &str| primary.str(key).map(str::trim).filter(|t| !t.is_empty());
    let damaged = |what: &str| Error::format(path, format!("is no map of sifu's: {what}"));
    let projection = word("MAP PROJECTION")
        .and_then(Projection::find)
        .ok_or_else(|| damaged("MAP PROJECTION is none"))?;
    let number = |h: &Header, key: &str| {
        let found = h.f64(key).filter(|v| v.is_finite());
        found.ok_or_else(|| damaged(&format!("it has no {key}")))
    };
    let centre = [number(header, "CRVAL1")?, number(header, "CRVAL2")?];
    let west = word("MAP LON_SENSE") == Some("west");
    let step = number(primary, "MAP GRID")?;
    let grid = Grid::new(projection, centre, step, west).map_err(|e| damaged(&e.to_string()))?;
    let (size, depth) = match (file.shape(mean)?, file.shape(count)?) {
        ([ny, nx], [nz, my, mx]) if [ny, nx] == [my, mx] => ([*ny, *nx], *nz),
        _ => return Err(damaged("MEAN and COUNT differ in shape")),
    };
    if size != [grid.ny, grid.nx] || depth == 0 {
        return Err(damaged("its size is not that of its projection and grid"));
    }
    // most cubes of any wavelength
    let cells = size[0] * size[1];
    let mut cubes = vec![0.0f64; cells];
    for z in 0..depth {
        let plane: Vec<f64> = file.pixels(count, z * cells..(z + 1) * cells)?;
        for (most, n) in cubes.iter_mut().zip(plane) {
            *most = most.max(n);
        }
    }
    let body = word("OBJECT").or(word("TARGNAME")).unwrap_or("?");
    let parts = [
        Some(body.to_owned()),
        word("INSTRUME").map(str::to_owned),
        word("CHANNEL")
            .zip(word("BAND"))
            .map(|(c, b)| format!("Channel {c} {b}")),
        word("FILTER")
            .zip(word("GRATING"))
            .map(|(f, g)| format!("{f} {g}")),
    ];
    let title: Vec<String> = parts.into_iter().flatten().collect();
    let sci = file.need("SCI")?;
    let spectral = &file.hdus()[sci].header;
    let first = number(spectral, "CRVAL3")?;
    let last = first + (depth - 1) as f64 * number(spectral, "CDELT3")?;
    let sense = if west { "west" } else { "east" };
    let notes = [
        format!(
            "Mean of {first:.3} to {last:.3} µm; {} cubes; weights: {}; emission angles below {}°",
            primary.i64("MAP N_CUBES").unwrap_or(0),
            word("MAP WEIGHT").unwrap_or("?"),
            number(primary, "MAP MAX_EMISSION")?,
        ),
        format!(
            "{}, cells of {step}°; longitudes ({}) positive to the {sense}, latitudes {}",
            word("MAP PROJECTION").unwrap_or_default(),
            word("MAP LON_PLANE").unwrap_or("?"),
            word("MAP LAT_PLANE").unwrap_or("?"),
        ),
    ];
    let unit = header.str("BUNIT").map(str::trim).filter(|u| !u.is_empty());
    Ok(map::draw(&map::Subject {
        title: &title.join("  |  "),
        notes: &notes,
        grid: &grid,
        values: &file.all::<f64>(mean)?,
        unit: unit.unwrap_or("no unit"),
        cubes: &cubes,
    }))
}

/// The plot of a file: the summary plot of a navigated cube, the quick look at a detector image (SCI of two axes, as in `_rate` and
/// `_cal`), a map (it has `MAP PROJECTION`), or the statistics of a synthetic flat (it has `FLAT_CORRECTED` and no SCI).
///
/// # Errors
/// [`Error::Input`] where the file is none of these, or a cube that is not navigated; [`Error::Format`] for a damaged one.
pub fn figure(path: &Path, kernels: &Kernels, options: &Options) -> Result<Figure> {
    let file = FitsFile::open(path)?;
    match file.find("SCI") {
        Some(hdu) if file.shape(hdu)?.len() == 2 => return of_detector(path, &file, hdu),
        _ if file.hdus()[0].header.str("MAP PROJECTION").is_some() => return of_map(path, &file),
        // cubes that a flat was applied to keep what it says of its planes
        None if file.find("FLAT_CORRECTED").is_some() => return of_flat(path, &file),
        _ => {}
    }
    let cube = Opened::read(path)?;
    let (found, globe, remark) = located(&cube, path, kernels)?;
    let [primary, sci] = cube.headers();
    let named = primary.str("TARGNAME").map(bodies::normal);
    let subject = Subject {
        primary,
        sci,
        shape: cube.shape,
        values: &cube.values,
        wavelength: &cube.wavelength,
        ra: &found.ra,
        dec: &found.dec,
        planes: found.planes(),
        globe: globe.as_ref(),
        target: named.and_then(|n| bodies::code(&n)),
        remark,
    };
    Ok(draw(&subject, options))
}

/// Makes the plot of a file: PNG (`width` pixels across), SVG or PDF by the name's end.
///
/// # Errors
/// As [`figure`]; [`Error::Parameter`] for another kind of file; [`Error::Io`].
pub fn run(
    path: &Path,
    out: &Path,
    kernels: &Kernels,
    options: &Options,
    width: usize,
) -> Result<()> {
    view::write(&figure(path, kernels, options)?, out, width)
}

/// Where the plot of a cube goes: `OUT/<stem>.<kind>`.
#[must_use]
pub fn product_of(path: &Path, out: &Path, kind: &str) -> PathBuf {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let stem = name.trim_end_matches(".gz");
    let stem = stem.strip_suffix(".fits").unwrap_or(stem);
    out.join(format!("{stem}.{kind}"))
}
