//! # desaturate: join cubes of several numbers of groups
//!
//! ## What
//! Takes each voxel from the cube with the most groups that is good there.
//!
//! ## Why
//! The more groups, the less noise; but bright places saturate, in all or in part of their groups, and cosmic rays
//! are more likely. Cubes reduced from the first groups alone (trim_groups) still measure them.
//!
//! ## Algorithm
//! 1. Cubes are taken from the most groups to the fewest; all must be of one observation (INSTRUME, DATE-BEG, PATT_NUM,
//!    CHANNEL, BAND, DETECTOR, FILTER, GRATING), one shape and one WCS. MIRI's cubes of one group of channels 1 and 2
//!    are not used. SCI has no value where DQ is not 0, or where it is 0.
//!    A MIRI exposure of one group keeps its zero level, as nothing is there to take a difference with. What straylight leaves
//!    of that stays in cubes of channels 3 and 4: in simulations 2 % (channel 3) to 6 % (channel 4) of bright values, and
//!    thousands of MJy/sr where it is dark. Leave such cubes out, or voxels whose `NGROUPS` is 1, where that matters.
//! 2. In each spaxel a spectrum is built up: where it has no value (1), where it is fainter than `partial_saturation_factor`
//!    times the next cube, at a signal-to-noise ratio above `partial_saturation_snr` (2), or brighter than
//!    `outlier_factor` times (more for smaller ratios; 3), the next cube takes its place. Runs of
//!    such wavelengths are widened by `expand_window_spectral` at both ends. Only a value of the cube just before is judged.
//!    A good value that is widened over stays where the next cube has none.
//!    Where there is noise only (dark sky), the lower of two values is taken more often than the higher by this, and the
//!    mean falls: raise `outlier_min_flux` above the noise where such places matter.
//! 3. Sources of neighbouring voxels may differ by `maximum_step` cubes at most (default: number of cubes over
//!    `maximum_step_total`, rounded up): voxels of more groups beside ones of fewer take fewer too, from the cube
//!    nearest to that which has a value.
//! 4. SCI, ERR, DQ and variances (extensions `VAR...` of the cube's shape) are gathered from the chosen cubes. Voxels without
//!    a value get `DO_NOT_USE`. `NGROUPS` has each voxel's number of groups (0 for none), `DESAT_TYPE` why it was not
//!    taken from more (1, 2, 3 as above; 0 where it was).
//!
//! ## Parameters
//! As named above; `partial_saturation_min_flux`, `outlier_min_flux`: floors of both values for those tests;
//! `outlier_threshold_low_snr1`, `outlier_factor_low_snr1` and so on: the signal-to-noise ratio above which the next
//! factor holds (the last for any); `expand_window_spatial`: spaxels by which the choice is spread in an image.
//!
//! ## Reference files
//! None.
//!
//! ## Skipped when
//! never.
//!
//! ## Differs from jwst
//! jwst has no such step. The reference pipeline loses good values to NaN and 0 of a cube with fewer groups beside them
//! (and widens the gap for the next cube), gives 0 as good data, sets DQ to 0 and 1 alone, does not use
//! `expand_window_spatial`, stores NGROUPS modulo 256, does not look at shapes and WCS; `compatible` does all but the last.
//!
//! ## References
//! King et al. (2023), doi:10.3847/2515-5172/ad045f (`desaturate_data`).

mod choose;
mod raise;

use choose::{Chooser, NONE, Rules};

use super::note;
use crate::exec::Exec;
use crate::formats::fits::{Card, Data, Hdu, Header, Image, Pixels};
use crate::model::{Cube, Cubes, Meta, dq};
use crate::steps::step::{Info, RefPaths, Step, Target};
use crate::{Error, Result};

crate::params! {
    /// Parameters of desaturate.
    pub struct DesaturateParams {
        /// Wavelengths by which runs of bad ones are widened at both ends.
        expand_window_spectral: i64 = 2,
        /// Spaxels by which the choice of fewer groups is spread in each image.
        expand_window_spatial: i64 = 0,
        /// Cubes by which neighbouring voxels may differ; unset: number of cubes over maximum_step_total, rounded up.
        maximum_step: Option<i64> = None,
        /// In how many steps all cubes may be gone through.
        maximum_step_total: i64 = 5,
        /// Share of the next cube's flux below which a value saturated partially.
        partial_saturation_factor: f64 = 0.9,
        /// Signal-to-noise ratio of the next cube above which partial saturation is looked for.
        partial_saturation_snr: f64 = 300.0,
        /// Flux above which partial saturation is looked for.
        partial_saturation_min_flux: f64 = 0.0,
        /// Multiple of the next cube's flux above which a value is an outlier, where that is well measured.
        outlier_factor: f64 = 1.2,
        /// Signal-to-noise ratio above which outlier_factor holds.
        outlier_threshold_low_snr1: f64 = 100.0,
        /// The multiple for less well measured ones.
        outlier_factor_low_snr1: f64 = 1.5,
        /// Signal-to-noise ratio above which outlier_factor_low_snr1 holds.
        outlier_threshold_low_snr2: f64 = 30.0,
        /// The multiple for all others.
        outlier_factor_low_snr2: f64 = 3.0,
        /// Flux above which outliers are looked for.
        outlier_min_flux: f64 = 0.0,
        /// Look for partial saturation.
        do_partial_saturation: bool = true,
        /// Look for outliers.
        do_outlier_check: bool = true,
        /// Choose and write as the reference pipeline does.
        compatible: bool = false,
    }
}

/// Keywords that cubes of one observation share.
const SAME: &[&str] = &[
    "INSTRUME", "DATE-BEG", "PATT_NUM", "CHANNEL", "BAND", "DETECTOR", "FILTER", "GRATING",
];

/// Keywords of the WCS, which they share too.
const WCS: &[&str] = &[
    "CRVAL1", "CRVAL2", "CRVAL3", "CRPIX1", "CRPIX2", "CRPIX3", "CDELT1", "CDELT2", "CDELT3",
    "PC1_1", "PC1_2", "PC2_1", "PC2_2",
];

impl DesaturateParams {
    fn count(name: &str, value: i64) -> Result<usize> {
        usize::try_from(value)
            .ok()
            .filter(|n| *n < 65_000)
            .ok_or_else(|| {
                Error::parameter(format!(
                    "desaturate: {name} = {value} must be from 0 to 64999"
                ))
            })
    }

    fn rules(&self) -> Result<Rules> {
        Ok(Rules {
            expand: Self::count("expand_window_spectral", self.expand_window_spectral)?,
            partial: self.do_partial_saturation,
            partial_factor: self.partial_saturation_factor as f32,
            partial_snr: self.partial_saturation_snr as f32,
            partial_min_flux: self.partial_saturation_min_flux as f32,
            outliers: self.do_outlier_check,
            outlier_factor: self.outlier_factor as f32,
            outlier_min_flux: self.outlier_min_flux as f32,
            low_snr: [
                (
                    self.outlier_threshold_low_snr1 as f32,
                    self.outlier_factor_low_snr1 as f32,
                ),
                (
                    self.outlier_threshold_low_snr2 as f32,
                    self.outlier_factor_low_snr2 as f32,
                ),
            ],
            compatible: self.compatible,
        })
    }

    /// Cubes by which neighbours may differ, of `n`.
    fn step(&self, n: usize) -> Result<u16> {
        let step = match self.maximum_step {
            Some(step) => Self::count("maximum_step", step)?,
            None => {
                let total = Self::count("maximum_step_total", self.maximum_step_total)?;
                if total == 0 {
                    return Err(Error::parameter(
                        "desaturate: maximum_step_total must be at least 1",
                    ));
                }
                n.div_ceil(total)
            }
        };
        Ok(step as u16)
    }
}

/// The cubes in the order of use with their numbers of groups.
fn ordered(cubes: Cubes) -> Result<Vec<(usize, Cube)>> {
    let mut out = Vec::new();
    for cube in cubes.0 {
        out.push((cube.meta.need_count("NGROUPS")?, cube));
    }
    // the most groups first
    out.sort_by_key(|(n, _)| std::cmp::Reverse(*n));
    let few = |meta: &Meta| {
        let channel = meta.str("CHANNEL").map(str::trim);
        meta.is_miri() && matches!(channel, Some("1" | "2"))
    };
    let mut place = 0;
    out.retain(|(n, cube)| {
        place += 1;
        place == 1 || *n > 1 || !few(&cube.meta)
    });
    for pair in out.windows(2) {
        if let [(n, a), (m, b)] = pair {
            compare(a, b)?;
            if n == m {
                return Err(Error::input_file(
                    &b.meta.source,
                    format!("and {} both have {n} groups", a.meta.source.display()),
                ));
            }
        }
    }
    Ok(out)
}

/// Refuses cubes that cannot be joined.
fn compare(a: &Cube, b: &Cube) -> Result<()> {
    let refuse = |what: String| {
        let other = a.meta.source.display();
        Err(Error::input_file(
            &b.meta.source,
            format!("{what} of {other}; only cubes of one observation can be joined"),
        ))
    };
    for key in SAME {
        let text = |c: &Cube| {
            c.meta
                .primary
                .get(key)
                .map(crate::formats::fits::Value::plain)
        };
        if text(a) != text(b) {
            let show = |c| text(c).unwrap_or_else(|| "nothing".into());
            return refuse(format!("has {key} = {}, not {} as that", show(b), show(a)));
        }
    }
    let shape = |c: &Cube| [c.nz, c.ny, c.nx];
    if shape(a) != shape(b) {
        return refuse(format!(
            "has shape {:?}, not {:?} as that",
            shape(b),
            shape(a)
        ));
    }
    for key in WCS {
        let (u, v) = (a.meta.sci.f64(key), b.meta.sci.f64(key));
        let near = match (u, v) {
            (Some(u), Some(v)) => (u - v).abs() <= 1e-9 * (1.0 + u.abs()),
            (u, v) => u.is_none() && v.is_none(),
        };
        if !near {
            return refuse(format!("has {key} = {v:?}, not {u:?} as that"));
        }
    }
    Ok(())
}

/// What each voxel is taken from.
struct Choice {
    /// Cube, or [`NONE`].
    index: Vec<u16>,
    flags: Vec<u8>,
}

/// Values to choose among: NaN where flagged or 0.
fn usable(value: f32, flags: u32) -> f32 {
    if flags != 0 || value == 0.0 {
        f32::NAN
    } else {
        value
    }
}

/// Chooses for every voxel, rows in parallel.
fn choose_all(cubes: &[(usize, Cube)], rules: &Rules, exec: &Exec) -> Result<Choice> {
    let Some((_, first)) = cubes.first() else {
        return Err(Error::input("there are no cubes to join"));
    };
    let (nz, ny, nx, plane) = (first.nz, first.ny, first.nx, first.plane());
    let rows = exec.try_map((0..ny).collect(), |y| {
        let mut chooser = Chooser::new(nz);
        let mut spectra = vec![vec![0f32; nz]; cubes.len()];
        let mut errors = spectra.clone();
        let (mut index, mut flags) = (vec![0; nz * nx], vec![0; nz * nx]);
        for x in 0..nx {
            let at = |z: usize| z * plane + y * nx + x;
            for ((_, cube), (s, e)) in cubes.iter().zip(spectra.iter_mut().zip(&mut errors)) {
                for z in 0..nz {
                    s[z] = usable(cube.sci[at(z)], cube.dq[at(z)]);
                    e[z] = cube.err[at(z)];
                }
            }
            let range = x * nz..(x + 1) * nz;
            let index = &mut index[range.clone()];
            chooser.choose(&spectra, &errors, rules, index, &mut flags[range]);
        }
        Ok((index, flags))
    })?;
    let mut out = Choice {
        index: vec![NONE; first.sci.len()],
        flags: vec![0; first.sci.len()],
    };
    for (y, (index, flags)) in rows.into_iter().enumerate() {
        for x in 0..nx {
            for z in 0..nz {
                let to = z * plane + y * nx + x;
                out.index[to] = index[x * nz + z];
                out.flags[to] = flags[x * nz + z];
            }
        }
    }
    Ok(out)
}

/// The cube each voxel is taken from once neighbours are near enough; NONE where there was none.
fn smoothed(index: &[u16], shape: [usize; 3], reach: usize, step: u16) -> Vec<u16> {
    let mut out: Vec<u16> = index
        .iter()
        .map(|i| if *i == NONE { 0 } else { *i })
        .collect();
    raise::spread(&mut out, shape, reach);
    raise::limit_steps(&mut out, shape, step);
    for (o, i) in out.iter_mut().zip(index) {
        if *i == NONE {
            *o = NONE;
        }
    }
    out
}

/// Variances that all cubes have, by name.
fn variances(cubes: &[(usize, Cube)]) -> Vec<(String, Vec<Vec<f32>>)> {
    let Some((_, first)) = cubes.first() else {
        return Vec::new();
    };
    let shape = [first.nz, first.ny, first.nx];
    let find = |cube: &Cube, name: &str| {
        let hdus = cube.extra.iter().chain(&cube.planes);
        let mut named = hdus.filter(|h| h.header.str("EXTNAME") == Some(name));
        named.find_map(|h| match &h.data {
            Data::Image(i) if i.shape == shape => match &i.pixels {
                Pixels::F32(v) => Some(v.clone()),
                _ => None,
            },
            _ => None,
        })
    };
    let hdus = first.extra.iter().chain(&first.planes);
    let names = hdus.filter_map(|h| h.header.str("EXTNAME"));
    let names = names.filter(|n| n.starts_with("VAR"));
    names
        .filter_map(|name| {
            let all: Option<Vec<_>> = cubes.iter().map(|(_, c)| find(c, name)).collect();
            Some((name.to_owned(), all?))
        })
        .collect()
}

fn plane(name: &str, comments: &[&str], shape: [usize; 3], pixels: Pixels) -> Hdu {
    let mut header = Header::new();
    header.set("EXTNAME", name, "extension name");
    for text in comments {
        header.push(Card::commentary("COMMENT", text));
    }
    let image = Image {
        shape: shape.to_vec(),
        pixels,
        scale: None,
    };
    Hdu {
        header,
        data: Data::Image(image),
    }
}

/// Joins cubes of one observation with several numbers of groups; see the module documentation. The result has the headers
/// and the other HDUs of the cube with the most groups.
///
/// # Errors
/// [`Error::Input`] where the cubes are not of one observation, or there is none; [`Error::Parameter`].
pub fn desaturate(cubes: Cubes, params: &DesaturateParams, exec: &Exec) -> Result<Cube> {
    let rules = params.rules()?;
    let mut cubes = ordered(cubes)?;
    let step = params.step(cubes.len())?;
    let mut reach = DesaturateParams::count("expand_window_spatial", params.expand_window_spatial)?;
    if params.compatible {
        reach = 0;
    }
    let choice = choose_all(&cubes, &rules, exec)?;
    let Some((_, first)) = cubes.first() else {
        return Err(Error::input("there are no cubes to join"));
    };
    let shape = [first.nz, first.ny, first.nx];
    let mut index = smoothed(&choice.index, shape, reach, step);
    let variances = variances(&cubes);
    let n = index.len();
    let (mut sci, mut err, mut flags) = (vec![f32::NAN; n], vec![f32::NAN; n], first.dq.clone());
    let mut groups = vec![0u16; n];
    let mut vars: Vec<Vec<f32>> = vec![vec![f32::NAN; n]; variances.len()];
    for (i, k) in index.iter_mut().enumerate() {
        if *k != NONE {
            let value = |k: u16| {
                let cube = &cubes[usize::from(k)].1;
                if params.compatible && cube.dq[i] == 0 {
                    cube.sci[i]
                } else {
                    usable(cube.sci[i], cube.dq[i])
                }
            };
            if !params.compatible {
                // raised onto a cube without a value: the nearest below that has one
                let good = (choice.index[i]..=*k).rev().find(|k| !value(*k).is_nan());
                *k = good.unwrap_or(*k);
            }
            let (count, cube) = &cubes[usize::from(*k)];
            (sci[i], err[i], flags[i]) = (value(*k), cube.err[i], cube.dq[i]);
            groups[i] = u16::try_from(*count).unwrap_or(u16::MAX);
            for (out, (_, all)) in vars.iter_mut().zip(&variances) {
                out[i] = all[usize::from(*k)][i];
            }
        }
        let missing = u32::from(sci[i].is_nan()) * dq::DO_NOT_USE;
        flags[i] = if params.compatible {
            missing
        } else {
            flags[i] | missing
        };
    }
    let counts: Vec<String> = cubes.iter().map(|(n, _)| n.to_string()).collect();
    let (_, mut out) = cubes.swap_remove(0);
    (out.sci, out.err, out.dq) = (sci, err, flags);
    for ((name, _), values) in variances.iter().zip(vars) {
        let hdus = out.extra.iter_mut().chain(&mut out.planes);
        let mut named = hdus.filter(|h| h.header.str("EXTNAME") == Some(name));
        if let Some(Data::Image(image)) = named.next().map(|h| &mut h.data) {
            image.pixels = Pixels::F32(values);
        }
    }
    let groups = if params.compatible {
        Pixels::U8(groups.iter().map(|n| *n as u8).collect())
    } else {
        Pixels::U16(groups)
    };
    out.planes.push(plane(
        "NGROUPS",
        &["Number of groups used when desaturating"],
        shape,
        groups,
    ));
    out.planes.push(plane(
        "DESAT_TYPE",
        &[
            "Type of bad data identified when desaturating",
            "0: Good data",
            "1: Bad data identified by standard pipeline (e.g. saturated)",
            "2: Partially saturated",
            "3: Outlier (e.g. cosmic ray)",
        ],
        shape,
        Pixels::U8(choice.flags),
    ));
    describe(&mut out.meta.primary, params, &counts, step);
    Ok(out)
}

/// The step's cards.
fn describe(h: &mut Header, params: &DesaturateParams, counts: &[String], step: u16) {
    note::add(h, "Desaturated", Some("DESAT"));
    h.set("NGROUPS", "Desaturated", "");
    let mut put = |key: &str, value: crate::formats::fits::Value, comment: &str| {
        note::put(h, &format!("DESAT {key}"), value, comment);
    };
    put(
        "NFILES",
        counts.len().into(),
        "Number of files used in desaturation",
    );
    let text = match counts {
        [a, b, .., y, z] if counts.len() >= 10 && params.compatible => {
            format!("{a},{b},...,({y}, {z})")
        }
        [a, b, .., y, z] if counts.len() >= 10 => format!("{a},{b},...,{y},{z}"),
        all => all.join(","),
    };
    put("GROUPS", text.into(), "Group options in desaturation");
    put(
        "PARTIAL_SAT_FACTOR",
        params.partial_saturation_factor.into(),
        "Partial saturation factor",
    );
    put(
        "PARTIAL_SAT_SNR",
        params.partial_saturation_snr.into(),
        "Partial saturation min. SNR",
    );
    put(
        "PARTIAL_SAT_MIN_FLUX",
        params.partial_saturation_min_flux.into(),
        "Partial saturation min. flux",
    );
    for (key, value) in [
        ("OUTLIER_FACTOR", params.outlier_factor),
        ("OUTLIER_FACTOR_LOW_SNR1", params.outlier_factor_low_snr1),
        ("OUTLIER_FACTOR_LOW_SNR2", params.outlier_factor_low_snr2),
        (
            "OUTLIER_THRESHOLD_LOW_SNR1",
            params.outlier_threshold_low_snr1,
        ),
        (
            "OUTLIER_THRESHOLD_LOW_SNR2",
            params.outlier_threshold_low_snr2,
        ),
        ("OUTLIER_MIN_FLUX", params.outlier_min_flux),
    ] {
        put(key, value.into(), "");
    }
    put(
        "EXPAND_SPECTRAL",
        params.expand_window_spectral.into(),
        "Window expansion size, spectral dimension",
    );
    put(
        "EXPAND_SPATIAL",
        params.expand_window_spatial.into(),
        "Window expansion size, spatial dimension",
    );
    put(
        "MAX_STEP",
        i64::from(step).into(),
        "Max group step (spectral & spatial dimensions)",
    );
    put(
        "MAX_STEP_TOTAL",
        params.maximum_step_total.into(),
        "Max total group step",
    );
    put(
        "DO_PARTIAL_SATURATION",
        params.do_partial_saturation.into(),
        "Check for partial saturation",
    );
    put(
        "DO_OUTLIER_CHECK",
        params.do_outlier_check.into(),
        "Check for outliers (e.g. cosmic rays)",
    );
}

/// The step.
pub struct Desaturate;

impl Step for Desaturate {
    const INFO: Info = Info {
        name: "desaturate",
        class: "DesaturateStep",
        keyword: "",
        title: "Desaturate",
        skip: false,
        references: &[],
    };
    const SOURCE: &'static str = include_str!("mod.rs");
    /// A voxel that is taken from another cube has that one's flags.
    const CLEARS: u32 = u32::MAX;
    type In = Cubes;
    type Out = Cube;
    type Params = DesaturateParams;
    type Refs = ();

    fn load(_: &RefPaths, _: &Target, _: &DesaturateParams) -> Result<()> {
        Ok(())
    }

    fn run(cubes: Cubes, (): &(), params: &DesaturateParams, exec: &Exec) -> Result<Cube> {
        desaturate(cubes, params, exec)
    }
}

#[cfg(test)]
mod tests;
