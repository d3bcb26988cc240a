//! Quality of exposures, from their count rates: flags, saturation, references.

use std::path::{Path, PathBuf};

use super::super::plan::record::name_of;
use super::super::plan::scan::files;
use super::{folders, name, without};
use crate::exec::Exec;
use crate::formats::fits::{FitsFile, Header};
use crate::model::dq;
use crate::view::report::Exposure;
use crate::{Error, Result};

/// What is said of an exposure: a heading and the card.
const FACTS: [(&str, &str); 9] = [
    ("detector", "DETECTOR"),
    ("channels", "CHANNEL"),
    ("band", "BAND"),
    ("dither", "PATT_NUM"),
    ("groups", "NGROUPS"),
    ("integrations", "NINTS"),
    ("begin (UTC)", "DATE-BEG"),
    ("jwst", "CAL_VER"),
    ("CRDS context", "CRDS_CTX"),
];

/// Exposures of a run, in name order. A file that cannot be read is a remark.
pub fn exposures(root: &Path, exec: &Exec, remarks: &mut Vec<String>) -> Result<Vec<Exposure>> {
    let rates = files(&root.join("stage1"), "_rate.fits")?;
    let mut trees = Vec::new();
    for tree in folders(&root.join("groups"))? {
        let count = name(&tree).strip_suffix("_groups").map(str::parse::<usize>);
        if let Some(Ok(n)) = count {
            trees.push((n, tree.join("stage1")));
        }
    }
    trees.sort();
    let found = exec.map(rates, |path| {
        let read = exposure(root, &path, &trees);
        (path, read)
    });
    exec.check()?;
    let mut out = Vec::new();
    for (path, read) in found {
        match read {
            Ok(exposure) => out.push(exposure),
            Err(e) => without(root, &path, "the quality", &e, remarks),
        }
    }
    Ok(out)
}

fn exposure(root: &Path, path: &Path, trees: &[(usize, PathBuf)]) -> Result<Exposure> {
    let file = FitsFile::open(path)?;
    let header = &file.hdus()[0].header;
    let flags: Vec<u32> = file.all(file.need("DQ")?)?;
    let rates: Vec<f32> = file.all(file.need("SCI")?)?;
    if rates.len() != flags.len() {
        return Err(Error::format(path, "DQ and SCI differ in shape"));
    }
    let good = rates.iter().zip(&flags);
    let good = good.filter(|(v, q)| v.is_finite() && **q & dq::DO_NOT_USE == 0);
    let mut saturation = Vec::new();
    let all = header.i64("NGROUPS").and_then(|n| usize::try_from(n).ok());
    for (n, folder) in trees {
        let fewer = folder.join(name(path));
        if fewer.is_file() {
            let file = FitsFile::open(&fewer)?;
            let flags: Vec<u32> = file.all(file.need("DQ")?)?;
            saturation.push((*n, share(&flags)));
        }
    }
    // one of a run with fewer groups is there as such
    if let Some(n) = all.filter(|n| saturation.iter().all(|s| s.0 < *n)) {
        saturation.push((n, share(&flags)));
    }
    Ok(Exposure {
        file: name_of(root, path),
        facts: FACTS
            .iter()
            .map(|(what, card)| ((*what).to_owned(), plain(header, card)))
            .collect(),
        pixels: flags.len(),
        flags: census(&flags),
        median: median(good.map(|(v, _)| *v).collect()),
        saturation,
        references: references(header),
    })
}

/// Flags that occur: name, meaning, pixels. In one pass, as most pixels have none.
fn census(flags: &[u32]) -> Vec<(&'static str, &'static str, usize)> {
    let mut counts = [0; u32::BITS as usize];
    for q in flags {
        let mut left = *q;
        while left != 0 {
            counts[left.trailing_zeros() as usize] += 1;
            left &= left - 1;
        }
    }
    let of = |bit: u32| counts[bit.trailing_zeros() as usize];
    let all = dq::ALL
        .iter()
        .map(|(name, bit, what)| (*name, *what, of(*bit)));
    all.filter(|f| f.2 > 0).collect()
}

fn share(flags: &[u32]) -> f64 {
    let n = flags.iter().filter(|q| **q & dq::SATURATED != 0).count();
    n as f64 / flags.len().max(1) as f64
}

/// A card's value in words, nothing where there is none.
pub fn plain(header: &Header, card: &str) -> String {
    header
        .get(card)
        .map(|v| v.plain().trim().to_owned())
        .unwrap_or_default()
}

/// The median as numpy has it: the mean of the middle two of an even number.
fn median(mut values: Vec<f32>) -> Option<f64> {
    let n = values.len();
    if n == 0 {
        return None;
    }
    let (below, middle, _) = values.select_nth_unstable_by(n / 2, f32::total_cmp);
    let upper = f64::from(*middle);
    let lower = below.iter().copied().reduce(f32::max).map(f64::from);
    Some(match (n % 2, lower) {
        (0, Some(lower)) => 0.5 * (lower + upper),
        _ => upper,
    })
}

/// Reference files of a header: `R_DARK` and so on.
fn references(header: &Header) -> Vec<(String, String)> {
    header
        .cards()
        .iter()
        .filter(|c| c.keyword.starts_with("R_"))
        .map(|c| (c.keyword.clone(), plain(header, &c.keyword)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_is_counted() {
        let all: Vec<u32> = (0..32).map(|k| 1 << k).collect();
        let found = census(&[all.as_slice(), &[u32::MAX, 0, 6]].concat());
        assert_eq!(found.len(), dq::ALL.len());
        for (name, _, n) in found {
            let more = usize::from(matches!(name, "SATURATED" | "JUMP_DET"));
            assert_eq!(n, 2 + more, "{name}");
        }
    }

    #[test]
    fn medians() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0]), Some(3.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
        assert_eq!(median(vec![9.0, -1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![9.0, -1.0, 2.0, 3.0]), Some(2.5));
    }
}
