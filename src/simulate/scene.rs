//! Brightness of the simulated planet on the sky, at every wavelength.
//!
//! Neptune's ellipsoid, pole and rotation at the observed moment, painted with latitude belts, a
//! bright south pole, one storm fixed to a longitude, limb darkening in the continuum and limb
//! brightening in emission lines; blurred to the telescope's resolution. Bands of molecules are given
//! as P and R branches of the right wavelengths and spacing. The brightness is not Neptune's: it is
//! chosen so that the detectors see weak, strong and saturated light.

use super::ephemeris::{LIGHT, RADII, ROTATION, Sight};

/// Step of the brightness maps and half size, arcsec.
const STEP: f64 = 0.05;
const HALF: usize = 92;
const SIZE: usize = 2 * HALF + 1;
/// Number of wavelengths at which the maps are blurred; linear between them.
const NODES: usize = 8;
/// Maps: darkened continuum, belts, emission.
const MAPS: usize = 3;

/// A planet seen at one moment.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Blurred maps, `[map][node][north][east]`, 0 to about 1.
    maps: Vec<[Vec<f32>; NODES]>,
    /// Recession of the surface relative to the centre per arcsec along the equator, km/s.
    spin: f64,
    /// Sine and cosine of the pole's position angle.
    pole: (f64, f64),
    recession: f64,
    spectrum: Spectrum,
    brightness: f64,
    range: &'static Range,
}

/// A range of wavelengths: the planet's spectrum and the telescope's blur there.
#[derive(Debug)]
struct Range {
    /// First and last wavelength, micron.
    limits: (f64, f64),
    /// Wavelengths (micron) at which the maps are blurred.
    nodes: [f64; NODES],
    /// Full width at half maximum of the point-spread function (arcsec) at a wavelength.
    width: fn(f64) -> f64,
    /// Light of the sky and the telescope, MJy/sr.
    background: fn(f64) -> f64,
    /// Continuum: (micron, log10 of MJy/sr).
    continuum: &'static [(f64, f64)],
    /// Broad absorption: centre and width (micron), depth.
    bands: &'static [(f64, f64, f64)],
    /// Bands of molecules.
    branches: &'static [Branches],
    /// Single lines in emission: (micron, strength).
    lines: &'static [(f64, f64)],
}

/// Full width at half maximum of MIRI's point-spread function (arcsec) at a wavelength in micron
/// (Law et al. 2023, doi:10.3847/1538-3881/acdddc, equation 1).
pub fn psf_width(wave: f64) -> f64 {
    0.033 * wave + 0.106
}

/// The same for the near-infrared spectrograph, nominal: the mean along and across its slices.
pub fn near_psf_width(wave: f64) -> f64 {
    0.086 + 0.021 * wave
}

/// Zodiacal light and the telescope's own emission, MJy/sr.
pub fn background(wave: f64) -> f64 {
    let w = wave / 20.0;
    7.0 + 38.0 * w * w * w * w
}

/// Zodiacal light in the near infrared, MJy/sr.
pub fn near_background(wave: f64) -> f64 {
    0.2 + 0.02 * wave
}

impl Scene {
    /// The planet as seen at `sight` in the mid infrared, `brightness` times its nominal radiance (0: empty sky).
    pub fn new(sight: &Sight, brightness: f64) -> Self {
        Self::within(&MID_INFRARED, sight, brightness)
    }

    /// The same in the near infrared, where it reflects sunlight.
    pub fn near_infrared(sight: &Sight, brightness: f64) -> Self {
        Self::within(&NEAR_INFRARED, sight, brightness)
    }

    fn within(range: &'static Range, sight: &Sight, brightness: f64) -> Self {
        let maps = paint(sight);
        let pa = sight.pole_angle.to_radians();
        let lat = sight.sub_observer.0.to_radians();
        let km_per_arcsec = RADII.0 / sight.radius;
        Self {
            maps: maps
                .into_iter()
                .map(|m| std::array::from_fn(|k| blur(&m, (range.width)(range.nodes[k]))))
                .collect(),
            spin: ROTATION.to_radians() * km_per_arcsec * libm::cos(lat),
            pole: (libm::sin(pa), libm::cos(pa)),
            recession: sight.recession,
            spectrum: Spectrum::new(range),
            brightness,
            range,
        }
    }

    /// Radiance (MJy/sr) at tangent-plane offsets from the planet's centre (arcsec east, north) and
    /// wavelength (micron, in the telescope's frame), background included.
    pub fn radiance(&self, east: f64, north: f64, wave: f64) -> f64 {
        let sky = (self.range.background)(wave);
        if self.brightness == 0.0 {
            return sky;
        }
        let (fx, fy) = (east / STEP + HALF as f64, north / STEP + HALF as f64);
        if fx.is_nan()
            || fy.is_nan()
            || fx < 0.0
            || fy < 0.0
            || fx >= (SIZE - 1) as f64
            || fy >= (SIZE - 1) as f64
        {
            return sky;
        }
        let (ix, iy) = (fx as usize, fy as usize);
        let (tx, ty) = (fx - ix as f64, fy - iy as f64);
        let nodes = &self.range.nodes;
        let k = nodes[1..NODES - 1].iter().filter(|n| **n <= wave).count();
        let tw = ((wave - nodes[k]) / (nodes[k + 1] - nodes[k])).clamp(0.0, 1.0);
        let at = iy * SIZE + ix;
        let sample = |map: usize| {
            let plane = |k: usize| {
                let p = &self.maps[map][k];
                let v = |i: usize| f64::from(p[i]);
                (1.0 - ty) * ((1.0 - tx) * v(at) + tx * v(at + 1))
                    + ty * ((1.0 - tx) * v(at + SIZE) + tx * v(at + SIZE + 1))
            };
            (1.0 - tw) * plane(k) + tw * plane(k + 1)
        };
        // the surface moves away west of the pole's meridian (prograde rotation)
        let across = north * self.pole.0 - east * self.pole.1;
        let rest = wave * (1.0 - (self.recession + self.spin * across) / LIGHT);
        let s = self.spectrum.at(rest);
        sky + self.brightness
            * (s.continuum * s.transmission * (sample(0) + 0.35 * sample(1))
                + s.continuum * s.emission * sample(2))
    }
}

/// Paints the maps on the sky grid (4 x 4 samples a cell), before blurring.
fn paint(sight: &Sight) -> Vec<Vec<f32>> {
    let pa = sight.pole_angle.to_radians();
    let (sp, cp) = (libm::sin(pa), libm::cos(pa));
    let lat0 = sight.sub_observer.0.to_radians();
    let (sb, cb) = (libm::sin(lat0), libm::cos(lat0));
    let squash = RADII.0 / RADII.1;
    let q = squash * squash;
    let mut maps = vec![vec![0.0f32; SIZE * SIZE]; MAPS];
    for iy in 0..SIZE {
        for ix in 0..SIZE {
            let mut sum = [0.0; MAPS];
            for sub in 0..16 {
                let east = (ix as f64 - HALF as f64 + (f64::from(sub % 4) - 1.5) / 4.0) * STEP
                    / sight.radius;
                let north = (iy as f64 - HALF as f64 + (f64::from(sub / 4) - 1.5) / 4.0) * STEP
                    / sight.radius;
                // right of and along the projected pole, in equatorial radii
                let (u, v) = (north * sp - east * cp, east * sp + north * cp);
                // ellipsoid u^2 + w^2 + q p^2 = 1 with p = v cb + z sb, w = z cb - v sb
                let a = cb * cb + q * sb * sb;
                let b = v * sb * cb * (q - 1.0);
                let c = u * u + v * v * (sb * sb + q * cb * cb) - 1.0;
                let d = b * b - a * c;
                if d <= 0.0 {
                    continue;
                }
                let z = (d.sqrt() - b) / a;
                let (p, w) = (v * cb + z * sb, z * cb - v * sb);
                // outward normal: (u, w, q p); the observer is along (0, cb, sb) in these axes
                let length = (u * u + w * w + q * q * p * p).sqrt();
                let mu = ((w * cb + q * p * sb) / length).max(0.0);
                let latitude = libm::asin((q * p / length).clamp(-1.0, 1.0)).to_degrees();
                let longitude = sight.sub_observer.1 + libm::atan2(u, w).to_degrees();
                for (s, v) in sum.iter_mut().zip(paint_point(latitude, longitude, mu)) {
                    *s += v / 16.0;
                }
            }
            for (m, s) in maps.iter_mut().zip(sum) {
                m[iy * SIZE + ix] = s as f32;
            }
        }
    }
    maps
}

/// Relative brightness of the three maps at a planetographic latitude and east longitude (degrees)
/// and cosine of emission angle.
fn paint_point(latitude: f64, longitude: f64, mu: f64) -> [f64; MAPS] {
    let bump = |x: f64, centre: f64, width: f64| {
        let d = (x - centre) / width;
        libm::exp(-d * d)
    };
    let belts = 0.5 + 0.5 * libm::tanh(2.2 * libm::sin((latitude * 7.2 + 20.0).to_radians()));
    let polar = bump(latitude, -82.0, 13.0);
    let turn = longitude - 165.0;
    let turn = turn - 360.0 * ((turn + 180.0) / 360.0).floor();
    let storm = bump(turn, 0.0, 14.0) * bump(latitude, -28.0, 7.0);
    let darkening = 0.30 + 0.70 * libm::pow(mu, 0.8);
    [
        darkening * (1.0 - 0.12 * bump(latitude, 0.0, 20.0)),
        belts * (0.25 + 0.75 * mu) + 0.9 * storm * mu,
        // optically thin layers are longer towards the limb
        (0.55 + 0.45 * (1.0 - mu))
            * (0.8 + 0.25 * bump(latitude, 0.0, 30.0) + 1.2 * polar + 0.5 * storm),
    ]
}

/// Convolves a map with a circular Gaussian of this full width at half maximum (arcsec).
fn blur(map: &[f32], width: f64) -> Vec<f32> {
    let sigma = width / 2.354_820_045_030_949 / STEP;
    let reach = (4.0 * sigma) as usize + 1;
    let mut kernel: Vec<f64> = (0..=reach)
        .map(|i| libm::exp(-0.5 * (i * i) as f64 / (sigma * sigma)))
        .collect();
    let total = kernel[0] + 2.0 * kernel[1..].iter().sum::<f64>();
    kernel.iter_mut().for_each(|k| *k /= total);
    let pass = |input: &[f64], stride: usize, other: usize| {
        let mut out = vec![0.0; SIZE * SIZE];
        for line in 0..SIZE {
            for i in 0..SIZE {
                let mut sum = 0.0;
                for j in i.saturating_sub(reach)..=(i + reach).min(SIZE - 1) {
                    sum += kernel[i.abs_diff(j)] * input[line * other + j * stride];
                }
                out[line * other + i * stride] = sum;
            }
        }
        out
    };
    let input: Vec<f64> = map.iter().map(|v| f64::from(*v)).collect();
    pass(&pass(&input, 1, SIZE), SIZE, 1)
        .into_iter()
        .map(|v| v as f32)
        .collect()
}

/// Spectral factors at one wavelength.
struct Factors {
    /// Continuum radiance, MJy/sr.
    continuum: f64,
    /// Share left by absorption bands.
    transmission: f64,
    /// Line emission in units of the continuum.
    emission: f64,
}

/// The planet's spectrum on a logarithmic wavelength grid fine against a resolving power of 3,000.
#[derive(Debug, Clone)]
struct Spectrum {
    first: f64,
    table: Vec<[f32; 3]>,
}

/// Samples per unit of ln(wavelength).
const DENSITY: f64 = 18_000.0;

const MID_INFRARED: Range = Range {
    limits: (4.6, 29.6),
    nodes: [4.7, 6.0, 7.8, 10.0, 13.0, 17.0, 22.0, 29.5],
    width: psf_width,
    background,
    continuum: &CONTINUUM,
    bands: &[],
    branches: &BRANCHES,
    lines: &LINES,
};

const NEAR_INFRARED: Range = Range {
    limits: (0.55, 5.5),
    nodes: [0.6, 1.2, 1.9, 2.6, 3.3, 4.0, 4.7, 5.4],
    width: near_psf_width,
    background: near_background,
    continuum: &[
        (0.55, 4.32),
        (0.8, 4.40),
        (1.1, 4.44),
        (1.6, 4.40),
        (2.2, 4.34),
        (2.8, 4.24),
        (3.3, 4.10),
        (3.8, 4.16),
        (4.3, 4.34),
        (4.8, 4.50),
        (5.1, 4.46),
        (5.5, 4.40),
    ],
    bands: &[
        (0.62, 0.010, 0.25),
        (0.73, 0.012, 0.5),
        (0.89, 0.02, 1.0),
        (1.15, 0.04, 0.9),
        (1.39, 0.06, 1.7),
        (1.75, 0.10, 1.8),
        (2.00, 0.05, 0.6),
        (2.32, 0.17, 2.0),
    ],
    branches: &[
        Branches(4313.0, 5.2, 0.7, false, 0.6),  // CH4 nu3 + nu4
        Branches(3019.0, 5.24, 1.6, false, 1.8), // CH4 nu3
        Branches(2830.0, 5.2, 0.6, false, 0.3),  // CH4 nu2 + nu4
        Branches(2600.0, 5.2, 0.4, false, 0.2),  // CH4 2 nu4
        Branches(2200.0, 3.88, 0.5, false, 0.4), // CH3D nu2
        Branches(2143.0, 1.92, 0.9, true, 0.0),  // CO 1-0
        Branches(1892.0, 4.45, 0.8, false, 0.5), // PH3, CH3D and NH3 overtones together
    ],
    // trihydrogen cation, and molecular hydrogen 1-0 S(1)
    lines: &[
        (2.1218, 0.5),
        (2.0930, 0.3),
        (3.4130, 0.8),
        (3.4548, 0.7),
        (3.5336, 0.9),
        (3.6210, 0.6),
        (3.6675, 0.7),
        (3.9530, 1.0),
        (3.9860, 0.6),
        (4.0440, 0.4),
    ],
};

/// Continuum of the mid infrared: (micron, log10 of MJy/sr).
const CONTINUUM: [(f64, f64); 12] = [
    (4.6, 4.28),
    (5.2, 4.36),
    (6.0, 4.22),
    (7.0, 4.18),
    (8.2, 4.30),
    (9.5, 4.46),
    (11.0, 4.62),
    (13.0, 4.74),
    (16.0, 4.72),
    (19.0, 4.86),
    (24.0, 5.02),
    (29.6, 5.08),
];

/// A molecular band: centre (1/cm), rotational constant (1/cm), strongest line, whether in emission,
/// and strength of the unresolved middle (Q branch).
#[derive(Debug)]
struct Branches(f64, f64, f64, bool, f64);

/// Bands in the mid infrared.
const BRANCHES: [Branches; 10] = [
    Branches(1595.0, 9.3, 0.9, false, 0.3),  // H2O nu2
    Branches(1892.0, 4.45, 0.8, false, 0.5), // PH3, CH3D and NH3 overtones together
    Branches(1533.0, 5.2, 0.5, true, 0.2),   // CH4 nu2
    Branches(1306.0, 5.24, 1.6, true, 1.2),  // CH4 nu4
    Branches(1161.0, 3.88, 0.5, true, 0.3),  // CH3D nu6
    Branches(1118.0, 4.45, 0.7, false, 0.8), // PH3 nu4
    Branches(950.0, 9.9, 0.8, false, 0.9),   // NH3 nu2
    Branches(822.0, 0.66, 1.0, true, 0.5),   // C2H6 nu9
    Branches(729.0, 1.18, 1.4, true, 2.2),   // C2H2 nu5
    Branches(629.0, 0.15, 0.3, true, 0.8),   // C4H2 nu8
];

/// Single lines in emission in the mid infrared: (micron, strength): molecular hydrogen S(0) to S(5).
const LINES: [(f64, f64); 6] = [
    (28.2188, 0.8),
    (17.0348, 1.2),
    (12.2786, 1.3),
    (9.6649, 1.2),
    (8.0250, 0.7),
    (6.9095, 0.8),
];

impl Spectrum {
    fn new(range: &Range) -> Self {
        let (first, last) = range.limits;
        let n = (libm::log(last / first) * DENSITY) as usize + 2;
        let waves: Vec<f64> = (0..n)
            .map(|i| first * libm::exp(i as f64 / DENSITY))
            .collect();
        let broad = |wave: &f64| -> f64 {
            let one = |(centre, width, depth): &(f64, f64, f64)| {
                let d = (wave - centre) / width;
                depth * libm::exp(-d * d)
            };
            range.bands.iter().map(one).sum()
        };
        let mut depth: Vec<f64> = waves.iter().map(broad).collect();
        let mut emission = vec![0.0; n];
        // adds a Gaussian line of resolving power `r`
        let line = |to: &mut [f64], wave: f64, strength: f64, r: f64| {
            let middle = libm::log(wave / first) * DENSITY;
            let sigma = DENSITY / r / 2.354_820_045_030_949;
            let (lo, hi) = (
                (middle - 5.0 * sigma).max(0.0) as usize,
                ((middle + 5.0 * sigma).max(0.0) as usize).min(n - 1),
            );
            for (i, t) in to.iter_mut().enumerate().take(hi + 1).skip(lo) {
                let d = (i as f64 - middle) / sigma;
                *t += strength * libm::exp(-0.5 * d * d);
            }
        };
        for b in range.branches {
            let to: &mut [f64] = if b.3 { &mut emission } else { &mut depth };
            // thermal population at 150 K: kT = 104 1/cm; relative to the strongest line
            let weight = |j: f64| (2.0 * j + 1.0) * libm::exp(-b.1 * j * (j + 1.0) / 104.0);
            let strongest = (1..60).map(|j| weight(f64::from(j))).fold(0.0, f64::max);
            for j in 1..60 {
                let j = f64::from(j);
                let s = b.2 * weight(j) / strongest;
                if s > 0.003 {
                    line(to, 1e4 / (b.0 + 2.0 * b.1 * j), s, 2800.0);
                    line(to, 1e4 / (b.0 - 2.0 * b.1 * j), s, 2800.0);
                }
            }
            line(to, 1e4 / b.0, b.4, 400.0);
        }
        for (wave, strength) in range.lines {
            line(&mut emission, *wave, *strength, 2600.0);
        }
        let table = (0..n)
            .map(|i| {
                let w = waves[i];
                let continuum = range.continuum;
                let k = continuum[1..continuum.len() - 1]
                    .iter()
                    .filter(|c| c.0 <= w)
                    .count();
                let (a, b) = (continuum[k], continuum[k + 1]);
                let log = a.1 + (b.1 - a.1) * (w - a.0) / (b.0 - a.0);
                [
                    libm::pow(10.0, log) as f32,
                    libm::exp(-depth[i]) as f32,
                    emission[i] as f32,
                ]
            })
            .collect();
        Self { first, table }
    }

    fn at(&self, wave: f64) -> Factors {
        let f = (libm::log(wave / self.first) * DENSITY).clamp(0.0, (self.table.len() - 2) as f64);
        let i = f as usize;
        let t = f - i as f64;
        let v = |k: usize| {
            (1.0 - t) * f64::from(self.table[i][k]) + t * f64::from(self.table[i + 1][k])
        };
        Factors {
            continuum: v(0),
            transmission: v(1),
            emission: v(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disc_has_its_size_and_the_sky_is_dark() {
        let sight = Sight::at(0.0);
        let maps = paint(&sight);
        // area of the projected ellipsoid: pi a b, with b from the sub-observer latitude
        let lit = maps[0].iter().filter(|v| **v > 0.0).count() as f64 * STEP * STEP;
        let b = (RADII.1 / RADII.0).powi(2)
            + (1.0 - (RADII.1 / RADII.0).powi(2)) * sight.sub_observer.0.to_radians().sin().powi(2);
        let area = std::f64::consts::PI * sight.radius * sight.radius * b.sqrt();
        assert!((lit / area - 1.0).abs() < 0.07, "{lit} {area}");
        let scene = Scene::new(&sight, 1.0);
        assert_eq!(scene.radiance(3.5, 3.5, 8.0), background(8.0));
        assert_eq!(scene.radiance(50.0, 0.0, 8.0), background(8.0));
        assert!(scene.radiance(0.0, 0.0, 8.0) > 1000.0);
        assert_eq!(
            Scene::new(&sight, 0.0).radiance(0.0, 0.0, 8.0),
            background(8.0)
        );
    }

    #[test]
    fn continuum_darkens_and_emission_brightens_to_the_limb() {
        let (middle, limb) = (paint_point(20.0, 0.0, 1.0), paint_point(20.0, 0.0, 0.2));
        assert!(middle[0] > 1.5 * limb[0]);
        assert!(limb[2] > 1.3 * middle[2]);
        assert!(paint_point(-85.0, 0.0, 0.5)[2] > 1.5 * paint_point(20.0, 0.0, 0.5)[2]);
    }

    #[test]
    fn blur_keeps_the_light_and_the_width() {
        let mut map = vec![0.0f32; SIZE * SIZE];
        map[HALF * SIZE + HALF] = 1.0;
        let out = blur(&map, 0.5);
        let sum: f64 = out.iter().map(|v| f64::from(*v)).sum();
        assert!((sum - 1.0).abs() < 1e-3);
        let half = out[HALF * SIZE + HALF] / 2.0;
        let wide = (0..SIZE).filter(|i| out[HALF * SIZE + i] >= half).count() as f64 * STEP;
        assert!((wide - 0.5).abs() <= 1.01 * STEP, "{wide}");
    }

    #[test]
    fn lines_shift_with_the_surface() {
        let sight = Sight::at(0.0);
        let scene = Scene::new(&sight, 1.0);
        // velocity of the centroid of H2 S(1) above the lowest value, at points west and east of the
        // pole's meridian
        let peak = |u: f64| {
            let (e, n) = (-u * scene.pole.1, u * scene.pole.0);
            let points: Vec<(f64, f64)> = (0..4000)
                .map(|i| {
                    let shift = (f64::from(i) / 4000.0 - 0.5) * 3e-3 + sight.recession / LIGHT;
                    (shift, scene.radiance(e, n, 17.0348 * (1.0 + shift)))
                })
                .collect();
            let top = points.iter().map(|p| p.1).fold(0.0, f64::max);
            let base = points.iter().map(|p| p.1).fold(top, f64::min);
            let above = |p: &(f64, f64)| (p.1 - 0.5 * (top + base)).max(0.0);
            let weight: f64 = points.iter().map(above).sum();
            points.iter().map(|p| p.0 * above(p)).sum::<f64>() / weight * LIGHT
        };
        let (west, east) = (peak(0.8), peak(-0.8));
        assert!(
            (0.5 * (west + east) - sight.recession).abs() < 3.0,
            "{west} {east}"
        );
        assert!(
            (west - east - 1.6 * scene.spin).abs() < 4.0,
            "{west} {east} {}",
            scene.spin
        );
    }
}
