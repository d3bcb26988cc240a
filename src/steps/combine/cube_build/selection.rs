//! Which channels and bands the exposures have, and which of them go into which cube.

use super::{Bands, Channels, CubeBuildParams, OutputType};
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

/// A channel in one band, and the exposures that hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Channel, 1 to 4.
    pub channel: u8,
    /// Band, as in `short`.
    pub band: &'static str,
    /// Exposures, in order.
    pub exposures: Vec<usize>,
}

impl Part {
    /// Columns of the detector the channel lies on.
    pub fn columns(&self) -> (usize, usize) {
        // the outermost columns of channels 2 and 3 are left out, as in calwebb
        if matches!(self.channel, 2 | 3) {
            (513, 1031)
        } else {
            (0, 512)
        }
    }
}

/// What the product's name says of a cube: `ch1-short`, `ch1-2-shortmedium`.
pub fn label(parts: &[Part]) -> String {
    let mut channels: Vec<String> = parts.iter().map(|p| p.channel.to_string()).collect();
    channels.dedup();
    let mut bands: Vec<&str> = parts.iter().map(|p| p.band).collect();
    // backwards in the alphabet: short, medium, long
    bands.sort_unstable_by(|a, b| b.cmp(a));
    bands.dedup();
    format!("ch{}-{}", channels.join("-"), bands.concat())
}

/// The channels and bands that are in the exposures and wanted, in order.
fn present(exposures: &[Cal], params: &CubeBuildParams) -> Result<Vec<Part>> {
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
            match parts
                .iter_mut()
                .find(|p| p.channel == channel && p.band == *band)
            {
                Some(part) => part.exposures.push(i),
                None => parts.push(Part {
                    channel,
                    band,
                    exposures: vec![i],
                }),
            }
        }
    }
    let order = |p: &Part| (p.channel, BANDS.iter().position(|b| *b == p.band));
    parts.sort_by_key(order);
    let all = parts.clone();
    parts.retain(|p| {
        params.channel.holds(p.channel)
            && (params.band == Bands::All || params.band.name() == p.band)
    });
    if parts.is_empty() {
        let there: Vec<String> = all
            .iter()
            .map(|p| format!("{} {}", p.channel, p.band))
            .collect();
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
    let parts = present(exposures, params)?;
    Ok(match params.output_type {
        OutputType::Multi => vec![parts],
        OutputType::Band => parts.into_iter().map(|p| vec![p]).collect(),
        OutputType::Channel => parts
            .chunk_by(|a, b| a.channel == b.channel)
            .map(<[Part]>::to_vec)
            .collect(),
        OutputType::Grating => {
            return Err(Error::parameter(
                "cube_build: output_type = grating is for NIRSpec; for MIRI choose band, channel or multi",
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
        let mut meta = Meta::default();
        meta.primary.set("CHANNEL", channels, "");
        meta.primary.set("BAND", band, "");
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
}
