//! Area two quadrangles have in common: a detector pixel on the sky and a spaxel of the cube.
//!
//! Clips the pixel by the spaxel's left, right, bottom and top sides in turn (Sutherland and Hodgman 1974). As in calwebb's C
//! code, slopes are rounded to single precision, so areas carry errors of about 1e-7 of a pixel; we make the same ones.

/// Room for the corners: four, and what clipping can add to them.
const CORNERS: usize = 32;

/// A closed polygon: `n` corners and the first of them again behind the last.
#[derive(Debug, Clone)]
pub struct Polygon {
    n: usize,
    x: [f64; CORNERS],
    y: [f64; CORNERS],
}

impl Default for Polygon {
    fn default() -> Self {
        Self {
            n: 0,
            x: [0.0; CORNERS],
            y: [0.0; CORNERS],
        }
    }
}

/// A side that points are kept on.
#[derive(Clone, Copy)]
enum Keep {
    RightOf,
    LeftOf,
    Above,
    Below,
}

impl Polygon {
    /// Sets the corners of a quadrangle.
    pub fn set(&mut self, x: &[f64; 4], y: &[f64; 4]) {
        self.n = 4;
        self.x[..4].copy_from_slice(x);
        self.y[..4].copy_from_slice(y);
        self.x[4] = x[0];
        self.y[4] = y[0];
    }

    #[inline]
    fn add(&mut self, x: f64, y: f64) {
        if self.n < CORNERS - 1 {
            self.x[self.n] = x;
            self.y[self.n] = y;
            self.n += 1;
        }
    }

    /// Puts the part of this polygon on one side of a line into `out`.
    #[inline(always)]
    fn clip(&self, keep: Keep, at: f64, out: &mut Self) {
        let inside = |x: f64, y: f64| match keep {
            Keep::RightOf => x > at,
            Keep::LeftOf => x < at,
            Keep::Above => y > at,
            Keep::Below => y < at,
        };
        out.n = 0;
        if self.n == 0 {
            return;
        }
        let (mut x1, mut y1) = (self.x[0], self.y[0]);
        let mut from = inside(x1, y1);
        for i in 1..=self.n {
            let (x2, y2) = (self.x[i], self.y[i]);
            let to = inside(x2, y2);
            if from != to {
                let slope = if x2 == x1 {
                    0.0
                } else {
                    ((y2 - y1) / (x2 - x1)) as f32
                };
                match keep {
                    Keep::RightOf | Keep::LeftOf => {
                        out.add(at, y1 + f64::from(slope) * (at - x1));
                    }
                    Keep::Above | Keep::Below if x1 == x2 => out.add(x1, at),
                    Keep::Above | Keep::Below => {
                        out.add(x1 + f64::from(1.0 / slope) * (at - y1), at);
                    }
                }
            }
            if to {
                out.add(x2, y2);
            }
            (x1, y1, from) = (x2, y2, to);
        }
        out.x[out.n] = out.x[0];
        out.y[out.n] = out.y[0];
    }

    /// Puts the part between two values of x into `out`.
    #[inline]
    pub fn between_x(&self, left: f64, right: f64, scratch: &mut Self, out: &mut Self) {
        self.clip(Keep::RightOf, left, scratch);
        scratch.clip(Keep::LeftOf, right, out);
    }

    /// Puts the part between two values of y into `out`.
    #[inline]
    pub fn between_y(&self, bottom: f64, top: f64, scratch: &mut Self, out: &mut Self) {
        self.clip(Keep::Above, bottom, scratch);
        scratch.clip(Keep::Below, top, out);
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// Area.
    #[inline]
    pub fn area(&self) -> f64 {
        if self.n == 0 {
            return 0.0;
        }
        let closed = self.n + 1;
        let least = |v: &[f64]| {
            v.iter()
                .skip(1)
                .fold(v[0], |m, v| if *v < m { *v } else { m })
        };
        let (x0, y0) = (least(&self.x[..closed]), least(&self.y[..closed]));
        let mut sum = 0.0;
        let (mut xa, mut ya) = (self.x[0] - x0, self.y[0] - y0);
        for i in 1..closed {
            let (xb, yb) = (self.x[i] - x0, self.y[i] - y0);
            sum += xa * yb - xb * ya;
            (xa, ya) = (xb, yb);
        }
        (0.5 * sum).abs()
    }
}

/// Working space of [`spaxels`].
#[derive(Debug, Default)]
pub struct Workspace {
    pixel: Polygon,
    column: Polygon,
    part: Polygon,
    scratch: Polygon,
}

/// As a C program converts: towards zero, and the least number for what does not fit.
fn truncated(v: f64) -> i32 {
    if v > -2_147_483_649.0 && v < 2_147_483_648.0 {
        v as i32
    } else {
        i32::MIN
    }
}

/// Calls `found(x index, y index, area)` for each spaxel of the grid with these centres and sizes that a pixel overlaps.
pub fn spaxels(
    corners: &([f64; 4], [f64; 4]),
    (x, y): (&[f64], &[f64]),
    cdelt: [f64; 2],
    work: &mut Workspace,
    mut found: impl FnMut(usize, usize, f64),
) {
    let (xs, ys) = corners;
    let range = |v: &[f64; 4]| {
        let first = (v[0], v[0]);
        v.iter().skip(1).fold(first, |(low, high), v| {
            (
                if *v < low { *v } else { low },
                if *v > high { *v } else { high },
            )
        })
    };
    let ((xmin, xmax), (ymin, ymax)) = (range(xs), range(ys));
    // calwebb takes the distance from the first spaxel without its sign: pixels to the left of or below the grid are looked for in
    // a mirrored place, and those that reach into it may miss spaxels
    let window = |low: f64, high: f64, centres: &[f64], cdelt: f64| {
        let half = cdelt / 2.0;
        let first = truncated(((low - half - centres[0]) / cdelt).abs() - 1.0);
        let last = truncated(((high + half - centres[0]) / cdelt).abs() + 1.0);
        let last = usize::try_from(last).unwrap_or(0).min(centres.len());
        usize::try_from(first).unwrap_or(0)..last
    };
    let columns = window(xmin, xmax, x, cdelt[0]);
    let rows = window(ymin, ymax, y, cdelt[1]);
    let half = [cdelt[0] * 0.5, cdelt[1] * 0.5];
    work.pixel.set(xs, ys);
    for ix in columns {
        let (left, right) = (x[ix] - half[0], x[ix] + half[0]);
        if !(left < xmax && right > xmin) {
            continue;
        }
        work.pixel
            .between_x(left, right, &mut work.scratch, &mut work.column);
        if work.column.is_empty() {
            continue;
        }
        for iy in rows.clone() {
            let (bottom, top) = (y[iy] - half[1], y[iy] + half[1]);
            if !(bottom < ymax && top > ymin) {
                continue;
            }
            work.column
                .between_y(bottom, top, &mut work.scratch, &mut work.part);
            let area = work.part.area();
            if area > 0.0 {
                found(ix, iy, area);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(corners: &([f64; 4], [f64; 4]), n: usize) -> Vec<(usize, usize, f64)> {
        let centres: Vec<f64> = (0..n).map(|i| i as f64).collect();
        let mut out = Vec::new();
        let mut work = Workspace::default();
        let push = |x, y, a| out.push((x, y, a));
        spaxels(corners, (&centres, &centres), [1.0, 1.0], &mut work, push);
        out
    }

    #[test]
    fn a_square_over_four_spaxels() {
        let got = found(&([1.25, 1.25, 2.25, 2.25], [0.75, 1.75, 1.75, 0.75]), 5);
        let want = [
            (1, 1, 0.25 * 0.75),
            (1, 2, 0.25 * 0.25),
            (2, 1, 0.75 * 0.75),
            (2, 2, 0.75 * 0.25),
        ];
        assert_eq!(got.len(), 4);
        for (g, w) in got.iter().zip(want) {
            assert_eq!((g.0, g.1), (w.0, w.1));
            assert!((g.2 - w.2).abs() < 1e-12, "{g:?} {w:?}");
        }
    }

    #[test]
    fn a_turned_pixel_keeps_its_area() {
        let (xs, ys): (Vec<f64>, Vec<f64>) = (0..4)
            .map(|i| {
                let a = 0.3 + std::f64::consts::FRAC_PI_2 * f64::from(i);
                (4.2 + 1.7 * a.cos(), 3.9 + 1.7 * a.sin())
            })
            .unzip();
        let corners = (xs.try_into().unwrap(), ys.try_into().unwrap());
        let sum: f64 = found(&corners, 9).iter().map(|f| f.2).sum();
        assert!((sum - 2.0 * 1.7 * 1.7).abs() < 1e-6, "{sum}");
    }

    #[test]
    fn a_pixel_inside_a_spaxel_and_one_outside_of_all() {
        let inside = found(&([0.9, 0.9, 1.1, 1.1], [0.9, 1.1, 1.1, 0.9]), 3);
        assert_eq!(inside.len(), 1);
        assert!((inside[0].2 - 0.04).abs() < 1e-12);
        let far = 1e300;
        for at in [9.0, -9.0, far, -far, f64::INFINITY, f64::NAN] {
            let beyond = ([at, at, at + 1.0, at + 1.0], [at, at + 1.0, at + 1.0, at]);
            assert!(found(&beyond, 3).is_empty());
        }
    }
}
