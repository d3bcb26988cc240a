//! What is to be said of the numbers of groups that are asked for.

use std::collections::BTreeSet;

use super::build::Options;
use super::scan::{Exposure, Setting};
use super::task::{Instrument, Stage};
use crate::{Error, Result};

/// Notes on the numbers of groups of a plan with desaturation.
///
/// # Errors
/// [`Error::Parameter`] where 0 is among them, or none that an exposure has more of.
pub(super) fn notes(options: &Options, exposures: &[Exposure]) -> Result<Vec<String>> {
    if !options.desaturate {
        return Ok(Vec::new());
    }
    let mut notes = match &options.groups_to_use {
        Some(groups) => not_fewer(groups, exposures)?,
        None => Vec::new(),
    };
    notes.extend(zero_level(options, exposures));
    Ok(notes)
}

/// Notes on numbers of groups that no exposure has more than.
///
/// # Errors
/// [`Error::Parameter`] where 0 is among them, or nothing but such numbers.
fn not_fewer(groups: &BTreeSet<usize>, exposures: &[Exposure]) -> Result<Vec<String>> {
    let most = exposures.iter().map(|e| e.groups).max().unwrap_or(0);
    let fewer = |n: &&usize| **n > 0 && **n < most;
    if groups.contains(&0) || !groups.iter().any(|n| fewer(&n)) {
        let given: Vec<String> = groups.iter().map(usize::to_string).collect();
        return Err(Error::parameter(format!(
            "--groups-to-use {}: exposures have up to {most} groups; numbers from 1 to {} are possible, besides all",
            given.join(","),
            most.saturating_sub(1)
        )));
    }
    let odd = groups.iter().filter(|n| !fewer(n));
    let note = |n: &usize| {
        format!(
            "--groups-to-use {n}: no exposure has more groups than that ({most} at most); it is left out"
        )
    };
    Ok(odd.map(note).collect())
}

/// What is to be said of desaturation from MIRI's exposures of one group, where it takes any.
fn zero_level(options: &Options, exposures: &[Exposure]) -> Option<String> {
    let given = |n: usize| {
        options
            .groups_to_use
            .as_ref()
            .is_none_or(|g| g.contains(&n))
    };
    // cubes of one group of the other channels are not taken
    let far = |e: &&Exposure| match &e.setting {
        Setting::Mrs { channel, .. } => channel.contains(['3', '4']),
        Setting::Ifu { .. } => false,
    };
    let most = exposures.iter().filter(far).map(|e| e.groups).max()?;
    if !options.does(Instrument::Miri, Stage::Desaturate) || most < 2 || !given(1) {
        return None;
    }
    let others: Vec<String> = (2..most)
        .filter(|n| given(*n))
        .map(|n| n.to_string())
        .collect();
    let without = match others.is_empty() {
        true => "without --desaturate there are none".into(),
        false => format!("--groups-to-use {} leaves them out", others.join(",")),
    };
    Some(format!(
        "desaturate: a MIRI exposure of one group keeps its zero level, so values of channels 3 and 4 taken from it (NGROUPS is 1) are off, by percents where it is bright and wholly where it is faint; {without}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exposure(setting: Setting) -> Exposure {
        Exposure {
            path: "/data/stage0/a_uncal.fits".into(),
            root: "a".into(),
            detector: "a".into(),
            setting,
            lit: true,
            pixels: 1032 * 1024,
            dither: 1,
            tile: "001_01".into(),
            groups: 5,
            ints: 1,
            target: "URANUS".into(),
        }
    }

    fn nirspec() -> Setting {
        Setting::Ifu {
            filter: "F290LP".into(),
            grating: "G395H".into(),
        }
    }

    #[test]
    fn the_zero_level_of_one_group_is_told() {
        let miri = |channel: &str| Setting::Mrs {
            channel: channel.into(),
            band: "SHORT".into(),
        };
        let options = |groups: Option<&[usize]>| Options {
            desaturate: true,
            groups_to_use: groups.map(|g| g.iter().copied().collect()),
            ..Options::default()
        };
        let said = |options: &Options, setting| {
            let all = notes(options, &[exposure(setting)]).expect("possible numbers");
            all.concat()
        };
        let all = said(&options(None), miri("34"));
        assert!(all.contains("--groups-to-use 2,3,4"), "{all}");
        assert!(said(&options(Some(&[1])), miri("34")).contains("without"));
        let off = Options::default();
        for (options, setting) in [
            (&options(Some(&[2, 4])), miri("34")),
            (&options(None), miri("12")),
            (&options(None), nirspec()),
            (&off, miri("34")),
        ] {
            assert_eq!(said(options, setting), "");
        }
    }

    #[test]
    fn numbers_of_groups_must_be_below_those_there_are() {
        let exposures = [exposure(nirspec())];
        let notes = |groups: &[usize]| not_fewer(&groups.iter().copied().collect(), &exposures);
        assert!(notes(&[1, 4]).expect("possible").is_empty());
        let told = notes(&[2, 5, 40]).expect("one is possible");
        assert!(told.len() == 2 && told[1].contains("40"), "{told:?}");
        for odd in [&[0, 2][..], &[5], &[5, 40]] {
            let error = notes(odd).expect_err("refused");
            assert!(error.to_string().contains("from 1 to 4"), "{error}");
        }
    }
}
