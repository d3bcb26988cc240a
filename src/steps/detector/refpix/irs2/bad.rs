//! Bad interleaved reference pixels: found by their statistics or named by the reference file, replaced by good neighbours.
//!
//! A reference pixel is bad as a whole row of the frame (a column of the detector): it is flagged, and replaced in all groups.

use crate::math::clipped_stats::{kept_f32, mean_f32};
use crate::math::moments::mean;
use crate::math::pairwise_sum::pairwise_sum;
use crate::model::irs2::{FRAME, NORMAL, OUTPUT, REFERENCE, SCIENCE};

/// Rows from one block of reference pixels to the next.
const PERIOD: usize = NORMAL + REFERENCE;

/// Pairs of reference rows: the first row of each, in all outputs.
pub fn pairs() -> impl Iterator<Item = usize> {
    (0..FRAME)
        .step_by(2)
        .filter(|row| is_reference(row % OUTPUT))
}

/// Whether a row of an output (the reference output among them) is one of interleaved reference pixels.
fn is_reference(row: usize) -> bool {
    (row + PERIOD - NORMAL / 2) % PERIOD < REFERENCE
}

/// Statistics of a pair of rows in one integration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Mean difference of the two rows.
    pub difference: f32,
    /// Mean of both.
    pub mean: f32,
    /// Standard deviation of both.
    pub deviation: f32,
}

impl Pair {
    /// Of the pair that starts with `row`, in the planes of the groups of an integration. Sums are formed in numpy's order:
    /// group by group for the mean, all at once for what numpy takes from a copy.
    pub fn of(groups: &[&[f32]], row: usize) -> Self {
        let at = |plane: &[f32]| plane[row * SCIENCE..(row + 2) * SCIENCE].to_vec();
        let rows: Vec<Vec<f32>> = groups.iter().map(|plane| at(plane)).collect();
        let differences: Vec<f32> = rows
            .iter()
            .flat_map(|r| {
                let (a, b) = r.split_at(SCIENCE);
                b.iter().zip(a).map(|(b, a)| (b - a).abs())
            })
            .collect();
        let count = (groups.len() * 2 * SCIENCE) as f32;
        let sum = rows.iter().fold(0.0, |sum, r| sum + pairwise_sum(r));
        let centre = sum / count;
        let squares: Vec<f32> = rows
            .iter()
            .flatten()
            .map(|v| (v - centre) * (v - centre))
            .collect();
        Self {
            difference: mean(&differences),
            mean: centre,
            deviation: (pairwise_sum(&squares) / count).sqrt(),
        }
    }
}

/// Adds to the flags of an output's rows those pairs whose statistics in an integration lie more than `sigma` clipped
/// standard deviations above the others'. `pairs` are the statistics of the output's pairs by their first rows; `before` are
/// the rows flagged before the output was looked at.
pub fn flag_outliers(pairs: &[(usize, Pair)], before: &[bool], sigma: f64, bad: &mut [bool]) {
    let good: Vec<&(usize, Pair)> = pairs
        .iter()
        .filter(|(row, _)| !before[*row] && !before[row + 1])
        .collect();
    let sigma = sigma as f32;
    for statistic in [
        |p: &Pair| p.difference,
        |p: &Pair| p.mean,
        |p: &Pair| p.deviation,
    ] {
        let values: Vec<f32> = good.iter().map(|(_, p)| statistic(p)).collect();
        let (centre, deviation) = mean_f32(
            &kept_f32(&values, (sigma, sigma), pairwise_sum),
            pairwise_sum,
        );
        for ((row, _), value) in good.iter().zip(values) {
            if value - centre > sigma * deviation {
                bad[*row] = true;
                bad[row + 1] = true;
            }
        }
    }
}

/// What a bad row is replaced by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The mean of two rows.
    Mean(usize, usize),
    /// Another row.
    Row(usize),
    /// Zero: the correction interpolates over it.
    Zero,
}

/// The replacement of a bad row by the rows of its output that are good: those one period before and after, else the next
/// pixel of its block.
pub fn source(row: usize, bad: &[bool]) -> Source {
    let output = row / OUTPUT * OUTPUT..(row / OUTPUT + 1) * OUTPUT;
    let good = |at: Option<usize>| at.filter(|r| output.contains(r) && !bad[*r]);
    let beside = |at: Option<usize>| good(at).filter(|r| is_reference(r % OUTPUT));
    let periods = (good(row.checked_sub(PERIOD)), good(Some(row + PERIOD)));
    match periods {
        (Some(a), Some(b)) => Source::Mean(a, b),
        (a, b) => match a
            .or(b)
            .or(beside(row.checked_sub(2)))
            .or(beside(Some(row + 2)))
        {
            Some(r) => Source::Row(r),
            None => Source::Zero,
        },
    }
}

/// Replaces rows of a plane, one after the other.
pub fn replace(plane: &mut [f32], replacements: &[(usize, Source)]) {
    let row = |r: usize| r * SCIENCE..(r + 1) * SCIENCE;
    for (bad, source) in replacements {
        match *source {
            Source::Mean(a, b) => {
                let (a, b) = (plane[row(a)].to_vec(), plane[row(b)].to_vec());
                let values = plane[row(*bad)].iter_mut().zip(a.iter().zip(b));
                values.for_each(|(v, (a, b))| *v = (a + b) / 2.0);
            }
            Source::Row(r) => plane.copy_within(row(r), bad * SCIENCE),
            Source::Zero => plane[row(*bad)].fill(0.0),
        }
    }
}

/// Columns of the detector with reference pixels that the reference file names, for each row of its table `DQ`: output (1 to
/// 4), parity (1, 2) and a mask with one bit for each block of the output.
pub fn named(entries: &[(usize, usize, u32)]) -> Vec<Vec<usize>> {
    let columns = |(output, parity, mask): &(usize, usize, u32)| {
        // every other output is read the other way round
        let parity = match output % 2 {
            0 => 3 - parity,
            _ => *parity,
        };
        let first = output * OUTPUT + NORMAL / 2 + 2 * (parity - 1);
        let blocks = (0..32).filter(|k| (mask >> k) & 1 != 0);
        blocks
            .flat_map(|k| [first + k * PERIOD, first + k * PERIOD + 1])
            .collect()
    };
    entries.iter().map(columns).collect()
}
