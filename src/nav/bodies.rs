//! Names and NAIF codes of bodies that are known without a kernel.
//!
//! Planets end in 99 (599 Jupiter), their systems' barycentres have one digit, satellites follow their
//! planet (502 Europa), spacecraft are negative (-170 JWST), comets begin at 1000001, asteroids are
//! 2000000 (old) or 20000000 plus their number. The table is `bodies.txt`.

use std::collections::HashMap;
use std::sync::OnceLock;

/// Both directions of the built-in table.
struct Table {
    codes: HashMap<&'static str, i32>,
    names: HashMap<i32, &'static str>,
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let (mut codes, mut names) = (HashMap::new(), HashMap::new());
        for line in include_str!("bodies.txt").lines() {
            let Some((code, list)) = line.split_once(' ') else {
                continue;
            };
            let Ok(code) = code.parse::<i32>() else {
                continue;
            };
            for (i, name) in list.split(" | ").enumerate() {
                codes.insert(name, code);
                if i == 0 {
                    names.insert(code, name);
                }
            }
        }
        Table { codes, names }
    })
}

/// A name as it is compared: upper case, single spaces.
#[must_use]
pub fn normal(name: &str) -> String {
    let words: Vec<&str> = name.split_whitespace().collect();
    words.join(" ").to_ascii_uppercase()
}

/// Code of a name, which has to be in its normal form.
#[must_use]
pub fn code(name: &str) -> Option<i32> {
    table().codes.get(name).copied()
}

/// Name of a code.
#[must_use]
pub fn name(code: i32) -> Option<&'static str> {
    table().names.get(&code).copied()
}

/// Every code and name of the table, in no order.
pub fn all() -> impl Iterator<Item = (i32, &'static str)> {
    table().codes.iter().map(|(name, code)| (*code, *name))
}

/// The barycentre of the system a planet or a satellite belongs to.
#[must_use]
pub fn barycentre(code: i32) -> Option<i32> {
    match code {
        100..=999 => Some(code / 100),
        10_000..=99_999 => Some(code / 10_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes() {
        for (n, c) in [
            ("JWST", -170),
            ("JAMES WEBB SPACE TELESCOPE", -170),
            ("JUPITER", 599),
            ("SSB", 0),
            ("SOLAR SYSTEM BARYCENTER", 0),
            ("EPIMETHEUS", 611),
            ("CHURYUMOV-GERASIMENKO", 1_000_012),
            ("DIMORPHOS", 120_065_803),
        ] {
            assert_eq!(code(n), Some(c), "{n}");
        }
        assert_eq!(name(606), Some("TITAN"));
        assert_eq!(name(0), Some("SOLAR SYSTEM BARYCENTER"));
        assert_eq!(code("NIBIRU"), None);
        assert_eq!(
            normal("  Solar system\tbarycenter "),
            "SOLAR SYSTEM BARYCENTER"
        );
        assert_eq!(
            (barycentre(599), barycentre(55_060), barycentre(10)),
            (Some(5), Some(5), None)
        );
        assert!(all().count() > 380);
    }
}
