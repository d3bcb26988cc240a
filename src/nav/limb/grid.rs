//! Maps on a fine grid about the body's centre, blurred and read between the grid's points.

use crate::math::cholesky::product;
use crate::math::vector::Vector;

/// A regular grid on the tangent plane; the body's centre is one of its points.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    /// Spacing, arcsec.
    pub step: f64,
    /// Indices of the first point, counted from the body's centre.
    first: [i64; 2],
    /// Points along x and y.
    pub size: [usize; 2],
}

/// Values of several maps at every point, those of one point side by side: `[y][x][map]`.
#[derive(Clone, Debug)]
pub struct Maps {
    /// Where the points are.
    pub grid: Grid,
    /// Number of maps.
    pub count: usize,
    /// The values.
    pub values: Vec<f64>,
}

/// Weights of the four nearest points along one axis, and of the slope.
#[derive(Clone, Copy)]
struct Taps {
    start: usize,
    value: [f64; 4],
    slope: [f64; 4],
}

impl Grid {
    /// A grid that covers x and y from `low` to `high`, arcsec.
    #[must_use]
    pub fn new(step: f64, low: [f64; 2], high: [f64; 2]) -> Self {
        let first = low.map(|v| (v / step).floor() as i64 - 2);
        let size = std::array::from_fn(|k| {
            ((high[k] / step).ceil() as i64 + 3 - first[k]).max(6) as usize
        });
        Self { step, first, size }
    }

    /// Coordinates of a point, arcsec.
    #[must_use]
    pub fn place(&self, ix: usize, iy: usize) -> [f64; 2] {
        let at = |i: usize, first: i64| (i as f64 + first as f64) * self.step;
        [at(ix, self.first[0]), at(iy, self.first[1])]
    }

    fn taps(&self, axis: usize, at: f64) -> Option<Taps> {
        let p = at / self.step - self.first[axis] as f64;
        let below = p.floor();
        if !(below >= 1.0 && below + 2.0 < self.size[axis] as f64) {
            return None;
        }
        let (t, u) = (p - below, 1.0 - (p - below));
        let h = 1.0 / self.step;
        Some(Taps {
            start: below as usize - 1,
            value: [
                u * u * u / 6.0,
                (3.0 * t * t * t - 6.0 * t * t + 4.0) / 6.0,
                (3.0 * u * u * u - 6.0 * u * u + 4.0) / 6.0,
                t * t * t / 6.0,
            ],
            slope: [
                -0.5 * u * u * h,
                (1.5 * t * t - 2.0 * t) * h,
                -(1.5 * u * u - 2.0 * u) * h,
                0.5 * t * t * h,
            ],
        })
    }
}

impl Maps {
    /// Maps of zeros.
    #[must_use]
    pub fn new(grid: Grid, count: usize) -> Self {
        Self {
            grid,
            count,
            values: vec![0.0; grid.size[0] * grid.size[1] * count],
        }
    }

    /// Adds values of some maps at a place, shared among the four points around it so that the centre of light is kept.
    pub fn deposit(&mut self, x: f64, y: f64, weight: f64, terms: &[(usize, f64)]) {
        let g = self.grid;
        let p = [
            x / g.step - g.first[0] as f64,
            y / g.step - g.first[1] as f64,
        ];
        let below = p.map(f64::floor);
        if (0..2).any(|k| !(below[k] >= 0.0 && below[k] + 1.0 < g.size[k] as f64)) {
            return;
        }
        let t = [p[0] - below[0], p[1] - below[1]];
        let corner = below[1] as usize * g.size[0] + below[0] as usize;
        for (point, share) in [
            (corner, (1.0 - t[0]) * (1.0 - t[1])),
            (corner + 1, t[0] * (1.0 - t[1])),
            (corner + g.size[0], (1.0 - t[0]) * t[1]),
            (corner + g.size[0] + 1, t[0] * t[1]),
        ] {
            let cell = &mut self.values[point * self.count..(point + 1) * self.count];
            for &(map, value) in terms {
                cell[map] += weight * share * value;
            }
        }
    }

    /// Convolves all maps with a circular Gaussian of this standard deviation (arcsec). Depositing and reading between
    /// points blur a little themselves; that is counted in.
    #[must_use]
    pub fn blurred(&self, sigma: f64) -> Self {
        let step = self.grid.step;
        // triangle of the deposit: step^2 / 6; cubic B-spline of the reading: step^2 / 3
        self.convolved((sigma * sigma - 0.5 * step * step).max(0.0).sqrt())
    }

    /// Convolves all maps with a circular Gaussian of this standard deviation (arcsec), the borders repeated.
    #[must_use]
    pub fn convolved(&self, sigma: f64) -> Self {
        let width = sigma / self.grid.step;
        let reach = (4.5 * width).ceil() as usize;
        let mut kernel: Vec<f64> = (0..=reach)
            .map(|i| libm::exp(-0.5 * (i * i) as f64 / (width * width).max(1e-12)))
            .collect();
        let total = kernel[0] + 2.0 * kernel[1..].iter().sum::<f64>();
        kernel.iter_mut().for_each(|k| *k /= total);
        let mut out = self.clone();
        for axis in 0..2 {
            out = out.pass(axis, &kernel);
        }
        out
    }

    fn pass(&self, axis: usize, kernel: &[f64]) -> Self {
        let [nx, ny] = self.grid.size;
        let n = self.count;
        let mut out = Self::new(self.grid, n);
        for iy in 0..ny {
            for ix in 0..nx {
                let to = (iy * nx + ix) * n;
                let cell = &mut out.values[to..to + n];
                for (k, weight) in kernel.iter().enumerate() {
                    let mut take = |dx: isize, dy: isize| {
                        let jx = ix.saturating_add_signed(dx).min(nx - 1);
                        let jy = iy.saturating_add_signed(dy).min(ny - 1);
                        let from = (jy * nx + jx) * n;
                        for (c, v) in cell.iter_mut().zip(&self.values[from..from + n]) {
                            *c += weight * v;
                        }
                    };
                    let k = k as isize;
                    let (dx, dy) = if axis == 0 { (k, 0) } else { (0, k) };
                    take(dx, dy);
                    if k > 0 {
                        take(-dx, -dy);
                    }
                }
            }
        }
        out
    }

    /// The sum of all maps, each times its coefficient.
    #[must_use]
    pub fn combined(&self, coefficients: &[f64]) -> Self {
        let values = self
            .values
            .chunks_exact(self.count)
            .map(|cell| product(cell, coefficients))
            .collect();
        Self {
            grid: self.grid,
            count: 1,
            values,
        }
    }

    /// Second derivatives (xx, yy, xy) of the first map, per arcsec squared.
    #[must_use]
    pub fn curvatures(&self) -> [Vec<f64>; 3] {
        let [nx, ny] = self.grid.size;
        let at = |ix: usize, dx: isize, iy: usize, dy: isize| {
            let jx = ix.saturating_add_signed(dx).min(nx - 1);
            let jy = iy.saturating_add_signed(dy).min(ny - 1);
            self.values[(jy * nx + jx) * self.count]
        };
        let k = 1.0 / (self.grid.step * self.grid.step);
        let mut out = [(); 3].map(|()| Vec::with_capacity(nx * ny));
        for y in 0..ny {
            for x in 0..nx {
                let c = 2.0 * at(x, 0, y, 0);
                out[0].push(k * (at(x, 1, y, 0) + at(x, -1, y, 0) - c));
                out[1].push(k * (at(x, 0, y, 1) + at(x, 0, y, -1) - c));
                let diagonal =
                    at(x, 1, y, 1) + at(x, -1, y, -1) - at(x, 1, y, -1) - at(x, -1, y, 1);
                out[2].push(0.25 * k * diagonal);
            }
        }
        out
    }

    /// The maps at a place, added to `row`; nothing beyond the grid, where they are 0.
    pub fn read(&self, x: f64, y: f64, row: &mut [f64]) {
        let (Some(tx), Some(ty)) = (self.grid.taps(0, x), self.grid.taps(1, y)) else {
            return;
        };
        for (j, wy) in ty.value.iter().enumerate() {
            let line = ((ty.start + j) * self.grid.size[0] + tx.start) * self.count;
            for (i, wx) in tx.value.iter().enumerate() {
                let from = line + i * self.count;
                let weight = wx * wy;
                for (r, v) in row.iter_mut().zip(&self.values[from..from + self.count]) {
                    *r += weight * v;
                }
            }
        }
    }

    /// Value and slopes along x and y of the first map at a place.
    #[must_use]
    pub fn slopes(&self, x: f64, y: f64) -> Vector {
        let mut out = [0.0; 3];
        let (Some(tx), Some(ty)) = (self.grid.taps(0, x), self.grid.taps(1, y)) else {
            return out;
        };
        for j in 0..4 {
            let line = (ty.start + j) * self.grid.size[0] + tx.start;
            for i in 0..4 {
                let v = self.values[(line + i) * self.count];
                out[0] += v * tx.value[i] * ty.value[j];
                out[1] += v * tx.slope[i] * ty.value[j];
                out[2] += v * tx.value[i] * ty.slope[j];
            }
        }
        out
    }
}
