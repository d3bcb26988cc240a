//! Detector steps (calwebb_detector1), one file or folder each.

pub mod charge_migration;
pub mod clean_flicker_noise;
pub mod dark_current;
pub mod dq_init;
pub mod emicorr;
pub mod firstframe;
pub mod gain_scale;
pub mod group_scale;
pub mod ipc;
pub mod jump;
pub mod lastframe;
pub mod linearity;
pub mod persistence;
pub mod picture_frame;
pub mod ramp_fit;
pub mod reference_planes;
pub mod refpix;
pub mod reset;
pub mod rscd;
pub mod saturation;
pub mod superbias;
