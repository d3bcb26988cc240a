//! Headers of products that are made of several exposures, as calwebb's model_blender makes them.
//!
//! A keyword of the product is the first exposure's, but for those whose rule combines all values (`Rule`). The
//! table `HDRTAB` has a row for each exposure. What a cube says of itself (its WCS, channel, name and model) is not
//! made here: the cube's own values come over the blended ones.
//!
//! calwebb blends only where cube_build was given more than one exposure; then it blends every cube, also one that
//! only one of them went into.

mod table;

use std::sync::Arc;

use crate::formats::asdf::{Mapping, Node};
use crate::formats::fits::{Data, Hdu, Header, TableBuilder, Value};
use crate::math::pairwise_sum::pairwise_sum;
use crate::model::Meta;

/// How the values of several exposures become one. Exposures without the keyword do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// The first exposure's value.
    First,
    /// The value where all agree, else `MULTIPLE`.
    Multiple,
    /// The mean.
    Mean,
    /// The sum.
    Sum,
    /// The smallest number, or the first text of the alphabet (times and dates).
    Smallest,
    /// The largest number, or the last text of the alphabet.
    Largest,
    /// Out of tolerance where any is.
    WheelTolerance,
}

/// One keyword.
#[derive(Debug, Clone, Copy)]
struct Entry {
    keyword: &'static str,
    /// In the primary header; else in `SCI`.
    primary: bool,
    /// Whether it is a column of `HDRTAB`.
    column: bool,
    rule: Rule,
}

impl Entry {
    /// The header it is in.
    fn header<'a>(&self, meta: &'a Meta) -> &'a Header {
        match self.primary {
            true => &meta.primary,
            false => &meta.sci,
        }
    }

    /// Its value; blank text is none.
    fn value<'a>(&self, meta: &'a Meta) -> Option<&'a Value> {
        let value = self.header(meta).get(self.keyword);
        value.filter(|v| !matches!(v, Value::Commentary | Value::Undefined | Value::Other(_)))
    }
}

/// Blended headers of the exposures one product is made of (in order), and the table of their headers.
/// No table for no exposures.
///
/// A moving target's `MT_RA`, `MT_DEC`, `TARG_RA`, `TARG_DEC` become its mean position (`MT_AVRA`, `MT_AVDEC`), which
/// assign_mtwcs has put into the headers.
pub fn blend(metas: &[&Meta]) -> (Meta, Option<Hdu>) {
    let Some(first) = metas.first() else {
        return (Meta::default(), None);
    };
    let mut out = (*first).clone();
    out.history = history(metas);
    for entry in table::TABLE.iter().filter(|e| e.rule != Rule::First) {
        let values: Vec<&Value> = metas.iter().filter_map(|m| entry.value(m)).collect();
        let Some(value) = combine(entry.rule, &values) else {
            continue;
        };
        let card = metas
            .iter()
            .find_map(|m| entry.header(m).card(entry.keyword));
        let comment = card.map(|c| c.comment.clone()).unwrap_or_default();
        let header = match entry.primary {
            true => &mut out.primary,
            false => &mut out.sci,
        };
        header.set(entry.keyword, value, &comment);
    }
    if let (Some(ra), Some(dec)) = (first.sci.f64("MT_AVRA"), first.sci.f64("MT_AVDEC")) {
        out.sci.set("MT_RA", ra, "");
        out.sci.set("MT_DEC", dec, "");
        out.primary.set("TARG_RA", ra, "");
        out.primary.set("TARG_DEC", dec, "");
    }
    (out, Some(header_table(metas)))
}

/// How the exposures were made: what all have in common, else `members` with each one's, by its file's root.
fn history(metas: &[&Meta]) -> Option<Arc<Node>> {
    let first = metas.first()?;
    if metas.iter().all(|m| m.history == first.history) {
        return first.history.clone();
    }
    let mut members = Mapping::new();
    for meta in metas {
        let node = meta.history.as_deref().cloned().unwrap_or_default();
        members.insert(meta.root().as_str(), node);
    }
    let mut out = Mapping::new();
    out.insert("members", Node::from(members));
    Some(Arc::new(Node::from(out)))
}

/// Numbers of values, none where one is no number.
fn numbers(values: &[&Value]) -> Option<Vec<f64>> {
    let number = |v: &&Value| match v {
        Value::Logical(b) => Some(f64::from(u8::from(*b))),
        other => other.as_f64(),
    };
    values.iter().map(number).collect()
}

/// A number that is whole where all values were.
fn like(values: &[&Value], number: f64) -> Value {
    let whole = |v: &&Value| matches!(v, Value::Integer(_));
    match values.iter().all(whole) {
        true => Value::Integer(number as i64),
        false => Value::from(number),
    }
}

/// Values by a rule; none for no values, and where the rule cannot be applied to them.
fn combine(rule: Rule, values: &[&Value]) -> Option<Value> {
    let first = *values.first()?;
    let texts = || {
        values
            .iter()
            .map(|v| v.as_str())
            .collect::<Option<Vec<_>>>()
    };
    let extreme = |choose: fn(f64, f64) -> f64| {
        let best = numbers(values)?.into_iter().reduce(choose)?;
        Some(like(values, best))
    };
    match rule {
        Rule::First => Some(first.clone()),
        Rule::Multiple => Some(match values.iter().all(|v| *v == first) {
            true => first.clone(),
            false => "MULTIPLE".into(),
        }),
        Rule::Mean => {
            let numbers = numbers(values)?;
            Some((pairwise_sum(&numbers) / numbers.len() as f64).into())
        }
        Rule::Sum => Some(like(values, pairwise_sum(&numbers(values)?))),
        Rule::Smallest => match texts() {
            Some(texts) => texts.into_iter().min().map(Value::from),
            None => extreme(f64::min),
        },
        Rule::Largest => match texts() {
            Some(texts) => texts.into_iter().max().map(Value::from),
            None => extreme(f64::max),
        },
        Rule::WheelTolerance => {
            let outside = "outside calibration tolerance";
            let any = values.iter().any(|v| v.as_str() == Some(outside));
            Some(
                if any {
                    outside
                } else {
                    "within commanded tolerance"
                }
                .into(),
            )
        }
    }
}

/// The table `HDRTAB`: a row for each exposure, a column for each keyword that one of them has, of the type that
/// holds all its values. What an exposure does not have is NaN, or `nan` in text.
fn header_table(metas: &[&Meta]) -> Hdu {
    let mut builder = TableBuilder::new(metas.len());
    for entry in table::TABLE.iter().filter(|e| e.column) {
        let values: Vec<Option<&Value>> = metas.iter().map(|m| entry.value(m)).collect();
        let known: Vec<&Value> = values.iter().copied().flatten().collect();
        let complete = known.len() == values.len();
        builder = if known.is_empty() {
            builder
        } else if known.iter().any(|v| v.as_str().is_some()) {
            text_column(builder, entry.keyword, &values)
        } else if complete && let Some(flags) = known.iter().map(|v| v.as_bool()).collect() {
            let flags: Vec<bool> = flags;
            builder.logical(entry.keyword, &flags)
        } else if complete
            && let Some(whole) = known.iter().map(|v| v.as_i64()).collect()
            && known.iter().all(|v| matches!(v, Value::Integer(_)))
        {
            let whole: Vec<i64> = whole;
            builder.i64(entry.keyword, &whole)
        } else {
            let number = |v: &Option<&Value>| {
                let number = v.and_then(|v| numbers(&[v]));
                number.and_then(|n| n.first().copied()).unwrap_or(f64::NAN)
            };
            let numbers: Vec<f64> = values.iter().map(number).collect();
            builder.f64(entry.keyword, &numbers)
        };
    }
    let (mut header, table) = builder.build("HDRTAB");
    header.set("EXTVER", 1i64, "extension value");
    Hdu {
        header,
        data: Data::Table(table),
    }
}

/// Widths numpy gives text that a real, a whole or a logical value is changed into.
const WIDTHS: [usize; 3] = [32, 21, 5];

/// A text column as wide as its longest text, and as numpy makes it where not all is text.
fn text_column(builder: TableBuilder, name: &str, values: &[Option<&Value>]) -> TableBuilder {
    let texts: Vec<String> = values
        .iter()
        .map(|v| v.map_or("nan".into(), Value::plain))
        .collect();
    let width = |(value, text): (&Option<&Value>, &String)| match value {
        Some(Value::Text(_)) => text.len().max(1),
        Some(Value::Logical(_)) => WIDTHS[2],
        Some(Value::Integer(_)) => WIDTHS[1],
        _ => WIDTHS[0],
    };
    let width = values.iter().zip(&texts).map(width).max().unwrap_or(1);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    builder.text(name, width, &texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(primary: &[(&str, Value)], sci: &[(&str, Value)]) -> Meta {
        let header = |cards: &[(&str, Value)]| {
            let mut h = Header::new();
            for (keyword, value) in cards {
                h.set(keyword, value.clone(), "comment");
            }
            h
        };
        Meta {
            primary: header(primary),
            sci: header(sci),
            ..Meta::default()
        }
    }

    #[test]
    fn what_was_done_is_kept_for_each_where_it_differs() {
        let made = |parameter: f64| {
            let mut node = Node::mapping();
            node.set("steps.jump.parameters.rejection_threshold", parameter);
            Some(Arc::new(node))
        };
        let of = |file: &str, parameter| Meta {
            source: file.into(),
            history: made(parameter),
            ..Meta::default()
        };
        let (a, b) = (of("jw1_cal.fits", 4.0), of("jw2_cal.fits", 4.0));
        assert_eq!(blend(&[&a, &b]).0.history, made(4.0));
        let c = of("jw3_cal.fits", 5.0);
        let both = blend(&[&a, &c]).0.history.expect("what was done");
        let at = |root: &str| {
            let path = format!("members.{root}.steps.jump.parameters.rejection_threshold");
            both.get(&path).and_then(Node::as_f64)
        };
        assert_eq!((at("jw1"), at("jw3")), (Some(4.0), Some(5.0)));
        assert_eq!(blend(&[&Meta::default(), &Meta::default()]).0.history, None);
    }

    #[test]
    fn every_rule() {
        let a = meta(
            &[
                ("BAND", "SHORT".into()),
                ("DETECTOR", "MIRIFULONG".into()),
                ("DATE-OBS", "2025-03-14".into()),
                ("DATE-END", "2025-03-14T05".into()),
                ("EFFEXPTM", 33.5.into()),
                ("EXPMID", 1.0.into()),
                ("INTEND", 2i64.into()),
                ("TARGNAME", "A".into()),
                ("FWPOSTOL", "within commanded tolerance".into()),
            ],
            &[("XPOSURE", 1.5.into()), ("S_REGION", "POLYGON".into())],
        );
        let mut b = a.clone();
        for (keyword, value) in [
            ("BAND", Value::from("LONG")),
            ("DATE-OBS", "2025-03-13".into()),
            ("DATE-END", "2025-03-15T05".into()),
            ("EXPMID", 2.0.into()),
            ("INTEND", 5i64.into()),
            ("TARGNAME", "B".into()),
            ("FWPOSTOL", "outside calibration tolerance".into()),
            ("TMEASURE", 7.0.into()),
        ] {
            b.primary.set(keyword, value, "");
        }
        b.primary.remove("EFFEXPTM");
        let (out, _) = blend(&[&a, &b]);
        assert_eq!(out.str("BAND"), Some("MULTIPLE"));
        assert_eq!(out.str("DETECTOR"), Some("MIRIFULONG"));
        assert_eq!(out.str("DATE-OBS"), Some("2025-03-13"));
        assert_eq!(out.str("DATE-END"), Some("2025-03-15T05"));
        assert_eq!(out.f64("EFFEXPTM"), Some(33.5));
        assert_eq!(out.f64("EXPMID"), Some(1.5));
        assert_eq!(out.get("INTEND"), Some(&Value::Integer(5)));
        assert_eq!(out.str("TARGNAME"), Some("A"));
        assert_eq!(out.str("FWPOSTOL"), Some("outside calibration tolerance"));
        assert_eq!(out.f64("TMEASURE"), Some(7.0));
        assert_eq!(out.sci.f64("XPOSURE"), Some(3.0));
        let card = out.primary.card("BAND").map(|c| c.comment.as_str());
        assert_eq!(card, Some("comment"));
    }

    #[test]
    fn a_moving_target_is_at_its_mean_position() {
        let a = meta(
            &[("TARG_RA", 1.0.into())],
            &[
                ("MT_RA", 1.0.into()),
                ("MT_AVRA", 1.5.into()),
                ("MT_AVDEC", (-2.5).into()),
            ],
        );
        let (out, _) = blend(&[&a, &a]);
        assert_eq!(
            ["MT_RA", "MT_DEC", "TARG_RA", "TARG_DEC"].map(|k| out.f64(k)),
            [1.5, -2.5, 1.5, -2.5].map(Some)
        );
        let fixed = meta(&[("TARG_RA", 1.0.into())], &[]);
        assert_eq!(blend(&[&fixed]).0.f64("TARG_RA"), Some(1.0));
    }

    #[test]
    fn the_table_of_headers() {
        let a = meta(
            &[
                ("TARGNAME", "Uranus".into()),
                ("NINTS", 2i64.into()),
                ("BKGDTARG", false.into()),
                ("TFRAME", 2.5.into()),
                ("NGROUPS", 5i64.into()),
                ("TITLE", "x".into()),
            ],
            &[],
        );
        let mut b = a.clone();
        b.primary.set("TARGNAME", "Io", "");
        b.primary.remove("NGROUPS");
        b.primary.remove("TITLE");
        let (_, hdu) = blend(&[&a, &b]);
        let Some(Hdu {
            header,
            data: Data::Table(table),
        }) = hdu
        else {
            panic!("a table");
        };
        let forms: Vec<_> = (1..=table.columns.len())
            .map(|i| {
                let text = |k: &str| {
                    header
                        .str(&format!("{k}{i}"))
                        .unwrap_or_default()
                        .to_owned()
                };
                (text("TTYPE"), text("TFORM"))
            })
            .collect();
        let of = |name: &str| {
            let found = forms.iter().find(|f| f.0 == name);
            found.map(|f| f.1.clone()).unwrap_or_default()
        };
        assert_eq!(of("TARGNAME"), "6A");
        assert_eq!(of("NINTS"), "K");
        assert_eq!(of("BKGDTARG"), "L");
        assert_eq!(of("TFRAME"), "D");
        assert_eq!(of("NGROUPS"), "D");
        assert_eq!(of("TITLE"), "32A");
        assert_eq!(table.columns.len(), 6);
        assert_eq!(table.text("TARGNAME", 1).as_deref(), Some("Io"));
        assert_eq!(table.text("TITLE", 1).as_deref(), Some("nan"));
        assert!(table.number("NGROUPS", 1).is_some_and(f64::is_nan));
        assert!(blend(&[]).1.is_none());
    }

    #[test]
    fn the_table_names_each_keyword_once() {
        let mut names: Vec<_> = table::TABLE.iter().map(|e| e.keyword).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
