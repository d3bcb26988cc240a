//! Median filter of an image that leaves NaN out.
//!
//! The window slides along a row as one sorted list: a step takes out the column it leaves and merges
//! in the one it enters, each sorted once a row. That costs a pass over the window a pixel where
//! sorting each window anew costs several, and gives the same medians.

use std::cmp::Ordering;
use std::ops::{Add, Div, Range};

/// A floating-point number.
pub trait Float: Copy + PartialOrd + From<u8> + Add<Output = Self> + Div<Output = Self> {
    /// Not a number.
    const NAN: Self;
}

impl Float for f32 {
    const NAN: Self = f32::NAN;
}

impl Float for f64 {
    const NAN: Self = f64::NAN;
}

/// Median of the window of `height` x `width` pixels (both odd) about every pixel of the rows `rows` of
/// `image` (`[row][column]`, `nx` columns). NaN does not count; `beyond` lies beyond the image and counts (NaN for
/// nothing there). NaN where the window holds nothing else; the middle two of an even count are averaged.
pub fn nan_median_rows<T: Float>(
    image: &[T],
    nx: usize,
    rows: Range<usize>,
    height: usize,
    width: usize,
    beyond: T,
) -> Vec<T> {
    let counts = |value: &T| value.partial_cmp(value).is_some();
    let edge = Some(beyond).filter(counts);
    let ny = image.len().checked_div(nx).unwrap_or(0);
    let (up, left) = (height / 2, width / 2);
    let mut out = Vec::with_capacity(rows.len() * nx);
    let mut columns: Vec<Vec<T>> = vec![Vec::with_capacity(height); nx];
    let outside = edge.map_or_else(Vec::new, |v| vec![v; height]);
    let (mut sorted, mut merged) = (Vec::new(), Vec::new());
    for y in rows {
        let inside = y.saturating_sub(up)..(y + up + 1).min(ny);
        for (x, column) in columns.iter_mut().enumerate() {
            column.clear();
            if let Some(v) = edge {
                column.resize(height - inside.len(), v);
            }
            for row in inside.clone() {
                let value = image[row * nx + x];
                if counts(&value) {
                    let at = column.iter().rposition(|v| *v <= value);
                    column.insert(at.map_or(0, |i| i + 1), value);
                }
            }
        }
        // columns are counted from the first one left of the image
        let column = |x: usize| -> &[T] {
            match x.checked_sub(left) {
                Some(x) if x < nx => &columns[x],
                _ => &outside,
            }
        };
        sorted.clear();
        for x in 0..width {
            sorted.extend_from_slice(column(x));
        }
        sorted.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
        for x in 0..nx {
            if x > 0 {
                exchange(&sorted, column(x - 1), column(x + width - 1), &mut merged);
                std::mem::swap(&mut sorted, &mut merged);
            }
            out.push(middle(&sorted));
        }
    }
    out
}

/// The sorted list `from` without the values of `leaving`, which it holds, and with those of `entering`;
/// all sorted.
fn exchange<T: Float>(from: &[T], mut leaving: &[T], mut entering: &[T], to: &mut Vec<T>) {
    to.clear();
    for value in from {
        if let [first, rest @ ..] = leaving
            && first == value
        {
            leaving = rest;
            continue;
        }
        while let [first, rest @ ..] = entering
            && first <= value
        {
            to.push(*first);
            entering = rest;
        }
        to.push(*value);
    }
    to.extend_from_slice(entering);
}

/// Median of a sorted list; NaN for none.
fn middle<T: Float>(sorted: &[T]) -> T {
    let n = sorted.len();
    if n == 0 {
        T::NAN
    } else if n.is_multiple_of(2) {
        (sorted[n / 2 - 1] + sorted[n / 2]) / T::from(2)
    } else {
        sorted[n / 2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, without a running window.
    fn plain(image: &[f32], nx: usize, height: usize, width: usize, beyond: f32) -> Vec<f32> {
        let ny = image.len() / nx;
        let at = |y: isize, x: isize| {
            if (0..ny as isize).contains(&y) && (0..nx as isize).contains(&x) {
                image[y as usize * nx + x as usize]
            } else {
                beyond
            }
        };
        let (h, w) = (height as isize / 2, width as isize / 2);
        let mut out = Vec::new();
        for y in 0..ny as isize {
            for x in 0..nx as isize {
                let mut values: Vec<f32> = (y - h..=y + h)
                    .flat_map(|y| (x - w..=x + w).map(move |x| (y, x)))
                    .map(|(y, x)| at(y, x))
                    .filter(|v| !v.is_nan())
                    .collect();
                out.push(crate::math::median::median_f32(&mut values));
            }
        }
        out
    }

    #[test]
    fn every_window_and_its_edges() {
        let image: Vec<f32> = (0..63u32)
            .map(|p| match p * 29 % 31 {
                7 => f32::NAN,
                v => (v as f32 - 11.0) / 3.0,
            })
            .collect();
        for (height, width) in [(1, 1), (3, 1), (1, 5), (3, 3), (5, 3), (21, 1), (9, 9)] {
            for beyond in [0.0, -7.5, f32::NAN] {
                let mut found = nan_median_rows(&image, 9, 0..4, height, width, beyond);
                found.extend(nan_median_rows(&image, 9, 4..7, height, width, beyond));
                let bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                assert_eq!(
                    bits(&found),
                    bits(&plain(&image, 9, height, width, beyond)),
                    "{height} x {width}, {beyond}"
                );
            }
        }
    }

    #[test]
    fn infinite_values_and_nothing_but_nan() {
        let mut image = [f64::NAN; 81];
        let out = nan_median_rows(&image, 9, 0..9, 3, 3, 0.0);
        assert!(out[40].is_nan());
        assert_eq!(out[0], 0.0);
        image[40] = f64::INFINITY;
        image[31] = 2.5;
        let out = nan_median_rows(&image, 9, 4..5, 3, 3, 0.0);
        assert_eq!((out[4], out[3]), (f64::INFINITY, f64::INFINITY));
        let out = nan_median_rows(&image, 9, 2..3, 3, 3, 0.0);
        assert_eq!(out[4], 2.5);
    }
}
