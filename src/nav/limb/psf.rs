//! Width of the PSF in cubes.

/// Aperture of JWST as a diffraction width: full width at half maximum (arcsec) per micron.
const DIFFRACTION: f64 = 0.0325;
/// Sampling of NIRSpec's slices, arcsec.
const SLICE: f64 = 0.1;

/// Full width at half maximum (arcsec) of a point source in a cube, at a wavelength in micron: for MIRI what was measured
/// (Law et al. 2023, doi:10.3847/1538-3881/acdddc, equation 1), else that of diffraction and of slices as wide as NIRSpec's.
#[must_use]
pub fn fwhm(instrument: &str, micron: f64) -> f64 {
    match instrument.trim().eq_ignore_ascii_case("MIRI") {
        true => 0.033 * micron + 0.106,
        false => libm::hypot(DIFFRACTION * micron, SLICE),
    }
}

#[cfg(test)]
mod tests {
    use super::fwhm;

    #[test]
    fn as_measured() {
        assert!((fwhm("MIRI", 10.0) - 0.436).abs() < 1e-12);
        assert!((fwhm("NIRSPEC", 4.0) - 0.164).abs() < 1e-3);
    }
}
