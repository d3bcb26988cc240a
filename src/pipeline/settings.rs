//! Parameters from everywhere, merged: built-in < CRDS `pars-*` < recipe < file < command line.
//!
//! A parameter is `STEP.NAME`; `STEP.skip` turns a step on or off. Which source won is remembered.

use std::collections::BTreeMap;
use std::path::Path;

use toml::{Table, Value};

use crate::steps::step::AnyStep;
use crate::{Error, Result};

/// Sections that are not steps, with their parameters and help.
const SECTIONS: &[(&str, &[(&str, &str)])] = &[(
    "detector1",
    &[(
        "save_calibrated_ramp",
        "Save the calibrated ramps before ramp_fit (_ramp); false by default.",
    )],
)];

/// What the user asked for, lowest priority first.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    layers: Vec<(String, Table)>,
}

/// One step's merged settings.
#[derive(Debug, Clone, PartialEq)]
pub struct StepSettings {
    /// Whether the step is off.
    pub skip: bool,
    /// Every parameter with its value; unset ones are absent.
    pub params: Table,
    /// Source of each parameter that is not built in.
    pub sources: BTreeMap<String, String>,
}

impl Settings {
    /// Adds a configuration file: TOML with a table for each step.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Parameter`] where it is not TOML or names unknown steps or parameters.
    pub fn file(mut self, path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        let table: Table = text.parse().map_err(|e: toml::de::Error| {
            Error::parameter(format!("{}: {}", path.display(), e.to_string().trim()))
        })?;
        check(&table).map_err(|e| Error::parameter(format!("{}: {e}", path.display())))?;
        self.layers.push((path.display().to_string(), table));
        Ok(self)
    }

    /// Adds `STEP.NAME=VALUE` assignments of the command line; `none` unsets a parameter.
    ///
    /// # Errors
    /// [`Error::Parameter`] where one is malformed or unknown.
    pub fn assignments<'a>(
        mut self,
        assignments: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self> {
        let mut table = Table::new();
        for text in assignments {
            let parts = text
                .split_once('=')
                .and_then(|(k, v)| Some((k.trim().split_once('.')?, v.trim())));
            let Some(((step, name), value)) = parts else {
                return Err(Error::parameter(format!(
                    "--set {text}: expected STEP.NAME=VALUE, as in jump.rejection_threshold=5"
                )));
            };
            let section = table
                .entry(step)
                .or_insert_with(|| Value::Table(Table::new()));
            if let Some(section) = section.as_table_mut() {
                section.insert(name.to_owned(), parse_value(value));
            }
        }
        check(&table)?;
        self.layers.push(("command line".into(), table));
        Ok(self)
    }

    /// Adds a recipe's own settings beneath everything the user asked for.
    #[must_use]
    pub fn beneath(mut self, name: &str, table: Table) -> Self {
        self.layers.insert(0, (name.into(), table));
        self
    }

    /// Turns steps off (`--skip`).
    ///
    /// # Errors
    /// [`Error::Parameter`] for a step that does not exist.
    pub fn skip<'a>(self, steps: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let texts: Vec<String> = steps
            .into_iter()
            .map(|s| format!("{s}.skip=true"))
            .collect();
        self.assignments(texts.iter().map(String::as_str))
    }

    /// Turns a step on beneath everything the user asked for (a step run alone is on unless told otherwise).
    #[must_use]
    pub fn on(self, step: &str) -> Self {
        let on = Table::from_iter([("skip".to_owned(), Value::Boolean(false))]);
        let on = Table::from_iter([(step.to_owned(), Value::Table(on))]);
        self.beneath("single step", on)
    }

    /// A flag of a section that is not a step.
    pub fn flag(&self, section: &str, name: &str) -> bool {
        let mut values = self
            .layers
            .iter()
            .rev()
            .filter_map(|(_, t)| t.get(section)?.get(name)?.as_bool());
        values.next().unwrap_or(false)
    }

    /// Merges one step's parameters, `pars` being those that `pars-` reference files give, lowest first.
    ///
    /// # Errors
    /// [`Error::Parameter`] for unknown names or wrong types.
    pub fn for_step(&self, step: &dyn AnyStep, pars: &[(String, Table)]) -> Result<StepSettings> {
        let info = step.info();
        let mut given = Table::new();
        let mut sources = BTreeMap::new();
        let known = step.fields();
        let empty = Table::new();
        let below = pars
            .iter()
            .map(|(source, table)| (source.as_str(), table, true));
        let above = self.layers.iter().map(|(s, t)| {
            (
                s.as_str(),
                t.get(info.name).and_then(Value::as_table).unwrap_or(&empty),
                false,
            )
        });
        for (source, table, reference) in below.chain(above) {
            for (name, value) in table {
                // a parameter file also carries stpipe's own switches, which have no meaning here
                let field = known.iter().find(|f| f.name == name);
                if reference && field.is_none() && name != "skip" {
                    continue;
                }
                let value = if reference {
                    field.map_or(value.clone(), |f| fit_kind(value, f.kind))
                } else {
                    value.clone()
                };
                let unset = value
                    .as_str()
                    .is_some_and(|v| v.eq_ignore_ascii_case("none"))
                    && field.is_none_or(|f| f.kind.starts_with("Option"));
                if unset {
                    given.remove(name);
                    sources.remove(name);
                } else {
                    given.insert(name.clone(), value);
                    sources.insert(name.clone(), source.to_owned());
                }
            }
        }
        let skip = match given.remove("skip") {
            None => info.skip,
            Some(Value::Boolean(b)) => b,
            Some(other) => {
                return Err(Error::parameter(format!(
                    "{}.skip = {other} is neither true nor false",
                    info.name
                )));
            }
        };
        Ok(StepSettings {
            skip,
            params: step.complete(&given)?,
            sources,
        })
    }
}

/// A value from a parameter file as the parameter's type has it (15.0 for a whole number is 15).
fn fit_kind(value: &Value, kind: &str) -> Value {
    let whole = ["usize", "i32", "i64", "u32"]
        .iter()
        .any(|k| kind.contains(k));
    match value {
        Value::Float(f) if whole && f.fract() == 0.0 && f.abs() < 9e15 => Value::Integer(*f as i64),
        Value::Integer(i) if kind.contains("f64") => Value::Float(*i as f64),
        other => other.clone(),
    }
}

/// A value as typed: TOML where it is TOML, Python's spelling of truth, else text.
fn parse_value(text: &str) -> Value {
    match text {
        "True" => return Value::Boolean(true),
        "False" => return Value::Boolean(false),
        _ => {}
    }
    format!("v = {text}")
        .parse::<Table>()
        .ok()
        .and_then(|mut t| t.remove("v"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Refuses unknown steps and parameters.
fn check(table: &Table) -> Result<()> {
    for (section, values) in table {
        let Some(values) = values.as_table() else {
            return Err(Error::parameter(format!(
                "{section} is a value; parameters belong under a step, as in [jump]"
            )));
        };
        if let Some((_, names)) = SECTIONS.iter().find(|(s, _)| s == section) {
            for (name, value) in values {
                if !names.iter().any(|(n, _)| n == name) {
                    let names: Vec<_> = names.iter().map(|(n, _)| *n).collect();
                    return Err(Error::parameter(format!(
                        "{section} has no parameter {name}; it has {}",
                        names.join(", ")
                    )));
                }
                if !value.is_bool() {
                    return Err(Error::parameter(format!(
                        "{section}.{name} = {value} is neither true nor false"
                    )));
                }
            }
            continue;
        }
        let Some(step) = crate::steps::find(section) else {
            let names: Vec<_> = crate::steps::ALL.iter().map(|s| s.info().name).collect();
            return Err(Error::parameter(format!(
                "there is no step {section}; steps are {}",
                names.join(", ")
            )));
        };
        let mut own = Table::new();
        let fields = step.fields();
        for (name, value) in values {
            let none = value
                .as_str()
                .is_some_and(|v| v.eq_ignore_ascii_case("none"));
            let field = fields.iter().find(|f| f.name == name);
            let unset = none && field.is_some_and(|f| f.kind.starts_with("Option"));
            if name == "skip" {
                if !value.is_bool() {
                    return Err(Error::parameter(format!(
                        "{section}.skip = {value} is neither true nor false"
                    )));
                }
            } else if !unset {
                own.insert(name.clone(), value.clone());
            }
        }
        step.complete(&own)?;
    }
    Ok(())
}

/// The full configuration with defaults and help, as a TOML file to start from.
pub fn template() -> String {
    let mut out = String::from(
        "# sifu configuration: every parameter with its default. Delete what you do not change.\n",
    );
    for (section, names) in SECTIONS {
        out.push_str(&format!("\n[{section}]\n"));
        for (name, help) in *names {
            out.push_str(&format!("# {help}\n{name} = false\n"));
        }
    }
    for step in crate::steps::ALL {
        let info = step.info();
        out.push_str(&format!(
            "\n[{}]\n# Turn the step off.\nskip = {}\n",
            info.name, info.skip
        ));
        for f in step.fields() {
            out.push_str(&format!("# {}\n", f.doc));
            match f.default {
                Some(v) => out.push_str(&format!("{} = {v}\n", f.name)),
                None => out.push_str(&format!("# {} = (unset)\n", f.name)),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dq_init() -> &'static dyn AnyStep {
        crate::steps::find("dq_init").unwrap()
    }

    #[test]
    fn later_layers_win_and_are_remembered() {
        let s = Settings::default()
            .assignments(["dq_init.user_supplied_dq=a.fits"])
            .unwrap();
        let pars: Table = "user_supplied_dq = 'b.fits'\nskip = true\nsave_results = true"
            .parse()
            .unwrap();
        let step = s
            .for_step(dq_init(), &[("pars.asdf".into(), pars)])
            .unwrap();
        assert!(step.skip);
        assert_eq!(step.params["user_supplied_dq"].as_str(), Some("a.fits"));
        assert_eq!(step.sources["user_supplied_dq"], "command line");
        assert_eq!(step.sources["skip"], "pars.asdf");
    }

    #[test]
    fn none_unsets() {
        let s = Settings::default()
            .assignments(["dq_init.user_supplied_dq=none"])
            .unwrap();
        let pars: Table = "user_supplied_dq = 'b.fits'".parse().unwrap();
        assert!(
            s.for_step(dq_init(), &[("pars".into(), pars)])
                .unwrap()
                .params
                .is_empty()
        );
    }

    #[test]
    fn unknown_names_are_refused_with_the_known_ones() {
        for (text, hint) in [
            ("nosuch.x=1", "dq_init"),
            ("dq_init.nosuch=1", "user_supplied_dq"),
            ("dq_init.user_supplied_dq=1", "user_supplied_dq"),
            ("dq_init=1", "STEP.NAME"),
            ("dq_init.skip=7", "neither true nor false"),
            ("detector1.nosuch=true", "save_calibrated_ramp"),
        ] {
            let e = Settings::default().assignments([text]).unwrap_err();
            assert!(
                matches!(e, Error::Parameter { .. }) && e.to_string().contains(hint),
                "{text}: {e}"
            );
        }
    }

    #[test]
    fn the_template_is_a_configuration() {
        let table: Table = template().parse().unwrap();
        check(&table).unwrap();
        assert_eq!(table["dq_init"]["skip"].as_bool(), Some(false));
    }
}
