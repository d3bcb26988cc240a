//! Parts of a transform's node: numbers, lists, names. All are checked; nothing here knows of a class.

use super::Read;
use crate::formats::asdf::{Node, Value};
use crate::wcs::transform::Axis;

/// More inputs than any real transform has.
const MOST_INPUTS: usize = 1000;

/// Class of a transform: its tag without authority and version.
pub(super) fn class_of(node: &Node) -> &str {
    let tag = node.tag();
    let tag = tag.rsplit('/').next().unwrap_or(tag);
    match tag.rsplit_once('-') {
        Some((stem, version)) if version.starts_with(|c: char| c.is_ascii_digit()) => stem,
        _ => tag,
    }
}

/// A value by key, of a mapping or of the ordered mapping (a list of mappings) that older writers made.
pub(super) fn entry<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    match &node.value {
        Value::Sequence(items) => items.iter().find_map(|item| item.as_mapping()?.get(key)),
        _ => node.as_mapping()?.get(key),
    }
    .filter(|n| !n.is_null())
}

pub(super) fn need<'a>(node: &'a Node, key: &str) -> Read<&'a Node> {
    entry(node, key).ok_or_else(|| format!("{key} is missing"))
}

pub(super) fn number(node: &Node, key: &str) -> Read<f64> {
    let value = need(node, key)?;
    value.as_f64().ok_or_else(|| match value.get("unit") {
        Some(_) => format!("{key} has a unit, which is not supported"),
        None => format!("{key} is {} instead of a number", value.kind()),
    })
}

/// Numbers of a list, of lists of lists, or of an array; with the shape.
pub(super) fn numbers(node: &Node, what: &str) -> Read<(Vec<usize>, Vec<f64>)> {
    if let Some(array) = node.as_array() {
        let values = array.to_vec::<f64>().map_err(|e| format!("{what}: {e}"))?;
        return Ok((array.shape().to_vec(), values));
    }
    let items = node
        .as_sequence()
        .ok_or_else(|| format!("{what} is {} instead of numbers", node.kind()))?;
    if items.iter().all(|n| n.as_f64().is_some()) {
        let values: Vec<f64> = items.iter().filter_map(Node::as_f64).collect();
        return Ok((vec![values.len()], values));
    }
    let rows = items
        .iter()
        .map(|n| numbers(n, what))
        .collect::<Read<Vec<_>>>()?;
    let inner = rows.first().map(|(s, _)| s.clone()).unwrap_or_default();
    if rows.iter().any(|(s, _)| *s != inner) {
        return Err(format!("{what} is not rectangular"));
    }
    let shape = std::iter::once(rows.len()).chain(inner).collect();
    Ok((shape, rows.into_iter().flat_map(|(_, v)| v).collect()))
}

pub(super) fn list(node: &Node, key: &str) -> Read<Vec<f64>> {
    match numbers(need(node, key)?, key)? {
        (shape, values) if shape.len() == 1 => Ok(values),
        (shape, _) => Err(format!("{key} has the shape {shape:?} instead of a list")),
    }
}

pub(super) fn text<'a>(node: &'a Node, key: &str) -> Read<&'a str> {
    need(node, key)?
        .as_str()
        .ok_or_else(|| format!("{key} is not text"))
}

/// A number or count of inputs; what no transform has is refused before anything of that size is made.
pub(super) fn index(node: &Node) -> Read<usize> {
    node.as_i64()
        .and_then(|i| usize::try_from(i).ok())
        .filter(|i| *i <= MOST_INPUTS)
        .ok_or_else(|| format!("an index is not a whole number from 0 to {MOST_INPUTS}"))
}

pub(super) fn names(node: &Node, key: &str, n: usize) -> Read<Option<Vec<String>>> {
    let Some(items) = entry(node, key).and_then(Node::as_sequence) else {
        return Ok(None);
    };
    let names: Option<Vec<String>> = items.iter().map(|n| n.as_str().map(String::from)).collect();
    match names {
        Some(names) if names.len() == n => Ok(Some(names)),
        _ => Err(format!(
            "transform {}: {key} does not name its {n} {key}",
            class_of(node)
        )),
    }
}

pub(super) fn pair(node: &Node, what: &str) -> Read<[f64; 2]> {
    let (_, v) = numbers(node, what)?;
    <[f64; 2]>::try_from(v).map_err(|_| format!("{what} is not a pair"))
}

/// Domain or window of each of `n` variables; none where the file has none.
pub(super) fn ranges(node: &Node, key: &str, n: usize) -> Read<Vec<Option<[f64; 2]>>> {
    let Some(value) = entry(node, key) else {
        return Ok(vec![None; n]);
    };
    if n == 1 {
        return Ok(vec![Some(pair(value, key)?)]);
    }
    let items = value
        .as_sequence()
        .filter(|items| items.len() == n)
        .ok_or_else(|| format!("{key} is not a list of {n} pairs"))?;
    items
        .iter()
        .map(|v| match v.is_null() {
            true => Ok(None),
            false => pair(v, key).map(Some),
        })
        .collect()
}

pub(super) fn axes(letters: &str) -> Read<Vec<Axis>> {
    let axes: Option<Vec<Axis>> = letters.chars().map(Axis::from_letter).collect();
    axes.ok_or_else(|| format!("axes '{letters}' are not of x, y and z"))
}
