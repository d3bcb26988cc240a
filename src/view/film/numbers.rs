//! What a film shows of a cube: images of some wavelengths each, as surface brightness and as brightness temperature.

use crate::model::radiance::brightness_temperature;
use crate::view::figure::Affine;
use crate::view::globe::Globe;
use crate::view::sky::Tangent;
use crate::view::wireframe::Wireframe;

/// A cube as it is read.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Number of the dither, and when it began.
    pub label: [&'a str; 2],
    /// Wavelengths, rows and columns.
    pub shape: [usize; 3],
    /// Surface brightness in MJy/sr, `[wavelength][y][x]`.
    pub values: &'a [f32],
    /// Wavelengths, micron.
    pub wavelength: &'a [f64],
    /// Right ascension of every spaxel, degrees, `[y][x]`.
    pub ra: &'a [f64],
    /// Declination, degrees.
    pub dec: &'a [f64],
    /// Planetographic latitude, degrees; NaN beside the body.
    pub latitude: &'a [f64],
    /// The body.
    pub globe: &'a Globe,
}

/// Mean spectra of bins of latitude.
#[derive(Clone, Debug, PartialEq)]
pub struct Zonal {
    /// Planetographic latitudes, degrees, ascending.
    pub latitude: Vec<f64>,
    /// Surface brightness in MJy/sr, `[wavelength][latitude]`.
    pub values: Vec<f64>,
}

impl Zonal {
    /// Linear between the two bins of a latitude at a wavelength; NaN beyond the bins and beside one without data.
    fn at(&self, wavelength: usize, latitude: f64) -> f64 {
        let n = self.latitude.len();
        let above = self.latitude.partition_point(|l| *l < latitude);
        let row = self.values.get(wavelength * n..(wavelength + 1) * n);
        let (Some(row), false) = (row, latitude.is_nan() || above >= n) else {
            return f64::NAN;
        };
        if self.latitude[above] == latitude {
            return row[above];
        }
        let Some(below) = above.checked_sub(1) else {
            return f64::NAN;
        };
        let part =
            (latitude - self.latitude[below]) / (self.latitude[above] - self.latitude[below]);
        row[below] + part * (row[above] - row[below])
    }
}

/// Images of a cube, frame by frame, and where its spaxels are.
#[derive(Clone, Debug)]
pub struct Dither {
    /// Number of the dither, and when it began.
    pub label: [String; 2],
    /// Columns and rows.
    pub size: [usize; 2],
    /// Brightness (or what differs from the zonal average), `[frame][y][x]`.
    pub flux: Vec<Vec<f32>>,
    /// Brightness temperature, K.
    pub kelvin: Vec<Vec<f32>>,
    /// Brightness temperature less that of the zonal average; none without one.
    pub apart: Option<Vec<Vec<f32>>>,
    /// Whether a spaxel is on the body.
    pub disc: Vec<bool>,
    /// Mean brightness temperature of every wavelength, K.
    pub spectrum: Vec<f64>,
    /// The tangent plane of the field.
    pub plane: Tangent,
    /// From spaxels to the plane (arcsec).
    pub pixels: Affine,
    /// The body.
    pub globe: Globe,
    /// Its lines in the plane.
    pub wireframe: Wireframe,
}

/// Means of some planes at a time, NaN left out.
struct Means {
    sums: Vec<f64>,
    counts: Vec<u32>,
    frames: Vec<Vec<f32>>,
}

impl Means {
    fn new(n: usize) -> Self {
        Self {
            sums: vec![0.0; n],
            counts: vec![0; n],
            frames: Vec::new(),
        }
    }

    fn add(&mut self, i: usize, v: f64) {
        if !v.is_nan() {
            self.sums[i] += v;
            self.counts[i] += 1;
        }
    }

    fn close(&mut self) {
        let mean = |(sum, count): (&mut f64, &mut u32)| {
            let mean = (std::mem::take(sum) / f64::from(std::mem::take(count))) as f32;
            if mean.is_finite() { mean } else { f32::NAN }
        };
        let frame = self.sums.iter_mut().zip(&mut self.counts).map(mean);
        self.frames.push(frame.collect());
    }
}

impl Dither {
    /// Images of a cube, `step` wavelengths each; none where the field has no place on the sky.
    #[must_use]
    pub fn new(source: &Source, step: usize, zonal: Option<&Zonal>) -> Option<Self> {
        let [nz, ny, nx] = source.shape;
        let n = ny * nx;
        let (step, known) = (step.max(1), |i: &usize| {
            source.ra[*i].is_finite() && source.dec[*i].is_finite()
        });
        let middle = (ny / 2) * nx + nx / 2;
        let near = (0..n).filter(known).min_by_key(|i| i.abs_diff(middle))?;
        let plane = Tangent::new(source.ra[near], source.dec[near]);
        let (pixels, _) = plane.pixels(source.ra, source.dec, nx)?;
        let (mut flux, mut kelvin, mut apart) = (Means::new(n), Means::new(n), Means::new(n));
        let mut spectrum = Vec::with_capacity(nz);
        for (z, wavelength) in source.wavelength.iter().enumerate() {
            let (mut sum, mut count) = (0.0, 0u32);
            for (i, v) in source.values[z * n..(z + 1) * n].iter().enumerate() {
                let v = f64::from(*v);
                let t = brightness_temperature(*wavelength, v);
                kelvin.add(i, t);
                if !t.is_nan() {
                    sum += t;
                    count += 1;
                }
                match zonal {
                    None => flux.add(i, v),
                    Some(zonal) => {
                        let mean = zonal.at(z, source.latitude[i]);
                        flux.add(i, v - mean);
                        apart.add(i, t - brightness_temperature(*wavelength, mean));
                    }
                }
            }
            spectrum.push(sum / f64::from(count));
            if (z + 1) % step == 0 || z + 1 == nz {
                flux.close();
                kelvin.close();
                apart.close();
            }
        }
        Some(Self {
            label: source.label.map(str::to_owned),
            size: [nx, ny],
            flux: flux.frames,
            kelvin: kelvin.frames,
            apart: zonal.map(|_| apart.frames),
            disc: source.latitude.iter().map(|l| l.is_finite()).collect(),
            spectrum,
            plane,
            pixels,
            globe: source.globe.clone(),
            wireframe: Wireframe::of(source.globe, &plane),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zonal_average_ends_where_its_bins_do() {
        let zonal = Zonal {
            latitude: vec![-10.0, 0.0, 10.0],
            values: vec![1.0, 2.0, 4.0, 10.0, f64::NAN, 40.0],
        };
        assert_eq!(zonal.at(0, -10.0), 1.0);
        assert_eq!(zonal.at(0, 5.0), 3.0);
        assert_eq!(zonal.at(0, 10.0), 4.0);
        assert_eq!(zonal.at(1, 10.0), 40.0);
        for (z, at) in [(0, 10.1), (0, -11.0), (0, f64::NAN), (1, 3.0), (2, 0.0)] {
            assert!(zonal.at(z, at).is_nan(), "{z} {at}");
        }
    }
}
