//! Remembers which segments each pixel and integration had, in four bytes for nearly all of them.

use std::collections::VecDeque;

use super::pixel::{IntegrationFit, SegmentFit};
use super::timing::Lone;

/// Set in a code that is an index; other codes are the length of the only segment (1: a lone first group), 0 for none.
const INDEXED: u32 = 1 << 31;

/// The segments of one integration of a pixel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape<'a> {
    /// Lengths in groups.
    pub lengths: &'a [u32],
    /// What a lone group was exposed for.
    pub lone: Lone,
    /// Sum of inverse read-noise variances that counts CHARGELOSS groups as good, if there are any.
    pub chargeloss: Option<f64>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    first: usize,
    end: usize,
    lone: Lone,
    chargeloss: Option<f64>,
}

/// Shapes of all pixels and integrations.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    codes: VecDeque<Vec<u32>>,
    entries: Vec<Entry>,
    lengths: Vec<u32>,
}

impl Shapes {
    /// Starts an integration, with no segments anywhere; gives its codes to be set.
    pub fn begin(&mut self, pixels: usize) {
        self.codes.push_back(vec![0; pixels]);
    }

    /// The codes of the integration begun last.
    pub fn codes(&mut self) -> &mut [u32] {
        self.codes.back_mut().map_or(&mut [], Vec::as_mut_slice)
    }

    /// Codes of the first integration not taken yet.
    pub fn take(&mut self) -> Option<Vec<u32>> {
        self.codes.pop_front()
    }

    /// Remembers the segments of a pixel; `simple` if its gain is good.
    pub fn set(
        &mut self,
        pixel: usize,
        segments: &[SegmentFit],
        fit: &IntegrationFit,
        simple: bool,
    ) {
        let code = match segments {
            [] if fit.chargeloss.is_none() => 0,
            [only]
                if simple
                    && fit.chargeloss.is_none()
                    && (only.len > 1 || fit.lone == Lone::FirstGroup) =>
            {
                only.len as u32
            }
            _ => {
                let first = self.lengths.len();
                self.lengths.extend(segments.iter().map(|s| s.len as u32));
                let end = self.lengths.len();
                self.entries.push(Entry {
                    first,
                    end,
                    lone: fit.lone,
                    chargeloss: fit.chargeloss,
                });
                INDEXED | (self.entries.len() - 1) as u32
            }
        };
        self.codes()[pixel] = code;
    }

    /// The length of the only segment, where a pixel has one segment, of two groups or more or of the first group alone, a good
    /// gain and no CHARGELOSS.
    pub fn only_length(code: u32) -> Option<u32> {
        (code != 0 && code & INDEXED == 0).then_some(code)
    }

    /// What a code stands for.
    pub fn get<'a>(&'a self, code: &'a u32) -> Shape<'a> {
        match code & INDEXED {
            0 => {
                let lengths = std::slice::from_ref(code);
                Shape {
                    lengths: if *code == 0 { &[] } else { lengths },
                    lone: if *code == 1 {
                        Lone::FirstGroup
                    } else {
                        Lone::Group
                    },
                    chargeloss: None,
                }
            }
            _ => {
                let Entry {
                    first,
                    end,
                    lone,
                    chargeloss,
                } = self.entries[(code & !INDEXED) as usize];
                Shape {
                    lengths: &self.lengths[first..end],
                    lone,
                    chargeloss,
                }
            }
        }
    }
}
