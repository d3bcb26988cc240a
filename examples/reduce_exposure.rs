//! Reduces one exposure with the library: a raw exposure (simulated here) to count rates and to a calibrated image.
//!
//! `cargo run --release --example reduce_exposure -- DIR` fills DIR, which must be new or empty.

use std::path::PathBuf;

use sifu::exec::Exec;
use sifu::pipeline::recipe::{detector1, spec2};
use sifu::pipeline::settings::Settings;
use sifu::simulate::{Detector, Options, simulate_miri};
use sifu::store::references::{CrdsReferences, Overrides};
use sifu::{Error, Result};

fn main() -> Result<()> {
    let folder = std::env::args().nth(1).map(PathBuf::from);
    let folder = folder.ok_or_else(|| Error::parameter("name a folder to fill"))?;
    let exec = Exec::new(None)?;
    let options = Options {
        detectors: vec![Detector::IfuShort],
        dithers: 1,
        ..Options::default()
    };
    let made = simulate_miri(&options, &folder, &exec, &|_| {})?;
    let references =
        CrdsReferences::new(Some(&made.crds), Some(&made.context), Overrides::default())?;
    // any parameter of any step
    let settings = Settings::default().assignments(["jump.rejection_threshold=5"])?;
    let progress = |step: &str| println!("  {step}");
    for raw in &made.science {
        println!("{}", raw.display());
        let stage1 = folder.join("stage1");
        std::fs::create_dir_all(&stage1).map_err(|e| Error::io(&stage1, e))?;
        let outputs = detector1::Options {
            out: stage1,
            save_intermediates: false,
            memory: 4_000_000_000,
        };
        let rates = detector1::detector1(raw, &settings, &references, &exec, &outputs, &progress)?;
        let stage2 = folder.join("stage2");
        std::fs::create_dir_all(&stage2).map_err(|e| Error::io(&stage2, e))?;
        let outputs = spec2::Options {
            out: stage2,
            save_intermediates: false,
        };
        let job = spec2::Job::alone(&rates.products[0], &[]);
        let done = spec2::spec2(&job, &settings, &references, &exec, &outputs, &progress)?;
        for product in done.products {
            println!("made {}", product.display());
        }
    }
    Ok(())
}
