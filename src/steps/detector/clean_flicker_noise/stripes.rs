//! Stripes across the detector by medians: `fit_method = median`.

use crate::math::median::median_f32;

/// Columns whose values are gathered at a time.
const BLOCK: usize = 32;
/// Rows or columns of a full frame, which is read out in four channels.
const FULL: usize = 2048;
/// Rows or columns of a channel.
const CHANNEL: usize = 512;

/// Subtracts from each column (or row, where noise runs along rows) the median of its pixels in the mask; where there are none it
/// stays. `by_channel`: the medians of each quarter of a full frame apart.
pub fn remove(image: &mut [f32], mask: &[bool], nx: usize, columns: bool, by_channel: bool) {
    let ny = image.len().checked_div(nx).unwrap_or(0);
    let length = if columns { ny } else { nx };
    let channel = match by_channel && length == FULL {
        true => CHANNEL,
        false => length.max(1),
    };
    if !columns {
        let parts = image.chunks_mut(channel).zip(mask.chunks(channel));
        for (values, mask) in parts {
            let used = values.iter().zip(mask).filter(|(_, used)| **used);
            subtract(values, &mut used.map(|(v, _)| *v).collect::<Vec<f32>>());
        }
        return;
    }
    for (image, mask) in image
        .chunks_mut(channel * nx)
        .zip(mask.chunks(channel * nx))
    {
        let mut gathered: Vec<Vec<f32>> = (0..BLOCK).map(|_| Vec::with_capacity(channel)).collect();
        for first in (0..nx).step_by(BLOCK) {
            let block = first..(first + BLOCK).min(nx);
            gathered.iter_mut().for_each(Vec::clear);
            for (row, mask) in image.chunks(nx).zip(mask.chunks(nx)) {
                let pixels = row[block.clone()].iter().zip(&mask[block.clone()]);
                for (values, (v, used)) in gathered.iter_mut().zip(pixels) {
                    if *used {
                        values.push(*v);
                    }
                }
            }
            let stripes: Vec<f32> = gathered.iter_mut().map(|v| stripe(v)).collect();
            for row in image.chunks_mut(nx) {
                let pixels = row[block.clone()].iter_mut().zip(&stripes);
                pixels.for_each(|(v, stripe)| *v -= stripe);
            }
        }
    }
}

/// The median, 0 of nothing.
fn stripe(values: &mut [f32]) -> f32 {
    match values.is_empty() {
        true => 0.0,
        false => median_f32(values),
    }
}

fn subtract(values: &mut [f32], used: &mut [f32]) {
    let stripe = stripe(used);
    values.iter_mut().for_each(|v| *v -= stripe);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_and_rows_lose_their_medians() {
        let image = [1.0, 10.0, 2.0, 20.0, 9.0, 99.0];
        let mask = [true, false, true, false, false, false];
        let mut columns = image;
        remove(&mut columns, &mask, 2, true, false);
        assert_eq!(columns, [-0.5, 10.0, 0.5, 20.0, 7.5, 99.0]);
        let mut rows = image;
        remove(&mut rows, &mask, 2, false, true);
        assert_eq!(rows, [0.0, 9.0, 0.0, 18.0, 9.0, 99.0]);
    }

    #[test]
    fn channels_of_a_full_frame_have_medians_of_their_own() {
        let mut image: Vec<f32> = (0..2048).flat_map(|y| [(y / 512) as f32; 2]).collect();
        remove(&mut image, &[true; 4096], 2, true, true);
        assert!(image.iter().all(|v| *v == 0.0));
        let mut image: Vec<f32> = (0..2048).flat_map(|y| [(y / 512) as f32; 2]).collect();
        remove(&mut image, &[true; 4096], 2, true, false);
        assert_eq!((image[0], image[4095]), (-1.5, 1.5));
    }
}
