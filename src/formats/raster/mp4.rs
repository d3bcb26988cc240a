//! Films as MP4 (ISO base media, ISO/IEC 14496-12 and -15) with H.264 video, for those who show them in talks: every player has it, and it
//! is smaller than [`super::film`]'s kinds, but its colours are not exact. With the feature `mp4` only.
//!
//! Colours are those of ITU-R BT.709 in limited range, one of each for four pixels. OpenH264 compresses, in one thread, so that the bytes
//! are the same on any number of processors.

use std::io::Cursor;

use mp4::{AvcConfig, MediaConfig, Mp4Config, Mp4Sample, Mp4Writer, TrackConfig, TrackType};
use openh264::OpenH264API;
use openh264::encoder::{
    Encoder, EncoderConfig, FrameRate, IntraFramePeriod, RateControlMode, UsageType, VuiConfig,
};
use openh264::formats::YUVBuffer;

/// Ticks of the clock in a second.
const CLOCK: u32 = 90_000;
/// Frames from one that needs none before it to the next, so that players can jump.
const WHOLE: u32 = 40;

/// Kinds of units of H.264.
const KEY: u8 = 5;
const SEQUENCE: u8 = 7;
const PICTURE: u8 = 8;

/// Luminance and the two colour differences of a colour.
fn yuv([r, g, b]: [u8; 3]) -> [i32; 3] {
    let [r, g, b] = [r, g, b].map(f64::from);
    let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    let (u, v) = ((b - y) / 1.8556, (r - y) / 1.5748);
    let part = |v: f64, range: f64, zero: f64| (zero + v * range / 255.0).round() as i32;
    [
        part(y, 219.0, 16.0),
        part(u, 224.0, 128.0),
        part(v, 224.0, 128.0),
    ]
}

/// A film being written.
pub struct Film {
    encoder: Encoder,
    writer: Option<Mp4Writer<Cursor<Vec<u8>>>>,
    /// Columns and rows of the frames, and of the film, which are even.
    size: [usize; 2],
    even: [usize; 2],
    colours: Vec<[i32; 3]>,
    /// Ticks of a frame.
    duration: u32,
    frames: u64,
}

fn broken(e: impl std::fmt::Display) -> String {
    format!("the film cannot be encoded: {e}")
}

/// Units of a stream that begins each with 0, 0, 1.
fn units(stream: &[u8]) -> Vec<&[u8]> {
    let mut starts: Vec<usize> = Vec::new();
    for (i, w) in stream.windows(3).enumerate() {
        if w == [0, 0, 1] {
            starts.push(i);
        }
    }
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    let cut = |(from, to): (&usize, usize)| {
        let unit = &stream[from + 3..to];
        // zeros before the next beginning are no part of it
        let n = unit.iter().rposition(|b| *b != 0).map_or(0, |i| i + 1);
        &unit[..n]
    };
    let all = starts.iter().zip(ends).map(cut);
    all.filter(|u| !u.is_empty()).collect()
}

impl Film {
    /// A film of frames of so many columns and rows in the colours of a palette, so many a second.
    ///
    /// # Errors
    /// What is wrong with the size.
    pub fn new(size: [usize; 2], palette: &[[u8; 3]], rate: f64) -> Result<Self, String> {
        let even = size.map(|n| n.next_multiple_of(2));
        if size.contains(&0) || even.iter().any(|n| *n > usize::from(u16::MAX)) {
            return Err(broken("no film has this size"));
        }
        let config = EncoderConfig::new()
            .usage_type(UsageType::CameraVideoRealTime)
            .max_frame_rate(FrameRate::from_hz(rate as f32))
            // every frame, in the same quality
            .rate_control_mode(RateControlMode::Off)
            .skip_frames(false)
            .scene_change_detect(false)
            .adaptive_quantization(false)
            .background_detection(false)
            .intra_frame_period(IntraFramePeriod::from_num_frames(WHOLE))
            .num_threads(1)
            .vui(VuiConfig::bt709());
        let encoder =
            Encoder::with_api_config(OpenH264API::from_source(), config).map_err(broken)?;
        Ok(Self {
            encoder,
            writer: None,
            size,
            even,
            colours: palette.iter().map(|c| yuv(*c)).collect(),
            duration: (f64::from(CLOCK) / rate).round().max(1.0) as u32,
            frames: 0,
        })
    }

    /// The planes of a frame of places in the palette: luminance, then the colour differences of four pixels each.
    fn planes(&self, frame: &[u8]) -> Vec<u8> {
        let [w, h] = self.even;
        let [columns, rows] = self.size;
        let at = |x: usize, y: usize| -> [i32; 3] {
            let i = y.min(rows - 1) * columns + x.min(columns - 1);
            let place = frame.get(i).copied().unwrap_or(0);
            let colour = self.colours.get(usize::from(place));
            colour.copied().unwrap_or([16, 128, 128])
        };
        let mut out = vec![0; 3 * w * h / 2];
        let (light, rest) = out.split_at_mut(w * h);
        let (blue, red) = rest.split_at_mut(w * h / 4);
        for y in (0..h).step_by(2) {
            for x in (0..w).step_by(2) {
                let mut sums = [0, 0];
                for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                    let [l, u, v] = at(x + dx, y + dy);
                    light[(y + dy) * w + x + dx] = l as u8;
                    sums = [sums[0] + u, sums[1] + v];
                }
                let i = y / 2 * (w / 2) + x / 2;
                [blue[i], red[i]] = sums.map(|s| ((s + 2) / 4) as u8);
            }
        }
        out
    }

    /// Adds a frame: places in the palette, rows from the top.
    ///
    /// # Errors
    /// Where it has another size, or cannot be compressed.
    pub fn push(&mut self, frame: &[u8]) -> Result<(), String> {
        if frame.len() != self.size[0] * self.size[1] {
            return Err(broken("frames of two sizes"));
        }
        let [w, h] = self.even;
        let planes = YUVBuffer::from_vec(self.planes(frame), w, h);
        let stream = self.encoder.encode(&planes).map_err(broken)?.to_vec();
        let kind = |u: &&[u8]| u[0] & 31;
        let units = units(&stream);
        let of = |wanted: u8| units.iter().find(|u| kind(u) == wanted);
        if self.writer.is_none() {
            let (Some(sequence), Some(picture)) = (of(SEQUENCE), of(PICTURE)) else {
                return Err(broken("the encoder gave no parameters"));
            };
            self.writer = Some(started([w, h], sequence, picture)?);
        }
        let mut bytes = Vec::with_capacity(stream.len() + 16);
        for unit in units
            .iter()
            .filter(|u| !matches!(kind(u), SEQUENCE | PICTURE))
        {
            bytes.extend(u32::try_from(unit.len()).map_err(broken)?.to_be_bytes());
            bytes.extend_from_slice(unit);
        }
        if bytes.is_empty() {
            return Err(broken("the encoder left a frame out"));
        }
        let sample = Mp4Sample {
            start_time: self.frames * u64::from(self.duration),
            duration: self.duration,
            rendering_offset: 0,
            is_sync: of(KEY).is_some(),
            bytes: bytes.into(),
        };
        self.frames += 1;
        match &mut self.writer {
            Some(writer) => writer.write_sample(1, &sample).map_err(broken),
            None => Ok(()),
        }
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// Where there is no frame.
    pub fn finish(self) -> Result<Vec<u8>, String> {
        let mut writer = self.writer.ok_or_else(|| broken("it has no frames"))?;
        writer.write_end().map_err(broken)?;
        Ok(writer.into_writer().into_inner())
    }
}

/// A file with a track of pictures of this size, and its parameters.
fn started(
    [w, h]: [usize; 2],
    sequence: &[u8],
    picture: &[u8],
) -> Result<Mp4Writer<Cursor<Vec<u8>>>, String> {
    let brand = |name: [u8; 4]| name.into();
    let config = Mp4Config {
        major_brand: brand(*b"isom"),
        minor_version: 512,
        compatible_brands: [*b"isom", *b"iso2", *b"avc1", *b"mp41"].map(brand).to_vec(),
        timescale: CLOCK,
    };
    let mut writer = Mp4Writer::write_start(Cursor::new(Vec::new()), &config).map_err(broken)?;
    let track = TrackConfig {
        track_type: TrackType::Video,
        timescale: CLOCK,
        language: "und".into(),
        media_conf: MediaConfig::AvcConfig(AvcConfig {
            width: u16::try_from(w).map_err(broken)?,
            height: u16::try_from(h).map_err(broken)?,
            seq_param_set: sequence.to_vec(),
            pic_param_set: picture.to_vec(),
        }),
    };
    writer.add_track(&track).map_err(broken)?;
    Ok(writer)
}

#[cfg(test)]
mod tests {
    use mp4::Mp4Reader;
    use openh264::decoder::Decoder;
    use openh264::formats::YUVSource;

    use super::*;

    #[test]
    fn units_are_cut_where_they_begin() {
        let stream = [0, 0, 0, 1, 7, 9, 0, 0, 1, 8, 0, 0, 0, 1, 5, 1, 2];
        assert_eq!(units(&stream), [&[7, 9][..], &[8], &[5, 1, 2]]);
        assert!(units(&[1, 2, 3]).is_empty());
    }

    #[test]
    fn a_film_comes_back_frame_by_frame() {
        let palette = [[0, 0, 0], [255, 255, 255], [200, 30, 40], [20, 90, 220]];
        // an odd size, whose last column and row are doubled
        let size = [63, 45];
        let rate = 12.5;
        let frames: Vec<Vec<u8>> = (0..50)
            .map(|k| {
                let place = |i: usize| {
                    let (x, y) = (i % size[0], i / size[0]);
                    if x / 8 == k % 7 {
                        1
                    } else {
                        2 + (y / 23) as u8
                    }
                };
                (0..size[0] * size[1]).map(place).collect()
            })
            .collect();
        let mut film = Film::new(size, &palette, rate).expect("a film");
        for frame in &frames {
            film.push(frame).expect("a frame");
        }
        assert!(film.push(&[0; 4]).is_err());
        let bytes = film.finish().expect("bytes");
        let n = bytes.len() as u64;
        let mut read = Mp4Reader::read_header(Cursor::new(bytes), n).expect("an MP4 file");
        let track = &read.tracks()[&1];
        assert_eq!((track.width(), track.height()), (64, 46));
        assert_eq!(track.sample_count(), 50);
        // 12.5 a second
        assert_eq!(track.duration().as_millis(), 4000);
        let start = [0, 0, 0, 1];
        let sps = track.sequence_parameter_set().expect("parameters");
        let pps = track.picture_parameter_set().expect("parameters");
        let head = [&start[..], sps, &start, pps].concat();
        let mut decoder = Decoder::new().expect("a decoder");
        assert!(decoder.decode(&head).expect("parameters").is_none());
        let mut whole = 0;
        for (k, frame) in frames.iter().enumerate() {
            let sample = read.read_sample(1, k as u32 + 1);
            let sample = sample.expect("read").expect("a sample");
            whole += usize::from(sample.is_sync);
            let ticks = u64::from(CLOCK) * 2 / 25;
            assert_eq!(
                (sample.start_time, u64::from(sample.duration)),
                (k as u64 * ticks, ticks)
            );
            let (mut stream, mut at) = (Vec::new(), 0);
            while at < sample.bytes.len() {
                let length = sample.bytes[at..at + 4].iter();
                let n = length.fold(0, |n, b| n << 8 | usize::from(*b));
                stream.extend(start);
                stream.extend(&sample.bytes[at + 4..at + 4 + n]);
                at += 4 + n;
            }
            let picture = decoder.decode(&stream).expect("decoded");
            let picture = picture.expect("a picture of every frame");
            assert_eq!(picture.dimensions(), (64, 46));
            let (mut off, mut worst) = (0.0, 0);
            for (i, place) in frame.iter().enumerate() {
                let (x, y) = (i % size[0], i / size[0]);
                let want = yuv(palette[usize::from(*place)])[0];
                let got = i32::from(picture.y()[y * picture.strides().0 + x]);
                off += f64::from((want - got).abs());
                worst = worst.max((want - got).abs());
            }
            off /= frame.len() as f64;
            assert!(off < 4.0, "frame {k}: {off} of 219 off, at most {worst}");
        }
        assert_eq!(whole, 2);
    }

    #[test]
    fn colours_are_those_of_the_standard() {
        assert_eq!(yuv([0; 3]), [16, 128, 128]);
        assert_eq!(yuv([255; 3]), [235, 128, 128]);
        // ITU-R BT.709: red at full
        assert_eq!(yuv([255, 0, 0]), [63, 102, 240]);
        assert_eq!(yuv([0, 0, 255]), [32, 240, 118]);
    }

    #[test]
    fn no_film_of_nothing() {
        assert!(Film::new([0, 4], &[[0; 3]], 20.0).is_err());
        let none = Film::new([4, 4], &[[0; 3]], 20.0).expect("a film");
        assert!(none.finish().is_err());
    }
}
