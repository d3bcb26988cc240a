//! Weights of the reference pixels for the IRS2 readout: from the very spectra of the simulated noise, those that leave least
//! of it (Wiener's filter).
//!
//! An output's noise is to be predicted from the reference output, which has the common part and another's own, and from its
//! own reference pixels, which have all of it but see it only now and then: they are blind above half the frequency of
//! their blocks, and what is there seems to be below.

use super::super::drift::powers;
use super::super::frame::{BAD, TICKS};
use super::super::mode::SIZE;
use super::super::readout::REFERENCE_NOISE;
use crate::Result;
use crate::formats::fits::TableBuilder;
use crate::model::irs2::{NORMAL, REFERENCE};
use crate::simulate::references::RefFile;

/// Values of an output in the order of reading, and frequencies of these.
const LENGTH: usize = TICKS * SIZE;
/// Ticks from one block of reference pixels to the next.
const PERIOD: f64 = (NORMAL + REFERENCE + 2) as f64;
/// Blocks of reference pixels in a row of an output.
const BLOCKS: f64 = (SIZE / 4 / NORMAL) as f64;
/// Ticks of a block that the correction fills from its reference pixels, each of which stands for two.
const FILLED: f64 = (2 * REFERENCE) as f64;

/// A weight of the reference output and one of the own reference pixels, for outputs 1 to 4.
type Weights = [(f64, f64); 4];

/// Weights of the reference output and of the own reference pixels for outputs 1 to 4 at a frequency (per tick, 0 to 0.5). The second
/// are for a series in which the pixels stand at their ticks and nothing elsewhere.
fn weights(frequency: f64) -> Weights {
    let (common, own) = powers(frequency);
    let white = REFERENCE_NOISE * REFERENCE_NOISE;
    let blind = frequency >= 0.5 / PERIOD;
    std::array::from_fn(|i| {
        let own_of = own[i + 1];
        let of_reference = common + own[0] + white;
        if blind {
            return (common / of_reference, 0.0);
        }
        let sampled = TICKS as f64 / (BLOCKS * REFERENCE as f64);
        let noise = common + own_of + white * sampled + mistaken(frequency, i + 1);
        let determinant = of_reference * noise - common * common;
        let total = common + own_of;
        let first = common * (noise - total) / determinant;
        let second = (of_reference * total - common * common) / determinant;
        (first, second * TICKS as f64 / (BLOCKS * FILLED))
    })
}

/// Power of higher frequencies that seem to be this one.
fn mistaken(frequency: f64, output: usize) -> f64 {
    let pi = std::f64::consts::PI;
    let of = |j: f64| {
        let angle = pi * j / PERIOD;
        let share = libm::sin(FILLED * angle) / (FILLED * libm::sin(angle));
        let power = |f: f64| {
            let (common, own) = powers(f);
            common + own[output]
        };
        let (above, below) = (frequency + j / PERIOD, frequency - j / PERIOD);
        share * share * (power(above) + power(below))
    };
    (1..=10).map(|j| of(f64::from(j))).sum()
}

/// Writes the file of type `refpix`.
///
/// # Errors
/// [`crate::Error::Io`] where writing fails.
pub fn write(file: &RefFile) -> Result<()> {
    let half: Vec<Weights> = (0..=LENGTH / 2)
        .map(|k| weights(k as f64 / LENGTH as f64))
        .collect();
    // real parts, each with an imaginary part of 0 behind it
    let column = |of: &dyn Fn(&Weights) -> f64| -> Vec<f32> {
        let real = (0..LENGTH).map(|k| of(&half[k.min(LENGTH - k)]) as f32);
        real.flat_map(|v| [v, 0.0]).collect()
    };
    let mut table = TableBuilder::new(2 * LENGTH);
    for i in 0..4 {
        table = table.f32(&format!("alpha_{i}"), &column(&|w| w[i].0));
    }
    for i in 0..4 {
        table = table.f32(&format!("beta_{i}"), &column(&|w| w[i].1));
    }
    let mut w = file.create()?;
    w.table(table.build("IRS2"))?;
    let bad = TableBuilder::new(BAD.len())
        .i16("OUTPUT", &BAD.map(|b| b.0 as i16))
        .i16("ODD_EVEN", &BAD.map(|b| b.1 as i16))
        .i32("MASK", &BAD.map(|b| 1 << b.2));
    w.table(bad.build("DQ"))?;
    w.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_pixels_are_trusted_at_low_frequencies_and_none_at_high_ones() {
        let whole = BLOCKS * FILLED / TICKS as f64;
        for (first, second) in weights(1e-6) {
            // nearly all of the noise is in the own reference pixels
            assert!(
                (first + second * whole - 1.0).abs() < 0.01,
                "{first} {second}"
            );
            assert!(second * whole > 0.8);
        }
        for (first, second) in weights(0.49) {
            assert!(first < 0.01 && second == 0.0, "{first} {second}");
        }
        // the reference output takes over between
        let middle = weights(5e-3);
        assert!(middle.iter().all(|(first, second)| *first > second * whole));
        // an output with more noise of its own trusts its own pixels more
        let low = weights(1e-4);
        assert!(low[2].1 > low[1].1);
    }
}
