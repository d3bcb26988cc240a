//! A dither on a map of the body: which spaxels make a cell, and how much of each.

use super::Dither;
use crate::nav::ellipsoid::LonLat;

/// Between centres of spaxels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// The value of the nearest.
    Nearest,
    /// Linear in both directions.
    Linear,
    /// Cubic in both directions (Keys 1981, a = -1/2).
    Cubic,
}

/// Weights of `t` (0 to 1) from the second of the centres, and how many lie before it.
fn weights(kind: Interpolation, t: f64) -> (Vec<f64>, i64) {
    match kind {
        Interpolation::Nearest => (vec![1.0], if t < 0.5 { 0 } else { -1 }),
        Interpolation::Linear => (vec![1.0 - t, t], 0),
        Interpolation::Cubic => {
            let near = |d: f64| (1.5 * d - 2.5) * d * d + 1.0;
            let far = |d: f64| ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0;
            (vec![far(1.0 + t), near(t), near(1.0 - t), far(2.0 - t)], 1)
        }
    }
}

/// Cells of a map, rows from the north, columns from 360 degrees west to 0.
#[derive(Clone, Debug)]
pub struct Map {
    /// Columns and rows.
    pub size: [usize; 2],
    /// Number of each cell's value; none where the body is not seen.
    pub values: Vec<Option<u32>>,
    /// Ends of each value's part of `parts`.
    ends: Vec<u32>,
    /// Spaxels and their weights.
    parts: Vec<(u32, f32)>,
}

impl Map {
    /// The map of a dither, in cells of so many degrees.
    #[must_use]
    pub fn new(dither: &Dither, degrees: f64, kind: Interpolation) -> Self {
        let size = [360.0, 180.0].map(|all: f64| (all / degrees).round().max(1.0) as usize);
        let [columns, rows] = size;
        let [nx, ny] = dither.size.map(|n| n as i64);
        let mut values = Vec::with_capacity(columns * rows);
        let (mut ends, mut parts) = (Vec::new(), Vec::new());
        let back = dither.pixels.inverse();
        for row in 0..rows {
            let lat = 90.0 - (row as f64 + 0.5) * 180.0 / rows as f64;
            for column in 0..columns {
                let before = parts.len();
                let west = 360.0 - (column as f64 + 0.5) * 360.0 / columns as f64;
                if let (Some(at), Some(back)) = (seen(dither, west, lat), &back) {
                    let [x, y] = back.apply(at);
                    let floor = [x.floor(), y.floor()];
                    let (wx, before_x) = weights(kind, x - floor[0]);
                    let (wy, before_y) = weights(kind, y - floor[1]);
                    let (x0, y0) = (floor[0] as i64 - before_x, floor[1] as i64 - before_y);
                    let inside = x0 >= 0
                        && y0 >= 0
                        && x0 + wx.len() as i64 <= nx
                        && y0 + wy.len() as i64 <= ny;
                    if inside {
                        for (j, b) in wy.iter().enumerate() {
                            for (i, a) in wx.iter().enumerate() {
                                // within the image
                                let at = (y0 + j as i64) * nx + x0 + i as i64;
                                parts.push((at as u32, (a * b) as f32));
                            }
                        }
                    }
                }
                let any = parts.len() > before;
                values.push(any.then_some(ends.len() as u32));
                if any {
                    ends.push(parts.len() as u32);
                }
            }
        }
        Self {
            size,
            values,
            ends,
            parts,
        }
    }

    /// Values of the cells that have one; NaN where a spaxel that counts is NaN.
    #[must_use]
    pub fn of(&self, image: &[f32]) -> Vec<f32> {
        let mut from = 0;
        let cell = |end: &u32| {
            let parts = &self.parts[from..*end as usize];
            from = *end as usize;
            let value = |(i, w): &(u32, f32)| {
                if *w == 0.0 {
                    0.0
                } else {
                    w * image[*i as usize]
                }
            };
            parts.iter().map(value).sum()
        };
        self.ends.iter().map(cell).collect()
    }
}

/// Where in the tangent plane a place of the surface is seen (longitude to the west and planetographic latitude, degrees).
fn seen(dither: &Dither, west: f64, lat: f64) -> Option<[f64; 2]> {
    let globe = &dither.globe;
    let place = LonLat {
        lon: west.to_radians(),
        lat: lat.to_radians(),
        height: 0.0,
    };
    let point = globe.surface().from_planetographic(place, true);
    let at = dither.plane.project(globe.towards(point));
    (globe.faces(point, globe.observer) > 0.0 && at[0].is_finite()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_one_in_sum_and_meet_the_centres() {
        for kind in [
            Interpolation::Nearest,
            Interpolation::Linear,
            Interpolation::Cubic,
        ] {
            for t in [0.0, 0.2, 0.49, 0.7, 0.999] {
                let (w, _) = weights(kind, t);
                assert!((w.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            }
        }
        assert_eq!(weights(Interpolation::Cubic, 0.0).0, [0.0, 1.0, 0.0, 0.0]);
        assert_eq!(weights(Interpolation::Nearest, 0.6).1, -1);
    }
}
