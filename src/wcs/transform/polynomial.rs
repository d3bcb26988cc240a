//! Polynomials of one and two variables, by astropy's Horner schemes.

use crate::math::wide::wide;

/// Points worked on at once: enough independent chains to fill the floating-point units.
const LANES: usize = 8;

/// Linear map of a variable before the polynomial is evaluated: `offset + scale * x`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rescale {
    scale: f64,
    offset: f64,
}

impl Rescale {
    /// The map of a domain onto a window.
    pub(super) fn new(domain: [f64; 2], window: [f64; 2]) -> Self {
        let width = domain[1] - domain[0];
        Self {
            scale: (window[1] - window[0]) / width,
            offset: (window[0] * domain[1] - window[1] * domain[0]) / width,
        }
    }

    #[inline(always)]
    pub(super) fn apply(self, x: f64) -> f64 {
        self.offset + self.scale * x
    }
}

/// Polynomial of one variable with a domain that is mapped onto a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Polynomial1D {
    /// Coefficients of rising powers.
    pub coefficients: Vec<f64>,
    /// Range of the variable.
    pub domain: [f64; 2],
    /// Range it is mapped onto.
    pub window: [f64; 2],
}

impl Polynomial1D {
    /// Values at `x`.
    pub fn evaluate(&self, x: &[f64]) -> Vec<f64> {
        let rescale = Rescale::new(self.domain, self.window);
        let Some((last, rest)) = self.coefficients.split_last() else {
            return vec![0.0; x.len()];
        };
        x.iter()
            .map(|x| {
                let x = rescale.apply(*x);
                rest.iter().rev().fold(*last, |sum, c| c + sum * x)
            })
            .collect()
    }
}

/// Polynomial of two variables, `sum c[i][j] x^i y^j` with `i + j <= degree`.
#[derive(Debug, Clone, PartialEq)]
pub struct Polynomial2D {
    degree: usize,
    /// `c[i][j]`, row by row, all `(degree + 1)^2` of them.
    coefficients: Vec<f64>,
    domain: [[f64; 2]; 2],
    window: [[f64; 2]; 2],
    /// For each power of y, from the highest: coefficients of x from the highest power that is not 0.
    rows: Vec<Vec<f64>>,
    rescale: [Rescale; 2],
}

impl Polynomial2D {
    /// A polynomial of a square matrix of coefficients, row by row; those of more than the total degree
    /// are dropped. None if the matrix is not square.
    pub fn new(
        degree: usize,
        coefficients: &[f64],
        domain: [[f64; 2]; 2],
        window: [[f64; 2]; 2],
    ) -> Option<Self> {
        let n = degree.checked_add(1)?;
        if n.checked_mul(n)? != coefficients.len() {
            return None;
        }
        let mut kept = coefficients.to_vec();
        for (i, row) in kept.chunks_exact_mut(n).enumerate() {
            row.iter_mut().skip(n - i).for_each(|c| *c = 0.0);
        }
        // Leading zeros add nothing to a Horner sum, except where a variable is infinite.
        let mut rows: Vec<Vec<f64>> = (0..n)
            .rev()
            .map(|j| {
                let column = (0..n - j).rev().map(|i| kept[i * n + j]);
                let mut row: Vec<f64> = column.skip_while(|c| *c == 0.0).collect();
                if row.is_empty() {
                    row.push(0.0);
                }
                row
            })
            .collect();
        let zeros = rows
            .iter()
            .take(n - 1)
            .take_while(|row| row.iter().all(|c| *c == 0.0))
            .count();
        rows.drain(..zeros);
        Some(Self {
            degree,
            coefficients: kept,
            domain,
            window,
            rows,
            rescale: [0, 1].map(|k| Rescale::new(domain[k], window[k])),
        })
    }

    /// Total degree.
    pub fn degree(&self) -> usize {
        self.degree
    }
    /// `c[i][j]`, row by row.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }
    /// Ranges of x and y.
    pub fn domain(&self) -> [[f64; 2]; 2] {
        self.domain
    }
    /// Ranges they are mapped onto.
    pub fn window(&self) -> [[f64; 2]; 2] {
        self.window
    }

    /// Values at the points `(x, y)`.
    pub fn evaluate(&self, x: &[f64], y: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; x.len()];
        polynomial(self, x, y, &mut out);
        out
    }

    /// astropy's multivariate Horner scheme, for some points at once.
    #[inline(always)]
    fn lanes(&self, mut x: [f64; LANES], mut y: [f64; LANES]) -> [f64; LANES] {
        for k in 0..LANES {
            x[k] = self.rescale[0].apply(x[k]);
            y[k] = self.rescale[1].apply(y[k]);
        }
        let mut above = [0.0; LANES];
        for (at, row) in self.rows.iter().enumerate() {
            if at > 0 {
                for k in 0..LANES {
                    above[k] *= y[k];
                }
            }
            let Some((constant, powers)) = row.split_last() else {
                continue;
            };
            let mut sum = [0.0; LANES];
            for c in powers {
                for k in 0..LANES {
                    sum[k] = x[k] * (c + sum[k]);
                }
            }
            for k in 0..LANES {
                above[k] += constant + sum[k];
            }
        }
        above
    }
}

wide! {
    /// Values of a polynomial at points.
    fn polynomial(p: &Polynomial2D, x: &[f64], y: &[f64], out: &mut [f64]) {
        let (xs, x_rest) = x.as_chunks::<LANES>();
        let (ys, y_rest) = y.as_chunks::<LANES>();
        let (outs, rest) = out.as_chunks_mut::<LANES>();
        for ((x, y), out) in xs.iter().zip(ys).zip(outs) {
            *out = p.lanes(*x, *y);
        }
        let (mut a, mut b) = ([0.0; LANES], [0.0; LANES]);
        a[..x_rest.len()].copy_from_slice(x_rest);
        b[..y_rest.len()].copy_from_slice(y_rest);
        rest.copy_from_slice(&p.lanes(a, b)[..rest.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: [[f64; 2]; 2] = [[-1.0, 1.0]; 2];

    #[test]
    fn one_variable_with_domain() {
        // domain 0..10 onto -1..1: x = 10 is 1, x = 5 is 0
        let p = Polynomial1D {
            coefficients: vec![1.0, 2.0, 3.0],
            domain: [0.0, 10.0],
            window: [-1.0, 1.0],
        };
        assert_eq!(p.evaluate(&[10.0, 5.0, 0.0]), [6.0, 1.0, 2.0]);
        assert!(p.evaluate(&[f64::NAN])[0].is_nan());
    }

    #[test]
    fn two_variables_by_hand() {
        // 1 + 2 y + 3 y^2 + 4 x + 5 x y + 6 x^2; the 9s are beyond the total degree
        let c = [1.0, 2.0, 3.0, 4.0, 5.0, 9.0, 6.0, 9.0, 9.0];
        let p = Polynomial2D::new(2, &c, PLAIN, PLAIN).unwrap();
        let f = |x: f64, y: f64| 1.0 + 2.0 * y + 3.0 * y * y + 4.0 * x + 5.0 * x * y + 6.0 * x * x;
        let x: Vec<f64> = (0..19).map(|i| f64::from(i) - 7.0).collect();
        let y: Vec<f64> = x.iter().map(|x| 3.0 - 2.0 * x).collect();
        for (k, v) in p.evaluate(&x, &y).into_iter().enumerate() {
            assert_eq!(v, f(x[k], y[k]));
        }
        assert!(p.evaluate(&[f64::NAN], &[0.0])[0].is_nan());
        assert!(p.evaluate(&[0.0], &[f64::NAN])[0].is_nan());
        assert!(Polynomial2D::new(2, &c[..8], PLAIN, PLAIN).is_none());
    }

    #[test]
    fn zero_polynomials_and_domains() {
        let p = Polynomial2D::new(1, &[0.0; 4], PLAIN, PLAIN).unwrap();
        assert_eq!(p.evaluate(&[3.0], &[4.0]), [0.0]);
        let c = [0.0, 1.0, 1.0, 0.0];
        let p = Polynomial2D::new(1, &c, [[0.0, 4.0], [0.0, 2.0]], PLAIN).unwrap();
        // x = 4 is 1, y = 1 is 0
        assert_eq!(p.evaluate(&[4.0], &[1.0]), [1.0]);
    }
}
