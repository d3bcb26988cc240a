//! What is observed with NIRSpec: the options of a simulation and the exposures they make.

use super::frame::Frame;
use super::instrument;
use super::mode::{Detector, Mode, ReadPattern, SIZE};
use crate::simulate::headers::Builder;
use crate::simulate::pointing::Aperture;
use crate::simulate::visit::{self, Counts, Names, Readout, Setup};
use crate::wcs::nirspec::Setting;
use crate::wcs::pointing::Pointing;
use crate::{Error, Result};

/// Options of a simulated NIRSpec IFU observation.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Seed of every random number: noise, cosmic rays and reference files.
    pub seed: u64,
    /// Filters and gratings, observed one after another.
    pub modes: Vec<Mode>,
    /// Detectors that are written, where light falls on them.
    pub detectors: Vec<Detector>,
    /// Groups in an integration (1 to 100).
    pub groups: usize,
    /// Integrations in an exposure (1 to 50).
    pub integrations: usize,
    /// Dither positions (1 to 8).
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

impl Options {
    /// The usual observation with these filters and gratings.
    pub fn new(modes: Vec<Mode>) -> Self {
        Self {
            seed: 1,
            modes,
            detectors: Detector::ALL.to_vec(),
            groups: 5,
            integrations: 1,
            dithers: 2,
            pattern: ReadPattern::NrsRapid,
            brightness: 1.0,
            background: false,
            truth: true,
        }
    }

    /// Checks the values.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the option, its value and what is allowed.
    pub fn check(&self) -> Result<()> {
        self.counts().check(DITHERS.len())?;
        if self.modes.is_empty() || self.detectors.is_empty() {
            return Err(Error::parameter(
                "at least one grating and one detector are needed",
            ));
        }
        let dark = |m: &&Mode| !self.detectors.iter().any(|d| m.lights(*d));
        if let Some(mode) = self.modes.iter().find(dark) {
            return Err(Error::parameter(format!(
                "{} with {} puts no light on NRS2; add NRS1 to the detectors",
                mode.grating.name(),
                mode.filter.name()
            )));
        }
        visit::check_brightness(self.brightness)
    }

    /// Detectors and settings that are exposed at once, one mode after the other.
    pub fn setups(&self) -> Vec<Vec<Ifu>> {
        let of = |mode: &Mode| -> Vec<Ifu> {
            let lit = self.detectors.iter().filter(|d| mode.lights(**d));
            lit.map(|detector| Ifu {
                detector: *detector,
                mode: *mode,
                pattern: self.pattern,
            })
            .collect()
        };
        self.modes.iter().map(of).collect()
    }

    fn counts(&self) -> Counts {
        Counts {
            groups: self.groups,
            integrations: self.integrations,
            dithers: self.dithers,
        }
    }
}

/// A NIRSpec detector and setting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ifu {
    /// The detector.
    pub detector: Detector,
    /// Filter and grating.
    pub mode: Mode,
    /// Readout.
    pub pattern: ReadPattern,
}

/// One exposure of one detector.
pub type Exposure = visit::Exposure<Ifu>;

/// The exposures of the planet, or of empty sky, in order of time; detectors within a time.
pub fn exposures(options: &Options, background: bool) -> Vec<Exposure> {
    visit::exposures(&options.setups(), options.counts(), background)
}

/// Offsets of a small cycling dither in the aperture's ideal frame, arcsec.
const DITHERS: [(f64, f64); 8] = [
    (0.0, 0.0),
    (0.36, -0.24),
    (-0.29, 0.33),
    (-0.22, -0.31),
    (0.25, 0.27),
    (0.05, -0.41),
    (-0.40, 0.04),
    (0.13, 0.15),
];

/// Half the side of the field of view, arcsec.
const HALF: f64 = 1.5;

/// The aperture the telescope points with: its reference point is where the instrument model has the
/// centre of the slicer.
pub const APERTURE: Aperture = Aperture {
    boresight: (299.981, -498.155),
    ideal_angle: 138.2825,
    parity: -1,
};

/// Readings of the tilt sensors relative to those at the calibration: the wheel never stops at the same place.
const TILT: [f64; 2] = [0.000_31, -0.000_12];
/// Temperature of the grating wheel, K.
const TEMPERATURE: f64 = 38.1;

impl Ifu {
    /// Readings of the tilt sensors, keywords `GWA_XTIL` and `GWA_YTIL`.
    fn tilt(&self) -> [f64; 2] {
        let zero = instrument::tilt(self.mode.grating).unwrap_or_default();
        [zero[0] + TILT[0], zero[1] + TILT[1]]
    }

    /// The optics' setting, as the headers say it.
    pub fn setting(&self) -> Setting {
        Setting {
            detector: self.detector as usize,
            filter: self.mode.filter.name().into(),
            grating: self.mode.grating.name().into(),
            tilt: self.tilt().map(Some),
            temperature: Some(TEMPERATURE),
            start: [1, 1],
        }
    }
}

/// Where the telescope looks, as the headers say it, but with wavelengths as the telescope sees them.
pub fn pointing(e: &Exposure) -> Pointing {
    let attitude = e.attitude();
    Pointing {
        v2_ref: attitude.aperture.boresight.0,
        v3_ref: attitude.aperture.boresight.1,
        roll_ref: attitude.roll,
        ra_ref: attitude.reference.0,
        dec_ref: attitude.reference.1,
        va_scale: Some(attitude.va_scale),
        velosys: None,
    }
}

impl Setup for Ifu {
    fn detector(&self) -> &'static str {
        self.detector.name()
    }
    fn readout(&self) -> Readout {
        Readout {
            name: self.pattern.name(),
            frame_ticks: self.pattern.frame_ticks(),
            frames: self.pattern.frames(),
            samples: 1,
            resets: 1,
            interleaved: self.pattern.is_interleaved(),
        }
    }
    fn aperture(&self) -> Aperture {
        APERTURE
    }
    fn dither(&self, position: usize) -> (f64, f64) {
        DITHERS[position % DITHERS.len()]
    }
    fn corners(&self) -> [(f64, f64); 4] {
        let a = APERTURE.ideal_angle.to_radians();
        let (s, c) = (libm::sin(a), libm::cos(a));
        let (v2, v3) = APERTURE.boresight;
        [(-HALF, -HALF), (HALF, -HALF), (HALF, HALF), (-HALF, HALF)]
            .map(|(x, y)| (v2 + x * c + y * s, v3 + y * c - x * s))
    }
    fn shape(&self) -> (usize, usize) {
        (SIZE, SIZE)
    }
    fn frame(&self) -> (usize, usize) {
        (Frame::new(self.detector, self.pattern).rows(), SIZE)
    }
    fn labels(&self) -> [u64; 2] {
        [100 + self.detector as u64, self.mode.index() as u64]
    }
    /// An activity for each mode.
    fn sequence(&self) -> (&'static str, String) {
        ("03", format!("{:02}", 1 + 2 * self.mode.index()))
    }
    fn names(&self) -> Names {
        Names {
            instrument: "NIRSPEC",
            exposure: "NRS_IFU",
            template: "NIRSpec IFU Spectroscopy",
            aperture: "NRS_FULL_IFU",
            sca: 491 + self.detector as i64,
            axes: self.detector.axes(),
        }
    }
    fn configuration(&self, b: &mut Builder) {
        let [x, y] = self.tilt();
        b.put(
            "FILTER",
            self.mode.filter.name(),
            "Name of the filter element used",
        )
        .put(
            "GRATING",
            self.mode.grating.name(),
            "Name of the grating element used",
        )
        .put("FXD_SLIT", "NONE", "Name of fixed slit aperture used")
        .put("FOCUSPOS", 0, "Focus position")
        .put("MSASTATE", "PRIMARYPARK_ALLCLOSED", "State of the MSA")
        .put("MSACONID", 0, "MSA configuration ID")
        .put("LAMP", "NONE", "Internal lamp state")
        .put(
            "GWA_XTIL",
            x,
            "Grating wheel tilt along instrmnt model Y axis",
        )
        .put(
            "GWA_YTIL",
            y,
            "Grating wheel tilt along instrmnt model X axis",
        )
        .put("GWA_XP_V", x, "GWA X-position/tilt sensor calibrated")
        .put("GWA_YP_V", y, "GWA Y-position/tilt sensor calibrated")
        .put(
            "GWA_TILT",
            TEMPERATURE,
            "[K] GWA TILT (avg/calib) temperature",
        );
    }
    fn dithering(&self, b: &mut Builder) {
        b.put("PATTSIZE", "SMALL", "Primary dither pattern size");
    }
}

#[cfg(test)]
mod tests {
    use super::super::mode::{Filter, Grating};
    use super::*;

    fn options(grating: Grating, filter: Option<Filter>) -> Options {
        Options::new(vec![Mode::of(grating, filter).unwrap()])
    }

    #[test]
    fn exposures_have_their_names_and_times() {
        let mut o = options(Grating::G395h, None);
        o.integrations = 2;
        o.pattern = ReadPattern::Nrs;
        let list = exposures(&o, false);
        let roots: Vec<String> = list.iter().map(Exposure::root).collect();
        assert_eq!(roots[0], "jw99001001001_03117_00001_nrs1");
        assert_eq!(roots[3], "jw99001001001_03117_00002_nrs2");
        // 2 integrations of 5 groups of 4 frames, and one reset frame between them
        assert!((list[0].duration() - 41.0 * 10.736_76).abs() < 1e-9);
        assert!((list[0].group_end(1, 4).dt - list[0].times()[2].dt).abs() < 1e-9);
        assert!((list[0].exposure_time() - 40.0 * 10.736_76).abs() < 1e-9);
        // NRS2 is dark
        assert_eq!(exposures(&options(Grating::Prism, None), false).len(), 2);
    }

    #[test]
    fn options_are_checked() {
        let good = options(Grating::Prism, None);
        assert!(good.check().is_ok());
        let bad = |f: fn(&mut Options)| {
            let mut o = good.clone();
            f(&mut o);
            o.check().is_err()
        };
        assert!(bad(|o| o.groups = 0) && bad(|o| o.dithers = 9) && bad(|o| o.modes.clear()));
        assert!(bad(|o| o.detectors = vec![Detector::Nrs2]));
        assert!(bad(|o| o.brightness = -1.0));
        let mut dim = options(Grating::G140h, Some(Filter::F070lp));
        dim.detectors = vec![Detector::Nrs2];
        assert!(dim.check().is_err());
    }
}
