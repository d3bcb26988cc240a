//! Small cubes for the tests of the steps.

use crate::model::{Cube, Meta};

/// A cube of smooth positive values with a header.
pub fn cube(nz: usize, ny: usize, nx: usize) -> Cube {
    let n = nz * ny * nx;
    let mut meta = Meta {
        source: "planet_s3d.fits".into(),
        ..Meta::default()
    };
    for (k, v) in [
        ("INSTRUME", "MIRI"),
        ("CHANNEL", "1"),
        ("BAND", "SHORT"),
        ("DATE-BEG", "2025-03-14T05:06:07.000"),
    ] {
        meta.primary.set(k, v, "");
    }
    meta.primary.set("NGROUPS", 5, "");
    for (k, v) in [("CRVAL3", 5.0), ("CDELT3", 0.001), ("CRPIX3", 1.0)] {
        meta.sci.set(k, v, "");
    }
    meta.sci.set("CTYPE3", "WAVE", "");
    Cube {
        meta,
        label: String::new(),
        nz,
        ny,
        nx,
        sci: (0..n).map(|i| 10.0 + (i as f32 * 0.37).sin()).collect(),
        err: vec![0.01; n],
        dq: vec![0; n],
        wmap: vec![1.0; n],
        wavelength: None,
        wcs: None,
        extra: Vec::new(),
        planes: Vec::new(),
    }
}
