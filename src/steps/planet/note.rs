//! What a planetary step writes into the primary header: a numbered note with the date, and its settings.

use crate::formats::fits::{Card, Header, Value};
use crate::model::date::utc_now;

/// Title of the block of notes.
const TITLE: &str = "Custom pipeline reductions";

/// Adds a note as `REDUCTn`, n the first free number from 1, with `HIERARCH REDUCTn DATE`, and this program's version as
/// `HIERARCH <step> VERSION` where a step is named.
pub fn add(primary: &mut Header, text: &str, step: Option<&str>) {
    let mut n = 1;
    while primary.card(&format!("REDUCT{n}")).is_some() {
        n += 1;
    }
    if n == 1 {
        for text in ["", TITLE, ""] {
            primary.push(Card::commentary("", text));
        }
    }
    let keyword = format!("REDUCT{n}");
    primary.push(Card::new(&keyword, text, ""));
    let date = utc_now();
    put(
        primary,
        &format!("{keyword} DATE"),
        date.as_str(),
        "Date reduction performed",
    );
    if let Some(step) = step {
        let version = env!("CARGO_PKG_VERSION");
        put(
            primary,
            &format!("{step} VERSION"),
            version,
            "Software version",
        );
    }
}

/// Sets a `HIERARCH` keyword (given without that word), a short one too.
pub fn put(primary: &mut Header, keyword: &str, value: impl Into<Value>, comment: &str) {
    let short = keyword.len() <= 8 && !keyword.contains(' ');
    if short && primary.card(keyword).is_none() {
        // a card of a short name is written without HIERARCH, unless it was read with it
        let card = Card::new(keyword, value, comment);
        let plain = card.records().concat();
        let text = plain.get(10..).unwrap_or_default().trim();
        primary.push(Card::parse(&format!("HIERARCH {keyword} = {text}")));
        return;
    }
    primary.set(keyword, value, comment);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_numbered_and_dated_under_one_title() {
        let mut h = Header::new();
        add(&mut h, "Despiked", Some("CLEAN"));
        put(&mut h, "CLEAN", true, "Set bad pixels to NaN");
        add(&mut h, "Flat field corrected", None);
        assert_eq!(h.str("REDUCT1"), Some("Despiked"));
        assert_eq!(h.str("REDUCT2"), Some("Flat field corrected"));
        assert_eq!(h.bool("CLEAN"), Some(true));
        assert_eq!(h.str("CLEAN VERSION"), Some(env!("CARGO_PKG_VERSION")));
        assert!(h.str("REDUCT2 DATE").is_some_and(|d| d.contains('T')));
        let texts: Vec<String> = h.cards().iter().flat_map(Card::records).collect();
        assert_eq!(texts.iter().filter(|t| t.contains(TITLE)).count(), 1);
        let find = |start: &str| texts.iter().any(|t| t.starts_with(start));
        assert!(find("HIERARCH CLEAN = T / Set bad") && find("HIERARCH REDUCT1 DATE = '"));
    }
}
