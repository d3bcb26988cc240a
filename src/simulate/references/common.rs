//! Reference files that serve both detectors and all bands: emicorr and the parameters of the jump step.

use std::path::Path;

use super::super::pixels::ReadPattern;
use super::key::{EXP_TYPE, READPATT, SUBARRAY};
use super::{Job, MRS, rules, serial, tree};
use crate::Result;

/// The files, for exposures of this readout.
pub fn files(folder: &Path, pattern: ReadPattern) -> Vec<Job<'_>> {
    let mut jobs: Vec<Job<'_>> = Vec::new();
    let name = format!("jwst_miri_emicorr_{}.asdf", serial(None, None, None));
    jobs.push((
        rules("emicorr", &[], &[], &name),
        Box::new(move || emicorr(folder, &name)),
    ));
    let name = format!(
        "jwst_miri_pars-jumpstep_{}.asdf",
        serial(None, None, Some(pattern))
    );
    jobs.push((
        rules(
            "pars-jumpstep",
            &[EXP_TYPE, READPATT, SUBARRAY],
            &["MIR_MRS", pattern.rule(), "FULL"],
            &name,
        ),
        Box::new(move || jump_parameters(folder, &name, pattern)),
    ));
    jobs
}

/// Reference waves of the known interferences. That at 390 Hz is in step with full frames, where ramps
/// do not see it; the exposures contain the one at 10 Hz.
fn emicorr(folder: &Path, name: &str) -> Result<()> {
    let mut tree = tree::new("emicorr", name, "EmiModel", ["N/A"; 3]);
    for (label, frequency) in [
        ("Hz390", 390.625),
        ("Hz218a", 218.520_55),
        ("Hz10", 10.039_216),
    ] {
        let wave: Vec<f32> = (0..60)
            .map(|k| libm::sin(std::f64::consts::TAU * (f64::from(k) + 0.5) / 60.0) as f32)
            .collect();
        tree.set(&format!("frequencies.{label}.frequency"), frequency);
        tree.set(
            &format!("frequencies.{label}.phase_amplitudes"),
            tree::array(&[60], &wave)?,
        );
    }
    for (label, pattern, seen) in [
        ("FULL_FAST", ReadPattern::FastR1, "Hz10"),
        ("FULL_SLOW", ReadPattern::SlowR1, "Hz10"),
    ] {
        let (row, frame) = pattern.clocks();
        let case = format!("subarray_cases.{label}");
        let slow = pattern == ReadPattern::SlowR1;
        let list = |on: bool| tree::texts(&[seen][..usize::from(on)]);
        tree.set(&format!("{case}.rowclocks"), row);
        tree.set(&format!("{case}.frameclocks"), frame);
        tree.set(&format!("{case}.freqs.FAST"), list(!slow));
        for detector in ["MIRIFULONG", "MIRIFUSHORT", "MIRIMAGE"] {
            tree.set(&format!("{case}.freqs.SLOW.{detector}"), list(slow));
        }
    }
    tree::save(folder, name, &tree)
}

/// Settings of the jump step for the spectrometer, showers included, as flight rules serve them.
fn jump_parameters(folder: &Path, name: &str, pattern: ReadPattern) -> Result<()> {
    let mut tree = tree::parameters(&MRS, "pars-jumpstep", "jwst.jump.jump_step.JumpStep");
    tree.set("meta.exposure.readpatt", pattern.name());
    tree.set("parameters.find_showers", true);
    for (key, value) in [
        ("extend_snr_threshold", 1.2),
        ("extend_outer_radius", 2.6),
        ("extend_ellipse_expand_ratio", 1.1),
        ("max_shower_amplitude", 4.0),
        ("after_jump_flag_dn1", 1000.0),
        ("after_jump_flag_time1", 15.0),
        ("after_jump_flag_dn2", 1000.0),
        ("after_jump_flag_time2", 3000.0),
    ] {
        tree.set(&format!("parameters.{key}"), value);
    }
    for (key, value) in [
        ("extend_min_area", 90),
        ("extend_inner_radius", 1),
        ("time_masked_after_shower", 15),
    ] {
        tree.set(&format!("parameters.{key}"), value);
    }
    tree::save(folder, name, &tree)
}
