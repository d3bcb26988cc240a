//! Sorting of many single-precision values: three passes over their bits in place of comparisons.

/// Bits of a digit.
const BITS: u32 = 11;

/// A key whose order as a number is that of the values: NaN of either sign at the ends, -0 before 0.
fn key(value: f32) -> u32 {
    let bits = value.to_bits();
    match bits >> 31 {
        0 => bits | 1 << 31,
        _ => !bits,
    }
}

/// The value of a key.
fn value(key: u32) -> f32 {
    f32::from_bits(match key >> 31 {
        0 => !key,
        _ => key & !(1 << 31),
    })
}

/// The values in rising order, as [`f32::total_cmp`] has it.
pub fn sorted(values: impl Iterator<Item = f32>) -> Vec<f32> {
    let mut keys: Vec<u32> = values.map(key).collect();
    let mut other = vec![0; keys.len()];
    for pass in 0..32u32.div_ceil(BITS) {
        let digit = |k: u32| (k >> (pass * BITS)) as usize & ((1 << BITS) - 1);
        let mut starts = [0usize; 1 << BITS];
        keys.iter().for_each(|k| starts[digit(*k)] += 1);
        if starts.contains(&keys.len()) {
            // all alike in this digit
            continue;
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += std::mem::replace(start, sum);
        }
        for k in &keys {
            let place = &mut starts[digit(*k)];
            other[*place] = *k;
            *place += 1;
        }
        std::mem::swap(&mut keys, &mut other);
    }
    keys.into_iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_comparisons() {
        let mut state = 7u64;
        let mut random = || {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            f32::from_bits((state >> 32) as u32)
        };
        let mut values: Vec<f32> = (0..5000).map(|_| random()).collect();
        values.extend([
            0.0,
            -0.0,
            1.0,
            1.0,
            -1.0,
            f32::NAN,
            -f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
        ]);
        let out = sorted(values.iter().copied());
        values.sort_by(f32::total_cmp);
        let bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&out), bits(&values));
    }

    #[test]
    fn few_values_and_equal_ones() {
        assert!(sorted([].into_iter()).is_empty());
        assert_eq!(sorted([3.0, 3.0, -2.0].into_iter()), [-2.0, 3.0, 3.0]);
    }
}
