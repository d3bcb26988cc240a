//! When the groups of a ramp were read. Not the choice of groups (see [`groups`](super::groups)).

/// Readout timing of an exposure, as its header gives it (`TFRAME`, `TGROUP`, `NFRAMES`, `GROUPGAP`, `DRPFRMS1`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// Time to read one frame, in seconds.
    pub frame_time: f64,
    /// Time between the starts of two groups, in seconds.
    pub group_time: f64,
    /// Frames averaged into a group.
    pub nframes: u32,
    /// Frames dropped between two groups.
    pub groupgap: u32,
    /// Frames dropped before the first group of an integration.
    pub drop_frames1: u32,
}

/// The times the least-squares fit uses, in seconds, rounded to `f32` where stcal 1.20 rounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct FitTimes {
    /// Exposure time of a lone first frame (a ZEROFRAME).
    pub frame: f64,
    /// Time from one group to the next.
    pub group: f64,
    /// Mean exposure time of the first group, when no other group is good.
    pub first_group: f64,
    /// Groups between the reset and the middle of the first group; times the slope it gives the pedestal.
    pub pedestal: f64,
}

impl Timing {
    pub(super) fn fit_times(&self) -> FitTimes {
        let frame = f64::from(self.frame_time as f32);
        let nframes = f64::from(self.nframes);
        FitTimes {
            frame,
            group: f64::from(self.group_time as f32),
            first_group: (nframes + 1.0) * frame / 2.0,
            pedestal: ((nframes + 1.0) / 2.0 + f64::from(self.drop_frames1))
                / (nframes + f64::from(self.groupgap)),
        }
    }
}

/// What the one group of a length-1 segment was exposed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lone {
    /// One group time.
    Group,
    /// The first group is the only good one: its own mean exposure time.
    FirstGroup,
    /// The ZEROFRAME stands in for the first group: one frame time.
    ZeroFrame,
}

impl FitTimes {
    /// Time in seconds and number of groups that the variances of a segment of `len` groups are made of; a lone group, which
    /// must be the first, counts as two reads of its own mean exposure time.
    pub(super) fn span(&self, len: u32) -> (f64, f64) {
        match len {
            1 => (self.first_group, 2.0),
            _ => (self.group, f64::from(len)),
        }
    }

    pub(super) fn lone(&self, lone: Lone) -> f64 {
        match lone {
            Lone::Group => self.group,
            Lone::FirstGroup => self.first_group,
            Lone::ZeroFrame => self.frame,
        }
    }
}
