//! From transforms to ASDF nodes, with the tags of `asdf-transform-schemas` 0.6, `asdf-wcs-schemas` 0.5 and
//! `stdatamodels` 6.0 (what gwcs 1.0.3 reads and writes).

use super::labels::{LabelMapper, Labels, RegionsSelector};
use super::orthopoly::Family;
use super::read::input_names;
use super::rotation::{Axis, Euler};
use super::spectrograph::Bounds;
use super::{Direction, Kind, Method, Operation, SlitStage, Transform};
use crate::Result;
use crate::formats::asdf::{NdArray, Node, Storage};

fn asdf(class: &str) -> String {
    format!("tag:stsci.edu:asdf/transform/{class}")
}
fn gwcs(class: &str) -> String {
    format!("tag:stsci.edu:gwcs/{class}")
}
fn jwst(class: &str) -> String {
    format!("tag:stsci.edu:jwst_pipeline/{class}")
}

fn floats(values: &[f64]) -> Node {
    values
        .iter()
        .map(|v| Node::from(*v))
        .collect::<Vec<_>>()
        .into()
}
fn counts(values: &[usize]) -> Node {
    values
        .iter()
        .map(|v| Node::from(*v))
        .collect::<Vec<_>>()
        .into()
}
fn texts(values: &[String]) -> Node {
    values
        .iter()
        .map(|v| Node::from(v.as_str()))
        .collect::<Vec<_>>()
        .into()
}
fn letters(axes: &[Axis]) -> String {
    axes.iter().map(|a| a.letter()).collect()
}
/// Names of inputs or outputs that a class demands.
fn numbered(own: Option<&Vec<String>>, n: usize) -> Vec<String> {
    own.cloned()
        .unwrap_or_else(|| (0..n).map(|i| format!("x{i}")).collect())
}

impl Transform {
    /// The node, which [`Transform::from_node`] and gwcs read.
    ///
    /// # Errors
    /// Those of making arrays.
    pub fn to_node(&self) -> Result<Node> {
        let (tag, mut node) = self.body()?;
        if let Some(name) = &self.name {
            node.set("name", name.as_str());
        }
        let mut inputs = self.inputs.clone();
        if let Kind::LabelMapper(m) = &self.kind
            && m.n_inputs != 2
        {
            inputs = Some(numbered(self.inputs.as_ref(), m.n_inputs));
        }
        if let Some(inputs) = &inputs {
            node.set("inputs", texts(inputs));
        }
        if let Some(outputs) = &self.outputs {
            node.set("outputs", texts(outputs));
        }
        if let Some(inverse) = &self.inverse {
            node.set("inverse", inverse.to_node()?);
        }
        let bounds = self.bounding_box.is_some() || self.boxes.is_some();
        let mut names = match bounds {
            true => input_names(self),
            false => Vec::new(),
        };
        if matches!(self.kind, Kind::RegionsSelector(_)) {
            names = numbered(self.inputs.as_ref(), names.len());
        }
        if let Some(bounds) = &self.bounding_box {
            node.set("bounding_box", bounding_box(&names, bounds, None));
        }
        if let Some(boxes) = &self.boxes {
            let of = |(key, bounds): &(i64, Bounds)| {
                let mut entry = Node::mapping();
                entry.set("key", vec![Node::from(*key)]);
                entry.set("bbox", bounding_box(&names, bounds, names.get(boxes.input)));
                entry
            };
            let mut selector = Node::mapping();
            let argument = names.get(boxes.input).map_or("", String::as_str);
            selector.set("argument", argument);
            selector.set("ignore", true);
            let mut body = Node::mapping();
            body.set("cbbox", boxes.boxes.iter().map(of).collect::<Vec<_>>());
            body.set("ignore", Vec::<Node>::new());
            body.set("order", "F");
            body.set("selector_args", vec![selector]);
            let tag = asdf("property/compound_bounding_box-1.2.0");
            node.set("bounding_box", body.with_tag(tag));
        }
        Ok(node.with_tag(tag))
    }

    fn body(&self) -> Result<(String, Node)> {
        let mut node = Node::mapping();
        let mut forward = |a: &Self, b: &Self, class: &str| -> Result<String> {
            node.set("forward", vec![a.to_node()?, b.to_node()?]);
            Ok(asdf(class))
        };
        let tag = match &self.kind {
            Kind::Compose(a, b) => forward(a, b, "compose-1.4.0")?,
            Kind::Concatenate(a, b) => forward(a, b, "concatenate-1.4.0")?,
            Kind::Arithmetic(op, a, b) => {
                let class = match op {
                    Operation::Add => "add-1.4.0",
                    Operation::Subtract => "subtract-1.4.0",
                    Operation::Multiply => "multiply-1.4.0",
                    Operation::Divide => "divide-1.4.0",
                    Operation::Power => "power-1.4.0",
                };
                forward(a, b, class)?
            }
            Kind::FixInputs(base, fixed) => {
                let (keys, values): (Vec<usize>, Vec<f64>) = fixed.iter().copied().unzip();
                let mut held = Node::mapping();
                held.set("keys", counts(&keys));
                held.set("values", floats(&values));
                node.set("forward", vec![base.to_node()?, held]);
                asdf("fix_inputs-1.4.0")
            }
            Kind::Identity(n) => {
                if *n != 1 {
                    node.set("n_dims", *n);
                }
                asdf("identity-1.4.0")
            }
            Kind::Mapping { order, n_inputs } => {
                node.set("mapping", counts(order));
                if *n_inputs > order.iter().max().map_or(0, |m| m + 1) {
                    node.set("n_inputs", *n_inputs);
                }
                asdf("remap_axes-1.5.0")
            }
            Kind::Constant { value, n_inputs } => {
                node.set("value", *value);
                node.set("dimensions", *n_inputs);
                asdf("constant-1.6.0")
            }
            Kind::Scale(f) => {
                node.set("factor", *f);
                asdf("scale-1.4.0")
            }
            Kind::Shift(d) => {
                node.set("offset", *d);
                asdf("shift-1.4.0")
            }
            Kind::Linear { slope, intercept } => {
                node.set("slope", *slope);
                node.set("intercept", *intercept);
                asdf("linear1d-1.2.0")
            }
            Kind::Affine {
                matrix,
                translation,
            } => {
                let rows: Vec<Node> = matrix.iter().map(|r| floats(r)).collect();
                node.set("matrix", rows);
                node.set("translation", floats(translation));
                asdf("affine-1.5.0")
            }
            Kind::Polynomial1D(p) => {
                let n = [p.coefficients.len()];
                node.set(
                    "coefficients",
                    NdArray::new(&n, &p.coefficients, Storage::Internal)?,
                );
                node.set("domain", floats(&p.domain));
                node.set("window", floats(&p.window));
                asdf("polynomial-1.3.0")
            }
            Kind::Polynomial2D(p) => {
                let n = [p.degree() + 1; 2];
                node.set(
                    "coefficients",
                    NdArray::new(&n, p.coefficients(), Storage::Internal)?,
                );
                let pairs =
                    |v: [[f64; 2]; 2]| -> Vec<Node> { v.iter().map(|r| floats(r)).collect() };
                node.set("domain", pairs(p.domain()));
                node.set("window", pairs(p.window()));
                asdf("polynomial-1.3.0")
            }
            Kind::OrthoPolynomial(p) => {
                let family = match p.family() {
                    Family::Chebyshev => "chebyshev",
                    Family::Legendre => "legendre",
                    Family::Hermite => "hermite",
                };
                node.set("polynomial_type", family);
                let c = NdArray::new(p.shape(), p.coefficients(), Storage::Internal)?;
                node.set("coefficients", c);
                let list = |k: usize| -> Vec<Node> {
                    let of = |m: &Option<([f64; 2], [f64; 2])>| {
                        m.map_or_else(Node::default, |(d, w)| floats(&[d, w][k]))
                    };
                    p.maps().iter().map(of).collect()
                };
                for (k, key) in ["domain", "window"].into_iter().enumerate() {
                    match (p.maps(), list(k)) {
                        ([None], _) => {}
                        (maps, _) if maps.iter().all(Option::is_none) => {}
                        ([_], mut one) => node.set(key, one.remove(0)),
                        (_, two) => node.set(key, two),
                    }
                }
                asdf("ortho_polynomial-1.2.0")
            }
            Kind::Rotate2D(angle) => {
                node.set("angle", *angle);
                asdf("rotate2d-1.5.0")
            }
            Kind::RotateSequence {
                axes,
                angles,
                spherical,
            } => {
                node.set("angles", floats(angles));
                node.set("axes_order", letters(axes));
                let kind = if *spherical { "spherical" } else { "cartesian" };
                node.set("rotation_type", kind);
                asdf("rotate_sequence_3d-1.2.0")
            }
            Kind::V23ToSky { axes, angles } => {
                // the older class is not read any more; this one is the same rotation
                let negated: Vec<f64> = angles.iter().map(|a| -a).collect();
                node.set("angles", floats(&negated));
                node.set("axes_order", letters(axes));
                node.set("rotation_type", "spherical");
                asdf("rotate_sequence_3d-1.2.0")
            }
            Kind::Rotate3D(e) => {
                let (angles, direction) = match e {
                    Euler::Angles { angles, axes } => (angles, letters(axes)),
                    Euler::NativeToCelestial(a) => (a, "native2celestial".into()),
                    Euler::CelestialToNative(a) => (a, "celestial2native".into()),
                };
                for (key, value) in ["phi", "theta", "psi"].into_iter().zip(angles) {
                    node.set(key, *value);
                }
                node.set("direction", direction);
                asdf("rotate3d-1.5.0")
            }
            Kind::SphericalToCartesian { wrap_lon_at } => {
                node.set("transform_type", "spherical_to_cartesian");
                node.set("wrap_lon_at", *wrap_lon_at);
                gwcs("spherical_cartesian-1.3.0")
            }
            Kind::CartesianToSpherical { wrap_lon_at } => {
                node.set("transform_type", "cartesian_to_spherical");
                node.set("wrap_lon_at", *wrap_lon_at);
                gwcs("spherical_cartesian-1.3.0")
            }
            Kind::ToDirectionCosines => {
                node.set("transform_type", "to_direction_cosines");
                gwcs("direction_cosines-1.3.0")
            }
            Kind::FromDirectionCosines => {
                node.set("transform_type", "from_direction_cosines");
                gwcs("direction_cosines-1.3.0")
            }
            Kind::Gnomonic(direction) => {
                let direction = match direction {
                    Direction::PixelToSky => "pix2sky",
                    Direction::SkyToPixel => "sky2pix",
                };
                node.set("direction", direction);
                asdf("gnomonic-1.4.0")
            }
            Kind::Tabular(t) => {
                let shape: Vec<usize> = t.points().iter().map(Vec::len).collect();
                let table = NdArray::new(&shape, t.table(), Storage::Internal)?;
                node.set("lookup_table", table);
                let points = t
                    .points()
                    .iter()
                    .map(|p| Ok(Node::from(NdArray::new(&[p.len()], p, Storage::Internal)?)));
                node.set("points", points.collect::<Result<Vec<_>>>()?);
                let method = match t.method() {
                    Method::Linear => "linear",
                    Method::Nearest => "nearest",
                };
                node.set("method", method);
                node.set("bounds_error", false);
                if let Some(fill) = t.fill() {
                    node.set("fill_value", fill);
                }
                asdf("tabular-1.4.0")
            }
            Kind::LabelMapper(m) => {
                label_mapper(m, &mut node)?;
                gwcs("label_mapper-1.3.0")
            }
            Kind::RegionsSelector(s) => {
                node.set("inputs", texts(&numbered(self.inputs.as_ref(), s.n_inputs)));
                let outputs = numbered(self.outputs.as_ref(), s.n_outputs);
                node.set("outputs", texts(&outputs));
                regions_selector(s, &mut node)?;
                gwcs("regions_selector-1.3.0")
            }
            Kind::MiriAb2Slice {
                beta_zero,
                beta_del,
                channel,
            } => {
                node.set("beta_zero", *beta_zero);
                node.set("beta_del", *beta_del);
                node.set("channel", *channel);
                jwst("miri_ab2slice-1.2.0")
            }
            Kind::UnitlessToDirCos => {
                node.set("model_type", "unitless2directional");
                jwst("coords-1.2.0")
            }
            Kind::DirCosToUnitless => {
                node.set("model_type", "directional2unitless");
                jwst("coords-1.2.0")
            }
            Kind::RotationToGwa(r) => {
                node.set("angles", floats(&r.degrees()));
                node.set("axes_order", letters(r.axes()));
                jwst("rotation_sequence-1.2.0")
            }
            Kind::GratingWavelength {
                groove_density,
                order,
            } => {
                node.set("groove_density", *groove_density);
                node.set("order", *order);
                node.set("output", "wavelength");
                gwcs("grating_equation-1.3.0")
            }
            Kind::GratingAngles {
                groove_density,
                order,
            } => {
                node.set("groove_density", *groove_density);
                node.set("order", *order);
                node.set("output", "angle");
                gwcs("grating_equation-1.3.0")
            }
            Kind::RefractionIndex(angle) => {
                node.set("prism_angle", *angle);
                jwst("refraction_index_from_prism-1.2.0")
            }
            Kind::Snell(p) => {
                node.set("prism_angle", p.angle);
                node.set("kcoef", floats(&p.kcoef));
                node.set("lcoef", floats(&p.lcoef));
                node.set("tcoef", floats(&p.tcoef));
                node.set("ref_temp", p.ref_temp);
                node.set("ref_pressure", p.ref_pressure);
                node.set("temp", p.temp);
                node.set("pressure", p.ref_pressure);
                jwst("snell-1.2.0")
            }
            Kind::Logical {
                condition,
                compareto,
                value,
            } => {
                node.set("condition", condition.name());
                node.set("compareto", *compareto);
                node.set("value", *value);
                jwst("logical-1.2.0")
            }
            Kind::Slits(s) => {
                let names = s.models.iter().map(|(name, _)| Node::from(*name));
                node.set("slits", names.collect::<Vec<_>>());
                node.set("models", models(s.models.iter().map(|(_, t)| t))?);
                jwst(match s.stage {
                    SlitStage::GwaToSlit => "gwa_to_slit-1.2.0",
                    SlitStage::SlitToGwa => "slit_to_gwa-1.0.0",
                    SlitStage::SlitToMsa => "slit_to_msa-1.2.0",
                    SlitStage::MsaToSlit => "msa_to_slit-1.0.0",
                })
            }
        };
        Ok((tag, node))
    }
}

/// The node of a bounding box; an input that chose it is ignored in it.
fn bounding_box(names: &[String], bounds: &Bounds, chosen_by: Option<&String>) -> Node {
    let mut intervals = Node::mapping();
    for (name, bound) in names.iter().zip(bounds) {
        if let Some((low, high)) = bound {
            intervals.set(name, floats(&[*low, *high]));
        }
    }
    let mut body = Node::mapping();
    body.set("intervals", intervals);
    let ignored: Vec<Node> = chosen_by.iter().map(|n| Node::from(n.as_str())).collect();
    body.set("ignore", ignored);
    body.set("order", "F");
    body.with_tag(asdf("property/bounding_box-1.2.0"))
}

fn label_mapper(m: &LabelMapper, node: &mut Node) -> Result<()> {
    if m.no_label.is_finite() && m.no_label.fract() == 0.0 {
        node.set("no_label", m.no_label as i64);
    } else {
        node.set("no_label", m.no_label);
    }
    if let Some(order) = &m.inputs_mapping {
        let mapping = Transform::mapping(order, m.n_inputs).to_node()?;
        node.set("inputs_mapping", mapping);
    }
    match &m.labels {
        Labels::Array { ny, nx, labels } => {
            node.set(
                "mapper",
                NdArray::new(&[*ny, *nx], labels, Storage::Internal)?,
            );
        }
        Labels::Dict { entries, atol } => {
            node.set("atol", *atol);
            let keys: Vec<f64> = entries.iter().map(|(k, _)| *k).collect();
            node.set("mapper.labels", floats(&keys));
            node.set("mapper.models", models(entries.iter().map(|(_, t)| t))?);
        }
        Labels::Range { entries } => {
            let keys: Vec<Node> = entries.iter().map(|(r, _)| floats(&[r.0, r.1])).collect();
            node.set("mapper.labels", keys);
            node.set("mapper.models", models(entries.iter().map(|(_, t)| t))?);
        }
        Labels::Model(t) => node.set("mapper", t.to_node()?),
    }
    Ok(())
}

fn regions_selector(s: &RegionsSelector, node: &mut Node) -> Result<()> {
    node.set("label_mapper", s.label_mapper.to_node()?);
    let labels: Vec<Node> = s.selector.iter().map(|(l, _)| Node::from(*l)).collect();
    node.set("selector.labels", labels);
    node.set(
        "selector.transforms",
        models(s.selector.iter().map(|(_, t)| t))?,
    );
    node.set("undefined_transform_value", s.undefined);
    Ok(())
}

fn models<'a>(transforms: impl Iterator<Item = &'a Transform>) -> Result<Vec<Node>> {
    transforms.map(Transform::to_node).collect()
}
