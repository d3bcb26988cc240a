//! Writes a level-1b exposure: counts, reference output and tables.

use std::path::Path;

use super::headers::{correction, moving_target, primary, science};
use super::pointing::Time;
use super::visit::{Exposure, Setup};
use crate::Result;
use crate::formats::asdf::{Node, fits_extension};
use crate::formats::fits::{Card, Header, Table, TableBuilder, Value, Writer};
use crate::model::keywords::KEYWORDS;

/// Day 0 of the `GROUP` table: 2000-01-01.
const FIRST_DAY: f64 = 51_544.0;

fn numbered(mut header: Header) -> Header {
    header.push(Card::new("EXTVER", 1, "extension value"));
    header
}

/// Writes `counts` (`[integration][group][row][column]`) and, where there is one, the reference output
/// (a quarter of the rows) of an exposure.
///
/// # Errors
/// [`crate::Error::Io`] where writing fails.
pub fn write<S: Setup>(
    path: &Path,
    e: &Exposure<S>,
    counts: &[u16],
    reference: Option<&[u16]>,
) -> Result<()> {
    let (ny, nx) = e.setup.frame();
    let mut writer = Writer::create(path, false)?;
    let (primary, science) = (primary(e), science(e));
    let tree = fits_extension(&metadata(&primary, &science))?;
    writer.empty(&primary)?;
    writer.image::<u16>(&numbered(science), &[e.integrations, e.groups, ny, nx])?;
    writer.put(0, counts)?;
    let (header, table) = moving_target_table(e);
    writer.table(&numbered(header), &table)?;
    if let Some(reference) = reference {
        let mut header = Header::new();
        header.push(Card::new("EXTNAME", "REFOUT", "extension name"));
        writer.image::<u16>(&numbered(header), &[e.integrations, e.groups, ny / 4, nx])?;
        writer.put(0, reference)?;
    }
    for (header, table) in [group_table(e), integration_table(e)] {
        writer.table(&numbered(header), &table)?;
    }
    let (header, table) = TableBuilder::new(1)
        .bytes("ASDF_METADATA", &tree)
        .build("ASDF");
    writer.table(&header, &table)?;
    writer.finish()
}

/// The metadata tree of the `ASDF` extension: what the headers say, under calwebb's names.
fn metadata(primary: &Header, science: &Header) -> Node {
    let mut tree = Node::mapping();
    for (path, keyword, hdu) in KEYWORDS {
        let header = match *hdu {
            "PRIMARY" => primary,
            "SCI" => science,
            _ => continue,
        };
        let node: Node = match header.get(keyword) {
            Some(Value::Logical(v)) => (*v).into(),
            Some(Value::Integer(v)) => (*v).into(),
            Some(Value::Float(v)) => (*v).into(),
            Some(Value::Text(v)) => v.as_str().into(),
            _ => continue,
        };
        tree.set(&format!("meta.{path}"), node);
    }
    tree
}

/// Position of the target at the start, middle and end of the exposure.
fn moving_target_table<S: Setup>(e: &Exposure<S>) -> (Header, Table) {
    let times = e.times();
    let texts: Vec<String> = times.iter().map(|t| t.iso()).collect();
    let rows: Vec<_> = times.iter().map(|t| moving_target(e, *t)).collect();
    let pixel = |axis: usize| -> Vec<f32> {
        // position on a notional 0.2 arcsec grid centred in the aperture
        let (v2, v3) = e.setup.aperture().boresight;
        let (name, zero) = [("mt_v2", v2), ("mt_v3", v3)][axis];
        let value = |row: &Vec<(&str, f64)>| row.iter().find(|c| c.0 == name).map_or(0.0, |c| c.1);
        rows.iter()
            .map(|r| ((value(r) - zero) / 0.2 + 500.0) as f32)
            .collect()
    };
    let mut table = TableBuilder::new(3)
        .text(
            "time",
            23,
            &texts.iter().map(String::as_str).collect::<Vec<_>>(),
        )
        .f32("mt_sci_x", &pixel(0))
        .f32("mt_sci_y", &pixel(1));
    for (k, (name, _)) in rows[0].iter().enumerate() {
        table = table.f64(name, &rows.iter().map(|r| r[k].1).collect::<Vec<_>>());
    }
    table.build("MOVING_TARGET_POSITION")
}

/// End of every group.
fn group_table<S: Setup>(e: &Exposure<S>) -> (Header, Table) {
    let keys: Vec<(usize, usize)> = (0..e.integrations)
        .flat_map(|i| (0..e.groups).map(move |g| (i, g)))
        .collect();
    let ends: Vec<Time> = keys.iter().map(|&(i, g)| e.group_end(i, g)).collect();
    let n = keys.len();
    let milliseconds = |t: &Time| (t.mjd() - t.mjd().floor()) * 86_400_000.0;
    let texts: Vec<String> = ends.iter().map(|t| t.iso()).collect();
    let sight = e.sight();
    let bary = correction(sight.jwst.0, sight.apparent);
    let helio = correction(sight.jwst_helio, sight.apparent);
    let moved = |delay: f64| -> Vec<f64> {
        ends.iter()
            .map(|t| Time { dt: t.dt + delay }.tdb())
            .collect()
    };
    TableBuilder::new(n)
        .i32(
            "integration_number",
            &keys.iter().map(|k| k.0 as i32 + 1).collect::<Vec<_>>(),
        )
        .i16(
            "group_number",
            &keys.iter().map(|k| k.1 as i16 + 1).collect::<Vec<_>>(),
        )
        .i16(
            "end_day",
            &ends
                .iter()
                .map(|t| (t.mjd() - FIRST_DAY) as i16)
                .collect::<Vec<_>>(),
        )
        .i32(
            "end_milliseconds",
            &ends
                .iter()
                .map(|t| milliseconds(t) as i32)
                .collect::<Vec<_>>(),
        )
        .i16(
            "end_submilliseconds",
            &ends
                .iter()
                .map(|t| (milliseconds(t).fract() * 1e3) as i16)
                .collect::<Vec<_>>(),
        )
        .text(
            "group_end_time",
            26,
            &texts.iter().map(String::as_str).collect::<Vec<_>>(),
        )
        .i16("number_of_columns", &vec![e.setup.frame().1 as i16; n])
        .i16("number_of_rows", &vec![e.setup.frame().0 as i16; n])
        .i16("number_of_gaps", &vec![0; n])
        .i16("completion_code_number", &vec![0; n])
        .text("completion_code_text", 36, &vec!["COMPLETE"; n])
        .f64("bary_end_time", &moved(bary))
        .f64("helio_end_time", &moved(helio))
        .build("GROUP")
}

/// Start, middle and end of every integration.
fn integration_table<S: Setup>(e: &Exposure<S>) -> (Header, Table) {
    let times: Vec<[Time; 3]> = (0..e.integrations)
        .map(|i| e.integration_times(i))
        .collect();
    let sight = e.sight();
    let delay = correction(sight.jwst.0, sight.apparent);
    let mut table = TableBuilder::new(times.len()).i32(
        "integration_number",
        &(1..=e.integrations as i32).collect::<Vec<_>>(),
    );
    for (k, what) in ["start", "mid", "end"].iter().enumerate() {
        table = table.f64(
            &format!("int_{what}_MJD_UTC"),
            &times.iter().map(|t| t[k].mjd()).collect::<Vec<_>>(),
        );
    }
    for (k, what) in ["start", "mid", "end"].iter().enumerate() {
        let values: Vec<f64> = times
            .iter()
            .map(|t| {
                Time {
                    dt: t[k].dt + delay,
                }
                .tdb()
            })
            .collect();
        table = table.f64(&format!("int_{what}_BJD_TDB"), &values);
    }
    table.build("INT_TIMES")
}
