//! Meta-kernels: text kernels that list others in `KERNELS_TO_LOAD`.
//!
//! A string that ends in `+` goes on in the next one. `$NAME` stands for the value that
//! `PATH_SYMBOLS` and `PATH_VALUES` pair with NAME. A relative path is looked up from the working
//! folder, as SPICE does, then from the meta-kernel's own.

use std::path::{Path, PathBuf};

use super::text::{Assignment, Value};
use crate::{Error, Result};

/// Files that the assignments of the text kernel `path` ask for, in order; none for a kernel that is no
/// meta-kernel.
///
/// # Errors
/// [`Error::Format`] for symbols without values and lists that are not strings; [`Error::Reference`]
/// for a file that is in neither place.
pub fn kernels_to_load(path: &Path, assignments: &[Assignment]) -> Result<Vec<PathBuf>> {
    let list = strings(path, assignments, "KERNELS_TO_LOAD")?;
    if list.is_empty() {
        return Ok(Vec::new());
    }
    let symbols = strings(path, assignments, "PATH_SYMBOLS")?;
    let values = strings(path, assignments, "PATH_VALUES")?;
    if symbols.len() != values.len() {
        return Err(Error::format(
            path,
            format!(
                "has {} PATH_SYMBOLS and {} PATH_VALUES; give one value a symbol",
                symbols.len(),
                values.len()
            ),
        ));
    }
    let own = path.parent().unwrap_or(Path::new(""));
    list.iter()
        .map(|entry| {
            let name = expand(entry, &symbols, &values).ok_or_else(|| {
                Error::format(
                    path,
                    format!("{entry:?} uses a $ symbol that is not in PATH_SYMBOLS"),
                )
            })?;
            let name = PathBuf::from(name);
            let beside = own.join(&name);
            if name.exists() {
                Ok(name)
            } else if beside.exists() {
                Ok(beside)
            } else {
                Err(Error::reference(format!(
                    "{}: asks for the kernel {}, which is not there{}; fetch it, or correct \
                     KERNELS_TO_LOAD or PATH_VALUES",
                    path.display(),
                    name.display(),
                    if name.is_absolute() {
                        ""
                    } else {
                        " (neither from the working folder nor beside the meta-kernel)"
                    }
                )))
            }
        })
        .collect()
}

/// Strings of a variable, its assignments taken together, continued ones joined.
fn strings(path: &Path, assignments: &[Assignment], name: &str) -> Result<Vec<String>> {
    let mut all: Vec<String> = Vec::new();
    for a in assignments.iter().filter(|a| a.name == name) {
        let Value::Texts(texts) = &a.value else {
            return Err(Error::format(
                path,
                format!("line {}: {name} has to be a list of quoted strings", a.line),
            ));
        };
        if !a.append {
            all.clear();
        }
        all.extend_from_slice(texts);
    }
    let mut out: Vec<String> = Vec::new();
    let mut open = false;
    for text in all {
        let text = text.trim();
        let (part, goes_on) = match text.strip_suffix('+') {
            Some(part) => (part, true),
            None => (text, false),
        };
        match out.last_mut() {
            Some(last) if open => last.push_str(part),
            _ => out.push(part.into()),
        }
        open = goes_on;
    }
    Ok(out)
}

/// `$NAME` by value; the longest symbol that fits.
fn expand(entry: &str, symbols: &[String], values: &[String]) -> Option<String> {
    let mut out = String::new();
    let mut rest = entry;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (symbol, value) = symbols
            .iter()
            .zip(values)
            .filter(|(s, _)| !s.is_empty() && after.starts_with(s.as_str()))
            .max_by_key(|(s, _)| s.len())?;
        out.push_str(value);
        rest = &after[symbol.len()..];
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::super::parse_text;
    use super::*;

    fn list(text: &str, path: &Path) -> Result<Vec<PathBuf>> {
        let all = parse_text(path, format!("KPL/MK\n\\begindata\n{text}").as_bytes())?;
        kernels_to_load(path, &all)
    }

    #[test]
    fn symbols_continuations_and_places() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("spk")).expect("made");
        for name in ["spk/a.bsp", "b.tls"] {
            std::fs::write(folder.path().join(name), "").expect("written");
        }
        let mk = folder.path().join("all.tm");
        let own = folder.path().display();
        let text = format!(
            "PATH_SYMBOLS = ( 'K' 'KX' )\nPATH_VALUES = ( '{own}' 'spk' )\n\
             KERNELS_TO_LOAD = ( '$K/sp+' 'k/a.bsp' )\nKERNELS_TO_LOAD += ( 'b.tls' '$KX/a.bsp' )"
        );
        assert_eq!(
            list(&text, &mk).expect("found"),
            [
                folder.path().join("spk/a.bsp"),
                folder.path().join("b.tls"),
                folder.path().join("spk/a.bsp")
            ]
        );
        for (text, what) in [
            ("KERNELS_TO_LOAD = '$Z/a.bsp'", "PATH_SYMBOLS"),
            (
                "PATH_SYMBOLS = 'K'\nKERNELS_TO_LOAD = 'b.tls'",
                "one value a symbol",
            ),
            ("KERNELS_TO_LOAD = 5", "quoted strings"),
            ("KERNELS_TO_LOAD = 'c.bsp'", "not there"),
        ] {
            let error = list(text, &mk).expect_err(text).to_string();
            assert!(error.contains(what) && error.contains("all.tm"), "{error}");
        }
        assert!(list("A = 1", &mk).expect("none").is_empty());
    }
}
