//! The pipeline of transforms of one exposure.

use super::references::{MrsReferences, Slice};
use crate::formats::asdf::AsdfFile;
use crate::model::Meta;
use crate::wcs::frames::Frame;
use crate::wcs::gwcs::{Gwcs, Step};
use crate::wcs::pointing::Pointing;
use crate::wcs::transform::{Kind, LabelMapper, Labels, RegionsSelector, Transform};
use crate::{Error, Result};

/// The WCS of one MRS exposure.
#[derive(Debug, Clone, PartialEq)]
pub struct Mrs {
    pub(super) references: MrsReferences,
    pub(super) pointing: Pointing,
    /// Rows of the exposure.
    pub(super) ny: usize,
    /// Columns of the exposure.
    pub(super) nx: usize,
    gwcs: Gwcs,
}

impl Mrs {
    /// The WCS of an exposure of `ny` rows of `nx` pixels.
    ///
    /// # Errors
    /// [`Error::Input`] where the exposure is larger than the regions file's images.
    pub fn new(
        references: MrsReferences,
        pointing: Pointing,
        ny: usize,
        nx: usize,
    ) -> Result<Self> {
        if ny > references.ny || nx > references.nx {
            return Err(Error::input(format!(
                "the exposure has {ny} x {nx} pixels, more than the {} x {} of the regions file",
                references.ny, references.nx
            )));
        }
        let gwcs = build(&references, &pointing, ny, nx)?;
        Ok(Self {
            references,
            pointing,
            ny,
            nx,
            gwcs,
        })
    }

    /// The WCS of an exposure by its metadata and reference files.
    ///
    /// # Errors
    /// [`Error::Input`] where a keyword is missing, or the exposure is not of the MRS; as [`MrsReferences::read`].
    pub fn of_exposure(
        meta: &Meta,
        (ny, nx): (usize, usize),
        [distortion, specwcs, regions, wavelengthrange]: [&AsdfFile; 4],
    ) -> Result<Self> {
        if meta.need_str("EXP_TYPE")? != "MIR_MRS" {
            return Err(Error::input_file(
                &meta.source,
                "the exposure is not of type MIR_MRS (keyword EXP_TYPE)",
            ));
        }
        let (channels, band) = (meta.need_str("CHANNEL")?, meta.need_str("BAND")?);
        let references = MrsReferences::read(
            distortion,
            specwcs,
            regions,
            wavelengthrange,
            channels,
            band,
        )
        .map_err(|e| e.with_path(&meta.source))?;
        Self::of_references(meta, (ny, nx), references)
    }

    /// The WCS of an exposure by its metadata and what the reference files of its channels and band say.
    ///
    /// # Errors
    /// [`Error::Input`] where a keyword is missing; as [`Mrs::new`].
    pub fn of_references(
        meta: &Meta,
        (ny, nx): (usize, usize),
        references: MrsReferences,
    ) -> Result<Self> {
        let pointing = Pointing::from_meta(meta)?;
        Self::new(references, pointing, ny, nx).map_err(|e| e.with_path(&meta.source))
    }

    /// The pipeline: frames `detector`, `alpha_beta`, `v2v3`, `v2v3vacorr`, `world`.
    pub fn gwcs(&self) -> &Gwcs {
        &self.gwcs
    }
    /// What the reference files say.
    pub fn references(&self) -> &MrsReferences {
        &self.references
    }
    /// Where the telescope looked.
    pub fn pointing(&self) -> &Pointing {
        &self.pointing
    }
}

impl Slice {
    /// Wavelength with the correction for velocity, where there is one.
    pub(super) fn corrected_lambda(&self, velocity: Option<&Transform>) -> Transform {
        let lambda = self.lambda.clone();
        match velocity {
            Some(correction) => lambda.then(correction.clone()),
            None => lambda,
        }
    }

    fn forward(&self, velocity: Option<&Transform>) -> Transform {
        // calwebb's backward transform ignores the correction for velocity, and so do we here
        let inverse =
            Transform::mapping(&[2, 0, 2, 0], 3).then(self.x.clone().beside(self.y.clone()));
        let models = self
            .alpha
            .clone()
            .beside(self.beta.clone())
            .beside(self.corrected_lambda(velocity));
        Transform::mapping(&[1, 0, 0, 1, 0], 2)
            .then(models)
            .with_inverse(inverse)
    }
}

/// A mapper of wavelength ranges, by the third of three inputs.
fn by_wavelength(entries: Vec<((f64, f64), Transform)>) -> Transform {
    Kind::LabelMapper(LabelMapper {
        labels: Labels::Range { entries },
        no_label: 0.0,
        n_inputs: 3,
        inputs_mapping: Some(vec![2]),
    })
    .into()
}

fn selector(
    label_mapper: Transform,
    selector: Vec<(i64, Transform)>,
    (n_inputs, n_outputs): (usize, usize),
    name: &str,
) -> Transform {
    let kind = Kind::RegionsSelector(RegionsSelector {
        label_mapper: Box::new(label_mapper),
        selector,
        undefined: f64::NAN,
        n_inputs,
        n_outputs,
    });
    let names = |n: usize| Some((0..n).map(|i| format!("x{i}")).collect());
    let mut t = Transform::from(kind).named(name);
    t.inputs = names(n_inputs);
    t.outputs = names(n_outputs);
    t
}

fn detector_to_abl(refs: &MrsReferences, velocity: Option<&Transform>) -> Transform {
    let slices_of_channels = refs.channels.iter().map(|c| {
        let slice = Kind::MiriAb2Slice {
            beta_zero: c.beta_zero,
            beta_del: c.beta_del,
            channel: f64::from(c.number),
        };
        let mapper = Kind::LabelMapper(LabelMapper {
            labels: Labels::Model(Box::new(slice.into())),
            no_label: f64::NAN,
            n_inputs: 3,
            inputs_mapping: Some(vec![1]),
        });
        (c.range, mapper.into())
    });
    let inverse = by_wavelength(slices_of_channels.collect());
    let regions = Kind::LabelMapper(LabelMapper {
        labels: Labels::Array {
            ny: refs.ny,
            nx: refs.nx,
            labels: refs.regions.clone(),
        },
        no_label: 0.0,
        n_inputs: 2,
        inputs_mapping: None,
    });
    let transforms = refs.slices.iter().map(|s| (s.label, s.forward(velocity)));
    selector(
        Transform::from(regions).with_inverse(inverse),
        transforms.collect(),
        (2, 3),
        "detector_to_abl",
    )
}

fn abl_to_v2v3l(refs: &MrsReferences) -> Transform {
    let numbers = refs.channels.iter().map(|c| {
        let number = Transform::constant(f64::from(c.number)).named("channel #");
        let number = Transform::mapping(&[2], 3)
            .named("mapping_lam")
            .then(number);
        (c.range, number)
    });
    let mapper = by_wavelength(numbers.collect());
    let transforms = refs.channels.iter().map(|c| {
        let lambda = Transform::identity(1).named("identity_lam");
        (i64::from(c.number), c.to_v2v3.clone().beside(lambda))
    });
    selector(
        mapper.clone().with_inverse(mapper),
        transforms.collect(),
        (3, 3),
        "abl_to_v2v3l",
    )
}

fn build(refs: &MrsReferences, pointing: &Pointing, ny: usize, nx: usize) -> Result<Gwcs> {
    let lambda = || Transform::identity(1);
    let mut first = detector_to_abl(refs, pointing.velocity_correction().as_ref());
    first.bounding_box = Some(vec![
        Some((-0.5, nx as f64 - 0.5)),
        Some((-0.5, ny as f64 - 0.5)),
    ]);
    let telescope = |name: &str| {
        let spatial = format!("{name}_spatial");
        let plane = Frame::plane(&spatial, ["v2", "v3"], "arcsec");
        Frame::composite(name, [plane, Frame::wavelength("spectral")])
    };
    let slit = [
        Frame::plane("alpha_beta_spatial", ["alpha", "beta"], "arcsec"),
        Frame::wavelength("alpha_beta_spectral"),
    ];
    let sky = [Frame::icrs(), Frame::wavelength("spectral")];
    let step = |frame, transform| Step { frame, transform };
    Gwcs::new(vec![
        step(Frame::plane("detector", ["x", "y"], "pixel"), Some(first)),
        step(
            Frame::composite("alpha_beta", slit),
            Some(abl_to_v2v3l(refs)),
        ),
        step(
            telescope("v2v3"),
            Some(pointing.aberration().beside(lambda())),
        ),
        step(
            telescope("v2v3vacorr"),
            Some(pointing.to_sky().beside(lambda())),
        ),
        step(Frame::composite("world", sky), None),
    ])
}
