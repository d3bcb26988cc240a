//! The grid of a cube's voxels: the tangent plane, sizes and centres of spaxels, wavelengths.

use super::tangent::Tangent;
use crate::{Error, Result};

/// Where the planes of a cube are.
#[derive(Debug, Clone, PartialEq)]
pub enum Planes {
    /// At equal steps.
    Linear {
        /// Shortest wavelength (an edge) in micron.
        from: f64,
        /// Longest wavelength in micron; the last plane may reach beyond.
        to: f64,
        /// Step in micron.
        step: f64,
    },
    /// At the wavelengths of a table in micron, ascending.
    Table(Vec<f64>),
}

/// What a user may ask of the grid on the sky.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Wishes {
    /// Right ascension of the centre in degrees.
    pub ra_center: Option<f64>,
    /// Declination of the centre in degrees.
    pub dec_center: Option<f64>,
    /// Number of spaxels along x.
    pub nspax_x: Option<i64>,
    /// Number of spaxels along y.
    pub nspax_y: Option<i64>,
}

/// The grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// The plane of the sky.
    pub tangent: Tangent,
    /// Size of a spaxel in arcsec.
    pub cdelt: f64,
    /// FITS pixel (from 1) of the point of contact.
    pub crpix: [f64; 2],
    /// Centres of spaxels along x in arcsec.
    pub x: Vec<f64>,
    /// Centres of spaxels along y in arcsec.
    pub y: Vec<f64>,
    /// Wavelengths of the planes' centres in micron.
    pub z: Vec<f64>,
    /// Lengths of the planes in micron.
    pub dz: Vec<f64>,
    /// Wavelength of the first plane, as the header has it.
    pub crval3: f64,
    /// Step of linear planes.
    pub cdelt3: Option<f64>,
}

/// Voxels a cube can have (jwst counts them with 32 bits).
const MOST_VOXELS: f64 = 2_147_483_647.0;

/// `n` values of numpy's `arange`, or fewer if there are not as many.
fn arange(start: f64, stop: f64, step: f64, n: usize) -> Vec<f64> {
    let length = ((stop - start) / step).ceil().max(0.0) as usize;
    // numpy computes the second value and goes on by its distance from the first
    let step = (start + step) - start;
    (0..length.min(n))
        .map(|i| start + i as f64 * step)
        .collect()
}

/// Mean of two angles in degrees, from 0 to 360.
fn middle(a: f64, b: f64) -> f64 {
    let (a, b) = (a.to_radians(), b.to_radians());
    let cos = (a.cos() + b.cos()) / 2.0;
    let sin = (a.sin() + b.sin()) / 2.0;
    (sin.atan2(cos).to_degrees()).rem_euclid(360.0)
}

fn extremes(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
        (low.min(v), high.max(v))
    })
}

impl Grid {
    /// The grid that holds all of the corners (right ascension, declination in degrees; all on one side of 0).
    ///
    /// # Errors
    /// [`Error::Parameter`] where the cube would have no voxels or too many of them.
    pub fn around(
        corners: &[[f64; 2]],
        rotation: Option<f64>,
        cdelt: f64,
        planes: &Planes,
        wishes: &Wishes,
    ) -> Result<Self> {
        if !(cdelt > 0.0 && cdelt.is_finite()) {
            return Err(Error::parameter(format!(
                "cube_build: spaxels of {cdelt} arcsec are impossible; scalexy must be positive"
            )));
        }
        let (ra_min, ra_max) = extremes(corners.iter().map(|c| c[0]));
        let (dec_min, dec_max) = extremes(corners.iter().map(|c| c[1]));
        let centre = [
            wishes.ra_center.unwrap_or_else(|| middle(ra_min, ra_max)),
            wishes
                .dec_center
                .unwrap_or_else(|| (dec_min + dec_max) / 2.0),
        ];
        let tangent = Tangent::new(centre, rotation);
        let projected: Vec<[f64; 2]> = corners
            .iter()
            .map(|[ra, dec]| tangent.project(*ra, *dec))
            .collect();
        let (z, crval3, cdelt3) = wavelengths(planes)?;
        let half = |axis: usize, wish: Option<i64>| -> Result<f64> {
            let (low, high) = extremes(projected.iter().map(|p| p[axis]));
            let n = match wish {
                // an odd number about the centre
                Some(n) => (n / 2) as f64,
                None => (low.abs().max(high.abs()) / cdelt).ceil() + 1.0,
            };
            let voxels = (2.0 * n + 1.0) * z.len() as f64;
            if !(n >= 0.0 && voxels < MOST_VOXELS) {
                return Err(too_large(centre));
            }
            Ok(n)
        };
        let (na, nb) = (half(0, wishes.nspax_x)?, half(1, wishes.nspax_y)?);
        if (2.0 * na + 1.0) * (2.0 * nb + 1.0) * z.len() as f64 > MOST_VOXELS {
            return Err(too_large(centre));
        }
        let centres = |n: f64| {
            let edge = 0.0 - n * cdelt - cdelt / 2.0;
            let start = edge + cdelt / 2.0;
            let count = 2.0 * n + 1.0;
            arange(start, start + count * cdelt, cdelt, count as usize)
        };
        let mut dz: Vec<f64> = z.windows(2).map(|w| w[1] - w[0]).collect();
        dz.push(dz.last().copied().unwrap_or(0.0));
        Ok(Self {
            tangent,
            cdelt,
            crpix: [na + 1.0, nb + 1.0],
            x: centres(na),
            y: centres(nb),
            z,
            dz,
            crval3,
            cdelt3,
        })
    }

    /// Spaxels of a plane.
    pub fn nxy(&self) -> usize {
        self.x.len() * self.y.len()
    }
}

fn too_large(centre: [f64; 2]) -> Error {
    Error::parameter(format!(
        "cube_build: a cube about right ascension {:.6}, declination {:.6} that holds all exposures would be too large; combine \
         exposures of one field, and check ra_center, dec_center, scalexy, scalew and offset_file",
        centre[0], centre[1]
    ))
}

/// Centres of the planes, the header's first wavelength and the step.
fn wavelengths(planes: &Planes) -> Result<(Vec<f64>, f64, Option<f64>)> {
    match planes {
        Planes::Linear { from, to, step } => {
            let n = ((to - from) / step).ceil();
            if !(*step > 0.0 && n >= 2.0) {
                return Err(Error::parameter(format!(
                    "cube_build: no two planes of {step} micron fit between {from} and {to} micron; \
                     check wavemin, wavemax and scalew"
                )));
            }
            if n > MOST_VOXELS {
                return Err(Error::parameter(format!(
                    "cube_build: planes of {step} micron from {from} to {to} micron are too many; check wavemin, wavemax and scalew"
                )));
            }
            let start = from + step / 2.0;
            let z = arange(start, from + n * step, *step, n as usize);
            Ok((z, start, Some(*step)))
        }
        Planes::Table(table) => {
            if table.len() < 2 || !table.is_sorted_by(|a, b| a < b) {
                return Err(Error::reference(
                    "cube_build: the wavelengths of the cubepar reference file's table do not ascend, or fewer than two of them lie \
                     between wavemin and wavemax",
                ));
            }
            Ok((table.clone(), table[0], None))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planes() -> Planes {
        Planes::Linear {
            from: 5.0,
            to: 5.0105,
            step: 0.001,
        }
    }

    #[test]
    fn a_grid_about_the_middle() {
        let d = 1.0 / 3600.0;
        let corners = [[359.9999, -d], [360.0001, 2.0 * d]];
        let g = Grid::around(&corners, None, 0.4, &planes(), &Wishes::default()).unwrap();
        assert!(g.tangent.centre[0] < 1e-9 || g.tangent.centre[0] > 360.0 - 1e-9);
        assert_eq!(g.tangent.centre[1], d / 2.0);
        // 0.36 and 1.5 arcsec on either side, and one more spaxel
        assert_eq!((g.x.len(), g.y.len()), (5, 11));
        assert_eq!(g.crpix, [3.0, 6.0]);
        assert!(g.x[2].abs() < 1e-12);
        assert_eq!((g.z.len(), g.dz.len()), (11, 11));
        assert!((g.z[10] - 5.0105).abs() < 1e-9);
    }

    #[test]
    fn wishes_come_first() {
        let wishes = Wishes {
            ra_center: Some(10.0),
            dec_center: Some(0.0),
            nspax_x: Some(7),
            nspax_y: Some(5),
        };
        let corners = [[9.999, 0.0], [10.001, 0.001]];
        let g = Grid::around(&corners, Some(30.0), 0.1, &planes(), &wishes).unwrap();
        assert_eq!((g.x.len(), g.y.len()), (7, 5));
        assert_eq!(g.tangent.centre, [10.0, 0.0]);
    }

    #[test]
    fn impossible_grids_are_refused() {
        let w = Wishes::default();
        let corners = [[10.0, 0.0], [50.0, 40.0]];
        let far = Grid::around(&corners, None, 0.1, &planes(), &w).unwrap_err();
        assert!(far.to_string().contains("too large"));
        let near = [[10.0, 0.0], [10.001, 0.001]];
        for cdelt in [0.0, -1.0, f64::NAN] {
            assert!(Grid::around(&near, None, cdelt, &planes(), &w).is_err());
        }
        for (from, to, step) in [(5.0, 4.0, 0.1), (5.0, 6.0, 0.0), (5.0, 6.0, 1e-12)] {
            let planes = Planes::Linear { from, to, step };
            assert!(Grid::around(&near, None, 0.1, &planes, &w).is_err());
        }
        for table in [vec![], vec![5.0], vec![5.0, 4.0], vec![5.0, f64::NAN]] {
            assert!(Grid::around(&near, None, 0.1, &Planes::Table(table), &w).is_err());
        }
    }
}
