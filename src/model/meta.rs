//! Metadata of a product: its primary and `SCI` headers, read by FITS keyword or metadata path.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::keywords;
use crate::formats::asdf::Node;
use crate::formats::fits::{Card, Header, Value};
use crate::{Error, Result};

/// Headers of one exposure and the file they came from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Meta {
    /// The file this exposure was read from (for messages and product names).
    pub source: PathBuf,
    /// Primary header.
    pub primary: Header,
    /// Header of the `SCI` extension.
    pub sci: Header,
    /// What the file says of its making by this program: `meta.sifu` of its tree.
    pub history: Option<Arc<Node>>,
}

impl Meta {
    /// Value of a keyword, from the primary header or else from `SCI`.
    pub fn get(&self, keyword: &str) -> Option<&Value> {
        self.primary.get(keyword).or_else(|| self.sci.get(keyword))
    }
    /// Text value.
    pub fn str(&self, keyword: &str) -> Option<&str> {
        self.get(keyword)?.as_str()
    }
    /// Number.
    pub fn f64(&self, keyword: &str) -> Option<f64> {
        self.get(keyword)?.as_f64()
    }
    /// Whole number.
    pub fn i64(&self, keyword: &str) -> Option<i64> {
        self.get(keyword)?.as_i64()
    }

    fn missing(&self, keyword: &str, kind: &str) -> Error {
        let what = match self.get(keyword) {
            Some(v) => format!("keyword {keyword} = {} is not {kind}", v.plain()),
            None => format!("keyword {keyword} is missing"),
        };
        let path = keywords::path(keyword)
            .map(|p| format!(" ({p})"))
            .unwrap_or_default();
        Error::input_file(
            &self.source,
            format!("{what}{path}; the file cannot be calibrated without it"),
        )
    }

    /// Text value that must be there.
    ///
    /// # Errors
    /// [`Error::Input`] naming file and keyword.
    pub fn need_str(&self, keyword: &str) -> Result<&str> {
        self.str(keyword)
            .ok_or_else(|| self.missing(keyword, "text"))
    }
    /// Number that must be there.
    ///
    /// # Errors
    /// [`Error::Input`] naming file and keyword.
    pub fn need_f64(&self, keyword: &str) -> Result<f64> {
        self.f64(keyword)
            .ok_or_else(|| self.missing(keyword, "a number"))
    }
    /// Whole number that must be there.
    ///
    /// # Errors
    /// [`Error::Input`] naming file and keyword.
    pub fn need_i64(&self, keyword: &str) -> Result<i64> {
        self.i64(keyword)
            .ok_or_else(|| self.missing(keyword, "a whole number"))
    }
    /// Whole number of at least one that must be there.
    ///
    /// # Errors
    /// [`Error::Input`] naming file and keyword.
    pub fn need_count(&self, keyword: &str) -> Result<usize> {
        let n = self.need_i64(keyword)?;
        usize::try_from(n).ok().filter(|n| *n > 0).ok_or_else(|| {
            Error::input_file(
                &self.source,
                format!("keyword {keyword} = {n} must be at least 1"),
            )
        })
    }

    /// Whether this is a MIRI exposure.
    pub fn is_miri(&self) -> bool {
        self.str("INSTRUME")
            .is_some_and(|i| i.eq_ignore_ascii_case("MIRI"))
    }

    /// File name without its product suffix (`jw..._mirifulong` of `jw..._mirifulong_uncal.fits`):
    /// calwebb's suffixes, which are also the names of steps.
    pub fn root(&self) -> String {
        let name = self
            .source
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        let stem = name.strip_suffix(".gz").unwrap_or(&name);
        let stem = stem.strip_suffix(".fits").unwrap_or(stem);
        let known = keywords::KEYWORDS
            .iter()
            .filter_map(|(path, ..)| path.strip_prefix("cal_step."));
        let suffix = [
            "uncal",
            "ramp",
            "rate",
            "rateints",
            "bsub",
            "bsubints",
            "mbsub",
            "cal",
            "calints",
            "crf",
            "crfints",
            "s3d",
            "x1d",
            "x1dints",
            "c1d",
            "dark",
            "dark_current",
            "median",
            "phot",
            "rampfit",
        ]
        .into_iter()
        .chain(known);
        let root = suffix
            .filter_map(|s| stem.strip_suffix(s)?.strip_suffix('_'))
            .min_by_key(|r| r.len());
        root.unwrap_or(stem).to_owned()
    }

    /// Everything CRDS may ask for: `META.INSTRUMENT.DETECTOR` and so on, as text.
    pub fn crds_parameters(&self) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        for (path, keyword, hdu) in keywords::KEYWORDS {
            let header = match *hdu {
                "PRIMARY" => &self.primary,
                "SCI" => &self.sci,
                _ => continue,
            };
            let value = header.get(keyword).or_else(|| self.get(keyword));
            if let Some(v) = value {
                out.insert(format!("META.{}", path.to_ascii_uppercase()), v.plain());
            }
        }
        out
    }

    /// Sets a primary keyword that belongs to a block (`S_` cards and so on), the block under its title.
    pub fn set_in_block(
        &mut self,
        title: &str,
        prefix: &str,
        keyword: &str,
        value: impl Into<Value>,
        comment: &str,
    ) {
        let h = &mut self.primary;
        if h.card(keyword).is_some() {
            h.set(keyword, value, comment);
            return;
        }
        let last = h
            .cards()
            .iter()
            .rfind(|c| c.keyword.starts_with(prefix))
            .map(|c| c.keyword.clone());
        if let Some(last) = last {
            h.set_after(&last, keyword, value, comment);
        } else {
            for text in ["", title, ""] {
                h.push(Card::commentary("", text));
            }
            h.set(keyword, value, comment);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_of_product_names() {
        for (file, root) in [
            ("jw01_mirifulong_uncal.fits", "jw01_mirifulong"),
            ("jw01_mirifulong_dq_init.fits.gz", "jw01_mirifulong"),
            ("a/b/jw01_mirifulong_dark_current.fits", "jw01_mirifulong"),
            ("jw01_mirifulong_bsub.fits", "jw01_mirifulong"),
            ("my_planet.fits", "my_planet"),
        ] {
            let meta = Meta {
                source: file.into(),
                ..Meta::default()
            };
            assert_eq!(meta.root(), root);
        }
    }

    #[test]
    fn missing_keywords_are_named() {
        let meta = Meta {
            source: "x.fits".into(),
            ..Meta::default()
        };
        let said = meta.need_f64("TGROUP").unwrap_err().to_string();
        assert!(
            said.contains("x.fits")
                && said.contains("TGROUP")
                && said.contains("exposure.group_time"),
            "{said}"
        );
    }
}
