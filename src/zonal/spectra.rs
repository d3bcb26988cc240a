//! NEMESIS spectra ([`Spx`]) of an averaged product.

use std::path::{Path, PathBuf};

use crate::formats::fits::FitsFile;
use crate::model::radiance::per_micron;
use crate::store::spx::{Spx, signed_general};
use crate::{Error, Result};

/// How spectra are named and converted.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Name of a file, with `{val}` (the bin, as `+10`) and `{channel}` (as `1A`).
    pub template: String,
    /// Width of the instrument's profile in micron.
    pub fwhm: f64,
    /// Do as the reference pipeline does, with its defects: radiances below 0 become NaN.
    pub compatible: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            template: "channel_{channel}/zonal_mean_{val}N.spx".into(),
            fwhm: 0.0,
            compatible: false,
        }
    }
}

/// One bin's spectrum and its file's name.
pub type Named = (PathBuf, Spx);

/// Spectra of the bins that have data, with finite samples only.
///
/// # Errors
/// [`Error::Input`] where the file is no averaged product; [`Error::Parameter`] where bins would share a name.
pub fn spectra(path: &Path, options: &Options) -> Result<Vec<Named>> {
    let file = FitsFile::open(path)?;
    let no = |what: &str| {
        Error::input_file(
            path,
            format!("{what}; give an averaged product of `sifu zonal`"),
        )
    };
    let sci = file.find("SCI").ok_or_else(|| no("has no SCI extension"))?;
    let [nz, bins] = *file.shape(sci)? else {
        return Err(no("SCI is no image of wavelengths and bins"));
    };
    let read = |name: &str, wanted: &[usize]| -> Result<Vec<f64>> {
        let i = file
            .find(name)
            .ok_or_else(|| no(&format!("has no {name} extension")))?;
        match file.shape(i)? == wanted {
            true => file.all(i),
            false => Err(no(&format!("the shape of {name} does not fit SCI"))),
        }
    };
    let header = &file.hdus()[sci].header;
    let axis = |n: usize, size: usize| -> Result<Vec<f64>> {
        let number = |key: &str| {
            let value = header.f64(&format!("{key}{n}"));
            value.ok_or_else(|| no(&format!("SCI has no {key}{n}")))
        };
        let (first, step) = (number("CRVAL")?, number("CDELT")?);
        let pixel = header.f64(&format!("CRPIX{n}")).unwrap_or(1.0);
        Ok((0..size)
            .map(|i| first + step * (i as f64 + 1.0 - pixel))
            .collect())
    };
    let (values, wavelength) = (axis(1, bins)?, axis(2, nz)?);
    let (radiance, error) = (read("SCI", &[nz, bins])?, read("ERR", &[nz, bins])?);
    let of_bins = |name: &str| read(name, &[bins]);
    let (lat, lon) = (of_bins("LAT_GRAPHIC")?, of_bins("LON")?);
    let (phase, emission, azimuth) = (of_bins("PHASE")?, of_bins("EMISSION")?, of_bins("AZIMUTH")?);
    // the reference goes from steradians to arcsec^2 and back by these two, which are rounded
    let scales: Vec<f64> = match options.compatible {
        true => {
            let arcsec2 = (std::f64::consts::PI / 648_000.0).powi(2);
            let (a2, sr) = (of_bins("PIXAR_A2")?, of_bins("PIXAR_SR")?);
            a2.iter().zip(&sr).map(|(a, s)| a * arcsec2 / s).collect()
        }
        false => vec![1.0; bins],
    };
    let channel = channel(&file);
    let mut out: Vec<Named> = Vec::new();
    for bin in 0..bins {
        let convert = |wavelength: f64, v: f64| {
            let w = per_micron(wavelength, v) * scales[bin];
            if options.compatible && w < 0.0 {
                f64::NAN
            } else {
                w
            }
        };
        let samples: Vec<[f64; 3]> = (0..nz)
            .filter(|z| radiance[z * bins + bin].is_finite())
            .map(|z| {
                let at = z * bins + bin;
                let w = wavelength[z];
                [w, convert(w, radiance[at]), convert(w, error[at])]
            })
            .collect();
        if samples.is_empty() {
            continue;
        }
        let mut name = options
            .template
            .replace("{val}", &signed_general(values[bin]));
        if name.contains("{channel}") {
            let channel = channel.as_deref().ok_or_else(|| {
                no("the name has {channel}, and the header no CHANNEL and BAND (use --template)")
            })?;
            name = name.replace("{channel}", channel);
        }
        if out.iter().any(|(other, _)| *other == Path::new(&name)) {
            return Err(Error::parameter(format!(
                "the template {} gives several spectra the name {name}; it needs {{val}}",
                options.template
            )));
        }
        let spx = Spx {
            fwhm: options.fwhm,
            lat: lat[bin],
            lon: lon[bin],
            phase: phase[bin],
            emission: emission[bin],
            azimuth: azimuth[bin],
            weight: 1.0,
            samples,
        };
        out.push((name.into(), spx));
    }
    if out.is_empty() {
        return Err(Error::Science {
            path: Some(path.into()),
            message: "no bin has data".into(),
        });
    }
    Ok(out)
}

/// Channel and band as in `1A`.
fn channel(file: &FitsFile) -> Option<String> {
    let header = &file.hdus()[0].header;
    let band = match header.str("BAND")?.trim().to_ascii_uppercase().as_str() {
        "SHORT" => "A",
        "MEDIUM" => "B",
        "LONG" => "C",
        _ => return None,
    };
    Some(format!("{}{band}", header.str("CHANNEL")?.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::fits::{Header, Writer};

    /// Two wavelengths and three bins, of which the last has no data.
    fn averaged(path: &Path, channel: bool) {
        let mut primary = Header::new();
        if channel {
            primary.set("CHANNEL", "3", "");
            primary.set("BAND", "LONG", "");
        }
        let mut w = Writer::create(path, false).unwrap();
        w.empty(&primary).unwrap();
        let mut header = |name: &str, shape: &[usize], values: &[f64]| {
            let mut h = Header::new();
            for (key, value) in [
                ("CRVAL1", -10.0),
                ("CDELT1", 10.0),
                ("CRVAL2", 15.0),
                ("CDELT2", 0.5),
                ("CRPIX2", 0.0),
            ] {
                h.set(key, value, "");
            }
            h.set("EXTNAME", name, "");
            w.image::<f64>(&h, shape).unwrap();
            w.put(0, values).unwrap();
        };
        let nan = f64::NAN;
        header("SCI", &[2, 3], &[5.0, -2.0, nan, nan, 3.0, nan]);
        header("ERR", &[2, 3], &[0.5, 0.2, nan, nan, 0.3, nan]);
        for name in ["LAT_GRAPHIC", "LON", "PHASE", "EMISSION", "AZIMUTH"] {
            header(name, &[3], &[1.0, 2.0, nan]);
        }
        let pixel = [0.04, 0.04, nan];
        header("PIXAR_A2", &[3], &pixel);
        let sr = pixel.map(|a| a * (std::f64::consts::PI / 648_000.0).powi(2));
        header("PIXAR_SR", &[3], &sr);
        w.finish().unwrap();
    }

    #[test]
    fn bins_with_data_and_their_finite_samples() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("zonal.fits");
        averaged(&path, true);
        let options = Options::default();
        let found = spectra(&path, &options).unwrap();
        let names: Vec<_> = found.iter().map(|(n, _)| n.to_str().unwrap()).collect();
        assert_eq!(
            names,
            [
                "channel_3C/zonal_mean_-10N.spx",
                "channel_3C/zonal_mean_+0N.spx"
            ]
        );
        // CRPIX2 = 0: the first plane is one step beyond the reference value
        let samples = &found[0].1.samples;
        assert_eq!((samples.len(), samples[0][0]), (1, 15.5));
        assert_eq!(found[1].1.samples.len(), 2);
    }

    #[test]
    fn fix_radiances_below_0_stay() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("zonal.fits");
        averaged(&path, true);
        let second = |compatible: bool| {
            let options = Options {
                compatible,
                ..Options::default()
            };
            spectra(&path, &options).unwrap()[1].1.samples.clone()
        };
        let (ours, theirs) = (second(false), second(true));
        assert!(ours[0][1] < 0.0 && theirs[0][1].is_nan());
        let (a, b) = (ours[1], theirs[1]);
        assert!((a[1] / b[1] - 1.0).abs() < 1e-12 && (a[2] / b[2] - 1.0).abs() < 1e-12);
    }

    #[test]
    fn names_that_cannot_be_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("zonal.fits");
        averaged(&path, false);
        let said = |template: &str| {
            let options = Options {
                template: template.into(),
                ..Options::default()
            };
            spectra(&path, &options)
                .map(|_| ())
                .map_err(|e| e.to_string())
        };
        assert!(
            said("{channel}/{val}.spx")
                .unwrap_err()
                .contains("--template")
        );
        assert!(said("all.spx").unwrap_err().contains("{val}"));
        assert!(said("{val}.spx").is_ok());
    }
}
