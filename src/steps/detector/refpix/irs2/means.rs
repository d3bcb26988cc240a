//! The mean offsets of the outputs, by the reference pixels at both ends of the detector's columns, as for traditional
//! readout but with the reference output as a fifth one and the interleaved pixels among the columns.

use crate::Result;
use crate::exec::Exec;
use crate::model::Ramp;
use crate::model::dq::DO_NOT_USE;
use crate::model::irs2::{FRAME, NORMAL, OUTPUT, REFERENCE, SCIENCE};
use crate::steps::detector::refpix::nir::{EDGE, Orientation};
use crate::steps::detector::refpix::{Mean, RefpixParams};

/// Outputs, the reference output among them.
const OUTPUTS: usize = FRAME / OUTPUT;

/// Whether a column of the detector counts as odd (the first, third, ...). Interleaved pixels come in pairs, the first of
/// which is odd and the second even.
fn is_odd(column: usize) -> bool {
    let period = NORMAL + REFERENCE;
    let reference = (column % OUTPUT + period - NORMAL / 2) % period < REFERENCE;
    match reference {
        true => column % 4 < 2,
        false => column.is_multiple_of(2),
    }
}

/// Columns of an output and parity, and their good reference pixels at the bottom and top by their places in the frame.
struct Set {
    columns: Vec<usize>,
    bottom: Vec<usize>,
    top: Vec<usize>,
}

/// Subtracts the offsets from all groups of a ramp.
///
/// # Errors
/// Where the detector's orientation is not known.
pub fn subtract(ramp: &mut Ramp, params: &RefpixParams, exec: &Exec) -> Result<()> {
    let orientation = Orientation::of(&ramp.meta)?;
    let across = |column: usize| match orientation.against_rows {
        true => FRAME - 1 - column,
        false => column,
    };
    let pixeldq = &ramp.pixeldq;
    let good = |columns: &[usize], rows: std::ops::Range<usize>| -> Vec<usize> {
        rows.flat_map(|row| {
            let x = orientation.along(row);
            columns.iter().map(move |c| across(*c) * SCIENCE + x)
        })
        .filter(|p| pixeldq[*p] & DO_NOT_USE == 0)
        .collect()
    };
    let outputs: Vec<Vec<Set>> = (0..OUTPUTS)
        .map(|output| {
            let all = output * OUTPUT..(output + 1) * OUTPUT;
            let parts: Vec<Vec<usize>> = match params.odd_even_columns {
                true => [true, false]
                    .map(|odd| all.clone().filter(|c| is_odd(*c) == odd).collect())
                    .into(),
                false => vec![all.collect()],
            };
            let set = |columns: Vec<usize>| Set {
                bottom: good(&columns, 0..EDGE),
                top: good(&columns, SCIENCE - EDGE..SCIENCE),
                columns,
            };
            parts.into_iter().map(set).collect()
        })
        .collect();
    let limit = params.siglimit as f32;
    let planes = ramp.data.chunks_mut(FRAME * SCIENCE).collect();
    exec.map(planes, |plane: &mut [f32]| {
        let mean = |places: &[usize]| {
            let values: Vec<f32> = places.iter().map(|p| plane[*p]).collect();
            (!values.is_empty()).then(|| Mean::of_f32(values, limit))
        };
        let signals: Vec<Vec<Option<Mean>>> = outputs
            .iter()
            .map(|sets| {
                let of_set = |s: &Set| match (mean(&s.top), mean(&s.bottom)) {
                    (Some(a), Some(b)) => Some(a.average(b)),
                    (a, b) => a.or(b),
                };
                sets.iter().map(of_set).collect()
            })
            .collect();
        for (sets, signals) in outputs.iter().zip(signals) {
            if signals.iter().any(Option::is_none) {
                continue;
            }
            for (set, signal) in sets.iter().zip(signals.into_iter().flatten()) {
                for column in &set.columns {
                    let y = across(*column);
                    let row = &mut plane[y * SCIENCE..(y + 1) * SCIENCE];
                    row.iter_mut().for_each(|v| *v = signal.from(*v));
                }
            }
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parities_of_interleaved_pixels_come_in_pairs() {
        let odd: Vec<bool> = (640..664).map(is_odd).collect();
        let expect = "0101010100110101010101010";
        let told: String = odd.iter().map(|o| if *o { '0' } else { '1' }).collect();
        assert_eq!(told, expect[..24]);
    }
}
