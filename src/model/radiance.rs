//! Units of radiance: MJy/sr as products have it, W cm-2 sr-1 um-1, and brightness temperature.
//!
//! Constants are exact in the SI since 2019 (CODATA 2018).

/// Speed of light, m/s.
pub const LIGHT: f64 = 299_792_458.0;
/// Planck's constant, J s.
pub const PLANCK: f64 = 6.626_070_15e-34;
/// Boltzmann's constant, J/K.
pub const BOLTZMANN: f64 = 1.380_649e-23;
/// W m-2 Hz-1 in 1 MJy.
const MEGAJANSKY: f64 = 1e-20;

/// Temperature in K of the black body that shines with `radiance` (MJy/sr) at `wavelength` (micron).
///
/// NaN for a radiance below 0, 0 K for none.
pub fn brightness_temperature(wavelength: f64, radiance: f64) -> f64 {
    if radiance.is_nan() || radiance < 0.0 {
        return f64::NAN;
    }
    let frequency = LIGHT / (wavelength * 1e-6);
    let scale = 2.0 * PLANCK * frequency.powi(3) / (LIGHT * LIGHT);
    PLANCK * frequency / BOLTZMANN / (scale / (radiance * MEGAJANSKY)).ln_1p()
}

/// Radiance in MJy/sr of a black body of `temperature` (K) at `wavelength` (micron).
pub fn black_body(wavelength: f64, temperature: f64) -> f64 {
    let frequency = LIGHT / (wavelength * 1e-6);
    let scale = 2.0 * PLANCK * frequency.powi(3) / (LIGHT * LIGHT);
    scale / (PLANCK * frequency / (BOLTZMANN * temperature)).exp_m1() / MEGAJANSKY
}

/// `radiance` of MJy/sr in W cm-2 sr-1 um-1 at `wavelength` (micron).
pub fn per_micron(wavelength: f64, radiance: f64) -> f64 {
    let metres = wavelength * 1e-6;
    // W m-2 Hz-1 to W cm-2 Hz-1, per Hz to per m, per m to per micron
    radiance * MEGAJANSKY * 1e-4 * LIGHT / (metres * metres) * 1e-6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temperatures_come_back() {
        for wavelength in [4.9, 11.7, 28.0] {
            for t in [60.0, 130.0, 300.0] {
                let back = brightness_temperature(wavelength, black_body(wavelength, t));
                assert!(
                    (back / t - 1.0).abs() < 1e-13,
                    "{wavelength} um, {t} K: {back}"
                );
            }
        }
    }

    #[test]
    fn values_of_astropy() {
        // astropy 8.0.2: BlackBody(150 K) at 10 um in MJy/sr, and with a scale of 1 W/(cm2 um sr)
        assert!((black_body(10.0, 150.0) / 2_713_005.412_252_288 - 1.0).abs() < 1e-12);
        assert!(
            (per_micron(10.0, black_body(10.0, 150.0)) / 8.133_385_611_064_167e-6 - 1.0).abs()
                < 1e-12
        );
    }

    #[test]
    fn no_light_and_less() {
        assert_eq!(brightness_temperature(10.0, 0.0), 0.0);
        assert!(brightness_temperature(10.0, -1.0).is_nan());
        assert!(brightness_temperature(10.0, f64::NAN).is_nan());
    }
}
