//! Why a fit has no result.

use std::fmt;

/// Why nothing constrains the pointing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Refusal {
    /// The body's geometry is not finite.
    Geometry,
    /// The PSF has no width.
    Psf,
    /// Too few valid spaxels (that many).
    Empty(usize),
    /// All spaxels have the same brightness.
    Uniform,
    /// No offset explains the image better than an empty sky.
    NoBody,
    /// The limb is not in the field.
    NoLimb,
    /// Rings, or their shadow, may be in all the spaxels.
    Rings,
    /// The best offset is farther than was to be looked.
    Beyond {
        /// How far, arcsec.
        offset: f64,
        /// How far was to be looked, arcsec.
        search: f64,
    },
    /// The error is too large (arcsec) in every direction.
    Weak(f64),
    /// What is seen is not such a body.
    Misfit,
    /// The offsets of single images disagree by so many times their errors.
    Disagree(f64),
    /// So large a share of an image speaks against the offset of the others.
    Contradiction(f64),
    /// The steps did not come to an end.
    NotConverged,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Geometry => write!(f, "the body's geometry is not finite"),
            Self::Psf => write!(f, "the width of the PSF is not a positive number"),
            Self::Empty(n) => write!(f, "only {n} spaxels are valid"),
            Self::Uniform => write!(f, "the image is uniform"),
            Self::NoBody => write!(f, "no body stands out from the sky and the noise"),
            Self::NoLimb => write!(f, "the limb is not in the field"),
            Self::Rings => write!(f, "rings or their shadow may be in all spaxels"),
            Self::Beyond { offset, search } => write!(
                f,
                "the best offset, {offset:.2} arcsec, is beyond the {search:.2} arcsec that are searched"
            ),
            Self::Weak(error) => write!(
                f,
                "the image does not constrain the offset (error {error:.2} arcsec at best)"
            ),
            Self::Misfit => write!(f, "what is seen does not look like the body"),
            Self::Disagree(factor) => write!(
                f,
                "the images contradict each other: their offsets differ by {factor:.1} times their errors"
            ),
            Self::Contradiction(share) => write!(
                f,
                "the images contradict each other: {:.0} % of one does not fit the offset of the others",
                100.0 * share
            ),
            Self::NotConverged => write!(f, "the fit does not converge"),
        }
    }
}
