//! The brightest point source of a cube, found in its median over the wavelengths as photutils 3.0 finds it with
//! `DAOStarFinder` (Stetson 1987, PASP 99, 191): FWHM 3 pixels, threshold 3 standard deviations.

use super::clip::Clipped;
use crate::math::median::median_f32;
use crate::math::pairwise_sum::pairwise_sum;
use crate::model::Cube;

/// Wavelength in micron from which on planes are not used: little light passes.
const LONGEST: f64 = 26.0;
/// FWHM of a source, pixels.
const FWHM: f64 = 3.0;
/// Side of the kernel and of the cutouts.
const SIDE: usize = 5;
const HALF: isize = (SIDE / 2) as isize;
/// Pixels of the kernel's disc, those not more than 2 pixels from its centre.
const DISC: usize = 13;
/// Least distance of two sources, pixels.
const SEPARATION: f64 = 2.5 * FWHM;
/// A source's sharpness, and its roundness by symmetry and by fits.
const SHARPNESS: std::ops::RangeInclusive<f64> = 0.2..=1.0;
const ROUNDNESS: std::ops::RangeInclusive<f64> = -1.0..=1.0;

type Square = [[f64; SIDE]; SIDE];

/// Column and row of the brightest source; none where there is no source. `waves` are those of the planes, micron.
pub fn brightest(cube: &Cube, waves: &[f64]) -> Option<(f64, f64)> {
    let image = Image::of(cube, waves);
    let kernel = Kernel::new();
    let smooth = image.convolved(&kernel.data);
    let threshold = f64::from(3.0 * image.deviation) * kernel.relative_error;
    let mut best: Option<(f32, (f64, f64))> = None;
    for (x, y) in smooth.peaks(threshold) {
        let star = Star {
            data: image.cutout(x, y),
            smooth: smooth.cutout(x, y),
        };
        let Some((flux, dx, dy)) = star.measure(&kernel) else {
            continue;
        };
        if best.is_none_or(|(most, _)| flux > most) {
            best = Some((flux, (x as f64 + dx, y as f64 + dy)));
        }
    }
    best.map(|(_, at)| at)
}

/// An image, zero outside.
struct Image {
    ny: usize,
    nx: usize,
    values: Vec<f32>,
    /// Standard deviation of the background.
    deviation: f32,
}

impl Image {
    /// The median over the wavelengths less that of the image; zero where there are no data.
    fn of(cube: &Cube, waves: &[f64]) -> Self {
        let (ny, nx) = (cube.ny, cube.nx);
        let used: Vec<usize> = (0..cube.nz).filter(|k| waves[*k] < LONGEST).collect();
        let median = |p: usize| {
            let mut values: Vec<f32> = used
                .iter()
                .map(|k| cube.sci[k * ny * nx + p])
                .filter(|v| v.is_finite())
                .collect();
            median_f32(&mut values)
        };
        let medians: Vec<f32> = (0..ny * nx).map(median).collect();
        let clipped = Clipped::new(&medians, 3.0);
        let level = clipped.median();
        Self {
            ny,
            nx,
            deviation: clipped.mean_and_deviation().1,
            values: medians
                .iter()
                .map(|v| if v.is_nan() { 0.0 } else { v - level })
                .collect(),
        }
    }

    fn at(&self, x: isize, y: isize) -> f32 {
        let inside = (0..self.nx as isize).contains(&x) && (0..self.ny as isize).contains(&y);
        if inside {
            self.values[y as usize * self.nx + x as usize]
        } else {
            0.0
        }
    }

    fn convolved(&self, kernel: &Square) -> Self {
        let one = |p: usize| {
            let (x, y) = ((p % self.nx) as isize, (p / self.nx) as isize);
            let mut sum = 0.0;
            for (j, row) in kernel.iter().enumerate() {
                for (i, k) in row.iter().enumerate().filter(|(_, k)| **k != 0.0) {
                    sum += k * f64::from(self.at(x + i as isize - HALF, y + j as isize - HALF));
                }
            }
            sum as f32
        };
        Self {
            ny: self.ny,
            nx: self.nx,
            deviation: self.deviation,
            values: (0..self.values.len()).map(one).collect(),
        }
    }

    fn cutout(&self, x: usize, y: usize) -> [[f32; SIDE]; SIDE] {
        std::array::from_fn(|j| {
            std::array::from_fn(|i| {
                self.at(
                    x as isize + i as isize - HALF,
                    y as isize + j as isize - HALF,
                )
            })
        })
    }

    /// Pixels above the threshold that no pixel within the separation exceeds, row by row. The disc of pixels
    /// compared with has an even diameter, so that it reaches one pixel further to the left and below.
    fn peaks(&self, threshold: f64) -> Vec<(usize, usize)> {
        let first = self.values.first().copied().unwrap_or(0.0);
        if self.values.iter().all(|v| *v == first) {
            return Vec::new();
        }
        let reach = (SEPARATION + 0.5) as isize;
        let near: Vec<(isize, isize)> = (-reach..reach)
            .flat_map(|j| (-reach..reach).map(move |i| (i, j)))
            .filter(|(i, j)| {
                let (x, y) = (*i as f64 + 0.5, *j as f64 + 0.5);
                x * x + y * y <= SEPARATION * SEPARATION
            })
            .collect();
        let peak = |p: &usize| {
            let (x, y) = ((p % self.nx) as isize, (p / self.nx) as isize);
            let value = self.values[*p];
            f64::from(value) > threshold && near.iter().all(|(i, j)| self.at(x + i, y + j) <= value)
        };
        (0..self.values.len())
            .filter(peak)
            .map(|p| (p % self.nx, p / self.nx))
            .collect()
    }
}

/// The kernel: a Gaussian in a disc, less its mean.
struct Kernel {
    gauss: Square,
    data: Square,
    inside: [[bool; SIDE]; SIDE],
    sigma: f64,
    /// Relative error of a fit with it.
    relative_error: f64,
}

impl Kernel {
    fn new() -> Self {
        let sigma = FWHM / (2.0 * (2.0 * 2f64.ln()).sqrt());
        let a = 1.0 / (2.0 * (sigma * sigma));
        let offsets = |j: usize, i: usize| (i as f64 - HALF as f64, j as f64 - HALF as f64);
        let square = |f: &dyn Fn(usize, usize) -> f64| -> Square {
            std::array::from_fn(|j| std::array::from_fn(|i| f(j, i)))
        };
        let gauss = square(&|j, i| {
            let (x, y) = offsets(j, i);
            (-(a * (x * x) + a * (y * y))).exp()
        });
        let inside: [[bool; SIDE]; SIDE] = std::array::from_fn(|j| {
            std::array::from_fn(|i| {
                let (x, y) = offsets(j, i);
                x * x + y * y <= 4.0
            })
        });
        let masked = square(&|j, i| if inside[j][i] { gauss[j][i] } else { 0.0 });
        let sum = pairwise_sum(masked.as_flattened());
        let squares = pairwise_sum(square(&|j, i| masked[j][i] * masked[j][i]).as_flattened());
        let scale = squares - sum * sum / DISC as f64;
        let data = square(&|j, i| match inside[j][i] {
            true => (gauss[j][i] - sum / DISC as f64) / scale,
            false => 0.0,
        });
        Self {
            gauss,
            data,
            inside,
            sigma,
            relative_error: 1.0 / scale.sqrt(),
        }
    }
}

/// Weights of the rows and columns of a cutout in the fits of its marginal sums.
const TRIANGLE: [f64; SIDE] = [1.0, 2.0, 3.0, 2.0, 1.0];

/// What is around a peak.
struct Star {
    data: [[f32; SIDE]; SIDE],
    smooth: [[f32; SIDE]; SIDE],
}

impl Star {
    /// Flux and centroid (from the peak); none where it is no star.
    fn measure(&self, kernel: &Kernel) -> Option<(f32, f64, f64)> {
        let (x, y) = (
            fit(&self.data, kernel, Direction::X)?,
            fit(&self.data, kernel, Direction::Y)?,
        );
        let flux = pairwise_sum(self.data.as_flattened());
        let by_fit = 2.0 * (x.height - y.height) / (x.height + y.height);
        let symmetry = self.symmetry();
        let numbers = [x.shift, y.shift, x.height, y.height, f64::from(flux)];
        let star = numbers.iter().all(|v| v.is_finite())
            && SHARPNESS.contains(&self.sharpness(kernel))
            && ROUNDNESS.contains(&symmetry)
            && ROUNDNESS.contains(&by_fit);
        star.then_some((flux, x.shift, y.shift))
    }

    /// How much the peak stands out of its surroundings, in units of its height after smoothing.
    fn sharpness(&self, kernel: &Kernel) -> f64 {
        let half = SIDE / 2;
        let peak = f64::from(self.data[half][half]);
        let pixels = self.data.as_flattened().iter();
        let disc = pixels.zip(kernel.inside.as_flattened());
        let sum: f64 = disc.filter(|(_, k)| **k).map(|(v, _)| f64::from(*v)).sum();
        let mean = (sum - peak) / (DISC - 1) as f64;
        (peak - mean) / f64::from(self.smooth[half][half])
    }

    /// Ratio of twofold to fourfold symmetry about the peak: the quadrants' sums with alternating signs.
    fn symmetry(&self) -> f64 {
        let half = SIDE / 2;
        let sum = |rows: std::ops::Range<usize>, columns: std::ops::Range<usize>| -> f32 {
            let rows = self.smooth[rows].iter();
            rows.map(|row| row[columns.clone()].iter().sum::<f32>())
                .sum()
        };
        let twofold = -sum(0..half + 1, half + 1..SIDE) + sum(0..half, 0..half + 1)
            - sum(half..SIDE, 0..half)
            + sum(half + 1..SIDE, half..SIDE);
        let all = self.smooth.as_flattened().iter().map(|v| v.abs());
        let fourfold = all.sum::<f32>() - self.smooth[half][half].abs();
        f64::from(2.0 * twofold / fourfold)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    X,
    Y,
}

/// A Gaussian fitted to marginal sums.
struct Fit {
    shift: f64,
    height: f64,
}

/// Fits the kernel's marginal sums to those of the data, rows and columns weighted by triangles; none where the height
/// is not positive.
fn fit(data: &[[f32; SIDE]; SIDE], kernel: &Kernel, along: Direction) -> Option<Fit> {
    let marginal = |value: &dyn Fn(usize, usize) -> f64| -> [f64; SIDE] {
        std::array::from_fn(|m| {
            (0..SIDE).fold(0.0, |sum, n| {
                let (j, i) = match along {
                    Direction::X => (n, m),
                    Direction::Y => (m, n),
                };
                sum + value(j, i) * TRIANGLE[n]
            })
        })
    };
    let weighted = |f: &dyn Fn(usize) -> f64| -> f64 {
        (0..SIDE).fold(0.0, |sum, m| sum + f(m) * TRIANGLE[m])
    };
    let offset = |m: usize| HALF as f64 - m as f64;
    let model = marginal(&|j, i| kernel.gauss[j][i]);
    let slope: [f64; SIDE] = std::array::from_fn(|m| model[m] * offset(m));
    let weights: f64 = TRIANGLE.iter().sum();
    let k = weighted(&|m| model[m]);
    let kk = weighted(&|m| model[m] * model[m]);
    let s = weighted(&|m| slope[m]);
    let ss = weighted(&|m| slope[m] * slope[m]);
    let ks = weighted(&|m| model[m] * slope[m]);
    let sums = marginal(&|j, i| f64::from(data[j][i]));
    let d = weighted(&|m| sums[m]);
    let dk = weighted(&|m| sums[m] * model[m]);
    let ds = weighted(&|m| sums[m] * slope[m]);
    let dx = weighted(&|m| {
        let offset = match along {
            Direction::X => offset(m),
            Direction::Y => -offset(m),
        };
        sums[m] * offset
    });
    let above = dk - (d * k) / weights;
    let below = kk - (k * k / weights);
    if above <= 0.0 || below <= 0.0 {
        return None;
    }
    let height = above / below;
    let mut shift = (ks - (ds - s * d)) / (height * ss / (kernel.sigma * kernel.sigma));
    let most = SIDE as f64 / 2.0;
    if shift.abs() > most {
        shift = if d == 0.0 { 0.0 } else { dx / d };
        if shift.abs() > most {
            shift = 0.0;
        }
    }
    Some(Fit { shift, height })
}
