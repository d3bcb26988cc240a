//! Monotone cubic interpolation (PCHIP) as `scipy.interpolate.pchip` does it, in its order of operations.

/// Why points cannot be interpolated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// There are fewer than two points, or their places do not increase.
    Places,
    /// A value is NaN or infinite.
    Values,
}

/// A curve through given points that has no extremum between them.
#[derive(Debug, Clone)]
pub struct Pchip {
    x: Vec<f64>,
    /// Coefficients of each interval, the constant first.
    pieces: Vec<[f64; 4]>,
}

impl Pchip {
    /// The curve through `(x, y)`; `x` increases strictly.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn new(x: &[f64], y: &[f64]) -> Result<Self, Unusable> {
        if x.len() < 2 || x.len() != y.len() || !x.windows(2).all(|w| w[0] < w[1]) {
            return Err(Unusable::Places);
        }
        if !y.iter().chain(x).all(|v| v.is_finite()) {
            return Err(Unusable::Values);
        }
        let h: Vec<f64> = x.windows(2).map(|w| w[1] - w[0]).collect();
        let m: Vec<f64> = y
            .windows(2)
            .zip(&h)
            .map(|(w, h)| (w[1] - w[0]) / h)
            .collect();
        let d = derivatives(&h, &m);
        let pieces = (0..h.len())
            .map(|i| {
                let t = (d[i] + d[i + 1] - 2.0 * m[i]) / h[i];
                [y[i], d[i], (m[i] - d[i]) / h[i] - t, t / h[i]]
            })
            .collect();
        Ok(Self {
            x: x.to_vec(),
            pieces,
        })
    }

    /// Values at the whole numbers from 0 to `n` (excluded); the outer pieces go on outside the points.
    pub fn at_indices(&self, n: usize) -> Vec<f64> {
        let mut piece = 0;
        (0..n)
            .map(|i| {
                let x = i as f64;
                while piece + 1 < self.pieces.len() && x >= self.x[piece + 1] {
                    piece += 1;
                }
                let s = x - self.x[piece];
                let c = &self.pieces[piece];
                let s2 = s * s;
                c[0] + c[1] * s + c[2] * s2 + c[3] * (s2 * s)
            })
            .collect()
    }
}

/// Derivatives at the points from the widths and slopes of the intervals: the weighted harmonic mean of
/// the neighbouring slopes, 0 at an extremum.
fn derivatives(h: &[f64], m: &[f64]) -> Vec<f64> {
    let n = h.len();
    if n == 1 {
        return vec![m[0]; 2];
    }
    let mut d = Vec::with_capacity(n + 1);
    d.push(end(h[0], h[1], m[0], m[1]));
    for i in 1..n {
        let flat = sign(m[i]) != sign(m[i - 1]) || m[i] == 0.0 || m[i - 1] == 0.0;
        d.push(if flat {
            0.0
        } else {
            let (w1, w2) = (2.0 * h[i] + h[i - 1], h[i] + 2.0 * h[i - 1]);
            1.0 / ((w1 / m[i - 1] + w2 / m[i]) / (w1 + w2))
        });
    }
    d.push(end(h[n - 1], h[n - 2], m[n - 1], m[n - 2]));
    d
}

/// Derivative at an end by three points, limited so that the curve keeps its direction.
fn end(h0: f64, h1: f64, m0: f64, m1: f64) -> f64 {
    let d = ((2.0 * h0 + h1) * m0 - h0 * m1) / (h0 + h1);
    if sign(d) != sign(m0) {
        0.0
    } else if sign(m0) != sign(m1) && d.abs() > 3.0 * m0.abs() {
        3.0 * m0
    } else {
        d
    }
}

/// -1, 0 or 1.
fn sign(v: f64) -> i8 {
    i8::from(v > 0.0) - i8::from(v < 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_a_line_also_outside() {
        let c = Pchip::new(&[1.0, 2.0, 5.0], &[3.0, 5.0, 11.0]).unwrap();
        assert_eq!(c.at_indices(8), [1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0]);
        let two = Pchip::new(&[0.0, 2.0], &[1.0, 0.0]).unwrap();
        assert_eq!(two.at_indices(3), [1.0, 0.5, 0.0]);
    }

    #[test]
    fn values_of_scipy() {
        // pchip([0, 2, 3, 7], [1, 4, 3.5, 9])(arange(8))
        let c = Pchip::new(&[0.0, 2.0, 3.0, 7.0], &[1.0, 4.0, 3.5, 9.0]).unwrap();
        let want = [
            1.0,
            77.0 / 24.0,
            4.0,
            3.5,
            3.8203125,
            4.8125,
            6.5234375,
            9.0,
        ];
        for (got, want) in c.at_indices(8).iter().zip(want) {
            assert!((got - want).abs() < 1e-14, "{got} {want}");
        }
    }

    #[test]
    fn unusable_points() {
        let places = Err(Unusable::Places);
        assert_eq!(Pchip::new(&[0.0, 0.0], &[1.0, 1.0]).map(|_| ()), places);
        assert_eq!(Pchip::new(&[0.0], &[1.0]).map(|_| ()), places);
        let values = Err(Unusable::Values);
        assert_eq!(
            Pchip::new(&[0.0, 1.0], &[1.0, f64::NAN]).map(|_| ()),
            values
        );
    }
}
