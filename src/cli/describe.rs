//! `sifu describe`: the manual of steps and backplanes, from their documentation.

use crate::{Error, Result, steps};

/// List the steps, or print the manual of one; `planes` for that of the backplanes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The step, or `planes`.
    step: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// [`Error::Parameter`] for a step that does not exist.
pub fn run(args: &Args) -> Result<u8> {
    let mut text = String::new();
    match &args.step {
        None => {
            for step in steps::ALL {
                let info = step.info();
                let docs = step.docs();
                let what = docs
                    .lines()
                    .next()
                    .and_then(|l| l.split_once(": "))
                    .map_or(info.title, |(_, w)| w);
                let off = if info.skip { " (off by default)" } else { "" };
                text.push_str(&format!("{:<20} {what}{off}\n", info.name));
            }
        }
        Some(name) if name == "planes" => text = crate::nav::planes::manual(),
        Some(name) => {
            let step = steps::find(name).ok_or_else(|| {
                let names: Vec<_> = steps::ALL.iter().map(|s| s.info().name).collect();
                Error::parameter(format!(
                    "there is no step {name}; steps are {}",
                    names.join(", ")
                ))
            })?;
            text = step.docs();
            text.push_str("\n\n## Parameters with defaults\n");
            text.push_str(&format!(
                "- `skip` = {}: turn the step off.\n",
                step.info().skip
            ));
            for f in step.fields() {
                let default = f.default.map_or_else(|| "unset".into(), |d| d.to_string());
                text.push_str(&format!("- `{}` = {default}: {}\n", f.name, f.doc));
            }
        }
    }
    super::print(&text)?;
    Ok(0)
}
