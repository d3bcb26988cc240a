//! Neighbouring voxels from cubes that differ little.

/// Largest value within `reach` along one axis of `n` positions `stride` apart, for all lines of it.
fn widen(values: &mut [u16], n: usize, stride: usize, reach: usize) {
    if n < 2 || reach == 0 {
        return;
    }
    let mut line = vec![0; n];
    for block in values.chunks_mut(n * stride) {
        for first in 0..stride {
            let at = |i: usize| first + i * stride;
            for (i, v) in line.iter_mut().enumerate() {
                *v = block[at(i)];
            }
            for i in 0..n {
                let (from, to) = (i.saturating_sub(reach), (i + reach + 1).min(n));
                let largest = line[from..to].iter().max();
                block[at(i)] = largest.copied().unwrap_or(0);
            }
        }
    }
}

/// Spreads indices (`[z, y, x]`) over `reach` spaxels in every direction of their image: each takes the largest.
pub fn spread(index: &mut [u16], [_, ny, nx]: [usize; 3], reach: usize) {
    widen(index, nx, 1, reach);
    widen(index, ny, nx, reach);
}

/// Raises indices (`[z, y, x]`) until neighbours (also across corners) differ by at most `step`; 0 for any difference.
pub fn limit_steps(index: &mut [u16], [nz, ny, nx]: [usize; 3], step: u16) {
    if step == 0 {
        return;
    }
    loop {
        if index.iter().all(|v| *v <= step) {
            return;
        }
        let mut around = index.to_vec();
        widen(&mut around, nx, 1, 1);
        widen(&mut around, ny, nx, 1);
        widen(&mut around, nz, ny * nx, 1);
        let mut changed = false;
        for (v, largest) in index.iter_mut().zip(around) {
            let least = largest.saturating_sub(step);
            if *v < least {
                *v = least;
                changed = true;
            }
        }
        if !changed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_fall_off_in_every_direction() {
        let shape = [5, 7, 9];
        let mut index = vec![0u16; 5 * 7 * 9];
        let at = |z: usize, y: usize, x: usize| (z * 7 + y) * 9 + x;
        index[at(2, 3, 4)] = 4;
        limit_steps(&mut index, shape, 1);
        for z in 0..5usize {
            for y in 0..7usize {
                for x in 0..9usize {
                    let far = z.abs_diff(2).max(y.abs_diff(3)).max(x.abs_diff(4));
                    assert_eq!(usize::from(index[at(z, y, x)]), 4usize.saturating_sub(far));
                }
            }
        }
        let before = index.clone();
        limit_steps(&mut index, shape, 0);
        limit_steps(&mut index, shape, 1);
        assert_eq!(index, before);
    }

    #[test]
    fn larger_steps() {
        let mut index = vec![0, 0, 5, 0, 0];
        limit_steps(&mut index, [5, 1, 1], 2);
        assert_eq!(index, [1, 3, 5, 3, 1]);
    }

    #[test]
    fn spreading_stays_in_its_image() {
        let mut index = vec![0; 2 * 3 * 5];
        index[7] = 2;
        spread(&mut index, [2, 3, 5], 1);
        let image = [0, 2, 2, 2, 0, 0, 2, 2, 2, 0, 0, 2, 2, 2, 0];
        assert_eq!(index[..15], image);
        assert!(index[15..].iter().all(|v| *v == 0));
    }
}
