//! The frame of NIRSpec's IRS2 readout: where science pixels lie among the interleaved reference pixels.
//!
//! The detector has five outputs of 640 columns in its own orientation, the first of which is the reference output. The
//! other four read 512 pixels each and, after 8 and then after every 16 of them, 4 reference pixels. Exposures have these
//! columns as rows: 3200 rows of 2048, of which 2048 are science rows; NRS2 counts them backwards.

use super::meta::Meta;
use crate::{Error, Result};

/// Rows of a frame.
pub const FRAME: usize = 3200;
/// Science rows of a frame, and its columns.
pub const SCIENCE: usize = 2048;
/// Rows of an output, the reference output among them.
pub const OUTPUT: usize = 640;
/// Science pixels between reference pixels (`NRS_NORM`).
pub const NORMAL: usize = 16;
/// Reference pixels in a row (`NRS_REF`).
pub const REFERENCE: usize = 4;

/// Whether a frame of so many rows and columns has interleaved reference pixels.
pub fn is_interleaved(ny: usize, nx: usize) -> bool {
    ny.max(nx) > SCIENCE
}

/// Whether an exposure is read in an IRS2 pattern, by its `READPATT`.
pub fn is_pattern(meta: &Meta) -> bool {
    meta.str("READPATT").is_some_and(|p| p.contains("IRS2"))
}

/// Rows of a frame that are left when the reference pixels are gone.
pub fn science_rows(ny: usize, nx: usize) -> usize {
    match (ny, nx) {
        (FRAME, SCIENCE) => SCIENCE,
        _ => ny,
    }
}

/// Whether a column of the detector, in its own orientation, holds science pixels.
pub fn is_science(column: usize) -> bool {
    match column.checked_sub(OUTPUT) {
        None => false,
        Some(c) => (c + NORMAL + REFERENCE - NORMAL / 2) % (NORMAL + REFERENCE) >= REFERENCE,
    }
}

/// Where the science rows of an exposure's frames lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScienceRows {
    rows: Vec<usize>,
    reversed: bool,
}

impl ScienceRows {
    /// Those of an exposure of `ny` x `nx` pixels; none where its frames have no interleaved pixels.
    ///
    /// # Errors
    /// [`Error::Input`] where the frame is of another size or layout than IRS2's.
    pub fn of(meta: &Meta, ny: usize, nx: usize) -> Result<Option<Self>> {
        if meta.is_miri() || !is_interleaved(ny, nx) {
            return Ok(None);
        }
        let wrong = |what: String| Err(Error::input_file(&meta.source, what));
        if (ny, nx) != (FRAME, SCIENCE) {
            return wrong(format!(
                "has frames of {ny} x {nx} pixels; IRS2 exposures have {FRAME} x {SCIENCE}"
            ));
        }
        for (keyword, known) in [("NRS_NORM", NORMAL), ("NRS_REF", REFERENCE)] {
            if let Some(n) = meta.i64(keyword)
                && n != known as i64
            {
                return wrong(format!(
                    "{keyword} = {n} is not supported; IRS2 exposures have {known}"
                ));
            }
        }
        let reversed = match meta.need_str("DETECTOR")? {
            "NRS1" => false,
            "NRS2" => true,
            other => {
                return wrong(format!(
                    "DETECTOR = {other} has no IRS2 readout (NRS1 and NRS2 have)"
                ));
            }
        };
        let row = |column: usize| match reversed {
            true => FRAME - 1 - column,
            false => column,
        };
        let mut rows: Vec<usize> = (0..FRAME).filter(|c| is_science(*c)).map(row).collect();
        rows.sort_unstable();
        Ok(Some(Self { rows, reversed }))
    }

    /// Rows of the frame, in order.
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// Whether the rows count against the columns of the detector in its own orientation (NRS2).
    pub fn reversed(&self) -> bool {
        self.reversed
    }

    /// The science rows of a plane `[row][column]`.
    pub fn of_plane<T: Copy>(&self, plane: &[T]) -> Vec<T> {
        let rows = self.rows.iter();
        rows.flat_map(|y| &plane[y * SCIENCE..(y + 1) * SCIENCE])
            .copied()
            .collect()
    }

    /// Puts science rows back into a plane.
    pub fn into_plane<T: Copy>(&self, science: &[T], plane: &mut [T]) {
        for (row, y) in science.chunks_exact(SCIENCE).zip(&self.rows) {
            plane[y * SCIENCE..(y + 1) * SCIENCE].copy_from_slice(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(detector: &str) -> Meta {
        let mut meta = Meta::default();
        meta.primary.set("DETECTOR", detector, "");
        meta
    }

    #[test]
    fn science_columns_lie_between_blocks_of_four() {
        let science: Vec<usize> = (0..FRAME).filter(|c| is_science(*c)).collect();
        assert_eq!(science.len(), SCIENCE);
        assert_eq!(
            science[..10],
            [640, 641, 642, 643, 644, 645, 646, 647, 652, 653]
        );
        assert_eq!(science[23..25], [667, 672]);
        assert_eq!(science[SCIENCE - 9..SCIENCE - 7], [3187, 3192]);
    }

    #[test]
    fn rows_of_both_detectors() {
        let one = ScienceRows::of(&meta("NRS1"), FRAME, SCIENCE)
            .unwrap()
            .unwrap();
        let two = ScienceRows::of(&meta("NRS2"), FRAME, SCIENCE)
            .unwrap()
            .unwrap();
        assert_eq!((one.rows()[0], one.rows()[8]), (640, 652));
        assert_eq!((two.rows()[0], two.rows()[SCIENCE - 1]), (0, 2559));
        let plane: Vec<u32> = (0..FRAME * SCIENCE).map(|p| p as u32).collect();
        let science = two.of_plane(&plane);
        assert_eq!(science[8 * SCIENCE + 3], 12 * SCIENCE as u32 + 3);
        let mut back = vec![0; plane.len()];
        two.into_plane(&science, &mut back);
        assert_eq!(two.of_plane(&back), science);
        assert_eq!(back[11 * SCIENCE], 0);
    }

    #[test]
    fn other_frames() {
        assert_eq!(ScienceRows::of(&meta("NRS1"), 2048, 2048).unwrap(), None);
        assert!(ScienceRows::of(&meta("NRS1"), 3200, 1024).is_err());
        assert!(ScienceRows::of(&meta("NIS"), FRAME, SCIENCE).is_err());
        let mut other = meta("NRS1");
        other.primary.set("NRS_NORM", 8i64, "");
        assert!(ScienceRows::of(&other, FRAME, SCIENCE).is_err());
        assert_eq!(
            (science_rows(3200, 2048), science_rows(1024, 1032)),
            (2048, 1024)
        );
    }
}
