//! Which channels and bands (gratings and filters) the exposures have, and which of them go into which cube.

use super::{Bands, Channels, CubeBuildParams, Filters, Gratings, OutputType};
use crate::model::Cal;
use crate::{Error, Result};

/// calwebb's order of bands; the crossed ones have different gratings in the two arms.
const BANDS: [&str; 9] = [
    "short",
    "medium",
    "long",
    "short-medium",
    "short-long",
    "medium-short",
    "medium-long",
    "long-short",
    "long-medium",
];

/// calwebb's order of NIRSpec's gratings and filters.
const GRATINGS: [(&str, &str); 9] = [
    ("g140m", "f070lp"),
    ("g140h", "f070lp"),
    ("g140m", "f100lp"),
    ("g140h", "f100lp"),
    ("g235m", "f170lp"),
    ("g235h", "f170lp"),
    ("g395m", "f290lp"),
    ("g395h", "f290lp"),
    ("prism", "clear"),
];

/// How a part of a cube was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// On the MRS.
    Mrs {
        /// Channel, 1 to 4.
        channel: u8,
        /// Band, as in `short`.
        band: &'static str,
    },
    /// On the NIRSpec IFU.
    Nirspec {
        /// Grating, as in `g395h`, or `prism`.
        grating: &'static str,
        /// Filter, as in `f290lp`.
        filter: &'static str,
    },
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Self::Mrs { channel, band } => write!(f, "channel {channel}, band {band}"),
            Self::Nirspec { grating, filter } => write!(f, "grating {grating}, filter {filter}"),
        }
    }
}

impl Setting {
    /// Channel of the MRS.
    pub fn channel(self) -> Option<u8> {
        match self {
            Self::Mrs { channel, .. } => Some(channel),
            Self::Nirspec { .. } => None,
        }
    }
}

/// A channel in one band (a grating with a filter), and the exposures that hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Which.
    pub setting: Setting,
    /// Exposures, in order.
    pub exposures: Vec<usize>,
}

/// Columns of the detector a channel of the MRS lies on.
pub fn columns(channel: u8) -> (usize, usize) {
    // the outermost columns of channels 2 and 3 are left out, as in calwebb
    if matches!(channel, 2 | 3) {
        (513, 1031)
    } else {
        (0, 512)
    }
}

/// What the product's name says of a cube: `ch1-short`, `ch1-2-shortmedium`, `g395h-f290lp`.
pub fn label(parts: &[Part]) -> String {
    let (mut channels, mut bands, mut pairs) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts {
        match part.setting {
            Setting::Mrs { channel, band } => {
                channels.push(channel.to_string());
                bands.push(band);
            }
            Setting::Nirspec { grating, filter } => pairs.push(format!("{grating}-{filter}")),
        }
    }
    if !pairs.is_empty() {
        return pairs.join("-");
    }
    channels.dedup();
    // backwards in the alphabet: short, medium, long
    bands.sort_unstable_by(|a, b| b.cmp(a));
    bands.dedup();
    format!("ch{}-{}", channels.join("-"), bands.concat())
}

/// Adds an exposure to the part of its setting.
fn put(parts: &mut Vec<Part>, setting: Setting, exposure: usize) {
    match parts.iter_mut().find(|p| p.setting == setting) {
        Some(part) => part.exposures.push(exposure),
        None => parts.push(Part {
            setting,
            exposures: vec![exposure],
        }),
    }
}

/// The gratings and filters that are in the exposures and wanted, in order.
fn gratings(exposures: &[Cal], params: &CubeBuildParams) -> Result<Vec<Part>> {
    let (grating, filter) = (params.grating, params.filter);
    if (grating == Gratings::All) != (filter == Filters::All) {
        return Err(Error::parameter(format!(
            "cube_build: grating = {}, filter = {}: give both or none",
            grating.name(),
            filter.name()
        )));
    }
    let mut all: Vec<Part> = Vec::new();
    for (i, exposure) in exposures.iter().enumerate() {
        let meta = &exposure.meta;
        let own = |k: &str| Ok::<_, Error>(meta.need_str(k)?.trim().to_ascii_lowercase());
        let (grating, filter) = (own("GRATING")?, own("FILTER")?);
        let known = GRATINGS.iter().find(|(g, f)| *g == grating && *f == filter);
        let Some((grating, filter)) = known else {
            return Err(Error::input_file(
                &meta.source,
                format!(
                    "keywords GRATING = {grating}, FILTER = {filter} are no pair of the NIRSpec IFU that sees the sky"
                ),
            ));
        };
        put(&mut all, Setting::Nirspec { grating, filter }, i);
    }
    let place = |p: &Part| {
        GRATINGS.iter().position(|(g, f)| {
            p.setting
                == Setting::Nirspec {
                    grating: g,
                    filter: f,
                }
        })
    };
    all.sort_by_key(place);
    let wanted = |p: &&Part| match p.setting {
        Setting::Nirspec {
            grating: g,
            filter: f,
        } => grating == Gratings::All || grating.name() == g && filter.name() == f,
        Setting::Mrs { .. } => false,
    };
    let parts: Vec<Part> = all.iter().filter(wanted).cloned().collect();
    if parts.is_empty() {
        let there: Vec<String> = all.iter().map(|p| p.setting.to_string()).collect();
        return Err(Error::parameter(format!(
            "cube_build: grating = {}, filter = {} are not in the exposures, which hold {}",
            grating.name(),
            filter.name(),
            there.join("; ")
        )));
    }
    Ok(parts)
}

/// The channels and bands that are in the exposures and wanted, in order.
fn channels(exposures: &[Cal], params: &CubeBuildParams) -> Result<Vec<Part>> {
    let mut parts: Vec<Part> = Vec::new();
    for (i, exposure) in exposures.iter().enumerate() {
        let meta = &exposure.meta;
        let (channels, band) = (meta.need_str("CHANNEL")?, meta.need_str("BAND")?);
        let band = band.trim().to_ascii_lowercase();
        let known = BANDS.iter().find(|b| **b == band);
        let Some(band) = known else {
            return Err(Error::input_file(
                &meta.source,
                format!("keyword BAND = {band} is no band of the MRS"),
            ));
        };
        for c in channels.trim().chars() {
            let Some(channel) = c.to_digit(10).filter(|c| (1..=4).contains(c)) else {
                return Err(Error::input_file(
                    &meta.source,
                    format!("keyword CHANNEL = {channels} is not made of channels 1 to 4"),
                ));
            };
            // a digit
            let channel = channel as u8;
            put(&mut parts, Setting::Mrs { channel, band }, i);
        }
    }
    let order = |p: &Part| match p.setting {
        Setting::Mrs { channel, band } => (channel, BANDS.iter().position(|b| *b == band)),
        Setting::Nirspec { .. } => (0, None),
    };
    parts.sort_by_key(order);
    let all = parts.clone();
    parts.retain(|p| match p.setting {
        Setting::Mrs { channel, band } => {
            params.channel.holds(channel)
                && (params.band == Bands::All || params.band.name() == band)
        }
        Setting::Nirspec { .. } => false,
    });
    if parts.is_empty() {
        let named = |p: &Part| match p.setting {
            Setting::Mrs { channel, band } => format!("{channel} {band}"),
            other => other.to_string(),
        };
        let there: Vec<String> = all.iter().map(named).collect();
        return Err(Error::parameter(format!(
            "cube_build: channel = {}, band = {} are not in the exposures, which hold {}",
            params.channel.name(),
            params.band.name(),
            there.join(", ")
        )));
    }
    Ok(parts)
}

/// The parts of each cube.
///
/// # Errors
/// [`Error::Input`] where keywords are missing or impossible, [`Error::Parameter`] where what is wanted is not there.
pub fn cubes(exposures: &[Cal], params: &CubeBuildParams) -> Result<Vec<Vec<Part>>> {
    let mrs = exposures.iter().all(|e| e.meta.is_miri());
    let parts = match mrs {
        true => channels(exposures, params)?,
        false => gratings(exposures, params)?,
    };
    let apart = |parts: Vec<Part>| parts.into_iter().map(|p| vec![p]).collect();
    Ok(match (params.output_type, mrs) {
        (OutputType::Multi, _) => vec![parts],
        (OutputType::Band, _) | (OutputType::Grating, false) => apart(parts),
        (OutputType::Channel, true) => parts
            .chunk_by(|a, b| a.setting.channel() == b.setting.channel())
            .map(<[Part]>::to_vec)
            .collect(),
        (OutputType::Grating, true) => {
            return Err(Error::parameter(
                "cube_build: output_type = grating is for NIRSpec; for MIRI choose band, channel or multi",
            ));
        }
        (OutputType::Channel, false) => {
            return Err(Error::parameter(
                "cube_build: output_type = channel is for MIRI; for NIRSpec choose band, grating or multi",
            ));
        }
    })
}

impl Channels {
    fn holds(self, channel: u8) -> bool {
        self == Self::All || self.name() == channel.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Meta, Rate};

    fn exposure(channels: &str, band: &str) -> Cal {
        taken("MIRI", [("CHANNEL", channels), ("BAND", band)])
    }

    fn nirspec(grating: &str, filter: &str) -> Cal {
        taken("NIRSPEC", [("GRATING", grating), ("FILTER", filter)])
    }

    fn taken(instrument: &str, keywords: [(&str, &str); 2]) -> Cal {
        let mut meta = Meta::default();
        meta.primary.set("INSTRUME", instrument, "");
        for (keyword, value) in keywords {
            meta.primary.set(keyword, value, "");
        }
        let rate = Rate {
            meta,
            nints: None,
            ny: 0,
            nx: 0,
            sci: vec![],
            err: vec![],
            dq: vec![],
            var_poisson: vec![],
            var_rnoise: vec![],
            extra: vec![],
        };
        Cal::from_rate(rate).unwrap()
    }

    fn labels(exposures: &[Cal], params: CubeBuildParams) -> Vec<String> {
        let cubes = cubes(exposures, &params).unwrap();
        cubes.iter().map(|c| label(c)).collect()
    }

    #[test]
    fn cubes_by_type() {
        let e = [
            exposure("34", "SHORT"),
            exposure("12", "MEDIUM"),
            exposure("12", "SHORT"),
            exposure("12", "SHORT"),
        ];
        let of = |output_type| CubeBuildParams {
            output_type,
            ..CubeBuildParams::default()
        };
        assert_eq!(
            labels(&e, of(OutputType::Band)),
            [
                "ch1-short",
                "ch1-medium",
                "ch2-short",
                "ch2-medium",
                "ch3-short",
                "ch4-short"
            ]
        );
        assert_eq!(
            labels(&e, of(OutputType::Channel)),
            [
                "ch1-shortmedium",
                "ch2-shortmedium",
                "ch3-short",
                "ch4-short"
            ]
        );
        assert_eq!(labels(&e, of(OutputType::Multi)), ["ch1-2-3-4-shortmedium"]);
        assert!(cubes(&e, &of(OutputType::Grating)).is_err());
        let parts = cubes(&e, &of(OutputType::Band)).unwrap();
        assert_eq!(parts[0][0].exposures, [2, 3]);
    }

    #[test]
    fn wanted_channels_and_bands() {
        let e = [exposure("12", "SHORT"), exposure("34", "MEDIUM")];
        let of = |channel, band| CubeBuildParams {
            channel,
            band,
            ..CubeBuildParams::default()
        };
        assert_eq!(labels(&e, of(Channels::Two, Bands::All)), ["ch2-short"]);
        assert_eq!(
            labels(&e, of(Channels::All, Bands::Medium)),
            ["ch3-medium", "ch4-medium"]
        );
        let said = cubes(&e, &of(Channels::One, Bands::Medium)).unwrap_err();
        assert!(
            said.to_string().contains("1 short, 2 short, 3 medium"),
            "{said}"
        );
        assert!(cubes(&[exposure("15", "SHORT")], &CubeBuildParams::default()).is_err());
        assert!(cubes(&[exposure("12", "MULTIPLE")], &CubeBuildParams::default()).is_err());
    }

    #[test]
    fn gratings_and_filters() {
        let e = [
            nirspec("PRISM", "CLEAR"),
            nirspec("G395H", "F290LP"),
            nirspec("G140H", "F100LP"),
            nirspec("G395H", "F290LP"),
        ];
        let of = |output_type| CubeBuildParams {
            output_type,
            ..CubeBuildParams::default()
        };
        let apart = ["g140h-f100lp", "g395h-f290lp", "prism-clear"];
        assert_eq!(labels(&e, of(OutputType::Band)), apart);
        assert_eq!(labels(&e, of(OutputType::Grating)), apart);
        assert_eq!(labels(&e, of(OutputType::Multi)), [apart.join("-")]);
        assert!(cubes(&e, &of(OutputType::Channel)).is_err());
        let parts = cubes(&e, &of(OutputType::Band)).unwrap();
        assert_eq!(parts[1][0].exposures, [1, 3]);
        let of = |grating, filter| CubeBuildParams {
            grating,
            filter,
            ..CubeBuildParams::default()
        };
        let one = of(Gratings::G395h, Filters::F290lp);
        assert_eq!(labels(&e, one), ["g395h-f290lp"]);
        for (grating, filter) in [
            (Gratings::G395h, Filters::All),
            (Gratings::All, Filters::Clear),
            (Gratings::G235h, Filters::F170lp),
        ] {
            assert!(cubes(&e, &of(grating, filter)).is_err());
        }
        let lamp = [nirspec("G395H", "OPAQUE")];
        assert!(cubes(&lamp, &CubeBuildParams::default()).is_err());
    }
}
