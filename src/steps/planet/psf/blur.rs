//! Images blurred by a Gaussian, and looked at in a few places only.

/// Standard deviations at which the Gaussian ends.
const CUT: f64 = 4.0;
/// FWHM of a Gaussian over its standard deviation.
pub const FWHM: f64 = 2.35482;

/// Half of a Gaussian's weights, from its centre out; they sum to 1 over both halves.
fn weights(sigma: f64) -> Vec<f64> {
    let reach = (CUT * sigma + 0.5).floor().max(0.0) as usize;
    let at = |i: usize| libm::exp(-0.5 / (sigma * sigma) * (i * i) as f64);
    let half: Vec<f64> = (0..=reach).map(at).collect();
    let sum = half[0] + 2.0 * half[1..].iter().sum::<f64>();
    half.into_iter().map(|w| w / sum).collect()
}

/// An image (`[row][column]`, `nx` columns) of which only a box is not 0.
#[derive(Debug)]
pub struct Model {
    pub ny: usize,
    pub nx: usize,
    /// Rows and columns of the box.
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
    /// Its values.
    values: Vec<f64>,
}

impl Model {
    /// An image of `ny` rows of `nx` columns that is 1 at the places given and 0 elsewhere.
    pub fn new(ny: usize, nx: usize, lit: &[(usize, usize)]) -> Self {
        let range = |of: fn(&(usize, usize)) -> usize| {
            let least = lit.iter().map(of).min().unwrap_or(0);
            least..lit.iter().map(of).max().map_or(least, |m| m + 1)
        };
        let (rows, columns) = (range(|p| p.0), range(|p| p.1));
        let mut values = vec![0.0; rows.len() * columns.len()];
        for (y, x) in lit {
            values[(y - rows.start) * columns.len() + x - columns.start] = 1.0;
        }
        Self {
            ny,
            nx,
            rows,
            columns,
            values,
        }
    }

    /// The image blurred by a Gaussian of this standard deviation (pixels), at the crossings of `rows` and `columns`, row by
    /// row. Beyond its edges the image goes on as it is there.
    pub fn blurred(&self, sigma: f64, rows: &[usize], columns: &[usize]) -> Vec<f64> {
        let w = weights(sigma);
        let wide = self.columns.len();
        let mut out = Vec::with_capacity(rows.len() * columns.len());
        let mut line = vec![0.0; wide];
        for y in rows {
            line.fill(0.0);
            self.taps(&w, *y, self.ny, &self.rows, |row, weight| {
                let image = &self.values[row * wide..(row + 1) * wide];
                for (sum, v) in line.iter_mut().zip(image) {
                    *sum += weight * v;
                }
            });
            for x in columns {
                let mut sum = 0.0;
                self.taps(&w, *x, self.nx, &self.columns, |column, weight| {
                    sum += weight * line[column];
                });
                out.push(sum);
            }
        }
        out
    }

    /// Calls `add` with each position within the box, counted from its start, that the Gaussian about `at` reaches, and its weight; `n`
    /// positions in all.
    fn taps(
        &self,
        w: &[f64],
        at: usize,
        n: usize,
        inside: &std::ops::Range<usize>,
        mut add: impl FnMut(usize, f64),
    ) {
        let reach = w.len() as isize - 1;
        let (at, last) = (at as isize, n as isize - 1);
        // positions beyond an edge count as the edge
        let beyond = |edge: isize| edge == 0 || edge == last;
        for i in inside.clone() {
            let p = i as isize;
            if beyond(p) {
                let clamped = (at - reach..=at + reach).filter(|q| (*q).clamp(0, last) == p);
                let weight: f64 = clamped.map(|q| w[q.abs_diff(at)]).sum();
                add(i - inside.start, weight);
            } else if let Some(weight) = w.get(p.abs_diff(at)) {
                add(i - inside.start, *weight);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition.
    fn plain(ny: usize, nx: usize, lit: &[(usize, usize)], sigma: f64, y: usize, x: usize) -> f64 {
        let w = weights(sigma);
        let reach = w.len() as isize - 1;
        let mut sum = 0.0;
        for dy in -reach..=reach {
            for dx in -reach..=reach {
                let at = |c: usize, d: isize, n: usize| {
                    (c as isize + d).clamp(0, n as isize - 1) as usize
                };
                if lit.contains(&(at(y, dy, ny), at(x, dx, nx))) {
                    sum += w[dy.unsigned_abs()] * w[dx.unsigned_abs()];
                }
            }
        }
        sum
    }

    #[test]
    fn the_same_as_by_definition_and_at_edges() {
        let lit = [(0, 3), (4, 4), (4, 5), (5, 4), (8, 0), (9, 11)];
        let (ny, nx) = (10, 12);
        let (rows, columns) = ([0, 2, 4, 9], [0, 3, 7, 11]);
        let model = Model::new(ny, nx, &lit);
        for sigma in [0.3, 1.0, 2.7] {
            let found = model.blurred(sigma, &rows, &columns);
            for (i, v) in found.iter().enumerate() {
                let truth = plain(ny, nx, &lit, sigma, rows[i / 4], columns[i % 4]);
                assert!((v - truth).abs() < 1e-14, "{sigma} {i}: {v} {truth}");
            }
        }
    }

    #[test]
    fn a_full_image_stays_and_an_empty_one_too() {
        let all: Vec<(usize, usize)> = (0..30).map(|p| (p / 6, p % 6)).collect();
        let out = Model::new(5, 6, &all).blurred(3.0, &[0, 4], &[0, 5]);
        assert!(out.iter().all(|v| (v - 1.0).abs() < 1e-12));
        let out = Model::new(5, 6, &[]).blurred(3.0, &[0, 4], &[0, 5]);
        assert_eq!(out, [0.0; 4]);
    }

    #[test]
    fn weights_are_normal() {
        let w = weights(2.0);
        assert_eq!(w.len(), 9);
        assert!((w[0] + 2.0 * w[1..].iter().sum::<f64>() - 1.0).abs() < 1e-15);
        assert_eq!(weights(0.05), [1.0]);
    }
}
