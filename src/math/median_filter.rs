//! The running median of an image, NaN left out.

/// Median of the window of `height` x `width` pixels (both odd) about every pixel of the rows `rows`, NaN left
/// out and the image continued by zeros; NaN where the window holds nothing else.
///
/// `image` is `[row][column]` with `nx` columns.
pub fn nan_median_rows(
    image: &[f32],
    nx: usize,
    rows: std::ops::Range<usize>,
    height: usize,
    width: usize,
) -> Vec<f32> {
    let ny = image.len().checked_div(nx).unwrap_or(0);
    let mut out = Vec::with_capacity(rows.len() * nx);
    let mut window = Sorted(Vec::with_capacity(height * width));
    for row in rows {
        // the values of a column of the window, its number counted from `width / 2` columns left of the image
        let column = |c: usize| {
            let x = c.checked_sub(width / 2).filter(|x| *x < nx);
            (row..row + height).map(move |r| {
                let y = r.checked_sub(height / 2).filter(|y| *y < ny);
                match (x, y) {
                    (Some(x), Some(y)) => image[y * nx + x],
                    _ => 0.0,
                }
            })
        };
        window.0.clear();
        (0..width).flat_map(column).for_each(|v| window.insert(v));
        for x in 0..nx {
            if x > 0 {
                column(x - 1).for_each(|v| window.remove(v));
                column(x + width - 1).for_each(|v| window.insert(v));
            }
            out.push(window.median());
        }
    }
    out
}

/// Values in order.
struct Sorted(Vec<f32>);

impl Sorted {
    fn place(&self, value: f32) -> usize {
        self.0.partition_point(|v| v.total_cmp(&value).is_lt())
    }

    fn insert(&mut self, value: f32) {
        if !value.is_nan() {
            self.0.insert(self.place(value), value);
        }
    }

    /// Takes out a value that was put in.
    fn remove(&mut self, value: f32) {
        if !value.is_nan() {
            self.0.remove(self.place(value));
        }
    }

    fn median(&self) -> f32 {
        let half = self.0.len() / 2;
        match self.0.len() {
            0 => f32::NAN,
            n if n % 2 == 1 => self.0[half],
            _ => (self.0[half - 1] + self.0[half]) / 2.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, without a running window.
    fn plain(image: &[f32], nx: usize, height: usize, width: usize) -> Vec<f32> {
        let ny = image.len() / nx;
        let at = |y: isize, x: isize| {
            if (0..ny as isize).contains(&y) && (0..nx as isize).contains(&x) {
                image[y as usize * nx + x as usize]
            } else {
                0.0
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
            let mut found = nan_median_rows(&image, 9, 0..4, height, width);
            found.extend(nan_median_rows(&image, 9, 4..7, height, width));
            let bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(
                bits(&found),
                bits(&plain(&image, 9, height, width)),
                "{height} x {width}"
            );
        }
    }
}
