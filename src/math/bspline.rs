//! Cubic splines through data by least squares, as `scipy.interpolate.make_lsq_spline` makes them.
//!
//! The rows of the observation matrix, four numbers each, are rotated one by one into a banded triangle
//! (FITPACK's method, with LAPACK's rotations), in the order of the data and of every operation, so that the
//! coefficients agree to the last bit.

/// Degree.
const K: usize = 3;

/// A cubic spline.
#[derive(Debug, Clone, PartialEq)]
pub struct BSpline {
    /// Knots, the outer ones four times.
    knots: Vec<f64>,
    /// One coefficient for each basis function.
    coefficients: Vec<f64>,
}

impl BSpline {
    /// The spline on these knots with the least sum of squares; none where data are too few, beyond the
    /// outer knots, not finite or not in order. `x` must increase or stay. Gives its values there, too.
    pub fn fit(x: &[f64], y: &[f64], knots: Vec<f64>) -> Option<(Self, Vec<f64>)> {
        let n = knots.len().checked_sub(K + 1).filter(|n| *n > K)?;
        let inside = |x: &f64| *x >= knots[K] && *x <= knots[n];
        let finite = |v: &[f64]| v.iter().all(|v| v.is_finite());
        if x.len() < n || x.len() != y.len() || !finite(x) || !finite(y) || !finite(&knots) {
            return None;
        }
        if !x.iter().all(inside) || !x.is_sorted() || !knots.is_sorted() {
            return None;
        }
        let mut triangle = vec![[0.0; K + 1]; n];
        let mut right = vec![0.0; n];
        let mut interval = K;
        let mut rows = Vec::with_capacity(x.len());
        for (i, (x, y)) in x.iter().zip(y).enumerate() {
            interval = find(&knots, *x, interval);
            let mut row = basis(&knots, *x, interval);
            let mut y = *y;
            let first = interval - K;
            rows.push((first, row));
            // what is left of a row behind four rotations is zero
            for j in first..i.min(n).min(first + K + 1) {
                let upper = &mut triangle[j];
                let (c, s, r) = rotation(upper[0], row[0]);
                upper[0] = r;
                for l in 1..=K {
                    (upper[l], row[l - 1]) = rotate(c, s, upper[l], row[l]);
                }
                row[K] = 0.0;
                (right[j], y) = rotate(c, s, right[j], y);
            }
            if i < n {
                triangle[i] = row;
                right[i] = y;
            }
        }
        let mut coefficients = vec![0.0; n];
        for i in (0..n).rev() {
            let known = triangle[i][1..].iter().zip(&coefficients[i + 1..]);
            let rest = known.fold(right[i], |sum, (r, c)| sum - r * c);
            coefficients[i] = rest / triangle[i][0];
        }
        let values = rows
            .iter()
            .map(|(first, b)| combine(&coefficients[*first..], b));
        let values = values.collect();
        let spline = Self {
            knots,
            coefficients,
        };
        Some((spline, values))
    }

    /// Values at places; beyond the outer knots the outer polynomials go on. NaN at NaN.
    pub fn at<'a>(&self, x: impl IntoIterator<Item = &'a f64>) -> Vec<f64> {
        let mut interval = K;
        x.into_iter()
            .map(|x| {
                if x.is_nan() {
                    return f64::NAN;
                }
                interval = find(&self.knots, *x, interval);
                let b = basis(&self.knots, *x, interval);
                combine(&self.coefficients[interval - K..], &b)
            })
            .collect()
    }

    /// Number of intervals between different knots.
    pub fn intervals(&self) -> usize {
        self.knots.windows(2).filter(|w| w[0] != w[1]).count()
    }
}

/// The sum of basis functions times the first coefficients.
fn combine(coefficients: &[f64], basis: &[f64; K + 1]) -> f64 {
    let terms = coefficients.iter().zip(basis);
    terms.fold(0.0, |sum, (c, b)| sum + c * b)
}

/// The interval between knots that holds `x`, sought from a known one; the outer one where it lies beyond.
fn find(knots: &[f64], x: f64, from: usize) -> usize {
    let last = knots.len() - K - 2;
    let mut at = from.clamp(K, last);
    while at > K && x < knots[at] {
        at -= 1;
    }
    while at < last && x >= knots[at + 1] {
        at += 1;
    }
    at
}

/// The basis functions that are not zero between `knots[at]` and the next (de Boor, Cox).
fn basis(knots: &[f64], x: f64, at: usize) -> [f64; K + 1] {
    let mut h = [1.0, 0.0, 0.0, 0.0];
    for j in 1..=K {
        let before = h;
        h[0] = 0.0;
        for n in 1..=j {
            let (high, low) = (knots[at + n], knots[at + n - j]);
            if high == low {
                h[n] = 0.0;
                continue;
            }
            let w = before[n - 1] / (high - low);
            h[n - 1] += w * (high - x);
            h[n] = w * (x - low);
        }
    }
    h
}

/// Numbers between these can be squared and added as they are (LAPACK's limits).
const USUAL: std::ops::Range<f64> = 1.4916681462400413e-154..4.740375954054589e153;

/// Cosine, sine and length of the rotation that turns `(f, g)` into `(r, 0)`, as LAPACK's `dlartg`.
fn rotation(f: f64, g: f64) -> (f64, f64, f64) {
    if g == 0.0 {
        return (1.0, 0.0, f);
    }
    if f == 0.0 {
        return (0.0, 1f64.copysign(g), g.abs());
    }
    let turn = |f: f64, g: f64| {
        let d = (f * f + g * g).sqrt();
        let r = d.copysign(f);
        (f.abs() / d, g / r, r)
    };
    if USUAL.contains(&f.abs()) && USUAL.contains(&g.abs()) {
        return turn(f, g);
    }
    let smallest = f64::MIN_POSITIVE;
    let unit = f.abs().max(g.abs()).clamp(smallest, 1.0 / smallest);
    let (c, s, r) = turn(f / unit, g / unit);
    (c, s, r * unit)
}

fn rotate(c: f64, s: f64, a: f64, b: f64) -> (f64, f64) {
    (c * a + s * b, -s * a + c * b)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Data of the script that made the expected values.
    fn data() -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let x: Vec<f64> = (0..40).map(|i| f64::from(i * i) / 160.0).collect();
        let y = (0..40)
            .map(|i| f64::from(i * 37 % 11) - 0.1 * f64::from(i))
            .collect();
        let end = x[39];
        let mut knots = vec![0.0; 4];
        knots.extend([1.5, 3.0, 4.75, 6.5, 8.0]);
        knots.extend([end; 4]);
        (x, y, knots)
    }

    #[test]
    fn coefficients_of_scipy_to_the_bit() {
        let (x, y, knots) = data();
        let (spline, values) = BSpline::fit(&x, &y, knots).unwrap();
        assert_eq!(values, spline.at(&x));
        assert_eq!(spline.coefficients, COEFFICIENTS);
        assert_eq!(spline.at(&[-0.5, 0.0, 3.3, 9.50625, 11.0]), VALUES);
        assert!(spline.at(&[f64::NAN])[0].is_nan());
        assert_eq!(spline.intervals(), 6);
    }

    #[test]
    fn what_cannot_be_fitted() {
        let (x, y, knots) = data();
        assert!(BSpline::fit(&x[..8], &y[..8], knots.clone()).is_none());
        assert!(BSpline::fit(&x, &y[1..], knots.clone()).is_none());
        assert!(BSpline::fit(&x, &y, knots[..7].to_vec()).is_none());
        let mut nan = y.clone();
        nan[3] = f64::NAN;
        assert!(BSpline::fit(&x, &nan, knots.clone()).is_none());
        let mut back = x.clone();
        back.swap(3, 4);
        assert!(BSpline::fit(&back, &y, knots.clone()).is_none());
        // few data in an interval: scipy gives coefficients like these, too
        let hole = x.iter().map(|x| if *x < 6.4 { *x * 0.1 } else { *x });
        let (spline, _) = BSpline::fit(&hole.collect::<Vec<_>>(), &y, knots).unwrap();
        assert!((spline.at(&[3.0])[0] - 265.72332413083063).abs() < 1e-9);
    }

    #[test]
    fn rotations_of_extreme_numbers() {
        for (f, g) in [
            (3.0, 4.0),
            (-3.0, 4.0),
            (1e-200, 1e-201),
            (1e200, -2e200),
            (5e-324, 1.0),
        ] {
            let (c, s, r) = rotation(f, g);
            let size = r.abs();
            assert!(((c * f + s * g) / size - r / size).abs() < 1e-12, "{f} {g}");
            assert!(((c * g - s * f) / size).abs() < 1e-12, "{f} {g}");
        }
        assert_eq!(rotation(2.0, 0.0), (1.0, 0.0, 2.0));
        assert_eq!(rotation(0.0, -2.0), (0.0, -1.0, 2.0));
    }

    const COEFFICIENTS: [f64; 9] = [
        4.181607493634937,
        3.6073762207289346,
        4.741801599030888,
        1.225536009632653,
        3.2810016378294073,
        2.78474581370237,
        -3.2585850929875826,
        7.070563001056891,
        -1.316392387104424,
    ];
    const VALUES: [f64; 5] = [
        5.209662684876133,
        4.181607493634937,
        2.1076508920649686,
        -1.316392387104424,
        -82.9744212880711,
    ];
}
