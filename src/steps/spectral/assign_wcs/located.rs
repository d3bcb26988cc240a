//! Where an exposure's pixels are, and what that depends on besides the reference files.

use std::sync::{Arc, OnceLock};

use crate::formats::asdf::Node;
use crate::formats::fits::Hdu;
use crate::model::{Cal, DetectorMap};
use crate::wcs::footprint::Footprint;
use crate::wcs::nirspec::Setting;
use crate::wcs::pointing::Pointing;

/// What the places of pixels depend on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    /// Where the telescope looked.
    pub pointing: Pointing,
    /// Rows and columns.
    pub shape: (usize, usize),
    /// How a NIRSpec exposure was taken; MIRI's setting is that of its references.
    pub setting: Option<Setting>,
}

/// What only NIRSpec's products carry.
pub(super) struct OfNirspec {
    /// The image of slices' numbers.
    pub regions: Hdu,
    /// Spectral order.
    pub order: i64,
    /// Range of wavelengths in metre.
    pub range: [f64; 2],
}

/// Where an exposure's pixels are.
pub(super) struct Located {
    pub key: Key,
    pub wcs: Arc<Node>,
    pub map: Arc<DetectorMap>,
    pub footprint: Footprint,
    pub nirspec: Option<OfNirspec>,
}

impl Located {
    /// Sets them.
    pub fn place(&self, input: &mut Cal) {
        input.wcs = Some(Arc::clone(&self.wcs));
        input.map = OnceLock::from(Arc::clone(&self.map));
    }

    /// The keywords, and the image of slices.
    pub fn stamp(&self, input: &mut Cal) {
        input.spectral_region = Some(self.footprint.lambda.into());
        let sci = &mut input.meta.sci;
        sci.set_after(
            "CDELT3",
            "S_REGION",
            self.footprint.s_region().as_str(),
            "Spatial footprint of the observation",
        );
        let dispaxis = (
            "DISPAXIS",
            if self.nirspec.is_some() { 1i64 } else { 2 },
            "Dispersion direction",
        );
        let mut behind = "DISPAXIS";
        match &self.nirspec {
            None => sci.set_after("S_REGION", dispaxis.0, dispaxis.1, dispaxis.2),
            Some(n) => {
                let [start, end] = n.range;
                let low = "Lower bound of the default wavelength range";
                let high = "Upper bound of the default wavelength range";
                sci.set_after("S_REGION", "WAVSTART", start, low);
                sci.set_after("WAVSTART", "WAVEND", end, high);
                sci.set_after("WAVEND", dispaxis.0, dispaxis.1, dispaxis.2);
                sci.set_after("DISPAXIS", "SPORDER", n.order, "Spectral order number");
                behind = "ROLL_REF";
                input
                    .extra
                    .retain(|h| h.header.str("EXTNAME") != Some("REGIONS"));
                input.extra.push(n.regions.clone());
            }
        }
        if sci.card("VELOSYS").is_some() {
            behind = "VELOSYS";
        }
        sci.set_after(behind, "SPECSYS", "BARYCENT", "Spectral reference frame");
    }
}
