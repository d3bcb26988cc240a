//! Calibration steps, one file or folder each, and the one list of them.

pub mod combine;
pub mod detector;
pub mod images;
pub mod planet;
pub mod spectral;
pub mod step;

use step::{AnyStep, Entry};

/// Every step: calwebb's in the order in which they can first occur, then those of the planetary chain.
pub const ALL: &[&dyn AnyStep] = &[
    &Entry::<detector::group_scale::GroupScale>::new(),
    &Entry::<detector::dq_init::DqInit>::new(),
    &Entry::<detector::emicorr::EmiCorr>::new(),
    &Entry::<detector::saturation::Saturation>::new(),
    &Entry::<detector::ipc::Ipc>::new(),
    &Entry::<detector::superbias::SuperbiasStep>::new(),
    &Entry::<detector::firstframe::FirstFrame>::new(),
    &Entry::<detector::lastframe::LastFrame>::new(),
    &Entry::<detector::reset::Reset>::new(),
    &Entry::<detector::linearity::Linearity>::new(),
    &Entry::<detector::rscd::Rscd>::new(),
    &Entry::<detector::dark_current::DarkCurrent>::new(),
    &Entry::<detector::refpix::Refpix>::new(),
    &Entry::<detector::charge_migration::ChargeMigration>::new(),
    &Entry::<detector::jump::Jump>::new(),
    &Entry::<detector::picture_frame::PictureFrame>::new(),
    &Entry::<detector::clean_flicker_noise::CleanFlickerNoise>::new(),
    &Entry::<detector::persistence::Persistence>::new(),
    &Entry::<detector::ramp_fit::RampFit>::new(),
    &Entry::<detector::gain_scale::GainScale>::new(),
    &Entry::<spectral::assign_wcs::AssignWcs>::new(),
    &Entry::<spectral::badpix_selfcal::BadpixSelfcal>::new(),
    &Entry::<spectral::msa_flagging::MsaFlagging>::new(),
    &Entry::<spectral::imprint_subtract::ImprintSubtract>::new(),
    &Entry::<spectral::bkg_subtract::BkgSubtract>::new(),
    &Entry::<spectral::srctype::Srctype>::new(),
    &Entry::<spectral::straylight::Straylight>::new(),
    &Entry::<spectral::flat_field::FlatField>::new(),
    &Entry::<spectral::fringe::Fringe>::new(),
    &Entry::<spectral::pathloss::Pathloss>::new(),
    &Entry::<spectral::photom::Photom>::new(),
    &Entry::<spectral::residual_fringe::ResidualFringe>::new(),
    &Entry::<combine::assign_mtwcs::AssignMtwcs>::new(),
    &Entry::<combine::master_background::MasterBackground>::new(),
    &Entry::<combine::outlier_detection::OutlierDetection>::new(),
    &Entry::<combine::adaptive_trace_model::AdaptiveTraceModel>::new(),
    &Entry::<combine::pixel_replace::PixelReplace>::new(),
    &Entry::<combine::cube_build::CubeBuild>::new(),
    &Entry::<combine::extract_1d::Extract1d>::new(),
    &Entry::<combine::spectral_leak::SpectralLeak>::new(),
    &Entry::<planet::trim_groups::TrimGroups>::new(),
    &Entry::<planet::defringe_1d::Defringe1d>::new(),
    &Entry::<planet::psf::Psf>::new(),
    &Entry::<planet::desaturate::Desaturate>::new(),
    &Entry::<planet::flat::FlatApply>::new(),
    &Entry::<planet::despike::Despike>::new(),
    &Entry::<planet::background::Background>::new(),
];

/// The step of this name.
pub fn find(name: &str) -> Option<&'static dyn AnyStep> {
    ALL.iter().copied().find(|s| s.info().name == name)
}
