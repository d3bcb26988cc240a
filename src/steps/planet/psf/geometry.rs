//! Which points of a cube's field see the lit side of its target, on grids finer than its own.

use crate::math::vector::{apply, cross, dot, norm, unit};
use crate::model::Cube;
use crate::nav::planes::{self, Field};
use crate::nav::{Aspect, Correction, Kernels, Observer, direction, observatory};
use crate::wcs::Celestial;
use crate::{Error, Result};

/// The target of a navigated cube and how its pixels look at it.
#[derive(Debug)]
pub struct Scene {
    pub aspect: Aspect,
    pub(super) wcs: Celestial,
    /// What is subtracted from right ascension and declination, degrees.
    offset: [f64; 2],
    map: Map,
}

/// How pixels go to directions.
#[derive(Debug)]
enum Map {
    /// By the cube's WCS.
    Sky,
    /// As PlanetMapper does: a plane about the target, turned and stretched as at its centre.
    Disc(Disc),
}

/// PlanetMapper's parameters of the disc.
#[derive(Debug)]
struct Disc {
    /// Pixel of the centre.
    at: [f64; 2],
    /// arcsec a pixel.
    scale: f64,
    /// Radians.
    rotation: f64,
}

/// The middle of the exposure, from the navigation or else as it makes it.
fn epoch(cube: &Cube, kernels: &Kernels) -> Result<f64> {
    let meta = &cube.meta;
    if let Some(et) = meta.f64("NAV ET") {
        return Ok(et);
    }
    let begin = kernels.et_of_utc(meta.need_str("DATE-BEG")?)?;
    let end = kernels.et_of_utc(meta.need_str("DATE-END")?)?;
    Ok((begin + end) / 2.0)
}

impl Scene {
    /// The scene of a navigated cube; `compatible` looks at it as PlanetMapper does.
    ///
    /// # Errors
    /// [`Error::Input`] for headers without target, epoch or WCS; [`Error::Reference`] for kernels without them.
    pub fn new(cube: &Cube, kernels: &Kernels, compatible: bool) -> Result<Self> {
        let meta = &cube.meta;
        let target = match meta.i64("NAV TARGET-ID").map(i32::try_from) {
            Some(Ok(code)) => code,
            _ => kernels.body_code(meta.need_str("TARGNAME")?)?,
        };
        let et = epoch(cube, kernels)?;
        let number = |k: &str| meta.sci.f64(k).or_else(|| meta.primary.f64(k));
        let observer = match meta.str("TELESCOP") {
            Some(t) if t.trim().eq_ignore_ascii_case("JWST") => {
                observatory::jwst(kernels, et, number)?.observer
            }
            Some(other) => Observer::Body(kernels.body_code(other)?),
            None => return Err(missing(cube, "TELESCOP")),
        };
        let correction: Correction = meta.str("NAV ABCORR").unwrap_or("CN").parse()?;
        let aspect = Aspect::new(kernels, target, &observer, et, correction)?;
        let aspect = match meta.f64("NAV ALTITUDE").unwrap_or(0.0) {
            0.0 => aspect,
            km => aspect.raised(km)?,
        };
        let wcs = Celestial::from_header(&meta.sci)?;
        let offset = ["RA", "DEC"].map(|axis| {
            let key = format!("NAV {axis}_OFFSET");
            meta.f64(&key).unwrap_or(0.0) / 3600.0
        });
        let mut scene = Self {
            aspect,
            wcs,
            offset,
            map: Map::Sky,
        };
        if compatible {
            scene.map = Map::Disc(scene.disc(cube)?);
        }
        Ok(scene)
    }

    /// Direction of a pixel (from 0, in parts), degrees.
    fn sky(&self, x: f64, y: f64) -> [f64; 2] {
        match &self.map {
            Map::Sky => {
                let [ra, dec] = self.wcs.sky(x, y);
                [ra - self.offset[0], dec - self.offset[1]]
            }
            Map::Disc(disc) => disc.sky(self.aspect.centre(), x, y),
        }
    }

    /// Pixel that looks at a direction (degrees) by the cube's WCS.
    pub(super) fn pixel(&self, ra: f64, dec: f64, cube: &Cube) -> Result<[f64; 2]> {
        let mut at = [cube.nx as f64 / 2.0, cube.ny as f64 / 2.0];
        let miss = |[x, y]: [f64; 2]| {
            let [a, d] = self.wcs.sky(x, y);
            let turn = (a - ra + 180.0).rem_euclid(360.0) - 180.0;
            [turn, d - dec]
        };
        let mut last = f64::INFINITY;
        for _ in 0..50 {
            let m = miss(at);
            let (px, py) = (miss([at[0] + 1.0, at[1]]), miss([at[0], at[1] + 1.0]));
            let (a, b) = ([px[0] - m[0], px[1] - m[1]], [py[0] - m[0], py[1] - m[1]]);
            let det = a[0] * b[1] - a[1] * b[0];
            let step = [
                (b[0] * m[1] - b[1] * m[0]) / det,
                (a[1] * m[0] - a[0] * m[1]) / det,
            ];
            if !(step[0].is_finite() && step[1].is_finite()) {
                break;
            }
            at = [at[0] + step[0], at[1] + step[1]];
            // as near as the last bit of right ascension lets it come, which is more of a pixel the larger that is
            let size = step[0].abs().max(step[1].abs());
            if size < 1e-11 || size < 1e-6 && size >= last {
                return Ok(at);
            }
            last = size;
        }
        Err(Error::input_file(
            &cube.meta.source,
            "the target is nowhere near the cube's field by its WCS",
        ))
    }

    /// PlanetMapper's parameters from the cube's WCS.
    fn disc(&self, cube: &Cube) -> Result<Disc> {
        let [ra, dec] = self.aspect.centre();
        let at = self.pixel(ra, dec, cube)?;
        let (b, c) = (self.wcs.sky(at[0], at[1] + 1.0), self.wcs.sky(at[0], at[1]));
        // right ascension as it is, without cos(Dec), is PlanetMapper's way
        let rotation = libm::atan2(b[0] - c[0], b[1] - c[1]);
        let (u, v) = (direction(b[0], b[1]), direction(c[0], c[1]));
        let scale = libm::atan2(norm(cross(u, v)), dot(u, v)).to_degrees() * 3600.0;
        let mut disc = Disc {
            at,
            scale,
            rotation,
        };
        if self.offset != [0.0; 2] {
            let centre = self.aspect.centre();
            let [ra, dec] = disc.sky(centre, 0.0, 0.0);
            let moved = disc.pixel(centre, ra + self.offset[0], dec + self.offset[1]);
            disc.at = [disc.at[0] + moved[0], disc.at[1] + moved[1]];
        }
        Ok(disc)
    }

    /// Diameter of the equator in pixels of the cube.
    pub fn diameter(&self, cube: &Cube) -> f64 {
        self.aspect.diameter() / self.pixel_scale(cube)
    }

    /// arcsec a pixel, at the target where the WCS reaches it.
    pub fn pixel_scale(&self, cube: &Cube) -> f64 {
        if let Map::Disc(disc) = &self.map {
            return disc.scale;
        }
        let [ra, dec] = self.aspect.centre();
        let middle = [cube.nx as f64 / 2.0, cube.ny as f64 / 2.0];
        let [x, y] = self.pixel(ra, dec, cube).unwrap_or(middle);
        let look = |x: f64, y: f64| {
            let [a, d] = self.wcs.sky(x, y);
            direction(a, d)
        };
        let (u, v) = (look(x, y + 1.0), look(x, y));
        let across = norm(cross(u, v));
        libm::atan2(across, dot(u, v)).to_degrees() * 3600.0
    }

    /// Whether each point (pixels from 0, in parts) sees the lit side of the target.
    pub fn lit(&self, points: &[(f64, f64)]) -> Vec<bool> {
        let [ra, dec] = self.aspect.centre();
        let centre = direction(ra, dec);
        // cheaply, what is off the disc
        let reach =
            self.aspect.radii.iter().fold(0.0f64, |a, b| a.max(*b)) / self.aspect.distance();
        let least = libm::cos((1.1 * reach).min(3.0));
        let (mut at, mut ras, mut decs) = (Vec::new(), Vec::new(), Vec::new());
        for (i, (x, y)) in points.iter().enumerate() {
            let [ra, dec] = self.sky(*x, *y);
            if dot(direction(ra, dec), centre) > least {
                at.push(i);
                ras.push(ra);
                decs.push(dec);
            }
        }
        let field = Field::new(&self.aspect, &ras, &decs);
        let mut out = vec![false; points.len()];
        let both = ["EMISSION", "INCIDENCE"].map(|n| planes::find(n).map(|p| (p.of)(&field)));
        if let [Ok(emission), Ok(incidence)] = both {
            for (i, (e, s)) in at.into_iter().zip(emission.iter().zip(&incidence)) {
                out[i] = *e < 90.0 && *s < 90.0;
            }
        }
        out
    }
}

fn missing(cube: &Cube, keyword: &str) -> Error {
    Error::input_file(&cube.meta.source, format!("keyword {keyword} is missing"))
}

impl Disc {
    /// Direction of a pixel, degrees, for a target at `centre`.
    fn sky(&self, centre: [f64; 2], x: f64, y: f64) -> [f64; 2] {
        let (s, c) = libm::sincos(self.rotation);
        let (x, y) = (self.scale * (x - self.at[0]), self.scale * (y - self.at[1]));
        // turned back, west positive
        let (east, north) = ((s * y - c * x) / 3600.0, (s * x + c * y) / 3600.0);
        let v = direction(east, north);
        let [ra, dec] = centre.map(f64::to_radians);
        let ((sa, ca), (sd, cd)) = (libm::sincos(ra), libm::sincos(dec));
        // the frame whose x axis is the target and whose z axis is to its north
        let axes = [
            [ca * cd, -sa, -ca * sd],
            [sa * cd, ca, -sa * sd],
            [sd, 0.0, cd],
        ];
        let u = unit(apply(&axes, v));
        [
            libm::atan2(u[1], u[0]).to_degrees().rem_euclid(360.0),
            libm::atan2(u[2], libm::hypot(u[0], u[1])).to_degrees(),
        ]
    }

    /// Pixel of a direction.
    fn pixel(&self, centre: [f64; 2], ra: f64, dec: f64) -> [f64; 2] {
        let u = direction(ra, dec);
        let [a, d] = centre.map(f64::to_radians);
        let ((sa, ca), (sd, cd)) = (libm::sincos(a), libm::sincos(d));
        let axes = [
            [ca * cd, sa * cd, sd],
            [-sa, ca, 0.0],
            [-ca * sd, -sa * sd, cd],
        ];
        let v = apply(&axes, u);
        let x = -libm::atan2(v[1], v[0]).to_degrees() * 3600.0 / self.scale;
        let y = libm::atan2(v[2], libm::hypot(v[0], v[1])).to_degrees() * 3600.0 / self.scale;
        let (s, c) = libm::sincos(self.rotation);
        [c * x + s * y + self.at[0], c * y - s * x + self.at[1]]
    }
}
