//! What the reference files of a MRS band say.

use std::sync::Arc;

use crate::formats::asdf::{AsdfFile, Node};
use crate::wcs::Transform;
use crate::{Error, Result};

/// Of the regions file's masks of growing transmission, the one that defines slices (80 %), as in calwebb.
const THROUGHPUT_PLANE: usize = 7;

/// One slice of one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice {
    /// Channel times 100 plus number, from 1.
    pub label: i64,
    /// `(y, x)` to alpha.
    pub alpha: Transform,
    /// `x` to beta.
    pub beta: Transform,
    /// `(y, x)` to lambda, without any correction for velocity.
    pub lambda: Transform,
    /// `(lambda, alpha)` to x: a fit of its own, not the exact inverse.
    pub x: Transform,
    /// `(lambda, alpha)` to y, likewise.
    pub y: Transform,
}

/// One of the channels on the detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// 1 to 4.
    pub number: u8,
    /// Range of lambda in which positions are this channel's.
    pub range: (f64, f64),
    /// Beta of the first slice's centre.
    pub beta_zero: f64,
    /// Beta from slice to slice.
    pub beta_del: f64,
    /// Alpha, beta to V2, V3, with the file's fit of the inverse.
    pub to_v2v3: Transform,
}

/// The reference data of one exposure's detector and band.
#[derive(Debug, Clone, PartialEq)]
pub struct MrsReferences {
    /// Channels on the detector.
    pub channels: Vec<Channel>,
    /// Slices of all of them.
    pub slices: Vec<Slice>,
    /// Rows of the label image.
    pub ny: usize,
    /// Columns of the label image.
    pub nx: usize,
    /// Slice label of each pixel, 0 between slices.
    pub regions: Arc<[i64]>,
}

fn fault(file: &AsdfFile, what: &str, e: impl std::fmt::Display) -> Error {
    Error::reference(format!("{}: {what}: {e}", file.path().display()))
}

fn transforms(file: &AsdfFile, key: &str, inputs: usize) -> Result<Vec<Transform>> {
    let items = file
        .require(key)?
        .as_sequence()
        .ok_or_else(|| fault(file, key, "is not a list of transforms"))?;
    items
        .iter()
        .map(|node| {
            let t = Transform::from_node(node).map_err(|e| fault(file, key, e))?;
            if t.n_inputs() != inputs || t.n_outputs() != 1 {
                return Err(fault(
                    file,
                    key,
                    format!("not of {inputs} inputs and 1 output"),
                ));
            }
            Ok(t)
        })
        .collect()
}

/// The value that belongs to a channel and band, as `1SHORT`, in a pair of lists.
fn of_channel<'a>(file: &'a AsdfFile, keys: &str, values: &str, name: &str) -> Result<&'a Node> {
    let list = |path: &str| {
        let node = file.require(path)?;
        node.as_sequence()
            .ok_or_else(|| fault(file, path, "is not a list"))
    };
    let at = list(keys)?.iter().position(|n| n.as_str() == Some(name));
    at.and_then(|at| list(values).ok()?.get(at)).ok_or_else(|| {
        fault(
            file,
            values,
            format!(
                "there is nothing for channel and band {name}; is it the file of another band?"
            ),
        )
    })
}

fn float(file: &AsdfFile, what: &str, node: &Node) -> Result<f64> {
    let value = node.as_f64().filter(|v| v.is_finite());
    value.ok_or_else(|| fault(file, what, "is not a number"))
}

impl MrsReferences {
    /// Reads the files for the channels (`"12"` or `"34"`, or one of them) and the band (`"SHORT"`, `"SHORT-MEDIUM"`, ...).
    ///
    /// # Errors
    /// [`Error::Reference`] or [`Error::Format`] naming the file that is not what it should be; [`Error::Input`] for
    /// channels that there are not.
    pub fn read(
        distortion: &AsdfFile,
        specwcs: &AsdfFile,
        regions: &AsdfFile,
        wavelengthrange: &AsdfFile,
        channels: &str,
        band: &str,
    ) -> Result<Self> {
        let digits: Option<Vec<u8>> = channels
            .chars()
            .map(|c| c.to_digit(10).and_then(|d| u8::try_from(d).ok()))
            .collect();
        let numbers = digits.filter(|n| !n.is_empty() && n.iter().all(|n| (1..=4).contains(n)));
        let numbers = numbers.ok_or_else(|| {
            Error::input(format!(
                "keyword CHANNEL = '{channels}' does not name MRS channels (12 or 34)"
            ))
        })?;
        let channels = numbers
            .into_iter()
            .map(|number| Channel::read(distortion, wavelengthrange, number, band))
            .collect::<Result<Vec<_>>>()?;

        let alpha = transforms(distortion, "alpha_model", 2)?;
        let beta = transforms(distortion, "beta_model", 1)?;
        let x = transforms(distortion, "x_model", 2)?;
        let y = transforms(distortion, "y_model", 2)?;
        let lambda = transforms(specwcs, "model", 2)?;
        let labels = distortion.require("slices")?.as_sequence();
        let labels: Option<Vec<i64>> = labels.and_then(|l| l.iter().map(Node::as_i64).collect());
        let labels = labels.ok_or_else(|| fault(distortion, "slices", "are not whole numbers"))?;
        let counts = [alpha.len(), beta.len(), x.len(), y.len(), lambda.len()];
        if counts.iter().any(|n| *n != labels.len()) {
            return Err(fault(
                specwcs,
                "model",
                format!(
                    "{} wavelength models for {} slices of the distortion file",
                    counts[4],
                    labels.len()
                ),
            ));
        }
        let models = alpha.into_iter().zip(beta).zip(lambda).zip(x).zip(y);
        let slices = labels
            .into_iter()
            .zip(models)
            .map(|(label, ((((alpha, beta), lambda), x), y))| Slice {
                label,
                alpha,
                beta,
                lambda,
                x,
                y,
            })
            .collect();

        let masks = regions.require_array("regions")?;
        let [planes, ny, nx] = *masks.shape() else {
            return Err(fault(
                regions,
                "regions",
                format!(
                    "has the shape {:?} instead of planes of pixels",
                    masks.shape()
                ),
            ));
        };
        if planes <= THROUGHPUT_PLANE {
            return Err(fault(
                regions,
                "regions",
                format!("has {planes} planes; that of 80 % throughput is missing"),
            ));
        }
        let plane = match masks.member(THROUGHPUT_PLANE) {
            Some(plane) => plane.to_vec::<i32>()?,
            None => masks.to_vec::<i32>()?.split_off(THROUGHPUT_PLANE * ny * nx),
        };
        Ok(Self {
            channels,
            slices,
            ny,
            nx,
            regions: plane.iter().take(ny * nx).map(|l| i64::from(*l)).collect(),
        })
    }
}

impl Channel {
    fn read(
        distortion: &AsdfFile,
        wavelengthrange: &AsdfFile,
        number: u8,
        band: &str,
    ) -> Result<Self> {
        let name = format!("{number}{band}");
        let range = of_channel(
            wavelengthrange,
            "waverange_selector",
            "wavelengthrange",
            &name,
        )?;
        let range = match range.as_sequence() {
            Some([low, high]) => (
                float(wavelengthrange, "wavelengthrange", low)?,
                float(wavelengthrange, "wavelengthrange", high)?,
            ),
            _ => return Err(fault(wavelengthrange, "wavelengthrange", "is not of pairs")),
        };
        let beta = |key: &str, of: &str| {
            let path = format!("{key}.{of}");
            let node = of_channel(distortion, &format!("{key}.channel_band"), &path, &name)?;
            float(distortion, &path, node)
        };
        let path = "abv2v3_model.model";
        let node = of_channel(distortion, "abv2v3_model.channel_band", path, &name)?;
        let to_v2v3 = Transform::from_node(node).map_err(|e| fault(distortion, path, e))?;
        if (to_v2v3.n_inputs(), to_v2v3.n_outputs()) != (2, 2) || to_v2v3.inverse.is_none() {
            return Err(fault(
                distortion,
                path,
                "is not of 2 inputs, 2 outputs and an inverse",
            ));
        }
        Ok(Self {
            number,
            range,
            beta_zero: beta("bzero", "beta_zero")?,
            beta_del: beta("bdel", "delta_beta")?,
            to_v2v3,
        })
    }
}
