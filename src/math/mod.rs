//! Numerical kernels on slices: no threads, no files.

pub mod bspline;
pub mod cholesky;
pub mod clipped_stats;
pub mod dense;
pub mod dilate;
pub mod interpolate;
pub mod lsq_spline;
pub mod median;
pub mod median_filter;
pub mod moments;
pub mod nelder_mead;
pub mod numpy_fft;
pub mod pairwise_sum;
pub mod pchip;
pub mod percentile;
pub mod periodogram;
pub mod quantile;
pub mod regions;
pub mod ring_filter;
pub mod sigma_clip;
pub mod sin_cos;
pub mod sorting_network;
pub mod vector;
pub mod wave_sums;
pub mod wide;
