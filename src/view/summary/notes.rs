//! What a summary plot says in words.

use super::{Options, Subject};
use crate::formats::fits::Header;

/// Longest note, characters.
const LONGEST: usize = 60;

/// Texts in the corners and on top.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Notes {
    /// On top of all.
    pub title: String,
    /// Upper left: when, and what is seen of the body.
    pub seen: Vec<String>,
    /// Lower left: the pointing.
    pub pointing: Vec<String>,
    /// Upper right: how the cube was made.
    pub made: Vec<String>,
    /// Lower right: what to know of the picture.
    pub picture: Vec<String>,
}

fn text<'a>(header: &'a Header, keyword: &str) -> Option<&'a str> {
    header.str(keyword).map(str::trim).filter(|t| !t.is_empty())
}

/// A text that fits; a file may say what it likes.
fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((i, _)) => format!("{}…", &text[..i]),
        None => text.to_owned(),
    }
}

impl Notes {
    /// The notes of a cube; `pixel` is the side of a spaxel in arcsec.
    pub fn new(subject: &Subject, options: &Options, pixel: Option<f64>) -> Self {
        let h = subject.primary;
        let mut out = Self {
            title: title(h),
            ..Self::default()
        };
        out.seen
            .extend(text(h, "DATE-BEG").map(|d| format!("{} UTC", cut(d))));
        if let Some(globe) = subject.globe {
            let [lon, lat] = globe.below_observer();
            let (side, pole) = (
                if globe.west { "W" } else { "E" },
                if lat < 0.0 { "S" } else { "N" },
            );
            out.seen.push(format!(
                "Sub-observer point: {lon:.0}°{side} {:.0}°{pole}",
                lat.abs()
            ));
            let size = globe.diameter();
            let wide = pixel.map_or(String::new(), |p| format!("{:.2} px (", size / p));
            let end = if wide.is_empty() { "" } else { ")" };
            out.seen
                .push(format!("Disc diameter: {wide}{size:.2}″{end}"));
        }
        let number = |key: &str| h.f64(key).unwrap_or(0.0);
        let (ra, dec) = (number("NAV RA_OFFSET"), number("NAV DEC_OFFSET"));
        // what was subtracted on the sky, where the file says so
        let (ra, on_sky) = match h.f64("NAV RA_OFFSET_SKY") {
            Some(sky) => (sky, " on the sky"),
            None => (ra, ""),
        };
        if ra != 0.0 || dec != 0.0 {
            out.pointing = vec![
                "Pointing corrected by".into(),
                format!("RA {ra:+.3}″{on_sky}, Dec {dec:+.3}″").replace('-', "−"),
            ];
        } else {
            out.pointing = vec!["JWST pointing".into(), "(typically good to 0.5″)".into()];
        }
        out.made
            .extend(text(h, "CRDS_CTX").map(|c| format!("CRDS context: {}", cut(c))));
        if text(h, "S_BKDSUB") == Some("COMPLETE") {
            out.made.push("Background subtracted".into());
        }
        if text(h, "S_RESFRI") == Some("COMPLETE") {
            out.made.push("Residual fringe corrected (2D)".into());
        }
        out.made
            .extend(text(h, "WTYPE").map(|w| format!("Cube build weighting: {}", cut(w))));
        let notes = (1..).map_while(|n| text(h, &format!("REDUCT{n}")));
        out.made.extend(notes.map(cut));
        if options.percentiles != [0.0, 100.0] {
            let [low, high] = options.percentiles;
            out.picture
                .push(format!("Colours from {low} to {high} percentile"));
        }
        out.picture.extend(subject.remark.iter().map(|r| cut(r)));
        out
    }
}

/// Target, dither, instrument and its setting, by the header of a file.
#[must_use]
pub fn title(h: &Header) -> String {
    let mut parts = Vec::new();
    parts.extend(text(h, "TARGPROP").or(text(h, "TARGNAME")).map(cut));
    let combined = text(h, "ASNTABLE").is_some_and(|a| a.contains("dither-combined"));
    match h.i64("PATT_NUM") {
        _ if combined => parts.push("Dithers combined".into()),
        Some(n) => parts.push(format!("Dither {n}")),
        None => {}
    }
    let instrument = text(h, "INSTRUME");
    parts.extend(instrument.map(cut));
    let join = |keys: &[&str]| {
        let words: Vec<&str> = keys.iter().filter_map(|k| text(h, k)).collect();
        cut(&words.join(" "))
    };
    match instrument {
        Some("MIRI") => parts.push(format!("Channel {}", join(&["CHANNEL", "BAND"]))),
        Some("NIRSPEC") => parts.push(match text(h, "DETECTOR") {
            Some("MULTIPLE") | None => join(&["FILTER", "GRATING"]),
            Some(_) => join(&["DETECTOR", "FILTER", "GRATING"]),
        }),
        _ => {}
    }
    parts.retain(|p| !p.is_empty());
    parts.join("  |  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_say_what_was_observed() {
        let mut h = Header::new();
        for (k, v) in [
            ("TARGPROP", "SATURN-75N"),
            ("INSTRUME", "MIRI"),
            ("CHANNEL", "1"),
            ("BAND", "SHORT"),
        ] {
            h.set(k, v, "");
        }
        h.set("PATT_NUM", 3i64, "");
        assert_eq!(
            title(&h),
            "SATURN-75N  |  Dither 3  |  MIRI  |  Channel 1 SHORT"
        );
        h.set("ASNTABLE", "12_SHORT_dither-combined_001_01_asn.json", "");
        assert!(title(&h).contains("|  Dithers combined  |"));
        for (k, v) in [
            ("INSTRUME", "NIRSPEC"),
            ("FILTER", "CLEAR"),
            ("GRATING", "PRISM"),
            ("DETECTOR", "NRS1"),
        ] {
            h.set(k, v, "");
        }
        assert!(title(&h).ends_with("NIRSPEC  |  NRS1 CLEAR PRISM"));
        h.set("DETECTOR", "MULTIPLE", "");
        assert!(title(&h).ends_with("NIRSPEC  |  CLEAR PRISM"));
        assert_eq!(title(&Header::new()), "");
        assert_eq!(cut(&"é".repeat(80)).chars().count(), LONGEST + 1);
    }
}
