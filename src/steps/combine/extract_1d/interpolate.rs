//! Straight lines between the points of a curve and beyond its ends, as `scipy.interpolate.interp1d` draws them
//! with `fill_value="extrapolate"`. Not a general interpolation: of one variable, linear only.

/// A curve; points in single precision keep their arithmetic, as they do in Python.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    x: Vec<f64>,
    y: Vec<f64>,
    single_x: bool,
    single_y: bool,
}

impl Curve {
    /// A curve through points in any order; none unless there are at least two, as many of `x` as of `y`.
    pub fn new(x: &[f64], y: &[f64], single_x: bool, single_y: bool) -> Option<Self> {
        if x.len() != y.len() || x.len() < 2 {
            return None;
        }
        let mut order: Vec<usize> = (0..x.len()).collect();
        // numpy sorts NaN behind everything
        order.sort_by(|a, b| {
            let (a, b) = (x[*a], x[*b]);
            a.partial_cmp(&b)
                .unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
        });
        Some(Self {
            x: order.iter().map(|i| x[*i]).collect(),
            y: order.iter().map(|i| y[*i]).collect(),
            single_x,
            single_y,
        })
    }

    /// The value at a place.
    pub fn at(&self, place: f64) -> f64 {
        let above = self.x.partition_point(|x| *x < place);
        let high = above.clamp(1, self.x.len() - 1);
        let low = high - 1;
        let dy = difference(self.y[high], self.y[low], self.single_y);
        let dx = difference(self.x[high], self.x[low], self.single_x);
        let mut slope = dy / dx;
        if self.single_x && self.single_y {
            slope = f64::from(slope as f32);
        }
        slope * (place - self.x[low]) + self.y[low]
    }
}

fn difference(a: f64, b: f64, single: bool) -> f64 {
    if single {
        f64::from(a as f32 - b as f32)
    } else {
        a - b
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_at_and_beyond_the_points() {
        let c = Curve::new(&[3.0, 1.0, 2.0], &[30.0, 10.0, 14.0], false, false).unwrap();
        let got = [0.0, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0].map(|x| c.at(x));
        assert_eq!(got, [6.0, 10.0, 12.0, 14.0, 22.0, 30.0, 46.0]);
        assert!(c.at(f64::NAN).is_nan());
        assert_eq!(Curve::new(&[1.0], &[1.0], false, false), None);
        assert_eq!(Curve::new(&[1.0, 2.0], &[1.0], false, false), None);
    }

    #[test]
    fn single_precision_is_kept() {
        // scipy 1.17: interp1d(np.float32([1, 4]), np.float32([1, 2]))(2.0) and with y in double precision
        let single = Curve::new(&[1.0, 4.0], &[1.0, 2.0], true, true).unwrap();
        assert_eq!(single.at(2.0), 1.0 + f64::from(1.0f32 / 3.0));
        let mixed = Curve::new(&[1.0, 4.0], &[1.0, 2.0], true, false).unwrap();
        assert_eq!(mixed.at(2.0), 1.0 + 1.0 / 3.0);
    }
}
