//! Moving pictures of few colours: GIF (CompuServe GIF89a) and APNG (W3C PNG specification, third edition), endlessly repeated.
//!
//! All frames share one palette of up to 256 exact colours. A frame after the first is a rectangle of what changed, see-through where
//! nothing did. Compressing is apart from writing, so that frames can be compressed side by side.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::png::chunk;

/// Kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// GIF: every viewer shows it.
    Gif,
    /// Animated PNG: several times smaller.
    Apng,
}

/// What all frames share.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
    /// Colours, 256 at most with the one that is see-through.
    pub palette: Vec<[u8; 3]>,
    /// The colour that is see-through.
    pub clear: u8,
}

/// A rectangle of places in the palette.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Piece {
    /// First column.
    pub left: u16,
    /// First row.
    pub top: u16,
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
    /// Places in the palette, `[row][column]`.
    pub pixels: Vec<u8>,
}

/// A compressed piece.
#[derive(Clone, Debug)]
pub enum Packed {
    /// For GIF.
    Gif(gif::Frame<'static>),
    /// For APNG: left, top, width, height and the stream of the rows.
    Apng([u16; 4], Vec<u8>),
}

/// Compresses a piece.
#[must_use]
pub fn pack(kind: Kind, sheet: &Sheet, piece: &Piece) -> Packed {
    match kind {
        Kind::Gif => {
            let mut frame = gif::Frame {
                left: piece.left,
                top: piece.top,
                width: piece.width,
                height: piece.height,
                transparent: Some(sheet.clear),
                dispose: gif::DisposalMethod::Keep,
                buffer: piece.pixels.as_slice().into(),
                ..gif::Frame::default()
            };
            frame.make_lzw_pre_encoded();
            // the pixels were borrowed, their codes are not
            let buffer = frame.buffer.into_owned().into();
            Packed::Gif(gif::Frame { buffer, ..frame })
        }
        Kind::Apng => {
            let mut zlib = ZlibEncoder::new(Vec::new(), Compression::new(4));
            let rows = piece.pixels.chunks_exact(usize::from(piece.width).max(1));
            let place = [piece.left, piece.top, piece.width, piece.height];
            // writing to a vector does not fail
            let written = rows.into_iter().try_for_each(|row| {
                zlib.write_all(&[0])?;
                zlib.write_all(row)
            });
            let stream = written.and_then(|()| zlib.finish());
            Packed::Apng(place, stream.unwrap_or_default())
        }
    }
}

enum Out {
    Gif(Box<gif::Encoder<Vec<u8>>>, u16),
    Apng {
        bytes: Vec<u8>,
        delay: [u16; 2],
        sequence: u32,
    },
}

/// A film being written.
pub struct Film(Out);

fn broken(e: impl std::fmt::Display) -> String {
    format!("the film cannot be encoded: {e}")
}

impl Film {
    /// A film of so many frames, so many a second.
    ///
    /// # Errors
    /// What is wrong with the size or the palette.
    pub fn new(kind: Kind, sheet: &Sheet, frames: usize, rate: f64) -> Result<Self, String> {
        let count = u32::try_from(frames).map_err(broken)?;
        if sheet.palette.len() > 256 {
            return Err(broken("more than 256 colours"));
        }
        let palette = sheet.palette.as_flattened();
        match kind {
            Kind::Gif => {
                let (w, h) = (sheet.width, sheet.height);
                let mut encoder = gif::Encoder::new(Vec::new(), w, h, palette).map_err(broken)?;
                encoder.set_repeat(gif::Repeat::Infinite).map_err(broken)?;
                // viewers take less than 2 hundredths of a second for a tenth
                let delay = (100.0 / rate).round().clamp(2.0, 6000.0) as u16;
                Ok(Self(Out::Gif(Box::new(encoder), delay)))
            }
            Kind::Apng => {
                let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
                let mut header = Vec::new();
                header.extend(u32::from(sheet.width).to_be_bytes());
                header.extend(u32::from(sheet.height).to_be_bytes());
                header.extend([8, 3, 0, 0, 0]);
                let mut control = count.to_be_bytes().to_vec();
                control.extend([0; 4]);
                let mut opacity = vec![255u8; sheet.palette.len()];
                if let Some(clear) = opacity.get_mut(usize::from(sheet.clear)) {
                    *clear = 0;
                }
                let chunks: [(&[u8; 4], &[u8]); 4] = [
                    (b"IHDR", &header),
                    (b"acTL", &control),
                    (b"PLTE", palette),
                    (b"tRNS", &opacity),
                ];
                for (name, data) in chunks {
                    chunk(&mut bytes, name, data).ok_or_else(|| broken("too large"))?;
                }
                let thousandths = (1000.0 / rate).round().clamp(1.0, 60_000.0) as u16;
                Ok(Self(Out::Apng {
                    bytes,
                    delay: [thousandths, 1000],
                    sequence: 0,
                }))
            }
        }
    }

    /// Adds a frame; the first has to be whole.
    ///
    /// # Errors
    /// Where it is of another kind, or too large.
    pub fn push(&mut self, frame: Packed) -> Result<(), String> {
        match (&mut self.0, frame) {
            (Out::Gif(encoder, delay), Packed::Gif(mut frame)) => {
                frame.delay = *delay;
                encoder.write_lzw_pre_encoded_frame(&frame).map_err(broken)
            }
            (
                Out::Apng {
                    bytes,
                    delay,
                    sequence,
                },
                Packed::Apng([left, top, width, height], stream),
            ) => {
                let mut control = sequence.to_be_bytes().to_vec();
                for v in [width, height, left, top] {
                    control.extend(u32::from(v).to_be_bytes());
                }
                control.extend(delay.iter().flat_map(|d| d.to_be_bytes()));
                // left as it is, and what follows is laid over it
                control.extend([0, u8::from(*sequence > 0)]);
                let first = *sequence == 0;
                let mut write = |name: &[u8; 4], data: &[u8]| {
                    chunk(bytes, name, data).ok_or_else(|| broken("too large"))
                };
                write(b"fcTL", &control)?;
                *sequence += 1;
                if first {
                    return write(b"IDAT", &stream);
                }
                let mut data = sequence.to_be_bytes().to_vec();
                data.extend(stream);
                *sequence += 1;
                write(b"fdAT", &data)
            }
            _ => Err(broken("frames of two kinds")),
        }
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn finish(self) -> Result<Vec<u8>, String> {
        match self.0 {
            Out::Gif(encoder, _) => encoder.into_inner().map_err(broken),
            Out::Apng { mut bytes, .. } => {
                chunk(&mut bytes, b"IEND", &[]).ok_or_else(|| broken("too large"))?;
                Ok(bytes)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet() -> Sheet {
        Sheet {
            width: 4,
            height: 3,
            palette: vec![[0; 3], [255, 0, 0], [0, 255, 0], [1, 2, 3]],
            clear: 3,
        }
    }

    fn piece([left, top, width, height]: [u16; 4], pixels: Vec<u8>) -> Piece {
        Piece {
            left,
            top,
            width,
            height,
            pixels,
        }
    }

    /// Frames as a reader of GIF shows them.
    fn shown(bytes: &[u8]) -> Vec<Vec<[u8; 3]>> {
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::Indexed);
        let mut reader = options.read_info(bytes).unwrap();
        let palette: Vec<[u8; 3]> = reader
            .global_palette()
            .unwrap()
            .chunks_exact(3)
            .map(|c| [c[0], c[1], c[2]])
            .collect();
        let mut screen = vec![[9; 3]; 12];
        let mut out = Vec::new();
        while let Some(frame) = reader.read_next_frame().unwrap() {
            assert_eq!(frame.delay, 5);
            for (i, v) in frame.buffer.iter().enumerate() {
                let (w, v) = (usize::from(frame.width), *v);
                let at = (usize::from(frame.top) + i / w) * 4 + usize::from(frame.left) + i % w;
                if frame.transparent != Some(v) {
                    screen[at] = palette[usize::from(v)];
                }
            }
            out.push(screen.clone());
        }
        out
    }

    #[test]
    fn a_film_comes_back_frame_by_frame() {
        let sheet = sheet();
        let frames: Vec<Vec<u8>> = (0..5)
            .map(|k| {
                let inner = |i| if [5, 6, 9, 10].contains(&i) { k } else { 0 };
                (0..12)
                    .map(|i| ((i * (inner(i) + 1) / 3) % 3) as u8)
                    .collect()
            })
            .collect();
        for kind in [Kind::Gif, Kind::Apng] {
            let mut film = Film::new(kind, &sheet, frames.len(), 20.0).unwrap();
            for (k, frame) in frames.iter().enumerate() {
                let piece = match k {
                    0 => piece([0, 0, 4, 3], frame.clone()),
                    // but for the edge, and see-through where nothing changes
                    _ => {
                        let pixels = [5, 6, 9, 10].map(|i| {
                            let same = frame[i] == frames[k - 1][i];
                            if same { sheet.clear } else { frame[i] }
                        });
                        piece([1, 1, 2, 2], pixels.to_vec())
                    }
                };
                film.push(pack(kind, &sheet, &piece)).unwrap();
            }
            let bytes = film.finish().unwrap();
            if kind == Kind::Gif {
                let colours =
                    |f: &Vec<u8>| f.iter().map(|v| sheet.palette[usize::from(*v)]).collect();
                let want: Vec<Vec<[u8; 3]>> = frames.iter().map(colours).collect();
                assert_eq!(shown(&bytes), want);
            } else {
                let count = |name: &[u8]| bytes.windows(4).filter(|w| *w == name).count();
                assert_eq!(count(b"fcTL"), 5);
                assert_eq!((count(b"IDAT"), count(b"fdAT"), count(b"IEND")), (1, 4, 1));
            }
        }
    }
}
