//! Where an observatory is by the keywords of its own product, for when its kernel is not there.
//!
//! JWST's products have its state about the solar-system barycentre (`JWST_X`, km) and about the centre of the Earth
//! (`OBSGEO-X`, m), both along J2000 axes at `EPH_TIME` (UTC). Ephemerides of planets are not good to the barycentre that the first one
//! counts from to better than some km; neither is it needed.

use super::aspect::Observer;
use super::kernels::Kernels;
use super::spk::State;
use crate::math::vector::{Vector, add, norm, scale, sub};
use crate::{Error, Result};

/// Code of JWST.
pub const JWST: i32 = -170;
/// Code of the Earth.
const EARTH: i32 = 399;
/// Farther from the Earth JWST is not, km.
const FARTHEST: f64 = 3e6;

/// An observer, and the words that a header says it with.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The observer.
    pub observer: Observer,
    /// Where its position is from: `kernel`, or the keywords.
    pub from: String,
    /// What to warn of.
    pub warning: Option<String>,
}

/// JWST at `et`: by its kernel where one covers the epoch, else by the keywords that `number` looks up.
///
/// # Errors
/// [`Error::Reference`] where there is neither, or keywords that put it far from the Earth: it says which kernel to fetch.
pub fn jwst(kernels: &Kernels, et: f64, number: impl Fn(&str) -> Option<f64>) -> Result<Found> {
    let missing = match kernels.barycentric(JWST, et) {
        Ok(_) => {
            return Ok(Found {
                observer: Observer::Body(JWST),
                from: "kernel".into(),
                warning: None,
            });
        }
        Err(e) => e.to_string(),
    };
    let earth = kernels.barycentric(EARTH, et)?;
    let three = |names: [&str; 3], unit: f64| -> Option<Vector> {
        let mut out = [0.0; 3];
        for (o, name) in out.iter_mut().zip(names) {
            *o = unit * number(name).filter(|v| v.is_finite())?;
        }
        Some(out)
    };
    // the keywords are for an epoch of their own
    let at = number("EPH_TIME").or(number("MJD-AVG"));
    let late = match at {
        Some(mjd) => {
            let t = kernels.et_of_utc(&format!("JD{:.9}", mjd + 2_400_000.5))?;
            if (et - t).abs() < 86_400.0 {
                et - t
            } else {
                0.0
            }
        }
        None => 0.0,
    };
    let moved = |s: State| State {
        position: add(s.position, scale(late, s.velocity)),
        velocity: s.velocity,
    };
    let barycentric = three(["JWST_X", "JWST_Y", "JWST_Z"], 1.0).map(|position| {
        moved(State {
            position,
            velocity: three(["JWST_DX", "JWST_DY", "JWST_DZ"], 1.0).unwrap_or(earth.velocity),
        })
    });
    let geocentric = three(["OBSGEO-X", "OBSGEO-Y", "OBSGEO-Z"], 1e-3).map(|position| {
        let velocity = three(["OBSGEODX", "OBSGEODY", "OBSGEODZ"], 1e-3).unwrap_or_default();
        moved(State { position, velocity }).plus(earth)
    });
    let sane = |s: &State| norm(sub(s.position, earth.position)) < FARTHEST;
    let good = |s: Option<State>| s.filter(sane);
    let found = |state: State, from: &str, warning: Option<String>| Found {
        observer: Observer::At(state),
        from: from.into(),
        warning,
    };
    match (good(barycentric), good(geocentric)) {
        (Some(a), Some(b)) => {
            let apart = norm(sub(a.position, b.position));
            let warning = (apart > 1000.0).then(|| {
                format!(
                    "JWST_X, Y, Z and OBSGEO-X, Y, Z of the header put JWST {apart:.0} km apart; the first are used"
                )
            });
            Ok(found(a, "JWST_X, JWST_Y, JWST_Z", warning))
        }
        (Some(a), None) => Ok(found(a, "JWST_X, JWST_Y, JWST_Z", None)),
        (None, Some(b)) => {
            let warning = barycentric.map(|_| {
                "JWST_X, Y, Z of the header are far from the Earth; OBSGEO-X, Y, Z are used"
                    .to_string()
            });
            Ok(found(b, "OBSGEO-X, OBSGEO-Y, OBSGEO-Z", warning))
        }
        (None, None) if barycentric.or(geocentric).is_some() => Err(Error::reference(format!(
            "{missing}; the position of JWST in the header (JWST_X, OBSGEO-X) is more than {FARTHEST:.0} km \
             from the Earth, and not used"
        ))),
        (None, None) => Err(Error::reference(format!(
            "{missing}; the header has no position of JWST (JWST_X, JWST_Y, JWST_Z) either"
        ))),
    }
}
