//! Small dense systems of linear equations, and least squares by the singular values.

/// The matrix is singular.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Singular;

/// Triangular factors of a square matrix, with partial pivoting.
#[derive(Debug, Clone)]
pub struct Factors {
    n: usize,
    a: Vec<f64>,
    rows: Vec<usize>,
    odd: bool,
}

impl Factors {
    /// Factors of the `n` x `n` matrix `a`, row by row.
    pub fn new(n: usize, mut a: Vec<f64>) -> Self {
        let mut rows: Vec<usize> = (0..n).collect();
        let mut odd = false;
        for k in 0..n {
            let mut pivot = k;
            for i in k + 1..n {
                if a[i * n + k].abs() > a[pivot * n + k].abs() {
                    pivot = i;
                }
            }
            if a[pivot * n + k] == 0.0 {
                continue;
            }
            if pivot != k {
                let (above, below) = a.split_at_mut(pivot * n);
                above[k * n..(k + 1) * n].swap_with_slice(&mut below[..n]);
                rows.swap(k, pivot);
                odd = !odd;
            }
            let (above, below) = a.split_at_mut((k + 1) * n);
            let top = &above[k * n..];
            for row in below.chunks_exact_mut(n) {
                let factor = row[k] / top[k];
                row[k] = factor;
                for (r, t) in row[k + 1..].iter_mut().zip(&top[k + 1..]) {
                    *r -= factor * t;
                }
            }
        }
        Self { n, a, rows, odd }
    }

    /// The determinant.
    pub fn determinant(&self) -> f64 {
        let sign = if self.odd { -1.0 } else { 1.0 };
        (0..self.n).fold(sign, |det, i| det * self.a[i * self.n + i])
    }

    /// Solves for a right-hand side.
    ///
    /// # Errors
    /// [`Singular`] where a pivot is exactly 0.
    pub fn solve(&self, b: &[f64]) -> Result<Vec<f64>, Singular> {
        let n = self.n;
        if (0..n).any(|i| self.a[i * n + i] == 0.0) {
            return Err(Singular);
        }
        let mut x: Vec<f64> = self.rows.iter().map(|r| b[*r]).collect();
        for i in 1..n {
            let (done, rest) = x.split_at_mut(i);
            let sum: f64 = self.a[i * n..].iter().zip(done).map(|(a, x)| a * *x).sum();
            rest[0] -= sum;
        }
        for i in (0..n).rev() {
            let row = &self.a[i * n..(i + 1) * n];
            let sum: f64 = row[i + 1..]
                .iter()
                .zip(&x[i + 1..])
                .map(|(a, x)| a * x)
                .sum();
            x[i] = (x[i] - sum) / row[i];
        }
        Ok(x)
    }
}

/// Coefficients `c` of the shortest vector for which `sum_j columns[j] c[j]` is nearest to `y`; singular
/// values below `rcond` times the largest count as 0. By one-sided rotations of Jacobi.
pub fn least_squares(columns: &[Vec<f64>], y: &[f64], rcond: f64) -> Vec<f64> {
    const MAX_SWEEPS: usize = 60;
    let n = columns.len();
    let mut u: Vec<Vec<f64>> = columns.to_vec();
    let mut v = vec![vec![0.0; n]; n];
    for (i, v) in v.iter_mut().enumerate() {
        v[i] = 1.0;
    }
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).fold(0.0, |s, (a, b)| s + a * b);
    for _ in 0..MAX_SWEEPS {
        let mut turned = false;
        for p in 0..n {
            for q in p + 1..n {
                let (a, b, c) = (dot(&u[p], &u[p]), dot(&u[q], &u[q]), dot(&u[p], &u[q]));
                if c.abs() <= f64::EPSILON * (a * b).sqrt() || c == 0.0 {
                    continue;
                }
                turned = true;
                let zeta = (b - a) / (2.0 * c);
                let t = zeta.signum() / (zeta.abs() + (1.0 + zeta * zeta).sqrt());
                let cos = 1.0 / (1.0 + t * t).sqrt();
                let sin = cos * t;
                for m in [&mut u, &mut v] {
                    let (left, right) = m.split_at_mut(q);
                    for (a, b) in left[p].iter_mut().zip(&mut right[0]) {
                        (*a, *b) = (cos * *a - sin * *b, sin * *a + cos * *b);
                    }
                }
            }
        }
        if !turned {
            break;
        }
    }
    let squares: Vec<f64> = u.iter().map(|u| dot(u, u)).collect();
    let largest = squares.iter().fold(0.0f64, |m, s| m.max(*s)).sqrt();
    let mut c = vec![0.0; n];
    for k in 0..n {
        if squares[k].sqrt() > rcond * largest {
            let along = dot(&u[k], y) / squares[k];
            c.iter_mut().zip(&v[k]).for_each(|(c, v)| *c += along * v);
        }
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solutions_and_determinant() {
        let a = vec![0.0, 2.0, 1.0, 1.0, 1.0, 1.0, 2.0, 1.0, 3.0];
        let f = Factors::new(3, a);
        assert_eq!(f.determinant(), -3.0);
        let x = f.solve(&[7.0, 6.0, 13.0]).unwrap();
        for (got, want) in x.iter().zip([1.0, 2.0, 3.0]) {
            assert!((got - want).abs() < 1e-14);
        }
    }

    #[test]
    fn singular_matrices_are_told() {
        let f = Factors::new(2, vec![1.0, 2.0, 2.0, 4.0]);
        assert_eq!(f.determinant(), 0.0);
        assert_eq!(f.solve(&[1.0, 1.0]), Err(Singular));
    }

    #[test]
    fn least_squares_of_full_and_of_lower_rank() {
        let x: Vec<f64> = (0..9).map(f64::from).collect();
        let y: Vec<f64> = x.iter().map(|x| 3.0 - 2.0 * x).collect();
        let c = least_squares(&[vec![1.0; 9], x.clone()], &y, 1e-14);
        assert!((c[0] - 3.0).abs() < 1e-13 && (c[1] + 2.0).abs() < 1e-13);
        // twice the same column: the shortest solution shares the coefficient
        let c = least_squares(&[x.clone(), x.clone()], &x, 1e-12);
        assert!(
            (c[0] - 0.5).abs() < 1e-13 && (c[1] - 0.5).abs() < 1e-13,
            "{c:?}"
        );
    }
}
