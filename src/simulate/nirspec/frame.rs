//! Frames as a detector reads them: which rows of a file hold science pixels, and when a pixel is read.
//!
//! A row of a file is a column of the detector: for NRS2 columns count backwards. Four outputs read 512 columns each. In the
//! IRS2 patterns each also reads, after 8 and then after every 16 science pixels, 4 reference pixels at its side, and loses a tick on
//! the way there and back; a fifth output, the first in the file, has only reference pixels. Every other output reads
//! against the columns.

use super::mode::{Detector, ReadPattern, SIZE};
use crate::model::irs2::{FRAME, NORMAL, OUTPUT, REFERENCE, is_science};

/// Ticks of 10 microseconds in a row of an output that reads interleaved reference pixels: two more for each block of these, and 8 to
/// go to the next row.
pub const TICKS: usize = OUTPUT + 2 * OUTPUT / (NORMAL + REFERENCE) + 8;

/// Interleaved reference pixels that are bad, for every detector: output, which pair of a block in the order of reading (1 or 2), and
/// block, counted in the order of columns.
pub const BAD: [(usize, usize, usize); 2] = [(2, 1, 9), (3, 2, 20)];

/// A detector and the layout of its frames.
#[derive(Debug, Clone)]
pub struct Frame {
    detector: Detector,
    interleaved: bool,
    /// Rows of a file that hold science pixels, in order.
    science: Vec<usize>,
}

/// When a pixel is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Number of the output, the reference output among them where there is one.
    pub output: usize,
    /// Column of the detector, in its own orientation.
    pub column: usize,
    /// Ticks since the output began with its row.
    pub tick: usize,
}

impl Frame {
    /// The frames of a detector in a readout pattern.
    pub fn new(detector: Detector, pattern: ReadPattern) -> Self {
        let mut frame = Self {
            detector,
            interleaved: pattern.is_interleaved(),
            science: Vec::new(),
        };
        let holds = |row: &usize| !frame.interleaved || is_science(frame.column(*row));
        frame.science = (0..frame.rows()).filter(holds).collect();
        frame
    }

    /// Rows of a file.
    pub fn rows(&self) -> usize {
        if self.interleaved { FRAME } else { SIZE }
    }

    /// Outputs that are read at once.
    pub fn outputs(&self) -> usize {
        if self.interleaved { 5 } else { 4 }
    }

    /// Whether reference pixels are read between the others.
    pub fn is_interleaved(&self) -> bool {
        self.interleaved
    }

    /// The row of the image that a row of the file holds, none for reference pixels.
    pub fn science_row(&self, row: usize) -> Option<usize> {
        self.science.binary_search(&row).ok()
    }

    /// The row of the file that holds a row of the image.
    pub fn row_of(&self, y: usize) -> usize {
        self.science[y]
    }

    /// When the pixels of a row of the file are read.
    pub fn moment(&self, row: usize) -> Moment {
        let column = self.column(row);
        let width = self.rows() / self.outputs();
        let (output, within) = (column / width, column % width);
        let tick = match self.interleaved {
            true if output % 2 == 0 => tick(width - 1 - within),
            true => tick(within),
            false => within,
        };
        Moment {
            output,
            column,
            tick,
        }
    }

    /// Row of the detector, in its own orientation, of a column of the file.
    pub fn detector_row(&self, x: usize) -> usize {
        match self.detector {
            Detector::Nrs1 => x,
            Detector::Nrs2 => SIZE - 1 - x,
        }
    }

    /// Whether a row of the file holds reference pixels that are bad.
    pub fn is_bad(&self, row: usize) -> bool {
        let column = self.column(row);
        self.interleaved && BAD.iter().any(|bad| bad_columns(*bad).contains(&column))
    }

    /// An image as a frame has it, with `fill` for reference pixels.
    pub fn spread<T: Copy>(&self, image: &[T], fill: T) -> Vec<T> {
        let mut out = vec![fill; self.rows() * SIZE];
        for (line, row) in image.chunks_exact(SIZE).zip(&self.science) {
            out[row * SIZE..(row + 1) * SIZE].copy_from_slice(line);
        }
        out
    }

    fn column(&self, row: usize) -> usize {
        match self.detector {
            Detector::Nrs1 => row,
            Detector::Nrs2 => self.rows() - 1 - row,
        }
    }
}

/// Tick at which an output reads a pixel of its row, counted in the order of reading.
fn tick(pixel: usize) -> usize {
    let (before, within) = (pixel / (NORMAL + REFERENCE), pixel % (NORMAL + REFERENCE));
    let moves = [NORMAL / 2, NORMAL / 2 + REFERENCE];
    pixel + 2 * before + moves.iter().filter(|m| within >= **m).count()
}

/// The two columns of a bad pair.
fn bad_columns((output, pair, block): (usize, usize, usize)) -> [usize; 2] {
    let first = output * OUTPUT + NORMAL / 2 + block * (NORMAL + REFERENCE);
    // outputs of even numbers read the second pair of columns first
    let second = (pair == 2) != (output % 2 == 0);
    [0, 1].map(|i| first + i + 2 * usize::from(second))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Meta;
    use crate::model::irs2::ScienceRows;
    use crate::steps::detector::refpix::irs2::{bad, series};

    #[test]
    fn science_rows_and_ticks_are_those_that_calibration_knows() {
        for (detector, reversed) in [(Detector::Nrs1, false), (Detector::Nrs2, true)] {
            let frame = Frame::new(detector, ReadPattern::NrsIrs2);
            let mut meta = Meta::default();
            meta.primary.set("DETECTOR", detector.name(), "");
            let known = ScienceRows::of(&meta, FRAME, SIZE).unwrap().unwrap();
            assert_eq!(frame.science, known.rows());
            assert_eq!(frame.science_row(frame.row_of(77)), Some(77));
            for output in 0..5 {
                for pixel in 0..OUTPUT {
                    let row = series::frame_row(output, pixel, reversed);
                    let moment = frame.moment(row);
                    assert_eq!((moment.output, moment.tick), (output, series::tick(pixel)));
                    assert_eq!(
                        frame.science_row(row).is_some(),
                        output > 0 && series::is_science(pixel)
                    );
                }
            }
            let bad: Vec<usize> = (0..FRAME).filter(|r| frame.is_bad(*r)).collect();
            assert_eq!(bad.len(), 4);
            let table = BAD.map(|(output, pair, block)| (output, pair, 1 << block));
            let mut named: Vec<usize> = bad::named(&table).concat();
            let mut columns: Vec<usize> = bad.iter().map(|r| frame.column(*r)).collect();
            named.sort_unstable();
            columns.sort_unstable();
            assert_eq!(columns, named);
        }
        assert_eq!(TICKS, series::TICKS);
    }

    #[test]
    fn traditional_frames_are_the_image() {
        let frame = Frame::new(Detector::Nrs2, ReadPattern::Nrs);
        assert_eq!((frame.rows(), frame.outputs()), (SIZE, 4));
        assert_eq!(frame.science_row(9), Some(9));
        let moment = frame.moment(0);
        assert_eq!(
            (moment.output, moment.column, moment.tick),
            (3, SIZE - 1, 511)
        );
        assert!(!(0..SIZE).any(|r| frame.is_bad(r)));
    }

    #[test]
    fn images_are_spread_over_frames() {
        let frame = Frame::new(Detector::Nrs1, ReadPattern::NrsIrs2Rapid);
        let image: Vec<u32> = (0..SIZE * SIZE).map(|i| 1 + (i / SIZE) as u32).collect();
        let spread = frame.spread(&image, 0);
        assert_eq!(spread.len(), FRAME * SIZE);
        assert_eq!((spread[639 * SIZE], spread[640 * SIZE + 5]), (0, 1));
        assert_eq!((spread[648 * SIZE], spread[652 * SIZE]), (0, 9));
    }
}
