//! How flags and values of voxels go together.

use crate::model::dq;

/// Sets values to NaN where a flag is set, whichever.
pub(super) fn blank_flagged(sci: &mut [f32], flags: &[u32]) {
    for (v, flags) in sci.iter_mut().zip(flags) {
        if *flags != 0 {
            *v = f32::NAN;
        }
    }
}

/// Flags values that are NaN `DO_NOT_USE`.
pub(super) fn flag_nan(sci: &[f32], flags: &mut [u32]) {
    for (v, flags) in sci.iter().zip(flags) {
        if v.is_nan() {
            *flags |= dq::DO_NOT_USE;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_blank_and_nan_flags() {
        let mut sci = [1.0, 2.0, f32::NAN, f32::NAN];
        let mut flags = [0, 4, 0, 513];
        blank_flagged(&mut sci, &flags);
        assert!(sci[0] == 1.0 && sci[1].is_nan());
        flag_nan(&sci, &mut flags);
        assert_eq!(flags, [0, 5, 1, 513]);
    }
}
