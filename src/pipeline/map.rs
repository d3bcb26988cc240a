//! Maps of navigated cubes: which cubes belong together, their geometry, and the products.
//!
//! The numbers are [`crate::nav::map`]'s. Cubes are read wavelength by wavelength, so that a map of any size takes little memory.

use std::path::{Path, PathBuf};

use tracing::warn;

use crate::exec::Exec;
use crate::formats::distinct;
use crate::formats::fits::{Card, FitsFile, Header, Writer};
use crate::formats::raster::png;
use crate::math::quantile::quantile;
use crate::model::dq::DO_NOT_USE;
use crate::nav::map::{Gather, Grid, Image, Mosaic, Projection, Weighting, positive_west};
use crate::wcs::Celestial;
use crate::zonal::group::wavelengths;
use crate::zonal::period;
use crate::{Error, Result};

/// What to map how.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Projection.
    pub projection: Projection,
    /// Side of a cell, degrees.
    pub step: f64,
    /// Longitude and latitude of the middle instead of the projection's own.
    pub centre: Option<[f64; 2]>,
    /// Only what is seen at emission angles below this, degrees.
    pub max_emission: f64,
    /// First and last wavelength, micron.
    pub wavelength: Option<[f64; 2]>,
    /// Weights of cubes that overlap.
    pub weighting: Weighting,
    /// Plane with the longitudes.
    pub longitude: String,
    /// Plane with the latitudes.
    pub latitude: String,
    /// Planes to map as well.
    pub planes: Vec<String>,
}

/// Points a side that each cell is sampled at.
const SAMPLES: usize = 3;

/// Keywords that cubes of one map agree in.
const SAME: [&str; 6] = [
    "TARGNAME", "INSTRUME", "CHANNEL", "BAND", "FILTER", "GRATING",
];

/// Keywords taken over from the first cube.
const KEPT: [&str; 8] = [
    "TELESCOP", "INSTRUME", "TARGNAME", "CHANNEL", "BAND", "FILTER", "GRATING", "DATE-OBS",
];

/// One cube and its geometry.
struct Source {
    file: FitsFile,
    path: PathBuf,
    hdus: [usize; 3],
    shape: [usize; 3],
    gather: Gather,
}

/// An open cube without its geometry.
struct Opened {
    file: FitsFile,
    hdus: [usize; 3],
    shape: [usize; 3],
    wavelength: Vec<f64>,
}

fn open(path: &Path) -> Result<Opened> {
    let file = FitsFile::open(path)?;
    let sci = file.need("SCI")?;
    let [nz, ny, nx] = *file.shape(sci)? else {
        return Err(Error::input_file(path, "SCI is no cube (wavelength, y, x)"));
    };
    let wavelength = wavelengths(&file.hdus()[sci].header, nz, path, false)?;
    let same = |name: &str| match file.need(name)? {
        i if file.shape(i)? == [nz, ny, nx] => Ok(i),
        _ => Err(Error::format(
            path,
            format!("the shape of {name} does not fit SCI"),
        )),
    };
    let hdus = [sci, same("ERR")?, same("DQ")?];
    Ok(Opened {
        hdus,
        shape: [nz, ny, nx],
        wavelength,
        file,
    })
}

/// A backplane.
fn plane(file: &FitsFile, path: &Path, name: &str, [_, ny, nx]: [usize; 3]) -> Result<Vec<f64>> {
    let i = file.find(name).ok_or_else(|| {
        let what = format!("has no {name} extension; run `sifu navigate` on the cube first");
        Error::input_file(path, what)
    })?;
    match file.shape(i)? == [ny, nx] {
        true => file.all(i),
        false => Err(Error::format(
            path,
            format!("the shape of {name} does not fit SCI"),
        )),
    }
}

/// Refuses a cube that does not belong to the first.
fn belongs(a: &Opened, path: &Path, first: &Opened, first_path: &Path) -> Result<()> {
    for key in SAME {
        let text = |o: &Opened| {
            let value = o.file.hdus()[0].header.str(key);
            value.map_or("missing".into(), |t| t.trim().to_lowercase())
        };
        let (here, there) = (text(a), text(first));
        if here != there {
            let message = format!(
                "{key} is {here} here and {there} in {}; one band of one target makes a map",
                first_path.display()
            );
            return Err(Error::input_file(path, message));
        }
    }
    if a.wavelength != first.wavelength {
        let message = format!("its wavelengths are not those of {}", first_path.display());
        return Err(Error::input_file(path, message));
    }
    Ok(())
}

/// The middle of a map that nobody gave: for the globe from far away what the cube sees from straight above, for the azimuthal map
/// the pole it sees.
fn middle(projection: Projection, image: &Image) -> [f64; 2] {
    let seen = (0..image.lon.len()).filter(|s| image.emission[*s].is_finite());
    match projection {
        Projection::Equirectangular | Projection::Mollweide => [180.0, 0.0],
        Projection::Orthographic => seen
            .min_by(|a, b| image.emission[*a].total_cmp(&image.emission[*b]))
            .map_or([180.0, 0.0], |s| {
                [image.lon[s].round(), image.lat[s].round()]
            }),
        Projection::Azimuthal => {
            let sum: f64 = seen.map(|s| image.lat[s]).filter(|l| l.is_finite()).sum();
            [0.0, 90f64.copysign(sum)]
        }
    }
}

/// Makes the map of cubes: `OUT/NAME.fits` and `OUT/NAME.png`. `said` is told what is worked on.
///
/// # Errors
/// [`Error::Input`] where cubes do not belong together or are not navigated; [`Error::Parameter`] for a grid, wavelengths or a
/// plane that are none; [`Error::Science`] where nothing is seen.
pub fn map(
    paths: &[PathBuf],
    out: &Path,
    name: &str,
    options: &Options,
    date: &str,
    said: &dyn Fn(&str),
    exec: &Exec,
) -> Result<()> {
    let first_path = paths
        .first()
        .ok_or_else(|| Error::input("there are no cubes to map"))?;
    let first = open(first_path)?;
    distinct(paths)?;
    let mut sources: Vec<Source> = Vec::new();
    let mut grid: Option<Grid> = None;
    for path in paths {
        exec.check()?;
        said(&path.file_name().unwrap_or_default().to_string_lossy());
        let cube = open(path)?;
        belongs(&cube, path, &first, first_path)?;
        let read = |name: &str| plane(&cube.file, path, name, cube.shape);
        let (lon, lat) = (read(&options.longitude)?, read(&options.latitude)?);
        let emission = read("EMISSION")?;
        for name in &options.planes {
            read(name)?;
        }
        let image = Image {
            nx: cube.shape[2],
            lon: &lon,
            lat: &lat,
            emission: &emission,
        };
        let sky = Celestial::from_header(&cube.file.hdus()[cube.hdus[0]].header)
            .map_err(|e| e.with_path(path))?;
        let [ra, dec] = sky.grid(cube.shape[1], cube.shape[2]);
        let Some(west) = positive_west(&image, &ra, &dec) else {
            warn!(
                "{}: no spaxels side by side are on the body; it is left out",
                path.display()
            );
            continue;
        };
        let grid = match &grid {
            Some(g) if g.west == west => g,
            Some(_) => {
                let what = format!(
                    "{} runs the other way round than in the cubes before; navigate them alike",
                    options.longitude
                );
                return Err(Error::input_file(path, what));
            }
            None => {
                let centre = options
                    .centre
                    .unwrap_or_else(|| middle(options.projection, &image));
                grid.insert(Grid::new(options.projection, centre, options.step, west)?)
            }
        };
        let gather = Gather::new(grid, &image, options.max_emission, SAMPLES);
        if gather.is_empty() {
            let limit = options.max_emission;
            warn!(
                "{}: nothing is seen below {limit} degrees of emission; it is left out",
                path.display()
            );
            continue;
        }
        let Opened {
            file, hdus, shape, ..
        } = cube;
        sources.push(Source {
            file,
            path: path.clone(),
            hdus,
            shape,
            gather,
        });
    }
    let Some(grid) = grid.filter(|_| !sources.is_empty()) else {
        let limit = options.max_emission;
        return Err(Error::science(format!(
            "no spaxels of any cube see the body below an emission angle of {limit} degrees"
        )));
    };
    let [low, high] = options
        .wavelength
        .unwrap_or([f64::NEG_INFINITY, f64::INFINITY]);
    let inside = |w: &f64| (low..=high).contains(w);
    let Some(from) = first.wavelength.iter().position(inside) else {
        let ends = [first.wavelength.first(), first.wavelength.last()];
        let [a, b] = ends.map(|w| w.copied().unwrap_or(f64::NAN));
        return Err(Error::parameter(format!(
            "the cubes have no wavelength in {low}:{high} micron; theirs are {a:.4} to {b:.4}"
        )));
    };
    let n = first.wavelength[from..]
        .iter()
        .take_while(|w| inside(w))
        .count();
    let header = &first.file.hdus()[first.hdus[0]].header;
    let dispersion = header.f64("CD3_3").or_else(|| header.f64("CDELT3"));
    let run = Run {
        grid,
        sources,
        options,
        from,
        n,
        dispersion: dispersion.unwrap_or(1.0),
        exec,
    };
    let wavelength = &first.wavelength[from..from + n];
    let path = out.join(format!("{name}.fits"));
    said(&format!("{name}.fits"));
    let mean = run.write(
        &path,
        &first.file.hdus()[0].header,
        unit(&first),
        wavelength,
        date,
    )?;
    png::write(
        &out.join(format!("{name}.png")),
        grid.nx,
        &picture(&mean, grid.nx),
    )
}

fn unit(cube: &Opened) -> String {
    let header = &cube.file.hdus()[cube.hdus[0]].header;
    header.str("BUNIT").unwrap_or("MJy/sr").trim().to_owned()
}

/// A map in the making.
struct Run<'a> {
    grid: Grid,
    sources: Vec<Source>,
    options: &'a Options,
    from: usize,
    n: usize,
    /// Distance of wavelengths, micron.
    dispersion: f64,
    exec: &'a Exec,
}

impl Run<'_> {
    fn cells(&self) -> usize {
        self.grid.nx * self.grid.ny
    }

    /// Makes the map of every wavelength, in order, and hands each over.
    fn each(&self, mut to: impl FnMut(usize, Mosaic) -> Result<()>) -> Result<()> {
        let step = 2 * self.exec.threads().max(1);
        for start in (0..self.n).step_by(step) {
            let mut pieces = Vec::new();
            for z in start..self.n.min(start + step) {
                let read = |s: &Source| -> Result<[Vec<f32>; 2]> {
                    let size = s.shape[1] * s.shape[2];
                    let range = (self.from + z) * size..(self.from + z + 1) * size;
                    let mut sci: Vec<f32> = s.file.pixels(s.hdus[0], range.clone())?;
                    let dq: Vec<u32> = s.file.pixels(s.hdus[2], range.clone())?;
                    for (v, flags) in sci.iter_mut().zip(dq) {
                        if flags & DO_NOT_USE != 0 {
                            *v = f32::NAN;
                        }
                    }
                    Ok([sci, s.file.pixels(s.hdus[1], range)?])
                };
                pieces.push((
                    z,
                    self.sources.iter().map(read).collect::<Result<Vec<_>>>()?,
                ));
            }
            let maps = self.exec.try_map(pieces, |(z, planes)| {
                let images: Vec<_> = self
                    .sources
                    .iter()
                    .zip(&planes)
                    .map(|(s, [v, e])| (&s.gather, v.as_slice(), e.as_slice()))
                    .collect();
                Ok((
                    z,
                    Mosaic::new(self.cells(), &images, self.options.weighting),
                ))
            })?;
            for (z, map) in maps {
                to(z, map)?;
            }
        }
        Ok(())
    }

    /// Writes the FITS file; returns the mean over wavelengths.
    fn write(
        &self,
        path: &Path,
        of: &Header,
        unit: String,
        wavelength: &[f64],
        date: &str,
    ) -> Result<Vec<f32>> {
        let cells = self.cells();
        let axes = [self.n, self.grid.ny, self.grid.nx];
        let mut w = Writer::create(path, false)?;
        w.empty(&self.primary(of, date))?;
        let body = body(of).unwrap_or_default();
        let header = |name: &str, unit: &str, spectral: bool| {
            let mut h = Header::new();
            h.set("EXTNAME", name, "extension name");
            if !unit.is_empty() {
                h.set("BUNIT", unit, "physical units of the array values");
            }
            self.coordinates(&mut h, body);
            if spectral {
                axis(&mut h, 3, "WAVE", "um", 1.0, wavelength[0]);
                h.set("CDELT3", self.dispersion, "");
            }
            h
        };
        w.image::<f32>(&header("SCI", &unit, true), &axes)?;
        let mut sums = vec![(0.0f64, 0usize); cells];
        let mut any = 0;
        self.each(|z, m| {
            let mut filled = false;
            for (sum, v) in sums.iter_mut().zip(&m.value).filter(|(_, v)| v.is_finite()) {
                *sum = (sum.0 + f64::from(*v), sum.1 + 1);
                filled = true;
            }
            any += usize::from(filled);
            w.put(z * cells, &m.value)
        })?;
        if any == 0 {
            return Err(Error::science(
                "every spaxel on the body is flagged or NaN: the map is empty",
            ));
        }
        w.image::<f32>(&header("ERR", &unit, true), &axes)?;
        self.each(|z, m| w.put(z * cells, &m.error))?;
        w.image::<f32>(&header("WEIGHT", "", true), &axes)?;
        self.each(|z, m| w.put(z * cells, &m.weight))?;
        w.image::<i16>(&header("COUNT", "", true), &axes)?;
        self.each(|z, m| w.put(z * cells, &m.count))?;
        // a cell without half of the wavelengths has no mean that compares with others
        let mean: Vec<f32> = sums
            .iter()
            .map(|(sum, n)| {
                if 2 * n >= any {
                    (sum / *n as f64) as f32
                } else {
                    f32::NAN
                }
            })
            .collect();
        let flat = [self.grid.ny, self.grid.nx];
        w.image::<f32>(&header("MEAN", &unit, false), &flat)?;
        w.put(0, &mean)?;
        for name in &self.options.planes {
            let (values, unit) = self.plane(name)?;
            w.image::<f32>(&header(name, &unit, false), &flat)?;
            w.put(0, &values)?;
        }
        w.finish()?;
        Ok(mean)
    }

    /// A backplane's map, and its unit; angles are averaged around the circle.
    fn plane(&self, name: &str) -> Result<(Vec<f32>, String)> {
        let around = period(name).or_else(|| name.contains("LON").then_some(360.0));
        let mut of = Vec::new();
        for s in &self.sources {
            of.push(plane(&s.file, &s.path, name, s.shape)?);
        }
        let mean = |f: &dyn Fn(f64) -> f64| {
            let planes: Vec<Vec<f32>> = of
                .iter()
                .map(|p| p.iter().map(|v| f(*v) as f32).collect())
                .collect();
            let none: Vec<Vec<f32>> = planes.iter().map(|p| vec![0.0; p.len()]).collect();
            let images: Vec<_> = self
                .sources
                .iter()
                .zip(planes.iter().zip(&none))
                .map(|(s, (p, e))| (&s.gather, p.as_slice(), e.as_slice()))
                .collect();
            let weighting = match self.options.weighting {
                Weighting::Equal | Weighting::Variance => Weighting::Equal,
                Weighting::Emission | Weighting::Both => Weighting::Emission,
            };
            Mosaic::new(self.cells(), &images, weighting).value
        };
        let values = match around {
            None => mean(&|v| v),
            Some(period) => {
                let turn = std::f64::consts::TAU / period;
                let (x, y) = (
                    mean(&|v| libm::cos(v * turn)),
                    mean(&|v| libm::sin(v * turn)),
                );
                let angle = |(x, y): (&f32, &f32)| {
                    (libm::atan2(f64::from(*y), f64::from(*x)) / turn).rem_euclid(period) as f32
                };
                x.iter().zip(&y).map(angle).collect()
            }
        };
        let file = &self.sources[0].file;
        let unit = file
            .find(name)
            .and_then(|i| file.hdus()[i].header.str("BUNIT"));
        Ok((values, unit.unwrap_or_default().trim().to_owned()))
    }

    fn primary(&self, of: &Header, date: &str) -> Header {
        let mut h = Header::new();
        for key in KEPT {
            if let Some(card) = of.card(key) {
                h.push(card.clone());
            }
        }
        if let Some(body) = body(of) {
            h.set("OBJECT", body, "Body");
        }
        let o = self.options;
        let sense = if self.grid.west { "west" } else { "east" };
        h.set("MAP VERSION", env!("CARGO_PKG_VERSION"), "Software version");
        h.set("MAP DATE", date, "");
        h.set(
            "MAP PROJECTION",
            format!("{:?}", o.projection).to_lowercase(),
            "",
        );
        h.set("MAP LON_SENSE", sense, "Longitudes are positive to the");
        h.set("MAP LON_PLANE", o.longitude.as_str(), "");
        h.set("MAP LAT_PLANE", o.latitude.as_str(), "");
        h.set("MAP GRID", o.step, "[deg] Side of a cell");
        h.set("MAP MAX_EMISSION", o.max_emission, "[deg]");
        h.set(
            "MAP WEIGHT",
            format!("{:?}", o.weighting).to_lowercase(),
            "",
        );
        h.set("MAP N_CUBES", self.sources.len(), "");
        for s in &self.sources {
            let name = s.path.file_name().unwrap_or_default().to_string_lossy();
            h.push(Card::commentary("HISTORY", &format!("mapped {name}")));
        }
        h
    }

    /// Cards of longitude and latitude.
    fn coordinates(&self, h: &mut Header, body: &str) {
        let g = &self.grid;
        let (code, body) = (g.projection.code(), prefix(body));
        let middle = |n: usize| (n as f64 + 1.0) / 2.0;
        axis(
            h,
            1,
            &format!("{body}LN-{code}"),
            "deg",
            middle(g.nx),
            g.lon,
        );
        h.set("CDELT1", if g.west { -g.step } else { g.step }, "");
        axis(
            h,
            2,
            &format!("{body}LT-{code}"),
            "deg",
            middle(g.ny),
            g.lat,
        );
        h.set("CDELT2", g.step, "");
        h.set(
            "LONPOLE",
            if g.projection.zenithal() { 180.0 } else { 0.0 },
            "",
        );
        let sense = if g.west { "west" } else { "east" };
        h.push(Card::commentary(
            "COMMENT",
            &format!("Longitude is positive to the {sense}; planetary east is to the right."),
        ));
    }
}

/// The body that a cube was navigated on, else its target.
fn body(of: &Header) -> Option<&str> {
    let named = |key: &str| of.str(key).map(str::trim).filter(|t| !t.is_empty());
    named("NAV TARGET").or_else(|| named("TARGNAME"))
}

fn axis(h: &mut Header, n: usize, kind: &str, unit: &str, pixel: f64, value: f64) {
    h.set(&format!("CTYPE{n}"), kind, "");
    h.set(&format!("CUNIT{n}"), unit, "");
    h.set(&format!("CRPIX{n}"), pixel, "");
    h.set(&format!("CRVAL{n}"), value, "");
}

/// First letters of `CTYPE` by body (Marmo et al. 2018, doi:10.1029/2018EA000388); `SS` for a body that has none.
fn prefix(body: &str) -> &'static str {
    match body.trim().to_ascii_uppercase().as_str() {
        "MERCURY" => "ME",
        "VENUS" => "VE",
        "EARTH" => "EA",
        "MOON" => "SE",
        "MARS" => "MA",
        "JUPITER" => "JU",
        "SATURN" => "SA",
        "URANUS" => "UR",
        "NEPTUNE" => "NE",
        _ => "SS",
    }
}

/// A map in colours, north up: from the 1st to the 99th percentile, see-through where it has no values.
fn picture(values: &[f32], nx: usize) -> Vec<[u8; 4]> {
    let mut known: Vec<f64> = values
        .iter()
        .filter(|v| v.is_finite())
        .map(|v| f64::from(*v))
        .collect();
    let [low, high] = match known.is_empty() {
        true => [0.0, 1.0],
        false => [0.01, 0.99].map(|q| quantile(&mut known, q)),
    };
    let rows = values.chunks(nx.max(1)).rev();
    rows.flatten()
        .map(|v| match v.is_finite() {
            true if high > low => colour((f64::from(*v) - low) / (high - low)),
            true => colour(0.5),
            false => [0; 4],
        })
        .collect()
}

/// Cubehelix (Green 2011, Bull. Astr. Soc. India 39, 289): brightness grows evenly, through blue, green and red. From dark to light.
fn colour(fraction: f64) -> [u8; 4] {
    let f = 0.05 + 0.9 * fraction.clamp(0.0, 1.0);
    let angle = std::f64::consts::TAU * (0.5 / 3.0 + 1.0 - 1.5 * f);
    let (sin, cos) = (libm::sin(angle), libm::cos(angle));
    let amplitude = f * (1.0 - f) / 2.0;
    let mix = |c: f64, s: f64| {
        ((f + amplitude * (c * cos + s * sin)).clamp(0.0, 1.0) * 255.0).round() as u8
    };
    [
        mix(-0.14861, 1.78277),
        mix(-0.29227, -0.90649),
        mix(1.97294, 0.0),
        255,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_grow_brighter_and_north_is_up() {
        let light =
            |c: [u8; 4]| 0.30 * f64::from(c[0]) + 0.59 * f64::from(c[1]) + 0.11 * f64::from(c[2]);
        let all: Vec<f64> = (0..=20)
            .map(|i| light(colour(f64::from(i) / 20.0)))
            .collect();
        assert!(all.windows(2).all(|p| p[1] > p[0] + 5.0), "{all:?}");
        let p = picture(&[0.0, 0.0, f32::NAN, 1.0], 2);
        assert_eq!((p[0], p[1], p[2]), ([0; 4], colour(1.0), colour(0.0)));
        assert_eq!(picture(&[f32::NAN; 2], 2), [[0; 4]; 2]);
    }
}
