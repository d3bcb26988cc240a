//! Flats of several pointings (tiles) of one band merged into one.

use super::{card, mean, nan_median};
use crate::formats::fits::{Header, Value};
use crate::model::SyntheticFlat;
use crate::model::synthetic_flat::GENERATION;
use crate::store::flat::plane_values;
use crate::{Error, Result};

/// Keywords that are the tiles' own, and are kept for each.
const OWN: &[&str] = &[
    "DATE",
    "DATASET",
    "INPUT_OBS_ID",
    "INPUT_TARGNAME",
    "INPUT_OBSLABEL",
    "INPUT_DATE",
    "INPUT_CAL_VER",
    "INPUT_CRDS_VER",
    "INPUT_CRDS_CTX",
    "LONLAT_COMPARISON_RADIUS",
];
/// As [`OWN`], for what only sifu writes.
const OURS: &[&str] = &["N_DITHERS", "CONSTRAINED"];

/// Parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Params {
    /// A wavelength with a larger part of NaN than this is not corrected.
    pub merge_nan_threshold: f64,
    /// Do as the reference pipeline does, with its defects.
    pub compatible: bool,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            merge_nan_threshold: 0.5,
            compatible: false,
        }
    }
}

/// Merges flats; `date` (ISO) goes into the header.
///
/// # Errors
/// [`Error::Input`] where they do not belong together.
pub fn merge(flats: &[SyntheticFlat], params: Params, date: &str) -> Result<SyntheticFlat> {
    let Some((first, others)) = flats.split_first() else {
        return Err(Error::input("there are no flats to merge"));
    };
    let shape @ [nz, ny, nx] = [first.nz, first.ny, first.nx];
    for f in others {
        if [f.nz, f.ny, f.nx] != shape {
            let (other, theirs) = (first.source.display(), [f.nz, f.ny, f.nx]);
            let message = format!("its shape is {theirs:?} and that of {other} {shape:?}");
            return Err(Error::input_file(&f.source, message));
        }
    }
    let header = merged_header(first, others, params, date)?;
    let corrected: Vec<Vec<bool>> = flats.iter().map(corrected).collect();
    let size = ny * nx;
    let (mut cube, mut errors) = (Vec::with_capacity(nz * size), Vec::new());
    let with_errors = flats.iter().all(|f| f.err.is_some());
    for z in 0..nz {
        let range = z * size..(z + 1) * size;
        let part = flats.iter().zip(&corrected);
        let part = part.filter(|(_, c)| params.compatible || c[z]);
        let tiles: Vec<&SyntheticFlat> = part.map(|(f, _)| f).collect();
        let images: Vec<&[f64]> = tiles.iter().map(|f| &f.flat[range.clone()]).collect();
        let scales = match params.compatible {
            true => common_scales(&images),
            false => scales(&images),
        };
        let (mut image, norm) = combine(&images, &scales, size);
        let unknown = image.iter().filter(|v| v.is_nan()).count() as f64 / size as f64;
        let left = tiles.is_empty() || unknown > params.merge_nan_threshold;
        if left {
            image.fill(1.0);
        }
        cube.extend(image);
        if with_errors {
            let of = |f: &&SyntheticFlat| {
                f.err
                    .as_ref()
                    .map_or(&[][..], |e| &e[range.clone()])
                    .to_vec()
            };
            let own: Vec<Vec<f64>> = tiles.iter().map(of).collect();
            errors.extend(match left {
                true => vec![0.0; size],
                false => combined_error(&own, &scales, norm, size),
            });
        }
    }
    let err = with_errors.then_some(errors);
    Ok(SyntheticFlat::new(header, shape, cube, err))
}

/// Which wavelengths a flat corrects, by its own account or else by its values.
fn corrected(flat: &SyntheticFlat) -> Vec<bool> {
    match plane_values(flat, "FLAT_CORRECTED") {
        Some(v) if v.len() == flat.nz => v.iter().map(|v| *v != 0.0).collect(),
        _ => {
            let images = flat.flat.chunks_exact((flat.ny * flat.nx).max(1));
            images.map(|i| i.iter().any(|v| *v != 1.0)).collect()
        }
    }
}

/// The tiles' scales: the median of each over the spaxels all have, relative to that of all; NaN where none are common.
fn common_scales(images: &[&[f64]]) -> Vec<f64> {
    let size = images.first().map_or(0, |i| i.len());
    let common: Vec<usize> = (0..size)
        .filter(|s| images.iter().all(|i| i[*s].is_finite()))
        .collect();
    let values = |i: &[f64]| -> Vec<f64> { common.iter().map(|s| i[*s]).collect() };
    let mut all: Vec<f64> = images.iter().flat_map(|i| values(i)).collect();
    let all = nan_median(&mut all);
    images
        .iter()
        .map(|i| nan_median(&mut values(i)) / all)
        .collect()
}

/// As [`common_scales`] where all tiles have spaxels in common. Else tiles are added in turn, the one with most spaxels in
/// common with those before first, scaled to their medians over these; one that has none in common keeps its own median as 1.
fn scales(images: &[&[f64]]) -> Vec<f64> {
    let common = common_scales(images);
    if common.iter().all(|s| s.is_finite() && *s > 0.0) {
        return common;
    }
    let own = |i: &[f64]| {
        let mut values: Vec<f64> = i.iter().copied().filter(|v| v.is_finite()).collect();
        nan_median(&mut values)
    };
    let mut out = vec![f64::NAN; images.len()];
    let mut left: Vec<usize> = (0..images.len()).collect();
    while !left.is_empty() {
        // (spaxels shared, tile, its scale)
        let mut best: Option<(usize, usize, f64)> = None;
        for tile in &left {
            let (mut mine, mut theirs) = (Vec::new(), Vec::new());
            for done in (0..images.len()).filter(|i| !left.contains(i)) {
                for (a, b) in images[*tile].iter().zip(images[done]) {
                    if a.is_finite() && b.is_finite() {
                        mine.push(*a);
                        theirs.push(b / out[done]);
                    }
                }
            }
            let shared = mine.len();
            let scale = match shared {
                0 => own(images[*tile]),
                _ => nan_median(&mut mine) / nan_median(&mut theirs),
            };
            if best.is_none_or(|b| shared > b.0) {
                best = Some((shared, *tile, scale));
            }
        }
        let Some((_, tile, scale)) = best else { break };
        out[tile] = scale;
        left.retain(|t| *t != tile);
    }
    out
}

/// Median of the scaled tiles, divided by its mean, which is returned too.
fn combine(images: &[&[f64]], scales: &[f64], size: usize) -> (Vec<f64>, f64) {
    let mut values = Vec::new();
    let mut out: Vec<f64> = (0..size)
        .map(|s| {
            values.clear();
            values.extend(images.iter().zip(scales).map(|(i, scale)| i[s] / scale));
            nan_median(&mut values)
        })
        .collect();
    let norm = mean(&out);
    out.iter_mut().for_each(|v| *v /= norm);
    (out, norm)
}

/// Error of the median of the scaled tiles (of one or two the mean; of more, wider by the median's efficiency).
fn combined_error(errors: &[Vec<f64>], scales: &[f64], norm: f64, size: usize) -> Vec<f64> {
    (0..size)
        .map(|s| {
            let parts = errors.iter().zip(scales).map(|(e, scale)| e[s] / scale);
            let known: Vec<f64> = parts.filter(|v| !v.is_nan()).collect();
            let n = known.len() as f64;
            let squares = known.iter().fold(0.0, |sum, v| sum + v * v);
            let wider = if known.len() > 2 {
                (std::f64::consts::PI / 2.0).sqrt()
            } else {
                1.0
            };
            wider * squares.sqrt() / n / norm
        })
        .collect()
}

fn name_of(keyword: &str) -> Option<&str> {
    keyword.strip_prefix(GENERATION).map(str::trim_start)
}

fn merged_header(
    first: &SyntheticFlat,
    others: &[SyntheticFlat],
    params: Params,
    date: &str,
) -> Result<Header> {
    let own = |name: &str| OWN.contains(&name) || OURS.contains(&name);
    for f in others {
        for (a, b) in [(f, first), (first, f)] {
            for c in a.generation_cards() {
                let name = name_of(&c.keyword).unwrap_or_default();
                if !own(name) && b.header.get(&c.keyword) != Some(&c.value) {
                    let text = |v: Option<&Value>| v.map_or("missing".to_owned(), Value::plain);
                    let message = format!(
                        "{name} is {} here and {} in {}; flats made with different parameters do not merge",
                        text(f.header.get(&c.keyword)),
                        text(first.header.get(&c.keyword)),
                        first.source.display()
                    );
                    return Err(Error::input_file(&f.source, message));
                }
            }
        }
    }
    let mut header = first.header.clone();
    for name in OWN.iter().chain(OURS) {
        let keyword = format!("{GENERATION} {name}");
        for (i, f) in std::iter::once(first).chain(others).enumerate() {
            if let Some(value) = f.header.get(&keyword) {
                header.set(&format!("{keyword}_{}", i + 1), value.clone(), "");
            }
        }
        header.remove(&keyword);
    }
    let threshold = params.merge_nan_threshold;
    card(&mut header, "MERGE_NAN_THRESHOLD", threshold);
    card(&mut header, "N_MERGED", others.len() + 1);
    card(&mut header, "MERGE DATE", date);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAN: f64 = f64::NAN;

    fn tile(dataset: &str, values: &[f64]) -> SyntheticFlat {
        let mut header = Header::new();
        card(&mut header, "DATASET", dataset);
        card(&mut header, "NSIGMA", 5i64);
        SyntheticFlat::new(header, [1, 1, values.len()], values.to_vec(), None)
    }

    fn merged(tiles: &[SyntheticFlat], compatible: bool) -> Vec<f64> {
        let params = Params {
            compatible,
            ..Params::default()
        };
        merge(tiles, params, "2026-01-01").unwrap().flat
    }

    #[test]
    fn tiles_are_scaled_to_what_they_share() {
        let tiles = [
            tile("a", &[0.9, 1.1, 1.0, NAN]),
            tile("b", &[NAN, 2.2, 2.0, 1.8]),
        ];
        for compatible in [false, true] {
            let found = merged(&tiles, compatible);
            for (a, b) in found.iter().zip([0.9, 1.1, 1.0, 0.9]) {
                assert!((a - b / 0.975).abs() < 1e-12, "{found:?}");
            }
        }
    }

    #[test]
    fn a_tile_left_at_1_does_not_halve_the_correction() {
        let tiles = [tile("a", &[0.8, 1.2, 1.0, 1.0]), tile("b", &[1.0; 4])];
        assert_eq!(merged(&tiles, false), [0.8, 1.2, 1.0, 1.0]);
        assert_eq!(merged(&tiles, true), [0.9, 1.1, 1.0, 1.0]);
    }

    #[test]
    fn tiles_without_common_spaxels_keep_theirs() {
        let tiles = [
            tile("a", &[0.9, 1.1, NAN, NAN]),
            tile("b", &[NAN, NAN, 2.4, 1.6]),
        ];
        let found = merged(&tiles, false);
        for (a, b) in found.iter().zip([0.9, 1.1, 1.2, 0.8]) {
            assert!((a - b).abs() < 1e-12, "{found:?}");
        }
        assert_eq!(merged(&tiles, true), [1.0; 4]);
    }

    #[test]
    fn a_chain_of_tiles_is_scaled_link_by_link() {
        let tiles = [
            tile("a", &[1.0, 1.1, NAN, NAN]),
            tile("b", &[NAN, 2.2, 1.8, NAN]),
            tile("c", &[NAN, NAN, 2.7, 3.3]),
        ];
        let found = merged(&tiles, false);
        for (a, b) in found.iter().zip([1.0, 1.1, 0.9, 1.1]) {
            assert!((a / found[0] - b).abs() < 1e-12, "{found:?}");
        }
    }

    #[test]
    fn mostly_nan_is_not_corrected() {
        let tiles = [
            tile("a", &[0.9, NAN, NAN, NAN]),
            tile("b", &[1.1, NAN, NAN, NAN]),
        ];
        assert_eq!(merged(&tiles, false), [1.0; 4]);
    }

    #[test]
    fn what_no_tile_corrects_is_not_corrected() {
        let tiles = [tile("a", &[1.0; 4]), tile("b", &[1.0; 4])];
        assert_eq!(merged(&tiles, false), [1.0; 4]);
    }

    #[test]
    fn headers_keep_what_is_each_tiles_own() {
        let tiles = [tile("a", &[1.0, 0.5]), tile("b", &[1.0, 0.5])];
        let flat = merge(&tiles, Params::default(), "now").unwrap();
        let text = |k: &str| flat.generation(k).map(Value::plain);
        assert_eq!(text("DATASET_1").as_deref(), Some("a"));
        assert_eq!(text("DATASET_2").as_deref(), Some("b"));
        assert_eq!(text("DATASET"), None);
        assert_eq!(text("N_MERGED").as_deref(), Some("2"));
        let mut other = tiles[1].clone();
        card(&mut other.header, "NSIGMA", 4i64);
        let said = merge(&[tiles[0].clone(), other], Params::default(), "now");
        assert!(said.unwrap_err().to_string().contains("NSIGMA is 4"));
        assert!(merge(&[], Params::default(), "now").is_err());
    }

    #[test]
    fn errors_are_carried() {
        let with = |d: &str, v: &[f64], e: f64| {
            let err = Some(vec![e; v.len()]);
            SyntheticFlat::new(tile(d, v).header, [1, 1, v.len()], v.to_vec(), err)
        };
        let tiles = [with("a", &[0.9, 1.1], 0.03), with("b", &[1.8, 2.2], 0.08)];
        let flat = merge(&tiles, Params::default(), "now").unwrap();
        // scaled to one level the errors are 3 % and 4 %, and their mean's 2.5 %
        assert!((flat.err.unwrap()[0] - 0.025).abs() < 1e-12);
    }
}
