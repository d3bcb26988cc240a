//! Independent pieces of work one after the other: a progress line, a failure that does not stop the others, a
//! summary and an exit code.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use tracing::{error, info};

use super::PARTLY;
use super::setup::Global;
use crate::{Error, Result};

/// Does `work` on each item, which is told a function to report its steps to; `what` names the items in the summary, as
/// in `exposures`.
///
/// # Errors
/// Where the work was interrupted, or the only item failed.
pub fn run<T>(
    items: &[T],
    what: &str,
    global: &Global,
    name: impl Fn(&T) -> String,
    work: impl Fn(&T, &dyn Fn(&str)) -> Result<()>,
) -> Result<u8> {
    let bar = if global.progress() {
        ProgressBar::new(items.len() as u64).with_style(
            ProgressStyle::with_template("{spinner} {pos}/{len} {wide_msg} {elapsed}")
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
        )
    } else {
        ProgressBar::hidden()
    };
    let mut failed = Vec::new();
    for item in items {
        let name = name(item);
        let start = Instant::now();
        info!("{name}");
        let done = work(item, &|step| {
            bar.set_message(format!("{name}: {step}"));
            bar.tick();
        });
        bar.inc(1);
        match done {
            Ok(()) => {
                let line = format!("{name}: done in {:.2} s", start.elapsed().as_secs_f64());
                bar.println(&line);
                info!("{line}");
            }
            Err(e) if items.len() == 1 || matches!(e, Error::Interrupted) => {
                bar.finish_and_clear();
                return Err(e);
            }
            Err(e) => {
                bar.suspend(|| error!("{e}"));
                failed.push(e);
            }
        }
    }
    bar.finish_and_clear();
    if failed.is_empty() {
        return Ok(0);
    }
    eprintln!("sifu: {} of {} {what} failed:", failed.len(), items.len());
    for e in &failed {
        eprintln!("  {e}");
    }
    Ok(if failed.len() < items.len() {
        PARTLY
    } else {
        failed[0].exit_code()
    })
}
