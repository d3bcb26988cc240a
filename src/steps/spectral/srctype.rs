//! # srctype: point or extended source
//!
//! ## What
//! Decides whether the source is treated as a point or as extended, and writes `SRCTYPE` (in the `SCI` header).
//!
//! ## Why
//! Extraction of spectra and corrections of slit losses differ between the two.
//!
//! ## Algorithm
//! For exposures of the IFUs (`MIR_MRS`, `NRS_IFU`) the first of these that applies:
//! 1. the parameter `source_type`;
//! 2. a background target (`BKGDTARG`) is extended;
//! 3. a time series (`TSOVISIT`, of at least two integrations) is a point;
//! 4. what the observer said (`SRCTYAPT`, in older files `SRCTYPE`, which is then copied to `SRCTYAPT`);
//! 5. a dither pattern made for points (`DITHOPFR` of the MRS, `PATTTYPE` of NIRSpec, with NOD or
//!    POINT-SOURCE in it) means a point;
//! 6. extended.
//!
//! Exposures of other types are points where they are time series, else `UNKNOWN`.
//!
//! ## Parameters
//! `source_type`.
//!
//! ## Reference files
//! None.
//!
//! ## Skipped when
//! Never.
//!
//! ## Differs from jwst
//! Modes with slits are not handled.
//!
//! ## References
//! jwst 3.0.0 `srctype`.

use crate::exec::Exec;
use crate::model::{Cal, Meta};
use crate::steps::step::{Info, RefPaths, Step, Target};
use crate::{Error, Result};

crate::params! {
    /// Parameters of srctype.
    pub struct SrctypeParams {
        /// The source is taken to be of this type, POINT or EXTENDED, whatever the headers say.
        source_type: Option<String> = None,
    }
}

/// The step.
pub struct Srctype;

impl Step for Srctype {
    const INFO: Info = Info {
        name: "srctype",
        class: "SourceTypeStep",
        keyword: "S_SRCTYP",
        title: "Determine Source Type",
        skip: false,
        references: &[],
    };
    const SOURCE: &'static str = include_str!("srctype.rs");
    type In = Cal;
    type Out = Cal;
    type Params = SrctypeParams;
    type Refs = ();

    fn load(_: &RefPaths, _: &Target, _: &Self::Params) -> Result<()> {
        Ok(())
    }

    fn run(mut input: Cal, (): &(), params: &Self::Params, _: &Exec) -> Result<Cal> {
        let kind = source_type(&input.meta, params)?;
        let meta = &mut input.meta;
        if meta.str("SRCTYAPT").is_none()
            && let Some(old) = meta.sci.str("SRCTYPE").map(str::to_owned)
        {
            let comment = "Source type from APT (point/extended)";
            meta.primary.set_after("PROP_DEC", "SRCTYAPT", old, comment);
        }
        // one there would hide the one of SCI
        meta.primary.remove("SRCTYPE");
        let comment = "Source type used for calibration";
        meta.sci.set_after("EXTNAME", "SRCTYPE", kind, comment);
        Ok(input)
    }
}

/// The type by the rules above.
fn source_type(meta: &Meta, params: &SrctypeParams) -> Result<&'static str> {
    let exposure = meta.need_str("EXP_TYPE")?;
    let series = is_time_series(meta);
    let pattern = match exposure {
        "MIR_MRS" => meta.str("DITHOPFR"),
        "NRS_IFU" => meta.str("PATTTYPE"),
        _ if series => return Ok("POINT"),
        _ => return Ok("UNKNOWN"),
    };
    match params.source_type.as_deref() {
        None => {}
        Some("POINT") => return Ok("POINT"),
        Some("EXTENDED") => return Ok("EXTENDED"),
        Some(other) => {
            return Err(Error::parameter(format!(
                "srctype: source_type = '{other}' is neither 'POINT' nor 'EXTENDED'"
            )));
        }
    }
    if meta.get("BKGDTARG").and_then(|v| v.as_bool()) == Some(true) {
        return Ok("EXTENDED");
    }
    if series {
        return Ok("POINT");
    }
    let said = meta.str("SRCTYAPT").or_else(|| meta.sci.str("SRCTYPE"));
    Ok(match said {
        Some("POINT") => "POINT",
        Some("EXTENDED") => "EXTENDED",
        _ if pattern.is_some_and(|p| p.contains("NOD") || p.contains("POINT-SOURCE")) => "POINT",
        _ => "EXTENDED",
    })
}

/// Whether the exposure is one of a time series: of a visit declared so, with more than one integration.
fn is_time_series(meta: &Meta) -> bool {
    meta.get("TSOVISIT").and_then(|v| v.as_bool()) == Some(true)
        && meta.i64("NINTS").is_none_or(|n| n >= 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::fits::Value;

    fn kind(cards: &[(&str, Value)], asked: Option<&str>) -> &'static str {
        let mut meta = Meta::default();
        meta.primary.set("EXP_TYPE", "MIR_MRS", "");
        for (k, v) in cards {
            meta.primary.set(k, v.clone(), "");
        }
        type_of(&meta, asked)
    }

    fn type_of(meta: &Meta, asked: Option<&str>) -> &'static str {
        let asked = SrctypeParams {
            source_type: asked.map(str::to_owned),
        };
        source_type(meta, &asked).unwrap()
    }

    #[test]
    fn the_first_rule_that_applies_decides() {
        let point = || ("SRCTYAPT", Value::from("POINT"));
        let background = || ("BKGDTARG", Value::from(true));
        let series = || ("TSOVISIT", Value::from(true));
        let dither = |v: &str| ("DITHOPFR", Value::from(v));
        assert_eq!(kind(&[], None), "EXTENDED");
        assert_eq!(kind(&[dither("POINT-SOURCE")], None), "POINT");
        assert_eq!(kind(&[dither("EXTENDED-SOURCE")], None), "EXTENDED");
        let unknown = ("SRCTYAPT", Value::from("UNKNOWN"));
        assert_eq!(kind(&[unknown, dither("2-POINT-NOD")], None), "POINT");
        let extended = || ("SRCTYAPT", Value::from("EXTENDED"));
        assert_eq!(
            kind(&[extended(), dither("POINT-SOURCE")], None),
            "EXTENDED"
        );
        assert_eq!(kind(&[point()], None), "POINT");
        assert_eq!(kind(&[point(), background()], None), "EXTENDED");
        assert_eq!(kind(&[series(), extended()], None), "POINT");
        let single = ("NINTS", Value::from(1i64));
        assert_eq!(kind(&[series(), extended(), single], None), "EXTENDED");
        assert_eq!(kind(&[background()], Some("POINT")), "POINT");
        assert_eq!(kind(&[point()], Some("EXTENDED")), "EXTENDED");
    }

    #[test]
    fn without_a_word_of_the_observer_the_type_of_before_counts() {
        let mut meta = Meta::default();
        meta.primary.set("EXP_TYPE", "MIR_MRS", "");
        meta.sci.set("SRCTYPE", "POINT", "");
        assert_eq!(type_of(&meta, None), "POINT");
        meta.primary.set("SRCTYAPT", "EXTENDED", "");
        assert_eq!(type_of(&meta, None), "EXTENDED");
    }

    #[test]
    fn other_exposures_and_types() {
        let mut meta = Meta::default();
        assert!(source_type(&meta, &SrctypeParams::default()).is_err());
        meta.primary.set("EXP_TYPE", "MIR_IMAGE", "");
        assert_eq!(type_of(&meta, None), "UNKNOWN");
        meta.primary.set("TSOVISIT", true, "");
        assert_eq!(type_of(&meta, None), "POINT");
        meta.primary.set("EXP_TYPE", "NRS_IFU", "");
        meta.primary.set("TSOVISIT", false, "");
        meta.primary.set("PATTTYPE", "4-POINT-NOD", "");
        assert_eq!(type_of(&meta, None), "POINT");
        let other = SrctypeParams {
            source_type: Some("round".into()),
        };
        assert!(source_type(&meta, &other).is_err());
    }
}
