//! Which cube each wavelength of a spaxel is taken from.

/// No cube has anything to give.
pub const NONE: u16 = u16::MAX;

/// Why a voxel is not taken from the cube before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Flag {
    /// It is good.
    Good = 0,
    /// It has no value.
    Bad = 1,
    /// It saturated in part of its groups, so that it is too faint.
    Partial = 2,
    /// It is too bright (a cosmic ray).
    Outlier = 3,
}

/// When a value is not believed; see the step's parameters of the same names.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Wavelengths by which a run of bad ones is widened at both ends.
    pub expand: usize,
    pub partial: bool,
    pub partial_factor: f32,
    pub partial_snr: f32,
    pub partial_min_flux: f32,
    pub outliers: bool,
    pub outlier_factor: f32,
    pub outlier_min_flux: f32,
    /// `(SNR above which, factor)` of fainter signals.
    pub low_snr: [(f32, f32); 2],
    /// A widened run takes all of the next cube, its NaN included.
    pub compatible: bool,
}

/// The choice for one spaxel, cube by cube.
#[derive(Debug)]
pub struct Chooser {
    running: Vec<f32>,
    bad: Vec<bool>,
}

impl Chooser {
    /// For spectra of `n` wavelengths.
    pub fn new(n: usize) -> Self {
        Self {
            running: vec![f32::NAN; n],
            bad: vec![false; n],
        }
    }

    /// Chooses among spectra of one spaxel, the most groups first, NaN where there is no value; `errors` are theirs.
    /// Sets the cube of each wavelength in `index` ([`NONE`] for none) and its flag in `flags`.
    pub fn choose(
        &mut self,
        spectra: &[Vec<f32>],
        errors: &[Vec<f32>],
        rules: &Rules,
        index: &mut [u16],
        flags: &mut [u8],
    ) {
        self.running.fill(f32::NAN);
        index.fill(NONE);
        flags.fill(Flag::Good as u8);
        let Some(fewest) = spectra.last() else {
            return;
        };
        for (k, (new, err)) in spectra.iter().zip(errors).enumerate() {
            for (i, run) in self.running.iter().enumerate() {
                let previous = k > 0 && usize::from(index[i]) == k - 1;
                let flag = judge(*run, previous, new[i], err[i], fewest[i], rules);
                self.bad[i] = flag != Flag::Good;
                if k > 0 && self.bad[i] {
                    flags[i] = flag as u8;
                }
            }
            self.replace(new, k as u16, rules, index);
        }
    }

    /// Puts cube `k` into every run of bad wavelengths and its surroundings.
    fn replace(&mut self, new: &[f32], k: u16, rules: &Rules, index: &mut [u16]) {
        let n = self.bad.len();
        let mut start = 0;
        while start < n {
            if !self.bad[start] {
                start += 1;
                continue;
            }
            let length = self.bad[start..].iter().take_while(|b| **b).count();
            let from = start.saturating_sub(rules.expand);
            let to = (start + length).saturating_add(rules.expand).min(n);
            start += length;
            let nothing = new[from..to].iter().all(|v| v.is_nan());
            for i in from..to {
                if nothing {
                    if rules.compatible {
                        self.running[i] = f32::NAN;
                    }
                } else if rules.compatible || !new[i].is_nan() || self.running[i].is_nan() {
                    self.running[i] = new[i];
                    index[i] = k;
                }
            }
        }
    }
}

/// What is wrong with a running value, seen beside that of the next cube (`new` with error `err`).
fn judge(run: f32, previous: bool, new: f32, err: f32, fewest: f32, rules: &Rules) -> Flag {
    if run.is_nan() {
        return Flag::Bad;
    }
    if !previous {
        return Flag::Good;
    }
    let snr = new / err;
    let above = |floor: f32| run > floor && new > floor;
    if rules.partial
        && above(rules.partial_min_flux)
        && snr > rules.partial_snr
        && run < new * rules.partial_factor
        && new < fewest * rules.outlier_factor
    {
        return Flag::Partial;
    }
    let [(snr1, factor1), (snr2, factor2)] = rules.low_snr;
    let bright = (run > new * rules.outlier_factor && snr > snr1)
        || (run > new * factor1 && snr > snr2)
        || run > new * factor2;
    if rules.outliers && above(rules.outlier_min_flux) && bright {
        return Flag::Outlier;
    }
    Flag::Good
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAN: f32 = f32::NAN;

    fn rules() -> Rules {
        Rules {
            expand: 2,
            partial: true,
            partial_factor: 0.9,
            partial_snr: 300.0,
            partial_min_flux: 0.0,
            outliers: true,
            outlier_factor: 1.2,
            outlier_min_flux: 0.0,
            low_snr: [(100.0, 1.5), (30.0, 3.0)],
            compatible: false,
        }
    }

    fn chosen(spectra: &[Vec<f32>], err: f32, rules: &Rules) -> (Vec<u16>, Vec<u8>) {
        let n = spectra[0].len();
        let errors = vec![vec![err; n]; spectra.len()];
        let (mut index, mut flags) = (vec![7; n], vec![9; n]);
        Chooser::new(n).choose(spectra, &errors, rules, &mut index, &mut flags);
        (index, flags)
    }

    #[test]
    fn runs_are_widened() {
        let few = vec![1.0; 9];
        let mut all = few.clone();
        all[4] = NAN;
        let (index, flags) = chosen(&[all, few], 0.001, &rules());
        assert_eq!(index, [0, 0, 1, 1, 1, 1, 1, 0, 0]);
        assert_eq!(flags, [0, 0, 0, 0, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn a_good_value_is_not_lost_to_a_gap_beside_it() {
        let all = vec![1.0, 1.0, 1.0, NAN, 1.0, 1.0, 1.0];
        let few = vec![1.0, NAN, 1.0, 1.0, 1.0, 1.0, 1.0];
        let mut rules = rules();
        let (index, _) = chosen(&[all.clone(), few.clone()], 0.001, &rules);
        assert_eq!(index, [0, 0, 1, 1, 1, 1, 0]);
        rules.compatible = true;
        let (index, _) = chosen(&[all, few], 0.001, &rules);
        assert_eq!(
            index,
            [0, 1, 1, 1, 1, 1, 0],
            "1 is taken from a cube without it"
        );
    }

    #[test]
    fn where_all_is_nan_nothing_is_taken_and_the_next_widens_more_only_if_compatible() {
        let all = vec![1.0, 1.0, 1.0, 1.0, 1.0, NAN, 1.0, 1.0, 1.0, 1.0, 1.0];
        let mut few = vec![1.0; 11];
        few[3..8].fill(NAN);
        let one = vec![1.0; 11];
        let spectra = [all, few, one];
        let mut rules = rules();
        let (index, flags) = chosen(&spectra, 0.001, &rules);
        assert_eq!(index, [0, 0, 0, 2, 2, 2, 2, 2, 0, 0, 0]);
        assert_eq!(flags[4..7], [0, 1, 0]);
        rules.compatible = true;
        let (index, flags) = chosen(&spectra, 0.001, &rules);
        assert_eq!(index, [0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0]);
        assert_eq!(flags[2..9], [0, 1, 1, 1, 1, 1, 0]);
    }

    #[test]
    fn partial_saturation_and_outliers() {
        let spectrum = |v: f32| vec![v; 1];
        let flag = |a: f32, b: f32, c: f32, err: f32| {
            chosen(&[spectrum(a), spectrum(b), spectrum(c)], err, &rules()).1[0]
        };
        assert_eq!(flag(0.8, 1.0, 1.0, 0.001), 2);
        // too noisy, too small a difference, the next cube's own outlier
        assert_eq!(flag(0.8, 1.0, 1.0, 0.01), 0);
        assert_eq!(flag(0.95, 1.0, 1.0, 0.001), 0);
        assert_eq!(flag(0.8, 1.0, 0.8, 0.001), 0);
        assert_eq!(flag(1.3, 1.0, 1.0, 0.005), 3);
        assert_eq!(flag(1.3, 1.0, 1.0, 0.02), 0);
        assert_eq!(flag(1.6, 1.0, 1.0, 0.02), 3);
        assert_eq!(flag(2.9, 1.0, 1.0, 0.5), 0);
        assert_eq!(flag(3.1, 1.0, 1.0, 0.5), 3);
        assert_eq!(flag(3.1, -1.0, -1.0, 0.5), 0);
        let off = Rules {
            outliers: false,
            partial: false,
            ..rules()
        };
        let spectra = [spectrum(9.0), spectrum(1.0)];
        assert_eq!(chosen(&spectra, 0.001, &off), (vec![0], vec![0]));
    }

    #[test]
    fn nothing_anywhere() {
        let (index, flags) = chosen(&[vec![NAN; 3], vec![NAN; 3]], 1.0, &rules());
        assert_eq!((index, flags), (vec![NONE; 3], vec![1; 3]));
        let (index, _) = chosen(&[vec![]], 1.0, &rules());
        assert!(index.is_empty());
    }
}
