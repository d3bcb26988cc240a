//! Enlarging an image by whole numbers through cubic splines, as `scipy.ndimage.zoom` (1.17) does with `order=3`,
//! `mode="reflect"` and `grid_mode=True`: to the last bit.

/// The pole of the cubic spline's filter, `sqrt(3) - 2`.
const POLE: f64 = -0.267_949_192_431_122_7;

/// Indices and weights of the four coefficients about a place.
type Stencil = [(usize, f64); 4];

/// An image `[row][column]` of `nx` columns, each pixel made a box of `height` x `width` pixels; the image is continued by its
/// mirror image.
pub fn enlarge(image: &[f32], nx: usize, height: usize, width: usize) -> Vec<f32> {
    let ny = image.len().checked_div(nx).unwrap_or(0);
    if (height, width) == (1, 1) || ny == 0 {
        return image.to_vec();
    }
    let coefficients = coefficients(image, ny, nx);
    let (rows, columns) = (stencils(ny, height), stencils(nx, width));
    let mut out = Vec::with_capacity(rows.len() * columns.len());
    for row in &rows {
        let lines = row.map(|(y, weight)| {
            let line = &coefficients[y * nx..(y + 1) * nx];
            line.iter().map(|c| c * weight).collect::<Vec<f64>>()
        });
        out.extend(columns.iter().map(|stencil| {
            let mut sum = 0.0;
            for line in &lines {
                for (x, weight) in stencil {
                    sum += line[*x] * weight;
                }
            }
            sum as f32
        }));
    }
    out
}

/// Spline coefficients of an image: along columns, then along rows.
fn coefficients(image: &[f32], ny: usize, nx: usize) -> Vec<f64> {
    let mut values: Vec<f64> = image.iter().map(|v| f64::from(*v)).collect();
    let mut line = Vec::with_capacity(ny.max(nx));
    for (first, step, n) in (0..nx)
        .map(|x| (x, nx, ny))
        .chain((0..ny).map(|y| (y * nx, 1, nx)))
    {
        line.clear();
        line.extend((0..n).map(|i| values[first + i * step]));
        filter(&mut line);
        for (i, v) in line.iter().enumerate() {
            values[first + i * step] = *v;
        }
    }
    values
}

/// Turns samples into coefficients, in place.
fn filter(c: &mut [f64]) {
    let n = c.len();
    if n < 2 {
        return;
    }
    let gain = (1.0 - POLE) * (1.0 - 1.0 / POLE);
    c.iter_mut().for_each(|v| *v *= gain);
    let (own, far) = (c[0], POLE.powf(n as f64));
    c[0] += far * c[n - 1];
    let mut power = POLE;
    for i in 1..n {
        // the last of these takes the sum so far for the first sample, as scipy does
        c[0] += power * (c[i] + far * c[n - 1 - i]);
        power *= POLE;
    }
    c[0] = c[0] * (POLE / (1.0 - far * far)) + own;
    for i in 1..n {
        c[i] += POLE * c[i - 1];
    }
    c[n - 1] *= POLE / (POLE - 1.0);
    for i in (0..n - 1).rev() {
        c[i] = POLE * (c[i + 1] - c[i]);
    }
}

/// Where the pixels of an axis of `n * factor` pixels lie among `n` coefficients.
fn stencils(n: usize, factor: usize) -> Vec<Stencil> {
    let scale = n as f64 / (n * factor) as f64;
    let place = |i: usize| mirrored((i as f64 + 0.5) * scale - 0.5, n as f64);
    (0..n * factor).map(|i| stencil(place(i), n)).collect()
}

/// A place beyond the ends by its mirror image, less one below the first pixel's centre, as scipy counts it.
fn mirrored(place: f64, n: f64) -> f64 {
    match place {
        _ if n <= 1.0 && (place < 0.0 || place > n - 1.0) => 0.0,
        p if p < 0.0 && p > -1e-15 => 1e-15 - 1.0,
        p if p < 0.0 => -p - 1.0,
        p => p,
    }
}

fn stencil(place: f64, n: usize) -> Stencil {
    let first = place.floor() as i64 - 1;
    let x = place - place.floor();
    let z = 1.0 - x;
    let mut weights = [
        z * z * z / 6.0,
        (x * x * (x - 2.0) * 3.0 + 4.0) / 6.0,
        (z * z * (z - 2.0) * 3.0 + 4.0) / 6.0,
        1.0,
    ];
    weights[3] = 1.0 - weights[0] - weights[1] - weights[2];
    std::array::from_fn(|i| (reflected(first + i as i64, n as i64), weights[i]))
}

/// The coefficient that stands at an index, those beyond the ends mirrored about the edges of the image.
fn reflected(index: i64, n: i64) -> usize {
    let within = index.rem_euclid(2 * n);
    within.min(2 * n - 1 - within) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_of_scipy() {
        // zoom(np.float32([[1, 5, 2], [7, -3, 4]]), (2, 3), order=3, mode="reflect", grid_mode=True)
        assert_eq!(enlarge(&[1.0, 5.0, 2.0, 7.0, -3.0, 4.0], 3, 2, 3), SCIPY);
    }

    const SCIPY: [f32; 36] = [
        -1.0964311, 0.15945631, 2.473484, 4.8569164, 6.12327, 5.4699893, 3.6302252, 1.7210566,
        0.6733825, 2.1825411, 2.361665, 2.6907477, 3.023965, 3.186327, 3.0604854, 2.7596545,
        2.454689, 2.2879684, 7.066117, 5.64155, 3.0143316, 0.29403698, -1.1878437, -0.5281371,
        1.4630599, 3.5473332, 4.692671, 10.345089, 7.8437586, 3.2315953, -1.5389146, -4.124787,
        -2.9376407, 0.59248924, 4.280966, 6.307257,
    ];

    #[test]
    fn a_constant_stays_and_a_slope_is_drawn_through() {
        assert!(
            enlarge(&[3.0; 400], 20, 5, 2)
                .iter()
                .all(|v| (v - 3.0).abs() < 1e-6)
        );
        let slope: Vec<f32> = (0..400).map(|i| (i % 20) as f32).collect();
        let wide = enlarge(&slope, 20, 1, 4);
        // far from the mirrored ends, and in a row far from the first, near which scipy's filter is not exact
        for (x, v) in wide[720..800].iter().enumerate().skip(30).take(20) {
            assert!(
                (f64::from(*v) - ((x as f64 + 0.5) / 4.0 - 0.5)).abs() < 1e-5,
                "{x} {v}"
            );
        }
        assert_eq!(wide.len(), 1600);
        assert_eq!(enlarge(&slope, 20, 1, 1), slope);
        assert!(enlarge(&[], 0, 3, 3).is_empty());
    }

    #[test]
    fn one_line_is_the_same_in_all_of_its_rows() {
        let wide = enlarge(&[1.0, 4.0, 2.0], 3, 4, 2);
        assert!((1..4).all(|y| wide[y * 6..(y + 1) * 6] == wide[..6]));
        assert!(wide[..6].iter().any(|v| *v > 3.0));
    }
}
