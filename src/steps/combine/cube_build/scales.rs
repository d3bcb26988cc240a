//! Sizes of a cube's voxels, its wavelengths, and how far pixels reach: from the parameters and the cubepar reference.

use super::cubepar::{Band, CubePar, Regions};
use super::geometry::{Reaches, Weighting};
use super::grid::Planes;
use super::selection::Setting;
use super::shepard::{Fall, Reach};
use super::{CubeBuildParams, OutputType, Weight};
use crate::{Error, Result};

/// What holds for one cube.
#[derive(Debug, Clone, PartialEq)]
pub struct Scales {
    /// Size of a spaxel in arcsec.
    pub spaxel: f64,
    /// Planes.
    pub planes: Planes,
    /// How pixels are combined.
    pub weighting: Weighting,
    /// Keywords `ROIS`, `ROIW`, `WPOWER`; none where there is no such value.
    pub keywords: Keywords,
}

/// What the header says of the weighting.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Keywords {
    /// Radius of the region of influence in arcsec.
    pub rois: Option<f64>,
    /// Half its length along the spectrum in micron.
    pub roiw: Option<f64>,
    /// Power of the weights.
    pub weight_power: Option<f64>,
}

/// Fewer exposures than this get larger regions.
const FULL_DITHER: usize = 4;

fn least(values: impl Iterator<Item = f64>) -> f64 {
    // NaN where one is NaN
    values.fold(
        f64::INFINITY,
        |m, v| if v < m || v.is_nan() { v } else { m },
    )
}

/// The value all of them have.
fn common(values: impl Iterator<Item = f64> + Clone) -> Option<f64> {
    let first = values.clone().next()?;
    let mut values = values;
    values.all(|v| v == first).then_some(first)
}

impl Scales {
    /// Scales of a cube of these channels and bands, or gratings and filters; `n` counts the channels of its exposures.
    ///
    /// # Errors
    /// [`Error::Parameter`] for impossible parameters, [`Error::Reference`] where the file lacks a value that is needed.
    pub fn new(
        params: &CubeBuildParams,
        settings: &[Setting],
        file: &CubePar,
        n: usize,
    ) -> Result<Self> {
        let bands = settings.iter().map(|s| file.band(*s));
        let bands: Vec<Band> = bands.collect::<Result<_>>()?;
        let Some(smallest) = bands
            .iter()
            .copied()
            .reduce(|a, b| if b.spaxel < a.spaxel { b } else { a })
        else {
            return Err(Error::input("there are no bands to make a cube of"));
        };
        let spaxel = if params.scalexy == 0.0 {
            smallest.spaxel
        } else {
            params.scalexy
        };
        let from = params
            .wavemin
            .unwrap_or_else(|| least(bands.iter().map(|b| b.range.0)));
        let to = params
            .wavemax
            .unwrap_or_else(|| -least(bands.iter().map(|b| -b.range.1)));
        let few = n < FULL_DITHER;
        let widen = |radius: f64| if few { radius * 1.5 } else { radius };
        let rois = match params.rois {
            0.0 if params.weighting == Weight::Emsm => smallest.regions.spatial,
            0.0 => widen(smallest.regions.spatial),
            own => own,
        };
        let of = |value: fn(&Regions) -> f64| bands.iter().map(move |b| value(&b.regions));
        let step = common(bands.iter().map(|b| b.step));
        let roiw = match params.roiw {
            0.0 if params.scalew == 0.0 => step.map(|_| bands[0].regions.spectral),
            0.0 => Some(least(of(|r| r.spectral))),
            own => Some(own),
        };
        let weight_power = match params.weight_power {
            0.0 if params.scalew == 0.0 => step.map(|_| bands[0].regions.power),
            0.0 => Some(least(of(|r| r.power))),
            own => Some(own),
        };
        // multi-band cubes have the planes of the file's table
        let linear = params.linear_wave && params.output_type != OutputType::Multi;
        if !linear {
            let (planes, regions) = table(file.table(settings), from, to, few)?;
            let weighting = table_weighting(params.weighting, &planes, &regions)?;
            let keywords = match params.weighting {
                Weight::Drizzle => DRIZZLE,
                _ => Keywords {
                    rois: None,
                    roiw: Some(mean(&regions)),
                    weight_power: weight_power.filter(|p| !p.is_nan()),
                },
            };
            return Ok(Self {
                spaxel,
                planes: Planes::Table(planes),
                weighting,
                keywords,
            });
        }
        let step = match (params.scalew, step) {
            (0.0, Some(step)) => step,
            (0.0, None) => {
                return Err(Error::parameter(
                    "cube_build: the bands of the cube differ in their steps in wavelength; give scalew, or output_type = multi",
                ));
            }
            (own, _) => own,
        };
        let (soft, scale) = if params.scalew == 0.0 {
            (bands[0].regions.soft, bands[0].regions.scale)
        } else {
            (least(of(|r| r.soft)), least(of(|r| r.scale)))
        };
        let planes = Planes::Linear { from, to, step };
        if params.weighting == Weight::Drizzle {
            return Ok(Self {
                spaxel,
                planes,
                weighting: Weighting::Drizzle,
                keywords: DRIZZLE,
            });
        }
        let there = |v: f64, what: &str| -> Result<f64> {
            if v.is_nan() {
                return Err(lacks(what));
            }
            Ok(v)
        };
        let roiw = there(roiw.unwrap_or(f64::NAN), "spectral region of influence")?;
        let fall = match params.weighting {
            Weight::Msm => Fall::Power {
                power: there(weight_power.unwrap_or(f64::NAN), "weight power")?,
                soft: there(soft, "softening radius")?,
            },
            _ => Fall::Exponential(there(scale, "scale radius")?),
        };
        let reach = Reach {
            spatial: there(rois, "spatial region of influence")?,
            spectral: roiw,
            fall,
        };
        Ok(Self {
            spaxel,
            planes,
            weighting: Weighting::Shepard(Reaches::One(reach)),
            keywords: Keywords {
                rois: Some(rois),
                roiw: Some(roiw),
                weight_power: weight_power.filter(|p| !p.is_nan()),
            },
        })
    }
}

/// calwebb writes zeros where there are no regions.
const DRIZZLE: Keywords = Keywords {
    rois: Some(0.0),
    roiw: Some(0.0),
    weight_power: Some(0.0),
};

fn lacks(what: &str) -> Error {
    Error::reference(format!(
        "the cubepar reference file has no {what} for these bands"
    ))
}

fn mean(regions: &[Regions]) -> f64 {
    let all: Vec<f64> = regions.iter().map(|r| r.spectral).collect();
    crate::math::pairwise_sum::pairwise_sum(&all) / all.len() as f64
}

/// The part of the file's table between two wavelengths.
fn table(
    table: &[(f64, Regions)],
    from: f64,
    to: f64,
    few: bool,
) -> Result<(Vec<f64>, Vec<Regions>)> {
    let all: Vec<f64> = table.iter().map(|t| t.0).collect();
    if all.iter().all(|w| w.is_nan()) {
        return Err(lacks("table of wavelengths"));
    }
    let nearest = |w: f64| {
        (0..all.len())
            .reduce(|best, i| {
                if (all[i] - w).abs() < (all[best] - w).abs() {
                    i
                } else {
                    best
                }
            })
            .unwrap_or(0)
    };
    let (mut first, mut last) = (nearest(from), nearest(to));
    if first > 1 && all[first] > from {
        first -= 1;
    }
    if last + 1 < all.len() && to > all[last] {
        last += 1;
    }
    if first > last {
        return Err(Error::parameter(format!(
            "cube_build: there are no planes between {from} and {to} micron; check wavemin and wavemax"
        )));
    }
    let regions = table[first..=last].iter().map(|t| {
        let mut regions = t.1;
        if few {
            regions.spatial *= 1.5;
        }
        regions
    });
    Ok((all[first..=last].to_vec(), regions.collect()))
}

fn table_weighting(weight: Weight, planes: &[f64], regions: &[Regions]) -> Result<Weighting> {
    let there = |value: fn(&Regions) -> f64, what: &str| {
        if regions.iter().all(|r| value(r).is_nan()) {
            Err(lacks(what))
        } else {
            Ok(())
        }
    };
    if weight == Weight::Drizzle {
        return Ok(Weighting::Drizzle);
    }
    there(|r| r.spatial, "spatial region of influence")?;
    there(|r| r.spectral, "spectral region of influence")?;
    let fall: fn(&Regions) -> Fall = if weight == Weight::Msm {
        there(|r| r.soft, "softening radius")?;
        there(|r| r.power, "weight power")?;
        |r| Fall::Power {
            power: r.power,
            soft: r.soft,
        }
    } else {
        there(|r| r.scale, "scale radius")?;
        |r| Fall::Exponential(r.scale)
    };
    let reaches = regions.iter().map(|r| Reach {
        spatial: r.spatial,
        spectral: r.spectral,
        fall: fall(r),
    });
    Ok(Weighting::Shepard(Reaches::Table(
        planes.to_vec(),
        reaches.collect(),
    )))
}
