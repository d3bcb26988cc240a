//! Loops for the widest vector instructions of the processor at hand.
//!
//! The program is compiled for every processor of its kind; where this one has wider vectors, functions defined by `wide!` use
//! them. Each operation is rounded as by the others (no multiplication is fused with an addition but by `mul_add`, which elsewhere
//! is a call of a function), so that the numbers are the same bits.

/// Defines a function without a result twice, the second time for processors with AVX2 and FMA, and calls that where they are there.
/// What it calls must be `#[inline(always)]` to gain by it; a closure cannot be, which is why this is no function.
macro_rules! wide {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $of:ty),* $(,)?) $body:block) => {
        $(#[$doc])*
        $vis fn $name($($arg: $of),*) {
            #[inline(always)]
            fn anywhere($($arg: $of),*) $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn with_avx2($($arg: $of),*) {
                    anywhere($($arg),*);
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    // SAFETY: the processor has these instructions.
                    return unsafe { with_avx2($($arg),*) };
                }
            }
            anywhere($($arg),*);
        }
    };
}

pub(crate) use wide;

#[cfg(test)]
mod tests {
    #[inline(always)]
    fn quotients(a: &[f64], b: &[f64], out: &mut [f64]) {
        for ((a, b), out) in a.iter().zip(b).zip(out) {
            *out = a.mul_add(0.3, a * b + a / (b + 2.0));
        }
    }

    wide! {
        fn widest(a: &[f64], b: &[f64], out: &mut [f64]) {
            quotients(a, b, out);
        }
    }

    #[test]
    fn the_same_bits() {
        let a: Vec<f64> = (0..1003).map(|i| (f64::from(i) * 0.37).sin()).collect();
        let b: Vec<f64> = (0..1003).map(|i| (f64::from(i) * 0.11).cos()).collect();
        let (mut one, mut two) = (vec![0.0; 1003], vec![0.0; 1003]);
        quotients(&a, &b, &mut one);
        widest(&a, &b, &mut two);
        let bits = |v: &[f64]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&one), bits(&two));
    }
}
