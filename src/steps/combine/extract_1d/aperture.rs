//! Circles on a grid of pixels: which part of each pixel lies inside, and sums of an image weighted with it.
//!
//! Values and order of the operations are those of photutils 3.0, so that sums agree to the last bit.
//! The circle is the only shape: the extraction of extended sources takes every pixel whole.

use crate::math::pairwise_sum::pairwise_sum;

/// How the part of a pixel inside a circle is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The area of the overlap.
    Exact,
    /// All or nothing, as the pixel's centre is inside or not.
    Center,
    /// The share of so many by so many points.
    Subpixel(usize),
}

/// The pixels of an image that a circle or ring may touch, and the part of each that is inside.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// First column.
    x: usize,
    /// First row.
    y: usize,
    /// Columns.
    width: usize,
    /// Parts, row by row.
    parts: Vec<f64>,
}

/// A circle, or a ring where there is an inner radius. Pixels are whole around whole numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Circle {
    /// Column and row of the centre, from 0.
    pub center: (f64, f64),
    /// Radius, pixels.
    pub radius: f64,
    /// Inner radius of a ring, pixels; none for a circle.
    pub inner: Option<f64>,
}

impl Circle {
    /// Area, square pixels.
    pub fn area(&self) -> f64 {
        let square = |r: f64| r * r;
        match self.inner {
            None => std::f64::consts::PI * square(self.radius),
            Some(inner) => std::f64::consts::PI * (square(self.radius) - square(inner)),
        }
    }

    /// Its weights on an image of `ny` rows and `nx` columns; none where its bounding box is outside.
    pub fn on(&self, ny: usize, nx: usize, method: Method) -> Option<Weights> {
        let columns = Axis::new(self.center.0, self.radius);
        let rows = Axis::new(self.center.1, self.radius);
        let (x, x_end) = columns.inside(nx)?;
        let (y, y_end) = rows.inside(ny)?;
        let mut parts = vec![0.0; (x_end - x) * (y_end - y)];
        let outer = Disc::new(self.radius, &columns, &rows, method);
        let inner = self.inner.map(|r| Disc::new(r, &columns, &rows, method));
        for (j, row) in parts.chunks_exact_mut(x_end - x).enumerate() {
            let low = rows.pixel(y + j);
            for (i, part) in row.iter_mut().enumerate() {
                let left = columns.pixel(x + i);
                *part = outer.part(left, low);
                if let Some(inner) = &inner {
                    *part -= inner.part(left, low);
                }
            }
        }
        Some(Weights {
            x,
            y,
            width: x_end - x,
            parts,
        })
    }
}

impl Weights {
    /// The weighted sum of an image of `nx` columns over pixels that `keep` lets through; `scratch` is overwritten.
    pub fn sum(
        &self,
        nx: usize,
        value: impl Fn(usize) -> f32,
        keep: impl Fn(usize) -> bool,
        scratch: &mut Vec<f64>,
    ) -> f64 {
        scratch.clear();
        for (j, row) in self.parts.chunks_exact(self.width).enumerate() {
            let first = (self.y + j) * nx + self.x;
            for (i, part) in row.iter().enumerate() {
                if *part > 0.0 && keep(first + i) {
                    scratch.push(f64::from(value(first + i)) * part);
                }
            }
        }
        pairwise_sum(scratch)
    }
}

/// The pixels a circle spans along one axis.
struct Axis {
    /// First and one past the last.
    first: f64,
    end: f64,
    /// Edge of the first one from the centre, and the size of one.
    edge: f64,
    step: f64,
}

impl Axis {
    fn new(center: f64, radius: f64) -> Self {
        let first = (center - radius + 0.5).floor();
        let end = (center + radius + 0.5).ceil();
        let edge = first - 0.5 - center;
        Self {
            first,
            end,
            edge,
            step: (end - 0.5 - center - edge) / (end - first),
        }
    }

    /// Those of them that are among `n` pixels.
    fn inside(&self, n: usize) -> Option<(usize, usize)> {
        // also false for NaN
        if !(self.first < n as f64 && self.end > 0.0) {
            return None;
        }
        Some((
            self.first.max(0.0) as usize,
            self.end.min(n as f64) as usize,
        ))
    }

    /// Lower edge of a pixel, from the centre.
    fn pixel(&self, at: usize) -> f64 {
        self.edge + (at as f64 - self.first) * self.step
    }
}

/// A circle about the origin on a grid of this pitch.
struct Disc {
    radius: f64,
    dx: f64,
    dy: f64,
    /// Half the diagonal of a pixel.
    half: f64,
    method: Method,
}

impl Disc {
    fn new(radius: f64, columns: &Axis, rows: &Axis, method: Method) -> Self {
        let (dx, dy) = (columns.step, rows.step);
        Self {
            radius,
            dx,
            dy,
            half: 0.5 * (dx * dx + dy * dy).sqrt(),
            method,
        }
    }

    /// Part of the pixel inside whose lower left corner is here.
    fn part(&self, x0: f64, y0: f64) -> f64 {
        let Self {
            radius: r, dx, dy, ..
        } = *self;
        let (x1, y1) = (x0 + dx, y0 + dy);
        let near = |low: f64, high: f64, d: f64| high > -r - 0.5 * d && low < r + 0.5 * d;
        if !near(x0, x1, dx) || !near(y0, y1, dy) {
            return 0.0;
        }
        let (x, y) = (x0 + dx * 0.5, y0 + dy * 0.5);
        let distance = (x * x + y * y).sqrt();
        if distance < r - self.half {
            return 1.0;
        }
        if distance >= r + self.half {
            return 0.0;
        }
        match self.method {
            Method::Exact => area(x0, y0, x1, y1, r) / (dx * dy),
            Method::Center => points(x0, y0, x1, y1, r, 1),
            Method::Subpixel(n) => points(x0, y0, x1, y1, r, n),
        }
    }
}

/// Share of `n` by `n` points of a pixel that are inside the circle.
fn points(x0: f64, y0: f64, x1: f64, y1: f64, r: f64, n: usize) -> f64 {
    let (dx, dy) = ((x1 - x0) / n as f64, (y1 - y0) / n as f64);
    let mut inside = 0usize;
    let mut x = x0 - 0.5 * dx;
    for _ in 0..n {
        x += dx;
        let mut y = y0 - 0.5 * dy;
        for _ in 0..n {
            y += dy;
            inside += usize::from(x * x + y * y < r * r);
        }
    }
    inside as f64 / (n * n) as f64
}

/// Area that a rectangle and the circle share: the rectangle is cut at the axes, and each piece turned into
/// the first quadrant.
fn area(x0: f64, y0: f64, x1: f64, y1: f64, r: f64) -> f64 {
    let (across_x, across_y) = (x0 < 0.0 && x1 > 0.0, y0 < 0.0 && y1 > 0.0);
    match (across_x, across_y) {
        (true, true) => {
            area(x0, y0, 0.0, 0.0, r)
                + area(0.0, y0, x1, 0.0, r)
                + area(x0, 0.0, 0.0, y1, r)
                + area(0.0, 0.0, x1, y1, r)
        }
        (true, false) => area(x0, y0, 0.0, y1, r) + area(0.0, y0, x1, y1, r),
        (false, true) => area(x0, y0, x1, 0.0, r) + area(x0, 0.0, x1, y1, r),
        (false, false) => match (x0 >= 0.0, y0 >= 0.0) {
            (true, true) => quadrant(x0, y0, x1, y1, r),
            (true, false) => quadrant(-y1, x0, -y0, x1, r),
            (false, true) => quadrant(-x1, y0, -x0, y1, r),
            (false, false) => quadrant(-x1, -y1, -x0, -y0, r),
        },
    }
}

/// The same in the first quadrant.
fn quadrant(x0: f64, y0: f64, x1: f64, y1: f64, r: f64) -> f64 {
    if x0 * x0 + y0 * y0 > r * r {
        return 0.0;
    }
    let whole = (x1 - x0) * (y1 - y0);
    if x1 * x1 + y1 * y1 < r * r {
        return whole;
    }
    // where the circle crosses a line at this distance from an axis
    let cross = |at: f64| root(r * r - at * at);
    let right = root(x1 * x1 + y0 * y0) < r;
    let top = root(x0 * x0 + y1 * y1) < r;
    match (right, top) {
        (true, true) => {
            let (a, b) = ((cross(y1), y1), (x1, cross(x1)));
            whole - triangle(a, b, (x1, y1)) + segment(a, b, r)
        }
        (true, false) => {
            let (a, b) = ((x0, cross(x0)), (x1, cross(x1)));
            segment(a, b, r) + triangle(a, (a.0, y0), (x1, y0)) + triangle(a, (b.0, y0), b)
        }
        (false, true) => {
            let (a, b) = ((cross(y0), y0), (cross(y1), y1));
            segment(a, b, r) + triangle(a, (x0, a.1), (x0, y1)) + triangle(a, (x0, b.1), b)
        }
        (false, false) => {
            let (a, b) = ((cross(y0), y0), (x0, cross(x0)));
            segment(a, b, r) + triangle(a, b, (x0, y0))
        }
    }
}

fn root(x: f64) -> f64 {
    if x > 0.0 { x.sqrt() } else { 0.0 }
}

/// Area between the circle and the chord of two of its points.
fn segment(a: (f64, f64), b: (f64, f64), r: f64) -> f64 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let chord = (dx * dx + dy * dy).sqrt();
    let angle = 2.0 * (0.5 * chord / r).asin();
    0.5 * r * r * (angle - angle.sin())
}

fn triangle(a: (f64, f64), b: (f64, f64), c: (f64, f64)) -> f64 {
    0.5 * (a.0 * (b.1 - c.1) + b.0 * (c.1 - a.1) + c.0 * (a.1 - b.1)).abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circle(x: f64, y: f64, radius: f64) -> Circle {
        Circle {
            center: (x, y),
            radius,
            inner: None,
        }
    }

    fn total(c: &Circle, n: usize, method: Method) -> f64 {
        let weights = c.on(n, n, method).unwrap();
        weights.sum(n, |_| 1.0, |_| true, &mut Vec::new())
    }

    #[test]
    fn exact_weights_add_up_to_the_area() {
        for (x, y, r) in [
            (10.0, 10.0, 5.0),
            (9.3, 10.45, 0.2),
            (9.5, 9.5, 3.7),
            (10.01, 9.0, 0.51),
        ] {
            let c = circle(x, y, r);
            assert!((total(&c, 21, Method::Exact) - c.area()).abs() < 1e-12 * c.area());
            let ring = Circle {
                inner: Some(r * 0.6),
                ..c
            };
            assert!((total(&ring, 21, Method::Exact) - ring.area()).abs() < 1e-11 * c.area());
            assert!((total(&c, 21, Method::Subpixel(200)) / c.area() - 1.0).abs() < 2e-3);
        }
        // half of it on the image
        let c = circle(-0.5, 10.0, 4.0);
        assert!((total(&c, 21, Method::Exact) - c.area() / 2.0).abs() < 1e-12);
    }

    #[test]
    fn centres_count_whole_pixels() {
        assert_eq!(total(&circle(5.0, 5.0, 1.1), 11, Method::Center), 5.0);
        assert_eq!(total(&circle(5.0, 5.0, 1.0), 11, Method::Center), 1.0);
    }

    #[test]
    fn outside_is_none_and_masks_are_heeded() {
        for (x, y) in [(-9.0, 5.0), (5.0, 30.0), (f64::NAN, 5.0)] {
            assert_eq!(circle(x, y, 3.0).on(11, 11, Method::Exact), None);
        }
        let weights = circle(5.0, 5.0, 100.0).on(11, 11, Method::Exact).unwrap();
        let mut scratch = Vec::new();
        let value = |p: usize| if p == 60 { f32::NAN } else { 2.0 };
        assert!(weights.sum(11, value, |_| true, &mut scratch).is_nan());
        assert_eq!(
            weights.sum(11, value, |p| p != 60, &mut scratch),
            2.0 * 120.0
        );
    }
}
