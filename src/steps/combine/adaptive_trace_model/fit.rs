//! The splines: for each line of a slice one through the pixels of the lines around, scaled to the line.

use super::mode::Mode;
use super::slice::{Layout, Slice, arange, extent};
use crate::math::bspline::BSpline;
use crate::math::clipped_stats::clipped_f64;
use crate::math::pairwise_sum::pairwise_sum;

/// Fewer knots, where the first fit fails.
const FEWER: usize = 3;
/// Residuals are clipped at so many standard deviations.
const SIGMA: f64 = 2.5;
/// Fits with clipping between them.
const ROUNDS: usize = 3;
/// Signal-to-noise ratio that shows a negative image of the source.
const NEGATIVE: f32 = -5.0;

/// A spline and the ends of its data in arcsec.
#[derive(Debug, Clone)]
pub struct Spline {
    /// Normalised values over alpha.
    pub model: BSpline,
    /// First alpha.
    pub low: f32,
    /// Last alpha.
    pub high: f32,
}

impl Spline {
    /// Whether it holds at this place.
    pub fn holds(&self, alpha: f32) -> bool {
        alpha.is_finite() && alpha >= self.low && alpha <= self.high
    }
}

/// The splines of a slice's lines.
#[derive(Debug, Clone, Default)]
pub struct Fitted {
    splines: Vec<Spline>,
    /// For each line its spline and the factor to the line's values.
    of: Vec<Option<(usize, f64)>>,
}

impl Fitted {
    /// The spline of a line and its factor.
    pub fn of(&self, line: usize) -> Option<(&Spline, f64)> {
        let (k, scale) = (*self.of.get(line)?)?;
        Some((self.splines.get(k)?, scale))
    }

    /// Intervals of the first line's spline that has one.
    pub fn intervals(&self) -> Option<usize> {
        let first = self.of.iter().flatten().next()?;
        Some(self.splines.get(first.0)?.model.intervals())
    }
}

/// Fits a slice whose brightest bin is above `limit` (any slice without one).
pub fn fit(slice: &Slice, limit: Option<f32>, mode: &Mode) -> Fitted {
    let mut slice = slice.clone();
    let mut profile = slice.profile();
    let bright = |peak: Option<f32>| limit.is_none_or(|l| peak.is_some_and(|p| p > l));
    if !bright(profile.as_ref().map(|p| p.peak())) {
        return Fitted::default();
    }
    if let Some(p) = profile {
        slice.trim(&p);
        profile = slice.profile();
        if !bright(profile.as_ref().map(|p| p.peak())) {
            return Fitted::default();
        }
    }
    let negative = profile.is_some_and(|p| p.lowest_snr() < NEGATIVE);
    let (knots, enough) = mode.knots(&slice);
    let sums = match mode.layout {
        Layout::Rows => sums(&slice, negative),
        Layout::Columns => sums_in_turn(&slice, negative),
    };
    let scaled: Vec<f32> = slice
        .flux
        .iter()
        .enumerate()
        .map(|(p, v)| v / sums[p / slice.n])
        .collect();

    let mut out = Fitted {
        splines: Vec::new(),
        of: vec![None; slice.lines],
    };
    // where a fit fails the last one stands in for it
    for line in mode.order(slice.lines) {
        let range = slice.line(line);
        let (flux, alpha) = (&slice.flux[range.clone()], &slice.alpha[range]);
        let valid = flux.iter().zip(alpha);
        if valid
            .filter(|(f, a)| f.is_finite() && a.is_finite())
            .count()
            <= enough
        {
            continue;
        }
        let (x, y) = around(&slice, &scaled, line, mode.around);
        let first = out.splines.is_empty();
        let again = first && knots > FEWER;
        let model = through(&x, &y, knots, mode.gaps).or_else(|| {
            let fewer = again.then(|| through(&x, &y, knots - FEWER, mode.gaps));
            fewer.flatten()
        });
        if let (Some(model), Some(low), Some(high)) = (model, x.first(), x.last()) {
            out.splines.push(Spline {
                model,
                low: *low,
                high: *high,
            });
        }
        if let Some(last) = out.splines.len().checked_sub(1) {
            let scale = scale(&out.splines[last], alpha, flux);
            out.of[line] = scale.map(|s| (last, s));
        }
    }
    out
}

/// Sum of each line, of its positive values only where there are `negative` images.
fn sums(slice: &Slice, negative: bool) -> Vec<f32> {
    // summed over the full row, as the rounding depends on the places
    let mut row = vec![0.0; slice.width];
    (0..slice.lines)
        .map(|line| {
            let values = &slice.flux[slice.line(line)];
            if negative {
                let runs = values.split(|v| *v <= 0.0 || v.is_nan());
                return runs.fold(0.0, |sum, run| sum + pairwise_sum(run));
            }
            let valid = values.iter().map(|v| if v.is_nan() { 0.0 } else { *v });
            let places = row.iter_mut().skip(slice.first);
            places.zip(valid).for_each(|(place, v)| *place = v);
            pairwise_sum(&row)
        })
        .collect()
}

/// The same where lines are columns: numpy adds up one row after the other.
fn sums_in_turn(slice: &Slice, negative: bool) -> Vec<f32> {
    let counts = |v: &&f32| match negative {
        true => **v > 0.0,
        false => !v.is_nan(),
    };
    (0..slice.lines)
        .map(|line| slice.flux[slice.line(line)].iter().filter(counts).sum())
        .collect()
}

/// Valid pixels of the lines around one, in order of alpha.
fn around(slice: &Slice, scaled: &[f32], line: usize, around: usize) -> (Vec<f32>, Vec<f32>) {
    let lines = line.saturating_sub(around)..(line + around).min(slice.lines);
    let mut keys: Vec<u64> = Vec::with_capacity(lines.len() * slice.n);
    for k in 0..slice.n {
        for line in lines.clone() {
            let p = line * slice.n + k;
            let a = slice.alpha[p];
            if a.is_finite() && scaled[p].is_finite() {
                // bits in the order of the values, and the pixel as numpy counts them
                let bits = a.to_bits();
                let ordered = bits ^ if bits >> 31 == 1 { u32::MAX } else { 1 << 31 };
                keys.push(u64::from(ordered) << 32 | (k * slice.lines + line) as u64);
            }
        }
    }
    keys.sort_unstable();
    let pixels = keys.iter().map(|key| {
        let p = (key & 0xffff_ffff) as usize;
        p % slice.lines * slice.n + p / slice.lines
    });
    pixels.map(|p| (slice.alpha[p], scaled[p])).unzip()
}

/// The spline through data in order of `x`, clipped; none where pixels lie too far apart for the knots.
fn through(x: &[f32], y: &[f32], knots: usize, gaps: f32) -> Option<BSpline> {
    let mut before = 0.0;
    let spacing: Vec<f64> = x
        .iter()
        .map(|x| {
            let here = f64::from(*x);
            let step = (here - before).abs();
            before = here;
            step
        })
        .collect();
    let (mean, rms) = clipped_f64(&spacing);
    let usual = |s: &f64| !rms.is_finite() || *s <= mean + 5.0 * rms;
    let used = spacing.iter().zip(x.iter().zip(y));
    let (mut x, mut y): (Vec<f32>, Vec<f32>) = used
        .filter(|(s, _)| usual(s))
        .map(|(_, (x, y))| (*x, *y))
        .unzip();
    let apart = |x: &[f32]| {
        let (low, high) = extent(x);
        (low, high, (high - low) / knots as f32)
    };
    let tenth = spacing.len().checked_sub(10)?;
    let mut spacing = spacing;
    let tenth = *spacing.select_nth_unstable_by(tenth, f64::total_cmp).1;
    if x.is_empty() || tenth > f64::from(gaps * apart(&x).2) {
        return None;
    }
    let before = x.len() as f64;
    let mut best = None;
    for round in 0..ROUNDS {
        let (low, high, step) = apart(&x);
        let inner = arange(low + step / 2.0, high - step / 2.0, step);
        let (first, last) = (*x.first()?, *x.last()?);
        let (first, last) = (f64::from(first), f64::from(last));
        let mut knots = vec![first; 4];
        knots.extend(inner);
        knots.extend([last; 4]);
        let double = |v: &[f32]| v.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>();
        let (xs, ys) = (double(&x), double(&y));
        let Some((spline, values)) = BSpline::fit(&xs, &ys, knots) else {
            break;
        };
        if values.iter().any(|v| v.is_nan()) {
            break;
        }
        best = Some(spline);
        if round + 1 == ROUNDS {
            break;
        }
        let off: Vec<f64> = ys.iter().zip(&values).map(|(y, v)| y - v).collect();
        let n = off.len() as f64;
        let mean = pairwise_sum(&off) / n;
        let squares: Vec<f64> = off.iter().map(|o| (o - mean) * (o - mean)).collect();
        let limit = SIGMA * (pairwise_sum(&squares) / n).sqrt();
        let keep: Vec<bool> = off.iter().map(|o| !(*o < -limit || *o > limit)).collect();
        let kept = keep.iter().filter(|k| **k).count();
        if (kept as f64) < 0.8 * before || kept == keep.len() {
            break;
        }
        let mut keeps = keep.iter();
        x.retain(|_| *keeps.next().unwrap_or(&false));
        let mut keeps = keep.iter();
        y.retain(|_| *keeps.next().unwrap_or(&false));
    }
    best
}

/// The factor from a spline to a line's values: their mean ratio weighted by the spline, without outliers; none
/// for fewer than five pixels.
fn scale(spline: &Spline, alpha: &[f32], flux: &[f32]) -> Option<f64> {
    let valid = alpha.iter().zip(flux).filter(|(a, _)| spline.holds(**a));
    let (places, flux): (Vec<f64>, Vec<f64>) =
        valid.map(|(a, f)| (f64::from(*a), f64::from(*f))).unzip();
    let model = spline.model.at(&places);
    let ratio: Vec<f64> = flux.iter().zip(&model).map(|(f, m)| f / m).collect();
    let mut weights: Vec<f64> = ratio
        .iter()
        .zip(&model)
        .map(|(r, m)| {
            let used = r.is_finite() && !(*r < 0.0 || *m < 0.0);
            if used { *m } else { 0.0 }
        })
        .collect();
    let mut order = weights.clone();
    order.sort_unstable_by(f64::total_cmp);
    let fifth = order[order.len().checked_sub(5)?];
    let large = weights.iter().zip(&ratio);
    let large: Vec<f64> = large
        .filter(|(w, r)| **w >= fifth && r.is_finite())
        .map(|(_, r)| *r)
        .collect();
    let (mean, rms) = clipped_f64(&large);
    for (w, r) in weights.iter_mut().zip(&ratio) {
        if (mean - r).abs() > 2.0 * rms {
            *w = 0.0;
        }
    }
    let nan_sum = |values: Vec<f64>| {
        let valid: Vec<f64> = values
            .into_iter()
            .map(|v| if v.is_nan() { 0.0 } else { v })
            .collect();
        pairwise_sum(&valid)
    };
    let total = nan_sum(weights.clone());
    let weighted = ratio.iter().zip(&weights).map(|(r, w)| r * (w / total));
    Some(nan_sum(weighted.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOTS: usize = 36;
    const GAPS: f32 = 1.2;

    #[test]
    fn a_smooth_curve_is_followed_and_outliers_are_not() {
        let x: Vec<f32> = (0..2000).map(|i| i as f32 / 500.0 - 2.0).collect();
        let curve = |x: f32| (-x * x * 4.0).exp();
        let mut y: Vec<f32> = x.iter().map(|x| curve(*x)).collect();
        y[700] = 9.0;
        y[1300] = -9.0;
        let spline = through(&x, &y, KNOTS, GAPS).unwrap();
        for at in [-1.5, -0.61, 0.0, 0.6] {
            let value = spline.at(&[f64::from(at)])[0];
            assert!((value - f64::from(curve(at))).abs() < 1e-3, "{at}: {value}");
        }
    }

    #[test]
    fn few_or_sparse_data_have_no_spline() {
        let x: Vec<f32> = (0..20).map(|i| i as f32).collect();
        assert!(through(&x, &x, KNOTS, GAPS).is_none());
        assert!(through(&x[..9], &x[..9], 3, GAPS).is_none());
        assert!(through(&[], &[], 3, GAPS).is_none());
        assert!(through(&[1.0; 30], &[1.0; 30], 3, GAPS).is_none());
    }

    #[test]
    fn the_factor_leaves_out_what_is_off() {
        let x: Vec<f32> = (0..400).map(|i| i as f32 / 100.0).collect();
        let spline = Spline {
            model: through(&x, &vec![1.0; 400], 10, GAPS).unwrap(),
            low: 0.1,
            high: 3.9,
        };
        let alpha: Vec<f32> = (0..20).map(|i| 0.15 + i as f32 * 0.18).collect();
        let mut flux = vec![7.0; 20];
        flux[3] = f32::NAN;
        flux[5] = 900.0;
        flux[6] = -4.0;
        let s = scale(&spline, &alpha, &flux).unwrap();
        assert!((s - 7.0).abs() < 1e-6 || s > 7.0, "{s}");
        assert!(scale(&spline, &alpha[..4], &flux[..4]).is_none());
    }

    /// A source whose trace runs askew through a slice of 12 rows and 60 columns, with a dead pixel and a dark column.
    #[test]
    fn traces_in_columns() {
        let (lines, n) = (60, 12);
        let at = |line: usize, k: usize| (k as f32 - 5.5 + 0.02 * line as f32) * 0.1;
        let value = |line: usize, k: usize| {
            let bright = 1.0 + line as f32;
            match (line, k) {
                (20, 6) => f32::NAN,
                (40, _) => f32::NAN,
                _ => bright * (-at(line, k) * at(line, k) * 20.0).exp(),
            }
        };
        let all = |f: &dyn Fn(usize, usize) -> f32| -> Vec<f32> {
            (0..lines)
                .flat_map(|l| (0..n).map(move |k| (l, k)))
                .map(|(l, k)| f(l, k))
                .collect()
        };
        let slice = Slice {
            label: 3,
            lines,
            width: n,
            first: 0,
            n,
            flux: all(&value),
            err: vec![0.1; lines * n],
            alpha: all(&at),
            inside: vec![true; lines * n],
        };
        for detector in ["NRS1", "NRS2"] {
            let mut meta = crate::model::Meta::default();
            for (key, value) in [
                ("INSTRUME", "NIRSPEC"),
                ("DETECTOR", detector),
                ("GRATING", "G395H"),
            ] {
                meta.primary.set(key, value, "");
            }
            let mode = Mode::of(&meta).unwrap();
            let fitted = fit(&slice, None, &mode);
            assert!(fitted.of(40).is_none());
            let (spline, scale) = fitted.of(20).unwrap();
            let got = spline.model.at(&[f64::from(at(20, 6))])[0] * scale;
            let expect = 21.0 * (-at(20, 6) * at(20, 6) * 20.0).exp();
            assert!(
                (got / f64::from(expect) - 1.0).abs() < 0.02,
                "{got} {expect}"
            );
            assert!(fit(&slice, Some(1e4), &mode).of(20).is_none());
        }
    }
}
