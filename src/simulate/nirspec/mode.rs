//! Detectors, pairs of filter and grating, and readout patterns.

use crate::{Error, Result};

/// Rows and columns of a detector.
pub const SIZE: usize = 2048;
/// Width of the frame of reference pixels.
pub const EDGE: usize = 4;

/// Whether a pixel, `y * 2048 + x`, is a reference pixel.
pub fn is_reference(i: usize) -> bool {
    let inside = EDGE..SIZE - EDGE;
    !inside.contains(&(i / SIZE)) || !inside.contains(&(i % SIZE))
}

/// One of the two detectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detector {
    /// Short wavelengths of the high-resolution gratings, all of the others.
    Nrs1,
    /// Long wavelengths of the high-resolution gratings.
    Nrs2,
}

impl Detector {
    /// Both detectors.
    pub const ALL: [Self; 2] = [Self::Nrs1, Self::Nrs2];
    /// Value of the keyword `DETECTOR`.
    pub fn name(self) -> &'static str {
        ["NRS1", "NRS2"][self as usize]
    }
    /// Keywords `FASTAXIS` and `SLOWAXIS`.
    pub fn axes(self) -> (i64, i64) {
        [(2, 1), (-2, -1)][self as usize]
    }
}

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $(#[doc = $text] $variant,)* }
        impl $name {
            /// Value of the keyword.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

named!(
    /// Filter, keyword `FILTER`.
    Filter { Clear "CLEAR", F070lp "F070LP", F100lp "F100LP", F170lp "F170LP", F290lp "F290LP", }
);
named!(
    /// Grating or prism, keyword `GRATING`.
    Grating {
        Prism "PRISM", G140m "G140M", G235m "G235M", G395m "G395M", G140h "G140H", G235h "G235H", G395h "G395H",
    }
);

/// A filter and grating that go together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mode {
    /// Filter.
    pub filter: Filter,
    /// Grating or prism.
    pub grating: Grating,
    /// First and last wavelength (micron) of cubes, and their step.
    pub waves: (f64, f64, f64),
}

const fn mode(filter: Filter, grating: Grating, waves: (f64, f64, f64)) -> Mode {
    Mode {
        filter,
        grating,
        waves,
    }
}

/// All pairs; of those of a grating the usual one first.
pub const MODES: [Mode; 9] = [
    mode(Filter::Clear, Grating::Prism, (0.60, 5.30, 0.005)),
    mode(Filter::F100lp, Grating::G140m, (0.97, 1.89, 0.000_636)),
    mode(Filter::F070lp, Grating::G140m, (0.70, 1.27, 0.000_636)),
    mode(Filter::F170lp, Grating::G235m, (1.66, 3.17, 0.001_068)),
    mode(Filter::F290lp, Grating::G395m, (2.87, 5.27, 0.001_79)),
    mode(Filter::F100lp, Grating::G140h, (0.97, 1.89, 0.000_235)),
    mode(Filter::F070lp, Grating::G140h, (0.70, 1.27, 0.000_235)),
    mode(Filter::F170lp, Grating::G235h, (1.66, 3.17, 0.000_396)),
    mode(Filter::F290lp, Grating::G395h, (2.87, 5.27, 0.000_665)),
];

impl Mode {
    /// The pair of a grating and filter; without a filter, the usual one.
    ///
    /// # Errors
    /// [`Error::Parameter`] where they do not go together.
    pub fn of(grating: Grating, filter: Option<Filter>) -> Result<Self> {
        let of_grating = || MODES.iter().filter(|m| m.grating == grating);
        let found = of_grating().find(|m| filter.is_none_or(|f| f == m.filter));
        found.copied().ok_or_else(|| {
            let names: Vec<&str> = of_grating().map(|m| m.filter.name()).collect();
            Error::parameter(format!(
                "{} does not go with {}; it goes with {}",
                filter.map_or("no filter", Filter::name),
                grating.name(),
                names.join(" and ")
            ))
        })
    }
    /// Place in [`MODES`].
    pub fn index(&self) -> usize {
        let same = |m: &Mode| (m.grating, m.filter) == (self.grating, self.filter);
        MODES.iter().position(same).unwrap_or_default()
    }
    /// Filter and grating as the instrument model names the pair: `F290LP_G395H`.
    pub fn key(&self) -> String {
        format!("{}_{}", self.filter.name(), self.grating.name())
    }
    /// Whether light falls on a detector: on NRS2 only with the high-resolution gratings.
    pub fn lights(&self, detector: Detector) -> bool {
        let high = matches!(
            self.grating,
            Grating::G140h | Grating::G235h | Grating::G395h
        );
        detector == Detector::Nrs1 || (high && self.filter != Filter::F070lp)
    }
}

/// How the detectors are read out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadPattern {
    /// Every frame is a group, 10.737 s.
    NrsRapid,
    /// Four frames are averaged to a group, 42.947 s.
    Nrs,
    /// Every frame, with interleaved reference pixels, is a group, 14.589 s.
    NrsIrs2Rapid,
    /// Five such frames are averaged to a group, 72.944 s.
    NrsIrs2,
}

impl ReadPattern {
    /// Value of the keyword `READPATT`.
    pub fn name(self) -> &'static str {
        ["NRSRAPID", "NRS", "NRSIRS2RAPID", "NRSIRS2"][self as usize]
    }
    /// Whether reference pixels are read between the others.
    pub fn is_interleaved(self) -> bool {
        matches!(self, Self::NrsIrs2Rapid | Self::NrsIrs2)
    }
    /// Ticks of 10 microseconds in a frame.
    pub fn frame_ticks(self) -> usize {
        if self.is_interleaved() {
            1_458_889
        } else {
            1_073_676
        }
    }
    /// Frames averaged to a group.
    pub fn frames(self) -> usize {
        [1, 4, 1, 5][self as usize]
    }
    /// Read noise in relation to that of the traditional readout.
    pub fn noise(self) -> f64 {
        if self.is_interleaved() { 0.8 } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_found_or_refused() {
        let key = |g, f| Mode::of(g, f).map(|m| m.key());
        assert_eq!(key(Grating::G395h, None).unwrap(), "F290LP_G395H");
        assert_eq!(key(Grating::G140h, None).unwrap(), "F100LP_G140H");
        let other = key(Grating::G140h, Some(Filter::F070lp)).unwrap();
        assert_eq!(other, "F070LP_G140H");
        assert!(key(Grating::Prism, Some(Filter::F290lp)).is_err());
        for (k, mode) in MODES.iter().enumerate() {
            assert_eq!(mode.index(), k);
        }
    }

    #[test]
    fn the_edge_is_four_pixels_wide() {
        let count = (0..SIZE * SIZE).filter(|i| is_reference(*i)).count();
        assert_eq!(count, 2048 * 2048 - 2040 * 2040);
        assert!(is_reference(3) && !is_reference(4 * SIZE + 4));
    }
}
