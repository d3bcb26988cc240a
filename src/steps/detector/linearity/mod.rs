//! # linearity: straighten the response
//!
//! ## What
//! Evaluates a polynomial for every pixel that turns measured counts into counts proportional to the light.
//!
//! ## Why
//! The response of the detectors falls off as charge collects.
//!
//! ## Algorithm
//! 1. Pixels that the reference flags `NO_LIN_CORR`, that have a NaN among their coefficients or a linear
//!    term of 0 get the identity as polynomial; the latter two are flagged `NO_LIN_CORR` in `PIXELDQ`.
//!    The reference's flags are set in `PIXELDQ`.
//! 2. Every group gets the polynomial's value (Horner's scheme in single precision), except where it is
//!    flagged `SATURATED`: such counts stay.
//! 3. Groups that average several frames (`NFRAMES` > 1) of detectors whose reference holds inverse
//!    coefficients (`INV_COEFFS`; MIRI's have none) are corrected frame by frame: see [`reads`].
//!
//! ## Parameters
//! None.
//!
//! ## Reference files
//! `linearity`: `COEFFS` `[term][row][column]`, constant term first; `DQ`; `INV_COEFFS` where there are any.
//!
//! ## Skipped when
//! no reference applies.
//!
//! ## Differs from jwst
//! A `ZEROFRAME` extension is not corrected (MIRI and the IFU of NIRSpec have none). Frame times that
//! only an ASDF tree names (`read_times`) are not looked at.
//!
//! ## References
//! jwst 3.0.0 `linearity`, stcal 1.20 `linearity`; WFC3 Data Handbook 2.1, section 5.4.

pub mod reads;

use crate::exec::Exec;
use crate::model::Ramp;
use crate::model::dq::{NO_LIN_CORR, SATURATED};
use crate::model::reference::{RefFits, Window};
use crate::steps::step::{Info, RefPaths, Reference, Step, Target};
use crate::{Error, Result};

crate::params! {
    /// Parameters of linearity: none.
    pub struct LinearityParams {}
}

/// The step.
pub struct Linearity;

/// Polynomials of every pixel, ready for use.
#[derive(Debug, Clone, PartialEq)]
pub struct Coefficients {
    /// Planes `[term][row][column]`, constant term first.
    values: Vec<f32>,
    /// Pixels of a plane.
    plane: usize,
}

/// The reference: polynomials, their inverses where groups must be taken apart, and flags for `PIXELDQ`.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearityRef {
    forward: Coefficients,
    inverse: Option<Coefficients>,
    flags: Vec<u32>,
    /// Frames of a group, where `inverse` is given.
    nframes: usize,
}

impl Step for Linearity {
    const INFO: Info = Info {
        name: "linearity",
        class: "LinearityStep",
        keyword: "S_LINEAR",
        title: "Linearity Correction",
        skip: false,
        references: &[Reference {
            kind: "linearity",
            required: true,
        }],
    };
    const SOURCE: &'static str = include_str!("mod.rs");
    type In = Ramp;
    type Out = Ramp;
    type Params = LinearityParams;
    type Refs = LinearityRef;

    fn group_by_group(_: &Target, refs: &LinearityRef, _: &Self::Params) -> bool {
        refs.inverse.is_none()
    }

    fn load(paths: &RefPaths, target: &Target, _: &Self::Params) -> Result<LinearityRef> {
        let window = target.window()?;
        let file = RefFits::open("linearity", paths.need("linearity")?)?;
        let flags = file.dq(window, [0])?;
        let mut out = LinearityRef {
            forward: read(&file, "COEFFS", window)?,
            inverse: None,
            flags,
            nframes: 1,
        };
        if file.has("INV_COEFFS") {
            out.nframes = target.meta.need_count("NFRAMES")?;
            if out.nframes > 1 {
                out.inverse = Some(read(&file, "INV_COEFFS", window)?);
            }
        }
        // which pixels lack a correction is decided by the reference's own flags, before any are added
        let reference = out.flags.clone();
        out.forward.make_usable(&reference, &mut out.flags);
        if let Some(inverse) = &mut out.inverse {
            inverse.make_usable(&reference, &mut out.flags);
        }
        Ok(out)
    }

    fn run(mut input: Ramp, refs: &LinearityRef, _: &Self::Params, exec: &Exec) -> Result<Ramp> {
        if refs.inverse.is_some() && input.shape.ngroups < 2 {
            return Err(Error::input_file(
                &input.meta.source,
                "has one group of several frames; these can only be corrected frame by frame, which needs 2 groups",
            ));
        }
        input
            .pixeldq
            .iter_mut()
            .zip(&refs.flags)
            .for_each(|(p, r)| *p |= r);
        let rows = exec.strip_rows(input.shape.ny);
        let ngroups = input.shape.ngroups;
        exec.map(input.strips(rows), |mut strip| {
            let first = strip.y0 * strip.nx;
            for from in (0..strip.pixeldq.len()).step_by(CHUNK) {
                let pixels = from..(from + CHUNK).min(strip.pixeldq.len());
                let at = first + from;
                if let Some(inverse) = &refs.inverse {
                    for (data, dq) in strip
                        .data
                        .chunks_mut(ngroups)
                        .zip(strip.groupdq.chunks(ngroups))
                    {
                        let mut data: Vec<_> =
                            data.iter_mut().map(|d| &mut d[pixels.clone()]).collect();
                        let dq: Vec<_> = dq.iter().map(|d| &d[pixels.clone()]).collect();
                        reads::correct(&mut data, &dq, &refs.forward, inverse, at, refs.nframes);
                    }
                } else {
                    for (data, dq) in strip.data.iter_mut().zip(&strip.groupdq) {
                        linearize(
                            &mut data[pixels.clone()],
                            &dq[pixels.clone()],
                            &refs.forward,
                            at,
                        );
                    }
                }
            }
        });
        Ok(input)
    }
}

/// Pixels that are worked on at a time: their coefficients stay in the processor's cache from group to group.
const CHUNK: usize = 1024;

fn read(file: &RefFits, extname: &str, window: Window) -> Result<Coefficients> {
    let shape = file.shape(extname)?;
    match shape.as_slice() {
        [terms, _, _] if *terms >= 2 => {
            let values = file.planes(extname, window, 0..*terms)?;
            Ok(Coefficients {
                values,
                plane: window.ny * window.nx,
            })
        }
        _ => Err(file.error(format!(
            "{extname} has shape {shape:?}; at least two planes of coefficients are needed"
        ))),
    }
}

impl Coefficients {
    /// Number of terms.
    pub fn terms(&self) -> usize {
        self.values.len() / self.plane.max(1)
    }

    /// Coefficients of one term for `n` pixels from pixel `at` of the plane.
    pub fn term(&self, term: usize, at: usize, n: usize) -> &[f32] {
        let start = term * self.plane + at;
        &self.values[start..start + n]
    }

    /// Gives pixels without a correction the identity. `reference`: the reference's own flags; `flags`:
    /// where `NO_LIN_CORR` is set for NaN coefficients and a linear term of 0.
    pub fn make_usable(&mut self, reference: &[u32], flags: &mut [u32]) {
        let terms = self.terms();
        let mut nan = vec![false; self.plane];
        for term in self.values.chunks(self.plane.max(1)) {
            nan.iter_mut().zip(term).for_each(|(n, c)| *n |= c.is_nan());
        }
        for (p, (own, flag)) in reference.iter().zip(flags).enumerate() {
            let listed = own & NO_LIN_CORR != 0;
            let bad = !listed && (nan[p] || self.values[self.plane + p] == 0.0);
            if bad {
                *flag |= NO_LIN_CORR;
            }
            if bad || listed {
                for term in 0..terms {
                    self.values[term * self.plane + p] = if term == 1 { 1.0 } else { 0.0 };
                }
            }
        }
    }
}

/// Corrects some pixels of one group; `at` is the first one's place in the plane of coefficients.
pub fn linearize(data: &mut [f32], groupdq: &[u8], coefficients: &Coefficients, at: usize) {
    let mut buffer = [0f32; CHUNK];
    for (i, (data, dq)) in data
        .chunks_mut(CHUNK)
        .zip(groupdq.chunks(CHUNK))
        .enumerate()
    {
        let out = &mut buffer[..data.len()];
        evaluate(data, coefficients, at + i * CHUNK, out);
        for ((d, v), q) in data.iter_mut().zip(out).zip(dq) {
            *d = if q & SATURATED as u8 != 0 { *d } else { *v };
        }
    }
}

/// Values of the polynomials at `data` by Horner's scheme in single precision.
fn evaluate(data: &[f32], coefficients: &Coefficients, at: usize, out: &mut [f32]) {
    let (n, last) = (data.len(), coefficients.terms() - 1);
    for ((o, d), c) in out.iter_mut().zip(data).zip(coefficients.term(last, at, n)) {
        *o = c * d;
    }
    for term in (1..last).rev() {
        for ((o, d), c) in out.iter_mut().zip(data).zip(coefficients.term(term, at, n)) {
            *o = (*o + c) * d;
        }
    }
    for (o, c) in out.iter_mut().zip(coefficients.term(0, at, n)) {
        *o += c;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> (Coefficients, Vec<u32>) {
        // pixel 0: 1 + 2x + 0.5x^2; 1: flagged; 2: NaN in the last term; 3: no linear term
        let values = vec![
            1.0,
            5.0,
            0.0,
            9.0,
            2.0,
            7.0,
            1.0,
            0.0,
            0.5,
            3.0,
            f32::NAN,
            1.0,
        ];
        (
            Coefficients { values, plane: 4 },
            vec![0, NO_LIN_CORR | 4, 8, 0],
        )
    }

    #[test]
    fn pixels_without_correction_get_the_identity() {
        let (mut c, reference) = three();
        let mut flags = reference.clone();
        c.make_usable(&reference, &mut flags);
        assert_eq!(flags, [0, NO_LIN_CORR | 4, NO_LIN_CORR | 8, NO_LIN_CORR]);
        let mut data = [4.0, 4.0, 4.0, 4.0];
        linearize(&mut data, &[0; 4], &c, 0);
        assert_eq!(data, [17.0, 4.0, 4.0, 4.0]);
    }

    #[test]
    fn saturated_counts_stay_and_nan_stays() {
        let (mut c, reference) = three();
        c.make_usable(&reference, &mut [0; 4]);
        let mut data = [4.0];
        linearize(&mut data, &[SATURATED as u8], &c, 0);
        assert_eq!(data, [4.0]);
        let mut data = [f32::NAN];
        linearize(&mut data, &[1], &c, 0);
        assert!(data[0].is_nan());
    }

    #[test]
    fn horner_rounds_at_every_step() {
        let c = Coefficients {
            values: vec![0.1, 0.9, 1e-5, -1e-10],
            plane: 1,
        };
        let x = 54321.7f32;
        let mut data = [x];
        linearize(&mut data, &[0], &c, 0);
        let expected = ((-1e-10f32 * x + 1e-5f32) * x + 0.9f32) * x + 0.1f32;
        assert_eq!(data[0].to_bits(), expected.to_bits());
    }
}
