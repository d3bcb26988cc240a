//! Binary blocks: finding them in a file, their data on demand, and writing them.

use md5::{Digest as _, Md5};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::compression::decompress;

const MAGIC: &[u8; 4] = b"\xd3BLK";
/// Bytes of the header fields we know; `header_size` may be more.
const HEADER_SIZE: usize = 48;
const FLAG_STREAMED: u32 = 1;

/// An MD5.
pub(super) type Digest = [u8; 16];

/// The data of a block that is to be written, and their MD5.
pub(super) type Content<'a> = (&'a [u8], Digest);

/// The MD5 of bytes.
pub(super) fn digest(bytes: &[u8]) -> Digest {
    Md5::digest(bytes).into()
}

/// The bytes of a file and the blocks in it.
#[derive(Debug)]
pub(super) struct Blocks {
    path: PathBuf,
    bytes: Vec<u8>,
    blocks: Vec<Block>,
}

#[derive(Debug)]
struct Block {
    /// Where the stored data begin, and how many bytes there are (within the file: checked).
    start: usize,
    used: usize,
    /// Claimed size of the decoded data.
    size: u64,
    compression: [u8; 4],
    checksum: [u8; 16],
    /// Decoded and verified once; `None` within: the stored bytes are the data.
    decoded: OnceLock<Result<Option<Vec<u8>>, String>>,
}

impl Blocks {
    /// Finds the blocks at and after `from`.
    pub(super) fn find(path: &Path, bytes: Vec<u8>, from: usize) -> Result<Self, String> {
        let mut blocks = Vec::new();
        let tail = bytes.get(from..).unwrap_or(&[]);
        let first = tail.windows(MAGIC.len()).position(|w| w == MAGIC);
        let mut next = first.map(|at| from + at);
        while let Some(at) = next {
            let block = Block::parse(&bytes, at + MAGIC.len())
                .map_err(|e| format!("block {}: {e}", blocks.len()))?;
            next = block
                .1
                .filter(|n| bytes.get(*n..).is_some_and(|b| b.starts_with(MAGIC)));
            blocks.push(block.0);
        }
        Ok(Self {
            path: path.into(),
            bytes,
            blocks,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Decoded size as the header claims it, for arrays of open length.
    pub(super) fn claimed_size(&self, index: usize) -> Option<u64> {
        self.blocks.get(index).map(|b| b.size)
    }

    /// The MD5 that a block says its decoded data have, where it says so.
    pub(super) fn digest(&self, index: usize) -> Option<Digest> {
        let block = self.blocks.get(index)?;
        let said = block.compression == [0; 4] && block.checksum != [0; 16];
        said.then_some(block.checksum)
    }

    /// The decoded data of a block, its checksum verified.
    pub(super) fn data(&self, index: usize) -> Result<&[u8], String> {
        let block = self
            .blocks
            .get(index)
            .ok_or_else(|| format!("no block {index}: the file has {}", self.blocks.len()))?;
        let stored = self
            .bytes
            .get(block.start..block.start + block.used)
            .unwrap_or(&[]);
        match block.decoded.get_or_init(|| block.decode(stored)) {
            Ok(Some(decoded)) => Ok(decoded),
            Ok(None) => Ok(stored),
            Err(e) => Err(format!("block {index} {e}")),
        }
    }
}

impl Block {
    /// Parses the header that follows the magic at `at`; also where the next block would be.
    fn parse(bytes: &[u8], at: usize) -> Result<(Self, Option<usize>), String> {
        let truncated = "the file ends within the block header";
        let (size, rest) = bytes
            .get(at..)
            .and_then(|b| b.split_first_chunk::<2>())
            .ok_or(truncated)?;
        let header_size = usize::from(u16::from_be_bytes(*size));
        if header_size < HEADER_SIZE {
            return Err(format!(
                "header size {header_size} is less than {HEADER_SIZE}"
            ));
        }
        let mut fields = Fields(rest.get(..header_size).ok_or(truncated)?);
        let flags = u32::from_be_bytes(fields.take().ok_or(truncated)?);
        let compression: [u8; 4] = fields.take().ok_or(truncated)?;
        let allocated = u64::from_be_bytes(fields.take().ok_or(truncated)?);
        let used = u64::from_be_bytes(fields.take().ok_or(truncated)?);
        let size = u64::from_be_bytes(fields.take().ok_or(truncated)?);
        let checksum: [u8; 16] = fields.take().ok_or(truncated)?;

        let start = at + 2 + header_size;
        let available = bytes.len() - start;
        if flags & FLAG_STREAMED != 0 {
            if compression != [0; 4] {
                return Err("a streamed block cannot be compressed".into());
            }
            let decoded = OnceLock::new();
            let (used, size) = (available, available as u64);
            return Ok((
                Self {
                    start,
                    used,
                    size,
                    compression,
                    checksum,
                    decoded,
                },
                None,
            ));
        }
        if allocated < used {
            return Err(format!("{used} bytes are used of {allocated} allocated"));
        }
        if compression == [0; 4] && size != used {
            return Err(format!(
                "{size} bytes of data are stored uncompressed in {used}"
            ));
        }
        let used = usize::try_from(used)
            .ok()
            .filter(|used| *used <= available)
            .ok_or_else(|| format!("{used} bytes are claimed and {available} left in the file"))?;
        let next = usize::try_from(allocated)
            .ok()
            .and_then(|n| start.checked_add(n));
        Ok((
            Self {
                start,
                used,
                size,
                compression,
                checksum,
                decoded: OnceLock::new(),
            },
            next,
        ))
    }

    fn decode(&self, stored: &[u8]) -> Result<Option<Vec<u8>>, String> {
        let decoded = if self.compression == [0; 4] {
            None
        } else {
            Some(decompress(self.compression, stored, self.size)?)
        };
        if self.checksum != [0; 16] {
            // The standard digests the stored bytes; Python's asdf before 3 digested the decoded ones.
            let agrees = |bytes: &[u8]| digest(bytes) == self.checksum;
            if !agrees(stored) && !decoded.as_deref().is_some_and(agrees) {
                return Err("does not match its checksum: the file is damaged".into());
            }
        }
        Ok(decoded)
    }
}

/// Takes fixed-size fields from the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }
}

/// Appends blocks (uncompressed, with checksum) and their index to a file that ends after its tree.
pub(super) fn append(file: &mut Vec<u8>, blocks: &[Content]) {
    if blocks.is_empty() {
        return;
    }
    let mut index = String::from("#ASDF BLOCK INDEX\n%YAML 1.1\n---\n");
    let most = |data: &[u8]| data.len() + HEADER_SIZE + 64;
    file.reserve(blocks.iter().map(|(data, _)| most(data)).sum());
    for (data, digest) in blocks {
        index.push_str(&format!("- {}\n", file.len()));
        let size = (data.len() as u64).to_be_bytes();
        file.extend(MAGIC);
        file.extend((HEADER_SIZE as u16).to_be_bytes());
        file.extend([0; 8]);
        for _ in ["allocated", "used", "data"] {
            file.extend(size);
        }
        file.extend(digest);
        file.extend(*data);
    }
    index.push_str("...\n");
    file.extend(index.as_bytes());
}
