//! The WCS of an exposure's product, evaluated in bulk: every pixel, pixel edges, points between pixels.
//!
//! [`map_of`] gives the coordinates of all pixel centres of a [`Cal`] and keeps them in it; [`ExposureWcs`] evaluates the same tree at
//! any points: pixels to slice coordinates ([`ExposureWcs::local`]), slice coordinates to the sky ([`ExposureWcs::sky`]). Only the
//! product's tree is used, so products of Python's `jwst` serve as well as ours, and reference files are not needed.

use std::ops::Range;
use std::sync::Arc;

use super::gwcs::Gwcs;
use super::transform::{Kind, Transform};
use crate::formats::asdf::Node;
use crate::model::{Cal, DetectorMap};
use crate::{Error, Result};

/// Rows of the detector worked on at once: the points of one slice in them fill the nearest cache.
const ROWS: usize = 16;
/// Points of a list worked on at once.
const CHUNK: usize = 16_384;

/// The coordinates of every pixel by the WCS the exposure carries, computed once and kept in `cal.map`.
///
/// Right ascension and declination are those of the last frame: behind assign_mtwcs the target's.
///
/// # Errors
/// [`Error::Input`] naming the file where it carries no WCS (assign_wcs has not been run) or not one of slices.
pub fn map_of(cal: &Cal) -> Result<Arc<DetectorMap>> {
    if let Some(map) = cal.map.get() {
        return Ok(map.clone());
    }
    let map = ExposureWcs::of(cal)?
        .map(cal.ny, cal.nx)
        .map_err(|e| e.with_path(&cal.meta.source))?;
    Ok(cal.map.get_or_init(|| Arc::new(map)).clone())
}

/// The WCS of an exposure with slices: pixels, slice coordinates (frame `alpha_beta`), the sky (the last frame).
#[derive(Debug, Clone, PartialEq)]
pub struct ExposureWcs {
    gwcs: Gwcs,
    /// Number of the step whose transform chooses the slice; those before lead from oversampled pixels to the detector's.
    slicer: usize,
}

/// Frame of slice coordinates.
const LOCAL: &str = "alpha_beta";

impl ExposureWcs {
    /// The WCS of an exposure.
    ///
    /// # Errors
    /// As [`map_of`].
    pub fn of(cal: &Cal) -> Result<Self> {
        Self::from_node(cal.need_wcs()?).map_err(|e| e.with_path(&cal.meta.source))
    }

    /// The WCS of a gwcs node (`meta.wcs`).
    ///
    /// # Errors
    /// [`Error::Input`] where it is none, or none of slices.
    pub fn from_node(node: &Node) -> Result<Self> {
        let gwcs = Gwcs::from_node(node)?;
        let slicer = gwcs
            .steps()
            .iter()
            .position(|s| slices(s.transform.as_ref()));
        let local = gwcs.steps().iter().position(|s| s.frame.name == LOCAL);
        match (slicer, local) {
            (Some(slicer), Some(local))
                if slicer < local && (gwcs.n_inputs(), gwcs.n_outputs()) == (2, 3) =>
            {
                Ok(Self { gwcs, slicer })
            }
            _ => {
                let names: Vec<_> = gwcs.steps().iter().map(|s| s.frame.name.as_str()).collect();
                Err(Error::input(format!(
                    "its WCS (frames {}) does not lead from pixels by slices to the sky; give an exposure of the \
                     MIRI MRS behind assign_wcs",
                    names.join(", ")
                )))
            }
        }
    }

    /// The pipeline of transforms.
    pub fn gwcs(&self) -> &Gwcs {
        &self.gwcs
    }

    /// Slice labels of pixels `(x, y)`, 0 between slices.
    ///
    /// # Errors
    /// [`Error::Parameter`] for columns of different lengths.
    pub fn labels(&self, x: &[f64], y: &[f64]) -> Result<Vec<u16>> {
        let steps = self.gwcs.steps();
        let at = self
            .gwcs
            .between(self.gwcs.first(), &steps[self.slicer].frame.name, &[x, y])?;
        let Some(Kind::RegionsSelector(s)) = steps[self.slicer].transform.as_ref().map(|t| &t.kind)
        else {
            return Ok(vec![0; x.len()]);
        };
        let labels = s.label_mapper.evaluate(&[&at[0], &at[1]])?;
        let labels = labels.into_iter().next().unwrap_or_default();
        // a conversion of what is no number, or negative, is 0
        Ok(labels.into_iter().map(|l| l as u16).collect())
    }

    /// Alpha, beta (arcsec) and lambda (micron) of points `(x, y)` in pixels; a point takes the slice of the pixel it
    /// lies in. NaN between slices and off the detector.
    ///
    /// # Errors
    /// [`Error::Parameter`] for columns of different lengths.
    pub fn local(&self, x: &[f64], y: &[f64]) -> Result<[Vec<f64>; 3]> {
        in_chunks(&[x, y], |c| self.gwcs.between(self.gwcs.first(), LOCAL, c))
    }

    /// Right ascension, declination (degrees) and lambda of points in slice coordinates; the channel is that of
    /// lambda. NaN out of the channels' ranges.
    ///
    /// # Errors
    /// [`Error::Parameter`] for columns of different lengths.
    pub fn sky(&self, alpha: &[f64], beta: &[f64], lambda: &[f64]) -> Result<[Vec<f64>; 3]> {
        in_chunks(&[alpha, beta, lambda], |c| {
            self.gwcs.between(LOCAL, self.gwcs.last(), c)
        })
    }

    /// The coordinates of the centres of `ny` rows of `nx` pixels.
    ///
    /// # Errors
    /// None for a WCS that could be read.
    pub fn map(&self, ny: usize, nx: usize) -> Result<DetectorMap> {
        let n = ny * nx;
        let column = || Vec::with_capacity(n);
        let mut map = DetectorMap {
            ny,
            nx,
            slice: Vec::with_capacity(n),
            alpha: column(),
            beta: column(),
            lambda: column(),
            ra: column(),
            dec: column(),
        };
        for first in (0..ny).step_by(ROWS) {
            let (x, y) = grid(first..ny.min(first + ROWS), nx);
            let [mut alpha, mut beta, mut lambda] = self.local(&x, &y)?;
            let [mut ra, mut dec, _] = self.sky(&alpha, &beta, &lambda)?;
            map.slice.extend(self.labels(&x, &y)?);
            map.alpha.append(&mut alpha);
            map.beta.append(&mut beta);
            map.lambda.append(&mut lambda);
            map.ra.append(&mut ra);
            map.dec.append(&mut dec);
        }
        Ok(map)
    }
}

/// Whether a transform chooses slices by an image of labels.
fn slices(t: Option<&Transform>) -> bool {
    use super::transform::Labels;
    let Some(Kind::RegionsSelector(s)) = t.map(|t| &t.kind) else {
        return false;
    };
    matches!(&s.label_mapper.kind, Kind::LabelMapper(m) if matches!(m.labels, Labels::Array { .. }))
}

/// Coordinates of pixel centres, row by row.
fn grid(rows: Range<usize>, nx: usize) -> (Vec<f64>, Vec<f64>) {
    let y = rows.clone().flat_map(|y| std::iter::repeat_n(y as f64, nx));
    let x = rows.flat_map(|_| (0..nx).map(|x| x as f64));
    (x.collect(), y.collect())
}

/// Three columns of values at points, some points at a time.
fn in_chunks(
    columns: &[&[f64]],
    f: impl Fn(&[&[f64]]) -> Result<Vec<Vec<f64>>>,
) -> Result<[Vec<f64>; 3]> {
    let n = columns.first().map_or(0, |c| c.len());
    if columns.iter().any(|c| c.len() != n) {
        return Err(Error::parameter("points differ in number of coordinates"));
    }
    let mut out: [Vec<f64>; 3] = std::array::from_fn(|_| Vec::with_capacity(n));
    for first in (0..n).step_by(CHUNK) {
        let part: Vec<&[f64]> = columns
            .iter()
            .map(|c| &c[first..n.min(first + CHUNK)])
            .collect();
        for (out, values) in out.iter_mut().zip(f(&part)?) {
            out.extend(values);
        }
    }
    Ok(out)
}
