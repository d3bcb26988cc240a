//! Envelopes of a signal, and the spectral features that must not be taken for fringes.

use super::failure::Failure;
use crate::math::clipped_stats::{kept_f64, mean_f64};
use crate::math::median::median_f64;
use crate::math::pairwise_sum::pairwise_sum;
use crate::math::pchip::Pchip;

/// The curves through the troughs and through the peaks of a signal.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// Through the troughs.
    pub lower: Vec<f64>,
    /// Through the peaks.
    pub upper: Vec<f64>,
}

impl Envelope {
    /// Envelopes at the places 0 to `n` (excluded). A trough is lower than `neighbours` values on either
    /// side; the first value and the last one (at the place `n - 1` whatever its index) belong to both.
    ///
    /// # Errors
    /// [`Failure::TooFew`], [`Failure::Values`].
    pub fn new(signal: &[f64], n: usize, neighbours: usize) -> Result<Self, Failure> {
        let (Some(&first), Some(&last)) = (signal.first(), signal.last()) else {
            return Err(Failure::TooFew);
        };
        if n < 2 {
            return Err(Failure::TooFew);
        }
        let (mut low, mut high) = ((vec![0.0], vec![first]), (vec![0.0], vec![first]));
        for k in neighbours..signal.len().saturating_sub(neighbours) {
            let v = signal[k];
            let mut around = (1..=neighbours).flat_map(|i| [signal[k - i], signal[k + i]]);
            if around.clone().all(|a| v - a < 0.0) {
                low.0.push(k as f64);
                low.1.push(v);
            } else if around.all(|a| v - a > 0.0) {
                high.0.push(k as f64);
                high.1.push(v);
            }
        }
        let curve = |(mut x, mut y): (Vec<f64>, Vec<f64>)| {
            x.push((n - 1) as f64);
            y.push(last);
            Ok::<_, Failure>(Pchip::new(&x, &y)?.at_indices(n))
        };
        Ok(Self {
            lower: curve(low)?,
            upper: curve(high)?,
        })
    }
}

/// Where peaks higher than `max_amp` are: `true` from the trough before such a peak to the one after it, and
/// where the signal is more than twice the limit.
///
/// Both limits belong to the value of the same index; NaN limits nothing.
pub fn find_lines(signal: &[f64], max_amp: &[f64]) -> Vec<bool> {
    let n = signal.len();
    let (mut peaks, mut troughs) = (Vec::new(), Vec::new());
    for x in 1..n.saturating_sub(1) {
        let (before, v, after) = (signal[x - 1], signal[x], signal[x + 1]);
        if [before, v, after].iter().all(|v| v.abs() <= 1e-8) {
            continue;
        }
        if v - before > 0.0 && v - after > 0.0 {
            peaks.push(x);
        }
        if v - before < 0.0 && v - after < 0.0 {
            troughs.push(x);
        }
    }
    let mut lines = vec![false; n];
    let mut checked = signal.to_vec();
    for peak in peaks.into_iter().filter(|x| signal[*x] > max_amp[*x]) {
        for place in [peak - 1, peak, peak + 1] {
            let Some((low, high)) = two_nearest(&troughs, place) else {
                continue;
            };
            checked[low..high].fill(0.0);
            lines[low..high].fill(true);
        }
    }
    for ((line, v), limit) in lines.iter_mut().zip(&checked).zip(max_amp) {
        *line |= *v > 2.0 * limit;
    }
    lines
}

/// The two of the sorted `troughs` nearest to a place, the smaller first; the earlier one of two at the same
/// distance. None where there is only one.
fn two_nearest(troughs: &[usize], place: usize) -> Option<(usize, usize)> {
    let next = troughs.partition_point(|t| *t < place);
    let from = next.saturating_sub(2);
    let mut near: Vec<usize> = troughs[from..(next + 2).min(troughs.len())].to_vec();
    // stable: the earlier of equal distances stays first
    near.sort_by_key(|t| t.abs_diff(place));
    match near.as_slice() {
        [a, b, ..] => Some((*a.min(b), *a.max(b))),
        _ => None,
    }
}

/// Where a signal reaches `sigma` standard deviations above its median, both of the values left after
/// clipping at that level.
pub fn clip_features(signal: &[f64], sigma: f64) -> Vec<bool> {
    let kept = kept_f64(signal, (f64::INFINITY, sigma), pairwise_sum);
    let (_, deviation) = mean_f64(&kept, pairwise_sum);
    let limit = median_f64(&mut kept.clone()) + sigma * deviation;
    let low = |v: &f64| *v < limit;
    signal.iter().map(|v| !low(v)).collect()
}

/// Sets fitted fringes to 0 between the nodes of their beat where they grow beyond `max_amp`; tells where.
///
/// # Errors
/// As [`Envelope::new`].
pub fn limit_fringes(fringes: &mut [f64], max_amp: &[f64]) -> Result<Vec<bool>, Failure> {
    let n = fringes.len();
    let Envelope { lower, upper } = Envelope::new(fringes, n, 1)?;
    let mut nodes = vec![0];
    nodes.extend((1..n - 1).filter(|k| {
        let v = upper[*k];
        v - upper[k - 1] < 0.0 && v - upper[k + 1] < 0.0
    }));
    nodes.push(n - 1);
    let mut rejected = vec![false; n];
    for i in 1..n {
        if lower[i].abs() + upper[i].abs() > max_amp[i] {
            let next = nodes.partition_point(|node| *node < i);
            let beat = nodes[next - 1]..nodes[next];
            fringes[beat.clone()].fill(0.0);
            rejected[beat].fill(true);
        }
    }
    Ok(rejected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_between_its_troughs() {
        let mut signal: Vec<f64> = (0..40)
            .map(|i| {
                if i % 4 == 0 {
                    0.001
                } else {
                    0.002 + 0.001 * f64::from(i % 4 % 2)
                }
            })
            .collect();
        signal[18] = 0.5;
        let lines = find_lines(&signal, &[0.1; 40]);
        let found: Vec<usize> = (0..40).filter(|i| lines[*i]).collect();
        // before the peak the troughs at 14 and 20 are as near: the earlier counts
        assert_eq!(found, (14..20).collect::<Vec<_>>());
        assert!(find_lines(&signal, &[f64::NAN; 40]).iter().all(|l| !l));
        assert!(find_lines(&[], &[]).is_empty());
    }

    #[test]
    fn the_nearest_troughs_and_their_ties() {
        assert_eq!(two_nearest(&[2, 10, 14], 11), Some((10, 14)));
        assert_eq!(two_nearest(&[6, 10, 16], 11), Some((6, 10)));
        assert_eq!(two_nearest(&[3, 5, 30], 20), Some((5, 30)));
        assert_eq!(two_nearest(&[1, 2, 3], 9), Some((2, 3)));
        assert_eq!(two_nearest(&[7], 9), None);
    }

    #[test]
    fn features_above_the_clipped_scatter() {
        let mut signal: Vec<f64> = (0..50).map(|i| f64::from(i % 5) * 0.01).collect();
        signal[20] = 3.0;
        signal[30] = f64::NAN;
        let features = clip_features(&signal, 5.0);
        let found: Vec<usize> = (0..50).filter(|i| features[*i]).collect();
        assert_eq!(found, [20, 30]);
    }

    #[test]
    fn runaway_fringes_go_to_the_nodes() {
        let mut fringes: Vec<f64> = (0..200)
            .map(|i| {
                let x = f64::from(i);
                0.1 * (x * 0.9).sin() * (x * std::f64::consts::PI / 100.0).sin().abs()
            })
            .collect();
        for v in &mut fringes[100..] {
            *v *= 5.0;
        }
        let before = fringes.clone();
        let rejected = limit_fringes(&mut fringes, &[0.3; 200]).unwrap();
        assert!(!rejected[50] && rejected[150]);
        for i in 0..200 {
            let want = if rejected[i] { 0.0 } else { before[i] };
            assert_eq!(fringes[i], want);
        }
    }

    #[test]
    fn envelopes_of_nothing_and_of_infinity() {
        assert_eq!(Envelope::new(&[], 0, 1).map(|_| ()), Err(Failure::TooFew));
        assert_eq!(
            Envelope::new(&[1.0], 1, 1).map(|_| ()),
            Err(Failure::TooFew)
        );
        let e = Envelope::new(&[1.0, f64::INFINITY, 0.0], 3, 1);
        assert_eq!(e.map(|_| ()), Err(Failure::Values));
        assert_eq!(Envelope::new(&[1.0, 3.0], 2, 2).unwrap().upper, [1.0, 3.0]);
    }
}
