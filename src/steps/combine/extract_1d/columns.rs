//! From the sums of the planes to the table of a spectrum: units, averages, errors, and its header.

use super::photometry::Sums;
use crate::exec::Exec;
use crate::formats::fits::{Header, Table, TableBuilder};
use crate::model::dq;
use crate::steps::spectral::residual_fringe::{Options, fit_1d};

/// Flux density (Jy), surface brightness and background (MJy/sr) without residual fringes.
#[derive(Debug, Clone, PartialEq)]
pub struct Defringed {
    pub flux: Vec<f64>,
    pub surf_bright: Vec<f64>,
    pub background: Vec<f64>,
}

/// The columns of a spectrum, in the order and units of the product. Variances of read noise and flat are one: a cube
/// does not tell them apart, and only the total error is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Columns {
    /// Micron.
    pub wavelength: Vec<f64>,
    /// Jy.
    pub flux: Vec<f64>,
    /// Jy.
    pub flux_error: Vec<f64>,
    /// Jy^2; nothing (0) but where the aperture is outside of the cube (NaN).
    pub flux_var: Vec<f64>,
    /// MJy/sr.
    pub surf_bright: Vec<f64>,
    /// MJy/sr.
    pub sb_error: Vec<f64>,
    /// (MJy/sr)^2.
    pub sb_var: Vec<f64>,
    /// Flags.
    pub dq: Vec<u32>,
    /// MJy/sr.
    pub background: Vec<f64>,
    /// MJy/sr.
    pub bkgd_error: Vec<f64>,
    /// Pixels.
    pub npixels: Vec<f64>,
    /// Columns without residual fringes, where the product has them: MIRI.
    pub defringed: Option<Defringed>,
}

/// What the columns are made with.
#[derive(Debug, Clone, Copy)]
pub struct Making {
    /// Solid angle of a pixel, sr.
    pub pixel: f64,
    /// Factor on errors.
    pub covariance: f64,
    /// Whether there are columns without residual fringes.
    pub defringed: bool,
    /// The MRS channel whose residual fringes are corrected; none where they are not, and those columns NaN.
    pub fringes_of: Option<u8>,
}

/// Flags planes without a wavelength, and gives the planes from the first to the last that has one.
pub fn planes_with_wavelength(waves: &[f64], sums: &mut [Sums]) -> std::ops::Range<usize> {
    for (w, s) in waves.iter().zip(sums.iter_mut()) {
        if w.is_nan() {
            s.dq |= dq::DO_NOT_USE;
        }
    }
    let first = waves.iter().position(|w| !w.is_nan());
    let last = waves.iter().rposition(|w| !w.is_nan());
    match (first, last) {
        (Some(first), Some(last)) => first..last + 1,
        _ => 0..0,
    }
}

/// The sums, surface brightness and background without residual fringes, NaN where they are not corrected.
fn defringed(
    wavelength: &[f64],
    sums: &[f64],
    surf_bright: &[f64],
    background: &[f64],
    making: &Making,
    exec: &Exec,
) -> Defringed {
    let work = vec![
        ("flux", sums),
        ("surface brightness", surf_bright),
        ("background", background),
    ];
    let corrected = |(what, values): (&str, &[f64])| {
        let options = making.fringes_of.map(|channel| Options {
            channel: Some(channel),
            ..Options::default()
        });
        let fitted = options.map(|o| fit_1d(values, wavelength, &o));
        match fitted {
            Some(Ok(values)) => values,
            Some(Err(why)) => {
                tracing::warn!("extract_1d: residual fringes of the {what} stay: {why}");
                vec![f64::NAN; values.len()]
            }
            None => vec![f64::NAN; values.len()],
        }
    };
    let mut columns = exec.map(work, corrected).into_iter();
    let mut next = || columns.next().unwrap_or_default();
    let flux = next();
    Defringed {
        flux: flux.iter().map(|f| f * making.pixel * 1.0e6).collect(),
        surf_bright: next(),
        background: next(),
    }
}

impl Columns {
    /// The columns of these sums.
    pub fn new(wavelength: &[f64], sums: &[Sums], making: &Making, exec: &Exec) -> Self {
        let each = |f: &dyn Fn(&Sums) -> f64| -> Vec<f64> { sums.iter().map(f).collect() };
        let count = |n: f64| if n > 0.0 { n } else { 1.0 };
        let npixels = |s: &Sums| count(s.npixels);
        let solid = making.pixel;
        let squared = solid * solid * 1.0e12;
        let k = making.covariance;
        let total = |poisson: f64, other: f64| {
            let error = (poisson + other + other).sqrt();
            if k == 1.0 { error } else { error * k }
        };
        let other = |v: f64| if k == 1.0 { v } else { v * (k * k) };
        let sums_only = each(&|s| s.flux);
        let surf_bright = each(&|s| s.flux / npixels(s));
        let background = each(&|s| s.background / count(s.background_npixels));
        let defringed = making.defringed.then(|| {
            defringed(
                wavelength,
                &sums_only,
                &surf_bright,
                &background,
                making,
                exec,
            )
        });
        Self {
            wavelength: wavelength.to_vec(),
            flux: each(&|s| s.flux * solid * 1.0e6),
            flux_error: each(&|s| total(s.variance * squared, s.nothing * squared)),
            flux_var: each(&|s| other(s.nothing * squared)),
            sb_error: each(&|s| {
                let n = npixels(s);
                total(s.variance / n / n, s.nothing / n / n)
            }),
            sb_var: each(&|s| other(s.nothing / npixels(s) / npixels(s))),
            surf_bright,
            dq: sums.iter().map(|s| s.dq).collect(),
            bkgd_error: each(&|s| {
                let n = count(s.background_npixels);
                total(s.background_variance / n / n, 0.0)
            }),
            background,
            npixels: each(&|s| s.npixels),
            defringed,
        }
    }

    /// Applies aperture corrections.
    pub fn correct(&mut self, factors: &[f64]) {
        let columns = [
            &mut self.flux,
            &mut self.flux_error,
            &mut self.surf_bright,
            &mut self.sb_error,
        ];
        let defringed = self
            .defringed
            .as_mut()
            .map(|d| [&mut d.flux, &mut d.surf_bright]);
        for column in columns.into_iter().chain(defringed.into_iter().flatten()) {
            column.iter_mut().zip(factors).for_each(|(v, f)| *v *= f);
        }
        for column in [&mut self.flux_var, &mut self.sb_var] {
            column
                .iter_mut()
                .zip(factors)
                .for_each(|(v, f)| *v *= f * f);
        }
    }

    /// The table as calwebb writes it, with the cards of its columns.
    pub fn table(&self) -> (Header, Table) {
        let n = self.wavelength.len();
        let poisson = vec![0.0; n];
        let (jy, jy2, sb, sb2) = ("Jy", "Jy^2", "MJy/sr", "(MJy/sr)^2");
        let table = TableBuilder::new(n)
            .f64("WAVELENGTH", &self.wavelength)
            .unit("um")
            .f64("FLUX", &self.flux)
            .unit(jy)
            .f64("FLUX_ERROR", &self.flux_error)
            .unit(jy)
            .f64("FLUX_VAR_POISSON", &poisson)
            .unit(jy2)
            .f64("FLUX_VAR_RNOISE", &self.flux_var)
            .unit(jy2)
            .f64("FLUX_VAR_FLAT", &self.flux_var)
            .unit(jy2)
            .f64("SURF_BRIGHT", &self.surf_bright)
            .unit(sb)
            .f64("SB_ERROR", &self.sb_error)
            .unit(sb)
            .f64("SB_VAR_POISSON", &poisson)
            .unit(sb2)
            .f64("SB_VAR_RNOISE", &self.sb_var)
            .unit(sb2)
            .f64("SB_VAR_FLAT", &self.sb_var)
            .unit(sb2)
            .u32("DQ", &self.dq)
            .f64("BACKGROUND", &self.background)
            .unit(sb)
            .f64("BKGD_ERROR", &self.bkgd_error)
            .unit(sb)
            .f64("BKGD_VAR_POISSON", &poisson)
            .unit(sb2)
            .f64("BKGD_VAR_RNOISE", &poisson)
            .unit(sb2)
            .f64("BKGD_VAR_FLAT", &poisson)
            .unit(sb2)
            .f64("NPIXELS", &self.npixels);
        let table = match &self.defringed {
            Some(d) => table
                .f64("RF_FLUX", &d.flux)
                .unit(jy)
                .f64("RF_SURF_BRIGHT", &d.surf_bright)
                .unit(sb)
                .f64("RF_BACKGROUND", &d.background)
                .unit(sb),
            None => table,
        };
        table.build("EXTRACT1D")
    }
}
