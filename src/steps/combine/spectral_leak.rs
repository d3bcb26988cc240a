//! # spectral_leak: removes second-order light from spectra of channel 3
//!
//! ## What
//! Subtracts from the spectrum of channel 3 SHORT what leaks into it from channel 1 MEDIUM.
//!
//! ## Why
//! The dichroics let some light of 6 micron pass, which the grating of channel 3 throws in second order on its
//! 12 micron.
//!
//! ## Algorithm
//! 1. Of the spectra, that of channel 1 MEDIUM and that of channel 3 SHORT are taken, or those of these channels in
//!    several bands that cover 6 and 12 micron; where there are several such, the last.
//! 2. The leak at a wavelength is the flux at half of it times the fraction of the reference there, both drawn as
//!    straight lines between their points and constant beyond them.
//! 3. It is subtracted from the flux, and likewise from the flux without residual fringes.
//!
//! ## Parameters
//! None.
//!
//! ## Reference files
//! `mrsptcorr` (its table `LEAKCOR`).
//!
//! ## Skipped when
//! any of the spectra is of an extended source; those of channels 1 MEDIUM and 3 SHORT are not both there; no
//! reference applies.
//!
//! ## Differs from jwst
//! `S_SPLEAK` is set in all spectra of the set; calwebb sets it to COMPLETE in the corrected one only.
//!
//! ## References
//! jwst 3.0.0 `spectral_leak`; Gasman et al. 2023, A&A 673, A102.

use std::path::Path;

use crate::exec::Exec;
use crate::formats::fits::Table;
use crate::math::interpolate::linear;
use crate::model::reference::RefFits;
use crate::model::{Spectra, Spectrum};
use crate::steps::step::{Info, RefPaths, Reference, Step, Target};
use crate::{Error, Result};

crate::params! {
    /// Parameters of spectral_leak: none.
    pub struct SpectralLeakParams {}
}

/// The step.
pub struct SpectralLeak;

/// Fraction of the light of half a wavelength (micron) that leaks.
#[derive(Debug)]
pub struct Leak {
    wavelength: Vec<f64>,
    fraction: Vec<f64>,
}

impl Leak {
    fn read(path: &Path) -> Result<Self> {
        let file = RefFits::open("mrsptcorr", path)?;
        let table = file.table("LEAKCOR")?;
        // calwebb reads both in single precision
        let column = |name: &str| -> Result<Vec<f64>> {
            let values = table
                .column_numbers(name)
                .ok_or_else(|| file.error(format!("LEAKCOR has no column {name} of numbers")))?;
            Ok(values.into_iter().map(|v| f64::from(v as f32)).collect())
        };
        let leak = Self {
            wavelength: column("WAVELENGTH")?,
            fraction: column("FRAC_LEAK")?,
        };
        if leak.wavelength.is_empty() || leak.wavelength.windows(2).any(|w| w[0] >= w[1]) {
            return Err(file.error("the wavelengths of LEAKCOR do not rise"));
        }
        Ok(leak)
    }
}

/// Where light leaks from and to, micron.
const FROM: f64 = 6.0;
const TO: f64 = 12.0;

impl Step for SpectralLeak {
    const INFO: Info = Info {
        name: "spectral_leak",
        class: "SpectralLeakStep",
        keyword: "S_SPLEAK",
        title: "MRS spectral leak",
        skip: false,
        references: &[Reference {
            kind: "mrsptcorr",
            required: true,
        }],
    };
    const SOURCE: &'static str = include_str!("spectral_leak.rs");
    type In = Spectra;
    type Out = Spectra;
    type Params = SpectralLeakParams;
    type Refs = Leak;

    fn not_applicable(input: &Spectra, _: &Self::Params) -> Result<Option<String>> {
        if input.0.iter().any(is_extended) {
            return Ok(Some("the source is extended".into()));
        }
        Ok(match find(input) {
            Some(_) => None,
            None => {
                Some("there are no spectra of both channel 1 MEDIUM and channel 3 SHORT".into())
            }
        })
    }

    fn load(paths: &RefPaths, _: &Target, _: &Self::Params) -> Result<Leak> {
        Leak::read(paths.need("mrsptcorr")?)
    }

    fn run(mut input: Spectra, leak: &Leak, _: &Self::Params, _: &Exec) -> Result<Spectra> {
        let Some((from, to)) = find(&input) else {
            return Ok(input);
        };
        let both = |name: &str| {
            Ok::<_, Error>((column(&input.0[from], name)?, column(&input.0[to], name)?))
        };
        let (source_waves, waves) = both("WAVELENGTH")?;
        let defringed = [from, to]
            .iter()
            .all(|i| input.0[*i].model == "MRSMultiSpecModel");
        let names: &[&str] = match defringed {
            true => &["FLUX", "RF_FLUX"],
            false => &["FLUX"],
        };
        let mut corrected = Vec::new();
        for name in names {
            let (source, mut flux) = both(name)?;
            subtract(leak, (&source_waves, &source), (&waves, &mut flux));
            corrected.push((name, flux));
        }
        let spectrum = &mut input.0[to];
        let source = spectrum.meta.source.clone();
        let table = spectrum.tables.first_mut();
        let set = table.is_some_and(|(_, table)| {
            corrected
                .iter()
                .all(|(name, flux)| table.set_numbers(name, flux))
        });
        if !set {
            return Err(Error::input_file(
                source,
                "the flux of EXTRACT1D is not in floating-point numbers, one a row",
            ));
        }
        Ok(input)
    }
}

/// Subtracts what leaks from one spectrum (wavelengths in micron, flux) to the other.
fn subtract(leak: &Leak, from: (&[f64], &[f64]), to: (&[f64], &mut [f64])) {
    let doubled: Vec<f64> = from.0.iter().map(|w| 2.0 * w).collect();
    for (wave, flux) in to.0.iter().zip(to.1) {
        *flux -= linear(*wave, &doubled, from.1) * linear(*wave, &leak.wavelength, &leak.fraction);
    }
}

fn is_extended(spectrum: &Spectrum) -> bool {
    let header = spectrum.tables.first().map(|(header, _)| header);
    header.and_then(|h| h.str("SRCTYPE")) == Some("EXTENDED")
}

/// Places of the spectra light leaks from and to.
fn find(spectra: &Spectra) -> Option<(usize, usize)> {
    let of = |channel: char, band: &str, wave: f64| {
        spectra.0.iter().rposition(|s| {
            let text = |keyword: &str| s.meta.str(keyword).unwrap_or("");
            text("CHANNEL").contains(channel)
                && (text("BAND").contains(band)
                    || text("BAND").contains("MULTIPLE") && covers(s, wave))
        })
    };
    Some((of('1', "MEDIUM", FROM)?, of('3', "SHORT", TO)?))
}

fn covers(spectrum: &Spectrum, wave: f64) -> bool {
    let Ok(waves) = column(spectrum, "WAVELENGTH") else {
        return false;
    };
    let (low, high) = waves
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), w| {
            (low.min(*w), high.max(*w))
        });
    low < wave && wave < high
}

fn column(spectrum: &Spectrum, name: &str) -> Result<Vec<f64>> {
    let table = spectrum.tables.first().map(|(_, table)| table);
    table
        .and_then(|t: &Table| t.column_numbers(name))
        .ok_or_else(|| {
            Error::input_file(
                &spectrum.meta.source,
                format!("its table EXTRACT1D has no column {name} of numbers"),
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::fits::TableBuilder;
    use crate::model::Meta;

    fn spectrum(channel: &str, band: &str, kind: &str, waves: &[f64], flux: &[f64]) -> Spectrum {
        let mut meta = Meta::default();
        meta.primary.set("CHANNEL", channel, "");
        meta.primary.set("BAND", band, "");
        let (mut header, table) = TableBuilder::new(waves.len())
            .f64("WAVELENGTH", waves)
            .f64("FLUX", flux)
            .f64("RF_FLUX", &flux.iter().map(|f| 2.0 * f).collect::<Vec<_>>())
            .build("EXTRACT1D");
        header.set("SRCTYPE", kind, "");
        Spectrum {
            meta,
            label: String::new(),
            model: "MRSMultiSpecModel",
            tables: vec![(header, table)],
            extra: Vec::new(),
        }
    }

    fn leak() -> Leak {
        Leak {
            wavelength: vec![11.0, 13.0],
            fraction: vec![0.0, 0.2],
        }
    }

    fn done(spectra: Vec<Spectrum>) -> Spectra {
        let exec = Exec::new(Some(1)).unwrap();
        SpectralLeak::run(Spectra(spectra), &leak(), &Default::default(), &exec).unwrap()
    }

    #[test]
    fn half_the_wavelength_leaks() {
        let out = done(vec![
            spectrum("3", "SHORT", "POINT", &[11.0, 12.0, 13.0], &[10.0; 3]),
            spectrum("1", "MEDIUM", "POINT", &[5.0, 6.0], &[2.0, 4.0]),
        ]);
        // at 12 micron a tenth of 4, at 13 a fifth of the last point, 4
        assert_eq!(column(&out.0[0], "FLUX").unwrap(), [10.0, 9.6, 9.2]);
        assert_eq!(column(&out.0[0], "RF_FLUX").unwrap(), [20.0, 19.2, 18.4]);
        assert_eq!(column(&out.0[1], "FLUX").unwrap(), [2.0, 4.0]);
    }

    #[test]
    fn channels_of_several_bands_must_cover_the_leak() {
        let waves = |a: f64| [a - 1.0, a + 1.0];
        let make = |one: f64, three: f64| {
            Spectra(vec![
                spectrum("1", "MULTIPLE", "POINT", &waves(one), &[1.0; 2]),
                spectrum("2", "MULTIPLE", "POINT", &waves(9.0), &[1.0; 2]),
                spectrum("3", "MULTIPLE", "POINT", &waves(three), &[1.0; 2]),
            ])
        };
        assert_eq!(find(&make(6.5, 12.5)), Some((0, 2)));
        assert_eq!(find(&make(4.5, 12.5)), None);
        assert_eq!(find(&make(6.5, 15.0)), None);
        let not = SpectralLeak::not_applicable(&make(6.5, 15.0), &Default::default()).unwrap();
        assert!(not.unwrap().contains("MEDIUM"));
    }

    #[test]
    fn extended_sources_stay() {
        let spectra = Spectra(vec![
            spectrum("1", "MEDIUM", "POINT", &[6.0], &[1.0]),
            spectrum("3", "SHORT", "EXTENDED", &[12.0], &[1.0]),
        ]);
        let not = SpectralLeak::not_applicable(&spectra, &Default::default()).unwrap();
        assert!(not.unwrap().contains("extended"));
    }
}
