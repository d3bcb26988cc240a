//! Independent pieces of work one after the other, or several at a time: a progress line, a failure that does not stop the
//! others, a summary and an exit code.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use tracing::{error, info};

use super::PARTLY;
use super::setup::Global;
use crate::exec::{Exec, Piece};
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
    let bar = bar(items.len(), global);
    let mut failed = Vec::new();
    for item in items {
        match one(&bar, &name(item), |step| work(item, step)) {
            Ok(()) => {}
            Err(e) if items.len() == 1 || matches!(e, Error::Interrupted) => {
                bar.finish_and_clear();
                return Err(e);
            }
            Err(e) => failed.push(e),
        }
    }
    bar.finish_and_clear();
    Ok(summary(&failed, items.len(), what))
}

/// As [`run`], as many items at a time as there are threads: for work on one item that is mostly reading and writing.
///
/// # Errors
/// As [`run`].
pub fn run_at_once<T: Sync>(
    items: &[T],
    what: &str,
    global: &Global,
    exec: &Exec,
    name: impl Fn(&T) -> String + Sync,
    work: impl Fn(&T, &dyn Fn(&str)) -> Result<()> + Sync,
) -> Result<u8> {
    let bar = bar(items.len(), global);
    let pieces = vec![Piece::default(); items.len()];
    let results = exec.graph(&pieces, u64::MAX, |i| {
        exec.check()?;
        one(&bar, &name(&items[i]), |step| work(&items[i], step))
    });
    bar.finish_and_clear();
    let mut failed: Vec<Error> = results.into_iter().filter_map(Result::err).collect();
    let ends = |e: &Error| items.len() == 1 || matches!(e, Error::Interrupted);
    match failed.iter().position(ends) {
        Some(i) => Err(failed.swap_remove(i)),
        None => Ok(summary(&failed, items.len(), what)),
    }
}

/// The progress line of some items.
fn bar(items: usize, global: &Global) -> ProgressBar {
    if !global.progress() {
        let hidden = ProgressBar::hidden();
        hidden.set_length(items as u64);
        return hidden;
    }
    ProgressBar::new(items as u64).with_style(
        ProgressStyle::with_template("{spinner} {pos}/{len} {wide_msg} {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    )
}

/// Does one item's work and says how it ended; an error that others of a batch outlive is said too.
fn one(
    bar: &ProgressBar,
    name: &str,
    work: impl FnOnce(&dyn Fn(&str)) -> Result<()>,
) -> Result<()> {
    let start = Instant::now();
    info!("{name}");
    let done = work(&|step| {
        bar.set_message(format!("{name}: {step}"));
        bar.tick();
    });
    bar.inc(1);
    match &done {
        Ok(()) => {
            let line = format!("{name}: done in {:.2} s", start.elapsed().as_secs_f64());
            bar.println(&line);
            info!("{line}");
        }
        Err(e) if bar.length() != Some(1) && !matches!(e, Error::Interrupted) => {
            bar.suspend(|| error!("{e}"));
        }
        Err(_) => {}
    }
    done
}

/// Says which failed; the exit code.
fn summary(failed: &[Error], items: usize, what: &str) -> u8 {
    if failed.is_empty() {
        return 0;
    }
    eprintln!("sifu: {} of {items} {what} failed:", failed.len());
    for e in failed {
        eprintln!("  {e}");
    }
    if failed.len() < items {
        PARTLY
    } else {
        failed[0].exit_code()
    }
}
