//! Lines of equal value in an image (marching squares).

use super::figure::Point;

/// Pieces of the line where an image `[y][x]` has the value 0, in pixel coordinates (centres are whole numbers). `apart` is the largest
/// difference of neighbours that a line passes between: angles jump where they come round. Cells with a value that is not finite have
/// no line.
#[must_use]
pub fn zero(values: &[f64], nx: usize, apart: f64) -> Vec<[Point; 2]> {
    let mut out = Vec::new();
    let ny = values.len().checked_div(nx).unwrap_or(0);
    for y in 1..ny {
        for x in 1..nx {
            let at = |i: usize, j: usize| values[(y - 1 + j) * nx + x - 1 + i];
            let corners = [(0, 0), (1, 0), (1, 1), (0, 1)];
            let v = corners.map(|(i, j)| at(i, j));
            let low = v.iter().copied().fold(f64::INFINITY, f64::min);
            let high = v.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            if !v.iter().all(|v| v.is_finite()) || high - low > apart || low > 0.0 || high <= 0.0 {
                continue;
            }
            let mut crossings = Vec::new();
            for k in 0..4 {
                let (a, b) = (v[k], v[(k + 1) % 4]);
                if (a > 0.0) == (b > 0.0) {
                    continue;
                }
                let t = a / (a - b);
                let ((i, j), (m, n)) = (corners[k], corners[(k + 1) % 4]);
                let mix = |from: usize, to: usize| from as f64 + t * (to as f64 - from as f64);
                crossings.push([(x - 1) as f64 + mix(i, m), (y - 1) as f64 + mix(j, n)]);
            }
            match crossings[..] {
                [a, b] => out.push([a, b]),
                // a saddle: the middle says which corners belong together
                [a, b, c, d] => match (v.iter().sum::<f64>() > 0.0) == (v[0] > 0.0) {
                    true => out.extend([[a, b], [c, d]]),
                    false => out.extend([[a, d], [b, c]]),
                },
                _ => {}
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_found() {
        let nx = 21;
        let mut values: Vec<f64> = (0..nx * nx)
            .map(|i| libm::hypot((i % nx) as f64 - 10.0, (i / nx) as f64 - 10.0) - 6.3)
            .collect();
        let lines = zero(&values, nx, f64::INFINITY);
        assert!(lines.len() > 30);
        for p in lines.iter().flatten() {
            let r = libm::hypot(p[0] - 10.0, p[1] - 10.0);
            assert!((r - 6.3).abs() < 0.03, "{p:?}");
        }
        values[10 * nx + 4] = f64::NAN;
        assert!(zero(&values, nx, f64::INFINITY).len() < lines.len());
        assert!(zero(&values, nx, 0.1).is_empty());
        assert!(zero(&[], 0, 1.0).is_empty() && zero(&[1.0], 1, 1.0).is_empty());
    }
}
