//! The least-squares fit of stcal 1.20 (`OLS_C`) for a strip of pixels, one integration after the other.
//!
//! An integration's slope and read noise need nothing but that integration. Its photon noise, and so
//! its error, needs the median rate of all of them. [`OlsFit`] therefore goes over the integrations
//! twice, over the ramps in [`OlsFit::add`] and then, without the ramps, in [`OlsFit::complete`];
//! between the two it keeps four bytes per pixel and integration (the lengths of the segments).
//! Feeding integrations from a file one by one gives the same bits as feeding them from memory.
//!
//! No threads and no allocation per pixel here.

use super::groups::{DNU, GroupPlan, SAT};
use super::lanes::{Lanes, WIDTH, complete};
use super::noise::{LARGE_VARIANCE, PixelNoise, drop_large};
use super::optional::OptionalFit;
use super::pixel::{IntegrationFit, RampRows, Setup, Workspace};
use super::shapes::Shapes;
use super::timing::Timing;
use crate::model::dq;

/// Flags with which a rate has no value.
pub(super) const INVALID: u32 = (DNU | SAT) as u32;

/// What the fit reads once for each pixel of the strip.
#[derive(Debug, Clone, Copy)]
pub struct PixelRows<'a> {
    /// Pixel flags.
    pub pixeldq: &'a [u32],
    /// Gain in electrons/DN.
    pub gain: &'a [f32],
    /// Noise of the difference of two frames (CDS) in DN, as in the readnoise reference file.
    pub readnoise: &'a [f32],
    /// Mean dark current in DN/s.
    pub dark_current: Option<&'a [f32]>,
}

/// The planes of a rate (or of one integration of rateints) to write, `[pixel]` each.
#[derive(Debug)]
pub struct RateRows<'a> {
    /// Count rate in DN/s.
    pub sci: &'a mut [f32],
    /// Total error in DN/s.
    pub err: &'a mut [f32],
    /// Pixel flags.
    pub dq: &'a mut [u32],
    /// Variance by photon noise in (DN/s)².
    pub var_poisson: &'a mut [f32],
    /// Variance by read noise in (DN/s)².
    pub var_rnoise: &'a mut [f32],
}

/// A fit under way. Create it with [`OlsFit::new`], [`add`](Self::add) every integration,
/// [`complete`](Self::complete) every integration, then [`finish`](Self::finish).
#[derive(Debug)]
pub struct OlsFit {
    pub(super) setup: Setup,
    /// Gain in electrons/DN.
    pub(super) gain: Vec<f32>,
    /// Mean dark current in DN/s.
    dark_current: Option<Vec<f32>>,
    /// Pixel flags, with those of a bad gain.
    pub(super) pixeldq: Vec<u32>,
    /// Noise of one group in electrons.
    pub(super) rnoise: Vec<f64>,
    pub(super) sums: ExposureSums,
    pub(super) shapes: Shapes,
    pub(super) workspace: Workspace,
    optional: Option<OptionalFit>,
    integrations: u32,
}

/// Sums over integrations, `[pixel]` each.
#[derive(Debug)]
pub(super) struct ExposureSums {
    pub median_rate: Vec<f64>,
    pub inverse_read: Vec<f64>,
    pub weighted_slope: Vec<f64>,
    inverse_poisson: Vec<f64>,
    chargeloss: Vec<f64>,
    marks: Vec<Marks>,
}

/// What the flagged integrations of a pixel leave for the exposure.
#[derive(Debug, Clone, Copy, Default)]
struct Marks {
    dq: u32,
    unusable: u32,
    saturated: u32,
    partly_saturated: bool,
    chargeloss: bool,
}

impl OlsFit {
    /// Prepares the fit of a strip. `save_opt` keeps what the optional product needs.
    pub fn new(timing: &Timing, plan: GroupPlan, pixels: PixelRows, save_opt: bool) -> Self {
        let n = pixels.pixeldq.len();
        let cds = (2.0 * f64::from(timing.nframes)).sqrt();
        let rnoise =
            |(r, g): (&f32, &f32)| f64::from((f64::from(*r) * (f64::from(*g) / cds)) as f32);
        let flags = |(dq, gain): (&u32, &f32)| match *gain > 0.0 {
            true => *dq,
            false => dq | dq::DO_NOT_USE | dq::NO_GAIN_VALUE,
        };
        let zeros = || vec![0.0; n];
        Self {
            setup: Setup {
                times: timing.fit_times(),
                plan,
                optional: save_opt,
            },
            gain: pixels.gain.to_vec(),
            dark_current: pixels.dark_current.map(<[f32]>::to_vec),
            pixeldq: pixels.pixeldq.iter().zip(pixels.gain).map(flags).collect(),
            rnoise: pixels
                .readnoise
                .iter()
                .zip(pixels.gain)
                .map(rnoise)
                .collect(),
            sums: ExposureSums {
                median_rate: zeros(),
                inverse_read: zeros(),
                weighted_slope: zeros(),
                inverse_poisson: zeros(),
                chargeloss: zeros(),
                marks: vec![Marks::default(); n],
            },
            shapes: Shapes::default(),
            workspace: Workspace::default(),
            optional: save_opt.then(OptionalFit::default),
            integrations: 0,
        }
    }

    /// Fits the next integration: writes `sci`, `dq` and `var_rnoise` of `out`.
    pub fn add(&mut self, rows: &RampRows, out: &mut RateRows) {
        let n = self.pixeldq.len();
        self.integrations += 1;
        self.shapes.begin(n);
        if let Some(optional) = &mut self.optional {
            optional.begin();
        }
        // The optional product needs each segment's values, which the quick way does not make.
        let mut lanes = (!self.setup.optional).then(|| Lanes::new(&self.setup, rows));
        for first in (0..n).step_by(WIDTH) {
            let whole = first + WIDTH <= n;
            let rest = match lanes.as_mut().filter(|_| whole) {
                Some(lanes) => lanes.add(self, first, out),
                None => [true; WIDTH],
            };
            for (pixel, _) in (first..n).zip(rest).filter(|(_, rest)| *rest) {
                self.add_pixel(rows, pixel, out);
            }
        }
    }

    fn add_pixel(&mut self, rows: &RampRows, pixel: usize, out: &mut RateRows) {
        let noise = self.noise(pixel);
        let fit = self
            .workspace
            .fit(&self.setup, &noise, self.pixeldq[pixel], rows, pixel);
        self.sums.add(pixel, &fit);
        self.shapes
            .set(pixel, &self.workspace.fits, &fit, noise.gain > 0.0);

        let mut slope = if fit.unusable { f64::NAN } else { fit.slope };
        if let Some(optional) = &mut self.optional {
            let level = self.workspace.first_signal() - slope * self.setup.times.pedestal;
            let none = fit.saturated || level.is_nan();
            optional.add(&self.workspace, if none { 0.0 } else { level });
        }
        if fit.saturated {
            slope = f64::NAN;
        }
        out.sci[pixel] = slope as f32;
        out.var_rnoise[pixel] = fit.var_rnoise as f32;
        out.dq[pixel] = if fit.partly_saturated {
            fit.dq | dq::SATURATED
        } else {
            fit.dq
        };
    }

    /// Writes `var_poisson` and `err` of the next integration, in the order they were added.
    /// Does nothing once all have been completed.
    pub fn complete(&mut self, out: &mut RateRows) {
        let Some(codes) = self.shapes.take() else {
            return;
        };
        let simple = |code: &u32| Shapes::only_length(*code).is_some();
        for (block, codes) in codes.chunks(WIDTH).enumerate() {
            let first = block * WIDTH;
            match <&[u32; WIDTH]>::try_from(codes) {
                Ok(codes) if codes.iter().all(simple) => self.complete_block(codes, first, out),
                _ => {
                    for (pixel, code) in codes.iter().enumerate() {
                        self.complete_pixel(*code, first + pixel, out);
                    }
                }
            }
        }
        if let Some(optional) = &mut self.optional {
            let integrations = f64::from(self.integrations);
            let rate = |pixel: usize| self.sums.median_rate[pixel] / integrations;
            let noise = |pixel| {
                noise(
                    &self.gain,
                    &self.rnoise,
                    self.dark_current.as_deref(),
                    pixel,
                )
            };
            optional.complete(|pixel, s| {
                noise(pixel).poisson(&self.setup.times, s.len, s.lone, rate(pixel))
            });
        }
    }

    fn complete_block(&mut self, codes: &[u32; WIDTH], first: usize, out: &mut RateRows) {
        let integrations = f64::from(self.integrations);
        let noises: [PixelNoise; WIDTH] = std::array::from_fn(|l| self.noise(first + l));
        let rates = std::array::from_fn(|l| self.sums.median_rate[first + l] / integrations);
        let spans = codes.map(|len| self.setup.times.span(len));
        let [variance, error, inverse] = complete(&noises, &rates, &spans);
        for l in 0..WIDTH {
            let pixel = first + l;
            let valid = self.pixeldq[pixel] & INVALID == 0;
            self.sums.inverse_poisson[pixel] += inverse[l];
            out.var_poisson[pixel] = if valid { variance[l] as f32 } else { 0.0 };
            out.err[pixel] = if valid { error[l] as f32 } else { 0.0 };
            if self.sums.marks[pixel].chargeloss {
                self.add_chargeloss(codes[l], pixel);
            }
        }
    }

    fn complete_pixel(&mut self, code: u32, pixel: usize, out: &mut RateRows) {
        let (noise, times) = (self.noise(pixel), &self.setup.times);
        let rate = self.sums.median_rate[pixel] / f64::from(self.integrations);
        let shape = self.shapes.get(&code);
        let (mut inverse_poisson, mut inverse) = (0.0, 0.0);
        for len in shape.lengths.iter().map(|len| *len as usize) {
            let poisson = noise.poisson(times, len, shape.lone, rate);
            if poisson > 0.0 {
                inverse_poisson += 1.0 / poisson;
            }
            inverse += 1.0 / (poisson + noise.read(times, len, shape.lone));
        }
        let (mut variance, mut error) = (0.0, 0.0);
        if !shape.lengths.is_empty() && self.pixeldq[pixel] & INVALID == 0 {
            if inverse_poisson > 0.0 {
                variance = drop_large(1.0 / inverse_poisson);
            }
            let total = 1.0 / inverse;
            error = if total > LARGE_VARIANCE {
                0.0
            } else {
                total.sqrt()
            };
        }
        out.var_poisson[pixel] = variance as f32;
        out.err[pixel] = error as f32;
        if inverse_poisson > 0.0 {
            self.sums.inverse_poisson[pixel] += inverse_poisson;
        }
        if self.sums.marks[pixel].chargeloss {
            self.add_chargeloss(code, pixel);
        }
    }

    /// Sums the read noise of a pixel that has CHARGELOSS groups in some integration.
    fn add_chargeloss(&mut self, code: u32, pixel: usize) {
        let noise = self.noise(pixel);
        let shape = self.shapes.get(&code);
        self.sums.chargeloss[pixel] += shape.chargeloss.unwrap_or_else(|| {
            let read = |len: &u32| 1.0 / noise.read(&self.setup.times, *len as usize, shape.lone);
            let variance =
                drop_large(1.0 / shape.lengths.iter().map(read).fold(0.0, |sum, v| sum + v));
            let counts = variance > 0.0 && self.pixeldq[pixel] & INVALID == 0;
            if counts { 1.0 / variance } else { 0.0 }
        });
    }

    /// Writes the exposure's rate and returns what the optional product needs, if it was asked for.
    pub fn finish(self, out: &mut RateRows) -> Option<OptionalFit> {
        for pixel in 0..self.pixeldq.len() {
            let marks = &self.sums.marks[pixel];
            let mut flags = self.pixeldq[pixel] | marks.dq;
            if marks.unusable == self.integrations {
                flags |= dq::DO_NOT_USE;
            }
            if marks.saturated == self.integrations {
                flags |= dq::SATURATED;
            }
            let mut poisson = invert_positive(self.sums.inverse_poisson[pixel]);
            let mut read = invert_positive(self.sums.inverse_read[pixel]);
            let mut error = (poisson + read).sqrt();
            let mut slope = self.sums.weighted_slope[pixel] * read;
            if flags & INVALID != 0 {
                (slope, poisson, read, error) = (f64::NAN, 0.0, 0.0, 0.0);
            }
            if marks.chargeloss {
                let sum = self.sums.chargeloss[pixel];
                read = drop_large(if sum > 0.0 { 1.0 / sum } else { read });
            }
            if marks.partly_saturated {
                flags |= dq::SATURATED;
            }
            out.sci[pixel] = slope as f32;
            out.err[pixel] = error as f32;
            out.dq[pixel] = flags;
            out.var_poisson[pixel] = poisson as f32;
            out.var_rnoise[pixel] = read as f32;
        }
        self.optional
    }

    fn noise(&self, pixel: usize) -> PixelNoise {
        noise(
            &self.gain,
            &self.rnoise,
            self.dark_current.as_deref(),
            pixel,
        )
    }
}

fn noise(gain: &[f32], rnoise: &[f64], dark_current: Option<&[f32]>, pixel: usize) -> PixelNoise {
    PixelNoise {
        gain: f64::from(gain[pixel]),
        rnoise: rnoise[pixel],
        dark: dark_current.map_or(0.0, |dark| f64::from(dark[pixel])),
    }
}

/// A variance from a sum of inverse ones; a sum that is not positive is passed on.
fn invert_positive(sum: f64) -> f64 {
    drop_large(if sum > 0.0 { 1.0 / sum } else { sum })
}

impl ExposureSums {
    fn add(&mut self, pixel: usize, fit: &IntegrationFit) {
        self.median_rate[pixel] += fit.median_rate;
        self.inverse_read[pixel] += fit.inverse_read;
        self.weighted_slope[pixel] += fit.weighted_slope;
        let marks = &mut self.marks[pixel];
        marks.dq |= fit.exposure_dq;
        marks.unusable += u32::from(fit.unusable);
        marks.saturated += u32::from(fit.saturated);
        marks.partly_saturated |= fit.partly_saturated;
        marks.chargeloss |= fit.chargeloss.is_some();
    }
}

#[cfg(test)]
mod tests {
    use super::super::groups::GroupScan;
    use super::*;

    const JUMP: u8 = dq::JUMP_DET as u8;

    /// Fits ramps of one pixel, `[integration][group]`; group time 10 s, gain 2, one-read noise 8 electrons.
    /// Gives the rate, and of every integration and the rate: slope, error, variances, flags.
    fn fit(ramps: &[(&[f32], &[u8])], pixeldq: u32, gain: f32) -> Vec<([f32; 4], u32)> {
        let timing = Timing {
            frame_time: 10.0,
            group_time: 10.0,
            nframes: 1,
            groupgap: 0,
            drop_frames1: 0,
        };
        let ngroups = ramps[0].0.len();
        let mut scan = GroupScan::new(ngroups, 0..ngroups, false);
        // Another pixel, without flags, so that the exposure can be fitted.
        scan.add(&vec![[0].as_slice(); ngroups]);
        let readnoise = 4.0 * std::f32::consts::SQRT_2;
        let pixels = PixelRows {
            pixeldq: &[pixeldq],
            gain: &[gain],
            readnoise: &[readnoise],
            dark_current: Some(&[0.5]),
        };
        let mut fit = OlsFit::new(&timing, scan.plan(false).unwrap(), pixels, false);
        let mut out = vec![([f32::INFINITY; 4], 0); ramps.len() + 1];
        fn rows(out: &mut ([f32; 4], u32)) -> RateRows<'_> {
            let ([sci, err, var_poisson, var_rnoise], dq) = out;
            let one = std::slice::from_mut;
            RateRows {
                sci: one(sci),
                err: one(err),
                dq: std::slice::from_mut(dq),
                var_poisson: one(var_poisson),
                var_rnoise: one(var_rnoise),
            }
        }
        for ((data, flags), out) in ramps.iter().zip(&mut out) {
            let (data, groupdq): (Vec<_>, Vec<_>) =
                (data.chunks(1).collect(), flags.chunks(1).collect());
            fit.add(
                &RampRows {
                    data: &data,
                    groupdq: &groupdq,
                    zeroframe: None,
                },
                &mut rows(out),
            );
        }
        let last = ramps.len();
        out[..last]
            .iter_mut()
            .for_each(|out| fit.complete(&mut rows(out)));
        fit.finish(&mut rows(&mut out[last]));
        out
    }

    /// Fits two integrations of a strip of pixels in strips of so many; the bits of all planes, of integrations and exposure.
    fn in_strips(ngroups: usize, width: usize) -> Vec<[u32; 5]> {
        const PIXELS: usize = 96;
        let mut state = 17u64 + ngroups as u64;
        let mut random = |n: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % n
        };
        let mut plane = |g: usize| -> (Vec<f32>, Vec<u8>) {
            let value = |r: u64| if r == 0 { f32::NAN } else { r as f32 * 0.37 };
            let odd = [DNU, JUMP, SAT, dq::PERSISTENCE as u8];
            (0..PIXELS)
                .map(|_| {
                    let flag = if random(9) == 0 {
                        odd[random(4) as usize]
                    } else {
                        0
                    };
                    (value(random(400)) + 90.0 * g as f32, flag)
                })
                .unzip()
        };
        let planes: Vec<Vec<_>> = (0..2)
            .map(|_| (0..ngroups).map(&mut plane).collect())
            .collect();
        let gain: Vec<f32> = (0..PIXELS).map(|p| [1.8, 2.3, 0.0][(p % 17) / 8]).collect();
        let readnoise: Vec<f32> = (0..PIXELS).map(|p| 4.0 + 0.01 * p as f32).collect();
        let pixeldq: Vec<u32> = (0..PIXELS).map(|p| u32::from(p % 31 == 0)).collect();
        let timing = Timing {
            frame_time: 2.8,
            group_time: 11.1,
            nframes: 4,
            groupgap: 1,
            drop_frames1: 0,
        };
        let mut scan = GroupScan::new(ngroups, 0..ngroups, false);
        for planes in &planes {
            scan.add(&planes.iter().map(|(_, f)| &f[..]).collect::<Vec<_>>());
        }
        let plan = scan.plan(false).expect("some group is good");
        let mut all = Vec::new();
        for first in (0..PIXELS).step_by(width) {
            let part = first..first + width;
            let pixels = PixelRows {
                pixeldq: &pixeldq[part.clone()],
                gain: &gain[part.clone()],
                readnoise: &readnoise[part.clone()],
                dark_current: None,
            };
            let mut fit = OlsFit::new(&timing, plan.clone(), pixels, false);
            let mut out = vec![(vec![[0f32; 4]; width], vec![0u32; width]); 3];
            let mut planes_of = |i: usize, work: &mut dyn FnMut(&mut RateRows)| {
                let mut split: [Vec<f32>; 4] =
                    std::array::from_fn(|k| out[i].0.iter().map(|v| v[k]).collect());
                let [sci, err, var_poisson, var_rnoise] = &mut split;
                let dq = &mut out[i].1;
                work(&mut RateRows {
                    sci,
                    err,
                    dq,
                    var_poisson,
                    var_rnoise,
                });
                for (p, values) in out[i].0.iter_mut().enumerate() {
                    *values = std::array::from_fn(|k| split[k][p]);
                }
            };
            for (i, planes) in planes.iter().enumerate() {
                let data: Vec<&[f32]> = planes.iter().map(|(d, _)| &d[part.clone()]).collect();
                let groupdq: Vec<&[u8]> = planes.iter().map(|(_, f)| &f[part.clone()]).collect();
                let rows = RampRows {
                    data: &data,
                    groupdq: &groupdq,
                    zeroframe: None,
                };
                planes_of(i, &mut |out| fit.add(&rows, out));
            }
            for i in 0..2 {
                planes_of(i, &mut |out| fit.complete(out));
            }
            let mut fit = Some(fit);
            planes_of(2, &mut |out| {
                fit.take().expect("once").finish(out);
            });
            for pixel in 0..width {
                for (values, dq) in &out {
                    let [a, b, c, d] = values[pixel].map(f32::to_bits);
                    all.push([a, b, c, d, dq[pixel]]);
                }
            }
        }
        all
    }

    #[test]
    fn blocks_of_pixels_are_fitted_as_single_ones() {
        // a single pixel takes the slow way
        for ngroups in 1..=6 {
            let (one, many) = (in_strips(ngroups, 1), in_strips(ngroups, 96));
            for (i, (a, b)) in one.iter().zip(&many).enumerate() {
                assert_eq!(a, b, "{ngroups} groups, pixel {}, plane {}", i / 3, i % 3);
            }
            let finite = one
                .iter()
                .filter(|v| f32::from_bits(v[0]).is_finite())
                .count();
            assert!(finite > one.len() / 3, "{finite}");
        }
    }

    #[test]
    fn a_straight_ramp() {
        // Read noise: 12 (8/10)² / ((3³ - 3) 2²) = 0.08; photons: (1 + 0.5) / (10 · 2 · 2) = 0.0375.
        let out = fit(&[(&[10.0, 20.0, 30.0], &[0; 3])], 0, 2.0);
        assert_eq!(out[0], out[1]);
        let ([slope, error, photon, read], flags) = out[1];
        assert_eq!((slope, photon, flags), (1.0, 0.0375, 0));
        assert!((read - 0.08).abs() < 1e-7 && (error - 0.1175f32.sqrt()).abs() < 1e-7);
    }

    #[test]
    fn a_jump_splits_a_ramp_and_integrations_are_averaged_by_read_noise() {
        // Segments of 3 and 2 groups: weights 24 and 6 for slopes 1 and 2; without jumps 60 for slope 3.
        let jump: (&[f32], &[u8]) = (&[0.0, 10.0, 20.0, 500.0, 520.0], &[0, 0, 0, JUMP, 0]);
        let clean: (&[f32], &[u8]) = (&[0.0, 30.0, 60.0, 90.0, 120.0], &[0; 5]);
        let out = fit(&[jump, clean], 0, 2.0);
        let near = |a: f32, b: f32| (a - b).abs() < 1e-6 * b.abs();
        assert!(near(out[0].0[0], (24.0 + 2.0 * 6.0) / 30.0), "{out:?}");
        assert!(near(out[1].0[0], 3.0), "{out:?}");
        // Five groups weigh 5³ - 5 = 120.
        assert!(
            near(out[2].0[0], (24.0 + 2.0 * 6.0 + 3.0 * 120.0) / 150.0),
            "{out:?}"
        );
        assert!(near(out[2].0[3], 12.0 * 0.64 / (150.0 * 4.0)), "{out:?}");
        assert_eq!(
            [out[0].1, out[1].1, out[2].1],
            [dq::JUMP_DET, 0, dq::JUMP_DET]
        );
        // Median rates are 1 (of 1, 1, 2) and 3.
        assert!(near(out[1].0[2], 2.5 / 80.0), "{out:?}");
    }

    #[test]
    fn unusable_integrations_do_not_spoil_the_others() {
        let saturated: (&[f32], &[u8]) = (&[9e4; 3], &[2, 2, 2]);
        let good: (&[f32], &[u8]) = (&[10.0, 20.0, 30.0], &[0; 3]);
        let out = fit(&[saturated, good], 0, 2.0);
        assert!(out[0].0[0].is_nan() && out[0].0[1..] == [0.0; 3]);
        assert_eq!(out[0].1, dq::SATURATED | dq::DO_NOT_USE);
        assert_eq!((out[2].0[0], out[2].1), (1.0, dq::SATURATED));
        let both = fit(&[saturated, saturated], 0, 2.0);
        assert!(both[2].0[0].is_nan());
        assert_eq!(both[2].1, dq::SATURATED | dq::DO_NOT_USE);
    }

    #[test]
    fn bad_pixels_and_gains_give_no_rate() {
        let good: (&[f32], &[u8]) = (&[10.0, 20.0, 30.0], &[0; 3]);
        for gain in [0.0, -1.0, f32::NAN] {
            let out = fit(&[good], 0, gain);
            assert!(out[1].0[0].is_nan() && out[1].0[1..] == [0.0; 3], "{out:?}");
            assert_eq!(out[1].1, dq::DO_NOT_USE | dq::NO_GAIN_VALUE);
        }
        let out = fit(&[good], dq::DO_NOT_USE | dq::DEAD, 2.0);
        assert!(out[0].0[0].is_nan() && out[1].0[0].is_nan());
        assert_eq!(out[1].1, dq::DO_NOT_USE | dq::DEAD);
    }
}
