//! Variants of the products (`d1`, `d2_bg`, `combined_bg_fringe1d`): which there are, and their folders.

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::Error;

/// What is done to a variant of the data, in the order of the folders' names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tag {
    /// Background exposures subtracted in stage 2.
    Bg,
    /// 2-D residual fringe correction of the detector image.
    Fringe,
    /// 1-D residual fringe correction of the cube's spectra.
    Fringe1d,
    /// PSF correction by a forward model.
    Psf,
}

impl Tag {
    /// As in the names of folders.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bg => "bg",
            Self::Fringe => "fringe",
            Self::Fringe1d => "fringe1d",
            Self::Psf => "psf",
        }
    }

    /// Whether it is made from cubes, after stage 3.
    pub fn of_cubes(self) -> bool {
        matches!(self, Self::Fringe1d | Self::Psf)
    }
}

/// Whether a variant is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Toggle {
    /// Only without.
    #[default]
    No,
    /// Only with.
    Yes,
    /// Both, side by side.
    Both,
}

impl FromStr for Toggle {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "yes" | "true" => Ok(Self::Yes),
            "no" | "false" => Ok(Self::No),
            "both" => Ok(Self::Both),
            _ => Err(Error::parameter(format!(
                "{text} is none of yes, no and both"
            ))),
        }
    }
}

/// A set of tags.
pub type Variant = BTreeSet<Tag>;

/// Name of a variant's folder: the dither position, or `combined`, and the tags.
pub fn folder(dither: Option<i64>, variant: &Variant) -> String {
    let first = dither.map_or_else(|| "combined".to_owned(), |d| format!("d{d}"));
    variant
        .iter()
        .fold(first, |name, tag| name + "_" + tag.name())
}

/// All variants that the toggles ask for, plain ones first.
pub fn wanted(toggles: &[(Tag, Toggle)]) -> Vec<Variant> {
    let mut out = vec![Variant::new()];
    for &(tag, toggle) in toggles {
        let with = |v: &Variant| v.iter().copied().chain([tag]).collect::<Variant>();
        match toggle {
            Toggle::No => {}
            Toggle::Yes => out = out.iter().map(with).collect(),
            Toggle::Both => {
                let more: Vec<Variant> = out.iter().map(with).collect();
                out.extend(more);
            }
        }
    }
    out
}

/// The variants without some tags, each once, in order.
pub fn without(variants: &[Variant], drop: impl Fn(Tag) -> bool) -> Vec<Variant> {
    let mut out = Vec::new();
    for variant in variants {
        let left: Variant = variant.iter().copied().filter(|t| !drop(*t)).collect();
        if !out.contains(&left) {
            out.push(left);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_variants() {
        let toggles = [
            (Tag::Bg, Toggle::Both),
            (Tag::Fringe, Toggle::No),
            (Tag::Fringe1d, Toggle::Both),
            (Tag::Psf, Toggle::Yes),
        ];
        let all = wanted(&toggles);
        let names: Vec<String> = all.iter().map(|v| folder(Some(2), v)).collect();
        assert_eq!(
            names,
            [
                "d2_psf",
                "d2_bg_psf",
                "d2_fringe1d_psf",
                "d2_bg_fringe1d_psf"
            ]
        );
        let before: Vec<String> = without(&all, Tag::of_cubes)
            .iter()
            .map(|v| folder(None, v))
            .collect();
        assert_eq!(before, ["combined", "combined_bg"]);
    }

    #[test]
    fn toggles_are_three_words() {
        assert_eq!("both".parse::<Toggle>().unwrap(), Toggle::Both);
        assert!("maybe".parse::<Toggle>().is_err());
    }
}
