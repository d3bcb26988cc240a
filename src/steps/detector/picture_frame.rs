//! # picture_frame: remove the thermal picture frame of NIRSpec
//!
//! ## What
//! Subtracts a scaled template of the thermal pattern that NIRSpec's full frames show along their edges, from every group of a ramp
//! or from count rates.
//!
//! ## Why
//! Small drifts of the detector temperature leave a frame-like offset.
//!
//! ## Algorithm
//! 1. The mask of the background is made as in clean_flicker_noise, of the average (draft) rate.
//! 2. Of the template the median is taken of background pixels in the centre (rows and columns 77 to 1984), and of those at the
//!    edges (5 to 75 and 1986 to 2043); of every group likewise, after the first group of its integration has been subtracted.
//! 3. The template less its median at the edges is scaled by the ratio of the differences of centre and edges, the median at the edges
//!    is added, and that subtracted from the group. First groups stay.
//!
//! ## Parameters
//! `mask_science_regions`, `n_sigma`: as in clean_flicker_noise. `save_mask`, `save_correction`: write `OUT/<root>_pctfrm_mask.fits`
//! and `_pctfrm_correction.fits`.
//!
//! ## Reference files
//! `pictureframe`. For draft rates `gain` and `readnoise`; with `mask_science_regions` `msaoper` and those of assign_wcs; these are not
//! recorded, as in calwebb.
//!
//! ## Skipped when
//! not asked for; no reference applies; the exposure is not a full frame of NIRSpec, or has a single group; no background is left in the
//! centre or at the edges.
//!
//! ## Differs from jwst
//! - Other modes of NIRSpec than the IFU are errors as yet.
//! - Saved files hold `SCI` only and have no ASDF extension.
//!
//! ## References
//! jwst 3.0.0 `picture_frame`.

use super::clean_flicker_noise::Place;
use super::clean_flicker_noise::scene::{self, Lit, Mask, Rules, Scene, SceneRefs};
use crate::exec::Exec;
use crate::math::median::median_f32;
use crate::model::reference::RefFits;
use crate::model::{Meta, Observation, Ramp};
use crate::steps::images::{Cleaned, Images};
use crate::steps::step::{Info, RefPaths, Reference, Status, Step, Target};
use crate::{Error, Result};

crate::params! {
    /// Parameters of picture_frame.
    pub struct PictureFrameParams {
        /// Leave the known science regions out of the measurement.
        mask_science_regions: bool = true,
        /// Clipping level for signal, in standard deviations.
        n_sigma: f64 = 2.0,
        /// Save the mask that was used.
        save_mask: bool = false,
        /// Save what was subtracted.
        save_correction: bool = false,
    }
}

/// The step.
pub struct PictureFrame;

/// The template, and what the mask needs.
#[derive(Debug)]
pub struct PictureFrameRefs {
    scene: SceneRefs,
    /// DN/s, `[row][column]`.
    template: Vec<f32>,
    place: Option<Place>,
}

const REFERENCES: [Reference; 16] = {
    let template = Reference {
        kind: "pictureframe",
        required: true,
    };
    let mut all = [template; 16];
    let mut i = 0;
    while i < scene::REFERENCES.len() {
        all[i + 1] = scene::REFERENCES[i];
        i += 1;
    }
    all
};

/// Why an exposure stays as it is.
const NO_BACKGROUND: &str = "no background is left in the centre or at the edges to scale by";

/// First, and one past the last, row and column: of the lower edge, of the centre, and of the upper edge.
const LOWER: [usize; 2] = [4, 75];
const CENTRE: [usize; 2] = [76, 1984];
const UPPER: [usize; 2] = [1985, 2043];

/// Background pixels in the centre, and at the edges.
struct Regions {
    centre: Vec<usize>,
    edges: Vec<usize>,
}

impl Regions {
    fn of(mask: &[bool], nx: usize) -> Self {
        let within = |v: usize, [first, last]: [usize; 2]| (first..last).contains(&v);
        let frame = [LOWER[0], UPPER[1]];
        let at_edge = |v: usize| within(v, LOWER) || within(v, UPPER);
        let (mut centre, mut edges) = (Vec::new(), Vec::new());
        for p in (0..mask.len()).filter(|p| mask[*p]) {
            let (y, x) = (p / nx, p % nx);
            if within(y, CENTRE) && within(x, CENTRE) {
                centre.push(p);
            } else if within(y, frame) && within(x, frame) && (at_edge(y) || at_edge(x)) {
                edges.push(p);
            }
        }
        Self { centre, edges }
    }

    fn is_empty(&self) -> bool {
        self.centre.is_empty() || self.edges.is_empty()
    }

    /// Medians at the centre and at the edges; NaN is left out.
    fn medians(&self, image: impl Fn(usize) -> f32) -> [f32; 2] {
        [&self.centre, &self.edges].map(|pixels| {
            let values = pixels.iter().map(|p| image(*p)).filter(|v| !v.is_nan());
            median_f32(&mut values.collect::<Vec<f32>>())
        })
    }
}

/// The template with its medians at centre and edges.
struct Frame<'a> {
    template: &'a [f32],
    regions: &'a Regions,
    medians: [f32; 2],
}

impl Frame<'_> {
    /// Subtracts the frame from an image, of which what lies beneath (the first group) was subtracted.
    fn subtract(&self, image: &mut [f32], beneath: Option<&[f32]>) {
        let rate = |p: usize| match beneath {
            Some(beneath) => image[p] - beneath[p],
            None => image[p],
        };
        let [centre, edges] = self.regions.medians(rate);
        let scale = (centre - edges) / (self.medians[0] - self.medians[1]);
        for (p, (v, template)) in image.iter_mut().zip(self.template).enumerate() {
            let correction = scale * (template - self.medians[1]) + edges;
            *v = match beneath {
                Some(beneath) => (*v - beneath[p]) + (beneath[p] - correction),
                None => *v + (0.0 - correction),
            };
        }
    }
}

/// How the exposure is worked on.
struct Work<'a> {
    refs: &'a PictureFrameRefs,
    params: &'a PictureFrameParams,
    exec: &'a Exec,
}

impl Work<'_> {
    /// The background pixels of a scene; nothing is known of where light falls on a detector that the grating leaves dark.
    fn mask(&self, meta: &Meta, scene: &Scene, lit: Option<Lit>) -> Result<Mask> {
        if lit.is_none() {
            tracing::warn!(
                "picture_frame: no light falls on the detector; mask_science_regions is off"
            );
        }
        let rules = Rules {
            science_regions: self.params.mask_science_regions && lit.is_some(),
            n_sigma: self.params.n_sigma,
            histogram: false,
            single: true,
        };
        let mask = Mask::new(scene, &lit.unwrap_or_default(), rules, self.exec);
        if let (true, Some(place)) = (self.params.save_mask, &self.refs.place) {
            let axes = [scene.plane / scene.nx.max(1), scene.nx];
            place.write_mask(meta, "pctfrm_mask", &axes, &mask.values)?;
        }
        Ok(mask)
    }

    /// Corrects images; returns why not, if not. `ngroups` is 0 for rates, which have nothing beneath.
    fn correct(
        &self,
        meta: &Meta,
        axes: &[usize],
        mask: &Mask,
        values: &mut [f32],
        ngroups: usize,
    ) -> Result<Option<String>> {
        let nx = axes.last().copied().unwrap_or(0);
        let plane = mask.plane.max(1);
        if self.refs.template.len() != mask.plane {
            return Err(Error::input_file(
                &meta.source,
                "the exposure's images and the PICTUREFRAME reference differ in size",
            ));
        }
        let regions = Regions::of(&mask.values, nx);
        if regions.is_empty() {
            return Ok(Some(NO_BACKGROUND.into()));
        }
        let frame = Frame {
            template: &self.refs.template,
            regions: &regions,
            medians: regions.medians(|p| self.refs.template[p]),
        };
        let save = self
            .refs
            .place
            .as_ref()
            .filter(|_| self.params.save_correction);
        let before = save.map(|_| values.to_vec());
        for integration in values.chunks_mut(plane * ngroups.max(1)) {
            let (beneath, images) = match ngroups {
                0 => (None, integration),
                _ => {
                    let (first, rest) = integration.split_at_mut(plane);
                    (Some(&*first), rest)
                }
            };
            self.exec
                .map(images.chunks_mut(plane).collect(), |image: &mut [f32]| {
                    frame.subtract(image, beneath);
                });
        }
        if let (Some(place), Some(mut change)) = (save, before) {
            change
                .iter_mut()
                .zip(&*values)
                .for_each(|(b, a)| *b = a - *b);
            place.write(meta, "pctfrm_correction", axes, change)?;
        }
        Ok(None)
    }

    fn ramp(&self, ramp: &mut Ramp) -> Result<Option<String>> {
        let lit = self.refs.scene.lit(&ramp.meta, self.exec)?;
        let scene = self.refs.scene.draft(ramp, false, self.exec)?;
        let mask = self.mask(&ramp.meta, &scene, lit)?;
        drop(scene);
        let shape = ramp.shape;
        self.correct(
            &ramp.meta,
            &shape.axes(),
            &mask,
            &mut ramp.data,
            shape.ngroups,
        )
    }
}

impl Step for PictureFrame {
    const INFO: Info = Info {
        name: "picture_frame",
        class: "PictureFrameStep",
        keyword: "S_PCTFRM",
        title: "Picture frame correction",
        skip: true,
        references: &REFERENCES,
    };
    const SOURCE: &'static str = include_str!("picture_frame.rs");
    const WHOLE_EXPOSURE: bool = true;
    type In = Images;
    type Out = Cleaned;
    type Params = PictureFrameParams;
    type Refs = PictureFrameRefs;

    fn not_applicable(input: &Images, _: &Self::Params) -> Result<Option<String>> {
        let meta = input.meta();
        let (instrument, subarray) = (meta.need_str("INSTRUME")?, meta.need_str("SUBARRAY")?);
        let full =
            instrument.eq_ignore_ascii_case("NIRSPEC") && subarray.eq_ignore_ascii_case("FULL");
        if !full {
            return Ok(Some("it is for full frames of NIRSpec only".into()));
        }
        if matches!(input, Images::Ramp(ramp) if ramp.shape.ngroups == 1) {
            return Ok(Some("a single group does not show it".into()));
        }
        match meta.need_str("EXP_TYPE")? {
            "NRS_IFU" => Ok(None),
            kind => Err(Error::input_file(
                &meta.source,
                format!(
                    "picture_frame does not support EXP_TYPE {kind}; turn the step off (it is off by default)"
                ),
            )),
        }
    }

    fn uses(kind: &str, params: &Self::Params) -> bool {
        kind == "pictureframe" || scene::is_of_rates(kind) || params.mask_science_regions
    }

    fn uses_for(kind: &str, meta: &Meta) -> bool {
        let rated = scene::is_of_rates(kind) && scene::is_rate(meta);
        kind == "pictureframe" || meta.str("EXP_TYPE") == Some("NRS_IFU") && !rated
    }

    fn records(kind: &str) -> bool {
        kind == "pictureframe"
    }

    fn load(paths: &RefPaths, target: &Target, params: &Self::Params) -> Result<Self::Refs> {
        let file = RefFits::open("pictureframe", paths.need("pictureframe")?)?;
        let save = params.save_mask || params.save_correction;
        Ok(PictureFrameRefs {
            scene: SceneRefs::load(paths, target, params.mask_science_regions)?,
            template: file.image("SCI", target.window()?)?,
            place: save.then(|| Place::new(target.out.clone())),
        })
    }

    fn run(
        mut input: Images,
        refs: &Self::Refs,
        params: &Self::Params,
        exec: &Exec,
    ) -> Result<Cleaned> {
        let work = Work { refs, params, exec };
        let left = match &mut input {
            Images::Ramp(ramp) => work.ramp(ramp)?,
            Images::Rate(rate) => {
                let lit = refs.scene.lit(&rate.meta, exec)?;
                let mask = work.mask(&rate.meta, &Scene::of_rate(rate), lit)?;
                let axes = rate.axes();
                work.correct(&rate.meta, &axes, &mask, &mut rate.sci, 0)?
            }
            Images::Observation(observation) => {
                let Observation { science: cal, .. } = &mut **observation;
                let lit = refs.scene.lit_of(cal, exec)?;
                let mask = work.mask(&cal.meta, &Scene::of_cal(cal), lit)?;
                let axes = [cal.ny, cal.nx];
                work.correct(&cal.meta, &axes, &mask, &mut cal.sci, 0)?
            }
        };
        Ok(Cleaned {
            images: input,
            status: left.map_or(Status::Complete, Status::Skipped),
        })
    }

    fn ended(output: &Cleaned) -> Status {
        output.status.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn centre_and_edges() {
        let n = 2048;
        let regions = Regions::of(&vec![true; n * n], n);
        let inside = |pixels: &[usize], y: usize, x: usize| pixels.contains(&(y * n + x));
        assert_eq!(regions.centre.len(), (1984 - 76) * (1984 - 76));
        assert!(inside(&regions.centre[..1], 76, 76));
        // a frame without its outermost pixels, and without the gaps at 75 and 1984
        let gaps = [75, 1984];
        let corner = |v: usize| (4..2043).contains(&v);
        let edge = |v: usize| corner(v) && !gaps.contains(&v) && !(76..1984).contains(&v);
        let count = (0..n * n).filter(|p| {
            let (y, x) = (p / n, p % n);
            corner(y) && corner(x) && (edge(y) || edge(x))
        });
        assert_eq!(regions.edges.len(), count.count());
        assert!(Regions::of(&vec![false; n * n], n).is_empty());
    }

    #[test]
    fn the_frame_is_scaled_to_centre_and_edges() {
        let regions = Regions {
            centre: vec![0, 1],
            edges: vec![2, 3],
        };
        let template = [2.0, 2.0, 1.0, 1.0, 3.0];
        let frame = Frame {
            template: &template,
            regions: &regions,
            medians: [2.0, 1.0],
        };
        let mut image = [15.0, 15.0, 10.0, 10.0, f32::NAN];
        frame.subtract(&mut image, None);
        assert_eq!(image[..4], [0.0; 4]);
        assert!(image[4].is_nan());
        let mut image = [16.0, 16.0, 11.0, 11.0, 21.0];
        frame.subtract(&mut image, Some(&[1.0; 5]));
        assert_eq!(image, [1.0; 5]);
    }

    #[test]
    fn a_ramp_of_full_frames_as_jwst() {
        use super::super::clean_flicker_noise::tests::{frame, golden};
        let (rates, _) = frame();
        let n = 2048;
        let step = |v: usize| (v as i64 - 1023).abs();
        let template = |p: usize| (step(p / n).max(step(p % n)) / 16) as f32 / 64.0;
        let mut template: Vec<f32> = (0..n * n).map(template).collect();
        template[3 * n + 5] = f32::NAN;
        let group = |rate: f32, frame: f32, level: f32| {
            let pixels = rates.iter().zip(&template);
            pixels
                .map(move |(r, t)| (rate * r + frame * t) + level)
                .collect::<Vec<f32>>()
        };
        let mut values = [
            group(5.0, 0.0, 0.0),
            group(6.0, 2.0, 0.0),
            group(7.0, 3.0, 1.0),
        ]
        .concat();
        // the first group has nothing of the template, NaN neither
        values[..n * n]
            .iter_mut()
            .zip(&rates)
            .for_each(|(v, r)| *v = 5.0 * r);
        values[2 * n * n + 900 * n..][1000..1100].fill(f32::NAN);
        let scene = Scene {
            nx: n,
            plane: n * n,
            cube: false,
            values: rates.clone(),
            dq: vec![0; n * n],
        };
        let refs = PictureFrameRefs {
            scene: SceneRefs::default(),
            template: template.clone(),
            place: None,
        };
        let params = PictureFrameParams {
            mask_science_regions: false,
            ..PictureFrameParams::default()
        };
        let (columns, theirs) = golden("frame.fits.gz", "SCI");
        for threads in [1, 2] {
            let exec = Exec::new(Some(threads)).unwrap();
            let work = Work {
                refs: &refs,
                params: &params,
                exec: &exec,
            };
            let mask = work
                .mask(&Meta::default(), &scene, Some(Lit::default()))
                .unwrap();
            let mut out = values.clone();
            let left = work
                .correct(&Meta::default(), &[1, 3, n, n], &mask, &mut out, 3)
                .unwrap();
            assert_eq!(left, None);
            for (i, theirs) in theirs.iter().enumerate() {
                let (row, x) = (i / columns.len(), columns[i % columns.len()]);
                let ours = out[row * n + x];
                let same = ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan();
                assert!(same, "row {row}, column {x}: {ours} and {theirs}");
            }
        }
    }

    #[test]
    fn other_exposures_are_skipped_or_refused() {
        use crate::model::Shape;
        let shape = Shape {
            nints: 1,
            ngroups: 2,
            ny: 1,
            nx: 1,
        };
        let mut ramp = Ramp {
            meta: Meta::default(),
            shape,
            first_int: 0,
            data: vec![1.0; 2].into(),
            pixeldq: vec![0],
            groupdq: vec![0; 2].into(),
            average_dark_current: None,
            extra: Vec::new(),
        };
        let asked = |ramp: &Ramp| {
            let images = Images::Ramp(Box::new(ramp.clone()));
            PictureFrame::not_applicable(&images, &PictureFrameParams::default())
        };
        ramp.meta.primary.set("INSTRUME", "MIRI", "");
        ramp.meta.primary.set("SUBARRAY", "FULL", "");
        assert!(asked(&ramp).unwrap().is_some());
        ramp.meta.primary.set("INSTRUME", "NIRSPEC", "");
        ramp.meta.primary.set("EXP_TYPE", "NRS_IFU", "");
        assert_eq!(asked(&ramp).unwrap(), None);
        ramp.shape.ngroups = 1;
        assert!(asked(&ramp).unwrap().is_some());
        ramp.shape.ngroups = 2;
        ramp.meta.primary.set("EXP_TYPE", "NRS_MSASPEC", "");
        assert!(asked(&ramp).is_err());
    }
}
