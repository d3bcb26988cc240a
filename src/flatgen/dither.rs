//! One dither of an extended target: values, errors and where every spaxel looks.

use std::path::{Path, PathBuf};

use crate::formats::fits::{FitsFile, Header};
use crate::model::Meta;
use crate::store::flat::defringed;
use crate::{Error, Result};

/// A navigated cube of one dither, `[wavelength][y][x]`.
#[derive(Debug, Clone)]
pub struct Dither {
    /// Headers and path.
    pub meta: Meta,
    /// Wavelengths, rows, columns.
    pub shape: [usize; 3],
    /// Surface brightness; NaN where it is flagged or 0.
    pub sci: Vec<f32>,
    /// Its standard error; NaN where `sci` is.
    pub err: Vec<f32>,
    /// Planetographic latitude of each spaxel in degrees, NaN off the target.
    pub lat: Vec<f64>,
    /// West longitude in degrees.
    pub lon: Vec<f64>,
    /// Emission angle in degrees.
    pub emission: Vec<f64>,
}

/// Keywords that must agree between dithers of one flat.
const SAME: &[&str] = &[
    "INSTRUME", "DETECTOR", "CHANNEL", "BAND", "FILTER", "GRATING",
];

impl Dither {
    /// A dither from its parts: flagged values (`dq` not 0, where it is given) and zeros are masked.
    pub fn new(
        meta: Meta,
        shape: [usize; 3],
        (mut sci, mut err): (Vec<f32>, Vec<f32>),
        dq: Option<&[u32]>,
        [lat, lon, emission]: [Vec<f64>; 3],
    ) -> Self {
        for (i, (s, e)) in sci.iter_mut().zip(&mut err).enumerate() {
            if *s == 0.0 || dq.is_some_and(|dq| dq[i] != 0) {
                *s = f32::NAN;
            }
            if s.is_nan() {
                *e = f32::NAN;
            }
        }
        Self {
            meta,
            shape,
            sci,
            err,
            lat,
            lon,
            emission,
        }
    }

    /// Reads a navigated cube: of sifu, or of PlanetMapper (`LAT-PGR`, `LON-WEST`).
    ///
    /// # Errors
    /// [`Error::Input`] where it is no cube or not navigated.
    pub fn read(path: &Path) -> Result<Self> {
        let file = FitsFile::open(path)?;
        let sci = file.need("SCI")?;
        let shape = file.shape(sci)?;
        let [nz, ny, nx] = *shape else {
            return Err(Error::input_file(
                path,
                format!(
                    "SCI has {} axes; a cube has 3 (wavelength, y, x)",
                    shape.len()
                ),
            ));
        };
        let same = |i: usize, wanted: &[usize], name: &str| match file.shape(i)? == wanted {
            true => Ok(i),
            false => Err(Error::format(
                path,
                format!(
                    "{name} has shape {:?}, which does not fit SCI's {shape:?}",
                    file.shape(i)?
                ),
            )),
        };
        let dq: Option<Vec<u32>> = match file.find("DQ") {
            Some(i) => Some(file.all(same(i, shape, "DQ")?)?),
            None => None,
        };
        let plane = |names: &[&str]| -> Result<Vec<f64>> {
            let found = names.iter().find_map(|n| file.find(n));
            let i = found.ok_or_else(|| {
                let what = names.first().copied().unwrap_or_default();
                Error::input_file(
                    path,
                    format!("has no {what} plane; run `sifu navigate` on the cube first"),
                )
            })?;
            file.all(same(i, &[ny, nx], names[0])?)
        };
        let planes = [
            plane(&["LAT_GRAPHIC", "LAT_PGR", "LAT-PGR"])?,
            plane(&["LON", "LON_WEST", "LON-WEST"])?,
            plane(&["EMISSION"])?,
        ];
        let header = |i: usize| file.hdus()[i].header.clone();
        let meta = Meta {
            source: path.into(),
            primary: header(0),
            sci: header(sci),
            history: None,
        };
        let err = file.all(same(file.need("ERR")?, shape, "ERR")?)?;
        Ok(Self::new(
            meta,
            [nz, ny, nx],
            (file.all(sci)?, err),
            dq.as_deref(),
            planes,
        ))
    }

    fn axis(header: &Header) -> [Option<f64>; 3] {
        let step = header.f64("CD3_3").or_else(|| header.f64("CDELT3"));
        [header.f64("CRVAL3"), step, header.f64("CRPIX3")]
    }

    /// Refuses dithers that are not of one band, shape and wavelength axis.
    ///
    /// # Errors
    /// [`Error::Input`] naming what differs.
    pub fn alike(dithers: &[Self]) -> Result<()> {
        let Some(first) = dithers.first() else {
            return Err(Error::input("there are no cubes to make a flat of"));
        };
        let mut seen: Vec<&PathBuf> = Vec::new();
        for d in dithers {
            let (path, other) = (&d.meta.source, first.meta.source.display());
            if !path.as_os_str().is_empty() && seen.contains(&path) {
                return Err(Error::input_file(path, "is given twice"));
            }
            seen.push(path);
            if d.meta
                .str("ASNTABLE")
                .is_some_and(|a| a.contains("dither-combined"))
            {
                return Err(Error::input_file(
                    path,
                    "combines dithers; a flat is made of cubes of one each",
                ));
            }
            if d.shape != first.shape {
                let message = format!(
                    "its shape is {:?} and that of {other} {:?}; a flat needs dithers of one shape (cubes built with \
                     coord_system=ifualign)",
                    d.shape, first.shape
                );
                return Err(Error::input_file(path, message));
            }
            for key in SAME {
                let (a, b) = (d.meta.str(key), first.meta.str(key));
                if a.map(str::trim) != b.map(str::trim) {
                    let text = |v: Option<&str>| v.unwrap_or("missing").to_owned();
                    let message = format!(
                        "{key} is {} here and {} in {other}; a flat is made of dithers of one band",
                        text(a),
                        text(b)
                    );
                    return Err(Error::input_file(path, message));
                }
            }
            if defringed(&d.meta) != defringed(&first.meta) {
                let message = format!(
                    "S_RESFRI (2-D residual fringe correction) is COMPLETE in only one of this cube and {other}"
                );
                return Err(Error::input_file(path, message));
            }
            if Self::axis(&d.meta.sci) != Self::axis(&first.meta.sci) {
                let message = format!("its wavelengths are not those of {other}");
                return Err(Error::input_file(path, message));
            }
        }
        Ok(())
    }
}
