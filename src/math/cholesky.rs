//! Triangular factor of a symmetric positive matrix: the normal equations of least squares.

/// `L` of `A = L L^T`.
#[derive(Debug, Clone)]
pub struct Cholesky {
    n: usize,
    l: Vec<f64>,
}

impl Cholesky {
    /// Factor of the `n` x `n` matrix `a` (row by row; only the lower half is read); `None` where it is not positive
    /// definite, or not finite.
    #[must_use]
    pub fn new(n: usize, a: &[f64]) -> Option<Self> {
        let mut l = a.to_vec();
        for i in 0..n {
            for j in 0..=i {
                let (upper, lower) = l.split_at(i * n);
                let row_j = if j == i {
                    &lower[..j]
                } else {
                    &upper[j * n..j * n + j]
                };
                let rest = lower[j] - product(&lower[..j], row_j);
                l[i * n + j] = if i == j {
                    if !(rest > 0.0 && rest.is_finite()) {
                        return None;
                    }
                    rest.sqrt()
                } else {
                    rest / upper[j * n + j]
                };
            }
        }
        Some(Self { n, l })
    }

    /// Solves `A x = b` in place.
    pub fn solve(&self, b: &mut [f64]) {
        let n = self.n;
        for i in 0..n {
            let (done, rest) = b.split_at_mut(i);
            let sum = product(&self.l[i * n..i * n + i], done);
            rest[0] = (rest[0] - sum) / self.l[i * n + i];
        }
        for i in (0..n).rev() {
            let x = b[i] / self.l[i * n + i];
            b[i] = x;
            for (b, l) in b[..i].iter_mut().zip(&self.l[i * n..]) {
                *b -= l * x;
            }
        }
    }

    /// Multiplies `b` by the transpose of `L`, in place: independent deviates become those whose covariance is `A` when a linear
    /// function of the latter is written as one of the former.
    pub fn transposed(&self, b: &mut [f64]) {
        for i in 0..self.n {
            let x = b[i];
            b[i] = 0.0;
            for (b, l) in b[..=i].iter_mut().zip(&self.l[i * self.n..]) {
                *b += l * x;
            }
        }
    }

    /// Multiplies `b` by `L`, in place: independent deviates become such as have the covariance `A`.
    pub fn times(&self, b: &mut [f64]) {
        for i in (0..self.n).rev() {
            b[i] = product(&self.l[i * self.n..=i * self.n + i], &b[..=i]);
        }
    }

    /// Logarithm of the determinant of `A`.
    #[must_use]
    pub fn log_determinant(&self) -> f64 {
        2.0 * (0..self.n)
            .map(|i| libm::log(self.l[i * self.n + i]))
            .sum::<f64>()
    }

    /// Diagonal of the inverse of `A`.
    #[must_use]
    pub fn inverse_diagonal(&self) -> Vec<f64> {
        let n = self.n;
        let mut column = vec![0.0; n];
        (0..n)
            .map(|i| {
                // column i of the inverse of L
                column[i] = 1.0 / self.l[i * n + i];
                for k in i + 1..n {
                    let sum = product(&self.l[k * n + i..k * n + k], &column[i..k]);
                    column[k] = -sum / self.l[k * n + k];
                }
                product(&column[i..], &column[i..])
            })
            .collect()
    }

    /// Inverse of `A`, row by row.
    #[must_use]
    pub fn inverse(&self) -> Vec<f64> {
        let n = self.n;
        let mut out = vec![0.0; n * n];
        for (i, row) in out.chunks_exact_mut(n.max(1)).enumerate() {
            row[i] = 1.0;
            self.solve(row);
        }
        out
    }
}

/// Scalar product, in eight sums side by side.
#[must_use]
pub fn product(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a
        .remainder()
        .iter()
        .zip(b.remainder())
        .map(|(x, y)| x * y)
        .sum();
    for (x, y) in a.zip(b) {
        for (s, (x, y)) in sums.iter_mut().zip(x.iter().zip(y)) {
            *s += x * y;
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::Cholesky;

    #[test]
    fn solves_and_inverts() {
        let a = [4.0, 2.0, -2.0, 2.0, 5.0, 1.0, -2.0, 1.0, 6.0];
        let factor = Cholesky::new(3, &a).expect("positive");
        // A (1, -2, 3)
        let mut b = [-6.0, -5.0, 14.0];
        factor.solve(&mut b);
        for (got, want) in b.iter().zip([1.0, -2.0, 3.0]) {
            assert!((got - want).abs() < 1e-13);
        }
        // 4 (30 - 1) - 2 (12 + 2) - 2 (2 + 10) = 64
        assert!((factor.log_determinant() - 64.0f64.ln()).abs() < 1e-13);
        // |L^T b|^2 = b A b
        let mut b = [1.0, 2.0, -1.0];
        factor.transposed(&mut b);
        assert!((b.iter().map(|v| v * v).sum::<f64>() - 38.0).abs() < 1e-12);
        // L L^T b = A b
        factor.times(&mut b);
        for (got, want) in b.iter().zip([10.0, 11.0, -6.0]) {
            assert!((got - want).abs() < 1e-12);
        }
        let inverse = factor.inverse();
        for (i, d) in factor.inverse_diagonal().into_iter().enumerate() {
            assert!((d - inverse[4 * i]).abs() < 1e-14);
        }
        for i in 0..3 {
            for j in 0..3 {
                let got: f64 = (0..3).map(|k| a[i * 3 + k] * inverse[k * 3 + j]).sum();
                assert!((got - f64::from(u8::from(i == j))).abs() < 1e-13);
            }
        }
    }

    #[test]
    fn refuses_what_is_not_positive() {
        assert!(Cholesky::new(2, &[1.0, 2.0, 2.0, 1.0]).is_none());
        assert!(Cholesky::new(1, &[f64::NAN]).is_none());
        assert!(Cholesky::new(0, &[]).is_some());
    }
}
