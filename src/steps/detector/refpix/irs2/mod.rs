//! Frames of NIRSpec's IRS2 readout: interleaved reference pixels and a reference output tell of the correlated noise of
//! every tick; after the correction only science rows are left.

pub mod bad;
mod means;
pub mod noise;
pub mod series;

use std::path::Path;

use noise::{Four, LANES, Transform};
use series::{LENGTH, Turned};

use super::RefpixParams;
use crate::exec::Exec;
use crate::model::dq::{BAD_REF_PIXEL, DO_NOT_USE};
use crate::model::irs2::{FRAME, OUTPUT, SCIENCE, ScienceRows};
use crate::model::reference::RefFits;
use crate::model::{Buffer, Ramp};
use crate::{Error, Result};

/// Pixels of a frame.
const PLANE: usize = FRAME * SCIENCE;

/// Weights of the reference pixels, from the reference file.
#[derive(Debug)]
pub struct Weights {
    /// For each frequency those of the outputs' own reference pixels.
    own: Vec<Four>,
    /// Those of the reference output.
    of_reference: Vec<Four>,
    /// Columns of the detector with bad reference pixels, by the rows of the file's table; none where it says nothing.
    bad: Option<Vec<Vec<usize>>>,
    transform: Transform,
}

impl Weights {
    /// Weights for each of [`LENGTH`] frequencies, and columns of the detector with bad reference pixels; none where there are
    /// more or fewer.
    pub fn new(
        own: Vec<Four>,
        of_reference: Vec<Four>,
        bad: Option<Vec<Vec<usize>>>,
    ) -> Option<Self> {
        if own.len() != LENGTH || of_reference.len() != LENGTH {
            return None;
        }
        Some(Self {
            own,
            of_reference,
            bad,
            transform: Transform::new()?,
        })
    }

    /// Loads the reference file.
    ///
    /// # Errors
    /// [`Error::Reference`] where it cannot be read or has another number of weights than the readout needs.
    pub fn load(path: &Path) -> Result<Self> {
        let file = RefFits::open("refpix", path)?;
        let table = file.table("IRS2")?;
        if table.nrows != 2 * LENGTH {
            return Err(file.error(format!(
                "table IRS2 has {} rows; {} are needed",
                table.nrows,
                2 * LENGTH
            )));
        }
        let weights = |name: &str| -> Result<Vec<Four>> {
            let mut out = vec![Four::ZERO; LENGTH];
            for lane in 0..LANES {
                let column = format!("{name}_{lane}");
                let values = table.column_f32(&column);
                let values = values.ok_or_else(|| {
                    file.error(format!("table IRS2 has no column {column} of type E"))
                })?;
                for (w, v) in out.iter_mut().zip(values.as_chunks::<2>().0) {
                    [w.re[lane], w.im[lane]] = *v;
                }
            }
            Ok(out)
        };
        let bad = match file.has("DQ") {
            true => named_bad(&file)?,
            false => None,
        };
        if bad.is_none() {
            tracing::warn!(
                "refpix: {} names no bad reference pixels",
                file.path().display()
            );
        }
        let weights = Self::new(weights("beta")?, weights("alpha")?, bad);
        weights.ok_or_else(|| file.error("its weights do not fit the readout"))
    }
}

/// Bad reference pixels of a reference file; none where its table is empty.
fn named_bad(file: &RefFits) -> Result<Option<Vec<Vec<usize>>>> {
    let table = file.table("DQ")?;
    let column = |name: &str| -> Result<Vec<i64>> {
        let values = table.column_numbers(name);
        let values = values.ok_or_else(|| file.error(format!("table DQ has no column {name}")))?;
        Ok(values.into_iter().map(|v| v as i64).collect())
    };
    let (outputs, parities, masks) = (column("OUTPUT")?, column("ODD_EVEN")?, column("MASK")?);
    let mut entries = Vec::new();
    for ((output, parity), mask) in outputs.into_iter().zip(parities).zip(masks) {
        if !(1..=4).contains(&output) || !(1..=2).contains(&parity) {
            return Err(file.error(format!(
                "table DQ names output {output}, ODD_EVEN {parity}; there are 1 to 4, and 1 or 2"
            )));
        }
        entries.push((output as usize, parity as usize, mask as u32));
    }
    Ok((!entries.is_empty()).then(|| bad::named(&entries)))
}

/// Corrects a ramp, and leaves its science rows.
///
/// # Errors
/// [`Error::Input`] where its frames are not IRS2's.
pub fn correct_ramp(
    mut ramp: Ramp,
    weights: &Weights,
    params: &RefpixParams,
    exec: &Exec,
) -> Result<Ramp> {
    let shape = ramp.shape;
    let Some(rows) = ScienceRows::of(&ramp.meta, shape.ny, shape.nx)? else {
        let message = format!("{} x {} pixels are no IRS2 frame", shape.ny, shape.nx);
        return Err(Error::input_file(&ramp.meta.source, message));
    };
    let bad = flag_bad_rows(&mut ramp, params.ovr_corr_mitigation_ftr, exec);
    if params.irs2_mean_subtraction {
        means::subtract(&mut ramp, params, exec)?;
    }
    replace_bad_rows(
        &mut ramp,
        bad,
        weights.bad.as_deref(),
        rows.reversed(),
        exec,
    );
    let mut science_row = vec![0; FRAME];
    for (i, y) in rows.rows().iter().enumerate() {
        science_row[*y] = i;
    }
    let correction = Correction {
        turned: Turned(rows.reversed()),
        science_row: &science_row,
        weights,
    };
    for groups in ramp.data.chunks_mut(shape.ngroups * PLANE) {
        correction.integration(groups, exec);
    }
    let flags = ramp.groupdq.chunks_mut(PLANE).collect();
    exec.map(flags, |plane: &mut [u8]| strip(plane, &rows));
    strip(&mut ramp.pixeldq, &rows);
    ramp.pixeldq.truncate(SCIENCE * SCIENCE);
    close_up(&mut ramp.data);
    close_up(&mut ramp.groupdq);
    ramp.shape.ny = SCIENCE;
    Ok(ramp)
}

/// Moves the science rows of a plane to its beginning.
fn strip<T: Copy>(plane: &mut [T], rows: &ScienceRows) {
    for (i, y) in rows.rows().iter().enumerate() {
        plane.copy_within(y * SCIENCE..(y + 1) * SCIENCE, i * SCIENCE);
    }
}

/// Moves planes together of which the science rows are at the beginning.
fn close_up<T: crate::model::buffer::Plain>(planes: &mut Buffer<T>) {
    let (count, size) = (planes.len() / PLANE, SCIENCE * SCIENCE);
    for n in 1..count {
        planes.copy_within(n * PLANE..n * PLANE + size, n * size);
    }
    planes.truncate(count * size);
}

/// Finds rows of bad reference pixels by their statistics in each integration, flags them with those flagged before, and
/// returns all.
fn flag_bad_rows(ramp: &mut Ramp, sigma: f64, exec: &Exec) -> Vec<bool> {
    let before: Vec<bool> = ramp
        .pixeldq
        .chunks_exact(SCIENCE)
        .map(|row| row.iter().any(|d| d & BAD_REF_PIXEL != 0))
        .collect();
    let mut bad = before.clone();
    for groups in ramp.data.chunks(ramp.shape.ngroups * PLANE) {
        let groups: Vec<&[f32]> = groups.chunks(PLANE).collect();
        let pairs = exec.map(bad::pairs().collect(), |row| {
            (row, bad::Pair::of(&groups, row))
        });
        for of_output in pairs.chunk_by(|a, b| a.0 / OUTPUT == b.0 / OUTPUT) {
            bad::flag_outliers(of_output, &before, sigma, &mut bad);
        }
    }
    for (row, _) in ramp
        .pixeldq
        .chunks_exact_mut(SCIENCE)
        .zip(&bad)
        .filter(|(_, bad)| **bad)
    {
        row.iter_mut()
            .for_each(|d| *d |= BAD_REF_PIXEL | DO_NOT_USE);
    }
    tracing::info!(
        "refpix: {} rows of bad reference pixels",
        bad.iter().filter(|b| **b).count()
    );
    bad
}

/// Replaces bad rows by good ones of their output, then those that the reference file names besides.
fn replace_bad_rows(
    ramp: &mut Ramp,
    mut bad: Vec<bool>,
    named: Option<&[Vec<usize>]>,
    reversed: bool,
    exec: &Exec,
) {
    let flagged = (0..FRAME).filter(|row| bad[*row]);
    let mut replacements: Vec<_> = flagged.map(|row| (row, bad::source(row, &bad))).collect();
    let row = |column: usize| match reversed {
        true => FRAME - 1 - column,
        false => column,
    };
    // all of an entry are flagged before the first is replaced
    for entry in named.unwrap_or_default() {
        let rows = entry.iter().map(|c| row(*c));
        let new: Vec<usize> = rows.filter(|r| !bad[*r]).collect();
        new.iter().for_each(|r| bad[*r] = true);
        replacements.extend(new.into_iter().map(|r| (r, bad::source(r, &bad))));
    }
    let planes = ramp.data.chunks_mut(PLANE).collect();
    exec.map(planes, |plane| bad::replace(plane, &replacements));
}

struct Correction<'a> {
    turned: Turned,
    /// The science row of a row of the frame.
    science_row: &'a [usize],
    weights: &'a Weights,
}

impl Correction<'_> {
    /// Corrects the groups of an integration and leaves their science rows at the beginning of each.
    fn integration(&self, groups: &mut [f32], exec: &Exec) {
        let means = less_means(groups, exec);
        let planes: Vec<&[f32]> = groups.chunks(PLANE).collect();
        let transform = &self.weights.transform;
        let spectra = exec.map(planes.chunks(LANES).collect(), |planes: &[&[f32]]| {
            let series = planes.iter().map(|plane| {
                let series = self.turned.series::<1>(plane, 0);
                let mut series: Vec<f32> = series.into_iter().flatten().collect();
                noise::interpolate(&mut series);
                series
            });
            transform.reference_spectra(&series.collect::<Vec<_>>())
        });
        let spectra: Vec<Vec<[f32; 2]>> = spectra.into_iter().flatten().collect();
        let jobs: Vec<_> = groups.chunks_mut(PLANE).enumerate().collect();
        exec.map(jobs, |(group, plane)| {
            let series = self.turned.series::<LANES>(plane, 1);
            let noise = transform.noise(
                &series,
                &spectra[group],
                &self.weights.own,
                &self.weights.of_reference,
            );
            self.turned
                .science(&series, &noise, &means, self.science_row, plane);
        });
    }
}

/// Takes the mean over the groups out of every pixel of an integration, and returns it, `[row][column]`.
fn less_means(groups: &mut [f32], exec: &Exec) -> Vec<f64> {
    let count = (groups.len() / PLANE) as f64;
    let planes: Vec<&[f32]> = groups.chunks(PLANE).collect();
    let mut means = vec![0f64; PLANE];
    let rows = means.chunks_mut(SCIENCE).enumerate().collect();
    exec.map(rows, |(y, row): (usize, &mut [f64])| {
        for plane in &planes {
            let values = &plane[y * SCIENCE..(y + 1) * SCIENCE];
            row.iter_mut()
                .zip(values)
                .for_each(|(m, v)| *m += f64::from(*v));
        }
        row.iter_mut().for_each(|m| *m /= count);
    });
    exec.map(groups.chunks_mut(PLANE).collect(), |plane: &mut [f32]| {
        let pairs = plane.iter_mut().zip(&means);
        pairs.for_each(|(v, m)| *v = (f64::from(*v) - m) as f32);
    });
    means
}
