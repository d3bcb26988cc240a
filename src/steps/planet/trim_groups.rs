//! # trim_groups: keep the first groups of an exposure
//!
//! ## What
//! Makes of an exposure the one that fewer groups would have given.
//!
//! ## Why
//! Bright places saturate within an integration. Reduced from fewer groups they are still measured, and
//! desaturate joins the cubes of several numbers of groups, each voxel from the most groups that are good there.
//!
//! ## Algorithm
//! 1. The first `ngroups` groups of every integration are kept, of the counts and of every image with a plane a group (REFOUT).
//! 2. NGROUPS is set, and rows of later groups leave the GROUP table.
//! 3. Exposure times lose the groups taken away: EFFINTTM one integration's, EFFEXPTM, TMEASURE, XPOSURE, DURATION and
//!    TELAPSE those of all. When the exposure began and ended (DATE-BEG, DATE-END and the like) stays, so that cubes of all
//!    numbers of groups are navigated to the same moment.
//!
//! ## Parameters
//! `ngroups`: from 1 to one less than the exposure has. `compatible`.
//!
//! ## Reference files
//! None.
//!
//! ## Skipped when
//! never.
//!
//! ## Differs from jwst
//! jwst has no such step. The reference pipeline (its name there is remove_groups) leaves the GROUP table, REFOUT and the
//! exposure times as those of all groups, as `compatible` does.
//!
//! ## References
//! King et al. (2023), doi:10.3847/2515-5172/ad045f (`remove_groups`).

use super::note;
use crate::exec::Exec;
use crate::formats::fits::{Data, Hdu, Header, Image, Pixels, Table};
use crate::model::{Ramp, Shape};
use crate::steps::step::{Info, RefPaths, Step, Target};
use crate::{Error, Result};

crate::params! {
    /// Parameters of trim_groups.
    pub struct TrimGroupsParams {
        /// Groups to keep, from the first on.
        ngroups: Option<i64> = None,
        /// Leave the GROUP table, REFOUT and the exposure times alone, as the reference pipeline does.
        compatible: bool = false,
    }
}

/// Exposure times that shrink by the removed groups: keyword, whether it counts all integrations, whether it is in `SCI`.
const TIMES: &[(&str, bool, bool)] = &[
    ("EFFINTTM", false, false),
    ("EFFEXPTM", true, false),
    ("TMEASURE", true, false),
    ("DURATION", true, false),
    ("XPOSURE", true, true),
    ("TELAPSE", true, true),
];

/// The first `keep` of `of` groups of each integration; `group` values a group.
fn first_groups<T: Copy>(values: &[T], group: usize, of: usize, keep: usize) -> Vec<T> {
    let integration = (group * of).max(1);
    let parts = values.chunks(integration);
    let kept: Vec<&[T]> = parts
        .map(|part| &part[..part.len().min(keep * group)])
        .collect();
    kept.concat()
}

fn trim_image(image: &mut Image, of: usize, keep: usize) {
    let group = image.shape.iter().skip(2).product();
    macro_rules! all {
        ($($kind:ident)*) => {
            match &mut image.pixels { $(Pixels::$kind(v) => *v = first_groups(v, group, of, keep),)* }
        };
    }
    all!(U8 I16 U16 I32 U32 I64 F32 F64);
    image.shape[1] = keep;
}

/// Takes the rows of later groups out.
fn trim_table(table: &mut Table, keep: usize) {
    let Some(groups) = table.column_numbers("group_number") else {
        return;
    };
    if !table.variable.is_empty() {
        return;
    }
    let length = table.row_bytes().max(1);
    let rows = table.rows.chunks(length).zip(&groups);
    let kept: Vec<&[u8]> = rows
        .filter(|(_, g)| **g <= keep as f64)
        .map(|(r, _)| r)
        .collect();
    table.nrows = kept.len();
    table.rows = kept.concat();
}

/// Takes the removed groups' time off the exposure times.
fn shorten(primary: &mut Header, sci: &mut Header, nints: f64, removed: f64, tgroup: f64) {
    for (keyword, all, in_sci) in TIMES {
        let header = if *in_sci { &mut *sci } else { &mut *primary };
        let lost = tgroup * removed * if *all { nints } else { 1.0 };
        if let Some(time) = header.f64(keyword) {
            // the clock counts in units of 10 microseconds
            let left = ((time - lost) * 1e5).round() / 1e5;
            header.set(keyword, left.max(0.0), "");
        }
    }
}

/// Keeps the first `keep` groups of an exposure; see the module documentation.
///
/// # Errors
/// [`Error::Input`] where it has not more groups than that; [`Error::Parameter`] for none.
pub fn trim(mut ramp: Ramp, keep: usize, compatible: bool) -> Result<Ramp> {
    let Shape { ngroups: of, .. } = ramp.shape;
    if keep == 0 {
        return Err(Error::parameter("trim_groups: ngroups must be at least 1"));
    }
    if keep >= of {
        return Err(Error::input_file(
            &ramp.meta.source,
            format!("has {of} groups; trim_groups.ngroups = {keep} must be below that"),
        ));
    }
    let plane = ramp.shape.plane();
    ramp.data = first_groups(&ramp.data, plane, of, keep).into();
    ramp.groupdq = first_groups(&ramp.groupdq, plane, of, keep).into();
    if !compatible {
        for Hdu { header, data } in &mut ramp.extra {
            match data {
                Data::Image(i) if i.shape.len() == 4 && i.shape[1] == of => {
                    trim_image(i, of, keep);
                }
                Data::Table(t) if header.str("EXTNAME") == Some("GROUP") => trim_table(t, keep),
                _ => {}
            }
        }
        let meta = &mut ramp.meta;
        let nints = meta.i64("NINTS").unwrap_or(ramp.shape.nints as i64) as f64;
        let tgroup = meta.need_f64("TGROUP")?;
        let removed = (of - keep) as f64;
        shorten(&mut meta.primary, &mut meta.sci, nints, removed, tgroup);
    }
    ramp.shape.ngroups = keep;
    let h = &mut ramp.meta.primary;
    h.set("NGROUPS", keep, "");
    note::add(
        h,
        &format!("Using {keep}/{of} groups"),
        Some("REMOVE_GROUP"),
    );
    Ok(ramp)
}

/// The step.
pub struct TrimGroups;

impl Step for TrimGroups {
    const INFO: Info = Info {
        name: "trim_groups",
        class: "TrimGroupsStep",
        keyword: "",
        title: "Keep the first groups",
        skip: false,
        references: &[],
    };
    const SOURCE: &'static str = include_str!("trim_groups.rs");
    type In = Ramp;
    type Out = Ramp;
    type Params = TrimGroupsParams;
    type Refs = ();

    fn not_applicable(_: &Ramp, params: &TrimGroupsParams) -> Result<Option<String>> {
        match params.ngroups {
            Some(_) => Ok(None),
            None => Ok(Some(
                "the number of groups to keep is not given (trim_groups.ngroups)".into(),
            )),
        }
    }

    fn load(_: &RefPaths, _: &Target, _: &TrimGroupsParams) -> Result<()> {
        Ok(())
    }

    fn run(ramp: Ramp, (): &(), params: &TrimGroupsParams, _: &Exec) -> Result<Ramp> {
        let n = params.ngroups.unwrap_or(0);
        let keep = usize::try_from(n).map_err(|_| {
            Error::parameter(format!("trim_groups: ngroups = {n} must be at least 1"))
        })?;
        trim(ramp, keep, params.compatible)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::fits::TableBuilder;
    use crate::model::Meta;

    fn ramp() -> Ramp {
        let shape = Shape {
            nints: 2,
            ngroups: 3,
            ny: 1,
            nx: 2,
        };
        let mut meta = Meta::default();
        for (k, v) in [
            ("TGROUP", 2.77504),
            ("EFFINTTM", 8.32512),
            ("EFFEXPTM", 16.65024),
            ("DURATION", 19.42528),
        ] {
            meta.primary.set(k, v, "[s]");
        }
        meta.primary.set("NINTS", 2, "");
        meta.primary.set("NGROUPS", 3, "Number of groups");
        meta.sci.set("XPOSURE", 16.65024, "[s]");
        let groups = TableBuilder::new(6)
            .i32("integration_number", &[1, 1, 1, 2, 2, 2])
            .i16("group_number", &[1, 2, 3, 1, 2, 3])
            .build("GROUP");
        let refout = Image::new(&[2, 3, 1, 1], (0..6u16).collect());
        let mut header = Header::new();
        header.set("EXTNAME", "REFOUT", "");
        Ramp {
            meta,
            shape,
            first_int: 0,
            data: (0..12).map(|v| v as f32).collect::<Vec<_>>().into(),
            pixeldq: vec![0, 4],
            groupdq: (0..12u8).collect::<Vec<_>>().into(),
            average_dark_current: None,
            extra: vec![
                Hdu {
                    header,
                    data: Data::Image(refout),
                },
                Hdu {
                    header: groups.0,
                    data: Data::Table(groups.1),
                },
            ],
        }
    }

    #[test]
    fn tables_and_times_shrink_with_the_groups() {
        let out = trim(ramp(), 2, false).unwrap();
        assert_eq!(out.shape.ngroups, 2);
        assert_eq!(&out.data[..], [0.0, 1.0, 2.0, 3.0, 6.0, 7.0, 8.0, 9.0]);
        assert_eq!(&out.groupdq[..], [0, 1, 2, 3, 6, 7, 8, 9]);
        let h = &out.meta.primary;
        assert_eq!(h.i64("NGROUPS"), Some(2));
        assert_eq!(h.str("REDUCT1"), Some("Using 2/3 groups"));
        assert_eq!(h.f64("EFFINTTM"), Some(5.55008));
        assert_eq!(h.f64("EFFEXPTM"), Some(11.10016));
        assert_eq!(h.f64("DURATION"), Some(13.8752));
        assert_eq!(out.meta.sci.f64("XPOSURE"), Some(11.10016));
        let Data::Image(refout) = &out.extra[0].data else {
            panic!("an image")
        };
        assert_eq!(refout.shape, [2, 2, 1, 1]);
        assert_eq!(refout.pixels, Pixels::U16(vec![0, 1, 3, 4]));
        let Data::Table(groups) = &out.extra[1].data else {
            panic!("a table")
        };
        let numbers = groups.column_numbers("group_number").unwrap();
        assert_eq!((groups.nrows, numbers), (4, vec![1.0, 2.0, 1.0, 2.0]));
    }

    #[test]
    fn compatible_leaves_tables_and_times() {
        let (before, out) = (ramp(), trim(ramp(), 1, true).unwrap());
        assert_eq!(out.extra, before.extra);
        assert_eq!(out.meta.primary.f64("EFFINTTM"), Some(8.32512));
        assert_eq!(out.meta.primary.i64("NGROUPS"), Some(1));
        assert_eq!(&out.data[..], [0.0, 1.0, 6.0, 7.0]);
    }

    #[test]
    fn numbers_that_make_no_sense() {
        assert!(trim(ramp(), 0, false).is_err());
        let said = trim(ramp(), 3, false).unwrap_err().to_string();
        assert!(said.contains("has 3 groups"), "{said}");
    }
}
