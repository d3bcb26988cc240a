//! Map projections: from a cell of a map to a longitude and latitude.
//!
//! Formulas and keywords of the FITS standard (Calabretta & Greisen 2002, A&A 395, 1077): `CAR`, `SIN`, `ARC` and `MOL`, with
//! `LONPOLE` 180 for the zenithal ones and 0 for the others, so that north is up and the central meridian upright.

use crate::{Error, Result};

/// Ways to flatten a globe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Projection {
    /// Longitude and latitude as they are (plate carrée).
    Equirectangular,
    /// The globe from far away.
    Orthographic,
    /// Distances and directions from the centre are true (azimuthal equidistant).
    Azimuthal,
    /// The whole globe in an ellipse, areas are true.
    Mollweide,
}

impl Projection {
    /// The last letters of `CTYPE`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Equirectangular => "CAR",
            Self::Orthographic => "SIN",
            Self::Azimuthal => "ARC",
            Self::Mollweide => "MOL",
        }
    }

    /// Whether the map may be centred on any latitude; the others are centred on the equator.
    #[must_use]
    pub fn zenithal(self) -> bool {
        matches!(self, Self::Orthographic | Self::Azimuthal)
    }

    /// The projection of a name (`mollweide`); case does not count.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        let all = [
            Self::Equirectangular,
            Self::Orthographic,
            Self::Azimuthal,
            Self::Mollweide,
        ];
        let named = |p: &Self| format!("{p:?}").eq_ignore_ascii_case(name.trim());
        all.into_iter().find(named)
    }

    /// Half width and half height of the globe in the plane, degrees.
    fn extent(self) -> [f64; 2] {
        let mollweide = 90.0 * 8f64.sqrt() / std::f64::consts::PI;
        match self {
            Self::Equirectangular => [180.0, 90.0],
            Self::Orthographic => [1f64.to_degrees(); 2],
            Self::Azimuthal => [180.0; 2],
            Self::Mollweide => [2.0 * mollweide, mollweide],
        }
    }
}

/// The cells of a map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// How it is projected.
    pub projection: Projection,
    /// Longitude of the middle, degrees.
    pub lon: f64,
    /// Latitude of the middle, degrees.
    pub lat: f64,
    /// Side of a cell, degrees (in the middle of the map).
    pub step: f64,
    /// Whether longitudes are positive to the west: columns then run to lower longitudes, so that planetary east is right.
    pub west: bool,
    /// Rows, from south to north.
    pub ny: usize,
    /// Columns, from planetary west to east.
    pub nx: usize,
}

/// Most cells of a map.
const MOST: f64 = 4e7;

impl Grid {
    /// The whole globe in cells of `step` degrees.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the step or the centre make no map.
    pub fn new(
        projection: Projection,
        [lon, lat]: [f64; 2],
        step: f64,
        west: bool,
    ) -> Result<Self> {
        let bad = |why: String| Err(Error::parameter(why));
        if !(step > 0.0 && step <= 90.0) {
            return bad(format!(
                "a grid of {step} degrees; it must be above 0 and at most 90"
            ));
        }
        if !(lon.is_finite() && (-90.0..=90.0).contains(&lat)) {
            return bad(format!(
                "a map cannot be centred on longitude {lon}, latitude {lat}"
            ));
        }
        if !projection.zenithal() && lat != 0.0 {
            return bad(format!(
                "this projection is centred on the equator, not on latitude {lat}"
            ));
        }
        let cells = |half: f64| (2.0 * half / step - 1e-9).ceil();
        let [nx, ny] = projection.extent().map(cells);
        let whole = (180.0 / step - (180.0 / step).round()).abs() < 1e-9;
        if projection == Projection::Equirectangular && !whole {
            return bad(format!(
                "180 degrees are no whole number of cells of {step} degrees; take 0.5, 1, 2 ..."
            ));
        }
        if nx * ny > MOST {
            return bad(format!(
                "a grid of {step} degrees makes more than {MOST} cells"
            ));
        }
        let (ny, nx) = (ny as usize, nx as usize);
        Ok(Self {
            projection,
            lon,
            lat,
            step,
            west,
            ny,
            nx,
        })
    }

    /// The edge of the globe, so many points of it, counted in cells from the lower left corner of the map.
    #[must_use]
    pub fn outline(&self, points: usize) -> Vec<[f64; 2]> {
        let [nx, ny] = [self.nx as f64, self.ny as f64];
        if self.projection == Projection::Equirectangular {
            return vec![[0.0, 0.0], [nx, 0.0], [nx, ny], [0.0, ny]];
        }
        let [a, b] = self.projection.extent().map(|e| e / self.step);
        let around = (0..points).map(|k| std::f64::consts::TAU * k as f64 / points.max(1) as f64);
        around
            .map(|t| [0.5 * nx + a * libm::cos(t), 0.5 * ny + b * libm::sin(t)])
            .collect()
    }

    /// Longitude and latitude (degrees) of a point of the map, counted in cells, the first cell's centre at 0, 0; none
    /// outside the globe.
    #[must_use]
    pub fn at(&self, x: f64, y: f64) -> Option<[f64; 2]> {
        let sign = if self.west { -1.0 } else { 1.0 };
        let x = sign * self.step * (x - (self.nx as f64 - 1.0) / 2.0);
        let y = self.step * (y - (self.ny as f64 - 1.0) / 2.0);
        match self.projection {
            Projection::Equirectangular => {
                (x.abs() <= 180.0 && y.abs() <= 90.0).then_some([self.lon + x, y])
            }
            Projection::Mollweide => {
                let scale =
                    std::f64::consts::FRAC_PI_2.to_degrees() * 8f64.sqrt() / std::f64::consts::PI;
                let sin = y / scale;
                let cos = (1.0 - sin * sin).max(0.0).sqrt();
                let turn = x / (2.0 * scale) / cos;
                if sin.abs() > 1.0 || turn.is_nan() || turn.abs() > 1.0 {
                    return None;
                }
                let theta = libm::asin(sin);
                let lat = (2.0 * theta + libm::sin(2.0 * theta)) / std::f64::consts::PI;
                Some([
                    self.lon + 180.0 * turn,
                    libm::asin(lat.clamp(-1.0, 1.0)).to_degrees(),
                ])
            }
            Projection::Orthographic => {
                let r = libm::hypot(x, y).to_radians();
                (r <= 1.0).then(|| self.away(x, y, libm::asin(r)))
            }
            Projection::Azimuthal => {
                let r = libm::hypot(x, y).to_radians();
                (r <= std::f64::consts::PI).then(|| self.away(x, y, r))
            }
        }
    }

    /// The point at a distance (radians) from the middle in the direction of `x`, `y`.
    fn away(&self, x: f64, y: f64, distance: f64) -> [f64; 2] {
        let (lon, lat) = (self.lon.to_radians(), self.lat.to_radians());
        let (sin, cos) = (libm::sin(distance), libm::cos(distance));
        let r = libm::hypot(x, y);
        let (x, y) = if r > 0.0 {
            (x / r * sin, y / r * sin)
        } else {
            (0.0, 0.0)
        };
        // along the meridian of the middle, to the right, and along the axis
        let out = cos * libm::cos(lat) - y * libm::sin(lat);
        let up = cos * libm::sin(lat) + y * libm::cos(lat);
        let turn = libm::atan2(x, out);
        [
            (lon + turn).to_degrees(),
            libm::atan2(up, libm::hypot(x, out)).to_degrees(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Projection::{Azimuthal, Equirectangular, Mollweide, Orthographic};

    fn near(a: Option<[f64; 2]>, b: [f64; 2]) -> bool {
        a.is_some_and(|a| {
            let turn = (a[0] - b[0]).rem_euclid(360.0);
            turn.min(360.0 - turn) < 1e-9 && (a[1] - b[1]).abs() < 1e-9
        })
    }

    #[test]
    fn cells_of_the_whole_globe() {
        let g = Grid::new(Equirectangular, [180.0, 0.0], 1.0, true).unwrap();
        assert_eq!((g.ny, g.nx), (180, 360));
        // west longitudes: the first column is the largest
        assert!(near(g.at(0.0, 0.0), [359.5, -89.5]) && near(g.at(359.0, 179.0), [0.5, 89.5]));
        let g = Grid { west: false, ..g };
        assert!(near(g.at(0.0, 0.0), [0.5, -89.5]) && g.at(-1.0, 3.0).is_none());
        for (step, lat) in [
            (0.0, 0.0),
            (f64::NAN, 0.0),
            (0.7, 0.0),
            (1e-3, 0.0),
            (1.0, 5.0),
        ] {
            let e = Grid::new(Equirectangular, [0.0, lat], step, true).unwrap_err();
            assert_eq!(e.exit_code(), 2);
        }
    }

    /// Places by wcslib 8.
    #[test]
    fn places_are_those_of_fits() {
        for (projection, centre, step, x, y, lon, lat) in [
            (
                Equirectangular,
                [180.0, 0.0],
                1.0,
                108.0,
                108.0,
                251.5,
                18.5,
            ),
            (
                Orthographic,
                [30.0, 50.0],
                2.0,
                17.4,
                34.8,
                73.59077437,
                55.8095484,
            ),
            (
                Orthographic,
                [30.0, 50.0],
                2.0,
                31.9,
                20.3,
                21.86643487,
                32.98045189,
            ),
            (
                Azimuthal,
                [30.0, 90.0],
                2.0,
                54.0,
                108.0,
                147.52522574,
                9.9375244,
            ),
            (
                Azimuthal,
                [30.0, 90.0],
                2.0,
                99.0,
                63.0,
                10.27772224,
                33.69724696,
            ),
            (
                Mollweide,
                [30.0, 0.0],
                2.0,
                48.9,
                49.2,
                103.01152822,
                15.74155067,
            ),
            (
                Mollweide,
                [30.0, 0.0],
                2.0,
                89.65,
                28.7,
                9.91369461,
                -21.43998023,
            ),
        ] {
            let grid = Grid::new(projection, centre, step, true).unwrap();
            let at = grid.at(x, y).unwrap();
            let turn = (at[0] - lon).rem_euclid(360.0);
            assert!(turn.min(360.0 - turn) < 1e-7, "{projection:?} {at:?}");
            assert!((at[1] - lat).abs() < 1e-7, "{projection:?} {at:?}");
        }
    }

    #[test]
    fn zenithal_maps_and_mollweide() {
        let g = Grid::new(Orthographic, [30.0, 50.0], 2.0, false).unwrap();
        assert_eq!((g.nx, g.ny), (58, 58));
        let middle = 28.5;
        assert!(near(g.at(middle, middle), [30.0, 50.0]) && g.at(0.0, 0.0).is_none());
        // a quarter turn to the right is on the equator, 90 degrees on
        let edge = middle + 1f64.to_degrees() / 2.0 - 1e-13;
        let at = g.at(edge, middle).unwrap();
        assert!((at[0] - 120.0).abs() < 1e-4 && at[1].abs() < 1e-4);
        let g = Grid::new(Azimuthal, [30.0, 90.0], 2.0, false).unwrap();
        let middle = (g.nx as f64 - 1.0) / 2.0;
        assert!(near(g.at(middle, middle - 10.0), [30.0, 70.0]));
        assert!(near(g.at(middle + 10.0, middle), [120.0, 70.0]));
        let g = Grid { west: true, ..g };
        assert!(near(g.at(middle + 10.0, middle), [-60.0, 70.0]));
        let g = Grid::new(Mollweide, [30.0, 0.0], 2.0, false).unwrap();
        let middle = [(g.nx as f64 - 1.0) / 2.0, (g.ny as f64 - 1.0) / 2.0];
        assert!(near(g.at(middle[0], middle[1]), [30.0, 0.0]));
        assert!(g.at(0.0, 0.0).is_none());
        // true areas: the cells inside are the globe's
        let inside = (0..g.nx * g.ny)
            .filter(|i| g.at((i % g.nx) as f64, (i / g.nx) as f64).is_some())
            .count();
        let sphere = 4.0 * std::f64::consts::PI * 1f64.to_degrees().powi(2) / 4.0;
        assert!(
            (inside as f64 / sphere - 1.0).abs() < 3e-3,
            "{inside} {sphere}"
        );
    }
}
