//! Images of whatever kind: what steps take that work on the groups of an exposure as well as on its count rates.

use crate::model::{Observation, Ramp, Rate};
use crate::steps::step::{Model, Status};
use crate::{Error, Result};

/// An exposure before or after its slopes are fitted.
#[derive(Debug, Clone)]
pub enum Images {
    /// Groups.
    Ramp(Box<Ramp>),
    /// Count rates.
    Rate(Box<Rate>),
    /// Count rates of an exposure and of the other members of its association.
    Observation(Box<Observation>),
}

impl TryFrom<Model> for Images {
    type Error = Error;
    fn try_from(model: Model) -> Result<Self> {
        Ok(match model {
            Model::Ramp(ramp) => Self::Ramp(ramp),
            Model::Rate(rate) => Self::Rate(rate),
            other => Self::Observation(Box::new(other.try_into()?)),
        })
    }
}

impl From<Images> for Model {
    fn from(images: Images) -> Self {
        match images {
            Images::Ramp(ramp) => Self::Ramp(ramp),
            Images::Rate(rate) => Self::Rate(rate),
            Images::Observation(observation) => Self::Observation(observation),
        }
    }
}

impl Images {
    /// Headers of the exposure.
    pub fn meta(&self) -> &crate::model::Meta {
        match self {
            Self::Ramp(ramp) => &ramp.meta,
            Self::Rate(rate) => &rate.meta,
            Self::Observation(observation) => &observation.science.meta,
        }
    }
}

/// Images that a step has worked on, and how it ended.
#[derive(Debug, Clone)]
pub struct Cleaned {
    /// The images; as they were where the step could not be done.
    pub images: Images,
    /// How it ended.
    pub status: Status,
}

impl From<Cleaned> for Model {
    fn from(cleaned: Cleaned) -> Self {
        cleaned.images.into()
    }
}
