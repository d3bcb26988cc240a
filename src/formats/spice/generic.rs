//! Generic segments: arrays of packets with a reference value each, and a description at the end.
//!
//! Used by SPK type 10 and PCK type 3. The last of the 17 (at least 15) numbers of the description counts
//! them; the others say where constants, references and packets begin and how many there are.

use super::daf::Array;
use crate::Result;

/// Places of a description's numbers: constants, references, packets, sizes.
const CONSTANTS: (usize, usize) = (0, 1);
const REFERENCES: (usize, usize) = (5, 6);
const PACKETS: (usize, usize) = (10, 11);
const PACKET_SIZE: usize = 14;
const PACKET_OFFSET: usize = 15;

/// A generic segment with packets of one size.
#[derive(Debug)]
pub struct Generic<'a> {
    array: Array<'a>,
    constants: (usize, usize),
    references: usize,
    packets: usize,
    count: usize,
    size: usize,
    offset: usize,
}

impl<'a> Generic<'a> {
    /// Reads the description.
    ///
    /// # Errors
    /// [`crate::Error::Format`] where it contradicts itself.
    pub fn new(array: Array<'a>) -> Result<Self> {
        let meta = array.count_back(0, 15)?;
        let at = |i: usize| match i + 1 < meta {
            true => array.count_back(meta - 1 - i, 0),
            false => Ok(0),
        };
        let out = Self {
            array,
            constants: (at(CONSTANTS.0)?, at(CONSTANTS.1)?),
            references: at(REFERENCES.0)?,
            packets: at(PACKETS.0)?,
            count: at(PACKETS.1)?,
            size: at(PACKET_SIZE)?,
            offset: at(PACKET_OFFSET)?,
        };
        let references = at(REFERENCES.1)?;
        if out.count == 0 || references != out.count || out.size == 0 {
            return Err(array.fault(format!(
                "{} packets of {} doubles with {references} references",
                out.count, out.size
            )));
        }
        Ok(out)
    }

    /// The constants of the segment.
    ///
    /// # Errors
    /// As [`Array::range`].
    pub fn constants(&self) -> Result<Vec<f64>> {
        self.array.range(self.constants.0, self.constants.1)
    }

    /// Number of packets, at least 1.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many references are below `x`.
    ///
    /// # Errors
    /// As [`Array::get`].
    pub fn count_below(&self, x: f64) -> Result<usize> {
        self.array.count_below(self.references, self.count, x)
    }

    /// Reference value of a packet.
    ///
    /// # Errors
    /// As [`Array::get`].
    pub fn reference(&self, i: usize) -> Result<f64> {
        self.array.get(self.references.saturating_add(i))
    }

    /// A packet.
    ///
    /// # Errors
    /// As [`Array::range`].
    pub fn packet(&self, i: usize) -> Result<Vec<f64>> {
        let start = i
            .checked_mul(self.size + self.offset)
            .map(|s| s + self.packets + self.offset);
        self.array.range(start.unwrap_or(usize::MAX), self.size)
    }

    /// An error about the segment.
    #[must_use]
    pub fn fault(&self, what: impl std::fmt::Display) -> crate::Error {
        self.array.fault(what)
    }
}
