//! Double-precision array files (DAF): the container of binary SPICE kernels.
//!
//! A file is a sequence of 1024-byte records: the file record, comments, then linked summary
//! records (each followed by one with the names) that describe arrays of doubles. Both byte orders are
//! read, also from files written before toolkit N0050, which do not say theirs. Every number a
//! file gives is checked before it is used: no bytes lead to a panic.

use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::{Error, Result};

const RECORD: usize = 1024;
/// What FTP in text mode would have changed; in the file record of files since toolkit N0052.
const TRANSFER_CHECK: &[u8] = b"FTPSTR:\r:\n:\r\n:\r\0:\x81:\x10\xce:ENDFTP";

/// Where the bytes are.
#[derive(Debug)]
enum Bytes {
    Mapped(Mmap),
    Static(&'static [u8]),
    Owned(Vec<u8>),
}

impl std::ops::Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(m) => m,
            Self::Static(s) => s,
            Self::Owned(v) => v,
        }
    }
}

/// What the arrays of a DAF hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Ephemerides.
    Spk,
    /// Orientation of bodies.
    Pck,
    /// Orientation of spacecraft and instruments.
    Ck,
}

/// The description of one array.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Segment name.
    pub name: String,
    /// ND doubles.
    pub doubles: Vec<f64>,
    /// NI integers without the last two, the addresses.
    pub integers: Vec<i32>,
    /// Address of the first double, counted from 0.
    first: usize,
    /// Number of doubles.
    len: usize,
}

/// An open DAF.
#[derive(Debug)]
pub struct Daf {
    path: PathBuf,
    bytes: Bytes,
    big_endian: bool,
    content: Content,
    /// First summary record, counted from 1: comments end before it.
    first_summary: usize,
    summaries: Vec<Summary>,
}

impl Daf {
    /// Opens a file; its arrays are mapped, not read.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] where the file is no DAF, is damaged or ends early.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        // SAFETY: kernels are read-only data that nothing rewrites in place while sifu runs
        let map = unsafe { Mmap::map(&file) }.map_err(|e| Error::io(path, e))?;
        Self::read(path, Bytes::Mapped(map))
    }

    /// Reads a DAF that is part of the program; `name` stands for its path in messages.
    ///
    /// # Errors
    /// [`Error::Format`].
    pub fn from_static(name: &str, bytes: &'static [u8]) -> Result<Self> {
        Self::read(Path::new(name), Bytes::Static(bytes))
    }

    /// Reads a DAF from memory; `name` stands for its path in messages.
    ///
    /// # Errors
    /// [`Error::Format`].
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Self> {
        Self::read(Path::new(name), Bytes::Owned(bytes))
    }

    /// Whether a file begins as a binary kernel does (also one that [`Daf::open`] refuses).
    #[must_use]
    pub fn looks_binary(start: &[u8]) -> bool {
        [&b"DAF/"[..], b"NAIF/DAF", b"NAIF/DAS", b"DAS/"]
            .iter()
            .any(|word| start.starts_with(word))
    }

    fn read(path: &Path, bytes: Bytes) -> Result<Self> {
        let fault = |what: String| Error::format(path, what);
        if bytes.len() < RECORD {
            return Err(fault(format!(
                "has {} bytes, less than the first record of a binary kernel; fetch it again",
                bytes.len()
            )));
        }
        let word = String::from_utf8_lossy(&bytes[..8]).into_owned();
        if word.starts_with("NAIF/DAS") || word.starts_with("DAS/") {
            return Err(fault(
                "is a DAS file (shape or event kernel), which is not used here; leave it out"
                    .into(),
            ));
        }
        if word != "NAIF/DAF" && !word.starts_with("DAF/") {
            return Err(fault(format!(
                "is no binary kernel (it begins with {word:?}); expected DAF/SPK or DAF/PCK"
            )));
        }
        let whole = bytes
            .windows(TRANSFER_CHECK.len())
            .take(RECORD - TRANSFER_CHECK.len() + 1)
            .any(|w| w == TRANSFER_CHECK);
        let marked = |mark: &[u8]| bytes[500..RECORD].windows(mark.len()).any(|w| w == mark);
        if !whole && (marked(b"FTPSTR") || marked(b"ENDFTP")) {
            return Err(fault(
                "was changed on its way (line ends replaced, as by FTP in text mode); fetch it \
                 again in binary mode"
                    .into(),
            ));
        }
        let integer = |at: usize, big: bool| integer_at(&bytes, at, big).unwrap_or(0);
        let plausible =
            |big| (0..=124).contains(&integer(8, big)) && (2..=250).contains(&integer(12, big));
        let big_endian = match &bytes[88..96] {
            b"BIG-IEEE" => true,
            b"LTL-IEEE" => false,
            format if format.starts_with(b"VAX") => {
                return Err(fault(
                    "holds VAX floating-point numbers; convert it with NAIF's toxfr and tobin"
                        .into(),
                ));
            }
            // before N0050: whichever order makes sense of the two counts
            _ if plausible(false) => false,
            _ => true,
        };
        let (nd, ni) = (integer(8, big_endian), integer(12, big_endian));
        let size = nd + (ni + 1) / 2;
        if !plausible(big_endian) || size > 125 {
            return Err(fault(format!(
                "gives impossible sizes of its summaries (ND {nd}, NI {ni}); it is damaged, fetch \
                 it again"
            )));
        }
        let (nd, ni, size) = (nd as usize, ni as usize, size as usize);
        let first_summary = usize::try_from(integer(76, big_endian)).unwrap_or(0);
        let mut daf = Self {
            path: path.into(),
            bytes,
            big_endian,
            content: Content::Spk,
            first_summary,
            summaries: Vec::new(),
        };
        daf.read_summaries(nd, ni, size)?;
        daf.content = daf.what(&word, nd, ni)?;
        Ok(daf)
    }

    fn what(&self, word: &str, nd: usize, ni: usize) -> Result<Content> {
        let content = match (word.trim_end(), nd, ni) {
            ("DAF/SPK", 2, 6) => Content::Spk,
            ("DAF/PCK", 2, 5) | ("NAIF/DAF", 2, 5) => Content::Pck,
            ("DAF/CK", 2, 6) => Content::Ck,
            // before N0050 both are just DAFs: the fourth integer of an SPK is its type, that of a CK
            // says whether it has rates
            ("NAIF/DAF", 2, 6) => {
                let ck = |s: &Summary| s.integers[3] == 0 || s.integers[2] < 1;
                match self.summaries.first() {
                    Some(s) if ck(s) => Content::Ck,
                    _ => Content::Spk,
                }
            }
            _ => {
                return Err(self.fault(format!(
                    "is a DAF of a kind that is not used here ({}, ND {nd}, NI {ni}); leave it out",
                    word.trim_end()
                )));
            }
        };
        Ok(content)
    }

    fn read_summaries(&mut self, nd: usize, ni: usize, size: usize) -> Result<()> {
        let words = self.bytes.len() / 8;
        let mut record = self.first_summary;
        let mut seen = 0;
        if record < 2 {
            return Err(self.fault(format!(
                "gives {record} as its first summary record; it is damaged, fetch it again"
            )));
        }
        while record != 0 {
            seen += 1;
            let start = (record - 1)
                .checked_mul(RECORD)
                .filter(|s| s + 2 * RECORD <= self.bytes.len().next_multiple_of(RECORD));
            let (Some(start), true) = (start, seen <= self.bytes.len() / RECORD) else {
                return Err(self.fault(format!(
                    "has {} bytes, but its directory goes on at record {record}; it is cut short or \
                     damaged, fetch it again",
                    self.bytes.len()
                )));
            };
            let control = |i: usize| self.double(start / 8 + i).unwrap_or(f64::NAN);
            let (next, count) = (control(0), control(2));
            let fits = count.fract() == 0.0 && count >= 0.0 && count <= (125 / size) as f64;
            if !fits || next.fract() != 0.0 || !(0.0..1e9).contains(&next) {
                return Err(self.fault(format!(
                    "has a damaged directory (record {record}: {count} entries, next {next}); fetch \
                     it again"
                )));
            }
            for k in 0..count as usize {
                let at = start + 24 + k * size * 8;
                let doubles: Option<Vec<f64>> = (0..nd).map(|i| self.double(at / 8 + i)).collect();
                let integers: Option<Vec<i32>> = (0..ni)
                    .map(|i| integer_at(&self.bytes, at + nd * 8 + i * 4, self.big_endian))
                    .collect();
                let name = at - start - 24 + start + RECORD;
                let name = self.bytes.get(name..name + size * 8).unwrap_or(b"");
                let name: String = String::from_utf8_lossy(name)
                    .chars()
                    .filter(|c| !c.is_control())
                    .collect();
                let name = name.trim().to_string();
                let (Some(doubles), Some(mut integers)) = (doubles, integers) else {
                    return Err(self.fault("is cut short in its directory; fetch it again"));
                };
                let (last, first) = (integers.pop(), integers.pop());
                let (Some(first), Some(last)) = (
                    first.and_then(|f| usize::try_from(f).ok()),
                    last.and_then(|l| usize::try_from(l).ok()),
                ) else {
                    return Err(self.fault(format!("has negative addresses in segment {name:?}")));
                };
                if first < 1 || last < first {
                    return Err(self.fault(format!(
                        "has impossible addresses ({first} to {last}) in segment {name:?}; it is \
                         damaged, fetch it again"
                    )));
                }
                if last > words {
                    return Err(self.fault(format!(
                        "is cut short: it has {} bytes, and segment {name:?} goes to byte {}; fetch \
                         it again",
                        self.bytes.len(),
                        last * 8
                    )));
                }
                self.summaries.push(Summary {
                    name,
                    doubles,
                    integers,
                    first: first - 1,
                    len: last - first + 1,
                });
            }
            record = next as usize;
        }
        Ok(())
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it holds.
    #[must_use]
    pub fn content(&self) -> Content {
        self.content
    }

    /// Descriptions of its arrays, in file order.
    #[must_use]
    pub fn summaries(&self) -> &[Summary] {
        &self.summaries
    }

    /// An array.
    #[must_use]
    pub fn array(&self, summary: &Summary) -> Array<'_> {
        Array {
            daf: self,
            first: summary.first,
            len: summary.len,
        }
    }

    /// The comment area, one line a line.
    #[must_use]
    pub fn comments(&self) -> String {
        let mut out = Vec::new();
        for record in 1..self.first_summary.saturating_sub(1) {
            let start = record * RECORD;
            let Some(text) = self.bytes.get(start..start + 1000) else {
                break;
            };
            let end = text.iter().position(|&b| b == 4);
            out.extend_from_slice(&text[..end.unwrap_or(text.len())]);
            if end.is_some() {
                break;
            }
        }
        let text = String::from_utf8_lossy(&out).replace('\0', "\n");
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        lines.join("\n").trim_end().to_string()
    }

    fn double(&self, word: usize) -> Option<f64> {
        let at = word.checked_mul(8)?;
        let b: [u8; 8] = self.bytes.get(at..at + 8)?.try_into().ok()?;
        Some(if self.big_endian {
            f64::from_be_bytes(b)
        } else {
            f64::from_le_bytes(b)
        })
    }

    fn fault(&self, what: impl Into<String>) -> Error {
        Error::format(&self.path, what)
    }
}

fn integer_at(bytes: &[u8], at: usize, big: bool) -> Option<i32> {
    let b: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(if big {
        i32::from_be_bytes(b)
    } else {
        i32::from_le_bytes(b)
    })
}

/// The doubles of one array, by index from its beginning.
#[derive(Clone, Copy, Debug)]
pub struct Array<'a> {
    daf: &'a Daf,
    first: usize,
    len: usize,
}

impl Array<'_> {
    /// Number of doubles.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none (no array of a file that opened).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The double at `i`.
    ///
    /// # Errors
    /// [`Error::Format`] outside the array, and for a NaN or an infinity.
    pub fn get(&self, i: usize) -> Result<f64> {
        let value = (i < self.len)
            .then(|| self.daf.double(self.first + i))
            .flatten();
        match value {
            Some(v) if v.is_finite() => Ok(v),
            Some(v) => Err(self.fault(format!("double {i} is {v}"))),
            None => Err(self.fault(format!("double {i} is asked for, it has {}", self.len))),
        }
    }

    /// The double at `i` counted from the end, 0 the last.
    ///
    /// # Errors
    /// As [`Array::get`].
    pub fn get_back(&self, i: usize) -> Result<f64> {
        self.get(self.len.wrapping_sub(1).wrapping_sub(i))
    }

    /// `n` doubles from `i` on.
    ///
    /// # Errors
    /// As [`Array::get`].
    pub fn range(&self, i: usize, n: usize) -> Result<Vec<f64>> {
        match i.checked_add(n) {
            Some(end) if end <= self.len => (i..end).map(|k| self.get(k)).collect(),
            _ => Err(self.fault(format!(
                "{n} doubles from {i} on are asked for, it has {}",
                self.len
            ))),
        }
    }

    /// The double at `i` from the end, which counts something: a whole number from `low` to the size
    /// of the array.
    ///
    /// # Errors
    /// As [`Array::get`], and where it is no such number.
    pub fn count_back(&self, i: usize, low: usize) -> Result<usize> {
        let value = self.get_back(i)?;
        if value.fract() == 0.0 && value >= low as f64 && value <= self.len as f64 {
            return Ok(value as usize);
        }
        Err(self.fault(format!(
            "the count at {} is {value}",
            self.len.wrapping_sub(1).wrapping_sub(i)
        )))
    }

    /// How many of the `n` ascending doubles from `i` on are below `x`.
    ///
    /// # Errors
    /// As [`Array::get`].
    pub fn count_below(&self, i: usize, n: usize, x: f64) -> Result<usize> {
        let (mut low, mut high) = (0, n);
        while low < high {
            let mid = low + (high - low) / 2;
            if self.get(i + mid)? < x {
                low = mid + 1;
            } else {
                high = mid;
            }
        }
        Ok(low)
    }

    /// An error about this array.
    #[must_use]
    pub fn fault(&self, what: impl std::fmt::Display) -> Error {
        let summary = self
            .daf
            .summaries
            .iter()
            .find(|s| s.first == self.first && s.len == self.len);
        let name = summary.map_or("", |s| s.name.as_str());
        self.daf.fault(format!(
            "contradicts itself in segment {name:?}: {what}; it is damaged, fetch it again"
        ))
    }
}
