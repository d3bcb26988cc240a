//! The sequential algorithm: the wave is looked for in what straight ramps leave.

use super::Cycles;
use super::lookup::{bin_of, edges, resample, scale, shift};
use super::readout::{OUTPUTS, Readout};
use super::reference::Samples;
use super::residuals::residuals;
use crate::exec::Exec;
use crate::math::clipped_stats::clipped_f64;
use crate::math::median::median_f64;
use crate::model::Ramp;
use crate::{Error, Result};

/// More bins than this become [`MANY_BINS`].
const MOST_BINS: usize = 501;
const MANY_BINS: usize = 500;
/// What jwst adds to the time of the last column of a full frame: 3 pixel times, for the reference pixel,
/// and 2^32.
const LAST_COLUMN: u64 = 3 + (1 << 32);

/// Settings of the algorithm.
#[derive(Debug, Clone, PartialEq)]
pub struct Sequential {
    /// Integrations to look at; set from the first frequency where the user does not.
    pub ints: Option<i64>,
    /// Periods to look at.
    pub cycles: Cycles,
    /// Bins of phase.
    pub bins: Option<usize>,
    /// Whether a reference wave is scaled.
    pub scale: bool,
    /// Whether the exposure reads the last column of the detector.
    pub last_column: bool,
}

impl Sequential {
    /// Integrations to look at for a wave of this period, counted as Python slices are.
    fn integrations(&mut self, period: f64, ngroups: usize, nints: usize, frame: f64) -> usize {
        let all = nints as i64;
        let n = match (self.ints, self.cycles) {
            (None, Cycles::All) => all,
            (None, Cycles::Some(cycles)) => {
                ((cycles as f64 * period) / (frame * ngroups as f64)).ceil() as i64
            }
            (Some(n), Cycles::Some(3)) => n.min(all),
            (Some(n), _) => n,
        };
        self.ints = Some(n);
        let end = if n < 0 { n.saturating_add(all) } else { n };
        end.clamp(0, all) as usize
    }

    /// Finds one wave of this period (in pixel times) and subtracts it, or the reference wave moved and
    /// scaled to it. Gives the wave as found, in bins of phase.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a period shorter than two pixel times.
    pub fn correct(
        &mut self,
        ramp: &mut Ramp,
        reference: Option<&Samples>,
        period: f64,
        readout: &Readout,
        exec: &Exec,
    ) -> Result<Vec<f64>> {
        let (nints, ngroups) = (ramp.shape.nints, ramp.shape.ngroups);
        let phases = Phases::new(readout, period, nints, ngroups, self.last_column);
        let ints = self.integrations(period, ngroups, nints, readout.frameclocks);
        let bins = self.bins.unwrap_or((period / 2.0) as usize);
        let bins = if bins > MOST_BINS { MANY_BINS } else { bins };
        if bins == 0 {
            return Err(Error::parameter(
                "emicorr: a wave shorter than two pixel times (above 50 kHz) cannot be resolved",
            ));
        }

        let planes: Vec<Vec<f32>> = (0..ints).flat_map(|i| residuals(ramp, i, exec)).collect();
        let found = binned(&planes, &phases, bins, exec);
        let mut table = resample(&found, period);
        if let Some(reference) = reference {
            let moved = shift(&reference.values, &found);
            let mut wave = resample(&moved, period);
            if self.scale {
                let factor = scale(&wave, &table, reference.epsilon);
                wave.iter_mut().for_each(|v| *v *= factor);
            }
            table = wave;
        }
        table
            .iter_mut()
            .filter(|v| !v.is_finite())
            .for_each(|v| *v = 0.0);

        let planes: Vec<(usize, &mut [f32])> = ramp
            .data
            .chunks_mut(ramp.shape.plane().max(1))
            .enumerate()
            .collect();
        exec.map(planes, |(plane, data)| {
            let noise = phases
                .of_plane(plane)
                .map(|phase| table[((phase * period) as usize).min(table.len() - 1)]);
            for (pixels, noise) in data.chunks_exact_mut(OUTPUTS).zip(noise) {
                pixels
                    .iter_mut()
                    .for_each(|v| *v = (f64::from(*v) - noise) as f32);
            }
        });
        Ok(found)
    }
}

/// Phases of all pixels of an exposure.
#[derive(Debug)]
struct Phases {
    readout: Readout,
    period: f64,
    last_column: bool,
    /// Pixel times from the first pixel of the exposure to the first of every row,
    /// `[integration][group][row]`.
    rows: Vec<f64>,
}

impl Phases {
    fn new(
        readout: &Readout,
        period: f64,
        nints: usize,
        ngroups: usize,
        last_column: bool,
    ) -> Self {
        let mut rows = Vec::with_capacity(nints * ngroups * readout.ny);
        let mut start = 0.0;
        for _ in 0..nints {
            for _ in 0..ngroups {
                for _ in 0..readout.ny {
                    rows.push(start);
                    start += readout.rowclocks;
                }
                start += readout.rest_of_frame();
            }
            start += readout.reset();
        }
        Self {
            readout: *readout,
            period,
            last_column,
            rows,
        }
    }

    /// Phases of one plane, `[row][column of an output]`, from 0 to below 1.
    fn of_plane(&self, plane: usize) -> impl Iterator<Item = f64> {
        let Readout {
            ny, nx4, nsamples, ..
        } = self.readout;
        let rows = &self.rows[plane * ny..(plane + 1) * ny];
        rows.iter().flat_map(move |start| {
            (0..nx4).map(move |x| {
                let mut time = (x as f64 * nsamples + start) as u64;
                if self.last_column && x + 1 == nx4 {
                    time = time.wrapping_add(LAST_COLUMN);
                }
                let periods = time as f64 / self.period;
                periods - (periods as u64) as f64
            })
        })
    }
}

/// Clipped means in bins of phase, about their median.
fn binned(planes: &[Vec<f32>], phases: &Phases, bins: usize, exec: &Exec) -> Vec<f64> {
    let edges = edges(bins);
    // every plane's values sorted into bins, in the order of pixels
    let sorted = exec.map(planes.iter().enumerate().collect(), |(i, plane)| {
        let mut sorted = vec![Vec::with_capacity(plane.len() / bins + 1); bins];
        for (value, phase) in plane.iter().zip(phases.of_plane(i)) {
            if let Some(values) = bin_of(phase, &edges).and_then(|bin| sorted.get_mut(bin)) {
                values.push(*value);
            }
        }
        sorted
    });
    let mean = |bin: usize| {
        let values = sorted.iter().flat_map(|plane| &plane[bin]);
        clipped_f64(&values.map(|v| f64::from(*v)).collect::<Vec<_>>()).0
    };
    let mut means = exec.map((0..bins).collect(), mean);
    let median = median_f64(&mut means.clone());
    means.iter_mut().for_each(|v| *v -= median);
    means
}
