//! Frames of IRS2 as series in time: 2048 rows of the detector with 712 ticks of 10 us for each output.
//!
//! An output's row begins and ends with 8 science pixels; between them 32 blocks of 4 reference pixels lie among 16 science
//! pixels each, with a tick lost on the way to and from each block and 8 ticks at the end of the row. All outputs are read
//! at once; the outputs 0 (the reference output), 2 and 4 against the columns of the detector.

use std::ops::Range;

use crate::math::pairwise_sum::pairwise_sum;
use crate::model::irs2::{FRAME, NORMAL, OUTPUT, REFERENCE, SCIENCE};

/// Ticks of a row.
pub const TICKS: usize = 712;
/// Values of a series.
pub const LENGTH: usize = TICKS * SCIENCE;
/// Ticks from one block of reference pixels to the next.
pub const PERIOD: usize = NORMAL + REFERENCE + 2;
/// Ticks of a row in which pixels are read, in periods.
pub const PERIODS: usize = 32;
/// Science pixels of an output's row.
pub const WIDTH: usize = SCIENCE / 4;

/// Tick at which a pixel of an output is read; pixels are counted in the order of reading.
pub fn tick(pixel: usize) -> usize {
    let (block, within) = (pixel / (NORMAL + REFERENCE), pixel % (NORMAL + REFERENCE));
    let lost = match within {
        w if w < NORMAL / 2 => 0,
        w if w < NORMAL / 2 + REFERENCE => 1,
        _ => 2,
    };
    block * PERIOD + within + lost
}

/// Whether a pixel of an output, counted in the order of reading, is a science pixel.
pub fn is_science(pixel: usize) -> bool {
    let within = pixel % (NORMAL + REFERENCE);
    !(NORMAL / 2..NORMAL / 2 + REFERENCE).contains(&within)
}

/// Whether science pixels are read at a tick of a row.
pub fn science_ticks() -> Vec<bool> {
    let mut out = vec![false; TICKS];
    let pixels = (0..OUTPUT).filter(|p| is_science(*p));
    pixels.for_each(|p| out[tick(p)] = true);
    out
}

/// Where the pixels of an output lie in the frame: `[pixel in order of reading]` the row of the image, for the detector that
/// has its columns as rows, or as rows counted backwards.
pub fn frame_row(output: usize, pixel: usize, reversed: bool) -> usize {
    let column = output * OUTPUT
        + match output % 2 {
            0 => OUTPUT - 1 - pixel,
            _ => pixel,
        };
    match reversed {
        true => FRAME - 1 - column,
        false => column,
    }
}

/// Straight line through the values other than zero of the first and last four rows of a series, against time from its
/// middle: intercept and slope, in single precision as numpy takes it.
pub fn line_at_edges(value: impl Fn(usize, usize) -> f32) -> (f32, f32) {
    let rows = (0..4).chain(SCIENCE - 4..SCIENCE);
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for row in rows {
        for t in 0..TICKS {
            let v = value(row, t);
            if v != 0.0 {
                x.push(time(row * TICKS + t));
                y.push(v);
            }
        }
    }
    if x.is_empty() {
        return (0.0, 0.0);
    }
    let n = x.len() as f32;
    let (mean_x, mean_y) = (pairwise_sum(&x) / n, pairwise_sum(&y) / n);
    let products: Vec<f32> = x.iter().zip(&y).map(|(x, y)| x * y).collect();
    let squares: Vec<f32> = x.iter().map(|x| x * x).collect();
    let slope = (pairwise_sum(&products) - n * mean_x * mean_y)
        / (pairwise_sum(&squares) - n * (mean_x * mean_x));
    (mean_y - slope * mean_x, slope)
}

/// Time from the middle of a series, in ticks.
pub fn time(tick: usize) -> f32 {
    tick as f32 - (LENGTH - 1) as f32 / 2.0
}

/// Takes a straight line out of the values of a series that are not zero.
pub fn less_line(value: f32, tick: usize, (intercept, slope): (f32, f32)) -> f32 {
    let line = intercept + time(tick) * slope;
    match value != 0.0 {
        true => value - line,
        // what is finite times zero is zero
        false => value - line * 0.0,
    }
}

/// Rows of the detector, a few at a time: frames have them as columns, series one after the other, and so many of both stay in the
/// cache.
fn blocks() -> impl Iterator<Item = Range<usize>> {
    const ROWS: usize = 16;
    (0..SCIENCE / ROWS).map(|b| b * ROWS..(b + 1) * ROWS)
}

/// How the detector lies in the frame: as it is (NRS1), or turned by half a circle (NRS2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turned(pub bool);

impl Turned {
    /// Where the row of the frame that has a pixel of an output, in the order of reading, begins in a plane.
    fn line(self, output: usize, pixel: usize) -> usize {
        frame_row(output, pixel, self.0) * SCIENCE
    }

    /// The column of the frame that is a row of the detector.
    fn column(self, row: usize) -> usize {
        if self.0 { SCIENCE - 1 - row } else { row }
    }

    /// Series of `N` outputs of a plane, from output `first` on, without the straight line through their edges; zero where no
    /// pixel is read.
    pub fn series<const N: usize>(self, plane: &[f32], first: usize) -> Vec<[f32; N]> {
        let mut out = vec![[0f32; N]; LENGTH];
        for rows in blocks() {
            for pixel in 0..OUTPUT {
                let at = tick(pixel);
                let lines: [usize; N] = std::array::from_fn(|lane| self.line(first + lane, pixel));
                for row in rows.clone() {
                    let column = self.column(row);
                    out[row * TICKS + at] = lines.map(|line| plane[line + column]);
                }
            }
        }
        let lines: [(f32, f32); N] =
            std::array::from_fn(|lane| line_at_edges(|row, t| out[row * TICKS + t][lane]));
        for (t, values) in out.iter_mut().enumerate() {
            for (v, line) in values.iter_mut().zip(lines) {
                *v = less_line(*v, t, line);
            }
        }
        out
    }

    /// Puts the science pixels of series of the outputs 1 to 4, less their noise and with the pixels' means over the groups
    /// added again, into the first science rows of a plane; `science_row` tells these by the rows of the frame.
    pub fn science(
        self,
        series: &[[f32; 4]],
        noise: &[[f32; 4]],
        means: &[f64],
        science_row: &[usize],
        plane: &mut [f32],
    ) {
        for rows in blocks() {
            for pixel in (0..OUTPUT).filter(|p| is_science(*p)) {
                let at = tick(pixel);
                let from: [usize; 4] = std::array::from_fn(|lane| self.line(lane + 1, pixel));
                let to = from.map(|line| science_row[line / SCIENCE] * SCIENCE);
                for row in rows.clone() {
                    let (t, column) = (row * TICKS + at, self.column(row));
                    for lane in 0..4 {
                        let value = series[t][lane] - noise[t][lane];
                        let mean = means[from[lane] + column];
                        plane[to[lane] + column] = (f64::from(value) + mean) as f32;
                    }
                }
            }
        }
    }
}
