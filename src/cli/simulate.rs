//! `sifu simulate`: synthetic observations with their reference files.

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use indicatif::ProgressBar;
use tracing::info;

use super::setup::Global;
use crate::simulate::nirspec::{self, Mode};
use crate::simulate::{self, Options, Summary, simulate_miri, simulate_nirspec};
use crate::{Error, Result};

/// Make a synthetic observation and the CRDS cache that reduces it.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    instrument: Instrument,
}

#[derive(Debug, Subcommand)]
enum Instrument {
    Miri(Miri),
    Nirspec(Nirspec),
}

/// MIRI medium-resolution spectroscopy of a planet: DIR/stage0/*_uncal.fits, DIR/crds, DIR/truth.
///
/// The same options give the same bytes on every machine.
#[derive(Debug, clap::Args)]
struct Miri {
    /// Folder to fill: new or empty.
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Grating settings, one after another.
    #[arg(
        long,
        value_enum,
        ignore_case = true,
        value_delimiter = ',',
        default_value = "SHORT"
    )]
    band: Vec<Band>,
    /// Detectors to write.
    #[arg(
        long,
        value_enum,
        ignore_case = true,
        value_delimiter = ',',
        default_values = ["MIRIFUSHORT", "MIRIFULONG"]
    )]
    detectors: Vec<Detector>,
    /// Groups in an integration (1 to 100).
    #[arg(long, value_name = "N", default_value_t = 6)]
    groups: usize,
    /// Integrations in an exposure (1 to 50).
    #[arg(long, value_name = "N", default_value_t = 2)]
    ints: usize,
    /// Dither positions (1 to 4).
    #[arg(long, value_name = "N", default_value_t = 2)]
    dithers: usize,
    /// Readout pattern.
    #[arg(long, value_enum, ignore_case = true, default_value = "FASTR1")]
    readpatt: Pattern,
    /// Factor on the planet's brightness; larger values saturate earlier.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    brightness: f64,
    /// Also observe empty sky, into DIR/background/stage0.
    #[arg(long)]
    background: bool,
    /// Leave out the noise-free count rates of DIR/truth.
    #[arg(long)]
    no_truth: bool,
}

/// NIRSpec integral-field spectroscopy of a planet: DIR/stage0/*_uncal.fits, DIR/crds, DIR/truth.
///
/// The same options give the same bytes on every machine. Detectors on which a grating puts no light (NRS2
/// with the prism and the medium-resolution gratings) are left out.
#[derive(Debug, clap::Args)]
struct Nirspec {
    /// Folder to fill: new or empty.
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Gratings, one after another.
    #[arg(
        long,
        value_enum,
        ignore_case = true,
        value_delimiter = ',',
        default_value = "G395H"
    )]
    grating: Vec<Grating>,
    /// Filter; without it the usual one of each grating (F100LP with G140H and G140M).
    #[arg(long, value_enum, ignore_case = true)]
    filter: Option<Filter>,
    /// Detectors to write.
    #[arg(
        long,
        value_enum,
        ignore_case = true,
        value_delimiter = ',',
        default_values = ["NRS1", "NRS2"]
    )]
    detectors: Vec<NirspecDetector>,
    /// Groups in an integration (1 to 100).
    #[arg(long, value_name = "N", default_value_t = 5)]
    groups: usize,
    /// Integrations in an exposure (1 to 50).
    #[arg(long, value_name = "N", default_value_t = 1)]
    ints: usize,
    /// Dither positions (1 to 8).
    #[arg(long, value_name = "N", default_value_t = 2)]
    dithers: usize,
    /// Readout pattern; those of IRS2 have interleaved reference pixels.
    #[arg(long, value_enum, ignore_case = true, default_value = "NRSRAPID")]
    readpatt: NirspecPattern,
    /// Factor on the planet's brightness; larger values saturate earlier.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    brightness: f64,
    /// Also observe empty sky, into DIR/background/stage0.
    #[arg(long)]
    background: bool,
    /// Leave out the noise-free count rates of DIR/truth.
    #[arg(long)]
    no_truth: bool,
}

macro_rules! choices {
    ($(#[$doc:meta])* $name:ident: $of:ty { $($label:literal => $variant:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, ValueEnum)]
        enum $name {
            $(#[value(name = $label)] $variant,)*
        }
        impl From<$name> for $of {
            fn from(v: $name) -> Self {
                match v { $($name::$variant => Self::$variant,)* }
            }
        }
    };
}

choices!(
    /// Grating setting as the keyword `BAND` writes it.
    Band: simulate::Band { "SHORT" => Short, "MEDIUM" => Medium, "LONG" => Long, }
);
choices!(
    /// Detector as the keyword `DETECTOR` writes it.
    Detector: simulate::Detector { "MIRIFUSHORT" => IfuShort, "MIRIFULONG" => IfuLong, }
);
choices!(
    /// Readout pattern as the keyword `READPATT` writes it.
    Pattern: simulate::ReadPattern { "FASTR1" => FastR1, "SLOWR1" => SlowR1, }
);

choices!(
    /// Detector as the keyword `DETECTOR` writes it.
    NirspecDetector: nirspec::Detector { "NRS1" => Nrs1, "NRS2" => Nrs2, }
);
choices!(
    /// Readout pattern as the keyword `READPATT` writes it.
    NirspecPattern: nirspec::ReadPattern {
        "NRSRAPID" => NrsRapid,
        "NRS" => Nrs,
        "NRSIRS2RAPID" => NrsIrs2Rapid,
        "NRSIRS2" => NrsIrs2,
    }
);
choices!(
    /// Grating or prism as the keyword `GRATING` writes it.
    Grating: nirspec::Grating {
        "PRISM" => Prism,
        "G140M" => G140m,
        "G235M" => G235m,
        "G395M" => G395m,
        "G140H" => G140h,
        "G235H" => G235h,
        "G395H" => G395h,
    }
);
choices!(
    /// Filter as the keyword `FILTER` writes it.
    Filter: nirspec::Filter {
        "CLEAR" => Clear,
        "F070LP" => F070lp,
        "F100LP" => F100lp,
        "F170LP" => F170lp,
        "F290LP" => F290lp,
    }
);

/// Runs the command.
///
/// # Errors
/// [`Error::Parameter`] for bad options or a folder in use, [`Error::Io`] where writing fails.
pub fn run(args: &Args, global: &Global) -> Result<u8> {
    let (out, summary) = match &args.instrument {
        Instrument::Miri(miri) => (&miri.out, miri.simulate(global)?),
        Instrument::Nirspec(nirspec) => (&nirspec.out, nirspec.simulate(global)?),
    };
    super::print(&format!(
        "{} exposures in {}\n{} reference files in {} (context {})\n",
        summary.science.len() + summary.background.len(),
        out.join("stage0").display(),
        summary.references,
        summary.crds.display(),
        summary.context
    ))?;
    Ok(0)
}

impl Miri {
    fn simulate(&self, global: &Global) -> Result<Summary> {
        let mut options = Options {
            seed: self.seed,
            bands: self.band.iter().map(|b| (*b).into()).collect(),
            detectors: self.detectors.iter().map(|d| (*d).into()).collect(),
            groups: self.groups,
            integrations: self.ints,
            dithers: self.dithers,
            pattern: self.readpatt.into(),
            brightness: self.brightness,
            background: self.background,
            truth: !self.no_truth,
        };
        options.bands.sort();
        options.bands.dedup();
        options.detectors.sort();
        options.detectors.dedup();
        options.check()?;
        fresh(&self.out)?;
        with_progress(global, |say| {
            simulate_miri(&options, &self.out, &global.exec()?, say)
        })
    }
}

impl Nirspec {
    fn simulate(&self, global: &Global) -> Result<Summary> {
        let mut gratings: Vec<nirspec::Grating> =
            self.grating.iter().map(|g| (*g).into()).collect();
        gratings.sort();
        gratings.dedup();
        let filter = self.filter.map(nirspec::Filter::from);
        let modes = gratings.into_iter().map(|g| Mode::of(g, filter));
        let mut options = nirspec::Options {
            seed: self.seed,
            detectors: self.detectors.iter().map(|d| (*d).into()).collect(),
            groups: self.groups,
            integrations: self.ints,
            dithers: self.dithers,
            pattern: self.readpatt.into(),
            brightness: self.brightness,
            background: self.background,
            truth: !self.no_truth,
            ..nirspec::Options::new(modes.collect::<Result<_>>()?)
        };
        options.detectors.sort();
        options.detectors.dedup();
        options.check()?;
        fresh(&self.out)?;
        with_progress(global, |say| {
            simulate_nirspec(&options, &self.out, &global.exec()?, say)
        })
    }
}

/// Checks that a folder is new or empty.
///
/// # Errors
/// [`Error::Parameter`] where it is neither.
pub fn fresh(folder: &Path) -> Result<()> {
    let used = match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => false,
        Err(e) => return Err(Error::io(folder, e)),
    };
    if used {
        let name = folder.display();
        return Err(Error::parameter(format!(
            "{name} is not empty; name a new folder, or empty this one"
        )));
    }
    Ok(())
}

/// Runs `work` with a progress line on a terminal, or log lines elsewhere.
///
/// # Errors
/// What `work` returns.
pub fn with_progress<T>(
    global: &Global,
    work: impl FnOnce(&(dyn Fn(&str) + Sync)) -> Result<T>,
) -> Result<T> {
    let bar = if global.progress() {
        ProgressBar::new_spinner()
    } else {
        ProgressBar::hidden()
    };
    let done = work(&|text| {
        info!("simulating {text}");
        bar.set_message(format!("simulating {text}"));
        bar.tick();
    });
    bar.finish_and_clear();
    done
}
