//! The program: one file a subcommand. Parses, sets up logging, threads and the stop signal, and
//! turns errors into messages and exit codes.

mod animate;
mod asn;
mod batch;
mod config;
mod demo;
mod describe;
mod detector1;
mod flat;
mod inputs;
mod inspect;
mod map;
mod memory;
mod navigate;
mod pages;
mod plot;
mod refs;
mod report;
mod run;
mod setup;
mod simulate;
mod spec2;
mod spec3;
mod spx;
mod step;
mod view;
mod wcs;
mod zonal;

use clap::{Parser, Subcommand};

use crate::Result;

/// Exit code for a run in which some exposures failed and some did not.
pub const PARTLY: u8 = 6;

/// Solar-system IFU toolkit: JWST MIRI/MRS raw exposures to calibrated products.
#[derive(Debug, Parser)]
#[command(name = "sifu", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: setup::Global,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 no valid science data, 2 usage, 3 bad input, 4 missing reference or \
kernel, 5 input/output error, 6 partly done (some exposures failed), 130 interrupted.";

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::Args>),
    Plan(Box<run::PlanArgs>),
    Detector1(detector1::Args),
    Spec2(spec2::Args),
    Spec3(spec3::Args),
    Navigate(navigate::Args),
    Map(map::Args),
    Plot(plot::Args),
    Report(report::Args),
    View(view::Args),
    Animate(animate::Args),
    Asn(asn::Args),
    Flat(flat::Args),
    Zonal(zonal::Args),
    Spx(spx::Args),
    Step(step::Args),
    Describe(describe::Args),
    Inspect(inspect::Args),
    Refs(refs::Args),
    Wcs(wcs::Args),
    Config(config::Args),
    Simulate(simulate::Args),
    Demo(demo::Args),
    Man(pages::Man),
    Completions(pages::Completions),
}

/// Runs the program with the process's arguments; returns its exit code. `keep_memory` is called before work for which the
/// allocator had better keep memory that is given back: on many files one after the other, or on large images.
pub fn main(keep_memory: &dyn Fn()) -> u8 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return u8::try_from(e.exit_code()).unwrap_or(2);
        }
    };
    match run(cli, keep_memory) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("sifu: {e}");
            e.exit_code()
        }
    }
}

fn run(cli: Cli, keep_memory: &dyn Fn()) -> Result<u8> {
    setup::logging(&cli.global)?;
    let keeps = match &cli.command {
        Command::Run(_) | Command::Demo(_) => true,
        Command::Detector1(args) => inputs::any_of_nirspec(&args.inputs),
        Command::Spec2(args) => inputs::any_of_nirspec(&args.inputs),
        Command::Spec3(args) => inputs::any_of_nirspec(&args.inputs),
        Command::Step(args) => inputs::any_of_nirspec(&args.files),
        _ => false,
    };
    if keeps {
        keep_memory();
    }
    match cli.command {
        Command::Run(args) => run::run(&args, &cli.global),
        Command::Plan(args) => run::plan(&args, &cli.global),
        Command::Detector1(args) => detector1::run(&args, &cli.global),
        Command::Spec2(args) => spec2::run(&args, &cli.global),
        Command::Spec3(args) => spec3::run(&args, &cli.global),
        Command::Navigate(args) => navigate::run(&args, &cli.global),
        Command::Map(args) => map::run(&args, &cli.global),
        Command::Plot(args) => plot::run(&args, &cli.global),
        Command::Report(args) => report::run(&args, &cli.global),
        Command::View(args) => view::run(&args),
        Command::Animate(args) => animate::run(&args, &cli.global),
        Command::Asn(args) => asn::run(&args),
        Command::Flat(args) => flat::run(&args, &cli.global),
        Command::Zonal(args) => zonal::run(&args, &cli.global),
        Command::Spx(args) => spx::run(&args),
        Command::Step(args) => step::run(&args, &cli.global),
        Command::Describe(args) => describe::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Refs(args) => refs::run(&args),
        Command::Wcs(args) => wcs::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Simulate(args) => simulate::run(&args, &cli.global),
        Command::Demo(args) => demo::run(&args, &cli.global),
        Command::Man(args) => pages::man(&args),
        Command::Completions(args) => pages::completions(&args),
    }
}

/// Prints to standard output; a reader that went away (as `| head` does) is no error.
fn print(text: &str) -> Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(crate::Error::io("standard output", e))
        }
        _ => Ok(()),
    }
}
