//! Vector instructions of the processor at hand for loops that compilers make vector instructions of.
//!
//! The program is compiled for every processor of its kind; where this one has wider vectors, a loop is done with these. Each
//! operation is rounded as by the others (no multiplication is fused with an addition), so that the numbers are the same bits.

/// Calls `work`, compiled for wide vectors where the processor has them. What `work` calls must be inlined to gain by it.
#[inline(always)]
pub fn wide<T>(work: impl FnOnce() -> T) -> T {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn compiled<T>(work: impl FnOnce() -> T) -> T {
            work()
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has these instructions.
            return unsafe { compiled(work) };
        }
    }
    work()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bits() {
        let a: Vec<f64> = (0..1003).map(|i| (f64::from(i) * 0.37).sin()).collect();
        let b: Vec<f64> = (0..1003).map(|i| (f64::from(i) * 0.11).cos()).collect();
        #[inline(always)]
        fn sums(a: &[f64], b: &[f64]) -> Vec<u64> {
            let value = |(a, b): (&f64, &f64)| (a * b + a / (b + 2.0)).to_bits();
            a.iter().zip(b).map(value).collect()
        }
        assert_eq!(wide(|| sums(&a, &b)), sums(&a, &b));
    }
}
