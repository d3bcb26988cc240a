//! What jwst sets differently for the detectors: how slices lie, and how finely their splines go.

use super::slice::{Layout, Slice, extent};
use crate::model::Meta;
use crate::{Error, Result};

/// In which order lines are fitted: a fit that fails takes over the last one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// From both ends to the middle.
    Inwards,
    /// From the first to the last.
    Forwards,
    /// From the last to the first.
    Backwards,
}

/// How many spacings of knots a spline has, and how many valid pixels a line needs more than.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Knots {
    /// So many.
    Fixed(usize, usize),
    /// So many for each pixel of the slice's extent.
    PerPixel(f32, f32),
}

/// The settings of an exposure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mode {
    /// How lines lie on the detector.
    pub layout: Layout,
    /// Lines before and behind whose pixels a spline goes through.
    pub around: usize,
    /// Gaps between pixels may be this much larger than those between knots.
    pub gaps: f32,
    /// Pixels around a peak that belong to the source.
    pub pad: f32,
    /// Whether oversampled splines lose their ends.
    pub trimmed: bool,
    order: Order,
    knots: Knots,
}

impl Mode {
    /// The settings of an exposure.
    ///
    /// # Errors
    /// [`Error::Input`] where it is none of the MIRI MRS or the NIRSpec IFU.
    pub fn of(meta: &Meta) -> Result<Self> {
        if meta.is_miri() {
            return Ok(Self {
                layout: Layout::Rows,
                around: 50,
                gaps: 1.2,
                pad: 3.0,
                trimmed: false,
                order: Order::Inwards,
                knots: Knots::Fixed(36, 8),
            });
        }
        let prism = meta.need_str("GRATING")?.eq_ignore_ascii_case("PRISM");
        let order = match meta.need_str("DETECTOR")?.to_ascii_uppercase().as_str() {
            "NRS1" => Order::Forwards,
            "NRS2" => Order::Backwards,
            other => {
                return Err(Error::input_file(
                    &meta.source,
                    format!("keyword DETECTOR = {other} is neither NRS1 nor NRS2"),
                ));
            }
        };
        Ok(Self {
            layout: Layout::Columns,
            around: if prism { 10 } else { 50 },
            gaps: 1.6,
            pad: 2.0,
            trimmed: true,
            order,
            knots: match prism {
                true => Knots::PerPixel(1.0, 0.25),
                false => Knots::PerPixel(2.0, 0.5),
            },
        })
    }

    /// The spacings of knots of a slice, and the number of valid pixels that is not enough.
    pub fn knots(&self, slice: &Slice) -> (usize, usize) {
        match self.knots {
            Knots::Fixed(knots, enough) => (knots, enough),
            Knots::PerPixel(knots, enough) => {
                let (low, high) = extent(&slice.alpha);
                let pixels = (high - low) / slice.pixel();
                ((knots * pixels) as usize, (enough * pixels) as usize)
            }
        }
    }

    /// The lines in the order in which they are fitted.
    pub fn order(&self, lines: usize) -> Box<dyn Iterator<Item = usize>> {
        let middle = lines / 2;
        match self.order {
            Order::Inwards => Box::new((0..lines.min(middle + 1)).chain((middle + 1..lines).rev())),
            Order::Forwards => Box::new(0..lines),
            Order::Backwards => Box::new((0..lines).rev()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(instrument: &str, detector: &str, grating: &str) -> Meta {
        let mut meta = Meta::default();
        meta.primary.set("INSTRUME", instrument, "");
        meta.primary.set("DETECTOR", detector, "");
        meta.primary.set("GRATING", grating, "");
        meta
    }

    #[test]
    fn orders_of_lines() {
        let of = |i: &str, d: &str| {
            let mode = Mode::of(&meta(i, d, "G395H")).unwrap();
            mode.order(5).collect::<Vec<_>>()
        };
        assert_eq!(of("MIRI", "MIRIFULONG"), [0, 1, 2, 4, 3]);
        assert_eq!(of("NIRSPEC", "NRS1"), [0, 1, 2, 3, 4]);
        assert_eq!(of("NIRSPEC", "NRS2"), [4, 3, 2, 1, 0]);
        assert!(Mode::of(&meta("NIRSPEC", "NRS3", "G395H")).is_err());
    }

    #[test]
    fn knots_by_pixels() {
        let slice = Slice {
            label: 1,
            lines: 1,
            width: 6,
            first: 0,
            n: 5,
            flux: vec![0.0; 5],
            err: vec![0.0; 5],
            alpha: vec![0.0, 0.5, 1.0, 1.5, 2.0],
            inside: vec![true; 5],
        };
        let of = |g: &str| Mode::of(&meta("NIRSPEC", "NRS1", g)).unwrap().knots(&slice);
        assert_eq!(of("G395H"), (8, 2));
        assert_eq!(of("PRISM"), (4, 1));
        assert_eq!(
            Mode::of(&meta("MIRI", "", "")).unwrap().knots(&slice),
            (36, 8)
        );
    }
}
