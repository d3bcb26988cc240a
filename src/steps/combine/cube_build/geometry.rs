//! From pixels to voxels: which pixel counts how much where. It depends on pointing, optics and grid, not on fluxes, so it is
//! worked out once and applied to any number of images.
//!
//! The cube is cut into [`Slab`]s of some planes. A slab is worked on by one thread with all pixels that reach into it, in the order
//! of exposures and of pixels within them: each voxel gets its sums in the order in which calwebb's C code makes them, whatever
//! the number of threads. What a slab needs can be kept for further images ([`Geometry::keep`]) or is worked out and
//! dropped slab by slab, so that memory does not grow with the number of exposures by more than 20 bytes a pixel.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::field::{Extent, SLICES, find_holes, mark};
use super::grid::Grid;
use super::overlap::{Workspace, spaxels};
use super::pixels::Pixels;
use super::shepard::{Reach, partition_about, within, within_about};
use crate::Result;
use crate::exec::Exec;
use crate::math::pairwise_sum::pairwise_sum;
use crate::math::wide::wide;
use crate::model::{Cal, dq};

/// Spaxels times planes of a slab, about: its sums stay in the cache.
const SLAB_VOXELS: usize = 1 << 16;
/// Most planes of a slab.
const SLAB_PLANES: usize = 32;

/// How pixels are combined.
#[derive(Debug, Clone, PartialEq)]
pub enum Weighting {
    /// By the volume a pixel and a voxel have in common.
    Drizzle,
    /// By distance.
    Shepard(Reaches),
}

/// How far pixels reach.
#[derive(Debug, Clone, PartialEq)]
pub enum Reaches {
    /// All alike.
    One(Reach),
    /// By wavelength (micron, ascending): that of the nearest entry.
    Table(Vec<f64>, Vec<Reach>),
}

fn mean(values: &[f64]) -> f64 {
    pairwise_sum(values) / values.len() as f64
}

impl Reaches {
    /// The farthest reach along the spectrum in micron.
    fn longest(&self) -> f64 {
        match self {
            Self::One(reach) => reach.spectral,
            Self::Table(_, reaches) => reaches.iter().map(|r| r.spectral).fold(0.0, f64::max),
        }
    }

    fn at(&self, lambda: f64) -> Option<Reach> {
        match self {
            Self::One(reach) => Some(*reach),
            Self::Table(table, reaches) => {
                let above = table.partition_point(|w| *w < lambda);
                let below = above.saturating_sub(1);
                let distance = |i: usize| (table[i] - lambda).abs();
                // the first of two that are as near
                let nearer = above < table.len() && distance(above) < distance(below);
                reaches.get(if nearer { above } else { below }).copied()
            }
        }
    }
}

/// One pixel's part in a slab; the places of its spaxels and planes end where those of the next begin.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Place in the image.
    pixel: u32,
    /// First plane it reaches, within the slab.
    plane: u32,
    /// End of its spaxels.
    spaxels: u32,
    /// End of its weights along the spectrum (drizzle) or of its weights.
    weights: u32,
}

/// A pixel near a slab's planes, for marking the field of view.
#[derive(Debug, Clone, Copy)]
struct Near {
    /// Place in the image.
    pixel: u32,
    /// Place among its source's pixels.
    member: u32,
    /// Number of its slice, from 1.
    slice: u8,
    /// Its centre in arcsec.
    centre: [f64; 2],
}

/// What the pixels of one channel of one exposure have in a slab.
#[derive(Debug, Clone, Default)]
struct Piece {
    /// Pixels that show the field of view, where that is marked.
    near: Vec<Near>,
    entries: Vec<Entry>,
    /// Spaxels (`y * nx + x`).
    spaxels: Vec<u32>,
    /// Drizzle: the area in common with each spaxel; empty otherwise.
    areas: Vec<f64>,
    /// Drizzle: the length in common with each plane. Otherwise the weights, planes of a spaxel together.
    weights: Vec<f64>,
}

impl Piece {
    fn bytes(&self) -> usize {
        size_of_val(&self.near[..])
            + size_of_val(&self.entries[..])
            + size_of_val(&self.spaxels[..])
            + size_of_val(&self.areas[..])
            + size_of_val(&self.weights[..])
    }

    fn entry(&self, pixel: u32, plane: usize) -> Entry {
        // a slab has fewer pixels than an image, and a pixel less than some hundred voxels
        Entry {
            pixel,
            plane: plane as u32,
            spaxels: self.spaxels.len() as u32,
            weights: self.weights.len() as u32,
        }
    }
}

/// Planes that are worked on together, and the pixels that reach into them (by source).
#[derive(Debug)]
struct Slab {
    planes: Range<usize>,
    members: Vec<Vec<u32>>,
    kept: Option<Vec<Piece>>,
}

/// A channel of an exposure.
#[derive(Debug)]
pub struct Source {
    /// Which of the images it is in.
    pub image: usize,
    /// Its pixels.
    pub pixels: Pixels,
}

/// The geometry of a cube.
#[derive(Debug)]
pub struct Geometry {
    grid: Grid,
    weighting: Weighting,
    sources: Vec<Source>,
    slabs: Vec<Slab>,
    /// Whether the field of view of NIRSpec's slices is marked.
    marked: bool,
}

/// A cube's values, `[plane][y][x]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Voxels {
    /// Weighted means; NaN without data.
    pub sci: Vec<f32>,
    /// Standard errors; NaN without data.
    pub err: Vec<f32>,
    /// `DO_NOT_USE` and `NON_SCIENCE` without data.
    pub dq: Vec<u32>,
    /// Number of pixels behind a voxel.
    pub wmap: Vec<f32>,
}

/// Sums of a voxel: weighted flux, weights, weighted variance, number of pixels.
type Sums = [f64; 4];

/// The part of [`Voxels`] one slab fills.
struct Part<'a> {
    sci: &'a mut [f32],
    err: &'a mut [f32],
    dq: &'a mut [u32],
    wmap: &'a mut [f32],
}

impl Geometry {
    /// Finds which pixels reach into which planes; `marked` to look for holes in the field of view of NIRSpec's slices.
    pub fn new(grid: Grid, weighting: Weighting, sources: Vec<Source>, marked: bool) -> Self {
        let planes = (SLAB_VOXELS / grid.nxy().max(1)).clamp(1, SLAB_PLANES);
        let nz = grid.z.len();
        let mut slabs: Vec<Slab> = (0..nz)
            .step_by(planes)
            .map(|from| Slab {
                planes: from..(from + planes).min(nz),
                members: vec![Vec::new(); sources.len()],
                kept: None,
            })
            .collect();
        let widest = grid.dz.iter().copied().fold(0.0, f64::max);
        let nearest = match &weighting {
            _ if !marked => 0.0,
            Weighting::Drizzle => mean(&grid.dz),
            Weighting::Shepard(reaches) => reaches.longest(),
        };
        for (s, source) in sources.iter().enumerate() {
            let pixels = &source.pixels;
            let mut about = [0; 2];
            for (k, lambda) in pixels.lambda.iter().enumerate() {
                let mut reached = match &weighting {
                    Weighting::Drizzle => {
                        let length = pixels.length[k];
                        lengths(&grid, widest, *lambda, length, 0..nz, &mut about[0], |_| ())
                    }
                    Weighting::Shepard(reaches) => match reaches.at(*lambda) {
                        Some(reach) => {
                            within_about(&grid.z, *lambda, reach.spectral, &mut about[0])
                        }
                        None => 0..0,
                    },
                };
                if marked {
                    let near = within_about(&grid.z, *lambda, nearest, &mut about[1]);
                    reached = match (reached.is_empty(), near.is_empty()) {
                        (true, _) => near,
                        (_, true) => reached,
                        _ => reached.start.min(near.start)..reached.end.max(near.end),
                    };
                }
                if reached.is_empty() {
                    continue;
                }
                for slab in &mut slabs[reached.start / planes..=(reached.end - 1) / planes] {
                    // images have fewer pixels than that
                    slab.members[s].push(k as u32);
                }
            }
        }
        Self {
            grid,
            weighting,
            sources,
            slabs,
            marked,
        }
    }

    /// The grid.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Works out weights and keeps them for [`Self::apply`], of as many slabs as `bytes` allow.
    ///
    /// # Errors
    /// Those of the WCS; [`Error::Interrupted`](crate::Error::Interrupted).
    pub fn keep(&mut self, bytes: usize, exec: &Exec) -> Result<()> {
        let used = AtomicUsize::new(0);
        let kept = exec.try_map(self.slabs.iter().collect(), |slab: &Slab| {
            if used.load(Ordering::Relaxed) >= bytes {
                return Ok(None);
            }
            let pieces = self.pieces(slab)?;
            let size = pieces.iter().map(Piece::bytes).sum();
            let fits = used.fetch_add(size, Ordering::Relaxed) + size <= bytes;
            Ok(fits.then_some(pieces))
        })?;
        for (slab, kept) in self.slabs.iter_mut().zip(kept) {
            slab.kept = kept;
        }
        Ok(())
    }

    /// Makes one cube of each set of images; a set has an image for each number the sources name.
    ///
    /// # Errors
    /// As [`Self::keep`].
    pub fn apply(&self, sets: &[Vec<&Cal>], exec: &Exec) -> Result<Vec<Voxels>> {
        let n = self.grid.nxy() * self.grid.z.len();
        let mut out: Vec<Voxels> = sets
            .iter()
            .map(|_| Voxels {
                sci: vec![0.0; n],
                err: vec![0.0; n],
                dq: vec![0; n],
                wmap: vec![0.0; n],
            })
            .collect();
        let size = self.slabs.first().map_or(1, |s| s.planes.len()) * self.grid.nxy();
        let mut jobs: Vec<(&Slab, Vec<Part>)> =
            self.slabs.iter().map(|s| (s, Vec::new())).collect();
        for v in &mut out {
            let values = v.sci.chunks_mut(size).zip(v.err.chunks_mut(size));
            let maps = v.dq.chunks_mut(size).zip(v.wmap.chunks_mut(size));
            for ((_, parts), ((sci, err), (dq, wmap))) in jobs.iter_mut().zip(values.zip(maps)) {
                parts.push(Part { sci, err, dq, wmap });
            }
        }
        let near: Vec<Vec<f64>> = match self.marked {
            true => exec.map(sets.iter().collect(), |set: &Vec<&Cal>| self.near(set)),
            false => Vec::new(),
        };
        exec.try_map(jobs, |(slab, parts)| self.fill(slab, sets, &near, parts))?;
        Ok(out)
    }

    /// How near in wavelength to a plane the pixels of each source have to be to show the field of view there.
    fn near(&self, set: &[&Cal]) -> Vec<f64> {
        let of = |source: &Source| match &self.weighting {
            Weighting::Drizzle => mean(&self.grid.dz),
            Weighting::Shepard(Reaches::One(reach)) => reach.spectral,
            Weighting::Shepard(reaches) => {
                let (pixels, image) = (&source.pixels, set[source.image]);
                let z = &self.grid.z;
                let span = z[0] - reaches.longest()..=z[z.len() - 1] + reaches.longest();
                let used = pixels.lambda.iter().zip(&pixels.index);
                let used = used.filter(|(l, i)| span.contains(*l) && usable(image, **i as usize));
                let all: Vec<f64> = used
                    .filter_map(|(l, _)| reaches.at(*l).map(|r| r.spectral))
                    .collect();
                mean(&all)
            }
        };
        self.sources.iter().map(of).collect()
    }

    /// Marks which of a slab's voxels the pixels of an image show to lie in the field of view.
    fn mark(
        &self,
        slab: &Slab,
        s: usize,
        piece: &Piece,
        image: &Cal,
        near: f64,
        seen: &mut [bool],
    ) {
        let (grid, lambda) = (&self.grid, &self.sources[s].pixels.lambda);
        let table = match (&self.weighting, grid.cdelt3) {
            // calwebb leaves out pixels farther from a table's ends
            (Weighting::Drizzle, None) => {
                let last = grid.z.len() - 1;
                grid.z[0] - grid.dz[0]..=grid.z[last] + grid.dz[last]
            }
            _ => f64::NEG_INFINITY..=f64::INFINITY,
        };
        let z = &grid.z[slab.planes.clone()];
        let mut extents = vec![[Extent::NONE; SLICES]; z.len()];
        for pixel in &piece.near {
            let lambda = lambda[pixel.member as usize];
            if !usable(image, pixel.pixel as usize) || !table.contains(&lambda) {
                continue;
            }
            for plane in within(z, lambda, near) {
                let slice = usize::from(pixel.slice).saturating_sub(1);
                if (z[plane] - lambda).abs() < near
                    && let Some(extent) = extents[plane].get_mut(slice)
                {
                    extent.add(pixel.centre);
                }
            }
        }
        for (extents, seen) in extents.iter().zip(seen.chunks_mut(grid.nxy())) {
            mark(extents, grid, seen);
        }
    }

    fn fill(
        &self,
        slab: &Slab,
        sets: &[Vec<&Cal>],
        near: &[Vec<f64>],
        mut parts: Vec<Part>,
    ) -> Result<()> {
        let nxy = self.grid.nxy();
        let voxels = nxy * slab.planes.len();
        let mut totals = vec![vec![[0.0; 4]; voxels]; sets.len()];
        let mut sums: Vec<Sums> = vec![[0.0; 4]; voxels];
        let mut seen = vec![vec![false; if self.marked { voxels } else { 0 }]; sets.len()];
        let mut work = Workspace::default();
        for (s, source) in self.sources.iter().enumerate() {
            if slab.members[s].is_empty() {
                continue;
            }
            let made;
            let piece = match slab.kept.as_ref().and_then(|k| k.get(s)) {
                Some(piece) => piece,
                None => {
                    made = self.piece(slab, s, &mut work)?;
                    &made
                }
            };
            for (set, total) in sets.iter().zip(&mut totals) {
                // exposures are summed one by one and then added up, as calwebb does
                sums.fill([0.0; 4]);
                add(piece, set[source.image], nxy, &mut sums);
                add_up(total, &sums);
            }
            for ((set, near), seen) in sets.iter().zip(near).zip(&mut seen) {
                self.mark(slab, s, piece, set[source.image], near[s], seen);
            }
        }
        for ((total, part), seen) in totals.iter().zip(&mut parts).zip(&seen) {
            for (i, [flux, weight, variance, count]) in total.iter().enumerate() {
                part.wmap[i] = *count as f32;
                if *weight > 0.0 {
                    part.sci[i] = (flux / weight) as f32;
                    part.err[i] = (variance / (weight * weight)).sqrt() as f32;
                } else {
                    part.sci[i] = f32::NAN;
                    part.err[i] = f32::NAN;
                    part.dq[i] = dq::DO_NOT_USE | dq::NON_SCIENCE;
                }
            }
            for (flags, seen) in part.dq.chunks_mut(nxy).zip(seen.chunks(nxy)) {
                find_holes(flags, seen, self.grid.x.len());
            }
        }
        Ok(())
    }

    fn pieces(&self, slab: &Slab) -> Result<Vec<Piece>> {
        let mut work = Workspace::default();
        (0..self.sources.len())
            .map(|s| self.piece(slab, s, &mut work))
            .collect()
    }

    fn piece(&self, slab: &Slab, s: usize, work: &mut Workspace) -> Result<Piece> {
        let (pixels, members) = (&self.sources[s].pixels, &slab.members[s]);
        match &self.weighting {
            Weighting::Drizzle => self.drizzled(slab, pixels, members, work),
            Weighting::Shepard(reaches) => self.weighed(slab, pixels, members, reaches),
        }
    }

    /// A pixel as one that shows the field of view.
    fn near_slab(&self, pixels: &Pixels, k: usize) -> Option<Near> {
        let (slice, centre) = pixels.in_slice(k, &self.grid.tangent)?;
        Some(Near {
            pixel: pixels.index[k],
            member: k as u32,
            slice,
            centre,
        })
    }

    fn drizzled(
        &self,
        slab: &Slab,
        pixels: &Pixels,
        members: &[u32],
        work: &mut Workspace,
    ) -> Result<Piece> {
        let grid = &self.grid;
        let nx = grid.x.len();
        let widest = grid.dz.iter().copied().fold(0.0, f64::max);
        let corners = pixels.corners(members, &grid.tangent)?;
        let mut piece = Piece::default();
        let mut about = 0;
        for (k, corners) in members.iter().zip(&corners) {
            let k = *k as usize;
            let whole = |v: &[f64; 4]| v.iter().all(|v| !v.is_nan());
            if self.marked && whole(&corners.0) && whole(&corners.1) {
                piece.near.extend(self.near_slab(pixels, k));
            }
            let start = piece.spaxels.len();
            spaxels(
                corners,
                (&grid.x, &grid.y),
                [grid.cdelt; 2],
                work,
                |ix, iy, area| {
                    piece.spaxels.push((iy * nx + ix) as u32);
                    piece.areas.push(area);
                },
            );
            if piece.spaxels.len() == start {
                continue;
            }
            let weights = &mut piece.weights;
            let (lambda, length) = (pixels.lambda[k], pixels.length[k]);
            let planes = slab.planes.clone();
            let reached = lengths(grid, widest, lambda, length, planes, &mut about, |l| {
                weights.push(l);
            });
            let entry = piece.entry(pixels.index[k], reached.start - slab.planes.start);
            piece.entries.push(entry);
        }
        Ok(piece)
    }

    fn weighed(
        &self,
        slab: &Slab,
        pixels: &Pixels,
        members: &[u32],
        reaches: &Reaches,
    ) -> Result<Piece> {
        let grid = &self.grid;
        let (nx, scale) = (grid.x.len(), grid.cdelt);
        let centres = pixels.centres(members, &grid.tangent)?;
        let mut piece = Piece::default();
        let mut along = Vec::new();
        for (k, [xi, eta]) in members.iter().zip(&centres) {
            let k = *k as usize;
            let lambda = pixels.lambda[k];
            if self.marked {
                piece.near.extend(self.near_slab(pixels, k));
            }
            let Some(reach) = reaches.at(lambda) else {
                continue;
            };
            let planes = within(&grid.z, lambda, reach.spectral);
            let planes = planes.start.max(slab.planes.start)..planes.end.min(slab.planes.end);
            along.clear();
            along.extend(planes.clone().map(|iw| {
                let d = (lambda - grid.z[iw]) / grid.dz[iw];
                d * d
            }));
            let start = piece.spaxels.len();
            let rows = within(&grid.y, *eta, reach.spatial);
            for ix in within(&grid.x, *xi, reach.spatial) {
                for iy in rows.clone() {
                    let (dx, dy) = ((grid.x[ix] - xi).abs(), (grid.y[iy] - eta).abs());
                    if (dx * dx + dy * dy).sqrt() <= reach.spatial {
                        let (dx, dy) = (dx / scale, dy / scale);
                        let across = dx * dx + dy * dy;
                        piece.spaxels.push((iy * nx + ix) as u32);
                        let weights = along.iter().map(|d| reach.fall.weight(d + across, scale));
                        piece.weights.extend(weights);
                    }
                }
            }
            if piece.spaxels.len() > start {
                let entry = piece.entry(pixels.index[k], planes.start - slab.planes.start);
                piece.entries.push(entry);
            }
        }
        Ok(piece)
    }
}

/// Calls `length` for the planes (among `planes`) from the first to the last that a pixel's part of the spectrum reaches, with what
/// they have in common; which planes these are. `about` is kept from one pixel to its neighbour.
fn lengths(
    grid: &Grid,
    widest: f64,
    lambda: f64,
    own: f64,
    planes: Range<usize>,
    about: &mut usize,
    mut length: impl FnMut(f64),
) -> Range<usize> {
    if own.is_nan() || lambda.is_nan() {
        return planes.start..planes.start;
    }
    // beyond this calwebb does not look in a table's planes
    if grid.cdelt3.is_none() {
        let last = grid.z.len() - 1;
        if lambda < grid.z[0] - grid.dz[0] || lambda > grid.z[last] + grid.dz[last] {
            return planes.start..planes.start;
        }
    }
    let z = &grid.z[planes.clone()];
    let least = lambda - (own + widest);
    let start = planes.start + partition_about(z, |z| z < least, about);
    let mut reached = start..start;
    let (low, high) = (lambda - own / 2.0, lambda + own / 2.0);
    let above_zero = |v: f64| if v < 0.0 { 0.0 } else { v };
    for iw in start..planes.end {
        let (z, dz) = (grid.z[iw], grid.dz[iw]);
        if z > lambda + (own + widest) {
            break;
        }
        let (from, to) = (z - dz / 2.0, z + dz / 2.0);
        let common = above_zero(to - low) - above_zero(to - high) - above_zero(from - low);
        if (z - lambda).abs() < (own + dz).abs() && common > 0.0 {
            if reached.is_empty() {
                reached = iw..iw;
            }
            // a plane next to a gap of the table is long and may be reached over others
            (reached.end..iw).for_each(|_| length(0.0));
            reached.end = iw + 1;
            length(common);
        }
    }
    reached
}

/// Whether a pixel takes part.
fn usable(image: &Cal, at: usize) -> bool {
    image.dq[at] & (dq::DO_NOT_USE | dq::NON_SCIENCE) == 0
        && image.sci[at].is_finite()
        && !image.err[at].is_nan()
}

/// Adds what a pixel of this value and error gives with a weight.
#[inline(always)]
fn put(sums: &mut Sums, flux: f64, err: f64, weight: f64) {
    let parts = [flux * weight, weight, (err * weight) * (err * weight), 1.0];
    sums.iter_mut().zip(parts).for_each(|(s, p)| *s += p);
}

wide! {
    /// Adds the pixels of an image to the sums of a slab.
    fn add(piece: &Piece, image: &Cal, nxy: usize, sums: &mut [Sums]) {
        let (mut first, mut weight) = (0, 0);
        for entry in &piece.entries {
            let (end, weight_end) = (entry.spaxels as usize, entry.weights as usize);
            let spaxels = &piece.spaxels[first..end];
            let weights = &piece.weights[weight..weight_end];
            let areas = piece.areas.get(first..end);
            (first, weight) = (end, weight_end);
            let at = entry.pixel as usize;
            if !usable(image, at) {
                continue;
            }
            let (flux, err) = (f64::from(image.sci[at]), f64::from(image.err[at]));
            let base = entry.plane as usize * nxy;
            if let Some(areas) = areas.filter(|a| !a.is_empty()) {
                for (p, length) in weights.iter().enumerate() {
                    let plane = &mut sums[base + p * nxy..][..nxy];
                    for (spaxel, area) in spaxels.iter().zip(areas) {
                        let w = area * length;
                        if w > 0.0 {
                            put(&mut plane[*spaxel as usize], flux, err, w);
                        }
                    }
                }
            } else {
                let planes = weights.len() / spaxels.len().max(1);
                for (spaxel, weights) in spaxels.iter().zip(weights.chunks(planes.max(1))) {
                    for (p, w) in weights.iter().enumerate() {
                        put(&mut sums[base + p * nxy + *spaxel as usize], flux, err, *w);
                    }
                }
            }
        }
    }
}

wide! {
    /// Adds the sums of one exposure to those of all.
    fn add_up(totals: &mut [Sums], sums: &[Sums]) {
        for (total, sum) in totals.as_flattened_mut().iter_mut().zip(sums.as_flattened()) {
            *total += sum;
        }
    }
}
