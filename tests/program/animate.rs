//! `sifu animate` on small navigated cubes: frames, colours, places, and what is refused.

use std::path::{Path, PathBuf};

use sifu::exec::Exec;
use sifu::formats::raster::film::{Piece, Sheet};
use sifu::nav::Kernels;
use sifu::pipeline::animate::{Job, film};
use sifu::view::colours::VIRIDIS;
use sifu::view::film::{Film, Options};

use super::plot::{Made, NZ, PLAIN, navigated, program};

/// Bright in one quarter of the field, growing with the wavelength.
fn quarter(k: usize, y: usize, x: usize) -> f32 {
    let quarter = if y >= 20 && x >= 15 { 40.0 } else { 0.0 };
    (10 + k) as f32 + quarter
}

/// Two dithers in folders of their own.
fn dithers(dir: &Path) -> Vec<PathBuf> {
    let made = [
        Made {
            value: quarter,
            ..PLAIN
        },
        Made {
            away: [-0.1, 0.08],
            roll: -40.0,
            value: quarter,
            ..PLAIN
        },
    ];
    let each = made.iter().enumerate().map(|(k, made)| {
        let folder = dir.join(format!("d{}", k + 1));
        std::fs::create_dir_all(&folder).expect("made");
        navigated(&folder, made, &[])
    });
    each.collect()
}

const SMALL: usize = 450;

fn small() -> Options {
    Options {
        width: SMALL,
        ..Options::default()
    }
}

fn filmed(cubes: &[PathBuf], options: Options) -> (Film, Sheet) {
    let none: [&Path; 0] = [];
    let kernels = Kernels::with_built_in(&none).expect("built in");
    let job = Job {
        cubes,
        zonal: None,
        remark: &[],
        options,
        rate: 20.0,
    };
    let film = film(&job, &kernels, &Exec::new(Some(2)).expect("threads")).expect("drawn");
    let sheet = film.sheet().expect("a size");
    (film, sheet)
}

/// Colours of a frame.
fn colours(film: &Film, sheet: &Sheet, frame: usize) -> Vec<[u8; 3]> {
    let places = film.frame(frame).expect("drawn");
    places
        .iter()
        .map(|p| sheet.palette[usize::from(*p)])
        .collect()
}

/// Share of pixels in a rectangle (parts of the page) that look like a colour.
fn share(page: &[[u8; 3]], [left, right, top, bottom]: [f64; 4], colour: [u8; 3]) -> f64 {
    let px = |v: f64| (v * SMALL as f64) as usize;
    let (mut all, mut like) = (0, 0);
    for y in px(top)..px(bottom) {
        for x in px(left)..px(right) {
            let near = page[y * SMALL + x]
                .iter()
                .zip(colour)
                .all(|(a, b)| a.abs_diff(b) <= 3);
            all += 1;
            like += usize::from(near);
        }
    }
    f64::from(like as u32) / f64::from(all)
}

#[test]
fn a_frame_has_the_colours_of_its_values() {
    let dir = tempfile::tempdir().unwrap();
    let cubes = dithers(dir.path());
    let (film, sheet) = filmed(&cubes, small());
    assert_eq!(film.frames(), NZ.div_ceil(5));
    let [low, high] = [0.0, 1.0].map(|v| {
        let [r, g, b, _] = VIRIDIS.at(v).0;
        [r, g, b]
    });
    let page = colours(&film, &sheet, 1);
    // the IFU's frame of the first dither: dark but for its upper right (the first row of a cube is the lowest)
    let dark = share(&page, [0.05, 0.2, 0.09, 0.2], low);
    let bright = share(&page, [0.12, 0.2, 0.09, 0.12], high);
    assert!(dark > 0.6 && bright > 0.95, "{dark} {bright}");
    // not one pixel depends on the threads, or on what was drawn before
    assert_eq!(
        film.frame(1).unwrap(),
        filmed(&cubes, small()).0.frame(1).unwrap()
    );
    assert_ne!(film.frame(0).unwrap(), film.frame(2).unwrap());
}

#[test]
fn a_frame_is_the_one_before_and_what_changed() {
    let dir = tempfile::tempdir().unwrap();
    let (film, sheet) = filmed(&dithers(dir.path()), small());
    let mut page = film.first().unwrap().pixels;
    assert!(page == film.frame(0).unwrap() && !page.contains(&sheet.clear));
    let mut before = film.drawn(0, None).unwrap();
    let mut piece = Piece::default();
    for k in 1..film.frames() {
        let now = film.drawn(k, Some(&before)).unwrap();
        film.change(&before, &now, &mut piece);
        let [left, top, width] = [piece.left, piece.top, piece.width].map(usize::from);
        for (y, row) in piece.pixels.chunks_exact(width).enumerate() {
            let at = (top + y) * SMALL + left;
            for (to, new) in page[at..at + width].iter_mut().zip(row) {
                if *new != sheet.clear {
                    // nothing is drawn where nothing changes
                    assert_ne!(to, new);
                    *to = *new;
                }
            }
        }
        assert!(page == film.frame(k).unwrap(), "{k}");
        before = now;
    }
}

#[test]
fn the_program_writes_films_that_readers_understand() {
    let dir = tempfile::tempdir().unwrap();
    let cubes = dithers(dir.path());
    let names: Vec<String> = cubes.iter().map(|c| c.display().to_string()).collect();
    for (end, magic) in [("gif", &b"GIF89a"[..]), ("apng", b"\x89PNG")] {
        let out = dir.path().join(format!("films/film.{end}"));
        let name = out.display().to_string();
        let args = [
            "animate",
            &names[0],
            &names[1],
            "-o",
            &name,
            "--width",
            "450",
            "--wavelength-step",
            "2",
        ];
        let (code, said) = program(&args);
        assert_eq!(code, 0, "{said}");
        let bytes = std::fs::read(&out).unwrap();
        assert!(bytes.starts_with(magic));
        let (whole, _) = program(&[&args[..], &["--threads", "1"]].concat());
        assert_eq!((whole, std::fs::read(&out).unwrap() == bytes), (0, true));
    }
    let bytes = std::fs::read(dir.path().join("films/film.gif")).unwrap();
    let mut reader = gif::DecodeOptions::new().read_info(&bytes[..]).unwrap();
    assert_eq!((reader.width(), reader.height()), (450, 322));
    let mut frames = 0;
    while let Some(frame) = reader.read_next_frame().unwrap() {
        assert_eq!(frame.delay, 5);
        frames += 1;
    }
    assert_eq!(frames, NZ / 2);
}

#[test]
fn what_makes_no_film_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let cube = navigated(dir.path(), &PLAIN, &[]).display().to_string();
    let out = dir.path().join("a.gif").display().to_string();
    let mp4 = dir.path().join("a.mp4").display().to_string();
    let plain = dir.path().join("saturn_s3d.fits").display().to_string();
    let avi = dir.path().join("a.avi").display().to_string();
    let cases: [(&[&str], i32, &str); 6] = [
        (&[&cube, "-o", &avi], 2, "has to end in .gif"),
        match cfg!(feature = "mp4") {
            true => (&[&cube, "-o", &mp4, "--fps", "0"], 2, "--fps"),
            false => (&[&cube, "-o", &mp4], 2, "--features mp4"),
        },
        (&[&cube, "-o", &out, "--fps", "0"], 2, "--fps"),
        (&[&cube, "-o", &out, "--width", "10"], 2, "--width"),
        (&[&plain, "-o", &out], 3, "sifu navigate"),
        (&[&cube, "-o", &out, "--zonal", &cube], 3, "zonal"),
    ];
    for (args, expected, what) in cases {
        let (code, said) = program(&[&["animate"], args].concat());
        assert_eq!(code, expected, "{said}");
        assert!(said.contains(what), "{said}");
        assert!(!Path::new(&out).exists() && !Path::new(&mp4).exists());
    }
    // without a body there is nothing to put the pictures on
    let basic = tempfile::tempdir().unwrap();
    let cube = navigated(basic.path(), &PLAIN, &["--basic"])
        .display()
        .to_string();
    let (code, said) = program(&["animate", &cube, "-o", &out]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("body"), "{said}");
}

#[cfg(feature = "mp4")]
#[test]
fn a_film_as_mp4_has_the_frames_of_the_gif() {
    use openh264::formats::YUVSource;

    let dir = tempfile::tempdir().unwrap();
    let cubes = dithers(dir.path());
    let names: Vec<String> = cubes.iter().map(|c| c.display().to_string()).collect();
    let out = dir.path().join("film.mp4");
    let name = out.display().to_string();
    let width = SMALL.to_string();
    let args = [
        "animate", &names[0], &names[1], "-o", &name, "--width", &width, "--fps", "10",
    ];
    let args = [&args[..], &["--wavelength-step", "2"]].concat();
    let (code, said) = program(&args);
    assert_eq!(code, 0, "{said}");
    let bytes = std::fs::read(&out).unwrap();
    let n = bytes.len() as u64;
    let mut read = mp4::Mp4Reader::read_header(std::io::Cursor::new(bytes), n).unwrap();
    let track = &read.tracks()[&1];
    assert_eq!((track.width(), track.height()), (450, 322));
    assert_eq!(track.sample_count() as usize, NZ / 2);
    assert!((track.frame_rate() - 10.0).abs() < 1e-6);
    let start = [0, 0, 0, 1];
    let parameters = [
        track.sequence_parameter_set().unwrap(),
        track.picture_parameter_set().unwrap(),
    ];
    let mut stream: Vec<u8> = parameters
        .iter()
        .flat_map(|p| [&start, *p].concat())
        .collect();
    let mut decoder = openh264::decoder::Decoder::new().unwrap();
    let options = Options { step: 2, ..small() };
    let (film, sheet) = filmed(&cubes, options);
    for k in 0..NZ / 2 {
        let sample = read.read_sample(1, k as u32 + 1).unwrap().unwrap();
        let mut rest = &sample.bytes[..];
        while let Some((length, unit)) = rest.split_first_chunk::<4>() {
            let (unit, after) = unit.split_at(u32::from_be_bytes(*length) as usize);
            stream.extend(start);
            stream.extend(unit);
            rest = after;
        }
        let picture = decoder.decode(&stream).unwrap().expect("a picture");
        stream.clear();
        assert_eq!(picture.dimensions(), (450, 322));
        // ITU-R BT.709 in limited range, as the file says
        let rgb = |x: usize, y: usize| {
            let (a, b, _) = picture.strides();
            let l = (f64::from(picture.y()[y * a + x]) - 16.0) * 255.0 / 219.0;
            let chroma = |p: &[u8]| (f64::from(p[y / 2 * b + x / 2]) - 128.0) * 255.0 / 224.0;
            let (u, v) = (chroma(picture.u()), chroma(picture.v()));
            [l + 1.5748 * v, l - 0.1873 * u - 0.4681 * v, l + 1.8556 * u]
        };
        let want = colours(&film, &sheet, k);
        let (mut off, mut means) = ([0.0; 3], [[0.0; 3]; 2]);
        for (i, want) in want.iter().enumerate() {
            let got = rgb(i % 450, i / 450);
            for c in 0..3 {
                off[c] += (got[c] - f64::from(want[c])).abs();
                means[0][c] += got[c];
                means[1][c] += f64::from(want[c]);
            }
        }
        let n = want.len() as f64;
        for c in 0..3 {
            let mean = (means[0][c] - means[1][c]) / n;
            assert!(mean.abs() < 1.0, "frame {k}: {mean} of 255 off on average");
            assert!(off[c] / n < 4.0, "frame {k}: {} of 255 off", off[c] / n);
        }
    }
}
