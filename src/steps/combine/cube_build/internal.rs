//! Cubes in the plane of NIRSpec's slicer (`internal_cal`): of one exposure, each slice a column, along the slices and the wavelength
//! by the area that pixels and voxels have in common.
//!
//! What calwebb does is followed to its roundings: wavelengths are single precision where they come from the reference file, and a
//! pixel is taken from its centre to those of the next row and column.

use super::cubepar::Band;
use super::geometry::Voxels;
use super::overlap::Polygon;
use super::slices::Slices;
use crate::exec::Exec;
use crate::model::{Cal, dq};
use crate::{Error, Result};

/// Columns of the cube by slice: the first slice lies in the middle of the field.
const COLUMNS: [usize; 30] = [
    15, 14, 16, 13, 17, 12, 18, 11, 19, 10, 20, 9, 21, 8, 22, 7, 23, 6, 24, 5, 25, 4, 26, 3, 27, 2,
    28, 1, 29, 0,
];
/// Most voxels.
const MOST: f64 = 2_147_483_647.0;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wishes {
    /// Shortest wavelength in micron.
    pub wavemin: Option<f64>,
    /// Longest wavelength in micron.
    pub wavemax: Option<f64>,
    /// Step in wavelength in micron; 0 for the reference file's.
    pub scalew: f64,
}

/// The grid in the slicer's plane.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// Size of a column across the slices and of a row along them in metre.
    pub cdelt: [f64; 2],
    /// Lower edges of the first column and row in metre.
    pub crval: [f64; 2],
    /// Number of columns.
    pub nx: usize,
    /// Centres of rows in metre.
    pub along: Vec<f64>,
    /// Wavelengths of planes in micron, by adding up steps.
    pub z: Vec<f64>,
    /// Wavelength of the first plane.
    pub crval3: f64,
    /// Step of the planes.
    pub cdelt3: f64,
}

/// A number of calwebb's: single precision until one that is not comes in.
#[derive(Debug, Clone, Copy)]
enum Number {
    Single(f32),
    Double(f64),
}

impl Number {
    fn f64(self) -> f64 {
        match self {
            Self::Single(v) => f64::from(v),
            Self::Double(v) => v,
        }
    }

    fn with(self, other: Self, f: fn(f32, f32) -> f32, g: fn(f64, f64) -> f64) -> Self {
        match (self, other) {
            (Self::Single(a), Self::Single(b)) => Self::Single(f(a, b)),
            (a, b) => Self::Double(g(a.f64(), b.f64())),
        }
    }

    fn plus(self, other: Self) -> Self {
        self.with(other, |a, b| a + b, |a, b| a + b)
    }

    fn minus(self, other: Self) -> Self {
        self.with(other, |a, b| a - b, |a, b| a - b)
    }

    fn over(self, other: Self) -> Self {
        self.with(other, |a, b| a / b, |a, b| a / b)
    }

    fn times(self, factor: f64) -> Self {
        match self {
            Self::Single(v) => Self::Single(factor as f32 * v),
            Self::Double(v) => Self::Double(factor * v),
        }
    }
}

/// Planes from one wavelength to another: their centres, the first, and the step.
fn planes(band: &Band, wishes: &Wishes) -> Result<(Vec<f64>, f64, f64)> {
    let number = |own: Option<f64>, file: f64| match own {
        Some(v) => Number::Double(v),
        None => Number::Single(file as f32),
    };
    let low = number(wishes.wavemin, band.range.0);
    let high = number(wishes.wavemax, band.range.1);
    let step = match wishes.scalew {
        0.0 => Number::Single(band.step as f32),
        // a plain number, which takes the precision of what it meets
        own => match low {
            Number::Single(_) => Number::Single(own as f32),
            Number::Double(_) => Number::Double(own),
        },
    };
    let n = high.minus(low).over(step).f64().ceil();
    if !(step.f64() > 0.0 && (2.0..MOST).contains(&n)) {
        return Err(Error::parameter(format!(
            "cube_build: no fitting number of planes of {} micron lies between {} and {} micron; check wavemin, wavemax and scalew",
            step.f64(),
            low.f64(),
            high.f64()
        )));
    }
    let middle = high.plus(low).times(0.5);
    let first = middle.minus(step.times(n / 2.0)).plus(step.times(0.5));
    let mut z = Vec::with_capacity(n as usize);
    let mut at = first;
    for _ in 0..n as usize {
        z.push(at.f64());
        at = at.plus(step);
    }
    let step = match wishes.scalew {
        0.0 => step.f64(),
        own => own,
    };
    Ok((z, first.f64(), step))
}

/// Points of a slice on the slicer.
struct Found {
    across: Vec<f64>,
    along: Vec<f64>,
}

/// Corners of the field on the slicer, as calwebb looks for them: those farthest across and along, with their other coordinate.
fn corners(slices: &Slices, nx: usize, exec: &Exec) -> Result<[[f64; 2]; 4]> {
    let all = exec.try_map((0..slices.count()).collect(), |i| {
        let (slice, x, y) = slices.pixels(i, nx);
        let [across, along, _] = slices.slicer(&slice, &x, &y)?;
        let valid = |k: &usize| across[*k].is_finite() && along[*k].is_finite();
        let valid: Vec<usize> = (0..x.len()).filter(valid).collect();
        Ok(Found {
            across: valid.iter().map(|k| across[*k]).collect(),
            along: valid.iter().map(|k| along[*k]).collect(),
        })
    })?;
    let points = || {
        all.iter()
            .flat_map(|f| f.along.iter().copied().zip(f.across.iter().copied()))
    };
    let least = |of: fn(&(f64, f64)) -> f64| {
        points().reduce(|best, p| if of(&p) < of(&best) { p } else { best })
    };
    let found = [
        least(|p| p.0),
        least(|p| -p.0),
        least(|p| p.1),
        least(|p| -p.1),
    ];
    let mut out = [[0.0; 2]; 4];
    for (out, found) in out.iter_mut().zip(found) {
        let (along, across) = found
            .ok_or_else(|| Error::science("no pixel of the exposure has a place on the slicer"))?;
        *out = [along, across];
    }
    Ok(out)
}

fn extremes(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
        (low.min(v), high.max(v))
    })
}

/// `n` values from one on, by adding up steps.
fn added_up(start: f64, step: f64, n: usize) -> Vec<f64> {
    let next = |v: &f64| Some(v + step);
    std::iter::successors(Some(start), next).take(n).collect()
}

/// The grid that holds an exposure.
fn grid(corners: [[f64; 2]; 4], band: &Band, wishes: &Wishes) -> Result<Grid> {
    let (low, high) = extremes(corners.iter().map(|c| c[0]));
    let (left, right) = extremes(corners.iter().map(|c| c[1]));
    let across = (right - left) / 30.0;
    let along = across / 2.0;
    let n = (low.abs().max(high.abs()) / along).ceil();
    let nx = ((right - left) / across).ceil();
    let (z, crval3, cdelt3) = planes(band, wishes)?;
    if !(across > 0.0 && nx * (2.0 * n + 1.0) * (z.len() as f64) < MOST) {
        return Err(Error::parameter(
            "cube_build: the slices of the exposure give no grid, or one of too many voxels; check wavemin, wavemax and scalew",
        ));
    }
    let bottom = 0.0 - n * along - along / 2.0;
    let middle = (right + left) / 2.0;
    Ok(Grid {
        cdelt: [across, along],
        crval: [middle - (nx / 2.0) * across, bottom],
        nx: nx as usize,
        along: added_up(bottom + along / 2.0, along, 2 * n as usize + 1),
        z,
        crval3,
        cdelt3,
    })
}

/// A pixel of a slice: the corners along the slice and in wavelength, and its values.
struct Pixel {
    along: [f64; 4],
    wave: [f64; 4],
    sci: f64,
    err: f64,
}

/// The pixels of a slice that count.
fn pixels(slices: &Slices, i: usize, cal: &Cal) -> Result<Vec<Pixel>> {
    let (slice, x, y) = slices.pixels(i, cal.nx);
    let good = |k: &usize| {
        let at = y[*k] as usize * cal.nx + x[*k] as usize;
        cal.dq
            .get(at)
            .is_some_and(|q| q & (dq::DO_NOT_USE | dq::NON_SCIENCE) == 0)
    };
    let used: Vec<usize> = (0..x.len()).filter(good).collect();
    let at = |dx: f64, dy: f64| {
        let x: Vec<f64> = used.iter().map(|k| x[*k] + dx).collect();
        let y: Vec<f64> = used.iter().map(|k| y[*k] + dy).collect();
        let slice: Vec<u8> = used.iter().map(|k| slice[*k]).collect();
        slices.slicer(&slice, &x, &y)
    };
    let around = [at(0.0, 0.0)?, at(1.0, 0.0)?, at(1.0, 1.0)?, at(0.0, 1.0)?];
    let mut out = Vec::with_capacity(used.len());
    for (k, used) in used.iter().enumerate() {
        let along = around.each_ref().map(|c| c[1][k]);
        if along.iter().any(|a| a.is_nan()) {
            continue;
        }
        let p = y[*used] as usize * cal.nx + x[*used] as usize;
        out.push(Pixel {
            along,
            wave: around.each_ref().map(|c| c[2][k] * 1e6),
            sci: f64::from(cal.sci[p]),
            err: f64::from(cal.err[p]),
        });
    }
    Ok(out)
}

/// Area of a quadrangle.
fn area([x, y]: [&[f64; 4]; 2]) -> f64 {
    let (x0, _) = extremes(x.iter().copied());
    let (y0, _) = extremes(y.iter().copied());
    let cross = |a: usize, b: usize| (x[a] - x0) * (y[b] - y0) - (x[b] - x0) * (y[a] - y0);
    (0.5 * (cross(0, 1) + cross(1, 2) + cross(2, 3) + cross(3, 0))).abs()
}

/// Working space of [`overlap`].
#[derive(Default)]
struct Workspace {
    pixel: Polygon,
    row: Polygon,
    part: Polygon,
    scratch: Polygon,
}

/// Sums of a slice, `[plane][row]`: weighted flux, weights, weighted variance, number of pixels.
fn sums(pixels: &[Pixel], grid: &Grid) -> Vec<[f64; 4]> {
    let (rows, planes) = (grid.along.len() as i64, grid.z.len() as i64);
    let [_, step] = grid.cdelt;
    let mut out = vec![[0.0; 4]; (rows * planes) as usize];
    let mut work = Workspace::default();
    for pixel in pixels {
        let whole = area([&pixel.along, &pixel.wave]);
        let (low, high) = extremes(pixel.along.iter().copied());
        let (short, long) = extremes(pixel.wave.iter().copied());
        let row = |v: f64| ((v - grid.crval[1]) / step) as i64;
        let plane = |v: f64| (v - grid.crval3) / grid.cdelt3;
        let first = (plane(short) as i64).max(0);
        let last = match plane(long).round() as i64 {
            last if last < 0 => first + 1,
            last => last,
        };
        work.pixel.set(&pixel.along, &pixel.wave);
        for r in row(low).max(0)..=row(high).min(rows - 1) {
            let centre = grid.along[r as usize];
            let (left, right) = (centre - 0.5 * step, centre + 0.5 * step);
            work.pixel
                .between_x(left, right, &mut work.scratch, &mut work.row);
            for z in first..=last.min(planes - 1) {
                let centre = grid.z[z as usize];
                let (bottom, top) = (centre - 0.5 * grid.cdelt3, centre + 0.5 * grid.cdelt3);
                work.row
                    .between_y(bottom, top, &mut work.scratch, &mut work.part);
                let common = work.part.area();
                if common > 0.0 {
                    let share = common / whole;
                    let [flux, weight, variance, count] = &mut out[(z * rows + r) as usize];
                    *flux += share * pixel.sci;
                    *weight += share;
                    *variance += (share * pixel.err) * (share * pixel.err);
                    *count += 1.0;
                }
            }
        }
    }
    out
}

/// The cube of an exposure.
///
/// # Errors
/// [`Error::Input`] where its WCS is none of NIRSpec's IFU, [`Error::Parameter`] for impossible sizes.
pub fn voxels(cal: &Cal, band: &Band, wishes: &Wishes, exec: &Exec) -> Result<(Grid, Voxels)> {
    let slices = Slices::of(cal)?;
    let named = |e: Error| e.with_path(&cal.meta.source);
    let grid = corners(&slices, cal.nx, exec)
        .and_then(|c| grid(c, band, wishes))
        .map_err(named)?;
    let columns = exec.try_map((0..slices.count()).collect(), |i| {
        let sums = sums(&pixels(&slices, i, cal)?, &grid);
        Ok((COLUMNS.get(slices.number(i)).copied(), sums))
    })?;
    let rows = grid.along.len();
    let n = grid.nx * rows * grid.z.len();
    let mut out = Voxels {
        sci: vec![f32::NAN; n],
        err: vec![f32::NAN; n],
        dq: vec![dq::DO_NOT_USE | dq::NON_SCIENCE; n],
        wmap: vec![0.0; n],
    };
    for (column, sums) in columns {
        let Some(column) = column.filter(|c| *c < grid.nx) else {
            continue;
        };
        for (at, [flux, weight, variance, count]) in sums.into_iter().enumerate() {
            if weight > 0.0 {
                let at = at * grid.nx + column;
                out.sci[at] = (flux / weight) as f32;
                out.err[at] = (variance / (weight * weight)).sqrt() as f32;
                out.dq[at] = 0;
                out.wmap[at] = count as f32;
            }
        }
    }
    Ok((grid, out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::combine::cube_build::cubepar::Regions;

    fn band() -> Band {
        let nan = f64::NAN;
        Band {
            spaxel: 0.1,
            step: f64::from(0.005_f32),
            range: (f64::from(0.6_f32), f64::from(5.3_f32)),
            regions: Regions {
                spatial: nan,
                spectral: nan,
                power: nan,
                soft: nan,
                scale: nan,
            },
        }
    }

    const NONE: Wishes = Wishes {
        wavemin: None,
        wavemax: None,
        scalew: 0.0,
    };

    #[test]
    fn planes_of_the_file_are_single_precision() {
        // numpy: float32 from 0.6, 5.3 and 0.005 on
        let (z, first, step) = planes(&band(), &NONE).unwrap();
        assert_eq!(z.len(), 941);
        assert_eq!(first, 0.600_000_083_446_502_7);
        assert_eq!(step, f64::from(0.005_f32));
        assert_eq!(z[1], f64::from(first as f32 + 0.005_f32));
        let own = Wishes {
            wavemin: Some(1.0),
            wavemax: Some(2.0),
            scalew: 0.25,
        };
        let (z, ..) = planes(&band(), &own).unwrap();
        assert_eq!(z, [1.125, 1.375, 1.625, 1.875]);
        for (low, high, scalew) in [(2.0, 1.0, 0.1), (1.0, 2.0, -0.1), (1.0, 2.0, 1e-12)] {
            let wishes = Wishes {
                wavemin: Some(low),
                wavemax: Some(high),
                scalew,
            };
            assert!(planes(&band(), &wishes).is_err());
        }
    }

    #[test]
    fn a_pixel_is_shared_by_area() {
        let grid = Grid {
            cdelt: [1.0, 1.0],
            crval: [0.0, 0.0],
            nx: 30,
            along: vec![0.5, 1.5, 2.5],
            z: vec![1.0, 2.0, 3.0],
            crval3: 1.0,
            cdelt3: 1.0,
        };
        let pixel = Pixel {
            along: [0.5, 0.5, 1.5, 1.5],
            wave: [1.25, 2.25, 2.25, 1.25],
            sci: 8.0,
            err: 2.0,
        };
        let sums = sums(&[pixel], &grid);
        let some: Vec<(usize, f64)> = sums
            .iter()
            .enumerate()
            .filter(|(_, s)| s[3] > 0.0)
            .map(|(k, s)| (k, s[1]))
            .collect();
        assert_eq!(some, [(0, 0.125), (1, 0.125), (3, 0.375), (4, 0.375)]);
        assert_eq!(sums[4], [3.0, 0.375, 0.5625, 1.0]);
    }
}
