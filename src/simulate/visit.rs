//! Exposures of a visit, whatever the instrument: when they happen and where the telescope points.

use super::ephemeris::Sight;
use super::headers::Builder;
use super::pointing::{Aperture, Attitude, Time};
use crate::{Error, Result};

/// Program number of all simulated data: no real program has it.
pub const PROGRAM: &str = "99001";
/// Time between exposures, s.
const OVERHEAD: f64 = 75.0;
/// Where the background exposures look, arcsec east and north of the target.
const EMPTY_SKY: (f64, f64) = (214.0, -152.0);

/// What an instrument and its setting say of an exposure.
pub trait Setup: Clone {
    /// Detector as the keyword `DETECTOR` writes it.
    fn detector(&self) -> &'static str;
    /// Readout.
    fn readout(&self) -> Readout;
    /// The aperture the telescope points with.
    fn aperture(&self) -> Aperture;
    /// Offset of a dither position (from 0) in the aperture's ideal frame, arcsec.
    fn dither(&self, position: usize) -> (f64, f64);
    /// Corners of the field of view in V2, V3 (arcsec), in order round it.
    fn corners(&self) -> [(f64, f64); 4];
    /// Rows and columns of an image.
    fn shape(&self) -> (usize, usize);
    /// Rows and columns of a frame as it is read: with interleaved reference pixels more than those of an image.
    fn frame(&self) -> (usize, usize) {
        self.shape()
    }
    /// Numbers that tell this setting from the instrument's others.
    fn labels(&self) -> [u64; 2];
    /// Visit group and activity, two digits each.
    fn sequence(&self) -> (&'static str, String);
    /// Texts of the headers.
    fn names(&self) -> Names;
    /// Cards of the instrument's configuration, behind the name of the detector.
    fn configuration(&self, b: &mut Builder);
    /// Cards of the dither pattern that only this instrument has.
    fn dithering(&self, b: &mut Builder);
}

/// How a detector is read out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Readout {
    /// Keyword `READPATT`.
    pub name: &'static str,
    /// Ticks of 10 microseconds in a frame.
    pub frame_ticks: usize,
    /// Frames averaged to a group.
    pub frames: usize,
    /// Samples of a pixel in a frame.
    pub samples: usize,
    /// Resets at the start of an exposure.
    pub resets: usize,
    /// Whether reference pixels are read between the others, by outputs of which one more has nothing else.
    pub interleaved: bool,
}

impl Readout {
    /// Time between frames, s.
    pub fn frame_time(&self) -> f64 {
        self.frame_ticks as f64 * 1e-5
    }
    /// Time between groups, s.
    pub fn group_time(&self) -> f64 {
        (self.frames * self.frame_ticks) as f64 * 1e-5
    }
}

/// Texts of the headers that depend on the instrument.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Names {
    /// Keyword `INSTRUME`.
    pub instrument: &'static str,
    /// Keyword `EXP_TYPE`.
    pub exposure: &'static str,
    /// Keyword `TEMPLATE`.
    pub template: &'static str,
    /// Keyword `APERNAME`.
    pub aperture: &'static str,
    /// Keyword `SCA_NUM`.
    pub sca: i64,
    /// Keywords `FASTAXIS` and `SLOWAXIS`.
    pub axes: (i64, i64),
}

/// How many exposures of which length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counts {
    /// Groups in an integration (1 to 100).
    pub groups: usize,
    /// Integrations in an exposure (1 to 50).
    pub integrations: usize,
    /// Dither positions.
    pub dithers: usize,
}

impl Counts {
    /// Checks the numbers; `positions` is the number of dither positions that there are.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the option, its value and what is allowed.
    pub fn check(&self, positions: usize) -> Result<()> {
        for (name, value, most) in [
            ("groups", self.groups, 100),
            ("integrations", self.integrations, 50),
            ("dithers", self.dithers, positions),
        ] {
            if !(1..=most).contains(&value) {
                return Err(Error::parameter(format!(
                    "the number of {name} is {value}; it must be 1 to {most}"
                )));
            }
        }
        Ok(())
    }
}

/// Checks the factor on the planet's brightness.
///
/// # Errors
/// [`Error::Parameter`] where it is negative, too large or not a number.
pub fn check_brightness(factor: f64) -> Result<()> {
    if (0.0..=1e3).contains(&factor) {
        return Ok(());
    }
    Err(Error::parameter(format!(
        "brightness is {factor}; it must be 0 to 1000"
    )))
}

/// One exposure of one detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Exposure<S> {
    /// Instrument, detector and setting.
    pub setup: S,
    /// Dither position, from 0, of [`Exposure::dithers`].
    pub dither: usize,
    /// Number of dither positions.
    pub dithers: usize,
    /// Groups in an integration.
    pub groups: usize,
    /// Integrations.
    pub integrations: usize,
    /// Empty sky instead of the planet.
    pub background: bool,
    /// Exposures of this visit, both detectors counted.
    pub visit_exposures: usize,
    /// Start of the visit, s after the epoch.
    pub visit_start: f64,
    /// Start of the exposure, s after the epoch.
    pub start: f64,
    /// Middle of all exposures of the visit, s after the epoch.
    pub visit_middle: f64,
}

/// The exposures of the planet, or of empty sky, in order of time; `together` are the settings that are
/// exposed at once (one for each detector), one group after the other.
pub fn exposures<S: Setup>(
    together: &[Vec<S>],
    counts: Counts,
    background: bool,
) -> Vec<Exposure<S>> {
    let Some(readout) = together.iter().flatten().next().map(S::readout) else {
        return Vec::new();
    };
    let Counts {
        groups,
        integrations,
        dithers,
    } = counts;
    let duration = duration(groups, integrations, &readout);
    let slot = duration + OVERHEAD;
    let count = together.len() * dithers;
    // the sky is observed after the planet
    let visit_start = if background {
        slot * count as f64 + 600.0
    } else {
        0.0
    };
    let mut out = Vec::new();
    for (k, setups) in together.iter().enumerate() {
        for dither in 0..dithers {
            for setup in setups {
                out.push(Exposure {
                    setup: setup.clone(),
                    dither,
                    dithers,
                    groups,
                    integrations,
                    background,
                    visit_exposures: 2 * count,
                    visit_start,
                    start: visit_start + slot * (k * dithers + dither) as f64,
                    visit_middle: visit_start + 0.5 * (slot * (count as f64 - 1.0) + duration),
                });
            }
        }
    }
    out
}

/// Time from the first reset to the last read, s: one reset frame between integrations.
fn duration(groups: usize, integrations: usize, readout: &Readout) -> f64 {
    let frames = groups * integrations * readout.frames + integrations - 1;
    (frames * readout.frame_ticks) as f64 * 1e-5
}

impl<S: Setup> Exposure<S> {
    /// Length, s.
    pub fn duration(&self) -> f64 {
        duration(self.groups, self.integrations, &self.setup.readout())
    }
    /// Time on the target without resets, s.
    pub fn exposure_time(&self) -> f64 {
        let readout = self.setup.readout();
        (self.groups * self.integrations * readout.frames * readout.frame_ticks) as f64 * 1e-5
    }
    /// Start, middle and end.
    pub fn times(&self) -> [Time; 3] {
        [0.0, 0.5, 1.0].map(|f| Time {
            dt: self.start + f * self.duration(),
        })
    }
    /// Start, middle and end of an integration (from 0).
    pub fn integration_times(&self, integration: usize) -> [Time; 3] {
        let readout = self.setup.readout();
        let frames = (self.groups * readout.frames + 1) * integration;
        let start = self.start + frames as f64 * readout.frame_time();
        [0.0, 0.5, 1.0].map(|f| Time {
            dt: start + f * self.groups as f64 * readout.group_time(),
        })
    }
    /// End of a group (from 0) of an integration.
    pub fn group_end(&self, integration: usize, group: usize) -> Time {
        Time {
            dt: self.integration_times(integration)[0].dt
                + (group + 1) as f64 * self.setup.readout().group_time(),
        }
    }
    /// Geometry of the target in the middle of the exposure.
    pub fn sight(&self) -> Sight {
        Sight::at(self.times()[1].dt)
    }
    /// Position angle of V3 at the aperture: away from the Sun when the visit starts.
    pub fn roll(&self) -> f64 {
        Sight::at(self.visit_start).antisolar_angle()
    }
    /// Attitude of the telescope, which tracks the target.
    pub fn attitude(&self) -> Attitude {
        let sky = if self.background {
            EMPTY_SKY
        } else {
            (0.0, 0.0)
        };
        let dither = self.setup.dither(self.dither);
        Attitude::new(
            &self.sight(),
            self.setup.aperture(),
            self.roll(),
            dither,
            sky,
        )
    }
    /// Observation number.
    pub fn observation(&self) -> &'static str {
        if self.background { "002" } else { "001" }
    }
    /// File name without suffix: `jw99001001001_02101_00001_mirifulong`.
    pub fn root(&self) -> String {
        let (group, activity) = self.setup.sequence();
        format!(
            "jw{PROGRAM}{}001_{group}1{activity}_{:05}_{}",
            self.observation(),
            self.dither + 1,
            self.setup.detector().to_ascii_lowercase()
        )
    }
    /// Labels of this exposure's random numbers.
    pub fn labels(&self, purpose: u64) -> [u64; 5] {
        let [detector, setting] = self.setup.labels();
        [
            purpose,
            detector,
            setting,
            self.dither as u64,
            u64::from(self.background),
        ]
    }
}
