//! # persistence: flag pixels that still glow from saturation
//!
//! ## What
//! Flags, for a time after a pixel saturated or rose above a threshold, its groups as `PERSISTENCE`.
//!
//! ## Why
//! Charge trapped by bright light is released slowly and looks like signal.
//!
//! ## Algorithm
//! Each pixel has a window that is open until some time; none is open at first, or those of the
//! exposure before (`persistence_array_file`). Group after group, in all integrations:
//! 1. Windows that ended before the time of the group are closed.
//! 2. The first saturated group of an integration opens a window of `persistence_time` from now.
//! 3. So does a value above `dn_threshold`, where no window is open.
//! 4. A window that would end later than one opened now is not of this time and is closed.
//! 5. Where a window is open the group is `PERSISTENCE`, with `persistence_dnu` also `DO_NOT_USE`.
//!
//! A group's time is the integration's start (`INT_TIMES`, else start of the exposure plus
//! integrations times `EFFINTTM`) plus the group's number times `TGROUP`, in Unix seconds.
//!
//! ## Parameters
//! `persistence_time` is needed; the others are optional.
//!
//! ## Reference files
//! none.
//!
//! ## Skipped when
//! `persistence_time` is not given or not positive; calwebb's status `FAILED` is then set.
//!
//! ## Differs from jwst
//! A `persistence_array_file` with pixels outside the detector is refused with an error.
//!
//! ## References
//! jwst 3.0.0 `persistence`.

use std::path::Path;

use crate::exec::Exec;
use crate::formats::asdf::{self, AsdfFile, Mapping, NdArray, Node, Storage};
use crate::formats::fits::{Data, Hdu};
use crate::model::dq::{DO_NOT_USE, PERSISTENCE, SATURATED};
use crate::model::{Ramp, Strip, irs2};
use crate::steps::step::{Info, RefPaths, Status, Step, Target};
use crate::{Error, Result};

crate::params! {
    /// Parameters of persistence.
    pub struct PersistenceParams {
        /// ASDF file to which the windows open at the end are saved; other detectors' in it are kept.
        save_persistence: Option<String> = None,
        /// Seconds that a window lasts.
        persistence_time: Option<i64> = None,
        /// Value in DN above which a window opens.
        dn_threshold: Option<f64> = None,
        /// ASDF file with the windows open at the start, as `save_persistence` writes it.
        persistence_array_file: Option<String> = None,
        /// Flag groups as DO_NOT_USE too.
        persistence_dnu: bool = false,
    }
}

/// Time at which each pixel's window ends, `[row][column]`, in Unix seconds; 0 where none is open.
pub type Windows = Vec<f64>;

/// The step.
pub struct Persistence;

impl Step for Persistence {
    const INFO: Info = Info {
        name: "persistence",
        class: "PersistenceStep",
        keyword: "S_PERSIS",
        title: "Persistence Correction",
        skip: true,
        references: &[],
    };
    const SOURCE: &'static str = include_str!("persistence.rs");
    const REFUSED: fn(String) -> Status = Status::Failed;
    const WHOLE_EXPOSURE: bool = true;
    type In = Ramp;
    type Out = Ramp;
    type Params = PersistenceParams;
    type Refs = Windows;

    fn not_applicable(_: &Ramp, params: &Self::Params) -> Result<Option<String>> {
        Ok(match params.persistence_time {
            None => Some("persistence_time is not given".into()),
            Some(t) if t <= 0 => Some(format!("persistence_time = {t} is not positive")),
            Some(_) => None,
        })
    }

    fn load(_: &RefPaths, target: &Target, params: &Self::Params) -> Result<Windows> {
        let nx = target.shape.nx;
        let ny = irs2::science_rows(target.shape.ny, nx);
        let mut windows = vec![0.0; ny * nx];
        if let (Some(path), Some(time)) = (&params.persistence_array_file, params.persistence_time)
        {
            let detector = target.meta.need_str("DETECTOR")?;
            read_windows(Path::new(path), detector, time, nx, &mut windows)?;
        }
        Ok(windows)
    }

    fn run(mut input: Ramp, refs: &Windows, params: &Self::Params, exec: &Exec) -> Result<Ramp> {
        let clock = Clock::of(&input)?;
        let dnu = if params.persistence_dnu {
            DO_NOT_USE
        } else {
            0
        };
        let rule = Rule {
            length: params.persistence_time.unwrap_or(0) as f64,
            threshold: params.dn_threshold.map(|t| t as f32),
            flag: (PERSISTENCE | dnu) as u8,
        };
        let mut windows = refs.clone();
        let rows = exec.strip_rows(input.shape.ny);
        let parts = windows.chunks_mut((rows * input.shape.nx).max(1));
        let jobs: Vec<_> = input.strips(rows).into_iter().zip(parts).collect();
        exec.map(jobs, |(mut strip, windows)| {
            flag_ramps(&mut strip, windows, &clock, &rule)
        });
        if let Some(path) = &params.save_persistence {
            let time = params.persistence_time.unwrap_or(0);
            save_windows(Path::new(path), &input, time, &windows)?;
        }
        Ok(input)
    }
}

/// Unix seconds of a Modified Julian Date.
fn unix_time(mjd: f64) -> f64 {
    (mjd - 40587.0) * 86400.0
}

/// Times of an exposure's groups.
struct Clock {
    /// Unix seconds at which each integration held starts.
    starts: Vec<f64>,
    /// Seconds a group.
    group: f64,
}

impl Clock {
    fn of(ramp: &Ramp) -> Result<Self> {
        let exposure = unix_time(ramp.meta.need_f64("EXPSTART")?);
        let starts = (ramp.first_int..ramp.first_int + ramp.shape.nints).map(|i| {
            Ok(match integration_start(&ramp.extra, i) {
                Some(mjd) => unix_time(mjd),
                None => exposure + i as f64 * ramp.meta.need_f64("EFFINTTM")?,
            })
        });
        Ok(Self {
            starts: starts.collect::<Result<_>>()?,
            group: ramp.meta.need_f64("TGROUP")?,
        })
    }
}

/// Start of an integration (MJD, UTC) by the `INT_TIMES` table, where it has that row.
fn integration_start(extra: &[Hdu], integration: usize) -> Option<f64> {
    extra.iter().find_map(|hdu| match &hdu.data {
        Data::Table(t) if hdu.header.str("EXTNAME") == Some("INT_TIMES") => {
            t.number("int_start_MJD_UTC", integration)
        }
        _ => None,
    })
}

/// When windows open, for how long, and what is flagged.
struct Rule {
    /// Seconds.
    length: f64,
    /// DN.
    threshold: Option<f32>,
    flag: u8,
}

/// Flags all groups of some rows; `windows` are those open before and then after.
fn flag_ramps(strip: &mut Strip, windows: &mut [f64], clock: &Clock, rule: &Rule) {
    // saturated groups of each pixel's integration so far
    let mut saturated = vec![0u32; windows.len()];
    for (i, start) in clock.starts.iter().enumerate() {
        saturated.fill(0);
        let mut now = *start;
        for n in i * strip.ngroups..(i + 1) * strip.ngroups {
            now += clock.group;
            let (data, flags) = (&*strip.data[n], &mut *strip.groupdq[n]);
            flag_group(data, flags, windows, &mut saturated, now, rule);
        }
    }
}

/// Flags one group at time `now` and updates the windows.
fn flag_group(
    data: &[f32],
    groupdq: &mut [u8],
    windows: &mut [f64],
    saturated: &mut [u32],
    now: f64,
    rule: &Rule,
) {
    let end = now + rule.length;
    let pixels = data.iter().zip(groupdq).zip(windows).zip(saturated);
    for (((value, dq), window), count) in pixels {
        if *window < now {
            *window = 0.0;
        }
        *count += u32::from(u32::from(*dq) & SATURATED != 0);
        if *count == 1 {
            *window = end;
        }
        let open = *window > 0.0;
        if !open && rule.threshold.is_some_and(|t| *value > t) {
            *window = end;
        }
        if *window != 0.0 && *window - end > 0.0 {
            *window = 0.0;
        }
        if *window > 0.0 {
            *dq |= rule.flag;
        }
    }
}

/// Reads the windows of a detector, if the file is there, has them, and they are of the same length.
fn read_windows(
    path: &Path,
    detector: &str,
    time: i64,
    nx: usize,
    windows: &mut [f64],
) -> Result<()> {
    if !path.exists() {
        tracing::info!(
            "persistence: {} does not exist; no window is open at the start",
            path.display()
        );
        return Ok(());
    }
    let file = AsdfFile::open(path)?;
    let Some(own) = file.tree().child(detector) else {
        tracing::info!(
            "persistence: {} has nothing of {detector}; no window is open at the start",
            path.display()
        );
        return Ok(());
    };
    let broken = |what: &str| Error::format(path, format!("ASDF: '{detector}.{what}"));
    let length = own.child("pers_time").and_then(Node::as_f64);
    let length = length.ok_or_else(|| broken("pers_time' is not a number"))?;
    if length != time as f64 {
        tracing::warn!(
            "persistence: the windows in {} are for {length} s, not {time} s; not used",
            path.display()
        );
        return Ok(());
    }
    let array = |name: &str| {
        own.child(name)
            .and_then(Node::as_array)
            .ok_or_else(|| broken(&format!("{name}' is not an array")))
    };
    let rows: Vec<i64> = array("rows")?.to_vec()?;
    let columns: Vec<i64> = array("cols")?.to_vec()?;
    let ends: Vec<f64> = array("vals")?.to_vec()?;
    if rows.len() != columns.len() || rows.len() != ends.len() {
        return Err(broken("rows', 'cols' and 'vals' are not of one length"));
    }
    for ((row, column), end) in rows.iter().zip(&columns).zip(&ends) {
        let place = usize::try_from(*row)
            .ok()
            .zip(usize::try_from(*column).ok().filter(|x| *x < nx))
            .and_then(|(y, x)| windows.get_mut(y.checked_mul(nx)?.checked_add(x)?));
        match place {
            Some(window) => *window = *end,
            None => {
                return Err(broken(&format!(
                    "rows' and 'cols' name pixel ({row}, {column}), which the exposure does not have"
                )));
            }
        }
    }
    Ok(())
}

/// Writes the windows of this detector to a file, whose ending becomes `.asdf`, beside those of other
/// detectors that are in it.
fn save_windows(path: &Path, ramp: &Ramp, time: i64, windows: &[f64]) -> Result<()> {
    let path = path.with_extension("asdf");
    let mut tree = if path.exists() {
        AsdfFile::open(&path)?.into_tree()
    } else {
        Node::mapping()
    };
    let nx = ramp.shape.nx.max(1);
    let open: Vec<usize> = (0..windows.len()).filter(|p| windows[*p] != 0.0).collect();
    let rows: Vec<i64> = open.iter().map(|p| (p / nx) as i64).collect();
    let columns: Vec<i64> = open.iter().map(|p| (p % nx) as i64).collect();
    let ends: Vec<f64> = open.iter().map(|p| windows[*p]).collect();
    let n = [open.len()];
    let mut own = Mapping::new();
    own.insert("filename", ramp.meta.str("FILENAME").unwrap_or_default());
    own.insert("rows", NdArray::new(&n, &rows, Storage::Internal)?);
    own.insert("cols", NdArray::new(&n, &columns, Storage::Internal)?);
    own.insert("vals", NdArray::new(&n, &ends, Storage::Internal)?);
    own.insert("pers_time", time);
    tree.set(ramp.meta.need_str("DETECTOR")?, own);
    asdf::write(&path, &tree)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::fits::TableBuilder;
    use crate::model::{Meta, Shape};

    const SAT: u8 = SATURATED as u8;
    const PERS: u8 = PERSISTENCE as u8;

    /// Two integrations of four groups of one second and one pixel; the second starts at 100 s.
    fn ramp(data: [f32; 8], dq: [u8; 8]) -> Ramp {
        let mut meta = Meta::default();
        meta.primary.set("EXPSTART", 40587.0, "");
        meta.primary.set("EFFINTTM", 100.0, "");
        meta.primary.set("TGROUP", 1.0, "");
        meta.primary.set("DETECTOR", "MIRIFULONG", "");
        meta.primary.set("FILENAME", "a_uncal.fits", "");
        Ramp {
            meta,
            shape: Shape {
                nints: 2,
                ngroups: 4,
                ny: 1,
                nx: 1,
            },
            first_int: 0,
            data: data.to_vec().into(),
            pixeldq: vec![0],
            groupdq: dq.to_vec().into(),
            average_dark_current: None,
            extra: Vec::new(),
        }
    }

    fn run(ramp: Ramp, before: f64, params: &PersistenceParams) -> Vec<u8> {
        let exec = Exec::new(Some(1)).unwrap();
        Persistence::run(ramp, &vec![before], params, &exec)
            .unwrap()
            .groupdq
            .to_vec()
    }

    fn lasting(seconds: i64) -> PersistenceParams {
        PersistenceParams {
            persistence_time: Some(seconds),
            ..PersistenceParams::default()
        }
    }

    #[test]
    fn a_window_opens_at_the_first_saturated_group_and_ends() {
        let dq = [0, SAT, 0, 0, 0, 0, 0, 0];
        // the count of saturated groups stays 1, so that the window opens anew in every group
        let all = [0, SAT | PERS, PERS, PERS, 0, 0, 0, 0];
        assert_eq!(run(ramp([0.0; 8], dq), 0.0, &lasting(1)), all);
        // once two groups are saturated it opens no more: from 2 s to 3 s
        let dq = [0, SAT, SAT, SAT, 0, 0, 0, 0];
        let two = [0, SAT | PERS, SAT | PERS, SAT, 0, 0, 0, 0];
        assert_eq!(run(ramp([0.0; 8], dq), 0.0, &lasting(1)), two);
        // to 102 s
        let on = [0, SAT | PERS, SAT | PERS, SAT | PERS, PERS, PERS, 0, 0];
        assert_eq!(run(ramp([0.0; 8], dq), 0.0, &lasting(100)), on);
    }

    #[test]
    fn a_threshold_opens_one_and_nan_does_not() {
        let data = [0.0, f32::NAN, 60.0, 70.0, 0.0, 0.0, 0.0, 50.0];
        let params = PersistenceParams {
            dn_threshold: Some(50.0),
            persistence_dnu: true,
            ..lasting(1)
        };
        let both = PERS | DO_NOT_USE as u8;
        let expect = [0, 0, both, both, 0, 0, 0, 0];
        assert_eq!(run(ramp(data, [0; 8]), 0.0, &params), expect);
    }

    #[test]
    fn windows_from_before_and_from_the_future() {
        let expect = [PERS, PERS, 0, 0, 0, 0, 0, 0];
        assert_eq!(run(ramp([0.0; 8], [0; 8]), 2.0, &lasting(5)), expect);
        assert_eq!(run(ramp([0.0; 8], [0; 8]), 50.0, &lasting(5)), [0; 8]);
    }

    #[test]
    fn times_of_integrations_come_from_their_table() {
        let (header, table) = TableBuilder::new(1)
            .f64("int_start_MJD_UTC", &[40588.0])
            .build("INT_TIMES");
        let mut r = ramp([0.0; 8], [0; 8]);
        r.extra.push(Hdu {
            header,
            data: Data::Table(table),
        });
        assert_eq!(Clock::of(&r).unwrap().starts, [86400.0, 100.0]);
        r.first_int = 1;
        assert_eq!(Clock::of(&r).unwrap().starts, [100.0, 200.0]);
    }

    #[test]
    fn without_a_time_it_is_refused() {
        let r = ramp([0.0; 8], [0; 8]);
        for params in [PersistenceParams::default(), lasting(0)] {
            assert!(Persistence::not_applicable(&r, &params).unwrap().is_some());
        }
        assert_eq!(Persistence::not_applicable(&r, &lasting(1)).unwrap(), None);
    }

    #[test]
    fn windows_are_saved_and_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("windows.dat");
        let saved = folder.path().join("windows.asdf");
        let mut r = ramp([0.0; 8], [0; 8]);
        r.shape.ny = 2;
        r.shape.nx = 2;
        save_windows(&path, &r, 60, &[0.0, 5.5, 0.0, 7.0]).unwrap();
        r.meta.primary.set("DETECTOR", "MIRIFUSHORT", "");
        save_windows(&path, &r, 60, &[1.0, 0.0, 0.0, 0.0]).unwrap();
        let read = |detector: &str, time, n| {
            let mut windows = vec![0.0; n];
            read_windows(&saved, detector, time, 2, &mut windows).map(|()| windows)
        };
        assert_eq!(read("MIRIFULONG", 60, 4).unwrap(), [0.0, 5.5, 0.0, 7.0]);
        assert_eq!(read("MIRIFUSHORT", 60, 4).unwrap(), [1.0, 0.0, 0.0, 0.0]);
        assert_eq!(read("MIRIFULONG", 61, 4).unwrap(), [0.0; 4]);
        assert_eq!(read("MIRIMAGE", 60, 4).unwrap(), [0.0; 4]);
        assert!(read("MIRIFULONG", 60, 2).is_err());
        let absent = folder.path().join("none.asdf");
        assert!(read_windows(&absent, "X", 60, 2, &mut [0.0]).is_ok());
    }
}
