//! Vectors and matrices of three dimensions, and rotations of the axes they are expressed in.
//!
//! Plain arrays: `Matrix` is three rows, and a matrix takes a vector's components in one frame to
//! those in another (`out = m * v`). No frames by name and no time here; that is `nav`.

/// Three components.
pub type Vector = [f64; 3];
/// Three rows.
pub type Matrix = [[f64; 3]; 3];

/// The matrix that changes nothing.
pub const IDENTITY: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
/// The matrix of zeros.
pub const ZERO: Matrix = [[0.0; 3]; 3];

/// a + b.
#[must_use]
pub fn add(a: Vector, b: Vector) -> Vector {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

/// a - b.
#[must_use]
pub fn sub(a: Vector, b: Vector) -> Vector {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

/// k a.
#[must_use]
pub fn scale(k: f64, a: Vector) -> Vector {
    a.map(|x| k * x)
}

/// -a.
#[must_use]
pub fn negate(a: Vector) -> Vector {
    a.map(|x| -x)
}

/// Scalar product.
#[must_use]
pub fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Vector product.
#[must_use]
pub fn cross(a: Vector, b: Vector) -> Vector {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

/// Length; no overflow or underflow for any finite input.
#[must_use]
pub fn norm(a: Vector) -> f64 {
    let big = a.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    if big == 0.0 || !big.is_finite() {
        return if a.iter().any(|x| x.is_nan()) {
            f64::NAN
        } else {
            big
        };
    }
    big * dot(a.map(|x| x / big), a.map(|x| x / big)).sqrt()
}

/// a / |a|; the zero vector stays zero.
#[must_use]
pub fn unit(a: Vector) -> Vector {
    let n = norm(a);
    if n == 0.0 { a } else { a.map(|x| x / n) }
}

/// Angle between two vectors, radians, exact for small and for large angles.
#[must_use]
pub fn angle(a: Vector, b: Vector) -> f64 {
    let (u, v) = (unit(a), unit(b));
    2.0 * libm::atan2(norm(sub(u, v)), norm(add(u, v)))
}

/// m v.
#[must_use]
pub fn apply(m: &Matrix, v: Vector) -> Vector {
    m.map(|row| dot(row, v))
}

/// Transpose of `m` times `v`: back from the frame that rotation `m` leads to.
#[must_use]
pub fn apply_back(m: &Matrix, v: Vector) -> Vector {
    let mut out = [0.0; 3];
    for (row, x) in m.iter().zip(v) {
        for (o, r) in out.iter_mut().zip(row) {
            *o += r * x;
        }
    }
    out
}

/// a b.
#[must_use]
pub fn product(a: &Matrix, b: &Matrix) -> Matrix {
    let mut out = ZERO;
    for (o, row) in out.iter_mut().zip(a) {
        *o = apply_back(b, *row);
    }
    out
}

/// a + b.
#[must_use]
pub fn sum(a: &Matrix, b: &Matrix) -> Matrix {
    let mut out = *a;
    for (o, row) in out.iter_mut().zip(b) {
        *o = add(*o, *row);
    }
    out
}

/// Rows become columns.
#[must_use]
pub fn transpose(m: &Matrix) -> Matrix {
    let [a, b, c] = *m;
    [[a[0], b[0], c[0]], [a[1], b[1], c[1]], [a[2], b[2], c[2]]]
}

/// One of the three axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    X,
    Y,
    Z,
}

impl Axis {
    /// 1, 2 and 3, as books and kernels count axes.
    #[must_use]
    pub fn from_number(n: i32) -> Option<Self> {
        match n {
            1 => Some(Self::X),
            2 => Some(Self::Y),
            3 => Some(Self::Z),
            _ => None,
        }
    }
}

/// Components after the axes turned by `angle` radians about `axis` (right-handed), and the
/// derivative of that matrix with respect to the angle.
#[must_use]
pub fn turn_and_rate(axis: Axis, angle: f64) -> (Matrix, Matrix) {
    let (s, c) = libm::sincos(angle);
    match axis {
        Axis::X => (
            [[1.0, 0.0, 0.0], [0.0, c, s], [0.0, -s, c]],
            [[0.0; 3], [0.0, -s, c], [0.0, -c, -s]],
        ),
        Axis::Y => (
            [[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]],
            [[-s, 0.0, -c], [0.0; 3], [c, 0.0, -s]],
        ),
        Axis::Z => (
            [[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]],
            [[-s, c, 0.0], [-c, -s, 0.0], [0.0; 3]],
        ),
    }
}

/// Components after the axes turned by `angle` radians about `axis` (right-handed).
#[must_use]
pub fn turn(axis: Axis, angle: f64) -> Matrix {
    turn_and_rate(axis, angle).0
}

/// `v` turned by `angle` radians about `axis`, which need not be of length 1 (right-handed).
#[must_use]
pub fn rotate(v: Vector, axis: Vector, angle: f64) -> Vector {
    let k = unit(axis);
    let (s, c) = libm::sincos(angle);
    let along = scale(dot(k, v), k);
    let across = sub(v, along);
    add(along, add(scale(c, across), scale(s, cross(k, v))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: Vector, b: Vector) {
        assert!(norm(sub(a, b)) < 1e-15, "{a:?} {b:?}");
    }

    #[test]
    fn turned_axes_see_a_fixed_vector_turn_back() {
        let quarter = std::f64::consts::FRAC_PI_2;
        let (x, y, z) = (IDENTITY[0], IDENTITY[1], IDENTITY[2]);
        close(apply(&turn(Axis::Z, quarter), y), x);
        close(apply(&turn(Axis::X, quarter), z), y);
        close(apply(&turn(Axis::Y, quarter), x), z);
        close(rotate(x, scale(5.0, z), quarter), y);
    }

    #[test]
    fn the_rate_is_the_derivative() {
        for axis in [Axis::X, Axis::Y, Axis::Z] {
            let h = 1e-6;
            let (a, b) = (turn(axis, 0.7 + h), turn(axis, 0.7 - h));
            let rate = turn_and_rate(axis, 0.7).1;
            for i in 0..3 {
                for j in 0..3 {
                    assert!(((a[i][j] - b[i][j]) / (2.0 * h) - rate[i][j]).abs() < 1e-9);
                }
            }
        }
    }

    #[test]
    fn products_and_back() {
        let m = product(&turn(Axis::X, 0.3), &turn(Axis::Z, -1.1));
        let v = [1.0, -2.0, 3.0];
        close(apply_back(&m, apply(&m, v)), v);
        close(apply(&transpose(&m), v), apply_back(&m, v));
        close(apply(&product(&m, &transpose(&m)), v), v);
    }

    #[test]
    fn lengths_and_angles_at_the_extremes() {
        assert_eq!(norm([3e300, 4e300, 0.0]), 5e300);
        assert_eq!(norm([0.0; 3]), 0.0);
        assert!(norm([f64::NAN, 1.0, 0.0]).is_nan());
        let a = angle([1.0, 0.0, 0.0], [1.0, 1e-12, 0.0]);
        assert!((a - 1e-12).abs() < 1e-27);
        assert_eq!(unit([0.0; 3]), [0.0; 3]);
    }
}
