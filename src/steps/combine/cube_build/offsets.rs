//! Corrections of pointings: the offset file (ASDF), and moving a point of the sky.

use std::path::Path;

use crate::formats::asdf::{AsdfFile, Node};
use crate::model::Cal;
use crate::{Error, Result};

/// Offsets on the sky.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Offset {
    /// Along right ascension (on the sphere) in arcsec.
    pub ra: f64,
    /// Along declination in arcsec.
    pub dec: f64,
}

impl Offset {
    /// A point (degrees) moved by the offset: its place in a frame whose origin is the point and whose axes are along right
    /// ascension and declination there.
    pub fn apply(&self, [ra, dec]: [f64; 2]) -> [f64; 2] {
        let (sl, cl) = (self.ra / 3600.0).to_radians().sin_cos();
        let (sb, cb) = (self.dec / 3600.0).to_radians().sin_cos();
        let (sr, cr) = ra.to_radians().sin_cos();
        let (sd, cd) = dec.to_radians().sin_cos();
        let [x, y, z] = [cb * cl, cb * sl, sb];
        let (x, z) = (x * cd - z * sd, x * sd + z * cd);
        let (x, y) = (x * cr - y * sr, x * sr + y * cr);
        [
            y.atan2(x).to_degrees().rem_euclid(360.0),
            z.atan2(x.hypot(y)).to_degrees(),
        ]
    }
}

/// Reads the offsets of exposures, in their order.
///
/// # Errors
/// [`Error::Parameter`] where the file is not as it should be or lacks an exposure; those of reading it.
pub fn read(path: &Path, exposures: &[Cal]) -> Result<Vec<Offset>> {
    let file = AsdfFile::open(path)?;
    let fault = |what: &str| {
        Error::parameter(format!(
            "offset_file {}: {what}; it needs the lists filename, raoffset and decoffset, all of the same length, and units: arcsec",
            path.display()
        ))
    };
    if file.tree().get("units").and_then(Node::as_str) != Some("arcsec") {
        return Err(fault("units is not arcsec"));
    }
    let list = |name: &str| {
        let found = file.tree().get(name).and_then(Node::as_sequence);
        found.ok_or_else(|| fault(&format!("there is no list {name}")))
    };
    let numbers = |name: &str| -> Result<Vec<f64>> {
        let numbers = list(name)?.iter().map(Node::as_f64);
        let all: Option<Vec<f64>> = numbers.collect();
        all.filter(|v| v.iter().all(|v| v.is_finite()))
            .ok_or_else(|| fault(&format!("{name} holds something else than numbers")))
    };
    let names = list("filename")?;
    let (ra, dec) = (numbers("raoffset")?, numbers("decoffset")?);
    if names.len() != ra.len() || ra.len() != dec.len() {
        return Err(fault("the lists differ in length"));
    }
    let of = |exposure: &Cal| {
        let own = exposure.meta.source.file_name();
        let own = own.map(|n| n.to_string_lossy().into_owned());
        let name = exposure
            .meta
            .str("FILENAME")
            .map(str::to_owned)
            .or_else(|| own.clone());
        let is = |n: &Node, name: &Option<String>| {
            n.as_str().is_some_and(|n| Some(n) == name.as_deref())
        };
        let at = names
            .iter()
            .position(|n| is(n, &name))
            .or_else(|| names.iter().position(|n| is(n, &own)))
            .ok_or_else(|| {
                fault(&format!(
                    "it has no entry for {}",
                    name.clone().unwrap_or_default()
                ))
            })?;
        Ok(Offset {
            ra: ra[at],
            dec: dec[at],
        })
    };
    exposures.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_offsets() {
        let o = Offset { ra: 3.6, dec: -1.8 };
        let [ra, dec] = o.apply([10.0, 60.0]);
        assert!((ra - 10.002).abs() < 1e-7, "{ra}");
        assert!((dec - 59.9995).abs() < 1e-7, "{dec}");
        let none = Offset { ra: 0.0, dec: 0.0 };
        let [ra, dec] = none.apply([359.5, -45.0]);
        assert!((ra - 359.5).abs() < 1e-12 && (dec + 45.0).abs() < 1e-12);
        assert!(none.apply([f64::NAN, 1.0])[0].is_nan());
    }
}
