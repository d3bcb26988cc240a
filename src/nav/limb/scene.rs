//! One image on its way through the fit: its valid spaxels, its terms, and their coefficients.

use super::disc::Disc;
use super::grid::{Grid, Maps};
use super::terms::{self, FWHM, Family, Priors, Term};
use super::{Image, Options, Refusal};
use crate::math::cholesky::Cholesky;
use crate::math::quantile::quantile;

/// Sky terms before the maps': level, and slopes over half the field.
const SKY: usize = 3;
/// Residuals (in standard deviations) beyond which a spaxel says nothing.
const TUKEY: f64 = 6.0;
/// Fewest valid spaxels.
pub const LEAST: usize = 25;
/// Least prior width of belts and of patches, and largest.
const STRUCTURE: [f64; 3] = [0.14, 0.08, 0.5];
/// Least error of the model relative to its value: of flat fields, and of what the terms leave out.
const FLOOR: f64 = 0.006;

/// Shared by all images: offset (arcsec east, north) and turn (radians, from east towards north) of the image with
/// respect to the sky.
pub type Shift = [f64; 3];

/// A spaxel.
#[derive(Clone, Copy, Debug)]
pub struct Pixel {
    /// Place, arcsec.
    pub at: [f64; 2],
    /// Value and its error, over the image's unit.
    pub value: f64,
    /// Standard error.
    pub error: f64,
    /// Row and column.
    pub place: [i32; 2],
}

/// How the residuals of a spaxel weigh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// Huber's.
    Huber,
    /// Tukey's.
    Tukey,
}

/// An image in the fit.
pub struct Scene {
    /// The body.
    pub disc: Disc,
    /// Valid spaxels.
    pub pixels: Vec<Pixel>,
    /// Standard deviation of the PSF, arcsec.
    pub sigma: f64,
    /// Middle and half size of the field, arcsec.
    pub field: ([f64; 2], f64),
    /// Side of a spaxel, arcsec.
    pub side: f64,
    rings: Option<[f64; 2]>,
    priors: Priors,
    maps: Maps,
    terms: Vec<Term>,
    /// Coefficients of sky and terms.
    pub coefficients: Vec<f64>,
    /// Error of the model relative to its value, and factor of the errors where the model is faint.
    pub floor: f64,
    /// See `floor`.
    pub factor: f64,
}

/// Normal equations of an image about a shift, its own terms eliminated.
#[derive(Clone)]
pub struct Normal {
    /// Information on the shift.
    pub information: [[f64; 3]; 3],
    /// Gradient.
    pub gradient: [f64; 3],
    /// Coefficients where the shift stays, and how they change with it.
    solved: Vec<f64>,
    response: [Vec<f64>; 3],
    /// Share of each coefficient that the data determine.
    determined: Vec<f64>,
}

/// A spaxel in the model: value, standard deviation in use, model, and the weight.
pub struct Residual {
    /// (value - model) / standard deviation.
    pub pull: f64,
    /// Weight, 0 to 1.
    pub weight: f64,
    /// The model.
    pub model: f64,
    /// Standard deviation in use.
    pub deviation: f64,
    /// Whether the disc gives a fifth of its brightest here.
    pub bright: bool,
}

impl Scene {
    /// An image's valid spaxels; `Err` says why there is nothing to fit.
    pub fn new(image: &Image, options: &Options) -> Result<Self, Refusal> {
        let disc = Disc::new(&image.aspect, options.altitude);
        if !(disc.radius.is_finite() && disc.radius > 0.0 && disc.phase.is_finite()) {
            return Err(Refusal::Geometry);
        }
        if !(image.fwhm.is_finite() && image.fwhm > 0.0) {
            return Err(Refusal::Psf);
        }
        let columns = image.columns.max(1);
        let mut pixels: Vec<Pixel> = (0..image
            .value
            .len()
            .min(image.error.len())
            .min(image.x.len())
            .min(image.y.len()))
            .filter(|&i| {
                image.value[i].is_finite()
                    && image.error[i].is_finite()
                    && image.error[i] > 0.0
                    && image.x[i].is_finite()
                    && image.y[i].is_finite()
            })
            .map(|i| Pixel {
                at: [image.x[i], image.y[i]],
                value: image.value[i],
                error: image.error[i],
                place: [(i / columns) as i32, (i % columns) as i32],
            })
            .collect();
        if pixels.len() < LEAST {
            return Err(Refusal::Empty(pixels.len()));
        }
        let mut values: Vec<f64> = pixels.iter().map(|p| p.value).collect();
        let faint = quantile(&mut values, 0.05);
        // of a small body, only few spaxels are bright
        let top = quantile(&mut values, 1.0 - 6.0 / pixels.len() as f64);
        let unit = top - faint;
        if !(unit.is_finite() && unit > 0.0) {
            return Err(Refusal::Uniform);
        }
        for p in &mut pixels {
            p.value /= unit;
            p.error /= unit;
        }
        let range = |k: usize| {
            let low = pixels.iter().fold(f64::INFINITY, |m, p| m.min(p.at[k]));
            let high = pixels.iter().fold(f64::NEG_INFINITY, |m, p| m.max(p.at[k]));
            (0.5 * (low + high), 0.5 * (high - low))
        };
        let ((x, wide), (y, tall)) = (range(0), range(1));
        let largest = image.aspect.radii.iter().copied().fold(0.0, f64::max);
        let km = options.altitude_error.min(0.05 * largest);
        let grid = Grid::new(1.0, [0.0; 2], [0.0; 2]);
        Ok(Self {
            sigma: image.fwhm / FWHM,
            field: ([x, y], wide.max(tall)),
            side: side(&pixels).unwrap_or(0.5 * image.fwhm),
            rings: image.rings,
            priors: Priors {
                psf: options.psf_error,
                altitude: (km / largest).max(1e-6),
            },
            maps: Maps::new(grid, 0),
            terms: Vec::new(),
            coefficients: Vec::new(),
            floor: 0.0,
            factor: 1.0,
            disc,
            pixels,
        })
    }

    /// A grid on which the field stays while the shift moves up to `margin` arcsec from `shift`.
    fn grid(&self, shift: Shift, margin: f64) -> Grid {
        let step = self.sigma / 2.5;
        let ([x, y], half) = self.field;
        let (half, pad) = (half + margin, 6.0 * self.sigma);
        let turned = turn([x, y], shift);
        let spread = half * (1.0 + shift[2].abs());
        let body = self.disc.radius;
        let low = turned.map(|c| (c - spread - pad).clamp(-body - pad, body));
        let high = turned.map(|c| (c + spread + pad).clamp(-body, body + pad));
        Grid::new(step, low, high)
    }

    /// Prepares the laws of darkening only.
    pub fn prepare_plain(&mut self, shift: Shift, margin: f64) {
        let grid = self.grid(shift, margin);
        (self.maps, self.terms) = terms::plain(&self.disc, grid, self.sigma);
        self.coefficients = vec![0.0; SKY + self.terms.len()];
    }

    /// Prepares all terms, after a fit with [`Scene::prepare_plain`].
    pub fn prepare_full(&mut self, shift: Shift, margin: f64) {
        let grid = self.grid(shift, margin);
        let laws = self
            .terms
            .iter()
            .filter(|t| t.family == Family::Darkening)
            .count();
        let kept = self.coefficients[..SKY + laws].to_vec();
        (self.maps, self.terms) =
            terms::full(&self.disc, grid, self.sigma, &kept[SKY..], self.priors);
        self.coefficients = kept;
        self.coefficients.resize(SKY + self.terms.len(), 0.0);
    }

    /// Errors of the PSF anew from the body as it was fitted, belts and all.
    pub fn renew_optics(&mut self) {
        let mut sharp = self.coefficients[SKY..].to_vec();
        for (c, term) in sharp.iter_mut().zip(&self.terms) {
            if matches!(term.family, Family::Optics | Family::Altitude) {
                *c = 0.0;
            }
        }
        let image = self.maps.combined(&sharp);
        terms::optics(&mut self.maps, &image, self.sigma);
    }

    /// Takes away spaxels that rings may be in, or their shadow.
    pub fn mask_rings(&mut self, shift: Shift, margin: f64) {
        let Some(between) = self.rings else { return };
        let reach = margin + self.sigma * FWHM;
        let disc = self.disc.clone();
        self.pixels.retain(|p| {
            let [x, y] = turn(p.at, shift);
            !(0..9).any(|k| {
                let (dx, dy) = (f64::from(k % 3) - 1.0, f64::from(k / 3) - 1.0);
                disc.rings(x + dx * reach, y + dy * reach, between)
            })
        });
    }

    fn sky(&self, at: [f64; 2]) -> [f64; SKY] {
        let (middle, half) = self.field;
        [1.0, (at[0] - middle[0]) / half, (at[1] - middle[1]) / half]
    }

    fn prior(&self, k: usize) -> f64 {
        match k {
            0 => 10.0,
            k if k < SKY => 0.1,
            k => self.terms[k - SKY].prior,
        }
    }

    /// Model and disc alone at every spaxel.
    fn models(&self, shift: Shift) -> Vec<(f64, f64)> {
        let total = self.maps.combined(&self.coefficients[SKY..]);
        self.pixels
            .iter()
            .map(|p| {
                let [x, y] = turn(p.at, shift);
                let mut disc = [0.0];
                total.read(x, y, &mut disc);
                let sky = self.sky(p.at);
                let sky: f64 = (0..SKY).map(|k| sky[k] * self.coefficients[k]).sum();
                (disc[0] + sky, disc[0])
            })
            .collect()
    }

    /// Residuals with the coefficients as they are.
    pub fn residuals(&self, shift: Shift, weights: Weights) -> Vec<Residual> {
        let models = self.models(shift);
        let brightest = models.iter().fold(0.0f64, |m, v| m.max(v.1));
        self.pixels
            .iter()
            .zip(models)
            .map(|(p, (model, disc))| {
                let bright = disc > 0.2 * brightest;
                let factor = self.factor * p.error;
                let deviation = libm::hypot(factor, self.floor * disc);
                let pull = (p.value - model) / deviation;
                Residual {
                    pull,
                    weight: weight(pull, weights),
                    model,
                    deviation,
                    bright,
                }
            })
            .collect()
    }

    /// Normal equations about a shift, with weights after the present residuals.
    pub fn normal(&self, shift: Shift, weights: &[Residual]) -> Option<Normal> {
        let count = SKY + self.terms.len();
        let total = self.maps.combined(&self.coefficients[SKY..]);
        let n = count + 4;
        let mut sums = vec![0.0; n * n];
        let mut row = vec![0.0; n];
        for (p, r) in self.pixels.iter().zip(weights) {
            if r.weight <= 0.0 {
                continue;
            }
            self.row(p, shift, &total, &mut row);
            // the disc's change with the shift is taken about the present shift
            accumulate(&mut sums, &row, r.weight / (r.deviation * r.deviation));
        }
        let at = |i: usize, j: usize| sums[i.max(j) * n + i.min(j)];
        let mut own = vec![0.0; count * count];
        for i in 0..count {
            for j in 0..count {
                own[i * count + j] = at(i, j);
            }
            let sd = self.prior(i);
            own[i * count + i] += 1.0 / (sd * sd);
        }
        let factor = Cholesky::new(count, &own)?;
        let value = n - 1;
        let mut solved: Vec<f64> = (0..count).map(|i| at(i, value)).collect();
        factor.solve(&mut solved);
        let response: [Vec<f64>; 3] = std::array::from_fn(|g| {
            let mut column: Vec<f64> = (0..count).map(|i| at(i, count + g)).collect();
            factor.solve(&mut column);
            column
        });
        let mut information = [[0.0; 3]; 3];
        let mut gradient = [0.0; 3];
        for g in 0..3 {
            for h in 0..3 {
                let through: f64 = (0..count).map(|i| at(i, count + g) * response[h][i]).sum();
                information[g][h] = at(count + g, count + h) - through;
            }
            let through: f64 = (0..count).map(|i| at(i, count + g) * solved[i]).sum();
            gradient[g] = at(count + g, value) - through;
        }
        let inverse = factor.inverse();
        let determined = (0..count)
            .map(|i| {
                let sd = self.prior(i);
                (1.0 - inverse[i * count + i] / (sd * sd)).clamp(0.0, 1.0)
            })
            .collect();
        Some(Normal {
            information,
            gradient,
            solved,
            response,
            determined,
        })
    }

    /// Sky, terms, the slopes with the shift, and the value, of a spaxel.
    fn row(&self, p: &Pixel, shift: Shift, total: &Maps, row: &mut [f64]) {
        let count = SKY + self.terms.len();
        row.fill(0.0);
        row[..SKY].copy_from_slice(&self.sky(p.at));
        let [u, v] = turn(p.at, shift);
        self.maps.read(u, v, &mut row[SKY..count]);
        let [_, du, dv] = total.slopes(u, v);
        let (s, c) = (libm::sin(shift[2]), libm::cos(shift[2]));
        row[count] = -(du * c - dv * s);
        row[count + 1] = -(du * s + dv * c);
        row[count + 2] = du * v - dv * u;
        row[count + 3] = p.value;
    }

    /// The gradient of every spaxel's pull with the shift, its own terms taken out: the shift moves by
    /// information^-1 times the sum of these times the pulls.
    pub fn influences(&self, shift: Shift, weights: &[Residual], normal: &Normal) -> Vec<[f64; 3]> {
        let count = SKY + self.terms.len();
        let total = self.maps.combined(&self.coefficients[SKY..]);
        let mut row = vec![0.0; count + 4];
        self.pixels
            .iter()
            .zip(weights)
            .map(|(p, r)| {
                self.row(p, shift, &total, &mut row);
                std::array::from_fn(|g| {
                    let through: f64 = row[..count]
                        .iter()
                        .zip(&normal.response[g])
                        .map(|(a, b)| a * b)
                        .sum();
                    (row[count + g] - through) * r.weight / r.deviation
                })
            })
            .collect()
    }

    /// Takes the coefficients that belong to a step of the shift.
    pub fn take(&mut self, normal: &Normal, step: [f64; 3]) {
        for (i, c) in self.coefficients.iter_mut().enumerate() {
            let change: f64 = (0..3).map(|g| normal.response[g][i] * step[g]).sum();
            *c = normal.solved[i] - change;
        }
    }

    /// Prior widths of structure from what was found of it (the evidence of the data; MacKay 1992,
    /// doi:10.1162/neco.1992.4.3.415).
    pub fn learn_structure(&mut self, normal: &Normal) {
        for (family, least) in [
            (Family::Zones, STRUCTURE[0]),
            (Family::Patches, STRUCTURE[1]),
        ] {
            let (mut squares, mut known) = (0.0, 0.0);
            for (k, term) in self.terms.iter().enumerate() {
                if term.family == family {
                    squares += self.coefficients[SKY + k] * self.coefficients[SKY + k];
                    known += normal.determined[SKY + k];
                }
            }
            if known < 1.0 {
                continue;
            }
            let width = (squares / known).sqrt().clamp(least, STRUCTURE[2]);
            for term in self.terms.iter_mut().filter(|t| t.family == family) {
                // half way, so that it settles
                term.prior = (term.prior * width).sqrt();
            }
        }
    }

    /// Errors that agree with the scatter of the residuals: a factor (1 at least) where the disc is faint, a share of the
    /// model's brightness where it is bright.
    pub fn learn_noise(&mut self, shift: Shift, normal: &Normal) {
        let used: f64 = normal.determined.iter().sum();
        let n = self.pixels.len() as f64;
        let free = ((n - used) / n).max(0.2).sqrt();
        let residuals = self.residuals(shift, Weights::Tukey);
        let scatter = |v: &mut Vec<f64>| 1.4826 * quantile(v, 0.5) / free;
        let mut dark: Vec<f64> = self
            .pixels
            .iter()
            .zip(&residuals)
            .filter(|(_, r)| !r.bright)
            .map(|(p, r)| ((p.value - r.model) / p.error).abs())
            .collect();
        if dark.len() > 30 {
            self.factor = scatter(&mut dark).max(1.0);
        }
        let bright: Vec<(f64, f64, f64)> = self
            .pixels
            .iter()
            .zip(&residuals)
            .zip(self.models(shift))
            .filter(|((_, r), _)| r.bright)
            .map(|((p, r), (_, disc))| (p.value - r.model, p.error, disc))
            .collect();
        if bright.len() < 15 {
            return;
        }
        let pulls = |floor: f64| {
            let mut v: Vec<f64> = bright
                .iter()
                .map(|(r, e, m)| (r / libm::hypot(self.factor * e, floor * m)).abs())
                .collect();
            scatter(&mut v)
        };
        let (mut low, mut high) = (FLOOR, 1.0);
        if pulls(FLOOR) <= 1.0 {
            self.floor = FLOOR;
            return;
        }
        for _ in 0..30 {
            let middle = 0.5 * (low + high);
            if pulls(middle) > 1.0 {
                low = middle;
            } else {
                high = middle;
            }
        }
        self.floor = high;
    }

    /// Minus twice the logarithm of the probability of the data at a shift, whatever the terms are, but for a constant:
    /// what remains of the data after the best terms, what the priors say to these, and the volume that they have.
    pub fn surprise(&self, shift: Shift, weights: &[Residual]) -> Option<f64> {
        let count = SKY + self.terms.len();
        let n = count + 1;
        let mut sums = vec![0.0; n * n];
        let mut row = vec![0.0; n];
        for (p, r) in self.pixels.iter().zip(weights) {
            if r.weight <= 0.0 {
                continue;
            }
            row.fill(0.0);
            row[..SKY].copy_from_slice(&self.sky(p.at));
            let [u, v] = turn(p.at, shift);
            self.maps.read(u, v, &mut row[SKY..count]);
            row[count] = p.value;
            accumulate(&mut sums, &row, r.weight / (r.deviation * r.deviation));
        }
        let mut own = vec![0.0; count * count];
        for i in 0..count {
            own[i * count..=i * count + i].copy_from_slice(&sums[i * n..=i * n + i]);
            let sd = self.prior(i);
            own[i * count + i] += 1.0 / (sd * sd);
        }
        let factor = Cholesky::new(count, &own)?;
        let right = &sums[count * n..count * n + count];
        let mut solved = right.to_vec();
        factor.solve(&mut solved);
        let explained: f64 = right.iter().zip(&solved).map(|(a, b)| a * b).sum();
        Some(sums[n * n - 1] - explained + factor.log_determinant())
    }

    /// Number of parameters that the data determine.
    pub fn freedom(normal: &Normal) -> f64 {
        normal.determined.iter().sum()
    }

    /// Maps of the terms.
    pub fn maps(&self) -> &Maps {
        &self.maps
    }

    /// Whether no coefficient was fitted yet.
    pub fn untouched(&self) -> bool {
        self.coefficients.iter().all(|c| *c == 0.0)
    }

    /// Whether a place about the body may be in the rings, or in their shadow.
    pub fn in_rings(&self, at: [f64; 2]) -> bool {
        let reach = self.sigma * FWHM;
        self.rings.is_some_and(|between| {
            (0..5).any(|k| {
                let (dx, dy) = [(0.0, 0.0), (1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)][k];
                self.disc
                    .rings(at[0] + dx * reach, at[1] + dy * reach, between)
            })
        })
    }
}

/// Distance of spaxels that follow each other in a row.
fn side(pixels: &[Pixel]) -> Option<f64> {
    let mut gaps: Vec<f64> = pixels
        .windows(2)
        .filter(|w| w[1].place == [w[0].place[0], w[0].place[1] + 1])
        .map(|w| libm::hypot(w[1].at[0] - w[0].at[0], w[1].at[1] - w[0].at[1]))
        .collect();
    Some(quantile(&mut gaps, 0.5)).filter(|s| s.is_finite() && *s > 0.0)
}

/// Coordinates about the body, of a place in an image.
pub fn turn(at: [f64; 2], shift: Shift) -> [f64; 2] {
    let (x, y) = (at[0] - shift[0], at[1] - shift[1]);
    let (s, c) = (libm::sin(shift[2]), libm::cos(shift[2]));
    [c * x + s * y, c * y - s * x]
}

/// Adds the products of a row's values to the lower half of a square matrix.
fn accumulate(sums: &mut [f64], row: &[f64], weight: f64) {
    for (i, (line, v)) in sums.chunks_exact_mut(row.len()).zip(row).enumerate() {
        let v = weight * v;
        if v != 0.0 {
            for (s, b) in line[..=i].iter_mut().zip(row) {
                *s += v * b;
            }
        }
    }
}

fn weight(pull: f64, weights: Weights) -> f64 {
    let a = pull.abs();
    match weights {
        Weights::Huber if a <= 1.5 => 1.0,
        Weights::Huber => 1.5 / a,
        Weights::Tukey if a < TUKEY => {
            let t = 1.0 - (a / TUKEY) * (a / TUKEY);
            t * t
        }
        Weights::Tukey => 0.0,
    }
}
