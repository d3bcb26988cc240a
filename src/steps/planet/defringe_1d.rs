//! # defringe_1d: correct each spaxel's spectrum for residual fringes
//!
//! ## What
//! Divides the spectrum of every spaxel by the residual fringes that are found in it.
//!
//! ## Why
//! MIRI's fringes depend on how the light falls into a slice, so that the fringe flat leaves some. What the correction on
//! the detector (residual_fringe) does not find, or where it is not used, is found in the spectra of the cube.
//!
//! ## Algorithm
//! calwebb's correction of extracted spectra (extract_1d's `ifu_rfcorr`, with its defaults) on the finite samples of each
//! spaxel, whatever their flags: a background spline, and sines added one by one in the order of a periodogram while
//! their Bayesian evidence grows; for channels 3 and 4 also those of the dichroics. A spaxel that cannot be fitted
//! stays as it is. ERR and DQ stay. Spaxels are worked on in parallel.
//!
//! The extension `FRINGE1D_CORRECTED` is 1 where the fit went through, also where it found nothing to correct.
//!
//! ## Parameters
//! `wavelength_ranges`: pairs of wavelengths in micron; samples outside all of them (ends belong to them) are not
//! used and stay, those inside are fitted together.
//!
//! ## Reference files
//! None.
//!
//! ## Skipped when
//! the instrument is not MIRI.
//!
//! ## Differs from jwst
//! jwst has no such step on cubes; the correction itself is its own, to the bit but for about one spaxel in a hundred, in
//! which the fit of sines of nearly the same frequency is so uncertain that the last bits of its sums matter: values there
//! are up to about 1e-6 apart. The reference pipeline does not know wavelengths that are a table (`WAVE-TAB`), and has the
//! sign of CRPIX3 wrong (1 in calwebb's cubes).
//!
//! ## References
//! King et al. (2023), doi:10.3847/2515-5172/ad045f (`defringe_1d`); jwst 3.0.0 `residual_fringe.fit_residual_fringes_1d`.

use super::note;
use crate::exec::Exec;
use crate::formats::fits::{Card, Data, Hdu, Header, Image};
use crate::model::Cube;
use crate::steps::spectral::residual_fringe::{Options, fit_1d};
use crate::steps::step::{Info, RefPaths, Step, Target};
use crate::{Error, Result};

crate::params! {
    /// Parameters of defringe_1d.
    pub struct Defringe1dParams {
        /// Wavelength ranges in micron to correct, as in [[5.0, 6.0], [7.5, 8.0]]; unset: all.
        wavelength_ranges: Option<Vec<(f64, f64)>> = None,
    }
}

/// Channel of a cube; none where it has several.
fn channel(cube: &Cube) -> Result<Option<u8>> {
    let text = cube.meta.need_str("CHANNEL")?.trim();
    let number: u32 = text.parse().map_err(|_| {
        Error::input_file(
            &cube.meta.source,
            format!("keyword CHANNEL = '{text}' is no number; defringe_1d needs a cube of MIRI"),
        )
    })?;
    Ok(u8::try_from(number).ok().filter(|n| (1..=4).contains(n)))
}

/// Corrects the finite samples of a spectrum where `used` says so; whether that went through.
pub fn correct(
    spectrum: &mut [f32],
    wavelengths: &[f64],
    used: &[bool],
    options: &Options,
) -> bool {
    let at: Vec<usize> = (0..spectrum.len())
        .filter(|i| used[*i] && spectrum[*i].is_finite())
        .collect();
    if at.is_empty() {
        return false;
    }
    let flux: Vec<f64> = at.iter().map(|i| f64::from(spectrum[*i])).collect();
    let waves: Vec<f64> = at.iter().map(|i| wavelengths[*i]).collect();
    let Ok(corrected) = fit_1d(&flux, &waves, options) else {
        return false;
    };
    for (i, v) in at.into_iter().zip(corrected) {
        spectrum[i] = v as f32;
    }
    true
}

/// The step.
pub struct Defringe1d;

impl Step for Defringe1d {
    const INFO: Info = Info {
        name: "defringe_1d",
        class: "Defringe1dStep",
        keyword: "",
        title: "Residual fringes of spaxels",
        skip: false,
        references: &[],
    };
    const SOURCE: &'static str = include_str!("defringe_1d.rs");
    type In = Cube;
    type Out = Cube;
    type Params = Defringe1dParams;
    type Refs = ();

    fn not_applicable(cube: &Cube, _: &Defringe1dParams) -> Result<Option<String>> {
        Ok((!cube.meta.is_miri()).then(|| "only MIRI has these fringes".into()))
    }

    fn load(_: &RefPaths, _: &Target, _: &Defringe1dParams) -> Result<()> {
        Ok(())
    }

    fn run(mut cube: Cube, (): &(), params: &Defringe1dParams, exec: &Exec) -> Result<Cube> {
        let wavelengths = cube.wavelengths()?;
        let number = channel(&cube)?;
        let used: Vec<bool> = match &params.wavelength_ranges {
            None => vec![true; cube.nz],
            Some(ranges) => {
                let inside = |w: &f64| ranges.iter().any(|(a, b)| (*a..=*b).contains(w));
                wavelengths.iter().map(inside).collect()
            }
        };
        let options = Options {
            channel: number,
            single: true,
            ..Options::default()
        };
        let plane = cube.plane();
        let sci = &cube.sci;
        let spaxels = exec.try_map((0..plane).collect(), |p: usize| {
            let mut spectrum: Vec<f32> = sci.iter().skip(p).step_by(plane).copied().collect();
            let done = correct(&mut spectrum, &wavelengths, &used, &options);
            Ok(done.then_some(spectrum))
        })?;
        for (p, spectrum) in spaxels.iter().enumerate() {
            let values = cube.sci.iter_mut().skip(p).step_by(plane);
            for (to, v) in values.zip(spectrum.iter().flatten()) {
                *to = *v;
            }
        }
        let done: Vec<u8> = spaxels.iter().map(|s| u8::from(s.is_some())).collect();
        let mut header = Header::new();
        header.set("EXTNAME", "FRINGE1D_CORRECTED", "extension name");
        for text in [
            "Spaxels corrected by 1D defringing",
            "True values were corrected, False values were not",
        ] {
            header.push(Card::commentary("COMMENT", text));
        }
        cube.planes.push(Hdu {
            header,
            data: Data::Image(Image::new(&[cube.ny, cube.nx], done)),
        });
        describe(&mut cube, params);
        Ok(cube)
    }
}

/// The step's cards.
fn describe(cube: &mut Cube, params: &Defringe1dParams) {
    let channel: Option<i64> = cube.meta.str("CHANNEL").and_then(|c| c.trim().parse().ok());
    let h = &mut cube.meta.primary;
    note::add(h, "Residual fringe corrected (1D)", Some("FRINGE1D"));
    if let Some(channel) = channel {
        note::put(h, "FRINGE1D CHANNEL", channel, "Channel number");
    }
    note::put(
        h,
        "FRINGE1D USED_WAVL_RANGES",
        params.wavelength_ranges.is_some(),
        "Limited defringing to specific wavelength ranges",
    );
    if let Some(ranges) = &params.wavelength_ranges {
        note::put(
            h,
            "FRINGE1D NUM_WAVL_RANGES",
            ranges.len(),
            "Number of wavelength ranges used for defringing",
        );
        for (i, (start, stop)) in ranges.iter().enumerate() {
            let name = |end: &str| format!("FRINGE1D WAVL_RANGE_{i}_{end}");
            note::put(h, &name("START"), *start, "[um]");
            note::put(h, &name("STOP"), *stop, "[um]");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::planet::fixture;

    /// A cube with the fringes of a detector, 4 % strong, in every spaxel but the first, which has nothing.
    fn fringed() -> (Cube, Vec<f32>) {
        let mut cube = fixture::cube(600, 1, 3);
        cube.meta.sci.set("CDELT3", 0.0008, "");
        let waves = cube.wavelengths().unwrap();
        let mut truth = vec![0.0; cube.sci.len()];
        for (z, w) in waves.iter().enumerate() {
            for x in 0..3 {
                let i = z * 3 + x;
                let noise = ((i * 7919) % 1000) as f64 / 1000.0 - 0.5;
                let smooth = 100.0 + 30.0 * ((w - 5.0) * 3.0).sin() + 0.1 * noise;
                let fringe = (2.0 * std::f64::consts::PI * 1e4 / w / 2.9).sin();
                truth[i] = smooth as f32;
                cube.sci[i] = (smooth * (1.0 + 0.04 * fringe)) as f32;
            }
            cube.sci[z * 3] = f32::NAN;
        }
        cube.sci[30 * 3 + 1] = f32::NAN;
        (cube, truth)
    }

    fn scatter(sci: &[f32], truth: &[f32], x: usize, z: std::ops::Range<usize>) -> f64 {
        let n = z.len() as f64;
        let square = |z: usize| {
            let i = z * 3 + x;
            (f64::from(sci[i]) / f64::from(truth[i]) - 1.0).powi(2)
        };
        (z.map(square).sum::<f64>() / n).sqrt()
    }

    #[test]
    fn fringes_go() {
        let exec = Exec::new(Some(2)).unwrap();
        let (cube, truth) = fringed();
        let params = Defringe1dParams::default();
        let out = Defringe1d::run(cube.clone(), &(), &params, &exec).unwrap();
        let (before, after) = (
            scatter(&cube.sci, &truth, 2, 20..580),
            scatter(&out.sci, &truth, 2, 20..580),
        );
        assert!(before > 0.02 && after < before / 5.0, "{before} {after}");
        assert!(out.sci[30 * 3 + 1].is_nan() && out.sci[0].is_nan());
        assert_eq!((out.err, out.dq), (cube.err, cube.dq));
        let Data::Image(done) = &out.planes[0].data else {
            panic!("an image")
        };
        assert_eq!(done.pixels.to_f64(), [0.0, 1.0, 1.0]);
        let h = &out.meta.primary;
        assert_eq!(h.i64("FRINGE1D CHANNEL"), Some(1));
        assert_eq!(h.bool("FRINGE1D USED_WAVL_RANGES"), Some(false));
    }

    #[test]
    fn ranges_and_their_ends() {
        let exec = Exec::new(Some(1)).unwrap();
        let (cube, _) = fringed();
        let waves = cube.wavelengths().unwrap();
        let params = Defringe1dParams {
            wavelength_ranges: Some(vec![(waves[100], waves[300]), (waves[400], waves[500])]),
        };
        let out = Defringe1d::run(cube.clone(), &(), &params, &exec).unwrap();
        let changed = |z: usize| out.sci[z * 3 + 2] != cube.sci[z * 3 + 2];
        assert!(!(0..100).chain(301..400).chain(501..600).any(changed));
        assert!((100..301).filter(|z| changed(*z)).count() > 180);
        assert_eq!(
            out.meta.primary.f64("FRINGE1D WAVL_RANGE_1_STOP"),
            Some(waves[500])
        );
    }

    #[test]
    fn only_miri_and_its_channels() {
        let mut cube = fixture::cube(2, 1, 1);
        assert_eq!(channel(&cube).unwrap(), Some(1));
        cube.meta.primary.set("CHANNEL", "12", "");
        assert_eq!(channel(&cube).unwrap(), None);
        cube.meta.primary.set("CHANNEL", "MULTIPLE", "");
        assert!(channel(&cube).is_err());
        cube.meta.primary.set("INSTRUME", "NIRSPEC", "");
        let why = Defringe1d::not_applicable(&cube, &Defringe1dParams::default()).unwrap();
        assert!(why.is_some());
    }
}
