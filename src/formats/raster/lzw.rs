//! The compression of GIF (Welch 1984, as in the GIF89a specification, appendix F): codes for strings of pixels, of up to 12 bits.
//!
//! The strings are those that every encoder finds: always the longest one known. What is quick here is the way to them: strings of one
//! colour, which pictures with large pixels are full of, are not walked pixel by pixel.

/// Places of the table of strings: twice as many as there are codes.
const PLACES: usize = 8192;
/// Codes.
const CODES: usize = 4096;
/// No string.
const NONE: u32 = u32::MAX;

/// Known strings.
struct Strings {
    /// Those whose last pixel is of another colour than the one before: code of the beginning (12 bits), last pixel (8), code (12).
    places: [u32; PLACES],
    /// The others: by the code of the beginning, 0 for none.
    same: [u16; CODES],
    /// Codes of each colour's strings of that colour alone, of one pixel more each.
    plain: Vec<Vec<u16>>,
}

impl Strings {
    fn new() -> Self {
        Self {
            places: [NONE; PLACES],
            same: [0; CODES],
            plain: (0..256).map(|c| vec![c]).collect(),
        }
    }

    fn clear(&mut self) {
        self.places.fill(NONE);
        self.same.fill(0);
        for known in &mut self.plain {
            known.truncate(1);
        }
    }

    /// The code of a string, else the place where it would be.
    fn find(&self, begin: u16, pixel: u8) -> Result<u16, usize> {
        let key = (u32::from(begin) << 8) | u32::from(pixel);
        let mut at = (key.wrapping_mul(0x9e37_79b1) >> 19) as usize;
        loop {
            let there = self.places[at];
            if there == NONE {
                return Err(at);
            }
            if there >> 12 == key {
                return Ok((there & 0xfff) as u16);
            }
            at = (at + 1) % PLACES;
        }
    }

    fn hold(&mut self, at: usize, begin: u16, pixel: u8, code: u16) {
        self.places[at] = (u32::from(begin) << 20) | (u32::from(pixel) << 12) | u32::from(code);
    }
}

/// Bits, the first one lowest.
struct Bits {
    bytes: Vec<u8>,
    held: u64,
    count: u32,
}

impl Bits {
    fn push(&mut self, code: u32, size: u32) {
        self.held |= u64::from(code) << self.count;
        self.count += size;
        if self.count >= 32 {
            self.bytes
                .extend_from_slice(&(self.held as u32).to_le_bytes());
            self.held >>= 32;
            self.count -= 32;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        let left = self.count.div_ceil(8) as usize;
        self.bytes
            .extend_from_slice(&self.held.to_le_bytes()[..left]);
        self.bytes
    }
}

/// How many pixels at the beginning are of one colour.
fn run(pixels: &[u8]) -> usize {
    let Some(&first) = pixels.first() else {
        return 0;
    };
    let all = u64::from_ne_bytes([first; 8]);
    let (eights, _) = pixels.as_chunks::<8>();
    for (k, eight) in eights.iter().enumerate() {
        let other = u64::from_le_bytes(*eight) ^ all;
        if other != 0 {
            return 8 * k + (other.trailing_zeros() / 8) as usize;
        }
    }
    let from = 8 * eights.len();
    let rest = pixels[from..].iter().take_while(|p| **p == first).count();
    from + rest
}

/// Compresses pixels of up to 256 colours: a byte with the bits of a colour, then the codes.
#[must_use]
pub fn encode(pixels: &[u8]) -> Vec<u8> {
    const CLEAR: u32 = 256;
    const END: u32 = 257;
    let mut strings = Strings::new();
    let mut out = Bits {
        bytes: Vec::with_capacity(pixels.len() / 8 + 16),
        held: 0,
        count: 0,
    };
    out.bytes.push(8);
    let (mut next, mut size) = (END as u16 + 1, 9);
    out.push(CLEAR, size);
    let mut at = 0;
    while let Some(&first) = pixels.get(at) {
        // the longest known string of one colour, and on from there
        let plain = &strings.plain[usize::from(first)];
        let most = plain.len();
        let ahead = run(&pixels[at..pixels.len().min(at + most + 1)]);
        let length = ahead.min(most);
        let mut code = plain[length - 1];
        at += length;
        let (mut last, mut place) = (first, None);
        while let (Some(&pixel), true) = (pixels.get(at), ahead <= most) {
            if pixel == last {
                let longer = strings.same[usize::from(code)];
                if longer == 0 {
                    break;
                }
                code = longer;
            } else {
                match strings.find(code, pixel) {
                    Ok(longer) => (code, last) = (longer, pixel),
                    Err(free) => {
                        place = Some((free, pixel));
                        break;
                    }
                }
            }
            at += 1;
        }
        out.push(u32::from(code), size);
        if at == pixels.len() {
            break;
        }
        if next == CODES as u16 {
            out.push(CLEAR, size);
            strings.clear();
            (next, size) = (END as u16 + 1, 9);
            continue;
        }
        match place {
            Some((free, pixel)) => strings.hold(free, code, pixel, next),
            None => strings.same[usize::from(code)] = next,
        }
        if ahead > most {
            strings.plain[usize::from(first)].push(next);
        }
        if next == 1 << size {
            size += 1;
        }
        next += 1;
    }
    out.push(END, size);
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pixels as the `gif` crate reads them.
    fn read(width: u16, height: u16, packed: Vec<u8>) -> Vec<u8> {
        let frame = gif::Frame {
            width,
            height,
            buffer: packed.into(),
            ..gif::Frame::default()
        };
        let mut file = gif::Encoder::new(Vec::new(), width, height, &[0; 768]).unwrap();
        file.write_lzw_pre_encoded_frame(&frame).unwrap();
        let file = file.into_inner().unwrap();
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::Indexed);
        let mut reader = options.read_info(&file[..]).unwrap();
        reader
            .read_next_frame()
            .unwrap()
            .expect("a frame")
            .buffer
            .to_vec()
    }

    #[test]
    fn pixels_come_back() {
        let mut state = 1u64;
        let mut random = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        // (colours, longest run): noise, small and large pixels, one colour
        for (colours, longest) in [(256, 1), (2, 3), (90, 12), (1, 1), (200, 700)] {
            for size in [[1, 1], [7, 1], [97, 61], [300, 280]] {
                let all = size[0] * size[1];
                let mut pixels = Vec::new();
                while pixels.len() < all {
                    let (colour, run) = (random(colours) as u8, 1 + random(longest) as usize);
                    pixels.extend(std::iter::repeat_n(colour, run.min(all - pixels.len())));
                }
                let packed = encode(&pixels);
                let back = read(size[0] as u16, size[1] as u16, packed);
                assert!(back == pixels, "{colours} {longest} {size:?}");
            }
        }
    }

    #[test]
    fn it_is_about_as_small_as_the_common_way() {
        let pixels: Vec<u8> = (0..60_000u32)
            .map(|i| ((i / 5).wrapping_mul(2_654_435_761) >> 27) as u8)
            .collect();
        let mut frame = gif::Frame {
            width: 300,
            height: 200,
            buffer: pixels.clone().into(),
            ..gif::Frame::default()
        };
        frame.make_lzw_pre_encoded();
        let (ours, theirs) = (encode(&pixels).len(), frame.buffer.len());
        // another encoder clears its table at other places
        assert!(ours <= theirs + theirs / 20, "{ours} {theirs}");
    }
}
