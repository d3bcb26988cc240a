//! The layers hold: a module uses its own and lower layers only; threads start in one place only.

use std::path::{Path, PathBuf};

/// Layer of a top-level module.
fn layer(module: &str) -> Option<u8> {
    Some(match module {
        "error" | "Error" | "Result" | "CALWEBB" | "exec" | "formats" | "math" | "params" => 1,
        "model" => 2,
        "wcs" | "nav" => 3,
        "steps" => 4,
        "store" => 5,
        "pipeline" | "view" | "flatgen" | "zonal" | "simulate" => 6,
        "cli" => 7,
        _ => return None,
    })
}

fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("src is readable") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// Top-level modules that code names: `crate::x`, and `crate::{x, y::z}`.
fn named(code: &str) -> Vec<String> {
    let mut out = Vec::new();
    for part in code.split("crate::").skip(1) {
        let Some(list) = part.strip_prefix('{') else {
            out.push(word(part));
            continue;
        };
        let mut depth = 0;
        let mut item = String::new();
        for c in list.chars() {
            match c {
                '}' if depth == 0 => break,
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => out.push(word(std::mem::take(&mut item).trim())),
                _ if depth == 0 => item.push(c),
                _ => {}
            }
        }
        out.push(word(item.trim()));
    }
    out.retain(|w| !w.is_empty());
    out
}

fn word(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

#[test]
fn no_module_uses_a_higher_layer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut bad = Vec::new();
    for file in &files {
        let relative = file.strip_prefix(&root).expect("under src");
        let first = relative.components().next().expect("a name");
        let first = first.as_os_str().to_string_lossy().into_owned();
        let module = first.trim_end_matches(".rs");
        if matches!(module, "lib" | "main") {
            continue;
        }
        let own = layer(module)
            .unwrap_or_else(|| panic!("{module} has no layer; give it one here and in lib.rs"));
        let text = std::fs::read_to_string(file).expect("readable");
        // `use` items may run over several lines
        let lines = text.lines().map(|l| l.split("//").next().unwrap_or(""));
        let code: String = lines.collect::<Vec<_>>().join(" ");
        for used in named(&code) {
            match layer(&used) {
                Some(l) if l <= own => {}
                Some(l) => {
                    bad.push(format!(
                        "{}: layer {own} uses crate::{used}, layer {l}",
                        relative.display()
                    ));
                }
                None => bad.push(format!(
                    "{}: crate::{used} has no layer",
                    relative.display()
                )),
            }
        }
        if first != "exec.rs" {
            for word in ["rayon::", "thread::spawn", "thread::scope", "ThreadPool"] {
                if code.contains(word) {
                    bad.push(format!(
                        "{}: starts threads ({word}); only exec.rs may",
                        relative.display()
                    ));
                }
            }
        }
    }
    assert!(files.len() > 20, "the walk found the sources");
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn the_check_sees_what_code_names() {
    assert_eq!(named("use crate::cli::main;"), ["cli"]);
    assert_eq!(
        named("use crate::{Error, steps::{a, b}, model};"),
        ["Error", "steps", "model"]
    );
    assert!(layer("cli") > layer("steps"));
}
