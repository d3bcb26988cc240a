//! Where a slice holds compact sources: the places along it where the splines are steep.

/// Fewer steep pixels show no source.
const ENOUGH: usize = 50;
/// Peaks of the histogram, as a part of the largest.
const PEAK: f64 = 0.2;

/// Parts of a slice around compact sources: above the first and up to the second alpha of each.
pub type Parts = Vec<(f64, f64)>;

/// The parts of a slice around the peaks in the density of `steep` alphas; `pixel` is the step of alpha from
/// pixel to pixel, `bins` the number of bins, half a pixel wide each, `pad` the pixels around a peak that belong to the source.
pub fn parts(steep: &[f32], pixel: f32, bins: Option<usize>, pad: f32) -> Parts {
    let Some(bins) = bins.filter(|b| *b > 0 && steep.len() >= ENOUGH) else {
        return Vec::new();
    };
    let Some(density) = density(steep, pixel * bins as f32 / 4.0, bins) else {
        return Vec::new();
    };
    let (pixel, edge) = (f64::from(pixel), f64::from(pixel * bins as f32 / 4.0));
    let pad = f64::from(pad * pixel as f32);
    let top = density.iter().copied().fold(f64::NAN, f64::max);
    let relative: Vec<f64> = density.iter().map(|d| d / top).collect();
    peaks(&relative)
        .into_iter()
        .filter(|k| relative[*k] >= PEAK)
        .map(|k| {
            let at = k as f64 * pixel / 2.0 - edge;
            (at - pad, at + pad)
        })
        .collect()
}

/// Whether a place is in one of the parts.
pub fn holds(parts: &Parts, alpha: f64) -> bool {
    parts
        .iter()
        .any(|(low, high)| alpha > *low && alpha <= *high)
}

/// Density of values in equal bins from `-edge` to `edge`, as `numpy.histogram` in single precision counts
/// them; none where there are no such bins.
fn density(values: &[f32], edge: f32, bins: usize) -> Option<Vec<f64>> {
    let (first, last) = (-edge, edge);
    let step = (last - first) / bins as f32;
    let mut edges: Vec<f32> = (0..bins).map(|k| k as f32 * step + first).collect();
    edges.push(last);
    // also for NaN
    if !edges.windows(2).all(|w| w[0] < w[1]) {
        return None;
    }
    let width = last - first;
    let mut counts = vec![0u64; bins];
    for v in values.iter().filter(|v| **v >= first && **v <= last) {
        let mut k = (((v - first) / width * bins as f32) as usize).min(bins - 1);
        // the number may be off by one for rounding
        if *v < edges[k] && k > 0 {
            k -= 1;
        }
        if k + 1 < bins && *v >= edges[k + 1] {
            k += 1;
        }
        counts[k] += 1;
    }
    let total = counts.iter().sum::<u64>() as f64;
    let widths = edges.windows(2).map(|w| f64::from(w[1] - w[0]));
    let density = counts
        .iter()
        .zip(widths)
        .map(|(n, w)| *n as f64 / w / total);
    Some(density.collect())
}

/// Local maxima inside the sequence; of flat ones the middle.
fn peaks(values: &[f64]) -> Vec<usize> {
    let mut out = Vec::new();
    let mut i = 1;
    while i + 1 < values.len() {
        if values[i - 1] < values[i] {
            let mut ahead = i + 1;
            while ahead + 1 < values.len() && values[ahead] == values[i] {
                ahead += 1;
            }
            if values[ahead] < values[i] {
                out.push((i + ahead - 1) / 2);
                i = ahead;
            }
        }
        i += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_of_scipy() {
        // scipy.signal.find_peaks([0, 2, 1, 3, 3, 3, 0, 1, 1]) and of a sequence that only rises
        assert_eq!(
            peaks(&[0.0, 2.0, 1.0, 3.0, 3.0, 3.0, 0.0, 1.0, 1.0]),
            [1, 4]
        );
        assert!(peaks(&[0.0, 1.0, 2.0]).is_empty());
        assert!(peaks(&[f64::NAN; 5]).is_empty());
    }

    #[test]
    fn a_source_and_its_surroundings() {
        let steep: Vec<f32> = (0..60).map(|i| 0.5 + (i % 5) as f32 * 0.01).collect();
        let parts = parts(&steep, 0.2, Some(36), 3.0);
        assert_eq!(parts.len(), 1);
        assert!(holds(&parts, 0.5) && !holds(&parts, -0.3) && !holds(&parts, 1.5));
        assert!(super::parts(&steep[..49], 0.2, Some(36), 3.0).is_empty());
        assert!(super::parts(&steep, 0.2, None, 3.0).is_empty());
        assert!(super::parts(&steep, f32::NAN, Some(36), 3.0).is_empty());
    }

    #[test]
    fn values_on_the_edges_of_bins() {
        // np.histogram(np.float32([-1, -0.5, 0, 0.5, 1, 1.5]), 4, (np.float32(-1), np.float32(1)), density=True)
        let d = density(&[-1.0, -0.5, 0.0, 0.5, 1.0, 1.5], 1.0, 4).unwrap();
        assert_eq!(d, [0.4, 0.4, 0.4, 0.8]);
    }
}
