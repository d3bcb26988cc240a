//! Moving targets: exposures aligned on the target's average position (jwst 3.0.0 `assign_mtwcs`).

use super::gwcs::Gwcs;
use super::transform::Transform;
use crate::math::pairwise_sum::pairwise_sum;
use crate::model::Meta;
use crate::{Error, Result};

/// Name of the frame in which the target stands still.
const FRAME: &str = "moving_target";

/// The target's right ascension and declination in degrees, averaged over exposures; none if one of them does not say
/// (`MT_RA`, `MT_DEC`), or there are none: then calwebb leaves them as they are. Right ascensions on both sides of 0 are
/// averaged across it.
pub fn average_position<'a>(exposures: impl Iterator<Item = &'a Meta>) -> Option<(f64, f64)> {
    let (mut ra, dec): (Vec<f64>, Vec<f64>) = exposures
        .map(|m| Some((m.f64("MT_RA")?, m.f64("MT_DEC")?)))
        .collect::<Option<_>>()?;
    let (first, n) = (*ra.first()?, ra.len() as f64);
    let across = ra.iter().any(|v| (v - first).abs() > 180.0);
    if across {
        let west = ra.iter_mut().filter(|v| **v < 180.0);
        west.for_each(|v| *v += 360.0);
    }
    let mut average = pairwise_sum(&ra) / n;
    if across && average >= 360.0 {
        average -= 360.0;
    }
    Some((average, pairwise_sum(&dec) / n))
}

/// The WCS with a further frame `moving_target`, in which the target at `position` is at its `average` (degrees). As in
/// calwebb the shift is one of the coordinates, not of the sphere.
///
/// # Errors
/// [`Error::Input`] where the WCS has the frame already, or its world is no sky.
pub fn with_target_frame(wcs: Gwcs, average: (f64, f64), position: (f64, f64)) -> Result<Gwcs> {
    let rest = wcs.n_outputs().checked_sub(2);
    let (Some(world), Some(rest)) = (wcs.steps().last(), rest) else {
        return Err(Error::input(
            "its WCS does not lead to the sky; the target's position cannot be aligned",
        ));
    };
    if wcs.steps().iter().any(|s| s.frame.name == FRAME) {
        return Err(Error::input(
            "its WCS has the frame moving_target already; give exposures (_cal) that have not been through \
             assign_mtwcs",
        ));
    }
    let mut east = average.0 - position.0;
    if east.abs() > 180.0 {
        east -= 360.0_f64.copysign(east);
    }
    let shift = Transform::shift(east).beside(Transform::shift(average.1 - position.1));
    let mut shift = match rest {
        0 => shift,
        n => shift.beside(Transform::identity(n)),
    };
    if rest == 2 {
        // by its name calwebb finds the input that is the number of the slice
        let names = ["ra", "dec", "lam", "name"].map(str::to_owned).to_vec();
        (shift.inputs, shift.outputs) = (Some(names.clone()), Some(names));
    }
    let frame = world.frame.renamed(FRAME);
    Ok(wcs.extended(shift, frame))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::fits::Header;

    fn meta(position: Option<(f64, f64)>) -> Meta {
        let mut sci = Header::new();
        if let Some((ra, dec)) = position {
            sci.set("MT_RA", ra, "");
            sci.set("MT_DEC", dec, "");
        }
        Meta {
            sci,
            ..Meta::default()
        }
    }

    #[test]
    fn averages() {
        let (a, b) = (meta(Some((10.0, -1.0))), meta(Some((11.0, -4.0))));
        let both = [a.clone(), b];
        assert_eq!(average_position(both.iter()), Some((10.5, -2.5)));
        assert_eq!(average_position([a, meta(None)].iter()), None);
        assert_eq!(average_position([].iter()), None);
        let across = [359.5, 1.5, 0.5].map(|ra| meta(Some((ra, 2.0))));
        assert_eq!(average_position(across.iter()), Some((0.5, 2.0)));
    }
}
