//! Why a column or a spectrum cannot be corrected: each is an exception in calwebb.

use std::fmt;

use crate::math::{lsq_spline, pchip};

/// Why there is no correction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// A value is infinite or NaN.
    Values,
    /// Too few values.
    TooFew,
    /// The data span fewer than five fringe periods.
    Periods,
    /// The knots of the background's spline do not suit the data.
    Knots,
    /// The background's fit does not settle.
    Background,
    /// The residuals are exactly 0, or there are none.
    Residuals,
    /// The weights add up to less than there are parameters.
    Weights,
    /// The equations of the fringe fit are singular.
    Singular,
    /// The fringe fit does not settle.
    Fringes,
    /// No fringe is significant.
    NoFringe,
    /// Fringes of the dichroics exist in channels 3 and 4 only.
    Dichroic,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Values => "a value is not finite",
            Self::TooFew => "there are too few values",
            Self::Periods => "the data span fewer than five fringe periods",
            Self::Knots => "the knots of the background do not suit the data",
            Self::Background => "the fit of the background did not converge",
            Self::Residuals => "nothing is left to fit fringes to",
            Self::Weights => "there are more parameters than weighted data",
            Self::Singular => "the equations of the fringe fit are singular",
            Self::Fringes => "the fringe fit did not converge",
            Self::NoFringe => "no fringe is significant",
            Self::Dichroic => "dichroic fringes are removed from channels 3 and 4 only",
        })
    }
}

impl std::error::Error for Failure {}

impl From<pchip::Unusable> for Failure {
    fn from(e: pchip::Unusable) -> Self {
        match e {
            pchip::Unusable::Places => Self::TooFew,
            pchip::Unusable::Values => Self::Values,
        }
    }
}

impl From<lsq_spline::Unusable> for Failure {
    fn from(_: lsq_spline::Unusable) -> Self {
        Self::Knots
    }
}
