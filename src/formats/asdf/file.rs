//! Whole ASDF files: header lines, tree, blocks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::array::NdArray;
use super::block::{self, Blocks};
use super::emit;
use super::node::{Mapping, Node, Value};
use super::yaml;
use crate::error::{Error, Result};

const MAGIC: &[u8] = b"#ASDF 1.";
const NDARRAY_TAG: &str = "tag:stsci.edu:asdf/core/ndarray-";
/// Comment lines between the first line and the tree are looked for in so many bytes.
const LONGEST_COMMENT: usize = 64 << 10;

/// An ASDF file that was read: its tree, whose arrays share the file's blocks.
#[derive(Debug, Clone)]
pub struct AsdfFile {
    path: PathBuf,
    tree: Node,
}

impl AsdfFile {
    /// Reads a file. Array data stay as they are stored until they are asked for.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Format`] if it is not sound ASDF.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        Self::from_bytes(bytes, path)
    }

    /// Reads the bytes of a file, or of the `ASDF_METADATA` column of the ASDF extension of the
    /// FITS file at `path`; the path serves to name the file in errors.
    ///
    /// # Errors
    /// [`Error::Format`] if they are not sound ASDF.
    pub fn from_bytes(bytes: Vec<u8>, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let tree = parse(bytes, path).map_err(|e| Error::format(path, format!("ASDF: {e}")))?;
        Ok(Self {
            path: path.into(),
            tree,
        })
    }

    /// The tree.
    pub fn tree(&self) -> &Node {
        &self.tree
    }

    /// The tree, to keep.
    pub fn into_tree(self) -> Node {
        self.tree
    }

    /// The file it came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The node at a dotted path ([`Node::get`]) that has to be there.
    ///
    /// # Errors
    /// [`Error::Format`] naming the file and the path.
    pub fn require(&self, path: &str) -> Result<&Node> {
        self.tree
            .get(path)
            .ok_or_else(|| self.missing(path, "is missing"))
    }

    /// The string at a dotted path.
    ///
    /// # Errors
    /// [`Error::Format`] if it is missing or no string.
    pub fn require_str(&self, path: &str) -> Result<&str> {
        self.require(path)?
            .as_str()
            .ok_or_else(|| self.missing(path, "is not a string"))
    }

    /// The number at a dotted path.
    ///
    /// # Errors
    /// [`Error::Format`] if it is missing or no number.
    pub fn require_f64(&self, path: &str) -> Result<f64> {
        self.require(path)?
            .as_f64()
            .ok_or_else(|| self.missing(path, "is not a number"))
    }

    /// The array at a dotted path.
    ///
    /// # Errors
    /// [`Error::Format`] if it is missing or no array.
    pub fn require_array(&self, path: &str) -> Result<&NdArray> {
        self.require(path)?
            .as_array()
            .ok_or_else(|| self.missing(path, "is not an array"))
    }

    fn missing(&self, path: &str, what: &str) -> Error {
        Error::format(&self.path, format!("ASDF: '{path}' {what}"))
    }
}

fn parse(bytes: Vec<u8>, path: &Path) -> Result<Node, String> {
    if !bytes.starts_with(MAGIC) {
        return Err("the first line is not '#ASDF 1.x.y'".into());
    }
    let head = &bytes[..bytes.len().min(LONGEST_COMMENT)];
    let start = find(head, b"\n%YAML").map(|at| at + 1);
    let Some(start) = start else {
        // A file may have blocks and no tree; then there is nothing to name them by.
        return Err("there is no YAML tree".into());
    };
    if !bytes[..start]
        .split(|b| *b == b'\n')
        .all(|line| line.is_empty() || line.starts_with(b"#"))
    {
        return Err("there is something else than comments before the tree".into());
    }
    let end = end_of_tree(&bytes, start).ok_or("the tree does not end ('...'): truncated?")?;
    let text = std::str::from_utf8(&bytes[start..end])
        .map_err(|e| format!("the tree is not UTF-8 at byte {}", start + e.valid_up_to()))?;
    let tree = yaml::parse(text)?;
    if !matches!(tree.value, Value::Mapping(_)) {
        return Err(format!("the tree is {} instead of a mapping", tree.kind()));
    }
    let blocks = Arc::new(Blocks::find(path, bytes, end)?);
    link(tree, &blocks)
}

/// The byte after the line `...` that ends the tree.
fn end_of_tree(bytes: &[u8], start: usize) -> Option<usize> {
    let mut from = start;
    loop {
        let at = from + find(&bytes[from..], b"\n...")?;
        let rest = &bytes[at + 4..];
        if rest.is_empty() || rest.starts_with(b"\n") || rest.starts_with(b"\r\n") {
            return Some(at + 4);
        }
        from = at + 4;
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|w| w == what)
}

/// Turns the nodes tagged as arrays into arrays of these blocks.
fn link(node: Node, blocks: &Arc<Blocks>) -> Result<Node, String> {
    if node.tag().starts_with(NDARRAY_TAG) {
        let array = NdArray::from_node(node, blocks)?;
        return Ok(array.into());
    }
    let value = match node.value {
        Value::Sequence(items) => {
            let items = items.into_iter().map(|item| link(item, blocks));
            Value::Sequence(items.collect::<Result<_, _>>()?)
        }
        Value::Mapping(map) => {
            let entries = map
                .into_entries()
                .into_iter()
                .map(|(k, v)| Ok((k, link(v, blocks)?)));
            Value::Mapping(Mapping::from_unique(
                entries.collect::<Result<_, String>>()?,
            ))
        }
        other => other,
    };
    Ok(Node {
        tag: node.tag,
        value,
    })
}

/// The bytes of an ASDF file with this tree, which has to be a mapping.
///
/// `asdf_library` is set to name sifu. Arrays that came from blocks or are to be
/// [`Internal`](super::Storage::Internal) follow as blocks, uncompressed and with checksums.
///
/// # Errors
/// [`Error::Parameter`] if the tree is not a mapping, those of reading the arrays' data.
pub fn to_bytes(tree: &Node) -> Result<Vec<u8>> {
    let Value::Mapping(map) = &tree.value else {
        return Err(Error::parameter(format!(
            "an ASDF tree cannot be {}",
            tree.kind()
        )));
    };
    let mut root = Mapping::new();
    root.insert("asdf_library", library());
    for (key, value) in map.iter().filter(|(k, _)| **k != "asdf_library".into()) {
        root.insert(key.clone(), value.clone());
    }
    let root = Node::from(root).with_tag("tag:stsci.edu:asdf/core/asdf-1.1.0");
    let (text, blocks) = emit::document(&root)?;
    let mut file = b"#ASDF 1.0.0\n#ASDF_STANDARD 1.6.0\n".to_vec();
    file.extend(text.as_bytes());
    block::append(&mut file, &blocks);
    Ok(file)
}

/// Writes an ASDF file ([`to_bytes`]), whole or not at all.
///
/// # Errors
/// Those of [`to_bytes`], and [`Error::Io`].
pub fn write(path: impl AsRef<Path>, tree: &Node) -> Result<()> {
    crate::formats::write_whole(path.as_ref(), &to_bytes(tree)?)
}

/// What wrote the file.
fn library() -> Node {
    let mut software = Node::mapping().with_tag("tag:stsci.edu:asdf/core/software-1.0.0");
    software.set("name", env!("CARGO_PKG_NAME"));
    software.set("version", env!("CARGO_PKG_VERSION"));
    software
}
