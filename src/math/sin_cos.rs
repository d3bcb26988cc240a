//! Sines and cosines of many angles at once, the same on every machine: no branches and no tables, so that compilers make
//! vector instructions of it.
//!
//! Good to 1 unit in the last place. An angle is reduced to within 45 degrees of a multiple of 90 by that multiple in three
//! parts (Cody and Waite), the first two of which are subtracted without rounding; the rest are Taylor's series.

use std::f64::consts::FRAC_2_PI;

use super::wide::wide;

/// The first 33 bits of pi / 2, the next 33, and the rest.
const PARTS: [f64; 3] = [
    1.570_796_326_734_125_6,
    6.077_100_506_303_966e-11,
    2.022_266_248_795_950_6e-21,
];

/// Multiples of pi / 2 below this leave products with the parts exact.
const MOST: f64 = 1e6;

/// Added to a number, leaves its nearest whole number in the last bits.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// The number of terms of either series behind its first two.
const TERMS: usize = 7;

/// `(-1)^k / (2 k + 1)!` from k = 2 on.
const SINE: [f64; TERMS] = series(5);

/// `(-1)^k / (2 k)!` from k = 2 on.
const COSINE: [f64; TERMS] = series(4);

/// One over the factorial of `first`, `first + 2` and so on, with alternating sign.
const fn series(first: u64) -> [f64; TERMS] {
    let mut out = [0.0; TERMS];
    let (mut factorial, mut k) = (1u64, 1);
    let mut i = 0;
    while i < TERMS {
        while k < first + 2 * i as u64 {
            k += 1;
            factorial *= k;
        }
        let sign = if i % 2 == 0 { 1.0 } else { -1.0 };
        out[i] = sign / factorial as f64;
        i += 1;
    }
    out
}

/// Sine and cosine of an angle in radians of less than [`MOST`] right angles.
#[inline(always)]
fn small(angle: f64) -> (f64, f64) {
    let rounded = angle * FRAC_2_PI + ROUND;
    let turns = rounded - ROUND;
    let quarter = rounded.to_bits();
    let first = angle - turns * PARTS[0];
    let second = turns * PARTS[1];
    let x = first - second;
    // what the difference lost, and the last part
    let rest = ((first - x) - second) - turns * PARTS[2];
    let z = x * x;
    let horner = |terms: &[f64; TERMS]| {
        let mut sum = terms[TERMS - 1];
        for t in terms[..TERMS - 1].iter().rev() {
            sum = t + z * sum;
        }
        sum
    };
    let half = 0.5 * z;
    let sine = x + (x * z * (z * horner(&SINE) - 1.0 / 6.0) + rest * (1.0 - half));
    let near = 1.0 - half;
    let cosine = near + (((1.0 - near) - half) + (z * z * horner(&COSINE) - x * rest));
    // odd quarters exchange the two; signs by the quarter
    let odd = (quarter & 1).wrapping_neg();
    let (s, c) = (sine.to_bits(), cosine.to_bits());
    let exchanged = (s ^ c) & odd;
    let (s, c) = (s ^ exchanged, c ^ exchanged);
    (
        f64::from_bits(s ^ ((quarter & 2) << 62)),
        f64::from_bits(c ^ ((quarter.wrapping_add(1) & 2) << 62)),
    )
}

/// Sines and cosines of `factor` times the angles (radians).
pub fn sin_cos(angles: &[f64], factor: f64, sin: &mut [f64], cos: &mut [f64]) {
    let limit = MOST / FRAC_2_PI;
    // also false for NaN
    if angles.iter().all(|a| (a * factor).abs() < limit) {
        all_small(angles, factor, sin, cos);
    } else {
        let all = angles.iter().zip(sin.iter_mut().zip(cos.iter_mut()));
        all.for_each(|(a, (s, c))| (*s, *c) = libm::sincos(a * factor));
    }
}

wide! {
    /// The same of angles that are all [`small`] enough.
    fn all_small(angles: &[f64], factor: f64, sin: &mut [f64], cos: &mut [f64]) {
        for (a, (s, c)) in angles.iter().zip(sin.iter_mut().zip(cos.iter_mut())) {
            (*s, *c) = small(a * factor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(angle: f64) -> (f64, f64) {
        let (mut s, mut c) = ([0.0], [0.0]);
        sin_cos(&[angle], 1.0, &mut s, &mut c);
        (s[0], c[0])
    }

    /// Units in the last place of `want` that `got` is off.
    fn off(got: f64, want: f64) -> u64 {
        assert_eq!(got.is_sign_negative(), want.is_sign_negative());
        got.to_bits().abs_diff(want.to_bits())
    }

    #[test]
    fn sines_and_cosines_to_the_last_place() {
        let (mut far, mut n) = (0, 0);
        for k in 0..400_000 {
            let angle = f64::from(k) * 0.0625 * 1.000_123_4 - 12_345.678;
            let (s, c) = one(angle);
            let (ws, wc) = libm::sincos(angle);
            for d in [off(s, ws), off(c, wc)] {
                assert!(d <= 1, "{angle}");
                (far, n) = (far + d, n + 1);
            }
        }
        assert!(far * 5 < n, "{far} of {n}");
    }

    #[test]
    fn near_multiples_of_a_right_angle() {
        for k in -2000..2000 {
            let angle = f64::from(k) * std::f64::consts::FRAC_PI_2;
            for angle in [angle.next_down(), angle, angle.next_up()] {
                let (s, c) = one(angle);
                let (ws, wc) = libm::sincos(angle);
                assert!(
                    off(s, ws) <= 1 && off(c, wc) <= 1,
                    "{angle} {s} {ws} {c} {wc}"
                );
            }
        }
    }

    #[test]
    fn large_angles_and_none() {
        for angle in [1e6, -3e7, 1e22] {
            assert_eq!(one(angle), libm::sincos(angle));
        }
        assert!(one(f64::NAN).0.is_nan() && one(f64::INFINITY).1.is_nan());
    }
}
