//! refpix of NIRSpec, traditional and IRS2, on frames of numbers made here and there: the bits of the Python pipeline in
//! sampled pixels (`tests/golden/make_refpix_nir.py`), all its flags, for any number of threads.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::Value;
use sifu::exec::Exec;
use sifu::math::numpy_fft::{Lanes, Plan};
use sifu::model::{Meta, Ramp, Shape};
use sifu::steps::detector::refpix::irs2::noise::Four;
use sifu::steps::detector::refpix::irs2::series::LENGTH;
use sifu::steps::detector::refpix::irs2::{self, Weights, bad};
use sifu::steps::detector::refpix::nir::{self, Orientation};
use sifu::steps::detector::refpix::{Refpix, RefpixParams};
use sifu::steps::step::Step;

const N: usize = 2048;

/// Numbers from 0 to 255.75 in steps of 0.25.
fn number(n: usize, seed: u64) -> f32 {
    let mut n = (n as u64).wrapping_add(seed << 32);
    for _ in 0..2 {
        n = (n ^ (n >> 29)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    (n >> 54) as f32 / 4.0
}

fn cases() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = File::open(root.join("tests/golden/refpix_nir/golden.json.gz")).expect("golden");
    let cases: Value = serde_json::from_reader(GzDecoder::new(file)).expect("JSON");
    cases.as_array().expect("cases").clone()
}

fn whole(v: &Value) -> usize {
    v.as_u64().expect("a whole number") as usize
}

fn ramp(case: &Value) -> Ramp {
    let seed = case["seed"].as_u64().expect("seed");
    let shape = Shape {
        nints: whole(&case["nints"]),
        ngroups: whole(&case["ngroups"]),
        ny: if case["irs2"] == true { 3200 } else { N },
        nx: N,
    };
    let plane = shape.plane();
    let value = |n: usize| {
        let (group, y) = (n / plane % shape.ngroups, n % plane / N);
        number(n, seed) + 40.0 * group as f32 + (y % 5 * 3) as f32
    };
    let mut data: Vec<f32> = (0..shape.planes() * plane).map(value).collect();
    let list = |name: &str| case[name].as_array().expect("a list").clone();
    for c in list("changes") {
        let at = whole(&c[0]) * plane + whole(&c[1]) * N + whole(&c[2]);
        data[at] = match c[3].as_str() {
            Some(text) => text.parse().expect("a number"),
            None => c[3].as_f64().expect("a number") as f32,
        };
    }
    let mut pixeldq = vec![0u32; plane];
    for f in list("flags") {
        for y in whole(&f[0])..whole(&f[1]) {
            let row = &mut pixeldq[y * N..(y + 1) * N];
            let own = &mut row[whole(&f[2])..whole(&f[3])];
            own.iter_mut().for_each(|d| *d |= whole(&f[4]) as u32);
        }
    }
    for b in list("boxes") {
        for y in whole(&b[1])..whole(&b[2]) {
            let from = whole(&b[0]) * plane + y * N;
            let value = b[5].as_f64().expect("a number") as f32;
            data[from + whole(&b[3])..from + whole(&b[4])].fill(value);
        }
    }
    let mut meta = Meta::default();
    let detector = case["detector"].as_str().expect("a detector");
    meta.primary.set("INSTRUME", "NIRSPEC", "");
    meta.primary.set("DETECTOR", detector, "");
    let (fast, slow) = if detector == "NRS1" { (2, 1) } else { (-2, -1) };
    meta.primary.set("FASTAXIS", i64::from(fast), "");
    meta.primary.set("SLOWAXIS", i64::from(slow), "");
    Ramp {
        meta,
        shape,
        first_int: 0,
        data: data.into(),
        pixeldq,
        groupdq: vec![4; shape.planes() * plane].into(),
        average_dark_current: None,
        extra: Vec::new(),
    }
}

fn params(case: &Value) -> RefpixParams {
    let given: toml::Table = serde_json::from_value(case["params"].clone()).expect("parameters");
    given.try_into().expect("parameters")
}

/// Bits of the sampled pixels, and how many pixels have which flags, as Python has them.
fn agrees(case: &Value, out: &Ramp) {
    let name = &case["name"];
    assert_eq!((out.shape.ny, out.shape.nx), (N, N), "{name}");
    assert_eq!(out.data.len(), out.groupdq.len());
    let mut off = Vec::new();
    for pixel in case["pixels"].as_array().expect("pixels") {
        let (at, bits) = (whole(&pixel[0]), pixel[1].as_u64());
        let own = out.data[at];
        let same = match bits {
            Some(bits) => u64::from(own.to_bits()) == bits,
            None => own.is_nan(),
        };
        if !same {
            off.push((at, own, bits.map(|b| f32::from_bits(b as u32))));
        }
    }
    assert!(
        off.is_empty(),
        "{name}: {} off: {:?}",
        off.len(),
        &off[..off.len().min(5)]
    );
    let mut flagged = BTreeMap::new();
    for d in &out.pixeldq {
        *flagged.entry(d.to_string()).or_insert(0usize) += 1;
    }
    let expect: BTreeMap<String, usize> =
        serde_json::from_value(case["flagged"].clone()).expect("flags");
    assert_eq!(flagged, expect, "{name}");
    assert!(out.groupdq.iter().all(|g| *g == 4));
}

#[test]
fn traditional_readout() {
    let cases: Vec<Value> = cases().into_iter().filter(|c| c["irs2"] == false).collect();
    assert_eq!(cases.len(), 6);
    for case in cases {
        let params = params(&case);
        let input = ramp(&case);
        let orientation = Orientation::of(&input.meta).expect("orientation");
        let mut bits = Vec::new();
        for threads in [1, 3] {
            let mut out = input.clone();
            let exec = Exec::new(Some(threads)).expect("threads");
            nir::correct_ramp(&mut out, orientation, None, &params, &exec);
            agrees(&case, &out);
            bits.push(out.data.iter().map(|v| v.to_bits()).collect::<Vec<_>>());
        }
        assert!(bits[0] == bits[1], "threads matter");
    }
}

fn weights(case: &Value) -> Weights {
    let column = |i: u64| -> Vec<[f32; 2]> {
        let value = |n: usize| number(n, 50 + i) / 1024.0;
        let mut c: Vec<[f32; 2]> = (0..LENGTH)
            .map(|k| [value(2 * k), value(2 * k + 1)])
            .collect();
        let half = LENGTH / 2;
        for k in half + 1..LENGTH {
            let [re, im] = c[LENGTH - k];
            c[k] = [re, -im];
        }
        c[0][1] = 0.0;
        c[half][1] = 0.0;
        c
    };
    let four = |first: u64| -> Vec<Four> {
        let columns: [Vec<[f32; 2]>; 4] = std::array::from_fn(|l| column(first + l as u64));
        let at = |k: usize| Four {
            re: std::array::from_fn(|l| columns[l][k][0]),
            im: std::array::from_fn(|l| columns[l][k][1]),
        };
        (0..LENGTH).map(at).collect()
    };
    let entry = |e: &Value| (whole(&e[0]), whole(&e[1]), whole(&e[2]) as u32);
    let entries: Vec<_> = case["named"]
        .as_array()
        .expect("a list")
        .iter()
        .map(entry)
        .collect();
    let named = (!entries.is_empty()).then(|| bad::named(&entries));
    Weights::new(four(4), four(0), named).expect("weights")
}

#[test]
fn irs2_readout() {
    let cases: Vec<Value> = cases().into_iter().filter(|c| c["irs2"] == true).collect();
    assert_eq!(cases.len(), 3);
    for (i, case) in cases.iter().enumerate() {
        let weights = weights(case);
        let exec = Exec::new(Some(1 + i)).expect("threads");
        let out =
            irs2::correct_ramp(ramp(case), &weights, &params(case), &exec).expect("corrected");
        agrees(case, &out);
    }
}

#[test]
fn what_is_refused() {
    let case = &cases()[0];
    let refused = |change: &dyn Fn(&mut Ramp, &mut RefpixParams)| {
        let (mut r, mut p) = (ramp(case), RefpixParams::default());
        change(&mut r, &mut p);
        Refpix::not_applicable(&r, &p)
            .expect_err("refused")
            .to_string()
    };
    assert!(refused(&|r, _| r.shape.ny = 256).contains("subarrays"));
    assert!(refused(&|_, p| p.side_smoothing_length = 1).contains("side_smoothing_length"));
    let preserve = refused(&|r, p| {
        r.shape.ny = 3200;
        p.preserve_irs2_refpix = true;
    });
    assert!(preserve.contains("preserve_irs2_refpix"));
    let other = refused(&|r, _| r.meta.primary.set("INSTRUME", "NIRISS", ""));
    assert!(other.contains("NIRISS"));
    assert!(
        Refpix::not_applicable(&ramp(case), &RefpixParams::default())
            .expect("fine")
            .is_none()
    );
}

/// numpy: z = np.cumsum(np.arange(832) * 37 % 101 - 50).reshape(416, 2).astype("f4").view("c8").ravel(), and the bits of
/// np.fft.ifft(z)[[0, 1, 7, 208, 415]] (single precision) and of np.fft.fft(z)[1] (double precision, rounded).
#[test]
fn transforms_have_numpys_bits() {
    let mut sum = 0.0f32;
    let series: Vec<f32> = (0..832)
        .map(|n| {
            sum += (n * 37 % 101) as f32 - 50.0;
            sum
        })
        .collect();
    let single = series.as_chunks::<2>().0.iter().map(|c| Lanes::<f32, 2> {
        re: [0.0, c[0]],
        im: [1.0, c[1]],
    });
    let mut z: Vec<_> = single.collect();
    let plan = Plan::<f32>::new(416).expect("a plan");
    plan.backward(&mut z, &mut Vec::new(), None);
    for (k, expect) in SINGLE {
        let scaled = z[k].scaled(1.0 / 416.0);
        assert_eq!(
            [scaled.re[1].to_bits(), scaled.im[1].to_bits()],
            expect,
            "{k}"
        );
    }
    let double = series.as_chunks::<2>().0.iter().map(|c| Lanes::<f64, 1> {
        re: [c[0].into()],
        im: [c[1].into()],
    });
    let mut z: Vec<_> = double.collect();
    let plan = Plan::<f64>::new(416).expect("a plan");
    plan.forward(&mut z, &mut Vec::new(), None);
    assert_eq!(
        [z[1].re[0] as f32, z[1].im[0] as f32].map(f32::to_bits),
        DOUBLE
    );
    // other factors, and primes too large for the direct way
    for len in [12, 22, 11, 8 * 11, 4 * 89, 17 * 19 * 8] {
        assert!(Plan::<f32>::new(len).is_none(), "{len}");
    }
}

const SINGLE: [(usize, [u32; 2]); 5] = [
    (0, [0xc20b_3d8a, 0xc20b_6c4f]),
    (1, [0xbf4c_c4ad, 0xbf5f_1582]),
    (7, [0xc002_84d6, 0xc025_2103]),
    (208, [0x3dbf_fffc, 0x3e76_276c]),
    (415, [0xbf56_78d1, 0xbf5b_745e]),
];
const DOUBLE: [u32; 2] = [0xc3ae_4227, 0xc3b2_4e8c];
