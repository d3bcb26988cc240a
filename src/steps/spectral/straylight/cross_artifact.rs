//! The light a row's pixels scatter along their row: a broad Lorentzian and two pairs of Gaussian peaks.
//!
//! The sums agree with those of jwst's compiled kernel to the last bit: every source pixel adds its five
//! terms to a pixel one after the other, in order of the source's column. What makes it fast: the terms
//! depend on the distance only, so that a row needs few exponentials; sources without light are left
//! out; a peak is left out where its term is so much below the Lorentzian of the same source, added just before, that it
//! would be lost in rounding; and processors that have fused multiplications divide by reciprocals, corrected so that every
//! quotient is rounded as a division rounds it.

use std::ops::Range;

use crate::math::wide::wide;

/// Parameters of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Profile {
    /// Half width at half maximum of the Lorentzian in pixels.
    pub gamma: f64,
    /// Its height, relative to the source.
    pub height: f64,
    /// Standard deviation of the inner peaks in pixels; half that of the outer ones.
    pub sigma: f64,
    /// Distance of the inner peaks from the source in pixels; half that of the outer ones.
    pub offset: f64,
    /// Height of the inner peaks.
    pub inner: f64,
    /// Height of the outer peaks.
    pub outer: f64,
}

/// One peak: its values from a distance on.
struct Peak {
    height: f64,
    first: isize,
    values: Vec<f64>,
}

/// Terms by distance (of a pixel from its source).
struct Terms {
    lowest: isize,
    /// Denominators of the Lorentzian from the lowest distance on.
    below: Vec<f64>,
    /// One over each of them, where quotients can be made of these.
    reciprocals: Option<Vec<f64>>,
    peaks: Vec<Peak>,
    /// Whether a source without light adds nothing.
    finite: bool,
}

impl Profile {
    /// A term is lost in rounding when added to more than 2^54 of its size; 2^56 leaves room for the
    /// rounding of the terms themselves.
    const LOST: f64 = 1.0 / (1u64 << 56) as f64;

    fn terms(&self, sources: &Range<usize>, columns: usize) -> Terms {
        let lowest = 1 - sources.end as isize;
        let highest = columns as isize - 1 - sources.start as isize;
        let square = self.gamma * self.gamma;
        let distance = |d: isize| d as f64;
        let below: Vec<f64> = (lowest..=highest)
            .map(|d| square + distance(d) * distance(d))
            .collect();

        let inner = 2.0 * self.sigma * self.sigma;
        let outer = 8.0 * self.sigma * self.sigma;
        let values = [
            self.gamma,
            self.height,
            self.offset,
            inner,
            self.inner,
            self.outer,
        ];
        let finite = values.iter().all(|v| v.is_finite()) && square > 0.0 && inner > 0.0;
        let adds_up = finite && self.height > 0.0 && self.inner >= 0.0 && self.outer >= 0.0;
        let far = distance(lowest.abs().max(highest));
        let least = self.height * square / (square + far * far);
        let peaks = [
            (self.inner, self.offset, inner),
            (self.inner, -self.offset, inner),
            (self.outer, 2.0 * self.offset, outer),
            (self.outer, -(2.0 * self.offset), outer),
        ];
        let peak = |(height, offset, width): (f64, f64, f64)| {
            let cut = match adds_up {
                true => (least * Self::LOST / height).ln() - 0.5,
                false => f64::NEG_INFINITY,
            };
            let exponent = |d: isize| {
                let x = distance(d) - offset;
                -(x * x) / width
            };
            let counts = |d: &isize| {
                let e = exponent(*d);
                e.is_nan() || e >= cut
            };
            let first = (lowest..=highest).find(counts).unwrap_or(lowest);
            let last = (lowest..=highest).rev().find(counts);
            let values = last.map_or(Vec::new(), |last| {
                (first..=last).map(|d| exponent(d).exp()).collect()
            });
            Peak {
                height,
                first,
                values,
            }
        };
        Terms {
            lowest,
            reciprocals: reciprocals(&below),
            below,
            peaks: peaks.into_iter().map(peak).collect(),
            finite,
        }
    }
}

/// Numbers whose quotients and remainders are far from the least and the largest there are.
const ORDINARY: std::ops::RangeInclusive<f64> = 1e-100..=1e100;

/// One over each value; none where [`add_quotients`] cannot be used.
fn reciprocals(values: &[f64]) -> Option<Vec<f64>> {
    #[cfg(target_arch = "x86_64")]
    let fused = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    let fused = false;
    let usable = fused && values.iter().all(|v| ORDINARY.contains(v));
    usable.then(|| values.iter().map(|v| 1.0 / v).collect())
}

/// Adds `above / below` to each sum, given what [`reciprocals`] gave. All numbers are [`ORDINARY`].
#[cfg(target_arch = "x86_64")]
fn add_quotients(sums: &mut [f64], above: f64, below: &[f64], reciprocals: &[f64]) {
    /// Two corrections by the remainder, which a fused multiplication has exactly, leave the quotient correctly rounded:
    /// the first takes it to within a unit in the last place (Markstein 1990, doi:10.1147/rd.341.0111).
    #[inline(always)]
    fn fused(sums: &mut [f64], above: f64, below: &[f64], reciprocals: &[f64]) {
        for ((sum, b), r) in sums.iter_mut().zip(below).zip(reciprocals) {
            let mut q = above * r;
            for _ in 0..2 {
                let remainder = (-q).mul_add(*b, above);
                q = remainder.mul_add(*r, q);
            }
            *sum += q;
        }
    }
    #[target_feature(enable = "avx2,fma")]
    fn of_four(sums: &mut [f64], above: f64, below: &[f64], reciprocals: &[f64]) {
        fused(sums, above, below, reciprocals);
    }
    #[target_feature(enable = "avx512f")]
    fn of_eight(sums: &mut [f64], above: f64, below: &[f64], reciprocals: &[f64]) {
        fused(sums, above, below, reciprocals);
    }
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the processor has these instructions.
        return unsafe { of_eight(sums, above, below, reciprocals) };
    }
    // SAFETY: there are reciprocals only where the processor has these instructions.
    unsafe { of_four(sums, above, below, reciprocals) }
}

/// As there are no reciprocals on this processor, is not used.
#[cfg(not(target_arch = "x86_64"))]
fn add_quotients(sums: &mut [f64], above: f64, below: &[f64], _: &[f64]) {
    for (sum, below) in sums.iter_mut().zip(below) {
        *sum += above / below;
    }
}

wide! {
    /// Adds the values times a factor, as far as there are both.
    fn add_scaled(sums: &mut [f64], factor: f64, values: &[f64]) {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += factor * value;
        }
    }
}

/// What the pixels of a row within `sources` scatter over it: `model` gets a value a column, in the unit of
/// `light`. Negative light counts as none.
pub fn scatter(light: &[f32], sources: Range<usize>, profile: &Profile, model: &mut [f64]) {
    let columns = model.len();
    let terms = profile.terms(&sources, columns);
    model.fill(0.0);
    for source in sources {
        let light = f64::from(if light[source] < 0.0 {
            0.0
        } else {
            light[source]
        });
        if light == 0.0 && terms.finite {
            continue;
        }
        let source = source as isize;
        let above = light * profile.height * profile.gamma * profile.gamma;
        let start = (-source - terms.lowest) as usize;
        let range = start..start + columns;
        let below = &terms.below[range.clone()];
        match &terms.reciprocals {
            Some(reciprocals) if ORDINARY.contains(&above) => {
                add_quotients(model, above, below, &reciprocals[range]);
            }
            _ => {
                for (sum, below) in model.iter_mut().zip(below) {
                    *sum += above / below;
                }
            }
        }
        for peak in &terms.peaks {
            let from = (source + peak.first).clamp(0, columns as isize) as usize;
            let cut = (from as isize - source - peak.first).max(0) as usize;
            let factor = light * peak.height;
            let values = peak.values.get(cut..).unwrap_or_default();
            add_scaled(&mut model[from..], factor, values);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every term of every source, in order.
    fn in_full(light: &[f32], sources: Range<usize>, p: &Profile, columns: usize) -> Vec<f64> {
        let mut out = vec![0.0; columns];
        for i in sources {
            let f = f64::from(light[i]).max(0.0);
            for (k, sum) in out.iter_mut().enumerate() {
                let d = k as f64 - i as f64;
                let peak = |x: f64, w: f64| (-(x * x) / (w * p.sigma * p.sigma)).exp();
                *sum += (f * p.height * p.gamma * p.gamma) / (p.gamma * p.gamma + d * d);
                *sum += f * p.inner * peak(d - p.offset, 2.0);
                *sum += f * p.inner * peak(d + p.offset, 2.0);
                *sum += f * p.outer * peak(d - 2.0 * p.offset, 8.0);
                *sum += f * p.outer * peak(d + 2.0 * p.offset, 8.0);
            }
        }
        out
    }

    fn usual() -> Profile {
        Profile {
            gamma: 37.25,
            height: 3.1e-4,
            sigma: 1.9,
            offset: 18.3,
            inner: 1.4e-3,
            outer: 6.1e-4,
        }
    }

    #[test]
    fn quotients_by_reciprocals_are_those_of_divisions() {
        let mut state = 1u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            // significands with many bits at either end of their range are the difficult ones
            let bits = match state >> 62 {
                0 => state >> 12,
                1 => (state >> 50) | 0xF_FFFF_FFFF_F000,
                2 => (state >> 50) & 0xFFF,
                _ => (state >> 12) & 0xF_FFFF_0000_0000,
            };
            f64::from_bits((1023 << 52) | (bits & ((1 << 52) - 1)))
        };
        let below: Vec<f64> = (0..4000)
            .map(|i| next() * f64::from(1 + i % 1000))
            .collect();
        let Some(reciprocals) = reciprocals(&below) else {
            return;
        };
        for _ in 0..500 {
            let above = 1e-3 * next();
            let mut got = vec![0.0; below.len()];
            add_quotients(&mut got, above, &below, &reciprocals);
            for (got, below) in got.iter().zip(&below) {
                assert_eq!(
                    got.to_bits(),
                    (above / below).to_bits(),
                    "{above:e} {below:e}"
                );
            }
        }
        assert_eq!(super::reciprocals(&[1.0, 0.0]), None);
        assert_eq!(super::reciprocals(&[1.0, f64::NAN]), None);
    }

    #[test]
    fn what_is_left_out_changes_no_bit() {
        let mut seed = 7u64;
        let mut next = || {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1);
            (seed >> 40) as f32 / (1u64 << 24) as f32
        };
        let light: Vec<f32> = (0..300)
            .map(|_| (next() - 0.4).powi(3) * 1e4f32.powf(4.0 * next() - 2.0))
            .collect();
        let profiles = [
            usual(),
            Profile {
                inner: 0.0,
                ..usual()
            },
            // no Lorentzian to hide behind
            Profile {
                height: 0.0,
                ..usual()
            },
            Profile {
                inner: -1e-3,
                ..usual()
            },
            Profile {
                gamma: 0.3,
                sigma: 11.0,
                offset: 140.0,
                ..usual()
            },
        ];
        for profile in profiles {
            for sources in [0..150, 150..300, 40..41, 10..10] {
                let mut model = vec![f64::NAN; 300];
                scatter(&light, sources.clone(), &profile, &mut model);
                assert_eq!(model, in_full(&light, sources, &profile, 300));
            }
        }
    }

    #[test]
    fn profiles_that_are_no_numbers_give_nan() {
        for profile in [
            Profile {
                gamma: 0.0,
                ..usual()
            },
            Profile {
                sigma: 0.0,
                offset: 3.0,
                ..usual()
            },
            Profile {
                inner: f64::NAN,
                ..usual()
            },
        ] {
            let mut model = vec![0.0; 20];
            scatter(&[0.0; 20], 0..20, &profile, &mut model);
            assert!(model.iter().all(|v| v.is_nan()), "{profile:?}");
        }
    }
}
