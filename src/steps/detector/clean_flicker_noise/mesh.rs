//! A background of low resolution: medians of boxes, smoothed and drawn through by splines. `background_method = model`.
//!
//! Boxes at the upper ends that the image does not fill count among those that miss pixels. All is in the order and the precision
//! of photutils 3.0 (`Background2D` with `MedianBackground` and a median filter of 5 x 5 boxes), so that the bits agree.

use std::ops::Range;

use crate::math::clipped_stats::kept_f32;
use crate::math::median::median_f32;
use crate::math::median_filter::nan_median_rows;
use crate::math::neighbours::Tree;
use crate::math::pairwise_sum::pairwise_sum;
use crate::math::sigma_clip::clip_bounds;
use crate::math::spline_zoom::enlarge;

/// Largest side of a box where none is given.
const USUAL: usize = 32;
/// Standard deviations from the median at which values of a box are left out.
const SIGMA: f32 = 3.0;
/// A box counts where more than this part of its pixels are left.
const ENOUGH: f64 = 1.0 - 10.0 / 100.0;
/// Boxes from which one without a value gets it.
const NEIGHBOURS: usize = 10;
/// Boxes along a side of the median filter.
const FILTER: usize = 5;

/// Rows and columns of the boxes for an image of such a size where none are given: the largest up to 32 that divide it.
pub fn usual_boxes(size: [usize; 2]) -> [usize; 2] {
    let largest = |n: usize| (1..=USUAL).rev().find(|b| n.is_multiple_of(*b));
    size.map(|n| largest(n).unwrap_or(1))
}

/// The background of an image of `nx` columns from its pixels in a mask, by boxes of so many rows and columns (above 0); none
/// where no box has enough pixels.
pub fn model(image: &[f32], nx: usize, mask: &[bool], boxes: [usize; 2]) -> Option<Vec<f32>> {
    let ny = image.len().checked_div(nx)?;
    let boxes = [boxes[0].min(ny), boxes[1].min(nx)];
    let columns = nx.div_ceil(boxes[1]);
    let mesh = filled(levels(image, [ny, nx], mask, boxes), columns)?;
    let mesh = nan_median_rows(
        &mesh,
        columns,
        0..mesh.len() / columns,
        FILTER,
        FILTER,
        f32::NAN,
    );
    let (low, high) = (
        mesh.iter().copied().fold(f32::INFINITY, f32::min),
        mesh.iter().copied().fold(f32::NEG_INFINITY, f32::max),
    );
    if low == high {
        return Some(vec![low; image.len()]);
    }
    let wide = enlarge(&mesh, columns, boxes[0], boxes[1]);
    let rows = wide.chunks(columns * boxes[1]).take(ny);
    Some(
        rows.flat_map(|row| row[..nx].iter().map(|v| v.clamp(low, high)))
            .collect(),
    )
}

/// The median of each box; NaN where it has too few pixels.
fn levels(image: &[f32], [ny, nx]: [usize; 2], mask: &[bool], boxes: [usize; 2]) -> Vec<f32> {
    let enough = ENOUGH * (boxes[0] * boxes[1]) as f64;
    let parts = |n: usize, side: usize| {
        (0..n)
            .step_by(side)
            .map(move |first| first..(first + side).min(n))
    };
    let mut levels = Vec::new();
    for rows in parts(ny, boxes[0]) {
        for columns in parts(nx, boxes[1]) {
            let whole = [rows.len() == boxes[0], columns.len() == boxes[1]];
            let used = |y: usize, x: usize| {
                let (v, used) = (image[y * nx + x], mask[y * nx + x]);
                (used && v.is_finite()).then_some(v)
            };
            let mut values = gathered(rows.clone(), columns.clone(), whole, used);
            values = match whole {
                [false, false] => kept_f32(&values, (SIGMA, SIGMA), pairwise_sum),
                _ => clipped(values),
            };
            levels.push(match values.len() as f64 > enough {
                true => median_f32(&mut values),
                false => f32::NAN,
            });
        }
    }
    levels
}

/// Values of a box: row after row, but column after column where it has lost rows or columns, as numpy lays them out.
fn gathered(
    rows: Range<usize>,
    columns: Range<usize>,
    whole: [bool; 2],
    used: impl Fn(usize, usize) -> Option<f32>,
) -> Vec<f32> {
    let used = &used;
    match whole[0] == whole[1] {
        true => rows
            .flat_map(|y| columns.clone().filter_map(move |x| used(y, x)))
            .collect(),
        false => columns
            .flat_map(|x| rows.clone().filter_map(move |y| used(y, x)))
            .collect(),
    }
}

/// The values within the last bounds that clipping finds.
fn clipped(mut values: Vec<f32>) -> Vec<f32> {
    let mut double: Vec<f64> = values.iter().copied().map(f64::from).collect();
    let (low, high) = clip_bounds(&mut double, f64::from(SIGMA));
    values.retain(|v| (low..=high).contains(&f64::from(*v)));
    values
}

/// Gives boxes without a value the mean of the nearest that have one, weighted by the reciprocal distance; none where no box has.
fn filled(mut mesh: Vec<f32>, columns: usize) -> Option<Vec<f32>> {
    let place = |b: usize| [(b / columns) as f64, (b % columns) as f64];
    let (empty, full): (Vec<usize>, Vec<usize>) = (0..mesh.len()).partition(|b| mesh[*b].is_nan());
    if full.is_empty() {
        return None;
    }
    let places: Vec<_> = full.iter().copied().map(place).collect();
    let tree = Tree::new(&places);
    for b in empty {
        let (mut weights, mut products) = ([0.0; NEIGHBOURS], [0.0; NEIGHBOURS]);
        for (i, (near, square)) in tree.nearest(place(b), NEIGHBOURS).into_iter().enumerate() {
            weights[i] = 1.0 / square.sqrt();
            products[i] = weights[i] * f64::from(mesh[full[near]]);
        }
        mesh[b] = (pairwise_sum(&products) / pairwise_sum(&weights)) as f32;
    }
    Some(mesh)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A slope with some noise.
    fn image(ny: usize, nx: usize) -> Vec<f32> {
        let value = |p: usize| (p % nx) as f32 * 0.1 + (p * 7919 % 101) as f32 * 0.01;
        (0..ny * nx).map(value).collect()
    }

    #[test]
    fn a_slope_is_followed_in_spite_of_sources_and_holes() {
        let (ny, nx) = (64, 128);
        let mut image = image(ny, nx);
        let mut mask = vec![true; ny * nx];
        image[5] = 9000.0;
        image[6] = f32::INFINITY;
        (20..30).for_each(|y| mask[y * nx + 40..y * nx + 60].fill(false));
        (20..30).for_each(|y| image[y * nx + 40..y * nx + 60].fill(f32::NAN));
        let model = model(&image, nx, &mask, [8, 8]).unwrap();
        assert_eq!(model.len(), ny * nx);
        for p in (0..ny * nx).filter(|p| (24..nx - 24).contains(&(p % nx))) {
            let want = (p % nx) as f32 * 0.1 + 0.5;
            assert!((model[p] - want).abs() < 0.6, "{p} {}", model[p]);
        }
    }

    #[test]
    fn no_box_has_enough() {
        let image = image(20, 20);
        assert_eq!(model(&image, 20, &[false; 400], [5, 5]), None);
        // 22 of 25 pixels are less than nine tenths, 23 are more
        let with = |few: usize| {
            (0..400)
                .map(|p| p % 5 + 5 * (p / 20 % 5) >= few)
                .collect::<Vec<_>>()
        };
        assert_eq!(model(&image, 20, &with(3), [5, 5]), None);
        assert!(model(&image, 20, &with(2), [5, 5]).is_some());
    }

    #[test]
    fn boxes_larger_than_the_image_are_one_value() {
        let image = image(20, 20);
        let model = model(&image, 20, &[true; 400], [500, 32]).unwrap();
        assert!(model.iter().all(|v| *v == model[0]) && (1.0..2.0).contains(&model[0]));
    }

    #[test]
    fn usual_boxes_divide_the_image() {
        assert_eq!(usual_boxes([2048, 1024]), [32, 32]);
        assert_eq!(usual_boxes([97, 80]), [1, 20]);
    }
}
