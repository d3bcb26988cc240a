//! The headers of a cube: those of its first exposure, the coordinates of the grid, and what holds for all exposures.

use std::collections::BTreeSet;

use super::grid::Grid;
use super::scales::{Keywords, Scales};
use super::{Weight, internal};
use crate::formats::fits::{Card, Hdu, Header, Value};
use crate::model::blend::blend;
use crate::model::{Cal, Meta};

/// Steradians of a square arcsec, as calwebb rounds it.
const STERADIANS: f64 = 2.3504e-11;
/// Keywords of one exposure's reference point.
const OF_EXPOSURES: [&str; 7] = [
    "V2_REF", "V3_REF", "RA_REF", "DEC_REF", "ROLL_REF", "V3I_YANG", "VPARITY",
];
/// Comment of the cards of the matrix.
const ELEMENT: &str = "Linear transformation matrix element";

/// Headers of the cube of these exposures (some named twice where they have two of its channels, of the MRS), and its table of their
/// headers where there are several.
pub fn of_cube(
    members: &[&Cal],
    several: bool,
    channels: Option<&BTreeSet<u8>>,
    grid: &Grid,
    scales: &Scales,
    weight: Weight,
) -> (Meta, Option<Hdu>) {
    let (mut meta, table) = of_members(members, several);
    if let Some(channels) = channels {
        let channels: String = channels.iter().map(u8::to_string).collect();
        meta.primary.set("CHANNEL", channels, "");
    }
    with_area(&mut meta, grid.cdelt * grid.cdelt);
    let region = s_region(grid);
    meta.sci
        .set("S_REGION", region, "Spatial footprint of the observation");
    meta.sci = with_coordinates(&meta.sci, coordinates(&Axes::of_sky(grid)));
    ifu(
        &mut meta,
        &scales.keywords,
        weight,
        weight == Weight::Drizzle,
    );
    (meta, table)
}

/// Headers of the cube of an exposure in the plane of NIRSpec's slicer, as [`of_cube`].
pub fn of_slicer(member: &Cal, several: bool, grid: &internal::Grid) -> (Meta, Option<Hdu>) {
    let (mut meta, table) = of_members(&[member], several);
    let [across, along] = grid.cdelt;
    with_area(&mut meta, across * along);
    let cards = coordinates(&Axes::of_slicer(grid));
    meta.sci = with_coordinates(&meta.sci, cards);
    // it is no footprint on the sky
    meta.sci.remove("S_REGION");
    let nothing = Keywords {
        rois: Some(0.0),
        roiw: Some(0.0),
        weight_power: Some(0.0),
    };
    ifu(&mut meta, &nothing, Weight::Emsm, true);
    (meta, table)
}

/// The headers that hold for all exposures. calwebb combines them where the step was given several, also for a cube of one of
/// them.
fn of_members(members: &[&Cal], several: bool) -> (Meta, Option<Hdu>) {
    let metas: Vec<&Meta> = members.iter().map(|c| &c.meta).collect();
    let (mut meta, table) = if several {
        blend(&metas)
    } else {
        let first = metas.first().map(|m| (*m).clone());
        (first.unwrap_or_default(), None)
    };
    for keyword in OF_EXPOSURES {
        meta.sci.remove(keyword);
    }
    (meta, table)
}

fn with_area(meta: &mut Meta, area: f64) {
    let solid = area * STERADIANS;
    meta.sci
        .set("PIXAR_SR", solid, "Nominal pixel area in steradians");
    meta.sci
        .set("PIXAR_A2", area, "Nominal pixel area in arcsec^2");
}

/// The cards on weighting; `whole` where calwebb sets whole zeros.
fn ifu(meta: &mut Meta, k: &Keywords, weight: Weight, whole: bool) {
    let mut cards: Vec<(&str, Value, &str)> = vec![
        (
            "FLUXEXT",
            "SCI".into(),
            "EXTNAME of the extension containing flux data",
        ),
        (
            "ERREXT",
            "ERR".into(),
            "EXTNAME of the extension containing error data",
        ),
        (
            "MASKEXT",
            "DQ".into(),
            "EXTNAME of the extension containing data quality mask",
        ),
    ];
    let number = |v: f64| -> Value {
        match whole {
            true => 0_i64.into(),
            false => v.into(),
        }
    };
    let rois = k.rois.map(|v| {
        (
            "ROIS",
            number(v),
            "[arcsec] Size of ROI in spatial dimension",
        )
    });
    let roiw = k.roiw.map(|v| {
        (
            "ROIW",
            number(v),
            "[um] Size of ROI in wavelength dimension",
        )
    });
    cards.extend(rois);
    cards.extend(roiw);
    cards.push((
        "WTYPE",
        weight.name().into(),
        "Weighting type (MSM, MIRIPSF, AREA)",
    ));
    cards.extend(k.weight_power.map(|v| {
        (
            "WPOWER",
            number(v),
            "Weighting power for Modified Shepard Method",
        )
    }));
    let h = &mut meta.primary;
    for (keyword, ..) in &cards {
        h.remove(keyword);
    }
    for text in ["", "IFU cube parameters", ""] {
        h.push(Card::commentary("", text));
    }
    for (keyword, value, comment) in cards {
        h.set(keyword, value, comment);
    }
}

/// The header with the cards of the grid in front of the footprint's.
fn with_coordinates(sci: &Header, cards: Vec<Card>) -> Header {
    let mut out = Header::new();
    let mut put = false;
    for card in sci.cards() {
        if cards.iter().any(|c| c.keyword == card.keyword) || card.keyword == "CDELT3" {
            continue;
        }
        if card.keyword == "S_REGION" {
            cards.iter().for_each(|c| out.push(c.clone()));
            put = true;
        }
        out.push(card.clone());
    }
    if !put {
        cards.into_iter().for_each(|c| out.push(c));
    }
    out
}

/// The grid's rotation as a matrix: rows x, y of right ascension and declination.
fn matrix(grid: &Grid) -> [[f64; 2]; 2] {
    let angle = grid.tangent.rotation.unwrap_or(0.0) * std::f64::consts::PI / 180.0;
    let (sin, cos) = angle.sin_cos();
    [[-cos, sin], [sin, cos]]
}

/// What the cards say of a cube's axes.
struct Axes {
    crpix: [f64; 2],
    crval: [f64; 3],
    ctype: [&'static str; 3],
    cunit: &'static str,
    cdelt: [f64; 2],
    cdelt3: Option<f64>,
    matrix: [[f64; 2]; 2],
}

impl Axes {
    fn of_sky(grid: &Grid) -> Self {
        let [ra, dec] = grid.tangent.centre;
        let (third, kind) = match grid.cdelt3 {
            Some(_) => (grid.crval3, "WAVE"),
            None => (1.0, "WAVE-TAB"),
        };
        Self {
            crpix: grid.crpix,
            crval: [ra, dec, third],
            ctype: ["RA---TAN", "DEC--TAN", kind],
            cunit: "deg",
            cdelt: [grid.cdelt / 3600.0; 2],
            cdelt3: grid.cdelt3,
            matrix: matrix(grid),
        }
    }

    fn of_slicer(grid: &internal::Grid) -> Self {
        Self {
            crpix: [0.5; 2],
            crval: [grid.crval[0], grid.crval[1], grid.crval3],
            ctype: ["NRSSLICERX", "NRSSLICERY", "WAVE"],
            cunit: "meter",
            cdelt: grid.cdelt.map(|d| d / 3600.0 * 3600.0),
            cdelt3: Some(grid.cdelt3),
            matrix: [[1.0, 0.0], [0.0, 1.0]],
        }
    }
}

fn coordinates(a: &Axes) -> Vec<Card> {
    let mut out = vec![Card::new(
        "WCSAXES",
        3_i64,
        "number of World Coordinate System axes",
    )];
    let mut axes = |name: &str, values: [Option<Value>; 3], what: &str| {
        for (i, value) in values.into_iter().enumerate() {
            if let Some(value) = value {
                let keyword = format!("{name}{}", i + 1);
                out.push(Card::new(
                    &keyword,
                    value,
                    &format!("Axis {} {what}", i + 1),
                ));
            }
        }
    };
    let number = |v: f64| Some(Value::from(v));
    let text = |v: &str| Some(Value::from(v));
    let [x, y] = a.crpix;
    let place = "pixel coordinate of ref point, 1-indexed";
    axes("CRPIX", [number(x), number(y), number(1.0)], place);
    axes(
        "CRVAL",
        a.crval.map(number),
        "coordinate value at reference point",
    );
    axes("CTYPE", a.ctype.map(text), "type");
    axes("CUNIT", [text(a.cunit), text(a.cunit), text("um")], "units");
    let [x, y] = a.cdelt;
    axes(
        "CDELT",
        [number(x), number(y), a.cdelt3.map(Value::from)],
        "coordinate increment at reference point",
    );
    let m = a.matrix;
    let whole = |v: i64| Value::from(v);
    let elements = [
        ("PC1_1", m[0][0].into()),
        ("PC1_2", m[0][1].into()),
        ("PC1_3", whole(0)),
        ("PC2_1", m[1][0].into()),
        ("PC2_2", m[1][1].into()),
        ("PC2_3", whole(0)),
        ("PC3_1", whole(0)),
        ("PC3_2", whole(0)),
        ("PC3_3", whole(1)),
    ];
    for (keyword, value) in elements {
        out.push(Card::new(keyword, value, ELEMENT));
    }
    if a.cdelt3.is_none() {
        out.push(Card::new(
            "PS3_0",
            "WCS-TABLE",
            "Coordinate table extension name",
        ));
        out.push(Card::new(
            "PS3_1",
            "wavelength",
            "Coordinate table column name",
        ));
    }
    out
}

/// The box on the sky around the centres of the outermost spaxels.
fn s_region(grid: &Grid) -> String {
    let m = matrix(grid);
    let [ra0, dec0] = grid.tangent.centre.map(f64::to_radians);
    let (mut ra, mut dec) = ((f64::MAX, f64::MIN), (f64::MAX, f64::MIN));
    for i in [0, grid.x.len().saturating_sub(1)] {
        for j in [0, grid.y.len().saturating_sub(1)] {
            let (x, y) = (
                (i as f64 + 1.0 - grid.crpix[0]) * grid.cdelt / 3600.0,
                (j as f64 + 1.0 - grid.crpix[1]) * grid.cdelt / 3600.0,
            );
            let xi = (m[0][0] * x + m[0][1] * y).to_radians();
            let eta = (m[1][0] * x + m[1][1] * y).to_radians();
            let (sin, cos) = dec0.sin_cos();
            let across = cos - eta * sin;
            let a = (ra0 + xi.atan2(across)).to_degrees().rem_euclid(360.0);
            let d = (sin + eta * cos).atan2(xi.hypot(across)).to_degrees();
            ra = (ra.0.min(a), ra.1.max(a));
            dec = (dec.0.min(d), dec.1.max(d));
        }
    }
    let ((w, e), (s, n)) = (ra, dec);
    format!("POLYGON ICRS  {w:.9} {s:.9} {w:.9} {n:.9} {e:.9} {n:.9} {e:.9} {s:.9}")
}
