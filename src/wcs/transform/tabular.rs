//! Interpolation in tables of one or two variables, as astropy's `Tabular1D` and `Tabular2D` do it.

/// How values between the points are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Linear,
    Nearest,
}

/// A table on a grid of one or two variables.
#[derive(Debug, Clone, PartialEq)]
pub struct Tabular {
    /// Strictly rising points of each axis.
    points: Vec<Vec<f64>>,
    /// Values, the last axis fastest.
    values: Vec<f64>,
    method: Method,
    /// Value outside the grid; none to extrapolate. (Where Python raises, the caller chose NaN.)
    fill: Option<f64>,
}

impl Tabular {
    /// A table; axes may run down. None unless there are one or two axes of at least two strictly monotonic
    /// points each, as many values as nodes, and all points finite.
    pub fn new(
        mut points: Vec<Vec<f64>>,
        mut values: Vec<f64>,
        method: Method,
        fill: Option<f64>,
    ) -> Option<Self> {
        let nodes = points
            .iter()
            .try_fold(1_usize, |n, axis| n.checked_mul(axis.len()))?;
        if !matches!(points.len(), 1 | 2) || nodes != values.len() {
            return None;
        }
        let n_last = points.last()?.len();
        let last = points.len() - 1;
        for (axis, p) in points.iter_mut().enumerate() {
            if p.len() < 2 || p.iter().any(|x| !x.is_finite()) {
                return None;
            }
            if p[0] > p[1] {
                p.reverse();
                if axis == last {
                    values.chunks_exact_mut(n_last).for_each(<[f64]>::reverse);
                } else {
                    let rows: Vec<f64> = values
                        .chunks_exact(n_last)
                        .rev()
                        .flatten()
                        .copied()
                        .collect();
                    values = rows;
                }
            }
            if p.windows(2).any(|w| w[0] >= w[1]) {
                return None;
            }
        }
        Some(Self {
            points,
            values,
            method,
            fill,
        })
    }

    /// Number of variables.
    pub fn n_inputs(&self) -> usize {
        self.points.len()
    }
    /// Points of each axis.
    pub fn points(&self) -> &[Vec<f64>] {
        &self.points
    }
    /// Values, the last axis fastest.
    pub fn table(&self) -> &[f64] {
        &self.values
    }
    /// Way of interpolation.
    pub fn method(&self) -> Method {
        self.method
    }
    /// Value outside; none to extrapolate.
    pub fn fill(&self) -> Option<f64> {
        self.fill
    }

    /// Values at points.
    pub(super) fn evaluate(&self, inputs: &[&[f64]]) -> Vec<f64> {
        // neighbours mostly share an interval
        let mut last = [0; 2];
        match inputs {
            [x] => x.iter().map(|x| self.one(*x, &mut last[0])).collect(),
            [x, y] => {
                let points = x.iter().zip(*y);
                points.map(|(x, y)| self.two(*x, *y, &mut last)).collect()
            }
            _ => vec![f64::NAN; inputs.first().map_or(0, |c| c.len())],
        }
    }

    /// Interval and place in it, looked for first in the interval `last` found; `Err` with the value to give instead.
    fn place(&self, axis: usize, x: f64, last: &mut usize) -> Result<(usize, f64), f64> {
        let points = &self.points[axis];
        if x.is_nan() {
            return Err(f64::NAN);
        }
        if let Some(fill) = self.fill
            && (x < points[0] || x > points[points.len() - 1])
        {
            return Err(fill);
        }
        if !(points[*last] <= x && x < points[*last + 1]) {
            let at = points.partition_point(|p| *p <= x);
            *last = at.saturating_sub(1).min(points.len() - 2);
        }
        let at = *last;
        let w = (x - points[at]) / (points[at + 1] - points[at]);
        Ok(match self.method {
            Method::Linear => (at, w),
            Method::Nearest => (at, if w <= 0.5 { 0.0 } else { 1.0 }),
        })
    }

    fn one(&self, x: f64, last: &mut usize) -> f64 {
        match self.place(0, x, last) {
            Ok((i, w)) => self.blend(self.values[i], self.values[i + 1], w),
            Err(v) => v,
        }
    }

    fn two(&self, x: f64, y: f64, [last_x, last_y]: &mut [usize; 2]) -> f64 {
        let n = self.points[1].len();
        match (self.place(0, x, last_x), self.place(1, y, last_y)) {
            (Ok((i, u)), Ok((j, v))) => {
                let row =
                    |i: usize| self.blend(self.values[i * n + j], self.values[i * n + j + 1], v);
                self.blend(row(i), row(i + 1), u)
            }
            (Err(a), Err(b)) if a.is_nan() || b.is_nan() => f64::NAN,
            (Err(v), _) | (_, Err(v)) => v,
        }
    }

    /// Nearest must not touch the other value, which may be NaN.
    fn blend(&self, a: f64, b: f64, w: f64) -> f64 {
        match self.method {
            Method::Linear => a * (1.0 - w) + b * w,
            Method::Nearest if w == 0.0 => a,
            Method::Nearest => b,
        }
    }

    /// The table with points and values exchanged, where that is a table.
    pub(super) fn inverse(&self) -> Option<Self> {
        let [points] = self.points.as_slice() else {
            return None;
        };
        if self.method != Method::Linear {
            return None;
        }
        Self::new(
            vec![self.values.clone()],
            points.clone(),
            self.method,
            self.fill,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_axis() {
        let t = |m, fill| {
            Tabular::new(vec![vec![0.0, 1.0, 3.0]], vec![10.0, 20.0, 0.0], m, fill).unwrap()
        };
        let x = [-1.0, 0.0, 0.5, 0.6, 2.0, 3.0, 4.0, f64::NAN];
        let v = t(Method::Linear, Some(-9.0)).evaluate(&[&x]);
        assert_eq!(v[..7], [-9.0, 10.0, 15.0, 16.0, 10.0, 0.0, -9.0]);
        assert!(v[7].is_nan());
        let v = t(Method::Linear, None).evaluate(&[&x]);
        assert_eq!((v[0], v[6]), (0.0, -10.0));
        let v = t(Method::Nearest, Some(-9.0)).evaluate(&[&x]);
        assert_eq!(v[..7], [-9.0, 10.0, 10.0, 20.0, 20.0, 0.0, -9.0]);
    }

    #[test]
    fn two_axes_and_falling_ones() {
        // f = 10 x + y on a grid whose first axis falls
        let t = Tabular::new(
            vec![vec![2.0, 0.0], vec![0.0, 1.0, 2.0]],
            vec![20.0, 21.0, 22.0, 0.0, 1.0, 2.0],
            Method::Linear,
            Some(f64::NAN),
        )
        .unwrap();
        let v = t.evaluate(&[&[1.0, 0.5, 3.0], &[1.0, 1.5, 0.0]]);
        assert_eq!(v[..2], [11.0, 6.5]);
        assert!(v[2].is_nan());
        let t = Tabular::new(vec![vec![3.0, 1.0]], vec![30.0, 10.0], Method::Linear, None).unwrap();
        assert_eq!(t.evaluate(&[&[2.0]]), [20.0]);
    }

    #[test]
    fn impossible_tables() {
        let new = |p: Vec<Vec<f64>>, v: Vec<f64>| Tabular::new(p, v, Method::Linear, None);
        assert!(new(vec![vec![0.0, 0.0]], vec![1.0, 2.0]).is_none());
        assert!(new(vec![vec![0.0, f64::NAN]], vec![1.0, 2.0]).is_none());
        assert!(new(vec![vec![0.0, 1.0]], vec![1.0]).is_none());
        assert!(new(vec![vec![0.0]], vec![1.0]).is_none());
        assert!(new(vec![], vec![]).is_none());
    }
}
