//! Reference files of the detector stage: mask, saturation, superbias, linearity, dark, gain, readnoise, refpix.

use std::path::Path;

use super::super::frame::Frame;
use super::super::mode::{ReadPattern, SIZE, is_reference};
use super::super::pixels::{CUBIC, Pixels, mask};
use super::super::readout::REFERENCE_LEVEL;
use super::{Of, fits, irs2};
use crate::Result;
use crate::simulate::references::key::{DETECTOR, READPATT, SUBARRAY};
use crate::simulate::references::{DqDef, Job, RefFile, rules};

const MASK: &[DqDef] = &[
    (
        mask::DO_NOT_USE as u32,
        "DO_NOT_USE",
        "Bad pixel, not for science",
    ),
    (mask::DEAD as u32, "DEAD", "Dead pixel"),
    (mask::HOT as u32, "HOT", "Hot pixel"),
    (mask::WARM as u32, "WARM", "Warm pixel"),
    (mask::OPEN as u32, "OPEN", "Open pixel"),
    (mask::ADJ_OPEN as u32, "ADJ_OPEN", "Adjacent to open pixel"),
    (mask::TELEGRAPH as u32, "TELEGRAPH", "Telegraph pixel"),
    (mask::REFERENCE as u32, "REFERENCE_PIXEL", "Reference pixel"),
];
const SATURATION: &[DqDef] = &[
    (1, "DO_NOT_USE", "Bad pixel, not for science"),
    (2, "NO_SAT_CHECK", "Saturation cannot be checked"),
];
const LINEARITY: &[DqDef] = &[
    (1, "DO_NOT_USE", "Bad pixel, not for science"),
    (2, "NONLINEAR", "Highly nonlinear"),
    (4, "NO_LIN_CORR", "No linearity correction"),
];
const BIAS: &[DqDef] = &[
    (1, "DO_NOT_USE", "Bad pixel, not for science"),
    (2, "UNRELIABLE_BIAS", "Bias variance large"),
];
const DARK: &[DqDef] = &[
    (1, "DO_NOT_USE", "Bad pixel, not for science"),
    (2, "UNRELIABLE_DARK", "Dark variance large"),
    (4, "HOT", "Hot pixel"),
    (8, "WARM", "Warm pixel"),
];

/// The files of one detector for exposures of `groups` groups.
pub fn files<'a>(
    folder: &'a Path,
    p: &'a Pixels,
    pattern: ReadPattern,
    groups: usize,
) -> Vec<Job<'a>> {
    let detector = Some(p.detector);
    let name = p.detector.name();
    let always = |kind: &str, model: &str| fits(folder, kind, model, detector, Of::All);
    let by_readout =
        |kind: &str, model: &str| fits(folder, kind, model, detector, Of::Pattern(pattern));
    let full = |kind: &str, file: &RefFile| {
        rules(kind, &[DETECTOR, SUBARRAY], &[name, "FULL"], &file.name)
    };
    let read = |kind: &str, file: &RefFile| {
        let keys = [DETECTOR, READPATT, SUBARRAY];
        rules(kind, &keys, &[name, pattern.name(), "FULL"], &file.name)
    };
    let mut jobs: Vec<Job<'a>> = Vec::new();
    let frame = Frame::new(p.detector, pattern);
    let size = [frame.rows(), SIZE];
    let (file, patterns) = match pattern.is_interleaved() {
        true => (by_readout("mask", "MaskModel"), "NRSIRS2|NRSIRS2RAPID"),
        false => (always("mask", "MaskModel"), "NRS|NRSRAPID"),
    };
    let all = frame.spread(&p.mask, mask::REFERENCE);
    jobs.push((
        rules(
            "mask",
            &[DETECTOR, SUBARRAY, READPATT],
            &[name, "FULL", patterns],
            &file.name,
        ),
        Box::new(move || {
            let mut w = file.create()?;
            w.array("DQ", &size, &all)?;
            w.dq_def(MASK)?;
            w.finish()
        }),
    ));
    let file = always("saturation", "SaturationModel");
    jobs.push((
        full("saturation", &file),
        Box::new(move || {
            let flags = doubted(p, 1, 2);
            let mut w = file.create()?;
            w.image("SCI", &p.saturation)?;
            w.image("DQ", &flags)?;
            w.dq_def(SATURATION)?;
            w.finish()
        }),
    ));
    let file = always("linearity", "LinearityModel");
    jobs.push((
        full("linearity", &file),
        Box::new(move || linearity(&file, p)),
    ));
    let file = always("gain", "GainModel");
    jobs.push((
        full("gain", &file),
        Box::new(move || single(&file, &p.gain)),
    ));
    let file = by_readout("superbias", "SuperBiasModel");
    jobs.push((
        read("superbias", &file),
        Box::new(move || {
            let mut w = file.create()?;
            w.array("SCI", &size, &frame.spread(&p.bias, REFERENCE_LEVEL))?;
            w.array("DQ", &size, &frame.spread(&doubted(p, 4, 2), 0))?;
            w.dq_def(BIAS)?;
            w.finish()
        }),
    ));
    let file = by_readout("readnoise", "ReadnoiseModel");
    jobs.push((
        read("readnoise", &file),
        Box::new(move || {
            let factor = pattern.noise() as f32;
            let noise: Vec<f32> = p.noise.iter().map(|n| n * factor).collect();
            single(&file, &noise)
        }),
    ));
    let file = by_readout("dark", "DarkNirspecModel");
    jobs.push((
        read("dark", &file),
        Box::new(move || dark(&file, p, pattern, groups)),
    ));
    if pattern.is_interleaved() {
        let file = by_readout("refpix", "IRS2Model");
        let keys = [DETECTOR, READPATT];
        jobs.push((
            rules("refpix", &keys, &[name, pattern.name()], &file.name),
            Box::new(move || irs2::write(&file)),
        ));
    }
    jobs
}

/// Flags `flag` where the bit of the pixels' doubts is set.
fn doubted(p: &Pixels, bit: u8, flag: u8) -> Vec<u8> {
    let one = |d: &u8| if d & bit == 0 { 0 } else { flag };
    p.doubt.iter().map(one).collect()
}

fn single(file: &RefFile, values: &[f32]) -> Result<()> {
    let mut w = file.create()?;
    w.image("SCI", values)?;
    w.finish()
}

fn linearity(file: &RefFile, p: &Pixels) -> Result<()> {
    let n = SIZE * SIZE;
    let mut w = file.create()?;
    w.planes("COEFFS", &[4, SIZE, SIZE], |term| match term {
        0 => vec![0.0f32; n],
        1 => vec![1.0; n],
        2 => p.linearity.clone(),
        _ => (0..n)
            .map(|i| if is_reference(i) { 0.0 } else { CUBIC })
            .collect(),
    })?;
    w.image("DQ", &doubted(p, 2, 4))?;
    w.dq_def(LINEARITY)?;
    w.finish()
}

/// Dark signal at the end of each group; of averaged frames their mean.
fn dark(file: &RefFile, p: &Pixels, pattern: ReadPattern, groups: usize) -> Result<()> {
    let frames = pattern.frames();
    let frame_time = pattern.frame_ticks() as f64 * 1e-5;
    let group_time = frame_time * frames as f64;
    let file = file
        .clone()
        .with("NGROUPS", groups, "Number of groups in integration")
        .with("NFRAMES", frames, "Number of frames per group")
        .with("GROUPGAP", 0, "Number of frames dropped between groups")
        .with("TFRAME", frame_time, "[s] Time between frames")
        .with("TGROUP", group_time, "[s] Time between groups")
        .with(
            "AVDRKCUR",
            p.average_dark(),
            "Average dark current in units of electrons/sec",
        );
    let mut w = file.create()?;
    w.planes("SCI", &[groups, SIZE, SIZE], |group| {
        let reads = (group * frames) as f64 + 0.5 * (frames as f64 + 1.0);
        let time = (reads * frame_time) as f32;
        p.dark.iter().map(|d| d * time).collect::<Vec<f32>>()
    })?;
    let flags = |(m, d): (&u8, &u8)| {
        let own = [(mask::HOT, 4u8), (mask::WARM, 8)];
        let own = own.iter().filter(|(bit, _)| m & bit != 0);
        own.map(|o| o.1).sum::<u8>() | if d & 8 == 0 { 0 } else { 2 }
    };
    let flags: Vec<u8> = p.mask.iter().zip(&p.doubt).map(flags).collect();
    w.image("DQ", &flags)?;
    w.dq_def(DARK)?;
    w.finish()
}
