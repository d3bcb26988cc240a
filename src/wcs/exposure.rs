//! The WCS of an exposure's product, evaluated in bulk: every pixel, pixel edges, points between pixels.
//!
//! Slice coordinates are alpha, beta (arcsec) and lambda (micron) of the MIRI MRS, and the slicer's x, y and the wavelength (metre)
//! of the NIRSpec IFU.
//!
//! [`map_of`] gives the coordinates of all pixel centres of a [`Cal`] and keeps them in it; [`ExposureWcs`] evaluates the same tree at
//! any points: pixels to slice coordinates ([`ExposureWcs::local`]), slice coordinates to the sky ([`ExposureWcs::sky`]). Only the
//! product's tree is used, so products of Python's `jwst` serve as well as ours, and reference files are not needed.
//!
//! Both forms of a NIRSpec IFU tree are read: the one that finds the slice of a pixel by an image of labels, and the one whose
//! points carry the number of their slice (`nrs_ifu_slice_wcs`). There the slice of a point is the last one whose bounds
//! and width let it through, which is how assign_wcs makes the image of labels.

use std::ops::Range;
use std::sync::Arc;

use super::gwcs::Gwcs;
use super::transform::{Kind, Transform};
use crate::formats::asdf::Node;
use crate::model::{Cal, DetectorMap};
use crate::{Error, Result};

/// Rows of the detector worked on at once: the points of one slice in them fill the nearest cache.
const ROWS: usize = 16;
/// Points of a list worked on at once: intermediate columns stay in the cache.
const CHUNK: usize = 2048;

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

/// The WCS of an exposure with slices: pixels, slice coordinates (frame `alpha_beta` or `slicer`), the sky (the last
/// frame).
#[derive(Debug, Clone, PartialEq)]
pub struct ExposureWcs {
    gwcs: Gwcs,
    /// Frame of slice coordinates.
    local: &'static str,
    form: Form,
}

/// How the slice of a point is found.
#[derive(Debug, Clone, PartialEq)]
enum Form {
    /// By an image of labels, in the transform of the step of this number; those before lead from oversampled pixels to the
    /// detector's.
    Labels(usize),
    /// Points carry it: number of each slice (from 0) and its bounds in columns and rows, by number.
    Numbers(Vec<(i64, Bounds)>),
}

/// Bounds in columns and rows.
type Bounds = [(f64, f64); 2];

/// The pixels that the transform of a slice is bound to: columns and rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SliceBox {
    /// Label of the slice.
    pub label: i64,
    /// Columns.
    pub x: Range<usize>,
    /// Rows.
    pub y: Range<usize>,
}

/// Frame of slice coordinates of the MIRI MRS.
const ALPHA_BETA: &str = "alpha_beta";
/// Frame of slice coordinates of the NIRSpec IFU.
const SLICER: &str = "slicer";

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
        let place = |name: &'static str| {
            let at = gwcs.steps().iter().position(|s| s.frame.name == name);
            at.map(|at| (at, name))
        };
        let size = (gwcs.n_inputs(), gwcs.n_outputs());
        let found = match (slicer, place(ALPHA_BETA).or_else(|| place(SLICER))) {
            (Some(slicer), Some((at, local))) if slicer < at && size == (2, 3) => {
                Some((local, Form::Labels(slicer)))
            }
            (None, Some((_, SLICER))) if size == (3, 4) => {
                numbered(&gwcs).map(|slices| (SLICER, Form::Numbers(slices)))
            }
            _ => None,
        };
        let Some((local, form)) = found else {
            let names: Vec<_> = gwcs.steps().iter().map(|s| s.frame.name.as_str()).collect();
            return Err(Error::input(format!(
                "its WCS (frames {}) does not lead from pixels by slices to the sky; give an exposure of the \
                 MIRI MRS or the NIRSpec IFU behind assign_wcs",
                names.join(", ")
            )));
        };
        Ok(Self { gwcs, local, form })
    }

    /// The pipeline of transforms.
    pub fn gwcs(&self) -> &Gwcs {
        &self.gwcs
    }

    /// Name of the frame of slice coordinates.
    pub fn local_frame(&self) -> &'static str {
        self.local
    }

    /// Whether points carry the number of their slice.
    pub fn by_number(&self) -> bool {
        matches!(self.form, Form::Numbers(_))
    }

    /// Slice labels of pixels `(x, y)`, 0 between slices.
    ///
    /// # Errors
    /// [`Error::Parameter`] for columns of different lengths.
    pub fn labels(&self, x: &[f64], y: &[f64]) -> Result<Vec<u16>> {
        let slicer = match &self.form {
            Form::Labels(slicer) => &self.gwcs.steps()[*slicer],
            Form::Numbers(slices) => return Ok(self.last_slice(slices, x, y)?.0),
        };
        let at = self
            .gwcs
            .between(self.gwcs.first(), &slicer.frame.name, &[x, y])?;
        let Some(Kind::RegionsSelector(s)) = slicer.transform.as_ref().map(|t| &t.kind) else {
            return Ok(vec![0; x.len()]);
        };
        let labels = s.label_mapper.evaluate(&[&at[0], &at[1]])?;
        let labels = labels.into_iter().next().unwrap_or_default();
        // a conversion of what is no number, or negative, is 0
        Ok(labels.into_iter().map(|l| l as u16).collect())
    }

    /// Slice coordinates of points `(x, y)` in pixels; a point takes the slice of the pixel it lies in, or, where points carry the
    /// number of their slice, the last slice that it falls in itself. NaN between slices and off the detector.
    ///
    /// # Errors
    /// [`Error::Parameter`] for columns of different lengths.
    pub fn local(&self, x: &[f64], y: &[f64]) -> Result<[Vec<f64>; 3]> {
        if let Form::Numbers(slices) = &self.form {
            return Ok(self.last_slice(slices, x, y)?.1);
        }
        in_chunks(&[x, y], |c| {
            self.gwcs.between(self.gwcs.first(), self.local, c)
        })
    }

    /// Right ascension, declination (degrees) and lambda (micron) of points in slice coordinates; the channel is that of
    /// lambda. NaN out of the channels' ranges.
    ///
    /// # Errors
    /// [`Error::Parameter`] for columns of different lengths.
    pub fn sky(&self, alpha: &[f64], beta: &[f64], lambda: &[f64]) -> Result<[Vec<f64>; 3]> {
        in_chunks(&[alpha, beta, lambda], |c| {
            // from the slices' frame on the number is only passed on
            let number = vec![0.0; c[0].len()];
            let with_number = [c[0], c[1], c[2], &number];
            let points = if self.by_number() { &with_number } else { c };
            self.gwcs.between(self.local, self.gwcs.last(), points)
        })
    }

    /// Slice coordinates of points in one slice by its number; NaN out of its bounds.
    fn in_slice<const N: usize>(
        &self,
        number: i64,
        (x, y): (&[f64], &[f64]),
        frame: &str,
    ) -> Result<[Vec<f64>; N]> {
        in_chunks(&[x, y], |c| {
            let number = vec![number as f64; c[0].len()];
            let points = [c[0], c[1], &number];
            self.gwcs.between(self.gwcs.first(), frame, &points)
        })
    }

    /// Of points in pixels the label of the last slice in which they have a wavelength, 0 for none, and their coordinates there.
    fn last_slice(
        &self,
        slices: &[(i64, Bounds)],
        x: &[f64],
        y: &[f64],
    ) -> Result<(Vec<u16>, [Vec<f64>; 3])> {
        if x.len() != y.len() {
            return Err(Error::parameter("points differ in number of coordinates"));
        }
        let n = x.len();
        let mut labels = vec![0; n];
        let mut at: [Vec<f64>; 3] = std::array::from_fn(|_| vec![f64::NAN; n]);
        let rows = y.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |r, y| {
            (r.0.min(*y), r.1.max(*y))
        });
        for (number, [columns, lines]) in slices.iter().rev() {
            if lines.0 > rows.1 || lines.1 < rows.0 {
                continue;
            }
            let within = |(low, high): &(f64, f64), v: f64| v >= *low && v <= *high;
            let open =
                |k: &usize| labels[*k] == 0 && within(lines, y[*k]) && within(columns, x[*k]);
            let points: Vec<usize> = (0..n).filter(open).collect();
            let take = |c: &[f64]| points.iter().map(|k| c[*k]).collect::<Vec<f64>>();
            let found: [Vec<f64>; 3] = self.in_slice(*number, (&take(x), &take(y)), self.local)?;
            for (i, k) in points.into_iter().enumerate() {
                if found[2][i].is_finite() {
                    labels[k] = u16::try_from(*number + 1).unwrap_or_default();
                    at.iter_mut().zip(&found).for_each(|(at, f)| at[k] = f[i]);
                }
            }
        }
        Ok((labels, at))
    }

    /// The wavelengths (micron) that the pixels of a slice's box have in that slice, row by row, NaN where they have none; where an
    /// image of labels finds the slice, none at all: there a pixel has the same wavelength in all boxes, that of `map`.
    ///
    /// # Errors
    /// None for a box and a map of this WCS.
    pub fn wavelengths(&self, own: &SliceBox, map: &DetectorMap) -> Result<Option<Vec<f64>>> {
        if !self.by_number() {
            return Ok(None);
        }
        let mut all = vec![f64::NAN; own.y.len() * own.x.len()];
        // pixels that a later slice has too
        let (mut shared, mut x, mut y) = (Vec::new(), Vec::new(), Vec::new());
        let pixels = own
            .y
            .clone()
            .flat_map(|y| own.x.clone().map(move |x| (x, y)));
        for (k, (px, py)) in pixels.enumerate() {
            let p = py * map.nx + px;
            match i64::from(map.slice[p]).cmp(&own.label) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => all[k] = map.lambda[p],
                std::cmp::Ordering::Greater => {
                    shared.push(k);
                    x.push(px as f64);
                    y.push(py as f64);
                }
            }
        }
        let [.., lambda]: [Vec<f64>; 3] =
            self.in_slice(own.label - 1, (&x, &y), self.gwcs.last())?;
        shared.into_iter().zip(lambda).for_each(|(k, l)| all[k] = l);
        Ok(Some(all))
    }

    /// The pixels of a detector of `ny` rows of `nx` pixels that each slice's transform is bound to, in the order of labels; only
    /// slices whose transforms have bounds, as those of the NIRSpec IFU.
    pub fn boxes(&self, ny: usize, nx: usize) -> Vec<SliceBox> {
        // the first pixel whose centre is not below, and the last whose is not above
        let pixels = |(low, high): (f64, f64), size: usize| {
            let first = low.ceil().max(0.0) as usize;
            first..(high.floor() + 1.0).clamp(0.0, size as f64) as usize
        };
        let of = |label: i64, [x, y]: Bounds| SliceBox {
            label,
            x: pixels(x, nx),
            y: pixels(y, ny),
        };
        let mut boxes: Vec<SliceBox> = match &self.form {
            Form::Labels(slicer) => {
                let slicer = &self.gwcs.steps()[*slicer];
                let Some(Kind::RegionsSelector(s)) = slicer.transform.as_ref().map(|t| &t.kind)
                else {
                    return Vec::new();
                };
                let bounds = |(label, t): &(i64, Transform)| match t.bounding_box.as_deref()? {
                    [Some(x), Some(y)] => Some(of(*label, [*x, *y])),
                    _ => None,
                };
                s.selector.iter().filter_map(bounds).collect()
            }
            // bounds of a slice that misses the detector are upside down
            Form::Numbers(slices) => slices
                .iter()
                .map(|(number, bounds)| of(number + 1, *bounds))
                .filter(|b| !b.x.is_empty() && !b.y.is_empty())
                .collect(),
        };
        boxes.sort_by_key(|b| b.label);
        boxes
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
            let (slice, at) = match &self.form {
                Form::Labels(_) => (self.labels(&x, &y)?, self.local(&x, &y)?),
                Form::Numbers(slices) => self.last_slice(slices, &x, &y)?,
            };
            let [mut alpha, mut beta, mut lambda] = at;
            let [mut ra, mut dec, world] = self.sky(&alpha, &beta, &lambda)?;
            if self.local == SLICER {
                (alpha, beta, lambda) = (beta, alpha, world);
            }
            map.slice.extend(slice);
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

/// Numbers and bounds of the slices of a WCS whose points carry the number of theirs, by number; none where it has no bounds.
fn numbered(gwcs: &Gwcs) -> Option<Vec<(i64, Bounds)>> {
    let boxes = gwcs.steps().first()?.transform.as_ref()?.boxes.as_ref()?;
    let bounds = boxes.boxes.iter().map(|(number, bounds)| match **bounds {
        [Some(x), Some(y), ..] => Some((*number, [x, y])),
        _ => None,
    });
    let mut slices: Vec<(i64, Bounds)> = bounds.collect::<Option<_>>()?;
    slices.sort_by_key(|(number, _)| *number);
    Some(slices)
}

/// Coordinates of pixel centres, row by row.
fn grid(rows: Range<usize>, nx: usize) -> (Vec<f64>, Vec<f64>) {
    let y = rows.clone().flat_map(|y| std::iter::repeat_n(y as f64, nx));
    let x = rows.flat_map(|_| (0..nx).map(|x| x as f64));
    (x.collect(), y.collect())
}

/// The first `N` columns of values at points, evaluated some points at a time.
///
/// # Errors
/// [`Error::Parameter`] for columns of different lengths; those of `f`.
pub fn in_chunks<const N: usize>(
    columns: &[&[f64]],
    f: impl Fn(&[&[f64]]) -> Result<Vec<Vec<f64>>>,
) -> Result<[Vec<f64>; N]> {
    let n = columns.first().map_or(0, |c| c.len());
    if columns.iter().any(|c| c.len() != n) {
        return Err(Error::parameter("points differ in number of coordinates"));
    }
    let mut out: [Vec<f64>; N] = std::array::from_fn(|_| Vec::with_capacity(n));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Meta, Rate};
    use crate::wcs::frames::Frame;
    use crate::wcs::gwcs::Step;
    use crate::wcs::moving_target::with_target_frame;
    use crate::wcs::transform::{LabelMapper, Labels, RegionsSelector};

    const LABELS: [i64; 12] = [101, 101, 0, 102, 101, 101, 0, 102, 101, 0, 102, 102];

    /// Two slices on 3 rows of 4 pixels: alpha is x, beta the slice's number, lambda y + 5; the sky is alpha + 10 and beta.
    fn sliced() -> Gwcs {
        let one = |value| {
            Transform::mapping(&[0, 0, 1], 2).then(
                Transform::identity(1)
                    .beside(Transform::constant(value))
                    .beside(Transform::shift(5.0)),
            )
        };
        let mapper = LabelMapper {
            labels: Labels::Array {
                ny: 3,
                nx: 4,
                labels: Arc::from(LABELS),
            },
            no_label: 0.0,
            n_inputs: 2,
            inputs_mapping: None,
        };
        let mut slices = Transform::from(Kind::RegionsSelector(RegionsSelector {
            label_mapper: Box::new(Kind::LabelMapper(mapper).into()),
            selector: vec![(101, one(1.0)), (102, one(2.0))],
            undefined: f64::NAN,
            n_inputs: 2,
            n_outputs: 3,
        }));
        slices.inputs = Some(vec!["x".into(), "y".into()]);
        slices.bounding_box = Some(vec![Some((-0.5, 3.5)), Some((-0.5, 2.5))]);
        let sky = Transform::shift(10.0).beside(Transform::identity(2));
        let local = [
            Frame::plane("s", ["alpha", "beta"], "arcsec"),
            Frame::wavelength("l"),
        ];
        let world = [Frame::icrs(), Frame::wavelength("spectral")];
        let step = |frame, transform| Step { frame, transform };
        Gwcs::new(vec![
            step(Frame::plane("detector", ["x", "y"], "pixel"), Some(slices)),
            step(Frame::composite(ALPHA_BETA, local), Some(sky)),
            step(Frame::composite("world", world), None),
        ])
        .unwrap()
    }

    fn cal(wcs: Option<Gwcs>) -> Cal {
        let n = 12;
        let rate = Rate {
            meta: Meta {
                source: "x_rate.fits".into(),
                ..Meta::default()
            },
            nints: None,
            ny: 3,
            nx: 4,
            sci: vec![0.0; n],
            err: vec![0.0; n],
            dq: vec![0; n],
            var_poisson: vec![0.0; n],
            var_rnoise: vec![0.0; n],
            extra: Vec::new(),
        };
        let mut cal = Cal::from_rate(rate).unwrap();
        if let Some(wcs) = wcs {
            cal.set_wcs(wcs.to_node().unwrap());
        }
        cal
    }

    #[test]
    fn every_pixel_once() {
        let cal = cal(Some(sliced()));
        let map = map_of(&cal).unwrap();
        assert_eq!(map.slice, LABELS.map(|l| l as u16));
        for (k, label) in LABELS.iter().enumerate() {
            let (x, y) = ((k % 4) as f64, (k / 4) as f64);
            let at = [
                map.alpha[k],
                map.beta[k],
                map.lambda[k],
                map.ra[k],
                map.dec[k],
            ];
            match label {
                0 => assert!(at.iter().all(|v| v.is_nan())),
                _ => {
                    let beta = (label - 100) as f64;
                    assert_eq!(at, [x, beta, y + 5.0, x + 10.0, beta]);
                }
            }
        }
        assert!(Arc::ptr_eq(&map, &map_of(&cal).unwrap()));
    }

    #[test]
    fn between_pixels_and_behind_a_moving_target() {
        let moving = with_target_frame(sliced(), (50.0, 1.0), (49.5, 2.0)).unwrap();
        let wcs = ExposureWcs::of(&cal(Some(moving))).unwrap();
        let (x, y) = ([0.4999, 1.4999, 1.6, 5.0], [0.2; 4]);
        let [alpha, beta, lambda] = wcs.local(&x, &y).unwrap();
        assert_eq!((alpha[0], beta[1], lambda[1]), (0.4999, 1.0, 5.2));
        assert!(alpha[2].is_nan() && alpha[3].is_nan());
        assert_eq!(wcs.labels(&x, &y).unwrap(), [101, 101, 0, 0]);
        let [ra, dec, l] = wcs.sky(&[1.0], &[0.5], &[6.0]).unwrap();
        assert_eq!((ra[0], dec[0], l[0]), (11.5, -0.5, 6.0));
        assert!(wcs.local(&x, &y[1..]).is_err());
    }

    #[test]
    fn what_carries_no_slices_says_so() {
        let said = map_of(&cal(None)).unwrap_err().to_string();
        assert!(
            said.contains("x_rate.fits") && said.contains("assign_wcs"),
            "{said}"
        );
        let step = |frame, transform| Step { frame, transform };
        let plane = |name| Frame::plane(name, ["a", "b"], "arcsec");
        let image = Gwcs::new(vec![
            step(plane("detector"), Some(Transform::identity(2))),
            step(plane("world"), None),
        ]);
        let said = map_of(&cal(Some(image.unwrap()))).unwrap_err().to_string();
        assert!(
            said.contains("x_rate.fits") && said.contains("detector, world"),
            "{said}"
        );
    }
}
