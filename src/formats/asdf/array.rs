//! Arrays of a tree: what they are, where their data is, and reading them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::block::{Blocks, Digest, digest};
use super::datatype::{ByteOrder, Datatype, Element, Field, shape_from_node};
use super::elements::{self, Layout, count, decode, decode_inline, decode_text, flatten};
use super::node::{Node, Value};
use crate::error::{Error, Result};

/// Prefix of a source that is an HDU of the FITS file around the tree.
const FITS_PREFIX: &str = "fits:";

/// An array of a tree (`core/ndarray`). Cheap to clone: the data are shared.
#[derive(Debug, Clone, PartialEq)]
pub struct NdArray {
    pub(super) source: Source,
    pub(super) datatype: Datatype,
    pub(super) byteorder: ByteOrder,
    pub(super) shape: Vec<usize>,
    pub(super) offset: usize,
    pub(super) strides: Option<Vec<i64>>,
    pub(super) mask: Option<Box<Node>>,
}

/// Where the elements of an array are.
#[derive(Debug, Clone)]
pub enum Source {
    /// A binary block of the file the tree came from.
    Block(BlockData),
    /// An HDU of the FITS file around the tree: `SCI,1`.
    Fits(String),
    /// Another file, by the name this one gives it.
    External(String),
    /// Lists in the tree, from the file at the path.
    Inline(Arc<Node>, PathBuf),
    /// Bytes in memory, to be stored as told when the tree is written.
    Memory(Arc<Bytes>, Storage),
}

/// Bytes in memory with their MD5, once somebody has asked for it.
#[derive(Debug)]
pub struct Bytes {
    bytes: Vec<u8>,
    digest: OnceLock<Digest>,
}

impl Bytes {
    /// The bytes.
    pub(super) fn get(&self) -> &[u8] {
        &self.bytes
    }

    /// Their MD5.
    pub(super) fn digest(&self) -> Digest {
        *self.digest.get_or_init(|| digest(&self.bytes))
    }
}

/// One block of a file that was read.
#[derive(Debug, Clone)]
pub struct BlockData {
    blocks: Arc<Blocks>,
    index: usize,
}

/// How an array in memory is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// As a binary block after the tree.
    Internal,
    /// As lists in the tree.
    Inline,
}

impl BlockData {
    /// Number of the block in its file.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The decoded bytes.
    pub(super) fn bytes(&self) -> Result<&[u8]> {
        self.blocks
            .data(self.index)
            .map_err(|e| Error::format(self.blocks.path(), e))
    }

    /// The MD5 of the decoded bytes.
    pub(super) fn digest(&self) -> Result<Digest> {
        let bytes = self.bytes()?;
        let known = self.blocks.digest(self.index);
        Ok(known.unwrap_or_else(|| digest(bytes)))
    }

    /// Whether both say that they have the same bytes, by their length and MD5.
    fn claims_to_be(&self, other: &Self) -> bool {
        let claim = |b: &Self| Some((b.blocks.digest(b.index)?, b.blocks.claimed_size(b.index)?));
        claim(self).is_some_and(|own| claim(other) == Some(own))
    }

    /// Whether this is the same block of the same file.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.index == other.index && Arc::ptr_eq(&self.blocks, &other.blocks)
    }
}

impl PartialEq for Source {
    /// Blocks are equal if their data are, or have the same length and MD5 by what both files say.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Block(a), Self::Block(b)) => {
                a.is(b)
                    || a.claims_to_be(b)
                    || matches!((a.bytes(), b.bytes()), (Ok(a), Ok(b)) if a == b)
            }
            (Self::Fits(a), Self::Fits(b)) | (Self::External(a), Self::External(b)) => a == b,
            (Self::Inline(a, _), Self::Inline(b, _)) => a == b,
            (Self::Memory(a, how), Self::Memory(b, other_how)) => {
                (Arc::ptr_eq(a, b) || a.get() == b.get()) && how == other_how
            }
            _ => false,
        }
    }
}

impl NdArray {
    /// An array in memory, in C order (the last axis fastest).
    ///
    /// # Errors
    /// [`Error::Parameter`] if the shape does not hold as many elements.
    pub fn new<T: Element>(shape: &[usize], data: &[T], storage: Storage) -> Result<Self> {
        if count(shape) != Some(data.len()) {
            let message = format!("{} elements do not fill the shape {shape:?}", data.len());
            return Err(Error::parameter(message));
        }
        let mut bytes = Vec::with_capacity(std::mem::size_of_val(data));
        data.iter().for_each(|x| x.push_bytes(&mut bytes));
        let digest = OnceLock::new();
        let source = Source::Memory(Arc::new(Bytes { bytes, digest }), storage);
        Ok(Self::plain(
            source,
            T::DATATYPE,
            ByteOrder::Little,
            shape.to_vec(),
        ))
    }

    /// A table of `n` rows in memory: fields one after the other without padding, each in its own order of bytes. Rows
    /// that are not whole are left out.
    pub fn records(fields: Vec<Field>, n: usize, bytes: Vec<u8>) -> Self {
        let datatype = Datatype::Structured(fields);
        let size = datatype.size().unwrap_or(usize::MAX).max(1);
        let n = n.min(bytes.len() / size);
        let digest = OnceLock::new();
        let source = Source::Memory(Arc::new(Bytes { bytes, digest }), Storage::Internal);
        Self::plain(source, datatype, ByteOrder::Little, vec![n])
    }

    /// A reference to the data of an HDU of the FITS file the tree will be embedded in.
    /// The shape is in numpy's order (the reverse of NAXISn).
    pub fn in_fits(extname: &str, extver: u32, datatype: Datatype, shape: &[usize]) -> Self {
        let source = Source::Fits(format!("{extname},{extver}"));
        Self::plain(source, datatype, ByteOrder::Big, shape.to_vec())
    }

    fn plain(source: Source, datatype: Datatype, byteorder: ByteOrder, shape: Vec<usize>) -> Self {
        Self {
            source,
            datatype,
            byteorder,
            shape,
            offset: 0,
            strides: None,
            mask: None,
        }
    }

    /// Reads the description of an array in a tree.
    pub(super) fn from_node(node: Node, blocks: &Arc<Blocks>) -> Result<Self, String> {
        let map = match node.value {
            Value::Sequence(_) => {
                let list = Node {
                    tag: None,
                    value: node.value,
                };
                return Self::inline(list, None, None, blocks.path());
            }
            Value::Mapping(map) => map,
            _ => return Err(format!("an array is {}", node.kind())),
        };
        let field = |name: &str| map.get(name).filter(|n| !n.is_null());
        let byteorder = field("byteorder").map(ByteOrder::from_node).transpose()?;
        let order = byteorder.unwrap_or(ByteOrder::Little);
        let datatype = field("datatype")
            .map(|n| Datatype::from_node(n, order))
            .transpose()?;
        let mut array = match (field("source"), field("data")) {
            (Some(_), Some(_)) => return Err("an array has both source and data".into()),
            (None, None) => return Err("an array has neither source nor data".into()),
            (None, Some(list)) => {
                let shape = field("shape").map(shape_from_node).transpose()?;
                Self::inline(list.clone(), datatype, shape, blocks.path())?
            }
            (Some(source), None) => {
                let source = Source::from_node(source, blocks)?;
                let datatype = datatype.ok_or("an array has no datatype")?;
                byteorder.ok_or("an array has no byteorder")?;
                Self::plain(source, datatype, order, Vec::new())
            }
        };
        if let Some(offset) = field("offset") {
            let offset = offset.as_i64().and_then(|n| usize::try_from(n).ok());
            array.offset = offset.ok_or("the offset of an array is not a positive integer")?;
        }
        if let Some(strides) = field("strides") {
            let items = strides
                .as_sequence()
                .ok_or("the strides of an array are not a list")?;
            let strides = items.iter().map(Node::as_i64).collect::<Option<_>>();
            array.strides = Some(strides.ok_or("the strides of an array are not integers")?);
        }
        array.mask = field("mask").cloned().map(Box::new);
        if !matches!(array.source, Source::Inline(..)) {
            array.shape = array.open_shape(field("shape").ok_or("an array has no shape")?)?;
        }
        Ok(array)
    }

    fn inline(
        list: Node,
        datatype: Option<Datatype>,
        shape: Option<Vec<usize>>,
        path: &Path,
    ) -> Result<Self, String> {
        if let Some(datatype @ Datatype::Structured(_)) = datatype {
            // Rows are lists themselves; such arrays are kept and not decoded.
            let shape = shape.unwrap_or_default();
            let source = Source::Inline(Arc::new(list), path.into());
            return Ok(Self::plain(source, datatype, ByteOrder::Little, shape));
        }
        let (found, leaves) = flatten(&list)?;
        let datatype = match datatype {
            Some(datatype) => datatype,
            None => elements::infer(&leaves)?,
        };
        let shape = match shape {
            // Lists cannot show the lengths behind an empty axis.
            Some(shape) if leaves.is_empty() && count(&shape) == Some(0) => shape,
            Some(shape) if shape != found => {
                return Err(format!(
                    "an inline array of shape {shape:?} has {found:?} elements"
                ));
            }
            _ => found,
        };
        let source = Source::Inline(Arc::new(list), path.into());
        Ok(Self::plain(source, datatype, ByteOrder::Little, shape))
    }

    /// The shape, whose first axis may be `*`: as long as the block allows.
    fn open_shape(&self, shape: &Node) -> Result<Vec<usize>, String> {
        let items = shape
            .as_sequence()
            .ok_or("the shape of an array is not a list")?;
        match items {
            [first, rest @ ..] if first.as_str() == Some("*") => {
                let rest = shape_from_node(&rest.to_vec().into())?;
                let Source::Block(block) = &self.source else {
                    return Err("an array of open length is not in a block".into());
                };
                let row = match self.strides.as_deref() {
                    Some([stride, ..]) => u64::try_from(*stride).ok(),
                    _ => count(&rest)
                        .and_then(|n| n.checked_mul(self.datatype.size()?))
                        .map(|n| n as u64),
                };
                let size = block.blocks.claimed_size(block.index).unwrap_or(0);
                let rows = row
                    .and_then(|row| size.checked_div(row))
                    .and_then(|n| usize::try_from(n).ok());
                let rows = rows.ok_or("an array of open length has rows of no size")?;
                Ok([vec![rows], rest].concat())
            }
            _ => shape_from_node(shape),
        }
    }

    /// Where the elements are.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Type of the elements.
    pub fn datatype(&self) -> &Datatype {
        &self.datatype
    }

    /// Order of the bytes of one element, where they are binary.
    pub fn byteorder(&self) -> ByteOrder {
        self.byteorder
    }

    /// Lengths of the axes, the last one fastest.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements in C order.
    ///
    /// # Errors
    /// [`Error::Format`] if the file does not hold them as described; [`Error::Input`] if they are
    /// in another file, are masked, or do not fit the type asked for.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        self.refuse_mask()?;
        if let Source::Inline(list, path) = &self.source {
            let decoded = flatten(list).and_then(|(_, leaves)| {
                leaves
                    .into_iter()
                    .map(|leaf| decode_inline(&self.datatype, leaf))
                    .collect()
            });
            return decoded.map_err(|e| Error::format(path, e));
        }
        let elements = self.raw_elements()?;
        decode(&self.datatype, self.byteorder, elements).map_err(|e| self.fault(e))
    }

    /// The texts of an array of text, in C order.
    ///
    /// # Errors
    /// As [`Self::to_vec`].
    pub fn to_strings(&self) -> Result<Vec<String>> {
        self.refuse_mask()?;
        if let Source::Inline(list, path) = &self.source {
            let text = |leaf: &Node| leaf.as_str().map(String::from);
            return flatten(list)
                .and_then(|(_, leaves)| {
                    let texts: Option<Vec<_>> = leaves.into_iter().map(text).collect();
                    texts.ok_or_else(|| "the elements of the array are not text".into())
                })
                .map_err(|e| Error::format(path, e));
        }
        let texts = self
            .raw_elements()?
            .map(|e| decode_text(&self.datatype, self.byteorder, e));
        texts.collect::<Result<_, _>>().map_err(|e| self.fault(e))
    }

    /// One field of an array of rows, as an array of its own: the axes of the rows, then those of
    /// the field. `None` if there is no such field or the rows are not binary.
    pub fn field(&self, name: &str) -> Option<NdArray> {
        let Datatype::Structured(fields) = &self.datatype else {
            return None;
        };
        if !matches!(self.source, Source::Block(_) | Source::Memory(..)) {
            return None;
        }
        let at = fields.iter().position(|f| f.name == name)?;
        let before = fields[..at]
            .iter()
            .try_fold(0_usize, |n, f| n.checked_add(f.size()?))?;
        let field = &fields[at];
        let c_order = |shape: &[usize], size: usize| {
            let mut strides = vec![0_i64; shape.len()];
            let mut stride = size;
            for (s, n) in strides.iter_mut().zip(shape).rev() {
                *s = i64::try_from(stride).ok()?;
                stride = stride.checked_mul(*n)?;
            }
            Some(strides)
        };
        let mut strides = match &self.strides {
            Some(strides) => strides.clone(),
            None => c_order(&self.shape, self.datatype.size()?)?,
        };
        strides.extend(c_order(&field.shape, field.datatype.size()?)?);
        Some(NdArray {
            source: self.source.clone(),
            datatype: field.datatype.clone(),
            byteorder: field.byteorder,
            shape: [self.shape.as_slice(), &field.shape].concat(),
            offset: self.offset.checked_add(before)?,
            strides: Some(strides),
            mask: self.mask.clone(),
        })
    }

    /// One member of the first axis, as an array of its own that shares the elements. `None` if there is no such member
    /// or the elements are not binary.
    pub fn member(&self, i: usize) -> Option<NdArray> {
        if !matches!(self.source, Source::Block(_) | Source::Memory(..)) {
            return None;
        }
        let (n, rest) = self.shape.split_first()?;
        if i >= *n {
            return None;
        }
        let stride = match &self.strides {
            Some(strides) => *strides.first()?,
            None => i64::try_from(count(rest)?.checked_mul(self.datatype.size()?)?).ok()?,
        };
        let start = i64::try_from(i).ok()?.checked_mul(stride)?;
        let offset = i64::try_from(self.offset).ok()?.checked_add(start)?;
        Some(NdArray {
            shape: rest.to_vec(),
            offset: usize::try_from(offset).ok()?,
            strides: self.strides.as_ref().map(|s| s[1..].to_vec()),
            ..self.clone()
        })
    }

    /// The elements in C order as their bytes.
    pub(super) fn raw_elements(&self) -> Result<impl ExactSizeIterator<Item = &[u8]>> {
        let data = match &self.source {
            Source::Block(block) => block.bytes()?,
            Source::Memory(bytes, _) => bytes.get(),
            Source::Fits(hdu) => {
                let message =
                    format!("the array is in the FITS extension {hdu}, not in the ASDF tree");
                return Err(Error::input(message));
            }
            Source::External(name) => {
                let message = format!(
                    "the array is in another file ({name}), which is not supported: \
                     rewrite the ASDF file with its arrays inside (asdf: all_array_storage='internal')"
                );
                return Err(Error::input(message));
            }
            Source::Inline(_, path) => {
                return Err(Error::format(
                    path,
                    "the inline array has no binary elements",
                ));
            }
        };
        let size = self
            .datatype
            .size()
            .ok_or_else(|| self.fault("the elements are too large"))?;
        let strides = self.strides.as_deref();
        let layout = Layout {
            shape: &self.shape,
            offset: self.offset,
            strides,
            size,
        };
        layout.elements(data).map_err(|e| self.fault(e))
    }

    fn refuse_mask(&self) -> Result<()> {
        match self.mask {
            Some(_) => Err(Error::input("the array is masked, which is not supported")),
            None => Ok(()),
        }
    }

    fn fault(&self, message: impl Into<String>) -> Error {
        match &self.source {
            Source::Block(block) => Error::format(block.blocks.path(), message),
            Source::Inline(_, path) => Error::format(path, message),
            _ => Error::input(message),
        }
    }
}

impl Source {
    fn from_node(node: &Node, blocks: &Arc<Blocks>) -> Result<Self, String> {
        if let Some(name) = node.as_str() {
            return Ok(match name.strip_prefix(FITS_PREFIX) {
                Some(hdu) => Self::Fits(hdu.into()),
                None => Self::External(name.into()),
            });
        }
        let Some(number) = node.as_i64() else {
            return Err(format!("the source of an array is {}", node.kind()));
        };
        // Negative numbers count from the last block.
        let index = if number < 0 {
            number + blocks.len() as i64
        } else {
            number
        };
        match usize::try_from(index) {
            Ok(index) if index < blocks.len() => Ok(Self::Block(BlockData {
                blocks: blocks.clone(),
                index,
            })),
            _ => Err(format!(
                "an array is in block {number} and there are {}",
                blocks.len()
            )),
        }
    }
}
