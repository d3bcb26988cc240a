//! Loops over columns of points with the same arithmetic for each, for the widest vectors of the processor.

use super::rotation::{Matrix3, dot};
use crate::math::wide::wide;

/// Columns of `n` points to be filled.
pub(super) fn zeros<const N: usize>(n: usize) -> [Vec<f64>; N] {
    std::array::from_fn(|_| vec![0.0; n])
}

wide! {
    /// A matrix times `(x, y)`, products as numpy's (OpenBLAS) have them, and a shift.
    fn affine_into(matrix: &[[f64; 2]; 2], shift: &[f64; 2], x: &[f64], y: &[f64], out: &mut [Vec<f64>; 2]) {
        for ((row, t), out) in matrix.iter().zip(shift).zip(out) {
            for ((x, y), out) in x.iter().zip(y).zip(out) {
                *out = row[1].mul_add(*y, row[0] * x) + t;
            }
        }
    }
}

/// A matrix times `(x, y)` and a shift.
pub(super) fn affine(
    matrix: &[[f64; 2]; 2],
    shift: &[f64; 2],
    [x, y]: [&[f64]; 2],
) -> [Vec<f64>; 2] {
    let mut out = zeros(x.len());
    affine_into(matrix, shift, x, y, &mut out);
    out
}

wide! {
    fn rotated_into(m: &Matrix3, x: &[f64], y: &[f64], z: &[f64], out: &mut [Vec<f64>; 3]) {
        for (row, out) in m.iter().zip(out) {
            for (((x, y), z), out) in x.iter().zip(y).zip(z).zip(out) {
                *out = dot(row, [*x, *y, *z]);
            }
        }
    }
}

/// A matrix times `(x, y, z)`.
pub(super) fn rotated(m: &Matrix3, [x, y, z]: [&[f64]; 3]) -> [Vec<f64>; 3] {
    let mut out = zeros(x.len());
    rotated_into(m, x, y, z, &mut out);
    out
}

wide! {
    fn unit_vectors_into(x: &[f64], y: &[f64], out: &mut [Vec<f64>; 4]) {
        let [a, b, c, length] = out;
        let out = a.iter_mut().zip(b).zip(c).zip(length);
        for ((x, y), (((a, b), c), length)) in x.iter().zip(y).zip(out) {
            let l = (1.0 + x * x + y * y).sqrt();
            (*a, *b, *c, *length) = (x / l, y / l, 1.0 / l, l);
        }
    }
}

/// The unit vector along `(x, y, 1)` and the length of that.
pub(super) fn unit_vectors([x, y]: [&[f64]; 2]) -> [Vec<f64>; 4] {
    let mut out = zeros(x.len());
    unit_vectors_into(x, y, &mut out);
    out
}

wide! {
    fn grating_into(density: f64, lambda: &[f64], a: &[f64], b: &[f64], out: &mut [Vec<f64>; 3]) {
        let [x, y, z] = out;
        let out = x.iter_mut().zip(y).zip(z);
        for (((l, a), b), ((x, y), z)) in lambda.iter().zip(a).zip(b).zip(out) {
            let (a, b) = (-density * l + a, -b);
            (*x, *y, *z) = (a, b, (1.0 - a * a - b * b).sqrt());
        }
    }
}

/// Directions behind a grating of `density` (grooves a metre, times the order) of light from directions `(a, b)`.
pub(super) fn grating(density: f64, lambda: &[f64], [a, b]: [&[f64]; 2]) -> [Vec<f64>; 3] {
    let mut out = zeros(lambda.len());
    grating_into(density, lambda, a, b, &mut out);
    out
}

/// The third direction cosine.
#[inline(always)]
pub(super) fn ahead(x: f64, y: f64) -> f64 {
    (1.0 - x * x - y * y).sqrt()
}

wide! {
    /// Turns directions about the first axis.
    pub(super) fn about_x(s: f64, c: f64, x: &[f64], y: &mut [f64], z: &mut [f64]) {
        for ((x, y), z) in x.iter().zip(y).zip(z) {
            *y = *y * c + *z * s;
            *z = ahead(*x, *y);
        }
    }
}

wide! {
    /// Turns directions about the second axis.
    pub(super) fn about_y(s: f64, c: f64, x: &mut [f64], y: &[f64], z: &mut [f64]) {
        for ((x, y), z) in x.iter_mut().zip(y).zip(z) {
            *x = *x * c - *z * s;
            *z = ahead(*x, *y);
        }
    }
}

wide! {
    /// Turns directions about the third axis.
    pub(super) fn about_z(s: f64, c: f64, x: &mut [f64], y: &mut [f64], z: &mut [f64]) {
        for ((x, y), z) in x.iter_mut().zip(y).zip(z) {
            (*x, *y) = (*x * c + *y * s, -*x * s + *y * c);
            *z = ahead(*x, *y);
        }
    }
}
