//! # rscd: give up the first groups of an integration
//!
//! ## What
//! Sets `DO_NOT_USE` in the first groups of MIRI ramps: one number of groups for the first integration of
//! an exposure, another for the later ones.
//!
//! ## Why
//! After a reset MIRI's ramps bend (reset-switch charge decay), more so when an integration came before.
//!
//! ## Algorithm
//! 1. The reference's table gives both numbers by subarray and readout pattern. A table without a number
//!    for the first integration means 1.
//! 2. With 5 groups or fewer both are 1; in any case at least 3 groups stay (one of which lastframe has
//!    given up).
//! 3. Pixels that would be left with fewer than two unsaturated groups keep more of their first groups:
//!    while the second group that would be kept is saturated (and the first group of the ramp is not),
//!    one group less is given up. They get `FLUX_ESTIMATED` in `PIXELDQ`.
//! 4. Cards: `INT1SKIP` the groups given up, `INT1BORS` the pixels that keep more groups than that,
//!    `INT1UGP1` the pixels that keep all; `INT2...` the same for later integrations (a pixel counts once).
//!
//! Segments of an exposure (`INTSTART` > 1) have no first integration. When an exposure is worked through
//! in parts, the cards of each part count all parts so far, those of the last part the whole file; the
//! `FLUX_ESTIMATED` flags are of the part, and the parts' `PIXELDQ` must be combined.
//!
//! ## Parameters
//! None.
//!
//! ## Reference files
//! `rscd`: table `RSCD_GROUP_SKIP`.
//!
//! ## Skipped when
//! the detector is not MIRI's; no reference applies or it has no row for the subarray and readout
//! pattern; there are fewer than 3 groups.
//!
//! ## Differs from jwst
//! Not known to for ramps whose saturation flags last to the end of the ramp, as the saturation step sets
//! them. For others the result depends on all integrations at once, in jwst and here; in parts it may
//! then differ.
//!
//! ## References
//! jwst 3.0.0 `rscd`.

use std::sync::Mutex;

use super::firstframe::not_miri;
use crate::Result;
use crate::exec::Exec;
use crate::formats::fits::{Card, Header};
use crate::model::Ramp;
use crate::model::dq::{DO_NOT_USE, FLUX_ESTIMATED, SATURATED};
use crate::model::reference::RefFits;
use crate::steps::step::{Info, RefPaths, Reference, Step, Target};

crate::params! {
    /// Parameters of rscd: none.
    pub struct RscdParams {}
}

/// The step.
pub struct Rscd;

/// Groups to give up in the first and in later integrations, and what the parts of an exposure that were
/// worked through found.
#[derive(Debug)]
pub struct RscdRef {
    skip: Option<(usize, usize)>,
    tally: Mutex<[Tally; 2]>,
}

impl Step for Rscd {
    const INFO: Info = Info {
        name: "rscd",
        class: "RscdStep",
        keyword: "S_RSCD",
        title: "RSCD Correction",
        skip: false,
        references: &[Reference {
            kind: "rscd",
            required: true,
        }],
    };
    const SOURCE: &'static str = include_str!("rscd.rs");
    const GIVES_UP_GROUPS: bool = true;
    type In = Ramp;
    type Out = Ramp;
    type Params = RscdParams;
    type Refs = RscdRef;

    fn not_applicable(input: &Ramp, _: &Self::Params) -> Result<Option<String>> {
        Ok(match not_miri(&input.meta)? {
            None if input.shape.ngroups < 3 => {
                Some(format!("too few groups ({})", input.shape.ngroups))
            }
            other => other,
        })
    }

    fn load(paths: &RefPaths, target: &Target, _: &Self::Params) -> Result<RscdRef> {
        let file = RefFits::open("rscd", paths.need("rscd")?)?;
        let subarray = target.meta.need_str("SUBARRAY")?;
        let subarray = if subarray.eq_ignore_ascii_case("SUBPRISM") {
            "SLITLESSPRISM"
        } else {
            subarray
        };
        let skip = look_up(&file, subarray, target.meta.need_str("READPATT")?)?;
        Ok(RscdRef {
            skip,
            tally: Mutex::default(),
        })
    }

    fn not_usable(input: &Ramp, refs: &RscdRef, _: &Self::Params) -> Result<Option<String>> {
        Ok(match refs.skip {
            Some(_) => None,
            None => Some(format!(
                "the reference has no row for SUBARRAY {} and READPATT {}",
                input.meta.need_str("SUBARRAY")?,
                input.meta.need_str("READPATT")?
            )),
        })
    }

    fn run(mut input: Ramp, refs: &RscdRef, _: &Self::Params, exec: &Exec) -> Result<Ramp> {
        let Some(skip) = refs.skip else {
            return Ok(input);
        };
        let nints = input.meta.need_count("NINTS")?;
        let (first, later) = groups_to_skip(skip, input.shape.ngroups, nints);
        let starts = input.meta.i64("INTSTART").is_none_or(|i| i == 1);
        let split = usize::from(starts && input.first_int == 0).min(input.shape.nints);

        let mut tally = refs
            .tally
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if input.first_int == 0 {
            *tally = Default::default();
        }
        let [tally1, tally2] = &mut *tally;
        if split == 1 {
            tally1.add(flag(&mut input, exec, 0..1, first));
        }
        if nints > 1 {
            let all = split..input.shape.nints;
            tally2.add(flag(&mut input, exec, all, later));
        }
        let plane = input.shape.plane();
        let header = &mut input.meta.primary;
        if starts {
            set_cards(
                header,
                "1",
                first,
                tally1.kept_all(first, plane),
                tally1.lowered(),
            );
        }
        if nints > 1 {
            set_cards(
                header,
                "2",
                later,
                tally2.kept_all(later, plane),
                tally2.lowered(),
            );
        }
        Ok(input)
    }
}

/// Groups to skip in the first and in later integrations, by the reference's table.
fn look_up(file: &RefFits, subarray: &str, readpatt: &str) -> Result<Option<(usize, usize)>> {
    let table = file.table("RSCD_GROUP_SKIP")?;
    let is =
        |column: &str, row: usize, text: &str| table.text(column, row).is_some_and(|t| t == text);
    let Some(row) =
        (0..table.nrows).find(|r| is("SUBARRAY", *r, subarray) && is("READPATT", *r, readpatt))
    else {
        return Ok(None);
    };
    let later = table
        .number("GROUP_SKIP", row)
        .ok_or_else(|| file.error("has no column GROUP_SKIP"))?;
    if later < 0.0 {
        return Err(file.error(format!("has GROUP_SKIP = {later}")));
    }
    let first = table.number("GROUP_SKIP1", row).filter(|n| *n >= 0.0);
    if first.is_none() {
        tracing::warn!(
            "{}: no number of groups to skip in the first integration, 1 is taken",
            file.path().display()
        );
    }
    Ok(Some((first.unwrap_or(1.0) as usize, later as usize)))
}

/// The numbers that are left to skip for so many groups and integrations.
fn groups_to_skip(
    (mut first, mut later): (usize, usize),
    ngroups: usize,
    nints: usize,
) -> (usize, usize) {
    if ngroups <= 5 {
        (first, later) = (1, 1);
    }
    let most = ngroups.saturating_sub(3);
    (
        first.min(most),
        if nints > 1 { later.min(most) } else { later },
    )
}

/// What was found in some integrations.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Whether any pixel had to keep more groups, if there were any to keep.
    short: bool,
    /// Pixels that keep more groups than asked for, in any integration.
    lowered: Vec<bool>,
    /// Pixels that keep all groups though some were to be given up.
    all: Vec<bool>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.short |= other.short;
        for (own, new) in [
            (&mut self.lowered, other.lowered),
            (&mut self.all, other.all),
        ] {
            if own.is_empty() {
                *own = new;
            } else {
                own.iter_mut().zip(new).for_each(|(a, b)| *a |= b);
            }
        }
    }

    fn lowered(&self) -> usize {
        self.lowered.iter().filter(|p| **p).count()
    }

    /// Pixels that keep all groups. With nothing to give up that is every pixel, as soon as one is short of groups.
    fn kept_all(&self, skip: usize, plane: usize) -> usize {
        match skip {
            0 if self.short => plane,
            0 => 0,
            _ => self.all.iter().filter(|p| **p).count(),
        }
    }
}

/// Flags the first groups of some integrations (counted within the ramp).
fn flag(ramp: &mut Ramp, exec: &Exec, ints: std::ops::Range<usize>, skip: usize) -> Tally {
    let (plane, ngroups) = (ramp.shape.plane().max(1), ramp.shape.ngroups);
    let groupdq = &mut ramp.groupdq[ints.start * ngroups * plane..ints.end * ngroups * plane];
    let integrations: Vec<&[u8]> = groupdq.chunks(ngroups * plane).collect();
    let found = exec.map(integrations, |int| problem_levels(int, plane, skip));
    let levels = (1..=skip + 1)
        .rev()
        .take_while(|level| found.iter().any(|f| f[*level]))
        .count();

    let integrations: Vec<&mut [u8]> = groupdq.chunks_mut(ngroups * plane).collect();
    let tallies = exec.map(integrations, |int| {
        flag_integration(int, plane, skip, levels)
    });
    let mut total = Tally::default();
    tallies.into_iter().for_each(|t| total.add(t));
    for (pixel, _) in ramp
        .pixeldq
        .iter_mut()
        .zip(&total.lowered)
        .filter(|(_, lowered)| **lowered)
    {
        *pixel |= FLUX_ESTIMATED;
    }
    total
}

/// Whether a pixel is saturated in a group and not in the first.
fn is_problem(group: u8, first: u8) -> bool {
    group & !first & SATURATED as u8 != 0
}

/// For every group up to the second one that would be kept: whether any pixel of the integration is
/// saturated there and not in the first group.
pub fn problem_levels(groupdq: &[u8], plane: usize, skip: usize) -> Vec<bool> {
    let mut groups = groupdq.chunks(plane).take(skip + 2);
    let Some(first) = groups.next() else {
        return vec![false; skip + 2];
    };
    let mut out = vec![false];
    // without a branch a pixel, so that many are looked at in one go
    out.extend(
        groups
            .map(|g| g.iter().zip(first).fold(0, |a, (g, f)| a | (g & !f)) & SATURATED as u8 != 0),
    );
    out.resize(skip + 2, false);
    out
}

/// Flags the first groups of one integration: `skip` of them, less one for each of the `levels` groups
/// down from the second that would be kept in which the pixel is saturated.
pub fn flag_integration(groupdq: &mut [u8], plane: usize, skip: usize, levels: usize) -> Tally {
    let mut groups: Vec<&mut [u8]> = groupdq.chunks_mut(plane).collect();
    let mut tally = Tally {
        short: levels > 0,
        ..Tally::default()
    };
    if levels == 0 || groups.len() < skip + 2 {
        for group in groups.iter_mut().take(skip) {
            group.iter_mut().for_each(|g| *g |= DO_NOT_USE as u8);
        }
        return tally;
    }
    tally.lowered = vec![false; plane];
    tally.all = vec![false; plane];
    let mut less = [0u32; BLOCK];
    for from in (0..plane).step_by(BLOCK) {
        let pixels = from..(from + BLOCK).min(plane);
        let less = &mut less[..pixels.len()];
        less.fill(0);
        for level in skip + 2 - levels..=skip + 1 {
            let (first, group) = (&groups[0][pixels.clone()], &groups[level][pixels.clone()]);
            for ((less, group), first) in less.iter_mut().zip(group).zip(first) {
                *less += u32::from(is_problem(*group, *first));
            }
        }
        for (i, group) in groups.iter_mut().take(skip).enumerate() {
            // the group is given up where it lies before the number that is left to skip
            let most = (skip - i) as u32;
            for (g, less) in group[pixels.clone()].iter_mut().zip(&*less) {
                *g |= u8::from(*less < most) * DO_NOT_USE as u8;
            }
        }
        if skip > 0 {
            for (lowered, less) in tally.lowered[pixels.clone()].iter_mut().zip(&*less) {
                *lowered = *less > 0;
            }
            for (all, less) in tally.all[pixels].iter_mut().zip(&*less) {
                *all = *less >= skip as u32;
            }
        }
    }
    tally
}

/// Pixels that are worked on at a time: what is counted of them stays in the processor's cache.
const BLOCK: usize = 4096;

/// The cards of the first ("1") or later ("2") integrations.
fn set_cards(header: &mut Header, which: &str, skip: usize, kept_all: usize, lowered: usize) {
    const NAMES: [&str; 6] = [
        "INT1SKIP", "INT2SKIP", "INT1UGP1", "INT2UGP1", "INT1BORS", "INT2BORS",
    ];
    if NAMES.iter().all(|n| header.card(n).is_none()) {
        for text in ["", "        RSCD parameters", ""] {
            header.push(Card::commentary("", text));
        }
    }
    let int = if which == "1" { "Int 1" } else { "Int 2+" };
    let skipped = format!("Number of groups skipped in {}", int.to_ascii_lowercase());
    let kept = format!("{int}: pixels that keep all groups");
    let back = format!("{int}: pixels that keep more groups");
    for (suffix, value, comment) in [
        ("SKIP", skip, skipped),
        ("UGP1", kept_all, kept),
        ("BORS", lowered, back),
    ] {
        let keyword = format!("INT{which}{suffix}");
        let at = NAMES.iter().position(|n| *n == keyword).unwrap_or(0);
        match NAMES[..at].iter().rev().find(|n| header.card(n).is_some()) {
            Some(before) => header.set_after(before, &keyword, value as i64, &comment),
            None => header.set(&keyword, value as i64, &comment),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Meta, Shape};

    const S: u8 = SATURATED as u8;
    const D: u8 = DO_NOT_USE as u8;

    #[test]
    fn three_groups_stay() {
        assert_eq!(groups_to_skip((1, 4), 10, 2), (1, 4));
        assert_eq!(groups_to_skip((1, 4), 6, 2), (1, 3));
        assert_eq!(groups_to_skip((1, 4), 6, 1), (1, 4));
        assert_eq!(groups_to_skip((3, 4), 5, 2), (1, 1));
        assert_eq!(groups_to_skip((0, 0), 4, 2), (1, 1));
        assert_eq!(groups_to_skip((3, 4), 3, 2), (0, 0));
        assert_eq!(groups_to_skip((5, 4), 7, 2), (4, 4));
    }

    /// Ramps of five pixels and six groups: never saturated, saturated from the fifth, the fourth, the
    /// second and the first group on.
    fn ramps() -> Vec<u8> {
        let from = [9, 4, 3, 1, 0];
        (0..6)
            .flat_map(|g| from.map(|f| if g >= f { S } else { 0 }))
            .collect()
    }

    #[test]
    fn bright_pixels_keep_groups() {
        let mut dq = ramps();
        let found = problem_levels(&dq, 5, 2);
        assert_eq!(found, [false, true, true, true]);
        let t = flag_integration(&mut dq, 5, 2, 3);
        // kept: 2 (as asked), 2, one less, none given up, first group saturated: as asked
        assert_eq!(dq[..5], [D, D, D, 0, D | S]);
        assert_eq!(dq[5..10], [D, D, 0, S, D | S]);
        assert_eq!(dq[10..15], [0, 0, 0, S, S]);
        assert_eq!(t.lowered, [false, false, true, true, false]);
        assert_eq!(t.all, [false, false, false, true, false]);
        assert_eq!((t.lowered(), t.kept_all(2, 5)), (2, 1));
    }

    #[test]
    fn nothing_to_give_up_counts_every_pixel() {
        let mut dq = ramps();
        assert_eq!(problem_levels(&dq, 5, 0), [false, true]);
        let t = flag_integration(&mut dq, 5, 0, 1);
        assert_eq!(dq, ramps());
        assert_eq!((t.lowered(), t.kept_all(0, 5)), (0, 5));
        assert_eq!(Tally::default().kept_all(0, 5), 0);
    }

    fn ramp(nints: usize, first_int: usize, groupdq: Vec<u8>) -> Ramp {
        let mut meta = Meta::default();
        meta.primary.set("NINTS", 3i64, "");
        meta.primary.set("INTSTART", 1i64, "");
        let shape = Shape {
            nints,
            ngroups: 6,
            ny: 1,
            nx: 5,
        };
        let data = vec![0.0; groupdq.len()];
        Ramp {
            meta,
            shape,
            first_int,
            data: data.into(),
            pixeldq: vec![0; 5],
            groupdq: groupdq.into(),
            average_dark_current: None,
            extra: vec![],
        }
    }

    #[test]
    fn parts_of_an_exposure_count_as_the_whole() {
        let exec = Exec::new(Some(2)).unwrap();
        let refs = RscdRef {
            skip: Some((1, 2)),
            tally: Mutex::default(),
        };
        let mut later = ramps();
        later.rotate_left(1);
        let mut all = [ramps(), ramps(), later.clone()].concat();
        let whole = Rscd::run(ramp(3, 0, all.clone()), &refs, &RscdParams {}, &exec).unwrap();
        let get = |r: &Ramp| {
            [
                "INT1SKIP", "INT2SKIP", "INT1UGP1", "INT2UGP1", "INT1BORS", "INT2BORS",
            ]
            .map(|k| r.meta.i64(k).unwrap())
        };
        assert_eq!(get(&whole)[..2], [1, 2]);
        let tail = all.split_off(60);
        let a = Rscd::run(ramp(2, 0, all), &refs, &RscdParams {}, &exec).unwrap();
        let b = Rscd::run(ramp(1, 2, tail), &refs, &RscdParams {}, &exec).unwrap();
        assert_eq!(get(&b), get(&whole));
        assert_eq!(
            whole.groupdq,
            [a.groupdq.to_vec(), b.groupdq.to_vec()].concat()
        );
        let or: Vec<u32> = a
            .pixeldq
            .iter()
            .zip(&b.pixeldq)
            .map(|(x, y)| x | y)
            .collect();
        assert_eq!(or, whole.pixeldq);
    }

    #[test]
    fn later_segments_have_no_first_integration() {
        let exec = Exec::new(Some(1)).unwrap();
        let refs = RscdRef {
            skip: Some((1, 2)),
            tally: Mutex::default(),
        };
        let mut input = ramp(1, 0, ramps());
        input.meta.primary.set("INTSTART", 3i64, "");
        let out = Rscd::run(input, &refs, &RscdParams {}, &exec).unwrap();
        assert_eq!(out.meta.get("INT1SKIP"), None);
        assert_eq!(out.meta.i64("INT2SKIP"), Some(2));
        assert_eq!(out.groupdq[5], D);
    }
}
