//! Linear interpolation in a table, as `numpy.interp` does it.

/// Value at `x` of the table `(places, values)`, whose places increase; the end values outside it, NaN at
/// NaN and in an empty table.
pub fn linear(x: f64, places: &[f64], values: &[f64]) -> f64 {
    let (Some(&first), Some(&last)) = (values.first(), values.last()) else {
        return f64::NAN;
    };
    if x.is_nan() {
        return x;
    }
    let next = places.partition_point(|p| *p <= x);
    if next == 0 {
        return first;
    }
    let (i, n) = (next - 1, places.len().min(values.len()));
    if i + 1 >= n {
        return last;
    }
    if places[i] == x {
        return values[i];
    }
    let slope = (values[i + 1] - values[i]) / (places[i + 1] - places[i]);
    let value = slope * (x - places[i]) + values[i];
    if !value.is_nan() {
        return value;
    }
    // an infinite slope or value: from the other side, as numpy tries it
    let value = slope * (x - places[i + 1]) + values[i + 1];
    if value.is_nan() && values[i] == values[i + 1] {
        values[i]
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inside_outside_and_at_the_places() {
        let (p, v) = ([1.0, 2.0, 4.0], [10.0, 20.0, 0.0]);
        for (x, want) in [
            (0.0, 10.0),
            (1.0, 10.0),
            (1.5, 15.0),
            (2.0, 20.0),
            (3.0, 10.0),
            (4.0, 0.0),
            (9.0, 0.0),
        ] {
            assert_eq!(linear(x, &p, &v), want);
        }
        assert!(linear(f64::NAN, &p, &v).is_nan());
        assert!(linear(1.0, &[], &[]).is_nan());
        assert_eq!(linear(5.0, &[1.0], &[3.0]), 3.0);
    }

    #[test]
    fn infinite_values() {
        let inf = f64::INFINITY;
        assert_eq!(linear(0.5, &[0.0, 1.0], &[inf, inf]), inf);
        assert!(linear(0.5, &[0.0, 1.0], &[-inf, inf]).is_nan());
    }
}
