//! The pointing that `nav::limb` finds, against scenes whose offset is known.
//!
//! `SIFU_LIMB_SCENES=50 cargo test --release --test limb_fit statistics -- --nocapture` draws 50 scenes of every body (250
//! in all) and prints the figures that the documentation quotes; without it a few of the same are drawn.

mod scenes;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use scenes::{BODIES, Body, Face, Look, Random, Setting, draw, observe, wave};
use sifu::nav::limb::{Fit, Image, Options, Refusal, Regime, fit};
use sifu::view::figure::{Figure, Item, Rect, Segment};
use sifu::view::{limb as view, text};

/// Differences from the truth along the best and the worst constrained direction, and the errors stated for them.
struct Outcome {
    body: Body,
    off: [f64; 2],
    stated: [f64; 2],
    regime: Regime,
}

fn compare(found: &Fit, truth: [f64; 2], body: Body) -> Outcome {
    let [best, worst, angle] = found.ellipse();
    let (d, e) = (found.dec_offset - truth[1], found.ra_offset - truth[0]);
    let (s, c) = angle.to_radians().sin_cos();
    Outcome {
        body,
        off: [e * c - d * s, e * s + d * c],
        stated: [best, worst],
        regime: found.regime,
    }
}

fn rms(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut n) = (0.0, 0.0);
    for v in values {
        sum += v * v;
        n += 1.0;
    }
    (sum / f64::max(n, 1.0)).sqrt()
}

/// Share of the pulls within 1, 2 and 3, and the largest.
fn pulls(outcomes: &[&Outcome]) -> [f64; 4] {
    let pulls: Vec<f64> = outcomes
        .iter()
        .flat_map(|o| [o.off[0] / o.stated[0], o.off[1] / o.stated[1]])
        .map(f64::abs)
        .collect();
    let within = |k| pulls.iter().filter(|p| **p < k).count() as f64 / pulls.len().max(1) as f64;
    let largest = pulls.iter().copied().fold(0.0, f64::max);
    [within(1.0), within(2.0), within(3.0), largest]
}

/// What came of a scene, or why nothing did.
type Found = Result<Outcome, Refusal>;

/// Scenes by body and number, on all processors.
fn outcomes(jobs: &[(Body, u64)]) -> Vec<Found> {
    let next = AtomicUsize::new(0);
    let out: Mutex<Vec<(usize, Found)>> = Mutex::default();
    let work = || {
        while let Some((i, (body, k))) = {
            let i = next.fetch_add(1, Ordering::Relaxed);
            jobs.get(i).map(|job| (i, *job))
        } {
            let (face, look, setting, mut r) = draw(k * 977 + body as u64 + 1, body);
            let image = observe(&face, &look, &setting, &mut r);
            let found = fit(&[image], &Options::default());
            let found = found.map(|f| compare(&f, setting.offset, body));
            out.lock().expect("no panic").push((i, found));
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|s| (0..threads).for_each(|_| drop(s.spawn(work))));
    let mut out = out.into_inner().expect("no panic");
    out.sort_by_key(|(i, _)| *i);
    out.into_iter().map(|(_, found)| found).collect()
}

/// Scenes that nothing was chosen by.
const UNSEEN: u64 = 20_000;

#[test]
fn statistics() {
    let asked = std::env::var("SIFU_LIMB_SCENES").ok();
    let each: Option<u64> = asked.map(|n| n.parse().expect("a number of scenes"));
    let count = |body| {
        each.unwrap_or(match body {
            Body::Jupiter | Body::Saturn => 2,
            Body::Uranus => 2,
            Body::Neptune => 4,
            Body::Titan => 8,
        })
    };
    let jobs: Vec<(Body, u64)> = BODIES
        .into_iter()
        .flat_map(|body| (0..count(body)).map(move |k| (body, UNSEEN + k)))
        .collect();
    let (mut all, mut refused) = (Vec::new(), 0);
    for ((body, k), found) in jobs.iter().zip(outcomes(&jobs)) {
        match found {
            Ok(found) => all.push(found),
            Err(why) => {
                println!("{body:?} {k}: {why}");
                refused += 1;
            }
        }
    }
    let say = |name: &str, own: &[&Outcome]| {
        let [one, two, three, largest] = pulls(own);
        println!(
            "{name}: {} fits; best direction rms {:.4} (stated {:.4}), worst {:.4} ({:.4}); within 1 sigma {one:.3}, 2 sigma {two:.3}, 3 sigma {three:.3}, largest {largest:.1}",
            own.len(),
            rms(own.iter().map(|o| o.off[0])),
            rms(own.iter().map(|o| o.stated[0])),
            rms(own.iter().map(|o| o.off[1])),
            rms(own.iter().map(|o| o.stated[1])),
        );
    };
    for body in BODIES {
        let own: Vec<&Outcome> = all.iter().filter(|o| o.body == body).collect();
        say(&format!("{body:?}"), &own);
    }
    let all: Vec<&Outcome> = all.iter().collect();
    say("all", &all);
    println!("{refused} refused");
    // both directions of whole discs, the one across the limb where it crosses the field
    let disc = |o: &&&Outcome| o.regime == Regime::Disc || o.body == Body::Titan;
    let across = rms(all.iter().map(|o| o.off[0]));
    let whole = rms(all.iter().filter(disc).flat_map(|o| o.off));
    println!("best direction {across:.4}, both directions of whole discs {whole:.4}");
    let [one, two, _, largest] = pulls(&all);
    // few scenes scatter more than many do
    let (most, share) = match all.len() {
        200.. => (0.012, 0.61..0.75),
        _ => (0.02, 0.5..0.9),
    };
    assert!(across < 0.02, "{across}");
    assert!(whole < most, "{whole}");
    assert!(share.contains(&one), "{one}");
    assert!(two > 0.88, "{two}");
    assert!(largest < 5.0, "{largest}");
    for o in &all {
        assert!(o.off[0].abs() < 0.12 && o.stated[1] < 0.52, "{:?}", o.body);
    }
    assert!(refused * 25 <= jobs.len(), "{refused}");
}

/// A plain disc in the middle of the field.
fn simple(body: Body, channel: usize, scale: f64, r: &mut Random) -> (Face, Look, Setting) {
    let face = Face::new(body, scale, None, r);
    let look = Look::new(body, &face, wave(channel), r).plain();
    let setting = Setting {
        body,
        channel,
        offset: [0.0; 2],
        turn: 0.0,
        centre: [0.1, -0.05],
        angle: 0.7,
        signal_to_noise: 150.0,
    };
    (face, look, setting)
}

#[test]
fn bodies_smaller_than_a_spaxel_have_a_centre() {
    let mut r = Random::new(3);
    let (face, look, mut setting) = simple(Body::Titan, 2, 0.1, &mut r);
    setting.offset = [0.62, -0.71];
    let found = fit(
        &[observe(&face, &look, &setting, &mut r)],
        &Options::default(),
    );
    let found = found.expect("a point is enough");
    assert_eq!(found.regime, Regime::Point);
    let o = compare(&found, setting.offset, Body::Titan);
    assert!(o.off.iter().all(|d| d.abs() < 0.02), "{}", found.message);
    assert!(o.off[0].abs() < 4.0 * o.stated[0] && o.stated[1] < 0.03);
}

#[test]
fn straight_limbs_constrain_one_direction() {
    // a body so large that its limb is straight over the field
    let mut r = Random::new(5);
    let (face, look, mut setting) = simple(Body::Uranus, 1, 200.0, &mut r);
    let (s, c) = 1.1f64.sin_cos();
    let mut d = face.radii[0];
    while scenes::paint(&face, &look, d * s, d * c) == 0.0 {
        d *= 0.99999;
    }
    setting.centre = [d * s, d * c];
    setting.offset = [0.5, 0.3];
    let found = fit(
        &[observe(&face, &look, &setting, &mut r)],
        &Options::default(),
    );
    let found = found.expect("one direction is constrained");
    assert_eq!(found.regime, Regime::Edge, "{}", found.message);
    let o = compare(&found, setting.offset, Body::Uranus);
    assert!(o.off[0].abs() < 0.03, "{}", found.message);
    assert!(o.off[0].abs() < 4.0 * o.stated[0]);
    assert!((0.49..0.52).contains(&o.stated[1]), "{}", found.message);
    // along the limb, a quarter turn from the normal
    let angle = found.ellipse()[2];
    let along = (angle - 1.1f64.to_degrees() - 90.0).rem_euclid(180.0);
    assert!(along.min(180.0 - along) < 6.0, "{angle}");
}

#[test]
fn dark_limbs_are_not_taken_for_the_body() {
    // half a moon in sunlight: the terminator is no limb
    let mut r = Random::new(8);
    let face = Face::new(Body::Titan, 1.6, Some(75.0), &mut r);
    let look = Look::new(Body::Titan, &face, wave(0), &mut r)
        .plain()
        .sunlit();
    let setting = Setting {
        body: Body::Titan,
        channel: 0,
        offset: [-0.4, 0.55],
        turn: 0.0,
        centre: [0.2, 0.1],
        angle: 0.3,
        signal_to_noise: 200.0,
    };
    let found = fit(
        &[observe(&face, &look, &setting, &mut r)],
        &Options::default(),
    );
    let found = found.expect("the lit limb is seen");
    let o = compare(&found, setting.offset, Body::Titan);
    assert!(o.off.iter().all(|d| d.abs() < 0.025), "{}", found.message);
}

#[test]
fn dithers_and_bands_share_one_offset() {
    let mut r = Random::new(21);
    let offset = [0.55, -0.62];
    let face = Face::new(Body::Neptune, 1.0, None, &mut r);
    let mut images = Vec::new();
    for k in 0..4usize {
        let channel = k / 2;
        let look = Look::new(Body::Neptune, &face, wave(channel), &mut r);
        let setting = Setting {
            body: Body::Neptune,
            channel,
            offset,
            turn: 0.0,
            centre: [[0.2, 0.1], [-0.3, 0.2], [0.1, -0.4], [0.0, 0.3]][k],
            angle: 0.4,
            signal_to_noise: 80.0,
        };
        images.push(observe(&face, &look, &setting, &mut r));
    }
    let single = fit(&images[..1], &Options::default()).expect("one image");
    let joint = fit(&images, &Options::default()).expect("all images");
    let o = compare(&joint, offset, Body::Neptune);
    assert!(
        (0..2).all(|k| o.off[k].abs() < 4.0 * o.stated[k]),
        "{}",
        joint.message
    );
    assert!(o.off.iter().all(|d| d.abs() < 0.01), "{}", joint.message);
    assert!(joint.ellipse()[1] < single.ellipse()[1]);
}

/// Points of the first line in a group of a page.
fn line(items: &[Item], group: &str) -> Vec<[f64; 2]> {
    let found = items.iter().find_map(|item| match item {
        Item::Group { name, items, .. } if name == group => Some(items),
        _ => None,
    });
    let Some(Item::Path { path, .. }) = found.and_then(|items| items.first()) else {
        panic!("there is no line in {group}");
    };
    let points = path.0.iter().filter_map(|s| match s {
        Segment::Move(p) | Segment::Line(p) => Some(*p),
        _ => None,
    });
    points.collect()
}

/// No text lies on another or is cut off.
fn tidy(figure: &Figure) {
    let page = Rect::new(0.0, 0.0, figure.width, figure.height);
    let all = figure.texts();
    for (i, (a, _)) in all.iter().enumerate() {
        let place = text::bounds(a);
        assert!(page.holds(&place), "{a:?}");
        for (b, _) in &all[i + 1..] {
            assert!(!place.overlaps(&text::bounds(b)), "{a:?} {b:?}");
        }
    }
}

#[test]
fn a_page_shows_the_fit() {
    let mut r = Random::new(5);
    let (face, look, mut setting) = simple(Body::Neptune, 1, 1.0, &mut r);
    setting.offset = [0.4, -0.25];
    let images = [observe(&face, &look, &setting, &mut r)];
    let image = &images[0];
    let found = fit(&images, &Options::default()).expect("a disc");
    let [compared] = found.images.as_slice() else {
        panic!("one image");
    };
    // the model is the image but for what is left, which is as large as its errors
    let used: Vec<usize> = (0..image.value.len())
        .filter(|i| compared.pull[*i].is_finite())
        .collect();
    assert!(used.len() > 200 && compared.model.len() == image.value.len());
    let spread = rms(used.iter().map(|i| compared.pull[*i].clamp(-5.0, 5.0)));
    assert!((0.5..1.5).contains(&spread), "{spread}");
    let top = image.value.iter().copied().fold(0.0, f64::max);
    let mut off: Vec<f64> = used
        .iter()
        .map(|i| (compared.model[*i] - image.value[*i]).abs() / top)
        .collect();
    off.sort_by(f64::total_cmp);
    let off = off[off.len() / 2];
    assert!(off < 0.03, "{off}");
    let page = view::draw(&view::Subject {
        title: "NEPTUNE  |  Dither 1",
        image,
        fit: Ok((&found, compared, 3)),
        altitude: 0.0,
    });
    tidy(&page);
    for what in [
        "3 images of the visit, fitted together",
        "Fitted to: disc",
        "Above the median, in contrasts",
    ] {
        assert!(page.texts().iter().any(|(t, _)| t.text == what), "{what}");
    }
    for panel in ["Image", "Model", "Residual"] {
        let inside = page.find(panel).and_then(|items| match items.first() {
            Some(Item::Group { items, .. }) => Some(items),
            _ => None,
        });
        let inside = inside.expect(panel);
        let (limb, nominal) = (line(inside, "limb"), line(inside, "nominal limb"));
        assert!(limb.len() >= 700 && limb.len() == nominal.len());
        // east is left and north up: the limb is where the image has it, the offset away from where its coordinates say
        let width = |l: &[[f64; 2]]| {
            let ends = l.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |m, p| {
                [m[0].min(p[0]), m[1].max(p[0])]
            });
            ends[1] - ends[0]
        };
        assert!((width(&limb) - width(&nominal)).abs() < 1e-6);
        let [dx, dy] = [0, 1].map(|k| limb[0][k] - nominal[0][k]);
        let scale = dx / -found.ra_offset;
        assert!(scale > 1.0 && (dy + scale * found.dec_offset).abs() < 1e-6 * scale);
    }
    // without a fit the page says why
    let page = view::draw(&view::Subject {
        title: "NEPTUNE",
        image,
        fit: Err(&Refusal::NoLimb.to_string()),
        altitude: 0.0,
    });
    tidy(&page);
    let said = |what: &str| page.texts().iter().any(|(t, _)| t.text.contains(what));
    assert!(said("No offset was applied") && said("no fit"));
}

#[test]
fn images_that_contradict_each_other_are_refused() {
    // one of three is half an arcsec off
    let mut r = Random::new(22);
    let face = Face::new(Body::Neptune, 1.0, None, &mut r);
    let mut images = Vec::new();
    for offset in [[0.1, 0.2], [0.1, 0.2], [0.6, 0.2]] {
        let look = Look::new(Body::Neptune, &face, wave(0), &mut r);
        let setting = Setting {
            body: Body::Neptune,
            channel: 0,
            offset,
            turn: 0.0,
            centre: [0.1, 0.1],
            angle: 0.4,
            signal_to_noise: 100.0,
        };
        images.push(observe(&face, &look, &setting, &mut r));
    }
    assert!(fit(&images[..2], &Options::default()).is_ok());
    let why = fit(&images, &Options::default()).expect_err("they contradict each other");
    println!("half an arcsec apart: {why}");
}

#[test]
fn turned_fields_are_found() {
    // belts of a body seen from its equator tell how the field is turned
    let mut r = Random::new(34);
    let face = Face::new(Body::Jupiter, 0.05, None, &mut r);
    let look = Look::new(Body::Jupiter, &face, wave(0), &mut r);
    let setting = Setting {
        body: Body::Jupiter,
        channel: 0,
        offset: [0.35, 0.2],
        turn: 0.05,
        centre: [0.1, 0.1],
        angle: 0.0,
        signal_to_noise: 200.0,
    };
    let image = observe(&face, &look, &setting, &mut r);
    let options = Options {
        roll: true,
        ..Options::default()
    };
    let found = fit(&[image], &options).expect("a disc with belts");
    let error = found.covariance[2][2].sqrt();
    let off = found.roll + 0.05f64.to_degrees();
    assert!(off.abs() < 4.0 * error && error < 1.5, "{off} {error}");
    let o = compare(&found, setting.offset, Body::Jupiter);
    assert!(o.off.iter().all(|d| d.abs() < 0.02), "{}", found.message);
}

#[test]
fn what_constrains_nothing_is_refused() {
    let options = Options::default();
    let mut r = Random::new(13);
    let (face, look, setting) = simple(Body::Neptune, 0, 1.0, &mut r);
    let good = observe(&face, &look, &setting, &mut r);
    assert!(fit(std::slice::from_ref(&good), &options).is_ok());
    let refusal = |image: Image| fit(&[image], &options).expect_err("nothing constrains it");
    assert_eq!(fit(&[], &options).expect_err("none"), Refusal::Empty(0));

    let mut empty = good.clone();
    empty.value.fill(f64::NAN);
    assert_eq!(refusal(empty), Refusal::Empty(0));

    let mut uniform = good.clone();
    uniform.value.fill(3.0);
    assert_eq!(refusal(uniform), Refusal::Uniform);

    let mut noise = good.clone();
    noise.value.iter_mut().for_each(|v| *v = 5.0 + r.normal());
    noise.error.fill(1.0);
    assert_eq!(refusal(noise), Refusal::NoBody);

    let mut nowhere = good.clone();
    nowhere.aspect.observer = [f64::NAN; 3];
    nowhere.aspect.position = [f64::NAN; 3];
    assert_eq!(refusal(nowhere), Refusal::Geometry);

    let mut sharp = good.clone();
    sharp.fwhm = 0.0;
    assert_eq!(refusal(sharp), Refusal::Psf);

    // a field that is all within the disc, belts or not
    let jupiter = Face::new(Body::Jupiter, 1.0, None, &mut r);
    for plain in [true, false] {
        let look = Look::new(Body::Jupiter, &jupiter, wave(1), &mut r);
        let look = if plain { look.plain() } else { look };
        let inside = Setting {
            body: Body::Jupiter,
            channel: 1,
            ..setting
        };
        let why = refusal(observe(&jupiter, &look, &inside, &mut r));
        println!("inside the disc: {why}");
    }

    // two arcsec away
    let far = Setting {
        offset: [1.9, 1.0],
        ..setting
    };
    let why = refusal(observe(&face, &look, &far, &mut r));
    println!("far away: {why}");

    // something else than the body: stripes
    let mut stripes = good.clone();
    for (i, v) in stripes.value.iter_mut().enumerate() {
        *v = 20.0
            + 10.0
                * ((i % good.columns) as f64 * 1.3).sin()
                * ((i / good.columns) as f64 * 0.9).cos();
    }
    stripes.error.fill(0.1);
    let why = refusal(stripes);
    println!("stripes: {why}");
}
