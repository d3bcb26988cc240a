//! Where the pixels of a channel of an exposure (of NIRSpec: of the exposure) are: wavelengths once, corners or centres in the tangent
//! plane when asked for.

use std::sync::Arc;

use super::footprint::Footprint;
use super::offsets::Offset;
use super::slices::Slices;
use super::tangent::Tangent;
use crate::exec::Exec;
use crate::model::Cal;
use crate::wcs::Gwcs;
use crate::{Error, Result};

/// From a pixel's centre to the sides taken for its own: just inside, so as not to reach into the next slice.
const HALF: f64 = 0.4999;
/// Rows mapped at once.
const ROWS: usize = 32;

/// What leads from pixels to the sky.
#[derive(Debug, Clone)]
enum Optics {
    /// The WCS of the MRS.
    Mrs {
        wcs: Arc<Gwcs>,
        /// Width of a slice in arcsec.
        width: f64,
    },
    /// The slices of NIRSpec's IFU.
    Nirspec {
        slices: Box<Slices>,
        /// Number of each pixel's slice, from 1.
        slice: Vec<u8>,
        /// What the WCS takes each pixel's slice by.
        label: Vec<u8>,
        /// Right ascension of pixels' centres in degrees.
        ra: Vec<f64>,
        /// Declination of pixels' centres in degrees.
        dec: Vec<f64>,
    },
}

/// Pixels of one channel of one exposure that have coordinates, in the image's order.
#[derive(Debug, Clone)]
pub struct Pixels {
    optics: Optics,
    nx: usize,
    offset: Option<Offset>,
    /// Place of each pixel in the image.
    pub index: Vec<u32>,
    /// Its wavelength in micron.
    pub lambda: Vec<f64>,
    /// Length of its part of the spectrum in micron; NaN where that leaves the channel, empty if not needed.
    pub length: Vec<f64>,
}

/// What [`Pixels::map`] makes of a strip of rows.
#[derive(Default)]
struct Strip {
    index: Vec<u32>,
    ra: Vec<f64>,
    dec: Vec<f64>,
    lambda: Vec<f64>,
    length: Vec<f64>,
    betas: Vec<f64>,
}

impl Pixels {
    /// Maps the pixels of these columns of the detector; with their lengths along the spectrum for drizzling. The footprint is that
    /// of the pixels before they are moved by the offset; none where no pixel has coordinates.
    ///
    /// # Errors
    /// [`Error::Input`] where the WCS is not that of an MRS exposure.
    pub fn map(
        cal: &Cal,
        columns: (usize, usize),
        offset: Option<Offset>,
        drizzle: bool,
        exec: &Exec,
    ) -> Result<(Self, Option<Footprint>)> {
        let wcs = Gwcs::from_node(cal.need_wcs()?).map_err(|e| e.with_path(&cal.meta.source))?;
        let columns = image_columns(&wcs, columns)?;
        let columns = columns.start.min(cal.nx)..columns.end.min(cal.nx);
        let strips: Vec<_> = (0..cal.ny)
            .step_by(ROWS)
            .map(|y| y..(y + ROWS).min(cal.ny))
            .collect();
        let strips = exec.try_map(strips, |rows| {
            strip(&wcs, cal.nx, rows, columns.clone(), drizzle)
                .map_err(|e| e.with_path(&cal.meta.source))
        })?;
        let mut all = Strip::default();
        for s in strips {
            all.index.extend(s.index);
            all.ra.extend(s.ra);
            all.dec.extend(s.dec);
            all.lambda.extend(s.lambda);
            all.length.extend(s.length);
            all.betas.extend(s.betas);
        }
        all.betas.sort_by(f64::total_cmp);
        all.betas.dedup();
        let width = match all.betas[..] {
            [first, second, ..] => (second - first).abs(),
            _ => f64::NAN,
        };
        let footprint = Footprint::of_pixels(&all.ra, &all.dec);
        let pixels = Self {
            optics: Optics::Mrs {
                wcs: Arc::new(wcs),
                width,
            },
            nx: cal.nx,
            offset,
            index: all.index,
            lambda: all.lambda,
            length: all.length,
        };
        Ok((pixels, footprint))
    }

    /// Maps the pixels of a NIRSpec exposure, as [`Self::map`] those of a channel.
    ///
    /// # Errors
    /// [`Error::Input`] where the WCS is not that of an exposure of NIRSpec's IFU.
    pub fn of_slices(
        cal: &Cal,
        offset: Option<Offset>,
        drizzle: bool,
        exec: &Exec,
    ) -> Result<(Self, Option<Footprint>)> {
        let slices = Slices::of(cal)?;
        let all = slices
            .map((cal.ny, cal.nx), drizzle, exec)
            .map_err(|e| e.with_path(&cal.meta.source))?;
        let footprint = Footprint::of_pixels(&all.ra, &all.dec);
        let pixels = Self {
            optics: Optics::Nirspec {
                slices: Box::new(slices),
                slice: all.slice,
                label: all.label,
                ra: all.ra,
                dec: all.dec,
            },
            nx: cal.nx,
            offset,
            index: all.index,
            lambda: all.lambda,
            length: all.length,
        };
        Ok((pixels, footprint))
    }

    /// Slice (from 1) and centre in the tangent plane of a pixel; none for pixels of the MRS.
    pub fn in_slice(&self, k: usize, tangent: &Tangent) -> Option<(u8, [f64; 2])> {
        match &self.optics {
            Optics::Mrs { .. } => None,
            Optics::Nirspec { slice, ra, dec, .. } => {
                Some((slice[k], self.project(tangent, ra[k], dec[k])))
            }
        }
    }

    fn places(&self, members: &[u32]) -> (Vec<f64>, Vec<f64>) {
        let places = members.iter().map(|k| {
            let at = self.index[*k as usize] as usize;
            ((at % self.nx) as f64, (at / self.nx) as f64)
        });
        places.unzip()
    }

    fn project(&self, tangent: &Tangent, ra: f64, dec: f64) -> [f64; 2] {
        let [ra, dec] = match &self.offset {
            Some(offset) => offset.apply([ra, dec]),
            None => [ra, dec],
        };
        tangent.project(ra, dec)
    }

    /// Corners of some pixels in the tangent plane, in the order in which they follow each other around the pixel.
    ///
    /// # Errors
    /// Those of the WCS.
    pub fn corners(&self, members: &[u32], tangent: &Tangent) -> Result<Vec<([f64; 4], [f64; 4])>> {
        let mut order: Vec<u32> = (0..members.len() as u32).collect();
        let sky = match &self.optics {
            Optics::Mrs { wcs, width } => self.corners_of_slices(wcs, *width, members)?,
            Optics::Nirspec { slices, label, .. } => {
                order.sort_by_key(|i| label[members[*i as usize] as usize]);
                let members = order.iter().map(|i| members[*i as usize] as usize);
                let label: Vec<u8> = members.clone().map(|k| label[k]).collect();
                let index = members.map(|k| self.index[k] as usize);
                slices.corners(&label, index, self.nx)?
            }
        };
        let mut out = vec![([0.0; 4], [0.0; 4]); members.len()];
        for (corner, [ra, dec]) in sky.iter().enumerate() {
            for (i, (ra, dec)) in order.iter().zip(ra.iter().zip(dec)) {
                let [xi, eta] = self.project(tangent, *ra, *dec);
                let out = &mut out[*i as usize];
                out.0[corner] = xi;
                out.1[corner] = eta;
            }
        }
        Ok(out)
    }

    /// Right ascension and declination of the corners of pixels of the MRS.
    fn corners_of_slices(
        &self,
        wcs: &Gwcs,
        width: f64,
        members: &[u32],
    ) -> Result<[[Vec<f64>; 2]; 4]> {
        let (x, y) = self.places(members);
        let lambda: Vec<f64> = members.iter().map(|k| self.lambda[*k as usize]).collect();
        let moved = |d: f64| x.iter().map(|x| x + d).collect::<Vec<f64>>();
        let slice = |x: &[f64]| wcs.between(wcs.first(), "alpha_beta", &[x, &y]);
        let (left, right) = (slice(&moved(-HALF))?, slice(&moved(HALF))?);
        let half = width / 2.0;
        let below: Vec<f64> = left[1].iter().map(|b| b - half).collect();
        let above: Vec<f64> = left[1].iter().map(|b| b + half).collect();
        let sky = |alpha: &[f64], beta: &[f64]| -> Result<[Vec<f64>; 2]> {
            let mut sky = wcs.between("alpha_beta", wcs.last(), &[alpha, beta, &lambda])?;
            let dec = sky.swap_remove(1);
            Ok([sky.swap_remove(0), dec])
        };
        Ok([
            sky(&left[0], &below)?,
            sky(&left[0], &above)?,
            sky(&right[0], &above)?,
            sky(&right[0], &below)?,
        ])
    }

    /// Centres of some pixels in the tangent plane.
    ///
    /// # Errors
    /// Those of the WCS.
    pub fn centres(&self, members: &[u32], tangent: &Tangent) -> Result<Vec<[f64; 2]>> {
        match &self.optics {
            Optics::Mrs { wcs, .. } => {
                let (x, y) = self.places(members);
                let sky = wcs.forward(&[&x, &y])?;
                let points = sky[0].iter().zip(&sky[1]);
                Ok(points
                    .map(|(ra, dec)| self.project(tangent, *ra, *dec))
                    .collect())
            }
            Optics::Nirspec { ra, dec, .. } => Ok(members
                .iter()
                .map(|k| self.project(tangent, ra[*k as usize], dec[*k as usize]))
                .collect()),
        }
    }
}

impl Pixels {
    /// Median wavelength in micron of the pixels of these columns of the detector; NaN where there are none.
    ///
    /// # Errors
    /// Those of the WCS.
    pub fn middle_wavelength(wcs: &Gwcs, cal: &Cal, columns: (usize, usize)) -> Result<f64> {
        let columns = image_columns(wcs, columns)?;
        let places = (0..cal.ny).flat_map(|y| columns.clone().map(move |x| (x as f64, y as f64)));
        let (x, y): (Vec<f64>, Vec<f64>) = places.unzip();
        let slices = wcs.between(wcs.first(), "alpha_beta", &[&x, &y])?;
        let lambda = slices.into_iter().nth(2).unwrap_or_default();
        let mut all: Vec<f64> = lambda.into_iter().filter(|l| !l.is_nan()).collect();
        all.sort_by(f64::total_cmp);
        let n = all.len();
        Ok(match n {
            0 => f64::NAN,
            _ if n % 2 == 1 => all[n / 2],
            _ => (all[n / 2 - 1] + all[n / 2]) / 2.0,
        })
    }
}

/// Columns of the image that hold columns of the detector: others than they where the image was oversampled.
fn image_columns(wcs: &Gwcs, (start, end): (usize, usize)) -> Result<std::ops::Range<usize>> {
    if wcs.first() != "coordinates" {
        return Ok(start..end);
    }
    let x = [start as f64, end as f64];
    let at = wcs.between("detector", "coordinates", &[&x, &[0.0, 0.0]])?;
    Ok(at[0][0].floor().max(0.0) as usize..at[0][1].ceil().max(0.0) as usize)
}

fn strip(
    wcs: &Gwcs,
    nx: usize,
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
    drizzle: bool,
) -> Result<Strip> {
    let places = rows.flat_map(|y| columns.clone().map(move |x| y * nx + x));
    let at: Vec<usize> = places.collect();
    let x: Vec<f64> = at.iter().map(|k| (k % nx) as f64).collect();
    let y: Vec<f64> = at.iter().map(|k| (k / nx) as f64).collect();
    let world = wcs.forward(&[&x, &y])?;
    let [ra, dec, lambda] = &world[..] else {
        return Err(Error::input(format!(
            "its WCS gives {} world coordinates; an IFU's are right ascension, declination and wavelength",
            world.len()
        )));
    };
    let valid: Vec<usize> = (0..at.len()).filter(|i| !ra[*i].is_nan()).collect();
    let take = |v: &[f64]| valid.iter().map(|i| v[*i]).collect::<Vec<f64>>();
    let mut out = Strip {
        index: valid
            .iter()
            .map(|i| u32::try_from(at[*i]))
            .collect::<Result<_, _>>()
            .map_err(|_| Error::input("the image has more pixels than can be counted"))?,
        ra: take(ra),
        dec: take(dec),
        lambda: take(lambda),
        ..Strip::default()
    };
    if drizzle {
        let (x, y) = (take(&x), take(&y));
        // behind v2v3 the wavelength is only passed on
        let lambda = |d: f64| -> Result<Vec<f64>> {
            let y: Vec<f64> = y.iter().map(|y| y + d).collect();
            Ok(wcs.between(wcs.first(), "v2v3", &[&x, &y])?.swap_remove(2))
        };
        let (low, high) = (lambda(-HALF)?, lambda(HALF)?);
        out.length = low.iter().zip(&high).map(|(a, b)| (a - b).abs()).collect();
        let x: Vec<f64> = x.iter().map(|x| x - HALF).collect();
        out.betas = wcs
            .between(wcs.first(), "alpha_beta", &[&x, &y])?
            .swap_remove(1);
        out.betas.retain(|b| !b.is_nan());
        out.betas.sort_by(f64::total_cmp);
        out.betas.dedup();
    }
    Ok(out)
}
