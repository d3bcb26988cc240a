//! One step on an array: spikes taken out of an image by the kernel of the `despike` step.
//!
//! `cargo run --example despike_array`

use sifu::steps::planet::despike::clean;

fn main() {
    // a smooth image with two spikes
    let (ny, nx) = (40, 50);
    let mut image: Vec<f32> = (0..ny * nx)
        .map(|k| 100.0 + (k % nx) as f32 + 0.3 * (k as f32 * 0.7).sin())
        .collect();
    image[10 * nx + 20] = 5000.0;
    image[30 * nx + 5] = -900.0;
    // three rounds with a window of 9 x 9 pixels; what is more than 7 standard deviations off becomes NaN
    clean(&mut image, nx, &[9, 9, 9], 7.0);
    let removed: Vec<(usize, usize)> = (0..image.len())
        .filter(|k| image[*k].is_nan())
        .map(|k| (k % nx, k / nx))
        .collect();
    println!("removed (x, y): {removed:?}");
    assert_eq!(removed, [(20, 10), (5, 30)]);
}
