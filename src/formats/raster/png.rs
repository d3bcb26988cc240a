//! PNG pictures: 8 bits of red, green, blue and opacity (W3C PNG specification, third edition). Writing only.
//!
//! A picture without a see-through pixel is written without opacity.

use std::io::Write;
use std::path::Path;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

use crate::formats::write_whole;
use crate::{Error, Result};

pub(super) fn chunk(out: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) -> Option<()> {
    out.extend(u32::try_from(data.len()).ok()?.to_be_bytes());
    out.extend(kind);
    out.extend(data);
    let mut crc = Crc::new();
    crc.update(kind);
    crc.update(data);
    out.extend(crc.sum().to_be_bytes());
    Some(())
}

/// Writes a picture of `width` columns, rows from top to bottom.
///
/// # Errors
/// [`Error::Io`]; [`Error::Input`] where the size is none that PNG has.
pub fn write(path: &Path, width: usize, pixels: &[[u8; 4]]) -> Result<()> {
    let bytes = encode(width, pixels, None).ok_or_else(|| {
        Error::input_file(
            path,
            format!("{} pixels in rows of {width} are no picture", pixels.len()),
        )
    })?;
    write_whole(path, &bytes)
}

/// The bytes of a picture's file, to be printed with `per_metre` pixels a metre where that is given; none where the size is none that
/// PNG has.
#[must_use]
pub fn encode(width: usize, pixels: &[[u8; 4]], per_metre: Option<u32>) -> Option<Vec<u8>> {
    let height = pixels.len().checked_div(width)?;
    if height == 0 || height * width != pixels.len() {
        return None;
    }
    let opaque = pixels.iter().all(|p| p[3] == 255);
    let samples = if opaque { 3 } else { 4 };
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::new(2));
    // each row as it is, behind a 0 that says that it is not filtered
    let mut bytes = vec![0; 1 + samples * width];
    for row in pixels.chunks_exact(width) {
        match opaque {
            true => {
                for (to, [r, g, b, _]) in bytes[1..].as_chunks_mut().0.iter_mut().zip(row) {
                    *to = [*r, *g, *b];
                }
            }
            false => bytes[1..].copy_from_slice(row.as_flattened()),
        }
        zlib.write_all(&bytes).ok()?;
    }
    let mut header = Vec::new();
    header.extend(u32::try_from(width).ok()?.to_be_bytes());
    header.extend(u32::try_from(height).ok()?.to_be_bytes());
    // bits a sample, colours without or with opacity, and the only methods there are, not interlaced
    header.extend([8, if opaque { 2 } else { 6 }, 0, 0, 0]);
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut out, b"IHDR", &header)?;
    if let Some(n) = per_metre {
        let mut size = [n.to_be_bytes(), n.to_be_bytes()].concat();
        size.push(1);
        chunk(&mut out, b"pHYs", &size)?;
    }
    chunk(&mut out, b"IDAT", &zlib.finish().ok()?)?;
    chunk(&mut out, b"IEND", &[])?;
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(data: &[u8]) -> Vec<u8> {
        let mut rows = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::ZlibDecoder::new(data), &mut rows).unwrap();
        rows
    }

    #[test]
    fn a_picture_is_what_the_standard_says() {
        let bytes = encode(2, &[[1, 2, 3, 255], [4, 5, 6, 0]], None).unwrap();
        assert_eq!(&bytes[..16], b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR");
        assert_eq!(&bytes[16..29], [0, 0, 0, 2, 0, 0, 0, 1, 8, 6, 0, 0, 0]);
        // the checksum of an empty IEND is known
        assert_eq!(bytes[bytes.len() - 4..], [0xae, 0x42, 0x60, 0x82]);
        assert_eq!(
            rows(&bytes[41..bytes.len() - 16]),
            [0, 1, 2, 3, 255, 4, 5, 6, 0]
        );
        assert!(encode(0, &[], None).is_none() && encode(2, &[[0; 4]; 3], None).is_none());
    }

    #[test]
    fn opacity_is_left_out_where_all_is_opaque() {
        let bytes = encode(1, &[[1, 2, 3, 255], [4, 5, 6, 255]], Some(7874)).unwrap();
        assert_eq!(bytes[25], 2);
        assert_eq!(&bytes[37..41], b"pHYs");
        assert_eq!(&bytes[41..50], [0, 0, 0x1e, 0xc2, 0, 0, 0x1e, 0xc2, 1]);
        assert_eq!(rows(&bytes[62..bytes.len() - 16]), [0, 1, 2, 3, 0, 4, 5, 6]);
    }
}
