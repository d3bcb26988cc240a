//! `sifu describe`: the manual of steps and backplanes, from their documentation.

use crate::nav::planes;
use crate::steps::step::AnyStep;
use crate::{Error, Result, steps};

/// List the steps, or print the manual of one; `planes` for that of the backplanes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The step, or `planes`.
    step: Option<String>,
    /// All of the manual, every step and the backplanes, as one Markdown document.
    #[arg(long, conflicts_with = "step")]
    markdown: bool,
}

/// Runs the command.
///
/// # Errors
/// [`Error::Parameter`] for a step that does not exist.
pub fn run(args: &Args) -> Result<u8> {
    let text = match args.step.as_deref() {
        None if args.markdown => markdown(),
        None => list(),
        Some("planes") => planes::manual(),
        Some(name) => of_step(steps::find(name).ok_or_else(|| {
            let names: Vec<_> = steps::ALL.iter().map(|s| s.info().name).collect();
            Error::parameter(format!(
                "there is no step {name}; steps are {}",
                names.join(", ")
            ))
        })?),
    };
    super::print(&text)?;
    Ok(0)
}

/// What a step does, in a line.
fn line(step: &dyn AnyStep) -> String {
    let docs = step.docs();
    let what = docs.lines().next().and_then(|l| l.split_once(": "));
    let what = what.map_or(step.info().title, |(_, what)| what);
    let off = if step.info().skip {
        " (off by default)"
    } else {
        ""
    };
    format!("{what}{off}")
}

/// Every step, a line each.
fn list() -> String {
    let each = |s: &&dyn AnyStep| format!("{:<20} {}\n", s.info().name, line(*s));
    steps::ALL.iter().map(each).collect()
}

/// A step's manual.
fn of_step(step: &dyn AnyStep) -> String {
    let mut text = step.docs();
    text.push_str("\n\n## Parameters with defaults\n");
    let skip = step.info().skip;
    text.push_str(&format!("- `skip` = {skip}: turn the step off.\n"));
    for f in step.fields() {
        let default = f.default.map_or_else(|| "unset".into(), |d| d.to_string());
        text.push_str(&format!("- `{}` = {default}: {}\n", f.name, f.doc));
    }
    text
}

/// The whole manual: contents, steps, backplanes.
fn markdown() -> String {
    let mut text = String::from(
        "# sifu's manual\n\nMade from the documentation of the code by `sifu describe --markdown`.\n\n",
    );
    for step in steps::ALL {
        let name = step.info().name;
        text.push_str(&format!("- [{name}](#{name}): {}\n", line(*step)));
    }
    text.push_str("- [Backplanes](#backplanes)\n");
    for step in steps::ALL {
        let manual = of_step(*step);
        // its title is in the contents and in the heading
        let (_, rest) = manual.split_once('\n').unwrap_or_default();
        let (name, what) = (step.info().name, line(*step));
        text.push_str(&format!(
            "\n## {name}\n\n*{what}*\n\n{}",
            demoted(rest.trim_start())
        ));
    }
    text.push_str(&format!(
        "\n## Backplanes\n\n{}",
        demoted(&planes::manual())
    ));
    text
}

/// Headings one level lower, each with an empty line before and behind it.
fn demoted(manual: &str) -> String {
    let mut out = String::new();
    let mut code = false;
    for line in manual.lines() {
        code ^= line.starts_with("```");
        let heading = !code && line.starts_with('#');
        if heading && !out.is_empty() && !out.ends_with("\n\n") {
            out.push('\n');
        }
        if heading {
            out.push_str(&format!("#{line}\n\n"));
        } else if !(line.is_empty() && out.ends_with("\n\n")) {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}
