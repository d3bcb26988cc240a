//! Arrays that may be larger than memory: in memory, or in a temporary file that the system pages in
//! and out.

use std::fmt;
use std::io::ErrorKind;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::path::Path;

use fs4::FileExt;
use memmap2::MmapMut;

use crate::{Error, Result};

/// An element any bytes of which are a value.
///
/// # Safety
/// Every bit pattern must be a valid value, and the alignment at most that of a page.
pub unsafe trait Plain: Copy + PartialEq + Send + Sync + 'static {}
// SAFETY: every bit pattern is a number.
unsafe impl Plain for f32 {}
// SAFETY: every bit pattern is a number.
unsafe impl Plain for u8 {}

/// An array; used as a slice.
pub struct Buffer<T: Plain>(Store<T>);

enum Store<T> {
    Memory(Vec<T>),
    File(MmapMut, usize, PhantomData<T>),
}

impl<T: Plain> Buffer<T> {
    /// An array of `len` zeros in a nameless file in `folder`, which vanishes with it.
    ///
    /// # Errors
    /// [`Error::Full`] where there is no room for it, [`Error::Io`].
    pub fn in_file(len: usize, folder: &Path) -> Result<Self> {
        let failed =
            |e: std::io::Error| Error::io(folder, format!("cannot make a temporary file: {e}"));
        let bytes = len as u64 * size_of::<T>() as u64;
        let file = tempfile::tempfile_in(folder).map_err(failed)?;
        // all of it at once: no room for a page that is touched later would kill the program
        match file.allocate(bytes.max(1)) {
            Err(e) if matches!(e.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                let free = fs4::available_space(folder).unwrap_or_default();
                let path = folder.into();
                return Err(Error::Full { path, free });
            }
            // file systems that cannot promise it
            Err(e) if e.kind() == ErrorKind::Unsupported => file.set_len(bytes.max(1)),
            other => other,
        }
        .map_err(failed)?;
        // SAFETY: the file has no name, so nobody else can change or shorten it.
        let map = unsafe { MmapMut::map_mut(&file) }.map_err(failed)?;
        Ok(Self(Store::File(map, len, PhantomData)))
    }

    /// Drops all but the first `len` elements; a file stays as large as it is.
    pub fn truncate(&mut self, len: usize) {
        match &mut self.0 {
            Store::Memory(v) => {
                v.truncate(len);
                v.shrink_to_fit();
            }
            Store::File(_, own, _) => *own = len.min(*own),
        }
    }

    /// Whether the array lies in a file.
    pub fn is_file(&self) -> bool {
        matches!(self.0, Store::File(..))
    }
}

impl<T: Plain> Deref for Buffer<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        match &self.0 {
            Store::Memory(v) => v,
            // SAFETY: the map is page-aligned, holds `len` elements, and all bytes are values.
            Store::File(m, len, _) => unsafe {
                std::slice::from_raw_parts(m.as_ptr().cast(), *len)
            },
        }
    }
}

impl<T: Plain> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.0 {
            Store::Memory(v) => v,
            // SAFETY: as in `deref`; the map is borrowed mutably.
            Store::File(m, len, _) => unsafe {
                std::slice::from_raw_parts_mut(m.as_mut_ptr().cast(), *len)
            },
        }
    }
}

impl<T: Plain> From<Vec<T>> for Buffer<T> {
    fn from(v: Vec<T>) -> Self {
        Self(Store::Memory(v))
    }
}

impl<T: Plain> FromIterator<T> for Buffer<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        items.into_iter().collect::<Vec<T>>().into()
    }
}

impl<T: Plain> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        self.to_vec().into()
    }
}

impl<T: Plain> AsRef<[T]> for Buffer<T> {
    fn as_ref(&self) -> &[T] {
        self
    }
}

/// Equal to any array of equal elements, wherever it lies.
impl<T: Plain, A: AsRef<[T]>> PartialEq<A> for Buffer<T> {
    fn eq(&self, other: &A) -> bool {
        **self == *other.as_ref()
    }
}

impl<T: Plain> fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.is_file() {
            "in a file"
        } else {
            "in memory"
        };
        write!(f, "{} elements {place}", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_as_good_as_memory() {
        let dir = tempfile::tempdir().unwrap();
        let mut a = Buffer::<f32>::in_file(1000, dir.path()).unwrap();
        assert!(a.is_file() && a.len() == 1000 && a.iter().all(|v| *v == 0.0));
        a[999] = 7.5;
        let b: Buffer<f32> = a.to_vec().into();
        assert!(!b.is_file() && a == b && a.clone() == b);
        let (mut short, mut c) = (b.clone(), a.clone());
        short.truncate(2000);
        assert_eq!(short.len(), 1000);
        for buffer in [&mut a, &mut c] {
            buffer.truncate(998);
            assert_eq!(**buffer, b[..998]);
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        assert_eq!(Buffer::<u8>::in_file(0, dir.path()).unwrap().len(), 0);
        assert!(Buffer::<u8>::in_file(1, &dir.path().join("nosuch")).is_err());
    }
}
