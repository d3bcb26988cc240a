//! Full frames of the near-infrared detectors in traditional readout: four outputs of 512 columns, and reference pixels
//! along all edges, in the detector's own orientation.

use super::sirs::Kernels;
use super::{Mean, RefpixParams};
use crate::exec::Exec;
use crate::math::median::{median_f32, median_f64};
use crate::model::dq::DO_NOT_USE;
use crate::model::{Meta, Ramp};
use crate::{Error, Result};

/// Rows and columns of a frame.
pub const SIZE: usize = 2048;
/// Outputs of a detector.
pub const OUTPUTS: usize = 4;
/// Rows or columns of reference pixels along an edge.
pub const EDGE: usize = 4;

/// How a detector's rows and columns lie in an exposure's images. Both of NIRSpec's read along the images' columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orientation {
    /// Whether the detector's columns count against the image's rows (`FASTAXIS` -2).
    pub against_rows: bool,
    /// Whether the detector's rows count against the image's columns (`SLOWAXIS` -1).
    pub against_columns: bool,
}

impl Orientation {
    /// By `FASTAXIS` and `SLOWAXIS`.
    ///
    /// # Errors
    /// [`Error::Input`] where these are missing or of a detector that reads along rows.
    pub fn of(meta: &Meta) -> Result<Self> {
        let (fast, slow) = (meta.need_i64("FASTAXIS")?, meta.need_i64("SLOWAXIS")?);
        if fast.abs() != 2 || slow.abs() != 1 {
            return Err(Error::input_file(
                &meta.source,
                format!(
                    "FASTAXIS = {fast}, SLOWAXIS = {slow} is no orientation of a NIRSpec detector (2, 1 or -2, -1)"
                ),
            ));
        }
        Ok(Self {
            against_rows: fast < 0,
            against_columns: slow < 0,
        })
    }

    /// Image row of a column of the detector, and the other way round.
    pub fn across(self, column: usize) -> usize {
        match self.against_rows {
            true => SIZE - 1 - column,
            false => column,
        }
    }

    /// Image column of a row of the detector, and the other way round.
    pub fn along(self, row: usize) -> usize {
        match self.against_columns {
            true => SIZE - 1 - row,
            false => row,
        }
    }

    /// Where a detector's pixel lies in the image.
    fn place(self, row: usize, column: usize) -> usize {
        self.across(column) * SIZE + self.along(row)
    }
}

/// Good reference pixels of some columns of an output, by their places in the image.
#[derive(Debug)]
struct Ends {
    bottom: Vec<usize>,
    top: Vec<usize>,
}

/// Good reference pixels at the left and right edges.
#[derive(Debug)]
struct Sides {
    /// For each row of the detector the good pixels within the smoothing length, as row * [`EDGE`] + column.
    left: Vec<Vec<usize>>,
    right: Vec<Vec<usize>>,
}

/// What is taken from an exposure's flags once.
struct Correction<'a> {
    orientation: Orientation,
    params: &'a RefpixParams,
    /// For each output, and odd and even columns.
    ends: Vec<Ends>,
    /// None where the side pixels are not used.
    sides: Option<Sides>,
    kernels: Option<&'a Kernels>,
}

/// Corrects all groups of a ramp of full frames.
pub fn correct_ramp(
    ramp: &mut Ramp,
    orientation: Orientation,
    kernels: Option<&Kernels>,
    params: &RefpixParams,
    exec: &Exec,
) {
    let sides = params
        .use_side_ref_pixels
        .then(|| Sides::new(&ramp.pixeldq, orientation, params.side_smoothing_length));
    let correction = Correction {
        orientation,
        params,
        ends: ends(&ramp.pixeldq, orientation, params.odd_even_columns),
        sides,
        kernels,
    };
    let starts = ramp.first_int == 0;
    let planes = ramp.data.chunks_mut(SIZE * SIZE).enumerate().collect();
    exec.map(planes, |(n, plane): (usize, &mut [f32])| {
        match starts && n == 0 || correction.sides.is_none() {
            true => correction.single(plane),
            false => correction.double(plane),
        }
    });
}

/// Good reference pixels at the bottom and top of every output.
fn ends(pixeldq: &[u32], orientation: Orientation, odd_even: bool) -> Vec<Ends> {
    let step = if odd_even { 2 } else { 1 };
    let width = SIZE / OUTPUTS;
    let good = |rows: std::ops::Range<usize>, columns: std::ops::Range<usize>| {
        rows.flat_map(|row| {
            let places = columns.clone().step_by(step);
            places.map(move |column| orientation.place(row, column))
        })
        .filter(|p| pixeldq[*p] & DO_NOT_USE == 0)
        .collect()
    };
    (0..OUTPUTS * step)
        .map(|n| {
            let (output, parity) = (n / step, n % step);
            let columns = output * width + parity..(output + 1) * width;
            Ends {
                bottom: good(0..EDGE, columns.clone()),
                top: good(SIZE - EDGE..SIZE, columns),
            }
        })
        .collect()
}

impl Sides {
    fn new(pixeldq: &[u32], orientation: Orientation, length: usize) -> Self {
        let good =
            |row: usize, column: usize| pixeldq[orientation.place(row, column)] & DO_NOT_USE == 0;
        // an even length mirrors as many rows as the next odd one and is then used as it is
        let beyond = length / 2;
        let mirrored = |row: usize| -> usize {
            match row.checked_sub(beyond) {
                None => beyond - row,
                Some(inside) if inside < SIZE => inside,
                Some(outside) => 2 * (SIZE - 1) - outside,
            }
        };
        let side = |first: usize| -> Vec<Vec<usize>> {
            (0..SIZE)
                .map(|row| {
                    let rows = (row..row + length).map(mirrored);
                    rows.flat_map(|r| (0..EDGE).map(move |c| (r, c)))
                        .filter(|(r, c)| good(*r, first + c))
                        .map(|(r, c)| r * EDGE + c)
                        .collect()
                })
                .collect()
        };
        Self {
            left: side(0),
            right: side(SIZE - EDGE),
        }
    }
}

impl Correction<'_> {
    /// What is subtracted from each column of the detector, if anything, by the reference pixels at bottom and top.
    fn signals(&self, mean: impl Fn(&[usize]) -> Option<Mean>) -> Vec<Option<Mean>> {
        let sets = self.ends.len() / OUTPUTS;
        let means: Vec<Option<Mean>> = self
            .ends
            .iter()
            .map(|ends| match (mean(&ends.top), mean(&ends.bottom)) {
                (Some(top), Some(bottom)) => Some(top.average(bottom)),
                (top, bottom) => top.or(bottom),
            })
            .collect();
        let outputs = means.chunks_exact(sets);
        outputs
            .flat_map(|of_output| {
                let complete = of_output.iter().all(Option::is_some);
                (0..SIZE / OUTPUTS).map(move |column| of_output[column % sets].filter(|_| complete))
            })
            .collect()
    }

    /// Corrects a plane in single precision, but for the subtraction of the sides.
    fn single(&self, plane: &mut [f32]) {
        let limit = self.params.siglimit as f32;
        let signals = self.signals(|places| {
            let values: Vec<f32> = places.iter().map(|p| plane[*p]).collect();
            (!values.is_empty()).then(|| Mean::of_f32(values, limit))
        });
        for (y, row) in plane.chunks_exact_mut(SIZE).enumerate() {
            if let Some(mean) = signals[self.orientation.across(y)] {
                row.iter_mut().for_each(|v| *v = mean.from(*v));
            }
        }
        let Some(sides) = &self.sides else {
            return;
        };
        let edge = |first| self.edge(first, |place, _| f64::from(plane[place]));
        let (left, right) = (edge(0), edge(SIZE - EDGE));
        let median = |values: &[f64]| {
            let mut values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
            f64::from(median_f32(&mut values))
        };
        let side = self.side(sides, &left, &right, median);
        for (y, row) in plane.chunks_exact_mut(SIZE).enumerate() {
            let side = side.of_column(self.orientation.across(y));
            for (v, s) in row.iter_mut().zip(side) {
                *v = (f64::from(*v) - s) as f32;
            }
        }
    }

    /// Corrects a plane in double precision.
    fn double(&self, plane: &mut [f32]) {
        let limit = self.params.siglimit;
        let signals = self.signals(|places| {
            let values: Vec<f64> = places.iter().map(|p| plane[*p].into()).collect();
            (!values.is_empty()).then(|| Mean::of_f64(values, limit))
        });
        let less = |v: f32, column: usize| match signals[column] {
            Some(mean) => f64::from(v) - mean.wide(),
            None => f64::from(v),
        };
        let Some(sides) = &self.sides else {
            return;
        };
        let edge = |first| self.edge(first, |place, column| less(plane[place], column));
        let (left, right) = (edge(0), edge(SIZE - EDGE));
        let side = self.side(sides, &left, &right, |values| {
            median_f64(&mut values.to_vec())
        });
        for (y, row) in plane.chunks_exact_mut(SIZE).enumerate() {
            let column = self.orientation.across(y);
            for (v, s) in row.iter_mut().zip(side.of_column(column)) {
                *v = (less(*v, column) - s) as f32;
            }
        }
    }

    /// Values of the four columns from `first` on, `[row][column]`; `value` is given place and column.
    fn edge(&self, first: usize, value: impl Fn(usize, usize) -> f64) -> Vec<f64> {
        (0..SIZE * EDGE)
            .map(|n| {
                let (row, column) = (n / EDGE, first + n % EDGE);
                value(self.orientation.place(row, column), column)
            })
            .collect()
    }

    /// What is subtracted by the side pixels.
    fn side(
        &self,
        sides: &Sides,
        left: &[f64],
        right: &[f64],
        median: impl Fn(&[f64]) -> f64,
    ) -> Side {
        if let Some(kernels) = self.kernels {
            let templates = kernels.templates(left, right, self.params.sigreject);
            let in_image = |template: Vec<f64>| self.in_image(|row| template[row]);
            return Side(templates.into_iter().map(in_image).collect());
        }
        let smooth = |values: &[f64], windows: &[Vec<usize>]| -> Vec<f64> {
            let window = |w: &Vec<usize>| -> Vec<f64> { w.iter().map(|n| values[*n]).collect() };
            windows.iter().map(|w| median(&window(w))).collect()
        };
        let (left, right) = (smooth(left, &sides.left), smooth(right, &sides.right));
        let gain = self.params.side_gain;
        let of_row = |row: usize| {
            let both = match (left[row].is_nan(), right[row].is_nan()) {
                (false, false) => 0.5 * (left[row] + right[row]),
                (true, false) => right[row],
                (false, true) => left[row],
                (true, true) => 0.0,
            };
            gain * both
        };
        Side(vec![self.in_image(of_row)])
    }

    /// Values of the detector's rows in the order of the image's columns.
    fn in_image(&self, of_row: impl Fn(usize) -> f64) -> Vec<f64> {
        let rows = (0..SIZE).map(|x| self.orientation.along(x));
        rows.map(of_row).collect()
    }
}

/// What is subtracted by the side pixels from the image's columns: one for the whole detector, or one for each output.
struct Side(Vec<Vec<f64>>);

impl Side {
    fn of_column(&self, column: usize) -> &[f64] {
        &self.0[column * self.0.len() / SIZE]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Shape;

    const N: usize = SIZE * SIZE;
    const NRS2: Orientation = Orientation {
        against_rows: true,
        against_columns: true,
    };

    /// Two groups of 1000 DN with an offset for each output and parity of columns and one for each row.
    fn ramp(orientation: Orientation) -> Ramp {
        let mut data = vec![0f32; 2 * N];
        for (p, v) in data.iter_mut().enumerate() {
            let (y, x) = (p % N / SIZE, p % SIZE);
            let (column, row) = (orientation.across(y), orientation.along(x));
            let drift = (column / 512) as f32 + if column.is_multiple_of(2) { 0.25 } else { -0.5 };
            *v = 1000.0 + drift + (row / 64) as f32;
            // ends and sides have no light; the ends' rows lie at the first and last step of 64 rows
            let end = !(EDGE..SIZE - EDGE).contains(&row);
            let side = !(EDGE..SIZE - EDGE).contains(&column);
            if end || side {
                *v -= 1000.0;
            }
        }
        Ramp {
            meta: Meta::default(),
            shape: Shape {
                nints: 1,
                ngroups: 2,
                ny: SIZE,
                nx: SIZE,
            },
            first_int: 0,
            data: data.into(),
            pixeldq: vec![0; N],
            groupdq: vec![0; 2 * N].into(),
            average_dark_current: None,
            extra: Vec::new(),
        }
    }

    fn run(mut ramp: Ramp, orientation: Orientation, params: &RefpixParams) -> Ramp {
        let exec = Exec::new(Some(2)).unwrap();
        correct_ramp(&mut ramp, orientation, None, params, &exec);
        ramp
    }

    #[test]
    fn orientations_by_their_keywords() {
        let mut meta = Meta::default();
        assert!(Orientation::of(&meta).is_err());
        meta.primary.set("FASTAXIS", -2i64, "");
        meta.primary.set("SLOWAXIS", -1i64, "");
        assert_eq!(Orientation::of(&meta).unwrap(), NRS2);
        assert_eq!(NRS2.place(0, 0), N - 1);
        assert_eq!(NRS2.place(1, 2), N - 2 - 2 * SIZE);
        meta.primary.set("FASTAXIS", 1i64, "");
        assert!(Orientation::of(&meta).is_err());
    }

    #[test]
    fn offsets_of_outputs_columns_and_rows_go() {
        let nrs1 = Orientation {
            against_rows: false,
            against_columns: false,
        };
        for orientation in [nrs1, NRS2] {
            let mut r = ramp(orientation);
            // a hit pixel is clipped, a bad one not looked at, another pixel's NaN stays where it is
            r.data[N + orientation.place(1, 40)] += 5000.0;
            r.data[N + orientation.place(2, 600)] = f32::NAN;
            r.pixeldq[orientation.place(2, 600)] = DO_NOT_USE;
            r.data[orientation.place(900, 901)] = f32::NAN;
            let out = run(r, orientation, &RefpixParams::default());
            for group in 0..2 {
                let at = |row, column| out.data[group * N + orientation.place(row, column)];
                // what is left between steps is no more than the median's, at the rows themselves
                for (row, column) in [(20, 20), (1000, 511), (1001, 512), (1984, 2043)] {
                    assert_eq!(at(row, column), 1000.0, "{row} {column} of group {group}");
                }
                assert_eq!(at(900, 901).is_nan(), group == 0);
                assert_eq!(at(1000, 1), 0.0);
            }
        }
    }

    #[test]
    fn columns_together_and_sides_unused() {
        let orientation = NRS2;
        let params = RefpixParams {
            odd_even_columns: false,
            use_side_ref_pixels: false,
            ..RefpixParams::default()
        };
        let out = run(ramp(orientation), orientation, &params);
        let at = |row, column| out.data[orientation.place(row, column)];
        // the ends see half the 31 DN from the first row to the last, and the mean of both parities
        assert_eq!(at(1000, 4), 1000.0 + 15.0 - 15.5 + 0.375);
        assert_eq!(at(1000, 5), 1000.0 + 15.0 - 15.5 - 0.375);
        assert_eq!(at(64, 2001), 1000.0 + 1.0 - 15.5 - 0.375);
    }

    #[test]
    fn outputs_without_good_pixels_are_left_and_one_end_serves_for_both() {
        let orientation = NRS2;
        let mut r = ramp(orientation);
        for column in (0..SIZE).step_by(2) {
            for row in (0..EDGE).chain(SIZE - EDGE..SIZE) {
                // the first output has no even-placed pixel at either end, the third none at the top
                if column < 512 || row > EDGE && (1024..1536).contains(&column) {
                    r.pixeldq[orientation.place(row, column)] = DO_NOT_USE;
                }
            }
        }
        // no good side pixel in the middle rows
        for row in 1000..1100 {
            for column in (0..EDGE).chain(SIZE - EDGE..SIZE) {
                r.pixeldq[orientation.place(row, column)] = DO_NOT_USE;
            }
        }
        let out = run(r, orientation, &RefpixParams::default());
        let at = |row, column| out.data[orientation.place(row, column)];
        assert_eq!(at(1050, 100), 1000.0 + 0.25 + 16.0);
        assert_eq!(at(1050, 1030), 1000.0 + 16.0);
        assert_eq!(at(1050, 1031), 1000.0 + 16.0 - 15.5);
    }
}
