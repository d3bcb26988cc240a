//! Least-squares splines with given knots, by the method of Dierckx's FITPACK (`fpcurf` with `iopt = -1`)
//! that `scipy.interpolate.LSQUnivariateSpline` calls: rows of the observation matrix are rotated one by
//! one into a banded triangle, in the order of the data.

/// Highest degree.
const MAX_DEGREE: usize = 5;

/// Basis functions that differ from 0 at one place.
type Basis = [f64; MAX_DEGREE + 1];

/// Why there is no spline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// The places of the data do not increase.
    Places,
    /// The knots do not increase, or an interval has too few data (the conditions of Schoenberg and
    /// Whitney).
    Knots,
}

/// Places of data and knots, with the basis functions at the data: what fits with other weights share.
#[derive(Debug, Clone)]
pub struct LsqSpline {
    degree: usize,
    /// All knots, the outer ones repeated.
    knots: Vec<f64>,
    /// At each datum the index of the knot before it, and the basis functions.
    basis: Vec<(usize, Basis)>,
}

impl LsqSpline {
    /// Prepares fits of splines of a degree (1 to 5) to data at `x`, with the interior knots `interior`.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn new(x: &[f64], interior: &[f64], degree: usize) -> Result<Self, Unusable> {
        let (Some(&first), Some(&last)) = (x.first(), x.last()) else {
            return Err(Unusable::Knots);
        };
        if !(1..=MAX_DEGREE).contains(&degree) {
            return Err(Unusable::Knots);
        }
        if !x.windows(2).all(|w| w[1] - w[0] >= 0.0) {
            return Err(Unusable::Places);
        }
        let outer = degree + 1;
        let mut knots = vec![first; outer];
        knots.extend_from_slice(interior);
        knots.extend(std::iter::repeat_n(last, outer));
        if !valid(x, &knots, degree) {
            return Err(Unusable::Knots);
        }
        let mut left = degree;
        let basis = x
            .iter()
            .map(|&x| {
                while x >= knots[left + 1] && left + 1 < knots.len() - outer {
                    left += 1;
                }
                (left, basis(&knots, degree, x, left))
            })
            .collect();
        Ok(Self {
            degree,
            knots,
            basis,
        })
    }

    /// Number of coefficients.
    fn len(&self) -> usize {
        self.knots.len() - self.degree - 1
    }

    /// Coefficients of the spline for which the sum of `(weight (value - spline))^2` is smallest.
    ///
    /// Coefficients no datum with a weight bears on are NaN.
    pub fn fit(&self, values: &[f64], weights: &[f64]) -> Vec<f64> {
        let order = self.degree + 1;
        let n = self.len();
        let mut triangle = vec![[0.0; MAX_DEGREE + 1]; n];
        let mut right = vec![0.0; n];
        for (((left, basis), value), weight) in self.basis.iter().zip(values).zip(weights) {
            let mut row = [0.0; MAX_DEGREE + 1];
            for (r, b) in row.iter_mut().zip(&basis[..order]) {
                *r = b * weight;
            }
            let mut value = value * weight;
            for i in 0..order {
                let pivot = row[i];
                if pivot == 0.0 {
                    continue;
                }
                let j = left - self.degree + i;
                let (cos, sin) = rotation(pivot, &mut triangle[j][0]);
                rotate(cos, sin, &mut value, &mut right[j]);
                for k in i + 1..order {
                    rotate(cos, sin, &mut row[k], &mut triangle[j][k - i]);
                }
            }
        }
        let mut c = vec![0.0; n];
        for i in (0..n).rev() {
            let mut sum = right[i];
            for k in 1..order.min(n - i) {
                sum -= c[i + k] * triangle[i][k];
            }
            c[i] = sum / triangle[i][0];
        }
        c
    }

    /// The spline of these coefficients at the data, written to `out`.
    pub fn evaluate(&self, coefficients: &[f64], out: &mut [f64]) {
        for (out, (left, basis)) in out.iter_mut().zip(&self.basis) {
            let c = &coefficients[left - self.degree..=*left];
            *out = c.iter().zip(basis).fold(0.0, |sum, (c, b)| sum + c * b);
        }
    }
}

/// The conditions of FITPACK's `fpchec`, and those scipy tests before it.
fn valid(x: &[f64], knots: &[f64], degree: usize) -> bool {
    let (m, n, k1) = (x.len(), knots.len(), degree + 1);
    let nk1 = n - k1;
    if nk1 < k1 || nk1 > m {
        return false;
    }
    // also false for NaN
    if !(degree..nk1).all(|i| knots[i + 1] - knots[i] > 0.0) {
        return false;
    }
    if x[0] >= knots[k1] || x[m - 1] <= knots[nk1 - 1] {
        return false;
    }
    let mut i = 0;
    for j in 1..nk1.saturating_sub(1) {
        let (low, high) = (knots[j], knots[j + k1]);
        loop {
            i += 1;
            if i >= m - 1 {
                return false;
            }
            if x[i] > low {
                break;
            }
        }
        if x[i] >= high {
            return false;
        }
    }
    true
}

/// The basis functions at `x`, which is between `knots[left]` and the next (de Boor, Cox).
fn basis(knots: &[f64], degree: usize, x: f64, left: usize) -> Basis {
    let mut h = [0.0; MAX_DEGREE + 1];
    h[0] = 1.0;
    for j in 1..=degree {
        let before = h;
        h[0] = 0.0;
        for i in 0..j {
            let (high, low) = (knots[left + 1 + i], knots[left + 1 + i - j]);
            if high == low {
                h[i + 1] = 0.0;
                continue;
            }
            let f = before[i] / (high - low);
            h[i] += f * (high - x);
            h[i + 1] = f * (x - low);
        }
    }
    h
}

/// Rotation that turns `pivot` into the diagonal element.
fn rotation(pivot: f64, diagonal: &mut f64) -> (f64, f64) {
    let size = pivot.abs();
    let length = if size >= *diagonal {
        size * (1.0 + (*diagonal / pivot) * (*diagonal / pivot)).sqrt()
    } else {
        *diagonal * (1.0 + (pivot / *diagonal) * (pivot / *diagonal)).sqrt()
    };
    let turn = (*diagonal / length, pivot / length);
    *diagonal = length;
    turn
}

fn rotate(cos: f64, sin: f64, a: &mut f64, b: &mut f64) {
    (*a, *b) = (cos * *a - sin * *b, cos * *b + sin * *a);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(x: &[f64], y: &[f64], w: &[f64], knots: &[f64], degree: usize) -> Vec<f64> {
        let s = LsqSpline::new(x, knots, degree).unwrap();
        let mut out = vec![0.0; x.len()];
        s.evaluate(&s.fit(y, w), &mut out);
        out
    }

    #[test]
    fn a_parabola_is_found_again() {
        let x: Vec<f64> = (0..20).map(f64::from).collect();
        let y: Vec<f64> = x.iter().map(|x| 2.0 - x + 0.5 * x * x).collect();
        for (got, want) in fitted(&x, &y, &[1.0; 20], &[4.5, 11.0], 2).iter().zip(&y) {
            assert!((got - want).abs() < 1e-11);
        }
    }

    #[test]
    fn values_of_scipy() {
        // LSQUnivariateSpline(arange(10), (arange(10)**3 % 7), [3.3, 6.1], w=1 + arange(10) % 3, k=1)
        let x: Vec<f64> = (0..10).map(f64::from).collect();
        let y: Vec<f64> = (0..10).map(|i| f64::from((i * i * i) % 7)).collect();
        let w: Vec<f64> = (0..10).map(|i| f64::from(1 + i % 3)).collect();
        let got = fitted(&x, &y, &w, &[3.3, 6.1], 1);
        let want = [
            -0.35097009916342975,
            0.5833214658963918,
            1.5176130309562132,
            2.451904596016035,
            3.361765626169137,
            4.261156427076504,
            5.16054722798387,
            3.131765665040971,
            0.7776316172258213,
            -1.5765024305893283,
        ];
        for (got, want) in got.iter().zip(want) {
            assert!((got - want).abs() < 1e-13, "{got} {want}");
        }
    }

    #[test]
    fn unusable_knots_and_places() {
        let x: Vec<f64> = (0..10).map(f64::from).collect();
        let new = |knots: &[f64]| LsqSpline::new(&x, knots, 2).map(|_| ());
        assert_eq!(new(&[3.0, 3.0]), Err(Unusable::Knots));
        assert_eq!(new(&[3.1, 3.2, 3.3, 3.4, 3.5]), Err(Unusable::Knots));
        assert_eq!(new(&[0.0, 4.0]), Err(Unusable::Knots));
        assert_eq!(new(&[9.5]), Err(Unusable::Knots));
        assert_eq!(new(&[f64::NAN]), Err(Unusable::Knots));
        assert_eq!(new(&[]), Ok(()));
        assert_eq!(
            LsqSpline::new(&[0.0, 2.0, 1.0], &[], 1).map(|_| ()),
            Err(Unusable::Places)
        );
        assert_eq!(
            LsqSpline::new(&[], &[], 1).map(|_| ()),
            Err(Unusable::Knots)
        );
    }
}
