//! Coordinates of every pixel of the detector at once.

use super::pipeline::Mrs;
use crate::model::DetectorMap;
use crate::wcs::pointing::NearbySky;

/// Points of a slice worked on at once: intermediate columns stay in the nearest cache.
const CHUNK: usize = 1024;

impl Mrs {
    /// Maps the whole detector. Alpha, beta and lambda are those of [`Mrs::gwcs`] to the bit; the sky is within its
    /// rounding (1e-9 arcsec).
    pub fn detector_map(&self) -> DetectorMap {
        let (ny, nx) = (self.ny, self.nx);
        let refs = &self.references;
        let nan = || vec![f64::NAN; ny * nx];
        let mut map = DetectorMap {
            ny,
            nx,
            slice: vec![0; ny * nx],
            alpha: nan(),
            beta: nan(),
            lambda: nan(),
            ra: nan(),
            dec: nan(),
        };
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); refs.slices.len()];
        for y in 0..ny {
            let labels = &refs.regions[y * refs.nx..][..nx];
            let mut last = (0, None);
            for (x, label) in labels.iter().enumerate() {
                if *label != last.0 {
                    let at = refs.slices.iter().position(|s| s.label == *label);
                    last = (*label, at);
                }
                if let Some(at) = last.1 {
                    members[at].push(y * nx + x);
                }
            }
        }
        let sky = NearbySky::new(&self.pointing);
        let velocity = self.pointing.velocity_correction();
        for (slice, members) in refs.slices.iter().zip(&members) {
            let lambda_model = slice.corrected_lambda(velocity.as_ref());
            for members in members.chunks(CHUNK) {
                let x: Vec<f64> = members.iter().map(|k| (k % nx) as f64).collect();
                let y: Vec<f64> = members.iter().map(|k| (k / nx) as f64).collect();
                let one = |t: &crate::wcs::Transform, inputs: &[&[f64]]| t.values(inputs).remove(0);
                let alpha = one(&slice.alpha, &[&y, &x]);
                let beta = one(&slice.beta, &[&x]);
                let lambda = one(&lambda_model, &[&y, &x]);
                // channels' ranges do not overlap
                for channel in &refs.channels {
                    let inside = |l: &f64| *l > channel.range.0 && *l < channel.range.1;
                    if !lambda.iter().any(inside) {
                        continue;
                    }
                    let v23 = channel.to_v2v3.values(&[&alpha, &beta]);
                    for (i, k) in members.iter().enumerate() {
                        if inside(&lambda[i]) {
                            [map.ra[*k], map.dec[*k]] = sky.at(v23[0][i], v23[1][i]);
                        }
                    }
                }
                for (i, k) in members.iter().enumerate() {
                    map.slice[*k] = u16::try_from(slice.label).unwrap_or(0);
                    map.alpha[*k] = alpha[i];
                    map.beta[*k] = beta[i];
                    map.lambda[*k] = lambda[i];
                }
            }
        }
        map
    }
}
