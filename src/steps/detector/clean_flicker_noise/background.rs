//! The level of the background, and which pixels are background.

use super::{histogram, mesh};
use crate::math::median::median_f32;
use crate::math::radix_sort::sorted;
use crate::math::sorted_clip::{Clipped, clipped_stats};

/// Standard deviations at which values are left out of statistics.
const SIGMA: f64 = 3.0;

/// What counts as background.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Standard deviations below the centre.
    pub lower: f64,
    /// Standard deviations above the centre.
    pub upper: f64,
    /// Take centre and width of a Gaussian fitted to the histogram.
    pub histogram: bool,
    /// Measure the width on the values below the centre, mirrored there: sources make the other half wide.
    pub lower_half: bool,
}

impl Limits {
    /// Limits from the lower half, as far out on both sides.
    pub fn of_lower_half(sigma: f64) -> Self {
        Self {
            lower: sigma,
            upper: sigma,
            histogram: false,
            lower_half: true,
        }
    }
}

/// Values of pixels in a mask that are finite, in order and by size.
fn values_in(image: &[f32], mask: &[bool]) -> (Vec<f64>, Vec<f64>) {
    let used = || {
        let pixels = image.iter().zip(mask);
        pixels
            .filter(|(v, used)| **used && v.is_finite())
            .map(|(v, _)| *v)
    };
    let values = used().map(f64::from).collect();
    (values, sorted(used()).into_iter().map(f64::from).collect())
}

/// Takes out of a mask of background pixels those whose values are out of limits; none where the mask is empty.
pub fn clip(image: &[f32], mask: &mut [bool], limits: Limits) {
    if !mask.contains(&true) {
        return;
    }
    let (values, by_size) = values_in(image, mask);
    let whole = |values: &Vec<f64>| limits.histogram.then(|| values.clone());
    let mut kept = if limits.lower_half {
        None
    } else {
        whole(&values)
    };
    let mut stats = clipped_stats(values, &by_size, SIGMA);
    let centre_of = |c: &Clipped| if limits.histogram { c.mean } else { c.median };
    if limits.lower_half {
        let centre = centre_of(&stats);
        let (values, by_size) = mirrored(image, mask, &by_size, centre);
        kept = whole(&values);
        stats = clipped_stats(values, &by_size, SIGMA);
    }
    let (mut centre, mut width) = (centre_of(&stats), stats.std);
    drop(by_size);
    if let Some(fit) = kept.and_then(|values| histogram::gaussian(&values, centre, width)) {
        (centre, width) = fit;
    }
    let (low, high) = (centre - limits.lower * width, centre + limits.upper * width);
    for (used, v) in mask.iter_mut().zip(image) {
        let v = f64::from(*v);
        *used &= !(v < low || v > high);
    }
}

/// The values of pixels in a mask up to `centre` and their mirror images, in the order of pixels and by size.
fn mirrored(image: &[f32], mask: &[bool], by_size: &[f64], centre: f64) -> (Vec<f64>, Vec<f64>) {
    let (below, above) = (
        |v: f64| (v - centre) + centre,
        |v: f64| (centre - v) + centre,
    );
    let pixels = image.iter().zip(mask);
    let lower = pixels.filter(|(v, used)| **used && v.is_finite() && f64::from(**v) <= centre);
    let lower: Vec<f64> = lower.map(|(v, _)| f64::from(*v)).collect();
    let mut values: Vec<f64> = lower.iter().map(|v| below(*v)).collect();
    values.extend(lower.iter().map(|v| above(*v)));
    let lower = &by_size[..by_size.partition_point(|v| *v <= centre)];
    let mut by_size: Vec<f64> = lower.iter().map(|v| below(*v)).collect();
    by_size.extend(lower.iter().rev().map(|v| above(*v)));
    (values, by_size)
}

/// What is taken for an image's background.
#[derive(Debug, Clone, PartialEq)]
pub enum Background {
    /// The same everywhere.
    Level(f32),
    /// Of each pixel.
    Model(Vec<f32>),
}

impl Background {
    /// Of the pixels in a mask of an image of `nx` columns, once values far from the others are taken out of the mask: their median,
    /// or with `boxes` (rows and columns) a model, where there is one. NaN where the mask has no pixel left.
    pub fn of(image: &[f32], nx: usize, mask: &mut [bool], boxes: Option<[usize; 2]>) -> Self {
        clip(image, mask, Limits::of_lower_half(SIGMA));
        if let Some(model) = boxes.and_then(|boxes| mesh::model(image, nx, mask, boxes)) {
            return Self::Model(model);
        }
        let pixels = image.iter().zip(mask.iter());
        let mut values: Vec<f32> = pixels.filter(|(_, used)| **used).map(|(v, _)| *v).collect();
        Self::Level(median_f32(&mut values))
    }

    /// Combines each value of an image with the background there.
    pub fn combine(&self, image: &mut [f32], by: impl Fn(&mut f32, f32)) {
        match self {
            Self::Level(level) => image.iter_mut().for_each(|v| by(v, *level)),
            Self::Model(model) => image.iter_mut().zip(model).for_each(|(v, b)| by(v, *b)),
        }
    }
}

/// A flat field of `nx` columns with values for pixels that are 0, NaN or infinite, from those about them; none where all are.
pub fn repaired(mut flat: Vec<f32>, nx: usize) -> Option<Vec<f32>> {
    let mut good: Vec<bool> = flat.iter().map(|v| *v != 0.0 && v.is_finite()).collect();
    if !good.contains(&false) {
        return Some(flat);
    }
    if !good.contains(&true) {
        return None;
    }
    let bad: Vec<usize> = (0..flat.len()).filter(|p| !good[*p]).collect();
    let boxes = mesh::usual_boxes([flat.len() / nx, nx]);
    let smooth = Background::of(&flat, nx, &mut good, Some(boxes));
    if matches!(smooth, Background::Level(_)) {
        tracing::warn!(
            "clean_flicker_noise: no box of {} x {} pixels of the flat field has enough values; pixels without one take the median",
            boxes[0],
            boxes[1]
        );
    }
    let mut values = vec![0.0; flat.len()];
    smooth.combine(&mut values, |v, b| *v = b);
    bad.into_iter().for_each(|p| flat[p] = values[p]);
    Some(flat)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise about 10 with a few sources.
    fn image() -> Vec<f32> {
        let noise = |i: usize| 10.0 + ((i * 7919 % 101) as f32 - 50.0) / 50.0;
        (0..1000usize)
            .map(|i| if i.is_multiple_of(10) { 40.0 } else { noise(i) })
            .collect()
    }

    #[test]
    fn sources_and_holes_are_not_background() {
        let mut image = image();
        image[3] = -500.0;
        let mut mask = vec![true; 1000];
        mask[7] = false;
        let limits = Limits {
            lower: 3.0,
            upper: 2.0,
            histogram: false,
            lower_half: false,
        };
        clip(&image, &mut mask, limits);
        let wrong = |i: usize| i.is_multiple_of(10) || i == 3 || i == 7;
        assert!((0..1000).all(|i| mask[i] != wrong(i)));
    }

    #[test]
    fn the_level_is_the_median_of_what_is_left() {
        let image = image();
        let mut mask = vec![true; 1000];
        let level = |mask: &mut [bool]| match Background::of(&image, 100, mask, None) {
            Background::Level(level) => level,
            Background::Model(_) => panic!("a model that nobody wants"),
        };
        let median = level(&mut mask);
        assert!((median - 10.0).abs() < 0.05, "{median}");
        assert!(!mask[0] && mask[1]);
        // an empty mask stays empty
        let mut none = vec![false; 1000];
        assert!(level(&mut none).is_nan() && !none.contains(&true));
    }

    #[test]
    fn mirrored_values_are_in_order() {
        let image = [3.0, 1.0, 2.0, 9.0, f32::NEG_INFINITY];
        let (values, by_size) = mirrored(&image, &[true; 5], &[1.0, 2.0, 3.0, 9.0], 3.0);
        assert_eq!(values, [3.0, 1.0, 2.0, 3.0, 5.0, 4.0]);
        assert_eq!(by_size, [1.0, 2.0, 3.0, 3.0, 4.0, 5.0]);
    }
}
