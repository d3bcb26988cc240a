//! The kernel pool: variables of all text kernels together.
//!
//! A later assignment replaces the whole variable, `+=` puts values after those there are. Names are
//! as written: case counts.

use std::collections::HashMap;
use std::path::Path;

use super::text::{Assignment, Value};
use crate::{Error, Result};

/// Variables by name.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    variables: HashMap<String, Value>,
}

impl Pool {
    /// Takes over the assignments of a kernel.
    ///
    /// # Errors
    /// [`Error::Format`] where numbers are put after strings or strings after numbers.
    pub fn load(&mut self, path: &Path, assignments: &[Assignment]) -> Result<()> {
        for a in assignments {
            if !a.append {
                self.variables.insert(a.name.clone(), a.value.clone());
                continue;
            }
            match (self.variables.get_mut(&a.name), &a.value) {
                (None, value) => {
                    self.variables.insert(a.name.clone(), value.clone());
                }
                (Some(Value::Numbers(all)), Value::Numbers(more)) => all.extend_from_slice(more),
                (Some(Value::Texts(all)), Value::Texts(more)) => all.extend_from_slice(more),
                _ => {
                    return Err(Error::format(
                        path,
                        format!(
                            "line {}: += adds to {}, which holds values of the other kind (numbers \
                             or strings); the kernels contradict each other",
                            a.line, a.name
                        ),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Takes variables that are not there yet from another pool.
    pub fn underlay(&mut self, other: Self) {
        for (name, value) in other.variables {
            self.variables.entry(name).or_insert(value);
        }
    }

    /// Whether there is such a variable.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// Numbers of a variable, if it is one of numbers.
    #[must_use]
    pub fn numbers(&self, name: &str) -> Option<&[f64]> {
        match self.variables.get(name) {
            Some(Value::Numbers(v)) => Some(v),
            _ => None,
        }
    }

    /// Strings of a variable, if it is one of strings.
    #[must_use]
    pub fn texts(&self, name: &str) -> Option<&[String]> {
        match self.variables.get(name) {
            Some(Value::Texts(v)) => Some(v),
            _ => None,
        }
    }

    /// First number of a variable.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        self.numbers(name)?.first().copied()
    }

    /// First number of a variable, as a whole number.
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<i32> {
        let v = self.number(name)?;
        (v.fract() == 0.0 && v.abs() < f64::from(i32::MAX)).then_some(v as i32)
    }

    /// First string of a variable.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts(name)?.first().map(String::as_str)
    }

    /// Names of all variables, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse_text;
    use super::*;

    #[test]
    fn the_last_assignment_wins_and_appending_appends() {
        let mut pool = Pool::default();
        for text in [
            "\\begindata\nA = 1\nB = 'x'\nC += 7",
            "\\begindata\nA = ( 2 3 )\nB += 'y'\nC += ( 8 9 )\nD = 2.5\nE = 3000000000",
        ] {
            let path = Path::new("k");
            let all = parse_text(path, text.as_bytes()).expect("a kernel");
            pool.load(path, &all).expect("loads");
        }
        assert_eq!(pool.numbers("A"), Some(&[2.0, 3.0][..]));
        assert_eq!(pool.texts("B").map(<[String]>::len), Some(2));
        assert_eq!(pool.numbers("C"), Some(&[7.0, 8.0, 9.0][..]));
        assert_eq!(pool.text("B"), Some("x"));
        assert_eq!(
            (pool.integer("A"), pool.integer("D"), pool.integer("E")),
            (Some(2), None, None)
        );
        assert_eq!((pool.numbers("B"), pool.texts("A")), (None, None));
        let bad = parse_text(Path::new("bad.tpc"), b"\\begindata\nA += 'z'").expect("parses");
        let error = pool
            .load(Path::new("bad.tpc"), &bad)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("bad.tpc") && error.contains("contradict"),
            "{error}"
        );
    }
}
