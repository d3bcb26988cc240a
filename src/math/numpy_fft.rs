//! Discrete Fourier transforms of complex values with the bits of numpy's.
//!
//! numpy 2 transforms by the algorithms of pocketfft: passes of radix 8 and 4 and, for a large prime factor, a pass of that
//! radix. The roundings of another algorithm would show in the last bits of a transform in single precision; here the same
//! sums are formed in the same order. (`numpy.fft.ifft` of values in single precision is in single precision;
//! `numpy.fft.fft` of such values is in double precision, and rounded.) Several series are transformed side by side, one a
//! lane, which is as fast as one and changes nothing about their bits.

use std::ops::{Add, Mul, Neg, Sub};

use std::f64::consts::PI;

/// A precision.
pub trait Real:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Neg<Output = Self>
{
    /// 0.
    const ZERO: Self;
    /// The square root of a half.
    const SQRT_HALF: Self;
    /// The nearest value.
    fn nearest(value: f64) -> Self;
}

impl Real for f32 {
    const ZERO: Self = 0.0;
    const SQRT_HALF: Self = std::f32::consts::FRAC_1_SQRT_2;
    fn nearest(value: f64) -> Self {
        value as Self
    }
}

impl Real for f64 {
    const ZERO: Self = 0.0;
    const SQRT_HALF: Self = std::f64::consts::FRAC_1_SQRT_2;
    fn nearest(value: f64) -> Self {
        value
    }
}

/// One complex value of each of `L` series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lanes<T, const L: usize> {
    /// Real parts.
    pub re: [T; L],
    /// Imaginary parts.
    pub im: [T; L],
}

impl<T: Real, const L: usize> Lanes<T, L> {
    /// Zeros.
    pub const ZERO: Self = Self {
        re: [T::ZERO; L],
        im: [T::ZERO; L],
    };

    /// Real parts, then imaginary parts.
    #[inline(always)]
    fn flatten(&self, to: &mut [T]) {
        to[..L].copy_from_slice(&self.re);
        to[L..].copy_from_slice(&self.im);
    }

    #[inline(always)]
    fn add(self, o: Self) -> Self {
        Self {
            re: std::array::from_fn(|l| self.re[l] + o.re[l]),
            im: std::array::from_fn(|l| self.im[l] + o.im[l]),
        }
    }

    #[inline(always)]
    fn sub(self, o: Self) -> Self {
        Self {
            re: std::array::from_fn(|l| self.re[l] - o.re[l]),
            im: std::array::from_fn(|l| self.im[l] - o.im[l]),
        }
    }

    /// Sum and difference.
    #[inline(always)]
    fn both(self, o: Self) -> (Self, Self) {
        (self.add(o), self.sub(o))
    }

    /// All values times a factor.
    #[inline(always)]
    pub fn scaled(self, factor: T) -> Self {
        Self {
            re: self.re.map(|v| v * factor),
            im: self.im.map(|v| v * factor),
        }
    }

    /// A quarter turn: times -i forward, i backward.
    #[inline(always)]
    fn quarter<const FORWARD: bool>(self) -> Self {
        let (re, im) = (self.re, self.im);
        match FORWARD {
            true => Self {
                re: im,
                im: re.map(|v| -v),
            },
            false => Self {
                re: im.map(|v| -v),
                im: re,
            },
        }
    }

    /// An eighth of a turn.
    #[inline(always)]
    fn eighth<const FORWARD: bool>(self) -> Self {
        let (r, i) = (self.re, self.im);
        let h = T::SQRT_HALF;
        match FORWARD {
            true => Self {
                re: std::array::from_fn(|l| h * (r[l] + i[l])),
                im: std::array::from_fn(|l| h * (i[l] - r[l])),
            },
            false => Self {
                re: std::array::from_fn(|l| h * (r[l] - i[l])),
                im: std::array::from_fn(|l| h * (i[l] + r[l])),
            },
        }
    }

    /// Three eighths of a turn.
    #[inline(always)]
    fn three_eighths<const FORWARD: bool>(self) -> Self {
        let (r, i) = (self.re, self.im);
        let h = T::SQRT_HALF;
        match FORWARD {
            true => Self {
                re: std::array::from_fn(|l| h * (i[l] - r[l])),
                im: std::array::from_fn(|l| h * (-r[l] - i[l])),
            },
            false => Self {
                re: std::array::from_fn(|l| h * (-r[l] - i[l])),
                im: std::array::from_fn(|l| h * (r[l] - i[l])),
            },
        }
    }

    /// Times a root of unity, or its conjugate forward.
    #[inline(always)]
    fn turned<const FORWARD: bool>(self, w: [T; 2]) -> Self {
        let (r, i) = (self.re, self.im);
        match FORWARD {
            true => Self {
                re: std::array::from_fn(|l| r[l] * w[0] + i[l] * w[1]),
                im: std::array::from_fn(|l| i[l] * w[0] - r[l] * w[1]),
            },
            false => Self {
                re: std::array::from_fn(|l| r[l] * w[0] - i[l] * w[1]),
                im: std::array::from_fn(|l| r[l] * w[1] + i[l] * w[0]),
            },
        }
    }
}

/// One pass.
#[derive(Debug)]
struct Pass<T> {
    radix: usize,
    /// Product of the radices before.
    before: usize,
    /// Length of what is left.
    inside: usize,
    /// Twiddle factors: radix - 1 for each place inside but the first; the radix' own roots for a large prime.
    factors: Vec<[T; 2]>,
}

/// How series of one length are transformed.
#[derive(Debug)]
pub struct Plan<T> {
    len: usize,
    passes: Vec<Pass<T>>,
}

/// Least prime that is not taken apart by a pass of its own in pocketfft.
const LARGE: usize = 13;

impl<T: Real> Plan<T> {
    /// A plan for series of `len` values; none unless it is a product of 4 and 8 and at most one prime from 13 on.
    pub fn new(len: usize) -> Option<Self> {
        let mut rest = len;
        let mut radices = Vec::new();
        for radix in [8, 4] {
            while rest > 1 && rest.is_multiple_of(radix) {
                radices.push(radix);
                rest /= radix;
            }
        }
        let prime = || {
            (2..)
                .take_while(|d| d * d <= rest)
                .all(|d| !rest.is_multiple_of(d))
        };
        match rest {
            1 => {}
            _ if rest >= LARGE && prime() => radices.push(rest),
            _ => return None,
        }
        // pocketfft takes the direct way only where the largest prime is no more than the root of the length
        if rest > 1 && rest * rest > len {
            return None;
        }
        let roots = Roots::new(len);
        let (mut passes, mut before) = (Vec::new(), 1);
        for radix in radices {
            let inside = len / (before * radix);
            let factors = if radix >= LARGE {
                (0..radix).map(|j| roots.at(j * before * inside)).collect()
            } else {
                let places = (1..inside).flat_map(|i| (1..radix).map(move |j| (i, j)));
                places.map(|(i, j)| roots.at(j * before * i)).collect()
            };
            passes.push(Pass {
                radix,
                before,
                inside,
                factors,
            });
            before *= radix;
        }
        Some(Self { len, passes })
    }

    /// Transforms series forward, in place; `scratch` is of their length. Where outputs are named `wanted` the others are not
    /// all worked out.
    pub fn forward<const L: usize>(
        &self,
        data: &mut Vec<Lanes<T, L>>,
        scratch: &mut Vec<Lanes<T, L>>,
        wanted: Option<&[bool]>,
    ) {
        self.run::<L, true>(data, scratch, wanted);
    }

    /// Transforms series backward, without a factor for their length; otherwise as [`Self::forward`].
    pub fn backward<const L: usize>(
        &self,
        data: &mut Vec<Lanes<T, L>>,
        scratch: &mut Vec<Lanes<T, L>>,
        wanted: Option<&[bool]>,
    ) {
        self.run::<L, false>(data, scratch, wanted);
    }

    fn run<const L: usize, const FORWARD: bool>(
        &self,
        data: &mut Vec<Lanes<T, L>>,
        scratch: &mut Vec<Lanes<T, L>>,
        wanted: Option<&[bool]>,
    ) {
        scratch.resize(self.len, Lanes::ZERO);
        data.resize(self.len, Lanes::ZERO);
        for pass in &self.passes {
            pass.run::<L, FORWARD>(data, scratch, wanted);
            std::mem::swap(data, scratch);
        }
    }
}

impl<T: Real> Pass<T> {
    /// Runs the pass with the instructions the processor has; they round alike.
    fn run<const L: usize, const FORWARD: bool>(
        &self,
        from: &[Lanes<T, L>],
        to: &mut [Lanes<T, L>],
        wanted: Option<&[bool]>,
    ) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx") {
            // SAFETY: the processor has these instructions.
            unsafe { self.run_avx::<L, FORWARD>(from, to, wanted) };
            return;
        }
        self.run_anywhere::<L, FORWARD>(from, to, wanted);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx")]
    fn run_avx<const L: usize, const FORWARD: bool>(
        &self,
        from: &[Lanes<T, L>],
        to: &mut [Lanes<T, L>],
        wanted: Option<&[bool]>,
    ) {
        self.run_anywhere::<L, FORWARD>(from, to, wanted);
    }

    #[inline(always)]
    fn run_anywhere<const L: usize, const FORWARD: bool>(
        &self,
        from: &[Lanes<T, L>],
        to: &mut [Lanes<T, L>],
        wanted: Option<&[bool]>,
    ) {
        match self.radix {
            8 => self.by::<8, L, Eight, FORWARD>(from, to),
            4 => self.by::<4, L, Four, FORWARD>(from, to),
            _ => self.prime::<L, FORWARD>(from, to, wanted),
        }
    }

    /// A pass of a small radix: input `[before][radix][inside]`, output `[radix][before][inside]`.
    #[inline(always)]
    fn by<const R: usize, const L: usize, S: Short<R>, const FORWARD: bool>(
        &self,
        from: &[Lanes<T, L>],
        to: &mut [Lanes<T, L>],
    ) {
        let (before, inside) = (self.before, self.inside);
        for (k, block) in from.chunks_exact(R * inside).enumerate().take(before) {
            let of: [&[Lanes<T, L>]; R] =
                std::array::from_fn(|j| &block[j * inside..(j + 1) * inside]);
            let first = S::of::<T, L, FORWARD>(std::array::from_fn(|j| of[j][0]));
            for (j, v) in first.into_iter().enumerate() {
                to[(j * before + k) * inside] = v;
            }
            for (i, w) in (1..inside).zip(self.factors.chunks_exact(R - 1)) {
                let out = S::of::<T, L, FORWARD>(std::array::from_fn(|j| of[j][i]));
                to[k * inside + i] = out[0];
                for j in 1..R {
                    to[(j * before + k) * inside + i] = out[j].turned::<FORWARD>(w[j - 1]);
                }
            }
        }
    }

    /// The last pass, of a large prime; outputs that are not wanted may be left out.
    #[inline(always)]
    fn prime<const L: usize, const FORWARD: bool>(
        &self,
        from: &[Lanes<T, L>],
        to: &mut [Lanes<T, L>],
        wanted: Option<&[bool]>,
    ) {
        let (n, before) = (self.radix, self.before);
        let half = n / 2;
        let root = |j: usize| match FORWARD {
            true => [self.factors[j][0], -self.factors[j][1]],
            false => self.factors[j],
        };
        // roots of term j of output l, in the order they are needed
        let table: Vec<[T; 2]> = (1..=half)
            .flat_map(|l| (1..=half).map(move |j| root(l * j % n)))
            .collect();
        // a row has the numbers of one term of all series and of some blocks, side by side
        let width = 2 * L * BLOCKS;
        let rows = |n: usize| vec![T::ZERO; width * n];
        let (mut sums, mut differences) = (rows(half), rows(half));
        let (mut first, mut even, mut odd) = (rows(1), rows(1), rows(1));
        for (k, blocks) in from.chunks(n * BLOCKS).enumerate() {
            let k = k * BLOCKS;
            for (b, block) in blocks.chunks_exact(n).enumerate() {
                let at = 2 * L * b..2 * L * (b + 1);
                block[0].flatten(&mut first[at.clone()]);
                let mut total = block[0];
                let of_term = sums
                    .chunks_exact_mut(width)
                    .zip(differences.chunks_exact_mut(width));
                for (j, (sums, differences)) in (1..).zip(of_term) {
                    let (s, d) = block[j].both(block[n - j]);
                    total = total.add(s);
                    s.flatten(&mut sums[at.clone()]);
                    d.flatten(&mut differences[at.clone()]);
                }
                to[k + b] = total;
            }
            let count = blocks.len() / n;
            for (l, roots) in (1..).zip(table.chunks_exact(half)) {
                let ends = [l * before + k, (n - l) * before + k];
                let needed = |w: &[bool]| ends.iter().any(|p| w[*p..p + count].contains(&true));
                if !wanted.is_none_or(needed) {
                    continue;
                }
                even.copy_from_slice(&first);
                add_terms(&mut even, &sums, roots.iter().map(|w| w[0]));
                // i times the odd part, but for its sign
                odd.fill(T::ZERO);
                add_terms(&mut odd, &differences, roots.iter().map(|w| w[1]));
                let [a, b] = ends;
                let (low, high) = to.split_at_mut(b);
                let values = even.chunks_exact(2 * L).zip(odd.chunks_exact(2 * L));
                let ends = low[a..a + count].iter_mut().zip(high);
                for ((even, odd), (a, b)) in values.zip(ends) {
                    let even = Lanes {
                        re: std::array::from_fn(|l| even[l]),
                        im: std::array::from_fn(|l| even[L + l]),
                    };
                    let odd = Lanes {
                        re: std::array::from_fn(|l| -odd[L + l]),
                        im: std::array::from_fn(|l| odd[l]),
                    };
                    (*a, *b) = even.both(odd);
                }
            }
        }
    }
}

/// Blocks of a pass of a prime that are worked on side by side: rows long enough for wide vectors, and all of them in the
/// nearest cache.
const BLOCKS: usize = 8;

/// Adds rows of terms times their roots: the first two one by one, the others two by two.
#[inline(always)]
fn add_terms<T: Real>(out: &mut [T], rows: &[T], roots: impl ExactSizeIterator<Item = T>) {
    let mut terms = rows.chunks_exact(out.len()).zip(roots);
    for (a, u) in terms.by_ref().take(2) {
        out.iter_mut().zip(a).for_each(|(v, a)| *v = *v + *a * u);
    }
    while let Some((a, u)) = terms.next() {
        let Some((b, v)) = terms.next() else {
            out.iter_mut().zip(a).for_each(|(o, a)| *o = *o + *a * u);
            return;
        };
        let pair = a.iter().zip(b);
        // two pairs at once, to go through the sums half as often
        if terms.len() < 2 {
            for (o, (a, b)) in out.iter_mut().zip(pair) {
                *o = *o + (*a * u + *b * v);
            }
        } else if let (Some((c, w)), Some((d, x))) = (terms.next(), terms.next()) {
            for ((o, (a, b)), (c, d)) in out.iter_mut().zip(pair).zip(c.iter().zip(d)) {
                *o = *o + (*a * u + *b * v) + (*c * w + *d * x);
            }
        }
    }
}

/// A transform of `R` values. A type, as a function that is passed is not compiled for the caller's instructions.
trait Short<const R: usize> {
    fn of<T: Real, const L: usize, const FORWARD: bool>(c: [Lanes<T, L>; R]) -> [Lanes<T, L>; R];
}

struct Four;

impl Short<4> for Four {
    #[inline(always)]
    fn of<T: Real, const L: usize, const FORWARD: bool>(c: [Lanes<T, L>; 4]) -> [Lanes<T, L>; 4] {
        let (t2, t1) = c[0].both(c[2]);
        let (t3, t4) = c[1].both(c[3]);
        let t4 = t4.quarter::<FORWARD>();
        [t2.add(t3), t1.add(t4), t2.sub(t3), t1.sub(t4)]
    }
}

struct Eight;

impl Short<8> for Eight {
    #[inline(always)]
    fn of<T: Real, const L: usize, const FORWARD: bool>(c: [Lanes<T, L>; 8]) -> [Lanes<T, L>; 8] {
        let (a1, a5) = c[1].both(c[5]);
        let (a3, a7) = c[3].both(c[7]);
        let (a1, a3) = a1.both(a3);
        let a3 = a3.quarter::<FORWARD>();
        let a7 = a7.quarter::<FORWARD>();
        let (a5, a7) = a5.both(a7);
        let a5 = a5.eighth::<FORWARD>();
        let a7 = a7.three_eighths::<FORWARD>();
        let (a0, a4) = c[0].both(c[4]);
        let (a2, a6) = c[2].both(c[6]);
        let (a0, a2) = a0.both(a2);
        let (a4, a6) = a4.both(a6.quarter::<FORWARD>());
        [
            a0.add(a1),
            a4.add(a5),
            a2.add(a3),
            a6.add(a7),
            a0.sub(a1),
            a4.sub(a5),
            a2.sub(a3),
            a6.sub(a7),
        ]
    }
}

/// Roots of unity as products of two tables in double precision.
struct Roots {
    len: usize,
    shift: u32,
    fine: Vec<[f64; 2]>,
    coarse: Vec<[f64; 2]>,
}

impl Roots {
    fn new(len: usize) -> Self {
        let needed = len.div_ceil(2) + usize::from(len.is_multiple_of(2));
        let mut shift = 1;
        while (1usize << shift) * (1 << shift) < needed {
            shift += 1;
        }
        let step = 1usize << shift;
        let root = |i: usize| if i == 0 { [1.0, 0.0] } else { root(i, len) };
        Self {
            len,
            shift,
            fine: (0..step).map(root).collect(),
            coarse: (0..needed.div_ceil(step)).map(|i| root(i * step)).collect(),
        }
    }

    /// exp(2 pi i k / len).
    fn at<T: Real>(&self, k: usize) -> [T; 2] {
        let (at, mirrored) = match 2 * k <= self.len {
            true => (k, false),
            false => (self.len - k, true),
        };
        let a = self.fine[at & ((1 << self.shift) - 1)];
        let b = self.coarse[at >> self.shift];
        let re = T::nearest(a[0] * b[0] - a[1] * b[1]);
        let im = T::nearest(a[0] * b[1] + a[1] * b[0]);
        [re, if mirrored { -im } else { im }]
    }
}

/// exp(2 pi i k / n) from an angle within the first eighth of the circle.
fn root(k: usize, n: usize) -> [f64; 2] {
    // one unit is an eighth of a step of the circle
    let unit = 0.25 * PI / n as f64;
    let turn = |x: usize| {
        let angle = x as f64 * unit;
        [angle.cos(), angle.sin()]
    };
    let quarter = |x: usize| match x < n {
        true => turn(x),
        false => {
            let [c, s] = turn(2 * n - x);
            [s, c]
        }
    };
    let half = |x: usize| match x < 2 * n {
        true => quarter(x),
        false => {
            let [c, s] = quarter(x - 2 * n);
            [-s, c]
        }
    };
    let x = 8 * k;
    match x < 4 * n {
        true => half(x),
        false => {
            let [c, s] = half(8 * n - x);
            [c, -s]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An odd number of pairs of terms of the prime (19), against the sums that define the transform; and what is wanted alone.
    #[test]
    fn transforms_are_the_sums_that_define_them() {
        const LEN: usize = 8 * 4 * 19;
        let value = |k: usize, by: usize| ((k * by) % 101) as f64 - 50.0;
        let series: Vec<Lanes<f64, 2>> = (0..LEN)
            .map(|k| Lanes {
                re: [value(k, 37), value(k, 11)],
                im: [value(k, 53), value(k, 29)],
            })
            .collect();
        let plan = Plan::<f64>::new(LEN).unwrap();
        let wanted: Vec<bool> = (0..LEN).map(|k| !(50..LEN - 19).contains(&k)).collect();
        for forward in [true, false] {
            let run = |wanted| {
                let (mut z, mut scratch) = (series.clone(), Vec::new());
                match forward {
                    true => plan.forward(&mut z, &mut scratch, wanted),
                    false => plan.backward(&mut z, &mut scratch, wanted),
                }
                z
            };
            let (all, some) = (run(None), run(Some(wanted.as_slice())));
            assert!((0..LEN).all(|k| !wanted[k] || some[k] == all[k]));
            assert!((0..LEN).any(|k| some[k] != all[k]));
            let sign = if forward { -1.0 } else { 1.0 };
            for k in [0, 1, 17, 304, 599, 607] {
                for lane in 0..2 {
                    let mut sum = [0.0; 2];
                    for (n, v) in series.iter().enumerate() {
                        let angle = sign * 2.0 * PI * ((k * n) % LEN) as f64 / LEN as f64;
                        let (s, c) = angle.sin_cos();
                        sum[0] += v.re[lane] * c - v.im[lane] * s;
                        sum[1] += v.re[lane] * s + v.im[lane] * c;
                    }
                    let found = [all[k].re[lane], all[k].im[lane]];
                    for (a, b) in found.into_iter().zip(sum) {
                        assert!((a - b).abs() < 1e-8, "{k} {lane} {found:?} {sum:?}");
                    }
                }
            }
        }
    }
}
