use super::*;
use crate::nav::planes::{self, Field};
use crate::nav::{Aspect, Correction, Observer};
use crate::steps::planet::fixture;
use crate::wcs::Celestial;

const N: usize = 31;

/// Venus seen from the centre of the Earth with the built-in kernels, in a field of 31 x 31 spaxels of `pixel` arcsec.
fn venus(nz: usize, pixel: f64) -> (Cube, Kernels) {
    let kernels = Kernels::with_built_in::<&str>(&[]).expect("built in");
    let mut cube = fixture::cube(nz, N, N);
    for (k, v) in [
        ("TARGNAME", "VENUS"),
        ("TELESCOP", "EARTH"),
        ("DATE-BEG", "2024-03-14T05:06:07"),
        ("DATE-END", "2024-03-14T05:16:07"),
    ] {
        cube.meta.primary.set(k, v, "");
    }
    let et = kernels.et_of_utc("2024-03-14T05:11:07").unwrap();
    let seen = Aspect::new(&kernels, 299, &Observer::Body(399), et, Correction::CN).unwrap();
    let [ra, dec] = seen.centre();
    let turn = 0.7f64;
    for (k, v) in [
        ("CRVAL1", ra),
        ("CRVAL2", dec),
        ("CRPIX1", 16.3),
        ("CRPIX2", 15.1),
        ("CDELT1", pixel / 3600.0),
        ("CDELT2", pixel / 3600.0),
        ("PC1_1", -turn.cos()),
        ("PC1_2", turn.sin()),
        ("PC2_1", turn.sin()),
        ("PC2_2", turn.cos()),
        ("CDELT3", 5.0),
    ] {
        cube.meta.sci.set(k, v, "");
    }
    cube.meta.sci.set("CTYPE1", "RA---TAN", "");
    cube.meta.sci.set("CTYPE2", "DEC--TAN", "");
    let [ra, dec] = Celestial::from_header(&cube.meta.sci).unwrap().grid(N, N);
    let field = Field::new(&seen, &ra, &dec);
    for name in ["EMISSION", "INCIDENCE"] {
        let mut header = Header::new();
        header.set("EXTNAME", name, "");
        let values = (planes::find(name).unwrap().of)(&field);
        cube.planes.push(Hdu {
            header,
            data: Data::Image(Image::new(&[N, N], values)),
        });
    }
    (cube, kernels)
}

fn values(cube: &Cube, name: &str) -> Vec<f64> {
    let mut named = (cube.planes.iter()).filter(|h| h.header.str("EXTNAME") == Some(name));
    match named.next().map(|h| &h.data) {
        Some(Data::Image(i)) => i.pixels.to_f64(),
        _ => panic!("no {name}"),
    }
}

/// Relative scatter and least of what is on the disc at a wavelength.
fn spread(sci: &[f32], lit: &[f64]) -> (f64, f64) {
    let on: Vec<f64> = (sci.iter().zip(lit))
        .filter(|(_, l)| **l == 1.0)
        .map(|(v, _)| f64::from(*v))
        .collect();
    let mean = on.iter().sum::<f64>() / on.len() as f64;
    let square = on.iter().map(|v| (v / mean - 1.0).powi(2)).sum::<f64>();
    let least = on.iter().copied().fold(f64::INFINITY, f64::min);
    ((square / on.len() as f64).sqrt(), least / mean)
}

#[test]
fn the_limb_is_flattened() {
    let exec = Exec::new(Some(2)).unwrap();
    let (mut cube, kernels) = venus(4, 0.5);
    let params = PsfParams::default();
    // an even disc seen through the telescope, drawn on a grid of its own
    let finer = PsfParams {
        rescale: Some(19),
        ..params.clone()
    };
    let seen = Psf::run(cube.clone(), &kernels, &finer, &exec).unwrap();
    let model = values(&seen, "PSF_MODEL_CUBE");
    cube.sci = model.iter().map(|m| (m * 80.0) as f32).collect();
    cube.err = cube.sci.iter().map(|v| v / 50.0).collect();
    assert_eq!(Psf::not_usable(&cube, &kernels, &params).unwrap(), None);
    let out = Psf::run(cube.clone(), &kernels, &params, &exec).unwrap();
    let lit = values(&out, "PSF_FORWARD_MODEL");
    let last = 3 * N * N..;
    let (before, dim) = spread(&cube.sci[last.clone()], &lit);
    let (after, least) = spread(&out.sci[last], &lit);
    assert!(before > 0.1 && dim < 0.6, "{before} {dim}");
    assert!(after < 0.01 && least > 0.95, "{after} {least}");
    // signal to noise stays
    let i = lit.iter().position(|l| *l == 1.0).unwrap();
    assert!((out.sci[i] / out.err[i] - 50.0).abs() < 1e-3);
    assert!(out.sci[0].is_nan() && out.err[0].is_nan() && out.dq == cube.dq);
    assert_eq!(values(&out, "PSF_FWHM_ARCSEC")[0], 0.033 * 5.0 + 0.106);
}

#[test]
fn small_discs_get_a_fine_grid() {
    let exec = Exec::new(Some(2)).unwrap();
    let (cube, kernels) = venus(1, 2.0);
    let mut params = PsfParams::default();
    let scene = Scene::new(&cube, &kernels, false).unwrap();
    let across = scene.diameter(&cube);
    assert!(across > 4.0 && across < 8.0, "{across}");
    let out = Psf::run(cube.clone(), &kernels, &params, &exec).unwrap();
    let factor = (150.0 / across).ceil() as i64;
    assert_eq!(out.meta.primary.i64("PSF RESCALE"), Some(factor));
    assert_eq!(out.meta.primary.i64("PSF BUFFER"), Some(10 * factor));
    // the reference takes arcsec off once more
    params.compatible = true;
    let theirs = Psf::run(cube, &kernels, &params, &exec).unwrap();
    let factor = (150.0 / (across / 2.0)).ceil() as i64;
    let found = theirs.meta.primary.i64("PSF RESCALE").unwrap();
    assert!((found - factor).abs() <= 1, "{found} {factor}");
}

#[test]
fn what_cannot_be_corrected_is_said() {
    let params = PsfParams::default();
    let (mut cube, kernels) = venus(1, 5.0);
    let larger = PsfParams {
        max_target_diameter_to_skip: 4.0,
        ..params.clone()
    };
    let why = Psf::not_usable(&cube, &kernels, &larger).unwrap().unwrap();
    assert!(why.contains("less than 4 px"), "{why}");
    // basic navigation
    assert_eq!(Psf::not_applicable(&cube, &params).unwrap(), None);
    cube.meta.primary.set("NAV BASIC", true, "");
    let why = Psf::not_applicable(&cube, &params).unwrap().unwrap();
    assert!(why.contains("basic navigation"), "{why}");
    cube.meta.primary.remove("NAV BASIC");
    // never navigated
    cube.planes.clear();
    let said = Psf::not_usable(&cube, &kernels, &params).unwrap_err();
    assert!(said.to_string().contains("sifu navigate"), "{said}");
    let (mut cube, _) = venus(1, 0.5);
    let shift = cube.meta.sci.f64("CRVAL2").unwrap() + 0.001;
    cube.meta.sci.set("CRVAL2", shift, "");
    let said = Psf::not_usable(&cube, &kernels, &params).unwrap_err();
    assert!(said.to_string().contains("navigated with"), "{said}");
    cube.meta.sci.set("CRVAL2", shift + 0.1, "");
    let why = Psf::not_usable(&cube, &kernels, &params).unwrap();
    assert!(why.is_some_and(|w| w.contains("lit side")));
}

#[test]
fn offsets_of_the_navigation_move_the_disc() {
    let (mut cube, kernels) = venus(1, 0.5);
    for compatible in [false, true] {
        cube.meta.primary.remove("NAV RA_OFFSET");
        cube.meta.primary.remove("NAV DEC_OFFSET");
        let at = |cube: &Cube| {
            let scene = Scene::new(cube, &kernels, compatible).unwrap();
            let lit = own_grid(&scene, cube);
            let (mut sum, mut n) = ([0.0; 2], 0.0);
            for p in (0..N * N).filter(|p| lit[*p]) {
                sum = [sum[0] + (p % N) as f64, sum[1] + (p / N) as f64];
                n += 1.0;
            }
            sum.map(|s| s / n)
        };
        let before = at(&cube);
        cube.meta.primary.set("NAV DEC_OFFSET", 2.0, "");
        let after = at(&cube);
        let moved = (after[0] - before[0]).hypot(after[1] - before[1]);
        assert!((moved - 4.0).abs() < 0.3, "{compatible}: {moved}");
    }
}

#[test]
fn pixels_of_directions_near_the_origin_of_right_ascension() {
    let (mut cube, kernels) = venus(1, 0.2);
    let mut scene = Scene::new(&cube, &kernels, false).unwrap();
    for k in 0..400 {
        let ra = 359.0 + 0.0049 * f64::from(k);
        cube.meta.sci.set("CRVAL1", ra % 360.0, "");
        scene.wcs = Celestial::from_header(&cube.meta.sci).unwrap();
        let [a, d] = scene.wcs.sky(7.3, 19.8);
        let [x, y] = scene.pixel(a, d, &cube).unwrap();
        assert!(
            (x - 7.3).abs() < 1e-7 && (y - 19.8).abs() < 1e-7,
            "{ra}: {x} {y}"
        );
    }
}
