//! Which spaxels make a cell of a map.
//!
//! The centres of neighbouring spaxels span triangles on the globe. Each cell is sampled at `n` x `n` points; a point in a triangle
//! has the value interpolated between its three spaxels, and the cell the mean of its points. All of that is linear, so a
//! cell is a sum of spaxels with fixed weights, worked out once for all wavelengths, and errors propagate exactly. The
//! triangles are flat ones between unit vectors, so that nothing happens at the poles and where longitudes begin anew.

use super::Grid;

type V = [f64; 3];

/// Where the spaxels of an image are on the globe, degrees, `[y][x]`; NaN off the body.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    /// Columns.
    pub nx: usize,
    /// Longitudes, of either sense.
    pub lon: &'a [f64],
    /// Latitudes.
    pub lat: &'a [f64],
    /// Emission angles.
    pub emission: &'a [f64],
}

/// A cell and the spaxels that make it.
#[derive(Clone, Debug, PartialEq)]
struct Cell {
    /// Its place in the map.
    at: usize,
    /// Spaxels and weights; these sum to the part of the cell that is seen.
    parts: Vec<(u32, f64)>,
    /// Mean cosine of the emission angle.
    cos_emission: f64,
}

/// The cells of a map that an image sees.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Gather {
    cells: Vec<Cell>,
}

/// What one image has for a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Place in the map.
    pub at: usize,
    /// Value.
    pub value: f64,
    /// Its variance, for errors of spaxels that are independent of each other.
    pub variance: f64,
    /// The part of the cell that was seen and good.
    pub covered: f64,
    /// Mean cosine of the emission angle.
    pub cos_emission: f64,
}

fn unit(lon: f64, lat: f64) -> V {
    let (lon, lat) = (lon.to_radians(), lat.to_radians());
    let c = libm::cos(lat);
    [c * libm::cos(lon), c * libm::sin(lon), libm::sin(lat)]
}

fn cross(a: V, b: V) -> V {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

fn dot(a: V, b: V) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Three spaxels, and the rows that turn a direction into their weights.
struct Triangle {
    spaxels: [u32; 3],
    rows: [V; 3],
    low: V,
    high: V,
}

impl Triangle {
    fn new(spaxels: [usize; 3], at: &[V]) -> Option<Self> {
        let [a, b, c] = spaxels.map(|s| at[s]);
        let volume = dot(a, cross(b, c));
        let far = [(a, b), (b, c), (c, a)]
            .iter()
            .any(|(p, q)| dot(*p, *q) < 0.0);
        if volume.abs() < 1e-18 || far {
            return None;
        }
        let rows = [cross(b, c), cross(c, a), cross(a, b)].map(|r| r.map(|v| v / volume));
        // the globe bulges over the flat triangle
        let longest = [dot(a, b), dot(b, c), dot(c, a)]
            .into_iter()
            .fold(1.0, f64::min);
        let pad = 1.0 - longest + 1e-12;
        let over = |f: fn(f64, f64) -> f64, pad: f64| {
            std::array::from_fn(|i| f(f(a[i], b[i]), c[i]) + pad)
        };
        Some(Self {
            spaxels: spaxels.map(|s| s as u32),
            rows,
            low: over(f64::min, -pad),
            high: over(f64::max, pad),
        })
    }

    /// Weights of the three spaxels, which sum to 1; none outside.
    fn weights(&self, p: V) -> Option<V> {
        if (0..3).any(|i| p[i] < self.low[i] || p[i] > self.high[i]) {
            return None;
        }
        let w = self.rows.map(|r| dot(r, p));
        let sum = w[0] + w[1] + w[2];
        let edge = -1e-9 * sum;
        (sum > 0.0 && w.iter().all(|v| *v >= edge)).then(|| w.map(|v| (v / sum).max(0.0)))
    }
}

/// Triangles by the boxes they are in.
struct Boxes {
    origin: V,
    size: f64,
    n: [usize; 3],
    inside: Vec<Vec<u32>>,
}

/// Most boxes along an axis.
const BOXES: f64 = 48.0;

impl Boxes {
    fn new(triangles: &[Triangle]) -> Self {
        let mut low = [f64::INFINITY; 3];
        let mut high = [f64::NEG_INFINITY; 3];
        for t in triangles {
            for i in 0..3 {
                low[i] = low[i].min(t.low[i]);
                high[i] = high[i].max(t.high[i]);
            }
        }
        let width = (0..3).map(|i| high[i] - low[i]).fold(1e-9, f64::max);
        let size = width / BOXES;
        let n = std::array::from_fn(|i| ((high[i] - low[i]) / size) as usize + 1);
        let mut out = Self {
            origin: low,
            size,
            n,
            inside: vec![Vec::new(); n[0] * n[1] * n[2]],
        };
        for (i, t) in (0u32..).zip(triangles) {
            let (from, to) = (out.index(t.low), out.index(t.high));
            for x in from[0]..=to[0] {
                for y in from[1]..=to[1] {
                    for z in from[2]..=to[2] {
                        out.inside[(x * n[1] + y) * n[2] + z].push(i);
                    }
                }
            }
        }
        out
    }

    fn index(&self, p: V) -> [usize; 3] {
        std::array::from_fn(|i| {
            (((p[i] - self.origin[i]) / self.size).max(0.0) as usize).min(self.n[i] - 1)
        })
    }

    /// Triangles that may hold a direction.
    fn near(&self, p: V) -> &[u32] {
        let outside = |i: usize| {
            let d = (p[i] - self.origin[i]) / self.size;
            d < 0.0 || d > self.n[i] as f64
        };
        if (0..3).any(outside) {
            return &[];
        }
        let [x, y, z] = self.index(p);
        &self.inside[(x * self.n[1] + y) * self.n[2] + z]
    }
}

impl Gather {
    /// The cells of a grid that an image sees at emission angles below `max_emission` (degrees), sampled `n` times a side.
    #[must_use]
    pub fn new(grid: &Grid, image: &Image, max_emission: f64, n: usize) -> Self {
        let nx = image.nx.max(1);
        let known = |s: usize| {
            [image.lon[s], image.lat[s], image.emission[s]]
                .iter()
                .all(|v| v.is_finite())
                && image.lat[s].abs() <= 90.0
        };
        let spaxels = image.lon.len();
        let at: Vec<V> = (0..spaxels)
            .map(|s| unit(image.lon[s], image.lat[s]))
            .collect();
        let cos: Vec<f64> = image
            .emission
            .iter()
            .map(|e| libm::cos(e.to_radians()))
            .collect();
        let mut triangles = Vec::new();
        for y in 1..spaxels / nx {
            for x in 1..nx {
                let [d, c, b, a] = [0, 1, nx, nx + 1].map(|back| y * nx + x - back);
                let three = |s: [usize; 3]| s.into_iter().all(known).then_some(s);
                let pair = match [a, b, c, d].map(known) {
                    [true, true, true, true] => [Some([a, b, c]), Some([d, c, b])],
                    _ => [[a, b, c], [d, c, b], [a, b, d], [a, c, d]]
                        .map(three)
                        .into_iter()
                        .flatten()
                        .next()
                        .map_or([None, None], |s| [Some(s), None]),
                };
                triangles.extend(
                    pair.into_iter()
                        .flatten()
                        .filter_map(|s| Triangle::new(s, &at)),
                );
            }
        }
        let mut out = Self::default();
        if triangles.is_empty() {
            return out;
        }
        let boxes = Boxes::new(&triangles);
        let limit = libm::cos(max_emission.to_radians());
        let n = n.max(1);
        let share = 1.0 / (n * n) as f64;
        for cell in 0..grid.ny * grid.nx {
            let mut parts: Vec<(u32, f64)> = Vec::new();
            let (mut seen, mut cosines) = (0.0, 0.0);
            for k in 0..n * n {
                let offset = |i: usize| (i as f64 + 0.5) / n as f64 - 0.5;
                let x = (cell % grid.nx) as f64 + offset(k % n);
                let y = (cell / grid.nx) as f64 + offset(k / n);
                let Some([lon, lat]) = grid.at(x, y) else {
                    continue;
                };
                let p = unit(lon, lat);
                let found = boxes.near(p).iter().find_map(|t| {
                    let t = &triangles[*t as usize];
                    t.weights(p).map(|w| (t.spaxels, w))
                });
                let Some((spaxels, w)) = found else { continue };
                let here: f64 = spaxels
                    .iter()
                    .zip(w)
                    .map(|(s, w)| w * cos[*s as usize])
                    .sum();
                if here <= limit {
                    continue;
                }
                (seen, cosines) = (seen + share, cosines + share * here);
                for (s, w) in spaxels.into_iter().zip(w).filter(|(_, w)| *w > 0.0) {
                    match parts.iter_mut().find(|p| p.0 == s) {
                        Some(p) => p.1 += w * share,
                        None => parts.push((s, w * share)),
                    }
                }
            }
            if seen > 0.0 {
                out.cells.push(Cell {
                    at: cell,
                    parts,
                    cos_emission: cosines / seen,
                });
            }
        }
        out
    }

    /// Whether the image sees nothing of the map.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Values of the cells that an image fills by half or more with good spaxels. `value` and `error` are one wavelength's;
    /// a spaxel is good where both are finite.
    pub fn samples<'a>(
        &'a self,
        value: &'a [f32],
        error: &'a [f32],
    ) -> impl Iterator<Item = Sample> + 'a {
        self.cells.iter().filter_map(move |cell| {
            let (mut sum, mut variance, mut covered) = (0.0, 0.0, 0.0);
            for (s, w) in &cell.parts {
                let (v, e) = (f64::from(value[*s as usize]), f64::from(error[*s as usize]));
                if v.is_finite() && e.is_finite() {
                    sum += w * v;
                    variance += w * w * e * e;
                    covered += w;
                }
            }
            (covered >= 0.5 - 1e-9).then(|| Sample {
                at: cell.at,
                value: sum / covered,
                variance: variance / (covered * covered),
                covered,
                cos_emission: cell.cos_emission,
            })
        })
    }
}

/// Whether longitudes grow to the west, from how they run in an image of the sky: seen from outside, a planet's east is to the
/// sky's west. None where they do not say.
#[must_use]
pub fn positive_west(image: &Image, ra: &[f64], dec: &[f64]) -> Option<bool> {
    let nx = image.nx.max(1);
    let turn = |d: f64| d - 360.0 * (d / 360.0).round();
    let mut votes = 0i64;
    for s in 0..image.lon.len() {
        if s % nx + 1 >= nx || s + nx >= image.lon.len() {
            continue;
        }
        let area = |lon: &[f64], lat: &[f64]| {
            let d = |to: usize| [turn(lon[to] - lon[s]), lat[to] - lat[s]];
            let (x, y) = (d(s + 1), d(s + nx));
            x[0] * y[1] - x[1] * y[0]
        };
        let both = area(image.lon, image.lat) * area(ra, dec);
        if both != 0.0 && both.is_finite() {
            votes += if both > 0.0 { 1 } else { -1 };
        }
    }
    (votes != 0).then_some(votes > 0)
}

#[cfg(test)]
mod tests {
    use super::super::{Mosaic, Projection, Weighting};
    use super::*;

    const N: usize = 61;

    /// A globe seen from above `lon`, `lat`, turned by `roll`: longitudes (east), latitudes, emission angles.
    fn globe(lon: f64, lat: f64, roll: f64) -> [Vec<f64>; 3] {
        let mut out = [vec![], vec![], vec![]];
        let (sl, cl) = lat.to_radians().sin_cos();
        let (sr, cr) = roll.to_radians().sin_cos();
        for s in 0..N * N {
            let at = |i: usize| (i as f64 - 30.0) / 28.0;
            let (u, v) = (at(s % N), at(s / N));
            let (x, y) = (u * cr - v * sr, u * sr + v * cr);
            let z = (1.0 - x * x - y * y).sqrt();
            out[0].push((lon + x.atan2(z * cl - y * sl).to_degrees()).rem_euclid(360.0));
            out[1].push((z * sl + y * cl).asin().to_degrees());
            out[2].push(z.acos().to_degrees());
        }
        out
    }

    fn image(g: &[Vec<f64>; 3]) -> Image<'_> {
        Image {
            nx: N,
            lon: &g[0],
            lat: &g[1],
            emission: &g[2],
        }
    }

    /// A smooth pattern of the globe.
    fn pattern(lon: f64, lat: f64) -> f64 {
        let [x, y, z] = unit(lon, lat);
        10.0 + 3.0 * x - 2.0 * y * z + z
    }

    fn painted(g: &[Vec<f64>; 3]) -> Vec<f32> {
        (0..N * N)
            .map(|s| pattern(g[0][s], g[1][s]) as f32)
            .collect()
    }

    #[test]
    fn a_pattern_comes_back_at_the_meridian_and_the_poles() {
        use Projection::{Azimuthal, Equirectangular, Mollweide, Orthographic};
        for (lon, lat, roll) in [(0.0, 10.0, 20.0), (359.0, 85.0, 0.0), (180.0, -90.0, 45.0)] {
            let g = globe(lon, lat, roll);
            let (value, error) = (painted(&g), vec![0.5f32; N * N]);
            for (projection, centre) in [
                (Equirectangular, [180.0, 0.0]),
                (Orthographic, [lon, lat]),
                (Azimuthal, [0.0, 90f64.copysign(lat)]),
                (Mollweide, [0.0, 0.0]),
            ] {
                let grid = Grid::new(projection, centre, 2.0, roll > 0.0).unwrap();
                let gather = Gather::new(&grid, &image(&g), 75.0, 3);
                let m = Mosaic::new(
                    grid.nx * grid.ny,
                    &[(&gather, &value, &error)],
                    Weighting::Emission,
                );
                let (centre_of_disc, mut filled) = (unit(lon, lat), 0);
                for (i, v) in m.value.iter().enumerate() {
                    let (x, y) = ((i % grid.nx) as f64, (i / grid.nx) as f64);
                    let Some([lon, lat]) = grid.at(x, y) else {
                        continue;
                    };
                    // a cell on the edge of a map is the mean of what is inside
                    let inside = |d: f64, e: f64| grid.at(x + d, y + e).is_some();
                    let corners = [(0.45, 0.45), (0.45, -0.45), (-0.45, 0.45), (-0.45, -0.45)];
                    if !corners.iter().all(|(d, e)| inside(*d, *e)) {
                        continue;
                    }
                    let cos = dot(unit(lon, lat), centre_of_disc);
                    if cos > 73f64.to_radians().cos() + 0.04 {
                        let d = f64::from(*v) - pattern(lon, lat);
                        assert!(d.abs() < 0.02, "{projection:?} {lon} {lat}: {v}");
                        assert!(m.error[i] > 0.0 && m.error[i] <= 0.5 && m.count[i] == 1);
                        filled += 1;
                    }
                    assert!(cos > 75f64.to_radians().cos() - 0.04 || v.is_nan());
                }
                assert!(filled > 300, "{projection:?}: {filled}");
            }
        }
    }

    #[test]
    fn no_light_is_made_or_lost() {
        let g = globe(5.0, -20.0, 10.0);
        let grid = Grid::new(Projection::Equirectangular, [180.0, 0.0], 1.0, false).unwrap();
        let gather = Gather::new(&grid, &image(&g), 90.0, 3);
        let value = painted(&g);
        // by projected area both sums are the flux of the disc
        let m = Mosaic::new(
            grid.nx * grid.ny,
            &[(&gather, &value, &value)],
            Weighting::Equal,
        );
        let centre = unit(5.0, -20.0);
        let (mut flux, mut area) = (0.0, 0.0);
        for (i, v) in m.value.iter().enumerate().filter(|(_, v)| v.is_finite()) {
            let [lon, lat] = grid.at((i % 360) as f64, (i / 360) as f64).unwrap();
            let a =
                lat.to_radians().cos() * dot(unit(lon, lat), centre) * 1f64.to_radians().powi(2);
            (flux, area) = (flux + a * f64::from(*v), area + a);
        }
        let on: Vec<f64> = value
            .iter()
            .filter(|v| v.is_finite())
            .map(|v| f64::from(*v))
            .collect();
        let mean = on.iter().sum::<f64>() / on.len() as f64;
        assert!(
            (flux / area / mean - 1.0).abs() < 5e-3,
            "{} {mean}",
            flux / area
        );
        // between spaxels' centres, that is short of the rim by half a spaxel
        assert!(
            (0.95..1.0).contains(&(area / std::f64::consts::PI)),
            "{area}"
        );
    }

    #[test]
    fn flagged_spaxels_leave_holes_and_do_not_spread() {
        let g = globe(100.0, 0.0, 0.0);
        let grid = Grid::new(Projection::Equirectangular, [180.0, 0.0], 1.0, false).unwrap();
        let gather = Gather::new(&grid, &image(&g), 60.0, 3);
        let mut value = vec![7f32; N * N];
        let error = vec![1f32; N * N];
        let cells = grid.nx * grid.ny;
        let whole = Mosaic::new(cells, &[(&gather, &value, &error)], Weighting::Emission);
        value[30 * N + 30] = f32::NAN;
        let holed = Mosaic::new(cells, &[(&gather, &value, &error)], Weighting::Emission);
        let filled = |m: &Mosaic| m.value.iter().filter(|v| v.is_finite()).count();
        let lost = filled(&whole) - filled(&holed);
        // a spaxel is 2 degrees wide here
        assert!((1..=6).contains(&lost), "{lost}");
        let seven = |v: &&f32| v.is_nan() || (**v - 7.0).abs() < 1e-5;
        assert!(holed.value.iter().all(|v| seven(&v)));
    }

    #[test]
    fn dithers_are_averaged_by_their_weights() {
        let (a, b) = (globe(100.0, 0.0, 0.0), globe(140.0, 0.0, 0.0));
        let grid = Grid::new(Projection::Equirectangular, [180.0, 0.0], 1.0, false).unwrap();
        let maps = [&a, &b].map(|g| Gather::new(&grid, &image(g), 70.0, 3));
        let values = [vec![1f32; N * N], vec![2f32; N * N]];
        let errors = [vec![0.1f32; N * N], vec![0.2f32; N * N]];
        let both = |weighting| {
            let images = [0, 1].map(|i| (&maps[i], values[i].as_slice(), errors[i].as_slice()));
            Mosaic::new(grid.nx * grid.ny, &images, weighting)
        };
        let cell = |lon: f64| 90 * 360 + lon as usize;
        let m = both(Weighting::Emission);
        for lon in [85.0, 110.0, 120.0, 135.0, 155.0] {
            let cos = |from: f64| {
                let away = unit(lon + 0.5, 0.5);
                dot(away, unit(from, 0.0))
            };
            let seen = |from: f64| {
                if cos(from) > 70f64.to_radians().cos() {
                    cos(from)
                } else {
                    0.0
                }
            };
            let (p, q) = (seen(100.0), seen(140.0));
            let wanted = (p + 2.0 * q) / (p + q);
            let i = cell(lon);
            assert!(
                (f64::from(m.value[i]) - wanted).abs() < 1e-3,
                "{lon}: {} {wanted}",
                m.value[i]
            );
            assert!((f64::from(m.weight[i]) - p - q).abs() < 2e-3);
            assert_eq!(m.count[i], 2);
        }
        assert_eq!((m.count[cell(40.0)], m.value[cell(40.0)]), (1, 1.0));
        // halfway between the two, spaxels lie alike on the one and on the other
        let v = both(Weighting::Variance);
        let i = cell(119.0);
        assert!((v.value[i] - 1.2).abs() < 0.06, "{}", v.value[i]);
        assert!(v.error[i] < 0.1 && v.error[i] > 0.02);
        let e = both(Weighting::Equal);
        assert!((e.value[i] - 1.5).abs() < 1e-6);
    }

    #[test]
    fn the_sense_of_longitudes_is_seen() {
        let g = globe(355.0, 30.0, 33.0);
        let [ra, dec] = [-1.0, 1.0].map(|sign| {
            let f = move |s: usize| {
                if sign < 0.0 {
                    10.0 - 1e-4 * (s % N) as f64
                } else {
                    1e-4 * (s / N) as f64
                }
            };
            (0..N * N).map(f).collect::<Vec<f64>>()
        });
        assert_eq!(positive_west(&image(&g), &ra, &dec), Some(false));
        let mirrored: Vec<f64> = g[0].iter().map(|l| 360.0 - l).collect();
        let west = Image {
            lon: &mirrored,
            ..image(&g)
        };
        assert_eq!(positive_west(&west, &ra, &dec), Some(true));
        let none = vec![f64::NAN; N * N];
        assert_eq!(positive_west(&image(&g), &none, &dec), None);
    }

    #[test]
    fn an_image_off_the_body_sees_nothing() {
        let nan = vec![f64::NAN; 9];
        let grid = Grid::new(Projection::Mollweide, [0.0, 0.0], 10.0, false).unwrap();
        let off = Image {
            nx: 3,
            lon: &nan,
            lat: &nan,
            emission: &nan,
        };
        assert!(Gather::new(&grid, &off, 80.0, 3).is_empty());
    }
}
