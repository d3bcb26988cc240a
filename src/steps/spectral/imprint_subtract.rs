//! # imprint_subtract: subtract the light that leaks through the closed shutters
//!
//! ## What
//! Subtracts from an exposure of the NIRSpec IFU, and from each of its background members, an exposure taken with the IFU's aperture
//! closed (imprint, or leakcal).
//!
//! ## Why
//! The micro shutters let through a little light even when closed, and some are stuck open: spectra from all over the array
//! lie over those of the IFU.
//!
//! ## Algorithm
//! 1. The only imprint member is used for all. Of several, those are looked at whose target is a background as the exposure's
//!    (`BKGDTARG`): the first of the same observation and dither position (`OBSERVTN`, `PATT_NUM`) is used, else the only one there is.
//! 2. `SCI` of the imprint is subtracted and its flags are set in `DQ`. `ERR` and variances stay.
//!
//! ## Parameters
//! None.
//!
//! ## Reference files
//! None.
//!
//! ## Skipped when
//! the association has no imprint members, or none that matches the exposure (background members that have one are subtracted from
//! nonetheless).
//!
//! ## Differs from jwst
//! An imprint of another detector, grating, filter or part of the detector is an error; jwst subtracts it.
//!
//! ## References
//! jwst 3.0.0 `imprint`.

use super::members;
use crate::Result;
use crate::exec::Exec;
use crate::model::{Cal, Observation};
use crate::steps::step::{Info, RefPaths, Step, Target};

crate::params! {
    /// Parameters of imprint_subtract.
    pub struct ImprintSubtractParams {}
}

/// The step.
pub struct ImprintSubtract;

impl Step for ImprintSubtract {
    const INFO: Info = Info {
        name: "imprint_subtract",
        class: "ImprintStep",
        keyword: "S_IMPRNT",
        title: "NIRSpec MSA Imprint Subtraction",
        skip: false,
        references: &[],
    };
    const SOURCE: &'static str = include_str!("imprint_subtract.rs");
    type In = Observation;
    type Out = Observation;
    type Params = ImprintSubtractParams;
    type Refs = ();

    fn not_applicable(input: &Observation, _: &Self::Params) -> Result<Option<String>> {
        let none = input.imprint.is_empty();
        Ok(none.then(|| "there are no imprint exposures".into()))
    }

    fn load(_: &RefPaths, _: &Target, _: &Self::Params) -> Result<()> {
        Ok(())
    }

    fn not_usable(input: &Observation, (): &(), _: &Self::Params) -> Result<Option<String>> {
        for imprint in &input.imprint {
            members::check(&input.science, imprint)?;
        }
        for background in &input.background {
            members::check(&input.science, background)?;
        }
        let none = matching(&input.science, &input.imprint).is_none();
        Ok(none
            .then(|| "no imprint exposure is of the same observation and dither position".into()))
    }

    fn leave(mut input: Observation, (): &()) -> Observation {
        for background in &mut input.background {
            subtract(background, &input.imprint);
        }
        input
    }

    fn run(mut input: Observation, (): &(), _: &Self::Params, _: &Exec) -> Result<Observation> {
        subtract(&mut input.science, &input.imprint);
        Ok(Self::leave(input, &()))
    }
}

/// The imprint that belongs to an exposure.
fn matching<'a>(cal: &Cal, imprints: &'a [Cal]) -> Option<&'a Cal> {
    if let [only] = imprints {
        return Some(only);
    }
    let background = |c: &Cal| c.meta.get("BKGDTARG").and_then(|v| v.as_bool());
    let place = |c: &Cal| {
        let observation = c.meta.str("OBSERVTN").map(str::to_owned);
        (observation, c.meta.i64("PATT_NUM"))
    };
    let alike = || imprints.iter().filter(|i| background(i) == background(cal));
    let exact = alike().find(|i| place(i) == place(cal));
    exact.or_else(|| alike().next().filter(|_| alike().count() == 1))
}

/// Subtracts from an exposure the imprint that belongs to it, if there is one.
fn subtract(cal: &mut Cal, imprints: &[Cal]) {
    let Some(imprint) = matching(cal, imprints) else {
        tracing::warn!(
            "imprint_subtract: none belongs to {}",
            cal.meta.source.display()
        );
        return;
    };
    tracing::info!(
        "imprint_subtract: {} from {}",
        imprint.meta.source.display(),
        cal.meta.source.display()
    );
    for (sci, leak) in cal.sci.iter_mut().zip(&imprint.sci) {
        *sci -= leak;
    }
    for (dq, flags) in cal.dq.iter_mut().zip(&imprint.dq) {
        *dq |= flags;
    }
}

#[cfg(test)]
mod tests {
    use super::super::members::tests::row;
    use super::*;
    use crate::model::dq;

    fn exposure(value: f32, background: bool, observation: &str, position: i64) -> Cal {
        let mut cal = row(&[value, f32::NAN, value]);
        let h = &mut cal.meta.primary;
        h.set("BKGDTARG", background, "");
        h.set("OBSERVTN", observation, "");
        h.set("PATT_NUM", position, "");
        cal
    }

    fn of(science: Cal, background: Vec<Cal>, imprint: Vec<Cal>) -> Observation {
        Observation {
            science,
            background,
            selfcal: Vec::new(),
            imprint,
        }
    }

    fn run(input: Observation) -> Observation {
        let exec = Exec::new(Some(1)).unwrap();
        ImprintSubtract::run(input, &(), &ImprintSubtractParams {}, &exec).unwrap()
    }

    fn unusable(input: &Observation) -> Option<String> {
        ImprintSubtract::not_usable(input, &(), &ImprintSubtractParams {}).unwrap()
    }

    #[test]
    fn the_only_one_serves_all_members() {
        let mut leak = exposure(1.0, false, "009", 4);
        leak.dq = vec![dq::SATURATED, 0, 0];
        let background = exposure(5.0, true, "002", 1);
        let out = run(of(
            exposure(10.0, false, "001", 1),
            vec![background],
            vec![leak],
        ));
        assert_eq!((out.science.sci[0], out.background[0].sci[2]), (9.0, 4.0));
        assert!(out.science.sci[1].is_nan());
        assert_eq!(out.science.dq, [dq::SATURATED, 0, 0]);
        // errors stay
        assert_eq!((out.science.err[0], out.science.var_rnoise[0]), (1.0, 0.75));
    }

    #[test]
    fn of_several_that_of_the_same_place() {
        let leaks = || {
            vec![
                exposure(3.0, true, "001", 2),
                exposure(1.0, false, "001", 1),
                exposure(2.0, false, "001", 2),
            ]
        };
        let out = run(of(exposure(10.0, false, "001", 2), Vec::new(), leaks()));
        assert_eq!(out.science.sci[0], 8.0);
        // the only one of a background
        let background = exposure(10.0, true, "007", 1);
        let input = of(exposure(10.0, false, "002", 1), vec![background], leaks());
        assert!(unusable(&input).is_some());
        let left = ImprintSubtract::leave(input, &());
        assert_eq!(
            (left.science.sci[0], left.background[0].sci[0]),
            (10.0, 7.0)
        );
        assert!(unusable(&of(exposure(1.0, true, "001", 9), Vec::new(), leaks())).is_none());
    }

    #[test]
    fn an_imprint_of_another_detector_is_refused() {
        let mut leak = exposure(1.0, false, "001", 1);
        leak.meta.primary.set("DETECTOR", "NRS2", "");
        let mut science = exposure(1.0, false, "001", 1);
        science.meta.primary.set("DETECTOR", "NRS1", "");
        let input = of(science, Vec::new(), vec![leak]);
        let params = ImprintSubtractParams {};
        assert!(ImprintSubtract::not_usable(&input, &(), &params).is_err());
    }
}
