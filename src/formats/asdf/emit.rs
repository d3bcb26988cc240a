//! A tree to YAML 1.1 text, with the blocks its arrays need.

use std::fmt::Write;

use super::array::{NdArray, Source, Storage};
use super::block::{Content, Digest};
use super::datatype::{Datatype, shape_to_node};
use super::elements::{count, decode_text};
use super::node::{Key, Mapping, Node, Value};
use super::scalar::{format_float, is_safe_plain};
use crate::error::{Error, Result};

const DIRECTIVES: &str = "%YAML 1.1\n%TAG ! tag:stsci.edu:asdf/\n--- ";
/// What `!` at the start of a tag stands for.
const TAG_PREFIX: &str = "tag:stsci.edu:asdf/";
const NDARRAY_TAG: &str = "tag:stsci.edu:asdf/core/ndarray-1.1.0";
/// Lists in one pair of brackets are wrapped at this column.
const WIDTH: usize = 100;
/// Longest string that is put into such a list.
const SHORT_STRING: usize = 40;
/// YAML reads `key: value` only if the key has less than 1024 characters.
const LONGEST_SIMPLE_KEY: usize = 500;
/// Largest integer Python's asdf accepts as a literal.
const LARGEST_INTEGER: i128 = i64::MAX as i128;

/// The YAML document of a tree, and the data of its blocks in order with their MD5.
pub(super) fn document(root: &Node) -> Result<(String, Vec<Content<'_>>)> {
    let mut blocks = BlockList::default();
    let root = lower(root, &mut blocks)?;
    let mut text = String::from(DIRECTIVES);
    match &root.value {
        Value::Mapping(map) if !map.is_empty() => {
            text.push_str(&tag_text(&root));
            text.truncate(text.trim_end().len());
            text.push('\n');
            block_mapping(&mut text, map, 0);
        }
        _ => value_after_key(&mut text, &root, 0),
    }
    text.push_str("...\n");
    Ok((text, blocks.data))
}

/// The blocks met so far; the same data are written once.
#[derive(Default)]
struct BlockList<'a> {
    sources: Vec<&'a Source>,
    data: Vec<Content<'a>>,
}

impl<'a> BlockList<'a> {
    fn place(&mut self, source: &'a Source, data: &'a [u8], digest: Digest) -> usize {
        let same = |known: &&Source| match (known, source) {
            (Source::Block(a), Source::Block(b)) => a.is(b),
            (Source::Memory(a, _), Source::Memory(b, _)) => std::sync::Arc::ptr_eq(a, b),
            _ => false,
        };
        self.sources.iter().position(same).unwrap_or_else(|| {
            self.sources.push(source);
            self.data.push((data, digest));
            self.data.len() - 1
        })
    }
}

/// The same tree with every array as the mapping that describes it.
fn lower<'a>(node: &'a Node, blocks: &mut BlockList<'a>) -> Result<Node> {
    if let Some(tag) = node.tag.as_ref().filter(|t| t.is_empty() || !t.is_ascii()) {
        return Err(Error::parameter(format!(
            "'{tag}' cannot be a tag: tags are ASCII URIs"
        )));
    }
    let value = match &node.value {
        Value::Array(array) => return describe(array, blocks),
        Value::Sequence(items) => Value::Sequence(
            items
                .iter()
                .map(|i| lower(i, blocks))
                .collect::<Result<_>>()?,
        ),
        Value::Mapping(map) => {
            let entries = map.iter().map(|(k, v)| Ok((k.clone(), lower(v, blocks)?)));
            Value::Mapping(Mapping::from_unique(entries.collect::<Result<_>>()?))
        }
        Value::Int(i) if i.abs() > LARGEST_INTEGER => {
            return Err(Error::parameter(format!(
                "the integer {i} is too large for ASDF"
            )));
        }
        other => other.clone(),
    };
    Ok(Node {
        tag: node.tag.clone(),
        value,
    })
}

fn integer(i: impl Into<i128>) -> Result<Node> {
    let i = i.into();
    if i.abs() > LARGEST_INTEGER {
        return Err(Error::parameter(format!(
            "the integer {i} is too large for ASDF"
        )));
    }
    Ok(Value::Int(i).into())
}

fn describe<'a>(array: &'a NdArray, blocks: &mut BlockList<'a>) -> Result<Node> {
    let mut map = Mapping::new();
    let inline = match &array.source {
        Source::Block(block) => {
            let place = blocks.place(&array.source, block.bytes()?, block.digest()?);
            map.insert("source", place);
            false
        }
        Source::Memory(bytes, Storage::Internal) => {
            let place = blocks.place(&array.source, bytes.get(), bytes.digest());
            map.insert("source", place);
            false
        }
        Source::Memory(_, Storage::Inline) => {
            map.insert("data", inline_list(array)?);
            true
        }
        Source::Fits(hdu) => {
            map.insert("source", format!("fits:{hdu}"));
            false
        }
        Source::External(name) => {
            map.insert("source", name.as_str());
            false
        }
        Source::Inline(list, _) => {
            map.insert("data", list.as_ref().clone());
            true
        }
    };
    map.insert("datatype", array.datatype.to_node());
    if !inline {
        map.insert("byteorder", array.byteorder.name());
    }
    map.insert("shape", shape_to_node(&array.shape));
    if !inline && array.offset != 0 {
        map.insert("offset", array.offset);
    }
    if let (false, Some(strides)) = (inline, &array.strides) {
        map.insert(
            "strides",
            strides.iter().map(|s| Node::from(*s)).collect::<Vec<_>>(),
        );
    }
    if let Some(mask) = &array.mask {
        map.insert("mask", lower(mask, blocks)?);
    }
    Ok(Node::from(map).with_tag(NDARRAY_TAG))
}

/// The elements of an array in memory as nested lists.
fn inline_list(array: &NdArray) -> Result<Node> {
    let complex = |[re, im]: [f64; 2]| {
        Node::from(format!("{re:?}{im:+?}j")).with_tag("tag:stsci.edu:asdf/core/complex-1.0.0")
    };
    fn nodes<T>(values: Vec<T>, node: impl Fn(T) -> Node) -> Vec<Node> {
        values.into_iter().map(node).collect()
    }
    let fault = |e: String| Error::parameter(e);
    let (datatype, order) = (&array.datatype, array.byteorder);
    let leaves: Vec<Node> = match datatype {
        Datatype::Float16 | Datatype::Float32 | Datatype::Float64 => {
            nodes(array.to_vec::<f64>()?, Node::from)
        }
        Datatype::Bool8 => nodes(array.to_vec::<bool>()?, Node::from),
        Datatype::Complex64 | Datatype::Complex128 => nodes(array.to_vec::<[f64; 2]>()?, complex),
        Datatype::Uint64 => array
            .to_vec::<u64>()?
            .into_iter()
            .map(integer)
            .collect::<Result<_>>()?,
        Datatype::Ascii(_) | Datatype::Ucs4(_) => array
            .raw_elements()?
            .map(|e| {
                decode_text(datatype, order, e)
                    .map(Node::from)
                    .map_err(fault)
            })
            .collect::<Result<_>>()?,
        _ => array
            .to_vec::<i64>()?
            .into_iter()
            .map(integer)
            .collect::<Result<_>>()?,
    };
    let mut leaves = leaves.into_iter();
    fn nest(shape: &[usize], leaves: &mut impl Iterator<Item = Node>) -> Node {
        match shape {
            [] => leaves.next().unwrap_or_default(),
            // Lists behind an empty axis cannot be told apart; none are written.
            _ if count(shape) == Some(0) => Vec::<Node>::new().into(),
            [n, rest @ ..] => (0..*n)
                .map(|_| nest(rest, leaves))
                .collect::<Vec<_>>()
                .into(),
        }
    }
    if array.shape.is_empty() {
        return Err(Error::parameter(
            "an array without axes cannot be written inline",
        ));
    }
    Ok(nest(&array.shape, &mut leaves))
}

/// Whether a node is written in brackets on one (wrapped) line.
fn is_flow(node: &Node) -> bool {
    match &node.value {
        Value::Sequence(items) => items.iter().all(is_flow),
        Value::Mapping(map) => map.is_empty(),
        Value::String(s) => s.len() <= SHORT_STRING,
        _ => true,
    }
}

/// Writes ` value` or the lines of a block collection after a key or dash; ends the line.
fn value_after_key(out: &mut String, node: &Node, indent: usize) {
    let tag = tag_text(node);
    match &node.value {
        Value::Mapping(map) if !map.is_empty() => {
            out.push_str(tag.trim_end());
            end_line(out);
            block_mapping(out, map, indent + 2);
        }
        Value::Sequence(items) if !is_flow(node) => {
            out.push_str(tag.trim_end());
            end_line(out);
            block_sequence(out, items, indent + 2);
        }
        _ => {
            let mut column = indent + 8;
            flow(out, node, indent + 2, &mut column);
            end_line(out);
        }
    }
}

fn end_line(out: &mut String) {
    out.truncate(out.trim_end_matches(' ').len());
    out.push('\n');
}

fn block_mapping(out: &mut String, map: &Mapping, indent: usize) {
    for (key, value) in map.iter() {
        let key = match key {
            Key::String(s) => string(s),
            Key::Int(i) => i.to_string(),
            Key::Bool(b) => b.to_string(),
        };
        let pad = " ".repeat(indent);
        if key.len() > LONGEST_SIMPLE_KEY {
            let _ = write!(out, "{pad}? {key}\n{pad}: ");
        } else {
            let _ = write!(out, "{pad}{key}: ");
        }
        value_after_key(out, value, indent);
    }
}

fn block_sequence(out: &mut String, items: &[Node], indent: usize) {
    for item in items {
        let _ = write!(out, "{}- ", " ".repeat(indent));
        value_after_key(out, item, indent);
    }
}

/// Writes a scalar, an empty collection or a list in brackets, wrapping between elements.
fn flow(out: &mut String, node: &Node, indent: usize, column: &mut usize) {
    let start = out.len();
    out.push_str(&tag_text(node));
    match &node.value {
        Value::Sequence(items) => {
            out.push('[');
            *column += out.len() - start;
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                    *column += 2;
                    if *column > WIDTH {
                        let _ = write!(out, "\n{}", " ".repeat(indent));
                        *column = indent;
                    } else {
                        out.push(' ');
                    }
                }
                flow(out, item, indent, column);
            }
            out.push(']');
            *column += 1;
            return;
        }
        Value::Mapping(_) => out.push_str("{}"),
        Value::Null | Value::Array(_) => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(i) => out.push_str(&i.to_string()),
        Value::Float(x) => out.push_str(&format_float(*x)),
        Value::Timestamp(t) => out.push_str(t),
        Value::String(s) => out.push_str(&string(s)),
    }
    *column += out.len() - start;
}

/// The tag and a space, or nothing.
fn tag_text(node: &Node) -> String {
    let Some(tag) = &node.tag else {
        return String::new();
    };
    let mut escaped = String::new();
    for byte in tag.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => escaped.push(byte.into()),
            b'-' | b'_' | b'.' | b':' | b'/' | b'+' | b'#' | b'?' | b'@' | b'=' | b'~' => {
                escaped.push(byte.into());
            }
            _ => {
                let _ = write!(escaped, "%{byte:02X}");
            }
        }
    }
    match escaped.strip_prefix(TAG_PREFIX) {
        Some(suffix) if !suffix.is_empty() => format!("!{suffix} "),
        _ => format!("!<{escaped}> "),
    }
}

/// A string as a scalar that reads back as this string.
fn string(text: &str) -> String {
    if is_safe_plain(text) {
        return text.into();
    }
    if text.chars().all(is_printable) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\0' => out.push_str("\\0"),
            _ if is_printable(c) => out.push(c),
            _ => {
                let code = u32::from(c);
                let _ = match code {
                    0..=0xff => write!(out, "\\x{code:02X}"),
                    0x100..=0xffff => write!(out, "\\u{code:04X}"),
                    _ => write!(out, "\\U{code:08X}"),
                };
            }
        }
    }
    out.push('"');
    out
}

/// Whether a character may stand unescaped, on one line.
fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a1}'..='\u{1fff}' | '\u{2030}'..='\u{205e}' | '\u{2070}'..='\u{d7ff}' | '\u{e000}'..='\u{fdff}' | '\u{fe10}'..='\u{feef}' | '\u{ff00}'..='\u{ffef}' | '\u{10000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_where_yaml_would_mistake_them() {
        for (text, written) in [
            ("MIRI", "MIRI"),
            ("Solar System", "Solar System"),
            ("N/A", "N/A"),
            ("001", "'001'"),
            ("1e5", "'1e5'"),
            ("yes", "'yes'"),
            ("y", "'y'"),
            ("12:30:00", "'12:30:00'"),
            ("~", "'~'"),
            ("", "''"),
            ("2024-01-31", "'2024-01-31'"),
            ("fits:SCI,1", "'fits:SCI,1'"),
            ("it's", "'it''s'"),
            ("a\nb", "\"a\\nb\""),
            (" a", "' a'"),
            ("a ", "'a '"),
            ("\u{3bc}m", "'\u{3bc}m'"),
            ("\u{85}\u{2028}\u{feff}", "\"\\x85\\u2028\\uFEFF\""),
            ("null", "'null'"),
        ] {
            assert_eq!(string(text), written);
        }
    }

    #[test]
    fn tags_are_shortened_or_verbatim() {
        let text = |tag: &str| tag_text(&Node::mapping().with_tag(tag));
        assert_eq!(
            text("tag:stsci.edu:asdf/unit/unit-1.0.0"),
            "!unit/unit-1.0.0 "
        );
        assert_eq!(
            text("tag:stsci.edu:gwcs/wcs-1.4.0"),
            "!<tag:stsci.edu:gwcs/wcs-1.4.0> "
        );
        assert_eq!(text("!odd>tag"), "!<%21odd%3Etag> ");
    }
}
