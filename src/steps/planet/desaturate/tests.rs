use super::*;
use crate::steps::planet::fixture;

fn exec() -> Exec {
    Exec::new(Some(2)).expect("threads")
}

fn cube(ngroups: usize, sci: &[f32]) -> Cube {
    let mut cube = fixture::cube(sci.len(), 1, 1);
    cube.meta.source = format!("{ngroups}_s3d.fits").into();
    cube.meta.primary.set("CHANNEL", "3", "");
    cube.meta.primary.set("NGROUPS", ngroups, "");
    cube.sci = sci.to_vec();
    cube
}

fn join(cubes: Vec<Cube>, params: &DesaturateParams) -> Cube {
    desaturate(Cubes(cubes), params, &exec()).expect("joined")
}

fn bytes(cube: &Cube, name: &str) -> Vec<f64> {
    let mut named = cube
        .planes
        .iter()
        .filter(|h| h.header.str("EXTNAME") == Some(name));
    match named.next().map(|h| &h.data) {
        Some(Data::Image(i)) => i.pixels.to_f64(),
        _ => panic!("no {name}"),
    }
}

const NAN: f32 = f32::NAN;

#[test]
fn a_zero_is_no_value_and_a_good_one_is_kept() {
    let all = cube(5, &[1.0, 1.0, 1.0, NAN, 1.0, 1.0, 1.0]);
    let mut few = cube(2, &[1.5, 0.0, 1.5, 1.5, 1.5, 1.5, 1.5]);
    few.err.fill(0.5);
    few.dq[5] = 4;
    let mut params = DesaturateParams::default();
    // whatever the order they are given in
    let out = join(vec![few.clone(), all.clone()], &params);
    assert_eq!(out.sci, [1.0, 1.0, 1.5, 1.5, 1.5, 1.0, 1.0]);
    assert_eq!(out.err, [0.01, 0.01, 0.5, 0.5, 0.5, 0.01, 0.01]);
    assert_eq!(out.dq, [0; 7]);
    assert_eq!(bytes(&out, "NGROUPS"), [5.0, 5.0, 2.0, 2.0, 2.0, 5.0, 5.0]);
    assert_eq!(
        bytes(&out, "DESAT_TYPE"),
        [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    );
    let h = &out.meta.primary;
    assert_eq!(h.str("NGROUPS"), Some("Desaturated"));
    assert_eq!(h.str("DESAT GROUPS"), Some("5,2"));
    assert_eq!(h.i64("DESAT MAX_STEP"), Some(1));
    params.compatible = true;
    let theirs = join(vec![all, few], &params);
    assert_eq!(theirs.sci[1], 0.0, "0 as good data");
    assert!(theirs.sci[5].is_nan() && theirs.dq[5] == 1);
}

#[test]
fn flags_are_those_of_the_chosen_voxel() {
    let mut all = cube(5, &[NAN, 1.0, NAN]);
    all.dq = vec![513, 0, 3];
    let mut few = cube(2, &[NAN, 1.0, 2.0]);
    few.dq = vec![1024, 0, 0];
    let params = DesaturateParams::default();
    let out = join(vec![all.clone(), few.clone()], &params);
    assert_eq!(out.dq, [1025, 0, 0]);
    let params = DesaturateParams {
        compatible: true,
        ..params
    };
    assert_eq!(join(vec![all, few], &params).dq, [1, 0, 0]);
}

#[test]
fn more_than_255_groups_and_ten_cubes() {
    let mut cubes: Vec<Cube> = (0..11).map(|k| cube(300 - k, &[NAN])).collect();
    cubes[1].sci[0] = 2.0;
    let mut params = DesaturateParams::default();
    let out = join(cubes.clone(), &params);
    assert_eq!(bytes(&out, "NGROUPS"), [299.0]);
    assert_eq!(
        out.meta.primary.str("DESAT GROUPS"),
        Some("300,299,...,291,290")
    );
    assert_eq!(out.meta.primary.i64("DESAT MAX_STEP"), Some(3));
    params.compatible = true;
    let theirs = join(cubes, &params);
    assert_eq!(bytes(&theirs, "NGROUPS"), [43.0]);
    let text = theirs.meta.primary.str("DESAT GROUPS");
    assert_eq!(text, Some("300,299,...,(291, 290)"));
}

#[test]
fn the_spatial_window_is_used() {
    let wide = |n: usize, hole: bool| {
        let mut cube = fixture::cube(1, 1, 7);
        cube.meta.primary.set("CHANNEL", "3", "");
        cube.meta.primary.set("NGROUPS", n, "");
        cube.sci.fill(n as f32);
        if hole {
            cube.sci[3] = NAN;
        }
        cube
    };
    let cubes = || vec![wide(5, true), wide(4, false)];
    let mut params = DesaturateParams {
        do_outlier_check: false,
        do_partial_saturation: false,
        ..DesaturateParams::default()
    };
    assert_eq!(
        join(cubes(), &params).sci,
        [5.0, 5.0, 5.0, 4.0, 5.0, 5.0, 5.0]
    );
    params.expand_window_spatial = 2;
    assert_eq!(
        join(cubes(), &params).sci,
        [5.0, 4.0, 4.0, 4.0, 4.0, 4.0, 5.0]
    );
    params.compatible = true;
    assert_eq!(
        join(cubes(), &params).sci,
        [5.0, 5.0, 5.0, 4.0, 5.0, 5.0, 5.0]
    );
}

#[test]
fn variances_go_with_the_values() {
    let with = |n: usize, v: f32, sci: f32| {
        let mut cube = cube(n, &[sci]);
        let image = Pixels::F32(vec![v]);
        cube.planes
            .push(plane("VAR_POISSON", &[], [1, 1, 1], image));
        cube
    };
    let out = join(
        vec![with(5, 1.0, NAN), with(4, 2.0, 3.0)],
        &DesaturateParams::default(),
    );
    assert_eq!(bytes(&out, "VAR_POISSON"), [2.0]);
}

#[test]
fn cubes_of_other_observations_are_refused() {
    let params = DesaturateParams::default();
    let said = |a: Cube, b: Cube| {
        let e = desaturate(Cubes(vec![a, b]), &params, &exec()).expect_err("refused");
        e.to_string()
    };
    let a = cube(5, &[1.0]);
    let mut b = cube(4, &[1.0]);
    b.meta.primary.set("DATE-BEG", "2024-01-01", "");
    assert!(said(a.clone(), b).contains("DATE-BEG"));
    assert!(said(a.clone(), cube(4, &[1.0, 2.0])).contains("shape"));
    assert!(said(a.clone(), cube(5, &[1.0])).contains("5 groups"));
    let mut b = cube(4, &[1.0]);
    b.meta.sci.set("CRVAL3", 5.1, "");
    assert!(said(a.clone(), b).contains("CRVAL3"));
    let mut done = cube(4, &[1.0]);
    done.meta.primary.set("NGROUPS", "Desaturated", "");
    assert!(said(a, done).contains("NGROUPS"));
    assert!(desaturate(Cubes(Vec::new()), &params, &exec()).is_err());
}

#[test]
fn one_group_of_miris_short_channels_is_not_used() {
    let short = |n: usize, v: f32| {
        let mut c = cube(n, &[v]);
        c.meta.primary.set("CHANNEL", "2", "");
        c
    };
    let params = DesaturateParams::default();
    assert!(join(vec![short(2, NAN), short(1, 3.0)], &params).sci[0].is_nan());
    assert_eq!(
        join(vec![cube(2, &[NAN]), cube(1, &[3.0])], &params).sci,
        [3.0]
    );
    assert_eq!(join(vec![short(1, 3.0)], &params).sci, [3.0]);
}

/// A bright band that saturates with many groups, a cosmic ray, and gaps: what is joined is nearer to the truth, and has
/// more of it, than the cube with all groups and than what the reference pipeline makes.
#[test]
fn the_scene_is_found_again() {
    let (nz, ny, nx) = (60, 6, 8);
    let n = nz * ny * nx;
    let truth: Vec<f32> = (0..n)
        .map(|i| {
            let (z, y, x) = (i / 48, i / 8 % 6, i % 8);
            let line = (-((z as f32 - 30.0) / 6.0).powi(2)).exp();
            70.0 * (1.0 + 8.0 * line) * (1.0 + 0.2 * (y + x) as f32)
        })
        .collect();
    let made = |ngroups: usize| {
        let mut cube = fixture::cube(nz, ny, nx);
        cube.meta.primary.set("CHANNEL", "3", "");
        cube.meta.primary.set("NGROUPS", ngroups, "");
        for (i, t) in truth.iter().enumerate() {
            let ratio = t * ngroups as f32 / 2500.0;
            let noise = ((i * 7919 + ngroups * 31) % 1000) as f32 / 1000.0 - 0.5;
            cube.err[i] = 0.5 / ngroups as f32;
            cube.sci[i] = t + noise * cube.err[i];
            if ratio > 1.3 {
                cube.sci[i] = NAN;
                cube.dq[i] = 3;
            } else if ratio > 1.0 {
                // saturated in its last groups
                cube.sci[i] /= ratio;
            }
            if (i * 37 + ngroups * 11).is_multiple_of(101) {
                cube.sci[i] = [NAN, 0.0][i % 2];
            }
        }
        if ngroups == 5 {
            cube.sci[500] *= 4.0;
        }
        cube
    };
    let score = |cube: &Cube| {
        let pairs = cube.sci.iter().zip(&truth);
        let used = pairs.filter(|(v, _)| !v.is_nan());
        let off: Vec<f32> = used.map(|(v, t)| (v / t - 1.0).abs()).collect();
        let bad = off.iter().filter(|d| **d > 0.02).count();
        (off.len(), bad)
    };
    let cubes = || (1..=5).map(made).collect::<Vec<_>>();
    let plain = score(&made(5));
    let mut params = DesaturateParams::default();
    let ours = score(&join(cubes(), &params));
    params.compatible = true;
    let theirs = score(&join(cubes(), &params));
    let said = format!("{ours:?}, reference {theirs:?}, plain {plain:?} of {n}");
    assert!(plain.1 > 50 && plain.0 < n - 300, "{said}");
    assert!(ours.0 > theirs.0 && ours.0 > n - 5, "{said}");
    assert!(ours.1 < theirs.1 && ours.1 * 2 < plain.1, "{said}");
}
