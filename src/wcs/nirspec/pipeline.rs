//! The optics of one exposure, and the trees of transforms made of them.

use super::dispersion::Setting;
use super::references::{NirspecReferences, Slice};
use super::slices::SliceMap;
use super::wheel::{Wheel, position_table, to_gwa, to_sca};
use crate::wcs::frames::Frame;
use crate::wcs::gwcs::{Gwcs, Step};
use crate::wcs::pointing::Pointing;
use crate::wcs::transform::{
    BoxesByName, Kind, LabelMapper, Labels, Operation, RegionsSelector, SlitStage, Slits, Transform,
};
use crate::{Error, Result};

/// The optics of one exposure, part by part. Nothing in them carries the number of a slice.
#[derive(Debug, Clone, PartialEq)]
pub struct Nirspec {
    /// Pixels of the exposure to those of the sensor chip.
    to_sca: Transform,
    /// Those to the direction behind the grating wheel (light comes from before it).
    to_gwa: Transform,
    /// For each slice: the table from that direction's second cosine, turned round, to the position along the slice.
    tables: Vec<Transform>,
    /// For each slice: that direction to position in the slice and wavelength.
    to_slit: Vec<Transform>,
    /// For each slice: position in it to the slicer.
    to_slicer: Vec<Transform>,
    /// From the slicer on: frame in which each starts, and transform, named as calwebb names it.
    onward: Vec<(&'static str, Transform)>,
    /// Spectral order.
    pub order: f64,
    /// Range of wavelengths in metre.
    pub range: [f64; 2],
}

/// The transforms of one slice.
pub(super) struct OfSlice<'a> {
    /// Second cosine of the direction at the wheel, turned round, to the position along the slice; NaN out of it.
    pub table: &'a Transform,
    /// Direction at the wheel to position in the slice and wavelength.
    pub to_slit: &'a Transform,
    /// Position in the slice to the slicer.
    pub to_slicer: &'a Transform,
}

fn xy(names: [&str; 2], rest: &[&str]) -> Option<Vec<String>> {
    let all = names.iter().chain(rest);
    Some(all.map(|n| String::from(*n)).collect())
}

impl Slice {
    /// Position in the slice to the slicer.
    fn to_slicer(&self, slicer: &Transform) -> Transform {
        self.location.clone().then(slicer.clone())
    }

    /// Position on the slicer and wavelength to the MSA plane.
    fn post(&self) -> Transform {
        let both = || Transform::mapping(&[0, 1], 3);
        let lambda = || Transform::mapping(&[2], 3).then(Transform::identity(1));
        let of = |k: usize| -> Transform {
            let steady = both().then(self.poly[k].clone());
            let chromatic = both().then(self.chromatic[k].clone());
            let times = |a: Transform, b: Transform| {
                Kind::Arithmetic(Operation::Multiply, Box::new(a), Box::new(b)).into()
            };
            let chromatic = times(chromatic, lambda());
            Kind::Arithmetic(Operation::Add, Box::new(steady), Box::new(chromatic)).into()
        };
        let twice = || Transform::mapping(&[0, 1, 2, 0, 1, 2], 3);
        let input = twice()
            .named("ifupost_inmap")
            .with_inverse(Transform::identity(2));
        let output = Transform::identity(2)
            .named("ifupost_outmap")
            .with_inverse(twice());
        let polynomials = input.then(of(0).beside(of(1))).then(output);
        let linear = self.linear.clone().beside(Transform::identity(1));
        linear.then(polynomials)
    }
}

impl Nirspec {
    /// The optics of an exposure; `slit_y` are the edges of the slices (calwebb: -0.55, 0.55).
    ///
    /// # Errors
    /// [`Error::Reference`] where the reference files do not fit together; [`Error::Input`] where the prism's temperature is
    /// missing.
    pub fn new(
        refs: &NirspecReferences,
        setting: &Setting,
        pointing: &Pointing,
        slit_y: [f64; 2],
    ) -> Result<Self> {
        if slit_y[0].partial_cmp(&slit_y[1]) != Some(std::cmp::Ordering::Less) {
            return Err(Error::parameter(format!(
                "slit_y_low = {} is not below slit_y_high = {}",
                slit_y[0], slit_y[1]
            )));
        }
        let wheel = Wheel::new(refs, setting, pointing)?;
        let Wheel {
            from_msa,
            order,
            range,
            ..
        } = &wheel;
        let lambda = 0.5 * (range[1] - range[0]) + range[0];
        let slit = |slice: &Slice| -> Result<(Transform, Transform)> {
            let to_slicer = slice.to_slicer(&refs.slicer);
            let post = slice.post();
            let central = to_slicer
                .clone()
                .beside(Transform::constant(lambda))
                .then(post.clone())
                .then(from_msa.clone());
            let table = position_table(&central, lambda, slit_y)?;
            let table = Transform::from(Kind::Tabular(table)).named("tabular");
            let back = to_slicer
                .beside(Transform::identity(1))
                .then(post)
                .then(from_msa.clone());
            let forward = wheel.to_slit(&table, central, back, slit_y);
            Ok((table, forward))
        };
        let slits: Vec<(Transform, Transform)> =
            refs.slices.iter().map(slit).collect::<Result<_>>()?;
        let (tables, to_slit) = slits.into_iter().unzip();
        Ok(Self {
            to_sca: to_sca(setting),
            to_gwa: to_gwa(refs, setting, &wheel.rotation),
            tables,
            to_slit,
            to_slicer: refs
                .slices
                .iter()
                .map(|s| s.to_slicer(&refs.slicer))
                .collect(),
            onward: onward(refs, pointing)?,
            order: *order,
            range: *range,
        })
    }

    /// The transforms of one slice.
    fn of_slice(&self, slice: usize) -> Result<OfSlice<'_>> {
        let parts = (
            self.tables.get(slice),
            self.to_slit.get(slice),
            self.to_slicer.get(slice),
        );
        let (Some(table), Some(to_slit), Some(to_slicer)) = parts else {
            return Err(Error::parameter(format!(
                "slice {slice} is not one of 0 to {}",
                self.to_slit.len().saturating_sub(1)
            )));
        };
        Ok(OfSlice {
            table,
            to_slit,
            to_slicer,
        })
    }

    /// Pixels to position in a slice and wavelength (metre), with the way back.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a slice that there is not.
    pub fn to_slit(&self, slice: usize) -> Result<Transform> {
        let slit = self.of_slice(slice)?.to_slit.clone();
        Ok(self.to_gwa().then(slit))
    }

    /// Pixels to the direction at the grating wheel.
    pub(super) fn to_gwa(&self) -> Transform {
        self.to_sca.clone().then(self.to_gwa.clone())
    }

    /// The same with the transforms of a slice.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a slice that there is not.
    pub(super) fn parts(&self, slice: usize) -> Result<(Transform, OfSlice<'_>)> {
        Ok((self.to_gwa(), self.of_slice(slice)?))
    }

    /// The slicer and wavelength (metre) to the sky and wavelength (micron), part by part.
    pub fn onward(&self) -> impl Iterator<Item = &Transform> {
        self.onward.iter().map(|(_, t)| t)
    }

    /// The tree for one slice alone, with its bounds on the detector.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a slice that there is not.
    pub fn slice(&self, slice: usize, bounds: Option<[(f64, f64); 2]>) -> Result<Gwcs> {
        let OfSlice {
            to_slit, to_slicer, ..
        } = self.of_slice(slice)?;
        let to_slicer = to_slicer.clone().beside(Transform::identity(1));
        let mut first = named(
            self.to_sca.clone(),
            "dms2sca",
            (["x", "y"], &[]),
            (["x", "y"], &[]),
        );
        first.bounding_box = bounds.map(|b| b.map(Some).to_vec());
        let angles = (["angle1", "angle2"], ["angle3"].as_slice());
        let in_slit = (["x_slit", "y_slit"], ["lam"].as_slice());
        let on_slicer = (["x_slice", "y_slice"], ["lam"].as_slice());
        let mut steps = vec![
            step(pixels("detector"), first),
            step(
                pixels("sca"),
                named(self.to_gwa.clone(), "det2gwa", (["x", "y"], &[]), angles),
            ),
            step(gwa(), named(to_slit.clone(), "gwa2slit", angles, in_slit)),
            step(
                frame_of("slit_frame"),
                named(to_slicer, "slit2slicer", in_slit, on_slicer),
            ),
        ];
        steps.extend(self.steps_onward(&["lam"], |t| t));
        Gwcs::new(steps)
    }

    /// The tree whose points carry the number of their slice: pixels `x, y, slice` to right ascension, declination,
    /// wavelength and slice.
    ///
    /// # Errors
    /// None for optics that could be made.
    pub fn slice_form(&self, map: &SliceMap) -> Result<Gwcs> {
        let name = || Transform::identity(1);
        let with_name = (["x", "y"], ["name"].as_slice());
        let mut first = named(
            self.to_sca.clone().beside(name()),
            "dms2sca",
            with_name,
            with_name,
        );
        let boxes = map.traces.iter().enumerate();
        first.boxes = Some(BoxesByName {
            input: 2,
            boxes: boxes
                .map(|(i, t)| (i as i64, vec![Some(t.bounds[0]), Some(t.bounds[1]), None]))
                .collect(),
        });
        let last_first =
            Transform::mapping(&[3, 0, 1, 2], 4).with_inverse(Transform::mapping(&[1, 2, 3, 0], 4));
        let to_gwa = self.to_gwa.clone().beside(name()).then(last_first);
        let angles = (["name", "angle1"], ["angle2", "angle3"].as_slice());
        let in_slit = (["name", "x_slit"], ["y_slit", "lam"].as_slice());
        let on_slicer = (["x_slice", "y_slice"], ["lam", "name"].as_slice());
        let slits = |stage, models: &[Transform]| -> Transform {
            let models = models.iter().enumerate();
            let models = models.map(|(i, t)| (i as i64, t.clone())).collect();
            Kind::Slits(Slits { stage, models }).into()
        };
        let swap = || Transform::mapping(&[0, 1, 3, 2], 4);
        let to_slicer = slits(SlitStage::SlitToMsa, &self.to_slicer)
            .beside(Transform::identity(1))
            .then(swap().with_inverse(swap()));
        let mut steps = vec![
            step(pixels("detector"), first),
            step(pixels("sca"), named(to_gwa, "det2gwa", with_name, angles)),
            step(
                gwa(),
                named(
                    slits(SlitStage::GwaToSlit, &self.to_slit),
                    "gwa2slit",
                    angles,
                    in_slit,
                ),
            ),
            step(
                frame_of("slit_frame"),
                named(to_slicer, "slit2slicer", in_slit, on_slicer),
            ),
        ];
        steps.extend(self.steps_onward(&["lam", "name"], |t| t.beside(name())));
        Gwcs::new(steps)
    }

    /// The tree that finds the slice of a pixel by the image of labels: pixels `x, y` to right ascension, declination and
    /// wavelength. Slices that the detector does not see are left out.
    ///
    /// # Errors
    /// None for optics that could be made.
    pub fn coordinate_form(&self, map: &SliceMap) -> Result<Gwcs> {
        let on_slicer = (["x_slice", "y_slice"], ["lam"].as_slice());
        let mut selector = Vec::new();
        let mut by_x: Vec<(f64, Transform)> = Vec::new();
        for (i, trace) in map.traces.iter().enumerate() {
            let Some(seen) = trace.seen else { continue };
            let OfSlice {
                to_slit, to_slicer, ..
            } = self.of_slice(i)?;
            let label = i as i64 + 1;
            let to_slicer = to_slicer.clone().beside(Transform::identity(1));
            let mut t = self.to_gwa().then(to_slit.clone()).then(to_slicer);
            // bounds go by the inputs' names
            (t.inputs, t.outputs) = (xy(["x", "y"], &[]), xy(on_slicer.0, on_slicer.1));
            t.bounding_box = Some(seen.map(Some).to_vec());
            selector.push((label, t));
            let number = Transform::mapping(&[0], 3).then(Transform::constant(label as f64));
            by_x.retain(|(x, _)| *x != trace.x_slicer);
            by_x.push((trace.x_slicer, number));
        }
        let mut back: Transform = Kind::LabelMapper(LabelMapper {
            labels: Labels::Dict {
                entries: by_x,
                atol: 1e-4,
            },
            no_label: 0.0,
            n_inputs: 3,
            inputs_mapping: Some(vec![0]),
        })
        .into();
        back.inputs = xy(on_slicer.0, on_slicer.1);
        let labels = Kind::LabelMapper(LabelMapper {
            labels: Labels::Array {
                ny: map.ny,
                nx: map.nx,
                labels: map.labels.iter().map(|l| i64::from(*l)).collect(),
            },
            no_label: 0.0,
            n_inputs: 2,
            inputs_mapping: None,
        });
        let choose = Kind::RegionsSelector(RegionsSelector {
            label_mapper: Box::new(Transform::from(labels).with_inverse(back)),
            selector,
            undefined: f64::NAN,
            n_inputs: 2,
            n_outputs: 3,
        });
        let plain = (["x", "y"], [].as_slice());
        let mut steps = vec![
            step(
                pixels("coordinates"),
                named(Transform::identity(2), "coord2det", plain, plain),
            ),
            step(
                pixels("detector"),
                named(choose.into(), "det2slicer", plain, on_slicer),
            ),
        ];
        steps.extend(self.steps_onward(&["lam"], |t| t));
        Gwcs::new(steps)
    }

    /// The steps from the slicer on, to whose transforms more may be added.
    fn steps_onward(&self, rest: &[&str], add: impl Fn(Transform) -> Transform) -> Vec<Step> {
        let names = [
            ("slicer2msa", ["x_slice", "y_slice"], ["x_msa", "y_msa"]),
            ("msa2oteip", ["x_msa", "y_msa"], ["x_ote", "y_ote"]),
            ("chrom_corr", ["x_ote", "y_ote"], ["x_ote", "y_ote"]),
            ("oteip2v23", ["x_ote", "y_ote"], ["v2", "v3"]),
            ("va_corr", ["v2", "v3"], ["v2", "v3"]),
            ("v2v3_to_sky", ["v2", "v3"], ["ra", "dec"]),
        ];
        let parts = self.onward.iter().zip(names);
        let mut steps: Vec<Step> = parts
            .map(|((frame, t), (name, inputs, outputs))| {
                step(
                    frame_of(frame),
                    named(add(t.clone()), name, (inputs, rest), (outputs, rest)),
                )
            })
            .collect();
        let world = [Frame::sky("sky", ["lon", "lat"]), spectral()];
        steps.push(Step {
            frame: Frame::composite("world", world),
            transform: None,
        });
        steps
    }
}

/// From the slicer to the sky.
fn onward(refs: &NirspecReferences, pointing: &Pointing) -> Result<Vec<(&'static str, Transform)>> {
    let one = || Transform::identity(1);
    let lambda_twice = || Transform::mapping(&[0, 1, 2, 2], 3);
    let to_msa = lambda_twice()
        .with_inverse(Transform::identity(3))
        .then(refs.ifufore.clone().beside(one()));
    let to_oteip = lambda_twice()
        .named("msa2fore_mapping")
        .with_inverse(lambda_twice().named("fore2msa"))
        .then(refs.fore.clone().beside(one()));
    // behind it the way back carries the wavelength twice
    let chromatic = refs
        .chromcorr
        .clone()
        .unwrap_or_else(|| Transform::identity(3));
    let back = chromatic.inverted()?.beside(one());
    let chromatic = chromatic.with_inverse(back);
    let to_v23 = Transform::identity(3)
        .named("fore2ote_mapping")
        .with_inverse(lambda_twice())
        .then(refs.ote.clone().beside(Transform::scale(1e6)));
    Ok(vec![
        ("slicer", to_msa),
        ("msa_frame", to_oteip),
        ("oteip", chromatic),
        ("oteip_chromcorr", to_v23),
        ("v2v3", pointing.aberration().beside(one())),
        ("v2v3vacorr", pointing.to_sky().beside(one())),
    ])
}

type Names<'a> = ([&'a str; 2], &'a [&'a str]);

fn named(t: Transform, name: &str, inputs: Names, outputs: Names) -> Transform {
    let mut t = t.named(name);
    t.inputs = xy(inputs.0, inputs.1);
    t.outputs = xy(outputs.0, outputs.1);
    t
}

fn step(frame: Frame, transform: Transform) -> Step {
    Step {
        frame,
        transform: Some(transform),
    }
}

fn pixels(name: &str) -> Frame {
    Frame::plane(name, ["x", "y"], "pixel")
}

fn spectral() -> Frame {
    Frame::spectral("spectral", "wavelength")
}

fn gwa() -> Frame {
    Frame::plane("gwa", ["alpha_in", "beta_in"], "rad")
}

/// A frame of two positions and wavelength.
fn frame_of(name: &str) -> Frame {
    let (plane, axes, unit) = match name {
        "slit_frame" => ("slit_spatial", ["x_slit", "y_slit"], ""),
        "slicer" => ("slicer_spatial", ["x_slicer", "y_slicer"], ""),
        "msa_frame" => ("msa_spatial", ["x_msa", "y_msa"], "m"),
        "oteip" | "oteip_chromcorr" => ("oteip", ["X_OTEIP", "Y_OTEIP"], "deg"),
        "v2v3" => ("v2v3_spatial", ["v2", "v3"], "arcsec"),
        _ => ("v2v3vacorr_spatial", ["v2", "v3"], "arcsec"),
    };
    Frame::composite(name, [Frame::plane(plane, axes, unit), spectral()])
}
