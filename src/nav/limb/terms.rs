//! What an image may show besides where the body is: terms that are added, each with a coefficient and a prior width.
//!
//! The disc's brightness is a sum of laws of limb darkening, of emitted and of reflected light, times a free profile in
//! latitude and free smooth patches. Errors of the PSF's width, shape and wings, and of the altitude that is seen as the
//! limb, are first-order terms too. All are linear, so that the fit solves for them exactly.

use super::disc::{Disc, Surface};
use super::grid::{Grid, Maps};
use crate::math::cholesky::Cholesky;

/// Full width at half maximum in standard deviations of a Gaussian.
pub const FWHM: f64 = 2.354_820_045_030_949;
/// Laws of darkening: four of emitted light, three of reflected.
const LAWS: usize = 7;
/// Those of emitted light.
const EMITTED: usize = 4;
/// Phase angle (radians) below which reflected light is darkened just as emitted light may be.
const SMALL_PHASE: f64 = 0.01;
/// Brightness, of the brightest, below which a disc's structure does not fall with its darkening.
const FAINTEST: f64 = 0.05;
/// Least and largest factor of structure.
const FACTOR: [f64; 2] = [0.1, 4.0];
/// Most functions of latitude, and of place along one axis.
const MOST_ZONES: usize = 40;
const MOST_PATCHES: usize = 8;
/// Latitude (radians) over which the brightness of belts and zones is alike, and distance (radii) over which that of spots is:
/// those of giant planets are some 0.05 to 0.3 wide.
const BELT: f64 = 0.13;
const SPOT: f64 = 0.15;

/// What a term stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Darkening towards limb and terminator.
    Darkening,
    /// Belts and zones.
    Zones,
    /// Structure of any shape, larger than the PSF.
    Patches,
    /// The PSF's width, ellipticity and wings.
    Optics,
    /// Altitude of the limb.
    Altitude,
    /// What products of darkening and structure have too much of as they are taken to first order: known, its coefficient is 1.
    Product,
}

impl Family {
    /// What its coefficients are before the data are seen.
    #[must_use]
    pub fn mean(self) -> f64 {
        match self {
            Self::Product => 1.0,
            _ => 0.0,
        }
    }
}

/// A term's meaning and the standard deviation its coefficient has before the data are seen.
#[derive(Clone, Copy, Debug)]
pub struct Term {
    /// What it stands for.
    pub family: Family,
    /// Prior standard deviation.
    pub prior: f64,
}

/// How large errors may be that the data tell little of.
#[derive(Clone, Copy, Debug)]
pub struct Priors {
    /// Relative error of the PSF's width, and its ellipticity.
    pub psf: f64,
    /// Error of the altitude (km) over the radius (km).
    pub altitude: f64,
}

/// Cubic B-splines at even spacing over a range.
#[derive(Clone, Copy, Debug)]
struct Splines {
    low: f64,
    step: f64,
    intervals: usize,
}

impl Splines {
    fn new(low: f64, high: f64, spacing: f64, most: usize) -> Self {
        let length = (high - low).max(1e-9);
        let intervals = ((length / spacing).round() as usize).clamp(1, most);
        Self {
            low,
            step: length / intervals as f64,
            intervals,
        }
    }

    fn count(&self) -> usize {
        self.intervals + 3
    }

    /// Where a function is largest.
    fn peak(&self, k: usize) -> f64 {
        self.low + (k as f64 - 1.0) * self.step
    }

    /// First of the four functions that are not 0 at `x`, and their values.
    fn at(&self, x: f64) -> (usize, [f64; 4]) {
        let p = ((x - self.low) / self.step).clamp(0.0, self.intervals as f64);
        let k = (p as usize).min(self.intervals - 1);
        let (t, u) = (p - k as f64, 1.0 - (p - k as f64));
        let values = [
            u * u * u,
            3.0 * t * t * t - 6.0 * t * t + 4.0,
            3.0 * u * u * u - 6.0 * u * u + 4.0,
            t * t * t,
        ];
        (k, values.map(|v| v / 6.0))
    }
}

/// Laws of darkening at a point.
fn laws(s: Surface) -> [f64; LAWS] {
    let grazing = s.mu.max(0.03);
    let reflected = (s.mu0 / grazing).sqrt();
    let single = s.mu0 / (s.mu + s.mu0).max(1e-9);
    [
        1.0,
        s.mu,
        s.mu * s.mu,
        s.mu.sqrt(),
        reflected,
        s.mu0,
        single,
    ]
}

/// Places along a side of a grid cell: that the limb crosses, close to the limb or the terminator, anywhere else.
const SPLITS: [usize; 3] = [32, 8, 3];
/// Cosine of emission from which a place is not close to the limb.
const STEEP: f64 = 0.3;

/// Calls `f` for places all over the disc within the grid, with what is there and the share of a grid cell (times what makes
/// the blurred disc about 1 in its middle).
///
/// The limb is sampled so finely that the grid does not show: else the offset along a straight limb would seem to be constrained.
fn over(disc: &Disc, grid: Grid, sigma: f64, mut f: impl FnMut(f64, f64, Surface, f64)) {
    let radius = disc.radius;
    // a small body is as bright as the image shows it, however much the PSF dilutes it
    let filled = -libm::expm1(-0.5 * (radius / sigma) * (radius / sigma));
    let gain = 1.0 / filled.max(1e-12);
    let reach = radius + grid.step;
    // 8 places a radius at least
    let least = ((8.0 * grid.step / radius).ceil() as usize).min(64);
    let half = 0.5 * grid.step;
    for iy in 0..grid.size[1] {
        for ix in 0..grid.size[0] {
            let [x, y] = grid.place(ix, iy);
            if x.abs() > reach || y.abs() > reach {
                continue;
            }
            let corners = [
                (0.0, 0.0),
                (-half, -half),
                (half, -half),
                (-half, half),
                (half, half),
            ]
            .map(|(dx, dy)| disc.surface(x + dx, y + dy));
            let seen = corners.iter().flatten().count();
            let small = radius < 4.0 * grid.step;
            if seen == 0 && !small {
                continue;
            }
            let steep = corners
                .iter()
                .flatten()
                .any(|s| s.mu < STEEP || s.mu0 < STEEP);
            let split = match seen {
                5 if steep => SPLITS[1],
                5 => SPLITS[2],
                _ => SPLITS[0],
            }
            .max(least);
            let share = gain / (split * split) as f64;
            for k in 0..split * split {
                let within = |i: usize| ((i as f64 + 0.5) / split as f64 - 0.5) * grid.step;
                let (x, y) = (x + within(k % split), y + within(k / split));
                if let Some(surface) = disc.surface(x, y) {
                    f(x, y, surface, share);
                }
            }
        }
    }
}

/// The laws of darkening alone: maps and terms, for a first fit.
#[must_use]
pub fn plain(disc: &Disc, grid: Grid, sigma: f64) -> (Maps, Vec<Term>) {
    let count = match disc.phase < SMALL_PHASE {
        true => EMITTED,
        false => LAWS,
    };
    let mut maps = Maps::new(grid, count);
    over(disc, grid, sigma, |x, y, surface, share| {
        let values = laws(surface);
        let terms: [(usize, f64); LAWS] = std::array::from_fn(|k| (k, values[k]));
        maps.deposit(x, y, share, &terms[..count]);
    });
    let terms = (0..count)
        .map(|k| Term {
            family: Family::Darkening,
            prior: if k == 0 { 2.0 } else { 1.0 },
        })
        .collect();
    (maps.blurred(sigma), terms)
}

/// What a fit found of the disc: coefficients of the darkening, of zones and of patches.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Of the laws of darkening.
    pub darkening: &'a [f64],
    /// Of zones and of patches; empty where they were not fitted yet.
    pub structure: [&'a [f64]; 2],
}

/// Structure on the disc: factors of its brightness.
struct Structure {
    radius: f64,
    resolved: bool,
    zones: Splines,
    patches: [Splines; 2],
}

impl Structure {
    /// Number of zones and of patches.
    fn counts(&self) -> [usize; 2] {
        match self.resolved {
            true => [
                self.zones.count(),
                self.patches[0].count() * self.patches[1].count(),
            ],
            false => [0, 2],
        }
    }

    /// Adds the functions that are not 0 at a place to a list, zones counted from 0 and patches after them.
    fn at(&self, x: f64, y: f64, s: Surface, out: &mut Vec<(usize, f64)>) {
        let first = self.counts()[0];
        if !self.resolved {
            out.push((first, x / self.radius));
            out.push((first + 1, y / self.radius));
            return;
        }
        let (k, v) = self.zones.at(libm::asin(s.sin_lat));
        out.extend(v.iter().enumerate().map(|(i, v)| (k + i, *v)));
        let ((kx, vx), (ky, vy)) = (self.patches[0].at(x), self.patches[1].at(y));
        let width = self.patches[0].count();
        for (j, vy) in vy.iter().enumerate() {
            let line = first + (ky + j) * width + kx;
            out.extend(vx.iter().enumerate().map(|(i, vx)| (line + i, vx * vy)));
        }
    }

    /// Roots of the correlations of zones and of patches: exponential, by [`BELT`] and [`SPOT`].
    fn roots(&self) -> [Option<Cholesky>; 2] {
        if !self.resolved {
            return [None, None];
        }
        let [n, m] = self.counts();
        let width = self.patches[0].count();
        let belt = |i: usize, j: usize| (self.zones.peak(i) - self.zones.peak(j)) / BELT;
        let spot = |i: usize, j: usize| {
            let dx = self.patches[0].peak(i % width) - self.patches[0].peak(j % width);
            let dy = self.patches[1].peak(i / width) - self.patches[1].peak(j / width);
            libm::hypot(dx, dy) / (SPOT * self.radius)
        };
        let root = |n: usize, distance: &dyn Fn(usize, usize) -> f64| {
            let correlation: Vec<f64> = (0..n * n)
                .map(|k| libm::exp(-distance(k / n, k % n).abs()))
                .collect();
            Cholesky::new(n, &correlation)
        };
        [root(n, &belt), root(m, &spot)]
    }
}

/// All terms, to first order about what a fit found. The structure's are independent deviates; the splines' coefficients that they
/// stand for are alike where their places are close.
#[must_use]
pub fn full(
    disc: &Disc,
    grid: Grid,
    sigma: f64,
    known: Known,
    priors: Priors,
) -> (Maps, Vec<Term>) {
    let darkening = known.darkening;
    let count = darkening.len();
    let brightness = |s: Surface| -> f64 {
        let values = laws(s);
        darkening.iter().zip(values).map(|(c, v)| c * v).sum()
    };
    // what of the disc is on the grid
    let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
    let mut brightest = 0.0f64;
    over(disc, grid, sigma, |x, y, s, _| {
        for (k, v) in [x, y, libm::asin(s.sin_lat)].into_iter().enumerate() {
            low[k] = low[k].min(v);
            high[k] = high[k].max(v);
        }
        brightest = brightest.max(brightness(s));
    });
    let fwhm = sigma * FWHM;
    let structure = Structure {
        radius: disc.radius,
        resolved: 2.0 * disc.radius > 1.5 * fwhm,
        zones: Splines::new(low[2], high[2], 0.7 * fwhm / disc.radius, MOST_ZONES),
        patches: [0, 1].map(|k| Splines::new(low[k], high[k], 1.4 * fwhm, MOST_PATCHES)),
    };
    let counts = structure.counts();
    let n_structure = counts[0] + counts[1];
    let roots = structure.roots();
    // coefficients of the splines, from those of the deviates
    let mut found = vec![0.0; n_structure];
    let (zones, patches) = found.split_at_mut(counts[0]);
    for ((to, from), root) in [zones, patches]
        .into_iter()
        .zip(known.structure)
        .zip(&roots)
    {
        if to.len() == from.len() {
            to.copy_from_slice(from);
            if let Some(root) = root {
                root.times(to);
            }
        }
    }
    let first_patch = count + counts[0];
    let product = first_patch + counts[1];
    let first_optics = product + 1;
    let total = first_optics + 5;
    let mut maps = Maps::new(grid, total);
    // the fitted disc, and the same a little larger
    let mut fitted = Maps::new(grid, 1);
    let mut functions: Vec<(usize, f64)> = Vec::new();
    let mut entries: Vec<(usize, f64)> = Vec::new();
    let factor = |functions: &[(usize, f64)]| {
        let sum: f64 = functions.iter().map(|(k, v)| v * found[*k]).sum();
        (1.0 + sum).clamp(FACTOR[0], FACTOR[1])
    };
    over(disc, grid, sigma, |x, y, s, share| {
        functions.clear();
        structure.at(x, y, s, &mut functions);
        let (b, f) = (brightness(s), factor(&functions));
        fitted.deposit(x, y, share, &[(0, b * f)]);
        let b = b.max(FAINTEST * brightest);
        entries.clear();
        let laws = laws(s).into_iter().take(count);
        entries.extend(laws.map(|law| law * f).enumerate());
        entries.extend(functions.iter().map(|(k, v)| (count + k, b * v)));
        entries.push((product, b * (1.0 - f)));
        maps.deposit(x, y, share, &entries);
    });
    // small against the PSF, so that the change is of first order
    let growth = (0.2 * sigma / disc.radius).min(0.02);
    let larger = disc.grown(1.0 + growth);
    let mut grown = Maps::new(grid, 1);
    over(&larger, grid, sigma, |x, y, s, share| {
        functions.clear();
        structure.at(x, y, s, &mut functions);
        grown.deposit(x, y, share, &[(0, brightness(s) * factor(&functions))]);
    });
    let mut maps = maps.blurred(sigma);
    for (root, first) in roots.iter().zip([count, first_patch]) {
        if let Some(root) = root {
            for cell in maps.values.chunks_exact_mut(total) {
                root.transposed(&mut cell[first..]);
            }
        }
    }
    let grown = grown.blurred(sigma);
    let fitted = fitted.blurred(sigma);
    for (i, cell) in maps.values.chunks_exact_mut(total).enumerate() {
        cell[first_optics + 4] = (grown.values[i] - fitted.values[i]) / growth;
    }
    optics(&mut maps, &fitted, sigma);
    let family = |k: usize| match k {
        k if k < count => (Family::Darkening, if k == 0 { 2.0 } else { 1.0 }),
        k if k < first_patch => (Family::Zones, 0.15),
        k if k < product => (Family::Patches, 0.1),
        k if k < first_optics => (Family::Product, 1e-3),
        k if k < first_optics + 3 => (Family::Optics, priors.psf),
        k if k == first_optics + 3 => (Family::Optics, 0.1),
        _ => (Family::Altitude, priors.altitude),
    };
    let terms = (0..total)
        .map(family)
        .map(|(family, prior)| Term { family, prior })
        .collect();
    (maps, terms)
}

/// Terms of the PSF's errors, the last but one of the maps, from the blurred image of the body.
pub fn optics(maps: &mut Maps, image: &Maps, sigma: f64) {
    let wings = image.convolved(8.0f64.sqrt() * sigma);
    let [xx, yy, xy] = image.curvatures();
    let square = sigma * sigma;
    let count = maps.count;
    for (i, cell) in maps.values.chunks_exact_mut(count).enumerate() {
        let here = &mut cell[count - 5..];
        here[0] = square * (xx[i] + yy[i]);
        here[1] = square * (xx[i] - yy[i]);
        here[2] = 2.0 * square * xy[i];
        here[3] = wings.values[i] - image.values[i];
    }
}
