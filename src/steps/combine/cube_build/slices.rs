//! The pixels of a NIRSpec IFU exposure: which slice each is in, and the slicer's coordinates they lead through.
//!
//! Both forms of the WCS are read: the one that finds the slice of a pixel by an image of labels (its slices' bounds
//! are those of its transforms), and the one whose points carry the number of their slice. A pixel's label is looked up once:
//! its sides and ends have the same, and pixels of a label are led to the slicer together.

use std::ops::Range;

use crate::exec::Exec;
use crate::model::Cal;
use crate::wcs::Gwcs;
use crate::wcs::exposure::in_chunks;
use crate::wcs::transform::{Kind, Labels, Transform};
use crate::{Error, Result};

/// From a pixel's centre to the ends taken for its own along the spectrum.
const ALONG: f64 = 0.4999;
/// From a pixel's centre to the sides taken for its own along the slice.
const ACROSS: f64 = 0.49;
/// Rows mapped at once.
const ROWS: usize = 16;
/// Places on the slicer (along the slices, metre) whose direction on the sky is that of the slices.
const DIRECTION: [f64; 2] = [0.0, 0.005];

/// Bounds of a slice in pixels.
type Bounds = [(f64, f64); 2];

/// The optics of an exposure, slice by slice.
#[derive(Debug, Clone)]
pub struct Slices {
    wcs: Gwcs,
    /// Whether points carry the number of their slice (from 0).
    named: bool,
    /// Number of each slice (from 1), and its bounds.
    slices: Vec<(u8, Bounds)>,
    /// Step of the WCS whose transform finds the slice by labels.
    labels: usize,
    /// Whether pixels meet that transform as they are, and it leads to the slicer.
    direct: bool,
    /// Width of a slice on the slicer in metre.
    width: f64,
}

/// The pixels of an exposure that have coordinates, in the image's order.
#[derive(Debug, Clone, Default)]
pub struct Mapped {
    /// Place of each pixel in the image.
    pub index: Vec<u32>,
    /// Number of its slice, from 1: the last one whose bounds it is in.
    pub slice: Vec<u8>,
    /// What the WCS takes its slice by: its label, or the slice's number.
    pub label: Vec<u8>,
    /// Right ascension in degrees.
    pub ra: Vec<f64>,
    /// Declination in degrees.
    pub dec: Vec<f64>,
    /// Wavelength in micron.
    pub lambda: Vec<f64>,
    /// Length of its part of the spectrum in micron; NaN where that leaves the slice, empty if not asked for.
    pub length: Vec<f64>,
}

impl Mapped {
    /// The pixels of parts of an image, one after the other.
    fn joined(parts: Vec<Self>) -> Self {
        let n = parts.iter().map(|p| p.index.len()).sum();
        let column = || Vec::with_capacity(n);
        let mut all = Self {
            index: Vec::with_capacity(n),
            slice: Vec::with_capacity(n),
            label: Vec::with_capacity(n),
            ra: column(),
            dec: column(),
            lambda: column(),
            length: Vec::with_capacity(parts.iter().map(|p| p.length.len()).sum()),
        };
        parts.into_iter().for_each(|p| all.extend(p));
        all
    }

    fn extend(&mut self, other: Self) {
        self.index.extend(other.index);
        self.slice.extend(other.slice);
        self.label.extend(other.label);
        self.ra.extend(other.ra);
        self.dec.extend(other.dec);
        self.lambda.extend(other.lambda);
        self.length.extend(other.length);
    }

    /// Some of the pixels.
    fn taken(&self, which: &[u32]) -> Self {
        fn take<T: Copy>(values: &[T], which: &[u32]) -> Vec<T> {
            match values.is_empty() {
                true => Vec::new(),
                false => which.iter().map(|k| values[*k as usize]).collect(),
            }
        }
        Self {
            index: take(&self.index, which),
            slice: take(&self.slice, which),
            label: take(&self.label, which),
            ra: take(&self.ra, which),
            dec: take(&self.dec, which),
            lambda: take(&self.lambda, which),
            length: take(&self.length, which),
        }
    }

    /// The pixels in the image's order.
    fn in_order(self) -> Self {
        let mut order: Vec<u32> = (0..self.index.len() as u32).collect();
        order.sort_by_key(|k| self.index[*k as usize]);
        self.taken(&order)
    }
}

/// Pixels of bounds, both ends included; gwcs's way of rounding.
fn pixels_of((low, high): (f64, f64), n: usize) -> Range<usize> {
    let first = (low + 0.5).floor().max(0.0);
    let last = (high - 0.5).ceil();
    match last >= first {
        true => (first as usize).min(n)..(last as usize + 1).min(n),
        false => 0..0,
    }
}

fn bounds_of(t: &Transform) -> Option<Bounds> {
    match t.bounding_box.as_deref() {
        Some([Some(x), Some(y), ..]) => Some([*x, *y]),
        _ => None,
    }
}

impl Slices {
    /// The optics of an exposure.
    ///
    /// # Errors
    /// [`Error::Input`] where its WCS is none of the NIRSpec IFU.
    pub fn of(cal: &Cal) -> Result<Self> {
        let named = |e: Error| e.with_path(&cal.meta.source);
        let wcs = Gwcs::from_node(cal.need_wcs()?).map_err(named)?;
        let mut found = Self::read(wcs).map_err(named)?;
        let across = |slice: u8| -> Result<f64> {
            let bounds = found.slices.iter().find(|(s, _)| *s == slice);
            let Some((_, [x, y])) = bounds else {
                return Ok(f64::NAN);
            };
            let middle = |(low, high): (f64, f64)| (low + high) / 2.0;
            let at = found.slicer(&[slice], &[middle(*x)], &[middle(*y)])?;
            Ok(at[0].first().copied().unwrap_or(f64::NAN))
        };
        // slices 1 and 3 are neighbours
        let width = (across(1)? - across(3)?).abs();
        if !(width > 0.0 && width.is_finite()) {
            return Err(named(Error::science(
                "the width of the slices is not known: slices 1 and 3 of the IFU have no place on the detector",
            )));
        }
        found.width = width;
        Ok(found)
    }

    fn read(wcs: Gwcs) -> Result<Self> {
        let slicer = wcs.steps().iter().any(|s| s.frame.name == "slicer");
        let by_label = wcs.steps().iter().position(|s| {
            let Some(Kind::RegionsSelector(r)) = s.transform.as_ref().map(|t| &t.kind) else {
                return false;
            };
            matches!(&r.label_mapper.kind, Kind::LabelMapper(m) if matches!(m.labels, Labels::Array { .. }))
        });
        let first = wcs.steps().first().and_then(|s| s.transform.as_ref());
        let boxes = first.and_then(|t| t.boxes.as_ref());
        let named = wcs.n_inputs() == 3;
        let slices: Option<Vec<(u8, Bounds)>> = match (by_label, boxes) {
            (Some(at), _) if !named => match wcs.steps()[at].transform.as_ref().map(|t| &t.kind) {
                Some(Kind::RegionsSelector(r)) => {
                    let of = |(label, t): &(i64, Transform)| {
                        Some((u8::try_from(*label).ok()?, bounds_of(t)?))
                    };
                    r.selector.iter().map(of).collect()
                }
                _ => None,
            },
            (None, Some(boxes)) if named => {
                let of = |(name, bounds): &(i64, Vec<Option<(f64, f64)>>)| match bounds.as_slice() {
                    [Some(x), Some(y), ..] => Some((u8::try_from(*name + 1).ok()?, [*x, *y])),
                    _ => None,
                };
                boxes.boxes.iter().map(of).collect()
            }
            _ => None,
        };
        let mut slices = slices.filter(|s| slicer && !s.is_empty()).ok_or_else(|| {
            Error::input(
                "its WCS does not lead from pixels by bounded slices and the slicer to the sky; give an exposure of the \
                 NIRSpec IFU behind assign_wcs",
            )
        })?;
        slices.sort_by_key(|(slice, _)| *slice);
        let plain = |t: &Transform| {
            matches!(t.kind, Kind::Identity(_)) && t.bounding_box.is_none() && t.boxes.is_none()
        };
        let direct = by_label.is_some_and(|at| {
            let mut before = wcs.steps()[..at].iter().map(|s| s.transform.as_ref());
            let next = wcs.steps().get(at + 1);
            before.all(|t| t.is_some_and(plain))
                && wcs.bounding_box().is_none()
                && next.is_some_and(|s| s.frame.name == "slicer")
        });
        Ok(Self {
            wcs,
            named,
            slices,
            labels: by_label.unwrap_or(0),
            direct,
            width: f64::NAN,
        })
    }

    /// How many slices there are.
    pub fn count(&self) -> usize {
        self.slices.len()
    }

    /// Number of one of them, from 0.
    pub fn number(&self, i: usize) -> usize {
        let slice = self.slices.get(i).map_or(0, |(slice, _)| *slice);
        usize::from(slice.max(1)) - 1
    }

    /// The pixels in the bounds of one of them, in an image of `nx` columns: its number (from 1) for each, columns and rows.
    pub fn pixels(&self, i: usize, nx: usize) -> (Vec<u8>, Vec<f64>, Vec<f64>) {
        let Some((slice, [x, y])) = self.slices.get(i) else {
            return (Vec::new(), Vec::new(), Vec::new());
        };
        let columns = pixels_of(*x, nx);
        let rows = pixels_of(*y, usize::MAX);
        let points = rows.flat_map(|y| columns.clone().map(move |x| (x as f64, y as f64)));
        let (x, y): (Vec<f64>, Vec<f64>) = points.unzip();
        (vec![*slice; x.len()], x, y)
    }

    /// Points in pixels with the numbers of their slices, as the WCS takes them.
    fn between<const N: usize>(
        &self,
        (from, to): (&str, &str),
        slice: &[u8],
        points: &[&[f64]],
    ) -> Result<[Vec<f64>; N]> {
        let names: Vec<f64> = match self.named {
            true => slice.iter().map(|s| f64::from(*s) - 1.0).collect(),
            false => Vec::new(),
        };
        let mut columns = points.to_vec();
        if self.named {
            columns.push(&names);
        }
        in_chunks(&columns, |c| self.wcs.between(from, to, c))
    }

    /// Across and along the slices on the slicer, and wavelength, all in metre, of points in pixels.
    ///
    /// # Errors
    /// Those of the WCS.
    pub fn slicer(&self, slice: &[u8], x: &[f64], y: &[f64]) -> Result<[Vec<f64>; 3]> {
        self.between((self.wcs.first(), "slicer"), slice, &[x, y])
    }

    /// As [`Self::slicer`], of points in pixels of these labels; fastest where those of a label follow each other.
    fn labelled(&self, label: &[u8], x: &[f64], y: &[f64]) -> Result<[Vec<f64>; 3]> {
        let step = self.wcs.steps()[self.labels].transform.as_ref();
        let Some(Kind::RegionsSelector(regions)) = step.map(|t| &t.kind).filter(|_| self.direct)
        else {
            return self.slicer(label, x, y);
        };
        let mut out: [Vec<f64>; 3] = std::array::from_fn(|_| Vec::with_capacity(label.len()));
        for run in label.chunk_by(|a, b| a == b) {
            let at = out[0].len()..out[0].len() + run.len();
            let own = run.first().and_then(|l| regions.of(i64::from(*l)));
            let part: [Vec<f64>; 3] = match own {
                Some(t) => in_chunks(&[&x[at.clone()], &y[at]], |c| t.evaluate(c))?,
                None => std::array::from_fn(|_| vec![regions.undefined; run.len()]),
            };
            out.iter_mut().zip(part).for_each(|(o, p)| o.extend(p));
        }
        Ok(out)
    }

    /// Right ascension and declination of points on the slicer.
    fn sky(&self, slice: &[u8], [across, along, lambda]: [&[f64]; 3]) -> Result<[Vec<f64>; 2]> {
        self.between(("slicer", self.wcs.last()), slice, &[across, along, lambda])
    }

    /// The pixels that have coordinates; with their lengths along the spectrum for drizzling.
    ///
    /// # Errors
    /// Those of the WCS.
    pub fn map(&self, (ny, nx): (usize, usize), drizzle: bool, exec: &Exec) -> Result<Mapped> {
        let strips: Vec<Range<usize>> = (0..ny)
            .step_by(ROWS)
            .map(|y| y..(y + ROWS).min(ny))
            .collect();
        let strips = exec.try_map(strips, |rows| match self.named {
            true => self.strip_by_name(rows, nx, drizzle),
            false => self.strip_by_label(rows, nx, drizzle),
        })?;
        Ok(Mapped::joined(strips))
    }

    /// Points in the bounds of slices: the number of the last one for each pixel of some rows, 0 for none.
    fn covered(&self, rows: Range<usize>, nx: usize) -> Vec<u8> {
        let mut out = vec![0; rows.len() * nx];
        for (slice, [x, y]) in &self.slices {
            let (columns, lines) = (pixels_of(*x, nx), pixels_of(*y, usize::MAX));
            for row in rows.clone().filter(|r| lines.contains(r)) {
                let start = (row - rows.start) * nx;
                out[start + columns.start..start + columns.end].fill(*slice);
            }
        }
        out
    }

    fn strip_by_label(&self, rows: Range<usize>, nx: usize, drizzle: bool) -> Result<Mapped> {
        let covered = self.covered(rows.clone(), nx);
        let at = |k: usize| rows.start * nx + k;
        let inside: Vec<usize> = (0..covered.len()).filter(|k| covered[*k] > 0).collect();
        let (x, y) = coordinates(inside.iter().map(|k| at(*k)), nx);
        let step = &self.wcs.steps()[self.labels];
        let Some(Kind::RegionsSelector(r)) = step.transform.as_ref().map(|t| &t.kind) else {
            return Ok(Mapped::default());
        };
        let [x, y] = self.between((self.wcs.first(), &step.frame.name), &[], &[&x, &y])?;
        let [labels] = in_chunks(&[&x, &y], |c| r.label_mapper.evaluate(c))?;
        // a conversion of what is no number, or negative, is 0
        let pixels = inside.iter().zip(labels).map(|(k, l)| (*k, l as u8));
        let mut pixels: Vec<(usize, u8)> = pixels.filter(|(_, label)| *label > 0).collect();
        pixels.sort_by_key(|(_, label)| *label);
        let index: Vec<usize> = pixels.iter().map(|(k, _)| at(*k)).collect();
        let slice = pixels.iter().map(|(k, _)| covered[*k]).collect();
        let label = pixels.iter().map(|(_, label)| *label).collect();
        Ok(self.located(&index, slice, label, nx, drizzle)?.in_order())
    }

    fn strip_by_name(&self, rows: Range<usize>, nx: usize, drizzle: bool) -> Result<Mapped> {
        // where two slices share a pixel it is the later one's in which it is whole; a pixel that is whole in none still counts for
        // the field
        let mut found: Vec<Option<(usize, usize, bool)>> = vec![None; rows.len() * nx];
        let mut all: Vec<Mapped> = Vec::new();
        for (slice, [x, y]) in &self.slices {
            let (columns, lines) = (pixels_of(*x, nx), pixels_of(*y, usize::MAX));
            let lines = rows.clone().filter(|r| lines.contains(r));
            let index: Vec<usize> = lines
                .flat_map(|r| columns.clone().map(move |c| r * nx + c))
                .collect();
            let own = vec![*slice; index.len()];
            let mapped = self.located(&index, own.clone(), own, nx, drizzle)?;
            let whole = match drizzle {
                true => self.whole(&mapped, nx)?,
                false => vec![true; mapped.index.len()],
            };
            for (k, (i, whole)) in mapped.index.iter().zip(whole).enumerate() {
                let place = &mut found[*i as usize - rows.start * nx];
                if whole || !place.is_some_and(|(_, _, whole)| whole) {
                    *place = Some((all.len(), k, whole));
                }
            }
            all.push(mapped);
        }
        let mut out = Mapped::default();
        for (m, k, _) in found.into_iter().flatten() {
            let from = &all[m];
            out.index.push(from.index[k]);
            out.slice.push(from.slice[k]);
            out.label.push(from.label[k]);
            out.ra.push(from.ra[k]);
            out.dec.push(from.dec[k]);
            out.lambda.push(from.lambda[k]);
            out.length.extend(from.length.get(k));
        }
        Ok(out)
    }

    /// Coordinates of pixels; those without a wavelength are left out.
    fn located(
        &self,
        index: &[usize],
        slice: Vec<u8>,
        label: Vec<u8>,
        nx: usize,
        drizzle: bool,
    ) -> Result<Mapped> {
        let (x, y) = coordinates(index.iter().copied(), nx);
        let place = self.labelled(&label, &x, &y)?;
        let ends = ("slicer", self.wcs.last());
        let [ra, dec, lambda] = self.between(ends, &label, &place.each_ref().map(Vec::as_slice))?;
        let index = index.iter().map(|i| u32::try_from(*i));
        let mut out = Mapped {
            index: index
                .collect::<Result<_, _>>()
                .map_err(|_| Error::input("the image has more pixels than can be counted"))?,
            slice,
            label,
            ra,
            dec,
            lambda,
            length: Vec::new(),
        };
        if drizzle {
            // from the slicer on the wavelength is only turned into micron
            let end = |d: f64| -> Result<[Vec<f64>; 3]> {
                let x: Vec<f64> = x.iter().map(|x| x + d).collect();
                self.labelled(&out.label, &x, &y)
            };
            let ([.., low], [.., high]) = (end(-ALONG)?, end(ALONG)?);
            let apart = low.iter().zip(&high);
            out.length = apart.map(|(a, b)| (a * 1e6 - b * 1e6).abs()).collect();
        }
        let valid: Vec<u32> = (0..out.index.len() as u32)
            .filter(|k| !out.lambda[*k as usize].is_nan())
            .collect();
        Ok(match valid.len() == out.index.len() {
            true => out,
            false => out.taken(&valid),
        })
    }

    /// Whether the corners of pixels all have a place.
    fn whole(&self, all: &Mapped, nx: usize) -> Result<Vec<bool>> {
        let places = all.index.iter().map(|i| *i as usize);
        let sides = self.corners(&all.label, places, nx)?;
        let whole = |k: usize| {
            sides
                .iter()
                .all(|[ra, dec]| !ra[k].is_nan() && !dec[k].is_nan())
        };
        Ok((0..all.index.len()).map(whole).collect())
    }

    /// Right ascension and declination of the four corners of pixels of these labels, in the order in which they follow each
    /// other around the pixel; all NaN where one of them leaves the slice. Fastest where pixels of a label follow each other.
    ///
    /// # Errors
    /// Those of the WCS.
    pub fn corners(
        &self,
        label: &[u8],
        index: impl Iterator<Item = usize>,
        nx: usize,
    ) -> Result<[[Vec<f64>; 2]; 4]> {
        let (x, y) = coordinates(index, nx);
        let side = |d: f64| -> Result<[Vec<f64>; 3]> {
            let y: Vec<f64> = y.iter().map(|y| y + d).collect();
            self.labelled(label, &x, &y)
        };
        let half = self.width / 2.0;
        let corner = |[across, along, lambda]: &[Vec<f64>; 3], d: f64| {
            let across: Vec<f64> = across.iter().map(|a| a + d).collect();
            self.sky(label, [&across, along, lambda])
        };
        let (mut low, mut high) = (side(-ACROSS)?, side(ACROSS)?);
        for (low, high) in low[1].iter_mut().zip(&mut high[1]) {
            if low.is_nan() || high.is_nan() {
                (*low, *high) = (f64::NAN, f64::NAN);
            }
        }
        Ok([
            corner(&low, -half)?,
            corner(&low, half)?,
            corner(&high, half)?,
            corner(&high, -half)?,
        ])
    }

    /// Right ascension and declination of two places along the middle of the slicer, at the median wavelength of the first
    /// slice.
    ///
    /// # Errors
    /// Those of the WCS.
    pub fn direction(&self, nx: usize) -> Result<[Vec<f64>; 2]> {
        let (slice, x, y) = self.pixels(0, nx);
        let [_, _, mut lambda] = self.slicer(&slice, &x, &y)?;
        lambda.retain(|l| !l.is_nan());
        lambda.sort_by(f64::total_cmp);
        let n = lambda.len();
        let median = match n {
            0 => f64::NAN,
            _ if n % 2 == 1 => lambda[n / 2],
            _ => (lambda[n / 2 - 1] + lambda[n / 2]) / 2.0,
        };
        self.sky(&[1; 2], [&[0.0; 2], &DIRECTION, &[median; 2]])
    }
}

/// Columns and rows of pixels.
fn coordinates(index: impl Iterator<Item = usize>, nx: usize) -> (Vec<f64>, Vec<f64>) {
    index.map(|i| ((i % nx) as f64, (i / nx) as f64)).unzip()
}
