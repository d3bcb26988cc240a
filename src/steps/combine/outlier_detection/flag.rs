//! From the smallest differences to the pixels that are flagged.

use super::differences::{Size, differences, smallest};
use crate::exec::Exec;
use crate::math::median::median_f64;
use crate::math::median_filter::nan_median_rows;
use crate::math::quantile::quantile;
use crate::model::{Cal, dq};

/// Pixels at the edges that the percentile leaves out.
const BORDER: usize = 4;

/// What the exposures of a detector show, `[row][column]`.
#[derive(Debug)]
pub struct Found {
    /// Smallest differences, in the unit of the data.
    pub smallest: Vec<f64>,
    /// What they are divided by.
    pub local: Vec<f64>,
    /// Their ratio.
    pub ratio: Vec<f64>,
    /// Ratio above which pixels are outliers; NaN where there is nothing to judge.
    pub limit: f64,
}

/// Works on the rows of an image in strips; the values of all rows in order.
fn by_strips(
    ny: usize,
    exec: &Exec,
    f: impl Fn(std::ops::Range<usize>) -> Vec<f64> + Sync + Send,
) -> Vec<f64> {
    let step = exec.strip_rows(ny);
    let strips = (0..ny).step_by(step).map(|y| y..(y + step).min(ny));
    exec.map(strips.collect(), f).concat()
}

/// Judges the exposures of a detector: `kernel` rows and columns of the median, `fraction` of pixels that
/// are no outliers.
pub fn find(
    group: &[&mut Cal],
    size: Size,
    kernel: (usize, usize),
    fraction: f64,
    exec: &Exec,
) -> Found {
    let Size { ny, nx, .. } = size;
    let smallest = by_strips(ny, exec, |rows| smallest(group, size, rows));
    let (mut local, floor) = exec.join(
        || {
            by_strips(ny, exec, |rows| {
                nan_median_rows(&smallest, nx, rows, kernel.0, kernel.1, 0.0)
            })
        },
        || {
            let mut valid: Vec<f64> = smallest.iter().copied().filter(|v| !v.is_nan()).collect();
            median_f64(&mut valid) / 3.0
        },
    );
    for v in &mut local {
        if *v < floor {
            *v = floor;
        }
    }
    let ratio: Vec<f64> = smallest.iter().zip(&local).map(|(s, l)| s / l).collect();
    let rows = BORDER..ny.saturating_sub(BORDER).max(BORDER);
    let columns = BORDER..nx.saturating_sub(BORDER).max(BORDER);
    let mut inner: Vec<f64> = rows
        .flat_map(|y| columns.clone().map(move |x| y * nx + x))
        .filter_map(|p| ratio.get(p).copied().filter(|v| !v.is_nan()))
        .collect();
    let limit = quantile(&mut inner, fraction);
    Found {
        smallest,
        local,
        ratio,
        limit,
    }
}

/// The differences of every exposure for itself.
pub fn each_exposure(group: &[&mut Cal], size: Size, exec: &Exec) -> Vec<Vec<f64>> {
    group
        .iter()
        .map(|cal| by_strips(size.ny, exec, |rows| differences(cal, size, rows)))
        .collect()
}

/// Flags what was found in one exposure; `second` also flags pixels without a difference.
pub fn flag(cal: &mut Cal, found: &Found, second: bool) {
    for (p, (ratio, smallest)) in found.ratio.iter().zip(&found.smallest).enumerate() {
        if *ratio > found.limit || second && smallest.is_nan() {
            cal.sci[p] = f32::NAN;
            cal.dq[p] |= dq::DO_NOT_USE | dq::OUTLIER;
        }
    }
    cal.match_nans_and_flags();
}
