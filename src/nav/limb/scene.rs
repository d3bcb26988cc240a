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
/// Prior widths of belts and of patches that are equally likely.
const WIDTHS: [[f64; 3]; 2] = [[0.05, 0.12, 0.3], [0.03, 0.09, 0.3]];
/// Chi-squared by which a width is worse than another and need not be looked at.
const UNLIKELY: f64 = 12.0;
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
    /// The image's unit of values.
    pub unit: f64,
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
    factor: Cholesky,
    /// Prior information on each coefficient.
    prior: Vec<f64>,
}

impl Normal {
    /// Share of each coefficient that the data determine.
    fn determined(&self) -> Vec<f64> {
        let inverse = self.factor.inverse_diagonal();
        let both = inverse.iter().zip(&self.prior);
        both.map(|(v, p)| (1.0 - v * p).clamp(0.0, 1.0)).collect()
    }
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
            unit,
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
        let darkening = self.of(Family::Darkening);
        let known = terms::Known {
            darkening: &darkening,
            structure: [&[], &[]],
        };
        (self.maps, self.terms) = terms::full(&self.disc, grid, self.sigma, known, self.priors);
        let mut coefficients = self.coefficients[..SKY].to_vec();
        coefficients.extend(darkening);
        let rest = self.terms.get(coefficients.len() - SKY..).unwrap_or(&[]);
        coefficients.extend(rest.iter().map(|t| t.family.mean()));
        self.coefficients = coefficients;
    }

    /// Products of darkening and structure to first order about what they were found to be, after [`Scene::prepare_full`].
    pub fn renew_products(&mut self) {
        let [darkening, zones, patches] =
            [Family::Darkening, Family::Zones, Family::Patches].map(|f| self.of(f));
        let known = terms::Known {
            darkening: &darkening,
            structure: [&zones, &patches],
        };
        let widths: Vec<f64> = self.terms.iter().map(|t| t.prior).collect();
        (self.maps, self.terms) =
            terms::full(&self.disc, self.maps.grid, self.sigma, known, self.priors);
        // what was learned stays
        for (term, prior) in self.terms.iter_mut().zip(widths) {
            term.prior = prior;
        }
        self.renew_optics();
    }

    /// Coefficients of a family.
    fn of(&self, family: Family) -> Vec<f64> {
        let all = self.terms.iter().zip(self.coefficients.iter().skip(SKY));
        all.filter(|(t, _)| t.family == family)
            .map(|(_, c)| *c)
            .collect()
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

    /// What the prior's mean adds to the normal equations of a coefficient.
    fn pull(&self, k: usize) -> f64 {
        let sd = self.prior(k);
        let mean = k
            .checked_sub(SKY)
            .map_or(0.0, |k| self.terms[k].family.mean());
        mean / (sd * sd)
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
        let mut products = Products::new(n);
        let mut row = vec![0.0; n];
        for (p, r) in self.pixels.iter().zip(weights) {
            if r.weight <= 0.0 {
                continue;
            }
            self.row(p, shift, &total, &mut row);
            // the disc's change with the shift is taken about the present shift
            products.add(&row, r.weight / (r.deviation * r.deviation));
        }
        let sums = products.finish();
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
        let mut solved: Vec<f64> = (0..count).map(|i| at(i, value) + self.pull(i)).collect();
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
        let prior = (0..count)
            .map(|i| 1.0 / (self.prior(i) * self.prior(i)))
            .collect();
        Some(Normal {
            information,
            gradient,
            solved,
            response,
            factor,
            prior,
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
        let determined = normal.determined();
        for (family, least) in [
            (Family::Zones, STRUCTURE[0]),
            (Family::Patches, STRUCTURE[1]),
        ] {
            let (mut squares, mut known) = (0.0, 0.0);
            for (k, term) in self.terms.iter().enumerate() {
                if term.family == family {
                    squares += self.coefficients[SKY + k] * self.coefficients[SKY + k];
                    known += determined[SKY + k];
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
        let used: f64 = normal.determined().iter().sum();
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
    /// what remains of the data after the best terms, what the priors say to these, and the volume that they have. How wide the
    /// priors of structure (zones, patches) are is not known either: the mean over some.
    pub fn surprise(&self, shift: Shift, weights: &[Residual], widths: &[[f64; 2]]) -> Option<f64> {
        let sums = self.products(shift, weights);
        let found: Vec<f64> = widths
            .iter()
            .map(|widths| self.given(&sums, *widths))
            .collect::<Option<_>>()?;
        let least = found.iter().copied().fold(f64::INFINITY, f64::min);
        let sum: f64 = found.iter().map(|e| libm::exp(0.5 * (least - e))).sum();
        Some(least - 2.0 * libm::log(sum))
    }

    /// Of [`WIDTHS`], those that the data at a shift do not speak against.
    pub fn likely_widths(&self, shift: Shift, weights: &[Residual]) -> Option<Vec<[f64; 2]>> {
        let sums = self.products(shift, weights);
        let all = WIDTHS[0]
            .iter()
            .flat_map(|zones| WIDTHS[1].iter().map(move |patches| [*zones, *patches]));
        let found: Vec<([f64; 2], f64)> = all
            .map(|widths| Some((widths, self.given(&sums, widths)?)))
            .collect::<Option<_>>()?;
        let least = found.iter().fold(f64::INFINITY, |m, f| m.min(f.1));
        let kept = found.into_iter().filter(|f| f.1 < least + UNLIKELY);
        Some(kept.map(|f| f.0).collect())
    }

    /// Sums of the products of terms and value over the spaxels.
    fn products(&self, shift: Shift, weights: &[Residual]) -> Vec<f64> {
        let count = SKY + self.terms.len();
        let mut products = Products::new(count + 1);
        let mut row = vec![0.0; count + 1];
        for (p, r) in self.pixels.iter().zip(weights) {
            if r.weight <= 0.0 {
                continue;
            }
            row.fill(0.0);
            row[..SKY].copy_from_slice(&self.sky(p.at));
            let [u, v] = turn(p.at, shift);
            self.maps.read(u, v, &mut row[SKY..count]);
            row[count] = p.value;
            products.add(&row, r.weight / (r.deviation * r.deviation));
        }
        products.finish()
    }

    /// The same with given prior widths of zones and of patches, from the sums of the products of terms and value.
    fn given(&self, sums: &[f64], widths: [f64; 2]) -> Option<f64> {
        let count = SKY + self.terms.len();
        let n = count + 1;
        let mut own = vec![0.0; count * count];
        let mut volume = 0.0;
        for i in 0..count {
            own[i * count..=i * count + i].copy_from_slice(&sums[i * n..=i * n + i]);
            let family = i.checked_sub(SKY).map(|k| self.terms[k].family);
            let sd = match family {
                Some(Family::Zones) => widths[0],
                Some(Family::Patches) => widths[1],
                _ => self.prior(i),
            };
            own[i * count + i] += 1.0 / (sd * sd);
            volume += 2.0 * libm::log(sd);
        }
        let factor = Cholesky::new(count, &own)?;
        let products = &sums[count * n..count * n + count];
        let right: Vec<f64> = products
            .iter()
            .enumerate()
            .map(|(i, v)| v + self.pull(i))
            .collect();
        let mut solved = right.clone();
        factor.solve(&mut solved);
        let explained: f64 = right.iter().zip(&solved).map(|(a, b)| a * b).sum();
        Some(sums[n * n - 1] - explained + factor.log_determinant() + volume)
    }

    /// Number of parameters that the data determine.
    pub fn freedom(normal: &Normal) -> f64 {
        normal.determined().iter().sum()
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

/// [`turn`] undone.
pub fn turn_back([x, y]: [f64; 2], shift: Shift) -> [f64; 2] {
    let (s, c) = (libm::sin(shift[2]), libm::cos(shift[2]));
    [c * x - s * y + shift[0], s * x + c * y + shift[1]]
}

/// Sums of products of rows' values, the lower half of a square matrix.
struct Products {
    sums: Vec<f64>,
    /// Rows that wait, each with the root of its weight, and how many.
    rows: Vec<f64>,
    waiting: usize,
    n: usize,
}

/// Rows that are added at once.
const BATCH: usize = 4;

impl Products {
    fn new(n: usize) -> Self {
        Self {
            sums: vec![0.0; n * n],
            rows: vec![0.0; n * BATCH],
            waiting: 0,
            n,
        }
    }

    fn add(&mut self, row: &[f64], weight: f64) {
        let root = weight.sqrt();
        let from = self.waiting * self.n;
        for (to, v) in self.rows[from..from + self.n].iter_mut().zip(row) {
            *to = root * v;
        }
        self.waiting += 1;
        if self.waiting == BATCH {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.rows[self.waiting * self.n..].fill(0.0);
        self.waiting = 0;
        let (a, rest) = self.rows.split_at(self.n);
        let (b, rest) = rest.split_at(self.n);
        let (c, d) = rest.split_at(self.n);
        for (i, line) in self.sums.chunks_exact_mut(self.n).enumerate() {
            let [p, q, r, s] = [a[i], b[i], c[i], d[i]];
            if p == 0.0 && q == 0.0 && r == 0.0 && s == 0.0 {
                continue;
            }
            let four = a.iter().zip(b).zip(c.iter().zip(d));
            for (to, ((a, b), (c, d))) in line[..=i].iter_mut().zip(four) {
                *to += p * a + q * b + (r * c + s * d);
            }
        }
    }

    fn finish(mut self) -> Vec<f64> {
        self.flush();
        self.sums
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
