//! The pointing that images show: from a cube to [`limb::Image`], and from a fit to what navigation applies and writes.
//!
//! The fit itself is [`crate::nav::limb`], files are [`super::recipe::pointing`].

use crate::formats::fits::Card;
use crate::nav::Aspect;
use crate::nav::limb::{self, Fit, Image, Refusal, collapse, offset_of, place_of};

use super::navigate::{Navigation, Options};

/// Rings (main ones, of Saturn) that are left out of a fit, km.
const SATURN: (i32, [f64; 2]) = (699, [74_000.0, 141_000.0]);

/// A cube's samples.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    /// Brightness, `[wavelength][y][x]`.
    pub sci: &'a [f32],
    /// Standard error.
    pub err: &'a [f32],
    /// Flags.
    pub dq: &'a [u32],
    /// Wavelengths, micron.
    pub wavelengths: &'a [f64],
    /// `INSTRUME`.
    pub instrument: &'a str,
}

/// The image that a fit of the pointing takes, of a cube that was navigated without offsets; none for basic navigation and for
/// a cube without signal.
#[must_use]
pub fn image(samples: Samples, done: &Navigation) -> Option<Image> {
    let aspect = done.aspect.clone()?;
    let [ra, dec] = &done.directions;
    let [_, columns] = done.shape;
    let flat = collapse(
        samples.sci,
        samples.err,
        samples.dq,
        samples.wavelengths,
        ra.len(),
    )?;
    let (x, y) = ra
        .iter()
        .zip(dec)
        .map(|(ra, dec)| offset_of(&aspect, *ra, *dec).unwrap_or([f64::NAN; 2]))
        .map(|[x, y]| (x, y))
        .unzip();
    Some(Image {
        columns,
        x,
        y,
        value: flat.value,
        error: flat.error,
        fwhm: limb::fwhm(samples.instrument, flat.wavelength),
        rings: (aspect.target == SATURN.0).then_some(SATURN.1),
        aspect,
    })
}

/// Turns directions back about a body, degrees from north to east.
pub fn turn_back(aspect: &Aspect, roll: f64, ra: &mut [f64], dec: &mut [f64]) {
    let (s, c) = (libm::sin(roll.to_radians()), libm::cos(roll.to_radians()));
    for (ra, dec) in ra.iter_mut().zip(dec) {
        if let Some([x, y]) = offset_of(aspect, *ra, *dec) {
            [*ra, *dec] = place_of(aspect, [c * x - s * y, s * x + c * y]);
        }
    }
}

/// Options with the offset of a fit, or with the reason why there is none.
#[must_use]
pub fn with_fit(options: &Options, fit: &Result<Fit, Refusal>, images: usize) -> Options {
    let mut out = options.clone();
    out.pointing = vec![Card::new(
        "NAV FIT",
        fit.is_ok(),
        "Pointing fitted to the limb",
    )];
    let mut put = |name: &str, value: f64, what: &str| {
        out.pointing
            .push(Card::new(&format!("NAV {name}"), value, what));
    };
    match fit {
        Ok(fit) => {
            let c = &fit.covariance;
            let error = |k: usize| c[k][k].max(0.0).sqrt();
            put("RA_OFFSET_ERR", error(0), "[arcsec] Error, on the sky");
            put("DEC_OFFSET_ERR", error(1), "[arcsec] Error of Dec offset");
            let both = error(0) * error(1);
            let correlation = if both > 0.0 { c[0][1] / both } else { 0.0 };
            put("OFFSET_CORR", correlation, "Correlation of the two");
            if fit.roll != 0.0 {
                put("ROLL", fit.roll, "[deg] Turn of the field, N to E");
                put("ROLL_ERR", error(2), "[deg] Its error");
            }
            put("FIT CHI2", fit.chi2, "Reduced chi-squared");
            put("FIT SCATTER", fit.scatter, "Scatter about the model");
            put("FIT LIMB", fit.limb, "Share of the limb in the field");
            let more = [
                Card::new("NAV FIT REGIME", fit.regime.name(), "disc limb edge point"),
                Card::new("NAV FIT IMAGES", images as i64, "Images fitted together"),
            ];
            out.pointing.extend(more);
            out.ra_offset = fit.ra_offset;
            out.dec_offset = fit.dec_offset;
            out.roll = fit.roll;
            out.raw_offset = false;
        }
        Err(why) => out
            .pointing
            .push(Card::new("NAV FIT REASON", why.to_string(), "Why not")),
    }
    out
}
