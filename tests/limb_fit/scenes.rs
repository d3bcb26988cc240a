//! Planets as an integral-field spectrograph sees them: made with nothing of the fit's own code, and with what it does not
//! model (other laws of darkening, sharp belts, spots, wings of another shape, slices of unequal gain, correlated noise).

use std::f64::consts::{FRAC_PI_2, PI, TAU};
use std::sync::OnceLock;

use sifu::nav::limb::Image;
use sifu::nav::{Aspect, Correction, Kernels, Observer};

pub type Vector = [f64; 3];

/// Arcsec in a radian.
const ARCSEC: f64 = 206_264.806_247_096_36;

/// Deviates (SplitMix64).
pub struct Random {
    state: u64,
    spare: Option<f64>,
}

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut out = Self {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d,
            spare: None,
        };
        (0..8).for_each(|_| {
            out.bits();
        });
        out
    }

    fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / 9_007_199_254_740_992.0
    }

    pub fn between(&mut self, a: f64, b: f64) -> f64 {
        a + (b - a) * self.uniform()
    }

    pub fn normal(&mut self) -> f64 {
        if let Some(z) = self.spare.take() {
            return z;
        }
        let (u, v) = (1.0 - self.uniform(), self.uniform());
        let r = (-2.0 * u.ln()).sqrt();
        let (s, c) = (TAU * v).sin_cos();
        self.spare = Some(r * s);
        r * c
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    Jupiter,
    Saturn,
    Uranus,
    Neptune,
    Titan,
}

pub const BODIES: [Body; 5] = [
    Body::Jupiter,
    Body::Saturn,
    Body::Uranus,
    Body::Neptune,
    Body::Titan,
];

/// A body's radii (km), distance (million km), largest phase (degrees), and range of the latitude below the observer.
fn facts(body: Body) -> ([f64; 2], f64, f64, [f64; 2]) {
    match body {
        Body::Jupiter => ([71_492.0, 66_854.0], 640.0, 11.0, [-3.0, 3.0]),
        Body::Saturn => ([60_268.0, 54_364.0], 1380.0, 6.0, [2.0, 20.0]),
        Body::Uranus => ([25_559.0, 24_973.0], 2850.0, 2.8, [50.0, 75.0]),
        Body::Neptune => ([24_764.0, 24_341.0], 4400.0, 1.9, [-24.0, -18.0]),
        Body::Titan => ([2575.0, 2575.0], 1380.0, 6.0, [-10.0, 15.0]),
    }
}

fn cross(a: Vector, b: Vector) -> Vector {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn unit(a: Vector) -> Vector {
    let n = dot(a, a).sqrt();
    a.map(|v| v / n)
}

/// An aspect for the fields that do not matter here.
fn any_aspect() -> &'static Aspect {
    static ASPECT: OnceLock<Aspect> = OnceLock::new();
    ASPECT.get_or_init(|| {
        let kernels = Kernels::with_built_in::<std::path::PathBuf>(&[]).expect("built in");
        let (jupiter, barycentre, earth) = (599, 5, Observer::Body(399));
        Aspect::centred(&kernels, jupiter, barycentre, &earth, 7e8, Correction::CN)
            .expect("the built-in kernels have Jupiter")
    })
}

/// A body on the sky; axes x east, y north, z towards the observer.
#[derive(Clone, Debug)]
pub struct Face {
    pub pole: Vector,
    pub sun: Vector,
    /// Equatorial and polar radius, arcsec.
    pub radii: [f64; 2],
    /// The same, as the fit knows it.
    pub aspect: Aspect,
}

impl Face {
    /// A body so much larger than it is, at so large a phase (degrees; its usual one if none).
    pub fn new(body: Body, scale: f64, phase: Option<f64>, r: &mut Random) -> Self {
        let (radii, distance, largest, latitudes) = facts(body);
        let radii = radii.map(|v| v * scale);
        let distance = distance * 1e6 * r.between(0.95, 1.05);
        let angle = r.between(0.0, TAU);
        let latitude = r.between(latitudes[0], latitudes[1]).to_radians();
        let pole = [
            latitude.cos() * angle.sin(),
            latitude.cos() * angle.cos(),
            latitude.sin(),
        ];
        let phase = phase.unwrap_or_else(|| largest * r.between(0.85, 1.0));
        let phase = phase.to_radians();
        // along the equator
        let side = if r.uniform() < 0.5 { 1.0 } else { -1.0 };
        let sun = [
            side * angle.cos() * phase.sin(),
            -side * angle.sin() * phase.sin(),
            phase.cos(),
        ];
        let (a, d) = (r.between(0.0, TAU), r.between(-0.4, 0.4));
        let east = [-a.sin(), a.cos(), 0.0];
        let north = [-d.sin() * a.cos(), -d.sin() * a.sin(), d.cos()];
        let back = [-d.cos() * a.cos(), -d.cos() * a.sin(), -d.sin()];
        let j2000 = |v: Vector| -> Vector {
            std::array::from_fn(|i| v[0] * east[i] + v[1] * north[i] + v[2] * back[i])
        };
        let z = j2000(pole);
        let (q, w) = (unit(cross(z, [0.3, -0.5, 0.81])), r.between(0.0, TAU));
        let t = cross(z, q);
        let x: Vector = std::array::from_fn(|i| q[i] * w.cos() + t[i] * w.sin());
        let to_body = [x, cross(z, x), z];
        let fixed = |v: Vector| to_body.map(|row| dot(row, v));
        let position = back.map(|v| -v * distance);
        let aspect = Aspect {
            target: 0,
            position,
            to_body,
            observer: fixed(position.map(|v| -v)),
            sun: fixed(j2000(sun.map(|v| v * distance))),
            radii: [radii[0], radii[0], radii[1]],
            ..any_aspect().clone()
        };
        Self {
            pole,
            sun,
            radii: radii.map(|r| r / distance * ARCSEC),
            aspect,
        }
    }
}

/// How a body is painted.
#[derive(Clone, Debug)]
pub struct Look {
    darkening: [f64; 2],
    reflected: f64,
    belts: Vec<[f64; 3]>,
    polar: f64,
    spots: Vec<[f64; 4]>,
    tilt: f64,
    /// How much larger the limb is, arcsec.
    grown: f64,
}

impl Look {
    pub fn new(body: Body, face: &Face, wave: f64, r: &mut Random) -> Self {
        let (count, contrast) = match body {
            Body::Jupiter => (14, 0.16),
            Body::Saturn => (14, 0.08),
            Body::Titan => (2, 0.06),
            Body::Uranus | Body::Neptune => (5, 0.10),
        };
        let belts = (0..count)
            .map(|_| {
                [
                    r.between(-1.4, 1.4),
                    r.between(0.035, 0.16),
                    contrast * r.normal(),
                ]
            })
            .collect();
        let radius = face.radii[0];
        let spots = (0..(r.uniform() * 4.0) as usize)
            .map(|_| {
                let (s, c) = r.between(0.0, TAU).sin_cos();
                let d = radius * r.uniform().sqrt();
                let size = (radius * 0.08).max(0.12) * r.between(0.7, 1.8);
                [d * s, d * c, size, 0.15 * r.normal()]
            })
            .collect();
        Self {
            darkening: [r.between(0.0, 0.8), r.between(-0.1, 0.2)],
            reflected: match wave < 6.5 {
                true => r.between(0.0, 0.8),
                false => 0.0,
            },
            belts,
            polar: 0.15 * r.normal(),
            spots,
            tilt: 0.1 * r.normal(),
            grown: radius / face.aspect.radii[0] * 35.0 * r.normal(),
        }
    }

    /// Sunlight only.
    pub fn sunlit(mut self) -> Self {
        self.reflected = 1.0;
        self
    }

    /// No structure.
    pub fn plain(mut self) -> Self {
        (self.polar, self.tilt, self.grown) = (0.0, 0.0, 0.0);
        self.belts.clear();
        self.spots.clear();
        self
    }
}

/// Brightness at a place (arcsec from the centre); 0 off the disc.
pub fn paint(face: &Face, look: &Look, x: f64, y: f64) -> f64 {
    let [a, c] = face.radii.map(|r| r + look.grown);
    let k = face.pole;
    // (p.p - (p.k)^2) / a^2 + (p.k)^2 / c^2 = 1 with p = (x, y, z): a quadratic in z
    let q = 1.0 / (c * c) - 1.0 / (a * a);
    let w = x * k[0] + y * k[1];
    let qa = 1.0 / (a * a) + q * k[2] * k[2];
    let qb = q * w * k[2];
    let qc = (x * x + y * y) / (a * a) + q * w * w - 1.0;
    let d = qb * qb - qa * qc;
    if d <= 0.0 {
        return 0.0;
    }
    let p = [x, y, (d.sqrt() - qb) / qa];
    let along = dot(p, k);
    let n = unit(std::array::from_fn(|i| p[i] / (a * a) + q * along * k[i]));
    let (mu, mu0) = (n[2].max(0.0), dot(n, face.sun).max(0.0));
    let latitude = dot(n, k).asin();
    let [u, v] = look.darkening;
    let emitted = 1.0 - u * (1.0 - mu) - v * (1.0 - mu) * (1.0 - mu);
    // Lommel and Seeliger's law, mixed with Lambert's
    let reflected = 1.6 * mu0 / (mu + mu0 + 1e-9) * (0.6 + 0.4 * mu0);
    let mut s = 1.0 + look.tilt * latitude.sin();
    s += 0.5 * look.polar * (1.0 + ((latitude.abs() - 1.2) / 0.06).tanh());
    for [at, half, contrast] in &look.belts {
        let edge = |e: f64| ((latitude - e) / 0.02).tanh();
        s += 0.5 * contrast * (edge(at - half) - edge(at + half));
    }
    for [sx, sy, size, contrast] in &look.spots {
        let square = (x - sx) * (x - sx) + (y - sy) * (y - sy);
        s += contrast * (-0.5 * square / (size * size)).exp();
    }
    ((1.0 - look.reflected) * emitted + look.reflected * reflected) * s.max(0.1)
}

/// Brightness of Saturn's rings at a place, and whether they are before the planet.
fn rings(face: &Face, x: f64, y: f64) -> Option<(f64, bool)> {
    let k = face.pole;
    if k[2].abs() < 1e-3 {
        return None;
    }
    let z = -(x * k[0] + y * k[1]) / k[2];
    let km = (x * x + y * y + z * z).sqrt() / face.radii[0] * 60_268.0;
    let brightness = match km {
        74_658.0..92_000.0 => 0.08,
        92_000.0..117_580.0 => 0.5,
        122_170.0..136_775.0 => 0.35,
        _ => return None,
    };
    Some((brightness, z > 0.0))
}

/// Spaxel (arcsec), wavelength (micron) and field (arcsec) of the four channels.
const CHANNELS: [(f64, f64, [f64; 2]); 4] = [
    (0.13, 6.3, [3.2, 3.7]),
    (0.17, 9.6, [4.0, 4.8]),
    (0.20, 15.0, [5.2, 6.2]),
    (0.35, 21.5, [6.6, 7.7]),
];

pub fn wave(channel: usize) -> f64 {
    CHANNELS[channel].1
}

/// An observation.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub body: Body,
    pub channel: usize,
    /// Error of the coordinates, arcsec east and north.
    pub offset: [f64; 2],
    /// Their turn about the body, radians from east to north.
    pub turn: f64,
    /// Middle of the field from the body's centre, arcsec, and position of its axes.
    pub centre: [f64; 2],
    pub angle: f64,
    pub signal_to_noise: f64,
}

/// What of an observation is drawn.
struct Optics {
    core: [f64; 2],
    wings: f64,
    share: f64,
}

/// The image of an observation.
pub fn observe(face: &Face, look: &Look, s: &Setting, r: &mut Random) -> Image {
    let (side, wave, field) = CHANNELS[s.channel];
    let fwhm = 0.033 * wave + 0.106;
    let [nx, ny] = field.map(|f| (f / side) as usize);
    let core = fwhm * (1.0 + 0.04 * r.normal()) / 2.3548;
    let optics = Optics {
        core: [0, 1].map(|_| core * (1.0 + 0.02 * r.normal())),
        wings: 2.6 * core,
        share: r.between(0.03, 0.10),
    };
    // a fine grid along the field's axes
    let step = side / 5.0;
    let pad = (9.0 * core / step) as usize;
    let size = [nx * 5 + 2 * pad, ny * 5 + 2 * pad];
    let (sin, cos) = s.angle.sin_cos();
    let place = |i: f64, j: f64| -> [f64; 2] {
        let p = (i - (size[0] as f64 - 1.0) / 2.0) * step;
        let q = (j - (size[1] as f64 - 1.0) / 2.0) * step;
        [
            s.centre[0] + cos * p - sin * q,
            s.centre[1] + sin * p + cos * q,
        ]
    };
    let ringed = s.body == Body::Saturn;
    let split = match face.radii[0] < 10.0 * step {
        true => (40.0 * step / face.radii[0]).ceil().clamp(3.0, 60.0) as usize,
        false => 3,
    };
    let mut fine = vec![0.0; size[0] * size[1]];
    for (at, value) in fine.iter_mut().enumerate() {
        let (i, j) = ((at % size[0]) as f64, (at / size[0]) as f64);
        let [x, y] = place(i, j);
        if x.hypot(y) > face.radii[0] * 1.05 + 2.0 * step && !ringed {
            continue;
        }
        for k in 0..split * split {
            let within = |k: usize| (k as f64 + 0.5) / split as f64 - 0.5;
            let [x, y] = place(i + within(k % split), j + within(k / split));
            let mut b = paint(face, look, x, y);
            if let Some((ring, before)) = rings(face, x, y).filter(|_| ringed)
                && (before || b == 0.0)
            {
                b = b * 0.3 + ring;
            }
            *value += b / (split * split) as f64;
        }
    }
    let sharp = blur(&fine, size, optics.core.map(|s| s / step));
    let wide = blur(&fine, size, [optics.wings / step; 2]);
    let peak = sharp.iter().copied().fold(0.0, f64::max);
    let noise = peak / s.signal_to_noise;
    let sky = r.between(0.0, 0.3) * peak;
    let white: Vec<f64> = (0..(nx + 1) * (ny + 1)).map(|_| r.normal()).collect();
    let gains: Vec<f64> = (0..ny).map(|_| 1.0 + 0.008 * r.normal()).collect();
    let mut image = Image {
        aspect: face.aspect.clone(),
        columns: nx,
        x: vec![],
        y: vec![],
        value: vec![],
        error: vec![],
        fwhm,
        rings: ringed.then_some([74_000.0, 141_000.0]),
    };
    let (st, ct) = s.turn.sin_cos();
    for j in 0..ny {
        for i in 0..nx {
            let (fi, fj) = (pad + i * 5 + 2, pad + j * 5 + 2);
            let at = fj * size[0] + fi;
            let v = (1.0 - optics.share) * sharp[at] + optics.share * wide[at];
            let [x, y] = place(fi as f64, fj as f64);
            image.x.push(ct * x - st * y + s.offset[0]);
            image.y.push(st * x + ct * y + s.offset[1]);
            // resampled: neighbours share noise
            let w = |i: usize, j: usize| white[j * (nx + 1) + i];
            let n = 0.8 * w(i, j) + 0.35 * (w(i + 1, j) + w(i, j + 1)) + 0.15 * w(i + 1, j + 1);
            let sigma = noise * (0.3 + 0.7 * (v / peak).max(0.0)).sqrt();
            // a slice is two rows
            let mut value = sky + v * gains[j / 2] + sigma * n;
            if r.uniform() < 0.004 {
                value += peak * r.between(0.2, 8.0);
            }
            if r.uniform() < 0.02 || (i == 0 && j % 3 != 0) {
                value = f64::NAN;
            }
            image.value.push(value * 37.0);
            image.error.push(sigma * 37.0);
        }
    }
    image
}

fn blur(map: &[f64], size: [usize; 2], sigma: [f64; 2]) -> Vec<f64> {
    let mut map = map.to_vec();
    for axis in 0..2 {
        let reach = (4.0 * sigma[axis]).ceil() as i64;
        let kernel: Vec<f64> = (-reach..=reach)
            .map(|i| (-0.5 * (i as f64 / sigma[axis]).powi(2)).exp())
            .collect();
        let total: f64 = kernel.iter().sum();
        let mut out = vec![0.0; map.len()];
        for (at, value) in out.iter_mut().enumerate() {
            let place = [at % size[0], at / size[0]];
            for (k, weight) in kernel.iter().enumerate() {
                let moved = place[axis] as i64 + k as i64 - reach;
                let moved = moved.clamp(0, size[axis] as i64 - 1) as usize;
                let from = match axis {
                    0 => place[1] * size[0] + moved,
                    _ => moved * size[0] + place[0],
                };
                *value += weight / total * map[from];
            }
        }
        map = out;
    }
    map
}

/// A random observation of a body: a disc in the field, or a field that its limb crosses (of Saturn, away from the rings).
pub fn draw(seed: u64, body: Body) -> (Face, Look, Setting, Random) {
    let mut r = Random::new(seed);
    let channel = (r.uniform() * 4.0) as usize;
    let face = Face::new(body, 1.0, None, &mut r);
    let look = Look::new(body, &face, wave(channel), &mut r);
    let (d, t) = (r.uniform().sqrt(), r.between(0.0, TAU));
    let offset = [d * t.cos(), d * t.sin()];
    let signal_to_noise = 10f64.powf(r.between(1.7, 2.7));
    let half = 0.5 * CHANNELS[channel].2[0];
    let mut t = r.between(0.0, TAU);
    let radius = face.radii[0];
    let distance = match body {
        _ if radius <= half => (half - radius).max(0.1) * 0.8 * r.uniform(),
        Body::Uranus => r.between(0.3, 1.0) * radius,
        _ => {
            if body == Body::Saturn {
                let pole = FRAC_PI_2 - face.pole[0].atan2(face.pole[1]);
                let south = if r.uniform() < 0.5 { 0.0 } else { PI };
                t = pole + south + r.between(-0.6, 0.6);
            }
            let plain = look.clone().plain();
            let mut d = radius;
            while paint(&face, &plain, d * t.cos(), d * t.sin()) == 0.0 {
                d *= 0.999;
            }
            d + half * r.between(-0.45, 0.45)
        }
    };
    let setting = Setting {
        body,
        channel,
        offset,
        turn: 0.0,
        centre: [distance * t.cos(), distance * t.sin()],
        angle: r.between(0.0, TAU),
        signal_to_noise,
    };
    (face, look, setting, r)
}
