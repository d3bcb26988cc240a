//! Label mappers and selectors of regions, whose parts must fit each other.

use super::Read;
use super::values::{entry, need, numbers};
use crate::formats::asdf::Node;
use crate::wcs::transform::{Kind, LabelMapper, Labels, RegionsSelector, Transform};

pub(super) fn label_mapper(node: &Node) -> Read<Kind> {
    let inputs_mapping = entry(node, "inputs_mapping");
    let mapping = inputs_mapping.map(Transform::from_node).transpose()?;
    let (order, mapped) = match mapping.map(|m| m.kind) {
        None => (None, None),
        Some(Kind::Mapping { order, n_inputs }) => (Some(order), Some(n_inputs)),
        Some(Kind::Identity(n)) => (Some((0..n).collect()), Some(n)),
        Some(_) => return Err("inputs_mapping is no mapping".into()),
    };
    let mapper = need(node, "mapper")?;
    let named = entry(node, "inputs").and_then(Node::as_sequence);
    let (labels, keys, default_inputs) = if let Some(array) = mapper.as_array() {
        let [ny, nx] = *array.shape() else {
            return Err(format!("labels of the shape {:?}", array.shape()));
        };
        let labels = array
            .to_vec::<i64>()
            .map_err(|e| format!("labels of pixels: {e}"))?;
        let labels = labels.into();
        (Labels::Array { ny, nx, labels }, 2, 2)
    } else if !mapper.tag().is_empty() && !mapper.has_tag("omap") {
        let t = Transform::from_node(mapper)?;
        if t.n_outputs() != 1 {
            return Err("the mapper does not give one label".into());
        }
        let n = t.n_inputs();
        (Labels::Model(Box::new(t)), n, n)
    } else {
        let atol = entry(node, "atol").and_then(Node::as_f64).unwrap_or(1e-8);
        (labels_by_key(mapper, atol)?, 1, 1)
    };
    let n_inputs = named
        .map(<[Node]>::len)
        .or(mapped)
        .unwrap_or(default_inputs);
    let available = order.as_ref().map_or(n_inputs, Vec::len);
    let fits = order.iter().flatten().all(|i| *i < n_inputs);
    let exact = matches!(labels, Labels::Model(_));
    if !fits || available < keys || (exact && available != keys) {
        return Err(format!("{n_inputs} inputs do not fit its labels"));
    }
    if let Labels::Dict { entries, .. } = &labels {
        check_models(entries.iter().map(|(_, t)| t), n_inputs, 1)?;
    }
    if let Labels::Range { entries } = &labels {
        check_models(entries.iter().map(|(_, t)| t), n_inputs, 1)?;
    }
    Ok(Kind::LabelMapper(LabelMapper {
        labels,
        no_label: entry(node, "no_label")
            .and_then(Node::as_f64)
            .unwrap_or(f64::NAN),
        n_inputs,
        inputs_mapping: order,
    }))
}

pub(super) fn labels_by_key(mapper: &Node, atol: f64) -> Read<Labels> {
    let keys = need(mapper, "labels")?;
    let models = need(mapper, "models")?.as_sequence();
    let models = models
        .ok_or("models is not a list")?
        .iter()
        .map(Transform::from_node)
        .collect::<Read<Vec<_>>>()?;
    match numbers(keys, "labels")? {
        (shape, keys) if shape == [models.len()] => Ok(Labels::Dict {
            entries: keys.into_iter().zip(models).collect(),
            atol,
        }),
        (shape, keys) if shape == [models.len(), 2] => Ok(Labels::Range {
            entries: keys
                .chunks_exact(2)
                .map(|k| (k[0], k[1]))
                .zip(models)
                .collect(),
        }),
        (shape, _) => Err(format!(
            "labels of the shape {shape:?} for {} models",
            models.len()
        )),
    }
}

pub(super) fn check_models<'a>(
    mut models: impl Iterator<Item = &'a Transform>,
    n_inputs: usize,
    n_outputs: usize,
) -> Read<()> {
    match models.find(|t| t.n_inputs() != n_inputs || t.n_outputs() != n_outputs) {
        Some(t) => Err(format!(
            "a part has {} inputs and {} outputs instead of {n_inputs} and {n_outputs}",
            t.n_inputs(),
            t.n_outputs()
        )),
        None => Ok(()),
    }
}

pub(super) fn regions_selector(node: &Node) -> Read<Kind> {
    let count = |key| {
        let items = need(node, key)?.as_sequence();
        items
            .map(<[Node]>::len)
            .ok_or_else(|| format!("{key} is not a list"))
    };
    let (n_inputs, n_outputs) = (count("inputs")?, count("outputs")?);
    let selector = need(node, "selector")?;
    let labels = need(selector, "labels")?.as_sequence();
    let labels = labels
        .ok_or("the labels are not a list")?
        .iter()
        .map(Node::as_i64)
        .collect::<Option<Vec<_>>>()
        .ok_or("labels that are not whole numbers are not supported")?;
    let transforms = need(selector, "transforms")?.as_sequence();
    let transforms = transforms
        .ok_or("the transforms are not a list")?
        .iter()
        .map(Transform::from_node)
        .collect::<Read<Vec<_>>>()?;
    if labels.len() != transforms.len() {
        return Err("labels and transforms differ in number".into());
    }
    check_models(transforms.iter(), n_inputs, n_outputs)?;
    let label_mapper = Transform::from_node(need(node, "label_mapper")?)?;
    check_models(std::iter::once(&label_mapper), n_inputs, 1)?;
    if let Some(inverse) = &label_mapper.inverse {
        check_models(std::iter::once(&**inverse), n_outputs, 1)?;
    }
    Ok(Kind::RegionsSelector(RegionsSelector {
        label_mapper: Box::new(label_mapper),
        selector: labels.into_iter().zip(transforms).collect(),
        undefined: entry(node, "undefined_transform_value")
            .and_then(Node::as_f64)
            .unwrap_or(f64::NAN),
        n_inputs,
        n_outputs,
    }))
}
