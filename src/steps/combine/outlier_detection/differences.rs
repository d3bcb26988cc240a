//! The differences of pixels from their neighbours across the dispersion.

use std::ops::Range;

use crate::model::{Cal, dq};

/// Sizes of the images, and where a pixel's neighbours lie.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Rows.
    pub ny: usize,
    /// Columns.
    pub nx: usize,
    /// Whether neighbours across the dispersion lie in the row (MIRI), not in the column.
    pub along_rows: bool,
}

/// The smaller absolute difference from the two neighbours for each pixel of some rows; neighbours beyond
/// the image are 0, NaN where neither neighbour or the pixel itself is valid.
pub fn differences(cal: &Cal, size: Size, rows: Range<usize>) -> Vec<f64> {
    let Size { ny, nx, .. } = size;
    let value = |p: usize| -> f64 {
        if cal.dq[p] & dq::DO_NOT_USE == 0 {
            f64::from(cal.sci[p])
        } else {
            f64::NAN
        }
    };
    let mut out = Vec::with_capacity(rows.len() * nx);
    for y in rows {
        let start = y * nx;
        if size.along_rows {
            let mut before = 0.0;
            let mut here = if nx > 0 { value(start) } else { 0.0 };
            for x in 0..nx {
                let after = if x + 1 < nx {
                    value(start + x + 1)
                } else {
                    0.0
                };
                out.push((here - before).abs().min((here - after).abs()));
                (before, here) = (here, after);
            }
        } else {
            for p in start..start + nx {
                let before = if y > 0 { value(p - nx) } else { 0.0 };
                let after = if y + 1 < ny { value(p + nx) } else { 0.0 };
                let here = value(p);
                out.push((here - before).abs().min((here - after).abs()));
            }
        }
    }
    out
}

/// The smallest difference over the exposures for each pixel of some rows; NaN where no exposure has one.
pub fn smallest(group: &[&mut Cal], size: Size, rows: Range<usize>) -> Vec<f64> {
    let mut out = vec![f64::NAN; rows.len() * size.nx];
    for cal in group {
        for (o, d) in out.iter_mut().zip(differences(cal, size, rows.clone())) {
            *o = o.min(d);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Meta;

    fn cal(sci: &[f32], ny: usize) -> Cal {
        let n = sci.len();
        Cal {
            meta: Meta::default(),
            ny,
            nx: n / ny,
            sci: sci.to_vec(),
            err: vec![0.0; n],
            dq: vec![0; n],
            var_poisson: vec![0.0; n],
            var_rnoise: vec![0.0; n],
            var_flat: None,
            wcs: None,
            spectral_region: None,
            map: std::sync::OnceLock::new(),
            extra: Vec::new(),
        }
    }

    #[test]
    fn neighbours_in_the_row_or_the_column() {
        let mut a = cal(&[5.0, 7.0, 1.0, 4.0, 9.0, 9.5], 2);
        let rows = Size {
            ny: 2,
            nx: 3,
            along_rows: true,
        };
        assert_eq!(differences(&a, rows, 0..2), [2.0, 2.0, 1.0, 4.0, 0.5, 0.5]);
        let columns = Size {
            along_rows: false,
            ..rows
        };
        assert_eq!(differences(&a, columns, 0..1), [1.0, 2.0, 1.0]);
        a.dq[1] = dq::DO_NOT_USE | dq::HOT;
        let d = differences(&a, rows, 0..1);
        assert!(d[0] == 5.0 && d[1].is_nan() && d[2] == 1.0, "{d:?}");
    }

    #[test]
    fn the_smallest_of_the_valid() {
        let size = Size {
            ny: 1,
            nx: 3,
            along_rows: true,
        };
        let mut a = cal(&[5.0, f32::NAN, 1.0], 1);
        let mut b = cal(&[4.0, f32::NAN, 2.0], 1);
        let d = smallest(&[&mut a, &mut b], size, 0..1);
        assert!(d[0] == 4.0 && d[1].is_nan() && d[2] == 1.0, "{d:?}");
    }
}
