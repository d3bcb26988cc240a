//! Steps of calwebb_spec2 on one exposure's image: from count rates to surface brightness.

pub mod assign_wcs;
pub mod badpix_selfcal;
pub mod bkg_subtract;
pub mod flat_field;
pub mod fringe;
pub mod imprint_subtract;
pub(super) mod members;
pub mod msa_flagging;
pub mod pathloss;
pub mod photom;
pub mod residual_fringe;
pub(in crate::steps) mod side_products;
pub mod srctype;
pub mod straylight;
