//! The manual, the manual pages and the completions.

use std::path::Path;

use crate::common::sifu;

fn printed(args: &[&str]) -> String {
    let done = sifu(args, &[]);
    assert_eq!(done.status.code(), Some(0), "{args:?}");
    String::from_utf8(done.stdout).expect("text")
}

#[test]
fn the_manual_that_lies_in_the_project_is_that_of_the_program() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/MANUAL.md");
    let lies = std::fs::read_to_string(&here).unwrap_or_default();
    let made = printed(&["describe", "--markdown"]);
    assert!(
        lies == made,
        "{} is out of date: cargo run -- describe --markdown > .github/MANUAL.md",
        here.display()
    );
}

#[test]
fn the_manual_has_every_step_once_with_its_parameters() {
    let made = printed(&["describe", "--markdown"]);
    let of_level = |n: usize| {
        let mark = format!("{} ", "#".repeat(n));
        made.lines()
            .filter(move |l| l.starts_with(&mark))
            .map(move |l| &l[n + 1..])
    };
    let sections: Vec<&str> = of_level(2).collect();
    for step in sifu::steps::ALL {
        let name = step.info().name;
        assert_eq!(sections.iter().filter(|s| **s == name).count(), 1, "{name}");
        for field in step.fields() {
            assert!(made.contains(&format!("- `{}` = ", field.name)), "{name}");
        }
    }
    assert_eq!(sections.len(), sifu::steps::ALL.len() + 1);
    assert_eq!(of_level(1).count(), 1);
    assert!(sections.contains(&"Backplanes"));
}

#[test]
fn every_command_has_a_page() {
    let out = tempfile::tempdir().expect("folder");
    let folder = out.path().join("man1");
    printed(&["man", "-o", &folder.display().to_string()]);
    for name in ["sifu", "sifu-run", "sifu-navigate", "sifu-flat-build"] {
        let page = std::fs::read_to_string(folder.join(format!("{name}.1"))).expect(name);
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
        assert!(
            page.contains("\\-\\-threads") || name == "sifu-flat-build",
            "{page}"
        );
    }
    assert!(printed(&["man"]).contains(".SH SUBCOMMANDS"));
}

#[test]
fn shells_can_complete_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = printed(&["completions", shell]);
        assert!(script.contains("navigate") && script.contains("groups-to-use"));
    }
    assert_eq!(sifu(&["completions", "nosuch"], &[]).status.code(), Some(2));
}
