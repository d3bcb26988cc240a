//! The grating wheel: its element, tilted by what its sensors say, and the way of wavelengths through it.

use super::references::{NirspecReferences, fault, transform};
use crate::formats::asdf::{AsdfFile, Node};
use crate::model::Meta;
use crate::wcs::transform::{Axis, Kind, Method, Prism, RotationToGwa, Tabular, Transform};
use crate::{Error, Result};

/// How an exposure was taken, as far as the optics depend on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// NRS1 is 0, NRS2 is 1.
    pub detector: usize,
    /// Keyword `FILTER`.
    pub filter: String,
    /// Keyword `GRATING`.
    pub grating: String,
    /// Readings of the wheel's tilt sensors, keywords `GWA_XTIL` and `GWA_YTIL`; none to leave the tilt at that of the calibration.
    pub tilt: [Option<f64>; 2],
    /// Temperature of the wheel in K, keyword `GWA_TILT`; the prism needs it.
    pub temperature: Option<f64>,
    /// First column and row of the subarray, from 1.
    pub start: [i64; 2],
}

impl Setting {
    /// The setting of an exposure's metadata.
    ///
    /// # Errors
    /// [`Error::Input`] where a keyword is missing or has a value that there is not.
    pub fn from_meta(meta: &Meta) -> Result<Self> {
        let detector = match meta.need_str("DETECTOR")? {
            "NRS1" => 0,
            "NRS2" => 1,
            other => {
                return Err(Error::input_file(
                    &meta.source,
                    format!("keyword DETECTOR = '{other}' is neither NRS1 nor NRS2"),
                ));
            }
        };
        let grating = meta.need_str("GRATING")?;
        if grating.eq_ignore_ascii_case("MIRROR") {
            return Err(Error::input_file(
                &meta.source,
                "keyword GRATING = 'MIRROR': the exposure is an image, of which there is no spectral WCS",
            ));
        }
        let filter = meta.need_str("FILTER")?;
        if filter == "OPAQUE" {
            return Err(Error::input_file(
                &meta.source,
                "keyword FILTER = 'OPAQUE': exposures of the lamps do not see the sky and are not supported",
            ));
        }
        Ok(Self {
            detector,
            filter: filter.into(),
            grating: grating.into(),
            tilt: [meta.f64("GWA_XTIL"), meta.f64("GWA_YTIL")],
            temperature: meta.f64("GWA_TILT"),
            start: [
                meta.i64("SUBSTRT1").unwrap_or(1),
                meta.i64("SUBSTRT2").unwrap_or(1),
            ],
        })
    }

    /// Whether light of this setting falls on its detector at all (medium gratings, and G140H with F070LP, leave NRS2
    /// dark).
    pub fn has_light(&self) -> bool {
        let dark = self.grating.to_uppercase().ends_with('M')
            || (self.grating == "G140H" && self.filter == "F070LP");
        self.detector == 0 || !dark
    }

    /// Whether the disperser is the prism.
    pub(super) fn prism(&self) -> bool {
        self.grating.eq_ignore_ascii_case("PRISM")
    }
}

/// Angle of the wheel by a tilt sensor.
#[derive(Debug, Clone, PartialEq)]
struct Sensor {
    /// Reading to arcsec.
    model: Transform,
    /// Reading at the calibration.
    zero: f64,
}

impl Sensor {
    fn read(file: &AsdfFile, key: &str) -> Result<Self> {
        let readings = format!("{key}.zeroreadings");
        let zero = file.require(&readings)?;
        let zero = zero.as_sequence().and_then(|z| z.first()?.as_f64());
        Ok(Self {
            model: transform(file, &format!("{key}.tilt_model"), (1, 1))?,
            zero: zero.ok_or_else(|| fault(file, &readings, "is not a list of numbers"))?,
        })
    }

    /// Turn in degrees since the calibration: half of what the beam is turned by.
    fn turn(&self, reading: f64) -> Result<f64> {
        let at = |reading: f64| -> Result<f64> {
            Ok(self
                .model
                .at(&[reading])?
                .first()
                .copied()
                .unwrap_or(f64::NAN))
        };
        Ok(0.5 * (at(reading)? - at(self.zero)?) / 3600.0)
    }
}

/// The element of the grating wheel, as its file has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Disperser {
    /// Angles about x, y, z and the tilt about y, in degrees.
    angles: [f64; 4],
    /// By the readings of x (which turn about y) and of y (about x).
    sensors: [Sensor; 2],
    /// Grooves a metre; the prism has none.
    groove_density: Option<f64>,
    /// The prism, its temperature of observation yet that of reference.
    prism: Option<Prism>,
}

impl Disperser {
    pub(super) fn read(file: &AsdfFile) -> Result<Self> {
        let number = |key: &str| file.require_f64(key);
        let given = |key: &str| file.tree().get(key).filter(|n| !n.is_null());
        let groove_density = given("groovedensity").map(|_| number("groovedensity"));
        let prism = given("kcoef").map(|_| {
            Ok::<_, Error>(Prism {
                angle: number("angle")?,
                kcoef: some(file, "kcoef")?,
                lcoef: some(file, "lcoef")?,
                tcoef: some(file, "tcoef")?,
                ref_temp: number("tref")?,
                ref_pressure: number("pref")?,
                temp: number("tref")?,
            })
        });
        let angles = ["theta_x", "theta_y", "theta_z", "tilt_y"];
        let mut values = [0.0; 4];
        for (value, key) in values.iter_mut().zip(angles) {
            *value = number(key)?;
        }
        Ok(Self {
            angles: values,
            sensors: [
                Sensor::read(file, "gwa_tiltx")?,
                Sensor::read(file, "gwa_tilty")?,
            ],
            groove_density: groove_density.transpose()?,
            prism: prism.transpose()?,
        })
    }

    /// The rotation into the frame of the element, turned as the sensors say.
    pub(super) fn rotation(&self, [x, y]: [Option<f64>; 2]) -> Result<Transform> {
        let [mut theta_x, mut theta_y, theta_z, tilt] = self.angles;
        if let Some(reading) = x {
            theta_y += self.sensors[0].turn(reading)?;
        }
        if let Some(reading) = y {
            theta_x += self.sensors[1].turn(reading)?;
        }
        let axes = vec![Axis::X, Axis::Y, Axis::Z, Axis::Y];
        let rotation = RotationToGwa::new(axes, &[theta_x, theta_y, theta_z, tilt]);
        let rotation = rotation.ok_or_else(|| Error::parameter("four angles about four axes"))?;
        Ok(Transform::from(Kind::RotationToGwa(rotation)).named("rotation"))
    }
}

/// So many numbers of a file.
fn some<const N: usize>(file: &AsdfFile, key: &str) -> Result<[f64; N]> {
    let node = file.require(key)?;
    let values: Option<Vec<f64>> = match (node.as_array(), node.as_sequence()) {
        (Some(array), _) => Some(array.to_vec::<f64>()?),
        (None, Some(items)) => items.iter().map(Node::as_f64).collect(),
        _ => None,
    };
    values
        .and_then(|v| <[f64; N]>::try_from(v).ok())
        .ok_or_else(|| fault(file, key, format!("is not a list of {N} numbers")))
}

/// The dispersion both ways.
#[derive(Debug)]
pub(super) struct Dispersion {
    /// Direction before the wheel and first cosine behind it to wavelength (metre).
    pub wavelength: Transform,
    /// Wavelength and direction before the wheel to the direction behind it.
    pub angles: Transform,
}

impl NirspecReferences {
    /// The dispersion of an exposure in a spectral order, without any correction for velocity.
    ///
    /// # Errors
    /// [`Error::Reference`] where the disperser's file lacks what its kind needs; [`Error::Input`] where the prism's
    /// temperature is not known.
    pub(super) fn dispersion(&self, setting: &Setting, order: f64) -> Result<Dispersion> {
        let lacks = |what: &str| {
            let grating = &setting.grating;
            Error::reference(format!(
                "the disperser reference file has no {what}: it is not that of GRATING {grating}"
            ))
        };
        if !setting.prism() {
            let groove_density = self
                .disperser
                .groove_density
                .ok_or_else(|| lacks("groovedensity"))?;
            let equation = Kind::GratingWavelength {
                groove_density,
                order,
            };
            let equation = Transform::from(equation).named("lambda_from_gratingeq");
            let angles = Kind::GratingAngles {
                groove_density,
                order,
            };
            // the first cosine counts the other way here
            let turned = Transform::identity(1)
                .beside(Transform::scale(-1.0))
                .beside(Transform::identity(1));
            return Ok(Dispersion {
                wavelength: Transform::mapping(&[0, 2], 3)
                    .then(equation)
                    .then(Transform::scale(-1.0)),
                angles: Transform::mapping(&[0, 1, 2], 4)
                    .then(turned)
                    .then(Transform::from(angles).named("alpha_from_greq")),
            });
        }
        let mut prism = self.disperser.prism.clone().ok_or_else(|| lacks("kcoef"))?;
        prism.temp = setting.temperature.ok_or_else(|| {
            Error::input("keyword GWA_TILT (temperature of the grating wheel) is missing; the prism's WCS needs it")
        })?;
        // from 0.3 to 8 micron, in steps as wide as numpy's range has them
        let step = (0.3 + 0.005) - 0.3;
        let lambda = (0..1542).map(|i| (0.3 + f64::from(i) * step) * 1e-6);
        let lambda: Vec<f64> = lambda.collect();
        let index: Vec<f64> = lambda.iter().map(|l| prism.index(*l)).collect();
        let table = Tabular::new(vec![index], lambda, Method::Linear, Some(f64::NAN));
        let table = table.ok_or_else(|| {
            Error::reference("the disperser reference file's glass has no refraction index that falls with wavelength")
        })?;
        let index = Transform::from(Kind::RefractionIndex(prism.angle)).named("n_prism");
        Ok(Dispersion {
            wavelength: index.then(Kind::Tabular(table).into()),
            angles: Transform::from(Kind::Snell(prism)).named("snell_law"),
        })
    }
}
