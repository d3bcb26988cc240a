//! From ASDF nodes to transforms, with every count checked, so that evaluation cannot go out of bounds.

mod regions;
mod series;
mod spectrograph;
mod values;

use super::{Axis, BoxesByName, Direction, Euler, Kind, Operation, Transform};
use crate::formats::asdf::Node;
use regions::{label_mapper, regions_selector};
use series::{ortho_polynomial, polynomial, tabular};
use values::{axes, class_of, entry, index, list, names, need, number, numbers, pair, text};

/// What was read, or what is wrong with it.
type Read<T> = Result<T, String>;

impl Transform {
    /// Reads a node tagged as a transform of the ASDF transform schemas, gwcs, or the `jwst_pipeline` tags that the MIRI
    /// MRS and the NIRSpec IFU need, in any version.
    ///
    /// # Errors
    /// What is wrong with it, in words; the caller knows the file and the place.
    pub fn from_node(node: &Node) -> Read<Self> {
        let class = class_of(node);
        let kind = kind(node, class).map_err(|e| format!("transform {class}: {e}"))?;
        let mut t = Self::from(kind);
        t.name = node.get("name").and_then(Node::as_str).map(String::from);
        t.inputs = names(node, "inputs", t.n_inputs())?;
        t.outputs = names(node, "outputs", t.n_outputs())?;
        if let Some(inverse) = node.get("inverse").filter(|n| !n.is_null()) {
            // A part's inverse may be one of a whole only, as x(u, v) of u(x, y), or that of a label mapper on the
            // selector's other side: the counts are checked where inverses are put together.
            t.inverse = Some(Box::new(Self::from_node(inverse)?));
        }
        if let Some(bounds) = node.get("bounding_box").filter(|n| !n.is_null()) {
            match bounds.has_tag("compound_bounding_box") {
                true => t.boxes = Some(boxes_by_name(&t, bounds)?),
                false => t.bounding_box = Some(bounding_box(&t, bounds)?),
            }
        }
        Ok(t)
    }
}

fn both(node: &Node) -> Read<(Box<Transform>, Box<Transform>)> {
    match need(node, "forward")?.as_sequence() {
        Some([a, b]) => Ok((
            Box::new(Transform::from_node(a)?),
            Box::new(Transform::from_node(b)?),
        )),
        _ => Err("forward is not a list of two transforms".into()),
    }
}

fn arithmetic(op: Operation, node: &Node) -> Read<Kind> {
    let (a, b) = both(node)?;
    if a.n_inputs() != b.n_inputs() || a.n_outputs() != b.n_outputs() {
        return Err("its parts differ in inputs or outputs".into());
    }
    Ok(Kind::Arithmetic(op, a, b))
}

fn kind(node: &Node, class: &str) -> Read<Kind> {
    Ok(match class {
        "compose" => {
            let (a, b) = both(node)?;
            if a.n_outputs() != b.n_inputs() {
                let (n, m) = (a.n_outputs(), b.n_inputs());
                return Err(format!("{n} outputs meet {m} inputs"));
            }
            Kind::Compose(a, b)
        }
        "concatenate" => {
            let (a, b) = both(node)?;
            Kind::Concatenate(a, b)
        }
        "add" => arithmetic(Operation::Add, node)?,
        "subtract" => arithmetic(Operation::Subtract, node)?,
        "multiply" => arithmetic(Operation::Multiply, node)?,
        "divide" => arithmetic(Operation::Divide, node)?,
        "power" => arithmetic(Operation::Power, node)?,
        "fix_inputs" => fix_inputs(node)?,
        "identity" => match entry(node, "n_dims") {
            Some(n) => Kind::Identity(index(n)?),
            None => Kind::Identity(1),
        },
        "remap_axes" => {
            let order = order_of(node)?;
            let least = order.iter().max().map_or(0, |m| m + 1);
            let n_inputs = entry(node, "n_inputs").map(index).transpose()?;
            let n_inputs = n_inputs.unwrap_or(least);
            if n_inputs < least {
                return Err("the mapping names an input that is not there".into());
            }
            Kind::Mapping { order, n_inputs }
        }
        "constant" => Kind::Constant {
            value: number(node, "value")?,
            n_inputs: match entry(node, "dimensions").map(index).transpose()? {
                None | Some(1) => 1,
                Some(2) => 2,
                Some(n) => return Err(format!("{n} dimensions are not supported")),
            },
        },
        "scale" | "multiplyscale" => Kind::Scale(number(node, "factor")?),
        "shift" => Kind::Shift(number(node, "offset")?),
        "linear1d" => Kind::Linear {
            slope: number(node, "slope")?,
            intercept: number(node, "intercept")?,
        },
        "affine" => {
            let (_, m) = numbers(need(node, "matrix")?, "matrix")?;
            let [a, b, c, d] =
                <[f64; 4]>::try_from(m).map_err(|_| "the matrix is not 2 by 2".to_owned())?;
            Kind::Affine {
                matrix: [[a, b], [c, d]],
                translation: pair(need(node, "translation")?, "translation")?,
            }
        }
        "polynomial" => polynomial(node)?,
        "ortho_polynomial" => ortho_polynomial(node)?,
        "rotate2d" => Kind::Rotate2D(number(node, "angle")?),
        "rotate_sequence_3d" => {
            let spherical = match entry(node, "rotation_type").and_then(Node::as_str) {
                None | Some("cartesian") => false,
                Some("spherical") => true,
                Some(other) => return Err(format!("rotation_type '{other}' is not known")),
            };
            let (axes, angles) = sequence(node)?;
            Kind::RotateSequence {
                axes,
                angles,
                spherical,
            }
        }
        "v23tosky" => {
            let (axes, angles) = sequence(node)?;
            Kind::V23ToSky { axes, angles }
        }
        "rotate3d" => {
            let angles = [
                number(node, "phi")?,
                number(node, "theta")?,
                number(node, "psi")?,
            ];
            Kind::Rotate3D(match text(node, "direction")? {
                "native2celestial" => Euler::NativeToCelestial(angles),
                "celestial2native" => Euler::CelestialToNative(angles),
                letters => Euler::Angles {
                    angles,
                    axes: <[Axis; 3]>::try_from(axes(letters)?)
                        .map_err(|_| format!("direction '{letters}' is not of three axes"))?,
                },
            })
        }
        "spherical_cartesian" => {
            let wrap_lon_at = entry(node, "wrap_lon_at").and_then(Node::as_i64);
            let wrap_lon_at = wrap_lon_at.unwrap_or(360);
            match text(node, "transform_type")? {
                "spherical_to_cartesian" => Kind::SphericalToCartesian { wrap_lon_at },
                "cartesian_to_spherical" => Kind::CartesianToSpherical { wrap_lon_at },
                other => return Err(format!("transform_type '{other}' is not known")),
            }
        }
        "direction_cosines" => match text(node, "transform_type")? {
            "to_direction_cosines" => Kind::ToDirectionCosines,
            "from_direction_cosines" => Kind::FromDirectionCosines,
            other => return Err(format!("transform_type '{other}' is not known")),
        },
        "gnomonic" => Kind::Gnomonic(match text(node, "direction")? {
            "pix2sky" => Direction::PixelToSky,
            "sky2pix" => Direction::SkyToPixel,
            other => return Err(format!("direction '{other}' is not known")),
        }),
        "tabular" => tabular(node)?,
        "label_mapper" => label_mapper(node)?,
        "regions_selector" => regions_selector(node)?,
        "miri_ab2slice" => Kind::MiriAb2Slice {
            beta_zero: number(node, "beta_zero")?,
            beta_del: number(node, "beta_del")?,
            channel: number(node, "channel")?,
        },
        "" => return Err(format!("{} is no transform", node.kind())),
        _ => match spectrograph::kind(node, class)? {
            Some(kind) => kind,
            None => return Err("this class is not supported".into()),
        },
    })
}

fn order_of(node: &Node) -> Read<Vec<usize>> {
    let items = need(node, "mapping")?.as_sequence();
    let items = items.ok_or("mapping is not a list")?;
    items.iter().map(index).collect()
}

fn sequence(node: &Node) -> Read<(Vec<Axis>, Vec<f64>)> {
    let (axes, angles) = (axes(text(node, "axes_order")?)?, list(node, "angles")?);
    if axes.len() != angles.len() {
        return Err(format!("{} angles for {} axes", angles.len(), axes.len()));
    }
    Ok((axes, angles))
}

fn fix_inputs(node: &Node) -> Read<Kind> {
    let Some([base, fixed]) = need(node, "forward")?.as_sequence() else {
        return Err("forward is not a transform and the inputs to fix".into());
    };
    let base = Transform::from_node(base)?;
    let input_names = input_names(&base);
    let keys = need(fixed, "keys")?.as_sequence().unwrap_or_default();
    let values = list(fixed, "values")?;
    let mut out: Vec<(usize, f64)> = Vec::new();
    for (key, value) in keys.iter().zip(values) {
        let at = match key.as_str() {
            Some(name) => input_names.iter().position(|n| n == name),
            None => index(key).ok(),
        };
        let at = at
            .filter(|at| *at < base.n_inputs() && out.iter().all(|(k, _)| k != at))
            .ok_or("a fixed input is not one of the transform's")?;
        out.push((at, value));
    }
    Ok(Kind::FixInputs(Box::new(base), out))
}

/// Names of a transform's inputs: its own, or those of its class as far as files use them.
pub(super) fn input_names(t: &Transform) -> Vec<String> {
    if let Some(names) = &t.inputs {
        return names.clone();
    }
    match (&t.kind, t.n_inputs()) {
        (Kind::Identity(n), _) | (Kind::Mapping { n_inputs: n, .. }, _) => {
            (0..*n).map(|i| format!("x{i}")).collect()
        }
        (_, 1) => vec!["x".into()],
        (_, 2) => vec!["x".into(), "y".into()],
        (_, n) => (0..n).map(|i| format!("x{i}")).collect(),
    }
}

/// Bounds by input: of a `bounding_box` node, or the older list, whose last pair is the first input's.
fn bounding_box(t: &Transform, node: &Node) -> Read<Vec<Option<(f64, f64)>>> {
    let n = t.n_inputs();
    let Some(intervals) = entry(node, "intervals").and_then(Node::as_mapping) else {
        let (_, v) = numbers(node, "bounding_box")?;
        if v.len() != 2 * n {
            return Err(format!(
                "a bounding box of {} numbers for {n} inputs",
                v.len()
            ));
        }
        return Ok(v
            .chunks_exact(2)
            .rev()
            .map(|p| Some((p[0], p[1])))
            .collect());
    };
    let names = input_names(t);
    let mut out = vec![None; n];
    for (key, interval) in intervals.iter() {
        let key = key.to_string();
        let at = names.iter().position(|name| *name == key);
        let at = at.ok_or_else(|| format!("a bounding box names '{key}', which is no input"))?;
        let [low, high] = pair(interval, "an interval of a bounding box")?;
        out[at] = Some((low, high));
    }
    Ok(out)
}

/// Boxes by the value of one input.
fn boxes_by_name(t: &Transform, node: &Node) -> Read<BoxesByName> {
    let names = input_names(t);
    let selector = need(node, "selector_args")?.as_sequence();
    let argument = match selector {
        Some([one]) => need(one, "argument")?,
        _ => return Err("bounding boxes by more than one input are not supported".into()),
    };
    let input = match argument.as_str() {
        Some(name) => names.iter().position(|n| n == name),
        None => index(argument).ok(),
    };
    let input = input
        .filter(|i| *i < t.n_inputs())
        .ok_or("the bounding boxes depend on what is no input")?;
    let boxes = need(node, "cbbox")?.as_sequence();
    let boxes = boxes.ok_or("cbbox is not a list")?.iter().map(|entry| {
        let key = match need(entry, "key")?.as_sequence() {
            Some([key]) => key.as_i64(),
            _ => None,
        };
        let key = key.ok_or("bounding boxes by other than whole numbers are not supported")?;
        Ok((key, bounding_box(t, need(entry, "bbox")?)?))
    });
    Ok(BoxesByName {
        input,
        boxes: boxes.collect::<Read<_>>()?,
    })
}
