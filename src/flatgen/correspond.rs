//! Spaxels of all dithers that see the same place of the planet.

use std::collections::HashMap;

use super::nan_median;

/// A spaxel of one dither that takes part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The dither's number.
    pub dither: usize,
    /// The spaxel, `y * nx + x`.
    pub spaxel: usize,
    /// Planetographic latitude in degrees.
    pub lat: f64,
    /// West longitude in degrees.
    pub lon: f64,
}

/// Distance in degrees of latitude below which two points correspond: `factor` times the latitude between neighbours,
/// the medians of its steps along both axes of all `lat` images (`ny` x `nx`) added in quadrature.
///
/// With `signed` the steps keep their signs, as in the reference: with a pole in the field they cancel and the distance
/// tends to 0.
pub fn comparison_radius(lat: &[&[f64]], [ny, nx]: [usize; 2], factor: f64, signed: bool) -> f64 {
    let (mut down, mut right) = (Vec::new(), Vec::new());
    let step = |a: f64, b: f64| if signed { b - a } else { (b - a).abs() };
    for image in lat {
        for y in 0..ny {
            for x in 0..nx {
                let here = image[y * nx + x];
                if y + 1 < ny {
                    down.push(step(here, image[(y + 1) * nx + x]));
                }
                if x + 1 < nx {
                    right.push(step(here, image[y * nx + x + 1]));
                }
            }
        }
    }
    let (down, right) = (nan_median(&mut down), nan_median(&mut right));
    (down * down + right * right).sqrt() * factor
}

/// For every point the numbers of those it corresponds to, itself left out: those with
/// `dlat^2 + (dlon / aspect)^2 < radius^2`. With `wrap` longitudes differ by at most 180 degrees.
///
/// Points lie in the cells of a grid as wide as the radius, so that a point is compared with its surroundings only.
pub fn correspondences(points: &[Point], radius: f64, aspect: f64, wrap: bool) -> Vec<Vec<u32>> {
    let mut out = vec![Vec::new(); points.len()];
    if !(radius > 0.0 && aspect > 0.0) {
        return out;
    }
    // a cell too wide costs time only; one too narrow would overflow the cells' numbers
    let cell = radius.max(1e-9) * (1.0 + 1e-9);
    let place = |v: f64| (v / cell).floor() as i64;
    let mut cells: HashMap<(i64, i64), Vec<u32>> = HashMap::new();
    for (i, p) in (0u32..).zip(points) {
        if p.lat.is_finite() && p.lon.is_finite() {
            let key = (place(p.lat), place(p.lon / aspect));
            cells.entry(key).or_default().push(i);
        }
    }
    let turns: &[f64] = if wrap { &[0.0, -360.0, 360.0] } else { &[0.0] };
    let limit = radius * radius;
    for ((i, p), out) in (0u32..).zip(points).zip(&mut out) {
        if !(p.lat.is_finite() && p.lon.is_finite()) {
            continue;
        }
        for turn in turns {
            let lon = p.lon + turn;
            let (row, column) = (place(p.lat), place(lon / aspect));
            for key in
                (row - 1..=row + 1).flat_map(|r| (column - 1..=column + 1).map(move |c| (r, c)))
            {
                for j in cells.get(&key).into_iter().flatten() {
                    let q = &points[*j as usize];
                    let (dlat, dlon) = (p.lat - q.lat, (lon - q.lon) / aspect);
                    if *j != i && dlat * dlat + dlon * dlon < limit {
                        out.push(*j);
                    }
                }
            }
        }
        // cells far wider than a turn meet a point more than once
        out.sort_unstable();
        out.dedup();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cloud(n: usize) -> Vec<Point> {
        let mut state = 7u64;
        let mut next = || {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (state >> 33) as f64 / f64::from(1u32 << 31)
        };
        let point = |spaxel| Point {
            dither: spaxel % 4,
            spaxel,
            lat: -5.0 + 10.0 * next(),
            lon: (353.0 + 14.0 * next()) % 360.0,
        };
        (0..n).map(point).collect()
    }

    #[test]
    fn the_grid_finds_what_all_pairs_find() {
        let points = cloud(400);
        for (radius, aspect, wrap) in [
            (0.7, 1.0, false),
            (0.7, 4.0, true),
            (0.05, 2.0, true),
            (500.0, 1.0, true),
        ] {
            let found = correspondences(&points, radius, aspect, wrap);
            for (i, p) in points.iter().enumerate() {
                let near = |q: &Point| {
                    let mut d = (p.lon - q.lon).abs();
                    if wrap {
                        d = d.min(360.0 - d);
                    }
                    (p.lat - q.lat).powi(2) + (d / aspect).powi(2) < radius * radius
                };
                let all = (0..points.len()).filter(|j| *j != i && near(&points[*j]));
                let all: Vec<u32> = all.map(|j| j as u32).collect();
                assert_eq!(found[i], all, "radius {radius}, point {i}");
            }
        }
    }

    #[test]
    fn longitudes_meet_at_360() {
        let point = |lon| Point {
            dither: 0,
            spaxel: 0,
            lat: 3.0,
            lon,
        };
        let points = [point(359.9), point(0.1), point(180.0)];
        assert_eq!(correspondences(&points, 0.5, 1.0, true)[0], [1]);
        assert!(correspondences(&points, 0.5, 1.0, false)[0].is_empty());
        assert!(correspondences(&points, f64::NAN, 1.0, true)[0].is_empty());
    }

    #[test]
    fn signed_steps_cancel_around_a_pole() {
        let n = 21;
        let lat: Vec<f64> = (0..n * n)
            .map(|p| {
                let (y, x) = ((p / n) as f64 - 10.0, (p % n) as f64 - 10.0);
                90.0 - x.hypot(y)
            })
            .collect();
        let radius = |signed| comparison_radius(&[&lat], [n, n], 1.0, signed);
        assert!(radius(true) < 1e-9);
        assert!((0.8..1.2).contains(&radius(false)), "{}", radius(false));
    }
}
