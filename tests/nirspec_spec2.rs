//! calwebb_spec2 of the NIRSpec IFU from `_rate` to `_cal`, with the instrument model of an invented spectrograph and reference files
//! whose values are constants, so that every good pixel must have the same value.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sifu::exec::Exec;
use sifu::formats::asdf::{AsdfFile, Node, fits_extension, to_bytes};
use sifu::formats::fits::{Data, FitsFile, Hdu, Header, Image, Product, TableBuilder};
use sifu::model::{Cal, Meta, Rate, Shape, dq};
use sifu::pipeline::recipe::spec2::{Job, Options, spec2};
use sifu::pipeline::settings::Settings;
use sifu::steps::combine::adaptive_trace_model::{AdaptiveTraceModel, AdaptiveTraceModelParams};
use sifu::steps::combine::pixel_replace::{Algorithm, PixelReplace, PixelReplaceParams};
use sifu::steps::step::{RefPaths, Step, Target};
use sifu::store::association::Association;
use sifu::store::cal::read_cal;
use sifu::store::products::write_rate;
use sifu::store::references::{Found, References};
use sifu::wcs::{ExposureWcs, map_of};

const SIZE: usize = 2048;
/// Values of the reference files.
const FORE: f32 = 0.25;
const SPECTROGRAPH: f32 = 2.0;
const PASSES: f32 = 0.5;
const MEGAJANSKY: f32 = 1e-6;
const AREA: f32 = 0.01;

/// A folder of reference files by type; no other types apply, and none sets parameters.
struct Files(BTreeMap<String, PathBuf>);

impl References for Files {
    fn find(&self, _: &Meta, kind: &str) -> sifu::Result<Found> {
        let path = self.0.get(kind).cloned();
        Ok(Found {
            name: path.as_ref().map(|p| p.display().to_string()),
            path,
            why: "made for the test".into(),
        })
    }
    fn parameters(
        &self,
        _: &Meta,
        _: Option<&str>,
        _: &str,
        _: &str,
    ) -> sifu::Result<Vec<(String, toml::Table)>> {
        Ok(Vec::new())
    }
    fn context(&self) -> Option<String> {
        None
    }
}

fn hdu(name: &str, header: Header, data: Data) -> Hdu {
    let mut header = header;
    header.set("EXTNAME", name, "");
    Hdu { header, data }
}

fn image(name: &str, shape: &[usize], value: f32, axis: Option<usize>) -> Hdu {
    let mut header = Header::new();
    for k in 1..=shape.len() {
        let wave = axis == Some(k);
        header.set(&format!("CRPIX{k}"), 1.0, "");
        header.set(&format!("CRVAL{k}"), if wave { 1e-7 } else { -0.5 }, "");
        header.set(&format!("CDELT{k}"), if wave { 1e-6 } else { 0.5 }, "");
    }
    let values = vec![value; shape.iter().product()];
    hdu(name, header, Data::Image(Image::new(shape, values)))
}

fn table(name: &str, built: TableBuilder) -> Hdu {
    let (header, table) = built.build(name);
    hdu(name, header, Data::Table(table))
}

/// Writes the files and says where they are.
fn references(dir: &Path) -> Files {
    let mut files = BTreeMap::new();
    let golden = AsdfFile::open("tests/golden/wcs/nirspec_model.asdf").expect("golden");
    let shutters = AsdfFile::open("tests/golden/wcs/nirspec_shutters.asdf").expect("golden");
    let mut tree = |kind: &str, node: &Node| {
        let path = dir.join(format!("{kind}.asdf"));
        std::fs::write(&path, to_bytes(node).expect("a tree")).expect("written");
        files.insert(kind.to_owned(), path);
    };
    for kind in [
        "camera",
        "collimator",
        "fore",
        "fpa",
        "ifufore",
        "ifupost",
        "ifuslicer",
        "ote",
        "wavelengthrange",
        "chromcorr",
    ] {
        tree(kind, golden.require(&format!("refs.{kind}")).expect(kind));
    }
    tree(
        "disperser",
        golden.require("refs.disperser-G395H").expect("grating"),
    );
    tree("msa", shutters.require("msa").expect("shutters"));
    let path = dir.join("msaoper.json");
    let entry =
        r#"{"Q": 1, "x": 300, "y": 2, "state": "open", "TA state": "", "Internal state": ""}"#;
    std::fs::write(&path, format!(r#"{{"msaoper": [{entry}]}}"#)).expect("written");
    files.insert("msaoper".into(), path);

    let fast = |value: f32| {
        let built = TableBuilder::new(1)
            .i32("nelem", &[2])
            .f32("wavelength", &[0.5, 6.0])
            .f32("data", &[value, value])
            .f32("error", &[0.0, 0.0]);
        table("FAST_VARIATION", built)
    };
    let conversion = TableBuilder::new(1)
        .text("filter", 12, &["F290LP"])
        .text("grating", 15, &["G395H"])
        .f32("photmj", &[MEGAJANSKY])
        .i32("nelem", &[2])
        .f32("wavelength", &[0.5, 6.0])
        .f32("relresponse", &[1.0, 1.0]);
    let slices: Vec<i32> = (0..30).collect();
    let areas = TableBuilder::new(30)
        .i32("slice_id", &slices)
        .f32("pixarea", &[AREA; 30]);
    let losses = vec![
        image("PS", &[8, 3, 3], 0.125, Some(3)),
        image("UNI", &[8], PASSES, Some(1)),
    ];
    for (kind, hdus) in [
        ("fflat", vec![fast(FORE)]),
        (
            "sflat",
            vec![image("SCI", &[SIZE, SIZE], SPECTROGRAPH, None), fast(1.0)],
        ),
        ("pathloss", losses),
        ("photom", vec![table("PHOTOM", conversion)]),
        ("area", vec![table("AREA", areas)]),
    ] {
        let mut all = vec![Hdu {
            header: Header::new(),
            data: Data::None,
        }];
        all.extend(hdus);
        let path = dir.join(format!("{kind}.fits"));
        Product { hdus: all }.write(&path, false).expect("written");
        files.insert(kind.into(), path);
    }
    Files(files)
}

/// An exposure of one value.
fn rate(path: &Path, value: f32, detector: &str, grating: &str) {
    let mut primary = Header::new();
    for (keyword, text) in [
        ("TELESCOP", "JWST"),
        ("INSTRUME", "NIRSPEC"),
        ("DETECTOR", detector),
        ("FILTER", "F290LP"),
        ("GRATING", grating),
        ("EXP_TYPE", "NRS_IFU"),
        ("SUBARRAY", "FULL"),
        ("SRCTYAPT", "EXTENDED"),
        ("DATE-OBS", "2024-01-01"),
        ("TIME-OBS", "00:00:00"),
    ] {
        primary.set(keyword, text, "");
    }
    for (keyword, number) in [
        ("SUBSTRT1", 1i64),
        ("SUBSTRT2", 1),
        ("SUBSIZE1", 2048),
        ("SUBSIZE2", 2048),
    ] {
        primary.set(keyword, number, "");
    }
    let mut sci = Header::new();
    for (keyword, number) in [
        ("GWA_XTIL", 0.3404),
        ("GWA_YTIL", 0.0302),
        ("GWA_TILT", 38.1),
    ] {
        primary.set(keyword, number, "");
    }
    for (keyword, number) in [
        ("V2_REF", 300.3),
        ("V3_REF", -497.9),
        ("RA_REF", 359.9995),
        ("DEC_REF", -42.5),
        ("ROLL_REF", 121.3),
        ("VA_SCALE", 1.00005),
        ("CDELT3", 0.0),
    ] {
        sci.set(keyword, number, "");
    }
    sci.set("EXTNAME", "SCI", "");
    sci.set("BUNIT", "DN/s", "");
    let n = SIZE * SIZE;
    let rate = Rate {
        meta: Meta {
            source: path.into(),
            primary,
            sci,
            ..Meta::default()
        },
        nints: None,
        ny: SIZE,
        nx: SIZE,
        sci: vec![value; n],
        err: vec![1.0; n],
        dq: vec![0; n],
        var_poisson: vec![0.75; n],
        var_rnoise: vec![0.25; n],
        extra: Vec::new(),
    };
    let asdf = fits_extension(&Node::mapping()).expect("a tree");
    write_rate(path, &rate, &asdf).expect("written");
}

fn settings() -> Settings {
    let text = "[cube_build]\nskip = true";
    let table: toml::Table = text.parse().expect("TOML");
    Settings::default().beneath("test", table)
}

#[test]
fn an_association_with_an_imprint_becomes_a_calibrated_image() {
    association(settings());
}

/// The same where the points of the WCS carry the number of their slice.
#[test]
fn so_it_does_with_a_wcs_of_slices() {
    let text = "nrs_ifu_slice_wcs = true";
    let by_number: toml::Table = format!("[assign_wcs]\n{text}").parse().expect("TOML");
    let cal = association(settings().beneath("test", by_number));
    oversampled(cal, &Exec::new(None).expect("threads"));
}

/// Reduces an exposure and its imprint, checks the product and gives it.
fn association(settings: Settings) -> Cal {
    let dir = tempfile::tempdir().expect("folder");
    let refs = references(dir.path());
    let [science, leak] = ["science_rate.fits", "leak_rate.fits"].map(|n| dir.path().join(n));
    rate(&science, 7.0, "NRS1", "G395H");
    rate(&leak, 2.0, "NRS1", "G395H");
    let asn = dir.path().join("asn.json");
    let text = r#"{"asn_id": "a3001", "asn_pool": "pool", "products": [{"name": "p", "members": [
        {"expname": "science_rate.fits", "exptype": "science"}, {"expname": "leak_rate.fits", "exptype": "imprint"}]}]}"#;
    std::fs::write(&asn, text).expect("written");
    let asn = Association::read(&asn).expect("an association");
    let job = Job::of_product(&asn, &asn.products[0]).expect("a product");
    let options = Options {
        out: dir.path().into(),
        save_intermediates: false,
    };
    let exec = Exec::new(None).expect("threads");
    let report = spec2(&job, &settings, &refs, &exec, &options, &|_| {}).expect("reduced");
    assert_eq!(report.products, [dir.path().join("p_cal.fits")]);

    let file = FitsFile::open(&report.products[0]).expect("opens");
    let names: Vec<String> = file.hdus().iter().skip(1).map(|h| h.name()).collect();
    assert_eq!(
        names,
        [
            "SCI",
            "ERR",
            "DQ",
            "REGIONS",
            "VAR_POISSON",
            "VAR_RNOISE",
            "VAR_FLAT",
            "WAVELENGTH",
            "PATHLOSS_PS",
            "PATHLOSS_UN",
            "ASDF"
        ]
    );
    let primary = &file.hdus()[0].header;
    for (keyword, status) in [
        ("S_WCS", "COMPLETE"),
        ("S_MSAFLG", "COMPLETE"),
        ("S_IMPRNT", "COMPLETE"),
        ("S_FLAT", "COMPLETE"),
        ("S_PTHLOS", "COMPLETE"),
        ("S_PHOTOM", "COMPLETE"),
        ("S_BKDSUB", "SKIPPED"),
        ("S_BPXSLF", "SKIPPED"),
        ("S_STRAY", "SKIPPED"),
        ("S_FRINGE", "SKIPPED"),
    ] {
        assert_eq!(primary.str(keyword), Some(status), "{keyword}");
    }
    let at = |name: &str| file.need(name).expect(name);
    let sci: Vec<f32> = file.all(at("SCI")).expect("pixels");
    let regions: Vec<i32> = file.all(at("REGIONS")).expect("labels");
    let dq: Vec<u32> = file.all(at("DQ")).expect("flags");
    let steradian = (std::f32::consts::PI / 648_000.0).powi(2) * AREA;
    let expected = (7.0 - 2.0) / (FORE * SPECTROGRAPH) / PASSES * MEGAJANSKY / steradian;
    let (mut good, mut stuck) = (0, 0);
    for ((value, label), flags) in sci.iter().zip(&regions).zip(&dq) {
        stuck += u32::from(flags & 1 << 29 != 0);
        if *label == 0 {
            assert!(value.is_nan() && flags & 1 != 0 && flags & 1 << 9 != 0);
        } else {
            assert!(
                ((value - expected) / expected).abs() < 1e-5,
                "{value} {expected}"
            );
            assert_eq!(flags & !(1 << 29), 0);
            good += 1;
        }
    }
    assert_eq!(stuck, 14966);
    assert!(good > 500_000, "{good}");
    read_cal(&report.products[0]).expect("reads")
}

/// The trace model of the product, with finer rows: its WCS leads from these to where the others lead.
fn oversampled(cal: Cal, exec: &Exec) {
    let coarse = map_of(&cal).expect("a map");
    let labels = cal
        .extra
        .iter()
        .find(|h| h.header.str("EXTNAME") == Some("REGIONS"));
    let Some(Data::Image(labels)) = labels.map(|h| &h.data) else {
        panic!("no labels");
    };
    let labels = labels.pixels.to_f64();
    assert!(
        coarse
            .slice
            .iter()
            .zip(labels)
            .all(|(a, b)| f64::from(*a) == b)
    );
    assert!(ExposureWcs::of(&cal).expect("a WCS").by_number());
    let params = AdaptiveTraceModelParams {
        oversample: 3.0,
        ..AdaptiveTraceModelParams::default()
    };
    let input = cal.clone();
    let target = Target {
        meta: cal.meta.clone(),
        shape: Shape {
            nints: 1,
            ngroups: 1,
            ny: SIZE,
            nx: SIZE,
        },
        out: None,
    };
    let none = AdaptiveTraceModel::load(&RefPaths::default(), &target, &params).expect("loads");
    let mut finer = AdaptiveTraceModel::run(cal, &none, &params, exec).expect("oversampled");
    assert_eq!((finer.ny, finer.nx), (3 * SIZE, SIZE));
    finer.map = Default::default();
    let fine = map_of(&finer).expect("a map");
    let near = |a: f64, b: f64| (a - b).abs() < 1e-9 || a.is_nan() && b.is_nan();
    for p in (0..SIZE * SIZE).filter(|p| coarse.slice[*p] > 0) {
        // of three finer rows the middle one lies in the pixel's middle
        let q = (p / SIZE * 3 + 1) * SIZE + p % SIZE;
        assert_eq!(fine.slice[q], coarse.slice[p]);
        assert!(near(fine.lambda[q], coarse.lambda[p]) && near(fine.ra[q], coarse.ra[p]));
    }
    assert!(ExposureWcs::of(&finer).expect("a WCS").by_number());
    let said = AdaptiveTraceModel::run(finer, &none, &params, exec);
    assert!(
        said.expect_err("twice")
            .to_string()
            .contains("oversampled already")
    );

    // an exposure without its labels at hand finds them by its WCS
    let mut bare = input;
    bare.extra
        .retain(|h| h.header.str("EXTNAME") != Some("REGIONS"));
    let ninth: Vec<usize> = (0..SIZE * SIZE).filter(|p| coarse.slice[*p] == 9).collect();
    let hole = ninth[ninth.len() / 2];
    let expected = std::mem::replace(&mut bare.sci[hole], f32::NAN);
    bare.dq[hole] |= dq::DO_NOT_USE;
    let params = PixelReplaceParams {
        algorithm: Algorithm::FitProfile,
        ..PixelReplaceParams::default()
    };
    let filled = PixelReplace::run(bare, &(), &params, exec).expect("replaced");
    assert!((filled.sci[hole] / expected - 1.0).abs() < 1e-4);
    assert!(filled.dq[hole] & dq::FLUX_ESTIMATED != 0);
}

#[test]
fn what_does_not_fit_is_refused() {
    let dir = tempfile::tempdir().expect("folder");
    let refs = Files(BTreeMap::new());
    let exec = Exec::new(Some(1)).expect("threads");
    let options = Options {
        out: dir.path().into(),
        save_intermediates: false,
    };
    let [science, leak] = ["a_rate.fits", "b_rate.fits"].map(|n| dir.path().join(n));
    let said = |job: &Job| {
        let done = spec2(job, &settings(), &refs, &exec, &options, &|_| {});
        done.expect_err("refused").to_string()
    };
    // the medium gratings leave NRS2 dark
    rate(&science, 1.0, "NRS2", "G395M");
    let alone = Job::alone(&science, &[]);
    assert!(said(&alone).contains("no slice of the IFU falls on NRS2"));
    // an imprint of another grating
    rate(&leak, 1.0, "NRS2", "G395H");
    let job = Job {
        imprint: vec![leak.clone()],
        ..alone
    };
    let said = said(&job);
    assert!(
        said.contains("b_rate.fits") && said.contains("GRATING"),
        "{said}"
    );
}
