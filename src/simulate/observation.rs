//! What is observed with MIRI: the options of a simulation and the exposures they make.

use super::headers::Builder;
use super::optics::{APERTURE, Band, Channel, Detector, SHAPE, field_to_telescope};
use super::pixels::ReadPattern;
use super::pointing::{Aperture, DITHERS};
use super::visit::{self, Counts, Names, Readout, Setup};
use crate::{Error, Result};

/// Options of a simulated MIRI MRS observation.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Seed of every random number: scene, noise, cosmic rays and reference files.
    pub seed: u64,
    /// Grating settings, observed one after another.
    pub bands: Vec<Band>,
    /// Detectors that are written.
    pub detectors: Vec<Detector>,
    /// Groups in an integration (1 to 100).
    pub groups: usize,
    /// Integrations in an exposure (1 to 50).
    pub integrations: usize,
    /// Dither positions (1 to 4).
    pub dithers: usize,
    /// Readout pattern.
    pub pattern: ReadPattern,
    /// Factor on the planet's brightness; larger values saturate earlier.
    pub brightness: f64,
    /// Also observe empty sky, into `background/stage0`.
    pub background: bool,
    /// Also write the noise-free count rates, into `truth`.
    pub truth: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            bands: vec![Band::Short],
            detectors: Detector::ALL.to_vec(),
            groups: 6,
            integrations: 2,
            dithers: 2,
            pattern: ReadPattern::FastR1,
            brightness: 1.0,
            background: false,
            truth: true,
        }
    }
}

impl Options {
    /// Checks the values.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the option, its value and what is allowed.
    pub fn check(&self) -> Result<()> {
        self.counts().check(DITHERS.len())?;
        if self.bands.is_empty() || self.detectors.is_empty() {
            return Err(Error::parameter(
                "at least one band and one detector are needed",
            ));
        }
        visit::check_brightness(self.brightness)
    }

    fn counts(&self) -> Counts {
        Counts {
            groups: self.groups,
            integrations: self.integrations,
            dithers: self.dithers,
        }
    }
}

/// A MIRI detector and setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mrs {
    /// The detector.
    pub detector: Detector,
    /// The band.
    pub band: Band,
    /// Readout.
    pub pattern: ReadPattern,
}

/// One exposure of one detector.
pub type Exposure = visit::Exposure<Mrs>;

/// The exposures of the planet, or of empty sky, in order of time; detectors within a time.
pub fn exposures(options: &Options, background: bool) -> Vec<Exposure> {
    let of = |band: &Band| -> Vec<Mrs> {
        let setup = |detector: &Detector| Mrs {
            detector: *detector,
            band: *band,
            pattern: options.pattern,
        };
        options.detectors.iter().map(setup).collect()
    };
    let together: Vec<Vec<Mrs>> = options.bands.iter().map(of).collect();
    visit::exposures(&together, options.counts(), background)
}

impl Setup for Mrs {
    fn detector(&self) -> &'static str {
        self.detector.name()
    }
    fn readout(&self) -> Readout {
        Readout {
            name: self.pattern.name(),
            frame_ticks: self.pattern.clocks().1,
            frames: 1,
            samples: self.pattern.samples(),
            resets: 0,
            interleaved: false,
        }
    }
    fn aperture(&self) -> Aperture {
        APERTURE
    }
    fn dither(&self, position: usize) -> (f64, f64) {
        DITHERS[position % DITHERS.len()]
    }
    /// The larger channel's field.
    fn corners(&self) -> [(f64, f64); 4] {
        let c = Channel::get(self.detector.channel_numbers()[1]);
        let (a, b) = (c.half_length, 0.5 * c.slice_width * c.slices as f64);
        [(-a, -b), (a, -b), (a, b), (-a, b)].map(|(x, y)| field_to_telescope(x, y))
    }
    fn shape(&self) -> (usize, usize) {
        SHAPE
    }
    fn labels(&self) -> [u64; 2] {
        [self.detector as u64, self.band as u64]
    }
    /// An activity for each band.
    fn sequence(&self) -> (&'static str, String) {
        ("02", format!("{:02}", 1 + 2 * self.band as usize))
    }
    fn names(&self) -> Names {
        Names {
            instrument: "MIRI",
            exposure: "MIR_MRS",
            template: "MIRI Medium Resolution Spectroscopy",
            aperture: "MIRIFU_CHANNEL1A",
            sca: self.detector.sca(),
            axes: (1, 2),
        }
    }
    fn configuration(&self, b: &mut Builder) {
        b.put("CHANNEL", self.detector.channels(), "Instrument channel")
            .put("BAND", self.band.name(), "MRS wavelength band")
            .put("CCCSTATE", "OPEN", "Contamination control cover state")
            .put("LAMP", "OFF", "Internal lamp state");
    }
    fn dithering(&self, b: &mut Builder) {
        b.put(
            "DITHDIRC",
            "NEGATIVE",
            "Direction of dither pattern offsets",
        )
        .put("DITHOPFR", "EXTENDED-SOURCE", "Dither pattern optimization")
        .put("MRSPRCHN", "ALL", "Optimized MRS channel");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exposures_follow_each_other_and_have_their_names() {
        let options = Options {
            bands: vec![Band::Short, Band::Long],
            dithers: 4,
            ..Options::default()
        };
        let list = exposures(&options, false);
        assert_eq!(list.len(), 16);
        assert_eq!(list[0].root(), "jw99001001001_02101_00001_mirifushort");
        assert_eq!(list[15].root(), "jw99001001001_02105_00004_mirifulong");
        assert_eq!(list[0].start, list[1].start);
        assert!(
            list.windows(2)
                .all(|w| w[1].start == w[0].start || w[1].start > w[0].start + w[0].duration())
        );
        // 2 integrations of 6 groups and one reset frame between them
        assert!((list[0].duration() - 13.0 * 2.775_04).abs() < 1e-9);
        assert!((list[0].integration_times(1)[2].dt - list[0].times()[2].dt).abs() < 1e-9);
        assert!((list[0].group_end(1, 5).dt - list[0].times()[2].dt).abs() < 1e-9);
        let sky = exposures(&options, true);
        assert!(sky[0].start > list[15].start + list[15].duration());
        let names: std::collections::BTreeSet<_> =
            list.iter().chain(&sky).map(Exposure::root).collect();
        assert_eq!(names.len(), 32);
    }

    #[test]
    fn options_are_checked() {
        assert!(Options::default().check().is_ok());
        for bad in [
            Options {
                groups: 0,
                ..Options::default()
            },
            Options {
                groups: 101,
                ..Options::default()
            },
            Options {
                integrations: 0,
                ..Options::default()
            },
            Options {
                dithers: 5,
                ..Options::default()
            },
            Options {
                bands: vec![],
                ..Options::default()
            },
            Options {
                brightness: f64::NAN,
                ..Options::default()
            },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }
}
